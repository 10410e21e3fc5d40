"""gocmd - what it all is for: `go mod download` of a project with a hundred modules."""
import os
import shutil
import subprocess
import tempfile
import time

import harness
import sites
from clients import load, place, small_paths
from cold import in_memory
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
    """Seconds of one, with a module cache of its own: in memory, as a disk would take longer than all else."""
    home = tempfile.mkdtemp(prefix="goproxy-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else place.path)
    try:
        return timed(folder, home, "http://127.0.0.1:%d" % port)
    finally:
        shutil.rmtree(home)
        if os.path.exists(folder + "/go.sum"):
            os.remove(folder + "/go.sum")


def timed(folder, home, url):
    env = {"PATH": os.environ["PATH"] + ":/usr/local/go/bin", "HOME": home, "GOPATH": home + "/go", "GOENV": "off",
           "GOMODCACHE": home + "/mod", "GOCACHE": home + "/build", "GOPROXY": url, "GOSUMDB": "off", "GONOSUMDB": "*",
           "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local"}
    # Else it leaves a child that writes there after it has ended.
    os.makedirs(home + "/.config/go/telemetry")
    with open(home + "/.config/go/telemetry/mode", "w") as f:
        f.write("off")
    began = time.monotonic()
    done = subprocess.run(["go", "mod", "download"], cwd=folder, env=env, capture_output=True, text=True)
    took = time.monotonic() - began
    got = sum(name.endswith(".zip") for name in harness.files_below(home + "/mod/cache/download"))
    if done.returncode != 0 or got != MODULES:
        raise RuntimeError("go mod download: %d zips: %s" % (got, done.stderr[-500:]))
    return took


def row_gomod():
    """go mod download of 100 modules: in the store against files, not in the store against the upstream."""
    gomod("on disk", place.dir("stores"))
    in_memory(lambda folder: gomod("in memory", folder))


def gomod(where, folder):
    table.group = "go mod download, %d, store %s" % (MODULES, where)
    fixture = sites.start_fixture()
    site = Site("nginx", fixture.url, folder + "/store")
    static = Nginx(site, "root %s/download;" % site.store)
    projects = [project(1 + i * MODULES) for i in range(few(ROUNDS) + 1)]
    for i in range(len(projects)):
        # The fixture computes some things once: they are no part of the comparison.
        load(fixture.port, small_paths(1 + i * MODULES, MODULES), "-s")
    hot = projects.pop()
    for _ in range(3):
        download(hot, site.port)
    compare("hot : nginx with the files", 1.10, lambda: download(hot, site.port), lambda: download(hot, static.port))
    ours, theirs = iter(projects), iter(projects)
    compare("cold : the upstream itself", 2, lambda: download(next(ours), site.port),
            lambda: download(next(theirs), fixture.port))
    for server in (static, site, fixture):
        server.stop()


def compare(row, most, ours, peer):
    pairs = in_turn(few(ROUNDS), ours, peer)
    table.raw["%s: %s" % (table.group, row)] = pairs
    table.ratio(row, pairs, "%.2f s", most=most)
