package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// Modules that tests/unit/test_modzip_write.c writes as well: "PATH" of 10 bytes, or "SIZE:PATH".
var writtenList = [][]string{
	{},
	{"go.mod"},
	{"go.mod", "LICENSE", "a/b.go", "a/b/c.go", "0:empty", "1:one"},
	{"0:go.mod"},
	{"z", "a", "m/n", "A-b", "a.b/c"},
	{"испытание.go", "中文/ñ.txt", "\u1112\u1161\u11ab", "\u212b", "é/è", "\U00010400"},
	{"!#$%&()+,-.=@[]^_{}~ x", " lead", "-x"},
	{strings.Repeat("abcdefgh/", 40) + "x", strings.Repeat("n", 250)},
	{"65535:a", "65536:b", "65537:c", "131072:d", "200000:e", "100001:f"},
	{"3000000:zeros", "3000001:noise"},
}

// Zeros if the size is even, else noise.
func contentOf(size int64) []byte {
	data := make([]byte, size)
	x := uint32(size)
	for i := range data {
		if x = x*1103515245 + 12345; size%2 == 1 {
			data[i] = byte(x >> 16)
		}
	}
	return data
}

func writtenFiles(specs []string) (files []zip.File, list string) {
	for _, spec := range specs {
		f := source{name: spec, size: 10}
		if size, name, ok := strings.Cut(spec, ":"); ok {
			fmt.Sscan(size, &f.size)
			f.name = name
		}
		f.data = contentOf(f.size)
		files = append(files, f)
		list += fmt.Sprintf("%d %s\x00", f.size, f.name)
	}
	return
}

// What zip.Create makes of each list; and where dir has a zip that the unit test
// made of it (see there), that it is taken for the same.
func writtenZips(o output, dir string) {
	m := module.Version{Path: zipModule, Version: zipVersion}
	for i, specs := range writtenList {
		files, list := writtenFiles(specs)
		var made bytes.Buffer
		must(zip.Create(&made, m, files))
		temp, err := os.CreateTemp("", "oracle")
		must(err)
		_, err = temp.Write(made.Bytes())
		must(err)
		must(temp.Close())
		h1, n, unpacked, err := judge(temp.Name(), m.Path, m.Version)
		must(err)
		must(os.Remove(temp.Name()))
		o.line("written", i, m.Path, m.Version, list, h1, n, unpacked)
		ours := filepath.Join(dir, fmt.Sprintf("%d.zip", i))
		if _, err := os.Stat(ours); err != nil {
			continue
		}
		got, _, _, err := judge(ours, m.Path, m.Version)
		must(err)
		expect(ours, got, h1)
		_, err = zip.CheckZip(m, ours)
		must(err)
		o.line("judged", i, got)
	}
}
