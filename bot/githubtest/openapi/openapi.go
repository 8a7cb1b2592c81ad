// Package openapi checks HTTP requests and responses against an OpenAPI description, one operation at a time.
//
// It is what tells a stand-in for a remote API from a guess at it: a test server built on it can neither accept a
// request nor give an answer that the real API's own description excludes.
//
// # Decisions
//
// The caller names the operation, instead of a router that finds it: the server has a table of routes anyway, and a
// route that the description lacks is then an error at start rather than at the first request.
package openapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Description is an API description, loaded and with its references resolved. It is safe for concurrent use.
type Description struct {
	doc *openapi3.T
}

// Load reads a description from gzipped JSON.
func Load(gzipped []byte) (*Description, error) {
	unzipper, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		return nil, fmt.Errorf("unzipping the API description: %w", err)
	}
	data, err := io.ReadAll(unzipper)
	if err != nil {
		return nil, fmt.Errorf("unzipping the API description: %w", err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("loading the API description: %w", err)
	}
	return &Description{doc: doc}, nil
}

// Operation finds the operation of a method and a path as the description writes it ("/repos/{owner}/{repo}").
func (d *Description) Operation(method, path string) (*Operation, error) {
	item := d.doc.Paths.Value(path)
	if item == nil || item.GetOperation(method) == nil {
		return nil, fmt.Errorf("the API description has no %s %s", method, path)
	}
	return &Operation{route: &routers.Route{
		Spec: d.doc, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method),
	}}, nil
}

// Operation is one method of one path of a description.
type Operation struct {
	route *routers.Route
}

// Exchange is a request, and its answer if there is one yet.
type Exchange struct {
	Request     *http.Request     // its body is not read
	RequestBody []byte            // the body of the request
	Params      map[string]string // the path's parameters, unescaped

	Status int         // of the answer
	Header http.Header // of the answer
	Body   []byte      // of the answer
}

// CheckRequest says in what the request differs from the description: parameters of path and query (one that the
// description lacks is an error: an API would silently ignore it), and the body.
func (o *Operation) CheckRequest(ctx context.Context, x Exchange) error {
	for _, name := range slices.Sorted(maps.Keys(x.Request.URL.Query())) {
		if !o.hasQuery(name) {
			return fmt.Errorf("%s %s has no query parameter %q", o.route.Method, o.route.Path, name)
		}
	}
	return brief(openapi3filter.ValidateRequest(ctx, o.input(x)))
}

// CheckResponse says in what the answer differs from the description. A status that the description of the operation
// lacks is an error, except those that any operation may answer: 401, 403, 404, 429 and from 500 up.
func (o *Operation) CheckResponse(ctx context.Context, x Exchange) error {
	if o.route.Operation.Responses.Status(x.Status) == nil {
		if everywhere(x.Status) {
			return nil
		}
		return fmt.Errorf("%s %s has no answer of status %d", o.route.Method, o.route.Path, x.Status)
	}
	if len(x.Body) > 0 && !strings.Contains(x.Header.Get("Content-Type"), "json") {
		return nil // text and files as they are: there is nothing to check in them
	}
	return brief(openapi3filter.ValidateResponse(ctx, &openapi3filter.ResponseValidationInput{
		RequestValidationInput: o.input(x),
		Status:                 x.Status,
		Header:                 x.Header,
		Body:                   io.NopCloser(bytes.NewReader(x.Body)),
		Options:                options,
	}))
}

var options = &openapi3filter.Options{
	AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
	SkipSettingDefaults: true, // checking must not change what is checked
	MultiError:          true,
}

func (o *Operation) input(x Exchange) *openapi3filter.RequestValidationInput {
	request := x.Request.Clone(x.Request.Context())
	request.Body = io.NopCloser(bytes.NewReader(x.RequestBody))
	return &openapi3filter.RequestValidationInput{
		Request: request, PathParams: x.Params, Route: o.route, Options: options,
	}
}

func (o *Operation) hasQuery(name string) bool {
	return o.route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil ||
		o.route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil
}

func everywhere(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests:
		return true
	}
	return status >= http.StatusInternalServerError
}

// brief keeps of a schema error where it is and what is wrong; the whole message repeats the schema, pages long.
func brief(err error) error {
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		if line == "Schema:" {
			break
		}
		if strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return errors.New(strings.Join(lines, " "))
}
