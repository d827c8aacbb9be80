"""Ignore files are read in moby's dialect, and a whole tree as each path alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from orient_deploy.inputs import scope as scope_module
from orient_deploy.inputs.dockerignore import compile_ignore, read_ignore
from orient_deploy.inputs.filematch import BadPattern
from orient_deploy.inputs.scope import Scope
from orient_deploy.inputs.tree import Tree


def tree_of(paths: list[str]) -> Tree:
    return Tree.of(("100644", "blob", "1" * 40, path) for path in paths)


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("", ()),
        ("a\n\n  b  \r\n# c\n #d\n", ("a", "b", "#d")),
        ("\ufeffa\n", ("a",)),
        ("\ufeff#a\n", ()),
        ("/a\n/a/\n./a\na/./b/../c\n", ("a", "a", "a", "a/c")),
        ("!a\n! b \n!/c/\n", ("!a", "!b", "!c")),
        ("//a\n/\n.\n", ("a", "/", ".")),
        ("\u00a0a\u2003\n", ("a",)),
    ],
)
def test_which_patterns_a_file_holds(text: str, patterns: tuple[str, ...]) -> None:
    assert read_ignore(text.encode()) == patterns


@pytest.mark.parametrize(
    ("text", "ignored", "kept"),
    [
        pytest.param("a", ["a", "a/b"], ["b/a", "ab", "ab/c"], id="name-at-the-root"),
        pytest.param("*.md", ["a.md", ".md"], ["b/a.md", "a.mdx"], id="star-at-the-root"),
        pytest.param("**/*.md", ["a.md", "b/a.md", "c.md/d"], ["a.mdx"], id="anywhere"),
        pytest.param("**/a", ["a", "b/a", "b/a/c"], ["ba", "b/ab"], id="name-anywhere"),
        pytest.param("**a", ["a", "b/ca"], ["ab"], id="end-of-a-name"),
        pytest.param("**.log", ["a.log", "b/c.log"], ["a.logs"], id="suffix"),
        pytest.param("a/**", ["a/b", "a/b/c"], ["a", "ab"], id="all-within"),
        pytest.param("a**", ["a", "ab", "ab/c"], ["ba"], id="beginning"),
        pytest.param("**", ["a", "a/b"], [], id="everything"),
        pytest.param("**/*", ["a", "a/b"], [], id="everything-too"),
        pytest.param("*/*", ["a/b", "a/b/c"], ["a"], id="two-deep"),
        pytest.param("**/a/**", ["a/b", "c/a/b"], ["a", "c/a"], id="within-anywhere"),
        pytest.param("**a*/**", ["a/b", "c/ab/d"], ["a", "ba/b"], id="within-some-anywhere"),
        pytest.param("a/**/b", ["a/b", "a/c/b", "a/c/d/b/e"], ["b", "ab"], id="between"),
        pytest.param("a/*/b", ["a/c/b"], ["a/b", "a/c/d/b"], id="one-between"),
        pytest.param("a?", ["ab"], ["a", "abc", "a/"], id="one-character"),
        pytest.param("[ab]c", ["ac", "bc"], ["cc"], id="class"),
        pytest.param("\\*", ["*"], ["a"], id="escape"),
        pytest.param("a\n!a/b", ["a/c"], ["a/b", "a/b/c"], id="exception"),
        pytest.param("*\n!a\n!b/c", ["d", "b/d"], ["a", "a/x", "b/c"], id="only-some"),
        pytest.param("!a\na", ["a"], ["b"], id="the-last-decides"),
        pytest.param("a/b\n!a", ["a/b", "a/b/c"], ["a/c"], id="exception-above"),
        pytest.param("a\n!a\na/b", ["a/b"], ["a/c"], id="back-and-forth"),
        pytest.param("**/*.md\n!README.md", ["a.md", "b/README.md"], ["README.md"], id="one-file"),
        pytest.param("a\n!**/*.md\n**/x.md", ["a/b", "a/x.md"], ["a/y.md", "a/b.md/c"], id="three"),
        pytest.param("**/*/**\n!b/**", ["a/b"], ["a", "b/c"], id="all-folders-but-one"),
        pytest.param("a^", ["a^"], ["a"], id="caret"),
        pytest.param("/\n..\n../a", [], ["a", "b"], id="outside"),
        pytest.param(".", [], ["a", "b"], id="the-context-itself"),
    ],
)
def test_what_is_ignored(text: str, ignored: list[str], kept: list[str]) -> None:
    found = compile_ignore(read_ignore(text.encode()))

    assert [path for path in ignored if not found.matches(path)] == []
    assert [path for path in kept if found.matches(path)] == []


def test_an_empty_pattern_says_nothing() -> None:
    """`--exclude=` holds one."""
    found = compile_ignore(("", " ", "a"))

    assert [path for path in ("a", "b") if found.matches(path)] == ["a"]


@pytest.mark.parametrize(
    "text", ["!", "[", "a[", "\\", "a/[]", "\\d*", "[[:alpha:]]x", "[a\\]]", "a**b*c*d*e"]
)
def test_what_the_builder_refuses_or_nobody_can_tell(text: str) -> None:
    with pytest.raises(BadPattern):
        compile_ignore(read_ignore(text.encode()))


NAMES = st.sampled_from(["a", "b", "ab", "a.b", "b.md", "c"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map("/".join), min_size=1, max_size=12)
SEGMENTS = st.sampled_from(
    ["a", "b", "ab", "*", "**", "a*", "*b", "?", "*.md", "a**", "**b", "a*b", "b.md", "[ab]"]
)
PATTERNS = st.lists(
    st.builds(
        lambda start, segments, end: start + "/".join(segments) + end,
        st.sampled_from(["", "", "!", "/"]),
        st.lists(SEGMENTS, min_size=1, max_size=3),
        st.sampled_from(["", "", "/", "/**"]),
    ),
    min_size=1,
    max_size=5,
)


# What lies beside a folder, and has no say.
BESIDE = {"": [], "w": ["v/a", "w-", "w0/a"], "a/b": ["a/a", "a/b-/a", "a/b.md"]}


def without_conflicts(paths: list[str]) -> list[str]:
    """No path is a file and a folder."""
    kept: list[str] = []
    for path in paths:
        if not any(f"{path}/".startswith(f"{one}/") or one.startswith(f"{path}/") for one in kept):
            kept.append(path)
    return kept


def simple(patterns: tuple[str, ...], path: str) -> bool:
    """Whether a path is ignored, by the plainest reading: each folder above it first, pattern by
    pattern, each as one expression."""
    above: list[bool] = [False] * len(patterns)
    is_ignored = False
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        now = "/".join(parts[:depth])
        is_ignored = False
        for number, pattern in enumerate(patterns):
            negates = pattern.startswith("!")
            if not above[number] and negates == is_ignored:
                above[number] = _fits(pattern.removeprefix("!"), now)
            if above[number]:
                is_ignored = not negates
    return is_ignored


def _fits(pattern: str, path: str) -> bool:
    if re.fullmatch(r"\*\*[^*?[\\]+", pattern):  # moby compares such a pattern as an end
        return path.endswith(pattern[2:]) or (path == pattern[3:] and pattern[2] == "/")
    text = re.sub(r"\*\*\Z", "\0", pattern)
    text = re.sub(r"\*\*/?", "\1", text)
    parts = {"\0": ".*", "\1": "(.*/)?", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\[ab\]|.)", text)
    regex = "".join(one if one == "[ab]" else parts.get(one, re.escape(one)) for one in found)
    return re.fullmatch(regex, path) is not None


@pytest.mark.parametrize("few", [1000, 0], ids=["few-places", "many-places"])
@given(PATTERNS, PATHS.map(without_conflicts), st.sampled_from(sorted(BESIDE)), st.data())
def test_a_tree_is_ignored_as_its_paths_are(
    few: int, texts: list[str], paths: list[str], folder: str, data: st.DataObject
) -> None:
    before = scope_module._FEW
    scope_module._FEW = few
    try:
        prefix = f"{folder}/" if folder else ""
        inside = [prefix + path for path in paths]
        scope = Scope(tree_of([*inside, *BESIDE[folder]]), folder)
        patterns = read_ignore("\n".join(texts).encode())
        try:
            ignore = compile_ignore(patterns)
        except BadPattern:
            reject()  # more stars within names than one expression is trusted with

        found = ignore.ignored(scope, "", scope.everything)
        part = data.draw(st.sampled_from(paths))
        part = "/".join(part.split("/")[: data.draw(st.integers(1, 4))])
        below = ignore.ignored(scope, part, scope.place(part))
    finally:
        scope_module._FEW = before

    expected = {path for path in paths if simple(patterns, path)}
    listed = {scope.path(at) for at in found}
    assert listed & set(paths) == expected
    assert {path for path in paths if ignore.matches(path)} == expected
    assert {scope.path(at) for at in below} == {
        path for path in listed if f"{path}/".startswith(f"{part}/")
    }


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    scope = Scope(tree_of(["a", "b/c"]), "")
    try:
        ignore = compile_ignore(read_ignore(content))
    except BadPattern:
        return

    for at in ignore.ignored(scope, "", scope.everything):
        assert ignore.matches(scope.path(at))


def test_no_name_keeps_a_pattern_busy() -> None:
    many = "*a" * 30

    for pattern in (f"{many}b", f"**/{many}b", f"**/{many}b/**/{many}b", "**/a/" * 30 + "b"):
        assert not compile_ignore((pattern,)).matches("/".join(["a" * 200] * 20))


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        pytest.param("a/**\n!a/b/c", "a/b", ["a/b/d"], id="deep-above-and-a-negation-below"),
        pytest.param("!x\n**\n!a/**/c", "a/b", ["a/b/d"], id="all-but-some-below"),
        pytest.param("a/*/**", "a/b", ["a/b/c", "a/b/d"], id="all-within-the-folder-asked-for"),
        pytest.param("**/b.*", "a", ["a/b.md", "a/b.mdx"], id="a-beginning-of-names"),
        pytest.param("x\n!x/**\n**/z", "x/y", ["x/y/z"], id="a-negation-around-it"),
        pytest.param("**/b.md", "a", ["a/b.md"], id="an-end-that-goes-on-elsewhere"),
        pytest.param("a\n!a/b/**", "a/b", [], id="a-negation-that-reaches-all"),
        pytest.param("a/b/**\n!a/b/**\n**/d", "a/b", ["a/b/d"], id="negations-all-over"),
    ],
)
def test_what_is_ignored_in_one_folder(text: str, path: str, expected: list[str]) -> None:
    scope = Scope(tree_of(["a/b.md", "a/b.mdx", "a/b/c", "a/b/d", "e", "x/y/z", "x/y/w"]), "")
    ignore = compile_ignore(read_ignore(text.encode()))

    found = {scope.path(at) for at in ignore.ignored(scope, path, scope.place(path))}

    assert found == set(expected)
