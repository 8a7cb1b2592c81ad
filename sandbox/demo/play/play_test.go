// Package play tests what `sandbox up` offers a person, in a process of its own: a process has one network.
package play

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const project = "../../.."

// patience bounds every wait.
const patience = 2 * time.Minute

var inside *netns.Namespace //nolint:gochecknoglobals // TestMain has no other way to hand it over

func TestMain(m *testing.M) {
	var err error
	inside, err = netns.Enter(netns.Options{Listen: map[string]string{world.ListenWeb: "127.0.0.1:0", world.ListenGitHub: "127.0.0.1:0"}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// begin has what `sandbox up` has, once it printed its addresses.
func begin(t *testing.T) *githubtest.Server {
	t.Helper()
	var out bytes.Buffer
	dir := t.TempDir()
	w, err := world.Start(t.Context(), world.Options{
		Inside: inside, Dir: dir, CRDs: []string{project + "/config/crd"}, Seeds: demo.Seeds(project), BackoffScale: 0.1,
		LoadBalancer: gclb.Config{Speed: demo.Speed}, Progress: func(line string) { fmt.Fprintln(&out, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	binary, err := turnout.Start(t.Context(), turnout.Options{Project: project, World: w, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := binary.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := w.AwaitLoadBalancer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := demo.Adopt(t.Context(), demo.Options{Project: project, World: w, Turnout: binary, Out: &out}); err != nil {
		t.Fatalf("%v; it printed\n%s", err, &out)
	}
	return w.GitHub
}

// TestEachProposalDoesWhatItSays merges what `sandbox up` offers: the bad ones first, one on top of the other, and
// once they are reverted, the slow one.
func TestEachProposalDoesWhatItSays(t *testing.T) {
	hub := begin(t)
	repo, alice := hub.Repository("acme/my-python-app"), hub.AddUser("alice")
	merges := func(pr *githubtest.PullRequest, err error) *githubtest.PullRequest {
		t.Helper()
		if err == nil {
			_, err = pr.Merge(alice)
		}
		if err != nil {
			t.Fatal(err)
		}
		return pr
	}
	says := func(pr *githubtest.PullRequest, text string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		var bodies []string
		err := hub.Wait(ctx, func() bool {
			bodies = nil
			for _, c := range repo.Comments(pr.Number) {
				bodies = append(bodies, c.Body)
			}
			return strings.Contains(strings.Join(bodies, "\n"), text)
		})
		if err != nil {
			t.Fatalf("%v: #%d does not show %q within %s, but\n%s", err, pr.Number, text, patience, strings.Join(bodies, "\n---\n"))
		}
	}
	unhealthy := merges(repo.PullRequest(4))
	says(unhealthy, `"status": "degraded"`)
	crashing := merges(repo.PullRequest(3))
	says(crashing, "DATABASE_URL is not set")
	merges(crashing.Revert(alice))
	merges(unhealthy.Revert(alice))
	says(merges(repo.PullRequest(2)), "is live on green")
}
