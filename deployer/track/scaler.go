package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// Scaler is a ScaledObject of KEDA, which scales a Deployment by the length of a queue, to 0 and from
// there. The HorizontalPodAutoscaler that KEDA makes of it does nothing at size 0.
type Scaler struct {
	// Name of it.
	Name string

	// Deployment that it scales.
	Deployment string

	// Paused: KEDA leaves the Deployment's size alone, or keeps it.
	Paused bool

	// Marked: Turnout has paused it. Somebody else may have changed that since.
	Marked bool

	// SetBy is who paused it last, or gave it back, see [WorkersBy]; "" if Turnout did not.
	SetBy string
}

// ScalerStep is what a ScaledObject needs.
type ScalerStep string

// What a ScaledObject needs.
const (
	ScalerNothing ScalerStep = "Nothing" // it is as it should be, or nobody knows
	ScalerPause   ScalerStep = "Pause"   // it would start workers where no users are
	ScalerResume  ScalerStep = "Resume"  // its workers are needed
)

// Next is what the ScaledObject of a side of a worker needs. live is the side with users, "" if users
// are on both or nobody knows; moving is the release that moves workers now, nil if none does; owed is
// who owes it to workers that they follow users, see [Worker.Follows], "" if nobody does.
//
// It is written once for each release that starts or stops the side, even if nothing changes: that
// voids earlier writes that are late. If somebody else resumes it after that, it stays so.
func (s Scaler) Next(w Worker, c, live v1alpha1.Color, moving *v1alpha1.Release, owed string) ScalerStep {
	side := w.Sides[c]
	fresh := side.MovedBy != "" && s.SetBy != side.MovedBy
	switch needed, known := needs(w, c, live, moving, owed); {
	case !known:
	case needed && (s.Marked || fresh):
		return ScalerResume
	case !needed && (fresh || !s.Marked && !s.Paused):
		return ScalerPause
	}
	return ScalerNothing
}

// needs reports whether a side of a worker is to do its work. A side that somebody else started, or
// that works on until its queue is empty, is left alone.
func needs(w Worker, c, live v1alpha1.Color, moving *v1alpha1.Release, owed string) (needed, known bool) {
	switch side := w.Sides[c]; {
	case !side.DeploymentExists:
		return false, false
	case moving != nil:
		return c == WorkersGoTo(moving), side.MovedBy == WorkersBy(moving)
	case live == "":
		return false, false
	case c == live:
		return true, true
	case w.Queued && owed != "" && !w.Follows(owed):
		return false, false
	default:
		return false, side.Replicas == 0 || side.Stopped > 0
	}
}
