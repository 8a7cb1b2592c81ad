package gclb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Run balances the load until ctx ends. It calls ready when new pods and Services pass its
// webhooks and Google's controllers run, and returns after the requests in progress have ended.
func Run(ctx context.Context, c Config, ready func()) error {
	b, err := newBalancer(ctx, c)
	if err != nil {
		return err
	}
	return b.run(ctx, ready)
}

// balancer is a running load balancer with its controllers.
type balancer struct {
	config   *Config
	clients  kubernetes.Interface
	custom   dynamic.Interface
	compute  *compute
	fleet    *fleet
	checker  *checker
	webhooks *webhooks
}

func newBalancer(ctx context.Context, c Config) (*balancer, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	limited := rest.CopyConfig(c.Rest)
	limited.QPS = -1 // the model's delays are its own
	clients, err := kubernetes.NewForConfig(limited)
	if err != nil {
		return nil, fmt.Errorf("creating the load balancer's client: %w", err)
	}
	custom, err := dynamic.NewForConfig(limited)
	if err != nil {
		return nil, fmt.Errorf("creating the load balancer's client: %w", err)
	}
	b := &balancer{config: &c, clients: clients, custom: custom, fleet: newFleet(&c), webhooks: &webhooks{config: &c, clients: clients}}
	b.compute = newCompute(ctx, b.config, b.fleet.publish)
	for _, fe := range b.fleet.frontEnds {
		fe.compute = b.compute
	}
	b.checker = &checker{compute: b.compute, probe: probeHTTP(newProbeClient())}
	return b, nil
}

// run runs all parts until ctx ends or one fails.
func (b *balancer) run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	part := func(run func() error) {
		running.Go(func() {
			if err := run(); err != nil {
				cancel(err)
			}
		})
	}
	defer func() {
		cancel(nil)
		running.Wait()
	}()
	part(func() error { b.checker.run(ctx); return nil })
	part(func() error { return b.fleet.serve(ctx, b.config.Listener) })
	if err := b.control(ctx, part); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer b.webhooks.unregister(context.WithoutCancel(ctx))
	ready()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// control starts Google's controllers, and the webhooks while they start.
func (b *balancer) control(ctx context.Context, part func(func() error)) error {
	if err := b.makeDefaultBackend(ctx); err != nil {
		return err
	}
	if err := announce(ctx, b.custom); err != nil {
		return err
	}
	part(func() error { return b.serveCompute(ctx) })
	google, err := startControllers(b.config)
	if err != nil {
		return err
	}
	part(func() error { return google.supervise(ctx) })
	if err := b.admit(ctx, part); err != nil {
		return err
	}
	return google.await(ctx)
}

// serveCompute answers Google's controllers until ctx ends.
func (b *balancer) serveCompute(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/compute/", b.compute)
	mux.HandleFunc("/computeMetadata/", metadata)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(b.config.Compute); ctx.Err() == nil {
		return fmt.Errorf("serving the compute API: %w", err)
	}
	return nil
}

// systemBackend is the fallback of an Ingress without a default backend. Every GKE cluster has
// such a Service, whose pods answer 404. Here the front ends do.
const systemBackend = metav1.NamespaceSystem + "/default-http-backend"

// makeDefaultBackend creates the Service, as GKE does. The controllers do not start without it.
func (b *balancer) makeDefaultBackend(ctx context.Context) error {
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "default-http-backend"},
		Spec: corev1.ServiceSpec{
			Type:  corev1.ServiceTypeNodePort,
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	_, err := b.clients.CoreV1().Services(metav1.NamespaceSystem).Create(ctx, service, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("creating the Service %s: %w", systemBackend, err)
	}
	return nil
}

// admit serves the webhooks; it returns once the API server calls them.
func (b *balancer) admit(ctx context.Context, part func(func() error)) error {
	pair, authority, err := certificate(b.config.Webhook)
	if err != nil {
		return err
	}
	part(func() error { return b.webhooks.serve(ctx, b.config.Webhook, pair) })
	if err := b.webhooks.register(ctx, b.config.Webhook.Addr().String(), authority); err != nil {
		return err
	}
	return b.awaitAdmission(ctx)
}

// admissionTimeout bounds the wait for the API server to know the webhooks.
const admissionTimeout = 30 * time.Second

// awaitAdmission tries, without creating anything, until a webhook is called.
func (b *balancer) awaitAdmission(ctx context.Context) error {
	trial := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "gclb-trial-"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, admissionTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := b.clients.CoreV1().Services(metav1.NamespaceDefault).Create(ctx, trial,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && b.webhooks.asked.Load(), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the API server asks the webhooks at %s: %w", b.config.Webhook.Addr(), err)
	}
	return nil
}
