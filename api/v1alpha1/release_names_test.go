package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestReleaseNamesFitKubernetesAndTellRequestsApart(t *testing.T) {
	app, commit := strings.Repeat("a", 40), strings.Repeat("0123456789", 4)
	if got, want := v1alpha1.DeployName("shop", commit, 2), "shop-012345678901-2"; got != want {
		t.Errorf("name %s, want %s", got, want)
	}
	for _, name := range []string{
		v1alpha1.DeployName(app, commit, 9999), v1alpha1.RollbackName(app, "uid", 1),
		v1alpha1.RollbackName(app, "uid", 99),
	} {
		if len(name) > 63 {
			t.Errorf("name %s has %d characters, a label holds 63", name, len(name))
		}
	}
	// The first ten digits of the SHA-256 of "uid-1".
	const first = "shop-rollback-4a49acf8a6"
	for attempt, want := range map[int32]string{0: first, 1: first, 2: first + "-2", 12: first + "-12"} {
		if got := v1alpha1.RollbackName("shop", "uid-1", attempt); got != want {
			t.Errorf("attempt %d: name %s, want %s", attempt, got, want)
		}
	}
	if v1alpha1.RollbackName("shop", "uid-2", 1) == first {
		t.Error("the rollbacks of two switches have one name")
	}
}

func TestSameRequestIgnoresWhoAskedButNotWhatFor(t *testing.T) {
	deploy := func(change func(*v1alpha1.Release)) *v1alpha1.Release {
		rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{
			Kind: v1alpha1.Deploy, Application: "shop",
			Deploy: &v1alpha1.DeploySpec{Repository: "acme/shop", Commit: "c", Attempt: 1},
		}}
		change(rel)
		return rel
	}
	rollback := func(change func(*v1alpha1.RollbackSpec)) *v1alpha1.Release {
		spec := &v1alpha1.RollbackSpec{
			From: v1alpha1.Version{Color: v1alpha1.Green, Image: "new"},
			To:   v1alpha1.Version{Color: v1alpha1.Blue, Image: "old"}, Switch: "uid",
		}
		change(spec)
		return &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Application: "shop", Rollback: spec}}
	}
	base, back := deploy(func(*v1alpha1.Release) {}), rollback(func(*v1alpha1.RollbackSpec) {})
	tests := []struct {
		name string
		a, b *v1alpha1.Release
		want bool
	}{
		{"other cause", base, deploy(func(r *v1alpha1.Release) { r.Spec.Cause.Actor = "otto"; r.Spec.Approval = &v1alpha1.Approval{} }), true},
		{"other commit", base, deploy(func(r *v1alpha1.Release) { r.Spec.Deploy.Commit = "d" }), false},
		{"other attempt", base, deploy(func(r *v1alpha1.Release) { r.Spec.Deploy.Attempt = 2 }), false},
		{"other application", base, deploy(func(r *v1alpha1.Release) { r.Spec.Application = "shop2" }), false},
		{"other kind", base, back, false},
		{"other size", back, rollback(func(s *v1alpha1.RollbackSpec) { s.From.Replicas = 9 }), true},
		{"other target", back, rollback(func(s *v1alpha1.RollbackSpec) { s.To.Image = "older" }), false},
		{"default attempt", back, rollback(func(s *v1alpha1.RollbackSpec) { s.Attempt = 1 }), true},
		{"other rollback attempt", back, rollback(func(s *v1alpha1.RollbackSpec) { s.Attempt = 2 }), false},
		{"other switch", back, rollback(func(s *v1alpha1.RollbackSpec) { s.Switch = "uid-2" }), false},
	}
	for _, tt := range tests {
		if got := v1alpha1.SameRequest(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: same %v, want %v", tt.name, got, tt.want)
		}
	}
}
