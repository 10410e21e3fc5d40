"""sites - who answers: the fixture, a web server with the pool behind it, and the same server by itself.

A peer's configuration is the very text that httpd-examples/run wrote for the site (processes, logs,
sendfile, limits), with the proxy's part replaced, so that both differ in nothing else.
"""
import io
import os
import random
import re
import socket
import subprocess
import threading
import urllib.request
import zipfile

import harness
from clients import BUILD, ROOT, children, place

HELLO = BUILD + "/bench/hello"
EXAMPLES = os.environ.get("EXAMPLES", ROOT + "/httpd-examples")
SERVERS = os.environ.get("SERVERS", "nginx lighttpd apache-proxy").split()
MB = 1 << 20


def start_fixture():
    # The harness asks the first one for its database; here each row has its own.
    harness.Fixture.first = None
    return harness.Fixture()


def program():
    """A copy: a build in the meantime shall not change what is measured."""
    return harness.public_program()


def cpu_s(pids):
    ticks = 0
    for pid in pids:
        try:
            fields = harness.slurp("/proc/%d/stat" % pid).decode().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def below(pid):
    """A process and all its descendants."""
    found = [pid]
    for p in found:
        try:
            for task in os.listdir("/proc/%d/task" % p):
                found += [int(c) for c in harness.slurp("/proc/%d/task/%s/children" % (p, task)).split()]
        except OSError:
            pass
    return found


