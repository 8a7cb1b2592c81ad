package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Observed is everything that [Next] decides on, as seen at Now. It is plain data.
type Observed struct {
	Now    time.Time
	Routes Routes
	Sides  map[v1alpha1.Color]Side

	// Workers of the application.
	Workers []Worker

	// Singletons of the application.
	Singletons []Singleton

	// CronJobs of the application.
	CronJobs []CronJob

	// Unconfirmed is why users may still reach the idle colour; empty if they do not, as far as
	// that can be known.
	Unconfirmed string

	// Back is what would carry requests to each colour; nil if not observed.
	Back map[v1alpha1.Color]Reachable

	// The rest concerns one release, and is empty without one.

	// Target is the colour the release stages, Previous the other one.
	Target, Previous Side
	// Endpoints are the pods that the target's Service sends requests to.
	Endpoints []string
	// Groups are what Google's load balancer has for the target's Service, until traffic has
	// moved there.
	Groups []Group
	// LeftAt is when users left the target's current pods; zero if these pods never had users, or
	// were shrunk.
	LeftAt time.Time
	// Settle is how long a load balancer must find a colour healthy, see [WarmLook].
	Settle time.Duration
	// Size is what the target needs to take the live colour's traffic; Wanted is the same without
	// the limit of the target's autoscaler.
	Size, Wanted int32
	// Canary are the steps of the release, as it began them or as the spec has them now.
	Canary []v1alpha1.CanaryStep
	// Behind is a worker of the target that works on for another version's users, see [Behind].
	Behind *WorkerSide
	// Expands: the spec has a migration that precedes a release's pods.
	Expands bool
	// Unproven is a change of the schema since users left the version that a rollback returns to;
	// nil if there was none.
	Unproven *v1alpha1.SchemaChange
	// Holds: nothing was wrong with the target when its pods were watched last.
	Holds bool
	// DrainedAt is when the target may be changed after the last switch.
	DrainedAt time.Time
	// Freshness is the maximum age of a gate's pass at the switch.
	Freshness time.Duration
	// Locked: a person keeps releases from moving users.
	Locked bool
}

// OnGCE reports whether the Ingress programs Google's load balancer.
func (o Observed) OnGCE() bool { return o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE }

// Reachable is what would carry requests to a colour.
type Reachable struct {
	Endpoints []string
	Groups    []Group
}

// Clock formats a time of day for people.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
