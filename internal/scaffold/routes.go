package scaffold

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// gce reports whether the load balancer is Google's, or will be. An Ingress of no class is
// Google's on GKE; its URL map shows it.
func (r *running) gce() bool {
	if r.ingress == nil {
		return r.route == nil // BackendConfigs are for Ingresses
	}
	class := r.ingress.Annotations[classKey]
	switch named := r.ingress.Spec.IngressClassName; {
	case class != "":
		return strings.HasPrefix(class, "gce")
	case named != nil:
		return strings.HasPrefix(*named, "gce")
	}
	return r.ingress.Annotations["ingress.kubernetes.io/url-map"] != ""
}

// writeRoutes writes the Ingress if there is none, or what is to change of it.
func writeRoutes(m *maker) error {
	r := m.r
	if r.route != nil {
		writeGateway(m)
		return nil
	}
	if r.ingress == nil {
		service, port := m.o.Name+"-"+string(r.color)+"-svc", object{"number": 80}
		if r.service != nil {
			service, port = r.service.Name, object{"number": int64(r.service.Spec.Ports[0].Port)}
		}
		m.lookAt("No Ingress of namespace %s names a Service of deployment %s, so the files include one, and Google makes a load balancer "+
			"for it. If users come through an HTTPRoute of another namespace, remove that Ingress, and see docs/gateway.md.", m.o.Namespace,
			r.deployment.Name)
		return writeIngress(m, service, port)
	}
	if r.ingress.Name != m.o.Name+"-ingress" {
		m.bg["ingress"] = object{"name": r.ingress.Name}
	}
	var others []string
	for _, b := range backendsOf(r.ingress) {
		if b.Name != r.service.Name {
			others = append(others, b.Name)
		}
	}
	if len(others) > 0 {
		m.found("ingress %s also routes to %s, which stays as it is", r.ingress.Name, names(others))
	}
	if !m.gce {
		m.lookAt("Ingress %s is not of Google's class: releases work the same way, but Turnout cannot see whether the load balancer took up a "+
			"switch (docs/zero-downtime.md).", r.ingress.Name)
		return nil
	}
	return writeClass(m)
}

// writeGateway names the HTTPRoute in the BlueGreen. A release writes its backendRefs; init writes nothing
// of it.
func writeGateway(m *maker) {
	r := m.r
	m.bg["gateway"] = object{"route": r.route.Name}
	var others []string
	for name := range r.route.Services {
		if name != r.service.Name && name != m.otherName(r.service.Name) {
			others = append(others, name)
		}
	}
	if len(others) > 0 {
		m.found("httproute %s also routes to %s, which stays as it is", r.route.Name, names(others))
	}
	if r.route.Unseen && r.route.url(r.service.Name) != "" && m.o.URL == "" {
		m.lookAt("A Gateway of httproute %s could not be read: spec.url says https, which is a guess.", r.route.Name)
	}
	m.lookAt("Policies of service %s (HealthCheckPolicy, GCPBackendPolicy) do not apply to %s by themselves: give it the same ones "+
		"(docs/gateway.md).", r.service.Name, m.otherName(r.service.Name))
}

// writeClass writes the annotation by which GKE knows its Ingresses.
func writeClass(m *maker) error {
	in := m.r.ingress
	if in.Annotations[classKey] != "" {
		return nil
	}
	class := "gce"
	if in.Spec.IngressClassName != nil {
		class = *in.Spec.IngressClassName
	}
	file := "changes/ingress-" + in.Name + ".yaml"
	m.Steps = append(m.Steps, Step{
		Do:       "Name the class of the Ingress.",
		Why:      "The load balancer stays as it is: GKE reads the class here, and ignores spec.ingressClassName.",
		Commands: []v1alpha1.ShellCommand{m.patch("ingress", in.Name, file)},
	})
	return m.add(file, object{"metadata": object{"annotations": object{classKey: class}}}, comments{
		"": "GKE reads the class here, and ignores spec.ingressClassName.",
	})
}

