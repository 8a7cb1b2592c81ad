package deployer

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/controller"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Between the last pod's readiness and the patch that moves users there are no requests but those
// that a switch rests on: three round trips, since what does not depend on each other is asked beside
// each other.
func TestRoundTripsBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trips := newRoundTrips()
	var d *Deployer
	w.kubelet.hold("@sha256:")
	w.runWith(trips.config(), func(made *Deployer) { d = made })
	rel := w.submit("a")
	w.until("the new pod to run", func() bool { return w.kubelet.starts("@sha256:") }, func() string { return rel.Name })
	// Looks follow each other. One is held until the deployer knows that the pod is ready, and then
	// fails, so that the next one is the one that switches.
	fail := trips.holdLook()
	w.patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, `{"metadata":{"annotations":{"example.com/look":"again"}}}`)
	w.until("a look", trips.holds, func() string { return rel.Name })
	w.kubelet.release(t, "@sha256:")
	w.until("the deployer's cache to have the ready pod", func() bool { return w.knowsReady(d, v1alpha1.Green) }, trips.String)
	fail()
	w.until("the switch", trips.switched, trips.String)
	want := []string{
		"GET bluegreens beside GET deployments beside GET events beside GET ingresses beside GET releases beside GET services",
		"PUT releases",    // the intent
		"PATCH ingresses", // the switch
	}
	if diff := cmp.Diff(want, trips.ofTheLastLook()); diff != "" {
		t.Errorf("the requests of the look that switches (-want +got):\n%s\nall since the pod was ready: %v", diff, trips)
	}
}

// knowsReady reports whether a deployer's cache has a colour's pods as ready, and as reached by its
// Service.
func (w *world) knowsReady(d *Deployer, c v1alpha1.Color) bool {
	w.t.Helper()
	bg := w.application()
	side, err := d.Workloads.Observe(w.t.Context(), bg, c)
	check(w.t, err)
	reached, err := d.Routes.ReadyEndpoints(w.t.Context(), w.namespace, bg.Side(c).Service)
	check(w.t, err)
	return side.Replicas > 0 && int(side.Replicas) == len(reached) && len(side.Ready()) == len(reached)
}

// atOnce are the requests that are to be made beside each other: none is answered before all are made.
var atOnce = []string{"GET bluegreens", "GET deployments", "GET events", "GET ingresses", "GET releases", "GET services"}

// roundTrips notes the requests of a deployer's looks, from the end of a look that is held to the patch
// that moves users. Looks at an application follow each other.
type roundTrips struct {
	over chan struct{}

	mu   sync.Mutex
	held chan struct{} // closed when the look is held
	fail chan struct{} // closed when it may fail; nil until a look is to be held
	on   bool
	made []string
	last types.UID                   // the look that made the last one
	its  []string                    // requests of that look
	meet map[types.UID]chan struct{} // closed when a look has made all that are to be made at once
}

func newRoundTrips() *roundTrips {
	return &roundTrips{over: make(chan struct{}), held: make(chan struct{}), meet: map[types.UID]chan struct{}{}}
}

// holdLook holds the next look at its first request, until the returned function lets it fail.
func (r *roundTrips) holdLook() (fail func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = make(chan struct{})
	return func() { close(r.fail) }
}

func (r *roundTrips) holds() bool { return isClosed(r.held) }

func (r *roundTrips) config() *rest.Config {
	cfg := rest.CopyConfig(plane.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if err := r.note(req); err != nil {
				return nil, err
			}
			return next.RoundTrip(req)
		})
	})
	return cfg
}

func (r *roundTrips) note(req *http.Request) error {
	kind, _, _ := strings.Cut(strings.TrimPrefix(describe(req), req.Method+" "), "/")
	what := req.Method + " " + kind
	look := controller.ReconcileIDFromContext(req.Context())
	if look == "" || what == "POST events" || kind == "leases" || req.URL.Query().Get("watch") != "" {
		return nil
	}
	if fail := r.holdsNow(what); fail != nil {
		<-fail
		return errors.New("the test lets this look fail")
	}
	select {
	case <-r.add(look, what):
	case <-r.over:
	case <-req.Context().Done():
	}
	return nil
}

// holdsNow reports whether a request is that of the look to hold. All before it do not count.
func (r *roundTrips) holdsNow(what string) (fail chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on || r.fail == nil || what != "GET bluegreens" {
		return nil
	}
	r.on = true
	close(r.held)
	return r.fail
}

// add notes a look's request, and returns what to wait for before it is answered.
func (r *roundTrips) add(look types.UID, what string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := make(chan struct{})
	if !r.on || !isClosed(r.fail) || isClosed(r.over) {
		close(answer)
		return answer
	}
	r.made = append(r.made, what)
	if look != r.last {
		r.last, r.its = look, nil
	}
	r.its = append(r.its, what)
	switch {
	case !slices.Contains(atOnce, what), len(r.its) > len(atOnce): // one more of them is reported by the test
		close(answer)
	default:
		if r.meet[look] == nil {
			r.meet[look] = make(chan struct{})
		}
		answer = r.meet[look]
		if len(r.its) == len(atOnce) {
			close(answer)
		}
	}
	if what == "PATCH ingresses" {
		close(r.over)
	}
	return answer
}

func (r *roundTrips) switched() bool { return isClosed(r.over) }

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// ofTheLastLook are those of the look that moved users; those that were made beside each other are
// one.
func (r *roundTrips) ofTheLastLook() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := slices.Clone(r.its[:min(len(r.its), len(atOnce))])
	slices.Sort(first)
	return append([]string{strings.Join(first, " beside ")}, r.its[len(first):]...)
}

func (r *roundTrips) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.made, ", ")
}
