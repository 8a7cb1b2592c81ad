package cloudbuild

import (
	"fmt"
	"regexp"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// pair is one "key: value" of a mapping.
type pair struct{ key, value *yamlv3.Node }

// pairs are a mapping's own entries, followed by the missing ones that "<<" merges in. same maps
// a key to its identity: keys with the same identity are duplicates.
func (d *decoder) pairs(node *yamlv3.Node, path string, same func(key string) string) ([]pair, error) {
	have := map[string]int{}
	var own []pair
	var merged []*yamlv3.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Tag == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.Kind != yamlv3.ScalarNode {
			return nil, d.fault(key, path, "has "+kindName(key)+" for a key", "write it as field: value")
		}
		if first := have[same(key.Value)]; first != 0 {
			return nil, d.fault(key, join(path, key.Value), fmt.Sprintf("is given twice, first on line %d", first), "keep one of the two")
		}
		have[same(key.Value)] = key.Line
		own = append(own, pair{key, value})
	}
	for _, value := range merged {
		more, err := d.merge(value, path, same)
		if err != nil {
			return nil, err
		}
		for _, p := range more {
			if have[same(p.key.Value)] == 0 {
				have[same(p.key.Value)] = p.key.Line
				own = append(own, p)
			}
		}
	}
	return own, nil
}

// merge are the entries of "<<: *anchor" or "<<: [*a, *b]"; the first in a list wins.
func (d *decoder) merge(value *yamlv3.Node, path string, same func(key string) string) ([]pair, error) {
	value = resolve(value)
	sources := []*yamlv3.Node{value}
	if value.Kind == yamlv3.SequenceNode {
		sources = value.Content
	}
	var out []pair
	for _, source := range sources {
		source = resolve(source)
		if err := d.count(source, path); err != nil {
			return nil, err
		}
		if source.Kind != yamlv3.MappingNode {
			return nil, d.fault(source, join(path, "<<"), "is "+kindName(source)+" where a mapping is expected",
				"merge an anchored mapping: <<: *anchor")
		}
		if d.merging[source] {
			return nil, d.fault(source, join(path, "<<"), "is merged into itself", "remove the merge")
		}
		d.merging[source] = true
		more, err := d.pairs(source, path, same)
		delete(d.merging, source)
		if err != nil {
			return nil, err
		}
		d.nodes += len(more)
		out = append(out, more...)
	}
	return out, nil
}

var oldBoolean = regexp.MustCompile(`^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$`)

// looksBoolean recognises words that YAML 1.1, which Cloud Build's tools read, treats as booleans
// and YAML 1.2 does not.
func looksBoolean(node *yamlv3.Node) bool {
	return node.Style == 0 && oldBoolean.MatchString(node.Value)
}

// resolve follows an alias to its node.
func resolve(node *yamlv3.Node) *yamlv3.Node {
	for node != nil && node.Kind == yamlv3.AliasNode {
		node = node.Alias
	}
	return node
}

// field is the value of a mapping's own key, in either spelling; nil if absent.
func field(node *yamlv3.Node, name string) *yamlv3.Node {
	node = resolve(node)
	if node == nil || node.Kind != yamlv3.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if camel(node.Content[i].Value) == name {
			return resolve(node.Content[i+1])
		}
	}
	return nil
}

func scalar(node *yamlv3.Node) string {
	if node == nil || node.Kind != yamlv3.ScalarNode {
		return ""
	}
	return node.Value
}

func isNull(node *yamlv3.Node) bool {
	return node.Kind == yamlv3.ScalarNode && node.Tag == "!!null"
}

// kindName is a node's kind. It never shows the value, which may be a secret.
func kindName(node *yamlv3.Node) string {
	switch node.Kind {
	case yamlv3.MappingNode:
		return "a mapping"
	case yamlv3.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// camel turns snake_case into the camelCase of the JSON names.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}
