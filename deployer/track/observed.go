package track

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Observed is everything on which [Next] decides, as it was seen at Now. It is plain data.
type Observed struct {
	Now    time.Time
	Routes Routes
	Sides  map[v1alpha1.Color]Side

	// Unconfirmed is why users may still reach the colour that is not live; empty if they
	// do not, as far as that can ever be known.
	Unconfirmed string

	// Back is what would carry requests to each colour; nil if it was not observed.
	Back map[v1alpha1.Color]Reachable

	// The rest is about one release, and empty without one.

	// Target is the colour the release stages, Previous the other one.
	Target, Previous Side
	// Endpoints are the pods that the target's Service sends requests to.
	Endpoints []string
	// Groups are what Google's load balancer has for the target's Service, until traffic
	// has moved there.
	Groups []Group
	// LeftAt is when users left the target's pods, which have existed since; zero if these
	// pods never had users, or were shrunk.
	LeftAt time.Time
	// Settle is how long a load balancer must find a colour healthy, see [WarmLook].
	Settle time.Duration
	// Size is the size that the target needs to take the live colour's traffic; Wanted is
	// what it would be if the target's autoscaler allowed it.
	Size, Wanted int32
	// DrainedAt is when the target may be touched after the last switch.
	DrainedAt time.Time
	// Freshness is how old a gate's pass may be at the switch.
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

// Clock writes a time of the day for people.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
