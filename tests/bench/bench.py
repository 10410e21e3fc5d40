#!/usr/bin/env python3
"""bench - how fast is it, held against peers and limits measured in the same run?

    tests/bench/bench.py [ROW...]      rows: herd cold hang rates kill sumdb verify; without any: all
    SERVER=nginx|lighttpd|apache-proxy  for the row herd (nginx)
    JOBS=N       processes that share the row herd's clients (one for each core, four at most)
    KILLS=N      for the row kill (1000)
    MODCACHE=DIR for the row verify: a GOMODCACHE with real modules (else made-up ones)
    EXAMPLES=DIR another httpd-examples, to try settings of the web server
    TMPDIR=DIR   where stores lie; the row cold also has one in memory

Everything runs on this machine's loopback: tests/fixture as upstream, a web server as
httpd-examples/run starts it, tests/bench/load.c as clients (wrk for the row rates). The absolute
figures say little on a machine that does other work meanwhile; so rounds alternate, medians count,
and each line is a ratio to what was measured beside it. The table goes to standard output, every
single figure to build/bench.json. The exit status is 1 if a line says NOT.
"""
import io
import json
import os
import random
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "t"))
import harness  # noqa: E402

ROOT = harness.ROOT
BUILD = ROOT + "/build"
LOAD = BUILD + "/bench/load"
HELLO = BUILD + "/bench/hello"
SERVER = os.environ.get("SERVER", "nginx")
JOBS = os.environ.get("JOBS", str(min(os.cpu_count() or 1, 4)))
EXAMPLES = os.environ.get("EXAMPLES", ROOT + "/httpd-examples")
place, children = harness.place, harness.children

median = statistics.median


# What is written

class Table:
    """Lines of what was wanted and what was found, printed as they come."""

    def __init__(self):
        self.lines, self.raw, self.bad = [], {}, 0

    def line(self, row, ours, peer, ratio, wanted, good):
        """Values as text; good None: for information."""
        verdict = "" if good is None else "ok" if good else "NOT"
        self.bad += good is False
        self.lines.append(dict(row=row, ours=ours, peer=peer, ratio=ratio, wanted=wanted, verdict=verdict))
        print("%-44s %14s %14s %7s  %-12s %s" % (row, ours, peer, ratio, wanted, verdict), flush=True)

    def most(self, row, value, limit, form, unit=""):
        """Our value against a limit that it must not exceed."""
        self.line(row, form % value + unit, "", "%.2f" % (value / limit) if limit else "",
                  "<= " + form % limit + unit, value <= limit)

    def none(self, row, count):
        self.line(row, "%d" % count, "", "", "0", count == 0)

    def ratio(self, row, ours, peer, form, limit=None, least=False):
        ratio = ours / peer if peer else float("inf")
        wanted = "" if limit is None else "%s %.2f" % (">=" if least else "<=", limit)
        good = None if limit is None else ratio >= limit if least else ratio <= limit
        self.line(row, form % ours, form % peer, "%.2f" % ratio, wanted, good)

    def head(self):
        print("%-44s %14s %14s %7s  %-12s" % ("row", "ours", "peer", "ratio", "wanted"))

    def write(self, path):
        with open(path + ".new", "w") as f:
            json.dump({"lines": self.lines, "raw": self.raw}, f, indent=1)
            f.write("\n")
        os.rename(path + ".new", path)


table = Table()


def note(text):
    print("# " + text, file=sys.stderr, flush=True)


# Clients

