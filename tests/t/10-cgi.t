#!/usr/bin/env python3
"""Every rule of the protocol, through plain CGI: one process a request, no web server."""
import sys
sys.dont_write_bytecode = True
import concurrent.futures
import email.utils
import json
import os
import re
import shutil
import socket
import subprocess
import time
from harness import (Fixture, cgi, closed_port, files_below, hash_zip, place, program_env, request_env,
                     settings, slurp,
                     store_faults, tap, temp_files, PROGRAM, ROOT, SLOW)

fixture = Fixture()
IMMUTABLE = r"max-age=31536000.*immutable|immutable.*max-age=31536000"


def fresh(**more):
    """A new upstream and a new store: (up, store, ask)."""
    up, store = fixture.mount(), place.new("store")
    env = settings(up, store, sumdb_databases=", ".join(
        up.sumdb(name) for name in ("sum.fixture.test", "localhost.localdev/sumdb")))
    env.update({"GOPROXY_" + k.upper(): v for k, v in more.items()})

    def ask(path, method="GET", headers=None, more=None, **options):
        return cgi({**env, **{"GOPROXY_" + k.upper(): v for k, v in (more or {}).items()}},
                   path, method, headers, **options)
    return up, store, ask


def in_parallel(function, cases):
    with concurrent.futures.ThreadPoolExecutor(3) as executor:
        return list(executor.map(function, cases))


# (what, path, Content-Type); the bytes have to be the fixture's.
IMMUTABLE_OBJECTS = [
    ("info", "/example.com/hello/@v/v1.0.0.info", "application/json"),
    ("mod", "/example.com/hello/@v/v1.0.0.mod", "text/plain; charset=UTF-8"),
    ("zip", "/example.com/hello/@v/v1.0.0.zip", "application/zip"),
    ("pre-release", "/example.com/hello/@v/v1.2.0-pre.info", "application/json"),
    ("pseudo-version", "/example.com/hello/@v/v0.0.0-20200102030405-abcdefabcdef.mod",
     "text/plain; charset=UTF-8"),
    ("upper case path", "/example.com/!upper/@v/v1.0.0.zip", "application/zip"),
    ("upper case version", "/example.com/!upper/@v/v1.0.1-!r!c1.mod", "text/plain; charset=UTF-8"),
    ("major version in the path", "/example.com/multi/v2/@v/v2.1.0.zip", "application/zip"),
    ("gopkg.in", "/gopkg.in/yaml-like.v2/@v/v2.4.0.zip", "application/zip"),
    ("+incompatible", "/example.com/incompat/@v/v2.0.0+incompatible.zip", "application/zip"),
    ("toolchain", "/golang.org/toolchain/@v/v0.0.1-go1.99.0.linux-amd64.zip", "application/zip"),
    ("stored entries", "/example.com/big/@v/v1.1.0.zip", "application/zip"),
    ("sizes behind the data", "/example.com/bigdeflate/@v/v1.1.0.zip", "application/zip"),
]


def test_immutable_objects():
    up, store, ask = fresh()

    def one(case):
        what, path, kind = case
        right = fixture.ref(path)
        for turn in ("miss", "hit"):
            a = ask(path)
            name = "%s (%s): " % (what, turn)
            tap.eq(a.status, 200, name + "200", a)
            tap.ok(a.body == right, name + "bytes unchanged",
                   "%d bytes, %d expected" % (a.length, len(right)))
            tap.eq(a.header("Content-Type").lower().replace(" ", ""), kind.lower().replace(" ", ""),
                   name + "type")
            tap.like(a.header("Cache-Control"), IMMUTABLE, name + "immutable")
            tap.eq(a.header("Content-Length"), str(len(right)), name + "length")
            tap.like(a.header("ETag"), r'^"[^"]+"$', name + "ETag")
            tap.like(a.header("Last-Modified"), r" GMT$", name + "Last-Modified")
            tap.ok(a.ended and not a.error, name + "exit status 0", a.error)
    in_parallel(one, IMMUTABLE_OBJECTS)
    tap.eq(sorted(up.paths()), sorted("GET " + p for _, p, _ in IMMUTABLE_OBJECTS),
           "each object is asked for once, and nothing else is")
    tap.eq(store_faults(store, fixture), [], "the store holds the fixture's bytes, mode 644")
    tap.eq(temp_files(store), [], "nothing is left in tmp")
    zips = [p for _, p, _ in IMMUTABLE_OBJECTS if p.endswith(".zip")]
    for path in zips:
        file = store + "/download" + path
        tap.eq(slurp(file + "hash").decode(), hash_zip(slurp(file)), "ziphash of " + path)
    modes = {oct(os.stat(os.path.join(folder, d)).st_mode & 0o777)
             for folder, dirs, _ in os.walk(store + "/download") for d in dirs}
    tap.eq(modes, {"0o755"}, "directories of the store have mode 755")


def test_single_flight_of_processes():
    up, store, ask = fresh()
    up.set(".*", delay_ms=500)
    path = "/example.com/big/@v/v1.1.0.zip"
    right = fixture.ref(path)
    with concurrent.futures.ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(ask, [path] * 6))
    tap.eq([(a.status, a.body == right) for a in answers], [(200, True)] * 6,
           "six processes, one cold zip: all answered")
    tap.eq(up.count(), 1, "six processes, one cold zip: one fetch", up.log())


def test_one_without_the_others():
    up, store, ask = fresh()
    for name in ("info", "mod"):
        path = "/example.com/nozip/@v/v1.0.0." + name
        a = ask(path)
        tap.eq((a.status, a.body), (200, fixture.ref(path)),
               "a module without zip has its ." + name, a)
    tap.eq(up.paths(), ["GET /example.com/nozip/@v/v1.0.0.info",
                        "GET /example.com/nozip/@v/v1.0.0.mod"],
           "the zip isn't asked for")
    a = ask("/example.com/nozip/@v/v1.0.0.zip")
    tap.eq(a.status, 404, "its zip is 404", a)


def test_spellings():
    up, store, ask = fresh()
    right = fixture.ref("/example.com/!upper/@v/v1.0.0.info")
    for spelling in ("/example.com/!upper/@v/v1.0.0.info", "/example.com/%21upper/@v/v1.0.0.info",
                     "/example.com/%21upper/%40v/v1.0.0.info",
                     "/example.com/!upper/@v/v1.0.0.info?x=y",
                     "/ex%61mple.com/!upper/@v/v1.0.0.info"):
        a = ask(spelling)
        tap.eq((a.status, a.body), (200, right), "spelling " + spelling, a)
    tap.eq(up.count(), 1, "all spellings are one resource", up.paths())
    right = fixture.ref("/example.com/incompat/@v/v2.0.0+incompatible.mod")
    for spelling in ("v2.0.0+incompatible.mod", "v2.0.0%2Bincompatible.mod",
                     "v2.0.0%2bincompatible.mod"):
        a = ask("/example.com/incompat/@v/" + spelling)
        tap.eq((a.status, a.body), (200, right), "spelling " + spelling, a)
    tap.eq(up.count("/example.com/incompat/.*"), 1, "'+' and '%2B' are one resource")
    tap.eq([p for p in up.paths() if re.search(r"%21|!", p)][:1] != [], True,
           "the upstream gets an escaped path")


