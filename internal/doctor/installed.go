package doctor

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

// anyImage stands for the image, which is not compared.
var anyImage = config.Image + "@sha256:" + strings.Repeat("0", 64)

// expected are the objects of config/ for this install.
func (w *World) expected() ([]*unstructured.Unstructured, error) {
	all, err := config.Objects(config.Options{Image: anyImage, Namespaces: servedBy(w)})
	if err != nil {
		return nil, fmt.Errorf("building config/: %w", err)
	}
	return all, nil
}

// part chooses objects of config/ by their kinds; wrong is the severity if one differs.
type part struct {
	kinds []string
	wrong Severity
}

// The parts of config/. What Turnout may do is also asked of the API server (rights.go), so a
// role that differs need not be wrong. Somebody may have changed the objects of the last part
// for their cluster.
var (
	crds     = part{[]string{"CustomResourceDefinition"}, SeverityError}
	policies = part{[]string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}, SeverityError}
	roles    = part{[]string{"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "ServiceAccount"}, SeverityWarning}
	serving  = part{[]string{"Service", "PodDisruptionBudget", "NetworkPolicy"}, SeverityWarning}
)

// compare checks that the cluster has a part of config/ as this version of Turnout needs it.
func (w *World) compare(ctx context.Context, p part) ([]Finding, error) {
	if w.DeploymentErr != nil {
		return nil, w.DeploymentErr // which namespaces it serves decides what is needed
	}
	all, err := w.expected()
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, want := range all {
		if !slices.Contains(p.kinds, want.GetKind()) {
			continue
		}
		f, err := w.compareOne(ctx, want, p.wrong)
		if err != nil {
			return found, err
		}
		found = append(found, f...)
	}
	return found, nil
}

func (w *World) compareOne(ctx context.Context, want *unstructured.Unstructured, wrong Severity) ([]Finding, error) {
	have := &unstructured.Unstructured{}
	have.SetGroupVersionKind(want.GroupVersionKind())
	f := Finding{Object: nameOf(want), Commands: commands(w.reinstall()), Users: EffectRestart}
	err := w.Kube.Get(ctx, client.ObjectKeyFromObject(want), have)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		f.Code, f.Severity, f.Message = CodeMissing, SeverityError, "it does not exist: install it"
		return []Finding{f}, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", f.Object, err)
	}
	if fields := lacks(want.Object, have.Object); len(fields) > 0 {
		f.Code, f.Severity, f.Field = CodeDiffers, wrong, fields[0]
		f.Message = "it is not as this version of turnout needs it; " + differing(fields) + ": install this version's"
		if want.GetKind() == "ValidatingAdmissionPolicyBinding" {
			// Applying adds to its actions and takes none away.
			f.Commands = commands(v1alpha1.Shell("kubectl", "delete", strings.ToLower(want.GetKind()), want.GetName()).Then(w.reinstall()))
		}
		return []Finding{f}, nil
	}
	if want.GetKind() == "CustomResourceDefinition" && !established(have) {
		f.Code, f.Severity, f.Field = CodeNotInEffect, SeverityError, "status.conditions"
		f.Message = "the API server does not serve it yet, it is not Established: its conditions say why"
		f.Commands = commands(describe(want))
		f.Users = EffectNone
		return []Finding{f}, nil
	}
	return nil, nil
}

func differing(fields []string) string {
	if len(fields) == 1 {
		return "one field differs"
	}
	return fmt.Sprintf("%d fields differ", len(fields))
}

// lacks lists the fields of an object that differ from, or are missing in, another one. What
// the other one has beyond it was added by the API server or by somebody else, except in a
// list, which must be the same.
func lacks(want, have map[string]any) []string {
	var fields []string
	compareFields(&fields, "", want, have)
	return fields
}

func compareFields(fields *[]string, path string, want, have any) {
	switch want := want.(type) {
	case map[string]any:
		other, ok := have.(map[string]any)
		if !ok && len(want) > 0 {
			*fields = append(*fields, path)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if below := strings.TrimPrefix(path+"."+key, "."); below != "status" && want[key] != nil {
				compareFields(fields, below, want[key], other[key])
			}
		}
	case []any:
		other, ok := have.([]any)
		if len(want) != len(other) || !ok && len(want) > 0 {
			*fields = append(*fields, path)
			return
		}
		for i := range want {
			compareFields(fields, fmt.Sprintf("%s[%d]", path, i), want[i], other[i])
		}
	default:
		if !reflect.DeepEqual(want, have) {
			*fields = append(*fields, path)
		}
	}
}

func established(crd *unstructured.Unstructured) bool {
	all, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	return slices.ContainsFunc(all, func(one any) bool {
		c, ok := one.(map[string]any)
		return ok && c["type"] == "Established" && c["status"] == "True"
	})
}
