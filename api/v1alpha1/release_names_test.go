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
	for _, name := range []string{v1alpha1.DeployName(app, commit, 9999), v1alpha1.RollbackName(app, "uid")} {
		if len(name) > 63 {
			t.Errorf("name %s has %d characters, a label holds 63", name, len(name))
		}
	}
	if again := v1alpha1.RollbackName("shop", "uid-1"); v1alpha1.RollbackName("shop", "uid-1") != again || v1alpha1.RollbackName("shop", "uid-1") == v1alpha1.RollbackName("shop", "uid-2") {
		t.Error("a rollback's name must be a function of the switch that it takes back")
	}
}

func TestSameRequestIgnoresWhoAskedButNotWhatFor(t *testing.T) {
	deploy := func(change func(*v1alpha1.Release)) *v1alpha1.Release {
		rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Application: "shop", Deploy: &v1alpha1.DeploySpec{Repository: "acme/shop", Commit: "c", Attempt: 1}}}
		change(rel)
		return rel
	}
	rollback := func(change func(*v1alpha1.RollbackSpec)) *v1alpha1.Release {
		spec := &v1alpha1.RollbackSpec{From: v1alpha1.Version{Color: v1alpha1.Green, Image: "new"}, To: v1alpha1.Version{Color: v1alpha1.Blue, Image: "old"}, Switch: "uid"}
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
		{"other switch", back, rollback(func(s *v1alpha1.RollbackSpec) { s.Switch = "uid-2" }), false},
	}
	for _, tt := range tests {
		if got := v1alpha1.SameRequest(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: same %v, want %v", tt.name, got, tt.want)
		}
	}
}
