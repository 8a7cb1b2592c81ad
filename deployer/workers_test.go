package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// workersSize is that of the worker on the live side.
const workersSize = 2

// withWorker gives an application a worker.
func withWorker(bg *v1alpha1.BlueGreen) {
	if len(bg.Spec.Workers) == 0 {
		bg.Spec.Workers = []v1alpha1.WorkerSpec{{Name: "mail"}}
	}
}

// worker is the Deployment of the worker on a side.
func (w *world) worker(c v1alpha1.Color, size int32) *appsv1.Deployment {
	return w.workerNamed("mail", c, size)
}

func (w *world) workerNamed(name string, c v1alpha1.Color, size int32) *appsv1.Deployment {
	d := w.deployment(c)
	d.Name = "my-python-app-" + name + "-" + string(c)
	labels := map[string]string{"app": "my-python-app-" + name, "version": string(c)}
	d.Labels, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels = labels, labels, labels
	d.Spec.Replicas = &size
	d.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(300)) // what lingers does so for the whole test
	return d
}

// newWorldWithWorker has a worker, which runs on the live side.
func newWorldWithWorker(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := newWorld(t, append(change, withWorker)...)
	w.create(w.worker(v1alpha1.Blue, workersSize))
	w.create(w.worker(v1alpha1.Green, 0))
	return w
}

func (w *world) workerSize(c v1alpha1.Color) int32 {
	w.t.Helper()
	d := w.worker(c, 0)
	w.get(d)
	return *d.Spec.Replicas
}

// expectWorkers checks the worker: its sizes, and the images that it would run.
func (w *world) expectWorkers(blue, green int32, commitOnGreen bool) {
	w.t.Helper()
	if b, g := w.workerSize(v1alpha1.Blue), w.workerSize(v1alpha1.Green); b != blue || g != green {
		w.t.Errorf("the worker has the size %d on blue and %d on green, want %d and %d", b, g, blue, green)
	}
	d := w.worker(v1alpha1.Green, 0)
	w.get(d)
	commit := d.Spec.Template.Annotations[v1alpha1.CommitAnnotation]
	if got := commit == w.source.sha("a"); got != commitOnGreen {
		w.t.Errorf("the worker on green names the commit %q, that of the release: %v", commit, got)
	}
}

// positions of effects, in the order in which they were made.
func inOrder(t *testing.T, all []string, want ...string) {
	t.Helper()
	last := -1
	for _, what := range want {
		i := slices.Index(all, what)
		if i <= last {
			t.Errorf("%q is not among the effects, or too early:\n%s", what, strings.Join(all, "\n"))
		}
		last = i
	}
}

// The new version's workers start last before the switch; the old ones are stopped once those
// work, and before users move.
func TestWorkersTakeOverRightBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	e := newEffects(before, false)
	w.kubelet.hold("mail-green")
	w.runWith(e.config(plane.Config))
	rel := w.submit("a")
	w.until("the new worker to run", func() bool { return w.kubelet.starts("mail-green") }, func() string { return rel.Name })
	w.await(rel, "the wait for the worker", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepWorkers && r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseRollout
	})
	if got := w.live(); got != v1alpha1.Blue || w.workerSize(v1alpha1.Blue) != workersSize {
		t.Errorf("users are on %s, and the old worker has the size %d, before the new one works", got, w.workerSize(v1alpha1.Blue))
	}
	w.kubelet.release(t, "mail-green")
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectWorkers(0, workersSize, true)
	inOrder(t, e.effects(), "release: Approved", "release: WorkersIntendedAt", startGreen, stopBlue, "release: SwitchIntendedAt",
		"PATCH ingresses/ingress replace rules/http/paths/backend/service/name")
}

// The writes of a worker's sides.
const (
	startGreen = "PATCH deployments/mail-green add annotations/workers replace template add replicas"
	stopGreen  = "PATCH deployments/mail-green add annotations/workers add annotations/size add replicas"
	stopBlue   = "PATCH deployments/mail-blue add annotations/workers add annotations/size add replicas"
	recallBlue = "PATCH deployments/mail-blue add annotations/workers remove annotations/size add replicas"
)

