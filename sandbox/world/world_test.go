package world_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const (
	patience  = 90 * time.Second
	namespace = "default"
	example   = "../../examples/python-app"
)

// running is the world that all tests of this package share.
var running *world.World //nolint:gochecknoglobals // TestMain has no other way to hand it over

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
	for _, version := range []string{"v1.0.0", "v1.1.0"} {
		seeds = append(seeds, world.Seed{
			Ref: "gcr.io/acme-prod/my-python-app:" + version, Context: example, Files: map[string]string{"VERSION": version},
		})
	}
	running, err = world.Start(context.Background(), world.Options{
		Inside: inside, Dir: dir, CRDs: []string{"../../config/crd"}, Seeds: seeds, BackoffScale: 0.1,
		Progress: func(line string) { fmt.Println(line) },
	})
	if err != nil {
		return 1, err
	}
	defer running.Stop()
	return m.Run(), nil
}

// apply creates what a manifest describes.
func apply(t *testing.T, api client.Client, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, object); err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	object.SetNamespace(namespace)
	if err := api.Create(t.Context(), object); err != nil {
		t.Fatalf("creating what is in %s: %v", path, err)
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

// versionOf asks the load balancer and returns the status and the version that answered.
func versionOf(ctx context.Context, path string) (int, string, error) {
	response, err := running.Get(ctx, "", path)
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
	mu       sync.Mutex
	versions map[string]int
	failures []string
}

func (c *tally) ask(ctx context.Context) {
	status, version, err := versionOf(ctx, "/")
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || status != http.StatusOK {
		c.failures = append(c.failures, fmt.Sprint(status, err))
		return
	}
	c.versions[version]++
}

func (c *tally) count(version string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.versions[version]
}

func TestNobodysRequestFailsAtASwitch(t *testing.T) {
	api, err := client.New(running.ControlPlane.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deployment-blue", "deployment-green", "service-blue", "service-green", "ingress"} {
		apply(t, api, filepath.Join(example, "k8s", name+".yaml"))
	}
	for _, color := range []string{"blue", "green"} {
		await(t, color+" to be available", func(ctx context.Context) bool {
			d := &appsv1.Deployment{}
			return api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: "my-python-app-" + color}, d) == nil && d.Status.AvailableReplicas == 3
		})
	}
	await(t, "the load balancer to answer", func(ctx context.Context) bool {
		status, version, err := versionOf(ctx, "/healthz")
		return err == nil && status == http.StatusOK && version == "v1.0.0"
	})
	counts := &tally{versions: map[string]int{}}
	asking, stopAsking := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for asking.Err() == nil {
				counts.ask(asking)
			}
		})
	}
	await(t, "answers of the old version", func(context.Context) bool { return counts.count("v1.0.0") > 50 })
	slow := make(chan string, 1)
	go func() {
		_, version, err := versionOf(t.Context(), "/slow?s=1")
		slow <- fmt.Sprint(version, err)
	}()
	patch := `[{"op":"test","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"my-python-app-blue-svc"},
		{"op":"replace","path":"/spec/rules/0/http/paths/0/backend/service/name","value":"my-python-app-green-svc"}]`
	ingress := &networkingv1.Ingress{}
	ingress.Name, ingress.Namespace = "my-python-app-ingress", namespace
	if err := api.Patch(t.Context(), ingress, client.RawPatch(types.JSONPatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
	await(t, "answers of the new version", func(context.Context) bool { return counts.count("v1.1.0") > 50 })
	blue := &appsv1.Deployment{}
	blue.Name, blue.Namespace = "my-python-app-blue", namespace
	if err := api.Patch(t.Context(), blue, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))); err != nil {
		t.Fatal(err)
	}
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
