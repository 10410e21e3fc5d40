"""vcsrepo - git repositories for the tests of direct mode, built at test time below build/.

Two sources: the scripts of GOROOT/src/cmd/go/testdata/vcstest (txtar archives whose comment is a
script, see cmd/go/internal/vcweb/script.go), each held against its own `cmp` lines so that the
hashes are the true ones; and those that vcsextra makes. Git sees no configuration but ours.

    tree(name, key, build)   a directory below build/ that is built once for each key
    Scripts(go_root)         what is in testdata/vcstest
    Repo(path)               a bare repository to be filled by git fast-import
"""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from harness import ROOT

CACHE = ROOT + "/build/vcstest"
# Another number when what is built from the scripts is laid out otherwise.
FORM = 1
# As vcweb.go writes it for the scripts, and servers may belong to another user than the files.
GIT_CONFIG = """[user]
	name = Go Gopher
	email = gopher@golang.org
[init]
	defaultBranch = master
[core]
	eol = lf
[gui]
	encoding = utf-8
[safe]
	directory = *
[uploadpack]
	allowFilter = true
[advice]
	detachedHead = false
"""


def git_env(config, **more):
    """An environment in which git depends on nobody's settings."""
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "HOME": "/nonexistent", "USER": "gopher",
           "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": config, "GIT_TERMINAL_PROMPT": "0"}
    env.update(more)
    return env


def digest(*texts):
    h = hashlib.sha256()
    for text in texts:
        data = text if isinstance(text, bytes) else str(text).encode()
        h.update(b"%d:" % len(data) + data)
    return h.hexdigest()[:24]


def state(path):
    """All refs of a bare repository, as a digest."""
    words = ["git", "-C", path, "-c", "safe.directory=*", "for-each-ref"]
    refs = subprocess.run(words, env=git_env("/dev/null"), capture_output=True, check=True).stdout
    with open(path + "/HEAD", "rb") as f:
        return digest(refs, f.read())


def tree(name, key, build):
    """CACHE/NAME-KEY, made by build(directory) if it isn't there; two may do so at once."""
    path = "%s/%s-%s" % (CACHE, name, key)
    if not os.path.isdir(path):
        os.makedirs(CACHE, exist_ok=True)
        work = tempfile.mkdtemp(prefix="new-", dir=CACHE)
        try:
            build(work)
            os.chmod(work, 0o755)
            try:
                os.rename(work, path)
            except OSError:
                # The other one was quicker.
                if not os.path.isdir(path):
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return path


# The scripts of cmd/go

def parse_txtar(data):
    """(comment, {name: bytes}); internal/txtar."""
    parts = re.split(rb"(?m)^-- (.+) --\n", data)
    names = [n.strip().decode() for n in parts[1::2]]
    # A file without a newline at its end gets one.
    bodies = [b if not b or b.endswith(b"\n") else b + b"\n" for b in parts[2::2]]
    return parts[0].decode(), dict(zip(names, bodies))


def parse_line(line, env):
    """The words of a script's line: 'quoted' ones as they are, $VAR replaced in others."""
    words, word, at, quoted = [], None, 0, False
    while at < len(line):
        c = line[at]
        if quoted:
            if c == "'" and line[at + 1:at + 2] == "'":
                word, at = word + "'", at + 1
            elif c == "'":
                quoted = False
            else:
                word += c
        elif c == "'":
            word, quoted = word or "", True
        elif c in " \t\r\n":
            if word is not None:
                words.append(word)
            word = None
        elif c == "#" and word is None:
            break
        elif c == "$":
            name = re.compile(r"\$(?:\{([^}]*)\}|(\w+))").match(line, at)
            word = (word or "") + env.get(name[1] or name[2], "")
            at = name.end() - 1
        else:
            word = (word or "") + c
        at += 1
    if quoted:
        raise ValueError("unterminated quote: " + line)
    return words if word is None else words + [word]


def unquote(text):
    """strconv.Unquote, as far as the scripts need it."""
    marks = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
    return re.sub(r"\\(.)", lambda m: marks[m[1]], text)


