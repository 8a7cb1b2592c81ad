package cloudbuild

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	yamlv3 "gopkg.in/yaml.v3"
)

// decoder fills the API's message from the YAML tree as gcloud would, and keeps the line of
// everything it reads. It counts what it reads, since aliases can make a small file large.
type decoder struct {
	file     string
	warnings []Warning
	lines    map[string]int        // by path, see File.place
	nodes    int                   // read so far, aliases followed
	bytes    int                   // of text read so far, aliases followed
	merging  map[*yamlv3.Node]bool // mappings that are being merged
	step     int                   // index + 1 of the step being read; 0 outside of steps
	id       string
}

func (d *decoder) fault(node *yamlv3.Node, path, reason, fix string) error {
	return &FileError{File: d.file, Line: node.Line, Step: d.step - 1, ID: d.id, Field: path, Reason: reason, Fix: fix}
}

// count bounds the size of the whole file with its aliases followed.
func (d *decoder) count(node *yamlv3.Node, path string) error {
	d.nodes++
	d.bytes += len(node.Value)
	if d.nodes > maxNodes || d.bytes > maxTextBytes {
		return d.fault(node, path, "is too large once its aliases are followed", "write the file without nested aliases")
	}
	return nil
}

// mark records the line on which a field begins.
func (d *decoder) mark(path string, line int) {
	if d.step > 0 {
		path = join(stepPath(d.step-1), path)
	}
	if d.lines[path] == 0 {
		d.lines[path] = line
	}
}

// message reads a mapping into m; path is its name in the file.
func (d *decoder) message(node *yamlv3.Node, m protoreflect.Message, path string) error {
	node = resolve(node)
	if err := d.count(node, path); err != nil {
		return err
	}
	if isNull(node) {
		return nil
	}
	if wellKnown(m.Descriptor()) {
		return d.scalarMessage(node, m, path)
	}
	if node.Kind != yamlv3.MappingNode {
		return d.fault(node, path, "is "+kindName(node)+" where fields are expected", "write it as field: value")
	}
	pairs, err := d.pairs(node, path, camel)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := d.entry(p, m, path); err != nil {
			return err
		}
	}
	return nil
}

// entry reads one "key: value" of a message.
func (d *decoder) entry(p pair, m protoreflect.Message, path string) error {
	name := join(path, p.key.Value)
	if unsupported[camel(name)] && d.step == 0 || d.step > 0 && camel(name) == "results" { // a step's results are also newer than the Go API
		d.warnings = append(d.warnings,
			Warning{File: d.file, Line: p.key.Line, Message: name + " is not supported here and was left out of the build"})
		return nil
	}
	fd := fieldOf(m.Descriptor(), p.key.Value)
	if fd == nil {
		return d.fault(p.key, name, "is not a field of Cloud Build's configuration", suggestion(m.Descriptor(), p.key.Value))
	}
	if one := fd.ContainingOneof(); one != nil && m.WhichOneof(one) != nil {
		return d.fault(p.key, name, "cannot be set together with "+m.WhichOneof(one).JSONName(), "keep one of the two")
	}
	d.mark(join(path, fd.JSONName()), p.value.Line)
	if isNull(resolve(p.value)) {
		return nil
	}
	switch {
	case fd.IsMap():
		return d.mapping(p.value, m.Mutable(fd).Map(), fd, name)
	case fd.IsList():
		return d.list(p.value, m.Mutable(fd).List(), fd, name)
	case fd.Kind() == protoreflect.MessageKind:
		return d.message(p.value, m.Mutable(fd).Message(), name)
	}
	value, err := d.single(p.value, fd, name)
	if err == nil {
		m.Set(fd, value)
	}
	return err
}

// mapping reads KEY: value pairs. A key without a value is declared and empty: gcloud sends it
// like that, and the person who runs the build may set it.
func (d *decoder) mapping(node *yamlv3.Node, into protoreflect.Map, fd protoreflect.FieldDescriptor, path string) error {
	node = resolve(node)
	if node.Kind != yamlv3.MappingNode {
		return d.fault(node, path, "is "+kindName(node)+" where KEY: value pairs are expected", "write it as KEY: value")
	}
	pairs, err := d.pairs(node, path, func(key string) string { return key })
	if err != nil {
		return err
	}
	for _, p := range pairs {
		name, value := join(path, p.key.Value), into.NewValue()
		d.mark(name, p.key.Line)
		if !isNull(resolve(p.value)) {
			if value, err = d.single(p.value, fd.MapValue(), name); err != nil {
				return err
			}
		}
		into.Set(protoreflect.ValueOfString(p.key.Value).MapKey(), value)
	}
	return nil
}

