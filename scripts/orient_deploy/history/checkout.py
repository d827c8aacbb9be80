"""Finds the consumer's checkout and asks git what its names stand for.

Never writes to it. On a runner nothing here runs git to find the repository, and each git child
gets --git-dir, so that a workspace which another user owns (a container job) is no obstacle.
"""

from __future__ import annotations

import os
import re

from orient_deploy.errors import InputError
from orient_deploy.history.git import Git, GitFailed
from orient_deploy.record import dataclass


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A git repository on disk: a clone, a worktree, a submodule or a bare repository."""

    directory: str  # where it was found
    git_dir: str
    common_dir: str  # git_dir, but for a worktree the main repository's
    object_format: str  # sha1 or sha256

    @property
    def objects(self) -> str:
        return os.path.join(self.common_dir, "objects")

    @property
    def shallow_file(self) -> str:
        return os.path.join(self.common_dir, "shallow")

    @property
    def is_shallow(self) -> bool:
        return os.path.exists(self.shallow_file)

    def tips(self, git: Git, *names: str) -> tuple[str, ...]:
        """The commit each name stands for ('' for none): refs, HEAD~1, short ids, @{upstream}.

        Names travel on standard input, so that none can be taken for an option.
        """
        asked = "".join(f"{name}^{{commit}}\n" for name in names).encode("utf-8", "surrogateescape")
        done = git.run(
            [f"--git-dir={self.git_dir}", "cat-file", "--batch-check=%(objectname)"], stdin=asked
        )
        if done.code and any("@{" in name for name in names):
            # main@{upstream} and HEAD@{9} end the whole child where there is no such thing.
            return tuple(self.tip(git, name) for name in names) if len(names) > 1 else ("",)
        if done.code:
            raise GitFailed(
                f"the checkout in {self.directory} cannot be read",
                done.message,
                "Look at it with `git fsck`, or check out again",
            )
        answers = done.out.decode("ascii", "replace").split("\n")
        return tuple(_full_id(answer) for answer in answers[: len(names)])

    def tip(self, git: Git, name: str) -> str:
        """The commit that `name` stands for, or ''."""
        return self.tips(git, name)[0]

    def symbolic(self, git: Git, name: str) -> str:
        """The full ref that HEAD or another symbolic ref points at, or ''."""
        done = git.run([f"--git-dir={self.git_dir}", "symbolic-ref", "-q", name])
        return os.fsdecode(done.out).rstrip("\n") if done.code == 0 else ""

    def tags(self, git: Git) -> dict[str, str]:
        """Names of the tags that stand for a commit, and that commit, newest version first."""
        options = ["--sort=-version:refname", "--format=%(refname)", "refs/tags"]
        done = git.run([f"--git-dir={self.git_dir}", *NEWEST_FIRST, "for-each-ref", *options])
        # Not str.splitlines: a tag's name may hold U+2028 and the like.
        refs = os.fsdecode(done.out).split("\n")[:-1]
        # Not %(*objectname): it sees through one tag object only, until git 2.45.
        rows = zip(refs, self.tips(git, *refs), strict=True)
        return {ref[len("refs/tags/") :]: commit for ref, commit in rows if commit}


NEWEST_FIRST = ("-c", "versionsort.suffix=-")  # v1.0.0-rc.1 comes before v1.0.0


def find_checkout(directory: str) -> Checkout | None:
    """The repository whose top is `directory`, or None. Parent directories are not searched."""
    dot_git = os.path.join(directory, ".git")
    if os.path.isfile(dot_git):  # a worktree or a submodule
        with open(dot_git, "rb") as file:
            pointer = os.fsdecode(file.read(65536)).rstrip("\r\n")
        if not pointer.startswith("gitdir: "):
            return None
        dot_git = os.path.join(directory, pointer[len("gitdir: ") :])
    elif not os.path.isdir(dot_git):
        dot_git = directory  # perhaps a bare repository
    return _checkout(directory, dot_git)


def discover(git: Git, directory: str) -> Checkout:
    """The repository that `directory` lies in, as git itself finds it: for laptops.

    git's protection against repositories of other users holds here.

    Raises:
        InputError: there is none, or git does not trust its owner.
    """
    done = git.run(["-C", directory, "rev-parse", "--absolute-git-dir"], environment=git.networking)
    if done.code == 0:
        found = _checkout(directory, os.fsdecode(done.out).rstrip("\r\n"))
        if found:
            return found
    if b"dubious ownership" in done.err or b"unsafe repository" in done.err:
        advice = re.search(rb"safe\.directory (.+)", done.err)
        top = os.fsdecode(advice[1]) if advice else os.path.abspath(directory)
        raise InputError(
            f"git does not trust the repository in {directory}",
            "another user owns it",
            f"If you trust it, run: git config --global --add safe.directory {top}",
        )
    raise InputError(
        f"{directory} is not in a git repository",
        done.message if done.code else "it has no object database",
        "Run this inside a clone, or name one",
    )


def _checkout(directory: str, git_dir: str) -> Checkout | None:
    git_dir = os.path.abspath(git_dir)
    common_dir = git_dir
    pointer = os.path.join(git_dir, "commondir")
    if os.path.isfile(pointer):
        with open(pointer, "rb") as file:
            common_dir = os.path.abspath(
                os.path.join(git_dir, os.fsdecode(file.read(65536)).rstrip("\r\n"))
            )
    if not os.path.isdir(os.path.join(common_dir, "objects")):
        return None
    if not os.path.lexists(os.path.join(git_dir, "HEAD")):
        return None
    return Checkout(
        directory=directory,
        git_dir=git_dir,
        common_dir=common_dir,
        object_format=_object_format(os.path.join(common_dir, "config")),
    )


def _object_format(config: str) -> str:
    try:
        with open(config, "rb") as file:
            text = file.read()
    except OSError:
        return "sha1"
    # Only `extensions.objectFormat` has this key, and git writes it on a line of its own.
    sha256 = re.search(rb'^\s*objectformat\s*=\s*"?sha256"?\s*$', text, re.M | re.I)
    return "sha256" if sha256 else "sha1"


def _full_id(answer: str) -> str:
    return answer if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", answer) else ""
