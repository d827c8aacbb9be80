"""The value of a GitHub expression where parts of it are not known.

Three-valued: what cannot be told is `UNKNOWN`, and stays so wherever it matters. An expression that
is not understood has no value at all. Never reads a workflow, and never decides what is wrong.

Source: https://docs.github.com/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_DEPTH = 50
LONGEST = 5_000  # characters; GitHub's own limit is 21,000
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.]))"
    r"|(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_][\w-]*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[<>!()\[\],.*]))"
)
STATUS = ("always", "success", "failure", "cancelled")


class Unknown:
    """What cannot be told."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()
Value = Any  # None, bool, float, str, list, dict (keys as written), or UNKNOWN


class Partial(dict[str, Value]):
    """A mapping of which only a part is known: what is not in it is UNKNOWN."""


class NotUnderstood(Exception):
    """The text is no expression, or more than is read here."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its operator or kind, and what belongs to it."""

    kind: str
    name: str = ""
    value: Value = None
    parts: tuple[Expression, ...] = ()

    def walk(self) -> Iterator[Expression]:
        """It and all that is in it."""
        yield self
        for one in self.parts:
            yield from one.walk()

    @property
    def asks_status(self) -> bool:
        """Whether it calls a status function, so that GitHub puts no `success()` before it."""
        return any(one.kind == "call" and one.name in STATUS for one in self.walk())

    def paths(self) -> Iterator[tuple[str, ...]]:
        """What it reads of the contexts, as lower-case names: ('needs', 'test', 'result')."""
        if (path := self.path) is not None:
            yield path
        for one in self.parts if self.path is None else self.parts[1:]:
            yield from one.paths()

    @property
    def path(self) -> tuple[str, ...] | None:
        """The names, where it is a plain reference; None: it is something else."""
        if self.kind == "context":
            return (self.name,)
        if self.kind == "index" and self.parts[1].kind == "literal":
            before, key = self.parts[0].path, self.parts[1].value
            if before is not None and isinstance(key, str):
                return (*before, key.lower())
        return None


