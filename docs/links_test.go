package docs

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

const (
	readme = "../README.md"
	index  = "README.md"
	// longest is how many lines somebody new reads before the pages of docs/.
	longest = 220
	// screen is how many lines GitHub shows without scrolling.
	screen = 40
)

func TestTheReadmeIsShortAndBeginsWithTheTwoCommands(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(read(t, readme), "\n"), "\n")
	if len(lines) > longest {
		t.Errorf("%s has %d lines, want at most %d: details belong on a page of docs/", readme, len(lines), longest)
	}
	for _, command := range []string{"make demo", "make test"} {
		at := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "    "+command) })
		if at < 0 || at >= screen {
			t.Errorf("%s has `%s` in line %d, want it as a command line among the first %d", readme, command, at+1, screen)
		}
	}
}

// chapter is the README's piece of the demo's transcript.
var chapter = regexp.MustCompile("(?ms)^```\n(Merge: .*?)^```$")

// The whole transcript is held against the demo itself by the test of sandbox/demo.
func TestTheReadmeShowsAMergeOfTheTranscript(t *testing.T) {
	shown := chapter.FindStringSubmatch(read(t, readme))
	if shown == nil {
		t.Fatalf("%s shows no merge of the demo", readme)
	}
	if n := strings.Count(shown[1], "\n"); n != 12 {
		t.Errorf("%s shows %d lines of the demo, want a merge in 12 lines, from its heading to Succeeded", readme, n)
	}
	if !strings.Contains(read(t, "demo.md"), "\n"+shown[1]) {
		t.Errorf("docs/demo.md does not have what %s shows of it: write both with cd sandbox && go test ./demo -count=1 -update", readme)
	}
}

func TestEveryPageIsInTheIndexAndInTheReadme(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page == index {
			continue
		}
		if !strings.Contains(read(t, index), "]("+page+")") {
			t.Errorf("docs/%s does not list %s", index, page)
		}
		if !strings.Contains(read(t, readme), "](docs/"+page+")") {
			t.Errorf("%s has no link to docs/%s", readme, page)
		}
	}
}

var (
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *$`)
	// named is a page that a comment, a message or an address of the repository on
	// GitHub names by its place in the repository.
	named = regexp.MustCompile(`\bdocs/[\w-]+\.md(?:#[\w-]+)?`)
)

// anchors are those that GitHub makes of a page's headings.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := link.ReplaceAllString(m[1], "")
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		unique := slug
		for n := 1; found[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", slug, n)
		}
		found[unique] = true
	}
	return found
}

// broken says what is wrong with a link on a page, or nothing.
func broken(page, target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return err.Error()
	}
	if u.Scheme != "" {
		return ""
	}
	file := page
	if u.Path != "" {
		file = filepath.Join(filepath.Dir(page), filepath.FromSlash(u.Path))
	}
	text, err := os.ReadFile(file)
	if info, statErr := os.Stat(file); statErr == nil && info.IsDir() && u.Fragment == "" {
		return ""
	}
	if err != nil {
		return "there is no " + file
	}
	if u.Fragment != "" && !anchors(string(text))[u.Fragment] {
		return fmt.Sprintf("%s has no heading #%s", file, u.Fragment)
	}
	return ""
}

// walk calls back for every text of the project.
func walk(t *testing.T, file func(path, text string)) {
	t.Helper()
	kinds := []string{".md", ".go", ".yaml", ".yml", ".json", ".mod"}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata" || path == filepath.Join("..", "bin")):
			return fs.SkipDir
		case !d.Type().IsRegular() || d.Name() != "Makefile" && !slices.Contains(kinds, filepath.Ext(path)):
			return nil
		}
		file(path, read(t, path))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	links, names := 0, 0
	walk(t, func(path, text string) {
		if filepath.Ext(path) == ".md" {
			for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), "code"), -1) {
				links++
				if wrong := broken(path, m[1]); wrong != "" {
					t.Errorf("%s: the link to %s: %s", path, m[1], wrong)
				}
			}
			return
		}
		for _, name := range named.FindAllString(text, -1) {
			names++
			if wrong := broken(filepath.Join("..", "root"), name); wrong != "" {
				t.Errorf("%s names %s: %s", path, name, wrong)
			}
		}
	})
	if links < 100 || names < 30 {
		t.Errorf("only %d links and %d names of pages were found", links, names)
	}
}

func TestLinksThatLeadNowhereAreFound(t *testing.T) {
	for target, want := range map[string]string{
		"commands.md": "", "commands.md#locks": "", "../LICENSE": "", "../config/monitoring": "", "https://example.com/none": "",
		"#fences": "", "#a-title-twice-1": "",
		"none.md": "there is no none.md", "commands.md#none": "commands.md has no heading #none", "../none/": "there is no ../none",
		"#none": "page.md has no heading #none", "#comment": "page.md has no heading #comment", "../config/monitoring#none": "there is no",
	} {
		page := "page.md"
		if strings.HasPrefix(target, "#") {
			page = filepath.Join(t.TempDir(), "page.md")
			text := "# Fences\n```sh\n# comment\n```\n## A `title`, twice\n## A title twice\n"
			if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := broken(page, target); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("the link to %s: %q, want %q", target, got, want)
		}
	}
}

// source is a file of Go in the text of a page. In a table whose rows begin with a
// package it is one of that package, and * stands for a part of its name.
var (
	source = regexp.MustCompile("`([\\w./*-]+\\.go)`")
	ofRow  = regexp.MustCompile("(?m)^\\| `([\\w/]+)` \\|")
)

func TestSourcesThatPagesNameExist(t *testing.T) {
	bare := map[string]bool{}
	walk(t, func(path, _ string) { bare[filepath.Base(path)] = true })
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(pages, readme, "../CONTRIBUTING.md") {
		for line := range strings.Lines(read(t, page)) {
			dir := ofRow.FindStringSubmatch(line)
			for _, m := range source.FindAllStringSubmatch(line, -1) {
				named++
				found := bare[m[1]]
				if dir != nil || strings.Contains(m[1], "/") {
					pattern := filepath.Join("..", m[1])
					if dir != nil && !strings.Contains(m[1], "/") {
						pattern = filepath.Join("..", dir[1], m[1])
					}
					files, err := filepath.Glob(pattern)
					found = err == nil && len(files) > 0
				}
				if !found {
					t.Errorf("%s names %s, which does not exist", page, m[1])
				}
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d names of sources were found", named)
	}
}
