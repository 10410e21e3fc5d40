// Oracle prints what golang.org/x/mod and the standard library say about
// versions, paths, patterns, version infos, go.mod files, signed notes, the log of
// a checksum database, the files of a module, git's tars and zips. The cases are
// ours, and (xmod.txt, zip/xmod-*.zip) those of x/mod's own tests, as the module
// cache holds them. It makes the files in tests/vectors, is run by hand and is no
// part of the build:
//
//	cd tests/oracle && go run . ../vectors
//
// A line has fields between tabs; "\xHH" stands for a byte that isn't
// printable ASCII, and for the backslash.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const command = "# Made by: cd tests/oracle && go run . ../vectors\n"

type output struct {
	w     *bufio.Writer
	table string // of x/mod's own tests, behind each line
}

func quote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			fmt.Fprintf(&b, "\\x%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (o output) line(fields ...any) {
	if o.table != "" {
		fields = append(fields, o.table)
	}
	for i, f := range fields {
		if i > 0 {
			o.w.WriteByte('\t')
		}
		o.w.WriteString(quote(fmt.Sprint(f)))
	}
	o.w.WriteByte('\n')
}

func verdict(err error) string {
	if err != nil {
		return "bad"
	}
	return "ok"
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func write(dir, name string, fill func(output)) {
	f, err := os.Create(filepath.Join(dir, name))
	must(err)
	w := bufio.NewWriter(f)
	w.WriteString(command)
	fill(output{w: w})
	must(w.Flush())
	must(f.Close())
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run . DIRECTORY")
		os.Exit(2)
	}
	dir := os.Args[1]
	write(dir, "version.txt", versions)
	write(dir, "module.txt", modules)
	write(dir, "patterns.txt", patterns)
	write(dir, "xmod.txt", xmods)
	write(dir, "unicode.txt", unicodes)
	write(dir, "info.txt", infos)
	write(dir, "modfile.txt", modfiles)
	write(dir, "note.txt", notes)
	write(dir, "tlog.txt", tlogs)
	write(dir, "files.txt", moduleFiles)
	write(dir, "tar.txt", func(o output) { tars(o, filepath.Join(dir, "tar")) })
	write(dir, "written.txt", func(o output) { writtenZips(o, filepath.Join(dir, "written")) })
	write(dir, "zip.txt", func(o output) { zips(o, filepath.Join(dir, "zip")) })
}
