#!/usr/bin/env python3
"""36-private.t - private modules: those who may have them do, and nobody else, by whatever way.

Modules come from the store, put there beforehand: where they are fetched from is another test's.
"""
import sys
sys.dont_write_bytecode = True
import base64
import io
import hashlib
import json
import os
import re
import subprocess
import time
import zipfile
from harness import (Call, Fixture, Pool, cgi, files_below, hash_zip, place, program_env, request_bytes, request_env,
                     run_calls, settings, slurp, tap, wait_until, PROGRAM)

fixture = Fixture()
TOKEN = "goproxy_" + "5a" * 32
OLD = "goproxy_" + "5b" * 32
RULES = "corp.example/secret/* = @sec, corp.example/open = anonymous, corp.example/* = *"
HELLO = "/example.com/hello/@v/v1.0.0."


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def basic(user, password):
    return "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()


def put(store, key, data):
    path = store + "/" + key
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def module_zip(module, version="v1.0.0", text=b"package x\n", mod=None, extra=()):
    """A module's zip, large enough to be handed over to a web server."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in [("go.mod", b"module %s\n" % module.encode() if mod is None else mod), ("x.go", text),
                           ("data", b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(4000))), *extra]:
            if data:
                z.writestr(zipfile.ZipInfo("%s@%s/%s" % (module, version, name)), data)
    return out.getvalue()


INFO = b'{"Version":"v1.0.0","Time":"2024-01-02T03:04:05Z"}'


def fill(store, module, escaped=None):
    """A module as if it had been fetched."""
    data, base = module_zip(module), "private/download/%s/@v/v1.0.0." % (escaped or module)
    put(store, base + "info", INFO)
    put(store, base + "mod", b"module %s\n" % module.encode())
    put(store, base + "zip", data)
    put(store, base + "ziphash", hash_zip(data).encode())
    put(store, "private/mutable/%s/@v/list" % (escaped or module), b"v1.0.0\n")
    put(store, "private/mutable/%s/@latest" % (escaped or module), INFO)


def site(**more):
    """(mount, store, settings) with private modules in the store."""
    up, store = fixture.mount(), place.dir("store")
    groups = place.file("sec: sam\n", "groups", 0o600)
    tokens = place.file("tom %s\nold %s 2020-01-31\n" % (sha256(TOKEN), sha256(OLD)), "tokens", 0o600)
    for module in ("corp.example/x", "corp.example/secret/s", "corp.example/open"):
        fill(store, module)
    fill(store, "corp.example/Case", "corp.example/!case")
    env = settings(up, store, private_modules="corp.example", private_read=RULES, private_groups_file=groups,
                   private_tokens_file=tokens, sumdb_gosumdb=up.sumdb())
    env.update({"GOPROXY_" + k.upper(): v for k, v in more.items()})
    return up, store, env


def user(name):
    return {"REMOTE_USER": name, "AUTH_TYPE": "Basic"}


PATHS = ["/@v/list", "/@latest", "/@v/v1.0.0.info", "/@v/v1.0.0.mod", "/@v/v1.0.0.zip"]


def test_who_may():
    up, store, env = site()
    for module, may in (("corp.example/x", {None: 401, "alice": 200, "sam": 200}),
                        ("corp.example/secret/s", {None: 401, "alice": 403, "sam": 200}),
                        ("corp.example/open", {None: 200, "alice": 200})):
        for name, status in may.items():
            for path in PATHS if name == "alice" else PATHS[:1] + PATHS[4:]:
                a = cgi({**env, **(user(name) if name else {})}, "/" + module + path)
                tap.eq(a.status, status, "%s gets %s%s: %d" % (name or "nobody", module, path, status), a)
                tap.eq("WWW-Authenticate".lower() in a.headers, status == 401, "and is asked who it is only at 401")
                if status == 200:
                    tap.eq(a.header("Cache-Control"), "private, no-store", "nobody is to keep it", a)
    a = cgi({**env, **user("sam")}, "/corp.example/secret/s/@v/v1.0.0.zip", headers={"Range": "bytes=10-19"})
    tap.eq((a.status, a.body), (206, module_zip("corp.example/secret/s")[10:20]), "a range")
    a = cgi({**env, **user("sam")}, "/corp.example/secret/s/@v/v1.0.0.zip", "HEAD")
    tap.eq((a.status, a.length), (200, 0), "HEAD")
    for method, headers in (("HEAD", {}), ("GET", {"Range": "bytes=0-3"}), ("GET", {"If-None-Match": "*"}),
                            ("GET", {"Disable-Module-Fetch": "true"})):
        a = cgi({**env, **user("alice")}, "/corp.example/secret/s/@v/v1.0.0.zip", method, headers)
        tap.eq(a.status, 403, "%s %s of who may not" % (method, headers))
    a = cgi({**env, **user("alice")}, "/corp.example/secret/s/@v/list")
    tap.like(a.text, r"'corp.example/secret/s' is private: 'alice' may not have it, by \[private\] read",
             "the refusal explains itself")
    tap.eq(up.count(), 0, "nobody was asked for any of that", up.paths())


def test_spellings():
    """Whatever is written for it, it is that module, or nothing."""
    up, store, env = site()
    name = "/corp.example/%s/@v/v1.0.0.zip"
    for path, statuses in (
            ("/corp%2Eexample/secret/s/@v/v1.0.0.zip", [401]), ("/%63orp.example/secret/s/@v/v1.0.0.zip", [401]),
            ("/corp.example/secret/s/%40v/v1.0.0.zip", [401]), ("/corp.example/secret/s/@v/v1.0.0.zip?x=/a", [401]),
            ("/corp.example%2Fsecret/s/@v/v1.0.0.zip", [400]), ("/corp.example//secret/s/@v/v1.0.0.zip", [400]),
            ("/corp.example/./secret/s/@v/v1.0.0.zip", [400]), ("//corp.example/secret/s/@v/v1.0.0.zip", [400]),
            ("/example.com/../corp.example/secret/s/@v/v1.0.0.zip", [400]),
            ("/cached-only/corp.example/secret/s/@v/v1.0.0.zip", [401]),
            ("/cached-only/cached-only/corp.example/x/@v/v1.0.0.zip", [400]),
            ("/private/download/corp.example/secret/s/@v/v1.0.0.zip", [400]),
            ("/download/corp.example/secret/s/@v/v1.0.0.zip", [400]),
            ("/corp.example/!secret/s/@v/v1.0.0.zip", [401]), ("/corp.example/%21secret/s/@v/v1.0.0.zip", [401]),
            ("/CORP.example/secret/s/@v/v1.0.0.zip", [400]), ("/!corp.example/secret/s/@v/v1.0.0.zip", [400, 401]),
            ("/corp.example/secret/s/@v/v1.0.0.ziphash", [404]), ("/corp.example/secret/s/@v/v1.0.0.lock", [404])):
        a = cgi(env, path)
        tap.ok(a.status in statuses, "nobody, %s: %s" % (path, statuses), a)
    for path in ("/corp.example/!secret/s/@v/v1.0.0.zip", "/corp.example/%21secret/%21s/@latest"):
        a = cgi({**env, **user("alice")}, path)
        tap.eq(a.status, 403, "alice may not have another case of it: " + path, a)
    a = cgi({**env, **user("alice")}, "/corp.example/%21case/@v/v1.0.0.mod")
    tap.eq((a.status, a.body), (200, b"module corp.example/Case\n"), "upper case is its own module")
    tap.eq(up.count(), 0, "and nobody was asked", up.paths())


def test_who_it_is():
    up, store, env = site(private_client_cert="cn")
    path = "/corp.example/x/@v/v1.0.0.zip"
    for what, status, more, headers in (
            ("a token as password", 200, {}, {"Authorization": basic("git", TOKEN)}),
            ("a token as Bearer", 200, {}, {"Authorization": "Bearer " + TOKEN}),
            ("one that has expired", 401, {}, {"Authorization": "Bearer " + OLD}),
            ("one that is unknown", 401, user("alice"), {"Authorization": "Bearer " + TOKEN[:-1] + "0"}),
            ("a hash for a token", 401, {}, {"Authorization": "Bearer " + sha256(TOKEN)}),
            ("a name that nginx didn't check", 401, {"REMOTE_USER": "alice"}, {"Authorization": basic("alice", "x")}),
            ("headers that pose as it", 401, {}, {"Remote-User": "alice", "Auth-Type": "Basic", "Goproxy-Role": "authorizer",
                                                 "SSL-Client-Verify": "SUCCESS", "SSL-Client-S-DN-CN": "alice",
                                                 "X-Remote-User": "alice", "FCGI-Role": "AUTHORIZER"}),
            ("a certificate", 200, {"SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN_CN": "carol"}, {}),
            ("an unverified one", 401, {"SSL_CLIENT_VERIFY": "GENEROUS", "SSL_CLIENT_S_DN_CN": "carol"}, {})):
        a = cgi({**env, **more}, path, headers=headers)
        tap.eq(a.status, status, "%s: %d" % (what, status), a)
        tap.ok(TOKEN not in a.text + a.stderr.decode() and OLD not in a.text + a.stderr.decode(),
               what + ": no secret in answer or log")
    a = cgi({**env, "GOPROXY_PRIVATE_CLIENT_CERT": None, "SSL_CLIENT_VERIFY": "SUCCESS", "SSL_CLIENT_S_DN_CN": "carol"}, path)
    tap.eq(a.status, 401, "a certificate counts only if the settings say so", a)


def test_like_nothing():
    """refuse = 404: byte for byte the same, whether it is there or not."""
    up, store, env = site(private_refuse="404")

    def answer(module, path, **more):
        a = cgi({**env, **more}, "/" + module + path)
        return a.status, a.headers, a.body
    for who in ({}, user("alice"), {"HTTP_AUTHORIZATION": "Bearer " + OLD}):
        for path in PATHS:
            there, not_there = (answer("corp.example/secret/" + m, path, **who) for m in ("s", "t"))
            tap.eq(there, not_there, "%s, %s: there or not, one answer" % (sorted(who.values()) or "nobody", path))
            tap.eq(there[0], 404, "which is 404")
    tap.eq(answer("corp.example/secret/s", "/@v/list", **user("sam"))[0], 200, "who may have it has it")
    tap.eq(up.count(), 0, "and nobody was asked", up.paths())


def test_no_database_hears():
    up, store, env = site()
    lookup = "/sumdb/sum.fixture.test/lookup/corp.example/x@v1.0.0"
    for who in ({}, user("sam")):
        a = cgi({**env, **who}, lookup)
        tap.eq(a.status, 403, "a lookup is refused", a)
        tap.like(a.text, "GONOSUMDB", "and says what to set")
    tap.eq(up.count(), 0, "nobody was asked", up.paths())
    tap.eq(cgi(env, "/sumdb/sum.fixture.test/lookup/example.com/hello@v1.0.0").status, 200, "public ones are looked up")


def test_kept_apart():
    """What is private later isn't served from where it was kept when it was public."""
    up, store, env = site(private_modules="corp.example,example.com/hello", private_read="* = alice")
    a = cgi({**env, "GOPROXY_PRIVATE_MODULES": ""}, HELLO + "zip")
    tap.eq((a.status, os.path.exists(store + "/download" + HELLO + "zip")), (200, True), "public, and kept", a)
    tap.eq(cgi(env, HELLO + "zip").status, 401, "private now: nobody has it")
    a = cgi({**env, **user("alice"), "GOPROXY_UPSTREAM_CHAIN": "off"}, HELLO + "zip")
    tap.eq(a.status, 404, "not even who may, from there", a)
    done = subprocess.run([PROGRAM, "verify", "--json"], env=program_env(env), capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    tap.eq([line["object"] for line in lines if line["verdict"] == "exposed"], ["example.com/hello/@v"],
           "verify says what lies where web servers send it", done.stdout + done.stderr)
    total = lines[-1]
    tap.eq((done.returncode, total["exposed"], total["wrong"]), (4, 1, 0), "and ends with 4", total)
    tap.ok(total["unchecked"] >= 12, "verify hashes the private ones", total)
    with open(store + "/private/download/corp.example/x/@v/v1.0.0.mod", "wb") as f:
        f.write(b"\0")
    done = subprocess.run([PROGRAM, "verify", "--json", "corp.example"], env=program_env(env), capture_output=True, text=True)
    tap.eq(done.returncode, 4, "and finds what is wrong", done.stdout + done.stderr)
    tap.like("\n".join(files_below(store)), r"^private/quarantine/download/corp\.example/x/@v/v1\.0\.0\.mod\.",
             "which stays among what is private")
    done = subprocess.run([PROGRAM, "explain", "corp.example/x@v1.0.0"], env=program_env(env), capture_output=True, text=True)
    tap.like(done.stdout, r"It is private.*v1\.0\.0\.zip: \d+ bytes, h1:", "explain tells of it", done.stdout + done.stderr)
    lookups = [p for p in up.paths() if "corp" in p]
    tap.eq(lookups, [], "no database was asked", lookups)
    tap.eq(oct(os.stat(store + "/private").st_mode & 0o777), oct(0o755), "a directory that was there keeps its mode")
    other = place.new("store")
    cgi({**env, "GOPROXY_CACHE_DIR": other}, "/")
    tap.eq(oct(os.stat(other + "/private").st_mode & 0o777), oct(0o750), "a new one is closed to others")


def test_files_change():
    up, store, env = site()
    tokens = env["GOPROXY_PRIVATE_TOKENS_FILE"]
    pool = Pool(env, bare=True)
    bearer = {"Authorization": "Bearer " + TOKEN}

    def status():
        return run_calls([Call(pool.address, "/corp.example/x/@v/list", headers=bearer)])[0].status

    def write(text):
        with open(tokens + ".new", "w") as f:
            f.write(text)
        os.chmod(tokens + ".new", 0o600)
        os.rename(tokens + ".new", tokens)
    right = slurp(tokens).decode()
    tap.eq(status(), 200, "the token counts")
    write("tom nonsense\n")
    wait_until(lambda: "cannot take over '%s': line 1" % tokens in pool.log() if status() else None, "a word in the log")
    tap.eq(status(), 200, "a broken file: what it said before counts")
    tap.eq(pool.log().count("cannot take over"), 1, "and that is said once")
    write(right.replace(sha256(TOKEN), sha256("goproxy_other")))
    wait_until(lambda: status() == 401, "the token to be gone")
    tap.ok(True, "a token that is taken out counts no more")
    write(right)
    os.chmod(tokens, 0o644)
    wait_until(lambda: status() == 200, "the token to be back")
    tap.like(pool.log(), "can be read by every user of this machine", "a file that all can read is warned of")
    # Lists that many ask for are put where web servers send them; never those.
    for path in ("/corp.example/open/@v/list", "/corp.example/open/@latest"):
        run_calls([Call(pool.address, path) for _ in range(20)])
    tap.eq([p for p in files_below(store) if p.startswith("fresh/")], [], "no private list is published")
    pool.stop()


def test_token():
    done = subprocess.run([PROGRAM, "token", "zoe"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    tap.ok(done.returncode == 0 and len(lines) == 2, "token prints two lines, and what they are for", done.stdout + done.stderr)
    tap.like(lines[0], r"\Agoproxy_[0-9a-f]{64}\Z", "the token")
    tap.eq(lines[1], "zoe " + sha256(lines[0]), "and its line for the file")
    again = subprocess.run([PROGRAM, "token", "zoe"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    tap.ok(again.stdout != done.stdout, "another each time")
    # The whole of it can be the file.
    up, store, env = site(private_tokens_file=place.file(done.stdout.replace(lines[0] + "\n", ""), "tokens", 0o600))
    a = cgi(env, "/corp.example/x/@v/list", headers={"Authorization": basic("zoe", lines[0])})
    tap.eq(a.status, 200, "it works", a)
    for name in ("", "a b", "@sec", "*", "anonymous", "a:b"):
        bad = subprocess.run([PROGRAM, "token", name], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        tap.eq((bad.returncode, bad.stdout), (1, ""), "no token for %r" % name)


def authorizer_bytes(env, stdin):
    """A FastCGI request with the role of an authorizer, which has no body; some servers send an empty one."""
    raw = request_bytes(env)
    raw = raw[:8] + b"\0\2" + raw[10:]
    return raw if stdin else raw[:-8]


def test_authorizer():
    up, store, env = site(private_refuse="404")
    pool = Pool(env, bare=True)
    zip_path = "/corp.example/secret/s/@v/v1.0.0.zip"
    for path, who, status in ((zip_path, {}, 401), (zip_path, user("alice"), 403), (zip_path, user("sam"), 200),
                              ("/corp.example/secret/none/@v/list", user("sam"), 200), (HELLO + "zip", {}, 200),
                              ("/corp.example/secret/s/../s/@v/list", user("sam"), 403), ("/x", user("sam"), 403),
                              ("/sumdb/sum.fixture.test/latest", {}, 200)):
        # SCRIPT_NAME and PATH_INFO are another handler's there.
        base = {**request_env(path, script_name="/corp.example", path_info="/whatever", request_uri=path), **who}
        for what, raw in (("FCGI_AUTHORIZER", authorizer_bytes(base, False)),
                          ("FCGI_AUTHORIZER with an empty body", authorizer_bytes(base, True)),
                          ("GOPROXY_ROLE", request_bytes({**base, "GOPROXY_ROLE": "authorizer"}))):
            begin = time.monotonic()
            a = run_calls([Call(pool.address, path, raw=raw)])[0]
            tap.eq((a.status, a.ended), (status, True), "%s, %s, %s: %d" % (what, who.get("REMOTE_USER"), path, status), a)
            tap.ok(time.monotonic() - begin < 5, "at once")
            if status == 200:
                tap.eq(a.body, b"", "without a body")
    tap.eq(up.count(), 0, "and nobody was asked", up.paths())
    pool.stop()


tap.run(globals())
