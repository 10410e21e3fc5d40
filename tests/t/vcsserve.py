"""vcsserve - what stands between a git client and repositories in the tests of direct mode.

git http-backend behind nginx (with fcgiwrap), Apache or lighttpd, over https with a throw-away
authority; sshd on loopback; and a CONNECT proxy that leads true host names to them without DNS.

    Names(directory)           certificates, and where hosts' repositories and pages lie
    HttpsServer(kind, names)   one web server
    SshServer(names)           one sshd
    Connect(routes)            the proxy; counts connections and bytes for each host

All use ports that the system hands out. Repositories lie below names.dir as repos/HOST/PATH,
pages as pages/HOST/PATH/index.html, other files as files/HOST/PATH.
"""
import getpass
import os
import selectors
import shutil
import socket
import subprocess
import threading

from harness import DIE_WITH_US, children, free_port, place, slurp, wait_until
from vcsrepo import GIT_CONFIG

PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
MODULES = "/usr/lib/apache2/modules"
KINDS = ("nginx", "apache", "lighttpd")

# One CGI program behind all servers: pages and files first, else git http-backend.
SERVE = """#!/bin/sh
base=%(base)s
host=${HTTP_HOST%%:*}
path=${REQUEST_URI%%%%\\?*}
case /$path/ in */../*) printf 'Status: 400\\n\\n'; exit;; esac

# page DIRECTORY: the page there, or the nearest one above it where hosts do so.
page() {
	at=$1
	while :; do
		if [ -f "$base/pages/$at/index.html" ]; then
			printf 'Content-Type: text/html; charset=utf-8\\n\\n'
			exec cat "$base/pages/$at/index.html"
		fi
		case $at in vcs-test.golang.org/*) return;; */*) ;; *) return;; esac
		at=${at%%/*}
	done
}

case $path in
/insecure/*) printf 'Status: 302\\nLocation: http://%%s%%s\\n\\n' "$host" "$REQUEST_URI"; exit;;
/auth/or404*) printf 'Status: 404\\nContent-Type: text/plain\\n\\nFile? What file?'; exit;;
/auth/or401*) printf 'Status: 401\\nWWW-Authenticate: Basic realm=x\\nContent-Type: text/plain\\n\\nACCESS DENIED, buddy';
	exit;;
esac
[ "${QUERY_STRING#*go-get=1}" = "$QUERY_STRING" ] || page "$host$path"
if [ -f "$base/files/$host$path" ]; then
	printf 'Content-Type: application/octet-stream\\n\\n'
	exec cat "$base/files/$host$path"
fi
exec env -i PATH="$PATH" LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$base/gitconfig \\
	GIT_PROJECT_ROOT="$base/repos/$host" GIT_HTTP_EXPORT_ALL=1 PATH_INFO="$path" QUERY_STRING="$QUERY_STRING" \\
	REQUEST_METHOD="$REQUEST_METHOD" CONTENT_TYPE="$CONTENT_TYPE" CONTENT_LENGTH="$CONTENT_LENGTH" \\
	HTTP_CONTENT_ENCODING="$HTTP_CONTENT_ENCODING" HTTP_GIT_PROTOCOL="$HTTP_GIT_PROTOCOL" \\
	REMOTE_ADDR="$REMOTE_ADDR" git http-backend
"""

# The repository's path as in the URL, below repos/ssh.
SSH_COMMAND = """#!/bin/sh
set -f
set -- $SSH_ORIGINAL_COMMAND
case $1 in git-upload-pack) ;; *) echo "only git-upload-pack" >&2; exit 1;; esac
path=${2#?} path=${path%%?}
case $path in *..*) exit 1;; esac
exec env -i PATH="$PATH" LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=%(base)s/gitconfig \\
	GIT_PROTOCOL="$GIT_PROTOCOL" git upload-pack "%(base)s/repos/ssh$path"
"""