def body(server, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open("http://127.0.0.1:%d%s" % (server.port, path), timeout=60) as answer:
        return answer.read()


class Site:
    """A web server with the pool behind it, as `make run` starts it."""

    def __init__(self, server, upstream, store=None, **settings):
        self.server = server
        self.store, self.run_dir = store or place.dir("store"), place.dir("run")
        self.port = harness.free_port()
        env = {"PATH": os.environ["PATH"], "HOME": place.path, "SERVER": server, "PORT": str(self.port),
               "CACHE_DIR": self.store, "RUN_DIR": self.run_dir, "UPSTREAM": upstream, "GOPROXY_FCGI": program(),
               "GOPROXY_SUMDB_GOSUMDB": "off"}
        env.update({"GOPROXY_" + k.upper(): str(v) for k, v in settings.items()})
        self.process = children.add(subprocess.Popen([EXAMPLES + "/run"], env=env, stdin=subprocess.DEVNULL,
                                                     stdout=subprocess.PIPE))
        for line in self.process.stdout:
            if line.startswith(b"GOPROXY="):
                return
        log = self.run_dir + "/error.log"
        raise RuntimeError("%s doesn't start: %s" % (server, self.file("error.log") if os.path.exists(log) else "see above"))

    def file(self, name):
        return harness.slurp(self.run_dir + "/" + name).decode("utf-8", "replace")

    def workers(self):
        return [int(p) for p in self.file("workers").split()]

    def pids(self):
        return below(self.process.pid)

    def memory_kb(self):
        return sum(harness.memory_kb(pid) for pid in self.workers())

    def stop(self):
        children.stop(self.process, 10)


class Server:
    """A process that listens on a free port and was not started by httpd-examples/run."""

    def __init__(self, name):
        self.dir, self.port, self.name, self.helpers = place.dir(name), harness.free_port(), name, []
        for folder in ("tmp", "htdocs"):
            os.mkdir("%s/%s" % (self.dir, folder))
        self.log = self.dir + "/error.log"

    def write(self, name, text):
        with open("%s/%s" % (self.dir, name), "w") as f:
            f.write(text)
        return f.name

    def start(self, command, env=None):
        with open(self.log, "ab") as f:
            self.process = children.add(subprocess.Popen(command, env=env, cwd=self.dir, stdin=subprocess.DEVNULL,
                                                         stdout=f, stderr=f))
        harness.wait_until(self.answers, "%s to listen: %s" % (self.name, self.log))

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s: %s" % (self.name, harness.slurp(self.log).decode("utf-8", "replace")))
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def pids(self):
        """Of all that answers take, be it started elsewhere."""
        return below(self.process.pid) + self.helpers

    def stop(self):
        children.stop(self.process)


class Nginx(Server):
    """The Site's nginx with other locations."""

    def __init__(self, site, inside, outside=""):
        super().__init__("nginx")
        server = self.write("server.conf", "%s\nserver {\n  listen 127.0.0.1:%d backlog=4096;\n  %s\n}\n"
                            % (outside, self.port, inside))
        conf = site.file("nginx.conf").replace("include %s/site.conf;" % site.run_dir, "include @server;")
        conf = conf.replace(site.run_dir, self.dir).replace("@server", server)
        self.start(["nginx", "-p", self.dir, "-e", self.log, "-c", self.write("nginx.conf", conf)])


class Lighttpd(Server):
    """The Site's lighttpd, sending files."""

    def __init__(self, site, root):
        super().__init__("lighttpd")
        conf = re.sub(r"(?m)^\s*include .*site\.conf.*\n", "", site.file("lighttpd.conf")).replace(site.run_dir, self.dir)
        conf = re.sub(r"(?m)^(server\.port = ).*$", r"\g<1>%d" % self.port, conf)
        conf = re.sub(r"(?m)^(server\.document-root = ).*$", r'\g<1>"%s"' % root, conf)
        conf += 'mimetype.assign = (%s)\n' % ", ".join('".%s" => "%s"' % pair for pair in TYPES)
        self.start(["lighttpd", "-D", "-f", self.write("lighttpd.conf", conf)])


class Apache(Server):
    """The Site's Apache, sending files."""

    def __init__(self, site, root):
        super().__init__("apache")
        conf = re.sub(r"(?mi)^(Include .*site\.conf.*|LoadModule (?!mpm_|authz_core).*)\n", "", site.file("apache.conf"))
        conf = conf.replace(site.run_dir, self.dir)
        for key, value in (("Listen", "127.0.0.1:%d" % self.port), ("DocumentRoot", '"%s"' % root),
                           ("DefaultRuntimeDir", '"%s"' % self.dir)):
            conf = re.sub(r"(?m)^%s .*$" % key, "%s %s" % (key, value), conf)
        # Before the first use of it: the text asks whether mod_mime is there.
        conf = "LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so\n" + conf
        conf += '<Directory "%s">\n  Require all granted\n</Directory>\nEnableSendfile On\n' % root
        conf += "".join("AddType %s .%s\n" % (kind, ending) for ending, kind in TYPES)
        self.start(["apache2", "-D", "FOREGROUND", "-f", self.write("apache.conf", conf)])


TYPES = [("info", "application/json"), ("mod", "text/plain"), ("zip", "application/zip")]


def static_peer(site, root):
    """The plain best that the same program can do with files: what the site is held against."""
    if site.server.startswith("lighttpd"):
        return Lighttpd(site, root)
    if site.server.startswith("apache"):
        return Apache(site, root)
    types = "types { %s }" % " ".join("%s %s;" % (kind, ending) for ending, kind in TYPES)
    return Nginx(site, "root %s; default_type application/octet-stream; %s" % (root, types))


def fastcgi(site, address, helpers):
    """nginx that sends every request to a FastCGI socket, by the site's own parameters."""
    server = Nginx(site, """location / { fastcgi_param SCRIPT_NAME ""; fastcgi_param PATH_INFO $fastcgi_script_name;
    include %s/goproxy_params; fastcgi_pass unix:%s; }""" % (site.run_dir, address))
    server.helpers = helpers
    return server


def responder_only(site):
    """The site's responder without whatever the web server does by itself."""
    address = re.search(r"unix:(/[^;\s]+)", site.file("site.conf")).group(1)
    return fastcgi(site, address, site.workers())


def start_hello(site, count=4):
    """hello.c, some processes on a socket of their own, behind nginx."""
    address = place.new("hello")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(address)
        s.listen(1024)
        processes = [children.add(subprocess.Popen([HELLO], stdin=s)) for _ in range(count)]
    return processes, fastcgi(site, address, [p.pid for p in processes])


PROXY_CACHE = "proxy_cache_path %s/cache levels=1:2 keys_zone=c:10m;\nupstream fixture { server 127.0.0.1:%d; keepalive 16; }"
PROXY_PASS = """location / { proxy_pass http://fixture; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_cache c; proxy_cache_valid 200 1h; proxy_cache_lock on; }"""


def proxy_cache(site, fixture, folder):
    server = Nginx(site, PROXY_PASS, PROXY_CACHE % (folder, fixture.port))
    server.title = "proxy_cache"
    return server


class MemoryWatch(threading.Thread):
    """The most private memory of all workers of a site together."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.max_kb, self.ended = site, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                self.max_kb = max(self.max_kb, self.site.memory_kb())
            except OSError:
                pass

    def stop(self):
        self.ended.set()
        self.join()
        return self.max_kb / 1024


def put_version(store, module, version, size):
    """A version whose zip has about this size, as an administrator would copy it from a module cache."""
    folder = "%s/download/%s/@v" % (store, module)
    os.makedirs(folder, exist_ok=True)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr("%s@%s/go.mod" % (module, version), "module %s\n" % module)
        for i in range(0, size, 8 * MB):
            z.writestr("%s@%s/data%d.bin" % (module, version, i), random.randbytes(min(size - i, 8 * MB)))
    for kind, content in (("info", b'{"Version":"%s","Time":"2024-02-29T23:30:00Z"}' % version.encode()),
                          ("mod", b"module %s\n" % module.encode()), ("zip", data.getvalue()),
                          ("ziphash", harness.hash_zip(data.getvalue()).encode())):
        with open("%s/%s.%s" % (folder, version, kind), "wb") as f:
            f.write(content)
