package cutover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/bench/fault"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// webhook is what interruptions are counted under in [ChaosReport.Faults].
const webhook = "webhook"

// interruption is what leaves a webhook half-handled. Turnout stores the webhook, makes its release,
// and notes that it is handled. An outage of the whole API seldom shows what it does between them, since
// the note fails, too. So these are for the one request that makes the release.
type interruption string

const (
	refused      interruption = "release refused"           // the attempt fails, and only that is noted
	killedBefore interruption = "killed before its release" // whoever takes over has to make it
	killedAfter  interruption = "killed after its release"  // whoever takes over has to find it
)

func interruptions() []interruption { return []interruption{refused, killedBefore, killedAfter} }

// rounds is how often each interruption comes, for merges and for rollbacks. Each death of the leader
// costs all applications the time of a takeover.
const rounds = 3

// halves decides which webhooks are interrupted: every second one of a kind, in turn in each way.
type halves struct {
	mu    sync.Mutex
	rng   *rand.Rand
	decks map[v1alpha1.ReleaseKind]*deck[interruption]
	seen  map[string]bool // releases that were to be made
	count map[v1alpha1.ReleaseKind]int
	dealt map[v1alpha1.ReleaseKind]int
	met   map[interruption]int
	ended bool
}

func newHalves(seed uint64) *halves {
	h := &halves{
		rng:  rand.New(rand.NewPCG(seed, 2)), //nolint:gosec // G404: to be run again
		seen: map[string]bool{}, count: map[v1alpha1.ReleaseKind]int{}, dealt: map[v1alpha1.ReleaseKind]int{}, met: map[interruption]int{},
		decks: map[v1alpha1.ReleaseKind]*deck[interruption]{},
	}
	for _, kind := range []v1alpha1.ReleaseKind{v1alpha1.Deploy, v1alpha1.Rollback} {
		h.decks[kind] = &deck[interruption]{all: interruptions()}
	}
	return h
}

// of returns the interruption of a release that is to be made; empty: none. Nothing interrupts it a
// second time, nor if a process died on its webhook already: after three deaths Turnout rightly
// leaves a webhook alone.
func (h *halves) of(rel *v1alpha1.Release, died bool) interruption {
	h.mu.Lock()
	defer h.mu.Unlock()
	kind, name := rel.Spec.Kind, rel.Namespace+"/"+rel.Name
	deals := h.decks[kind]
	if h.ended || h.seen[name] || deals == nil {
		return ""
	}
	h.seen[name] = true
	h.count[kind]++
	if h.count[kind]%2 == 0 || h.dealt[kind] == rounds*len(deals.all) {
		return ""
	}
	if died {
		h.count[kind]-- // the next one, then
		return ""
	}
	h.dealt[kind]++
	where := deals.deal(h.rng)
	h.met[where]++
	return where
}

// end lets every later one pass.
func (h *halves) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// hits counts the interruptions.
func (h *halves) hits() map[interruption]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.met)
}

// halfway is a replica's way to Kubernetes' API, where it makes releases.
type halfway struct {
	to     http.RoundTripper
	halves *halves
	deaths func(ctx context.Context, delivery string) (int32, error)
	crash  func() error // of the replica
}

// RoundTrip implements [http.RoundTripper].
func (h *halfway) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/apis/"+v1alpha1.GroupVersion.Group+"/") ||
		!strings.HasSuffix(r.URL.Path, "/releases") {
		return h.to.RoundTrip(r) //nolint:wrapcheck // the API's answer
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("reading a release that is to be made: %w", err)
	}
	rel := &v1alpha1.Release{}
	if err := json.Unmarshal(body, rel); err != nil {
		return nil, fmt.Errorf("reading a release that is to be made: %w", err)
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	deaths, err := h.deaths(r.Context(), rel.Spec.Cause.Delivery)
	if err != nil {
		return nil, err
	}
	switch h.halves.of(rel, deaths > 0) {
	case refused:
		return fault.Refusal(r), nil
	case killedBefore:
		return nil, errors.Join(errKilled, h.crash())
	case killedAfter:
		answer, err := h.to.RoundTrip(r)
		if crash := h.crash(); err != nil || crash != nil {
			return nil, errors.Join(err, crash)
		}
		return answer, nil // to nobody
	default:
		return h.to.RoundTrip(r) //nolint:wrapcheck // the API's answer
	}
}

var errKilled = errors.New("whoever asked was killed")

// deaths is how many attempts at a webhook have ended their process.
func (c *chaos) deaths(ctx context.Context, delivery string) (deaths int32, err error) {
	var all v1alpha1.DeliveryList
	if err := c.kube.List(ctx, &all, client.InNamespace(turnout.Namespace)); err != nil {
		return 0, fmt.Errorf("listing webhooks: %w", err)
	}
	for i := range all.Items {
		if delivery != "" && all.Items[i].Spec.Delivery == delivery {
			deaths = max(deaths, all.Items[i].Status.Deaths)
		}
	}
	return deaths, nil
}
