#!/usr/bin/env python3
"""62-direct-security.t - direct mode among hosts, repositories and names that mean ill.

The program runs as CGI or as a pool; the hosts are played by vcsevil.py, whose shim leads every
connection to them and writes it down, so that an attack that gets through finds what it looks for.
"""
import sys
sys.dont_write_bytecode = True
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import base64
import hashlib
from harness import PROGRAM, Pool, alive, place, slurp, tap, wait_until, SLOW
from vcsevil import CLOSED, Repo, World, packet, run, write

for needed in ("git", "gcc", "openssl"):
    if not shutil.which(needed):
        print("1..0 # SKIP %s is missing\n0 passed, 0 failed" % needed)
        sys.exit(0)



class OwnWorld(threading.local):
    """Each thread's own: groups run side by side."""

    def __getattr__(self, name):
        self.__dict__["world"] = self.__dict__.get("world") or World()
        return getattr(self.__dict__["world"], name)

    def __setattr__(self, name, value):
        setattr(self.__dict__["world"], name, value)


world = OwnWorld()
GO_MOD = "module a.vcs.test/m\n\ngo 1.20\n"


def module(path, more=None, version="v1.0.0", **options):
    """A repository of a module with one version."""
    repo = Repo()
    files = {"go.mod": "module %s\n" % path, "m.go": "package m\n"}
    files.update(more or {})
    repo.commit(files, tags=[version], **options)
    return repo


def served(path, **options):
    """The same, with its page."""
    host, _, rest = path.partition("/")
    world.page(host, "/" + rest, "%s git https://%s/r/%s" % (path, host, rest))
    return world.repo(host, "/r/" + rest, module(path, **options))


def fresh():
    world.reset()
    for group in (world.rules, world.repos):
        group.clear()


def check_refused(a, what, statuses=(400, 403, 404, 410, 502)):
    tap.ok(a.status in statuses and a.ended, what + ": refused", a)


def test_control():
    """Without this all the rest would prove nothing: what means well is served."""
    fresh()
    served("a.vcs.test/m")
    store = place.new("store")
    a = world.get("/a.vcs.test/m/@v/list", store)
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "control: the list", a)
    a = world.get("/a.vcs.test/m/@v/v1.0.0.info", store)
    tap.eq((a.status, a.body and json.loads(a.body)["Version"]), (200, "v1.0.0"), "control: .info", a)
    a = world.get("/a.vcs.test/m/@v/v1.0.0.mod", store)
    tap.eq((a.status, a.text), (200, "module a.vcs.test/m\n"), "control: .mod", a)
    world.closed("control", a)
    tap.ok(world.remotes(), "control: git's calls are written down")


# ---- URLs that a page names ----

URLS = [
    # other ways to run or to read something: CVE-2025-68119, CVE-2017-1000117, git's remote helpers
    "ext::sh%20-c%20touch%20CANARY", "ext::touch%20CANARY", "ext::CANARY.sh", "fd::3", "fd::0,1/x",
    "https::https://b.vcs.test/r", "http::http://b.vcs.test/r", "-oProxyCommand=CANARY.sh",
    "--upload-pack=CANARY.sh", "-u", "https://-oProxyCommand=CANARY.sh/r", "ssh://-oProxyCommand=CANARY.sh/r",
    "ssh://git@-oProxyCommand=CANARY.sh/r", "ssh://-oProxyCommand=CANARY.sh@b.vcs.test/r", "ssh://-x/",
    "ssh://b.vcs.test/-oProxyCommand=CANARY.sh", "ssh://b.vcs.test/r", "git+ssh://b.vcs.test/r",
    "ssh+git://b.vcs.test/r", "b.vcs.test:r", "git@b.vcs.test:r", "-oProxyCommand=CANARY.sh:r",
    "file://REPO", "file:///REPO", "file://localhost/REPO", "REPO", "../REPO", ".", "/", "bundle://REPO",
    # without https: CVE-2023-45285
    "git://b.vcs.test/r", "http://b.vcs.test/r", "HTTP://b.vcs.test/r", "ftp://b.vcs.test/r", "ftps://b.vcs.test/r",
    "gopher://b.vcs.test/r", "dict://b.vcs.test/r", "svn://b.vcs.test/r", "ws://b.vcs.test/r", "://b.vcs.test/r",
    "https:b.vcs.test/r", "https:/b.vcs.test", "//b.vcs.test/r", "https:///b.vcs.test/r", "https://", "https:///",
    # private places
    "https://127.0.0.1/r", "https://[::1]/r", "https://[::ffff:127.0.0.1]/r", "https://[::127.0.0.1]/r",
    "https://[64:ff9b::7f00:1]/r", "https://[64:ff9b:1::7f00:1]/r", "https://[2002:7f00:1::]/r",
    "https://[fe80::1]/r", "https://[fe80::1%25lo]/r",
    "https://[fd00::1]/r", "https://[::]/r", "https://169.254.169.254/r", "https://10.0.0.1/r",
    "https://172.16.0.1/r", "https://192.168.1.1/r", "https://100.64.0.1/r", "https://0.0.0.0/r", "https://0/r",
    "https://2130706433/r", "https://0x7f000001/r", "https://0x7f.1/r", "https://0177.0.0.1/r",
    "https://017700000001/r", "https://127.1/r", "https://127.0.0.1./r", "https://localhost/r",
    "https://LOCALHOST/r", "https://localhost./r", "https://name.localhost/r", "https://%6cocalhost/r",
    "https://127%2e0%2e0%2e1/r", "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/r", "https://\uff4cocalhost/r",
    "https://127\u3002" "0\u30020\u30021/r", "https://inner.vcs.test/r", "https://INNER.vcs.test/r",
    "https://inner.vcs.test./r", "https://six.vcs.test/r",
    "https://127.0.0.1:443/r", "https://127.0.0.1:0443/r", "https://inner.vcs.test:443/r",
    # who is the host?
    "https://user:pass@b.vcs.test/r", "https://user@b.vcs.test/r", "https://b.vcs.test@127.0.0.1/r",
    "https://b.vcs.test:pass@127.0.0.1/r", "https://b.vcs.test\\@127.0.0.1/r", "https://127.0.0.1\\@b.vcs.test/r",
    "https://b.vcs.test#@127.0.0.1/r", "https://127.0.0.1#@b.vcs.test/r", "https://127.0.0.1?@b.vcs.test/r",
    "https://b.vcs.test%00@127.0.0.1/r", "https://127.0.0.1%00.vcs.test/r", "https://127.0.0.1%2f@b.vcs.test/r",
    "https://b.vcs.test:0/r", "https://b.vcs.test:99999/r", "https://b.vcs.test:443:80/r",
    "https://b.vcs.test:-oProxyCommand/r", "https://b.vcs.test,127.0.0.1/r", "https://b.vcs.test%0a127.0.0.1/r",
    # no repository's
    "https://b.vcs.test/r?x=y", "https://b.vcs.test/r#frag", "https://b.vcs.test/r%0d%0aX-Evil:%201",
]


def test_url():
    """A page names a repository at a URL that must not be used."""
    fresh()
    write(world.dir + "/CANARY.sh", "#!/bin/sh\ntouch %s\n" % world.canary, 0o755)
    repo = world.repo("*", "/r", module("a.vcs.test/m"))
    write(world.dir + "/hosts", "inner.vcs.test 127.0.0.1\ninner.vcs.test. 127.0.0.1\nINNER.vcs.test 127.0.0.1\n"
          "six.vcs.test ::1\nlocalhost 127.0.0.1\nlocalhost. 127.0.0.1\n"
          "name.localhost 127.0.0.1\nLOCALHOST 127.0.0.1\n\uff4cocalhost 127.0.0.1\n127.0.0.1. 127.0.0.1\n")
    bad, pages = [], {}
    for i, url in enumerate(URLS):
        url = url.replace("CANARY.sh", world.dir + "/CANARY.sh").replace("CANARY", world.canary).replace("REPO", repo.path)
        pages[i] = url
        world.page("a.vcs.test", "/u%d" % i, "a.vcs.test/u%d git %s" % (i, url))
    # A slow name must not hold up the rest: each by a call of its own, within one pool.
    pool = Pool(world.settings())
    for i, url in pages.items():
        before = len(world.remotes())
        a = pool.get("/a.vcs.test/u%d/@v/list" % i)
        strangers = world.strangers()
        if a.status not in (403, 404, 502) or strangers or len(world.remotes()) != before or world.sang():
            bad.append("%s: %d %s; reached: %s; git: %s" % (url, a.status, a.text.strip()[:200], strangers,
                                                             world.remotes()[before:]))
            os.unlink(world.dir + "/net")
    tap.eq(bad, [], "URLs: %d are refused, and nothing is reached" % len(URLS))
    log = pool.log()
    tap.ok("user:pass" not in log and ":pass@" not in log, "URLs: no password is logged",
           [line for line in log.splitlines() if "pass@" in line][:3])
    pool.stop()
    world.closed("URLs")


