#!/usr/bin/env python3
"""60-direct.t - modules straight from git: what our proxy answers with chain = direct, held against
what the real go command finds with GOPROXY=direct in the same repositories, served the same way.

One line for each case: module, query, version, h1, and whether all answers are the same: the list, or
the query's .info (origin included), and of the version it leads to .info, .mod, and h1 of .zip. Where go
fails ours must be 404 or 410, or what the case says. Repositories, servers and the oracle: vcstest.py;
cases: vcscases.py. What go says is in tests/vectors/direct.jsonl for one version of go, git and its
scripts, and one in a hundred is asked anew; for others the first run asks for all, which takes ten minutes,
and keeps the answers below build/vcstest.

    60-direct.t [WORD...]     only groups or cases with such a word in them
    DIRECT_CASES="WORD..."    the same
    DIRECT_ANSWERS=oracle     the table against the oracle's own answers served as a proxy would
    DIRECT_JOBS=N             requests at once (4)
    DIRECT_VECTORS=write      keep what go says in tests/vectors/direct.jsonl
"""
import concurrent.futures
import io
import json
import os
import re
import sys
import threading
import urllib.parse
import zipfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import clip, look_for_reports, slurp, tap  # noqa: E402
from live import skip_all  # noqa: E402
import vcscases  # noqa: E402
from vcstest import VECTORS, WRITE, Files, Oracle, Proxy, World, has_direct, hash_zip, same_info, url  # noqa: E402

JOBS = int(os.environ.get("DIRECT_JOBS", "4"))
WORDS = sys.argv[1:] or os.environ.get("DIRECT_CASES", "").split()
OWN = os.environ.get("DIRECT_ANSWERS") == "oracle"
# No other query may be asked for with others: it would leave its own origin with the version it leads to.
CANONICAL = re.compile(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+incompatible)?$")
# Where a go command's failure says that nobody could be asked.
UNREACHED = re.compile(r"502 |No such host|no such host here|Could not resolve|[Cc]ould not read from remote"
                       r"|exit status 128")
# Where it says that there can't be such a thing.
IMPOSSIBLE = re.compile(r"invalid module version|malformed module path")


class Verdict:
    """What came of one case."""

    def __init__(self):
        self.version = self.h1 = self.how = ""
        self.wrong, self.notes = [], []

    def want(self, good, text):
        if not good:
            self.wrong.append(clip(text, 700))


def text_of(body):
    return clip(body.decode("utf-8", "replace").strip(), 500)


def quoted(path):
    return urllib.parse.quote(path, safe="/!@+~=,$&'()*:;")


def kept(want):
    """The answer to a query as go writes it to its cache (writeDiskStat in modfetch/cache.go)."""
    pseudo = re.search(r"[-.]\d{14}-[0-9a-f]{12}(\+incompatible)?$", want["version"])
    drop = ("TagSum", "TagPrefix", "RepoSum") + (("Ref",) if pseudo else ())
    return dict(want, origin={k: v for k, v in want["origin"].items() if k not in drop} if want["origin"] else None)


