package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// observeGateway reads the routes of an application on a Gateway. A cluster without the
// Gateway API has none.
func observeGateway(ctx context.Context, from client.Reader, bg *v1alpha1.BlueGreen) (track.Routes, error) {
	route, err := httpRoute(ctx, from, bg.Namespace, bg.Spec.Gateway.Route)
	if meta.IsNoMatchError(err) {
		s := ReadHTTPRoute(bg, nil, nil)
		s.Gateway.Missing = "the cluster has no HTTPRoutes: install the Gateway API"
		return s, nil
	}
	if err != nil || route == nil {
		return ReadHTTPRoute(bg, nil, nil), err
	}
	standby, err := httpRoute(ctx, from, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return track.Routes{}, err
	}
	return ReadHTTPRoute(bg, route, standby), nil
}

// httpRoute reads an HTTPRoute; nil if there is none of that name.
func httpRoute(ctx context.Context, from client.Reader, namespace, name string) (*unstructured.Unstructured, error) {
	route := newHTTPRoute(namespace, name)
	err := from.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, route)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading httproute %s: %w", name, err)
	}
	return route, nil
}

// attachToGateway makes one of the writes that [track.Routes.Attached] requires. The standby
// route comes first, where trouble with the Service shows without any user.
func attachToGateway(ctx context.Context, r *Router, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error {
	if s.Gateway.Standby.For != target || s.Gateway.Standby.Cohort {
		if err := checkPorts(ctx, r, bg, s, target); err != nil {
			return err
		}
		return writeStandby(ctx, r, bg, s, target)
	}
	ops, err := attachPatch(bg, s, target)
	if err != nil || ops == nil {
		return err
	}
	if err := checkPorts(ctx, r, bg, s, target); err != nil {
		return err
	}
	return r.patch(ctx, bg, s, ops)
}

// writeStandby makes the standby route lead to a colour, by its secret value alone. It keeps that
// value, or creates a new one.
func writeStandby(ctx context.Context, r *Router, bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) error {
	if err := refusedRoute(s); err != nil {
		return err
	}
	name := bg.StandbyRoute()
	there, err := httpRoute(ctx, r.Reader, bg.Namespace, name)
	if err != nil {
		return err
	}
	if there == nil {
		err := r.Client.Create(ctx, newStandby(bg, s, other), client.FieldOwner(v1alpha1.DeployerManager))
		if apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("creating httproute %s: %w (%w)", name, ErrLostRace, err)
		}
		if err != nil {
			return fmt.Errorf("creating httproute %s: %w", name, hidden(err))
		}
		return nil
	}
	if !ownedBy(bg, there) {
		return standbyTaken(s)
	}
	ops := []Op{
		{Op: "test", Path: "/metadata/uid", Value: string(there.GetUID())},
		{Op: "test", Path: "/metadata/generation", Value: there.GetGeneration()},
		{Op: "replace", Path: "/spec", Value: standbySpec(bg, s, other, entrance{value: passwordOf(there)})},
	}
	return patchRoute(ctx, r.Client, there, ops)
}

// endCohort is [Divider.EndCohort].
func endCohort(ctx context.Context, r *Router, bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) error {
	there, err := httpRoute(ctx, r.Reader, bg.Namespace, bg.StandbyRoute())
	if err != nil {
		return err
	}
	switch {
	case there == nil && len(s.Gateway.Refusals) > 0:
		return nil
	case there == nil:
		return writeStandby(ctx, r, bg, s, other)
	case !ownedBy(bg, there):
		return standbyTaken(s)
	}
	return patchRoute(ctx, r.Client, there, []Op{
		{Op: "test", Path: "/metadata/uid", Value: string(there.GetUID())},
		{Op: "test", Path: "/metadata/generation", Value: there.GetGeneration()},
		{Op: "replace", Path: "/spec", Value: withoutCohort(fields(there.Object["spec"]), newPassword())},
	})
}

// patchRoute sends a patch of an HTTPRoute.
func patchRoute(ctx context.Context, to client.Client, route *unstructured.Unstructured, ops []Op) error {
	data, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encoding the patch of httproute %s: %w", route.GetName(), err)
	}
	target := newHTTPRoute(route.GetNamespace(), route.GetName())
	err = to.Patch(ctx, target, client.RawPatch(types.JSONPatchType, data), client.FieldOwner(v1alpha1.DeployerManager))
	switch {
	case doesNotApply(err), apierrors.IsConflict(err):
		return fmt.Errorf("patching httproute %s: %w (%w)", route.GetName(), ErrLostRace, err)
	case err != nil:
		return fmt.Errorf("patching httproute %s: %w", route.GetName(), hidden(err))
	}
	return nil
}

// hidden removes the values that an error of the API server may repeat: of the standby route, only
// fields are ever shown.
func hidden(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return err
	}
	cause := status.Status().Details.Causes[0]
	return fmt.Errorf("%w: %s: %s", errRefusesWrite, cause.Field, cause.Type)
}

var errRefusesWrite = errors.New("the API server refuses it")

