#!/usr/bin/env python3
"""kill -9 of workers at random moments of downloads, from two pools on one store.

KILLS says how many (60). SEED repeats a run's choices (not the machine's timing). Afterwards each
object in the store is the fixture's byte for byte, nothing is locked, nothing half is left.
"""
import sys
sys.dont_write_bytecode = True
import fcntl
import os
import random
import signal
import threading
import time
import zlib
from harness import (Fixture, Pool, alive, files_below, place, settings, store_faults, tap,
                     temp_files, wait_until)

KILLS = int(os.environ.get("KILLS", "60"))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
fixture = Fixture()
FILES = ([("/example.com/big/@v/v1.1.%d.zip" % n) for n in range(40)] +
         [("/example.com/bigdeflate/@v/v1.1.%d.zip" % n) for n in range(20)] +
         [("/example.com/small%d/@v/v1.0.0.%s" % (n, kind)) for n in range(60)
          for kind in ("info", "mod", "zip")])
RIGHT, RIGHT_LOCK = {}, threading.Lock()


def right(path):
    """(length, CRC) of an object."""
    with RIGHT_LOCK:
        if path not in RIGHT:
            data = fixture.ref(path)
            RIGHT[path] = (len(data), zlib.crc32(data))
        return RIGHT[path]


class Clients:
    """Ask for random objects until told to stop; note what is wrong, not what is cut."""

    def __init__(self, pools, choice):
        self.pools, self.choice, self.stop = pools, choice, threading.Event()
        self.wrong, self.answers, self.cuts = [], 0, 0
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(6)]

    def run(self, number):
        chance = random.Random(SEED * 100 + number)
        while not self.stop.is_set():
            path = self.choice(chance)
            a = chance.choice(self.pools).get(path, keep=False)
            self.answers += 1
            if a.status == 200 and not a.cut:
                if (a.length, a.crc) != right(path):
                    self.wrong.append(str(a))
            elif a.ended and a.status not in (502, 504):
                self.wrong.append(str(a))
            elif not a.ended:
                self.cuts += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def held_locks(store):
    """Lock files and partial files that somebody still holds."""
    held = []
    for name in files_below(store):
        if name.endswith((".lock", ".part")):
            try:
                with open(os.path.join(store, name)) as f:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                pass
            except OSError:
                held.append(name)
    return held


def forget_whole_versions(store, chance):
    """Remove half of the store's versions, as an administrator may, so that there is something to
    download; a version's lock file stays, since somebody may hold it."""
    base = store + "/download"
    for name in files_below(base):
        if name.endswith(".lock") and chance.random() < 0.5:
            for kind in ("zip", "ziphash", "mod", "info"):
                try:
                    os.remove(os.path.join(base, name[:-len("lock")] + kind))
                except FileNotFoundError:
                    pass


def test_kill():
    tap.say("KILLS=%d SEED=%d" % (KILLS, SEED))
    up, store, chance = fixture.mount(), place.new("store"), random.Random(SEED)
    up.set(".*big.*", rate=6000000)
    env = settings(up, store, server_answer_timeout_s=20)
    pools = [Pool(env), Pool(env)]
    kills, mid = 0, 0
    with Clients(pools, lambda c: c.choice(FILES)) as clients:
        while kills < KILLS:
            if kills % 20 == 0:
                forget_whole_versions(store, chance)
            time.sleep(chance.uniform(0.002, 0.06))      # the random moment
            pool = chance.choice(pools)
            workers = [p for p in pool.workers() if alive(p)]
            if not workers:
                continue
            # Often all workers of a pool: nobody is left to clean up.
            for pid in workers if chance.random() < 0.3 else [chance.choice(workers)]:
                mid += up.open() > 0
                try:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:
                    pass
    tap.eq(clients.wrong[:3], [],
           "%d kills, %d of them in mid-download: no wrong answer among %d (%d cut)" %
           (kills, mid, clients.answers, clients.cuts))
    tap.ok(mid > KILLS // 10, "the kills hit downloads", "%d of %d" % (mid, kills))
    for pool in pools:
        pool.wait_workers()
    up.set(".*")
    bad = []
    for n, path in enumerate(FILES):
        a = pools[n % 2].get(path, keep=False)
        if (a.status, a.length, a.crc, a.ended) != (200, *right(path), True):
            bad.append(str(a))
    tap.eq(bad[:3], [], "the next request for each object is right")
    try:
        wait_until(lambda: not held_locks(store), "locks to be free", 5)
        tap.ok(True, "nothing is locked")
    except TimeoutError:
        tap.eq(held_locks(store), [], "nothing is locked")
    tap.eq(store_faults(store, fixture), [],
           "each object in the store is the fixture's, with its .ziphash")
    tap.eq([f for f in files_below(store + "/download")
            if os.path.getsize(store + "/download/" + f) == 0
            and not f.endswith(".lock")], [], "no empty file")
    wait_until(lambda: not [f for f in temp_files(store) if f in held_locks(store)],
               "writers to end")
    left = temp_files(store)
    tap.ok(len(left) <= 2 * kills, "what crashes left lies in tmp alone", left[:5])
    for pool in pools:
        tap.eq(pool.stop(), 0, "the pool ends with 0")
    # A pool that starts later sweeps what is old.
    for name in left:
        try:
            os.utime(store + "/tmp/" + name, (time.time() - 30 * 86400,) * 2)
        except FileNotFoundError:
            pass
    pool = Pool(env)
    try:
        wait_until(lambda: not temp_files(store), "tmp to be swept", 10)
    except TimeoutError:
        pass
    tap.eq(temp_files(store), [], "and is swept once it is old")
    pool.stop()


def test_follower_takes_over():
    """The process that downloads dies; who follows from another one goes on by itself."""
    up, store = fixture.mount(), place.new("store")
    path = "/example.com/big/@v/v1.2.0.zip"
    up.set(".*", rate=2000000)
    env = settings(up, store, server_processes=1)
    one, two = Pool(env), Pool(env)
    first = one.start([path], keep=False)
    wait_until(lambda: up.log() and up.log()[0]["sent"] > 300000, "the download to be under way")
    second = two.start([path] * 3, keep=False)
    wait_until(lambda: all(c.length > 0 for c in second.calls) or up.count() > 1,
               "the followers to follow", 5)
    tap.eq(up.count(), 1, "followers of another pool: one fetch")
    os.kill(one.workers()[0], signal.SIGKILL)
    tap.ok(first.wait()[0].cut, "its own client sees the cut")
    calls = second.wait()
    whole = [c for c in calls if (c.status, c.length, c.crc, c.ended) == (200, *right(path), True)]
    tap.eq(len(whole), 3, "a follower takes over and all get it whole",
           str(calls[0]) + calls[0].error)
    wait_until(lambda: os.path.exists(store + "/download" + path), "the zip to be stored")
    tap.eq(store_faults(store, fixture), [], "and it is stored")
    tap.eq(up.count(), 2, "by a second fetch")
    one.stop()
    two.stop()


tap.run(globals())
