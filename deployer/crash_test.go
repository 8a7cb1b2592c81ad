package deployer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// quick shortens the times by which a dead process and a lost build are told.
func quick(holder string) func(*Deployer) {
	return func(d *Deployer) {
		d.Holder = holder
		d.BuildGrace = 200 * time.Millisecond
		d.Record.RenewEvery, d.Record.StaleAfter = 150*time.Millisecond, 450*time.Millisecond
	}
}

// journey is something that a deployer takes from one end state to another.
type journey struct {
	name string
	// start makes the world and asks for the release.
	start func(testing.TB) (*world, *v1alpha1.Release)
	// expect checks the world in which the release has succeeded.
	expect func(*world, *v1alpha1.Release)
	// only: its effects of this kind alone are spoiled, and only by processes that
	// end; "" is all, in every way.
	only string
}

var journeys = []journey{
	{"deploy", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.autoscaleBoth()
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectDeployed(rel)
		if !strings.Contains(rel.Status.Drift, "APP_ENV") {
			w.t.Errorf("what was staged over is forgotten; the drift is %q", rel.Status.Drift)
		}
		w.awaitMinimum(v1alpha1.Green, "1")
		w.awaitMinimum(v1alpha1.Blue, "2 1 raised to 2") // it is held
	}, ""},
	{"deploy on Google's load balancer", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.resize(v1alpha1.Green, 0) // so that a pod has to be started before the reference
		behindGCE(w)
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectDeployed(rel)
		w.expectFoundHealthy(w.t, v1alpha1.Green, 1)
	}, "PATCH"},
	{"rollback", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.autoscaleBoth()
		w.pretendDeployed()
		return w, w.rollback()
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectRolledBack(rel)
		w.awaitMinimum(v1alpha1.Blue, "1")
		w.awaitMinimum(v1alpha1.Green, "2 1 raised to 2") // it is held
	}, ""},
}

// autoscaleBoth gives both colours a size and an autoscaler whose minimum is
// below it.
func (w *world) autoscaleBoth() {
	w.t.Helper()
	w.replicas = 2
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.resize(c, w.replicas)
		w.autoscale(c, 1, 9)
	}
}

// A process that ends before an effect leaves what one leaves that ends after
// the effect before, so one cell an effect is the whole table; the one before
// the first effect is that nothing ever ran.
func TestEveryEffectMayFailAndTheProcessMayEndThere(t *testing.T) {
	for _, j := range journeys {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			n := j.effects(t)
			for i := range n {
				t.Run(fmt.Sprint(i+1), func(t *testing.T) {
					t.Parallel()
					j.spoil(t, newEffects(i+1, after, true))
				})
			}
		})
	}
}

func TestEveryEffectMayFailAndTheSameProcessGoesOn(t *testing.T) {
	for _, j := range journeys {
		if j.only != "" {
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			n := j.effects(t)
			for i := range n {
				t.Run(fmt.Sprint(i+1), func(t *testing.T) {
					t.Parallel()
					// The other half of the cells adds nothing but time: what is
					// lost without a crash is seen again at once.
					j.spoil(t, newEffects(i+1, []spoiling{before, after}[i%2], false))
				})
			}
		})
	}
}

