"""vcsextra - repositories that no script of cmd/go has: what git's attributes, odd names, odd tags and odd
times do to a module. Each is held against the go command like the scripts' own.

    REPOS    name -> function(Repo); served as https://code.example.com/NAME, module code.example.com/NAME.git
    build()  all of them, below build/

What the go command is asked about them stands in vcscases.py.
"""
import subprocess

from vcsrepo import GIT_CONFIG, Repo, digest, git_env, tree

HOST = "code.example.com"
ATTRIBUTES = """*.crlf eol=crlf
*.auto text=auto
*.lf text eol=lf
*.ident ident
*.utf16 working-tree-encoding=UTF-16
*.subst export-subst
*.ignored export-ignore
hidden export-ignore
*.lfs filter=lfs diff=lfs merge=lfs -text
*.bin binary
"""
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % ("0" * 64)

# What a module's zip may not hold, or may just so; the version of each is v0.N.0.
ODD_NAMES = [
    b'quo"te.go', b"new\nline.go", b"\xff\xfe.go", "\u00e9\u4e16.go".encode(), b"..foo", b"aux.go", b"dir/con",
    b"dot.", b"back\\slash.go", b"co:lon.go", b" space .go", b"tilde~1.go", b"star*.go", b"que?.go", b"tab\t.go",
    b"\xe2\x84\xaa.go", b"a/\xcc\x81.go", b"long/" + b"x" * 200 + b".go", b"apo'strophe.go", b"dollar$.go",
    b"brack[et].go", b"@v.go", b"!bang.go",
    b"\x7f.go", b"-dash.go", b"comma,.go", b"lpt1.txt", b"COM9", b".hidden/x.go", b"_under/x.go", b"testdata/x.go",
    b"trailing /x.go", b"e\xcc\x81.go"]


def mod(name, *more):
    return "module %s/%s.git%s\n" % (HOST, name, "".join("\n" + m for m in more))


def attributes(r):
    text = {"crlf": "a\nb\n", "auto": "a\r\nb\r\n", "lf": "a\r\nb\r\n", "ident": "$Id$\n$Id: old $\n",
            "utf16": "gr\u00fc\u00df\n", "subst": "$Format:%H %an$\n", "ignored": "there\n",
            "lfs": POINTER, "bin": b"\0\r\n\xff$Id$"}
    files = {".gitattributes": ATTRIBUTES, "go.mod": mod("attributes"), "hidden/a.go": "package hidden\n"}
    for kind, body in text.items():
        files["x." + kind] = files["sub/x." + kind] = body
    files.update({"sub/go.mod": mod("attributes/sub").replace("/sub.git", ".git/sub"),
                  "sub/.gitattributes": "*.auto eol=crlf\n*.crlf -eol\n*.ignored -export-ignore\n*.mod eol=crlf\n"})
    r.release("v1.0.0", files)
    r.tag("sub/v1.0.0")
    r.release("v1.1.0", {".gitattributes": ATTRIBUTES + "go.mod eol=crlf export-subst ident\n* text=auto eol=crlf\n"})
    # Attributes that call for what isn't there.
    r.release("v1.2.0", {".gitattributes": "*.go filter=nothere diff=x\n*.utf16 working-tree-encoding=NOSUCH\n"
                         "[attr]mine eol=crlf\n*.lf mine\n" + "# a comment\n" * 3})
    r.release("v1.3.0", {".gitattributes": ("120000", "x.lf")})


def modes(r):
    files = {"go.mod": mod("modes"), "run.sh": ("100755", "#!/bin/sh\n"), "a/a.go": "package a\n",
             "link.go": ("120000", "a/a.go"), "linkdir": ("120000", "a"), "dangling": ("120000", "/nonexistent"),
             "module": ("160000", "1" * 40), "b/.gitmodules": "x",
             ".gitmodules": "[submodule \"module\"]\n\tpath = module\n"}
    r.release("v1.0.0", files)
    r.release("v1.1.0", {"real.mod": mod("modes"), "go.mod": ("120000", "real.mod")})
    r.release("v1.2.0", {"LICENSE": ("120000", "../../etc/passwd")}, delete=["go.mod"])
    r.release("v1.3.0", {"go.mod/x.go": "package x\n"})
    r.release("v1.4.0", {"go.mod": ("160000", "2" * 40)}, delete=["go.mod/x.go"])


