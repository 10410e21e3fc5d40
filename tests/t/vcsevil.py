"""vcsevil - hosts that mean ill, for the tests of direct mode.

World() is an https and an http server on loopback that play all hosts of *.vcs.test, each at a
public address. A shim (LD_PRELOAD, built here) gives the program and git these addresses, leads every
connection to port 443 or 80, wherever it goes, to the two servers, and writes down who looked up and
connected to what. So an attack that gets through is served, and seen. git is called by way of a
script that writes down its arguments and environment.
"""
import http.server
import os
import shutil
import ssl
import subprocess
import threading

from harness import cgi, children, place, settings, slurp, tap

PUBLIC, CLOSED = "203.0.113.7", "203.0.113.99"    # nobody listens at the other
GIT = shutil.which("git")

SHIM = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void note(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n, fd = open(DIR "/net", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (fd >= 0 && write(fd, line, n) != n)
		abort();
	close(fd);
}

/* How often it was looked up before. */
static int count(const char *name)
{
	char line[1024], who[64], found[512];
	FILE *f = fopen(DIR "/net", "re");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, "lookup %63s %511s", who, found) == 2 && strcmp(found, name) == 0;
	if (f)
		fclose(f);
	return n;
}

/* DIR/hosts: NAME ADDRESS ADDRESS..., one for each look-up; the last one stays. */
static void address_of(const char *name, char *address)
{
	char line[1024], *word, *save;
	FILE *f = fopen(DIR "/hosts", "re");
	int n = count(name);

	strcpy(address, strstr(name, ".vcs.test") ? PUBLIC : "");
	while (f && fgets(line, sizeof(line), f)) {
		word = strtok_r(line, " \n", &save);
		if (!word || strcmp(word, name) != 0)
			continue;
		while ((word = strtok_r(NULL, " \n", &save)) && n-- >= 0)
			strcpy(address, word);
	}
	if (f)
		fclose(f);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	char address[256];
	struct in6_addr any;

	if (!name || inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1)
		return real(name, service, hints, list);
	address_of(name, address);
	note("lookup %s %s %s\n", program_invocation_short_name, name, address);
	return *address ? real(address, service, hints, list) : EAI_NONAME;
}

static in_port_t elsewhere(in_port_t port)
{
	return ntohs(port) == 443 ? htons(TLS_PORT) : ntohs(port) == 80 ? htons(PLAIN_PORT) : 0;
}

/* Whoever asks a socket hears where it was meant to go. */
static struct sockaddr_storage meant[65536];

int getpeername(int fd, struct sockaddr *name, socklen_t *n)
{
	int (*real)(int, struct sockaddr *, socklen_t *) = dlsym(RTLD_NEXT, "getpeername");

	if (fd < 0 || fd >= 65536 || meant[fd].ss_family == 0)
		return real(fd, name, n);
	memcpy(name, &meant[fd], *n < sizeof(meant[fd]) ? *n : sizeof(meant[fd]));
	return 0;
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	if (fd >= 0 && fd < 65536) {
		memset(&meant[fd], 0, sizeof(meant[fd]));
		if (to->sa_family == AF_INET || to->sa_family == AF_INET6)
			memcpy(&meant[fd], to, n);
	}
	int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
	char text[INET6_ADDRSTRLEN];
	in_port_t port;

	if (to->sa_family == AF_INET) {
		struct sockaddr_in in = *(const struct sockaddr_in *)to;

		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		if (strcmp(text, CLOSED) == 0)
			return errno = ECONNREFUSED, -1;
		note("connect %s %s %d\n", program_invocation_short_name, text, ntohs(in.sin_port));
		port = elsewhere(in.sin_port);
		if (port || strncmp(text, "203.0.113.", 10) == 0) {
			in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			in.sin_port = port ? port : in.sin_port;
		}
		return real(fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (to->sa_family == AF_INET6) {
		struct sockaddr_in6 in = *(const struct sockaddr_in6 *)to;

		inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text));
		note("connect %s %s %d\n", program_invocation_short_name, text, ntohs(in.sin6_port));
		port = elsewhere(in.sin6_port);
		if (port) {
			inet_pton(AF_INET6, "::ffff:127.0.0.1", &in.sin6_addr);
			in.sin6_port = port;
		}
		return real(fd, (struct sockaddr *)&in, sizeof(in));
	}
	return real(fd, to, n);
}
"""

# What git is given is written down; then it is git, under the shim.
WRAPPER = """#!/bin/sh
n=%(dir)s/git/$$
export -p >$n.env
for a; do printf '%%s\\0' "$a"; done >$n.args
if [ -e %(dir)s/look ]; then
	cat /proc/$$/limits >$n.limits
	ls -l /proc/$$/fd >$n.fds
	cat /proc/[0-9]*/cmdline >$n.ps 2>/dev/null
