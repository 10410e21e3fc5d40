#!/usr/bin/env python3
"""71-sumdb-live.t - 300 public modules: our h1 and our verdict equal the go command's.

The upstream is the first http(s) entry of `go env GOPROXY`; without an answer from it, or without
a checksum database below it, all is skipped. tests/live/modules.txt names the modules with the
sums that real projects' go.sum files give them. A pool with an empty store and the go command with
an empty cache fetch them all from the same upstream; then five things have to agree: go.sum, the
bytes that the pool sent, the .ziphash in its store, what go printed, and who was refused.

At the end the store is checked by `goproxy.fcgi verify`, and an upstream that changes a zip or
a go.mod on its way is refused by both.
"""
import base64
import collections
import concurrent.futures
import hashlib
import http.server
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import live  # noqa: E402
from harness import PROGRAM, ROOT, SLOW, Pool, files_below, hash_zip, place, program_env  # noqa: E402
from harness import settings, slurp, tap, temp_files  # noqa: E402
from live import Download, escaped  # noqa: E402

MODULES = ROOT + "/tests/live/modules.txt"
DATABASE = "sum.golang.org"
SUPPORTED = "/sumdb/%s/supported" % DATABASE
# No more than eight requests at once for the upstream: these of ours and these of go's.
OURS_AT_ONCE, GO_AT_ONCE = 5, 3
ANSWER_S = 120

# What must be among the modules: the name, how many at least, how they are told.
CATEGORIES = [
    ("golang.org/toolchain", 1, lambda m: m.path == "golang.org/toolchain"),
    ("+incompatible", 10, lambda m: m.version.endswith("+incompatible")),
    ("upper case in the path", 20, lambda m: m.path != m.path.lower()),
    ("/vN at the end of the path", 30, lambda m: re.search(r"/v[0-9]+$", m.path)),
    ("gopkg.in", 5, lambda m: m.path.startswith("gopkg.in/")),
    ("pseudo-versions", 20, lambda m: re.search(r"[-.]\d{14}-[0-9a-f]{12}(\+incompatible)?$", m.version)),
]


class Module(collections.namedtuple("Module", "path version zip_h1 mod_h1")):
    @property
    def name(self):
        return "%s@%s" % (self.path, self.version)

    def file(self, kind):
        """Below the upstream and below the store alike."""
        return "/%s/@v/%s.%s" % (escaped(self.path), escaped(self.version), kind)


def read_modules():
    lines = [line.split() for line in slurp(MODULES).decode().splitlines()]
    return [Module(*line) for line in lines if line and line[0] != "#"]


def hash_mod(data):
    """h1: of a go.mod, as it stands in go.sum."""
    line = "%s  go.mod\n" % hashlib.sha256(data).hexdigest()
    return "h1:" + base64.b64encode(hashlib.sha256(line.encode()).digest()).decode()


def hash_answer(kind, data):
    try:
        return hash_zip(data) if kind == "zip" else hash_mod(data)
    except (zipfile.BadZipFile, zlib.error, EOFError) as e:
        return "not a zip: %s" % e


def settings_for(url, store):
    return settings(url, store, sumdb_gosumdb=DATABASE)


def plain(text):
    return live.plain(text, upstream)


def none(differences, what):
    """A point that holds if there is no difference; shows the first ones."""
    return tap.ok(not differences, what, plain("%d differ\n%s" % (len(differences), "\n".join(differences[:12]))))


# What we say

