package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// attempt is one step of one release, about to act.
type attempt struct {
	*work
	rel   *v1alpha1.Release
	saved *v1alpha1.ReleaseStatus // as last written
	log   *slog.Logger
	turn  *turn // of the current step: its calls to the world outside
}

// route is what the release knows about the load balancer.
func (a *attempt) route() *v1alpha1.RouteStatus {
	st := &a.rel.Status
	if st.Route == nil {
		st.Route = &v1alpha1.RouteStatus{}
	}
	if st.Route.LoadBalancer == "" {
		st.Route.LoadBalancer = a.o.Routes.LoadBalancer
	}
	return st.Route
}

func (a *attempt) target() v1alpha1.Color { return a.rel.Status.Milestones.Target }

// attempt returns an attempt of a release.
func (w *work) attempt(rel *v1alpha1.Release) *attempt {
	return &attempt{work: w, rel: rel, saved: rel.Status.DeepCopy(), log: w.log.With("release", rel.Name)}
}

// finding records, once, something that a person should know, and the commands that carry out its
// advice.
func (a *attempt) finding(text string, commands ...v1alpha1.ShellCommand) {
	news := record.Advice(v1alpha1.Advise(text, commands...)) // as recorded, for comparison
	if !slices.ContainsFunc(a.rel.Status.Findings, func(f v1alpha1.Advice) bool { return f.Text == news.Text }) {
		a.rel.Status.Findings = append(a.rel.Status.Findings, news)
	}
}

// recorder saves releases. It is every act's access to the record: an act changes its attempt,
// and the recorder saves it.
type recorder struct{ releases releaseWriter }

// save writes the release by compare-and-swap, if anything changed. It precedes every effect
// whose intent it records. If a status is too large, that is a fault: the release returns to its
// last saved status, and ends.
func (r recorder) save(ctx context.Context, a *attempt) error {
	err := r.write(ctx, a)
	if !errors.Is(err, record.ErrTooLarge) {
		return err
	}
	a.log.WarnContext(ctx, "the release cannot be recorded", "error", err)
	a.saved.DeepCopyInto(&a.rel.Status)
	return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTooLarge, message: "the progress of the release cannot be " +
		"recorded: " + err.Error()}
}

// conclude writes the end of a release, if necessary without explanations.
func (r recorder) conclude(ctx context.Context, a *attempt) error {
	err := r.write(ctx, a)
	if !errors.Is(err, record.ErrTooLarge) {
		return err
	}
	st := &a.rel.Status
	st.Findings, st.Commands, st.Drift, st.Gate = nil, nil, "", nil
	for i := range st.Timeline {
		st.Timeline[i].Message, st.Timeline[i].URL = "", ""
	}
	if st.Failure != nil {
		st.Failure.Evidence = nil
	}
	return r.write(ctx, a)
}

func (r recorder) write(ctx context.Context, a *attempt) error {
	if a.bg.Spec.Evidence.Logs == v1alpha1.LogsNone {
		dropLogs(&a.rel.Status)
	}
	if err := record.FitRelease(&a.rel.Status); err != nil {
		return fmt.Errorf("release %s/%s: %w", a.rel.Namespace, a.rel.Name, err)
	}
	if equality.Semantic.DeepEqual(a.saved, &a.rel.Status) {
		return nil
	}
	if err := r.releases.UpdateRelease(ctx, a.rel, a.saved); err != nil {
		return err
	}
	a.saved = a.rel.Status.DeepCopy()
	return nil
}

// entry is the timeline's open entry: the current step.
func (a *attempt) entry() *v1alpha1.TimelineEntry {
	t := a.rel.Status.Timeline
	return &t[len(t)-1]
}

// underWay reports whether the timeline has an open entry.
func (a *attempt) underWay() bool {
	t := a.rel.Status.Timeline
	return len(t) > 0 && t[len(t)-1].FinishedAt == nil
}

// say records in the timeline what the current step did.
func (a *attempt) say(message string) { a.entry().Message = message }

// setMessage records what the release waits for, or how it ended, with the matching commands. The
// caller records the wait as data.
func (a *attempt) setMessage(message string, commands ...v1alpha1.ShellCommand) {
	st := &a.rel.Status
	st.Message, st.Commands, st.Waiting = message, v1alpha1.Commands(commands...), nil
}

// dropLogs removes the output of containers and commands.
func dropLogs(st *v1alpha1.ReleaseStatus) {
	if st.Gate != nil && st.Gate.Problem != nil {
		st.Gate.Problem.Log = ""
	}
	if st.Failure == nil {
		return
	}
	for i := range st.Failure.Evidence {
		st.Failure.Evidence[i].Log = ""
	}
}
