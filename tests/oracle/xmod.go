package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
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

func xmodModules(o output) {
	const file = "module/module_test.go"
	o.table = "checkTests"
	for _, row := range table(file, o.table) {
		expect(row[0]+" "+row[1], pairLine(o, row[0], row[1]) == nil, row[2])
	}
	o.table = "checkPathTests"
	for _, row := range table(file, o.table) {
		p := row[0]
		checkLine(o, p)
		expect(p, module.CheckPath(p) == nil, row[1])
		expect(p, module.CheckImportPath(p) == nil, row[2])
		expect(p, module.CheckFilePath(p) == nil, row[3])
		_, err := escapeLine(o, p)
		expect(p, err == nil, row[1])
		if _, err := unescapeLine(o, p); row[1] == "false" {
			expect(p, err == nil, false)
		}
		splitLine(o, p)
	}
	o.table = "splitPathVersionTests"
	for _, row := range table(file, o.table) {
		prefix, major, ok := splitLine(o, row[0]+row[1])
		expect(row[0]+row[1], []any{prefix, major, ok}, []any{row[0], row[1], true})
	}
	o.table = "escapeTests"
	for _, row := range table(file, o.table) {
		p, esc := row[0], row[len(row)-1] // the same if there is but one
		got, _ := escapeLine(o, p)
		expect(p, got, esc)
		got, _ = unescapeLine(o, esc)
		expect(esc, got, p)
	}
	o.table = "badUnescape"
	for _, row := range table(file, o.table) {
		_, err := unescapeLine(o, row[0])
		expect(row[0], err == nil, false)
	}
	o.table = "TestMatchPathMajor"
	for _, row := range table(file, o.table) {
		p := "example.com/m" + row[1]
		if strings.HasPrefix(row[1], ".") {
			p = "gopkg.in/m" + row[1]
		}
		expect(p+" "+row[0], pairLine(o, p, row[0]) == nil, row[2])
	}
}

func xmodVersions(o output) {
	const file, pseudo = "semver/semver_test.go", "module/pseudo_test.go"
	o.table = "semver tests"
	rows := table(file, "tests")
	for i, row := range rows {
		versionLine(o, row[0])
		expect(row[0], semver.IsValid(row[0]), row[1] != "")
		for j, other := range rows {
			want := 1
			if row[1] == other[1] {
				want = 0
			} else if i < j {
				want = -1
			}
			expect(row[0]+" "+other[0], compareLine(o, row[0], other[0]), want)
		}
	}
	o.table = "TestSort"
	var sorted []string
	for _, row := range table(file, o.table) {
		sorted = append(sorted, row[0])
	}
	o.line("sort", strings.Join(sorted, " "))
	expect("sorted", slices.IsSortedFunc(sorted, func(a, b string) int { return cmp.Or(semver.Compare(a, b), cmp.Compare(a, b)) }), true)
	o.table = "pseudoTests"
	for _, row := range table(pseudo, o.table) {
		versionLine(o, row[1])
		expect(row[1], module.IsPseudoVersion(row[1]), false)
		versionLine(o, row[2])
		expect(row[2], module.IsPseudoVersion(row[2]), true)
	}
	o.table = "TestInvalidPseudoVersionBase"
	for _, row := range table(pseudo, o.table) {
		versionLine(o, row[0])
	}
}

// The cases of x/mod's own tests: a line as in module.txt or version.txt, with the table's name behind it.
func xmods(o output) {
	xmodModules(o)
	xmodVersions(o)
}
