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

// longestSleep is how long a call waits by itself when GitHub says that it is
// asked too fast. What must wait longer is an error that says how long, and whoever
// asked comes back: the publisher asks to be called again then, and a command
// stays in the inbox.
const longestSleep = 5 * time.Second

// withoutWord is how long GitHub is left alone if it refuses and does not say for
// how long (GitHub docs, "Rate limits for the REST API").
const withoutWord = time.Minute

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 1 << 20

// politeness waits out secondary rate limits for all that share it: while GitHub
// refuses one of them, it is not asked by the others either. The limiter sleeps
// through the short ones; the long ones are errors at once, until they are over.
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
	// A refusal is read here, whole: not everybody above closes it, and its
	// connection would stay open.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's refusal: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	// What is left of the hourly quota concerns one installation only.
	if wait, limited := limitOf(resp, string(body), time.Now()); limited && !quotaSpent(resp) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.until = time.Now().Add(wait)
	}
	return resp, nil
}

// quotaSpent reports whether an answer says that nothing is left of the hourly
// quota.
func quotaSpent(resp *http.Response) bool { return resp.Header.Get("X-RateLimit-Remaining") == "0" }

// limitedError is a request that was not made, because GitHub wants to be left
// alone.
type limitedError struct{ until time.Time }

// Error implements error.
func (e *limitedError) Error() string {
	return "GitHub's secondary rate limit: it is not asked again before " + e.until.UTC().Format("15:04:05 UTC")
}

// rewind gives a request that is sent again its body again.
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

// RetryAfter returns how long GitHub wants to be left alone, if err says so: by a
// request that was not made, by one of go-github's errors, by an answer that
// go-github takes for no limit (it knows 403 only), or by the refusal of a token.
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

// limitOf reads a rate limit from an answer: 429 is always one; 403 if it says
// when to come back, that nothing is left, or what it is.
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
