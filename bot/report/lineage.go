package report

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// heirOf follows what took a release's place to the end of the line: to the last
// attempt of the one that nothing has superseded. Nil if nothing did, or the line
// is broken because the record keeps no more of it.
func heirOf(rel *v1alpha1.Release, releases []v1alpha1.Release) *v1alpha1.Release {
	heir := rel
	for range len(releases) { // a line that bites its own tail ends here
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

// tookUsers reports whether a release has ended with users on its version: as a
// success, or as a failure that could not, or must not, be taken back.
func tookUsers(rel *v1alpha1.Release) bool {
	return rel.Status.Phase.Finished() && Moved(rel)
}

// replacedBy returns the release that moved users on from another one: of those
// that came after it the first, so that it stays the same when more come. One
// that was restored moved nobody on.
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

// Moved reports whether a release's switch stands: it moved users, and did not
// move them back.
func Moved(rel *v1alpha1.Release) bool {
	m := rel.Status.Milestones
	return m.SwitchedAt != nil && m.RestoredAt == nil
}
