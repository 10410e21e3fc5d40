"""clients - who asks: load.c for single requests and times, wrk for rates."""
import re
import subprocess

import harness
from table import median, note, table

ROOT = harness.ROOT
BUILD = ROOT + "/build"
LOAD = BUILD + "/bench/load"
place, children = harness.place, harness.children


class Result:
    """What load.c printed."""

    def __init__(self, text):
        lines = text.split("\n")
        self.requests = [tuple(map(int, line.split())) for line in lines if line and line[0] != "#"]
        self.wall_us, self.user_us, self.system_us = map(int, lines[-2].split()[1:])

    def failed(self, status=200):
        return sum(1 for s, _, _, _, whole in self.requests if s != status or not whole)

    def first_s(self):
        """Of the median client; infinite if it got nothing."""
        times = sorted(f if f >= 0 else float("inf") for _, f, _, _, _ in self.requests)
        return times[len(times) // 2] / 1e6

    def last_s(self):
        return max(e for _, _, e, _, _ in self.requests) / 1e6

    def ends_ms(self):
        return [e / 1000 for _, _, e, _, _ in self.requests]

    def cpu_s(self):
        return (self.user_us + self.system_us) / 1e6


def attempt(run, *arguments):
    """A part of the table that fails is a line of it, and no other part's end."""
    try:
        run(*arguments)
    except Exception as e:
        table.line("to run", good=False)
        note("%s: %s: %s" % (table.group, type(e).__name__, e))
        children.stop_all()


def start_load(port, paths, *options):
    listing = place.file("".join(p + "\n" for p in paths), "paths")
    with open(listing) as stdin:
        return children.add(subprocess.Popen([LOAD, *options, str(port)], stdin=stdin, stdout=subprocess.PIPE))


def end_load(process, timeout_s=120):
    out, _ = process.communicate(timeout=timeout_s)
    children.stop(process)
    if process.returncode != 0:
        raise RuntimeError("load ended with %s" % process.returncode)
    return Result(out.decode())


def load(port, paths, *options):
    return end_load(start_load(port, paths, *options))


def small_paths(first, count):
    """.info, .mod and .zip of the fixture's small modules."""
    return ["/example.com/small%d/@v/v1.0.0.%s" % (n, kind) for n in range(first, first + count)
            for kind in ("info", "mod", "zip")]


MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}
MEGABYTES = {"B": 2.0 ** -20, "KB": 2.0 ** -10, "MB": 1, "GB": 1024}


def wrk(port, path, clients=32, seconds=1):
    """Keeps so many requests open for that long: requests and MB a second, latencies in ms."""
    command = ["wrk", "-t1", "-c%d" % clients, "-d%ds" % seconds, "--latency", "http://127.0.0.1:%d%s" % (port, path)]
    text = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()
    bad = re.search("Non-2xx.*|Socket errors.*", text)
    if bad:
        raise RuntimeError("%s: %s" % (path, bad.group(0)))
    at = {p: float(n) * MILLISECONDS[unit] for p, n, unit in re.findall(r"^ +(50|99)% +([0-9.]+)(us|ms|s|m)\s", text, re.M)}
    size, unit = re.search(r"Transfer/sec: +([0-9.]+)([KMG]?B)", text).groups()
    return dict(rate=float(re.search(r"Requests/sec: +([0-9.]+)", text).group(1)), mb=float(size) * MEGABYTES[unit],
                requests=int(re.search(r"([0-9]+) requests in", text).group(1)), p50=at["50"], p99=at["99"])


def warm(port, path):
    """Often enough within a second, and then again, for whatever keeps what is asked for often."""
    for _ in range(2):
        if load(port, [path] * 30, "-s", "-i", "5").failed():
            raise RuntimeError(path + " fails")


def middle(pairs, key):
    """Two texts' worth of a measured value: "ours:peer"."""
    return "%.3g:%.3g" % tuple(median(side[key] for side in sides) for sides in zip(*pairs))
