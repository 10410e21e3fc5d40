#!/usr/bin/env python3
"""70-live.t - a real project's modules from a real upstream, through every server.

The upstream is the first http(s) entry of `go env GOPROXY`; without an answer from it all is
skipped. tests/live/go.mod names the project. `go mod download` runs

    directly              what is right: go.sum and every file of GOMODCACHE/cache/download
    nginx, cold           into an empty store, checksum database included
    every server, hot     from that store, with `off` as upstream: nothing may be asked for
    every server, cold    a few modules into a store of their own, checksum database included

and each time go.sum and every .info, .mod, .zip and .ziphash must be the same bytes.

    70-live.t [SERVER...]    only these servers for the last two
    LIVE_JOBS=N              how many servers at once (2)
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PROGRAM, ROOT, SLOW, children, clip, place, slurp, tap, wait_until  # noqa: E402

RUN = ROOT + "/httpd-examples/run"
LIVE = ROOT + "/tests/live/go.mod"
SERVERS = ["nginx", "lighttpd", "lighttpd-spawn", "apache-proxy", "apache-fcgid", "apache-cgi", "lighttpd-cgi"]
KINDS = (".info", ".mod", ".zip", ".ziphash")
MODULES_MIN = 150
FEW = 8
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")


def skip_all(why):
    print("1..0 # SKIP skipped: " + why, flush=True)
    sys.exit(0)


def go_env(name):
    env = dict(os.environ, GOTOOLCHAIN="local")
    return subprocess.run([GO, "env", name], env=env, cwd=place.path, capture_output=True, text=True).stdout.strip()


def find_upstream():
    """The upstream's URL; ends the test where there is none."""
    if not GO:
        skip_all("there is no go command")
    urls = [u for u in re.split("[,|]", go_env("GOPROXY")) if re.match("https?://", u)]
    if not urls:
        skip_all("go env GOPROXY names no http(s) proxy")
    first = re.search(r"^require (\S+) (\S+)", slurp(LIVE).decode(), re.M)
    url = "%s/%s/@v/%s.mod" % (urls[0].rstrip("/"), re.sub("[A-Z]", lambda m: "!" + m[0].lower(), first[1]), first[2])
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
    except urllib.error.HTTPError as e:
        skip_all("the upstream doesn't have %s: status %d" % (first[1], e.code))
    except OSError as e:
        skip_all("the upstream doesn't answer: %s" % (getattr(e, "reason", e)))
    return urls[0]


upstream = find_upstream()


# The go command

class Download:
    """One `go mod download` with a home of its own."""

    def __init__(self, goproxy, modules=(), **env):
        self.dir = place.dir("go")
        shutil.copy(LIVE, self.dir + "/go.mod")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GO") and k != "MAKEFLAGS"}
        clean.update(GOPROXY=goproxy, GOMODCACHE=self.dir + "/mod", GOPATH=self.dir + "/path",
                     GOFLAGS="-modcacherw", GOTOOLCHAIN="local", GOWORK="off", GOENV="off", **env)
        begin = time.monotonic()
        if modules:
            # Outside of a module, so that nothing but these is asked for.
            os.unlink(self.dir + "/go.mod")
            slurp_sum(self.dir, modules)
        self.process = children.add(subprocess.Popen([GO, "mod", "download"], env=clean, cwd=self.dir,
                                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        self.text, _ = self.process.communicate(timeout=280 * SLOW)
        self.took_s = time.monotonic() - begin
        self.good = self.process.returncode == 0
        self.cache = self.dir + "/mod/cache/download"

    def sum(self):
        path = self.dir + "/go.sum"
        return sorted(slurp(path).splitlines()) if os.path.exists(path) else []

    def files(self):
        return module_files(self.cache)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def slurp_sum(folder, modules):
    """A module that requires just these."""
    with open(folder + "/go.mod", "w") as f:
        f.write("module live.test/few\n\ngo 1.16\n\nrequire (\n%s)\n" % "".join("\t%s %s\n" % m for m in modules))


def module_files(base):
    found = set()
    for folder, _, names in os.walk(base):
        if folder.endswith("/@v"):
            found.update(os.path.relpath(folder + "/" + n, base) for n in names if n.endswith(KINDS))
    return found
