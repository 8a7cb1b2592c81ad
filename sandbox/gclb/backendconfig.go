package gclb

import (
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// backendConfigAnnotation says on a Service which BackendConfig each port uses.
const backendConfigAnnotation = "cloud.google.com/backend-config"

// backendConfig is what this load balancer reads of a BackendConfig's spec
// (cloud.google.com/v1; pkg/apis/backendconfig/v1/types.go). What it does not
// read (CDN, IAP, Cloud Armor, affinity, headers) has no effect.
type backendConfig struct {
	TimeoutSec         *int64 `json:"timeoutSec,omitempty"`
	ConnectionDraining *struct {
		DrainingTimeoutSec int64 `json:"drainingTimeoutSec,omitempty"`
	} `json:"connectionDraining,omitempty"`
	HealthCheck *healthCheckConfig `json:"healthCheck,omitempty"`
}

// healthCheckConfig overrides what it names of a health check.
type healthCheckConfig struct {
	CheckIntervalSec   *int64  `json:"checkIntervalSec,omitempty"`
	TimeoutSec         *int64  `json:"timeoutSec,omitempty"`
	HealthyThreshold   *int64  `json:"healthyThreshold,omitempty"`
	UnhealthyThreshold *int64  `json:"unhealthyThreshold,omitempty"`
	Port               *int64  `json:"port,omitempty"`
	RequestPath        *string `json:"requestPath,omitempty"`
}

// readBackendConfig decodes the spec of an object.
func readBackendConfig(object *unstructured.Unstructured) (*backendConfig, error) {
	var read struct {
		Spec backendConfig `json:"spec"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return nil, fmt.Errorf("reading BackendConfig %s/%s: %w", object.GetNamespace(), object.GetName(), err)
	}
	return &read.Spec, nil
}

// backendConfigName is the BackendConfig of a Service's port: the one for the
// port's name or number, else the default. "" is none.
func backendConfigName(service *corev1.Service, port *corev1.ServicePort) (string, error) {
	text, found := service.Annotations[backendConfigAnnotation]
	if !found {
		return "", nil
	}
	var names struct {
		Default string            `json:"default"`
		Ports   map[string]string `json:"ports"`
	}
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return "", fmt.Errorf("service %s/%s: annotation %s: %w", service.Namespace, service.Name, backendConfigAnnotation, err)
	}
	for _, key := range []string{port.Name, strconv.Itoa(int(port.Port))} {
		if name := names.Ports[key]; name != "" {
			return name, nil
		}
	}
	return names.Default, nil
}
