package windows

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
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
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/internal/index/indextest"
	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/bench/load"
)

const (
	patience = 3 * time.Minute
	// look is the interval between two looks of a waiting test. A look may make ten requests, for
	// which the API server needs time.
	look     = 200 * time.Millisecond
	replicas = 2
	// preStop is how many seconds a pod outlives its deletion: longer than its detaching takes, also
	// on a busy machine, where 2 s were too few once.
	preStop = 5
	blue    = v1alpha1.Blue
	green   = v1alpha1.Green
)

// streams are the load of every test: enough requests to hit any failing front end, and few enough
// to leave the cluster its share, as half a dozen applications run at a time.
var streams = []load.Stream{ //nolint:gochecknoglobals // a table
	{Name: "kept connections", Path: "/page", KeepAlive: true, PerSecond: 30, AtOnce: 4},
	{Name: "new connections", Path: "/page", PerSecond: 20, AtOnce: 4},
	{Name: "slow", Path: "/slow?seconds=1", PerSecond: 2, AtOnce: 4},
}

// shop is an application in two colours, with users on blue, and the load on it.
type shop struct {
	*testing.T
	namespace, host string
	bg              *v1alpha1.BlueGreen
	router          *route.Router
	workloads       *workload.Workloads
	load            *load.Load
	// ownHealthCheck gives the Services a BackendConfig; noRoot makes the application answer 404
	// to /.
	ownHealthCheck, noRoot bool
}

// newShop creates an application; blue is live, and green has a Service and this number of pods,
// which Kubernetes calls ready.
func newShop(t *testing.T, greens int32, options ...func(*shop)) *shop {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("Test", "", "/", "-").Replace(t.Name()))
	unique := strings.ToLower(rand.Text()[:5]) // with -count, the last namespace may still be ending
	s := &shop{T: t, namespace: name[:min(len(name), 50)] + "-" + unique, ownHealthCheck: true}
	s.host = s.namespace + ".test"
	for _, option := range options {
		option(s)
	}
	s.bg = &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "shop", UID: types.UID(s.namespace)}}
	// A second here is forty seconds of Google's.
	s.router = &route.Router{Client: indextest.Client{Client: running.kube}, Reader: running.kube, Settle: time.Second}
	s.workloads = &workload.Workloads{Client: indextest.Client{Client: running.kube}, Reader: running.kube}
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
	if s.ownHealthCheck {
		s.create(s.backendConfig())
	}
	s.create(s.deployment(blue, replicas), s.deployment(green, greens), s.service(blue), s.service(green))
	s.awaitPods(green, greens)
	if !s.ownHealthCheck { // the path is copied from a pod, if there is one when the check is made
		s.awaitPods(blue, replicas)
	}
	s.create(s.ingress())
	s.awaitPods(blue, replicas)
	// Front ends adopt an Ingress one after the other, without reporting it: the last one a known
	// time after the first. A request cannot choose its front end, since all tests' load takes turns
	// at them.
	adoption := lastAdoption
	var since time.Time
	s.await("blue to answer on every front end", func(ctx context.Context) (bool, string) {
		status, err := s.ask(ctx)
		switch {
		case err != nil || status != http.StatusOK:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		return !since.IsZero() && time.Since(since) >= adoption, fmt.Sprint(status, err)
	})
	s.load = load.Start(running.WebURL, s.host, streams)
	t.Cleanup(func() {
		s.load.Stop()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
		if err := running.kube.Delete(context.WithoutCancel(t.Context()), ns); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *shop) create(objects ...client.Object) {
	s.Helper()
	for _, object := range objects {
		if err := running.kube.Create(s.Context(), object); err != nil {
			s.Fatalf("creating %s: %v", object.GetName(), err)
		}
	}
}

func (s *shop) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// await polls until a condition holds, or fails with what it saw last.
func (s *shop) await(what string, holds func(context.Context) (bool, string)) {
	s.Helper()
	s.awaitFor(patience, what, holds)
}

// awaitFor is await with a limit of its own.
func (s *shop) awaitFor(patience time.Duration, what string, holds func(context.Context) (bool, string)) {
	s.Helper()
	var last string
	err := wait.PollUntilContextTimeout(s.Context(), look, patience, true, func(ctx context.Context) (bool, error) {
		ok, seen := holds(ctx)
		last = seen
		return ok, nil
	})
	if err != nil {
		s.Fatalf("waited %s for: %s; last seen: %s\n%s", patience, what, last, s.scene(context.WithoutCancel(s.Context())))
	}
}

func (s *shop) ask(ctx context.Context) (status int, err error) {
	fresh := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, running.WebURL+"/page", http.NoBody)
	if err != nil {
		return 0, err
	}
	request.Host = s.host
	response, err := fresh.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func labels(c v1alpha1.Color) map[string]string {
	return map[string]string{"app": "shop", "version": string(c)}
}

func (s *shop) deployment(c v1alpha1.Color, size int32) *appsv1.Deployment {
	container := corev1.Container{
		Name: "app", Image: "gcr.io/acme-prod/bench:v1.0.0", Ports: []corev1.ContainerPort{{ContainerPort: application.Port}},
		Env: []corev1.EnvVar{
			{Name: "APPLICATION", Value: running.self},
			{Name: application.Variable, Value: "1"},
			{Name: application.VersionVariable, Value: string(c)},
		},
		ReadinessProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(application.Port)}},
			PeriodSeconds: 1,
		},
		Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: preStop}}},
	}
	if s.noRoot {
		container.Env = append(container.Env, corev1.EnvVar{Name: application.NoRootVariable, Value: "1"})
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.bg.Side(c).Deployment},
		Spec: appsv1.DeploymentSpec{
			Replicas: &size, Selector: &metav1.LabelSelector{MatchLabels: labels(c)},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels(c)}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{container}, TerminationGracePeriodSeconds: new(int64(preStop + 5)),
			}},
		},
	}
}

