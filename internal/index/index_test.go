package index

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// named is the metadata of an object, with its controller.
func named(name, kind, owner string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: "prod", Name: name}
	if owner != "" {
		yes := true
		m.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, UID: "uid of owner", Controller: &yes}}
	}
	return m
}

func withLabel(m metav1.ObjectMeta, key, value string) metav1.ObjectMeta {
	m.Labels = map[string]string{key: value}
	return m
}

// Each object of an application wakes it: what the object is part of is among the
// application's parts. An object of another name does not.
func TestObjectsFindTheirApplication(t *testing.T) {
	t.Parallel()
	bg := &v1alpha1.BlueGreen{ObjectMeta: named("shop", "", "")}
	bg.Status.Findings = []v1alpha1.Finding{{Object: "ConfigMap prod/settings"}}
	target := autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "shop-green"}
	job := autoscalingv2.CrossVersionObjectReference{Kind: "StatefulSet", Name: "shop-green"}
	for _, tt := range []struct {
		what   string
		object client.Object
		wakes  bool
	}{
		{"its Deployment", &appsv1.Deployment{ObjectMeta: named("shop-blue", "", "")}, true},
		{"another Deployment", &appsv1.Deployment{ObjectMeta: named("shop", "", "")}, false},
		{"its ReplicaSet", &appsv1.ReplicaSet{ObjectMeta: named("shop-blue-7d4", "Deployment", "shop-blue")}, true},
		{"a ReplicaSet of something else", &appsv1.ReplicaSet{ObjectMeta: named("shop-blue-7d4", "Rollout", "shop-blue")}, false},
		{"a ReplicaSet of nothing", &appsv1.ReplicaSet{ObjectMeta: named("shop-blue", "", "")}, false},
		{
			"its pod", &corev1.Pod{
				ObjectMeta: withLabel(named("shop-green-7d4-x", "ReplicaSet", "shop-green-7d4"), appsv1.DefaultDeploymentUniqueLabelKey, "7d4"),
			}, true,
		},
		{
			"a pod of another ReplicaSet", &corev1.Pod{
				ObjectMeta: withLabel(named("shop-green-7d4-x", "ReplicaSet", "shop-green-a-7d4"), appsv1.DefaultDeploymentUniqueLabelKey, "7d4"),
			}, false,
		},
		{"a pod of a Job", &corev1.Pod{ObjectMeta: named("shop-green", "Job", "shop-green")}, false},
		{"its Service", &corev1.Service{ObjectMeta: named("shop-green-svc", "", "")}, true},
		{
			"its endpoints", &discoveryv1.EndpointSlice{ObjectMeta: withLabel(named("x", "", ""), discoveryv1.LabelServiceName, "shop-green-svc")},
			true,
		},
		{
			"other endpoints", &discoveryv1.EndpointSlice{ObjectMeta: withLabel(named("shop-green", "", ""), discoveryv1.LabelServiceName, "x")},
			false,
		},
		{"its Ingress", &networkingv1.Ingress{ObjectMeta: named("shop-ingress", "", "")}, true},
		{"another Ingress", &networkingv1.Ingress{ObjectMeta: named("shop-green", "", "")}, false},
		{"its autoscaler", &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: named("x", "", ""), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: target},
		}, true},
		{"another autoscaler", &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: named("x", "", ""), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: job},
		}, false},
		{"what a finding is about", &networkingv1.Ingress{ObjectMeta: named("settings", "", "")}, true},
	} {
		wakes := slices.ContainsFunc(PartsOf(tt.object), func(value string) bool { return slices.Contains(parts(bg), value) })
		if wakes != tt.wakes {
			t.Errorf("%s: wakes the application: %v; it is part of %v, which has %v", tt.what, wakes, PartsOf(tt.object), parts(bg))
		}
	}
}

// An application wakes those that use one of its Services, and no others.
func TestApplicationsFindThoseThatShareAService(t *testing.T) {
	t.Parallel()
	shop := &v1alpha1.BlueGreen{ObjectMeta: named("shop", "", "")}
	other := &v1alpha1.BlueGreen{ObjectMeta: named("other", "", "")}
	other.Spec.Ingress.Name = shop.IngressName()
	shares := func() bool {
		return slices.ContainsFunc(PartsOf(shop), func(value string) bool { return slices.Contains(parts(other), value) })
	}
	if shares() {
		t.Errorf("applications on one Ingress share %v", PartsOf(shop))
	}
	other.Spec.Green.Service = shop.Side(v1alpha1.Blue).Service
	if !shares() {
		t.Errorf("the application is not found by %v", PartsOf(shop))
	}
}

func TestIngressIsFoundByEveryServiceItNames(t *testing.T) {
	t.Parallel()
	to := func(name string) networkingv1.IngressBackend {
		return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: name}}
	}
	fallback := to("fallback")
	ingress := &networkingv1.Ingress{Spec: networkingv1.IngressSpec{DefaultBackend: &fallback, Rules: []networkingv1.IngressRule{
		{Host: "a.example.com", IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Backend: to("a")}, {Backend: to("b")}, {Backend: networkingv1.IngressBackend{}}},
		}}},
		{Host: "no paths"},
		{
			IngressRuleValue: networkingv1.IngressRuleValue{
				HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Backend: to("a")}}},
			},
		},
	}}}
	if diff := cmp.Diff([]string{"a", "b", "fallback"}, Services(ingress)); diff != "" {
		t.Errorf("Services of an Ingress (-want +got):\n%s", diff)
	}
}
