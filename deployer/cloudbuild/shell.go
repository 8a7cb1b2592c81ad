package cloudbuild

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

const (
	// maxShells is how deep shells in shells are followed, and maxShellBytes how
	// much of one file is parsed in all: a text in $() is met at every level.
	maxShells     = 8
	maxShellBytes = 2 << 20
	// maxScript and maxOpen bound what a parser, which calls itself at every
	// bracket, is given.
	maxScript = 64 << 10
	maxOpen   = 4_000
)

// word is a word of a command. What a shell would replace in it is as written.
type word struct {
	text string
	// known: nothing in it is replaced.
	known bool
}

// input is what a command reads: a here-document, a here-string, a pipe.
type input struct {
	text  string
	given bool // something is read
	known bool // and text is what
}

// sight is what can be seen of the commands that a step runs.
type sight struct {
	changes string   // the first that changes a cluster, in words; or ""
	serves  string   // one that opens a cluster to the commands after it
	waits   string   // one that waits for a change
	looks   bool     // one reads a cluster
	builds  bool     // one builds an image
	loads   bool     // one leaves an image in the worker's Docker
	others  []string // further ones, of which nothing is known
	unseen  []string // those that may change a cluster, as far as can be seen

	own       []string // last segments of the images that the file lists
	suspect   bool     // the step's id speaks of deploying
	speaks    bool     // what it runs does
	functions map[string]*function
	aliases   map[string]string
	files     map[string]string // that steps write from their own text
	shells    int
	calls     int  // of functions, and turns of loops, followed so far
	budget    *int // of all steps: bytes that may still be looked at

	// args are the arguments that a function or a script gets; nil: not known.
	args []word
	// perhaps counts what leaves it open whether a command runs, and since is what
	// it was when the function that is followed was called.
	perhaps, since int

	at       int // the step's index
	commands int // seen so far
	pushes   []push
	// vars are the variables of the step's shell whose value is known; nil: none is
	// looked up. One that is unsure has more than one value.
	vars   values
	unsure map[string]bool
	// told is called with every word that a command gets and every value of a variable.
	// Optional.
	told func(text string)
}

var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "mksh"}

// script looks at every command of a shell script, wherever it stands in it.
func (s *sight) script(text string) {
	if *s.budget -= len(text); s.shells >= maxShells || *s.budget < 0 {
		s.cannotSee("runs more shells than Turnout reads")
		return
	}
	s.shells++
	defer func() { s.shells-- }()
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	file, err := parseShell(text)
	if err != nil {
		s.cannotSee("runs a script that does not parse as a shell's (" + err.Error() + ")")
		return
	}
	names := s.declarations(file, text)
	s.walk(file, text)
	s.uncalled(names)
}

// child looks at a script that another shell runs, with its arguments: what it
// assigns stays there, unless it is the step's own.
func (s *sight) child(text string, args []word) {
	outer, nested := s.args, s.shells > 0
	s.args = given(args)
	if nested {
		s.perhaps++
	}
	s.script(text)
	if nested {
		s.perhaps--
	}
	s.args = outer
}

// parseShell parses bash, which is nearly all of sh, and else sh.
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
	if bad, ok := errors.AsType[syntax.ParseError](err); ok { // its text may hold what nobody should read
		return nil, fmt.Errorf("at its line %d", bad.Pos.Line())
	}
	return nil, errors.New("at an unknown line")
}

// declarations remembers the functions and aliases of a script.
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

func with[V any](m map[string]V, key string, value V) map[string]V {
	if m == nil {
		m = map[string]V{}
	}
	m[key] = value
	return m
}

// lastOf is the statement of a pipe's right side that reads it.
func lastOf(stmt *syntax.Stmt) *syntax.Stmt {
	for {
		pipe, ok := stmt.Cmd.(*syntax.BinaryCmd)
		if !ok || pipe.Op != syntax.Pipe && pipe.Op != syntax.PipeAll {
			return stmt
		}
		stmt = pipe.X
	}
}

// printed is what a pipe's left side writes, where that is plain to see: echo,
// printf and cat of a here-document.
func (s *sight) printed(stmt *syntax.Stmt, text string) input {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Args) == 0 {
		return input{given: true}
	}
	words := s.words(call.Args, text)
	if len(words) == 0 {
		return input{given: true}
	}
	return printedBy(words, s.redirected(stmt, text, input{}))
}

// printedBy is what a command writes that reads in.
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

// shellEscapes are those of echo, printf and $” that part commands and words.
var shellEscapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`, `\'`, `'`, `\"`, `"`)

// redirected is what a statement reads; otherwise is what is piped to it.
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
			return input{text: s.word(r.Word, text).text, given: true, known: true}
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

// wordOf takes the quotes away from a word.
func wordOf(w *syntax.Word, text string) word {
	out := word{known: true}
	out.add(w.Parts, text, false, nil)
	return out
}

// add takes up the parts of a word. resolve knows what a variable stands for.
func (w *word) add(parts []syntax.WordPart, text string, quoted bool, resolve func(syntax.WordPart, string) (string, bool)) {
	for _, part := range parts {
		switch p := part.(type) {
		case *syntax.Lit:
			w.text += unescaped(p.Value, quoted)
		case *syntax.SglQuoted:
			if w.text += p.Value; p.Dollar {
				w.text = strings.TrimSuffix(w.text, p.Value) + shellEscapes.Replace(p.Value)
			}
		case *syntax.DblQuoted:
			w.add(p.Parts, text, true, resolve)
		default:
			value, known := "", false
			if resolve != nil {
				value, known = resolve(p, text)
			}
			if !known || len(w.text)+len(value) > maxScript {
				value, w.known = source(p, text), false
			}
			w.text += value
		}
	}
}

// unescaped takes backslashes away; between double quotes few are shellEscapes.
func unescaped(text string, quoted bool) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (!quoted || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			if text[i] == '\n' {
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// source is a node as it is written.
func source(node syntax.Node, text string) string {
	from, to := int(node.Pos().Offset()), int(node.End().Offset()) //nolint:gosec // offsets in a text of 64 KB
	if from > to || to > len(text) {
		return "$?"
	}
	return text[from:to]
}

// interpreter is what runs a script by its first line: the base name of the
// program, "sh" without one.
func interpreter(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	line, ok := strings.CutPrefix(first, "#!")
	if !ok {
		return "sh"
	}
	for part := range strings.FieldsSeq(line) {
		if base := path.Base(part); base != "env" && !strings.HasPrefix(part, "-") && !strings.Contains(part, "=") {
			return base
		}
	}
	return ""
}

// shell looks at what a shell is given: a text after -c, a file, or what it
// reads.
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

// cannotSee notes what may change a cluster, or not.
func (s *sight) cannotSee(what string) { s.unseen = note(s.unseen, what) }

// note adds what is not there yet; a message has room for few.
func note(list []string, what string) []string {
	if len(list) >= 8 {
		return list
	}
	return union(list, []string{what})
}
