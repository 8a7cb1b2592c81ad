package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// Built reports whether a release's image is known.
func Built(r *v1alpha1.Release) bool { return r.Status.Milestones.Built != nil }

// Switched reports whether a release moved users.
func Switched(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil }

func expanded(r *v1alpha1.Release) bool  { return r.Status.Milestones.ExpandedAt != nil }
func attached(r *v1alpha1.Release) bool  { return r.Status.Milestones.AttachedAt != nil }
func staged(r *v1alpha1.Release) bool    { return r.Status.Milestones.Staged != nil }
func warmed(r *v1alpha1.Release) bool    { return r.Status.Milestones.WarmedAt != nil }
func verified(r *v1alpha1.Release) bool  { return r.Status.Milestones.Verified != nil }
func approved(r *v1alpha1.Release) bool  { return r.Status.Milestones.Approved != nil }
func confirmed(r *v1alpha1.Release) bool { return r.Status.Milestones.ConfirmedAt != nil }
func soaked(r *v1alpha1.Release) bool    { return r.Status.Milestones.SoakedAt != nil }

// shifted is also true once users are to be switched: a canary that was added to the spec
// after that is the next release's.
func shifted(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.ShiftedAt != nil || m.SwitchIntendedAt != nil
}

// withdrawn is also true once all users were switched: restore brings them back then.
func withdrawn(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.WithdrawnAt != nil || m.SwitchedAt != nil || m.KeptAt != nil
}

// Kept reports whether an undo that cannot be completed leaves users where they are,
// rather than only the target at its size.
func Kept(r *v1alpha1.Release) bool {
	return !Restored(r) || r.LastWeight() != nil && !withdrawn(r)
}

// Restored reports whether there is nothing left to bring back. That includes traffic that never
// moved, and traffic that Turnout decided to leave where it is.
func Restored(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.RestoredAt != nil || m.SwitchIntendedAt == nil || m.KeptAt != nil
}

// discarded is also true if traffic had moved. The target then drains like any colour that users
// left, and the application's upkeep shrinks it. If only the intent is recorded, restore finds
// out whether users moved, and records the switch if so.
func discarded(r *v1alpha1.Release) bool {
	m := r.Status.Milestones
	return m.DiscardedAt != nil || m.SwitchedAt != nil || m.KeptAt != nil || m.Target == "" && r.Status.Build == nil
}

// expands reports whether a release has a migration before its pods start. If the spec has it only
// since then, it is the next release's.
func expands(r *v1alpha1.Release, o Observed) bool {
	return r.Status.Migration != nil && r.Status.Migration.UID != "" || o.Expands && !attached(r)
}
