#!/usr/bin/env python3
"""40-go.t - the go command's own test scripts, through us behind nginx.

GOROOT/src/cmd/go holds some 900 scripts and a module proxy that serves them from testdata/mod,
with a checksum database. Their test binary is built as it is but for two lines, which -overlay
replaces by temporary copies, so that each script gets a GOPROXY of our choice:

    go command -> /s/SCRIPT/mod/... on a front nginx, which only takes "/s/SCRIPT" off and notes it
               -> httpd-examples/run with SERVER=nginx and PREFIX_PATH=/mod
               -> goproxy.fcgi -> the test proxy

Paths by which the test proxy misbehaves (/mod/404, /mod/redirect/9, /mod/sumdb-503 ...) get a run
of ours each, with that path as upstream; STRAIGHT names those for which that makes no sense.

All scripts run with -short, then those skipped for it which may need the proxy without. One that
never asks the proxy isn't counted. One that fails is run again without us: if it fails then too,
it's this machine's or the network's fault, and isn't counted.

    40-go.t [SCRIPT...]    only these, without -short
    GO_SCRIPTS_JOBS=N      scripts at once (4)
    GO_SCRIPTS_KEEP=DIR    where to leave the output of the scripts
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ROOT, SLOW, bail, children, clip, free_port, place, slurp, tap, wait_until  # noqa: E402
from webrun import WebRun, installed  # noqa: E402

GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
BUILD = place.dir("build")
JOBS = os.environ.get("GO_SCRIPTS_JOBS", "4")
KEEP = os.environ.get("GO_SCRIPTS_KEEP") or place.dir("out")

# The scripts' checksum database (testSumDBVerifierKey in proxy_test.go).
SUMDB_KEY = "localhost.localdev/sumdb+00000c67+AcTrnkbUA+TU4heY3hkjiSES/DSQniBqIeQ/YppAUtK6"

# Not through us, by the first element after /mod/.
STRAIGHT = {
    "sumdb-direct": "the script's GOSUMDB names another address than the proxy",
    "sumdb-wrong": "the script's GOSUMDB names another address than the proxy",
    "sumdb-redirect": "the script's GOSUMDB names another address than the proxy",
    "invalid": "the client shall see a proxy's broken answer; ours is a 502",
    "403": "the client shall see this status; ours for it is a 502",
    "500": "the client shall see this status; ours for it is a 502",
    "sumdb-503": "the client shall see this status; ours for it is a 502",
}

# Scripts that want the client to refuse a zip that we have refused before, or whose database knows
# other files than the proxy serves (those with a dot in front) while go.sum says what is right; what
# they say then.
REFUSED = {
    "mod_invalid_path_dotname": r"dotname\S*\.zip: 502 Bad Gateway\s+server response: .*checksum mismatch",
    "mod_bad_filenames": r"badfile[2-5]\S*\.zip: 502 Bad Gateway\s+server response: .*bad zip",
    "mod_load_badzip": r"badzip\S*\.zip: 502 Bad Gateway\s+server response: .*bad zip",
}

# A script with none of these words can't need a proxy; only for those that take long.
NEEDS = re.compile(r"\brequire\b|go get|@v?\d|@latest|@upgrade|@patch|GOPROXY|toolchain"
                   r"|go mod (tidy|download|vendor|why|graph|verify)")
GOES_ROUND = re.compile(r"^env GOPROXY=(direct|off)$", re.M)


def skip_all(why):
    print("1..0 # SKIP skipped: " + why, flush=True)
    sys.exit(0)


# The go command's test binary

def go_env(name):
    env = dict(os.environ, GOTOOLCHAIN="local")
    return subprocess.run([GO, "env", name], env=env, cwd="/", capture_output=True, text=True).stdout.strip()


def find_source():
    if not GO:
        skip_all("there is no go command")
    version = re.search(r"go1\.(\d+)", go_env("GOVERSION"))
    if version and int(version[1]) < 21:
        skip_all("go is older than 1.21")
    source = os.path.realpath(go_env("GOROOT")) + "/src/cmd/go"
    if not os.path.isdir(source + "/testdata/script") or not os.path.exists(source + "/proxy_test.go"):
        skip_all("no GOROOT/src/cmd/go with its tests (golang-src has it on Debian)")
    if not NGINX or not installed("nginx"):
        skip_all("nginx isn't installed")
    return source


def changed(name, old, new):
    """A copy of one of the go command's files with one line changed."""
    text = slurp(source + "/" + name).decode()
    if text.count(old) != 1:
        skip_all("%s of this go version isn't as expected" % name)
    path = BUILD + "/" + name
    with open(path, "w") as f:
        f.write(text.replace(old, new))
    return path


