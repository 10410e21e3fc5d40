#!/usr/bin/env python3
"""35-static.t - what a web server sends from the store by itself, and what it never does.

Every server that has an example for it, with its configuration as shipped; see httpd-examples/.
Whether the responder was asked is told by Cache-Status, and by stopping its processes.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import webrun  # noqa: E402
from harness import ROOT, SLOW, Fixture, files_below, place, tap, temp_files, wait_until  # noqa: E402

# Does the example have lists as files? CGI publishes none, and .htaccess has no clock.
SERVERS = {"nginx": True, "lighttpd": True, "lighttpd-spawn": True, "lighttpd-cgi": False, "apache-proxy": True,
           "apache-fcgid": True, "apache-cgi": False, "apache-htaccess": False, "apache-htaccess-cgi": False}
TYPES = {"info": "application/json", "mod": "text/plain; charset=utf-8", "zip": "application/zip",
         "list": "text/plain; charset=utf-8"}
BASE = "/example.com/hello/@v/v1.0.0."
LIST = "/example.com/multi/@v/list"
fixture = Fixture()


class Answer:
    def __init__(self, reply):
        self.status, self.body = reply.status, reply.read()
        self.headers = {}
        for name, value in reply.getheaders():  # several lines are one list (RFC 9110, 5.3)
            old = self.headers.get(name.lower())
            self.headers[name.lower()] = old + ", " + value if old else value

    def __getattr__(self, name):
        return self.headers.get(name.replace("_", "-"), "")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect)


def get(url, method="GET", timeout_s=20 * SLOW, data=None, **headers):
    call = urllib.request.Request(url, method=method, data=data,
                                  headers={k.replace("_", "-"): v for k, v in headers.items()})
    try:
        return Answer(opener.open(call, timeout=timeout_s))
    except urllib.error.HTTPError as error:
        error.getheaders = lambda: list(error.headers.items())
        return Answer(error)


def is_file(answer):
    """Sent by the web server alone?"""
    status = answer.cache_status
    return status in ("goproxy.fcgi; hit; detail=file", "lighttpd; detail=files-first")


class Site:
    def __init__(self, server, prefix="", **settings):
        self.up, self.server = fixture.mount(), server
        self.cache = place.dir("cache")
        if "htaccess" in server:
            # The folder that the example names, in the account's own.
            settings.setdefault("run_cache", "cache")
        cache = settings.pop("run_cache", None)
        self.run = webrun.WebRun(server, self.up.url, self.cache, PREFIX_PATH=prefix,
                                 GOPROXY_SUMDB_GOSUMDB=self.up.sumdb(), GOPROXY_UPSTREAM_RETRIES="0", **settings) \
            if not cache else self.inside(server, prefix, settings)
        self.run.ready()
        self.url = self.run.url

    def inside(self, server, prefix, settings):
        run_dir = place.new("site")
        self.cache = run_dir + "/run/htdocs" + prefix + "/cache"
        run = webrun.WebRun(server, self.up.url, self.cache, PREFIX_PATH=prefix, RUN_DIR=run_dir + "/run",
                            GOPROXY_SUMDB_GOSUMDB=self.up.sumdb(), GOPROXY_UPSTREAM_RETRIES="0", **settings)
        return run

    def get(self, path, *arguments, **more):
        return get(self.url + path, *arguments, **more)

    def warm(self, *paths):
        for path in paths:
            if self.get(path).status != 200:
                raise AssertionError(path + " isn't served")
        names = [self.cache + "/download" + p for p in paths if re.search(r"/v\d[^/]*\.(info|mod|zip)$", p)]
        wait_until(lambda: all(map(os.path.exists, names)) and not temp_files(self.cache), "the files to be kept")

    def end(self):
        self.run.end()


def kept_versions(site, what):
    paths = [BASE + kind for kind in ("info", "mod", "zip")] + [
        "/example.com/%21upper/@v/v1.0.0.mod", "/example.com/!upper/@v/v1.0.1-%21r%21c1.info",
        "/example.com/incompat/@v/v2.0.0+incompatible.zip", "/example.com/multi/v2/@v/v2.1.0.mod"]
    for path in paths:
        a = site.get(path)
        tap.eq((a.status, a.body), (200, fixture.ref(path)), "%s: miss %s" % (what, path))
        tap.ok("goproxy.fcgi; fwd=" in a.cache_status and not is_file(a), "%s: a miss says so" % what, a.cache_status)
    site.warm(*(p.replace("%21", "!") for p in paths))
    asked = site.up.paths()
    for path in paths:
        a = site.get(path)
        tap.eq((a.status, a.body, is_file(a)), (200, fixture.ref(path), True), "%s: file %s" % (what, path))
        kind = path.rsplit(".", 1)[1]
        tap.eq(a.content_type.lower(), TYPES[kind], "%s: its type" % what)
        tap.like(a.cache_control, "max-age=31536000", "%s: may be kept for a year" % what)
        tap.eq((a.content_length, a.accept_ranges), (str(len(a.body)), "bytes"), "%s: its length" % what)
    path = BASE + "zip"
    tag = wait_until(lambda: (t := site.get(path).etag).startswith('"') and t, "a strong ETag")
    whole = fixture.ref(path)
    a = site.get(path, if_none_match=tag)
    tap.eq((a.status, a.body, is_file(a) or a.cache_status == ""), (304, b"", True), what + ": If-None-Match")
    a = site.get(path, range="bytes=100-199")
    tap.eq((a.status, a.body, a.content_range), (206, whole[100:200], "bytes 100-199/%d" % len(whole)), what + ": Range")
    a = site.get(path, range="bytes=%d-" % len(whole))
    tap.eq(a.status, 416, what + ": Range after the end")
    a = site.get(path, "HEAD")
    tap.eq((a.status, a.content_length, a.body, is_file(a)), (200, str(len(whole)), b"", True), what + ": HEAD")
    a = site.get(path, "POST", data=b"x")
    tap.eq((a.status, a.allow), (405, "GET, HEAD"), what + ": POST")
    a = site.get("/example.com/hello/@v/v1.9.9.mod")
    tap.eq(("max-age=31536000" in a.cache_control, a.status), (False, 404), what + ": a 404 isn't immutable")
    tap.eq([p for p in site.up.paths()[len(asked):] if "v1.9.9" not in p], [], what + ": the upstream was asked for that alone")


def never_as_files(site, what):
    """What lies beside the versions in the store stays there."""
    site.warm(BASE + "mod", LIST, "/example.com/hello/@latest", "/example.com/hello/@v/master.info")
    folder = site.cache + "/download/example.com/hello/@v/"
    secret = b"nobody is to see this\n"
    for name in ("list", "v1.0.0.lock", "v1.0.0.ziphash", "v1.0.0.zip.partial", "v1.0.7.info.tmp", "v1.0.0.txt",
                 "master.info", ".v1.0.0.info", "v1.0.info", "@latest"):
        with open(folder + name, "wb") as f:
            f.write(secret)
    for name in ("download/example.com/hello/@latest", "private/example.com/hello/@v/v1.0.0.zip",
                 "download/sumdb/sum.fixture.test/latest", "download/sumdb/sum.fixture.test/supported",
                 "download/cache/lock", "tmp/v1.0.0.zip"):
        os.makedirs(os.path.dirname(site.cache + "/" + name), exist_ok=True)
        with open(site.cache + "/" + name, "wb") as f:
            f.write(secret)
    hello = "/example.com/hello/@v/"
    paths = [hello + n for n in ("list", "v1.0.0.lock", "v1.0.0.ziphash", "v1.0.0.zip.partial", "v1.0.7.info.tmp",
                                 "v1.0.0.txt", "master.info", ".v1.0.0.info", "v1.0.info", "@latest", "",
                                 "v1.0.0.mod/", "v1.0.0.mod/x", "v1.0.0.mod%00", "v1.0.0.mod%0a")]
    paths += ["/example.com/hello/@latest", "/sumdb/sum.fixture.test/latest", "/sumdb/sum.fixture.test/supported",
              "/private/example.com/hello/@v/v1.0.0.zip", "/../private/example.com/hello/@v/v1.0.0.zip",
              "/../tmp/@v/v1.0.0.zip", "/%2e%2e/private/example.com/hello/@v/v1.0.0.zip", "/cache/lock",
              "/../mutable/example.com/hello/@v/list", "/example.com/hello", "/example.com"]
    wrong = [p for p in paths if is_file(a := site.get(p)) and a.status < 400 or secret in a.body]
    tap.ok(not wrong, what + ": lists, queries, databases, locks, parts, private ones are never sent as files", wrong)
    a = site.get("/example.com/hello/@latest")
    tap.eq((a.status, a.body), (200, fixture.ref("/example.com/hello/@latest")), what + ": @latest is the responder's")
    a = site.get("/sumdb/sum.fixture.test/supported")
    tap.ok(a.status == 200 and not is_file(a), what + ": so is the checksum database", a.cache_status)


def stop(site, number):
    """To all processes of the responder: its master, too, so that nobody replaces or sweeps anything."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            program = os.readlink("/proc/%s/exe" % pid)
            environ = open("/proc/%s/environ" % pid, "rb").read()
        except OSError:
            continue
        if program.endswith("goproxy.fcgi") and (site.run.dir + "/").encode() in environ:
            os.kill(int(pid), number)


