package deployer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// then is when whatever a test says happened.
func then() *metav1.Time { return &metav1.Time{Time: epoch} }

// ready is a deploy to green right before its switch, and what is observed then.
func ready() (*v1alpha1.Release, observed) {
	r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Deploy: &v1alpha1.DeploySpec{}}}
	r.Status.Milestones = v1alpha1.Milestones{
		Target: v1alpha1.Green, Previous: &v1alpha1.Version{Color: v1alpha1.Blue}, ClaimedAt: then(),
		Built:      &v1alpha1.BuiltMilestone{Image: "app@sha256:2"},
		AttachedAt: then(),
		Staged:     &v1alpha1.StagedMilestone{Image: "app@sha256:2", TemplateHash: "h2", Replicas: 2},
		WarmedAt:   then(),
		Verified:   &v1alpha1.VerifiedMilestone{Image: "app@sha256:2", TemplateHash: "h2", Pods: []string{"g1", "g2"}, At: *then()},
		Approved:   &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy},
	}
	o := observed{
		Now:    epoch.Add(time.Minute),
		Routes: routesTo(v1alpha1.Blue),
		Target: track.Side{
			Color: v1alpha1.Green, Replicas: 2, RolledOut: true, Image: "app@sha256:2", TemplateHash: "h2",
			Pods: []track.Pod{{Name: "g1"}, {Name: "g2"}},
		},
		Endpoints: []string{"g1", "g2"},
		Size:      2,
		Freshness: 5 * time.Minute,
	}
	return r, o
}

// onGCE makes what was observed that of Google's load balancer, which found every
// pod of the target healthy.
func onGCE(o *observed) {
	o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
	o.Groups = []track.Group{{Port: 80, Name: "k8s1-green", Routed: true, State: "HEALTHY"}}
	for i := range o.Target.Pods {
		o.Target.Pods[i].Ready = true
		o.Target.Pods[i].Gates = []track.Gate{{
			Type: "cloud.google.com/load-balancer-neg-ready", True: true, Reason: "LoadBalancerNegReady",
			Message: `Pod has become Healthy in NEG "Key{\"k8s1-green\", zone: \"z\"}" attached to BackendService "Key{\"k8s1-green\"}". Marking ` +
				`condition to True.`,
		}}
	}
}

func routesTo(c v1alpha1.Color) track.Routes {
	return track.Routes{Name: "ing", Exists: true, Users: map[v1alpha1.Color][]track.Backend{c: {{}}}}
}