// writeBalancing writes a BackendConfig if the live Service names none.
func writeBalancing(m *maker, service *corev1.Service) error {
	if !m.gce {
		return nil
	}
	if m.r.service != nil && configured(service) {
		m.found("service %s names a BackendConfig: kept", service.Name)
		return nil
	}
	if err := writeConfig(m, healthCheck(m, service)); err != nil {
		return err
	}
	if m.r.service == nil {
		return nil // the new Services name it
	}
	file := "changes/service-" + service.Name + "-backendconfig.yaml"
	m.Steps = append(m.Steps, Step{
		Do: "Let requests finish when a pod is detached, and set the path of the load balancer's health check.",
		Why: "The load balancer changes its backend in place. The pods already answer that path for their readiness probe, so users notice " +
			"nothing.",
		Commands: []v1alpha1.ShellCommand{m.kubectl("apply", "-f", m.path("backendconfig.yaml")), m.patch("service", service.Name, file)},
	})
	return m.add(file, object{"metadata": object{"annotations": object{configKey: configValue(m)}}}, comments{
		"": "Names the BackendConfig of both colours. It must exist first, or the load balancer takes up no change of the Ingress.",
	})
}

// nameConfig makes the other colour's Service name the BackendConfig, too.
func nameConfig(m *maker, other object, live *corev1.Service) {
	if m.gce && !configured(live) {
		workload.Ensure(other, "metadata", "annotations")[configKey] = configValue(m)
	}
}

func configured(service *corev1.Service) bool {
	for i := range service.Spec.Ports {
		if name, _, err := route.ConfigName(service, &service.Spec.Ports[i]); err != nil || name != "" {
			return true
		}
	}
	return false
}

// configValue names the BackendConfig for every port.
func configValue(m *maker) string {
	text, err := json.Marshal(map[string]string{"default": m.o.Name})
	if err != nil {
		return "" // unreachable: a text
	}
	return string(text)
}

// healthCheck is what the load balancer may ask live pods for, because they give the kubelet this very
// answer; nil if nothing shows what they answer.
func healthCheck(m *maker, service *corev1.Service) object {
	probe := m.r.container.ReadinessProbe
	if probe == nil || probe.HTTPGet == nil || slices.ContainsFunc(probe.HTTPGet.HTTPHeaders, func(h corev1.HTTPHeader) bool {
		return strings.EqualFold(h.Name, "Host")
	}) {
		m.lookAt("Nothing shows a path that the pods answer with 200 without a header, so that backendconfig.yaml has no health check: the load "+
			"balancer asks for %s. Add spec.healthCheck when you know one.", "/")
		return nil
	}
	get := probe.HTTPGet
	check := object{"type": string(get.Scheme), "requestPath": get.Path}
	if get.Path == "" {
		check["requestPath"] = "/"
	}
	if get.Scheme == "" {
		check["type"] = "HTTP"
	}
	port := probedPort(m, get.Port)
	if served := workload.PodPort(servedPort(m, service), m.r.deployment.Spec.Template.Spec); served == port {
		return check
	}
	if !route.UsesNEGs(service) {
		return nil // a check through the nodes has the nodes' port
	}
	check["port"] = int64(port)
	return check
}

// probedPort is the number of a port of the container.
func probedPort(m *maker, port intstr.IntOrString) int32 {
	for _, p := range m.r.container.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal {
			return p.ContainerPort
		}
	}
	return port.IntVal
}

// servedPort is the port of the Service that the Ingress names first.
func servedPort(m *maker, service *corev1.Service) corev1.ServicePort {
	if m.r.ingress != nil {
		for _, b := range backendsOf(m.r.ingress) {
			if b.Name != service.Name {
				continue
			}
			if p := route.FindPort(service, portOfBackend(b)); p != nil {
				return *p
			}
		}
	}
	return service.Spec.Ports[0]
}

func portOfBackend(b networkingv1.IngressServiceBackend) object {
	if b.Port.Name != "" {
		return object{"name": b.Port.Name}
	}
	return object{"number": int64(b.Port.Number)}
}

