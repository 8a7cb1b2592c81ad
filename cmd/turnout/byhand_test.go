package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// TestByHand runs testdata/byhand/*.txt at a real API server with Turnout's admission
// policies. In them "cluster FILE" makes the script's namespace with what a file holds, "as
// USER [ROLE...]" types what follows as a user who has those ClusterRoles in the namespace
// (FILE.yaml is one of config/rbac), "ready APP" lets Turnout have looked at an application, and
// "merge KIND NAME PATCH" patches an object, or its status. "unchanged FILE" compares what the
// namespace holds now with what it held when "remember FILE" wrote it down.
func TestByHand(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/byhand", RequireExplicitExec: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "none"))
			name := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(env.WorkDir), "script-"), "_", "-")
			rbac, err := filepath.Abs("../../config/rbac")
			if err != nil {
				return err
			}
			env.Setenv("RBAC", rbac)
			env.Setenv("NS", name)
			env.Setenv("TURNOUT_NAMESPACE", name)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).begin(args[0]) },
			"as":      func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).as(args[0], args[1:]) },
			"ready":   func(ts *testscript.TestScript, _ bool, args []string) { newDeskhand(ts).looked(args[0]) },
			"merge": func(ts *testscript.TestScript, _ bool, args []string) {
				newDeskhand(ts).merge(args[0], args[1], args[2])
			},
			"remember": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(newDeskhand(ts).holds()), 0o600))
			},
			"unchanged": func(ts *testscript.TestScript, _ bool, args []string) {
				if now := newDeskhand(ts).holds(); now != ts.ReadFile(args[0]) {
					ts.Fatalf("the namespace holds\n%s\nit held\n%s", now, ts.ReadFile(args[0]))
				}
			},
		},
	})
}

// as writes a kubeconfig for a user who has roles in the namespace.
func (y *deskhand) as(user string, roles []string) {
	plane, err := startPlane()
	y.ts.Check(err)
	user += "-of-" + y.namespace
	for _, name := range roles {
		if strings.HasSuffix(name, ".yaml") {
			text, err := os.ReadFile(filepath.Join(y.ts.Getenv("RBAC"), name))
			y.ts.Check(err)
			role := &rbacv1.ClusterRole{}
			y.ts.Check(sigsyaml.UnmarshalStrict(text, role))
			y.ts.Check(client.IgnoreAlreadyExists(y.kube.Create(context.Background(), role)))
			name = role.Name
		}
		y.ts.Check(y.kube.Create(context.Background(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: y.namespace, GenerateName: "roles-"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
		}))
	}
	_, kubeconfig, err := plane.User(user, nil)
	file := y.ts.MkAbs("kubeconfig")
	y.ts.Check(errors.Join(err, os.WriteFile(file, kubeconfig, 0o600)))
	y.ts.Setenv("KUBECONFIG", file)
	y.ts.Setenv("WHO", user)
}

// looked writes what turnout serve writes about an application without a fault.
func (y *deskhand) looked(app string) {
	y.merge("bluegreen", app, `{"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":"Ready","message":"",
		"observedGeneration":1,"lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`)
}

func (y *deskhand) merge(kind, name, patch string) {
	text := client.RawPatch(types.MergePatchType, []byte(patch))
	if strings.HasPrefix(patch, `{"status"`) {
		y.ts.Check(y.kube.Status().Patch(context.Background(), y.named(kind, name), text))
		return
	}
	y.ts.Check(y.kube.Patch(context.Background(), y.named(kind, name), text))
}

// holds is what the namespace holds of the kinds that a release writes: what their owners say,
// and not what controllers add.
func (y *deskhand) holds() string {
	var b strings.Builder
	for _, list := range []client.ObjectList{
		&v1alpha1.BlueGreenList{}, &v1alpha1.ReleaseList{}, &appsv1.DeploymentList{}, &corev1.ServiceList{}, &networkingv1.IngressList{},
		&autoscalingv2.HorizontalPodAutoscalerList{},
	} {
		y.ts.Check(y.kube.List(context.Background(), list, client.InNamespace(y.namespace)))
		items, err := meta.ExtractList(list)
		y.ts.Check(err)
		for _, item := range items {
			content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(item)
			y.ts.Check(err)
			delete(content["metadata"].(map[string]any), "managedFields")   //nolint:forcetypeassert // every object has metadata
			delete(content["metadata"].(map[string]any), "resourceVersion") //nolint:forcetypeassert // see above
			unstructured.RemoveNestedField(content, "metadata", "annotations", "deployment.kubernetes.io/revision")
			if _, ours := item.(*v1alpha1.BlueGreen); !ours {
				delete(content, "status")
			}
			text, err := sigsyaml.Marshal(content)
			y.ts.Check(err)
			fmt.Fprintf(&b, "%T\n%s", item, text)
		}
	}
	return b.String()
}
