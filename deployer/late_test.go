package deployer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// late is a process that hangs right before one of its writes until the test lets it continue.
type late struct {
	w       *world
	reached chan struct{}
	taken   chan struct{}
	answer  chan int
	stop    func()

	mu       sync.Mutex
	answered bool
	since    []string // later writes, see note
	looked   int      // later reads of the application, which begin every look
}

// startLate starts a deployer that hangs at the first write that meant accepts, by target and
// body.
func (w *world) startLate(meant func(what, body string) bool, change ...func(*Deployer)) *late {
	w.t.Helper()
	l := &late{w: w, reached: make(chan struct{}), taken: make(chan struct{}), answer: make(chan int, 1)}
	cfg := rest.CopyConfig(w.cfg)
	var once sync.Once
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			first := false
			if meant(describe(req), bodyOf(req)) {
				once.Do(func() { first = true })
			}
			if !first {
				l.note(req)
				return next.RoundTrip(req)
			}
			close(l.reached)
			<-l.taken
			// The write is on its way: its sender may have given up, but cannot stop it.
			resp, err := next.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
			if err == nil {
				l.noteFromNow()
				l.answer <- resp.StatusCode
			}
			return resp, err
		})
	})
	l.stop = w.runWith(cfg, append([]func(*Deployer){quick("slow")}, change...)...)
	w.t.Cleanup(func() { // before waiting for the process
		select {
		case <-l.taken:
		default:
			close(l.taken)
		}
	})
	return l
}

// stuck waits until the process hangs.
func (l *late) stuck() {
	l.w.t.Helper()
	select {
	case <-l.reached:
	case <-time.After(longestWait):
		l.w.t.Fatal("the write was never made")
	}
}

func (l *late) noteFromNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = true
}

// note records what is written after the late write, except events and the application's status,
// which a process without the claim also writes.
func (l *late) note(req *http.Request) {
	what := describe(req)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered {
		return
	}
	if what == "GET bluegreens/my-python-app" {
		l.looked++
	}
	if req.Method != http.MethodGet && !strings.HasPrefix(what, "PUT bluegreens/") && !strings.Contains(what, " events") {
		l.since = append(l.since, what)
	}
}

// looks counts the process's looks since its late write was answered.
func (l *late) looks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looked
}

// expectNothingSince checks that nothing was written since the late write was answered.
func (l *late) expectNothingSince() {
	l.w.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.since) != 0 {
		l.w.t.Errorf("after its late write was answered the process wrote %s", strings.Join(l.since, ", "))
	}
}

// arrives sends the write, and checks that it is refused.
func (l *late) arrives() { l.arrivesAs(http.StatusUnprocessableEntity) }

// arrivesAs sends the write, and checks the response.
func (l *late) arrivesAs(want int) {
	l.w.t.Helper()
	close(l.taken)
	select {
	case got := <-l.answer:
		if got != want {
			l.w.t.Errorf("the write that was late is answered %d, want %d", got, want)
		}
	case <-time.After(longestWait):
		l.w.t.Fatal("the write got no answer")
	}
}

// movesRoutes: a write moves users.
func movesRoutes(what, body string) bool {
	return strings.HasPrefix(what, "PATCH ingresses/") && strings.Contains(body, `"op":"replace"`)
}

// shrinks: a write brings a colour to size 0.
func shrinks(c v1alpha1.Color) func(what, body string) bool {
	return func(what, body string) bool {
		return what == "PATCH deployments/my-python-app-"+string(c) && strings.Contains(body, `"path":"/spec/replicas","value":0`)
	}
}

// Another process has taken over and switched, and a person rolled back: the routes are again as
// they were when the patch was made.
func TestLateSwitchDoesNotUndoARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.startLate(movesRoutes)
	rel := w.submit("a")
	l.stuck()
	w.run(quick("second"))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	l.arrives()
	w.expectLive(v1alpha1.Blue)
}

// The same with weights: again as they were when the patch was made.
func TestLateSwitchOnAGatewayDoesNotUndoARollback(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t)
	l := w.startLate(func(what, body string) bool {
		return what == patchShares && strings.Contains(body, "/weight") && !strings.Contains(body, "backendRefs/-")
	})
	rel := w.submit("a")
	l.stuck()
	w.run(quick("second"))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	l.arrives()
	w.expectOnGateway(v1alpha1.Blue, 4)
}

// Users have left the colour that the standby route leads to.
func TestLateStandbyDoesNotFollowRoutesThatWereLeft(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t)
	l := w.startLate(func(what, _ string) bool { return what == patchStandby })
	rel := w.submit("a")
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	l.stuck()
	w.run(quick("second"))
	w.expectOnGateway(v1alpha1.Green, 3)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectOnGateway(v1alpha1.Blue, 4)
	l.arrives()
	w.expectOnGateway(v1alpha1.Blue, 4)
}

// Nobody has patched the Ingress since: the release was given up. What it staged may be gone, or
// belong to another release.
func TestLateSwitchDoesNotReachATargetThatWasGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := w.startLate(movesRoutes)
	rel := w.submit("a")
	l.stuck()
	w.until("somebody's image on green", func() bool {
		green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
		w.get(green)
		green.Spec.Template.Spec.Containers[0].Image = "gcr.io/acme-prod/my-python-app:mine"
		return w.kube.Update(t.Context(), green) == nil
	}, func() string { return "" })
	w.run(quick("second"))
	w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.settled()
	l.arrives()
	w.expectLive(v1alpha1.Blue)
}

