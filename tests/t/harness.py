"""harness - what the black-box tests in this directory share.

TAP output, the fixture upstream, the program as CGI, as FastCGI pool and on descriptor 0, and a
FastCGI client, so that no web server is needed. Python's standard library only.

    GOPROXY_FCGI   the program to test (default: build/release/goproxy.fcgi)
    FIXTURE        the fixture (default: build/fixture)
    TEST_SLOW      factor on all deadlines, for sanitizers and slow machines (default: 1)

Every process started here ends with the test, also with a test that fails or is stopped. Ports
are chosen by the system; whatever is written lies in one temporary directory, removed at the end.
"""
import atexit
import base64
import concurrent.futures
import errno
import hashlib
import json
import os
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.abspath(os.environ.get("GOPROXY_FCGI", ROOT + "/build/release/goproxy.fcgi"))
FIXTURE = os.path.abspath(os.environ.get("FIXTURE", ROOT + "/build/fixture"))
SLOW = float(os.environ.get("TEST_SLOW", "1"))


# TAP

class Tap:
    """Counts and prints test points; safe to use from several threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = 0
        self.failed = 0

    def _point(self, good, what, notes=()):
        with self.lock:
            self.count += 1
            self.failed += not good
            out = ["%s %d - %s" % ("ok" if good else "not ok", self.count, what)]
            for note in notes:
                out += ["#   " + line for line in str(note).splitlines()]
            print("\n".join(out), flush=True)
        return good

    def ok(self, good, what, note=""):
        return self._point(bool(good), what, [] if good or note == "" else [clip(note)])

    def eq(self, got, expected, what, note=""):
        good = got == expected
        notes = [] if good else ["got:      " + clip(repr(got)),
                                 "expected: " + clip(repr(expected))]
        if not good and note != "":
            notes.append(clip(note))
        return self._point(good, what, notes)

    def like(self, text, pattern, what, note=""):
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        good = re.search(pattern, text or "", re.S | re.M) is not None
        notes = [] if good else ["got:      " + clip(repr(text)), "expected: /%s/" % pattern]
        if not good and note != "":
            notes.append(clip(note))
        return self._point(good, what, notes)

    def skip(self, what, why):
        return self._point(True, "%s # SKIP %s" % (what, why))

    def say(self, text):
        with self.lock:
            print("\n".join("# " + line for line in str(text).splitlines()), flush=True)

    def run(self, groups, jobs=1):
        """Run functions (name -> function, those that start with test_), then end the process.

        An exception fails the group it comes from and no other. With jobs > 1 the groups run
        at the same time. Arguments on the command line choose groups by a part of their name.
        """
        chosen = [(name, f) for name,
                  f in groups.items() if name.startswith("test_") and callable(f)
                  and (len(sys.argv) < 2 or any(word in name for word in sys.argv[1:]))]

        def one(pair):
            name, function = pair
            begin = time.monotonic()
            try:
                function()
            except Exception:
                self._point(False, name + " runs to its end", [traceback.format_exc()])
            if os.environ.get("TEST_TIMES"):
                self.say("%-40s %6.2f s" % (name, time.monotonic() - begin))

        with concurrent.futures.ThreadPoolExecutor(jobs) as executor:
            list(executor.map(one, chosen))
        self._point(not os.path.exists(NO_GO + "/called"), "no go was called on the server's side", [])
        print("1..%d" % self.count, flush=True)
        sys.exit(1 if self.failed else 0)


def clip(text, size=1500):
    text = str(text)
    return text if len(text) <= size else text[:size] + "... (%d in all)" % len(text)


tap = Tap()


# Time, places, processes

def wait_until(condition, what, timeout_s=10.0, poll_s=0.01):
    """Return the first true value of condition(); raise after the deadline."""
    end = time.monotonic() + timeout_s * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError("waited %.1f s in vain for: %s" % (timeout_s * SLOW, what))
        time.sleep(poll_s)


class Place:
    """The test's temporary directory."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="goproxy-t-")
        os.chmod(self.path, 0o755)
        # For sockets, also of a program that runs as another user.
        os.mkdir(self.path + "/run")
        os.chmod(self.path + "/run", 0o777)
        self.lock = threading.Lock()
        self.number = 0
        self.owner = os.getpid()
        atexit.register(self.remove)

    def new(self, name="d"):
        """A path below it that doesn't exist yet."""
        with self.lock:
            self.number += 1
            return "%s/%s%d" % (self.path, name, self.number)

    def dir(self, name="d"):
        path = self.new(name)
        os.mkdir(path, 0o755)
        return path

    def file(self, text, name="f", mode=0o644):
        path = self.new(name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def remove(self):
        if os.getpid() != self.owner:
            return

        def unlock(function, path, _):
            try:
                os.chmod(os.path.dirname(path), 0o755)
                os.chmod(path, 0o755)
                function(path)
            except OSError:
                pass
        shutil.rmtree(self.path, onerror=unlock)


class Children:
    """Processes that end with the test: told first, then killed."""

    def __init__(self):
        self.all = []
        self.lock = threading.Lock()
        atexit.register(self.stop_all)

    def add(self, process):
        with self.lock:
            self.all.append(process)
        return process

    def stop(self, process, timeout_s=5.0):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout_s * SLOW)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with self.lock:
            if process in self.all:
                self.all.remove(process)
        return process.returncode

    def stop_all(self):
        for process in list(self.all):
            if process.poll() is None:
                process.terminate()
        for process in list(self.all):
            self.stop(process, 3)


