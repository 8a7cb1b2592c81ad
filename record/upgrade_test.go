package record_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/record"
)

// TestAReleaseOfTheFirstVersionsIsReadAndWritten: their findings are strings in the cluster, and
// stay so after the new definitions are applied, until a release is written again.
func TestAReleaseOfTheFirstVersionsIsReadAndWritten(t *testing.T) {
	t.Parallel()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDs: []string{"../config/crd"}})
	check(t, err)
	t.Cleanup(plane.Stop)
	kube, err := client.NewWithWatch(plane.Config, client.Options{Scheme: kube.Scheme()})
	check(t, err)
	current := releaseDefinition(t)
	define := func(crd *apiextensionsv1.CustomResourceDefinition) {
		t.Helper()
		_, err := envtest.InstallCRDs(plane.Config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{crd}})
		check(t, err)
	}
	define(withTextFindings(t, current))
	check(t, kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))
	bg := &v1alpha1.BlueGreen{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"},
		Spec:       v1alpha1.BlueGreenSpec{Repository: "acme/app", Build: v1alpha1.BuildSpec{Project: "acme-prod"}},
	}
	check(t, kube.Create(t.Context(), bg))
	r := &record.Record{Client: kube, Reader: kube}
	rel := submit(t, r, deploy(bg))
	old := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
		"phase": "Succeeded", "findings": []any{"deployment app-green ran something else"},
	}}}
	old.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("Release"))
	old.SetNamespace(rel.Namespace)
	old.SetName(rel.Name)
	check(t, kube.Status().Patch(t.Context(), old, client.Merge))
	define(current)

	all, err := r.Releases(t.Context(), client.ObjectKeyFromObject(bg))
	check(t, err)
	want := []v1alpha1.Advice{{Text: "deployment app-green ran something else"}}
	if len(all) != 1 || !cmp.Equal(all[0].Status.Findings, want) {
		t.Fatalf("the releases are %+v, want one with the findings %+v", all, want)
	}
	if err := r.PublishGitHub(t.Context(), &all[0], v1alpha1.GitHubStatus{DeploymentID: 7}); err != nil {
		t.Errorf("the bot cannot write down what it published: %v", err)
	}
	read := &v1alpha1.Release{}
	check(t, kube.Get(t.Context(), client.ObjectKeyFromObject(rel), read))
	if read.Status.GitHub == nil || read.Status.GitHub.DeploymentID != 7 || !cmp.Equal(read.Status.Findings, want) {
		t.Errorf("the status is %+v, want deployment 7 and the findings as before", read.Status)
	}
	read.Status.Message = "It succeeded."
	if err := kube.Status().Update(t.Context(), read); err != nil {
		t.Errorf("the deployer cannot write the release again: %v", err)
	}
}

func releaseDefinition(t *testing.T) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	text, err := os.ReadFile("../config/crd/turnout.dev_releases.yaml")
	check(t, err)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	check(t, yaml.Unmarshal(text, crd))
	return crd
}

// withTextFindings is the definition as the first versions had it.
func withTextFindings(t *testing.T, crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	old := crd.DeepCopy()
	status := old.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]
	var text apiextensionsv1.JSONSchemaProps
	check(t, json.Unmarshal([]byte(`{"type": "array", "items": {"type": "string"}}`), &text))
	status.Properties["findings"] = text
	return old
}
