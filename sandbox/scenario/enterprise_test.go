package scenario

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The sandbox's GitHub is a GitHub Enterprise Server. turnout gets its address by
// --github-url and must find the API below a path prefix.
func TestGitHubEnterpriseServerIsAskedBelowItsPathPrefix(t *testing.T) {
	t.Parallel()
	a := adoptExample(t, "enterprise", map[string]any{"soak": "0s"})
	pr := a.merge("Greet more kindly", map[string]string{"VERSION": "v1.2.0\n"})
	a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitDeployment(pr.MergeCommit(), "success")
	// Links for people lead to the server's pages, not to its API.
	a.awaitComment(pr.Number, running.GitHub.URL()+"/"+a.repository()+"/commit/"+pr.MergeCommit())
	asked := 0
	for _, r := range running.GitHub.Requests() {
		if !strings.Contains(r.Path, "/repos/"+a.repository()+"/") {
			continue
		}
		asked++
		if !strings.HasPrefix(r.Path, "/api/v3/") {
			t.Errorf("turnout sent %s %s, which is not below /api/v3", r.Method, r.Path)
		}
	}
	if asked == 0 {
		t.Error("turnout sent no request about this repository")
	}
}
