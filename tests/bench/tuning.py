#!/usr/bin/env python3
"""tuning - what each piece of advice in httpd-examples/TUNING.md is worth.

    tests/bench/tuning.py [nginx|lighttpd|apache|responder] [WORD...]

The site as httpd-examples/run starts it, and copies of its web server on the same store and responder, each with
a line or two changed. "ours" has what is advised, "peer" goes without. WORDs choose lines by a part of their
name. Rates and times are taken in turn, in pairs; failures are counted. Not a row of `make bench`; the table goes
to standard output only.
"""
import os
import re
import resource
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "t"))
import gocmd  # noqa: E402
import harness  # noqa: E402
import hits  # noqa: E402
import sites  # noqa: E402
from clients import BUILD, LOAD, attempt, children, end_load, load, place, small_paths, start_load, warm  # noqa: E402
from sites import MB, Server, Site  # noqa: E402
from table import few, in_turn, median, note, table  # noqa: E402

INFO, ZIP, BIG = (hits.STORED + name for name in ("v1.0.0.info", "v1.0.0.zip", "v1.1.0.zip"))
LIST, hits.ROUNDS = hits.LIST, 5
CONFS = {"nginx": ("nginx.conf", "site.conf", "goproxy_static", "goproxy_params"),
         "lighttpd": ("lighttpd.conf", "site.conf", "fresh.lua"), "apache": ("apache.conf", "site.conf")}
COMMANDS = {"nginx": "nginx -p @dir -e @dir/error.log -c @dir/nginx.conf", "lighttpd": "setsid lighttpd -D -f @dir/lighttpd.conf",
            "apache": "apache2 -D FOREGROUND -f @dir/apache.conf"}
# setsid: lighttpd with several workers ends its whole process group.
# setpriv, as httpd-examples/run does it: Apache's processes must reach the socket and the store.
KEEP = "setpriv --securebits +no_setuid_fixup --inh-caps +dac_override,+fowner --ambient-caps +dac_override,+fowner "


class Copy(Server):
    """The site's web server once more, on the same store and responder, with (expression, text) pairs replaced."""

    def __init__(self, site, *edits):
        kind = site.server.split("-")[0]
        super().__init__(kind)
        unused = list(edits)
        for name in CONFS[kind]:
            text = self.moved(site, site.file(name))
            for edit in edits:
                text, found = re.subn("(?m)" + edit[0], edit[1], text)
                if found and edit in unused:
                    unused.remove(edit)
            self.write(name, text)
        if unused:
            raise RuntimeError("nothing to replace: %s" % unused)
        prefix = KEEP if kind == "apache" and os.geteuid() == 0 else ""
        self.start((prefix + COMMANDS[kind]).replace("@dir", self.dir).split())

    def moved(self, site, text):
        """All but the responder's socket and program lies in a directory of its own."""
        for name in ("/goproxy.sock", "/lib", "/goproxy.ini"):
            text = text.replace(site.run_dir + name, "@run" + name)
        text = text.replace(site.run_dir, self.dir).replace("@run", site.run_dir)
        return re.sub(r"(:|server\.port = )%d\b" % site.port, r"\g<1>%d" % self.port, text)


class Rig:
    """One site, its upstream, and the lines that are wanted of it."""

    def __init__(self, server, words, **settings):
        table.group = "tuning, %s" % server
        self.words, self.fixture, self.fresh, self.stored = words, sites.start_fixture(), 1000, place.dir("store")
        sites.put_version(self.stored, "example.com/bench", "v1.0.0", 20000)
        sites.put_version(self.stored, "example.com/bench", "v1.1.0", 50 * MB)
        self.site = Site(server, self.fixture.url, self.stored, **settings)

    def wanted(self, name):
        return not self.words or any(word in name for word in self.words)

    def line(self, name, run, *arguments):
        if self.wanted(name):
            attempt_line(name, run, self, name, *arguments)

    def misses(self, count, delay_ms):
        """Paths that nobody asked for yet, each of which takes the upstream so long."""
        self.fixture.fetch("/_/clear")
        self.fixture.fetch("/_/set?path=^/example.com/small[0-9]*/@v/v1.0.0.info&delay_ms=%d" % delay_ms)
        self.fresh += count
        return ["/example.com/small%d/@v/v1.0.0.info" % n for n in range(self.fresh - count, self.fresh)]

    def stop(self):
        self.site.stop()
        self.fixture.stop()


