package deployer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// ofReleases is the write of a release for which holds is true.
func ofReleases(holds func(*v1alpha1.Release) bool) func(what, body string) bool {
	return func(what, body string) bool {
		var rel v1alpha1.Release
		return strings.HasPrefix(what, "PUT releases/") && json.Unmarshal([]byte(body), &rel) == nil && holds(&rel)
	}
}

// expectNoMigration checks that a release has not begun to migrate.
func (w *world) expectNoMigration(rel *v1alpha1.Release) {
	w.t.Helper()
	w.get(rel)
	if rel.Status.Migration != nil || len(w.jobs()) > 0 {
		w.t.Errorf("the migration of %s is %+v, in %d jobs", rel.Name, rel.Status.Migration, len(w.jobs()))
	}
}

func TestALockPausesBeforeTheExpand(t *testing.T) {
	t.Parallel()
	for name, meant := range map[string]func(r *v1alpha1.Release) bool{
		"before the approval": building,
		"after the approval":  approved,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, expanding)
			w.whenWritten(ofReleases(meant), func() { w.lock("the database moves") })
			w.run()
			rel := w.awaitLocked(w.submit("a"), "the database moves")
			if rel.Status.Phase != v1alpha1.ReleaseWaiting || !track.Built(rel) {
				t.Errorf("behind the lock it is %s, built %v", rel.Status.Phase, track.Built(rel))
			}
			w.awaitLooks()
			w.expectNoMigration(rel)
			w.unlock()
			rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			w.expectMigrated(rel, v1alpha1.MigrationChanged)
		})
	}
}

// What runs is not stopped by a lock, which holds users before the switch.
func TestALockLetsAMigrationRunOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, runsOn)
	w.run()
	rel := w.migrates(w.submit("a"))
	w.lock("the database moves")
	w.awaitLooks()
	if w.get(rel); rel.Status.Step != v1alpha1.StepExpand || *w.jobs()[0].Spec.Suspend {
		t.Errorf("behind a lock it is at %s: %s", rel.Status.Step, rel.Status.Message)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	rel = w.awaitLocked(rel, "the database moves")
	if rel.Status.Milestones.ExpandedAt == nil {
		t.Errorf("the milestones are %+v", rel.Status.Milestones)
	}
	w.expectLive(v1alpha1.Blue)
	w.unlock()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestARequiredApprovalPrecedesTheExpand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.expectMessage(rel, "/promote", "spec.promotion.mode is Manual")
	w.awaitLooks()
	w.expectNoMigration(rel)
	w.expectNothingStarted()
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded) // it does not ask again before the switch
	w.expectMigrated(rel, v1alpha1.MigrationChanged)
	if m := rel.Status.Milestones; m.Approved.By != "hubot" || m.Approved.At.After(rel.Status.Migration.IntendedAt.Time) {
		t.Errorf("approved at %s by %s, and migrated at %s", m.Approved.At, m.Approved.By, rel.Status.Migration.IntendedAt)
	}
}

func TestBuildingAheadNeverExpands(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding, soaks(time.Hour))
	w.source.commit("b", "a")
	w.run()
	a := w.await(w.submit("a"), "the soak", soaking)
	b := w.await(w.submit("b"), "to be built ahead", builtAhead)
	w.awaitLooks()
	if w.get(b); b.Status.Migration != nil || b.Status.Milestones.Approved != nil || len(w.jobs()) != 1 {
		t.Errorf("built ahead, the release has the milestones %+v, and %d jobs exist", b.Status.Milestones, len(w.jobs()))
	}
	w.configure(`{"soak":"1ms"}`)
	w.awaitPhase(a, v1alpha1.ReleaseSucceeded)
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	if n := len(w.jobs()); n != 2 {
		t.Errorf("%d jobs ran", n)
	}
}

// A newer push waits: nobody knows what a migration that is cut off has changed.
func TestANewerReleaseLetsAMigrationRunOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.source.commit("b", "a")
	w.kubelet.migrations(t, runsOn)
	w.run()
	a := w.migrates(w.submit("a"))
	b := w.await(w.submit("b"), "to wait its turn", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForTurn && r.Status.Waiting.Release == a.Name
	})
	w.awaitLooks()
	if w.get(a); a.Status.Failure != nil || a.Status.SupersededBy != "" || *w.jobs()[0].Spec.Suspend {
		t.Errorf("with a newer release, %s is %s: %s", a.Name, a.Status.Phase, a.Status.Message)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	w.awaitPhase(a, v1alpha1.ReleaseSucceeded)
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
}

