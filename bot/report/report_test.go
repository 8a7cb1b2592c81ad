package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func TestReportGolden(t *testing.T) {
	for name, tt := range reports() {
		t.Run(name, func(t *testing.T) {
			r := report.Of(&tt.App, tt.Rel, tt.Around)
			d, shown := r.Deployment, "no deployment\n"
			if d == nil {
				d = &report.Deployment{}
			} else {
				shown = fmt.Sprintf("deployment: %s %s to %s is %s\n%s\nlog: %s\naddress: %s\n", d.Task, d.Ref, d.Environment, d.State, d.Description,
					d.LogURL, d.EnvironmentURL)
			}
			got := fmt.Sprintf("%s\n### %s\n\n%s\n", shown, r.Headline, r.Comment)
			if n := utf8.RuneCountInString(d.Description); n > 140 {
				t.Errorf("the description has %d characters, GitHub takes 140", n)
			}
			file := filepath.Join("testdata", name+".golden")
			if *update {
				check(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			check(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("report (-want +got), rewrite with -update:\n%s", diff)
			}
		})
	}
}

// TestEveryGoldenIsReported finds golden files that no state makes.
func TestEveryGoldenIsReported(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	check(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".golden")
		if _, found := reports()[name]; !found {
			t.Errorf("%s belongs to no report: delete it", file)
		}
	}
}

// TestNothingHostileBreaksOut renders the hostile report as GitHub does, but without its
// sanitizer, and looks for anything that broke out.
func TestNothingHostileBreaksOut(t *testing.T) {
	tt := reports()["hostile"]
	r := report.Of(&tt.App, tt.Rel, tt.Around)
	var page strings.Builder
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	check(t, md.Convert([]byte("### "+r.Headline+"\n\n"+r.Comment), &page))
	out := page.String()
	if opened, closed := strings.Count(out, "<details>"), strings.Count(out, "</details>"); opened != 2 || closed != 2 {
		t.Errorf("%d folds opened and %d closed, want 2 and 2", opened, closed)
	}
	for _, bad := range []string{
		"<script", "<img", "<h1", "href=\"javascript:", "<strong>bold", "<del>", "href=\"http://www", "\x1b",
		"\u202e", "</summary></details>",
	} {
		if strings.Contains(out, bad) {
			t.Errorf("%q broke out:\n%s", bad, out)
		}
	}
	for block := out; ; { // GitHub finds mentions only outside of code
		i := strings.IndexByte(block, '@')
		if i < 0 {
			break
		}
		before := out[:len(out)-len(block)+i]
		inCode := strings.Count(before, "<code") > strings.Count(before, "</code>")
		if !inCode && !strings.HasPrefix(block[i:], "@\u200b") && !strings.HasPrefix(block[i:], "@&#8203;") {
			t.Errorf("a mention: …%s", block[max(0, i-20):min(len(block), i+20)])
		}
		block = block[i+1:]
	}
}

func TestVersionWithoutCommitHasNoDeployment(t *testing.T) {
	app := bottest.Shop()
	rel := command.NewRollback(&app, v1alpha1.RollbackSpec{
		From: bottest.NewVersion, To: v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1"}, Switch: "uid-new",
	}, v1alpha1.Cause{})
	if d := report.Of(&app, rel, report.Around{}).Deployment; d != nil {
		t.Errorf("deployment %+v for a version that GitHub does not know", d)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLinksLeadToThePagesOfTheServer: for every form in which people write its address.
func TestLinksLeadToThePagesOfTheServer(t *testing.T) {
	const server = "https://ghe.example.com"
	c := bottest.Reported(bottest.Building)
	for typed, want := range map[string]string{
		server: server, server + "/": server, server + "/api/v3": server, server + "/api/v3/": server,
		"": "https://github.com", "https://api.github.com": "https://github.com",
	} {
		r := report.Of(&c.App, c.Rel, report.Around{Web: typed})
		if !strings.Contains(r.Comment, "]("+want+"/acme/shop/commit/") {
			t.Errorf("%q: the comment does not link to %s:\n%s", typed, want, r.Comment)
		}
	}
}

// A comment is edited at once when the gate begins to decide about the way back, or a contract is
// owed: a reader acts on either.
func TestGistChangesWithTheWayBack(t *testing.T) {
	before := bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).With(migratedSince)
	before.App.Status.Schema.Expanded = nil
	gist := report.Of(&before.App, before.Rel, before.Around).Gist
	for name, change := range map[string]func(*bottest.Case){"the gate decides": migratedSince, "a contract is owed": owesContract} {
		after := bottest.Reported(bottest.Confirmed, bottest.Ends(v1alpha1.ReleaseSucceeded, 454)).With(change)
		if report.Of(&after.App, after.Rel, after.Around).Gist == gist {
			t.Errorf("%s: the gist is the same", name)
		}
	}
}
