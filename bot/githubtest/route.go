package githubtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/bot/githubtest/openapi"
)

//go:embed description/rest.json.gz
var restDescription []byte

// description is GitHub's own description of the served operations. Loading it takes a
// while, so a process does it once.
var description = sync.OnceValues(func() (*openapi.Description, error) { return openapi.Load(restDescription) })

// credential is what a route expects in the Authorization header.
type credential int

const (
	anybody      credential = iota // nothing needed
	appJWT                         // a JSON web token signed by an App
	installation                   // an installation's access token
)

// route is one operation of the REST API.
type route struct {
	method, path string // as GitHub's description writes them
	auth         credential
	needs        []permission // one of these is enough; if empty, any token
	serve        func(*call) (reply, error)
}

// permission is a permission that an App must have.
type permission struct {
	name  string // as in the App's settings: contents, deployments, issues, pull_requests
	write bool   // else to read
}

// call is one request on its way to an answer. It holds its server's lock until the answer
// is complete.
type call struct {
	*Server
	request *http.Request
	params  map[string]string
	body    []byte
	app     *App        // the caller, by JWT or token
	grant   *grant      // its token
	repo    *Repository // of the path

	violated bool // the request was refused because the description excludes it
}

// reply is the answer of a route.
type reply struct {
	status int // default 200
	body   any // encoded as JSON; []byte goes out as it is, with the content type raw
	header http.Header
	raw    string
}

// apiError is a refusal in GitHub's words.
type apiError struct {
	status  int
	message string
	details []map[string]any
	header  http.Header
}

func (e *apiError) Error() string { return strconv.Itoa(e.status) + " " + e.message }

func refuse(status int, message string) *apiError { return &apiError{status: status, message: message} }

var errNotFound = refuse(http.StatusNotFound, "Not Found")

// invalid is GitHub's 422.
func invalid(resource, field, message string) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, message: "Validation Failed", details: []map[string]any{
		{"resource": resource, "field": field, "code": "custom", "message": message},
	}}
}

// endpoint is a route with its pattern and its operation in GitHub's description.
type endpoint struct {
	route
	pattern   *regexp.Regexp
	operation *openapi.Operation
}

// apiRoutes builds the REST API. Every route must be in GitHub's description.
func apiRoutes() ([]endpoint, error) {
	described, err := description()
	if err != nil {
		return nil, err
	}
	var all []endpoint
	for _, rt := range routes() {
		operation, err := described.Operation(rt.method, rt.path)
		if err != nil {
			return nil, err
		}
		all = append(all, endpoint{route: rt, pattern: pathPattern(rt.path), operation: operation})
	}
	return all, nil
}

var (
	pathParameter = regexp.MustCompile(`\{(\w+)\}`)
	// lastOfMany are the parameters that may contain slashes when they end a path: names of refs and of files.
	lastOfMany = regexp.MustCompile(`\{(path|ref|branch|basehead)\}$`)
)

// pathPattern turns a path of the description into an expression with a named group for
// each parameter. A path without braces matches itself: none contains other characters with
// a meaning in expressions.
func pathPattern(path string) *regexp.Regexp {
	expression := lastOfMany.ReplaceAllString(path, `(?P<$1>.*)`)
	return regexp.MustCompile("^" + pathParameter.ReplaceAllString(expression, `(?P<$1>[^/]+)`) + "$")
}

// find returns the route of a request and the parameters of its path. net/http's own
// ServeMux cannot have these routes: for it, /issues/comments/{comment_id} and
// /issues/{issue_number}/comments conflict.
func (s *Server) find(method, escapedPath string) (endpoint, map[string]string, bool) {
	for _, e := range s.api {
		match := e.pattern.FindStringSubmatch(escapedPath)
		if match == nil || e.method != method {
			continue
		}
		params := map[string]string{}
		for i, name := range e.pattern.SubexpNames()[1:] {
			value, err := url.PathUnescape(match[i+1])
			if err != nil {
				return endpoint{}, nil, false
			}
			params[name] = value
		}
		return e, params, true
	}
	return endpoint{}, nil, false
}

// serveRoute passes one request through faults, authentication, checks and the route
// itself.
func (s *Server) serveRoute(w http.ResponseWriter, r *http.Request, e endpoint, params map[string]string) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 25<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	if string(bytes.TrimSpace(body)) == "null" {
		body = nil // ghinstallation sends null for "no options", and GitHub treats it as no body
	}
	c := &call{Server: s, request: r, body: body, params: params}
	s.mu.Lock()
	fault := s.takeFault(r.Method, e.path)
	if fault.Kind == Hang {
		s.record(Request{Method: r.Method, Route: e.path, Path: r.URL.Path, At: time.Now()})
		s.mu.Unlock()
		s.hang(r)
	}
	var out reply
	switch fault.Kind {
	case "", ReplyLost:
		out = c.answer(e.route, e.operation)
	default:
		out = faultReply(fault)
	}
	status := out.status
	if fault.Kind == ReplyLost {
		status = 0
	}
	s.record(Request{Method: r.Method, Route: e.path, Path: r.URL.Path, Status: status, At: time.Now()})
	s.mu.Unlock()
	if fault.Kind == ReplyLost {
		panic(http.ErrAbortHandler) // net/http's way to break the connection
	}
	writeReply(w, out)
}