def test_url_mod():
    """The same of a module proxy that a page names."""
    fresh()
    write(world.dir + "/hosts", "inner.vcs.test 127.0.0.1\n")
    for host in ("127.0.0.1", "localhost", "inner.vcs.test", "b.vcs.test", "[::1]", "10.0.0.1"):
        world.on(host, "*", (200, {}, b"v1.0.0\n"))
    pool, bad = Pool(world.settings()), []
    urls = ["http://b.vcs.test/p", "file:///etc", "ext::x", "https://127.0.0.1/p", "https://localhost/p",
            "https://[::1]/p", "https://inner.vcs.test/p", "https://10.0.0.1/p", "gopher://b.vcs.test/p",
            "https://0x7f.1/p", "ftp://b.vcs.test/p", "https://b.vcs.test@127.0.0.1/p"]
    for i, url in enumerate(urls):
        world.page("a.vcs.test", "/p%d" % i, "a.vcs.test/p%d mod %s" % (i, url))
        a = pool.get("/a.vcs.test/p%d/@v/list" % i)
        if a.status not in (403, 404, 502) or world.strangers():
            bad.append("%s: %s; %s" % (url, a, world.strangers()))
    tap.eq(bad, [], "module proxies: %d URLs are refused" % len(urls))
    world.page("a.vcs.test", "/good", "a.vcs.test/good mod https://b.vcs.test/p")
    a = pool.get("/a.vcs.test/good/@v/list")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "module proxies: a good one is asked", a)
    pool.stop()
    world.closed("module proxies")


def test_module_path():
    """CVE-2018-7187, -16873, -16874: what stands in the path of a request."""
    fresh()
    world.repo("*", "/r", module("a.vcs.test/m"))
    for host in ("a.vcs.test", "b.vcs.test"):
        world.on(host, "*", (200, {}, b'<meta name="go-import" content="a.vcs.test git https://b.vcs.test/r">'))
    pool, bad = Pool(world.settings()), []
    paths = ["https://a.vcs.test", "https:%2f%2fa.vcs.test", "a.vcs.test/x://b.vcs.test", "a.vcs.test/{a,b}",
             "a.vcs.test/%7ba%7d", "a.vcs.test/../b", "a.vcs.test/%2e%2e/b", "a.vcs.test/..%2fb", "../a.vcs.test",
             "a.vcs.test/.git", "a.vcs.test/x/.git", "a.vcs.test/.git/x", "a.vcs.test/x.git/.git", "a.vcs.test/v2/.git",
             "a.vcs.test/x/.hg/y", "-oProxyCommand=x", "-x.vcs.test/y", "a.vcs.test/x%00y", "a.vcs.test/x%0ay",
             "a.vcs.test/x%0d%0aHost:%20b", "a.vcs.test/x%20y", "a.vcs.test/x?y", "a.vcs.test/x%3fy", "a.vcs.test/x%23y",
             "a.vcs.test:443/x", "user@a.vcs.test/x", "user:pass@a.vcs.test/x", "a.vcs.test/x@y", "127.0.0.1/x/y",
             "localhost/x", "a.vcs.test//x", "a.vcs.test/x/", "a.vcs.test/x\\y", "a.vcs.test/$(touch)", "a.vcs.test/`x`",
             "a.vcs.test/x;y", "a.vcs.test/x|y", "a.vcs.test/x'y", 'a.vcs.test/x"y', "a.vcs.test/*", "2130706433/x",
             "0x7f000001/x", "[::1]/x", "a.vcs.test/\u00e9", "a.vcs.test/con", "a.vcs.test/x~1"]
    for path in paths:
        a = pool.get("/" + path + "/@v/list")
        # 127.0.0.1 is a good module path, and is refused as a place.
        if a.status not in (400, 403, 404, 410) or (world.asked() and "127.0.0.1" not in path) or world.strangers():
            bad.append("%s: %s; %s %s" % (path, a, world.asked(), world.strangers()))
            world.requests.clear()
    tap.eq(bad, [], "module paths: %d are refused, and nobody is asked" % len(paths))
    tap.eq(world.calls(), [], "module paths: git isn't called")
    pool.stop()
    world.closed("module paths")


def test_subdir():
    """CVE-2018-16874: a directory of the go-import tag that leads out; or that is an option."""
    fresh()
    pool, bad = Pool(world.settings()), []
    world.repo("b.vcs.test", "/r", module("a.vcs.test/m", {"sub/go.mod": "module a.vcs.test/d\n"}, version="sub/v1.0.0"))
    dirs = ["..", "../x", "sub/..", "sub/../../x", "/..", ".", "./..", "-x", "./-x", "--upload-pack=x", "sub/-x", ":x",
            ":/", ":(top)sub", "sub//../..//x", "a/:x"]
    for i, d in enumerate(dirs):
        world.page("a.vcs.test", "/d%d" % i, "a.vcs.test/d%d git https://b.vcs.test/r %s" % (i, d))
        for name in ("list", "v1.0.0.info"):
            a = pool.get("/a.vcs.test/d%d/@v/%s" % (i, name))
            if a.status not in (403, 404, 502):
                bad.append("%s: %s" % (d, a))
    tap.eq(bad, [], "directories: %d are refused" % len(dirs))
    tap.eq(world.calls(), [], "directories: git isn't called")
    world.page("a.vcs.test", "/d", "a.vcs.test/d git https://b.vcs.test/r sub")
    a = pool.get("/a.vcs.test/d/@v/v1.0.0.mod")
    tap.eq((a.status, a.text), (200, "module a.vcs.test/d\n"), "directories: a good one", a)
    # Of the module path itself an element may begin with '-': it is never taken for an option.
    for page in ("/o", "/o/--list"):
        world.page("a.vcs.test", page, "a.vcs.test/o git https://b.vcs.test/o")
    world.repo("b.vcs.test", "/o", module("a.vcs.test/o/--list", version="--list/v1.0.0",
                                          more={"--list/go.mod": "module a.vcs.test/o/--list\n", "--list/m.go": "package m\n"}))
    for name in ("list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"):
        a = pool.get("/a.vcs.test/o/--list/@v/" + name)
        tap.eq(a.status, 200, "directories: one like an option, " + name, a)
    pool.stop()
    world.closed("directories")


def test_page_lies():
    """CVE-2018-16873: a page that claims more than its own path."""
    fresh()
    world.repo("b.vcs.test", "/r", module("a.vcs.test/m"))
    pool = Pool(world.settings())
    claims = {"another host": "c.vcs.test", "a path above that doesn't agree": "a.vcs.test",
              "half an element": "a.vcs.test/vict", "below .git": "a.vcs.test/victim/.git", "empty": "",
              "a scheme": "https://a.vcs.test", "braces": "a.vcs.test/{victim}", "dots": "a.vcs.test/x/../victim",
              "another module": "a.vcs.test/other", "no system": "a.vcs.test/victim"}
    for what, prefix in claims.items():
        system = "" if what == "no system" else "git"
        world.page("a.vcs.test", "/victim", "%s %s https://b.vcs.test/r" % (prefix, system))
        a = pool.get("/a.vcs.test/victim/@v/list")
        check_refused(a, "a page claims " + what, (404, 403, 502))
    for system in ("hg", "svn", "bzr", "fossil", "-git", "GIT", "git;touch", "../git"):
        world.page("a.vcs.test", "/victim", "a.vcs.test/victim %s https://b.vcs.test/r" % system)
        a = pool.get("/a.vcs.test/victim/@v/list")
        check_refused(a, "a page names the system " + system, (404, 403, 502))
    tap.eq(world.remotes(), [], "pages that lie: git reaches for nothing")
    # What stands in the body may be anybody's.
    world.on("a.vcs.test", "/victim", (200, {}, b"<html><head></head><body><p>Hello "
                                       b'<meta name="go-import" content="a.vcs.test/victim git https://b.vcs.test/r"></body>'))
    check_refused(pool.get("/a.vcs.test/victim/@v/list"), "a tag in the body", (404, 502))
    world.on("a.vcs.test", "/victim", (200, {}, b'<meta name="go-import" content="a.vcs.test/victim git https://b.vcs.test/r">'
                                       * 2000 + b"x" * 5000000))
    check_refused(pool.get("/a.vcs.test/victim/@v/list"), "a page of 5 MB with 2000 tags", (404, 502))
    world.on("a.vcs.test", "/victim", (200, {}, b"<div>" * 50000))
    check_refused(pool.get("/a.vcs.test/victim/@v/list"), "a page nested 50000 deep", (404, 502))
    pool.stop()
    world.closed("pages that lie")


# ---- versions, refs ----