def lists_as_files(site, what):
    body = fixture.ref("/example.com/multi/@v/list")
    paths = {LIST: (b"v1.0.0\nv1.1.0\n", "text/plain; charset=utf-8"), "/example.com/hello/@latest": None}
    for path in paths:
        site.warm(path)

        def is_published():
            while time.time() % 10 > 7:  # what follows lies in the same slot
                time.sleep(0.05)
            for _ in range(5):
                a = site.get(path)
            return is_file(a) and a
        a = wait_until(is_published, path + " as a file", 30)
        tap.eq((a.status, a.cache_control), (200, "public, max-age=0" if "lighttpd" not in what else "max-age=0"),
               "%s: %s comes as a file" % (what, path))
        tap.like(a.content_type.lower(), "^(text/plain; charset=utf-8|application/json)$", "%s: its type" % what)
    tap.eq(site.get(LIST).body, b"v1.0.0\nv1.1.0\n", what + ": with the right bytes", body)
    if what not in ("nginx", "lighttpd", "apache-proxy"):
        return
    # Every process is stopped: what they published ends with its ten seconds, kept versions go on.
    site.warm(BASE + "zip")
    wait_until(lambda: (a := site.get(LIST)) and is_file(a) and time.time() % 10 < 7, "a fresh list", 30)
    end = (time.time() // 10 + 1) * 10
    stop(site, signal.SIGSTOP)
    try:
        a = site.get(LIST)
        tap.ok(is_file(a) or time.time() > end, what + ": the responder sleeps: the list is sent")
        a = site.get(BASE + "zip")
        tap.eq((a.status, is_file(a)), (200, True), what + ": and the zip")
        time.sleep(max(0, end - time.time()) + 0.1)
        try:
            a = site.get(LIST, timeout_s=1)
            tap.ok(not is_file(a), what + ": after ten seconds it is sent no more", a.cache_status)
        except OSError:
            tap.ok(True, what + ": after ten seconds it is sent no more")
        tap.ok(files_below(site.cache + "/fresh"), what + ": though it is still there")
    finally:
        stop(site, signal.SIGCONT)
    a = wait_until(lambda: (a := site.get(LIST)).status == 200 and a, "the responder to be back", 30)
    tap.eq(a.body, b"v1.0.0\nv1.1.0\n", what + ": the responder is back")


def password_file():
    done = subprocess.run(["openssl", "passwd", "-apr1", "open sesame"], capture_output=True, text=True, check=True)
    return place.file("ali:" + done.stdout.strip() + "\n", "htpasswd")


def guarded(server):
    """A copy of the examples with the access rules where their comments say that they belong."""
    folder, users = place.new("examples"), password_file()
    shutil.copytree(ROOT + "/httpd-examples", folder)
    os.chmod(users, 0o644)

    def change(name, pattern, text):
        with open(folder + "/" + name) as f:
            changed, n = re.subn(pattern, text, f.read(), flags=re.M)
        assert n == 1, (name, pattern, n)
        with open(folder + "/" + name, "w") as f:
            f.write(changed)
    rule = 'auth_basic "go"; auth_basic_user_file %s;' % users
    if server == "nginx":
        change("nginx-site.conf", r"^  location / {$", "  location / {\n " + rule)
        change("nginx-path.conf", r"^location /goproxy/ {$", "location /goproxy/ {\n " + rule)
    elif server == "lighttpd":
        change("lighttpd.conf", r"\A", 'server.modules += ( "mod_auth", "mod_authn_file" )\n'
               'auth.backend = "htpasswd"\nauth.backend.htpasswd.userfile = "%s"\n' % users)
        change("lighttpd.conf", r"\Z", 'auth.require = ( var.goproxy_path => ("method" => "basic", "realm" => "go", '
               '"require" => "valid-user") )\n')
    else:
        modules = "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m)
                          for m in ("authn_core", "authn_file", "authz_user", "auth_basic"))
        change("apache-proxy.conf", r"\Z", modules + '<Location "${GOPROXY_PATH}">\nAuthType Basic\nAuthName go\n'
               'AuthBasicProvider file\nAuthUserFile %s\nRequire valid-user\n</Location>\n' % users)
    return folder + "/run"