def attempt_line(name, run, *arguments):
    """A line that fails is no other line's end."""
    try:
        run(*arguments)
    except Exception as e:
        table.line(name + ": " + type(e).__name__, good=False)
        note("%s: %s" % (name, e))


def rates(rig, name, path, with_edits, without_edits):
    """Hits a second (MB/s of the big zip) with what is advised and without it."""
    ours, peer = Copy(rig.site, *with_edits), Copy(rig.site, *without_edits)
    compare(name, ours, path, peer)
    ours.stop()
    peer.stop()


def compare(name, ours, path, peer):
    """Rates, and on a second line the processor time that the web server takes for 10,000 of them."""
    hits.compare(name, ours, path, peer, clients=4 if path == BIG else 32)
    pairs = table.raw["%s: %s" % (table.group, name)]
    table.ratio("  its CPU", [(a["cpu"], b["cpu"]) for a, b in pairs], "%.3f s")


def crowd(rig, name, with_edits, without_edits, count, delay_ms, wanted=200):
    """So many clients at once whose module takes the upstream so long: how many got it, and hits meanwhile."""
    found = []
    for edits in (with_edits, without_edits):
        found.append(crowd_of(rig, Copy(rig.site, *edits), count, delay_ms, wanted))
    say_counts(name, found)


def crowd_of(rig, server, count, delay_ms, wanted=200):
    paths = rig.misses(count, delay_ms)
    waiting = start_load(server.port, paths, "-t", "25")
    time.sleep(0.3)
    times = []
    while waiting.poll() is None and len(times) < 40:
        one = load(server.port, [INFO], "-t", "20")
        times.append(float("inf") if one.failed() else one.last_s())
        time.sleep(0.05)
    result = end_load(waiting)
    statuses = {}
    for request in result.requests:
        statuses[request[0]] = statuses.get(request[0], 0) + 1
    server.stop()
    return dict(good=sum(r[0] == wanted for r in result.requests), statuses=statuses, last_s=result.last_s(),
                hit_s=median(times), worst_s=max(times))


def say_counts(name, found):
    for word, one in zip(("with", "without"), found):
        note("%s, %s: %s" % (name, word, one))
    table.line(name, *("%d" % one["good"] for one in found),
               more="last after %s s; a hit meanwhile %s s, the worst %s s"
               % tuple(":".join("%.3g" % one[k] for one in found) for k in ("last_s", "hit_s", "worst_s")))


def seconds(rig, name, measure, with_edits, without_edits, form="%.2f s"):
    """measure(server) with what is advised and without it, in turn."""
    ours, peer = Copy(rig.site, *with_edits), Copy(rig.site, *without_edits)
    for server in (ours, peer):
        measure(server)
    table.ratio(name, in_turn(few(7), lambda: measure(ours), lambda: measure(peer)), form)
    ours.stop()
    peer.stop()


def go_download(rig, scheme="http"):
    """`go mod download` of a hundred modules that are in the store."""
    folder = gocmd.project(1)

    def measure(server):
        home = place.dir("home")
        took = gocmd.timed(folder, home, "%s://localhost:%d" % (scheme, server.port))
        if os.path.exists(folder + "/go.sum"):
            os.remove(folder + "/go.sum")
        return took
    if load(rig.site.port, small_paths(1, gocmd.MODULES), "-s").failed():
        raise RuntimeError("the modules can't be fetched")
    return measure


