package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/internal/controlplane"
)

// emptyCluster is a cluster without Turnout, with an administrator's kubeconfig.
type emptyCluster struct {
	t          *testing.T
	admin      client.Client
	kubeconfig string
}

func newEmptyCluster(t *testing.T) *emptyCluster { return newClusterOf(t) }

// newClusterOf is a cluster with the kinds of some folders.
func newClusterOf(t *testing.T, crds ...string) *emptyCluster {
	t.Helper()
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDs: crds})
	check(t, err)
	t.Cleanup(plane.Stop)
	scheme := runtime.NewScheme()
	check(t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	admin, err := client.New(plane.Config, client.Options{Scheme: scheme})
	check(t, err)
	_, kubeconfig, err := plane.User("admin", []string{"system:masters"})
	check(t, err)
	c := &emptyCluster{t: t, admin: admin, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	check(t, os.WriteFile(c.kubeconfig, kubeconfig, 0o600))
	return c
}

// run runs the program and checks the exit status and the output.
func (c *emptyCluster) run(code int, args string, want ...string) string {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(c.t.Context(), append(strings.Fields(args), "--kubeconfig", c.kubeconfig), func(string) string { return "" }, &stdout, &stderr)
	said := stdout.String()
	if err != nil {
		said += err.Error()
	}
	if exitCode(err) != code {
		c.t.Errorf("%s: exit status %d, want %d; the output is\n%s", args, exitCode(err), code, said)
	}
	for _, text := range want {
		if !strings.Contains(said, text) {
			c.t.Errorf("%s: no %q in\n%s", args, text, said)
		}
	}
	return said
}

// has reports whether an object exists.
func (c *emptyCluster) has(object client.Object, namespace, name string) bool {
	c.t.Helper()
	err := c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	check(c.t, client.IgnoreNotFound(err))
	return !apierrors.IsNotFound(err)
}

func (c *emptyCluster) secret() *corev1.Secret {
	c.t.Helper()
	s := &corev1.Secret{}
	check(c.t, c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: config.Namespace, Name: config.SecretName}, s))
	return s
}

func (c *emptyCluster) deployment() *appsv1.Deployment {
	c.t.Helper()
	d := &appsv1.Deployment{}
	check(c.t, c.admin.Get(c.t.Context(), client.ObjectKey{Namespace: "turnout", Name: "turnout"}, d))
	return d
}

var (
	first  = "registry.example/turnout@sha256:" + strings.Repeat("1", 64)
	second = "registry.example/turnout@sha256:" + strings.Repeat("2", 64)
)

func TestInstallUpgradeAndUninstall(t *testing.T) {
	t.Parallel()
	c := newEmptyCluster(t)
	c.run(exitTrouble, "install", "by its digest")
	c.run(exitTrouble, "install --image turnout:v1", "by its digest")
	c.run(exitTrouble, "install --only namespaced --image "+first, "--only", "there is one part")
	c.run(exitSuccess, "install --dry-run --image "+first, "kind: Deployment", "image: "+first)
	if c.has(&corev1.Namespace{}, "", "turnout") {
		t.Fatal("--dry-run wrote")
	}
	c.run(exitSuccess, "install --image "+first, "namespace turnout created\n", "validatingadmissionpolicy turnout-releases created\n",
		"deployment turnout/turnout created\n",
		"customresourcedefinition bluegreens.turnout.dev created\n", "http://localhost:8081/setup")
	secret := c.secret()
	token := string(secret.Data[config.SecretSetupToken])
	if len(token) < 26 {
		t.Errorf("the token of the setup page is %q", token)
	}
	if got := config.ImageOf(c.deployment()); got != first {
		t.Errorf("it runs %s, want %s", got, first)
	}
	c.run(exitTrouble, "install --image "+second, "is installed already", first, "--upgrade")
	said := c.run(exitSuccess, "install --upgrade --image "+first, "deployment turnout/turnout unchanged\n", "\n       "+token+"\n")
	if strings.Contains(said, " changed") || strings.Contains(said, " created") {
		t.Errorf("an upgrade to the same version prints\n%s", said)
	}
	c.run(exitSuccess, "install --upgrade --image "+second, "deployment turnout/turnout changed\n"+
		"    spec.template.spec.containers[0].image: "+cut(first, longestValue)+" → "+cut(second, longestValue)+"\n")

	// A field that somebody else set is theirs until Turnout takes it over.
	theirs := c.deployment()
	theirs.Spec.Replicas = new(int32)
	check(t, c.admin.Update(t.Context(), theirs, client.FieldOwner("kubectl-edit")))
	c.run(exitTrouble, "install --upgrade --image "+second, "applying deployment turnout/turnout", "--force-conflicts", "kubectl-edit")
	c.run(exitSuccess, "install --upgrade --force-conflicts --image "+second, "    spec.replicas: 0 → 2\n")

	// With an App it waits for the pods, which nothing runs here.
	secret.Data = map[string][]byte{config.SecretAppID: []byte("1"), config.SecretPrivateKey: []byte("k")}
	check(t, c.admin.Update(t.Context(), secret))
	c.run(exitTrouble, "install --upgrade --image "+second, "secret turnout-github has a part of a GitHub App")
	secret.Data[config.SecretWebhookSecret] = []byte("s")
	check(t, c.admin.Update(t.Context(), secret))
	c.run(exitTrouble, "install --upgrade --timeout 5s --image "+second, "waiting for deployment turnout/turnout: ",
		"the events of its pods in namespace turnout")
	check(t, c.admin.Delete(t.Context(), secret))

	// A record, and a release under way.
	check(t, c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}))
	app := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}, Spec: v1alpha1.BlueGreenSpec{
		Repository: "acme/shop", Build: v1alpha1.BuildSpec{Project: "acme-prod"},
	}}
	check(t, c.admin.Create(t.Context(), app))
	app.Status.Active = &v1alpha1.Claim{Release: "shop-1", UID: "u", Holder: "p", RenewedAt: metav1.NowMicro()}
	check(t, c.admin.Status().Update(t.Context(), app))
	c.run(exitTrouble, "uninstall", "under way: shop/shop-1", "turnout cancel")
	c.deployment()
	app.Status.Active = nil
	check(t, c.admin.Status().Update(t.Context(), app))
	c.run(exitSuccess, "uninstall", "deployment turnout/turnout deleted\n", "clusterrole turnout deleted\n", "Turnout is removed")
	if c.has(&rbacv1.ClusterRole{}, "", "turnout") || c.has(&appsv1.Deployment{}, "turnout", "turnout") {
		t.Error("something is left")
	}
	if !c.has(&v1alpha1.BlueGreen{}, "shop", "shop") || !c.has(&corev1.Namespace{}, "", "turnout") {
		t.Error("the uninstall deleted the record")
	}
	c.run(exitSuccess, "uninstall", "Turnout is removed")
	c.run(exitSuccess, "install --image "+first, "deployment turnout/turnout created\n",
		"customresourcedefinition bluegreens.turnout.dev unchanged\n")
}

