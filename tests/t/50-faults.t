#!/usr/bin/env python3
"""Disks that are full, read-only or gone; upstreams that are slow, cut off or senseless."""
import sys
sys.dont_write_bytecode = True
import io
import os
import re
import shutil
import subprocess
import threading
import time
import zipfile
import zlib
from harness import (FCGI_STDIN, Call, Fixture, Pool, cgi, files_below, place, public_program, record, request_bytes,
                     request_env, run_calls, settings, slurp, store_faults, tap, temp_files, unprivileged, wait_until,
                     PROGRAM, SLOW)

fixture = Fixture()
INFO, MOD, ZIP = ("/example.com/hello/@v/v1.0.0." + kind for kind in ("info", "mod", "zip"))
BIG = "/example.com/big/@v/v1.3.0.zip"


def check_whole(a, path, what):
    right = fixture.ref(path)
    tap.eq((a.status, a.length, a.crc, a.ended), (200, len(right), zlib.crc32(right), True), what,
           "%s %s %s" % (a.path, a.error, a.stderr[:500]))


def can(command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=10).returncode == 0
    except OSError:
        return False


def namespace():
    """The front of a command that may mount for itself alone; None if we may not."""
    for front in (["unshare", "-m"], ["unshare", "-r", "-m"]):
        if can([*front, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place.path]):
            return front
    return None


NAMESPACE = namespace()


def on_small_disk(size_kb, mount_at, read_only=False):
    """A command's front: a tmpfs of its own at mount_at, which others see below /proc/PID/root."""
    script = ('mount -t tmpfs -o size=%dk,mode=755 tmpfs "$1" || exit 99; ' % size_kb +
              ('mount -o remount,ro "$1" || exit 99; ' if read_only else "") + 'shift; exec "$@"')
    return [*NAMESPACE, "sh", "-c", script, "sh", mount_at]


def warnings(log, pattern):
    return [line for line in log.splitlines() if re.search(pattern, line)
            and re.search(r" (warn|error) ", line)]


def all_kinds(pool, what):
    """Misses of every kind pass through, right and whole, alone and many at once."""
    for path in (INFO, MOD, ZIP, BIG, "/example.com/hello/@latest",
                 "/example.com/hello/@v/master.info",
                 "/example.com/bigdeflate/@v/v1.2.0.zip", "/sumdb/sum.fixture.test/tile/8/0/000"):
        check_whole(pool.get(path), path, "%s: %s passes through" % (what, path))
    a = pool.get("/example.com/hello/@v/list")
    tap.eq((a.status, a.text), (200, "v1.0.0\nv1.1.0\nv1.2.0-pre\n"),
           what + ": list passes through", a)
    a = pool.get("/example.com/none/@v/list")
    tap.eq(a.status, 404, what + ": 404 passes through", a)
    paths = ["/example.com/small%d/@v/v1.0.0.%s" % (n % 10, ("info", "mod", "zip")[n % 3])
             for n in range(60)]
    bad = [c for c, path in zip(pool.many(paths),
                                paths) if (c.status, c.body,
                                           c.ended) != (200, fixture.ref(path), True)]
    tap.eq(len(bad), 0, what + ": 60 at once pass through", bad[0] if bad else "")
    bad = [c for c in pool.many([BIG] * 10, keep=False)
           if (c.status, c.crc, c.ended) != (200, zlib.crc32(fixture.ref(BIG)), True)]
    tap.eq(len(bad), 0, what + ": ten big ones at once", bad[0] if bad else "")


def pool_on(mount, up, what, front, program=None, **more):
    env = settings(up, mount, sumdb_gosumdb=up.sumdb(),
                   **more)
    return Pool(env, wrap=front, program=program)


