package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// scrape returns a registry's values by series; for a histogram, the number of
// observations.
func scrape(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	check(t, err)
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			found[f.GetName()+"{"+strings.Join(labels, ",")+
				"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return found
}

// gitHubAnswers calls a GitHub through the counting transport.
func gitHubAnswers(t *testing.T, m *metrics, answer http.HandlerFunc) {
	t.Helper()
	server := httptest.NewServer(answer)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	check(t, err)
	resp, err := gitHubTransport{http.DefaultTransport, m}.RoundTrip(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

// cloudBuildAnswers counts a request to Cloud Build that ends with an error.
func cloudBuildAnswers(t *testing.T, m *metrics, answer error) {
	t.Helper()
	err := m.cloudBuild(t.Context(), "/google.devtools.cloudbuild.v1.CloudBuild/GetBuild", nil, nil, nil,
		func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return answer })
	if !errors.Is(err, answer) {
		t.Errorf("the error became %v", err)
	}
}

// queue makes A act, and B and C wait, B for an hour, and locks the application.
func (s *site) queue() *recordMetrics {
	s.t.Helper()
	for _, commit := range []string{shaA, shaB, strings.Repeat("c", 40)} {
		check(s.t, s.admin.Create(s.t.Context(), command.NewDeploy(s.app, commit, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})))
	}
	active := s.release(v1alpha1.DeployName("shop", shaA, 1))
	started := metav1.NewMicroTime(active.CreationTimestamp.Add(59 * time.Minute))
	active.Status.Phase = v1alpha1.ReleaseRunning
	active.Status.Timeline = []v1alpha1.TimelineEntry{{Step: v1alpha1.StepWarm, StartedAt: started}}
	check(s.t, s.admin.Status().Update(s.t.Context(), active))
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Active = &v1alpha1.Claim{Release: active.Name, UID: string(active.UID), Holder: "test", RenewedAt: metav1.NowMicro()}
		meta.SetStatusCondition(&st.Conditions,
			metav1.Condition{Type: v1alpha1.ConditionSwitchUnconfirmed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonNoAddress})
		st.Lock = &v1alpha1.Lock{By: "dora", At: *now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	})
	oldest := s.release(v1alpha1.DeployName("shop", shaB, 1)).CreationTimestamp
	return &recordMetrics{
		reader: client.NewNamespacedClient(s.admin, s.app.Namespace), log: slog.New(slog.DiscardHandler),
		now: func() time.Time { return oldest.Add(time.Hour) },
	}
}

func TestTheRecordIsToldAsItIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.queue()
	r := prometheus.NewPedanticRegistry()
	check(t, r.Register(m))
	app := "{application=shop,namespace=" + s.app.Namespace
	read := func() map[string]float64 {
		got := scrape(t, r)
		// The API server stores creation times in seconds.
		if step := "turnout_active_step_seconds" + app + ",step=warm}"; got[step] >= 59 && got[step] <= 62 {
			got[step] = 60
		}
		return got
	}
	want := map[string]float64{
		"turnout_queue_releases" + app + "}": 2, "turnout_queue_oldest_seconds" + app + "}": 3600,
		"turnout_active_step_seconds" + app + ",step=warm}": 60,
		"turnout_application_ready" + app + "}":             0, "turnout_application_locked" + app + "}": 1,
		"turnout_switch_unconfirmed" + app + "}": 1, "turnout_live_suffers" + app + "}": 0,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("with a queue (-want +got):\n%s", diff)
	}
	for _, commit := range []string{shaA, shaB, strings.Repeat("c", 40)} {
		rel := s.release(v1alpha1.DeployName("shop", commit, 1))
		phase(v1alpha1.ReleaseCancelled, "")(&rel.Status)
		check(t, s.admin.Status().Update(t.Context(), rel))
	}
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Active, st.Lock = nil, nil
		st.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
			LastTransitionTime: *now(),
		}}
	})
	want = map[string]float64{
		"turnout_queue_releases" + app + "}": 0, "turnout_queue_oldest_seconds" + app + "}": 0,
		"turnout_application_ready" + app + "}": 1, "turnout_application_locked" + app + "}": 0,
		"turnout_switch_unconfirmed" + app + "}": 0, "turnout_live_suffers" + app + "}": 0,
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("at rest (-want +got):\n%s", diff)
	}
	s.status(func(st *v1alpha1.BlueGreenStatus) { st.Conditions[0].Status = metav1.ConditionUnknown })
	want["turnout_application_ready"+app+"}"] = 0
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("while readiness is unknown (-want +got):\n%s", diff)
	}

	suffers := "turnout_live_suffers" + app + "}"
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		meta.SetStatusCondition(&st.Conditions,
			metav1.Condition{Type: v1alpha1.ConditionLiveSuffers, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPodsFail})
	})
	if got := read()[suffers]; got != 1 {
		t.Errorf("while the live version suffers, %s is %v, want 1", suffers, got)
	}
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		meta.RemoveStatusCondition(&st.Conditions, v1alpha1.ConditionLiveSuffers)
	})
	failed := s.release(v1alpha1.DeployName("shop", shaB, 1))
	for ago, want := range map[time.Duration]float64{sufferedFor - time.Minute: 1, sufferedFor + time.Minute: 0} {
		failed.Status.Phase = v1alpha1.ReleaseFailed
		failed.Status.Failure = &v1alpha1.Failure{
			Class: v1alpha1.FaultRelease, Step: v1alpha1.StepExpand, Reason: v1alpha1.FailedLiveSuffers, Message: "the live version suffers",
			At: metav1.NewTime(m.now().Add(-ago)),
		}
		check(t, s.admin.Status().Update(t.Context(), failed))
		if got := read()[suffers]; got != want {
			t.Errorf("%s after a release has failed because of that, %s is %v, want %v", ago, suffers, got, want)
		}
	}
}

