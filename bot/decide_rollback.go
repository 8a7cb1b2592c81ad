package bot

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// rollback: leave the version that this pull request brought, or that the given
// commit is.
func (s Situation) rollback() Decision {
	if rel := s.underWay(v1alpha1.Rollback); rel != nil {
		return Decision{Answer: fmt.Sprintf("%s is being left already, for %s.", code(rel.Spec.Rollback.From.Short()),
			code(rel.Spec.Rollback.To.Short()))}
	}
	if rel := s.underWay(v1alpha1.Deploy); rel != nil {
		return s.rollbackDeploy(rel)
	}
	if s.meansLive() {
		return s.rollbackLive()
	}
	if last := s.App.Status.LastSwitch; last != nil && last.Kind != string(v1alpha1.Deploy) && s.means(last.From) {
		return Decision{Answer: fmt.Sprintf("%s was left already, by %s: %s is live. Nothing was changed.", code(last.From.Short()),
			code(last.Release), s.liveName())}
	}
	return s.rollbackElsewhere()
}

// underWay returns the unfinished release of a kind that the command means: the
// one that acts, or else the newest.
func (s Situation) underWay(kind v1alpha1.ReleaseKind) *v1alpha1.Release {
	var found *v1alpha1.Release
	for i := range s.Releases {
		rel := &s.Releases[i]
		if rel.Spec.Kind != kind || rel.Status.Phase.Finished() || !s.means(leavable(rel)) {
			continue
		}
		if active := s.App.Status.Active; active != nil && active.UID == string(rel.UID) {
			return rel
		}
		if found == nil {
			found = rel
		}
	}
	return found
}

// leavable is the version that a /rollback during a release would leave.
func leavable(rel *v1alpha1.Release) v1alpha1.Version {
	if rel.Spec.Rollback != nil {
		return rel.Spec.Rollback.From
	}
	return targetVersion(rel)
}

// targetVersion is what a Deploy puts, or will put, in front of users.
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

// means reports whether the command speaks of a version: by the commit typed with
// it, or by the pull request it is written on.
func (s Situation) means(v v1alpha1.Version) bool {
	if v.Commit == "" {
		return false
	}
	if s.Command.Commit != "" {
		return strings.HasPrefix(v.Commit, s.Command.Commit)
	}
	if s.PullRequest.Merged && s.PullRequest.Base == s.App.Spec.Branch && s.PullRequest.MergeCommit == v.Commit {
		return true
	}
	// A push may bring several pull requests; its release lists them all.
	for i := range s.Releases {
		rel := &s.Releases[i]
		if d := rel.Spec.Deploy; d != nil && d.Commit == v.Commit && s.lists(rel) {
			return true
		}
	}
	return false
}

// meansLive reports whether the command speaks of the live version: also if it
// came in with the last switch below the commit that is live.
func (s Situation) meansLive() bool {
	live := s.App.Status.Live
	if live == nil {
		return false
	}
	if s.means(*live) {
		return true
	}
	broughtIn := s.AgainstLive == OrderOlder && s.AgainstPrevious == OrderNewer
	return s.Command.Commit == "" && s.PullRequest.Base == s.App.Spec.Branch && broughtIn
}

// rollbackDeploy leaves a version whose release is under way.
func (s Situation) rollbackDeploy(rel *v1alpha1.Release) Decision {
	version, m := versionOf(rel), rel.Status.Milestones
	switch {
	case m.SwitchIntendedAt == nil && rel.Spec.Cancel != nil:
		return Decision{Answer: fmt.Sprintf("The release of %s was cancelled by %s already; %s stays live.", version, plain(rel.CancelledBy()),
			s.liveName())}
	case rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return Decision{Answer: fmt.Sprintf("The release of %s is being undone already.", version)}
	case m.SwitchIntendedAt == nil:
		return Decision{
			Cancel: s.cancelOf(rel, s.asked()+" before the switch"),
			Note:   fmt.Sprintf("The release of %s is being cancelled: users have not seen it, %s stays live.", version, s.liveName()),
		}
	case m.Previous == nil || m.Previous.Image == "":
		return refuse("It is not recorded what was live before "+version+", so there is nothing to return to.", "Merge a commit that reverts it.")
	}
	d := s.takeBack(v1alpha1.RollbackSpec{From: targetVersion(rel), To: *m.Previous, Switch: string(rel.UID)})
	if d.Submit == nil {
		return d
	}
	d.Note = FindWayBack(&s.App, m.Previous, s.Releases).say(m.Previous)
	if m.ConfirmedAt == nil {
		d.Note = fmt.Sprintf("The switch to %s is under way; it goes back to %s as soon as it is confirmed or has failed. %s", version,
			code(m.Previous.Short()), d.Note)
	}
	return d
}

