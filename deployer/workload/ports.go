package workload

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// servicePort returns the pod's port that the first port of a Service leads to.
func servicePort(svc *corev1.Service, pod corev1.PodSpec) int32 {
	if svc == nil || len(svc.Spec.Ports) == 0 {
		return 0
	}
	first := svc.Spec.Ports[0]
	if first.TargetPort == (intstr.IntOrString{}) {
		return first.Port // the API's default
	}
	return resolve(first.TargetPort, pod.Containers)
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

// probeOf returns a container's readiness probe if the gate can repeat it: an
// HTTP request to the pod itself.
func probeOf(c corev1.Container, pod corev1.PodSpec) *Probe {
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
	p := &Probe{Path: "/" + strings.TrimPrefix(get.Path, "/"), Port: port, Scheme: string(get.Scheme)}
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