def nested(r):
    at = mod("nested").strip()
    files = {"go.mod": at + "\n", "a.go": "package nested\n", "a/go.mod": at + "/a\n", "a/a.go": "package a\n",
             "a/b/b.go": "package b\n", "a/c/go.mod": at + "/a/c\n", "a/c/c.go": "package c\n", "v2/go.mod": at + "/v2\n",
             "v2/v2.go": "package nested\n", "a/v3/go.mod": at + "/a/v3\n", "a/v3/x.go": "package a\n",
             "d/go.mod": "module wrong.example.com/d\n", "d/d.go": "package d\n", "e/go.mod": "not a go.mod at all\n",
             "e/e.go": "package e\n", "f/go.mod": "", "f/f.go": "package f\n"}
    r.commit(files)
    for tag in ("v1.0.0", "a/v1.0.0", "a/v1.1.0-rc.1", "a/c/v0.1.0", "v2.0.0", "a/v3.0.1", "d/v1.0.0", "e/v1.0.0",
                "f/v1.0.0", "a/b/v1.0.0", "v2/v2.0.5", "a/v3/v3.0.2"):
        r.tag(tag)
    r.release("a/v1.2.0", {"a/new.go": "package a\n"})
    r.commit({"z.go": "package nested\n"})


def vendored(r):
    files = {"a.go": "package a\n", "vendor/modules.txt": "# x\n", "vendor/example.com/x/x.go": "package x\n",
             "sub/vendor/modules.txt": "# x\n", "sub/vendor/x/x.go": "package x\n", "sub/vendor.go": "package sub\n",
             "vendor.go": "package a\n", "a/vendor/b/vendor/c.go": "package c\n"}
    for minor, line in enumerate(("go 1.23", "go 1.24", "", "go 1.23.9", "go 1.24rc1", "toolchain go1.24.1")):
        r.release("v1.%d.0" % minor, dict(files, **{"go.mod": mod("vendored", line)}))
    r.release("v1.9.0", {"x": "x"}, delete=["go.mod"])


def license_(r):
    at = mod("license").strip()
    r.commit({"LICENSE": "all rights\n", "go.mod": at + "\n", "sub/go.mod": at + "/sub\n", "own/go.mod": at + "/own\n",
              "own/LICENSE": "some rights\n", "lower/go.mod": at + "/lower\n", "lower/license": "no\n",
              "deep/er/go.mod": at + "/deep/er\n", "deep/LICENSE": "not this\n", "dir/go.mod": at + "/dir\n",
              "dir/LICENSE/MIT": "a directory\n", "v2/go.mod": at + "/v2\n"})
    for tag in ("v1.0.0", "sub/v1.0.0", "own/v1.0.0", "lower/v1.0.0", "deep/er/v1.0.0", "dir/v1.0.0", "v2.0.0"):
        r.tag(tag)
    r.release("sub/v1.1.0", {"LICENSE": ("120000", "COPYING"), "COPYING": "x\n"})
    r.release("sub/v1.2.0", {"LICENSE/A": "x\n"}, delete=["LICENSE"])


def wrongcase(r):
    r.release("v1.0.0", {"GO.MOD": mod("wrongcase"), "a.go": "package a\n"})
    r.release("v1.1.0", {"Go.mod": mod("wrongcase"), "go.mod": mod("wrongcase")})
    r.release("v1.2.0", {"sub/Go.Mod": "module x\n", "sub/a.go": "package sub\n", "go.mod": mod("wrongcase")},
              delete=["GO.MOD", "Go.mod"])
    r.tag("sub/v1.2.0")


