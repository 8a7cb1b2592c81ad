package main

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/packages"
)

// graph shows the references between the functions of some packages. Its nodes are functions and
// methods, and their possible links: variables of a package, such as a table of functions;
// fields, which call whatever was put into them; methods of an interface, which call those of
// every type that has them.
type graph struct {
	h     *house
	edges map[types.Object][]types.Object
	named map[string][]*types.Func // as the list names them: package.function, package.Type.method
	types []types.Type             // that may implement an interface
}

// callGraph reads the packages of the first module, whose objects are identical wherever they are
// used.
func (h *house) callGraph() *graph {
	g := &graph{h: h, edges: map[types.Object][]types.Object{}, named: map[string][]*types.Func{}}
	for _, pkg := range h.packages {
		if pkg.Module == nil || pkg.Module.Path != h.packages[0].Module.Path {
			continue
		}
		scope := pkg.Types.Scope()
		for _, name := range scope.Names() {
			if t, ok := scope.Lookup(name).(*types.TypeName); ok && !t.IsAlias() && !types.IsInterface(t.Type()) {
				g.types = append(g.types, types.NewPointer(t.Type()))
			}
		}
		for _, file := range h.written(pkg) {
			g.read(pkg, file)
		}
	}
	return g
}

// read adds the edges of one file.
func (g *graph) read(pkg *packages.Package, file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			f := pkg.TypesInfo.Defs[decl.Name].(*types.Func)
			name := pkg.Name + "." + nameIn(f)
			g.named[name] = append(g.named[name], f)
			if decl.Body != nil {
				g.walk(pkg, f, decl.Body)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if spec, ok := spec.(*ast.ValueSpec); ok {
					for i, value := range spec.Values {
						g.walk(pkg, pkg.TypesInfo.Defs[spec.Names[min(i, len(spec.Names)-1)]], value)
					}
				}
			}
		}
	}
}

// walk adds edges from an owner to what a piece of code refers to. A value in a field belongs to
// that field.
func (g *graph) walk(pkg *packages.Package, owner types.Object, code ast.Node) {
	ast.Inspect(code, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			return !g.fill(pkg, owner, n)
		case *ast.AssignStmt:
			return !g.assign(pkg, owner, n)
		case *ast.Ident:
			switch used := pkg.TypesInfo.Uses[n].(type) {
			case *types.Func:
				g.add(owner, used.Origin())
			case *types.Var:
				if used.IsField() || used.Pkg() != nil && used.Parent() == used.Pkg().Scope() {
					g.add(owner, used.Origin())
				}
			}
		}
		return true
	})
}

// fill reads a struct literal, field by field. It reports whether it was one.
func (g *graph) fill(pkg *packages.Package, owner types.Object, literal *ast.CompositeLit) bool {
	of := pkg.TypesInfo.TypeOf(literal).Underlying()
	if p, ok := of.(*types.Pointer); ok {
		of = p.Elem().Underlying()
	}
	s, ok := of.(*types.Struct)
	if !ok {
		return false
	}
	for i, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			g.walk(pkg, holder(owner, pkg.TypesInfo.Uses[pair.Key.(*ast.Ident)]), pair.Value)
		} else {
			g.walk(pkg, holder(owner, s.Field(i)), element)
		}
	}
	return true
}

// assign reads an assignment to fields. It reports whether it was one.
func (g *graph) assign(pkg *packages.Package, owner types.Object, a *ast.AssignStmt) bool {
	if len(a.Lhs) != len(a.Rhs) {
		return false
	}
	for i, left := range a.Lhs {
		to := owner
		if selector, ok := left.(*ast.SelectorExpr); ok {
			to = holder(owner, pkg.TypesInfo.Uses[selector.Sel])
			g.walk(pkg, owner, selector.X)
		} else {
			g.walk(pkg, owner, left)
		}
		g.walk(pkg, to, a.Rhs[i])
	}
	return true
}

// holder is the caller of a function in a field: whatever calls the field. The owner itself
// creates values of other types.
func holder(owner, field types.Object) types.Object {
	if v, ok := field.(*types.Var); ok && v.IsField() {
		if _, ok := v.Type().Underlying().(*types.Signature); ok {
			return v.Origin()
		}
	}
	return owner
}

func (g *graph) add(from, to types.Object) {
	if !slices.Contains(g.edges[from], to) {
		g.edges[from] = append(g.edges[from], to)
	}
}

// next are the functions that a function calls or passes on, directly or through a
// variable, a field or an interface.
func (g *graph) next(f *types.Func) []*types.Func {
	var found []*types.Func
	seen := map[types.Object]bool{f: true}
	var visit func(types.Object)
	visit = func(from types.Object) {
		for _, to := range g.edges[from] {
			if seen[to] {
				continue
			}
			seen[to] = true
			callee, ok := to.(*types.Func)
			switch {
			case !ok:
				visit(to)
			case isAbstract(callee):
				found = append(found, g.implementations(callee)...)
			default:
				found = append(found, callee)
			}
		}
	}
	visit(f)
	return found
}

func isAbstract(f *types.Func) bool {
	recv := f.Signature().Recv()
	return recv != nil && types.IsInterface(recv.Type())
}

// implementations are the methods that may implement a method of one of our interfaces. Foreign
// interfaces, such as error or http.Handler, would have too many.
func (g *graph) implementations(abstract *types.Func) []*types.Func {
	if !ours(g.h.packages[0], abstract) {
		return nil
	}
	of, ok := abstract.Signature().Recv().Type().Underlying().(*types.Interface)
	if !ok {
		return nil
	}
	var found []*types.Func
	for _, t := range g.types {
		if !types.Implements(t, of) {
			continue
		}
		obj, _, _ := types.LookupFieldOrMethod(t, true, abstract.Pkg(), abstract.Name())
		if f, ok := obj.(*types.Func); ok && !slices.Contains(found, f.Origin()) {
			found = append(found, f.Origin())
		}
	}
	return found
}

// way is the shortest path from one function to another, including both; nil if there is none.
func (g *graph) way(from, to *types.Func) []*types.Func {
	before := map[*types.Func]*types.Func{from: nil}
	queue := []*types.Func{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at == to {
			var way []*types.Func
			for f := to; f != nil; f = before[f] {
				way = append(way, f)
			}
			slices.Reverse(way)
			return way
		}
		for _, next := range g.next(at) {
			if _, seen := before[next]; !seen {
				before[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
