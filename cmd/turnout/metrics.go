package main

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// metrics are what Turnout tells Prometheus of its own, beside what
// controller-runtime tells of queues and of requests to Kubernetes.
type metrics struct {
	releases *prometheus.CounterVec
	switches *prometheus.CounterVec
	steps    *prometheus.HistogramVec
	webhooks *prometheus.CounterVec
}

// newMetrics registers the metrics. Labels are few and bounded: an application
// is an object of the cluster.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		releases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_releases_total", Help: "Releases that ended, by their final phase.",
		}, []string{"namespace", "application", "kind", "phase"}),
		switches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_switches_total", Help: "Movements of traffic: Deploy, Rollback, or Restore.",
		}, []string{"namespace", "application", "kind"}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "turnout_step_seconds", Help: "How long the steps of releases took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 10), // 10 ms to 44 min
		}, []string{"step"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "turnout_webhooks_total", Help: "Webhooks answered, by event and HTTP status.",
		}, []string{"event", "status"}),
	}
	for _, c := range []prometheus.Collector{m.releases, m.switches, m.steps, m.webhooks} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// StepEnded implements deployer.Observer.
func (m *metrics) StepEnded(_ client.ObjectKey, step v1alpha1.Step, took time.Duration) {
	m.steps.WithLabelValues(string(step)).Observe(took.Seconds())
}

// ReleaseEnded implements deployer.Observer.
func (m *metrics) ReleaseEnded(app client.ObjectKey, kind v1alpha1.ReleaseKind, phase v1alpha1.ReleasePhase) {
	m.releases.WithLabelValues(app.Namespace, app.Name, string(kind), string(phase)).Inc()
}

// Switched implements deployer.Observer.
func (m *metrics) Switched(app client.ObjectKey, kind string) {
	m.switches.WithLabelValues(app.Namespace, app.Name, kind).Inc()
}

// webhook counts an answered webhook. The event is empty, and so says nothing
// anybody could make up, unless its signature was verified.
func (m *metrics) webhook(event string, status int) {
	m.webhooks.WithLabelValues(event, strconv.Itoa(status)).Inc()
}
