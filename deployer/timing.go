package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// timing is how long a step takes: its entry in the timeline, its attempts, its deadline.
type timing struct {
	ending ending
	routes interface {
		Groups(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) ([]track.Group, error)
	}
	workloads evidenceReader
	workers   workerEvidence
}

// enter opens an entry for a step, unless it is the current one. A repeated step gets its own
// entry, and so its own deadline.
func (t timing) enter(a *attempt, s v1alpha1.Step) {
	st := &a.rel.Status
	if n := len(st.Timeline); n > 0 && st.Timeline[n-1].FinishedAt == nil {
		if st.Timeline[n-1].Step == s {
			return
		}
		noLongerNeeded(a)
		t.ending.leave(a)
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

// noLongerNeeded records how a repeated step ended if the release continues without its act,
// because the condition for repeating it holds again. Its last wait no longer applies.
func noLongerNeeded(a *attempt) {
	m := &a.rel.Status.Milestones
	switch a.entry().Step {
	case v1alpha1.StepStage, v1alpha1.StepSize:
		if track.RunsAtSize(a.rel, a.o) {
			m.Staged.Replicas = a.o.Target.Replicas
			sayStaged(a)
		}
	case v1alpha1.StepWarm:
		if w := track.Warm(a.rel, a.o); w.Warm {
			sayWarm(a, w)
		}
	case v1alpha1.StepPromote:
		if m.Approved != nil && !a.o.Locked {
			sayApproved(a)
		}
	default: // the other steps leave nothing behind before their acts end
	}
}

// rest records what the release waits for, and when to look again.
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

// hold records what a step waits for before it begins, so its deadline does not run. Without a
// message it waits for the same as before.
func (a *attempt) hold(p pause) {
	if p.message != "" {
		a.setMessage(p.message, p.commands...)
		a.rel.Status.Waiting = p.waits
	}
	if !p.until.IsZero() {
		a.wakeAt(p.until)
	}
}

// tryAgain waits after an error of the world, until the end of the failed call's back-off or at
// growing intervals, and at most until the step's deadline. A failed check is not treated as an
// unhealthy application.
func (t timing) tryAgain(a *attempt, s v1alpha1.Step, why error, until time.Time) bool {
	if track.Overdue(a.bg, s, a.entry().StartedAt.Time, a.o.Now) {
		limit := track.Limit(a.bg, s)
		f := faultOf(v1alpha1.FaultWorld, v1alpha1.FailedDeadline, fmt.Errorf("%s: gave up after %s: %w", s, limit, why))
		f.about = about{limit: limit, waited: waitsForError(why)}
		t.ending.fail(a, f)
		return false
	}
	if until.IsZero() {
		elapsed := a.o.Now.Sub(a.entry().StartedAt.Time)
		until = time.Now().Add(min(max(elapsed/4, 500*time.Millisecond), 30*time.Second))
	}
	a.rest(pause{until: until, message: "will try again: " + why.Error(), commands: shellCommands(why), waits: waitsForError(why)})
	return true
}

// late is the fault of a step that waited too long.
func (t timing) late(ctx context.Context, a *attempt, s v1alpha1.Step, waited pause) *fault {
	limit := track.Limit(a.bg, s)
	f := &fault{
		class: v1alpha1.FaultWorld, reason: v1alpha1.FailedDeadline, about: about{limit: limit, waited: waited.waits},
		message: strings.TrimSuffix(fmt.Sprintf("%s: not done after %s: %s", s, limit, waited.message), ": "), commands: waited.commands,
	}
	t.explainLate(ctx, a, s, f)
	return f
}

// explainLate completes the fault of a step that waited too long for pods.
func (t timing) explainLate(ctx context.Context, a *attempt, s v1alpha1.Step, f *fault) {
	row := track.RowOf(s)
	if row.Late == nil {
		return
	}
	asked, found := row.Late(a.rel, a.o), track.Shown{}
	if asked.Pods {
		found.Evidence = t.workloads.Evidence(ctx, a.bg, a.o.Target)
	}
	if asked.Workers {
		found.Evidence = t.workers.Evidence(ctx, a.bg, a.target(), a.o.Workers)
	}
	if asked.LoadBalancer {
		live, err := t.routes.Groups(ctx, a.bg, a.o.Routes, a.target().Other())
		found.LiveHealthy = err == nil && len(live) > 0 && !slices.ContainsFunc(live, func(g track.Group) bool { return !g.Healthy() })
	}
	blame := track.Explain(asked, a.rel, a.o, found)
	f.class, f.evidence = blame.Class, blame.Evidence
	if blame.Hint != "" {
		f.message += ": " + blame.Hint
	}
}
