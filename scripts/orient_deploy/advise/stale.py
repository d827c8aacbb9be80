"""How a row of pushes went for each image: built, built needlessly, or left stale.

What decided about the builds (a watch list, a path filter, the input digests) is given; the judge
is always the input digest of what the Dockerfile reads. An image is stale while what was last built
has other inputs than the commit. Values in, values out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from orient_deploy.inputs.images import Difference

# What became of an image at a push:
#   built     built, and it had to be
#   reused    its inputs came back to those of an image that was built before: that one is used
#   needless  built, though the image before had the very same inputs
#   missed    not built, although this push changed what it reads: stale from now on
#   stale     not built, and stale since an earlier push
#   kept      not built, and there was no need
Outcome = Literal["built", "reused", "needless", "missed", "stale", "kept"]

# By their names, files that seldom make a difference to what runs: documents and tests. They are
# read and so they count; where nothing else changed, that is said.
_MINOR = re.compile(
    r"\.(?:md|mdx|markdown|rst|adoc)\Z|(?:\A|/)(?:LICEN[CS]E|NOTICE|AUTHORS)(?:-[\w.]+)?\Z"
    r"|(?:\A|/)(?:__tests__|tests?|e2e)/|[._](?:test|spec)\.\w+\Z"
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One image at one push. A digest is '' where the image was not there."""

    name: str
    digest: str  # of what it reads, after the push
    before: str  # and before it
    decided: Literal["build", "reuse", "leave"]
    differences: tuple[Difference, ...] = ()  # why the two digests differ


