#!/usr/bin/env python3
"""36-private.t - private modules: those who may have them do, and nobody else, by whatever way.

Modules come from the store, put there beforehand: where they are fetched from is another test's.
"""
import sys
sys.dont_write_bytecode = True
import base64
import fcntl
import io
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import zipfile
import webrun
from harness import (FCGI_STDIN, SLOW, Call, Fixture, Pool, cgi, children, files_below, free_port, hash_zip, place, program_env, record, request_bytes, request_env,
                     run_calls, settings, slurp, tap, temp_files, wait_until, PROGRAM, ROOT)

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
                z.writestr(zipfile.ZipInfo("%s@%s/%s" % (module, version, name)), data,
                           zipfile.ZIP_STORED if name == "x.go" or b"stored" in text else zipfile.ZIP_DEFLATED)
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
    tap.ok(a.status in (404, 502), "not even who may, from there: only its repository is asked", a)
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
    os.rename(tokens, tokens + ".away")
    wait_until(lambda: status() == 401, "the token to be gone with its file")
    tap.like(pool.log(), "cannot take over '%s': .*No such file or directory; so it gives nobody anything" % tokens,
             "a file that is removed gives nobody anything, and that is said")
    os.rename(tokens + ".away", tokens)
    wait_until(lambda: status() == 200, "the token to be back with its file")
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
                              ("/", user("sam"), 403), ("/sumdb/sum.fixture.test/latest", {}, 200)):
        # SCRIPT_NAME and PATH_INFO are another handler's there.
        base = {**request_env(path, script_name="/corp.example", path_info="/whatever", request_uri=path,
                              headers={"Range": "bytes=5-9", "If-None-Match": "*"}), **who}
        for what, raw in (("FCGI_AUTHORIZER", authorizer_bytes(base, False)),
                          ("FCGI_AUTHORIZER with an empty body", authorizer_bytes(base, True)),
                          ("GOPROXY_ROLE", request_bytes({**base, "GOPROXY_ROLE": "authorizer"}))):
            begin = time.monotonic()
            a = run_calls([Call(pool.address, path, raw=raw)])[0]
            # What FastCGI's authorizer says is the client's answer; nginx knows 401 and 403 alone.
            is_hidden = path == zip_path and status != 200 and what.startswith("FCGI")
            tap.eq((a.status, a.ended), (404 if is_hidden else status, True),
                   "%s, %s, %s: %d" % (what, who.get("REMOTE_USER"), path, 404 if is_hidden else status), a)
            tap.ok(time.monotonic() - begin < 5, "at once")
            if status == 200:
                tap.eq(a.body, b"", "without a body")
    tap.eq(up.count(), 0, "and nobody was asked", up.paths())
    pool.stop()


# ---- uploads ----

WRITE = "corp.example/up/* = alice tom, corp.example/any = anonymous"


