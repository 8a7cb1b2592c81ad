package cloudbuild

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// wordOf removes the quotes from a word.
func wordOf(w *syntax.Word, text string) word {
	out := word{known: true}
	out.add(w.Parts, text, false, nil)
	return out
}

// add appends the parts of a word. resolve knows the values of variables.
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

// unescaped removes backslashes; between double quotes only a few characters are escaped.
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

// shellEscapes are the escapes of echo, printf and $'…' that separate commands and words.
var shellEscapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`, `\'`, `'`, `\"`, `"`)

// source is the text of a node, as written.
func source(node syntax.Node, text string) string {
	from, to := int(node.Pos().Offset()), int(node.End().Offset()) //nolint:gosec // offsets in a text of 64 KB
	if from > to || to > len(text) {
		return "$?"
	}
	return text[from:to]
}

func plainWords(texts []string) []word {
	words := make([]word, len(texts))
	for i, text := range texts {
		words[i] = word{text: text, known: true}
	}
	return words
}

// given are arguments that are known completely, even if there are none.
func given(args []word) []word {
	if len(args) > maxWords {
		return nil
	}
	return append([]word{}, args...)
}

func joined(words []word) (string, bool) {
	texts, known := make([]string, 0, len(words)), true
	for _, w := range words {
		texts, known = append(texts, w.text), known && w.known
	}
	return strings.Join(texts, " "), known
}

// text is a command as written.
func text(argv []word) string {
	out, _ := joined(argv)
	return out
}

// operands are the words that are neither options nor values of options.
func operands(args []word, values []string) []word {
	var out []word
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i].text, "-") {
			out = append(out, args[i])
		} else if slices.Contains(values, args[i].text) {
			i++
		}
	}
	return out
}

func firstKnown(args []word, values []string) string {
	for _, w := range operands(args, values) {
		if w.known {
			return w.text
		}
	}
	return ""
}

// flagValues are the values of an option, written --name VALUE or --name=VALUE. After a
// short option such as -n no space is needed.
func flagValues(args []word, names ...string) []word {
	var out []word
	for i := 0; i < len(args); i++ {
		for _, name := range names {
			switch value, joined := strings.CutPrefix(args[i].text, name+"="); {
			case joined:
				out = append(out, word{text: value, known: args[i].known})
			case args[i].text == name && i+1 < len(args):
				i++
				out = append(out, args[i])
			case len(name) == 2 && strings.HasPrefix(args[i].text, name):
				out = append(out, word{text: args[i].text[2:], known: args[i].known})
			default:
				continue
			}
			break
		}
	}
	return out
}

// isSet reports whether a switch is on.
func isSet(args []word, name string) bool {
	return slices.ContainsFunc(args, func(w word) bool { return w.text == name || w.text == name+"=true" })
}

func isOff(args []word, name string) bool {
	return slices.ContainsFunc(args, func(w word) bool { return w.text == name+"=false" })
}

// called is a command as messages show it: its name and, for a runner, its first argument. Any
// other argument may be a secret.
func called(argv []word) string {
	if len(argv) > 1 && slices.Contains(runners, path.Base(argv[0].text)) {
		return quoted(argv[:2])
	}
	return quoted(argv[:1])
}

// quoted is a command in quotes, on one line.
func quoted(argv []word) string {
	texts := make([]string, 0, len(argv))
	for _, w := range argv {
		texts = append(texts, clipped(strings.Join(strings.Fields(w.text), " ")))
	}
	return `"` + strings.Join(texts, " ") + `"`
}

// fileName is a file's name in the records: a step starts in /workspace.
func fileName(text string) string {
	return strings.TrimPrefix(strings.TrimPrefix(text, "/workspace/"), "./")
}
