"""A lockfile as a graph of entries, and the digest of the part of it that some packages reach.

An entry is what the lockfile says of one thing: a workspace package and what it asks for (an
importer), a resolved package, a patch, a row of a catalog. Which text an entry has and what it
needs is the business of the module that read the format. Never decides whose closure is asked for.
"""

from __future__ import annotations

from itertools import compress

from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    # The section an entry stands in, and its key there.
    Entry = tuple[str, str]

SCHEMA = "orient-deploy-lock 1"
IMPORTERS = "importers"
ROOT = "."  # the importer that counts for every other
MISSING = "missing"

# The digits of a binary number as the truth values that `compress` takes.
_TRUTH = bytes.maketrans(b"01", b"\0\1")


@dataclass(frozen=True)
class LockProblem:
    """A lockfile that cannot be told apart into entries, so that all of it counts."""

    why: str  # a clause: 'line 12 is a merge conflict'


class Unread(Exception):
    """Raised while a format is read; `read_lock` turns it into a `LockProblem`."""


class Lock:
    """The entries of one lockfile.

    `settings` are what counts for every importer: (name, text) pairs. `texts` holds the canonical
    text of each entry, importers included. `follow` tells of an entry which others it needs, also
    such as the lockfile lacks, and which folders of the workspace. Folders are relative to the
    lockfile's own, which is '.' itself.

    Raises:
        Unread: `follow` did.
    """

    def __init__(
        self,
        *,
        kind: str,
        settings: Sequence[tuple[str, str]],
        texts: Mapping[Entry, str],
        follow: Callable[[Entry], tuple[Collection[Entry], Collection[str]]],
        lists_links: bool = True,
    ) -> None:
        self.kind = kind  # 'pnpm 9.0', for people and for the digest
        self.importers = frozenset([key for section, key in texts if section == IMPORTERS])
        self.lists_links = lists_links  # False: who needs whom of the workspace is not in it
        self._settings = sorted(settings)
        self.texts = texts
        self._follow = follow
        # Entries by number: those of the lockfile in order, behind them what it lacks.
        self._entries: list[Entry] = sorted(texts)
        self._numbers = {entry: number for number, entry in enumerate(self._entries)}
        self._links: dict[int, Collection[str]] = {}  # of those that have any
        self._linking: list[int] = []  # the packages among them, which are few
        self._reached: dict[int, int] = {}  # by number: a bit for each entry that it leads to
        self._records: list[bytes] = []
        # Now, so that what cannot be read is known now, and asking never fails.
        for importer in sorted(self.importers):
            self._reach(self._number((IMPORTERS, importer)))

    def closure(self, importers: Iterable[str]) -> str:
        """What these importers resolve to, as 64 hex digits; the root importer always counts.

        sha256 over texts in UTF-8 with a NUL byte after each: SCHEMA; the kind; of each of the
        settings its name and its text, in the order of the names; and three of each entry that is
        reached, in the order of section and key: section, key, and the sha256 of the entry's text
        in hex. What is needed and is not in the lockfile, as an importer that it does not know,
        comes last, in the same order: the word 'missing', section, key. All orders are those of
        the bytes.
        """
        from hashlib import sha256

        reached = self._of_importers(importers)
        told = _joined(SCHEMA, self.kind, *[text for pair in self._settings for text in pair])
        hashed = sha256(told)
        known = self._known_records()
        hashed.update(b"".join(compress(known, _bits(reached))))
        absent = compress(self._entries[len(known) :], _bits(reached >> len(known)))
        for entry in sorted(absent):
            hashed.update(_joined(MISSING, *entry))
        return hashed.hexdigest()

    def entries(self, importers: Iterable[str]) -> list[Entry]:
        """Section and key of all that counts for these importers, also what is missing."""
        return list(compress(self._entries, _bits(self._of_importers(importers))))

    def workspace_links(self, importer: str) -> tuple[str, ...]:
        """The folders of the workspace that an importer depends on, itself or by a package."""
        number = self._number((IMPORTERS, importer))
        reached = self._reach(number)
        folders = set(self._links.get(number, ()))
        for package in self._linking:
            if reached >> package & 1:
                folders.update(self._links[package])
        return tuple(sorted(folders - {importer}))

    def _of_importers(self, importers: Iterable[str]) -> int:
        wanted = set(importers)
        if ROOT in self.importers:
            wanted.add(ROOT)
        reached = 0
        for importer in wanted:
            reached |= self._reach(self._number((IMPORTERS, importer)))
        return reached

    def _known_records(self) -> list[bytes]:
        if not self._records:
            from hashlib import sha256

            self._records = [
                _joined(*entry, sha256(_encoded(text)).hexdigest())
                for entry in self._entries[: len(self.texts)]
                for text in (self.texts[entry],)
            ]
        return self._records

    def _number(self, entry: Entry) -> int:
        found = self._numbers.get(entry)
        if found is None:
            found = self._numbers[entry] = len(self._entries)
            self._entries.append(entry)
        return found

    def _needed(self, number: int) -> Iterator[int]:
        """The entries that one needs itself; its links are noted."""
        if number >= len(self.texts):
            return iter(())
        entry = self._entries[number]
        needed, links = self._follow(entry)
        if links:
            self._links[number] = links
            if entry[0] != IMPORTERS:
                self._linking.append(number)
        return map(self._number, needed)

    def _reach(self, start: int) -> int:
        """An entry and all that it leads to, a bit for each.

        Packages need each other in circles. Tarjan's algorithm closes each circle once, and then
        it is known for every importer; without recursion, for chains are longer than Python's.
        """
        reached = self._reached
        if start in reached:
            return reached[start]
        order = {start: 0}  # when each entry was met
        low = {start: 0}  # the earliest that it leads back to
        found = {start: 1 << start}
        open_ = [start]  # met, and its circle not closed
        path = [(start, self._needed(start))]
        while path:
            number, rest = path[-1]
            for other in rest:
                if other in reached:
                    found[number] |= reached[other]
                elif other in order:
                    low[number] = min(low[number], order[other])
                else:
                    order[other] = low[other] = len(order)
                    found[other] = 1 << other
                    open_.append(other)
                    path.append((other, self._needed(other)))
                    break
            else:
                path.pop()
                if low[number] == order[number]:
                    circle = open_[open_.index(number) :] if open_[-1] != number else [number]
                    del open_[-len(circle) :]
                    whole = 0
                    for one in circle:
                        whole |= found[one]
                    reached.update(dict.fromkeys(circle, whole))
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[number])
                    if number in reached:
                        found[above] |= reached[number]
        return reached[start]


def _bits(number: int) -> bytes:
    """The bits of a number from the lowest on, as truth values."""
    return f"{number:b}"[::-1].encode().translate(_TRUTH)


def _joined(*texts: str) -> bytes:
    return _encoded("\0".join(texts)) + b"\0"


def _encoded(text: str) -> bytes:
    # JSON can say lone surrogates, which UTF-8 cannot.
    return text.encode("utf-8", "surrogatepass")
