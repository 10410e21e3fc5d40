#!/usr/bin/env python3
"""37-publish.t - goproxy.fcgi publish DIR|ZIP --as MODULE@VERSION: a private module that lives in no repository."""
import sys
sys.dont_write_bytecode = True
import base64
import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import zipfile
from harness import PROGRAM, cgi, children, files_below, hash_zip, place, program_env, slurp, tap

NAME, VERSION = "corp.example/tools", "v1.2.0"
TREE = {
    "go.mod": b"module corp.example/tools\n\ngo 1.21\n",
    "tools.go": b"package tools\n",
    "LICENSE": b"free\n",
    "sub/deep/x.go": b"package deep\n",
    "sub/vendor.txt": b"not vendored\n",
    "vendor/modules.txt": b"# before go 1.24 it is part of the module\n",
    "gr\u00fcn.txt": b"letters\n",
    ".hidden": b"too\n",
}
# What zip.CreateFromDir of golang.org/x/mod leaves out.
LEFT_OUT = {
    ".git/config": b"[core]\n", ".hg/x": b"x", ".svn/x": b"x", ".bzr/x": b"x", "sub/.git/config": b"x",
    "vendor/example.com/a/a.go": b"package a\n",
    "nested/go.mod": b"module corp.example/tools/nested\n", "nested/n.go": b"package nested\n",
    ".hg_archival.txt": b"x",
}


def tree(name, files):
    root = place.dir("publish-" + name)
    for path, data in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
        with open(os.path.join(root, path), "wb") as f:
            f.write(data)
    return root


def expected_h1(files, module=NAME, version=VERSION):
    lines = "".join("%s  %s@%s/%s\n" % (hashlib.sha256(files[p]).hexdigest(), module, version, p)
                    for p in sorted(files, key=lambda p: p.encode()))
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def options(store):
    return {"GOPROXY_CACHE_DIR": store, "GOPROXY_UPSTREAM_CHAIN": "off", "GOPROXY_PRIVATE_MODULES": "corp.example",
            "GOPROXY_PRIVATE_READ": "corp.example = anonymous"}


