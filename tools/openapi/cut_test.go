package main

import (
	"encoding/json"
	"strings"
	"testing"
)

const document = `{"openapi": "3.0.3", "info": {"title": "t", "version": "1", "description": "prose"},
	"paths": {
		"/a": {"get": {"summary": "prose", "responses": {"200": {"description": "prose", "content": {"application/json": {
			"schema": {"$ref": "#/components/schemas/a"}, "examples": {"x": {"$ref": "#/components/examples/x"}}}}}}},
			"delete": {"responses": {}}},
		"/b": {"get": {"responses": {}}}},
	"components": {"examples": {"x": {}}, "schemas": {
		"a": {"type": "object", "description": "prose", "properties": {
			"description": {"type": "string", "description": "prose"}, "next": {"$ref": "#/components/schemas/a"},
			"b": {"$ref": "#/components/schemas/b"}}},
		"b": {"type": "string"}, "c": {"type": "string"}}}}`

func TestCutKeepsWhatIsReachedAndDropsProse(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		t.Fatal(err)
	}
	got, err := cut(doc, "paths", []string{"GET /a"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"components":{"schemas":{"a":{"properties":{"b":{"$ref":"#/components/schemas/b"},` +
		`"description":{"type":"string"},"next":{"$ref":"#/components/schemas/a"}},"type":"object"},"b":{"type":"string"}}},` +
		`"info":{"description":"","title":"t","version":"1"},"openapi":"3.0.3","paths":{"/a":{"get":{"responses":{"200":{"content":` +
		`{"application/json":{"schema":{"$ref":"#/components/schemas/a"}}},"description":""}}}}}}`
	if strings.Contains(string(data), "prose") || string(data) != want {
		t.Errorf("got  %s\nwant %s", data, want)
	}
}

func TestCutNamesWhatIsNotThere(t *testing.T) {
	doc := map[string]any{"paths": map[string]any{}}
	if _, err := cut(doc, "paths", []string{"GET /nothing"}); err == nil || !strings.Contains(err.Error(), "GET /nothing") {
		t.Errorf("the error is %v", err)
	}
}
