package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// lockedBuffer is written by a server and read by its test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// allow gives a user the first role of a file, in a namespace.
func (s *site) allow(file, namespace, user string) {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join("../../config", file))
	check(s.t, err)
	first, _, _ := strings.Cut(string(text), "\n---\n")
	role := &rbacv1.Role{}
	check(s.t, yaml.UnmarshalStrict([]byte(first), role))
	role.Namespace = namespace
	check(s.t, s.admin.Create(s.t.Context(), role))
	check(s.t, s.admin.Create(s.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}))
}

// attests lets a user write what only Turnout may, as config/namespaced/attest.yaml does:
// the policies are enforced here.
func (s *site) attests(user string) {
	s.t.Helper()
	text, err := os.ReadFile("../../config/namespaced/attest.yaml")
	check(s.t, err)
	first, second, _ := strings.Cut(string(text), "\n---\n")
	role, binding := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}
	check(s.t, yaml.UnmarshalStrict([]byte(first), role))
	check(s.t, yaml.UnmarshalStrict([]byte(second), binding))
	binding.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}}
	binding.Name += "-" + user
	check(s.t, client.IgnoreAlreadyExists(s.admin.Create(s.t.Context(), role)))
	check(s.t, s.admin.Create(s.t.Context(), binding))
}

// With rights only in its namespaces and its own, Turnout serves them: it reads their
// grants, writes their conditions, and requests nothing that it may not. Not parallel: it
// changes the environment.
func TestServeWithRightsInItsNamespacesOnly(t *testing.T) {
	s := newSite(t)
	const user = "namespaced-turnout"
	home := s.app.Namespace + "-home"
	check(t, s.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}))
	s.allow("namespaced/served/role.yaml", s.app.Namespace, user)
	s.allow("rbac/own.yaml", home, user)
	s.attests(user)
	plane, err := startPlane()
	check(t, err)
	_, kubeconfig, err := plane.User(user, nil)
	check(t, err)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, data, 0o600))
		return path
	}
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	c := serveConfig{
		listen: "127.0.0.1:0", metricsListen: "0", githubURL: "http://127.0.0.1:1", githubAppID: 1,
		privateKeyFile:    file("key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		webhookSecretFile: file("secret", []byte(rand.Text()+"\n")),
		kubeconfig:        file("kubeconfig", kubeconfig), namespaces: []string{s.app.Namespace}, ownNamespace: home,
		podAccess: "auto", cloudbuildEndpoint: "127.0.0.1:1", cloudbuildInsecure: true,
		leaderElect: true, leaderElectNamespace: home, logLevel: "debug",
	}
	var logs lockedBuffer
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, c, &logs) }()
	reason := func() string {
		bg := &v1alpha1.BlueGreen{}
		check(t, s.admin.Get(t.Context(), client.ObjectKeyFromObject(s.app), bg))
		if len(bg.Status.Conditions) == 0 {
			return ""
		}
		return bg.Status.Conditions[0].Reason
	}
	await := func(want string) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true,
			func(context.Context) (bool, error) { return reason() == want, nil })
		if err != nil {
			t.Fatalf("the reason is %q, want %q; the log:\n%s", reason(), want, logs.String())
		}
	}
	await(v1alpha1.ReasonNotGranted)
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:"acme/*",%q:"acme-prod"}}}`, v1alpha1.RepositoriesAnnotation,
		v1alpha1.ProjectsAnnotation)
	check(t, s.admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.app.Namespace}},
		client.RawPatch("application/merge-patch+json", []byte(patch))))
	await(v1alpha1.ReasonIngressMissing)
	cancel()
	check(t, <-done)
	for line := range strings.Lines(logs.String()) {
		if strings.Contains(line, "forbidden") || strings.Contains(line, "cannot list") || strings.Contains(line, "cannot watch") {
			t.Errorf("it may not: %s", line)
		}
	}
}
