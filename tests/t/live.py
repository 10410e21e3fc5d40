"""live - what the tests that ask a real upstream share: the upstream, and the go command without us."""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

from harness import ROOT, SLOW, children, clip, place, slurp

LIVE = ROOT + "/tests/live/go.mod"
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")


def skip_all(why):
    print("1..0 # SKIP skipped: " + why, flush=True)
    sys.exit(0)


def find_upstream(*needed):
    """The URL of the first http(s) entry of `go env GOPROXY`; ends the test where there is none.

    needed   more paths below it without which the test makes no sense
    """
    if not GO:
        skip_all("there is no go command")
    chain = subprocess.run([GO, "env", "GOPROXY"], env=dict(os.environ, GOTOOLCHAIN="local"), cwd=place.path,
                           capture_output=True, text=True).stdout.strip()
    urls = [u for u in re.split("[,|]", chain) if re.match("https?://", u)]
    if not urls:
        skip_all("go env GOPROXY names no http(s) proxy")
    module, version = re.search(r"^require (\S+) (\S+)", slurp(LIVE).decode(), re.M).groups()
    for path in ("/%s/@v/%s.mod" % (module, version), *needed):
        try:
            with urllib.request.urlopen(urls[0].rstrip("/") + path, timeout=5) as answer:
                answer.read()
        except urllib.error.HTTPError as e:
            skip_all("the upstream hasn't got %s: status %d" % (path, e.code))
        except OSError as e:
            skip_all("the upstream doesn't answer: %s" % getattr(e, "reason", e))
    return urls[0]


def plain(text, upstream):
    """Without the upstream's name, which is nobody's business in a log."""
    return clip(str(text).replace(re.sub("^https?://", "", upstream).split("/")[0], "UPSTREAM"), 3000)


def escaped(name):
    return re.sub("[A-Z]", lambda m: "!" + m[0].lower(), name)


class Download:
    """One `go mod download` with a home of its own: of the project, or of some modules."""

    def __init__(self, goproxy, modules=(), **env):
        self.dir = place.dir("go")
        if not modules:
            shutil.copy(LIVE, self.dir + "/go.mod")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("GO")}
        clean.update(GOPROXY=goproxy, GOMODCACHE=self.dir + "/mod", GOPATH=self.dir + "/path", GOENV="off",
                     GOFLAGS="-modcacherw", GOTOOLCHAIN="local", GOWORK="off", GO111MODULE="on", **env)
        begin = time.monotonic()
        command = [GO, "mod", "download"] + (["-json", *modules] if modules else [])
        process = children.add(subprocess.Popen(command, env=clean, cwd=self.dir, stdin=subprocess.DEVNULL,
                                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        self.out, self.err = process.communicate(timeout=240 * SLOW)
        self.took_s = time.monotonic() - begin
        self.good = process.returncode == 0
        self.cache = self.dir + "/mod/cache/download"

    def answers(self):
        """What go has printed of named modules: Path, Version, Sum, GoModSum, Error..."""
        # One JSON object after the other, without anything between.
        at, decoder, text = 0, json.JSONDecoder(), self.out.strip()
        while at < len(text):
            one, at = decoder.raw_decode(text, at)
            at = re.compile(r"\s*").match(text, at).end()
            yield one

    def sums(self):
        """go.sum's lines; of named modules those that go has printed."""
        if os.path.exists(self.dir + "/go.sum"):
            return set(slurp(self.dir + "/go.sum").decode().splitlines())
        found = set()
        for one in self.answers():
            found.add("%s %s %s" % (one["Path"], one["Version"], one.get("Sum")))
            found.add("%s %s/go.mod %s" % (one["Path"], one["Version"], one.get("GoModSum")))
        return found

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