def certificate():
    """A throw-away one; the go command, by a script before it in PATH, trusts it."""
    folder = place.dir("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder + "/key",
                    "-out", folder + "/cert"], check=True, stderr=subprocess.DEVNULL)
    real = subprocess.run(["sh", "-c", "PATH=$PATH:/usr/local/go/bin; command -v go"], stdout=subprocess.PIPE, check=True)
    with open(folder + "/go", "w") as f:
        f.write('#!/bin/sh\nSSL_CERT_FILE=%s/cert exec %s "$@"\n' % (folder, real.stdout.decode().strip()))
    os.chmod(folder + "/go", 0o755)
    os.environ["PATH"] = folder + ":" + os.environ["PATH"]
    return folder


# nginx

def http2(rig, name):
    folder = certificate()
    tls = r"listen \1 ssl\2 backlog=4096; ssl_certificate %s/cert; ssl_certificate_key %s/key;" % (folder, folder)
    listen = r"listen (\S+) backlog=4096;"
    seconds(rig, name, go_download(rig, "https"), [(listen, tls.replace(r"\2", " http2"))], [(listen, tls.replace(r"\2", ""))])


def slow_reader(rig, name, with_edits, without_edits):
    """The largest temporary file while one client reads a zip of 50 MB at 20 MB/s."""
    found = []
    for edits in (with_edits, without_edits):
        server, largest = Copy(rig.site, *edits), 0
        client = children.add(subprocess.Popen(["curl", "-s", "-o", "/dev/null", "--limit-rate", "20M",
                                                "http://127.0.0.1:%d%s" % (server.port, BIG)]))
        while client.poll() is None:
            largest = max([largest] + [size for pid in server.pids() for size in temporary(pid)])
            time.sleep(0.02)
        found.append(largest / MB)
        server.stop()
    table.line(name, *("%.0f MB" % n for n in found))


def temporary(pid):
    folder = "/proc/%d/fd/" % pid
    for fd in os.listdir(folder):
        try:
            if "/tmp/fastcgi/" in os.readlink(folder + fd):
                yield os.stat(folder + fd).st_size
        except OSError:
            pass


def answer(rig, name, with_edits, without_edits, delay_ms, wanted):
    """Twenty clients whose module takes so long: how many read what they should."""
    found = []
    for edits in (with_edits, without_edits):
        server = Copy(rig.site, *edits)
        clients = [children.add(subprocess.Popen(["curl", "-s", "http://127.0.0.1:%d%s" % (server.port, path)],
                                                 stdout=subprocess.PIPE)) for path in rig.misses(20, delay_ms)]
        texts = [client.communicate()[0] for client in clients]
        found.append(sum(wanted in text for text in texts))
        note("%s: %s" % (name, texts[0][:100]))
        server.stop()
    table.line(name, *("%d" % n for n in found), more="of 20")


def broken(rig, name, with_edits, without_edits):
    """Seconds until a client knows that its download broke off in the middle."""
    found = []
    for edits in (with_edits, without_edits):
        server = Copy(rig.site, *edits)
        rig.fresh += 1
        path = "/example.com/big/@v/v1.5.%d.zip" % rig.fresh
        rig.fixture.fetch("/_/set?path=^%s&cut=body&rate=10000000" % path)
        began = time.monotonic()
        subprocess.run(["curl", "-s", "-o", "/dev/null", "http://127.0.0.1:%d%s" % (server.port, path)])
        found.append(time.monotonic() - began)
        server.stop()
    table.line(name, *("%.1f s" % s for s in found))


