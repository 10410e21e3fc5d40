"""scale - the same with 1,000 and with 1,000,000 versions in the store."""
import os
import shutil
import socket
import subprocess
import time

import harness
import sites
from clients import BUILD, load, place, small_paths, warm
from hits import LIST, rate
from sites import Site
from table import QUICK, few, in_turn, note, table

FILL = BUILD + "/bench/fill"
VERSIONS, MODULES = 1000, 10 if QUICK else 1000
ROUNDS = 5
LEAST = 0.95


def row_scale():
    """The store's size: hits, a list, cold misses and the start, with 1,000,000 versions against 1,000."""
    table.group = "scale, {:,} versions : {:,}".format(MODULES * VERSIONS, VERSIONS)
    free = os.statvfs(place.path)
    if free.f_bavail * free.f_frsize < 2 * sites.MB * 1024:
        raise RuntimeError("less than 2 GB free in %s" % place.path)
    stores = place.dir("store"), place.dir("store")
    try:
        began = time.monotonic()
        for store, modules in zip(stores, (MODULES, 1)):
            subprocess.run([FILL, store, str(modules), str(VERSIONS)], check=True)
        note("scale: the store took %.0f s" % (time.monotonic() - began))
        scale(*stores)
    finally:
        for store in stores:
            shutil.rmtree(store)


def scale(many, few_versions):
    fixture = sites.start_fixture()
    settings = [harness.settings(fixture.url, store, sumdb_gosumdb="off") for store in (many, few_versions)]
    pairs = in_turn(few(ROUNDS) * 3, *[lambda s=s: 1 / start_s(s) for s in settings])
    table.raw["scale, starts"] = pairs
    table.ratio("starts of the responder", pairs, "%.0f/s", least=LEAST)
    big, small = Site("nginx", fixture.url, many), Site("nginx", fixture.url, few_versions)
    hit = "/example.com/fill0/@v/v1.%d.0.info" % (VERSIONS // 2)
    compare("hit, .info", hit, big, small)
    compare("list, by the responder", LIST, sites.responder_only(big), sites.responder_only(small))
    cold(fixture, big, small)
    for server in (big, small, fixture):
        server.stop()


def start_s(settings):
    """From the command to the first answer."""
    began = time.monotonic()
    pool = harness.Pool(settings, program=sites.program(), ready=False)
    harness.wait_until(lambda: accepts(pool.address), "the responder to listen: " + pool.log_path, poll_s=0.0005)
    answer = pool.get("/example.com/fill0/@v/v1.1.0.info")
    took = time.monotonic() - began
    pool.stop()
    if answer.status != 200:
        raise RuntimeError("the responder answers %s" % answer)
    return took


def accepts(address):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(address) == 0


def compare(row, path, ours, peer):
    for server in (ours, peer):
        warm(server.port, path)
    pairs = in_turn(few(ROUNDS), lambda: rate(ours, path)["rate"], lambda: rate(peer, path)["rate"])
    table.raw["scale, " + row] = pairs
    table.ratio(row, pairs, "%.0f/s", least=LEAST)


def cold(fixture, ours, peer):
    """Modules that nobody asked for, one request after the other."""
    modules, rounds = 20 if QUICK else 100, few(ROUNDS)
    batches = [small_paths(1 + i * modules, modules) for i in range(1, rounds + 1)]
    for paths in batches:
        load(fixture.port, paths, "-s")

    def asker(server):
        left = iter(batches)
        return lambda: len(batches[0]) / load(server.port, next(left), "-s").wall_us * 1e6
    pairs = in_turn(rounds, asker(ours), asker(peer))
    table.raw["scale, cold"] = pairs
    table.ratio("cold small misses", pairs, "%.0f/s", least=LEAST)
