"""Builds real git repositories whose commits have the same ids every time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

FIRST_DATE = 1_700_000_000


@dataclass(frozen=True)
class Symlink:
    target: str


@dataclass(frozen=True)
class Gitlink:
    """A submodule at a commit of another repository."""

    commit: str


@dataclass(frozen=True)
class Executable:
    content: str | bytes


Content = str | bytes | Symlink | Gitlink | Executable | None  # None deletes
Files = Mapping[str, Content]  # non-UTF-8 names by surrogateescape


def run_git(*arguments: str | Path, stdin: bytes = b"", directory: Path | None = None) -> bytes:
    """Run git for a test and return what it prints; a failure shows git's complaint."""
    done = subprocess.run(
        ["git", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        cwd=directory,
        timeout=60,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode == 0, (arguments, done.stderr.decode("utf-8", "replace"))
    return done.stdout


class RepositoryBuilder:
    """A repository made by fast-import: any file name, any mode, no work tree."""

    def __init__(self, directory: Path, object_format: str = "sha1") -> None:
        self.directory = directory
        self._commits = 0
        run_git(
            *("init", "-q", "--bare", f"--object-format={object_format}"),
            *("--initial-branch=main", directory),
        )
        for key in ("allowFilter", "allowAnySHA1InWant"):  # for clones by path; as GitHub does
            self.git("config", f"uploadpack.{key}", "true")

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git in the repository; its output without the last newline."""
        return os.fsdecode(run_git(f"--git-dir={self.directory}", *arguments, stdin=stdin)).rstrip()

    def commit(
        self,
        files: Files,
        *,
        parents: Sequence[str] | None = None,
        ref: str = "refs/heads/main",
        message: str = "",
    ) -> str:
        """Add a commit that changes `files` of its first parent (by default the ref's tip)."""
        self._commits += 1
        if parents is None:
            tip = self.git("for-each-ref", "--format=%(objectname)", ref)
            parents = [tip] if tip else []
        elif not parents:
            run_git(f"--git-dir={self.directory}", "update-ref", "-d", ref)
        who = f"Orient <orient@example.com> {FIRST_DATE + self._commits} +0000".encode()
        text = (message or f"Commit {self._commits}").encode()
        script = [
            b"commit " + ref.encode(),
            b"mark :1",
            b"author " + who,
            b"committer " + who,
            b"data %d\n%s" % (len(text), text),
        ]
        script += [
            (b"merge " if number else b"from ") + parent.encode()
            for number, parent in enumerate(parents)
        ]
        script += [_change(path, content) for path, content in files.items()]
        script += [b"", b"get-mark :1", b""]
        out = run_git(
            *(f"--git-dir={self.directory}", "fast-import", "--quiet", "--force"),
            stdin=b"\n".join(script),
        )
        return out.decode().strip()

    def ref(self, name: str, commit: str) -> None:
        """Point a ref at a commit, or with '' delete it."""
        self.git("update-ref", *([name, commit] if commit else ["-d", name]))

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> str:
        """Tag a commit; returns the id the ref holds."""
        oid = commit
        if annotated:
            text = f"object {commit}\ntype commit\ntag {name}\n"
            text += f"tagger Orient <orient@example.com> {FIRST_DATE} +0000\n\n{name}\n"
            oid = self.git("mktag", stdin=text.encode())
        self.ref(f"refs/tags/{name}", oid)
        return oid


def clone(source: Path, directory: Path, *options: str) -> Path:
    """A clone as a person makes it."""
    run_git("clone", "-q", *options, f"file://{source}", directory)
    return directory


def check_out(
    source: Path, directory: Path, commit: str, ref: str, *options: str, sparse: bool = False
) -> Path:
    """A checkout as actions/checkout makes it: one commit, with `options` like --depth=1.

    Without a depth it has all branches and tags, as with `fetch-depth: 0`.
    """
    object_format = "sha256" if len(commit) == 64 else "sha1"
    run_git("init", "-q", f"--object-format={object_format}", "--initial-branch=main", directory)
    run_git("-C", directory, "remote", "add", "origin", f"file://{source}")
    tracking = ref.replace("refs/heads/", "refs/remotes/origin/")
    tracking = tracking.replace("refs/pull/", "refs/remotes/pull/")
    refspecs = [f"+{commit}:{tracking}"]
    if not any(option.startswith("--depth") for option in options):
        refspecs = [commit, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
    run_git("-C", directory, "fetch", "-q", "--no-tags", *options, "origin", *refspecs)
    if sparse:
        run_git("-C", directory, "sparse-checkout", "set", "--cone", "packages/core")
    run_git("-C", directory, "checkout", "-q", "--detach", commit)
    return directory


def _change(path: str, content: Content) -> bytes:
    name = _quoted(path)
    if content is None:
        return b"D " + name
    if isinstance(content, Gitlink):
        return b"M 160000 %s %s" % (content.commit.encode(), name)
    mode = b"644"
    if isinstance(content, Symlink):
        mode, content = b"120000", content.target
    elif isinstance(content, Executable):
        mode, content = b"755", content.content
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return b"M %s inline %s\ndata %d\n%s" % (mode, name, len(data), data)


def _quoted(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogateescape")
    return b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
