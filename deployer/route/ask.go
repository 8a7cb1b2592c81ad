package route

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Kind is what an answer of the public address says.
type Kind int

// What an answer says.
const (
	Served Kind = iota + 1 // users are served
	Broken                 // users are not: a 5xx, or a connection that broke
	Unseen                 // nothing: we could not ask, or were told to ask elsewhere
)

// Answer of the public address.
type Answer struct {
	Kind Kind
	// Text says it to a person.
	Text string
}

// askTimeout bounds one request to the public address.
const askTimeout = 5 * time.Second

// Ask makes one request to an application's public address, on a connection of
// its own, as a new user would. A redirect, a demand to log in or to slow down,
// and trouble on our own way there are no word on the application.
func Ask(ctx context.Context, url string, proof v1alpha1.ProofSpec) Answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, proof.Method, strings.TrimSuffix(url, "/")+proof.Path, http.NoBody)
	if err != nil {
		return Answer{Unseen, err.Error()}
	}
	req.Header.Set("User-Agent", "turnout-proof (+https://github.com/turnout-dev/turnout)")
	resp, err := fresh.Do(req)
	if err != nil {
		return Answer{brokenOrUnseen(err), err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return Answer{Broken, "the answer broke off: " + err.Error()}
	}
	text := req.Method + " " + req.URL.String() + " answered " + resp.Status
	if v := resp.Header.Get(proof.VersionHeader); proof.VersionHeader != "" && v != "" {
		text += fmt.Sprintf(" with %s: %s", proof.VersionHeader, v)
	}
	return Answer{judge(resp.StatusCode), text}
}

var fresh = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func judge(status int) Kind {
	switch {
	case status >= 500:
		return Broken
	case status >= 300 && status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests:
		return Unseen
	}
	return Served
}

// brokenOrUnseen tells a connection that broke after it was made from one that
// could not be made: the latter may be our own DNS or egress.
func brokenOrUnseen(err error) Kind {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return Unseen
	}
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return Unseen
	}
	return Broken
}