HITS_OUT = [(r"(?s)^    location ~ .*?^    \}\n", "")]
PASS = r"fastcgi_pass unix:(\S+);"
KEPT = [(PASS, "fastcgi_pass goproxy;"), (r"^server \{", "upstream goproxy { server unix:@sock; keepalive 16; }\nserver {")]
CACHE = (r"^open_file_cache.*\n", "")
LOG = r"access_log (\S+) combined buffer=64k flush=1s;"
SMALL_BUFFERS = (r"^fastcgi_(?:buffer_size|buffers|busy_buffers_size) .*\n", "")
NGINX_RATES = [
    ("open_file_cache: .info", INFO, [], [CACHE]),
    ("open_file_cache: zip of 20 KB", ZIP, [], [CACHE]),
    ("open_file_cache: list", LIST, [], [CACHE]),
    ("sendfile: zip of 20 KB", ZIP, [], [(r"sendfile on;", "sendfile off;")]),
    ("sendfile: zip of 50 MB", BIG, [], [(r"sendfile on;", "sendfile off;")]),
    ("tcp_nopush: zip of 20 KB", ZIP, [], [(r"tcp_nopush on;", "")]),
    ("tcp_nopush: zip of 50 MB", BIG, [], [(r"tcp_nopush on;", "")]),
    ("access_log buffer=64k: .info", INFO, [], [(LOG, r"access_log \1 combined;")]),
    ("access_log off, to buffered: .info", INFO, [(LOG, "access_log off;")], []),
    ("keepalive_timeout, to 0: .info", INFO, [], [(r"^  sendfile on;", "  sendfile on; keepalive_timeout 0;")]),
    ("keepalive_requests 100000: .info", INFO, [(r"^  sendfile on;", "  sendfile on; keepalive_requests 100000;")], []),
    ("worker_processes auto, to 1: .info", INFO, [], [(r"worker_processes auto;", "worker_processes 1;")]),
    ("error_page, to try_files: .info", INFO, [],
     [(r"include goproxy_static;", "try_files $uri @goproxy; include goproxy_static;")]),
    ("fastcgi_buffers 64k: zip of 50 MB", BIG, HITS_OUT, HITS_OUT + [SMALL_BUFFERS]),
    ("temp_file_size 0: zip of 50 MB", BIG, HITS_OUT, HITS_OUT + [(r"^fastcgi_max_temp_file_size 0;", "")]),
    ("fastcgi_keep_conn: list", LIST, HITS_OUT, HITS_OUT + [(r"^fastcgi_keep_conn on;", "")]),
]


def tune_nginx(words):
    rig = Rig("nginx", words, server_answer_timeout_s=8)
    for name, path, with_edits, without_edits in NGINX_RATES:
        rig.line(name, rates, path, with_edits, without_edits)
    kept = [(pattern, text.replace("@sock", rig.site.run_dir + "/goproxy.sock")) for pattern, text in KEPT]
    rig.line("upstream keepalive 16: list", rates, LIST, HITS_OUT + kept, HITS_OUT)
    download = go_download(rig)
    rig.line("keepalive_timeout: go mod download", seconds, download, [],
             [(r"^  sendfile on;", "  sendfile on; keepalive_timeout 0;")])
    gzip = [(r"^gzip off;", "gzip on; gzip_types *; gzip_min_length 0;")]
    rig.line("gzip off: go mod download", seconds, download, [], gzip)
    rig.line("http2: go mod download over TLS", http2)
    rig.line("temp_file_size 0: a slow reader", slow_reader, HITS_OUT, HITS_OUT + [(r"^fastcgi_max_temp_file_size 0;", "")])
    connections = (r"worker_connections \d+;", "worker_connections 768;")
    rig.line("worker_connections, 1000 waiting", crowd, [], [connections], 1000, 2000)
    files = (r"worker_rlimit_nofile \d+;", "worker_rlimit_nofile 1024;")
    rig.line("worker_rlimit_nofile, 1500 waiting", crowd, [], [files], 1500, 2000)
    rig.line("listen backlog, 1500 waiting", crowd, [], [(r" backlog=4096;", ";")], 1500, 1000)
    rig.line("fastcgi_read_timeout", answer, [], [(r"^fastcgi_read_timeout 300s;", "fastcgi_read_timeout 1s;")], 2500, b"Version")
    rig.line("fastcgi_read_timeout, our own text", answer, [], [(r"^fastcgi_read_timeout 300s;", "fastcgi_read_timeout 4s;")],
             60000, b"cannot get")
    rig.line("fastcgi_keep_conn, a broken download", broken, [], [(r"^fastcgi_keep_conn on;", "")])
    rig.stop()


