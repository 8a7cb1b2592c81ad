package gclb

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/sandbox/node/nodetest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// real is the shared cluster of all tests with a real control plane and real processes.
var real nodetest.Cluster //nolint:gochecknoglobals // TestMain has no other way to hand it over

// envApplication makes this binary the application that pods run; its value is the version that
// the application reports.
const envApplication = "GCLB_TEST_APPLICATION"

func TestMain(m *testing.M) {
	if version := os.Getenv(envApplication); version != "" {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", application(version))) //nolint:gosec // G114: asked by the tests only
		os.Exit(1)
	}
	flag.Parse()
	// Tests mostly wait for Google's controllers.
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(nodetest.Run(m, &real, pushVersions))
}

// application answers with its version; /slow takes 300 ms; /healthz answers 500 after a request
// to /break.
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

// image names the application's image of a version.
func image(version string) string { return "gcr.io/acme-prod/shop:" + version }

// pushVersions pushes images whose command is this binary.
func pushVersions(ctx context.Context, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "source")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, version := range []string{"blue", "green"} {
		dockerfile := fmt.Sprintf("FROM scratch\nENV %s=%s\nCMD [%q]\n", envApplication, version, self)
		if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
			return err
		}
		digest, err := real.Registry.Build(ctx, registry.BuildRequest{Context: dir})
		if err != nil {
			return err
		}
		if err := real.Registry.Push(image(version), digest); err != nil {
			return err
		}
	}
	return nil
}
