package deployer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestReleaseStopsWhenSomeoneElseSwitches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.editIngress(func(i *networkingv1.Ingress) {
		i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-green-svc"
		i.Spec.Rules[1].HTTP.Paths[1].Backend.Service.Name = "my-python-app-green-svc"
	})
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	if rel.Status.Failure.Class != v1alpha1.FaultInterference {
		t.Errorf("the failure is %+v", rel.Status.Failure)
	}
	w.expectMessage(rel, "my-python-app-ingress", "someone else")
	w.settled()
	w.awaitLooks() // nothing is reverted
	w.expectLive(v1alpha1.Green)
	w.expectSizes(1, 1)
}

func TestReleaseStopsWhenSomeoneElseChangesTheTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	change(w, &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}, func(green *appsv1.Deployment) {
		green.Spec.Template.Spec.Containers[0].Env[0].Value = "mine"
	})
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectMessage(rel, "my-python-app-green", "someone else")
	w.settled()
	w.awaitLooks() // nothing is reverted
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(1, 1)
}

func TestEditsToOtherPartsOfTheIngressAreNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.editIngress(addRoute)
	w.approve(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	w.expectAddedRoute()
}

// addRoute is an edit that concerns no application. It moves the application's own rules to other
// positions.
func addRoute(i *networkingv1.Ingress) {
	added := *i.Spec.Rules[0].DeepCopy()
	added.Host = "added.example.com"
	added.HTTP.Paths[0].Backend.Service.Name = "added-svc"
	i.Spec.Rules = append([]networkingv1.IngressRule{added}, i.Spec.Rules...)
	i.Annotations["added"] = "yes"
}

func (w *world) expectAddedRoute() {
	w.t.Helper()
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(i)
	if r := i.Spec.Rules[0]; r.Host != "added.example.com" || r.HTTP.Paths[0].Backend.Service.Name != "added-svc" ||
		i.Annotations["added"] != "yes" {
		w.t.Errorf("the added route is %+v, the annotations are %v", r, i.Annotations)
	}
}

// beforePatch runs do right before the nth patch of the Ingress arrives.
func beforePatch(nth int, do func()) *rest.Config {
	cfg := rest.CopyConfig(plane.Config)
	var mu sync.Mutex
	seen := 0
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/ingresses/") {
				mu.Lock()
				seen++
				now := seen
				mu.Unlock()
				if now == nth {
					do()
				}
			}
			return next.RoundTrip(req)
		})
	})
	return cfg
}

func TestLostRaceForTheIngressIsRunAgain(t *testing.T) {
	t.Parallel()
	for name, nth := range map[string]int{"attach": 1, "switch": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.runWith(beforePatch(nth, func() { w.editIngress(addRoute) }))
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.expectLive(v1alpha1.Green)
			w.expectAddedRoute()
		})
	}
}

// A patch that would be refused again is no race, which would be repeated at once.
func TestRefusedPatchOfTheIngressIsNoLostRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	router := &route.Router{Client: w.kube, Reader: w.kube}
	bg := w.application()
	attach := func(host string, meanwhile func()) error {
		t.Helper()
		bg.Spec.Ingress.StandbyHost = host
		s, err := router.Observe(t.Context(), bg)
		check(t, err)
		meanwhile()
		return router.Attach(t.Context(), bg, s, v1alpha1.Green)
	}
	err := attach("not_a_host.example.com", func() {})
	if err == nil || errors.Is(err, route.ErrLostRace) || !strings.Contains(err.Error(), `Invalid value: "not_a_host.example.com"`) {
		t.Errorf("a host that is invalid: %v", err)
	}
	if err := attach("standby.example.com", func() { w.editIngress(addRoute) }); !errors.Is(err, route.ErrLostRace) {
		t.Errorf("an Ingress that somebody changed: %v", err)
	}
	check(t, attach("standby.example.com", func() {}))
}

