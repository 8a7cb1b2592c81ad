package route

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Annotations of Services that configure GKE's controllers, or in which those report.
const (
	negAnnotation       = "cloud.google.com/neg"
	negStatusAnnotation = "cloud.google.com/neg-status"
)

// svcNegKind is the object in which the NEG controller reports on a NEG.
var svcNegKind = schema.GroupVersionKind{Group: "networking.gke.io", Version: "v1beta1", Kind: "ServiceNetworkEndpointGroup"}

// Groups returns the load balancer's backends for the ports of a colour's Service that the
// Ingress names; none if the Ingress does not name the Service.
func (r *Router) Groups(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) ([]track.Group, error) {
	service, err := r.service(ctx, bg, c)
	if err != nil || service == nil {
		return nil, err
	}
	groups := groupsOf(service, s)
	for i := range groups {
		if groups[i].Name == "" || !UsesNEGs(service) {
			continue
		}
		groups[i].Trouble = r.negTrouble(ctx, bg.Namespace, groups[i].Name)
	}
	return groups, nil
}

// GroupStates is like [Router.Groups], but does not look for what is still missing.
func (r *Router) GroupStates(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) ([]track.Group, error) {
	service, err := r.service(ctx, bg, c)
	if err != nil || service == nil {
		return nil, err
	}
	return groupsOf(service, s), nil
}

// service reads a colour's Service from the cache; nil if there is none.
func (r *Router) service(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (*corev1.Service, error) {
	name := bg.Side(c).Service
	var service corev1.Service
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: bg.Namespace, Name: name}, &service)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading service %s: %w", name, err)
	}
	return &service, nil
}

// groupsOf names the groups of a Service's ports and finds their states. The names of NEGs are
// published before the NEGs are created (ingress-gce pkg/neg/controller.go:721-724). A backend of
// instance groups is named after the node port (pkg/utils/namer/namer.go, IGBackend).
func groupsOf(service *corev1.Service, s track.Routes) []track.Group {
	var status struct {
		Groups map[string]string `json:"network_endpoint_groups"`
		Zones  []string          `json:"zones"`
	}
	// An unreadable annotation names nothing.
	_ = json.Unmarshal([]byte(service.Annotations[negStatusAnnotation]), &status)
	var groups []track.Group
	for _, b := range Backends(s) {
		port := FindPort(service, b.Port)
		if b.Service != service.Name || port == nil || slices.ContainsFunc(groups, func(g track.Group) bool { return g.Port == port.Port }) {
			continue
		}
		g := track.Group{Port: port.Port}
		if UsesNEGs(service) {
			g.Region = regionOf(status.Zones)
			if g.Name = status.Groups[strconv.Itoa(int(port.Port))]; g.Name != "" {
				g.Backend = backendOf(g.Name, s.BackendStates)
				g.State, g.Routed = s.BackendStates[g.Backend]
			}
		} else {
			for name, state := range s.BackendStates {
				if strings.HasPrefix(name, fmt.Sprintf("k8s-be-%d-", port.NodePort)) {
					g.Name, g.Backend, g.State, g.Routed = name, name, state, true
				}
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// regionOf is the region of zones, which all belong to one region: us-central1-b is in
// us-central1.
func regionOf(zones []string) string {
	if len(zones) == 0 {
		return ""
	}
	return zones[0][:max(strings.LastIndex(zones[0], "-"), 0)]
}

// UsesNEGs reports whether the load balancer sends directly to a Service's pods. A broken
// annotation counts as no; [Router.CheckTranslation] reports it.
func UsesNEGs(service *corev1.Service) bool {
	var use struct {
		Ingress bool `json:"ingress"`
	}
	return json.Unmarshal([]byte(service.Annotations[negAnnotation]), &use) == nil && use.Ingress
}

// negTrouble describes what a NEG still lacks. An unreadable object is not an error: it must not
// stop an observer, and the step that waits for the NEG has a deadline.
func (r *Router) negTrouble(ctx context.Context, namespace, name string) string {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(svcNegKind)
	err := r.Reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)
	switch {
	case meta.IsNoMatchError(err), apierrors.IsForbidden(err):
		return "" // the cluster has no such objects, or we may not read them: unknown
	case apierrors.IsNotFound(err):
		return "its servicenetworkendpointgroup does not exist yet"
	case err != nil:
		return "its servicenetworkendpointgroup could not be read: " + err.Error()
	}
	return troubleOf(object)
}

// troubleOf reads a NEG's object. It shows whether NEGs exist and are in sync, but nothing about
// health (ingress-gce pkg/apis/svcneg/v1beta1/types.go:43-139).
func troubleOf(object *unstructured.Unstructured) string {
	var read struct {
		Status struct {
			NetworkEndpointGroups []struct{}         `json:"networkEndpointGroups"`
			Conditions            []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return "its servicenetworkendpointgroup cannot be read: " + err.Error()
	}
	for _, kind := range []string{"Initialized", "Synced"} {
		c := meta.FindStatusCondition(read.Status.Conditions, kind)
		switch {
		case c == nil:
			return "its condition " + kind + " does not exist yet"
		case c.Status != metav1.ConditionTrue:
			return strings.TrimSuffix(fmt.Sprintf("its condition %s is %s: %s %s", kind, c.Status, c.Reason, c.Message), " ")
		}
	}
	if len(read.Status.NetworkEndpointGroups) == 0 {
		return "it is in no zone yet"
	}
	return ""
}
