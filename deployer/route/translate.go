package route

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// UntranslatableError is why Google's controller would apply no change of an Ingress: one
// unusable backend is fatal for all of them (ingress-gce
// pkg/controller/translator/translator.go:109-158,273-300).
type UntranslatableError struct {
	Ingress string
	// Target: the fault is in the Service that was about to be named, not in one that
	// the Ingress already names.
	Target bool
	// Why, and the way out.
	Why string
}

func (e *UntranslatableError) Error() string {
	if e.Target {
		return fmt.Sprintf("ingress %s cannot reference it for Google's load balancer: %s", e.Ingress, e.Why)
	}
	return fmt.Sprintf("Google's load balancer applies no change of ingress %s: %s", e.Ingress, e.Why)
}

// CheckTranslation reports whether Google's controller can use every Service that the
// Ingress names, and a colour's Service under the ports of the other one. If not, the
// error is an [*UntranslatableError].
func (r *Router) CheckTranslation(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error {
	if s.Gateway != nil {
		return refusedRoute(s)
	}
	for _, p := range UnfitPaths(s) {
		return &UntranslatableError{Ingress: s.Name, Why: p.Field + " " + p.Text}
	}
	for _, b := range backends(s.Spec, true) {
		if b.Service == "" {
			return &UntranslatableError{Ingress: s.Name, Why: fmt.Sprintf("its backend for %s is not a Service: remove it", b)}
		}
		why, err := r.unfit(ctx, bg.Namespace, b.Service, b.Port)
		if err != nil {
			return err
		}
		if why != "" {
			return &UntranslatableError{
				Ingress: s.Name,
				Why:     fmt.Sprintf("service %s, which it names for %s, %s, or remove that route", b.Service, b, why),
			}
		}
	}
	for _, b := range s.Users[target.Other()] {
		name := bg.Side(target).Service
		why, err := r.unfit(ctx, bg.Namespace, name, b.Port)
		if err != nil {
			return err
		}
		if why != "" {
			return &UntranslatableError{Ingress: s.Name, Target: true, Why: "service " + name + " " + why}
		}
	}
	return nil
}

// unfit is why Google's controller cannot use a port of a Service, and the way out; "" if it can.
func (r *Router) unfit(ctx context.Context, namespace, name string, want map[string]any) (string, error) {
	service := &corev1.Service{}
	err := r.Reader.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, service)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("reading service %s: %w", name, err)
	}
	if err != nil {
		service = nil
	}
	config, misfit := Unfit(service, want)
	if misfit != nil || config == "" {
		if misfit != nil {
			return misfit.Text, nil
		}
		return "", nil
	}
	spec, found, err := r.backendConfig(ctx, namespace, config)
	if err != nil {
		return "", err
	}
	if m := UnfitConfig(config, spec, found); m != nil {
		return m.Text, nil
	}
	return "", nil
}

// Misfit is why Google's controller cannot use a Service that an Ingress names.
type Misfit struct {
	// Reason is one word for machines.
	Reason string
	// Field of the Service; "" if there is no Service.
	Field string
	// Text continues a sentence that begins with the Service's name, and ends with the
	// way out.
	Text string
}

// Unfit returns why Google's controller cannot use a port of a Service, or the
// BackendConfig that must also exist, if the Service names one for the port. A nil
// Service does not exist.
func Unfit(service *corev1.Service, want map[string]any) (config string, m *Misfit) {
	if service == nil {
		return "", &Misfit{"ServiceMissing", "", "does not exist: create it"}
	}
	port := FindPort(service, want)
	if port == nil {
		return "", &Misfit{"Ports", "spec.ports", fmt.Sprintf("has no port %s: add it", track.PortText(want))}
	}
	if m := unreachable(service); m != nil {
		return "", m
	}
	if _, key, err := AppProtocol(service, port); err != nil {
		return "", &Misfit{"Protocol", "metadata.annotations[" + key + "]", err.Error() + ": correct it"}
	}
	config, key, err := ConfigName(service, port)
	switch {
	case errors.Is(err, errNamesNone):
		return "", &Misfit{
			"Annotation", "metadata.annotations[" + key + "]",
			fmt.Sprintf(`has the annotation %s, which names no BackendConfig: `+
				`write {"default": "NAME"} or {"ports": {"PORT": "NAME"}}, or remove it`, key),
		}
	case err != nil:
		return "", &Misfit{
			"Annotation", "metadata.annotations[" + key + "]",
			fmt.Sprintf("has the annotation %s, which is not JSON: correct it", key),
		}
	}
	return config, nil
}

// errNamesNone is an annotation that exists but names nothing, which Google's controller
// refuses (ingress-gce pkg/annotations/service.go, GetBackendConfigs).
var errNamesNone = errors.New("it names no BackendConfig")

// UnfitPath is a path for which Google's controller refuses the whole Ingress.
type UnfitPath struct {
	// Field of the Ingress, such as spec.rules[0].http.paths[1].path.
	Field string
	// Text continues a sentence that begins with the field, and ends with the way out.
	Text string
}

