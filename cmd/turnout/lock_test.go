package main

import (
	"maps"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// impersonated is a client of somebody who may patch statuses of the namespace: by RBAC any
// field of them.
func (s *site) impersonated(user string) client.Client {
	s.t.Helper()
	plane, err := startPlane()
	check(s.t, err)
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "statuses"},
		Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"turnout.dev"}, Resources: []string{"bluegreens", "bluegreens/status", "releases/status"}, Verbs: []string{"*"},
		}},
	}
	check(s.t, s.admin.Create(s.t.Context(), role))
	check(s.t, s.admin.Create(s.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "statuses"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}))
	cfg := rest.CopyConfig(plane.Config)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: user}
	c, err := client.New(cfg, client.Options{Scheme: s.admin.Scheme()})
	check(s.t, err)
	return c
}

// TestByHandOnlyTheLockOfAStatusIsWritten: the admission policy lets somebody else than
// Turnout set and remove a lock, under their own name, and change nothing beside it.
func TestByHandOnlyTheLockOfAStatusIsWritten(t *testing.T) {
	t.Parallel()
	const (
		cause    = `"cause":{"kind":"CLI","actor":"dora","claims":"for alice"}`
		lock     = `"lock":{"by":"dora","at":"2026-01-01T00:00:00Z","reason":"sale",` + cause + `}`
		unlocked = `"unlockedAt":"2026-01-02T00:00:00Z","unlockedBy":"dora"`
	)
	locks := map[string]string{
		"for somebody else":        strings.Replace(lock, `"by":"dora"`, `"by":"alice"`, 1),
		"by somebody else's cause": strings.Replace(lock, `"actor":"dora"`, `"actor":"alice"`, 1),
		"as a comment":             strings.Replace(lock, `"kind":"CLI"`, `"kind":"Comment"`, 1),
		"with a comment's id":      strings.Replace(lock, `"kind":"CLI"`, `"kind":"CLI","commentID":7`, 1),
		"and an unlock":            lock + "," + unlocked,
		"and another version":      lock + `,"previous":{"color":"blue","image":"evil@sha256:aa"}`,
		"and without the live one": lock + `,"live":null`,
		"and another live one":     lock + `,"live":{"color":"blue","image":"evil@sha256:aa"}`,
	}
	unlocks := map[string]string{
		"without a name":        `"lock":null,"unlockedAt":"2026-01-02T00:00:00Z"`,
		"without a time":        `"lock":null,"unlockedBy":"dora"`,
		"for somebody else":     `"lock":null,"unlockedAt":"2026-01-02T00:00:00Z","unlockedBy":"alice"`,
		"in place of the first": strings.Replace(lock, "sale", "another sale", 1),
		"and another reason":    `"lock":{"reason":"another"},` + unlocked,
		"and the claim":         `"lock":null,"active":{"release":"r","uid":"u","holder":"h","renewedAt":"2026-01-01T00:00:00Z"},` + unlocked,
		"under the lock still":  unlocked,
	}
	s := newSite(t)
	s.live(shaA)
	dora := s.impersonated("dora")
	write := func(status string, options ...client.SubResourcePatchOption) error {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{`+status+`}}`))
		return dora.Status().Patch(t.Context(), s.app.DeepCopy(), patch, options...)
	}
	dry := &client.SubResourcePatchOptions{PatchOptions: client.PatchOptions{DryRun: []string{metav1.DryRunAll}}}
	refused := func(t *testing.T, all map[string]string) {
		t.Helper()
		for how := range maps.Keys(all) {
			if err := write(all[how], dry); err == nil || !strings.Contains(err.Error(), "only Turnout writes it") {
				t.Errorf("%s: %v, want it refused", how, err)
			}
		}
	}
	refused(t, locks)
	refused(t, map[string]string{
		"an unlock without a lock": unlocked, "a pin": `"repository":{"name":"acme/shop","id":1,"at":"2026-01-01T00:00:00Z"}`,
	})
	check(t, write(lock))
	refused(t, unlocks)
	check(t, write(`"lock":null,`+unlocked))
	check(t, write(lock))
	got := &v1alpha1.BlueGreen{}
	check(t, s.admin.Get(t.Context(), client.ObjectKeyFromObject(s.app), got))
	if got.Status.Live == nil || got.Status.Live.Commit != shaA || got.Status.Lock.Reason != "sale" {
		t.Errorf("the status is %+v", got.Status)
	}
}
