package deployer

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// switches records switches in the application's status.
type switches struct {
	carriesOut time.Duration
}

// recordSwitch writes the movement of traffic into the application's status. It runs at every
// look while the release holds the claim, and derives the movement from the release's milestones.
// So no switch is lost.
func (s switches) recordSwitch(w *work, rel *v1alpha1.Release) {
	m, st := rel.Status.Milestones, &w.bg.Status
	s.leftCanary(w, rel)
	if m.SwitchedAt == nil || m.Previous == nil {
		return
	}
	uid := string(rel.UID)
	if st.LastSwitch == nil || st.LastSwitch.UID != uid {
		to, from := version(w.o.Sides[m.Target]), byDigest(*m.Previous, w.o.Sides[m.Previous.Color])
		next := &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: uid, Kind: string(rel.Spec.Kind), At: *m.SwitchedAt,
			From: from, To: to, Beside: m.Beside, Before: st.Previous,
		}
		s.follows(w, next, st.LastSwitch)
		st.LastSwitch, st.Previous = next, &from
		if rel.Spec.Kind == v1alpha1.Rollback {
			st.Previous = nil
			s.rolledBack(w, rel)
			voidPending(w)
		}
	}
	s.recordSign(w, rel)
	if last := st.LastSwitch; m.RestoredAt != nil && last.Kind != v1alpha1.KindRestore {
		next := &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: uid, Kind: v1alpha1.KindRestore, At: *m.RestoredAt,
			From: last.To, To: last.From, Beside: m.Beside,
		}
		s.follows(w, next, last)
		st.LastSwitch, st.Previous = next, last.Before
		voidPending(w)
	}
}

// recordSign copies the sign that a release saw for its switch.
func (s switches) recordSign(w *work, rel *v1alpha1.Release) {
	last, r, f := w.bg.Status.LastSwitch, rel.Status.Route, rel.Status.Failure
	if last.Kind == v1alpha1.KindRestore || last.Unsettled {
		return
	}
	if r != nil && r.TookEffectAt != nil && !track.Tells(last.TookEffectBy) &&
		(r.TookEffectBy != v1alpha1.SignNewVersion || !r.TookEffectAt.Time.Before(answersFrom(last))) {
		last.TookEffectAt, last.TookEffectBy = &metav1.Time{Time: r.TookEffectAt.Time}, r.TookEffectBy
	}
	if f != nil && f.Reason == v1alpha1.FailedNotTakenUp && track.Tells(last.TookEffectBy) {
		// The old version answered after the sign, and until the end: the sign was about
		// something else.
		last.TookEffectAt, last.TookEffectBy, last.Unsettled = nil, "", true
		last.AnswersFrom = &metav1.Time{Time: last.At.Add(s.carriesOut + w.bg.Spec.DrainTime())}
	}
}

// rolledBack records a commit that users were moved away from.
func (s switches) rolledBack(w *work, rel *v1alpha1.Release) {
	from := rel.Spec.Rollback.From
	if from.Commit == "" {
		return
	}
	w.bg.Status.RolledBack = append(w.bg.Status.RolledBack, v1alpha1.RolledBack{
		Commit: from.Commit, Release: rel.Name, By: rel.AskedBy(), At: *rel.Status.Milestones.SwitchedAt,
	})
}

// leftCanary remembers, once, a commit that a person took users back from before they all
// had it.
func (s switches) leftCanary(w *work, rel *v1alpha1.Release) {
	back, m := rel.Spec.TakenBack(), rel.Status.Milestones
	if back == nil || !rel.Divides() || m.WithdrawnAt == nil ||
		slices.ContainsFunc(w.bg.Status.RolledBack, func(r v1alpha1.RolledBack) bool { return r.Release == rel.Name }) {
		return
	}
	w.bg.Status.RolledBack = append(w.bg.Status.RolledBack, v1alpha1.RolledBack{
		Commit: rel.Spec.Deploy.Commit, Release: rel.Name, By: rel.Vouched(back.By, back.Cause), At: *m.WithdrawnAt,
	})
}

// follows records which routes a movement of users replaced: they may not have been taken up yet,
// or not by all front ends.
func (s switches) follows(w *work, next, before *v1alpha1.SwitchRecord) {
	lb, drain := w.o.Routes.LoadBalancer, w.bg.Spec.DrainTime()
	next.LoadBalancer, next.Unsettled = lb, !track.SwitchTakenUp(before, lb)
	from := time.Time{}
	switch {
	case next.Unsettled:
		from = next.At.Add(s.carriesOut + drain)
	case before != nil && lb == v1alpha1.LoadBalancerGCE:
		from = track.Effective(before).Add(drain)
	}
	if from.After(next.At.Time) {
		next.AnswersFrom = &metav1.Time{Time: from}
	}
}
