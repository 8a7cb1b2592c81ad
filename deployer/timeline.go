package deployer

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// entry is the timeline's open entry: the step under way.
func (a *attempt) entry() *v1alpha1.TimelineEntry {
	t := a.rel.Status.Timeline
	return &t[len(t)-1]
}

// enter opens an entry for a step, unless it is the one under way already. A
// step that is taken again gets an entry, and so a deadline, of its own.
func (a *attempt) enter(s v1alpha1.Step) {
	st := &a.rel.Status
	if n := len(st.Timeline); n > 0 && st.Timeline[n-1].FinishedAt == nil {
		if st.Timeline[n-1].Step == s {
			return
		}
		a.noLongerNeeded()
		a.leave()
	}
	st.Step, st.Waiting = s, nil
	if s == v1alpha1.StepVerify {
		st.Gate = nil // rounds of an earlier pass do not count
	}
	if st.Failure == nil {
		st.Phase = v1alpha1.ReleaseRunning
	}
	st.Timeline = append(st.Timeline, v1alpha1.TimelineEntry{Step: s, StartedAt: metav1.NewMicroTime(a.o.Now)})
}

// noLongerNeeded says how a step ended that was taken again, and that the release goes
// on from without its act, since what it was needed for holds: what it waited for last
// is no longer so.
func (a *attempt) noLongerNeeded() {
	m := &a.rel.Status.Milestones
	switch a.entry().Step {
	case v1alpha1.StepStage, v1alpha1.StepSize:
		if track.RunsAtSize(a.rel, a.o) {
			m.Staged.Replicas = a.o.Target.Replicas
			a.sayStaged()
		}
	case v1alpha1.StepWarm:
		if w := track.Warm(a.rel, a.o); w.Warm {
			a.sayWarm(w)
		}
	case v1alpha1.StepPromote:
		if m.Approved != nil && !a.o.Locked {
			a.sayApproved()
		}
	default: // nothing is left of the others before their acts end
	}
}

// underWay reports whether the timeline has an open entry.
func (a *attempt) underWay() bool {
	t := a.rel.Status.Timeline
	return len(t) > 0 && t[len(t)-1].FinishedAt == nil
}

// leave closes the open entry.
func (a *attempt) leave() {
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

// say notes in the timeline what the step under way did.
func (a *attempt) say(message string) { a.entry().Message = message }

// setMessage notes what the release waits for, or how it ended, and the commands that do
// what is said. What it waits for in facts is for the caller to note.
func (a *attempt) setMessage(message string, commands ...v1alpha1.ShellCommand) {
	st := &a.rel.Status
	st.Message, st.Commands, st.Waiting = message, v1alpha1.Commands(commands...), nil
}

// rest notes what the release waits for, and when to look again.
func (a *attempt) rest(p pause) {
	if p.message != "" {
		a.setMessage(p.message, p.commands...)
		a.rel.Status.Waiting = p.waits
		a.say(p.message)
	}
	if !p.until.IsZero() {
		a.wakeAt(p.until)
	}
}