@dataclass(frozen=True, kw_only=True)
class Push:
    """One first-parent commit, taken as one push to a deploying branch."""

    id: str
    parent: str  # '' when it has none
    subject: str
    time_s: int  # since 1970
    files: int | None  # that changed; None when there was nothing to compare with
    standings: tuple[Standing, ...]  # of the images that are there after the push
    deploy: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One image at one push, judged."""

    name: str
    outcome: Outcome
    differences: tuple[Difference, ...] = ()

    @property
    def is_minor(self) -> bool:
        """Whether nothing but documents and tests changed, by their names."""
        return bool(self.differences) and all(
            _MINOR.search(one.path) is not None for one in self.differences
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One push, judged."""

    push: Push
    cells: tuple[Cell, ...]

    def names(self, *outcomes: Outcome) -> tuple[str, ...]:
        """The images with one of these outcomes, in the order of the configuration."""
        return tuple(cell.name for cell in self.cells if cell.outcome in outcomes)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Pushes after which an image was stale: from `first` up to, not including, `end`.

    Both are positions in the row of pushes; `end` is its length for an image that is stale still.
    """

    name: str
    first: int
    end: int
    missed: tuple[int, ...]  # the pushes among them that changed what it reads
    ending: Literal["built", "returned", "removed", "open"]
    seconds: int  # from the first to the end, by the commits' times
    is_minor: bool  # nothing but documents and tests changed in all of them

    @property
    def pushes(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Counts over all pushes, of one image or of all of them together."""

    there: int  # pushes after which it was there
    built: int  # because it had to be
    reused: int
    needless: int
    missed: int
    missed_minor: int  # of those, for documents and tests only
    stale: int  # pushes after which it was stale
    longest: Stretch | None

    @property
    def builds(self) -> int:
        """How often it was built."""
        return self.built + self.needless

    @property
    def needed(self) -> int:
        """How often it had to be built."""
        return self.built + self.missed


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A row of pushes, oldest first, and what became of each image."""

    rows: tuple[Row, ...]
    names: tuple[str, ...]  # of all images that were there after some push
    stretches: tuple[Stretch, ...]  # worst first
    by_image: Mapping[str, Sums]
    sums: Sums

    @property
    def pushes(self) -> int:
        """After how many pushes there was an image at all."""
        return sum(bool(row.cells) for row in self.rows)

    @property
    def missing_pushes(self) -> int:
        """How many pushes left an image stale."""
        return sum(bool(row.names("missed")) for row in self.rows)

    @property
    def stale_pushes(self) -> int:
        """After how many pushes an image was stale, since then or from before."""
        return sum(bool(row.names("missed", "stale")) for row in self.rows)


def judge(pushes: Sequence[Push]) -> Judged:
    """What became of each image at each push, given oldest first.

    Whatever was there before the first push is taken to be up to date.
    """
    rows: list[Row] = []
    running: dict[str, str] = {}  # the digest of what was last built, by image
    for push in pushes:
        for standing in push.standings:
            running.setdefault(standing.name, standing.before)
        rows.append(Row(push=push, cells=tuple(_cell(one, running) for one in push.standings)))
        there = {one.name for one in push.standings}
        running = {name: digest for name, digest in running.items() if name in there}
    names = tuple(dict.fromkeys(cell.name for row in rows for cell in row.cells))
    stretches = [one for name in names for one in _stretches(name, rows)]
    stretches.sort(key=lambda one: (one.is_minor, -one.pushes, -len(one.missed), one.first))
    return Judged(
        rows=tuple(rows),
        names=names,
        stretches=tuple(stretches),
        by_image={
            name: _sums(
                [cell for row in rows for cell in row.cells if cell.name == name],
                [one for one in stretches if one.name == name],
            )
            for name in names
        },
        sums=_sums([cell for row in rows for cell in row.cells], stretches),
    )


def _cell(standing: Standing, running: dict[str, str]) -> Cell:
    """Judges one image and notes what runs then."""
    name = standing.name
    is_current = running[name] == standing.digest
    outcome: Outcome
    if standing.decided == "leave":
        changed = standing.before != standing.digest
        outcome = "kept" if is_current else "missed" if changed else "stale"
    else:
        outcome = "reused" if standing.decided == "reuse" else "needless" if is_current else "built"
        running[name] = standing.digest
    return Cell(name=name, outcome=outcome, differences=standing.differences)


def _stretches(name: str, rows: Sequence[Row]) -> Iterator[Stretch]:
    cells = [next((cell for cell in row.cells if cell.name == name), None) for row in rows]
    first: int | None = None
    for at, cell in enumerate([*cells, None]):
        if cell is not None and cell.outcome in ("missed", "stale"):
            first = at if first is None else first
        elif first is not None:
            missed = [
                (index, one)
                for index, one in enumerate(cells[first:at], first)
                if one is not None and one.outcome == "missed"
            ]
            last = rows[min(at, len(rows) - 1)].push.time_s
            yield Stretch(
                name=name,
                first=first,
                end=at,
                missed=tuple(index for index, _ in missed),
                ending=_ending(cell, is_last=at == len(rows)),
                seconds=max(0, last - rows[first].push.time_s),
                is_minor=all(one.is_minor for _, one in missed),
            )
            first = None


def _ending(cell: Cell | None, *, is_last: bool) -> Literal["built", "returned", "removed", "open"]:
    if cell is None:
        return "open" if is_last else "removed"
    return "returned" if cell.outcome == "kept" else "built"


def _sums(cells: Sequence[Cell], stretches: Sequence[Stretch]) -> Sums:
    counts = Counter(cell.outcome for cell in cells)
    return Sums(
        there=len(cells),
        built=counts["built"],
        reused=counts["reused"],
        needless=counts["needless"],
        missed=counts["missed"],
        missed_minor=sum(cell.outcome == "missed" and cell.is_minor for cell in cells),
        stale=counts["missed"] + counts["stale"],
        longest=max(stretches, key=lambda one: one.pushes, default=None),
    )


@dataclass(frozen=True, kw_only=True)
class BlindSpot:
    """Files of one place whose changes were missed."""

    name: str  # of the image
    place: str  # a folder, at most two deep and with '/' behind it, or a file above
    why: str  # how its files came to count, the last time
    paths: tuple[str, ...]  # those of most pushes first
    pushes: int


def blind_spots(judged: Judged) -> list[BlindSpot]:
    """What the lists do not watch, as far as it was missed; what was missed most often first."""
    pushes: Counter[tuple[str, str]] = Counter()
    files: dict[tuple[str, str], Counter[str]] = {}
    whys: dict[tuple[str, str], str] = {}
    for row in judged.rows:
        for cell in row.cells:
            if cell.outcome == "missed":
                pushes.update({(cell.name, _place(one.path)) for one in cell.differences})
                for one in cell.differences:
                    spot = cell.name, _place(one.path)
                    files.setdefault(spot, Counter())[one.path] += 1
                    whys[spot] = one.why
    return [
        BlindSpot(
            name=spot[0],
            place=spot[1],
            why=whys[spot],
            paths=tuple(path for path, _ in files[spot].most_common()),
            pushes=count,
        )
        for spot, count in sorted(pushes.items(), key=lambda item: (-item[1], item[0]))
    ]


def _place(path: str) -> str:
    """Where a file lies, as far as people name it.

    >>> _place("packages/core/src/a.ts"), _place("docker/entrypoint.sh"), _place("a.json")
    ('packages/core/', 'docker/entrypoint.sh', 'a.json')
    """
    folders = path.split("/")[:-1]
    return "/".join(folders[:2]) + "/" if len(folders) > 1 else path
