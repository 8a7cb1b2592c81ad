package deployer

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// quick shortens the times after which a process counts as dead and a build as lost.
func quick(holder string) func(*Deployer) {
	return func(d *Deployer) {
		d.Holder = holder
		d.BuildGrace = 200 * time.Millisecond
		d.Record.RenewEvery, d.Record.StaleAfter = 150*time.Millisecond, 450*time.Millisecond
	}
}

// journey is a way of a deployer from one end state to another.
type journey struct {
	name string
	// start creates the world and the release.
	start func(testing.TB) (*world, *v1alpha1.Release)
	// expect checks the world in which the release has succeeded.
	expect func(*world, *v1alpha1.Release)
	// only: just its effects of this kind are spoiled; "" means all.
	only string
	// ends is how the release does; empty is as a success.
	ends v1alpha1.ReleasePhase
	// effects are those of an undisturbed journey, each once, see [effectsOf].
	effects []string
}

var journeys = append([]journey{
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
	}, "", "", slices.Concat(beginDeploy, endDeploy, []string{
		raiseMinimum(v1alpha1.Green),
		stampScaler(v1alpha1.Green),
		raiseMinimum(v1alpha1.Blue),
		returnMinimum(v1alpha1.Green),
	})},
	{"deploy on GCE", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.resize(v1alpha1.Green, 0) // so that a pod must start before the reference
		behindGCE(w)
		return w, w.submit("a")
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectDeployed(rel)
		w.expectFoundHealthy(w.t, v1alpha1.Green, 1)
	}, "PATCH", "", []string{stageGreen, attachGreen, resizeGreen, moveUsers}},
	{"rollback", func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.autoscaleBoth()
		w.pretendDeployed()
		return w, w.rollback()
	}, func(w *world, rel *v1alpha1.Release) {
		w.expectRolledBack(rel)
		w.awaitMinimum(v1alpha1.Blue, "1")
		w.awaitMinimum(v1alpha1.Green, "2 1 raised to 2") // it is held
	}, "", "", slices.Concat(rollingBack, []string{
		moveUsers,
		raiseMinimum(v1alpha1.Blue),
		stampScaler(v1alpha1.Blue),
		raiseMinimum(v1alpha1.Green),
		returnMinimum(v1alpha1.Blue),
		enterRepository,
	})},
}, slices.Concat(
	gatewayJourneys, canaryJourneys, workJourneys, imageJourneys, []journey{mixedJourney}, migrationJourneys, owedJourneys, upkeepJourneys,
)...)

// autoscaleBoth gives both colours a size and an autoscaler with a lower minimum.
func (w *world) autoscaleBoth() {
	w.t.Helper()
	w.replicas = 2
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.resize(c, w.replicas)
		w.autoscale(c, 1, 9)
	}
}

// TestEveryEffectMayFail has a cell for every effect of every journey, in three ways: the process
// ends with the effect, and another one continues; or the effect fails; or it succeeds but its
// reply is lost, and the same process continues. A process that ends before an effect leaves the
// same state as one that ends after the effect before. The state before the first effect is that
// nothing ever ran. Uploads for Cloud Build are in calls_world_test.go.
//
// All cells take most of an hour, so one run has a slice of them, and other days have others: [slice].
func TestEveryEffectMayFail(t *testing.T) {
	ran, of := slice(t)
	for _, j := range journeys {
		t.Run(j.name, func(t *testing.T) {
			t.Run("undisturbed", func(t *testing.T) {
				t.Parallel()
				j.undisturbed(t)
			})
			number := 0
			for _, at := range j.effects {
				if cell := cellsOf[j.name]; cell != nil && !cell(at) {
					continue // it has its cells in other journeys
				}
				for _, way := range []struct {
					name  string
					when  spoiling
					crash bool
				}{{"ends with", after, true}, {"does not do", before, false}, {"does not hear of", after, false}} {
					if number++; number%of != ran {
						continue
					}
					t.Run(fmt.Sprint(number, " ", way.name, " ", strings.ReplaceAll(at, "/", ".")), func(t *testing.T) {
						t.Parallel()
						e := newEffects(way.when, way.crash)
						e.at = at
						j.spoil(t, e)
					})
				}
			}
		})
	}
}