def names(r):
    root = r.commit({"go.mod": mod("names")})
    for number, name in enumerate(ODD_NAMES):
        r.release("v0.%d.0" % number, {name: "package x\n"}, ref="refs/heads/n%d" % number, parents=[root])


def collide(r):
    root = r.commit({"go.mod": mod("collide")})
    for number, pair in enumerate((("A.go", "a.go"), ("Dir/x", "dir/y"), ("sub/x", "Sub"), ("k.go", b"\xe2\x84\xaa.go"),
                                   ("same.go", "same.txt"), (b"\xc3\xa9.go", b"\xc3\x89.go"))):
        r.release("v0.%d.0" % number, {n: "x\n" for n in pair}, ref="refs/heads/c%d" % number, parents=[root])


def many(r):
    files = {"d%d/e%d/f%d.go" % (i % 7, i % 31, i): "package f // %d\n" % i * (i % 50 + 1) for i in range(600)}
    r.release("v1.0.0", dict(files, **{"go.mod": mod("many")}))


def tags(r):
    first = r.commit({"go.mod": mod("tags"), "a.go": "package a\n"})
    second = r.commit({"b.go": "package a\n"})
    third = r.commit({"c.go": "package a\n"})
    side = r.commit({"side.go": "package a\n"}, ref="refs/heads/side/line", parents=[second])
    for ref in ("same", "v1.5.0", "weird+branch", "at@branch", "1234567", "latest", "dev-1.x", "v3", "V4", "gr\u00fcn"):
        r.commit({"r": ref}, ref="refs/heads/" + ref, parents=[first])
    for name, mark in (("v0.9.0", first), ("v1.0.0", second), ("v1.0", second), ("v1", third), ("v01.0.0", third),
                       ("v1.0.0+meta", second), ("v1.2.0+meta", third), ("V1.7.0", third), ("v1.1.0-rc.1", third),
                       ("v1.0.1-0.20200101000000-abcdefabcdef", third), ("sub/v1.0.0", third), ("release-1.0", third),
                       ("same", second), ("deadbeef", first), ("v1.5.0", second), ("v1.6.0-side", side),
                       ("plus+sign", first), ("v1.1.0-RC1", third), ("1.9.0", third), ("v2.0.0", third),
                       ("v2.1.0-beta", third), ("v1.0.0-pre+b", first), ("HEAD", first)):
        r.tag(name, mark)
    r.end()
    name = dict(zip((1, 2, 3), (r.hash(m) for m in (first, second, third))))
    r.git("tag", "-a", "-m", "x", "v1.3.0", name[3])
    r.git("tag", "-a", "-m", "x", "nested-annotated", "v1.3.0")
    r.git("tag", "-a", "-m", "x", "v1.4.0", "nested-annotated")
    r.git("tag", "v1.4.1", name[3] + "^{tree}")
    r.git("tag", "v1.4.2", name[3] + ":a.go")
    r.git("tag", "-a", "-m", "x", "v1.4.3", name[3] + "^{tree}")
    r.git("tag", "-a", "-m", "x", "v1.4.4", name[3] + ":a.go")


def majors(r):
    at = mod("majors").strip()
    r.release("v1.0.0", {"a.go": "package a\n"})
    r.release("v2.0.0", {"b.go": "package a\n"})
    r.release("v3.0.0", {"go.mod": at + "/v3\n"})
    r.release("v3.1.0", {"go.mod": at + "\n"})
    r.release("v4.0.0", {"go.mod": at + "/v3\n", "v4/go.mod": at + "/v4\n", "v4/a.go": "package a\n"})
    r.release("v4.1.0", {"go.mod": at + "/v4\n"})
    r.release("v4.2.0", {"v4/go.mod": at + "\n"})
    r.release("v4.3.0", {"v4/go.mod": "\n"})
    r.release("v5.0.0", {"x": "x"}, delete=["go.mod", "v4/go.mod"])
    r.release("v6.0.0-beta", {"v6/go.mod": at + "/v6\n"})
    r.commit({"z": "z"})


