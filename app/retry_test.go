package app_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// transactions are the functions of app/db that may run a closure again.
var transactions = []string{"Do", "Tx", "BulkTx"}

// TestTransactionsBeginAnew holds that a closure which may be run again does not overwrite what its function was given: the second run would
// not be that of the same question.
func TestTransactionsBeginAnew(t *testing.T) {
	t.Parallel()
	set, closures := token.NewFileSet(), 0
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			given := map[any]bool{}
			for _, p := range f.Type.Params.List {
				given[p] = true
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				closure, ok := n.(*ast.CallExpr)
				if !ok || !slices.Contains(transactions, nameOf(closure.Fun)) {
					return true
				}
				closures++
				for _, a := range closure.Args {
					if _, ok := a.(*ast.FuncLit); ok {
						ast.Inspect(a, func(n ast.Node) bool {
							s, ok := n.(*ast.AssignStmt)
							if !ok || s.Tok != token.ASSIGN {
								return true
							}
							for _, l := range s.Lhs {
								if id, ok := l.(*ast.Ident); ok && id.Obj != nil && given[id.Obj.Decl] {
									t.Errorf("%s: %s is overwritten by a transaction that may be tried again: give it a variable of its own", set.Position(id.Pos()), id.Name)
								}
							}
							return true
						})
					}
				}
				return true
			})
		}
		return nil
	}))
	require.Greater(t, closures, 100)
}

func nameOf(f ast.Expr) string {
	switch f := f.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.IndexExpr:
		return nameOf(f.X)
	}
	return ""
}