// hang waits until the client gives up or the server closes, and breaks the connection.
func (s *Server) hang(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-s.stopped:
	}
	panic(http.ErrAbortHandler)
}

// answer runs the route and checks request and answer. The answer is complete: encoded,
// with all headers.
func (c *call) answer(rt route, operation *openapi.Operation) reply {
	x := openapi.Exchange{Request: c.request, RequestBody: c.body, Params: c.params}
	header := http.Header{}
	out, err := c.run(rt, operation, x, header)
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		out = errorReply(refused)
	case err != nil:
		out = errorReply(refuse(http.StatusInternalServerError, err.Error()))
		c.log.Error("the GitHub stand-in's own trouble", "route", rt.path, "error", err)
	}
	out = encode(out, header)
	if c.violated {
		return out // not every operation's description has the 422 that says so
	}
	if refused != nil && refused.status == http.StatusMovedPermanently {
		return out // every operation has it, and few descriptions say so
	}
	if refused != nil && slices.Contains(undescribed[rt.method+" "+rt.path], refused.status) {
		return out
	}
	x.Status, x.Header, x.Body = out.status, out.header, out.body.([]byte)
	if err := operation.CheckResponse(c.request.Context(), x); err != nil {
		c.violate(Violation{Kind: BadResponse, Method: rt.method, Path: c.request.URL.Path, Reason: err.Error()})
		return encode(errorReply(refuse(http.StatusInternalServerError, "the stand-in's answer: "+err.Error())), header)
	}
	return out
}

// run authenticates, limits, checks and authorizes a request, and executes it.
func (c *call) run(rt route, operation *openapi.Operation, x openapi.Exchange, header http.Header) (reply, error) {
	if err := c.authenticate(rt.auth); err != nil {
		return reply{}, err
	}
	if !c.spend(c.who(), header) {
		return reply{}, refuse(http.StatusForbidden, "API rate limit exceeded for "+c.who()+".")
	}
	if err := operation.CheckRequest(c.request.Context(), x); err != nil {
		c.violated = true
		c.violate(Violation{Kind: BadRequest, Method: rt.method, Path: c.request.URL.Path, Reason: err.Error()})
		return reply{}, refuse(http.StatusUnprocessableEntity, "Invalid request.\n\n"+err.Error())
	}
	if err := c.findRepository(); err != nil {
		return reply{}, err
	}
	if err := c.authorize(rt); err != nil {
		return reply{}, err
	}
	return rt.serve(c)
}

// encode turns a reply's body into bytes and completes its headers.
func encode(out reply, header http.Header) reply {
	maps.Copy(header, out.header)
	if out.status == 0 {
		out.status = http.StatusOK
	}
	header.Set("X-GitHub-Request-Id", strings.ToUpper(randomHex(8)))
	header.Set("X-GitHub-Media-Type", "github.v3; format=json")
	data, isRaw := out.body.([]byte)
	switch {
	case isRaw:
		header.Set("Content-Type", out.raw)
	case out.body != nil:
		header.Set("Content-Type", "application/json; charset=utf-8")
		var err error
		if data, err = json.Marshal(out.body); err != nil {
			panic(fmt.Sprintf("encoding an answer: %v", err)) // only maps, strings and numbers go in
		}
	}
	return reply{status: out.status, body: data, header: header}
}

func errorReply(e *apiError) reply {
	body := map[string]any{
		"message": e.message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(e.status),
	}
	if e.details != nil {
		body["errors"] = e.details
	}
	return reply{status: e.status, body: body, header: e.header}
}

// secondaryLimits is where GitHub describes secondary rate limits.
const secondaryLimits = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"

func faultReply(fault Fault) reply {
	switch fault.Kind {
	case SecondaryRateLimit:
		e := refuse(fault.Status, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
		if fault.RetryAfter >= 0 {
			e.header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(fault.RetryAfter.Seconds())))}}
		}
		out := errorReply(e)
		out.body.(map[string]any)["documentation_url"] = secondaryLimits
		return encode(out, http.Header{})
	case outage:
		return encode(errorReply(refuse(http.StatusServiceUnavailable, "Service Unavailable")), http.Header{})
	default: // the others answer, if at all, as a broken gateway
	}
	return encode(errorReply(refuse(http.StatusBadGateway, "Server Error")), http.Header{})
}

func writeReply(w http.ResponseWriter, out reply) {
	maps.Copy(w.Header(), out.header)
	w.WriteHeader(out.status)
	_, _ = w.Write(out.body.([]byte)) // the client may be gone
}

func writeQuota(header http.Header, limit int, q quota) {
	header.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(limit-q.used))
	header.Set("X-RateLimit-Used", strconv.Itoa(q.used))
	header.Set("X-RateLimit-Reset", strconv.FormatInt(q.reset.Unix(), 10))
	header.Set("X-RateLimit-Resource", "core")
}

// decode reads the request's body, which the description has already accepted. Without a
// body, into stays unchanged.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON")
	}
	return nil
}

// number returns a numeric parameter of the path. The description has checked that it is a
// number.
func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.params[name], 10, 64)
	return n
}

func (c *call) query(name string) string { return c.request.URL.Query().Get(name) }