def test_full_disk():
    if NAMESPACE is None:
        tap.skip("full disk", "may not mount a small file system here")
        return
    up, mount = fixture.mount(), place.dir("mount")
    pool = pool_on(mount, up, "full", on_small_disk(512, mount))
    inside = "/proc/%d/root%s" % (pool.workers()[0], mount)
    # What fits is stored; then the disk is filled to the last byte.
    check_whole(pool.get(MOD), MOD, "full disk: before")
    wait_until(lambda: os.path.exists(inside + "/download" + MOD), "the mod to be stored")
    with open(inside + "/ballast", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"b" * 4096)
        except OSError:
            pass
    all_kinds(pool, "full disk")
    log = pool.log()
    loud = warnings(log, r"(?i)no space|disk|store|write")
    tap.ok(loud, "full disk: said in the log", log[-1500:])
    wait_until(lambda: not [f for f in files_below(inside + "/tmp")], "tmp to be empty", 5)
    tap.eq([f for f in files_below(inside) if os.path.getsize(inside + "/" + f) == 0
            and not f.endswith("lock")], [],
           "full disk: no empty file")
    tap.eq(store_faults(inside, fixture), [], "full disk: nothing half in the store")
    os.remove(inside + "/ballast")
    before = up.count(INFO)
    check_whole(pool.get(INFO), INFO, "the disk has room again: right answer")
    wait_until(lambda: os.path.exists(inside + "/download" + INFO), "the info to be stored again",
               10)
    check_whole(pool.get(INFO), INFO, "the disk has room again: stored")
    tap.ok(up.count(INFO) <= before + 1, "the disk has room again: a hit")
    check_whole(pool.get(MOD), MOD, "what was stored before is still right")
    pool.stop()


def upload(pool, version, data):
    path = "/corp.example/m/@v/%s.zip" % version
    raw = request_bytes({**request_env(path, "PUT"), "CONTENT_LENGTH": str(len(data))})[:-8]
    raw += b"".join(record(FCGI_STDIN, data[at:at + 60000]) for at in range(0, len(data), 60000)) + record(FCGI_STDIN)
    return run_calls([Call(pool.address, path, raw=raw)])[0]


def test_upload_to_a_full_disk():
    """Taken and listed, or refused with the reason and nothing of it left, whatever the last page was for."""
    if NAMESPACE is None:
        tap.skip("upload to a full disk", "may not mount a small file system here")
        return
    mount = place.dir("mount")
    pool = pool_on(mount, fixture.mount(), "uploads", on_small_disk(1024, mount), private_modules="corp.example",
                   private_read="corp.example = anonymous", private_write="corp.example = anonymous")
    inside = "/proc/%d/root%s" % (pool.workers()[0], mount)
    taken, refused = [], 0
    for pages in range(22):
        version = "v1.%d.0" % pages
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("corp.example/m@%s/go.mod" % version, "module corp.example/m\n")
            z.writestr("corp.example/m@%s/data" % version, os.urandom(26000))
        with open(inside + "/ballast", "wb", buffering=0) as f:
            disk = os.statvfs(inside)
            f.write(b"b" * max(0, disk.f_bavail - pages) * disk.f_bsize)
        a = upload(pool, version, out.getvalue())
        os.remove(inside + "/ballast")
        listed = pool.get("/corp.example/m/@v/list")
        if a.status == 201:
            taken.append(version)
        elif a.status == 500 and re.search("No space|cannot", a.text):
            refused += 1
            # What has the zip is taken, though not whole; else all is as before.
            if os.path.exists("%s/private/download/corp.example/m/@v/%s.zip" % (inside, version)):
                a = upload(pool, version, out.getvalue())
                tap.eq(a.status, 200, "%d pages free: the same again mends it" % pages, a)
                taken.append(version)
                listed = pool.get("/corp.example/m/@v/list")
        else:
            tap.ok(False, "%d pages free: taken, or told why" % pages, a)
        if taken:
            tap.eq((listed.status, listed.text), (200, "".join(v + "\n" for v in taken)), "%d pages free: what is taken is listed" % pages)
        else:
            tap.ok(not os.path.exists(inside + "/private/download/corp.example/m/@v/uploaded"), "%d pages free: it lives elsewhere" % pages)
    tap.ok(taken and refused > 3, "some fitted, some didn't", (taken, refused))
    wait_until(lambda: not files_below(inside + "/tmp"), "tmp to be empty", 5)
    pool.stop()