def access(server, prefix):
    what = "%s at %s/ with accounts" % (server, prefix)
    site = Site(server, prefix, run=guarded(server))
    good = {"Authorization": "Basic YWxpOm9wZW4gc2VzYW1l"}
    paths = [BASE + "zip", LIST, "/example.com/hello/@latest", "/example.com/hello/@v/v1.0.0.mod"]
    for path in paths:
        tap.eq(site.get(path).status, 401, "%s: nobody gets %s" % (what, path))
    tap.eq(site.up.count(), 0, what + ": and the upstream isn't asked")
    for _ in range(6):
        for path in paths:
            tap.eq(site.get(path, **good).status, 200, "%s: a user gets %s" % (what, path)) if _ == 0 else \
                site.get(path, **good)
    wait_until(lambda: is_file(site.get(paths[0], **good)), "the zip as a file")
    hidden = ["/goproxy.fcgi" + p for p in paths] + ["/%67oproxy.fcgi" + paths[0]]
    for path in paths + hidden:
        tap.eq(site.get(path).status, 401, "%s: still nobody gets %s" % (what, path))
    wrong = get(site.url + "/../" + prefix.strip("/") + "/./" + paths[0]).status
    tap.ok(wrong in (400, 401), what + ": nor another spelling", wrong)
    site.end()


