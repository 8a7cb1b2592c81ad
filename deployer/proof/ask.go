package proof

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/turnout-dev/turnout/internal/publicnet"
)

const (
	// askTimeout bounds one request, with its answer's body.
	askTimeout = 5 * time.Second
	// maxBody bounds how much of an answer's body is read.
	maxBody = 1 << 20
	// maxHeader bounds an answer's header.
	maxHeader = 256 << 10
)

// address is the target of requests, and the way there.
type address struct {
	method, url, versionHeader, userAgent string
	header                                map[string]string
	kept, fresh                           *http.Client
}

func newAddress(c Config) *address {
	client := func(fresh bool) *http.Client {
		t := &http.Transport{
			Proxy: c.Proxy, DialContext: c.Dial, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives: fresh, DisableCompression: true,
			MaxIdleConnsPerHost: 8, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: askTimeout,
		}
		return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &address{
		method: c.Method, url: c.URL, versionHeader: c.VersionHeader, userAgent: c.UserAgent, header: c.Header,
		kept: client(false), fresh: client(true),
	}
}

func (d *address) close() {
	d.kept.CloseIdleConnections()
	d.fresh.CloseIdleConnections()
}

// ask sends one request, on a kept connection or a new one. If a kept connection breaks
// before any answer, the server may just have closed it as idle: the request is sent again
// on a new connection, as a browser does.
func (d *address) ask(ctx context.Context, keep bool) Answer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	sentAt := time.Now()
	var a Answer
	if keep {
		var reused, answered bool
		a, reused, answered = d.once(ctx, d.kept)
		keep = a.Failure != BrokenConnection || !reused || answered
	}
	if !keep {
		a, _, _ = d.once(ctx, d.fresh)
	}
	a.SentAt, a.EndedAt = sentAt, time.Now()
	return a
}

// once sends one request. It reports whether its connection had been used before, and
// whether there was any answer.
func (d *address) once(ctx context.Context, client *http.Client) (a Answer, reused, answered bool) {
	var used, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { written.Store(false) }, // net/http may send a request again
		GotConn:      func(c httptrace.GotConnInfo) { used.Store(c.Reused) },
		WroteRequest: func(w httptrace.WroteRequestInfo) { written.Store(w.Err == nil) },
	})
	req, err := http.NewRequestWithContext(ctx, d.method, d.url, http.NoBody)
	if err != nil {
		return Answer{Kind: Unseen, Text: err.Error()}, false, false
	}
	req.Header.Set("User-Agent", d.userAgent)
	for name, value := range d.header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return d.broken(err, written.Load()), used.Load(), false
	}
	defer func() { _ = resp.Body.Close() }()
	if d.versionHeader != "" {
		a.Version = resp.Header.Get(d.versionHeader)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody)); err != nil {
		b := d.broken(err, true)
		b.Version = a.Version
		if b.Failure == NoAnswer {
			b.Text += ", but a part of one"
		} else {
			b.Text = "the answer broke off: " + b.Text
		}
		return b, used.Load(), true
	}
	a.Kind = judge(resp.StatusCode)
	if a.Kind == Failed {
		a.Failure = strconv.Itoa(resp.StatusCode)
	}
	a.Text = fmt.Sprintf("%s %s answered %d %s", d.method, d.url, resp.StatusCode, http.StatusText(resp.StatusCode))
	return a, used.Load(), true
}

func judge(status int) Kind {
	switch {
	case status >= 500:
		return Failed
	case status >= 300 && status < 400, status == http.StatusUnauthorized, status == http.StatusForbidden,
		status == http.StatusTooManyRequests:
		return Unseen
	}
	return Served
}

// broken distinguishes failures of the application from our own. A connection that broke once it
// was made, or a missing answer to a written request, is the application's failure. A connection
// that could not be made, not in time, or not be trusted may be due to our own DNS, egress or
// certificates.
func (d *address) broken(err error, written bool) Answer {
	a := Answer{Kind: Failed, Failure: BrokenConnection, Text: err.Error()}
	var op *net.OpError
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var slow net.Error
	var refused *publicnet.RefusedError
	switch {
	case errors.As(err, &refused):
		// The connection's error would reveal the address behind a name.
		a.Kind, a.Failure, a.Text = Unseen, "", refused.Error()
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"),
		errors.As(err, &dns), errors.As(err, &untrusted),
		errors.Is(err, context.Canceled):
		a.Kind, a.Failure = Unseen, ""
	case errors.As(err, &slow) && slow.Timeout():
		if !written {
			a.Kind, a.Failure = Unseen, ""
			break
		}
		a.Failure = NoAnswer
		a.Text = fmt.Sprintf("%s %s: no answer within %g s", d.method, d.url, askTimeout.Seconds())
	}
	return a
}