def test_disk_fills_in_mid_download():
    if NAMESPACE is None:
        tap.skip("disk fills in mid-download", "may not mount a small file system here")
        return
    up, mount = fixture.mount(), place.dir("mount")
    pool = pool_on(mount, up, "fills", on_small_disk(1536, mount))
    inside = "/proc/%d/root%s" % (pool.workers()[0], mount)
    for turn in range(2):
        calls = pool.many([BIG] * 5, keep=False)
        bad = [c for c in calls if not (c.crc == zlib.crc32(fixture.ref(BIG)) and c.ended)]
        tap.eq(len(bad), 0, "a zip larger than the disk: all get it whole (%d)" % turn,
               bad[0] if bad else "")
    check_whole(pool.get(MOD), MOD, "a zip larger than the disk: small ones are stored")
    wait_until(lambda: os.path.exists(inside + "/download" + MOD), "the mod to be stored", 10)
    wait_until(lambda: not files_below(inside + "/tmp"), "tmp to be empty", 5)
    tap.eq(store_faults(inside, fixture), [],
           "a zip larger than the disk: nothing half in the store")
    pool.stop()


def test_read_only():
    """A store that was filled, then made read-only: hits are hits, misses pass through."""
    if NAMESPACE is None:
        tap.skip("read-only file system", "may not mount here")
        return
    up, store, mount = fixture.mount(), place.new("store"), place.dir("mount")
    cgi(settings(up, store), MOD)
    front = [*NAMESPACE, "sh", "-c",
             'mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" || exit 99; '
             'shift 2; exec "$@"',
             "sh", store, mount]
    before = files_below(store)
    pool = pool_on(mount, up, "read-only", front)
    check_whole(pool.get(MOD), MOD, "read-only: a hit")
    tap.eq(up.count(MOD), 1, "read-only: a hit asks nobody")
    all_kinds(pool, "read-only")
    tap.eq(files_below(store), before, "read-only: nothing is written")
    loud = warnings(pool.log(), r"(?i)read-only")
    tap.ok(1 <= len(loud) <= 4, "read-only: said once per process, not each time",
           "%d lines: %s" % (len(loud), loud[:5]))
    pool.stop()


def test_unwritable_directory():
    up, store = fixture.mount(), place.new("store")
    cgi(settings(up, store), MOD)
    for folder, _, names in os.walk(store):
        os.chmod(folder, 0o555)
    pool = pool_on(store, up, "unwritable", unprivileged(), public_program())
    check_whole(pool.get(MOD), MOD, "unwritable: a hit")
    tap.eq(up.count(MOD), 1, "unwritable: a hit asks nobody")
    all_kinds(pool, "unwritable")
    loud = warnings(pool.log(), r"(?i)permission denied")
    tap.ok(1 <= len(loud) <= 4, "unwritable: said once per process, not each time",
           "%d lines: %s" % (len(loud), loud[:5]))
    pool.stop()


def test_no_directory_at_all():
    for what, make in (("a file in its place", lambda: place.file("x")),
                       ("below a file", lambda: place.file("x") + "/store"),
                       ("may not be made", lambda: "/proc/nothing/store")):
        up = fixture.mount()
        store = make()
        a = cgi(settings(up, store), MOD)
        tap.eq((a.status, a.body), (200, fixture.ref(MOD)),
               "no store (%s): CGI passes through" % what, a)
        a = cgi(settings(up, store), ZIP)
        tap.eq((a.status, a.body), (200, fixture.ref(ZIP)), "no store (%s): a zip too" % what, a)
        tap.ok(a.stderr.strip(), "no store (%s): said in the log" % what)
        pool = pool_on(store, up, what, [])
        check_whole(pool.get(BIG, keep=False), BIG, "no store (%s): a pool, too" % what)
        pool.stop()


def test_store_vanishes():
    up, store = fixture.mount(), place.new("store")
    pool = pool_on(store, up, "vanishes", [])
    check_whole(pool.get(MOD), MOD, "store: before")
    wait_until(lambda: os.path.exists(store + "/download" + MOD), "the mod to be stored")

    def is_gone():
        # A worker may still be putting something in place.
        shutil.rmtree(store, ignore_errors=True)
        return not os.path.exists(store)
    wait_until(is_gone, "the store to go")
    check_whole(pool.get(MOD), MOD, "store removed under a running pool: right answer")
    check_whole(pool.get(ZIP), ZIP, "store removed: a zip")
    pool.stop()


