package world_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	patience = 90 * time.Second
	example  = "../../examples/python-app"
	repo     = "gcr.io/acme-prod/my-python-app:"
)

// running is the world that all tests of this package share. started is its progress: when Start
// had returned, and after the load balancer was ready.
var ( //nolint:gochecknoglobals // TestMain has no other way to hand them over
	running *world.World
	started struct{ atFirst, inTheEnd []string }
)

func TestMain(m *testing.M) {
	inside, err := netns.Enter(netns.Options{Listen: map[string]string{
		world.ListenWeb: "127.0.0.1:0", world.ListenGitHub: "127.0.0.1:0",
	}})
	status := 1
	if err == nil {
		status, err = runTests(m, inside)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(status)
}

func runTests(m *testing.M, inside *netns.Namespace) (int, error) {
	dir, err := os.MkdirTemp("", "turnout-world-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	var seeds []world.Seed
	var lines []string
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		seeds = append(seeds, world.Seed{
			Ref: repo + version, Context: example, Files: map[string]string{"VERSION": version},
		})
	}
	running, err = world.Start(context.Background(), world.Options{
		Inside: inside, Dir: dir, CRDs: []string{"../../config/crd"}, Seeds: seeds, BackoffScale: 0.1,
		LoadBalancer: gclb.Config{Speed: 50}, Plain: true, Progress: func(line string) {
			fmt.Println(line)
			lines = append(lines, line)
		},
	})
	if err != nil {
		return 1, err
	}
	defer running.Stop()
	started.atFirst = slices.Clone(lines)
	if err := running.AwaitLoadBalancer(context.Background()); err != nil {
		return 1, err
	}
	started.inTheEnd = lines
	return m.Run(), nil
}

// Google's controllers wait for 8 s when they start. Everything else, here and in callers, starts
// meanwhile.
func TestLoadBalancerStartsFirstAndIsAwaitedLast(t *testing.T) {
	at := func(lines []string, beginning string) int {
		return slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, beginning) })
	}
	first := started.atFirst
	begun := at(first, "load balancer starts")
	if plane := at(first, "control plane ready"); plane < 0 || begun != plane+1 {
		t.Errorf("the load balancer does not start right after the control plane: %q", first)
	}
	for _, part := range []string{"nodes", "plain proxy", "Cloud Storage", "Cloud Build", "GitHub"} {
		if at(first, part+" ready") < begun {
			t.Errorf("%s does not start beside the load balancer: %q", part, first)
		}
	}
	if at(first, "load balancer ready") >= 0 || at(started.inTheEnd, "load balancer ready") != len(started.inTheEnd)-1 {
		t.Errorf("the load balancer is not awaited last, by the caller: %q, %q", first, started.inTheEnd)
	}
}

// apply creates the objects of a manifest of the example in a namespace, after these changes.
func apply(t *testing.T, api client.Client, namespace, name string, change func(*unstructured.Unstructured)) {
	t.Helper()
	path := filepath.Join(example, "k8s", name+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, object); err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	object.SetNamespace(namespace)
	change(object)
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatalf("creating the objects of %s: %v", path, err)
	}
}

// runs makes a Deployment of the example run a version in three pods.
func runs(t *testing.T, version string) func(*unstructured.Unstructured) {
	t.Helper()
	return func(u *unstructured.Unstructured) {
		d := &appsv1.Deployment{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, d); err != nil {
			t.Fatal(err)
		}
		d.Spec.Template.Spec.Containers[0].Image, d.Spec.Replicas = repo+version, new(int32(3))
		var err error
		if u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(d); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits until the condition holds.
func await(t *testing.T, what string, condition func(context.Context) bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		return condition(ctx), nil
	})
	if err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// versionOf sends a request to a load balancer and returns the answer's status and version.
func versionOf(ctx context.Context, url string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, "", err
	}
	return response.StatusCode, response.Header.Get("X-App-Version"), nil
}

// tally counts answers while requests are made without a pause.
type tally struct {
	url      string
	mu       sync.Mutex
	versions map[string]int
	inARow   int // consecutive answers of the version that answered last
	last     string
	failures []string
}