class Judge:
    """Holds the answers of a proxy against the oracle's."""

    def __init__(self, oracle, answers):
        self.oracle, self.answers, self.versions, self.lock = oracle, answers, {}, threading.Lock()

    def get(self, module, name):
        return self.answers.get(quoted(url(module, name)))

    def case(self, case):
        v = Verdict()
        if case.query == "@list":
            self._list(case, v)
        else:
            self._query(case, v)
        return v

    def _list(self, case, v):
        want = self.oracle.list(case.module)
        status, body = self.get(case.module, "list")
        if "error" in want:
            return self._fails(case, v, want["error"], status, body)
        v.version = "%d versions" % len(want["list"])
        v.want(status == 200 or case.differs_at(""), "list: status %d: %s" % (status, text_of(body)))
        v.want(case.versions is None or case.versions == want["list"],
               "go lists %s, its tests %s" % (want["list"], case.versions))
        if status == 200:
            got = body.decode("utf-8", "replace").split("\n")
            v.want(sorted(got[:-1]) == sorted(want["list"]) and got[-1] == "",
                   "list: %r, go says %r" % (got, want["list"]))

    def expected(self, case):
        """What the oracle says to a query, the cheap way: a version's own answer serves for itself."""
        query = "latest" if case.query == "@latest" else case.query
        if case.batch:
            return self.batches[case.module][query]
        if CANONICAL.match(query):
            found = self.oracle.version(case.module, query)
            return found if "error" in found else dict(found, time=None, origin=None)
        return self.oracle.query(case.module, query)

    def _query(self, case, v):
        want = self.expected(case)
        name = case.query if case.query == "@latest" else case.query + ".info"
        status, body = self.get(case.module, name)
        if not vcscases.askable(case.query):
            return self._fails(case, v, want.get("error", "no proxy can be asked for this"), status, body, "4..")
        if case.error:
            v.want(case.error in want.get("error", "") or re.search(case.error, want.get("error", "")),
                   "go says %r, its tests %r" % (want, case.error))
        v.want(not case.version or want.get("version") == case.version,
               "go says %s, its tests %s" % (want.get("version"), case.version))
        if case.ours:
            v.version = case.ours
            v.want(status == 200 and json.loads(body)["Version"] == case.ours, "%d: %s" % (status, text_of(body)))
            v.want(want.get("version") != case.ours, "go says so, too: it is no exception any more")
            return
        for other, how in self._others(case):
            # Only if it isn't right anyway.
            if self._differs(case, want, status, body) and not self._differs(case, other, status, body):
                want, v.how = other, how
        if "error" in want:
            return self._fails(case, v, want["error"], status, body)
        v.version = want["version"]
        v.want(not (differs := self._differs(case, want, status, body)), "%s: %s" % (name, differs))
        self._version(case, v)

    def _others(self, case):
        """(answer, how): what is as right, since no go command asks a proxy for it."""
        if case.query == "@latest":
            # It takes that from the list, if there are versions, and @latest is for where the branch is.
            yield self.oracle.query(case.module, "HEAD"), "as HEAD"
        if case.alias:
            # It takes v1 and v1.2 as prefixes, and ends there.
            yield self.oracle.query(case.module, case.alias), "as the ref of that name"

    def _differs(self, case, want, status, body):
        """What is wrong with the answer to a query; "" if nothing."""
        if "error" in want:
            return "" if status in (404, 410) else "status %d where go fails" % status
        if status != 200:
            return "status %d: %s" % (status, text_of(body))
        own = self.oracle.version(case.module, want["version"])
        # As the version's own, as go prints it, or as go keeps it: without what is there for reuse alone.
        accept = [own["info"]] if "info" in own else []
        if "info" not in want:
            accept += [want, kept(want)]
            if case.query in ("@latest", "HEAD") and want["origin"]:
                # Latest() says so, M@HEAD leaves it out.
                accept += [dict(w, origin=dict(w["origin"], Ref="HEAD")) for w in (want, kept(want))]
        return same_info(body, accept, case.batch or case.alias)

    def _version(self, case, v):
        """The files of the version, once for all queries that lead to it."""
        own = self.oracle.version(case.module, v.version)
        with self.lock:
            known = self.versions.setdefault((case.module, v.version), {"lock": threading.Lock()})
        with known["lock"]:
            if "wrong" in known:
                v.wrong += ["%s: as with another query" % v.version] if known["wrong"] else []
            else:
                one = Verdict()
                self._files(case.module, v.version, own, one, case)
                known.update(wrong=one.wrong, h1=one.h1)
                v.wrong += one.wrong
                v.notes += one.notes
            v.h1 = known["h1"]
        v.want(not case.h1 or case.h1 == own.get("h1"), "go's hash is %s, its tests' %s" % (own.get("h1"), case.h1))

    def _files(self, module, version, own, v, case):
        # The version's, not the query's that happens to be the first to lead here.
        may_differ = case.differs_at(version)
        if "error" in own:
            for kind in ("info", "mod", "zip"):
                self._fails(case, v, own["error"], *self.get(module, "%s.%s" % (version, kind)))
            return
        status, body = self.get(module, version + ".info")
        v.want(status == 200, "%s.info: status %d: %s" % (version, status, text_of(body)))
        if status == 200:
            v.want(not (differs := same_info(body, [own["info"]])), "%s.info: %s" % (version, differs))
            if not differs and body.decode() != own["info"]:
                v.notes.append("%s.info: the same as go's, but written otherwise" % version)
        status, body = self.get(module, version + ".mod")
        mod = own["mod"].encode("utf-8", "surrogateescape")
        v.want(status == 200 and body == mod or may_differ and status >= 400,
               "%s.mod: status %d: %r, go says %r" % (version, status, text_of(body), clip(own["mod"], 300)))
        status, body = self.get(module, version + ".zip")
        if "ziperror" in own:
            v.h1 = "(no zip)"
            if not (may_differ and status == 200):
                self._fails(case, v, own["ziperror"], status, body)
            return
        got = hash_zip(body) if status == 200 else "status %d: %s" % (status, text_of(body))
        v.h1 = own["h1"]
        v.want(got == own["h1"] or may_differ and status >= 400, "%s.zip: %s, go says %s" % (version, got, own["h1"]))

    def _fails(self, case, v, error, status, body, pattern=None):
        pattern = pattern or case.status or ("[45].." if UNREACHED.search(error) else "4.." if IMPOSSIBLE.search(error) else
                                             "404|410")
        v.version = v.version or "(go fails)"
        v.notes += ["go: " + clip(error.strip(), 500), "us: %d %s" % (status, text_of(body))]
        v.want(re.fullmatch(pattern, str(status)), "status %d where go fails, wanted %s" % (status, pattern))

    def prepare(self, cases):
        """Ask the oracle what isn't known yet, some at once."""
        forms, canonical = {}, {}
        for case in cases:
            if case.batch:
                forms.setdefault(case.module, []).append(case.query)
            elif CANONICAL.match(case.query):
                canonical.setdefault(case.module, []).append(case.query)
        # A process for some dozen: shorter waits, and two at once.
        parts = [(m, qs[i:i + 40]) for m, qs in forms.items() for i in range(0, len(qs), 40)]
        self.batches = {}
        for (module, _), answers in zip(parts, self.oracle.warm([(self.oracle.queries, *p) for p in parts])):
            self.batches.setdefault(module, {}).update(answers)
        self._versions(canonical)
        self.oracle.warm([(self._ask, c) for c in cases if not c.batch])
        found = {}
        for case in cases:
            if case.query != "@list" and "version" in (answer := self.expected(case)):
                found.setdefault(case.module, set()).add(answer["version"])
        self._versions(found)

    def _versions(self, found):
        parts = [(m, sorted(vs)[i:i + 20]) for m, vs in found.items() for i in range(0, len(vs), 20)]
        self.oracle.warm([(self.oracle.versions, *p) for p in parts])
        self.oracle.warm([(self.oracle.version, m, v) for m, vs in found.items() for v in sorted(vs)])

    def _ask(self, case):
        return self.oracle.list(case.module) if case.query == "@list" else self.expected(case)


