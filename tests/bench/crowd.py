"""crowd - many at once: a herd for one zip, hits beside misses that hang, and what memory it takes."""
import os

import harness
import sites
from clients import end_load, load, start_load
from sites import MemoryWatch, Nginx, Site, below, cpu_s
from table import QUICK, few, median, note, table

SERVER = os.environ.get("SERVER", "nginx")
JOBS = os.environ.get("JOBS", str(min(os.cpu_count() or 1, 4)))
BIG = "/example.com/big/@v/%s.zip"


def row_herd():
    """200 clients, one cold 50 MB zip, upstream at 25 MB/s."""
    table.group = "herd, %s : nginx with the finished file" % SERVER
    rounds, megabytes = few(5), 5 if QUICK else 50
    paths = [BIG % ("v1.%d.%d" % (megabytes, i)) for i in range(rounds)]
    fixture = sites.start_fixture()
    # Its sizes and checksums are computed once: not while somebody waits.
    for path in paths:
        fixture.ref(path)
    fixture.fetch("/_/set?path=^/example.com/big/&rate=25000000")
    site = Site(SERVER, fixture.url)
    static_site = site if SERVER == "nginx" else Site("nginx", fixture.url)
    static = Nginx(static_site, "root %s/download;" % site.store)
    raw = table.raw["herd"] = []
    for path in paths:
        raw.append(dict(herd_of_ours(site, fixture, path), **herd_of_static(static, path)))
        note("herd %s" % raw[-1])
    for server in (site, static_site, static, fixture):
        server.stop()
    print_herd(raw)


def herd_of_ours(site, fixture, path):
    watch, workers = MemoryWatch(site), site.workers()
    others = [p for p in site.pids() if p not in workers]
    before = cpu_s(workers), cpu_s(others)
    result = load(site.port, [path] * 200, "-j", JOBS)
    cpu = cpu_s(workers) - before[0], cpu_s(others) - before[1]
    return dict(first_s=result.first_s(), last_s=result.last_s(), failed=result.failed(), memory_mb=watch.stop(),
                fetches=int(fixture.fetch("/_/count?path=^" + path)), cpu_workers_s=cpu[0], cpu_server_s=cpu[1],
                cpu_client_s=result.cpu_s())


def herd_of_static(static, path):
    pids = below(static.process.pid)
    before = cpu_s(pids)
    result = load(static.port, [path] * 200, "-j", JOBS)
    return dict(static_last_s=result.last_s(), static_failed=result.failed(), static_first_s=result.first_s(),
                static_cpu_server_s=cpu_s(pids) - before, static_cpu_client_s=result.cpu_s())


def print_herd(raw):
    def cpu(r, start):
        return sum(r[k] for k in r if k.startswith(start))

    table.most("upstream fetches", max(r["fetches"] for r in raw), 1, "%d")
    table.none("clients failed", sum(r["failed"] + r["static_failed"] for r in raw))
    table.most("first byte, median client", median(r["first_s"] for r in raw), 0.3, "%.3f s")
    # The limit is nginx's; the others copy more often and are shown for information.
    table.ratio("last client", [(r["last_s"], r["static_last_s"]) for r in raw], "%.2f s",
                most=1.08 if SERVER == "nginx" else None)
    table.ratio("processor time, clients too", [(cpu(r, "cpu_"), cpu(r, "static_cpu_")) for r in raw], "%.1f s")
    table.most("private memory, all workers", max(r["memory_mb"] for r in raw), 24, "%.1f MB")


def percentile(times, percent):
    return sorted(times)[len(times) * percent // 100]


def row_hang():
    """Hits while 800 misses hang on an upstream that says nothing."""
    misses, seconds = 80 if QUICK else 800, 6
    table.group = "hang, nginx, %d misses : nothing else" % misses
    fixture = sites.start_fixture()
    site = Site("nginx", fixture.url, server_answer_timeout_s=seconds, upstream_silence_timeout_s=seconds + 3,
                upstream_total_timeout_s=seconds + 4, upstream_retries=0, server_stop_timeout_s=3)
    asked = {"hit through the site": site, "hit by the responder": sites.responder_only(site)}
    hit = "/example.com/small1/@v/v1.0.0.info"
    if load(site.port, [hit] * 10, "-s").failed():
        raise RuntimeError("the first requests fail")
    quiet = hits_of(asked, hit, 250)
    fixture.fetch("/_/set?path=^/example.com/small9&hang=headers")
    hanging = start_load(site.port, ["/example.com/small9%03d/@v/v1.0.0.info" % n for n in range(misses)])
    # Asked when all of them are in: those that wait for a connection aren't counted by the fixture.
    harness.wait_until(lambda: int(fixture.fetch("/_/open?path=small9")) > 0, "the upstream to be asked")
    during = hits_of(asked, hit, (seconds - 1) * 250)
    waited = end_load(hanging)
    fixture.fetch("/_/clear")
    for server in (*asked.values(), fixture):
        server.stop()
    print_hang(quiet, during, waited)


def hits_of(asked, path, count):
    """Results of a hit every 4 ms through each of two servers, both at the same time."""
    started = {name: start_load(server.port, [path], "-s", "-i", "4", "-n", str(count)) for name, server in asked.items()}
    return {name: end_load(process) for name, process in started.items()}


def print_hang(quiet, during, waited):
    table.none("hits failed", sum(r.failed() for r in (*quiet.values(), *during.values())))
    table.none("misses without their 504", waited.failed(504))
    for name in during:
        times, before = during[name].ends_ms(), median(quiet[name].ends_ms())
        p99 = percentile(times, 99)
        table.raw["hang, " + name] = dict(hits=len(times), median_ms=median(times), p99_ms=p99, worst_ms=max(times),
                                          quiet_median_ms=before, last_miss_s=waited.last_s())
        table.most(name + ", median", median(times), 5, "%.2f ms", peer="%.2f ms" % before, more="p99 %.1f ms" % p99)


def row_memory():
    """Private memory of a worker: idle, and after a zip of almost the largest size."""
    table.group = "memory of a worker"
    megabytes = 50 if QUICK else 499
    fixture = sites.start_fixture()
    site = Site("nginx", fixture.url)
    idle_kb = [harness.memory_kb(pid) for pid in site.workers()]
    result = load(site.port, [BIG % ("v1.%d.0" % megabytes)], "-t", "90")
    after_kb = [harness.memory_kb(pid) for pid in site.workers()]
    for server in (site, fixture):
        server.stop()
    table.raw["memory"] = dict(idle_kb=idle_kb, after_kb=after_kb, took_s=result.last_s())
    table.none("zips failed", result.failed())
    table.most("idle", max(idle_kb) / 1024, 6, "%.1f MB")
    table.most("after a zip of %d MB" % megabytes, max(after_kb) / 1024, 6, "%.1f MB")