// WillNot reports whether an error of a write says that the API server refuses it, so the same write
// would be refused again.
func WillNot(err error) bool {
	return errors.Is(err, errRefusesWrite) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) && !errors.Is(err, ErrLostRace)
}

// standbyTaken is the error for somebody else's route with the standby's name.
func standbyTaken(s track.Routes) error {
	return fmt.Errorf("httproute %s exists, and is not Turnout's: remove it or give it another name", s.Gateway.Standby.Name)
}

// followStandby makes the standby route lead to the idle colour, and follow the owner's changes
// of the route. If it cannot follow them, it leads no testers there at least. Without a standby
// route it does nothing.
func followStandby(ctx context.Context, r *Router, bg *v1alpha1.BlueGreen, s track.Routes) error {
	st, other := s.Gateway.Standby, s.Live().Other()
	follows := s.Gateway.Complete() && refusedRoute(s) == nil
	switch {
	case !st.Exists || !st.Ours || s.Live() == "":
		return nil
	case st.Testers && !follows:
		return endCohort(ctx, r, bg, s, other)
	case st.For == other && !st.Cohort || !s.Gateway.Complete():
		return nil
	}
	return writeStandby(ctx, r, bg, s, other)
}

// routeKinds are the routes of the Gateway API that may send users to a Service, with their
// versions, newest first.
var routeKinds = []schema.GroupVersionKind{ //nolint:gochecknoglobals // a constant list
	HTTPRouteKind,
	{Group: gatewayGroup, Version: "v1", Kind: "GRPCRoute"},
	{Group: gatewayGroup, Version: "v1", Kind: "TLSRoute"},
	{Group: gatewayGroup, Version: "v1alpha2", Kind: "TLSRoute"},
	{Group: gatewayGroup, Version: "v1", Kind: "TCPRoute"},
	{Group: gatewayGroup, Version: "v1alpha2", Kind: "TCPRoute"},
}

// Follower is a route that sends users to a Service.
type Follower struct {
	// Kind of the route in lower case, its namespace and name.
	Kind, Namespace, Name string
}

func (u Follower) String() string { return u.Kind + " " + u.Namespace + "/" + u.Name }

// Followed are the routes that send users to a Service.
type Followed struct {
	By []Follower
	// Unseen are kinds of routes, in lower case, that Turnout may list in the Service's namespace only:
	// those of other namespaces are not known.
	Unseen []string
}

// FollowedBy returns the routes of the Gateway API, in any readable namespace, that send users to
// a Service. References with weight 0 and standby routes do not count. Kinds that the cluster
// lacks are skipped.
func FollowedBy(ctx context.Context, from client.Reader, namespace, service string) (Followed, error) {
	return followers(ctx, listing(from), namespace, service, func(u *unstructured.Unstructured) bool { return !IsStandby(u) })
}

// followers are the routes that may send users to a Service, of those that are meant.
func followers(ctx context.Context, list lister, namespace, service string,
	meant func(*unstructured.Unstructured) bool,
) (Followed, error) {
	var found Followed
	for _, kind := range routeKinds {
		all, everywhere, err := routesOf(ctx, list, namespace, kind)
		if err != nil {
			return Followed{}, err
		}
		name := strings.ToLower(kind.Kind)
		if !everywhere && !slices.Contains(found.Unseen, name) {
			found.Unseen = append(found.Unseen, name)
		}
		for i := range all {
			u := Follower{Kind: name, Namespace: all[i].GetNamespace(), Name: all[i].GetName()}
			if !slices.Contains(found.By, u) && meant(&all[i]) && sendsTo(&all[i], namespace, service) {
				found.By = append(found.By, u)
			}
		}
	}
	return found, nil
}

// routesOf lists the routes of a kind: everywhere or, if that is not allowed, in one namespace.
func routesOf(ctx context.Context, list lister, namespace string, kind schema.GroupVersionKind) (
	routes []unstructured.Unstructured, everywhere bool, err error,
) {
	routes, err = list(ctx, "", kind)
	everywhere = true
	if apierrors.IsForbidden(err) {
		routes, err = list(ctx, namespace, kind)
		everywhere = false
	}
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("listing %ss: %w", strings.ToLower(kind.Kind), err)
	}
	return routes, everywhere, nil
}

// sendsTo reports whether a route sends anybody to a Service of a namespace.
func sendsTo(route *unstructured.Unstructured, namespace, service string) bool {
	for _, r := range list(fields(route.Object["spec"])["rules"]) {
		rule := fields(r)
		refs := list(rule["backendRefs"])
		for _, f := range list(rule["filters"]) {
			refs = append(refs, fields(fields(f)["requestMirror"])["backendRef"])
		}
		for _, v := range refs {
			ref := fields(v)
			in := text(ref["namespace"])
			if in == "" {
				in = route.GetNamespace()
			}
			if ref != nil && isService(ref) && in == namespace && text(ref["name"]) == service && whole(ref["weight"], 1) > 0 {
				return true
			}
		}
	}
	return false
}
