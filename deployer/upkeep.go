package deployer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// retryShrink is when a colour that was still referred to is looked at again.
const retryShrink = time.Minute

// upkeep shrinks the colour that the last switch left, after drain and hold. It
// is the application's own, not a release's: a release ends after its soak.
func (w *work) upkeep(ctx context.Context) error {
	last := w.bg.Status.LastSwitch
	if last == nil || last.Shrunk {
		return nil
	}
	if at := shrinkAt(w.bg); w.o.Now.Before(at) {
		w.wakeAt(at)
		return nil
	}
	if w.o.Routes.Live() == last.To.Color {
		why, err := w.shrink(ctx, last.From.Color, w.bg.Spec.StandbyReplicas)
		if err != nil {
			return err
		}
		if why != "" {
			w.log.WarnContext(ctx, "the old colour is not shrunk", "reason", why)
			w.wakeAt(w.o.Now.Add(retryShrink))
			return nil
		}
	}
	// Somebody else moved the traffic since: then nothing is ours to shrink.
	last.Shrunk = true
	return nil
}

// shrinkAt is when the colour that the last switch left may be shrunk. What a
// restore left failed, and is held for nobody.
func shrinkAt(bg *v1alpha1.BlueGreen) time.Time {
	last := bg.Status.LastSwitch
	keep := bg.Spec.DrainTime()
	if last.Kind != v1alpha1.KindRestore {
		keep = max(keep, bg.Spec.HoldTime())
	}
	return last.At.Add(keep)
}

// shrink reduces a colour to a size. It never touches one that users may reach:
// then it says why.
func (w *work) shrink(ctx context.Context, c v1alpha1.Color, replicas int32) (why string, err error) {
	side := w.o.Sides[c]
	if !side.DeploymentExists || side.Replicas <= replicas {
		return "", nil
	}
	referrers, err := w.d.Routes.Referrers(ctx, w.bg.Namespace, side.Service)
	if err != nil {
		return "", err
	}
	if len(referrers) > 0 {
		return fmt.Sprintf("deployment %s keeps its size: service %s is still used by ingress %s", side.Deployment, side.Service, strings.Join(referrers, ", ")), nil
	}
	return "", w.d.Workloads.Scale(ctx, w.bg, c, replicas)
}
