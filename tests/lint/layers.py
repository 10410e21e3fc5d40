#!/usr/bin/env python3
"""Check that includes go down: to a lower room, or to the left in their own.

The rooms and the order within each are the list below; a module NAME_PART
belongs to NAME. Prints each arrow that goes up; exit status 1 if there is one.
"""
import glob
import re
import sys

ROOMS = [
    ("base", "err str clock json log file work"),
    ("gomod", "path version note tlog module list info mod modfile goimport modzip"),
    ("state", "chain config accounts audit store fresh pin seal part check publish"),
    ("origin", "address fetch vcs remote repo discovery direct upstream sumdb sumdbs"),
    ("serve", "http route access page loop answer flight recheck upload proxy"),
    ("program", "owner responder wait verify explain doctor publisher server admin"),
]
# Each outside library has one home.
HOMES = {
    "fcgiapp.h": ["serve/http"], "curl/curl.h": ["origin/fetch"], "jansson.h": ["base/json", "gomod/info"],
    "zlib.h": ["gomod/modzip"], "libdeflate.h": ["gomod/modzip"], "archive.h": ["gomod/modzip"],
    "archive_entry.h": ["gomod/modzip"], "iniparser.h": ["state/config"],
    "gumbo.h": ["gomod/goimport"], "utf8proc.h": ["gomod/path", "gomod/note"],
    "openssl/evp.h": ["gomod/note", "gomod/tlog", "gomod/modzip", "state/store", "state/part", "state/seal",
                      "state/accounts", "origin/repo", "origin/direct"],
}
FORK_HOMES = ["origin/vcs", "program/responder", "program/server"]


def place(room, name):
    for i, (r, modules) in enumerate(ROOMS):
        order = modules.split()
        if r == room:
            base = name if name in order else name.split("_")[0]
            return (i, order.index(base)) if base in order else None
    return None


def main():
    faults = []
    for path in sorted(glob.glob("lib/*/*.[ch]")):
        _, room, file = path.split("/")
        name = file[:-2]
        mine = place(room, name)
        if mine is None:
            faults.append(f"{path}: module '{name}' is not in the list of tests/lint/layers.py")
            continue
        text = open(path, encoding="utf-8").read()
        module = f"{room}/{ROOMS[mine[0]][1].split()[mine[1]]}"
        for line, header in re.findall(r'^(#include ["<]([^">]+)[">])', text, re.M):
            if "/" in header and line.startswith('#include "'):
                other = place(*header[:-2].split("/"))
                if other is None or other > mine:
                    faults.append(f"{path}: includes {header}, which is not below it")
            elif header in HOMES and module not in HOMES[header]:
                faults.append(f"{path}: uses {header}, whose home is {' '.join(HOMES[header])}")
        if re.search(r"\b(fork|execv\w*|posix_spawn\w*)\(", text) and module not in FORK_HOMES:
            faults.append(f"{path}: starts a process")
    print("\n".join(faults) if faults else "layers: all includes go down")
    return 1 if faults else 0


sys.exit(main())
