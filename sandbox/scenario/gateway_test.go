package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// gateways have front ends; the last adopts a change 20 s after the controller reports it.
var gateways = gateway.Config{Adoption: &running.adoption.gateway, Delays: &gateway.Delays{
	Programme: 300 * time.Millisecond, FirstAdoption: 200 * time.Millisecond, LastAdoption: 20 * time.Second,
	Attach: 200 * time.Millisecond, Detach: 200 * time.Millisecond, HealthInterval: 200 * time.Millisecond,
}}

// createGatewayClass creates the class of all Gateways.
func createGatewayClass(ctx context.Context) error {
	class := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"controllerName": gateway.GKE}}}
	class.SetAPIVersion("gateway.networking.k8s.io/v1")
	class.SetKind("GatewayClass")
	class.SetName(world.GatewayClass)
	return running.kube.Create(ctx, class)
}

// behindGateway is the example with metrics, behind a Gateway.
type behindGateway struct {
	namespace string
	replicas  int64          // of each colour; default: 1
	spec      map[string]any // fields of its BlueGreen
	metrics   string         // address or Google project that it may be judged by; default: none
}

// adopt runs it. Its route has two rules: for / and, more specific, for exactly /api.
func (b behindGateway) adopt(t *testing.T) *application {
	t.Helper()
	a := newApplication(t, b.namespace, measuredSources(t))
	if b.metrics != "" {
		a.allowMetrics(b.metrics)
	}
	ofColor := func(u *unstructured.Unstructured) {
		if u.GetKind() == "Deployment" {
			set(t, u, max(b.replicas, 1), "spec", "replicas")
			useImage(t, u, measuredImage)
		}
	}
	for _, file := range []string{"deployment-blue", "deployment-green", "service-blue", "service-green"} {
		a.applyFile(filepath.Join(example, "k8s", file+".yaml"), ofColor)
	}
	a.apply(filepath.Join(onGateway, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "HTTPRoute":
			a.routeTwice(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, strings.Replace(world.NameOf(running.GatewayURL), "shop.localhost", a.gatewayHost(), 1), "spec", "url")
			set(t, u, "1s", "spec", "soak")
			set(t, u, "21s", "spec", "drain")         // until the last front end has adopted a change
			set(t, u, "21s", "spec", "proof", "tail") // likewise
			for field, value := range b.spec {
				set(t, u, value, "spec", field)
			}
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	return a
}

// routeTwice gives a route the application's host and a second rule.
func (a *application) routeTwice(route *unstructured.Unstructured) {
	a.t.Helper()
	set(a.t, route, []any{a.gatewayHost()}, "spec", "hostnames")
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	exact := runtime.DeepCopyJSONValue(rules[0]).(map[string]any)
	exact["matches"] = []any{map[string]any{"path": map[string]any{"type": "Exact", "value": "/api"}}}
	exact["filters"] = []any{map[string]any{"type": "ResponseHeaderModifier", "responseHeaderModifier": map[string]any{
		"set": []any{map[string]any{"name": "X-Rule", "value": "exact"}},
	}}}
	set(a.t, route, append(rules, exact), "spec", "rules")
}

// gatewayHost is the host of the application's route, a name of this machine.
func (a *application) gatewayHost() string { return a.namespace + ".localhost" }

// answer is an answer of the Gateway.
type answer struct {
	status        int
	version, rule string
	body          string
}

// askGateway asks the Gateway for a path of the application.
func (a *application) askGateway(ctx context.Context, path string, header map[string]string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, running.GatewayURL+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	req.Host = a.gatewayHost()
	for name, value := range header {
		req.Header.Set(name, value)
	}
	// Each request has its own connection, so any front end may answer.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	version, _, _ := strings.Cut(resp.Header.Get("X-App-Version"), "+")
	return answer{status: resp.StatusCode, version: version, rule: resp.Header.Get("X-Rule"), body: string(body)}, err
}

// well is an error for every answer but a good one.
func (a answer) well(err error) error {
	if err == nil && a.status != http.StatusOK {
		return fmt.Errorf("the answer was %+v", a)
	}
	return err
}

// awaitGateway waits until all front ends answer with a version.
func (a *application) awaitGateway(version string) {
	a.t.Helper()
	a.awaitAnswers(1, version) // the front ends have been told of it
	a.awaitFrontEnds(&running.adoption.gateway)
	a.awaitAnswers(6, version)
}

// awaitAnswers waits until the Gateway has answered n times in a row with a version.
func (a *application) awaitAnswers(n int, version string) {
	a.t.Helper()
	a.await(fmt.Sprintf("%d times %s", n, version), func(ctx context.Context) (bool, string) {
		for range n {
			got, err := a.askGateway(ctx, "/", nil)
			if got.version != version || got.well(err) != nil {
				return false, fmt.Sprint(got, err)
			}
		}
		return true, version
	})
}

// route reads an HTTPRoute of the application.
func (a *application) route(name string) *unstructured.Unstructured {
	a.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("gateway.networking.k8s.io/v1")
	u.SetKind("HTTPRoute")
	if err := running.kube.Get(a.t.Context(), a.key(name), u); err != nil {
		a.t.Fatal(err)
	}
	return u
}

// weights are the weights in each rule of the application's route.
func (a *application) weights() (all []string) {
	a.t.Helper()
	rules, _, _ := unstructured.NestedSlice(a.route(name).Object, "spec", "rules")
	for _, r := range rules {
		refs, _, _ := unstructured.NestedSlice(r.(map[string]any), "backendRefs")
		text := ""
		for _, v := range refs {
			ref := v.(map[string]any)
			text += fmt.Sprintf("%s %v ", strings.TrimSuffix(strings.TrimPrefix(ref["name"].(string), "my-python-app-"), "-svc"), ref["weight"])
		}
		all = append(all, strings.TrimSpace(text))
	}
	return all
}

// password is the secret header of the standby route.
func (a *application) password() map[string]string {
	a.t.Helper()
	rules, _, _ := unstructured.NestedSlice(a.route(name+"-standby").Object, "spec", "rules")
	matches, _, _ := unstructured.NestedSlice(rules[0].(map[string]any), "matches")
	headers, _, _ := unstructured.NestedSlice(matches[0].(map[string]any), "headers")
	header := headers[len(headers)-1].(map[string]any)
	return map[string]string{header["name"].(string): header["value"].(string)}
}

// usesBothRules sends a request to each of the route's two rules.
func (a *application) usesBothRules(ctx context.Context) error {
	if got, err := a.askGateway(ctx, "/", nil); got.well(err) != nil {
		return got.well(err)
	}
	got, err := a.askGateway(ctx, "/api", nil)
	if err = got.well(err); err == nil && got.rule != "exact" {
		err = fmt.Errorf("/api was answered by another rule: %+v", got)
	}
	return err
}

func TestReleasesOnAGatewayLoseNoRequest(t *testing.T) {
	t.Parallel()
	a := behindGateway{namespace: "gateway"}.adopt(t)
	a.awaitGateway("v1.0.0")
	stop := useAllTheWhile(t, a.usesBothRules)
	pr := a.merge("Greet through a gateway", map[string]string{"VERSION": "v1.2.0\n"})
	rel := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	if r := rel.Status.Route; r.LoadBalancer != v1alpha1.LoadBalancerGateway || r.TookEffectBy != v1alpha1.SignRouteStatus {
		t.Errorf("the load balancer is %s, the switch took effect by %q", r.LoadBalancer, r.TookEffectBy)
	}
	if rel.Status.Proof.Result != v1alpha1.ProofConfirmed {
		t.Errorf("the proof is %+v", rel.Status.Proof)
	}
	if diff := cmp.Diff([]string{"blue 0 green 100", "blue 0 green 100"}, a.weights()); diff != "" {
		t.Errorf("after the switch (-want +got):\n%s", diff)
	}
	a.awaitGateway("v1.2.0")
	for _, path := range []string{"/", "/api"} { // one for each rule
		a.await("the other colour behind the header at "+path, func(ctx context.Context) (bool, string) {
			got, err := a.askGateway(ctx, path, a.password())
			return got.version == "v1.0.0", fmt.Sprint(got, err)
		})
	}
	a.comment(pr.Number, running.writer, "/rollback")
	a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	if diff := cmp.Diff([]string{"blue 100 green 0", "blue 100 green 0"}, a.weights()); diff != "" {
		t.Errorf("after the rollback (-want +got):\n%s", diff)
	}
	a.awaitGateway("v1.0.0")
	if asked, failures := stop(); len(failures) > 0 {
		t.Errorf("%d of %d requests failed, the first: %s", len(failures), asked, failures[0])
	}
}