// A cache may not have seen yet that a port was removed or restored.
func TestPortsAreReadPastTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const name = "my-python-app-green-svc"
	var cached corev1.Service
	stale := interceptor.NewClient(w.watching(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if service, ok := o.(*corev1.Service); ok && key.Name == name {
				cached.DeepCopyInto(service)
				return nil
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	router, bg := &route.Router{Client: stale, Reader: w.kube}, w.application()
	port := func(number int32) {
		service := &corev1.Service{ObjectMeta: w.meta(name)}
		w.get(service)
		service.DeepCopyInto(&cached)
		service.Spec.Ports[0].Port = number
		check(t, w.kube.Update(t.Context(), service))
	}
	moves := map[string]func(context.Context, *v1alpha1.BlueGreen, track.Routes, v1alpha1.Color) error{
		"attach": router.Attach,
		"switch": func(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) error {
			return router.Switch(ctx, bg, s, to, router.Ports(ctx, bg, to))
		},
	}
	for _, number := range []int32{8080, 80} {
		port(number)
		for what, move := range moves {
			s, err := router.Observe(t.Context(), bg)
			check(t, err)
			_, refused := errors.AsType[*route.PortError](move(t.Context(), bg, s, v1alpha1.Green))
			if refused != (number != 80) {
				t.Errorf("%s while the Service has the port %d, and the cache %d: refused %v", what, number, cached.Spec.Ports[0].Port, refused)
			}
		}
	}
}

// watching is a client that may also watch, for interceptors.
func (w *world) watching() client.WithWatch {
	w.t.Helper()
	c, err := client.NewWithWatch(w.cfg, client.Options{Scheme: scheme()})
	check(w.t, err)
	return c
}

func TestLostRaceToSomeoneWhoChangedOurRoutesIsTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runWith(beforePatch(2, func() {
		w.editIngress(func(i *networkingv1.Ingress) {
			i.Spec.Rules[1].HTTP.Paths = i.Spec.Rules[1].HTTP.Paths[:1] // takes away /shop
		})
	}))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectMessage(rel, "my-python-app-ingress", "someone else")
	w.expectLive(v1alpha1.Blue)
}

// address is a public address that fails while green is live.
func (w *world) address(failing func()) string { return w.addressOf(v1alpha1.Green, failing) }

// addressOf is a public address that fails while a colour is live.
func (w *world) addressOf(c v1alpha1.Color, failing func()) string {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		bg := &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app")}
		_ = w.kube.Get(r.Context(), keyOf(bg), bg)
		state, err := (&route.Router{Client: w.kube, Reader: w.kube}).Observe(r.Context(), bg)
		if err == nil && state.Live() == c {
			failing()
			rw.WriteHeader(http.StatusInternalServerError)
		}
	}))
	w.t.Cleanup(s.Close)
	return s.URL
}

func (w *world) setURL(url string) {
	w.t.Helper()
	change(w, w.application(), func(bg *v1alpha1.BlueGreen) {
		bg.Spec.URL = strings.Replace(url, "//127.0.0.1:", "//shop.localhost:", 1) // no application's address is loopback's own
		bg.Spec.Proof = v1alpha1.ProofSpec{Rate: 100, Baseline: duration(100 * time.Millisecond), Tail: duration(200 * time.Millisecond)}
	})
}

func TestFailingPublicAddressBringsTrafficBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.setURL(w.address(func() {}))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "fails since the switch", "500")
	w.expectRoutes("blue", 4) // attached, switched, restored
	w.settled()
	st := w.application().Status
	if st.LastSwitch == nil || st.LastSwitch.Kind != v1alpha1.KindRestore || st.LastSwitch.From.Color != v1alpha1.Green || st.Previous != nil {
		t.Errorf("the last switch is %+v, previous %+v", st.LastSwitch, st.Previous)
	}
	w.awaitShrunk(v1alpha1.Green) // held for nobody
}

func TestTrafficStaysIfThePreviousColourCannotTakeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	down := sync.OnceFunc(func() {
		blue := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}
		if err := w.kube.Patch(t.Context(), blue, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))); err != nil {
			t.Error(err)
		}
		routes := &route.Router{Client: w.kube, Reader: w.kube}
		_ = wait.PollUntilContextCancel(t.Context(), 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			pods, err := routes.ReadyEndpoints(ctx, w.namespace, "my-python-app-blue-svc")
			return err == nil && len(pods) == 0, nil
		})
	})
	w.setURL(w.address(down))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectLive(v1alpha1.Green)
	if got := findingsOf(rel); !strings.Contains(got, "my-python-app-blue-svc, the previous colour, has no ready endpoints") {
		t.Errorf("the findings are %s", got)
	}
	w.settled()
	w.awaitLooks()
	w.expectSizes(0, 1) // the colour that users reach is not shrunk
}

