package analysis

import (
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Balancer is a kind of Google's load balancers, by the names of its metrics.
type Balancer string

// Kinds of Google's load balancers. Any other has no metrics there.
const (
	BalancerGlobal   Balancer = "global external"
	BalancerRegional Balancer = "regional external"
	BalancerInternal Balancer = "internal"
	BalancerOther    Balancer = ""
	// BalancerUnknown is one of these kinds, but unknown which.
	BalancerUnknown Balancer = "unknown"
)

// noMetrics says why there are no ready-made checks.
var noMetrics = map[Balancer]string{
	BalancerOther: "users do not come through Google's load balancer, which alone has this metric: use spec.analysis.checks",
	BalancerUnknown: "Turnout cannot tell which of Google's load balancers serves users: let it get each Gateway of the route, " +
		"and use Gateways of one class, or use spec.analysis.checks",
}

// metrics are the names of a load balancer's metrics in PromQL, by Google's mapping
// (https://cloud.google.com/monitoring/promql/promql-mapping), and their delay: they are sampled
// every 60 s, and then not visible for up to 210 s, or 90 s
// (https://docs.cloud.google.com/load-balancing/docs/metrics).
type metrics struct {
	prefix, resource string
	// cached reports whether the metrics also count answers from the cache.
	cached bool
	lag    time.Duration
}

// known has these metrics. Two things are not verified with the real service: that increase over a
// window of one sample's length is not empty, and that the load balancer's own answers, such as
// 502, count for a backend. backend_request_count of the regional and the internal ones is in beta.
var known = map[Balancer]metrics{
	BalancerGlobal: {
		prefix: "loadbalancing_googleapis_com:https_", resource: "https_lb_rule", cached: true, lag: 270 * time.Second,
	},
	BalancerRegional: {
		prefix: "loadbalancing_googleapis_com:https_external_regional_", resource: "http_external_regional_lb_rule", lag: 150 * time.Second,
	},
	BalancerInternal: {
		prefix: "loadbalancing_googleapis_com:https_internal_", resource: "internal_http_lb_rule", lag: 150 * time.Second,
	},
}

// lagGoogle is the delay of metrics from Managed Prometheus. It is not verified: Google publishes
// no number.
const lagGoogle = time.Minute

// lag is the delay of a spec's metrics.
func lag(spec v1alpha1.AnalysisSpec, balancer Balancer) time.Duration {
	if spec.Google == nil {
		return 0
	}
	m, google := known[balancer]
	for _, c := range spec.Checks {
		if strings.Contains(c.Query+c.Samples, "loadbalancing") && !google {
			return known[BalancerGlobal].lag
		} else if strings.Contains(c.Query+c.Samples, "loadbalancing") {
			return m.lag
		}
	}
	if spec.Errors != nil || spec.Latency != nil {
		return m.lag
	}
	return lagGoogle
}

// of selects a metric of a backend service.
func (m metrics) of(name, more string) string {
	selector := `monitored_resource="` + m.resource + `",backend_target_name="$backend"`
	if m.cached {
		selector += `,cache_result!="HIT"`
	}
	return "increase(" + m.prefix + name + "{" + selector + more + "}[$window])"
}

// readyMade returns the checks of the load balancer's own metrics.
func readyMade(spec v1alpha1.AnalysisSpec, balancer Balancer) ([]Check, []Problem) {
	var sources []source
	var problems []Problem
	m, google := known[balancer]
	for _, field := range []string{"errors", "latency"} {
		if field == "errors" && spec.Errors == nil || field == "latency" && spec.Latency == nil {
			continue
		}
		if !google {
			problems = append(problems, Problem{
				Field: "spec.analysis." + field,
				Text:  noMetrics[balancer],
			})
		}
	}
	requests := "sum(" + m.of("backend_request_count", "") + ")"
	if c := spec.Errors; c != nil {
		sources = append(sources, source{
			name: "errors", query: "sum(" + m.of("backend_request_count", `,response_code_class=~"0|500"`) + ")", samples: requests,
			minSamples: c.MinSamples, failures: c.Failures,
		})
	}
	if c := spec.Latency; c != nil {
		sources = append(sources, source{
			name: "latency", query: "histogram_quantile(0.95, sum by (le) (" + m.of("backend_latencies_bucket", "") + "))", samples: requests,
			pass: c.Pass, minSamples: c.MinSamples, failures: c.Failures,
		})
	}
	var checks []Check
	for _, s := range sources {
		check, wrong := compile(s)
		for _, p := range wrong {
			problems = append(problems, Problem{Field: "spec.analysis." + s.name + "." + p.Field, Text: p.Text})
		}
		checks = append(checks, check)
	}
	return checks, problems
}