def show(case, v):
    """A test point."""
    line = "%s %s %s %s" % (case, v.version, v.h1, "NOT" if v.wrong else "same")
    line += "".join(" (%s)" % text for text in (v.how, case.why) if text)
    tap.ok(not v.wrong, re.sub(r"\s+", " ", line), "\n".join(v.wrong))
    if v.notes:
        tap.say("\n".join(v.notes))


def run_cases(judge, cases):
    asked = [c for c in cases if not c.absent]
    judge.prepare(asked)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as executor:
        for case, v in zip(asked, executor.map(judge.case, asked)):
            show(case, v)
    for case in cases:
        if case.absent:
            tap.skip("%s (%s)" % (case, case.why), case.absent)


# That the comparison can fail

SPOILED = {
    "another version": (r"v1\.2\.3\.info$", lambda b: b.replace(b"v1.2.3", b"v1.2.4")),
    "another time": (r"v1\.2\.3\.info$", lambda b: b.replace(b"22Z", b"23Z")),
    "another hash": (r"v1\.2\.3\.info$", lambda b: b.replace(b"ede458", b"ede459")),
    "another ref": (r"v1\.2\.3\.info$", lambda b: b.replace(b"refs/tags/", b"refs/heads/")),
    "no origin": (r"v1\.2\.3\.info$", lambda b: b[:b.index(b',"Origin"')] + b"}"),
    "another URL of a branch": (r"master\.info$", lambda b: b.replace(b"https:", b"http:")),
    "no JSON": (r"master\.info$", lambda b: b[:-1]),
    "a longer go.mod": (r"v1\.2\.3\.mod$", lambda b: b + b"\n"),
    "another zip": (r"v1\.2\.3\.zip$", lambda b: respell(b)),
    "one version too few": (r"/list$", lambda b: b.replace(b"v1.2.3\n", b"")),
    "one version too many": (r"/list$", lambda b: b + b"v9.0.0\n"),
    "no newline": (r"/list$", lambda b: b[:-1]),
    "another @latest": (r"@latest$", lambda b: b.replace(b"v2.0.2", b"v2.0.9")),
}


