package track

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// cutShort: the process ends.
func (w *model) cutShort() bool { return w.rng.IntN(4) == 0 }

// scaleWorkers gives a side's workers a size.
func (w *model) scaleWorkers(c v1alpha1.Color, size int32) {
	for _, worker := range w.o.Workers {
		s := worker.Sides[c]
		if size == 0 && s.Replicas > 0 {
			s.Stopped = s.Replicas
		}
		s.Replicas, s.RolledOut = size, size > 0 && w.rng.IntN(3) > 0
		worker.Sides[c] = s
	}
}

// release stops a side's workers, unless they have tasks of their own.
func (w *model) release(c v1alpha1.Color) {
	if StopsWithRelease(w.r, w.o.Workers[0], c) {
		w.scaleWorkers(c, 0)
	}
}

// handOver may be cut short after each of its effects.
func (w *model) handOver() {
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	if w.o.Locked || m.Approved == nil || w.r.Status.Failure != nil || w.r.Spec.Kind == v1alpha1.Rollback {
		w.t.Errorf("workers of %s start, locked: %v, approved: %v, failed: %+v", m.Target, w.o.Locked, m.Approved, w.r.Status.Failure)
	}
	if w.r.LastWeight() == nil { // the watch of pods that have users takes the gate's place
		w.judgeMove(m.Target)
	}
	m.WorkersIntendedAt = &now
	if w.cutShort() {
		return
	}
	w.scaleWorkers(m.Target, WorkerSize(w.o.Workers[0].Sides[m.Target], w.o.Workers[0].Sides[m.Target.Other()], false))
	if _, waits := w.o.Idle(m.Target); waits || w.cutShort() {
		return
	}
	w.release(m.Target.Other())
	if !w.cutShort() {
		m.WorkersAt = &now
	}
}

func (w *model) recall() {
	to, now := WorkersGoTo(w.r), metav1.NewTime(w.o.Now)
	w.scaleWorkers(to, WorkerSize(w.o.Workers[0].Sides[to], w.o.Workers[0].Sides[to.Other()], true))
	if !w.cutShort() {
		w.r.Status.Milestones.RecalledAt = &now
	}
}

func (w *model) relieve() {
	to, now := WorkersGoTo(w.r), metav1.NewTime(w.o.Now)
	if w.alone && w.live != to {
		w.t.Errorf("workers of %s are stopped, where users are", to.Other())
	}
	if _, waits := w.o.Idle(to); waits {
		w.scaleWorkers(to, WorkerSize(w.o.Workers[0].Sides[to], w.o.Workers[0].Sides[to.Other()], true))
		return
	}
	w.release(to.Other())
	if !w.cutShort() {
		w.r.Status.Milestones.RelievedAt = &now
	}
}

// runs reports whether a side's workers were started.
func (w *model) runs(c v1alpha1.Color) bool {
	return len(w.o.Workers) == 0 || w.o.Workers[0].Sides[c].Replicas > 0
}

// judgeWork: there is no time without workers.
func (w *model) judgeWork() {
	if !w.runs(v1alpha1.Blue) && !w.runs(v1alpha1.Green) {
		w.t.Error("nobody works")
	}
}

// judgeWorkers checks the workers when users are moved to a colour.
func (w *model) judgeWorkers(c v1alpha1.Color) {
	forward := w.r.Spec.Kind == v1alpha1.Deploy && c == w.r.Status.Milestones.Target
	switch {
	case len(w.o.Workers) == 0:
	case !w.runs(c):
		w.t.Errorf("users are moved to %s, and its workers were not started", c)
	case forward && !w.o.Workers[0].Sides[c].Works():
		w.t.Errorf("users are moved to %s, and its workers are not ready", c)
	case forward && w.o.Workers[0].Queued && !w.runs(c.Other()):
		w.t.Errorf("users are moved to %s, and nobody works on what the others left", c)
	case forward && !w.o.Workers[0].Queued && !w.o.Workers[0].Sides[c.Other()].Ended(w.o.Now):
		w.t.Errorf("users are moved to %s, and the workers of the other version still run", c)
	}
}

// judgeWorkersAtTheEnd: the workers that run are of the version that users have.
func (w *model) judgeWorkersAtTheEnd() {
	f := w.r.Status.Failure
	if len(w.o.Workers) == 0 || !w.alone {
		return
	}
	if !w.runs(w.live) {
		w.t.Errorf("users are on %s, and its workers do not run; failed: %+v", w.live, f)
	}
	if w.o.Workers[0].Queued && w.live != w.r.Status.Milestones.Target.Other() && !w.runs(w.live.Other()) {
		w.t.Errorf("users are on %s, and nobody works on what they left; failed: %+v", w.live, f)
	}
	reached := w.live == w.r.Status.Milestones.Target || w.r.Status.Milestones.SwitchIntendedAt != nil
	if w.o.Workers[0].Queued && reached {
		return
	}
	if done := f == nil || w.r.Spec.Kind == v1alpha1.Deploy; done && w.runs(w.live.Other()) {
		w.t.Errorf("users are on %s, and the workers of the other version run; failed: %+v", w.live, f)
	}
}

// follow gives the singleton the image of the users' version, and may be cut short.
func (w *model) follow() {
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	if to := WorkersGoTo(w.r); w.alone && w.live != to {
		w.t.Errorf("the singleton gets the version of %s, and users are on %s", to, w.live)
	}
	m.SingletonsIntendedAt = &now
	if w.cutShort() {
		return
	}
	w.singleton = WorkersGoTo(w.r)
	if w.r.Status.Failure != nil {
		m.SingletonsBackAt = &now
	} else {
		m.SingletonsAt = &now
	}
}

// judgeSingletons: a release that the world cut short leaves the singleton as it is.
func (w *model) judgeSingletons() {
	f := w.r.Status.Failure
	if !w.alone || len(w.o.Singletons) == 0 || f != nil && (f.Class == v1alpha1.FaultWorld || f.Class == v1alpha1.FaultSuperseded ||
		w.r.Spec.Kind == v1alpha1.Rollback || w.r.Status.Milestones.KeptAt != nil) {
		return
	}
	if w.singleton != w.live {
		w.t.Errorf("users are on %s, and the singleton has the version of %s; failed: %+v", w.live, w.singleton, f)
	}
}