// Upkeep holds no claim. The colour that it is about to shrink has users again.
func TestLateShrinkDoesNotEmptyAColourThatUsersAreBackOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(0))
	w.pretendDeployed()
	l := w.startLate(shrinks(v1alpha1.Blue))
	l.stuck()
	w.configure(`{"hold":"1h"}`)
	w.run(quick("second"))
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectLive(v1alpha1.Blue)
	l.arrives()
	w.expectSizes(1, 1)
}

// The same with an autoscaler, whose minimum upkeep restores before it shrinks.
func TestLateRestoreOfAMinimumDoesNotReachAColourThatUsersAreBackOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.autoscaleBoth()
	w.pretendDeployed()
	stop := w.run()
	w.awaitMinimum(v1alpha1.Blue, "2 1 raised to 2") // it is held
	stop()
	w.configure(`{"hold":"0s"}`)
	l := w.startLate(func(what, body string) bool {
		return strings.HasPrefix(what, "PATCH horizontalpodautoscalers/") && strings.Contains(body, `"op":"remove"`)
	})
	l.stuck()
	w.configure(`{"hold":"1h"}`)
	w.run(quick("second"))
	back := w.await(w.rollback(), "the switch", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil })
	l.arrives()
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(2, 2)
}

// A colour is not shrunk while a release brings users there, whatever the routes are at that
// moment.
func TestColourThatAReleaseBringsUsersToKeepsItsSize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	back := w.rollback()
	w.patch(w.deployment(v1alpha1.Blue), fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.SwitchAnnotation, back.Name))
	routes, workloads := w.router(), &workload.Workloads{Client: w.kube, Reader: w.kube}
	workers := workload.Workers{Workloads: workloads}
	seen, err := routes.Observe(t.Context(), w.application())
	check(t, err)
	o, err := observing{routes: routes, workloads: workloads, workers: workers}.application(t.Context(), w.application(), nil, seen)
	check(t, err)
	look := &work{bg: w.application(), o: o}
	shrinking := shrinking{record: w.record(), routes: routes, workloads: workloads}
	done, err := shrinking.shrink(t.Context(), look, v1alpha1.Blue, "")
	check(t, err)
	if !done.inUse || !strings.Contains(done.text, back.Name+" brings users there") {
		t.Errorf("what came of shrinking it is %+v", done)
	}
	w.expectSizes(1, 1)
	back.Status.Phase = v1alpha1.ReleaseFailed
	check(t, w.kube.Status().Update(t.Context(), back))
	w.until("the shrink", func() bool {
		done, err := shrinking.shrink(t.Context(), look, v1alpha1.Blue, "")
		return err == nil && !done.inUse
	}, func() string { return "" })
	w.expectSizes(0, 1)
}

// The real API server raises an Ingress's generation only for changes of its spec, and lets a
// patch test it, and the absence of an annotation.
func TestPatchOfTheRoutesMindsWhatTouchesThem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(*world)
		want      v1alpha1.Color
	}{
		"nothing":       {func(*world) {}, v1alpha1.Green},
		"an annotation": {func(w *world) { w.editIngress(func(i *networkingv1.Ingress) { i.Annotations["someone"] = "x" }) }, v1alpha1.Green},
		"a route of another": {func(w *world) {
			w.editIngress(func(i *networkingv1.Ingress) { i.Spec.Rules[1].Host = "b" + i.Spec.Rules[1].Host })
		}, v1alpha1.Blue},
		"there and back": {func(w *world) {
			for _, host := range []string{"b.example.com", "admin.example.com"} {
				w.editIngress(func(i *networkingv1.Ingress) { i.Spec.Rules[1].Host = host })
			}
		}, v1alpha1.Blue},
		"a fence": {func(w *world) {
			check(w.t, w.router().Fence(w.t.Context(), w.application(), w.routes()))
		}, v1alpha1.Blue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for range 2 { // without and with a fence
				read := w.routes()
				tt.meanwhile(w)
				err := w.switchRoutes(read, v1alpha1.Green)
				if lost := errors.Is(err, route.ErrLostRace); lost != (tt.want == v1alpha1.Blue) || err != nil && !lost {
					t.Errorf("the patch is answered %v", err)
				}
				w.expectLive(tt.want)
				if tt.want == v1alpha1.Green {
					check(t, w.switchRoutes(w.routes(), v1alpha1.Blue))
				}
				check(t, w.router().Fence(t.Context(), w.application(), w.routes()))
			}
		})
	}
}

func (w *world) router() *route.Router { return &route.Router{Client: w.kube, Reader: w.kube} }

// switchRoutes moves users to a colour.
func (w *world) switchRoutes(from track.Routes, to v1alpha1.Color) error {
	w.t.Helper()
	bg := w.application()
	return w.router().Switch(w.t.Context(), bg, from, to, w.router().Ports(w.t.Context(), bg, to))
}

func (w *world) routes() track.Routes {
	w.t.Helper()
	s, err := w.router().Observe(w.t.Context(), w.application())
	check(w.t, err)
	return s
}