def handing_over(server):
    """A copy of the examples where each request passes the responder, which names the files."""
    folder = place.new("examples")
    shutil.copytree(ROOT + "/httpd-examples", folder)

    def change(name, *changes):
        with open(folder + "/" + name) as f:
            text = f.read()
        for pattern, new in changes:
            text, n = re.subn(pattern, new, text, flags=re.M | re.S)
            assert n > 0, (name, pattern)
        with open(folder + "/" + name, "w") as f:
            f.write(text)
    if server == "nginx":
        change("nginx-site.conf", (r"    # What the store holds is sent.*?(?=    # Everything else)", ""),
               (r"^  #((?:location|  \S|\}).*?)$", r"  \1"))
    elif server == "lighttpd":
        change("lighttpd.conf", (r"  # What the store holds is sent.*?(?=  else \$HTTP\[\"url\"\] =~ \"\" {)", ""),
               (r"^  #, ", "  , "))
    else:
        change("apache-proxy.conf", (r"^#(XSendFile.*?)$", r"\1"),
               (r"\A", "LoadModule xsendfile_module /usr/lib/apache2/modules/mod_xsendfile.so\n"))
        open(folder + "/apache-static.conf", "w").close()
    return folder + "/run"


def sent_by_name(server):
    """[server] sendfile: the responder says which file, the web server sends it."""
    if server == "apache-proxy" and not os.path.exists("/usr/lib/apache2/modules/mod_xsendfile.so"):
        tap.skip(server + ": X-Sendfile", "not installed: libapache2-mod-xsendfile")
        return
    what = server + ", sendfile"
    way = "x-accel:/_goproxy" if server == "nginx" else "x-sendfile"
    site = Site(server, run=handing_over(server), GOPROXY_SERVER_SENDFILE=way)
    path = "/example.com/big/@v/v1.3.0.zip"
    whole = fixture.ref(path)
    site.warm(path, BASE + "mod")
    a = site.get(path)
    tap.eq((a.status, a.body == whole, a.content_length), (200, True, str(len(whole))), what + ": a zip comes whole")
    tap.eq(a.cache_status, "goproxy.fcgi; hit", what + ": by way of the responder")
    tap.ok("immutable" in a.cache_control and a.content_type == "application/zip", what + ": with its headers", a.headers)
    tap.eq((a.x_sendfile, a.x_accel_redirect), ("", ""), what + ": nobody sees the file's name")
    part = site.get(path, range="bytes=100-199")
    tap.eq((part.status, part.body), (206, whole[100:200]), what + ": Range")
    tap.eq(site.get(path, if_none_match=a.etag).status, 304, what + ": If-None-Match")
    head = site.get(path, "HEAD")
    tap.eq((head.status, head.content_length, head.body), (200, str(len(whole)), b""), what + ": HEAD")
    tap.eq(site.get(BASE + "mod").body, fixture.ref(BASE + "mod"), what + ": small files are the responder's")
    for hidden in ("/_goproxy/download" + path, "/_goproxy/audit.log", "/download" + path):
        tap.ok(site.get(hidden).status >= 400, what + ": nobody gets %s" % hidden)
    site.end()


def tests_of(server, prefix):
    def test():
        if not webrun.installed(server):
            tap.skip(server, "not installed: httpd-examples/packages run " + server)
            return
        what = server + (" at " + prefix + "/" if prefix else "")
        site = Site(server, prefix)
        kept_versions(site, what)
        never_as_files(site, what)
        if SERVERS[server]:
            site.end()
            site = Site(server, prefix)
            lists_as_files(site, what)
        site.end()
    return test


def access_of(server, prefix):
    def test():
        if webrun.installed(server):
            access(server, prefix)
        else:
            tap.skip(server, "not installed: httpd-examples/packages run " + server)
    return test


names = {}
for prefix in ("", "/goproxy"):
    for server in SERVERS:
        names["test_%s at %s/" % (server, prefix)] = tests_of(server, prefix)
    for server in ("nginx", "lighttpd", "apache-proxy"):
        names["test_%s at %s/ with accounts" % (server, prefix)] = access_of(server, prefix)
for server in ("nginx", "lighttpd", "apache-proxy"):
    names["test_%s sends by name" % server] = (lambda name: lambda: sent_by_name(name))(server)
wanted = [n for n in names if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
tap.run({n: names[n] for n in wanted}, int(os.environ.get("JOBS", "4")))
