package bot_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/turnout-dev/turnout/"

// TestArrowsPointOneWay: the bot writes to a record behind an interface, and has no client
// for workloads. Packages command and report have no client at all.
func TestArrowsPointOneWay(t *testing.T) {
	cluster := []string{
		"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "cloud.google.com/go", "google.golang.org/grpc", module + "deployer",
		module + "record",
	}
	github := append([]string{"github.com/google/go-github", "github.com/bradleyfalzon/ghinstallation"}, cluster...)
	for pkg, forbidden := range map[string][]string{".": cluster, "./githubapp": cluster, "./command": github, "./report": github} {
		for dep, imports := range dependencies(t, pkg) {
			for _, other := range forbidden {
				if dep == other || strings.HasPrefix(dep, other+"/") {
					t.Errorf("bot/%s depends on %s", strings.TrimPrefix(pkg, "./"), dep)
				}
			}
			// The types of Kubernetes' objects depend on net/http themselves; none of our
			// packages may.
			pure := pkg == "./command" || pkg == "./report"
			if pure && strings.HasPrefix(dep, module) && slices.Contains(imports, "net/http") {
				t.Errorf("bot/%s depends on %s, which imports net/http", strings.TrimPrefix(pkg, "./"), dep)
			}
		}
	}
}

// dependencies returns the packages that one depends on, including itself, with their
// imports.
func dependencies(t *testing.T, pkg string) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", pkg).Output()
	check(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		all[words[0]] = words[1:]
	}
	if len(all) < 100 {
		t.Fatalf("go list names only %d packages that %s depends on", len(all), pkg)
	}
	return all
}
