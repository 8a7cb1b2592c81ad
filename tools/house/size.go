package main

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"unicode/utf8"

	"golang.org/x/tools/go/packages"
)

// maxColumns is how long a line may be; the linter's lll has the same number.
const maxColumns = 140

// largestType is the type of a package with the most methods, including those of embedded types.
// Methods of other modules' types do not count: a type that embeds client.Client adds one thing
// to understand, not fourteen.
func (h *house) largestType(pkg *packages.Package) (name string, methods int) {
	scope := pkg.Types.Scope()
	for _, n := range scope.Names() {
		t, ok := scope.Lookup(n).(*types.TypeName)
		if !ok || t.IsAlias() {
			continue
		}
		count := 0
		for m := range methodSet(t.Type()).Methods() {
			if ours(pkg, m.Obj()) && !h.generated[h.file(m.Obj().Pos())] {
				count++
			}
		}
		if count > methods {
			name, methods = n, count
		}
	}
	return name, methods
}

func methodSet(t types.Type) *types.MethodSet {
	if types.IsInterface(t) {
		return types.NewMethodSet(t)
	}
	return types.NewMethodSet(types.NewPointer(t))
}

// lengths are the line counts of a package's functions, from the name to the closing brace,
// shortest first.
func (h *house) lengths(pkg *packages.Package) []int {
	var lengths []int
	for _, file := range h.written(pkg) {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
				lengths = append(lengths, h.fset.Position(f.End()).Line-h.fset.Position(f.Pos()).Line+1)
			}
		}
	}
	slices.Sort(lengths)
	return lengths
}

// percentile of sorted numbers: the smallest one that p percent do not exceed.
func percentile(sorted []int, p int) int {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

var (
	marker    = regexp.MustCompile(`^\s*// \+kubebuilder:`)
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
)

// longLines are the places of a package's lines, including tests, with more than [maxColumns], as
// the linter counts them: a tab is one column. A kubebuilder marker has to be one line, and
// generated code is not wrapped.
func (h *house) longLines(pkg *packages.Package) ([]string, error) {
	if len(pkg.GoFiles) == 0 {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(pkg.GoFiles[0]), "*.go"))
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", pkg.PkgPath, err)
	}
	var places []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		if generated.Match(text) {
			continue
		}
		lines := bufio.NewScanner(bytes.NewReader(text))
		lines.Buffer(nil, len(text)+1)
		for n := 1; lines.Scan(); n++ {
			if utf8.RuneCount(lines.Bytes()) > maxColumns && !marker.Match(lines.Bytes()) {
				places = append(places, fmt.Sprintf("%s:%d", h.relative(file), n))
			}
		}
	}
	return places, nil
}
