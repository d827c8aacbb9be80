"""The files of a commit, as the checks of a repository ask for them.

Holds what it is handed: the tracked paths, and a function that gives a file's bytes. Decides only
what a package.json or a tsconfig.json says; never reads anything itself.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from posixpath import basename, join, normpath
from typing import Any

from orient_deploy.inputs.tree import Tree
from orient_deploy.inputs.workspace import MANIFEST, Workspace, read_workspaces

Read = Callable[[str], bytes | None]
MOST_BYTES = 1024 * 1024  # of a source file or a settings file
COMPARED = 20  # missing paths that are told the nearest, which takes a while
DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:\\.|[^"\\\n])*")|,(?=\s*[}\]])')
# Not a product's own code, or not what a deploy runs.
_ASIDE = re.compile(
    r"(?:\A|/)(?:node_modules|vendor|third_party|__tests__|__mocks__|__fixtures__|tests?|testing"
    r"|fixtures?|e2e|examples?|samples?|docs?|mocks?|benchmarks?|templates?|\.[^/]+|__\w+__|playgrounds?)/"
    r"|\.(?:test|spec|e2e|stories|bench|mock|d)\.[cm]?[jt]sx?\Z",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"\.[cm]?[jt]sx?\Z")


def is_aside(path: str) -> bool:
    """Whether a path is a test, an example, or somebody else's: not what a deploy runs."""
    return _ASIDE.search(path) is not None


class Files:
    """One commit."""

    def __init__(self, names: Iterable[str], read: Read) -> None:
        self.names: tuple[str, ...] = tuple(sorted(names))
        self.known = frozenset(self.names)
        self._read = read
        self._contents: dict[str, bytes | None] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.known

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        if path not in self.known:
            return None
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]

    def text(self, path: str) -> str:
        """A text file; '' where there is none, or it is too large."""
        data = self.read(path)
        return "" if data is None or len(data) > MOST_BYTES else data.decode("utf-8", "replace")

    def below(self, folder: str) -> Sequence[str]:
        """All paths in a folder; of the whole commit for '' and '.'."""
        if folder in ("", "."):
            return self.names
        low = bisect_left(self.names, f"{folder}/")
        return self.names[low : bisect_left(self.names, f"{folder}0")]  # '0' is behind '/'

    def has_folder(self, folder: str) -> bool:
        """Whether something is in it."""
        return bool(self.below(folder))

    def sources(self, folder: str) -> Iterator[str]:
        """The JavaScript and TypeScript files of a product in a folder, tests and such apart."""
        for path in self.below(folder):
            if _SOURCE.search(path) and not is_aside(path):
                yield path

    @cached_property
    def tree(self) -> Tree:
        """The same as `inputs` takes it; its ids say nothing."""
        return Tree.of(("100644", "blob", "0", path) for path in self.names)

    @cached_property
    def workspaces(self) -> tuple[Workspace, ...]:
        """The workspaces, those further up first."""
        return read_workspaces(self.tree, self.read)

    def workspace_of(self, folder: str) -> Workspace | None:
        """The innermost workspace that a folder is in, or is the root of."""
        found = [
            one
            for one in self.workspaces
            if not one.root or folder == one.root or folder.startswith(f"{one.root}/")
        ]
        return max(found, key=lambda one: len(one.root), default=None)

    def json(self, path: str, *, comments: bool = False) -> Any:
        """What a JSON file says; None where it cannot be read."""
        text = self.text(path).removeprefix("\ufeff")
        if comments:
            text = _COMMENT.sub(lambda one: one[1] or " ", text)
            text = _TRAILING_COMMA.sub(lambda one: one[1] or "", text)
        try:
            return json.loads(text) if text else None
        except (ValueError, RecursionError):
            return None

    def manifest(self, folder: str) -> Mapping[str, Any]:
        """The package.json of a folder; empty where there is none."""
        found = self.json(join(folder, MANIFEST) if folder not in ("", ".") else MANIFEST)
        return found if isinstance(found, dict) else {}

    def scripts(self, folder: str) -> Mapping[str, str]:
        """The scripts of a folder's package.json."""
        found = self.manifest(folder).get("scripts")
        if not isinstance(found, dict):
            return {}
        return {name: text for name, text in found.items() if isinstance(text, str)}

    def asks(self, folder: str, *groups: str) -> dict[str, str]:
        """What a package.json asks for: names and what is said of them."""
        manifest = self.manifest(folder)
        found: dict[str, str] = {}
        for group in groups or DEPENDENCIES:
            table = manifest.get(group)
            if isinstance(table, dict):
                found.update({key: one for key, one in table.items() if isinstance(one, str)})
        return found

    def package_folder(self, path: str) -> str | None:
        """The folder of the nearest package.json above a path."""
        folder = path.rpartition("/")[0]
        while True:
            if (f"{folder}/{MANIFEST}" if folder else MANIFEST) in self.known:
                return folder
            if not folder:
                return None
            folder = folder.rpartition("/")[0]


def line_of(text: str, part: str) -> int:
    """The line in which a part of a text first stands; 0 for none."""
    at = text.find(part)
    return 0 if at < 0 else text.count("\n", 0, at) + 1


def nearest(path: str, names: Sequence[str], limit: int = 1) -> list[str]:
    """The paths that are most like one, the best first."""
    own = basename(path).lower()
    alike = [one for one in names if own in basename(one).lower()]
    return get_close_matches(path, alike or names, limit, 0.3)


def inside(folder: str, path: str) -> str | None:
    """A path of the repository, cleaned; None when it leaves it or is not known."""
    if any(sign in path for sign in "$~`*") or path.startswith("/") or "://" in path:
        return None
    found = normpath(join(folder or ".", path))
    return None if found == ".." or found.startswith("../") else found
