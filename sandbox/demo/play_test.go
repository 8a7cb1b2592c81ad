package demo

import (
	"bytes"
	"context"
	"testing"

	"github.com/turnout-dev/turnout/bot/githubtest"
)

// TestEachProposalDoesWhatItSays merges what `sandbox up` offers: the bad ones first, one on top of the other, and
// once they are reverted, the slow one.
func TestEachProposalDoesWhatItSays(t *testing.T) {
	var out bytes.Buffer
	o := start(t, &out)
	s, err := begin(o)
	if err == nil {
		err = s.play(t.Context())
	}
	if err != nil {
		t.Fatalf("%v; it printed\n%s", err, &out)
	}
	merges := func(pr *githubtest.PullRequest, err error) *githubtest.PullRequest {
		t.Helper()
		if err == nil {
			_, err = pr.Merge(s.writer)
		}
		if err != nil {
			t.Fatal(err)
		}
		return pr
	}
	says := func(pr *githubtest.PullRequest, text string) {
		t.Helper()
		if err := s.said(context.WithoutCancel(t.Context()), pr, text); err != nil {
			t.Fatal(err)
		}
	}
	unhealthy := merges(s.repo.PullRequest(4))
	says(unhealthy, `"status": "degraded"`)
	crashing := merges(s.repo.PullRequest(3))
	says(crashing, "DATABASE_URL is not set")
	merges(crashing.Revert(s.writer))
	merges(unhealthy.Revert(s.writer))
	says(merges(s.repo.PullRequest(2)), "is live on green")
}
