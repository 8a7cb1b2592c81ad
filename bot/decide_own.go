package bot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// wrongPullRequest refuses what needs a commit that merging the pull request
// brought to the application's branch; nil if there is one.
func (s Situation) wrongPullRequest() *Refuse {
	pr, branch := s.PullRequest, s.App.Spec.Branch
	switch {
	case pr.Base != branch:
		return &Refuse{
			Reason:   fmt.Sprintf("This pull request merges into %s, but %s is released from %s.", code(pr.Base), code(s.App.Name), code(branch)),
			NextMove: fmt.Sprintf("Ask on a pull request that was merged into %s.", code(branch)),
		}
	case !pr.Merged || pr.MergeCommit == "":
		return &Refuse{
			Reason:   "This pull request is not merged, so there is nothing to release yet.",
			NextMove: fmt.Sprintf("Merge it into %s: that starts its release.", code(branch)),
		}
	}
	return nil
}

// wrongCommit refuses a command whose hash is not the pull request's commit,
// which it may only confirm; nil if it is, or if none was typed.
func (s Situation) wrongCommit(rel *v1alpha1.Release) *Refuse {
	want := s.Command.Commit
	if want == "" || s.PullRequest.Merged && strings.HasPrefix(s.PullRequest.MergeCommit, want) || rel != nil &&
		strings.HasPrefix(rel.Spec.Deploy.Commit, want) {
		return nil
	}
	reason := fmt.Sprintf("%s is not this pull request's commit, which is %s.", code(want),
		code(v1alpha1.ShortCommit(s.PullRequest.MergeCommit)))
	if s.PullRequest.MergeCommit == "" {
		reason = fmt.Sprintf("%s is not this pull request's commit: it is not merged.", code(want))
	}
	return &Refuse{
		Reason:   reason,
		NextMove: fmt.Sprintf("Type %s alone, or ask on the pull request of the commit you mean.", s.typed(s.Command.Verb)),
	}
}

// own returns the Deploy of the pull request: of its commit the last attempt, or
// else the newest that a push of several pull requests, this one among them,
// has made. Nil if there is none.
func (s Situation) own() *v1alpha1.Release {
	pr := s.PullRequest
	if pr.Merged && pr.Base == s.App.Spec.Branch {
		if rel := s.deployOf(pr.MergeCommit); rel != nil {
			return rel
		}
	}
	for i := range s.Releases {
		if rel := &s.Releases[i]; rel.Spec.Deploy != nil && s.lists(rel) {
			return s.deployOf(rel.Spec.Deploy.Commit)
		}
	}
	return nil
}

// lists reports whether a release is known to bring the pull request.
func (s Situation) lists(rel *v1alpha1.Release) bool {
	return rel.Status.GitHub != nil && s.PullRequest.Number != 0 && slices.Contains(rel.Status.GitHub.PullRequests, s.PullRequest.Number)
}

// deployOf returns the last attempt to deploy a commit, or nil.
func (s Situation) deployOf(commit string) *v1alpha1.Release {
	var newest *v1alpha1.Release
	for i := range s.Releases {
		d := s.Releases[i].Spec.Deploy
		if d != nil && d.Commit == commit && (newest == nil || d.Attempt > newest.Spec.Deploy.Attempt) {
			newest = &s.Releases[i]
		}
	}
	return newest
}
