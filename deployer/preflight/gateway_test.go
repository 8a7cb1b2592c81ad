package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// onGateway are the facts of an application behind GKE's Gateway, without findings.
func onGateway() Facts {
	app := &v1alpha1.BlueGreen{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"},
		Spec:       v1alpha1.BlueGreenSpec{Gateway: &v1alpha1.GatewaySpec{Route: "shop"}},
	}
	done := track.Condition{True: true, Observed: 3}
	policy := func() map[string]any { return map[string]any{"default": map[string]any{"timeoutSec": int64(30)}} }
	return Facts{
		App: app,
		Routes: track.Routes{
			Name: "shop", Exists: true, LoadBalancer: v1alpha1.LoadBalancerGateway,
			Users: map[v1alpha1.Color][]track.Backend{v1alpha1.Blue: {{Service: "app-blue-svc", Path: "/"}}},
			Gateway: &track.Gateway{
				Standby: track.Standby{Name: "app-standby"},
				Parents: []track.Parent{{
					Controller: track.GKEGateway, Ref: "gateway shop/outside",
					Conditions: map[string]track.Condition{"Accepted": done, "ResolvedRefs": done, "Reconciled": done},
				}},
			},
		},
		Gateways: Gateways{
			Classes: map[string]string{"gateway shop/outside": "gke-l7-global-external-managed"},
			Health:  map[v1alpha1.Color]map[string]any{v1alpha1.Blue: policy(), v1alpha1.Green: policy()},
			Backend: map[v1alpha1.Color]map[string]any{v1alpha1.Blue: policy(), v1alpha1.Green: policy()},
		},
	}
}

func TestPreflightOfAGateway(t *testing.T) {
	const fault, warning = v1alpha1.SeverityError, v1alpha1.SeverityWarning
	const shop, green = "httproute shop/shop", "service shop/app-green-svc"
	set := func(policies map[v1alpha1.Color]map[string]any, field string, value any) {
		policies[v1alpha1.Green]["default"].(map[string]any)[field] = value
	}
	for _, test := range []struct {
		name   string
		change func(*Facts)
		want   []found
	}{
		{"nothing", func(*Facts) {}, nil},
		{"a refusal", func(f *Facts) {
			f.Routes.Gateway.Refusals = []track.Refusal{{Field: "spec.rules[0].backendRefs[1]", Reason: "ThirdBackend", Text: "names x"}}
		}, []found{{fault, "ThirdBackend", shop, "spec.rules[0].backendRefs[1]"}}},
		{
			"a standby of somebody else", func(f *Facts) { f.Routes.Gateway.Standby.Exists = true },
			[]found{{fault, "StandbyTaken", "httproute shop/app-standby", "metadata.ownerReferences"}},
		},
		{"nobody accepted it", func(f *Facts) { f.Routes.Gateway.Parents = nil }, []found{{fault, "NotAccepted", shop, "status.parents"}}},
		{"not resolved", func(f *Facts) {
			f.Routes.Gateway.Parents[0].Conditions["ResolvedRefs"] = track.Condition{Observed: 3, Reason: "BackendNotFound"}
		}, []found{{fault, "NotResolved", shop, "status.parents"}}},
		{
			"the classic class", func(f *Facts) { f.Gateways.Classes["gateway shop/outside"] = "gke-l7-gxlb" },
			[]found{{fault, "Class", shop, "spec.parentRefs"}},
		},
		{
			"routes of other namespaces that cannot be listed", func(f *Facts) { f.Gateways.Unseen = []string{"grpcroute", "tcproute"} },
			[]found{{warning, "RoutesUnseen", shop, ""}},
		},
		{
			"a class that cannot be read", func(f *Facts) {
				f.App.Spec.Canary, f.Gateways.Unread = &v1alpha1.CanarySpec{}, []string{"gateway infra/outside"}
			},
			[]found{{warning, "ClassUnread", shop, "spec.parentRefs"}},
		},
		{"a class that cannot be read, and no canary", func(f *Facts) { f.Gateways.Unread = []string{"gateway infra/outside"} }, nil},
		{
			"no health check policies", func(f *Facts) { f.Gateways.Health = nil },
			[]found{{warning, "HealthCheckPolicy", "service shop/app-blue-svc", ""}},
		},
		{
			"one health check policy", func(f *Facts) { delete(f.Gateways.Health, v1alpha1.Green) },
			[]found{{fault, "HealthCheckPolicy", green, ""}},
		},
		{
			"other health check policies", func(f *Facts) { set(f.Gateways.Health, "timeoutSec", int64(1)) },
			[]found{{warning, "HealthCheckPolicy", green, ""}},
		},
		{
			"other Cloud Armor", func(f *Facts) { set(f.Gateways.Backend, "securityPolicy", "open") },
			[]found{{fault, "GCPBackendPolicy", green, ""}},
		},
		{
			"other IAP", func(f *Facts) { set(f.Gateways.Backend, "iap", map[string]any{"enabled": true}) },
			[]found{{fault, "GCPBackendPolicy", green, ""}},
		},
		{
			"a canary with session affinity", func(f *Facts) {
				f.App.Spec.Canary = &v1alpha1.CanarySpec{}
				for c := range f.Gateways.Backend {
					f.Gateways.Backend[c] = map[string]any{"default": map[string]any{"sessionAffinity": map[string]any{"type": "CLIENT_IP"}}}
				}
			},
			[]found{{fault, "SessionAffinity", "service shop/app-blue-svc", ""}, {fault, "SessionAffinity", green, ""}},
		},
		{
			"no backend policy", func(f *Facts) { delete(f.Gateways.Backend, v1alpha1.Green) },
			[]found{{warning, "GCPBackendPolicy", green, ""}},
		},
		{"policies without GKE", func(f *Facts) {
			f.Gateways.Health, f.Routes.Gateway.Parents[0].Controller = nil, "example.com/gateway"
		}, nil},
		{"another route to the target", func(f *Facts) {
			f.Gateways.Others = map[v1alpha1.Color][]route.Follower{v1alpha1.Green: {{Kind: "grpcroute", Namespace: "else", Name: "x"}}}
		}, []found{{fault, "TargetInUse", "grpcroute else/x", "spec"}}},
		{"another route to what is live", func(f *Facts) {
			f.Gateways.Others = map[v1alpha1.Color][]route.Follower{v1alpha1.Blue: {{Kind: "tcproute", Namespace: "shop", Name: "x"}}}
		}, []found{{warning, "Shared", "tcproute shop/x", "spec"}}},
		{
			"an Ingress to the target", func(f *Facts) { f.Users = []User{{Ingress: "shop", Route: "/", Color: v1alpha1.Green}} },
			[]found{{fault, "TargetInUse", "ingress shop/shop", "spec"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := onGateway()
			test.change(&f)
			var got []found
			for _, finding := range Check(f) {
				if finding.Reason != "Address" { // spec.url belongs to another rule
					got = append(got, found{finding.Severity, finding.Reason, finding.Object, finding.Field})
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
