package analysis

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Values identify a colour in metrics.
type Values struct {
	Color, Service, Namespace, Version, Backend string
	Window                                      time.Duration
}

// of returns the value of a variable.
func (v Values) of(name string) string {
	switch name {
	case "color":
		return v.Color
	case "service":
		return v.Service
	case "namespace":
		return v.Namespace
	case "version":
		return v.Version
	case "backend":
		return v.Backend
	}
	return fmt.Sprintf("%dms", v.Window.Milliseconds())
}

var (
	// variables that a query may contain.
	variables = []string{"color", "service", "namespace", "version", "backend", "window"}
	// telling are those that differ between the two colours.
	telling = []string{"color", "service", "version", "backend"}
)

// Template is a PromQL query with variables.
type Template struct {
	parts []part
}

// part is a text, or a variable in a literal of a kind.
type part struct {
	text     string
	variable string
	quote    rune // of the enclosing literal; 0: none
	regex    bool // that literal is a regular expression
}

// ParseTemplate reads a query. The error explains the fault to its author.
func ParseTemplate(text string) (Template, error) {
	if !utf8.ValidString(text) {
		return Template{}, fmt.Errorf("it is not UTF-8")
	}
	s := scanner{rest: text}
	for s.rest != "" {
		if err := s.next(); err != nil {
			return Template{}, err
		}
	}
	if s.quote != 0 {
		return Template{}, fmt.Errorf("a text that begins with %c does not end", s.quote)
	}
	s.flush()
	return Template{parts: s.parts}, nil
}

// Tells reports whether the query can differ between two colours.
func (t Template) Tells() bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return slices.Contains(telling, p.variable) })
}

// Lacks names the query's first variable without a value; empty if all have one.
func (t Template) Lacks(v Values) string {
	for _, p := range t.parts {
		if p.variable != "" && v.of(p.variable) == "" {
			return "$" + p.variable
		}
	}
	return ""
}

// Render fills in the values.
func (t Template) Render(v Values) string {
	var b strings.Builder
	for _, p := range t.parts {
		if p.variable == "" {
			b.WriteString(p.text)
			continue
		}
		value := v.of(p.variable)
		if p.regex {
			value = regexp.QuoteMeta(value)
		}
		if p.quote != 0 {
			value = escape(value, p.quote)
		}
		b.WriteString(value)
	}
	return b.String()
}

// escape writes a value into a PromQL literal, which has Go's escapes.
func escape(value string, quote rune) string {
	var b strings.Builder
	for _, r := range value {
		switch {
		case r == quote, r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// scanner reads a query: code, literals and comments.
type scanner struct {
	rest  string
	text  strings.Builder // since the last variable
	parts []part

	quote rune   // of the current literal; 0: in code
	regex bool   // of that literal
	code  string // the code so far, without white space
}

func (s *scanner) flush() {
	if s.text.Len() > 0 {
		s.parts = append(s.parts, part{text: s.text.String()})
		s.text.Reset()
	}
}

// take moves n bytes of the query to its text.
func (s *scanner) take(n int) string {
	taken := s.rest[:n]
	s.text.WriteString(taken)
	s.rest = s.rest[n:]
	return taken
}

func (s *scanner) next() error {
	if s.quote != 0 {
		return s.inLiteral()
	}
	return s.inCode()
}

func (s *scanner) inLiteral() error {
	r, size := utf8.DecodeRuneInString(s.rest)
	switch {
	case r == '\\' && s.quote != '`' && len(s.rest) > 1:
		_, after := utf8.DecodeRuneInString(s.rest[1:])
		s.take(1 + after)
	case r == s.quote:
		s.take(size)
		s.quote = 0
	case r == '$':
		return s.variable()
	default:
		s.take(size)
	}
	return nil
}

var (
	word   = regexp.MustCompile(`^[A-Za-z_:][A-Za-z0-9_:.]*`)
	ranged = regexp.MustCompile(`^\[\s*\$window\s*\]`)
)

func (s *scanner) inCode() error {
	r, size := utf8.DecodeRuneInString(s.rest)
	switch {
	case r == '#':
		end := strings.IndexByte(s.rest, '\n')
		if end < 0 {
			end = len(s.rest)
		}
		s.rest = s.rest[end:] // a comment is not sent
		return nil
	case r == '"', r == '\'', r == '`':
		s.quote, s.regex = r, strings.HasSuffix(s.code, "=~") || strings.HasSuffix(s.code, "!~")
		s.code += string(r)
		s.take(size)
		return nil
	case r == '[':
		if !ranged.MatchString(s.rest) {
			return fmt.Errorf("every range must be [$window], which is spec.analysis.interval, and none within another")
		}
		s.code += "["
		s.take(size)
		return nil
	case r == '@':
		return fmt.Errorf("@ is not allowed: the query is asked for the end of a window")
	case r == '$':
		return s.variable()
	case unicode.IsSpace(r):
		s.take(size)
		return nil
	}
	if name := word.FindString(s.rest); name != "" {
		if strings.EqualFold(name, "offset") && s.code != "" && !strings.HasSuffix(s.code, "(") && !strings.HasSuffix(s.code, ",") &&
			!strings.HasSuffix(s.code, "{") {
			return fmt.Errorf("offset is not allowed: the query is asked for the end of a window")
		}
		s.code += s.take(len(name))
		return nil
	}
	s.code += s.take(size)
	return nil
}

var variable = regexp.MustCompile(`^\$([A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})`)

// variable reads a variable, or a $ that begins none.
func (s *scanner) variable() error {
	found := variable.FindString(s.rest)
	if found == "" {
		s.take(1)
		return nil
	}
	name := strings.Trim(found, "${}")
	switch {
	case !slices.Contains(variables, name):
		return fmt.Errorf("%s is no variable: there are $%s", found, strings.Join(variables, ", $"))
	case s.quote == '`':
		return fmt.Errorf("%s stands within `…`, where nothing can be escaped: use \"…\"", found)
	case s.quote == 0 && name != "window":
		return fmt.Errorf("%s must stand within quotes", found)
	case s.quote == 0:
		s.code += found
	}
	s.flush()
	s.parts = append(s.parts, part{variable: name, quote: s.quote, regex: s.quote != 0 && s.regex})
	s.rest = s.rest[len(found):]
	return nil
}