def build_binary():
    replace = {
        source + "/proxy_test.go":
            changed("proxy_test.go", "http.HandlerFunc(proxyHandler)", "checkHandler(proxyHandler)"),
        source + "/script_test.go":
            changed("script_test.go", "telemetryDir := initScriptDirs(t, s)\n",
                    "telemetryDir := initScriptDirs(t, s)\n"
                    "\t\t\tif err := checkScript(s.Setenv, file); err != nil {\n\t\t\t\tt.Fatal(err)\n\t\t\t}\n"),
        source + "/goproxy_check_test.go": ROOT + "/tests/go/scripts_test.go",
    }
    with open(BUILD + "/overlay.json", "w") as f:
        json.dump({"Replace": replace}, f)
    command = [GO, "test", "-c", "-overlay", BUILD + "/overlay.json", "-o", BUILD + "/go.test", "."]
    env = {k: v for k, v in os.environ.items() if k not in ("GOFLAGS", "GOPROXY")}
    env.update(GOTOOLCHAIN="local", GOPROXY="off", GOFLAGS="", GOENV="off", GOWORK="off")
    done = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        bail("cannot build the go command's tests:\n# " + clip(done.stderr, 3000).replace("\n", "\n# "))


class TestProxy:
    """The scripts' own proxy, in a process of its own: our upstream."""

    def __init__(self):
        self.log = place.new("testproxy.log")
        out = place.new("testproxy.out")
        env = dict(os.environ, GOPROXY_CHECK_LOG=self.log)
        with open(out, "wb") as f:
            children.add(subprocess.Popen([BUILD + "/go.test", "-proxy=localhost:0"], cwd=source, env=env,
                                          stdin=subprocess.DEVNULL, stdout=f, stderr=f))
        line = wait_until(lambda: re.search(r"GOPROXY=http://\S+:(\d+)/mod\s", slurp(out).decode()),
                          "the test proxy", 60)
        self.address = "127.0.0.1:" + line[1]
        self.url = "http://%s/mod" % self.address
        self.script_url = "http://%s/s/%%s/mod" % self.address

    def requests(self):
        """(script or "-", User-Agent, method, path) of each."""
        return [line.split("\t") for line in slurp(self.log).decode("utf-8", "replace").splitlines()]


# What stands in between

def variants():
    """The special paths below GOPROXY that the scripts use."""
    found = set()
    for name in os.listdir(source + "/testdata/script"):
        text = slurp(source + "/testdata/script/" + name).decode("utf-8", "replace")
        found.update(re.findall(r"\$\{?(?:proxy|GOPROXY|GOPROXYBASE)\}?/([a-z]+-[a-z0-9]+|[a-z]+/\d+|[a-z]+|\d+)\b",
                                text))
    return sorted(found)