# lighttpd

IMMUTABLE = """local r = lighty.r
local st = r.req_item["http_status"]
if r.req_attr["uri.path"]:find("^/goproxy%.fcgi") == nil and (st == 200 or st == 206 or st == 304) then
  r.resp_header["Cache-Control"] = "public, max-age=31536000, immutable"
end
return 0
"""
BIND = r"^server\.bind"


def first_byte(rig, name, with_edits, without_edits):
    """Of a zip of 20 MB that comes in at 10 MB/s."""
    servers, pairs = (Copy(rig.site, *with_edits), Copy(rig.site, *without_edits)), []
    rig.fixture.fetch("/_/set?path=^/example.com/big/&rate=10000000")
    for _ in range(few(5)):
        times = []
        for server in servers:
            rig.fresh += 1
            times.append(load(server.port, ["/example.com/big/@v/v1.20.%d.zip" % rig.fresh]).first_s())
        pairs.append(times)
    table.ratio(name, pairs, "%.3f s")
    for server in servers:
        server.stop()


def tune_lighttpd(words):
    rig = Rig("lighttpd", words, server_answer_timeout_s=8)
    lua = place.file(IMMUTABLE, "immutable.lua")
    for name, path, with_edits, without_edits in [
            ("stat-cache simple, to disable: .info", INFO, [], [(BIND, 'server.stat-cache-engine = "disable"\nserver.bind')]),
            ("stat-cache inotify, to simple: .info", INFO, [(BIND, 'server.stat-cache-engine = "inotify"\nserver.bind')], []),
            ("sendfile, to writev: zip of 20 KB", ZIP, [], [(BIND, 'server.network-backend = "writev"\nserver.bind')]),
            ("sendfile, to writev: zip of 50 MB", BIG, [], [(BIND, 'server.network-backend = "writev"\nserver.bind')]),
            ("accesslog off: .info", INFO, [(r"^accesslog\.filename.*\n", "")], []),
            ("expire, to a Lua script: .info", INFO, [],
             [(r'expire\.url = \( "" => "access plus 365 days" \)', 'magnet.attract-response-start-to = ( "%s" )' % lua)]),
            ("max-keep-alive-requests, to 0: .info", INFO, [], [(BIND, "server.max-keep-alive-requests = 0\nserver.bind")]),
            ("max-worker 2: .info", INFO, [(BIND, "server.max-worker = 2\nserver.bind")], []),
            ("max-worker 2: zip of 50 MB", BIG, [(BIND, "server.max-worker = 2\nserver.bind")], [])]:
        rig.line(name, rates, path, with_edits, without_edits)
    rig.line("stream-response-body 2, to 0: first byte", first_byte, [], [(r"server\.stream-response-body = 2", "")])
    rig.line("max-fds, 1500 waiting", crowd, [],
             [(r"^server\.max-(?:fds|connections) = .*\n", ""), (BIND, "server.max-fds = 1024\nserver.bind")], 1500, 2000)
    rig.line("max-fds, max-connections: defaults, 1500", crowd, [], [(r"^server\.max-(?:fds|connections) = .*\n", "")], 1500, 2000)
    rig.line("listen-backlog, 1500 waiting", crowd, [], [(r"^server\.listen-backlog.*\n", "")], 1500, 1000)
    rig.line("a broken download, to stream 0", broken, [], [(r"server\.stream-response-body = 2", "")])
    rig.stop()


# Apache