def test_branch_is_no_version():
    """CVE-2022-23773: a branch named like a version."""
    fresh()
    repo = served("a.vcs.test/m", version="v1.0.0")
    old = repo.git("rev-parse", "main")
    repo.commit({"go.mod": GO_MOD, "evil.go": "package evil\n"}, branches=["v1.9.0", "v1.0.0", "v2.0.0+incompatible",
                                                                          "refs/tags/v1.8.0", "tags/v1.7.0"])
    evil = repo.git("rev-parse", "main")
    repo.git("update-ref", "refs/heads/" + old[:12], evil)
    pool = Pool(world.settings())
    for version in ("v1.9.0", "v1.8.0", "v1.7.0", "v2.0.0+incompatible"):
        for kind in ("info", "mod", "zip"):
            a = pool.get("/a.vcs.test/m/@v/%s.%s" % (version, kind))
            check_refused(a, "branch %s as .%s" % (version, kind), (404,))
    a = pool.get("/a.vcs.test/m/@v/list")
    tap.eq(a.text, "v1.0.0\n", "branches like versions: not in the list", a)
    a = pool.get("/a.vcs.test/m/@v/v1.0.0.info")
    tap.eq(a.body and json.loads(a.body).get("Origin", {}).get("Hash"), old, "a tag goes before the branch of its name", a)
    a = pool.get("/a.vcs.test/m/@v/v1.0.1-0.20200913122640-%s.info" % old[:12])
    tap.ok(a.status == 404 or evil not in a.text, "a branch named like a commit isn't that commit", a)
    pool.stop()
    world.closed("branches like versions")


ADVERT = b"001e# service=git-upload-pack\n0000"


def advertise(refs, end=b"0000"):
    """The answer to /info/refs in the protocol's version 0, by hand: [(hash, name)]."""
    body = b""
    for i, (hash_, name) in enumerate(refs):
        body += packet(hash_ + b" " + name + (b"\0side-band-64k ofs-delta shallow allow-reachable-sha1-in-want\n" if i == 0 else b"\n"))
    return 200, {"Content-Type": "application/x-git-upload-pack-advertisement"}, ADVERT + body + end


def test_hostile_refs():
    """CVE-2025-68119 and refs that no git would make."""
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://b.vcs.test/r")
    h = b"1" * 40
    names = [b"HEAD", b"refs/heads/--upload-pack=touch " + world.canary.encode(), b"refs/heads/-x",
             b"refs/tags/--upload-pack=" + world.canary.encode(), b"refs/tags/v1.0.0\x1b[31m", b"refs/tags/v1.1.0\nv6.6.6",
             b"refs/tags/../../../../x", b"refs/tags/v1.2.0.lock", b"refs/tags/v1.3.0:refs/heads/x", b"refs/tags/v1.4.0 v1.5.0",
             b"refs/tags/v1.6.0~1", b"refs/tags/v1.7.0^{}", b"refs/tags/v1.8.0@{0}", b"refs/tags/" + b"v" * 10000,
             b"refs/tags/v1.9.0-" + b"a" * 10000, b"refs/tags/\xff\xfe", b"refs/tags/", b"", b"refs/tags/v1.10.0\rv7.7.7",
             b"refs/remotes/x/v1.11.0", b"refs/tags/$(touch " + world.canary.encode() + b")", b"refs/tags/v1.12.0\0v1.13.0",
             b"refs/tags/v1.14.0\x7f", b"refs/tags/v01.1.1", b"refs/tags/v1.15.0"]
    pool = Pool(world.settings())
    for i, name in enumerate(names):
        world.page("a.vcs.test", "/m%d" % i, "a.vcs.test/m%d git https://b.vcs.test/r%d" % (i, i))
        world.on("b.vcs.test", "/r%d/info/refs" % i, advertise([(h, b"HEAD"), (h, name)]))
    bad, seen = [], ""
    for i, name in enumerate(names):
        a = pool.get("/a.vcs.test/m%d/@v/list" % i)
        seen += a.text if a.status == 200 else ""
        if a.status not in (200, 404, 502) or re.search(r"[^ -~\n]", a.text) or (
                a.status == 200 and not re.fullmatch(r"(v1\.\d+\.\d+(-a+)?\n)*", a.text)):
            bad.append("%r: %s" % (name[:60], a))
    tap.eq(bad, [], "hostile refs: %d do no harm in a list" % len(names))
    tap.ok("v1.15.0" in seen and not re.search(r"v[67]\.|v1\.(5|11|13)\.", seen), "hostile refs: what they hide isn't listed", seen)
    for query in ("--upload-pack=touch%20x", "-x", "refs/heads/-x", "HEAD~1", "HEAD^{tree}", "@{-1}", ":/m", "1111111..", "*",
                  "v1.7.0%5e%7b%7d", "a" * 300):
        a = pool.get("/a.vcs.test/m0/@v/%s.info" % query)
        check_refused(a, "query " + query[:40], (400, 404, 502))
    # Names that are queries, of a repository that has them: git is given them with refs/... before it.
    repo = served("a.vcs.test/q")
    repo.git("update-ref", "refs/heads/--upload-pack=%s" % world.canary, "main")
    repo.git("update-ref", "refs/tags/-oProxyCommand=x", "main")
    for query in ("-oProxyCommand=x", "--upload-pack=x"):
        a = pool.get("/a.vcs.test/q/@v/%s.info" % query)
        tap.ok(a.status in (200, 400, 404), "query %s of a repository" % query, a)
    stray = [c for c in world.calls() for i, word in enumerate(c) if word.startswith(("-oProxy", "--upload-pack"))]
    tap.eq(stray, [], "hostile refs: none is an argument of git's by itself")
    pool.stop()
    world.closed("hostile refs")


def test_terminal():
    """What a server says goes to people's terminals and into the log."""
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://b.vcs.test/r")
    says = b"ERR \x1b]0;owned\x07\x1b[2Jgone\rfatal: all is well\n<script>alert(1)</script>"
    world.on("b.vcs.test", "/r/info/refs", (200, {"Content-Type": "application/x-git-upload-pack-advertisement"},
                                            ADVERT + packet(says) + b"0000"))
    a = world.get("/a.vcs.test/m/@v/list")
    tap.ok(a.status == 502 and not re.search(rb"[^ -~\n]", a.body), "a server's words: no control character is passed on", a)
    tap.ok(not re.search(rb"[^ -~\n\t]", a.stderr), "a server's words: nor logged", a.stderr)
    tap.ok(world.dir not in a.text and place.path not in a.text, "a server's words: no path of ours beside them", a)
    world.closed("a server's words", a)


