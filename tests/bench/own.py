"""own - rows with runs of their own: not among those that `make bench` makes."""
import os
import re
import resource
import shutil
import subprocess
import sys

import harness
import sites
from clients import ROOT, children, load, place, small_paths, wrk
from cold import in_memory
from crowd import BIG
from sites import Site, program
from table import few, in_turn, median, note, table


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
    table.group = "kill, %s kills" % kills
    table.none("of %d checks failed" % sum(1 for p in points if re.match("(not )?ok", p)), max(len(bad), int(code != 0)))


def row_sumdb():
    """What proofs cost once tiles are warm: 200 cold modules one by one, and hits, with and without."""
    sumdb("on disk", place.dir("stores"))
    in_memory(lambda folder: sumdb("in memory", folder))


def sumdb(where, folder):
    table.group = "sumdb, nginx, %s : unchecked" % where
    fixture = sites.start_fixture()
    proven, unproven = [Site("nginx", fixture.url, folder + name, sumdb_gosumdb=key)
                        for name, key in (("/1", fixture.vkey()), ("/2", "off"))]
    # Tiles are warm: a module of each tile, in each worker.
    tiles = ["/example.com/small%d/@v/v1.1.0.mod" % n for n in range(0, 2000, 64)]
    for site in (proven, unproven):
        load(site.port, tiles, "-s")
        load(site.port, tiles)
    fetches = int(fixture.fetch("/_/count?path=^/sumdb/.*/tile/"))
    cold = cold_modules(fixture, proven, unproven)
    fetches = int(fixture.fetch("/_/count?path=^/sumdb/.*/tile/")) - fetches
    path = small_paths(1, 1)[2]
    hits = in_turn(few(5), lambda: wrk(proven.port, path)["rate"], lambda: wrk(unproven.port, path)["rate"])
    for server in (proven, unproven, fixture):
        server.stop()
    table.raw["sumdb " + where] = dict(cold_ms=cold, hits=hits, tiles=fetches)
    table.none("tiles fetched", fetches)
    # On a disk a module is one file more, whose making may cost anything (0.1 to 0.7 ms of ext4 here).
    table.ratio("a cold module", cold, "%.2f ms", most=1.1 if where == "in memory" else None)
    table.ratio("hits", hits, "%.0f/s", least=0.95)


def cold_modules(fixture, proven, unproven):
    """Pairs of the milliseconds that a module takes: the medians of its .info, .mod and .zip."""
    batches = [range(1 + i * 200, 201 + i * 200) for i in range(few(7))]
    for names in batches:
        # What the fixture computes once is no part of the comparison.
        load(fixture.port, small_paths(names[0], 200), "-s")
        load(fixture.port, ["/sumdb/sum.fixture.test/lookup/example.com/small%d@v1.0.0" % n for n in names], "-s")

    def asker(site):
        left = iter(batches)

        def ask():
            result = load(site.port, small_paths(next(left)[0], 200), "-s")
            if result.failed():
                raise RuntimeError("%d cold requests failed" % result.failed())
            return sum(median(result.ends_ms()[k::3]) for k in range(3))
        return ask
    return in_turn(len(batches), asker(proven), asker(unproven))


def row_verify():
    """How fast does `verify` read, against sha256sum over the same files, by a core's time?"""
    cache = os.environ.get("MODCACHE")
    table.group = "verify, %s : sha256sum" % ("real zips" if cache else "stored blocks")
    fixture, store = sites.start_fixture(), place.dir("store")
    fill_store(fixture, store, cache)
    zips = [os.path.join(store, n) for n in harness.files_below(store) if n.endswith(".zip")]
    env = harness.program_env(harness.settings(fixture.url, store, sumdb_gosumdb=fixture.vkey()))
    megabytes = sum(map(os.path.getsize, zips)) / 1e6
    commands = {"zips a core": [program(), "verify"], "--quick, the same": [program(), "verify", "--quick"]}
    for row, command in commands.items():
        core_s(command, env)
        pairs = in_turn(few(5), lambda c=command: megabytes / core_s(c, env),
                        lambda: megabytes / core_s(["sha256sum", *zips], env))
        table.raw["verify, " + row] = dict(megabytes=megabytes, pairs=pairs)
        table.ratio(row, pairs, "%.0f MB/s", least=None if cache and "quick" not in row else 0.8)
    fixture.stop()


def fill_store(fixture, store, cache):
    site = Site("nginx", fixture.url, store, sumdb_gosumdb=fixture.vkey())
    if not cache:
        load(site.port, [BIG.replace("big", "bigdeflate") % ("v1.50.%d" % i) for i in range(4)], "-s", "-t", "60")
        load(site.port, small_paths(1, 200))
        harness.wait_until(lambda: not harness.temp_files(store), "the store to be quiet")
    site.stop()
    if cache:
        shutil.rmtree(store + "/download")
        shutil.copytree(cache + "/cache/download", store + "/download")


def core_s(command, env):
    """Processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (command[:2], done.stderr.decode()[-500:]))
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
