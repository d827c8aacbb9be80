"""What path-to-regexp 8, and with it Express 5, makes of a route written as a text.

Decides whether it is refused, why, and how it is written today; never finds the routes.

Source: https://github.com/pillarjs/path-to-regexp (8.4), https://expressjs.com/en/guide/migrating-5.html
"""

from __future__ import annotations

import re

_UNEXPECTED = frozenset("}()[]+?!")
MOST_COMBINATIONS = 256
LONGEST = 300  # characters that are judged; longer ones are let pass


def refusal(path: str) -> str:
    """Why the path is refused, in the words of path-to-regexp; '' when it is not.

    >>> refusal("/api/*"), refusal("/api/*splat")
    ('Missing parameter name at index 6', '')
    """
    if len(path) > LONGEST:
        return ""
    try:
        tokens, _ = _parsed(list(path), 0, "")
        left = [MOST_COMBINATIONS]
        _check(tokens, 0, [], left)
    except _Refused as error:
        return str(error)
    return ""


class _Refused(Exception):
    """In path-to-regexp's own words."""


# ('text', 'abc'), ('param', 'id'), ('wildcard', 'rest'), ('group', [tokens])
_Token = tuple[str, "str | list[_Token]"]


def _is_start(sign: str) -> bool:
    return sign == "$" or (sign.isidentifier() and len(sign) == 1)


def _is_further(sign: str) -> bool:
    return sign in "$\u200c\u200d" or f"a{sign}".isidentifier()


def _parsed(signs: list[str], at: int, end: str) -> tuple[list[_Token], int]:
    found: list[_Token] = []
    text = ""

    def write() -> None:
        nonlocal text
        if text:
            found.append(("text", text))
        text = ""

    while at < len(signs):
        sign = signs[at]
        at += 1
        if sign == end:
            write()
            return found, at
        if sign == "\\":
            if at == len(signs):
                raise _Refused(f"Unexpected end after \\ at index {at}")
            text += signs[at]
            at += 1
        elif sign in ":*":
            name, at = _name(signs, at)
            if not name:
                raise _Refused(f"Missing parameter name at index {at}")
            write()
            found.append(("param" if sign == ":" else "wildcard", name))
        elif sign == "{":
            write()
            inner, at = _parsed(signs, at, "}")
            found.append(("group", inner))
        elif sign in _UNEXPECTED:
            raise _Refused(f"Unexpected {sign} at index {at - 1}")
        else:
            text += sign
    if end:
        raise _Refused(f"Unexpected end at index {at}, expected {end}")
    write()
    return found, at


def _name(signs: list[str], at: int) -> tuple[str, int]:
    name = ""
    if at < len(signs) and _is_start(signs[at]):
        while at < len(signs) and _is_further(signs[at]):
            name += signs[at]
            at += 1
    elif at < len(signs) and signs[at] == '"':
        start = at
        at += 1
        while at < len(signs) and signs[at] != '"':
            at += signs[at] == "\\"
            name += signs[at] if at < len(signs) else "?"
            at += 1
        if at >= len(signs):
            raise _Refused(f"Unterminated quote at index {start}")
        at += 1
    return name, at


def _check(tokens: list[_Token], at: int, before: list[_Token], left: list[int]) -> None:
    """Goes through every way in which the groups can be there or not."""
    while at < len(tokens):
        kind, value = tokens[at]
        at += 1
        if kind == "group":
            assert isinstance(value, list)
            _check([*value, *tokens[at:]], 0, before[:], left)
        else:
            before = [*before, (kind, value)]
    left[0] -= 1
    if left[0] < 0:
        raise _Refused("Too many path combinations")
    had_capture = False
    text = ""
    for kind, value in before:
        if kind == "text":
            text += str(value)
            continue
        if had_capture and not text:
            raise _Refused(f'Missing text before "{value}" {kind}')
        had_capture, text = True, ""


def rewritten(path: str) -> str:
    """The path as Express 5 takes it, for the usual cases; '' where somebody has to think.

    >>> rewritten("*"), rewritten("/api/*"), rewritten("/:id?"), rewritten("/:path*")
    ('/{*splat}', '/api/{*splat}', '{/:id}', '{/*path}')
    """
    if len(path) > LONGEST:
        return ""
    if path in ("*", "/*", "(.*)", "/(.*)", "/**", "**"):
        return "/{*splat}"
    found = re.sub(r"/:(\w+)\?(?=/|\Z)", r"{/:\1}", path)
    found = re.sub(r"/:(\w+)(?:\*|\(\.\*\)\*?)(?=/|\Z)", r"{/*\1}", found)
    found = re.sub(r"/:(\w+)(?:\+|\(\.\+\))(?=/|\Z)", r"/*\1", found)
    number = 0

    def named(one: re.Match[str]) -> str:
        nonlocal number
        number += 1
        name = "splat" if number == 1 else f"splat{number}"
        return f"/{{*{name}}}" if one[0].startswith("/") else f"*{name}"

    found = re.sub(r"/(?:\(\.\*\)|\*\*?)(?=/|\Z)", named, found)
    found = re.sub(r"(?<![{/\w])\*(?!\w)|(?<=\w)\*(?!\w)", named, found)
    return found if len(found) <= LONGEST and not refusal(found) and found != path else ""
