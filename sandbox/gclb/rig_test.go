package gclb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
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

// Annotations that Google's controllers read and write.
const (
	classAnnotation         = "kubernetes.io/ingress.class"
	backendConfigAnnotation = "cloud.google.com/backend-config"
	backendsAnnotation      = "ingress.kubernetes.io/backends"
	urlMapAnnotation        = "ingress.kubernetes.io/url-map"
	negStatusAnnotation     = "cloud.google.com/neg-status"
)

// patience bounds every wait: the NEG controller collects garbage every 2 minutes, and needs two
// rounds; the machine may be busy.
const patience = 6 * time.Minute

// rig is a load balancer on the real cluster, and a test's own namespace with the objects of one
// application in two colours.
type rig struct {
	t         *testing.T
	balancer  *balancer
	namespace string
	address   string
	diary     *diary
	preStop   int64 // seconds for which pods sleep before they end
	names     map[string]string
	host      string // of the Ingress
	class     string // of the Ingress; default gce
}

// observedDelays are those of the first observation of the real controllers: endpoints are attached
// in 0.5 s and healthy 3 s later, and front ends follow within 3 s.
func observedDelays() *Delays {
	return &Delays{
		Operation: 50 * time.Millisecond, Attach: 500 * time.Millisecond, Detach: time.Second,
		HealthCheckStart: 3 * time.Second, LastAdoption: 3 * time.Second,
	}
}

// running is a load balancer on the real cluster.
type running struct {
	*balancer
	address string
	diary   *diary
	stop    func() error
}

// run starts a load balancer.
func run(c Config) (*running, error) {
	listener, err := net.Listen("tcp", netns.HostAddress+":0")
	if err != nil {
		return nil, err
	}
	b := &running{address: listener.Addr().String(), diary: &diary{}}
	c.Rest, c.Kubeconfig, c.Dir = real.Plane.Config, real.Plane.Kubeconfig, real.Dir
	c.Listener, c.Address, c.Log = listener, netns.HostAddress, slog.New(b.diary)
	if c.Delays == nil {
		c.Delays = observedDelays()
	}
	ctx, cancel := context.WithCancel(context.Background())
	if b.balancer, err = newBalancer(ctx, c); err != nil {
		cancel()
		return nil, err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- b.run(ctx, func() { close(ready) }) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-ready:
		return b, nil
	case err := <-ended:
		cancel()
		return nil, err
	}
}

// start starts the test's own load balancer. It ends with the test, which must not be parallel:
// there is only one cluster.
func start(t *testing.T, c Config) *rig {
	t.Helper()
	b, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("the load balancer ended with %v", err)
		}
	})
	return newRig(t, b)
}

// shared is the load balancer of all parallel tests, which run after the others. It ends with the
// last of them.
var shared = sync.OnceValues(func() (*running, error) { //nolint:gochecknoglobals // for all tests
	return run(Config{Refuse: func(r *http.Request) bool {
		_, refused := refusing.Load(path.Base(r.URL.Path))
		return refused && r.Method == http.MethodPut
	}})
})

// refusing names the resources whose updates currently fail.
var refusing sync.Map //nolint:gochecknoglobals // for all tests

// share begins a parallel test with the shared load balancer.
func share(t *testing.T) *rig {
	t.Helper()
	t.Parallel()
	b, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, b)
}

func newRig(t *testing.T, b *running) *rig {
	t.Helper()
	r := &rig{t: t, balancer: b.balancer, address: b.address, diary: b.diary, names: map[string]string{}}
	r.makeNamespace()
	r.host = r.namespace + ".test"
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.diary.text(r.namespace))
		}
	})
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

// cleanUp removes everything that the next test's load balancer would look at.
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
	r.await("the Ingress gone", func() bool {
		list, err := real.Clients.NetworkingV1().Ingresses(r.namespace).List(ctx, all)
		return err == nil && len(list.Items) == 0
	})
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
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

// service creates a colour's Service, named like the colour. Annotations are keys and values in
// turn.
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
	_, err := real.Clients.CoreV1().Services(r.namespace).Patch(r.t.Context(), name, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{})
	r.check(err)
}

