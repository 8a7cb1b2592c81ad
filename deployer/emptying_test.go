package deployer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/exec"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// tasks are the answers of the workers' pods about their queues.
type tasks struct {
	mu    sync.Mutex
	left  map[v1alpha1.Color]error // nil: the queue is empty
	asked map[v1alpha1.Color]int
}

var errTasks = exec.CodeExitError{Err: errors.New("exit status 1"), Code: 1}

func (q *tasks) set(c v1alpha1.Color, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.left[c] = err
}

func (q *tasks) times(c v1alpha1.Color) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.asked[c]
}

func (q *tasks) ask(c v1alpha1.Color) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked[c]++
	return q.left[c]
}

// newWorldWithQueues has a worker with a queue on each side. Both have tasks.
func newWorldWithQueues(t testing.TB, change ...func(*v1alpha1.BlueGreen)) (*world, *tasks) {
	t.Helper()
	w := newWorldWithWorker(t, append(change, withQueue)...)
	q := &tasks{left: map[v1alpha1.Color]error{v1alpha1.Blue: errTasks, v1alpha1.Green: errTasks}, asked: map[v1alpha1.Color]int{}}
	w.executes(func(_ context.Context, c controlplanetest.Command) error {
		if got := strings.Join(c.Line, " "); got != "queue empty" || c.Container != "app" {
			t.Errorf("container %s runs %q", c.Container, got)
		}
		return q.ask(colourOfWorker(c.Pod))
	})
	return w, q
}

func colourOfWorker(pod string) v1alpha1.Color {
	return v1alpha1.Color(strings.Split(strings.TrimPrefix(pod, "my-python-app-mail-"), "-")[0])
}

func withQueue(bg *v1alpha1.BlueGreen) {
	queuedWorker(bg, v1alpha1.QueueSpec{Exec: &v1alpha1.QueueCommand{Command: []string{"queue", "empty"}}})
}

func queuedWorker(bg *v1alpha1.BlueGreen, q v1alpha1.QueueSpec) {
	withWorker(bg)
	bg.Spec.Workers[0].Queue = &q
}

func asksQueuesOften(d *Deployer) { d.QueueEvery = 20 * time.Millisecond }

// awaitKept waits until the worker is kept for a reason.
func (w *world) awaitKept(state string) v1alpha1.KeptWorker {
	w.t.Helper()
	var kept v1alpha1.KeptWorker
	w.until("the worker to be kept: "+state, func() bool {
		owed := w.application().Status.WorkersOwed
		if owed == nil || len(owed.Kept) != 1 {
			return false
		}
		kept = owed.Kept[0]
		return kept.State == state
	}, func() string { return fmt.Sprintf("%+v", w.application().Status.WorkersOwed) })
	return kept
}

// awaitStopped waits until a side's worker is stopped and nothing is owed.
func (w *world) awaitStopped(c v1alpha1.Color) {
	w.t.Helper()
	w.until("the worker to be stopped", func() bool {
		return w.workerSize(c) == 0 && w.application().Status.WorkersOwed == nil
	}, func() string { return fmt.Sprintf("%d, %+v", w.workerSize(c), w.application().Status.WorkersOwed) })
}

// Users are moved while both sides work. The old one is stopped once its pods say that their queue is
// empty: neither another exit code nor a failed question says so.
func TestWorkersWithAQueueWorkOnUntilItIsEmpty(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	e := newEffects(before, false)
	w.runWith(e.config(plane.Config), asksQueuesOften)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	kept := w.awaitKept(v1alpha1.ReasonTasksLeft)
	if kept.Deployment != "my-python-app-mail-blue" || !strings.Contains(kept.Detail, "command queue empty: exited with 1") {
		t.Errorf("kept is %+v", kept)
	}
	if owed := w.application().Status.WorkersOwed; owed.By != rel.Name {
		t.Errorf("owed is %+v", owed)
	}
	if !slices.ContainsFunc(rel.Status.Timeline, func(e v1alpha1.TimelineEntry) bool {
		return e.Step == v1alpha1.StepWorkers && strings.Contains(e.Message, "these work on: my-python-app-mail-blue")
	}) {
		t.Errorf("the timeline is %+v", rel.Status.Timeline)
	}
	w.expectWorkers(workersSize, workersSize, true)
	q.set(v1alpha1.Blue, errors.New("containerd is restarting"))
	w.awaitKept(v1alpha1.ReasonQueueUnknown)
	w.expectWorkers(workersSize, workersSize, true)
	q.set(v1alpha1.Blue, nil)
	w.awaitStopped(v1alpha1.Blue)
	w.expectWorkers(0, workersSize, true)
	if n := q.times(v1alpha1.Green); n != 0 {
		t.Errorf("the new version's pods were asked %d times", n)
	}
	inOrder(t, e.effects(), startGreen, "release: WorkersAt", "PATCH ingresses/ingress replace rules/http/paths/backend/service/name",
		"release: FinishedAt", stopBlue)
}

