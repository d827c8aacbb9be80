"""How a complaint is worded: literal text with named captures, and no regular expression.

    host not found in upstream "{host}"

A capture is a bounded run of characters up to the literal that follows; nothing is ever tried in
two ways, so a line costs what its length and a constant say, whatever the line and the signature.

    {name}         a word: no blank and no quote
    {name:kind}    a run of one of the kinds in `KINDS`
    {*}            anything or nothing, and nobody is shown it
    ^ and $        first and last of all: the line's own beginning and end
    {{ and }}      braces
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

RUN_MAX = 200  # characters that a capture may have
ATTEMPTS_MAX = 64  # places of one line at which a signature is tried
ANCHOR_MIN = 4  # characters of the longest literal: less is everywhere

_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
# What a run of a kind is made of; None: of everything.
KINDS: dict[str, frozenset[str] | None] = {
    "word": None,
    "text": None,
    "name": frozenset(_WORD),
    "number": frozenset("0123456789"),
    "host": frozenset(_WORD + ".-:"),
    "image": frozenset(_WORD + "./:@-"),
    "package": frozenset(_WORD + "@./-"),
    "hostname": frozenset(_WORD + ".-"),
    "variable": frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
    "path": frozenset(_WORD + "@./-+~:*?"),
}
_NOT_IN_A_WORD = frozenset(" \t\"'`\\")
_IN_FRONT = frozenset(" \t\"'`([{<|>")  # of a word that begins a signature; else it is a piece
_PIECE = re.compile(r"\{\{|\}\}|\{(?P<name>\*|[a-z][a-z-]*)(?::(?P<kind>[a-z]+))?\}|[^{}]+")
_ENDS = ("\\n", '",', '"}')  # of a text inside a line of JSON
_TRAILING = ".,:;)"  # what a sentence puts behind a word


@dataclass(frozen=True)
class Capture:
    """A run of characters; without a name it is not kept."""

    name: str
    kind: str

    def takes(self, text: str) -> bool:
        """Whether a run may be this text."""
        if len(text) > RUN_MAX or not (text or not self.name):
            return False
        allowed = KINDS[self.kind]
        if allowed is not None:
            return allowed.issuperset(text)
        return self.kind != "word" or _NOT_IN_A_WORD.isdisjoint(text)

    def run(self, text: str, start: int) -> int:
        """Where the longest run that begins at `start` ends."""
        end, last = start, min(len(text), start + RUN_MAX)
        if self.kind == "text":
            ends = [text.find(one, start, last) for one in _ENDS]
            return min((one for one in ends if one >= 0), default=last)
        while end < last and self.takes(text[end]):
            end += 1
        return end

    def run_back(self, text: str, end: int) -> int:
        """Where the longest run that ends at `end` begins."""
        start, first = end, max(0, end - RUN_MAX)
        while start > first and self.takes(text[start - 1]):
            start -= 1
        return start


@dataclass(frozen=True)
class Found:
    """Where a line holds a signature, and what its captures took."""

    start: int
    end: int
    captures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Signature:
    """One wording. `before` is a capture in front of the first literal, if there is one; then come
    a literal, a capture, a literal, a capture, …"""

    text: str
    before: Capture | None
    literals: tuple[str, ...]
    between: tuple[Capture, ...]  # as many as literals, or one less
    at_start: bool
    at_end: bool

    @classmethod
    def parse(cls, text: str) -> Signature:
        """The signature that a text describes.

        Raises:
            ValueError: the text is none, and why.
        """
        at_start, at_end = text.startswith("^"), text.endswith("$")
        pieces = _pieces(text[at_start : len(text) - at_end])
        before = None
        if pieces and isinstance(pieces[0], Capture):
            before, pieces = pieces[0], pieces[1:]
            if before.kind == "text":
                raise ValueError("a signature does not begin with a run of anything")
        literals = tuple(one for one in pieces if isinstance(one, str))
        between = tuple(one for one in pieces if isinstance(one, Capture))
        kinds = [isinstance(one, str) for one in pieces]
        if kinds != [place % 2 == 0 for place in range(len(pieces))]:
            raise ValueError("a literal stands between two captures")
        if max(map(len, literals), default=0) < ANCHOR_MIN:
            raise ValueError(f"one literal has at least {ANCHOR_MIN} characters")
        if any("\n" in one or not one.isascii() for one in literals):
            raise ValueError("a literal is ASCII, on one line")
        names = [one.name for one in ([before] if before else []) + list(between) if one.name]
        if len(set(names)) < len(names):
            raise ValueError("two captures have the same name")
        return cls(text, before, literals, between, at_start, at_end)

    @cached_property
    def anchor(self) -> bytes:
        """What a line must hold, whatever the captures take."""
        return max(self.literals, key=len).encode()

    @property
    def names(self) -> frozenset[str]:
        """The names of its captures."""
        return frozenset(one.name for one in (self.before, *self.between) if one and one.name)

    def find(self, line: str) -> Found | None:
        """The first place of the line that holds it."""
        first = self.literals[0]
        at = line.find(first)
        for _ in range(ATTEMPTS_MAX):
            if at < 0:
                return None
            found = self._at(line, at)
            if found:
                return found
            at = line.find(first, at + 1)
        return None

    def _at(self, line: str, at: int) -> Found | None:
        taken: list[tuple[str, str]] = []
        start = at
        if self.before:
            start = self.before.run_back(line, at)
            if start == at or (start and line[start - 1] not in _IN_FRONT):
                return None
            taken.append((self.before.name, line[start:at]))
        if self.at_start and start:
            return None
        end = at + len(self.literals[0])
        for place, capture in enumerate(self.between):
            following = self.literals[place + 1] if place + 1 < len(self.literals) else None
            begin = end
            if following is None:
                end = capture.run(line, begin)
                if capture.kind != "text":
                    while end > begin and line[end - 1] in _TRAILING:
                        end -= 1
                value = line[begin:end].rstrip()
                after = end
            else:
                end = line.find(following, begin, begin + RUN_MAX + len(following))
                if end < 0:
                    return None
                value = line[begin:end]
                after = end + len(following)
            if not capture.takes(value):
                return None
            if capture.name:
                taken.append((capture.name, value))
            end = after
        if self.at_end and line[end:].strip():
            return None
        return Found(start, end, tuple(taken))


def _pieces(text: str) -> list[str | Capture]:
    """Literals and captures in their order, no literal beside another."""
    pieces: list[str | Capture] = []
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError(f"what begins at {text[at:][:20]!r} is neither text nor a capture")
        at = piece.end()
        if piece["name"]:
            is_named = piece["name"] != "*"
            kind = piece["kind"] or ("word" if is_named else "text")
            if kind not in KINDS:
                raise ValueError(f"there is no kind {kind!r}: {', '.join(KINDS)}")
            pieces.append(Capture(piece["name"] if is_named else "", kind))
        else:
            literal = {"{{": "{", "}}": "}"}.get(piece[0], piece[0])
            if pieces and isinstance(pieces[-1], str):
                literal = pieces.pop() + literal  # type: ignore[operator]  # it is a str
            pieces.append(literal)
    return pieces
