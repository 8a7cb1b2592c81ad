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

// The tests of this file repeat what the unmodified ingress-gce controllers
// (at acbcf5d, default flags, NEG collection every 20 s) did against a real API
// server with the compute API in memory; the package comment has the list.

// shop starts a load balancer for three pods of each colour, with users on blue
// and, if asked for, the standby host on green; it returns when all that can be is
// healthy. Without readiness probe, as in the application observed.
func shop(t *testing.T, c Config, standby bool) *rig {
	t.Helper()
	r := start(t, c)
	for _, color := range []string{"blue", "green"} {
		r.service(color)
		r.deploy(color, 3, "")
	}
	rules := []networkingv1.IngressRule{rule("", "blue")}
	if standby {
		rules = append(rules, rule(standbyHost, "green"))
	}
	r.ingress(rules...)
	r.await("blue healthy", func() bool { return r.count("blue") == "3/3" })
	r.running("blue", 3)
	r.running("green", 3)
	if standby {
		r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	}
	return r
}

// inOrder checks that the log has these entries, each after the one before, and
// returns when.
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
	r := shop(t, Config{Speed: 1}, false)
	if r.attached("green") != -1 {
		t.Error("green has a NEG although no Ingress refers to it")
	}
	users := r.load(false)
	blue, green, patched := r.backend("blue"), r.backend("green"), time.Now()
	r.patchIngress("[" + route(0, "green") + "]")
	r.await("green healthy", func() bool { return r.count("green") == "3/3" })
	r.await("neg-status removed", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	r.collect()
	failed, answers := users.end()

	times := r.inOrder(
		patched,
		[]string{"backend service set", green, "negs=0"},
		[]string{"ingress sync failed", "404", green},
		[]string{"neg created", green},
		[]string{"url map set", green + "=0/0"},
		[]string{"backend service deleted", blue},
		[]string{"endpoints attached", green, "endpoints=3"},
		[]string{"endpoint health", green, "HEALTHY", "endpoints=3/3"},
		[]string{"neg deleted", blue},
	)
	if cold := times[6].Sub(times[3]); cold < 3*time.Second {
		t.Errorf("green was cold for %v, want at least the 3 s until it is healthy", cold)
	}
	if failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
	if found := r.events("shop", corev1.EventTypeWarning, eventSync); len(found) == 0 || !strings.Contains(found[0], "Error syncing to GCP") {
		t.Errorf("the warnings of the Ingress are %q", found)
	}
	if status, body := r.get("shop.example.com"); status != 200 || body != "green" {
		t.Errorf("in the end the answer is %d %s", status, body)
	}
}

func TestObservedSwapOfTwoColoursThatAreBothReferredTo(t *testing.T) {
	r := shop(t, Config{}, true)
	users := r.load(true)
	for i, live := range []string{"green", "blue"} {
		standby := []string{"blue", "green"}[i]
		patched := time.Now()
		r.patchIngress("[" + route(0, live) + "," + route(1, standby) + "]")
		r.await("the switch", func() bool { _, body := r.get("shop.example.com"); return body == live })
		set := r.inOrder(patched, []string{"url map set", r.backend("blue") + "=3/3", r.backend("green") + "=3/3"})[0]
		if took := set.Sub(patched); took > time.Second {
			t.Errorf("the URL map was set after %v", took)
		}
		for _, other := range []string{"backend service", "neg", "health check", "endpoint"} {
			if found, err := r.diary.find(patched, other+" "); err == nil {
				t.Errorf("the switch did more than to set the URL map: %s", found.text)
			}
		}
		if _, body := r.get(standbyHost); body != standby {
			t.Errorf("the standby host's answer is %s", body)
		}
	}
	if failed, answers := users.end(); failed > 0 {
		t.Errorf("requests failed: %v", answers)
	}
	found := r.events("shop", corev1.EventTypeNormal, eventSync)
	if all := strings.Join(found, "\n"); !strings.Contains(all, "updated") || !strings.Contains(all, "Scheduled for sync") {
		t.Errorf("the events are %q", found)
	}
}

func TestObservedSelectorFlipEmptiesTheNEG(t *testing.T) {
	r := shop(t, Config{}, false)
	users := r.load(false)
	flipped := time.Now()
	r.patchService("blue", `{"spec":{"selector":{"color":"green"}}}`)
	r.await("green's pods healthy", func() bool { _, body := r.get(""); return body == "green" })
	failed, answers := users.end()
	times := r.inOrder(
		flipped,
		[]string{"endpoints detached", "endpoints=0"},
		[]string{"endpoints attached", "endpoints=3"},
		[]string{"endpoint health", "HEALTHY"},
	)
	if took := times[0].Sub(flipped); took > 500*time.Millisecond {
		t.Errorf("the NEG was empty after %v", took)
	}
	if failed == 0 {
		t.Errorf("no request failed: %v", answers)
	}
}

