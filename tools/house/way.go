package main

import (
	"errors"
	"fmt"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The place of the list that shows how a webhook becomes a patch of the Ingress.
const (
	listFile    = "docs/architecture.md"
	listHeading = "## From a webhook to the Ingress patch"
)

// stop is one function of the list.
type stop struct {
	Function string `json:"function"` // package.function, or package.Type.method
	File     string `json:"file"`
}

func (s stop) String() string { return fmt.Sprintf("`%s` (`%s`)", s.Function, s.File) }

// leg is a part of the way. Its first function is called from outside (by GitHub, by a watch),
// and each calls the next.
type leg []stop

// size is the number of functions and files in some legs.
func size(legs ...leg) string {
	files := map[string]bool{}
	functions := 0
	for _, l := range legs {
		functions += len(l)
		for _, s := range l {
			files[s.File] = true
		}
	}
	return fmt.Sprintf("%d functions in %d files", functions, len(files))
}

// item is a line of the list: 1. `package.Type.method` (`file.go`): what it does.
var item = regexp.MustCompile("^[0-9]+\\. `([^`]+)` \\(`([^`]+)`\\)")

// readList reads the legs of the list; nil if the file does not exist. Text between two items
// begins another leg.
func (h *house) readList() ([]leg, error) {
	text, err := os.ReadFile(filepath.Join(h.root, listFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list: %w", err)
	}
	_, section, found := strings.Cut("\n"+string(text), "\n"+listHeading+"\n")
	if !found {
		return nil, fmt.Errorf("%s has no heading %q", listFile, listHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var legs []leg
	begins := true
	for line := range strings.Lines(section) {
		if m := item.FindStringSubmatch(line); m != nil {
			if begins {
				legs = append(legs, nil)
			}
			begins = false
			legs[len(legs)-1] = append(legs[len(legs)-1], stop{m[1], m[2]})
			continue
		}
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, " ") {
			begins = true
		}
	}
	return legs, nil
}

// follow lists, in sentences, the list's errors, and the right lines.
func (h *house) follow(legs []leg) []string {
	g := h.callGraph()
	var faults []string
	for _, l := range legs {
		var before *types.Func
		for _, s := range l {
			f, fault := g.find(s)
			if fault != "" {
				faults = append(faults, fault)
			}
			if f == nil {
				continue // the next item's error shows what is there instead
			}
			if before != nil && !slices.Contains(g.next(before), f) {
				faults = append(faults, g.detour(before, f))
			}
			before = f
		}
	}
	return faults
}

// find is the function of a stop, and the stop's error, if any.
func (g *graph) find(s stop) (*types.Func, string) {
	found := g.named[s.Function]
	switch len(found) {
	case 0:
		return nil, fmt.Sprintf("%s lists `%s`, which does not exist%s", listFile, s.Function, g.similar(s.Function))
	case 1:
	default:
		return nil, fmt.Sprintf("%s lists `%s`, but there are %d of that name: list one with a unique name", listFile, s.Function, len(found))
	}
	if is := g.stop(found[0]); is != s {
		return found[0], fmt.Sprintf("%s lists %s, which is %s", listFile, s, is)
	}
	return found[0], ""
}

// similar names the functions with the same last name.
func (g *graph) similar(function string) string {
	last := function[strings.LastIndex(function, ".")+1:]
	var names []string
	for _, name := range sortedKeys(g.named) {
		if strings.HasSuffix(name, "."+last) {
			names = append(names, g.stop(g.named[name][0]).String())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; these do: " + strings.Join(names, ", ")
}

func (g *graph) stop(f *types.Func) stop {
	return stop{f.Pkg().Name() + "." + nameIn(f), g.h.relative(g.h.file(f.Pos()))}
}

// detour reports that one function does not call another directly, and which functions are in
// between.
func (g *graph) detour(from, to *types.Func) string {
	text := fmt.Sprintf("%s lists %s after %s, which does not call it", listFile, g.stop(to), g.stop(from))
	way := g.way(from, to)
	if way == nil {
		return text + ", nor anything that does: list what happens instead"
	}
	var between []string
	for _, f := range way[1 : len(way)-1] {
		between = append(between, g.stop(f).String())
	}
	return text + "; list between them: " + strings.Join(between, ", then ")
}