class Between:
    """The front nginx, and ours behind it."""

    def __init__(self, proxy):
        self.proxy, self.dir, self.runs = proxy, place.dir("front"), {}
        common = {"GOPROXY_CACHE_LIST_TTL_S": "86400", "GOPROXY_CACHE_NEGATIVE_TTL_S": "86400",
                  "GOPROXY_UPSTREAM_RETRIES": "0"}
        for variant in [""] + variants():
            if variant.split("/")[0] in STRAIGHT:
                continue
            path = "/" + variant if variant else ""
            # What a special path lacks must not come from somewhere else.
            database = "%s %s/%s" % (
                SUMDB_KEY, proxy.url,
                variant + "/sumdb/localhost.localdev/sumdb" if variant else "sumdb-direct")
            if re.search("404|410", variant):
                database = "off"
            self.runs[variant] = WebRun("nginx", proxy.url + path, place.dir("store"), PREFIX_PATH="/mod" + path,
                                        GOPROXY_SERVER_PROCESSES="1" if variant else "2",
                                        GOPROXY_SUMDB_GOSUMDB=database, **common)
        for run in self.runs.values():
            run.ready()
        self.start()

    def configuration(self, port):
        """nginx passes on the target as it came, but without /s/SCRIPT."""
        names = sorted(self.runs, key=len, reverse=True)
        ours = ["    '~^/s/[^/]+(?<rest%d>/mod%s/.*)$' %s$rest%d;" %
                (i, "/" + v if v else "", re.search(r"127\.0\.0\.1:\d+", self.runs[v].url)[0], i)
                for i, v in enumerate(names)]
        straight = ["    '~^/s/[^/]+/mod/%s/' %s$request_uri;" % (v, self.proxy.address) for v in STRAIGHT]
        return "\n".join([
            "user root;" if os.geteuid() == 0 else "", "daemon off;", "worker_processes 1;",
            "pid %s/pid;" % self.dir, "error_log stderr warn;", "events { worker_connections 2048; }", "http {",
            "  log_format check '$request_uri\\t$status\\t$request_method\\t$upstream_addr\\t$target';",
            "  access_log %s/access.log check;" % self.dir,
            *["  %s_temp_path %s/%s;" % (kind, self.dir, kind)
              for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")],
            "  map $request_uri $target {", "    default 127.0.0.1:1/;", *straight, *ours, "  }",
            "  server {", "    listen 127.0.0.1:%d;" % port, "    location / {", "      proxy_pass http://$target;",
            "      proxy_http_version 1.1;", "      proxy_redirect off;", "      proxy_read_timeout 120s;",
            "    }", "  }", "}", ""])

    def start(self):
        for _ in range(5):
            port = free_port()
            with open(self.dir + "/nginx.conf", "w") as f:
                f.write(self.configuration(port))
            with open(self.dir + "/error.log", "wb") as err:
                self.process = children.add(subprocess.Popen(
                    [NGINX, "-p", self.dir, "-e", "stderr", "-c", self.dir + "/nginx.conf"],
                    stdin=subprocess.DEVNULL, stdout=err, stderr=err))
            wait_until(lambda: self.process.poll() is not None or os.path.exists(self.dir + "/pid"), "the front", 20)
            if self.process.poll() is None:
                self.script_url = "http://127.0.0.1:%d/s/%%s/mod" % port
                return
        bail("the front nginx doesn't start: " + slurp(self.dir + "/error.log").decode())

    def requests(self):
        """(script, variant, whether through us, status, target) of each so far."""
        found = []
        for line in slurp(self.dir + "/access.log").decode("utf-8", "replace").splitlines():
            target, status, method, _, sent_to = line.split("\t")
            script, path = re.match(r"/s/([^/]+)/mod/(.*)", target).groups()
            straight = sent_to.startswith(self.proxy.address)
            variant = path.split("/")[0] if straight else next(
                v for v in sorted(self.runs, key=len, reverse=True) if not v or path.startswith(v + "/"))
            found.append((script, variant, not straight, status, method + " /" + path))
        return found

    def end(self):
        children.stop(self.process)
        for run in self.runs.values():
            run.end()


# The scripts

class Outcome:
    """What `go test -v` said: script -> PASS, FAIL, SKIP, and its output."""

    def __init__(self, text):
        self.verdicts = {m[2]: m[1] for m in re.finditer(r"^    --- (PASS|FAIL|SKIP): TestScript/(\S+) \(", text, re.M)}
        self.verdicts.pop("README", None)
        self.text, self.output = text, None

    def __call__(self, name):
        return self.verdicts.get(name)

    def of(self, name):
        """The script's own lines; other scripts' stand between them."""
        if self.output is None:
            self.output, current = {}, None
            for line in self.text.splitlines():
                mark = re.match(r"=== (?:RUN|CONT|NAME|PAUSE) +TestScript/(\S+)", line)
                end = re.match(r"    --- \w+: TestScript/(\S+)", line)
                if mark:
                    current = mark[1]
                elif end:
                    current = None
                elif current:
                    self.output.setdefault(current, []).append(line)
        return "\n".join(self.output.get(name, []))

    def last_command(self, name):
        return ([""] + re.findall(r"^ +> (.*)", self.of(name), re.M))[-1]

    def why(self, name):
        """Its last command and what came of it."""
        lines = self.of(name).splitlines()
        at = max([i for i, line in enumerate(lines) if "FAIL: testdata" in line] or [len(lines)])
        return "\n".join(lines[max(0, at - 12):at + 4])


def run_scripts(what, url, names=None, short=False, timeout_s=600):
    """Run all scripts, or those named."""
    pattern = "TestScript" if names is None else "TestScript/^(%s)$" % "|".join(map(re.escape, names))
    command = [BUILD + "/go.test", "-test.v", "-test.run=" + pattern, "-test.parallel=" + JOBS,
               "-test.timeout=%ds" % (timeout_s * SLOW)] + (["-test.short"] if short else [])
    env = {k: v for k, v in os.environ.items() if not re.match("GO(PROXY|FLAGS|SUMDB|NO|PRIVATE|ENV|WORK|INSECURE)", k)}
    env.update(GOPROXY_CHECK_URL=url, GOTOOLCHAIN="local")
    begin = time.monotonic()
    with open(KEEP + "/%s.out" % what, "w+b") as out:
        process = children.add(subprocess.Popen(command, cwd=source, env=env, stdin=subprocess.DEVNULL,
                                                stdout=out, stderr=subprocess.STDOUT))
        process.wait()
        out.seek(0)
        outcome = Outcome(out.read().decode("utf-8", "replace"))
    tap.say("%s: %d scripts, %.0f s" % (what, len(outcome.verdicts), time.monotonic() - begin))
    if not outcome.verdicts:
        tap.ok(False, what + ": the scripts run", clip(outcome.text[-3000:], 3000))
    return outcome


def long_ones(outcome):
    """Scripts skipped by -short that may need the proxy."""
    found = []
    for name, verdict in sorted(outcome.verdicts.items()):
        text = slurp("%s/testdata/script/%s.txt" % (source, name)).decode("utf-8", "replace")
        goes_round = GOES_ROUND.search(text) and not re.search(r"\$\{?(proxy|GOPROXY)", text)
        if verdict == "SKIP" and re.search(r"\[short\]|\[!short\]", text) and NEEDS.search(text) and not goes_round:
            found.append(name)
    return found


def judge(outcomes, between, proxy):
    """A test point for each script that asked the proxy."""
    verdict, where = {}, {}
    for outcome in outcomes:
        for name, v in outcome.verdicts.items():
            verdict[name], where[name] = v, outcome
    asked = {}
    for script, _, through, _, _ in between.requests():
        asked[script] = asked.get(script, 0) + through
    failed = sorted(n for n, v in verdict.items() if v == "FAIL" and n in asked)
    # A script may also fail before its first request.
    quiet = sorted(n for n, v in verdict.items() if v == "FAIL" and n not in asked)
    without = run_scripts("without us", proxy.script_url, failed + quiet) if failed + quiet else None
    suspects = [n for n in failed + quiet if n not in REFUSED and without(n) == "PASS"]
    again = run_scripts("again", between.script_url, suspects) if suspects else None
    for name in sorted(asked):
        one_point(name, asked[name], verdict.get(name), where.get(name), without, again)
    for name in quiet:
        if without(name) == "PASS":
            one_point(name, 0, "FAIL", where[name], without, again)
    return verdict, asked


def one_point(name, count, verdict, outcome, without, again):
    what = "%s (%d requests)" % (name, count)
    if verdict == "PASS" and count == 0:
        tap.skip(what, "its requests all go straight")
    elif verdict == "PASS":
        tap.ok(True, what)
    elif verdict == "SKIP":
        tap.skip(what, "the script ends itself: " + outcome.last_command(name))
    elif verdict is None:
        tap.ok(False, what + " runs to its end")
    elif name in REFUSED:
        tap.like(outcome.of(name), REFUSED[name], what + ": refused by us before the client can")
    elif without(name) != "PASS":
        tap.skip(what, "fails without us")
    elif again(name) == "PASS":
        tap.ok(True, what)
        tap.say(name + " failed at first, but not alone:\n" + outcome.why(name))
    else:
        tap.ok(False, what, clip(again.why(name), 3000))


def main():
    build_binary()
    proxy = TestProxy()
    between = Between(proxy)
    if sys.argv[1:]:
        outcomes = [run_scripts("named", between.script_url, sys.argv[1:])]
    else:
        outcomes = [run_scripts("short", between.script_url, short=True)]
        outcomes.append(run_scripts("long", between.script_url, long_ones(outcomes[0])))
    judge(outcomes, between, proxy)
    requests = between.requests()
    between.end()
    report(requests, between, proxy)
    print("1..%d" % tap.count, flush=True)
    sys.exit(1 if tap.failed else 0)


def report(requests, between, proxy):
    for variant in sorted({r[1] for r in requests}):
        these = [r for r in requests if r[1] == variant]
        tap.say("/mod/%-12s %6d requests %s" % (variant, len(these), "through us" if these[0][2]
                                                else "straight: " + STRAIGHT[variant]))
    through = [r for r in requests if r[2]]
    sumdb = [r for r in through if "/sumdb/" in r[4]]
    scripts = {r[0] for r in through}
    from_us = [r for r in proxy.requests() if r[0] == "-"]
    logged = sum(len(r.accesses()) for r in between.runs.values())
    tap.say("through us: %d requests of %d scripts, %d of them to the checksum database; the nginx before us logged %d "
            "(one more for each run's start); we asked the test proxy %d times" %
            (len(through), len(scripts), len(sumdb), logged, len(from_us)))
    tap.ok(logged >= len(through) > 0, "what the front sent to us did reach us", (logged, len(through)))
    tap.ok(sumdb, "the checksum database was asked through us")


source = find_source()
main()
