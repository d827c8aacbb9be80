"""YAML text into a tree of nodes that know their line and column, within fixed bounds.

Decides what counts as readable YAML here. Never constructs an object from a tag, never guesses a
type (a key `on` stays the text `on`), and never descends into its own call stack.
"""

from __future__ import annotations

import re

from orient_deploy.config.model import Location
from orient_deploy.config.problem import ConfigError, Problem, shown

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Any

    import yaml

MAX_BYTES = 1024 * 1024
MAX_VALUES = 20_000  # aliases expanded; 256 images with everything said need about 8,000
MAX_DEPTH = 20  # the format itself needs 6

_UNPRINTABLE = re.compile(
    # What YAML forbids, and three line separators of YAML 1.1 that no editor counts as a line.
    # Listed rather than negated: a class of nearly all characters takes 6 ms to compile.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_LINE_BREAK = re.compile("\r\n|\r|\n")
_QUOTING = (
    "Check the indentation, and put a text in quotes when it begins with one of "
    "* & ? ! | > % @ ` { [ or holds ': ' or ' #'."
)


class Node:
    """Where a value stands, counted from 1, and how many values it holds, itself included."""

    __slots__ = ("column", "line", "size")

    def __init__(self, line: int, column: int, size: int) -> None:
        self.line = line
        self.column = column
        self.size = size


class Text(Node):
    """A scalar by its text; `plain` when it stands without quotes."""

    __slots__ = ("plain", "text")

    def __init__(self, line: int, column: int, size: int, text: str, plain: bool) -> None:
        super().__init__(line, column, size)
        self.text = text
        self.plain = plain

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


class Items(Node):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, line: int, column: int, size: int, items: list[Node]) -> None:
        super().__init__(line, column, size)
        self.items = items


class Pairs(Node):
    """A mapping, its keys in the order of the text and not yet known to differ."""

    __slots__ = ("pairs",)

    def __init__(self, line: int, column: int, size: int, pairs: list[tuple[Node, Node]]) -> None:
        super().__init__(line, column, size)
        self.pairs = pairs


def read_nodes(data: bytes | str, *, source: str) -> Node:
    """The root of the only document in `data`.

    Raises:
        ConfigError: not UTF-8, not YAML, empty, several documents, or past a bound above.
    """
    text = _decode(data, source)
    import yaml  # costs 20 ms: only once there is something to read

    try:
        return _compose(yaml.SafeLoader(text), source)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, source)]) from None
    except (ValueError, OverflowError):  # a version of 5,000 digits, an escape beyond Unicode
        raise _refused(
            source, 1, 1, "this is not YAML: a number in it is too large", _QUOTING
        ) from None


