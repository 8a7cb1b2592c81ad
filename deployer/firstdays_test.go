package deployer

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

var digest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// expectOnPage checks that docs/first-days.md quotes what a person reads: a text, with each
// command on a line below it.
func (w *world) expectOnPage(said string) {
	w.t.Helper()
	page, err := os.ReadFile("../docs/first-days.md")
	check(w.t, err)
	said = digest.ReplaceAllString(strings.TrimPrefix(said, "waits: "), "sha256:…")
	said = podName.ReplaceAllString(strings.ReplaceAll(said, w.namespace, "shop"), "pod POD:")
	if quoted := "\n> " + strings.ReplaceAll(said, "\n", "\n>\n>     ") + "\n"; !strings.Contains(string(page), quoted) {
		w.t.Errorf("docs/first-days.md lacks the lines%s", quoted)
	}
}

var podName = regexp.MustCompile(`pod \S+:`)

// remove deletes both objects of a colour.
func (w *world) remove(c v1alpha1.Color) {
	w.t.Helper()
	check(w.t, w.kube.Delete(w.t.Context(), w.deployment(c)))
	check(w.t, w.kube.Delete(w.t.Context(), w.service(c)))
}

func TestColourThatDoesNotExistIsMadeFromTheLiveOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.remove(v1alpha1.Green)
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: w.meta("blue")}
	budget.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"version": "blue"}}
	w.create(budget)
	w.autoscale(v1alpha1.Blue, 1, 9)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	for _, finding := range [][]string{
		{"created Deployment/my-python-app-green from its live counterpart"},
		{"created Service/my-python-app-green-svc from its live counterpart"},
		{"have a PodDisruptionBudget, blue", "those of deployment my-python-app-green have none"},
		{"has a HorizontalPodAutoscaler, blue", "deployment my-python-app-green has none"},
	} {
		said := w.expectFinding(rel, finding...)
		if !strings.HasPrefix(said, "created Service") {
			w.expectOnPage(said)
		}
	}
	if rel.Status.Drift != "" {
		t.Errorf("the copy of the live colour differs from it:\n%s", rel.Status.Drift)
	}
	// The next release goes the other way, as if the colour had always existed.
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
}

func TestNothingRunsWhileBothColoursAreAbsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.remove(v1alpha1.Blue)
	w.remove(v1alpha1.Green)
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonDeploymentMissing)
	rel = w.await(rel, "the reason", func(r *v1alpha1.Release) bool { return r.Status.Message != "" })
	w.expectMessage(rel, "neither deployment my-python-app-blue nor deployment my-python-app-green exists", "create my-python-app-blue",
		"my-python-app-blue-svc", "the other one is created from it")
	w.expectOnPage(saidOf(rel))
	if rel.Status.Phase != v1alpha1.ReleaseQueued {
		t.Errorf("the release is %s", rel.Status.Phase)
	}
	w.create(w.deployment(v1alpha1.Blue))
	w.awaitReason(v1alpha1.ReasonServiceMissing)
	if n := w.builds.Calls()["CreateBuild"]; n != 0 {
		t.Errorf("%d builds were created for an application that does not exist", n)
	}
	w.create(w.service(v1alpha1.Blue))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

func TestColourThatCannotBeMadeFromTheLiveOneIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.remove(v1alpha1.Blue)
	w.remove(v1alpha1.Green)
	// A common start: one Deployment without colours.
	blue := w.deployment(v1alpha1.Blue)
	blue.Spec.Selector.MatchLabels = map[string]string{"app": "my-python-app"}
	w.create(blue)
	w.create(w.service(v1alpha1.Blue))
	w.run()
	w.awaitReason(v1alpha1.ReasonDeploymentMissing)
	rel := w.await(w.submit("a"), "the reason", func(r *v1alpha1.Release) bool { return r.Status.Message != "" })
	w.expectMessage(rel, "deployment my-python-app-green does not exist", "whose spec.selector lacks version: blue",
		"create it with its own selector")
	w.expectOnPage(saidOf(rel))
	w.apply(saidOf(rel))
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}

// apply creates what a message's command would create.
func (w *world) apply(message string) {
	w.t.Helper()
	_, command, found := strings.Cut(message, `printf '%s\n' '`)
	text, _, ends := strings.Cut(command, "' | kubectl apply -f -")
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON([]byte(text)); !found || !ends || err != nil {
		w.t.Fatalf("%q has no command that creates an object: %v", message, err)
	}
	w.create(u)
}

