package cloudbuild

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	yamlv3 "gopkg.in/yaml.v3"
)

// maxNodes bounds the walk, so that aliases of aliases cannot make a small
// file large.
const maxNodes = 200_000

// checker walks the YAML tree along the API's descriptors. It knows lines,
// which protojson does not; protojson still has the last word.
type checker struct {
	file     string
	warnings []Warning
	nodes    int
	step     int // index + 1 of the step being walked; 0 outside of steps
	id       string
}

func (c *checker) fault(node *yamlv3.Node, path, reason, fix string) error {
	return &FileError{File: c.file, Line: node.Line, Step: c.step - 1, ID: c.id, Field: path, Reason: reason, Fix: fix}
}

// message checks a mapping against a message; path is how the file calls it.
func (c *checker) message(node *yamlv3.Node, desc protoreflect.MessageDescriptor, path string) error {
	node = resolve(node)
	if c.nodes++; c.nodes > maxNodes {
		return c.fault(node, path, "is too large once its aliases are followed", "write the file without nested aliases")
	}
	if isNull(node) {
		return nil
	}
	if wellKnown(desc) {
		return c.scalarMessage(node, desc, path)
	}
	if node.Kind != yamlv3.MappingNode {
		return c.fault(node, path, "is "+kindName(node)+" where fields are expected", "write it as field: value")
	}
	seen := map[protoreflect.FieldNumber]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if err := c.entry(key, value, desc, path, seen); err != nil {
			return err
		}
	}
	return nil
}

// entry checks one "key: value" of a message.
func (c *checker) entry(key, value *yamlv3.Node, desc protoreflect.MessageDescriptor, path string, seen map[protoreflect.FieldNumber]int) error {
	if key.Tag == "!!merge" {
		return c.merge(value, desc, path)
	}
	name := join(path, key.Value)
	if unsupported[camel(name)] && c.step == 0 {
		c.warnings = append(c.warnings, Warning{File: c.file, Line: key.Line, Message: name + " is not supported here and was left out of the build"})
		return nil
	}
	fd := fieldOf(desc, key.Value)
	if fd == nil {
		return c.fault(key, name, "is not a field of Cloud Build's configuration", suggestion(desc, key.Value))
	}
	if first := seen[fd.Number()]; first != 0 {
		return c.fault(key, name, fmt.Sprintf("is given twice, first on line %d", first), "keep one of the two")
	}
	seen[fd.Number()] = key.Line
	return c.value(value, fd, name)
}

// merge follows "<<: *anchor" and "<<: [*a, *b]".
func (c *checker) merge(value *yamlv3.Node, desc protoreflect.MessageDescriptor, path string) error {
	value = resolve(value)
	if value.Kind != yamlv3.SequenceNode {
		return c.message(value, desc, path)
	}
	for _, item := range value.Content {
		if err := c.message(item, desc, path); err != nil {
			return err
		}
	}
	return nil
}

// value checks a field's value: a list, a map or a single one.
func (c *checker) value(node *yamlv3.Node, fd protoreflect.FieldDescriptor, path string) error {
	node = resolve(node)
	if isNull(node) {
		return nil
	}
	switch {
	case fd.IsMap():
		return c.mapValue(node, fd, path)
	case fd.IsList():
		return c.list(node, fd, path)
	default:
		return c.single(node, fd, path)
	}
}

func (c *checker) mapValue(node *yamlv3.Node, fd protoreflect.FieldDescriptor, path string) error {
	if node.Kind != yamlv3.MappingNode {
		return c.fault(node, path, "is "+kindName(node)+" where KEY: value pairs are expected", "")
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Tag == "!!merge" {
			continue
		}
		if err := c.single(node.Content[i+1], fd.MapValue(), join(path, node.Content[i].Value)); err != nil {
			return err
		}
	}
	return nil
}

