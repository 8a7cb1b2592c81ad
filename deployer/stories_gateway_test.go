package deployer

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	postStandby  = "POST httproutes"
	patchStandby = "PATCH httproutes/my-python-app-standby"
	patchShares  = "PATCH httproutes/shop"
)

// gatewayMilestones are those milestones of a deploy where a Gateway makes a difference.
var gatewayMilestones = []milestone{
	{name: "01-attaching", last: made(postStandby, 1), patches: 2, unswitched: true},
	{name: "02-attached-to-the-users-route", last: made(patchShares, 1), patches: 1, unswitched: true},
	{name: "03-attached", last: of(attached), patches: 1, unswitched: true},
	{name: "04-switch-intended", last: of(switchIntended), during: (*world).promote, patches: 1, unswitched: true},
	{name: "05-switching", last: made(patchShares, 2), during: (*world).promote},
	{name: "06-switched", last: of(track.Switched), during: (*world).promote},
	{name: "07-confirming", last: of(confirming), during: (*world).promote},
	{name: "08-succeeded", last: of(hasEnded), refuse: every(patchStandby), during: (*world).promote},
	{name: "09-standby-follows", last: made(patchStandby, 1), during: (*world).promote},
}

func startOnGateway(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w, _ := newGatewayWorld(t, manual, soaks(time.Second))
	w.autoscaleBoth()
	return w, w.submit("a")
}

// snapshotRoutes records what routes users, without the controllers' reports.
func (w *world) snapshotRoutes(r *recording) {
	w.t.Helper()
	if r.Application.Spec.Gateway == nil {
		r.Ingress = &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
		w.get(r.Ingress)
		return
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(route.HTTPRouteKind.GroupVersion().WithKind("HTTPRouteList"))
	check(w.t, w.kube.List(w.t.Context(), list, client.InNamespace(w.namespace)))
	for _, u := range list.Items {
		unstructured.RemoveNestedField(u.Object, "status")
		r.HTTPRoutes = append(r.HTTPRoutes, u)
	}
}

// putBackRoutes recreates what routes users, and returns its generations.
func (w *world) putBackRoutes(r *recording, renamed renaming) (before, now int64) {
	w.t.Helper()
	if r.Ingress != nil {
		ingress := r.Ingress.DeepCopy()
		w.remake(ingress, renamed)
		return r.Ingress.Generation, ingress.Generation
	}
	for i := range r.HTTPRoutes {
		u := r.HTTPRoutes[i].DeepCopy()
		w.remake(u, renamed)
		if u.GetName() == r.Application.Spec.Gateway.Route {
			before, now = r.HTTPRoutes[i].GetGeneration(), u.GetGeneration()
		}
	}
	w.settle = time.Millisecond
	w.startGateways()
	return before, now
}