def upload_bytes(path, data, chunk=60000, cut=False, **more):
    """A FastCGI request with a body; cut: in its middle, without an end."""
    raw = request_bytes({**request_env(path, "PUT"), "CONTENT_LENGTH": str(len(data)), **more})[:-8]
    body = data[:len(data) // 2] if cut else data
    for at in range(0, len(body), chunk):
        raw += record(FCGI_STDIN, body[at:at + chunk])
    return raw if cut else raw + record(FCGI_STDIN)


def test_upload():
    up, store, env = site(private_write=WRITE)
    pool = Pool(env, bare=True)
    module = "corp.example/up/m"

    def put(version, data, module=module, who="alice", **more):
        path = "/%s/@v/%s.zip" % (module.replace("M", "!m"), version)
        return run_calls([Call(pool.address, path, raw=upload_bytes(path, data, **{**(user(who) if who else {}), **more}))])[0]

    def get(path, module=module, who="alice"):
        return run_calls([Call(pool.address, "/%s%s" % (module, path), raw=request_bytes(
            {**request_env("/%s%s" % (module, path)), **(user(who) if who else {})}))])[0]
    # Remembered as absent before, all of it.
    pool_off = Pool({**env, "GOPROXY_UPSTREAM_CHAIN": fixture.mount().url}, bare=True)
    for path in PATHS:
        run_calls([Call(pool_off.address, "/" + module + path, raw=request_bytes({**request_env("/" + module + path), **user("alice")}))])
    pool_off.stop()
    whole = module_zip(module)
    a = put("v1.0.0", whole)
    tap.eq((a.status, a.text), (201, "published %s@v1.0.0 %s\n" % (module, hash_zip(whole))), "a version is taken", a)
    for path, body in (("/@v/v1.0.0.zip", whole), ("/@v/v1.0.0.mod", b"module corp.example/up/m\n"), ("/@v/list", b"v1.0.0\n")):
        a = get(path)
        tap.eq((a.status, a.body == body, a.header("Cache-Control")), (200, True, "private, no-store"), "and served: " + path, a)
    info = json.loads(get("/@v/v1.0.0.info").text)
    tap.eq(info["Version"], "v1.0.0", "its .info has the version")
    tap.ok(abs(time.mktime(time.strptime(info["Time"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone - time.time()) < 60,
           "and the time", info)
    tap.eq(get("/@latest").text, get("/@v/v1.0.0.info").text, "it is the latest")
    files = {p: slurp(store + "/private/download/" + module + "/@v/" + p) for p in ("v1.0.0.zip", "v1.0.0.mod", "v1.0.0.info")}
    a = put("v1.0.0", whole)
    tap.eq(a.status, 200, "the same again is welcome", a)
    a = put("v1.0.0", module_zip(module, text=b"package y\n"))
    tap.eq(a.status, 409, "another content isn't", a)
    tap.like(a.text, "never changes", "and it is said why")
    tap.eq({p: slurp(store + "/private/download/" + module + "/@v/" + p) for p in files}, files, "nothing has changed")
    for version in ("v1.2.0-rc.1", "v1.1.0", "v1.0.5"):
        text = b"// stored\npackage x\n" if version == "v1.1.0" else b"package x\n"
        tap.eq(put(version, module_zip(module, version, text)).status, 201, "more versions: " + version)
    tap.eq(get("/@v/list").text, "v1.0.0\nv1.0.5\nv1.1.0\nv1.2.0-rc.1\n", "are listed in order, at once")
    tap.eq(json.loads(get("/@latest").text)["Version"], "v1.1.0", "the latest is the last release")
    for path in ("/@v/v1.9.9.info", "/@v/v1.9.9.zip", "/@v/main.info"):
        a = get(path)
        tap.eq(a.status, 404, "what wasn't uploaded is nowhere: " + path, a)
    # No go.mod: one is made up, as go does it.
    a = put("v1.0.0", module_zip("corp.example/up/old", mod=b""), "corp.example/up/old")
    tap.eq((a.status, get("/@v/v1.0.0.mod", "corp.example/up/old").body), (201, b"module corp.example/up/old\n"), "without go.mod", a)
    a = put("v2.0.0+incompatible", module_zip("corp.example/up/old", "v2.0.0+incompatible", mod=b""), "corp.example/up/old")
    tap.eq(a.status, 201, "+incompatible without go.mod", a)
    a = put("v1.0.0", module_zip("corp.example/up/M"), "corp.example/up/M", "tom")
    tap.eq((a.status, get("/@v/list", "corp.example/up/!m").text), (201, "v1.0.0\n"), "a path with capitals", a)
    a = put("v1.0.0", module_zip("corp.example/any"), "corp.example/any", None)
    tap.eq(a.status, 201, "by anybody, where the settings say so", a)
    # What is refused leaves nothing.
    before = files_below(store)
    for what, status, args, more in (
            ("nobody", 401, ("v1.3.0", module_zip(module, "v1.3.0")), {"who": None}),
            ("who may read only", 403, ("v1.3.0", module_zip(module, "v1.3.0")), {"who": "sam"}),
            ("a module that isn't private", 403, ("v1.3.0", whole, "example.com/hello"), {}),
            ("another version's zip", 400, ("v1.3.0", whole), {}),
            ("another module's zip", 400, ("v1.0.0", whole, "corp.example/up/n"), {}),
            ("another module's go.mod", 400, ("v1.3.0", module_zip(module, "v1.3.0", mod=b"module corp.example/x\n")), {}),
            ("a go.mod that is none", 400, ("v1.3.0", module_zip(module, "v1.3.0", mod=b"hello\n")), {}),
            ("a go.mod of another major", 400, ("v2.3.0+incompatible", module_zip(module, "v2.3.0+incompatible")), {}),
            ("what the go command would refuse", 400, ("v1.3.0", module_zip(module, "v1.3.0", extra=[("a/B", b"1"), ("a/b", b"2")])), {}),
            ("half a zip", 400, ("v1.3.0", whole[:5000]), {}), ("no zip", 400, ("v1.3.0", b"hello"), {}), ("nothing", 400, ("v1.3.0", b""), {}),
            ("less than was promised", 400, ("v1.3.0", module_zip(module, "v1.3.0")), {"CONTENT_LENGTH": "200000"}),
            ("more than any zip may have", 400, ("v1.3.0", b"x"), {"CONTENT_LENGTH": str(600 << 20)}),
            ("no canonical version", 400, ("v1", whole), {}), ("an impossible version", 404, ("v3.0.0", whole), {})):
        a = put(*args, **more)
        tap.eq(a.status, status, "%s: %d" % (what, status), a)
        tap.ok(a.ended and a.text.count("\n") <= 8, "in so many words")
    a = run_calls([Call(pool.address, "/x", raw=upload_bytes("/%s/@v/v1.3.0.zip" % module, whole, cut=True, **user("alice")), leave_at=0)], 4)[0]
    path = "/%s/@v/v1.0.0.zip" % module
    for method, where, allow in (("PUT", "/%s/@v/list" % module, "GET, HEAD"), ("PUT", "/%s/@v/v1.0.0.info" % module, "GET, HEAD"),
                                 ("PUT", "/cached-only" + path, "GET, HEAD"), ("PUT", "/", "GET, HEAD"),
                                 ("PUT", "/sumdb/sum.fixture.test/latest", "GET, HEAD"), ("POST", path, "GET, HEAD, PUT"),
                                 ("DELETE", path, "GET, HEAD, PUT"), ("POST", HELLO + "zip", "GET, HEAD")):
        a = run_calls([Call(pool.address, where, method)])[0]
        tap.eq((a.status, a.header("Allow")), (405, allow), "%s %s: 405" % (method, where), a)
    wait_until(lambda: not temp_files(store), "tmp to be empty")
    tap.eq([p for p in files_below(store) if p not in before and not p.startswith("absent/")], [], "nothing of it is kept")
    done = subprocess.run([PROGRAM, "verify", "--json", "corp.example/up"], env=program_env(env), capture_output=True, text=True)
    tap.eq(done.returncode, 0, "verify finds nothing wrong with what was uploaded", done.stdout + done.stderr)
    with open(store + "/private/download/" + module + "/@v/v1.0.5.zip", "r+b") as f:
        f.write(b"junk")
    done = subprocess.run([PROGRAM, "verify", "--repair", "--json", "corp.example/up"], env=program_env(env), capture_output=True, text=True)
    tap.eq((done.returncode, up.count("/corp.*")), (4, 0), "verify --repair asks nobody for what was uploaded", done.stdout + done.stderr)
    tap.eq(get("/@v/v1.0.5.zip").status, 404, "what was wrong is served no more")
    tap.eq(put("v1.0.5", module_zip(module, "v1.0.5")).status, 201, "and may be uploaded again")
    tap.like(slurp(store + "/audit.log").decode(), r'"published".*"from":"upload by alice"', "the audit log names who it was")
    tap.eq([p for p in up.paths() if "corp" in p], [], "and nobody was asked")
    pool.stop()


def test_uploads_at_once():
    """One of many who upload one version at once makes it; who is slow holds up nobody."""
    up, store, env = site(private_write=WRITE)
    pool, path = Pool(env), "/corp.example/up/m/@v/v1.0.0.zip"
    slow = []
    for _ in range(8):
        s = socket.socket(socket.AF_UNIX)
        s.connect(pool.address)
        s.sendall(upload_bytes(path, module_zip("corp.example/up/m"), cut=True, **user("alice")))
        slow.append(s)
    begin = time.monotonic()
    hits = run_calls([Call(pool.address, "/corp.example/open/@v/v1.0.0.zip") for _ in range(50)])
    tap.eq([a.status for a in hits], [200] * 50, "hits beside slow uploads")
    other = run_calls([Call(pool.address, "/corp.example/up/other/@v/v1.0.0.zip",
                            raw=upload_bytes("/corp.example/up/other/@v/v1.0.0.zip", module_zip("corp.example/up/other"),
                                             **user("alice")))])
    tap.eq([a.status for a in other], [201], "an upload beside slow uploads")
    tap.ok(time.monotonic() - begin < 5 * SLOW, "at once", time.monotonic() - begin)
    for s in slow:
        s.close()
    bodies = [module_zip("corp.example/up/m", text=b"package p%d\n" % (i % 2)) for i in range(10)]
    answers = run_calls([Call(pool.address, path, raw=upload_bytes(path, b, **user("alice"))) for b in bodies])
    counts = {status: [a.status for a in answers].count(status) for status in {a.status for a in answers}}
    tap.eq((counts.get(201), counts.get(200), counts.get(409)), (1, 4, 5), "ten at once, of two contents: one is made", answers)
    kept = slurp(store + "/private/download" + path)
    tap.eq(hash_zip(kept), slurp(store + "/private/download" + path + "hash").decode(), "and its hash is its own")
    wait_until(lambda: not temp_files(store), "tmp to be empty")
    pool.stop()


def test_upload_beside_a_repository():
    """What its repository has stays in sight until a version is really taken, and then it lives here alone."""
    up, store, env = site(private_write=WRITE)
    module = "corp.example/up/m"
    fill(store, module)
    put(store, "private/mutable/%s/@v/list" % module, b"v1.0.0\nv1.1.0\n")
    folder = store + "/private/download/%s/@v/" % module

    def upload(version, where=module):
        data = module_zip(where, version)
        return cgi({**env, **user("alice"), "CONTENT_LENGTH": len(data)}, "/%s/@v/%s.zip" % (where, version), "PUT", stdin=data)

    def get(path):
        a = cgi({**env, **user("alice")}, "/" + path)
        return a.status, a.text
    theirs = (200, "v1.0.0\nv1.1.0\n")
    tap.eq(upload("v1.0.0").status, 200, "a version that came from there, once more")
    tap.eq(get(module + "/@v/list"), theirs, "hides nothing")
    os.mkdir(folder + "v1.7.0.zip")
    tap.eq(upload("v1.7.0").status, 500, "a zip that can't be put in place")
    tap.eq(get(module + "/@v/list"), theirs, "hides nothing")
    os.rmdir(folder + "v1.7.0.zip")
    # Killed between the mark and the zip; while it is on its way nobody else is asked.
    put(store, "private/download/%s/@v/uploaded" % module, b"v1.8.0")
    with open(folder + "uploaded.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        tap.eq(get(module + "/@v/v1.1.0.info")[0], 404, "an upload on its way")
    tap.eq(get(module + "/@v/list"), theirs, "broken off it hides nothing")
    tap.ok(not os.path.exists(folder + "uploaded"), "and is forgotten", os.listdir(folder))
    # Broken off behind the zip: another upload that fails takes nothing back.
    other = "corp.example/up/other"
    fill(store, other)
    put(store, "private/download/%s/@v/uploaded" % other, b"v1.0.0")
    os.mkdir(store + "/private/download/%s/@v/v1.7.0.zip" % other)
    tap.eq(upload("v1.7.0", other).status, 500, "an upload that fails beside one that didn't end")
    tap.eq(get(other + "/@v/v1.1.0.info")[0], 404, "that lives here all the same")
    put(store, "private/download/%s/@v/list/x" % module, b"")
    a = upload("v1.9.0")
    tap.ok(a.status == 500 and "list" in a.text, "what can't be listed isn't taken", a)
    shutil.rmtree(folder + "list")
    tap.eq(upload("v1.9.0").status, 200, "and can be sent again")
    tap.eq(get(module + "/@v/list"), (200, "v1.9.0\n"), "now it lives here")
    tap.eq(get(module + "/@v/v1.1.0.info")[0], 404, "alone")
    lines = [json.loads(line) for line in slurp(store + "/audit.log").decode().splitlines()]
    tap.eq([line["object"] for line in lines if line["event"] == "published"], [module + "/@v/v1.9.0.zip"], "the audit log has it once")
    # The go command asks for packages, too, and gives up at anything but a 404.
    tap.eq(get("corp.example/up/elsewhere/@v/list")[0], 502, "what no repository can be found for")
    status, text = get(module + "/pkg/deep/@v/list")
    tap.ok(status == 404 and "uploaded here" in text, "a package of what was uploaded is no module", text)
    fill(store, module + "/v2")
    tap.eq(get(module + "/v2/@v/branch.info")[0], 502, "what is one remains one")
    tap.eq(get(module + "/v2/@v/v2.1.0.zip")[0], 502, "and so does its zip")
    pseudo = ["v0.0.0-20240102030405-abcdefabcdef", "v0.0.0-20240203040506-abcdefabcdef", "v0.0.0-20230102030405-abcdefabcdef"]
    tap.eq([upload(v, "corp.example/up/pseudo").status for v in pseudo], [201] * 3, "pseudo-versions")
    tap.eq(json.loads(get("corp.example/up/pseudo/@latest")[1])["Version"], pseudo[1], "of which the newest is the latest")
    data = module_zip("corp.example/up/old", "v2.0.0+incompatible", mod=b"")
    a = cgi({**env, **user("alice"), "CONTENT_LENGTH": len(data)}, "/corp.example/up/old/@v/v2.0.0+incompatible.zip", "PUT", stdin=data)
    tap.eq(a.status, 201, "a version without a go.mod", a)
    tap.eq(json.loads(get("corp.example/up/old/@v/v2.0.0.info")[1])["Version"], "v2.0.0+incompatible", "is found by its tag")
    tap.eq(get("corp.example/up/old/@v/v3.0.0.info")[0], 404, "another isn't")


def test_upload_killed():
    """kill -9 at any moment: the version is there, or it isn't, and whoever sends it again mends the rest."""
    up, store, env = site(private_write=WRITE)
    right = b"module corp.example/up/m\n"
    base = "/corp.example/up/m/@v/v1.%d.0"
    took = 0.02
    states = set()
    for i in range(30):
        path, data = base % i + ".zip", module_zip("corp.example/up/m", "v1.%d.0" % i)
        raw = upload_bytes(path, data, **user("alice"))
        pool = Pool(env, bare=True)
        s = socket.socket(socket.AF_UNIX)
        s.connect(pool.address)
        s.sendall(raw)
        begin = time.monotonic()
        if i == 0:  # how long one takes
            while s.recv(65536):
                pass
            took = time.monotonic() - begin
        else:
            time.sleep(took * (i % 15) / 10)
        pool.process.kill()
        pool.process.wait()
        s.close()
        there = [kind for kind in ("zip", "ziphash", "mod", "info") if os.path.exists(store + "/private/download" + base % i + "." + kind)]
        states.add(" ".join(there))
        faults = [kind for kind, want in (("zip", data), ("ziphash", hash_zip(data).encode()), ("mod", right))
                  if kind in there and slurp(store + "/private/download" + base % i + "." + kind) != want]
        tap.eq(faults, [], "killed: what is there is right: %s" % there)
        a = cgi({**env, **user("alice"), "CONTENT_LENGTH": len(data)}, path, "PUT", stdin=data)
        tap.eq(a.status, 200 if "zip" in there else 201, "and it can be sent again", a)
    tap.say("what was there: " + ", ".join(sorted(s or "nothing" for s in states)))
    a = cgi({**env, **user("alice")}, "/corp.example/up/m/@v/list")
    tap.eq(a.text, "".join("v1.%d.0\n" % i for i in range(30)), "all are listed", a)
    done = subprocess.run([PROGRAM, "verify", "--json", "corp.example/up"], env=program_env(env), capture_output=True, text=True)
    tap.eq(done.returncode, 0, "and verify finds nothing wrong", done.stdout + done.stderr)


def test_upload_by_cgi():
    up, store, env = site(private_write=WRITE)
    whole = module_zip("corp.example/up/m")
    a = cgi({**env, **user("alice"), "CONTENT_LENGTH": len(whole)}, "/corp.example/up/m/@v/v1.0.0.zip", "PUT", stdin=whole)
    tap.eq(a.status, 201, "an upload by CGI", a)
    a = cgi({**env, **user("alice")}, "/corp.example/up/m/@v/v1.0.0.zip")
    tap.eq((a.status, a.body == whole), (200, True), "is served")
    a = cgi({**env, **user("sam"), "CONTENT_LENGTH": len(whole)}, "/corp.example/up/m/@v/v1.0.1.zip", "PUT", stdin=whole)
    tap.eq(a.status, 403, "who may not hears so", a)


# ---- behind real web servers, with the examples as shipped ----

PASSWORD = "open sesame"


def password_file():
    """Users alice and sam, as htpasswd makes it."""
    lines = []
    for name in ("alice", "sam"):
        done = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], capture_output=True, text=True, check=True)
        lines.append(name + ":" + done.stdout)
    return place.file("".join(lines), "htpasswd")


def with_private(server, change=lambda text: text, own=""):
    """httpd-examples/run with the example for private modules put where it says that it belongs."""
    folder, users = place.new("examples"), password_file()
    shutil.copytree(ROOT + "/httpd-examples", folder)
    kind = server.split("-")[0]
    if "htaccess" not in server:
        fragment = change(slurp(folder + "/%s-private.conf" % kind).decode().replace("/etc/goproxy/htpasswd", users))
        name = folder + "/" + ("nginx-site.conf" if kind == "nginx" else server + ".conf")
        text = slurp(name).decode()
        if kind == "nginx":
            mark = "  # Access rules belong here"
            assert mark in text
            text = own + text.replace(mark, fragment + mark)
        elif kind == "apache":
            text += "".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m)
                            for m in ("authn_core", "authn_file", "authz_user", "auth_basic")) + own + fragment
        else:
            text = own + fragment + text
        with open(name, "w") as f:
            f.write(text)
    return folder + "/run"


def web(server, run=None, **more):
    up, store, env = site(**more)
    return up, store, webrun.WebRun(server, up.url, store, run=run or with_private(server),
                                    **{k: str(v) for k, v in env.items() if k.startswith("GOPROXY_PRIVATE") or k in more
                                       or k in ("GOPROXY_SUMDB_GOSUMDB", "GOPROXY_SERVER_SENDFILE")}).ready()


def curl(url, *arguments):
    """(status, headers in small letters, body)"""
    head = place.new("head")
    done = subprocess.run(["curl", "-sS", "--path-as-is", "--max-time", "30", "-D", head, *arguments, url],
                          capture_output=True)
    text = slurp(head).decode("latin-1") if os.path.exists(head) else ""
    blocks = [b for b in text.split("\r\n\r\n") if b]
    if not blocks:
        return 0, {}, done.stderr
    lines = blocks[-1].split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return int(lines[0].split()[1]), headers, done.stdout


def behind(server, has_accounts=True, run=None):
    if not webrun.installed(server):
        tap.skip(server, "not installed: httpd-examples/packages run " + server)
        return
    up, store, run = web(server, run, private_write=WRITE)
    module, whole = "/corp.example/secret/s", module_zip("corp.example/secret/s")
    path = module + "/@v/v1.0.0.zip"
    alice, sam = ("-u", "alice:" + PASSWORD), ("-u", "sam:" + PASSWORD)
    token, bearer = ("-u", "x:" + TOKEN), ("-H", "Authorization: Bearer " + TOKEN)
    other = "/corp.example/x/@v/v1.0.0.zip"
    cases = [("nobody", (), path, 401), ("nobody", (), other, 401), ("a token", bearer, other, 200),
             ("a token", bearer, path, 403), ("a wrong token", ("-H", "Authorization: Bearer goproxy_00"), other, 401),
             ("a wrong password", ("-u", "sam:x"), path, 401), ("a name alone", ("-u", "sam:"), path, 401),
             ("nobody", ("-H", "Remote-User: sam", "-H", "Auth-Type: Basic"), path, 401),
             ("nobody", (), "/cached-only" + path, 401), ("a name alone", ("-u", "sam:"), "/cached-only" + path, 401),
             ("nobody", (), "/corp%2Eexample/secret/s/@v/v1.0.0.zip", 401),
             ("nobody", (), "/x/../corp.example/secret/s/@v/v1.0.0.zip", (400, 401)),
             ("a name alone", ("-u", "sam:"), "//corp.example/secret/s/@v/v1.0.0.zip", (400, 401, 403)),
             ("nobody", (), "/private/download" + path, (400, 401, 404)), ("nobody", (), "/../private/download" + path, (400, 404, 401)),
             ("nobody", (), "/_goproxy_may", (400, 404)), ("nobody", (), HELLO + "mod", 200)]
    if has_accounts:
        cases += [("alice", alice, path, 403), ("alice", alice, other, 200), ("sam", sam, path, 200), ("sam", sam, path, 200)]
        cases += [("sam", sam, module + p, 200) for p in PATHS] + [("alice", alice, module + p, 403) for p in PATHS[:2]]
        cases += [("sam", sam, "/corp.example/secret/%73/@v/v1.0.0.mod", 200), ("sam", sam, "/cached-only" + path, 200),
                  ("alice", alice, "/cached-only" + path, 403),
                  ("a token", ("-H", "Authorization: bearer  " + TOKEN), other, 200)]
    else:
        cases += [("a token as password", token, other, 200), ("a token as password", token, path, 403)]
    for who, arguments, where, status in cases:
        got = curl(run.url + where, *arguments)
        tap.ok(got[0] == status or isinstance(status, tuple) and got[0] in status,
               "%s: %s, %s: %s" % (server, who, where, status), got)
        if got[0] == 200 and "corp" in where:
            tap.eq(got[1].get("cache-control"), "private, no-store", "%s: nobody is to keep it" % server, got[1])
        if got[0] != 200:
            tap.ok(whole[-100:] not in got[2], "%s: no byte of it" % server)
        if got[0] == 403 and who == "alice":
            tap.like(got[2].decode("latin-1"), "'alice' may not have it", "%s: and why" % server)
    who, body, where = (sam, whole, path) if has_accounts else (token, module_zip("corp.example/x"), other)
    tap.eq(curl(run.url + where, *who)[2] == body, True, server + ": the zip comes whole")
    got = curl(run.url + where, "-I", *who)
    tap.eq((got[0], got[1].get("content-length")), (200, str(len(body))), server + ": HEAD")
    got = curl(run.url + where, "-r", "100-199", *who)
    tap.eq((got[0], got[2]), (206, body[100:200]), server + ": Range")
    for _ in range(10):
        curl(run.url + module + "/@v/list", *(sam if has_accounts else token))
    # Uploads; mod_fcgid takes no more than 128 KB where .htaccess alone can be written.
    big = place.file(module_zip("corp.example/up/m", extra=[("big", os.urandom(4 << 20))] if has_accounts else ()), "zip")
    up_path = "/corp.example/up/m/@v/v1.0.0.zip"
    for what, where, arguments, status in (
            ("nobody uploads", up_path, (), 401), ("nobody, without a length", up_path, ("-H", "Transfer-Encoding: chunked"), 401),
            ("an upload", up_path, bearer, 201), ("without a length", up_path, (*bearer, "-H", "Transfer-Encoding: chunked"), (200, 411)),
            ("the same again", up_path, bearer, 200), ("of another version", "/corp.example/up/m/@v/v1.0.1.zip", bearer, 400),
            ("by who may not", other, bearer, 403), ("elsewhere", up_path.replace(".zip", ".mod"), bearer, (405, 403))):
        got = curl(run.url + where, "-T", big, *arguments)
        tap.ok(got[0] == status or isinstance(status, tuple) and got[0] in status, "%s: %s: %s" % (server, what, status), got)
    got = curl(run.url + up_path, *bearer)
    tap.eq((got[0], got[2] == slurp(big)), (200, True), server + ": what was uploaded is there")
    tap.eq(curl(run.url + "/corp.example/up/m/@v/list", *bearer)[2], b"v1.0.0\n", server + ": and listed")
    # Where it can't be written: why is to be read, though the body comes only now.
    shutil.rmtree(store + "/tmp")
    os.symlink(place.new("none"), store + "/tmp")
    got = curl(run.url + up_path.replace("v1.0.0", "v1.0.2"), "-T", big, *bearer)
    tap.ok(got[0] == 500 and b"cannot make" in got[2], server + ": an upload that fails says why", got)
    tap.eq([p for p in files_below(store) if p.startswith("fresh/corp")], [], server + ": no list where files are sent")
    tap.eq([p for p in up.paths() if "corp" in p], [], server + ": nobody was asked")
    run.end()
    log = run.log()
    tap.ok(TOKEN not in log, server + ": no token in the log")


def test_nginx():
    def accept_bearer(text):
        assert text.count('  auth_basic "private Go modules";') == 3
        return text.replace('  auth_basic "private Go modules";', "  auth_basic $goproxy_realm;")
    realm = re.search(r"#   (map \$http_auth.*?\n)#   \}", slurp(ROOT + "/httpd-examples/nginx-private.conf").decode(), re.S)
    behind("nginx", run=with_private("nginx", accept_bearer, realm[1].replace("#", "") + "}\n"))


def test_nginx_refuses():
    """As the responder does, whoever of the two says it first; without its passwords nginx lets nobody in."""
    if not webrun.installed("nginx"):
        tap.skip("nginx", "not installed")
        return
    path, whole = "/corp.example/secret/s/@v/v1.0.0.zip", place.file(module_zip("corp.example/up/m"), "zip")
    nothing = "not found: there is no such module, or not for who asks\n"
    for refuse, passwords in (("404", True), ("403", False), ("404", False)):
        run = with_private("nginx", lambda text: text if passwords else re.sub(r"(auth_basic_user_file) .*;", r"\1 %s;" % place.new("none"), text))
        up, store, run = web("nginx", run, private_write=WRITE, private_refuse=refuse)
        for who in ("alice:" + PASSWORD, "sam:x", "sam:" + PASSWORD):
            for where in (path, path.replace("v1.0.0", "v1.9.0"), path.replace("v1.0.0.zip", "list"), "/cached-only" + path):
                got = curl(run.url + where, "-u", who)
                what = "nginx, refuse = %s%s: %s: %s" % (refuse, "" if passwords else ", no passwords", who, where)
                if not passwords:
                    tap.ok(got[0] in (401, 403), what, got)
                elif who == "sam:x":
                    tap.eq(got[0], 401, what, got)
                elif who.startswith("alice"):
                    tap.eq((got[0], got[2].decode()), (404, nothing), what, got)
                elif "1.9" not in where:
                    tap.eq(got[0], 200, what, got)
        got = curl(run.url + "/corp.example/up/m/@v/v1.0.0.zip", "-T", whole, "-u", "alice:" + PASSWORD)
        tap.ok(got[0] == 201 if passwords else got[0] in (401, 403), "nginx, refuse = %s: an upload" % refuse, got)
        run.end()


def test_nginx_below_a_path():
    if not webrun.installed("nginx"):
        tap.skip("nginx", "not installed")
        return
    folder = place.new("examples")
    shutil.copytree(ROOT + "/httpd-examples", folder)
    text = slurp(folder + "/nginx-private.conf").decode().replace("/etc/goproxy/htpasswd", password_file())
    # As it tells.
    text = re.sub("\\^~ /(cached-only/)?corp", r"^~ /goproxy/\1corp", text).replace('"^(?<goproxy_private>', '"^/goproxy(?<goproxy_private>')
    with open(folder + "/nginx-path.conf", "r+") as f:
        text += f.read()
        f.seek(0)
        f.write(text)
    up, store, env = site(private_write=WRITE)
    run = webrun.WebRun("nginx", up.url, store, run=folder + "/run", PREFIX_PATH="/goproxy", GOPROXY_SERVER_PREFIX="/goproxy",
                        **{k: str(v) for k, v in env.items() if k.startswith("GOPROXY_PRIVATE") or k == "GOPROXY_SUMDB_GOSUMDB"}).ready()
    data = module_zip("corp.example/secret/s")
    for path in PATHS:
        for who, status in (("sam", 200), ("alice", 403)):
            got = curl(run.url + "/corp.example/secret/s" + path, "-u", who + ":" + PASSWORD)
            tap.eq(got[0], status, "nginx at /goproxy: %s, %s" % (who, path), got)
        tap.eq(curl(run.url + "/corp.example/secret/s" + path)[0], 401, "nginx at /goproxy: nobody, " + path)
    got = curl(run.url + "/corp.example/secret/s/@v/v1.0.0.zip", "-u", "sam:" + PASSWORD)
    tap.eq((got[2] == data, "detail=file" in got[1].get("cache-status", "")), (True, True), "nginx at /goproxy: sends the file itself", got[1])
    got = curl(run.url + "/corp.example/up/m/@v/v1.0.0.zip", "-T", place.file(module_zip("corp.example/up/m"), "zip"), "-u", "alice:" + PASSWORD)
    tap.eq(got[0], 201, "nginx at /goproxy: an upload", got)
    tap.eq(curl(run.url + "/cached-only/corp.example/x/@v/v1.0.0.zip", "-u", "alice:" + PASSWORD)[0], 200, "nginx at /goproxy: cached-only")
    tap.eq([p for p in up.paths() if "corp" in p], [], "nginx at /goproxy: nobody was asked")
    run.end()


def certificates():
    """A directory with ca.pem, server.pem, and carol.pem that it has signed; each with its key."""
    folder = place.dir("certs")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"]
    for name, subject in (("ca", "/CN=alice"), ("self", "/O=x/CN=alice")):
        openssl("req", "-x509", *curve, "-subj", subject, "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
                "-out", name + ".crt")
        with open(folder + "/" + name + ".pem", "wb") as f:
            f.write(slurp(folder + "/" + name + ".crt") + slurp(folder + "/key.pem"))
    openssl("req", *curve, "-subj", "/CN=sam/O=Corp,CN=alice", "-out", "sam.csr")
    openssl("x509", "-req", "-in", "sam.csr", "-CA", "ca.pem", "-CAkey", "ca.pem", "-days", "2", "-set_serial", "7",
            "-out", "sam.crt")
    with open(folder + "/sam.pem", "wb") as f:
        f.write(slurp(folder + "/sam.crt") + slurp(folder + "/key.pem"))
    return folder


def test_nginx_certificates():
    if not webrun.installed("nginx"):
        tap.skip("nginx", "not installed")
        return
    folder, port = certificates(), free_port()

    def with_certificates(text):
        text = re.sub(r'  auth_basic.*;\n', "", text).replace("fastcgi_param AUTH_TYPE Basic;", "")
        text = text.replace("  #fastcgi_param SSL", "  fastcgi_param SSL")
        # No rule for files: they are sent by name, which is tried here, too.
        text = re.sub(r"  # What is kept by nginx itself.*?\n  }\n", "", text, flags=re.S)
        return text + ("listen 127.0.0.1:%d ssl; ssl_certificate %s/ca.crt; ssl_certificate_key %s/ca.pem; "
                       "ssl_client_certificate %s/ca.crt; ssl_verify_client optional_no_ca;\n" % (port, folder, folder, folder))
    example = slurp(ROOT + "/httpd-examples/nginx-private.conf").decode()
    run = with_private("nginx", with_certificates, re.search(r"#   (map \$ssl.*)\n", example)[1] + "\n")
    site_conf = os.path.dirname(run) + "/nginx-site.conf"
    text = slurp(site_conf).decode()
    text = re.sub(r"^  #((?:location|  \S|\}).*?)$", r"  \1", text, flags=re.M)
    with open(site_conf, "w") as f:
        f.write(text)
    up, store, run = web("nginx", run, private_client_cert="cn", server_sendfile="x-accel:/_goproxy")
    path, url = "/corp.example/secret/s/@v/v1.0.0.zip", "https://127.0.0.1:%d" % port
    whole = module_zip("corp.example/secret/s")
    for who, arguments, status in (("no certificate", (), 401), ("one of another authority", ("--cert", folder + "/self.pem"), 401),
                                   ("one with the name of the group's", ("--cert", folder + "/sam.pem"), 200)):
        got = curl(url + path, "-k", *arguments)
        tap.eq(got[0], status, "nginx: %s: %d" % (who, status), got)
    tap.eq((got[2] == whole, got[1].get("cache-control")), (True, "private, no-store"), "nginx: X-Accel-Redirect: whole, and kept by nobody")
    tap.ok("x-accel-redirect" not in got[1], "nginx: nobody sees the file's name")
    tap.eq(curl(run.url + "/_goproxy/private/download" + path)[0] >= 400, True, "nginx: the internal path is no way in")
    by_the_go_command(url, folder)
    run.end()


def certificates_of(server, own, fragment):
    """With certificates instead of passwords; own, fragment: of a folder and a port."""
    if not webrun.installed(server):
        tap.skip(server, "not installed")
        return
    folder, port = certificates(), free_port()
    up, store, run = web(server, with_private(server, lambda text: fragment(text, folder), own(folder, port)),
                         private_client_cert="cn")
    path, url = "/corp.example/secret/s/@v/v1.0.0.zip", "https://127.0.0.1:%d" % port
    for who, arguments, statuses in (("no certificate", (), [401]), ("one of another authority", ("--cert", folder + "/self.pem"), [401, 0]),
                                     ("one with the name of the group's", ("--cert", folder + "/sam.pem"), [200])):
        got = curl(url + path, "-k", *arguments)
        tap.ok(got[0] in statuses, "%s: %s: %s" % (server, who, statuses), str(got) + run.log()[-500:])
    tap.eq(got[2] == module_zip("corp.example/secret/s"), True, server + ": the zip")
    got = curl(run.url + path, "-H", "SSL-Client-Verify: SUCCESS", "-H", "SSL-Client-S-DN-CN: sam")
    tap.eq(got[0], 401, server + ": headers that pose as it")
    run.end()


def test_lighttpd_certificates():
    certificates_of("lighttpd", lambda folder, port: """
server.modules += ( "mod_openssl" )
$SERVER["socket"] == "127.0.0.1:%d" {
  ssl.engine = "enable"
  ssl.pemfile = "%s/ca.pem"
  ssl.verifyclient.ca-file = "%s/ca.crt"
  ssl.verifyclient.activate = "enable"
  ssl.verifyclient.enforce = "disable"
}
""" % (port, folder, folder), lambda text, folder: "")


def test_apache_certificates():
    def without_passwords(text, folder):
        text = text.replace("  #SSLOptions", "  SSLOptions")
        return re.sub(r"  (Auth.*?\n|<RequireAny>.*?</RequireAny>\n)", "", text, flags=re.S)
    certificates_of("apache-proxy", lambda folder, port: """
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
Listen 127.0.0.1:%d
<VirtualHost 127.0.0.1:%d>
  ServerName 127.0.0.1
  SSLEngine on
  SSLCertificateFile %s/ca.crt
  SSLCertificateKeyFile %s/ca.pem
  SSLCACertificateFile %s/ca.crt
  SSLVerifyClient optional
</VirtualHost>
""" % (port, port, folder, folder, folder), without_passwords)


def by_the_go_command(url, folder):
    """With the token in ~/.netrc, which it sends by https only; without GOPRIVATE, so that it asks us."""
    go = shutil.which("go", path=os.environ["PATH"] + ":/usr/local/go/bin")
    if not go:
        tap.skip("the go command", "not installed")
        return
    home = place.dir("home")
    env = {"PATH": os.environ["PATH"], "HOME": home, "GOPROXY": url, "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local",
           "SSL_CERT_FILE": folder + "/ca.crt", "GONOSUMDB": "corp.example"}

    def run_go(*arguments):
        done = subprocess.run([go, *arguments], env=env, cwd=home, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    with open(home + "/go.mod", "w") as f:
        f.write("module example.org/user\n\ngo 1.20\n")
    code, text = run_go("list", "-m", "-versions", "corp.example/x")
    tap.ok(code != 0 and re.search("401 Unauthorized.*nobody in particular asked.*netrc", text, re.S), "go without netrc: told what to do", text)
    with open(home + "/.netrc", "w") as f:
        f.write("machine %s login tom password %s\n" % (url.split("//")[1], TOKEN))
    os.chmod(home + "/.netrc", 0o600)
    tap.eq(run_go("list", "-m", "-versions", "corp.example/x"), (0, "corp.example/x v1.0.0\n"), "go with netrc: its versions")
    code, text = run_go("get", "corp.example/x@latest")
    tap.eq(code, 0, "go get", text)
    tap.like(slurp(home + "/go.sum").decode(), re.escape("corp.example/x v1.0.0 " + hash_zip(module_zip("corp.example/x"))), "what was kept here")
    # As Bearer, which goes where accounts take every Basic.
    os.unlink(home + "/.netrc")
    env.update(GOAUTH="cat %s/goauth" % home, GOMODCACHE=home + "/other")
    with open(home + "/goauth", "w") as f:
        f.write("%s\n\nAuthorization: Bearer %s\n\n" % (url, TOKEN))
    tap.eq(run_go("list", "-m", "-versions", "corp.example/x"), (0, "corp.example/x v1.0.0\n"), "go with GOAUTH: its versions")
    code, text = run_go("get", "corp.example/secret/s@latest")
    tap.ok(code != 0 and re.search(r"403 Forbidden.*'tom' may not have it", text, re.S), "go get of another's: told why", text)


def sent_by_name(server, change):
    """With X-Sendfile, and the example changed as it tells."""
    if not webrun.installed(server):
        tap.skip(server, "not installed")
        return
    run = with_private(server)
    name = os.path.dirname(run) + "/%s.conf" % server
    text = slurp(name).decode()
    with open(name, "w") as f:
        f.write(change(text))
    up, store, run = web(server, run, server_sendfile="x-sendfile")
    whole, path = module_zip("corp.example/x"), "/corp.example/x/@v/v1.0.0.zip"
    got = curl(run.url + path, "-u", "alice:" + PASSWORD)
    tap.eq((got[0], got[2] == whole, got[1].get("cache-control")), (200, True, "private, no-store"),
           server + ": X-Sendfile: whole, and kept by nobody", got[:2])
    got = curl(run.url + path, "-u", "alice:" + PASSWORD, "-r", "5-104")
    tap.eq((got[0], got[2] == whole[5:105]), (206, True), server + ": X-Sendfile: Range", got[:2])
    tap.ok("x-sendfile" not in got[1], server + ": X-Sendfile: nobody sees the file's name", got[1])
    for who, status in (("alice:" + PASSWORD, 403), ("sam:x", 401), ("sam:" + PASSWORD, 200)):
        got = curl(run.url + "/corp.example/secret/s/@v/v1.0.0.zip", "-u", who)
        tap.eq(got[0], status, server + ": X-Sendfile: only who may: " + who, got[:2])
    run.end()


def test_lighttpd_by_name():
    sent_by_name("lighttpd", lambda text: re.sub(r"^  #, ", "  , ", text, flags=re.M))


def test_apache_by_name():
    module = "/usr/lib/apache2/modules/mod_xsendfile.so"
    if not os.path.exists(module):
        tap.skip("apache-proxy: X-Sendfile", "not installed: libapache2-mod-xsendfile")
        return
    sent_by_name("apache-proxy", lambda text: "LoadModule xsendfile_module %s\n" % module + text.replace("#XSendFile", "XSendFile"))


def serve(command, port, log):
    """A web server with a configuration of the test's own, once it answers."""
    with open(log, "wb") as out:
        process = children.add(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                                env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin")))
    wait_until(lambda: curl("http://127.0.0.1:%d/" % port)[0] or process.poll() is not None, command[0])
    return process


def asks_first(server, command, port, log, refused):
    """Files sent by a server that asks us as its authorizer, with refuse = 404: Apache makes a 403 of any refusal."""
    process = serve(command, port, log)
    url, whole = "http://127.0.0.1:%d" % port, module_zip("corp.example/secret/s")
    path = "/corp.example/secret/s/@v/v1.0.0.zip"
    for who, status in ((None, 401), ("alice", refused), ("sam", 200)):
        got = curl(url + path, "-r", "0-9", *(("-u", who + ":" + PASSWORD) if who else ()))
        tap.eq(got[0], 206 if status == 200 else status, "%s asks its authorizer: %s: %d" % (server, who, status),
               str(got) + slurp(log).decode())
    tap.eq(curl(url + path, "-u", "sam:" + PASSWORD)[2] == whole, True, server + " sends the file")
    children.stop(process)


def test_authorizer_of_lighttpd():
    if not webrun.installed("lighttpd"):
        tap.skip("lighttpd", "not installed")
        return
    up, store, env = site(private_refuse="404")
    pool, port, folder = Pool(env), free_port(), place.dir("lighttpd")
    conf = place.file("""
server.bind = "127.0.0.1"
server.port = %d
server.document-root = "%s/private/download"
server.modules = ( "mod_auth", "mod_authn_file", "mod_fastcgi" )
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "%s"
auth.require = ( "/corp" => ( "method" => "basic", "realm" => "go", "require" => "valid-user" ) )
fastcgi.server = ( "/" => (( "socket" => "%s", "mode" => "authorizer", "check-local" => "disable",
  "docroot" => "%s/private/download" )))
""" % (port, store, password_file(), pool.address, store))
    asks_first("lighttpd", ["lighttpd", "-D", "-f", conf], port, folder + "/log", 404)
    pool.stop()


def test_authorizer_of_apache():
    if not os.path.exists("/usr/lib/apache2/modules/mod_authnz_fcgi.so"):
        tap.skip("mod_authnz_fcgi", "not installed")
        return
    up, store, env = site(private_refuse="404")
    pool, port, folder = Pool(env, tcp=True), free_port(), place.dir("apache")
    conf = place.file("".join("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n" % (m, m) for m in (
        "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "authnz_fcgi")) + """
ServerRoot "%s"
DefaultRuntimeDir "%s"
PidFile "%s/pid"
ServerName 127.0.0.1
Listen 127.0.0.1:%d
ErrorLog "|/bin/cat"
%sDocumentRoot "%s/private/download"
AuthnzFcgiDefineProvider authz goproxy fcgi://127.0.0.1:%d/
<Location "/">
  AuthType Basic
  AuthName go
  AuthBasicProvider file
  AuthUserFile %s
  AuthzSendForbiddenOnFailure On
  Require goproxy
</Location>
""" % (folder, folder, folder, port, "User www-data\nGroup www-data\n" if os.geteuid() == 0 else "", store,
       pool.address[1], password_file()))
    asks_first("Apache", ["apache2", "-D", "FOREGROUND", "-f", conf], port, folder + "/log", 403)
    pool.stop()


def test_lighttpd():
    behind("lighttpd")


def test_apache_proxy():
    behind("apache-proxy")


def test_apache_fcgid():
    behind("apache-fcgid")


def test_apache_cgi():
    behind("apache-cgi")


def test_apache_htaccess():
    behind("apache-htaccess", False)


tap.run(globals(), int(os.environ.get("JOBS", "2")))
