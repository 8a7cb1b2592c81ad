package gclb

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// The tests of this file show what Google's controllers do, by observing them here.

// Reasons of the Ingress's events.
const (
	eventSync      = "Sync"
	eventTranslate = "Translate"
)

// shop is an application with three pods of each colour and no readiness probe. Users are on blue
// and, with standby, the standby host is on green. It returns when every referenced colour is
// healthy on every front end.
func shop(t *testing.T, standby bool) *rig {
	t.Helper()
	r := share(t)
	for _, color := range []string{"blue", "green"} {
		r.service(color)
		r.deploy(color, 3, "")
	}
	rules := []networkingv1.IngressRule{r.users("blue")}
	if standby {
		rules = append(rules, r.standby())
	}
	r.ingress(rules...)
	r.await("blue healthy", func() bool { return r.count("blue") == "3/3" })
	r.running("blue", 3)
	r.running("green", 3)
	if standby {
		r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	}
	r.await("users on blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
	return r
}

// inOrder checks that the log has these entries in this order, and returns their times.
func (r *rig) inOrder(from time.Time, wanted ...[]string) []time.Time {
	r.t.Helper()
	var times []time.Time
	for _, parts := range wanted {
		found, err := r.diary.find(from, parts...)
		if err != nil {
			r.t.Fatalf("%v, after %v", err, wanted[:len(times)])
		}
		from = found.at
		times = append(times, found.at)
	}
	return times
}

func TestObservedNaivePatchToAColourThatWasNeverReferredTo(t *testing.T) {
	r := shop(t, false)
	if r.attached("green") != -1 {
		t.Error("green has a NEG although no Ingress refers to it")
	}
	users := r.load(false)
	blue, patched := r.backend("blue"), time.Now()
	r.patchIngress("[" + route(0, "green") + "]")
	r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	r.await("neg-status removed", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	r.await("users on green at every front end", func() bool { return r.everyFrontEndSendsTo("green") })
	failed, answers := users.end()
	r.await("blue's NEG deleted", func() bool { return r.attached("blue") == -1 })

	green := r.backend("green")
	times := r.inOrder(
		patched,
		[]string{"backend service created", green, "negs=0"},
		[]string{"url map set", green + "=0/"},
		[]string{"backend service deleted", blue},
		[]string{"endpoint health", green, "HEALTHY", "endpoints=3/3"},
		[]string{"neg deleted", blue},
	)
	if cold := times[3].Sub(times[1]); cold < 2*time.Second {
		t.Errorf("green was cold for %v; an endpoint takes 3 s to become healthy", cold)
	}
	if failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
	if status, body := r.get(); status != 200 || body != "green" {
		t.Errorf("in the end the answer is %d %s", status, body)
	}
}

func TestObservedSwapOfTwoColoursThatAreBothReferredTo(t *testing.T) {
	r := shop(t, true)
	users := r.load(true)
	blue, green := r.backend("blue"), r.backend("green")
	for i, live := range []string{"green", "blue"} {
		standby := []string{"blue", "green"}[i]
		patched := time.Now()
		r.patchIngress("[" + route(0, live) + "," + route(1, standby) + "]")
		r.await("the switch", func() bool { return r.everyFrontEndSendsTo(live) })
		r.inOrder(patched, []string{"url map set", blue + "=3/3", green + "=3/3"})
		for _, word := range []string{"backend service", "neg", "health check", "endpoints"} {
			if found, err := r.diary.find(patched, word+" ", r.namespace); err == nil {
				t.Errorf("the switch changed more than the URL map: %s", found.text)
			}
		}
		if _, body := r.getHost(r.standbyHost()); body != standby {
			t.Errorf("the standby host's answer is %s", body)
		}
	}
	if failed, answers := users.end(); failed > 0 {
		t.Errorf("requests failed: %v", answers)
	}
	r.await("its events", func() bool {
		all := strings.Join(r.events("shop", corev1.EventTypeNormal, eventSync), "\n")
		return strings.Contains(all, "updated") && strings.Contains(all, "Scheduled for sync")
	})
}

func TestObservedSelectorFlipEmptiesTheNEG(t *testing.T) {
	r := shop(t, false)
	users := r.load(false)
	blue, flipped := r.backend("blue"), time.Now()
	r.patchService("blue", `{"spec":{"selector":{"color":"green"}}}`)
	r.await("green's pods healthy", func() bool { _, body := r.get(); return body == "green" })
	failed, answers := users.end()
	r.inOrder(
		flipped,
		[]string{"endpoints attached", blue, "count=3"},
		[]string{"endpoints detached", blue, "endpoints=3"},
		[]string{"endpoint health", blue, "HEALTHY"},
	)
	if failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
}

func TestObservedBackendsAnnotationIsAsOldAsTheLastSync(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.service("green")
	r.ingress(r.users("blue"), r.standby())
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "")
	r.deploy("green", 1, "")
	r.await("both healthy", func() bool { return r.count("blue") == "1/1" && r.count("green") == "1/1" })
	for _, color := range []string{"blue", "green"} {
		if r.said(color) == healthy && !r.askedSince(color, "state=HEALTHY") {
			t.Errorf("without a sync since %s is healthy, the annotation already shows it", color)
		}
	}
	r.poke("1")
	r.await("HEALTHY after a poke", func() bool { return r.said("blue") == healthy && r.said("green") == healthy })

	r.scale("green", 0)
	r.await("green's NEG empty", func() bool { return r.attached("green") == 0 })
	if green := r.said("green"); green != healthy && !r.askedSince("green", "endpoints detached") {
		t.Errorf("green at 0 is %s before a sync", green)
	}
	r.poke("2")
	r.await("Unknown after a poke", func() bool { return r.said("green") == "Unknown" })
	if found := strings.Join(r.events("shop", corev1.EventTypeNormal, eventSync), "\n"); strings.Contains(found, "updated") {
		t.Errorf("syncs that left the URL map alone logged something else:\n%s", found)
	}
}

// askedSince says whether the controllers asked for the health of a colour's backend service
// after something was logged of it. Only a sync asks. The controllers sync for reasons of their
// own too, which a test cannot keep from them.
func (r *rig) askedSince(color, word string) bool {
	r.t.Helper()
	since, err := r.diary.find(time.Time{}, word, r.backend(color))
	r.check(err)
	_, err = r.diary.find(since.at, "health asked", r.backend(color))
	return err == nil
}

func TestObservedReferenceToAMissingServiceFreezesBlue(t *testing.T) {
	r := shop(t, false)
	blue, patched := r.backend("blue"), time.Now()
	r.patchIngress("[" + route(0, "missing") + "]")
	r.await("a warning", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeWarning, eventTranslate), ""), "could not find service")
	})
	r.await("neg-status removed", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	if status, body := r.get(); status != 200 || body != "blue" {
		t.Errorf("the answer is %d %s", status, body)
	}
	r.scale("blue", 5)
	r.running("blue", 5)
	if n := r.attached("blue"); n != 3 {
		t.Errorf("blue's NEG has %d endpoints, want the 3 that it had", n)
	}
	r.await("a refused deletion of a NEG in use", func() bool {
		return len(r.events(blue, corev1.EventTypeWarning, "NegCRError")) > 0
	})
	if found, err := r.diary.find(patched, "url map set", r.namespace); err == nil {
		t.Errorf("the URL map was changed: %s", found.text)
	}
	if status, body := r.get(); status != 200 || body != "blue" {
		t.Errorf("after the garbage collection the answer is %d %s", status, body)
	}
	r.patchIngress("[" + route(0, "blue") + "]")
	r.await("the NEG followed again", func() bool { return r.count("blue") == "5/5" })
}