fi
export DSEC_MARK=%(dir)s LD_PRELOAD=%(dir)s/shim.so ASAN_OPTIONS=verify_asan_link_order=0
exec %(git)s "$@"
"""


def run(*words, data=None, **more):
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent", "LC_ALL": "C",
           "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(words, input=data, capture_output=True, env=env, **more)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (words, done.stderr))
    return done.stdout


def write(path, text, mode=0o644):
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)
    return path


def packet(data):
    """pkt-line"""
    return b"%04x" % (len(data) + 4) + data


class Repo:
    """A bare repository, by git fast-import."""

    def __init__(self):
        self.path = place.new("repo")
        run(GIT, "init", "-q", "--bare", "-b", "main", self.path)

    def git(self, *words, data=None):
        return run(GIT, "-C", self.path, *words, data=data).decode().strip()

    def commit(self, files, ref="refs/heads/main", tags=(), branches=(), when="1600000000"):
        """Commit all of files (name -> text, or (mode, text)); names the commit by tags and branches."""
        out = b"feature done\ncommit %s\ncommitter T <t@vcs.test> %s +0000\ndata 1\nm\ndeleteall\n" \
            % (ref.encode(), when.encode())
        for name, text in files.items():
            mode, text = text if isinstance(text, tuple) else ("100644", text)
            text = text if isinstance(text, bytes) else text.encode()
            out += b"M %s inline %s\ndata %d\n%s\n" % (mode.encode(), name.encode(), len(text), text)
        run(GIT, "-C", self.path, "fast-import", "--quiet", "--force", "--date-format=raw-permissive",
            data=out + b"done\n")
        hash_ = self.git("rev-parse", ref)
        for name in ["refs/tags/" + t for t in tags] + ["refs/heads/" + b for b in branches]:
            self.git("update-ref", name, hash_)
        return hash_


class Request:
    def __init__(self, handler, body):
        self.handler, self.body, self.method, self.headers = handler, body, handler.command, handler.headers
        self.host = (handler.headers.get("Host") or "").lower()
        self.path, _, self.query = handler.path.partition("?")
        self.scheme = handler.server.scheme
        self.socket = handler.connection

    def __repr__(self):
        return "%s %s://%s%s%s" % (self.method, self.scheme, self.host, self.path,
                                   "?" + self.query if self.query else "")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_):
        pass

    def setup(self):
        if self.server.context:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self):
        super().finish()
        if self.server.context:
            self.request.close()

    def do_GET(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                body += self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    break
        request = Request(self, body)
        with self.server.world.lock:
            self.server.world.requests.append(request)
        answer = self.server.world.answer(request)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, world, scheme, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.world, self.scheme, self.context = world, scheme, context
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass


class World:
    def __init__(self):
        self.dir = place.dir("evil")
        self.lock, self.requests, self.rules, self.repos = threading.Lock(), [], {}, {}
        os.mkdir(self.dir + "/git")
        os.mkdir(self.dir + "/canary")
        self.canary = self.dir + "/canary/sang"
        self._certificates()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.dir + "/cert.pem", self.dir + "/key.pem")
        self.tls, self.plain = Server(self, "https", context), Server(self, "http")
        write(self.dir + "/shim.c", SHIM)
        run("gcc", "-O1", "-shared", "-fPIC", "-o", self.dir + "/shim.so", "-DDIR=\"%s\"" % self.dir,
            "-DPUBLIC=\"%s\"" % PUBLIC, "-DCLOSED=\"%s\"" % CLOSED, "-DTLS_PORT=%d" % self.tls.server_port,
            "-DPLAIN_PORT=%d" % self.plain.server_port, self.dir + "/shim.c", "-ldl")
        self.git = write(self.dir + "/git.sh", WRAPPER % {"dir": self.dir, "git": GIT}, 0o755)

    def _certificates(self):
        names = "DNS:vcs.test,DNS:example.com,DNS:*.vcs.test,DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1,IP:10.0.0.1," \
            "IP:169.254.169.254,IP:192.168.1.1"
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509",
            "-days", "2", "-subj", "/CN=vcs.test", "-addext", "subjectAltName=" + names, "-keyout", "key.pem",
            "-out", "cert.pem", cwd=self.dir)

    # what the hosts answer

    def on(self, host, path, action):
        """action: (status, headers, body); or a function of a Request that returns such, or None to close
        the connection, or "repo" for what lies there."""
        self.rules[host, path] = action

    def page(self, host, path, *imports):
        metas = "".join('<meta name="go-import" content="%s">\n' % i for i in imports)
        self.on(host, path, (200, {"Content-Type": "text/html"},
                             ("<html><head>\n%s</head></html>" % metas).encode()))

    def redirect(self, host, path, to, status=302):
        self.on(host, path, (status, {"Location": to}, b""))

    def repo(self, host, path, repo):
        self.repos[host, path] = repo.path
        return repo

    def answer(self, request):
        action = self.rules.get((request.host, request.path)) or self.rules.get((request.host, "*"), "repo")
        if callable(action):
            action = action(request)
        if action != "repo":
            return action
        for (host, path), directory in self.repos.items():
            if host in (request.host, "*") and request.path.startswith(path + "/"):
                return self.backend(request, directory, request.path[len(path):])
        return 404, {}, b"nothing here\n"

    def backend(self, request, directory, path, any_commit="true"):
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_CONFIG_COUNT": "3", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
               "GIT_CONFIG_KEY_1": "uploadpack.allowFilter", "GIT_CONFIG_VALUE_1": "true",
               "GIT_CONFIG_KEY_2": "uploadpack.allowAnySHA1InWant", "GIT_CONFIG_VALUE_2": any_commit,
               "GIT_PROJECT_ROOT": directory, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": request.query, "REQUEST_METHOD": request.method,
               "CONTENT_TYPE": request.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(request.body)),
               "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
               "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", "")}
        out = subprocess.run([GIT, "http-backend"], env=env, input=request.body, capture_output=True).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(line.decode("latin-1").split(": ", 1) for line in head.split(b"\r\n") if b": " in line)
        return int(headers.pop("Status", "200").split()[0]), headers, body

    # what was done

    def reset(self):
        with self.lock:
            self.requests = []
        for name in ("net", "look", "hosts"):
            if os.path.exists(self.dir + "/" + name):
                os.unlink(self.dir + "/" + name)
        for name in os.listdir(self.dir + "/git"):
            os.unlink(self.dir + "/git/" + name)

    def net(self, what):
        """[[who, name or address, address or port], ...] of all "lookup" or "connect"."""
        path = self.dir + "/net"
        lines = slurp(path).decode("utf-8", "replace").splitlines() if os.path.exists(path) else []
        return [line.split()[1:] for line in lines if line.startswith(what + " ")]

    def strangers(self):
        """Connections that went anywhere but to the public address."""
        return sorted({" ".join(c) for c in self.net("connect") if c[1] != PUBLIC})

    def asked(self):
        with self.lock:
            return [repr(r) for r in self.requests]

    def calls(self, kind="args"):
        """What is written down of each call of git."""
        found = []
        for name in sorted(os.listdir(self.dir + "/git"), key=lambda n: (len(n), n)):
            if name.endswith("." + kind):
                text = slurp(self.dir + "/git/" + name).decode("utf-8", "replace")
                found.append(text.split("\0")[:-1] if kind == "args" else text)
        return found

    def remotes(self):
        """The calls of git that reach out."""
        return [c for c in self.calls() if "ls-remote" in c or "fetch" in c]

    def sang(self):
        return sorted(os.listdir(self.dir + "/canary"))

    def left_behind(self):
        """Processes that git or a script in its place has left."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if b"DSEC_MARK=" + self.dir.encode() in slurp("/proc/%s/environ" % pid):
                    found.append(slurp("/proc/%s/cmdline" % pid).decode("utf-8", "replace").replace("\0", " "))
            except OSError:
                pass
        return found

    # the program

    def settings(self, store=None, env=None, **more):
        """All modules direct, no database, short time-outs; env: more variables, as the web server has them."""
        options = dict(upstream_ca_file=self.dir + "/cert.pem", direct_git=self.git, upstream_connect_timeout_s=3,
                       upstream_silence_timeout_s=5, upstream_total_timeout_s=20, upstream_small_total_timeout_s=20,
                       cache_negative_ttl_s=0, sumdb_gosumdb="off", log_level="debug")
        options.update(more)
        chain = options.pop("chain", "direct")
        asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        return dict(settings(chain, store or place.new("store"), **options), LD_PRELOAD=self.dir + "/shim.so",
                    ASAN_OPTIONS=asan, **(env or {}))

    def get(self, path, store=None, env=None, timeout_s=40, **more):
        """One request by CGI."""
        return cgi(self.settings(store, env, **more), path, timeout_s=timeout_s)

    def closed(self, what, answer=None, strangers=()):
        """Whatever was tried: nobody sang, nobody else was reached, nobody is left."""
        good = tap.eq(self.strangers(), list(strangers), what + ": nobody else was reached", answer or "")
        good &= tap.eq(self.sang(), [], what + ": the canary is silent")
        return good & tap.eq(self.left_behind(), [], what + ": no process is left")
