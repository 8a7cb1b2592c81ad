package cutover

import (
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubectlPatch points the Ingress at a Service as the reference pipeline does, by
// its very command: a strategic merge patch of the whole list of rules. Only the
// host is ours, since the applications here share one address.
func (a *app) kubectlPatch(ctx context.Context, service string) (time.Time, error) {
	patch := fmt.Sprintf(`{"spec": {"rules": [{"host": %q, "http": {"paths": [{"path": "/", "pathType": "Prefix", `+
		`"backend": {"service": {"name": %q, "port": {"number": 80}}}}]}}]}}`, a.host, service)
	err := a.patch(ctx, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: a.ingressName()}}, patch)
	return time.Now(), err
}

// cold moves users by kubectl patch to a colour that was just deployed, n times.
func (r *run) cold(ctx context.Context, n int) (*app, error) {
	a, err := r.newApp(ctx, Cold, false)
	if err != nil {
		return nil, err
	}
	name := func(i int) (deployment, service, version string) {
		color := fmt.Sprintf("color-%d", i)
		return color, color + "-svc", fmt.Sprintf("v%d", i)
	}
	deployment, service, version := name(0)
	if err := r.create(ctx, a.deploy(deployment, deployment, version, replicas), a.service(service, deployment),
		a.ingress(service)); err != nil {
		return a, err
	}
	if err := a.start(ctx, version); err != nil {
		return a, err
	}
	for i := range n {
		a.begin(Cold)
		nextDeployment, nextService, nextVersion := name(i + 1)
		if err := r.create(ctx, a.deploy(nextDeployment, nextDeployment, nextVersion, replicas),
			a.service(nextService, nextDeployment)); err != nil {
			return a, err
		}
		if err := a.available(ctx, nextDeployment, replicas); err != nil {
			return a, err
		}
		at, err := a.kubectlPatch(ctx, nextService)
		if err != nil {
			return a, err
		}
		a.cut(at, version)
		if err := a.settle(ctx, nextVersion, at); err != nil {
			return a, err
		}
		a.progress(i, n)
		if err := a.remove(ctx, deployment, service); err != nil {
			return a, err
		}
		deployment, service, version = nextDeployment, nextService, nextVersion
	}
	return a, nil
}

// remove deletes a colour that nobody reaches any more.
func (a *app) remove(ctx context.Context, deployment, service string) error {
	for _, object := range []client.Object{a.service(service, deployment), a.deploy(deployment, deployment, "", 0)} {
		if err := a.kube.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			return fmt.Errorf("deleting %s: %w", object.GetName(), err)
		}
	}
	return nil
}

// ready moves users by kubectl patch between two colours that both run throughout. Each has long
// been unreferenced when users return to it.
func (r *run) ready(ctx context.Context, name string, n int) (*app, error) {
	a, err := r.newApp(ctx, name, false)
	if err != nil {
		return nil, err
	}
	colors := []string{"blue", "green"}
	for _, color := range colors {
		if err := r.create(ctx, a.deploy(color, color, color, replicas), a.service(color, color)); err != nil {
			return a, err
		}
	}
	if err := r.create(ctx, a.ingress("blue")); err != nil {
		return a, err
	}
	if err := a.available(ctx, "green", replicas); err != nil {
		return a, err
	}
	if err := a.start(ctx, "blue"); err != nil {
		return a, err
	}
	for i := range n {
		a.begin(Ready)
		old, next := colors[i%2], colors[(i+1)%2]
		if err := a.forgotten(ctx, next); err != nil {
			return a, err
		}
		at, err := a.kubectlPatch(ctx, next)
		if err != nil {
			return a, err
		}
		a.cut(at, old)
		if err := a.settle(ctx, next, at); err != nil {
			return a, err
		}
		a.progress(i, n)
	}
	return a, nil
}

// forgotten waits until the load balancer has deleted everything of a Service: its NEG is last.
func (a *app) forgotten(ctx context.Context, service string) error {
	return a.until(ctx, "the NEG of "+service+" to be collected", func(ctx context.Context) (bool, error) {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(schema.GroupVersionKind{Group: "networking.gke.io", Version: "v1beta1", Kind: "ServiceNetworkEndpointGroupList"})
		err := a.kube.List(ctx, list, client.InNamespace(a.namespace), client.MatchingLabels{"networking.gke.io/service-name": service})
		return len(list.Items) == 0, err
	})
}

// flip moves users by changing the selector of the only Service.
func (r *run) flip(ctx context.Context, n int) (*app, error) {
	a, err := r.newApp(ctx, Selector, false)
	if err != nil {
		return nil, err
	}
	colors := []string{"blue", "green"}
	for _, color := range colors {
		if err := r.create(ctx, a.deploy(color, color, color, replicas)); err != nil {
			return a, err
		}
	}
	if err := r.create(ctx, a.service("live", "blue"), a.ingress("live")); err != nil {
		return a, err
	}
	if err := a.available(ctx, "green", replicas); err != nil {
		return a, err
	}
	if err := a.start(ctx, "blue"); err != nil {
		return a, err
	}
	for i := range n {
		a.begin(Selector)
		old, next := colors[i%2], colors[(i+1)%2]
		patch := fmt.Sprintf(`{"spec": {"selector": {"version": %q}}}`, next)
		if err := a.patch(ctx, a.service("live", ""), patch); err != nil {
			return a, err
		}
		at := time.Now()
		a.cut(at, old)
		if err := a.settle(ctx, next, at); err != nil {
			return a, err
		}
		a.progress(i, n)
	}
	return a, nil
}
