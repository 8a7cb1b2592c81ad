package scenario

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/prometheus"
)

// measuredImage is the example with metrics, see seeds.
const measuredImage = "gcr.io/acme-prod/my-python-app:measured"

// measuredApp is the example with metrics: it counts the answers of its first page.
func measuredApp(app string) string {
	for _, change := range [][2]string{
		{`"/slow": self.slow}`, `"/slow": self.slow, "/metrics": self.metrics}`},
		{"    def healthz(self, _query):", `    def metrics(self, _query):
        lines = [f'http_requests_total{{code="{c}"}} {n}' for c, n in self.server.answers.items()]
        content = ("# TYPE http_requests_total counter\n" + "\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def healthz(self, _query):`},
		{"    def root(self, query):\n", "    def root(self, query):\n        self.server.answers[200] += 1\n"},
		{"        self.version = version\n", "        self.version = version\n        self.answers = {200: 0, 500: 0}\n"},
	} {
		app = strings.Replace(app, change[0], change[1], 1)
	}
	return app
}

// failingApp answers three requests of ten with 500, and is healthy otherwise.
func failingApp(app string) string {
	counted := "        self.server.answers[200] += 1\n"
	return strings.Replace(measuredApp(app), counted, `        code = 500 if sum(self.server.answers.values()) % 10 < 3 else 200
        self.server.answers[code] += 1
        if code == 500:
            self.answer(500, {"error": "out of luck"})
            return
`, 1)
}

// adoptMeasured runs the example with metrics, which a Prometheus scrapes, and has them
// judged.
func adoptMeasured(t *testing.T, namespace, mode, deadline string) (*application, *prometheus.Prometheus) {
	t.Helper()
	targets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		type group struct {
			Targets []string          `json:"targets"`
			Labels  map[string]string `json:"labels"`
		}
		groups := []group{}
		var pods corev1.PodList
		if err := running.kube.List(r.Context(), &pods, client.InNamespace(namespace)); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		for _, p := range pods.Items {
			if p.Status.PodIP != "" {
				labels := map[string]string{"namespace": namespace, "color": p.Labels["version"]}
				groups = append(groups, group{[]string{p.Status.PodIP + ":8080"}, labels})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(groups)
	}))
	t.Cleanup(targets.Close)
	p, err := prometheus.Start(t.Context(), prometheus.Options{
		Program: filepath.Join(project, "bin", "prometheus"), Dir: t.TempDir(), Targets: targets.URL, Every: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	files := sources(t, example)
	app := files["app.py"]
	app.Content = measuredApp(app.Content)
	files["app.py"] = app
	a := newApplication(t, namespace, files)
	grant := `{"metadata":{"annotations":{"turnout.dev/metrics":"` + p.URL + `"}}}`
	a.change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, grant)
	const requests = `sum(increase(http_requests_total{namespace="$namespace",color="$color"`
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(1), "spec", "replicas")
			containers, _, _ := unstructured.NestedSlice(u.Object, "spec", "template", "spec", "containers")
			containers[0].(map[string]any)["image"] = measuredImage
			set(t, u, containers, "spec", "template", "spec", "containers")
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "10s", "spec", "soak")
			set(t, u, map[string]any{
				"prometheus": map[string]any{"url": p.URL}, "mode": mode, "interval": "5s", "deadline": deadline,
				"checks": []any{map[string]any{
					"name": "failures", "minSamples": int64(20), "query": requests + `,code=~"5.."}[$window]))`, "samples": requests + `}[$window]))`,
				}},
			}, "spec", "analysis")
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	return a, p
}

// A version of which three requests of ten fail is caught while it soaks, by what a
// Prometheus scraped of it, and users are back on the version before.
func TestErrorsAreCaughtWhileAVersionSoaks(t *testing.T) {
	t.Parallel()
	a, _ := adoptMeasured(t, "errors", "Enforce", "1m")
	a.awaitAnswer(a.host(), "200 v1.0.0")
	asked := a.watchUsers("200")
	bad := a.merge("Be out of luck", map[string]string{"VERSION": "v3.0.0\n", "app.py": failingApp(sources(t, example)["app.py"].Content)})
	rel := a.follow(bad, "the deploy", in(v1alpha1.ReleaseFailed))
	if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedCheck || f.Step != v1alpha1.StepSoak {
		t.Errorf("the failure is %+v", f)
	}
	a.awaitAnswer(a.host(), "200 v1.0.0")
	a.awaitComment(bad.Number, "| ❌ failures |")
	if answers := asked(); !slices.ContainsFunc(answers, func(s string) bool { return strings.HasPrefix(s, "500") }) {
		t.Error("no user met an error, so there was nothing to catch")
	}
}

func TestErrorsThatAreObservedAreOnlySaid(t *testing.T) {
	t.Parallel()
	a, _ := adoptMeasured(t, "observed", "Observe", "1m")
	a.awaitAnswer(a.host(), "200 v1.0.0")
	asked := a.watchUsers("200")
	bad := a.merge("Be out of luck", map[string]string{"VERSION": "v3.0.0\n", "app.py": failingApp(sources(t, example)["app.py"].Content)})
	rel := a.follow(bad, "the deploy", in(v1alpha1.ReleaseSucceeded))
	said := slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool {
		return strings.Contains(f.Text, "spec.analysis.mode is Observe") && strings.Contains(f.Text, "check failures failed 2 times in a row")
	})
	if !said {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
	if answers := asked(); len(answers) == 0 {
		t.Error("no user met an error, so there was nothing to observe")
	}
}

func TestMetricsThatAreAwayLeaveUsersWhereTheyAre(t *testing.T) {
	t.Parallel()
	a, p := adoptMeasured(t, "away", "Enforce", "5s")
	p.Stop()
	good := a.merge("Count answers", map[string]string{"VERSION": "v3.0.0\n"})
	rel := a.follow(good, "the deploy", in(v1alpha1.ReleaseError))
	if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedMetricsUnseen || !strings.Contains(f.Message, "connection refused") {
		t.Errorf("the failure is %+v", f)
	}
	a.awaitAnswer(a.host(), "v3.0.0")
}