func TestNext(t *testing.T) {
	fail := func(class v1alpha1.FailureClass) func(*v1alpha1.Release, *observed) {
		return func(r *v1alpha1.Release, _ *observed) { r.Status.Failure = &v1alpha1.Failure{Class: class} }
	}
	moved := func(r *v1alpha1.Release, _ *observed) {
		r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt = then(), then()
	}
	type change = func(*v1alpha1.Release, *observed)
	tests := []struct {
		name    string
		changes []change
		want    v1alpha1.Step // "" if the track has ended
	}{
		{"everything holds", nil, v1alpha1.StepSwitch},
		{"nothing done yet", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones = v1alpha1.Milestones{}
		}}, v1alpha1.StepBuild},
		{"not approved", []change{func(r *v1alpha1.Release, _ *observed) { r.Status.Milestones.Approved = nil }}, v1alpha1.StepPromote},
		{"locked after the approval", []change{func(_ *v1alpha1.Release, o *observed) { o.Locked = true }}, v1alpha1.StepPromote},
		{"locked: what waits is not kept fresh", []change{func(_ *v1alpha1.Release, o *observed) {
			o.Locked, o.Now, o.Endpoints = true, epoch.Add(time.Hour), nil
		}}, v1alpha1.StepPromote},
		{"locked after the intent: too late", []change{func(r *v1alpha1.Release, o *observed) {
			o.Locked, r.Status.Milestones.SwitchIntendedAt = true, then()
		}}, v1alpha1.StepSwitch},
		{"the load balancer told long ago", []change{func(_ *v1alpha1.Release, o *observed) {
			onGCE(o)
			o.Freshness = 30 * time.Second
		}, func(r *v1alpha1.Release, o *observed) { r.Status.Milestones.Verified.At = metav1.NewTime(o.Now) }}, v1alpha1.StepWarm},
		{"the load balancer told lately", []change{func(_ *v1alpha1.Release, o *observed) { onGCE(o) }}, v1alpha1.StepSwitch},
		{"the live colour grew", []change{func(_ *v1alpha1.Release, o *observed) { o.Size = 3 }}, v1alpha1.StepStage},
		{"a pod is missing", []change{func(_ *v1alpha1.Release, o *observed) { o.Target.RolledOut = false }}, v1alpha1.StepStage},
		{"an endpoint is missing", []change{func(_ *v1alpha1.Release, o *observed) { o.Endpoints = []string{"g1"} }}, v1alpha1.StepWarm},
		{"there are no pods", []change{func(_ *v1alpha1.Release, o *observed) { o.Target.Pods = nil }}, v1alpha1.StepWarm},
		{"the gate's pass is old", []change{func(_ *v1alpha1.Release, o *observed) { o.Now = epoch.Add(5 * time.Minute) }}, v1alpha1.StepVerify},
		{"a person was waited for since the gate passed", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.Verified.AskAgain = true
		}}, v1alpha1.StepVerify},
		{"a pod came after the gate", []change{func(_ *v1alpha1.Release, o *observed) {
			o.Target.Pods, o.Endpoints = append(o.Target.Pods, track.Pod{Name: "g3"}), append(o.Endpoints, "g3")
		}}, v1alpha1.StepVerify},
		{"a pod that ends needs no gate", []change{func(_ *v1alpha1.Release, o *observed) {
			o.Target.Pods = append(o.Target.Pods, track.Pod{Name: "g0", Terminating: true})
		}}, v1alpha1.StepSwitch},
		{"Google's load balancer does not know the pods", []change{func(_ *v1alpha1.Release, o *observed) {
			o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
		}}, v1alpha1.StepWarm},
		{"Google's load balancer found every pod healthy", []change{func(_ *v1alpha1.Release, o *observed) { onGCE(o) }}, v1alpha1.StepSwitch},
		{"Google's load balancer finds no pod healthy any more", []change{func(_ *v1alpha1.Release, o *observed) {
			onGCE(o)
			o.Groups[0].State = "UNHEALTHY"
		}}, v1alpha1.StepWarm},
		{"a pod is ready, but not by the load balancer's word", []change{func(_ *v1alpha1.Release, o *observed) {
			onGCE(o)
			o.Target.Pods[1].Gates[0].Reason = "LoadBalancerNegTimeout"
		}}, v1alpha1.StepWarm},
		{"the gate passed with another template", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.Verified.TemplateHash = "h1"
		}}, v1alpha1.StepVerify},
		{"the gate passed with another image", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.Verified.Image = "app@sha256:1"
		}}, v1alpha1.StepVerify},
		{"traffic has moved: nothing goes back", []change{func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.RolledOut, o.Routes = then(), false, routesTo(v1alpha1.Green)
		}}, v1alpha1.StepSwitch},
		{"an intent without its patch is looked at again", []change{func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.RolledOut = then(), false
		}}, v1alpha1.StepStage},
		{"an old intent needs a fresh gate", []change{func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Now = then(), epoch.Add(time.Hour)
		}}, v1alpha1.StepVerify},
		{"switched", []change{moved}, v1alpha1.StepConfirm},
		{"confirmed", []change{moved, func(r *v1alpha1.Release, _ *observed) { r.Status.Milestones.ConfirmedAt = then() }}, v1alpha1.StepSoak},
		{"soaked", []change{moved, func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.ConfirmedAt, r.Status.Milestones.SoakedAt = then(), then()
		}}, ""},
		{"failed before the switch", []change{fail(v1alpha1.FaultRelease)}, v1alpha1.StepDiscard},
		{"failed after the switch", []change{moved, fail(v1alpha1.FaultRelease)}, v1alpha1.StepRestore},
		{
			"failed with the switch intended",
			[]change{func(r *v1alpha1.Release, _ *observed) { r.Status.Milestones.SwitchIntendedAt = then() }, fail(v1alpha1.FaultRelease)},
			v1alpha1.StepRestore,
		},
		{"failed with the switch intended, and nobody was moved", []change{fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.RestoredAt = then(), then()
		}}, v1alpha1.StepDiscard},
		{
			"the world's trouble with the switch intended, and nobody was moved",
			[]change{fail(v1alpha1.FaultWorld), func(r *v1alpha1.Release, _ *observed) {
				r.Status.Milestones.SwitchIntendedAt = then()
			}},
			v1alpha1.StepRestore,
		},
		{
			"the world's trouble with the switch intended, and made unseen",
			[]change{fail(v1alpha1.FaultWorld), func(r *v1alpha1.Release, o *observed) {
				r.Status.Milestones.SwitchIntendedAt, o.Routes = then(), routesTo(v1alpha1.Green)
			}},
			"",
		},
		{"traffic was kept where it is, wherever that is", []change{fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.KeptAt = then(), then()
		}}, ""},
		{
			"restored: upkeep shrinks, after the drain",
			[]change{moved, fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *observed) { r.Status.Milestones.RestoredAt = then() }},
			"",
		},
		{"cancelled before the switch", []change{fail(v1alpha1.FaultCancelled)}, v1alpha1.StepDiscard},
		{"the world's trouble before the switch", []change{fail(v1alpha1.FaultWorld)}, v1alpha1.StepDiscard},
		{"the world's trouble after the switch", []change{moved, fail(v1alpha1.FaultWorld)}, ""},
		{"a rollback takes over after the switch", []change{moved, fail(v1alpha1.FaultSuperseded)}, ""},
		{"superseded before the switch", []change{fail(v1alpha1.FaultSuperseded)}, v1alpha1.StepDiscard},
		{"interference before the switch", []change{fail(v1alpha1.FaultInterference)}, ""},
		{"interference after the switch", []change{moved, fail(v1alpha1.FaultInterference)}, ""},
		{"cancelled while building ahead", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones, r.Status.Build = v1alpha1.Milestones{}, &v1alpha1.BuildStatus{}
		}, fail(v1alpha1.FaultCancelled)}, v1alpha1.StepDiscard},
		{"cancelled before anything", []change{func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones = v1alpha1.Milestones{}
		}, fail(v1alpha1.FaultCancelled)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, o := ready()
			for _, c := range tt.changes {
				c(r, &o)
			}
			s, ok := next(r, o)
			if s.name != tt.want || ok != (tt.want != "") {
				t.Errorf("next = %q, %v; want %q", s.name, ok, tt.want)
			}
		})
	}
}