LISTS = [
    ("junk and pseudo-versions go, order comes", "example.com/hello",
     "v1.0.0\nv1.1.0\nv1.2.0-pre\n"),
    ("semver order", "example.com/order",
     "v0.9.0\nv1.2.0-1\nv1.2.0-alpha\nv1.2.0-rc.1\nv1.2.0-rc.2\nv1.2.0-rc.10\n"
     "v1.2.0\nv1.9.0\nv1.10.0\nv2.0.0+incompatible\n"),
    ("no versions", "example.com/empty", ""),
    ("5,000 versions", "example.com/many", "".join("v1.%d.0\n" % i for i in range(5000))),
    ("upper case", "example.com/!upper", "v1.0.0\nv1.0.1-RC1\n"),
]


def test_lists():
    up, store, ask = fresh()
    for what, module, expected in LISTS:
        for turn in ("miss", "hit"):
            a = ask("/%s/@v/list" % module)
            tap.eq((a.status, a.text), (200, expected), "list, %s (%s)" % (what, turn), a)
        tap.like(a.header("Content-Type"), r"^text/plain", "list, %s: type" % what)
        age = re.search(r"max-age=(\d+)", a.header("Cache-Control"))
        tap.ok(age and int(age.group(1)) <= 60 and "immutable" not in a.header("Cache-Control"),
               "list, %s: max-age is what is left" % what, a)
    tap.eq(up.count(), len(LISTS), "a list is asked for once within its time to live", up.paths())


QUERIES = [
    ("/example.com/hello/@latest", "v1.1.0"),
    ("/example.com/hello/@v/master.info", "v1.1.1-0.20240229233000-0123456789ab"),
    ("/example.com/hello/@v/0123456789ab.info", "v1.1.1-0.20240229233000-0123456789ab"),
    ("/example.com/hello/@v/v1.info", "v1.1.0"),
    ("/example.com/hello/@v/v1.0.info", "v1.0.0"),
]


def test_queries():
    up, store, ask = fresh()
    for path, version in QUERIES:
        right = fixture.ref(path)
        for turn in ("miss", "hit"):
            a = ask(path)
            tap.eq((a.status, a.body), (200, right), "%s (%s)" % (path, turn), a)
        tap.eq(json.loads(a.text or "{}").get("Version"), version, path + ": version")
        tap.eq(a.header("Content-Type"), "application/json", path + ": type")
        tap.ok("immutable" not in a.header("Cache-Control"), path + ": not immutable", a)
    tap.eq(up.count(), len(QUERIES), "a query is asked for once within its time to live",
           up.paths())
    a = ask("/example.com/nolatest/@latest")
    tap.eq((a.status, a.text), (404, "not found: no latest version of example.com/nolatest\n"),
           "@latest may be 404, its text unchanged", a)
    tap.eq([f for f in files_below(store + "/download")
            if not f.endswith((".info", ".lock", "/list"))], [],
           "no query's answer lies in download/")
    tap.eq([f for f in files_below(store + "/download")
            if re.search(r"/(master|0123456789ab|v1|v1\.0)\.info$", f)],
           [], "no query is kept as a version")


def test_sumdb():
    up, store, ask = fresh(sumdb_gosumdb="off")
    tiles = ["tile/8/0/000", "tile/8/0/200", "tile/8/1/000", "tile/8/1/001.p/1",
             "tile/8/2/000.p/1", "tile/8/data/003", "latest",
             "lookup/example.com/hello@v1.0.0", "lookup/example.com/!upper@v1.0.0",
             "lookup/example.com/incompat@v2.0.0+incompatible", "supported"]
    for name in ("sum.fixture.test", "localhost.localdev/sumdb"):
        for tile in tiles:
            path = "/sumdb/%s/%s" % (name, tile)
            for turn in ("miss", "hit"):
                a = ask(path)
                right = fixture.with_head_of(a.body, fixture.ref(path))
                tap.eq((a.status, a.body), (200, right), "%s (%s)" % (path, turn), a)
    for tile in ("tile/8/0/000", "tile/8/0/200", "tile/8/data/003",
                 "lookup/example.com/hello@v1.0.0"):
        tap.eq(up.count("/sumdb/sum.fixture.test/" + tile.replace("+", ".")), 1,
               tile + " is fetched once")
    a = ask("/sumdb/sum.fixture.test/tile/8/0/000")
    tap.like(a.header("Cache-Control"), IMMUTABLE, "a full tile is immutable")
    a = ask("/sumdb/sum.fixture.test/latest")
    tap.ok("immutable" not in a.header("Cache-Control"), "the tree head isn't immutable", a)
    a = ask("/sumdb/sum.fixture.test/lookup/example.com/none@v1.0.0")
    tap.eq(a.status, 404, "lookup of what isn't there: 404", a)
    before = up.count()
    a = ask("/sumdb/other.example/supported")
    tap.ok(a.status in (404, 410), "an unknown database: go is told to ask it directly", a)
    tap.eq(up.count(), before, "an unknown database: nobody is asked")
    up.set("/sumdb/.*", status=500, text="broken")
    a = ask("/sumdb/sum.fixture.test/lookup/example.com/dep@v1.0.0")
    tap.eq(a.status, 503, "a database that fails is 503, never 404", a)


def test_cached_only():
    up, store, ask = fresh()
    path = "/example.com/hello/@v/v1.0.0.mod"
    header = {"Disable-Module-Fetch": "true"}
    for what, p, h in (("header", path, header), ("prefix", "/cached-only" + path, None),
                       ("header, list", "/example.com/hello/@v/list", header),
                       ("prefix, latest", "/cached-only/example.com/hello/@latest", None)):
        a = ask(p, headers=h)
        tap.eq(a.status, 404, "cached only (%s): 404 if it isn't here" % what, a)
        tap.ok(a.text.strip(), "cached only (%s): with a text" % what)
    tap.eq(up.count(), 0, "cached only: nobody is asked")
    ask(path)
    ask("/example.com/hello/@v/list")
    for what, p, h in (("header", path, header), ("prefix", "/cached-only" + path, None),
                       ("prefix, list", "/cached-only/example.com/hello/@v/list", None)):
        a = ask(p, headers=h)
        tap.eq(a.status, 200, "cached only (%s): 200 if it is" % what, a)
    a = ask("/cached-only" + path, more={"upstream_chain": "off"})
    tap.eq(a.body, fixture.ref(path), "cached only: right bytes")


def test_head():
    up, store, ask = fresh()
    for path in ("/example.com/hello/@v/v1.0.0.zip", "/example.com/hello/@v/v1.0.0.info",
                 "/example.com/hello/@v/list"):
        cold = ask(path, "HEAD")
        tap.eq((cold.status, cold.length), (200, 0), "HEAD %s (miss): no body" % path, cold)
        get, warm = ask(path), ask(path, "HEAD")
        tap.eq((warm.status, warm.length), (200, 0), "HEAD %s (hit): no body" % path, warm)
        drop = ("age", "cache-control", "cache-status", "date")
        tap.eq({k: v for k, v in warm.headers.items() if k not in drop},
               {k: v for k, v in get.headers.items() if k not in drop},
               "HEAD %s: GET's header" % path)
    a = ask("/example.com/none/@v/v1.0.0.info", "HEAD")
    tap.eq((a.status, a.length), (404, 0), "HEAD of what isn't there", a)


