// Package openapi checks HTTP requests and responses against an OpenAPI description, one
// operation at a time. [Load] reads a description, [Description.Operation] finds an
// operation, and [Operation.CheckRequest] and [Operation.CheckResponse] check an
// [Exchange].
//
// A test server that uses it can neither accept a request nor give an answer that the real
// API's own description excludes. So it is more than a guess at the API.
//
// # Decisions
//
// The caller names the operation; there is no router that finds it. The server has a table
// of routes anyway, and a route that the description lacks is then an error at start, not
// at the first request.
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

// Description is an API description with its references resolved. It is safe for concurrent
// use.
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

// Operation finds the operation of a method and a path, as the description writes it
// ("/repos/{owner}/{repo}").
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
	Request     *http.Request     // its body is never read
	RequestBody []byte            // the body of the request
	Params      map[string]string // the path's parameters, unescaped

	Status int         // of the answer
	Header http.Header // of the answer
	Body   []byte      // of the answer
}

// CheckRequest says how the request differs from the description: parameters of path and
// query, and the body. An unknown query parameter is an error, since an API would silently
// ignore it.
func (o *Operation) CheckRequest(ctx context.Context, x Exchange) error {
	for _, name := range slices.Sorted(maps.Keys(x.Request.URL.Query())) {
		if !o.hasQuery(name) {
			return fmt.Errorf("%s %s has no query parameter %q", o.route.Method, o.route.Path, name)
		}
	}
	return brief(openapi3filter.ValidateRequest(ctx, o.input(x)))
}

// CheckResponse says how the answer differs from the description. A status that the
// operation's description lacks is an error, except those that any operation may answer:
// 401, 403, 404, 429 and 500 and above.
func (o *Operation) CheckResponse(ctx context.Context, x Exchange) error {
	if o.route.Operation.Responses.Status(x.Status) == nil {
		if everywhere(x.Status) {
			return nil
		}
		return fmt.Errorf("%s %s has no answer of status %d", o.route.Method, o.route.Path, x.Status)
	}
	if len(x.Body) > 0 && !strings.Contains(x.Header.Get("Content-Type"), "json") {
		return nil // text and files: nothing to check
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

// brief keeps where a schema error is and what is wrong; the whole message repeats pages of
// schema.
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
