package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/preflight"
)

// reasons are those of an application's findings.
func (w *world) reasons(s v1alpha1.Severity) []string {
	w.t.Helper()
	var reasons []string
	for _, f := range w.application().Status.Findings {
		if f.Severity == s {
			reasons = append(reasons, f.Reason)
		}
	}
	return reasons
}

func (w *world) expectErrors(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.reasons(v1alpha1.SeverityError)); diff != "" {
		w.t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// awaitLooks waits for a look at the application's present state, and for one more: the second
// look acts on everything that the first one wrote.
func (w *world) awaitLooks() {
	w.t.Helper()
	for i := range 2 {
		w.patch(w.application(), fmt.Sprintf(`{"spec":{"environment":"look-%d"}}`, i))
		w.until("a look", func() bool {
			bg := w.application()
			return bg.Status.ObservedGeneration == bg.Generation
		}, func() string { return fmt.Sprintf("%+v", w.application().Status) })
	}
}

// awaitIngressSeen waits for a look at the present routes.
func (w *world) awaitIngressSeen() {
	w.t.Helper()
	i := w.ingress()
	w.get(i)
	w.until("a look at the routes", func() bool {
		seen := w.application().Status.Ingress
		return seen != nil && seen.Generation == i.Generation
	}, func() string {
		return fmt.Sprintf("%+v, want generation %d", w.application().Status.Ingress, i.Generation)
	})
}

func TestErrorOfThePreflightKeepsReleasesWaitingUntilItIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	green := w.service(v1alpha1.Green)
	change(w, green, func(s *corev1.Service) { s.Spec.Ports[0].Port = 8080 })
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonPreflight)
	rel = w.await(rel, "the reason", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "spec.ports") })
	w.expectMessage(rel, "waits: service "+w.namespace+"/my-python-app-green-svc, spec.ports: it has no port 80",
		"kubectl edit service my-python-app-green-svc")
	w.expectOnPage(saidOf(rel))
	w.expectErrors("Ports")
	w.awaitLooks()
	w.get(rel)
	if n := w.builds.Calls()["CreateBuild"]; rel.Status.Phase != v1alpha1.ReleaseQueued || n != 0 {
		t.Errorf("the release is %s, %d builds were created", rel.Status.Phase, n)
	}
	change(w, green, func(s *corev1.Service) { s.Spec.Ports[0].Port = 80 })
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.awaitReason(v1alpha1.ReasonReady)
	w.expectErrors()
}

func TestAClaimForOnePodKeepsReleasesWaitingUntilItIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "files"}}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOncePod}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	w.create(claim)
	// Patches: Kubernetes' own controller writes the Deployment's status all the while.
	const mounting = `{"spec":{"template":{"spec":{"volumes":%s}}}}`
	d := w.deployment(v1alpha1.Blue)
	w.patch(d, fmt.Sprintf(mounting, `[{"name":"files","persistentVolumeClaim":{"claimName":"files"}}]`))
	w.run()
	w.awaitReason(v1alpha1.ReasonPreflight)
	w.expectErrors("Claim")
	w.patch(d, fmt.Sprintf(mounting, "null"))
	w.awaitReason(v1alpha1.ReasonReady)
}

