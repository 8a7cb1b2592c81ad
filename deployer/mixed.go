package deployer

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// noteMixed records whether users are on both colours although no release divides them, and
// which rollback brings them together. An Ingress has no weights: its rules lead to both colours
// only if somebody pointed some of them elsewhere, and whether that was meant is not known.
func noteMixed(bg *v1alpha1.BlueGreen, o track.Observed, releases []v1alpha1.Release) {
	bg.Status.Mixed = nil
	if !o.Routes.Mixed() || o.Routes.Gateway == nil {
		return
	}
	bg.Status.Mixed = &v1alpha1.MixedStatus{Back: track.MixedBack(bg, releases)}
	if back := bg.Status.Mixed.Back; back != nil {
		back.To = byDigest(back.To, o.Sides[back.To.Color])
	}
}

// judgeMixed compares a rollback with the only one that is admitted while users are on both
// colours.
func (w rollbackJudge) judgeMixed(asked *v1alpha1.RollbackSpec) (good bool, f *fault) {
	back := w.bg.Status.Mixed.Back
	switch {
	case back == nil:
		return false, w.notRecorded("users are on both colours, and Turnout has no record of the version that they had before")
	case back.Switch != asked.Switch:
		return false, w.notRecorded("spec.rollback.switch is %s, but while users are on both colours only %s can be taken back",
			asked.Switch, back.Switch)
	case !v1alpha1.SameVersion(back.From, asked.From):
		return false, w.notRecorded("spec.rollback.from is %s, but users have to leave %s", spelled(asked.From), spelled(back.From))
	case !v1alpha1.SameVersion(back.To, asked.To):
		return false, w.notRecorded("spec.rollback.to is %s, but users had %s before", spelled(asked.To), spelled(back.To))
	}
	return true, nil
}
