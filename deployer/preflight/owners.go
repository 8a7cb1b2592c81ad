package preflight

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// tools restore what they have written, by themselves or at their next run. prefix is the
// beginning of their field manager's name, how is the way to stop that.
var tools = []struct{ prefix, name, how string }{
	{"argocd", "Argo CD", "list /spec/rules and /spec/defaultBackend in spec.ignoreDifferences of its Application, with syncOptions: " +
		"[RespectIgnoreDifferences=true]"},
	{"kustomize-controller", "Flux", "annotate the manifest with kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"},
	{"helm", "Helm", "keep the chart from rendering it after it is installed"},
	{"Terraform", "Terraform", "add spec to ignore_changes of its lifecycle"},
	{"HashiCorp", "Terraform", "add spec to ignore_changes of its lifecycle"},
	{"pulumi", "Pulumi", "add spec to ignoreChanges of the resource"},
}

// hands are the field managers of people's commands. They restore nothing by themselves, so one
// is reported only if it took the routes from Turnout.
var hands = []string{"kubectl", "kubectl-client-side-apply"}

// owners finds out from managedFields who else writes the routes that a switch changes. A
// manager of other fields of the Ingress does not matter.
func owners(f Facts) []v1alpha1.Finding {
	inRules := slices.ContainsFunc(f.Routes.Users[f.live()],
		func(b track.Backend) bool { return strings.HasPrefix(b.Pointer, "/spec/rules/") })
	inDefault := slices.ContainsFunc(f.Routes.Users[f.live()],
		func(b track.Backend) bool { return strings.HasPrefix(b.Pointer, "/spec/defaultBackend") })
	var all []v1alpha1.Finding
	for _, m := range f.Ingress.Managers {
		rules, fallback := owned(m)
		field := "spec.rules"
		switch {
		case inRules && rules:
		case inDefault && fallback:
			field = "spec.defaultBackend"
		default:
			continue
		}
		ingress := f.about(f.Routes.Kind(), f.Routes.Name)
		if slices.Contains(hands, m.Manager) && f.tookFromUs(m) {
			all = append(all, ingress.warning("Owner", field,
				"kubectl apply wrote the routes after Turnout had moved them: if a manifest is applied again, it sends users to the colour that it "+
					"names: leave this %s out of what you apply, and edit its routes in place", f.Routes.Kind()).
				With(edit(f.App, f.Routes.Kind(), f.Routes.Name)))
		}
		for _, tool := range tools {
			if strings.HasPrefix(m.Manager, tool.prefix) {
				all = append(all, ingress.warning("Owner", field, "%s (%s) owns the routes that a switch changes, and may put them back: %s", tool.name,
					m.Manager, tool.how))
				break
			}
		}
	}
	return all
}

// owned reports whether a manager has written the rules, which are a single field to
// Kubernetes, and the Service of the default backend.
func owned(m metav1.ManagedFieldsEntry) (rules, fallback bool) {
	if m.FieldsV1 == nil || m.Subresource != "" {
		return false, false
	}
	var fields struct {
		Spec struct {
			Rules   *struct{} `json:"f:rules"`
			Default struct {
				Service struct {
					Name *struct{} `json:"f:name"`
				} `json:"f:service"`
			} `json:"f:defaultBackend"`
		} `json:"f:spec"`
	}
	if json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
		return false, false
	}
	return fields.Spec.Rules != nil, fields.Spec.Default.Service.Name != nil
}

// tookFromUs reports whether a manager wrote the Ingress later than Turnout, provided that
// Turnout wrote it at all.
func (f Facts) tookFromUs(m metav1.ManagedFieldsEntry) bool {
	i := slices.IndexFunc(f.Ingress.Managers, func(m metav1.ManagedFieldsEntry) bool { return m.Manager == v1alpha1.DeployerManager })
	return i >= 0 && timeOf(m).After(timeOf(f.Ingress.Managers[i]))
}

func timeOf(m metav1.ManagedFieldsEntry) time.Time {
	return cmp.Or(m.Time, &metav1.Time{}).Time
}
