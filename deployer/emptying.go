package deployer

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// queueEvery is how often to ask about a queue that is not empty. Nobody waits for it but the
	// next deploy.
	queueEvery = 10 * time.Second
	// stepQueue begins the step of questions about a queue; the worker's name follows.
	stepQueue = "queue "
)

// emptying asks the pods of workers whether their queue is empty. They are asked in the background:
// a command may take its time, and a rollback must not wait for it.
type emptying struct {
	pods  gate.Access
	calls *calls
	looks *queueLooks
	every time.Duration // 0 means [queueEvery]
}

// ask returns what the pods of the side that users left said last, and asks them again when due. An
// answer is only about the Deployment, the routes and the debt for which it was asked.
func (e emptying) ask(ctx context.Context, w *work, worker track.Worker) track.QueueLook {
	i := queueOf(w.bg, worker.Name)
	if i < 0 {
		return track.QueueLook{}
	}
	side, app := worker.Sides[w.o.Routes.Live().Other()], client.ObjectKeyFromObject(w.bg)
	key := queueKey{app, worker.Name}
	about := fmt.Sprint(w.bg.Generation, w.bg.Status.WorkersOwed.By, side.DeploymentUID, side.Generation, w.o.Routes.UID,
		w.o.Routes.Generation)
	every := cmp.Or(e.every, queueEvery)
	known := e.looks.get(key)
	if known.about != about {
		known = queueLook{about: about}
	}
	if due := known.at.Add(every); w.o.Now.Before(due) {
		w.wakeAt(due)
		return known.told
	}
	t := e.calls.turn(app, turnKey{step: v1alpha1.Step(stepQueue + worker.Name)}, haste)
	access, spec, pods := e.pods, *w.bg.Spec.Workers[i].Queue, side.Side
	limit := callLimit
	if spec.Exec != nil {
		limit += spec.Exec.Timeout.Duration
	}
	q := question{what: "whether the queue of worker " + worker.Name + " is empty", about: about, limit: limit}
	told, err := ask(ctx, t, q, func(ctx context.Context) (queueLook, error) {
		at := time.Now()
		return queueLook{about: about, at: at, told: gate.Queue(ctx, access, spec, worker.Name, pods)}, nil
	})
	if err != nil { // not answered yet; the answer wakes the application
		w.wakeAt(w.o.Now.Add(silent))
		known.told.Empty = false
		return known.told
	}
	t.settle(w.o.Now, nil)
	if w.o.Now.Sub(told.at) > every+limit { // nobody was there to hear it
		told.told = track.QueueLook{}
	}
	e.looks.set(key, told)
	w.wakeAt(told.at.Add(every))
	return told.told
}

// queueOf is the place in the spec of a worker that has a queue of its own; -1 if there is none.
func queueOf(bg *v1alpha1.BlueGreen, worker string) int {
	for i, spec := range bg.Spec.Workers {
		if spec.Name == worker && spec.Queue != nil {
			return i
		}
	}
	return -1
}

// queueKey is a worker of an application.
type queueKey struct {
	app    client.ObjectKey
	worker string
}

// queueLook is an answer, what it was about, and when it was asked for.
type queueLook struct {
	about string
	at    time.Time
	told  track.QueueLook
}

// queueLooks are the last answers about queues. The zero value is ready to use.
type queueLooks struct {
	mu sync.Mutex
	of map[queueKey]queueLook
}

func (q *queueLooks) get(key queueKey) queueLook {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[key]
}

func (q *queueLooks) set(key queueKey, look queueLook) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = map[queueKey]queueLook{}
	}
	q.of[key] = look
}

// forget drops what is known of an application that is gone.
func (q *queueLooks) forget(app client.ObjectKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key := range q.of {
		if key.app == app {
			delete(q.of, key)
		}
	}
}