func TestObservedReadinessGate(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.ingress(r.users("blue"))
	r.await("neg-status", func() bool { return r.blueAnnotation(negStatusAnnotation) != "" })
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "")
	var before, after corev1.PodCondition
	r.await("the condition", func() bool {
		for _, pod := range r.pods("blue") {
			if c := gateCondition(&pod); c != nil {
				before = *c
				return true
			}
		}
		return false
	})
	waiting := fmt.Sprintf("Waiting for pod to become healthy in at least one of the NEG(s): [%s]", r.backend("blue"))
	if before.Status == corev1.ConditionTrue || before.Reason != reasonNotReady || before.Message != waiting {
		t.Errorf("at first the condition is %+v", before)
	}
	r.running("blue", 1)
	pod := r.pods("blue")[0]
	after = *gateCondition(&pod)
	ready := fmt.Sprintf(`Pod has become Healthy in NEG "Key{\"%[1]s\", zone: \"us-central1-b\"}" attached to BackendService `+
		`"Key{\"%[1]s\"}". `+
		`Marking condition "cloud.google.com/load-balancer-neg-ready" to True.`, r.backend("blue"))
	if after.Status != corev1.ConditionTrue || after.Reason != reasonReady || after.Message != ready {
		t.Errorf("in the end the condition is %+v", after)
	}
	attach := fmt.Sprintf(`Attach 1 network endpoint(s) (NEG "%s" in zone "us-central1-b")`, r.backend("blue"))
	r.await(attach, func() bool { return slices.Contains(r.events("blue", corev1.EventTypeNormal, "Attach"), attach) })
	if r.count("blue") != "1/1" {
		t.Errorf("the pod is ready while the load balancer reports %s", r.count("blue"))
	}
}