def end_on_signal(number, frame):
    sys.exit(128 + number)


for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, end_on_signal)
# atexit runs in reverse: children end before the directory goes.
place = Place()
children = Children()


def bail(text):
    print("Bail out! " + text, flush=True)
    sys.exit(1)


if not os.access(FIXTURE, os.X_OK):
    bail("%s is missing: 'make' builds it" % FIXTURE)
if not os.access(PROGRAM, os.X_OK):
    bail("%s is missing: 'make' builds it" % PROGRAM)


# The program needs no go: the one in its PATH writes down that it was called.
NO_GO = place.dir("no-go")
with open(NO_GO + "/go", "w", encoding="utf-8") as script:
    script.write("#!/bin/sh\necho \"$0 $*\" >>%s/called\nexit 1\n" % NO_GO)
os.chmod(NO_GO + "/go", 0o755)


def program_env(settings):
    """A bare environment with GOPROXY_* settings, so that nothing of the caller's leaks in."""
    env = {"PATH": NO_GO + ":" + os.environ.get("PATH", "/usr/bin:/bin"), "HOME": place.path, "LC_ALL": "C",
           "GOPROXY_CONFIG": EMPTY_CONFIG}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update({k: str(v) for k, v in settings.items() if v is not None})
    return env


EMPTY_CONFIG = place.file("; nothing: the defaults and the environment\n", "empty.ini")


# The fixture upstream

class Fixture:
    """A running fixture; see the head of tests/fixture/main.go."""

    first = None

    def __init__(self, tls=False, *options):
        self.cert = place.new("cert.pem") if tls else None
        command = [FIXTURE, "--stdin", *options] + (["--tls", "--cert-out", self.cert] if tls else [])
        self.process = children.add(subprocess.Popen(command, stdin=subprocess.PIPE,
                                                     stdout=subprocess.PIPE))
        line = self.process.stdout.readline().decode()
        if not line.startswith("ready "):
            bail("the fixture doesn't start: %r" % line)
        self.url = line.split()[1]
        Fixture.first = Fixture.first or self
        self.port = int(self.url.rsplit(":", 1)[1])
        self.mounts = 0
        self.lock = threading.Lock()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *self._https())

    def _https(self):
        if not self.cert:
            return []
        import ssl
        context = ssl.create_default_context(cafile=self.cert)
        return [urllib.request.HTTPSHandler(context=context)]

    def fetch(self, path, timeout_s=30):
        with self.opener.open(self.url + path, timeout=timeout_s * SLOW) as answer:
            return answer.read()

    def ref(self, path):
        """The right bytes of /MODULE/@v/FILE, asked past all rules and counters."""
        return self.fetch("/u/_ref" + path)

    def control(self, what, **params):
        """The text of /_/WHAT; the head of tests/fixture/main.go lists them."""
        return self.fetch("/_/%s?%s" % (what, urllib.parse.urlencode(params))).decode()

    def vkey(self, name="sum.fixture.test", key=None):
        """A checksum database's verifier key; key: the seed of another one of that name."""
        return self.control("vkey", name=name, key=key or "").strip()

    def with_head_of(self, body, right):
        """right with a signed head of the same size as body's: each lookup lets a tree grow."""
        record, mark, head = right.partition(b"go.sum database tree\n")
        size = re.search(mark + rb"(\d+)\n", body)
        if not mark or not size:
            return right
        name = head.splitlines()[-1].split()[1].decode()
        return record + self.control("head", name=name, n=int(size.group(1))).encode()

    def mount(self):
        """An upstream of one's own: rules and counters of other mounts don't touch it."""
        with self.lock:
            self.mounts += 1
            # The last letter keeps ".*" of mount 1 away from mount 10.
            return Mount(self, "/u/m%dx" % self.mounts)

    def stop(self):
        children.stop(self.process)


