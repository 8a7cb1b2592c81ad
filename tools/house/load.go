package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"

	"golang.org/x/tools/go/packages"
)

// house is the code of some modules, parsed and typed, without its tests.
type house struct {
	root     string // directory of the repository, absolute
	fset     *token.FileSet
	packages []*packages.Package
	// generated are the generated files, by absolute path.
	generated map[string]bool
}

// load reads modules, which are directories below root.
func load(root string, modules []string) (*house, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("finding %s: %w", root, err)
	}
	h := &house{root: root, fset: token.NewFileSet(), generated: map[string]bool{}}
	for _, module := range modules {
		loaded, err := packages.Load(&packages.Config{
			Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedModule | packages.NeedSyntax |
				packages.NeedTypes | packages.NeedTypesInfo,
			Dir:  filepath.Join(root, module),
			Fset: h.fset,
		}, "./...")
		if err != nil {
			return nil, fmt.Errorf("loading module %s: %w", module, err)
		}
		for _, pkg := range loaded {
			for _, e := range pkg.Errors {
				err = errors.Join(err, e)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("loading module %s: %w", module, err)
		}
		h.packages = append(h.packages, loaded...)
	}
	for _, pkg := range h.packages {
		for _, file := range pkg.Syntax {
			if ast.IsGenerated(file) {
				h.generated[h.file(file.Pos())] = true
			}
		}
	}
	return h, nil
}

// file is the absolute path of a position's file.
func (h *house) file(pos token.Pos) string { return h.fset.Position(pos).Filename }

// relative is a path relative to the repository's directory, for people.
func (h *house) relative(path string) string {
	short, err := filepath.Rel(h.root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(short)
}

// written are a package's files without the generated ones.
func (h *house) written(pkg *packages.Package) []*ast.File {
	var files []*ast.File
	for _, file := range pkg.Syntax {
		if !h.generated[h.file(file.Pos())] {
			files = append(files, file)
		}
	}
	return files
}

// ours reports whether an object is declared in the module of a package.
func ours(pkg *packages.Package, obj types.Object) bool {
	return obj.Pkg() != nil && pkg.Module != nil &&
		(obj.Pkg().Path() == pkg.Module.Path || isBelow(obj.Pkg().Path(), pkg.Module.Path))
}

func isBelow(path, module string) bool {
	return len(path) > len(module) && path[:len(module)] == module && path[len(module)] == '/'
}
