package main

import (
	"cmp"
	"go/ast"
	"go/types"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/packages"
)

// ties are the uses of names between a package's files: the using file, the declaring file, the
// names. Files have no directory.
type ties map[string]map[string][]string

// uses are the ties of a package by what a reader has to look up: functions, types, methods,
// constants and variables of the package. Fields do not count: their type does, where it is
// named.
func (h *house) uses(pkg *packages.Package) ties {
	return h.tiesBy(pkg, func(n ast.Node) (*ast.Ident, bool) {
		id, ok := n.(*ast.Ident)
		return id, ok
	})
}

// calls are the ties of a package by calls of functions and methods only.
func (h *house) calls(pkg *packages.Package) ties {
	return h.tiesBy(pkg, func(n ast.Node) (*ast.Ident, bool) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return nil, false
		}
		id := called(call.Fun)
		_, ok = pkg.TypesInfo.Uses[id].(*types.Func) // otherwise a conversion, or a call of a value
		return id, ok
	})
}

// called is the name in a call's function: f, x.f, f[T].
func called(fun ast.Expr) *ast.Ident {
	switch fun := ast.Unparen(fun).(type) {
	case *ast.Ident:
		return fun
	case *ast.SelectorExpr:
		return fun.Sel
	case *ast.IndexExpr:
		return called(fun.X)
	case *ast.IndexListExpr:
		return called(fun.X)
	}
	return nil
}

// tiesBy are the ties of a package by the names that pick finds in its code.
func (h *house) tiesBy(pkg *packages.Package, pick func(ast.Node) (*ast.Ident, bool)) ties {
	t := ties{}
	for _, file := range h.written(pkg) {
		from := filepath.Base(h.file(file.Pos()))
		t[from] = map[string][]string{}
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := pick(n)
			if !ok {
				return true
			}
			obj := pkg.TypesInfo.Uses[id]
			if obj == nil || obj.Pkg() != pkg.Types || !isDeclaration(obj) || h.generated[h.file(obj.Pos())] {
				return true
			}
			if to := filepath.Base(h.file(obj.Pos())); to != from && !slices.Contains(t[from][to], nameIn(obj)) {
				t[from][to] = append(t[from][to], nameIn(obj))
			}
			return true
		})
	}
	return t
}

// isDeclaration reports whether an object is a declaration of a file: in the package's
// scope, or a method.
func isDeclaration(obj types.Object) bool {
	if f, ok := obj.(*types.Func); ok && f.Signature().Recv() != nil {
		return true
	}
	return obj.Parent() == obj.Pkg().Scope()
}

// nameIn is the name of an object within its package: function, or Type.method.
func nameIn(obj types.Object) string {
	f, ok := obj.(*types.Func)
	if !ok || f.Signature().Recv() == nil {
		return obj.Name()
	}
	recv := f.Signature().Recv().Type()
	if p, ok := recv.(*types.Pointer); ok {
		recv = p.Elem()
	}
	if named, ok := recv.(*types.Named); ok {
		return named.Obj().Name() + "." + f.Name()
	}
	return f.Name()
}

// cycle is the largest set of files in which each uses every other, directly or through others;
// nil if there is none.
func (t ties) cycle() []string {
	var largest []string
	for _, set := range t.cycles() {
		if len(set) > max(1, len(largest)) {
			largest = set
		}
	}
	slices.Sort(largest)
	return largest
}

// cycles are the strongly connected sets of files, by Tarjan's algorithm.
func (t ties) cycles() [][]string {
	var (
		sets    [][]string
		stack   []string
		index   = map[string]int{} // from 1, in the order of the visits
		low     = map[string]int{}
		onStack = map[string]bool{}
		visit   func(string)
	)
	visit = func(file string) {
		index[file] = len(index) + 1
		low[file] = index[file]
		stack = append(stack, file)
		onStack[file] = true
		for _, to := range sortedKeys(t[file]) {
			if index[to] == 0 {
				visit(to)
				low[file] = min(low[file], low[to])
			} else if onStack[to] {
				low[file] = min(low[file], index[to])
			}
		}
		if low[file] != index[file] {
			return
		}
		at := slices.Index(stack, file)
		sets = append(sets, slices.Clone(stack[at:]))
		for _, member := range stack[at:] {
			onStack[member] = false
		}
		stack = stack[:at]
	}
	for _, file := range sortedKeys(t) {
		if index[file] == 0 {
			visit(file)
		}
	}
	return sets
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