// The objects at fault are not watched for any application.
func TestServiceOfSomeoneElseThatGoogleCannotUseIsAnErrorUntilItIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		change(w, w.service(c), func(s *corev1.Service) {
			s.Annotations = map[string]string{"cloud.google.com/neg": `{"ingress": true}`}
		})
	}
	w.editIngress(func(i *networkingv1.Ingress) { i.Annotations["kubernetes.io/ingress.class"] = "gce" })
	w.run()
	w.awaitReason(v1alpha1.ReasonPreflight)
	w.expectErrors("ServiceMissing")
	admin := w.service(v1alpha1.Blue)
	admin.Name = "admin-svc"
	w.create(admin)
	w.until("the next error", func() bool { return slices.Equal(w.reasons(v1alpha1.SeverityError), []string{"Unreachable"}) },
		func() string { return strings.Join(w.reasons(v1alpha1.SeverityError), " ") })
	admin.Annotations = map[string]string{"cloud.google.com/neg": `{"ingress": true}`}
	check(t, w.kube.Update(t.Context(), admin))
	w.awaitReason(v1alpha1.ReasonReady)
	if diff := cmp.Diff([]string{"Drain", "Address", "PreStop", "Grace", "Draining", "HealthCheck", "Draining", "HealthCheck"},
		w.reasons(v1alpha1.SeverityWarning)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestWarningsOfThePreflightGoIntoTheReleaseOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectFinding(rel, "bluegreen "+w.namespace+"/my-python-app, spec.url", "cannot measure switches")
	if n := strings.Count(findingsOf(rel), "spec.url"); n != 1 {
		t.Errorf("the finding is reported %d times", n)
	}
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectNoFinding(back, "spec.url") // a rollback gives no advice
	address := func() bool { return slices.Contains(w.reasons(v1alpha1.SeverityWarning), "Address") }
	if !address() {
		t.Fatalf("the warnings are %q, want Address among them", w.reasons(v1alpha1.SeverityWarning))
	}
	w.patch(w.application(), `{"spec":{"url":"http://shop.localhost:1"}}`)
	w.until("the finding to be gone", func() bool { return !address() },
		func() string { return "" })
}

// The API server itself records who owns which field.
func TestToolThatOwnsTheRoutesIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	behindGCE(w) // where the record shows that the routes were seen
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	edit := func(by func(*networkingv1.Ingress)) {
		t.Helper()
		change(w, w.ingress(), by, client.FieldOwner("argocd-controller"))
	}
	owners := func() bool { return slices.Contains(w.reasons(v1alpha1.SeverityWarning), "Owner") }
	edit(func(i *networkingv1.Ingress) { i.Labels = map[string]string{"argocd.argoproj.io/instance": "shop"} })
	i := w.ingress()
	w.get(i)
	if !slices.ContainsFunc(i.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == "argocd-controller" }) {
		t.Fatalf("the managers are %+v", i.ManagedFields)
	}
	w.editIngress(addRoute)
	w.awaitIngressSeen()
	if owners() {
		t.Error("a tool that wrote only a label is reported as the routes' owner")
	}
	edit(func(i *networkingv1.Ingress) { i.Spec.Rules[0].HTTP.Paths[0].Path = "/shop" })
	w.until("the finding", owners, func() string { return strings.Join(w.reasons(v1alpha1.SeverityWarning), " ") })
}

func TestManyErrorsAreOneMessage(t *testing.T) {
	t.Parallel()
	finding := func(s v1alpha1.Severity, object string) v1alpha1.Finding {
		return v1alpha1.Finding{Severity: s, Object: object, Message: "is wrong: mend it"}
	}
	few := []v1alpha1.Finding{finding(v1alpha1.SeverityError, "service shop/a"), finding(v1alpha1.SeverityWarning, "service shop/w")}
	if got, want := hindrance(few), "service shop/a: is wrong: mend it"; got == nil || got.Text != want ||
		got.Reason != v1alpha1.ReasonPreflight {
		t.Errorf("the obstacle is %+v, want the message %q", got, want)
	}
	many := slices.Concat(few,
		[]v1alpha1.Finding{finding(v1alpha1.SeverityError, "service shop/b"), finding(v1alpha1.SeverityError, "service shop/c")})
	if got, want := hindrance(many), "service shop/a: is wrong: mend it (and 2 more: status.findings)"; got == nil || got.Text != want {
		t.Errorf("the obstacle is %+v, want the message %q", got, want)
	}
	if got := hindrance(preflight.Warnings(many)); got != nil {
		t.Errorf("warnings hinder: %+v", got)
	}
}
