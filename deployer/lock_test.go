package deployer

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func (w *world) lock(reason string) {
	w.t.Helper()
	check(w.t, w.record().Lock(w.t.Context(), client.ObjectKeyFromObject(w.application()), v1alpha1.Lock{
		By: "alice", At: metav1.NewTime(epoch), Reason: reason, Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "alice"},
	}))
}

func (w *world) unlock() {
	w.t.Helper()
	_, err := w.record().Unlock(w.t.Context(), client.ObjectKeyFromObject(w.application()), "hubot")
	check(w.t, err)
}

// awaitLocked waits until a release reports that it waits behind alice's lock.
func (w *world) awaitLocked(rel *v1alpha1.Release, reason string) *v1alpha1.Release {
	w.t.Helper()
	return w.await(rel, "to wait behind the lock", func(r *v1alpha1.Release) bool {
		return strings.HasPrefix(r.Status.Message, "waits: locked by alice since 2026-01-01 00:00 UTC: "+reason)
	})
}

func TestReleasesWaitBehindALockAndGoOnByThemselves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.lock("audit")
	w.run()
	a := w.awaitLocked(w.submit("a"), "audit")
	if a.Status.Phase != v1alpha1.ReleaseQueued || len(w.builds.Builds("acme-prod", "global")) != 0 {
		t.Errorf("behind a lock the release is %s, with %d builds", a.Status.Phase, len(w.builds.Builds("acme-prod", "global")))
	}
	// The application is written at the end of the look that wrote the release.
	w.until("the phase Locked", func() bool { return w.application().Status.Phase == v1alpha1.PhaseLocked },
		func() string { return w.application().Status.Phase })
	b := w.submit("b", func(r *v1alpha1.Release) {
		r.Spec.Approval = &v1alpha1.Approval{By: "bob", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	})
	if a = w.awaitPhase(a, v1alpha1.ReleaseSuperseded); a.Status.SupersededBy != b.Name {
		t.Errorf("superseded by %q, want %s: locked releases supersede each other, too", a.Status.SupersededBy, b.Name)
	}
	w.awaitLocked(b, "audit")
	if said := readyCondition(w.application()).Message; !strings.HasSuffix(said, "waits: locked by alice since 2026-01-01 00:00 UTC: audit") {
		t.Errorf("the application's message is %q and does not name who locked it", said)
	}
	w.unlock()
	w.until("the lock to be out of the condition",
		func() bool { return readyCondition(w.application()).Message == "the next release can run" },
		func() string { return readyCondition(w.application()).Message })
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

func TestALockHoldsAnApprovedReleaseThatHasNotSwitched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, func(bg *v1alpha1.BlueGreen) { bg.Spec.Promotion.Timeout.Duration = 2 * time.Second })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.lock("the database moves")
	rel = w.awaitLocked(rel, "the database moves")
	if rel.Status.Phase != v1alpha1.ReleaseWaiting {
		t.Errorf("behind the lock the release is %s, want Waiting", rel.Status.Phase)
	}
	w.approve(rel)
	started := rel.Status.Timeline[len(rel.Status.Timeline)-1].StartedAt
	w.until("the time for an approval to be over", func() bool { return time.Since(started.Time) > 2*time.Second },
		func() string { return "" })
	w.awaitLocked(rel, "the database moves")
	w.expectLive(v1alpha1.Blue)
	w.unlock()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

// The last wait is not the outcome.
func TestALockThatCameAfterTheApprovalLeavesNoWaitBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	b := behindGCE(w)
	w.run(told)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.sick = ofGreen })
	w.resize(v1alpha1.Blue, 2)
	w.awaitLiveSize(2)
	w.approve(rel)
	w.await(rel, "the wait for the load balancer", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "1 run and wait for the load balancer")
	})
	w.lock("the database moves")
	w.awaitLocked(rel, "the database moves")
	w.unlock()
	b.set(func(b *balancer) { b.sick = func(*corev1.Pod) bool { return false } })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectEnded(rel, v1alpha1.StepPromote, "approved by hubot", "approved by hubot")
}

func TestTheTimeForAnApprovalBeginsAnewAfterALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, func(bg *v1alpha1.BlueGreen) { bg.Spec.Promotion.Timeout.Duration = 3 * time.Second })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.lock("audit")
	rel = w.awaitLocked(rel, "audit")
	started := rel.Status.Timeline[len(rel.Status.Timeline)-1].StartedAt
	w.until("the time for an approval to be over", func() bool { return time.Since(started.Time) > 3*time.Second },
		func() string { return "" })
	w.unlock()
	w.await(rel, "to wait for an approval",
		func(r *v1alpha1.Release) bool { return strings.HasPrefix(r.Status.Message, "waits for /promote") })
	w.expectMessage(w.awaitPhase(rel, v1alpha1.ReleaseCancelled), "nobody approved")
}

func TestRollbackPassesALock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.lock("audit")
	w.run()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
}

func TestACommitThatWasLeftIsShownWithWhoAndWhen(t *testing.T) {
	t.Parallel()
	left := v1alpha1.RolledBack{Commit: strings.Repeat("a", 40), Release: "app-rollback-1", By: "alice", At: metav1.NewTime(epoch)}
	if got, want := rolledBackBy(left), "aaaaaaa, which alice (app-rollback-1) rolled back at 2026-01-01 00:00 UTC"; got != want {
		t.Errorf("it reads %q, want %q", got, want)
	}
}
