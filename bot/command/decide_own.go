package command

import (
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// wrongPullRequest refuses a command that needs the pull request's merge into the
// application's branch; nil if it was merged there.
func (s Situation) wrongPullRequest() *Decision {
	pr, branch := s.PullRequest, s.App.Spec.Branch
	var d Decision
	switch {
	case pr.Base != branch:
		d = refuse(CodeOtherBranch, Args{Application: s.App.Name, Base: pr.Base, Branch: branch})
	case !pr.Merged || pr.MergeCommit == "":
		d = refuse(CodeNotMerged, Args{Branch: branch})
	default:
		return nil
	}
	return &d
}

// wrongCommit refuses a hash that is not the pull request's commit; nil if it is, or if
// none was typed.
func (s Situation) wrongCommit(rel *v1alpha1.Release) *Decision {
	want := s.Command.Commit
	if want == "" || s.PullRequest.Merged && strings.HasPrefix(s.PullRequest.MergeCommit, want) || rel != nil &&
		strings.HasPrefix(rel.Spec.Deploy.Commit, want) {
		return nil
	}
	d := refuse(CodeOtherCommit, Args{
		Typed: want, Version: commitVersion(s.PullRequest.MergeCommit), Next: []Command{s.Typed(s.Command.Verb)},
	})
	if s.PullRequest.MergeCommit == "" {
		d.Code, d.Args.Version = CodeOtherCommitNoMerge, nil
	}
	return &d
}

// own returns the pull request's deploy: the last attempt of its commit, else the newest
// deploy of a push that included this pull request. It returns nil if there is none.
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

// lists reports whether a release's push included the pull request.
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

// commitVersion is a version whose commit alone is known.
func commitVersion(commit string) *v1alpha1.Version { return &v1alpha1.Version{Commit: commit} }

// versionOf is the version that a deploy releases.
func versionOf(rel *v1alpha1.Release) *v1alpha1.Version {
	v := targetVersion(rel)
	return &v
}

// targetVersion is the version that users get from a deploy.
func targetVersion(rel *v1alpha1.Release) v1alpha1.Version {
	m := rel.Status.Milestones
	v := v1alpha1.Version{Color: m.Target, Commit: rel.Spec.Deploy.Commit, Release: rel.Name}
	if m.Built != nil {
		v.Image = m.Built.Image
	}
	if m.Staged != nil {
		v.Image, v.Replicas, v.TemplateHash = m.Staged.Image, m.Staged.Replicas, m.Staged.TemplateHash
	}
	return v
}

// undoing reports whether an unfinished release is being undone, or will be.
func undoing(rel *v1alpha1.Release) bool {
	return rel.Status.Phase == v1alpha1.ReleaseUndoing || rel.Spec.Cancel != nil && rel.Status.Milestones.SwitchIntendedAt == nil
}

// pullRequestsOf lists the pull requests on which people can give commands about a deploy.
func pullRequestsOf(rel *v1alpha1.Release) []int {
	if gh := rel.Status.GitHub; gh != nil && len(gh.PullRequests) > 0 {
		return gh.PullRequests
	}
	if rel.Spec.Cause.PullRequest != 0 {
		return []int{rel.Spec.Cause.PullRequest}
	}
	return nil
}
