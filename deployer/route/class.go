package route

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Annotations of an Ingress.
const (
	// classAnnotation chooses the controller on GKE, which ignores spec.ingressClassName.
	classAnnotation = "kubernetes.io/ingress.class"
	// urlMapAnnotation holds the name of the URL map, once there is one.
	urlMapAnnotation = "ingress.kubernetes.io/url-map"
	// backendsAnnotation holds the state of every backend of the URL map in use, as of
	// the controller's last sync.
	backendsAnnotation = "ingress.kubernetes.io/backends"
)

// loadBalancer returns which load balancer an Ingress programs. An Ingress without a class is
// Google's on GKE and anybody's elsewhere; a URL map shows that Google's controller has handled
// it.
func loadBalancer(ingress *unstructured.Unstructured) v1alpha1.LoadBalancer {
	annotations := ingress.GetAnnotations()
	switch class := annotations[classAnnotation]; {
	case class == "gce", class == "gce-internal", class == "gce-regional-external":
		return v1alpha1.LoadBalancerGCE
	case class == "" && annotations[urlMapAnnotation] != "":
		return v1alpha1.LoadBalancerGCE
	}
	return v1alpha1.LoadBalancerOther
}

// regional reports whether one of Google's Ingresses has a regional load balancer.
func regional(ingress *unstructured.Unstructured) bool {
	class := ingress.GetAnnotations()[classAnnotation]
	return class == "gce-internal" || class == "gce-regional-external"
}

// internal reports whether the load balancer of one of Google's Ingresses is internal.
func internal(ingress *unstructured.Unstructured) bool {
	return ingress.GetAnnotations()[classAnnotation] == "gce-internal"
}

// backendStates reads the states of an Ingress's backends by name; [backendOf] finds a name. It
// is empty if they cannot be read.
func backendStates(ingress *unstructured.Unstructured) map[string]string {
	var states map[string]string
	if json.Unmarshal([]byte(ingress.GetAnnotations()[backendsAnnotation]), &states) != nil {
		return nil
	}
	return states
}

// backendOf is a NEG's backend service, among those with a known state. It has the NEG's name. In
// the class gce-regional-external, though, "e" follows the cluster and the rest is shortened
// again, so only the hash at the end is the same (ingress-gce pkg/utils/namer/namer.go, NEG and
// RXLBBackendName).
func backendOf(neg string, states map[string]string) string {
	if _, found := states[neg]; found {
		return neg
	}
	fields := strings.SplitN(neg, "-", 3)
	hash := neg[strings.LastIndex(neg, "-")+1:]
	for name := range states {
		if len(fields) == 3 && strings.HasPrefix(name, fields[0]+"-"+fields[1]+"-e-") && strings.HasSuffix(name, "-"+hash) {
			return name
		}
	}
	return neg
}
