package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listersv1 "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// drainTimeout is how long requests in progress may take when the proxy stops.
const drainTimeout = 5 * time.Second

// classAnnotation is the old way to name an Ingress's class.
const classAnnotation = "kubernetes.io/ingress.class"

// Config configures a proxy.
type Config struct {
	// Rest connects to the API server; it needs to read Ingresses, Services and
	// EndpointSlices and to write the status of Ingresses.
	Rest *rest.Config
	// Class of the Ingresses to serve, in spec.ingressClassName or in the annotation
	// kubernetes.io/ingress.class.
	Class string
	// Listener is where clients come in.
	Listener net.Listener
	// Address is written to the Ingresses' status.loadBalancer. Empty: none is.
	Address string
	// Log receives what a client's answer does not show. Default: slog.Default().
	Log *slog.Logger
}

// Run follows the cluster and proxies until ctx ends. It calls ready when it serves the existing
// routes, and returns after the requests in progress have ended.
func Run(ctx context.Context, c Config, ready func()) error {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	clients, err := kubernetes.NewForConfig(c.Rest)
	if err != nil {
		return fmt.Errorf("creating the proxy's client: %w", err)
	}
	p := &proxy{Config: c, clients: clients, turns: map[string]*atomic.Uint64{}}
	p.routes.Store(&table{})
	if err := p.follow(ctx); err != nil {
		return err
	}
	server := &http.Server{
		Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(c.Listener) }()
	ready()
	select {
	case err := <-ended:
		return fmt.Errorf("serving clients: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return nil
}

// proxy is a running one.
type proxy struct {
	Config
	clients   kubernetes.Interface
	ingresses networkinglisters.IngressLister
	services  listersv1.ServiceLister
	endpoints discoverylisters.EndpointSliceLister
	routes    atomic.Pointer[table]

	mu    sync.Mutex // guards the rebuilding and turns, which outlive a table
	turns map[string]*atomic.Uint64
}

// follow watches until ctx ends; it returns once the first routes are in.
func (p *proxy) follow(ctx context.Context) error {
	factory := informers.NewSharedInformerFactory(p.clients, 0)
	ingresses := factory.Networking().V1().Ingresses()
	services := factory.Core().V1().Services()
	slices := factory.Discovery().V1().EndpointSlices()
	p.ingresses, p.services, p.endpoints = ingresses.Lister(), services.Lister(), slices.Lister()
	rebuild := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { p.rebuild() },
		UpdateFunc: func(any, any) { p.rebuild() },
		DeleteFunc: func(any) { p.rebuild() },
	}
	for _, informer := range []cache.SharedIndexInformer{ingresses.Informer(), services.Informer(), slices.Informer()} {
		if _, err := informer.AddEventHandler(rebuild); err != nil {
			return fmt.Errorf("watching for routes: %w", err)
		}
	}
	if _, err := ingresses.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { p.publish(ctx, o.(*networkingv1.Ingress)) },
		UpdateFunc: func(_, o any) { p.publish(ctx, o.(*networkingv1.Ingress)) },
	}); err != nil {
		return fmt.Errorf("watching Ingresses: %w", err)
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("waiting for the list of %s: %w", kind, ctx.Err())
		}
	}
	p.rebuild()
	return nil
}

// rebuild computes the routes from the watched objects.
func (p *proxy) rebuild() {
	p.mu.Lock()
	defer p.mu.Unlock()
	ingresses, err := p.ingresses.List(labels.Everything())
	if err != nil {
		p.Log.Error("list Ingresses in the cache", "error", err)
		return
	}
	p.routes.Store(newTable(slices.DeleteFunc(ingresses, p.isForeign), p.find))
}

// isForeign reports whether an Ingress is for another controller.
func (p *proxy) isForeign(ingress *networkingv1.Ingress) bool {
	if class := ingress.Spec.IngressClassName; class != nil {
		return *class != p.Class
	}
	return ingress.Annotations[classAnnotation] != p.Class
}

// find looks up a backend; a missing Service or port has no endpoints.
func (p *proxy) find(namespace string, b *networkingv1.IngressServiceBackend) *backend {
	name := fmt.Sprintf("%s/%s:%s%d", namespace, b.Name, b.Port.Name, b.Port.Number)
	if p.turns[name] == nil {
		p.turns[name] = new(atomic.Uint64)
	}
	found := &backend{name: name, turn: p.turns[name]}
	service, err := p.services.Services(namespace).Get(b.Name)
	if err != nil {
		return found
	}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if b.Port.Name != "" && port.Name != b.Port.Name || b.Port.Name == "" && port.Port != b.Port.Number {
			continue
		}
		selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: b.Name})
		if list, err := p.endpoints.EndpointSlices(namespace).List(selector); err == nil {
			found.endpoints = endpoints(list, port.Name)
		}
	}
	return found
}

// publish writes the proxy's address to an Ingress that lacks it.
func (p *proxy) publish(ctx context.Context, ingress *networkingv1.Ingress) {
	have := ingress.Status.LoadBalancer.Ingress
	if p.isForeign(ingress) || p.Address == "" || len(have) == 1 && have[0].IP == p.Address {
		return
	}
	var patch struct {
		Status networkingv1.IngressStatus `json:"status"`
	}
	patch.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: p.Address}}
	encoded, err := json.Marshal(patch)
	if err == nil {
		_, err = p.clients.NetworkingV1().Ingresses(ingress.Namespace).Patch(
			ctx, ingress.Name, types.MergePatchType, encoded, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		p.Log.ErrorContext(ctx, "publish the Ingress's address", "namespace", ingress.Namespace, "ingress", ingress.Name, "error", err)
	}
}

// endpointKey carries the chosen endpoint from the routing to the rewriting.
type endpointKey struct{}

// handler routes each request to an endpoint.
func (p *proxy) handler() http.Handler {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConnsPerHost = 64
	transport.DialContext = (&net.Dialer{Timeout: 2 * time.Second}).DialContext
	reverse := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host, _ = r.In.Context().Value(endpointKey{}).(string)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				p.Log.WarnContext(r.Context(), "endpoint broke the connection", "endpoint", r.URL.Host, "error", err)
			}
			http.Error(w, "the application broke the connection", http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := p.routes.Load().route(r.Host, r.URL.Path)
		if to == nil {
			http.Error(w, "no Ingress rule for "+r.Host+r.URL.Path, http.StatusNotFound)
			return
		}
		endpoint := to.next()
		if endpoint == "" {
			http.Error(w, to.name+" has no ready endpoint", http.StatusServiceUnavailable)
			return
		}
		reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), endpointKey{}, endpoint)))
	})
}
