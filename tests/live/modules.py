#!/usr/bin/env python3
"""modules.py - make tests/live/modules.txt anew from real go.sum files.

    tests/live/modules.py <tests/live/modules.txt >new

Reads names and versions, in sections that begin with "# PROJECT VERSION", and writes them with
the sums that the go.sum in that project's own zip gives them. golang.org/toolchain stands in no
go.sum: its section holds what `go mod download -json` says of it. Projects come by the go
command from `go env GOPROXY`.
"""
import json
import re
import subprocess
import sys
import tempfile
import os


def download(module, version, cache):
    """What `go mod download -json` prints, as a dict."""
    env = dict(os.environ, GOMODCACHE=cache, GOFLAGS="-modcacherw", GOTOOLCHAIN="local", GOWORK="off",
               PATH=os.environ.get("PATH", "") + ":/usr/local/go/bin")
    done = subprocess.run(["go", "mod", "download", "-json", module + "@" + version], env=env, cwd=cache,
                          stdout=subprocess.PIPE, text=True, timeout=300)
    answer = json.loads(done.stdout)
    if done.returncode != 0:
        sys.exit("%s %s: %s" % (module, version, answer.get("Error")))
    return answer


def sums_of(module, version, cache):
    """(module, version) -> [h1 of the zip, h1 of go.mod], those that have both."""
    answer = download(module, version, cache)
    if module == "golang.org/toolchain":
        return {(module, version): [answer["Sum"], answer["GoModSum"]]}
    with open(answer["Dir"] + "/go.sum", encoding="utf-8") as f:
        lines = {tuple(line.split()[:2]): line.split()[2] for line in f if line.strip()}
    return {(m, v): [h1, lines[m, v + "/go.mod"]] for (m, v), h1 in lines.items() if (m, v + "/go.mod") in lines}


def main():
    sums = {}
    with tempfile.TemporaryDirectory() as cache:
        for line in sys.stdin.read().splitlines():
            project = re.fullmatch(r"# (\S+) (v\d\S*)", line)
            name = line.split()[:2]
            if project:
                sums = sums_of(*project.groups(), cache)
            elif name and name[0] != "#":
                if tuple(name) not in sums:
                    sys.exit("no sums for " + " ".join(name))
                line = " ".join(name + sums[tuple(name)])
            print(line)


main()
