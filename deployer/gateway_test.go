package deployer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// condition returns a condition of the application, or nil.
func (w *world) condition(kind string) *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.application().Status.Conditions, kind)
}

// kept is a log for later reading.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()
}

func TestDeployAndRollbackOnAGateway(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t)
	before := w.readRoute("shop")
	log := &kept{}
	w.run(func(d *Deployer) {
		d.Log = slog.New(slog.NewTextHandler(io.MultiWriter(log, w.t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]string{"blue 0 green 100", "blue 0 green 100"}, w.weights()); diff != "" {
		t.Errorf("after the deploy (-want +got):\n%s", diff)
	}
	var steps []string
	for _, e := range rel.Status.Timeline {
		steps = append(steps, string(e.Step))
	}
	if diff := cmp.Diff([]string{"build", "attach", "stage", "warm", "verify", "promote", "switch", "confirm", "soak"}, steps); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	if r := rel.Status.Route; r.TookEffectBy != v1alpha1.SignRouteStatus || len(r.Parents) != 2 {
		t.Errorf("it took effect by %q, of the parents %v", r.TookEffectBy, r.Parents)
	}
	if diff := cmp.Diff(plain(before), plain(w.readRoute("shop"))); diff != "" {
		t.Errorf("more than references changed (-before +after):\n%s", diff)
	}
	w.until("the standby route leads to blue", func() bool {
		return w.standby() == v1alpha1.Blue
	}, func() string { return string(w.standby()) })

	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if diff := cmp.Diff([]string{"blue 100 green 0", "blue 100 green 0"}, w.weights()); diff != "" {
		t.Errorf("after the rollback (-want +got):\n%s", diff)
	}
	w.neverShows(log.String())
}

// plain is a route's spec without references.
func plain(u *unstructured.Unstructured) map[string]any {
	spec := u.DeepCopy().Object["spec"].(map[string]any)
	for _, r := range spec["rules"].([]any) {
		delete(r.(map[string]any), "backendRefs")
	}
	return spec
}

// standby is the colour that the standby route leads to.
func (w *world) standby() v1alpha1.Color {
	w.t.Helper()
	s, err := (&route.Router{Client: w.kube, Reader: w.kube}).Observe(w.t.Context(), w.application())
	check(w.t, err)
	return s.Gateway.Standby.For
}

// neverShows fails if the value of the standby route's header appears in the record, an event or
// the log.
func (w *world) neverShows(log string) {
	w.t.Helper()
	secret := w.standbySecret()
	var shown []any
	for _, list := range []client.ObjectList{&v1alpha1.ReleaseList{}, &v1alpha1.BlueGreenList{}, &corev1.EventList{}} {
		check(w.t, w.kube.List(w.t.Context(), list, client.InNamespace(w.namespace)))
		shown = append(shown, list)
	}
	all, err := json.Marshal(shown)
	check(w.t, err)
	if strings.Contains(string(all)+log, secret) {
		w.t.Error("the secret of the standby route's header is shown")
	}
}

// standbySecret is the value of the standby route's header.
func (w *world) standbySecret() string {
	w.t.Helper()
	text, err := json.Marshal(w.readRoute("my-python-app-standby").Object["spec"])
	check(w.t, err)
	value := regexp.MustCompile(`"value":"([0-9a-f]{32})"`).FindSubmatch(text)
	if value == nil {
		w.t.Fatalf("the standby route has no value of 128 bits: %s", text)
	}
	return string(value[1])
}

func TestSwitchOnAGatewayIsInEffectOnceEveryParentSaysSo(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Promotion.Mode = v1alpha1.PromotionManual })
	w.run()
	rel := w.await(w.submit("a"), "waits for a person", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting })
	g.holdInside(true)
	w.approve(rel)
	rel = w.await(rel, "waits for the second parent", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseSwitch && strings.Contains(r.Status.Message,
			"example.com/gateway gateway infra/inside has seen generation")
	})
	if rel.Status.Route.TookEffectAt != nil || w.live() != v1alpha1.Green {
		t.Errorf("live is %s, the switch took effect at %v", w.live(), rel.Status.Route.TookEffectAt)
	}
	if green, blue := w.size(v1alpha1.Green), w.size(v1alpha1.Blue); green != 1 || blue != 1 {
		t.Errorf("before the switch is in effect green has the size %d, blue %d", green, blue)
	}
	g.holdInside(false)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestOldColourOnAGatewayKeepsItsSizeUntilTheSwitchIsInEffect(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Promotion.Mode, bg.Spec.Hold = v1alpha1.PromotionManual, duration(0)
		bg.Spec.Deadlines.Confirm.Duration = 500 * time.Millisecond
	})
	w.run()
	rel := w.await(w.submit("a"), "waits for a person", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting })
	g.holdInside(true)
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedNotTakenUp ||
		!strings.Contains(f.Message, "not every Gateway has taken up the HTTPRoute") {
		t.Errorf("the failure is %+v", f)
	}
	w.until("the condition says so", func() bool {
		c := w.condition(v1alpha1.ConditionSwitchUnconfirmed)
		return c != nil && strings.Contains(c.Message, "every Gateway of httproute shop sends users to green")
	}, func() string { return "no such condition" })
	if blue := w.size(v1alpha1.Blue); blue != 1 {
		t.Errorf("blue has the size %d although users may still reach it", blue)
	}
	g.holdInside(false)
	w.until("blue is shrunk", func() bool { return w.size(v1alpha1.Blue) == 0 }, func() string { return "it has its size" })
}

