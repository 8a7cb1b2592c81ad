package command

import (
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// leaving decides about rollbacks.
type leaving struct{ s Situation }

// rollback moves users away from the pull request's version, or from the given commit.
func (w leaving) rollback() Decision {
	if rel := w.s.underWay(v1alpha1.Rollback); rel != nil {
		return answer(CodeLeavingAlready, wayOf(rel.Spec.Rollback))
	}
	if mixed := w.s.App.Status.Mixed; mixed != nil && mixed.Back != nil && w.s.means(mixed.Back.From) {
		return w.takeBack(*mixed.Back)
	}
	if rel := w.s.underWay(v1alpha1.Deploy); rel != nil {
		return w.rollbackDeploy(rel)
	}
	if mixed := w.s.App.Status.Mixed; mixed != nil {
		return w.rollbackMixed(mixed.Back)
	}
	if w.s.meansLive() {
		return w.rollbackLive()
	}
	if last := w.s.App.Status.LastSwitch; last != nil && last.Kind != string(v1alpha1.Deploy) && w.s.means(last.From) {
		return answer(CodeLeftAlready, Args{Version: &last.From, Release: last.Release, Live: w.s.App.Status.Live})
	}
	return w.rollbackElsewhere()
}

// wayOf names the two versions of a rollback.
func wayOf(back *v1alpha1.RollbackSpec) Args { return Args{Version: &back.From, Other: &back.To} }

// underWay returns the unfinished release of a kind that the command means: the active one,
// else the newest.
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

// means reports whether the command means a version, by the typed commit or by its pull
// request.
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
	// A push may include several pull requests; its release lists them all.
	for i := range s.Releases {
		rel := &s.Releases[i]
		if d := rel.Spec.Deploy; d != nil && d.Commit == v.Commit && s.lists(rel) {
			return true
		}
	}
	return false
}

// meansLive reports whether the command means the live version. That includes a commit
// below it that came with the last switch.
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

// rollbackDeploy rolls back a version whose release is under way.
func (w leaving) rollbackDeploy(rel *v1alpha1.Release) Decision {
	about, m := Args{Version: versionOf(rel), Live: w.s.App.Status.Live}, rel.Status.Milestones
	switch {
	case rel.Divides() && m.SwitchIntendedAt == nil && undoing(rel) && rel.Spec.TakenBack() == nil:
		// Somebody else stopped it, or Turnout: it goes back already, but not by a rollback so far.
		d := answer(CodeUndoneByBack, about)
		d.Cancel = w.s.cancelOf(rel)
		d.Cancel.Cancel.RollsBack = true
		return d
	case m.SwitchIntendedAt == nil && rel.Spec.Cancel != nil:
		about.By = rel.CancelledBy()
		return answer(CodeCancelledAlready, about)
	case rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return answer(CodeBeingUndoneAlready, about)
	case m.SwitchIntendedAt == nil:
		d := answer(CodeCancelledByBack, about)
		d.Cancel = w.s.cancelOf(rel)
		if rel.SeenByUsers() {
			d.Code, d.Cancel.Cancel.RollsBack = CodeWithdrawnByBack, true
		}
		return d
	case m.Previous == nil || m.Previous.Image == "":
		return refuse(CodePreviousUnknown, about)
	}
	d := w.takeBack(v1alpha1.RollbackSpec{From: targetVersion(rel), To: *m.Previous, Switch: string(rel.UID)})
	if d.Submit == nil || m.ConfirmedAt != nil {
		return d
	}
	how := d.Fact
	d.Fact = Fact{CodeBackOnceSettled, Args{Version: about.Version, Other: m.Previous}}
	return d.and(how)
}

// rollbackMixed refuses what does not bring together users who are on both colours, and names
// what does.
func (w leaving) rollbackMixed(back *v1alpha1.RollbackSpec) Decision {
	if back == nil {
		return refuse(CodeMixedNoWay, Args{Application: w.s.App.Name})
	}
	c := w.s.Typed(Rollback)
	c.Commit = v1alpha1.ShortCommit(back.From.Commit)
	return refuse(CodeMixed, Args{Application: w.s.App.Name, Version: &back.From, Other: &back.To, Next: []Command{c}})
}

