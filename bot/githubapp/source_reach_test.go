package githubapp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

const installationRoute = "/repos/{owner}/{repo}/installation"

func TestSourceSaysWhyARepositoryCannotBeRead(t *testing.T) {
	w := newWorld(t)
	other := w.other("acme/other")
	s := githubapp.Source{GitHub: w.client}
	expect := func(repository, want string) {
		t.Helper()
		if why, err := s.Closed(t.Context(), repository); why != want || err != nil {
			t.Errorf("%s is closed: %q, %v; want %q", repository, why, err, want)
		}
	}
	expect("acme/shop", "")
	const missing = "the App is not installed on acme/other: install it there, or give its installation that repository"
	expect("acme/other", missing)
	expect("nobody/nothing", strings.ReplaceAll(missing, "acme/other", "nobody/nothing"))
	if _, err := w.client.Head(t.Context(), "acme/other", "main"); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("reading its head: %v, want %q", err, missing)
	}
	installation := w.app.InstallOn(other, nil)
	expect("acme/other", "")
	if has, err := s.HasBranch(t.Context(), "acme/other", "main"); !has || err != nil {
		t.Errorf("it has main: %v, %v", has, err)
	}
	installation.Suspend()
	expect("acme/other", "the App's installation on acme/other is suspended: its owner ends that in the installation's settings")
	installation.Unsuspend()
	expect("acme/other", "")
}

func TestSourceSaysWhetherARepositoryHasABranch(t *testing.T) {
	w := newWorld(t)
	s := githubapp.Source{GitHub: w.client}
	for branch, want := range map[string]bool{"main": true, "release/1": false} {
		if has, err := s.HasBranch(t.Context(), "acme/shop", branch); has != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", branch, has, err, want)
		}
	}
	w.commit("release/1", "x", "y")
	if has, err := s.HasBranch(t.Context(), "acme/shop", "release/1"); !has || err != nil {
		t.Errorf("a branch with a slash: %v, %v", has, err)
	}
}

// An outage or a rate limit says nothing about the repository.
func TestAnOutageIsNoAnswerAboutTheRepository(t *testing.T) {
	for name, fault := range map[string]githubtest.Fault{
		"bad gateway":        {Kind: githubtest.BadGateway},
		"limited":            {Kind: githubtest.SecondaryRateLimit},
		"limited, 429":       {Kind: githubtest.SecondaryRateLimit, Status: http.StatusTooManyRequests},
		"limited, no time":   {Kind: githubtest.SecondaryRateLimit, RetryAfter: -1},
		"the answer is lost": {Kind: githubtest.ReplyLost},
	} {
		for _, route := range []string{installationRoute, "/repos/{owner}/{repo}/branches/{branch}"} {
			t.Run(name+" "+route, func(t *testing.T) {
				w := newWorld(t)
				s := githubapp.Source{GitHub: w.client}
				fault := fault
				fault.Route, fault.Times = route, 10
				w.github.Inject(fault)
				if route == installationRoute {
					if why, err := s.Closed(t.Context(), "acme/shop"); err == nil {
						t.Errorf("closed: %q", why)
					}
					return
				}
				if has, err := s.HasBranch(t.Context(), "acme/shop", "main"); err == nil {
					t.Errorf("has the branch: %v", has)
				}
			})
		}
	}
	t.Run("the quota is spent", func(t *testing.T) {
		w := newWorld(t)
		w.github.LimitFor(time.Minute, http.StatusForbidden)
		if why, err := (githubapp.Source{GitHub: w.client}).Closed(t.Context(), "acme/shop"); err == nil {
			t.Errorf("closed: %q", why)
		}
	})
}
