package gclb

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// backendConfig makes a BackendConfig all with this spec.
func (r *rig) backendConfig(spec map[string]any) {
	r.t.Helper()
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetAPIVersion("cloud.google.com/v1")
	object.SetKind("BackendConfig")
	object.SetName("all")
	_, err := r.balancer.custom.Resource(backendConfigs).Namespace(r.namespace).Create(r.t.Context(), object, metav1.CreateOptions{})
	r.check(err)
}

// gate waits until a colour's only pod has the condition with a reason, and
// returns it.
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
	r := start(t, Config{})
	r.service("green")
	r.deploy("green", 1, "")
	c := r.gate("green", reasonReady)
	if c.Status != corev1.ConditionTrue || !strings.Contains(c.Message, "does not belong to any NEG") {
		t.Errorf("the condition is %+v", c)
	}
	r.ingress(rule("", "green"))
	r.await("a NEG with the pod, not healthy yet", func() bool { return r.count("green") == "0/1" })
	r.running("green", 1)
	if status, _ := r.get(""); status == http.StatusOK {
		t.Error("the load balancer sends to a pod that it has not asked")
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
	r.ingress(rule("", "green"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("green", 1, "")
	c := r.gate("green", reasonUncheckedReady)
	if c.Status != corev1.ConditionTrue || r.count("green") != "0/1" {
		t.Errorf("the condition is %+v, the load balancer at %s", c, r.count("green"))
	}
}

func TestTrapPodIsLetThroughAfterItsTimeout(t *testing.T) {
	delays := observedDelays()
	delays.PodTimeout = time.Second
	r := start(t, Config{Delays: delays})
	r.backendConfig(map[string]any{"healthCheck": map[string]any{"port": int64(9999)}})
	r.service("green", backendConfigAnnotation, `{"default":"all"}`)
	r.ingress(rule("", "green"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("green", 1, "/healthz")
	r.gate("green", reasonNotReady)
	if port := r.balancer.compute.healthCheck(r.backend("green")).port; port != 9999 {
		t.Errorf("the health check asks port %d", port)
	}
	r.await("the pod's age", func() bool {
		pods := r.pods("green")
		return len(pods) == 1 && time.Since(pods[0].CreationTimestamp.Time) > 2*time.Second
	})
	r.touch("green") // the controller looks at a waiting pod only when it changes
	if c := r.gate("green", reasonTimeout); c.Status != corev1.ConditionTrue || r.count("green") != "0/1" {
		t.Errorf("the condition is %+v, the load balancer at %s", c, r.count("green"))
	}
}

// touch changes a label of a colour's pods that means nothing.
func (r *rig) touch(color string) {
	r.t.Helper()
	for _, pod := range r.pods(color) {
		_, err := real.Clients.CoreV1().Pods(r.namespace).Patch(r.t.Context(), pod.Name, types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"touched":"yes"}}}`), metav1.PatchOptions{})
		r.check(err)
	}
}

func TestTrapConditionIsNeverLookedAtAgain(t *testing.T) {
	r := start(t, Config{})
	r.backendConfig(map[string]any{"healthCheck": map[string]any{"requestPath": "/healthz", "checkIntervalSec": int64(1)}})
	r.service("blue", backendConfigAnnotation, `{"default":"all"}`)
	r.ingress(rule("", "blue"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "")
	r.running("blue", 1)
	before := r.gate("blue", reasonReady)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if status, body := r.ask(&client, "", "/break"); status != http.StatusOK {
		t.Fatalf("breaking the pod: %d %s", status, body)
	}
	r.await("an unhealthy endpoint", func() bool { return r.count("blue") == "0/1" })
	r.poke("1")
	r.await("the annotation", func() bool { return r.said("blue") == unhealthy })
	if after := r.gate("blue", reasonReady); after != before {
		t.Errorf("the condition became %+v", after)
	}
	if status, _ := r.get(""); status != http.StatusBadGateway {
		t.Errorf("without a healthy endpoint the answer is %d", status)
	}
}

func TestTrapPokesUseUpTheEventsOfASwitch(t *testing.T) {
	r := start(t, Config{Speed: 1, Delays: &Delays{NEGCollection: time.Hour, Resync: time.Hour, PodPoll: time.Second}})
	r.service("blue")
	r.service("green")
	r.ingress(rule("", "blue"), rule(standbyHost, "green"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	for i := range 30 {
		r.poke(fmt.Sprint(i))
	}
	r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
	name := r.balancer.ingresses.names.urlMap(r.namespace, "shop")
	r.await("the switch", func() bool {
		m, _ := r.balancer.compute.urlMap(name)
		return m.route("", "/") == r.backend("green")
	})
	r.patchIngress("[" + route(0, "missing") + "]")
	r.await("a warning, which has a budget of its own", func() bool {
		return len(r.events("shop", corev1.EventTypeWarning, eventTranslate)) > 0
	})
	if got := r.countEvents(corev1.EventTypeNormal); got != 25 {
		t.Errorf("%d events were recorded, the budget is 25", got)
	}
	if found := strings.Join(r.events("shop", corev1.EventTypeNormal, eventSync), "\n"); strings.Contains(found, "updated") {
		t.Errorf("the switch was recorded all the same:\n%s", found)
	}
}

// countEvents counts the Ingress's events of a type, each as often as it was seen.
func (r *rig) countEvents(kind string) (n int32) {
	r.t.Helper()
	list, err := real.Clients.CoreV1().Events(r.namespace).List(r.t.Context(), metav1.ListOptions{})
	r.check(err)
	for i := range list.Items {
		if e := &list.Items[i]; e.InvolvedObject.Name == "shop" && e.Type == kind {
			n += e.Count
		}
	}
	return n
}

func TestRollbackAfterANaivePatchIsCold(t *testing.T) {
	r := shop(t, Config{Speed: 2}, false)
	r.patchIngress("[" + route(0, "green") + "]")
	r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	r.await("blue's NEG no longer wanted", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	r.collect()
	if n := r.attached("blue"); n != -1 {
		t.Fatalf("blue's NEG still has %d endpoints", n)
	}
	users, back := r.load(false), time.Now()
	r.patchIngress("[" + route(0, "blue") + "]")
	r.await("blue healthy again", func() bool { return r.count("blue") == "3/3" })
	if failed, answers := users.end(); failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
	r.inOrder(back, []string{"neg created", r.backend("blue")}, []string{"url map set", r.backend("blue") + "=0/"})
}

func TestWithoutTheAnnotationAServiceCannotBeABackend(t *testing.T) {
	r := start(t, Config{KeepNEGAnnotation: true})
	r.service("blue")
	if text := r.blueAnnotation(negAnnotation); text != "" {
		t.Errorf("the Service is annotated with %s", text)
	}
	r.ingress(rule("", "blue"))
	r.await("a warning", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeWarning, eventTranslate), ""), `is type "ClusterIP"`)
	})
	if status, _ := r.get(""); status != http.StatusNotFound {
		t.Errorf("without a URL map the answer is %d", status)
	}
}

func TestIngressHasAnAddressAndTakesEverythingAlongWhenItIsDeleted(t *testing.T) {
	delays := observedDelays()
	delays.NEGCollection = 5 * time.Second
	r := start(t, Config{Delays: delays})
	r.service("blue")
	r.ingress(rule("shop.example.com", "blue"))
	r.await("an address", func() bool { return r.ingressAddress() == r.balancer.config.Address })
	r.await("the URL map's name", func() bool {
		return r.annotation(urlMapAnnotation) == r.balancer.ingresses.names.urlMap(r.namespace, "shop")
	})
	if status, body := r.get("other.example.com"); status != http.StatusNotFound || !strings.Contains(body, "default backend") {
		t.Errorf("a host without a rule: %d %s", status, body)
	}
	r.await("its event", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeNormal, eventIPChanged), ""), "IP is now")
	})
	r.check(real.Clients.NetworkingV1().Ingresses(r.namespace).Delete(t.Context(), "shop", metav1.DeleteOptions{}))
	r.await("nothing left", func() bool {
		return len(r.balancer.compute.backendNames()) == 0 && r.attached("blue") == -1 && r.balancer.compute.healthCheck(r.backend("blue")) == nil
	})
	r.await("no svcneg object", func() bool {
		_, found := r.balancer.negs.cluster.svcNeg(r.namespace, r.backend("blue"))
		return !found
	})
}

func (r *rig) ingressAddress() string {
	found, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Get(r.t.Context(), "shop", metav1.GetOptions{})
	r.check(err)
	for _, at := range found.Status.LoadBalancer.Ingress {
		return at.IP
	}
	return ""
}