// A queue is asked over HTTP as a gate's pods are: 200 means that it is empty.
func TestWorkersAreAskedOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorldWithWorker(t, func(bg *v1alpha1.BlueGreen) {
		queuedWorker(bg, v1alpha1.QueueSpec{HTTP: &v1alpha1.QueueRequest{Path: "/queue", Port: 9000}})
	})
	var mu sync.Mutex
	status := http.StatusNoContent
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasPrefix(pod.Name, "my-python-app-mail-blue") {
			return http.StatusOK, nil // the gate's
		}
		return status, nil
	}), asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if kept := w.awaitKept(v1alpha1.ReasonTasksLeft); !strings.Contains(kept.Detail, "GET /queue on port 9000: answered 204, expected 200") {
		t.Errorf("kept is %+v", kept)
	}
	w.expectWorkers(workersSize, workersSize, true)
	mu.Lock()
	status = http.StatusOK
	mu.Unlock()
	w.awaitStopped(v1alpha1.Blue)
}

// A rollback finds the old workers at work, and stops none that has tasks.
func TestRollbackNeverStopsWorkersWithTasks(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	e := newEffects(before, false)
	w.runWith(e.config(plane.Config), asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitKept(v1alpha1.ReasonTasksLeft)
	rel := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if kept := w.awaitKept(v1alpha1.ReasonTasksLeft); kept.Deployment != "my-python-app-mail-green" {
		t.Errorf("kept is %+v", kept)
	}
	if owed := w.application().Status.WorkersOwed; owed.By != rel.Name {
		t.Errorf("owed is %+v", owed)
	}
	w.expectWorkers(workersSize, workersSize, true)
	q.set(v1alpha1.Green, nil)
	w.awaitStopped(v1alpha1.Green)
	w.expectWorkers(workersSize, 0, true)
	if slices.Contains(e.effects(), stopBlue) {
		t.Errorf("the old workers were stopped: %v", e.effects())
	}
}

// Tasks that the users of a failed version left are worked on, after users are back.
func TestRestoreKeepsWorkersWithTasks(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t, soaks(time.Hour))
	w.run(asksQueuesOften)
	rel := w.await(w.submit("a"), "soak", soaking)
	w.countRestarts(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.expectLive(v1alpha1.Blue)
	w.awaitKept(v1alpha1.ReasonTasksLeft)
	w.expectWorkers(workersSize, workersSize, true)
	q.set(v1alpha1.Green, nil)
	w.awaitStopped(v1alpha1.Green)
	w.expectWorkers(workersSize, 0, true)
}

// No user reached the new version, so nobody is asked, and nobody has to answer.
func TestWorkersThatNoUserReachedAreStoppedAtOnce(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	w.kubelet.crash("mail-green")
	w.run(asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.settled()
	w.expectWorkers(workersSize, 0, true)
	if owed := w.application().Status.WorkersOwed; owed != nil || q.times(v1alpha1.Green)+q.times(v1alpha1.Blue) != 0 {
		t.Errorf("owed is %+v", owed)
	}
}

// Front ends may still send users to the old side, whose queue may look empty before they do.
func TestQueueIsNotAskedBeforeUsersAreGone(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Drain = duration(time.Hour) })
	q.set(v1alpha1.Blue, nil)
	w.run(asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitKept(v1alpha1.ReasonInUse)
	w.awaitLooks()
	w.expectWorkers(workersSize, workersSize, true)
	if n := q.times(v1alpha1.Blue); n != 0 {
		t.Errorf("the old version's pods were asked %d times", n)
	}
	w.configure(`{"drain":"0s"}`)
	w.awaitStopped(v1alpha1.Blue)
}

// Another Ingress still sends users to the old side: its queue is empty only for a moment.
func TestWorkersOfASideThatIsInUseWorkOn(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	other := w.ingress()
	other.Name = "other"
	other.Spec.Rules = other.Spec.Rules[:1]
	other.Spec.Rules[0].Host = "other.example.com"
	w.create(other)
	q.set(v1alpha1.Blue, nil)
	w.run(asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if kept := w.awaitKept(v1alpha1.ReasonInUse); !strings.Contains(kept.Detail, "is still used by ingress other") {
		t.Errorf("kept is %+v", kept)
	}
	w.expectWorkers(workersSize, workersSize, true)
}

// The next version touches the old side only once its tasks are done. A person may decide that they
// need not be.
func TestNextDeployWaitsForTheQueueOfItsSide(t *testing.T) {
	t.Parallel()
	w, _ := newWorldWithQueues(t)
	w.source.commit("b", "a")
	w.run(asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	next := w.submit("b")
	w.await(next, "the wait for the queue", func(r *v1alpha1.Release) bool {
		waits := r.Status.Waiting
		return waits != nil && waits.For == v1alpha1.WaitsForDrain && waits.Because == v1alpha1.BecauseQueue &&
			waits.Object == "my-python-app-mail-blue"
	})
	w.awaitKept(v1alpha1.ReasonTasksLeft)
	w.expectWorkers(workersSize, workersSize, true)
	w.patch(w.worker(v1alpha1.Blue, 0), `{"spec":{"replicas":0}}`)
	w.awaitPhase(next, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if b := w.workerSize(v1alpha1.Blue); b != workersSize {
		t.Errorf("the worker has the size %d on blue", b)
	}
}

// Beyond the deadline it is reported, and the workers work on.
func TestWorkersThatWorkForLongAreReported(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	w.configure(`{"workers":[{"name":"mail","queue":{"deadline":"1s","exec":{"command":["queue","empty"]}}}]}`)
	w.run(asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	var bg *v1alpha1.BlueGreen
	w.until("the condition", func() bool {
		bg = w.application()
		c := meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionWorkersKept)
		return c != nil && c.Reason == v1alpha1.ReasonTasksLeft &&
			strings.Contains(c.Message, "deployment my-python-app-mail-blue works on for users that have left its version, after 1s")
	}, func() string { return fmt.Sprintf("%+v", bg.Status.Conditions) })
	commands := bg.Status.CommandsOf(v1alpha1.ConditionWorkersKept)
	want := v1alpha1.Kubectl("scale", "deployment", "my-python-app-mail-blue", w.namespace, "--replicas=0")
	if len(commands) != 2 || commands[1] != want {
		t.Errorf("the commands are %q", commands)
	}
	w.expectWorkers(workersSize, workersSize, true)
	q.set(v1alpha1.Blue, nil)
	w.awaitStopped(v1alpha1.Blue)
	w.until("the condition to go", func() bool {
		return meta.FindStatusCondition(w.application().Status.Conditions, v1alpha1.ConditionWorkersKept) == nil
	}, func() string { return "" })
}

// A process that hung right before it stopped the old workers wakes up after a rollback to them.
func TestLateStopDoesNotReachWorkersThatCameBack(t *testing.T) {
	t.Parallel()
	w, q := newWorldWithQueues(t)
	q.set(v1alpha1.Blue, nil)
	l := w.startLate(func(what, body string) bool {
		return what == "PATCH deployments/my-python-app-mail-blue" && strings.Contains(body, `"value":0`)
	}, asksQueuesOften)
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	l.stuck()
	w.run(quick("second"))
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	l.arrives()
	w.expectWorkers(workersSize, workersSize, true)
}

// The schema refuses what could not work.
func TestQueuesThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		spec, want string
	}{
		"no check":    {`{"workers":[{"name":"mail","queue":{}}]}`, "queue needs http or exec, and not both"},
		"both checks": {`{"workers":[{"name":"mail","queue":{"http":{"path":"/","port":1},"exec":{"command":["a"]}}}]}`, "and not both"},
		"a canary": {`{"gateway":{"route":"shop"},"canary":{"steps":[{"weight":5,"for":"5m"}]},` +
			`"workers":[{"name":"mail","queue":{"exec":{"command":["a"]}}}]}`, "does not go with canary"},
		"a path that leads": {`{"workers":[{"name":"mail","queue":{"http":{"path":"/../x","port":1}}}]}`, "must not have . or .. as a part"},
		"a slow command":    {`{"workers":[{"name":"mail","queue":{"exec":{"command":["a"],"timeout":"61s"}}}]}`, "at most 1m"},
	} {
		err := w.kube.Patch(t.Context(), w.application(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+tt.spec+`}`)))
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: it is answered %v", name, err)
		}
	}
}
