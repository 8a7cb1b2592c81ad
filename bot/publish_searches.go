package bot

import (
	"time"

	"github.com/turnout-dev/turnout/bot/command"
)

// searches are what is known so far of pull requests, since GitHub may learn of
// them late. They are lost with the process, which costs requests. The zero value
// is ready.
type searches struct {
	all    expiring[releaseID, *search]
	silent expiring[string, struct{}] // comments that nobody wrote before then
}

// search is that of one release; owned by who publishes its application.
type search struct {
	asked    time.Time                        // zero: not yet
	commits  []string                         // of the branch, newest first
	complete bool                             // these are all
	answers  map[string][]command.PullRequest // by commit; of those that have any
}

// searchLife bounds how long a search is gone on with, and its result used.
const searchLife = time.Minute

// of returns the search for a release's pull requests, begun now if there is none.
func (s *searches) of(uid releaseID) *search {
	if begun, _, found := s.all.get(uid, searchLife); found {
		return begun
	}
	begun := &search{answers: map[string][]command.PullRequest{}}
	s.all.put(uid, begun)
	return begun
}

// end forgets a search, and keeps on which pull requests nothing was said yet.
func (s *searches) end(uid releaseID, comment func(number int) string, silent []int) {
	s.all.forget(uid)
	for _, number := range silent {
		s.silent.put(comment(number), struct{}{})
	}
}

// first reports whether a comment is certainly not there yet, once: whether the
// write that follows succeeds, nobody knows.
func (s *searches) first(comment string) bool {
	_, _, found := s.silent.get(comment, searchLife)
	s.silent.forget(comment)
	return found
}
