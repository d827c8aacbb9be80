"""The clone that init, replay and config check look at: what is checked out, and its files.

Decides nothing. Reads the clone that a path lies in, and writes nothing to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from orient_deploy.commands.configuration import read_config
from orient_deploy.errors import InputError
from orient_deploy.history import (
    Checkout,
    Git,
    Repository,
    discover,
    find_checkout,
    local_event,
)
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config
    from orient_deploy.runner import Event


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A clone on a laptop, open for reading."""

    git: Git
    checkout: Checkout
    repository: Repository
    root: str  # the folder that holds the files; '' in a bare repository
    event: Event  # what stands for one: the commit and the branch that are checked out

    @property
    def head(self) -> str:
        return self.event.sha

    @property
    def name(self) -> str:
        """Owner and name on GitHub, as the remote `origin` has them, or ''."""
        return origin_name(self.git, self.checkout)

    @property
    def web(self) -> str:
        """The address of its page on GitHub, by the remote `origin`, or ''."""
        found = _origin(self.git, self.checkout)
        return f"https://{found[1].rpartition('@')[2]}/{found[2]}" if found else ""

    def configuration(self, path: str) -> Config | None:
        """The configuration as it stands in the files, else in the commit; None when in neither."""
        return read_config(path, self.root, lambda source: self.repository.read(self.head, source))


def origin_name(git: Git, checkout: Checkout) -> str:
    """Owner and name on GitHub, as the remote `origin` of a clone has them, or ''."""
    found = _origin(git, checkout)
    return found[2] if found else ""


def _origin(git: Git, checkout: Checkout) -> re.Match[str] | None:
    found = git.run([f"--git-dir={checkout.git_dir}", "remote", "get-url", "origin"])
    match = re.fullmatch(
        r"(?:https?://|ssh://|git@)([^/:]*github[^/:]*)(?::\d+)?[/:]"
        r"([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?\n?",
        os.fsdecode(found.out),
    )
    return match if found.code == 0 else None


def find_files(path: str, git: Git, context: Context) -> tuple[Checkout | None, str]:
    """The consumer's checkout, if there is one, and the folder that holds its files.

    On a runner the workspace, or `path` in it; elsewhere the clone that `path` lies in.

    Raises:
        InputError: there is no such folder, or on a laptop no clone.
    """
    if not context.in_actions:
        return find_clone(path, git)
    workspace = context.env.get("GITHUB_WORKSPACE") or os.getcwd()
    root = os.path.join(workspace, path)
    if path and not os.path.isdir(root):
        raise InputError(
            f"input 'path': there is no folder {path!r} in the workspace",
            f"{root} does not exist",
            "Give the `path` that actions/checkout was given, or leave it out",
        )
    return find_checkout(root), root


def find_clone(path: str, git: Git) -> tuple[Checkout, str]:
    """The clone that `path` lies in ('' is the current folder), and the folder with its files.

    The folder is '' for a bare repository.

    Raises:
        InputError: there is none.
    """
    path = path or "."
    if not os.path.isdir(path):
        raise InputError(
            f"input 'path': there is no folder {path!r}",
            "it does not exist, or is a file",
            "Give the folder of a clone",
        )
    checkout = discover(git, path)
    found = git.run(["-C", path, "rev-parse", "--show-toplevel"], environment=git.networking)
    return checkout, os.fsdecode(found.out).rstrip("\n") if found.code == 0 else ""


@contextmanager
def open_clone(path: str, context: Context) -> Iterator[Clone]:
    """The clone that `path` lies in; '' is the current folder.

    Raises:
        InputError: there is none, or it has no commit.
    """
    git = Git(context.env)
    try:
        checkout, root = find_clone(path, git)
        event = local_event(git, checkout)
    finally:
        git.close()
    with Repository(git, checkout, None, temporary=context.env.get("RUNNER_TEMP", "")) as opened:
        yield Clone(
            git=git,
            checkout=checkout,
            repository=opened,
            root=root,
            event=event,
        )
