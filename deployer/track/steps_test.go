package track

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// then is the time of every event in these tests.
func then() *metav1.Time { return &metav1.Time{Time: epoch} }

// ready is a deploy to green right before its switch, and what is observed then.
func ready() (*v1alpha1.Release, Observed) {
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
	o := Observed{
		Now:    epoch.Add(time.Minute),
		Routes: routesTo(v1alpha1.Blue),
		Target: Side{
			Color: v1alpha1.Green, DeploymentExists: true, Replicas: 2, RolledOut: true, Image: "app@sha256:2", TemplateHash: "h2",
			Pods: []Pod{{Name: "g1"}, {Name: "g2"}},
		},
		Endpoints: []string{"g1", "g2"},
		Size:      2,
		Freshness: 5 * time.Minute,
	}
	return r, o
}

// onGCE turns the observation into one of Google's load balancer, which found every pod of the
// target healthy.
func onGCE(o *Observed) {
	o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
	o.Groups = []Group{{Port: 80, Name: "k8s1-green", Routed: true, State: "HEALTHY"}}
	for i := range o.Target.Pods {
		o.Target.Pods[i].Ready = true
		o.Target.Pods[i].Gates = []Gate{{
			Type: "cloud.google.com/load-balancer-neg-ready", True: true, Reason: "LoadBalancerNegReady",
			Message: `Pod has become Healthy in NEG "Key{\"k8s1-green\", zone: \"z\"}" attached to BackendService "Key{\"k8s1-green\"}". Marking ` +
				`condition to True.`,
		}}
	}
}

func routesTo(c v1alpha1.Color) Routes {
	return Routes{Name: "ing", Exists: true, Users: map[v1alpha1.Color][]Backend{c: {{}}}}
}

