package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Limits on a round's parallel requests: a colour of hundreds of pods must not hit the API
// server's own limits, and still be checked in one look.
const (
	requestsInFlight = 16
	commandsInFlight = 64
)

// Result is the result of a round.
type Result struct {
	// Passed: every pod answered every check correctly.
	Passed bool

	// Problem is the first bad answer, in the order of pods and checks.
	Problem *v1alpha1.Evidence

	// CouldNotLook is why not every pod could be checked, if nothing bad was seen. It is no
	// evidence about the application's health.
	CouldNotLook error
}

// outcome is the outcome of one attempt; the zero value is a good answer.
type outcome struct {
	problem      *v1alpha1.Evidence
	couldNotLook error
	silent       bool         // no answer: way shows whose fault that is
	way          func() error // nil if the way to the pod is open
}

// good reports whether a try passed.
func (o outcome) good() bool { return o.problem == nil && o.couldNotLook == nil }

// silently marks a problem that the way to the pod may have caused.
func (o outcome) silently() outcome {
	o.silent = true
	return o
}

// Round runs every check of a plan once on every pod, each request within tryTimeout, and returns
// when all have answered. The command runs once every request was answered well. Round skips pods
// that are ending, and stops at the first bad answer, since the round can no longer pass.
func Round(ctx context.Context, a Access, p Plan, tryTimeout time.Duration, pods []track.Pod) Result {
	var requests, commands []func() outcome
	for _, pod := range pods {
		if pod.Terminating {
			continue
		}
		if len(p.requests) == 0 && p.command == nil {
			requests = append(requests, func() outcome { return readiness(pod) })
		}
		for _, r := range p.requests {
			requests = append(requests, func() outcome {
				o := a.try(ctx, r, pod, tryTimeout)
				o.way = func() error { return a.wayTo(ctx, pod, p.probe, tryTimeout) }
				return o
			})
		}
		if p.command != nil {
			commands = append(commands, func() outcome {
				o := a.run(ctx, *p.command, pod)
				o.way = func() error { return a.wayToNode(ctx, pod, p.command.container) }
				return o
			})
		}
	}
	if len(requests)+len(commands) == 0 {
		return Result{CouldNotLook: errors.New("there is no pod to ask")}
	}
	outcomes := runAll(requests, requestsInFlight)
	if !slices.ContainsFunc(outcomes, func(o outcome) bool { return !o.good() }) {
		outcomes = append(outcomes, runAll(commands, commandsInFlight)...)
	}
	return sum(outcomes)
}

// runAll runs every attempt, some in parallel, and returns their outcomes in order. After a
// problem it starts no more.
func runAll(tries []func() outcome, inFlight int) []outcome {
	outcomes := make([]outcome, len(tries))
	slots := make(chan struct{}, inFlight)
	var found atomic.Bool
	var wg sync.WaitGroup
	for i, try := range tries {
		slots <- struct{}{}
		if found.Load() {
			break
		}
		wg.Go(func() {
			outcomes[i] = try()
			if outcomes[i].problem != nil {
				found.Store(true)
			}
			<-slots
		})
	}
	wg.Wait()
	return outcomes
}

// sum combines the outcomes. A bad answer outweighs a failed check, and silence counts as bad
// only if the way to the pod is open.
func sum(outcomes []outcome) Result {
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
		if err := silence.way(); err != nil {
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

func readiness(pod track.Pod) outcome {
	if pod.Ready {
		return outcome{}
	}
	return outcome{problem: &v1alpha1.Evidence{Pod: pod.Name, Message: fmt.Sprintf("pod %s is not Ready", pod.Name)}}
}
