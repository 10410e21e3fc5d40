#!/usr/bin/env python3
"""63-direct.t - modules straight from their repositories, as an administrator and a client meet it.

That the answers are those of the go command is 60-direct.t's business.
"""
import sys
sys.dont_write_bytecode = True
import io
import json
import os
import re
import shutil
import subprocess
import threading
import time
import zipfile
from harness import PROGRAM, Fixture, Pool, files_below, hash_zip, place, program_env, slurp, tap, test_sumdb
from vcsevil import Repo, World, write

for needed in ("git", "gcc", "openssl"):
    if not shutil.which(needed):
        print("1..0 # SKIP %s is missing\n0 passed, 0 failed" % needed)
        sys.exit(0)

fixture = Fixture()
PROVEN, VERSION = "example.com/small7", "v1.0.0"


class OwnWorld(threading.local):
    """Each thread's own: groups run side by side."""

    def __getattr__(self, name):
        self.__dict__["world"] = self.__dict__.get("world") or World()
        return getattr(self.__dict__["world"], name)


world = OwnWorld()


def repository(files, tags=("v1.0.0",)):
    repo = Repo()
    repo.commit(files, tags=list(tags))
    return repo


def serve(path, files=None, tags=("v1.0.0",), host=None):
    """A module's repository, found by its page."""
    host_, _, rest = path.partition("/")
    world.page(host_, "/" + rest, "%s git https://%s/r/%s" % (path, host or host_, rest))
    return world.repo(host or host_, "/r/" + rest,
                      repository(files or {"go.mod": "module %s\n" % path, "m.go": "package m\n"}, tags))


def get(path, store=None, env=None, **more):
    return world.get(path, store, env=env, **more)


def fresh():
    world.reset()
    world.rules.clear()
    world.repos.clear()


# ---- the chain ----

def test_chain():
    fresh()
    serve("a.vcs.test/m")
    up = fixture.mount()
    a = get("/a.vcs.test/m/@v/list", chain=up.url + ",direct")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "behind ',' at the proxy's 404", a)
    up.set(status=500)
    a = get("/a.vcs.test/m/@v/list", chain=up.url + "|direct")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "behind '|' at the proxy's failure", a)
    a = get("/a.vcs.test/m/@v/list", chain=up.url + ",direct")
    tap.eq(a.status, 502, "not behind ',' at a failure", a)
    up = fixture.mount()
    a = get("/a.vcs.test/m/@v/list", chain=up.url, direct_modules="*.vcs.test")
    tap.eq((a.status, a.text, up.paths()), (200, "v1.0.0\n", []), "[direct] modules: the proxy is not asked", a)
    a = get("/a.vcs.test/m/@v/list", chain="off", direct_modules="*.vcs.test")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "whatever the chain is", a)
    a = get("/a.vcs.test/m/@v/list", chain="off")
    tap.eq(a.status, 404, "without, 'off' stands", a)


def test_no_git():
    fresh()
    serve("a.vcs.test/m")
    up = fixture.mount()
    nowhere = {"PATH": place.dir("empty")}
    a = world.get("/a.vcs.test/m/@v/list", env=nowhere, chain="direct", direct_git="")
    tap.ok(a.status == 502 and "no git" in a.text and "[direct] git" in a.text, "without git: a 502 that says so", a)
    a = world.get("/a.vcs.test/m/@v/list", env=nowhere, chain=up.url + ",direct", direct_git="")
    tap.eq(a.status, 404, "but a proxy's 404 before it stands", a)


# ---- what repositories are ----

def test_systems():
    fresh()
    world.page("a.vcs.test", "/hg", "a.vcs.test/hg hg https://a.vcs.test/hg")
    a = get("/a.vcs.test/hg/@v/list")
    tap.ok(a.status == 404 and "hg" in a.text and "a.vcs.test/hg" in a.text, "hg: a 404 that names it", a)
    a = get("/a.vcs.test/x.svn/sub/@v/list")
    tap.ok(a.status == 404 and "svn" in a.text, "svn by its path", a)
    a = get("/a.vcs.test/x.fossil/@v/list", direct_vcs="public:fossil")
    tap.ok(a.status == 404 and "fossil" in a.text and "a.vcs.test/x.fossil" in a.text, "fossil", a)
    a = get("/chiselapp.com/user/u/repository/r/@v/list", direct_vcs="public:fossil")
    tap.ok(a.status == 404 and "fossil" in a.text, "fossil at a known host", a)
    serve("a.vcs.test/m")
    a = get("/a.vcs.test/m/@v/list", direct_vcs="a.vcs.test:hg,public:git")
    tap.ok(a.status == 404 and "[direct] vcs" in a.text, "what [direct] vcs disallows", a)


def test_impossible_paths_ask_nobody():
    fresh()
    for path in ("/github.com/@v/list", "/github.com/owner/@v/list", "/bitbucket.org/x/@v/list"):
        a = get(path)
        tap.eq((a.status, world.asked(), world.net("connect")), (404, [], []), "%s: 404 at once" % path, a)


def test_mod_page():
    fresh()
    world.page("a.vcs.test", "/m", "a.vcs.test/m mod https://p.vcs.test/proxy")
    world.on("p.vcs.test", "/proxy/a.vcs.test/m/@v/list", (200, {"Content-Type": "text/plain"}, b"v1.0.0\n"))
    a = get("/a.vcs.test/m/@v/list")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "a page that names a module proxy: it is asked", a)
    a = get("/a.vcs.test/m/@v/v1.0.0.info")
    tap.eq(a.status, 404, "its 404 is one", a)


# ---- proof ----