def test_conditions():
    up, store, ask = fresh()
    for path in ("/example.com/hello/@v/v1.0.0.zip", "/example.com/hello/@v/v1.0.0.info"):
        cold = ask(path)
        a = ask(path)
        tag, date = a.header("ETag"), a.header("Last-Modified")
        tap.eq((cold.header("ETag"), cold.header("Last-Modified")), (tag, date),
               "miss and hit agree on ETag and date")
        old = "Sat, 01 Jan 2000 00:00:00 GMT"
        cases = [
            ("its ETag", {"If-None-Match": tag}, 304),
            ("its ETag, weak", {"If-None-Match": "W/" + tag}, 304),
            ("a list with its ETag", {"If-None-Match": '"a", %s, "b"' % tag}, 304),
            ("*", {"If-None-Match": "*"}, 304),
            ("another ETag", {"If-None-Match": '"other"'}, 200),
            ("its date", {"If-Modified-Since": date}, 304),
            ("an old date", {"If-Modified-Since": old}, 200),
            ("no date", {"If-Modified-Since": "yesterday"}, 200),
            ("another ETag and its date", {"If-None-Match": '"other"', "If-Modified-Since": date},
             200),
            ("its ETag and an old date", {"If-None-Match": tag, "If-Modified-Since": old}, 304),
        ]
        for what, headers, status in cases:
            a = ask(path, headers=headers)
            tap.eq((a.status, a.length == 0), (status, status == 304), "condition: %s" % what, a)
            if status == 304:
                tap.eq(a.header("ETag"), tag, "condition: %s: 304 carries the ETag" % what)


def test_ranges():
    up, store, ask = fresh()
    path = "/example.com/hello/@v/v1.0.0.zip"
    full = fixture.ref(path)
    size = len(full)
    tag = ask(path).header("ETag")
    cases = [
        ("first bytes", {"Range": "bytes=0-9"}, 206, (0, 10)),
        ("one byte", {"Range": "bytes=7-7"}, 206, (7, 8)),
        ("from the middle", {"Range": "bytes=500-"}, 206, (500, size)),
        ("end beyond the end", {"Range": "bytes=500-99999"}, 206, (500, size)),
        ("suffix", {"Range": "bytes=-5"}, 206, (size - 5, size)),
        ("suffix longer than all", {"Range": "bytes=-99999"}, 206, (0, size)),
        ("begins beyond the end", {"Range": "bytes=%d-" % size}, 416, None),
        ("empty suffix", {"Range": "bytes=-0"}, 416, None),
        ("backwards", {"Range": "bytes=9-0"}, 200, None),
        ("senseless", {"Range": "bytes=a-b"}, 200, None),
        ("other unit", {"Range": "items=0-1"}, 200, None),
        ("huge numbers", {"Range": "bytes=0-99999999999999999999999999"}, None, None),
        ("If-Range with its ETag", {"Range": "bytes=0-9", "If-Range": tag}, 206, (0, 10)),
        ("If-Range with another", {"Range": "bytes=0-9", "If-Range": '"other"'}, 200, None),
        ("If-Range, weak", {"Range": "bytes=0-9", "If-Range": "W/" + tag}, 200, None),
    ]
    for what, headers, status, part in cases:
        a = ask(path, headers=headers)
        if status is None:
            tap.ok(a.status in (200, 206) and a.body == full, "range: " + what, a)
            continue
        tap.eq(a.status, status, "range: " + what, a)
        if status == 206:
            tap.eq(a.header("Content-Range"), "bytes %d-%d/%d" % (part[0], part[1] - 1, size),
                   "range: %s: header" % what)
            tap.ok(a.body == full[part[0]:part[1]], "range: %s: bytes" % what, a)
        elif status == 416:
            tap.eq(a.header("Content-Range"), "bytes */%d" % size, "range: %s: header" % what)
        else:
            tap.ok(a.body == full, "range: %s: whole" % what, a)
    a = ask(path, "HEAD", headers={"Range": "bytes=0-9"})
    tap.eq((a.status, a.length), (200, 0), "range: HEAD ignores it", a)
    a = ask(path)
    tap.eq(a.header("Accept-Ranges"), "bytes", "Accept-Ranges")
    a = ask("/example.com/dep/@v/v1.0.0.zip", headers={"Range": "bytes=0-9"})
    right = fixture.ref("/example.com/dep/@v/v1.0.0.zip")
    tap.ok((a.status == 206 and a.body == right[:10]) or (a.status == 200 and a.body == right),
           "range of a miss", a)


def by_socket(env, path, method, body):
    """As Apache's mod_cgid does it: one socket for both ways. What isn't read of it takes the answer with it."""
    ours, theirs = socket.socketpair()
    env = {**program_env(env), **request_env(path, method), "CONTENT_LENGTH": str(len(body))}
    process = subprocess.Popen([PROGRAM], env=env, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
    theirs.close()
    text = b""
    try:
        ours.sendall(body)
        ours.shutdown(socket.SHUT_WR)
        while piece := ours.recv(65536):
            text += piece
    except OSError as e:
        text = str(e).encode()
    process.wait(20)
    found = re.match(rb"Status: (\d+)", text)
    return int(found[1]) if found else 200 if text.startswith(b"Content-Type:") else 0, text[:200]


def test_methods_and_page():
    up, store, ask = fresh()
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "CONNECT"):
        a = ask("/example.com/hello/@v/list", method)
        tap.eq((a.status, a.header("Allow")), (405, "GET, HEAD"), method + " is 405", a)
    tap.eq(up.count(), 0, "405 asks nobody")
    for method, wanted in (("POST", 405), ("PUT", 405), ("GET", 200)):
        status, text = by_socket(settings(up, store), "/", method, b"x" * 100000)
        tap.eq(status, wanted, "mod_cgid: the answer to a %s with a body arrives" % method, text)
    a = ask("/")
    tap.eq(a.status, 200, "a page at /", a)
    tap.like(a.header("Content-Type"), r"^text/html", "the page is HTML")
    tap.like(a.text, r"GOPROXY=http://localhost", "the page has the line to copy")
    a = ask("/", script_name="/goproxy", request_uri="/goproxy/")
    tap.like(a.text, r"GOPROXY=http://localhost/goproxy", "the page knows its mount")
    a = ask("/?<script>alert(1)</script>")
    tap.ok("<script>alert" not in a.text, "the page repeats no markup from the request", a)


