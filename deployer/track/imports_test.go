package track

import (
	"os/exec"
	"strings"
	"testing"
)

// Decisions are pure: the package needs no client of Kubernetes or of any other service.
func TestTrackDependsOnNoClient(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 50 {
		t.Fatalf("go list names only %d packages", len(deps))
	}
	const own = "github.com/turnout-dev/turnout/"
	for _, dep := range deps {
		for _, forbidden := range []string{
			"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "cloud.google.com/go", "google.golang.org/grpc",
			"github.com/google/go-github", own + "bot", own + "deployer/route", own + "deployer/workload", own + "deployer/gate",
			own + "deployer/proof", own + "record", own + "deployer/cloudbuild", own + "deployer/preflight", own + "deployer/urlmap",
		} {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("track depends on %s", dep)
			}
		}
	}
}