// Users do not wait for a migration, which is not killed either. What it did is recorded later.
func TestARollbackMovesUsersWhileAMigrationRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.source.commit("b", "a")
	w.pretendDeployed()
	w.kubelet.migrations(t, runsOn)
	w.run()
	b := w.migrates(w.submit("b"))
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if b = w.awaitPhase(b, v1alpha1.ReleaseSuperseded); b.Status.Migration.EndedAt != nil {
		t.Errorf("its migration is %+v", b.Status.Migration)
	}
	if jobs := w.jobs(); len(jobs) != 1 || *jobs[0].Spec.Suspend || jobs[0].DeletionTimestamp != nil {
		t.Errorf("the jobs are %+v", jobs)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	b = w.await(b, "its end is recorded", func(r *v1alpha1.Release) bool { return r.Status.Migration.EndedAt != nil })
	w.expectMigrated(b, v1alpha1.MigrationChanged)
	w.expectExpanded(b)
}

// Neither a release that nobody has any more, nor a Job without a pod so far, is overlooked.
func TestNothingMigratesBeforeEarlierMigrationsAreGone(t *testing.T) {
	t.Parallel()
	earlier := func(r *v1alpha1.Release, what string) bool {
		waits := r.Status.Waiting
		return waits != nil && waits.For == v1alpha1.WaitsForMigration && waits.Because == v1alpha1.BecauseEarlier &&
			strings.HasPrefix(waits.Object, what)
	}
	t.Run("its release was deleted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, expanding)
		w.source.commit("b", "a")
		w.kubelet.migrations(t, runsOn)
		w.run()
		a := w.migrates(w.submit("a"))
		w.cancel(a)
		w.awaitPhase(a, v1alpha1.ReleaseCancelled)
		check(t, w.kube.Delete(t.Context(), a))
		pod := w.podOf(a.Status.Migration.Job)
		b := w.await(w.submit("b"), "to wait for the pod", func(r *v1alpha1.Release) bool { return earlier(r, pod) })
		w.awaitLooks()
		if w.get(b); !earlier(b, pod) || len(w.jobs()) != 1 {
			t.Errorf("it waits for %+v, with %d jobs", b.Status.Waiting, len(w.jobs()))
		}
		w.kubelet.migrations(t, endsWith(0, ""))
		w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	})
	t.Run("its pod does not exist yet", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, expanding)
		w.source.commit("b", "a")
		mend := w.useUpQuota()
		w.run()
		a := w.await(w.submit("a"), "the quota", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "exceeded quota") })
		w.cancel(a)
		a = w.awaitPhase(a, v1alpha1.ReleaseCancelled)
		job := a.Status.Migration.Job
		b := w.await(w.submit("b"), "to wait for the job", func(r *v1alpha1.Release) bool { return earlier(r, job) })
		w.awaitLooks()
		if w.get(b); !earlier(b, job) || len(w.jobs()) != 1 {
			t.Errorf("it waits for %+v, with %d jobs", b.Status.Waiting, len(w.jobs()))
		}
		mend()
		w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
		a = w.await(a, "its end is recorded", func(r *v1alpha1.Release) bool { return r.Status.Migration.EndedAt != nil })
		if s := a.Status.Migration; s.Outcome != v1alpha1.MigrationChanged || s.EndedAt.After(w.started(b)) {
			t.Errorf("the earlier migration is %+v", s)
		}
	})
}

// podOf is the pod of a Job.
func (w *world) podOf(job string) string {
	w.t.Helper()
	var name string
	w.until("the pod of "+job, func() bool {
		pods := w.migrationPods()
		i := slices.IndexFunc(pods, func(p string) bool { return strings.HasPrefix(p, job) })
		if i >= 0 {
			name = pods[i]
		}
		return i >= 0
	}, func() string { return "" })
	return name
}

// migrationPods are the pods of migrations, by name.
func (w *world) migrationPods() (names []string) {
	w.kubelet.mu.Lock()
	defer w.kubelet.mu.Unlock()
	for name, pod := range w.kubelet.pods {
		if pod.Labels[v1alpha1.MigrationLabel] != "" {
			names = append(names, name)
		}
	}
	return names
}

// started is when a release's migration was let go.
func (w *world) started(rel *v1alpha1.Release) time.Time {
	w.t.Helper()
	check(w.t, w.kube.Get(w.t.Context(), client.ObjectKeyFromObject(rel), rel))
	return rel.Status.Migration.ResumedAt.Time
}