A256 = "a" * 256
HOSTILE = [
    ("escape without digits", "/example.com/hello/@v/v1.0.0.info%"),
    ("half an escape", "/example.com/hello/@v/%2"),
    ("escape that is none", "/example.com/%zz/@v/list"),
    ("dot dot", "/example.com/../hello/@v/list"),
    ("dot dot first", "/../etc/passwd"),
    ("dot dot behind @v", "/example.com/hello/@v/../../../etc/passwd"),
    ("dot dot as version", "/example.com/hello/@v/...info"),
    ("dot dot, escaped", "/example.com/%2e%2e/hello/@v/list"),
    ("dot dot, half escaped", "/example.com/.%2E/hello/@v/list"),
    ("dot", "/example.com/./hello/@v/list"),
    ("dot, escaped", "/example.com/%2e/hello/@v/list"),
    ("slash, escaped", "/example.com%2Fhello/@v/list"),
    ("slash, escaped small", "/example.com%2fhello/@v/list"),
    ("slash, escaped, in a version", "/example.com/hello/@v/feature%2Fx.info"),
    ("escape of an escape", "/example.com/hello%252F/@v/list"),
    ("backslash", "/example.com\\hello/@v/list"),
    ("backslash, escaped", "/example.com/hello%5C..%5Cx/@v/list"),
    ("NUL", "/example.com/hello%00/@v/list"),
    ("NUL in a version", "/example.com/hello/@v/v1.0.0%00.info"),
    ("NUL at the end", "/example.com/hello/@v/list%00"),
    ("two slashes first", "//example.com/hello/@v/list"),
    ("two slashes", "/example.com//hello/@v/list"),
    ("two slashes before @v", "/example.com/hello//@v/list"),
    ("two slashes behind @v", "/example.com/hello/@v//list"),
    ("slash at the end", "/example.com/hello/@v/list/"),
    ("new line", "/example.com/hel%0alo/@v/list"),
    ("header injection", "/example.com/hello/@v/list%0d%0aX-Evil:%20yes"),
    ("control byte", "/example.com/%01/@v/list"),
    ("DEL", "/example.com/a%7fb/@v/list"),
    ("element of 256 bytes", "/example.com/%s/@v/list" % A256),
    ("version of 256 bytes", "/example.com/hello/@v/v1.0.0-%s.info" % A256),
    ("path of 4,400 bytes", "/example.com/" + "/".join(["abcdefghij"] * 400) + "/@v/list"),
    ("path of 40,000 bytes", "/example.com/" + "a/" * 20000 + "@v/list"),
    ("non-canonical mod", "/example.com/hello/@v/v1.0.mod"),
    ("non-canonical zip", "/example.com/hello/@v/v1.zip"),
    ("branch as zip", "/example.com/hello/@v/master.zip"),
    ("branch as mod", "/example.com/hello/@v/master.mod"),
    ("latest as zip", "/example.com/hello/@v/latest.zip"),
    ("metadata in a zip's version", "/example.com/hello/@v/v1.0.0+meta.zip"),
    ("leading zero", "/example.com/hello/@v/v01.0.0.zip"),
    ("four numbers", "/example.com/hello/@v/v1.0.0.0.mod"),
    ("version without v", "/example.com/hello/@v/1.0.0.mod"),
    ("upper case version", "/example.com/!upper/@v/v1.0.1-RC1.mod"),
    ("v1 of a /v2 module, info", "/example.com/multi/v2/@v/v1.0.0.info"),
    ("v1 of a /v2 module, mod", "/example.com/multi/v2/@v/v1.0.0.mod"),
    ("v1 of a /v2 module, zip", "/example.com/multi/v2/@v/v1.0.0.zip"),
    ("v2 without suffix, zip", "/example.com/multi/@v/v2.0.0.zip"),
    ("v1 of a gopkg.in .v2", "/gopkg.in/yaml-like.v2/@v/v1.0.0.info"),
    ("gopkg.in without .vN", "/gopkg.in/yaml-like/@v/v1.0.0.info"),
    ("suffix /v1", "/example.com/multi/v1/@v/list"),
    ("suffix /v0", "/example.com/multi/v0/@v/list"),
    ("suffix /v02", "/example.com/multi/v02/@v/list"),
    ("upper case", "/example.com/Upper/@v/list"),
    ("! before upper case", "/example.com/!Upper/@v/list"),
    ("! at the end", "/example.com/upper!/@v/list"),
    ("! before a digit", "/example.com/!1/@v/list"),
    ("!!", "/example.com/!!u/@v/list"),
    ("blank", "/example.com/a%20b/@v/list"),
    ("colon", "/example.com/a:b/@v/list"),
    ("plus in a path", "/example.com/a+b/@v/list"),
    ("star", "/example.com/a*b/@v/list"),
    ("not ASCII", "/example.com/caf%C3%A9/@v/list"),
    ("not UTF-8", "/example.com/caf%E9/@v/list"),
    ("leading dot", "/example.com/.git/@v/list"),
    ("trailing dot", "/example.com/a./@v/list"),
    ("leading dash", "/-example.com/a/@v/list"),
    ("first element without dot", "/localhost/a/@v/list"),
    ("standard library", "/net/http/@v/list"),
    ("reserved on Windows", "/example.com/con/@v/list"),
    ("short name of Windows", "/example.com/foo~1/@v/list"),
    ("no module", "/@v/list"),
    ("no module, latest", "/@latest"),
    ("nothing behind @v", "/example.com/hello/@v/"),
    ("@v alone", "/example.com/hello/@v"),
    ("no @v", "/example.com/hello"),
    ("@latest and more", "/example.com/hello/@latest/x"),
    ("@other", "/example.com/hello/@other/v1.0.0.info"),
    ("behind list", "/example.com/hello/@v/list/x"),
    ("behind a zip", "/example.com/hello/@v/v1.0.0.zip/x"),
    ("ziphash", "/example.com/hello/@v/v1.0.0.ziphash"),
    ("lock file", "/example.com/hello/@v/v1.0.0.lock"),
    ("unknown kind", "/example.com/hello/@v/v1.0.0.exe"),
    ("no version", "/example.com/hello/@v/.info"),
    ("store's own", "/tmp/x"),
    ("favicon", "/favicon.ico"),
    ("robots", "/robots.txt"),
    ("sumdb alone", "/sumdb/"),
    ("sumdb, dot dot", "/sumdb/sum.fixture.test/../x/supported"),
    ("sumdb, unknown file", "/sumdb/sum.fixture.test/secret"),
    ("sumdb, tile that is none", "/sumdb/sum.fixture.test/tile/8/0/zzz"),
    ("sumdb, partial tile of 0", "/sumdb/sum.fixture.test/tile/8/0/000.p/0"),
    ("sumdb, partial tile of 256", "/sumdb/sum.fixture.test/tile/8/0/000.p/256"),
    ("sumdb, lookup without version", "/sumdb/sum.fixture.test/lookup/example.com/hello"),
    ("sumdb, lookup of no path", "/sumdb/sum.fixture.test/lookup/@v1.0.0"),
    ("cached only, twice", "/cached-only/cached-only/example.com/hello/@v/list"),
]


def test_hostile_spellings():
    up, store, ask = fresh()

    def one(case):
        what, path = case
        a = ask(path)
        short = path if len(path) < 80 else path[:60] + "..."
        tap.ok(400 <= a.status < 500 and a.status != 405, "refused: %s: 4xx (%s)" % (what, short),
               a)
        tap.ok(a.text.strip() and a.text.count("\n") <= 8, "refused: %s: says why" % what, a)
        tap.like(a.header("Content-Type"), r"^text/plain", "refused: %s: as text" % what)
        tap.ok("immutable" not in a.header("Cache-Control") and "x-evil" not in a.headers,
               "refused: %s: header" % what, a)
    in_parallel(one, HOSTILE)
    tap.eq(up.paths(), [], "nobody is asked for what is refused")
    tap.eq(files_below(store + "/download") + temp_files(store), [],
           "nothing is stored for what is refused")
    # Servers tidy PATH_INFO; REQUEST_URI tells what was really sent.
    for what, uri in (("dot dot", "/example.com/x/../hello/@v/list"),
                      ("escaped slash", "/example.com%2fhello/@v/list"),
                      ("two slashes", "/example.com//hello/@v/list"),
                      ("dot", "/./example.com/hello/@v/list"),
                      ("escaped dots", "/a/%2e%2e/example.com/hello/@v/list")):
        a = ask("/example.com/hello/@v/list", request_uri=uri)
        tap.ok(400 <= a.status < 500, "refused by REQUEST_URI although PATH_INFO is tidy: " + what,
               a)
    tap.eq(up.paths(), [], "nobody is asked for those either")


