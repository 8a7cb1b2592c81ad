package gclb

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// healthCheck says how the endpoints of a backend service are checked.
type healthCheck struct {
	path string
	host string // the Host header; "" is the endpoint's address
	port int32  // 0 is the port that serves

	interval, timeout  time.Duration
	healthy, unhealthy int // how many answers in a row change an endpoint's state
}

// newHealthCheck is what a health check is created with: the defaults for NEGs
// (pkg/translator/healthchecks.go:45-61), or path, host, interval and timeout of
// a readiness probe (ApplyProbeSettingsToHC there).
func newHealthCheck(probe *corev1.Probe) healthCheck {
	check := healthCheck{path: "/", interval: 15 * time.Second, timeout: 15 * time.Second, healthy: 1, unhealthy: 2}
	if probe == nil {
		return check
	}
	check.path = "/" + strings.TrimPrefix(probe.HTTPGet.Path, "/")
	for _, header := range probe.HTTPGet.HTTPHeaders {
		if header.Name == "Host" {
			check.host = header.Value
		}
	}
	check.interval = time.Duration(max(probe.PeriodSeconds, 1)) * time.Second
	check.timeout = time.Duration(max(probe.TimeoutSeconds, 1)) * time.Second
	return check
}

// override applies a BackendConfig, which always wins
// (pkg/healthchecks/healthchecks.go:287-291).
func (h healthCheck) override(c *backendConfig) healthCheck {
	if c == nil || c.HealthCheck == nil {
		return h
	}
	seconds := func(to *time.Duration, from *int64) {
		if from != nil {
			*to = time.Duration(*from) * time.Second
		}
	}
	count := func(to *int, from *int64) {
		if from != nil {
			*to = int(*from)
		}
	}
	seconds(&h.interval, c.HealthCheck.CheckIntervalSec)
	seconds(&h.timeout, c.HealthCheck.TimeoutSec)
	count(&h.healthy, c.HealthCheck.HealthyThreshold)
	count(&h.unhealthy, c.HealthCheck.UnhealthyThreshold)
	if c.HealthCheck.Port != nil {
		h.port = int32(*c.HealthCheck.Port) //nolint:gosec // G115: a port
	}
	if c.HealthCheck.RequestPath != nil {
		h.path = *c.HealthCheck.RequestPath
	}
	return h
}

// wantedHealthCheck is what a sync makes of a backend's health check. The
// readiness probe is copied when the check is created and never again: an
// existing check keeps what it has (pkg/healthchecks/healthchecks.go:157-174,
// 278-285; kubernetes/ingress-gce#39), and only a BackendConfig changes it.
func wantedHealthCheck(existing *healthCheck, probe *corev1.Probe, c *backendConfig) healthCheck {
	if existing != nil {
		return existing.override(c)
	}
	return newHealthCheck(probe).override(c)
}

// servingProbe is the readiness probe that a new health check copies: that of the
// oldest pod of the Service whose container serves the target port, if it is a
// plain HTTP GET on that very port (pkg/controller/translator/translator.go:466-553).
func servingProbe(p *servicePort, pods []*corev1.Pod) *corev1.Probe {
	selector := labels.SelectorFromSet(p.selector)
	var candidates []*corev1.Pod
	for _, pod := range pods {
		if pod.Namespace == p.namespace && len(p.selector) > 0 && selector.Matches(labels.Set(pod.Labels)) {
			candidates = append(candidates, pod)
		}
	}
	slices.SortFunc(candidates, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	for _, pod := range candidates {
		for i := range pod.Spec.Containers {
			if c := &pod.Spec.Containers[i]; isSimple(c.ReadinessProbe) && serves(c, p.port.TargetPort) {
				return c.ReadinessProbe
			}
		}
	}
	return nil
}

// isSimple tells whether a load balancer can ask what the probe asks.
func isSimple(probe *corev1.Probe) bool {
	if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Host != "" || probe.HTTPGet.Scheme == corev1.URISchemeHTTPS {
		return false
	}
	headers := probe.HTTPGet.HTTPHeaders
	return len(headers) == 0 || len(headers) == 1 && headers[0].Name == "Host"
}

// serves tells whether a container has the target port and probes it.
func serves(c *corev1.Container, target intstr.IntOrString) bool {
	names := func(port *corev1.ContainerPort, by intstr.IntOrString) bool {
		return by.Type == intstr.Int && by.IntVal == port.ContainerPort || by.Type == intstr.String && by.StrVal == port.Name
	}
	for i := range c.Ports {
		if names(&c.Ports[i], target) && names(&c.Ports[i], c.ReadinessProbe.HTTPGet.Port) {
			return true
		}
	}
	return false
}

// Health states, in the compute API's words.
const (
	healthy   = "HEALTHY"
	unhealthy = "UNHEALTHY"
)

// verdict is an endpoint's state and how many answers in a row spoke against it.
type verdict struct {
	state   string
	against int
}

// judge takes in one answer. An endpoint begins unhealthy.
func (v verdict) judge(ok bool, check healthCheck) verdict {
	switch {
	case ok == (v.state == healthy):
		return verdict{state: v.state}
	case ok && v.against+1 >= check.healthy:
		return verdict{state: healthy}
	case !ok && v.against+1 >= check.unhealthy:
		return verdict{state: unhealthy}
	}
	return verdict{state: v.state, against: v.against + 1}
}