class Result:
    """What load.c printed."""

    def __init__(self, text):
        lines = text.split("\n")
        self.requests = [tuple(map(int, line.split())) for line in lines if line and line[0] != "#"]
        self.wall_us, self.user_us, self.system_us = map(int, lines[-2].split()[1:])

    def failed(self, status=200):
        return sum(1 for s, _, _, _, whole in self.requests if s != status or not whole)

    def first_s(self):
        """Of the median client; infinite if it got nothing."""
        times = sorted(f if f >= 0 else float("inf") for _, f, _, _, _ in self.requests)
        return times[len(times) // 2] / 1e6

    def last_s(self):
        return max(e for _, _, e, _, _ in self.requests) / 1e6

    def ends_ms(self):
        return [e / 1000 for _, _, e, _, _ in self.requests]


def start_load(port, paths, *options):
    listing = place.file("".join(p + "\n" for p in paths), "paths")
    with open(listing) as stdin:
        return children.add(subprocess.Popen([LOAD, *options, str(port)], stdin=stdin, stdout=subprocess.PIPE))


def end_load(process, timeout_s=120):
    out, _ = process.communicate(timeout=timeout_s)
    children.stop(process)
    if process.returncode != 0:
        raise RuntimeError("load ended with %s" % process.returncode)
    return Result(out.decode())


def load(port, paths, *options):
    return end_load(start_load(port, paths, *options))


# Servers

class Site:
    """A web server with the pool behind it, as `make run` starts it."""

    def __init__(self, server, upstream, store=None, **settings):
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
        raise RuntimeError("%s doesn't start: %s" % (server, harness.slurp(self.run_dir + "/error.log").decode()))

    def workers(self):
        return [int(p) for p in harness.slurp(self.run_dir + "/workers").split()]

    def memory_kb(self):
        return sum(harness.memory_kb(pid) for pid in self.workers())

    def stop(self):
        children.stop(self.process, 10)


class Nginx:
    """The same nginx with other locations: its configuration is the Site's but for the server."""

    def __init__(self, site, inside, outside=""):
        self.dir, self.port = place.dir("nginx"), harness.free_port()
        os.mkdir(self.dir + "/tmp")
        conf = harness.slurp(site.run_dir + "/nginx.conf").decode()
        conf = conf.replace("include %s/site.conf;" % site.run_dir, "include @server;").replace(site.run_dir, self.dir)
        server = "%s/server.conf" % self.dir
        with open(server, "w") as f:
            f.write("%s\nserver {\n  listen 127.0.0.1:%d;\n  %s\n}\n" % (outside, self.port, inside))
        with open(self.dir + "/nginx.conf", "w") as f:
            f.write(conf.replace("@server", server))
        log = self.dir + "/error.log"
        with open(log, "wb") as f:
            self.process = children.add(subprocess.Popen(["nginx", "-p", self.dir, "-e", log, "-c", self.dir + "/nginx.conf"],
                                                         stdin=subprocess.DEVNULL, stdout=f, stderr=f))
        harness.wait_until(self.answers, "nginx to listen: " + log)

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(harness.slurp(self.dir + "/error.log").decode())
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        children.stop(self.process)


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


# Rows

BIG = "/example.com/big/@v/%s.zip"
MB = 1 << 20


def row_herd():
    """200 clients, one cold 50 MB zip, upstream at 25 MB/s."""
    clients, rounds = 200, 3
    fixture = harness.Fixture()
    # Its sizes and checksums are computed once: not while somebody waits.
    for i in range(rounds):
        fixture.ref(BIG % ("v1.50.%d" % i))
    fixture.fetch("/_/set?path=^/example.com/big/&rate=25000000")
    site = Site(SERVER, fixture.url)
    static_site = site if SERVER == "nginx" else Site("nginx", fixture.url)
    static = Nginx(static_site, "root %s/download;" % site.store)
    raw = table.raw["herd"] = []
    for i in range(rounds):
        path = BIG % ("v1.50.%d" % i)
        watch = MemoryWatch(site)
        server = below(site.process.pid)
        workers = [p for p in site.workers()]
        others = [p for p in server if p not in workers]
        before = cpu_s(workers), cpu_s(others)
        ours = load(site.port, [path] * clients, "-j", JOBS)
        cpu = cpu_s(workers) - before[0], cpu_s(others) - before[1]
        memory = watch.stop()
        before = cpu_s(below(static.process.pid))
        theirs = load(static.port, [path] * clients, "-j", JOBS)
        raw.append(dict(first_s=ours.first_s(), last_s=ours.last_s(), failed=ours.failed(), memory_mb=memory,
                        fetches=int(fixture.fetch("/_/count?path=^" + path)), cpu_workers_s=cpu[0], cpu_server_s=cpu[1],
                        cpu_client_s=(ours.user_us + ours.system_us) / 1e6,
                        static_last_s=theirs.last_s(), static_failed=theirs.failed(), static_first_s=theirs.first_s(),
                        static_cpu_server_s=cpu_s(below(static.process.pid)) - before,
                        static_cpu_client_s=(theirs.user_us + theirs.system_us) / 1e6))
        note("herd %s" % raw[-1])
    for s in {site, static_site, static}:
        s.stop()
    fixture.stop()
    for r in raw:
        r["ratio"] = r["last_s"] / r["static_last_s"]
    middle = sorted(raw, key=lambda r: r["ratio"])[rounds // 2]
    where = "herd (%s): " % SERVER
    cpu = [sum(r[k] for k in r if k.startswith("cpu_")) for r in raw]
    static_cpu = [sum(r[k] for k in r if k.startswith("static_cpu_")) for r in raw]
    table.most(where + "upstream fetches", max(r["fetches"] for r in raw), 1, "%d")
    table.none(where + "clients failed", sum(r["failed"] + r["static_failed"] for r in raw))
    table.most(where + "first byte, median client", median(r["first_s"] for r in raw), 0.3, "%.3f", " s")
    # What the issue wants of nginx; the others copy more often and are shown for information.
    table.ratio(where + "last client : nginx, whole file [s]", middle["last_s"], middle["static_last_s"], "%.2f",
                1.2 if SERVER == "nginx" else None)
    table.ratio(where + "processor time of all [s]", median(cpu), median(static_cpu), "%.1f")
    table.most(where + "private memory, all workers", max(r["memory_mb"] for r in raw), 32, "%.1f", " MB")


def small_paths(first, count):
    return ["/example.com/small%d/@v/v1.0.0.%s" % (n, kind) for n in range(first, first + count)
            for kind in ("info", "mod", "zip")]


PROXY_CACHE = "proxy_cache_path %s/cache levels=1:2 keys_zone=c:10m;\nupstream fixture { server 127.0.0.1:%d; keepalive 16; }"
PROXY_PASS = """location / { proxy_pass http://fixture; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_cache c; proxy_cache_valid 200 1h; proxy_cache_lock on; }"""


def row_cold():
    """600 small requests one after the other that nobody has asked for before."""
    cold("on disk", place.dir("store"), place.dir("cache"))
    if os.path.isdir("/dev/shm"):
        memory = tempfile.mkdtemp(prefix="goproxy-bench-", dir="/dev/shm")
        try:
            os.mkdir(memory + "/store")
            os.mkdir(memory + "/cache")
            cold("in memory", memory + "/store", memory + "/cache")
        finally:
            shutil.rmtree(memory)


def cold(where, store, cache):
    modules, rounds = 200, 7
    fixture = harness.Fixture()
    site = Site("nginx", fixture.url, store)
    proxy = Nginx(site, PROXY_PASS, PROXY_CACHE % (cache, fixture.port))
    peers = [("upstream", fixture.port), ("ours", site.port), ("proxy_cache", proxy.port)]
    raw = table.raw["cold " + where] = []
    for i in range(rounds):
        paths = small_paths(1 + i * modules, modules)
        # The fixture computes some things once: they are no part of the comparison.
        load(fixture.port, paths, "-s")
        results = {}
        for name, port in peers[i % 3:] + peers[:i % 3]:
            r = load(port, paths, "-s")
            results[name] = r.wall_us / 1000 / len(paths)
            results[name + "_median"] = median(r.ends_ms())
            results[name + "_failed"] = r.failed()
        raw.append(results)
        note("cold %s %s" % (where, {k: round(v, 3) for k, v in results.items()}))
    for s in (site, proxy, fixture):
        s.stop()
    table.none("cold %s: requests failed" % where, sum(r[k] for r in raw for k in r if k.endswith("_failed")))
    ours = median(r["ours"] - r["upstream"] for r in raw)
    peer = median(r["proxy_cache"] - r["upstream"] for r in raw)
    table.line("cold %s: above upstream : proxy_cache" % where, "%.2f ms" % ours, "%.2f ms" % peer,
               "%.2f" % (ours / peer), "<= 0.50 ms", ours <= 0.5)


def row_hang():
    """Hits while 800 misses hang on an upstream that says nothing."""
    misses, seconds = 800, 6
    fixture = harness.Fixture()
    site = Site("nginx", fixture.url, server_answer_timeout_s=seconds, upstream_silence_timeout_s=seconds + 3,
                upstream_total_timeout_s=seconds + 4, upstream_retries=0, server_stop_timeout_s=3)
    hit = "/example.com/small1/@v/v1.0.0.info"
    if load(site.port, [hit]).failed():
        raise RuntimeError("the first request fails")
    hits = ["-s", "-i", "4", "-n", str((seconds - 1) * 250)]
    quiet = load(site.port, [hit], *hits[:-1], "250")
    fixture.fetch("/_/set?path=^/example.com/small9&hang=headers")
    hanging = start_load(site.port, ["/example.com/small9%03d/@v/v1.0.0.info" % n for n in range(misses)])
    # Asked when all of them are in: those that wait for a connection aren't counted by the fixture.
    harness.wait_until(lambda: int(fixture.fetch("/_/open?path=small9")) > 0, "the upstream to be asked")
    during = load(site.port, [hit], *hits)
    waited = end_load(hanging)
    fixture.fetch("/_/clear")
    site.stop()
    fixture.stop()
    times = sorted(during.ends_ms())
    p99 = times[len(times) * 99 // 100]
    table.raw["hang"] = dict(hits=len(times), median_ms=median(times), p99_ms=p99, worst_ms=times[-1],
                             quiet_median_ms=median(quiet.ends_ms()), misses=misses, last_miss_s=waited.last_s(),
                             misses_not_504=waited.failed(504), hits_failed=during.failed())
    note("hang %s" % table.raw["hang"])
    table.none("hang: hits failed", during.failed() + quiet.failed())
    table.none("hang: misses without their 504", waited.failed(504))
    table.line("hang: hit, median [ms] : with nothing else", "%.2f" % median(times), "%.2f" % median(quiet.ends_ms()),
               "%.2f" % (median(times) / median(quiet.ends_ms())), "<= 5 ms", median(times) <= 5)
    table.line("hang: hit, 99 % are quicker than", "%.1f ms" % p99, "", "", "", None)


def wrk(port, path, seconds=2):
    """Requests a second."""
    run = subprocess.run(["wrk", "-t1", "-c32", "-d%ds" % seconds, "http://127.0.0.1:%d%s" % (port, path)],
                         stdout=subprocess.PIPE, check=True)
    text = run.stdout.decode()
    bad = re.search("Non-2xx|Socket errors.*", text)
    if bad:
        raise RuntimeError("%s: %s" % (path, bad.group(0)))
    return float(re.search(r"Requests/sec: +([0-9.]+)", text).group(1))


def put_module(store, size):
    """A module whose zip has about this size, as an administrator would copy it from a module cache."""
    folder = store + "/download/example.com/bench/@v"
    os.makedirs(folder)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr("example.com/bench@v1.0.0/go.mod", "module example.com/bench\n")
        z.writestr("example.com/bench@v1.0.0/data.bin", random.randbytes(size))
    for kind, content in (("info", b'{"Version":"v1.0.0","Time":"2024-02-29T23:30:00Z"}'),
                          ("mod", b"module example.com/bench\n"), ("zip", data.getvalue()),
                          ("ziphash", harness.hash_zip(data.getvalue()).encode())):
        with open("%s/v1.0.0.%s" % (folder, kind), "wb") as f:
            f.write(content)


def start_hello():
    """hello.c, four processes on a socket of their own; returns them and its address."""
    address = place.new("hello")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(address)
        s.listen(1024)
        return [children.add(subprocess.Popen([HELLO], stdin=s)) for _ in range(4)], address


def row_rates():
    """Hits a second, against files from the same nginx and the least that libfcgi can do."""
    fixture = harness.Fixture()
    store = place.dir("store")
    put_module(store, 20000)
    site = Site("nginx", fixture.url, store)
    idle_kb = [harness.memory_kb(pid) for pid in site.workers()]
    static = Nginx(site, "root %s/download;" % store)
    hello, address = start_hello()
    least = Nginx(site, "location / { include %s/goproxy_params; fastcgi_pass unix:%s; }" % (site.run_dir, address))
    base, ours, theirs, hellos = "/example.com/bench/@v/", {}, {}, []
    list_path = "/example.com/small1/@v/list"
    load(site.port, [list_path])
    for _ in range(3):
        hellos.append(wrk(least.port, "/"))
        for kind in ("info", "mod", "zip", "list"):
            path = list_path if kind == "list" else base + "v1.0.0." + kind
            ours.setdefault(kind, []).append(wrk(site.port, path))
            if kind != "list":
                theirs.setdefault(kind, []).append(wrk(static.port, path))
    load(site.port, [BIG % "v1.100.0"], "-t", "60")
    after_kb = [harness.memory_kb(pid) for pid in site.workers()]
    for s in (site, static, least, fixture):
        s.stop()
    for process in hello:
        children.stop(process)
    table.raw["rates"] = dict(ours=ours, static=theirs, hello=hellos, idle_kb=idle_kb, after_kb=after_kb)
    for kind in ours:
        rate, peer = median(ours[kind]), median(hellos)
        table.line("rates: %s/s : libfcgi's least" % kind, "%.0f" % rate, "%.0f" % peer, "%.2f" % (rate / peer), "", None)
        if kind in theirs:
            peer = median(theirs[kind])
            table.line("rates: %s/s : nginx, the file" % kind, "%.0f" % rate, "%.0f" % peer, "%.2f" % (rate / peer), "", None)
    table.line("rates: private memory, idle worker", "%.1f MB" % (max(idle_kb) / 1024), "", "", "", None)
    table.line("rates: the same after a zip of 100 MB", "%.1f MB" % (max(after_kb) / 1024), "", "", "<= 32.0 MB",
               max(after_kb) / 1024 <= 32)


def row_kill():
    """kill -9 at random moments of downloads; the test that does it says what is wrong afterwards."""
    kills = os.environ.get("KILLS", "1000")
    process = children.add(subprocess.Popen(
        [sys.executable, ROOT + "/tests/t/55-kill.t"], env=dict(os.environ, KILLS=kills, TEST_SLOW="20"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
    points = []
    for line in process.stdout:
        text = line.decode("utf-8", "replace").rstrip()
        points.append(text)
        note("kill " + text)
    code = process.wait()
    children.stop(process)
    bad = [p for p in points if p.startswith("not ok")]
    table.raw["kill"] = dict(kills=int(kills), exit=code, points=points)
    table.none("kill: of %s checks after %s kills, failed" % (sum(1 for p in points if re.match("(not )?ok", p)), kills),
               max(len(bad), int(code != 0)))


def row_sumdb():
    """What proofs cost once tiles are warm: 200 cold modules one by one, and hits, with and without."""
    sumdb("on disk", place.dir("store"), place.dir("store"))
    if os.path.isdir("/dev/shm"):
        memory = tempfile.mkdtemp(prefix="goproxy-bench-", dir="/dev/shm")
        try:
            sumdb("in memory", memory + "/1", memory + "/2")
        finally:
            shutil.rmtree(memory)


def sumdb(where, *stores):
    modules, rounds = 200, 7
    fixture = harness.Fixture()
    sites = {"without": Site("nginx", fixture.url, stores[0]),
             "with": Site("nginx", fixture.url, stores[1], sumdb_gosumdb=fixture.vkey())}
    # Tiles are warm: a module of each tile, in each worker.
    warm = ["/example.com/small%d/@v/v1.1.0.mod" % n for n in range(0, 2000, 64)]
    for site in sites.values():
        load(site.port, warm, "-s")
        load(site.port, warm)
    fetches = int(fixture.fetch("/_/count?path=^/sumdb/.*/tile/"))
    times, failed = {name: [[], [], []] for name in sites}, 0
    for i in range(rounds):
        names = range(1 + i * modules, 1 + (i + 1) * modules)
        paths = small_paths(names[0], modules)
        # What the fixture computes once is no part of the comparison.
        load(fixture.port, paths, "-s")
        load(fixture.port, ["/sumdb/sum.fixture.test/lookup/example.com/small%d@v1.0.0" % n for n in names], "-s")
        for name in list(sites)[::1 if i % 2 else -1]:
            r = load(sites[name].port, paths, "-s")
            failed += r.failed()
            for k in range(3):
                times[name][k] += r.ends_ms()[k::3]
    fetches = int(fixture.fetch("/_/count?path=^/sumdb/.*/tile/")) - fetches
    hits = {name: [] for name in sites}
    for _ in range(5):
        for name, site in sites.items():
            hits[name].append(wrk(site.port, small_paths(1, 1)[2]))
    for s in (*sites.values(), fixture):
        s.stop()
    middle = {name: [median(t) for t in times[name]] for name in sites}
    table.raw["sumdb " + where] = dict(median_ms=middle, hits=hits, tiles=fetches, failed=failed)
    note("sumdb %s: .info, .mod, .zip [ms]: %s" % (where, {n: ["%.3f" % t for t in m] for n, m in middle.items()}))
    table.none("sumdb %s: requests failed, tiles fetched" % where, failed + fetches)
    # On a disk a module is one file more, whose making may cost anything (0.1 to 0.7 ms of ext4 here).
    table.ratio("sumdb %s: a cold module [ms] : unchecked" % where, sum(middle["with"]), sum(middle["without"]), "%.2f",
                1.1 if where == "in memory" else None)
    table.ratio("sumdb %s: hits/s : unchecked" % where, median(hits["with"]), median(hits["without"]), "%.0f", 0.95, least=True)


def row_verify():
    """How fast does `verify` read, against sha256sum over the same files, by a core's time?"""
    fixture = harness.Fixture()
    store, cache = place.dir("store"), os.environ.get("MODCACHE")
    site = Site("nginx", fixture.url, store, sumdb_gosumdb=fixture.vkey())
    if not cache:
        load(site.port, [BIG.replace("big", "bigdeflate") % ("v1.50.%d" % i) for i in range(4)], "-s", "-t", "60")
        load(site.port, small_paths(1, 200))
        harness.wait_until(lambda: not harness.temp_files(store), "the store to be quiet")
    site.stop()
    if cache:
        shutil.rmtree(store + "/download")
        shutil.copytree(cache + "/cache/download", store + "/download")
    zips = [os.path.join(store, n) for n in harness.files_below(store) if n.endswith(".zip")]
    size = sum(map(os.path.getsize, zips))
    settings = harness.settings(fixture.url, store, sumdb_gosumdb=fixture.vkey())
    commands = {"verify": [program(), "verify"], "quick": [program(), "verify", "--quick"],
                "sha256sum": ["sha256sum", *zips]}
    times = {name: [] for name in commands}
    for i in range(6):
        for name, command in commands.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(command, env=harness.program_env(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode != 0:
                raise RuntimeError("%s: %s" % (name, done.stderr.decode()[-500:]))
            if i > 0:
                times[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    fixture.stop()
    table.raw["verify"] = dict(bytes=size, times=times)
    speed = {name: size / 1e6 / median(t) for name, t in times.items()}
    where = "verify (%s): " % ("real zips" if cache else "stored blocks")
    table.ratio(where + "MB/s of zips a core : sha256sum", speed["verify"], speed["sha256sum"], "%.0f", None if cache else 0.8, least=True)
    table.ratio(where + "--quick, the same : sha256sum", speed["quick"], speed["sha256sum"], "%.0f", 0.8, least=True)


ROWS = {name[4:]: f for name, f in globals().items() if name.startswith("row_")}


def compile_helper(name, *libraries):
    """For who runs this file by itself; `make bench` has built them."""
    source, target = "%s/%s.c" % (HERE, name), "%s/bench/%s" % (BUILD, name)
    if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(source):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", target, source, *libraries],
                   check=True)


def main():
    wanted = sys.argv[1:] or list(ROWS)
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        sys.exit("no such row: %s; there are: %s" % (" ".join(unknown), " ".join(ROWS)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    compile_helper("load")
    compile_helper("hello", "-lfcgi")
    table.head()
    for name in wanted:
        began = time.monotonic()
        try:
            ROWS[name]()
        except Exception as e:
            table.line(name, "", "", "", "to run", False)
            note("%s: %s: %s" % (name, type(e).__name__, e))
        note("%s: %.0f s" % (name, time.monotonic() - began))
    table.write(BUILD + "/bench.json")
    sys.exit(1 if table.bad else 0)


if __name__ == "__main__":
    main()
