package bot_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot"
)

// attacked is a webhook with the time limits of `turnout serve`.
func attacked(t *testing.T) *httptest.Server {
	t.Helper()
	secrets, err := bot.NewSecrets(secret)
	check(t, err)
	h := &bot.Webhook{Secrets: secrets, Handle: func(context.Context, bot.Event) error { return nil }, Log: slog.New(slog.DiscardHandler)}
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ReadHeaderTimeout, srv.Config.ReadTimeout = 10*time.Second, 30*time.Second
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// attacker is a connection that sends the head of a webhook request.
type attacker struct {
	net.Conn
	answer *bufio.Reader
}

func attack(t *testing.T, srv *httptest.Server, signature string, size int) attacker {
	t.Helper()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = fmt.Fprintf(c, "POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n"+
		"X-GitHub-Delivery: 1\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\n\r\n", signature, size)
	check(t, err)
	return attacker{c, bufio.NewReader(c)}
}

// status waits for the answer.
func (a attacker) status(t *testing.T) int {
	t.Helper()
	check(t, a.SetReadDeadline(time.Now().Add(20*time.Second)))
	resp, err := http.ReadResponse(a.answer, nil)
	check(t, err)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// awaitInFlight waits until the bodies in flight have so many bytes: a connection may send
// its head long before the server reads it.
func awaitInFlight(t *testing.T, srv *httptest.Server, small, large int64) {
	t.Helper()
	h, ok := srv.Config.Handler.(*bot.Webhook)
	if !ok {
		t.Fatal("the server's handler is not a webhook")
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		s, l := h.InFlight()
		if s == small && l == large {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes of small bodies and %d of large ones are in flight, want %d and %d", s, l, small, large)
		}
		time.Sleep(time.Millisecond)
	}
}

// sendCommand posts a signed comment. It returns the status, and how long the answer took.
func sendCommand(t *testing.T, srv *httptest.Server) (int, time.Duration) {
	t.Helper()
	body := captured(t, "issue_comment.created.pull")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, bytes.NewReader(body))
	check(t, err)
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"issue_comment"}, "X-Github-Delivery": {"guid"},
		"X-Hub-Signature-256": {bot.Sign(secret, body)},
	}
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	_, _ = io.Copy(io.Discard, resp.Body)
	check(t, resp.Body.Close())
	return resp.StatusCode, time.Since(began)
}

// shaped is a signature of the right shape.
var shaped = "sha256=" + strings.Repeat("0", 64)

// TestASignatureOfTheWrongShapeCostsNoReading: the answer comes before the body.
func TestASignatureOfTheWrongShapeCostsNoReading(t *testing.T) {
	srv := attacked(t)
	for _, signature := range []string{
		"x", "sha256=00", "sha1=" + strings.Repeat("0", 64), shaped + "0",
		"sha256=" + strings.Repeat("x", 64),
	} {
		if status := attack(t, srv, signature, 25<<20).status(t); status != http.StatusUnauthorized {
			t.Errorf("%q is answered %d, want 401", signature, status)
		}
	}
	if status := attack(t, srv, shaped, 25<<20+1).status(t); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body with a Content-Length over the limit is answered %d, want 413", status)
	}
}

// TestLargeBodiesTakeTurns: of 12 large bodies held open only one is read. The others are
// refused before they send anything, and a command still gets through.
func TestLargeBodiesTakeTurns(t *testing.T) {
	srv := attacked(t)
	held := attack(t, srv, shaped, 25<<20)
	_, err := held.Write(make([]byte, 1<<20))
	check(t, err)
	awaitInFlight(t, srv, 0, 25<<20)
	for range 11 {
		if status := attack(t, srv, shaped, 25<<20).status(t); status != http.StatusServiceUnavailable {
			t.Errorf("another body is answered %d, want 503", status)
		}
	}
	if status, took := sendCommand(t, srv); status != http.StatusAccepted || took > time.Second {
		t.Errorf("a signed command is answered %d after %s, want 202 within a second", status, took)
	}
	check(t, held.Close())
	awaitInFlight(t, srv, 0, 0)
	body := append(bytes.Repeat([]byte(" "), 1<<20), captured(t, "push.branch")...)
	next := attack(t, srv, bot.Sign(secret, body), len(body))
	_, err = next.Write(body)
	check(t, err)
	if status := next.status(t); status != http.StatusAccepted {
		t.Errorf("a large signed push is answered %d after the attack, want 202", status)
	}
}

// TestSmallBodiesHeldOpenMakeRoom: endless bodies fill the small share. The oldest are cut
// for a command.
func TestSmallBodiesHeldOpenMakeRoom(t *testing.T) {
	srv := attacked(t)
	const size = 256 << 10
	var held []attacker
	for range 32 {
		a := attack(t, srv, shaped, size)
		_, err := a.Write(make([]byte, size/2))
		check(t, err)
		held = append(held, a)
		awaitInFlight(t, srv, int64(len(held))*size, 0)
	}
	for range 3 {
		if status, took := sendCommand(t, srv); status != http.StatusAccepted || took > time.Second {
			t.Errorf("a signed command is answered %d after %s, want 202 within a second", status, took)
		}
	}
	if status := held[0].status(t); status != http.StatusBadRequest {
		t.Errorf("the longest pending body is answered %d, want 400", status)
	}
}

// TestABodyWithoutALengthMustBeSmall: GitHub sends a length; a proxy may not.
func TestABodyWithoutALengthMustBeSmall(t *testing.T) {
	srv := attacked(t)
	for _, tt := range []struct{ padding, want int }{{0, http.StatusAccepted}, {512 << 10, http.StatusLengthRequired}} {
		body := append(bytes.Repeat([]byte(" "), tt.padding), captured(t, "push.branch")...)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, io.MultiReader(bytes.NewReader(body)))
		check(t, err)
		req.Header = http.Header{
			"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {"guid"},
			"X-Hub-Signature-256": {bot.Sign(secret, body)},
		}
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		check(t, resp.Body.Close())
		if resp.StatusCode != tt.want {
			t.Errorf("a body of %d bytes without Content-Length is answered %d, want %d", len(body), resp.StatusCode, tt.want)
		}
	}
}

// TestASlowBodyIsCut: long before the server's own limit.
func TestASlowBodyIsCut(t *testing.T) {
	t.Parallel()
	srv := attacked(t)
	a := attack(t, srv, shaped, 1<<10)
	if status := a.status(t); status != http.StatusBadRequest { // waits 20 s at most
		t.Errorf("a body that never arrives is answered %d, want 400", status)
	}
}