HELLO = "/example.com/hello/@v/list"
# (what, SCRIPT_NAME, PATH_INFO, REQUEST_URI, prefix, expected); WEB-SERVERS.md, section 1.
SERVERS = [
    ("nginx at the root", "", HELLO, HELLO, "", 200),
    ("nginx, sub path", "/goproxy", HELLO, "/goproxy" + HELLO, "", 200),
    ("nginx, sub path, prefix set too", "/goproxy", HELLO, "/goproxy" + HELLO, "/goproxy", 200),
    ("deep sub path", "/a/b/c", HELLO, "/a/b/c" + HELLO, "", 200),
    ("lighttpd, fix-root-scriptname", "", HELLO, HELLO, "", 200),
    ("lighttpd, sub path", "/goproxy", HELLO, "/goproxy" + HELLO, "", 200),
    ("lighttpd CGI by rewrite, sub path", "/goproxy.cgi", HELLO, "/goproxy" + HELLO, "", 200),
    ("lighttpd CGI by rewrite, sub path, prefix set", "/goproxy.cgi", HELLO, "/goproxy" + HELLO,
     "/goproxy", 200),
    ("mod_fcgid ScriptAlias /", "", HELLO, HELLO, "", 200),
    (".htaccess at the root", "/goproxy.fcgi", HELLO, HELLO, "", 200),
    (".htaccess in a directory", "/~joe/goproxy.fcgi", HELLO, "/~joe" + HELLO, "", 200),
    (".htaccess, script named in the URL", "/goproxy.fcgi", HELLO, "/goproxy.fcgi" + HELLO, "",
     200),
    ("mod_proxy_fcgi ProxyPass, no PATH_INFO", HELLO, None, HELLO, "", 200),
    ("the same, sub path, prefix set", "/goproxy" + HELLO, None, "/goproxy" + HELLO, "/goproxy",
     200),
    ("the same, empty PATH_INFO", HELLO, "", HELLO, "", 200),
    ("FallbackResource", "/goproxy.fcgi", None, HELLO, "", 200),
    ("query string", "", HELLO, HELLO + "?go-get=1", "", 200),
    ("escapes in REQUEST_URI only", "", HELLO, "/example.com/h%65llo/%40v/list", "", 200),
    ("mod_proxy_fcgi SetHandler: first segment lost", "/example.com", "/hello/@v/list", HELLO, "",
     500),
    ("the same, what is left looks like a module", "/gopkg.in", "/yaml-like.v2/@v/list",
     "/gopkg.in/yaml-like.v2/@v/list", "", "500 or the right one"),
    ("the same, prefix set", "/goproxy/example.com", "/hello/@v/list", "/goproxy" + HELLO,
     "/goproxy",
     "500 or the right one"),
    ("PATH_INFO of another module", "", "/example.com/multi/@v/list", HELLO, "", 500),
    ("PATH_INFO of another version", "", "/example.com/hello/@v/v1.0.0.info",
     "/example.com/hello/@v/v1.1.0.info", "", 500),
    ("no PATH_INFO, prefix set, URL outside of it", "/x" + HELLO, None, "/x" + HELLO, "/goproxy",
     "500 or 4xx"),
    ("no PATH_INFO, sub path, prefix forgotten", "/goproxy" + HELLO, None, "/goproxy" + HELLO, "",
     "500 or 4xx"),
]


def test_path_info_and_request_uri():
    for what, name, info, uri, prefix, expected in SERVERS:
        up, store, ask = fresh(server_prefix=prefix)
        a = ask(HELLO, script_name=name, path_info=info, request_uri=uri)
        right = [p for p in up.paths() if not (p == "GET " + HELLO or p == "GET " + uri)]
        if expected == 200:
            tap.eq((a.status, a.text), (200, LISTS[0][2]), "parameters of %s" % what, a)
        elif expected == 500:
            tap.eq(a.status, 500, "parameters of %s: 500" % what, a)
            tap.like(a.text, r"prefix|PATH_INFO|SCRIPT_NAME",
                     "parameters of %s: names the setting" % what)
            tap.eq(up.paths(), [], "parameters of %s: nobody is asked" % what)
        elif expected == "500 or 4xx":
            tap.ok(a.status == 500 or 400 <= a.status < 500, "parameters of %s: refused" % what, a)
            tap.eq(up.paths(), [], "parameters of %s: nobody is asked" % what)
        else:
            tap.ok(a.status in (200, 500), "parameters of %s: right or 500" % what, a)
        tap.eq(right, [], "parameters of %s: never another module" % what, a)


def test_chain():
    path = "/example.com/hello/@v/v1.0.0.info"
    body = fixture.ref(path)
    cases = [
        # (what, first's rule, separator, status, is the second asked)
        ("404 , goes on", {"status": 404, "text": "no"}, ",", 200, True),
        ("410 , goes on", {"status": 410, "text": "no"}, ",", 200, True),
        ("500 , stops", {"status": 500, "text": "oops"}, ",", 502, False),
        ("403 , stops", {"status": 403, "text": "no"}, ",", None, False),
        ("429 , stops", {"status": 429, "text": "slow down"}, ",", None, False),
        ("204 , stops", {"status": 204, "empty": 1}, ",", 502, False),
        ("cut , stops", {"cut": "headers"}, ",", 502, False),
        ("404 | goes on", {"status": 404, "text": "no"}, "|", 200, True),
        ("500 | goes on", {"status": 500, "text": "oops"}, "|", 200, True),
        ("403 | goes on", {"status": 403, "text": "no"}, "|", 200, True),
        ("cut | goes on", {"cut": "headers"}, "|", 200, True),
        ("senseless | goes on", {"html": 1}, "|", 200, True),
        ("another version | goes on", {"text": '{"Version":"v9.9.9"}', "type": "application/json"},
         "|", 200, True),
    ]
    for what, rule, separator, status, goes_on in cases:
        one, two, store = fixture.mount(), fixture.mount(), place.new("store")
        one.set(path, **rule)
        a = cgi(settings(one.url + separator + two.url, store), path)
        if status is None:
            tap.ok(a.status >= 400 and a.status not in (404, 410),
                   "chain: %s: an error, but not 404" % what, a)
        else:
            tap.eq(a.status, status, "chain: %s: %d" % (what, status), a)
        if status == 200:
            tap.eq(a.body, body, "chain: %s: right bytes" % what)
        tap.eq(two.count() > 0, goes_on, "chain: %s: second asked" % what)
    one, two, store = fixture.mount(), fixture.mount(), place.new("store")
    a = cgi(settings("http://127.0.0.1:%d|%s" % (closed_port(), two.url), store), path)
    tap.eq((a.status, a.body), (200, body), "chain: refused connection | goes on", a)
    a = cgi(settings("http://127.0.0.1:%d,%s" % (closed_port(), two.url), place.new("store")), path)
    tap.eq(a.status, 502, "chain: refused connection , stops", a)
    # github.com/none can't be a repository's path: nobody is asked (63-direct.t has those that can).
    for what, chain, module in (("off", "off", "example.com/none"), ("direct", "direct", "github.com/none"),
                                ("404,off", one.url + ",off", "example.com/none"),
                                ("404,direct", one.url + ",direct", "github.com/none")):
        a = cgi(settings(chain, place.new("store")), "/%s/@v/v1.0.0.info" % module)
        tap.eq(a.status, 404, "chain: %s: 404" % what, a)
        tap.ok(a.text.strip(), "chain: %s: with a text" % what)
    one.set(".*", status=500, text="oops")
    a = cgi(settings(one.url + "|off", place.new("store")), path)
    tap.ok(a.status in (502, 504), "chain: 500|off: an error isn't turned into 404", a)
    a = cgi({"GOPROXY": two.url, "GOPROXY_CACHE_DIR": place.new("store")}, path)
    tap.eq((a.status, a.body), (200, body), "chain: GOPROXY names it", a)
    a = cgi(settings(two.url + "/", place.new("store")), path)
    tap.eq((a.status, a.body), (200, body), "chain: a slash at the URL's end does no harm", a)


