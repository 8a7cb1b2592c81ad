package deployer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// stepMetrics is the step of queries for metrics: the soak's own turn ends at each of its looks.
const stepMetrics v1alpha1.Step = "metrics"

// judging judges a release by its metrics, in a step of its canary and in its soak.
type judging struct {
	metrics metricsAccess
	calls   *calls
}

// judge judges the new version by its metrics, if the spec wants that. It returns the wait for
// checks without a verdict.
func (j judging) judge(ctx context.Context, a *attempt) (pause, error) {
	return j.conclude(ctx, a, j.watch(a))
}

// judgeStep judges the new version in the present step of its canary, against the version
// beside it.
func (j judging) judgeStep(ctx context.Context, a *attempt, look track.ShiftLook) (pause, error) {
	return j.conclude(ctx, a, j.watchStep(a, look))
}

func (j judging) conclude(ctx context.Context, a *attempt, w *metricsWatch) (pause, error) {
	if w == nil {
		return pause{}, nil
	}
	v, err := w.look(ctx)
	if err != nil {
		return pause{}, err
	}
	var f *fault
	switch v.Outcome {
	case track.MetricsAgain:
		a.wakeAt(v.At)
		if a.bg.Spec.Analysis.Mode == v1alpha1.AnalysisObserve {
			w.wouldWait(a, v)
			return pause{}, nil
		}
		return pause{until: v.At, message: v.Message, waits: v.Waits}, nil
	case track.MetricsHeld:
		return pause{}, nil
	case track.MetricsFailed:
		f = releaseFault(v1alpha1.FailedCheck, "%s", track.FailedCheck(*v.Check, w.when.Weight))
	case track.MetricsUnseen:
		f = &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedMetricsUnseen, message: w.unseen(a, v)}
	}
	if a.bg.Spec.Analysis.Mode == v1alpha1.AnalysisObserve {
		a.finding("spec.analysis.mode is Observe, so nothing was done: " + f.message)
		return pause{}, nil
	}
	return pause{}, f
}

// wouldWait says, at the end of a soak or step that is only observed, that it would have waited for
// metrics.
func (w *metricsWatch) wouldWait(a *attempt, v track.MetricsVerdict) {
	if v.Waits == nil || a.o.Now.Before(w.when.SoakEnds) {
		return
	}
	what := "the soak"
	if w.when.Weight > 0 {
		what = fmt.Sprintf("the step of %d %%", w.when.Weight)
	}
	a.finding(fmt.Sprintf("spec.analysis.mode is Observe, so %s did not wait for metrics: %d of %d checks had a verdict in the end", what,
		v.Waits.Done, v.Waits.Of))
}

// watch is the watch of a soaking release's metrics; nil if they are not judged.
func (j judging) watch(a *attempt) *metricsWatch {
	spec, began := a.bg.Spec.Analysis, a.rel.Status.Milestones.SoakStartedAt
	if spec == nil || began == nil {
		return nil
	}
	key := turnKey{release: string(a.rel.UID), step: stepMetrics}
	return &metricsWatch{
		from: j.metrics, bg: a.bg, rel: a.rel, o: a.o, turn: j.calls.turn(client.ObjectKeyFromObject(a.bg), key, haste),
		when: track.MetricsWatch{
			Began: began.Time, SoakEnds: began.Add(a.bg.Spec.SoakTime()), Window: spec.Interval.Duration, Deadline: spec.Deadline.Duration,
		},
	}
}

// watchStep is the watch of the metrics in a step of a canary; nil if they are not judged.
func (j judging) watchStep(a *attempt, look track.ShiftLook) *metricsWatch {
	spec := a.bg.Spec.Analysis
	if spec == nil || look.Last == nil || look.Last.EffectiveAt == nil {
		return nil
	}
	key := turnKey{release: string(a.rel.UID), step: stepMetrics}
	until, owed := look.Judged()
	return &metricsWatch{
		from: j.metrics, bg: a.bg, rel: a.rel, o: a.o, turn: j.calls.turn(client.ObjectKeyFromObject(a.bg), key, haste),
		when: track.MetricsWatch{
			Began: look.Last.EffectiveAt.Time, SoakEnds: until, Owed: owed, Window: spec.Interval.Duration, Deadline: spec.Deadline.Duration,
			Weight: look.Last.Weight,
		},
	}
}

