package track

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// model is a world whose acts obey, but in which time passes, pods come and go,
// the live colour grows, gates fail, people cancel and the world breaks.
type model struct {
	rng  *rand.Rand
	r    *v1alpha1.Release
	o    Observed
	live v1alpha1.Color
	// passed is what the gate last passed with.
	passed [2]string
	pods   int
	// moved: users were on the target at some time, and front ends may send them
	// there still.
	moved bool
}

func newModel(seed uint64, kind v1alpha1.ReleaseKind) *model {
	w := &model{rng: rand.New(rand.NewPCG(seed, 1)), live: v1alpha1.Blue}
	w.r = &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: kind}}
	w.r.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green, Previous: &v1alpha1.Version{Color: v1alpha1.Blue}}
	w.o = Observed{Now: epoch, Freshness: 5 * time.Minute, Size: 2}
	return w
}

// disturb changes the world between two steps; calm stops it, so that what must
// end can be seen to end.
func (w *model) disturb(calm bool) {
	w.o.Now = w.o.Now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	w.o.Routes = routesTo(w.live)
	if calm {
		return
	}
	switch w.rng.IntN(14) {
	case 0:
		w.o.Size++
	case 6:
		w.o.Locked = true
	case 1: // a pod is replaced
		w.newPods(len(w.o.Target.Pods))
	case 2:
		w.o.Endpoints = nil
	case 3:
		w.o.Now = w.o.Now.Add(time.Hour)
	case 4:
		if w.r.Status.Failure == nil && w.r.Status.Milestones.SwitchIntendedAt == nil {
			w.fail(v1alpha1.FaultCancelled)
		}
	case 5:
		if w.r.Status.Failure == nil {
			w.fail([]v1alpha1.FailureClass{v1alpha1.FaultWorld, v1alpha1.FaultRelease, v1alpha1.FaultSuperseded}[w.rng.IntN(3)])
		}
	}
}

func (w *model) fail(c v1alpha1.FailureClass) { w.r.Status.Failure = &v1alpha1.Failure{Class: c} }

func (w *model) newPods(n int) {
	w.o.Target.Pods = nil
	for range n {
		w.pods++
		w.o.Target.Pods = append(w.o.Target.Pods, Pod{Name: fmt.Sprint("g", w.pods)})
	}
}

func (w *model) podNames() (names []string) {
	for _, p := range w.o.Target.Pods {
		names = append(names, p.Name)
	}
	return names
}

// take is an obedient act: it does what the step promises and records it.
func (w *model) take(t *testing.T, s v1alpha1.Step) {
	t.Helper()
	m, now := &w.r.Status.Milestones, metav1.NewTime(w.o.Now)
	switch s {
	case v1alpha1.StepBuild:
		m.Built = &v1alpha1.BuiltMilestone{Image: "app@sha256:2"}
	case v1alpha1.StepAttach:
		m.AttachedAt = &now
	case v1alpha1.StepStage, v1alpha1.StepSize:
		w.o.Target = Side{RolledOut: true, Image: "app@sha256:2", TemplateHash: "h2", Replicas: w.o.Size}
		w.newPods(int(w.o.Size))
		m.Staged = &v1alpha1.StagedMilestone{Image: "app@sha256:2", TemplateHash: "h2", Replicas: w.o.Size}
	case v1alpha1.StepWarm:
		w.o.Endpoints = w.podNames()
		m.WarmedAt = &now
	case v1alpha1.StepVerify:
		w.passed = [2]string{w.o.Target.Image, w.o.Target.TemplateHash}
		m.Verified = &v1alpha1.VerifiedMilestone{Image: w.o.Target.Image, TemplateHash: w.o.Target.TemplateHash, Pods: w.podNames(), At: now}
	case v1alpha1.StepPromote:
		w.o.Locked = false // it waits until then
		m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy}
	case v1alpha1.StepSwitch:
		if w.o.Locked && w.r.Spec.Kind == v1alpha1.Deploy {
			t.Errorf("switches to %s behind a lock", m.Target)
		}
		w.switchTo(t, m.Target)
		m.SwitchIntendedAt, m.SwitchedAt = &now, &now
	case v1alpha1.StepConfirm:
		m.ConfirmedAt = &now
	case v1alpha1.StepSoak:
		m.SoakedAt = &now
	case v1alpha1.StepRestore:
		if w.live == m.Target && m.SwitchedAt == nil {
			m.SwitchedAt = &now
			return
		}
		w.live = v1alpha1.Blue
		m.RestoredAt = &now
	case v1alpha1.StepDiscard:
		if w.moved {
			t.Errorf("shrinks %s, which users reach, or reached a moment ago", m.Target)
		}
		m.DiscardedAt = &now
	}
}

func (w *model) switchTo(t *testing.T, c v1alpha1.Color) {
	t.Helper()
	target := w.o.Target
	if w.r.Spec.Kind == v1alpha1.Deploy && w.passed != [2]string{target.Image, target.TemplateHash} {
		t.Errorf("switches to %s %s, the gate passed with %v", target.Image, target.TemplateHash, w.passed)
	}
	if w.r.Spec.Kind == v1alpha1.Rollback && c == w.r.Status.Milestones.Previous.Color {
		t.Errorf("a rollback switches to %s, which it leaves", c)
	}
	if target.Replicas < w.o.Size || len(w.o.Endpoints) == 0 {
		t.Errorf("switches to %d of %d pods, %d endpoints", target.Replicas, w.o.Size, len(w.o.Endpoints))
	}
	w.live, w.moved = c, true
}

func TestTracksAlwaysEndAndNeverHarmUsers(t *testing.T) {
	for seed := range uint64(3000) {
		for _, kind := range []v1alpha1.ReleaseKind{v1alpha1.Deploy, v1alpha1.Rollback} {
			w := newModel(seed, kind)
			ended := false
			for i := range 200 {
				w.disturb(i > 100)
				s, ok := Next(w.r, w.o)
				if !ok {
					ended = true
					break
				}
				w.take(t, s.Name)
			}
			if m := w.r.Status.Milestones; kind == v1alpha1.Deploy && w.r.Status.Failure != nil && m.Staged != nil && !w.moved &&
				m.DiscardedAt == nil {
				t.Errorf("the target keeps its size although no user was ever there")
			}
			if !ended {
				s, _ := Next(w.r, w.o)
				t.Fatalf("seed %d: the %s has not ended, it is at %s", seed, kind, s.Name)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %s", seed, kind)
			}
		}
	}
}
