package deployer

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/urlmap"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// Deployer moves the releases of applications along their tracks. It is a reconciler keyed by
// BlueGreen. All fields are required unless marked as optional.
type Deployer struct {
	// Client writes, and reads through a cache.
	Client client.Client
	// Record holds releases and the claim.
	Record *record.Record
	// Repositories is the ledger of repository IDs.
	Repositories *record.Repositories
	// Routes reads and patches Ingresses.
	Routes *route.Router
	// Workloads reads and patches Deployments.
	Workloads *workload.Workloads
	// Pods is the gate's access to pods.
	Pods gate.Access
	// Google has Cloud Build and the store of sources.
	Google Google
	// Source is the deployer's access to repositories.
	Source Source
	// Holder names this process in claims. It must be unique.
	Holder string
	// BuildPace is how often to look at a build; the zero value is 5 to 10 s.
	BuildPace cloudbuild.Pace
	// BuildGrace is how long, after an intent without an outcome, to search for its build before
	// starting another: the list may lag behind. The zero value means a minute.
	BuildGrace time.Duration
	// BuildRetry is the pause before building again after Cloud Build lost a build; the second
	// pause is twice as long. The zero value means 15 s.
	BuildRetry time.Duration
	// PolicyLag is how long after its creation the admission policy may not be in force yet. The
	// zero value means [policy.Lag].
	PolicyLag time.Duration
	// BackOff is the pause after a failed call to GitHub, Cloud Build or Cloud Storage. It
	// doubles with every consecutive failure, up to 2 minutes. The zero value means half a
	// second.
	BackOff time.Duration
	// TakeUp is how long a load balancer that does not report may take to use new routes. The
	// zero value means 5 s, and 3 minutes for Google's.
	TakeUp time.Duration
	// Namespaced: Turnout may not watch Namespaces. A new grant is then seen at the next look,
	// not at once. Optional.
	Namespaced bool
	// AllowAddresses are ranges, besides the public ones, that may contain an application's
	// address, see [publicnet.Allowed]. Optional.
	AllowAddresses []netip.Prefix
	// Proxy for requests to the public address. Optional: none by default, whatever the
	// environment sets.
	Proxy *url.URL
	// AskEvery is how often to ask the public address which version answers while nothing shows
	// that a switch was taken up. The zero value means 15 s.
	AskEvery time.Duration
	// QueueEvery is how often to ask whether the queue of a worker that users left is empty. The zero
	// value means 10 s.
	QueueEvery time.Duration
	// URLMaps reads the URL maps of Google's load balancers. Optional: by default, none are read.
	URLMaps *urlmap.Client
	// Monitoring is the address of Cloud Monitoring. Optional: Google's by default. An address
	// without TLS is a stand-in and gets no credentials.
	Monitoring string
	// UserAgent of requests to the public address, see [proof.UserAgent]. Optional.
	UserAgent string
	// Resolve looks up the addresses of a standby host that an owner chose, see
	// [preflight.Sources]. Optional.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Events reports conditions to users. Optional.
	Events events.EventRecorder
	// Observer receives steps and outcomes, for metrics. Optional.
	Observer Observer
	// Log is the destination of the deployer's log.
	Log *slog.Logger

	registryTLS *tls.Config // for tests
	// gatewayEvery is for tests: how often to check for the Gateway API.
	gatewayEvery time.Duration
	probers      probers
	live         probers // of live versions whose schema is migrated
	asks, maps   asks    // about the public addresses and the URL maps
	facts        preflight.Collector
	calls        calls
	reaches      reaches
	dryRuns      dryRuns
	queueLooks   queueLooks
	heldLooks    heldLooks
	looks        looks
	courtesy     courtesy
	wiring       sync.Once
	looking      looking // built by wired
}

// carriesOut is how long after a change of the routes Google's controller may still be applying
// the previous one.
func (d *Deployer) carriesOut() time.Duration { return cmp.Or(d.TakeUp, takeUpGCE) }
