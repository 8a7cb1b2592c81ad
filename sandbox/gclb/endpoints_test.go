package gclb

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestOnlyReferredAndExposedPortsNeedNEGs(t *testing.T) {
	blue := shopIngress(rule("", "blue"))
	other := shopIngress(rule("", "blue"))
	other.Namespace = "elsewhere"
	for _, c := range []struct {
		name, neg string
		ingresses []*networkingv1.Ingress
		want      []int32
	}{
		{"never referred to", ingressNEG, nil, nil},
		{"referred to in another namespace", ingressNEG, []*networkingv1.Ingress{other}, nil},
		{"referred to", ingressNEG, []*networkingv1.Ingress{blue}, []int32{80}},
		{"not for Ingresses", `{"ingress":false}`, []*networkingv1.Ingress{blue}, nil},
		{"standalone", `{"exposed_ports":{"81":{}}}`, nil, []int32{81}},
		{"both", `{"ingress":true,"exposed_ports":{"81":{}}}`, []*networkingv1.Ingress{blue}, []int32{80, 81}},
	} {
		service := fixedServices(map[string]string{"blue": c.neg}).service("shop", "blue")
		got, err := wantedPorts(service, c.ingresses, testNames)
		if err != nil {
			t.Fatal(err)
		}
		if ports := slices.Sorted(maps.Keys(got)); !slices.Equal(ports, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, ports, c.want)
		}
	}
	if _, err := wantedPorts(fixedServices(map[string]string{"blue": "{"}).service("shop", "blue"), nil, testNames); err == nil {
		t.Error("a broken annotation is no error")
	}
}

func TestNEGsHavePodsThatAreNotReadyButNoneThatTerminates(t *testing.T) {
	at := func(ip string, conditions discoveryv1.EndpointConditions, node string) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			Addresses: []string{ip}, Conditions: conditions, NodeName: &node,
			TargetRef: &corev1.ObjectReference{Namespace: "shop", Name: "pod-" + ip},
		}
	}
	slice := &discoveryv1.EndpointSlice{
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}},
		Endpoints: []discoveryv1.Endpoint{
			at("10.0.0.1", discoveryv1.EndpointConditions{Ready: new(true)}, "node-1"),
			at("10.0.0.2", discoveryv1.EndpointConditions{Ready: new(false)}, "node-2"),
			at("10.0.0.3", discoveryv1.EndpointConditions{Terminating: new(true)}, "node-1"),
			{Addresses: []string{"10.0.0.4"}},
		},
	}
	ipv6 := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv6, Ports: slice.Ports, Endpoints: slice.Endpoints}
	zones, pods := targetEndpoints([]*discoveryv1.EndpointSlice{slice, ipv6}, "http", func(node string) string { return "zone-" + node })
	one, two := endpoint{"10.0.0.1", 8080}, endpoint{"10.0.0.2", 8080}
	if diff := cmp.Diff(map[string]endpointSet{"zone-node-1": {one: true}, "zone-node-2": {two: true}}, zones, allow); diff != "" {
		t.Errorf("the zones (-want +got):\n%s", diff)
	}
	if pods[two] != (types.NamespacedName{Namespace: "shop", Name: "pod-10.0.0.2"}) {
		t.Errorf("the pods are %v", pods)
	}
	if none, _ := targetEndpoints([]*discoveryv1.EndpointSlice{slice}, "admin", func(string) string { return "" }); len(none) > 0 {
		t.Errorf("another port has %v", none)
	}
}

