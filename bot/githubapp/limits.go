package githubapp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/gofri/go-github-ratelimit/v2/github_ratelimit"
	"github.com/gofri/go-github-ratelimit/v2/github_ratelimit/github_secondary_ratelimit"
	"github.com/google/go-github/v60/github"
)

// longestSleep is how long a call itself waits if GitHub says that requests come too fast.
// For a longer wait it returns an error with the time. Then the publisher schedules its
// next call, and a command stays in the inbox.
const longestSleep = 5 * time.Second

// withoutWord is how long to leave GitHub alone if it refuses without naming a time (GitHub
// docs, "Rate limits for the REST API").
const withoutWord = time.Minute

// maxRefusal is how much of a refusal to read, in bytes.
const maxRefusal = 1 << 20

// politeness waits out secondary rate limits for all that share it: while GitHub refuses
// one, the others do not ask either. It sleeps through short limits; during a long one,
// requests fail at once.
type politeness struct {
	limiter http.RoundTripper
	mu      sync.Mutex
	until   time.Time
}

func newPoliteness(base http.RoundTripper) *politeness {
	return &politeness{limiter: github_ratelimit.NewSecondaryLimiter(rewind{base},
		github_secondary_ratelimit.WithSingleSleepLimit(longestSleep, nil))}
}

// RoundTrip implements [http.RoundTripper].
func (p *politeness) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	until := p.until
	p.mu.Unlock()
	if time.Now().Before(until) {
		return nil, &limitedError{until}
	}
	resp, err := p.limiter.RoundTrip(req)
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return resp, err
	}
	// Read a refusal to its end here: some callers do not close it, and its connection
	// would stay open.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's refusal: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	// The remaining hourly quota concerns one installation only.
	if wait, limited := limitOf(resp, string(body), time.Now()); limited && !quotaSpent(resp) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.until = time.Now().Add(wait)
	}
	return resp, nil
}

// quotaSpent reports whether GitHub says that the hourly quota is used up.
func quotaSpent(resp *http.Response) bool { return resp.Header.Get("X-RateLimit-Remaining") == "0" }

// limitedError is a request that was not sent because GitHub asked for a pause.
type limitedError struct{ until time.Time }

// Error implements error.
func (e *limitedError) Error() string {
	return "GitHub's secondary rate limit: it is not asked again before " + e.until.UTC().Format("15:04:05 UTC")
}

// rewind restores the body of a request that is sent again.
type rewind struct{ base http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (r rewind) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.GetBody == nil {
		return r.base.RoundTrip(req)
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("rewinding the request's body: %w", err)
	}
	again := req.Clone(req.Context())
	again.Body = body
	return r.base.RoundTrip(again)
}

// RetryAfter returns how long GitHub wants to be left alone, if err says so. It understands
// requests that were not sent, go-github's errors, limits that go-github does not recognise
// (it knows only 403), and refusals of a token.
func RetryAfter(err error, now time.Time) (time.Duration, bool) {
	if kept := (*limitedError)(nil); errors.As(err, &kept) {
		return max(time.Second, kept.until.Sub(now)), true
	}
	if primary := (*github.RateLimitError)(nil); errors.As(err, &primary) {
		return max(time.Second, primary.Rate.Reset.Sub(now)), true
	}
	if secondary := (*github.AbuseRateLimitError)(nil); errors.As(err, &secondary) {
		if secondary.RetryAfter == nil {
			return withoutWord, true
		}
		return max(time.Second, *secondary.RetryAfter), true
	}
	if answer := (*github.ErrorResponse)(nil); errors.As(err, &answer) {
		return limitOf(answer.Response, answer.Message, now)
	}
	if token := (*ghinstallation.HTTPError)(nil); errors.As(err, &token) {
		return limitOf(token.Response, "", now)
	}
	return 0, false
}

// limitOf reads a rate limit from an answer. 429 is always one. 403 is one if it says when
// to come back, that nothing is left, or that it is a rate limit.
func limitOf(resp *http.Response, message string, now time.Time) (time.Duration, bool) {
	if resp == nil || resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return 0, false
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		return max(time.Second, time.Duration(seconds)*time.Second), true
	}
	spent := quotaSpent(resp)
	if reset, err := strconv.ParseInt(resp.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && spent {
		return max(time.Second, time.Unix(reset, 0).Sub(now)), true
	}
	limited := resp.StatusCode == http.StatusTooManyRequests || spent || strings.Contains(message, "secondary rate limit")
	return withoutWord, limited
}
