package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEachOutageNamesATestThatExists: what the page says of an outage was seen.
func TestEachOutageNamesATestThatExists(t *testing.T) {
	declared := map[string]bool{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range test.FindAllStringSubmatch(string(text), -1) {
			declared[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(read(t, "operations.md"), "## When something is down")
	section, _, _ := strings.Cut(rest, "\n## ")
	rows := 0
	for line := range strings.Lines(section) {
		columns := strings.Split(line, "|")
		if len(columns) != 6 || strings.HasPrefix(columns[1], "--") || strings.TrimSpace(columns[4]) == "shown by" {
			continue
		}
		rows++
		named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(columns[4], -1)
		if len(named) == 0 {
			t.Errorf("no test shows what happens if this is down: %s", columns[1])
		}
		for _, m := range named {
			if !declared[m[1]] {
				t.Errorf("%s: there is no %s", columns[1], m[1])
			}
		}
	}
	if rows < 15 {
		t.Errorf("the page says of %d things what happens when they are down, want 15 or more", rows)
	}
}
