package workload

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// scalerKind is the ScaledObject of KEDA.
var scalerKind = schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}

// Scalers reads and writes KEDA's ScaledObjects.
type Scalers struct {
	// Workloads has the clients.
	Workloads *Workloads
}

// Of returns the ScaledObjects of a namespace that scale a Deployment; none if the cluster has no
// KEDA. It reads past the cache: nothing watches a kind that may not exist.
func (s Scalers) Of(ctx context.Context, namespace string) ([]track.Scaler, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(scalerKind.GroupVersion().WithKind(scalerKind.Kind + "List"))
	err := s.Workloads.Reader.List(ctx, list, client.InNamespace(namespace))
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the ScaledObjects of namespace %s: %w", namespace, err)
	}
	var all []track.Scaler
	for i := range list.Items {
		if scaler, ok := scalerOf(&list.Items[i]); ok {
			all = append(all, scaler)
		}
	}
	return all, nil
}

// scalerOf describes a ScaledObject; ok is false if it scales something other than a Deployment.
func scalerOf(u *unstructured.Unstructured) (scaler track.Scaler, ok bool) {
	target := part(u.Object, "spec", "scaleTargetRef")
	name, _ := target["name"].(string)
	kind, _ := target["kind"].(string)
	version, _ := target["apiVersion"].(string)
	if name == "" || kind != "" && kind != deploymentKind.Kind || version != "" && !strings.HasPrefix(version, deploymentKind.Group+"/") {
		return track.Scaler{}, false
	}
	annotations := u.GetAnnotations()
	_, marked := annotations[v1alpha1.PausedAnnotation]
	return track.Scaler{
		Name: u.GetName(), Deployment: name, Paused: paused(annotations), Marked: marked, SetBy: annotations[v1alpha1.WorkersAnnotation],
	}, true
}

// pausedAnnotation is KEDA's, too: it leaves the Deployment's size alone.
const pausedAnnotation = "autoscaling.keda.sh/paused"

func paused(annotations map[string]string) bool {
	_, atSize := annotations[v1alpha1.PausedReplicasAnnotation]
	plain, there := annotations[pausedAnnotation]
	return atSize || there && plain != "false"
}

// JSON pointers of annotations of a ScaledObject.
const (
	pausedPath         = "/metadata/annotations/turnout.dev~1paused"
	pausedReplicasPath = "/metadata/annotations/autoscaling.keda.sh~1paused-replicas"
)

// stopped is the size at which KEDA keeps a stopped worker.
const stopped = "0"

// Pause makes KEDA keep a worker at size 0, unless somebody else has paused it already. by is who
// stopped the worker; "" if Turnout did not.
//
// An error for which apierrors.IsConflict holds means that the ScaledObject changed between look and
// patch: nothing was written; look again.
func (s Scalers) Pause(ctx context.Context, namespace, name, by string) error {
	return s.write(ctx, namespace, name, by, func(annotations map[string]string) []operation {
		if paused(annotations) {
			return nil
		}
		return []operation{{Op: "add", Path: pausedReplicasPath, Value: stopped}, {Op: "add", Path: pausedPath, Value: stopped}}
	})
}

// Resume lets KEDA scale a worker again, if [Scalers.Pause] kept it from that. If somebody else has
// set another size to keep since, that stays. The error is like that of Pause.
func (s Scalers) Resume(ctx context.Context, namespace, name, by string) error {
	return s.write(ctx, namespace, name, by, func(annotations map[string]string) []operation {
		own, marked := annotations[v1alpha1.PausedAnnotation]
		if !marked {
			return nil
		}
		operations := []operation{{Op: "remove", Path: pausedPath}}
		if size, there := annotations[v1alpha1.PausedReplicasAnnotation]; there && size == own {
			operations = append(operations, operation{Op: "remove", Path: pausedReplicasPath})
		}
		return operations
	})
}

// write changes the annotations of a ScaledObject, and names who did.
func (s Scalers) write(ctx context.Context, namespace, name, by string, change func(map[string]string) []operation) error {
	read, err := s.Workloads.fresh(ctx, scalerKind, namespace, name)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	var operations []operation
	if len(read.GetAnnotations()) == 0 {
		operations = append(operations, operation{Op: "add", Path: "/metadata/annotations", Value: object{}})
	}
	changes := change(read.GetAnnotations())
	if by != "" && read.GetAnnotations()[v1alpha1.WorkersAnnotation] != by {
		changes = append(changes, operation{Op: "add", Path: workersPath, Value: by})
	}
	if len(changes) == 0 {
		return nil
	}
	if err := s.Workloads.patch(ctx, read, append(operations, changes...)); err != nil {
		return fmt.Errorf("annotate ScaledObject %s/%s: %w", namespace, name, err)
	}
	return nil
}
