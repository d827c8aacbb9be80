"""Reads many commits of one repository in one process, with libgit2: replay and audit look back.

What two commits share is read once: trees are remembered by their ids. Says the same as
`history.repository` does with git, and never asks a server, follows a ref or writes anything.
pygit2 is imported here only, and only once a reader is made: that alone takes a tenth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.history.git import GitFailed
from orient_deploy.history.model import SHORT, Change

TYPE_CHECKING = False  # one way to say it, everywhere
if TYPE_CHECKING:
    from types import ModuleType

    Entry = tuple[bytes, bytes]  # mode as `git ls-tree` prints it, and the raw id

FOLDER = b"040000"
SUBMODULE = b"160000"
MOST_HELD_BYTES = 64 * 1024 * 1024  # of remembered trees; a commit of 100,000 files has 10 MB


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What a commit object says. `parents` are its own also where a shallow clone ends."""

    id: str
    tree: str
    parents: tuple[str, ...]
    time_s: int  # when it was committed, in seconds since 1970
    subject: str  # first paragraph on one line


class Commits:
    """Commits of the repository in a bare directory."""

    def __init__(self, directory: str) -> None:
        """Opens the repository.

        Raises:
            EnvironmentLacks: there is no pygit2, or it cannot read this repository.
        """
        pygit2 = _pygit2()
        try:
            self._repository = pygit2.Repository(directory)
        except (pygit2.GitError, OSError, ValueError) as error:
            raise EnvironmentLacks(
                "the history cannot be read with libgit2",
                str(error) or "it says no more",
                "It reads repositories with SHA-1 ids, as GitHub has them",
            ) from None
        self._commits: dict[str, Commit] = {}
        self._folders: dict[bytes, dict[bytes, Entry]] = {}
        self._listings: dict[tuple[bytes, bytes], bytes] = {}
        self._held = 0  # bytes, roughly

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        return commit in self._commits or self._object(commit) is not None

    def commit(self, commit: str) -> Commit:
        """What the commit object says.

        Raises:
            GitFailed: it is not here.
        """
        known = self._commits.get(commit)
        if known is None:
            data = self._object(commit)
            if data is None:
                raise _broken(f"commit {commit[:SHORT]}")
            known = self._commits[commit] = _parse_commit(commit, data)
        return known

    def first_parents(self, head: str, count: int) -> list[Commit]:
        """The last `count` commits that led to `head` by first parents, newest first.

        Ends with the first commit, or where a shallow clone does.
        """
        found: list[Commit] = []
        at = head
        while at and len(found) < count and (not found or self.has(at)):
            found.append(self.commit(at))
            at = next(iter(found[-1].parents), "")
        return found

    def entries(self, commit: str) -> bytes:
        """Every entry of the commit as `git ls-tree -r -z` prints it, in byte order of the paths.

        Raises:
            GitFailed: the clone lacks a part of it.
        """
        if self._held > MOST_HELD_BYTES:
            self._held = 0
            self._folders.clear()
            self._listings.clear()
        return self._listing(bytes.fromhex(self.commit(commit).tree), b"")

    def content(self, oid: str) -> bytes | None:
        """The bytes of a blob; None when this clone was made without file contents."""
        return self._object(oid)

    def changes(self, base: str, head: str) -> tuple[Change, ...]:
        """What changed from base to head, by path in byte order; a rename is two changes."""
        before, after = (bytes.fromhex(self.commit(one).tree) for one in (base, head))
        rows = sorted(self._differences(before, after, b""))
        return tuple(
            Change(path.decode("utf-8", "surrogateescape"), status)  # type: ignore[arg-type]  # it is one of the four letters
            for path, status in rows
        )

    def _differences(
        self, before: bytes | None, after: bytes | None, prefix: bytes
    ) -> Iterator[tuple[bytes, str]]:
        old = self._entries(before) if before else {}
        new = self._entries(after) if after else {}
        for name in old.keys() | new.keys():
            was, now = old.get(name), new.get(name)
            if was == now:
                continue
            path = prefix + name
            folder_was = was[1] if was and was[0] == FOLDER else None
            folder_now = now[1] if now and now[0] == FOLDER else None
            if folder_was or folder_now:
                yield from self._differences(folder_was, folder_now, path + b"/")
            file_was = was if was and not folder_was else None
            file_now = now if now and not folder_now else None
            if file_was and file_now:
                # Of a mode the first two digits are the type: file, symbolic link, submodule.
                yield path, "M" if file_was[0][:3] == file_now[0][:3] else "T"
            elif file_was or file_now:
                yield path, "D" if file_was else "A"

    def _listing(self, oid: bytes, prefix: bytes) -> bytes:
        """The rows of a folder and all below it."""
        known = self._listings.get((oid, prefix))
        if known is None:
            parts = []
            for name, (mode, child) in self._entries(oid).items():
                if mode == FOLDER:
                    parts.append(self._listing(child, prefix + name + b"/"))
                else:
                    kind = b"commit" if mode == SUBMODULE else b"blob"
                    about = b"%s %s %s\t" % (mode, kind, child.hex().encode())
                    parts.append(about + prefix + name + b"\0")
            known = b"".join(parts)
            if prefix:  # no two commits share the whole
                self._held += len(known)
                self._listings[oid, prefix] = known
        return known

    def _entries(self, oid: bytes) -> dict[bytes, Entry]:
        """A tree object's entries by name, in its order."""
        known = self._folders.get(oid)
        if known is None:
            data = self._object(oid.hex())
            if data is None:
                raise _broken(f"tree {oid.hex()[:SHORT]}")
            known = {
                name: (_MODES.get(mode) or _mode(mode), child)
                for mode, name, child in _TREE_ENTRY.findall(data)
            }
            self._held += 3 * len(data)
            self._folders[oid] = known
        return known

    def _object(self, oid: str) -> bytes | None:
        try:
            data: bytes = self._repository.read(oid)[1]
        except (KeyError, ValueError):
            return None
        except Exception as error:  # pygit2.GitError, a class that is not known here: zlib, a pack
            raise _broken(f"object {oid[:SHORT]}", str(error)) from None
        return data


