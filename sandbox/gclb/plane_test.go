package gclb

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEndpointBecomesHealthyAfterTheStartAndUnhealthyAfterTwoIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: 10 * time.Second}, hello)
		b.serve(nil)
		b.answers.Store(podOne, true)
		b.attach(podOne)
		b.pass(9 * time.Second)
		if got := b.count(); got != "0/1" {
			t.Errorf("before the checks began: %s", got)
		}
		b.pass(2 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after the first check: %s", got)
		}
		b.answers.Store(podOne, false)
		b.pass(15 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after one bad answer: %s", got)
		}
		b.pass(15 * time.Second)
		if got := b.count(); got != "0/1" {
			t.Errorf("after two bad answers: %s", got)
		}
		b.answers.Store(podOne, true)
		b.pass(15 * time.Second)
		if got := b.count(); got != "1/1" {
			t.Errorf("after one good answer: %s", got)
		}
	})
}

func TestEndpointAttachedAgainAndBackendMadeAgainBeginUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: time.Second}, hello)
		b.serve(nil, podOne)
		b.detach(podOne)
		b.attach(podOne)
		if got := b.count(); got != "0/1" {
			t.Errorf("attached again: %s", got)
		}
		b.pass(2 * time.Second)
		b.reroute(defaultName)
		b.must(http.MethodDelete, blueName, nil)
		b.do(b.insert(blueName, map[string]any{"healthChecks": []string{blueCheck}, "backends": []any{map[string]any{"group": blueNEG}}}))
		if got := b.count(); got != "0/1" {
			t.Errorf("made again: %s", got)
		}
	})
}

// states are the health of blue's NEG, from the backend service's getHealth and from the NEG's
// list.
func (b *bench) states() string {
	b.t.Helper()
	var all []string
	health := b.must(http.MethodPost, blueName+"/getHealth", map[string]any{"group": links + "acme-prod/" + blueNEG})
	for _, h := range health["healthStatus"].([]any) {
		all = append(all, fmt.Sprint(h.(map[string]any)["healthState"]))
	}
	listed := b.must(http.MethodPost, blueNEG+"/listNetworkEndpoints", map[string]any{"healthStatus": "SHOW"})
	items, _ := listed["items"].([]any)
	for _, item := range items {
		healths, _ := item.(map[string]any)["healths"].([]any)
		all = append(all, strconv.Itoa(len(healths)))
	}
	return strings.Join(all, " ")
}

func TestHealthIsListedAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthListed: time.Second, HealthCheckStart: time.Second}, hello)
		b.serve(nil)
		states := []string{b.states()}
		b.attach(podOne, podTwo)
		states = append(states, b.states())
		b.pass(1500 * time.Millisecond)
		states = append(states, b.states())
		b.answers.Store(podTwo, true)
		b.pass(time.Minute)
		states = append(states, b.states(), b.count())
		want := []string{"", "0 0", "UNHEALTHY UNHEALTHY 1 1", "UNHEALTHY HEALTHY 1 1", "1/2"}
		if !slices.Equal(states, want) {
			t.Errorf("got  %q\nwant %q", states, want)
		}
	})
}

func TestWhatIsInUseIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		b.serve(nil, podOne)
		for _, path := range []string{blueName, blueCheck, blueNEG, "global/urlMaps/shop", "global/targetHttpProxies/shop"} {
			_, err := b.call(http.MethodDelete, path, nil)
			if err == nil || !strings.Contains(err.Error(), "400") || !strings.Contains(err.Error(), "already being used by") {
				t.Errorf("deleting %s: %v", path, err)
			}
		}
		if err := b.insert("global/urlMaps/bad", map[string]any{"defaultService": "global/backendServices/nobody"}); err == nil {
			t.Error("a URL map with a backend service that does not exist was accepted")
		}
		b.reroute(defaultName)
		for _, path := range []string{blueName, blueCheck, blueNEG} {
			b.must(http.MethodDelete, path, nil)
			for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPatch} {
				if _, err := b.call(method, path, nil); err == nil || !strings.Contains(err.Error(), "404") {
					t.Errorf("%s %s, which does not exist: %v", method, path, err)
				}
			}
		}
		if err := b.endpoints("attachNetworkEndpoints", podOne); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("attaching to a NEG that does not exist: %v", err)
		}
	})
}

