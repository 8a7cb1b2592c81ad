package cutover

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/bench/load"
)

const (
	image    = "gcr.io/acme-prod/bench"
	replicas = 2
	// patience bounds every wait. Google's controller collects garbage every 2 minutes.
	patience = 5 * time.Minute
)

// The load on every application: short requests, and some that take 3 seconds, on
// connections that are kept and on new ones. Together they are more than minRate.
var mixture = []load.Stream{ //nolint:gochecknoglobals // a table
	{Name: "short, kept connections", Path: "/", KeepAlive: true, PerSecond: 150},
	{Name: "short, new connections", Path: "/", PerSecond: 70},
	{Name: "3 seconds, kept connections", Path: "/slow?seconds=3", KeepAlive: true, PerSecond: 2},
	{Name: "3 seconds, new connections", Path: "/slow?seconds=3", PerSecond: 2},
}

// longest is how long the slowest request takes.
const longest = 3 * time.Second

// app is one application with its own host and load.
type app struct {
	*run
	name, namespace, host string
	// entry is the address that users ask, by the name host.
	entry string
	load  *load.Load
	// recommended pods and Services are set up as docs/zero-downtime.md says; the
	// others as in the reference pipeline, with nothing of the kind.
	recommended bool

	mu      sync.Mutex
	periods []period
}

func (r *run) newApp(ctx context.Context, name string, recommended bool) (*app, error) {
	a := &app{run: r, name: name, namespace: "bench-" + name, host: Host(name), entry: r.World.WebURL, recommended: recommended}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: a.namespace, Annotations: map[string]string{
			v1alpha1.RepositoriesAnnotation: a.repository(),
			v1alpha1.ProjectsAnnotation:     "acme-prod",
		},
	}}
	return a, r.create(ctx, ns)
}

func (a *app) repository() string { return "acme/" + a.name }

// Host is the application's host.
func Host(name string) string { return name + ".bench.test" }

func (r *run) create(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := r.kube.Create(ctx, object); err != nil {
			return fmt.Errorf("creating %s %s: %w", object.GetNamespace(), object.GetName(), err)
		}
	}
	return nil
}

// until waits for a condition.
func (a *app) until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, patience, true, holds)
	if err != nil {
		return fmt.Errorf("%s: waiting for %s: %w", a.name, what, err)
	}
	return nil
}

// begin starts a period of a row, and ends the one before.
func (a *app) begin(row string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if n := len(a.periods); n > 0 {
		a.periods[n-1].to = now
	}
	a.periods = append(a.periods, period{row: row, from: now})
}

// cut records that users are sent to another version from now on.
func (a *app) cut(at time.Time, old string) {
	a.change(func(p *period) { p.cutover = &cutover{at: at, old: old} })
}

func (a *app) change(change func(*period)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.periods[len(a.periods)-1])
}

// settle waits until every front end has followed a cut-over: its delays have passed, and the new
// version answers new requests on all of them.
func (a *app) settle(ctx context.Context, version string, from time.Time) error {
	const quiet = 2 * time.Second
	perSecond := 0
	for _, s := range a.Streams {
		perSecond += s.PerSecond
	}
	enough := perSecond / 2 // a quarter of what is sent in that time: on a busy machine there are fewer
	return a.until(ctx, "every front end to answer with "+version, func(context.Context) (bool, error) {
		return time.Since(from) > a.followed()+quiet && a.load.Settled(version, quiet, enough), nil
	})
}

// start makes an application's first version answer, and then starts its load.
func (a *app) start(ctx context.Context, version string) error {
	// The last front end follows a known time after the first, and clients cannot choose one.
	var since time.Time
	err := a.until(ctx, "the public address to answer on every front end", func(ctx context.Context) (bool, error) {
		got, err := a.ask(ctx)
		switch {
		case err != nil || got != version:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) > a.followed(), nil
	})
	if err != nil {
		return err
	}
	a.load = load.Start(a.entry, a.host, a.Streams)
	return nil
}

func (a *app) labels(color string) map[string]string {
	return map[string]string{"app": a.name, "version": color}
}