class Script:
    """One script: run() makes DIRECTORY/git (a bare repository) or DIRECTORY/files of it."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.path, self.compared = path, 0
        self.comment, self.files = parse_txtar(self.data)
        self.handler = re.search(r"^handle (\w+)", self.comment, re.M)[1]

    def run(self, directory, config):
        self.work, self.stdout = directory + "/work", ""
        self.env = git_env(config, HOME=directory)
        for name, body in self.files.items():
            self._write(name, body)
        for number, line in enumerate(self.comment.splitlines(), 1):
            try:
                self._line(parse_line(line, self.env))
            except Exception as e:
                raise RuntimeError("%s:%d: %s: %s" % (self.path, number, line, e))

    def _write(self, name, body):
        path = os.path.join(self.work, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(body)

    def _read(self, name):
        if name == "stdout":
            return self.stdout.encode()
        with open(os.path.join(self.work, name), "rb") as f:
            return f.read()

    def _line(self, words):
        if words and words[0].startswith("["):
            # Only one condition is in use, and git is new enough for it.
            if words[0] != "[!git-sha256]":
                raise ValueError("unknown condition")
            return
        if words:
            getattr(self, "_do_" + words[0])(*words[1:])

    def _do_handle(self, handler):
        pass

    def _do_env(self, *pairs):
        self.env.update(pair.split("=", 1) for pair in pairs)

    def _do_at(self, time):
        self.env.update(GIT_COMMITTER_DATE=time, GIT_AUTHOR_DATE=time)

    def _do_echo(self, *words):
        self.stdout = " ".join(words) + "\n"

    def _do_unquote(self, text):
        self.stdout = unquote(text)

    def _do_mkdir(self, *names):
        for name in names:
            os.makedirs(os.path.join(self.work, name), exist_ok=True)

    def _do_cp(self, *names):
        target = os.path.join(self.work, names[-1])
        for name in names[:-1]:
            into = os.path.join(target, os.path.basename(name)) if os.path.isdir(target) else target
            with open(into, "wb") as f:
                f.write(self._read(name))

    def _do_cmp(self, one, other):
        self.compared += 1
        if self._read(one) != self._read(other):
            raise ValueError("%s differs from %s:\n%s" % (one, other, self._read(one).decode()))

    def _do_git(self, *words):
        done = subprocess.run(["git", *words], cwd=self.work, env=self.env, capture_output=True, text=True)
        self.stdout = done.stdout
        if done.returncode != 0:
            raise ValueError("exit status %d: %s" % (done.returncode, done.stderr))


class Scripts:
    """Repositories and pages of testdata/vcstest, below .path: repos/git/NAME, pages/go/NAME/..."""

    def __init__(self, go_root):
        base = os.path.realpath(go_root) + "/src/cmd/go/testdata/vcstest"
        self.found = {}
        for folder in ("git", "go", "go/mod"):
            for name in sorted(os.listdir(base + "/" + folder)):
                if name.endswith(".txt"):
                    self.found["%s/%s" % (folder, name[:-4])] = Script("%s/%s/%s" % (base, folder, name))
        self.key = digest(FORM, *[n + s.data.decode() for n, s in self.found.items()])
        self.path = tree("scripts", self.key, self._build)

    def _build(self, directory):
        config = directory + "/gitconfig"
        with open(config, "w") as f:
            f.write(GIT_CONFIG)
        for name, script in self.found.items():
            work = directory + "/" + name.replace("/", "-")
            os.makedirs(work + "/work")
            script.run(work, config)
            kind = "repos" if script.handler == "git" else "pages"
            target = "%s/%s/%s" % (directory, kind, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(work + "/work" + ("/.git" if kind == "repos" else ""), target)
            if kind == "repos":
                subprocess.run(["git", "-C", target, "config", "core.bare", "true"], env=script.env, check=True)
                shutil.rmtree(target + "/logs", ignore_errors=True)
            shutil.rmtree(work)

    def repos(self):
        """NAME of each git repository."""
        return [n.split("/")[1] for n, s in self.found.items() if s.handler == "git"]


# Repositories of our own

def quoted(name):
    """A path for git fast-import."""
    data = name if isinstance(name, bytes) else name.encode()
    return b'"' + b"".join(b"\\%03o" % c if c < 32 or c > 126 or c in b'"\\' else bytes([c]) for c in data) + b'"'


class Repo:
    """A bare repository; commit() and tag() are collected and written by end()."""

    EPOCH = 1500000000

    def __init__(self, path, config, object_format="sha1"):
        self.path, self.env, self.marks, self.last = path, git_env(config), 0, {}
        self.out = []
        subprocess.run(["git", "init", "-q", "--bare", "--object-format=" + object_format, path], env=self.env, check=True)

    def commit(self, files=None, ref="refs/heads/master", parents=None, at=None, delete=()):
        """files: path -> text, bytes, or (mode, text); the mark of the commit.

        ref      what is to point to it; None: nothing
        parents  marks or names; not given: what ref was at
        """
        self.marks += 1
        if parents is None:
            parents = [self.last[ref]] if ref in self.last else []
        at = self.EPOCH + 1000 * self.marks if at is None else at
        lines = [b"commit %s" % (ref or "refs/scratch/%d" % self.marks).encode(), b"mark :%d" % self.marks,
                 b"committer Tester <tester@example.com> %d +0000" % at,
                 b"data 2\nc\n"]
        if not parents:
            lines.insert(0, b"reset %s\n" % (ref or "refs/scratch/%d" % self.marks).encode())
        for number, parent in enumerate(parents):
            lines.append((b"merge " if number else b"from ") + self._name(parent))
        lines += [b"D " + quoted(name) for name in delete]
        for name, value in (files or {}).items():
            mode, body = value if isinstance(value, tuple) else ("100644", value)
            if mode == "160000":
                lines.append(b"M 160000 %s %s" % (body.encode(), quoted(name)))
                continue
            body = body if isinstance(body, bytes) else body.encode()
            lines.append(b"M %s inline %s\ndata %d\n%s" % (mode.encode(), quoted(name), len(body), body))
        self.out.append(b"\n".join(lines) + b"\n\n")
        if ref:
            self.last[ref] = self.marks
        return self.marks

    @staticmethod
    def _name(what):
        return b":%d" % what if isinstance(what, int) else what.encode()

    def tag(self, name, commit=None, ref="refs/heads/master"):
        """A lightweight tag; commit: a mark, else what ref is at."""
        self.out.append(b"reset refs/tags/%s\nfrom %s\n\n" % (name.encode(), self._name(commit or self.last[ref])))

    def release(self, version, files, **options):
        """A commit and its tag."""
        mark = self.commit(files, **options)
        self.tag(version, mark)
        return mark

    def end(self):
        """Write all that was collected; what needs git itself comes after this."""
        done = subprocess.run(["git", "-C", self.path, "fast-import", "--quiet", "--force",
                               "--import-marks-if-exists=marks", "--export-marks=marks"],
                              input=b"".join(self.out), env=self.env, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError("git fast-import in %s: %s" % (self.path, done.stderr.decode()))
        self.out = []
        for line in self.git("for-each-ref", "--format=%(refname)", "refs/scratch").split():
            self.git("update-ref", "-d", line)

    def hash(self, mark):
        with open(self.path + "/marks") as f:
            return dict(line.split() for line in f)[":%d" % mark]

    def git(self, *words, data=None, at=None):
        who = {"GIT_%s_%s" % (k, n): v for k in ("AUTHOR", "COMMITTER")
               for n, v in (("NAME", "Tester"), ("EMAIL", "t@example.com"), ("DATE", "%d +0000" % (at or self.EPOCH)))}
        done = subprocess.run(["git", "-C", self.path, *words], input=data, env=dict(self.env, **who),
                              capture_output=True)
        if done.returncode != 0:
            raise RuntimeError("git %s in %s: %s" % (" ".join(words), self.path, done.stderr.decode()))
        return done.stdout.decode().strip()