def test_proof():
    fresh()
    source = zipfile.ZipFile(io.BytesIO(fixture.ref("/%s/@v/%s.zip" % (PROVEN, VERSION))))
    prefix = "%s@%s/" % (PROVEN, VERSION)
    files = {n[len(prefix):]: source.read(n) for n in source.namelist()}
    world.page("example.com", "/small7", "example.com/small7 git https://e.vcs.test/r")
    write(world.dir + "/hosts", "example.com 203.0.113.7\n")
    more = dict(sumdb_gosumdb=test_sumdb())
    world.repo("e.vcs.test", "/r", repository(files))
    store = place.new("store")
    a = get("/%s/@v/%s.zip" % (PROVEN, VERSION), store, **more)
    tap.eq(a.status, 200, "a public module from its repository, proven", a)
    tap.eq(hash_zip(a.body) if a.body else "", hash_zip(fixture.ref("/%s/@v/%s.zip" % (PROVEN, VERSION))),
           "has the h1 that its proxy's zip has")
    audit = slurp(store + "/audit.log").decode() if os.path.exists(store + "/audit.log") else ""
    tap.ok('"record"' in audit and "git https://e.vcs.test/r" in audit, "and the audit log says where from, and the proof", audit)
    world.repo("e.vcs.test", "/r", repository(dict(files, **{"evil.go": b"package small7\n"})))
    store = place.new("store")
    a = get("/%s/@v/%s.zip" % (PROVEN, VERSION), store, **more)
    tap.ok(a.status == 502 and "checksum mismatch" in a.text, "a tag that was moved: refused", a)
    tap.ok(not [f for f in files_below(store) if f.endswith(".zip")], "and not kept", files_below(store))
    serve("b.vcs.test/m")
    a = get("/b.vcs.test/m/@v/v1.0.0.zip", **more)
    tap.ok(a.status == 403 and "doesn't know it" in a.text, "what the database doesn't know: by [sumdb] policy", a)


# ---- one fetch, however many ask ----

def test_herd():
    fresh()
    serve("a.vcs.test/m", {"go.mod": "module a.vcs.test/m\n", "m.go": "package m\n" * 20000})
    store = place.new("store")
    pool = Pool(world.settings(store))
    names = ["/a.vcs.test/m/@v/" + n for n in ("list", "v1.0.0.info", "v1.0.0.mod", "v1.0.0.zip")]
    answers = pool.many(names * 8)
    tap.eq(sorted({a.status for a in answers}), [200], "32 requests for four objects in two processes")
    kinds = ["ls-remote" if "ls-remote" in c else "fetch" for c in world.remotes()]
    tap.ok(kinds.count("fetch") == 1, "fetch the commit once", kinds)
    tap.ok(kinds.count("ls-remote") <= 4, "and ask for its tags a few times at most", kinds)
    tap.eq(oct(os.stat(store + "/vcs").st_mode & 0o777), "0o700", "the copy is nobody else's business")
    before = len(world.remotes())
    pool.many([n for n in names if not n.endswith("list")] * 4)
    tap.eq(len(world.remotes()), before, "what is kept asks nobody")
    pool.stop()


# ---- one copy of a repository, for all ----

SLOW_GIT = """#!/bin/sh
case "$1" in
init) for dir; do :; done; mkdir -p "$dir"; sleep 0.6 ;;
cat-file) sleep %s ;;
esac
exec %s "$@"
"""


def together(calls, pause_s=0.0):
    """The answers to (path, store, settings), the next asked a little later than the one before."""
    ask, answers = world.get, [None] * len(calls)

    def one(i):
        answers[i] = ask(calls[i][0], calls[i][1], **calls[i][2])
    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
        time.sleep(pause_s)
    for thread in threads:
        thread.join()
    return answers


def test_copy_in_the_making():
    """A copy that is being made is no broken one: it isn't taken from under who reads it."""
    fresh()
    repo = serve("a.vcs.test/m")
    slow = dict(direct_git=write(place.new("git"), SLOW_GIT % ("1.2", world.git), 0o755))
    hash_ = repo.git("rev-parse", "main")
    store = place.new("store")
    a, b = together([("/a.vcs.test/m/@v/v1.0.0.mod", store, slow),
                     ("/a.vcs.test/m/@v/v1.0.1-0.20200913122640-%s.info" % hash_[:12], store, {})], 0.3)
    tap.ok(b.status == 404 and "already canonical" in b.text, "a copy in the making: it isn't in the way of a 404", b)
    tap.eq((a.status, a.text), (200, "module a.vcs.test/m\n"), "nor does that remove it", a)


def damage(store, how, below="main"):
    """To all packs and objects of the copies."""
    for top, _, names in os.walk(store + "/vcs"):
        for name in names if below and re.search("/%s/objects/" % below, top) else []:
            data = slurp(top + "/" + name)
            os.chmod(top + "/" + name, 0o644)
            write(top + "/" + name, how(data))
    shutil.rmtree(store + "/download", ignore_errors=True)


def emptied(data):
    return b""


def changed(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def grow(repo, text="m"):
    """One commit more; its time and hash as in pseudo-versions."""
    who = ("-c", "user.name=T", "-c", "user.email=t@vcs.test")
    hash_ = repo.git(*who, "commit-tree", "main^{tree}", "-p", "main", "-m", text)
    repo.git("update-ref", "refs/heads/main", hash_)
    seconds = int(repo.git("log", "-1", "--format=%ct", hash_))
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds)) + "-" + hash_[:12]


