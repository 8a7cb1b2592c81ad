package gclb

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
)

// Run balances the load until ctx ends; it calls ready when new pods and Services
// pass its webhooks and the Ingresses that exist are being synced, and returns
// after the requests in progress have ended.
func Run(ctx context.Context, c Config, ready func()) error {
	b, err := newBalancer(ctx, c)
	if err != nil {
		return err
	}
	return b.run(ctx, ready)
}

// balancer is a running load balancer with its controllers.
type balancer struct {
	config    *Config
	clients   kubernetes.Interface
	custom    dynamic.Interface
	compute   *compute
	fleet     *fleet
	checker   *checker
	watches   *watches
	ingresses *ingressController
	negs      *negController
	pods      *reflector
	webhooks  *webhooks
	recorders []record.EventBroadcaster
}

func newBalancer(ctx context.Context, c Config) (*balancer, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	limited := rest.CopyConfig(c.Rest)
	limited.QPS = -1 // the model's delays are its own
	clients, err := kubernetes.NewForConfig(limited)
	if err != nil {
		return nil, fmt.Errorf("making the load balancer's client: %w", err)
	}
	custom, err := dynamic.NewForConfig(limited)
	if err != nil {
		return nil, fmt.Errorf("making the load balancer's client: %w", err)
	}
	system, err := clients.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's identity: %w", err)
	}
	b := &balancer{config: &c, clients: clients, custom: custom}
	b.wire(namer{cluster: string(system.UID[:8])})
	return b, nil
}

// wire puts the parts together.
func (b *balancer) wire(names namer) {
	known, w := watch(b.clients, b.custom, b.config.scaled(b.config.Delays.Resync), b.config.Zone)
	b.watches = w
	b.fleet = newFleet(b.config)
	b.compute = newCompute(b.config, b.fleet.publish)
	for _, fe := range b.fleet.frontEnds {
		fe.compute = b.compute
	}
	b.checker = &checker{compute: b.compute, probe: probeHTTP(newProbeClient())}
	b.ingresses = &ingressController{
		config: b.config, compute: b.compute, cluster: known, names: names, clients: b.clients,
		events: b.recorder("loadbalancer-controller"), queue: newQueue(b.config),
	}
	b.negs = &negController{
		config: b.config, compute: b.compute, cluster: known, names: names, clients: b.clients,
		svcNegs: &svcNegWriter{client: b.custom}, events: b.recorder("neg-controller"), queue: newQueue(b.config),
		ports: map[types.NamespacedName]map[int32]negPort{}, syncers: map[string]*syncer{},
	}
	b.pods = &reflector{
		config: b.config, compute: b.compute, cluster: known, clients: b.clients,
		events: b.recorder("neg-readiness-reflector"), queue: newQueue(b.config),
		waitsFor: b.negs.waitsFor, running: &b.negs.running,
		polls: map[negKey]map[endpoint]types.NamespacedName{},
	}
	b.negs.commit = b.pods.commit
	b.webhooks = &webhooks{config: b.config, clients: b.clients}
}

// recorder makes events by client-go's own rules: 25 events an object and type,
// then one in 5 minutes; more than 10 like ones in 10 minutes become one
// (tools/record/events_cache.go). Pokes of an Ingress and the proof of a switch
// share one budget.
func (b *balancer) recorder(component string) record.EventRecorder {
	broadcaster := record.NewBroadcasterWithCorrelatorOptions(record.CorrelatorOptions{
		QPS:                  float32(b.config.Speed / 300),
		MaxIntervalInSeconds: max(1, int(600/b.config.Speed)),
	})
	b.recorders = append(b.recorders, broadcaster)
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: b.clients.CoreV1().Events("")})
	return broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: component})
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
		b.watches.stop()
		for _, r := range b.recorders {
			r.Shutdown()
		}
	}()
	if err := b.admit(ctx, part); err != nil {
		return err
	}
	defer b.webhooks.unregister(context.WithoutCancel(ctx))
	part(func() error { b.checker.run(ctx); return nil })
	part(func() error { return b.fleet.serve(ctx, b.config.Listener) })
	if err := b.control(ctx, part); err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// admit serves the webhooks; it returns when the API server asks them.
func (b *balancer) admit(ctx context.Context, part func(func() error)) error {
	if err := install(ctx, b.custom); err != nil {
		return err
	}
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

// awaitAdmission tries, without creating anything, until a webhook is asked.
func (b *balancer) awaitAdmission(ctx context.Context) error {
	trial := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "gclb-trial-"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, admissionTimeout, true, func(ctx context.Context) (bool, error) {
		_, err := b.clients.CoreV1().Services(metav1.NamespaceDefault).Create(ctx, trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && b.webhooks.asked.Load(), nil
	})
	if err != nil {
		return fmt.Errorf("waiting until the API server asks the webhooks at %s: %w", b.config.Webhook.Addr(), err)
	}
	return nil
}

// control starts the controllers; it returns when they know the cluster.
func (b *balancer) control(ctx context.Context, part func(func() error)) error {
	if err := b.ingresses.follow(b.watches); err != nil {
		return err
	}
	if err := b.negs.follow(ctx, b.watches); err != nil {
		return err
	}
	if err := b.pods.follow(ctx, b.watches); err != nil {
		return err
	}
	if err := b.watches.start(ctx); err != nil {
		return err
	}
	context.AfterFunc(ctx, b.ingresses.queue.ShutDown)
	part(func() error { b.ingresses.run(ctx); return nil })
	part(func() error { b.negs.run(ctx); return nil })
	part(func() error { b.pods.run(ctx); return nil })
	return nil
}
