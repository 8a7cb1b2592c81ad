package deployer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
)

// prometheus is a server of Prometheus' API with two metrics for each colour: requests and errors
// in a window.
type prometheus struct {
	*httptest.Server
	mu      sync.Mutex
	numbers map[string]string // by metric and colour; none: no series
	away    bool
	refuses string          // the error for every query; empty: none
	asked   map[string]bool // metric, colour and time
	auth    string          // of the last request
}

var knownQuery = regexp.MustCompile(`^sum\(increase\((requests|errors)\{color="(blue|green)"\}\[1000ms\]\)\)$`)

func startPrometheus(t testing.TB, numbers map[string]string) *prometheus {
	t.Helper()
	p := &prometheus{numbers: numbers, asked: map[string]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/query", func(w http.ResponseWriter, r *http.Request) { p.query(t, w, r) })
	mux.HandleFunc("POST /v1/projects/acme-prod/location/global/prometheus/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		p.query(t, w, r)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("unexpected %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotImplemented)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *prometheus) query(t testing.TB, w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.auth = r.Header.Get("Authorization")
	if p.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if p.refuses != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"status":"error","errorType":"bad_data","error":%q}`, p.refuses)
		return
	}
	found := knownQuery.FindStringSubmatch(r.FormValue("query"))
	if found == nil {
		t.Errorf("unexpected query %s", r.FormValue("query"))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	key := found[1] + " " + found[2]
	p.asked[key+" "+r.FormValue("time")] = true
	result := ""
	if n := p.numbers[key]; n != "" {
		result = fmt.Sprintf(`{"metric":{},"value":[%s,%q]}`, r.FormValue("time"), n)
	}
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
}

func (p *prometheus) change(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// times counts the windows of a release for which a colour's metric was requested; those end on a
// full second. A trial of a check may end at any time.
func (p *prometheus) times(metric string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for key := range p.asked {
		if strings.HasPrefix(key, metric+" ") && !strings.Contains(key, ".") {
			n++
		}
	}
	return n
}

// measured is an application whose errors are judged every second of a two-second soak.
func measured(url string, change ...func(*v1alpha1.AnalysisSpec)) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Soak = duration(2 * time.Second)
		bg.Spec.Analysis = &v1alpha1.AnalysisSpec{
			Prometheus: &v1alpha1.PrometheusSpec{URL: url}, Interval: metav1.Duration{Duration: time.Second},
			Deadline: metav1.Duration{Duration: time.Hour},
			Checks: []v1alpha1.MetricCheck{{
				Name: "failures", Query: `sum(increase(errors{color="$color"}[$window]))`, Samples: `sum(increase(requests{color="$color"}[$window]))`,
			}},
		}
		for _, c := range change {
			c(bg.Spec.Analysis)
		}
	}
}

func observed(a *v1alpha1.AnalysisSpec) { a.Mode = v1alpha1.AnalysisObserve }

// newJudgedWorld has the grants for its metrics.
func newJudgedWorld(t testing.TB, p *prometheus, change ...func(*v1alpha1.AnalysisSpec)) *world {
	t.Helper()
	w := newWorld(t, measured(p.URL, change...))
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: p.URL + ",acme-prod"})
	return w
}

// numbers are each colour's requests, of which blue has 200, and errors; an empty number means no
// series.
func numbers(blueErrors, green, greenErrors string) map[string]string {
	return map[string]string{"requests blue": "200", "errors blue": blueErrors, "requests green": green, "errors green": greenErrors}
}

func TestMetricsDecideHowASoakEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		numbers map[string]string
		lacking string // what it waits for until the deadline
		away    bool
		observe bool
		phase   v1alpha1.ReleasePhase
		reason  v1alpha1.FailureReason
		live    v1alpha1.Color
		said    []string
	}{
		{
			name: "as before", numbers: numbers("10", "200", "12"), phase: v1alpha1.ReleaseSucceeded, live: v1alpha1.Green,
		},
		{name: "no series of errors", numbers: numbers("", "200", ""), phase: v1alpha1.ReleaseSucceeded, live: v1alpha1.Green},
		{
			name: "errors", numbers: numbers("", "200", "60"), phase: v1alpha1.ReleaseFailed, reason: v1alpha1.FailedCheck,
			live: v1alpha1.Blue,
			said: []string{"check failures failed 2 times in a row: 60 of 200 were errors in its last window, and 0 of 200 in the one before the " +
				"switch"},
		},
		{
			name: "errors are observed", numbers: numbers("", "200", "60"), observe: true, phase: v1alpha1.ReleaseSucceeded,
			live: v1alpha1.Green, said: []string{"spec.analysis.mode is Observe", "60 of 200 were errors"},
		},
		{
			name: "ten requests", numbers: numbers("", "10", "10"), lacking: "too few samples (10)", phase: v1alpha1.ReleaseError,
			reason: v1alpha1.FailedMetricsUnseen,
			live:   v1alpha1.Green, said: []string{"failures: too few samples (10)", "users stay on green", "/rollback"},
		},
		{
			name: "away", away: true, lacking: "503", phase: v1alpha1.ReleaseError, reason: v1alpha1.FailedMetricsUnseen,
			live: v1alpha1.Green, said: []string{"no metrics since", "503", "users stay on green"},
		},
		{
			name: "away are observed", away: true, observe: true, phase: v1alpha1.ReleaseSucceeded, live: v1alpha1.Green,
			said: []string{"the soak did not wait for metrics: 0 of 1 checks had a verdict in the end"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := startPrometheus(t, tt.numbers)
			p.away = tt.away
			w := newJudgedWorld(t, p, func(a *v1alpha1.AnalysisSpec) {
				if tt.observe {
					observed(a)
				}
			})
			if tt.observe && !tt.away {
				w.configure(`{"soak":"1h"}`) // it waits for no window beyond its time
			}
			w.run()
			rel := w.submit("a")
			if tt.observe && !tt.away {
				w.foundAbout(rel, "60 of 200 were errors")
				w.configure(`{"soak":"2s"}`)
			}
			if tt.lacking != "" {
				w.awaitMetrics(rel, tt.lacking)
				w.configure(`{"analysis":{"deadline":"1ms"}}`)
			}
			rel = w.awaitPhase(rel, tt.phase)
			w.expectLive(tt.live)
			if f := rel.Status.Failure; (f == nil) != (tt.reason == "") || f != nil && (f.Reason != tt.reason || f.Step != v1alpha1.StepSoak) {
				t.Errorf("the failure is %+v, want %q", f, tt.reason)
			}
			switch {
			case tt.reason != "":
				w.expectMessage(rel, tt.said...)
			case tt.observe:
				w.expectFinding(rel, tt.said...)
			}
			if tt.away {
				return
			}
			if n := p.times("requests blue"); n != 1 {
				t.Errorf("the left colour was queried for %d windows, want the last before the switch", n)
			}
			c := rel.Status.Analysis.Checks[0]
			n := len(c.Points)
			underWay := 0 // a deadline that passes does not wait for the query under way
			if tt.lacking != "" {
				underWay = 1
			}
			if asked := p.times("requests green"); n < 1 || (asked < n || asked > n+underWay) && n < 12 { // only the newest are kept
				t.Fatalf("%d windows were queried, and %d recorded", asked, n)
			}
			began := rel.Status.Analysis.Began
			if began.Time.Before(rel.Status.Milestones.ConfirmedAt.Time) {
				t.Errorf("the first window begins at %s, but the switch took effect at %s", began, rel.Status.Milestones.ConfirmedAt)
			}
			for i, point := range c.Points {
				if at := point.At.Sub(began.Time); n < 12 && at != time.Duration(i+1)*time.Second {
					t.Errorf("window %d ends %s after the first one begins", i, at)
				}
			}
			if last := c.Points[n-1].At.Time; tt.phase == v1alpha1.ReleaseSucceeded && rel.Status.Milestones.SoakedAt.Time.Before(last) {
				t.Errorf("the soak ended at %s, before the window of %s", rel.Status.Milestones.SoakedAt, last)
			}
		})
	}
}

// awaitMetrics waits until only metrics are missing, and the reason is shown.
func (w *world) awaitMetrics(rel *v1alpha1.Release, why string) *v1alpha1.Release {
	w.t.Helper()
	return w.await(rel, "the wait for metrics", func(r *v1alpha1.Release) bool {
		wait := r.Status.Waiting
		return wait != nil && wait.For == v1alpha1.WaitsForSoak && wait.Because == v1alpha1.BecauseMetrics && wait.Of == 1 && wait.Done == 0 &&
			strings.Contains(wait.Detail, why)
	})
}

// Metrics that come back in time are enough; nothing is requested twice.
func TestMetricsThatComeBack(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "200", ""))
	p.away = true
	w := newJudgedWorld(t, p)
	w.run()
	rel := w.awaitMetrics(w.submit("a"), "503")
	p.change(func() { p.away = false })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if a := rel.Status.Analysis; a.UnseenSince != nil || a.Unseen != "" || a.Checks[0].Verdicts < 1 {
		t.Errorf("the books are %+v", a)
	}
}

// Metrics are requested only with an administrator's grant.
func TestMetricsMustBeGranted(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "200", ""))
	w := newWorld(t, measured(p.URL))
	w.run()
	w.awaitReason(v1alpha1.ReasonNotGranted)
	said := w.application().Status
	if c := said.CommandsOf(v1alpha1.ConditionReady); len(c) != 1 || !strings.Contains(string(c[0]), "turnout.dev/metrics="+p.URL) {
		t.Errorf("the way out is %q", c)
	}
	if p.times("requests blue") > 0 {
		t.Error("metrics were queried without the grant")
	}
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: p.URL})
	w.awaitReason(v1alpha1.ReasonReady)
}

// A grant that is withdrawn during the soak ends the requests.
func TestMetricsAreAskedForAsGrantedNow(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "200", ""))
	w := newJudgedWorld(t, p)
	stop := w.run()
	m := metricsAccess{reader: w.record().Reader, monitoring: analysis.MonitoringAddress}
	bg := w.application()
	if _, err := m.client(t.Context(), bg); err != nil {
		t.Fatal(err)
	}
	stop()
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: p.URL + "/other"})
	if _, err := m.client(t.Context(), bg); err == nil || !strings.Contains(err.Error(), "is not granted metrics of "+p.URL) {
		t.Errorf("without the grant: %v", err)
	}
}

// The secret's content is sent; missing parts are reported.
func TestSecretsOfMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := metricsAccess{reader: w.record().Reader}
	for name, data := range map[string]map[string][]byte{
		"token": {"token": []byte("abc\n")}, "basic": {"username": []byte("shop"), "password": []byte("hunter2")}, "none": {"user": []byte("x")},
	} {
		w.create(&corev1.Secret{ObjectMeta: w.meta(name), Data: data})
	}
	for name, want := range map[string]string{"token": "Bearer abc", "basic": "Basic c2hvcDpodW50ZXIy"} {
		if got, err := m.authorization(t.Context(), w.namespace, name); got != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, want := range map[string]string{"none": "has no key token", "absent": "reading secret absent"} {
		if got, err := m.authorization(t.Context(), w.namespace, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	m.reader = w.impersonate("jane")
	if got, err := m.authorization(t.Context(), w.namespace, "token"); err == nil || !strings.Contains(err.Error(), "by a Role in namespace") {
		t.Errorf("without the right: %q, %v", got, err)
	}
}

// Wrong checks are reported when they are written, not by a release.
func TestChecksAreTriedOutWhenTheyChange(t *testing.T) {
	t.Parallel()
	p := startPrometheus(t, numbers("", "200", ""))
	w := newJudgedWorld(t, p, func(a *v1alpha1.AnalysisSpec) { a.Checks[0].Pass = "value <" })
	w.run()
	w.awaitReason(v1alpha1.ReasonPreflight)
	said := func(s v1alpha1.Severity, parts ...string) bool {
		for _, f := range w.application().Status.Findings {
			text := f.Reason + " " + f.String()
			if f.Severity == s && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) }) {
				return true
			}
		}
		return false
	}
	await := func(s v1alpha1.Severity, parts ...string) {
		t.Helper()
		w.until(fmt.Sprintf("the finding %q", parts), func() bool { return said(s, parts...) }, func() string {
			return fmt.Sprint(w.application().Status.Findings)
		})
	}
	condition := func(reason string) {
		t.Helper()
		w.until("the condition "+reason, func() bool {
			c := w.condition(v1alpha1.ConditionMetricsUnusable)
			return c == nil && reason == "" || c != nil && c.Reason == reason
		}, func() string { return fmt.Sprint(w.application().Status.Conditions) })
	}
	await(v1alpha1.SeverityError, "Analysis", "spec.analysis.checks[0].pass", "column")
	condition(v1alpha1.ReasonChecksInvalid)
	w.configure(`{"analysis":{"mode":"Observe"}}`)
	w.awaitReason(v1alpha1.ReasonReady)
	await(v1alpha1.SeverityWarning, "Analysis", "spec.analysis.checks[0].pass")
	p.change(func() { p.refuses = "unknown function" })
	check := w.application().Spec.Analysis.Checks[0]
	w.configure(fmt.Sprintf(`{"analysis":{"mode":"Enforce","checks":[{"name":"failures","query":%q,"samples":%q,"pass":"value < 1.0"}]}}`,
		check.Query, check.Samples))
	await(v1alpha1.SeverityWarning, "MetricsCheck", "check failures: its query was refused: unknown function")
	condition(v1alpha1.ReasonQueryRefused)
	w.awaitReason(v1alpha1.ReasonReady)
	p.change(func() { p.refuses = "" })
	w.configure(`{"analysis":{"deadline":"1m"}}`)
	w.until("the check to be tried again", func() bool { return !said(v1alpha1.SeverityWarning, "MetricsCheck", "refused") }, func() string {
		return fmt.Sprint(w.application().Status.Findings)
	})
	condition("")                                                         // one that finds nothing can be used
	if !said(v1alpha1.SeverityWarning, "MetricsCheck", "found nothing") { // there is no series of errors
		t.Errorf("the findings are %v", w.application().Status.Findings)
	}
}
