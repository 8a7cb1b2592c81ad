package deployer

import (
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
)

// Between the last pod's readiness and the patch that moves users there are no requests but those
// that a switch rests on: five round trips, since what does not depend on each other is asked beside
// each other.
func TestRoundTripsBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trips := newRoundTrips()
	w.kubelet.hold("@sha256:")
	w.runWith(trips.config())
	rel := w.submit("a")
	w.until("the new pod to run", func() bool { return w.kubelet.starts("@sha256:") }, func() string { return rel.Name })
	trips.begin()
	// The look that goes on meanwhile is not counted. Looks follow each other: once the next one has
	// begun, it is over.
	w.patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, `{"metadata":{"annotations":{"example.com/look":"again"}}}`)
	w.until("another look", func() bool { return trips.String() != "" }, func() string { return rel.Name })
	w.kubelet.release(t, "@sha256:")
	w.until("the switch", trips.switched, trips.String)
	want := []string{
		"GET bluegreens beside releases",  // whose turn is it?
		"GET ingresses",                   // where are users?
		"PATCH deployments beside events", // it is as observed, and from here on nobody shrinks it
		"PUT releases",                    // the intent
		"GET services",                    // it has the ports that users are routed to
		"PATCH ingresses",                 // the switch
	}
	if diff := cmp.Diff(want, trips.ofTheLastLook()); diff != "" {
		t.Errorf("the requests of the look that switches (-want +got):\n%s\nall since the pod was ready: %v", diff, trips)
	}
}

// roundTrips notes a deployer's requests, from begin to the patch that moves users. In between
// those that are to be made beside each other wait for each other.
type roundTrips struct {
	read, prepared, over chan struct{}

	mu      sync.Mutex
	on      bool
	earlier map[types.UID]bool // looks that were under way before
	made    []string
}

func newRoundTrips() *roundTrips {
	return &roundTrips{
		read: make(chan struct{}), prepared: make(chan struct{}), over: make(chan struct{}),
		earlier: map[types.UID]bool{"": true},
	}
}

func (r *roundTrips) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = true
}

func (r *roundTrips) config() *rest.Config {
	cfg := rest.CopyConfig(plane.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			r.note(req)
			return next.RoundTrip(req)
		})
	})
	return cfg
}

func (r *roundTrips) note(req *http.Request) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(describe(req), req.Method+" "), "/")
	what := req.Method + " " + kind
	if what == "POST events" || kind == "leases" || req.URL.Query().Get("watch") != "" ||
		!r.add(controller.ReconcileIDFromContext(req.Context()), what) {
		return
	}
	var to chan<- struct{}
	var from <-chan struct{}
	switch what {
	case "GET bluegreens":
		to = r.read
	case "GET releases":
		from = r.read
	case "PATCH deployments":
		to = r.prepared
	case "GET events":
		from = r.prepared
	default:
		return
	}
	select {
	case to <- struct{}{}:
	case <-from:
	case <-r.over:
	case <-req.Context().Done():
	}
}

// add notes a look's request, and reports whether it is one of those that count.
func (r *roundTrips) add(look types.UID, what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.on && !r.switched() {
		r.earlier[look] = true
	}
	if !r.on || r.earlier[look] {
		return false
	}
	r.made = append(r.made, what)
	if what == "PATCH ingresses" {
		r.on = false
		close(r.over)
	}
	return r.on
}

func (r *roundTrips) switched() bool {
	select {
	case <-r.over:
		return true
	default:
		return false
	}
}

// ofTheLastLook are those since an application was read for the last time; two that were made
// beside each other are one.
func (r *roundTrips) ofTheLastLook() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var trips []string
	for _, what := range r.made {
		last := ""
		if len(trips) > 0 {
			last = trips[len(trips)-1]
		}
		pair := []string{last, what}
		slices.Sort(pair)
		switch {
		case slices.Equal(pair, []string{"GET bluegreens", "GET releases"}):
			trips = []string{"GET bluegreens beside releases"}
		case slices.Equal(pair, []string{"GET events", "PATCH deployments"}):
			trips[len(trips)-1] = "PATCH deployments beside events"
		default:
			trips = append(trips, what)
		}
	}
	return trips
}

func (r *roundTrips) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.made, ", ")
}