// UnfitPaths are the paths with a wildcard in a path type that allows none (ingress-gce
// pkg/controller/translator/translator.go, validateAndGetPaths).
func UnfitPaths(s track.Routes) []UnfitPath {
	var all []UnfitPath
	rules, _, _ := unstructured.NestedSlice(s.Spec, "rules")
	for i, r := range rules {
		rule, _ := r.(map[string]any)
		paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
		for j, p := range paths {
			path, _ := p.(map[string]any)
			text, _, _ := unstructured.NestedString(path, "path")
			kind, _, _ := unstructured.NestedString(path, "pathType")
			if kind != "Prefix" && kind != "Exact" || !strings.Contains(text, "*") {
				continue
			}
			way := "set its pathType to ImplementationSpecific"
			if plain := cmp.Or(strings.TrimSuffix(text, "/*"), "/"); kind == "Prefix" && !strings.Contains(plain, "*") {
				way = fmt.Sprintf("write %s, which includes every path below it, or %s", plain, way)
			}
			all = append(all, UnfitPath{
				Field: fmt.Sprintf("spec.rules[%d].http.paths[%d].path", i, j),
				Text:  fmt.Sprintf("is %s of type %s, in which Google's load balancer does not allow *: %s", text, kind, way),
			})
		}
	}
	return all
}

// UnfitConfig returns why Google's controller cannot use the BackendConfig that a
// Service names; nil if it can.
func UnfitConfig(name string, spec map[string]any, exists bool) *Misfit {
	if exists {
		return invalid(name, spec)
	}
	return &Misfit{
		"BackendConfigMissing", "metadata.annotations[" + configAnnotations[0] + "]",
		fmt.Sprintf("names the BackendConfig %s, which does not exist: create it", name),
	}
}

// unreachable is why the load balancer can reach neither a Service's pods nor the Service through
// the nodes; nil if it can.
func unreachable(service *corev1.Service) *Misfit {
	const field = "metadata.annotations[" + negAnnotation + "]"
	if text := service.Annotations[negAnnotation]; text != "" && !json.Valid([]byte(text)) {
		return &Misfit{"Annotation", field, fmt.Sprintf("has the annotation %s, which is not JSON: correct it", negAnnotation)}
	}
	open := service.Spec.Type == corev1.ServiceTypeNodePort || service.Spec.Type == corev1.ServiceTypeLoadBalancer
	if UsesNEGs(service) || open {
		return nil
	}
	return &Misfit{
		"Unreachable", field,
		fmt.Sprintf(`is of type %s without network endpoint groups: annotate it %s='{"ingress": true}'`,
			cmp.Or(service.Spec.Type, corev1.ServiceTypeClusterIP), negAnnotation),
	}
}

// backendConfigKind configures a backend service.
var backendConfigKind = schema.GroupVersionKind{Group: "cloud.google.com", Version: "v1", Kind: "BackendConfig"}

// Annotations of Services that name BackendConfigs; the second is the older one.
var configAnnotations = []string{
	"cloud.google.com/backend-config",
	"beta.cloud.google.com/backend-config",
} //nolint:gochecknoglobals // a constant list

// ConfigName names the BackendConfig of a Service's port: the one for the port's name or
// number, otherwise the default; "" if there is none. With an error, key is the
// annotation that cannot be read.
func ConfigName(service *corev1.Service, port *corev1.ServicePort) (name, key string, err error) {
	for _, key := range configAnnotations {
		text, found := service.Annotations[key]
		if !found {
			continue
		}
		var names struct {
			Default string            `json:"default"`
			Ports   map[string]string `json:"ports"`
		}
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			return "", key, fmt.Errorf("reading the annotation %s of service %s: %w", key, service.Name, err)
		}
		if names.Default == "" && len(names.Ports) == 0 {
			return "", key, errNamesNone
		}
		return cmp.Or(names.Ports[port.Name], names.Ports[strconv.Itoa(int(port.Port))], names.Default), key, nil
	}
	return "", "", nil
}

func (r *Router) backendConfig(ctx context.Context, namespace, name string) (spec map[string]any, found bool, err error) {
	return ReadBackendConfig(ctx, r.Reader, namespace, name)
}

// ReadBackendConfig reads the spec of a BackendConfig. In a cluster without this kind of
// object it finds none.
func ReadBackendConfig(ctx context.Context, from client.Reader, namespace, name string) (spec map[string]any, found bool, err error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(backendConfigKind)
	err = from.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, object)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading backendconfig %s: %w", name, err)
	}
	spec, _, _ = unstructured.NestedMap(object.Object, "spec")
	return spec, true, nil
}

// NamesHealthCheck reports whether a colour's Service itself sets the path of the load
// balancer's health check, in a BackendConfig. Otherwise the path is copied from a pod's
// readiness probe when the health check is created, and never updated (ingress-gce
// pkg/healthchecks/healthchecks.go:157-174,278-291).
func (r *Router) NamesHealthCheck(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) (bool, error) {
	name := bg.Side(c).Service
	var service corev1.Service
	if err := r.Reader.Get(ctx, types.NamespacedName{Namespace: bg.Namespace, Name: name}, &service); err != nil {
		return false, fmt.Errorf("reading service %s: %w", name, err)
	}
	for _, b := range s.Users[c.Other()] {
		port := FindPort(&service, b.Port)
		if port == nil {
			return false, nil
		}
		config, _, err := ConfigName(&service, port)
		if err != nil || config == "" {
			return false, nil //nolint:nilerr // CheckTranslation reports that it cannot be read
		}
		spec, _, err := r.backendConfig(ctx, bg.Namespace, config)
		if err != nil {
			return false, err
		}
		if path, _, _ := unstructured.NestedString(spec, "healthCheck", "requestPath"); path == "" {
			return false, nil
		}
	}
	return true, nil
}

// FindPort returns the port of a Service that an Ingress names, by name or by number;
// nil if the Service has no such port.
func FindPort(service *corev1.Service, want map[string]any) *corev1.ServicePort {
	for i := range service.Spec.Ports {
		if p := &service.Spec.Ports[i]; track.NamesPort(want, p.Name, p.Port) {
			return p
		}
	}
	return nil
}
