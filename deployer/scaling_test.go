package deployer

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var scaledObjectKind = schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}

func (w *world) scaledObject(c v1alpha1.Color) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(scaledObjectKind)
	u.SetNamespace(w.namespace)
	u.SetName("my-python-app-mail-" + string(c))
	u.Object["spec"] = map[string]any{"scaleTargetRef": map[string]any{"name": u.GetName()}}
	return u
}

// newWorldWithScalers has a worker whose sides KEDA scales.
func newWorldWithScalers(t testing.TB) *world {
	t.Helper()
	w := newWorldWithWorker(t)
	w.create(w.scaledObject(v1alpha1.Blue))
	w.create(w.scaledObject(v1alpha1.Green))
	return w
}

// scaleByTasks does what KEDA does while every queue has tasks, and at once: a Deployment of size 0
// gets the size 1, and a paused one keeps the size of the annotation.
func (w *world) scaleByTasks() {
	w.t.Helper()
	kube, err := client.NewWithWatch(plane.Config, client.Options{Scheme: scheme()})
	check(w.t, err)
	objects := &unstructured.UnstructuredList{}
	objects.SetGroupVersionKind(scaledObjectKind)
	for _, list := range []client.ObjectList{objects, &appsv1.DeploymentList{}} {
		ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
		events, err := kube.Watch(ctx, list, client.InNamespace(w.namespace))
		check(w.t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for event := range events.ResultChan() {
				if o, ok := event.Object.(client.Object); ok && event.Type != watch.Deleted {
					w.scaleOne(ctx, kube, o.GetName())
				}
			}
		}()
		w.t.Cleanup(func() {
			cancel()
			events.Stop()
			<-done
		})
	}
}

func (w *world) scaleOne(ctx context.Context, kube client.Client, name string) {
	u, d := w.scaledObject(v1alpha1.Blue), &appsv1.Deployment{ObjectMeta: w.meta(name)}
	u.SetName(name)
	if kube.Get(ctx, keyOf(u), u) != nil || kube.Get(ctx, keyOf(d), d) != nil {
		return
	}
	size := max(1, *d.Spec.Replicas)
	if fixed, paused := u.GetAnnotations()[v1alpha1.PausedReplicasAnnotation]; paused {
		if _, err := fmt.Sscan(fixed, &size); err != nil {
			return
		}
	}
	if size != *d.Spec.Replicas {
		d.Spec.Replicas = &size
		_ = kube.Update(ctx, d) // a conflict is another event
	}
}

// awaitScalers waits until KEDA leaves the side without users at size 0.
func (w *world) awaitScalers(live v1alpha1.Color) {
	w.t.Helper()
	state := func() string {
		return fmt.Sprintf("blue has %d %v, green has %d %v", w.workerSize(v1alpha1.Blue), w.scalerOf(v1alpha1.Blue),
			w.workerSize(v1alpha1.Green), w.scalerOf(v1alpha1.Green))
	}
	w.until("the scalers to follow users", func() bool {
		_, livePaused := w.scalerOf(live)[v1alpha1.PausedReplicasAnnotation]
		return !livePaused && w.workerSize(live) > 0 && w.scalerOf(live.Other())[v1alpha1.PausedReplicasAnnotation] == "0" &&
			w.workerSize(live.Other()) == 0
	}, state)
}

func (w *world) scalerOf(c v1alpha1.Color) map[string]string {
	u := w.scaledObject(c)
	w.get(u)
	return u.GetAnnotations()
}

// KEDA sees tasks all the time, and would start the workers of either side.
func TestKEDAStartsNoWorkersWhereNoUsersAre(t *testing.T) {
	t.Parallel()
	w := newWorldWithScalers(t)
	w.run()
	w.awaitScalers(v1alpha1.Blue)
	w.scaleByTasks()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitScalers(v1alpha1.Green)
	w.awaitLooks()
	w.awaitScalers(v1alpha1.Green)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitScalers(v1alpha1.Blue)
}

// What its owner does with a ScaledObject of workers that rest stays.
func TestOwnerMayResumeAScaledObject(t *testing.T) {
	t.Parallel()
	w := newWorldWithScalers(t)
	w.run()
	w.awaitScalers(v1alpha1.Blue)
	w.patch(w.scaledObject(v1alpha1.Green), fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.PausedReplicasAnnotation))
	w.awaitLooks()
	if got, there := w.scalerOf(v1alpha1.Green)[v1alpha1.PausedReplicasAnnotation]; there {
		t.Errorf("it is paused again, at %s", got)
	}
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitScalers(v1alpha1.Green)
	if _, marked := w.scalerOf(v1alpha1.Green)[v1alpha1.PausedAnnotation]; marked {
		t.Error("it is still marked as paused")
	}
}

// A process that hung right before it paused the old workers' ScaledObject wakes up after a rollback
// to them.
func TestLatePauseDoesNotReachWorkersThatCameBack(t *testing.T) {
	t.Parallel()
	w := newWorldWithScalers(t)
	l := w.startLate(func(what, _ string) bool { return what == "PATCH scaledobjects/my-python-app-mail-blue" })
	rel := w.submit("a")
	l.stuck()
	w.run(quick("second"))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitScalers(v1alpha1.Blue)
	l.arrives()
	w.awaitScalers(v1alpha1.Blue)
}
