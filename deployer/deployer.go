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

	"golang.org/x/oauth2"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/urlmap"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// Deployer moves the releases of applications along their tracks. It is a
// reconciler keyed by BlueGreen. All fields are required unless they say so.
type Deployer struct {
	// Client writes, and reads through a cache.
	Client client.Client
	// Record holds releases and the claim.
	Record *record.Record
	// Repositories is the ledger of first contacts.
	Repositories *record.Repositories
	// Routes reads and patches Ingresses.
	Routes *route.Router
	// Workloads reads and patches Deployments.
	Workloads *workload.Workloads
	// Pods is how the gate reaches pods.
	Pods gate.Access
	// Google has Cloud Build and the store of sources.
	Google Google
	// Source is what the deployer needs to know about repositories.
	Source Source
	// Holder names this process in claims. It must be unique.
	Holder string
	// BuildPace is how often a build is looked at; the zero value is 5 to 10 s.
	BuildPace cloudbuild.Pace
	// BuildGrace is how long, after an intent without an outcome, the search for its build is
	// repeated before another build is started: the list may lag behind. The zero value means
	// a minute.
	BuildGrace time.Duration
	// BuildRetry is the pause before building again after Cloud Build lost a build; the second
	// time it is twice as long. The zero value means 15 s.
	BuildRetry time.Duration
	// PolicyLag is how long after it was written the admission policy may not be in force yet.
	// The zero value means [policy.Lag].
	PolicyLag time.Duration
	// BackOff is the pause after a failed call to GitHub, Cloud Build or Cloud Storage; it
	// doubles with every failure in a row, up to 2 minutes. The zero value means half a
	// second.
	BackOff time.Duration
	// TakeUp is how much time a load balancer that does not report gets to use new routes. The
	// zero value means 5 s, and 3 minutes for Google's.
	TakeUp time.Duration
	// Namespaced: there is no right to watch Namespaces. A grant is then seen at the next look,
	// not at once. Optional.
	Namespaced bool
	// AllowAddresses are ranges besides the public ones in which an application's
	// address may be, see [publicnet.Allowed]. Optional.
	AllowAddresses []netip.Prefix
	// Proxy through which to reach the public address. Optional: by default none, whatever the
	// environment says.
	Proxy *url.URL
	// AskEvery is how often to ask the public address which version answers, as long as nothing
	// shows that a switch was taken up. The zero value means 15 s.
	AskEvery time.Duration
	// URLMaps reads the URL maps of Google's load balancers. Optional: by default none is
	// read.
	URLMaps *urlmap.Client
	// UserAgent of requests to the public address, see [proof.UserAgent]. Optional.
	UserAgent string
	// Resolve looks up the addresses of a standby host that an owner chose, see
	// [preflight.Sources]. Optional.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Events reports conditions to users. Optional.
	Events events.EventRecorder
	// Observer gets steps and outcomes, for metrics. Optional.
	Observer Observer
	// Log is the destination of the deployer's log.
	Log *slog.Logger

	registryTLS *tls.Config // for tests
	probers     probers
	asks, maps  asks // the public addresses, and the URL maps
	facts       preflight.Collector
	attestation attestation
	calls       calls
	reaches     reaches
	looks       looks
}

// Observer gets what happened, for metrics.
type Observer interface {
	// StepEnded reports how long a step of a release took.
	StepEnded(app client.ObjectKey, step v1alpha1.Step, took time.Duration)
	// ReleaseEnded reports how a release ended.
	ReleaseEnded(app client.ObjectKey, kind v1alpha1.ReleaseKind, phase v1alpha1.ReleasePhase)
	// Switched reports that traffic moved; kind is Deploy, Rollback or Restore.
	Switched(app client.ObjectKey, kind string)
	// Asked reports the kind of an answer of the public address: served, failed or unseen.
	Asked(app client.ObjectKey, told string)
	// Proved reports how a proof ended, and how long after the switch the new version was first
	// seen; 0 if it was not.
	Proved(app client.ObjectKey, result v1alpha1.ProofResult, newVersionAfter time.Duration)
}

const (
	// takeUp is how long a load balancer may take to use new routes, if nothing reports it.
	// ingress-nginx, the slowest of the common controllers that run in the cluster, looks at
	// least every 3.3 s (--sync-rate-limit=0.3).
	takeUp = 5 * time.Second
	// takeUpGCE is for Google's, about which Google says "several minutes"
	// (networking-recipes, ingress/multi-cluster), if its controller does not report: events
	// get lost.
	takeUpGCE = 3 * time.Minute
)

// settles is how long after a change of the routes Google's controller may still be carrying out
// the previous one.
func (d *Deployer) settles() time.Duration { return cmp.Or(d.TakeUp, takeUpGCE) }

// attestation knows since when the API server has checked who may write which cause.
type attestation struct {
	mu    sync.Mutex
	asked time.Time
	since time.Time // zero: it does not
}

// Google is Turnout's access to Google: one identity for all namespaces. Annotations of a
// Namespace say what it may use of that. So this package reaches Google only through
// [attempt.google] and [attempt.googleTokens], which read them first.
type Google interface {
	// As returns Cloud Build and the store of sources, used as an account; "" means Turnout's
	// own.
	As(ctx context.Context, account string) (*cloudbuild.Client, *cloudbuild.Store, error)
	// Tokens are what an account signs in to Google's registries with.
	Tokens(ctx context.Context, account string) (oauth2.TokenSource, error)
}
