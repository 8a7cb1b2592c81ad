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
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/prometheus"
)

// measuredImage is the example with metrics, see seeds.
const measuredImage = "gcr.io/acme-prod/my-python-app:measured"

// measuredApp is the example with metrics: it counts the answers of its first page by
// status and by duration. A status that it never answered has no series. It has the page
// /api, which is like the first one.
func measuredApp(app string) string {
	for _, change := range [][2]string{
		{`"/slow": self.slow}`, `"/slow": self.slow, "/metrics": self.metrics, "/api": self.root}`},
		{"    def healthz(self, _query):", `    def metrics(self, _query):
        lines = [f'http_requests_total{{code="{c}"}} {n}' for c, n in self.server.answers.items()]
        lines += [f'http_seconds_bucket{{le="{le}"}} {n}' for le, n in self.server.seconds.items()]
        content = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def count(self, code, began):
        answers, seconds = self.server.answers, self.server.seconds
        answers[code] = answers.get(code, 0) + 1
        took = time.monotonic() - began
        for le in seconds:
            seconds[le] += took <= float(le)

    def healthz(self, _query):`},
		{"    def root(self, query):\n", "    def root(self, query):\n        began = time.monotonic()\n"},
		{measuredAnswer, measuredAnswer + "        self.count(200, began)\n"},
		{
			"        self.version = version\n",
			"        self.version = version\n        self.answers = {200: 0}\n" +
				"        self.seconds = {le: 0 for le in (\"0.25\", \"0.5\", \"1\", \"+Inf\")}\n",
		},
	} {
		app = strings.Replace(app, change[0], change[1], 1)
	}
	return app
}

// measuredAnswer is the example's code that answers with its first page.
const measuredAnswer = `        self.answer(200, {"greeting": greeting, "version": self.server.version, ` +
	"\"pod\": os.environ.get(\"HOSTNAME\", \"\")})\n"

// failingApp answers three of ten requests with 500, but passes its health checks.
func failingApp(app string) string {
	const began = "        began = time.monotonic()\n"
	return strings.Replace(measuredApp(app), began, began+`        if sum(self.server.answers.values()) % 10 < 3:
            self.count(500, began)
            self.answer(500, {"error": "out of luck"})
            return
`, 1)
}

// slowerApp takes more than half a second for its first page.
func slowerApp(app string) string {
	const began = "        began = time.monotonic()\n"
	return strings.Replace(measuredApp(app), began, began+"        time.sleep(0.6)\n", 1)
}

// measuredSources is the repository of the example with metrics.
func measuredSources(t *testing.T) map[string]githubtest.File {
	t.Helper()
	files := sources(t, example)
	app := files["app.py"]
	app.Content = measuredApp(app.Content)
	files["app.py"] = app
	return files
}

// useImage makes a Deployment's container run an image.
func useImage(t *testing.T, deployment *unstructured.Unstructured, image string) {
	t.Helper()
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	containers[0].(map[string]any)["image"] = image
	set(t, deployment, containers, "spec", "template", "spec", "containers")
}

// scrape starts a Prometheus that scrapes the pods of namespaces.
func scrape(t *testing.T, namespaces ...string) *prometheus.Prometheus {
	t.Helper()
	targets := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		type group struct {
			Targets []string          `json:"targets"`
			Labels  map[string]string `json:"labels"`
		}
		groups := []group{}
		for _, namespace := range namespaces {
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
	return p
}

// allowMetrics lets Turnout ask a server, or a Google project, for an application's metrics.
func (a *application) allowMetrics(from string) {
	a.t.Helper()
	a.change(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: a.namespace}},
		`{"metadata":{"annotations":{"`+v1alpha1.MetricsAnnotation+`":"`+from+`"}}}`)
}

// judged is a field analysis of a BlueGreen's spec.
type judged struct {
	by             *prometheus.Prometheus
	mode, deadline string
	minSamples     int64 // of the requests whose failures are counted
}

func (j judged) spec() map[string]any {
	const quantile = `histogram_quantile(0.9, sum by (le) (increase(http_seconds_bucket{namespace="$namespace",color="$color"}[$window])))`
	const requests = `sum(increase(http_requests_total{namespace="$namespace",color="$color"`
	return map[string]any{
		"prometheus": map[string]any{"url": j.by.URL}, "mode": j.mode, "interval": "5s", "deadline": j.deadline,
		"checks": []any{
			map[string]any{
				"name": "failures", "minSamples": j.minSamples, "query": requests + `,code=~"5.."}[$window]))`, "samples": requests + `}[$window]))`,
			},
			map[string]any{
				"name": "p90", "minSamples": int64(5), "query": quantile, "samples": requests + `}[$window]))`,
				"pass": "value < 0.25 || value <= other * 1.5",
			},
		},
	}
}

