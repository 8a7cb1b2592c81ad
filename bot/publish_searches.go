package bot

import (
	"sync"
	"time"

	"github.com/turnout-dev/turnout/bot/command"
)

// searches are what is known so far of pull requests, since GitHub may learn of
// them late. They are lost with the process, which costs requests. The zero value
// is ready.
type searches struct {
	mu     sync.Mutex
	all    map[releaseID]*search
	silent map[string]time.Time // by comment: nobody wrote it before then
}

// search is that of one release; owned by who holds the application's lock.
type search struct {
	begun    time.Time
	asked    time.Time                        // zero: not yet
	commits  []string                         // of the branch, newest first
	complete bool                             // these are all
	answers  map[string][]command.PullRequest // by commit; of those that have any
}

// searchLife bounds how long a search is gone on with, and its result used.
const searchLife = time.Minute

// of returns the search for a release's pull requests, begun now if there is none.
func (s *searches) of(uid releaseID) *search {
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, of := range s.all {
		if time.Since(of.begun) >= searchLife {
			delete(s.all, other)
		}
	}
	if s.all == nil {
		s.all = map[releaseID]*search{}
	}
	if s.all[uid] == nil {
		s.all[uid] = &search{begun: time.Now(), answers: map[string][]command.PullRequest{}}
	}
	return s.all[uid]
}

// end forgets a search, and keeps on which pull requests nothing was said yet.
func (s *searches) end(uid releaseID, comment func(number int) string, silent []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, uid)
	for other, at := range s.silent {
		if time.Since(at) >= searchLife {
			delete(s.silent, other)
		}
	}
	if s.silent == nil {
		s.silent = map[string]time.Time{}
	}
	for _, number := range silent {
		s.silent[comment(number)] = time.Now()
	}
}

// first reports whether a comment is certainly not there yet, once: whether the
// write that follows succeeds, nobody knows.
func (s *searches) first(comment string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, found := s.silent[comment]
	delete(s.silent, comment)
	return found && time.Since(at) < searchLife
}