def test_slow_disk():
    """What waits for the disk behind its answers is bounded: fetching becomes as slow as it is."""
    if b"__asan_init" in slurp(PROGRAM):
        tap.skip("a slow disk", "the sanitizer stands no preloaded library")
        return
    source, shim = place.file("""
        #include <unistd.h>
        #include <sys/syscall.h>
        int fsync(int fd) { usleep(10000); return (int)syscall(SYS_fsync, fd); }
        """, "shim.c"), place.new("shim.so")
    subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-x", "c", "-o", shim, source], check=True)
    up, store = fixture.mount(), place.new("store")
    pool = Pool(settings(up, store, server_processes=1, sumdb_gosumdb="off"), wrap=("env", "LD_PRELOAD=" + shim))
    worker = pool.workers()[0]
    most = [0]
    over = threading.Event()

    def watch():
        while not over.wait(0.01):
            most[0] = max(most[0], len(os.listdir("/proc/%d/fd" % worker)))
    watcher = threading.Thread(target=watch)
    watcher.start()
    paths = ["/example.com/small%d/@v/v1.0.0.mod" % n for n in range(1200)]
    answers = [a for i in range(0, len(paths), 100) for a in pool.many(paths[i:i + 100])]
    over.set()
    watcher.join()
    tap.eq({a.status for a in answers}, {200}, "a slow disk: all are answered")
    tap.ok(200 < most[0] < 700, "a slow disk: at most 256 objects wait for it", "%d descriptors" % most[0])
    wait_until(lambda: len([f for f in files_below(store + "/download") if f.endswith(".mod")]) == len(paths), "all to be kept", 60)
    tap.ok(True, "a slow disk: all are kept in the end")
    pool.stop()


def test_damaged_store():
    """Links, directories and unreadable files where objects should be."""
    up, store = fixture.mount(), place.new("store")
    env = settings(up, store)
    cgi(env, MOD)
    base = store + "/download/example.com/hello/@v/"
    secret = place.file("secret\n", "secret")
    os.symlink(secret, base + "v1.1.0.mod")
    os.mkdir(base + "v1.2.0-pre.mod")
    os.mkfifo(base + "v1.0.0.info")
    for name, what in (("v1.1.0.mod", "a link out of the store"), ("v1.2.0-pre.mod", "a directory"),
                       ("v1.0.0.info", "a fifo")):
        a = cgi(env, "/example.com/hello/@v/" + name, timeout_s=10)
        tap.eq((a.status, a.body), (200, fixture.ref("/example.com/hello/@v/" + name)),
               "damaged store: %s where an object should be: right answer" % what, a)
    link = store + "/download/example.com/!upper"
    os.makedirs(store + "/download/example.com", exist_ok=True)
    outside = place.dir("outside")
    os.symlink(outside, link)
    a = cgi(env, "/example.com/!upper/@v/v1.0.0.mod")
    tap.eq((a.status, a.body), (200, fixture.ref("/example.com/!upper/@v/v1.0.0.mod")),
           "damaged store: a linked directory", a)
    tap.eq(files_below(outside), [], "damaged store: nothing is written through it")
    tap.eq(slurp(secret), b"secret\n", "damaged store: nor through the link")


def test_foreign_leftovers():
    """What crashes of others left in tmp is swept once it is old, and never served."""
    up, store = fixture.mount(), place.new("store")
    cgi(settings(up, store), MOD)
    old, young = store + "/tmp/0123456789abcdef.part", store + "/tmp/fedcba9876543210.part"
    for path in (old, young):
        with open(path, "wb") as f:
            f.write(b"half")
    os.utime(old, (time.time() - 7 * 86400, time.time() - 7 * 86400))
    pool = pool_on(store, up, "leftovers", [])
    wait_until(lambda: not os.path.exists(old), "the old leftover to be swept", 10)
    tap.ok(True, "leftovers: a week old one is swept")
    tap.ok(os.path.exists(young), "leftovers: a young one is left alone")
    pool.stop()


