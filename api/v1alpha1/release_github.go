package v1alpha1

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Same reports whether two are the same in the record: times to the second, lists in any order, and
// nil as an empty one.
func (s *GitHubStatus) Same(other *GitHubStatus) bool { return s.stored() == other.stored() }

// stored is what the record has of it.
func (s *GitHubStatus) stored() string {
	if s == nil {
		return "{}"
	}
	s = s.DeepCopy()
	slices.Sort(s.PullRequests)
	slices.SortFunc(s.Comments, func(a, b CommentStatus) int { return cmp.Compare(a.PullRequest, b.PullRequest) })
	text, err := json.Marshal(s)
	if err != nil { // it has only texts, numbers and times
		return err.Error()
	}
	return string(text)
}