def run(store, *args):
    p = subprocess.run([PROGRAM, *args], env=program_env(options(store)), stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def publish(store, path, what=NAME + "@" + VERSION):
    return run(store, "publish", path, "--as", what)


def zip_of(files, module=NAME, version=VERSION):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for path, data in files.items():
            z.writestr("%s@%s/%s" % (module, version, path), data)
    return out.getvalue()


def test_directory():
    store = place.dir("publish-store")
    root = tree("dir", {**TREE, **LEFT_OUT})
    os.symlink("tools.go", root + "/link.go")
    os.mkfifo(root + "/fifo")
    status, out, err = publish(store, root)
    tap.ok(status == 0 and expected_h1(TREE) in out, "a directory: the h1 of the files that belong to it",
           out + err + expected_h1(TREE))
    a = cgi(options(store), "/%s/@v/%s.zip" % (NAME, VERSION))
    names = sorted(zipfile.ZipFile(io.BytesIO(a.body)).namelist()) if a.status == 200 else []
    tap.ok(names == sorted("%s@%s/%s" % (NAME, VERSION, p) for p in TREE), "and no others are served", names)
    tap.ok(hash_zip(a.body) == expected_h1(TREE), "with that h1")
    a = cgi(options(store), "/%s/@v/%s.mod" % (NAME, VERSION))
    tap.ok(a.status == 200 and a.body == TREE["go.mod"], "its go.mod", a.body)
    a = cgi(options(store), "/%s/@v/%s.info" % (NAME, VERSION))
    tap.ok(a.status == 200 and json.loads(a.body)["Version"] == VERSION, "its .info", a.body)
    a = cgi(options(store), "/%s/@v/list" % NAME)
    tap.ok(a.status == 200 and a.body == (VERSION + "\n").encode(), "its list", a.body)
    status, out, err = publish(store, root)
    tap.ok(status == 0 and "there already" in out, "the same again is welcome", out + err)
    before = {p: slurp(store + "/" + p) for p in files_below(store + "/private") for p in ["private/" + p]}
    with open(root + "/tools.go", "ab") as f:
        f.write(b"// changed\n")
    status, out, err = publish(store, root)
    tap.ok(status == 1 and "never changes" in err, "another content is refused", out + err)
    after = {p: slurp(store + "/" + p) for p in before}
    tap.ok(before == after, "and changes nothing")
    status, out, err = publish(store, root, NAME + "@v1.3.0")
    tap.ok(status == 0, "as another version it is taken", out + err)
    a = cgi(options(store), "/%s/@latest" % NAME)
    tap.ok(a.status == 200 and json.loads(a.body)["Version"] == "v1.3.0", "which is the latest now", a.body)
    status, out, err = run(store, "verify", NAME)
    tap.ok(status == 0, "verify finds nothing wrong", out + err)


def test_zip():
    store = place.dir("publish-zip")
    path = store + "-in.zip"
    with open(path, "wb") as f:
        f.write(zip_of(TREE))
    status, out, err = publish(store, path)
    tap.ok(status == 0 and expected_h1(TREE) in out, "a module zip", out + err)
    a = cgi(options(store), "/%s/@v/%s.zip" % (NAME, VERSION))
    tap.ok(a.status == 200 and a.body == zip_of(TREE), "is served as it came")
    status, out, err = publish(store, tree("same", TREE))
    tap.ok(status == 0 and "there already" in out, "the same files from a directory are the same version", out + err)


def test_half():
    """What a crash has left is mended, what is another's isn't taken for it."""
    store = place.dir("publish-half")
    root = tree("half", TREE)
    status, out, err = publish(store, root)
    base = "%s/private/download/%s/@v/" % (store, NAME)
    for name in (VERSION + ".mod", VERSION + ".info", "list"):
        os.unlink(base + name)
    status, out, err = publish(store, root)
    tap.ok(status == 0 and slurp(base + VERSION + ".mod") == TREE["go.mod"], "the same again puts what is missing", out + err)
    os.unlink(base + VERSION + ".mod")
    with open(base + VERSION + ".mod", "wb") as f:
        f.write(b"module %s\nrequire evil.example/x v1.0.0\n" % NAME.encode())
    status, out, err = publish(store, root)
    tap.ok(status == 1 and "go.mod" in err, "another go.mod beside the same zip is refused", out + err)
    modes = [oct(os.stat(store + "/" + d).st_mode & 0o7777) for d in ("private", "tmp")]
    tap.eq(modes, ["0o750", "0o750"], "neither they nor their parts are for others")


def test_no_files():
    """What is no regular file isn't looked at, whatever its name (listFilesInDir of golang.org/x/mod/zip)."""
    root = tree("no-files", {**TREE, "sub/go.mod.txt": b"no module\n"})
    for path in ("a:b", "aux", "TOOLS.go", "GO.MOD", "sub/con.go", "sub/trailing.", "nul.txt"):
        os.symlink("tools.go", root + "/" + path)
    os.mkfifo(root + "/com1")
    status, out, err = publish(place.dir("publish-no-files"), root)
    h1 = expected_h1({**TREE, "sub/go.mod.txt": b"no module\n"})
    tap.ok(status == 0 and h1 in out, "links and pipes with names that no file may have", out + err + h1)


REFUSED = [
    ("not private", TREE, "example.com/tools@v1.0.0", "is not private"),
    ("no version", TREE, NAME, "MODULE@VERSION"),
    ("a version that isn't canonical", TREE, NAME + "@v1.2", "MODULE@VERSION"),
    ("a major version that the path doesn't have", TREE, NAME + "@v2.0.0", "v2"),
    ("go.mod of another module", {"go.mod": b"module corp.example/other\n", "x.go": b"package x\n"},
     NAME + "@v1.0.0", "corp.example/other"),
    ("names that differ by case alone", {**TREE, "A.go": b"package a\n", "a.go": b"package a\n"}, NAME + "@v1.0.0", "case"),
    ("a name that no zip may have", {**TREE, "aux.go": b"package a\n"}, NAME + "@v1.0.0", "aux.go"),
    ("go.mod in capitals", {"GO.MOD": b"module corp.example/tools\n", "x.go": b"package x\n"}, NAME + "@v1.0.0", "GO.MOD"),
]


def test_refused():
    store = place.dir("publish-refused")
    for what, files, as_, why in REFUSED:
        status, out, err = publish(store, tree("r%d" % len(what), files), as_)
        tap.ok(status == 1 and why in err and out == "", what, out + err)
    status, out, err = publish(store, "/nonexistent/dir")
    tap.ok(status == 1 and "'/nonexistent/dir'" in err, "what isn't there", err)
    with open(store + "-junk.zip", "wb") as f:
        f.write(b"not a zip")
    status, out, err = publish(store, store + "-junk.zip")
    tap.ok(status == 1 and "zip" in err, "what is no zip", err)
    left = [p for p in files_below(store) if p.startswith("private/download") or p.startswith("tmp/")]
    tap.ok(left == [], "nothing of them is kept", left)


def run_as(user, program, store, *args):
    p = subprocess.run([program, *args], env=program_env(options(store)), stdin=subprocess.DEVNULL, user=user.pw_uid,
                       group=user.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def test_another_users():
    """What root makes in another's store, that one can't write to."""
    if os.geteuid() != 0:
        return tap.skip("another user's store", "it takes root")
    nobody, store, root = pwd.getpwnam("nobody"), place.dir("publish-theirs"), tree("theirs", TREE)
    name = "nobody (%d)" % nobody.pw_uid
    program = shutil.copy(PROGRAM, place.dir() + "/goproxy.fcgi")
    os.chown(store, nobody.pw_uid, nobody.pw_gid)
    status, out, err = publish(store, root)
    tap.ok(status == 1 and name in err and "sudo -u nobody goproxy.fcgi publish" in err, "root is told who to be", out + err)
    status, out, err = run(store, "doctor", NAME)
    tap.ok(status == 1 and "WRONG store" in out and "sudo -u nobody goproxy.fcgi doctor" in out, "by doctor, too", out + err)
    status, out, err = run(store, "verify")
    tap.ok(status == 8 and "sudo -u nobody goproxy.fcgi verify" in err, "and by verify, while the store is empty", out + err)
    tap.eq(os.listdir(store), [], "and nothing is made")
    status, out, err = run_as(nobody, program, store, "publish", root, "--as", NAME + "@" + VERSION)
    tap.ok(status == 0, "the user itself may", out + err)
    status, out, err = run(store, "verify")
    tap.ok(status == 0 and name in err and "sudo -u nobody goproxy.fcgi verify" in err, "verify warns of it later", out + err)
    status, out, err = run_as(nobody, program, store, "doctor", NAME)
    tap.ok("ok    store" in out and "WRONG store" not in out, "doctor: the store is well", out + err)
    for path in ("private/download/" + NAME + "/@v", "private", "tmp"):
        os.chown(store + "/" + path, 0, 0)
        status, out, err = run_as(nobody, program, store, "doctor", NAME)
        tap.ok(status == 1 and "'%s/%s' can't be written: Permission denied; it belongs to root (0)" % (store, path) in out,
               "doctor: root's %s" % path, out + err)
        os.chown(store + "/" + path, nobody.pw_uid, nobody.pw_gid)
    # Where a group may write, who made tmp/ is the pool.
    os.chown(store, 0, nobody.pw_gid)
    os.chmod(store, 0o775)
    status, out, err = publish(store, root)
    tap.ok(status == 1 and name in err, "a store of root's that the user's group may write to", out + err)
    status, out, err = run_as(nobody, program, store, "publish", root, "--as", NAME + "@" + VERSION)
    tap.ok(status == 0 and "there already" in out, "is that user's", out + err)


tap.run(globals(), int(os.environ.get("JOBS", "2")))
