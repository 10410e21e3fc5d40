package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// What a local header or a directory entry says.
type header struct {
	sig, crc         uint32
	flags, method    uint16
	packed, unpacked uint32
	name, extra      string
	comment          string
	offset           uint32
	dropped          bool
}

type entry struct {
	name, data string
	stored     bool
	descriptor string // "", "sig", "bare", "sig64", "bare64"
	extra      string
	packed     string // the packed bytes, if not by deflate()
	tail       string // behind the packed bytes, counted with them
	gap        string // before the local header
	change     func(local, central *header)
}

type archive struct {
	junk    string
	entries []entry
	before  string // before the directory
	comment string
	behind  string // behind all
	zip64   bool
	count   func(n int) int
	shift   int64 // of the directory's offset
	cut     int   // bytes cut off the end
	order   []int // of the directory
}

func deflate(data string) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	must(err)
	w.Write([]byte(data))
	must(w.Close())
	return b.String()
}

func u16(v int) string    { return string(binary.LittleEndian.AppendUint16(nil, uint16(v))) }
func u32(v uint32) string { return string(binary.LittleEndian.AppendUint32(nil, v)) }
func u64(v uint64) string { return string(binary.LittleEndian.AppendUint64(nil, v)) }

func (h header) local() string {
	return u32(h.sig) + u16(20) + u16(int(h.flags)) + u16(int(h.method)) + u32(0) + u32(h.crc) + u32(h.packed) +
		u32(h.unpacked) + u16(len(h.name)) + u16(len(h.extra)) + h.name + h.extra
}

func (h header) central() string {
	return u32(h.sig) + u16(20) + u16(20) + u16(int(h.flags)) + u16(int(h.method)) + u32(0) + u32(h.crc) + u32(h.packed) +
		u32(h.unpacked) + u16(len(h.name)) + u16(len(h.extra)) + u16(len(h.comment)) + u32(0) + u32(0) + u32(h.offset) +
		h.name + h.extra + h.comment
}

func (e entry) headers(offset int) (local, central header, body, descriptor string) {
	h := header{crc: crc32.ChecksumIEEE([]byte(e.data)), name: e.name, extra: e.extra, method: 8, unpacked: uint32(len(e.data))}
	body = e.data
	if e.stored {
		h.method = 0
	} else if e.packed != "" {
		body = e.packed
	} else {
		body = deflate(e.data)
	}
	body += e.tail
	h.packed = uint32(len(body))
	if e.descriptor != "" {
		h.flags = 8
	}
	local, central = h, h
	local.sig, central.sig, central.offset = 0x04034b50, 0x02014b50, uint32(offset)
	if e.descriptor != "" {
		local.crc, local.packed, local.unpacked = 0, 0, 0
		if strings.HasPrefix(e.descriptor, "sig") {
			descriptor = u32(0x08074b50)
		}
		if strings.HasSuffix(e.descriptor, "64") {
			descriptor += u32(h.crc) + u64(uint64(h.packed)) + u64(uint64(h.unpacked))
		} else {
			descriptor += u32(h.crc) + u32(h.packed) + u32(h.unpacked)
		}
	}
	if e.change != nil {
		e.change(&local, &central)
	}
	return
}

