package deployer

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A shrink ends pods, and the requests that they are answering. A request that was sent to the
// old colour right before the switch is still answered if it takes less time than spec.drain:
// here 2 of 6 seconds. Without a drain, blue would be gone within one second.
func TestRequestInFlightOutlivesTheSwitchWithinTheDrain(t *testing.T) {
	t.Parallel()
	const longest, drain = 2 * time.Second, 6 * time.Second
	w := newWorld(t, manual, holds(0), func(bg *v1alpha1.BlueGreen) { bg.Spec.Drain = duration(drain) })
	sent, finish := make(chan struct{}), make(chan struct{})
	blue := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(sent)
		select {
		case <-finish:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(blue.Close)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Get(blue.URL) //nolint:noctx // it ends with the server
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	<-sent
	w.approve(rel)
	w.until("the switch", func() bool { return w.live() == v1alpha1.Green }, func() string { return "" })
	time.AfterFunc(longest, func() { close(finish) })
	answer, pending := errors.New("it is not answered yet"), true
	w.until("blue to be shrunk", func() bool {
		select {
		case answer = <-answered:
			pending = false
		default:
		}
		return w.size(v1alpha1.Blue) == 0
	}, func() string { return "" })
	blue.CloseClientConnections() // its pods end
	if pending {
		answer = errors.Join(answer, <-answered)
	}
	if answer != nil {
		t.Errorf("a request that was in flight at the switch failed when its pod ended: %v", answer)
	}
}
