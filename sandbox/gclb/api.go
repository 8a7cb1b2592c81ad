package gclb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxBody bounds one request.
const maxBody = 8 << 20

// request is a call of the API.
type request struct {
	method string
	place  // without a name: the whole collection
	verb   string
	body   map[string]any
}

// address matches a call, in any version of the API. Before a verb, a missing scope means global.
var address = regexp.MustCompile(
	`^/compute/(?:v1|beta|alpha)/projects/[^/]+/(?:(global|zones/[^/]+|regions/[^/]+|aggregated)/)?(\w+)(?:/([^/]+))?(?:/(\w+))?$`,
)

func readRequest(r *http.Request) (*request, *apiError) {
	m := address.FindStringSubmatch(r.URL.Path)
	if m == nil {
		return nil, unknown(r)
	}
	if r.URL.Query().Has("filter") {
		return nil, unknown(r)
	}
	read := &request{method: r.Method, place: place{scope: m[1], collection: m[2], name: m[3]}, verb: m[4]}
	if read.scope == "" {
		read.scope = "global"
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&read.body); err != nil && !errors.Is(err, io.EOF) {
		return nil, invalid("reading the request's body: %v", err)
	}
	return read, nil
}

// unknown is the answer to a call that ingress-gce was never seen to make.
func unknown(r *http.Request) *apiError {
	message := fmt.Sprintf("the sandbox's compute API does not know %s %s", r.Method, r.URL)
	return &apiError{http.StatusNotImplemented, "notImplemented", message}
}

func (c *compute) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer, failed := c.answer(r)
	if failed != nil {
		if failed.status == http.StatusNotImplemented {
			c.config.Log.ErrorContext(r.Context(), "compute API", "error", failed)
		}
		w.WriteHeader(failed.status)
		answer = map[string]any{"error": map[string]any{
			"code": failed.status, "message": failed.message,
			"errors": []any{map[string]any{"message": failed.message, "domain": "global", "reason": failed.reason}},
		}}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		c.config.Log.DebugContext(r.Context(), "answer of the compute API", "error", err)
	}
}

func (c *compute) answer(r *http.Request) (any, *apiError) {
	if c.config.Refuse != nil && c.config.Refuse(r) {
		return nil, &apiError{http.StatusServiceUnavailable, "backendError", "Internal error. Please try again or contact Google Support."}
	}
	q, err := readRequest(r)
	if err != nil {
		return nil, err
	}
	switch {
	case q.collection == "operations":
		return c.wait(r.Context(), q)
	case q.verb != "":
		if verb := verbs[q.collection+"/"+q.verb]; verb != nil && q.method == http.MethodPost {
			return verb(c, q)
		}
	case q.method == http.MethodGet:
		return c.read(q)
	case q.method == http.MethodPost && q.name == "":
		return c.insert(q)
	case q.method == http.MethodDelete && q.name != "":
		return c.delete(q)
	case (q.method == http.MethodPut || q.method == http.MethodPatch) && q.name != "":
		return c.update(q, q.method == http.MethodPatch)
	}
	return nil, unknown(r)
}

// read gets one resource, or lists a collection, in one scope or all.
func (c *compute) read(q *request) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.name != "" {
		if r := c.find(q.place); r != nil {
			return r.object, nil
		}
		return nil, notFound(c.config.Project, q.place)
	}
	scopes := map[string][]any{}
	for _, r := range c.resources {
		if r.collection == q.collection && (r.scope == q.scope || q.scope == "aggregated") {
			scopes[r.scope] = append(scopes[r.scope], r.object)
		}
	}
	if q.scope != "aggregated" {
		return map[string]any{"items": scopes[q.scope]}, nil
	}
	items := map[string]any{}
	for scope, all := range scopes {
		items[scope] = map[string]any{q.collection: all}
	}
	return map[string]any{"items": items}, nil
}

// change is the work of an operation.
type change struct {
	kind   string
	became string // for the log; empty: apply logs
	target place
	delay  time.Duration
	// check reports whether the change is possible; it runs before the delay and after it.
	check func() *apiError
	// apply makes the change. The lock is held in both.
	apply func()
}

// operation is a change in progress.
type operation struct {
	change
	place
	done   chan struct{} // closed when it ended; failed is set then
	failed *apiError
}

// begin starts an operation, unless its change is impossible.
func (c *compute) begin(do change) (any, *apiError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := do.check(); err != nil {
		return nil, err
	}
	c.serial++
	op := &operation{change: do, place: place{do.target.scope, "operations", fmt.Sprintf("operation-%d", c.serial)}, done: make(chan struct{})}
	c.operations[op.String()] = op
	go c.operate(op)
	return c.describe(op), nil
}

