"""vcscases - which questions the tests of direct mode ask.

    of_go(world)       the tables of cmd/go/internal/modfetch/coderepo_test.go, and what scripts of
                       cmd/go/testdata/script ask of these repositories, with their own expectations
    of_repos(world)    for each repository of a script: its modules, each with all refs and commits
    of_extra(world)    the same for those of vcsextra, and odd pages

A case: Case(module, query, ...); the query "@list" is the list, "@latest" the latest.
"""
import re
import subprocess
from dataclasses import dataclass, field

from harness import slurp
from live import GO
import vcsextra
from vcsrepo import git_env

TEST = "vcs-test.golang.org"


@dataclass
class Case:
    module: str
    query: str
    why: str = ""          # where it comes from
    version: str = ""      # what that source expects of the oracle: a version,
    error: str = ""        # a part of the error,
    h1: str = ""           # a hash,
    versions: list = None  # a list
    alias: str = ""        # the commit of a ref that go takes for a prefix
    batch: bool = False    # asked together with others: the origin is compared loosely
    status: str = ""       # a pattern for our status where go fails; else see 60-direct.t
    # Version ("": each) -> why ours may give what go refuses, or refuse what go gives.
    differs: dict = field(default_factory=dict)
    ours: str = ""         # the version that ours says instead of go's; why is the reason
    absent: str = ""       # why it can't be asked here

    def differs_at(self, version):
        return self.differs.get("") or self.differs.get(version)

    def __str__(self):
        return "%s %s" % (self.module, self.query) if self.query.startswith("@") else "%s@%s" % (self.module, self.query)


# What there is no script for.
ABSENT = {
    "swtch.com/testmod": "the repository isn't in testdata/vcstest (pages.example.com/mod is one of the kind)",
    "github.com/rsc/quote/buggy": "github.com/rsc/quote isn't in testdata/vcstest",
}
ABSENT_WHY = "the repository isn't in testdata/vcstest"
SERVED = ("vcs-test.golang.org/", "github.com/rsc/vgotest1", "github.com/rsc/empty", "gopkg.in/yaml.v2/abc")


def fields(block):
    """A Go struct literal's strings."""
    found = {}
    for name, double, raw in re.findall(r'\b(\w+):\s+(?:"((?:\\.|[^"\\])*)"|`([^`]*)`)', block):
        found[name] = double.replace('\\"', '"').replace("\\n", "\n") if double else raw
    listed = re.search(r"versions:\s+\[\]string\{([^}]*)\}", block)
    if listed:
        found["versions"] = re.findall(r'"([^"]*)"', listed[1])
    return found


def table(text, name):
    body = re.search(r"^var %s = .*?\{\n(.*?)^\}" % name, text, re.M | re.S)[1]
    return [fields(b) for b in re.findall(r"^\t\{\n(.*?)^\t\},", body, re.M | re.S)]


def absent(row):
    path = row["path"]
    if path.startswith(SERVED):
        return ""
    return ABSENT.get(path, ABSENT_WHY)


def of_go(go_root):
    source = go_root + "/src/cmd/go/internal/modfetch/coderepo_test.go"
    text, cases = slurp(source).decode(), []
    for row in table(text, "codeRepoTests"):
        cases.append(Case(row["path"], row.get("rev") or "latest", "codeRepoTests", row.get("version", ""),
                          row.get("err", ""), row.get("zipSum", ""), absent=absent(row)))
        if cases[-1].module == "gopkg.in/yaml.v2/abc":
            # The go command refuses it before the code under that test does, in other words.
            cases[-1].error = "malformed module path"
        # With an error, the version is what Stat says before the go.mod is looked for.
        if cases[-1].error:
            cases[-1].version = ""
    for row in table(text, "codeRepoVersionsTests"):
        if "prefix" not in row:
            cases.append(Case(row["path"], "@list", "codeRepoVersionsTests", versions=row.get("versions", []),
                              absent=absent(row)))
    for row in table(text, "latestTests"):
        # Latest() is what the default branch is at; with HEAD go asks for just that.
        has_tags = row["path"].startswith((TEST + "/git/commit-after-tag", TEST + "/go/gitrepo"))
        cases.append(Case(row["path"], "HEAD" if has_tags else "@latest", "latestTests", row.get("version", ""),
                          row.get("err", "").split(": ", 1)[-1].split("@")[-1].split(": ", 1)[-1], absent=absent(row)))
    return cases + SCRIPTS


