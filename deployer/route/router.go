package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
)

// ErrLostRace says that the Ingress or HTTPRoute has changed since it was read. The caller reads it
// again. If [Same] holds for the application's own routes, it tries again; otherwise it
// stops and leaves the routes to whoever changed them.
var ErrLostRace = errors.New("somebody changed it since it was read")

// Router reads and writes the Ingresses of applications.
type Router struct {
	// Client writes, and reads Services and EndpointSlices (a cache is fine).
	Client client.Client
	// Reader reads Ingresses, and what a patch is checked against. It must not be cached:
	// after a switch, a stale answer would look like somebody else's change.
	Reader client.Reader
	// Settle is how long the load balancer must find a colour healthy without a break,
	// if it does not report on each pod. It also sets how often the load balancer is
	// asked again: first after half of Settle, then after twice as long each time, up to
	// twice Settle. The zero value means [v1alpha1.DefaultSettle].
	Settle time.Duration

	lists lists
}

// Observe reads the routes of an application.
func (r *Router) Observe(ctx context.Context, bg *v1alpha1.BlueGreen) (track.Routes, error) {
	if bg.Spec.Gateway != nil {
		return observeGateway(ctx, r.Reader, bg)
	}
	ingress := newIngress()
	err := r.Reader.Get(ctx, types.NamespacedName{Namespace: bg.Namespace, Name: bg.IngressName()}, ingress)
	if apierrors.IsNotFound(err) {
		return Read(bg, nil), nil
	}
	if err != nil {
		return track.Routes{}, fmt.Errorf("reading ingress %s: %w", bg.IngressName(), err)
	}
	return Read(bg, ingress), nil
}

// Attach references the target's Service under the standby host, if it is not referenced
// yet. The Service must exist and have the ports that users are routed to: on the GCE
// controller a bad reference is fatal for the whole Ingress, and freezes the live
// colour's endpoints. A lost race is [ErrLostRace].
func (r *Router) Attach(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error {
	if s.Gateway != nil {
		return attachToGateway(ctx, r, bg, s, target)
	}
	ops, err := AttachPatch(bg, s, target)
	if err != nil || ops == nil {
		return err
	}
	if err := checkPorts(ctx, r, bg, s, target); err != nil {
		return err
	}
	return r.patch(ctx, bg, s, ops)
}

// Detach removes a colour's reference under the standby host, see [DetachPatch]. A lost
// race is [ErrLostRace].
func (r *Router) Detach(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error {
	var ops []Op
	if s.Gateway != nil {
		ops = detachSharesPatch(s, target)
	} else {
		ops = DetachPatch(bg, s, target)
	}
	if ops == nil {
		return nil
	}
	return r.patch(ctx, bg, s, ops)
}

// Migrate changes the host of the standby rule to the spec's, see [MigratePatch]. On a
// Gateway it makes the standby route follow the application's own. A lost race is
// [ErrLostRace].
func (r *Router) Migrate(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes) error {
	if s.Gateway != nil {
		return followStandby(ctx, r, bg, s)
	}
	ops, err := MigratePatch(bg, s)
	if err != nil || ops == nil {
		return err
	}
	return r.patch(ctx, bg, s, ops)
}

// Fence invalidates, for good, every patch of the routes that was based on an earlier
// read and has not arrived: from a process that is stuck, or a request whose answer was
// lost. A lost race is [ErrLostRace]: such a patch may just have arrived.
func (r *Router) Fence(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes) error {
	if !s.Exists {
		return nil
	}
	return r.patch(ctx, bg, s, FencePatch(s))
}

// Poke changes an annotation of the Ingress that has no meaning, so that its controller
// looks at the Ingress and reports again (ingress-gce
// pkg/controller/controller.go:193-219). Each poke costs some of the events that the
// controller may emit about the Ingress.
func (r *Router) Poke(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, now time.Time) error {
	metadata := map[string]any{"uid": s.UID, "annotations": map[string]string{v1alpha1.PokeAnnotation: now.UTC().Format(time.RFC3339Nano)}}
	data, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return fmt.Errorf("encoding the patch of ingress %s: %w", s.Name, err)
	}
	ingress := newIngress()
	ingress.SetNamespace(bg.Namespace)
	ingress.SetName(s.Name)
	if err := r.Client.Patch(ctx, ingress, client.RawPatch(types.MergePatchType, data),
		client.FieldOwner(v1alpha1.DeployerManager)); err != nil {
		return fmt.Errorf("annotating ingress %s: %w", s.Name, err)
	}
	return nil
}

// Switch sends users to a colour with one patch, if its Service, as read right before, has the ports
// that users are routed to. If users already reach it, it does nothing, whatever became of the
// Service. A lost race is [ErrLostRace].
func (r *Router) Switch(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color, has Ports) error {
	ops, err := switchPatch(bg, s, to)
	if err != nil || ops == nil {
		return err
	}
	if err := has.check(s, to); err != nil {
		return err
	}
	return r.patch(ctx, bg, s, ops)
}

// switchPatch is the one patch that moves users, of whichever object routes them.
func switchPatch(bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) ([]Op, error) {
	if s.Gateway != nil {
		return switchSharesPatch(bg, s, to)
	}
	return SwitchPatch(bg, s, to)
}

// Ports are those of a colour's Service, which is still being read.
type Ports struct {
	service func() (*corev1.Service, error)
}

// Ports begins to read the ports of a colour's Service, past any cache: a port that was removed a
// moment ago also breaks a route. It does not wait for the answer.
func (r *Router) Ports(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) Ports {
	key, service := types.NamespacedName{Namespace: bg.Namespace, Name: bg.Side(c).Service}, &corev1.Service{}
	read := make(chan error, 1) // nobody may ask
	go func() { read <- r.Reader.Get(ctx, key, service) }()
	return Ports{sync.OnceValues(func() (*corev1.Service, error) {
		if err := <-read; err != nil {
			return nil, fmt.Errorf("reading the ports of service %s: %w", key.Name, err)
		}
		return service, nil
	})}
}

// check reports whether the Service has every port through which the other colour is reached.
func (p Ports) check(s track.Routes, target v1alpha1.Color) error {
	service, err := p.service()
	if err != nil {
		return err
	}
	for _, b := range s.Users[target.Other()] {
		if FindPort(service, b.Port) == nil {
			return &PortError{Service: service.Name, Router: s.String(), Route: b.String(), Port: track.PortText(b.Port)}
		}
	}
	return nil
}

// checkPorts reports whether a colour's Service has every port through which the other
// colour is reached, see [Router.Ports].
func checkPorts(ctx context.Context, r *Router, bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) error {
	return r.Ports(ctx, bg, target).check(s, target)
}

// PortError says that the two Services of an application differ in a port that users are
// routed to, so a switch would break that route.
type PortError struct {
	Service, Router, Route, Port string
}

func (e *PortError) Error() string {
	return fmt.Sprintf("service %s has no port %s, which %s uses for %s: give both colours' Services the same ports", e.Service,
		e.Port, e.Router, e.Route)
}

func (r *Router) patch(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, ops []Op) error {
	data, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encoding the patch of %s: %w", s, err)
	}
	object := newIngress()
	if s.Gateway != nil {
		object = newHTTPRoute("", "")
	}
	object.SetNamespace(bg.Namespace)
	object.SetName(s.Name)
	err = r.Client.Patch(ctx, object, client.RawPatch(types.JSONPatchType, data), client.FieldOwner(v1alpha1.DeployerManager))
	switch {
	case doesNotApply(err), apierrors.IsConflict(err):
		return fmt.Errorf("patching %s: %w (%w)", s, ErrLostRace, err)
	case err != nil:
		return fmt.Errorf("patching %s: %w", s, err)
	}
	return nil
}