def test_odd_repositories():
    fresh()
    # HEAD leads nowhere; nothing in it at all
    nowhere = served("a.vcs.test/nowhere")
    nowhere.git("symbolic-ref", "HEAD", "refs/heads/none")
    empty = world.repo("a.vcs.test", "/r/empty", Repo())
    world.page("a.vcs.test", "/empty", "a.vcs.test/empty git https://a.vcs.test/r/empty")
    # tags of what is no commit
    odd = served("a.vcs.test/odd")
    blob = odd.git("hash-object", "-w", "--stdin", data=b"module a.vcs.test/odd\n")
    for version, what in (("v1.1.0", blob), ("v1.2.0", odd.git("rev-parse", "main^{tree}"))):
        odd.git("update-ref", "refs/tags/" + version, what)
    # a time that is none
    for name, when in (("late", "18446744073709551614"), ("later", "9223372036854775807"), ("far", "67768036191676799")):
        repo = served("a.vcs.test/" + name)
        text = odd.git("cat-file", "commit", "main")
        tree = repo.git("rev-parse", "main^{tree}")
        text = re.sub(r"tree \w+", "tree " + tree, re.sub(r"> \d+ ", "> %s " % when, text))
        hash_ = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", data=text.encode() + b"\n")
        repo.git("update-ref", "refs/heads/main", hash_)
        repo.git("update-ref", "refs/tags/v1.0.0", hash_)
    pool = Pool(world.settings())
    for path, statuses in (("nowhere/@latest", (200, 404)), ("nowhere/@v/v1.0.0.info", (200,)), ("empty/@latest", (404,)),
                           ("empty/@v/list", (200, 404)), ("empty/@v/main.info", (404,)), ("odd/@v/v1.1.0.info", (404, 502)),
                           ("odd/@v/v1.2.0.mod", (404, 502)), ("odd/@v/v1.0.0.mod", (200,)),
                           ("late/@v/main.info", (404,)), ("late/@v/v1.0.0.info", (404,)),
                           ("later/@v/main.info", (404,)), ("far/@v/main.info", (404,)),
                           ("far/@v/v0.0.0-20200101000000-%s.info" % hash_[:12], (404, 502))):
        a = pool.get("/a.vcs.test/" + path)
        tap.ok(a.status in statuses and a.ended, "odd repository: " + path, a)
        if a.status == 200 and path.endswith("info"):
            tap.ok(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", json.loads(a.body)["Time"]), "odd repository: its time", a)
    tap.ok(all(alive(p) for p in pool.workers()), "odd repositories: all workers live", pool.log())
    pool.stop()
    world.closed("odd repositories")


# ---- what lies in a repository ----

def sing(name=""):
    return "touch %s%s" % (world.canary, name)


def test_files():
    """CVE-2025-4674, CVE-2018-11235 and everything in a tree that any tool would run or follow."""
    fresh()
    hook = ("100755", "#!/bin/sh\n%s-hook\n" % sing())
    files = {
        ".gitattributes": "* filter=x diff=x merge=x working-tree-encoding=UTF-16 ident export-subst text eol=crlf\n"
                          "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ".gitconfig": "[core]\n\tfsmonitor = %s\n\thooksPath = hooks\n\tpager = %s\n[filter \"x\"]\n\tsmudge = %s\n\tclean = %s\n"
                      "\trequired = true\n[diff \"x\"]\n\ttextconv = %s\n[alias]\n\tfetch = !%s\n[include]\n\tpath = /etc/passwd\n"
                      % ((sing(),) * 6),
        ".gitmodules": "[submodule \"../../hooks\"]\n\tpath = sub\n\turl = file://%s\n[submodule \"-u%s\"]\n\tpath = s2\n\turl = -u%s\n"
                       "\tupdate = !%s\n\tfetchRecurseSubmodules = true\n" % (place.path, sing(), sing(), sing()),
        ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1/lfs\n[remote \"origin\"]\n\tlfsurl = http://127.0.0.1/\n",
        ".mailmap": "A <a@x> <t@vcs.test>\n", "hooks/post-checkout": hook, "hooks/reference-transaction": hook,
        ".hg/hgrc": "[hooks]\nupdate = %s\n[ui]\nssh = %s\n[extensions]\nx = evil.py\n" % (sing(), sing()),
        ".hg/requires": "dotencode\n", ".svn/wc.db": "x", ".svn/entries": "12\n", ".bzr/branch-format": "x\n", ".fslckout": "x", "_FOSSIL_": "x",
        # a bare repository in the tree: safe.bareRepository
        "HEAD": "ref: refs/heads/main\n", "config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfsmonitor = %s\n" % sing(),
        "objects/info/alternates": place.path + "\n", "refs/heads/main": "1" * 40 + "\n",
        "packed-refs": "", "shallow": "1" * 40 + "\n", "index": "DIRC",
        "bare/HEAD": "ref: refs/heads/main\n", "bare/config": "[core]\n\tfsmonitor = %s\n" % sing(), "bare/objects/x": "", "bare/refs/x": "",
        "data.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % ("a" * 64),
        "link": ("120000", "/etc/passwd"), "up": ("120000", "../../../../../../etc/passwd"), "dir": ("120000", "/etc"),
        "goproxy-refs": "x", "info/attributes": "* filter=x\n", "go.work": "use ../..\n", "vendor/x/x.go": "package x\n"}
    repo = served("a.vcs.test/m", more=files)
    # What no honest git writes: .git in a tree, as a directory and as a file; a submodule; "..".
    main = repo.git("rev-parse", "main^{tree}")
    config = repo.git("hash-object", "-w", "--stdin", data=files[".gitconfig"].encode())
    gitfile = repo.git("hash-object", "-w", "--stdin", data=b"gitdir: %s\n" % place.path.encode())

    def tree(*entries):
        data = b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(h)) for mode, name, h in entries)
        return repo.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", data=data)
    dotgit = tree((b"100644", b"config", config))
    commit = repo.git("rev-parse", "main")
    mod = repo.git("rev-parse", "main:go.mod")
    whole = tree((b"40000", b"..", dotgit), (b"40000", b".git", dotgit), (b"100644", b".git ", gitfile), (b"40000", b"GIT~1", dotgit),
                 (b"100644", b"go.mod", mod), (b"160000", b"module", commit), (b"100644", b"x/y", mod))
    text = repo.git("cat-file", "commit", "main").replace(main, whole)
    evil = repo.git("hash-object", "-w", "-t", "commit", "--literally", "--stdin", data=text.encode() + b"\n")
    repo.git("update-ref", "refs/tags/v1.1.0", evil)
    # go.mod is a link out of the tree
    repo.commit({"go.mod": ("120000", "/etc/passwd"), "m.go": "package m\n"}, ref="refs/heads/link", tags=["v1.2.0"])
    pool = Pool(world.settings())
    passwd = slurp("/etc/passwd").split(b"\n")[0]
    for path, statuses in (("list", (200,)), ("v1.0.0.info", (200,)), ("v1.0.0.mod", (200,)), ("v1.0.0.zip", (200,)),
                           ("v1.1.0.info", (200, 404, 502)), ("v1.1.0.mod", (200, 404, 502)), ("v1.1.0.zip", (200, 404, 502)),
                           ("v1.2.0.info", (200, 404, 502)), ("v1.2.0.mod", (200, 404, 502)), ("v1.2.0.zip", (200, 404, 502)),
                           ("main.info", (200,)), ("link.info", (200, 404, 502))):
        a = pool.get("/a.vcs.test/m/@v/" + path)
        tap.ok(a.status in statuses and passwd not in a.body, "files: " + path, a)
        if path == "v1.0.0.mod":
            tap.eq(a.text, "module a.vcs.test/m\n", "files: no filter has touched go.mod", a)
        if path.endswith("zip") and a.status == 200:
            check_zip(a, path)
    tap.ok("127.0.0.1" not in str(world.asked()), "files: no LFS server is asked", world.asked())
    pool.stop()
    world.closed("files")


def check_zip(a, what):
    import io
    import zipfile
    with zipfile.ZipFile(io.BytesIO(a.body)) as z:
        names = [i.filename.partition("@")[2].partition("/")[2] for i in z.infolist()]
        odd = [i.filename for i in z.infolist() if (i.external_attr >> 16) & 0o170000 not in (0, 0o100000)]
        bad = [n for n in names if re.search(r"(^|/)(\.\.|\.git)($|/)|^/|\\", n)]
    tap.eq((bad, odd), ([], []), "files: %s: no links, nothing of a VCS" % what, names)


# ---- the environment of the web server ----

def test_environment():
    """What the web server's process happens to have set must not reach git."""
    fresh()
    served("a.vcs.test/m")
    world.on("b.vcs.test", "/locked/info/refs", (401, {"WWW-Authenticate": "Basic realm=x"}, b"who?\n"))
    world.on("b.vcs.test", "/locked", (200, {}, b"here it is\n"))
    world.page("a.vcs.test", "/locked", "a.vcs.test/locked git https://b.vcs.test/locked")
    song = write(place.new("song"), "#!/bin/sh\necho x >%s-$(basename $0)-$$\nexec cat\n" % world.canary, 0o755)
    home, exec_path, template = place.dir("home"), place.dir("exec"), place.dir("template")
    config = "[core]\n\tfsmonitor = %s\n\thooksPath = %s\n\tsshCommand = %s\n\tgitProxy = %s\n\taskPass = %s\n[credential]\n\thelper = !%s\n" \
        "[alias]\n\tfetch = !%s\n[url \"https://evil.vcs.test/\"]\n\tinsteadOf = https://a.vcs.test/\n[uploadpack]\n\tpackObjectsHook = %s\n" \
        "[http]\n\tproxy = http://127.0.0.1:1\n\tsslVerify = false\n\textraHeader = X-Evil: 1\n[init]\n\ttemplateDir = %s\n[trace2]\n\teventTarget = %s\n" \
        "[protocol]\n\tallow = always\n[include]\n\tpath = %s/more\n" \
        % (song, template + "/hooks", song, song, song, song, song, song, template, world.canary, home)
    write(home + "/.gitconfig", config)
    os.makedirs(home + "/xdg/git")
    write(home + "/xdg/git/config", config)
    write(home + "/xdg/git/attributes", "* filter=x\n")
    write(home + "/.netrc", "default login thief password taken\n", 0o600)
    os.mkdir(template + "/hooks")
    for name in ("reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        shutil.copy(song, template + "/hooks/" + name)
    for name in ("git-fetch", "git-ls-remote", "git-remote-https", "git-index-pack", "git-upload-pack", "git"):
        shutil.copy(song, exec_path + "/" + name)
    env = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": song, "GIT_CONFIG_KEY_1": "core.hooksPath",
           "GIT_CONFIG_VALUE_1": template + "/hooks", "GIT_CONFIG_PARAMETERS": "'core.sshCommand=%s'" % song, "GIT_CONFIG": home + "/.gitconfig",
           "GIT_CONFIG_GLOBAL": home + "/.gitconfig", "GIT_CONFIG_SYSTEM": home + "/.gitconfig", "GIT_SSH_COMMAND": song, "GIT_SSH": song,
           "GIT_EXEC_PATH": exec_path, "GIT_DIR": "/nonexistent", "GIT_WORK_TREE": home, "GIT_INDEX_FILE": world.canary, "HOME": home,
           "XDG_CONFIG_HOME": home + "/xdg", "GIT_PROXY_COMMAND": song, "GIT_ASKPASS": song, "SSH_ASKPASS": song, "SSH_ASKPASS_REQUIRE": "force",
           "DISPLAY": ":0", "GIT_TEMPLATE_DIR": template, "GIT_EXTERNAL_DIFF": song, "GIT_PAGER": song, "PAGER": song, "EDITOR": song,
           "GIT_EDITOR": song, "GIT_TRACE": world.canary, "GIT_TRACE_PACKET": world.canary, "GIT_TRACE2_EVENT": world.canary, "GIT_CURL_VERBOSE": "1",
           "GIT_TRACE_CURL": world.canary, "GIT_SSL_NO_VERIFY": "1", "GIT_OBJECT_DIRECTORY": home, "GIT_ALTERNATE_OBJECT_DIRECTORIES": home,
           "GIT_NAMESPACE": "evil", "GIT_ALLOW_PROTOCOL": "ext:file:git:http:https:ssh", "GIT_PROTOCOL_FROM_USER": "1", "GIT_ATTR_SOURCE": "main",
           "GIT_SHALLOW_FILE": world.canary, "GIT_COMMON_DIR": home, "GIT_DEFAULT_HASH": "sha256", "GIT_HTTP_USER_AGENT": "evil",
           "BASH_ENV": song, "ENV": song, "TAR_OPTIONS": "--checkpoint-action=exec=" + song, "TZ": ":/etc/passwd", "CURL_HOME": home,
           "GIT_CEILING_DIRECTORIES": "/", "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1", "SSH_AUTH_SOCK": home + "/agent"}
    store = place.new("store")
    for path, status in (("m/@v/list", 200), ("m/@v/v1.0.0.info", 200), ("m/@v/v1.0.0.mod", 200), ("m/@v/main.info", 200), ("locked/@v/list", 502)):
        a = world.get("/a.vcs.test/" + path, store, env)
        tap.eq(a.status, status, "environment: " + path, a)
    known = re.compile(r"GIT_CONFIG_(COUNT|NOSYSTEM|GLOBAL|KEY_\d+|VALUE_\d+)|GIT_(ATTR_NOSYSTEM|TERMINAL_PROMPT|PROTOCOL_FROM_USER|"
                       r"NO_REPLACE_OBJECTS|NO_LAZY_FETCH|OPTIONAL_LOCKS|LITERAL_PATHSPECS|ALLOW_PROTOCOL|CEILING_DIRECTORIES|DIR)|"
                       r"PATH|HOME|LC_ALL|TZ|SSH_ASKPASS|PWD|OLDPWD|SHLVL|_")
    names, values = set(), ""
    for text in world.calls("env"):
        names |= set(re.findall(r"^(?:export |declare -x )(\w+)", text, re.M))
        values += text
    tap.eq(sorted(n for n in names if not known.fullmatch(n)), [], "environment: git has only what it needs")
    tap.ok(not any(p in values for p in (song, home, exec_path, template)), "environment: and nothing of the web server's in it", values)
    tap.ok(not any(r.headers.get("X-Evil") or "thief" in str(r.headers) or r.host.startswith("evil") for r in world.requests),
           "environment: nobody's settings change what is sent")
    world.closed("environment")


# ---- private places, other schemes ----

def test_redirects():
    """A page, a repository, a module proxy that lead elsewhere."""
    fresh()
    write(world.dir + "/hosts", "inner.vcs.test 127.0.0.1\nlocalhost 127.0.0.1\n")
    world.repo("*", "/r", module("a.vcs.test/m"))
    page = (200, {}, b'<meta name="go-import" content="a.vcs.test/m git https://b.vcs.test/r">')
    for host in ("127.0.0.1", "localhost", "inner.vcs.test", "10.0.0.1", "169.254.169.254", "[::1]"):
        world.on(host, "/m", page)
        world.on(host, "/p/a.vcs.test/m/@v/list", (200, {}, b"v1.0.0\n"))
    write(place.path + "/list", "v6.6.6\n")
    places = ["https://127.0.0.1", "https://localhost", "https://inner.vcs.test", "https://[::1]", "https://10.0.0.1",
              "https://169.254.169.254", "https://0x7f.1", "https://user:pass@127.0.0.1", "http://b.vcs.test", "http://127.0.0.1",
              "file://" + place.path, "ftp://b.vcs.test", "gopher://b.vcs.test", "dict://127.0.0.1:11211", "//127.0.0.1", "ssh://b.vcs.test"]
    world.on("b.vcs.test", "/m", page)
    pool, bad = Pool(world.settings()), []

    def check(what, path):
        a = pool.get("/%s/@v/list" % path)
        if a.status not in (403, 404, 502) or world.strangers() or any(":80" in c or " 80" in c for c in map(" ".join, world.net("connect"))):
            bad.append("%s: %s; %s" % (what, a, world.strangers()))
        return a
    for i, to in enumerate(places):
        suffix = "/info/refs?service=git-upload-pack"
        world.redirect("a.vcs.test", "/g%d" % i, to + "/m?go-get=1")
        check("page to " + to, "a.vcs.test/g%d" % i)
        world.page("a.vcs.test", "/i%d" % i, "a.vcs.test/i%d git https://c.vcs.test/i%d" % (i, i))
        world.redirect("c.vcs.test", "/i%d/info/refs" % i, to + "/r" + suffix)
        check("refs to " + to, "a.vcs.test/i%d" % i)
        world.page("a.vcs.test", "/p%d" % i, "a.vcs.test/p%d mod https://c.vcs.test/p%d" % (i, i))
        world.redirect("c.vcs.test", "/p%d/a.vcs.test/p%d/@v/list" % (i, i), to + "/p/a.vcs.test/m/@v/list")
        check("module proxy to " + to, "a.vcs.test/p%d" % i)
    tap.eq(bad, [], "redirects: %d are refused" % (3 * len(places)))
    tap.eq(world.remotes(), [], "redirects: git isn't called")
    # Round and round.
    world.redirect("a.vcs.test", "/loop", "https://a.vcs.test/loop?go-get=1")
    check_refused(check("loop", "a.vcs.test/loop"), "redirects: a loop", (502,))
    # git itself follows none: what our look saw is not what it is given.
    seen = []

    def second(request):
        seen.append(request)
        return "repo" if len(seen) == 1 else (302, {"Location": "https://127.0.0.1/r/info/refs?service=git-upload-pack"}, b"")
    world.page("a.vcs.test", "/two", "a.vcs.test/two git https://d.vcs.test/r")
    world.on("d.vcs.test", "/r/info/refs", second)
    check_refused(check("second", "a.vcs.test/two"), "redirects: for git alone", (502,))
    tap.eq(len(seen), 2, "redirects: git was called")
    # A dumb server with alternates elsewhere.
    seen.clear()
    world.page("a.vcs.test", "/dumb", "a.vcs.test/dumb git https://e.vcs.test/dumb")
    world.on("e.vcs.test", "/dumb/info/refs", lambda r: advertise([(b"1" * 40, b"refs/tags/v1.0.0")]) if not seen.append(r) and len(seen) == 1
             else (200, {"Content-Type": "text/plain"}, b"1" * 40 + b"\trefs/tags/v1.0.0\n"))
    world.on("e.vcs.test", "/dumb/HEAD", (200, {}, b"ref: refs/heads/main\n"))
    for name in ("http-alternates", "alternates"):
        world.on("e.vcs.test", "/dumb/objects/info/" + name, (200, {}, b"https://127.0.0.1/r/objects\nhttp://127.0.0.1/r/objects\n/etc\n"))
    a = pool.get("/a.vcs.test/dumb/@v/v1.0.0.info")
    check_refused(a, "redirects: alternates of a dumb server", (404, 502))
    # A good one is followed, and git is given where it ends.
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://c.vcs.test/moved")
    world.redirect("c.vcs.test", "/moved/info/refs", "https://b.vcs.test/r/info/refs?service=git-upload-pack")
    a = pool.get("/a.vcs.test/m/@v/list")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "redirects: a good one", a)
    pool.stop()
    world.closed("redirects")


