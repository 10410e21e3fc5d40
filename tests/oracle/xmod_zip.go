package main

import (
	stdzip "archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
	"golang.org/x/tools/txtar"
)

// A file that x/mod's tests would pack: data, or as many NULs as size says.
type source struct {
	name string
	data []byte
	size int64
}

func (s source) Path() string                { return s.name }
func (s source) Lstat() (os.FileInfo, error) { return s, nil }
func (s source) Open() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.data)), nil
}
func (s source) Name() string       { return filepath.Base(s.name) }
func (s source) Size() int64        { return int64(len(s.data)) }
func (s source) Mode() fs.FileMode  { return 0o644 }
func (s source) ModTime() time.Time { return time.Time{} }
func (s source) IsDir() bool        { return false }
func (s source) Sys() any           { return nil }

// All the files, whether a module may have them or not.
func pack(prefix string, files []source) []byte {
	var b bytes.Buffer
	w := stdzip.NewWriter(&b)
	for _, f := range files {
		e, err := w.Create(prefix + f.name)
		must(err)
		_, err = e.Write(f.data)
		must(err)
		zeros := make([]byte, 1<<20)
		for left := f.size; left > 0; left -= int64(len(zeros)) {
			_, err = e.Write(zeros[:min(left, int64(len(zeros)))])
			must(err)
		}
	}
	must(w.Close())
	return b.Bytes()
}

// A case of x/mod's zip/testdata.
type xmodCase struct {
	name   string // "unzip-simple"
	keys   map[string]string
	files  []source
	isBad  bool // as the test wants it
	module module.Version
}

func readCases(kind string) []xmodCase {
	paths, err := filepath.Glob(filepath.Join(xmodDir(), "zip/testdata", kind, "*.txt"))
	must(err)
	if len(paths) == 0 {
		must(fmt.Errorf("no cases in zip/testdata/%s", kind))
	}
	var cases []xmodCase
	for _, p := range paths {
		archive, err := txtar.ParseFile(p)
		must(err)
		c := xmodCase{name: kind + "-" + strings.TrimSuffix(filepath.Base(p), ".txt"), keys: map[string]string{}}
		for line := range strings.Lines(string(archive.Comment)) {
			line, _, _ = strings.Cut(line, "#")
			if key, value, ok := strings.Cut(line, "="); ok {
				c.keys[strings.TrimSpace(key)] = strings.TrimSpace(value)
			}
		}
		c.isBad = c.keys["wantErr"] != ""
		for _, f := range archive.Files {
			if f.Name == "want" {
				_, invalid, _ := strings.Cut(string(f.Data), "\ninvalid:\n")
				c.isBad = invalid != ""
			} else {
				c.files = append(c.files, source{name: f.Name, data: f.Data})
			}
		}
		c.module = module.Version{Path: c.keys["path"], Version: c.keys["version"]}
		cases = append(cases, c)
	}
	return cases
}

// Write a zip and the verdict about it, which it returns.
type writeZip func(name string, bytes []byte, m module.Version) (h1 string, err error)

func expectCase(c xmodCase, h1 string, err error) {
	expect(c.name, err != nil, c.isBad)
	if want := c.keys["hash"]; want != "" {
		expect(c.name, h1, want)
	}
}

// Zips as TestCheckZip and TestUnzip make them.
func xmodReadCases(write writeZip) {
	for _, kind := range []string{"check_zip", "unzip"} {
		for _, c := range readCases(kind) {
			h1, err := write(c.name, pack("", c.files), c.module)
			expectCase(c, h1, err)
		}
	}
}

// Zips of what TestCreate and TestCheckFiles look at: as zip.Create makes them, and with all the files.
func xmodCreateCases(write writeZip) {
	for _, kind := range []string{"create", "check_files"} {
		for _, c := range readCases(kind) {
			if c.module.Path == "" {
				c.module = module.Version{Path: zipModule, Version: zipVersion}
			}
			var list []zip.File
			for _, f := range c.files {
				list = append(list, f)
			}
			var made bytes.Buffer
			err := zip.Create(&made, c.module, list)
			expect(c.name, err != nil, c.isBad)
			if err == nil {
				h1, err := write(c.name, made.Bytes(), c.module)
				expectCase(c, h1, err)
			}
			all := pack(c.module.Path+"@"+c.module.Version+"/", c.files)
			if err != nil || !bytes.Equal(all, made.Bytes()) {
				write(c.name+"-all", all, c.module)
			}
		}
	}
}

// TestUnzipSizeLimits.
func xmodSizeCases(write writeZip) {
	m := module.Version{Path: "example.com/large", Version: "v1.0.0"}
	for _, c := range []xmodCase{
		{name: "one_large", files: []source{{name: "large.go", size: zip.MaxZipFile}}},
		{name: "one_too_large", files: []source{{name: "large.go", size: zip.MaxZipFile + 1}}, isBad: true},
		{name: "total_large", files: []source{{name: "small.go", size: 10}, {name: "large.go", size: zip.MaxZipFile - 10}}},
		{name: "total_too_large", files: []source{{name: "small.go", size: 10}, {name: "large.go", size: zip.MaxZipFile - 9}}, isBad: true},
		{name: "large_gomod", files: []source{{name: "go.mod", size: zip.MaxGoMod}}},
		{name: "too_large_gomod", files: []source{{name: "go.mod", size: zip.MaxGoMod + 1}}, isBad: true},
		{name: "large_license", files: []source{{name: "LICENSE", size: zip.MaxLICENSE}}},
		{name: "too_large_license", files: []source{{name: "LICENSE", size: zip.MaxLICENSE + 1}}, isBad: true},
	} {
		h1, err := write(c.name, pack(m.String()+"/", c.files), m)
		expectCase(c, h1, err)
	}
}

// TestUnzipSizeLimitsSpecial, but for the files that are nothing but a hole.
func xmodLieCase(write writeZip) {
	m := module.Version{Path: "example.com/m", Version: "v1.0.0"}
	packed := pack(m.String()+"/", []source{{name: "go.mod", size: 0x0bad}})
	expect("size_is_a_lie", bytes.Count(packed, []byte{0xad, 0x0b}), 2)
	packed = bytes.ReplaceAll(packed, []byte{0xad, 0x0b}, []byte{0xac, 0x00})
	_, err := write("size_is_a_lie", packed, m)
	expect("size_is_a_lie", err != nil, true)
}

func xmodZips(o output, dir string) {
	write := func(name string, bytes []byte, m module.Version) (string, error) {
		name = "xmod-" + name + ".zip"
		must(os.WriteFile(filepath.Join(dir, name), bytes, 0o666))
		return zipLine(o, dir, name, m)
	}
	xmodReadCases(write)
	xmodCreateCases(write)
	xmodSizeCases(write)
	xmodLieCase(write)
	for _, c := range []struct {
		name string
		size int64
	}{{"large_zip", zip.MaxZipFile}, {"too_large_zip", zip.MaxZipFile + 1}} {
		path := filepath.Join(dir, c.name)
		must(os.WriteFile(path, nil, 0o666))
		must(os.Truncate(path, c.size))
		_, _, _, err := judge(path, zipModule, zipVersion)
		must(os.Remove(path))
		o.line("hole", c.name, c.size, verdict(err))
		expect(c.name, err != nil, true)
	}
}