# A tree object's entry: mode, blank, name, zero, id of SHA-1.
_TREE_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
# What git writes today, as `git ls-tree` prints it.
_MODES = {b"40000": FOLDER, **{one: one for one in (b"100644", b"100755", b"120000", SUBMODULE)}}
_COMMITTED = re.compile(rb"^committer .*> ?(-?\d+)", re.MULTILINE)


def _mode(mode: bytes) -> bytes:
    """A mode that early or other tools wrote (100664), as git takes it."""
    number = int(mode, 8)
    kind = number & 0o170000
    if kind == 0o100000:
        return b"100755" if number & 0o100 else b"100644"
    return {0o120000: b"120000", 0o040000: FOLDER}.get(kind, SUBMODULE)


def _parse_commit(commit: str, data: bytes) -> Commit:
    header, _, message = data.partition(b"\n\n")
    encoding = re.search(rb"^encoding (\S+)$", header, re.MULTILINE)
    try:
        text = message.decode(encoding[1].decode("ascii") if encoding else "utf-8")
    except (LookupError, ValueError):
        text = message.decode("utf-8", "replace")
    first = re.split(r"\n[ \t]*\n", text.lstrip("\n"), maxsplit=1)[0]
    committed = _COMMITTED.search(header)
    return Commit(
        id=commit,
        tree=header[len(b"tree ") :].partition(b"\n")[0].decode("ascii", "replace"),
        parents=tuple(
            parent.decode("ascii") for parent in re.findall(rb"^parent ([0-9a-f]+)$", header, re.M)
        ),
        time_s=int(committed[1]) if committed else 0,
        subject=" ".join(line.strip() for line in first.split("\n")).strip(),
    )


def _broken(what: str, why: str = "") -> GitFailed:
    return GitFailed(
        f"{what} cannot be read",
        why or "the repository does not have it",
        "Look at the repository with `git fsck`, or clone again without --filter",
    )


def _pygit2() -> ModuleType:
    try:
        import pygit2
    except ImportError as error:
        raise EnvironmentLacks(
            "the history cannot be read",
            f"pygit2 is not installed, or does not fit this Python ({error})",
            "Install the command with `pipx install .`, or start scripts/run from a clone: both "
            "bring it",
        ) from None
    pygit2.settings.enable_strict_hash_verification(False)  # git does not do it either
    return pygit2
