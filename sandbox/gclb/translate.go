package gclb

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Annotations of Services.
const (
	negAnnotation       = "cloud.google.com/neg"
	negStatusAnnotation = "cloud.google.com/neg-status"
)

// classAnnotation says on an Ingress which controller it is for.
const classAnnotation = "kubernetes.io/ingress.class"

// systemBackend is what an Ingress without a default backend falls back to: in
// GKE kube-system/default-http-backend, which answers every request with 404.
// Here it is built in.
const systemBackend = "default-http-backend"

// isOurs tells whether an Ingress is for the external load balancer: class
// annotation "gce", or neither an annotation nor spec.ingressClassName
// (pkg/utils/utils.go, IsGCEIngress). A spec.ingressClassName of "gce" alone is
// not, which surprises people.
func isOurs(ingress *networkingv1.Ingress) bool {
	class := ingress.Annotations[classAnnotation]
	return class == "gce" || class == "" && ingress.Spec.IngressClassName == nil
}

// lookUps find the objects that an Ingress refers to; nil means there is none.
type lookUps struct {
	service func(namespace, name string) *corev1.Service
	config  func(namespace, name string) (*backendConfig, error)
}

// servicePort is a port of a Service that a URL map refers to.
type servicePort struct {
	namespace, service string
	port               corev1.ServicePort
	selector           map[string]string
	config             *backendConfig // nil: none
	backend            string         // the name of its backend service, health check and NEG
}

// translation is what an Ingress asks for.
type translation struct {
	urlMap urlMap
	ports  []servicePort // the default backend first, each once
}

// translate reads a whole Ingress. Any backend that is missing or unfit is an
// error, and then the URL map must not be used: one bad backend is fatal for the
// whole Ingress (pkg/controller/translator/translator.go:109-158,273-300;
// pkg/controller/controller.go:721-728). What could be translated is returned
// all the same, since garbage collection keeps that.
func translate(ingress *networkingv1.Ingress, names namer, find lookUps) (translation, error) {
	t := translator{ingress: ingress, names: names, find: find}
	t.result.urlMap = urlMap{name: names.urlMap(ingress.Namespace, ingress.Name), fallback: systemBackend}
	if d := ingress.Spec.DefaultBackend; d != nil {
		t.result.urlMap.fallback = t.backend(d)
	}
	for i := range ingress.Spec.Rules {
		t.rule(&ingress.Spec.Rules[i])
	}
	return t.result, errors.Join(t.errs...)
}

type translator struct {
	ingress *networkingv1.Ingress
	names   namer
	find    lookUps
	result  translation
	errs    []error
}

func (t *translator) rule(r *networkingv1.IngressRule) {
	if r.HTTP == nil {
		return
	}
	var paths []pathRule
	for i := range r.HTTP.Paths {
		p := &r.HTTP.Paths[i]
		backend := t.backend(&p.Backend)
		patterns, err := pathPatterns(p)
		if err != nil {
			t.errs = append(t.errs, err)
		}
		if backend == "" {
			continue
		}
		for _, pattern := range patterns {
			paths = append(paths, pathRule{path: pattern, backend: backend})
		}
	}
	host := r.Host
	if host == "" {
		host = "*"
	}
	t.result.urlMap.putHost(host, paths)
}

// backend names the backend service, "" if there is an error.
func (t *translator) backend(b *networkingv1.IngressBackend) string {
	if b.Service == nil {
		t.errs = append(t.errs, errors.New("a backend of a kind other than Service is not supported"))
		return ""
	}
	port, err := t.servicePort(b.Service)
	if err != nil {
		t.errs = append(t.errs, err)
		return ""
	}
	if !slices.ContainsFunc(t.result.ports, func(p servicePort) bool { return p.backend == port.backend }) {
		t.result.ports = append(t.result.ports, port)
	}
	return port.backend
}