def test_rebinding():
    """A name that is public when it is looked at, and private when it is used."""
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://x.vcs.test/r")
    world.repo("*", "/r", module("a.vcs.test/m"))
    public = "203.0.113.7"
    # It is looked up once, to be looked at, and never again.
    for lookups, status in (("127.0.0.1", 403), (public + " 127.0.0.1", 200)):
        world.reset()
        write(world.dir + "/hosts", "x.vcs.test %s\n" % lookups)
        a = world.get("/a.vcs.test/m/@v/list")
        tap.ok(a.status == status or status == 403 and a.status == 502, "rebinding (%s): %d" % (lookups, status), a)
        tap.eq([n for n in world.net("lookup") if n[0].startswith("git")], [], "rebinding (%s): git looks nothing up" % lookups)
        world.closed("rebinding (%s)" % lookups, a)
    tap.ok("x.vcs.test:443:" + public in "".join(world.calls("env")), "rebinding: git is given the address", world.calls("env"))
    # Spellings of a name that git might look up for itself.
    for host in ("X.VCS.TEST", "x.vcs.test.", "x.vcs.test:443", "x.vcs.test:0443", "%78.vcs.test", "\uff58.vcs.test", "x\u3002vcs.test", "x.vcs.test:"):
        world.reset()
        world.page("a.vcs.test", "/m", "a.vcs.test/m git https://%s/r" % host)
        write(world.dir + "/hosts", "".join("%s %s %s 127.0.0.1\n" % (n, public, public) for n in ("x.vcs.test", "x.vcs.test.", "X.VCS.TEST"))
              + "".join("%s %s\n" % (n, public) for n in ("\uff58.vcs.test", "x\u3002vcs.test")))
        a = world.get("/a.vcs.test/m/@v/list")
        tap.eq([n for n in world.net("lookup") if n[0].startswith("git")], [], "rebinding (%s): git looks nothing up" % host, a)
        world.closed("rebinding (%s)" % host, a)