// unseen says that the metrics had no verdict, and where that leaves users.
func (w *metricsWatch) unseen(a *attempt, v track.MetricsVerdict) string {
	if w.when.Weight > 0 {
		return fmt.Sprintf("metrics had no verdict by %s after the step of %d %% (%s)", w.when.Deadline, w.when.Weight, v.Message)
	}
	return fmt.Sprintf("metrics had no verdict by %s after the soak (%s); users stay on %s: look at it yourself, and type /rollback if it "+
		"is bad",
		w.when.Deadline, v.Message, a.target())
}

// metricsWatch reads a release's metrics in the background, and judges them.
type metricsWatch struct {
	from metricsAccess
	bg   *v1alpha1.BlueGreen
	rel  *v1alpha1.Release
	o    track.Observed
	turn *turn
	plan analysis.Plan
	when track.MetricsWatch
	// through is the load balancer that serves users.
	through loadBalancer
}

// look reads what is available by now, and draws the conclusion. The last window before the
// switch comes first.
func (w *metricsWatch) look(ctx context.Context) (track.MetricsVerdict, error) {
	var err error
	if w.through, err = w.from.loadBalancer(ctx, w.bg, w.o.Routes); err != nil {
		return track.MetricsVerdict{}, err
	}
	plan, problems := analysis.Compile(*w.bg.Spec.Analysis, w.through.kind)
	w.plan, w.when.Lag = plan, plan.Lag
	st := &w.rel.Status
	if st.Analysis != nil && st.Analysis.Weight != w.when.Weight {
		st.Analysis = nil // of a step before
	}
	if len(problems) > 0 {
		if st.Analysis == nil {
			st.Analysis = &v1alpha1.AnalysisStatus{
				Mode: w.bg.Spec.Analysis.Mode, Began: metav1.NewMicroTime(w.when.Began), Weight: w.when.Weight,
			}
		}
		books := w.when.Missed(*st.Analysis, w.o.Now, problems[0].Field+": "+problems[0].Text)
		st.Analysis = &books
		return w.when.Judge(books, w.o.Now), nil
	}
	if st.Analysis != nil {
		st.Analysis.Mode = w.bg.Spec.Analysis.Mode
	}
	if st.Analysis == nil || !slices.EqualFunc(st.Analysis.Checks, plan.Checks, sameCheck) {
		st.Analysis = w.begin()
	}
	w.when.Began = st.Analysis.Began.Time
	verdict := w.when.Judge(*st.Analysis, w.o.Now)
	if verdict.Outcome != track.MetricsAgain {
		return verdict, nil
	}
	due, err := w.ask(ctx)
	switch {
	case pending(err) != nil:
		verdict.At, err = w.o.Now.Add(silent), nil // the call's end wakes the application earlier
	case err == nil:
		verdict = w.when.Judge(*st.Analysis, w.o.Now)
		if !due.IsZero() && verdict.Outcome == track.MetricsAgain {
			verdict.At = due
		}
	}
	return verdict, err
}

// sameCheck reports whether a check's record belongs to this check: a changed check starts over.
func sameCheck(s v1alpha1.CheckStatus, c analysis.Check) bool {
	return s.Name == c.Name && s.Pass == record.Message(c.Passes()) && s.Failures == c.Failures
}

// begin creates the record.
func (w *metricsWatch) begin() *v1alpha1.AnalysisStatus {
	began := w.o.Now // the soak or step, or its checks, begin with this look
	if whole := began.Truncate(time.Second); whole.Before(began) {
		began = whole.Add(time.Second) // cut to the record's precision, but never earlier
	}
	s := &v1alpha1.AnalysisStatus{
		Mode: w.bg.Spec.Analysis.Mode, Began: metav1.NewMicroTime(began), Weight: w.when.Weight, BeforeKnown: w.when.Weight > 0,
	}
	for _, c := range w.plan.Checks {
		s.Checks = append(s.Checks, v1alpha1.CheckStatus{Name: c.Name, Pass: record.Message(c.Passes()), Failures: c.Failures})
	}
	return s
}

