package gclb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// patience bounds every wait; the machine may be busy.
const patience = 60 * time.Second

// rig is a load balancer on the real cluster and a namespace of a test's own,
// with the objects of one application in two colours.
type rig struct {
	t         *testing.T
	balancer  *balancer
	namespace string
	address   string
	diary     *diary
	preStop   int64 // seconds for which pods sleep before they end
}

// observedDelays are those under which the real controllers were watched: a
// compute API in memory, attaching in 0.5 s, healthy 3 s later.
func observedDelays() *Delays {
	d := DefaultDelays()
	d.Operation, d.Detach, d.FirstAdoption, d.LastAdoption = 0, 0, 0, 0
	d.Attach, d.HealthCheckStart = 500*time.Millisecond, 3*time.Second
	d.NEGCollection = time.Hour // the tests collect themselves
	return &d
}

// speed is how much faster than that the tests are.
const speed = 5

// start starts a load balancer that ends with the test.
func start(t *testing.T, c Config) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", netns.HostAddress+":0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, address: listener.Addr().String(), diary: &diary{}}
	c.Rest, c.Listener, c.Address, c.Log = real.Plane.Config, listener, netns.HostAddress, slog.New(r.diary)
	if c.Delays == nil {
		c.Delays = observedDelays()
	}
	if c.Speed == 0 {
		c.Speed = speed
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	if r.balancer, err = newBalancer(ctx, c); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- r.balancer.run(ctx, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the load balancer ended with %v", err)
		}
		if t.Failed() {
			t.Log(r.diary.text())
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	r.makeNamespace()
	return r
}

func (r *rig) makeNamespace() {
	r.t.Helper()
	made, err := real.Clients.CoreV1().Namespaces().Create(r.t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	r.check(err)
	r.namespace = made.Name
	r.await("service account", func() bool {
		_, err := real.Clients.CoreV1().ServiceAccounts(r.namespace).Get(r.t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	r.t.Cleanup(r.cleanUp)
}

// cleanUp leaves nothing that the next test's load balancer would look at.
func (r *rig) cleanUp() {
	ctx := context.WithoutCancel(r.t.Context())
	all := metav1.ListOptions{}
	r.check(real.Clients.NetworkingV1().Ingresses(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
	r.check(real.Clients.AppsV1().Deployments(r.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, all))
	for _, color := range []string{"blue", "green"} {
		if err := real.Clients.CoreV1().Services(r.namespace).Delete(ctx, color, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
			r.check(err)
		}
	}
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// collect is a round of the NEG controller's garbage collection.
func (r *rig) collect() {
	r.balancer.negs.collect(context.WithoutCancel(r.t.Context()))
}

// await polls until a condition holds.
func (r *rig) await(what string, condition func() bool) {
	r.t.Helper()
	err := wait.PollUntilContextTimeout(context.WithoutCancel(r.t.Context()), 10*time.Millisecond, patience, true,
		func(context.Context) (bool, error) { return condition(), nil })
	if err != nil {
		r.t.Fatalf("never: %s", what)
	}
}

// deploy runs a colour; with a probe path the pods have a readiness probe.
func (r *rig) deploy(color string, replicas int32, probe string) {
	r.t.Helper()
	labels := map[string]string{"color": color}
	container := corev1.Container{
		Name: "app", Image: image(color), Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
	}
	if probe != "" {
		container.ReadinessProbe = &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: probe, Port: intstr.FromInt32(8080)}},
			PeriodSeconds: 1,
		}
	}
	if r.preStop > 0 {
		container.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: r.preStop}}}
	}
	_, err := real.Clients.AppsV1().Deployments(r.namespace).Create(r.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: color},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{container}, TerminationGracePeriodSeconds: new(r.preStop + 1)},
			},
		},
	}, metav1.CreateOptions{})
	r.check(err)
}