def respell(data):
    """The zip with another last byte in each file."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as z, zipfile.ZipFile(out, "w") as w:
        for name in z.namelist():
            w.writestr(name, z.read(name) + b"!")
    return out.getvalue()


def test_comparer():
    """It takes the oracle's own answers, and none that is spoiled."""
    asking = Oracle(world, has_vectors=False)   # it needs the zips
    module = vcscases.git("gitrepo1")
    cases = [vcscases.Case(module, q) for q in ("@list", "@latest", "v1.2.3", "master", "nosuch")]

    def faults(spoil=None):
        judge = Judge(asking, Files(asking, spoil))
        judge.prepare(cases)
        return ["%s: %s" % (c, w) for c in cases for w in judge.case(c).wrong]
    tap.eq(faults(), [], "the comparer takes the oracle's own answers")
    for what, (pattern, change) in SPOILED.items():
        wrong = faults(lambda path, s, body: (s, change(body) if s == 200 and re.search(pattern, path) else body))
        tap.ok(wrong, "the comparer notices " + what)
    for status in (200, 500, 502, 403, 0):
        tap.ok(faults(lambda path, s, body: (status if "nosuch" in path else s, body)),
               "the comparer notices %d for a 404" % status)
    tap.ok(faults(lambda path, s, body: (404 if path.endswith(".mod") else s, body)), "the comparer notices 404 for a .mod")


# Groups

def answers(**more):
    return Files(oracle) if OWN else Proxy(world, **more)


def check_pool(proxy, what):
    if not OWN:
        proxy.stop()
        look_for_reports(proxy.pool.log(), what)


def chosen(name, cases):
    """The cases with one of the words of the command line in them; all of a group that has it in its name."""
    return [c for c in cases if not WORDS or any(w in name or w in str(c) for w in WORDS)]


def group(name, cases):
    """The cases of a table, one pool for it: what one group leaves behind is nothing to the next."""
    def test():
        proxy = answers()
        try:
            run_cases(Judge(oracle, proxy), cases)
        finally:
            check_pool(proxy, name)
            if world.dead():
                tap.ok(False, "the servers live on after " + name, world.dead())
    return test


def server_group(kind):
    """Some cases with another web server in front of git."""
    def test():
        world.use(kind)
        proxy = answers()
        names = (vcscases.git("gitrepo1"), vcscases.git("gitrepo-sha256"), vcscases.TEST + "/go/v2module/v2")
        try:
            run_cases(Judge(oracle, proxy), [vcscases.Case(m, q, kind) for m in names
                                             for q in ("@list", "@latest", "HEAD", "nosuch")])
            tap.ok("git-upload-pack" in slurp(world.servers[kind].work + "/access.log").decode() or OWN,
                   "git has been served by " + kind)
        finally:
            check_pool(proxy, kind)
            world.use("nginx")
    return test


if not OWN and not has_direct():
    skip_all("this program has no direct mode")
world = World()
oracle = Oracle(world)
tables = {"go": vcscases.of_go(vcscases.go_root()), **vcscases.of_repos(world), **vcscases.of_extra(world)}
groups = {"test_" + name: group(name, found) for name, cases in tables.items() if (found := chosen(name, cases))}
functions = {"test_comparer": test_comparer, "test_apache": server_group("apache"),
             "test_lighttpd": server_group("lighttpd")}
groups.update({name: f for name, f in functions.items() if not WORDS or any(w in name for w in WORDS)})
for what, why in vcscases.EXCEPTIONS.items():
    tap.say("not here: %s: %s" % (what, why))


def test_vectors():
    """Last of all: what was taken from the vectors is what go says, as far as it was asked anew."""
    for name, is_same, text in oracle.live:
        tap.ok(is_same, "go still says what %s keeps of it: %s" % (VECTORS, name), text)
    if WRITE:
        oracle.write_vectors(not WORDS)


groups["test_vectors"] = test_vectors
# The choice is made.
del sys.argv[1:]
tap.run(groups)
