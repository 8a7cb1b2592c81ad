//go:build long

package scenario

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/prometheus"
)

// balancerMetrics are what users got, as Google's load balancer counts it: by backend
// service and class of status.
func (c *crowd) balancerMetrics() string {
	counts := map[string]int{}
	for _, v := range c.seen() {
		backend := "shop-blue"
		if v.answer.version == newVersion {
			backend = "shop-green"
		}
		counts[fmt.Sprintf(`backend_target_name=%q,response_code_class="%d00"`, backend, v.answer.status/100)]++
	}
	var text strings.Builder
	for labels, n := range counts {
		fmt.Fprintf(&text, "loadbalancing_googleapis_com:https_backend_request_count"+
			"{monitored_resource=\"https_lb_rule\",cache_result=\"DISABLED\",%s} %d\n", labels, n)
	}
	return text.String()
}

// Cloud Monitoring shows what a global load balancer counted four and a half minutes late. A
// version that fails is found out all the same while only the first users have it, however
// short its step is. This takes the time that it says.
func TestLateMetricsTakeUsersBackBeforeTheSecondWeight(t *testing.T) {
	t.Parallel()
	a := behindGateway{namespace: "canary-late", metrics: monitoringProject, spec: map[string]any{
		"canary": steps(step{40, "5s"}, step{80, "5s"}),
		"analysis": map[string]any{
			"google": map[string]any{
				"project": monitoringProject, "backends": map[string]any{"blue": "shop-blue", "green": "shop-green"},
			},
			"interval": "20s", "errors": map[string]any{"minSamples": int64(30), "failures": int64(1)},
		},
	}}.adopt(t)
	app := sources(t, example)["app.py"].Content
	pr := a.merge("Fail in French", map[string]string{"VERSION": newVersion + "\n", "app.py": frenchFails(app)})
	a.awaitGateway("v1.0.0")
	users := a.visited()
	counted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = w.Write([]byte(users.balancerMetrics()))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `[{"targets": [%q]}]`, r.Host)
	}))
	t.Cleanup(counted.Close)
	p, err := prometheus.Start(t.Context(), prometheus.Options{
		Program: filepath.Join(project, "bin", "prometheus"), Dir: t.TempDir(), Targets: counted.URL, Every: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	running.monitoring.show(t, p.URL)

	rel := a.follow(pr, "the first weight", hasWeight(40))
	shown := rel.Status.Shift.Weights[0].EffectiveAt.Add(20*time.Second + monitoringLag)
	for time.Now().Before(shown) {
		a.follow(pr, "the first weight alone", func(rel *v1alpha1.Release) bool { return len(rel.Status.Shift.Weights) == 1 })
	}
	rel = a.follow(pr, "the end", in(v1alpha1.ReleaseFailed))
	if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedCheck || !strings.Contains(f.Message, "check errors") {
		t.Errorf("the failure is %+v", f)
	}
	if diff := cmp.Diff([]int32{40, 0}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	a.awaitGateway("v1.0.0")
	expectServed(t, users.leave(), newVersion)
	if n := running.monitoring.askedEarly(); n > 0 {
		t.Errorf("%d queries were about times that nothing is known of yet", n)
	}
}
