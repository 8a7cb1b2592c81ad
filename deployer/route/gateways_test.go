package route

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func TestBackendServicesOfAGateway(t *testing.T) {
	const (
		blue  = "gkegw1-nv9e-shop-app-blue-svc-80-t9htdxlbxe5i"
		green = "gkegw1-nv9e-shop-app-green-svc-80-m5di3rlf0xh3"
		none  = "gkegw1-nv9e-edge-gw-serve404-80-fmyxz1sppcau"
	)
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	rule := func(ports ...int64) []track.Rule {
		var rules []track.Rule
		for _, p := range ports {
			rules = append(rules, track.Rule{Refs: map[v1alpha1.Color]track.Ref{v1alpha1.Blue: {Port: p, Weight: 100}}})
		}
		return rules
	}
	one := func(names ...string) []ParentGateway {
		return []ParentGateway{{Readable: true, BackendServices: names}}
	}
	for _, tt := range []struct {
		name        string
		gateways    []ParentGateway
		rules       []track.Rule
		blue, green string
	}{
		{"each has one", one(none, blue, green), rule(80, 80), blue, green},
		{"only one is there yet", one(none, blue), rule(80), blue, ""},
		{"none is known", one(), rule(80), "", ""},
		{"no Gateway", nil, rule(80), "", ""},
		{"the same in two Gateways", append(one(blue, green), one(blue, green)...), rule(80), blue, green},
		{"two Gateways have one each", append(one(blue), one("gkegw1-nv9e-shop-app-blue-svc-80-zblgmjdai6zf", green)...), rule(80), "", green},
		{"one Gateway cannot be read", append(one(blue, green), ParentGateway{}), rule(80), "", ""},
		{"another port", one("gkegw1-nv9e-shop-app-blue-svc-8080-t9htdxlbxe5i", green), rule(80), "", green},
		{"two ports", one(blue, "gkegw1-nv9e-shop-app-blue-svc-8080-5ieure64p6a2", green), rule(80, 8080), "", green},
		{
			"another namespace's Service would be called the same", one(blue, "gkegw1-nv9e-shop-app-blue-svc-80-eamagczv4ba6", green),
			rule(80), "", green,
		},
		{
			"a longer name", one("gkegw1-nv9e-shop-app-blue-svc-2-80-t9htdxlbxe5i", "gkegw1-nv9e-my-shop-app-blue-svc-80-t9htdxlbxe5i"), rule(80),
			"", "",
		},
		{
			"a name that was cut", one("gkegw1-nv9e-sho-app-blue-sv-80-t9htdxlbxe5i", "gkegw1-nv9e-shop-app-blue-sv-80-t9htdxlbxe5i"), rule(80), "",
			"",
		},
		{"names of another kind", one("k8s1-nv9e-shop-app-blue-svc-80-t9htdxlbxe5i", "gkegw1-nv9e-shop-app-blue-svc-80"), rule(80), "", ""},
	} {
		s := track.Routes{Gateway: &track.Gateway{Rules: tt.rules}}
		for c, want := range map[v1alpha1.Color]string{v1alpha1.Blue: tt.blue, v1alpha1.Green: tt.green} {
			if got := GoogleBackend(tt.gateways, bg, s, c); got != want {
				t.Errorf("%s: %s has %q, want %q", tt.name, c, got, want)
			}
		}
	}
}

// As GKE has been seen to write it.
func TestListOfBackendServices(t *testing.T) {
	got := backendServices("/projects/764086219165/global/backendServices/gkegw1-rxra-gke-gateway-gw-serve404-80-gvlt3glsl26m,\n" +
		"  /projects/764086219165/regions/europe-west1/backendServices/gkegw1-rxra-kuar-demo-kuard-http-server-80-v49bg5xn0q9o, , x")
	want := []string{"gkegw1-rxra-gke-gateway-gw-serve404-80-gvlt3glsl26m", "gkegw1-rxra-kuar-demo-kuard-http-server-80-v49bg5xn0q9o"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the names (-want +got):\n%s", diff)
	}
}
