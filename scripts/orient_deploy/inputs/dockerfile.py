"""A Dockerfile as a list of instructions, with their lines.

Decides where an instruction begins and ends and what its flags, arguments and heredocs are; never
what they mean, which variables stand for what, or whether a build would succeed. Any bytes can be
parsed: where the builder would refuse the file, `problem` says where and why, and the
instructions are those before that place.

It is our own: the well-kept parsers are moby's, which Python has only as a compiled wheel that a
released action cannot carry along, and dockerfile-parse, which splits heredocs into instructions.
Neither says what a path stands for. The tests hold this one to moby's.

Source: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re

from orient_deploy.inputs.variables import BLANKS, Unreadable, split
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable

LINE_MAX_BYTES = 64 * 1024  # with its line break; moby reads with Go's bufio.Scanner

# Compiled where they are first used: a small detection reads few Dockerfiles.
_GAP = r"[\t\v\f\r ]+"
_DIRECTIVE = rf"#[{BLANKS}]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+)"
_DIRECTIVES = ("syntax", "escape", "check")
_HEREDOC = r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)\Z"


@dataclass(frozen=True, kw_only=True)
class Heredoc:
    """A file within the Dockerfile."""

    name: str
    content: str  # as it stands there
    expand: bool  # its variables count: no part of its name is in quotes
    chomp: bool  # '<<-': tabs at the beginning of its lines do not count
    descriptor: int = 0

    @property
    def text(self) -> str:
        """What the builder makes a file of, before variables."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomp else self.content


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction. The arguments keep their quotes and variables."""

    keyword: str  # in capitals; it may be none that exists
    line: int
    last_line: int
    flags: tuple[str, ...] = ()  # '--from=build', without quotes
    arguments: tuple[str, ...] = ()  # ENV and LABEL: name, value, name, value ...
    is_json: bool = False
    heredocs: tuple[Heredoc, ...] = ()
    trigger: Instruction | None = None  # what ONBUILD is for
    text: str = ""  # its lines joined, without heredocs

    def values(self, flag: str) -> list[str]:
        """What a flag is given, each time; '' where it is given nothing."""
        found = (one.partition("=") for one in self.flags)
        return [value for name, _, value in found if name == f"--{flag}"]

    @property
    def summary(self) -> str:
        """The instruction in one line, for people."""
        return " ".join(self.text.split())


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why the builder would not read on."""

    line: int
    why: str


@dataclass(frozen=True, kw_only=True)
class Dockerfile:
    """The instructions of a file, in its order."""

    instructions: tuple[Instruction, ...]
    escape: str = "\\"
    syntax: str = ""  # the frontend that the directive names
    problem: Problem | None = None


def parse(content: bytes) -> Dockerfile:
    """The instructions of a Dockerfile.

    >>> parse(b"FROM a AS b\\nCOPY --from=c d \\\\\\n  e /f/\\n").instructions[1].arguments
    ('d', 'e', '/f/')
    """
    reading = _Reading(content)
    problem = None
    try:
        reading.read()
    except _Refused as error:
        problem = Problem(line=error.line or reading.first, why=error.why)
    if problem is None and not reading.instructions:
        problem = Problem(line=1, why="it holds no instruction")
    return Dockerfile(
        instructions=tuple(reading.instructions),
        escape=reading.escape,
        syntax=reading.directives.get("syntax", ""),
        problem=problem,
    )