func TestNext(t *testing.T) {
	fail := func(class v1alpha1.FailureClass) func(*v1alpha1.Release, *Observed) {
		return func(r *v1alpha1.Release, _ *Observed) { r.Status.Failure = &v1alpha1.Failure{Class: class} }
	}
	moved := func(r *v1alpha1.Release, _ *Observed) {
		r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt = then(), then()
	}
	type change = func(*v1alpha1.Release, *Observed)
	tests := []struct {
		name    string
		changes []change
		want    v1alpha1.Step // "" if the track has ended
	}{
		{"everything holds", nil, v1alpha1.StepSwitch},
		{"nothing done yet", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones = v1alpha1.Milestones{}
		}}, v1alpha1.StepBuild},
		{"not attached", []change{func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.AttachedAt = nil }}, v1alpha1.StepAttach},
		{"not verified", []change{func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.Verified = nil }}, v1alpha1.StepVerify},
		{"neither verified nor approved", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.Verified, r.Status.Milestones.Approved = nil, nil
		}}, v1alpha1.StepVerify},
		{"not verified, and an endpoint is missing", []change{func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.Verified, o.Endpoints = nil, nil
		}}, v1alpha1.StepWarm},
		{
			"the target runs another image",
			[]change{func(_ *v1alpha1.Release, o *Observed) { o.Target.Image = "app@sha256:1" }},
			v1alpha1.StepStage,
		},
		{
			"the target has another template",
			[]change{func(_ *v1alpha1.Release, o *Observed) { o.Target.TemplateHash = "h1" }},
			v1alpha1.StepStage,
		},
		{"failed, and discarded", []change{fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.DiscardedAt = then()
		}}, ""},
		{"not verified, and a pod is missing", []change{func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.Verified, o.Target.RolledOut = nil, false
		}}, v1alpha1.StepStage},
		{"somebody else moved traffic: what the switch needs is looked at", []change{func(_ *v1alpha1.Release, o *Observed) {
			o.Target.RolledOut, o.Routes = false, routesTo(v1alpha1.Green)
		}}, v1alpha1.StepStage},
		{
			"the world's trouble before the switch, and users are sent nowhere",
			[]change{fail(v1alpha1.FaultWorld), func(_ *v1alpha1.Release, o *Observed) {
				o.Routes = Routes{}
			}},
			v1alpha1.StepDiscard,
		},
		{"not approved", []change{func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.Approved = nil }}, v1alpha1.StepPromote},
		{"locked after the approval", []change{func(_ *v1alpha1.Release, o *Observed) { o.Locked = true }}, v1alpha1.StepPromote},
		{"locked: what waits is not kept fresh", []change{func(_ *v1alpha1.Release, o *Observed) {
			o.Locked, o.Now, o.Endpoints = true, epoch.Add(time.Hour), nil
		}}, v1alpha1.StepPromote},
		{"locked after the intent: too late", []change{func(r *v1alpha1.Release, o *Observed) {
			o.Locked, r.Status.Milestones.SwitchIntendedAt = true, then()
		}}, v1alpha1.StepSwitch},
		{"the load balancer told long ago", []change{func(_ *v1alpha1.Release, o *Observed) {
			onGCE(o)
			o.Freshness = 30 * time.Second
		}, func(r *v1alpha1.Release, o *Observed) { r.Status.Milestones.Verified.At = metav1.NewTime(o.Now) }}, v1alpha1.StepWarm},
		{"the load balancer told lately", []change{func(_ *v1alpha1.Release, o *Observed) { onGCE(o) }}, v1alpha1.StepSwitch},
		{"the live colour grew", []change{func(_ *v1alpha1.Release, o *Observed) { o.Size = 3 }}, v1alpha1.StepStage},
		{"a pod is missing", []change{func(_ *v1alpha1.Release, o *Observed) { o.Target.RolledOut = false }}, v1alpha1.StepStage},
		{"an endpoint is missing", []change{func(_ *v1alpha1.Release, o *Observed) { o.Endpoints = []string{"g1"} }}, v1alpha1.StepWarm},
		{"there are no pods", []change{func(_ *v1alpha1.Release, o *Observed) { o.Target.Pods = nil }}, v1alpha1.StepWarm},
		{"the gate's pass is old", []change{func(_ *v1alpha1.Release, o *Observed) { o.Now = epoch.Add(5 * time.Minute) }}, v1alpha1.StepVerify},
		{"a person was waited for since the gate passed", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.Verified.AskAgain = true
		}}, v1alpha1.StepVerify},
		{"a pod came after the gate", []change{func(_ *v1alpha1.Release, o *Observed) {
			o.Target.Pods, o.Endpoints = append(o.Target.Pods, Pod{Name: "g3"}), append(o.Endpoints, "g3")
		}}, v1alpha1.StepVerify},
		{"a pod that ends needs no gate", []change{func(_ *v1alpha1.Release, o *Observed) {
			o.Target.Pods = append(o.Target.Pods, Pod{Name: "g0", Terminating: true})
		}}, v1alpha1.StepSwitch},
		{"Google's load balancer does not know the pods", []change{func(_ *v1alpha1.Release, o *Observed) {
			o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
		}}, v1alpha1.StepWarm},
		{"Google's load balancer found every pod healthy", []change{func(_ *v1alpha1.Release, o *Observed) { onGCE(o) }}, v1alpha1.StepSwitch},
		{"Google's load balancer finds no pod healthy any more", []change{func(_ *v1alpha1.Release, o *Observed) {
			onGCE(o)
			o.Groups[0].State = "UNHEALTHY"
		}}, v1alpha1.StepWarm},
		{"a pod is ready, but not by the load balancer's word", []change{func(_ *v1alpha1.Release, o *Observed) {
			onGCE(o)
			o.Target.Pods[1].Gates[0].Reason = "LoadBalancerNegTimeout"
		}}, v1alpha1.StepWarm},
		{"the gate passed with another template", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.Verified.TemplateHash = "h1"
		}}, v1alpha1.StepVerify},
		{"the gate passed with another image", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.Verified.Image = "app@sha256:1"
		}}, v1alpha1.StepVerify},
		{"traffic has moved: nothing goes back", []change{func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.RolledOut, o.Routes = then(), false, routesTo(v1alpha1.Green)
		}}, v1alpha1.StepSwitch},
		{"an intent without its patch is looked at again", []change{func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.RolledOut = then(), false
		}}, v1alpha1.StepStage},
		{"an old intent needs a fresh gate", []change{func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Now = then(), epoch.Add(time.Hour)
		}}, v1alpha1.StepVerify},
		{"switched", []change{moved}, v1alpha1.StepConfirm},
		{"confirmed", []change{moved, func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.ConfirmedAt = then() }}, v1alpha1.StepSoak},
		{"soaked", []change{moved, func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.ConfirmedAt, r.Status.Milestones.SoakedAt = then(), then()
		}}, ""},
		{"failed before the switch", []change{fail(v1alpha1.FaultRelease)}, v1alpha1.StepDiscard},
		{"failed after the switch", []change{moved, fail(v1alpha1.FaultRelease)}, v1alpha1.StepRestore},
		{
			"failed with the switch intended",
			[]change{func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.SwitchIntendedAt = then() }, fail(v1alpha1.FaultRelease)},
			v1alpha1.StepRestore,
		},
		{"failed with the switch intended, and nobody was moved", []change{fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.RestoredAt = then(), then()
		}}, v1alpha1.StepDiscard},
		{
			"the world's trouble with the switch intended, and nobody was moved",
			[]change{fail(v1alpha1.FaultWorld), func(r *v1alpha1.Release, _ *Observed) {
				r.Status.Milestones.SwitchIntendedAt = then()
			}},
			v1alpha1.StepRestore,
		},
		{
			"the world's trouble with the switch intended, and made unseen",
			[]change{fail(v1alpha1.FaultWorld), func(r *v1alpha1.Release, o *Observed) {
				r.Status.Milestones.SwitchIntendedAt, o.Routes = then(), routesTo(v1alpha1.Green)
			}},
			"",
		},
		{"traffic was kept where it is, wherever that is", []change{fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.KeptAt = then(), then()
		}}, ""},
		{
			"restored: upkeep shrinks, after the drain",
			[]change{moved, fail(v1alpha1.FaultRelease), func(r *v1alpha1.Release, _ *Observed) { r.Status.Milestones.RestoredAt = then() }},
			"",
		},
		{"cancelled before the switch", []change{fail(v1alpha1.FaultCancelled)}, v1alpha1.StepDiscard},
		{"the world's trouble before the switch", []change{fail(v1alpha1.FaultWorld)}, v1alpha1.StepDiscard},
		{"the world's trouble after the switch", []change{moved, fail(v1alpha1.FaultWorld)}, ""},
		{"a rollback takes over after the switch", []change{moved, fail(v1alpha1.FaultSuperseded)}, ""},
		{"superseded before the switch", []change{fail(v1alpha1.FaultSuperseded)}, v1alpha1.StepDiscard},
		{"interference before the switch", []change{fail(v1alpha1.FaultInterference)}, ""},
		{"interference after the switch", []change{moved, fail(v1alpha1.FaultInterference)}, ""},
		{"cancelled while building ahead", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones, r.Status.Build = v1alpha1.Milestones{}, &v1alpha1.BuildStatus{}
		}, fail(v1alpha1.FaultCancelled)}, v1alpha1.StepDiscard},
		{"cancelled before anything", []change{func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones = v1alpha1.Milestones{}
		}, fail(v1alpha1.FaultCancelled)}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, o := ready()
			for _, c := range tt.changes {
				c(r, &o)
			}
			s, ok := Next(r, o)
			if s.Name != tt.want || ok != (tt.want != "") {
				t.Errorf("next = %q, %v; want %q", s.Name, ok, tt.want)
			}
		})
	}
}

