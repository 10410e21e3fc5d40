#!/usr/bin/env python3
"""bench - how fast is it, held against peers and limits measured in the same run?

    tests/bench/bench.py [ROW...]

Rows, all of them without any: rates responder cold herd hang gomod memory scale. By name only, as
they have runs of their own: kill sumdb verify.

    SERVERS="nginx lighttpd apache-proxy"  for the row rates
    SERVER=nginx|lighttpd|apache-proxy  for the row herd (nginx)
    JOBS=N       processes that share the row herd's clients (one for each core, four at most)
    ATHENS, GOPROXY_PEER, GOPROXYIO  programs of other proxies, for the rows rates and cold
    KILLS=N      for the row kill (1000)
    MODCACHE=DIR for the row verify: a GOMODCACHE with real modules (else made-up ones)
    EXAMPLES=DIR another httpd-examples, to try settings of the web server
    TMPDIR=DIR   where stores lie; the row cold also has one in memory
    BENCH_QUICK=1  each thing once and small: whether the program runs, not how fast

Everything runs on this machine's loopback. The absolute figures say little on a machine that does
other work meanwhile; so ours and the peer's alternate, and each line is a ratio to what was measured
beside it. README.md here says what the rows mean. The table goes to standard output and
build/bench.txt, its picture to build/bench.svg, every single figure to build/bench.json. The exit
status is 1 if a line says NOT.
"""
import os
import resource
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "t"))
import cold  # noqa: E402
import crowd  # noqa: E402
import gocmd  # noqa: E402
import hits  # noqa: E402
import own  # noqa: E402
import picture  # noqa: E402
import scale  # noqa: E402
from clients import BUILD, attempt  # noqa: E402
from table import note, replace, table  # noqa: E402

ROWS = {"rates": hits.row_rates, "responder": hits.row_responder, "cold": cold.row_cold, "herd": crowd.row_herd,
        "hang": crowd.row_hang, "gomod": gocmd.row_gomod, "memory": crowd.row_memory, "scale": scale.row_scale}
BY_NAME = {"kill": own.row_kill, "sumdb": own.row_sumdb, "verify": own.row_verify}


def compile_helper(name, *libraries):
    """For who runs this file by itself; `make bench` has built them."""
    source, target = "%s/%s.c" % (HERE, name), "%s/bench/%s" % (BUILD, name)
    if os.path.exists(target) and os.path.getmtime(target) >= os.path.getmtime(source):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    subprocess.run([os.environ.get("CC", "gcc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o", target, source, *libraries],
                   check=True)


def run(name, row):
    began, table.group = time.monotonic(), name
    attempt(row)
    note("%s: %.0f s" % (name, time.monotonic() - began))


def main():
    rows = {**ROWS, **BY_NAME}
    wanted = sys.argv[1:] or list(ROWS)
    unknown = [name for name in wanted if name not in rows]
    if unknown:
        sys.exit("no such row: %s; there are: %s" % (" ".join(unknown), " ".join(rows)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in ("load", "fill"):
        compile_helper(name)
    compile_helper("hello", "-lfcgi")
    for name in wanted:
        run(name, rows[name])
    table.write(BUILD)
    replace(BUILD + "/bench.svg", picture.draw(table.lines))
    note("build/bench.txt and .svg: %d lines, %d of them NOT" % (len(table.lines), table.bad()))
    sys.exit(1 if table.bad() else 0)


if __name__ == "__main__":
    main()