func TestNextOfRollback(t *testing.T) {
	r, o := ready()
	r.Spec = v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Rollback: &v1alpha1.RollbackSpec{}}
	m := &r.Status.Milestones
	staged := m.Staged
	m.Built, m.Verified, m.Approved, m.AttachedAt, m.Staged, m.WarmedAt = nil, nil, nil, nil, nil, nil

	expect := func(want v1alpha1.Step) {
		t.Helper()
		if s, _ := next(r, o); s.name != want {
			t.Errorf("next = %q, want %q", s.name, want)
		}
	}
	expect(v1alpha1.StepSize)
	m.Staged = staged
	expect(v1alpha1.StepWarm)
	m.WarmedAt = then()
	expect(v1alpha1.StepSwitch)
	o.Size = 5
	expect(v1alpha1.StepSize) // live grew meanwhile
	o.Size = 2
	m.SwitchIntendedAt, m.SwitchedAt = then(), then()
	expect(v1alpha1.StepConfirm)
	r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease}
	expect("") // never undone
}

func TestInterference(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.Release, *observed)
		want   bool
	}{
		{"nothing changed", func(*v1alpha1.Release, *observed) {}, false},
		{"the ingress is gone", func(_ *v1alpha1.Release, o *observed) { o.Routes.Exists = false }, true},
		{"someone switched first", func(_ *v1alpha1.Release, o *observed) { o.Routes = routesTo(v1alpha1.Green) }, true},
		{"our own switch, not yet recorded", func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Routes = then(), routesTo(v1alpha1.Green)
		}, false},
		{"our own switch, recorded", func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt, o.Routes = then(), then(), routesTo(v1alpha1.Green)
		}, false},
		{"someone switched back", func(r *v1alpha1.Release, _ *observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt = then(), then()
		}, true},
		{"someone deployed to the target", func(_ *v1alpha1.Release, o *observed) { o.Target.Image = "app:mine" }, true},
		{"someone changed the target's template", func(_ *v1alpha1.Release, o *observed) { o.Target.TemplateHash = "h9" }, true},
		{"someone changed the target after the switch", func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.TemplateHash, o.Routes = then(), "h9", routesTo(v1alpha1.Green)
		}, false},
		{"someone changed the target between the intent and the patch", func(r *v1alpha1.Release, o *observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.TemplateHash = then(), "h9"
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, o := ready()
			tt.change(r, &o)
			if message, got := interference(r, o); got != tt.want {
				t.Errorf("interference = %v (%s), want %v", got, message, tt.want)
			}
		})
	}
}

