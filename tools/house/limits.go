package main

import (
	"fmt"
	"slices"
	"strings"
)

// The limits. A cycle of files has to be read as a whole, so it must be short in the product, and
// elsewhere short enough for a tour of the package.
const (
	maxCycle     = 5
	maxElsewhere = 10
	maxMethods   = 20
)

// A quantity is a number that has a limit.
type quantity string

const (
	cycleOfFiles  quantity = "files in one cycle"
	methodsOfType quantity = "methods of the largest type"
	longLines     quantity = "lines that are too long"
)

// exception is a number that may exceed its limit for now. When it falls, it must be lowered
// here.
type exception struct {
	pkg string
	of  quantity
	now int
	why string
}

// judge lists, in sentences, a report's numbers above their limit or exception, and outdated
// exceptions.
func judge(r report, exceptions []exception) []string {
	var faults []string
	used := make([]bool, len(exceptions))
	for _, l := range r.Packages {
		for _, n := range numbers(l) {
			i := slices.IndexFunc(exceptions, func(e exception) bool { return e.pkg == l.Package && e.of == n.of })
			now := 0
			if i >= 0 {
				used[i] = true
				now = exceptions[i].now
			}
			switch {
			case n.is > max(n.limit, now):
				faults = append(faults, fmt.Sprintf("%s has %d %s, want %d at most: %s", l.Package, n.is, n.of, max(n.limit, now), n.way))
			case i >= 0 && n.is <= n.limit:
				faults = append(faults, fmt.Sprintf("%s has only %d %s: take its exception out of tools/house/exceptions.go", l.Package, n.is, n.of))
			case i >= 0 && n.is < now:
				faults = append(faults, fmt.Sprintf("%s has only %d %s: write %d instead of %d in tools/house/exceptions.go, so that it stays there",
					l.Package, n.is, n.of, n.is, now))
			}
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			faults = append(faults, fmt.Sprintf("tools/house/exceptions.go has %s, whose %s are not measured", e.pkg, e.of))
		}
	}
	return faults
}

// number is a number of a package with its limit.
type number struct {
	of        quantity
	is, limit int
	way       string // out
}

// numbers are a package's limited numbers. Only types of the product have a limit: a stand-in has
// as many methods as the original.
func numbers(l layout) []number {
	cycle := number{
		cycleOfFiles, len(l.Cycle), maxCycle,
		"move what they share to a separate file; make house WHY=" + l.Package + " says what ties them",
	}
	lines := number{longLines, len(l.LongLines), 0, "wrap " + strings.Join(l.LongLines, ", ")}
	if !isProduct(l.Package) {
		cycle.limit = maxElsewhere
		return []number{cycle, lines}
	}
	methods := number{methodsOfType, l.Methods, maxMethods, "split " + l.Type + ", or turn methods that need little of it into functions"}
	return []number{cycle, methods, lines}
}

// isProduct reports whether a package is part of what users run.
func isProduct(directory string) bool {
	elsewhere := strings.HasPrefix(directory, "sandbox/") || strings.HasPrefix(directory, "internal/controlplane") ||
		strings.HasSuffix(directory, "test") || strings.Contains(directory, "test/")
	return !elsewhere
}
