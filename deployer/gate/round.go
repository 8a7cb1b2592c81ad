package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// inFlight is how many requests a round has under way at most, so that a colour
// of hundreds of pods does not meet the API server's own limits.
const inFlight = 16

// Result is what a round came to.
type Result struct {
	// Passed: every pod answered every check as it must.
	Passed bool

	// Problem is the first bad answer, in the order of pods and checks.
	Problem *v1alpha1.Evidence

	// CouldNotLook is why not every pod could be asked, where nothing bad was
	// seen. It says nothing about the application's health.
	CouldNotLook error
}

// outcome is one try; the zero value is a good answer.
type outcome struct {
	problem      *v1alpha1.Evidence
	couldNotLook error
	silent       bool // whose silence it was has still to be told
	pod          workload.Pod
}

// silentPod marks a problem that could as well be that of the way to the pod.
func (o outcome) silentPod(pod workload.Pod) outcome {
	o.silent, o.pod = true, pod
	return o
}

// Round asks every pod every check of a plan once, each within tryTimeout, and
// returns when all have answered. Pods that are ending are not asked.
func Round(ctx context.Context, a Access, p Plan, tryTimeout time.Duration, pods []workload.Pod) Result {
	var tries []func() outcome
	for _, pod := range pods {
		switch {
		case pod.Terminating:
		case len(p.requests) == 0:
			tries = append(tries, func() outcome { return readiness(pod) })
		default:
			for _, r := range p.requests {
				tries = append(tries, func() outcome { return a.try(ctx, r, pod, tryTimeout) })
			}
		}
	}
	if len(tries) == 0 {
		return Result{CouldNotLook: errors.New("there is no pod to ask")}
	}
	return sum(runAll(tries), func(pod workload.Pod) error { return a.wayTo(ctx, pod, p.probe, tryTimeout) })
}

// runAll runs every try, inFlight at a time, and returns their outcomes in
// order.
func runAll(tries []func() outcome) []outcome {
	outcomes := make([]outcome, len(tries))
	slots := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	for i, try := range tries {
		slots <- struct{}{}
		wg.Go(func() {
			outcomes[i] = try()
			<-slots
		})
	}
	wg.Wait()
	return outcomes
}

// sum makes one result of many outcomes. A bad answer outweighs not having
// looked, and silence counts as bad only if the way to the pod is open.
func sum(outcomes []outcome, wayTo func(workload.Pod) error) Result {
	var result Result
	var silence *outcome
	for i, o := range outcomes {
		switch {
		case o.silent && silence == nil:
			silence = &outcomes[i]
		case o.problem != nil && !o.silent && result.Problem == nil:
			result.Problem = o.problem
		case o.couldNotLook != nil && result.CouldNotLook == nil:
			result.CouldNotLook = o.couldNotLook
		}
	}
	if silence != nil && result.Problem == nil {
		if err := wayTo(silence.pod); err != nil {
			return Result{CouldNotLook: err}
		}
		result.Problem = silence.problem
	}
	if result.Problem != nil {
		result.CouldNotLook = nil
	}
	result.Passed = result.Problem == nil && result.CouldNotLook == nil
	return result
}

func readiness(pod workload.Pod) outcome {
	if pod.Ready {
		return outcome{}
	}
	return outcome{problem: &v1alpha1.Evidence{Pod: pod.Name, Message: fmt.Sprintf("pod %s is not Ready", pod.Name)}}
}
