package preflight

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
)

const (
	// nameFor is the age at which a standby host is looked up again.
	nameFor = 10 * time.Minute
	// nameTimeout bounds a look-up.
	nameTimeout = 2 * time.Second
)

// Collector reads the facts. Services, Deployments and Ingresses come from a cache and cost
// nothing. BackendConfigs, claims, ConfigMaps and the application's CronJobs are read uncached, with
// one request each, Jobs and other CronJobs with one for all of a namespace, and kept: a look reads
// those that are new or too old. A standby host is looked up in the background, and no look waits
// for it. The zero value is ready to use.
type Collector struct {
	configs  kept[Config]
	claims   kept[Claim]
	cronJobs kept[CronJob]
	contents kept[content]      // of ConfigMaps
	jobs     kept[[]Unlisted]   // by namespace
	unlisted kept[[]string]     // names of Deployments, by namespace and image repository
	gateways kept[readGateways] // by application
	mu       sync.Mutex
	names    map[string]resolved
}

// readGateways is what was read about an application's Gateways.
type readGateways struct {
	Gateways
	managers []metav1.ManagedFieldsEntry
}

type resolved struct {
	addresses []string
	at        time.Time // of the look-up
	pending   bool
}

// Sources are the sources of facts.
type Sources struct {
	// Cached reads Services, Deployments, Ingresses, BlueGreens and Releases.
	Cached client.Reader
	// Uncached reads BackendConfigs, PersistentVolumeClaims, ConfigMaps, Jobs, CronJobs, and what
	// belongs to Gateways.
	Uncached client.Reader
	// Resolve looks up the addresses of a host, and gives up when ctx ends. The zero value means
	// [net.Resolver.LookupHost] of the default resolver.
	Resolve func(ctx context.Context, host string) ([]string, error)
}

// Collect reads the facts of an application with a live colour. soon means that a release waits
// for them. The returned time is when to collect them again even if no watched object changes;
// zero if there is no such time.
func (c *Collector) Collect(ctx context.Context, from Sources, bg *v1alpha1.BlueGreen, s track.Routes, now time.Time, soon bool) (Facts,
	time.Time, error,
) {
	f := Facts{App: bg, Routes: s}
	for _, read := range []func(context.Context, Sources, *Facts) error{
		readServices, readTemplates, readIngresses, readWorkers, readSingletons,
	} {
		if err := read(ctx, from, &f); err != nil {
			return f, time.Time{}, err
		}
	}
	for _, read := range []func(context.Context, Sources, *Facts, moment) error{
		c.readConfigs, c.readClaims, c.readCronJobs, c.readBeside, c.readGateway,
	} {
		if err := read(ctx, from, &f, moment{now, soon}); err != nil {
			return f, time.Time{}, err
		}
	}
	again := c.resolve(ctx, from, &f, now)
	return f, again, nil
}

func readServices(ctx context.Context, from Sources, f *Facts) error {
	names := []string{f.App.Side(v1alpha1.Blue).Service, f.App.Side(v1alpha1.Green).Service}
	for _, b := range route.Backends(f.Routes) {
		names = append(names, b.Service)
	}
	slices.Sort(names)
	f.Services = map[string]*corev1.Service{}
	for _, name := range slices.Compact(names) {
		service := &corev1.Service{}
		err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: name}, service)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading service %s: %w", name, err)
		}
		if err == nil {
			f.Services[name] = service
		}
	}
	return nil
}

func readTemplates(ctx context.Context, from Sources, f *Facts) error {
	f.Templates = map[v1alpha1.Color]Template{}
	for _, c := range both {
		d := &appsv1.Deployment{}
		name := f.App.Side(c).Deployment
		err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: name}, d)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading deployment %s: %w", name, err)
		}
		if err == nil {
			f.Templates[c] = Template{Deployment: name, Spec: d.Spec.Template.Spec}
		}
	}
	return nil
}

func readIngresses(ctx context.Context, from Sources, f *Facts) error {
	var own networkingv1.Ingress
	err := from.Cached.Get(ctx, client.ObjectKey{Namespace: f.App.Namespace, Name: f.Routes.Name}, &own)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading ingress %s: %w", f.Routes.Name, err)
	}
	if err == nil && f.Routes.Gateway == nil {
		f.Ingress = Ingress{Class: own.Annotations["kubernetes.io/ingress.class"], Managers: own.ManagedFields}
		if name := own.Spec.IngressClassName; name != nil {
			f.Ingress.ClassName = *name
		}
	}
	for _, c := range both {
		service := f.App.Side(c).Service
		var list networkingv1.IngressList
		if err := index.List(ctx, from.Cached, &list, f.App.Namespace, index.Routes, service); err != nil {
			return fmt.Errorf("listing ingresses that name service %s: %w", service, err)
		}
		for i := range list.Items {
			if list.Items[i].Name == f.Routes.Name && f.Routes.Gateway == nil {
				continue
			}
			if err := f.addUsers(&list.Items[i], c); err != nil {
				return err
			}
		}
	}
	return nil
}

