"""What a tsconfig.json says, with those that it extends.

Decides only what is surely said: settings that come from a package of somebody else are not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath
from typing import Any

from orient_deploy.preflight.files import Files

MOST_EXTENDED = 20


def of_build(files: Files, folder: str, build: str) -> str:
    """The path of the tsconfig.json that a package's `tsc` goes by."""
    given = re.search(r"(?:-p|--project|-b|--build)\s+([^-\s]\S*)", build)
    path = normpath(join(folder, given[1])) if given else join(folder, "tsconfig.json")
    return join(path, "tsconfig.json") if files.has_folder(path) else path


def declares(files: Files, path: str) -> bool | None:
    """Whether it has declarations made; None: that cannot be told.

    It does where `declaration` is set, or `composite`, which sets it too.
    """
    found = _options(files, path)
    if found is None:
        return None
    if any(one.get("composite") is True for one in found):
        return True
    return bool(next((one["declaration"] for one in found if "declaration" in one), False))


def mapped(files: Files, path: str) -> frozenset[str] | None:
    """The names, and patterns of names, that it leads elsewhere; None: that cannot be told."""
    found = _options(files, path)
    if found is None:
        return None
    paths: dict[str, Any] = next(
        (one["paths"] for one in found if isinstance(one.get("paths"), dict)), {}
    )
    return frozenset(paths)


def _options(files: Files, path: str) -> list[dict[str, Any]] | None:
    """`compilerOptions` of it and of those it extends, what wins first."""
    found: list[dict[str, Any]] = []
    pending = [path]
    while pending:
        path = pending.pop(0)
        said = files.json(path, comments=True)
        if not isinstance(said, dict) or len(found) == MOST_EXTENDED:
            return None
        options = said.get("compilerOptions")
        found.append(options if isinstance(options, dict) else {})
        if said.get("references") and said.get("files") == []:
            return None  # others do the work
        extended = list(_extended(said, dirname(path)))
        if None in extended:
            return None
        # Of several the last wins.
        pending = [one for one in reversed(extended) if one is not None] + pending
    return found


def _extended(said: dict[str, Any], folder: str) -> Iterator[str | None]:
    extends = said.get("extends", [])
    for one in extends if isinstance(extends, list) else [extends]:
        if not isinstance(one, str) or not one.startswith("."):
            yield None
            continue
        found = normpath(join(folder, one))
        yield found if found.endswith(".json") else f"{found}.json"
