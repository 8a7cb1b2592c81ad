package setup

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// deliveryTime bounds the test delivery. Another replica may get it, which learns of the App
// within [Page.Poll].
const (
	deliveryTime  = 8 * time.Second
	deliveryPause = 250 * time.Millisecond
)

// tryDelivery sends a delivery to where GitHub sends them, signed like GitHub's. It returns
// that address, and why nothing arrived; empty if it did.
func (p *Page) tryDelivery(ctx context.Context, app App) (address, wrong string) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	cfg := p.GitHub
	cfg.AppID, cfg.PrivateKey = app.ID, app.PrivateKey
	asApp, err := githubapp.New(cfg)
	if err == nil {
		address, err = githubapp.RegistrationOf(asApp).HookURL(ctx)
	}
	if err != nil {
		return "", "GitHub does not say where it sends deliveries: " + err.Error()
	}
	for {
		status, err := p.deliver(ctx, address, app)
		switch {
		case err != nil:
			return address, err.Error()
		case status/100 == 2:
			return address, ""
		case status != http.StatusServiceUnavailable: // what another replica says until it knows the App
			return address, fmt.Sprintf("the answer was %d %s", status, http.StatusText(status))
		}
		select {
		case <-time.After(deliveryPause):
		case <-ctx.Done():
			return address, "the answer was 503 Service Unavailable all the time"
		}
	}
}

// deliver sends one ping.
func (p *Page) deliver(ctx context.Context, address string, app App) (status int, err error) {
	secret, _, _ := bytes.Cut(app.WebhookSecret, []byte("\n"))
	body := `{"zen":"A turnout moves a running train to another track."}`
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(body)) // never fails
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("making a test delivery: %w", err)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "turnout-setup", "X-GitHub-Event": "ping", "X-GitHub-Delivery": rand.Text(),
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		req.Header.Set(name, value)
	}
	client := http.Client{
		Transport:     p.Hooks,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // GitHub follows none either
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// Ping answers the test delivery, on the listener of webhooks. Until this process knows of an
// App, it answers 503.
func (p *Page) Ping(w http.ResponseWriter, r *http.Request) {
	app := p.known.Load()
	if app == nil || r.Header.Get("X-GitHub-Event") != "ping" {
		http.Error(w, "there is no GitHub App yet", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	secrets, secretErr := bot.NewSecrets(strings.Fields(string(app.WebhookSecret))...)
	if errors.Join(err, secretErr) != nil || !secrets.Verify(r.Header.Get("X-Hub-Signature-256"), body) {
		http.Error(w, "the signature does not match", http.StatusUnauthorized)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