class Ours:
    """The .mod and .zip of each module from a pool with an empty store: status, h1, size."""

    def __init__(self, modules):
        self.modules = modules
        self.store = place.dir("store")
        self.settings = settings_for(upstream, self.store)
        self.pool = Pool(self.settings)
        self.got, self.took_s = {}, 0.0

    def ask_all(self):
        wanted = [(m, kind) for m in self.modules for kind in ("mod", "zip")]
        # The largest first, lest all wait for it at the end.
        wanted.sort(key=lambda pair: pair[0].path != "golang.org/toolchain")
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(OURS_AT_ONCE) as executor:
            list(executor.map(self.ask, wanted))
        self.took_s = time.monotonic() - begin

    def ask(self, pair):
        module, kind = pair
        answer = self.pool.get(module.file(kind), timeout_s=ANSWER_S)
        good = answer.status == 200 and not answer.cut
        # Only the hash stays: all the zips together are large.
        self.got[module, kind] = {"good": good, "size": answer.length, "text": "" if good else str(answer),
                                  "h1": hash_answer(kind, answer.body) if good else None}

    def h1(self, module, kind):
        return self.got[module, kind]["h1"]

    def ziphash(self, module):
        path = self.store + "/download" + module.file("ziphash")
        return slurp(path).decode().strip() if os.path.exists(path) else "missing"

    def compare_with_go_sum(self):
        many = len(self.modules)
        none([a["text"] for a in self.got.values() if not a["good"]], "%d modules: .mod and .zip are served" % many)
        none(["%s: %s, go.sum %s" % (m.name, self.h1(m, "mod"), m.mod_h1) for m in self.modules
              if self.h1(m, "mod") != m.mod_h1], "%d modules: h1 of go.mod is go.sum's" % many)
        none(["%s: %s, go.sum %s" % (m.name, self.h1(m, "zip"), m.zip_h1) for m in self.modules
              if self.h1(m, "zip") != m.zip_h1], "%d modules: h1 of the zip is go.sum's" % many)
        none(["%s: %s, go.sum %s" % (m.name, self.ziphash(m), m.zip_h1) for m in self.modules
              if self.ziphash(m) != m.zip_h1], "%d modules: .ziphash in the store is go.sum's" % many)

    def compare_with_go(self, run):
        answers = {a["Path"] + "@" + a["Version"]: a for a in run.answers()}
        tap.ok(run.good, "go mod download of the same modules", plain(run.err + run.out[-1000:]))
        wrong = []
        for m in self.modules:
            go = answers.get(m.name, {"Error": "go doesn't mention it"})
            good = all(self.got[m, kind]["good"] for kind in ("mod", "zip"))
            if good != ("Error" not in go):
                wrong.append("%s: ours %s, go's %s" % (m.name, good, go.get("Error", "good")))
            elif (go.get("Sum"), go.get("GoModSum")) != (self.h1(m, "zip"), self.h1(m, "mod")):
                wrong.append("%s: ours %s %s, go's %s %s" % (m.name, self.h1(m, "zip"), self.h1(m, "mod"),
                                                             go.get("Sum"), go.get("GoModSum")))
        none(wrong, "%d modules: our verdict and sums are go's" % len(self.modules))


def check_modules(modules):
    tap.eq(len(set(m.name for m in modules)), 300, "300 modules")
    for what, least, told in CATEGORIES:
        found = sum(1 for m in modules if told(m))
        tap.ok(found >= least, "%d of them: %s" % (found, what), "at least %d are needed" % least)


def check_store(ours):
    what = "verify proves every file of theirs, offline"
    done = subprocess.run([PROGRAM, "verify", "--json"], env=program_env(ours.settings), capture_output=True,
                          text=True, timeout=ANSWER_S * SLOW)
    total = json.loads(done.stdout.splitlines()[-1])
    # A .mod, a .zip and a lookup each, and tiles.
    tap.ok(done.returncode == 0 and total["proven"] > 3 * len(ours.modules) and total["unproven"] == total["wrong"] == 0,
           what, plain("status %d\n%s%s" % (done.returncode, done.stderr, done.stdout)))


# An upstream that lies

def flip_byte(data):
    """One bit in the middle."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def change_file(data):
    """A zip without any fault, but for one line more in its last file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        last = old.namelist()[-1]
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b"\n// more\n" if name == last else b""))
    return out.getvalue()


