"""The patterns of COPY match as Go's documentation of path.Match says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.inputs.filematch import BadPattern, expression, has_wildcard, segment

PATTERNS = st.lists(
    st.sampled_from(
        ["a", "b", "-", ".", "/", "*", "?", "[ab]", "[^a]", "[a-c]", "\\", "[", "]", "é"]
    ),
    max_size=6,
).map("".join)
PATHS = st.text("ab-./é", max_size=6)


def simple(pattern: str, path: str) -> bool:
    """What the documentation says, one sign of the pattern after the other."""
    if not pattern:
        return not path
    one, rest = pattern[0], pattern[1:]
    if one == "*":
        return simple(rest, path) or (path[:1] not in ("", "/") and simple(pattern, path[1:]))
    if not path:
        return False
    if one == "[":
        end = pattern.index("]", 3 if pattern[1] == "^" else 2)
        members, is_negated = pattern[1:end].removeprefix("^"), pattern[1] == "^"
        low, dash, high = members.partition("-")
        is_member = low <= path[0] <= high if dash else path[0] in members
        return is_member != is_negated and simple(pattern[end + 1 :], path[1:])
    if one == "\\":
        one, rest = rest[0], rest[1:]
    elif one == "?":
        return path[0] != "/" and simple(rest, path[1:])
    return one == path[0] and simple(rest, path[1:])


def matches(pattern: str, path: str) -> bool:
    return re.fullmatch(expression(pattern), path) is not None


@given(PATTERNS, PATHS)
def test_a_path_matches_by_the_documentation(pattern: str, path: str) -> None:
    try:
        found = matches(pattern, path)
    except BadPattern:
        return

    if re.search(r"\[[^]]*[\[\\]|\[\^?[^]]{3}[^]]", pattern):
        return  # classes that are harder to read than the documentation
    assert found == simple(pattern, path)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**/a", "x/a", True),
        ("**/a", "x/y/a", False),
        ("**/a", "a", False),
        (".*", ".env", True),
        ("*", ".env", True),
        ("a*/b", "a/x/b", False),
        ("[!a]", "!", True),
        ("[!a]", "b", False),
        ("[a-cx]", "x", True),
        ("[c-a]", "b", False),
        ("[^c-a]", "b", True),
        ("[\\]]", "]", True),
        ("[a\\-z]", "-", True),
        ("[[]", "[", True),
        ("\\*", "*", True),
        ("\\*", "a", False),
        ("{a,b}", "{a,b}", True),
        ("a\n", "a\n", True),
        ("a", "a\n", False),
        ("?", "\n", True),
    ],
)
def test_what_is_easily_mistaken(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    "pattern", ["[", "a[", "[a", "[]", "[]a]", "[^]", "[-a]", "[a-]", "[a-", "[\\", "\\", "a\\"]
)
def test_what_go_refuses(pattern: str) -> None:
    with pytest.raises(BadPattern):
        expression(pattern)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", False), ("a*", True), ("a?", True), ("[a]", True), ("\\*", False), ("\\\\*", True)],
)
def test_what_is_a_pattern(text: str, expected: bool) -> None:
    assert has_wildcard(text) is expected


@given(PATTERNS, PATHS)
def test_a_part_of_a_path_matches_alike(pattern: str, name: str) -> None:
    if "/" in pattern + name:
        return
    try:
        expected = matches(pattern, name)
    except BadPattern:
        return

    assert segment(pattern)(name) == expected


def test_no_name_keeps_a_pattern_busy() -> None:
    assert not matches("*a" * 30 + "b", "a" * 250)
    assert matches("*a" * 30, "a" * 250)