// slice selects the cells to run: those whose number leaves ran when divided by of. If
// CRASH_CELLS is "all", as in make crash, it selects all cells; if it is a day's number,
// that day's cells; if unset, today's.
func slice(t *testing.T) (ran, of int) {
	t.Helper()
	// A slice takes three minutes at most, and has cells of each way, because three does not divide this.
	const days = 17
	day := time.Now().YearDay()
	switch value := os.Getenv("CRASH_CELLS"); value {
	case "all":
		return 0, 1
	case "":
	default:
		var err error
		if day, err = strconv.Atoi(value); err != nil {
			t.Fatalf("CRASH_CELLS is %q, want all or a number: %v", value, err)
		}
	}
	t.Logf("cells of the slice %d of %d: CRASH_CELLS=%d has them again", day%days, days, day)
	return day % days, days
}

// undisturbed checks the journey's effects.
func (j journey) undisturbed(t *testing.T) {
	t.Helper()
	e := newEffects(before, false)
	e.only = j.only
	w, rel := j.start(t)
	w.asked = e.intercept
	w.runWith(e.config(w.cfg), quick("first"))
	j.expect(w, w.awaitPhase(rel, j.end()))
	t.Logf("%s", strings.Join(e.all(), "\n"))
	want, got := slices.Sorted(slices.Values(j.effects)), slices.Sorted(slices.Values(e.effects()))
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the journey's effects are not those that have cells (-want +got):\n%s", diff)
	}
	if first := unclaimed(e.effects()); first != "" {
		t.Errorf("%s came before the release had recorded its claim", first)
	}
}

// unclaimed is the first change of the application's workloads or routes before its release recorded
// which colours it concerns.
func unclaimed(effects []string) string {
	claimed := slices.Index(effects, "release: ClaimedAt")
	for _, e := range effects[:max(claimed, 0)] {
		if strings.HasPrefix(e, "PATCH deployments") || strings.HasPrefix(e, "PATCH ingresses") || strings.HasPrefix(e, "POST jobs") {
			return e
		}
	}
	return ""
}

// spoil runs the journey with one effect spoiled, which must happen.
func (j journey) spoil(t *testing.T, e *effects) {
	t.Helper()
	e.only = j.only
	w, rel := j.start(t)
	w.asked = e.intercept
	stop := w.runWith(e.config(w.cfg), quick("first"))
	// Some effects come after the release has ended, so its end is no sign that they never come.
	w.until(e.at, e.happened, func() string { return "it never happened; effects are\n" + strings.Join(e.effects(), "\n") })
	if e.crash {
		stop()
		w.asked = nil
		w.run(quick("second"))
	}
	j.expect(w, w.awaitPhase(rel, j.end()))
}

func (j journey) end() v1alpha1.ReleasePhase { return cmp.Or(j.ends, v1alpha1.ReleaseSucceeded) }

// expectDeployed checks everything that a deploy leaves behind.
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

// expectRolledBack checks everything that a rollback leaves behind.
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

// expectRoutes checks the Ingress: which colour is live, that no other route changed, and how
// often the spec did, by its generation.
func (w *world) expectRoutes(live string, generation int64) {
	w.t.Helper()
	if w.application().Spec.Gateway != nil {
		w.expectOnGateway(v1alpha1.Color(live), generation)
		return
	}
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

// expectStamped checks that a colour names the release that brought users there. A rollback may
// have said that it did not wait for that.
func (w *world) expectStamped(c v1alpha1.Color, rel *v1alpha1.Release) {
	w.t.Helper()
	if w.unstamped {
		return
	}
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}
	w.get(d)
	hurried := rel.Spec.Kind == v1alpha1.Rollback && slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool {
		return strings.Contains(f.Text, "deployment "+d.Name+" could not be annotated")
	})
	if got := d.Annotations[v1alpha1.SwitchAnnotation]; got != rel.Name && !hurried {
		w.t.Errorf("deployment %s says that users are brought there by %q, want %s", d.Name, got, rel.Name)
	}
}

func (w *world) expectSizes(blue, green int32) {
	w.t.Helper()
	if b, g := w.size(v1alpha1.Blue), w.size(v1alpha1.Green); b != blue || g != green {
		w.t.Errorf("blue has the size %d and green %d, want %d and %d", b, g, blue, green)
	}
}

// size is the replicas of a colour's Deployment.
func (w *world) size(c v1alpha1.Color) int32 {
	w.t.Helper()
	d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))}
	w.get(d)
	return *d.Spec.Replicas
}
