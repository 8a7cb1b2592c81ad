package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// deliveryTimeout is how long GitHub waits for the answer to a webhook (GitHub docs, "Best practices for using webhooks").
const deliveryTimeout = 10 * time.Second

// Delivery is one attempt to deliver an event to an App.
type Delivery struct {
	ID             int64
	GUID           string // the same for every attempt to deliver an event
	Event, Action  string
	InstallationID int64
	RepositoryID   int64 // 0 if of no repository
	Redelivery     bool
	At             time.Time
	Duration       time.Duration
	Done           bool   // false while in progress
	Status         string // OK, or what went wrong
	StatusCode     int    // of the answer; 0 without one
	Payload        []byte

	request  http.Header
	response http.Header
	answer   string
}

// event is an event for Apps.
type event struct {
	name, action string
	repo         *Repository // nil if of no repository
	payload      map[string]any
	needs        string // permission, to read at least
}

// Sign returns the value of X-Hub-Signature-256 for a body: HMAC-SHA256 in hexadecimal.
func Sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// broadcast sends an event to every App that is installed on the repository, subscribed, and permitted to read it.
// The caller holds s.mu.
func (s *Server) broadcast(e event) {
	for _, app := range s.apps {
		in := app.installationAt(e.repo.owner)
		if in == nil || !in.has(e.repo) || !slices.Contains(app.events, e.name) || !suffices(in.permissions[e.needs], false) {
			continue
		}
		payload := merged(e.payload, map[string]any{
			"installation": map[string]any{"id": in.ID, "node_id": nodeID("Installation", in.ID)},
		})
		if in.account.Type == "Organization" {
			payload["organization"] = s.organizationJSON(in.account)
		}
		s.send(app, in, e, payload)
	}
}

// send queues the first delivery of an event to an App. Deliveries overtake one another, as GitHub's do.
// The caller holds s.mu.
func (s *Server) send(app *App, in *Installation, e event, payload map[string]any) {
	if app.webhookURL == "" || s.outage {
		return
	}
	body, err := json.Marshal(payload)
	if err != nil {
		panic(fmt.Sprintf("encoding a payload: %v", err)) // only maps, strings and numbers go in
	}
	d := &Delivery{GUID: guid(), Event: e.name, Action: e.action, Payload: body}
	if in != nil {
		d.InstallationID = in.ID
	}
	if e.repo != nil {
		d.RepositoryID = e.repo.ID
	}
	s.start(app, d)
}

// start makes one attempt at a delivery, in the background. The caller holds s.mu.
func (s *Server) start(app *App, d *Delivery) {
	if s.closed() {
		return
	}
	d.ID, d.At = s.nextID(), time.Now().UTC()
	d.request = http.Header{
		"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"GitHub-Hookshot/" + randomHex(4)[:7]},
		"X-GitHub-Delivery": {d.GUID}, "X-GitHub-Event": {d.Event}, "X-GitHub-Hook-ID": {strconv.FormatInt(app.hookID, 10)},
		"X-GitHub-Hook-Installation-Target-ID":   {strconv.FormatInt(app.ID, 10)},
		"X-GitHub-Hook-Installation-Target-Type": {"integration"},
		"X-Hub-Signature-256":                    {Sign(app.WebhookSecret, d.Payload)},
	}
	app.deliveries = append(app.deliveries, d)
	to := app.webhookURL
	s.sending.Go(func() {
		outcome := s.post(to, d.request, d.Payload)
		s.mu.Lock()
		defer s.mu.Unlock()
		d.Done, d.Duration = true, time.Since(d.At)
		d.Status, d.StatusCode, d.response, d.answer = outcome.status, outcome.code, outcome.header, outcome.body
		if d.Status != "OK" {
			s.log.Warn("webhook not delivered", "event", d.Event, "delivery", d.GUID, "status", d.Status)
		}
		s.notify()
	})
}

// Deliver sends an event with a payload made elsewhere, in the background. It takes the GUID, the
// event, the action, the payload and whether the event was sent before. Load tests use it, since
// making a payload takes longer than sending it.
func (a *App) Deliver(d Delivery) {
	s := a.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.start(a, &Delivery{GUID: d.GUID, Event: d.Event, Action: d.Action, Payload: d.Payload, Redelivery: d.Redelivery})
}

// outcome is how an attempt ended.
type outcome struct {
	status string
	code   int
	header http.Header
	body   string
}

