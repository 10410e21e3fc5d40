"""hits - what is in the store already: rates, and the responder by itself."""
import os

import peers
import sites
from clients import attempt, children, middle, place, warm, wrk
from sites import MB, SERVERS, Site, cpu_s
from table import few, in_turn, table

ROUNDS = 7
STORED = "/example.com/bench/@v/"
LIST, MANY, LATEST = "/example.com/small1/@v/list", "/example.com/many/@v/list", "/example.com/small1/@latest"
# What is asked for, by what name, over how many connections, and whether the least ratio is that of files.
FILES = [(".info", STORED + "v1.0.0.info", 32), (".mod", STORED + "v1.0.0.mod", 32),
         ("zip of 20 KB", STORED + "v1.0.0.zip", 32), ("zip of 50 MB", STORED + "v1.1.0.zip", 4)]
MUTABLE = [("list", LIST), ("list of 5,000", MANY), ("@latest", LATEST)]
LEAST_FILES = {"nginx": 0.95, "lighttpd": 0.95, "apache-proxy": 0.90}
LEAST_MUTABLE = 0.80


def rate(server, path, clients=32):
    """wrk's figures, and the processor seconds that all of the server's processes took for 10,000."""
    pids = server.pids()
    before = cpu_s(pids)
    found = wrk(server.port, path, clients)
    found["cpu"] = (cpu_s(pids) - before) / found["requests"] * 1e4
    return found


def compare(row, ours, path, peer, peer_path=None, clients=32, least=None):
    """Rates of the same bytes from two servers."""
    peer_path = peer_path or path
    for server, at in ((ours, path), (peer, peer_path)):
        warm(server.port, at)
    pairs = in_turn(few(ROUNDS), lambda: rate(ours, path, clients), lambda: rate(peer, peer_path, clients))
    key, form = ("mb", "%.0f MB/s") if clients < 32 else ("rate", "%.0f/s")
    more = "p50 %s p99 %s ms, CPU %s s" % tuple(middle(pairs, k) for k in ("p50", "p99", "cpu"))
    table.raw["%s: %s" % (table.group, row)] = pairs
    table.ratio(row, [(a[key], b[key]) for a, b in pairs], form, least=least, more=more)


def must_be_same(ours, path, peer, peer_path):
    if sites.body(ours, path) != sites.body(peer, peer_path):
        raise RuntimeError("%s: the peer's bytes are others" % path)


def keep_copy(site, path, name):
    """A file with the bytes of an answer; its path on the static peer."""
    folder = site.store + "/download/copies"
    os.makedirs(folder, exist_ok=True)
    with open("%s/%s" % (folder, name), "wb") as f:
        f.write(sites.body(site, path))
    return "/copies/" + name


def rates_of(server, store):
    table.group = "rates, %s : its static files" % server
    fixture = sites.start_fixture()
    site = Site(server, fixture.url, store)
    static = sites.static_peer(site, store + "/download")
    for name, path, clients in FILES:
        must_be_same(site, path, static, path)
        compare(name, site, path, static, clients=clients, least=LEAST_FILES[server])
    for name, path in MUTABLE:
        copy = keep_copy(site, path, name.split()[0] + str(len(path)))
        must_be_same(site, path, static, copy)
        compare(name, site, path, static, copy, least=LEAST_MUTABLE)
    static.stop()
    if server == "nginx":
        rates_of_peers(site, fixture)
    site.stop()
    fixture.stop()


def rates_of_peers(site, fixture):
    """Other proxies, each with a cache of its own in front of the same upstream."""
    folder = place.dir("caches")
    for peer in [sites.proxy_cache(site, fixture, folder), *peers.start(fixture, folder)]:
        table.group = "rates, nginx : " + peer.title
        for name, path in ((".info", "/example.com/small1/@v/v1.0.0.info"), ("list of 5,000", MANY)):
            compare(name, site, path, peer)
        peer.stop()


def row_rates():
    """Hits a second behind each server, against the same server's files and other proxies."""
    store = place.dir("store")
    sites.put_version(store, "example.com/bench", "v1.0.0", 20000)
    sites.put_version(store, "example.com/bench", "v1.1.0", 50 * MB)
    for server in SERVERS:
        attempt(rates_of, server, store)


def row_responder():
    """Hits a second by the responder itself, against the ten lines that libfcgi needs."""
    table.group = "responder, nginx : hello.c"
    fixture = sites.start_fixture()
    store = place.dir("store")
    sites.put_version(store, "example.com/bench", "v1.0.0", 20000)
    site = Site("nginx", fixture.url, store)
    ours = sites.responder_only(site)
    hello, peer = sites.start_hello(site)
    for name, path in (FILES[0][:2], MUTABLE[0]):
        compare(name, ours, path, peer, "/", least=0.90)
    for server in (ours, peer, site, fixture):
        server.stop()
    for process in hello:
        children.stop(process)
