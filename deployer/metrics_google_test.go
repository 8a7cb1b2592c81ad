package deployer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// lbSeries are requests of a load balancer to a backend service in each window.
type lbSeries struct {
	metric string // in PromQL
	labels map[string]string
	count  float64
}

// monitoring is Cloud Monitoring's endpoint of PromQL for a project that has a load
// balancer's metrics. It is asked in forms (cloud.google.com/stackdriver/docs/managed-prometheus/
// query-api-ui) and evaluates what the ready-made checks ask, by PromQL's rules of labels.
type monitoring struct {
	*httptest.Server
	t      testing.TB
	series []lbSeries

	mu     sync.Mutex
	now    time.Time     // as the test has it
	late   time.Duration // how late a window can be seen
	denies bool
	asked  int
}

func startMonitoring(t testing.TB, late time.Duration, series ...lbSeries) *monitoring {
	t.Helper()
	m := &monitoring{t: t, series: series, late: late}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/projects/acme-prod/location/global/prometheus/api/v1/query", m.query)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !m.denies { // whoever is denied tries GET, too
			t.Errorf("unexpected %s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusNotFound)
	})
	m.Server = httptest.NewServer(mux)
	t.Cleanup(m.Close)
	return m
}

var (
	lbSum      = regexp.MustCompile(`^sum\(increase\(([a-z_:]+)\{([^}]*)\}\[60000ms\]\)\)$`)
	lbQuantile = regexp.MustCompile(`^histogram_quantile\(0\.95, sum by \(le\) \(increase\(([a-z_:]+)_bucket\{([^}]*)\}\[60000ms\]\)\)\)$`)
	lbMatcher  = regexp.MustCompile(`([a-z_]+)(=~|!=|=)"([^"]*)"`)
)