def test_broken_copy():
    """One that is broken is made anew, and whoever is at it has the new one."""
    fresh()
    repo = serve("a.vcs.test/m")
    store = place.new("store")
    slow = dict(direct_git=write(place.new("git"), SLOW_GIT % ("0.5", world.git), 0o755))
    names = ["/a.vcs.test/m/@v/v1.0.0." + n for n in ("mod", "info", "zip")]
    get(names[0], store)
    for how in (emptied, changed):
        for name in names:
            damage(store, how)
            a = get(name, store)
            tap.eq(a.status, 200, "a copy with %s objects, asked for %s" % (how.__name__, name[-4:]), a)
    damage(store, emptied)
    for a in together([(name, store, slow) for name in names * 3], 0.1):
        tap.eq(a.status, 200, "asked by several at a time", a)
    between = [grow(repo), grow(repo)]
    grow(repo)
    repo.git("tag", "v1.1.0", "main")
    damage(store, emptied)
    a = get("/a.vcs.test/m/@v/v1.1.0.info", store, cache_list_ttl_s=0)
    tap.eq(a.status, 200, "a version that came after the damage", a)
    for what, below in (("no graph", ""), ("an emptied graph", "graph"), ("all emptied", "(main|graph)")):
        damage(store, emptied, below)
        for name in between:
            a = get("/a.vcs.test/m/@v/v1.0.1-0.%s.info" % name, store)
            tap.eq(a.status, 200, "a commit between tags, with " + what, a)
        between.reverse()
    copies = [d for d in os.listdir(store + "/vcs") if len(d) == 64]
    tap.eq((len(copies), os.listdir(store + "/tmp")), (1, []), "and nothing is left of the broken ones")


def damage_file(store, repo, name):
    """To the bytes of one file in the pack that has it."""
    blob = repo.git("rev-parse", "main:" + name)
    for pack in [f for f in files_below(store) if re.search(r"/main/objects/pack/[^/]*\.pack$", f)]:
        listed = repo.git("verify-pack", "-v", "%s/%s" % (store, pack))
        for size, offset in re.findall(r"^%s \w+ +\d+ (\d+) (\d+)" % blob, listed, re.M):
            data, at = bytearray(slurp("%s/%s" % (store, pack))), int(offset) + int(size) // 2
            data[at] ^= 0xff
            os.chmod("%s/%s" % (store, pack), 0o644)
            write("%s/%s" % (store, pack), bytes(data))


def raw_commit(repo, entries, tag):
    """What git itself makes of no directory: (mode, name, hash) as they are, one commit, and its tag."""
    data = b"".join(b"%s %s\0" % (mode, name) + bytes.fromhex(hash_) for mode, name, hash_ in entries)
    tree = repo.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=data)
    repo.git("update-ref", "refs/tags/" + tag,
             repo.git("-c", "user.name=T", "-c", "user.email=t@vcs.test", "commit-tree", "-m", tag, tree))


def test_damaged_file():
    """One file alone that can't be read any more."""
    fresh()
    repo = serve("a.vcs.test/m", {"go.mod": "module a.vcs.test/m\n", "x.bin": os.urandom(9999)})
    store = place.new("store")
    get("/a.vcs.test/m/@v/v1.0.0.mod", store)
    damage_file(store, repo, "x.bin")
    a = get("/a.vcs.test/m/@v/v1.0.0.zip", store)
    tap.eq(a.status, 200, "a copy in which one file is damaged", a)
    tap.eq(len([c for c in world.remotes() if "fetch" in c]), 2, "is fetched anew")


def test_odd_repository():
    """What git refuses in a repository is no damage of the copy, which others use: it stays."""
    fresh()
    repo = serve("a.vcs.test/m")
    mod, top = repo.git("rev-parse", "main:go.mod"), repo.git("rev-parse", "main^{tree}")
    odd = (("v1.1.0", b"40000", b".git", top), ("v1.2.0", b"40000", b".GIT", top),
           ("v1.3.0", b"120000", b".gitmodules", mod))
    for tag, mode, name, hash_ in odd:
        raw_commit(repo, [(mode, name, hash_), (b"100644", b"go.mod", mod)], tag)
    repo.git("tag", "v1.4.1", top)
    name = grow(repo)
    grow(repo)
    store = place.new("store")
    a = get("/a.vcs.test/m/@v/%s.info" % name[-12:], store)
    mark = write("%s/vcs/%s/mark" % (store, [d for d in os.listdir(store + "/vcs") if len(d) == 64][0]), "")
    for tag, _, entry, _ in odd:
        a = get("/a.vcs.test/m/@v/%s.zip" % tag, store)
        tap.ok(a.status == 404 and "invalid path '%s" % entry.decode() in a.text, "a zip with %s" % entry.decode(), a)
        a = get("/a.vcs.test/m/@v/%s.mod" % tag, store)
        tap.eq(a.status, 200, "but there is a .mod", a)
    a = get("/a.vcs.test/m/@v/v1.4.2-0.%s.info" % name, store)
    tap.ok(a.status == 404 and "not a descendent" in a.text, "a commit after a tag that stands for a directory", a)
    puzzled = write(place.new("git"), '#!/bin/sh\n[ "$1" != archive ] || { echo "fatal: no idea" >&2; exit 128; }\n'
                    'exec %s "$@"\n' % world.git, 0o755)
    a = get("/a.vcs.test/m/@v/v1.0.0.zip", store, direct_git=puzzled)
    tap.ok(a.status == 502 and "no idea" in a.text, "a complaint that nobody knows: 502 with git's words", a)
    tap.ok(os.path.exists(mark), "the copy stays")


# ---- what was pushed since ----

def age(store):
    """As if branches and tags had been asked for an hour ago."""
    for copy in os.listdir(store + "/vcs"):
        path = "%s/vcs/%s/refs" % (store, copy)
        if os.path.exists(path):
            os.utime(path, (time.time() - 3600,) * 2)


def whole(repo, name):
    return repo.git("rev-parse", name[-12:])


