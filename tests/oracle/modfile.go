package main

import (
	"fmt"
	"go/version"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

var gomodList = []string{
	"", "\n", " ", "module", "module\n", "module ", "module x", "module x\n", "module\tx", "module  x  \n", " module x\n", "modulex\n",
	"modulex x\nmodule y\n", "module \"x\"", "module `x`", "module 'x'", "module \"x\\x41\\u00e9\"\n", "module x y\n", "module x // c\n",
	"module x//c\n", "module // x\n", "//module x\n", "/* module x */\n", "module x /* c */\n", "module x/*\n", "module x/ *\n",
	"module x\nmodule y\n", "module (\n\tx\n)\n", "module (\n)\n", "module ()\n", "module () x\n", "module ( x )\n", "module (\nx\ny\n)\n",
	"module x\r\ngo 1.21\r\n", "module x\rgo 1.21\r\n", "\xef\xbb\xbfmodule x\n", "module x\x00\n", "module \xff\n", "module \"\xff\"\n",
	"module \"\\xff\xff\"\n", "module é\n", "module \u00a0x\n", "module x\u00a0\n", "\u3000module\u2003x\u0085\n", "module x\v\n", "module x\f",
	"module \u00ad\n", "module \ufffd\n", "module a\u200bb\n", "module \"a\\\nb\"\n", "module \"a\nb\"\n", "module `a\\`\n", "module `a\rb`\n",
	"module \"a\rb\"\n", "module \"a", "module `a", "module \"a\\", "module \"a\\\"", "module \"\"\n", "module ``\n", "module \"x\"y\n",
	"module x\"y\"\n", "module \"x\"\"y\"\n", "module \"\\q\"\n", "module \"\\'\"\n", "module \"\\400\"\n", "module \"\\377\"\n", "module \"\\08\"\n",
	"module \"\\ud800\"\n", "module \"\\U00110000\"\n", "module \"\\U0010ffff\"\n", "module \"\\u12\"\n", "module \"\\xaG\"\n",
	"module \"\\xAf\\a\\b\\f\\n\\r\\t\\v\\\\\"\n", "module \"x//y\"\n", "module \"x/*y\"\n", "module https://x/y\n", "module x(y\n", "module x,y\n",
	"module [x]\n", "module {x}\n", "module =>\n", "\"module\" x\n", "`module` x\n", "Module x\n", "module x;\n", "module x\\\ny\n",
	"module x ( // c\n)\n", "module x (\ny\n)\n", "module (// c\n// d\n\n\nx // e\n\n// f\n) // g\nrequire a v1.0.0\n",
	"module (\nx\n) y\n", "module (\nx\n)", "module (\nx", "module (", "module (\nx )\n)\n", "module (\n(\n)\n", "(\n)\n", "(x\n", ")\n", ") x\n", "[\n",
	"( (\n)\n", "((\n)\n", "x ( (\n)\n", "x () ()\n", "x ()() y\n", "x ( ) (\n)\n", "x )\n", "x (\n) // c\n", "x (\n) )\n", "x (\n))\n", ", x\n",
	"go 1.21", "go\n", "go 1.21 x\n", "go 1\n", "go 1.\n", "go .1\n", "go 1.0\n", "go 1.00\n", "go 01.2\n", "go 1.02\n", "go 0.1\n", "go 1.21.0\n",
	"go 1.21.05\n", "go 1.21rc2\n", "go 1.21rc02\n", "go 1.21rc0\n", "go 1.21.3rc2\n", "go 1.21.3rc02\n", "go 1.21.03rc2\n", "go 1.21rc\n",
	"go 1.21-x\n", "go 1.21.x\n", "go 1.21x1y\n", "go v1.21\n", "go v1.21.3\n", "go v1.21rc2\n", "go v1.21rc02\n", "go v1.21.3rc1\n", "go v1.05.1\n",
	"go 1.21RC1\n", "go go1.21\n", "go 1.21é\n", "go 1.21\xff\n", "go 1.21,\n", "go \"1.21\"\n", "go `1.21`\n", "go 2.0\n", "go 10.0.1\n",
	"go 1.99999999999999999999\n", "go 1.21\ngo 1.22\n", "go 1.21\ngo 1.21\n", "go (\n1.21\n)\n", "go (\nx y\n)\ngo 1.21\n", "go () 1.21\n",
	"go ()\n", "go 1.21 // c\n", "go 1.21// c\n", "go 1.21/x\n", "go 1.21/*\n", "go 1.21\t\r\n", "Go 1.21\n", "go 1.0rc1\n", "go 1.0.5\n", "go 1.2.3.4\n",
	"require\n", "require x\n", "require x v1\n", "require x v1.2.3\n", "require x v1.2.3 y\n", "require x latest\n", "require x v2.0.0\n",
	"require x v2.0.0+incompatible\n", "require x v2+incompatible\n", "require x/v2 v2.1\n", "require x/v2 v1.0.0\n", "require x/v1 v1.0.0\n",
	"require x/v2.0 v2.0.0\n", "require x v1.0.0+meta\n", "require x v2.0.0+meta\n", "require gopkg.in/x v1.0.0\n", "require gopkg.in/x.v1 v1.0.0\n",
	"require gopkg.in/x.v1 v0.0.0-20160102150405-abcdef123456\n", "require gopkg.in/x.v2-unstable v2.0.0\n", "require \"x\" \"v1.0.0\"\n",
	"require \"x\\u002fv2\" v2.0.0\n", "require `x` v1.0.0\n", "require x `v1.0.0`\n", "require x 'v1.0.0'\n", "require \"\" v1.0.0\n", "require x v1.0.0//c\n",
	"require (\n\tx v1.0.0 // indirect\n\ty v1.0\n)\n", "require (\n\tx\n)\n", "require (x v1.0.0)\n", "require x (\nv1.0.0\n)\n", "require x v1.0.0 (\n)\n",
	"exclude x\n", "exclude (\nx y z\n)\n", "replace x\n", "replace (\n=> =>\n)\n", "tool 'x'\n", "godebug\n", "toolchain x y\n", "toolchain (\n)\n", "unknown a b c\n",
	"ignore x\n", "ignore\n", "ignore x y\n", "ignore (\n./x\n\"y\"\n)\n", "ignore 'x'\n", "ignore `x`\n", "ignore \"\\q\"\n", "ignore ./x/*\n",
	"retract v1.0.0\n", "retract v1\n", "retract\n", "retract x\n", "retract v1.0.0 v1.2.0\n", "retract [v1.0.0, v1.2.0]\n", "retract [v1.0.0,v1.2.0]\n",
	"retract [v1.0.0 , v1.2.0 ]\n", "retract [ v1.0.0, v1.2.0 ] more\n", "retract [v1.0.0, v1.2.0\n", "retract [v1.0.0]\n", "retract [v1.0.0,]\n", "retract [,v1]\n",
	"retract [\n", "retract []\n", "retract [ [ , ] ]\n", "retract ]\n", "retract ,\n", "retract {v1.0.0}\n", "retract (v1.0.0)\n", "retract (v1.0.0\n",
	"retract (\nv1.0.0\n[v1.1.0, v1.2.0] // why\n\n// because\nv1.3.0\n(\n[x\n)\n", "retract ()\n", "retract () v1.0.0\n", "retract v1.0.0 (\nx\n)\n",
	"retract \"v1.0.0\"\n", "retract \"a b\"\n", "retract \"a\\nb\"\n", "retract `v1.0.0`\n", "retract 'v1.0.0'\n", "retract v1\"0\n", "retract [\"v1\", \"v2\"]\n",
	"retract [`v1`, v2]\n", "retract \"\"\n", "retract \"[\" x\n", "retract [\"a\\\nb\", c]\n", "retract v1.0.0 // c\nretract v1.0.1\n\nretract v1.0.0\n",
	"retract v1.0.0\r\nretract (\r\n\tv1.0.1\r\n)\r\n", "retract [v1.0.0, v1.2.0] (\n)\n", "retract [v1.0.0, (v1.2.0]\n", "retract v1.0.0,v1.1.0\n",
	"module x\nretract v1.0.0\ngo 1.21\nx (\n", "retract v1.0.0\nrequire x\n", "retract v1.0.0\n/*\n",
}

// The words that generated texts are made of.
var gomodWords = strings.Split("module go require retract ignore exclude replace tool x example.com/m example.com/m/v2 gopkg.in/x.v1 v1.0.0 "+
	"v1.2 v2.0.0 v2.0.0+incompatible 1.21 1.21.3 1.23rc1 v1.2.3 [ ] , ( ( ) ) { } => // // /* /* \"v1.0.0\" \"x\" \"x\\\\x41\" `x` ' \" ` \" é \u00a0 \xff \\ /", " ")

func gomodText(r *rand.Rand) string {
	var b strings.Builder
	directives := []string{"module ", "go ", "require ", "retract ", "retract ", "ignore ", "x ", ""}
	gaps := []string{" ", " ", " ", "\t", "", "\n", "\n", "\r\n", "  "}
	for range 1 + r.IntN(5) {
		b.WriteString(directives[r.IntN(len(directives))])
		if r.IntN(3) == 0 {
			b.WriteString("(\n")
		}
		for range r.IntN(5) {
			b.WriteString(gomodWords[r.IntN(len(gomodWords))] + gaps[r.IntN(len(gaps))])
		}
		b.WriteString([]string{"\n", "\n", "\n)\n", ""}[r.IntN(4)])
	}
	return b.String()
}

// Mostly right, with a few bytes changed.
func gomodChanged(r *rand.Rand) string {
	text := []byte("module example.com/m // the module\n\ngo 1.21.3\n\nrequire (\n\texample.com/a/v2 v2.0.1\n\t\"example.com/b\" v0.1.0 // indirect\n)\n\n" +
		"retract v1.0.0 // bad\nretract (\n\t[v1.1.0, v1.2.0]\n\tv1.3.0\n)\nexclude example.com/a/v2 v2.0.0\n")
	for range 1 + r.IntN(3) {
		at, with := r.IntN(len(text)), "\n\r\t ()[],\"`/\\*'x1.\x00\xff"
		c := with[r.IntN(len(with))]
		switch r.IntN(3) {
		case 0:
			text[at] = c
		case 1:
			text = append(text[:at], text[at+1:]...)
		default:
			text = append(text[:at], append([]byte{c}, text[at:]...)...)
		}
	}
	return string(text)
}

func gomodLine(o output, text string) {
	f, err := modfile.ParseLax("go.mod", []byte(text), nil)
	lang, retracted, n := "", "", 0
	if err == nil {
		if f.Go != nil {
			lang = version.Lang("go" + f.Go.Version)
		}
		for _, r := range f.Retract {
			retracted += r.Low + "\n" + r.High + "\n"
			n++
		}
	}
	o.line("gomod", text, modfile.ModulePath([]byte(text)), verdict(err), lang, n, retracted)
}

func modfiles(o output) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, text := range gomodList {
		gomodLine(o, text)
		gomodLine(o, "module m\n"+text+"retract v9.9.9\n")
	}
	for range 600 {
		gomodLine(o, gomodText(r))
	}
	for range 300 {
		gomodLine(o, gomodChanged(r))
	}
	files, err := filepath.Glob(filepath.Join(xmodDir(), "modfile/testdata/*"))
	must(err)
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			gomodLine(o, string(data))
		}
	}
	for _, path := range append(append([]string{}, pathList...), "a(b", "(", "a,", ",", "a'b", "a//b", "a/*b", "\x01\x7f\u0080\u2028\U000e0001\n\r\t\v\f\a\b", "a\xffb c") {
		o.line("legacy", path, fmt.Sprintf("module %s\n", modfile.AutoQuote(path)))
	}
}