func TestResourcesAreReplacedMergedAndGuardedByTheirFingerprint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		b.system()
		made := b.must(http.MethodGet, defaultName, nil)
		if err := b.insert(defaultName, nil); err == nil || !strings.Contains(err.Error(), "409") {
			t.Errorf("making it twice: %v", err)
		}
		b.must(http.MethodPatch, defaultName, map[string]any{"timeoutSec": 40, "fingerprint": made["fingerprint"]})
		patched := b.must(http.MethodGet, defaultName, nil)
		if patched["timeoutSec"] != 40.0 || patched["description"] != made["description"] || patched["id"] != made["id"] {
			t.Errorf("a PATCH made %v of %v", patched, made)
		}
		if _, err := b.call(http.MethodPatch, defaultName, map[string]any{"fingerprint": made["fingerprint"]}); err == nil ||
			!strings.Contains(err.Error(), "412") {
			t.Errorf("an old fingerprint: %v", err)
		}
		b.must(http.MethodPut, defaultName, map[string]any{"port": 80})
		if replaced := b.must(http.MethodGet, defaultName, nil); replaced["description"] != nil ||
			replaced["selfLink"] != links+"acme-prod/"+defaultName {
			t.Errorf("a PUT made %v", replaced)
		}
		if _, err := b.call(http.MethodPost, defaultName+"/setEverything", nil); err == nil || !strings.Contains(err.Error(), "501") {
			t.Errorf("what is unknown: %v", err)
		}
	})
}

func TestRefusedCallsAnswer503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		b.config.Refuse = func(r *http.Request) bool { return r.Method == http.MethodPost }
		if err := b.insert(defaultName, nil); err == nil || !strings.Contains(err.Error(), "503") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFrontEndsAdoptAURLMapOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{FirstAdoption: 2 * time.Second, LastAdoption: 60 * time.Second}, hello)
		b.serve(nil, podOne)
		b.config.Adoption = &Adoption{}
		b.reroute(defaultName)
		statuses := func() (all []int) {
			for i := range b.fleet.frontEnds {
				all = append(all, b.ask(i).Code)
			}
			return all
		}
		for _, c := range []struct {
			after time.Duration
			want  []int
		}{
			{time.Second, []int{200, 200, 200}},
			{2 * time.Second, []int{404, 200, 200}},
			{30 * time.Second, []int{404, 404, 200}},
			{30 * time.Second, []int{404, 404, 404}},
		} {
			b.pass(c.after)
			if got := statuses(); !slices.Equal(got, c.want) {
				t.Errorf("%v later the answers are %v, want %v", c.after, got, c.want)
			}
			if all := !slices.Contains(c.want, 200); b.config.Adoption.ByAll(b.config.Adoption.Published()) != all {
				t.Errorf("%v later all front ends use it: %v, want %v", c.after, !all, all)
			}
		}
	})
}

func TestWhatIsHeldUpWaitsUntilItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{LastAdoption: time.Second}, hello)
		b.serve(nil, podOne)
		asked, released := make(chan string, 1), make(chan struct{})
		b.config.HoldHealth = func(_ context.Context, address string) { asked <- address; <-released }
		b.config.HoldAdoption = func() { <-released }
		b.answers.Store(podTwo, true)
		b.attach(podTwo)
		b.reroute(defaultName)
		b.pass(time.Hour)
		if got := b.count(); got != "1/2" || <-asked != podTwo.ip {
			t.Errorf("an endpoint is held back, but all %s are healthy", got)
		}
		if first, last := b.ask(0).Code, b.ask(2).Code; first != 404 || last != 200 {
			t.Errorf("the last front end is held back: the first one answers %d, the last %d", first, last)
		}
		close(released)
		b.pass(time.Minute)
		if got, last := b.count(), b.ask(2).Code; got != "2/2" || last != 404 {
			t.Errorf("released, %s endpoints are healthy, and the last front end answers %d", got, last)
		}
	})
}

func TestLaggingFrontEndStillSendsToADeletedBackendService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{LastAdoption: time.Minute}, hello)
		b.serve(nil, podOne)
		b.reroute(defaultName)
		b.must(http.MethodDelete, blueName, nil)
		b.pass(50 * time.Second)
		if first, last := b.ask(0).Code, b.ask(2).Code; first != 404 || last != 200 {
			t.Errorf("the first front end answers %d, the last %d", first, last)
		}
	})
}

func TestLoadBalancersOwnAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
		check := func(what string, want int) {
			t.Helper()
			if got := b.ask(0).Code; got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		check("no Ingress", http.StatusNotFound)
		b.serve(map[string]any{"backends": []any{}})
		check("no NEG linked", http.StatusServiceUnavailable)
		b.reroute(defaultName)
		if w := b.ask(0); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "default backend - 404") {
			t.Errorf("no rule: %d %s", w.Code, w.Body)
		}
		b.reroute(blueName)
		b.must(http.MethodPatch, blueName, map[string]any{"backends": []any{map[string]any{"group": blueNEG}}})
		check("an empty NEG", http.StatusBadGateway)
		b.attach(podOne)
		b.pass(time.Minute)
		check("no endpoint healthy", http.StatusBadGateway)
		b.answers.Store(podOne, true)
		b.pass(time.Minute)
		check("the endpoint breaks the connection", http.StatusBadGateway)
		redirect := map[string]any{"defaultUrlRedirect": map[string]any{"httpsRedirect": true}}
		b.do(b.insert("global/urlMaps/k8s2-rm-shop", redirect))
		b.do(b.insert("global/urlMaps/k8s2-um-shop", map[string]any{
			"defaultService": blueName, "hostRules": []any{map[string]any{"hosts": []any{"example.com"}, "pathMatcher": "all"}},
			"pathMatchers": []any{map[string]any{"name": "all", "defaultService": blueName}},
		}))
		b.do(b.insert("global/targetHttpProxies/redirect", map[string]any{"urlMap": "global/urlMaps/k8s2-rm-shop"}))
		b.do(b.insert("global/forwardingRules/redirect", map[string]any{"target": "global/targetHttpProxies/redirect"}))
		if w := b.ask(0); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "https://example.com/" {
			t.Errorf("a redirect to HTTPS: %d %s", w.Code, w.Header())
		}
	})
}

