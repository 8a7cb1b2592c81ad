package deployer

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// ending records that a release fails.
type ending struct {
	measuring measuring
	observer  Observer
}

// fail records why the release failed.
func (e ending) fail(a *attempt, f *fault) {
	st := &a.rel.Status
	f.message, f.commands = record.Message(f.message), record.Commands(f.commands)
	a.log.Info("release fails", "step", st.Step, "reason", f.reason, "class", f.class, "message", f.message)
	if st.Failure != nil { // a failing undo keeps the first reason
		st.Findings = append(st.Findings, v1alpha1.Advise(string(st.Step)+": "+f.message, f.commands...))
		e.giveUp(a)
		return
	}
	st.Failure = &v1alpha1.Failure{
		Class: f.class, Step: st.Step, Reason: f.reason, Message: f.message, Commands: f.commands,
		Evidence: f.evidence, File: f.file, Line: int32(f.line), At: metav1.NewTime(a.o.Now),
	}
	f.about.into(st.Failure)
	e.measuring.unproved(a)
	st.Phase = v1alpha1.ReleaseUndoing
	a.setMessage(f.message)
	if a.underWay() {
		a.say(f.message)
		a.entry().Failed = true
	}
	e.leave(a)
}

// giveUp ends an undo that cannot be completed. Traffic, or the target, stays as it is. The
// finding that was just added informs the application's owner.
func (e ending) giveUp(a *attempt) {
	now, m := metav1.NewTime(a.o.Now), &a.rel.Status.Milestones
	if track.Kept(a.rel) {
		m.KeptAt = &now
	} else {
		m.DiscardedAt = &now
	}
	e.leave(a)
}

// leave closes the open entry.
func (e ending) leave(a *attempt) {
	if !a.underWay() {
		return
	}
	a.rel.Status.Waiting = nil
	now := metav1.NowMicro()
	entry := a.entry()
	entry.FinishedAt = &now
	if e.observer != nil {
		e.observer.StepEnded(client.ObjectKeyFromObject(a.bg), entry.Step, now.Sub(entry.StartedAt.Time))
	}
}
