package firsthour

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// person types commands in a shell, in a clone of the repository, and sends forms in a browser.
type person struct {
	t       *testing.T
	dir     string
	browser http.Client
	began   time.Time
	// transcript is what was typed and printed, and typed has the commands alone.
	transcript strings.Builder
	typed      []string
}

func newPerson(t *testing.T) *person {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, dir: t.TempDir(), browser: http.Client{Jar: jar}, began: time.Now()}
}

// tell writes a line of the transcript, with the time since the beginning.
func (p *person) tell(format string, args ...any) {
	fmt.Fprintf(&p.transcript, "%6.1fs  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}

func (p *person) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = p.dir
	// A home of its own: no settings of the machine's user reach the story.
	cmd.Env = append(os.Environ(), "KUBECONFIG="+running.Kubeconfig, "PATH="+running.bin+":"+os.Getenv("PATH"), "HOME="+p.dir)
	return cmd
}

// types types a command, waits for its end and returns its output. The command must succeed.
func (p *person) types(line string) string {
	p.t.Helper()
	out, err := p.tries(line)
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", line, err, p.transcript.String())
	}
	return out
}

// tries types a command that may fail.
func (p *person) tries(line string) (string, error) {
	p.t.Helper()
	p.tell("$ %s", line)
	p.typed = append(p.typed, line)
	ctx, cancel := context.WithTimeout(p.t.Context(), patience) // kubectl waits ten minutes for pods that do not start
	defer cancel()
	cmd := p.command(ctx, "exec "+line)
	cmd.WaitDelay = time.Second
	text, err := cmd.CombinedOutput()
	for shown := range strings.Lines(string(text)) {
		fmt.Fprintf(&p.transcript, "         %s\n", strings.TrimRight(shown, " \n"))
	}
	return string(text), err
}

// keeps types a command that goes on until the returned function is called. It returns once the
// command has printed a text.
func (p *person) keeps(line, until string) (stop func()) {
	p.t.Helper()
	p.tell("$ %s", line)
	p.typed = append(p.typed, line)
	ctx, cancel := context.WithCancel(p.t.Context())
	cmd := p.command(ctx, "exec "+line)
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	var wrong strings.Builder
	cmd.Stderr = &wrong
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); ; {
		if !lines.Scan() {
			cancel()
			p.t.Fatalf("%s: it printed no %q, and %s (%v)", line, until, wrong.String(), cmd.Wait())
		}
		fmt.Fprintf(&p.transcript, "         %s\n", lines.Text())
		if strings.Contains(lines.Text(), until) {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the command
	return func() {
		cancel()
		_ = cmd.Wait() // it was ended
	}
}

// count is how many of the typed commands begin with a word.
func (p *person) count(word string) int {
	n := 0
	for _, line := range p.typed {
		if strings.HasPrefix(line, word+" ") {
			n++
		}
	}
	return n
}

// sends sends a form, and returns the page that comes back.
func (p *person) sends(address string, values url.Values) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.browser.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: status %d, %v\n%s", address, resp.StatusCode, err, text)
	}
	return string(text)
}

// find returns what a pattern captures in a text.
func (p *person) find(text, pattern string) string {
	p.t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		p.t.Fatalf("no %s in\n%s", pattern, text)
	}
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#43;", "+").Replace(match[1])
}

// writes writes a file of the clone.
func (p *person) writes(name, text string) {
	p.t.Helper()
	to := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// await waits until something holds. It fails the test with what was last seen.
func (p *person) await(what string, holds func(ctx context.Context) (bool, string)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var seen string
	for tick := time.Tick(100 * time.Millisecond); ctx.Err() == nil; {
		var ok bool
		if ok, seen = holds(ctx); ok {
			return
		}
		select {
		case <-tick:
		case <-ctx.Done():
		}
	}
	p.t.Fatalf("waited %s for %s; last seen: %s\n%s", patience, what, seen, p.transcript.String())
}

// patience bounds every wait, and every command.
const patience = time.Minute
