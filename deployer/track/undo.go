package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// leaveAlone reports whether a failed release changes nothing more. A rollback is never undone,
// and someone else's change is respected. After the switch, the world's trouble is no reason to
// move traffic again. If a rollback replaces the release, the rollback moves the users.
func leaveAlone(r *v1alpha1.Release, o Observed) bool {
	switch r.Status.Failure.Class {
	case v1alpha1.FaultInterference:
		return true
	case v1alpha1.FaultWorld, v1alpha1.FaultSuperseded:
		return r.Spec.Kind == v1alpha1.Rollback || !neverMoved(r, o)
	case v1alpha1.FaultRelease, v1alpha1.FaultCancelled:
	}
	return r.Spec.Kind == v1alpha1.Rollback
}

// neverMoved reports whether no user was ever sent to the target. An intent to switch alone does
// not show that: its patch may have been made or not. If users are where they were, it was not.
func neverMoved(r *v1alpha1.Release, o Observed) bool {
	m := r.Status.Milestones
	return m.SwitchIntendedAt == nil || m.SwitchedAt == nil && o.Routes.Live() == m.Target.Other()
}

// PatchMayBeOut reports whether a release may have sent a patch that the routes do not show yet.
func PatchMayBeOut(r *v1alpha1.Release, o Observed) bool {
	m := r.Status.Milestones
	live := o.Routes.Live()
	if w := r.LastWeight(); w != nil && w.Generation == 0 && m.SwitchIntendedAt == nil {
		share, known := o.Routes.Share(m.Target)
		return !known || share != w.Weight
	}
	if r.Status.Failure != nil && m.SwitchedAt != nil {
		return live == m.Target && m.RestoredAt == nil && m.KeptAt == nil && !leaveAlone(r, o) // a restore
	}
	return m.SwitchIntendedAt != nil && m.SwitchedAt == nil && live == m.Target.Other()
}

// Outcome is the final phase of a release whose track has ended.
func Outcome(r *v1alpha1.Release) (v1alpha1.ReleasePhase, string) {
	f := r.Status.Failure
	if f == nil && r.Spec.Kind == v1alpha1.Contract {
		return v1alpha1.ReleaseSucceeded, "the schema suits only " + r.Status.Version
	}
	if f == nil {
		return v1alpha1.ReleaseSucceeded, "users have " + r.Status.Version
	}
	switch f.Class {
	case v1alpha1.FaultRelease:
		return v1alpha1.ReleaseFailed, f.Message
	case v1alpha1.FaultCancelled:
		return v1alpha1.ReleaseCancelled, f.Message
	case v1alpha1.FaultSuperseded:
		return v1alpha1.ReleaseSuperseded, f.Message
	case v1alpha1.FaultWorld, v1alpha1.FaultInterference:
	}
	return v1alpha1.ReleaseError, f.Message
}