func TestObservedHealthCheckPathIsCopiedOnce(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.ingress(r.users("blue"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "/healthz")
	r.running("blue", 1)
	r.poke("1")
	r.await("a sync after the poke", func() bool { return r.said("blue") == healthy })
	if path := r.healthCheck("blue").path; path != "/" {
		t.Errorf("the health check's path became %s", path)
	}
}

func TestHealthCheckIsMadeOfTheProbeAndOfTheBackendConfigAlways(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.deploy("blue", 1, "/healthz")
	r.running("blue", 1)
	r.ingress(r.users("blue"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	if h := r.healthCheck("blue"); h.path != "/healthz" || h.interval != time.Second {
		t.Errorf("the health check of a Service with pods is %+v", h)
	}
	r.backendConfig(map[string]any{
		"healthCheck": map[string]any{"requestPath": "/live", "checkIntervalSec": int64(5), "unhealthyThreshold": int64(3), "port": int64(9000)},
		"timeoutSec":  int64(40), "connectionDraining": map[string]any{"drainingTimeoutSec": int64(60)},
	})
	r.patchService("blue", fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, backendConfigAnnotation, `{"default":"all"}`))
	r.await("the BackendConfig's health check", func() bool {
		h := r.healthCheck("blue")
		return h.path == "/live" && h.interval == 5*time.Second && h.unhealthy == 3 && h.port == 9000
	})
	r.await("its timeout and draining", func() bool {
		b := r.backendService("blue")
		return b.timeout == 40*time.Second && b.draining == time.Minute
	})
}

func TestNEGStatusNamesTheNEGs(t *testing.T) {
	r := share(t)
	r.service("blue")
	if text := r.blueAnnotation(negAnnotation); text != `{"ingress":true}` {
		t.Errorf("the new Service is annotated with %s", text)
	}
	r.ingress(r.users("blue"))
	r.await("neg-status with its zone", func() bool {
		var status struct {
			Groups map[string]string `json:"network_endpoint_groups"`
			Zones  []string          `json:"zones"`
		}
		text := r.blueAnnotation(negStatusAnnotation)
		return text != "" && json.Unmarshal([]byte(text), &status) == nil && len(status.Groups["80"]) > 0 &&
			slices.Equal(status.Zones, []string{"us-central1-b"})
	})
	r.deploy("blue", 1, "") // without a change of endpoints the condition may stay away
	r.await("a synced svcneg object", func() bool { return r.svcNegCondition("blue", "Synced") && r.svcNegCondition("blue", "Initialized") })
	if name := r.annotation(urlMapAnnotation); name != "" && !strings.HasPrefix(name, "k8s2-um-") {
		t.Errorf("the URL map is %s", name)
	}
}

func TestRollbackAfterANaivePatchIsCold(t *testing.T) {
	r := shop(t, false)
	r.patchIngress("[" + route(0, "green") + "]")
	r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	r.await("blue's NEG deleted", func() bool { return r.attached("blue") == -1 })
	users, back := r.load(false), time.Now()
	r.patchIngress("[" + route(0, "blue") + "]")
	r.await("blue healthy again", func() bool { return r.count("blue") == "3/3" })
	r.await("users on blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
	if failed, answers := users.end(); failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
	r.inOrder(back, []string{"neg created", r.backend("blue")}, []string{"url map set", r.backend("blue") + "=0/"})
}

func TestOneBadBackendIsFatalForTheWholeIngress(t *testing.T) {
	r := shop(t, true)
	patched := time.Now()
	r.patchIngress("[" + route(0, "green") + "," + route(1, "missing") + "]")
	r.await("a warning", func() bool { return len(r.events("shop", corev1.EventTypeWarning, eventTranslate)) > 0 })
	if found, err := r.diary.find(patched, "url map set", r.namespace); err == nil {
		t.Errorf("the URL map was changed: %s", found.text)
	}
}

func TestUpdatesThatFailAreTriedAgainAndAtOnceAfterAnEdit(t *testing.T) {
	r := shop(t, true)
	name := r.annotation(urlMapAnnotation)
	refusing.Store(name, true)
	r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
	warned := func() int { return len(r.events("shop", corev1.EventTypeWarning, eventSync)) }
	r.await("a warning", func() bool { return warned() > 0 })
	if !r.everyFrontEndSendsTo("blue") {
		t.Error("users left blue although the URL map was not set")
	}
	refusing.Delete(name)
	edited := time.Now()
	r.poke("1")
	r.await("the switch", func() bool { return r.everyFrontEndSendsTo("green") })
	r.inOrder(edited, []string{"url map set", r.namespace})
}

func TestIngressHasAnAddressAndTakesEverythingAlongWhenItIsDeleted(t *testing.T) {
	r := share(t)
	r.service("blue")
	r.ingress(r.users("blue"))
	r.await("an address", func() bool { return r.ingressAddress() == r.balancer.config.Address })
	r.await("the URL map's name", func() bool { return strings.HasPrefix(r.annotation(urlMapAnnotation), "k8s2-um-") })
	r.await("its event", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeNormal, "IPChanged"), ""), "IP is now")
	})
	blue := r.backend("blue")
	r.deleteIngress()
	r.await("nothing left", func() bool {
		r.balancer.compute.mu.Lock()
		defer r.balancer.compute.mu.Unlock()
		return !slices.ContainsFunc(r.balancer.compute.resources, func(o *resource) bool { return strings.Contains(o.name, r.namespace) })
	})
	r.await("no svcneg object", func() bool { return !r.hasSvcNeg(blue) })
	if status, _ := r.get(); status == http.StatusOK {
		t.Error("the Ingress is deleted, but still served")
	}
}
