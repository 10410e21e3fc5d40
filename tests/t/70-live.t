#!/usr/bin/env python3
"""70-live.t - a real project's modules from a real upstream, through every server.

The upstream is the first http(s) entry of `go env GOPROXY`; without an answer from it all is
skipped. tests/live/go.mod names the project. The go command downloads

    directly              what is right: go.sum and every file of GOMODCACHE/cache/download
    nginx, cold           into an empty store, checksum database included
    every server, hot     from that store, with `off` as upstream: nothing can be asked for
    every server, cold    a few modules into a store of their own, checksum database included

and each time go.sum (or the sums printed) and every .info, .mod, .zip and .ziphash must be the
same bytes. The hot runs do without the checksum database: which tiles a client asks for depends
on the order in which it happens to look modules up; their go.sum is compared instead.

    70-live.t [SERVER...]    only these servers for the last two
    LIVE_JOBS=N              how many servers at once (2)
"""
import concurrent.futures
import filecmp
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import live  # noqa: E402
from harness import place, slurp, tap  # noqa: E402
from live import Download, escaped  # noqa: E402
from webrun import WebRun, installed  # noqa: E402

SERVERS = ["nginx", "lighttpd", "lighttpd-spawn", "apache-proxy", "apache-fcgid", "apache-cgi", "lighttpd-cgi"]
KINDS = (".info", ".mod", ".zip", ".ziphash")
MODULES_MIN = 150
FEW = 8


def module_files(base):
    found = set()
    for folder, _, names in os.walk(base):
        if folder.endswith("/@v"):
            found.update(os.path.relpath(folder + "/" + n, base) for n in names if n.endswith(KINDS))
    return found


def same(one, other):
    return filecmp.cmp(one, other, shallow=False)


def same_content(one, other):
    """As for a store: the go command writes an .info anew when it keeps it, we don't."""
    if not one.endswith(".info"):
        return same(one, other)
    a, b = json.loads(slurp(one)), json.loads(slurp(other))
    return (a["Version"], a["Time"]) == (b["Version"], b["Time"])


def differences(base, other, names, same=same):
    """What is missing or different in other, a line each."""
    found = []
    for name in sorted(names):
        if not os.path.exists(other + "/" + name):
            found.append(name + ": missing")
        elif not same(base + "/" + name, other + "/" + name):
            found.append(name + ": differs")
    return found


def plain(text):
    return live.plain(text, upstream)


class Right:
    """What the go command gets without us."""

    def __init__(self):
        self.run = Download(upstream)
        self.sums, self.files = self.run.sums(), module_files(self.run.cache)
        self.zips = [f for f in self.files if f.endswith(".zip")]
        tap.ok(self.run.good, "directly: go mod download", plain(self.run.err))
        tap.ok(len(self.zips) >= MODULES_MIN, "directly: at least %d modules" % MODULES_MIN, len(self.zips))
        size = sum(os.path.getsize(self.run.cache + "/" + f) for f in self.files)
        tap.say("directly: %d modules, %d files, %.0f MB, %d lines in go.sum, %.1f s" %
                (len(self.zips), len(self.files), size / 1e6, len(self.sums), self.run.took_s))

    def few(self):
        """Small modules as MODULE@VERSION; one with capitals and an incompatible one, if any, among them."""
        by_size = sorted(self.zips, key=lambda f: os.path.getsize(self.run.cache + "/" + f))
        special = [next((f for f in by_size if mark in f), None) for mark in ("!", "+incompatible", "gopkg.in/")]
        chosen = [f for f in special if f] + by_size
        chosen = list(dict.fromkeys(chosen))[:FEW]
        return [re.sub("!(.)", lambda m: m[1].upper(), f[:-len(".zip")].replace("/@v/", "@")) for f in chosen]

    def compare(self, what, run):
        tap.ok(run.good, what + ": go mod download", plain(run.err))
        tap.ok(run.sums() == self.sums, what + ": go.sum is the same", plain(sorted(run.sums() ^ self.sums)))
        wrong = differences(self.run.cache, run.cache, self.files)
        wrong += [f + ": not there without us" for f in module_files(run.cache) - self.files]
        tap.ok(not wrong, what + ": all %d files are the same" % len(self.files), "\n".join(wrong[:20]))

    def compare_few(self, what, run, modules):
        tap.ok(run.good, what + ": go mod download", plain(run.err + run.out))
        names = ["%s/@v/%s%s" % (*map(escaped, m.split("@")), kind) for m in modules for kind in KINDS]
        # go.sum needn't have the zip of a module that gives no package to the build.
        expected = {"%s %s %s" % (*m.split("@"), slurp(self.run.cache + "/" + name).decode().strip())
                    for m, name in zip(modules, [n for n in names if n.endswith(".ziphash")])}
        expected |= {line for line in self.sums for m in modules if line.startswith(m.replace("@", " ") + "/go.mod ")}
        got = run.sums() if run.good else set()
        tap.ok(len(got) == 2 * len(modules) and got == expected, what + ": the sums are the same",
               plain(sorted(got ^ expected)))
        wrong = differences(self.run.cache, run.cache, names)
        tap.ok(not wrong, what + ": all %d files are the same" % len(names), "\n".join(wrong[:20]))


def cold(right, store):
    """All through nginx into the empty store."""
    web = WebRun("nginx", upstream, store).ready()
    run = Download(web.url)
    web.end()
    right.compare("nginx, cold", run)
    wrong = differences(right.run.cache, store + "/download", right.files, same_content)
    tap.ok(not wrong, "nginx, cold: the store holds the same as Go's own cache", "\n".join(wrong[:20]))
    asked = web.accesses()
    tap.ok(any("/sumdb/" in line for line in asked), "nginx, cold: the checksum database was asked through us")
    tap.say("nginx, cold: %d requests, %.1f s" % (len(asked), run.took_s))
    if not run.good:
        tap.say(plain(web.log()[-3000:]))
    run.remove()


def server(name, right, store, modules):
    if not installed(name):
        tap.skip(name, "not installed")
        return
    web = WebRun(name, "off", store).ready()
    run = Download(web.url, GOSUMDB="off")
    web.end()
    right.compare(name + ", hot, upstream off", run)
    asked = web.accesses()
    tap.ok(len(asked) >= len(right.sums), name + ", hot: the requests went through it", len(asked))
    tap.say("%s, hot: %d requests, none of them upstream, %.1f s" % (name, len(asked), run.took_s))
    run.remove()

    web = WebRun(name, upstream, place.dir("store")).ready()
    run = Download(web.url, modules)
    web.end()
    right.compare_few(name + ", cold, %d modules" % len(modules), run, modules)
    if not run.good:
        tap.say(plain(web.log()[-3000:]))
    tap.say("%s, cold: %d requests, %.1f s" % (name, len(web.accesses()), run.took_s))
    run.remove()


def main():
    right = Right()
    if not right.run.good:
        # The upstream's fault, or the network's: nothing that we could be held against.
        print("1..%d" % tap.count, flush=True)
        sys.exit(1)
    store = place.dir("store")
    cold(right, store)
    names = [s for s in SERVERS if not sys.argv[1:] or s in sys.argv[1:]]
    modules = right.few()
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("LIVE_JOBS", "2"))) as executor:
        jobs = {name: executor.submit(server, name, right, store, modules) for name in names}
        for name, job in jobs.items():
            error = job.exception()
            if error:
                tap.ok(False, name + " runs to its end", "%s: %s" % (type(error).__name__, plain(str(error))))
    print("1..%d" % tap.count, flush=True)
    sys.exit(1 if tap.failed else 0)


upstream = live.find_upstream()
main()