func TestLiveColourWithoutReplicasIsReleasedFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.MinReplicas = 2 })
	w.resize(v1alpha1.Blue, 0)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	w.expectSizes(0, 2)
	w.expectOnPage(w.expectFinding(rel, "deployment my-python-app-blue, which is live, has no replicas", "staged at 2",
		"nothing running to go back to"))
	// The way back works, but takes longer.
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(2, 2)
}

func TestBrokenLiveColourIsReleasedFrom(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trouble func(*kubelet, string)
		want    []string
	}{
		"crash loop": {(*kubelet).crash, []string{"is broken", "keeps ending with exit code 3"}},
		"unready":    {(*kubelet).hold, []string{"has no pod that is ready"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, manual)
			w.remove(v1alpha1.Blue)
			tt.trouble(w.kubelet, "v1.0.0")
			w.create(w.deployment(v1alpha1.Blue))
			w.create(w.service(v1alpha1.Blue))
			w.until("blue's pod", func() bool { return w.kubelet.starts("v1.0.0") }, func() string { return "" })
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
			w.expectOnPage(w.expectFinding(rel, append(tt.want, "deployment my-python-app-blue, which is live", "nothing healthy to go back to")...))
			w.approve(rel)
			w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			w.expectLive(v1alpha1.Green)
		})
	}
}

// A manual rollout hangs, while the pods before it serve users.
func TestLiveColourThatIsBrokenInPartIsReleasedFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.running(v1alpha1.Blue)
	w.kubelet.crash("v1.0.1")
	w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")},
		`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"gcr.io/acme-prod/my-python-app:v1.0.1"}]}}}}`)
	w.until("the crash", func() bool { return w.kubelet.starts("v1.0.1") }, func() string { return "" })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	w.expectOnPage(w.expectFinding(rel, "is broken in part", "keeps ending with exit code 3"))
	w.expectNoFinding(rel, "nothing healthy to go back to")
}

func TestIngressThatNamesAMissingServiceOfSomeoneElseIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectOnPage(w.expectFinding(rel, "service "+w.namespace+"/admin-svc", "ingress my-python-app-ingress names it for admin.example.com/",
		"does not exist: create it, or remove that route"))
	admin := w.service(v1alpha1.Blue)
	admin.Name = "admin-svc"
	w.create(admin)
	w.source.commit("b", "a")
	w.expectNoFinding(w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded), "admin-svc")
}

func TestIngressThatNamesAMissingServiceOfOursIsACondition(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check(t, w.kube.Delete(t.Context(), w.service(v1alpha1.Blue)))
	w.run()
	w.awaitReason(v1alpha1.ReasonServiceMissing)
	rel := w.await(w.submit("a"), "the reason", func(r *v1alpha1.Release) bool { return r.Status.Message != "" })
	w.expectMessage(rel, "service my-python-app-blue-svc", "ingress my-python-app-ingress", "create it")
	w.expectOnPage(saidOf(rel))
	w.create(w.service(v1alpha1.Blue))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// The order of the advice matters: if the live Service's selector gets the colour's label before
// its pods have it, it has no endpoint left.
func TestServiceOfBothColoursIsSeparatedWithoutUsersNoticing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.patch(w.service(v1alpha1.Blue), `{"spec":{"selector":{"version":null}}}`)
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonSelector)
	w.await(rel, "the release waits", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.ReleaseQueued && strings.Contains(r.Status.Message, "every live pod has that label")
	})
	if n := len(w.made()); n != 0 {
		t.Errorf("%d builds were started before the Services selected different pods", n)
	}
	w.patch(w.service(v1alpha1.Blue), `{"spec":{"selector":{"version":"blue"}}}`)
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}

// Advice followed in the wrong order leaves live pods that nobody reaches. A release that
// switched now would have nothing to go back to.
func TestLivePodsThatNobodySelectsStopARelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.patch(w.service(v1alpha1.Blue), `{"spec":{"selector":{"app":"my-python-app-v2"}}}`)
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectMessage(rel, "does not select 1 ready pod of deployment my-python-app-blue", "kubectl edit service my-python-app-blue-svc")
	w.expectRoutes("blue", 2) // attached, never switched
}

func TestWhatNobodyKnowsIsStagedOverAndTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.running(v1alpha1.Green)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectOnPage(w.expectFinding(rel, "deployment my-python-app-green ran gcr.io/acme-prod/my-python-app@sha256:", "at size 1",
		"no release staged"))
	w.source.commit("b", "a")
	w.source.commit("c", "b")
	rel = w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded) // to blue, which was adopted and is held
	w.expectNoFinding(rel, "no release staged")
	rel = w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
	w.expectNoFinding(rel, "no release staged")
}

