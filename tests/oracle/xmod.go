package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Where the go command has put the module whose tests we read.
func xmodDir() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/mod").Output()
	must(err)
	return strings.TrimSpace(string(out))
}

// A literal of Go as a string: text without its quotes, anything else as written.
func literal(e ast.Expr) string {
	if pair, ok := e.(*ast.KeyValueExpr); ok {
		e = pair.Value
	}
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
		return e.Value
	}
	panic(fmt.Sprintf("%T in a table", e))
}

// The rows of the first list below the declaration of name, a variable or a function.
func table(file, name string) [][]string {
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(xmodDir(), file), nil, 0)
	must(err)
	var rows [][]string
	find := func(n ast.Node) bool {
		list, ok := n.(*ast.CompositeLit)
		if !ok || rows != nil {
			return rows == nil
		}
		for _, e := range list.Elts {
			var row []string
			if r, ok := e.(*ast.CompositeLit); ok {
				for _, cell := range r.Elts {
					row = append(row, literal(cell))
				}
			} else {
				row = []string{literal(e)}
			}
			rows = append(rows, row)
		}
		return false
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == name {
				ast.Inspect(n, find)
			}
		case *ast.ValueSpec:
			if n.Names[0].Name == name {
				ast.Inspect(n, find)
			}
		}
		return true
	})
	if len(rows) == 0 {
		must(fmt.Errorf("no table %s in %s", name, file))
	}
	return rows
}

// What the package says must be what its test wants, or the table was misread.
func expect(what string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		must(fmt.Errorf("%s: got %v, its test wants %v", what, got, want))
	}
}
