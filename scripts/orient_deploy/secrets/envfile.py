r"""A file of variables: its values as Docker Compose reads them, and the line of each name.

The lines come from a scanner of our own, which follows the grammar of Compose (compose-go v2.9,
dotenv/parser.go) and never gives a value. Where the names it finds are not those that Compose
gave, the file is refused: its lines cannot be told.

>>> [(one.name, one.line) for one in scan('# c\nA=1\nexport B="x\ny"\n').statements]
[('A', 2), ('B', 3)]
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace

from orient_deploy.errors import InputError
from orient_deploy.hidden import Hidden
from orient_deploy.stack.compose import Compose, Refused, content_of

BLANKS = "\t\v\f\r \x85\xa0"  # unicode.IsSpace of Go, without the line's end
SPACES = (
    BLANKS
    + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    + "\u2028\u2029\u202f\u205f\u3000"
)
_EXPORT = re.compile(r"export[\t\n\f\r ]+")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A variable of the file. `line` is where the assignment that counts begins."""

    name: str
    line: int
    value: Hidden
    follows: bool = False  # it begins behind another value on the same line


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """A file of variables, each name once, in the order of the file."""

    path: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A piece of the file that names something. No text of it shows but the name."""

    name: str
    line: int
    bare: bool = False  # a name alone: Compose takes its value from the environment, if it has one
    indented: bool = field(default=False, repr=False)
    follows: bool = field(default=False, repr=False)  # it begins behind another on the same line
    export: bool = field(default=False, repr=False)
    head: str = field(default="", repr=False)  # the name as written, up to the value
    quote: str = ""  # "'", '"', or ''
    raw: str = field(default="", repr=False)  # the value as written, without its quotes
    tail: str = field(default="", repr=False)  # what follows a closing quote on its line


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the scanner found, up to what Compose would refuse."""

    statements: tuple[Statement, ...]
    fault_line: int = 0  # 0: nothing to refuse
    fault: str = ""


def read_env_file(path: str, compose: Compose) -> EnvFile:
    """The file as Compose reads it. Of a name that stands twice the last one counts.

    Raises:
        InputError: it cannot be read, Compose refuses it, or its lines cannot be told.
        EnvironmentLacks: Compose does not answer.
    """
    content = content_of(path)
    answer = _asked(path, compose, content)
    found = scan(content.decode("utf-8"))
    if isinstance(answer, Refused):
        raise _located(answer, found)
    assigned = {one.name: one for one in found.statements if not one.bare}
    if "" in assigned:
        raise _at(path, assigned[""].line, "a value has no name", "Give it a name and `=`")
    if assigned.keys() != answer.keys() or found.fault_line:
        raise InputError(
            f"the lines of {path} cannot be told",
            "Docker Compose finds other names in it than we do",
            "Write each variable as NAME=value or NAME='value', on a line of its own",
        )
    entries = (
        Entry(name=name, line=one.line, value=answer[name], follows=one.follows)
        for name, one in assigned.items()
    )
    return EnvFile(path=path, entries=tuple(sorted(entries, key=lambda one: one.line)))


def _asked(path: str, compose: Compose, content: bytes) -> dict[str, Hidden] | Refused:
    try:
        return compose.env_file(path, content)
    except Refused as error:
        return error


def _located(error: Refused, found: Scan) -> Refused:
    """The error at the line where its cause begins; Compose counts up to where reading ended."""
    line = found.fault_line or error.line
    if not line:
        lines = {one.line for one in found.statements if _may_be_wrong(one)}
        line = lines.pop() if len(lines) == 1 else 0
    return Refused(error.file, line, found.fault or error.reason)


_REFERENCE = re.compile(r"\$(?:\$|[A-Za-z_]\w*|\{[A-Za-z_]\w*(?::?[-+][^{}$]*)?\})", re.ASCII)


def _may_be_wrong(one: Statement) -> bool:
    return one.quote != "'" and "$" in _REFERENCE.sub("", one.raw)


def _at(path: str, line: int, what: str, next_step: str) -> InputError:
    error = InputError(f"{path}, line {line}", what, next_step)
    error.file, error.line = path, line
    return error


def scan(text: str) -> Scan:
    """Where each name of the file stands, as Compose would come upon it."""
    text = text.removeprefix("\ufeff")
    found: list[Statement] = []
    position = 0
    while True:
        position = _statement_start(text, position)
        if position == len(text):
            return Scan(statements=tuple(found))
        line = text.count("\n", 0, position) + 1
        one, position, fault = _statement(text, position, line)
        if one is None:
            return Scan(statements=tuple(found), fault_line=line, fault=fault)
        found.append(one)


def _statement_start(text: str, position: int) -> int:
    while position < len(text):
        if text[position] in SPACES:
            position += 1
        elif text[position] == "#":
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        else:
            break
    return position


def _statement(text: str, start: int, line: int) -> tuple[Statement | None, int, str]:
    """A statement, the position behind it, and what is wrong when it is none."""
    before = text[text.rfind("\n", 0, start) + 1 : start]
    position = start
    export = _EXPORT.match(text, start)
    if export:
        position = _skip(text, start + len("export"))
    end = position
    while end < len(text) and text[end] not in "=:\n":
        if not _is_of_a_name(text[end]):
            return None, end, "a name has a character that Compose does not take in one"
        end += 1
    if end == len(text):  # a name alone at the very end is a value to Compose
        name, behind, bare = "", position, False
    else:
        name, behind, bare = text[position:end], end + 1, text[end] == "\n"
    if " " in name.rstrip(SPACES):
        return None, end, "a name has a blank in it"
    value = _skip(text, behind)
    one = Statement(
        name=name.rstrip(SPACES),
        line=line,
        bare=bare,
        indented=bool(before),
        follows=bool(before.strip(SPACES)),
        export=bool(export),
        head=name if bare else text[position:value],
    )
    if bare:
        return one, value, ""
    quote = text[value : value + 1]
    if quote not in ("'", '"'):
        stop = text.find("\n", value)
        stop = len(text) if stop < 0 else stop
        return replace(one, raw=text[value:stop]), min(stop + 1, len(text)), ""
    close = _closing(text, value + 1, quote)
    if close < 0:
        return None, len(text), "a quote is not closed"
    rest = text[close + 1 :].partition("\n")[0]
    return replace(one, quote=quote, raw=text[value + 1 : close], tail=rest), close + 1, ""


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in BLANKS:
        position += 1
    return position


def _is_of_a_name(one: str) -> bool:
    return one in BLANKS or one in "_.-[]" or unicodedata.category(one)[0] in "LN"


def _closing(text: str, position: int, quote: str) -> int:
    """The quote that ends the value: none that a backslash stands before; -1 when there is none."""
    escaped = False
    while position < len(text):
        if text[position] == quote and not escaped:
            return position
        escaped = text[position] == "\\" and not escaped
        position += 1
    return -1
