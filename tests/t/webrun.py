"""webrun - httpd-examples/run for tests that need a server as a user starts it, and nothing special."""
import os
import re
import signal
import subprocess
import sys

from harness import PROGRAM, ROOT, SLOW, children, place, slurp, wait_until

RUN = ROOT + "/httpd-examples/run"


class WebRun:
    """One run; settings are GOPROXY_SECTION_KEY, or variables of the script itself. run: another script."""

    def __init__(self, server, upstream, cache, run=RUN, **settings):
        self.dir = place.dir(server)
        self.server, self.cache, self.url = server, cache, None
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("GOPROXY") and k not in ("UPSTREAM", "PORT", "CONF", "PREFIX_PATH", "MAKEFLAGS")}
        env.update(GOPROXY_FCGI=PROGRAM, RUN_DIR=self.dir + "/run", CACHE_DIR=cache, UPSTREAM=upstream,
                   SERVER=server, XDG_CACHE_HOME=self.dir + "/xdg")
        env.update(settings)
        self.output = open(self.dir + "/output", "wb")
        self.process = children.add(subprocess.Popen([run], env=env, stdin=subprocess.DEVNULL, stdout=self.output,
                                                     stderr=subprocess.STDOUT, start_new_session=True))

    def ready(self):
        """Wait until it is; self."""
        def line():
            found = re.search(r"^GOPROXY=(\S+)$", slurp(self.dir + "/output").decode("utf-8", "replace"), re.M)
            return found or self.process.poll() is not None
        found = wait_until(line, "GOPROXY= of " + self.server, 30)
        if found is True:
            raise RuntimeError("%s doesn't start: %s" % (self.server, slurp(self.dir + "/output").decode()))
        self.url = found[1]
        return self

    def accesses(self):
        """The request lines of the server's access log, complete after end()."""
        path = self.dir + "/run/access.log"
        if not os.path.exists(path):
            return []
        return re.findall(r'"([A-Z]+ [^"]*)"', slurp(path).decode("utf-8", "replace"))

    def log(self):
        return slurp(self.dir + "/run/error.log").decode("utf-8", "replace")

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30 * SLOW)
        except subprocess.TimeoutExpired:
            children.stop(self.process)
        self.output.close()


def installed(server):
    """Whether the web server, and what else the mode needs, is there."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = subprocess.run([ROOT + "/httpd-examples/packages", "list", "run", server], capture_output=True)
    if found.returncode != 0:
        sys.exit("unknown server " + server)
    name = {"a": "apache2", "l": "lighttpd", "n": "nginx"}[server[0]]
    if not any(os.access(d + "/" + name, os.X_OK) for d in path.split(":")):
        return False
    return server != "apache-fcgid" or os.path.exists("/usr/lib/apache2/modules/mod_fcgid.so")
