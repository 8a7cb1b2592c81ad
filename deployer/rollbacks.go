package deployer

import (
	"fmt"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// rollbackJudge compares rollbacks with the record of the last switch or, while users are on both
// colours, with what brings them together.
type rollbackJudge struct {
	bg       *v1alpha1.BlueGreen
	releases []v1alpha1.Release
}

// judgeRollback compares a rollback with the record of the last switch: nobody chooses which
// version users return to. The rollback is neither good nor refused while it takes back an
// unrecorded switch of a current release.
func (w rollbackJudge) judgeRollback(rel *v1alpha1.Release) (good bool, f *fault) {
	asked, last := rel.Spec.Rollback, w.bg.Status.LastSwitch
	if by := w.bg.Status.ClosedBack(asked, w.releases); by != nil {
		return false, wayClosed(by, asked.To)
	}
	if w.bg.Status.Mixed != nil {
		return w.judgeMixed(asked)
	}
	switch {
	case last != nil && last.UID == asked.Switch:
	case w.bg.Status.Active != nil && w.bg.Status.Active.UID == asked.Switch:
		return false, nil
	case last == nil:
		return false, w.notRecorded("Turnout has not switched bluegreen %s yet, so there is nothing to take back", w.bg.Name)
	default:
		return false, w.notRecorded("spec.rollback.switch is %s, but the last switch was made by %s (%s)", asked.Switch, last.Release, last.UID)
	}
	if last.Kind != string(v1alpha1.Deploy) {
		return false, w.notRecorded("%s went back to %s already", last.Release, last.To.Short())
	}
	from, to := w.ends(last)
	if !slices.ContainsFunc(from, func(v v1alpha1.Version) bool { return v1alpha1.SameVersion(v, asked.From) }) {
		return false, w.notRecorded("spec.rollback.from is %s, but that switch brought %s", spelled(asked.From), spelled(last.To))
	}
	if !slices.ContainsFunc(to, func(v v1alpha1.Version) bool { return v1alpha1.SameVersion(v, asked.To) }) {
		return false, w.notRecorded("spec.rollback.to is %s, but that switch left %s", spelled(asked.To), spelled(last.From))
	}
	return true, nil
}

// ends are the versions that the last switch left and brought, in every form that Turnout itself
// wrote. A rollback requested during the switch has them from its release, which may not know the
// digest yet.
func (w rollbackJudge) ends(last *v1alpha1.SwitchRecord) (from, to []v1alpha1.Version) {
	from, to = []v1alpha1.Version{last.To}, []v1alpha1.Version{last.From}
	if w.bg.Status.Previous != nil {
		to = append(to, *w.bg.Status.Previous)
	}
	for i := range w.releases {
		rel := &w.releases[i]
		if m := rel.Status.Milestones; string(rel.UID) == last.UID && m.Previous != nil && m.Staged != nil {
			from = append(from, v1alpha1.Version{Color: m.Target, Image: m.Staged.Image, Release: rel.Name})
			to = append(to, *m.Previous)
		}
	}
	return from, to
}

// notRecorded is the fault of a rollback that does not match the record of the last switch.
func (w rollbackJudge) notRecorded(format string, args ...any) *fault {
	return releaseFault(v1alpha1.FailedNotRecorded, "%s; users were not moved. To take back the last switch, request another rollback",
		fmt.Sprintf(format, args...)).
		with(v1alpha1.Shell("turnout", "rollback", w.bg.Name, "--namespace", w.bg.Namespace))
}

// wayClosed is the fault of a rollback to a version that a contract took away what it needs.
func wayClosed(by *v1alpha1.ContractStatus, to v1alpha1.Version) *fault {
	f := releaseFault(v1alpha1.FailedWayClosed, "%s; users were not moved. Merge a commit that fixes what is wrong",
		track.WayClosed(by, to))
	f.about = about{release: by.Release, commit: by.Commit, since: track.Stamp(by.ClosedAt().Time)}
	return f
}

// spelled writes a version in full.
func spelled(v v1alpha1.Version) string {
	text := v.Image + " on " + string(v.Color)
	if v.Release != "" {
		text += " of release " + v.Release
	}
	return text
}

// rollbackOf returns the waiting rollback of a release's switch, if any.
func (w rollbackJudge) rollbackOf(rel *v1alpha1.Release) *v1alpha1.Release {
	_, rollbacks := waitingOf(w.releases, rel)
	i := slices.IndexFunc(rollbacks, func(r *v1alpha1.Release) bool {
		good, _ := w.judgeRollback(r)
		return good && r.Spec.Rollback.Switch == string(rel.UID)
	})
	if i < 0 {
		return nil
	}
	return rollbacks[i]
}

// waitingOf returns the unfinished releases except one, oldest first.
func waitingOf(releases []v1alpha1.Release, but *v1alpha1.Release) (deploys, rollbacks []*v1alpha1.Release) {
	for i := range slices.Backward(releases) {
		rel := &releases[i]
		switch {
		case rel.Status.Phase.Finished(), but != nil && rel.UID == but.UID:
		case rel.Spec.Kind == v1alpha1.Contract: // goes after all of them, see contracting
		case rel.Spec.Kind == v1alpha1.Rollback:
			rollbacks = append(rollbacks, rel)
		default:
			deploys = append(deploys, rel)
		}
	}
	return deploys, rollbacks
}
