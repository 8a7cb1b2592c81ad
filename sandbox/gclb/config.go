package gclb

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// Config says what a load balancer works with.
type Config struct {
	// Rest connects to the API server as an administrator.
	Rest *rest.Config
	// Kubeconfig is the same for Google's controllers.
	Kubeconfig []byte
	// Dir holds the controllers' configuration and log. It must exist.
	Dir string
	// Flags are further ones of the controllers, which [controllers] does not set.
	Flags []string
	// Listener is where clients come in, for all Ingresses.
	Listener net.Listener
	// Address is written to the Ingresses' status.loadBalancer. Empty: none is.
	Address string
	// Webhook is where the API server reaches the admission webhooks; Run closes it.
	// Default: a free port of 127.0.0.1.
	Webhook net.Listener
	// Compute is where the compute API is asked; Run closes it. Default: a free port of
	// 127.0.0.1.
	Compute net.Listener
	// FrontEnds is how many front ends there are. Default 3.
	FrontEnds int
	// Project and Zone are where the cluster is. Default acme-prod, us-central1-b.
	Project, Zone string
	// Speed divides every delay and the intervals of health checks. What an
	// application is allowed to take is not divided: timeouts of health checks and of
	// backend services, and draining; nor what Google's controllers take by
	// themselves: their retries, polls, garbage collection and resyncs. Default 1.
	Speed float64
	// Delays are what Speed divides. Default: [DefaultDelays].
	Delays *Delays
	// KeepNEGAnnotation leaves the NEG annotation of new Services as it is, as in a
	// cluster where container-native load balancing is not the default. Otherwise a
	// Service without one gets {"ingress":true} when it is created, as GKE does in
	// VPC-native clusters since 1.17.6-gke.7.
	KeepNEGAnnotation bool
	// Refuse tells of a call of the compute API whether it fails with 503, as the real
	// one does at times. Default: none does.
	Refuse func(*http.Request) bool
	// HoldHealth returns when health checks may reach an endpoint for the first time,
	// HoldAdoption when the last front end may adopt a configuration: both are called
	// once their delays are over. So who wants to see what is lost meanwhile need not
	// be faster than a delay. Default: at once.
	HoldHealth   func(ctx context.Context, address string)
	HoldAdoption func()
	// Adoption, if there is one, says which configuration the front ends use.
	Adoption *Adoption
	// Log receives what happens in the cloud, one line a change, and every request
	// that was refused, at level debug. Default: slog.Default().
	Log *slog.Logger
}

// Delays say how long what is not instant takes.
type Delays struct {
	// Operation is one change of a health check, backend service, NEG, URL map or
	// other resource: the controllers wait for each. Google promises no number; the
	// end-to-end tests of ingress-gce allow 15 minutes for an update of an Ingress
	// (pkg/e2e/helpers.go:82-83). Default 2 s.
	Operation time.Duration
	// Attach and Detach are one call that changes the endpoints of a NEG; they run
	// beside each other. Default 5 s each; Google's advice to let a pod sleep for
	// 40 s before it ends covers Detach and what follows
	// (cloud.google.com/knowledge/kb/…-000006416).
	Attach, Detach time.Duration
	// HealthListed is how long an endpoint has no health status at all after it was
	// attached, or after its NEG was linked. Longer than a poll of the NEG, it
	// springs the trap of kubernetes/ingress-gce#1718. Default 0.
	HealthListed time.Duration
	// HealthCheckStart is how long after that health checks reach an endpoint.
	// ingress-gce's LIMITATIONS.md:32 says minutes for a new load balancer; later
	// endpoints are faster. Default 10 s.
	HealthCheckStart time.Duration
	// FirstAdoption and LastAdoption are when the first and the last front end use
	// a new configuration; the others spread evenly between. Google says "minutes"
	// (gke-networking-recipes, multi-cluster ingress, blue-green); users saw 30 to
	// 90 s (kubernetes/kubernetes#44132). Default 2 s and 60 s.
	FirstAdoption, LastAdoption time.Duration
}

// DefaultDelays are those of a cluster on Google Cloud, or what comes nearest to
// them where Google gives no number.
func DefaultDelays() Delays {
	return Delays{
		Operation:        2 * time.Second,
		Attach:           5 * time.Second,
		Detach:           5 * time.Second,
		HealthCheckStart: 10 * time.Second,
		FirstAdoption:    2 * time.Second,
		LastAdoption:     60 * time.Second,
	}
}

// setDefaults fills in what is not set and opens the webhooks' listener.
func (c *Config) setDefaults() error {
	if c.FrontEnds == 0 {
		c.FrontEnds = 3
	}
	if c.Project == "" {
		c.Project = "acme-prod"
	}
	if c.Zone == "" {
		c.Zone = "us-central1-b"
	}
	if c.Speed == 0 {
		c.Speed = 1
	}
	if c.Delays == nil {
		c.Delays = new(DefaultDelays())
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	for what, listener := range map[string]*net.Listener{"admission webhooks": &c.Webhook, "the compute API": &c.Compute} {
		if *listener != nil {
			continue
		}
		var err error
		if *listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listening for %s: %w", what, err)
		}
	}
	return nil
}

// scaled is a duration at the configured speed.
func (c *Config) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.Speed)
}
