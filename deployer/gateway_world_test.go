package deployer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// newGatewayWorld is newWorld with an HTTPRoute of two Gateways in place of the Ingress.
func newGatewayWorld(t testing.TB, change ...func(*v1alpha1.BlueGreen)) (*world, *gateways) {
	t.Helper()
	return newGatewayWorldOn(t, plane.Config, change...)
}

func newGatewayWorldOn(t testing.TB, cfg *rest.Config, change ...func(*v1alpha1.BlueGreen)) (*world, *gateways) {
	t.Helper()
	w := emptyWorld(t, cfg, map[string]string{v1alpha1.RepositoriesAnnotation: repository, v1alpha1.ProjectsAnnotation: "acme-prod"})
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		w.create(w.deployment(c))
		w.create(w.service(c))
	}
	w.create(w.httpRoute())
	bg := &v1alpha1.BlueGreen{ObjectMeta: w.meta("my-python-app"), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"}, Gateway: &v1alpha1.GatewaySpec{Route: "shop"},
		Soak: duration(time.Millisecond), Drain: duration(time.Millisecond), Hold: duration(time.Hour),
		Proof: v1alpha1.ProofSpec{Tail: duration(time.Millisecond)},
	}}
	for _, c := range change {
		c(bg)
	}
	w.create(bg)
	w.settle = time.Millisecond
	return w, w.startGateways()
}

// parentRef sets every field, so that what is read equals what was written.
func parentRef(namespace, name string) map[string]any {
	return map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace, "name": name}
}

func ref(service string) map[string]any {
	return map[string]any{"name": service, "port": int64(80)}
}

func pathMatch(kind, value string) map[string]any {
	return map[string]any{"path": map[string]any{"type": kind, "value": value}}
}

// httpRoute has a rule for everything, one for an exact path below it, and one of somebody else.
func (w *world) httpRoute() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"parentRefs": []any{parentRef("edge", "outside"), parentRef("infra", "inside")},
		"hostnames":  []any{"shop.example.com"},
		"rules": []any{
			map[string]any{"matches": []any{pathMatch("PathPrefix", "/")}, "backendRefs": []any{ref("my-python-app-blue-svc")}},
			map[string]any{"matches": []any{pathMatch("Exact", "/api")}, "backendRefs": []any{ref("my-python-app-blue-svc")}},
			map[string]any{"matches": []any{pathMatch("PathPrefix", "/admin")}, "backendRefs": []any{ref("admin-svc")}},
		},
	}}}
	u.SetGroupVersionKind(route.HTTPRouteKind)
	u.SetNamespace(w.namespace)
	u.SetName("shop")
	return u
}

// readRoute reads an HTTPRoute.
func (w *world) readRoute(name string) *unstructured.Unstructured {
	w.t.Helper()
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(route.HTTPRouteKind)
	u.SetNamespace(w.namespace)
	u.SetName(name)
	w.get(u)
	return u
}

// weights are the application's weights in each rule that has any.
func (w *world) weights() []string {
	w.t.Helper()
	var all []string
	rules, _, _ := unstructured.NestedSlice(w.readRoute("shop").Object, "spec", "rules")
	for _, r := range rules {
		refs, _, _ := unstructured.NestedSlice(r.(map[string]any), "backendRefs")
		of := map[string]any{}
		for _, v := range refs {
			of[v.(map[string]any)["name"].(string)] = v.(map[string]any)["weight"]
		}
		if _, ours := of["my-python-app-blue-svc"]; ours {
			all = append(all, fmt.Sprintf("blue %v green %v", of["my-python-app-blue-svc"], of["my-python-app-green-svc"]))
		}
	}
	return all
}

// gateways are the controllers of both Gateways. They report in a route's status which generation
// they have programmed.
type gateways struct {
	mu sync.Mutex
	// held are Gateways that program nothing, by name.
	held map[string]bool
	// heldStandby: they program no standby route.
	heldStandby bool
	// rejected are Gateways that accept no route, by name.
	rejected map[string]bool
	// refuse is why a Gateway cannot use a route; "" if it can.
	refuse func(u *unstructured.Unstructured) string
	// silent: they do not report a generation.
	silent bool
}

func (g *gateways) holdInside(held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held["inside"] = held
}

func (g *gateways) holdStandby(held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heldStandby = held
}

func (g *gateways) acceptInside(accepted bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rejected["inside"] = !accepted
}

func (w *world) startGateways() *gateways {
	g := &gateways{held: map[string]bool{}, rejected: map[string]bool{}, refuse: func(*unstructured.Unstructured) string { return "" }}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ticks := time.Tick(5 * time.Millisecond); ctx.Err() == nil; <-ticks {
			list := &unstructured.UnstructuredList{}
			list.SetGroupVersionKind(route.HTTPRouteKind.GroupVersion().WithKind("HTTPRouteList"))
			if err := w.kube.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
				continue // the kind may not exist yet
			}
			for i := range list.Items {
				if err := g.carryOut(ctx, w.kube, &list.Items[i]); err != nil && ctx.Err() == nil && !apierrors.IsConflict(err) {
					w.t.Errorf("writing the status of httproute %s: %v", list.Items[i].GetName(), err)
				}
			}
		}
	})
	w.t.Cleanup(func() { cancel(); running.Wait() })
	return g
}

// carryOut writes the changes of a route's status.
func (g *gateways) carryOut(ctx context.Context, kube client.Client, u *unstructured.Unstructured) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.heldStandby && strings.HasSuffix(u.GetName(), "-standby") {
		return nil
	}
	before, _, _ := unstructured.NestedSlice(u.Object, "status", "parents")
	refs, _, _ := unstructured.NestedSlice(u.Object, "spec", "parentRefs")
	var parents []any
	changed := false
	for _, r := range refs {
		name := r.(map[string]any)["name"]
		i := slices.IndexFunc(before, func(p any) bool { return p.(map[string]any)["parentRef"].(map[string]any)["name"] == name })
		if i >= 0 {
			c := before[i].(map[string]any)["conditions"].([]any)[0].(map[string]any)
			told := c["observedGeneration"] == u.GetGeneration() && (c["status"] == "True") != g.rejected[name.(string)]
			if g.held[name.(string)] || told || g.silent {
				parents = append(parents, before[i])
				continue
			}
		} else if g.held[name.(string)] {
			continue
		}
		changed = true
		parents = append(parents, map[string]any{
			"parentRef": maps.Clone(r.(map[string]any)), "controllerName": "example.com/gateway", "conditions": g.conditions(u, name.(string)),
		})
	}
	if !changed {
		return nil
	}
	if err := unstructured.SetNestedSlice(u.Object, parents, "status", "parents"); err != nil {
		return err
	}
	return kube.Status().Update(ctx, u)
}

func (g *gateways) conditions(u *unstructured.Unstructured, gateway string) []any {
	condition := func(kind, status, reason, message string) map[string]any {
		c := map[string]any{
			"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": u.GetGeneration(),
			"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339),
		}
		if g.silent {
			delete(c, "observedGeneration")
		}
		return c
	}
	resolved := condition("ResolvedRefs", "True", "ResolvedRefs", "")
	if why := g.refuse(u); why != "" {
		resolved = condition("ResolvedRefs", "False", "BackendNotFound", why)
	}
	accepted := condition("Accepted", "True", "Accepted", "")
	if g.rejected[gateway] {
		accepted = condition("Accepted", "False", "NotAllowedByListeners", "no listener allows it")
	}
	return []any{accepted, resolved}
}
