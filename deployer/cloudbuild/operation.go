package cloudbuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// maxWork bounds the result of one bash-style operation before the text's own limit
// applies: ${_A//x/yyyy} can make a long value much longer.
const maxWork = 256 << 10

// operation evaluates a bash-style operation on a substitution, such as ${_A//x/y},
// ${_A,,}, ${_A:-x}, ${_A:0:7}, ${_A#x}, ${_A%x} or ${#_A}, as a shell would.
func (x *expander) operation(text string) (expansion, error) {
	refuse := func(reason string) (expansion, error) {
		return expansion{}, &ExpandError{
			Reason: clipped(text) + " " + reason,
			Fix:    "write the value out, or pass it as a substitution of its own",
		}
	}
	if len(text) > maxValueBytes {
		return refuse("is too long")
	}
	doc, err := syntax.NewParser().Document(strings.NewReader(text))
	if err != nil || len(doc.Parts) != 1 {
		return refuse("is not an operation that bash knows")
	}
	pe, ok := doc.Parts[0].(*syntax.ParamExp)
	if !ok || !onlyText(doc) {
		return refuse("is an operation whose result Turnout cannot know before the build")
	}
	env := values{}
	var out expansion
	for _, name := range named(doc) {
		value, err := x.value(name)
		if err != nil {
			return expansion{}, err
		}
		switch {
		case !strings.Contains(value.text, "$") || !x.holdsLater(value.text):
		case x.keep && name == buildID && pe.Param.Value == name:
			return expansion{text: text}, nil
		case x.keep:
			return refuse("depends on what only the build knows")
		default:
			return value, nil // only the build knows the value, and thus the result
		}
		if len(value.missing) == 0 {
			env[name] = value.text
		}
		out.missing, out.empty = union(out.missing, value.missing), union(out.empty, value.empty)
	}
	if work(pe, env) > maxWork {
		return refuse("produces too long a text")
	}
	out.text, err = evaluate(pe, env)
	if err != nil {
		return refuse("cannot be evaluated: " + err.Error())
	}
	if out.text != "" {
		out.missing, out.empty = nil, nil
	}
	if pe.Exp != nil && isDefault(pe.Exp.Op) { // a default is for a name without a value
		out.missing = slices.DeleteFunc(out.missing, func(name string) bool { return name == pe.Param.Value })
	}
	return out, nil
}

// evaluate returns the operation's result. ${_A/#x/y} and ${_A/%x/y}, which match at
// one end, are split into two operations, since the library does not support them.
//
// The library panics on a pattern that its own regular expression cannot represent,
// such as one that is not UTF-8. A user's file must not end the process.
func evaluate(pe *syntax.ParamExp, env values) (made string, err error) {
	defer func() {
		if p := recover(); p != nil {
			made, err = "", fmt.Errorf("its pattern cannot be matched: %v", p)
		}
	}()
	text := func(parts ...syntax.WordPart) (string, error) {
		return expand.Document(&expand.Config{Env: env}, &syntax.Word{Parts: parts})
	}
	anchor, pattern := anchored(pe.Repl)
	if pattern == nil {
		return text(pe)
	}
	rest, err := text(&syntax.ParamExp{Param: pe.Param, Exp: &syntax.Expansion{Op: anchor, Word: pattern}})
	if err != nil || rest == env[pe.Param.Value] || pe.Repl.With == nil {
		return rest, err
	}
	with, err := text(pe.Repl.With.Parts...)
	if anchor == syntax.RemLargeSuffix {
		return rest + with, err
	}
	return with + rest, err
}