def test_absence():
    up, store, ask = fresh()
    text = ("not found: example.com/hello@v1.5.0: invalid version:\n"
            "\tunknown revision v1.5.0\n404 page not found\n")
    for status in (404, 410):
        path = "/example.com/hello/@v/v1.5.%d.info" % status
        up.set(path, status=status, text=text)
        for turn in ("first", "second"):
            a = ask(path)
            tap.eq((a.status, a.text), (status, text), "%d: text unchanged (%s)" % (status, turn),
                   a)
        tap.eq(up.count(path), 1, "%d is remembered" % status)
        tap.ok("immutable" not in a.header("Cache-Control"), "%d isn't immutable" % status, a)
    a = ask("/example.com/none/@v/v1.0.0.mod")
    tap.eq((a.status, a.text), (404, "not found: module example.com/none: no such repository\n"),
           "404 of a module", a)
    up, store, ask = fresh(cache_negative_ttl_s=0)
    up.set(".*", status=404, text="not yet", times=1)
    first, second = ask("/example.com/hello/@v/v1.0.0.mod"), ask("/example.com/hello/@v/v1.0.0.mod")
    tap.eq((first.status, second.status), (404, 200), "negative_ttl_s=0: nothing is remembered",
           second)


HELLO_ZIP = fixture.ref("/example.com/hello/@v/v1.0.0.zip")
# (what, rule, file, statuses that are right)
BROKEN = [
    ("500", {"status": 500, "text": "oops"}, "v1.0.0.info", (502,)),
    ("503", {"status": 503, "text": "later"}, "v1.0.0.zip", (502,)),
    ("HTML as list", {"html": 1}, "list", (502,)),
    ("JSON as list", {"text": '{"error":"no"}', "type": "application/json"}, "list", (502,)),
    ("HTML as info", {"html": 1}, "v1.0.0.info", (502,)),
    ("HTML as mod", {"html": 1}, "v1.0.0.mod", (502,)),
    ("HTML as zip", {"html": 1}, "v1.0.0.zip", (502,)),
    ("HTML as @latest", {"html": 1}, "../@latest", (502,)),
    ("another version's info", {"text": '{"Version":"v1.1.0"}'}, "v1.0.0.info", (502,)),
    ("info without version", {"text": "{}"}, "v1.0.0.info", (502,)),
    ("info that isn't an object", {"text": "[]"}, "v1.0.0.info", (502,)),
    ("half an info", {"text": '{"Version":"v1.0.0"'}, "v1.0.0.info", (502,)),
    ("query's answer isn't canonical", {"text": '{"Version":"v1"}'}, "master.info", (502,)),
    ("empty info", {"empty": 1}, "v1.0.0.info", (502,)),
    ("empty mod", {"empty": 1}, "v1.0.0.mod", (502,)),
    ("empty zip", {"empty": 1}, "v1.0.0.zip", (502,)),
    ("short info", {"cut": "body"}, "v1.0.0.info", (502,)),
    ("short mod", {"cut": "body"}, "v1.0.0.mod", (502,)),
    ("short list", {"cut": "body"}, "list", (502,)),
    ("short zip", {"cut": "body"}, "v1.0.0.zip", (502,)),
    ("short mod without length", {"cut": "body", "nolength": 1}, "v1.0.0.mod", (502,)),
    ("length promised too long", {"length": 5000}, "v1.0.0.mod", (502,)),
    ("nothing at all", {"cut": "headers"}, "v1.0.0.mod", (502,)),
    ("bit flipped in a zip's data", {"flip": 70}, "v1.0.0.zip", (502,)),
    ("bit flipped in a zip's CRC", {"flip": HELLO_ZIP.index(b"PK\1\2") + 16}, "v1.0.0.zip", (502,)),
    ("bit flipped in a zip's end", {"flip": -22}, "v1.0.0.zip", (502,)),
    ("zip ends early, length agrees", {"truncate": 700}, "v1.0.0.zip", (502,)),
    ("mod of 17 MB", {"fill": 17 << 20}, "v1.0.0.mod", (502,)),
    ("info of 17 MB", {"fill": 17 << 20}, "v1.0.0.info", (502,)),
    ("list of 200 MB", {"fill": 200 << 20}, "list", (502,)),
    ("zip of 501 MB promised", {"length": 501 << 20}, "v1.0.0.zip", (502,)),
    ("206", {"status": 206}, "v1.0.0.mod", (502,)),
]


def test_broken_upstreams():
    def one(case):
        what, rule, file, statuses = case
        up, store, ask = fresh()
        path = "/example.com/hello/@v/" + file
        if file == "../@latest":
            path = "/example.com/hello/@latest"
        up.set(path, **rule)
        a = ask(path)
        # Plain CGI sends what is whole and checked, or a status that says that it can't.
        tap.ok(a.status in statuses, "broken: %s: %s" % (what, statuses), a)
        tap.like(a.header("Content-Type"), r"^text/plain", "broken: %s: as text" % what)
        tap.ok(a.text.strip() and a.text.count("\n") <= 8, "broken: %s: at most eight lines" % what,
               a)
        tap.like(a.text, r"127\.0\.0\.1:%d" % fixture.port, "broken: %s: names the upstream" % what)
        tap.eq(store_faults(store, fixture) + temp_files(store), [],
               "broken: %s: nothing is left" % what)
        name = os.path.basename(path)
        tap.ok(not os.path.exists(store + "/download/example.com/hello/@v/" + name),
               "broken: %s: not stored" % what)
        up.set(path)
        right = fixture.ref(path)
        a = ask(path)
        if file == "list":
            right = LISTS[0][2].encode()
        tap.eq((a.status, a.body == right), (200, True),
               "broken: %s: the next answer is right" % what, a)
    in_parallel(one, BROKEN)


# Each is refused by golang.org/x/mod/zip.Unzip (checked with the copy in Go 1.26's cmd/vendor).
BAD_ZIPS = ("dotdot absolute noprefix prefix backslash unclean dot colon control nulbyte latin1 "
            "reserved dotend twice case casedir filedir submodule gomodcase fatmod fatlicense bomb "
            "crc sizes nodir notazip html empty").split()


def test_bad_zips():
    up, store, ask = fresh()

    def one(kind):
        a = ask("/example.com/bad/%s/@v/v1.0.0.zip" % kind)
        if kind == "bomb":  # large enough to be sent while it comes in: what is left is the cut
            tap.ok(a.cut or a.status == 502, "bad zip: %s: the transfer breaks, or 502" % kind, a)
            return
        tap.ok(a.status == 502, "bad zip: %s: 502" % kind, a)
        tap.ok(a.text.strip() and a.text.count("\n") <= 8, "bad zip: %s: says why" % kind, a)
    in_parallel(one, BAD_ZIPS)
    tap.eq([f for f in files_below(store + "/download")
            if not f.endswith(".lock") and not f.startswith("sumdb/")], [],
           "bad zips: nothing is stored")
    tap.eq(temp_files(store), [], "bad zips: nothing is left in tmp")
    a = ask("/example.com/bad/bomb/@v/v1.0.0.mod")
    tap.eq(a.status, 200, "a bad zip says nothing about its mod", a)