func (c *compute) operate(op *operation) {
	defer close(op.done)
	if sleep(c.running, c.config.scaled(op.delay)) != nil {
		op.failed = &apiError{http.StatusServiceUnavailable, "backendError", "the sandbox ends"}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if op.failed = op.check(); op.failed == nil {
		op.apply()
		c.settle(op.target)
		if op.became != "" {
			c.note(op.target, op.became)
		}
	}
}

// waitTimeout is how long the API lets a caller wait for an operation.
const waitTimeout = 2 * time.Minute

// wait answers when an operation has ended, or when it takes too long.
func (c *compute) wait(ctx context.Context, q *request) (any, *apiError) {
	c.mu.Lock()
	op := c.operations[q.String()]
	c.mu.Unlock()
	if op == nil {
		return nil, notFound(c.config.Project, q.place)
	}
	timeout := time.NewTimer(waitTimeout)
	defer timeout.Stop()
	select {
	case <-op.done:
	case <-timeout.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.describe(op), nil
}

// describe is an operation as the API reports it. The lock is held.
func (c *compute) describe(op *operation) map[string]any {
	all := map[string]any{
		"kind": "compute#operation", "name": op.name, "selfLink": links + c.config.Project + "/" + op.String(),
		"operationType": op.kind, "targetLink": links + c.config.Project + "/" + op.target.String(), "status": "RUNNING",
	}
	select {
	case <-op.done:
	default:
		return all
	}
	all["status"], all["progress"] = "DONE", 100
	if op.failed != nil {
		all["httpErrorStatusCode"], all["httpErrorMessage"] = op.failed.status, op.failed.reason
		all["error"] = map[string]any{"errors": []any{map[string]any{"code": op.failed.reason, "message": op.failed.message}}}
	}
	return all
}

func (c *compute) insert(q *request) (any, *apiError) {
	name, _ := q.body["name"].(string)
	p := place{q.scope, q.collection, name}
	return c.begin(change{
		kind: "insert", became: "created", target: p, delay: c.config.Delays.Operation,
		check: func() *apiError {
			if name == "" {
				return invalid("Invalid value for field 'resource.name': ''.")
			}
			if c.find(p) != nil {
				return &apiError{http.StatusConflict, "alreadyExists", fmt.Sprintf("The resource 'projects/%s/%s' already exists", c.config.Project, p)}
			}
			return c.lacking(q.body)
		},
		apply: func() { c.put(p, c.finish(p, q.body, nil)) },
	})
}

// update replaces an object, or merges what was sent into it.
func (c *compute) update(q *request, merges bool) (any, *apiError) {
	wanted := func() map[string]any {
		if before := c.find(q.place); merges && before != nil {
			return merge(before.object, q.body)
		}
		return q.body
	}
	return c.begin(change{
		kind: "update", became: "set", target: q.place, delay: c.config.Delays.Operation,
		check: func() *apiError {
			before := c.find(q.place)
			if before == nil {
				return notFound(c.config.Project, q.place)
			}
			if f, given := q.body["fingerprint"]; given && f != "" && f != before.object["fingerprint"] {
				return &apiError{http.StatusPreconditionFailed, "conditionNotMet", "Supplied fingerprint does not match current metadata fingerprint."}
			}
			return c.lacking(wanted())
		},
		apply: func() { c.put(q.place, c.finish(q.place, wanted(), c.find(q.place).object)) },
	})
}

func (c *compute) delete(q *request) (any, *apiError) {
	return c.begin(change{
		kind: "delete", became: "deleted", target: q.place, delay: c.config.Delays.Operation,
		check: func() *apiError {
			if c.find(q.place) == nil {
				return notFound(c.config.Project, q.place)
			}
			if by := c.user(q.place); by != nil && slices.Contains(guarded, q.collection) {
				return &apiError{http.StatusBadRequest, "resourceInUseByAnotherResource", fmt.Sprintf(
					"The resource 'projects/%[1]s/%[2]s' is already being used by 'projects/%[1]s/%[3]s'", c.config.Project, q.place, by.place,
				)}
			}
			return nil
		},
		apply: func() { c.remove(q.place) },
	})
}

// words are the log's names for resources.
var words = map[string]string{ //nolint:gochecknoglobals // a table
	"healthChecks": "health check", "backendServices": "backend service", "networkEndpointGroups": "neg", "urlMaps": "url map",
	"forwardingRules": "forwarding rule", "targetHttpProxies": "target proxy", "targetHttpsProxies": "target proxy",
	"sslCertificates": "certificate", "instanceGroups": "instance group",
}

// note logs a change of a resource. The lock is held.
func (c *compute) note(p place, became string) {
	word := words[p.collection]
	if word == "" {
		word = p.collection
	}
	attrs := []any{"name", p.name}
	if kind, where, found := strings.Cut(p.scope, "/"); found {
		attrs = append(attrs, strings.TrimSuffix(kind, "s"), where)
	}
	if r := c.find(p); r != nil {
		switch p.collection {
		case "healthChecks":
			h := readHealthCheck(r.object)
			attrs = append(attrs, "path", h.path, "interval", h.interval)
		case "backendServices":
			attrs = append(attrs, "negs", len(readBackendService(r).groups), "endpoints", c.count(p.String()))
		case "urlMaps":
			attrs = append(attrs, "backends", c.counts(readURLMap(r)))
		}
	}
	c.config.Log.Debug(word+" "+became, attrs...) //nolint:sloglint // a table has the words
}