func (m *monitoring) query(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.denies { // the API's own errors are not Prometheus'
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprint(w, `{"error":{"code":403,"message":"Permission monitoring.timeSeries.list denied","status":"PERMISSION_DENIED"}}`)
		return
	}
	at, err := strconv.ParseFloat(r.FormValue("time"), 64)
	if err != nil || r.Form.Has("lookback_delta") {
		m.t.Errorf("unexpected form %v", r.Form)
	}
	if end := time.UnixMilli(int64(at * 1000)); end.Add(m.late).After(m.now) {
		m.t.Errorf("at %s the query's window ends at %s, but data is visible only %s later", m.now, end, m.late)
	}
	query := r.FormValue("query")
	of := lbSum.FindStringSubmatch(query)
	if of == nil {
		of = lbQuantile.FindStringSubmatch(query)
	}
	if of == nil {
		m.t.Errorf("unexpected query %s", query)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"parse error"}`)
		return
	}
	result := ""
	if sum, any := m.sum(of[1], of[2]); any {
		result = fmt.Sprintf(`{"metric":{},"value":[%s,"%g"]}`, r.FormValue("time"), sum)
	}
	_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, result)
}

// sum adds up the series that a selector matches. A label that a series does not have is
// empty.
func (m *monitoring) sum(metric, matchers string) (sum float64, any bool) {
	for _, s := range m.series {
		matched := s.metric == metric
		for part := range strings.SplitSeq(matchers, ",") {
			of := lbMatcher.FindStringSubmatch(part)
			if of == nil {
				m.t.Errorf("unexpected matcher %s", part)
				return 0, false
			}
			value, wanted := s.labels[of[1]], of[3]
			switch of[2] {
			case "=":
				matched = matched && value == wanted
			case "!=":
				matched = matched && value != wanted
			case "=~":
				matched = matched && regexp.MustCompile("^(?:"+wanted+")$").MatchString(value)
			}
		}
		if matched {
			sum, any = sum+s.count, true
		}
	}
	return sum, any
}

// requests are those of a backend service in each window: good ones, ones that the cache
// answered, and errors, of which half had no answer. Their 95th percentile takes so many
// milliseconds.
func requests(kind analysis.Balancer, backend string, good, bad, millis float64) []lbSeries {
	metric, resource := "loadbalancing_googleapis_com:https_", "https_lb_rule"
	if kind == analysis.BalancerRegional {
		metric, resource = metric+"external_regional_", "http_external_regional_lb_rule"
	}
	if kind == analysis.BalancerInternal {
		metric, resource = metric+"internal_", "internal_http_lb_rule"
	}
	one := func(name, class, cache string, count float64) lbSeries {
		s := lbSeries{metric + name, map[string]string{
			"monitored_resource": resource, "backend_target_name": backend, "response_code_class": class,
		}, count}
		if kind == analysis.BalancerGlobal {
			s.labels["cache_result"] = cache
		}
		return s
	}
	all := []lbSeries{one("backend_request_count", "200", "DISABLED", good), one("backend_latencies", "200", "DISABLED", millis)}
	if kind == analysis.BalancerGlobal {
		all = append(all, one("backend_request_count", "500", "HIT", 1e6))
	}
	if bad > 0 {
		all = append(all, one("backend_request_count", "500", "MISS", bad/2), one("backend_request_count", "0", "DISABLED", bad/2))
	}
	return all
}

const (
	blueBackend  = "gkegw1-nv9e-%s-my-python-app-blue-svc-80-t9htdxlbxe5i"
	greenBackend = "gkegw1-nv9e-%s-my-python-app-green-svc-80-m5di3rlf0xh3"
)

// gkeGateway makes the Gateway of the world's route, as GKE has made a load balancer
// for it.
func (w *world) gkeGateway(class string, backends ...string) {
	w.t.Helper()
	var links []string
	for _, b := range backends {
		if strings.Contains(b, "%s") {
			b = fmt.Sprintf(b, w.namespace)
		}
		links = append(links, "/projects/929711803146/global/backendServices/"+b)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"gatewayClassName": class, "listeners": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
	}}}
	u.SetGroupVersionKind(route.HTTPRouteKind.GroupVersion().WithKind("Gateway"))
	u.SetNamespace(w.namespace)
	u.SetName("outside")
	u.SetAnnotations(map[string]string{"networking.gke.io/backend-services": strings.Join(links, ", ")})
	w.create(u)
}

// newWorldOfGKE has a route at a Gateway of its own namespace, which is not there yet.
func newWorldOfGKE(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w, _ := newGatewayWorld(t, append([]func(*v1alpha1.BlueGreen){byGoogle}, change...)...)
	parents, err := json.Marshal([]any{parentRef(w.namespace, "outside")})
	check(t, err)
	w.patch(w.readRoute("shop"), fmt.Sprintf(`{"spec":{"parentRefs":%s}}`, parents))
	return w
}

// byGoogle is an application that is judged by its load balancer's own metrics.
func byGoogle(bg *v1alpha1.BlueGreen) {
	bg.Spec.Soak = duration(2 * time.Minute)
	bg.Spec.Analysis = &v1alpha1.AnalysisSpec{
		Google: &v1alpha1.GoogleMetricsSpec{Project: "acme-prod"}, Interval: metav1.Duration{Duration: time.Minute},
		Deadline: metav1.Duration{Duration: 10 * time.Minute},
		Errors:   &v1alpha1.ErrorsCheck{}, Latency: &v1alpha1.LatencyCheck{},
	}
}

func (w *world) metricsOf(m *monitoring) metricsAccess {
	return metricsAccess{
		reader: w.kube, access: googleAccess{reader: w.kube}, routes: &route.Router{Client: w.kube, Reader: w.kube},
		allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, monitoring: m.URL,
	}
}

// judged is what the metrics of a release say that green took users from blue with, its
// looks being as far apart as they ask for.
func (w *world) judged(m *monitoring) (track.MetricsVerdict, *v1alpha1.AnalysisStatus) {
	w.t.Helper()
	w.annotate(map[string]string{v1alpha1.MetricsAnnotation: "acme-prod"})
	bg := w.application()
	access := w.metricsOf(m)
	routes, err := access.routes.(*route.Router).Observe(w.t.Context(), bg)
	check(w.t, err)
	if routes.Gateway != nil {
		routes.Gateway.Parents = []track.Parent{{Controller: track.GKEGateway}}
	}
	now := time.Now().Truncate(time.Second)
	rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Deploy: &v1alpha1.DeploySpec{Commit: strings.Repeat("a", 40)}}}
	began := metav1.NewTime(now)
	rel.Status.Milestones = v1alpha1.Milestones{
		Target: v1alpha1.Green, SwitchIntendedAt: new(metav1.NewTime(now.Add(-time.Minute))), SoakStartedAt: &began,
	}
	asked := &calls{}
	watch := &metricsWatch{
		from: access, bg: bg, rel: rel, o: track.Observed{Routes: routes},
		turn: asked.turn(client.ObjectKeyFromObject(bg), turnKey{"1", stepMetrics}, callLimit),
		when: track.MetricsWatch{
			Began: now, SoakEnds: now.Add(bg.Spec.SoakTime()), Window: bg.Spec.Analysis.Interval.Duration,
			Deadline: bg.Spec.Analysis.Deadline.Duration,
		},
	}
	for range 100 {
		watch.o.Now = now
		m.mu.Lock()
		m.now = now
		m.mu.Unlock()
		v, err := watch.look(w.t.Context())
		check(w.t, err)
		if v.Outcome != track.MetricsAgain {
			return v, rel.Status.Analysis
		}
		if now = now.Add(time.Second); v.At.After(now) {
			now = v.At
		}
	}
	w.t.Fatal("there is no verdict")
	return track.MetricsVerdict{}, nil
}

// The names of metrics and labels are those of deployer/analysis/ready.go, where the
// sources are.
func TestLoadBalancersOwnMetricsJudgeAReleaseOnAGateway(t *testing.T) {
	t.Parallel()
	const global, regional, internal = "gke-l7-global-external-managed", "gke-l7-regional-external-managed", "gke-l7-rilb"
	for _, tt := range []struct {
		name, class string
		kind        analysis.Balancer
		late        time.Duration
		bad, millis float64 // of green; blue has 2 errors in 1000, and 120 ms
		want        track.MetricsOutcome
		check       string
	}{
		{"as before", global, analysis.BalancerGlobal, 270 * time.Second, 2, 120, track.MetricsHeld, ""},
		{"errors", global, analysis.BalancerGlobal, 270 * time.Second, 40, 120, track.MetricsFailed, "errors"},
		{"slower", global, analysis.BalancerGlobal, 270 * time.Second, 2, 400, track.MetricsFailed, "latency"},
		{"errors, regional", regional, analysis.BalancerRegional, 150 * time.Second, 40, 120, track.MetricsFailed, "errors"},
		{"slower, internal", internal, analysis.BalancerInternal, 150 * time.Second, 2, 400, track.MetricsFailed, "latency"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfGKE(t)
			w.gkeGateway(tt.class, "gkegw1-nv9e-edge-gw-serve404-80-fmyxz1sppcau", blueBackend, greenBackend)
			m := startMonitoring(t, tt.late, append(requests(tt.kind, fmt.Sprintf(blueBackend, w.namespace), 998, 2, 120),
				requests(tt.kind, fmt.Sprintf(greenBackend, w.namespace), 1000-tt.bad, tt.bad, tt.millis)...)...)
			v, books := w.judged(m)
			if v.Outcome != tt.want || tt.check != "" && v.Check.Name != tt.check {
				t.Errorf("the verdict is %+v, after %+v", v, books)
			}
			for _, c := range books.Checks {
				if want := map[string]v1alpha1.Number{"errors": "2", "latency": "120"}[c.Name]; c.Other == nil || c.Other.Value != want ||
					c.Other.Samples != "1000" {
					t.Errorf("before the switch %s was %+v, want %s of 1000", c.Name, c.Other, want)
				}
			}
		})
	}
}

func TestLoadBalancersOwnMetricsJudgeAReleaseOnAnIngress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byGoogle)
	behindGCE(w)
	router := &route.Router{Client: w.kube, Reader: w.kube}
	routes, err := router.Observe(t.Context(), w.application())
	check(t, err)
	check(t, router.Attach(t.Context(), w.application(), routes, v1alpha1.Green))
	const name = "k8s1-my-python-app-%s-svc"
	m := startMonitoring(t, 270*time.Second, append(requests(analysis.BalancerGlobal, fmt.Sprintf(name, "blue"), 998, 2, 120),
		requests(analysis.BalancerGlobal, fmt.Sprintf(name, "green"), 960, 40, 120)...)...)
	w.until("green's backend service", func() bool {
		routes, err := router.Observe(t.Context(), w.application())
		check(t, err)
		of, err := w.metricsOf(m).loadBalancer(t.Context(), w.application(), routes)
		check(t, err)
		return of.backends[v1alpha1.Green] != ""
	}, func() string { return fmt.Sprint(w.gceIngress().Annotations) })
	if v, books := w.judged(m); v.Outcome != track.MetricsFailed || v.Check.Name != "errors" {
		t.Errorf("the verdict is %+v, after %+v", v, books)
	}
}

// If a value is unknown, Turnout says so, with the way out, and does not query it.
func TestBackendServicesThatCannotBeToldAreNotGuessed(t *testing.T) {
	t.Parallel()
	const class = "gke-l7-global-external-managed"
	const another = "gkegw1-nv9e-%s-my-python-app-green-svc-80-zblgmjdai6zf"
	for _, tt := range []struct {
		name     string
		backends []string // of the Gateway; nil: it cannot be read
		class    string
		said     string
	}{
		{"no Gateway", nil, "", "spec.analysis.errors: Turnout cannot tell which of Google's load balancers serves users"},
		{"an unknown class", []string{blueBackend, greenBackend}, "acme-edge", "which of Google's load balancers serves users"},
		{"no backend service yet", []string{blueBackend}, class, "$backend is not known for the green colour"},
		{"two of them", []string{blueBackend, greenBackend, another}, class, "name both in spec.analysis.google.backends"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOfGKE(t)
			if tt.backends != nil {
				w.gkeGateway(tt.class, tt.backends...)
			}
			m := startMonitoring(t, 270*time.Second, requests(analysis.BalancerGlobal, fmt.Sprintf(blueBackend, w.namespace), 1000, 0, 120)...)
			if v, _ := w.judged(m); v.Outcome != track.MetricsUnseen || !strings.Contains(v.Message, tt.said) {
				t.Errorf("the verdict is %+v, want %q", v, tt.said)
			}
		})
	}
}

// Names in the spec hold whatever the Gateway says.
func TestBackendServicesOfTheSpecOnAGateway(t *testing.T) {
	t.Parallel()
	w := newWorldOfGKE(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Analysis.Google.Backends = &v1alpha1.BackendNames{Blue: "gkegw1-nv9e-cut-blue", Green: "gkegw1-nv9e-cut-green"}
	})
	w.gkeGateway("gke-l7-global-external-managed", blueBackend, greenBackend)
	m := startMonitoring(t, 270*time.Second, append(requests(analysis.BalancerGlobal, "gkegw1-nv9e-cut-blue", 1000, 0, 120),
		requests(analysis.BalancerGlobal, "gkegw1-nv9e-cut-green", 1000, 0, 120)...)...)
	if v, books := w.judged(m); v.Outcome != track.MetricsHeld {
		t.Errorf("the verdict is %+v, after %+v", v, books)
	}
}

// The API's own errors are shown unchanged.
func TestMonitoringThatDenies(t *testing.T) {
	t.Parallel()
	w := newWorldOfGKE(t)
	w.gkeGateway("gke-l7-global-external-managed", blueBackend, greenBackend)
	m := startMonitoring(t, 270*time.Second)
	m.denies = true
	if v, _ := w.judged(m); v.Outcome != track.MetricsUnseen || !strings.Contains(v.Message, "PERMISSION_DENIED") {
		t.Errorf("the verdict is %+v", v)
	}
}

// Gateways of other controllers than GKE's are not read, and have no metrics of Google's.
func TestOtherGatewaysHaveNoMetricsOfGoogles(t *testing.T) {
	t.Parallel()
	r := track.Routes{Gateway: &track.Gateway{Parents: []track.Parent{{Controller: "example.com/gateway"}}}}
	bg := &v1alpha1.BlueGreen{Spec: v1alpha1.BlueGreenSpec{Analysis: &v1alpha1.AnalysisSpec{Google: &v1alpha1.GoogleMetricsSpec{}}}}
	if got, err := (metricsAccess{}).loadBalancer(t.Context(), bg, r); got.kind != analysis.BalancerOther || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
}
