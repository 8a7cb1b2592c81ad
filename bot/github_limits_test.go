package bot_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// refusals counts the requests that GitHub answered with a rate limit.
func refusals(requests []githubtest.Request) int {
	n := 0
	for _, r := range requests {
		if r.Status == http.StatusForbidden || r.Status == http.StatusTooManyRequests {
			n++
		}
	}
	return n
}

// TestSecondaryRateLimitIsWaitedOut: Publish waits out a short limit itself, and for a long
// one asks to be called again. In both cases GitHub refuses only one request, and everything
// is published.
func TestSecondaryRateLimitIsWaitedOut(t *testing.T) {
	for _, tt := range []struct {
		name    string
		status  int
		limit   time.Duration
		inCall  bool
		noToken bool // the limit begins before the process has a token
	}{
		{"short, 403", http.StatusForbidden, 3 * time.Second, true, false},
		{"short, 429", http.StatusTooManyRequests, 3 * time.Second, true, false},
		{"long, 403", http.StatusForbidden, 2 * time.Minute, false, false},
		{"long, 429", http.StatusTooManyRequests, 2 * time.Minute, false, false},
		{"long, 403, from the first request on", http.StatusForbidden, 2 * time.Minute, false, true},
		{"long, 429, from the first request on", http.StatusTooManyRequests, 2 * time.Minute, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			w.app.SetWebhookURL("")
			synctest.Test(t, func(t *testing.T) {
				l := w.leader(t)
				if !tt.noToken {
					_, err := l.publisher.GitHub.Head(t.Context(), "acme/shop", "main")
					check(t, err)
				}
				w.github.LimitFor(tt.limit, tt.status)
				began := time.Now()
				again, err := l.publisher.Publish(t.Context(), rel)
				check(t, err)
				took := time.Since(began)
				if tt.inCall && (took < tt.limit || took > tt.limit+time.Second || again != 0) {
					t.Errorf("Publish took %s and asked to be called again in %s, want %s and not at all", took, again, tt.limit)
				}
				if !tt.inCall && (took > time.Second || again < tt.limit-time.Second || again > tt.limit+time.Second) {
					t.Errorf("Publish took %s and asked to be called again in %s, want at once and %s", took, again, tt.limit)
				}
				if !tt.inCall {
					l.look() // something else changes meanwhile
				}
				l.pass(tt.limit + 10*time.Second)
			})
			if n := refusals(w.github.Requests()); n != 1 {
				t.Errorf("GitHub refused %d requests, want 1", n)
			}
			if got := fmt.Sprint(len(w.repo.Deployments()), " ", states(w.repo.Deployments()[0]), " ",
				len(w.answers(pr.Number))); got != "1 success 1" {
				t.Errorf("published %q, want one deployment, its success, and one comment", got)
			}
		})
	}
}

// TestTokenRefusedByARateLimitIsNoLostInstallation: after the wait, the client need not look
// up the App's installation again.
func TestTokenRefusedByARateLimitIsNoLostInstallation(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests} {
		w := newWorld(t)
		w.github.Inject(githubtest.Fault{
			Kind: githubtest.SecondaryRateLimit, Status: status, Route: "/app/installations/{installation_id}/access_tokens",
		})
		_, rel := ended(w)
		w.app.SetWebhookURL("")
		synctest.Test(t, func(t *testing.T) {
			l := w.leader(t)
			w.record.change(rel.Name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
			l.look()
			l.pass(2 * time.Minute)
		})
		if deployments := w.repo.Deployments(); len(deployments) != 1 || states(deployments[0]) != "success" {
			t.Errorf("%d: deployments %+v, want one success", status, deployments)
		}
		lookups := 0
		for _, r := range w.github.Requests() {
			if r.Route == "/repos/{owner}/{repo}/installation" {
				lookups++
			}
		}
		if lookups != 1 {
			t.Errorf("%d: the installation was looked up %d times, want once", status, lookups)
		}
	}
}

// TestCommentRefusedByARateLimitIsWrittenLater: a 403 may also be a permanent refusal, and a
// limit need not say when it ends.
func TestCommentRefusedByARateLimitIsWrittenLater(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests} {
		for _, retryAfter := range []time.Duration{time.Minute, -1} {
			w := newWorld(t)
			pr, rel := ended(w)
			w.app.SetWebhookURL("")
			w.github.Inject(githubtest.Fault{
				Kind: githubtest.SecondaryRateLimit, Status: status, RetryAfter: retryAfter, Method: http.MethodPost,
				Route: "/repos/{owner}/{repo}/issues/{issue_number}/comments",
			})
			synctest.Test(t, func(t *testing.T) {
				l := w.leader(t)
				w.record.change(rel.Name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
				l.look()
				l.pass(50 * time.Second)
				if n := len(w.answers(pr.Number)); n != 0 {
					t.Errorf("%d, Retry-After %s: %d comments within the minute, want none", status, retryAfter, n)
				}
				l.pass(time.Minute)
			})
			if n := len(w.answers(pr.Number)); n != 1 {
				t.Errorf("%d, Retry-After %s: %d comments, want 1", status, retryAfter, n)
			}
		}
	}
}