def missing():
    """What isn't installed, as Debian packages."""
    found = [package for program, package in
             (("nginx", "nginx"), ("fcgiwrap", "fcgiwrap"), ("apache2", "apache2-bin"), ("lighttpd", "lighttpd"),
              ("sshd", "openssh-server"), ("ssh", "openssh-client"), ("openssl", "openssl"), ("git", "git"))
             if not shutil.which(program, path=PATH)]
    if "lighttpd" not in found and not os.path.exists("/usr/lib/lighttpd/mod_openssl.so"):
        found.append("lighttpd-mod-openssl")
    return found


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Names:
    """Below .dir: ca.pem, cert.pem and key.pem for `hosts`, the CGI program, repos, pages, files."""

    def __init__(self, hosts):
        self.dir, self.hosts = place.dir("vcs"), hosts
        for folder in ("repos", "pages", "files", "run"):
            os.mkdir(self.dir + "/" + folder, 0o755)
        os.chmod(self.dir + "/run", 0o777)
        write(self.dir + "/gitconfig", GIT_CONFIG)
        self.serve = write(self.dir + "/serve", SERVE % {"base": self.dir}, 0o755)
        self.ca = self.dir + "/ca.pem"
        self._certificates()

    def _certificates(self):
        def openssl(*words):
            done = subprocess.run(["openssl", *words], cwd=self.dir, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError("openssl %s: %s" % (words[0], done.stderr))
        new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout")
        openssl(*new, "ca.key", "-x509", "-days", "2", "-subj", "/CN=throw-away", "-out", "ca.pem")
        openssl(*new, "key.pem", "-subj", "/CN=" + self.hosts[0], "-out", "leaf.csr")
        write(self.dir + "/leaf.ext", "subjectAltName=%s\n" % ",".join("DNS:" + h for h in self.hosts))
        openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "leaf.ext", "-out", "cert.pem")
        # lighttpd wants both in one file, and Apache's processes may be another user.
        write(self.dir + "/both.pem", slurp(self.dir + "/key.pem").decode() + slurp(self.dir + "/cert.pem").decode(), 0o644)

    def repo(self, host, path, source):
        """Serve the bare repository source as https://HOST/PATH."""
        target = "%s/repos/%s/%s" % (self.dir, host, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copytree(source, target, symlinks=True)

    def page(self, host, path, *imports):
        """The go-import page of HOST/PATH: (prefix, vcs, url) each, url perhaps with a subdirectory."""
        lines = ['<meta name="go-import" content="%s">' % " ".join(i) for i in imports]
        write("%s/pages/%s/%s/index.html" % (self.dir, host, path),
              "<!DOCTYPE html>\n<html><head>\n%s\n</head></html>\n" % "\n".join(lines))

    def pages(self, host, path, source):
        target = "%s/pages/%s/%s" % (self.dir, host, path)
        shutil.copytree(source, target, dirs_exist_ok=True)


# Web servers

def nginx_conf(names, work, port):
    return """%(user)s
daemon off; worker_processes 2; pid %(work)s/pid; error_log stderr warn;
events { worker_connections 512; }
http {
  access_log %(work)s/access.log;
  client_body_temp_path %(work)s/body; proxy_temp_path %(work)s/proxy; fastcgi_temp_path %(work)s/fastcgi;
  uwsgi_temp_path %(work)s/uwsgi; scgi_temp_path %(work)s/scgi;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:%(port)d ssl http2;
    ssl_certificate %(dir)s/cert.pem; ssl_certificate_key %(dir)s/key.pem;
    location / {
      fastcgi_pass unix:%(work)s/fcgiwrap;
      fastcgi_buffering off;
      fastcgi_param SCRIPT_FILENAME %(dir)s/serve;
      fastcgi_param HTTP_HOST $host;
      fastcgi_param REQUEST_URI $request_uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param REMOTE_ADDR $remote_addr;
    }
  }
}
""" % {"user": "user root;" if os.geteuid() == 0 else "", "work": work, "port": port, "dir": names.dir}


def apache_conf(names, work, port):
    load = "".join("LoadModule %s_module %s/mod_%s.so\n" % (m, MODULES, m)
                   for m in ("mpm_event", "authz_core", "ssl", "socache_shmcb", "alias", "env", "setenvif", "cgid"))
    return load + """%(user)s
ServerRoot "%(work)s"
DefaultRuntimeDir "%(work)s"
PidFile "%(work)s/pid"
ServerName localhost
DocumentRoot "%(work)s"
Listen 127.0.0.1:%(port)d
ErrorLog "%(work)s/error.log"
CustomLog "%(work)s/access.log" "%%v %%r %%>s %%b"
StartServers 1
ScriptSock "%(work)s/cgisock"
SSLSessionCache none
Mutex posixsem
<Directory "/">
  Require all granted
</Directory>
SSLEngine on
SSLCertificateFile "%(dir)s/cert.pem"
SSLCertificateKeyFile "%(dir)s/key.pem"
AllowEncodedSlashes NoDecode
AcceptPathInfo On
SetEnv PATH "%(path)s"
ScriptAlias "/" "%(dir)s/serve/"
""" % {"user": "User www-data\nGroup www-data" if os.geteuid() == 0 else "", "work": work, "port": port,
       "dir": names.dir, "path": PATH}


def lighttpd_conf(names, work, port):
    return """
server.bind = "127.0.0.1"
server.port = %(port)d
server.document-root = "%(work)s"
server.upload-dirs = ( "%(work)s" )
server.errorlog = "%(work)s/error.log"
server.modules = ( "mod_openssl", "mod_alias", "mod_setenv", "mod_cgi", "mod_accesslog" )
accesslog.filename = "%(work)s/access.log"
ssl.engine = "enable"
ssl.pemfile = "%(dir)s/both.pem"
server.http-parseopts = ( "url-normalize" => "disable" )
alias.url = ( "/" => "%(dir)s/serve/" )
setenv.set-environment = ( "PATH" => "%(path)s" )
cgi.assign = ( "" => "" )
""" % {"work": work, "port": port, "dir": names.dir, "path": PATH}


class HttpsServer:
    """One web server of a kind of KINDS; .port on 127.0.0.1."""

    def __init__(self, kind, names):
        self.kind, self.work = kind, place.dir(kind)
        os.chmod(self.work, 0o777)
        self.helpers = self._fcgiwrap() if kind == "nginx" else []
        for _ in range(5):
            self.port = free_port()
            if self._start(names):
                return
        raise RuntimeError("%s doesn't start: %s" % (kind, self.log()))

    def _fcgiwrap(self):
        """Single ones on one socket: those that fcgiwrap itself forks outlive it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s, open(self.work + "/fcgiwrap.log", "wb") as log:
            s.bind(self.work + "/fcgiwrap")
            s.listen(256)
            return [children.add(subprocess.Popen([*DIE_WITH_US, shutil.which("fcgiwrap", path=PATH), "-f"], stdin=s,
                                                  stdout=subprocess.DEVNULL, stderr=log)) for _ in range(6)]

    def _start(self, names):
        program, text, words = {
            "nginx": ("nginx", nginx_conf, ["-p", self.work, "-e", "stderr", "-c"]),
            "apache": ("apache2", apache_conf, ["-D", "FOREGROUND", "-f"]),
            "lighttpd": ("lighttpd", lighttpd_conf, ["-D", "-f"])}[self.kind]
        conf = write(self.work + "/conf", text(names, self.work, self.port))
        with open(self.work + "/stderr", "wb") as err:
            self.process = children.add(subprocess.Popen([*DIE_WITH_US, shutil.which(program, path=PATH), *words, conf],
                                                         stdin=subprocess.DEVNULL, stdout=err, stderr=err))
        wait_until(lambda: self.process.poll() is not None or listens(self.port), self.kind, 20)
        return self.process.poll() is None

    def log(self):
        return "".join(slurp(self.work + "/" + n).decode("utf-8", "replace")
                       for n in ("stderr", "error.log") if os.path.exists(self.work + "/" + n))

    def stop(self):
        children.stop(self.process)
        for helper in self.helpers:
            children.stop(helper)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class SshServer:
    """sshd for the current user, by key alone, for git-upload-pack alone; .url is ssh://USER@127.0.0.1:PORT."""

    def __init__(self, names):
        self.work = place.dir("sshd")
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.work + "/" + name],
                           check=True)
        self.key = self.work + "/user"
        write(self.work + "/authorized_keys", slurp(self.work + "/user.pub").decode(), 0o600)
        self.command = write(self.work + "/command", SSH_COMMAND % {"base": names.dir}, 0o755)
        if os.geteuid() == 0:
            # Where its unprivileged half lives; the service makes it at boot.
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        for _ in range(5):
            self.port = free_port()
            if self._start():
                break
        else:
            raise RuntimeError("sshd doesn't start: " + slurp(self.work + "/log").decode())
        self.url = "ssh://%s@127.0.0.1:%d" % (getpass.getuser(), self.port)
        self.known_hosts = write(self.work + "/known_hosts", "[127.0.0.1]:%d %s"
                                 % (self.port, slurp(self.work + "/host.pub").decode()))
        # For git as the oracle runs it: no other host is tried, so that nobody waits for DNS.
        self.client = write(self.work + "/ssh", """#!/bin/sh
case " $* " in *" %s@127.0.0.1 "*) ;; *) echo "ssh: no such host here" >&2; exit 255;; esac
exec ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=%s \\
	-o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes "$@"
""" % (getpass.getuser(), self.key, self.known_hosts), 0o755)

    def _start(self):
        conf = write(self.work + "/conf", """ListenAddress 127.0.0.1:%d
HostKey %s/host
AuthorizedKeysFile %s/authorized_keys
ForceCommand %s
PidFile none
AcceptEnv GIT_PROTOCOL
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowTcpForwarding no
X11Forwarding no
PrintMotd no
""" % (self.port, self.work, self.work, self.command))
        with open(self.work + "/log", "wb") as log:
            command = [*DIE_WITH_US, shutil.which("sshd", path=PATH), "-D", "-e", "-f", conf]
            self.process = children.add(subprocess.Popen(command,
                                                         stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_until(lambda: self.process.poll() is not None or listens(self.port), "sshd", 20)
        return self.process.poll() is None

    def stop(self):
        children.stop(self.process)


# The CONNECT proxy

class Connect:
    """A CONNECT proxy on loopback, one thread for each tunnel.

    routes   host -> (address, port) for HOST:443; every other name gets a 502 and is recorded
    .counts  host -> [connections, bytes to it, bytes from it]
    """

    def __init__(self, routes):
        self.routes, self.counts, self.refused, self.lock = dict(routes), {}, [], threading.Lock()
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(256)
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def reset(self):
        with self.lock:
            self.counts, self.refused = {}, []

    def total(self):
        """(connections, bytes to the servers, bytes from them)"""
        with self.lock:
            return tuple(sum(c[i] for c in self.counts.values()) for i in range(3))

    def _accept(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    data = client.recv(4096)
                    if not data or len(head) > 65536:
                        return
                    head += data
                method, target = head.split(b" ")[:2]
                host, _, port = target.decode("latin-1").rpartition(":")
                route = self.routes.get(host.lower()) if method == b"CONNECT" and port == "443" else None
                if route is None:
                    with self.lock:
                        self.refused.append("%s %s" % (method.decode("latin-1"), target.decode("latin-1")))
                    client.sendall(b"HTTP/1.1 502 No such host here\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                with socket.create_connection(route) as server:
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    self._relay(client, server, host.lower(), head.split(b"\r\n\r\n", 1)[1])
            except OSError:
                return

    def _relay(self, client, server, host, early):
        with self.lock:
            count = self.counts.setdefault(host, [0, 0, 0])
            count[0] += 1
        if early:
            server.sendall(early)
            count[1] += len(early)
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (server, 1))
            selector.register(server, selectors.EVENT_READ, (client, 2))
            while selector.get_map():
                for key, _ in selector.select():
                    other, way = key.data
                    data = key.fileobj.recv(1 << 18)
                    if not data:
                        selector.unregister(key.fileobj)
                        if way == 2:
                            return
                        other.shutdown(socket.SHUT_WR)
                        continue
                    other.sendall(data)
                    with self.lock:
                        count[way] += len(data)
