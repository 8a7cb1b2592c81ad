package gateway

import (
	"log/slog"
	"net"
	"time"

	"k8s.io/client-go/rest"
)

// GKE is the controllerName of GKE's own Gateways.
const GKE = "networking.gke.io/gateway"

// Config says what a controller of Gateways works with.
type Config struct {
	// Rest connects to the API server as an administrator.
	Rest *rest.Config
	// Controller is the controllerName of the GatewayClasses that it serves. Default
	// [GKE]: then routes have the condition Reconciled besides.
	Controller string
	// Listener is where clients come in, for all Gateways.
	Listener net.Listener
	// Address is written to the Gateways' status.addresses. Empty: none is.
	Address string
	// FrontEnds is how many front ends there are. Default 3.
	FrontEnds int
	// Delays are how long what is not instant takes. Default: [DefaultDelays].
	Delays *Delays
	// Log receives what happens, a line each. Default: slog.Default().
	Log *slog.Logger
}

// Delays say how long what is not instant takes.
type Delays struct {
	// Programme is from an edit to the moment when the controller has carried it out
	// and says so in the status. Google gives no number.
	Programme time.Duration
	// FirstAdoption and LastAdoption are when, after that, the first and the last front
	// end use it; the others spread evenly between. For Ingress Google says "minutes".
	FirstAdoption, LastAdoption time.Duration
	// Attach and Detach are from a change of a Service's endpoints to that of the load
	// balancer's.
	Attach, Detach time.Duration
	// HealthInterval is that of health checks: the default of a HealthCheckPolicy is 5 s
	// (gke-networking-recipes, gateway-api/config/servicepolicies/crd/standard).
	HealthInterval time.Duration
}

// DefaultDelays are what comes nearest to GKE where Google gives no number; they are
// those of package gclb.
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
