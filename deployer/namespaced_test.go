package deployer

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// allow binds the first role of a file of config/ to a user in a namespace.
func (w *world) allow(file, namespace, user string) {
	w.t.Helper()
	text, err := os.ReadFile("../config/" + file)
	check(w.t, err)
	first, _, _ := strings.Cut(string(text), "\n---\n")
	var role rbacv1.Role
	check(w.t, yaml.UnmarshalStrict([]byte(first), &role))
	role.Namespace = namespace
	w.create(&role)
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	})
}

// sharedBuffer is written by a deployer and read by its test.
type sharedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// The rights are those of config/namespaced, without the cluster-wide admission policies.
func TestReleaseAndRollbackWithRightsInOneNamespaceOnly(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Gate.Exec = &v1alpha1.ExecCheck{Command: []string{"selfcheck"}}
	})
	w.namespaced = true
	w.executes(func(context.Context, controlplanetest.Command) error { return nil })
	home, user := w.namespace+"-home", w.namespace+"-turnout"
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
	w.allow("namespaced/served/role.yaml", w.namespace, user)
	w.allow("rbac/own.yaml", home, user)
	cfg := rest.CopyConfig(w.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	c := w.impersonate(user)
	w.until("the role", func() bool { return w.may(c, "watch", "releases", "") }, func() string { return "" })
	var log sharedBuffer
	w.runWith(cfg, func(d *Deployer) {
		d.Namespaced, d.Repositories.Namespace = true, home
		d.Log = slog.New(slog.NewTextHandler(io.MultiWriter(&log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if n := strings.Count(log.String(), "release finished"); n != 2 {
		t.Errorf("the log reports %d finished releases, want 2", n)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "forbidden") {
			t.Errorf("it may not: %s", line)
		}
	}
}