def test_private_hosts():
    """What the settings name may lie at a private address, and nothing else there."""
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://inner.vcs.test/r")
    world.repo("*", "/r", module("a.vcs.test/m"))
    hosts = "inner.vcs.test 127.0.0.1\nother.vcs.test 127.0.0.1\n"
    for allowed, status in ((None, 403), ("other.vcs.test", 403), ("inner.vcs.test:8443", 403), ("nner.vcs.test", 403), ("127.0.0.1", 403),
                            ("inner.vcs.test", 200), ("x, INNER.vcs.test:443", 200)):
        world.reset()
        write(world.dir + "/hosts", hosts)
        a = world.get("/a.vcs.test/m/@v/list", direct_private_hosts=allowed)
        tap.ok(a.status == status or status == 403 and a.status == 502, "private_hosts = %s: %d" % (allowed, status), a)
        tap.eq(sorted({c[1] for c in world.net("connect")} - {"203.0.113.7"}), ["127.0.0.1"] if status == 200 else [], "private_hosts = %s: reached" % allowed)
    world.reset()
    write(world.dir + "/hosts", hosts)
    world.redirect("inner.vcs.test", "/r/info/refs", "https://other.vcs.test/r/info/refs?service=git-upload-pack")
    a = world.get("/a.vcs.test/m/@v/list", direct_private_hosts="inner.vcs.test")
    check_refused(a, "private_hosts: a redirect to another", (403, 502))
    tap.eq([r for r in world.asked() if "other" in r], [], "private_hosts: that isn't asked")


def test_proxy():
    """A proxy of the environment decides; what goes past it is looked at as ever."""
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://inner.vcs.test/r")
    world.repo("*", "/r", module("a.vcs.test/m"))
    for what, env in (("another scheme's", {"http_proxy": "http://203.0.113.9:9"}),
                      ("not for this host", {"https_proxy": "http://203.0.113.9:9", "no_proxy": "vcs.test"}),
                      ("not for any", {"all_proxy": "http://203.0.113.9:9", "NO_PROXY": "*"})):
        world.reset()
        write(world.dir + "/hosts", "inner.vcs.test 127.0.0.1\n")
        a = world.get("/a.vcs.test/m/@v/list", env=env)
        check_refused(a, "proxy (%s)" % what, (403, 502))
        tap.eq([c for c in world.net("connect") if c[1] == "127.0.0.1"], [], "proxy (%s): nothing private is reached" % what)


def test_no_downgrade():
    """CVE-2023-45285: where https is refused, nothing else is tried."""
    fresh()
    world.on("a.vcs.test", "*", lambda r: None if r.scheme == "https" else "repo")
    world.repo("a.vcs.test", "/m", module("a.vcs.test/m.git"))
    for what, insecure, ports in (("", None, {"443"}), (", insecure names others", "b.vcs.test,a.vcs.test/n", {"443"}),
                                  (", insecure", "a.vcs.test/*", {"443", "80"})):
        world.reset()
        a = world.get("/a.vcs.test/m.git/@v/list", direct_insecure=insecure)
        tap.eq({c[2] for c in world.net("connect")}, ports, "PATH.git without https%s: ports" % what, a)
        if "80" in ports:
            tap.eq((a.status, a.text), (200, "v1.0.0\n"), "PATH.git without https%s: by http" % what, a)
        else:
            check_refused(a, "PATH.git without https" + what, (404, 502))
            tap.eq(world.remotes(), [], "PATH.git without https%s: git isn't called" % what)
        world.closed("PATH.git without https" + what)
    # Where nobody listens for https at all.
    world.reset()
    write(world.dir + "/hosts", "shut.vcs.test %s\n" % CLOSED)
    a = world.get("/shut.vcs.test/m.git/@v/list")
    check_refused(a, "PATH.git, https is refused", (502,))
    tap.eq({c[2] for c in world.net("connect")}, set(), "PATH.git, https is refused: nothing else is tried", a)
    # Nor the page.
    world.reset()
    check_refused(world.get("/a.vcs.test/page/@v/list"), "a page without https", (404, 502))
    tap.eq({c[2] for c in world.net("connect")}, {"443"}, "a page without https: ports")
    # A certificate of nobody's is a failure, with git as with us.
    world.reset()
    served("b.vcs.test/m")
    a = world.get("/b.vcs.test/m/@v/list", upstream_ca_file=None)
    check_refused(a, "a certificate that nobody vouches for", (502,))


# ---- secrets, private names ----

def test_secrets():
    """Passwords and tokens go to their own host alone, and are seen by nobody."""
    fresh()
    netrc = write(place.new("netrc"), "machine a.vcs.test login joe password NETRC-SECRET\n", 0o600)
    tokens = write(place.new("tokens"), "# mine\nt.vcs.test TOKEN-SECRET\n", 0o600)
    repo = module("a.vcs.test/m")
    for host in ("a.vcs.test", "t.vcs.test", "evil.vcs.test"):
        world.repo(host, "/r", repo)

    def needs(word):
        def check(request):
            if word in request.headers.get("Authorization", ""):
                return "repo"
            return 401, {"WWW-Authenticate": "Basic realm=x"}, b"who?\n"
        return check
    for host, word in (("a.vcs.test", "Basic"), ("t.vcs.test", "Bearer TOKEN-SECRET")):
        world.on(host, "/r/info/refs", needs(word))
        world.on(host, "/r/git-upload-pack", needs(word))
        for name in ("moved", "down", "port"):
            world.redirect(host, "/%s/info/refs" % name, {"moved": "https://evil.vcs.test", "down": "http://" + host,
                                                         "port": "https://%s:8443" % host}[name]
                           + "/r/info/refs?service=git-upload-pack")
    world.page("a.vcs.test", "/m", "a.vcs.test/m git https://a.vcs.test/r")
    world.page("a.vcs.test", "/t", "a.vcs.test/t git https://t.vcs.test/r")
    for name in ("moved", "down", "port"):
        world.page("a.vcs.test", "/n-" + name, "a.vcs.test/n-%s git https://a.vcs.test/%s" % (name, name))
        world.page("a.vcs.test", "/t-" + name, "a.vcs.test/t-%s git https://t.vcs.test/%s" % (name, name))
    write(world.dir + "/look", "")
    store = place.new("store")
    pool = Pool(world.settings(store, upstream_netrc=netrc, direct_tokens=tokens, direct_modules="a.vcs.test"))
    texts = ""
    for name, status in (("m", 200), ("t", 200), ("n-moved", 200), ("t-moved", 200), ("n-down", 502), ("t-down", 502), ("n-port", 502), ("t-port", 502)):
        a = pool.get("/a.vcs.test/%s/@v/list" % name)
        tap.eq(a.status, status, "secrets: " + name, a)
        texts += a.text
    pool.get("/a.vcs.test/t/@v/v1.0.0.info")
    stray = [(repr(r), r.headers["Authorization"]) for r in world.requests
             if r.headers.get("Authorization") and (r.host not in ("a.vcs.test", "t.vcs.test") or r.scheme != "https"
                                                    or ("Bearer" in r.headers["Authorization"]) != (r.host == "t.vcs.test"))]
    tap.eq(stray, [], "secrets: nobody but their own host gets them")
    secret = re.compile("NETRC-SECRET|TOKEN-SECRET|am9lOk5FVFJDLVNFQ1JFVA")
    tap.ok(not secret.search(pool.log()), "secrets: none in the log")
    tap.ok(not secret.search(texts), "secrets: none in an answer", texts)
    tap.ok(world.calls("ps") and not secret.search("".join(world.calls("ps"))), "secrets: none in the list of processes")
    tap.ok(not secret.search(str(world.calls())), "secrets: none in git's arguments")
    pool.stop()
    found = subprocess.run(["grep", "-rlE", "TOKEN-SECRET|NETRC-SECRET", store], capture_output=True, text=True).stdout
    tap.ok(all(os.path.islink(f) for f in found.split()), "secrets: none is kept in the store", found)
    # What anybody may have is fetched as anybody: neither asked for by our name, nor out of what was.
    world.requests.clear()
    world.page("b.vcs.test", "/thief", "b.vcs.test/thief git https://a.vcs.test/r")
    world.page("b.vcs.test", "/t", "b.vcs.test/t git https://t.vcs.test/r")
    for name in ("thief/@v/list", "thief/@v/v1.0.0.info", "thief/@v/v1.0.0.zip", "t/@v/list"):
        a = world.get("/b.vcs.test/" + name, store, upstream_netrc=netrc, direct_tokens=tokens, direct_modules="a.vcs.test")
        check_refused(a, "secrets: another module's repository by a public name, " + name)
    tap.eq([repr(r) for r in world.requests if r.headers.get("Authorization")], [], "secrets: none is used for them")
    world.closed("secrets")