class Mount:
    def __init__(self, fixture, prefix):
        self.fixture, self.prefix, self.url = fixture, prefix, fixture.url + prefix

    def _path(self, path):
        """Expressions are anchored at the mount: '/a/.*' means this mount's."""
        return "^" + re.escape(self.prefix).replace("\\-", "-") + path

    def set(self, path=".*", **fields):
        query = urllib.parse.urlencode(dict(fields, path=self._path(path)))
        self.fixture.fetch("/_/set?" + query)

    def _ask(self, what, path):
        return self.fixture.fetch("/_/%s?%s"
                                  % (what, urllib.parse.urlencode({"path": self._path(path)})))

    def sumdb(self, name="sum.fixture.test"):
        """GOSUMDB's value for a checksum database: key and URL, below this mount."""
        return "%s %s/sumdb/%s" % (self.fixture.vkey(name), self.url, name)

    def log(self, path=".*"):
        return json.loads(self._ask("log", path))

    def paths(self, path=".*"):
        """Requests so far as 'METHOD /path' below the mount; "%21" and "!" are one."""
        return [e["method"] + " " + e["path"][len(self.prefix):].replace("%21", "!")
                for e in self.log(path)]

    def count(self, path=".*"):
        return int(self._ask("count", path))

    def open(self, path=".*"):
        return int(self._ask("open", path))


def closed_port():
    """A port on which nothing listens (bound, so that nobody else takes it)."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    closed_port.held.append(s)
    return s.getsockname()[1]


closed_port.held = []


# One answer, whatever brought it

class Answer:
    def __init__(self):
        self.status = 0
        self.headers = {}       # lower case -> value
        self.body = b""
        self.length = 0         # bytes of the body that came
        self.crc = 0            # of the body
        self.stderr = b""
        self.ended = False      # FCGI_END_REQUEST came, or the CGI program exited with 0
        self.error = ""         # of the transport
        self.began = self.t_headers = self.t_first = self.t_end = 0.0
        self.path = ""

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def cut(self):
        """Whether a client behind a web server sees that this isn't the whole."""
        promised = self.headers.get("content-length")
        return not self.ended or (promised is not None and int(promised) != self.length)

    @property
    def first_s(self):
        return self.t_first - self.began

    @property
    def took_s(self):
        return self.t_end - self.began

    def header(self, name):
        return self.headers.get(name.lower(), "")

    def __str__(self):
        text = "%s -> %d %r body %r" % (self.path, self.status, self.headers, clip(self.text, 300))
        if not self.ended:
            text += " (no end)"
        if self.stderr:
            text += " stderr: " + clip(self.stderr.decode("utf-8", "replace"), 800)
        return text

    def set_head(self, head):
        self.status = 200
        for line in head.decode("latin-1").replace("\r\n", "\n").split("\n"):
            name, colon, value = line.partition(":")
            if not colon:
                self.error = "bad header line %r" % line
            elif name.lower() == "status":
                self.status = int(value.split()[0])
            else:
                if name.lower() in self.headers:
                    self.error = "header twice: %s" % name
                self.headers[name.lower()] = value.strip()


