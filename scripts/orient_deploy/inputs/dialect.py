"""GitHub's `paths:` dialect as regular expressions, in the form of a pattern class for pathspec.

Decides what one pattern means; which pattern of a list counts is decided in `patterns`, which
imports this module only when a list holds a pattern that takes an expression. Never refuses a
pattern: the configuration did that already.

Source: GitHub docs, "Workflow syntax", filter pattern cheat sheet; docs/patterns.md has the table.
"""

from __future__ import annotations

import re
from itertools import count

from pathspec.pattern import RegexPattern
from pathspec.util import register_pattern

from orient_deploy.inputs.patterns import CLASS, expand_braces

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterator

# `**` segments that follow each other say no more than one of them.
_REPEATED = re.compile(r"(?<![^/])\*\*+(?:/\*\*+)+(?![^/])")

_TOKEN = re.compile(
    rf"""
      (?P<below>(?<!\*)/\*\*+\Z)       # dir/**: what is in dir or called dir; not dir*/**
    | (?P<folders>(?<![^/])\*\*+/)     # **/x: x in any directory, also at the root
    | (?P<any>\*\*+)                   # any run of any characters
    | (?P<run>\*)                      # any run of characters without '/'
    | {CLASS}
    | (?P<literal>[^*/\[]+|.)          # also a '[' that nothing closes within its segment
    """,
    re.VERBOSE | re.DOTALL,
)

_CROSSING = {"folders": "(?:|.*?/)", "any": ".*?"}  # wildcards that pass over '/'
_RUN = "[^/]*?"


class GitHubPathsPattern(RegexPattern):
    """One pattern of GitHub's `paths:` filters, and `{a,b}`; known to pathspec as 'github'.

    >>> from pathspec import PathSpec
    >>> spec = PathSpec.from_lines("github", ["docs/**", "!docs/**/*.md"])
    >>> spec.match_file("docs/a/b.svg"), spec.match_file("docs/a/b.md")
    (True, False)
    """

    __slots__ = ()

    @classmethod
    def pattern_to_regex(cls, pattern: str) -> tuple[str, bool]:  # type: ignore[override]  # no bytes
        """The expression that matches a whole path, and whether it includes."""
        include = not pattern.startswith("!")
        groups = count()
        alternatives = [
            _expression(_pieces(text), groups)
            for text in expand_braces(pattern if include else pattern[1:])
        ]
        return rf"(?s)\A(?:{'|'.join(alternatives)})\Z", include


register_pattern("github", GitHubPathsPattern)


def _pieces(text: str) -> list[tuple[str, str]]:
    """A pattern without braces, cut before each wildcard: that, and the fixed text behind it.

    The first piece has no wildcard.
    """
    wildcards, fixed = [""], [""]
    for token in _TOKEN.finditer(_REPEATED.sub("**", text)):
        kind = token.lastgroup or ""
        if kind == "literal":
            fixed[-1] += re.escape(token[kind])
        elif kind == "members":
            fixed[-1] += _class(token)
        else:
            if kind == "below":
                fixed[-1] += r"(?:/|\Z)"
                kind = "any"
            wildcards.append(_CROSSING.get(kind, _RUN))
            fixed.append("")
    return list(zip(wildcards, fixed, strict=True))


def _expression(pieces: list[tuple[str, str]], groups: Iterator[int]) -> str:
    """The pieces as one expression whose time cannot explode.

    Only the last wildcard that passes over '/', and a last one behind it, ever need a second try:
    for any other, the earliest place where the text behind it fits is the best, because a later
    wildcard takes up the rest. So those others are closed once they have matched; otherwise one
    path of 4 KB could keep a pattern with four wildcards busy for hours.
    """
    chunks: list[str] = []  # each but the first begins with a wildcard that passes over '/'
    for at, (wildcard, fixed) in enumerate(pieces):
        if wildcard == _RUN:
            last = at == len(pieces) - 1
            chunks[-1] += wildcard + fixed if last else _closed(wildcard + fixed, groups)
        else:
            chunks.append(wildcard + fixed)
    closed = [_closed(chunk, groups) for chunk in chunks[1:-1]]
    return "".join([chunks[0], *closed, *chunks[1:][-1:]])


def _closed(expression: str, groups: Iterator[int]) -> str:
    """Matches as `expression` does, once. (Until 3.11 is the floor, which has `(?>...)`.)"""
    name = f"g{next(groups)}"
    return f"(?=(?P<{name}>{expression}))(?P={name})"


def _class(token: re.Match[str]) -> str:
    """A character class; it never matches '/'. A range whose ends are reversed holds nothing."""
    members = token["members"]
    parts: list[str] = []
    index = 0
    while index < len(members):
        low = high = members[index]
        if members[index + 1 : index + 2] == "-" and index + 2 < len(members):
            high = members[index + 2]
            index += 2
        index += 1
        if low <= high:
            parts.append(f"{re.escape(low)}-{re.escape(high)}")
    if token["negation"]:
        return f"[^/{''.join(parts)}]"
    return f"(?!/)[{''.join(parts)}]" if parts else "(?!)"
