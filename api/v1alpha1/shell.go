package v1alpha1

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxCommand bounds a command, in bytes as JSON stores it. A longer one is left out:
	// half a command does something else.
	MaxCommand = 1 << 10
	// MaxCommands is how many commands may accompany a text.
	MaxCommands = 3
)

// ShellCommand is one line for a POSIX shell, to be pasted as it stands. It is made
// by [Shell] and carried beside the text that it belongs to, never in it: texts are
// shortened and neutralised on their way to a reader, and a command must not be.
//
// +kubebuilder:validation:MaxLength=1024
type ShellCommand string

// Advice is a text for a person, and the commands that do what it says, in order. The text
// must be enough without them, since a command may be left out.
type Advice struct {
	// Text is what to know and to do.
	Text string `json:"text"`

	// Commands to paste into a shell, each whole, in this order.
	// +listType=atomic
	// +optional
	Commands []ShellCommand `json:"commands,omitempty"`
}

// UnmarshalJSON implements [json.Unmarshaler]. The first versions wrote only the text, as a
// string, and one such release in the cluster must not keep a newer version from reading all.
func (a *Advice) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*a = Advice{}
		return json.Unmarshal(text, &a.Text) //nolint:wrapcheck // the decoder says where
	}
	type plain Advice
	return json.Unmarshal(text, (*plain)(a)) //nolint:wrapcheck // the decoder says where
}

// Advise makes an advice. It drops empty commands.
func Advise(text string, commands ...ShellCommand) Advice {
	return Advice{Text: text, Commands: Commands(commands...)}
}

// Lines is the advice as lines: the text, and each command on its own line.
func (a Advice) Lines() string {
	if len(a.Commands) == 0 {
		return a.Text
	}
	return a.Text + "\n" + Lines(a.Commands)
}

// Lines are commands, each on a line.
func Lines(commands []ShellCommand) string {
	lines := make([]string, len(commands))
	for i, c := range commands {
		lines[i] = string(c)
	}
	return strings.Join(lines, "\n")
}

// Shell makes a command from words and quotes them, so each reaches the program unchanged.
// Anybody may have written the words. The result is empty if a word cannot be shown as it
// is, or the command is too long.
func Shell(words ...string) ShellCommand {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return whole(strings.Join(quoted, " "))
}

// Kubectl is a command of kubectl about one object of a namespace.
func Kubectl(verb, kind, name, namespace string, more ...string) ShellCommand {
	return Shell(append([]string{"kubectl", verb, kind, name, "-n", namespace}, more...)...)
}

// Merge is the command that merges a patch into an object. Repeating it changes nothing.
func Merge(kind, name, namespace string, patch map[string]any) ShellCommand {
	text, err := json.Marshal(patch)
	if err != nil {
		return "" // a patch is made of maps, strings and numbers
	}
	return Kubectl("patch", kind, name, namespace, "--type", "merge", "-p", string(text))
}

// Annotate is the command that sets an annotation of an object.
func Annotate(kind, name, namespace, key, value string) ShellCommand {
	return Kubectl("annotate", kind, name, namespace, "--overwrite", key+"="+value)
}

// Then is the command that runs next if this one succeeds. It is empty if either is: the
// second may depend on the first.
func (c ShellCommand) Then(next ShellCommand) ShellCommand { return c.join(" && ", next) }

// Into is the command that pipes this one's output into next.
func (c ShellCommand) Into(next ShellCommand) ShellCommand { return c.join(" | ", next) }

func (c ShellCommand) join(by string, next ShellCommand) ShellCommand {
	if c == "" || next == "" {
		return ""
	}
	return whole(string(c) + by + string(next))
}

// Shown reports whether a command is what it looks like, on one line, and not too long.
// Whoever shows recorded commands leaves out others.
func (c ShellCommand) Shown() bool { return c != "" && whole(string(c)) == c }

// Commands drops empty commands.
func Commands(all ...ShellCommand) []ShellCommand {
	var kept []ShellCommand
	for _, c := range all {
		if c != "" {
			kept = append(kept, c)
		}
	}
	return kept
}

// whole turns a text into a command; empty if it cannot be one.
func whole(text string) ShellCommand {
	stored, err := json.Marshal(text)
	if err != nil || len(stored)-len(`""`) > MaxCommand || !utf8.ValidString(text) || strings.ContainsFunc(text, unseen) {
		return ""
	}
	return ShellCommand(text)
}

// unseen reports whether a character is invisible or looks like another one: control and
// format characters, every space but the usual one, and characters that change the
// direction of writing or the previous character.
func unseen(r rune) bool {
	const blank = '\u2800' // of Braille, which counts as a symbol
	return !unicode.IsPrint(r) || unicode.IsMark(r) || r == blank || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// plainWord are the characters without a meaning to a shell.
const plainWord = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-"

// quote makes one shell word of a text.
func quote(text string) string {
	if text != "" && strings.Trim(text, plainWord) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
