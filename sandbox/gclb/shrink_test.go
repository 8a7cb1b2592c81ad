package gclb

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestOldColourIsNeededUntilTheLastFrontEndAdoptedTheSwitch(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"shrunk at once": false, "shrunk after the last front end": true} {
		t.Run(name, func(t *testing.T) {
			r := shop(t, true)
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

// sendsTo reports whether a front end sends users to a colour.
func (r *rig) sendsTo(fe *frontEnd, color string) bool {
	v := fe.adopted.Load()
	m := v.mapFor(r.host)
	return m != nil && m.route(r.host, "/") == "global/backendServices/"+r.backend(color) && len(v.backends[m.route(r.host, "/")].groups) > 0
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
	t.Parallel()
	for name, preStop := range map[string]int64{"ended at once": 0, "asleep before they end": 4} {
		t.Run(name, func(t *testing.T) {
			r := share(t)
			r.preStop = preStop
			r.backendConfig(map[string]any{"connectionDraining": map[string]any{"drainingTimeoutSec": int64(10)}})
			r.service("blue", backendConfigAnnotation, `{"default":"all"}`)
			r.deploy("blue", 2, "")
			r.ingress(r.users("blue"))
			r.await("blue healthy", func() bool { return r.count("blue") == "2/2" })
			r.await("blue at every front end", func() bool { return r.everyFrontEndSendsTo("blue") })
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
