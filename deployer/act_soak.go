package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
)

// soak watches the new version under live traffic, and then it is a success.
func (a *attempt) soak(ctx context.Context) (pause, error) {
	if by := a.rollbackOf(a.rel); by != nil {
		return pause{}, &fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "rolled back by " + by.Name,
		}
	}
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	if st.Milestones.SoakStartedAt == nil {
		st.Milestones.SoakStartedAt = &now
		st.Soak = &v1alpha1.SoakStatus{Restarts: a.o.Target.Restarts()}
	}
	watch := track.SoakWatch{Began: st.Milestones.SoakStartedAt.Time, Length: a.bg.Spec.SoakTime(), Interval: a.bg.Spec.Gate.Interval.Duration}
	if at := watch.NextAt(*st.Soak); a.o.Now.Before(at) {
		return pause{until: at}, nil
	}
	books, verdict := watch.Step(*st.Soak, a.lookLive(ctx))
	st.Soak = &books
	switch verdict.Outcome {
	case track.SoakAgain:
		return pause{until: verdict.At, message: verdict.Message, waits: verdict.Waits}, nil
	case track.SoakUnseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedSoakUnseen, message: fmt.Sprintf(
			"%s; users stay on %s: look at it yourself, and type /rollback if it is bad", verdict.Message, a.target())}
	case track.SoakCrashed:
		f := releaseFault(v1alpha1.FailedSoakRestarts, "containers of %s were restarted %s", a.o.Target.Deployment, verdict.Message)
		f.evidence = a.d.Workloads.Evidence(ctx, a.bg, a.o.Target)
		return pause{}, f
	case track.SoakFailed:
		f := releaseFault(v1alpha1.FailedSoak, "%s", verdict.Message)
		f.evidence = append(f.evidence, *verdict.Evidence)
		return pause{}, f
	case track.SoakHeld:
	}
	st.Milestones.SoakedAt = &now
	a.say(verdict.Message)
	return pause{}, nil
}

// lookLive looks once at the live colour: how many pods are ready, and whether
// those that are, and so have users, answer the gate's requests.
func (a *attempt) lookLive(ctx context.Context) track.SoakLook {
	t := a.o.Target
	l := track.SoakLook{At: a.o.Now, Restarts: t.Restarts()}
	if l.Problem = track.TooFewReady(t); l.Problem != nil {
		return l
	}
	l.Problem, l.Unseen = a.askReady(ctx, t)
	return l
}

// askReady asks the gate's requests of every ready pod of a colour once. A pod
// that is not ready has no users; how many may be so is not for this to say.
func (a *attempt) askReady(ctx context.Context, side track.Side) (problem *v1alpha1.Evidence, unseen error) {
	plan, err := gate.LivePlanFor(a.bg.Spec.Gate, side)
	if err != nil {
		return nil, err
	}
	result := gate.Round(ctx, a.d.Pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, side.Ready())
	return result.Problem, result.CouldNotLook
}

// cannotTakeBack says why traffic must not go back to the previous colour: it
// has no ready endpoint, or it fails the same requests now. A broken database
// fails both colours, and then moving traffic only adds to the trouble. One bad
// answer may be chance, so it is asked twice. That it cannot be asked is no
// reason to leave users with a version that is known to be bad: its endpoints
// are ready. Nor is it asked once a person wants users back: it may be slow to answer.
func (a *attempt) cannotTakeBack(ctx context.Context) (string, error) {
	side := a.o.Previous
	endpoints, err := a.d.Routes.ReadyEndpoints(ctx, a.bg.Namespace, side.Service)
	if err != nil {
		return "", err
	}
	if len(endpoints) == 0 {
		return fmt.Sprintf("service %s, the previous colour, has no ready endpoints", side.Service), nil
	}
	if a.rollbackOf(a.rel) != nil {
		return "", nil
	}
	var problem *v1alpha1.Evidence
	for range 2 {
		var unseen error
		problem, unseen = a.askReady(ctx, side)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if unseen != nil {
			a.finding(fmt.Sprintf("the previous colour could not be asked before traffic went back to it: %v", unseen))
		}
		if problem == nil {
			return "", nil
		}
	}
	return "the previous colour fails the same gate now: " + problem.Message, nil
}
