package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestMistakesInASpecNameTheirField(t *testing.T) {
	t.Parallel()
	spec := v1alpha1.AnalysisSpec{
		Prometheus: &v1alpha1.PrometheusSpec{}, Latency: &v1alpha1.LatencyCheck{Pass: "value <"}, Errors: &v1alpha1.ErrorsCheck{},
		Checks: []v1alpha1.MetricCheck{
			{Name: "a", Query: `up`, Samples: `x{c="$color"}`, Pass: "value"},
			{Name: "b", Query: `x{c="$color"}`, Samples: `rate(x{c="$color"}[5m])`},
		},
	}
	_, problems := Compile(spec, BalancerOther)
	var got []string
	for _, p := range problems {
		got = append(got, p.Field)
		if p.Text == "" {
			t.Errorf("%s: nothing is said", p.Field)
		}
	}
	want := []string{
		"spec.analysis.checks[0].query", "spec.analysis.checks[0].pass", "spec.analysis.checks[1].samples", "spec.analysis.errors",
		"spec.analysis.latency", "spec.analysis.latency.pass", "spec.analysis.interval",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The names are Google's, see ready.go.
func TestReadyMadeChecksAskForTheLoadBalancersMetrics(t *testing.T) {
	t.Parallel()
	google := func(checks ...v1alpha1.MetricCheck) v1alpha1.AnalysisSpec {
		return v1alpha1.AnalysisSpec{
			Google: &v1alpha1.GoogleMetricsSpec{Project: "acme-prod"}, Interval: metav1.Duration{Duration: time.Minute}, Checks: checks,
		}
	}
	both := google()
	both.Errors, both.Latency = &v1alpha1.ErrorsCheck{MinSamples: 100}, &v1alpha1.LatencyCheck{Pass: "value < other"}
	for balancer, want := range map[Balancer]struct {
		requests, errors, latency string
		lag                       time.Duration
	}{
		BalancerGlobal: {
			`loadbalancing_googleapis_com:https_backend_request_count{monitored_resource="https_lb_rule",` +
				`backend_target_name="k8s1-x",cache_result!="HIT"`,
			`,response_code_class=~"0|500"}`, "loadbalancing_googleapis_com:https_backend_latencies_bucket{", 270 * time.Second,
		},
		BalancerRegional: {
			`loadbalancing_googleapis_com:https_external_regional_backend_request_count{` +
				`monitored_resource="http_external_regional_lb_rule",backend_target_name="k8s1-x"`,
			`,response_code_class=~"0|500"}`, "loadbalancing_googleapis_com:https_external_regional_backend_latencies_bucket{", 150 * time.Second,
		},
		BalancerInternal: {
			`loadbalancing_googleapis_com:https_internal_backend_request_count{monitored_resource="internal_http_lb_rule",` +
				`backend_target_name="k8s1-x"`,
			`,response_code_class=~"0|500"}`, "loadbalancing_googleapis_com:https_internal_backend_latencies_bucket{", 150 * time.Second,
		},
	} {
		plan, problems := Compile(both, balancer)
		if len(problems) > 0 || len(plan.Checks) != 2 || plan.Lag != want.lag || plan.Window != time.Minute {
			t.Fatalf("%s: %+v, %v", balancer, plan, problems)
		}
		v := Values{Backend: "k8s1-x", Window: time.Minute}
		errors, latency := plan.Checks[0], plan.Checks[1]
		for got, want := range map[string]string{
			errors.samples.Render(v):  "sum(increase(" + want.requests + "}[60000ms]))",
			latency.samples.Render(v): "sum(increase(" + want.requests + "}[60000ms]))",
			errors.query.Render(v):    "sum(increase(" + want.requests + want.errors + "[60000ms]))",
		} {
			if got != want {
				t.Errorf("%s:\ngot  %s\nwant %s", balancer, got, want)
			}
		}
		if got := latency.query.Render(v); !strings.Contains(got, want.latency) ||
			!strings.HasPrefix(got, "histogram_quantile(0.95, sum by (le) (increase(") {
			t.Errorf("%s: the latency is %s", balancer, got)
		}
		if errors.Passes() != "" || latency.Passes() != "value < other" {
			t.Errorf("%s: the accepted numbers are %q and %q", balancer, errors.Passes(), latency.Passes())
		}
	}
	own := v1alpha1.MetricCheck{Query: `x{c="$color"}`, Samples: `x{c="$color"}`}
	balancers := v1alpha1.MetricCheck{Query: `loadbalancing_googleapis_com:x{c="$backend"}`, Samples: `x{c="$color"}`}
	for _, tt := range []struct {
		spec     v1alpha1.AnalysisSpec
		balancer Balancer
		want     time.Duration
	}{
		{google(own), BalancerGlobal, time.Minute},
		{google(own, balancers), BalancerGlobal, 270 * time.Second},
		{google(own, balancers), BalancerInternal, 150 * time.Second},
		{google(balancers), BalancerOther, 270 * time.Second},
		{
			v1alpha1.AnalysisSpec{
				Prometheus: &v1alpha1.PrometheusSpec{}, Interval: metav1.Duration{Duration: time.Second}, Checks: []v1alpha1.MetricCheck{own},
			}, BalancerGlobal, 0,
		},
	} {
		if plan, problems := Compile(tt.spec, tt.balancer); plan.Lag != tt.want || problems != nil {
			t.Errorf("%+v is %s late, want %s (%v)", tt.spec.Checks, plan.Lag, tt.want, problems)
		}
	}
}

func TestGoogleIsAskedByProject(t *testing.T) {
	t.Parallel()
	const want = "https://monitoring.googleapis.com/v1/projects/acme-prod/location/global/prometheus"
	if got := GoogleURL(MonitoringAddress, "acme-prod"); got != want {
		t.Errorf("the request goes to %s", got)
	}
}