def test_pushed_on():
    """Commits that came after the last look: go finds them."""
    fresh()
    repo = serve("a.vcs.test/m")
    store = place.new("store")
    between = grow(repo)
    grow(repo)
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, between), store)
    tap.eq(a.status, 200, "a commit between tags", a)
    later = [grow(repo), grow(repo)]
    a = get("/a.vcs.test/m/@v/v1.0.1-0.%s.info" % later[0], store)
    tap.eq(a.status, 200, "one that was pushed since", a)


def test_tags_since():
    """What is kept of the refs leads to another answer than a tag that came since."""
    fresh()
    repo = serve("a.vcs.test/m")
    repo.git("branch", "v1.1.0", "main")
    store = place.new("store")
    a = get("/a.vcs.test/m/@v/v1.0.0.info", store)
    tap.eq(a.status, 200, "a version", a)
    grow(repo)
    for ref in ("refs/tags/v1.1.0", "refs/heads/v1.1.0"):
        repo.git("update-ref", ref, "main")
    for kind in ("mod", "info"):
        a = get("/a.vcs.test/m/@v/v1.1.0." + kind, store)
        tap.eq(a.status, 200, "the next one's .%s, which was a branch and no tag" % kind, a)
        age(store)
    repo.git("tag", "-d", "v1.1.0")
    name = grow(repo)
    a = get("/a.vcs.test/m/@v/%s.info" % name[-12:], store)
    tap.eq(a.status, 200, "a commit by its hash", a)
    repo.git("tag", "v1.2.0", "main~1")
    a = get("/a.vcs.test/m/@v/v1.2.1-0.%s.info" % name, store)
    tap.eq(a.status, 200, "the same as a version, by a tag that is new", a)
    before = len(world.remotes())
    a = get("/a.vcs.test/m/@v/v1.3.1-0.%s.mod" % name, store)
    tap.ok(a.status == 404 and "preceding tag not found" in a.text, "by a tag that isn't there", a)
    tap.eq(len(world.remotes()) - before, 1, "is asked for once more, and that is all")


def test_pushed_away():
    """What no branch and no tag leads to any more isn't there, whatever the server still gives out."""
    fresh()
    repo = serve("a.vcs.test/m", tags=())
    store = place.new("store")
    kept, gone, last = grow(repo), grow(repo), grow(repo)
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, kept), store)
    tap.eq(a.status, 200, "a commit before it was pushed away", a)
    repo.git("update-ref", "refs/heads/main", whole(repo, kept))
    grow(repo, "instead")
    age(store)
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, gone), store)
    tap.ok(a.status == 404 and "unknown revision" in a.text, "pushed away: unknown, by its hash", a)
    a = get("/a.vcs.test/m/@v/v0.0.0-%s.zip" % last, store)
    tap.ok(a.status == 404 and "unknown revision" in a.text, "and as a version", a)
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, kept), store)
    tap.eq(a.status, 200, "but the one before it is there", a)
    gone, between = grow(repo, "another"), grow(repo)
    grow(repo)
    a = get("/a.vcs.test/m/@v/v0.0.0-%s.info" % between, store)
    tap.eq(a.status, 200, "so is what came later", a)
    repo.git("update-ref", "refs/heads/main", whole(repo, kept))
    repo.git("gc", "-q", "--prune=now")
    a = get("/a.vcs.test/m/@v/v0.0.0-%s.zip" % gone, store)
    tap.ok(a.status == 404 and "unknown revision" in a.text, "gone from the server, too, but not from what we have", a)


# ---- servers that give out what refs end at, and nothing else ----

def test_old_server():
    """As sshd by default, and web servers that don't hand on a header: git without its protocol 2."""
    fresh()
    repo, backend = serve("a.vcs.test/m"), world.backend

    def old(request):
        if not request.path.startswith("/r/m/"):
            return 404, {}, b""
        del request.headers["Git-Protocol"]
        return backend(request, repo.path, request.path[len("/r/m"):], any_commit="false")
    world.on("a.vcs.test", "*", old)
    between = [grow(repo) for _ in range(3)]
    grow(repo)
    store = place.new("store")
    a = get("/a.vcs.test/m/@v/v1.0.0.zip", store)
    tap.eq(a.status, 200, "an old server: what a tag ends at", a)
    small = dict(direct_repository_mb=1)
    big = repo.commit({"go.mod": "module a.vcs.test/m\n", "big": os.urandom(3 << 20)}, "refs/heads/big")
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, between[0]), place.new("store"), **small)
    tap.ok(a.status == 502 and "repository_mb" in a.text, "more than repository_mb for a commit between refs", a)
    repo.git("update-ref", "-d", "refs/heads/big", big)
    for name in between[:2]:
        a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, name), store)
        tap.eq(a.status, 200, "a commit between refs", a)
        a = get("/a.vcs.test/m/@v/v1.0.1-0.%s.zip" % name, store)
        tap.eq(a.status, 200, "and its zip", a)
    before = len(world.remotes())
    a = get("/a.vcs.test/m/@v/v1.0.1-0.%s.info" % between[2], store)
    tap.eq((a.status, len(world.remotes()) - before), (200, 0), "the next one is here: nobody is asked", a)
    later = [grow(repo), grow(repo)]
    repo.git("tag", "v1.1.0", later[1][-12:])
    for name in ("v1.1.0", "v1.0.1-0." + later[0], "v1.0.1-0." + between[0]):
        a = get("/a.vcs.test/m/@v/%s.zip" % name, store)
        tap.eq(a.status, 200, "what came later: " + name[:9], a)
    repo.git("update-ref", "refs/heads/main", between[0][-12:])
    repo.git("tag", "-d", "v1.1.0")
    age(store)
    a = get("/a.vcs.test/m/@v/%s.info" % whole(repo, between[2]), store)
    tap.ok(a.status == 404 and "unknown revision" in a.text, "what was pushed away is unknown", a)