def test_deadlines():
    cases = [
        ("silence before the header", {"hang": "headers"}, {"upstream_silence_timeout_s": 1},
         "v1.0.0.mod"),
        ("silence in the body", {"hang": "body"}, {"upstream_silence_timeout_s": 1}, "v1.0.0.mod"),
        ("silence in a zip", {"hang": "body"}, {"upstream_silence_timeout_s": 1}, "v1.0.0.zip"),
        ("a small thing that trickles", {"rate": 20}, {"upstream_small_total_timeout_s": 1},
         "v1.0.0.info"),
        ("a zip that trickles", {"rate": 200}, {"upstream_total_timeout_s": 1}, "v1.0.0.zip"),
        ("total beats small total", {"rate": 20}, {"upstream_total_timeout_s": 1}, "v1.0.0.info"),
        ("our own patience", {"hang": "headers"},
         {"server_answer_timeout_s": 1, "upstream_silence_timeout_s": 4}, "v1.0.0.zip"),
    ]

    def one(case):
        what, rule, more, file = case
        up, store, ask = fresh(**more)
        up.set(".*", **rule)
        a = ask("/example.com/hello/@v/" + file)
        tap.eq(a.status, 504, "deadline: %s: 504" % what, a)
        tap.ok(a.took_s < 4 * SLOW, "deadline: %s: in time" % what, "%.1f s" % a.took_s)
        tap.like(a.text, r"127\.0\.0\.1:%d" % fixture.port,
                 "deadline: %s: names the upstream" % what)
        up.set(".*")
        a = ask("/example.com/hello/@v/" + file)
        tap.eq(a.status, 200, "deadline: %s: no memory of it" % what, a)
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as executor:
        list(executor.map(one, cases))


def test_retries():
    for what, rule in (("503", {"status": 503, "text": "later"}),
                       ("a cut connection", {"cut": "headers"}),
                       ("a cut body", {"cut": "body"})):
        up, store, ask = fresh(upstream_retries=2)
        up.set(".*", times=1, **rule)
        a = ask("/example.com/hello/@v/v1.0.0.mod")
        tap.eq((a.status, a.body), (200, fixture.ref("/example.com/hello/@v/v1.0.0.mod")),
               "tried again after " + what, a)
        tap.eq(up.count(), 2, "tried again once after " + what)
    up, store, ask = fresh(upstream_retries=2)
    up.set(".*", status=404, text="no")
    ask("/example.com/hello/@v/v1.0.0.mod")
    tap.eq(up.count(), 1, "404 isn't tried again")


def test_redirects():
    path = "/example.com/hello/@v/v1.0.0.mod"
    right = fixture.ref(path)
    local = fixture.url.replace("127.0.0.1", "localhost")
    cases = [
        ("3 hops", lambda up: up.prefix + "/_hop/2" + path, {}, True),
        ("10 hops", lambda up: up.prefix + "/_hop/9" + path, {}, True),
        ("11 hops", lambda up: up.prefix + "/_hop/10" + path, {}, False),
        ("a loop", lambda up: up.prefix + "/_loop/x", {}, False),
        ("to a file", lambda up: "file:///etc/passwd", {}, False),
        ("to ftp", lambda up: local.replace("http:", "ftp:") + path,
         {"upstream_redirect_private": "localhost"}, False),
        ("to gopher", lambda up: local.replace("http:", "gopher:") + path,
         {"upstream_redirect_private": "localhost"}, False),
        ("to a private host", lambda up: local + "/u/_ref" + path, {}, False),
        ("to another loopback address",
         lambda up: fixture.url.replace("127.0.0.1", "127.0.0.2") + "/u/_ref" + path, {}, False),
        ("to loopback as a number",
         lambda up: fixture.url.replace("127.0.0.1", "2130706433") + "/u/_ref" + path,
         {"upstream_chain": local, "sumdb_gosumdb": "%s %s/u/_sumdb/sumdb/sum.fixture.test" % (fixture.vkey(), local),
          "sumdb_databases": ""}, False),
        ("to loopback in IPv6",
         lambda up: "http://[::ffff:127.0.0.1]:%d/u/_ref%s" % (fixture.port, path), {}, False),
        ("to a private host that is allowed", lambda up: local + "/u/_ref" + path,
         {"upstream_redirect_private": "localhost"}, True),
        ("to nowhere", lambda up: "", {}, False),
        ("to no URL", lambda up: "http://", {}, False),
    ]
    for what, target, more, works in cases:
        up, store, ask = fresh()
        if "upstream_chain" in more:
            more = {**more, "upstream_chain": more["upstream_chain"] + up.prefix}
        up.set(path, redirect=target(up) or " ", times=1)
        a = ask(path, more=more)
        if works:
            tap.eq((a.status, a.body), (200, right), "redirect: %s: followed" % what, a)
        else:
            tap.eq(a.status, 502, "redirect: %s: refused" % what, a)
            tap.ok("root:" not in a.text, "redirect: %s: nothing shown" % what)
    secure = Fixture(tls=True)
    tls = {"upstream_ca_file": secure.cert, "upstream_redirect_private": "localhost,127.0.0.1"}
    more = {"GOPROXY_" + k.upper(): v for k, v in tls.items()}
    up = secure.mount()
    a = cgi({**settings(up, place.new("store")), **more}, path)
    tap.eq((a.status, a.body), (200, right), "https: with its authority", a)
    tap.eq([e["proto"] for e in up.log()], ["HTTP/2.0"], "https: HTTP/2")
    a = cgi(settings(up, place.new("store")), path)
    tap.eq(a.status, 502, "https: an unknown authority is refused", a)
    tap.like(a.text, r"(?i)certificate|ssl|tls", "https: and it is said why")
    up.set(path, redirect=fixture.url + "/u/_ref" + path)
    a = cgi({**settings(up, place.new("store")), **more}, path)
    tap.eq(a.status, 502, "redirect: from https to http: refused", a)
    up = fixture.mount()
    up.set(path, redirect=secure.url + path)
    a = cgi({**settings(up, place.new("store")), **more}, path)
    tap.eq((a.status, a.body), (200, right), "redirect: from http to https: followed", a)
    secure.stop()


def test_credentials():
    path = "/example.com/hello/@v/v1.0.0.mod"
    netrc = place.file("machine 127.0.0.1 login joe password sekrit\n", "netrc", 0o600)
    local = fixture.url.replace("127.0.0.1", "localhost")
    up, store, ask = fresh(upstream_netrc=netrc, upstream_redirect_private="localhost")
    other = fixture.mount()
    up.set(path, redirect=local + other.prefix + path)
    a = ask(path)
    tap.eq(a.status, 200, "netrc: answered", a)
    tap.eq([(e["auth"], e["user"] if "user" in e else "") for e in up.log()], [(True, "joe")],
           "netrc: its host gets them")
    tap.eq([e["auth"] for e in other.log()], [False], "netrc: another host doesn't")
    plain = fixture.mount()
    a = cgi(settings(local + plain.prefix, place.new("store"), upstream_netrc=netrc), path)
    tap.eq([e["auth"] for e in plain.log()], [False],
           "netrc: a host that isn't named doesn't get them", a)
    for status in (500, 401, 404):
        up = fixture.mount()
        up.set(".*", status=status, text="no")
        url = up.url.replace("http://", "http://ann:topsecret@")
        a = cgi(settings(url, place.new("store"), log_level="debug"), path)
        tap.eq([e.get("user") for e in up.log()], ["ann"],
               "credentials in the URL are sent (%d)" % status)
        tap.ok("topsecret" not in a.text + a.stderr.decode("utf-8", "replace"),
               "they are in no text or log (%d)" % status, a)
    url = "http://ann:topsecret@127.0.0.1:%d" % closed_port()
    a = cgi(settings(url, place.new("store"), log_level="debug"), path)
    tap.ok("topsecret" not in a.text + a.stderr.decode("utf-8", "replace"),
           "they are in no text or log (refused)", a)