def test_private_names():
    """No upstream, no database and no stranger hears of a private module."""
    fresh()
    served("secret.vcs.test/corp/m")
    served("a.vcs.test/m")
    for host in ("up.vcs.test", "sum.vcs.test"):
        world.on(host, "*", (404, {}, b"not found\n"))
    key = b"\1" + bytes(32)
    vkey = "sum.vcs.test+%s+%s" % (hashlib.sha256(b"sum.vcs.test\n" + key).hexdigest()[:8], base64.b64encode(key).decode())
    options = dict(chain="https://up.vcs.test|direct", private_modules="secret.vcs.test/corp", private_read="* = anonymous",
                   sumdb_gosumdb="%s https://sum.vcs.test" % vkey)
    store = place.new("store")
    for path in ("m/@v/list", "m/@v/v1.0.0.info", "m/@v/v1.0.0.mod", "m/@latest", "m/@v/main.info", "none/@v/list", "m/@v/v9.9.9.info"):
        a = world.get("/secret.vcs.test/corp/" + path, store, **options)
        expected = 404 if "none" in path or "v9" in path else 200
        tap.eq(a.status, expected, "private: " + path, a)
    tap.eq(sorted({r.host for r in world.requests}), ["secret.vcs.test"], "private: nobody else hears the name", world.asked())
    tap.eq([n for n in world.net("lookup") if n[1] not in ("secret.vcs.test",)], [], "private: nor looks anything up")
    a = world.get("/a.vcs.test/m/@v/list", store, **options)
    tap.ok(any(r.host == "up.vcs.test" for r in world.requests), "private: the upstream is asked for others", a)
    world.closed("private")


# ---- ssh ----

def test_ssh():
    """ssh is run with a vector of arguments, none of them the attacker's."""
    fresh()
    tools, out = place.dir("tools"), place.dir("ssh")
    write(tools + "/ssh", '#!/bin/sh\nexport -p >%s/$$.env\nfor a; do printf "%%s\\0" "$a"; done >%s/$$.args\n'
          'echo "no ssh here" >&2\nexit 255\n' % (out, out), 0o755)
    key, known = write(place.new("key"), "x", 0o600), write(place.new("known hosts"), "x")
    env = {"PATH": tools + ":" + os.environ.get("PATH", "/usr/bin:/bin"), "SSH_AUTH_SOCK": "/nobodys/agent", "GIT_SSH_COMMAND": "touch " + world.canary}
    canary = "$(touch${IFS}%s)" % world.canary
    urls = ["ssh://git@b.vcs.test/r", "ssh://b.vcs.test/r;touch${IFS}x", "ssh://b.vcs.test/" + canary, "ssh://b.vcs.test/`touch`",
            "ssh://b.vcs.test/'&quot;", "ssh://b.vcs.test/-oProxyCommand=x", "ssh://b.vcs.test:2222/~x/r", "ssh://git@b.vcs.test/a%20b",
            "ssh://git;x@b.vcs.test/r"]
    for i, url in enumerate(urls):
        world.page("a.vcs.test", "/s%d" % i, "a.vcs.test/s%d git %s" % (i, url))
        a = world.get("/a.vcs.test/s%d/@v/list" % i, env=env, direct_ssh_key=key, direct_ssh_known_hosts=known,
                      direct_modules="a.vcs.test")
        check_refused(a, "ssh: " + url, (403, 404, 502))
    a = world.get("/a.vcs.test/s0/@v/list", env=env, direct_ssh_key=key, direct_ssh_known_hosts=known)
    tap.ok(a.status == 403 and "[direct] modules" in a.text, "ssh: not by our key for what anybody may have", a)
    calls = [slurp("%s/%s" % (out, n)).decode().split("\0")[:-1] for n in os.listdir(out) if n.endswith(".args")]
    tap.eq(len(calls) <= len(urls), True, "ssh: it isn't run for that")
    tap.ok(calls, "ssh: it is run")
    for want in ("BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "HostName=203.0.113.7",
                 "UserKnownHostsFile=\"%s\"" % known, "IdentityFile=\"%s\"" % key, "PermitLocalCommand=no", "ClearAllForwardings=yes"):
        tap.ok(all(want in c for c in calls), "ssh: " + want.split("\"")[0], calls)
    tap.ok(all(c[0] == "-F" and c[1] == "/dev/null" for c in calls), "ssh: nobody's settings")
    strange = [w for c in calls for w in c[:-1] if "ProxyCommand" in w or "touch" in w or ";x" in w and not w.startswith("git;x@")]
    tap.eq(strange, [], "ssh: nothing of the URL's is an option", calls)
    tap.ok(all(re.fullmatch(r"git-upload-pack '.*'", c[-1]) for c in calls), "ssh: the path is quoted", calls)
    text = "".join(slurp("%s/%s" % (out, n)).decode() for n in os.listdir(out) if n.endswith(".env"))
    tap.ok("nobodys" not in text and "SSH_AUTH_SOCK" not in text, "ssh: no agent of the web server's", text)
    for url in ("ssh://-oProxyCommand=x/r", "ssh://127.0.0.1/r", "ssh://localhost/r", "ssh://[::1]/r", "ssh://inner.vcs.test/r", "ssh://git:pass@b.vcs.test/r",
                "ssh://-x@b.vcs.test/r"):
        for name in os.listdir(out):
            os.unlink(out + "/" + name)
        write(world.dir + "/hosts", "inner.vcs.test 127.0.0.1\nlocalhost 127.0.0.1\n")
        world.page("a.vcs.test", "/bad", "a.vcs.test/bad git " + url)
        a = world.get("/a.vcs.test/bad/@v/list", env=env, direct_ssh_key=key, direct_ssh_known_hosts=known,
                      direct_modules="a.vcs.test")
        check_refused(a, "ssh: " + url, (403, 502))
        tap.eq(os.listdir(out), [], "ssh: %s: it isn't run" % url)
    world.closed("ssh")


# ---- too much, too slow ----

