"""The text of an nginx configuration, as statements that know where they stand.

For making a copy in which single words are replaced and every line keeps its number. What a
statement means is read by a maintained parser; this only finds its words. Never fails: where a text
is no configuration, its rest has no statements.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_SPACE = " \t\r\n"
_LUA_BLOCK = re.compile(r"\w+_by_lua_block")
# What stands in Lua that may hold a brace and is none of the block's.
_LUA = re.compile(
    r"""--\[\[.*?\]\]|--[^\n]*|\[\[.*?\]\]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[{}]""",
    re.DOTALL,
)
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of a statement; `text` is as it is written, without the quotes around it."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A directive with its words, and what it encloses."""

    name: str
    words: tuple[Word, ...]
    start: int
    end: int  # behind the `;`, or the `}`
    line: int  # where it begins
    ends_at: int  # the line of its `;` or `{`, which nginx speaks of
    block: tuple[Statement, ...] | None
    closes: int = 0  # where the `}` stands

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(one.text for one in self.words)


def statements(text: str) -> tuple[Statement, ...]:
    """The statements of a text, as nginx divides it (ngx_conf_read_token of 1.22).

    >>> [one.name for one in statements("a b; # c;\\nd 'e;' { f ${g}h; }")]
    ['a', 'd']
    """
    return _Reader(text).block()


def walk(found: Iterable[Statement]) -> Iterator[tuple[Statement, tuple[str, ...]]]:
    """Each statement, also inside others, with the names of those around it."""
    todo: list[tuple[Statement, tuple[str, ...]]] = [(one, ()) for one in reversed(tuple(found))]
    while todo:
        one, around = todo.pop()
        yield one, around
        todo += [(inner, (*around, one.name)) for inner in reversed(one.block or ())]


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A piece of a text, and what is to stand there."""

    start: int
    end: int
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """The text with its edits; one inside of another is dropped. Each line keeps its number.

    >>> edited("a b\\nc;", [Edit(start=0, end=5, text="x")])
    'x\\n;'
    """
    out, at = [], 0
    for edit in sorted(edits, key=lambda one: (one.start, -one.end)):
        if edit.start < at:
            continue
        lines = text.count("\n", edit.start, edit.end) - edit.text.count("\n")
        out += [text[at : edit.start], edit.text, "\n" * lines]
        at = edit.end
    return "".join([*out, text[at:]])


def blanked(statement: Statement) -> Edit:
    """The edit that leaves a statement out."""
    return Edit(start=statement.start, end=statement.end, text=" ")


@dataclass(frozen=True, kw_only=True)
class Substituted:
    """A template with its variables filled in."""

    text: str
    lines: tuple[int, ...]  # of each line, by index, the line of the template
    touched: frozenset[int]  # lines of the template in which a value stands now
    unknown: frozenset[str]  # names that look like variables of an environment and have no value


def substitute(text: str, values: Mapping[str, str]) -> Substituted:
    """What envsubst makes of a template when it is given the names of all values."""
    out: list[str] = []
    lines = [1]
    touched: set[int] = set()
    unknown: set[str] = set()
    at, line = 0, 1

    def add(piece: str, *, value: bool) -> None:
        nonlocal line
        out.append(piece)
        for _ in range(piece.count("\n")):
            line += not value
            lines.append(line)

    for found in _REFERENCE.finditer(text):
        name = found[1] or found[2]
        if name not in values:
            if name == name.upper():  # nginx's own variables are in small letters
                unknown.add(name)
            continue
        add(text[at : found.start()], value=False)
        touched.add(line)
        add(values[name], value=True)
        at = found.end()
    add(text[at:], value=False)
    return Substituted(
        text="".join(out),
        lines=tuple(lines),
        touched=frozenset(touched),
        unknown=frozenset(unknown),
    )


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1

    def block(self) -> tuple[Statement, ...]:
        """The statements of the text; those of a block that is not closed end with it."""
        stack: list[tuple[list[Statement], tuple[list[Word], int, int] | None]] = [([], None)]
        words: list[Word] = []
        begins = 1
        while True:
            self._skip()
            char = self._text[self._at : self._at + 1]
            if not char:
                break
            if char in ";{" and not words:
                self._at += 1  # nginx calls it unexpected
            elif char == ";":
                self._at += 1
                stack[-1][0].append(self._statement(words, begins, self._line, None, 0))
                words = []
            elif char == "{":
                self._at += 1
                if _LUA_BLOCK.fullmatch(words[0].text):
                    head = self._line
                    closes = self._lua()
                    stack[-1][0].append(self._statement(words, begins, head, (), closes))
                else:
                    stack.append(([], (words, begins, self._line)))
                words = []
            elif char == "}" and not words:
                self._at += 1
                if len(stack) == 1:
                    break
                inner, head_of = stack.pop()
                assert head_of is not None  # only the outermost has none
                one = self._statement(*head_of, tuple(inner), self._at - 1)
                stack[-1][0].append(one)
            else:
                if not words:
                    begins = self._line
                words.append(self._word())
        while len(stack) > 1:
            inner, head_of = stack.pop()
            assert head_of is not None
            stack[-1][0].append(self._statement(*head_of, tuple(inner), self._at))
        return tuple(stack[0][0])

    def _statement(
        self,
        words: list[Word],
        begins: int,
        ends_at: int,
        block: tuple[Statement, ...] | None,
        closes: int,
    ) -> Statement:
        return Statement(
            name=words[0].text,
            words=tuple(words[1:]),
            start=words[0].start,
            end=self._at,
            line=begins,
            ends_at=ends_at,
            block=block,
            closes=closes,
        )

    def _skip(self) -> None:
        """Past blanks and comments."""
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if char == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif char in _SPACE:
                self._line += char == "\n"
                self._at += 1
            else:
                return

    def _word(self) -> Word:
        text, start = self._text, self._at
        quote = text[start] if text[start] in "\"'" else ""
        at = start + len(quote)
        variable = False
        while at < len(text):
            char = text[at]
            if char == "\\":
                self._line += text[at + 1 : at + 2] == "\n"
                at += 2
                variable = False
                continue
            ends = (char == quote) if quote else (char in _SPACE or char in ";{")
            if ends and not (char == "{" and variable):
                break
            variable = char == "$"
            self._line += char == "\n"
            at += 1
        at = min(at, len(text))
        inner = text[start + len(quote) : at]
        self._at = min(at + len(quote), len(text))
        return Word(text=inner, start=start, end=self._at)

    def _lua(self) -> int:
        """Past a block of Lua; where its closing brace stands."""
        depth, begin = 1, self._at
        for found in _LUA.finditer(self._text, self._at):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if not depth:
                self._at = found.end()
                self._line += self._text.count("\n", begin, self._at)
                return found.start()
        self._at = len(self._text)
        return self._at