// deploy creates a Deployment of an image; a version overrides the image's own.
func (a *app) deploy(name, color, version string, size int32) *appsv1.Deployment {
	container := corev1.Container{
		Name: "app", Image: image + ":v1.0.0", Ports: []corev1.ContainerPort{{ContainerPort: application.Port}},
		Env: []corev1.EnvVar{{Name: "APPLICATION", Value: a.Application}, {Name: application.Variable, Value: "1"}},
	}
	if version != "" {
		container.Env = append(container.Env, corev1.EnvVar{Name: application.VersionVariable, Value: version})
	}
	pod := corev1.PodSpec{TerminationGracePeriodSeconds: new(int64(longest/time.Second + 2))}
	if a.recommended {
		container.ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(application.Port)}},
			PeriodSeconds: 1, FailureThreshold: 2,
		}
		container.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: preStop}}}
		pod.TerminationGracePeriodSeconds = new(int64(preStop + draining + 2))
	}
	pod.Containers = []corev1.Container{container}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name, Labels: a.labels(color)},
		Spec: appsv1.DeploymentSpec{
			Replicas: &size, Selector: &metav1.LabelSelector{MatchLabels: a.labels(color)},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: a.labels(color)}, Spec: pod},
		},
	}
}

// The recommended set-up besides a readiness probe, in seconds: a pod outlives its detaching,
// which takes a tenth of Google's time here, and finishes its answers, which take their full
// time.
const (
	preStop  = 5
	draining = 5
)

var pods = map[string]string{ //nolint:gochecknoglobals // a table
	"preStop": fmt.Sprintf("%d s", preStop), "connection draining": fmt.Sprintf("%d s", draining),
	"hold": "1 h, or none before a rollback from zero",
}

func (a *app) service(name, color string) *corev1.Service {
	annotations := map[string]string{}
	if a.recommended {
		annotations["cloud.google.com/neg"] = `{"ingress": true}`
		annotations["cloud.google.com/backend-config"] = fmt.Sprintf(`{"default": %q}`, a.name)
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name, Annotations: annotations},
		Spec: corev1.ServiceSpec{
			Selector: a.labels(color), Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(application.Port)}},
		},
	}
}

func (a *app) backendConfig() client.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"healthCheck": map[string]any{
			"type": "HTTP", "requestPath": "/healthz", "port": int64(application.Port), "checkIntervalSec": int64(5), "timeoutSec": int64(3),
			"healthyThreshold": int64(1), "unhealthyThreshold": int64(2),
		},
		"connectionDraining": map[string]any{"drainingTimeoutSec": int64(draining)},
	}}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "cloud.google.com", Version: "v1", Kind: "BackendConfig"})
	u.SetNamespace(a.namespace)
	u.SetName(a.name)
	return u
}

func (a *app) ingressName() string { return a.name + "-ingress" }

func (a *app) ingress(service string) *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: a.namespace, Name: a.ingressName(), Annotations: map[string]string{"kubernetes.io/ingress.class": "gce"},
		},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: a.host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix,
				Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: 80}},
				},
			}}},
		}}}},
	}
}

// patch applies a strategic merge patch, as kubectl does.
func (a *app) patch(ctx context.Context, object client.Object, patch string) error {
	if err := a.kube.Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, []byte(patch))); err != nil {
		return fmt.Errorf("patching %s: %w", object.GetName(), err)
	}
	return nil
}

// available waits until a Deployment's pods are all available.
func (a *app) available(ctx context.Context, name string, size int32) error {
	return a.until(ctx, fmt.Sprintf("%d pods of %s", size, name), func(ctx context.Context) (bool, error) {
		d := &appsv1.Deployment{}
		if err := a.kube.Get(ctx, client.ObjectKey{Namespace: a.namespace, Name: name}, d); err != nil {
			return false, err
		}
		return d.Status.ObservedGeneration >= d.Generation && *d.Spec.Replicas == size && d.Status.Replicas == size &&
			d.Status.AvailableReplicas == size, nil
	})
}

// tallies ends the load and sums up the periods.
func (a *app) tallies() []Row {
	if a.load == nil {
		return nil
	}
	ended := time.Now()
	answers := a.load.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	var rows []Row
	for _, p := range a.periods {
		if p.to.IsZero() {
			p.to = ended
		}
		rows = append(rows, tally(p, answers, maps.Clone(a.Journal.between(a.host, p.from, p.to))))
	}
	return rows
}
