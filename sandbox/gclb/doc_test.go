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
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	own := []string{"TestMain", t.Name()}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
			own = append(own, string(found[1]))
		}
	}
	named := []string{"TestMain", t.Name()}
	for _, found := range regexp.MustCompile(`(?m)^//\t  [→ ] (Test\w+)$`).FindAllSubmatch(doc, -1) {
		named = append(named, string(found[1]))
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