func (a archive) bytes() string {
	out := a.junk
	var centrals []header
	for _, e := range a.entries {
		out += e.gap
		local, central, body, descriptor := e.headers(len(out) - len(a.junk))
		if !local.dropped {
			out += local.local() + body + descriptor
		}
		if !central.dropped {
			centrals = append(centrals, central)
		}
	}
	out += a.before
	start := len(out)
	if a.order != nil {
		var sorted []header
		for _, i := range a.order {
			sorted = append(sorted, centrals[i])
		}
		centrals = sorted
	}
	for _, c := range centrals {
		out += c.central()
	}
	size, n := len(out)-start, len(centrals)
	if a.count != nil {
		n = a.count(n)
	}
	offset := uint64(int64(start-len(a.junk)) + a.shift)
	if a.zip64 {
		at := len(out)
		out += u32(0x06064b50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(uint64(n)) + u64(uint64(n)) +
			u64(uint64(size)) + u64(offset) + u32(0x07064b50) + u32(0) + u64(uint64(at)) + u32(1)
		n, size, offset = 0xffff, 0xffffffff, 0xffffffff
	}
	out += u32(0x06054b50) + u32(0) + u16(n) + u16(n) + u32(uint32(size)) + u32(uint32(offset)) + u16(len(a.comment)) + a.comment + a.behind
	return out[:len(out)-a.cut]
}

const (
	zipModule  = "example.com/m"
	zipVersion = "v1.2.3"
	zipPrefix  = zipModule + "@" + zipVersion + "/"
)

var gomod = entry{name: zipPrefix + "go.mod", data: "module example.com/m\n"}

// Entries with these names below the prefix.
func named(names ...string) archive {
	a := archive{}
	for i, n := range names {
		e := entry{name: zipPrefix + n, data: fmt.Sprintf("file %d\n", i)}
		if n == "" || strings.HasSuffix(n, "/") {
			e.data, e.stored = "", true
		}
		a.entries = append(a.entries, e)
	}
	return a
}

func with(entries ...entry) archive {
	return archive{entries: append([]entry{gomod}, entries...)}
}

func file(change func(*entry)) entry {
	e := entry{name: zipPrefix + "a.go", data: strings.Repeat("package a // a line\n", 20)}
	if change != nil {
		change(&e)
	}
	return e
}

func changed(change func(local, central *header)) archive {
	return with(file(func(e *entry) { e.change = change }), entry{name: zipPrefix + "b.go", data: "package b\n"})
}

func described(kind string) archive {
	one := func(name, data string) entry { return entry{name: zipPrefix + name, data: data, descriptor: kind} }
	return archive{entries: []entry{one("go.mod", "module example.com/m\n"), one("a.go", "package a\n"), one("empty", "")}}
}

func zip64Entry(local, central *header) {
	extra := u16(1) + u16(16) + u64(uint64(local.unpacked)) + u64(uint64(local.packed))
	for _, h := range []*header{local, central} {
		h.extra, h.packed, h.unpacked = extra, 0xffffffff, 0xffffffff
	}
}

func many(n int) archive {
	a := archive{}
	for i := range n {
		a.entries = append(a.entries, entry{name: fmt.Sprintf("%sd%d/f%d", zipPrefix, i%7, i), data: fmt.Sprint(i), stored: i%3 == 0})
	}
	return a
}

type zipCase struct {
	name string
	a    archive
}

func nameCases() []zipCase {
	return []zipCase{
		{"simple", with(file(nil))},
		{"empty", archive{}},
		{"prefix-only", archive{entries: []entry{{name: zipPrefix, stored: true}}}},
		{"prefix-twice", named("", "", "go.mod")},
		{"no-gomod", named("a.go")},
		{"folders", named("go.mod", "a/", "a/b/", "a/b/c.go", "d/")},
		{"folder-twice", named("go.mod", "a/", "a/")},
		{"folder-after-file-in-it", named("a/b", "a/")},
		{"other-prefix", archive{entries: []entry{{name: "example.com/m@v1.2.4/a.go", data: "x"}}}},
		{"no-prefix", archive{entries: []entry{{name: "a.go", data: "x"}}}},
		{"prefix-without-slash", archive{entries: []entry{{name: strings.TrimSuffix(zipPrefix, "/"), data: "x"}}}},
		{"upper-prefix", archive{entries: []entry{{name: "example.com/M@v1.2.3/a.go", data: "x"}}}},
		{"absolute", archive{entries: []entry{{name: "/" + zipPrefix + "a.go", data: "x"}}}},
		{"empty-name", archive{entries: []entry{{name: "", data: "x"}}}},
		{"dotdot", named("../a.go")},
		{"dotdot-inside", named("a/../b.go")},
		{"dot", named("./a.go")},
		{"double-slash", named("a//b.go")},
		{"slash-first", named("/a.go")},
		{"folder-slash", named("/")},
		{"folder-double-slash", named("a//")},
		{"trailing-dot", named("a.")},
		{"dots", named("...")},
		{"backslash", named(`a\b.go`)},
		{"colon", named("c:a.go")},
		{"newline", named("a\nb.go")},
		{"nul", named("a\x00b.go")},
		{"not-utf8", named("a\xffb.go")},
		{"surrogate", named("a\xed\xa0\x80b.go")},
		{"device", named("aux.go")},
		{"device-folder", named("x/Nul/a.go")},
		{"short-name", named("progra~1")},
		{"punctuation", named("!#$%&()+,-.=@[]^_{}~ x")},
		{"quote", named("a'b.go")},
		{"star", named("a*b.go")},
		{"letters", named("испытание.go", "中文/ñ.txt")},
		{"emoji", named("😀.go")},
		{"combining", named("e\u0301.go")},
		{"leading-dot", named(".gitignore", ".github/x")},
		{"leading-dash", named("-x")},
		{"gomod-below", named("go.mod", "sub/go.mod")},
		{"gomod-below-case", named("go.mod", "sub/GO.mod")},
		{"gomod-case", named("Go.Mod")},
		{"gomod-folder", named("go.mod/", "a.go")},
		{"gomod-folder-below", named("a/go.mod/b.go")},
		{"gomod-like", named("xgo.mod", "go.mod.txt")},
		{"vendor", named("vendor/x/y.go", "vendor/modules.txt")},
		{"file-twice", named("a.go", "b.go", "a.go")},
		{"file-folder", named("a", "a/")},
		{"folder-file", named("a/", "a")},
		{"file-above", named("a", "a/b.go")},
		{"file-above-later", named("a/b.go", "a-b", "a.b", "a b", "a")},
		{"file-above-deep", named("a/b/c/d", "a/b")},
		{"case-file", named("a.go", "A.go")},
		{"case-folder", named("x/a.go", "X/b.go")},
		{"case-folder-entry", named("x/", "X/")},
		{"case-file-folder", named("x", "X/b.go")},
		{"case-deep", named("a/b/C/d", "z", "a/B/c/e")},
		{"case-same-folder", named("Dir/a", "Dir/b", "dIr2/a", "dIr2/b")},
		{"case-greek", named("σ", "ς")},
		{"case-cyrillic", named("Я.go", "я.go")},
		{"case-kelvin", named("k", "\u212a")},
		{"case-long-s", named("s", "\u017f")},
		{"case-sharp-s", named("ß", "\u1e9e")},
		{"case-sharp-s-ss", named("ß", "ss", "sS2")},
		{"case-dotted-i", named("i", "\u0130", "\u0131")},
		{"case-ligature", named("ﬁ", "fi")},
		{"case-titlecase", named("ǅ", "ǆ")},
		{"case-iota", named("\u1f80", "\u1f88")},
		{"case-iota-full", named("\u1f80", "\u1f00\u03b9")},
		{"case-deseret", named("\U00010400", "\U00010428")},
		{"case-angstrom", named("å", "\u212b")},
		{"order", named("b", "a0", "a-b", "a/b", "a.b", "b2", "Z", "_", "é", "~")},
		{"many", many(300)},
		{"long-name", named(strings.Repeat("abcdefgh/", 20) + "x")},
	}
}

func sizeCases() []zipCase {
	return []zipCase{
		{"size-longer", changed(func(l, c *header) { c.unpacked--; l.unpacked-- })},
		{"size-longer-central", changed(func(l, c *header) { c.unpacked-- })},
		{"size-shorter", changed(func(l, c *header) { c.unpacked++; l.unpacked++ })},
		{"size-local-lies", changed(func(l, c *header) { l.unpacked = 7 })},
		{"packed-longer", changed(func(l, c *header) { c.packed += 3; l.packed += 3 })},
		{"packed-shorter", changed(func(l, c *header) { c.packed -= 3; l.packed -= 3 })},
		{"packed-local-lies", changed(func(l, c *header) { l.packed = 1 })},
		{"packed-zero", changed(func(l, c *header) { c.packed = 0; l.packed = 0 })},
		{"packed-huge", changed(func(l, c *header) { c.packed = 0xfffffff0 })},
		{"both-zero", changed(func(l, c *header) { c.packed, c.unpacked, c.crc = 0, 0, 0 })},
		{"deflate-tail", with(file(func(e *entry) { e.tail = "more" }))},
		{"over-500m", changed(func(l, c *header) { c.unpacked = 500<<20 + 1 })},
		{"sum-over-500m", with(file(func(e *entry) { e.change = func(l, c *header) { c.unpacked = 250 << 20 } }),
			entry{name: zipPrefix + "b.go", change: func(l, c *header) { c.unpacked = 250<<20 + 1 }})},
		{"gomod-16m", archive{entries: []entry{{name: zipPrefix + "go.mod", data: strings.Repeat("\n", 16<<20)}}}},
		{"gomod-over-16m", archive{entries: []entry{{name: zipPrefix + "go.mod", data: strings.Repeat("\n", 16<<20+1)}}}},
		{"license-over-16m", with(entry{name: zipPrefix + "LICENSE", data: "x", change: func(l, c *header) { c.unpacked = 16<<20 + 1 }})},
		{"license-below-over-16m", with(entry{name: zipPrefix + "x/LICENSE", data: strings.Repeat("\n", 16<<20+1)})},
		{"crc-wrong", changed(func(l, c *header) { c.crc++; l.crc++ })},
		{"crc-wrong-central", changed(func(l, c *header) { c.crc++ })},
		{"crc-wrong-local", changed(func(l, c *header) { l.crc++ })},
		{"crc-zero", changed(func(l, c *header) { c.crc = 0; l.crc = 0 })},
		{"stored", with(file(func(e *entry) { e.stored = true }))},
		{"stored-lies", with(file(func(e *entry) { e.stored = true; e.change = func(l, c *header) { c.unpacked--; l.unpacked-- } }))},
		{"stored-longer", with(file(func(e *entry) { e.stored = true; e.change = func(l, c *header) { c.packed++; l.packed++ } }))},
		{"stored-empty", with(entry{name: zipPrefix + "e", stored: true})},
		{"deflated-empty", with(entry{name: zipPrefix + "e"})},
		{"folder-with-bytes", with(entry{name: zipPrefix + "d/", data: "x", stored: true})},
		{"folder-deflated", with(entry{name: zipPrefix + "d/"})},
		{"folder-twice-first-with-bytes", with(entry{name: zipPrefix + "d/", data: "x", stored: true}, entry{name: zipPrefix + "d/", stored: true})},
		{"folder-twice-last-with-bytes", with(entry{name: zipPrefix + "d/", stored: true}, entry{name: zipPrefix + "d/", data: "x", stored: true})},
		{"not-deflate", with(file(func(e *entry) { e.stored = true; e.change = func(l, c *header) { l.method = 8; c.method = 8 } }))},
		{"method-12", changed(func(l, c *header) { l.method = 12; c.method = 12 })},
		{"method-local-lies", changed(func(l, c *header) { l.method = 0 })},
		{"method-local-12", changed(func(l, c *header) { l.method = 12 })},
		{"encrypted-flag", changed(func(l, c *header) { l.flags = 1; c.flags = 1 })},
		{"utf8-flag", changed(func(l, c *header) { l.flags = 0x800; c.flags = 0x800 })},
	}
}

func formatCases() []zipCase {
	simple := with(file(nil))
	vary := func(change func(*archive)) archive { a := simple; change(&a); return a }
	gap := func(s string) archive { return with(file(func(e *entry) { e.gap = s })) }
	return []zipCase{
		{"descriptor", described("sig")},
		{"descriptor-bare", described("bare")},
		{"descriptor-64", described("sig64")},
		{"descriptor-bare-64", described("bare64")},
		{"descriptor-64-full", with(file(func(e *entry) { e.descriptor = "sig64" }))},
		{"descriptor-bare-64-full", with(file(func(e *entry) { e.descriptor = "bare64" }))},
		{"descriptor-missing", changed(func(l, c *header) { l.flags = 8; c.flags = 8 })},
		{"descriptor-flag-local-only", changed(func(l, c *header) { l.flags = 8 })},
		{"descriptor-flag-central-only", changed(func(l, c *header) { c.flags = 8 })},
		{"descriptor-unflagged-central", with(file(func(e *entry) { e.descriptor = "sig"; e.change = func(l, c *header) { c.flags = 0 } }))},
		{"descriptor-crc", with(file(func(e *entry) { e.descriptor = "sig"; e.change = func(l, c *header) { c.crc++ } }))},
		{"descriptor-stored", with(file(func(e *entry) { e.descriptor = "sig"; e.stored = true }))},
		{"descriptor-local-sizes", with(file(func(e *entry) {
			e.descriptor = "sig"
			e.change = func(l, c *header) { sig := l.sig; *l = *c; l.sig = sig }
		}))},
		{"zip64-entry", changed(zip64Entry)},
		{"zip64-entry-cut", changed(func(l, c *header) { zip64Entry(l, c); c.extra = u16(1) + u16(8) + u64(400) })},
		{"zip64-entry-missing", changed(func(l, c *header) { c.packed = 0xffffffff })},
		{"zip64-entry-unpacked-missing", changed(func(l, c *header) { c.unpacked = 0xffffffff })},
		{"zip64-local-only", changed(func(l, c *header) { old := *c; zip64Entry(l, c); *c = old })},
		{"zip64-central-only", changed(func(l, c *header) { old := *l; zip64Entry(l, c); *l = old })},
		{"zip64-offset", changed(func(l, c *header) {
			c.extra = u16(0x5455) + u16(1) + "x" + u16(1) + u16(8) + u64(uint64(c.offset))
			c.offset = 0xffffffff
		})},
		{"zip64-offset-outside", changed(func(l, c *header) { c.extra, c.offset = u16(1)+u16(8)+u64(1<<40), 0xffffffff })},
		{"zip64-offset-negative", changed(func(l, c *header) { c.extra, c.offset = u16(1)+u16(8)+u64(1<<63+5), 0xffffffff })},
		{"zip64-packed-negative", changed(func(l, c *header) { c.extra, c.packed = u16(1)+u16(8)+u64(1<<63+5), 0xffffffff })},
		{"zip64-end", vary(func(a *archive) { a.zip64 = true })},
		{"zip64-end-junk", vary(func(a *archive) { a.zip64, a.junk = true, "junk" })},
		{"extra", with(file(func(e *entry) { e.extra = u16(0x5455) + u16(5) + "\x01abcd" }))},
		{"extra-senseless", with(file(func(e *entry) { e.extra = u16(0x5455) + u16(500) + "abc" }))},
		{"extra-local-longer", changed(func(l, c *header) { l.extra = u16(0xcafe) + u16(0) })},
		{"comment-entry", changed(func(l, c *header) { c.comment = "a comment" })},
		{"comment", vary(func(a *archive) { a.comment = strings.Repeat("a comment ", 200) })},
		{"comment-with-signature", vary(func(a *archive) { a.comment = "PK\x05\x06" + strings.Repeat("\x00", 18) })},
		{"comment-with-bad-signature", vary(func(a *archive) { a.comment = "PK\x05\x06" + strings.Repeat("x", 18) })},
		{"behind", vary(func(a *archive) { a.behind = "trailing bytes" })},
		{"junk", vary(func(a *archive) { a.junk = "#!/bin/sh\n" })},
		{"junk-zip", vary(func(a *archive) { a.junk = named("evil.go").bytes() })},
		{"junk-shifted", vary(func(a *archive) { a.junk, a.shift = "#!/bin/sh\n", 10 })},
		{"offset-early", vary(func(a *archive) { a.shift = -4 })},
		{"offset-late", vary(func(a *archive) { a.shift = 4 })},
		{"offset-outside", vary(func(a *archive) { a.shift = 1 << 30 })},
		{"gap", gap("gap")},
		{"gap-header", gap(named("evil.go").bytes()[:60])},
		{"gap-descriptor", gap("PK\x07\x08" + strings.Repeat("x", 12))},
		{"before-directory", vary(func(a *archive) { a.before = "before" })},
		{"name-local-lies", changed(func(l, c *header) { l.name = zipPrefix + "z.go" })},
		{"name-local-longer", changed(func(l, c *header) { l.name += "xyz" })},
		{"local-signature", changed(func(l, c *header) { l.sig++ })},
		{"central-signature", changed(func(l, c *header) { c.sig++ })},
		{"local-only", changed(func(l, c *header) { c.dropped = true })},
		{"central-only", changed(func(l, c *header) { l.dropped = true })},
		{"two-centrals-one-local", with(file(nil), file(func(e *entry) {
			e.change = func(l, c *header) { l.dropped = true; c.name, c.offset = zipPrefix+"b.go", 0 }
		}))},
		{"overlap", with(file(nil), file(func(e *entry) {
			e.change = func(l, c *header) { l.dropped = true; c.name, c.offset = zipPrefix+"b.go", uint32(len(gomod.pack())) }
		}))},
		{"directory-order", vary(func(a *archive) { a.order = []int{1, 0} })},
		{"count-less", vary(func(a *archive) { a.count = func(n int) int { return n - 1 } })},
		{"count-more", vary(func(a *archive) { a.count = func(n int) int { return n + 1 } })},
		{"count-64k-more", vary(func(a *archive) { a.zip64, a.count = true, func(n int) int { return n + 65536 } })},
		{"cut-1", vary(func(a *archive) { a.cut = 1 })},
		{"cut-end", vary(func(a *archive) { a.cut = 22 })},
		{"cut-directory", vary(func(a *archive) { a.cut = 50 })},
		{"cut-half", vary(func(a *archive) { a.cut = len(a.bytes()) / 2 })},
		{"cut-all", vary(func(a *archive) { a.cut = len(a.bytes()) })},
		{"cut-comment", vary(func(a *archive) { a.comment, a.cut = "comment", 3 })},
	}
}

// An entry as it stands in a file, for its length.
func (e entry) pack() string {
	local, _, body, descriptor := e.headers(0)
	return local.local() + body + descriptor
}

// What the go command does with a zip: hash and unpack it.
func judge(path, modPath, version string) (h1 string, files int, unpacked int64, err error) {
	m := module.Version{Path: modPath, Version: version}
	dir, err := os.MkdirTemp("", "oracle")
	must(err)
	defer os.RemoveAll(dir)
	h1, err = dirhash.HashZip(path, dirhash.Hash1)
	if err != nil {
		return "", 0, 0, err
	}
	out := filepath.Join(dir, "out")
	if err := zip.Unzip(out, m, path); err != nil {
		return "", 0, 0, err
	}
	err = filepath.Walk(out, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			files++
			unpacked += info.Size()
		}
		return err
	})
	return h1, files, unpacked, err
}