// Nothing of a version that nobody approved takes a task, nor behind a lock.
func TestWorkersWaitForApproval(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t, manual)
	w.run()
	rel := w.submit("a")
	w.await(rel, "the wait for a person", waits)
	w.expectWorkers(workersSize, 0, false)
	w.lock("stocktaking")
	w.approve(rel)
	w.await(rel, "the wait for an unlock", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForLock
	})
	w.expectWorkers(workersSize, 0, false)
	w.unlock()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectWorkers(0, workersSize, true)
}

// A missing side is made from the other one's, which keeps its size.
func TestMissingWorkersAreMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withWorker)
	w.create(w.worker(v1alpha1.Blue, workersSize))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectWorkers(0, workersSize, true)
	if !slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool {
		return strings.Contains(f.Text, "created Deployment/my-python-app-mail-green")
	}) {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
}

// A worker at size 0 is ready.
func TestWorkersOfSizeZeroAreReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withWorker)
	w.create(w.worker(v1alpha1.Blue, 0))
	w.create(w.worker(v1alpha1.Green, 0))
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectWorkers(0, 0, true)
}

// A worker that crashes fails the release before users move, and before the old one is stopped.
func TestBrokenWorkersFailTheRelease(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	e := newEffects(before, false)
	w.kubelet.crash("mail-green")
	w.runWith(e.config(plane.Config))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Step != v1alpha1.StepWorkers || f.Reason != v1alpha1.FailedCrashLoopBackOff || len(f.Evidence) != 1 ||
		!strings.Contains(f.Evidence[0].Pod, "mail-green") {
		t.Errorf("the failure is %+v", f)
	}
	w.expectWorkers(workersSize, 0, true)
	if all := e.effects(); slices.Contains(all, stopBlue) || slices.Contains(all, "release: SwitchIntendedAt") {
		t.Errorf("the effects are\n%s", strings.Join(all, "\n"))
	}
	if w.live() != v1alpha1.Blue {
		t.Error("users were moved")
	}
}

// A cancel right before the switch: the old workers come back, and the new ones are stopped.
func TestCancelBringsWorkersBack(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	w.kubelet.hold("mail-green")
	w.run()
	rel := w.submit("a")
	w.until("the new worker to run", func() bool { return w.kubelet.starts("mail-green") }, func() string { return rel.Name })
	w.cancel(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectWorkers(workersSize, 0, true)
	if d := w.worker(v1alpha1.Green, 0); true {
		w.get(d)
		if got := d.Annotations[v1alpha1.WorkersAnnotation]; !(track.WorkerSide{MovedBy: got}).Undone(rel.Name) {
			t.Errorf("the new worker was moved by %q", got)
		}
	}
}

// A rollback writes the old workers' size before it moves users, does not wait for them, and
// stops the others once they work.
func TestRollbackBringsWorkersBackFirst(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	stop := w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	stop()
	e := newEffects(before, false)
	w.kubelet.hold("mail-blue")
	w.runWith(e.config(plane.Config))
	rel := w.rollback()
	w.await(rel, "users to be back", track.Switched)
	w.await(rel, "the wait for the worker", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepRelieve })
	w.expectWorkers(workersSize, workersSize, true)
	w.kubelet.release(t, "mail-blue")
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectWorkers(workersSize, 0, true)
	inOrder(t, e.effects(), recallBlue, "PATCH ingresses/ingress replace rules/http/paths/backend/service/name", "release: ConfirmedAt",
		stopGreen)
}

// lingerWorkers keeps the pods of the worker on the live side from ending. They work by then: a pod
// that never got to a node ends at once.
func (w *world) lingerWorkers() {
	w.t.Helper()
	w.kubelet.linger("mail-blue")
	d := w.worker(v1alpha1.Blue, 0)
	w.until("the old workers", func() bool {
		w.get(d)
		return d.Status.AvailableReplicas == workersSize
	}, func() string { return fmt.Sprint(d.Status) })
}