func TestTargetThatSomeoneUsesIsNotStagedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	preview := &networkingv1.Ingress{ObjectMeta: w.meta("preview")}
	preview.Spec.Rules = w.ingress().Spec.Rules[:1]
	preview.Spec.Rules[0].Host = "preview.example.com"
	preview.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-green-svc"
	w.create(preview)
	w.running(v1alpha1.Green)
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonPreflight)
	rel = w.await(rel, "the reason", func(r *v1alpha1.Release) bool { return r.Status.Message != "" })
	w.expectMessage(rel, "ingress "+w.namespace+"/preview", "the users of preview.example.com/",
		"service my-python-app-green-svc, the green side", "route those users elsewhere")
	w.expectOnPage(saidOf(rel))
	w.expectErrors("TargetInUse")
	w.expectUntouched()
	check(t, w.kube.Delete(t.Context(), preview))
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// expectUntouched checks that green and the routes are unchanged.
func (w *world) expectUntouched() {
	w.t.Helper()
	w.expectSizes(1, 1)
	green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(green)
	if got := green.Spec.Template.Spec.Containers[0].Image; got != "gcr.io/acme-prod/my-python-app:v1.1.0" {
		w.t.Errorf("green runs %s", got)
	}
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(i)
	if i.Generation != 1 {
		w.t.Errorf("the ingress was changed: %+v", i.Spec)
	}
}

// Somebody starts using the target while the release builds.
func TestTargetThatSomeoneBeganToUseIsNotStagedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.running(v1alpha1.Green)
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		preview := w.ingress()
		preview.Name, preview.Spec.Rules = "preview", preview.Spec.Rules[:1]
		preview.Spec.Rules[0].Host = "preview.example.com"
		preview.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-green-svc"
		if err := w.kube.Create(ctx, preview); err != nil {
			return cloudbuildtest.Result{}, err
		}
		return cloudbuildtest.Digests(ctx, b)
	}
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectMessage(rel, "service my-python-app-green-svc", "ingress preview (preview.example.com/)", "my-python-app@sha256:",
		"is not staged over", "then ask again")
	w.expectOnPage(saidOf(rel))
	if rel.Status.Failure.Reason != "TargetInUse" {
		t.Errorf("the failure is %+v", rel.Status.Failure)
	}
	w.expectUntouched()
}

func TestDriftIsToldWithoutTheValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	want := strings.TrimPrefix(`
--- my-python-app-green
+++ my-python-app-blue
@@ -6,7 +6,7 @@
   containers:
   - env:
     - name: APP_ENV
-      value: (hidden)
+      value: (hidden, another)
     imagePullPolicy: IfNotPresent
     name: app
     ports:
`, "\n")
	if diff := cmp.Diff(want, rel.Status.Drift); diff != "" {
		t.Errorf("drift (-want +got):\n%s", diff)
	}
	w.expectOnPage(w.expectFinding(rel,
		"the pod template of deployment my-python-app-green differed from that of deployment my-python-app-blue", "spec.template: Live"))
	w.source.commit("b", "a")
	rel = w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	if rel.Status.Drift != "" {
		t.Errorf("both colours have the same template, but the drift is\n%s", rel.Status.Drift)
	}
	w.expectNoFinding(rel, "pod template")
}

func own(bg *v1alpha1.BlueGreen) { bg.Spec.Template = v1alpha1.TemplateOwn }

func TestOwnTemplateIsStagedAndItsDriftFromTheLiveOneTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, own)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(green)
	template := green.Spec.Template
	if env := template.Spec.Containers[0].Env[0].Value; env != "staging" {
		t.Errorf("green has APP_ENV=%s, want its own, staging", env)
	}
	if got, want := template.Spec.Containers[0].Image, rel.Status.Milestones.Built.Image; got != want {
		t.Errorf("green runs %s, want the built %s", got, want)
	}
	if diff := cmp.Diff(map[string]string{"app": "my-python-app", "version": "green"}, template.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if d := rel.Status.Drift; !strings.HasPrefix(d, "--- my-python-app-blue\n+++ my-python-app-green\n") || !strings.Contains(d, "APP_ENV") ||
		strings.Contains(d, "staging") {
		t.Errorf("the drift is\n%s", d)
	}
	w.expectOnPage(w.expectFinding(rel, "the pod template of deployment my-python-app-green", "is staged as it is (spec.template: Own)"))
	// Blue keeps its own, too.
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	blue := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}
	w.get(blue)
	if env := blue.Spec.Template.Spec.Containers[0].Env[0].Value; env != "production" {
		t.Errorf("blue has APP_ENV=%s, want its own, production", env)
	}
}

