package deployer

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// scaling keeps KEDA from starting workers where no users are.
type scaling struct {
	scalers interface {
		Of(ctx context.Context, namespace string) ([]track.Scaler, error)
		Pause(ctx context.Context, namespace, name, by string) error
		Resume(ctx context.Context, namespace, name, by string) error
	}
}

// scale pauses the ScaledObjects of workers that rest, and gives those of the others back. It looks
// at what is there, and so continues after a crash. A worker is stopped before it is paused, and
// started before it is given back: KEDA never starts pods of an earlier version.
func (s scaling) scale(ctx context.Context, w *work, active *v1alpha1.Release) {
	if len(w.o.Workers) == 0 {
		return
	}
	all, err := s.scalers.Of(ctx, w.bg.Namespace)
	if err != nil {
		s.later(ctx, w, "", err)
		return
	}
	var moving *v1alpha1.Release
	if w.bg.Status.Active != nil && !leavesWorkers(active) {
		moving = active
	}
	owed := ""
	if w.bg.Status.WorkersOwed != nil {
		owed = w.bg.Status.WorkersOwed.By
	}
	for _, scaler := range all {
		for _, worker := range w.o.Workers {
			for c, side := range worker.Sides {
				if side.Deployment != scaler.Deployment {
					continue
				}
				var err error
				switch scaler.Next(worker, c, w.o.Routes.Live(), moving, owed) {
				case track.ScalerPause:
					err = s.scalers.Pause(ctx, w.bg.Namespace, scaler.Name, side.MovedBy)
				case track.ScalerResume:
					err = s.scalers.Resume(ctx, w.bg.Namespace, scaler.Name, side.MovedBy)
				case track.ScalerNothing:
				}
				if err != nil {
					s.later(ctx, w, scaler.Name, err)
				}
			}
		}
	}
}

// later tries again. Nothing waits for it, and it must not stop the release's record.
func (s scaling) later(ctx context.Context, w *work, scaler string, err error) {
	wait := retryMinimum
	switch {
	case apierrors.IsConflict(err):
		wait = afterRace
	case apierrors.IsForbidden(err):
		wait = retryShrink
	}
	w.log.WarnContext(ctx, "ScaledObjects will be set later", "scaled_object", scaler, "error", err)
	w.wakeAt(w.o.Now.Add(wait))
}
