package cloudbuild

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// script looks at every command of a shell script, wherever it is.
func (s *sight) script(text string) {
	if *s.budget -= len(text); s.shells >= maxShells || *s.budget < 0 {
		s.cannotSee("runs more shells than Turnout follows")
		return
	}
	s.shells++
	defer func() { s.shells-- }()
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	file, err := parseShell(text)
	if err != nil {
		s.cannotSee("runs a script that does not parse as a shell script (" + err.Error() + ")")
		return
	}
	names := s.declarations(file, text)
	s.walk(file, text)
	s.uncalled(names)
}

// child looks at a script that another shell runs, with its arguments. Its assignments stay in
// that shell, unless it is the step's own shell.
func (s *sight) child(text string, args []word) {
	outer, nested := s.scope.args, s.shells > 0
	s.scope.args = given(args)
	if nested {
		s.scope.perhaps++
	}
	s.script(text)
	if nested {
		s.scope.perhaps--
	}
	s.scope.args = outer
}

// parseShell parses bash, which covers nearly all of sh, and otherwise sh.
func parseShell(text string) (*syntax.File, error) {
	if len(text) > maxScript ||
		strings.Count(text, "(")+strings.Count(text, "{")+strings.Count(text, "[")+strings.Count(text, "!")+strings.Count(text, "`") > maxOpen {
		return nil, errors.New("it is too long or too deeply nested")
	}
	file, err := syntax.NewParser().Parse(strings.NewReader(text), "")
	if err == nil {
		return file, nil
	}
	if posix, other := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), ""); other == nil {
		return posix, nil
	}
	if bad, ok := errors.AsType[syntax.ParseError](err); ok { // the error's text may contain a secret
		return nil, fmt.Errorf("at its line %d", bad.Pos.Line())
	}
	return nil, errors.New("at an unknown line")
}

// declarations records a script's functions and aliases.
func (s *sight) declarations(file *syntax.File, text string) (functions []string) {
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.FuncDecl:
			if n.Name != nil && n.Body != nil {
				functions = union(functions, []string{n.Name.Value})
				s.functions = with(s.functions, n.Name.Value, &function{body: n.Body, text: text, locals: localsOf(n.Body)})
			}
		case *syntax.CallExpr:
			if len(n.Args) > 1 && wordOf(n.Args[0], text).text == "alias" {
				for _, w := range n.Args[1:] {
					if name, value, ok := strings.Cut(wordOf(w, text).text, "="); ok {
						s.aliases = with(s.aliases, name, value)
					}
				}
			}
		}
		return true
	})
	return functions
}

func localsOf(body *syntax.Stmt) (names []string) {
	syntax.Walk(body, func(node syntax.Node) bool {
		if d, ok := node.(*syntax.DeclClause); ok && (d.Variant.Value == "local" || d.Variant.Value == "declare") {
			for _, a := range d.Args {
				if a.Name != nil {
					names = union(names, []string{a.Name.Value})
				}
			}
		}
		return true
	})
	return names
}

// shell looks at what a shell runs: a text after -c, a file, or its standard input.
func (s *sight) shell(args []word, in input) {
	command, reads := false, false
	for len(args) > 0 && len(args[0].text) > 1 && (args[0].text[0] == '-' || args[0].text[0] == '+') {
		flag := args[0].text
		args = args[1:]
		if flag == "--" {
			break
		}
		takes := slices.Contains([]string{"--rcfile", "--init-file"}, flag)
		if !strings.HasPrefix(flag, "--") {
			command = command || flag[0] == '-' && strings.Contains(flag, "c")
			reads = reads || flag[0] == '-' && strings.Contains(flag, "s")
			takes = strings.HasSuffix(flag, "o") || strings.HasSuffix(flag, "O")
		}
		if takes && len(args) > 0 {
			args = args[1:]
		}
	}
	rest := args
	switch {
	case command && len(args) > 0 && args[0].text != "…":
		s.child(args[0].text, args[min(2, len(args)):])
	case command:
		s.cannotSee("runs a shell whose command is known only when the step runs")
	case len(args) > 0 && !reads && args[0].text != "-" && args[0].text != "/dev/stdin":
		s.scriptFile(args, in)
	case in.given && in.known:
		s.child(in.text, rest)
	case in.given:
		s.cannotSee("runs a shell that reads its commands from elsewhere")
	}
}
