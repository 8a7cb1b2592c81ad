package deployer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const gateType corev1.PodConditionType = "cloud.google.com/load-balancer-neg-ready"

const (
	negEnabled    = `{"ingress": true}`
	backendsKey   = "ingress.kubernetes.io/backends"
	urlMapKey     = "ingress.kubernetes.io/url-map"
	urlMapName    = "k8s2-um-1"
	negStatusKey  = "cloud.google.com/neg-status"
	negAnnotation = "cloud.google.com/neg"
)

// balancer writes what ingress-gce's controllers write, and nothing else: annotations,
// conditions, events and the objects of NEGs. It adds no delays.
type balancer struct {
	w    *world
	kube client.Client

	mu sync.Mutex
	// refused is the error for an Ingress that names green.
	refused string
	// sick selects pods that the load balancer finds unhealthy.
	sick func(*corev1.Pod) bool
	// reason replaces the reason of a healthy pod's condition.
	reason string
	// fails is why the load balancer cannot be programmed.
	fails string
	// lost are the types of events that are dropped: a controller has a budget of them.
	lost []string
	// late: at the next switch it is still applying the change before, reports that one as done,
	// and then fails silently.
	late bool
	// mended: it fails no more.
	mended bool
	// used is the colour that the routes in use lead to.
	used v1alpha1.Color
	// routes are those in use, as the Ingress had them.
	routes []networkingv1.IngressRule

	pokes      []string // the annotation's values, in order
	syncs      int
	generation int64
	version    string          // of the Ingress when last seen
	probed     map[string]bool // by Service: it had a ready pod when its health check was created
	wrong      []string
}

// behindGCE puts the world's Ingress behind Google's load balancer, and its readiness gate on the
// pods.
func behindGCE(w *world) *balancer {
	w.t.Helper()
	b := &balancer{w: w, kube: w.kube, sick: func(*corev1.Pod) bool { return false }, probed: map[string]bool{}}
	w.create(&corev1.Service{ObjectMeta: w.meta("admin-svc"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}})
	for _, name := range []string{"admin-svc", "my-python-app-blue-svc", "my-python-app-green-svc"} {
		w.patch(&corev1.Service{ObjectMeta: w.meta(name)}, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, negAnnotation, negEnabled))
	}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-" + string(c))},
			fmt.Sprintf(`{"spec":{"template":{"spec":{"readinessGates":[{"conditionType":%q}]}}}}`, gateType))
	}
	w.patch(&networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")},
		`{"metadata":{"annotations":{"kubernetes.io/ingress.class":"gce"}}}`)
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			b.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Millisecond):
			}
		}
	}()
	w.t.Cleanup(func() {
		cancel()
		<-done
		for _, wrong := range b.wrong {
			w.t.Error(wrong)
		}
	})
	w.until("the load balancer to find blue healthy", func() bool {
		return strings.Contains(w.gceIngress().Annotations[backendsKey], `"k8s1-my-python-app-blue-svc":"HEALTHY"`) || b.poke()
	}, func() string { return w.gceIngress().Annotations[backendsKey] })
	return b
}

// poke touches the Ingress as anybody might.
func (b *balancer) poke() bool {
	b.w.patch(&networkingv1.Ingress{ObjectMeta: b.w.meta("my-python-app-ingress")},
		fmt.Sprintf(`{"metadata":{"annotations":{"someone":%q}}}`, time.Now().String()))
	return false
}

func (w *world) gceIngress() *networkingv1.Ingress {
	w.t.Helper()
	i := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(i)
	return i
}

