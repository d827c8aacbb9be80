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
    said: Mapping[str, Said]  # by name; in upper case where it is `any_case`
    # What is missed when another column has a name that this one lacks; False for compose files,
    # whose lacks are no fault.
    lacks: bool = True
    example: bool = False  # an empty value says nothing
    keeps_empty: bool = True
    any_case: bool = False  # as GitHub does: `api_key` is its API_KEY


@dataclass(frozen=True, kw_only=True)
class Row:
    """One name in all columns; `problem` is a clause, '' when nothing is wrong. `note` is what the
    cells do not say of it."""

    name: str
    said: tuple[Said, ...]
    problem: str = ""
    note: str = ""


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
    none. Those two know no case, as elsewhere in the configuration.

    >>> file, other = Source(title="a", said={"A": "there"}), Source(title="b", said={"B": "empty"})
    >>> [(row.name, row.problem) for row in compare_names([file, other]).problems]
    [('A', 'b does not have it'), ('B', 'a does not have it')]
    """
    must, may = {one.upper(): one for one in required}, {one.upper() for one in optional}
    names = {name for one in sources if not one.any_case for name in one.said}
    told = {name.upper() for name in names}
    for name in (*must, *(name for one in sources if one.any_case for name in one.said)):
        if name not in told:
            names.add(must.get(name, name))
            told.add(name)
    rows = [
        _row(name, sources, name.upper() in must, name.upper() in may, main)
        for name in sorted(names)
    ]
    return Comparison(
        titles=tuple(source.title for source in sources),
        rows=tuple(sorted(rows, key=lambda row: (not row.problem, row.name))),
    )


def _row(name: str, sources: Sequence[Source], must: bool, may: bool, main: int) -> Row:
    said = [_said(name, source) for source in sources]
    for index, source in enumerate(sources):
        if said[index] == "missing" and _may_lack(source, sources, said, main):
            said[index] = ""
    problems = list(_problems(sources, said, must, main)) if not may or must else []
    return Row(
        name=name,
        said=tuple(said),
        problem="; ".join(full for full, _ in problems),
        note="; ".join(note for _, note in problems if note),
    )


def _said(name: str, source: Source) -> Said:
    found = source.said.get(name.upper() if source.any_case else name)
    return found or ("missing" if source.lacks else "")


def _problems(
    sources: Sequence[Source], said: Sequence[Said], must: bool, main: int
) -> Iterable[tuple[str, str]]:
    """Each problem as a clause, and as a note beside the cells; '' where they say it."""
    own = said[main]
    for source, one in zip(sources, said, strict=True):
        if one == "required" and own != "there":
            yield f"{source.title} stops without it", "Compose stops without it"
        elif one == "unset" and own == "missing":
            yield f"{source.title} takes an empty text for it", "Compose takes an empty text for it"
    if must and own != "there":
        yield "`required` names it", "`required` names it"
    there = any(
        source.lacks and one in ("there", "empty")
        for source, one in zip(sources, said, strict=True)
    )
    for source, one in zip(sources, said, strict=True):
        if there and one == "missing":
            yield f"{source.title} does not have it", ""


def _may_lack(source: Source, sources: Sequence[Source], said: Sequence[Said], main: int) -> bool:
    """Whether what is empty in the file cannot be in this column."""
    if source.keeps_empty:
        return False
    return said[main] == "empty" or not any(
        one == "there" and other.lacks and not other.example
        for other, one in zip(sources, said, strict=True)
    )