// post sends one request and describes the outcome in GitHub's words. Redirects are not followed.
func (s *Server) post(to string, header http.Header, body []byte) outcome {
	ctx, cancel := context.WithTimeout(context.Background(), deliveryTimeout)
	defer cancel()
	go func() { // Close does not wait for a hanging webhook
		select {
		case <-s.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return outcome{status: "failed to connect to host"}
	}
	maps.Copy(request.Header, header)
	response, err := http.DefaultTransport.RoundTrip(request)
	var netErr net.Error
	switch {
	case errors.As(err, &netErr) && netErr.Timeout():
		return outcome{status: "timed out"}
	case err != nil:
		return outcome{status: "failed to connect to host"}
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<16)) // after a break, keep what has arrived
	out := outcome{status: "OK", code: response.StatusCode, header: response.Header, body: string(answer)}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		out.status = "Invalid HTTP Response: " + strconv.Itoa(response.StatusCode)
	}
	return out
}

// guid returns a random UUID.
func guid() string {
	h := randomHex(16)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// Deliveries returns the App's deliveries, oldest first.
func (a *App) Deliveries() []Delivery {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	var list []Delivery
	for _, d := range a.deliveries {
		list = append(list, *d)
	}
	return list
}

// WaitForDelivery returns the first delivery, finished, that match accepts.
func (a *App) WaitForDelivery(ctx context.Context, match func(Delivery) bool) (Delivery, error) {
	var found Delivery
	err := a.server.Wait(ctx, func() bool {
		for _, d := range a.Deliveries() {
			if d.Done && match(d) {
				found = d
				return true
			}
		}
		return false
	})
	return found, err
}

// listDeliveries lists newest first, by cursor. status=failure means an answer from 400 to
// 599, so a delivery without an answer is in neither list (GitHub's description, parameter
// webhook-delivery-status).
func listDeliveries(c *call) (reply, error) {
	before := int64(1 << 62)
	if cursor := c.query("cursor"); cursor != "" {
		id, err := strconv.ParseInt(cursor, 36, 64)
		if err != nil {
			return reply{}, refuse(http.StatusBadRequest, "Invalid cursor")
		}
		before = id
	}
	items, size := []any{}, c.pageSize()
	var last int64
	for _, d := range slices.Backward(c.app.deliveries) {
		if !d.Done || d.ID >= before || !hasOutcome(c.query("status"), d.StatusCode) {
			continue
		}
		if len(items) == size {
			next := c.link("next", url.Values{"cursor": {strconv.FormatInt(last, 36)}})
			return reply{body: items, header: http.Header{"Link": {next}}}, nil
		}
		items, last = append(items, d.itemJSON()), d.ID
	}
	return reply{body: items}, nil
}

func hasOutcome(want string, code int) bool {
	switch want {
	case "success":
		return code >= 200 && code < 400
	case "failure":
		return code >= 400 && code < 600
	}
	return true
}

// ownDelivery finds the delivery in the path.
func (c *call) ownDelivery() (*Delivery, error) {
	for _, d := range c.app.deliveries {
		if d.ID == c.number("delivery_id") && d.Done {
			return d, nil
		}
	}
	return nil, errNotFound
}

func getDelivery(c *call) (reply, error) {
	d, err := c.ownDelivery()
	if err != nil {
		return reply{}, err
	}
	return reply{body: merged(d.itemJSON(), map[string]any{
		"url":      "",
		"request":  map[string]any{"headers": flat(d.request), "payload": json.RawMessage(d.Payload)},
		"response": map[string]any{"headers": flat(d.response), "payload": d.answer},
	})}, nil
}

// redeliver tries again, under the same GUID.
func redeliver(c *call) (reply, error) {
	d, err := c.ownDelivery()
	if err != nil {
		return reply{}, err
	}
	if c.app.webhookURL == "" {
		return reply{}, refuse(http.StatusUnprocessableEntity, "The App has no active webhook.")
	}
	c.start(c.app, &Delivery{
		GUID: d.GUID, Event: d.Event, Action: d.Action, InstallationID: d.InstallationID, RepositoryID: d.RepositoryID,
		Payload: d.Payload, Redelivery: true,
	})
	return reply{status: http.StatusAccepted, body: map[string]any{}}, nil
}

// itemJSON is the schema hook-delivery-item.
func (d *Delivery) itemJSON() map[string]any {
	return map[string]any{
		"id": d.ID, "guid": d.GUID, "delivered_at": d.At.Format(time.RFC3339), "redelivery": d.Redelivery,
		"duration": d.Duration.Seconds(), "status": d.Status, "status_code": d.StatusCode, "event": d.Event,
		"action": orNil(d.Action), "installation_id": orNoID(d.InstallationID), "repository_id": orNoID(d.RepositoryID),
		"throttled_at": nil,
	}
}

func orNoID(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// flat formats headers as the API does: one value each.
func flat(header http.Header) map[string]any {
	object := map[string]any{}
	for name, values := range header {
		object[name] = values[0]
	}
	return object
}