func TestInstallOfSomeNamespacesOnly(t *testing.T) {
	t.Parallel()
	c := newEmptyCluster(t)
	for _, name := range []string{"shop", "web"} {
		check(t, c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	c.run(exitTrouble, "install --namespaces shop --only namespaced --image "+first, "create namespace turnout first", "cluster-wide")
	c.run(exitSuccess, "install --namespaces shop,web --only cluster-wide --image "+first, "clusterrole turnout-attest created\n",
		"--only namespaced")
	if c.has(&appsv1.Deployment{}, "turnout", "turnout") || c.has(&rbacv1.ClusterRole{}, "", "turnout") {
		t.Error("the cluster-wide part has objects that it must not have")
	}
	c.run(exitSuccess, "install --namespaces shop,web --only namespaced --image "+first, "role shop/turnout created\n",
		"role web/turnout created\n")
	if c.has(&rbacv1.ClusterRole{}, "", "turnout") {
		t.Error("turnout has rights in the whole cluster")
	}
	// An upgrade adds no rights that nobody asked for, and removes those that are no longer
	// needed.
	said := c.run(exitSuccess, "install --upgrade --image "+second, "image: ")
	if c.has(&rbacv1.ClusterRole{}, "", "turnout") || strings.Contains(said, " created") {
		t.Errorf("an upgrade widened the rights:\n%s", said)
	}
	c.run(exitSuccess, "install --upgrade --namespaces shop --image "+second, "value: shop,web → shop\n", "role web/turnout deleted\n")
	if c.has(&rbacv1.Role{}, "web", "turnout") || !c.has(&rbacv1.Role{}, "shop", "turnout") {
		t.Error("the rights do not follow the list of namespaces")
	}
	c.run(exitSuccess, "uninstall", "role shop/turnout deleted\n")
	if c.has(&rbacv1.Role{}, "shop", "turnout") || !c.has(&corev1.Namespace{}, "", "shop") {
		t.Error("the uninstall left rights, or deleted a namespace")
	}
	c.run(exitSuccess, "install --image "+first)
	c.run(exitTrouble, "install --upgrade --namespaces shop --image "+first, "serves the whole cluster")
}

// TestAvailableIsTheNewVersionOnAllPods: pods of the old version do not count.
func TestAvailableIsTheNewVersionOnAllPods(t *testing.T) {
	t.Parallel()
	done := map[string]int64{"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}
	for field, value := range map[string]int64{"": 0, "observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1, "replicas": 3} {
		status := map[string]any{}
		for name, n := range done {
			status[name] = n
		}
		if field != "" {
			status[field] = value
		}
		d := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": int64(3)}, "spec": map[string]any{"replicas": int64(2)}, "status": status,
		}}
		if got := available(d); (got == "") != (field == "") {
			t.Errorf("with %s %d: %q", field, value, got)
		}
	}
}
