#!/usr/bin/env python3
"""61-direct-big.t - a repository with 1,000 tags and 200 MB of history: what one list, one tagged version, and one
commit between tags cost from nothing, in seconds and in bytes, us against the go command with GOPROXY=direct.

Both ask the same web server through the same CONNECT proxy, which counts the bytes in both directions. Rounds
alternate; the time is the median, the bytes are of the last round. Ratios are ours divided by go's.

    61-direct-big.t [WORD...]   only rows with such a word in their name
    BIG_ROUNDS=N                (3)
"""
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import look_for_reports, tap  # noqa: E402
from live import skip_all  # noqa: E402
from vcsrepo import GIT_CONFIG, Repo, digest, tree  # noqa: E402
from vcstest import EXTRA_HOST, Oracle, Proxy, World, documents, has_direct, hash_zip, url  # noqa: E402

TAGS, BLOB, FILES = 1000, 200_000, 20
MODULE = EXTRA_HOST + "/big.git"
ROUNDS = int(os.environ.get("BIG_ROUNDS", "3"))
# Ours divided by go's: not dearer on the line, and in the same class on the clock of a busy machine.
MAX_BYTES, MAX_SECONDS = 1.1, 1.5


def build():
    def make(directory):
        with open(directory + "/gitconfig", "w") as f:
            f.write(GIT_CONFIG + "[core]\n\tcompression = 0\n")
        repo, rand = Repo(directory + "/big", directory + "/gitconfig"), random.Random(1)
        for number in range(TAGS):
            files = {"data/%d.bin" % (number % FILES): rand.randbytes(BLOB)}
            if number == 0:
                files["go.mod"] = "module %s\n" % MODULE
            repo.commit(files)
            repo.tag("v1.%d.0" % number)
            repo.commit({"between": "%d\n" % number})
            if number % 100 == 99:
                repo.end()
        # Nothing to be gained from deltas between random bytes, for whoever asks.
        repo.git("config", "core.bigFileThreshold", "100k")
        repo.git("gc", "-q")
    return tree("big", digest(TAGS, BLOB, FILES, 2), make)


class Go:
    """The go command with an empty module cache for each row."""

    def __init__(self, oracle):
        self.oracle = oracle

    def ask(self, query):
        words = ("list", "-m", "-versions", "-retracted", "-json", MODULE) if query == "@list" else (
            "mod", "download", "-json", "%s@%s" % (MODULE, query))
        out, err, work = self.oracle._go(*words)
        shutil.rmtree(work)
        one = next(documents(out), {"Error": err})
        return one.get("Versions") or (one["Version"], one["Sum"]) if "Error" not in one else str(one["Error"])


class Us:
    """Our program with an empty store for each row; its start isn't counted."""

    def prepare(self):
        self.proxy = Proxy(world)

    def ask(self, query):
        status, body = self.proxy.get(url(MODULE, "list" if query == "@list" else query + ".info"))
        if status != 200:
            return "%d %s" % (status, body.decode("utf-8", "replace"))
        if query == "@list":
            return body.decode().split()
        version = json.loads(body)["Version"]
        answers = [self.proxy.get(url(MODULE, version + kind)) for kind in (".mod", ".zip")]
        return (version, hash_zip(answers[1][1])) if [a[0] for a in answers] == [200, 200] else str(answers)[:500]

    def end(self):
        self.proxy.stop()
        look_for_reports(self.proxy.pool.log(), "big")
        shutil.rmtree(self.proxy.store, ignore_errors=True)


def measured(who, query):
    """(answer, seconds, connections, bytes)"""
    getattr(who, "prepare", lambda: None)()
    world.connect.reset()
    begin = time.monotonic()
    answer = who.ask(query)
    took_s = time.monotonic() - begin
    connections, up, down = world.connect.total()
    getattr(who, "end", lambda: None)()
    return answer, took_s, connections, up + down


def row(name, query):
    def test():
        if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
            return
        go, us, times = Go(oracle), Us(), {"go": [], "us": []}
        for number in range(ROUNDS):
            pair = [("go", go), ("us", us)]
            last = {}
            for key, who in pair if number % 2 else reversed(pair):
                last[key] = measured(who, query)
                times[key].append(last[key][1])
        seconds = statistics.median(u / g for u, g in zip(times["us"], times["go"]))
        size = last["us"][3] / max(1, last["go"][3])
        tap.eq(last["us"][0], last["go"][0], "%s: the same answer" % name)
        tap.say("%-24s us %6.2f s %9d bytes %2d connections; go %6.2f s %9d bytes %2d connections" % (
            name, statistics.median(times["us"]), last["us"][3], last["us"][2],
            statistics.median(times["go"]), last["go"][3], last["go"][2]))
        tap.ok(size <= MAX_BYTES, "%s: bytes, ours:go's %.2f (at most %.1f)" % (name, size, MAX_BYTES))
        tap.ok(seconds <= MAX_SECONDS, "%s: seconds, ours:go's %.2f (at most %.1f)" % (name, seconds, MAX_SECONDS))
    return test


if not has_direct():
    skip_all("this program has no direct mode")
path = build() + "/big"
world = World()
os.symlink(path, "%s/repos/%s/big" % (world.names.dir, EXTRA_HOST))
oracle = Oracle(world)
with open(path + "/packed-refs") as f:
    between = [line.split()[0] for line in f if line.endswith("refs/heads/master\n")][0]
earlier = subprocess.run(["git", "-C", path, "-c", "safe.directory=*", "rev-parse", "v1.501.0~1"], capture_output=True,
                         text=True).stdout.strip()
rows = {"a list": "@list", "a tagged version": "v1.500.0", "the last commit": between[:12],
        "a commit between tags": earlier[:12]}
tap.run({"test_" + n.replace(" ", "_"): row(n, q) for n, q in rows.items()})