func (b *balancer) set(change func(*balancer)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

// look is one round of both controllers. It retries failures.
func (b *balancer) look(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchUsers(ctx)
	ingress := &networkingv1.Ingress{ObjectMeta: b.w.meta("my-python-app-ingress")}
	if b.kube.Get(ctx, keyOf(ingress), ingress) != nil || ingress.Annotations["kubernetes.io/ingress.class"] != "gce" {
		return
	}
	services := servicesOf(ingress)
	var pods corev1.PodList
	if b.kube.List(ctx, &pods, client.InNamespace(b.w.namespace)) != nil {
		return
	}
	for _, name := range services {
		b.negs(ctx, name)
	}
	for i := range pods.Items {
		b.condition(ctx, &pods.Items[i], services)
	}
	if p := ingress.Annotations[v1alpha1.PokeAnnotation]; p != "" && !slices.Contains(b.pokes, p) {
		b.pokes = append(b.pokes, p)
	}
	if ingress.ResourceVersion != b.version { // a sync
		b.version = ingress.ResourceVersion
		b.sync(ctx, ingress, services, pods.Items)
	}
}

// watchUsers records if the users' colour is scaled to 0.
func (b *balancer) watchUsers(ctx context.Context) {
	d := &appsv1.Deployment{ObjectMeta: b.w.meta("my-python-app-" + string(b.used))}
	if b.used != "" && b.kube.Get(ctx, keyOf(d), d) == nil && *d.Spec.Replicas == 0 {
		b.wrong = append(b.wrong, fmt.Sprintf("users are sent to %s, which is shrunk to 0", b.used))
	}
}

func servicesOf(ingress *networkingv1.Ingress) (names []string) {
	for _, rule := range ingress.Spec.Rules {
		for _, path := range rule.HTTP.Paths {
			names = append(names, path.Backend.Service.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (b *balancer) negs(ctx context.Context, name string) {
	service := &corev1.Service{ObjectMeta: b.w.meta(name)}
	if b.kube.Get(ctx, keyOf(service), service) != nil || service.Annotations[negAnnotation] == "" {
		return
	}
	if service.Annotations[negStatusKey] == "" {
		status := fmt.Sprintf(`{"network_endpoint_groups":{"80":"k8s1-%s"},"zones":["z"]}`, name)
		b.merge(ctx, service, map[string]any{"metadata": map[string]any{"annotations": map[string]string{negStatusKey: status}}})
	}
	neg := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "networking.gke.io/v1beta1", "kind": "ServiceNetworkEndpointGroup",
		"metadata": map[string]any{"namespace": b.w.namespace, "name": "k8s1-" + name},
		"status": map[string]any{
			"networkEndpointGroups": []any{map[string]any{"id": "1"}},
			"conditions": []any{
				map[string]any{"type": "Initialized", "status": "True"}, map[string]any{"type": "Synced", "status": "True"},
			},
		},
	}}
	_ = b.kube.Create(ctx, neg)
}

func (b *balancer) merge(ctx context.Context, o client.Object, patch map[string]any) {
	data, err := json.Marshal(patch)
	if err == nil {
		err = b.kube.Patch(ctx, o, client.RawPatch(types.MergePatchType, data))
	}
	_ = client.IgnoreNotFound(err)
}

// condition writes a pod's condition, until it is True.
func (b *balancer) condition(ctx context.Context, pod *corev1.Pod, services []string) {
	if c := conditionOf(pod, gateType); pod.Status.PodIP == "" || len(pod.Spec.ReadinessGates) == 0 || c != nil &&
		c.Status == corev1.ConditionTrue {
		return
	}
	service := "my-python-app-" + pod.Labels["version"] + "-svc"
	neg := fmt.Sprintf("%q", `Key{"k8s1-`+service+`", zone: "z"}`)
	wanted := corev1.PodCondition{
		Type: gateType, Status: corev1.ConditionTrue, Reason: "LoadBalancerNegReady",
		Message: "Pod does not belong to any NEG. Marking condition to True.",
	}
	switch {
	case !slices.Contains(services, service):
	case b.sick(pod):
		wanted.Status, wanted.Reason, wanted.Message = corev1.ConditionFalse, "LoadBalancerNegNotReady", "Waiting for pod to become healthy in "+
			"at least one of the NEG(s): [k8s1-"+service+"]"
	case b.reason != "":
		wanted.Reason, wanted.Message = b.reason, "Pod is in NEG "+neg+"."
	default:
		wanted.Message = fmt.Sprintf("Pod has become Healthy in NEG %s attached to BackendService %q. Marking condition to True.", neg,
			`Key{"k8s1-`+service+`"}`)
	}
	if c := conditionOf(pod, gateType); c != nil && c.Status == wanted.Status && c.Reason == wanted.Reason {
		return
	}
	data, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []corev1.PodCondition{wanted}}})
	if err == nil {
		_ = b.kube.Status().Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, data))
	}
}

