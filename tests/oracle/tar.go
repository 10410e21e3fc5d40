package main

import (
	stdtar "archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var tarList = []struct {
	name  string
	files []string // "PATH", "SIZE:PATH", or "link:PATH"
}{
	{"empty", nil},
	{"simple", []string{"go.mod", "a.go", "0:empty", "sub/b.go", "link:sub/c"}},
	{"letters", []string{"é.go", "中文/ñ.txt", "bad\xff.go", "new\nline", " lead", "trail ", "back\\slash", "quote\"'"}},
	{"long", []string{strings.Repeat("d", 90) + "/" + strings.Repeat("e", 60), strings.Repeat("d", 99), strings.Repeat("d", 100),
		strings.Repeat("d", 101), strings.Repeat("e", 155) + "/" + strings.Repeat("f", 100), strings.Repeat("e", 156) + "/x",
		strings.Repeat("dir/", 70) + "x", "link:" + strings.Repeat("l", 120)}},
	{"long-letters", []string{strings.Repeat("é", 50), strings.Repeat("é", 51), strings.Repeat("ж", 60) + "/" + strings.Repeat("ж", 60),
		strings.Repeat(strings.Repeat("ж", 55)+"/", 3) + "x", strings.Repeat("\xff", 101), strings.Repeat("long\n", 30), "link:" + strings.Repeat("é", 60)}},
	{"sizes", []string{"511:a", "512:b", "513:c", "70001:d", "1:e"}},
}

// The same commit each time, whoever makes it.
func git(dir string, args ...string) []byte {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "TZ=UTC",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_AUTHOR_DATE=1546300800 +0000",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_COMMITTER_DATE=1546300800 +0000")
	out, err := cmd.Output()
	must(err)
	return out
}

func tarOf(files []string) []byte {
	dir, err := os.MkdirTemp("", "oracle")
	must(err)
	defer os.RemoveAll(dir)
	git(dir, "init", "-q")
	for _, spec := range files {
		size, name, ok := strings.Cut(spec, ":")
		n := int64(10)
		if ok {
			fmt.Sscan(size, &n)
		} else {
			name = spec
		}
		name = filepath.Join(dir, name)
		must(os.MkdirAll(filepath.Dir(name), 0o777))
		if size == "link" && ok {
			must(os.Symlink(strings.Repeat("target/", 20), name))
		} else {
			must(os.WriteFile(name, contentOf(n), 0o644))
		}
	}
	git(dir, "add", "-A")
	git(dir, "commit", "-q", "--allow-empty", "-m", "x")
	return git(dir, "archive", "--format=tar", "HEAD")
}

// Streams of git, and what archive/tar finds in them.
func tars(o output, dir string) {
	must(os.MkdirAll(dir, 0o777))
	for _, c := range tarList {
		data := tarOf(c.files)
		must(os.WriteFile(filepath.Join(dir, c.name+".tar"), data, 0o666))
		n := 0
		for r := stdtar.NewReader(bytes.NewReader(data)); ; {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			must(err)
			kind, ok := map[byte]string{stdtar.TypeReg: "r", stdtar.TypeSymlink: "s", stdtar.TypeDir: "d"}[h.Typeflag]
			if !ok {
				continue // the commit's hash
			}
			content, err := io.ReadAll(r)
			must(err)
			o.line("entry", c.name, n, kind, len(content), h.Name, fmt.Sprintf("%x", sha256.Sum256(content)))
			n++
		}
		o.line("entry", c.name, n, "end", 0, "", "")
	}
}