// rollbackLive rolls back the live version if its release has ended.
func (w leaving) rollbackLive() Decision {
	live, last, previous := w.s.App.Status.Live, w.s.App.Status.LastSwitch, w.s.App.Status.Previous
	switch {
	case last != nil && last.Kind != string(v1alpha1.Deploy):
		return refuse(CodeNothingBefore, Args{Live: live, Release: last.Release})
	case last == nil || previous == nil:
		return refuse(CodeNeverSwitched, Args{Live: live})
	case last.To.Color != live.Color:
		return refuse(CodeMovedByOthers, Args{Live: live, Color: live.Color})
	}
	return w.takeBack(v1alpha1.RollbackSpec{From: last.To, To: *previous, Switch: last.UID})
}

// takeBack submits the rollback of a switch: the first one, or the next attempt if earlier
// ones did not move users back. If one did, nothing is repeated, even if the application
// was read before. Releases under such a name with other versions do not count: whoever may
// write releases may take names and numbers.
func (w leaving) takeBack(spec v1alpha1.RollbackSpec) Decision {
	last, joined, used := int32(0), int32(0), map[int32]bool{}
	for i := range w.s.Releases {
		rel := &w.s.Releases[i]
		back := rel.Spec.Rollback
		if back == nil || back.Switch != spec.Switch || !v1alpha1.SameVersion(back.From, spec.From) || !v1alpha1.SameVersion(back.To, spec.To) {
			continue
		}
		ended, attempt := rel.Status.Phase.Finished(), max(1, back.Attempt)
		switch {
		case rel.Status.Phase == v1alpha1.ReleaseSucceeded, ended && rel.Status.Milestones.SwitchedAt != nil:
			return answer(CodeLeftMeanwhile, Args{Version: &spec.From, Release: rel.Name})
		case ended:
			last, used[attempt] = max(last, attempt), true
		case rel.Name == v1alpha1.RollbackName(w.s.App.Name, spec.Switch, attempt): // under way: join it
			joined = max(joined, attempt)
		}
	}
	spec.Attempt = joined
	if joined == 0 {
		if closed := closedBack(&w.s.App, &spec, &spec.To, w.s.Releases); closed != nil {
			return Decision{Fact: *closed, Refused: true}
		}
		spec.Attempt = attemptAfter(last, used)
	}
	d := Decision{Fact: FindWayBack(&w.s.App, &spec.To, w.s.Releases).fact(&spec.To)}
	if gate := ifHealthy(&w.s.App, &spec, &spec.To); gate != nil {
		how := d.Fact
		d.Fact = *gate
		if how.Code != CodeBackAtOnce {
			d = d.and(how)
		}
	}
	d.Submit = NewRollback(&w.s.App, spec, w.s.Cause)
	return d
}

// rollbackElsewhere refuses and names what is live.
func (w leaving) rollbackElsewhere() Decision {
	live := w.s.App.Status.Live
	about := Args{Application: w.s.App.Name, Typed: w.s.Command.Commit, Live: live}
	switch {
	case live == nil:
		about.Next = []Command{{Verb: Status}}
		return refuse(CodeNothingLive, about)
	case live.Commit == "":
		return refuse(CodeLiveNotOurs, about)
	}
	if under := ByName(w.s.Releases, live.Release); under == nil || under.Status.Phase.Finished() {
		switch back := w.rollbackLive(); { // suggest nothing that would be refused
		case back.Refused:
			return refuse(CodeNotLiveNoWay, about).and(back.Fact)
		case back.Submit == nil:
			about.Version, about.Release = back.Args.Version, back.Args.Release
			return refuse(CodeNotLiveLeft, about)
		}
	}
	about.Next = []Command{w.s.RollbackByCommit()}
	return refuse(CodeNotLive, about)
}