// rejected is the API server's message about a JSON patch that does not apply. It does
// not say which operation failed (apiserver pkg/endpoints/handlers/patch.go).
var rejected = apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", "", 0,
	false).ErrStatus.Message

// doesNotApply reports whether a patch's tests found another object than was read. An
// error of validation or of an admission policy has the same code and reason, but names
// its causes; the same patch would be refused again.
func doesNotApply(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsInvalid(err) && errors.As(err, &status) && status.Status().Message == rejected
}

// ReadyEndpoints returns the pods that a Service sends requests to, by name, or by
// address where no pod is named.
func (r *Router) ReadyEndpoints(ctx context.Context, namespace, service string) ([]string, error) {
	var list discoveryv1.EndpointSliceList
	if err := index.List(ctx, r.Client, &list, namespace, index.Endpoints, service); err != nil {
		return nil, fmt.Errorf("listing endpoint slices of service %s: %w", service, err)
	}
	var ready []string
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && !*e.Conditions.Ready {
				continue
			}
			if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
				ready = append(ready, e.TargetRef.Name)
				continue
			}
			ready = append(ready, e.Addresses...)
		}
	}
	slices.Sort(ready)
	return slices.Compact(ready), nil
}

// Referrers returns the Ingresses of a namespace, and the routes of the Gateway API,
// that send users to a Service, as "ingress NAME (route)" or "httproute NAMESPACE/NAME".
// References under a standby host that any application recorded on its Ingress do not
// count, nor do standby routes, unless a canary's testers reach the Service by one. A colour with a referrer is never scaled down.
func (r *Router) Referrers(ctx context.Context, namespace, service string) ([]string, error) {
	ingresses, err := r.lists.allIngresses(ctx, r.Reader, namespace)
	if err != nil {
		return nil, fmt.Errorf("listing ingresses of namespace %s: %w", namespace, err)
	}
	var found []string
	for i := range ingresses {
		if !slices.Contains(index.Services(&ingresses[i]), service) {
			continue
		}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&ingresses[i])
		if err != nil {
			return nil, fmt.Errorf("reading ingress %s: %w", ingresses[i].Name, err)
		}
		for _, b := range Users(&unstructured.Unstructured{Object: object}, service) {
			found = append(found, fmt.Sprintf("ingress %s (%s)", ingresses[i].Name, b))
		}
	}
	users, err := followers(ctx, r.lists.allRoutes(r.Reader), namespace, service, func(u *unstructured.Unstructured) bool {
		return !IsStandby(u) || leadsCohort(u, service)
	})
	if apierrors.IsForbidden(err) {
		// With an older role than this version's: whether somebody is there is not known.
		return append(found, "routes of the Gateway API, which may not be read"), nil
	}
	for _, u := range users.By {
		found = append(found, u.String())
	}
	return found, err
}

// Users returns the places of an Ingress that send users to a Service: those outside
// every standby host that an application recorded on it.
func Users(ingress *unstructured.Unstructured, service string) []track.Backend {
	standby := map[string]bool{}
	for key, host := range ingress.GetAnnotations() {
		if strings.HasPrefix(key, v1alpha1.StandbyAnnotationPrefix) {
			standby[host] = true
		}
	}
	spec, _, _ := unstructured.NestedMap(ingress.Object, "spec")
	var found []track.Backend
	for _, b := range backends(spec, false) {
		if b.Service == service && (b.Host == "" || !standby[b.Host]) {
			found = append(found, b)
		}
	}
	return found
}

func newIngress() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("Ingress"))
	return u
}