// running waits until a colour has so many ready pods.
func (r *rig) running(color string, replicas int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d ready pods of %s", replicas, color), func() bool {
		d, err := real.Clients.AppsV1().Deployments(r.namespace).Get(r.t.Context(), color, metav1.GetOptions{})
		return err == nil && int(d.Status.ReadyReplicas) == replicas && int(d.Status.Replicas) == replicas
	})
}

func (r *rig) scale(color string, replicas int) {
	r.t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	_, err := real.Clients.AppsV1().Deployments(r.namespace).Patch(r.t.Context(), color, types.MergePatchType, patch, metav1.PatchOptions{})
	r.check(err)
}

// service makes the Service of a colour, of the colour's name, with annotations:
// keys and values in turn.
func (r *rig) service(color string, annotations ...string) {
	r.t.Helper()
	_, err := real.Clients.CoreV1().Services(r.namespace).Create(r.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: color, Annotations: asMap(annotations)},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"color": color},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, metav1.CreateOptions{})
	r.check(err)
}

// asMap pairs keys and values.
func asMap(pairs []string) map[string]string {
	m := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = pair[1]
	}
	return m
}

func (r *rig) patchService(name, patch string) {
	r.t.Helper()
	_, err := real.Clients.CoreV1().Services(r.namespace).Patch(r.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	r.check(err)
}

// blueAnnotation is one of blue's Service.
func (r *rig) blueAnnotation(key string) string {
	r.t.Helper()
	found, err := real.Clients.CoreV1().Services(r.namespace).Get(r.t.Context(), "blue", metav1.GetOptions{})
	r.check(err)
	return found.Annotations[key]
}

// svcNegCondition tells whether a condition of a colour's svcneg object is true.
func (r *rig) svcNegCondition(color, kind string) bool {
	status, _ := r.balancer.negs.cluster.svcNeg(r.namespace, r.backend(color))
	for _, c := range status.Conditions {
		if c.Type == kind {
			return c.Status == metav1.ConditionTrue
		}
	}
	return false
}

func to(service string) networkingv1.IngressBackend {
	return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: service, Port: networkingv1.ServiceBackendPort{Number: 80},
	}}
}

func rule(host, service string) networkingv1.IngressRule {
	return networkingv1.IngressRule{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: ptr.To(networkingv1.PathTypePrefix), Backend: to(service),
		}}},
	}}
}

// standbyHost does not resolve.
const standbyHost = "standby.shop.invalid"

// ingress makes the Ingress shop.
func (r *rig) ingress(rules ...networkingv1.IngressRule) {
	r.t.Helper()
	_, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Create(r.t.Context(), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{classAnnotation: "gce"}},
		Spec:       networkingv1.IngressSpec{Rules: rules},
	}, metav1.CreateOptions{})
	r.check(err)
}

// patchIngress applies a JSON patch to it.
func (r *rig) patchIngress(patch string) {
	r.t.Helper()
	_, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Patch(r.t.Context(), "shop", types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	r.check(err)
}

// route patches the name of the Service in a rule.
func route(i int, service string) string {
	return fmt.Sprintf(`{"op":"replace","path":"/spec/rules/%d/http/paths/0/backend/service/name","value":%q}`, i, service)
}

// poke changes an annotation that means nothing.
func (r *rig) poke(value string) {
	r.t.Helper()
	r.patchIngress(fmt.Sprintf(`[{"op":"add","path":"/metadata/annotations/poke","value":%q}]`, value))
}

func (r *rig) annotation(key string) string {
	found, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Get(r.t.Context(), "shop", metav1.GetOptions{})
	r.check(err)
	return found.Annotations[key]
}

// backend names the backend service of a colour.
func (r *rig) backend(color string) string {
	return r.balancer.ingresses.names.neg(r.namespace, color, 80)
}

// said is what the backends annotation says of a colour.
func (r *rig) said(color string) string {
	_, rest, _ := strings.Cut(r.annotation(backendsAnnotation), `"`+r.backend(color)+`":"`)
	state, _, _ := strings.Cut(rest, `"`)
	return state
}

// count says how many endpoints are healthy of how many a colour's backend
// service has.
func (r *rig) count(color string) string {
	r.balancer.compute.mu.Lock()
	defer r.balancer.compute.mu.Unlock()
	return r.balancer.compute.count(r.backend(color))
}

// attached is how many endpoints a colour's NEG has; -1: there is no NEG.
func (r *rig) attached(color string) int {
	listed, err := r.balancer.compute.listEndpoints(negKey{r.backend(color), "us-central1-b"})
	if err != nil {
		return -1
	}
	return len(listed)
}

// get asks the load balancer on a new connection: the answer's status, and the
// version or what else it says.
func (r *rig) get(host string) (int, string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return r.ask(&client, host, "/")
}

func (r *rig) ask(client *http.Client, host, path string) (int, string) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.t.Context()), http.MethodGet, "http://"+r.address+path, http.NoBody)
	r.check(err)
	request.Host = host
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