func TestOwnTemplateOfAMissingColourIsTheLiveOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, own)
	w.remove(v1alpha1.Green)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(green)
	if env := green.Spec.Template.Spec.Containers[0].Env[0].Value; env != "production" || green.Spec.Template.Labels["version"] != "green" {
		t.Errorf("green has APP_ENV=%s and the labels %v", env, green.Spec.Template.Labels)
	}
	if rel.Status.Drift != "" {
		t.Errorf("the drift is\n%s", rel.Status.Drift)
	}
}

// lagging is a cache that has not seen the staging yet.
type lagging struct {
	client.Client
	behind atomic.Bool
	seen   appsv1.Deployment
}

func (c *lagging) Get(ctx context.Context, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
	if d, ok := o.(*appsv1.Deployment); ok && c.behind.Load() && key.Name == c.seen.Name {
		c.seen.DeepCopyInto(d)
		return nil
	}
	return c.Client.Get(ctx, key, o, options...)
}

func TestCancelRightAfterTheStagePatchDiscards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.resize(v1alpha1.Green, 0)
	cache := &lagging{}
	cache.behind.Store(true)
	cache.seen.ObjectMeta = w.meta("my-python-app-green")
	w.get(&cache.seen)
	w.run(func(d *Deployer) {
		cache.Client = d.Workloads.Client
		d.Workloads.Client = cache
	})
	rel := w.submit("a")
	w.until("green is staged", func() bool { return w.size(v1alpha1.Green) == 1 }, func() string { return "" })
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectSizes(1, 0)
}

// spoilSwitch loses the replies to all patches of the Ingress that move users. performed decides
// whether the nth one, from 1, takes effect.
func spoilSwitch(performed func(nth int) bool) *rest.Config {
	return spoilPatches(func(req *http.Request) bool { return movesRoutes(describe(req), bodyOf(req)) }, performed)
}

func spoilPatches(meant func(*http.Request) bool, performed func(nth int) bool) *rest.Config {
	cfg := rest.CopyConfig(plane.Config)
	var patches atomic.Int32
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if !meant(req) {
				return next.RoundTrip(req)
			}
			if performed(int(patches.Add(1))) {
				if resp, err := next.RoundTrip(req); err == nil {
					_ = resp.Body.Close()
				}
			}
			return nil, errSpoiled
		})
	})
	return cfg
}

// impatient gives up the switch at the second attempt.
func impatient(bg *v1alpha1.BlueGreen) {
	bg.Spec.Deadlines.Confirm = metav1.Duration{Duration: 100 * time.Millisecond}
	bg.Spec.Proof.Baseline = duration(0) // which adds to the deadline
}

func TestSwitchThatIsNeverMadeIsDiscarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	w.runWith(spoilSwitch(func(int) bool { return false }))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	if m := rel.Status.Milestones; m.SwitchIntendedAt == nil || m.SwitchedAt != nil || m.DiscardedAt == nil {
		t.Errorf("the milestones are %+v", m)
	}
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(1, 0)
}

// While the Ingress cannot be written, a patch that is on its way cannot be invalidated.
func TestTargetIsNotDiscardedWhileItsSwitchMayArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	var again atomic.Bool
	w.runWith(spoilPatches(func(req *http.Request) bool {
		what, body := describe(req), bodyOf(req)
		return movesRoutes(what, body) || !again.Load() && strings.HasPrefix(what, "PATCH ingresses/") &&
			strings.Contains(body, "turnout.dev~1fence\",\"value\":\"")
	}, func(int) bool { return false }))
	rel := w.await(w.submit("a"), "the undo", func(r *v1alpha1.Release) bool {
		return r.Status.Step == v1alpha1.StepRestore && strings.Contains(r.Status.Message, "will try again")
	})
	if rel.Status.Milestones.DiscardedAt != nil {
		t.Errorf("the milestones are %+v", rel.Status.Milestones)
	}
	w.expectSizes(1, 1)
	again.Store(true)
	w.awaitPhase(rel, v1alpha1.ReleaseError)
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(1, 0)
}

func TestSwitchWhoseReplyIsLostIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, impatient)
	w.runWith(spoilSwitch(func(nth int) bool { return nth == 2 }))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectLive(v1alpha1.Green) // the world's trouble is no reason to move users again
	w.expectSizes(1, 1)
	w.settled()
	if m, last := rel.Status.Milestones, w.application().Status.LastSwitch; m.SwitchedAt == nil || last == nil ||
		last.UID != string(rel.UID) || last.Kind != "Deploy" {
		t.Errorf("the milestones are %+v, the last switch is %+v", m, last)
	}
}
