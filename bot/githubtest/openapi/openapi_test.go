package openapi

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const shop = `{"openapi": "3.0.3", "info": {"title": "shop", "version": "1"}, "paths": {"/carts/{id}": {"post": {
	"parameters": [
		{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
		{"name": "page", "in": "query", "schema": {"type": "integer"}}],
	"requestBody": {"required": true, "content": {"application/json": {"schema": {
		"type": "object", "required": ["item"], "properties": {"item": {"type": "string"}, "kind": {"enum": ["a", "b"]}}}}}},
	"responses": {"201": {"description": "", "content": {"application/json": {"schema": {
		"type": "object", "required": ["total"], "properties": {"total": {"type": "integer"}}}}}}}}}}}`

func operation(t *testing.T) *Operation {
	t.Helper()
	var packed bytes.Buffer
	zipper := gzip.NewWriter(&packed)
	if _, err := zipper.Write([]byte(shop)); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	description, err := Load(packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := description.Operation("GET", "/carts/{id}"); err == nil {
		t.Error("an undocumented operation was found")
	}
	found, err := description.Operation("POST", "/carts/{id}")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRequestIsHeldAgainstTheDescription(t *testing.T) {
	op := operation(t)
	for _, tt := range []struct{ name, id, query, body, want string }{
		{"good", "1", "page=2", `{"item": "x", "kind": "a"}`, ""},
		{"a path parameter of another type", "x", "", `{"item": "x"}`, "id"},
		{"an unknown query parameter", "1", "pge=2", `{"item": "x"}`, "pge"},
		{"a query parameter of another type", "1", "page=x", `{"item": "x"}`, "page"},
		{"a property missing", "1", "", `{}`, "item"},
		{"a property of another type", "1", "", `{"item": 1}`, "item"},
		{"a value outside of the list", "1", "", `{"item": "x", "kind": "c"}`, "kind"},
		{"no body", "1", "", "", "body"},
	} {
		request := httptest.NewRequest("POST", "/carts/"+tt.id+"?"+tt.query, nil)
		request.Header.Set("Content-Type", "application/json")
		err := op.CheckRequest(t.Context(), Exchange{Request: request, RequestBody: []byte(tt.body), Params: map[string]string{"id": tt.id}})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to name %q", tt.name, err, tt.want)
		}
	}
}

func TestAnswerIsHeldAgainstTheDescription(t *testing.T) {
	op := operation(t)
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   string
	}{
		{"good", 201, "application/json", `{"total": 1}`, ""},
		{"a property missing", 201, "application/json", `{}`, "total"},
		{"a property of another type", 201, "application/json", `{"total": "1"}`, "total"},
		{"a status that is not described", 200, "application/json", `{"total": 1}`, "200"},
		{"a status that may always happen", 404, "application/json", `{}`, ""},
		{"a file", 201, "application/vnd.github.raw", `anything`, ""},
	} {
		err := op.CheckResponse(t.Context(), Exchange{
			Request: httptest.NewRequest("POST", "/carts/1", nil), Params: map[string]string{"id": "1"},
			Status: tt.status, Header: http.Header{"Content-Type": {tt.kind}}, Body: []byte(tt.body),
		})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to name %q", tt.name, err, tt.want)
		}
	}
}
