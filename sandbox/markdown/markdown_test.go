package markdown

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommentsAreRendered(t *testing.T) {
	for text, want := range map[string]string{
		"### Done":                    "<h3>Done</h3>",
		"[`abc`](https://x.test/c/1)": `<a href="https://x.test/c/1" rel="nofollow"><code>abc</code></a>`,
		"| Step | Took |\n|---|---|\n| build | 1 s |": "<td>build</td>",
		"one\ntwo":       "<br",
		"```sh\nls\n```": "<pre><code>ls\n</code></pre>",
		"<details><summary>Log</summary>\n\n```\nfailed\n```\n</details>":             "<details><summary>Log</summary>",
		"<!-- turnout:release -->\ntext":                                              "<p>text</p>",
		"<script>alert(1)</script>text":                                               "text",
		`<img src=x onerror=alert(1)><a href="javascript:alert(1)">a</a>`:             "a",
		"[a](javascript:alert(1))":                                                    "a",
		`<a href="https://x.test" onclick="alert(1)" style="position:fixed">a</a>end`: `<a href="https://x.test" rel="nofollow">a</a>end`,
	} {
		got := string(HTML(text))
		if !strings.Contains(got, want) {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
		for _, bad := range []string{"script", "<img", "onerror", "onclick", "style", "<!--", "javascript:"} {
			if strings.Contains(got, bad) {
				t.Errorf("%q gives %q, which has %q", text, got, bad)
			}
		}
	}
}

// Every comment that Turnout writes is shown as GitHub shows it: nothing of Markdown's is left over.
func TestTurnoutsCommentsAreRendered(t *testing.T) {
	files, err := filepath.Glob("../../bot/report/testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d comments, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "hostile.golden" {
			continue // there Turnout shows others' Markdown as they wrote it
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(HTML(string(text)))) {
			if strings.Contains(line, "](http") || strings.HasPrefix(line, "### ") || strings.HasPrefix(line, "|--") {
				t.Errorf("%s: %s", filepath.Base(file), line)
			}
		}
	}
}