MMAP_ON = (r"^  EnableMMAP Off", "  EnableMMAP On")
NO_SENDFILE = (r"^  EnableSendfile On", "  EnableSendfile Off")
# ProxyFCGISetEnvIf where only what goes to the responder meets it.
IN_PROXY = [(r'^<Location "\$\{GOPROXY_PATH\}">', '<Proxy "fcgi://localhost${GOPROXY_PATH}">'), (r"^</Location>", "</Proxy>")]
BY_RESPONDER = (r"^RewriteEngine On", "RewriteEngine Off")
REUSE = (r"timeout=300$", "timeout=300 enablereuse=on")
DEBIAN_MPM = [(r"^(?:StartServers|ServerLimit|ThreadLimit) .*\n", ""), (r"^ThreadsPerChild .*", "ThreadsPerChild 25"),
              (r"^MaxRequestWorkers .*", "StartServers 2\nThreadLimit 64\nMaxRequestWorkers 150")]


def tune_apache(words):
    rig = Rig("apache-proxy", words, server_answer_timeout_s=8)
    for what, path in ((".info", INFO), ("zip of 20 KB", ZIP), ("zip of 50 MB", BIG)):
        rig.line("EnableMMAP Off: " + what, rates, path, [], [MMAP_ON])
        rig.line("EnableSendfile, no MMAP: " + what, rates, path, [], [NO_SENDFILE])
        rig.line("EnableSendfile, MMAP: " + what, rates, path, [MMAP_ON], [MMAP_ON, NO_SENDFILE])
    small = [(r"^ThreadLimit .*", "ThreadLimit 64"), (r"^ThreadsPerChild .*", "ThreadsPerChild 64"),
             (r"^ServerLimit .*", "ServerLimit 16")]
    for name, path, with_edits, without_edits in [
            ("AllowOverride None, to All: .info", INFO, [], [(r"AllowOverride None", "AllowOverride All")]),
            ("FollowSymLinks, to None: .info", INFO, [], [(r"Options FollowSymLinks", "Options None")]),
            ("KeepAlive, to Off: .info", INFO, [], [(r"^KeepAlive .*|^Listen 127", "KeepAlive Off\nListen 127")]),
            ("MaxKeepAliveRequests 0: .info", INFO, [(r"^Listen 127", "MaxKeepAliveRequests 0\nListen 127")], []),
            ("CustomLog off: .info", INFO, [(r"^CustomLog .*\n", "")], []),
            ("BufferedLogs On: .info", INFO, [(r"^CustomLog", "BufferedLogs On\nCustomLog")], []),
            ("ThreadsPerChild 256, to 64: .info", INFO, [], small)]:
        rig.line(name, rates, path, with_edits, without_edits)
    rig.line("MaxRequestWorkers, 400 waiting", crowd, [], DEBIAN_MPM, 400, 2000)
    rig.line("enablereuse=off, to on: 20,000 lists", failures, [BY_RESPONDER], [BY_RESPONDER, REUSE], LIST, 20000)
    rig.line("ListenBacklog, 1000 waiting", crowd, [], [(r"^ListenBacklog .*\n", "")], 1000, 1000)
    rig.line("timeout=300, to 1", answer, [], [(r"timeout=300$", "timeout=1")], 2500, b"Version")
    rig.line("mod_proxy_fcgi, to mod_fcgid: list", by_fcgid)
    rig.line("static files: .info", against_static, INFO)
    rig.line("static files: zip of 20 KB", against_static, ZIP)
    rig.line("static files: zip of 50 MB", against_static, BIG)
    rig.stop()
    if any(rig.wanted(name) for name in ("FcgidMaxProcesses",)):
        rig = Rig("apache-fcgid", words, server_answer_timeout_s=8)
        rig.line("FcgidMaxProcesses 256, to 8: 40 waiting", crowd, [],
                 [(r"^(FcgidMaxProcesses|FcgidMaxProcessesPerClass) 256", r"\1 8")], 40, 2000)
        rig.stop()


def by_fcgid(rig, name):
    other = Site("apache-fcgid", rig.fixture.url, rig.stored)
    ours, peer = Copy(rig.site, BY_RESPONDER), Copy(other, BY_RESPONDER)
    compare(name, ours, LIST, peer)
    for server in (ours, peer, other):
        server.stop()


