package preflight

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// edit is the command that edits an object of the application's namespace.
func edit(app *v1alpha1.BlueGreen, kind, name string) v1alpha1.ShellCommand {
	return v1alpha1.Kubectl("edit", kind, name, app.Namespace)
}

// annotate is the command that annotates a Service.
func annotate(app *v1alpha1.BlueGreen, service, key, value string) v1alpha1.ShellCommand {
	return v1alpha1.Annotate("service", service, app.Namespace, key, value)
}

// patchApp is the command that sets fields of the application's spec.
func patchApp(app *v1alpha1.BlueGreen, spec map[string]any) v1alpha1.ShellCommand {
	return v1alpha1.Merge("bluegreen", app.Name, app.Namespace, map[string]any{"spec": spec})
}

// patchConfig is the command that sets fields of a BackendConfig.
func patchConfig(app *v1alpha1.BlueGreen, name string, spec map[string]any) v1alpha1.ShellCommand {
	return v1alpha1.Merge("backendconfig", name, app.Namespace, map[string]any{"spec": spec})
}

// setGroups is the command that makes the load balancer send directly to a Service's pods,
// or stop doing so. The rest of the annotation stays: others may use those groups.
func setGroups(app *v1alpha1.BlueGreen, service *corev1.Service, use bool) v1alpha1.ShellCommand {
	set := map[string]any{}
	_ = json.Unmarshal([]byte(service.Annotations[negAnnotation]), &set) // an annotation that is not JSON sets nothing
	delete(set, "ingress")
	if !use && len(set) == 0 {
		return v1alpha1.Kubectl("annotate", "service", service.Name, app.Namespace, negAnnotation+"-")
	}
	set["ingress"] = use
	text, err := json.Marshal(set)
	if err != nil {
		return "" // unreachable: it came from JSON
	}
	return annotate(app, service.Name, negAnnotation, string(text))
}

// askAll is the command that makes the gate's checks without a port cover all these ports. A
// header may contain a secret; the command then only opens an editor.
func askAll(app *v1alpha1.BlueGreen, ports []int32) v1alpha1.ShellCommand {
	var checks []v1alpha1.HTTPCheck
	add := func(c v1alpha1.HTTPCheck) {
		if !slices.ContainsFunc(checks, func(o v1alpha1.HTTPCheck) bool { return reflect.DeepEqual(o, c) }) {
			checks = append(checks, c)
		}
	}
	for _, c := range app.Spec.Gate.HTTP {
		if len(c.Headers) > 0 {
			return edit(app, "bluegreen", app.Name)
		}
		if c.Port != 0 {
			add(c)
			continue
		}
		for _, c.Port = range ports {
			add(c)
		}
	}
	return cmp.Or(patchApp(app, map[string]any{"gate": map[string]any{"http": checks}}), edit(app, "bluegreen", app.Name))
}

// askSecurely is the command that makes a gate check use TLS. Like askAll, it shows no headers.
func askSecurely(app *v1alpha1.BlueGreen, i int) v1alpha1.ShellCommand {
	checks := slices.Clone(app.Spec.Gate.HTTP)
	checks[i].Scheme = "HTTPS"
	if slices.ContainsFunc(checks, func(c v1alpha1.HTTPCheck) bool { return len(c.Headers) > 0 }) {
		return edit(app, "bluegreen", app.Name)
	}
	return cmp.Or(patchApp(app, map[string]any{"gate": map[string]any{"http": checks}}), edit(app, "bluegreen", app.Name))
}