func zipLine(o output, dir, name string, m module.Version) (string, error) {
	h1, files, unpacked, err := judge(filepath.Join(dir, name), m.Path, m.Version)
	o.line("zip", name, m.Path, m.Version, verdict(err), h1, files, unpacked)
	return h1, err
}

func zips(o output, dir string) {
	must(os.RemoveAll(dir))
	must(os.MkdirAll(dir, 0o777))
	one := func(name, mod, version string) {
		zipLine(o, dir, name+".zip", module.Version{Path: mod, Version: version})
	}
	for _, list := range [][]zipCase{nameCases(), sizeCases(), formatCases(), flateCases()} {
		for _, c := range list {
			must(os.WriteFile(filepath.Join(dir, c.name+".zip"), []byte(c.a.bytes()), 0o666))
			one(c.name, zipModule, zipVersion)
		}
	}
	for _, m := range [][2]string{
		{zipModule, "v1.2.4"}, {zipModule, "v1.2"}, {zipModule, "latest"}, {zipModule, "v1.2.3+meta"}, {zipModule, "v2.0.0"},
		{zipModule + "/v2", "v2.0.0"}, {"example.com/M", zipVersion}, {"m", zipVersion}, {"", ""}, {zipModule, "v2.0.0+incompatible"},
	} {
		one("simple", m[0], m[1])
	}
	xmodZips(o, dir)
	mod := "module example.com/m\n"
	open := func(string) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(mod)), nil }
	h1, err := dirhash.Hash1([]string{"go.mod"}, open)
	must(err)
	o.line("gomod", mod, h1)
}
