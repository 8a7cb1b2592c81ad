package record

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// urgent is the priority of applications with a rollback; that of others is 0.
const urgent = 100

// Enqueue adds an application to a controller's work queue, because of an object: before all others if
// that is a rollback under way, since its users wait for it. It keeps this place until a look returns
// another, see [Urgency].
func Enqueue(q workqueue.TypedRateLimitingInterface[reconcile.Request], app reconcile.Request, because client.Object, after time.Duration) {
	ordered, ok := q.(priorityqueue.PriorityQueue[reconcile.Request])
	rel, isRelease := because.(*v1alpha1.Release)
	if !ok || !isRelease || !rollsBack(rel) {
		q.AddAfter(app, after)
		return
	}
	ordered.AddWithOpts(priorityqueue.AddOpts{After: after, Priority: new(urgent)}, app)
}

// Urgency is the priority of an application with these releases in a work queue.
func Urgency(releases []v1alpha1.Release) int {
	for i := range releases {
		if rollsBack(&releases[i]) {
			return urgent
		}
	}
	return 0
}

func rollsBack(rel *v1alpha1.Release) bool {
	return rel.Spec.Rollback != nil && !rel.Status.Phase.Finished()
}
