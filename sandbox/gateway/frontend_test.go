package gateway

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

func quiet(d Delays) *Config {
	return &Config{FrontEnds: 3, Delays: &d, Log: slog.New(slog.DiscardHandler)}
}

// echo answers with the headers of the request.
func echo(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Internal", "1")
		_, _ = io.WriteString(w, r.Header.Get("X-Who")+" "+r.Header.Get("X-Turnout-Standby"))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// front is one front end whose pool has one endpoint.
func front(t *testing.T, r *rule) *frontEnd {
	t.Helper()
	c := quiet(Delays{HealthInterval: time.Second})
	p := newPool(c)
	p.backends["shop/app:80"] = &group{members: map[string]*member{echo(t): {healthy: true}}}
	p.backends["shop/sick:80"] = &group{members: map[string]*member{"127.0.0.1:1": {}}}
	fe := newFleet(c, p).frontEnds[0]
	if r != nil {
		fe.adopted.Adopt(newTable(1, []entry{{rule: r}}))
	}
	return fe
}

func ask(t *testing.T, fe *frontEnd, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://shop.example.com/", http.NoBody)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	fe.ServeHTTP(w, r)
	return w
}

func TestAnswersOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		name string
		rule *rule
		want int
	}{
		{"no rule", nil, 404},
		{"no backend", &rule{}, 500},
		{"weight 0", &rule{backends: []backend{{service: "shop/app:80"}}}, 500},
		{"an invalid reference", &rule{backends: []backend{{weight: 1}}}, 500},
		{"none healthy", &rule{backends: []backend{{service: "shop/sick:80", weight: 1}}}, 503},
		{"an unknown backend", &rule{backends: []backend{{service: "shop/new:80", weight: 1}}}, 503},
		{"an endpoint", &rule{backends: []backend{{service: "shop/app:80", weight: 1}}}, 200},
	} {
		if got := ask(t, front(t, test.rule)).Code; got != test.want {
			t.Errorf("%s: the status is %d, want %d", test.name, got, test.want)
		}
	}
}

func TestHeaderFilters(t *testing.T) {
	r := &rule{
		backends: []backend{{service: "shop/app:80", weight: 1}},
		filters: []gatewayv1.HTTPRouteFilter{
			{RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{
				Set: []gatewayv1.HTTPHeader{{Name: "X-Who", Value: "shop"}}, Remove: []string{"X-Turnout-Standby"},
			}},
			{ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{
				Add: []gatewayv1.HTTPHeader{{Name: "X-Rule", Value: "all"}}, Remove: []string{"X-Internal"},
			}},
		},
	}
	got := ask(t, front(t, r), "X-Turnout-Standby", "secret", "X-Who", "client")
	if got.Body.String() != "shop " || got.Header().Get("X-Rule") != "all" || got.Header().Get("X-Internal") != "" {
		t.Errorf("the endpoint got %q, the client %v", got.Body, got.Header())
	}
}

func TestFrontEndsAdoptATableOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(quiet(Delays{FirstAdoption: time.Second, LastAdoption: 21 * time.Second}), nil)
		f.publish(newTable(1, nil))
		for _, want := range [][]int{{1, 0, 0}, {1, 1, 0}, {1, 1, 1}} {
			time.Sleep(time.Second)
			synctest.Wait()
			if diff := cmp.Diff(want, f.used()); diff != "" {
				t.Errorf("the tables that the front ends use (-want +got):\n%s", diff)
			}
			time.Sleep(9 * time.Second)
		}
	})
}

func TestEndpointsAreAttachedLateAndBeginUnhealthy(t *testing.T) {
	address := echo(t)
	p := newPool(quiet(Delays{Attach: time.Millisecond, HealthInterval: time.Millisecond}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p.follow(ctx, map[string]endpoints{"shop/app:80": {addresses: []string{address}, path: "/"}})
	if got := p.pick("shop/app:80"); got != "" {
		t.Errorf("the new endpoint %s gets requests at once", got)
	}
	for p.pick("shop/app:80") != address {
		time.Sleep(time.Millisecond) // until the endpoint is attached and healthy
	}
	p.follow(ctx, nil)
	if got := p.pick("shop/app:80"); got != "" {
		t.Errorf("an unused backend picks endpoint %s", got)
	}
}
