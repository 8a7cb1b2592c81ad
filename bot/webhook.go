package bot

import (
	"context"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"runtime/debug"
	"time"
)

// maxBody is GitHub's limit of a webhook's payload, in bytes (GitHub docs, "Webhook events
// and payloads").
const maxBody = 25 << 20

// webhookBudget is how long GitHub waits for an answer before the delivery counts as failed
// (GitHub docs, "Best practices for using webhooks"), less the time of the way back.
const webhookBudget = 9 * time.Second

// Webhook answers GitHub's deliveries: it verifies, decodes, calls Handle, and only then
// answers 202. If Handle did not make the event durable, it answers 503, and the [Sweep]
// recovers the delivery, since GitHub never redelivers by itself.
//
// Everybody can send it something. So the memory for unverified bodies is bounded, over all
// connections, and no part of a body is logged.
type Webhook struct {
	// Secrets are the accepted secrets.
	Secrets Secrets
	// Handle makes an event durable. After an error it is not.
	Handle func(ctx context.Context, e Event) error
	// Log gets one line per delivery.
	Log *slog.Logger
	// Answered, if set, is called for every answer, with the event's name (empty before the
	// signature was verified) and the HTTP status.
	Answered func(event string, status int)

	bodies bodies
}

// ServeHTTP implements [http.Handler].
func (h *Webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	log := h.Log.With("delivery", logSafe(r.Header.Get("X-GitHub-Delivery")))
	event := ""
	answer := func(status int, text string) {
		if h.Answered != nil {
			h.Answered(event, status)
		}
		http.Error(w, text, status)
	}
	defer func() {
		if v := recover(); v != nil {
			log.ErrorContext(r.Context(), "webhook panicked", "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			answer(http.StatusInternalServerError, "internal error")
		}
	}()
	body, refused := h.read(w, r)
	if refused != nil {
		log.InfoContext(r.Context(), "webhook refused", "status", refused.status, "reason", refused.text)
		w.Header().Set("Connection", "close") // the rest of its body is not read
		answer(refused.status, refused.text)
		return
	}
	event = knownEvent(r.Header.Get("X-GitHub-Event"))
	e, err := Decode(r.Header.Get("X-GitHub-Event"), r.Header.Get("X-GitHub-Delivery"), body.bytes)
	body.done()
	if err != nil {
		log.InfoContext(r.Context(), "webhook refused", "status", http.StatusBadRequest, "reason", "its JSON does not decode")
		answer(http.StatusBadRequest, "the payload does not decode")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), webhookBudget)
	defer cancel()
	if err := h.handle(ctx, log, e); err != nil {
		log.WarnContext(r.Context(), "webhook not handled", "event", logSafe(e.Name), "error", err)
		answer(http.StatusServiceUnavailable, "not recorded; it will be swept up later")
		return
	}
	answer(http.StatusAccepted, "accepted")
}

func (h *Webhook) handle(ctx context.Context, log *slog.Logger, e Event) error {
	if e.Push == nil && e.Comment == nil {
		log.DebugContext(ctx, "webhook ignored", "event", logSafe(e.Name))
		return nil
	}
	if err := h.Handle(ctx, e); err != nil {
		return err
	}
	log.InfoContext(ctx, "webhook handled", "event", e.Name)
	return nil
}

// refusal is the answer to a request that is not a valid webhook.
type refusal struct {
	status int
	text   string
}

// read returns the raw body of a request with a valid signature.
func (h *Webhook) read(w http.ResponseWriter, r *http.Request) (body, *refusal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return body{}, &refusal{http.StatusMethodNotAllowed, "POST only"}
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return body{}, &refusal{http.StatusUnsupportedMediaType, "set the webhook's content type to application/json"}
	}
	for _, name := range []string{"X-GitHub-Event", "X-GitHub-Delivery"} {
		if r.Header.Get(name) == "" {
			return body{}, &refusal{http.StatusBadRequest, "missing header " + name}
		}
	}
	signature := r.Header.Get("X-Hub-Signature-256")
	if signature == "" {
		return body{}, &refusal{http.StatusUnauthorized, "no signature in X-Hub-Signature-256"}
	}
	if parseSignature(signature) == nil { // do not read 25 MB for this
		return body{}, &refusal{http.StatusUnauthorized, "the signature in X-Hub-Signature-256 is not sha256= and 64 hexadecimal digits"}
	}
	read, refused := h.bodies.read(w, r)
	if refused != nil {
		return body{}, refused
	}
	if !h.Secrets.Verify(signature, read.bytes) {
		read.done()
		return body{}, &refusal{http.StatusUnauthorized, "the signature does not match any webhook secret"}
	}
	return read, nil
}

// knownEvent limits a metric's label to a few values.
func knownEvent(name string) string {
	switch name {
	case "push", "issue_comment", "ping":
		return name
	}
	return "other"
}

// logSafe shortens a value of a request, so that nobody can fill the log with it.
func logSafe(s string) string {
	const most = 80
	return s[:min(most, len(s))]
}