// load asks for / on four connections until it is stopped, and counts what was
// answered.
type load struct {
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int
}

func (r *rig) load(keepAlive bool) *load {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.t.Context()))
	l := &load{stop: stop, answers: map[string]int{}}
	for range 4 {
		l.running.Go(func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: !keepAlive}}
			for ctx.Err() == nil {
				status, body := r.ask(&client, "shop.example.com", "/")
				l.mu.Lock()
				l.answers[fmt.Sprint(status, " ", body)]++
				l.mu.Unlock()
				time.Sleep(5 * time.Millisecond) // a pace, not a wait
			}
		})
	}
	r.t.Cleanup(stop)
	return l
}

// end stops asking and returns the answers that were not 200, and all of them.
func (l *load) end() (failed int, all map[string]int) {
	l.stop()
	l.running.Wait()
	for answer, n := range l.answers {
		if !strings.HasPrefix(answer, "200 ") {
			failed += n
		}
	}
	return failed, l.answers
}

// events are the messages of an object's events with a reason.
func (r *rig) events(object, kind, reason string) []string {
	r.t.Helper()
	list, err := real.Clients.CoreV1().Events(r.namespace).List(r.t.Context(), metav1.ListOptions{})
	r.check(err)
	var messages []string
	for i := range list.Items {
		e := &list.Items[i]
		if e.InvolvedObject.Name == object && e.Type == kind && e.Reason == reason {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

// pods are a colour's pods.
func (r *rig) pods(color string) []corev1.Pod {
	r.t.Helper()
	list, err := real.Clients.CoreV1().Pods(r.namespace).List(r.t.Context(), metav1.ListOptions{LabelSelector: "color=" + color})
	r.check(err)
	return list.Items
}

// diary keeps what a load balancer logs.
type diary struct {
	mu      sync.Mutex
	entries []entry
}

type entry struct {
	at   time.Time
	text string
}

// Enabled, Handle, WithAttrs and WithGroup make it a slog.Handler.
func (d *diary) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a record, unless it is of a request: there are many.
func (d *diary) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "request refused" {
		return nil
	}
	var text strings.Builder
	text.WriteString(record.Message)
	record.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&text, " %s=%v", a.Key, a.Value)
		return true
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry{record.Time, text.String()})
	return nil
}

// WithAttrs is not used by the load balancer.
func (d *diary) WithAttrs([]slog.Attr) slog.Handler { return d }

// WithGroup is not used by the load balancer.
func (d *diary) WithGroup(string) slog.Handler { return d }

func (d *diary) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var lines []string
	for _, e := range d.entries {
		lines = append(lines, e.at.Format("05.000 ")+e.text)
	}
	return strings.Join(lines, "\n")
}

// find returns the first entry from a time on that has all the parts.
func (d *diary) find(from time.Time, parts ...string) (entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.entries, func(e entry) bool {
		return !e.at.Before(from) && !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e.text, p) })
	})
	if i < 0 {
		return entry{}, errors.New("not in the log: " + strings.Join(parts, " … "))
	}
	return d.entries[i], nil
}