func TestSourceOutageOnlyDelays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.fail(errors.New("GitHub answered 502"))
	w.run()
	rel := w.await(w.submit("a"), "the outage",
		func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "GitHub answered 502") })
	w.source.fail(nil)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestBadBuildFileFailsBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		want       []string
	}{
		{"missing", "", []string{"cloudbuild.yaml does not exist", "aaaaaaa", "spec.build.config", "my-python-app"}},
		{"bad", "steps:\n- {name: docker, arg: [build]}\n", []string{"cloudbuild.yaml", ":2", "arg"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.write("a", tt.file)
			w.run()
			w.expectMessage(w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed), tt.want...)
			if n := w.builds.Calls()["CreateBuild"]; n != 0 {
				t.Errorf("CreateBuild was called %d times", n)
			}
			w.expectSizes(1, 1)
		})
	}
}

func TestMissingTargetIsCreatedFromTheLiveSide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check(t, w.kube.Delete(t.Context(), w.deployment(v1alpha1.Green)))
	check(t, w.kube.Delete(t.Context(), w.service(v1alpha1.Green)))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	if got := findingsOf(rel); !strings.Contains(got, "created Deployment/my-python-app-green") ||
		!strings.Contains(got, "created Service/my-python-app-green-svc") {
		t.Errorf("the findings are %s", got)
	}
}

func TestFinishedReleasesBeyondTheHistoryAreDeletedAfterEightDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.HistoryLimit = 1 })
	// In the order of creation: the history's limit keeps the newest.
	for _, made := range []struct {
		commit string
		ago    time.Duration
	}{{"a", 10 * 24 * time.Hour}, {"b", 9 * 24 * time.Hour}, {"c", 7 * 24 * time.Hour}, {"d", time.Hour}} {
		rel := w.submit(made.commit)
		ended := metav1.NewTime(time.Now().Add(-made.ago))
		rel.Status.Phase, rel.Status.FinishedAt = v1alpha1.ReleaseSucceeded, &ended
		check(t, w.kube.Status().Update(t.Context(), rel))
	}
	w.run()
	left := func() string {
		t.Helper()
		all, err := w.record().Releases(t.Context(), keyOf(w.application()))
		check(t, err)
		var commits []string
		for _, rel := range all {
			commits = append(commits, rel.Spec.Deploy.Commit[:1])
		}
		slices.Sort(commits)
		return strings.Join(commits, " ")
	}
	w.until("two are left", func() bool { return left() == "c d" }, left)
	w.awaitLooks()
	if got := left(); got != "c d" {
		t.Errorf("left are %s, want c d", got)
	}
}

// A process hangs right before it records its staging, and loses its claim. From the successor's
// first write on, before the successor does anything else, the late write is refused. The slow
// process writes nothing more while the claim is another's.
func TestSlowHolderIsFencedByATakeover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := w.startLate(func(what, _ string) bool {
		return strings.HasPrefix(what, "PUT releases/") && w.kubelet.starts("@sha256:")
	}, func(d *Deployer) { d.Record.StaleAfter = time.Hour }) // it takes over nothing itself
	rel := w.submit("a")
	slow.stuck()
	var written []string
	second := w.startLate(func(what, body string) bool {
		if strings.HasPrefix(what, "PUT releases/") {
			written = append(written, body) // by look after look
		}
		return len(written) == 2
	}, quick("second"))
	second.stuck()
	if w.get(rel); !strings.Contains(written[0], `"message":"taken over by second"`) || rel.Status.Message != "taken over by second" {
		t.Errorf("the second process first wrote %s, and the message is %q", written[0], rel.Status.Message)
	}
	slow.arrivesAs(http.StatusConflict)
	for range 2 { // a look that begins under the second's claim, and the next one, so that the first has ended
		before := slow.looks()
		w.poke()
		w.until("the slow process to look", func() bool { return slow.looks() > before }, func() string { return "" })
	}
	slow.expectNothingSince()
	second.arrivesAs(http.StatusOK)
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	second.stop()
	w.awaitLooks() // by the slow process
	slow.expectNothingSince()
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}
