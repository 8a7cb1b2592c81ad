package cloudbuild

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

const (
	// maxCalls is how many calls of functions and turns of loops are followed in a
	// step, and maxWords how many words a command may come to by them.
	maxCalls = 200
	maxWords = 2_000
)

// function is one that a script defines. Its commands are looked at where it is
// called, with the arguments that it gets there.
type function struct {
	body *syntax.Stmt
	text string // of the script
	// locals are the variables that are its own.
	locals         []string
	called, active bool
}

// walk looks at every command below a node, in the order of the text.
func (s *sight) walk(root syntax.Node, text string) {
	stdin := map[*syntax.Stmt]input{}
	var above []bool // which of the nodes above leave it open whether, or where, they run what they hold
	syntax.Walk(root, func(node syntax.Node) bool {
		if node == nil {
			if above[len(above)-1] {
				s.perhaps--
			}
			above = above[:len(above)-1]
			return true
		}
		switch n := node.(type) {
		case *syntax.FuncDecl:
			return false
		case *syntax.ForClause:
			if s.turns(n, text) {
				return false
			}
		case *syntax.BinaryCmd:
			if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
				stdin[lastOf(n.Y)] = s.printed(n.X, text)
			}
		case *syntax.Stmt:
			s.statement(n, text, stdin[n])
		case *syntax.DeclClause:
			s.assign(n.Args, text)
		case *syntax.WordIter:
			s.loop(n, text)
		}
		open := leavesOpen(node)
		if above = append(above, open); open {
			s.perhaps++
		}
		return true
	})
}

// leavesOpen tells the nodes whose commands may not run, or run in a shell of their
// own.
func leavesOpen(node syntax.Node) bool {
	switch n := node.(type) {
	case *syntax.IfClause, *syntax.CaseClause, *syntax.WhileClause, *syntax.ForClause, *syntax.BinaryCmd,
		*syntax.Subshell, *syntax.CmdSubst, *syntax.ProcSubst, *syntax.CoprocClause:
		return true
	case *syntax.Stmt:
		return n.Background
	default:
		return false
	}
}

func (s *sight) statement(n *syntax.Stmt, text string, piped input) {
	call, ok := n.Cmd.(*syntax.CallExpr)
	if !ok {
		return
	}
	s.assign(call.Assigns, text)
	if len(call.Args) == 0 {
		return
	}
	in, words := s.redirected(n, text, piped), s.words(call.Args, text)
	if len(words) > 0 {
		s.writes(n, words, in, text)
		s.run(words, in)
	}
}

// call follows a function into its commands.
func (s *sight) call(f *function, args []word) {
	size := int(f.body.End().Offset()) - int(f.body.Pos().Offset()) //nolint:gosec // offsets in a text of 64 KB
	if f.active {
		return // they are being looked at
	}
	if s.calls >= maxCalls || *s.budget < size {
		s.cannotSee("calls more functions than Turnout reads")
		return
	}
	s.calls++
	*s.budget -= size
	outerArgs, outerSince, outerVars := s.args, s.since, map[string]string{}
	for _, name := range f.locals {
		if value, ok := s.vars[name]; ok {
			outerVars[name] = value
		}
		delete(s.vars, name)
		delete(s.unsure, name)
	}
	f.called, f.active = true, true
	s.args, s.since = args, s.perhaps
	s.walk(f.body, f.text)
	f.active = false
	s.args, s.since = outerArgs, outerSince
	for _, name := range f.locals {
		delete(s.vars, name)
	}
	if s.vars != nil {
		maps.Copy(s.vars, outerVars)
	}
}

// given are arguments that are known to be all; there may be none.
func given(args []word) []word {
	if len(args) > maxWords {
		return nil
	}
	return append([]word{}, args...)
}

// uncalled looks at the functions that nothing is seen to call.
func (s *sight) uncalled(names []string) {
	for _, name := range names {
		if f := s.functions[name]; !f.called {
			s.perhaps++
			s.call(f, nil)
			s.perhaps--
		}
	}
}

// turns follows a loop over words that are known, one turn after the other. It is
// of no use where no variable is looked up.
func (s *sight) turns(n *syntax.ForClause, text string) bool {
	iter, ok := n.Loop.(*syntax.WordIter)
	if !ok || n.Select || s.vars == nil || !iter.InPos.IsValid() {
		return false
	}
	items := s.words(iter.Items, text)
	size := (int(n.End().Offset()) - int(n.Pos().Offset())) * len(items) //nolint:gosec // offsets in a text of 64 KB
	if len(items) < 2 || s.calls+len(items) > maxCalls || *s.budget < size ||
		slices.ContainsFunc(items, func(w word) bool { return !w.known }) {
		return false
	}
	s.calls += len(items)
	*s.budget -= size
	for _, item := range items {
		s.assigned(iter.Name.Value, item)
		for _, stmt := range n.Do {
			s.walk(stmt, text)
		}
	}
	return true
}

// words are those of a command, as a shell hands them on as far as that is known.
func (s *sight) words(args []*syntax.Word, text string) []word {
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

// isBareVariable: what stands for it is split into words.
func isBareVariable(w *syntax.Word) bool {
	_, ok := w.Parts[0].(*syntax.ParamExp)
	return ok && len(w.Parts) == 1
}

// allArgs are the words that "$@" stands for, or "${@:2}".
func (s *sight) allArgs(w *syntax.Word) ([]word, bool) {
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

// resolve is what a variable or an argument stands for.
func (s *sight) resolve(part syntax.WordPart, text string) (string, bool) {
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

func joined(words []word) (string, bool) {
	texts, known := make([]string, 0, len(words)), true
	for _, w := range words {
		texts, known = append(texts, w.text), known && w.known
	}
	return strings.Join(texts, " "), known
}

// positional follows what changes the arguments: shift, and set --.
func (s *sight) positional(tool string, args []word) {
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

// writes remembers a file that a step writes from its own text, for it may be run.
func (s *sight) writes(n *syntax.Stmt, words []word, in input, text string) {
	var names []word
	for _, r := range n.Redirs {
		if r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.RdrClob {
			names = append(names, s.word(r.Word, text))
		}
	}
	body := printedBy(words, in)
	if words[0].text == "tee" {
		names, body = append(names, operands(words[1:], nil)...), in
	}
	for _, name := range names {
		if name.known && body.known && len(s.files) < maxSteps {
			s.files[fileName(name.text)] = body.text
		}
	}
}

// fileName is how a file is remembered: a step begins in /workspace.
func fileName(text string) string {
	return strings.TrimPrefix(strings.TrimPrefix(text, "/workspace/"), "./")
}
