package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
)

// livePods checks whether live pods are healthy.
type livePods struct{ pods gate.Access }

// askReady sends the gate's requests once to every ready pod of a colour. An unready pod has no
// users; its caller judges how many may be unready.
func (l livePods) askReady(ctx context.Context, w *work, side track.Side) (problem *v1alpha1.Evidence, unseen error) {
	plan, err := gate.LivePlanFor(w.bg.Spec.Gate, side)
	if err != nil {
		return nil, err
	}
	result := gate.Round(ctx, l.pods, plan, w.bg.Spec.Gate.TryTimeout.Duration, side.Ready())
	return result.Problem, result.CouldNotLook
}

// look looks once at the target, which has users.
func (l livePods) look(ctx context.Context, a *attempt) track.SoakLook {
	return l.lookAt(ctx, a.work, a.o.Target)
}

// lookAt looks once at a colour that has users: how many pods are ready, and whether the ready
// ones answer the gate's requests.
func (l livePods) lookAt(ctx context.Context, w *work, side track.Side) track.SoakLook {
	look := track.SoakLook{At: w.o.Now, Restarts: side.Restarts()}
	if look.Problem = track.TooFewReady(side); look.Problem != nil {
		return look
	}
	look.Problem, look.Unseen = l.askReady(ctx, w, side)
	return look
}

// watchFault is how a watch of pods that have users fails a release; nil if it does not.
func watchFault(ctx context.Context, a *attempt, from evidenceReader, v track.SoakVerdict) error {
	switch v.Outcome {
	case track.SoakCrashed:
		f := releaseFault(v1alpha1.FailedSoakRestarts, "containers of %s were restarted %s", a.o.Target.Deployment, v.Message)
		f.evidence = from.Evidence(ctx, a.bg, a.o.Target)
		return f
	case track.SoakFailed:
		f := releaseFault(v1alpha1.FailedSoak, "%s", v.Message)
		f.evidence = append(f.evidence, *v.Evidence)
		return f
	case track.SoakAgain, track.SoakHeld, track.SoakUnseen:
	}
	return nil
}
