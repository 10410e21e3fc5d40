package main

import (
	"bytes"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/zip"
)

// A file of a module, as long as size says; the root's go.mod has a text.
type moduleFile struct {
	source
	kind byte // r(egular), s(ymlink) or i(rregular)
}

func (f moduleFile) Lstat() (os.FileInfo, error) { return f, nil }
func (f moduleFile) Size() int64                 { return f.size }
func (f moduleFile) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f.data)), nil
}
func (f moduleFile) Mode() fs.FileMode {
	return map[byte]fs.FileMode{'r': 0o644, 's': fs.ModeSymlink, 'i': fs.ModeDevice}[f.kind]
}

// "PATH", or "KIND:SIZE:PATH".
func moduleFileOf(spec string) moduleFile {
	f := moduleFile{kind: 'r', source: source{name: spec, size: 10}}
	if len(spec) > 2 && spec[1] == ':' && strings.IndexByte("rsi", spec[0]) >= 0 {
		size, name, _ := strings.Cut(spec[2:], ":")
		f.kind, f.name = spec[0], name
		fmt.Sscan(size, &f.size)
	}
	return f
}

var filesList = [][]string{
	{}, {"go.mod"}, {"a"}, {"go.mod", "LICENSE", "a/b.go"}, {"GO.MOD"}, {"Go.mod", "a"}, {"go.mod", "GO.MOD"}, {"s:1:GO.MOD"}, {"s:1:go.mod", "a/b"},
	{"go.mod", "sub/go.mod", "sub/a", "sub/b/c", "subway"}, {"sub/GO.mod", "sub/a"}, {"sub/Go.Mod", "SUB/a", "Sub/b"}, {"s:1:sub/go.mod", "sub/a"},
	{"i:1:sub/go.mod", "sub/a"}, {"sub/go.mod/x", "sub/a"}, {"sub/xgo.mod", "sub/a"}, {"a/b/c/go.mod", "a/x", "a/b/x", "a/b/c/x", "a/b/c/d/x", "a/b/cd"},
	{"a/go.mod", "a/b/go.mod", "a/b/c", "a-b/c", "a.b/c"}, {"sub/go.mod", "sub/a:b", "sub/con"}, {"sub/go.mod", "sub/../a"}, {"sub/go.mod", "sub//a"},
	{"vendor/a"}, {"vendor/modules.txt"}, {"vendor/vendor.json"}, {"vendor/a/b.go"}, {"vendor/a/b:c"}, {"vendor/a/../b"}, {"vendor/a/go.mod", "vendor/a/x"},
	{"a/vendor/b.go"}, {"a/vendor/b/c.go"}, {"pkg/vendor/vendor.go"}, {"pkg/vendor/foo/foo.go"}, {"longer-name/vendor/x"}, {"longer/name/vendor/x"},
	{"a/vendor/modules.txt"}, {"x/y/vendor/z"}, {"vendor"}, {"a/vendor"}, {"vendored/a/b"}, {"a/vendored/b/c"}, {"Vendor/a/b"}, {"a/vendor/vendor/x"},
	{"vendor/vendor/x"}, {"1234567/vendor/x"}, {"12345678/vendor/x"}, {"123456789/vendor/x"}, {"a/b/c/d/vendor/x"}, {"s:1:vendor/a/b"}, {"vendor//x"},
	{".hg_archival.txt", "a/.hg_archival.txt"}, {"s:1:.hg_archival.txt"}, {".HG_archival.txt"}, {".hg_archival.txt", ".hg_archival.txt"},
	{"s:1:link", "a"}, {"i:1:device", "a"}, {"s:1:a", "a/b"}, {"s:1:a", "A"}, {"a/b", "s:1:A"}, {"s:1:a:b"}, {"i:1:a:b"}, {"s:1:a", "s:1:A/b"},
	{"a", "a"}, {"a", "A"}, {"a", "s:1:a"}, {"a/b", "a"}, {"a", "a/b"}, {"a/b", "A/c"}, {"a/b", "a/c"}, {"σ", "ς"}, {"ß", "ss"}, {"k", "\u212a"}, {"x/k", "X/\u212a"},
	{""}, {"."}, {".."}, {"/a"}, {"/"}, {"a/"}, {"./a"}, {"a/."}, {"../a"}, {"../../a"}, {"../vendor/a/b"}, {"../a/../b"}, {"a/.."}, {"..", "a"}, {"../sub/go.mod", "../sub/a"},
	{"/vendor/a/b"}, {"vendor/a/b/"}, {"vendor/a/."}, {"a\\b"}, {"a\nb"}, {"a\xffb"}, {"испытание.go", "中文/ñ.txt"}, {"😀.go"}, {"aux.go"}, {"x/Nul/a.go"}, {"a."}, {"..."}, {".gitignore", ".github/x", "-x"},
	{".git/config", ".bzr/a", ".svn/b", ".hg/c", "a/.git/x"}, {"progra~1"}, {"a'b"}, {"a*b"},
	{"r:16777216:go.mod"}, {"r:16777217:go.mod"}, {"r:16777216:LICENSE"}, {"r:16777217:LICENSE"}, {"r:16777217:a/LICENSE"}, {"r:16777217:license"}, {"s:16777217:LICENSE"},
	{"r:524288000:a"}, {"r:524288001:a"}, {"r:524287990:a", "b"}, {"r:524287991:a", "b"}, {"r:524287991:a", "s:10:b"}, {"r:524287991:a", "vendor/x/y"}, {"r:524288001:vendor/x/y"},
	{"r:9223372036854775807:a"}, {"r:9223372036854775807:a", "b"}, {"r:524288001:sub/go.mod"}, {"i:524288001:a"}, {"r:0:a", "r:0:go.mod"},
	{"sub/vendor/a/b", "sub/go.mod"}, {"vendor/go.mod", "vendor/x", "vendor/modules.txt"}, {"a/go.mod", "A/b"}, {"a/go.mod", "a", "b"}, {"a", "vendor/../a"},
}