func (t *translator) servicePort(b *networkingv1.IngressServiceBackend) (servicePort, error) {
	namespace := t.ingress.Namespace
	service := t.find.service(namespace, b.Name)
	if service == nil {
		return servicePort{}, fmt.Errorf("could not find service %q", namespace+"/"+b.Name)
	}
	port := findPort(service, b.Port)
	if port == nil {
		return servicePort{}, fmt.Errorf("could not find port %q in service %q", portText(b.Port), namespace+"/"+b.Name)
	}
	if neg, err := readNEGAnnotation(service); err != nil {
		return servicePort{}, err
	} else if !neg.Ingress {
		return servicePort{}, unfit(service)
	}
	found := servicePort{
		namespace: namespace, service: b.Name, port: *port, selector: service.Spec.Selector,
		backend: t.names.neg(namespace, b.Name, port.Port),
	}
	name, err := backendConfigName(service, port)
	if err != nil || name == "" {
		return found, err
	}
	found.config, err = t.find.config(namespace, name)
	if err == nil && found.config == nil {
		err = fmt.Errorf("error getting BackendConfig for port %q on service %q: no BackendConfig %q exists",
			portText(b.Port), namespace+"/"+b.Name, name)
	}
	return found, err
}

// unfit says why a Service without NEGs cannot be a backend. A Service that is
// open on every node could, through instance groups, which are not modelled.
func unfit(service *corev1.Service) error {
	name := service.Namespace + "/" + service.Name
	if service.Spec.Type == corev1.ServiceTypeNodePort || service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		return fmt.Errorf("service %q has no annotation %s with ingress: true, and this load balancer has no instance groups",
			name, negAnnotation)
	}
	return fmt.Errorf("service %q is type %q, expected \"NodePort\" or \"LoadBalancer\"", name, service.Spec.Type)
}

// findPort is the port that an Ingress names, by name or by number.
func findPort(service *corev1.Service, want networkingv1.ServiceBackendPort) *corev1.ServicePort {
	for i := range service.Spec.Ports {
		p := &service.Spec.Ports[i]
		if want.Name != "" && p.Name == want.Name || want.Name == "" && p.Port == want.Number {
			return p
		}
	}
	return nil
}

func portText(p networkingv1.ServiceBackendPort) string {
	if p.Name != "" {
		return p.Name
	}
	return fmt.Sprint(p.Number)
}

// negUse is what a Service's annotation asks for.
type negUse struct {
	// Ingress makes NEGs for the ports that Ingresses refer to.
	Ingress bool `json:"ingress"`
	// ExposedPorts get NEGs whoever refers to them: standalone NEGs.
	ExposedPorts map[string]any `json:"exposed_ports"`
}

// readNEGAnnotation reads a Service's annotation; none asks for nothing.
func readNEGAnnotation(service *corev1.Service) (negUse, error) {
	var use negUse
	text, found := service.Annotations[negAnnotation]
	if !found {
		return use, nil
	}
	if err := json.Unmarshal([]byte(text), &use); err != nil {
		return use, fmt.Errorf("service %s/%s: annotation %s: %w", service.Namespace, service.Name, negAnnotation, err)
	}
	return use, nil
}

// pathPatterns are the URL map's paths for one of an Ingress. Prefix /foo needs
// two, /foo and /foo/*; ImplementationSpecific is taken as it stands, so that "/"
// is that one path and nothing below it (pkg/controller/translator/translator.go).
func pathPatterns(p *networkingv1.HTTPIngressPath) ([]string, error) {
	kind := networkingv1.PathTypeImplementationSpecific
	if p.PathType != nil {
		kind = *p.PathType
	}
	wild := strings.Contains(p.Path, "*")
	switch {
	case kind == networkingv1.PathTypeImplementationSpecific && p.Path == "":
		return []string{"/*"}, nil
	case kind == networkingv1.PathTypeImplementationSpecific:
		return []string{p.Path}, nil
	case p.Path == "" || wild:
		return nil, fmt.Errorf("failed to validate %s path type: path %q is empty or has a wildcard", kind, p.Path)
	case kind == networkingv1.PathTypeExact:
		return []string{p.Path}, nil
	case p.Path == "/":
		return []string{"/*"}, nil
	}
	base := strings.TrimSuffix(p.Path, "/")
	return []string{base, base + "/*"}, nil
}