// For the first event of a kind, increase() must see the counter rise from 0.
func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	check(t, err)
	counters := map[string]bool{} // another test compares the page with the registry
	for _, row := range ownRow.FindAllStringSubmatch(string(page), -1) {
		if row[2] == "counter" {
			counters[row[1]] = true
		}
	}
	s := newSite(t)
	r := prometheus.NewPedanticRegistry()
	m, err := newMetrics(r)
	check(t, err)
	q := s.queue()
	q.begin = m.begin
	check(t, r.Register(q))
	_ = scrape(t, r) // an application's series exist after the scrape that first saw it
	begun := map[string][]string{}
	for series, n := range scrape(t, r) {
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		begun[name] = append(begun[name], strings.ReplaceAll(labels, "application=shop,", ""))
		if counters[name] && n != 0 {
			t.Errorf("%s begins at %v", series, n)
		}
	}
	of := ",namespace=" + s.app.Namespace
	for name, want := range map[string][]string{
		"turnout_releases_total": {
			"kind=Contract" + of + ",phase=Cancelled", "kind=Contract" + of + ",phase=Error", "kind=Contract" + of + ",phase=Failed",
			"kind=Contract" + of + ",phase=Succeeded", "kind=Contract" + of + ",phase=Superseded",
			"kind=Deploy" + of + ",phase=Cancelled", "kind=Deploy" + of + ",phase=Error", "kind=Deploy" + of + ",phase=Failed",
			"kind=Deploy" + of + ",phase=Succeeded", "kind=Deploy" + of + ",phase=Superseded",
			"kind=Rollback" + of + ",phase=Cancelled", "kind=Rollback" + of + ",phase=Error", "kind=Rollback" + of + ",phase=Failed",
			"kind=Rollback" + of + ",phase=Succeeded", "kind=Rollback" + of + ",phase=Superseded",
		},
		"turnout_switches_total":       {"kind=Deploy" + of, "kind=Restore" + of, "kind=Rollback" + of},
		"turnout_proof_requests_total": {of[1:] + ",result=failed", of[1:] + ",result=served", of[1:] + ",result=unseen"},
		"turnout_proofs_total": {
			of[1:] + ",result=Confirmed", of[1:] + ",result=Failed", of[1:] + ",result=Inconclusive",
			of[1:] + ",result=Interrupted", of[1:] + ",result=NotObserved",
		},
		"turnout_deliveries_total": {"phase=Done", "phase=GaveUp", "phase=Quarantined"},
	} {
		slices.Sort(begun[name])
		if diff := cmp.Diff(want, begun[name]); diff != "" {
			t.Errorf("%s (-want +begun)\n%s", name, diff)
		}
	}
	for name := range counters {
		if len(begun[name]) == 0 {
			t.Errorf("%s does not start at 0: add its series in newMetrics or begin", name)
		}
	}
	if len(counters) < 8 {
		t.Errorf("docs/metrics.md lists %d counters", len(counters))
	}
}

