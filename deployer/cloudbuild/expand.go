package cloudbuild

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// expander replaces substitutions as Cloud Build does before it runs a build. A value may contain
// other substitutions (dynamicSubstitutions). It counts as it goes: no text becomes longer than
// Cloud Build accepts.
type expander struct {
	// values are unexpanded; those of user substitutions may contain others.
	values map[string]string
	// later are known only to the build. They stay as $NAME.
	later []string

	// keep leaves names without a value in the text as $NAME, and also operations on values that
	// only the build knows.
	keep bool

	done map[string]expansion
	// active are the names being expanded, the outermost first.
	active []string
}

// expansion is a text with its substitutions replaced.
type expansion struct {
	text string
	// missing are the names without a value, and empty those with an empty value, in order; both
	// were replaced with nothing.
	missing, empty []string
}

// ExpandError is a substitution that cannot be replaced.
type ExpandError struct {
	// Name of the substitution; "" if the text itself is at fault.
	Name string
	// Reason is what is wrong, and Fix the way out.
	Reason, Fix string
}

// Error names the substitution, the fault and the way out.
func (e *ExpandError) Error() string {
	return strings.TrimPrefix("$"+e.Name+" ", "$ ") + e.Reason + "; " + e.Fix
}

// Expand replaces the substitutions in text with their values, including bash-style operations,
// and lists those without a value. The result is at most limit bytes long. An error is an
// *ExpandError.
func Expand(text string, values map[string]string, limit int) (expanded string, missing []string, err error) {
	x := expander{values: values}
	out, err := x.expand(text, limit)
	return out.text, out.missing, err
}

// expand replaces $NAME, ${NAME}, ${NAME<operation>} and $$.
func (x *expander) expand(text string, limit int) (expansion, error) {
	var out expansion
	var b strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			break
		}
		part, length, err := x.variable(rest)
		if err != nil {
			return out, err
		}
		b.WriteString(part.text)
		out.missing, out.empty = union(out.missing, part.missing), union(out.empty, part.empty)
		text = rest[length:]
		if b.Len() > limit {
			return out, &ExpandError{
				Reason: fmt.Sprintf("becomes longer than %d bytes once its substitutions are replaced, which Cloud Build refuses", limit),
				Fix:    "use shorter values",
			}
		}
	}
	if b.Len() > limit {
		return out, &ExpandError{Reason: fmt.Sprintf("is longer than %d bytes, which Cloud Build refuses", limit), Fix: "shorten it"}
	}
	out.text = b.String()
	return out, nil
}

// variable expands what follows a dollar, and returns its length. Anything else stays as it is.
func (x *expander) variable(rest string) (expansion, int, error) {
	if strings.HasPrefix(rest, "$") {
		return expansion{text: "$"}, 1, nil
	}
	if name := leadingName(rest); name != "" {
		value, err := x.plain(name)
		return value, len(name), err
	}
	end := closing(rest)
	if end < 0 {
		return expansion{text: "$"}, 0, nil
	}
	name := leadingName(rest[1:])
	switch inner := rest[1:end]; {
	case inner == name && name != "":
		value, err := x.plain(name)
		return value, end + 1, err
	case name == "" && !strings.HasPrefix(inner, "#"):
		return expansion{text: "$"}, 0, nil
	}
	value, err := x.operation("$" + rest[:end+1])
	return value, end + 1, err
}

// plain is the value of $NAME.
func (x *expander) plain(name string) (expansion, error) {
	value, err := x.value(name)
	if x.keep && value.text == "" {
		value.text = "$" + name
	}
	return value, err
}

// value is the value of a substitution, with those in it replaced.
func (x *expander) value(name string) (expansion, error) {
	if done, ok := x.done[name]; ok {
		return done, nil
	}
	if slices.Contains(x.later, name) {
		return expansion{text: "$" + name}, nil
	}
	given, ok := x.values[name]
	switch {
	case !ok:
		return expansion{missing: []string{name}}, nil
	case given == "":
		return expansion{empty: []string{name}}, nil
	case !userKey.MatchString(name) || !strings.Contains(given, "$"):
		if len(given) > maxValueBytes {
			return expansion{}, tooLong(name)
		}
		return expansion{text: given}, nil
	case slices.Contains(x.active, name):
		return expansion{}, &ExpandError{Name: name, Reason: "has a value that refers to itself", Fix: "give it a value without itself"}
	}
	x.active = append(x.active, name)
	value, err := x.expand(given, maxValueBytes)
	x.active = x.active[:len(x.active)-1]
	if err != nil {
		if unnamed, ok := err.(*ExpandError); ok && unnamed.Name == "" { //nolint:errorlint // made above
			err = tooLong(name)
		}
		return expansion{}, err
	}
	if value.text == "" && len(value.missing) == 0 {
		value.empty = union(value.empty, []string{name})
	}
	if x.done == nil {
		x.done = map[string]expansion{}
	}
	x.done[name] = value
	return value, nil
}

func tooLong(name string) *ExpandError {
	return &ExpandError{
		Name: name, Reason: fmt.Sprintf("becomes longer than %d bytes once the substitutions in it are replaced, which Cloud Build refuses",
			maxValueBytes),
		Fix: "use shorter values",
	}
}

// leadingName is the name at the beginning of text, or "".
func leadingName(text string) string {
	for i := range len(text) {
		c := text[i]
		if isName := c == '_' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9'; !isName {
			return text[:i]
		}
	}
	return text
}

// closing is the index of the brace that closes the one at the beginning of text, or -1.
func closing(text string) int {
	if !strings.HasPrefix(text, "{") {
		return -1
	}
	open := 0
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '{' && (i == 0 || text[i-1] == '$'):
			open++
		case text[i] == '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

// union adds the names that are not in the list yet.
func union(names, more []string) []string {
	for _, name := range more {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// buildID is a substitution that only the build knows, and that distinguishes its images from
// every other build's.
const buildID = "BUILD_ID"

// buildIDText matches it, with or without an operation.
var buildIDText = regexp.MustCompile(`\$BUILD_ID\b|\$\{BUILD_ID(?:[^A-Z0-9_{}][^{}]*)?\}`)

// WithBuildID puts the build's id into a reference of [Chosen].
func WithBuildID(reference, id string) (string, error) {
	out, err := (&expander{values: map[string]string{buildID: id}}).expand(reference, maxImageBytes)
	return out.text, err
}
