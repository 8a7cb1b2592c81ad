package deployer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// ofMigrations: an effect concerns a migration, or what comes right before or after it.
func ofMigrations(effect string) bool {
	return strings.Contains(effect, "jobs") || strings.Contains(effect, "Migration.") || slices.Contains([]string{
		"POST releases", "release: Approved", "release: Live.KnownAt", "release: ExpandedAt", "release: AttachedAt", "release: Failure",
		"release: ClaimedAt", "release: ContractedAt", "release: FinishedAt", "application: Active", "application: Expanded",
		"application: Contract", "application: Contract.Outcome",
	}, effect)
}

// untilJob are the effects of a deploy until its migration's Job is made.
var untilJob = slices.Concat([]string{enterRepository, claim, "CreateBuild"}, untilBuilt, []string{"release: Approved"}, makeJob)

// untilExpand are those until it runs.
var untilExpand = slices.Concat(untilJob, startJob("expand"))

var makeJob = []string{
	"release: Live.KnownAt",
	"release: Migration.IntendedAt",
	"POST jobs",
}

func startJob(kind string) []string {
	return []string{
		"release: Migration.UID",
		"release: Migration.ResumedAt",
		"PATCH jobs/" + kind + " add annotations/resumed-at replace suspend",
	}
}

// outlived is a release that fails before its migration ends.
var outlived = []string{
	"release: Failure",
	"release: DiscardedAt",
	"release: FinishedAt",
	"release: Migration.EndedAt",
}

// awaitOutlived waits until the migration of a release that has failed ends, too.
func (w *world) awaitOutlived(rel *v1alpha1.Release) *v1alpha1.Release {
	w.t.Helper()
	rel = w.await(rel, "its migration ends", func(r *v1alpha1.Release) bool { return r.Status.Migration.EndedAt != nil })
	w.settled()
	return rel
}

// expectOutlived: the expand ended as outcome says, after its release had failed and started nothing.
func (w *world) expectOutlived(rel *v1alpha1.Release, outcome v1alpha1.MigrationOutcome) {
	w.t.Helper()
	rel = w.awaitOutlived(rel)
	w.expectMigrated(rel, outcome)
	w.expectExpanded(rel)
	w.expectNothingStarted()
}

// migrationJourneys run a Job, once, whatever happens to the process.
var migrationJourneys = []journey{
	{"deploy with an expand", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, expanding)
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectDeployed(rel)
		w.expectMigrated(rel, v1alpha1.MigrationChanged)
		w.expectExpanded(rel)
	}, "", "", slices.Concat(untilExpand, untilVerified, endDeploy, []string{
		"release: Migration.EndedAt",
		"release: ExpandedAt",
		"application: Expanded",
		attachGreen,
		stageGreen,
	})},
	{"an expand takes too long", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, expanding, func(bg *v1alpha1.BlueGreen) { bg.Spec.Migrations.Expand.Timeout = *duration(time.Second) })
		w.kubelet.migrations(t, runsOn)
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		if f := rel.Status.Failure; f.Reason != v1alpha1.FailedExpand || !strings.Contains(f.Message, "did not end within 1s") {
			w.t.Errorf("the failure is %+v", f)
		}
		w.expectOutlived(rel, v1alpha1.MigrationFailed)
	}, "", v1alpha1.ReleaseFailed, slices.Concat(untilExpand, outlived, []string{"PATCH jobs/expand add suspend", "application: Expanded"})},
	// What the migration does breaks the version that users have. It ends after its release.
	{"the live version suffers", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, asksHealthz(), expanding)
		var broken atomic.Bool
		w.cfg = w.answers(w.liveFails(broken.Load))
		w.kubelet.migrations(t, func(*corev1.Pod) *corev1.ContainerStateTerminated {
			broken.Store(true)
			return nil
		})
		w.whenWritten(func(_, body string) bool { return strings.Contains(body, `"reason":"LiveSuffers"`) }, func() {
			w.kubelet.migrations(t, endsWith(0, ""))
		})
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		if f := rel.Status.Failure; f.Reason != v1alpha1.FailedLiveSuffers {
			w.t.Errorf("the failure is %+v", f)
		}
		w.expectOutlived(rel, v1alpha1.MigrationChanged)
	}, "", v1alpha1.ReleaseFailed, slices.Concat(untilExpand, outlived, []string{"application: Expanded"})},
	// Nobody needs the Job any more, which was never let go.
	{"cancel before a migration starts", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, expanding)
		rel := w.submit("a")
		w.whenWritten(func(what, _ string) bool { return what == "POST jobs" }, func() { w.cancel(rel) })
		return w, rel
	}, func(w *world, rel *v1alpha1.Release) {
		rel = w.awaitOutlived(rel)
		if s := rel.Status.Migration; s.Outcome != v1alpha1.MigrationNotRun || s.StartedAt != nil {
			w.t.Errorf("the migration is %+v", s)
		}
		w.expectNoJobs(0)
		w.expectNothingStarted()
	}, "", v1alpha1.ReleaseCancelled, slices.Concat(untilJob, outlived, []string{"DELETE jobs/expand"})},
	// The next version has no migration, and its success puts the first release beyond the history.
	{"a migration beyond the history", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, expanding, func(bg *v1alpha1.BlueGreen) { bg.Spec.HistoryLimit = 1 })
		w.source.commit("b", "a")
		stop := w.run(quick("before"))
		a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
		w.settled()
		stop()
		a.Status.FinishedAt.Time = time.Now().Add(-v1alpha1.KeptFor - time.Hour)
		check(t, w.kube.Status().Update(t.Context(), a))
		w.configure(`{"migrations":null}`)
		return w, w.submit("b")
	}, func(w *world, rel *v1alpha1.Release) {
		w.until("one release to be left", func() bool {
			all, err := w.record().Releases(w.t.Context(), keyOf(w.application()))
			check(w.t, err)
			return len(all) == 1 && all[0].UID == rel.UID
		}, func() string { return "" })
		w.expectNoJobs(1)
		w.expectLive(v1alpha1.Blue)
	}, "DELETE", "", []string{
		"DELETE jobs/expand",
		"DELETE releases/my-python-app-aaaaaaaaaaaa-1",
	}},
	// The version that was deployed owes its contract, which begins by itself.
	{"contract", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t, contracts(v1alpha1.ContractOnCommand), holds(0))
		w.confirmable()
		stop := w.run(quick("before"))
		rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
		w.awaitShrunk(v1alpha1.Blue)
		w.until("the shrinking to be recorded", func() bool { return w.application().Status.LastSwitch.Shrunk }, func() string { return "" })
		w.awaitPods("my-python-app", v1alpha1.Green) // a contract waits for every other one
		stop()
		w.configure(`{"migrations":{"contract":{"when":"AfterHold"}}}`)
		return w, rel
	}, func(w *world, _ *v1alpha1.Release) {
		rel := w.awaitPhase(w.ofContract("a"), v1alpha1.ReleaseSucceeded)
		w.settled()
		s := w.awaitSchema(v1alpha1.SchemaClosed)
		if c := s.Contract; c.UID != string(rel.UID) || c.Outcome != v1alpha1.MigrationChanged || c.EarlierAt != nil || s.Pending != nil {
			w.t.Errorf("the schema is %+v, contract %+v", s, c)
		}
		w.expectMigrated(rel, v1alpha1.MigrationChanged)
		w.expectLive(v1alpha1.Green)
		w.expectSizes(0, 1)
	}, "", "", slices.Concat(makeJob, startJob("contract"), leftSwitched, []string{
		"POST releases",
		claim,
		"release: ClaimedAt",
		"release: Migration.EndedAt",
		"release: ContractedAt",
		"application: Contract",
		"application: Contract.Outcome",
		"application: Shrunk",
	})},
}

