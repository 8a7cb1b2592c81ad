package cloudbuild

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// assign follows the assignments of a shell script. A variable that may get a second value is
// unsure: it may have either.
func (s *scope) assign(assigns []*syntax.Assign, text string) {
	if s.vars == nil {
		return
	}
	for _, a := range assigns {
		if a.Name == nil || a.Naked {
			continue
		}
		value := word{known: a.Value == nil}
		if a.Value != nil {
			value = s.word(a.Value, text)
		}
		if before, ok := s.vars[a.Name.Value]; a.Append && ok && s.perhaps == 0 {
			s.set(a.Name.Value, word{text: before + value.text, known: value.known}, a.Index != nil || a.Array != nil)
			continue
		}
		s.set(a.Name.Value, value, a.Append || a.Index != nil || a.Array != nil)
	}
}

func (s *scope) set(name string, value word, unsure bool) {
	if s.told != nil {
		s.told(value.text)
	}
	before, had := s.vars[name]
	if s.perhaps == 0 && !unsure {
		s.assigned(name, value)
		return
	}
	if unsure || s.unsure[name] || had && before != value.text || !value.known || len(value.text) > maxImageBytes {
		delete(s.vars, name)
		s.unsure = with(s.unsure, name, true)
		return
	}
	s.vars[name] = value.text
}

// assigned gives a variable its certain value from here on.
func (s *scope) assigned(name string, value word) {
	delete(s.vars, name)
	if delete(s.unsure, name); !value.known || len(value.text) > maxImageBytes {
		s.unsure = with(s.unsure, name, true)
		return
	}
	s.vars[name] = value.text
}

// word removes the quotes from a word and replaces the known variables in it.
func (s *scope) word(w *syntax.Word, text string) word {
	out := word{known: true}
	out.add(w.Parts, text, false, s.resolve)
	return out
}

// resolve is the value of a variable, with or without an operation.
func (v values) resolve(part syntax.WordPart, text string) (string, bool) {
	pe, ok := part.(*syntax.ParamExp)
	if !ok || v == nil || pe.Param == nil || !foreseen(pe) {
		return "", false
	}
	plain := pe.Exp == nil && pe.Repl == nil && pe.Slice == nil && !pe.Length
	switch value, known := v[pe.Param.Value]; {
	case plain:
		return value, known
	case strings.Contains(value, "$"):
		return source(pe, text), pe.Param.Value == buildID // evaluated once the build has its id
	}
	for _, name := range named(&syntax.Word{Parts: []syntax.WordPart{pe}}) {
		if _, known := v[name]; !known && (name != pe.Param.Value || pe.Exp == nil || !isDefault(pe.Exp.Op)) {
			return "", false
		}
	}
	if work(pe, v) > maxWork {
		return "", false
	}
	made, err := evaluate(pe, v)
	return made, err == nil && len(made) <= maxImageBytes
}

// foreseen reports whether an expansion runs nothing and assigns nothing.
func foreseen(pe *syntax.ParamExp) bool {
	good := true
	syntax.Walk(pe, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp, *syntax.ExtGlob, *syntax.BinaryArithm:
			good = false
		case *syntax.ParamExp:
			if n.Excl || n.Index != nil || n.Names != 0 || n.Param == nil ||
				n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull || n.Exp.Op == syntax.OtherParamOps) {
				good = false
			}
		}
		return good
	})
	return good
}

// loop sets a loop's variable. Its value is known only if there is just one.
func (s *scope) loop(n *syntax.WordIter, text string) {
	if s.vars == nil {
		return
	}
	value := word{}
	if len(n.Items) == 1 {
		value = s.word(n.Items[0], text)
	}
	s.set(n.Name.Value, value, len(n.Items) != 1)
}

// words are the words of a command after the shell's expansion, as far as known.
func (s *scope) words(args []*syntax.Word, text string) []word {
	out := make([]word, 0, len(args))
	for _, arg := range args {
		more, all := s.allArgs(arg)
		w := s.word(arg, text)
		switch {
		case all && len(out)+len(more) <= maxWords:
			out = append(out, more...)
		case !all && w.known && isBareVariable(arg) && strings.ContainsAny(w.text, " \t\n"):
			out = append(out, plainWords(strings.Fields(w.text))...)
		case !all && w.known && w.text == "" && isBareVariable(arg):
		default:
			out = append(out, w)
		}
	}
	return out
}

// isBareVariable reports whether a shell splits the word's value into words.
func isBareVariable(w *syntax.Word) bool {
	_, ok := w.Parts[0].(*syntax.ParamExp)
	return ok && len(w.Parts) == 1
}

// allArgs are the words of "$@" or "${@:2}".
func (s *scope) allArgs(w *syntax.Word) ([]word, bool) {
	if len(w.Parts) != 1 || s.args == nil {
		return nil, false
	}
	part, quoted := w.Parts[0], false
	if q, ok := part.(*syntax.DblQuoted); ok && len(q.Parts) == 1 {
		part, quoted = q.Parts[0], true
	}
	pe, ok := part.(*syntax.ParamExp)
	if !ok || pe.Param == nil || pe.Param.Value != "@" && (pe.Param.Value != "*" || quoted) || pe.Exp != nil || pe.Repl != nil || pe.Length {
		return nil, false
	}
	if pe.Slice == nil {
		return s.args, true
	}
	from, ok := pe.Slice.Offset.(*syntax.Word)
	if !ok || pe.Slice.Length != nil {
		return nil, false
	}
	n, err := strconv.Atoi(from.Lit())
	if err != nil || n < 1 {
		return nil, false
	}
	return s.args[min(n-1, len(s.args)):], true
}

// resolve is the value of a variable or an argument.
func (s *scope) resolve(part syntax.WordPart, text string) (string, bool) {
	pe, ok := part.(*syntax.ParamExp)
	if !ok || pe.Param == nil || s.args == nil {
		return s.vars.resolve(part, text)
	}
	plain := pe.Exp == nil && pe.Repl == nil && pe.Slice == nil && !pe.Length && !pe.Excl && pe.Index == nil
	if name := pe.Param.Value; plain && (name == "@" || name == "*") {
		return joined(s.args)
	}
	n, err := strconv.Atoi(pe.Param.Value)
	if err != nil || n < 1 {
		return s.vars.resolve(part, text)
	}
	value, known := word{known: true}, n > len(s.args)
	if !known {
		value = s.args[n-1]
		known = value.known
	}
	if plain || !known {
		return value.text, known
	}
	vars := values{}
	maps.Copy(vars, s.vars)
	if vars[pe.Param.Value] = value.text; n > len(s.args) {
		delete(vars, pe.Param.Value)
	}
	return vars.resolve(part, text)
}

// positional follows the commands that change the arguments: shift, and set --.
func (s *scope) positional(tool string, args []word) {
	switch {
	case tool == "set":
		if i := slices.IndexFunc(args, func(w word) bool { return w.text == "--" }); i >= 0 {
			s.args = given(args[i+1:])
		} else {
			return
		}
	case s.args == nil:
		return
	default:
		n := 1
		if len(args) > 0 {
			n, _ = strconv.Atoi(args[0].text) // 0 if it is not known
		}
		if s.args = s.args[min(max(n, 0), len(s.args)):]; n <= 0 {
			s.args = nil
		}
	}
	if s.perhaps != s.since {
		s.args = nil
	}
}
