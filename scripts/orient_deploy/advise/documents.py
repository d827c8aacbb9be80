"""YAML files of a consumer (workflows, Compose files, filters) as plain values, within bounds.

Every scalar stays text, so a key `on` is the text `on`. Whatever cannot be read is None: a proposal
does without it. Never raises, and never decides what a value means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

MAX_BYTES = 256 * 1024  # a second's work; the longest workflows in the wild have a quarter of it
MAX_TEXT = 10_000  # characters of one value after its expressions were put in
MAX_ITEMS = 1_000  # of one flattened list

Value = Any  # text, or a list or a mapping (by text) of values

EXPRESSION = re.compile(r"\$\{\{((?:(?!\}\}).){0,500})\}\}", re.DOTALL)


@lru_cache(maxsize=64)  # who looks at many commits meets the same files again
def read_yaml(data: bytes) -> Value:
    """The only document of the text; None when there is none, or it is not one.

    The same text gives the same value: nobody may change it.
    """
    if len(data) > MAX_BYTES:
        return None
    import yaml

    try:
        # BaseLoader constructs nothing but texts, lists and mappings, whatever the tags say.
        return yaml.load(data, yaml.BaseLoader)
    # Besides its own errors, the parser lets through what deep nesting and odd escapes bring about.
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return None


def get(value: Value, *keys: str) -> Value:
    """What stands under the keys, one below the other, merge keys followed; None for nothing."""
    for key in keys:
        value = _entry(value, key, set())
    return value


def _entry(value: Value, key: str, seen: set[int]) -> Value:
    if not isinstance(value, dict) or id(value) in seen:
        return None
    if key in value:
        return value[key]
    seen.add(id(value))  # each mapping once: anchors may refer to each other in any number
    merged = value.get("<<")
    for one in merged if isinstance(merged, list) else [merged]:
        found = _entry(one, key, seen)
        if found is not None:
            return found
    return None


def text(value: Value, *keys: str) -> str:
    """The text under the keys without blanks at its ends; '' for none, or far too much."""
    found = get(value, *keys)
    return found.strip() if isinstance(found, str) and len(found) <= MAX_TEXT else ""


def pairs(value: Value, *keys: str) -> list[tuple[str, Value]]:
    """The entries of the mapping under the keys, merge keys left out."""
    found = get(value, *keys)
    if not isinstance(found, dict):
        return []
    return [(key, one) for key, one in found.items() if isinstance(key, str) and key != "<<"]


def items(value: Value, *keys: str) -> list[Value]:
    """The list under the keys; a single text is a list of one."""
    found = get(value, *keys)
    if isinstance(found, str):
        return [found]
    return found if isinstance(found, list) else []


def flat(value: Value) -> list[Value]:
    """A list with the lists in it opened, as anchors inside a list leave them; cut at MAX_ITEMS."""
    return list(_opened(value, [MAX_ITEMS], 8))


def _opened(value: Value, left: list[int], depth: int) -> Iterator[Value]:
    if left[0] <= 0 or depth <= 0:
        return
    if isinstance(value, list):
        for one in value:
            left[0] -= 1  # an empty list costs as well
            yield from _opened(one, left, depth - 1)
    else:
        yield value


def put_in(value: str, known: Mapping[str, str]) -> str:
    """The text with those of its `${{ }}` put in that are known; the others stay as they are.

    >>> put_in("${{ env.IMAGE }}:${{ github.sha }}", {"env.IMAGE": "${{ env.R }}/a", "env.R": "r"})
    'r/a:${{ github.sha }}'
    """
    for _ in range(5):  # a value may itself hold expressions
        found = EXPRESSION.sub(lambda one: known.get(one[1].strip(), one[0]), value)
        if found == value or len(found) > MAX_TEXT:
            break
        value = found
    return value


def has_expression(value: str) -> bool:
    """Whether something in the text is known on a runner only."""
    return EXPRESSION.search(value) is not None


def open_places(value: str, instead: str) -> str:
    """The text with every `${{ }}` replaced."""
    return EXPRESSION.sub(lambda _: instead, value)
