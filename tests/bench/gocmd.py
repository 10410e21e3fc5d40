"""gocmd - what it all is for: `go mod download` of a project with a hundred modules."""
import os
import shutil
import subprocess
import time

import sites
from clients import load, place, small_paths
from sites import Nginx, Site
from table import QUICK, few, in_turn, table

MODULES, ROUNDS = 10 if QUICK else 100, 9


def project(first):
    """A directory with a go.mod that needs the fixture's modules from that number on."""
    folder = place.dir("project")
    lines = "".join("\texample.com/small%d v1.0.0\n" % n for n in range(first, first + MODULES))
    with open(folder + "/go.mod", "w") as f:
        f.write("module example.com/project\n\ngo 1.16\n\nrequire (\n%s)\n" % lines)
    return folder


def download(folder, port):
    """Seconds of one, with a module cache of its own."""
    home = place.dir("home")
    env = {"PATH": os.environ["PATH"] + ":/usr/local/go/bin", "HOME": home, "GOPATH": home + "/go", "GOENV": "off",
           "GOMODCACHE": home + "/mod", "GOCACHE": home + "/build", "GOPROXY": "http://127.0.0.1:%d" % port, "GOSUMDB": "off",
           "GONOSUMDB": "*", "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local", "GOTELEMETRY": "off"}
    began = time.monotonic()
    done = subprocess.run(["go", "mod", "download"], cwd=folder, env=env, capture_output=True, text=True)
    took = time.monotonic() - began
    got = sum(name.endswith(".zip") for _, _, names in os.walk(home + "/mod/cache/download") for name in names)
    shutil.rmtree(home)
    if os.path.exists(folder + "/go.sum"):
        os.remove(folder + "/go.sum")
    if done.returncode != 0 or got != MODULES:
        raise RuntimeError("go mod download: %d zips: %s" % (got, done.stderr[-500:]))
    return took


def row_gomod():
    """go mod download of 100 modules: in the store against files, not in the store against the upstream."""
    fixture = sites.start_fixture()
    site = Site("nginx", fixture.url)
    static = Nginx(site, "root %s/download;" % site.store)
    projects = [project(1 + i * MODULES) for i in range(few(ROUNDS) + 1)]
    for i in range(len(projects)):
        # The fixture computes some things once: they are no part of the comparison.
        load(fixture.port, small_paths(1 + i * MODULES, MODULES), "-s")
    hot = projects.pop()
    for _ in range(3):
        download(hot, site.port)
    table.group = "go mod download, %d modules" % MODULES
    pairs = in_turn(few(ROUNDS), lambda: download(hot, site.port), lambda: download(hot, static.port))
    table.raw["gomod, hot"] = pairs
    table.ratio("hot : nginx with the files", pairs, "%.2f s", most=1.10)
    ours, theirs = iter(projects), iter(projects)
    pairs = in_turn(few(ROUNDS), lambda: download(next(ours), site.port), lambda: download(next(theirs), fixture.port))
    table.raw["gomod, cold"] = pairs
    table.ratio("cold : the upstream itself", pairs, "%.2f s", most=2)
    for server in (static, site, fixture):
        server.stop()