func TestServiceThatAGatewayCannotUseNeverReachesTheUsersRoute(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t)
	g.refuse = func(u *unstructured.Unstructured) string {
		if u.GetName() != "shop" {
			return "service my-python-app-green-svc has no network endpoint group"
		}
		return ""
	}
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedTranslate || !strings.Contains(f.Message, "has no network endpoint group") {
		t.Errorf("the failure is %+v", f)
	}
	if diff := cmp.Diff([]string{"blue 1 green <nil>", "blue 1 green <nil>"}, w.weights()); diff != "" {
		t.Errorf("the users' route (-want +got):\n%s", diff)
	}
}

// addBackend adds a Service to the route's first rule, despite concurrent writes of its status.
func (w *world) addBackend(service string) {
	w.t.Helper()
	u := w.readRoute("shop")
	before := u.DeepCopy()
	rule := u.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)
	rule["backendRefs"] = append(rule["backendRefs"].([]any), ref(service))
	check(w.t, w.kube.Patch(w.t.Context(), u, client.MergeFrom(before)))
}

func TestRouteThatTurnoutCannotWeighIsRefusedBeforeABuild(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t)
	w.addBackend("legacy-svc")
	w.run()
	w.until("it is not ready", func() bool {
		c := w.condition(v1alpha1.ConditionReady)
		return c != nil && c.Reason == v1alpha1.ReasonPreflight && strings.Contains(c.Message, "legacy-svc beside my-python-app-blue-svc")
	}, func() string { return "ready" })
}

func TestUsersWithBothColoursOfAGatewayAreMixed(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t)
	w.addBackend("my-python-app-green-svc")
	w.run()
	w.until("it is not ready", func() bool {
		c := w.condition(v1alpha1.ConditionReady)
		return c != nil && c.Reason == v1alpha1.ReasonMixedRoutes && strings.HasPrefix(c.Message, "httproute shop routes shop.example.com/")
	}, func() string { return "ready" })
}

func TestGatewayAPIThatIsInstalledLaterIsNoticed(t *testing.T) {
	t.Parallel()
	bare, err := controlplane.Start(t.Context(), controlplane.Options{CRDs: []string{"../config/crd", "testdata/gke"}})
	check(t, err)
	t.Cleanup(bare.Stop)
	check(t, controlplanetest.InstallPolicies(t.Context(), bare))
	w := newWorldOn(t, bare.Config, func(bg *v1alpha1.BlueGreen) { bg.Spec.Gateway = &v1alpha1.GatewaySpec{Route: "shop"} })
	w.settle = time.Millisecond
	w.run(func(d *Deployer) { d.gatewayEvery = 10 * time.Millisecond })
	reason := func(want string) func() bool {
		return func() bool {
			c := w.condition(v1alpha1.ConditionReady)
			return c != nil && strings.Contains(c.Reason+": "+c.Message, want)
		}
	}
	w.until("there is no Gateway API", reason("IngressMissing: the cluster has no HTTPRoutes"), func() string { return "no such condition" })
	_, err = envtest.InstallCRDs(bare.Config, envtest.CRDInstallOptions{Paths: []string{"testdata/gateway"}, MaxTime: 30 * time.Second})
	check(t, err)
	w.startGateways()
	w.until("an HTTPRoute can be made", func() bool { return w.kube.Create(t.Context(), w.httpRoute()) == nil },
		func() string { return "not yet" })
	w.until("it is ready", reason("Ready: the next release can run"), func() string { return "not ready" })
}

