package gclb

import (
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func TestOldColourIsNeededUntilTheLastFrontEndAdoptedTheSwitch(t *testing.T) {
	for name, patient := range map[string]bool{"shrunk at once": false, "shrunk after the last front end": true} {
		t.Run(name, func(t *testing.T) {
			delays := observedDelays()
			delays.LastAdoption = 15 * time.Second
			r := shop(t, Config{Delays: delays}, true)
			r.await("users on blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
			users := r.load(true)
			r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
			r.await("the first front end on green", func() bool { return r.sendsTo(r.balancer.fleet.frontEnds[0], "green") })
			if patient {
				r.await("the last front end on green", func() bool { return r.everyFrontEndSendsTo("green") })
			}
			r.scale("blue", 0)
			r.await("blue gone", func() bool { return r.attached("blue") == 0 && r.everyFrontEndSendsTo("green") })
			failed, answers := users.end()
			if patient == (failed > 0) {
				t.Errorf("%d requests failed: %v", failed, answers)
			}
			if answers["200 blue"] == 0 || answers["200 green"] == 0 {
				t.Errorf("the load did not span the switch: %v", answers)
			}
		})
	}
}

// sendsTo tells whether users reach a colour through a front end.
func (r *rig) sendsTo(fe *frontEnd, color string) bool {
	m := fe.adopted.Load().mapFor("shop.example.com")
	return m != nil && m.route("shop.example.com", "/") == r.backend(color)
}

func (r *rig) everyFrontEndSendsTo(color string) bool {
	for _, fe := range r.balancer.fleet.frontEnds {
		if !r.sendsTo(fe, color) {
			return false
		}
	}
	return true
}

func TestScaleDownLosesRequestsUnlessPodsOutliveTheDetach(t *testing.T) {
	for name, preStop := range map[string]int64{"ended at once": 0, "asleep before they end": 3} {
		t.Run(name, func(t *testing.T) {
			delays := observedDelays()
			delays.Detach = 5 * time.Second
			r := start(t, Config{Delays: delays})
			r.preStop = preStop
			r.backendConfig(map[string]any{"connectionDraining": map[string]any{"drainingTimeoutSec": int64(10)}})
			r.service("blue", backendConfigAnnotation, `{"default":"all"}`)
			r.deploy("blue", 2, "")
			r.ingress(rule("", "blue"))
			r.await("blue healthy", func() bool { return r.count("blue") == "2/2" })
			users := r.load(false)
			r.scale("blue", 1)
			r.await("the detach", func() bool { return r.attached("blue") == 1 })
			failed, answers := users.end()
			if (preStop > 0) == (failed > 0) {
				t.Errorf("%d requests failed: %v", failed, answers)
			}
			r.await("its event", func() bool { return len(r.events("blue", corev1.EventTypeNormal, "Detach")) > 0 })
		})
	}
}

func TestConnectionOfAClientStaysWithItsFrontEnd(t *testing.T) {
	r := start(t, Config{FrontEnds: 2})
	r.balancer.fleet.frontEnds[0].adopt(&view{serial: 1, urlMaps: []urlMap{{fallback: systemBackend}}})
	one := http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	_, first := r.ask(&one, "", "/")
	for range 4 {
		if _, again := r.ask(&one, "", "/"); again != first {
			t.Errorf("on one connection the answers are %q and %q", first, again)
		}
	}
	_, second := r.get("")
	_, third := r.get("")
	if second == third {
		t.Errorf("two new connections went to one front end: %q", second)
	}
}
