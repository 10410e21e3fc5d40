package main

import (
	"golang.org/x/mod/module"
)

var pathList = []string{
	"golang.org/toolchain", "golang.org/x/mod", "std", "cmd", "cmd/go", "example.com", "example.com/", "localhost",
	"localhost/m", "a.b/c d", "a.b/c\td", "a.b/c\x00d", "a.b/%41", "a.b/c@v1", "a.b/c@v1.0.0/d", "a.b/./c", "a.b/.",
	"a.b/..", "a.b/...", "a.b/.c", "a.b/c.", "a.b/c..", "a.b/..c", "a.b/c..d", "-a.b/c", "a.b/-c", "a-.b/c", "a.-b/c",
	"a_b.c/d", "a~b.c/d", "a~1.c/d", "a.b~1/d", "1.2/3", "1.2", ".a.b/c", "a.b./c", "..a.b/c", "a.b/c/.git", "a.b/c.git",
	"A.b", "a.B/c", "a.b/C", "a.b/!c", "a.b/!C", "a.b/c!", "a.b/!", "!a.b/c", "a.b/!!c", "a.b/c!d!e", "a.b/CON", "a.b/Con.x",
	"a.b/!c!o!n", "a.b/nul", "a.b/NUL.tar.gz", "a.b/lpt1", "a.b/lpt0", "a.b/lpt10", "a.b/com9.a.b", "a.b/aux1", "con.b/c",
	"nul", "con.com", "a.b/c/nul/d", "a.b/x~1.y", "a.b/x.y~1", "a.b/~1", "a.b/~", "a.b/x~1~", "a.b/x~1a", "a.b/x~1/y",
	"a.b/v", "a.b/v2", "a.b/v02", "a.b/v0", "a.b/v1", "a.b/v1.0", "a.b/v2.", "a.b/v10", "a.b/v2/v3", "a.b/v1/x", "a.b/V2",
	"a.b/cv2", "a.b/c.v2", "a.b/2", "a.b/2.0", "a.b/v2x", "a.b/v.2", "a.b/v..2", "v2", "v1.2", "a.b/v99999999999999999999",
	"gopkg.in/", "gopkg.in", "gopkg.in/yaml", "gopkg.in/yaml.v0", "gopkg.in/yaml.v1", "gopkg.in/yaml.v2", "gopkg.in/yaml.v02",
	"gopkg.in/yaml.v00", "gopkg.in/yaml.v10", "gopkg.in/yaml.v", "gopkg.in/yaml/v2", "gopkg.in/yaml.v2.1", "gopkg.in/yaml.v2/x",
	"gopkg.in/u/p.v3", "gopkg.in/check.v1-unstable", "gopkg.in/check.v0-unstable", "gopkg.in/check.v-unstable",
	"gopkg.in/check.v1-Unstable", "gopkg.in/check-unstable", "gopkg.in/v1", "gopkg.in/.v1", "gopkg.in/x.V1", "gopkg.in.x/y",
	"gopkg.in/check.v01-unstable", "gopkg.in/check.v1-unstable-unstable", "gopkg.in/a.b.v1", "Gopkg.in/yaml.v2",
	"é.com/x", "a.é/x", "a.b/é", "a.b/\u212a", "a.b/\u017f", "a.b/\u0345", "a.b/1\u0301", "a.b/中", "a.b/\u00b2", "a.b/\u2160",
	"a.b/\u00a0", "a.b/\u200b", "a.b/\ufffd", "a.b/\ufeff", "a.b/\xed\xa0\x80", "a.b/\xc0\x80", "a.b/\xf4\x90\x80\x80", "a.b/\xe4\xb8",
	"a.b/\U0001f600", "a.b/\U00020000", "a.b/\U00010400", "a.b/\U0010ffff",
	"a", "-", "-a", "--", "a/-b", "~", "~1", "a b", " ", " a", "a ", "a/b c/d", "/", "//", "a/", "/a", "a//b", "!", "a!b", "a\\b",
	"go.mod", "LICENSE", "vendor/x", "a/b/c/d/e/f/g/h/i/j", "a.b/c/d/e/f/g/h/i/j/k/l/m/n/o/p",
}

var versionOf = []string{
	"0.1.0", "v1", "v0.8.0", "v1.0.0", "v2.0.0", "v2.1.5", "v3.0.0", "v10.1.0", "v0.0.0", "v0.0.0-20160102150405-abcdef123456",
	"v1.0.0+incompatible", "v2.0.0+incompatible", "v17.0.0+incompatible", "v2.0.0+meta", "v1.0.0+meta", "v2.0.0-pre+incompatible",
	"v0.0.0-x", "v2", "latest", "", "v0.0.0-20160102150405-abcdef123456+incompatible",
}

var pathOf = []string{
	"rsc.io/quote", "rsc io/quote", "github.com/go-yaml/yaml", "github.com/go-yaml/yaml/v2", "github.com/go-yaml/yaml/v3",
	"github.com/go-yaml/yaml/v1", "github.com/go-yaml/yaml/v10", "gopkg.in/yaml.v0", "gopkg.in/yaml.v1", "gopkg.in/yaml.v2",
	"gopkg.in/check.v1", "gopkg.in/check.v1-unstable", "gopkg.in/check.v2-unstable", "gopkg.in/yaml", "gopkg.in/check.v-unstable",
	"golang.org/toolchain", "a.b/v2/c",
}

func modulePaths() []string {
	list := append([]string{}, pathList...)
	for c := 0; c < 256; c++ {
		s := string([]byte{byte(c)})
		list = append(list, "x.y/a"+s+"b", "x.y/"+s+"z", "x.y/z"+s, "x.y"+s+"/z")
	}
	return list
}

func checkLine(o output, p string) {
	o.line("check", p, verdict(module.CheckPath(p)), verdict(module.CheckImportPath(p)), verdict(module.CheckFilePath(p)))
}

func escapeLine(o output, p string) (string, error) {
	esc, err := module.EscapePath(p)
	o.line("escape", p, verdict(err), esc)
	return esc, err
}

func unescapeLine(o output, p string) (string, error) {
	plain, err := module.UnescapePath(p)
	o.line("unescape", p, verdict(err), plain)
	return plain, err
}

func splitLine(o output, p string) (prefix, major string, ok bool) {
	if prefix, major, ok = module.SplitPathVersion(p); ok {
		o.line("split", p, "ok", prefix, major)
	} else {
		o.line("split", p, "bad", "", "")
	}
	return
}

func pairLine(o output, p, v string) error {
	err := module.Check(p, v)
	o.line("pair", p, v, verdict(err))
	return err
}

// As they stand at the end of paths; the last ones never do.
var majorOf = []string{"", "/v2", "/v3", "/v10", "/v1", "/v0", ".v0", ".v1", ".v2", ".v1-unstable", ".v2-unstable", ".v0-unstable",
	"/v2-unstable"}

func majors(o output) {
	for _, m := range majorOf {
		for _, v := range append(append([]string{}, versionOf...), versionList...) {
			o.line("major", v, m, module.MatchPathMajor(v, m))
		}
		if m != "/v2-unstable" { // which PathMajorPrefix panics at
			o.line("prefix", m, module.PathMajorPrefix(m))
		}
	}
}

func modules(o output) {
	majors(o)
	for _, p := range modulePaths() {
		checkLine(o, p)
		escapeLine(o, p)
		unescapeLine(o, p)
		splitLine(o, p)
	}
	for _, p := range pathOf {
		for _, v := range versionOf {
			pairLine(o, p, v)
		}
	}
}
