package deployer

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// ending records that a release fails.
type ending struct{ *attempt }

// fail records why the release does not end as a success.
func (a ending) fail(f *fault) {
	st := &a.rel.Status
	f.message, f.commands = record.Message(f.message), record.Commands(f.commands)
	a.log.Info("release fails", "step", st.Step, "reason", f.reason, "class", f.class, "message", f.message)
	if st.Failure != nil { // an undo that fails keeps the first reason
		st.Findings = append(st.Findings, v1alpha1.Advise(string(st.Step)+": "+f.message, f.commands...))
		a.giveUp()
		return
	}
	st.Failure = &v1alpha1.Failure{
		Class: f.class, Step: st.Step, Reason: f.reason, Message: f.message, Commands: f.commands,
		Evidence: f.evidence, File: f.file, Line: int32(f.line), At: metav1.NewTime(a.o.Now),
	}
	f.about.into(st.Failure)
	measuring{a.attempt}.unproved()
	st.Phase = v1alpha1.ReleaseUndoing
	a.setMessage(f.message)
	if a.underWay() {
		a.say(f.message)
		a.entry().Failed = true
	}
	ending{a.attempt}.leave()
}

// giveUp ends an undo that cannot be completed: traffic, or the target, stays as it is, and the
// finding just noted informs the application's owner.
func (a ending) giveUp() {
	now, m := metav1.NewTime(a.o.Now), &a.rel.Status.Milestones
	if track.Restored(a.rel) {
		m.DiscardedAt = &now
	} else {
		m.KeptAt = &now
	}
	ending{a.attempt}.leave()
}

// leave closes the open entry.
func (a ending) leave() {
	if !a.underWay() {
		return
	}
	a.rel.Status.Waiting = nil
	now := metav1.NowMicro()
	e := a.entry()
	e.FinishedAt = &now
	if a.d.Observer != nil {
		a.d.Observer.StepEnded(client.ObjectKeyFromObject(a.bg), e.Step, now.Sub(e.StartedAt.Time))
	}
}