// whenWritten calls do after a process has performed the first write that meant accepts, and before
// that process can hear of it.
func (w *world) whenWritten(meant func(what, body string) bool, do func()) {
	w.t.Helper()
	var once sync.Once
	cfg := rest.CopyConfig(w.cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(req)
			if err == nil && resp.StatusCode < http.StatusMultipleChoices && req.Method != http.MethodGet && meant(describe(req), bodyOf(req)) {
				once.Do(do)
			}
			return resp, err
		})
	})
	w.cfg = cfg
}

// expectMigrated checks that a release's command ran once, with this outcome.
func (w *world) expectMigrated(rel *v1alpha1.Release, want v1alpha1.MigrationOutcome) {
	w.t.Helper()
	w.kubelet.mu.Lock()
	ran := len(w.kubelet.migrated)
	w.kubelet.mu.Unlock()
	jobs := w.jobs()
	if ran != 1 || len(jobs) != 1 {
		w.t.Fatalf("the command ran %d times, in %d jobs", ran, len(jobs))
	}
	if s := rel.Status.Migration; s.Outcome != want || s.EndedAt == nil || s.UID != string(jobs[0].UID) || s.StartedAt == nil {
		w.t.Errorf("the migration is %+v", s)
	}
}

// expectNoJobs checks that no Job is left, and how many commands have run.
func (w *world) expectNoJobs(ran int) {
	w.t.Helper()
	left := func() int { w.poke(); return len(w.jobs()) } // what a late process makes goes at the next look
	w.until("no job to be left", func() bool { return left() == 0 }, func() string { return fmt.Sprint(left(), " jobs are left") })
	w.kubelet.mu.Lock()
	defer w.kubelet.mu.Unlock()
	if len(w.kubelet.migrated) != ran {
		w.t.Errorf("%d commands ran, want %d", len(w.kubelet.migrated), ran)
	}
}

// expectExpanded checks that the schema's only change is a release's.
func (w *world) expectExpanded(rel *v1alpha1.Release) {
	w.t.Helper()
	w.until("the change of the schema", func() bool {
		all := w.schema().Expanded
		return len(all) == 1 && all[0].Release == rel.Name
	}, func() string { return string(w.schema().State) })
}

// awaitPods waits until an application has pods on one side only.
func (w *world) awaitPods(app string, on v1alpha1.Color) {
	w.t.Helper()
	w.until("pods on "+string(on)+" only", func() bool {
		pods := w.pods(app)
		return len(pods) > 0 && !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return colorOf(&p) != on })
	}, func() string { return "" })
}