func (s *shop) service(c v1alpha1.Color) *corev1.Service {
	annotations := map[string]string{"cloud.google.com/neg": `{"ingress": true}`}
	if s.ownHealthCheck {
		annotations["cloud.google.com/backend-config"] = `{"default": "shop"}`
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.bg.Side(c).Service, Annotations: annotations},
		Spec: corev1.ServiceSpec{
			Selector: labels(c),
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(application.Port)}},
		},
	}
}

func (s *shop) backendConfig() client.Object {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"healthCheck": map[string]any{
			"type": "HTTP", "requestPath": "/healthz", "port": int64(application.Port), "checkIntervalSec": int64(5), "timeoutSec": int64(3),
		},
		"connectionDraining": map[string]any{"drainingTimeoutSec": int64(5)},
	}}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "cloud.google.com", Version: "v1", Kind: "BackendConfig"})
	u.SetNamespace(s.namespace)
	u.SetName("shop")
	return u
}

func (s *shop) ingress() *networkingv1.Ingress {
	prefix := networkingv1.PathTypePrefix
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: s.bg.IngressName(), Annotations: map[string]string{"kubernetes.io/ingress.class": "gce"},
		},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: s.host, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: &prefix,
				Backend: networkingv1.IngressBackend{
					Service: &networkingv1.IngressServiceBackend{Name: s.bg.Side(blue).Service, Port: networkingv1.ServiceBackendPort{Number: 80}},
				},
			}}},
		}}}},
	}
}

// awaitPods waits until a colour is rolled out at a size.
func (s *shop) awaitPods(c v1alpha1.Color, size int32) {
	s.Helper()
	s.await(fmt.Sprintf("%d pods of %s", size, c), func(ctx context.Context) (bool, string) {
		d := &appsv1.Deployment{}
		err := running.kube.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.bg.Side(c).Deployment}, d)
		done := err == nil && d.Status.ObservedGeneration == d.Generation && d.Status.Replicas == size && d.Status.UpdatedReplicas == size &&
			d.Status.AvailableReplicas == size
		return done, fmt.Sprint(d.Status.AvailableReplicas, err)
	})
}

func (s *shop) scale(c v1alpha1.Color, size int32) {
	s.Helper()
	s.patchDeployment(c, fmt.Sprintf(`{"spec":{"replicas":%d}}`, size))
}

// restart replaces every pod of a colour, one after the other, and waits until
// the old ones have ended.
func (s *shop) restart(c v1alpha1.Color) {
	s.Helper()
	s.patchDeployment(c, `{"spec":{"template":{"metadata":{"annotations":{"restarted":"yes"}}}}}`)
	s.awaitPods(c, replicas)
	s.await("the old pods to end", func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		err := running.kube.List(ctx, &pods, client.InNamespace(s.namespace), client.MatchingLabels(labels(c)))
		return err == nil && len(pods.Items) == replicas, fmt.Sprint(len(pods.Items), " pods ", err)
	})
}

func (s *shop) patchDeployment(c v1alpha1.Color, patch string) {
	s.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.bg.Side(c).Deployment}}
	s.check(running.kube.Patch(s.Context(), d, client.RawPatch(types.MergePatchType, []byte(patch))))
}

// kubectlPatch points the whole Ingress at a Service, like the reference pipeline.
func (s *shop) kubectlPatch(service string) {
	s.Helper()
	patch := fmt.Sprintf(`{"spec":{"rules":[{"host":%q,"http":{"paths":[{"path":"/","pathType":"Prefix","backend":{"service":{"name":%q,`+
		`"port":{"number":80}}}}]}}]}}`, s.host, service)
	ingress := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.bg.IngressName()}}
	s.check(running.kube.Patch(s.Context(), ingress, client.RawPatch(types.StrategicMergePatchType, []byte(patch))))
}

func (s *shop) routes() track.Routes {
	s.Helper()
	state, err := s.router.Observe(s.Context(), s.bg)
	s.check(err)
	return state
}

// refer writes the reference to green; attach also waits, like Turnout, until the load balancer has
// taken it up.
func (s *shop) refer() {
	s.Helper()
	s.check(s.router.Attach(s.Context(), s.bg, s.routes(), green))
}

