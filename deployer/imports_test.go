package deployer

import (
	"os/exec"
	"strings"
	"testing"
)

// Dependencies point one way: the deployer does not know GitHub.
func TestDeployerDependsOnNothingOfGitHub(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("go list names only %d packages", len(deps))
	}
	for _, dep := range deps {
		for _, forbidden := range []string{
			"github.com/google/go-github", "github.com/bradleyfalzon/ghinstallation",
			"github.com/turnout-dev/turnout/bot",
		} {
			if strings.HasPrefix(dep, forbidden) {
				t.Errorf("deployer depends on %s", dep)
			}
		}
	}
}
