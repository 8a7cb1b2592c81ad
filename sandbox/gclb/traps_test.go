package gclb

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Reasons of a pod's condition. All but the first come with status True, even if no health check
// has ever reached the pod.
const (
	reasonNotReady       = "LoadBalancerNegNotReady"
	reasonReady          = "LoadBalancerNegReady"
	reasonUncheckedReady = "LoadBalancerNegWithoutHealthCheck"
)

// Custom resources.
var (
	backendConfigs = schema.GroupVersionResource{Group: "cloud.google.com", Version: "v1", Resource: "backendconfigs"}
	svcNegs        = schema.GroupVersionResource{Group: "networking.gke.io", Version: "v1beta1", Resource: "servicenetworkendpointgroups"}
)

func custom() dynamic.Interface { return dynamic.NewForConfigOrDie(real.Plane.Config) }

// backendConfig creates the BackendConfig all with this spec.
func (r *rig) backendConfig(spec map[string]any) {
	r.t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetAPIVersion("cloud.google.com/v1")
	object.SetKind("BackendConfig")
	object.SetName("all")
	_, err := custom().Resource(backendConfigs).Namespace(r.namespace).Create(r.t.Context(), object, metav1.CreateOptions{})
	r.check(err)
}

// svcNegCondition reports whether a condition of a colour's svcneg object is true.
func (r *rig) svcNegCondition(color, kind string) bool {
	r.t.Helper()
	object, err := custom().Resource(svcNegs).Namespace(r.namespace).Get(r.t.Context(), r.backend(color), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false
	}
	r.check(err)
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	r.check(err)
	for _, c := range conditions {
		if c := c.(map[string]any); c["type"] == kind {
			return c["status"] == string(metav1.ConditionTrue)
		}
	}
	return false
}

func (r *rig) hasSvcNeg(name string) bool {
	r.t.Helper()
	_, err := custom().Resource(svcNegs).Namespace(r.namespace).Get(r.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false
	}
	r.check(err)
	return true
}

// backendService and healthCheck return a colour's.
func (r *rig) backendService(color string) backendService {
	name := r.backend(color)
	r.balancer.compute.mu.Lock()
	defer r.balancer.compute.mu.Unlock()
	return r.balancer.compute.now.backends["global/backendServices/"+name]
}

func (r *rig) healthCheck(color string) healthCheck {
	r.t.Helper()
	h := r.balancer.compute.healthCheckOf("global/backendServices/" + r.backend(color))
	if h == nil {
		r.t.Fatalf("%s has no health check", color)
	}
	return *h
}

