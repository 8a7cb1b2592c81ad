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
func (l livePods) askReady(ctx context.Context, a *attempt, side track.Side) (problem *v1alpha1.Evidence, unseen error) {
	plan, err := gate.LivePlanFor(a.bg.Spec.Gate, side)
	if err != nil {
		return nil, err
	}
	result := gate.Round(ctx, l.pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, side.Ready())
	return result.Problem, result.CouldNotLook
}