def retract(r):
    r.release("v1.0.0", {"go.mod": mod("retract"), "a.go": "package a\n"})
    for version in ("v1.1.0", "v1.1.5", "v1.2.0"):
        r.release(version, {"v": version})
    r.release("v1.3.0", {"go.mod": mod("retract", "go 1.16", "", "retract [v1.1.0, v1.1.9] // bad", "retract v1.3.0")})
    r.release("v1.4.0-rc.1", {"x": "x"})
    r.commit({"y": "y"})


def toonew(r):
    r.release("v1.0.0", {"go.mod": mod("toonew", "go 1.99"), "a.go": "package a\n"})


def headless(r):
    r.commit({"go.mod": mod("headless")}, ref="refs/heads/other")
    r.tag("v1.0.0", ref="refs/heads/other")
    r.end()
    r.git("symbolic-ref", "HEAD", "refs/heads/none")


def empty(r):
    pass


def times(r):
    for number, at in enumerate((0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 4102444800, 253402300799, 253402300800)):
        r.commit({"go.mod": mod("times"), "n": str(number)}, ref="refs/heads/t%d" % number, parents=[], at=at)
    r.commit({"go.mod": mod("times")})
    r.end()
    tree_ = r.git("rev-parse", "master^{tree}")
    for name, at in (("before", "-1000000000 +0000"), ("zone", "1500000000 +1400"), ("notime", "")):
        text = "tree %s\nauthor A <a@b> %s\ncommitter A <a@b> %s\n\nc\n" % (tree_, at, at)
        commit = r.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", data=text.encode())
        r.git("update-ref", "refs/heads/" + name, commit)


def pulls(r):
    base = r.release("v1.0.0", {"go.mod": mod("pulls"), "a.go": "package a\n"})
    r.commit({"b": "b"}, ref="refs/pull/1/head", parents=[base])
    r.commit({"c": "c"}, ref="refs/changes/01/1/1", parents=[base])
    r.commit({"n": "n"}, ref="refs/notes/commits", parents=[])
    r.commit({"d": "d"}, ref=None, parents=[base])
    r.commit({"e": "e"})


def bigmod(r):
    big = 16 << 20
    line = mod("bigmod")
    r.release("v1.0.0", {"go.mod": line + "//" + "x" * (big - len(line) - 2)})
    r.release("v1.1.0", {"go.mod": line + "//" + "x" * (big - len(line) - 1)})
    r.release("v1.2.0", {"go.mod": line, "LICENSE": "x" * (big + 1)})


def history(r):
    """Merges, and tags on one side only."""
    root = r.release("v0.1.0", {"go.mod": mod("history")})
    left = r.release("v0.2.0", {"l": "l"}, ref="refs/heads/left", parents=[root])
    right = r.release("v0.3.0-rc.1", {"r": "r"}, ref="refs/heads/right", parents=[root])
    r.commit({"m": "m"}, parents=[left, right])
    r.commit({"n": "n"})
    r.release("v1.0.0", {"o": "o"}, ref="refs/heads/alone", parents=[])
    for number in range(20):
        r.commit({"n": str(number)})


def gopkg(r):
    at = "module gopkg.in/box.v%d\n"
    r.release("v0.9.0", {"a.go": "package box\n"})
    r.release("v1.0.0", {"b.go": "package box\n"})
    r.release("v1.1.0", {"go.mod": at % 1})
    r.release("v2.0.0", {"go.mod": at % 2})
    r.release("v2.1", {"c.go": "package box\n"})
    r.release("v2.1.0", {"d.go": "package box\n"})
    r.release("v3.0.0", {"go.mod": "module gopkg.in/box.v2\n"})
    r.commit({"go.mod": "module gopkg.in/box.v2-unstable\n"})