def test_server_refuses():
    """JGit's words, by which some servers give out a commit only with what leads to it."""
    fresh()
    repo = serve("a.vcs.test/m")
    hash_ = whole(repo, grow(repo))
    grow(repo)
    words = "*' %s:refs/at'*) echo 'fatal: remote error: want %s not valid' >&2; exit 128 ;;" % (hash_, hash_)
    git = write(place.new("git"), '#!/bin/sh\ncase "$*" in %s esac\nexec %s "$@"\n' % (words, world.git), 0o755)
    a = get("/a.vcs.test/m/@v/%s.info" % hash_, direct_git=git)
    tap.eq(a.status, 200, "a commit that a server refuses, and that a branch leads to", a)


# ---- without room, without a user's settings ----

def test_no_room():
    fresh()
    serve("a.vcs.test/m")
    store = place.new("store")
    write(store, "a file, no directory\n")
    a = get("/a.vcs.test/m/@v/v1.0.0.zip", store)
    tap.eq(a.status, 200, "a store that can't be used fails no request", a)
    left = [n for n in os.listdir("/tmp") if n.startswith("goproxy-vcs-")]
    tap.eq(left, [], "and leaves nothing elsewhere")


def run(*args, **more):
    env = program_env(world.settings(**more))
    p = subprocess.run([PROGRAM, *args], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def test_doctor():
    fresh()
    serve("a.vcs.test/m/v2", {"go.mod": "module a.vcs.test/m/v2\n", "m.go": "package m\n"}, ["v2.0.0", "v2.1.0"])
    status, out, err = run("doctor", "a.vcs.test/m/v2")
    tap.ok(status == 0 and "WRONG" not in out, "doctor: all is well", out + err)
    for word in ("git version", "https://a.vcs.test/r/m/v2", "v2.1.0", "the root", "bytes"):
        tap.ok(word in out, "doctor tells '%s'" % word, out)
    status, out, err = run("doctor", "a.vcs.test/nothing")
    tap.ok(status == 1 and "WRONG finding the repository" in out and "go-import" in out, "doctor: no page", out + err)
    world.page("a.vcs.test", "/gone", "a.vcs.test/gone git https://a.vcs.test/r/gone")
    status, out, err = run("doctor", "a.vcs.test/gone")
    tap.ok(status == 1 and "WRONG reaching it" in out and "404" in out, "doctor: no repository", out + err)
    world.page("a.vcs.test", "/inner", "a.vcs.test/inner git https://inner.vcs.test/r")
    write(world.dir + "/hosts", "inner.vcs.test 10.0.0.1\n")
    status, out, err = run("doctor", "a.vcs.test/inner")
    tap.ok(status == 1 and "[direct] private_hosts" in out, "doctor: a private address", out + err)
    world.repo("a.vcs.test", "/r/empty", Repo())
    world.page("a.vcs.test", "/empty", "a.vcs.test/empty git https://a.vcs.test/r/empty")
    status, out, err = run("doctor", "a.vcs.test/empty")
    tap.ok(status == 1 and "no commits" in out, "doctor: an empty repository", out + err)
    serve("a.vcs.test/other", {"go.mod": "module b.vcs.test/other\n", "m.go": "package m\n"})
    status, out, err = run("doctor", "a.vcs.test/other")
    tap.ok("says module b.vcs.test/other" in out and "replace" in out, "doctor: go.mod of another name", out + err)
    serve("a.vcs.test/untagged", tags=())
    status, out, err = run("doctor", "a.vcs.test/untagged")
    tap.ok(status == 0 and "0 versions; @latest is v0.0.0-2020" in out, "doctor: no versions but the latest", out + err)
    status, out, err = run("doctor", "a.vcs.test/m/v2", store="/proc/none/store")
    tap.ok(status == 1 and "'/proc/none/store' can't be written: No such file or directory" in out, "doctor: no store",
           out + err)
    status, out, err = run("doctor", "no module")
    tap.ok(status == 1 and "WRONG its path" in out, "doctor: no module path", out + err)
    status, out, err = run("doctor", "p.vcs.test/x", private_modules="p.vcs.test")
    tap.ok(status == 1 and "lets nobody have it" in out, "doctor: private, and for nobody", out + err)


def test_doctor_uploaded():
    fresh()
    serve("a.vcs.test/up")
    tree = place.dir("up")
    write(tree + "/go.mod", "module a.vcs.test/up\n")
    more = dict(store=place.new("store"), private_modules="a.vcs.test", private_read="a.vcs.test = sam")
    for n in range(12):
        run("publish", tree, "--as", "a.vcs.test/up@v1.%d.0" % n, **more)
        if n == 1:
            status, out, err = run("doctor", "a.vcs.test/up", **more)
            tap.ok(status == 0 and "WRONG" not in out and "2 versions: v1.0.0 v1.1.0; nobody else" in out,
                   "doctor: what was uploaded", out + err)
    status, out, err = run("doctor", "a.vcs.test/up", **more)
    tap.ok(status == 0 and "12 versions, the newest: v1.2.0 v1.3.0" in out and "v1.10.0 v1.11.0;" in out,
           "doctor: or a lot of it", out + err)
    versions = "%s/private/download/a.vcs.test/up/@v/" % more["store"]
    write(versions + "uploaded", "x" * 5000)
    status, out, err = run("doctor", "a.vcs.test/up", **more)
    tap.ok(status == 1 and "WRONG uploaded here" in out, "doctor: or perhaps, which can't be told", out + err)
    tap.eq(world.asked(), [], "and nobody is asked")
    write(tree + "/go.mod", "module a.vcs.test/pseudo\n")
    run("publish", tree, "--as", "a.vcs.test/pseudo@v0.0.0-20240102030405-0123456789ab", **more)
    status, out, err = run("doctor", "a.vcs.test/pseudo", **more)
    tap.ok(status == 0 and "v0.0.0-20240102030405-0123456789ab; nobody else" in out, "doctor: pseudo-versions alone",
           out + err)


def test_doctor_readers():
    fresh()
    serve("a.vcs.test/m")
    rules = dict(private_modules="a.vcs.test", private_read="a.vcs.test = @sec alice")
    for what, text, status, words in (
            ("a group", "sec: bob carol\nsec: bob\n", 0, "@sec (2) alice"),
            ("an empty group", "sec:\n", 1, "@sec (nobody) alice"),
            ("another group", "other: bob\n", 1, "@sec (nobody) alice"),
            ("a broken file", "nonsense\n", 1, "WRONG groups_file"),
            ("no file", None, 1, "@sec (nobody: [private] groups_file isn't set) alice")):
        more = dict(rules, private_groups_file=write(place.new("groups"), text, 0o600)) if text else rules
        got, out, err = run("doctor", "a.vcs.test/m", **more)
        tap.ok(got == status and words in out, "doctor: %s" % what, out + err)
    broken = write(place.new("tokens"), "tom\n", 0o600)
    got, out, err = run("doctor", "a.vcs.test/m", private_modules="a.vcs.test", private_read="a.vcs.test = tom",
                        private_tokens_file=broken)
    tap.ok(got == 1 and re.search("^WRONG tokens_file +'%s': line 1 isn't" % broken, out, re.M),
           "doctor: a broken tokens_file", out + err)


def test_doctor_proof():
    fresh()
    serve("b.vcs.test/m")
    up = fixture.mount()
    newest = fixture.ref("/%s/@v/list" % PROVEN).decode().split()[-1]
    h1 = hash_zip(fixture.ref("/%s/@v/%s.zip" % (PROVEN, newest)))
    status, out, err = run("doctor", PROVEN, chain=up.url, sumdb_gosumdb=test_sumdb())
    tap.ok(status == 0 and "ok    checksum database" in out and h1 in out and newest in out,
           "doctor: the newest version's record", out + err)
    up.set(path="/sumdb/.*", status=500)
    status, out, err = run("doctor", PROVEN, chain=up.url, sumdb_gosumdb=up.sumdb())
    tap.ok(status == 1 and "WRONG checksum database" in out and "500" in out, "doctor: the database is down", out + err)
    status, out, err = run("doctor", PROVEN, chain=up.url, sumdb_gosumdb=up.sumdb(), sumdb_unreachable="pin")
    tap.ok(status == 0 and "500" in out and "pinned" in out, "doctor: and that is allowed for", out + err)
    status, out, err = run("doctor", "b.vcs.test/m", sumdb_gosumdb=test_sumdb())
    tap.ok(status == 1 and "WRONG checksum database" in out and "doesn't know v1.0.0" in out, "doctor: it doesn't know it",
           out + err)
    status, out, err = run("doctor", "b.vcs.test/m", sumdb_gosumdb=test_sumdb(), sumdb_policy="b.vcs.test=allow")
    tap.ok(status == 0 and "doesn't know v1.0.0" in out and "allows that" in out, "doctor: and needn't", out + err)
    up, before = fixture.mount(), len(world.asked())
    status, out, err = run("doctor", "b.vcs.test/m", chain=up.url + ",direct", sumdb_policy="b.vcs.test=deny")
    tap.ok(status == 1 and "denies it" in out, "doctor: what is denied", out + err)
    tap.eq((up.count(), len(world.asked())), (0, before), "and nobody is asked")
    status, out, err = run("doctor", "b.vcs.test/m", chain="off")
    tap.ok(status == 1 and re.search("^WRONG the chain +404: .*'off'", out, re.M), "doctor: off", out + err)


# ---- one version, one commit ----

def names_in(body):
    return sorted(n.split("@")[1].partition("/")[2] for n in zipfile.ZipFile(io.BytesIO(body)).namelist())


def hash_of(answer):
    return json.loads(answer.text)["Origin"]["Hash"] if answer.status == 200 else answer.status


def forget_copies(store):
    """As the sweep does."""
    for name in os.listdir(store + "/vcs"):
        if len(name) == 64:
            shutil.rmtree(store + "/vcs/" + name)


def forget_commits(repo):
    """Those that nothing leads to."""
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "--prune=now", "-q")