// writeAutoscalers writes the autoscaler and the budget of the colour without users, where the live one
// has them.
func writeAutoscalers(m *maker, blue string) error {
	other := m.otherName(blue)
	if hpa := m.n.autoscaler(m.r.deployment.Name); hpa != nil {
		targets := []string{other}
		if blue != m.r.deployment.Name {
			targets = []string{blue, other}
		}
		for _, target := range targets {
			if m.n.autoscaler(target) != nil {
				continue
			}
			o, err := untyped(hpa.DeepCopy(), "autoscaling/v2", "HorizontalPodAutoscaler")
			if err != nil {
				return err
			}
			tidy(o)
			o["metadata"] = object{"name": target, "namespace": m.o.Namespace}
			workload.Ensure(o, "spec", "scaleTargetRef")["name"] = target
			if err := m.add("autoscaler-"+target+".yaml", o, comments{
				"": fmt.Sprintf("Like %s. At size 0 Kubernetes leaves the Deployment alone.", hpa.Name),
			}); err != nil {
				return err
			}
		}
	}
	return writeBudgets(m, other)
}

// writeBudgets writes a PodDisruptionBudget for the other colour if the live one's is of its colour only.
func writeBudgets(m *maker, other string) error {
	for i := range m.n.Budgets {
		b := &m.n.Budgets[i]
		if b.Spec.Selector == nil || !selects(b.Spec.Selector.MatchLabels, m.r.deployment.Spec.Template.Labels) {
			continue
		}
		if b.Spec.Selector.MatchLabels[m.r.label] != string(m.r.color) {
			m.found("poddisruptionbudget %s protects the pods of both colours", b.Name)
			continue
		}
		o, err := untyped(b.DeepCopy(), "policy/v1", "PodDisruptionBudget")
		if err != nil {
			return err
		}
		tidy(o)
		o["metadata"] = object{"name": other, "namespace": m.o.Namespace}
		workload.Ensure(o, "spec", "selector", "matchLabels")[m.r.label] = string(m.r.color.Other())
		if err := m.add("budget-"+other+".yaml", o, comments{"": "Like " + b.Name + ", for the other colour."}); err != nil {
			return err
		}
	}
	return nil
}

// noteNeighbours names what else reaches the pods of both colours.
func noteNeighbours(m *maker, blue string) {
	for i := range m.n.Services {
		s := &m.n.Services[i]
		if m.r.service != nil && s.Name == m.r.service.Name || s.Name == m.otherName(nameOf(m.r.service)) ||
			!selects(s.Spec.Selector, m.r.deployment.Spec.Template.Labels) || s.Spec.Selector[m.r.label] != "" {
			continue
		}
		m.lookAt("Service %s selects pods of both colours: its users also get a staged version, before it passes its gate. Let it "+
			"select %s, or let its users come through the Ingress.", s.Name, blue)
	}
	if m.r.service == nil {
		return
	}
	for i := range m.n.Ingresses {
		in := &m.n.Ingresses[i]
		if m.r.ingress != nil && in.Name != m.r.ingress.Name && routesTo(in, m.r.service.Name) {
			m.lookAt("Ingress %s sends users to service %s, too. A switch moves only those of ingress %s, and a later release waits while the "+
				"others stay: route them through that one.", in.Name, m.r.service.Name, m.r.ingress.Name)
		}
	}
	for _, name := range m.n.routeNames(m.r.service.Name) {
		if m.r.route == nil || name != m.r.route.Name {
			m.lookAt("HTTPRoute %s sends users to service %s, too. A switch does not move these, and a later release waits while they stay: "+
				"route them the way of the others.", name, m.r.service.Name)
		}
	}
	for i := range m.n.Deployments {
		d := &m.n.Deployments[i]
		if d.Name != m.r.deployment.Name && d.Name != blue && selects(m.r.service.Spec.Selector, d.Spec.Template.Labels) {
			m.lookAt("Service %s has pods of deployment %s, too. When it selects by colour, users no longer reach these.", m.r.service.Name, d.Name)
		}
	}
}
