package cloudbuild

import (
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// input is what a command reads: a here-document, a here-string, a pipe.
type input struct {
	text  string
	given bool // the command reads something
	known bool // text is complete
}

// redirected is what a statement reads; otherwise is its piped input.
func (s *sight) redirected(stmt *syntax.Stmt, text string, otherwise input) input {
	for _, r := range stmt.Redirs {
		switch r.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			if r.Hdoc == nil {
				return input{given: true, known: true}
			}
			body := source(r.Hdoc, text)
			if r.Op == syntax.DashHdoc {
				body = leadingTabs.ReplaceAllString(body, "")
			}
			return input{text: body, given: true, known: true}
		case syntax.WordHdoc:
			return input{text: s.scope.word(r.Word, text).text, given: true, known: true}
		case syntax.RdrIn:
			if body, ok := s.files[fileName(wordOf(r.Word, text).text)]; ok {
				return input{text: body, given: true, known: true}
			}
			return input{given: true}
		default: // not what is read
		}
	}
	return otherwise
}

var leadingTabs = regexp.MustCompile(`(?m)^\t+`)

// lastOf is the statement on a pipe's right side that reads from it.
func lastOf(stmt *syntax.Stmt) *syntax.Stmt {
	for {
		pipe, ok := stmt.Cmd.(*syntax.BinaryCmd)
		if !ok || pipe.Op != syntax.Pipe && pipe.Op != syntax.PipeAll {
			return stmt
		}
		stmt = pipe.X
	}
}

// printed is what a pipe's left side writes, if visible: echo, printf, and cat of a
// here-document.
func (s *sight) printed(stmt *syntax.Stmt, text string) input {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return input{given: true}
	}
	words := s.scope.words(call.Args, text)
	if len(words) == 0 {
		return input{given: true}
	}
	return printedBy(words, s.redirected(stmt, text, input{}))
}

// printedBy is what a command with input in writes.
func printedBy(words []word, in input) input {
	switch words[0].text {
	case "echo":
		var out []string
		for _, w := range words[1:] {
			if !strings.HasPrefix(w.text, "-") {
				out = append(out, w.text)
			}
		}
		return input{text: shellEscapes.Replace(strings.Join(out, " ")), given: true, known: true}
	case "printf":
		var out []string
		for _, w := range words[1:] {
			if !strings.HasPrefix(w.text, "-") && !strings.HasPrefix(w.text, "%") {
				out = append(out, w.text)
			}
		}
		return input{text: shellEscapes.Replace(strings.Join(out, "\n")), given: true, known: true}
	case "cat", "tee":
		if in.known && len(operands(words[1:], nil)) == 0 {
			return in
		}
	}
	return input{given: true}
}

// writes records a file that a step writes from its own text: a later step may run it.
func (s *sight) writes(n *syntax.Stmt, words []word, in input, text string) {
	var names []word
	for _, r := range n.Redirs {
		if r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.RdrClob {
			names = append(names, s.scope.word(r.Word, text))
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