func TestRequestsAreCountedByTheirAnswers(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := newMetrics(r)
	check(t, err)
	gitHubAnswers(t, m, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "4987")
		w.Header().Set("X-RateLimit-Limit", "5000")
		w.Header().Set("X-RateLimit-Resource", "core")
		w.WriteHeader(http.StatusCreated)
	})
	gitHubAnswers(t, m, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "1")
		w.Header().Set("X-RateLimit-Resource", "made-up-"+strings.Repeat("x", 100))
		w.WriteHeader(http.StatusForbidden)
	})
	gitHubAnswers(t, m, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	cloudBuildAnswers(t, m, nil)
	cloudBuildAnswers(t, m, status.Error(codes.ResourceExhausted, "quota"))
	want := map[string]float64{
		"turnout_github_requests_total{method=GET,status=201}":                      1,
		"turnout_github_requests_total{method=GET,status=403}":                      1,
		"turnout_github_requests_total{method=GET,status=error}":                    1,
		"turnout_github_rate_limit_remaining{resource=core}":                        4987,
		"turnout_github_rate_limit_remaining{resource=other}":                       1,
		"turnout_github_rate_limit_limit{resource=core}":                            5000,
		"turnout_cloudbuild_requests_total{code=OK,method=GetBuild}":                1,
		"turnout_cloudbuild_requests_total{code=ResourceExhausted,method=GetBuild}": 1,
		"turnout_build_info{version=" + version() + "}":                             1,
	}
	got := scrape(t, r)
	maps.DeleteFunc(got, func(_ string, n float64) bool { return n == 0 }) // series that only exist
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

// row is a metric in docs/metrics.md: type and labels.
var (
	ownRow     = regexp.MustCompile("(?m)^\\| `(turnout_[a-z_]+)` \\| (\\w+) \\| ([^|]*) \\| [^|]+ \\|$")
	libraryRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ((?:`\\w+`(?:, )?)*)\\s*\\| [^|]+ \\|$")
	described  = regexp.MustCompile(`fqName: "(\w+)".*variableLabels: \{(.*)\}`)
)

func labelList(text string) string {
	names := regexp.MustCompile(`\w+`).FindAllString(text, -1)
	slices.Sort(names)
	return strings.Join(names, ",")
}

// descriptions are the metrics that collectors may export, with their labels.
func descriptions(collectors ...prometheus.Collector) map[string]string {
	found := map[string]string{}
	for _, c := range collectors {
		ch := make(chan *prometheus.Desc)
		go func() {
			c.Describe(ch)
			close(ch)
		}()
		for d := range ch {
			if m := described.FindStringSubmatch(d.String()); m != nil {
				found[m[1]] = labelList(m[2])
			}
		}
	}
	return found
}

func TestThePageListsTheMetricsAsTheyAre(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/metrics.md")
	check(t, err)
	documented := map[string]string{}
	for _, row := range ownRow.FindAllStringSubmatch(string(page), -1) {
		documented[row[1]] = row[2] + " " + labelList(row[3])
	}
	r := prometheus.NewPedanticRegistry()
	m, err := newMetrics(r)
	check(t, err)
	check(t, r.Register(newSite(t).queue()))
	// Every metric gets a series; without one its type is unknown.
	m.StepEnded(client.ObjectKey{}, v1alpha1.StepBuild, time.Second)
	m.ReleaseEnded(client.ObjectKey{Name: "shop"}, v1alpha1.Deploy, v1alpha1.ReleaseError)
	m.Switched(client.ObjectKey{Name: "shop"}, v1alpha1.KindRestore)
	m.Asked(client.ObjectKey{Name: "shop"}, "served")
	m.Proved(client.ObjectKey{Name: "shop"}, v1alpha1.ProofConfirmed, time.Second)
	m.webhook("push", http.StatusAccepted)
	m.delivery(&v1alpha1.Delivery{Status: v1alpha1.DeliveryStatus{Phase: v1alpha1.DeliveryDone}})
	gitHubAnswers(t, m, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "1")
		w.Header().Set("X-RateLimit-Limit", "1")
	})
	cloudBuildAnswers(t, m, nil)
	registered, told := descriptions(r), map[string]string{}
	families, err := r.Gather()
	check(t, err)
	for _, f := range families {
		told[f.GetName()] = strings.ToLower(f.GetType().String()) + " " + registered[f.GetName()]
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(registered)), slices.Sorted(maps.Keys(told))); diff != "" {
		t.Fatalf("this test leaves out a metric (-registered +listed):\n%s", diff)
	}
	if diff := cmp.Diff(told, documented); diff != "" {
		t.Errorf("docs/metrics.md (-code +page):\n%s", diff)
	}
}

func TestThePageListsMetricsThatTheLibrariesHave(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	check(t, err)
	library, ok := ctrlmetrics.Registry.(prometheus.Collector)
	if !ok {
		t.Fatal("controller-runtime's registry does not list its metrics")
	}
	registered := descriptions(library)
	rows := 0
	for _, row := range libraryRow.FindAllStringSubmatch(string(page), -1) {
		rows++
		if labels, ok := registered[row[1]]; !ok || labels != labelList(row[2]) {
			t.Errorf("%s has the labels %q (known: %v), but %q on the page", row[1], labels, ok, labelList(row[2]))
		}
	}
	if rows < 5 {
		t.Errorf("the page has %d rows of the libraries' metrics", rows)
	}
}
