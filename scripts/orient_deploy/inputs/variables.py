"""Quotes, escapes and variables in the words of a Dockerfile, as the builder reads them.

Decides what one word stands for, given the variables; what nobody can know stands for itself as
a mark. Never knows where the values come from.

Source: https://docs.docker.com/reference/dockerfile/#environment-replacement
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    # The value of a variable; None: it is not set.
    Lookup = Callable[[str], "str | None"]

# Marks in a value and in what is made of it. No path can hold the first, and no Dockerfile that is
# read on holds either.
ANYTHING = "\0"  # any text
ANY_NAME = "\1"  # any text without '/'

LONGEST = 64 * 1024  # characters that a word may stand for; paths are far shorter
TRIES_MOST = 1_000_000  # of one pattern at one value

# What Unicode, and with it the builder, takes for white space. (Python's own `strip` takes more.)
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_SPECIAL_PARAMETERS = "@*#?-$!0"
_TO_READ = frozenset("$'\"\\`<")


def has_mark(text: str) -> bool:
    """Whether a part of the text is not known."""
    return ANYTHING in text or ANY_NAME in text


class Unreadable(Exception):
    """The builder would refuse the word, or what it stands for cannot be told; says why."""


def expanded(word: str, lookup: Lookup, escape: str = "\\") -> str:
    """The word without its quotes, and with the values of its variables.

    >>> expanded('"$a"-${b:-c}', {"a": "x"}.get)
    'x-c'
    """
    if _TO_READ.isdisjoint(word):
        return word
    return _Reader(word, lookup, escape).read()[0]


def unquoted(word: str) -> str:
    """The word without its quotes, its variables left as they are."""
    return _Reader(word, _none, "\\", keep_unset=True).read()[0]


def split(text: str, *, keep_quotes: bool = False, keep_escapes: bool = False) -> list[str]:
    """The words of a text, its variables left as they are.

    >>> split("a 'b c'"), split("a 'b c'", keep_quotes=True)
    (['a', 'b c'], ['a', "'b c'"])
    """
    reader = _Reader(
        text, _none, "\\", keep_quotes=keep_quotes, keep_escapes=keep_escapes, keep_unset=True
    )
    return reader.read()[1]


def _none(name: str) -> None:
    return None


class _Words:
    """Words gathered from characters."""

    __slots__ = ("_word", "_words")

    def __init__(self) -> None:
        self._word = ""
        self._words: list[str] = []

    def add(self, text: str) -> None:
        """Text that blanks part into words."""
        for one in text:
            if one not in BLANKS:
                self._word += one
            elif self._word:
                self._words.append(self._word)
                self._word = ""

    def add_as_is(self, text: str) -> None:
        self._word += text

    def done(self) -> list[str]:
        if self._word:
            self._words.append(self._word)
            self._word = ""
        return self._words


class _Reader:
    """One pass over one text."""

    def __init__(
        self,
        text: str,
        lookup: Lookup,
        escape: str,
        *,
        keep_quotes: bool = False,
        keep_escapes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self._text = text
        self._at = 0
        self._lookup = lookup
        self._escape = escape
        self._keep_quotes = keep_quotes
        self._keep_escapes = keep_escapes
        self._keep_unset = keep_unset

    def read(self) -> tuple[str, list[str]]:
        """What the whole text stands for: as one word, and parted into words."""
        return self._until("", self._keep_escapes)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _until(self, end: str, keep_escapes: bool) -> tuple[str, list[str]]:
        result: list[str] = []
        length = 0
        words = _Words()
        before, self._keep_escapes = self._keep_escapes, keep_escapes
        while one := self._peek():
            if one == end:
                self._at += 1
                break
            if one == "$":
                value = self._dollar()
                words.add(value)
            elif one == "<":
                value = self._angle()
                words.add_as_is(value)
            elif one in "'\"":
                value = self._single_quoted() if one == "'" else self._double_quoted()
                words.add_as_is(value)
            elif one == self._escape:
                self._at += 1
                value = one if self._keep_escapes else ""
                value += self._next()
                words.add_as_is(value)
            else:
                value = self._next()
                words.add(value)
            result.append(value)
            length += len(value)
            if length > LONGEST:
                raise Unreadable("it stands for too long a text")
        else:
            if end:
                raise Unreadable(f"{end} is missing")
        self._keep_escapes = before
        return "".join(result), words.done()

    def _angle(self) -> str:
        """'<', or '<<' with the blanks behind it: they do not end a word there."""
        start = self._at
        self._at += 1
        if self._peek() == "<":
            self._at += 1
            while self._peek() and self._peek() in "\t\r ":
                self._at += 1
        return self._text[start : self._at]

    def _single_quoted(self) -> str:
        start = self._at
        end = self._text.find("'", start + 1)
        if end < 0:
            raise Unreadable("a quote is not closed")
        self._at = end + 1
        return self._text[start : end + 1] if self._keep_quotes else self._text[start + 1 : end]

    def _double_quoted(self) -> str:
        result = [self._next()] if self._keep_quotes else []
        self._at += not self._keep_quotes
        while one := self._peek():
            if one == '"':
                self._at += 1
                return "".join([*result, '"']) if self._keep_quotes else "".join(result)
            if one == "$":
                result.append(self._dollar())
                continue
            self._at += 1
            if one == self._escape:
                if self._keep_escapes:
                    result.append(one)
                if not self._peek():
                    break
                if self._peek() in ('"', "$", self._escape):
                    one = self._next()
            result.append(one)
        raise Unreadable("a quote is not closed")

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._lookup(name)
            if value is None:
                return f"${name}" if self._keep_unset else ""
            return value
        self._at += 1
        if self._peek() in ("", "{", "}", ":"):
            raise Unreadable("${ is not a variable")
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            value = self._lookup(name)
            if value is None:
                return f"${{{name}}}" if self._keep_unset else ""
            return value
        if modifier == "/":
            return self._replaced(name)
        if modifier == ":":
            modifier += self._next()
        if not modifier:
            raise Unreadable("} is missing")
        if modifier not in ("+", "-", "?", "#", "%") and modifier[0] != ":":
            raise Unreadable(f"${{{name}{modifier} is not known")
        if modifier in (":", ":#", ":%"):
            raise Unreadable(f"${{{name}{modifier} is not known")
        word = self._until("}", modifier in "#%")[0]
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}{modifier}{word}}}"
        if modifier[-1] not in "+-?#%":
            raise Unreadable(f"${{{name}{modifier} is not known")
        return _modified(name, value, modifier, word)

    def _replaced(self, name: str) -> str:
        """`${name/pattern/replacement}`, and with '//' every match."""
        every = self._peek() == "/"
        self._at += every
        pattern = self._until("/", True)[0]
        replacement = self._until("}", True)[0]
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        if value and has_mark(value):
            return ANYTHING
        expression = _expression(pattern, value or "", longest=True)
        if every and "$" in replacement:
            raise Unreadable("a replacement holds a $")
        parts, end = [], 0
        value = value or ""
        for found in expression.finditer(value):
            if found.start() == found.end() == end and end:
                continue  # nothing, right behind a match: not another one
            parts += [value[end : found.start()], replacement]
            end = found.end()
            if not every:
                break
        return "".join([*parts, value[end:]])

    def _name(self) -> str:
        start = self._at
        one = self._peek()
        if one.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        elif one and one in _SPECIAL_PARAMETERS:
            self._at += 1
        else:
            while (one := self._peek()) == "_" or one.isalpha() or one.isdecimal():
                self._at += 1
        return self._text[start : self._at]


def _modified(name: str, value: str | None, modifier: str, word: str) -> str:
    kind = modifier[-1]
    if value and has_mark(value):
        return ANYTHING
    is_unset = value is None or (modifier[0] == ":" and not value)
    if kind == "-":
        return word if is_unset else value or ""
    if kind == "+":
        return "" if is_unset else word
    if kind == "?":
        if is_unset:
            raise Unreadable(f"{name} {word or 'has to be given'}")
        return value or ""
    longest = word.startswith(kind)
    pattern = word[longest:]
    value = value or ""
    if kind == "#":
        found = _expression(pattern, value, longest).match(value)
        return value[found.end() :] if found else value
    # The shortest end is found from behind, in text and pattern turned round.
    found = _expression(_turned(pattern), value, longest).match(value[::-1])
    return value[: len(value) - found.end()] if found else value


def _turned(pattern: str) -> str:
    """The pattern from behind, an escape still before what it escapes."""
    pieces = re.findall(r"(?s)\\.|.", pattern)
    return "".join(reversed(pieces))


def _expression(pattern: str, value: str, longest: bool) -> re.Pattern[str]:
    """A shell pattern (`*`, `?`, no classes) as an expression that is asked about a value."""
    if (len(value) + 1) ** min(pattern.count("*"), 9) > TRIES_MOST:
        raise Unreadable("a pattern has too many stars")
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        one = pattern[at]
        at += 1
        if one == "*":
            parts.append(".*" if longest else ".*?")
        elif one == "?":
            parts.append(".")
        elif one != "\\":
            parts.append(re.escape(one))
        elif pattern[at : at + 1] not in ("}", "/"):  # those only had to be kept apart
            if pattern[at : at + 1] not in ("*", "?", "\\"):
                raise Unreadable(f"{pattern} is not a pattern")
            parts.append(re.escape(pattern[at]))
            at += 1
    return re.compile("".join(parts))