def parse(text: str) -> Expression:
    """An `if:` or what stands between `${{` and `}}`, as GitHub reads it.

    Raises:
        NotUnderstood: it is none, or text stands beside it.
    """
    text = text.strip()
    if text.startswith("${{") and text.endswith("}}") and text.count("${{") == 1:
        text = text[3:-2]
    if "${{" in text or len(text) > LONGEST:
        raise NotUnderstood
    parser = _Parser(text)
    found = parser.either(0)
    if parser.at < len(parser.tokens):
        raise NotUnderstood
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise NotUnderstood
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def next(self, *signs: str) -> str:
        """The next token, taken, if it is one of the signs; else ''."""
        if self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            if kind == "sign" and text in signs:
                self.at += 1
                return text
        return ""

    def _level(
        self, signs: tuple[str, ...], inner: Callable[[int], Expression], depth: int
    ) -> Expression:
        found = inner(depth)
        while sign := self.next(*signs):
            found = Expression(sign, parts=(found, inner(depth)))
        return found

    def either(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise NotUnderstood
        return self._level(("||",), self._both, depth + 1)

    def _both(self, depth: int) -> Expression:
        return self._level(("&&",), self._equal, depth)

    def _equal(self, depth: int) -> Expression:
        return self._level(("==", "!="), self._compared, depth)

    def _compared(self, depth: int) -> Expression:
        return self._level(("<", "<=", ">", ">="), self._not, depth)

    def _not(self, depth: int) -> Expression:
        if depth > MOST_DEPTH:
            raise NotUnderstood
        if self.next("!"):
            return Expression("!", parts=(self._not(depth + 1),))
        return self._indexed(depth)

    def _indexed(self, depth: int) -> Expression:
        found = self._atom(depth)
        while sign := self.next(".", "["):
            if sign == "[":
                if self.next("*"):
                    key = Expression("star")
                else:
                    key = self.either(depth + 1)
                if not self.next("]"):
                    raise NotUnderstood
            elif self.next("*"):
                key = Expression("star")
            else:
                key = Expression("literal", value=self._take("word"))
            found = Expression("index", parts=(found, key))
        return found

    def _take(self, kind: str) -> str:
        if self.at >= len(self.tokens) or self.tokens[self.at][0] != kind:
            raise NotUnderstood
        self.at += 1
        return self.tokens[self.at - 1][1]

    def _atom(self, depth: int) -> Expression:
        if self.next("("):
            found = self.either(depth + 1)
            if not self.next(")"):
                raise NotUnderstood
            return found
        if self.at >= len(self.tokens):
            raise NotUnderstood
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Expression("literal", value=_number_of(text))
        if kind == "text":
            return Expression("literal", value=text[1:-1].replace("''", "'"))
        if kind == "sign":
            raise NotUnderstood
        if self.next("("):
            given: list[Expression] = []
            while not self.next(")"):
                if given and not self.next(","):
                    raise NotUnderstood
                given.append(self.either(depth + 1))
            return Expression("call", name=text.lower(), parts=tuple(given))
        if text in ("true", "false", "null"):
            return Expression("literal", value={"true": True, "false": False, "null": None}[text])
        return Expression("context", name=text.lower())


def evaluate(
    expression: Expression, contexts: Mapping[str, Value], status: Mapping[str, Value]
) -> Value:
    """The value; a context that is not given is UNKNOWN, and so is what lies in UNKNOWN.

    `status` holds what the status functions answer, by name.
    """
    kind, parts = expression.kind, expression.parts
    if kind == "literal":
        return expression.value
    if kind == "context":
        return contexts.get(expression.name, UNKNOWN)
    if kind == "star":
        return UNKNOWN
    if kind == "call":
        values = [evaluate(one, contexts, status) for one in parts]
        return _called(expression.name, values, status)
    if kind in ("||", "&&"):
        first = evaluate(parts[0], contexts, status)
        known = truth(first)
        if known is not None:
            return first if known is (kind == "||") else evaluate(parts[1], contexts, status)
        # `unknown && false` is not true whatever the first is, `unknown || true` is.
        second = truth(evaluate(parts[1], contexts, status))
        return second if second is (kind == "||") else UNKNOWN
    values = [evaluate(one, contexts, status) for one in parts]
    if kind == "!":
        known = truth(values[0])
        return UNKNOWN if known is None else not known
    if kind == "index":
        return _within(*values)
    return _compared(kind, *values)


def truth(value: Value) -> bool | None:
    """Whether a condition of that value holds; None: it cannot be told."""
    if value is UNKNOWN:
        return None
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and value == value  # NaN is not true


def _within(value: Value, key: Value) -> Value:
    if value is UNKNOWN or key is UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        if not isinstance(key, str):
            key = _text(key)
        lower = key.lower() if isinstance(key, str) else None
        absent = UNKNOWN if isinstance(value, Partial) else None
        return next((one for name, one in value.items() if name.lower() == lower), absent)
    if isinstance(value, list):
        return UNKNOWN
    return None


def _compared(kind: str, left: Value, right: Value) -> Value:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(left, (list, dict)) or isinstance(right, (list, dict)):
        return UNKNOWN
    if isinstance(left, str) and isinstance(right, str):
        one: Any = left.upper()
        other: Any = right.upper()
        if not (one + other).isascii():
            return UNKNOWN  # which letters are alike is up to the runner's culture
    elif type(left) is type(right) and left is None:
        one = other = 0.0
    else:
        one, other = _number(left), _number(right)
    if kind == "==":
        return bool(one == other)
    if kind == "!=":
        return bool(one != other)
    return bool({"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}[kind])


def _number(value: Value) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        return _number_of(text) if text else 0.0
    return float(value)


def _number_of(text: str) -> float:
    try:
        if re.fullmatch(r"0x[0-9a-fA-F]+", text):
            return float(int(text, 16))
        if re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", text):
            return float(text)
    except (ValueError, OverflowError):
        pass
    return float("nan")


def _text(value: Value) -> Value:
    """The value as `format` and `contains` write it; a number may be written in several ways."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return UNKNOWN


def _called(name: str, values: list[Value], status: Mapping[str, Value]) -> Value:
    if name in STATUS:
        return status.get(name, UNKNOWN) if not values else UNKNOWN
    if any(one is UNKNOWN for one in values):
        return UNKNOWN
    if name == "fromjson" and len(values) == 1 and isinstance(values[0], str):
        try:
            return json.loads(values[0])
        except (ValueError, RecursionError):
            return UNKNOWN  # an error: the job fails
    if name == "contains" and len(values) == 2:
        return _contains(*values)
    if name in ("startswith", "endswith") and len(values) == 2:
        text, part = map(_text, values)
        if text is UNKNOWN or part is UNKNOWN or not (text + part).isascii():
            return UNKNOWN
        text, part = text.upper(), part.upper()
        return bool(text.startswith(part) if name == "startswith" else text.endswith(part))
    return UNKNOWN


def _contains(where: Value, what: Value) -> Value:
    if isinstance(where, dict):
        return UNKNOWN
    if isinstance(where, list):
        found = [_compared("==", one, what) for one in where]
        return UNKNOWN if UNKNOWN in found else True in found
    text, part = _text(where), _text(what)
    if text is UNKNOWN or part is UNKNOWN or not (text + part).isascii():
        return UNKNOWN
    return bool(part.upper() in text.upper())