// adoptMeasured runs the example with metrics, a Prometheus that scrapes them, and a
// BlueGreen that judges them.
func adoptMeasured(t *testing.T, namespace, mode, deadline string) (*application, *prometheus.Prometheus) {
	t.Helper()
	p := scrape(t, namespace)
	a := newApplication(t, namespace, measuredSources(t))
	a.allowMetrics(p.URL)
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(1), "spec", "replicas")
			useImage(t, u, measuredImage)
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "10s", "spec", "soak")
			set(t, u, "6s", "spec", "drain") // several versions come in turn
			set(t, u, judged{by: p, mode: mode, deadline: deadline, minSamples: 20}.spec(), "spec", "analysis")
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	return a, p
}

// A version that fails three of ten requests does not survive its soak: a Prometheus shows
// it, and users go back to the previous version. The same goes for a slower version. A good
// version stays; it has no series of errors.
func TestMetricsDecideWhichVersionStays(t *testing.T) {
	t.Parallel()
	a, _ := adoptMeasured(t, "errors", "Enforce", "1m")
	a.awaitAnswer(a.host(), "200 v1.0.0")
	asked := a.watchUsers("200")
	app := sources(t, example)["app.py"].Content
	for _, bad := range []struct{ title, version, app, check string }{
		{"Be out of luck", "v3.0.0", failingApp(app), "failures"}, {"Be slower", "v4.0.0", slowerApp(app), "p90"},
	} {
		pr := a.merge(bad.title, map[string]string{"VERSION": bad.version + "\n", "app.py": bad.app})
		rel := a.follow(pr, "the deploy", in(v1alpha1.ReleaseFailed))
		if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedCheck || f.Step != v1alpha1.StepSoak ||
			!strings.Contains(f.Message, "check "+bad.check) {
			t.Errorf("%s: the failure is %+v", bad.title, f)
		}
		a.awaitAnswer(a.host(), "200 v1.0.0")
		a.awaitComment(pr.Number, "| ❌ "+bad.check+" |")
	}
	good := a.follow(a.merge("Be neither", map[string]string{"VERSION": "v5.0.0\n", "app.py": measuredApp(app)}), "the deploy",
		in(v1alpha1.ReleaseSucceeded))
	for _, c := range good.Status.Analysis.Checks {
		if last := c.Points[len(c.Points)-1]; last.Verdict != v1alpha1.VerdictPass || c.Name == "failures" && last.Value != "0" {
			t.Errorf("%s of the good version: %+v", c.Name, last)
		}
	}
	if answers := asked(); !slices.ContainsFunc(answers, func(s string) bool { return strings.Contains(s, "500") }) {
		t.Error("no user got an error, so there was nothing to catch")
	}
}

func TestErrorsThatAreObservedAreOnlyReported(t *testing.T) {
	t.Parallel()
	a, _ := adoptMeasured(t, "observed", "Observe", "1m")
	a.change(a.blueGreen(), `{"spec":{"soak":"45s"}}`) // observed metrics hold nothing: they are judged for as long as it lasts
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
		t.Error("no user got an error, so there was nothing to observe")
	}
}

// Ten requests are too few for a verdict, and an unreachable Prometheus gives none: users
// stay where they are.
func TestMetricsWithoutAVerdictLeaveUsersWhereTheyAre(t *testing.T) {
	t.Parallel()
	a, p := adoptMeasured(t, "away", "Enforce", "5s")
	release := func(title, version, said string, users int) {
		t.Helper()
		pr := a.merge(title, map[string]string{"VERSION": version + "\n"})
		a.follow(pr, "the soak", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SoakStartedAt != nil })
		for range users {
			if _, err := get(t.Context(), a.host(), "/"); err != nil {
				t.Error(err)
			}
		}
		rel := a.follow(pr, "the deploy", in(v1alpha1.ReleaseError))
		if f := rel.Status.Failure; f == nil || f.Reason != v1alpha1.FailedMetricsUnseen || !strings.Contains(f.Message, said) {
			t.Errorf("%s: the failure is %+v", title, f)
		}
		a.awaitAnswer(a.host(), version)
	}
	release("Ask ten times", "v3.0.0", "failures: too few samples", 10)
	p.Stop()
	release("Ask nobody", "v4.0.0", "connection refused", 0)
}