def git(name):
    return "%s/git/%s.git" % (TEST, name)


def s(script, module, query, version="", error="", **more):
    return Case(module, query, script, version, error, **more)


# What the scripts of cmd/go/testdata/script ask; those not here need the network or another system (see EXCEPTIONS).
SCRIPTS = [
    s("mod_get_issue47650", git("issue47650"), "21535ef346c3", "v0.1.1-0.20210811175200-21535ef346c3"),
    s("mod_get_issue47650", git("issue47650"), "v0.1.1-0.20210811175200-21535ef346c3",
      "v0.1.1-0.20210811175200-21535ef346c3"),
    s("mod_get_direct", git("tagtests"), "master", "v0.2.3-0.20190509225625-c7818c24fa2f"),
    s("mod_get_pseudo_prefix", git("prefixtagtests") + "/sub", "@latest", "v0.0.10"),
    s("mod_get_pseudo_prefix", git("prefixtagtests") + "/sub", "master", "v0.0.11-0.20190509223500-c3ee5d0dfbb9"),
    s("mod_retract_pseudo_base", git("retract-pseudo"), "@list", versions=["v1.0.0"]),
    s("mod_retract_pseudo_base", git("retract-pseudo"), "713affd19d7b", "v0.0.0-20201009173747-713affd19d7b"),
    s("mod_retract_pseudo_base", git("retract-pseudo"), "64c061ed4371", "v0.0.0-20201009173747-64c061ed4371"),
    s("mod_retract_pseudo_base", git("retract-pseudo"), "v1.0.1-0.20201009173747-713affd19d7b",
      "v1.0.1-0.20201009173747-713affd19d7b"),
    s("mod_retract_pseudo_base", git("retract-pseudo"), "v1.0.1-0.20201009173747-64c061ed4371",
      error="is already canonical, so should not be replaced"),
    s("mod_list_odd_tags", git("odd-tags"), "@latest", "v0.1.1-0.20220223184835-9d863d525bbf"),
    s("mod_get_major", git("v3pkg") + "/v3", "v3.0.0", "v3.0.0"),
    s("mod_get_major", git("empty-v2-without-v1") + "/v2", "v2.0.0", "v2.0.0"),
    s("mod_get_subdir", TEST + "/go/gitreposubdir", "v1.2.3", "v1.2.3"),
    s("mod_get_subdir", TEST + "/go/gitreposubdirv2/v2", "v2.0.0", "v2.0.0"),
    s("mod_get_subdir", TEST + "/go/gitreposubdir/foo/subdir", "v1.2.3", error="."),
    s("mod_missing_repo", TEST + "/go/missingrepo/missingrepo-git", "latest", error="."),
    s("mod_missing_repo", TEST + "/go/missingrepo/missingrepo-git/notmissing", "latest",
      "v0.0.0-20190905180743-8a27e8babc8b"),
    s("mod_missing_repo", TEST + "/go/missingrepo/missingrepo-git-ssh", "latest", error=".", status="[45].."),
    s("mod_missing_repo", TEST + "/go/missingrepo/missingrepo-git-ssh/notmissing", "latest",
      "v0.0.0-20190905180743-8a27e8babc8b"),
    s("mod_download_insecure_redirect", TEST + "/insecure/go/insecure", "latest", error=".", status="[45].."),
    s("mod_auth", TEST + "/go/modauth404", "latest", error="File\\? What file\\?", status="[45].."),
    s("mod_list_issue61415", git("issue61415") + "/nested", "latest", error="."),
    s("mod_list_issue61415", git("issue61415") + "/nested", "has-nested", "v0.0.0-20231114180000-08a4fa6bb9c0"),
    s("mod_list_issue61415", git("issue61415"), "08a4fa6bb9c04ffba03b26ae427b0d6335d90a2a",
      "v0.0.0-20231114180000-08a4fa6bb9c0"),
    s("mod_download_git_decorate_full", git("gitrepo1"), "v1.2.3", "v1.2.3"),
    s("mod_download_git_bareRepository_sha256", git("gitrepo-sha256"), "v1.2.3", "v1.2.3"),
    s("mod_get_pseudo", git("legacytest"), "master", "v2.0.1-0.20180717164253-7303f7796364+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "@latest", "v2.0.0+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "7303f77", "v2.0.1-0.20180717164253-7303f7796364+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "v2.0.0+incompatible", "v2.0.0+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "v2.0.0", "v2.0.0+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "d7ae1e4", "v2.0.0+incompatible"),
    s("mod_get_pseudo", git("legacytest"), "d2d4c3e", "v1.2.1-0.20180717164942-d2d4c3ea6623"),
    s("mod_get_pseudo", git("legacytest"), "fb3c628", "v1.1.0-pre.0.20180717164849-fb3c628075e3"),
    s("mod_get_pseudo", git("legacytest"), "731e3b1", "v1.1.0-pre"),
    s("mod_get_pseudo", git("legacytest"), "fa4f5d6", "v1.0.1-0.20180717164228-fa4f5d6a71c6"),
    s("mod_get_pseudo", git("legacytest"), "7fff7f3", "v1.0.0"),
    s("mod_get_pseudo", git("legacytest"), "52853eb", "v0.0.0-20180717164157-52853eb7b552"),
    s("mod_invalid_version", git("hello"), "v0.0.0-20170922010558-fc3a09f3dc5cfe", error="longer than canonical"),
    s("mod_invalid_version", git("hello"), "v0.0.0-20170922010558-fc3a09f3dc5", error="shorter than canonical"),
    s("mod_invalid_version", git("hello"), "v0.0.0-20190922010558-fc3a09f3dc5c",
      error="does not match version-control timestamp"),
    s("mod_invalid_version", git("hello"), "v1.0.0-20170922010558-fc3a09f3dc5c", error="must be v0, not v1"),
    s("mod_invalid_version", git("hello"), "v1.0.1-0.20170922010558-fc3a09f3dc5c",
      error="preceding tag \\(v1.0.0\\) not found"),
    s("mod_invalid_version", git("hello"), "v2.0.0-20170922010558-fc3a09f3dc5c",
      "v2.0.0-20170922010558-fc3a09f3dc5c+incompatible"),
    s("mod_invalid_version", git("querytest"), "v1.0.1-0.20180704023101-5e9e31667ddf",
      error="is not a descendent of preceding tag"),
    s("reuse_git", git("hello") + "/v9", "latest", error="no matching versions"),
    s("reuse_git", git("hello") + "/sub/v9", "latest", error="no matching versions"),
    s("reuse_git", git("hello"), "nonexist", error="unknown revision nonexist"),
    s("reuse_git", git("prefixtagtests") + "/sub", "v0.0.10", "v0.0.10"),
]

EXCEPTIONS = {
    "mod_get_commit, mod_prefer_compatible, mod_download_issue51114, mod_download_private_vcs, mod_git_export_subst, "
    "mod_getx": "need repositories at github.com or golang.org that testdata/vcstest hasn't got; attributes such as "
                "export-subst are in code.example.com/attributes.git",
    "mod_gopkg_unstable, mod_replace_gopkgin": "need gopkg.in itself; gopkg.in/box.v1, .v2, .v2-unstable stand in",
    "mod_download_svn, mod_get_pseudo_hg, mod_get_fossil": "other systems than git",
    "mod_vcs_missing": "is about a machine without a VCS",
}


# The repositories

def run_git(path, *words):
    env = git_env("/dev/null", GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0="*")
    done = subprocess.run(["git", "-C", path, *words], env=env, capture_output=True)
    return done.stdout.decode("utf-8", "replace").splitlines()


def stamp(path, revision):
    """Its time and hash as in pseudo-versions."""
    return run_git(path, "log", "-1", "--format=%cd-%h", "--abbrev=12", "--date=format:%Y%m%d%H%M%S", revision, "--")[0]


class Repository:
    """What is in a bare repository."""

    def __init__(self, path):
        self.tags = run_git(path, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags")
        self.branches = run_git(path, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
        self.prefixes = {ref: run_git(path, "rev-parse", ref + "^{}")[0] for ref in self.tags[::-1] + self.branches
                         if re.fullmatch(r"v\d+(\.\d+)?", ref)}
        self.commits = run_git(path, "rev-list", "--branches", "--tags")
        named = run_git(path, "log", "-m", "--branches", "--tags", "--name-only", "--format=", "--", "*/go.mod")
        self.folders = {f.rpartition("/")[0] for f in named if f.endswith("/go.mod")}

    def modules(self, root):
        """(module path, prefix of its tags): root, folders with a go.mod, /vN of each."""
        majors = sorted({m[1] for t in self.tags if (m := re.match(r"(?:.*/)?v([2-9]|[1-9]\d+)(?:\.|$)", t))}, key=int)
        found = {root: ""}
        for folder in sorted(self.folders):
            plain = re.sub(r"/?\bv\d+$", "", folder)
            found[root + "/" + folder] = plain + "/" if plain else ""
            if plain:
                found[root + "/" + plain] = plain + "/"
        for major in majors:
            found.setdefault("%s/v%s" % (root, major), "")
        return found.items()


def askable(query):
    """Whether a proxy can be asked for it: module.EscapeVersion lets it pass."""
    return bool(re.fullmatch(r"[\w\-.~#$%&()+,=@\[\]^{} ]+", query, re.ASCII)) and not query.endswith(".")


def of_module(module, prefix, repository, all_forms):
    """All there is to ask of one module."""
    cases = [Case(module, "@list"), Case(module, "@latest")]
    refs = [t[len(prefix):] for t in repository.tags if t.startswith(prefix)] + repository.branches + ["HEAD"]
    if prefix:
        refs += [t for t in repository.tags if not t.startswith(prefix)][:3]
    cases += [Case(module, ref, alias=repository.prefixes.get(ref, "")) for ref in dict.fromkeys(refs)
              if "/" not in ref]
    for commit in repository.commits[:120]:
        for digits in (len(commit), 12, 7) if all_forms else (12,):
            cases.append(Case(module, commit[:digits], batch=True))
    cases += [Case(module, q, batch=True) for q in ("v0", "v1", "v1.0", "nosuch", "0123456789ab", "f" * 40, "abc123")]
    return cases


# Pages that lead to a script's repository.
PAGES = {"gitrepo1": ["/go/mod/gitrepo1"], "gitrepo-sha256": ["/go/mod/gitrepo-sha256"],
         "gitreposubdir": ["/go/gitreposubdir"], "gitreposubdirv2": ["/go/gitreposubdirv2/v2"],
         "v2repo": ["/go/v2module/v2", "/go/v2module"]}
PAGE_PREFIX = {"/go/gitreposubdir": "foo/subdir/", "/go/gitreposubdirv2/v2": "subdir/"}


def of_repos(world):
    """repository -> cases"""
    found = {}
    for name in world.scripts.repos():
        repository = Repository("%s/repos/git/%s" % (world.scripts.path, name))
        root = "github.com/rsc/vgotest1" if name == "vgotest1" else git(name)
        modules = list(repository.modules(root))
        modules += [(TEST + page, PAGE_PREFIX.get(page, "")) for page in PAGES.get(name, [])]
        found[name] = [c for m, prefix in modules for c in of_module(m, prefix, repository, m == root)]
    return found


# Queries beyond refs and commits, and what ours may do otherwise.
MORE = {
    "tags": ["v1.0.0+incompatible", "v1.5", "v1.3", "<v1.3.0", "v1.0.0-rc.1", "v2.0.0+incompatible", "v1.4.9",
             "refs/heads/master", "heads/master", "tags/v1.0.0", "master~1", "master^{tree}", "@", "v1.0.0^{}", ":/c",
             "-q", "--help", "v1.1.0-0.20170714035320-000000000000"],
    "pulls": ["1/head", "pull/1/head", "refs/pull/1/head"],
    "retract": ["v1.1.0", "v1.3.0", "v1.1.9"],
    "empty": ["HEAD", "latest", "v1.0.0", "master"],
    "headless": ["HEAD", "latest"],
    "many": [], "history": ["v0.3.0", "v0.3"],
}
# Ours may give a file that go refuses, or refuse one that go gives, for these repositories (and versions).
DIFFERS = {
    "toonew": {"": "go refuses a module that asks for a newer go; a proxy passes it on"},
    "bigmod": {"": "go reads a go.mod of any size here; over 16 MiB ours may refuse"},
    "modes": {"v1.3.0": "a folder go.mod in a zip is fine with x/mod/zip; go stumbles when it has unpacked it"},
}
# query -> (version, why): what ours says instead of what go does.
SHALLOW = "go's git takes no ref that a shallow repository can't give whole; ours does, and finds the tag before it"
INSTEAD = {"shallow": {q: ("v1.1.0-pre.0.20170714043640-15ca22e0cffe", SHALLOW) for q in ("master", "HEAD")}}
GOPKG = ("gopkg.in/box.v1", "gopkg.in/box.v2", "gopkg.in/box.v3", "gopkg.in/box.v2-unstable", "gopkg.in/box",
         "gopkg.in/box.v9", "gopkg.in/box.v2/sub")
PAGES_ASKED = ("one", "twice", "other", "foreign", "below/this", "below", "differs/this", "hg", "nosuch", "plain", "file",
               "ext", "dash", "unknown", "sub", "subup", "mod", "none", "broken", "nothing", "one/two", "mod/below")


def of_extra(world):
    """repository -> cases"""
    found = {}
    for name in vcsextra.REPOS:
        path = "%s/%s" % (world.extra, name)
        repository = Repository(path)
        root = "%s/%s.git" % (vcsextra.HOST, name)
        if name in ("names", "collide"):
            # One for each tag.
            repository.branches = repository.branches[:2]
        found[name] = [c for m, prefix in repository.modules(root)
                       for c in of_module(m, prefix, repository, m == root and name not in ("names", "collide"))]
        found[name] += [Case(root, q) for q in MORE.get(name, [])]
        if name == "pulls":
            hidden = [slurp(path + "/unreachable").decode()]
            hidden += run_git(path, "rev-parse", "refs/pull/1/head", "refs/changes/01/1/1", "refs/notes/commits")
            found[name] += [Case(root, h[:n]) for h in hidden for n in (40, 12)]
            found[name].append(Case(root, "v1.0.1-0." + stamp(path, "refs/pull/1/head")))
        if name == "shallow":
            # What go's fetch has brought before it breaks off depends on the order of what is asked.
            found[name] = [c for c in found[name] if not c.batch]
        if name == "detached":
            found[name] += [Case(root, h[:n]) for h in run_git(path, "rev-parse", "HEAD", "HEAD~1") for n in (40, 12)]
        if name == "tags":
            # Of annotated tags, and of a commit behind a tag that stands for a directory.
            found[name] += [Case(root, h[:n]) for h in run_git(path, "rev-parse", "v1.3.0", "nested-annotated")
                            for n in (40, 12, 7)]
            found[name].append(Case(root, "v1.4.2-0." + stamp(path, "same^0"), error="."))
        for case in found[name]:
            case.differs = DIFFERS.get(name, {})
            case.ours, case.why = INSTEAD.get(name, {}).get(case.query, ("", case.why))
    gopkg = Repository(world.extra + "/gopkg")
    found["gopkg.in"] = [c for m in GOPKG for c in of_module(m, "", gopkg, False)]
    found["ssh"] = [Case("ssh.example.com/" + name, q, status="[45]..")
                    for name in ("gitrepo1", "querytest", "gitrepo-sha256", "nosuch")
                    for q in ("@list", "@latest", "master", "main", "v1.2.3", "a8205f8", "v0.1.0")]
    up = "go takes a subdirectory outside the repository, and finds nothing in it"
    found["pages"] = [Case("pages.example.com/" + name, q, status="[45]..", differs={"": up} if name == "subup" else {})
                      for name in PAGES_ASKED
                      for q in ("@list", "@latest", "v1.2.3", "v1.0.0")]
    return found


def go_root():
    return subprocess.run([GO, "env", "GOROOT"], cwd="/", capture_output=True, text=True).stdout.strip()
