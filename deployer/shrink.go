package deployer

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// shrunk is the result of shrinking a colour, and its description.
type shrunk struct {
	// inUse: somebody may reach it, so nothing was done.
	inUse bool
	text  string
}

// shrinking reduces a colour that no user reaches.
type shrinking struct {
	record interface {
		Release(ctx context.Context, key types.NamespacedName) (*v1alpha1.Release, error)
	}
	routes    referrersReader
	workloads interface {
		restorer
		ReadSize(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (workload.Sized, error)
		Shrink(ctx context.Context, s workload.Sized, replicas int32) error
	}
}

// shrink reduces a colour to its standby size. It never touches a colour that users may reach, or
// to which an unfinished release brings users. It may be late: upkeep holds no claim, and a
// process may hang anywhere. So it checks everything after it has read the Deployment, and a
// release that brings users there writes the Deployment first.
func (s shrinking) shrink(ctx context.Context, w *work, c v1alpha1.Color, by string) (shrunk, error) {
	side := w.o.Sides[c]
	read, err := s.workloads.ReadSize(ctx, w.bg, c)
	if err != nil {
		return shrunk{}, err
	}
	if read.SwitchedBy != "" && read.SwitchedBy != by {
		rel, err := s.record.Release(ctx, client.ObjectKey{Namespace: w.bg.Namespace, Name: read.SwitchedBy})
		switch {
		case err == nil && !rel.Status.Phase.Finished():
			return shrunk{true, fmt.Sprintf("deployment %s keeps its size: %s brings users there", side.Deployment, rel.Name)}, nil
		case client.IgnoreNotFound(err) != nil:
			return shrunk{}, err
		}
	}
	referrers, err := s.routes.Referrers(ctx, w.bg.Namespace, side.Service)
	if err != nil {
		return shrunk{}, err
	}
	if len(referrers) > 0 {
		return shrunk{true, fmt.Sprintf("deployment %s keeps its size: service %s is still used by %s", side.Deployment, side.Service,
			strings.Join(referrers, ", "))}, nil
	}
	// First, or the autoscaler would undo the shrink.
	if err := s.workloads.RestoreMinimum(ctx, w.bg, side); err != nil {
		return shrunk{}, err
	}
	size, why := standbySize(w.bg.Spec.StandbyReplicas, side.Autoscaler)
	return shrunk{false, fmt.Sprintf("%s shrinks to %d%s", side.Deployment, size, why)}, s.workloads.Shrink(ctx, read, size)
}

// standbySize is the size of a colour that no user reaches. Kubernetes disables an autoscaler at
// size 0. From any other size the autoscaler would return to its minimum, so that is the size.
func standbySize(standby int32, s track.Autoscaler) (size int32, why string) {
	if standby == 0 || s.Name == "" || s.Min <= standby {
		return standby, ""
	}
	return s.Min, fmt.Sprintf(", the minimum of horizontalpodautoscaler %s, not to spec.standbyReplicas: %d", s.Name, standby)
}