func TestNextOfRollback(t *testing.T) {
	r, o := ready()
	r.Spec = v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Rollback: &v1alpha1.RollbackSpec{}}
	m := &r.Status.Milestones
	staged, verified := m.Staged, m.Verified
	m.Built, m.Verified, m.Approved, m.AttachedAt, m.Staged, m.WarmedAt = nil, nil, nil, nil, nil, nil

	expect := func(want v1alpha1.Step) {
		t.Helper()
		if s, _ := Next(r, o); s.Name != want {
			t.Errorf("next = %q, want %q", s.Name, want)
		}
	}
	expect(v1alpha1.StepSize)
	m.Staged = staged
	expect(v1alpha1.StepWarm)
	m.WarmedAt = then()
	expect(v1alpha1.StepSwitch)
	o.Unproven = &v1alpha1.SchemaChange{Release: "app-7"}
	expect(v1alpha1.StepVerify) // it was never live with this schema
	m.Verified = verified
	expect(v1alpha1.StepSwitch)
	m.SwitchIntendedAt, o.Now = then(), epoch.Add(time.Hour)
	expect(v1alpha1.StepVerify) // an old intent
	m.Verified, o.Routes = nil, routesTo(v1alpha1.Green)
	expect(v1alpha1.StepSwitch) // users are there: it is recorded, and nothing is asked
	m.SwitchIntendedAt, o.Now, o.Routes, o.Unproven = nil, epoch, routesTo(v1alpha1.Blue), nil
	o.Size = 5
	expect(v1alpha1.StepSize) // live grew meanwhile
	o.Size = 2
	m.SwitchIntendedAt, m.SwitchedAt = then(), then()
	expect(v1alpha1.StepConfirm)
	r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease}
	expect("") // never undone
	m.SwitchIntendedAt, m.SwitchedAt = nil, nil
	for _, class := range []v1alpha1.FailureClass{
		v1alpha1.FaultRelease, v1alpha1.FaultWorld, v1alpha1.FaultCancelled,
		v1alpha1.FaultSuperseded,
	} {
		r.Status.Failure.Class = class
		expect("") // nor is what it staged discarded: it was there before
	}
}

