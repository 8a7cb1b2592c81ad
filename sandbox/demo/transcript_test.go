package demo

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

const project = "../.."

var update = flag.Bool("update", false, "write the demo's transcript into docs/demo.md, and a merge of it into README.md")

// inside is the network namespace that the demo's world lives in.
var inside *netns.Namespace //nolint:gochecknoglobals // TestMain has no other way to hand it over

func TestMain(m *testing.M) {
	var err error
	inside, err = netns.Enter(netns.Options{Listen: map[string]string{
		world.ListenWeb: "127.0.0.1:0", world.ListenGitHub: "127.0.0.1:0",
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const (
	whole = "docs/demo.md"
	part  = "README.md"
)

var (
	// transcriptBlock is the transcript in docs/demo.md. A comment in it may contain blocks; these
	// are indented.
	transcriptBlock = regexp.MustCompile("(?ms)^(```\n)(registry ready after .*?)^(```\n)")
	// mergeBlock is the merge in README.md. A test of docs/ holds it against docs/demo.md.
	mergeBlock = regexp.MustCompile("(?ms)^(```\n)(Merge: .*?)^(```\n)")
	// merge is that part of the transcript, until users have the new version.
	merge = regexp.MustCompile(`(?ms)^Merge: .*?: Succeeded [^\n]*\n`)
)

func TestThePageShowsWhatTheDemoPrints(t *testing.T) {
	printed := run(t)
	if *update {
		rewrite(t, whole, transcriptBlock, printed)
		rewrite(t, part, mergeBlock, merge.FindString(printed))
		return
	}
	block := transcriptBlock.FindStringSubmatch(read(t, whole))
	if block == nil {
		t.Fatalf("%s has no transcript of the demo", whole)
	}
	shown, rest := shapes(block[2]), shapes(printed)
	if len(shown) < 60 {
		t.Errorf("%s shows %d lines of the demo", whole, len(shown))
	}
	for _, line := range shown {
		i := 0
		for i < len(rest) && rest[i] != line {
			i++
		}
		if i == len(rest) {
			t.Fatalf("%s shows a line that the demo does not print there: %s\nrenew the transcript with go test ./demo -update; the demo "+
				"printed\n%s", whole, line, printed)
		}
		rest = rest[i+1:]
	}
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(project, page))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rewrite puts a text into the one block of a page.
func rewrite(t *testing.T, page string, block *regexp.Regexp, text string) {
	t.Helper()
	before := read(t, page)
	at := block.FindAllStringSubmatchIndex(before, -1)
	if len(at) != 1 || text == "" {
		t.Fatalf("%s has %d blocks for the transcript, want one for\n%s", page, len(at), text)
	}
	after := before[:at[0][4]] + text + before[at[0][5]:]
	if err := os.WriteFile(filepath.Join(project, page), []byte(after), 0o644); err != nil { //nolint:gosec // G306: a page
		t.Fatal(err)
	}
}

// run runs the demo in a world of its own and returns its output.
func run(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	o := start(t, &out)
	if err := Run(context.WithoutCancel(t.Context()), o); err != nil {
		t.Fatalf("%v; it printed\n%s", err, &out)
	}
	return out.String()
}

// start starts a world and Turnout in it.
func start(t *testing.T, out io.Writer) Options {
	t.Helper()
	dir := t.TempDir()
	ctx := t.Context()
	w, err := world.Start(ctx, world.Options{
		Inside: inside, Dir: dir, CRDs: []string{project + "/config/crd"}, Seeds: Seeds(project), BackoffScale: 0.1,
		LoadBalancer: gclb.Config{Speed: Speed}, Audit: turnout.Auditing(), Progress: func(line string) { fmt.Fprintln(out, line) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop()
		nothingRefused(t, w)
	})
	binary, err := turnout.Start(ctx, turnout.Options{Project: project, World: w, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := binary.Stop(); err != nil {
			t.Error(err)
		}
	})
	fmt.Fprintln(out, "turnout serve is ready")
	if err := w.AwaitLoadBalancer(ctx); err != nil {
		t.Fatal(err)
	}
	return Options{Project: project, World: w, Turnout: binary, Out: out}
}

// nothingRefused checks in the API server's audit log that config/rbac grants enough for the demo.
// The scenarios, which do everything, check that it does not grant too much.
func nothingRefused(t *testing.T, w *world.World) {
	t.Helper()
	audited, err := turnout.ReadAudit(w, project)
	if err != nil {
		t.Error(err)
	}
	for _, request := range audited.Refused {
		t.Errorf("turnout was refused a request: %s", request)
	}
}

var (
	uid  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	hash = regexp.MustCompile(`\b[0-9a-f]{7,64}\b`)
	pod  = regexp.MustCompile(`-[0-9a-z]{8,10}-[0-9a-z]{5}\b`)
	took = regexp.MustCompile(`\b[\d.]+ ?(ms|s)\b`)
	// lagged appears for front ends that lag.
	lagged = regexp.MustCompile(`, old one until [\d.]+ m?s`)
	// date appears for times on other days.
	date   = regexp.MustCompile(`until \d+ [A-Z][a-z]{2} `)
	number = regexp.MustCompile(`\d+`)
	blanks = regexp.MustCompile(`\s+`)
)

// shapes are the lines without the parts that differ from run to run.
func shapes(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = pod.ReplaceAllString(uid.ReplaceAllString(line, "UID"), "-POD")
		line = date.ReplaceAllString(lagged.ReplaceAllString(line, ""), "until ")
		line = took.ReplaceAllString(hash.ReplaceAllString(line, "HASH"), "TIME")
		line = number.ReplaceAllString(line, "N")
		line = strings.TrimSpace(blanks.ReplaceAllString(line, " "))
		// A sum has as many terms as it needs.
		if line != "" && !strings.Contains(line, " requests: ") {
			lines = append(lines, line)
		}
	}
	return lines
}
