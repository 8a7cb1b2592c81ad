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

// Config configures a load balancer.
type Config struct {
	// Rest connects to the API server as an administrator.
	Rest *rest.Config
	// Kubeconfig is the same for Google's controllers.
	Kubeconfig []byte
	// Dir holds the controllers' configuration and log. It must exist.
	Dir string
	// Flags are additional flags of the controllers, besides those of [controllers].
	Flags []string
	// Listener accepts clients, for all Ingresses.
	Listener net.Listener
	// Address is written to the Ingresses' status.loadBalancer. Empty: nothing is.
	Address string
	// Webhook accepts the API server's calls of the admission webhooks; Run closes it. Default: a
	// free port of 127.0.0.1.
	Webhook net.Listener
	// Compute accepts calls of the compute API; Run closes it. Default: a free port of 127.0.0.1.
	Compute net.Listener
	// FrontEnds is how many front ends there are. Default 3.
	FrontEnds int
	// Project and Zone of the cluster. Default acme-prod, us-central1-b.
	Project, Zone string
	// Speed divides every delay and the intervals of health checks. It does not divide an
	// application's own limits (timeouts of health checks and of backend services, and draining),
	// nor the own timers of Google's controllers (retries, polls, garbage collection and
	// resyncs). Default 1.
	Speed float64
	// Delays are divided by Speed. Default: [DefaultDelays].
	Delays *Delays
	// KeepNEGAnnotation leaves the NEG annotation of new Services as it is, as in a
	// cluster where container-native load balancing is not the default. Otherwise a
	// Service without one gets {"ingress":true} when it is created, as GKE does in
	// VPC-native clusters since 1.17.6-gke.7.
	KeepNEGAnnotation bool
	// Refuse decides whether a call of the compute API fails with 503, as the real one does at
	// times. Default: none does.
	Refuse func(*http.Request) bool
	// HoldHealth returns when health checks may reach an endpoint for the first time,
	// HoldAdoption when the last front end may adopt a configuration. Both are called once their
	// delays are over. So a test of the losses in between need not be faster than a delay.
	// Default: at once.
	HoldHealth   func(ctx context.Context, address string)
	HoldAdoption func()
	// Adoption, if set, reports which configuration the front ends use.
	Adoption *Adoption
	// Log receives the changes in the cloud, one line each, and every refused request, at level
	// debug. Default: slog.Default().
	Log *slog.Logger
}

// Delays are the durations of whatever is not instant.
type Delays struct {
	// Operation is one change of a health check, backend service, NEG, URL map or
	// other resource: the controllers wait for each. Google promises no number; the
	// end-to-end tests of ingress-gce allow 15 minutes for an update of an Ingress
	// (pkg/e2e/helpers.go:82-83). Default 2 s.
	Operation time.Duration
	// Attach and Detach are one call each that changes the endpoints of a NEG; they run in
	// parallel. Default 5 s each. Google's advice that a pod should sleep for 40 s before it ends
	// covers Detach and its effects (cloud.google.com/knowledge/kb/…-000006416).
	Attach, Detach time.Duration
	// HealthListed is how long an endpoint has no health status at all after it was attached, or
	// after its NEG was linked. If it is longer than a poll of the NEG, it springs the trap of
	// kubernetes/ingress-gce#1718. Default 0.
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

// DefaultDelays are those of a cluster on Google Cloud, or the nearest guess where Google gives
// no number.
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

// setDefaults fills in defaults and opens the webhooks' listener.
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