def failures(rig, name, with_edits, without_edits, path, count):
    """Answers other than 200, of so many over 32 connections."""
    found = []
    for edits in (with_edits, without_edits):
        server = Copy(rig.site, *edits)
        found.append(load(server.port, [path] * count, "-c", "32"))
        server.stop()
    table.line(name, *("%d" % result.failed() for result in found),
               more="failed; all after %s s" % ":".join("%.2f" % (result.wall_us / 1e6) for result in found))
    note("%s: statuses %s" % (name, sorted(set(r[0] for r in found[1].requests))))


def against_static(rig, name, path):
    """As shipped and with changes, each against the same Apache's plain files."""
    static = sites.static_peer(rig.site, rig.stored + "/download")
    for what, edits in (("EnableMMAP On: ", [MMAP_ON]), ("as shipped: ", []), ("and <Proxy>: ", IN_PROXY)):
        ours = Copy(rig.site, *edits)
        compare(what + name, ours, path, static)
        ours.stop()
    static.stop()


# The responder

def pools(rig, name, with_settings, without_settings):
    """Lists by the responder alone, from pools with different settings on the same store."""
    ours, peer = (Site("nginx", rig.fixture.url, rig.stored, **s) for s in (with_settings, without_settings))
    one, other = sites.responder_only(ours), sites.responder_only(peer)
    compare(name, one, LIST, other)
    for server in (one, other, ours, peer):
        server.stop()


def backlog(rig, name, small):
    """500 clients at the same moment, for a socket with a queue as advised and with a small one: answers."""
    found = []
    for length in (1024, small):
        address = place.new("sock")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(address)
            s.listen(length)
            os.chmod(address, 0o777)
            env = harness.program_env({"GOPROXY_CONFIG": rig.site.run_dir + "/goproxy.ini"})
            workers = [children.add(subprocess.Popen([sites.program()], stdin=s, env=env)) for _ in range(2)]
        server = sites.fastcgi(rig.site, address, [])
        warm(server.port, LIST)
        found.append([load(server.port, [LIST] * 500).failed() for _ in range(few(5))])
        server.stop()
        for worker in workers:
            children.stop(worker)
    note("%s: failed %s" % (name, found))
    table.line(name, *("%.0f" % median(f) for f in found), more="of 500 failed")


def descriptors(rig, name):
    """Waiting clients of workers whose limit of descriptors is lowered."""
    found = []
    for limit in (16384, 256):
        for pid in rig.site.workers():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, 16384))
        found.append(crowd_of(rig, Copy(rig.site), 1000, 2000))
    for pid in rig.site.workers():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (16384, 16384))
    say_counts(name, found)


def tune_responder(words):
    rig = Rig("nginx", words, server_answer_timeout_s=8)
    table.group = "tuning, responder"
    for name, with_settings, without_settings in [
            ("processes 2, to 1: list", {}, {"server_processes": 1}),
            ("processes 4, to 2: list", {"server_processes": 4}, {}),
            ("threads 8, to 1: list", {}, {"server_threads": 1}),
            ("threads 32, to 8: list", {"server_threads": 32}, {})]:
        rig.line(name, pools, with_settings, without_settings)
    rig.line("backlog 1024, to 16", backlog, 16)
    rig.line("backlog 1024, to 128", backlog, 128)
    rig.line("LimitNOFILE, to 256: 1000 waiting", descriptors)
    rig.stop()


GROUPS = {"nginx": tune_nginx, "lighttpd": tune_lighttpd, "apache": tune_apache, "responder": tune_responder}


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not os.path.exists(LOAD):
        sys.exit("%s/bench/load is missing: make build/bench/load" % BUILD)
    names = sys.argv[1:]
    groups = [names.pop(0)] if names and names[0] in GROUPS else list(GROUPS)
    for group in groups:
        attempt(GROUPS[group], names)
    sys.exit(1 if table.bad() else 0)


if __name__ == "__main__":
    main()
