"""Finds the configuration: in the checked-out files, else in a commit.

Decides where it is read from, and under which path the repository knows it; never what it means.
"""

from __future__ import annotations

import os
import posixpath

from orient_deploy.config import DEFAULT_PATH, parse
from orient_deploy.config.nodes import MAX_BYTES
from orient_deploy.errors import InputError

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    from orient_deploy.config.model import Config


def read_config(
    path: str, root: str, read_committed: Callable[[str], bytes | None], *, files: bool = True
) -> Config | None:
    """The configuration at `path`, relative to the repository's root; None when there is none.

    `root` is the folder that holds the files, '' when there is none; without `files` they do not
    count. `read_committed` gives the content of a path in the commit. The result's `source` is the
    path that git knows the file by, whichever way it was spelt: `./x`, an absolute path, a link.

    Raises:
        InputError: the file cannot be read.
        ConfigError: it is not valid.
    """
    source = inside(path, root)
    if os.path.isabs(source) and root and not _leads_out(path):
        raise InputError(
            f"the configuration {path!r} is not read",
            "it is a link that leads out of the repository",
            "Name the file itself in 'config'",
        )
    outside = os.path.isabs(source)
    text = _from_files(path, root) if files or outside else None
    if text is None and not outside:
        text = read_committed(source)
    return None if text is None else parse(text, source=source)


def _from_files(path: str, root: str) -> bytes | None:
    if not root and not os.path.isabs(path):
        return None
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None  # a sparse checkout, perhaps
    except (OSError, ValueError) as error:
        raise InputError(
            f"the configuration {path!r} cannot be read",
            getattr(error, "strerror", None) or str(error),
            "Give the path of a file in 'config'",
        ) from error


def _leads_out(path: str) -> bool:
    """Whether the path itself says that the file is elsewhere."""
    return os.path.isabs(path) or posixpath.normpath(path.replace(os.sep, "/")).startswith("../")


def inside(path: str, root: str) -> str:
    """The path that git knows a file by: from the root, with '/' and without links.

    A file outside the root keeps its absolute path.
    """
    if not root and not os.path.isabs(path):
        return posixpath.normpath(path.replace(os.sep, "/"))
    whole = os.path.realpath(os.path.join(root, path))
    top = os.path.realpath(root) if root else ""
    if top and (whole == top or whole.startswith(top + os.sep)):
        return whole[len(top) + 1 :].replace(os.sep, "/")
    return whole


def missing(path: str, *, images: bool = False) -> InputError:
    """The error for a configuration that is not there; `images`: an input can stand in for it."""
    ways = ["Write it (`orient-deploy init` proposes one)"]
    if path != DEFAULT_PATH:
        ways.append("name another file in 'config'")
    if images:
        ways.append("give the mapping in 'images'")
    return InputError(
        f"there is no configuration: {path} does not exist",
        "neither the checked-out files nor the commit have it",
        f"{', '.join(ways[:-1])}, or {ways[-1]}" if ways[1:] else ways[0],
    )