// list checks every element, and keeps track of the step it is in.
func (c *checker) list(node *yamlv3.Node, fd protoreflect.FieldDescriptor, path string) error {
	if node.Kind != yamlv3.SequenceNode {
		return c.fault(node, path, "is "+kindName(node)+" where a list is expected", "write it as ["+path+" ...] or with dashes")
	}
	for i, item := range node.Content {
		if isNull(resolve(item)) {
			return c.fault(item, fmt.Sprintf("%s[%d]", path, i), "is empty", "remove it, or fill it in")
		}
		if path == "steps" {
			c.step, c.id = i+1, scalar(field(resolve(item), "id"))
			if err := c.single(item, fd, ""); err != nil {
				return err
			}
			c.step, c.id = 0, ""
			continue
		}
		if err := c.single(item, fd, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

// single checks one value that is neither a list nor a map.
func (c *checker) single(node *yamlv3.Node, fd protoreflect.FieldDescriptor, path string) error {
	node = resolve(node)
	if fd.Kind() == protoreflect.MessageKind {
		return c.message(node, fd.Message(), path)
	}
	if node.Kind != yamlv3.ScalarNode {
		return c.fault(node, path, "is "+kindName(node)+" where one value is expected", "")
	}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.BytesKind:
		if isText := node.Tag == "!!str" || node.Tag == "!!timestamp"; !isText || looksBoolean(node) {
			return c.fault(node, path, fmt.Sprintf("%s is not text in YAML", node.Value), fmt.Sprintf("quote it: '%s'", node.Value))
		}
	case protoreflect.BoolKind:
		if node.Tag != "!!bool" && !looksBoolean(node) {
			return c.fault(node, path, fmt.Sprintf("%q is neither true nor false", node.Value), "")
		}
	case protoreflect.EnumKind:
		return c.enum(node, fd.Enum(), path)
	default: // numbers are left to protojson
	}
	return nil
}

func (c *checker) enum(node *yamlv3.Node, desc protoreflect.EnumDescriptor, path string) error {
	if desc.Values().ByName(protoreflect.Name(node.Value)) != nil || node.Tag == "!!int" {
		return nil
	}
	names := make([]string, 0, desc.Values().Len())
	for i := range desc.Values().Len() {
		names = append(names, string(desc.Values().Get(i).Name()))
	}
	return c.fault(node, path, fmt.Sprintf("%q is not one of its values", node.Value), "use one of "+strings.Join(names, ", "))
}

var durationText = regexp.MustCompile(`^-?[0-9]+(\.[0-9]{1,9})?s$`)

// scalarMessage checks the messages that JSON writes as one text.
func (c *checker) scalarMessage(node *yamlv3.Node, desc protoreflect.MessageDescriptor, path string) error {
	if node.Kind != yamlv3.ScalarNode {
		return c.fault(node, path, "is "+kindName(node)+" where one value is expected", "")
	}
	if desc.Name() == "Duration" && (node.Tag != "!!str" || !durationText.MatchString(node.Value)) {
		return c.fault(node, path, fmt.Sprintf("%q is not a duration", node.Value), "write it in seconds, like '600s'")
	}
	return nil
}

// wellKnown tells the messages that JSON writes as text.
func wellKnown(desc protoreflect.MessageDescriptor) bool {
	return slices.Contains([]protoreflect.FullName{"google.protobuf.Duration", "google.protobuf.Timestamp"}, desc.FullName())
}

// fieldOf finds a field under either of its two spellings.
func fieldOf(desc protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := desc.Fields().ByJSONName(name); fd != nil {
		return fd
	}
	return desc.Fields().ByName(protoreflect.Name(name))
}

// suggestion names the field that was probably meant, or all there are.
func suggestion(desc protoreflect.MessageDescriptor, wrong string) string {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	names := make([]string, 0, desc.Fields().Len())
	for i := range desc.Fields().Len() {
		name := desc.Fields().Get(i).JSONName()
		if strings.TrimSuffix(plain(name), "s") == strings.TrimSuffix(plain(wrong), "s") {
			return "did you mean " + name + "?"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return "the fields here are " + strings.Join(names, ", ")
}

var oldBoolean = regexp.MustCompile(`^(?:[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$`)

// looksBoolean tells words that YAML 1.1, which Cloud Build's tools read,
// takes for true or false although YAML 1.2 does not.
func looksBoolean(node *yamlv3.Node) bool {
	return node.Style == 0 && oldBoolean.MatchString(node.Value)
}

// resolve follows an alias to what it stands for.
func resolve(node *yamlv3.Node) *yamlv3.Node {
	for node != nil && node.Kind == yamlv3.AliasNode {
		node = node.Alias
	}
	return node
}

// field is the value of a mapping's key in either spelling, nil if absent.
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

// keyNode is the node of a mapping's key itself, nil if absent.
func keyNode(node *yamlv3.Node, name string) *yamlv3.Node {
	node = resolve(node)
	if node == nil || node.Kind != yamlv3.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i]
		}
	}
	return nil
}

// stepNode is the mapping of the i-th step, nil if absent.
func stepNode(root *yamlv3.Node, i int) *yamlv3.Node {
	steps := field(root, "steps")
	if steps == nil || i >= len(steps.Content) {
		return nil
	}
	return resolve(steps.Content[i])
}

// stepLines are the lines on which the steps begin.
func stepLines(root *yamlv3.Node) []int {
	steps := field(root, "steps")
	if steps == nil || steps.Kind != yamlv3.SequenceNode {
		return nil
	}
	lines := make([]int, 0, len(steps.Content))
	for _, step := range steps.Content {
		lines = append(lines, step.Line)
	}
	return lines
}

func lineOf(node *yamlv3.Node) int {
	if node == nil {
		return 0
	}
	return node.Line
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

func kindName(node *yamlv3.Node) string {
	switch node.Kind {
	case yamlv3.MappingNode:
		return "a mapping"
	case yamlv3.SequenceNode:
		return "a list"
	default:
		return strconv.Quote(node.Value)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
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