// anchored returns the pattern of a replacement at one end, and the operation that
// removes it there; nil for any other replacement.
func anchored(r *syntax.Replace) (syntax.ParExpOperator, *syntax.Word) {
	if r == nil || r.All || r.Orig == nil || len(r.Orig.Parts) == 0 {
		return 0, nil
	}
	first, ok := r.Orig.Parts[0].(*syntax.Lit)
	if !ok || !strings.HasPrefix(first.Value, "#") && !strings.HasPrefix(first.Value, "%") {
		return 0, nil
	}
	op := syntax.RemLargePrefix
	if first.Value[0] == '%' {
		op = syntax.RemLargeSuffix
	}
	parts := slices.Concat([]syntax.WordPart{&syntax.Lit{Value: first.Value[1:]}}, r.Orig.Parts[1:])
	return op, &syntax.Word{Parts: parts}
}

// holdsLater reports whether a value depends on what only the build knows.
func (x *expander) holdsLater(text string) bool {
	for _, name := range x.later {
		if strings.Contains(text, "$"+name) {
			return true
		}
	}
	return false
}

// isDefault recognises ${_A:-x} and ${_A:+x}, and those without the colon.
func isDefault(op syntax.ParExpOperator) bool {
	switch op {
	case syntax.AlternateUnset, syntax.AlternateUnsetOrNull, syntax.DefaultUnset, syntax.DefaultUnsetOrNull:
		return true
	default:
		return false
	}
}

// onlyText reports whether a word runs no command, computes nothing and assigns
// nothing: Cloud Build does not support those.
func onlyText(doc *syntax.Word) bool {
	good := true
	syntax.Walk(doc, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp, *syntax.ExtGlob, *syntax.BinaryArithm:
			good = false
		case *syntax.ParamExp:
			if n.Excl || n.Index != nil || n.Names != 0 || n.Param == nil || leadingName(n.Param.Value) != n.Param.Value {
				good = false
			}
			if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull || n.Exp.Op == syntax.OtherParamOps) {
				good = false
			}
		}
		return good
	})
	return good
}

// named are the substitutions that a word mentions.
func named(doc *syntax.Word) []string {
	var names []string
	syntax.Walk(doc, func(node syntax.Node) bool {
		if pe, ok := node.(*syntax.ParamExp); ok {
			names = union(names, []string{pe.Param.Value})
		}
		return true
	})
	return names
}

// work is an upper bound for the length of an operation's result.
func work(pe *syntax.ParamExp, env values) int {
	own := len(env[pe.Param.Value])
	switch {
	case pe.Repl != nil:
		return own + (own+1)*wordWork(pe.Repl.With, env) + wordWork(pe.Repl.Orig, env)
	case pe.Exp != nil:
		return own + wordWork(pe.Exp.Word, env)
	}
	return own
}

func wordWork(word *syntax.Word, env values) int {
	if word == nil {
		return 0
	}
	total := 0
	syntax.Walk(word, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.Lit:
			total += len(n.Value)
		case *syntax.SglQuoted:
			total += len(n.Value)
		case *syntax.ParamExp:
			total = min(total+work(n, env), 2*maxWork)
			return false
		}
		return true
	})
	return total
}

// values are substitutions as shell variables, which nothing can set.
type values map[string]string

// Get returns one of them.
func (v values) Get(name string) expand.Variable {
	value, ok := v[name]
	if !ok {
		return expand.Variable{}
	}
	return expand.Variable{Set: true, Kind: expand.String, Str: value}
}

// Each calls call for each of them.
func (v values) Each(call func(name string, value expand.Variable) bool) {
	for name := range v {
		if !call(name, v.Get(name)) {
			return
		}
	}
}

var _ expand.Environ = values(nil)

// expandFault is the fault of a text that cannot be expanded, under its field's name in the file.
func (f *File) expandFault(field string, err error) error {
	var failed *ExpandError
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", field, err)
	}
	if failed.Name != "" {
		name := "substitutions." + failed.Name
		if f.lines[name] != 0 {
			return f.fault(name, failed.Reason, failed.Fix)
		}
		return f.fault(field, "${"+failed.Name+"} "+failed.Reason, failed.Fix)
	}
	return f.fault(field, failed.Reason, failed.Fix)
}
