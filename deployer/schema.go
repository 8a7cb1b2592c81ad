package deployer

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// noteContract derives from the release of the last contract what became of it, and the state of
// the schema. So what its Job did is known although its release failed before the Job ended.
func noteContract(w *work) {
	s := w.bg.Status.Schema
	if s == nil {
		return
	}
	gone := s.Contract != nil && s.Contract.Outcome == "" && (w.bg.Status.Active == nil || w.bg.Status.Active.UID != s.Contract.UID)
	for i := range w.releases {
		rel := &w.releases[i]
		if !track.Contracts(w.bg, rel) {
			continue
		}
		gone = false
		switch m := rel.Status.Migration; {
		case m == nil && rel.Status.Phase.Finished():
			s.Contract.Outcome, s.Contract.EndedAt = v1alpha1.MigrationNotRun, rel.Status.FinishedAt
		case m != nil && m.EndedAt != nil && s.Contract.Outcome != m.Outcome:
			s.Contract.Outcome, s.Contract.EndedAt = m.Outcome, m.EndedAt
		}
		if c := s.Contract; s.Pending != nil && s.Pending.Commit == c.Commit &&
			(c.Outcome == v1alpha1.MigrationChanged || c.Outcome == v1alpha1.MigrationUnchanged) {
			s.Pending = nil
		}
	}
	if gone { // somebody deleted its release
		now := metav1.NewTime(w.o.Now)
		s.Contract.Outcome, s.Contract.EndedAt = v1alpha1.MigrationUnknown, &now
	}
	if m := w.bg.Spec.Migrations; m == nil || m.Contract == nil {
		s.Pending = nil
	}
	s.State = track.SchemaState(s)
}

// notePending records that a deploy that succeeded owes its contract. It inherits what earlier
// versions owe: its code contains theirs, and only the live version's contract runs.
func notePending(a *attempt) {
	m := a.bg.Spec.Migrations
	if a.rel.Spec.Deploy == nil || a.rel.Status.Failure != nil || m == nil || m.Contract == nil {
		return
	}
	if a.bg.Status.Schema == nil {
		a.bg.Status.Schema = &v1alpha1.SchemaStatus{}
	}
	s := a.bg.Status.Schema
	since := a.rel.Status.Milestones.ConfirmedAt
	if since == nil {
		since = a.rel.Status.FinishedAt
	}
	s.Pending = &v1alpha1.PendingContract{Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name, Since: *since}
	s.State = track.SchemaState(s)
}

// voidPending forgets the contract that is owed: users went back, so older code may be needed.
func voidPending(w *work) {
	if s := w.bg.Status.Schema; s != nil {
		s.Pending = nil
		s.State = track.SchemaState(s)
	}
}

// endsHold reports whether somebody asked for a contract, which needs no pod of an older version:
// the hold ends with the drain.
func endsHold(w *work) bool {
	for i := range w.releases {
		rel := &w.releases[i]
		if rel.Spec.Contract != nil && rel.Spec.Contract.Done == "" && !rel.Status.Phase.Finished() && rel.Status.Failure == nil &&
			w.refusal(rel) == nil {
			return true
		}
	}
	return false
}

// maxExpanded is how many changes of the schema are remembered.
const maxExpanded = 20

// noteSchema derives from the releases which migrations changed the schema. What was noted stays,
// although its release may be gone.
func noteSchema(w *work) {
	var known []v1alpha1.SchemaChange
	if w.bg.Status.Schema != nil {
		known = w.bg.Status.Schema.Expanded
	}
	all := slices.Clone(known)
	for i := range w.releases {
		rel := &w.releases[i]
		st := rel.Status.Migration
		listed := slices.ContainsFunc(known, func(c v1alpha1.SchemaChange) bool { return c.Release == rel.Name })
		if listed || rel.Spec.Deploy == nil || st == nil || st.EndedAt == nil || !track.Listed(st.Outcome) {
			continue
		}
		all = append(all, v1alpha1.SchemaChange{Release: rel.Name, Commit: rel.Spec.Deploy.Commit, At: *st.EndedAt, Outcome: st.Outcome})
	}
	if len(all) == len(known) {
		return
	}
	slices.SortStableFunc(all, func(a, b v1alpha1.SchemaChange) int { return a.At.Compare(b.At.Time) })
	if all = all[max(0, len(all)-maxExpanded):]; equality.Semantic.DeepEqual(all, known) {
		return // it was older than all that are remembered
	}
	if w.bg.Status.Schema == nil {
		w.bg.Status.Schema = &v1alpha1.SchemaStatus{}
	}
	w.bg.Status.Schema.Expanded = all
}
