package gclb

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const ingressNEG = `{"ingress":true}`

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
		{
			"selected", gatePatch(pod(), service(ingressNEG, "blue")),
			`[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"cloud.google.com/load-balancer-neg-ready"}]}]`,
		},
		{
			"other gates stay", gatePatch(pod(other), service(`{"exposed_ports":{"80":{}}}`, "blue")),
			`[{"op":"add","path":"/spec/readinessGates","value":[{"conditionType":"other"},` +
				`{"conditionType":"cloud.google.com/load-balancer-neg-ready"}]}]`,
		},
		{"gated", gatePatch(pod(corev1.PodReadinessGate{ConditionType: readinessGate}), service(ingressNEG, "blue")), "null"},
		{"not selected", gatePatch(pod(), service(ingressNEG, "green")), "null"},
		{"no NEG", gatePatch(pod(), service(`{"ingress":false}`, "blue")), "null"},
		{
			"new Service", annotationPatch(&bare),
			`[{"op":"add","path":"/metadata/annotations","value":{"cloud.google.com/neg":"{\"ingress\":true}","x":"y"}}]`,
		},
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
