package bot_test

import (
	"math"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
)

// forged is a release that somebody wrote by hand to block others.
func forged(name string, spec v1alpha1.ReleaseSpec) *v1alpha1.Release {
	spec.Application, spec.Cause = "shop", v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "mallory"}
	rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name,
		Labels: map[string]string{v1alpha1.ApplicationLabel: "shop"},
	}, Spec: spec}
	return rel
}

// forge writes a forged release; it is refused.
func (w *world) forge(rel *v1alpha1.Release) {
	w.t.Helper()
	_, _, err := w.record.Submit(w.t.Context(), rel)
	check(w.t, err)
	w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseFailed) })
}

// TestNobodyKeepsARollbackAwayByTakingNames: neither names nor numbers taken by hand block
// a rollback.
func TestNobodyKeepsARollbackAwayByTakingNames(t *testing.T) {
	elsewhere := v1alpha1.Version{Color: v1alpha1.Blue, Image: "evil@sha256:0"}
	for name, forge := range map[string]func(last *v1alpha1.SwitchRecord) *v1alpha1.Release{
		"the name, for another switch": func(last *v1alpha1.SwitchRecord) *v1alpha1.Release {
			return forged(v1alpha1.RollbackName("shop", last.UID, 1),
				v1alpha1.ReleaseSpec{
					Kind:     v1alpha1.Rollback,
					Rollback: &v1alpha1.RollbackSpec{From: last.To, To: last.From, Switch: "another", Attempt: 1},
				})
		},
		"the name, for a deploy": func(last *v1alpha1.SwitchRecord) *v1alpha1.Release {
			return forged(v1alpha1.RollbackName("shop", last.UID, 1),
				v1alpha1.ReleaseSpec{
					Kind:   v1alpha1.Deploy,
					Deploy: &v1alpha1.DeploySpec{Repository: "acme/shop", Commit: bottest.Hash("e"), Attempt: 1},
				})
		},
		"the last number, to elsewhere": func(last *v1alpha1.SwitchRecord) *v1alpha1.Release {
			return forged("x", v1alpha1.ReleaseSpec{
				Kind:     v1alpha1.Rollback,
				Rollback: &v1alpha1.RollbackSpec{From: last.To, To: elsewhere, Switch: last.UID, Attempt: math.MaxInt32},
			})
		},
		"the last number": func(last *v1alpha1.SwitchRecord) *v1alpha1.Release {
			return forged("x", v1alpha1.ReleaseSpec{
				Kind:     v1alpha1.Rollback,
				Rollback: &v1alpha1.RollbackSpec{From: last.To, To: last.From, Switch: last.UID, Attempt: math.MaxInt32},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, _, _ := released(w)
			app := bottest.Shop()
			now, err := w.record.Application(t.Context(), keyOf(&app))
			check(t, err)
			last := now.Status.LastSwitch
			w.forge(forge(last))
			w.say(pr.Number, w.writer, "/rollback")
			n := 0
			for _, rel := range w.all() {
				back := rel.Spec.Rollback
				if rel.Spec.Cause.Kind != v1alpha1.CauseComment || back == nil {
					continue
				}
				n++
				if back.Switch != last.UID || back.Attempt < 1 || back.Attempt > 99 ||
					rel.Name != v1alpha1.RollbackName("shop", last.UID, back.Attempt) || len(rel.Name) > 63 {
					t.Errorf("%s: %+v", rel.Name, back)
				}
			}
			if n != 1 {
				t.Errorf("%d rollbacks, want 1; answers %q", n, w.answers(pr.Number))
			}
		})
	}
}

// TestNobodyKeepsAPushAwayByTakingItsName: a taken name does not block a push.
func TestNobodyKeepsAPushAwayByTakingItsName(t *testing.T) {
	w := newWorld(t)
	w.app.SetWebhookURL("")
	commit := bottest.Hash("c")
	w.forge(forged(v1alpha1.DeployName("shop", commit, 1),
		v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Deploy: &v1alpha1.DeploySpec{Repository: "acme/other", Commit: commit, Attempt: 1}}))
	for range 2 { // a replay joins
		check(t, w.receive(t.Context(), pushOf(bottest.Hash("b"), commit)))
	}
	var names []string
	for _, rel := range w.all() {
		if rel.Spec.Cause.Kind == v1alpha1.CausePush {
			names = append(names, rel.Name)
		}
	}
	if got, want := strings.Join(names, " "), v1alpha1.DeployName("shop", commit, 2); got != want {
		t.Errorf("releases of the push: %q, want %q", got, want)
	}
}