def _decode(data: bytes | str, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise _refused(
            source,
            1,
            1,
            f"the text is longer than the {MAX_BYTES:,} bytes that are read",
            "Check that this is the configuration; a list of many files is written as a pattern.",
        )
    if isinstance(data, str):
        text = data
    else:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            before = data[: error.start].decode("utf-8")
            raise _refused(
                source,
                *_position(before, len(before)),
                f"the text is not UTF-8 (byte 0x{data[error.start]:02x})",
                "Save the file as UTF-8.",
            ) from None
    text = text.removeprefix("\ufeff")
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        raise _refused(
            source,
            *_position(text, unprintable.start()),
            f"the control character U+{ord(unprintable.group()):04X} cannot stand here",
            "Remove it.",
        )
    return text


def _position(text: str, offset: int) -> tuple[int, int]:
    line, start = 1, 0
    for line_break in _LINE_BREAK.finditer(text, 0, offset):
        line, start = line + 1, line_break.end()
    return line, offset - start + 1


def _compose(loader: yaml.SafeLoader, source: str) -> Node:
    """Build the tree from parser events; a loop, so depth costs no stack."""
    import yaml

    root: Node | None = None
    anchors: dict[str, Node] = {}
    tags: list[Problem] = []
    # Collections still open, each with its children so far; a mapping's keys and values alternate.
    open_: list[tuple[Items | Pairs, list[Node]]] = []
    values = 0

    while True:
        event: Any = loader.get_event()  # type: ignore[no-untyped-call]  # the stubs have no type
        kind = type(event)
        if kind is yaml.StreamEndEvent:
            break
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if kind is yaml.DocumentStartEvent and root is not None:
            raise _refused(
                source,
                line,
                column,
                "a second document begins here",
                "Keep one document: remove this '---' and what belongs to the other.",
            )
        if kind in (yaml.StreamStartEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent):
            continue

        node: Node
        if kind in (yaml.SequenceEndEvent, yaml.MappingEndEvent):
            node, children = open_.pop()
            node.size = 1 + sum(child.size for child in children)
            if isinstance(node, Pairs):
                node.pairs = list(zip(children[::2], children[1::2], strict=True))
        elif kind is yaml.AliasEvent:
            node = _referred(anchors, event.anchor, source, line, column)
        else:
            if event.tag is not None:
                tags.append(_tag_problem(event.tag, source, line, column))
            if kind is yaml.ScalarEvent:
                node = Text(line, column, 1, event.value, event.style is None)
            elif kind is yaml.SequenceStartEvent:
                node = Items(line, column, 0, [])
            else:
                node = Pairs(line, column, 0, [])
            if event.anchor is not None:
                anchors[event.anchor] = node
            if isinstance(node, (Items, Pairs)):
                if len(open_) == MAX_DEPTH:
                    raise _refused(
                        source,
                        line,
                        column,
                        f"values are nested more than {MAX_DEPTH} deep",
                        "The configuration needs 6 levels; check the brackets.",
                    )
                open_.append((node, node.items if isinstance(node, Items) else []))
                continue

        # A collection counts for itself here, at its end; what it holds was counted before.
        values += node.size if kind is yaml.AliasEvent else 1
        if values > MAX_VALUES:
            raise _refused(
                source,
                line,
                column,
                f"there are more than {MAX_VALUES:,} values here, aliases included",
                "Check what the aliases repeat; a list of many files is written as a pattern.",
            )
        if open_:
            open_[-1][1].append(node)
        else:
            root = node

    if tags:
        raise ConfigError(tags)
    if root is None:
        raise _refused(
            source,
            1,
            1,
            "there is nothing here but blanks and comments",
            "Begin with 'version: 1' and 'images:'."
            if source
            else "Give a mapping from names to images.",
        )
    return root


def _refused(source: str, line: int, column: int, message: str, fix: str) -> ConfigError:
    where = Location(file=source, line=line, column=column)
    return ConfigError([Problem(where=where, message=message, fix=fix)])


def _referred(anchors: dict[str, Node], name: str, source: str, line: int, column: int) -> Node:
    """The node that an alias stands for."""
    known = anchors.get(name)
    if known is None:
        raise _refused(
            source,
            line,
            column,
            f"YAML reads {shown('*' + name)} as a reference to an anchor, and there is none",
            f"If it is a text, put it in quotes: '*{name}'.",
        )
    if known.size == 0:  # still open
        raise _refused(
            source,
            line,
            column,
            f"{shown('*' + name)} refers to a value that it is itself a part of",
            "Write the value out.",
        )
    return known


def _tag_problem(tag: str, source: str, line: int, column: int) -> Problem:
    written = tag.replace("tag:yaml.org,2002:", "!!")
    return Problem(
        where=Location(file=source, line=line, column=column),
        message=f"YAML reads {shown(written)} as a tag, and tags mean nothing here",
        fix="A text that begins with ! (a pattern that excludes) must stand in quotes.",
    )


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Location(
        file=source, line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1
    )
    said = error.problem or "the text ends too early"
    context = error.context or ""
    if r"'\t'" in said:
        return Problem(
            where=where,
            message="a tab stands where only blanks may",
            fix="Indent and separate with blanks.",
        )
    if context.startswith("while scanning an alias"):
        return Problem(
            where=where,
            message="a text that begins with * is read by YAML as a reference",
            fix="Put it in quotes, for instance '**/*.md'.",
        )
    if context.startswith("while scanning a tag"):
        return Problem(
            where=where,
            message="a text that begins with ! is read by YAML as a tag",
            fix="Put it in quotes, for instance '!docs/**'.",
        )
    begun = ""
    if context and error.context_mark:
        begun = f" ({context} that begins in line {error.context_mark.line + 1})"
    return Problem(where=where, message=f"this is not YAML: {said}{begun}", fix=_QUOTING)