func TestDiffLeavesAloneWhatIsUnderway(t *testing.T) {
	e := func(i byte) endpoint { return endpoint{"10.0.0." + string('0'+i), 8080} }
	current := endpointSet{e(1): true, e(2): true, e(3): true, e(4): true}
	target := endpointSet{e(1): true, e(3): true, e(5): true, e(6): true}
	underway := map[endpoint]operation{e(3): detaching, e(4): detaching, e(6): attaching}
	want := negDiff{add: []endpoint{e(5)}, remove: []endpoint{e(2)}, committed: []endpoint{e(1)}}
	if diff := cmp.Diff(want, diffEndpoints(current, target, underway), allow); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadinessConditionIsTrueForFourReasonsAndOneOfThemIsHealth(t *testing.T) {
	key := negKey{"neg-1", "zone-a"}
	for _, c := range []struct {
		name         string
		found        *finding
		negs         []string
		age          time.Duration
		status       corev1.ConditionStatus
		reason, text string
	}{
		{"waiting", nil, []string{"neg-1", "neg-2"}, time.Minute, "", reasonNotReady, "at least one of the NEG(s): [neg-1 neg-2]"},
		{"healthy", &finding{key, "backend"}, []string{"neg-1"}, 0, "True", reasonReady, `Healthy in NEG "Key{\"neg-1\", zone: \"zone-a\"}" attached to BackendService "Key{\"backend\"}"`},
		{"unchecked", &finding{key, ""}, []string{"neg-1"}, 0, "True", reasonUncheckedReady, "not attached to any BackendService with health checking"},
		{"no NEG", nil, nil, 0, "True", reasonReady, "Pod does not belong to any NEG."},
		{"too old", nil, []string{"neg-1"}, 11 * time.Minute, "True", reasonTimeout, "Timeout waiting for pod"},
		{"healthy and too old", &finding{key, "backend"}, []string{"neg-1"}, 11 * time.Minute, "True", reasonReady, "attached to BackendService"},
	} {
		got := expectedCondition(c.found, c.negs, c.age, 10*time.Minute)
		if got.Status != c.status || got.Reason != c.reason || !strings.Contains(got.Message, c.text) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestPollMarksAllPodsOfANEGWithoutAnyHealth(t *testing.T) {
	key, one, two, three := negKey{"neg", "zone"}, endpoint{"10.0.0.1", 80}, endpoint{"10.0.0.2", 80}, endpoint{"10.0.0.3", 80}
	pod := func(name string) types.NamespacedName { return types.NamespacedName{Name: name} }
	pods := map[endpoint]types.NamespacedName{one: pod("one"), two: pod("two")}
	listed := func(states ...map[string]string) []endpointHealth {
		return []endpointHealth{{one, states[0]}, {two, states[1]}, {three, states[2]}}
	}
	good, bad := map[string]string{"b": healthy}, map[string]string{"b": unhealthy}
	for _, c := range []struct {
		name   string
		listed []endpointHealth
		want   map[types.NamespacedName]finding
	}{
		{"one healthy", listed(good, bad, bad), map[types.NamespacedName]finding{pod("one"): {key, "b"}}},
		{"healthy, but does not wait", listed(bad, bad, good), map[types.NamespacedName]finding{}},
		{"no status yet, but others have", listed(nil, nil, bad), map[types.NamespacedName]finding{}},
		{"no status at all", listed(nil, nil, nil), map[types.NamespacedName]finding{pod("one"): {neg: key}, pod("two"): {neg: key}}},
	} {
		if diff := cmp.Diff(c.want, findings(key, c.listed, pods), allow); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestWebhooksChangeOnlyWhatLacksSomething(t *testing.T) {
	pod := func(gates ...corev1.PodReadinessGate) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"color": "blue"}}, Spec: corev1.PodSpec{ReadinessGates: gates}}
	}
	service := func(neg, color string) []corev1.Service {
		return []corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{negAnnotation: neg, "x": "y"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"color": color}},
		}}
	}
	other := corev1.PodReadinessGate{ConditionType: "other"}
	bare := corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"x": "y"}}}
	external := corev1.Service{Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName}}
	for _, c := range []struct {
		name string
		got  []patchOperation
		want string
	}{
		{"selected", gatePatch(pod(), service(ingressNEG, "blue")), `[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"cloud.google.com/load-balancer-neg-ready"}]}]`},
		{"other gates stay", gatePatch(pod(other), service(`{"exposed_ports":{"80":{}}}`, "blue")), `[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"other"},{"conditionType":"cloud.google.com/load-balancer-neg-ready"}]}]`},
		{"gated", gatePatch(pod(corev1.PodReadinessGate{ConditionType: readinessGate}), service(ingressNEG, "blue")), "null"},
		{"not selected", gatePatch(pod(), service(ingressNEG, "green")), "null"},
		{"no NEG", gatePatch(pod(), service(`{"ingress":false}`, "blue")), "null"},
		{"new Service", annotationPatch(&bare), `[{"op":"add","path":"/metadata/annotations","value":{"cloud.google.com/neg":"{\"ingress\":true}","x":"y"}}]`},
		{"annotated Service", annotationPatch(&service(`{}`, "blue")[0]), "null"},
		{"ExternalName", annotationPatch(&external), "null"},
	} {
		text, err := json.Marshal(c.got)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
}