func (s *shop) attach() {
	s.Helper()
	s.refer()
	s.await("the reference to be taken up", func(ctx context.Context) (bool, string) {
		groups, err := s.router.Groups(ctx, s.bg, s.routes(), green)
		why, ok := track.TakenUp(s.bg.Side(green).Service, groups)
		return ok && err == nil, fmt.Sprint(why, err)
	})
}

// warm waits until green is warm by Turnout's judgement.
func (s *shop) warm() {
	s.Helper()
	known := v1alpha1.RouteStatus{}
	s.await("green to be warm", func(ctx context.Context) (bool, string) {
		w, err := s.judge(ctx, &known)
		return w.Warm && err == nil, fmt.Sprint(w.Lacking, w.Unseen, err)
	})
}

// judge looks once, and pokes the Ingress's controller if Turnout would.
func (s *shop) judge(ctx context.Context, known *v1alpha1.RouteStatus) (track.Warmth, error) {
	routes, err := s.router.Observe(ctx, s.bg)
	if err != nil {
		return track.Warmth{}, err
	}
	state, err := s.workloads.Observe(ctx, s.bg, green)
	if err != nil {
		return track.Warmth{}, err
	}
	endpoints, err := s.router.ReadyEndpoints(ctx, s.namespace, state.Service)
	if err != nil {
		return track.Warmth{}, err
	}
	groups, err := s.router.Groups(ctx, s.bg, routes, green)
	if err != nil {
		return track.Warmth{}, err
	}
	now := time.Now()
	w := track.WarmLook{
		Now: now, LoadBalancer: routes.LoadBalancer, Service: state.Service, Pods: state.Pods, Endpoints: endpoints, Groups: groups,
		Known: *known, Settle: s.router.Settle,
	}.Judge()
	known.HealthySince = w.HealthySince
	if w.PokeAt.IsZero() || now.Before(w.PokeAt) {
		return w, nil
	}
	known.Pokes, known.PokedAt = known.Pokes+1, &metav1.MicroTime{Time: now}
	return w, s.router.Poke(ctx, s.bg, routes, now)
}

func (s *shop) switchTo(c v1alpha1.Color) {
	s.Helper()
	s.check(s.router.Switch(s.Context(), s.bg, s.routes(), c, s.router.Ports(s.Context(), s.bg, c)))
}

// moved waits until all users of every front end have reached one colour for a second.
func (s *shop) moved(c v1alpha1.Color) {
	s.Helper()
	s.await("all users to get "+string(c), func(context.Context) (bool, string) {
		return s.load.Settled(string(c), time.Second, 15), fmt.Sprint(s.failures(time.Time{}))
	})
}

// failures are those of requests answered since a time.
func (s *shop) failures(since time.Time) []string {
	var all []string
	for _, a := range s.load.Answers() {
		if a.Failure != "" && a.End.After(since) {
			all = append(all, a.Failure)
		}
	}
	return all
}

// loses waits until a request fails.
func (s *shop) loses(since time.Time) {
	s.Helper()
	s.await("users to lose requests", func(context.Context) (bool, string) {
		return len(s.failures(since)) > 0, "none failed: the step is not needed, or the model is wrong"
	})
}

// losesNothing ends the load; nothing may have failed.
func (s *shop) losesNothing() {
	s.Helper()
	answers := s.load.Stop()
	if failures := s.failures(time.Time{}); len(failures) > 0 {
		s.Errorf("%d of %d requests failed: %s", len(failures), len(answers), failures[0])
	}
	if len(answers) < 100 {
		s.Errorf("only %d requests were made", len(answers))
	}
}

// warnings counts the load balancer's warnings about the Ingress, by reason.
func (s *shop) warnings(ctx context.Context, reason string) (n int32, err error) {
	var events corev1.EventList
	err = running.kube.List(ctx, &events, client.InNamespace(s.namespace))
	for i := range events.Items {
		e := &events.Items[i]
		if e.InvolvedObject.Name == s.bg.IngressName() && e.Type == corev1.EventTypeWarning && e.Reason == reason {
			n += max(e.Count, 1)
		}
	}
	return n, err
}

func (s *shop) awaitWarning(reason string) {
	s.Helper()
	s.await("a warning "+reason, func(ctx context.Context) (bool, string) {
		n, err := s.warnings(ctx, reason)
		return n > 0 && err == nil, fmt.Sprint(err)
	})
}

var errNoPods = errors.New("there are no pods")

// unhealthy returns nil if every pod of a colour runs, and the load balancer has checked and finds
// none healthy: each pod's gate stays shut.
func (s *shop) unhealthy(ctx context.Context, c v1alpha1.Color) error {
	state, err := s.workloads.Observe(ctx, s.bg, c)
	if err != nil {
		return err
	}
	if len(state.Pods) == 0 {
		return errNoPods
	}
	for _, pod := range state.Pods {
		if !track.WaitsForLoadBalancer(pod) {
			return fmt.Errorf("pod %s does not wait for the load balancer: %v", pod.Name, pod.Gates)
		}
	}
	return nil
}
