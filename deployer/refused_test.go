package deployer

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// deny installs an admission policy of the cluster's owner, which rejects changes of the world's objects
// for which an expression does not hold. It returns once the policy is in force. The status is 422,
// the default of policies; the API server answers a failed test in a patch the same way.
func (w *world) deny(group, resource, unless, message string, refused func(*world) client.Object) (lift func()) {
	w.t.Helper()
	return w.policy(admissionv1.Update, group, resource, unless, message, func() error {
		return w.kube.Update(w.t.Context(), refused(w), client.DryRunAll)
	})
}

// policy is deny for any operation. refused tries something that it rejects.
func (w *world) policy(of admissionv1.OperationType, group, resource, unless, message string, refused func() error) (lift func()) {
	w.t.Helper()
	name := w.namespace + "." + resource
	p := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Validations = []admissionv1.Validation{{Expression: unless, Message: message}}
	p.Spec.MatchConstraints = &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
		RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{of},
			Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{resource}},
		},
	}}}
	b := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": w.namespace}},
			},
		},
	}
	w.create(p)
	w.create(b)
	w.until("the policy to be in force", func() bool {
		err := refused()
		return err != nil && strings.Contains(err.Error(), message)
	}, func() string { return "" })
	return func() { check(w.t, w.kube.Delete(w.t.Context(), b)) }
}

// An admission policy's refusal has the code and the reason of a patch that came too late. A late
// patch is repeated at once; a refusal is reported, and retried at growing intervals.
func TestPolicysRefusalIsNoLostRace(t *testing.T) {
	t.Parallel()
	ingress := func(w *world, change func(*networkingv1.Ingress)) client.Object {
		i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
		w.get(i)
		change(i)
		return i
	}
	green := func(w *world, change func(*appsv1.Deployment)) client.Object {
		d := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
		w.get(d)
		change(d)
		return d
	}
	for step, tt := range map[v1alpha1.Step]struct {
		group, resource, unless string
		refused                 func(*world) client.Object
	}{
		v1alpha1.StepAttach: {"networking.k8s.io", "ingresses", "object.spec.rules.size() == 2", func(w *world) client.Object {
			return ingress(w, func(i *networkingv1.Ingress) { i.Spec.Rules = i.Spec.Rules[:1] })
		}},
		v1alpha1.StepStage: {"apps", "deployments", "!object.spec.template.spec.containers[0].image.contains('@')", func(w *world) client.Object {
			return green(w, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "x@sha256:1" })
		}},
		v1alpha1.StepSwitch: {
			"networking.k8s.io", "ingresses", "!object.spec.rules[0].http.paths[0].backend.service.name.contains('green')",
			func(w *world) client.Object {
				return ingress(w, func(i *networkingv1.Ingress) {
					i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = "my-python-app-green-svc"
				})
			},
		},
	} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			lift := w.deny(tt.group, tt.resource, tt.unless, "the owner of the cluster forbids it", tt.refused)
			e := newEffects(before, false)
			e.only = "PATCH " + tt.resource
			since := time.Now()
			w.runWith(e.config(plane.Config))
			rel := w.await(w.submit("a"), "to be told", func(r *v1alpha1.Release) bool {
				return strings.Contains(r.Status.Message, "the owner of the cluster forbids it")
			})
			if rel.Status.Step != step || !strings.HasPrefix(rel.Status.Message, "will try again: ") {
				t.Errorf("at %s the message is %q, want one that names the next try at %s", rel.Status.Step, rel.Status.Message, step)
			}
			w.expectLive(v1alpha1.Blue)
			lift()
			w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
			// Every half second at most, with a fence before each; and the writes of a normal
			// release.
			if n, most := len(e.all()), 10+8*int(time.Since(since).Seconds()); n > most {
				t.Errorf("%d patches were sent in %s; want at most %d, each after a back-off", n, time.Since(since), most)
			}
		})
	}
}

// A release whose switch is refused fences the Ingress before each retry, and the fence does not
// wake it.
func TestFenceWakesNobody(t *testing.T) {
	t.Parallel()
	ingress := func(change func(*networkingv1.Ingress)) *networkingv1.Ingress {
		i := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{
			Name: "shop", ResourceVersion: "1",
			Annotations: map[string]string{v1alpha1.FenceAnnotation: "0"},
		}}
		change(i)
		return i
	}
	fenced := func(i *networkingv1.Ingress) {
		i.ResourceVersion, i.Annotations[v1alpha1.FenceAnnotation] = "2", "1"
		i.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "turnout"}}
	}
	for name, tt := range map[string]struct {
		before, after func(*networkingv1.Ingress)
		want          bool
	}{
		"a fence":              {func(*networkingv1.Ingress) {}, fenced, false},
		"the first annotation": {func(i *networkingv1.Ingress) { i.Annotations = nil }, fenced, false},
		"a route":              {func(*networkingv1.Ingress) {}, func(i *networkingv1.Ingress) { i.Generation = 2 }, true},
		"a fence and a route": {
			func(*networkingv1.Ingress) {},
			func(i *networkingv1.Ingress) { fenced(i); i.Spec.Rules = make([]networkingv1.IngressRule, 1) }, true,
		},
		"a fence and an address": {func(*networkingv1.Ingress) {}, func(i *networkingv1.Ingress) {
			fenced(i)
			i.Status.LoadBalancer.Ingress = make([]networkingv1.IngressLoadBalancerIngress, 1)
		}, true},
		"a fence and a note":     {func(*networkingv1.Ingress) {}, func(i *networkingv1.Ingress) { fenced(i); i.Annotations["x"] = "y" }, true},
		"nothing, after a while": {func(*networkingv1.Ingress) {}, func(*networkingv1.Ingress) {}, true},
	} {
		if got := moreThanAFence(event.UpdateEvent{ObjectOld: ingress(tt.before), ObjectNew: ingress(tt.after)}); got != tt.want {
			t.Errorf("%s wakes: %v, want %v", name, got, tt.want)
		}
	}
}
