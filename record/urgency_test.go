package record

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Users wait for a rollback under way, and for nothing else in the queue as much.
func TestRollbacksComeFirstInTheQueue(t *testing.T) {
	t.Parallel()
	q := priorityqueue.New[reconcile.Request]("test")
	defer q.ShutDown()
	app := func(name string) reconcile.Request {
		return reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: name}}
	}
	rollback := &v1alpha1.RollbackSpec{}
	Enqueue(q, app("deploy"), &v1alpha1.Release{}, 0)
	Enqueue(q, app("other"), &v1alpha1.BlueGreen{}, 0)
	Enqueue(q, app("ended"), &v1alpha1.Release{
		Spec: v1alpha1.ReleaseSpec{Rollback: rollback}, Status: v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseSucceeded},
	}, 0)
	Enqueue(q, app("rollback"), &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Rollback: rollback}}, 0)
	Enqueue(q, app("rollback"), &v1alpha1.Release{}, 0) // another event of the same application takes nothing away
	var order []string
	for range 4 {
		next, _ := q.Get()
		order = append(order, next.Name)
		q.Done(next)
	}
	if want := []string{"rollback", "deploy", "other", "ended"}; !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

// An application keeps the place of a rollback only until that has ended.
func TestUrgencyEndsWithTheRollback(t *testing.T) {
	t.Parallel()
	back := v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Rollback: &v1alpha1.RollbackSpec{}}}
	ended := *back.DeepCopy()
	ended.Status.Phase = v1alpha1.ReleaseSucceeded
	if got := Urgency([]v1alpha1.Release{{}, back}); got != urgent {
		t.Errorf("the priority during a rollback is %d, want %d", got, urgent)
	}
	if got := Urgency([]v1alpha1.Release{{}, ended}); got != 0 {
		t.Errorf("the priority afterwards is %d, want 0", got)
	}
}