// addUsers adds the users whom another Ingress sends to one of the colours.
func (f *Facts) addUsers(ingress *networkingv1.Ingress, c v1alpha1.Color) error {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(ingress)
	if err != nil {
		return fmt.Errorf("reading ingress %s: %w", ingress.Name, err)
	}
	found := route.Users(&unstructured.Unstructured{Object: object}, f.App.Side(c).Service)
	if len(found) == 0 {
		return nil
	}
	text := found[0].String()
	if more := len(found) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	f.Users = append(f.Users, User{Ingress: ingress.Name, Route: text, Color: c})
	return nil
}

// readGateway adds what is known about the Gateways of an application.
func (c *Collector) readGateway(ctx context.Context, from Sources, f *Facts, at moment) error {
	if f.Routes.Gateway == nil {
		return nil
	}
	known, err := c.gateways.get(client.ObjectKeyFromObject(f.App), at, func() (r readGateways, err error) {
		r.Gateways, r.managers, err = lookAtGateways(ctx, from.Uncached, f)
		return r, err
	})
	if err != nil {
		return err
	}
	f.Gateways, f.Ingress.Managers = known.Gateways, known.managers
	return nil
}

// configNames are the BackendConfigs that the Services name for the ports in use, now or later.
func configNames(f Facts) []string {
	var names []string
	add := func(service *corev1.Service, port map[string]any) {
		if name, m := route.Unfit(service, port); m == nil && name != "" {
			names = append(names, name)
		}
	}
	for _, b := range route.Backends(f.Routes) {
		add(f.Services[b.Service], b.Port)
	}
	for _, port := range f.ports() {
		add(f.service(f.live().Other()), port)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (c *Collector) readConfigs(ctx context.Context, from Sources, f *Facts, at moment) error {
	f.Configs = map[string]Config{}
	if !f.gce() {
		return nil
	}
	for _, name := range configNames(*f) {
		key := client.ObjectKey{Namespace: f.App.Namespace, Name: name}
		config, err := c.configs.get(key, at, func() (Config, error) {
			spec, found, err := route.ReadBackendConfig(ctx, from.Uncached, key.Namespace, key.Name)
			return Config{Exists: found, Spec: spec}, err
		})
		if err != nil {
			return err
		}
		f.Configs[name] = config
	}
	return nil
}

// readClaims adds the claims of the templates that will have users. One that does not exist, or
// that Turnout may not read, is not judged: staging shows the former.
func (c *Collector) readClaims(ctx context.Context, from Sources, f *Facts, at moment) error {
	f.Claims = map[string]Claim{}
	for _, name := range claimNames(*f) {
		key := client.ObjectKey{Namespace: f.App.Namespace, Name: name}
		claim, err := c.claims.get(key, at, func() (Claim, error) {
			var object corev1.PersistentVolumeClaim
			err := from.Uncached.Get(ctx, key, &object)
			if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
				return Claim{}, nil
			}
			if err != nil {
				return Claim{}, fmt.Errorf("reading persistentvolumeclaim %s: %w", name, err)
			}
			return Claim{Exists: true, Modes: object.Spec.AccessModes}, nil
		})
		if err != nil {
			return err
		}
		f.Claims[name] = claim
	}
	return nil
}

// resolve adds what is known about the standby host that the owner chose, and starts a look-up if
// that is too old. Hosts below invalid have no address (RFC 6761).
func (c *Collector) resolve(ctx context.Context, from Sources, f *Facts, now time.Time) (again time.Time) {
	host := f.App.Spec.Ingress.StandbyHost
	if host == "" || strings.HasSuffix(host, ".invalid") {
		return time.Time{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.names[host]
	f.Resolved = known.addresses
	if !known.pending && (known.at.IsZero() || now.Sub(known.at) > nameFor) {
		known.at, known.pending = now, true
		c.setName(host, known)
		go c.lookUp(context.WithoutCancel(ctx), from, host)
	}
	if known.pending {
		return now.Add(nameTimeout + time.Second)
	}
	return time.Time{}
}

// setName keeps a host's result; c.mu is held.
func (c *Collector) setName(host string, r resolved) {
	if c.names == nil {
		c.names = map[string]resolved{}
	}
	maps.DeleteFunc(c.names, func(_ string, old resolved) bool { return !old.pending && r.at.Sub(old.at) > forget })
	c.names[host] = r
}

// lookUp looks up a host, for at most nameTimeout, and keeps the result. A host that is not
// found, or a failed look-up, has no address.
func (c *Collector) lookUp(ctx context.Context, from Sources, host string) {
	ctx, cancel := context.WithTimeout(ctx, nameTimeout)
	defer cancel()
	ask := from.Resolve
	if ask == nil {
		ask = net.DefaultResolver.LookupHost
	}
	addresses, err := ask(ctx, host)
	if err != nil {
		addresses = nil
	}
	slices.Sort(addresses)
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.names[host]
	known.addresses, known.pending = addresses, false
	c.setName(host, known)
}
