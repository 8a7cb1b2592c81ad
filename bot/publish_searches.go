package bot

import (
	"time"

	"github.com/turnout-dev/turnout/bot/command"
)

// searches caches lookups of pull requests, since GitHub may know them late. A restart
// loses it, which costs requests. The zero value is ready.
type searches struct {
	all    expiring[releaseID, *search]
	silent expiring[string, struct{}] // comments that did not exist before
}

// search is the lookup for one release. It is owned by whoever publishes its application.
type search struct {
	asked    time.Time                        // zero before the first request
	commits  []string                         // of the branch, newest first
	complete bool                             // commits has all of them
	answers  map[string][]command.PullRequest // by commit, for those that have any
}

// searchLife is how long a search is continued, and its result used.
const searchLife = time.Minute

// of returns the search for a release's pull requests, starting one if needed.
func (s *searches) of(uid releaseID) *search {
	if begun, _, found := s.all.get(uid, searchLife); found {
		return begun
	}
	begun := &search{answers: map[string][]command.PullRequest{}}
	s.all.put(uid, begun)
	return begun
}

// end drops a search, but remembers the pull requests without a comment.
func (s *searches) end(uid releaseID, comment func(number int) string, silent []int) {
	s.all.forget(uid)
	for _, number := range silent {
		s.silent.put(comment(number), struct{}{})
	}
}

// first reports, once, whether a comment certainly does not exist. Only once: after the
// write that follows, it may.
func (s *searches) first(comment string) bool {
	_, _, found := s.silent.get(comment, searchLife)
	s.silent.forget(comment)
	return found
}
