package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// layout holds the measurements of one package.
type layout struct {
	Package string `json:"package"` // its directory
	Files   int    `json:"files"`
	// Cycle and Calls are the files of the largest cycle by use, and by calls alone; empty
	// if there is no cycle.
	Cycle     []string  `json:"cycle"`
	Calls     []string  `json:"calls"`
	Type      string    `json:"type"` // with the most methods
	Methods   int       `json:"methods"`
	Functions functions `json:"functions"`
	LongLines []string  `json:"long_lines"` // file:line
}

// functions is the number of functions, and percentiles of their lines.
type functions struct {
	Count int `json:"count"`
	P50   int `json:"p50"`
	P90   int `json:"p90"`
	Max   int `json:"max"`
}

// report holds all measurements.
type report struct {
	Packages []layout  `json:"packages"`
	All      functions `json:"all"`
	// Legs are the listed way from a webhook to the patch of the Ingress, and Faults the list's
	// errors.
	Legs   []leg    `json:"legs"`
	Faults []string `json:"faults"`
}

// measure measures every package that has code besides its tests.
func measure(h *house) (report, error) {
	var r report
	var all []int
	for _, pkg := range h.packages {
		if len(h.written(pkg)) == 0 {
			continue
		}
		lengths := h.lengths(pkg)
		all = append(all, lengths...)
		l := layout{
			Package: h.directory(pkg), Files: len(h.written(pkg)), Functions: summary(lengths),
			Cycle: h.uses(pkg).cycle(), Calls: h.calls(pkg).cycle(),
		}
		l.Type, l.Methods = h.largestType(pkg)
		var err error
		if l.LongLines, err = h.longLines(pkg); err != nil {
			return report{}, err
		}
		r.Packages = append(r.Packages, l)
	}
	slices.Sort(all)
	r.All = summary(all)
	var err error
	if r.Legs, err = h.readList(); err != nil {
		return report{}, err
	}
	r.Faults = h.follow(r.Legs)
	return r, nil
}

func (h *house) directory(pkg *packages.Package) string {
	return h.relative(filepath.Dir(pkg.GoFiles[0]))
}

func summary(sorted []int) functions {
	return functions{len(sorted), percentile(sorted, 50), percentile(sorted, 90), percentile(sorted, 100)}
}

// printMarkdown prints a table, followed by the files of the large cycles.
func printMarkdown(w io.Writer, r report) error {
	var b strings.Builder
	b.WriteString("| package | files | in one cycle by use | by calls | methods of the largest type | functions p50/p90/max | " +
		"lines over 140 |\n|---|---|---|---|---|---|---|\n")
	for _, l := range r.Packages {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %s | %s | %d |\n", l.Package, l.Files, len(l.Cycle), len(l.Calls), largest(l), l.Functions,
			len(l.LongLines))
	}
	fmt.Fprintf(&b, "\nAll %d functions: %s lines.\n", r.All.Count, r.All)
	if n := len(r.Legs); n > 0 {
		fmt.Fprintf(&b, "\nFrom a webhook to the patch of the Ingress: %s. From `%s` on: %s.\n", size(r.Legs...), r.Legs[n-1][0].Function,
			size(r.Legs[n-1]))
	}
	for _, fault := range r.Faults {
		fmt.Fprintf(&b, "\n%s.\n", fault)
	}
	for _, l := range r.Packages {
		if len(l.Cycle) > 0 {
			fmt.Fprintf(&b, "\n`%s`, one cycle of %d: %s.\n", l.Package, len(l.Cycle), strings.Join(l.Cycle, ", "))
		}
		if len(l.LongLines) > 0 {
			fmt.Fprintf(&b, "\n`%s`, lines over %d columns: %s.\n", l.Package, maxColumns, strings.Join(l.LongLines, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func largest(l layout) string {
	if l.Type == "" {
		return "none"
	}
	return fmt.Sprintf("%d of `%s`", l.Methods, l.Type)
}

func (f functions) String() string { return fmt.Sprintf("%d/%d/%d", f.P50, f.P90, f.Max) }

func printJSON(w io.Writer, r report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// printTies prints, for each file of a package's largest cycle, the names that it uses of other
// files.
func printTies(w io.Writer, h *house, directory string) error {
	for _, pkg := range h.packages {
		if len(pkg.GoFiles) == 0 || h.directory(pkg) != filepath.ToSlash(filepath.Clean(directory)) {
			continue
		}
		t := h.uses(pkg)
		cycle := t.cycle()
		fmt.Fprintf(w, "%s: %d of %d files in one cycle\n", directory, len(cycle), len(t))
		for _, from := range cycle {
			fmt.Fprintf(w, "%s uses\n", from)
			for _, to := range sortedKeys(t[from]) {
				if slices.Contains(cycle, to) {
					fmt.Fprintf(w, "\t%s: %s\n", to, strings.Join(t[from][to], ", "))
				}
			}
		}
		return nil
	}
	return fmt.Errorf("there is no package %s in these modules", directory)
}