def test_locks_of_others():
    """cmd/go holds VERSION.lock while it writes: we wait for it, but not for ever."""
    import fcntl
    up, store = fixture.mount(), place.new("store")
    env = settings(up, store, server_answer_timeout_s=2)
    cgi(env, MOD)
    lock = store + "/download/example.com/hello/@v/v1.0.0.lock"
    holder = open(lock, "a")
    fcntl.flock(holder, fcntl.LOCK_EX)
    begin = time.monotonic()
    a = cgi(env, MOD)
    tap.eq(a.status, 200, "a held lock doesn't stop a hit", a)
    a = cgi(env, ZIP, timeout_s=20)
    took = time.monotonic() - begin
    tap.ok(a.status in (200, 504) and took < 8 * SLOW, "a held lock doesn't stop a miss for ever",
           "%.1f s %s" % (took, a))
    fcntl.flock(holder, fcntl.LOCK_UN)
    holder.close()
    a = cgi(env, ZIP)
    tap.eq((a.status, a.body), (200, fixture.ref(ZIP)), "once it is free the miss is answered", a)
    with open(lock, "a") as again:
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        tap.ok(True, "and no lock stays")


def test_upstreams_through_a_pool():
    """One bad upstream after the other, by the same processes; then a good one."""
    up, store = fixture.mount(), place.new("store")
    pool = pool_on(store, up, "upstreams", [], upstream_silence_timeout_s=1,
                   server_answer_timeout_s=5)
    rules = [
        ("silent", {"hang": "headers"}, (504,)),
        ("silent in mid-body", {"hang": "body"}, (504,)),
        ("cut", {"cut": "headers"}, (502,)),
        ("short", {"cut": "body"}, (502,)),
        ("500", {"status": 500, "text": "oops"}, (502,)),
        ("HTML", {"html": 1}, (502,)),
        ("empty", {"empty": 1}, (502,)),
        ("a loop", {"redirect": up.prefix + "/_loop/x"}, (502,)),
        ("a million letters", {"fill": 1000000}, (502,)),
    ]
    for what, rule, statuses in rules:
        up.set(".*", **rule)
        for path in (INFO, MOD, ZIP, "/example.com/hello/@v/list", "/example.com/hello/@latest"):
            # An empty list is a list, and a go.mod of a million letters may be one.
            if (what, path.rsplit("/", 1)[1]) in (("empty", "list"),
                                                  ("a million letters", "v1.0.0.mod")):
                continue
            a = pool.get(path)
            good = a.status in statuses or (a.status == 200 and a.cut)
            tap.ok(good and (a.ended or a.status == 200),
                   "%s upstream: %s" % (what, path.rsplit("/", 1)[1]), a)
    up.set(".*")
    for path in (INFO, MOD, ZIP, "/example.com/hello/@latest"):
        check_whole(pool.get(path), path, "then a good upstream: " + path)
    wait_until(lambda: not temp_files(store), "tmp to be empty", 5)
    tap.eq(store_faults(store, fixture), [], "the store is right")
    # Trickling bytes are no silence: a slow big zip comes through.
    up.set(".*", rate=1000000)
    a = pool.get("/example.com/big/@v/v1.2.0.zip", keep=False)
    check_whole(a, "/example.com/big/@v/v1.2.0.zip",
                "slow but steady: whole after more than silence_timeout_s")
    tap.ok(a.took_s > 1.5, "slow but steady: it was slow", a.took_s)
    pool.stop()


def test_upstream_dies_and_returns():
    own = Fixture()
    store = place.new("store")
    pool = Pool(settings(own.url, store))
    check_whole(pool.get(MOD), MOD, "upstream: up")
    own.stop()
    a = pool.get(INFO)
    tap.eq(a.status, 502, "upstream gone: 502", a)
    tap.like(a.text, r"127\.0\.0\.1:%d" % own.port, "upstream gone: named")
    check_whole(pool.get(MOD), MOD, "upstream gone: a hit is a hit")
    pool.stop()


tap.run(globals(), jobs=3)
