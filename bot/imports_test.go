package bot_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestBotDependsOnNoClusterAndNoBuild keeps the arrow: the bot writes to a record
// behind an interface, and could not touch a workload if it wanted to.
func TestBotDependsOnNoClusterAndNoBuild(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	check(t, err)
	for dep := range strings.FieldsSeq(string(out)) {
		for _, forbidden := range []string{
			"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "cloud.google.com/go", "google.golang.org/grpc",
			"github.com/turnout-dev/turnout/deployer", "github.com/turnout-dev/turnout/record",
		} {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("bot depends on %s", dep)
			}
		}
	}
}