def gomods(r):
    """Which packages of "vendor" stay out hangs on the go.mod that git archives, if it archives one."""
    at = mod("gomods").strip()
    files = {"go.mod": mod("gomods", "go 1.24"), "vendor/modules.txt": "# x\n", "x/vendor/b.go": "package b\n",
             "sub/go.mod": at + "/sub\n\ngo 1.24\n", "sub/vendor/modules.txt": "# x\n"}
    for minor, text in enumerate(("go.mod working-tree-encoding=UTF-16\n", "go.mod working-tree-encoding=UTF-16LE-BOM\n",
                                  "* working-tree-encoding=UTF-32\n", "go.mod eol=crlf\n")):
        r.release("v1.%d.0" % minor, dict(files, **{".gitattributes": text}))
    r.tag("sub/v1.3.0")
    r.release("v1.4.0", {"go.mod": ("120000", files["go.mod"])}, delete=[".gitattributes"])
    r.release("v1.5.0", {"go.mod": files["go.mod"] + "// \0\n"})
def put(r, name, text):
    with open("%s/%s" % (r.path, name), "w") as f:
        f.write(text + "\n")


def detached(r):
    """HEAD is two commits beyond what branches and tags lead to."""
    r.release("v1.0.0", {"go.mod": mod("detached"), "a.go": "package a\n"})
    r.commit({"b.go": "package a\n"})
    r.end()
    between = r.git("commit-tree", "-p", "master", "-m", "x", "master^{tree}")
    put(r, "HEAD", r.git("commit-tree", "-p", between, "-m", "y", "master^{tree}"))


def shallow(r):
    """What is served lacks its beginning itself."""
    r.release("v1.0.0", {"go.mod": mod("shallow"), "a.go": "package a\n"})
    for text in "bcd":
        r.commit({"a.go": "package " + text + "\n"})
    r.release("v1.1.0-pre", {"e.go": "package a\n"})
    r.commit({"f.go": "package a\n"})
    r.commit({"g.go": "package a\n"})
    r.end()
    put(r, "shallow", "%s\n%s" % (r.hash(1), r.hash(4)))


def lookalike(r):
    """Tags that look like pseudo-versions; only below a directory go takes them for versions."""
    at = mod("lookalike").strip()
    r.release("sub/v1.0.0", {"go.mod": at + "\n", "sub/go.mod": at + "/sub\n", "sub/a.go": "package sub\n"})
    second = r.commit({"sub/b.go": "package sub\n"})
    r.tag("sub/v1.0.1-0.20170714031320-abcdefabcdef")
    r.commit({"sub/go.mod": at + "/sub\n\ngo 1.20\n"})
    r.end()
    r.git("tag", "sub/v1.0.1-0.20170714031320-" + r.hash(second)[:12], "master")


REPOS = {f.__name__.rstrip("_"): f for f in (
    attributes, modes, nested, vendored, license_, wrongcase, names, collide, many, tags, majors, retract, toonew, headless,
    empty, times, pulls, bigmod, history, gopkg, gomods, detached, shallow, lookalike)}
REPOS["history256"] = history


def build():
    """A directory with the bare repository NAME of each."""
    with open(__file__, "rb") as f:
        key = digest(f.read())

    def make(directory):
        config = directory + "/gitconfig"
        with open(config, "w") as f:
            f.write(GIT_CONFIG)
        for name, fill in REPOS.items():
            repo = Repo(directory + "/" + name, config, "sha256" if name.endswith("256") else "sha1")
            fill(repo)
            repo.end()
            if name == "pulls":
                # The commit that no ref leads to.
                with open(directory + "/pulls/unreachable", "w") as f:
                    f.write(repo.hash(5))
        subprocess.run(["git", "-C", directory + "/many", "repack", "-adq"], env=git_env(config), check=True)
    return tree("extra", key, make)