// awaitOwedNothing waits until workers follow users.
func (w *world) awaitOwedNothing() {
	w.t.Helper()
	w.until("nothing is owed to workers", func() bool { return w.application().Status.WorkersOwed == nil }, func() string { return "" })
	w.settled()
}

// awaitFollowed waits until workers follow users.
func (w *world) awaitFollowed() {
	w.t.Helper()
	w.until("the workers to follow users", func() bool {
		return w.application().Status.WorkersOwed == nil && w.workerSize(v1alpha1.Green) == 0
	}, func() string { return fmt.Sprint(w.application().Status.WorkersOwed, w.workerSize(v1alpha1.Green)) })
	w.expectWorkers(workersSize, 0, true)
}

// A rollback does not wait for ever for the old workers. Once they work, the others are stopped.
func TestWorkersFollowUsersAfterALateRollback(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.kubelet.hold("mail-blue")
	w.patch(w.application(), `{"spec":{"deadlines":{"stage":"2s"}}}`)
	rel := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectWorkers(workersSize, workersSize, true)
	if owed := w.application().Status.WorkersOwed; owed == nil || owed.By != rel.Name {
		t.Errorf("owed is %+v", owed)
	}
	w.kubelet.release(t, "mail-blue")
	w.awaitFollowed()
}

// Somebody changes the target when the old workers were told to end. The release touches nothing
// of that, and its workers follow users.
func TestWorkersFollowUsersAfterInterference(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	w.lingerWorkers()
	w.run()
	rel := w.submit("a")
	w.await(rel, "the wait for the old workers", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseEnding
	})
	w.expectWorkers(0, workersSize, true)
	w.patch(w.deployment(v1alpha1.Green), `{"spec":{"template":{"metadata":{"annotations":{"someone":"else"}}}}}`)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	if rel.Status.Failure.Class != v1alpha1.FaultInterference {
		t.Errorf("the failure is %+v", rel.Status.Failure)
	}
	w.awaitFollowed()
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(1, 1)
	w.patch(w.worker(v1alpha1.Green, 0), `{"spec":{"replicas":1}}`)
	w.awaitLooks()
	w.expectWorkers(workersSize, 1, true) // whoever scales it now wins
}

// A process may act on what it observed before another one wrote a worker: each of its writes is
// refused, although it reads the Deployment again.
func TestWritesOfWorkersFromAnEarlierLookFail(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t)
	bg, workers := w.application(), workload.Workers{Workloads: &workload.Workloads{Client: w.kube, Reader: w.kube}}
	observe := func() track.Worker {
		all, err := workers.Observe(t.Context(), bg)
		check(t, err)
		return all[0]
	}
	early := observe()
	check(t, workers.Recall(t.Context(), bg, early.Sides[v1alpha1.Blue], workersSize, "a back"))
	check(t, workers.Stop(t.Context(), bg, early.Sides[v1alpha1.Green], "a back"))
	for name, now := range map[string]track.Worker{"as observed before": early, "of what was undone": observe()} {
		_, started := workers.Start(t.Context(), bg, now, workload.StartRequest{
			Target: v1alpha1.Green, Image: "gcr.io/acme-prod/my-python-app@sha256:" + strings.Repeat("a", 64), Release: "a", By: "a", Replicas: 2,
		})
		for what, err := range map[string]error{
			"start": started, "stop": workers.Stop(t.Context(), bg, now.Sides[v1alpha1.Blue], "a"),
			"recall": workers.Recall(t.Context(), bg, now.Sides[v1alpha1.Green], 1, "a"),
		} {
			if !apierrors.IsConflict(err) {
				t.Errorf("%s %s ends with %v, want a conflict", what, name, err)
			}
		}
	}
	w.expectWorkers(workersSize, 0, false)
}
