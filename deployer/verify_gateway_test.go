package deployer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// frontEnd is the public address of a Gateway. It distinguishes the two colours only by the
// header of the standby route.
type frontEnd struct {
	mu sync.Mutex
	// standby answers for the idle colour, live for the other one; nil: 200.
	standby, live http.HandlerFunc
	// asked counts the requests to the standby route.
	asked int
}

// publishGateway makes the public address.
func (w *world) publishGateway(f *frontEnd) {
	w.t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		answer := f.live
		if r.Header.Get("X-Turnout-Standby") != "" {
			answer = f.standby
			f.asked++
		}
		if answer != nil {
			answer(rw, r)
		}
	}))
	w.t.Cleanup(s.Close)
	w.setURL(s.URL)
}

func alwaysAnswers(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(code) }
}

// failsAtFirst fails some requests, then succeeds.
func failsAtFirst(times int) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		if times--; times >= 0 {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

// The load balancer has no healthy endpoint of the new version, though its pods are ready and
// pass the gate: its health check uses another path.
func TestVersionThatTheGatewayDoesNotServeNeverGetsUsers(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Gate.Timeout, bg.Spec.Gate.Interval = *duration(2 * time.Second), *duration(100 * time.Millisecond)
	})
	w.publishGateway(&frontEnd{standby: alwaysAnswers(http.StatusServiceUnavailable)})
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedGate ||
		!containsAll(f.Message, []string{"the Gateway, for service my-python-app-green-svc", "answered 503"}) {
		t.Errorf("the failure is %+v", f)
	}
	w.expectOnGateway(v1alpha1.Blue, 2)
}

// A failure that the live colour has, too, or a missing answer, is not the new version's fault.
func TestGatewayThatCannotBeAskedStopsNoRelease(t *testing.T) {
	t.Parallel()
	badGateway, login := alwaysAnswers(http.StatusBadGateway), alwaysAnswers(http.StatusUnauthorized)
	for name, tt := range map[string]struct {
		front   *frontEnd
		finding string
	}{
		"both fail":  {&frontEnd{standby: badGateway, live: badGateway}, "and so it does for the live colour"},
		"a login":    {&frontEnd{standby: login, live: login}, "answered 401"},
		"it answers": {&frontEnd{}, ""},
		// Its health check takes a while.
		"it answers later": {&frontEnd{standby: failsAtFirst(4)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Gate.Interval = *duration(100 * time.Millisecond) })
			w.publishGateway(tt.front)
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			const unseen = "whether users would reach green through the Gateway could not be seen"
			got := findingsOf(rel)
			if strings.Contains(got, unseen) != (tt.finding != "") || !strings.Contains(got, tt.finding) {
				t.Errorf("the findings are %s", got)
			}
			if tt.front.mu.Lock(); tt.front.asked == 0 {
				t.Error("the standby route got no request")
			}
			tt.front.mu.Unlock()
		})
	}
}
