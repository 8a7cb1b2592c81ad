package cutover

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// onGateway is the application that users reach through a Gateway.
const onGateway = "gateway"

// Gateways is how fast the world's controller of Gateways must be: its delays are
// divided as the load balancer's are.
func Gateways(speed float64) *gateway.Config {
	d := gateway.DefaultDelays()
	for _, delay := range []*time.Duration{&d.Programme, &d.FirstAdoption, &d.LastAdoption, &d.Attach, &d.Detach, &d.HealthInterval} {
		*delay = time.Duration(float64(*delay) / speed)
	}
	return &gateway.Config{Delays: &d}
}

// gatewayClass is the class of all Gateways.
func gatewayClass() client.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"controllerName": gateway.GKE}}}
	u.SetGroupVersionKind(kindOf("GatewayClass"))
	u.SetName(world.GatewayClass)
	return u
}

// kindOf is a kind of the Gateway API.
func kindOf(kind string) schema.GroupVersionKind {
	return schema.GroupVersion(gatewayv1.GroupVersion).WithKind(kind)
}

// gatewayObjects are the routes of an application behind a Gateway of its own, and what
// tells the load balancer how to ask for its pods' health.
func (t *released) gatewayObjects() []client.Object {
	object := func(kind schema.GroupVersionKind, name string, spec map[string]any) client.Object {
		u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		u.SetGroupVersionKind(kind)
		u.SetNamespace(t.namespace)
		u.SetName(name)
		return u
	}
	all := []client.Object{
		object(kindOf("Gateway"), t.name, map[string]any{
			"gatewayClassName": world.GatewayClass, "listeners": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "HTTP"}},
		}),
		object(kindOf("HTTPRoute"), t.name, map[string]any{
			"parentRefs": []any{map[string]any{"name": t.name}}, "hostnames": []any{t.host},
			"rules": []any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}},
				"backendRefs": []any{map[string]any{"name": t.service(v1alpha1.Blue), "port": int64(80)}},
			}},
		}),
	}
	policy := schema.GroupVersionKind{Group: "networking.gke.io", Version: "v1", Kind: "HealthCheckPolicy"}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		all = append(all, object(policy, t.service(c), map[string]any{
			"targetRef": map[string]any{"group": "", "kind": "Service", "name": t.service(c)},
			"default": map[string]any{"config": map[string]any{
				"type": "HTTP", "httpHealthCheck": map[string]any{"requestPath": "/healthz", "port": int64(application.Port)},
			}},
		}))
	}
	return all
}

// watchRoute notes when all users are sent to a colour, be it after a time in which they were
// divided.
func (t *released) watchRoute(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kindOf("HTTPRouteList"))
	w, err := t.kube.Watch(ctx, list, client.InNamespace(t.namespace))
	if err != nil {
		return fmt.Errorf("watching the route: %w", err)
	}
	go func() {
		live := v1alpha1.Blue
		for event := range w.ResultChan() {
			u, ok := event.Object.(*unstructured.Unstructured)
			if !ok || u.GetName() != t.name {
				continue
			}
			now := t.allOf(u)
			if now != "" && now != live {
				t.moves <- move{to: now, at: time.Now()}
			}
			live = now
		}
	}()
	return nil
}

// allOf is the colour that has every user of a route; empty if none has.
func (t *released) allOf(u *unstructured.Unstructured) v1alpha1.Color {
	rules, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	refs, _, _ := unstructured.NestedSlice(rules[0].(map[string]any), "backendRefs")
	found := v1alpha1.Color("")
	for _, r := range refs {
		ref := r.(map[string]any)
		if weight, given := ref["weight"].(int64); given && weight == 0 {
			continue
		}
		c := v1alpha1.Blue
		if ref["name"] == t.service(v1alpha1.Green) {
			c = v1alpha1.Green
		}
		if found != "" && found != c {
			return ""
		}
		found = c
	}
	return found
}

// behindGateway makes an application that users reach through a Gateway. More are fields of
// its BlueGreen.
func (r *run) behindGateway(ctx context.Context, name string, more map[string]any) (*released, error) {
	a, err := r.newApp(ctx, name, true)
	if err != nil {
		return nil, err
	}
	a.entry = r.World.GatewayURL
	t := &released{app: a, moves: make(chan move, 16), gateway: true, more: more}
	return t, t.adopt(ctx, time.Hour)
}

// onGateway releases behind a Gateway and rolls back, in turn, n times in all.
func (r *run) onGateway(ctx context.Context, n int) (*app, error) {
	t, err := r.behindGateway(ctx, onGateway, nil)
	if err != nil {
		return t.orNil(), err
	}
	for i := 0; i < n; i += 2 {
		version, pr, err := t.release(ctx, GatewaySwitch)
		if err != nil {
			return t.app, err
		}
		if i+1 == n {
			break
		}
		t.begin(GatewaySwitch)
		if err := t.rollBack(ctx, GatewaySwitch, version, pr); err != nil {
			return t.app, err
		}
		t.progress(i, n)
	}
	return t.app, nil
}
