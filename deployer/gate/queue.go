package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// queueTry bounds one request about a queue.
const queueTry = 2 * time.Second

// Queue asks every pod of a worker's side whether its queue is empty, in the way that the spec says,
// and returns when all have answered, or one said that it is not. It reaches pods like [Round]. Pods
// that are ending are not asked. A side without another pod is unknown.
func Queue(ctx context.Context, a Access, spec v1alpha1.QueueSpec, worker string, s track.Side) track.QueueLook {
	plan, err := queuePlan(spec, worker, s)
	if err != nil {
		return track.QueueLook{Unknown: err.Error()}
	}
	r := Round(ctx, a, plan, queueTry, s.Pods)
	switch {
	case r.Problem != nil:
		return track.QueueLook{Left: fmt.Sprintf("pod %s: %s: %s", r.Problem.Pod, r.Problem.Request, r.Problem.Message)}
	case r.CouldNotLook != nil:
		return track.QueueLook{Unknown: clip(r.CouldNotLook.Error())}
	}
	return track.QueueLook{Empty: true}
}

// queuePlan is the check of a queue. A check that asks nothing would pass.
func queuePlan(spec v1alpha1.QueueSpec, worker string, s track.Side) (Plan, error) {
	field := "spec.workers[" + worker + "].queue"
	switch {
	case spec.HTTP != nil:
		if err := checkPath(spec.HTTP.Path); err != nil {
			return Plan{}, fmt.Errorf("%s.http.path: %w", field, err)
		}
		return Plan{requests: []request{{HTTPCheck: v1alpha1.HTTPCheck{
			Path: spec.HTTP.Path, Port: spec.HTTP.Port, Scheme: "HTTP", Status: http.StatusOK,
		}}}}, nil
	case spec.Exec == nil:
		return Plan{}, errors.New(field + " needs http or exec")
	case s.Container == "":
		return Plan{}, fmt.Errorf("spec.workers[%s].container must name the container for queue.exec: deployment %s has %s", worker,
			s.Deployment, strings.Join(s.Containers, ", "))
	}
	return Plan{command: &command{
		line: spec.Exec.Command, timeout: cmp.Or(spec.Exec.Timeout.Duration, commandTimeout), container: s.Container,
		field: field + ".exec.timeout",
	}}, nil
}