// effects counts the writes of the journey undisturbed.
func (j journey) effects(t *testing.T) int {
	t.Helper()
	e := newEffects(0, before, false)
	e.only = j.only
	w, rel := j.start(t)
	w.runWith(e.config(plane.Config), quick("first"))
	j.expect(w, w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	t.Logf("%s", strings.Join(e.all(), "\n"))
	return len(e.all())
}

func (j journey) spoil(t *testing.T, e *effects) {
	t.Helper()
	e.only = j.only
	w, rel := j.start(t)
	stop := w.runWith(e.config(plane.Config), quick("first"))
	if e.crash {
		w.await(rel, "the effect or the end", func(r *v1alpha1.Release) bool {
			select {
			case <-e.spoiled:
				return true
			default:
				return r.Status.Phase.Finished() && w.application().Status.Active == nil
			}
		})
		t.Log("spoiled: " + e.what())
		stop()
		w.run(quick("second"))
	}
	j.expect(w, w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	if !e.crash {
		t.Log("spoiled: " + e.what())
	}
}

// expectDeployed checks everything that one deploy leaves behind.
func (w *world) expectDeployed(rel *v1alpha1.Release) {
	w.t.Helper()
	w.settled()
	bg := w.application()
	if got := w.live(); got != v1alpha1.Green {
		w.t.Errorf("live is %s", got)
	}
	if n := len(w.builds.Builds("acme-prod", "global")); n != 1 {
		w.t.Errorf("%d builds were created", n)
	}
	w.expectRoutes("green", 3) // attached, switched
	w.expectStamped(v1alpha1.Green, rel)
	last := bg.Status.LastSwitch
	if last == nil || last.UID != string(rel.UID) || last.Kind != "Deploy" || last.From.Color != v1alpha1.Blue ||
		last.To.Color != v1alpha1.Green || last.To.Commit != rel.Spec.Deploy.Commit {
		w.t.Errorf("the last switch is %+v", last)
	}
	if p := bg.Status.Previous; p == nil || p.Color != v1alpha1.Blue || !strings.Contains(p.Image, "@sha256:") {
		w.t.Errorf("previous is %+v", p)
	}
	w.expectSizes(w.replicas, w.replicas)
}

// expectRolledBack checks everything that one rollback leaves behind.
func (w *world) expectRolledBack(rel *v1alpha1.Release) {
	w.t.Helper()
	w.settled()
	bg := w.application()
	if got := w.live(); got != v1alpha1.Blue {
		w.t.Errorf("live is %s", got)
	}
	w.expectRoutes("blue", 2) // switched; it was attached before
	w.expectStamped(v1alpha1.Blue, rel)
	last := bg.Status.LastSwitch
	if last == nil || last.UID != string(rel.UID) || last.Kind != "Rollback" || last.From.Color != v1alpha1.Green ||
		last.To.Color != v1alpha1.Blue {
		w.t.Errorf("the last switch is %+v", last)
	}
	if bg.Status.Previous != nil {
		w.t.Errorf("previous is %+v", bg.Status.Previous)
	}
	if r := bg.Status.RolledBack; len(r) != 1 || r[0].Commit != w.source.sha("a") {
		w.t.Errorf("rolled back are %+v", r)
	}
	w.expectSizes(w.replicas, w.replicas)
}

// settled waits until nothing is active.
func (w *world) settled() {
	w.t.Helper()
	w.until("the claim is let go of", func() bool { return w.application().Status.Active == nil }, func() string { return "" })
}

// expectRoutes checks the Ingress: who is live, that no other route changed, and
// how often the spec did, which the API server counts in the generation.
func (w *world) expectRoutes(live string, generation int64) {
	w.t.Helper()
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(i)
	if i.Generation != generation {
		w.t.Errorf("the ingress's spec is in its generation %d, want %d", i.Generation, generation)
	}
	var got []string
	for _, rule := range i.Spec.Rules {
		for _, p := range rule.HTTP.Paths {
			got = append(got, rule.Host+p.Path+" "+p.Backend.Service.Name)
		}
	}
	bg := w.application()
	other := string(v1alpha1.Color(live).Other())
	want := fmt.Sprint([]string{
		"/ my-python-app-" + live + "-svc", "admin.example.com/ admin-svc", "admin.example.com/shop my-python-app-" + live + "-svc",
		bg.StandbyHost() + "/ my-python-app-" + other + "-svc",
	})
	if fmt.Sprint(got) != want {
		w.t.Errorf("the routes are\n%s, want\n%s", got, want)
	}
}

// expectStamped checks that a colour says which release brought users there.
func (w *world) expectStamped(c v1alpha1.Color, rel *v1alpha1.Release) {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}
	w.get(d)
	if got := d.Annotations[v1alpha1.SwitchAnnotation]; got != rel.Name {
		w.t.Errorf("deployment %s says that users are brought there by %q, want %s", d.Name, got, rel.Name)
	}
}

func (w *world) expectSizes(blue, green int32) {
	w.t.Helper()
	if b, g := w.size(v1alpha1.Blue), w.size(v1alpha1.Green); b != blue || g != green {
		w.t.Errorf("blue has the size %d and green %d, want %d and %d", b, g, blue, green)
	}
}

// size is what a colour's Deployment is asked to have.
func (w *world) size(c v1alpha1.Color) int32 {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}
	w.get(d)
	return *d.Spec.Replicas
}