def test_stale():
    for path in (HELLO, "/example.com/hello/@latest", "/example.com/hello/@v/master.info"):
        up, store, ask = fresh(cache_list_ttl_s=0)
        first = ask(path)
        tap.eq(first.status, 200, path + ": fresh", first)
        ask(path)
        tap.eq(up.count(), 2, path + ": list_ttl_s=0 asks each time")
        for what, rule in (("500", {"status": 500, "text": "oops"}), ("a cut", {"cut": "headers"}),
                           ("HTML", {"html": 1})):
            up.set(".*", **rule)
            a = ask(path)
            tap.eq((a.status, a.body), (200, first.body), "%s: stale after %s" % (path, what), a)
            tap.like(a.header("Age"), r"^\d+$", "%s: stale after %s has an Age" % (path, what), a)
            tap.ok(a.stderr.strip(), "%s: stale after %s is logged" % (path, what))
        up.set(".*", status=404, text="gone now")
        a = ask(path)
        tap.eq(a.status, 404, path + ": an authority's 404 isn't overruled", a)
        a = ask(path, more={"upstream_chain": "http://127.0.0.1:%d" % closed_port()})
        tap.ok(a.status in (200, 404, 502), path + ": then down", a)


def test_clock():
    """A file from the future (another host's clock, a clock set back) isn't fresh until then."""
    up, store, ask = fresh()
    for path, status in ((HELLO, 200), ("/example.com/none/@v/list", 404)):
        ask(path)
        for folder, _, names in os.walk(store):
            for name in names:
                os.utime(os.path.join(folder, name), (time.time() + 1e7, time.time() + 1e7))
        a = ask(path)
        tap.eq(a.status, status, "from the future: answered", a)
        tap.eq(up.count(path), 2, "from the future: asked for again (%d)" % status)


def test_real_go_on_the_store():
    go = shutil.which("go") or (os.path.exists("/usr/local/go/bin/go") and "/usr/local/go/bin/go")
    if not go:
        tap.skip("GOPROXY=file://", "no go command")
        return
    up, store, ask = fresh()
    for name in ("example.com/hello", "example.com/!upper", "example.com/dep"):
        for kind in ("info", "mod", "zip"):
            ask("/%s/@v/v1.0.0.%s" % (name, kind))
    for kind in ("info", "mod", "zip"):
        ask("/example.com/incompat/@v/v2.0.0+incompatible." + kind)
    work = place.dir("go")
    env = {"PATH": os.environ["PATH"], "HOME": work, "GOMODCACHE": work + "/cache",
           "GOPATH": work + "/path",
           "GOCACHE": work + "/build", "GOPROXY": "file://%s/download" % store, "GOSUMDB": "off",
           "GOTOOLCHAIN": "local",
           "GOFLAGS": "-modcacherw"}
    with open(work + "/go.mod", "w") as f:
        f.write("module example.com/main\n\ngo 1.16\n\nrequire (\n\texample.com/dep v1.0.0\n"
                "\texample.com/incompat v2.0.0+incompatible\n)\n")
    run = subprocess.run([go, "mod", "download", "all"], cwd=work, env=env, capture_output=True,
                         text=True,
                         timeout=60 * SLOW)
    tap.eq(run.returncode, 0, "GOPROXY=file://DIR/download: the go command downloads", run.stderr)
    name = "example.com/dep/@v/v1.0.0.zip"
    copy = work + "/cache/cache/download/" + name
    tap.ok(os.path.exists(copy) and slurp(copy) == fixture.ref("/" + name),
           "and gets the right bytes")
    run = subprocess.run([go, "list", "-m", "-versions", "example.com/hello"], cwd=work, env=env,
                         capture_output=True,
                         text=True, timeout=60 * SLOW)
    tap.eq(run.stdout.split(), ["example.com/hello", "v1.0.0"], "and its list has what is stored",
           run.stderr)


def test_configuration():
    def run(*args, **env):
        return subprocess.run([PROGRAM, *args], env=program_env(env), capture_output=True,
                              text=True, timeout=20 * SLOW)
    good = place.file("[cache]\ndir = %s\nlist_ttl_s = 7\n[upstream]\nchain = %s\n"
                      % (place.new("store"), fixture.url), "x.ini")
    a = run("check-config", "--config", good)
    tap.eq(a.returncode, 0, "check-config: right", a.stderr)
    for what, text, pattern in (("unknown key", "[cache]\nlist_ttl = 7\n", r"list_ttl_s"),
                                ("wrong value", "[cache]\nlist_ttl_s = soon\n",
                                 r"list_ttl_s.*(number|0)"),
                                ("wrong chain", "[upstream]\nchain = ftp://x\n", r"chain.*http"),
                                ("unknown section", "[caches]\ndir = /x\n", r"cache")):
        file = place.file(text, "bad.ini")
        for args in (("check-config", "--config", file),
                     ("serve", "--config", file, "--listen", "unix:" + place.new("s"))):
            a = run(*args)
            tap.ok(a.returncode != 0, "%s: %s: no start" % (args[0], what), a.stdout + a.stderr)
            tap.like(a.stderr, pattern, "%s: %s: says what is allowed" % (args[0], what))
            tap.ok(os.path.basename(file) in a.stderr, "%s: %s: names the file" % (args[0], what),
                   a.stderr)
    a = run("check-config", GOPROXY_CACHE_LIST_TTL_S="soon")
    tap.like(a.stderr, r"GOPROXY_CACHE_LIST_TTL_S|list_ttl_s",
             "check-config: a wrong variable is named")
    a = run("sample-config")
    tap.eq(a.stdout, slurp(ROOT + "/conf/goproxy.ini").decode(),
           "sample-config prints conf/goproxy.ini")
    a = run("check-config", "--config", place.file(a.stdout, "sample.ini"))
    tap.eq(a.returncode, 0, "the sample is right", a.stderr)
    a = run("--version")
    tap.eq((a.returncode, a.stdout != ""), (0, True), "--version")
    a = run()
    tap.ok(a.returncode != 0 and "serve" in a.stdout + a.stderr, "alone: usage",
           a.stdout + a.stderr)
    up, path = fixture.mount(), "/example.com/hello/@v/v1.0.0.mod"
    ini = place.file("[upstream]\nchain = off\n[cache]\ndir = %s\n" % place.new("store"), "y.ini")
    a = cgi({"GOPROXY_CONFIG": ini}, path)
    tap.eq(a.status, 404, "GOPROXY_CONFIG names the file", a)
    a = cgi({"GOPROXY_CONFIG": ini, "GOPROXY_UPSTREAM_CHAIN": up.url,
             "GOPROXY_SUMDB_GOSUMDB": up.sumdb()}, path)
    tap.eq(a.status, 200, "404 of 'off' isn't remembered when the chain changes", a)
    ini = place.file("[upstream]\nchain = off\n[cache]\ndir = %s\n" % place.new("store"), "z.ini")
    a = cgi({"GOPROXY_CONFIG": ini, "GOPROXY_UPSTREAM_CHAIN": up.url,
             "GOPROXY_SUMDB_GOSUMDB": up.sumdb()}, path)
    tap.eq(a.status, 200, "the environment is stronger than the file", a)
    a = cgi({"GOPROXY_UPSTREAM_CHAIN": up.url, "GOPROXY": "off", "GOPROXY_SUMDB_GOSUMDB": up.sumdb(),
             "GOPROXY_CACHE_DIR": place.new("store")}, path)
    tap.eq(a.status, 200, "GOPROXY is weaker than GOPROXY_UPSTREAM_CHAIN", a)


tap.run(globals(), jobs=3)
