"""Changes lists in a YAML text and leaves everything else in it as it is, comments too.

Decides where in the text an entry goes, never which. The result is a patch for `git apply`; nothing
is written.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.advise.init import scalar

if TYPE_CHECKING:
    from yaml import Node, SequenceNode

LONGEST_LINE = 100  # a list in brackets that grows beyond it gets a line for each entry

Keys = tuple[str, ...]  # where a list stands: ('images', 'web', 'watch')


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What becomes of a list: entries to take out, by their text, and entries to put at its end."""

    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()


def edited(text: str, edits: Mapping[Keys, Edit]) -> tuple[str, tuple[Keys, ...]]:
    """The text with its lists changed, and the lists that could not be: those that are no lists
    there, or that an alias makes part of another one."""
    import yaml

    root = yaml.compose(text, yaml.BaseLoader)
    shared = _shared(root)
    changes: list[tuple[int, int, str]] = []
    refused = []
    for keys, edit in edits.items():
        node = _find(root, keys)
        above = {id(_find(root, keys[:count])) for count in range(len(keys) + 1)}
        if not isinstance(node, yaml.SequenceNode) or not node.value or above & shared:
            refused.append(keys)
        else:
            changes += _changes(text, node, edit, in_flow=_in_flow(root, keys[:-1]))
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text, tuple(refused)


def patch(path: str, old: str, new: str) -> str:
    """The difference as `git diff` shows it; '' for none."""
    rows = difflib.unified_diff(_lines(old), _lines(new), f"a/{path}", f"b/{path}")
    return "".join(
        row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows
    )


def _lines(text: str) -> list[str]:
    """The lines as git counts them: only a line feed ends one."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _find(node: Node | None, keys: Sequence[str]) -> Node | None:
    import yaml

    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def _in_flow(root: Node | None, keys: Keys) -> bool:
    """Whether a list stands inside of braces, where it has to stay in brackets."""
    return any(
        bool(getattr(_find(root, keys[:count]), "flow_style", False))
        for count in range(len(keys) + 1)
    )


def _shared(root: Node | None) -> frozenset[int]:
    """The nodes that stand in several places, by an alias."""
    counts = Counter(id(node) for node in _nodes(root, set()))
    return frozenset(one for one, count in counts.items() if count > 1)


def _nodes(node: Node | None, seen: set[int]) -> Iterator[Node]:
    import yaml

    if node is None:
        return
    yield node
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _nodes(name, seen)
            yield from _nodes(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _nodes(value, seen)


def _changes(
    text: str, node: SequenceNode, edit: Edit, *, in_flow: bool
) -> Iterator[tuple[int, int, str]]:
    """What to put in the place of which part of the text."""
    present = {item.value for item in node.value}
    kept = [item for item in node.value if item.value not in edit.remove]
    add = [one for one in edit.add if one not in present or one in edit.remove]
    newline = "\r\n" if "\r\n" in text else "\n"
    start, end = node.start_mark.index, node.end_mark.index
    if not node.flow_style:
        yield from _in_lines(text, node, kept, add, newline)
        return
    one_line = "\n" not in text[start:end]
    inside = _in_brackets(text, node, kept, add)
    line = text[text.rfind("\n", 0, start) + 1 : start]
    rest = text[end : _line_end(text, end)]
    if one_line and not in_flow and len(line) + len(inside) > LONGEST_LINE:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        entries = [text[item.start_mark.index : item.end_mark.index] for item in kept]
        rows = [f"{newline}{indent}- {one}" for one in [*entries, *map(scalar, add)]]
        # The blank before the bracket goes too; a comment behind it stays with the key.
        yield start - (len(line) - len(line.rstrip())), end + len(rest), rest + "".join(rows)
    else:
        yield start, end, inside


def _in_lines(
    text: str, node: SequenceNode, kept: Sequence[Node], add: Sequence[str], newline: str
) -> Iterator[tuple[int, int, str]]:
    for item in node.value:
        if item not in kept:
            first = text.rfind("\n", 0, item.start_mark.index) + 1
            yield first, _line_end(text, item.end_mark.index) + 1, ""
    if add:
        last = node.value[-1]
        first = text.rfind("\n", 0, last.start_mark.index) + 1
        indent = text[first : text.index("-", first)]
        end = _line_end(text, last.end_mark.index)
        rows = "".join(f"{indent}- {scalar(one)}{newline}" for one in add)
        if end < len(text):
            yield end + 1, end + 1, rows
        else:  # the text ends without a line break, and goes on doing so
            yield end, end, newline + rows.removesuffix(newline)


def _in_brackets(text: str, node: SequenceNode, kept: Sequence[Node], add: Sequence[str]) -> str:
    """The list between its brackets, as it is laid out now."""
    at = node.start_mark.index
    opening = text[at : node.value[0].start_mark.index]
    told = ""
    for item in node.value:
        start, end = item.start_mark.index, item.end_mark.index
        if item in kept:
            told += (text[at:start] if told else opening) + text[start:end]
        at = end
    more = ", ".join(map(scalar, add))
    told += f", {more}" if told and more else "" if told else opening + more
    return told + text[at : node.end_mark.index]


def _line_end(text: str, at: int) -> int:
    """Where the line ends: at its line feed, or at the end of the text."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found