// rollbackLive leaves the live version when no release of it is under way.
func (s Situation) rollbackLive() Decision {
	live, last, previous := s.App.Status.Live, s.App.Status.LastSwitch, s.App.Status.Previous
	switch {
	case last != nil && last.Kind != string(v1alpha1.Deploy):
		return refuse(fmt.Sprintf("%s is live since %s went back to it; there is no version before it to return to.", s.liveName(),
			code(last.Release)),
			"Merge a commit that reverts what you want to undo.")
	case last == nil || previous == nil:
		return refuse(fmt.Sprintf("Turnout has not switched to %s from another version, so there is nothing to return to.", s.liveName()),
			"Merge a commit that reverts what you want to undo.")
	case last.To.Color != live.Color:
		return refuse(fmt.Sprintf("Traffic was moved to %s by something else than Turnout since the last switch.", live.Color),
			"Look at the Ingress: what to return to cannot be told safely.")
	}
	d := s.takeBack(v1alpha1.RollbackSpec{From: last.To, To: *previous, Switch: last.UID})
	if d.Submit != nil {
		d.Note = FindWayBack(&s.App, previous, s.Releases).say(previous)
	}
	return d
}

// takeBack submits the rollback of a switch: the first, or the attempt after
// those that ended without bringing users back. What brought them back is not
// repeated, even if the application was read before it had ended. Whoever may write
// releases may take names and numbers: what goes elsewhere counts for nothing.
func (s Situation) takeBack(spec v1alpha1.RollbackSpec) Decision {
	last, joined, used := int32(0), int32(0), map[int32]bool{}
	for i := range s.Releases {
		rel := &s.Releases[i]
		back := rel.Spec.Rollback
		if back == nil || back.Switch != spec.Switch || !v1alpha1.SameVersion(back.From, spec.From) || !v1alpha1.SameVersion(back.To, spec.To) {
			continue
		}
		ended, attempt := rel.Status.Phase.Finished(), max(1, back.Attempt)
		switch {
		case rel.Status.Phase == v1alpha1.ReleaseSucceeded, ended && rel.Status.Milestones.SwitchedAt != nil:
			return Decision{Answer: fmt.Sprintf("%s was left already, by %s. Nothing was changed.", code(spec.From.Short()), code(rel.Name))}
		case ended:
			last, used[attempt] = max(last, attempt), true
		case rel.Name == v1alpha1.RollbackName(s.App.Name, spec.Switch, attempt): // under way: it is joined
			joined = max(joined, attempt)
		}
	}
	spec.Attempt = joined
	if joined == 0 {
		spec.Attempt = attemptAfter(last, used)
	}
	return Decision{Submit: NewRollback(&s.App, spec, s.Cause)}
}

// rollbackElsewhere refuses, and names what is live.
func (s Situation) rollbackElsewhere() Decision {
	live := s.App.Status.Live
	what := "This pull request"
	if s.Command.Commit != "" {
		what = code(s.Command.Commit)
	}
	switch {
	case live == nil:
		return refuse(fmt.Sprintf("%s is not what is live: `%s` has no live version at present.", what, s.App.Name), "`/status` says why.")
	case live.Commit == "":
		return refuse(fmt.Sprintf("%s is not what is live: %s on %s is, which Turnout did not release, so there is nothing to return to.", what,
			s.liveName(), live.Color), "Merge a commit that reverts what you want to undo.")
	}
	isLive := fmt.Sprintf("%s is not what is live: %s on %s is.", what, s.liveName(), live.Color)
	if under := byName(s.Releases, live.Release); under == nil || under.Status.Phase.Finished() {
		switch back := s.rollbackLive(); { // no advice that would be refused
		case back.Refuse != nil:
			return refuse(isLive+" "+back.Refuse.Reason, back.Refuse.NextMove)
		case back.Answer != "":
			return refuse(isLive, back.Answer)
		}
	}
	return refuse(isLive, fmt.Sprintf("To leave that one, type %s; it works on any pull request.", s.rollbackByCommit()))
}