class Liar(http.server.ThreadingHTTPServer):
    """Passes everything on from the upstream, but for the files that it was told to change."""

    def __init__(self, lies):
        super().__init__(("127.0.0.1", 0), LiarHandler)
        self.lies, self.told = lies, set()
        self.url = "http://127.0.0.1:%d" % self.server_port
        threading.Thread(target=self.serve_forever, daemon=True).start()


class LiarHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        path = urllib.parse.unquote(self.path)
        status, kind, body = fetch(self.path)
        if path in self.server.lies and status == 200:
            body = self.server.lies[path](body)
            self.server.told.add(path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def fetch(path):
    """(status, content type, body) of the upstream."""
    try:
        with urllib.request.urlopen(upstream.rstrip("/") + path, timeout=30 * SLOW) as answer:
            return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Content-Type", ""), e.read()


def check_lies(modules):
    """Whatever isn't what the checksum database says is refused, by us as by go, and not kept."""
    by_name = {m.name: m for m in modules}
    honest = by_name["github.com/NYTimes/gziphandler@v1.1.1"]
    other = by_name["github.com/BurntSushi/toml@v0.3.1"]
    cases = [
        ("a zip with one bit flipped", by_name["github.com/MakeNowJust/heredoc@v1.0.0"], "zip", flip_byte),
        ("a zip with one line more", by_name["github.com/Masterminds/goutils@v1.1.1"], "zip", change_file),
        ("the go.mod of another version", by_name["github.com/BurntSushi/toml@v1.5.0"], "mod",
         lambda data: fetch(other.file("mod"))[2]),
    ]
    liar = Liar({m.file(kind): lie for _, m, kind, lie in cases})
    store = place.dir("store")
    pool = Pool(settings_for(liar.url, store))
    tap.eq([pool.get(honest.file(kind), timeout_s=ANSWER_S).status for kind in ("mod", "zip")], [200, 200],
           "what the liar leaves alone is served")
    answers = [pool.get(m.file(kind), timeout_s=ANSWER_S) for _, m, kind, _ in cases]
    pool.stop()
    tap.eq(temp_files(store), [], "no temporary file is left")
    run = Download(liar.url, [honest.name] + [m.name for _, m, _, _ in cases], GOSUMDB=DATABASE)
    errors = {a["Path"] + "@" + a["Version"]: a.get("Error", "") for a in run.answers()}
    tap.eq(errors.get(honest.name), "", "what the liar leaves alone is good for go")
    tap.eq(liar.told, set(liar.lies), "every lie was told")
    for (what, m, _, _), answer in zip(cases, answers):
        tap.eq(answer.status, 502, what + ": 502", plain(answer))
        kept = [f for f in files_below(store + "/download") if not f.endswith(".lock")
                and ("/" + f).startswith(m.file("")[:-1])]
        tap.eq(kept, [], what + ": nothing is kept")
        tap.ok(errors.get(m.name), what + ": refused by go, too", plain(run.err + run.out))
    liar.shutdown()
    liar.server_close()
    run.remove()


def main():
    modules = read_modules()
    check_modules(modules)
    ours = Ours(modules)
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        # Go's own limit of downloads at once is GOMAXPROCS.
        go = executor.submit(Download, upstream, [m.name for m in modules], GOSUMDB=DATABASE,
                             GOMAXPROCS=str(GO_AT_ONCE))
        ours.ask_all()
        run = go.result()
    ours.pool.stop()
    ours.compare_with_go_sum()
    ours.compare_with_go(run)
    tap.say("%d modules, %.0f MB; we took %.1f s, go %.1f s" %
            (len(modules), sum(a["size"] for a in ours.got.values()) / 1e6, ours.took_s, run.took_s))
    run.remove()
    check_store(ours)
    check_lies(modules)
    print("1..%d" % tap.count, flush=True)
    sys.exit(1 if tap.failed else 0)


upstream = live.find_upstream(SUPPORTED)
main()
