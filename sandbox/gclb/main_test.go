package gclb

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/node"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// real is the cluster that the tests with a real control plane and real
// processes share.
var real struct { //nolint:gochecknoglobals // TestMain has no other way to hand it over
	plane    *controlplane.ControlPlane
	clients  kubernetes.Interface
	registry *registry.Registry
}

// envApplication makes this very binary the application that pods run; its value
// is the version that it tells.
const envApplication = "GCLB_TEST_APPLICATION"

func TestMain(m *testing.M) {
	if version := os.Getenv(envApplication); version != "" {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", application(version))) //nolint:gosec // G114: asked by the tests only
		os.Exit(1)
	}
	inside, err := netns.Enter(netns.Options{})
	if err == nil {
		err = runTests(m, inside)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// application answers with its version; /slow takes 300 ms; /healthz answers 500
// once /break was asked.
func application(version string) http.Handler {
	mux, broken := http.NewServeMux(), make(chan struct{})
	answer := func(w http.ResponseWriter) {
		w.Header().Set("X-App-Version", version)
		fmt.Fprintln(w, version)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { answer(w) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		answer(w)
	})
	mux.HandleFunc("/break", func(w http.ResponseWriter, _ *http.Request) {
		close(broken)
		answer(w)
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-broken:
			http.Error(w, "broken", http.StatusInternalServerError)
		default:
			answer(w)
		}
	})
	return mux
}

func runTests(m *testing.M, inside *netns.Namespace) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	plane, err := controlplane.Start(ctx, controlplane.Options{Address: netns.HostAddress})
	if err != nil {
		return err
	}
	defer plane.Stop()
	dir, err := os.MkdirTemp("", "turnout-gclb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plane.Config.WarningHandler = rest.NoWarnings{} // the class annotation is deprecated in Kubernetes, not in GKE
	real.plane, real.clients = plane, kubernetes.NewForConfigOrDie(plane.Config)
	if real.registry, err = registry.New(filepath.Join(dir, "registry")); err != nil {
		return err
	}
	if err := pushVersions(ctx, filepath.Join(dir, "source")); err != nil {
		return err
	}
	tls, err := plane.KubeletTLS(netns.HostAddress)
	if err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- node.Run(ctx, node.Config{
			Rest: plane.Config, Bridge: inside.Bridge, Registry: real.registry, TLS: tls, Dir: dir,
			BackoffScale: 0.1, Log: slog.New(slog.DiscardHandler),
		}, func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		return err
	}
	status := m.Run()
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("tests ended with status %d", status)
	}
	return nil
}

// image is the application in a version.
func image(version string) string { return "gcr.io/acme-prod/shop:" + version }

// pushVersions makes images whose command is this binary.
func pushVersions(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, version := range []string{"blue", "green"} {
		dockerfile := fmt.Sprintf("FROM scratch\nENV %s=%s\nCMD [%q]\n", envApplication, version, self)
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
			return err
		}
		digest, err := real.registry.Build(ctx, registry.BuildRequest{Context: dir})
		if err != nil {
			return err
		}
		if err := real.registry.Push(image(version), digest); err != nil {
			return err
		}
	}
	return nil
}