var filesWords = strings.Fields("a b A vendor vendor go.mod sub sub Sub modules.txt GO.mod LICENSE .hg_archival.txt é É con a.b a-b")

func randomFiles(r *rand.Rand) []string {
	var specs []string
	seen := map[string]bool{}
	for range 1 + r.IntN(7) {
		var elements []string
		for range 1 + r.IntN(4) {
			elements = append(elements, filesWords[r.IntN(len(filesWords))])
		}
		p := strings.Join(elements, "/") + []string{"", ".go", ".c"}[r.IntN(3)]
		if !seen[p] {
			seen[p] = true
			specs = append(specs, []string{"", "", "", "s:1:", "i:1:"}[r.IntN(5)]+p)
		}
	}
	return specs
}

// The line says which are kept: a digit for each file, '1' for those.
func filesLine(o output, files []moduleFile) error {
	var asFiles []zip.File
	var list strings.Builder
	lang := ""
	for _, f := range files {
		if f.name == "go.mod" && f.kind == 'r' {
			if m, err := modfile.ParseLax("go.mod", f.data, nil); err == nil && m.Go != nil {
				lang = version.Lang("go" + m.Go.Version)
			}
		}
		asFiles = append(asFiles, f)
		fmt.Fprintf(&list, "%c %d %s\x00", f.kind, f.size, f.name)
	}
	cf, err := zip.CheckFiles(asFiles)
	kept := map[string]bool{}
	for _, p := range cf.Valid {
		kept[p] = true
	}
	digits := ""
	if err == nil {
		for _, f := range files {
			digits += map[bool]string{true: "1", false: "0"}[kept[f.name]]
		}
	}
	o.line("files", lang, list.String(), verdict(err), digits)
	return err
}

func specsLine(o output, specs []string, goLine string) {
	var files []moduleFile
	for _, spec := range specs {
		f := moduleFileOf(spec)
		if f.name == "go.mod" && goLine != "" {
			f.data = []byte("module m\ngo " + goLine + "\n")
		}
		files = append(files, f)
	}
	filesLine(o, files)
}

// What x/mod's own tests look at.
func xmodFiles(o output) {
	for _, kind := range []string{"create", "check_files", "create_from_dir", "check_dir"} {
		for _, c := range readCases(kind) {
			var files []moduleFile
			for _, f := range c.files {
				f.size = int64(len(f.data))
				files = append(files, moduleFile{source: f, kind: 'r'})
			}
			err := filesLine(o, files)
			if kind == "check_files" {
				expect(c.name, err != nil, c.isBad)
			}
		}
	}
}

func moduleFiles(o output) {
	xmodFiles(o)
	r := rand.New(rand.NewPCG(3, 4))
	for _, specs := range filesList {
		specsLine(o, specs, "")
		for _, goLine := range []string{"1.23.9", "1.24"} {
			specsLine(o, append([]string{"go.mod"}, specs...), goLine)
		}
	}
	for _, goLine := range []string{"1", "1.0", "1.9", "1.21rc1", "1.24rc1", "1.24.0rc1", "1.24.3", "1.25", "1.100", "1.99999999999999999999", "2.0", "2.1", "10.1", "1.240"} {
		specsLine(o, []string{"go.mod", "vendor/modules.txt", "longer/vendor/x"}, goLine)
	}
	for i := range 900 {
		specs, goLine := randomFiles(r), ""
		if i%3 > 0 {
			specs, goLine = append(specs, "go.mod"), []string{"1.20", "1.25"}[i%3-1]
		}
		specsLine(o, specs, goLine)
	}
}
