package gclb

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// svcNegStatus is the status of a ServiceNetworkEndpointGroup, as ingress-gce
// writes it (pkg/apis/svcneg/v1beta1/types.go:43-139).
type svcNegStatus struct {
	NetworkEndpointGroups []negReference     `json:"networkEndpointGroups,omitempty"`
	Conditions            []metav1.Condition `json:"conditions,omitempty"`
	LastSyncTime          *metav1.Time       `json:"lastSyncTime,omitempty"`
}

type negReference struct {
	ID                  string `json:"id"`
	SelfLink            string `json:"selfLink"`
	NetworkEndpointType string `json:"networkEndpointType"`
	State               string `json:"state"`
}

// selfLink is a NEG's URL in the compute API.
func (k negKey) selfLink() string {
	return "https://www.googleapis.com/compute/v1/projects/sandbox/zones/" + k.zone + "/networkEndpointGroups/" + k.name
}

// serviceNameLabel names a svcneg's Service.
const serviceNameLabel = "networking.gke.io/service-name"

// svcNegWriter keeps the svcneg objects of the NEG controller.
type svcNegWriter struct{ client dynamic.Interface }

// ensure creates the object of a NEG, before the NEG itself
// (pkg/neg/manager.go, EnsureSyncers).
func (w *svcNegWriter) ensure(ctx context.Context, namespace, service, name string, port int32) error {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(svcNegs.GroupVersion().String())
	object.SetKind("ServiceNetworkEndpointGroup")
	object.SetNamespace(namespace)
	object.SetName(name)
	object.SetLabels(map[string]string{
		"networking.gke.io/managed-by":   "neg-controller",
		serviceNameLabel:                 service,
		"networking.gke.io/service-port": strconv.Itoa(int(port)),
	})
	_, err := w.client.Resource(svcNegs).Namespace(namespace).Create(ctx, object, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating svcneg %s/%s: %w", namespace, name, err)
	}
	return nil
}

// report writes what a sync found, over the status as it was.
func (w *svcNegWriter) report(ctx context.Context, namespace, name string, status svcNegStatus) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return fmt.Errorf("encoding the status of svcneg %s/%s: %w", namespace, name, err)
	}
	_, err = w.client.Resource(svcNegs).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("writing the status of svcneg %s/%s: %w", namespace, name, err)
	}
	return nil
}

func (w *svcNegWriter) delete(ctx context.Context, namespace, name string) error {
	err := w.client.Resource(svcNegs).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting svcneg %s/%s: %w", namespace, name, err)
	}
	return nil
}

// condition sets one of a svcneg's conditions, Initialized or Synced; err is why
// it is false (reasons: pkg/neg/types/types.go:54-64).
func (s *svcNegStatus) condition(kind, good, bad string, err error, now time.Time) {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: good, LastTransitionTime: metav1.NewTime(now)}
	if err != nil {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, bad, err.Error()
	}
	for i := range s.Conditions {
		old := &s.Conditions[i]
		if old.Type != kind {
			continue
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		*old = c
		return
	}
	s.Conditions = append(s.Conditions, c)
}

func (s *svcNegStatus) synced(err error, now time.Time) {
	s.condition("Synced", "NegSyncSuccessful", "NegSyncFailed", err, now)
	s.LastSyncTime = &metav1.Time{Time: now}
}

func (s *svcNegStatus) initialized(negs []negReference, now time.Time) {
	s.NetworkEndpointGroups = negs
	s.condition("Initialized", "NegInitializationSuccessful", "", nil, now)
}
