package cloudbuild

import (
	"maps"
	"slices"

	"mvdan.cc/sh/v3/syntax"
)

// walk looks at every command below a node, in the order of the text.
func (s *sight) walk(root syntax.Node, text string) {
	stdin := map[*syntax.Stmt]input{}
	var above []bool // for each enclosing node: its commands may not run here, see leavesOpen
	syntax.Walk(root, func(node syntax.Node) bool {
		if node == nil {
			if above[len(above)-1] {
				s.scope.perhaps--
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
			s.scope.assign(n.Args, text)
		case *syntax.WordIter:
			s.scope.loop(n, text)
		}
		open := leavesOpen(node)
		if above = append(above, open); open {
			s.scope.perhaps++
		}
		return true
	})
}

// leavesOpen reports whether a node's commands may not run, or run in a shell of their
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
	s.scope.assign(call.Assigns, text)
	if len(call.Args) == 0 {
		return
	}
	in, words := s.redirected(n, text, piped), s.scope.words(call.Args, text)
	if len(words) > 0 {
		s.writes(n, words, in, text)
		s.run(words, in)
	}
}

// call follows a function call into its commands.
func (s *sight) call(f *function, args []word) {
	size := int(f.body.End().Offset()) - int(f.body.Pos().Offset()) //nolint:gosec // offsets in a text of 64 KB
	if f.active {
		return // a recursive call: its commands are already being followed
	}
	if s.calls >= maxCalls || *s.budget < size {
		s.cannotSee("calls more functions than Turnout follows")
		return
	}
	s.calls++
	*s.budget -= size
	outerArgs, outerSince, outerVars := s.scope.args, s.scope.since, map[string]string{}
	for _, name := range f.locals {
		if value, ok := s.scope.vars[name]; ok {
			outerVars[name] = value
		}
		delete(s.scope.vars, name)
		delete(s.scope.unsure, name)
	}
	f.called, f.active = true, true
	s.scope.args, s.scope.since = args, s.scope.perhaps
	s.walk(f.body, f.text)
	f.active = false
	s.scope.args, s.scope.since = outerArgs, outerSince
	for _, name := range f.locals {
		delete(s.scope.vars, name)
	}
	if s.scope.vars != nil {
		maps.Copy(s.scope.vars, outerVars)
	}
}

// uncalled looks at the functions without a visible call.
func (s *sight) uncalled(names []string) {
	for _, name := range names {
		if f := s.functions[name]; !f.called {
			s.scope.perhaps++
			s.call(f, nil)
			s.scope.perhaps--
		}
	}
}

// turns follows a loop over known words, one turn at a time. Without variables to look up, that
// would show nothing new.
func (s *sight) turns(n *syntax.ForClause, text string) bool {
	iter, ok := n.Loop.(*syntax.WordIter)
	if !ok || n.Select || s.scope.vars == nil || !iter.InPos.IsValid() {
		return false
	}
	items := s.scope.words(iter.Items, text)
	size := (int(n.End().Offset()) - int(n.Pos().Offset())) * len(items) //nolint:gosec // offsets in a text of 64 KB
	if len(items) < 2 || s.calls+len(items) > maxCalls || *s.budget < size ||
		slices.ContainsFunc(items, func(w word) bool { return !w.known }) {
		return false
	}
	s.calls += len(items)
	*s.budget -= size
	for _, item := range items {
		s.scope.assigned(iter.Name.Value, item)
		for _, stmt := range n.Do {
			s.walk(stmt, text)
		}
	}
	return true
}