// list reads every element and keeps track of the current step. A single value is a list of one,
// as in gcloud.
func (d *decoder) list(node *yamlv3.Node, into protoreflect.List, fd protoreflect.FieldDescriptor, path string) error {
	node = resolve(node)
	items, wrapped := node.Content, node.Kind != yamlv3.SequenceNode
	if wrapped {
		items = []*yamlv3.Node{node}
	}
	isSteps := path == "steps" && d.step == 0
	for i, item := range items {
		name := fmt.Sprintf("%s[%d]", path, i)
		d.mark(name, item.Line)
		if isNull(resolve(item)) {
			return d.fault(item, name, "is empty", "remove it, or fill it in")
		}
		if isSteps {
			d.step, d.id, name = i+1, scalar(field(resolve(item), "id")), ""
		} else if wrapped {
			name = path
		}
		if err := d.element(item, into, fd, name); err != nil {
			return err
		}
		if isSteps {
			d.step, d.id = 0, ""
		}
	}
	return nil
}

func (d *decoder) element(item *yamlv3.Node, into protoreflect.List, fd protoreflect.FieldDescriptor, name string) error {
	if fd.Kind() == protoreflect.MessageKind {
		return d.message(item, into.AppendMutable().Message(), name)
	}
	value, err := d.single(item, fd, name)
	if err == nil {
		into.Append(value)
	}
	return err
}

// single reads one value that is neither a list, a map nor a message.
func (d *decoder) single(node *yamlv3.Node, fd protoreflect.FieldDescriptor, path string) (protoreflect.Value, error) {
	node = resolve(node)
	if err := d.count(node, path); err != nil {
		return protoreflect.Value{}, err
	}
	if node.Kind != yamlv3.ScalarNode {
		return protoreflect.Value{}, d.fault(node, path, "is "+kindName(node)+" where one value is expected", "write one value")
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(node.Value), d.text(node, path)
	case protoreflect.BytesKind:
		return d.binary(node, path)
	case protoreflect.BoolKind:
		return d.boolean(node, path)
	case protoreflect.EnumKind:
		return d.enum(node, fd.Enum(), path)
	case protoreflect.Int32Kind:
		n, err := d.number(node, 32, path)
		return protoreflect.ValueOfInt32(int32(n)), err //nolint:gosec // parsed as 32 bits
	case protoreflect.Int64Kind:
		n, err := d.number(node, 64, path)
		return protoreflect.ValueOfInt64(n), err
	default:
		return protoreflect.Value{}, d.fault(node, path, "cannot be read by Turnout", "remove the field")
	}
}

// text refuses what YAML does not read as text, as gcloud does.
func (d *decoder) text(node *yamlv3.Node, path string) error {
	if isText := node.Tag == "!!str" || node.Tag == "!!timestamp"; isText && !looksBoolean(node) {
		return nil
	}
	if isWord := node.Tag == "!!bool" || looksBoolean(node); !isWord && secretName.MatchString(path) || len(node.Value) > shownValue {
		return d.fault(node, path, "is not text in YAML", "put its value in single quotes")
	}
	return d.fault(node, path, fmt.Sprintf("%s is not text in YAML", node.Value), fmt.Sprintf("quote it: '%s'", node.Value))
}

// secretName matches fields whose value must not appear in a pull-request comment.
var secretName = regexp.MustCompile(`(?i)pass|secret|token|key|cred|auth|cert|pin\b|env`)

func (d *decoder) binary(node *yamlv3.Node, path string) (protoreflect.Value, error) {
	text := strings.Map(func(r rune) rune {
		switch r {
		case '-':
			return '+'
		case '_':
			return '/'
		case '=', '\n', '\r', ' ':
			return -1
		}
		return r
	}, node.Value)
	data, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || node.Tag == "!!binary" {
		return protoreflect.Value{},
			d.fault(node, path, "is not base64", "write the ciphertext that gcloud kms encrypt gives, through: base64 -w 0")
	}
	return protoreflect.ValueOfBytes(data), nil
}

func (d *decoder) boolean(node *yamlv3.Node, path string) (protoreflect.Value, error) {
	if node.Tag != "!!bool" && !looksBoolean(node) {
		return protoreflect.Value{}, d.fault(node, path, "is neither true nor false", "write true or false")
	}
	word := strings.ToLower(node.Value)
	return protoreflect.ValueOfBool(slices.Contains([]string{"true", "yes", "y", "on"}, word)), nil
}

