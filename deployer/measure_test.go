package deployer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// publish starts the public address, which answers as the live colour does. Its answers name the
// colour as the version.
func (w *world) publish(answer func(live v1alpha1.Color, rw http.ResponseWriter)) {
	w.t.Helper()
	routes := &route.Router{Client: w.kube, Reader: w.kube}
	bg := w.application()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		state, err := routes.Observe(r.Context(), bg)
		if err != nil {
			return
		}
		rw.Header().Set("App-Version", string(state.Live()))
		if answer != nil {
			answer(state.Live(), rw)
		}
	}))
	w.t.Cleanup(s.Close)
	w.setURL(s.URL)
}

// proofSpec changes how the public address is measured.
func (w *world) proofSpec(edit func(*v1alpha1.ProofSpec)) {
	w.t.Helper()
	change(w, w.application(), func(bg *v1alpha1.BlueGreen) { edit(&bg.Spec.Proof) })
}

func tellApart(s *v1alpha1.ProofSpec) { s.VersionHeader = "App-Version" }

func TestSwitchIsProvedByThePublicAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(nil)
	w.proofSpec(tellApart)
	w.run(func(d *Deployer) { d.TakeUp = time.Hour }) // only the new version is a sign
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	p, r := rel.Status.Proof, rel.Status.Route
	if p.Result != v1alpha1.ProofConfirmed || p.Failed != 0 || p.Baseline == nil || p.Baseline.Requests == 0 ||
		p.Requests <= p.Baseline.Requests ||
		p.NewVersion != "green" || p.NewVersionAfter == nil || p.P99 == nil || !strings.Contains(p.Message, " 0 failed, p99 ") {
		t.Errorf("the proof is %+v, its baseline %+v", p, p.Baseline)
	}
	if r.TookEffectBy != v1alpha1.SignNewVersion || r.TookEffectAt == nil {
		t.Errorf("the route is %+v", r)
	}
	w.settled()
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if p := back.Status.Proof; p.Result != v1alpha1.ProofConfirmed || p.Failed != 0 || p.Requests == 0 {
		t.Errorf("the rollback's proof is %+v", p)
	}
}

// Most commits do not change the version that an application names.
func TestVersionThatNamesItselfAsBeforeIsNotTakenForTheOldOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	same := func(rw http.ResponseWriter) { rw.Header().Set("App-Version", "1.4") }
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) { same(rw) })
	w.proofSpec(tellApart)
	pods := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { same(rw) }))
	t.Cleanup(pods.Close)
	cfg := rest.CopyConfig(plane.Config)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "10.99.") {
			address = pods.Listener.Addr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	w.runWith(cfg)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if p := rel.Status.Proof; p.Result != v1alpha1.ProofConfirmed || p.NewVersion != "" {
		t.Errorf("the proof is %+v", p)
	}
	if got := findingsOf(rel); !strings.Contains(got, "App-Version (spec.proof.versionHeader) is 1.4 as before the switch") {
		t.Errorf("the findings are %s", got)
	}
}

func TestProbersOwnTroubleMovesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) { rw.WriteHeader(http.StatusUnauthorized) })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	p := rel.Status.Proof
	if p.Result != v1alpha1.ProofInconclusive || p.Requests != 0 || p.Unseen == 0 || strings.Contains(p.Message, "0 failed") ||
		!strings.Contains(p.Message, "401") {
		t.Errorf("the proof is %+v", p)
	}
	if got := findingsOf(rel); !strings.Contains(got, "not observed from outside") {
		t.Errorf("the findings are %s", got)
	}
}

func TestWhatFailedBeforeIsNoReasonToMoveTrafficBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) { rw.WriteHeader(http.StatusServiceUnavailable) })
	w.run()
	p := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded).Status.Proof
	if p.Result != v1alpha1.ProofConfirmed || p.Failed == 0 || p.NewFailures != 0 ||
		!strings.Contains(p.Message, "failed as before the switch") {
		t.Errorf("the proof is %+v", p)
	}
}

// A rollback is urgent; failures before it takes effect belong to the version that it leaves.
func TestRollbackWaitsForNoBaseline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(func(live v1alpha1.Color, rw http.ResponseWriter) {
		if live == v1alpha1.Green {
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline = duration(10 * time.Minute) })
	w.pretendDeployed()
	w.run()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
}

