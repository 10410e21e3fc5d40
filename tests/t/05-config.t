#!/usr/bin/env python3
"""The settings as an administrator meets them: sample-config, check-config."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(os.environ.get("GOPROXY_FCGI", "build/release/goproxy.fcgi"))
SAMPLE = "conf/goproxy.ini"

# Each key, a value that is allowed, how check-config shows it, one that isn't.
KEYS = [
    ("server", "listen", "127.0.0.1:9000", None, "9000"),
    ("server", "listen", "[::1]:9000", None, "::1"),
    ("server", "listen", "unix:/run/goproxy.sock", None, "unix:goproxy.sock"),
    ("server", "processes", "3", None, "0"),
    ("server", "threads", "5", None, "many"),
    ("server", "prefix", "/goproxy", None, "goproxy"),
    ("server", "answer_timeout_s", "31", None, "0"),
    ("server", "request_timeout_s", "11", None, "1.5"),
    ("server", "send_timeout_s", "301", None, "86401"),
    ("server", "stop_timeout_s", "0", None, "-1"),
    ("server", "workers_file", "/run/workers", None, "workers"),
    ("server", "parked_max", "1", None, "0"),
    ("server", "sendfile", "x-sendfile", None, "yes"),
    ("server", "sendfile", "x-accel:/_store", None, "x-accel:_store"),
    ("server", "sendfile", "x-accel:/_store/files", None, "x-accel:/_store/"),
    ("upstream", "read_ahead", "zip", None, "info"),
    ("upstream", "read_ahead_mb", "1", None, "0"),
    ("log", "level", "debug", None, "loud"),
    ("cache", "dir", "/srv/go cache", None, "~/cache"),
    ("cache", "list_ttl_s", "0", None, "1m"),
    ("cache", "negative_ttl_s", "61", None, "0x10"),
    ("upstream", "chain", "proxy.example.com|off", "https://proxy.example.com|off", "ftp://x.example"),
    ("upstream", "connect_timeout_s", "6", None, "0"),
    ("upstream", "silence_timeout_s", "21", None, "0"),
    ("upstream", "total_timeout_s", "901", None, "0"),
    ("upstream", "small_total_timeout_s", "61", None, "0"),
    ("upstream", "retries", "0", None, "11"),
    ("upstream", "redirect_private", "a.example, b.example:8080", "a.example,b.example:8080", "http://a"),
    ("upstream", "netrc", "/dev/null", None, "/nonexistent/netrc"),
    ("upstream", "ca_file", "/dev/null", None, "ca.pem"),
    ("upstream", "connections_max", "1", None, "0"),
    ("direct", "modules", "*.corp.example", None, "a/[b"),
    ("direct", "insecure", "git.corp.example", None, "a/[b"),
    ("direct", "vcs", "git.example/a:git|hg, public:off", None, "public:cvs"),
    ("direct", "private_hosts", "git.corp.example:8443", None, "http://a"),
    ("direct", "rewrite", "git.example/=ssh://git@git.example/", None, "git.example=ssh://git.example/"),
    ("direct", "git", "/bin/sh", None, "git"),
    ("direct", "ssh_key", "/dev/null", None, "/nonexistent/key"),
    ("direct", "ssh_known_hosts", "/dev/null", None, "/nonexistent/hosts"),
    ("direct", "tokens", "/dev/null", None, "/nonexistent/tokens"),
    ("direct", "parallel", "1", None, "0"),
    ("direct", "repository_mb", "1", None, "0"),
    ("direct", "quota_mb", "0", None, "-1"),
    ("direct", "keep_days", "0", None, "3651"),
    ("sumdb", "gosumdb", "sum.golang.org http://b.example/c", None, "a.example http://b.example"),
    ("sumdb", "nosumdb", "*.corp.example,git.example/team", None, "a/[b"),
    ("sumdb", "policy", "*.corp.example=deny", None, "a=forbid"),
    ("sumdb", "unreachable", "pin", None, "wait"),
    ("private", "modules", "corp.example,*.corp.example/x", None, "corp.example/[a"),
    ("private", "read", "corp.example/a = @sec alice, * = *", None, "corp.example = @"),
    ("private", "write", "corp.example/a=alice", "corp.example/a = alice", "alice"),
    ("private", "groups_file", "/dev/null", None, "/nonexistent/groups"),
    ("private", "tokens_file", "/dev/null", None, "tokens"),
    ("private", "client_cert", "cn", None, "yes"),
    ("private", "refuse", "404", None, "401"),
    ("sumdb", "databases", "sum.fixture.test+0b17be98+AbF5ouTwKMXR7SnZ8Cvake3IV1B2vgFEXaWVGmqnJmrA http://b.example/c", None, "a.example+1+key http://b.example"),
]

passed = failed = 0


def ok(good, text, detail=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'not ok'} {passed + failed} - {text}")
    if not good:
        for line in str(detail).splitlines():
            print(f"# {line}")


def run(*args, env=None, program=PROGRAM):
    """Exit status, stdout, stderr, without what the caller's shell has set."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GOPROXY")}
    for name in ("REQUEST_METHOD", "GATEWAY_INTERFACE", "DOCUMENT_ROOT"):
        clean.pop(name, None)
    clean.update(env or {})
    p = subprocess.run([program, *args], env=clean, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def setting(shown, section, key):
    """Value and origin that check-config shows."""
    part = re.search(rf"^\[{section}\]\n((?:.+\n)*)", shown, re.M)
    line = part and re.search(rf"^{key} = ?(.*) ; (.*)$", part.group(1), re.M)
    return line.groups() if line else None


def test_sample():
    status, out, err = run("sample-config")
    ok(status == 0 and err == "", "sample-config ends well", err)
    with open(SAMPLE, encoding="utf-8") as f:
        ok(f.read() == out, f"{SAMPLE} is what sample-config prints",
           "make it anew: goproxy.fcgi sample-config > " + SAMPLE)
    named = set(re.findall(r"^;(\w+) =", out, re.M))
    ok(named == {k for _, k, *_ in KEYS}, "the sample has every key", named)
    status, shown, err = run("check-config", "--config", SAMPLE)
    origins = {m for m in re.findall(r" ; (.*)$", shown, re.M)}
    ok(status == 0 and origins == {"default"}, "the sample as shipped changes nothing", shown + err)


def test_keys(ini):
    none = ("--config", os.devnull)
    for section, key, good, shown, bad in KEYS:
        name = f"GOPROXY_{section}_{key}".upper()
        want = shown or good
        with open(ini, "w", encoding="utf-8") as f:
            f.write(f"[{section}]\n{key} = {good}\n")
        status, out, err = run("check-config", "--config", ini)
        ok(status == 0 and setting(out, section, key) == (want, f"{ini}:2"),
           f"[{section}] {key} = {good}", out + err)
        status, out, err = run("check-config", *none, env={name: good})
        ok(status == 0 and setting(out, section, key) == (want, f"${name}"),
           f"{name}={good}", out + err)

        with open(ini, "w", encoding="utf-8") as f:
            f.write(f"[{section}]\n{key} = {bad}\n")
        status, out, err = run("check-config", "--config", ini)
        ok(status == 1 and out == "" and err.count("\n") == 1
           and err.startswith(f"{ini}:2: [{section}] {key}: '{bad}' is not allowed: "),
           f"[{section}] {key} = {bad} is refused", out + err)
        status, out, err = run("check-config", *none, env={name: bad})
        ok(status == 1 and err.startswith(f"${name}: [{section}] {key}: '{bad}' is not allowed: "),
           f"{name}={bad} is refused", out + err)


def test_names(ini):
    cases = [
        ("[cache]\ndirr = /x\n", ":2: [cache] has no key 'dirr'; did you mean [cache] dir?"),
        ("[cash]\ndir = /x\n", ":1: unknown section [cash]; did you mean [cache]?"),
        ("[server]\nlist_ttl_s = 5\n", ":2: [server] has no key 'list_ttl_s'; did you mean [cache] list_ttl_s?"),
        ("[cache]\ndir = /x\ndir = /y\n", ":3: [cache] dir is set already in line 2"),
        ("[cache]\ndir = /x;y\n", ":2: a value with ';' or '#' in it stands in double quotes"),
        ("\ufeff[cache]\n", ":1: begins with a byte order mark: save it as UTF-8 without one"),
    ]
    for text, want in cases:
        with open(ini, "w", encoding="utf-8") as f:
            f.write(text)
        status, out, err = run("check-config", "--config", ini)
        ok(status == 1 and out == "" and err.startswith(ini + want), repr(text), out + err)
    status, out, err = run("check-config", "--config", os.devnull,
                           env={"GOPROXY_CACHE_DIRR": "/x", "GOPROXY_SERVER_THREAD": "2"})
    ok(status == 1 and "did you mean GOPROXY_CACHE_DIR?" in err
       and "did you mean GOPROXY_SERVER_THREADS?" in err, "unknown variables, both named", err)
    status, out, err = run("check-config", "--config", os.devnull, env={"GOPROXY_OTHER": "x"})
    ok(status == 0, "a variable of somebody else's is let alone", err)


def test_chain(ini):
    none = ("--config", os.devnull)
    status, out, err = run("check-config", *none, env={"GOPROXY": "http://127.0.0.1:1,direct"})
    ok(setting(out, "upstream", "chain") == ("http://127.0.0.1:1,direct", "$GOPROXY"),
       "GOPROXY is the upstream chain", out + err)
    status, out, err = run("check-config", *none,
                           env={"GOPROXY": "file:///x", "GOPROXY_UPSTREAM_CHAIN": "off"})
    ok(setting(out, "upstream", "chain") == ("off", "$GOPROXY_UPSTREAM_CHAIN"),
       "GOPROXY_UPSTREAM_CHAIN is stronger", out + err)
    status, out, err = run("check-config", *none)
    ok(setting(out, "upstream", "chain") ==
       ("https://goproxy.cn,https://goproxy.io,direct", "default"), "the shipped chain", out + err)
    for chain in ("https://user:secret@a.example/x,direct", "https://user:secret@a.example:x",
                  "https://user:se,cret@a.example", "https://a.example?key=secret"):
        status, out, err = run("check-config", *none, env={"GOPROXY": chain})
        ok(out + err and not re.search("secret|https://user|cret@", out + err),
           f"no password shows of {chain}", out + err)


def test_files(tmp, ini):
    beside = os.path.join(tmp, "goproxy.fcgi")
    shutil.copy(PROGRAM, beside)
    for path, ttl in ((ini, 1), (os.path.join(tmp, "named.ini"), 2), (os.path.join(tmp, "opt.ini"), 3)):
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"[cache]\nlist_ttl_s = {ttl}\nnegative_ttl_s = {ttl}\n")
    env = {"GOPROXY_CONFIG": os.path.join(tmp, "named.ini"), "GOPROXY_CACHE_NEGATIVE_TTL_S": "9"}
    opt = os.path.join(tmp, "opt.ini")
    for text, args, variables, want in (
            ("goproxy.ini beside the program is found", (), {}, "1"),
            ("GOPROXY_CONFIG is stronger", (), env, "2"),
            ("--config is strongest", ("--config", opt), env, "3")):
        status, out, err = run("check-config", *args, env=variables, program=beside)
        got = setting(out, "cache", "list_ttl_s")
        ok(status == 0 and got and got[0] == want, text, out + err)
    ok(setting(out, "cache", "negative_ttl_s") == ("9", "$GOPROXY_CACHE_NEGATIVE_TTL_S"),
       "the environment beats the file", out)
    missing = os.path.join(tmp, "missing.ini")
    for text, args, variables in (("--config", ("--config", missing), {}),
                                  ("GOPROXY_CONFIG", (), {"GOPROXY_CONFIG": missing})):
        status, out, err = run("check-config", *args, env=variables)
        ok(status == 1 and missing in err, f"{text} of a file that isn't there is refused", out + err)
    status, out, err = run("check-config", "--config", tmp)
    ok(status == 1 and "not a regular file" in err, "a directory is refused", out + err)


def main():
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f"{PROGRAM}: not there; build it or set GOPROXY_FCGI")
    with tempfile.TemporaryDirectory() as tmp:
        ini = os.path.join(tmp, "goproxy.ini")
        test_sample()
        test_keys(ini)
        test_names(ini)
        test_chain(ini)
        test_files(tmp, ini)
    print(f"1..{passed + failed}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