var leadingDigits = regexp.MustCompile(`^-?[0-9]+`)

func (d *decoder) number(node *yamlv3.Node, bits int, path string) (int64, error) {
	base := 0 // as YAML writes them: 0x1f, 1_000
	if node.Tag == "!!str" {
		base = 10
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(node.Value, "+"), base, bits)
	if err == nil && (node.Tag == "!!int" || node.Tag == "!!str") {
		return n, nil
	}
	fix := "write a whole number"
	if digits := leadingDigits.FindString(node.Value); digits != "" && len(digits) < len(node.Value) && len(digits) < 19 {
		fix = "write " + digits
	}
	return 0, d.fault(node, path, fmt.Sprintf("%q is not a number that fits here", clipped(node.Value)), fix)
}

func (d *decoder) enum(node *yamlv3.Node, desc protoreflect.EnumDescriptor, path string) (protoreflect.Value, error) {
	if value := desc.Values().ByName(protoreflect.Name(node.Value)); value != nil {
		return protoreflect.ValueOfEnum(value.Number()), nil
	}
	if n, err := strconv.ParseInt(node.Value, 10, 32); err == nil && node.Tag == "!!int" {
		if value := desc.Values().ByNumber(protoreflect.EnumNumber(n)); value != nil { //nolint:gosec // parsed as 32 bits
			return protoreflect.ValueOfEnum(value.Number()), nil
		}
	}
	names := make([]string, 0, desc.Values().Len())
	for i := range desc.Values().Len() {
		names = append(names, string(desc.Values().Get(i).Name()))
	}
	return protoreflect.Value{},
		d.fault(node, path, fmt.Sprintf("%q is not one of its values", clipped(node.Value)), "use one of "+strings.Join(names, ", "))
}

var durationText = regexp.MustCompile(`^-?[0-9]{1,12}(\.[0-9]{1,9})?s$`)

// scalarMessage reads messages that JSON writes as a string.
func (d *decoder) scalarMessage(node *yamlv3.Node, m protoreflect.Message, path string) error {
	if node.Kind != yamlv3.ScalarNode {
		return d.fault(node, path, "is "+kindName(node)+" where one value is expected", "write one value")
	}
	name, fix := "a duration", "write it in seconds, like '600s'"
	good := node.Tag == "!!str" && durationText.MatchString(node.Value)
	if m.Descriptor().Name() == "Timestamp" {
		name, fix, good = "a time", "write it like '2026-01-31T12:00:00Z'", true
	}
	if good && protojson.Unmarshal([]byte(strconv.Quote(node.Value)), m.Interface()) == nil {
		return nil
	}
	return d.fault(node, path, fmt.Sprintf("%q is not %s", clipped(node.Value), name), fix)
}

// wellKnown reports whether JSON writes the message as a string.
func wellKnown(desc protoreflect.MessageDescriptor) bool {
	return slices.Contains([]protoreflect.FullName{"google.protobuf.Duration", "google.protobuf.Timestamp"}, desc.FullName())
}

// fieldOf finds a field by either of its two spellings.
func fieldOf(desc protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := desc.Fields().ByJSONName(name); fd != nil {
		return fd
	}
	return desc.Fields().ByName(protoreflect.Name(name))
}

// suggestion names the field that was probably meant, or lists all fields.
func suggestion(desc protoreflect.MessageDescriptor, wrong string) string {
	plain := func(s string) string { return strings.TrimSuffix(strings.ToLower(strings.ReplaceAll(s, "_", "")), "s") }
	names := make([]string, 0, desc.Fields().Len())
	for i := range desc.Fields().Len() {
		name := desc.Fields().Get(i).JSONName()
		if plain(name) == plain(wrong) {
			return "did you mean " + name + "?"
		}
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return "the fields here are " + strings.Join(names, ", ")
}

// unsupported lists fields that Cloud Build documents (google.golang.org/api v0.311.0,
// cloudbuild/v1/cloudbuild-api.json) but its Go API (v1.37.0) lacks, as paths in
// camelCase.
var unsupported = map[string]bool{
	"artifacts.genericArtifacts":    true,
	"artifacts.oci":                 true,
	"options.pool.workerRelease":    true,
	"options.pubsubTopic":           true,
	"options.rankedMachineSeries":   true,
	"remoteConfig":                  true,
	"source.developerConnectConfig": true,
}
