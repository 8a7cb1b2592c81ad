package route

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// protocolAnnotations map the names of a Service's ports to the protocols that the load
// balancer uses for them. The controller reads the older annotation first (ingress-gce
// pkg/annotations/service.go, ApplicationProtocols).
var protocolAnnotations = []string{
	"service.alpha.kubernetes.io/app-protocols",
	"cloud.google.com/app-protocols",
} //nolint:gochecknoglobals // a constant list

// protocols that the load balancer speaks. H2C is newer than the controller cited here; a
// controller that does not know it refuses it.
var protocols = []string{"HTTP", "HTTPS", "HTTP2", "H2C"} //nolint:gochecknoglobals // a constant list

// AppProtocol returns the protocol that Google's load balancer uses for a port of a Service: HTTP
// unless an annotation sets another. key is that annotation's key, or "" if the Service has none.
// An error describes a fault in the annotation, which is fatal for the whole Ingress.
func AppProtocol(service *corev1.Service, port *corev1.ServicePort) (protocol, key string, err error) {
	const usual = "HTTP"
	for _, key := range protocolAnnotations {
		text, found := service.Annotations[key]
		if !found {
			continue
		}
		var byName map[string]string
		if err := json.Unmarshal([]byte(text), &byName); err != nil {
			return usual, key, fmt.Errorf("has the annotation %s, which is not a JSON map of port names to protocols", key)
		}
		for name, protocol := range byName {
			if !slices.Contains(protocols, protocol) {
				return usual, key, fmt.Errorf("has the annotation %s, in which port %q has the protocol %q: Google's load balancer knows HTTP, HTTPS "+
					"and HTTP2", key, name, protocol)
			}
		}
		if protocol, found := byName[port.Name]; found {
			return protocol, key, nil
		}
		return usual, key, nil
	}
	return usual, "", nil
}

// invalid is why Google's controller refuses a BackendConfig's spec, and the whole Ingress with
// it; nil if it does not. It does not look at Secrets that the spec names (ingress-gce
// pkg/backendconfig/validation.go).
func invalid(name string, spec map[string]any) *Misfit {
	field := func(path ...string) any {
		v := any(spec)
		for _, key := range path {
			m, _ := v.(map[string]any)
			v = m[key]
		}
		return v
	}
	text := ""
	if kind, ok := field("sessionAffinity", "affinityType").(string); ok && kind != "" &&
		!slices.Contains([]string{"NONE", "CLIENT_IP", "GENERATED_COOKIE"}, kind) {
		text = fmt.Sprintf("spec.sessionAffinity.affinityType %q, which is not NONE, CLIENT_IP or GENERATED_COOKIE", kind)
	}
	if ttl, ok := field("sessionAffinity", "affinityCookieTtlSec").(int64); ok && (ttl < 0 || ttl > 86400) {
		text = fmt.Sprintf("spec.sessionAffinity.affinityCookieTtlSec %d, which is not between 0 and 86400", ttl)
	}
	if rate, ok := number(field("logging", "sampleRate")); ok && (rate < 0 || rate > 1) {
		text = fmt.Sprintf("spec.logging.sampleRate %g, which is not between 0 and 1", rate)
	}
	if kind, ok := field("healthCheck", "type").(string); ok && !slices.Contains(protocols[:3], kind) {
		text = fmt.Sprintf("spec.healthCheck.type %q, which is not HTTP, HTTPS or HTTP2", kind)
	}
	if field("iap", "enabled") == true && field("cdn", "enabled") == true {
		text = "both spec.iap and spec.cdn enabled, which exclude each other"
	}
	if text == "" {
		return nil
	}
	return &Misfit{
		"BackendConfigInvalid", "metadata.annotations[" + configAnnotations[0] + "]",
		fmt.Sprintf("names the BackendConfig %s with %s: correct it", name, text),
	}
}

// number reads a JSON number from an unstructured object.
func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
