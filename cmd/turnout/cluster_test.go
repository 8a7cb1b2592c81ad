package main

import (
	"bytes"
	"context"
	"errors"
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
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// withPlane ends the control plane if a test started it.
type withPlane struct{ *testing.M }

// Run implements testscript.TestingM.
func (m withPlane) Run() int {
	code := m.M.Run()
	stopPlane()
	return code
}

var stopPlane = func() {}

// startPlane starts the real API server of this package's tests.
var startPlane = sync.OnceValues(func() (*controlplane.ControlPlane, error) {
	plane, err := controlplane.Start(context.Background(), controlplane.Options{
		CRDs: []string{"../../config/crd", "testdata/crd", "../../deployer/testdata/gateway"},
	})
	if err != nil {
		return nil, err
	}
	stopPlane = plane.Stop
	return plane, controlplanetest.InstallPolicies(context.Background(), plane)
})

// site is a namespace with an application, and a user whose only right is to release it.
type site struct {
	t          *testing.T
	admin      client.WithWatch
	app        *v1alpha1.BlueGreen
	kubeconfig string
}

func newSite(t *testing.T) *site {
	t.Helper()
	plane, err := startPlane()
	check(t, err)
	scheme := runtime.NewScheme()
	check(t, errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)))
	s := &site{t: t}
	s.admin, err = client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
	check(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "cli-"}}
	check(t, s.admin.Create(t.Context(), ns))
	s.app = &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "shop"}}
	s.app.Spec = v1alpha1.BlueGreenSpec{
		Repository: "acme/shop", URL: "https://shop.example.com",
		Build: v1alpha1.BuildSpec{Project: "acme-prod"},
	}
	check(t, s.admin.Create(t.Context(), s.app))
	s.authorize()
	_, kubeconfig, err := plane.User("carol", nil)
	check(t, err)
	s.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	check(t, os.WriteFile(s.kubeconfig, kubeconfig, 0o600))
	return s
}

// authorize gives carol the role of config/rbac/release.yaml in the namespace.
func (s *site) authorize() {
	s.t.Helper()
	text, err := os.ReadFile("../../config/rbac/release.yaml")
	check(s.t, err)
	role := &rbacv1.ClusterRole{}
	check(s.t, yaml.UnmarshalStrict(text, role))
	check(s.t, client.IgnoreAlreadyExists(s.admin.Create(s.t.Context(), role)))
	check(s.t, s.admin.Create(s.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "releases"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "carol"}},
	}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// status writes the application's status, as the deployer does.
func (s *site) status(change func(*v1alpha1.BlueGreenStatus)) {
	s.t.Helper()
	check(s.t, s.admin.Get(s.t.Context(), client.ObjectKeyFromObject(s.app), s.app))
	change(&s.app.Status)
	check(s.t, s.admin.Status().Update(s.t.Context(), s.app))
}

// live makes a commit live, after a version that Turnout found.
func (s *site) live(commit string) {
	s.t.Helper()
	r := history()
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Live, st.Previous, st.LastSwitch, st.WayBack = r.app.Status.Live, r.app.Status.Previous, r.app.Status.LastSwitch, r.app.Status.WayBack
		st.Live.Commit, st.LastSwitch.To.Commit, st.LastSwitch.At = commit, commit, metav1.Now()
	})
}

// serve plays a turnout serve: it waits for the release and takes it through states.
func (s *site) serve(name string, states ...func(*v1alpha1.ReleaseStatus)) {
	s.t.Helper()
	s.serveWhen(name, func(*v1alpha1.Release) bool { return true }, states...)
}

// serveWhen is serve for a release that must reach a state first.
func (s *site) serveWhen(name string, begin func(*v1alpha1.Release) bool, states ...func(*v1alpha1.ReleaseStatus)) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	failed := make(chan error, 1)
	go func() { failed <- s.drive(ctx, name, begin, states) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-failed; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
	})
}

func (s *site) drive(ctx context.Context, name string, begin func(*v1alpha1.Release) bool, states []func(*v1alpha1.ReleaseStatus)) error {
	w, err := s.admin.Watch(ctx, &v1alpha1.ReleaseList{}, client.InNamespace(s.app.Namespace), client.MatchingFields{"metadata.name": name})
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		rel, ok := event.Object.(*v1alpha1.Release)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !ok:
			return fmt.Errorf("watching %s: %v", name, event.Object)
		case !begin(rel):
			continue
		}
		if len(states) == 0 {
			return nil
		}
		states[0](&rel.Status)
		states = states[1:]
		if err := s.admin.Status().Update(ctx, rel); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ran is the result of a command.
type ran struct {
	code           int
	err            error
	stdout, stderr string
	took           time.Duration
}

// run runs the program as carol.
func (s *site) run(args ...string) ran {
	s.t.Helper()
	return s.runWith(nil, append(args, "--kubeconfig", s.kubeconfig, "--namespace", s.app.Namespace)...)
}

func (s *site) runWith(env map[string]string, args ...string) ran {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	start := time.Now()
	err := run(s.t.Context(), args, func(name string) string { return env[name] }, &stdout, &stderr)
	return ran{exitCode(err), err, stdout.String(), stderr.String(), time.Since(start)}
}

// release reads a recorded release.
func (s *site) release(name string) *v1alpha1.Release {
	s.t.Helper()
	rel := &v1alpha1.Release{}
	check(s.t, s.admin.Get(s.t.Context(), client.ObjectKey{Namespace: s.app.Namespace, Name: name}, rel))
	return rel
}

// releases are the names of the recorded releases.
func (s *site) releases() string {
	s.t.Helper()
	var list v1alpha1.ReleaseList
	check(s.t, s.admin.List(s.t.Context(), &list, client.InNamespace(s.app.Namespace)))
	var names []string
	for _, rel := range list.Items {
		names = append(names, rel.Name)
	}
	return strings.Join(names, " ")
}

// phase is a state that serve takes a release to.
func phase(p v1alpha1.ReleasePhase, message string, timeline ...v1alpha1.TimelineEntry) func(*v1alpha1.ReleaseStatus) {
	return func(s *v1alpha1.ReleaseStatus) {
		s.Phase, s.Message, s.Timeline = p, message, timeline
		if p.Finished() {
			s.FinishedAt = now()
		}
	}
}

func now() *metav1.Time {
	t := metav1.Now()
	return &t
}