func gateCondition(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == readinessGate {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// gate waits until the condition of a colour's only pod has this reason, and returns it.
func (r *rig) gate(color, reason string) corev1.PodCondition {
	r.t.Helper()
	var last corev1.PodCondition
	r.await("a pod of "+color+" with "+reason, func() bool {
		for _, pod := range r.pods(color) {
			if c := gateCondition(&pod); c != nil && pod.DeletionTimestamp == nil {
				last = *c
			}
		}
		return last.Reason == reason
	})
	return last
}

func TestTrapPodMadeBeforeItsServiceWasReferredToIsReadyAtOnce(t *testing.T) {
	r := share(t)
	r.service("green")
	r.deploy("green", 1, "")
	c := r.gate("green", reasonReady)
	if c.Status != corev1.ConditionTrue || !strings.Contains(c.Message, "does not belong to any NEG") {
		t.Errorf("the condition is %+v", c)
	}
	r.running("green", 1)
	r.ingress(r.users("green"))
	r.await("a NEG with the pod, not healthy yet", func() bool { return r.count("green") == "0/1" })
	if status, _ := r.get(); status == http.StatusOK {
		t.Error("the load balancer sends requests to a pod that it has not checked")
	}
	r.await("health", func() bool { return r.count("green") == "1/1" })
	if again := r.gate("green", reasonReady); again != c {
		t.Errorf("the condition became %+v", again)
	}
}

func TestTrapFirstPodOfANEGIsReadyBeforeAnybodyAskedIt(t *testing.T) {
	delays := observedDelays()
	delays.HealthListed = 4 * time.Second
	r := start(t, Config{Delays: delays})
	r.service("green")
	r.ingress(r.users("green"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("green", 1, "")
	c := r.gate("green", reasonUncheckedReady)
	if c.Status != corev1.ConditionTrue || r.count("green") != "0/1" {
		t.Errorf("the condition is %+v, the load balancer at %s", c, r.count("green"))
	}
}

func TestTrapConditionIsNeverLookedAtAgain(t *testing.T) {
	r := share(t)
	r.backendConfig(map[string]any{"healthCheck": map[string]any{
		"requestPath": "/healthz", "checkIntervalSec": int64(1),
		"timeoutSec": int64(1),
	}})
	r.service("blue", backendConfigAnnotation, `{"default":"all"}`)
	r.ingress(r.users("blue"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "")
	r.running("blue", 1)
	before := r.gate("blue", reasonReady)
	r.await("blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if status, body := r.ask(&client, r.host, "/break"); status != http.StatusOK {
		t.Fatalf("breaking the pod: %d %s", status, body)
	}
	r.await("an unhealthy endpoint", func() bool { return r.count("blue") == "0/1" })
	r.poke("1")
	r.await("the annotation", func() bool { return r.said("blue") == unhealthy })
	if after := r.gate("blue", reasonReady); after != before {
		t.Errorf("the condition became %+v", after)
	}
	if status, _ := r.get(); status != http.StatusBadGateway {
		t.Errorf("without a healthy endpoint the answer is %d", status)
	}
}

func TestTrapPokesUseUpTheEventsOfASwitch(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.service("green")
	r.ingress(r.users("blue"), r.standby())
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	for i := range 30 {
		r.poke(fmt.Sprint(i))
	}
	r.await("the budget used up", func() bool { return r.countEvents() == 25 })
	r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
	r.await("the switch", func() bool { return r.everyFrontEndSendsTo("green") })
	if found := strings.Join(r.events("shop", corev1.EventTypeNormal, eventSync), "\n"); strings.Contains(found, "updated") {
		t.Errorf("the switch was recorded although the event budget was used up:\n%s", found)
	}
	// This version of client-go counts all types together; later ones count each type.
	if got := r.countEvents(); got != 25 {
		t.Errorf("%d events were recorded, the budget is 25", got)
	}
}

// countEvents counts the Ingress's events, including repetitions.
func (r *rig) countEvents() (n int32) {
	r.t.Helper()
	list, err := real.Clients.CoreV1().Events(r.namespace).List(r.t.Context(), metav1.ListOptions{})
	r.check(err)
	for i := range list.Items {
		if e := &list.Items[i]; e.InvolvedObject.Name == "shop" {
			n += e.Count
		}
	}
	return n
}

func TestWithoutNEGsAServiceCannotBeABackend(t *testing.T) {
	r := share(t)
	r.service("blue", negAnnotation, `{"ingress":false}`)
	r.ingress(r.users("blue"))
	r.await("a warning", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeWarning, eventTranslate), ""), `is type "ClusterIP"`)
	})
	if status, _ := r.get(); status == http.StatusOK {
		t.Error("the Ingress is served all the same")
	}
}

func (r *rig) deleteIngress() {
	r.t.Helper()
	r.check(real.Clients.NetworkingV1().Ingresses(r.namespace).Delete(r.t.Context(), "shop", metav1.DeleteOptions{}))
}

func (r *rig) ingressAddress() string {
	found, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Get(r.t.Context(), "shop", metav1.GetOptions{})
	r.check(err)
	for _, at := range found.Status.LoadBalancer.Ingress {
		return at.IP
	}
	return ""
}
