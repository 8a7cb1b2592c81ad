package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// MixedBack is the one rollback that is admitted while users are on both colours and no release
// divides them. It brings all of them to the version that they had before the release that last
// brought some of them, or all, to another one. It is nil if the record has no such version.
//
// Somebody else's weights do not change that: to whom they gave a share is not known to be what
// users should have.
func MixedBack(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) *v1alpha1.RollbackSpec {
	last := bg.Status.LastSwitch
	if r := dividedLast(last, releases); r != nil {
		m := r.Status.Milestones
		from := v1alpha1.Version{Color: m.Target, Commit: r.Spec.Deploy.Commit, Release: r.Name}
		if s := m.Staged; s != nil {
			from.Image, from.Replicas, from.TemplateHash = s.Image, s.Replicas, s.TemplateHash
		}
		return &v1alpha1.RollbackSpec{From: from, To: *m.Previous, Switch: string(r.UID)}
	}
	switch {
	case last == nil:
		return nil
	case last.Kind != string(v1alpha1.Deploy): // users went back already, and do so again
		return &v1alpha1.RollbackSpec{From: last.From, To: last.To, Switch: last.UID}
	case bg.Status.Previous == nil:
		return nil
	}
	return &v1alpha1.RollbackSpec{From: last.To, To: *bg.Status.Previous, Switch: last.UID}
}

// dividedLast is the deploy that was the last one to move users since the last switch, and that
// ended without having moved all of them or taken them back; nil if there is none.
func dividedLast(last *v1alpha1.SwitchRecord, releases []v1alpha1.Release) *v1alpha1.Release {
	var newest *v1alpha1.Release
	for i := range releases {
		r := &releases[i]
		at := r.Status.Milestones.ClaimedAt
		switch {
		case r.Spec.Kind != v1alpha1.Deploy, at == nil, !r.Status.Phase.Finished():
		case last != nil && (string(r.UID) == last.UID || at.Before(&last.At)):
		case newest == nil || newest.Status.Milestones.ClaimedAt.Before(at):
			newest = r
		}
	}
	if newest == nil || !leftMixed(newest) {
		return nil
	}
	return newest
}

// leftMixed reports whether a finished deploy may have left users on both colours: it stopped
// where somebody else had changed what it works on.
func leftMixed(r *v1alpha1.Release) bool {
	m, f := r.Status.Milestones, r.Status.Failure
	return f != nil && (f.Class == v1alpha1.FaultInterference || m.KeptAt != nil) && m.SwitchedAt == nil && m.WithdrawnAt == nil &&
		m.Staged != nil && m.Previous != nil && m.Previous.Image != ""
}

// Unites reports whether a rollback that found users on both colours has not brought them
// together yet.
func Unites(r *v1alpha1.Release) bool {
	return r.Spec.Kind == v1alpha1.Rollback && r.Status.Route != nil && r.Status.Route.Mixed && r.Status.Milestones.SwitchedAt == nil
}
