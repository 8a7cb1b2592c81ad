package gclb

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

func TestTableInThePackageCommentNamesAllTestsAndNoOthers(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	own := append(testsIn(t, "."), "TestMain", t.Name())
	named := []string{"TestMain", t.Name()}
	for _, found := range regexp.MustCompile(`(?m)^//\t  [→ ] (Test\w+)$`).FindAllSubmatch(doc, -1) {
		named = append(named, string(found[1]))
	}
	for _, elsewhere := range []string{"windows", "frontends"} {
		tests := testsIn(t, "../"+elsewhere)
		for _, found := range regexp.MustCompile(`(?m)^//\t  [→ ] `+elsewhere+`\.(Test\w+)$`).FindAllSubmatch(doc, -1) {
			if name := string(found[1]); !slices.Contains(tests, name) {
				t.Errorf("the table names %s.%s, which does not exist", elsewhere, name)
			}
		}
	}
	for _, name := range own {
		if !slices.Contains(named, name) {
			t.Errorf("the table does not name %s", name)
		}
	}
	for _, name := range named {
		if !slices.Contains(own, name) {
			t.Errorf("the table names %s, which does not exist", name)
		}
	}
}

// testsIn are the tests of a directory, including those with a build tag.
func testsIn(t *testing.T, dir string) (tests []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			tests = append(tests, string(found[1]))
		}
	}
	return tests
}
