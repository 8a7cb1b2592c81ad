package workload

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// mark is the value of [v1alpha1.MinReplicasAnnotation]: the owner's minimum, and the
// value to which Turnout raised it. The second shows whether somebody else has set the
// minimum since.
type mark struct{ own, raised int32 }

func (m mark) String() string { return fmt.Sprintf("%d raised to %d", m.own, m.raised) }

func parseMark(text string) (m mark, ok bool) {
	n, err := fmt.Sscanf(text, "%d raised to %d", &m.own, &m.raised)
	return m, n == 2 && err == nil && m.String() == text && m.own > 0
}

// readAutoscaler describes an autoscaler. An unreadable mark counts as overruled: the
// minimum before it is not known.
func readAutoscaler(h *autoscalingv2.HorizontalPodAutoscaler) track.Autoscaler {
	a := track.Autoscaler{Name: h.Name, Max: h.Spec.MaxReplicas, Current: 1} // the API's default
	if h.Spec.MinReplicas != nil {
		a.Current = *h.Spec.MinReplicas
	}
	a.Min = a.Current
	text, marked := h.Annotations[v1alpha1.MinReplicasAnnotation]
	if !marked {
		return a
	}
	a.Marked = true
	m, ok := parseMark(text)
	if a.Overruled = !ok || m.raised != a.Current; !a.Overruled {
		a.Min = m.own
	}
	return a
}

// autoscalerOf returns the autoscaler of a Deployment. If there are several, Kubernetes
// lets none of them scale (AmbiguousSelector), and it returns the first.
func autoscalerOf(deployment string, hpas []autoscalingv2.HorizontalPodAutoscaler) track.Autoscaler {
	for i := range hpas {
		if ref := hpas[i].Spec.ScaleTargetRef; ref.Kind == "Deployment" && ref.Name == deployment {
			return readAutoscaler(&hpas[i])
		}
	}
	return track.Autoscaler{}
}

// RaiseMinimum keeps a colour's autoscaler from scaling it below a size, as it would
// without requests from users, and keeps the owner's minimum in an annotation. It never
// lowers a minimum, and never raises one above the maximum. If somebody else has set the
// minimum since it was raised, their value stays until [Workloads.RestoreMinimum].
//
// An error for which apierrors.IsConflict holds means that the autoscaler changed between
// look and patch: nothing was written; look again.
func (w *Workloads) RaiseMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side, size int32) error {
	if !colour.Autoscaler.Below(size) {
		return nil
	}
	read, now, err := w.freshAutoscaler(ctx, bg, colour.Autoscaler.Name)
	if err != nil || !now.Below(size) {
		return err
	}
	size = now.Allows(size)
	var operations []operation
	if len(read.GetAnnotations()) == 0 {
		operations = append(operations, operation{Op: "add", Path: "/metadata/annotations", Value: object{}})
	}
	err = w.patch(ctx, read, append(operations,
		operation{Op: "add", Path: markPath, Value: mark{own: now.Min, raised: size}.String()},
		operation{Op: "add", Path: "/spec/minReplicas", Value: size},
	))
	if err != nil {
		return fmt.Errorf("raise spec.minReplicas of HorizontalPodAutoscaler %s/%s to %d: %w", bg.Namespace, now.Name, size, err)
	}
	return nil
}

// HoldMinimum is [Workloads.RaiseMinimum] right before a release brings users to a
// colour. It writes the autoscaler once, so that nobody who was about to restore the
// owner's minimum still can. If the minimum is already the owner's, nobody is about to.
//
// It rests on nothing but its own read. So if the autoscaler changed before its patch, as with
// each status that Kubernetes writes, it reads again, up to four times.
func (w *Workloads) HoldMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side, release string) error {
	if colour.Autoscaler.Name == "" {
		return nil
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		read, now, err := w.freshAutoscaler(ctx, bg, colour.Autoscaler.Name)
		size := colour.Replicas
		if err != nil || !now.Below(size) && (!now.Marked || read.GetAnnotations()[v1alpha1.SwitchAnnotation] == release) {
			return err
		}
		operations := stamped(read, release)
		if now.Below(size) {
			size = now.Allows(size)
			operations = append(operations,
				operation{Op: "add", Path: markPath, Value: mark{own: now.Min, raised: size}.String()},
				operation{Op: "add", Path: "/spec/minReplicas", Value: size})
		}
		if err := w.patch(ctx, read, operations); err != nil {
			return fmt.Errorf("annotate HorizontalPodAutoscaler %s/%s for the switch of %s: %w", bg.Namespace, now.Name, release, err)
		}
		return nil
	})
}

// RestoreMinimum gives a colour's autoscaler its owner's minimum back, if
// [Workloads.RaiseMinimum] raised it. If somebody else has set another one since, that
// stays, and only the annotation is removed.
//
// An error for which apierrors.IsConflict holds means that the autoscaler changed between
// look and patch: nothing was written; look again.
func (w *Workloads) RestoreMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side) error {
	if !colour.Autoscaler.Marked {
		return nil
	}
	read, now, err := w.freshAutoscaler(ctx, bg, colour.Autoscaler.Name)
	if err != nil || !now.Marked {
		return err
	}
	err = w.patch(ctx, read, []operation{
		{Op: "remove", Path: markPath},
		{Op: "add", Path: "/spec/minReplicas", Value: now.Min}, // or the current one, if somebody else set it
	})
	if err != nil {
		return fmt.Errorf("restore spec.minReplicas of HorizontalPodAutoscaler %s/%s: %w", bg.Namespace, now.Name, err)
	}
	return nil
}

// markPath is the JSON pointer of [v1alpha1.MinReplicasAnnotation].
const markPath = "/metadata/annotations/turnout.dev~1min-replicas"

// freshAutoscaler reads an autoscaler past any cache; if it is gone, the result is empty.
func (w *Workloads) freshAutoscaler(ctx context.Context, bg *v1alpha1.BlueGreen, name string) (*unstructured.Unstructured, track.Autoscaler,
	error,
) {
	read, err := w.fresh(ctx, autoscalerKind, bg.Namespace, name)
	if apierrors.IsNotFound(err) {
		return read, track.Autoscaler{}, nil
	}
	if err != nil {
		return read, track.Autoscaler{}, err
	}
	typed := &autoscalingv2.HorizontalPodAutoscaler{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(read.Object, typed); err != nil {
		return read, track.Autoscaler{}, fmt.Errorf("read HorizontalPodAutoscaler %s/%s: %w", bg.Namespace, name, err)
	}
	return read, readAutoscaler(typed), nil
}
