"""cold - what nobody has asked for before: what we add to an upstream, and beside proxy_cache."""
import os
import shutil
import tempfile

import peers
import sites
from clients import load, place, small_paths
from sites import Site
from table import QUICK, few, in_turn, median, note, table

MODULES, ROUNDS = 200, 7
ABOVE_MS = 0.3
DELAY_MS = 20


def in_memory(run):
    """run(folder) with a folder that no disk slows down."""
    if not os.path.isdir("/dev/shm"):
        return
    folder = tempfile.mkdtemp(prefix="goproxy-bench-", dir="/dev/shm")
    try:
        run(folder)
    finally:
        shutil.rmtree(folder)


def row_cold():
    """600 small requests one after the other; and 150 and 600 to an upstream that takes 20 ms for each."""
    cold("on disk", place.dir("stores"))
    in_memory(lambda folder: cold("in memory", folder))
    delayed()


def one_round(asked, paths):
    """Milliseconds a request, of each of those asked."""
    found = {}
    for name, port in asked:
        result = load(port, paths, "-s")
        found[name] = result.wall_us / 1000 / len(paths)
        found[name + "_median"] = median(result.ends_ms())
        found[name + "_failed"] = result.failed()
    return found


def cold(where, folder):
    table.group = "cold, one by one, %s" % where
    modules, fixture = 20 if QUICK else MODULES, sites.start_fixture()
    site = Site("nginx", fixture.url, folder + "/store")
    others = [sites.proxy_cache(site, fixture, folder), *peers.start(fixture, folder)]
    asked = [("upstream", fixture.port), ("ours", site.port)] + [(p.title, p.port) for p in others]
    raw = table.raw["cold " + where] = []
    for i in range(few(ROUNDS)):
        paths, at = small_paths(1 + i * modules, modules), i % len(asked)
        # The fixture computes some things once: they are no part of the comparison.
        load(fixture.port, paths, "-s")
        raw.append(one_round(asked[at:] + asked[:at], paths))
        note("cold %s %s" % (where, {k: round(v, 3) for k, v in raw[-1].items()}))
    for server in (site, fixture, *others):
        server.stop()
    print_cold(raw, [p.title for p in others])


def print_cold(raw, others):
    table.none("requests failed", sum(r[k] for r in raw for k in r if k.endswith("_failed")))
    above = {name: [r[name] - r["upstream"] for r in raw] for name in ("ours", *others)}
    ours = median(above["ours"])
    table.most("above the upstream, a request", ours, ABOVE_MS, "%.2f ms",
               spread=tuple(x / ABOVE_MS for x in (min(above["ours"]), max(above["ours"]))),
               more="upstream itself %.2f ms" % median(r["upstream"] for r in raw))
    for name in others:
        theirs = median(above[name])
        table.line("the same : " + name, "%.2f ms" % ours, "%.2f ms" % theirs, ours / theirs)


def delayed():
    """All of it, from the first to the last answer, with an upstream that is as far as real ones."""
    table.group = "cold, upstream answers after %d ms : itself" % DELAY_MS
    fixture = sites.start_fixture()
    site = Site("nginx", fixture.url)
    first = 1
    for row, modules, options, most in (("one by one", 50, ["-s"], 1.03), ("16 connections", 200, ["-c", "16"], 1.05)):
        rounds = few(5)
        modules //= 10 if QUICK else 1
        batches = [small_paths(first + i * modules, modules) for i in range(rounds)]
        first += rounds * modules
        for paths in batches:
            load(fixture.port, paths, "-s")
        fixture.fetch("/_/set?path=^/example.com/&delay_ms=%d" % DELAY_MS)
        pairs = in_turn(rounds, timer(site.port, batches, options), timer(fixture.port, batches, options))
        fixture.fetch("/_/clear")
        table.raw["cold, delayed, " + row] = pairs
        table.ratio(row, pairs, "%.2f s", most=most)
    for server in (site, fixture):
        server.stop()


def timer(port, batches, options):
    """A function that asks for the next batch and returns the seconds."""
    left = iter(batches)

    def ask():
        result = load(port, next(left), *options)
        if result.failed():
            raise RuntimeError("%d cold requests failed" % result.failed())
        return result.wall_us / 1e6
    return ask
