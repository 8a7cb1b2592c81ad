package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
)

// metrics are Turnout's metrics for Prometheus, beside controller-runtime's metrics of work
// queues and of requests to Kubernetes, and recordMetrics. docs/metrics.md lists all of
// them; a test compares them.
type metrics struct {
	releases   *prometheus.CounterVec
	switches   *prometheus.CounterVec
	steps      *prometheus.HistogramVec
	webhooks   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	github     *prometheus.CounterVec
	remaining  *prometheus.GaugeVec
	limit      *prometheus.GaugeVec
	cloudbuild *prometheus.CounterVec
	build      *prometheus.GaugeVec
	asked      *prometheus.CounterVec
	proofs     *prometheus.CounterVec
	newVersion prometheus.Histogram
}

// newMetrics registers the metrics. Their labels have few values: an application is an
// object of the cluster.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		releases:   counter("turnout_releases_total", "Releases that ended, by their final phase.", "namespace", "application", "kind", "phase"),
		switches:   counter("turnout_switches_total", "Movements of traffic: Deploy, Rollback, or Restore.", "namespace", "application", "kind"),
		webhooks:   counter("turnout_webhooks_total", "Webhooks answered, by event and HTTP status.", "event", "status"),
		deliveries: counter("turnout_deliveries_total", "Webhooks that were handled, or are not tried again, by how that ended.", "phase"),
		github: counter("turnout_github_requests_total", "Requests to GitHub, by HTTP status; error if there was no answer.", "method",
			"status"),
		remaining:  gauge("turnout_github_rate_limit_remaining", "Requests that GitHub's last answer left until its limit is reset.", "resource"),
		limit:      gauge("turnout_github_rate_limit_limit", "Requests that GitHub allows in the period, as its last answer said.", "resource"),
		cloudbuild: counter("turnout_cloudbuild_requests_total", "Requests to Cloud Build, by method and gRPC code.", "method", "code"),
		build:      gauge("turnout_build_info", "1, with the version that runs.", "version"),
		asked: counter("turnout_proof_requests_total", "Requests to public addresses, by result.", "namespace",
			"application", "result"),
		proofs: counter("turnout_proofs_total", "Measured switches, by result of the measurement.", "namespace", "application",
			"result"),
		newVersion: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "turnout_proof_new_version_seconds", Help: "Time from a switch to the new version's first answer.",
			Buckets: prometheus.ExponentialBuckets(0.1, 2, 13), // 100 ms to 7 min
		}),
		steps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "turnout_step_seconds", Help: "How long the steps of releases took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 10), // 10 ms to 44 min
		}, []string{"step"}),
	}
	m.build.WithLabelValues(version()).Set(1)
	m.beginRequests()
	all := []prometheus.Collector{
		m.releases, m.switches, m.steps, m.webhooks, m.deliveries, m.github, m.remaining, m.limit, m.cloudbuild,
		m.build, m.asked, m.proofs, m.newVersion,
	}
	for _, c := range all {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
}

// beginRequests creates the series that belong to no application, at 0, as far as alert
// rules need them: increase() misses the event that creates a series.
func (m *metrics) beginRequests() {
	for _, phase := range v1alpha1.FinalDeliveryPhases() {
		m.deliveries.WithLabelValues(string(phase))
	}
	for _, event := range []string{"push", "issue_comment", "ping", "other"} {
		m.webhooks.WithLabelValues(event, strconv.Itoa(http.StatusAccepted))
		m.webhooks.WithLabelValues(event, strconv.Itoa(http.StatusServiceUnavailable))
	}
	// Before the signature is verified, the event is unknown.
	for _, status := range []int{http.StatusUnauthorized, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		m.webhooks.WithLabelValues("", strconv.Itoa(status))
	}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		m.github.WithLabelValues(method, "error")
		for _, status := range []int{
			http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
			http.StatusGatewayTimeout,
		} {
			m.github.WithLabelValues(method, strconv.Itoa(status))
		}
	}
	for _, method := range []string{
		"CreateBuild", "GetBuild", "ListBuilds", "CancelBuild", "GetBuildTrigger", "ListBuildTriggers",
		"RunBuildTrigger",
	} {
		for _, code := range []codes.Code{
			codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.PermissionDenied,
			codes.ResourceExhausted,
		} {
			m.cloudbuild.WithLabelValues(method, code.String())
		}
	}
}

// begin creates the series of an application, at 0, for the same reason.
func (m *metrics) begin(app client.ObjectKey) {
	for _, kind := range []v1alpha1.ReleaseKind{v1alpha1.Deploy, v1alpha1.Rollback, v1alpha1.Contract} {
		for _, phase := range v1alpha1.FinalPhases() {
			m.releases.WithLabelValues(app.Namespace, app.Name, string(kind), string(phase))
		}
	}
	for _, kind := range []string{string(v1alpha1.Deploy), string(v1alpha1.Rollback), v1alpha1.KindRestore} {
		m.switches.WithLabelValues(app.Namespace, app.Name, kind)
	}
	for _, told := range []proof.Kind{proof.Served, proof.Failed, proof.Unseen} {
		m.asked.WithLabelValues(app.Namespace, app.Name, told.String())
	}
	for _, result := range []v1alpha1.ProofResult{
		v1alpha1.ProofConfirmed, v1alpha1.ProofFailed, v1alpha1.ProofInconclusive, v1alpha1.ProofInterrupted, v1alpha1.ProofNotObserved,
	} {
		m.proofs.WithLabelValues(app.Namespace, app.Name, string(result))
	}
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

// Asked implements deployer.Observer.
func (m *metrics) Asked(app client.ObjectKey, told string) {
	m.asked.WithLabelValues(app.Namespace, app.Name, told).Inc()
}

// Proved implements deployer.Observer.
func (m *metrics) Proved(app client.ObjectKey, result v1alpha1.ProofResult, newVersionAfter time.Duration) {
	m.proofs.WithLabelValues(app.Namespace, app.Name, string(result)).Inc()
	if newVersionAfter > 0 {
		m.newVersion.Observe(newVersionAfter.Seconds())
	}
}

// webhook counts an answered webhook. Before the signature is verified the event is empty,
// so nobody can make up values.
func (m *metrics) webhook(event string, status int) {
	m.webhooks.WithLabelValues(event, strconv.Itoa(status)).Inc()
}

// delivery counts a finished delivery.
func (m *metrics) delivery(d *v1alpha1.Delivery) {
	m.deliveries.WithLabelValues(string(d.Status.Phase)).Inc()
}