func TestDeployWaitsForItsBaseline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(nil)
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline = duration(10 * time.Minute) })
	var d *Deployer
	stop := w.run(func(x *Deployer) { d = x })
	rel := w.await(w.submit("a"), "the baseline", func(r *v1alpha1.Release) bool {
		return strings.HasPrefix(r.Status.Message, "takes a baseline of http://shop.localhost:")
	})
	if m := rel.Status.Milestones; m.SwitchIntendedAt != nil || rel.Status.Step != v1alpha1.StepSwitch {
		t.Errorf("the release waits at %s, intended at %v", rel.Status.Step, m.SwitchIntendedAt)
	}
	w.expectLive(v1alpha1.Blue)
	if n := d.probers.count(); n != 1 {
		t.Errorf("%d probers", n)
	}
	stop()
	if n := d.probers.count(); n != 0 {
		t.Errorf("%d probers are left after their process", n)
	}
	// The next process takes a new baseline: nothing is lost before the switch.
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline = duration(100 * time.Millisecond) })
	w.run(func(x *Deployer) { d = x })
	p := w.awaitPhase(rel, v1alpha1.ReleaseSucceeded).Status.Proof
	if p.Result != v1alpha1.ProofConfirmed || p.InterruptedAt != nil {
		t.Errorf("the proof is %+v", p)
	}
	w.until("the prober ends with its release", func() bool { return d.probers.count() == 0 }, func() string { return "" })
}

func TestProberEndsWithoutARelease(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*world, *v1alpha1.Release){
		"cancelled": func(w *world, rel *v1alpha1.Release) {
			check(w.t, w.record().Cancel(w.t.Context(), keyOf(rel),
				v1alpha1.Cancel{By: "dora", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}))
		},
		"taken over": func(w *world, _ *v1alpha1.Release) {
			w.until("it is taken over", func() bool {
				bg := w.application()
				bg.Status.Active.Holder, bg.Status.Active.RenewedAt = "another", metav1.NewMicroTime(time.Now().Add(time.Hour))
				return w.kube.Status().Update(w.t.Context(), bg) == nil
			}, func() string { return "" })
		},
		"removed": func(w *world, _ *v1alpha1.Release) { check(w.t, w.kube.Delete(w.t.Context(), w.application())) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.publish(nil)
			w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline = duration(10 * time.Minute) })
			var d *Deployer
			w.run(func(x *Deployer) { d = x })
			rel := w.await(w.submit("a"), "the baseline",
				func(r *v1alpha1.Release) bool { return strings.HasPrefix(r.Status.Message, "takes a baseline") })
			if n := d.probers.count(); n != 1 {
				t.Errorf("%d probers", n)
			}
			end(w, rel)
			w.until("the prober ends", func() bool { return d.probers.count() == 0 }, func() string { return "" })
		})
	}
}

func (p *probers) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.of)
}

// Google's controller rejects the Ingress: nothing took effect, and it no longer updates
// endpoints.
func TestUntranslatableIngressIsTakenBack(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]v1alpha1.ReleasePhase{"Translate": v1alpha1.ReleaseFailed, "Sync": v1alpha1.ReleaseSucceeded} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(func(d *Deployer) { d.TakeUp = time.Hour })
			rel := w.submit("a")
			w.await(rel, "the switch", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil })
			w.editIngress(func(i *networkingv1.Ingress) { i.Annotations["kubernetes.io/ingress.class"] = "gce" })
			// On a class of somebody else's nobody asked which events there were.
			check(t, w.kube.Status().Patch(t.Context(), rel, client.RawPatch(types.MergePatchType,
				fmt.Appendf(nil, `{"status":{"route":{"eventsBefore":"%s"}}}`, rel.ResourceVersion))))
			e := &corev1.Event{
				ObjectMeta: w.meta("told"), Reason: reason, Type: corev1.EventTypeWarning,
				Message: "Translation failed: no such service",
			}
			if reason == "Sync" {
				e.Type, e.Message = corev1.EventTypeNormal, `UrlMap "k8s2-um-x" updated`
			}
			i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
			w.get(i)
			e.InvolvedObject = corev1.ObjectReference{Kind: "Ingress", Namespace: i.Namespace, Name: i.Name, UID: i.UID}
			w.create(e)
			rel = w.awaitPhase(rel, want)
			if want == v1alpha1.ReleaseFailed {
				w.expectMessage(rel, "my-python-app-ingress", "Translation failed: no such service")
				w.expectLive(v1alpha1.Blue)
				return
			}
			if r := rel.Status.Route; r.TookEffectBy != v1alpha1.SignURLMap || r.EventsBefore == "" {
				t.Errorf("the route is %+v", r)
			}
		})
	}
}

// A process that ends while answers are counted leaves a checkpoint. The next one continues from
// there, and reports that.
func TestProofGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(nil)
	w.proofSpec(tellApart)
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Tail = duration(10 * time.Minute) })
	stop := w.run(quick("first"))
	rel := w.await(w.submit("a"), "the new version", func(r *v1alpha1.Release) bool {
		p := r.Status.Proof
		return p != nil && p.Result == v1alpha1.ProofMeasuring && p.NewVersionAfter != nil
	})
	stop()
	w.get(rel)
	before := rel.Status.Proof
	w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Tail = duration(200 * time.Millisecond) })
	w.run(quick("second"))
	p := w.awaitPhase(rel, v1alpha1.ReleaseSucceeded).Status.Proof
	if p.Result != v1alpha1.ProofInterrupted || p.InterruptedAt == nil || p.InterruptedAt.After(p.EndedAt.Time) ||
		p.Requests <= before.Requests || p.P99 != nil {
		t.Errorf("the proof is %+v, was %+v", p, before)
	}
	if p.NewVersion != "green" || p.NewVersionAfter == nil || p.NewVersionAfter.Duration != before.NewVersionAfter.Duration ||
		p.Baseline == nil || p.Baseline.Requests != before.Baseline.Requests {
		t.Errorf("the new version is %q after %v; the baseline is %+v, was %+v", p.NewVersion, p.NewVersionAfter, p.Baseline, before.Baseline)
	}
}