def split_head(data):
    """(head, rest) at the first empty line, or None."""
    at = [(data.find(mark), len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if data.find(mark) >= 0]
    if not at:
        return None
    at, size = min(at)
    return bytes(data[:at]), bytes(data[at + size:])


UNSET = object()


def request_env(path, method="GET", headers=None, script_name="", path_info=UNSET,
                request_uri=UNSET):
    """Parameters as a well configured server sends them (WEB-SERVERS.md: nginx at the root).

    path is what the client sent. None as path_info or request_uri leaves that one out.
    """
    raw, _, query = path.partition("?")
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "SERVER_PROTOCOL": "HTTP/1.1",
           "QUERY_STRING": query, "SCRIPT_NAME": script_name, "SERVER_NAME": "localhost",
           "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "4711",
           "SERVER_ADDR": "127.0.0.1", "REQUEST_SCHEME": "http", "HTTP_HOST": "localhost"}
    info = urllib.parse.unquote_to_bytes(raw) if path_info is UNSET else path_info
    uri = script_name + path if request_uri is UNSET else request_uri
    if info is not None:
        env["PATH_INFO"] = info
    if uri is not None:
        env["REQUEST_URI"] = uri
    for name, value in (headers or {}).items():
        env["HTTP_" + name.upper().replace("-", "_")] = value
    return env


