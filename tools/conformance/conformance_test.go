package conformance

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	upstream "sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/config"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"

	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/node/nodetest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// cluster has nodes that run pods as processes.
var cluster nodetest.Cluster //nolint:gochecknoglobals // TestMain has no other way to hand it over

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(nodetest.Run(m, &cluster, func(ctx context.Context, dir string) error { return pushEcho(ctx, cluster.Registry, dir) }))
}

// echoes are the images that the suite's backends have.
var echoes = []string{ //nolint:gochecknoglobals // a constant list
	"registry.k8s.io/gateway-api/echo-basic:v1.5.1", "registry.k8s.io/gateway-api/echo-basic:v1.6.0-dev.3",
}

// pushEcho makes images of the suite's own echo server, from its source.
func pushEcho(ctx context.Context, to *registry.Registry, dir string) error {
	source := filepath.Join(dir, "echo")
	if err := os.MkdirAll(source, 0o700); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(source, "echo"), "sigs.k8s.io/gateway-api/conformance/echo-basic")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the echo server: %w: %s", err, out)
	}
	const file = "FROM scratch\nWORKDIR /app\nCOPY echo ./\nENTRYPOINT [\"/app/echo\"]\n"
	if err := os.WriteFile(filepath.Join(source, "Dockerfile"), []byte(file), 0o600); err != nil {
		return err
	}
	digest, err := to.Build(ctx, registry.BuildRequest{Context: source})
	if err != nil {
		return err
	}
	for _, image := range echoes {
		if err := to.Push(image, digest); err != nil {
			return err
		}
	}
	return nil
}

// className is that of the Gateways.
const className = "sandbox"

// start starts the stand-in, with the least delays that tell its parts apart.
func start(t *testing.T) client.Client {
	t.Helper()
	dir, err := gateway.Definitions(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(cluster.Plane.Config, envtest.CRDInstallOptions{Paths: []string{dir}, MaxTime: time.Minute}); err != nil {
		t.Fatal(err)
	}
	known := scheme.Scheme
	for _, add := range []func() error{
		func() error { return gatewayv1.Install(known) }, func() error { return apiextensionsv1.AddToScheme(known) },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	kube, err := client.New(cluster.Plane.Config, client.Options{Scheme: known})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(netns.HostAddress, "80"))
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- gateway.Run(t.Context(), gateway.Config{
			Rest: cluster.Plane.Config, Listener: listener, Address: netns.HostAddress,
			Delays: &gateway.Delays{
				Programme: 50 * time.Millisecond, LastAdoption: 100 * time.Millisecond, Attach: 50 * time.Millisecond,
				Detach: 50 * time.Millisecond, HealthInterval: 200 * time.Millisecond,
			},
		}, func() { close(ready) })
	}()
	t.Cleanup(func() { // the test's context has ended
		if err := <-ended; err != nil {
			t.Errorf("the stand-in ended: %v", err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	class := &gatewayv1.GatewayClass{
		ObjectMeta: metav1.ObjectMeta{Name: className}, Spec: gatewayv1.GatewayClassSpec{ControllerName: gateway.GKE},
	}
	if err := kube.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	return kube
}

// deployment finds the name of a Deployment.
var deployment = regexp.MustCompile(`(?s)\nkind: Deployment\nmetadata:\n  name: ([a-z0-9-]+)\n`)

// backends are the Deployments that the named tests send requests to.
var backends = []string{ //nolint:gochecknoglobals // a constant list
	"infra-backend-v1", "infra-backend-v2", "infra-backend-v3", "app-backend-v1", "app-backend-v2", "web-backend",
}

// manifests are the suite's own, without the backends of other protocols, whose pods mount
// Secrets or come from elsewhere.
type manifests struct{ fs.FS }

func (m manifests) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(m.FS, name)
	if err != nil || name != "base/manifests.yaml" {
		return text, err
	}
	kept := slices.DeleteFunc(strings.Split(string(text), "---\n"), func(object string) bool {
		name := deployment.FindStringSubmatch(object)
		return name != nil && !slices.Contains(backends, name[1])
	})
	return []byte(strings.Join(kept, "---\n")), nil
}

// Nothing is left out in silence: what a new version of the suite brings is here, too.
func TestEveryTestOfHTTPRoutesIsNamedOrLeftOut(t *testing.T) {
	for _, test := range tests.ConformanceTests {
		_, out := leftOut[test.ShortName]
		if in := slices.Contains(named, test.ShortName); strings.HasPrefix(test.ShortName, "HTTPRoute") && in == out {
			t.Errorf("%s is named: %t, and left out: %t", test.ShortName, in, out)
		}
	}
}

func TestGatewayStandIn(t *testing.T) {
	kube := start(t)
	var passed []suite.ConformanceTest
	var supported []features.FeatureName
	for _, test := range tests.ConformanceTests {
		if slices.Contains(named, test.ShortName) {
			passed = append(passed, test)
			supported = append(supported, test.Features...)
		}
	}
	if len(passed) != len(named) {
		t.Fatalf("of %d named tests the suite has %d", len(named), len(passed))
	}
	times := config.DefaultTimeoutConfig()
	s, err := suite.NewConformanceTestSuite(suite.ConformanceOptions{
		Client: kube, ClientOptions: client.Options{Scheme: kube.Scheme()}, Clientset: cluster.Clients, RestConfig: cluster.Plane.Config,
		ManifestFS: []fs.FS{manifests{&upstream.Manifests}},
		ConfigurableOptions: suite.ConfigurableOptions{
			GatewayClassName: className, SupportedFeatures: supported, CleanupTestResources: true, DisableParallelTests: true,
			TimeoutConfig: times,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Setup(t, passed)
	if err := s.Run(t, passed); err != nil {
		t.Fatal(err)
	}
}