// Each step's row is the same in every table, and a need goes back to a step that the track has
// passed.
func TestTablesAreWhole(t *testing.T) {
	bg := &v1alpha1.BlueGreen{}
	bg.Spec.Deadlines = v1alpha1.Deadlines{
		Stage: metav1.Duration{Duration: time.Minute}, Warm: metav1.Duration{Duration: 2 * time.Minute},
		Confirm: metav1.Duration{Duration: 3 * time.Minute},
	}
	r, o := ready()
	onGCE(&o)
	for _, rows := range [][]Row{deploy, undo, rollback} {
		var passed []v1alpha1.Step
		for _, row := range rows {
			// A release that migrates needs its approval earlier.
			if slices.Contains(passed, row.Name) && row.Name != v1alpha1.StepPromote {
				t.Errorf("%s is there twice", row.Name)
			}
			for _, n := range row.Needs {
				if !slices.Contains(passed, n.By) {
					t.Errorf("%s needs what comes of %s, which is not before it", row.Name, n.By)
				}
			}
			passed = append(passed, row.Name)
			other := RowOf(row.Name)
			if (row.Deadline == nil) != (other.Deadline == nil) || row.Deadline != nil && row.Deadline(bg) != Limit(bg, row.Name) {
				t.Errorf("%s has two deadlines", row.Name)
			}
			if (row.Late == nil) != (other.Late == nil) || row.Late != nil && row.Late(r, o) != other.Late(r, o) {
				t.Errorf("%s is late for two reasons", row.Name)
			}
			if (row.After == nil) != (other.After == nil) {
				t.Errorf("%s waits for two things", row.Name)
			}
		}
	}
	if RowOf("dance").Done != nil {
		t.Error("there is a row of a step that does not exist")
	}
}

func TestTracksGoTheirWay(t *testing.T) {
	for _, tt := range []struct {
		got  []v1alpha1.Step
		want string
	}{
		{Steps(v1alpha1.Deploy), "[build expand attach stage warm verify promote shift workers switch confirm singletons soak]"},
		{Steps(v1alpha1.Rollback), "[recall size warm verify switch confirm relieve singletons]"},
		{UndoSteps(), "[recall restore withdraw relieve singletons discard]"},
	} {
		if got := fmt.Sprint(tt.got); got != tt.want {
			t.Errorf("the steps are %s, want %s", got, tt.want)
		}
	}
}

// The bound leaves room to take each step of a deploy and of its undo twice.
func TestBoundHasRoomForEveryStep(t *testing.T) {
	if want := 2 * (len(Steps(v1alpha1.Deploy)) + len(UndoSteps())); Bound < want || Bound < 2*len(Steps(v1alpha1.Rollback)) {
		t.Errorf("at most %d steps are taken, want %d", Bound, want)
	}
}
