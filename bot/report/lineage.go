package report

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// heirOf follows the releases that superseded this one to the last attempt of the
// one that nothing has superseded. It returns nil if nothing superseded this one,
// or if the record no longer has all of them.
func heirOf(rel *v1alpha1.Release, releases []v1alpha1.Release) *v1alpha1.Release {
	heir := rel
	for range len(releases) { // bounded, in case the record has a cycle
		next := heir.Status.SupersededBy
		if next == "" {
			break
		}
		if heir = command.ByName(releases, next); heir == nil {
			return nil
		}
		heir = lastAttempt(heir, releases)
	}
	if heir == rel || heir.Status.SupersededBy != "" {
		return nil
	}
	return heir
}

// lastAttempt returns the last release of a release's commit.
func lastAttempt(rel *v1alpha1.Release, releases []v1alpha1.Release) *v1alpha1.Release {
	last := rel
	for i := range releases {
		d := releases[i].Spec.Deploy
		if d != nil && last.Spec.Deploy != nil && d.Commit == last.Spec.Deploy.Commit && d.Attempt > last.Spec.Deploy.Attempt {
			last = &releases[i]
		}
	}
	return last
}

// tookUsers reports whether a release ended with users on its version: as a success, or as
// a failure after the switch that was not undone.
func tookUsers(rel *v1alpha1.Release) bool {
	return rel.Status.Phase.Finished() && Moved(rel)
}

// replacedBy returns the first release that moved users away from this one. Later ones do
// not change the result. A release whose switch was undone does not count.
func replacedBy(rel *v1alpha1.Release, releases []v1alpha1.Release) *v1alpha1.Release {
	if !tookUsers(rel) {
		return nil
	}
	var first *v1alpha1.Release
	for i := range releases {
		other := &releases[i]
		at := other.Status.Milestones.SwitchedAt
		if other.UID == rel.UID || !tookUsers(other) || !rel.Status.Milestones.SwitchedAt.Before(at) {
			continue
		}
		if first == nil || at.Before(first.Status.Milestones.SwitchedAt) {
			first = other
		}
	}
	return first
}

// Moved reports whether a release moved users and did not move them back.
func Moved(rel *v1alpha1.Release) bool {
	m := rel.Status.Milestones
	return m.SwitchedAt != nil && m.RestoredAt == nil
}