def test_moved_tag():
    """All files of a version are of the commit that the first one was of, wherever its tag is by then."""
    name, now = "/a.vcs.test/m/@v/v1.0.0", dict(cache_list_ttl_s=0)
    first = {"go.mod": "module a.vcs.test/m\n", "first.go": "package m\n"}
    second = {"go.mod": "module a.vcs.test/m\n\ngo 1.20\n", "second.go": "package m\n"}
    for begin in (".mod", ".zip", ".info"):
        for private in ("", "a.vcs.test"):
            fresh()
            repo = serve("a.vcs.test/m", first)
            store, what = place.new("store"), "%s first, then the tag moves%s" % (begin, ", private" * bool(private))
            more = dict(now, private_modules=private, private_read="* = anonymous")
            one = repo.git("rev-parse", "main")
            a = get(name + begin, store, **more)
            tap.eq(a.status, 200, what, a)
            repo.commit(second, tags=["v1.0.0"])
            get("/a.vcs.test/m/@v/list", store, **more)
            forget_copies(store)
            a = get(name + ".info", store, **more)
            tap.eq(hash_of(a), one, what + ": the .info is of the first commit", a)
            a = get(name + ".mod", store, **more)
            tap.eq((a.status, a.text), (200, first["go.mod"]), what + ": so is the .mod", a)
            a = get(name + ".zip", store, **more)
            tap.eq(names_in(a.body) if a.status == 200 else a, ["first.go", "go.mod"], what + ": so is the .zip")


