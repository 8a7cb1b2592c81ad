package gateway

import (
	"log/slog"
	"net"
	"time"

	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/sandbox/frontends"
)

// GKE is the controllerName of GKE's own Gateways.
const GKE = "networking.gke.io/gateway"

// Config configures the Gateway controller and its load balancer.
type Config struct {
	// Rest connects to the API server as an administrator.
	Rest *rest.Config
	// Controller is the controllerName of the GatewayClasses that it serves. With the
	// default, [GKE], routes also get the condition Reconciled.
	Controller string
	// Listener accepts the clients of all Gateways.
	Listener net.Listener
	// Address is written to the Gateways' status.addresses. If empty, nothing is written.
	Address string
	// FrontEnds is how many front ends there are. Default 3.
	FrontEnds int
	// Delays are how late changes take effect. Default: [DefaultDelays].
	Delays *Delays
	// Adoption, if set, reports which table of routes the front ends use.
	Adoption *frontends.Adoption
	// Log defaults to slog.Default().
	Log *slog.Logger
}

// Delays are how late changes take effect.
type Delays struct {
	// Programme is the time from an edit until the controller has applied it and reports
	// it in the status. Google gives no number.
	Programme time.Duration
	// FirstAdoption and LastAdoption are the times from that report until the first and
	// the last front end use the change; the others spread evenly between. For Ingress
	// Google says "minutes".
	FirstAdoption, LastAdoption time.Duration
	// Attach and Detach are the times from a change of a Service's endpoints until the
	// load balancer has the same.
	Attach, Detach time.Duration
	// HealthInterval separates health checks: the default of a HealthCheckPolicy is 5 s
	// (gke-networking-recipes, gateway-api/config/servicepolicies/crd/standard).
	HealthInterval time.Duration
}

// DefaultDelays are those of package gclb: the nearest to GKE where Google gives no
// number.
func DefaultDelays() Delays {
	return Delays{
		Programme: 2 * time.Second, FirstAdoption: 2 * time.Second, LastAdoption: 60 * time.Second,
		Attach: 5 * time.Second, Detach: 5 * time.Second, HealthInterval: 5 * time.Second,
	}
}

func (c *Config) setDefaults() {
	if c.Controller == "" {
		c.Controller = GKE
	}
	if c.FrontEnds == 0 {
		c.FrontEnds = 3
	}
	if c.Delays == nil {
		c.Delays = new(DefaultDelays())
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
}
