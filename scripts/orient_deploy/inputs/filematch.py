"""The patterns of COPY and ADD: what Go's path.Match says, with its errors.

`*` and `?` stop at '/', there is no `**`, names that begin with a dot are nothing special, and a
class is `[a-z]` or `[^a-z]` (a '!' means nothing). Decides what a pattern matches; never looks at
files. One difference: where a class can match '/', a path may match here that Go gives up on.

Source: https://pkg.go.dev/path#Match
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable


_SPECIAL = frozenset("*?[\\")


class BadPattern(Exception):
    """The pattern is none: a class without end, or an escape with nothing behind it."""


def has_wildcard(text: str) -> bool:
    """Whether the builder takes the text for a pattern.

    >>> has_wildcard("src/*.ts"), has_wildcard(r"src/\\*.ts")
    (True, False)
    """
    at = 0
    while at < len(text):
        if text[at] in "*?[":
            return True
        at += 2 if text[at] == "\\" else 1
    return False


def expression(pattern: str) -> str:
    """The pattern as a regular expression for a whole path.

    >>> re.fullmatch(expression("src/[a-c]*.ts"), "src/b.d.ts") is not None
    True

    Raises:
        BadPattern: Go would refuse it.
    """
    pieces = [""]  # between the stars
    at = 0
    while at < len(pattern):
        one = pattern[at]
        at += 1
        if one == "*":
            pieces.append("")
        elif one == "?":
            pieces[-1] += "[^/]"
        elif one == "[":
            members, at = _class(pattern, at)
            pieces[-1] += members
        else:
            if one == "\\":
                if at == len(pattern):
                    raise BadPattern(f"{pattern} ends with its escape")
                one = pattern[at]
                at += 1
            pieces[-1] += re.escape(one)
    # All stars but the last are done with their first match, as in Go: later ones take up the rest,
    # and no name can keep a pattern busy. (Until 3.11 is the floor, which has `(?>...)`.)
    first, *others = pieces
    closed = [
        f"(?=(?P<g{number}>[^/]*?{piece}))(?P=g{number})"
        for number, piece in enumerate(others[:-1])
    ]
    return "".join([first, *closed, *(f"[^/]*{piece}" for piece in others[-1:])])


def segment(text: str) -> Callable[[str], bool]:
    """What tells whether a name matches a part of a pattern, neither of them with a '/'."""
    if _SPECIAL.isdisjoint(text):
        return text.__eq__
    begin, star, end = text.partition("*")
    if star and _SPECIAL.isdisjoint(begin + end):
        least = len(begin) + len(end)
        return lambda name: len(name) >= least and name.startswith(begin) and name.endswith(end)
    match = re.compile(expression(text)).fullmatch
    return lambda name: match(name) is not None


def _class(pattern: str, at: int) -> tuple[str, int]:
    """The class that begins before `at`, and where it ends."""
    is_negated = pattern[at : at + 1] == "^"
    at += is_negated
    members: list[str] = []
    is_first = True
    while is_first or pattern[at : at + 1] != "]":
        low, at = _member(pattern, at)
        high = low
        if pattern[at] == "-":
            high, at = _member(pattern, at + 1)
        if low <= high:
            members.append(f"{re.escape(low)}-{re.escape(high)}")
        is_first = False
    if members:
        return f"[{'^' * is_negated}{''.join(members)}]", at + 1
    return "[\\s\\S]" if is_negated else "(?!)", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at : at + 1] == "\\":
        at += 1
    elif pattern[at : at + 1] in ("-", "]"):
        at = len(pattern)
    # Something has to follow, be it only the end of the class.
    if at + 1 >= len(pattern):
        raise BadPattern(f"{pattern} has a class without end")
    return pattern[at], at + 1
