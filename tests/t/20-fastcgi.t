#!/usr/bin/env python3
"""The responder as a pool, on descriptor 0 and under socket activation; no web server."""
import sys
sys.dont_write_bytecode = True
import os
import re
import shutil
import signal
import socket
import statistics
import threading
import time
import zlib
from harness import (Call, Fixture, Pool, alive, begin_bytes, files_below, hash_zip, memory_kb,
                     pair, place, record,
                     request_bytes, request_env, run_calls, settings, slurp, store_faults, tap,
                     temp_files,
                     wait_until, FCGI_BEGIN, FCGI_END, FCGI_PARAMS, FCGI_STDIN, PROGRAM, SLOW)

fixture = Fixture()
INFO, MOD, ZIP = ("/example.com/hello/@v/v1.0.0." + kind for kind in ("info", "mod", "zip"))


def fresh(**more):
    """A new upstream, store and pool of two processes."""
    options = {k: more.pop(k) for k in ("tcp", "bare", "activate", "ready") if k in more}
    up, store = more.pop("up", None) or fixture.mount(), place.new("store")
    return up, store, Pool(settings(up, store, **more), **options)


def faults(store):
    """What is wrong in a store once all background writing is done."""
    try:
        wait_until(lambda: not temp_files(store), "tmp to be empty", 3)
    except TimeoutError:
        return temp_files(store)
    return store_faults(store, fixture)


def check_whole(a, path, what):
    right = fixture.ref(path)
    tap.eq((a.status, a.length, a.crc, a.ended), (200, len(right), zlib.crc32(right), True), what,
           a.error or a.path)


def test_ways_to_run():
    for what, options in (("serve on a unix socket", {}), ("serve on TCP", {"tcp": True}),
                          ("socket activation", {"activate": True}),
                          ("descriptor 0", {"bare": True})):
        up, store, pool = fresh(**options)
        for path in (INFO, MOD, ZIP):
            for turn in ("miss", "hit"):
                check_whole(pool.get(path), path,
                            "%s: .%s (%s)" % (what, path[-4:].strip("."), turn))
        a = pool.get(MOD, "HEAD")
        tap.eq((a.status, a.length, a.ended), (200, 0, True), what + ": HEAD", a)
        a = pool.get("/example.com/none/@v/v1.0.0.info")
        tap.eq((a.status, a.text),
               (404, "not found: module example.com/none: no such repository\n"), what + ": 404", a)
        tap.eq((a.ended, a.error), (True, ""), what + ": 404 ends well")
        if not options.get("bare"):
            tap.eq(len(set(pool.workers())), 2, what + ": two workers")
            tap.ok(all(alive(p) for p in pool.workers()), what + ": both alive")
        workers = pool.workers()
        code = pool.stop()
        tap.eq(code, 0, what + ": ends with 0 on SIGTERM", pool.log())
        tap.eq([p for p in workers if alive(p)], [], what + ": no worker is left")
        tap.ok(not re.search(r"Sanitizer|runtime error", pool.log()),
               what + ": no sanitizer report", pool.log())
        if not options:
            tap.ok(not os.path.exists(pool.address), what + ": its socket is gone")