def test_endless():
    """Servers and a git that never end: an answer within the deadline, and nobody is left."""
    fresh()
    stop = threading.Event()

    def trickle(data):
        def answer(request):
            sock = request.socket
            try:
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n" + data)
                while not stop.wait(0.1):
                    sock.sendall(b"x" if data is None else b"0")
            except OSError:
                pass
        return answer

    def silent(request):
        stop.wait(30)

    def flood(request):
        line = packet(b"1" * 40 + b" refs/tags/v1.0.0-" + b"x" * 900 + b"\n") * 1000
        try:
            request.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nConnection: close\r\n\r\n"
                                   + ADVERT + packet(b"1" * 40 + b" HEAD\0side-band-64k\n"))
            while not stop.is_set():
                request.socket.sendall(line)
        except OSError:
            pass

    def late(action):
        """Good at our first look, bad for git."""
        seen = []
        return lambda request: "repo" if not seen.append(request) and len(seen) == 1 else action(request)
    served("a.vcs.test/pack")
    world.on("a.vcs.test", "/r/pack/git-upload-pack", silent)
    world.on("a.vcs.test", "/page", silent)
    for name, action in (("probe", silent), ("drip", trickle(ADVERT + b"00")), ("hang", late(silent)), ("flood", late(flood))):
        served("a.vcs.test/" + name)
        world.on("a.vcs.test", "/r/%s/info/refs" % name, action)
    script = write(place.new("sleepy"), "#!/bin/sh\nexport DSEC_MARK=%s\nsleep 1000 &\nsleep 1000\n" % world.dir, 0o755)
    limits = dict(upstream_silence_timeout_s=2, upstream_total_timeout_s=3, upstream_small_total_timeout_s=3, direct_parallel=8)
    served("a.vcs.test/m")
    # One pool: they all hang at once, and a hit isn't held up.
    pools = {"a": Pool(world.settings(**limits)), "sleepy": Pool(world.settings(direct_git=script, **limits))}
    calls = {"page": ("a", "/a.vcs.test/page/@v/list"), "probe": ("a", "/a.vcs.test/probe/@v/list"), "drip": ("a", "/a.vcs.test/drip/@v/list"),
             "hang": ("a", "/a.vcs.test/hang/@v/list"), "flood": ("a", "/a.vcs.test/flood/@v/list"), "pack": ("a", "/a.vcs.test/pack/@v/v1.0.0.info"),
             "a git that sleeps": ("sleepy", "/a.vcs.test/m/@v/list")}
    running = {what: pools[p].start([path], 40) for what, (p, path) in calls.items()}
    for what, call in running.items():
        a = call.wait()[0]
        tap.ok(a.status in (502, 504) and a.took_s < 5.5 * SLOW, "endless (%s): given up in time" % what, "%.1f s: %s" % (a.took_s, a))
    stop.set()
    wait_until(lambda: not world.left_behind(), "no process of git's to be left", 3)
    for pool in pools.values():
        tap.ok(all(alive(p) for p in pool.workers()), "endless: the workers live")
        pool.stop()
    world.closed("endless")


def test_stop_while_waiting():
    """SIGTERM while a page is waited for: the pool ends."""
    fresh()
    stop = threading.Event()
    world.on("a.vcs.test", "/page", lambda r: stop.wait(30) and None)
    pool = Pool(world.settings(upstream_silence_timeout_s=3, upstream_small_total_timeout_s=4))
    call = pool.start(["/a.vcs.test/page/@v/list"], 40)
    wait_until(lambda: world.asked(), "the page to be asked for")
    begin = time.monotonic()
    os.kill(pool.process.pid, signal.SIGTERM)
    try:
        pool.process.wait(10 * SLOW)
        took = time.monotonic() - begin
    except subprocess.TimeoutExpired:
        took = None
    tap.ok(took is not None and took < 6 * SLOW, "SIGTERM while a page is waited for: the pool ends", took)
    tap.say("SIGTERM while a page is waited for: %s s" % took)
    stop.set()
    call.wait()
    pool.stop()


def test_too_much():
    """More than the settings allow: [direct] repository_mb, memory, what is printed."""
    fresh()
    served("a.vcs.test/m", more={"big": os.urandom(3 << 20)})
    store = place.new("store")
    write(world.dir + "/look", "")
    a = world.get("/a.vcs.test/m/@v/v1.0.0.info", store, direct_repository_mb=1)
    tap.ok(a.status == 502 and "repository_mb" in a.text, "a pack over repository_mb: says which setting", a)
    left = [f for f in walk(store + "/vcs") if os.path.getsize(f) > 500000]
    limits = "".join(world.calls("limits"))
    if "sanitize" in PROGRAM:
        tap.skip("memory of git's is bounded", "a sanitizer needs more")
    else:
        tap.like(limits, r"Max data size +\d+ ", "memory of git's is bounded", limits)
    tap.like(limits, r"Max core file size +0 ", "git leaves no core files")
    # The script's own: what it has put aside.
    tap.eq([line for text in world.calls("fds") for line in re.findall(r" (\d+) -> (.*)", text)
            if int(line[0]) > 2 and not (int(line[0]) in (10, 11, 12) and "socket" not in line[1])
            and not re.search(r"/vcs/\w+/lock$|/proc/\d+/fd$", line[1])], [],
           "git has no descriptor of ours but the lock's")
    a = world.get("/a.vcs.test/m/@v/v1.0.0.info", store)
    tap.eq(a.status, 200, "a pack over repository_mb: with more room it comes", a)
    tap.eq([f for f in left if os.path.exists(f)], [], "a pack over repository_mb: what was left of it is gone")
    # A bomb of trees: ten to the ninth files in a few kilobytes.
    repo = served("a.vcs.test/bomb")
    mod = repo.git("rev-parse", "main:go.mod")
    tree, mode = mod, "100644 blob"
    for _ in range(9):
        tree = repo.git("mktree", data="".join("%s %s\tf%d\n" % (mode, tree, i) for i in range(10)).encode())
        mode = "040000 tree"
    tree = repo.git("mktree", data=("100644 blob %s\tgo.mod\n040000 tree %s\tx\n" % (mod, tree)).encode())
    text = re.sub(r"tree \w+", "tree " + tree, repo.git("cat-file", "commit", "main"))
    repo.git("update-ref", "refs/tags/v1.1.0", repo.git("hash-object", "-w", "-t", "commit", "--stdin", data=text.encode() + b"\n"))
    a = world.get("/a.vcs.test/bomb/@v/v1.1.0.mod", store)
    tap.eq((a.status, a.text), (200, "module a.vcs.test/bomb\n"), "a bomb of trees: .mod", a)
    begin = time.monotonic()
    a = world.get("/a.vcs.test/bomb/@v/v1.1.0.zip", store)
    tap.ok(a.status in (404, 502, 504) or a.cut, "a bomb of trees: .zip is refused", a)
    tap.ok(time.monotonic() - begin < 10 * SLOW, "a bomb of trees: soon", time.monotonic() - begin)
    world.closed("too much")


def walk(path):
    return [os.path.join(d, n) for d, _, names in os.walk(path) for n in names if not os.path.islink(os.path.join(d, n))]


def test_after_a_kill():
    """What a git leaves that is killed: its locks and half packs hold nobody up."""
    fresh()
    repo = served("a.vcs.test/m")
    store = place.new("store")
    for name, path in (("first", "v1.0.0.info"), ("graph", "v1.0.1-0.20200913122640-000000000000.info")):
        world.get("/a.vcs.test/m/@v/" + path, store)
    repo.commit({"go.mod": "module a.vcs.test/m\n", "n.go": "package m\n"}, tags=["v1.1.0"], when="1600000100")
    hash_ = repo.git("rev-parse", "main")
    copy = [d for d in os.listdir(store + "/vcs") if len(d) == 64]
    tap.eq(len(copy), 1, "after a kill: there is a copy")
    copy = "%s/vcs/%s/" % (store, copy[0])
    junk = [copy + n for n in ("main/shallow.lock", "main/packed-refs.lock", "main/config.lock", "main/HEAD.lock",
                               "main/refs/at/%s.lock" % hash_, "main/objects/pack/tmp_pack_abcdef", "main/objects/pack/tmp_idx_abcdef")]
    for path in junk:
        write(path, "x")
    a = world.get("/a.vcs.test/m/@v/v1.1.0.info", store, cache_list_ttl_s=0)
    tap.eq(a.status, 200, "after a kill: locks that git left", a)
    tap.eq([p for p in junk if os.path.exists(p)], [], "after a kill: they are gone")
    # Killed while it makes the repository; objects that are broken.
    for what, path in (("no HEAD", "main/HEAD"), ("no config", "main/config"), ("no objects", "main/objects"), ("an empty ref", "main/refs/at/" + hash_)):
        if os.path.isdir(copy + path):
            shutil.rmtree(copy + path)
        elif "ref" in what:
            write(copy + path, "")
        elif os.path.exists(copy + path):
            os.unlink(copy + path)
        shutil.rmtree(store + "/download", ignore_errors=True)
        a = world.get("/a.vcs.test/m/@v/v1.1.0.info", store, cache_list_ttl_s=0)
        tap.eq(a.status, 200, "after a kill (%s): served" % what, a)
    world.closed("after a kill")


def test_unreadable():
    """A go.mod that can't be read isn't one that isn't there: no other may be made up for it."""
    fresh()
    served("a.vcs.test/m", more={"go.mod": GO_MOD.replace("1.20", "1.21") + "// mine\n"})
    broken = write(place.new("git"), '#!/bin/sh\n[ "$1" != cat-file ] || { echo "fatal: loose object is corrupt" >&2; exit 128; }\n'
                   'exec %s "$@"\n' % world.git, 0o755)
    store = place.new("store")
    for path in ("v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip"):
        a = world.get("/a.vcs.test/m/@v/" + path, store, direct_git=broken)
        tap.eq(a.status, 502, "an unreadable go.mod: no %s is made of it" % path, a)
    a = world.get("/a.vcs.test/m/@v/v1.0.0.mod", store)
    tap.ok(a.status == 200 and "// mine" in a.text, "an unreadable go.mod: and later it is read", a)


tap.run(globals(), jobs=2)