// All Ingresses share an address here: one that redirects must not answer for the hosts of others,
// even if it is the oldest.
func TestRedirectIsOfItsOwnIngressOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		b.do(b.insert("global/urlMaps/k8s2-rm-safe", map[string]any{"defaultUrlRedirect": map[string]any{"httpsRedirect": true}}))
		b.do(b.insert("global/targetHttpProxies/safe", map[string]any{"urlMap": "global/urlMaps/k8s2-rm-safe"}))
		b.do(b.insert("global/forwardingRules/safe", map[string]any{"target": "global/targetHttpProxies/safe"}))
		b.serve(nil, podOne)
		if w := b.ask(0); w.Code != http.StatusOK {
			t.Errorf("beside a redirect whose hosts are unknown: %d", w.Code)
		}
		b.do(b.insert("global/urlMaps/k8s2-um-safe", map[string]any{
			"defaultService": defaultName, "hostRules": []any{map[string]any{"hosts": []any{"safe.example.com"}, "pathMatcher": "all"}},
			"pathMatchers": []any{map[string]any{"name": "all", "defaultService": blueName}},
		}))
		if w := b.ask(0); w.Code != http.StatusOK {
			t.Errorf("beside a redirect for another host: %d", w.Code)
		}
		b.must(http.MethodPut, "global/urlMaps/k8s2-um-safe", map[string]any{"name": "k8s2-um-safe", "defaultService": blueName})
		if w := b.ask(0); w.Code != http.StatusMovedPermanently {
			t.Errorf("beside an older redirect of any host: %d", w.Code)
		}
	})
}

// slowly answers after 20 s.
var slowly = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gochecknoglobals // a value
	if sleep(r.Context(), 20*time.Second) == nil {
		fmt.Fprint(w, "late")
	}
})

func TestDetachBreaksOffRequestsUnlessDrainingIsSet(t *testing.T) {
	for _, c := range []struct {
		draining, timeout int
		want              int
	}{
		{0, 0, http.StatusBadGateway},
		{10, 0, http.StatusBadGateway},
		{30, 0, http.StatusOK},
		{30, 15, http.StatusBadGateway}, // the backend service's timeout
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Delays{Detach: time.Second}, slowly)
			backend := map[string]any{"connectionDraining": map[string]any{"drainingTimeoutSec": c.draining}}
			if c.timeout > 0 {
				backend["timeoutSec"] = c.timeout
			}
			b.serve(backend, podOne)
			answer := make(chan *httptest.ResponseRecorder)
			go func() { answer <- b.ask(0) }()
			b.pass(5 * time.Second)
			b.detach(podOne)
			if got := b.ask(0).Code; got != http.StatusBadGateway {
				t.Errorf("a new request after the detach: %d", got)
			}
			if got := (<-answer).Code; got != c.want {
				t.Errorf("draining %d s, timeout %d s: the request in flight got %d, want %d", c.draining, c.timeout, got, c.want)
			}
		})
	}
}

func TestSpeedLeavesApplicationsTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{HealthCheckStart: 100 * time.Second}, slowly)
		b.config.Speed = 100
		b.serve(nil, podOne)
		before := b.asked.Load()
		if got := b.ask(0).Code; got != http.StatusOK {
			t.Errorf("a request of 20 s got %d", got)
		}
		if checks := b.asked.Load() - before; checks < 100 {
			t.Errorf("the endpoint was checked %d times in 20 s", checks)
		}
	})
}

func TestSwitchOfTheURLMapDrainsNothingAndBreaksNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, slowly)
		b.serve(nil, podOne)
		answer := make(chan *httptest.ResponseRecorder)
		go func() { answer <- b.ask(0) }()
		b.pass(5 * time.Second)
		b.reroute(defaultName)
		if got := (<-answer).Code; got != http.StatusOK {
			t.Errorf("the request in flight got %d", got)
		}
	})
}

func TestConnectionsToEndpointsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Delays{}, hello)
		dialed := 0
		fe := b.fleet.frontEnds[0]
		dial := fe.transport.DialContext
		fe.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed++
			return dial(ctx, network, address)
		}
		b.serve(nil, podOne)
		for range 5 {
			if w := b.ask(0); w.Code != http.StatusOK || w.Header().Get("Via") != "1.1 google" {
				t.Fatalf("got %d, via %q", w.Code, w.Header().Get("Via"))
			}
		}
		if dialed != 1 {
			t.Errorf("5 requests took %d connections", dialed)
		}
	})
}
