package workload

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/turnout-dev/turnout/deployer/track"
)

// portsOf returns the ports of a Service in its own order.
func portsOf(svc *corev1.Service, pod corev1.PodSpec) []track.Port {
	if svc == nil {
		return nil
	}
	var all []track.Port
	for _, p := range svc.Spec.Ports {
		all = append(all, track.Port{Name: p.Name, Number: p.Port, Pod: PodPort(p, pod)})
	}
	return all
}

// PodPort returns the pod's port to which a Service's port leads; 0 if that is a name and
// no container has it.
func PodPort(p corev1.ServicePort, pod corev1.PodSpec) int32 {
	if p.TargetPort == (intstr.IntOrString{}) {
		return p.Port // the API's default
	}
	if p.TargetPort.Type == intstr.Int {
		return p.TargetPort.IntVal
	}
	return namedPort(p, pod)
}

// namedPort is the port to which a Service refers by name: of the containers, or else of
// the init containers that run beside them (k8s.io/kubernetes pkg/api/v1/pod, FindPort).
func namedPort(p corev1.ServicePort, pod corev1.PodSpec) int32 {
	beside := slices.DeleteFunc(slices.Clone(pod.InitContainers), func(c corev1.Container) bool {
		return c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways
	})
	for _, c := range slices.Concat(pod.Containers, beside) {
		for _, own := range c.Ports {
			if own.Name == p.TargetPort.StrVal && cmp.Or(own.Protocol, corev1.ProtocolTCP) == cmp.Or(p.Protocol, corev1.ProtocolTCP) {
				return own.ContainerPort
			}
		}
	}
	return 0
}

// resolve turns a named port into its number; 0 if no container has it.
func resolve(port intstr.IntOrString, containers []corev1.Container) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name == port.StrVal {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// probeOf returns a container's readiness probe if the gate can repeat it: an HTTP
// request to the pod itself.
func probeOf(c corev1.Container, pod corev1.PodSpec) *track.Probe {
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil || c.ReadinessProbe.HTTPGet.Host != "" {
		return nil
	}
	get := c.ReadinessProbe.HTTPGet
	port := resolve(get.Port, []corev1.Container{c})
	if port == 0 {
		port = resolve(get.Port, pod.Containers)
	}
	if port == 0 {
		return nil
	}
	p := &track.Probe{Path: "/" + strings.TrimPrefix(get.Path, "/"), Port: port, Scheme: string(get.Scheme)}
	if p.Scheme == "" {
		p.Scheme = string(corev1.URISchemeHTTP)
	}
	for _, h := range get.HTTPHeaders {
		if p.Headers == nil {
			p.Headers = map[string]string{}
		}
		p.Headers[h.Name] = h.Value
	}
	return p
}
