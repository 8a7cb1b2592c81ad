package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// border is where what this program prints goes out to a person: a terminal, a
// pipe, a workflow's log. Whatever is written to it, nothing of it is obeyed there,
// and secrets of known shapes are masked. It writes whole lines.
type border struct {
	mu   sync.Mutex
	out  io.Writer
	line []byte // begun, and not ended yet
}

// Write implements [io.Writer].
func (b *border) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line = append(b.line, p...)
	end := bytes.LastIndexByte(b.line, '\n') + 1
	if end == 0 {
		return len(p), nil
	}
	text := shown(string(b.line[:end]))
	b.line = append(b.line[:0], b.line[end:]...)
	if _, err := io.WriteString(b.out, text); err != nil {
		return 0, fmt.Errorf("printing: %w", err)
	}
	return len(p), nil
}

// flush writes a line that nothing ended.
func (b *border) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.WriteString(b.out, shown(string(b.line)))
	b.line = nil
}

// beyond is what is behind a border, for whoever minds it himself.
func beyond(out io.Writer) io.Writer {
	if b, ok := out.(*border); ok {
		return b.out
	}
	return out
}

// terminalOf is the terminal that a writer leads to; nil if it leads to none.
func terminalOf(out io.Writer, isTerminal func(int) bool) *os.File {
	file, ok := beyond(out).(*os.File)
	if !ok || !isTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return file
}

// shown makes lines fit to be shown: neutral, masked, and no command to the runner
// of a workflow.
func shown(text string) string {
	text = prose.Mask(prose.Neutral(text))
	if !strings.Contains(text, "::") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if prose.Obeyed(line) {
			b.WriteString("| ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// shownLine is a text as one line that begins as it does.
func shownLine(text string) string {
	return shown(strings.ReplaceAll(prose.Neutral(text), "\n", " "))
}

// oneLine makes a text from outside, such as a log line of a pod, fit for a part of
// a line.
func oneLine(s string) string { return prose.OneLine(s) }

// table aligns columns; a cell is a text on one line, whatever it is made of.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, header ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if len(header) > 0 {
		_, _ = fmt.Fprintln(t.w, strings.Join(header, "\t"))
	}
	return t
}

func (t table) row(cells ...string) {
	for i := range cells {
		cells[i] = oneLine(cells[i])
	}
	_, _ = fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// commands shows commands below a row, each whole on a line of its own.
func (t table) commands(all []v1alpha1.ShellCommand) {
	for _, line := range commandLines(all) {
		_, _ = fmt.Fprintln(t.w, "\t"+strings.TrimSpace(line))
	}
}

func (t table) flush() error {
	if err := t.w.Flush(); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// jsonLine is an object on a line, with a line break, in which what a terminal or a
// runner obeys is escaped: it is the same to a program.
func jsonLine(object any) (string, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("printing: %w", err)
	}
	var b strings.Builder
	for _, r := range strings.ReplaceAll(string(text), "##[", `#\u0023[`) {
		switch {
		case r != '\u200d' && r != utf8.RuneError && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)):
			if r > 0xffff {
				hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
				fmt.Fprintf(&b, `\u%04x\u%04x`, hi, lo)
				continue
			}
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + "\n", nil
}

// logged bounds one value of a log.
const logged = 8 << 10

// maskLog masks the values of a log: errors hold what servers answered.
func maskLog(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() { //nolint:exhaustive // numbers and times hold no secret
	case slog.KindString:
		a.Value = slog.StringValue(prose.Block(a.Value.String(), logged))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(prose.Block(err.Error(), logged))
		}
	}
	return a
}