// blueAnnotation returns an annotation of blue's Service.
func (r *rig) blueAnnotation(key string) string {
	r.t.Helper()
	found, err := real.Clients.CoreV1().Services(r.namespace).Get(r.t.Context(), "blue", metav1.GetOptions{})
	r.check(err)
	return found.Annotations[key]
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
func (r *rig) standbyHost() string { return "standby." + r.host }

// users is the rule for ordinary users.
func (r *rig) users(service string) networkingv1.IngressRule { return rule(r.host, service) }

// standby is the rule that references green without sending users there.
func (r *rig) standby() networkingv1.IngressRule { return rule(r.standbyHost(), "green") }

// ingress creates the Ingress shop.
func (r *rig) ingress(rules ...networkingv1.IngressRule) {
	r.t.Helper()
	_, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Create(r.t.Context(), &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Name: "shop", Annotations: map[string]string{classAnnotation: cmp.Or(r.class, "gce")}},
		Spec:       networkingv1.IngressSpec{Rules: rules},
	}, metav1.CreateOptions{})
	r.check(err)
}

// patchIngress applies a JSON patch to the Ingress.
func (r *rig) patchIngress(patch string) {
	r.t.Helper()
	_, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Patch(r.t.Context(), "shop", types.JSONPatchType, []byte(patch),
		metav1.PatchOptions{})
	r.check(err)
}

// route returns the operation that replaces the Service's name in a rule.
func route(i int, service string) string {
	return fmt.Sprintf(`{"op":"replace","path":"/spec/rules/%d/http/paths/0/backend/service/name","value":%q}`, i, service)
}

// poke changes an annotation without meaning.
func (r *rig) poke(value string) {
	r.t.Helper()
	r.patchIngress(fmt.Sprintf(`[{"op":"add","path":"/metadata/annotations/poke","value":%q}]`, value))
}

func (r *rig) annotation(key string) string {
	found, err := real.Clients.NetworkingV1().Ingresses(r.namespace).Get(r.t.Context(), "shop", metav1.GetOptions{})
	r.check(err)
	return found.Annotations[key]
}

// backend returns the name of a colour's backend service, which is also its NEG's name, as the
// controller last wrote it to the Service.
func (r *rig) backend(color string) string {
	r.t.Helper()
	if name := r.names[color]; name != "" {
		return name
	}
	found, err := real.Clients.CoreV1().Services(r.namespace).Get(r.t.Context(), color, metav1.GetOptions{})
	r.check(err)
	var status struct {
		Groups map[string]string `json:"network_endpoint_groups"`
	}
	if text := found.Annotations[negStatusAnnotation]; text != "" {
		r.check(json.Unmarshal([]byte(text), &status))
		r.names[color] = status.Groups["80"]
	}
	return r.names[color]
}

// said is a colour's state in the backends annotation.
func (r *rig) said(color string) string {
	_, rest, _ := strings.Cut(r.annotation(backendsAnnotation), `"`+r.backend(color)+`":"`)
	state, _, _ := strings.Cut(rest, `"`)
	return state
}

// count returns how many endpoints of a colour's backend service are healthy, as healthy/all.
func (r *rig) count(color string) string {
	return r.countOf("global/backendServices/" + r.backend(color))
}

func (r *rig) countOf(name string) string {
	r.balancer.compute.mu.Lock()
	defer r.balancer.compute.mu.Unlock()
	return r.balancer.compute.count(name)
}

// attached is the number of endpoints in a colour's NEG; -1 if there is no NEG.
func (r *rig) attached(color string) int {
	name := r.backend(color)
	r.balancer.compute.mu.Lock()
	defer r.balancer.compute.mu.Unlock()
	g := r.balancer.compute.groups[place{"zones/us-central1-b", "networkEndpointGroups", name}]
	if g == nil {
		return -1
	}
	return len(g.members)
}

// get sends a user's request on a new connection, and returns the answer's status and body, which
// is the version or an error.
func (r *rig) get() (int, string) { return r.getHost(r.host) }

func (r *rig) getHost(host string) (int, string) {
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

// events are the messages of an object's events with this reason.
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
