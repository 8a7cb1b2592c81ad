package main

import (
	"fmt"
	"strings"
)

// cut returns a description with only the wanted entries of a section ("paths" or "webhooks") and
// the components that they need.
func cut(doc map[string]any, section string, wanted []string) (map[string]any, error) {
	c := cutter{doc: doc, components: map[string]any{}}
	all, _ := doc[section].(map[string]any)
	correct(all)
	kept := map[string]any{}
	for _, want := range wanted {
		if err := c.keep(all, kept, want); err != nil {
			return nil, err
		}
	}
	return map[string]any{
		"openapi":    doc["openapi"],
		"info":       c.strip(doc["info"]),
		section:      kept,
		"components": c.components,
	}, c.err
}

// correct fixes known errors in GitHub's description. GET /app/installations repeats the schema
// of its items, and requires an account to be a user *and* an enterprise; GET
// /app/installations/{installation_id} has the right schema.
func correct(paths map[string]any) {
	node := any(paths)
	for _, key := range []string{"/app/installations", "get", "responses", "200", "content", "application/json", "schema"} {
		object, _ := node.(map[string]any)
		node = object[key]
	}
	if list, ok := node.(map[string]any); ok {
		list["items"] = map[string]any{"$ref": "#/components/schemas/installation"}
	}
}

// cutter copies parts of a description and, on the way, every component they refer to.
type cutter struct {
	doc        map[string]any
	components map[string]any // kind → name → the stripped component
	err        error          // the first reference that leads nowhere
}

// keep copies one operation ("GET /app") or one webhook ("push") from all to kept.
func (c *cutter) keep(all, kept map[string]any, want string) error {
	method, path, isOperation := strings.Cut(want, " ")
	if !isOperation {
		method, path = "post", want
	}
	item, _ := all[path].(map[string]any)
	operation, found := item[strings.ToLower(method)]
	if !found {
		return fmt.Errorf("there is no %s", want)
	}
	copied, _ := kept[path].(map[string]any)
	if copied == nil {
		copied = map[string]any{}
		kept[path] = copied
	}
	copied[strings.ToLower(method)] = c.strip(operation)
	if shared, ok := item["parameters"]; ok {
		copied["parameters"] = c.strip(shared)
	}
	return nil
}

// dropped are the keys that check nothing. A *property* of such a name is kept: strip
// distinguishes the two.
var dropped = map[string]bool{
	"description": true, "summary": true, "example": true, "examples": true, "externalDocs": true, "tags": true,
	"x-github": true, "x-github-breaking-changes": true, "x-webhooks": true, "x-multi-segment": true,
}

// strip copies a node without prose and follows its references.
func (c *cutter) strip(node any) any {
	switch node := node.(type) {
	case []any:
		list := make([]any, len(node))
		for i, item := range node {
			list[i] = c.strip(item)
		}
		return list
	case map[string]any:
		return c.stripObject(node)
	default:
		return node
	}
}

func (c *cutter) stripObject(node map[string]any) map[string]any {
	object := map[string]any{}
	for key, value := range node {
		switch {
		case key == "description" && node["content"] != nil, key == "description" && isResponse(node):
			object[key] = "" // OpenAPI requires a response to have one
		case dropped[key]:
		case key == "properties" || key == "headers" && isResponse(node):
			object[key] = c.stripNamed(value)
		case key == "$ref":
			object[key] = value
			c.follow(value)
		case key == "enum" || key == "default" || key == "const":
			object[key] = value
		default:
			object[key] = c.strip(value)
		}
	}
	return object
}

// isResponse reports whether a node is a response, whose description may not be dropped, and not a schema.
func isResponse(node map[string]any) bool {
	_, isSchema := node["type"]
	_, isParameter := node["in"]
	return !isSchema && !isParameter
}

// stripNamed strips the values of a map whose keys are the API's own names, not words of OpenAPI.
func (c *cutter) stripNamed(value any) any {
	named, ok := value.(map[string]any)
	if !ok {
		return value
	}
	object := map[string]any{}
	for name, item := range named {
		object[name] = c.strip(item)
	}
	return object
}

// follow copies the component that a reference like "#/components/schemas/user" names, once.
func (c *cutter) follow(ref any) {
	parts := strings.Split(fmt.Sprint(ref), "/")
	if len(parts) != 4 || parts[0] != "#" || parts[1] != "components" {
		c.err = fmt.Errorf("a reference of unknown form: %v", ref)
		return
	}
	kind, name := parts[2], parts[3]
	kept, _ := c.components[kind].(map[string]any)
	if kept == nil {
		kept = map[string]any{}
		c.components[kind] = kept
	}
	if _, done := kept[name]; done {
		return
	}
	components, _ := c.doc["components"].(map[string]any)
	all, _ := components[kind].(map[string]any)
	target, found := all[name]
	if !found {
		c.err = fmt.Errorf("the reference %v leads nowhere", ref)
		return
	}
	kept[name] = nil // stops a cycle
	kept[name] = c.strip(target)
}
