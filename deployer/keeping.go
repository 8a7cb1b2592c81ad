package deployer

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

// keeping reports workers that have worked for long for users that are gone.
type keeping struct{ telling telling }

// note sets a condition of the application while a worker is kept beyond its queue's deadline. It
// stays all the same: its tasks are lost or not, and only a person knows.
func (k keeping) note(w *work) {
	late := k.late(w)
	if late == nil {
		w.bg.Status.SetCommands(v1alpha1.ConditionWorkersKept, nil)
		meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionWorkersKept)
		return
	}
	advice := keptAdvice(w, *late)
	w.bg.Status.SetCommands(v1alpha1.ConditionWorkersKept, record.Commands(advice.Commands))
	fresh := meta.FindStatusCondition(w.bg.Status.Conditions, v1alpha1.ConditionWorkersKept) == nil
	meta.SetStatusCondition(&w.bg.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionWorkersKept, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: late.State, Message: record.Message(advice.Text),
	})
	if fresh {
		k.telling.event(w, corev1.EventTypeWarning, v1alpha1.ConditionWorkersKept, advice.Text)
	}
}

// late is the first worker whose deadline is over; nil if there is none.
func (k keeping) late(w *work) *v1alpha1.KeptWorker {
	owed := w.bg.Status.WorkersOwed
	if owed == nil {
		return nil
	}
	for i := range owed.Kept {
		limit, known := deadlineOf(w, owed.Kept[i].Worker)
		if !known {
			continue
		}
		at := owed.Since.Add(limit)
		if !w.o.Now.Before(at) {
			return &owed.Kept[i]
		}
		w.wakeAt(at)
	}
	return nil
}

// deadlineOf is that of a worker's queue.
func deadlineOf(w *work, worker string) (limit time.Duration, known bool) {
	i := queueOf(w.bg, worker)
	if i < 0 {
		return 0, false
	}
	return w.bg.Spec.Workers[i].Queue.Deadline.Duration, true
}

// keptAdvice is what a person can do. Only they know whether the tasks are needed.
func keptAdvice(w *work, k v1alpha1.KeptWorker) v1alpha1.Advice {
	limit, _ := deadlineOf(w, k.Worker)
	why := map[string]string{
		v1alpha1.ReasonTasksLeft: "its queue is not empty", v1alpha1.ReasonQueueUnknown: "nobody knows whether its queue is empty",
		v1alpha1.ReasonInUse: "users may still reach its side", v1alpha1.ReasonNotAsked: "its pods were not asked yet",
	}[k.State]
	if k.Detail != "" {
		why += ": " + k.Detail
	}
	return v1alpha1.Advise(fmt.Sprintf("worker %s: deployment %s works on for users that have left its version, after %s "+
		"(spec.workers[%s].queue.deadline): %s. The next deploy waits for it. Look at its pods; if nobody needs its tasks any more, "+
		"scale it to 0",
		k.Worker, k.Deployment, limit, k.Worker, why),
		v1alpha1.Shell("kubectl", "logs", "deployment/"+k.Deployment, "-n", w.bg.Namespace, "--all-containers"),
		v1alpha1.Kubectl("scale", "deployment", k.Deployment, w.bg.Namespace, "--replicas=0"))
}