// ask reads the next window that is due, and records it. It returns when the next one is due, if
// none is now.
func (w *metricsWatch) ask(ctx context.Context) (time.Time, error) {
	st := &w.rel.Status
	of, before := st.Milestones.Target, !st.Analysis.BeforeKnown
	end, due := w.when.Next(*st.Analysis)
	if before {
		of, end = of.Other(), st.Milestones.SwitchIntendedAt.Truncate(time.Second) // at the record's precision
		if st.Analysis.UnseenSince == nil {
			due = end.Add(w.plan.Lag)
		}
	}
	if w.o.Now.Before(due) {
		return due, nil
	}
	read, err := w.read(ctx, of, end)
	if pending(err) != nil || ctx.Err() != nil {
		return time.Time{}, err
	}
	w.turn.settle(w.o.Now, nil)
	unseen := cmp.Or(analysis.Unreachable(read.of), analysis.Unreachable(read.beside))
	if err != nil {
		unseen = err.Error()
	}
	switch {
	case unseen != "":
		books := w.when.Missed(*st.Analysis, w.o.Now, unseen)
		st.Analysis = &books
	case before:
		books := st.Analysis.DeepCopy()
		books.BeforeKnown, books.UnseenSince, books.LastTryAt, books.Unseen = true, nil, nil, ""
		w.compareWith(books, end, read.of)
		st.Analysis = books
	default:
		w.enter(end, read)
	}
	return time.Time{}, nil
}

// readings are what was read for the checks of one window.
type readings struct {
	of, beside []analysis.Reading // beside is of the other colour, in a canary alone
}

// read reads a window of a colour and, in a canary, the same window of the one beside it.
func (w *metricsWatch) read(ctx context.Context, of v1alpha1.Color, end time.Time) (readings, error) {
	previous := w.rel.Status.Milestones.Previous
	versions := map[v1alpha1.Color]string{of: "", of.Other(): ""}
	if previous != nil {
		versions[previous.Color] = cmp.Or(previous.Commit, previous.Tag)
	}
	if d := w.rel.Spec.Deploy; d != nil {
		versions[w.rel.Status.Milestones.Target] = d.Commit
	}
	window := analysis.Window{
		End: end, Of: w.through.values(w.bg, of, versions[of]), Beside: w.through.values(w.bg, of.Other(), versions[of.Other()]),
	}
	access, bg, checks, both := w.from, w.bg.DeepCopy(), w.plan.Checks, w.when.Weight > 0
	own := w.ownRequests()
	q := question{what: "the metrics of " + bg.Name, about: fmt.Sprint(of, end.UnixMicro())}
	return ask(ctx, w.turn, q, func(ctx context.Context) (readings, error) {
		c, err := access.client(ctx, bg)
		if err != nil {
			return readings{}, err
		}
		read := readings{of: analysis.Read(ctx, c, checks, window)}
		if both {
			setOwn(read.of, own[0])
			read.beside = analysis.Read(ctx, c, checks, analysis.Window{End: end, Of: window.Beside, Beside: window.Of})
			setOwn(read.beside, own[1])
		}
		return read, nil
	})
}

// compareWith records what the version is compared with.
func (w *metricsWatch) compareWith(books *v1alpha1.AnalysisStatus, end time.Time, with []analysis.Reading) {
	for i, r := range with {
		books.Checks[i].Other = new(w.plan.Checks[i].Point(end, r))
	}
}

// enter records a window, judged.
func (w *metricsWatch) enter(end time.Time, read readings) {
	books := w.rel.Status.Analysis.DeepCopy()
	w.compareWith(books, end, read.beside)
	points := make([]v1alpha1.CheckPoint, len(read.of))
	for i, r := range read.of {
		points[i] = w.plan.Checks[i].Judge(end, r, books.Checks[i].Other)
	}
	entered := w.when.Enter(*books, end, points)
	w.rel.Status.Analysis = &entered
}