def test_files_without_info():
    """go build asks for the .mod and .zip of a go.sum alone, also of what is no version by its go.mod."""
    fresh()
    serve("a.vcs.test/m", {"go.mod": "module a.vcs.test/m\n", "a.go": "package m\n"}, tags=("v1.0.0", "v2.0.0"))
    base, store = "/a.vcs.test/m/@v/v2.0.0+incompatible", place.new("store")
    for _ in range(2):
        for kind, status in ((".info", 404), (".mod", 200), (".zip", 200)):
            a = get(base + kind, store)
            tap.eq(a.status, status, "v2.0.0+incompatible of a module with go.mod: %s: %d" % (kind, status), a)
    tap.ok(not os.path.exists(store + "/download" + base + ".info"), "no .info is made up for it")


# Its second rev-list comes when the commit is there, and waits.
HELD_GIT = """#!/bin/sh
if [ "$1" = rev-list ]; then
	if [ -e %(dir)s/first ]; then
		touch %(dir)s/second
		while ! [ -e %(dir)s/go ]; do sleep 0.02; done
	fi
	touch %(dir)s/first
fi
exec %(git)s "$@"
"""


def test_moved_meanwhile():
    """Two processes at a version, and its tag moves between them: the first to keep the .info decides for both."""
    fresh()
    repo = serve("a.vcs.test/m", {"go.mod": "module a.vcs.test/m\n", "first.go": "package m\n"})
    store, dir_, ask, answers = place.new("store"), place.dir("held"), world.get, []
    held = dict(direct_git=write(dir_ + "/git", HELD_GIT % {"dir": dir_, "git": world.git}, 0o755))
    thread = threading.Thread(target=lambda: answers.append(ask("/a.vcs.test/m/@v/v1.0.0.zip", store, **held)))
    thread.start()
    limit = time.monotonic() + 15
    while not os.path.exists(dir_ + "/second") and time.monotonic() < limit:
        time.sleep(0.01)
    two = repo.commit({"go.mod": "module a.vcs.test/m\n", "second.go": "package m\n"}, tags=["v1.0.0"])
    a = get("/a.vcs.test/m/@v/v1.0.0.info", store, cache_list_ttl_s=0)
    tap.eq(hash_of(a), two, "the other one looks up the second commit", a)
    write(dir_ + "/go", "")
    thread.join()
    a = answers[0]
    tap.eq(names_in(a.body) if a.status == 200 else a, ["go.mod", "second.go"], "so the one that saw the first takes that")


def test_lost_commit():
    """What was given out isn't mixed with another commit when its own is gone."""
    fresh()
    repo = serve("a.vcs.test/m")
    store = place.new("store")
    one = hash_of(get("/a.vcs.test/m/@v/v1.0.0.info", store))
    repo.commit({"go.mod": "module a.vcs.test/m\n", "second.go": "package m\n"}, tags=["v1.0.0"])
    forget_commits(repo)
    forget_copies(store)
    for kind in ("mod", "zip"):
        a = get("/a.vcs.test/m/@v/v1.0.0." + kind, store, cache_list_ttl_s=0)
        tap.ok(a.status == 404 and one in a.text, "a commit that is gone: no .%s, and the text names it" % kind, a)
    a = get("/a.vcs.test/m/@v/v1.0.0.info", store)
    tap.eq(hash_of(a), one, "its .info stands", a)
    refs = [os.path.join(d, f) for d, _, files in os.walk(store + "/vcs") for f in files if "/main/refs/" in d + "/"]
    tap.ok(not [r for r in refs if "/refs/all" in r], "and its repository isn't fetched whole", refs)


def test_wrong_commit_recovers():
    """Where the database decides, a tag that was wrong for a while spoils nothing for good."""
    source = zipfile.ZipFile(io.BytesIO(fixture.ref("/%s/@v/%s.zip" % (PROVEN, VERSION))))
    prefix = "%s@%s/" % (PROVEN, VERSION)
    files = {n[len(prefix):]: source.read(n) for n in source.namelist()}
    name = "/%s/@v/%s" % (PROVEN, VERSION)
    for is_gone in (False, True):
        fresh()
        world.page("example.com", "/small7", "example.com/small7 git https://e.vcs.test/r")
        write(world.dir + "/hosts", "example.com 203.0.113.7\n")
        more = dict(sumdb_gosumdb=test_sumdb(), cache_list_ttl_s=0)
        repo = world.repo("e.vcs.test", "/r", repository(dict(files, **{"evil.go": b"package small7\n"})))
        store = place.new("store")
        wrong = repo.git("rev-parse", "main")
        a = get(name + ".info", store, **more)
        tap.eq(hash_of(a), wrong, "a tag that is wrong", a)
        if not is_gone:
            for _ in range(2):
                a = get(name + ".zip", store, **more)
                tap.ok(a.status == 502 and "checksum mismatch" in a.text, "its zip is refused", a)
        right = repo.commit(files, tags=[VERSION])
        if is_gone:
            forget_commits(repo)
            forget_copies(store)
        a = get(name + ".zip", store, **more)
        tap.eq(a.status, 200, "it is right again%s: its zip is taken" % (", and the wrong commit gone" * is_gone), a)
        a = get(name + ".info", store, **more)
        tap.eq(hash_of(a), right, "and its .info is of that commit", a)


# ---- what a path stands for ----

