"""Which names stand where: files of variables, GitHub, and what the compose files ask for.

Values in, values out; knows of a value only whether it is empty. Decides which names are lacking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

# What a column says of a name. 'required' and 'unset' are a compose file's: it stops without the
# name (`:?`), or goes on with an empty text; 'default' is what it has a default for.
Said = Literal["there", "empty", "missing", "required", "unset", "default", ""]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A column: what one file, or GitHub, says of names."""

    title: str
    said: Mapping[str, Said]
    # What is missed when another column has a name that this one lacks; '' for a column whose
    # lacks are no fault: compose files, and files of other environments that cannot be read.
    lacks: bool = True
    example: bool = False  # an empty value says nothing
    keeps_empty: bool = True


@dataclass(frozen=True, kw_only=True)
class Row:
    """One name in all columns; `problem` is a clause, '' when nothing is wrong."""

    name: str
    said: tuple[Said, ...]
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All names, those with a problem first."""

    titles: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def problems(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.problem)


def compare_names(
    sources: Sequence[Source],
    *,
    required: Iterable[str] = (),
    optional: Iterable[str] = (),
    main: int = 0,
) -> Comparison:
    """Each name of the columns. `main` is the column of the environment's own file: what is
    `required`, and what a compose file asks for, must stand in it. A lack of an `optional` name is
    none."""
    must, may = frozenset(required), frozenset(optional)
    names = sorted({name for source in sources for name in source.said} | must)
    rows = [_row(name, sources, name in must, name in may, main) for name in names]
    return Comparison(
        titles=tuple(source.title for source in sources),
        rows=tuple(sorted(rows, key=lambda row: (not row.problem, row.name))),
    )


def _row(name: str, sources: Sequence[Source], must: bool, may: bool, main: int) -> Row:
    said: tuple[Said, ...] = tuple(
        source.said.get(name, "missing" if source.lacks else "") for source in sources
    )
    problems = list(_problems(sources, said, must, main)) if not may or must else []
    return Row(name=name, said=said, problem="; ".join(problems))


def _problems(
    sources: Sequence[Source], said: Sequence[Said], must: bool, main: int
) -> Iterable[str]:
    own = said[main]
    for source, one in zip(sources, said, strict=True):
        if one == "required" and own != "there":
            yield f"{source.title} stops without it"
        elif one == "unset" and own == "missing":
            yield f"{source.title} takes an empty text for it"
    if must and own != "there":
        yield "`required` names it"
    there = [
        source.title
        for source, one in zip(sources, said, strict=True)
        if source.lacks and one in ("there", "empty")
    ]
    for source, one in zip(sources, said, strict=True):
        if there and one == "missing" and not _may_lack(source, sources, said):
            yield f"{source.title} does not have it"


def _may_lack(source: Source, sources: Sequence[Source], said: Sequence[Said]) -> bool:
    """Whether what is empty elsewhere cannot be in this column."""
    if source.keeps_empty:
        return False
    return all(
        one != "there" or other.example
        for other, one in zip(sources, said, strict=True)
        if other.lacks
    )
