"""package-lock.json and npm-shrinkwrap.json of the versions 1 to 3.

From version 2 on an entry is a folder that npm fills, and who needs what is found as Node finds it:
in the nearest `node_modules` above. Version 1 knows no workspaces: all of it is the only package's.
"""

from __future__ import annotations

import json
from posixpath import join, normpath

from orient_deploy.inputs.lockfile.lock import IMPORTERS, ROOT, Lock, Unread

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from orient_deploy.inputs.lockfile.lock import Entry

PACKAGES = "packages"
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
# What the first level says that depends on no importer's choice is only about the root package.
_NO_SETTINGS = ("packages", "dependencies", "name", "version")
# They come and go, and what is installed stays the same.
_REMARKS = ("deprecated", "funding")


def read(content: str) -> Lock:
    """The lockfile as entries.

    Raises:
        Unread: no JSON, another version, or not what npm writes.
    """
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        raise Unread("it is not JSON") from None
    version = said.get("lockfileVersion") if isinstance(said, dict) else None
    if version not in (1, 2, 3) or isinstance(version, bool):
        raise Unread("it names no version from 1 to 3")
    settings = [(name, _canonical(said[name])) for name in said if name not in _NO_SETTINGS]
    found = _Alone(said) if version == 1 else _Folders(said.get(PACKAGES))
    return Lock(kind=f"npm {version}", settings=settings, texts=found.texts, follow=found.follow)


class _Alone:
    """A lockfile of version 1: one package, and all else is what it needs."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.texts: dict[Entry, str] = {(IMPORTERS, ROOT): _canonical(said.get("dependencies", {}))}

    def follow(self, entry: Entry) -> tuple[Collection[Entry], Collection[str]]:
        return (), ()


class _Folders:
    """The folders of a lockfile that npm fills, and the workspace's own."""

    def __init__(self, packages: object) -> None:
        if not isinstance(packages, dict) or not all(
            isinstance(one, dict) for one in packages.values()
        ):
            raise Unread("it has no table of packages")
        self._packages: dict[str, dict[str, Any]] = packages
        self.texts: dict[Entry, str] = {
            self._entry(folder): _canonical(
                {key: about[key] for key in about if key not in _REMARKS}
            )
            for folder, about in packages.items()
        }

    def follow(self, entry: Entry) -> tuple[Collection[Entry], Collection[str]]:
        folder = "" if entry == (IMPORTERS, ROOT) else entry[1]
        about = self._packages[folder]
        needed: list[Entry] = []
        links: list[str] = []
        if about.get("link"):
            links.append(normpath(str(about.get("resolved", ROOT))))
        for group in _GROUPS:
            names = about.get(group, {})
            if not isinstance(names, dict):
                raise Unread(f"the {group} of {folder or 'the root'} are no table")
            needed += [(PACKAGES, self._place(folder, name)) for name in names]
        return needed, links

    def _entry(self, folder: str) -> Entry:
        if "node_modules" in folder.split("/"):
            return PACKAGES, folder
        return IMPORTERS, folder or ROOT

    def _place(self, folder: str, name: str) -> str:
        """Where Node finds a package from a folder; the root's place where it would find none."""
        while folder:
            place = join(folder, "node_modules", name)
            if place in self._packages:
                return place
            folder = folder.rpartition("/")[0]
        return f"node_modules/{name}"


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
