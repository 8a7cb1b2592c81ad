package cloudbuildtest

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/reflect/protoreflect"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// variable matches a substitution, with or without a bash-style operation.
var variable = regexp.MustCompile(`\$(?:\$|([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)([^}]*)\})`)

// substitute expands substitutions in place, as Cloud Build does before it queues the
// build. The build keeps the substitutions as they were sent.
func substitute(b *cloudbuildpb.Build, project, location, id string) error {
	x := expansion{
		values: map[string]string{}, used: map[string]bool{}, missing: map[string]bool{},
		dynamic: b.GetOptions().GetDynamicSubstitutions(),
	}
	for _, name := range append(slices.Clone(settable), unset...) {
		x.values[name] = ""
	}
	given := settable
	if b.GetBuildTriggerId() != "" {
		given = append(slices.Clone(settable), unset...)
	}
	for key, value := range b.GetSubstitutions() {
		if !userKey.MatchString(key) && !slices.Contains(given, key) {
			return invalid("key %q in the substitution data is not a valid built-in or user-defined substitution", key)
		}
		x.values[key] = value
	}
	x.values["PROJECT_ID"], x.values["LOCATION"], x.values["BUILD_ID"] = project, location, id
	x.values["PROJECT_NUMBER"] = projectNumber(project)
	if x.dynamic {
		x.resolveValues()
	}
	x.message(b.ProtoReflect())
	if err := validateSizes(b); err != nil { // once more, after the expansion
		return err
	}
	if b.GetOptions().GetSubstitutionOption() == cloudbuildpb.BuildOptions_ALLOW_LOOSE {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(b.GetSubstitutions())) {
		if userKey.MatchString(key) && !x.used[key] {
			return invalid("key %q in the substitution data is not matched in the template", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x.missing)) {
		return invalid("key in the template %q is not matched in the substitution data", key)
	}
	return nil
}

// projectNumber invents a number of twelve digits for a project, always the same.
func projectNumber(project string) string {
	number := uint64(100_000_000_000)
	for _, c := range []byte(project) {
		number = 100_000_000_000 + (number*31+uint64(c))%900_000_000_000
	}
	return strconv.FormatUint(number, 10)
}

// expansion replaces substitutions and remembers which ones it met.
type expansion struct {
	values        map[string]string
	used, missing map[string]bool
	dynamic       bool // bash-style operations are applied as well
}

// text expands one text; a user substitution without a value becomes empty.
func (x *expansion) text(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(found)
		name := m[1] + m[2]
		if m[3] != "" {
			if !x.dynamic {
				return found
			}
			x.used[name] = true
			return x.operation(found)
		}
		x.used[name] = true
		value, ok := x.values[name]
		if !ok {
			x.missing[name] = true
		}
		return value
	})
}

// operation is bash's result for ${NAME<operation>}. An unknown operation stays.
func (x *expansion) operation(text string) string {
	env := make([]string, 0, len(x.values))
	for name, value := range x.values {
		env = append(env, name+"="+value)
	}
	word, err := syntax.NewParser().Document(strings.NewReader(text))
	if err != nil {
		return text
	}
	value, err := expand.Document(&expand.Config{Env: expand.ListEnviron(env...)}, word)
	if err != nil {
		return text
	}
	return value
}

// resolveValues expands values that mention other substitutions, level by level. It
// cuts off a value that refers to itself.
func (x *expansion) resolveValues() {
	const levels = 10
	for range levels {
		for _, key := range slices.Sorted(maps.Keys(x.values)) {
			if userKey.MatchString(key) && len(x.values[key]) < 4000 {
				x.values[key] = x.text(x.values[key])
			}
		}
	}
}

// verbatim are the fields of Build in which nothing is substituted: script is the
// shell's, substitutions are the values themselves, and source, tags, logs_bucket and
// the API's own fields are used as sent.
var verbatim = []protoreflect.Name{
	"script", "substitutions", "source", "tags", "logs_bucket", "name", "id", "project_id", "log_url",
	"wait_for",
}

// message expands every text of a message except the verbatim fields. A step's name is
// its image and is expanded; the build's name is not.
func (x *expansion) message(m protoreflect.Message) {
	isStep := m.Descriptor() == (&cloudbuildpb.BuildStep{}).ProtoReflect().Descriptor()
	m.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if slices.Contains(verbatim, fd.Name()) && (!isStep || fd.Name() != "name") {
			return true
		}
		switch {
		case fd.IsList():
			x.list(fd, value.List())
		case fd.IsMap():
		case fd.Kind() == protoreflect.StringKind:
			m.Set(fd, protoreflect.ValueOfString(x.text(value.String())))
		case fd.Kind() == protoreflect.MessageKind:
			x.message(value.Message())
		}
		return true
	})
}

func (x *expansion) list(fd protoreflect.FieldDescriptor, list protoreflect.List) {
	for i := range list.Len() {
		switch fd.Kind() {
		case protoreflect.StringKind:
			list.Set(i, protoreflect.ValueOfString(x.text(list.Get(i).String())))
		case protoreflect.MessageKind:
			x.message(list.Get(i).Message())
		default: // holds no text
		}
	}
}