// A Gateway that took up both routes at the attach step does not accept them any more: where it
// sends its users is unknown.
func TestNobodyIsMovedWhileAGatewayNoLongerAcceptsTheRoute(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, manual, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Deadlines.Warm.Duration = time.Second
	})
	w.run()
	rel := w.await(w.submit("a"), "waits for a person", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting })
	g.acceptInside(false)
	w.until("the Gateway to say so", func() bool { return len(w.routes().AcceptedSince(nil)) == 1 }, func() string { return "" })
	w.approve(rel)
	rel = w.await(rel, "its end", hasEnded)
	const why = "infra/inside reports that Accepted is false"
	if rel.Status.Phase != v1alpha1.ReleaseError || !strings.Contains(rel.Status.Failure.Message, why) {
		t.Errorf("it ended as %s: %+v", rel.Status.Phase, rel.Status.Failure)
	}
	w.expectOnGateway(v1alpha1.Blue, 2)
}

// It stops right after the switch: it cannot use the routes that users should get.
func TestGatewayThatStopsAcceptingAfterTheSwitchMovesUsersBack(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, manual)
	w.run()
	rel := w.await(w.submit("a"), "waits for a person", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting })
	g.holdInside(true)
	w.approve(rel)
	rel = w.await(rel, "waits for the second parent", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseSwitch
	})
	g.acceptInside(false)
	g.holdInside(false)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedTranslate || !strings.Contains(f.Message, "reports that Accepted is false") {
		t.Errorf("the failure is %+v", f)
	}
	w.expectOnGateway(v1alpha1.Blue, 4)
}

// Somebody removes a Gateway from the route during the release. It may keep sending its users
// where it did, so neither colour is shrunk until a person has checked.
func TestGatewayThatIsTakenAwayInTheMiddleIsNotTakenForOneThatFollowed(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, manual, func(bg *v1alpha1.BlueGreen) { bg.Spec.Hold = duration(0) })
	w.run()
	rel := w.await(w.submit("a"), "waits for a person", func(r *v1alpha1.Release) bool { return r.Status.Phase == v1alpha1.ReleaseWaiting })
	g.holdInside(true)
	w.approve(rel)
	rel = w.await(rel, "the switch", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil })
	u := w.readRoute("shop")
	before := u.DeepCopy()
	check(t, unstructured.SetNestedSlice(u.Object, []any{parentRef("edge", "outside")}, "spec", "parentRefs"))
	check(t, w.kube.Patch(t.Context(), u, client.MergeFrom(before)))
	g.holdInside(false)
	w.until("the other Gateway alone reports on the route as it is", func() bool {
		s := w.routes()
		return len(s.Gateway.Parents) == 1 && s.Word(s.AcceptedSince(nil)).InEffect
	}, func() string { return fmt.Sprint(w.routes().Gateway.Parents) })
	deadline := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"deadlines":{"confirm":"1ms"}}}`))
	check(t, w.kube.Patch(t.Context(), w.application(), deadline))
	rel = w.await(rel, "its end", hasEnded)
	if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedNotTakenUp || !strings.Contains(f.Message, "no longer reports on it") {
		t.Errorf("it ended as %s: %+v", rel.Status.Phase, f)
	}
	w.until("the condition says so", func() bool { return w.condition(v1alpha1.ConditionSwitchUnconfirmed) != nil },
		func() string { return "no such condition" })
	w.expectSizes(1, 1)
}
