package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

const (
	// confirmAnswers is how many good answers in a row confirm a switch, and how
	// many bad or missing ones in a row say otherwise.
	confirmAnswers = 3
	// confirmPause is the time between two requests.
	confirmPause = 200 * time.Millisecond
)

// confirm asks the public address whether users are served. What was not
// observed is said to be not observed; the prober's own trouble never moves
// traffic.
func (a *attempt) confirm(ctx context.Context) (pause, error) {
	if a.bg.Spec.URL == "" {
		a.confirmed(v1alpha1.ProofStatus{Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set"})
		return pause{}, nil
	}
	proof := a.rel.Status.Proof
	if proof == nil {
		proof = &v1alpha1.ProofStatus{}
	}
	var last route.Answer
	good, bad, unseen := 0, 0, 0
	for range confirmAnswers {
		last = route.Ask(ctx, a.bg.Spec.URL, a.bg.Spec.Proof)
		switch last.Kind {
		case route.Served:
			good++
		case route.Broken:
			bad++
		case route.Unseen:
			unseen++
		}
		if err := sleep(ctx, confirmPause); err != nil {
			return pause{}, err
		}
	}
	proof.Requests += int32(good + bad) //nolint:gosec // at most 3 a look
	proof.Failed += int32(bad)          //nolint:gosec // at most 3 a look
	proof.Message = last.Text
	a.rel.Status.Proof = proof
	switch {
	case good == confirmAnswers:
		proof.Result = v1alpha1.ProofConfirmed
		a.confirmed(*proof)
		return pause{}, nil
	case bad == confirmAnswers:
		proof.Result = v1alpha1.ProofFailed
		return pause{}, releaseFault("PublicAddress", "%s fails since the switch: %s", a.bg.Spec.URL, last.Text)
	case unseen == confirmAnswers:
		a.confirmed(v1alpha1.ProofStatus{Result: v1alpha1.ProofNotObserved, Requests: proof.Requests, Message: "the public address could not be asked: " + last.Text})
		a.finding("the switch was not observed from outside: " + last.Text)
		return pause{}, nil
	}
	return pause{until: a.o.Now.Add(time.Second), message: "asks " + a.bg.Spec.URL + ": " + last.Text}, nil
}

func (a *attempt) confirmed(p v1alpha1.ProofStatus) {
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Proof = &p
	a.rel.Status.Milestones.ConfirmedAt = &now
	a.say(fmt.Sprintf("%s: %s", p.Result, p.Message))
}

// sleep waits between two requests of one look, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("asking the public address: %w", ctx.Err())
	case <-time.After(d):
		return nil
	}
}
