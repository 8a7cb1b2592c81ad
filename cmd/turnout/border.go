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

// border is where this program's output reaches a person: a terminal, a pipe, a workflow's
// log. Nothing written to it is obeyed there, and it masks secrets of known shapes. It
// writes whole lines.
type border struct {
	mu   sync.Mutex
	out  io.Writer
	line []byte // not ended yet
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

// flush writes an unfinished line.
func (b *border) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.WriteString(b.out, shown(string(b.line)))
	b.line = nil
}

// beyond is the writer behind a border, for callers that do the border's work themselves.
func beyond(out io.Writer) io.Writer {
	if b, ok := out.(*border); ok {
		return b.out
	}
	return out
}

// terminalOf is the terminal behind a writer; nil if there is none.
func terminalOf(out io.Writer, isTerminal func(int) bool) *os.File {
	file, ok := beyond(out).(*os.File)
	if !ok || !isTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return file
}

// shown makes lines fit to print: neutral, masked, and not a command for a workflow's
// runner.
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

// shownLine is a text as one line; leading spaces stay.
func shownLine(text string) string {
	return shown(strings.ReplaceAll(prose.Neutral(text), "\n", " "))
}

// oneLine makes a text from outside, such as a pod's log line, fit for a part of a line.
func oneLine(s string) string { return prose.OneLine(s) }

// table aligns columns; each cell is one line.
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

// commands prints commands below a row, each whole on its own line.
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

// jsonLine is an object on one line, with a line break. It escapes what a terminal or a
// runner would obey; to a program it is the same.
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

// logged is the longest value in a log.
const logged = 8 << 10

// maskLog masks the values of a log: errors may quote what servers answered.
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
