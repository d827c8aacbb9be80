"""Which file of this machine stands where in a container, by the resolved Compose model.

Looks whether files are there; opens none. A place outside of the repository is the server's, and
is not looked at.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

Model = Mapping[str, Any]
# file: it is in the repository. absent: it belongs there and is not. server: only the server has
# it. text: the compose files hold it. unknown: a volume or the like. unmounted: the image's own.
Kind = Literal["file", "absent", "server", "text", "unknown", "unmounted"]
_LISTED_MAX = 2000  # files below one mounted folder that an include is looked for in


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a path of the container is."""

    kind: Kind
    path: str = ""  # of this machine, or of the server
    text: str = field(default="", repr=False)  # of kind text: it may hold values
    name: str = ""  # of kind text: the config's name


@dataclass(frozen=True, kw_only=True)
class _Mount:
    target: str
    kind: Literal["bind", "text", "unknown"]
    source: str = ""
    text: str = field(default="", repr=False)


class Layout:
    """The mounts of one service."""

    def __init__(
        self,
        mounts: Collection[_Mount],
        root: str,
        ignored: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._mounts = sorted(mounts, key=lambda one: -len(one.target))
        self._root = os.path.abspath(root)
        self._ignored = ignored

    @classmethod
    def of_service(
        cls,
        service: Model,
        model: Model,
        root: str,
        *,
        ignored: Callable[[str], bool] = lambda _: False,
        stand_ins: Collection[str] = (),
    ) -> Layout:
        """What the model says; `ignored` tells of a path in the repository whether git ignores it,
        and `stand_ins` are values in the model that were made up."""
        mounts = []
        for one in service.get("volumes") or ():
            source, target = str(one.get("source") or ""), str(one.get("target") or "")
            sure = one.get("type") == "bind" and not _holds(source + target, stand_ins)
            # Where the target itself is not known, nothing beside it is.
            while _holds(target, stand_ins):
                target = posixpath.dirname(target)
            mounts.append(
                _Mount(target=_norm(target), kind="bind" if sure else "unknown", source=source)
            )
        for one in service.get("tmpfs") or ():
            mounts.append(_Mount(target=_norm(str(one).partition(":")[0]), kind="unknown"))
        for key, folder in (("configs", "/"), ("secrets", "/run/secrets")):
            for one in service.get(key) or ():
                source = str(one.get("source") or "")
                target = posixpath.join(folder, str(one.get("target") or source))
                declared = (model.get(key) or {}).get(source) or {}
                path, text = declared.get("file"), declared.get("content")
                if path and not _holds(str(path), stand_ins):
                    mount = _Mount(target=_norm(target), kind="bind", source=str(path))
                elif text is not None and not _holds(str(text), stand_ins):
                    mount = _Mount(target=_norm(target), kind="text", source=source, text=str(text))
                else:
                    mount = _Mount(target=_norm(target), kind="unknown")
                mounts.append(mount)
        if service.get("volumes_from"):
            mounts.append(_Mount(target="/", kind="unknown"))
        return cls(mounts, root, ignored)

    @classmethod
    def of_folder(cls, folder: str, target: str) -> Layout:
        """One folder of this machine at `target`; nothing is known of the rest."""
        bind = _Mount(target=_norm(target), kind="bind", source=os.path.abspath(folder))
        return cls([bind, _Mount(target="/", kind="unknown")], folder, lambda _: True)

    def below(self, folder: str) -> bool:
        """Whether something is mounted at the folder or below it."""
        return any(_inside(one.target, folder) for one in self._mounts)

    def find(self, path: str) -> Place:
        """What stands at a path of the container."""
        path = _norm(path)
        mount = next((one for one in self._mounts if _inside(path, one.target)), None)
        if mount is None:
            return Place(kind="unmounted")
        if mount.kind == "text" and mount.target == path:
            return Place(kind="text", text=mount.text, name=mount.source)
        if mount.kind != "bind":
            return Place(kind="unknown")
        rest = path[len(mount.target.rstrip("/")) :].lstrip("/")
        return self._on_disk(mount.source, rest)

    def glob(self, pattern: str) -> tuple[list[str], bool]:
        """Paths of the container that an include with `*` finds among what is mounted, sorted, and
        whether no mount could hold more of them."""
        pattern = _norm(pattern)
        static = posixpath.dirname(re.split(r"[*?\[]", pattern)[0]) or "/"
        found: set[str] = set()
        complete = True
        for mount in self._mounts:
            if mount.kind == "unknown" or (mount.kind == "text" and not mount.text):
                complete &= not (_inside(static, mount.target) or _inside(mount.target, static))
                continue
            if not (_inside(static, mount.target) or _inside(mount.target, static)):
                continue
            if mount.kind == "text":
                found.add(mount.target)
                continue
            if self.find(mount.target).kind == "file":
                found.add(mount.target)
            elif self._ours(mount.source) and os.path.isdir(mount.source):
                listed, all_of_them = _files_below(mount.source)
                found |= {posixpath.join(mount.target, one) for one in listed}
                complete &= all_of_them
            else:
                complete = False
        kept = sorted(one for one in found if _matches(one, pattern))
        return [one for one in kept if self.find(one).kind in ("file", "text")], complete

    def _on_disk(self, source: str, rest: str) -> Place:
        path = os.path.normpath(os.path.join(source, rest)) if rest else source
        if not self._ours(path):
            return Place(kind="server", path=path)
        if os.path.isfile(path):
            return Place(kind="file", path=path)
        if os.path.exists(path):
            return Place(kind="unknown")
        # A folder that is not in the repository, or holds nothing, is filled on the server.
        filled = (
            rest
            and os.path.isdir(source)
            and any(not one.startswith(".") for one in os.listdir(source))
        )
        if filled and not self._ignored(os.path.relpath(path, self._root)):
            return Place(kind="absent", path=path)
        return Place(kind="server", path=path)

    def _ours(self, path: str) -> bool:
        """Whether a path is in the repository, also where a link leads."""
        return _inside(os.path.abspath(path), self._root) and _inside(
            os.path.realpath(path), os.path.realpath(self._root)
        )


def _files_below(folder: str) -> tuple[list[str], bool]:
    found: list[str] = []
    for base, folders, files in os.walk(folder):
        folders.sort()
        found += [os.path.relpath(os.path.join(base, one), folder) for one in files]
        if len(found) > _LISTED_MAX:
            return found[:_LISTED_MAX], False
    return found, True


def _matches(path: str, pattern: str) -> bool:
    """Like glob(3): `*` ends at a slash, and finds no hidden file."""
    pieces, wanted = path.split("/"), pattern.split("/")
    return len(pieces) == len(wanted) and all(
        fnmatchcase(piece, want) and not (piece.startswith(".") and not want.startswith("."))
        for piece, want in zip(pieces, wanted, strict=True)
    )


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _norm(path: str) -> str:
    return posixpath.normpath(posixpath.join("/", path)).replace("//", "/")


def _holds(text: str, stand_ins: Collection[str]) -> bool:
    return any(one in text for one in stand_ins if one)