// sync takes up the Ingress.
func (b *balancer) sync(ctx context.Context, ingress *networkingv1.Ingress, services []string, pods []corev1.Pod) {
	b.syncs++
	if b.refused != "" && slices.Contains(services, "my-python-app-green-svc") {
		b.event(ctx, ingress, corev1.EventTypeWarning, "Translate", b.refused)
		return
	}
	if users := ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name; b.late && !strings.Contains(users, string(b.used)) {
		b.event(ctx, ingress, corev1.EventTypeNormal, "Sync", fmt.Sprintf("UrlMap %q updated", urlMapName))
		b.late, b.fails, b.lost = false, "Error syncing to GCP", []string{corev1.EventTypeWarning, corev1.EventTypeNormal}
	}
	if b.fails != "" {
		b.event(ctx, ingress, corev1.EventTypeWarning, "Sync", b.fails)
		return
	}
	states := map[string]string{}
	for _, name := range services {
		states["k8s1-"+name] = "Unknown"
		made := false
		for i := range pods {
			pod := &pods[i]
			selected := labels.SelectorFromSet(labels.Set{"version": pod.Labels["version"]})
			if !selected.Matches(labels.Set(pod.Labels)) || "my-python-app-"+pod.Labels["version"]+"-svc" != name || pod.DeletionTimestamp != nil {
				continue
			}
			ready := conditionOf(pod, corev1.PodReady)
			made = made || ready != nil && ready.Status == corev1.ConditionTrue
			if pod.Status.PodIP != "" && !b.sick(pod) {
				states["k8s1-"+name] = "HEALTHY"
			}
		}
		if _, known := b.probed[name]; !known {
			b.probed[name] = made
		}
	}
	for name := range b.probed {
		if !slices.Contains(services, name) {
			b.wrong = append(b.wrong, "the reference to "+name+" was removed, and with it went its backend service, health check and NEG")
			delete(b.probed, name)
		}
	}
	b.routes = ingress.Spec.Rules
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		if ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name == "my-python-app-"+string(c)+"-svc" {
			b.used = c
		}
	}
	if ingress.Generation != b.generation && b.generation != 0 {
		b.event(ctx, ingress, corev1.EventTypeNormal, "Sync", fmt.Sprintf("UrlMap %q updated", urlMapName))
	}
	b.generation = ingress.Generation
	text, err := json.Marshal(states)
	if err != nil || ingress.Annotations[backendsKey] == string(text) {
		return
	}
	b.merge(ctx, ingress, map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		backendsKey: string(text),
		urlMapKey:   urlMapName,
	}}})
}

func (b *balancer) event(ctx context.Context, ingress *networkingv1.Ingress, kind, reason, message string) {
	if slices.Contains(b.lost, kind) {
		return
	}
	now := metav1.Now()
	_ = b.kube.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: ingress.Namespace, GenerateName: ingress.Name + "."},
		InvolvedObject: corev1.ObjectReference{
			Kind: "Ingress", APIVersion: "networking.k8s.io/v1", Namespace: ingress.Namespace,
			Name: ingress.Name, UID: ingress.UID,
		},
		Type: kind, Reason: reason, Message: message, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "loadbalancer-controller"},
	})
}

// awaitFoundUnhealthy waits until the load balancer reports one of a colour's pods as unhealthy.
// It does not revoke earlier reports on older pods.
func (w *world) awaitFoundUnhealthy(c v1alpha1.Color) {
	w.t.Helper()
	var list corev1.PodList
	w.until("a pod to be found unhealthy", func() bool {
		check(w.t, w.kube.List(w.t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels{"version": string(c)}))
		return slices.ContainsFunc(list.Items, func(pod corev1.Pod) bool {
			told := conditionOf(&pod, gateType)
			return told != nil && told.Reason == "LoadBalancerNegNotReady"
		})
	}, func() string { return fmt.Sprintf("%d pods", len(list.Items)) })
}

// expectFoundHealthy checks the load balancer's report on each of a colour's pods.
func (w *world) expectFoundHealthy(t testing.TB, c v1alpha1.Color, pods int) {
	t.Helper()
	var list corev1.PodList
	check(t, w.kube.List(t.Context(), &list, client.InNamespace(w.namespace), client.MatchingLabels{"version": string(c)}))
	left := 0
	for i := range list.Items {
		pod := &list.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		left++
		if got := conditionOf(pod, gateType); got == nil || !strings.Contains(got.Message, "has become Healthy in NEG") {
			t.Errorf("pod %s has the condition %+v", pod.Name, got)
		}
	}
	if left != pods {
		t.Errorf("%s has %d pods, want %d", c, left, pods)
	}
}