def look_for_reports(log, what):
    """A sanitizer's report is a failure, whatever the answer was."""
    if re.search(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed", log):
        tap.ok(False, "no sanitizer report: " + what, clip(log, 6000))


# Plain CGI

def cgi(settings, path, method="GET", headers=None, stdin=b"", timeout_s=30, program=None, args=(),
        wrap=(), **env_options):
    """Run the program once as a web server would run a CGI."""
    env = program_env(settings)
    env = {os.fsencode(k): v.encode() for k, v in env.items()}
    for k, v in request_env(path, method, headers, **env_options).items():
        value = v if isinstance(v, bytes) else v.encode()
        if b"\0" in value:
            value = value.split(b"\0")[0]   # an environment can't hold more
        env[k.encode()] = value
    a = Answer()
    a.path, a.began = method + " " + path, time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = children.add(subprocess.Popen([*wrap, program or PROGRAM, *args], env=env,
                                                stdin=subprocess.PIPE,
                                                stdout=subprocess.PIPE, stderr=log))
        timer = threading.Timer(timeout_s * SLOW, process.kill)
        timer.start()
        try:
            process.stdin.write(stdin)
            process.stdin.close()
        except BrokenPipeError:
            pass
        out = process.stdout.read()
        # For the web server this is the end; the program may finish a download behind it.
        a.t_end = time.monotonic()
        process.stdout.close()
        process.wait()
        if not timer.is_alive():
            a.error = "no end after %d s" % timeout_s
        timer.cancel()
        children.stop(process)
        log.seek(0)
        a.stderr = log.read()
    look_for_reports(a.stderr.decode("utf-8", "replace"), a.path)
    a.ended = process.returncode == 0
    parts = split_head(out)
    if parts is None:
        a.error = a.error or "no header block in %r (exit status %s)" % (out[:200],
                                                                        process.returncode)
    else:
        a.set_head(parts[0])
        a.body, a.length, a.crc = parts[1], len(parts[1]), zlib.crc32(parts[1])
    return a


# FastCGI

FCGI_BEGIN, FCGI_END, FCGI_PARAMS, FCGI_STDIN, FCGI_STDOUT, FCGI_STDERR = 1, 3, 4, 5, 6, 7


def record(kind, data=b"", request_id=1):
    return struct.pack("!BBHHBB", 1, kind, request_id, len(data), 0, 0) + data


def pair(name, value):
    def size(n):
        return bytes([n]) if n < 128 else struct.pack("!I", n | 0x80000000)
    name = name if isinstance(name, bytes) else name.encode()
    value = value if isinstance(value, bytes) else value.encode()
    return size(len(name)) + size(len(value)) + name + value


def begin_bytes():
    return record(FCGI_BEGIN, struct.pack("!HB5x", 1, 0))


def request_bytes(env):
    params = b"".join(pair(k, v) for k, v in env.items())
    out = begin_bytes()
    for at in range(0, len(params), 65000):
        out += record(FCGI_PARAMS, params[at:at + 65000])
    return out + record(FCGI_PARAMS) + record(FCGI_STDIN)


class Call(Answer):
    """One FastCGI request in flight.

    keep      keep the body (else only its length and CRC)
    leave_at  close the connection after so many bytes of the body, as a client that goes away
    stall_at  read no further after so many bytes until Calls.resume
    """

    def __init__(self, address, path, method="GET", headers=None, keep=True, leave_at=None,
                 stall_at=None,
                 raw=None, **env_options):
        super().__init__()
        self.address, self.path = address, method + " " + path
        self.keep, self.leave_at, self.stall_at = keep, leave_at, stall_at
        if raw is None:
            raw = request_bytes(request_env(path, method, headers, **env_options))
        self.out = raw
        self.inbuf, self.head, self.sock, self.done = bytearray(), bytearray(), None, False
        self.chunks = []
        self.stalled = False

    def connect(self):
        """False if the backlog is full: try again."""
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        if self.sock is None:
            self.began = self.began or time.monotonic()
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            self.sock.setblocking(False)
        code = self.sock.connect_ex(self.address)
        if code == errno.EAGAIN:
            return False
        if code not in (0, errno.EINPROGRESS, errno.EISCONN):
            self.finish(os.strerror(code))
        return True

    def finish(self, error=""):
        if not self.done:
            self.error = self.error or error
            self.t_end = time.monotonic()
            self.done = True
            self.body = b"".join(self.chunks)
            if self.sock is not None:
                self.sock.close()

    def writable(self):
        try:
            sent = self.sock.send(self.out)
            self.out = self.out[sent:]
        except BlockingIOError:
            pass
        except OSError as e:
            self.finish("send: " + os.strerror(e.errno))

    def readable(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as e:
            self.finish("recv: " + os.strerror(e.errno))
            return
        if not data:
            self.finish()
            return
        self.inbuf += data
        at, size = 0, len(self.inbuf)
        while size - at >= 8 and not self.done:
            _, kind, _, length, padding, _ = struct.unpack_from("!BBHHBB", self.inbuf, at)
            if size - at < 8 + length + padding:
                break
            self.take(kind, self.inbuf[at + 8:at + 8 + length])
            at += 8 + length + padding
        del self.inbuf[:at]

    def take(self, kind, data):
        if kind == FCGI_STDERR:
            self.stderr += bytes(data)
        elif kind == FCGI_END:
            self.ended = True
            self.finish()
        elif kind == FCGI_STDOUT and data:
            if self.t_headers:
                self.take_body(data)
                return
            self.head += data
            parts = split_head(self.head)
            if parts is not None:
                self.t_headers = time.monotonic()
                self.set_head(parts[0])
                if parts[1]:
                    self.take_body(parts[1])

    def take_body(self, data):
        self.t_first = self.t_first or time.monotonic()
        self.length += len(data)
        self.crc = zlib.crc32(data, self.crc)
        if self.keep:
            self.chunks.append(bytes(data))
        if self.leave_at is not None and self.length >= self.leave_at:
            self.finish("left")
        if self.stall_at is not None and self.length >= self.stall_at:
            self.stalled = True


class Calls(threading.Thread):
    """Many calls at once, in one thread of their own."""

    def __init__(self, calls, timeout_s=60):
        super().__init__(daemon=True)
        self.calls, self.timeout_s, self.resumed = list(calls), timeout_s * SLOW, False
        self.failure = None

    def run(self):
        try:
            self.loop()
        except Exception:
            self.failure = traceback.format_exc()
        for c in self.calls:
            c.finish("not done")

    def loop(self):
        selector = selectors.DefaultSelector()
        end = time.monotonic() + self.timeout_s
        waiting, active, parked = list(self.calls), set(), []
        while (waiting or active) and time.monotonic() < end:
            refused = []
            for c in waiting:
                if not c.connect():
                    refused.append(c)
                elif not c.done:
                    active.add(c)
                    selector.register(c.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, c)
            waiting = refused
            if self.resumed:
                for c in parked:
                    c.stalled, c.stall_at = False, None
                    selector.register(c.sock, selectors.EVENT_READ, c)
                parked = []
            for key, mask in selector.select(0.02 if waiting or parked else 0.2):
                c = key.data
                if mask & selectors.EVENT_WRITE and c.out:
                    c.writable()
                if mask & selectors.EVENT_READ and not c.done:
                    c.readable()
                if c.done:
                    active.discard(c)
                    selector.unregister(key.fileobj)
                elif c.stalled:
                    selector.unregister(key.fileobj)
                    parked.append(c)
                elif not c.out and key.events != selectors.EVENT_READ:
                    selector.modify(key.fileobj, selectors.EVENT_READ, c)
        for c in active:
            c.error = "no end after %.0f s" % self.timeout_s
        selector.close()

    def resume(self):
        """Let those go on that have stopped at stall_at."""
        self.resumed = True

    def wait(self):
        self.join()
        if self.failure:
            raise RuntimeError(self.failure)
        return self.calls


def run_calls(calls, timeout_s=60):
    c = Calls(calls, timeout_s)
    c.run()
    if c.failure:
        raise RuntimeError(c.failure)
    return c.calls


def start_calls(calls, timeout_s=60):
    c = Calls(calls, timeout_s)
    c.start()
    return c


# The program as FastCGI responder

# A pool mustn't outlive a test that is killed with -9.
DIE_WITH_US = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []

class Pool:
    """`goproxy.fcgi serve`, or (bare=True) one process with the socket as descriptor 0."""

    def __init__(self, settings, tcp=False, bare=False, activate=False, wrap=(), ready=True,
                 program=None):
        self.workers_file = place.new("run/workers")
        self.log_path = place.new("log")
        env = dict(settings, GOPROXY_SERVER_WORKERS_FILE=self.workers_file)
        self.wanted = int(env.get("GOPROXY_SERVER_PROCESSES", 2))
        program = program or PROGRAM
        self.bare, self.socket = bare, None
        command = [program]
        if tcp:
            self.address = ("127.0.0.1", free_port())
            listen = "%s:%d" % self.address
        else:
            self.address = place.new("run/s")
            listen = "unix:" + self.address
        stdin = subprocess.DEVNULL
        if bare or activate:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.bind(self.address)
            os.chmod(self.address, 0o777)
            self.socket.listen(1024)
        if bare:
            stdin = self.socket
        elif activate:
            # What systemd does: descriptor 3, and the pid of the process that is to take it.
            command = ["/bin/sh", "-c",
                       'LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; '
                       'exec "$@" 3<&0 </dev/null',
                       "sh", program, "serve"]
            stdin = self.socket
        else:
            command = [program, "serve", "--listen", listen]
        with open(self.log_path, "wb") as log:
            self.process = children.add(subprocess.Popen(
                [*DIE_WITH_US, *wrap, *command], env=program_env(env), stdin=stdin, stdout=log,
                stderr=log))
        if ready:
            self.wait_ready()

    def wait_ready(self):
        def answers():
            if self.process.poll() is not None:
                raise RuntimeError("the pool ended with %s: %s"
                                   % (self.process.returncode, self.log()))
            s = socket.socket(socket.AF_INET if isinstance(self.address, tuple) else socket.AF_UNIX)
            try:
                s.connect(self.address)
                return True
            except OSError:
                return False
            finally:
                s.close()
        wait_until(answers, "the pool to accept connections")
        if not self.bare:
            self.wait_workers()

    def wait_workers(self, but=()):
        """Pids of all workers, none of them in `but`."""
        return wait_until(lambda: (lambda pids: pids if len(pids) == self.wanted
                                   and not set(pids) & set(but)
                                   else None)(self.workers()),
                          "%d new workers in the workers file (log: %s)"
                          % (self.wanted, self.log()), 15)

    def workers(self):
        if self.bare:
            return [self.process.pid]
        try:
            with open(self.workers_file) as f:
                return [int(line) for line in f if line.strip()]
        except (OSError, ValueError):
            return []

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read().decode("utf-8", "replace")

    def call(self, path, method="GET", headers=None, **options):
        return Call(self.address, path, method, headers, **options)

    def get(self, path, method="GET", headers=None, timeout_s=30, **options):
        return run_calls([self.call(path, method, headers, **options)], timeout_s)[0]

    def many(self, paths, timeout_s=60, **options):
        return run_calls([self.call(p, **options) for p in paths], timeout_s)

    def start(self, paths, timeout_s=60, **options):
        return start_calls([self.call(p, **options) for p in paths], timeout_s)

    def stop(self, timeout_s=10):
        code = children.stop(self.process, timeout_s)
        if self.socket is not None:
            self.socket.close()
        look_for_reports(self.log(), "pool")
        return code


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def memory_kb(pid):
    """Private memory of a process."""
    total = 0
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith(("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:")):
                total += int(line.split()[1])
    return total


def alive(pid):
    """Whether it runs (a zombie doesn't)."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


# Settings and stores

def test_sumdb():
    """The fixture's database, by a mount of its own: what it is asked counts for no upstream."""
    if not Fixture.first:
        return "off"
    url = Fixture.first.url + "/u/_sumdb/sumdb/sum.fixture.test"
    return "%s %s" % (Fixture.first.vkey(), url)


def settings(up, store, **more):
    """GOPROXY_* for an upstream (a Mount or a chain) and a store; more: section_key=value."""
    chain = up if isinstance(up, str) else up.url
    env = {"GOPROXY_UPSTREAM_CHAIN": chain, "GOPROXY_CACHE_DIR": store,
           "GOPROXY_UPSTREAM_RETRIES": 0, "GOPROXY_SUMDB_GOSUMDB": test_sumdb()}
    for key, value in more.items():
        env["GOPROXY_" + key.upper()] = value
    return env


def hash_zip(data):
    """h1: of golang.org/x/mod/sumdb/dirhash, from a zip's bytes."""
    import io
    lines = []
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        for name in sorted(z.namelist(), key=lambda n: n.encode()):
            lines.append("%s  %s\n" % (hashlib.sha256(z.read(name)).hexdigest(), name))
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def files_below(path):
    found = []
    for folder, _, names in os.walk(path):
        found += [os.path.relpath(os.path.join(folder, n), path) for n in names]
    return sorted(found)


def slurp(path):
    with open(path, "rb") as f:
        return f.read()


def store_faults(store, fixture):
    """What is wrong in a store, held against the fixture: [] if every file is whole and right."""
    faults, known = [], {}
    base = store + "/download"

    def right(name):
        if name not in known:
            try:
                known[name] = fixture.ref("/" + urllib.parse.quote(name, safe="/!@+"))
            except urllib.error.HTTPError as e:
                known[name] = None
                faults.append("%s: the fixture answers %d" % (name, e.code))
        return known[name]

    for name in files_below(base):
        path, kind = os.path.join(base, name), name.rsplit(".", 1)[-1]
        if os.path.islink(path):
            faults.append(name + ": a link")
            continue
        mode = os.stat(path).st_mode & 0o7777
        if kind == "lock":
            if os.path.getsize(path) != 0:
                faults.append(name + ": a lock file with content")
            continue
        if mode != 0o644:
            faults.append("%s: mode %o" % (name, mode))
        if name.startswith("sumdb/") or kind in ("info", "mod", "zip"):
            want = right(name)
            if want is not None and name.startswith("sumdb/"):
                want = fixture.with_head_of(slurp(path), want)
            if want is not None and slurp(path) != want:
                faults.append("%s: %d bytes differ from the fixture's %d"
                              % (name, os.path.getsize(path), len(want)))
        elif kind == "ziphash":
            want = right(name[:-4])
            if want is not None and slurp(path).decode("latin-1").strip() != hash_zip(want):
                faults.append("%s: %r isn't %s" % (name, slurp(path), hash_zip(want)))
        elif name.endswith("/@v/list"):
            # cmd/go keeps one of what it has, for GOPROXY=file://.
            for version in slurp(path).decode().split():
                if not os.path.exists(os.path.join(base, os.path.dirname(name), version + ".info")):
                    faults.append("%s: lists %s, which isn't there" % (name, version))
        else:
            faults.append(name + ": doesn't belong here")
    for name in files_below(base):
        if name.endswith(".zip") and not os.path.exists(os.path.join(base, name + "hash")):
            faults.append(name + ": without .ziphash")
    return faults


def temp_files(store):
    return files_below(store + "/tmp")


def unprivileged():
    """The front of a command that runs the rest as nobody; [] if we aren't root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]


def public_program():
    """A copy of the program that every user may run (a checkout may lie in a closed home)."""
    path = place.path + "/goproxy.fcgi"
    if not os.path.exists(path):
        shutil.copy(PROGRAM, path + ".new")
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
    return path