func TestObservedBackendsAnnotationIsAsOldAsTheLastSync(t *testing.T) {
	r := start(t, Config{})
	r.service("blue")
	r.service("green")
	r.ingress(rule("", "blue"), rule(standbyHost, "green"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "")
	r.deploy("green", 1, "")
	r.await("both healthy", func() bool { return r.count("blue") == "1/1" && r.count("green") == "1/1" })
	if blue, green := r.said("blue"), r.said("green"); blue != "Unknown" || green != "Unknown" {
		t.Errorf("without a sync since they are healthy blue is %s, green %s", blue, green)
	}
	r.poke("1")
	r.await("HEALTHY after a poke", func() bool { return r.said("blue") == healthy && r.said("green") == healthy })

	r.scale("green", 0)
	r.await("green's NEG empty", func() bool { return r.attached("green") == 0 })
	if green := r.said("green"); green != healthy {
		t.Errorf("green at 0 is %s before a sync", green)
	}
	r.poke("2")
	r.await("Unknown after a poke", func() bool { return r.said("green") == "Unknown" })
	if found := strings.Join(r.events("shop", corev1.EventTypeNormal, eventSync), "\n"); strings.Contains(found, "updated") {
		t.Errorf("syncs that left the URL map alone said otherwise:\n%s", found)
	}
}

func TestObservedReferenceToAMissingServiceFreezesBlue(t *testing.T) {
	r := shop(t, Config{DeleteUsedNEGs: true}, false)
	patched := time.Now()
	r.patchIngress("[" + route(0, "missing") + "]")
	r.await("a warning", func() bool {
		return strings.Contains(strings.Join(r.events("shop", corev1.EventTypeWarning, eventTranslate), ""), "could not find service")
	})
	r.await("neg-status removed", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	if status, body := r.get(""); status != 200 || body != "blue" {
		t.Errorf("the answer is %d %s", status, body)
	}
	r.scale("blue", 5)
	r.running("blue", 5)
	if n := r.attached("blue"); n != 3 {
		t.Errorf("blue's NEG has %d endpoints, want the 3 that it had", n)
	}
	if found, err := r.diary.find(patched, "url map set"); err == nil {
		t.Errorf("the URL map was touched: %s", found.text)
	}
	r.collect()
	if status, _ := r.get(""); status != http.StatusBadGateway {
		t.Errorf("after blue's NEG was collected the answer is %d", status)
	}
	r.inOrder(patched, []string{"neg deleted", r.backend("blue")})
}

func TestNEGInUseOutlivesTheMistake(t *testing.T) {
	r := shop(t, Config{}, false)
	r.patchIngress("[" + route(0, "missing") + "]")
	r.await("neg-status removed", func() bool { return r.blueAnnotation(negStatusAnnotation) == "" })
	r.collect()
	r.await("a refused deletion", func() bool {
		return len(r.events(r.backend("blue"), corev1.EventTypeWarning, "NegCRError")) > 0
	})
	if status, body := r.get(""); status != 200 || body != "blue" {
		t.Errorf("the answer is %d %s", status, body)
	}
	r.patchIngress("[" + route(0, "blue") + "]")
	r.scale("blue", 4)
	r.await("the NEG followed again", func() bool { return r.count("blue") == "4/4" })
}

func TestObservedReadinessGate(t *testing.T) {
	r := start(t, Config{})
	r.service("blue")
	r.ingress(rule("", "blue"))
	r.await("neg-status", func() bool { return r.blueAnnotation(negStatusAnnotation) != "" })
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
	ready := fmt.Sprintf(`Pod has become Healthy in NEG "Key{\"%[1]s\", zone: \"us-central1-b\"}" attached to BackendService "Key{\"%[1]s\"}". `+
		`Marking condition "cloud.google.com/load-balancer-neg-ready" to True.`, r.backend("blue"))
	if after.Status != corev1.ConditionTrue || after.Reason != reasonReady || after.Message != ready {
		t.Errorf("in the end the condition is %+v", after)
	}
	attach := fmt.Sprintf(`Attach 1 network endpoint(s) (NEG "%s" in zone "us-central1-b")`, r.backend("blue"))
	r.await(attach, func() bool { return slices.Contains(r.events("blue", corev1.EventTypeNormal, "Attach"), attach) })
	if r.count("blue") != "1/1" {
		t.Errorf("the pod is ready with the load balancer at %s", r.count("blue"))
	}
}

func TestObservedHealthCheckPathIsCopiedOnce(t *testing.T) {
	r := start(t, Config{})
	r.service("blue")
	r.ingress(rule("", "blue"))
	r.await("the first sync", func() bool { return r.annotation(backendsAnnotation) != "" })
	r.deploy("blue", 1, "/healthz")
	r.running("blue", 1)
	r.poke("1")
	r.await("a sync after the poke", func() bool { return r.said("blue") == healthy })
	if path := r.balancer.compute.healthCheck(r.backend("blue")).path; path != "/" {
		t.Errorf("the health check's path became %s", path)
	}
}

func TestNEGStatusNamesTheNEGs(t *testing.T) {
	r := start(t, Config{})
	r.service("blue")
	if text := r.blueAnnotation(negAnnotation); text != `{"ingress":true}` {
		t.Errorf("the new Service is annotated with %s", text)
	}
	r.ingress(rule("", "blue"))
	r.await("neg-status", func() bool { return r.blueAnnotation(negStatusAnnotation) != "" })
	var status struct {
		Groups map[string]string `json:"network_endpoint_groups"`
		Zones  []string          `json:"zones"`
	}
	r.check(json.Unmarshal([]byte(r.blueAnnotation(negStatusAnnotation)), &status))
	if status.Groups["80"] != r.backend("blue") || len(status.Zones) != 1 || status.Zones[0] != "us-central1-b" {
		t.Errorf("neg-status is %+v", status)
	}
	r.await("a synced svcneg object", func() bool { return r.svcNegCondition("blue", "Synced") && r.svcNegCondition("blue", "Initialized") })
	r.await("its NEG", func() bool {
		found, _ := r.balancer.negs.cluster.svcNeg(r.namespace, r.backend("blue"))
		return len(found.NetworkEndpointGroups) == 1 && strings.HasSuffix(found.NetworkEndpointGroups[0].SelfLink, "/"+r.backend("blue"))
	})
}