def test_single_flight():
    """100 clients of two processes want one cold zip of 3 MB that comes in over 1.2 s."""
    path = "/example.com/big/@v/v1.3.0.zip"
    right = fixture.ref(path)
    # Nothing leaves before the database has spoken; what the fixture computes for that isn't the point.
    fixture.control("record", name="sum.fixture.test", module="example.com/big", version="v1.3.0")
    up, store, pool = fresh()
    up.set(".*", rate=2500000)
    run = pool.start([path] * 100, keep=False)
    # Later ones, while it comes in, join and get what is there at once.
    wait_until(lambda: up.log() and up.log()[0]["sent"] > len(right) // 2, "half of the zip")
    late = pool.start([path] * 10, keep=False)
    calls, late = run.wait(), late.wait()
    bad = [c for c in calls + late if (c.status, c.length, c.crc,
                                       c.ended) != (200, len(right), zlib.crc32(right), True)]
    tap.eq(len(bad), 0, "single flight: 110 whole answers", bad[0] if bad else "")
    tap.eq(up.count(), 1, "single flight: one fetch", up.log())
    firsts = sorted(c.first_s for c in calls)
    tap.ok(statistics.median(firsts) < 0.5 * SLOW,
           "single flight: followers stream: first byte early",
           "median %.2f s, last %.2f s" % (statistics.median(firsts), firsts[-1]))
    lates = statistics.median(c.first_s for c in late)
    tap.ok(lates < 0.3 * SLOW, "single flight: who comes late gets what is there at once",
           "median %.2f s" % lates)
    spread = max(c.t_end for c in calls) - min(c.t_end for c in calls)
    tap.ok(spread < 1.0 * SLOW, "single flight: all end together", "%.2f s apart" % spread)
    tap.eq(faults(store), [], "single flight: the store is right")
    pool.stop()


def test_bad_zip_is_cut():
    up, store, pool = fresh()
    big = "/example.com/big/@v/v1.2.0.zip"
    size = len(fixture.ref(big))
    for what, rule in (("a bit flipped in the middle", {"flip": size // 2}),
                       ("a bit flipped in the directory", {"flip": -60}),
                       ("connection cut", {"cut": "body", "after": size - 1000}),
                       ("cut without length", {"cut": "body", "after": size - 1000, "nolength": 1}),
                       ("ends early, length agrees", {"truncate": size - 500})):
        up.set(".*", rate=6000000, **rule)
        calls = run_calls([pool.call(big, keep=False) for _ in range(6)])
        bad = [c for c in calls
               if not (c.status == 502 or (c.status == 200 and c.cut and c.length < size))]
        tap.eq(len(bad), 0, "bad zip (%s): all clients see a cut or 502" % what,
               bad[0] if bad else "")
        tap.ok(all(not c.ended for c in calls if c.status == 200),
               "bad zip (%s): no FCGI_END_REQUEST" % what)
        tap.eq(faults(store)
               + [f for f in files_below(store + "/download")
                  if not f.endswith(".lock") and not f.startswith("sumdb/")], [],
               "bad zip (%s): nothing is stored" % what)
    up.set(".*")
    check_whole(pool.get(big, keep=False), big, "bad zip: then a good one")
    # What a rule about names forbids shows at the end at the latest.
    for kind in ("dotdot", "case", "bomb", "crc"):
        a = pool.get("/example.com/bad/%s/@v/v1.0.0.zip" % kind)
        tap.ok(a.status == 502 or (a.status == 200 and a.cut), "bad zip (%s): cut or 502" % kind, a)
    pool.stop()


def test_second_try_in_mid_stream():
    """Clients already have the first bytes when an upstream breaks: never a mix of two answers."""
    big = "/example.com/big/@v/v1.2.0.zip"
    data = fixture.ref(big)
    size, right = len(data), zlib.crc32(data)
    cases = [
        ("cut, then good", [{"cut": "body", "after": size * 2 // 3}], {}),
        ("cut twice, then good",
         [{"cut": "body", "after": size // 3}, {"cut": "body", "after": size // 2}], {}),
        # Bytes that went out before the cut turn out to have been wrong.
        ("wrong byte and cut, then good", [{"flip": 100000, "cut": "body", "after": size * 2 // 3}],
         {}),
        # A flipped bit in the first file's time: other bytes, but a good zip as well.
        ("cut, then another good one", [{"cut": "body", "after": size * 2 // 3}, {"flip": 10}], {}),
        ("wrong byte, whole, then good", [{"flip": 100000}], {}),
        ("without length, cut, then good", [{"nolength": 1, "cut": "body", "after": size // 2}],
         {}),
    ]
    for what, rules, more in cases:
        up, store, pool = fresh(upstream_retries=2, **more)
        for rule in reversed(rules):    # the newest counts first
            up.set(".*", times=1, rate=5000000, **rule)
        calls = run_calls([pool.call(big) for _ in range(4)])
        whole = [c for c in calls if c.status == 200 and not c.cut]
        path = store + "/download" + big
        tap.eq([f for f in faults(store) if "differ" not in f], [],
               "second try (%s): the store is well" % what)
        stored = slurp(path) if os.path.exists(path) else None
        wrong = [c for c in whole if c.body not in (data, stored)]
        tap.eq(len(wrong), 0, "second try (%s): no whole answer is wrong" % what,
               "%d of %d" % (len(wrong), len(whole)))
        tap.ok(all(c.status in (200, 502) for c in calls), "second try (%s): 200 or 502" % what,
               calls[0])
        tap.ok(stored is None or hash_zip(stored) == hash_zip(data),
               "second try (%s): what is stored is good" % what)
        if stored is not None:
            tap.ok(all(c.body == stored for c in whole),
                   "second try (%s): and the same for all" % what)
        tap.say("%s: %d whole of 4, %d fetches" % (what, len(whole), up.count()))
        up.set(".*")
        a = pool.get(big)
        tap.ok(a.status == 200 and a.ended and a.body == (stored or data),
               "second try (%s): then right" % what, a.error)
        pool.stop()


def test_next_upstream_in_mid_stream():
    """The chain goes on to an upstream whose zip is as good, but of other bytes."""
    big = "/example.com/big/@v/v1.2.0.zip"
    data = fixture.ref(big)
    other = data[:10] + bytes([data[10] ^ 1]) + data[11:]
    for what, rule in (("cut", {"cut": "body", "after": len(data) // 2}),
                       ("bad", {"flip": 70000}), ("bad at its end", {"flip": -60})):
        one, two, store = fixture.mount(), fixture.mount(), place.new("store")
        one.set(".*", rate=8000000, **rule)
        two.set(".*", flip=10)
        pool = Pool(settings(one.url + "|" + two.url, store))
        calls = run_calls([pool.call(big) for _ in range(4)])
        mixed = [c for c in calls if c.status == 200 and not c.cut and c.body not in (data, other)]
        tap.eq(len(mixed), 0, "next upstream (first is %s): no mix of two answers" % what)
        tap.ok(all(c.status in (200, 502) for c in calls),
               "next upstream (first is %s): 200 or 502" % what, calls[0].status)
        again = []

        def is_right():
            again.append(pool.get(big))
            return again[-1].ended and again[-1].body in (data, other)
        try:
            wait_until(is_right, "a right answer", 4)
        except TimeoutError:
            pass
        tap.ok(is_right(), "next upstream (first is %s): a later answer is whole" % what,
               "%d, %d bytes, log: %s" % (again[-1].status, again[-1].length, pool.log()[-700:]))
        pool.stop()


def test_unknown_length():
    up, store, pool = fresh()
    big = "/example.com/big/@v/v1.1.0.zip"
    up.set(".*", nolength=1, rate=4000000)
    right = fixture.ref(big)
    calls = run_calls([pool.call(big, keep=False) for _ in range(5)])
    bad = [c for c in calls if (c.status, c.length, c.crc,
                                c.ended) != (200, len(right), zlib.crc32(right), True)]
    tap.eq(len(bad), 0, "a zip of unknown length: whole", bad[0] if bad else "")
    tap.eq({c.header("Content-Length") for c in calls}, {str(len(right))},
           "a zip of unknown length: we say its length")
    tap.eq(up.count(), 1, "a zip of unknown length: one fetch")
    for path in (INFO, MOD, ZIP):
        check_whole(pool.get(path), path, "unknown length: " + path)
    pool.stop()


def test_parts_of_what_comes_in():
    """HEAD, ranges and conditions on a zip that is under way."""
    up, store, pool = fresh()
    big = "/example.com/big/@v/v1.2.0.zip"
    right = fixture.ref(big)
    up.set(".*", rate=3000000)
    calls = run_calls([pool.call(big), pool.call(big, "HEAD"),
                       pool.call(big, headers={"Range": "bytes=10-19"}),
                       pool.call(big, headers={"Range": "bytes=-10"}),
                       pool.call(big, headers={"Range": "bytes=1000000-"}),
                       pool.call(big, headers={"If-None-Match": "*"}),
                       pool.call(big, headers={"Range": "bytes=99999999-"})])
    tap.ok(calls[0].body == right and calls[0].ended, "under way: whole", calls[0].error)
    tap.eq((calls[1].status, calls[1].length), (200, 0), "under way: HEAD", calls[1])
    tap.eq(calls[1].header("Content-Length"), str(len(right)), "under way: HEAD has the length",
           calls[1])
    for c, part in ((calls[2], right[10:20]), (calls[3], right[-10:]), (calls[4], right[1000000:])):
        tap.ok((c.status == 206 and c.body == part) or (c.status == 200 and c.body == right),
               "under way: range", c)
        tap.ok(c.ended, "under way: range ends well")
    tap.ok(calls[5].status in (200, 304), "under way: If-None-Match: *", calls[5])
    tap.ok(calls[6].status == 416 or (calls[6].status == 200 and calls[6].body == right),
           "under way: range beyond the end", calls[6])
    tap.eq(up.count(), 1, "under way: one fetch")
    pool.stop()


def test_kept_connection():
    """FCGI_KEEP_CONN (nginx: fastcgi_keep_conn on): then a second answer or a close."""
    up, store, pool = fresh(server_processes=1, server_threads=2, server_request_timeout_s=1)
    pool.get(MOD)
    open_ = []
    for _ in range(6):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10 * SLOW)
        s.connect(pool.address)
        raw = request_bytes(request_env(MOD))
        s.sendall(raw[:10] + b"\x01" + raw[11:])
        data, end = b"", record(FCGI_END, b"\0" * 8)
        while end not in data:
            more = s.recv(65536)
            if not more:
                break
            data += more
        tap.ok(end in data and fixture.ref(MOD) in data, "kept connection: answered", data[-100:])
        open_.append(s)
    a = pool.get(MOD)
    tap.ok(a.status == 200 and a.took_s < 1 * SLOW,
           "kept connections: six idle ones don't block two threads", "%.2f s" % a.took_s)
    second = None
    try:
        open_[0].sendall(raw)
        second = open_[0].recv(65536)
    except OSError:
        second = b""
    tap.ok(second == b"" or fixture.ref(MOD) in second,
           "kept connection: a second request or a close", second)
    for s in open_:
        s.close()
    pool.stop()


def test_fetch_outlives_its_client():
    path = "/example.com/big/@v/v1.1.0.zip"
    up, store, pool = fresh()
    up.set(".*", rate=2000000)
    a = pool.get(path, leave_at=1000, keep=False)
    tap.eq(a.error, "left", "a client leaves after the first bytes", a)
    wait_until(lambda: os.path.exists(store + "/download" + path), "the zip to be stored")
    tap.eq(faults(store), [], "the fetch outlives its client")
    check_whole(pool.get(path), path, "the next one gets it")
    tap.eq(up.count(), 1, "without a second fetch")
    # One leaves before anything came.
    other = "/example.com/hello/@v/v1.1.0.zip"
    up.set(".*", delay_ms=400)
    s = socket.socket(socket.AF_UNIX)
    s.connect(pool.address)
    s.sendall(request_bytes(request_env(other)))
    wait_until(lambda: up.count("/example.com/hello/.*") == 1, "the request to reach the upstream")
    s.close()
    wait_until(lambda: os.path.exists(store + "/download" + other), "the second zip to be stored")
    tap.ok(True, "a fetch whose client left before the first byte is stored too")
    pool.stop()


def test_hits_beside_hanging_misses():
    own = Fixture()
    up, store, pool = fresh(server_answer_timeout_s=4, up=own.mount())
    paths = [INFO, MOD, ZIP]
    for path in paths:
        pool.get(path)
    up.set("/example.com/small.*", hang="headers")
    run = pool.start(["/example.com/small%d/@v/v1.0.0.%s" % (i, ("info", "mod", "zip")[i % 3])
                      for i in range(300)])
    wait_until(lambda: up.open("/example.com/small.*") >= 100, "100 hanging fetches", 10)
    times, wrong = [], []
    for i in range(60):
        a = pool.get(paths[i % 3])
        times.append(a.took_s)
        if a.status != 200 or not a.ended:
            wrong.append(str(a))
    tap.eq(wrong, [], "300 hanging misses: hits are answered")
    tap.ok(statistics.median(times) < 0.02 * SLOW, "300 hanging misses: hits aren't delayed",
           "median %.1f ms, worst %.1f ms" % (statistics.median(times) * 1e3, max(times) * 1e3))
    calls = run.wait()
    odd = [c for c in calls if c.status != 504 or not c.ended]
    tap.eq(len(odd), 0, "300 hanging misses: each ends in 504", odd[0] if odd else "")
    late = [c.took_s for c in calls if not 3.5 < c.took_s < 4 + 2.5 * SLOW]
    tap.eq(late, [], "300 hanging misses: after answer_timeout_s")
    tap.like(calls[0].text, r"127\.0\.0\.1:%d" % own.port,
             "300 hanging misses: 504 names the upstream")
    own.fetch("/_/clear")
    pool.stop()
    own.stop()


def test_retry_after_504_finds_it():
    up, store, pool = fresh(server_answer_timeout_s=1)
    up.set(".*", delay_ms=1600)
    first = pool.get(ZIP)
    tap.eq(first.status, 504, "an upstream slower than our patience: 504", first)
    second = pool.get(ZIP)
    tap.eq(second.status, 200, "the retry joins the fetch that went on", second)
    tap.eq(up.count(), 1, "one fetch in all", up.log())
    pool.stop()


def test_reload_and_stop_lose_nothing():
    up, store, pool = fresh()
    path = "/example.com/big/@v/v1.2.0.zip"
    up.set("/example.com/big/.*", rate=1500000)
    up.set("/example.com/small.*", delay_ms=300)
    before = pool.workers()
    stop, answers = threading.Event(), []

    def steady(number):
        n = 0
        while not stop.is_set():
            n += 1
            answers.append(pool.get(INFO if n % 4 else "/example.com/small%d/@v/v1.0.0.mod"
                                    % (number * 100000 + n)))
    threads = [threading.Thread(target=steady, args=(n,), daemon=True) for n in range(4)]
    for thread in threads:
        thread.start()
    run = pool.start([path] * 4, keep=False)
    wait_until(lambda: up.count("/example.com/big/.*") == 1, "the download to begin")
    pool.process.send_signal(signal.SIGHUP)
    after = pool.wait_workers(but=before)
    tap.ok(not set(before) & set(after), "reload: new workers", (before, after))
    wait_until(lambda: len(answers) > 50, "requests after the reload")
    pool.process.send_signal(signal.SIGHUP)
    pool.wait_workers(but=before + after)
    for c in run.wait():
        check_whole(c, path, "reload: a download under way ends whole")
    wait_until(lambda: not any(alive(p) for p in before), "the old workers to end")
    stop.set()
    for thread in threads:
        thread.join()
    lost = [a for a in answers if a.status != 200 or not a.ended]
    tap.eq(len(lost), 0, "reload: no request of %d lost" % len(answers), lost[0] if lost else "")
    # A graceful stop lets what runs come to its end.
    up.set("/example.com/big/.*", rate=3000000)
    run = pool.start(["/example.com/big/@v/v1.1.0.zip"] * 3
                     + ["/example.com/small7/@v/v1.1.0.mod"] * 3, keep=False)
    wait_until(lambda: up.open() == 2, "downloads to begin")
    pool.process.terminate()
    calls = run.wait()
    for c in calls[:3]:
        check_whole(c, "/example.com/big/@v/v1.1.0.zip", "stop: a download under way ends whole")
    tap.eq([c.status for c in calls[3:]], [200] * 3, "stop: who waits is answered", calls[3])
    code = wait_until(lambda: pool.process.poll() is not None and [pool.process.returncode],
                      "the pool's end", 15)[0]
    tap.eq(code, 0, "stop: exit status 0", pool.log())


def test_reload_reads_the_settings():
    up, store = fixture.mount(), place.new("store")
    ini = place.file("[upstream]\nchain = off\n[cache]\ndir = %s\nnegative_ttl_s = 0\n" % store,
                     "pool.ini")
    pool = Pool({"GOPROXY_CONFIG": ini})
    tap.eq(pool.get(MOD).status, 404, "reload: the chain is off")
    sumdb = "[sumdb]\ngosumdb = %s\n" % up.sumdb()

    def rewrite(text):
        with open(ini, "w") as f:
            f.write(text)
        pool.process.send_signal(signal.SIGHUP)
    before = pool.workers()
    rewrite("[upstream]\nchain = %s\n[cache]\ndir = %s\n%s" % (up.url, store, sumdb))
    now = pool.wait_workers(but=before)
    check_whole(pool.get(MOD), MOD, "reload: the new chain counts")
    length = len(pool.log())
    rewrite("[upstream]\nchains = nonsense\n")
    wait_until(lambda: "chains" in pool.log()[length:], "the mistake to be logged")
    tap.ok(True, "reload with a mistake: it is logged")
    tap.eq([pool.get(INFO).status for _ in range(6)], [200] * 6,
           "reload with a mistake: the old settings go on", pool.log())
    tap.eq([p for p in pool.workers() if not alive(p)], [], "reload with a mistake: workers stay")
    victim = pool.workers()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in pool.workers() and len(pool.workers()) == 2 and
               all(alive(p) for p in pool.workers()), "a new worker")
    tap.eq([pool.get(INFO).status for _ in range(6)], [200] * 6,
           "and a worker that is replaced then works, too", pool.log())
    rewrite("[upstream]\nchain = %s\n[cache]\ndir = %s\n%s" % (up.url, store, sumdb))
    pool.wait_workers(but=now)
    tap.eq(pool.get(ZIP).status, 200, "a right file is taken again")
    pool.stop()


def test_stop_has_a_limit():
    up, store, pool = fresh(server_stop_timeout_s=1)
    up.set(".*", hang="headers")
    run = pool.start([MOD])
    wait_until(lambda: up.open() == 1, "the request to hang")
    begin = time.monotonic()
    pool.process.terminate()
    wait_until(lambda: pool.process.poll() is not None, "the pool's end", 10)
    took = time.monotonic() - begin
    tap.ok(took < 4 * SLOW, "stop_timeout_s: the pool ends although a request hangs",
           "%.1f s" % took)
    run.wait()


def test_dead_worker_is_replaced():
    up, store, pool = fresh()
    pool.get(MOD)
    for turn in range(2):
        before = pool.workers()
        os.kill(before[0], signal.SIGKILL)
        after = wait_until(lambda: (lambda w: w if len(w) == 2 and before[0] not in w
                                    and before[1] in w else None)(pool.workers()),
                           "a new worker (%s)" % pool.log())
        tap.ok(before[1] in after, "a dead worker is replaced, the other stays")
        answers = [pool.get(MOD) for _ in range(10)]
        tap.eq([a.status for a in answers], [200] * 10, "and requests go on")
    # The master dies: no orphan stays behind with the socket.
    workers = pool.workers()
    pool.process.kill()
    pool.process.wait()
    try:
        wait_until(lambda: not any(alive(p) for p in workers), "the workers' end", 5)
        tap.ok(True, "kill -9 of the master: its workers end")
    except TimeoutError:
        tap.ok(False, "kill -9 of the master: its workers end")
        for p in workers:
            os.kill(p, signal.SIGKILL)


def test_bad_clients():
    """Half-sent requests and idle connections hold up nobody and are ended."""
    up, store, pool = fresh(server_request_timeout_s=1, server_threads=2, server_processes=1)
    pool.get(MOD)
    params = b"".join(pair(k, v) for k, v in request_env(MOD).items())
    beginnings = {
        "idle": b"",
        "half a header": b"\x01\x01\x00",
        "begin alone": begin_bytes(),
        "half the parameters": begin_bytes() + record(FCGI_PARAMS, params)[:-20],
        "parameters without end": begin_bytes() + record(FCGI_PARAMS, params),
    }
    open_ = []
    for data in beginnings.values():
        for _ in range(8):
            s = socket.socket(socket.AF_UNIX)
            s.connect(pool.address)
            s.sendall(data)
            open_.append(s)
    times = []
    for _ in range(10):
        a = pool.get(MOD)
        times.append(a.took_s)
        if a.status != 200:
            tap.ok(False, "beside half-sent requests", a)
    tap.ok(statistics.median(times) < 0.2 * SLOW and max(times) < 1.8 * SLOW,
           "half-sent requests hold up nobody",
           "median %.3f s, worst %.3f s" % (statistics.median(times), max(times)))

    def ended(s):
        s.setblocking(False)
        try:
            while True:
                if s.recv(65536) == b"":
                    return True
        except BlockingIOError:
            return False
        except OSError:
            return True
    closed = {}
    for n, (name, data) in enumerate(beginnings.items()):
        mine = open_[n * 8:n * 8 + 8]
        try:
            wait_until(lambda: all(ended(s) for s in mine), "the end of: " + name, 6)
            closed[name] = True
        except TimeoutError:
            closed[name] = False
    tap.eq(closed, {name: True for name in beginnings}, "request_timeout_s ends them")
    senseless = [
        ("another version of FastCGI", b"\x09" + begin_bytes()[1:]),
        ("noise", bytes(range(256)) * 40),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a huge parameter",
         begin_bytes() + record(FCGI_PARAMS,
                                b"\x04\xff\xff\xff\xffNAME") + record(FCGI_PARAMS)
                                + record(FCGI_STDIN)),
        ("2 MB of parameters", request_bytes({**request_env(MOD), "HTTP_X": "x" * 2000000})),
        ("no method", request_bytes({k: v for k,
                                     v in request_env(MOD).items() if k != "REQUEST_METHOD"})),
        ("no parameters", begin_bytes() + record(FCGI_PARAMS) + record(FCGI_STDIN)),
        ("role authorizer", record(FCGI_BEGIN,
                                   b"\0\x02\0\0\0\0\0\0") + record(FCGI_PARAMS, params)
                                   + record(FCGI_PARAMS) + record(FCGI_STDIN)),
    ]
    for what, raw in senseless:
        a = run_calls([Call(pool.address, what, raw=raw)], 10)[0]
        tap.ok(a.status != 200 or what == "role authorizer",
               "senseless request (%s): no 200" % what, a)
        tap.ok("no end" not in a.error, "senseless request (%s): ended" % what, a.error)
    tap.eq(pool.get(MOD).status, 200, "after all of them the pool answers")
    tap.eq(pool.workers() and alive(pool.workers()[0]), True, "by the same worker", pool.log())
    # Bodies of POST are read over or cut, never waited for.
    a = run_calls([Call(pool.address, "POST", raw=request_bytes(request_env(MOD, "POST"))[:-8]
                        + record(FCGI_STDIN, b"x" * 60000) + record(FCGI_STDIN))], 10)[0]
    tap.eq(a.status, 405, "POST with a body: 405", a)
    pool.stop()


def test_slow_readers():
    """Readers that stop taking their zip hold up neither small answers nor each other."""
    path = "/example.com/big/@v/v1.3.0.zip"
    up, store, pool = fresh(server_threads=2, server_processes=1)
    pool.get(path, keep=False)
    run = pool.start([path] * 40, keep=False, stall_at=100000)
    wait_until(lambda: all(c.stalled for c in run.calls), "all readers to stop", 15)
    times = [pool.get(MOD).took_s for _ in range(20)]
    tap.ok(statistics.median(times) < 0.05 * SLOW, "slow readers: small answers aren't delayed",
           "%.3f s" % statistics.median(times))
    a = pool.get(path, keep=False)
    check_whole(a, path, "slow readers: another big one is served meanwhile")
    tap.ok(a.took_s < 2 * SLOW, "slow readers: at once", "%.2f s" % a.took_s)
    run.resume()
    calls = run.wait()
    right = fixture.ref(path)
    tap.eq([c for c in calls if (c.crc, c.ended) != (zlib.crc32(right), True)], [],
           "slow readers: all get it whole at last")
    pool.stop()
    up, store, pool = fresh(server_send_timeout_s=1, server_processes=1)
    pool.get(path, keep=False)
    run = pool.start([path], keep=False, stall_at=100000)
    wait_until(lambda: run.calls[0].stalled, "the reader to stop")

    def connections():
        folder = "/proc/%d/fd" % pool.workers()[0]
        return sum(1 for n in os.listdir(folder)
                   if os.path.basename(readlink(folder + "/" + n)).startswith("socket:"))
    many = connections()
    try:
        wait_until(lambda: connections() < many, "the connection to be closed", 6)
        given_up = True
    except TimeoutError:
        given_up = False
    tap.ok(given_up, "send_timeout_s: a reader that takes nothing is given up")
    run.resume()
    tap.ok(run.wait()[0].cut, "send_timeout_s: and sees the cut", run.calls[0].error)
    pool.stop()


def readlink(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def test_memory_is_flat():
    path = "/example.com/bigdeflate/@v/v1.100.0.zip"
    up, store, pool = fresh(server_processes=1)
    for kind in (INFO, MOD, ZIP):
        pool.get(kind)
    pid = pool.workers()[0]
    before, peak = memory_kb(pid), 0
    run = pool.start([path] * 4, keep=False, timeout_s=120)
    while run.is_alive():
        peak = max(peak, memory_kb(pid))
        run.join(0.02)
    sizes = [c.length for c in run.wait()]
    size = int(fixture.opener.open(fixture.url + "/u/_ref" + path).headers["Content-Length"])
    tap.eq([(c.status, c.ended, c.length) for c in run.calls], [(200, True, size)] * 4,
           "a zip of 100 MB, four clients", run.calls[0].error)
    if "san" in os.path.basename(os.path.dirname(PROGRAM)):
        tap.skip("memory", "a sanitizer's memory isn't ours")
    else:
        tap.ok(peak - before < 8192, "a worker's memory stays flat",
               "before %d KB, peak %d KB" % (before, peak))
    files = os.listdir("/proc/%d/fd" % pid)
    tap.ok(len(files) < 60, "and so do its descriptors", len(files))
    tap.eq(len(set(sizes)), 1, "all the same")
    pool.stop()
    shutil.rmtree(store)


def test_descriptors():
    """Bursts leave no descriptors behind, but for connections to the upstream."""
    up, store, pool = fresh(server_processes=1, upstream_connections_max=16)
    pid = pool.workers()[0]
    pool.many([MOD] * 20)

    folder = "/proc/%d/fd/" % pid

    def descriptors():
        return len(os.listdir(folder))
    before = descriptors()
    for turn in range(3):
        calls = pool.many(["/example.com/small%d/@v/v1.0.0.%s"
                           % (turn * 100 + i, ("info", "mod", "zip")[i % 3]) for i in range(100)])
        tap.eq({(c.status, c.ended) for c in calls}, {(200, True)}, "100 misses at once",
               [str(c) for c in calls if c.status != 200][:2])
    pool.many(["/example.com/none%d/@v/list" % i for i in range(50)])
    pool.many(["/example.com/hello/@v/../x"] * 50)
    try:
        wait_until(lambda: descriptors() <= before + 16 + 4, "connections to end", 5)
        tap.ok(True, "no descriptors pile up")
    except TimeoutError:
        tap.ok(False, "no descriptors pile up",
               "%d, then %s" % (before, sorted(readlink(folder + n) for n in os.listdir(folder))))
    pool.many([MOD] * 500)
    tap.eq(faults(store), [], "the store is right")
    pool.stop()


def test_mutable_single_flight():
    up, store, pool = fresh(cache_list_ttl_s=60)
    up.set(".*", delay_ms=500)
    for path in ("/example.com/hello/@v/list", "/example.com/hello/@latest",
                 "/example.com/hello/@v/master.info",
                 "/example.com/none/@v/list"):
        calls = pool.many([path] * 40)
        tap.eq({c.status for c in calls}, {404 if "none" in path else 200}, path + ": 40 at once",
               calls[0])
        tap.eq(up.count(path), 1, path + ": asked for once")
    pool.stop()


def test_stale_while_refresh():
    """DESIGN.md: an old list is refreshed by one process while the others go on."""
    path = "/example.com/hello/@v/list"
    up, store, pool = fresh(cache_list_ttl_s=1)
    first = pool.get(path)
    # The answer leaves before its file is on the disk.
    file = wait_until(lambda: files_below(store + "/mutable") if not temp_files(store) else None,
                      "the list to be kept in mutable/")
    for name in file:
        os.utime(store + "/mutable/" + name, (time.time() - 100, time.time() - 100))
    up.set(".*", delay_ms=700)
    calls = pool.many([path] * 20)
    tap.eq({(c.status, c.body) for c in calls}, {(200, first.body)}, "an old list is served",
           calls[0])
    tap.eq(up.count(path), 2, "it is refreshed once", up.log())
    quick = sum(c.took_s < 0.5 for c in calls)
    tap.ok(quick >= 19 or SLOW > 1, "the others don't wait", "%d of 20 were quick" % quick)
    pool.stop()


def age(store, path, age_s):
    """Make a list as old as that, once it is kept."""
    name = store + "/mutable" + path
    wait_until(lambda: os.path.exists(name) and not temp_files(store), path + " to be kept")
    # time(2), by which its age is told, lags behind this clock by some ms.
    then = int(time.time() - 0.02) - age_s
    os.utime(name, (then, then))


def test_renewed_before_it_expires():
    """Nobody waits for a popular list: in its last quarter it is renewed behind the answer."""
    path = "/example.com/hello/@v/list"
    up, store, pool = fresh(cache_list_ttl_s=60)
    first = pool.get(path)
    age(store, path, 40)
    tap.eq((pool.get(path).body, up.count(path)), (first.body, 1), "a fresh list isn't asked for again")
    age(store, path, 50)
    up.set(".*", delay_ms=500)
    calls = pool.many([path] * 20)
    tap.eq({(c.status, c.body) for c in calls}, {(200, first.body)}, "one about to expire is served", calls[0])
    slowest = max(c.took_s for c in calls)
    tap.ok(slowest < 0.4 or SLOW > 1, "and nobody waits", "%.2f s" % slowest)
    wait_until(lambda: up.count(path) == 2 and not temp_files(store), "the renewal")
    wait_until(lambda: os.stat(store + "/mutable" + path).st_mtime > time.time() - 10, "the new list")
    tap.like(pool.get(path).header("Cache-Control"), r"max-age=(60|5\d)$", "it is fresh again")
    tap.eq(up.count(path), 2, "asked for once")
    pool.stop()


def test_renewal_fails():
    path = "/example.com/hello/@v/list"
    gone = "/example.com/multi/@v/list"  # a list of its own: the other's renewals go on for a while
    up, store, pool = fresh(cache_list_ttl_s=60)
    first = pool.get(path)
    pool.get(gone)
    age(store, path, 50)
    age(store, gone, 50)
    up.set(".*", status=500)
    tap.eq((pool.get(path).status, pool.get(path).body), (200, first.body), "a renewal that fails harms nobody")
    wait_until(lambda: up.count(path) > 1, "the renewal")
    up.set(".*", status=404)
    wait_until(lambda: pool.get(gone).status == 404, "a renewal's 404 to count")
    pool.stop()


def test_published_lists():
    """What is asked for often lies where the web server looks, in the present slot only."""
    up, store, pool = fresh(cache_list_ttl_s=60)
    paths = ["/example.com/hello/@v/list", "/example.com/!upper/@latest"]
    others = [INFO, "/example.com/hello/@v/master.info", "/example.com/multi/@v/list", "/example.com/none/@v/list"]
    for path in paths + others:
        pool.get(path)
    for path in paths:
        age(store, path, 0)
    # Two processes: one of them is asked twice.
    while not 0.1 < time.time() % 10 < 8:  # time(2) lags by some ms
        time.sleep(0.05)
    slot = int(time.time() // 10)
    for path in paths + others[:2]:
        for _ in range(4):
            pool.get(path)
    found = wait_until(lambda: len(f := files_below(store + "/fresh")) >= 2 and f, "published lists")
    tap.eq(sorted(found), sorted("%d%s" % (slot, p) for p in paths), "lists asked for often are published, nothing else")
    tap.eq({open("%s/fresh/%s" % (store, f)).read() for f in found}, {pool.get(p).text for p in paths},
           "with their bytes")
    old = "%s/fresh/%d/example.com/old/@v" % (store, slot - 3)
    os.makedirs(old)
    open(old + "/list", "w").close()
    wait_until(lambda: not os.path.exists("%s/fresh/%d" % (store, slot - 3)), "old slots to be taken away", 15)
    tap.ok(True, "what is over is taken away")
    pool.stop()


def test_cache_status():
    """RFC 9211: each answer tells how it came."""
    up, store, pool = fresh(cache_list_ttl_s=60)
    list_path, absent = "/example.com/hello/@v/list", "/example.com/none/@v/list"

    def status(path, pattern, what, **more):
        a = pool.get(path, **more)
        return tap.like(a.header("Cache-Status"), "^goproxy\\.fcgi%s$" % pattern, "Cache-Status: " + what, a)

    other_list = "/example.com/multi/@v/list"
    pool.get(other_list)
    status(MOD, "; fwd=uri-miss", "a miss")
    wait_until(lambda: not temp_files(store) and os.path.exists(store + "/download" + MOD), "the file")
    status(MOD, "; hit", "a hit")
    status(list_path, r"; fwd=uri-miss; ttl=(60|59)", "a list that wasn't there")
    age(store, list_path, 20)
    status(list_path, r"; hit; ttl=(40|39)", "a fresh list")
    status(absent, "; fwd=uri-miss; ttl=\\d+", "a 404")
    wait_until(lambda: "hit" in pool.get(absent).header("Cache-Status"), "the absence to be kept")
    status(absent, r"; hit; ttl=(60|5\d)", "a remembered 404")
    age(store, list_path, 70)
    status(list_path, r"; fwd=stale; ttl=(60|59)", "an old list, asked for again")
    age(store, other_list, 70)
    up.set(".*", status=500)
    status(other_list, r"; fwd=stale; ttl=-1\d", "an old list, since the upstream is broken")
    status("/example.com/hello/@v/v1.9.0.mod", "; fwd=uri-miss", "a failure")
    status("/example.com/Hello/@v/v1.9.0.mod", "", "a refusal of ours")
    up.set(".*", status=0, delay_ms=300)
    calls = pool.many(["/example.com/multi/@v/v1.0.0.mod"] * 6)
    tap.ok(any(c.header("Cache-Status") == "goproxy.fcgi; fwd=uri-miss; collapsed" for c in calls),
           "Cache-Status: a shared fetch", [c.header("Cache-Status") for c in calls])
    pool.stop()


def test_one_connection_to_an_upstream():
    """HTTP/2: whatever is asked at once shares one connection."""
    secure = Fixture(True)
    up, store = secure.mount(), place.new("store")
    pool = Pool(settings(up, store, server_processes=1, upstream_ca_file=secure.cert, sumdb_gosumdb="off"))
    calls = pool.many(["/example.com/small%d/@v/v1.0.0.%s" % (n, k) for n in range(20) for k in ("info", "mod", "zip")])
    tap.eq({c.status for c in calls}, {200}, "HTTP/2: 60 at once", calls[0])
    log = up.log()
    tap.eq((len(log), {e["proto"] for e in log}), (60, {"HTTP/2.0"}), "HTTP/2: all of them")
    tap.eq(len({e["remote"] for e in log}), 1, "HTTP/2: over one connection")
    pool.stop()
    secure.stop()


def test_tls_sessions_are_kept():
    """With HTTP/1.1: libcurl 7.88 offers no session that a connection with HTTP/2 has left."""
    secure = Fixture(True, "--http1", "--idle", "100ms")
    up, store = secure.mount(), place.new("store")
    pool = Pool(settings(up, store, server_processes=1, upstream_ca_file=secure.cert, sumdb_gosumdb="off"))
    for n in range(3):
        check_whole(pool.get(MOD.replace("hello", "small%d" % n)), MOD.replace("hello", "small%d" % n), "https")
        time.sleep(0.4)
    log = up.log()
    tap.eq(len({e["remote"] for e in log}), 3, "each request has a connection: the one before was closed for idling")
    tap.eq([e["resumed"] for e in log], [False, True, True], "a new connection goes on with the TLS session")
    pool.stop()
    secure.stop()


def test_read_ahead():
    """[upstream] read_ahead: what will be wanted is there before it is asked for."""
    def kept(store, path):
        return os.path.exists(store + "/download" + path)

    for setting, kinds in (("off", ["info"]), ("mod", ["info", "mod"]), ("zip", ["info", "mod", "zip"])):
        up, store, pool = fresh(upstream_read_ahead=setting)
        check_whole(pool.get(INFO), INFO, "read_ahead=%s: .info" % setting)
        base = INFO[:-4]
        wait_until(lambda: all(kept(store, base + k) for k in kinds) and not temp_files(store), "what is read ahead")
        time.sleep(0.2)
        tap.eq([k for k in ("info", "mod", "zip") if up.count(base + k)], kinds, "read_ahead=%s: asked for" % setting)
        for kind in ("mod", "zip"):
            check_whole(pool.get(base + kind), base + kind, "read_ahead=%s: .%s" % (setting, kind))
        tap.eq([up.count(base + k) for k in ("info", "mod", "zip")], [1, 1, 1], "read_ahead=%s: each was fetched once" % setting)
        tap.eq(faults(store), [], "read_ahead=%s: the store is right" % setting)
        pool.stop()


def test_read_ahead_has_a_budget():
    big = "/example.com/big/@v/v1.2.0."
    up, store, pool = fresh(upstream_read_ahead="zip", upstream_read_ahead_mb=1)
    pool.get(big + "info")
    wait_until(lambda: up.count(big + "zip"), "the zip to be looked at")
    wait_until(lambda: not up.open(big + "zip") and not temp_files(store), "it to be left")
    tap.ok(not os.path.exists(store + "/download" + big + "zip"), "a zip beyond the budget isn't read ahead")
    tap.ok("upstream failed" not in pool.log(), "which is no failure", pool.log()[-500:])
    check_whole(pool.get(big + "zip"), big + "zip", "it is fetched when it is asked for")
    # Asked for while it is looked at: then it is wanted.
    big = "/example.com/big/@v/v1.3.0."
    up.set(big + "zip", delay_ms=500)
    pool.get(big + "info")
    wait_until(lambda: up.open(big + "zip"), "the zip to be looked at")
    check_whole(pool.get(big + "zip"), big + "zip", "a zip that is wanted meanwhile is fetched")
    pool.stop()


def test_web_server_sends():
    """[server] sendfile: larger files are left to the web server, by name."""
    big = "/example.com/big/@v/v1.1.0.zip"
    for way, header in (("x-accel:/_store", "X-Accel-Redirect"), ("x-sendfile", "X-Sendfile")):
        up, store, pool = fresh(server_sendfile=way)
        place_of = {"X-Sendfile": store}.get(header, "/_store") + "/download"
        a = pool.get(big)
        check_whole(a, big, way + ": a miss is sent by us")
        wait_until(lambda: os.path.exists(store + "/download" + big), "the zip")
        a = pool.get(big)
        tap.eq((a.status, a.header(header), a.length, a.ended), (200, place_of + big, 0, True), way + ": a hit isn't", a)
        tap.like(a.header("Cache-Control"), "immutable", way + ": it is immutable")
        a = pool.get(big, headers={"Range": "bytes=10-19"})
        tap.eq((a.status, a.length, a.header(header)), (206, 10, ""), way + ": a range is")
        pool.get(MOD)
        check_whole(pool.get(MOD), MOD, way + ": what is small is")
        pool.stop()


tap.run(globals(), jobs=3)
