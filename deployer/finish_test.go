package deployer

import (
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// deployed is the release of the commit a.
func (w *world) deployed() *v1alpha1.Release {
	w.t.Helper()
	return w.one(func(r *v1alpha1.Release) bool {
		return r.Spec.Deploy != nil && r.Spec.Deploy.Commit == w.source.sha("a")
	})
}

func (w *world) one(is func(*v1alpha1.Release) bool) *v1alpha1.Release {
	w.t.Helper()
	all, err := w.record().Releases(w.t.Context(), keyOf(w.application()))
	check(w.t, err)
	i := slices.IndexFunc(all, func(r v1alpha1.Release) bool { return is(&r) })
	if i < 0 {
		w.t.Fatalf("there is no such release among %d", len(all))
	}
	return &all[i]
}

// look waits until the whole application has been looked at once more.
func (w *world) look() {
	w.t.Helper()
	w.configure(`{"historyLimit":30}`)
	generation := w.application().Generation
	w.until("a look", func() bool { return w.application().Status.ObservedGeneration == generation }, func() string { return "" })
}

// expectUnwritten checks that a finished release was not written again.
func (w *world) expectUnwritten(before *v1alpha1.Release) {
	w.t.Helper()
	now := before.DeepCopy()
	if w.get(now); now.ResourceVersion != before.ResourceVersion {
		w.t.Errorf("%s was finished as %s, and was written again: %s", now.Name, before.Status.Phase, now.Status.Message)
	}
}

// expectOnce checks that a deploy was built once, and the number of patches to the routes.
func (w *world) expectOnce(live v1alpha1.Color, patches int64, builds int) {
	w.t.Helper()
	w.expectRoutes(string(live), 1+patches)
	if n := w.countBuilds(); n != builds {
		w.t.Errorf("there are %d builds, want %d", n, builds)
	}
}

// expectLeftAlone checks that users stayed on blue, and the target is gone.
func (w *world) expectLeftAlone(patches int64) {
	w.t.Helper()
	w.awaitShrunk(v1alpha1.Green)
	w.expectOnce(v1alpha1.Blue, patches, 1)
}

func finishDeploy(w *world, m milestone) {
	w.t.Helper()
	rel := w.deployed()
	begun := rel
	if hasEnded(rel) {
		w.look()
		w.expectUnwritten(rel)
	} else {
		rel = w.await(rel, "approval, or its end", func(r *v1alpha1.Release) bool { return waits(r) || hasEnded(r) })
	}
	if waits(rel) && rel.Spec.Approval == nil {
		w.expectLive(v1alpha1.Blue)
		w.approve(rel)
	}
	now := w.awaitPhase(begun, v1alpha1.ReleaseSucceeded)
	if now.ResourceVersion != begun.ResourceVersion && now.Status.Format != v1alpha1.Format {
		w.t.Errorf("it is recorded in format %d", now.Status.Format)
	}
	w.settled()
	w.expectOnce(v1alpha1.Green, m.patches, 1)
	w.expectStamped(v1alpha1.Green, rel)
	w.expectSizes(2, 2)
	st := w.application().Status
	if st.Format != v1alpha1.Format {
		w.t.Errorf("the application is recorded in format %d", st.Format)
	}
	if last := st.LastSwitch; last == nil || last.UID != string(rel.UID) || last.From.Color != v1alpha1.Blue ||
		last.To.Commit != rel.Spec.Deploy.Commit {
		w.t.Errorf("the last switch is %+v", last)
	}
	if p := st.Previous; p == nil || p.Color != v1alpha1.Blue || !strings.Contains(p.Image, "@sha256:") {
		w.t.Errorf("previous is %+v", p)
	}
}

func finishUndo(w *world, m milestone) {
	w.t.Helper()
	rel := w.deployed()
	if hasEnded(rel) {
		w.look()
		w.expectUnwritten(rel)
	}
	w.awaitPhase(rel, m.phase)
	w.settled()
	w.expectLeftAlone(m.patches)
}

// awaitRolledBack waits until the recorded rollback has succeeded. One that had ended before is not
// written again.
func (w *world) awaitRolledBack() *v1alpha1.Release {
	w.t.Helper()
	rel := w.one(func(r *v1alpha1.Release) bool { return r.Spec.Kind == v1alpha1.Rollback })
	if hasEnded(rel) {
		w.look()
		w.expectUnwritten(rel)
	}
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	return rel
}

func finishRollback(w *world, m milestone) {
	w.t.Helper()
	deploy, rel := w.deployed(), w.awaitRolledBack()
	w.expectUnwritten(deploy)
	w.awaitShrunk(v1alpha1.Green)
	w.expectOnce(v1alpha1.Blue, m.patches, 1)
	w.expectStamped(v1alpha1.Blue, rel)
	w.expectSizes(2, 0)
	st := w.application().Status
	if last := st.LastSwitch; last == nil || last.UID != string(rel.UID) || last.To.Color != v1alpha1.Blue || st.Previous != nil {
		w.t.Errorf("the last switch is %+v, previous is %+v", last, st.Previous)
	}
	if r := st.RolledBack; len(r) != 1 || r[0].Commit != deploy.Spec.Deploy.Commit {
		w.t.Errorf("rolled back are %+v", r)
	}
}

func finishQueue(w *world, m milestone) {
	w.t.Helper()
	if w.application().Status.Lock != nil {
		i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
		w.look()
		if w.get(i); i.Generation != 1 && m.patches < 2 {
			w.t.Errorf("the routes were patched behind a lock")
		}
		w.unlock()
	}
	all, err := w.record().Releases(w.t.Context(), keyOf(w.application()))
	check(w.t, err)
	for i := range all {
		w.awaitPhase(&all[i], v1alpha1.ReleaseSucceeded)
	}
	w.settled()
	live := v1alpha1.Green
	if len(all) == 2 {
		live = v1alpha1.Blue
	}
	w.expectOnce(live, m.patches, len(all))
}