class _Refused(Exception):
    """The builder refuses the file here."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


class _Reading:
    """One pass over the lines of a file."""

    def __init__(self, content: bytes) -> None:
        text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        self.lines = text.split("\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.too_long = _first_too_long(content) if len(content) >= LINE_MAX_BYTES else 0
        self.escape = "\\"
        self.directives: dict[str, str] = {}
        self.first = 1
        self.instructions: list[Instruction] = []

    def read(self) -> None:
        lines, count = self.lines, len(self.lines)
        at = 0
        in_directives = True
        while at < count:
            line = lines[at].rstrip("\r").lstrip(BLANKS)
            at += 1
            self.first = at
            in_directives = in_directives and self._directive(line)
            if line[:1] == "#":
                line = ""
            line, goes_on = self._continued(line)
            if not line and not goes_on:
                continue
            whole = [line]
            while goes_on and at < count:
                line = lines[at].rstrip("\r")
                at += 1
                bare = line.lstrip(BLANKS)
                if bare and bare[0] != "#":
                    line, goes_on = self._continued(line)
                    whole.append(line)
            at = self._add("".join(whole), at)
        if self.too_long:
            raise _Refused("a line is longer than 64 KiB", self.too_long)

    def _directive(self, line: str) -> bool:
        """Whether another directive may follow this line."""
        found = re.match(_DIRECTIVE, line) if line[:1] == "#" else None
        if found is None or found[1].lower() not in _DIRECTIVES:
            return False
        name, value = found[1].lower(), found[2].rstrip("\t\n\f\r ")
        if name in self.directives:
            raise _Refused(f"the directive {name} comes twice")
        self.directives[name] = value
        if name == "escape":
            if value not in ("\\", "`"):
                raise _Refused("only \\ and ` can be the escape character")
            self.escape = value
        return True

    def _continued(self, line: str) -> tuple[str, bool]:
        """The line without the escape character at its end, and whether the next belongs to it."""
        bare = line.rstrip(" \t")
        if bare[-1:] == self.escape and bare[-2:-1] != self.escape:
            return bare[:-1], True
        return line, False

    def _add(self, text: str, at: int) -> int:
        """Adds the instruction whose lines end before `at`, and returns where the next begins."""
        keyword, flags, rest = self._parted(text)
        arguments, is_json, trigger = self._arguments(keyword, rest)
        heredocs: list[Heredoc] = []
        if "<<" in text:
            one = trigger or (keyword, is_json)
            if one[0] in ("ADD", "COPY", "RUN") and not one[1]:
                for heredoc in _heredocs(text):
                    content, at = self._heredoc(heredoc, at)
                    heredocs.append(content)
        found = None
        if trigger is not None:
            found = Instruction(
                keyword=trigger[0],
                line=self.first,
                last_line=at,
                flags=trigger[2],
                arguments=trigger[3],
                is_json=trigger[1],
                heredocs=tuple(heredocs),
                text=rest,
            )
        self.instructions.append(
            Instruction(
                keyword=keyword,
                line=self.first,
                last_line=at,
                flags=flags,
                arguments=arguments,
                is_json=is_json,
                heredocs=tuple(heredocs),
                trigger=found,
                text=text,
            )
        )
        return at

    def _parted(self, text: str) -> tuple[str, tuple[str, ...], str]:
        """The keyword in capitals, the flags, and the rest."""
        keyword, *rest = re.split(_GAP, text.strip(BLANKS), maxsplit=1)
        if keyword.isascii():
            keyword = keyword.upper()
        if not rest:
            return keyword, (), ""
        if not rest[0].lstrip(BLANKS).startswith("--"):
            return keyword, (), rest[0].strip(BLANKS)
        flags, behind = _flags(rest[0], self.escape)
        return keyword, flags, behind.strip(BLANKS)

    def _arguments(
        self, keyword: str, rest: str
    ) -> tuple[tuple[str, ...], bool, tuple[str, bool, tuple[str, ...], tuple[str, ...]] | None]:
        """The arguments, whether they are a JSON list, and of ONBUILD the instruction it holds."""
        if keyword == "ONBUILD" and rest:
            name, flags, behind = self._parted(rest)
            arguments, is_json, _ = self._arguments(name, behind)
            return (), False, (name, is_json, flags, arguments)
        return *_PARSERS.get(keyword, _nothing)(rest, self.escape), None

    def _heredoc(self, heredoc: Heredoc, at: int) -> tuple[Heredoc, int]:
        """The heredoc with its content, and where the next line is."""
        start = at
        while at < len(self.lines):
            line = self.lines[at].rstrip("\r")
            at += 1
            if (line.lstrip("\t") if heredoc.chomp else line) == heredoc.name:
                content = "".join(f"{line}\n" for line in self.lines[start : at - 1])
                return (
                    Heredoc(
                        name=heredoc.name,
                        content=content,
                        expand=heredoc.expand,
                        chomp=heredoc.chomp,
                        descriptor=heredoc.descriptor,
                    ),
                    at,
                )
        raise _Refused(f"the heredoc {heredoc.name} does not end")


def _first_too_long(content: bytes) -> int:
    for number, line in enumerate(content.split(b"\n"), 1):
        if len(line) >= LINE_MAX_BYTES:
            return number
    return 0


# --- arguments ---------------------------------------------------------------------------------


def _flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """The words at the beginning that begin with '--', without quotes, and the rest.

    Byte by byte, each a character of its own, because moby reads flags so: one that is not ASCII
    comes out garbled.
    """
    text = text.encode("utf-8", "surrogateescape").decode("latin-1")
    blanks = "\t\n\v\f\r \x85\xa0"
    found: list[str] = []
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in blanks:
            at += 1
        if text[at : at + 2] != "--":
            break
        word = quote = ""
        while at < end and (quote or text[at] not in blanks):
            one = text[at]
            at += 1
            if one == quote:
                quote = ""
            elif not quote and one in "'\"":
                quote = one
            elif one == escape:
                if at < end:
                    word += text[at]
                    at += 1
                else:
                    quote = ""
            else:
                word += one
        if word == "--":
            if at < end:
                break
        else:
            found.append(word)
    return tuple(found), text[at:].encode("latin-1").decode("utf-8", "surrogateescape")


def _words(text: str, escape: str) -> list[str]:
    """The words, with the quotes and escapes in them."""
    words: list[str] = []
    word = quote = ""
    at, end = 0, len(text)
    while at < end:
        one = text[at]
        at += 1
        if not quote and one in BLANKS:
            if word:
                words.append(word)
            word = ""
            continue
        if one == escape and quote != "'":
            if at == end:
                break
            word += one + text[at]
            at += 1
            continue
        if quote:
            if one == quote:
                quote = ""
        elif one in "'\"":
            quote = one
        word += one
    if word:
        words.append(word)
    return words


def _nothing(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    return (), False


def _text(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    return ((rest,) if rest else ()), False


def _list(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    return (tuple(re.split(_GAP, rest)) if rest else ()), False


def _names(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    return tuple(_words(rest, escape)), False


def _pairs(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    words = _words(rest, escape)
    if not words:
        return (), False
    if "=" not in words[0]:  # ENV name value
        name, *value = re.split(_GAP, rest, maxsplit=1)
        if not value:
            raise _Refused(f"{name} is given no value")
        return (name, value[0]), False
    pairs: list[str] = []
    for word in words:
        name, equals, value_ = word.partition("=")
        if not equals:
            raise _Refused(f"{word} is given no value")
        pairs += [name, value_]
    return tuple(pairs), False


def _text_or_json(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    found = _json(rest)
    return (found, True) if found is not None else _text(rest, escape)


def _list_or_json(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    found = _json(rest)
    return (found, True) if found is not None else _list(rest, escape)


def _health(rest: str, escape: str) -> tuple[tuple[str, ...], bool]:
    kind, *command = re.split(r"[\t\n\v\f\r \x85\xa0]+", rest, maxsplit=1)
    if not kind:
        return (), False
    arguments, is_json = _text_or_json(command[0] if command else "", escape)
    return (kind, *arguments), is_json


_PARSERS: dict[str, Callable[[str, str], tuple[tuple[str, ...], bool]]] = {
    **dict.fromkeys(("ADD", "COPY", "VOLUME"), _list_or_json),
    **dict.fromkeys(("CMD", "ENTRYPOINT", "RUN", "SHELL"), _text_or_json),
    **dict.fromkeys(("MAINTAINER", "STOPSIGNAL", "USER", "WORKDIR"), _text),
    **dict.fromkeys(("EXPOSE", "FROM"), _list),
    **dict.fromkeys(("ENV", "LABEL"), _pairs),
    "ARG": _names,
    "HEALTHCHECK": _health,
}


def _json(rest: str) -> tuple[str, ...] | None:
    """The texts of a JSON list; None when it is none.

    Raises when it is a list of something else: that is no list of words to the builder either.
    """
    rest = rest.lstrip(BLANKS)
    if rest[:1] != "[":
        return None
    import json  # the event is read with it: it costs nothing more

    def number(text: str) -> float:
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise ValueError(text)
        return value

    decoder = json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=_no_constant)
    try:
        # What stands behind the list is dropped, as every released engine does.
        found, _ = decoder.raw_decode(
            rest.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        )
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(one, str) for one in found):
        raise _Refused("a list in brackets holds something else than texts")
    # Half a surrogate pair is no character to Go.
    return tuple(one.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for one in found)


def _no_constant(text: str) -> object:
    raise ValueError(text)


# --- heredocs ----------------------------------------------------------------------------------


def heredoc_of(word: str) -> Heredoc | None:
    """The heredoc that a word like '<<-"END"' begins, without its content; None: it begins none."""
    found = re.match(_HEREDOC, word) if "<<" in word else None
    if found is None or not found[3]:
        return None
    try:
        names = split(found[3])
        quoted = split(found[3], keep_quotes=True)
    except Unreadable:
        return None
    if len(names) != 1:
        return None
    return Heredoc(
        name=names[0],
        content="",
        expand=_quotes_in(names[0]) == _quotes_in("".join(quoted)),
        chomp=found[2] == "-",
        descriptor=int(found[1] or 0),
    )


def _quotes_in(text: str) -> int:
    return text.count("'") + text.count('"')


def _heredocs(text: str) -> list[Heredoc]:
    try:
        words = split(text, keep_quotes=True, keep_escapes=True)
    except Unreadable:
        return []
    return [found for word in words if (found := heredoc_of(word)) is not None]