func (c *tally) ask(ctx context.Context) {
	status, version, err := versionOf(ctx, c.url)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || status != http.StatusOK {
		c.failures, c.inARow = append(c.failures, fmt.Sprint(status, err)), 0
		return
	}
	if c.versions[version]++; version != c.last {
		c.last, c.inARow = version, 0
	}
	c.inARow++
}

// forgive forgets failures from before users were there: each front end adopts a new Ingress at a
// different moment.
func (c *tally) forgive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = nil
}

// alone reports whether only this version gave the last n answers.
func (c *tally) alone(version string, answers int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last == version && c.inARow >= answers
}

// TestNobodysRequestFailsAtASwitch moves users from one warm colour to the other: both load
// balancers can do that without losing a request.
func TestNobodysRequestFailsAtASwitch(t *testing.T) {
	for name, c := range map[string]struct {
		url   string
		class func(*networkingv1.Ingress)
	}{
		"google": {running.WebURL, func(*networkingv1.Ingress) {}},
		"plain":  {running.PlainURL, func(i *networkingv1.Ingress) { i.Annotations, i.Spec.IngressClassName = nil, new(world.PlainClass) }},
	} {
		t.Run(name, func(t *testing.T) { switchWithoutLoss(t, name, c.url, c.class) })
	}
}

func switchWithoutLoss(t *testing.T, namespace, url string, class func(*networkingv1.Ingress)) {
	api, err := client.New(running.ControlPlane.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	ingress := &networkingv1.Ingress{}
	same := func(*unstructured.Unstructured) {}
	apply(t, api, namespace, "backendconfig", same)
	apply(t, api, namespace, "service-blue", same)
	apply(t, api, namespace, "service-green", same)
	apply(t, api, namespace, "ingress", func(u *unstructured.Unstructured) {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, ingress); err != nil {
			t.Fatal(err)
		}
		class(ingress)
		standby := *ingress.Spec.Rules[0].DeepCopy()
		standby.Host, standby.HTTP.Paths[0].Backend.Service.Name = "standby.invalid", "my-python-app-green-svc"
		ingress.Spec.Rules = append(ingress.Spec.Rules, standby)
		if u.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(ingress); err != nil {
			t.Fatal(err)
		}
	})
	versions := map[string]string{"blue": "v1.0.0", "green": "v1.1.0"}
	for _, color := range []string{"blue", "green"} {
		apply(t, api, namespace, "deployment-"+color, runs(t, versions[color]))
		await(t, color+" to be available", func(ctx context.Context) bool {
			d := &appsv1.Deployment{}
			return api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "my-python-app-" + color}, d) == nil &&
				d.Status.AvailableReplicas == 3
		})
	}
	counts := &tally{url: url, versions: map[string]int{}}
	asking, stopAsking := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for asking.Err() == nil {
				counts.ask(asking)
			}
		})
	}
	await(t, "the load balancer to answer", func(context.Context) bool { return counts.alone("v1.0.0", 200) })
	counts.forgive()
	slow := make(chan string, 1)
	go func() {
		_, version, err := versionOf(t.Context(), url+"/slow?s=1")
		slow <- fmt.Sprint(version, err)
	}()
	patch := `[{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"my-python-app-green-svc"},
		{"op":"replace","path":"/spec/rules/1/http/paths/0/backend/service/name","value":"my-python-app-blue-svc"}]`
	ingress = &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "my-python-app-ingress", Namespace: namespace}}
	if err := api.Patch(t.Context(), ingress, client.RawPatch(types.JSONPatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	await(t, "answers of the new version alone", func(context.Context) bool { return counts.alone("v1.1.0", 200) })
	if got := <-slow; got != "v1.0.0<nil>" && got != "v1.1.0<nil>" {
		t.Errorf("the request in progress ended with %s", got)
	}
	stopAsking()
	clients.Wait()
	if len(counts.failures) > 0 {
		t.Errorf("%d requests failed, the first: %s; answers: %v", len(counts.failures), counts.failures[0], counts.versions)
	}
	t.Logf("answers: %v", counts.versions)
	await(t, "the Ingress's address", func(ctx context.Context) bool {
		return api.Get(ctx, client.ObjectKeyFromObject(ingress), ingress) == nil && len(ingress.Status.LoadBalancer.Ingress) == 1
	})
}