// model is a world whose acts obey, but in which time passes, pods come and go,
// the live colour grows, gates fail, people cancel and the world breaks.
type model struct {
	rng  *rand.Rand
	r    *v1alpha1.Release
	o    observed
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
	w.o = observed{Now: epoch, Freshness: 5 * time.Minute, Size: 2}
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
		w.o.Target.Pods = append(w.o.Target.Pods, track.Pod{Name: fmt.Sprint("g", w.pods)})
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
		w.o.Target = track.Side{RolledOut: true, Image: "app@sha256:2", TemplateHash: "h2", Replicas: w.o.Size}
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
				s, ok := next(w.r, w.o)
				if !ok {
					ended = true
					break
				}
				w.take(t, s.name)
			}
			if m := w.r.Status.Milestones; kind == v1alpha1.Deploy && w.r.Status.Failure != nil && m.Staged != nil && !w.moved &&
				m.DiscardedAt == nil {
				t.Errorf("the target keeps its size although no user was ever there")
			}
			if !ended {
				s, _ := next(w.r, w.o)
				t.Fatalf("seed %d: the %s has not ended, it is at %s", seed, kind, s.name)
			}
			if t.Failed() {
				t.Fatalf("seed %d, %s", seed, kind)
			}
		}
	}
}

func TestPreviousVersionIsCompletedByDigest(t *testing.T) {
	captured := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1", Replicas: 2}
	if got := byDigest(captured, track.Side{Image: "app:v1"}); got != captured {
		t.Errorf("nothing is known of its digest, and it became %+v", got)
	}
	if got := byDigest(captured, track.Side{Image: "app:v2", RunningImage: "app@sha256:2"}); got != captured {
		t.Errorf("another image runs there since, and it became %+v", got)
	}
	want := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:1", Replicas: 2, TemplateHash: "h1"}
	if got := byDigest(captured, track.Side{Image: "app:v1", RunningImage: "app@sha256:1", TemplateHash: "h1"}); got != want {
		t.Errorf("it became %+v, want %+v", got, want)
	}
}
