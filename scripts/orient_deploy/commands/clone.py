"""The clone that init, replay and config check look at: what is checked out, and its files.

Decides nothing. Reads the clone that a path lies in, and writes nothing to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.config.load import DEFAULT_PATH
from orient_deploy.config.nodes import MAX_BYTES
from orient_deploy.errors import InputError
from orient_deploy.history import Checkout, Git, Repository, discover, local_event

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
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
        found = self.git.run([f"--git-dir={self.checkout.git_dir}", "remote", "get-url", "origin"])
        match = re.fullmatch(
            r"(?:https?://|ssh://|git@)[^/:]*(?:github)[^/:]*(?::\d+)?[/:]"
            r"([A-Za-z0-9-]+/[A-Za-z0-9._-]+?)(?:\.git)?/?\n?",
            os.fsdecode(found.out),
        )
        return match[1] if match and found.code == 0 else ""

    def configuration(self, path: str) -> bytes | None:
        """The configuration as it stands in the files, else in the commit; None when in neither."""
        place = os.path.join(self.root, path)
        if self.root or os.path.isabs(path):
            try:
                with open(place, "rb") as file:
                    return file.read(MAX_BYTES + 1)
            except (FileNotFoundError, NotADirectoryError):
                pass
            except (OSError, ValueError) as error:
                raise InputError(
                    f"the configuration {path!r} cannot be read",
                    getattr(error, "strerror", None) or str(error),
                    "Give the path of a file in 'config'",
                ) from error
        return None if os.path.isabs(path) else self.repository.read(self.head, path)


@contextmanager
def open_clone(path: str, context: Context) -> Iterator[Clone]:
    """The clone that `path` lies in; '' is the current folder.

    Raises:
        InputError: there is none, or it has no commit.
    """
    path = path or "."
    if not os.path.isdir(path):
        raise InputError(
            f"input 'path': there is no folder {path!r}",
            "it does not exist, or is a file",
            "Give the folder of a clone",
        )
    git = Git(context.env)
    try:
        checkout = discover(git, path)
        found = git.run(["-C", path, "rev-parse", "--show-toplevel"], environment=git.networking)
        event = local_event(git, checkout)
    finally:
        git.close()
    with Repository(git, checkout, None, temporary=context.env.get("RUNNER_TEMP", "")) as opened:
        yield Clone(
            git=git,
            checkout=checkout,
            repository=opened,
            root=os.fsdecode(found.out).rstrip("\n") if found.code == 0 else "",
            event=event,
        )


def missing(path: str) -> InputError:
    """The error for a configuration that is not there."""
    return InputError(
        f"there is no configuration: {path} does not exist",
        "neither the checked-out files nor the commit have it",
        "Write it (`orient-deploy init` proposes one)"
        + ("" if path == DEFAULT_PATH else ", or name another file in 'config'"),
    )
