#!/usr/bin/env python3
"""30-webservers.t - the program behind real web servers, over real HTTP.

Every server and mode that httpd-examples/ has a file for, at the root of a site and under a path,
started by httpd-examples/run as a user would; and `run` itself. The upstream is tests/fixture.

    30-webservers.t [NAME...]    only the groups whose name contains a NAME ("nginx at /", "run", ...)
    JOBS=N                       how many groups at once (3)
"""
import concurrent.futures
import hashlib
import http.client
import os
import posixpath
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import PROGRAM, ROOT, SLOW, Fixture, children, clip, place, tap, wait_until  # noqa: E402

RUN = os.path.join(ROOT, "httpd-examples", "run")
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")

# Name, how the responders run: pool (replaced when killed) or cgi.
SERVERS = {
    "nginx": "pool",
    "lighttpd": "pool",
    "lighttpd-spawn": "pool",
    "lighttpd-cgi": "cgi",
    "apache-proxy": "pool",
    "apache-fcgid": "pool",
    "apache-cgi": "cgi",
    "apache-htaccess": "pool",
    "apache-htaccess-cgi": "cgi",
    "nginx-spawn-fcgi": "pool",
}
CLIENTS = 50
PATIENCE_S = 30 * SLOW  # the limit of every wait; no test takes that long unless it fails

fixture = Fixture()


def wait_for(condition, what):
    return wait_until(condition, what, 30, 0.02)


def reference(path):
    """Status and body as an ordinary client of the upstream sees them."""
    try:
        return 200, fixture.ref(path)
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Group:
    """The test points of one group carry its name."""

    def __init__(self, name):
        self.name, self.failed = name, False

    def ok(self, good, what, note=""):
        self.failed |= not good
        return tap.ok(good, "%s: %s" % (self.name, what), note or "no")

    def equal(self, got, expected, what):
        self.failed |= got != expected
        return tap.eq(got, expected, "%s: %s" % (self.name, what))

    def run(self, function):
        """A test that fails by an exception fails alone."""
        begin = time.monotonic()
        try:
            function()
        except Exception as error:
            self.ok(False, function.__name__ + " runs to its end", "%s: %s" % (type(error).__name__, error))
        if os.environ.get("TEST_TIMES"):
            tap.say("%-30s %-16s %6.2f s" % (self.name, function.__name__, time.monotonic() - begin))


class Run:
    """httpd-examples/run, as a user starts it."""

    def __init__(self, upstream, wait=True, **environment):
        self.dir = place.dir("run")
        self.run_dir = os.path.join(self.dir, "run")
        self.cache = os.path.join(self.dir, "cache")
        env = {key: value for key, value in os.environ.items()
               if not key.startswith("GOPROXY") and key not in ("UPSTREAM", "PORT", "CONF", "MAKEFLAGS")}
        env.update(GOPROXY_FCGI=PROGRAM, RUN_DIR=self.run_dir, CACHE_DIR=self.cache,
                   XDG_CACHE_HOME=os.path.join(self.dir, "xdg"), UPSTREAM=upstream.url,
                   GOPROXY_SUMDB_GOSUMDB=upstream.sumdb())
        env.update(environment)
        # Below RUN_DIR, which is known here only.
        if environment.get("CACHE_DIR"):
            env["CACHE_DIR"] = self.cache = self.run_dir + environment["CACHE_DIR"]
        self.output = open(os.path.join(self.dir, "output"), "w+")
        self.started = time.monotonic()
        self.process = children.add(subprocess.Popen(
            [RUN], env={k: v for k, v in env.items() if v is not None}, stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True))
        self.url = None
        if wait:
            self.wait_ready()

    def text(self):
        with open(self.output.name, encoding="utf-8", errors="replace") as output:
            return output.read()

    def ready(self):
        found = re.search(r"^GOPROXY=(\S+)$", self.text(), re.M)
        return found and found.group(1)

    def wait_ready(self):
        wait_for(lambda: self.ready() or self.process.poll() is not None, "GOPROXY=")
        self.ready_s = time.monotonic() - self.started
        self.url = self.ready()
        assert self.url, self.text()
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port, self.prefix = parts.hostname, parts.port, parts.path

    def workers(self):
        with open(os.path.join(self.run_dir, "workers")) as pids:
            return [int(pid) for pid in pids.read().split()]

    def log(self):
        with open(os.path.join(self.run_dir, "error.log"), errors="replace") as log:
            return log.read()[-2000:]

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None
        finally:
            self.output.close()


