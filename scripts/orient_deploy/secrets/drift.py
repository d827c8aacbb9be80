"""Where the same name has another value: places compared by keyed digests, name by name.

Values in, values out. The key is made for one run and thrown away, so that a digest means nothing
to whoever sees it later.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orient_deploy.hidden import Hidden

Cell = Literal["same", "differs", "missing", "empty", "unknown", "not asked"]

EMPTY = ""  # the mark of a value without a character
UNKNOWN = "?"  # of one that is there, and that nobody can read
_BLOCK = 64  # bytes that SHA-256 takes at a time
# Of these the other form is a sign too, and neither a blank nor a quote.
_LETTERS = "ABCDEFGIKLNOPQRSTUVWXYZ"
_BETWEEN = 0x36 ^ 0x5C  # RFC 2104: what the key is mixed with inside, and outside


class RunKey:
    """A key for one run, in a form that a shell can use.

    The digest is HMAC-SHA256 but for one thing: the inner digest goes into the outer one as hex
    digits. The key is drawn so that both of its mixed forms are letters and signs.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self) -> None:
        self._inner = "".join(secrets.choice(_LETTERS) for _ in range(_BLOCK))
        self._outer = "".join(chr(ord(one) ^ _BETWEEN) for one in self._inner)

    def mark(self, name: str, value: Hidden) -> str:
        """64 hex digits of a value under its name; `EMPTY` for one without a character."""
        text = value.reveal()
        return (
            self._digest(self._outer, self._digest(self._inner, f"{name}={text}"))
            if text
            else EMPTY
        )

    @property
    def lines(self) -> Hidden:
        """Both forms, a line each: what another machine needs to make the same marks."""
        return Hidden(f"{self._inner}\n{self._outer}\n")

    def __repr__(self) -> str:
        return "RunKey(…)"

    @staticmethod
    def _digest(key: str, text: str) -> str:
        return hashlib.sha256(f"{key}{text}".encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Place:
    """What one place has: a mark for each of its names, or `EMPTY`, or `UNKNOWN`."""

    title: str
    marks: Mapping[str, str] = field(repr=False)
    asked: frozenset[str] | None = None  # the names that could be there; None: any
    keeps_empty: bool = True  # whether a name can be there without a value


@dataclass(frozen=True, kw_only=True)
class Row:
    """One name in all places, in their order."""

    name: str
    cells: tuple[Cell, ...]
    drifted: bool


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All names, those that drifted first."""

    places: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def drifted(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.drifted)

    @property
    def agreeing(self) -> tuple[Row, ...]:
        """Names that at least two places were compared by, and that are the same."""
        return tuple(row for row in self.rows if not row.drifted and row.cells.count("same") > 1)

    @property
    def uncompared(self) -> tuple[Row, ...]:
        """Names of which nothing can be said."""
        return tuple(row for row in self.rows if not row.drifted and row not in self.agreeing)


def compare(places: Sequence[Place], *, hide: Collection[str] = ()) -> Drift:
    """Each name of the places. Of the values that are there the first place's is the measure.

    Names in `hide` may be pieces of values: they are compared, and called `(a name not shown)`.
    """
    names = {name for place in places for name in (*place.marks, *(place.asked or ()))}
    rows = [_row(name, places, name in hide) for name in sorted(names)]
    return Drift(
        places=tuple(place.title for place in places),
        rows=tuple(sorted(rows, key=lambda row: (not row.drifted, row.name))),
    )


NOT_SHOWN = "(a name not shown)"


def _row(name: str, places: Sequence[Place], hidden: bool) -> Row:
    found = [_mark(name, place) for place in places]
    known = [mark for mark in found if mark not in (None, EMPTY, UNKNOWN, _NOT_ASKED)]
    cells = tuple(_cell(mark, known[0] if known else None) for mark in found)
    return Row(
        name=NOT_SHOWN if hidden else name,
        cells=cells,
        drifted=_is_drifted(list(zip(cells, places, strict=True))),
    )


_NOT_ASKED = "-"


def _mark(name: str, place: Place) -> str | None:
    if place.asked is not None and name not in place.asked:
        return _NOT_ASKED
    return place.marks.get(name)


def _cell(mark: str | None, measure: str | None) -> Cell:
    if mark is None:
        return "missing"
    others: dict[str, Cell] = {EMPTY: "empty", UNKNOWN: "unknown", _NOT_ASKED: "not asked"}
    if mark in others:
        return others[mark]
    return "same" if mark == measure else "differs"


def _is_drifted(cells: Iterable[tuple[Cell, Place]]) -> bool:
    """Whether what is known of a name cannot all be the same."""
    said = [
        # Where nothing empty is kept, a name without a value is one that is not there.
        "empty" if cell == "missing" and not place.keeps_empty else cell
        for cell, place in cells
        if cell != "not asked"
    ]
    there = {cell for cell in said if cell in ("same", "differs", "unknown")}
    absent = {cell for cell in said if cell in ("missing", "empty")}
    if "differs" in there or (there and absent):
        return True
    # Absent everywhere: empty in one place and missing in another is a difference, but for those
    # that cannot tell.
    telling = {cell for cell, place in cells if place.keeps_empty and cell in ("missing", "empty")}
    return len(telling) > 1
