package v1alpha1

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A command's words reach its program unchanged, whatever they contain.
func TestAShellReadsTheWordsThatACommandIsMadeOf(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{
		{"plain", "a/b:c@d=e,f-g.h_i%j+k"},
		{"", "two  spaces", " around "},
		{"it's", `'\''`, `"`, `\`, "`id`", "$(id)", "$HOME", "!!", "a;b", "a|b", "a&&b", ">x", "<x", "#x", "~", "*", "?", "[a]", "{a,b}"},
		{`{"spec":{"selector":{"version":"blue"}}}`, "é ü 漢 🚆"},
	} {
		command := Shell(append([]string{"printf", `%s\n`}, words...)...)
		if !command.Shown() {
			t.Errorf("%q makes no command", words)
			continue
		}
		out, err := exec.Command("sh", "-c", string(command)).Output() //nolint:gosec // the text under test
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(words, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", command, diff)
		}
	}
}

// Characters that a reader cannot see, or would paste as something else, make no command.
func TestWhatCannotBeSeenMakesNoCommand(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"a\nb", "a\rb", "a\tb", "a\x00b", "a\x1b[2Jb", "a\u200bb", "a\u00adb", "a\u202eb", "a\u2066b", "a\ufeffb", "a\u2028b", "a\u00a0b",
		"a\u3000b", "a\u3164b", "a\u115fb",
		"a\u0301b", "a\ufe0fb", "a\u2800b", "a\U000e0041b", "a\xffb", "a\ue000b", strings.Repeat("x", MaxCommand),
	} {
		if c := Shell("echo", word); c != "" || ShellCommand("echo "+word).Shown() {
			t.Errorf("%.20q makes the command %q", word, c)
		}
	}
	good := Shell("echo", "x")
	if c := good.Then(Shell("echo", "a\nb")); c != "" {
		t.Errorf("without its command, the dependent text is %q", c)
	}
	if c := Shell("echo", "a\nb").Into(good); c != "" {
		t.Errorf("without its command, the text it is appended to is %q", c)
	}
	if got := Advise("x", good, "", good.Then(good)).Lines(); got != "x\necho x\necho x && echo x" {
		t.Errorf("the advice is %q", got)
	}
}

// Pinning a repository again keeps the other pins, and adds it once.
func TestCommandThatPinsARepositoryAgainKeepsTheOthers(t *testing.T) {
	t.Parallel()
	g := Grants{RepinAnnotation: "acme/app=1, acme/other=2,Acme/App=3"}
	if got, want := g.Repin("shop", "acme/app",
		666), ShellCommand("kubectl annotate --overwrite namespace shop turnout.dev/repin=acme/other=2,acme/app=666"); got != want {
		t.Errorf("the command is %q, want %q", got, want)
	}
}

func TestCommandsOfConditionsAreKeptApart(t *testing.T) {
	t.Parallel()
	var s BlueGreenStatus
	s.SetCommands("b", []ShellCommand{"2"})
	s.SetCommands("a", []ShellCommand{"1"})
	s.SetCommands("b", []ShellCommand{"3"})
	if !slices.Equal(s.CommandsOf("a"), []ShellCommand{"1"}) || !slices.Equal(s.CommandsOf("b"), []ShellCommand{"3"}) ||
		s.Commands[0].Condition != "a" {
		t.Errorf("they are %v", s.Commands)
	}
	if s.SetCommands("a", nil); s.CommandsOf("a") != nil || len(s.Commands) != 1 {
		t.Errorf("they are %v", s.Commands)
	}
}