def request(run, path, method="GET", headers=None, body=None, connection=None):
    """A whole answer: status, headers (lower case), body."""
    conn = connection or http.client.HTTPConnection(run.host, run.port, timeout=PATIENCE_S)
    conn.request(method, run.prefix + path, body=body, headers=headers or {})
    answer = conn.getresponse()
    got = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    if not connection:
        conn.close()
    return got


def raw_request(run, target):
    """Sends a request target as it is; the status, and all that came."""
    with socket.create_connection((run.host, run.port), timeout=PATIENCE_S) as conn:
        conn.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b""
        while True:
            try:
                more = conn.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                break
            got += more
    found = re.match(rb"HTTP/1\.[01] (\d+)", got)
    return int(found.group(1)) if found else 0, got


class ServerTests:
    """All tests of one server in one mode at one place."""

    def __init__(self, group, server, prefix):
        self.group, self.up = group, fixture.mount()
        self.server, self.mode, self.prefix = server, SERVERS[server], prefix
        extra = {}
        if "htaccess" in server:
            # The worst place for a store: among the files of the site.
            extra["CACHE_DIR"] = "/htdocs" + prefix + "/cache"
        self.run = Run(self.up, SERVER=server, PREFIX_PATH=prefix, GOPROXY_SERVER_ANSWER_TIMEOUT_S="2",
                       GOPROXY_UPSTREAM_RETRIES="0", **extra)

    def all(self):
        group = self.group
        group.ok(self.run.ready_s < 10, "is ready in time", "%.1f s" % self.run.ready_s)
        try:
            for test in (self.page, self.protocol, self.http, self.hostile, self.streaming,
                         self.broken_zip, self.time_out, self.many_clients, self.go_command):
                # The place makes no difference to what takes long.
                if not self.prefix or test not in (self.broken_zip, self.time_out, self.many_clients):
                    group.run(test)
            if "htaccess" in self.server:
                group.run(self.files_are_hidden)
            if self.mode == "pool":
                group.run(self.killed)
        finally:
            if group.failed:
                tap.say("\n".join(self.run.log().splitlines()[-15:]))
            group.equal(self.run.end(), 0, "SIGTERM ends it with status 0")

    def page(self):
        status, headers, body = request(self.run, "/")
        self.group.equal(status, 200, "the page at / is there")
        self.group.ok(headers.get("content-type", "").startswith("text/html"), "the page is HTML",
                      headers.get("content-type"))
        self.group.ok(("GOPROXY=" + self.run.url).encode() in body, "the page shows the line to copy",
                      "%r" % body[:600])

    def protocol(self):
        types = {"list": "text/plain", "info": "application/json", "mod": "text/plain",
                 "zip": "application/zip", "latest": "application/json"}
        for path in ("/example.com/multi/@v/list", "/example.com/hello/@v/v1.0.0.info",
                     "/example.com/hello/@v/v1.0.0.mod", "/example.com/hello/@v/v1.0.0.zip",
                     "/example.com/multi/v2/@v/v2.1.0.zip", "/example.com/hello/@latest",
                     "/example.com/%21upper/@v/v1.0.0.info", "/example.com/!upper/@v/v1.0.0.info",
                     "/example.com/!upper/@v/v1.0.1-%21r%21c1.mod",
                     "/example.com/incompat/@v/v2.0.0+incompatible.zip",
                     "/example.com/incompat/@v/v2.0.0%2Bincompatible.zip"):
            status, headers, body = request(self.run, path)
            self.group.equal((status, body), reference(path), "GET " + path)
            kind = types[re.split(r"[./]", path)[-1].lstrip("@")]
            self.group.ok(headers.get("content-type", "").startswith(kind), "type of " + path,
                          headers.get("content-type"))
            self.group.equal(headers.get("content-length"), str(len(body)), "length of " + path)
        for path in ("/example.com/none/@v/list", "/example.com/hello/@v/v1.9.9.info",
                     "/example.com/gone/@v/v1.0.0.mod"):
            status, _, body = request(self.run, path)
            self.group.equal((status, body), reference(path), "refusal comes through: " + path)
        status, _, _ = request(self.run, "/sumdb/sum.fixture.test/supported")
        self.group.equal(status, 200, "sumdb is supported")
        path = "/sumdb/sum.fixture.test/tile/8/0/123"
        status, _, body = request(self.run, path)
        self.group.equal((status, body), reference(path), "GET " + path)

    def http(self):
        path = "/example.com/hello/@v/v1.0.0.zip"
        _, whole = reference(path)
        conn = http.client.HTTPConnection(self.run.host, self.run.port, timeout=PATIENCE_S)
        status, headers, body = request(self.run, path, "HEAD", connection=conn)
        self.group.equal((status, headers.get("content-length"), body), (200, str(len(whole)), b""),
                         "HEAD has the length and no body")
        status, headers, body = request(self.run, path, connection=conn)
        self.group.equal((status, body), (200, whole), "the connection goes on after HEAD")
        # Before it is kept it has the responder's tag, then the web server's own. Of a file that
        # is younger than a second Apache says a weak one.
        wait_for(lambda: os.path.exists(self.run.cache + "/download" + path), "the zip to be kept")
        etag = wait_for(lambda: (tag := request(self.run, path, "HEAD")[1].get("etag")) and tag[0] == '"' and tag,
                        "a strong ETag")
        self.group.ok(etag and not etag.startswith("W/"), "the ETag is a strong one", etag)
        self.group.ok(re.search(r"max-age=31536000", headers.get("cache-control", "")), "a zip may be kept for a year",
                      headers.get("cache-control"))
        self.group.ok(headers.get("last-modified"), "Last-Modified is there")
        status, headers, body = request(self.run, path, headers={"If-None-Match": etag or '"x"'})
        self.group.equal((status, body), (304, b""), "If-None-Match: 304")
        status, headers, body = request(self.run, path, headers={"Range": "bytes=10-29"})
        self.group.equal((status, headers.get("content-range"), body),
                         (206, "bytes 10-29/%d" % len(whole), whole[10:30]), "Range: 206")
        status, headers, body = request(self.run, path, headers={"Range": "bytes=%d-" % len(whole)})
        self.group.equal(status, 416, "Range after the end: 416")
        for method, text in (("POST", b"x=1"), ("PUT", b"x"), ("DELETE", None)):
            status, headers, _ = request(self.run, path, method, body=text)
            self.group.equal((status, headers.get("allow")), (405, "GET, HEAD"), method + ": 405")
        status, _, body = request(self.run, path + "?a=b")
        self.group.ok(status in (200, 400, 404) and (status != 200 or body == whole), "a query does no harm",
                      status)

    def hostile(self):
        """Never a question to the upstream; the module they aim at is in the cache.

        A web server that looks into the store by itself takes the path as its own access rules
        do: without "..", "//" and escapes. So those may be the file, if it is the right one.
        """
        hot = b"example.com/hello/@v/v1.0.0.mod"
        request(self.run, "/" + hot.decode())
        prefix = self.prefix.encode()
        before = self.up.count()
        targets = [prefix + path for path in (
            b"/example.com/x/../hello/@v/v1.0.0.mod", b"/example.com/x/%2e%2e/hello/@v/v1.0.0.mod",
            b"/example.com/x/.%2E/hello/@v/v1.0.0.mod", b"/example.com/./hello/@v/v1.0.0.mod",
            b"/example.com/%2e/hello/@v/v1.0.0.mod", b"/example.com//hello/@v/v1.0.0.mod", b"//" + hot,
            b"/example.com%2Fhello/@v/v1.0.0.mod", b"/example.com/hello%2f@v/v1.0.0.mod",
            b"/example.com/hello/@v%2Fv1.0.0.mod", b"/example.com%5Chello/@v/v1.0.0.mod",
            b"/example.com\\hello/@v/v1.0.0.mod", b"/" + hot + b"%00", b"/example.com/hello%00x/@v/v1.0.0.mod",
            b"/" + hot + b"%0A", b"/example.com/hello%0a/@v/v1.0.0.mod", b"/example.com/hello/@v/v1.0.0%20.mod",
            b"/" + hot + b"%", b"/" + hot + b"%2", b"/" + hot + b"/", b"/" + hot + b"/.", b"/" + hot + b"/..",
            b"/%65xample.com/x/../hello/@v/v1.0.0.mod", b"/example.com/Hello/@v/v1.0.0.mod",
            b"/download/" + hot, b"/cache/download/" + hot, b"/../" + hot, b"/x/../" + hot,
            b"/../../../../etc/passwd", b"/%2e%2e/%2e%2e/%2e%2e/etc/passwd", b"/goproxy.ini", b"/.htaccess",
            b"/goproxy.fcgi", b"/goproxy.cgi", b"/fresh/" + hot, b"/mutable/example.com/hello/@v/list", b"/tmp/", b"/download/", b"/" + b"a" * 3000 + b"/@v/list",
            b"/example.com/" + b"a" * 300 + b"/@v/list", b"/example.com/\xff\xfe/@v/list",
            b"/example.com/%ff/@v/list", b"/example.com/hello#/@v/list", b"/sumdb/../" + hot, b"/sumdb/sum.fixture.test/../../" + hot,
        )]
        if "htaccess" not in self.server:
            targets += [prefix + b"/goproxy.fcgi/" + hot, prefix + b"/goproxy.cgi/" + hot]
        if prefix:
            targets += [prefix + b"x/" + hot, prefix + hot, prefix + b"/../" + hot, b"/" + hot,
                        prefix + b"/.." + prefix + b"/" + hot, b"/x/.." + prefix + b"/" + hot,
                        prefix + prefix + b"/" + hot, prefix.upper() + b"/" + hot]
        wrong, plain = [], raw_request(self.run, prefix + b"/" + hot)[1].split(b"\r\n\r\n", 1)[1]
        for target in targets:
            status, text = raw_request(self.run, target)
            simple = posixpath.normpath(b"/" + urllib.parse.unquote_to_bytes(target)).replace(b"//", b"/")
            if status == 200 and simple == prefix + b"/" + hot and target[-1:] != b"/" and \
                    text.split(b"\r\n\r\n", 1)[1] == plain:
                continue
            if not 400 <= status < 500 or b"root:" in text or b"module example.com/hello" in text:
                wrong.append((target[:80], status))
        self.group.ok(not wrong, "hostile spellings are refused", "%r" % wrong)
        # The proof of what came before may still be under way.
        self.group.equal([p for p in self.up.paths()[before:] if not re.search(r"/sumdb/[^/]+/tile/8/", p)], [],
                         "hostile spellings ask nobody")

    def streaming(self):
        """The first bytes are here while the upstream still sends."""
        path = "/example.com/big/@v/v1.2.0.zip"
        self.up.set(path, rate=2 << 20)
        conn = http.client.HTTPConnection(self.run.host, self.run.port, timeout=PATIENCE_S)
        conn.request("GET", self.run.prefix + path)
        answer = conn.getresponse()
        first = answer.read(1)
        still_open = self.up.open(path)
        self.group.equal((answer.status, still_open), (200, 1), "a slow zip's first byte comes early")
        body = first + answer.read()
        self.group.ok(body == reference(path)[1], "a slow zip arrives whole", len(body))
        conn.close()

    def broken_zip(self):
        """Neither a zip that proves bad at its end nor one that breaks off looks whole."""
        for path, what in (("/example.com/big/@v/v1.8.1.zip", {"flip": 4000000}),
                           ("/example.com/big/@v/v1.8.2.zip", {"cut": "body", "after": 5000000})):
            self.up.set(path, **what)
            conn = http.client.HTTPConnection(self.run.host, self.run.port, timeout=PATIENCE_S)
            seen = "whole"
            try:
                # Apache and lighttpd show the cut only when a kept connection has idled for 5 s.
                conn.request("GET", self.run.prefix + path, headers={"Connection": "close"} if "cut" in what else {})
                answer = conn.getresponse()
                promised = answer.getheader("Content-Length")
                body = answer.read()
                if answer.status != 200:
                    seen = "status %d" % answer.status
                elif promised and len(body) < int(promised):
                    seen = "short"
            except (http.client.IncompleteRead, ConnectionResetError, http.client.BadStatusLine):
                seen = "short"
            conn.close()
            self.group.ok(seen in ("short", "status 502"), "a zip broken by %s is seen" % list(what)[0], seen)
            stored = os.path.join(self.run.cache, "download" + path)
            self.group.ok(not os.path.exists(stored), "a zip broken by %s isn't kept" % list(what)[0])
        status, _, body = request(self.run, "/example.com/bad/crc/@v/v1.0.0.zip")
        self.group.ok(status != 200, "a small bad zip is refused", status)

    def time_out(self):
        path = "/example.com/small1/@v/v1.0.0.info"
        self.up.set(path, delay_ms=3500)
        status, headers, body = request(self.run, path)
        self.group.equal(status, 504, "a silent upstream: 504")
        self.group.ok(headers.get("content-type", "").startswith("text/plain") and
                      fixture.url.split("//")[1].encode() in body,
                      "the 504 names the upstream", "%s %r" % (headers.get("content-type"), body[:300]))

    def many_clients(self):
        def fetch(path):
            status, _, body = request(self.run, path)
            return status, hashlib.sha256(body).hexdigest()

        path = "/example.com/big/@v/v1.3.0.zip"
        self.up.set(path, rate=6 << 20)
        expected = 200, hashlib.sha256(reference(path)[1]).hexdigest()
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
            for temperature in ("cold", "hot"):
                got = list(clients.map(fetch, [path] * CLIENTS))
                wrong = [g for g in got if g != expected]
                self.group.ok(not wrong, "%d clients, one %s zip" % (CLIENTS, temperature),
                              "%d wrong, such as %r" % (len(wrong), wrong[:1]))
            self.group.equal(self.up.count("/example.com/big/@v/v1.3.0.zip"), 1, "it was fetched once")
            paths = ["/example.com/small%d/@v/v1.0.0.info" % (100 + i) for i in range(CLIENTS)]
            got = list(clients.map(fetch, paths))
            expected = [(200, hashlib.sha256(reference(p)[1]).hexdigest()) for p in paths]
            self.group.ok(got == expected, "%d clients, as many modules" % CLIENTS,
                          "%r" % [g for g, e in zip(got, expected) if g != e][:2])

    def go(self, directory, *arguments):
        env = {"PATH": os.environ["PATH"], "HOME": directory, "GOENV": "off", "GOPROXY": self.run.url,
               "GOSUMDB": "off", "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local",
               "GOMODCACHE": os.path.join(directory, "modcache"), "GOCACHE": os.path.join(directory, "cache")}
        done = subprocess.run([GO, *arguments], cwd=directory, env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode != 0:
            raise AssertionError("go %s: %s" % (" ".join(arguments), done.stderr[-1000:]))
        return done.stdout

    def go_command(self):
        if not GO:
            self.group.ok(True, "the go command # SKIP there is none")
            return
        for temperature in ("cold", "hot"):
            before = self.up.count()
            directory = os.path.join(self.run.dir, "go-" + temperature)
            os.makedirs(directory)
            with open(os.path.join(directory, "go.mod"), "w") as gomod:
                gomod.write("module test\n\ngo 1.17\n\nrequire (\n\texample.com/dep v1.0.0\n"
                            "\texample.com/incompat v2.0.0+incompatible\n\texample.com/multi/v2 v2.1.0\n)\n")
            self.go(directory, "mod", "download", "all")
            listed = self.go(directory, "list", "-m", "-versions", "example.com/Upper", "example.com/multi")
            self.group.equal(listed.split("\n")[0], "example.com/Upper v1.0.0 v1.0.1-RC1",
                             "go list -m -versions (%s)" % temperature)
            with open(os.path.join(directory, "go.sum")) as gosum:
                sums = gosum.read()
            expected = ["%s %s %s" % (m, v, fixture.fetch("/_/h1?module=%s&version=%s" % (m, v)).decode().strip())
                        for m, v in (("example.com/dep", "v1.0.0"), ("example.com/Upper", "v1.0.0"))]
            self.group.ok(all(line in sums for line in expected), "go mod download (%s)" % temperature, sums)
            asked = self.up.count() - before
            if temperature == "hot":
                self.group.equal(asked, 0, "go a second time: the upstream isn't asked")

    def files_are_hidden(self):
        request(self.run, "/example.com/hello/@v/v1.0.0.mod")
        self.group.ok(os.path.exists(self.run.cache + "/download/example.com/hello/@v/v1.0.0.mod"),
                      "the store is in the account's folder")
        with open(os.path.join(os.path.dirname(self.run.cache), ".hidden"), "w") as hidden:
            hidden.write("secret")
        wrong = []
        for path in ("/goproxy.ini", "/.htaccess", "/.hidden", "/goproxy.fcgi/goproxy.ini", "/cache/", "/cache",
                     "/goproxy.fcgi", "/GOPROXY.INI", "/goproxy.ini/", "/cache/download/example.com/hello/@v/",
                     "/cache/download/example.com/hello/@v/v1.0.0.mod", "/goproxy.fcgi/../goproxy.ini",
                     "/cache/../goproxy.ini", "/goproxy.ini%00", "/./.hidden", "/cache/CACHEDIR.TAG",
                     "/goproxy.fcgi/example.com/hello/@v/v1.0.0.mod"):
            status, text = raw_request(self.run, (self.prefix + path).encode())
            # A store with a .htaccess of its own may make it a 500.
            if status < 400 or b"chain" in text or b"secret" in text or b"\x7fELF" in text:
                wrong.append((path, status))
        self.group.ok(not wrong, "no file of the account can be fetched", "%r" % wrong)

    def killed(self):
        """Workers that are killed are replaced, and the next request is right."""
        path = "/example.com/hello/@v/master.info"
        old = wait_for(self.run.workers, "workers")
        for pid in old:
            os.kill(pid, signal.SIGKILL)

        def works():
            return request(self.run, "/")[0] == 200

        wait_for(works, "an answer after kill -9")
        new = wait_for(lambda: not set(self.run.workers()) & set(old) and self.run.workers(), "new pids")
        self.group.ok(new, "killed workers are replaced")
        self.group.equal((request(self.run, path)[0], request(self.run, path)[2]), reference(path),
                         "the answers after kill -9 are right")


class RunTests:
    """httpd-examples/run itself."""

    def __init__(self, group):
        self.group, self.up = group, fixture.mount()

    def start(self, wait=True, **environment):
        return Run(self.up, wait, **environment)

    def all(self):
        for test in (self.lives_and_ends, self.refuses, self.own_upstream, self.conf, self.two_at_once,
                     self.child_dies, self.default_run_dir):
            self.group.run(test)

    def refused(self, what, words, **environment):
        run = self.start(False, **environment)
        status = run.process.wait(PATIENCE_S)
        text = run.text()
        self.group.ok(status == 1 and all(word in text for word in words), what, "%s %r" % (status, text))

    def lives_and_ends(self):
        run = self.start()
        self.group.ok(run.ready_s < 5, "starts quickly", "%.2f s" % run.ready_s)
        self.group.equal(len(run.workers()), 2, "two workers in RUN_DIR/workers")
        text = run.text()
        self.group.ok("export GOPROXY=" + run.url in text, "prints what to copy", text)
        self.group.equal(run.end(signal.SIGINT), 0, "Ctrl-C ends it with status 0")

        def gone():
            with socket.socket() as probe:
                return probe.connect_ex((run.host, run.port)) != 0
        # Another test's server may have got the port meanwhile.
        self.group.ok(gone() or not list(processes(run.run_dir)), "nothing of it listens afterwards")
        self.group.equal([pid for pid in processes(run.run_dir)], [], "no process is left")

    def refuses(self):
        self.refused("an unknown SERVER", ["SERVER=iis", "lighttpd-cgi"], SERVER="iis")
        self.refused("a bad PORT", ["PORT=80x"], PORT="80x")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            self.refused("a PORT that is taken", ["in use"], PORT=str(taken.getsockname()[1]))
        self.refused("a CONF that isn't there", ["CONF="], CONF="/nonexistent.ini")

    def own_upstream(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "[::1]", "user:secret@127.0.0.1"):
            self.refused("itself as GOPROXY: " + host, ["its own upstream", "unset GOPROXY"], UPSTREAM=None,
                         PORT=str(port), GOPROXY="https://proxy.invalid|http://%s:%d/x,direct" % (host, port))
        self.refused("itself as UPSTREAM", ["its own upstream"], PORT=str(port),
                     UPSTREAM="http://127.0.0.1:%d" % port)
        shared = place.new("xdg")
        run = self.start(XDG_CACHE_HOME=shared, PREFIX_PATH="goproxy/")
        self.group.ok(run.url.endswith("/goproxy"), "PREFIX_PATH is put in order", run.url)
        self.refused("an earlier run as GOPROXY", ["its own upstream"], UPSTREAM=None, GOPROXY=run.url,
                     XDG_CACHE_HOME=shared)
        run.end()
        self.refused("an ended run as GOPROXY", ["its own upstream"], UPSTREAM=None, GOPROXY=run.url,
                     XDG_CACHE_HOME=shared)

    def conf(self):
        ini = place.new("ini")
        with open(ini, "w") as conf:
            conf.write("; a comment\n[upstream]\nchain = %s/u/conf\n[cache]\nlist_ttl_s = 1234\n" % fixture.url)
        run = self.start(CONF=ini, UPSTREAM=None, GOPROXY="https://proxy.invalid")
        _, headers, body = request(run, "/example.com/multi/@v/list")
        self.group.equal(body, b"v1.0.0\nv1.1.0\n", "CONF's chain goes before $GOPROXY")
        self.group.ok(re.search(r"max-age=1(23[0-4]|22\d)", headers.get("cache-control", "")),
                      "CONF's other settings hold", headers.get("cache-control"))
        run.end()
        with open(ini, "w") as conf:
            conf.write("[cache]\nlist_tttl_s = 1\n")
        self.refused("CONF with an unknown key", [ini, "list_tttl_s"], CONF=ini)

    def two_at_once(self):
        runs = [self.start(False) for _ in range(3)]
        for run in runs:
            run.wait_ready()
        self.group.equal(len({run.port for run in runs}), 3, "runs at once have ports of their own")
        self.group.equal([request(run, "/")[0] for run in runs], [200] * 3, "and all answer")
        for run in runs:
            run.end()

    def child_dies(self):
        run = self.start(SERVER="lighttpd")
        pid = [pid for pid, command in processes(run.run_dir).items() if "lighttpd" in command][0]
        os.kill(pid, signal.SIGKILL)
        self.group.equal(run.process.wait(PATIENCE_S), 1, "the web server dies: status 1")
        self.group.ok("lighttpd has ended" in run.text(), "and a word about it", run.text())
        self.group.equal(list(processes(run.run_dir)), [], "and nothing is left")

    def default_run_dir(self):
        scratch = place.dir("scratch")
        run = self.start(RUN_DIR=None, TMPDIR=scratch)
        self.group.equal(len(os.listdir(scratch)), 1, "RUN_DIR is made where there is none")
        run.end()
        self.group.equal(os.listdir(scratch), [], "and removed")


def processes(text):
    """Process ids and command lines with `text` in them."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as command:
                line = command.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line:
            found[int(pid)] = line
    return found


def installed(server):
    program = {"n": "nginx", "l": "lighttpd", "a": "apache2"}[server[0]]
    path = os.environ["PATH"] + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(program, path=path) and \
        ("spawn-fcgi" not in server or shutil.which("multiwatch", path=path))


def group_of(name):
    """A test function for harness.Tap.run()."""
    def test():
        group = Group(name)
        server, _, prefix = name.partition(" at ")
        if server == "run":
            RunTests(group).all()
        elif installed(server):
            ServerTests(group, server, prefix.rstrip("/")).all()
        else:
            tap.skip(name, "not installed: httpd-examples/packages run " + server)
    return test


# The slow ones first.
names = [server + " at " + prefix for prefix in ("/", "/goproxy") for server in SERVERS]
tap.run({"test_" + name: group_of(name) for name in ["run"] + names}, int(os.environ.get("JOBS", "3")))