def test_urls():
    fresh()
    repo = serve("a.vcs.test/m")
    world.page("a.vcs.test", "/slash", "a.vcs.test/slash git https://a.vcs.test/r/m/")
    repo.commit({"go.mod": "module a.vcs.test/slash\n"}, tags=["v1.0.1"])
    a = get("/a.vcs.test/slash/@v/v1.0.1.info")
    tap.eq((a.status, a.status == 200 and json.loads(a.text)["Origin"]["URL"]), (200, "https://a.vcs.test/r/m/"),
           "a URL with a slash at its end", a)
    refs = "".join("%s\t%s\n" % (repo.git("rev-parse", name), name) for name in ("refs/heads/main", "refs/tags/v1.0.0"))
    world.page("a.vcs.test", "/dumb", "a.vcs.test/dumb git https://a.vcs.test/dumb/r")
    for what, text, word in (("a static copy", refs, "dumb http"), ("an empty page", "", "no git repository"),
                             ("a page with a tab", "<html>\trefs/heads/x\n" * 10, "no git repository")):
        world.on("a.vcs.test", "/dumb/r/info/refs", (200, {"Content-Type": "text/plain"}, text.encode()))
        a = get("/a.vcs.test/dumb/@v/list")
        tap.ok(a.status == 404 and word in a.text and "https://a.vcs.test/dumb/r" in a.text, what + ": a 404 that says so", a)


def test_explicit_roots():
    """The last element that names a system is the root's end, as in the regular expression of cmd/go's vcs.go."""
    fresh()
    world.repo("a.vcs.test", "/a.git/x", repository({"go.mod": "module a.vcs.test/a.git/x.git\n"}))
    a = get("/a.vcs.test/a.git/x.git/@v/v1.0.0.info")
    tap.eq((a.status, a.status == 200 and json.loads(a.text)["Origin"]["URL"]), (200, "https://a.vcs.test/a.git/x"),
           "a.git/x.git", a)
    a = get("/a.vcs.test/a.git/b/c.hg/d/@v/list")
    tap.ok(a.status == 404 and "hg" in a.text, "a.git/b/c.hg/d", a)
    world.repo("a.vcs.test", "/b", repository({"c.gitx/go.mod": "module a.vcs.test/b.git/c.gitx\n"}, ["c.gitx/v1.0.0"]))
    a = get("/a.vcs.test/b.git/c.gitx/@v/list")
    tap.eq((a.status, a.text), (200, "v1.0.0\n"), "b.git/c.gitx", a)


def test_disallowed():
    """What may not be asked isn't, and the text names the setting, if that is why."""
    fresh()
    serve("a.vcs.test/m")
    world.repo("a.vcs.test", "/b", repository({"go.mod": "module a.vcs.test/b.git\n"}))
    for module, rules in (("m", "*:off"), ("b.git", "*:off"), ("m", "public:off"), ("m", "x.test:git,a.vcs.test/*:off,a.vcs.test:off"),
                          ("b.git", "a.vcs.test/b.git:hg"), ("b.git", "public:hg|svn")):
        world.reset()
        a = get("/a.vcs.test/%s/@v/list" % module, direct_vcs=rules)
        tap.ok(a.status == 404 and "[direct] vcs" in a.text and "a.vcs.test/" + module in a.text,
               "%s with vcs = %s: a 404 that says why" % (module, rules), a)
        tap.eq((world.asked(), world.net("lookup"), world.net("connect")), ([], [], []), "and nobody is asked")
    for module, rules in (("m", "a.vcs.test/m/sub:off,a.vcs.test:git"), ("m", "a.vcs.test/m:git,public:off"), ("b.git", "")):
        a = get("/a.vcs.test/%s/@v/list" % module, **({"direct_vcs": rules} if rules else {}))
        tap.eq(a.status, 200, "%s with vcs = %s: allowed" % (module, rules), a)
    world.page("a.vcs.test", "/deep", "a.vcs.test/deep git https://a.vcs.test/r/deep")
    world.page("a.vcs.test", "/deep/sub", "a.vcs.test/deep git https://a.vcs.test/r/deep")
    world.repo("a.vcs.test", "/r/deep", repository({"sub/go.mod": "module a.vcs.test/deep/sub\n"}, ["sub/v1.0.0"]))
    a = get("/a.vcs.test/deep/sub/@v/list", direct_vcs="a.vcs.test/deep/sub:off")
    tap.eq(a.status, 200, "the root counts, not what is below it", a)
    for module in ("x.svn/y", "x.bzr", "x.fossil", "x.hg/z"):
        a = get("/a.vcs.test/%s/@v/list" % module)
        system = module.split(".")[1].split("/")[0]
        tap.ok(a.status == 404 and "[direct]" not in a.text and " %s," % system in a.text and
               "a.vcs.test/" + module in a.text, "%s: a system that isn't spoken here, whatever is allowed" % module, a)


def test_directories():
    """The fourth field of a go-import tag, as path.Clean has it."""
    fresh()
    world.repo("a.vcs.test", "/r/d", repository({"a/b/go.mod": "module a.vcs.test/d\n"}, ["a/b/v1.0.0"]))
    for directory, good in (("a/b", True), ("./a/b", True), ("a/../a/b/", True), ("a//./b/.", True),
                            ("x/../../a/b", False), ("../a/b", False), ("/a/b", False), (".", False),
                            ("a/..", False), ("-a/../a/b", False)):
        world.page("a.vcs.test", "/d", "a.vcs.test/d git https://a.vcs.test/r/d " + directory)
        a = get("/a.vcs.test/d/@v/list")
        tap.eq((a.status, a.text if good else ""), (200, "v1.0.0\n") if good else (404, ""), "directory " + directory, a)
        if good:
            a = get("/a.vcs.test/d/@v/v1.0.0.info")
            tap.eq(a.status == 200 and json.loads(a.text)["Origin"]["Subdir"], "a/b", "and its Origin", a)


tap.run(globals(), int(os.environ.get("JOBS", "2")))