// The writes around a measured switch, each as its process's last.
func TestEveryEffectOfAMeasuredSwitchMayBeTheLast(t *testing.T) {
	t.Parallel()
	j := journey{name: "measured deploy", start: func(t testing.TB) (*world, *v1alpha1.Release) {
		w := newWorld(t)
		w.publish(nil)
		w.proofSpec(tellApart)
		return w, w.submit("a")
	}, expect: func(w *world, rel *v1alpha1.Release) { w.expectDeployed(rel) }}
	wrote := func(field string) func(string, string) bool {
		return func(what, body string) bool {
			return strings.Contains(what, " releases/") && strings.Contains(body, `"`+field+`":`)
		}
	}
	patches := func(what, body string) bool {
		return strings.HasPrefix(what, "PATCH ingresses/") && strings.Contains(body, `"replace"`) && strings.Contains(body, "green-svc") &&
			strings.Contains(body, "blue-svc")
	}
	for name, match := range map[string]func(what, body string) bool{
		"intent": wrote("switchIntendedAt"), "patch": patches, "outcome": wrote("switchedAt"), "effect": wrote("tookEffectAt"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEffects(after, true)
			e.match = match
			w, rel := j.start(t)
			stop := w.runWith(e.config(plane.Config), quick("first"))
			w.await(rel, "the effect", func(*v1alpha1.Release) bool {
				select {
				case <-e.spoiled:
					return true
				default:
					return false
				}
			})
			stop()
			// The address is asked while the next process still reads where traffic is.
			w.runWith(slowToRead(plane.Config, 100*time.Millisecond), quick("second"))
			rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			j.expect(w, rel)
			p := rel.Status.Proof
			if p.Result != v1alpha1.ProofInterrupted || p.InterruptedAt == nil || p.P99 != nil {
				t.Errorf("the proof is %+v", p)
			}
			if p.Baseline == nil || p.Baseline.Requests == 0 || p.NewVersion != "green" || p.Failed != 0 {
				t.Errorf("the proof is %+v, its baseline %+v", p, p.Baseline)
			}
		})
	}
}

// slowToRead is a connection to an API server that takes its time for every answer to a GET.
func slowToRead(cfg *rest.Config, takes time.Duration) *rest.Config {
	cfg = rest.CopyConfig(cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet {
				time.Sleep(takes)
			}
			return next.RoundTrip(req)
		})
	})
	return cfg
}

// An address that is not public is not measured, which is no evidence about the release.
func TestAddressInsideIsNotAskedAndMovesNoTraffic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := make(chan struct{}, 1)
	w.setURL(w.address(func() {
		select {
		case asked <- struct{}{}:
		default:
		}
	}))
	w.run(func(d *Deployer) { d.AllowAddresses = nil })
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if p := rel.Status.Proof; p.Result != v1alpha1.ProofInconclusive || p.Requests != 0 ||
		!strings.Contains(p.Message, "shop.localhost is not a public address") {
		t.Errorf("the proof is %+v", p)
	}
	if got := findingsOf(rel); !strings.Contains(got, "the switch was not observed from outside: shop.localhost is not a public address") {
		t.Errorf("the findings are %q", got)
	}
	select {
	case <-asked:
		t.Error("the address got a request")
	default:
	}
}

// The load balancer's own address may be private, as with an internal one.
func TestIngressesOwnAddressMayBeAsked(t *testing.T) {
	t.Parallel()
	a := &attempt{
		work: &work{bg: &v1alpha1.BlueGreen{Spec: v1alpha1.BlueGreenSpec{URL: "http://10.255.255.254:1"}}},
		rel:  &v1alpha1.Release{},
	}
	a.o.Routes.Addresses = []netip.Addr{netip.MustParseAddr("10.255.255.254")}
	for address, own := range map[string]bool{"10.255.255.254:1": true, "10.255.255.253:1": false} {
		conn, err := measuring{}.measuredBy(a, nil).Dial(t.Context(), "udp", address) // UDP: sends nothing
		if err == nil {
			_ = conn.Close()
		}
		var refused *publicnet.RefusedError
		if errors.As(err, &refused) == own {
			t.Errorf("%s: %v, one's own: %t", address, err, own)
		}
	}
}
