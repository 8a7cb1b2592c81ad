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
// that a switch rests on: three round trips, since what does not depend on each other is asked beside
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
		"GET bluegreens beside GET ingresses",                  // whose turn is it, and where are users?
		"GET deployments beside GET services beside " + intent, // nobody has shrunk it
		"PATCH ingresses", // the switch
	}
	if diff := cmp.Diff(want, trips.ofTheLastLook()); diff != "" {
		t.Errorf("the requests of the look that switches (-want +got):\n%s\nall since the pod was ready: %v", diff, trips)
	}
}

// atOnce are the requests that are to be made beside each other. None is answered before all are made.
var atOnce = [][]string{{"GET bluegreens", "GET ingresses"}, {"GET deployments", "GET services", intent}}

// intent is the write of a release that records that its users are about to be moved.
const intent = "PUT releases, the intent"

// roundTrips notes a deployer's requests, from begin to the patch that moves users.
type roundTrips struct {
	over chan struct{}

	mu      sync.Mutex
	on      bool
	earlier map[types.UID]bool // looks that were under way before
	made    []string
	last    types.UID           // the look that made the last one
	its     []string            // requests of that look
	meet    map[string]*meeting // of a look's requests, by look and first request
}

// meeting is where requests wait for each other.
type meeting struct {
	come map[string]bool
	all  chan struct{}
}

func newRoundTrips() *roundTrips {
	return &roundTrips{over: make(chan struct{}), earlier: map[types.UID]bool{"": true}, meet: map[string]*meeting{}}
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
	if what == "PUT releases" && strings.Contains(bodyOf(req), `"switchIntendedAt"`) {
		what = intent
	}
	look := controller.ReconcileIDFromContext(req.Context())
	if what == "GET releases" { // beside these, and only if the last look was seconds ago
		return
	}
	if what == "POST events" || kind == "leases" || req.URL.Query().Get("watch") != "" || !r.add(look, what) {
		return
	}
	select {
	case <-r.meeting(look, what):
	case <-r.over:
	case <-req.Context().Done():
	}
}

// meeting is closed when all requests have been made that are to be made beside this one.
func (r *roundTrips) meeting(look types.UID, what string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(atOnce, func(all []string) bool { return slices.Contains(all, what) })
	if i < 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	at := string(look) + atOnce[i][0]
	if r.meet[at] == nil {
		r.meet[at] = &meeting{map[string]bool{}, make(chan struct{})}
	}
	m := r.meet[at]
	if m.come[what] = true; len(m.come) == len(atOnce[i]) {
		close(m.all)
		delete(r.meet, at)
	}
	return m.all
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
	if look != r.last {
		r.last, r.its = look, nil
	}
	r.its = append(r.its, what)
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

// ofTheLastLook are those of the look that moved users; those that were made beside each other are
// one. Looks at an application follow each other.
func (r *roundTrips) ofTheLastLook() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var trips [][]string
	for _, what := range r.its {
		group := slices.IndexFunc(atOnce, func(all []string) bool { return slices.Contains(all, what) })
		if last := len(trips) - 1; last >= 0 && group >= 0 && slices.Contains(atOnce[group], trips[last][0]) {
			trips[last] = append(trips[last], what)
			continue
		}
		trips = append(trips, []string{what})
	}
	var all []string
	for _, trip := range trips {
		slices.Sort(trip)
		all = append(all, strings.Join(trip, " beside "))
	}
	return all
}

func (r *roundTrips) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.made, ", ")
}
