"""Filters of dorny/paths-filter in our dialect, held against picomatch itself."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orient_deploy.advise.documents import read_yaml
from orient_deploy.advise.filters import read_filters, translate, translate_pattern
from orient_deploy.config.globs import list_problem, problem
from orient_deploy.inputs.patterns import compile_patterns
from tests.oracles.node_tools import Mode, OracleError, picomatch_matches

PATHS = sorted(
    [
        *("a", "b", "ab", "a.md", "b.md", "a+", "x", "1", ".env", "src", "README.md"),
        *("src/a", "src/b", "src/a.md", "src/a/b", "src/a/b.md", "src/.env", "src/x/a/b"),
        *(
            "docs/a.md",
            "docs/b/a.md",
            "docs/index.html",
            "docker/Dockerfile",
            "docker/Dockerfile.a",
        ),
        *(
            "docker/Dockerfile.a/b",
            "a/b",
            "b/a",
            "a/x/b",
            "x/a.md",
            "ab/b",
            "packages/core/src/i.ts",
        ),
        *("[id]", "i", "[ab]", "(a)", "{a}", "a|b", "aa", "a!", "!a", "a b", '"a"', "id]", "a(b"),
        *(
            "app/[id]/x",
            "app/i/x",
            "app/[...a]/x",
            "[ab]/a",
            "a/[id]",
            "i/i",
            "aa/b",
            "a/a",
            "[...id]",
            "$a",
            "^a",
        ),
    ]
)


def _selected(patterns: list[str]) -> set[str]:
    if not patterns:
        return set()
    return {PATHS[at] for at in compile_patterns(patterns).select(PATHS)}


def _theirs(patterns: list[str], mode: Mode) -> set[str]:
    matches = picomatch_matches(patterns, PATHS, mode=mode)
    return {path for path, matched in zip(PATHS, matches, strict=True) if matched}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["src/**"], ["src/**"], id="as-it-is"),
        pytest.param(["./src/**"], ["src/**"], id="dot-slash"),
        pytest.param(["docker/Dockerfile*"], ["docker/Dockerfile*"], id="star"),
        pytest.param(["docker/Dockerfile**"], ["docker/Dockerfile*"], id="two-stars-in-a-name"),
        pytest.param(["**.md"], ["**.md"], id="two-stars-and-a-suffix"),
        pytest.param(["{a,b}/**"], ["{a,b}/**"], id="braces"),
        pytest.param(["@(a|b)/*"], ["{a,b}/*"], id="extglob"),
        pytest.param(["?(a)b"], ["{,a}b"], id="optional"),
        pytest.param(["a+"], ["a[+]"], id="plus"),
        pytest.param(["[ab]"], ["{[ab],[[]ab]}"], id="class"),
        pytest.param(["[a-b]/*"], ["[a-b]/*"], id="range"),
        pytest.param(["app/[id]/**"], ["app/{[id],[[]id]}/**"], id="folder-in-brackets"),
        pytest.param(["app/[...a]/x"], ["{app/[...a]/x,app/[[]...a]/x}"], id="path-in-brackets"),
        pytest.param(["!!src/**"], ["src/**"], id="two-signs"),
        pytest.param(["src/**", "src/**"], ["src/**"], id="twice"),
    ],
)
@pytest.mark.parametrize("mode", ["some", "every"])
def test_what_can_be_said_is_said_exactly(
    texts: list[str], expected: list[str], mode: Mode
) -> None:
    patterns, differences = translate(texts, every=mode == "every")

    assert (patterns, differences) == (expected, [])
    assert _selected(patterns) == _theirs(texts, mode)


@pytest.mark.parametrize(
    ("texts", "every", "expected", "said"),
    [
        pytest.param(["!docs/**"], False, ["**", "!docs/**"], "every file but those", id="alone"),
        pytest.param(
            ["src/**", "!**/*.md"],
            False,
            ["**", "!**/*.md", "src/**"],
            "probably meant: [src/**, !**/*.md]",
            id="beside-others",
        ),
        pytest.param(["!docs/**", "!src/**"], False, ["**"], "every file but those", id="two"),
        pytest.param(["a?b"], False, ["a*b"], "one character", id="question-mark"),
        pytest.param(["!(a)/b"], False, ["*/b"], "extended glob", id="negated-group"),
        pytest.param(["[!a]x"], False, ["*x"], "stands for", id="class-with-sign"),
        pytest.param(["{1..3}/a"], False, ["*/a"], "stands for", id="span"),
        pytest.param(["app/[[...id]]/**"], False, ["**"], "cannot be said", id="class-in-class"),
        pytest.param(["a|b/**"], False, ["**"], "cannot be said", id="bare-choice"),
        pytest.param(["@(a/b)"], False, ["**"], "cannot be said", id="group-over-folders"),
        pytest.param(["src[a/b]"], False, ["**"], "cannot be said", id="class-with-slash"),
        pytest.param(["a.{1..3}"], False, ["**"], "cannot be said", id="span-after-a-dot"),
        pytest.param(['"src"/a'], False, ["**"], "cannot be said", id="quotes"),
        pytest.param(["[b-a]", "a"], False, ["**", "a"], "cannot be said", id="range-downwards"),
        pytest.param(["src/", "a"], False, ["a"], "matches no file", id="folder"),
        pytest.param(["/src/**", "a"], False, ["a"], "matches no file", id="absolute"),
        pytest.param(
            ["src/**", "**/*.ts"], True, ["src/**"], "must match all of", id="two-that-must-match"
        ),
        pytest.param(
            ["src/**", "!src/?.md"], True, ["src/**"], "is left out", id="exclusion-not-sayable"
        ),
        pytest.param(["!src/?.md"], True, ["**"], "is left out", id="lone-exclusion-every"),
        pytest.param(["!src/?.md"], False, ["**"], "is left out", id="lone-exclusion-not-sayable"),
    ],
)
def test_what_cannot_be_said_is_said_wider_and_pointed_out(
    texts: list[str], every: bool, expected: list[str], said: str
) -> None:
    patterns, differences = translate(texts, every=every)

    assert patterns == expected
    assert any(said in one for one in differences)
    assert _theirs(texts, "every" if every else "some") <= _selected(patterns)


def test_several_patterns_stay_a_list() -> None:
    texts = ["src/**", "package.json", "docs/*.md"]

    assert translate(texts, every=False) == (texts, [])


def test_every_with_exclusions_is_exactly_a_list_of_ours() -> None:
    texts = ["src/**", "!src/**/*.md", "!src/b"]

    assert translate(texts, every=True) == (texts, [])
    assert _selected(texts) == _theirs(texts, "every")


def test_an_empty_filter_watches_nothing() -> None:
    assert translate([], every=False) == ([], [])
    assert translate([], every=True) == ([], [])


# The pieces that people write, and those that nobody does; each in every place of a pattern.
_PIECES = [
    *("a", "b", "i", "src", "docs", "/", "/", "/**", "**/", "*", "**", ".md", "?", "{a,b}"),
    *("{a/b,a}", "{a}", "{1..3}", "{", "}", "@(a|b)", "@(a/b)", "!(a)", "*(a)", "(a|b)", "(", ")"),
    *("[ab]", "[id]", "[a-b]", "[!a]", "[a/b]", "[...id]", "[", "]", "|", "!", "@", "+", ".", ","),
    *("\\", '"', "-", "^", "$", " ", "1"),
]
_PATTERN = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4).map("".join)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "", "", "!"]), _PATTERN).map("".join),
        min_size=1,  # `every` of nothing is true for every file there, and no filter here
        max_size=3,
    ),
    st.sampled_from(["some", "every"]),
)
@settings(max_examples=500)
def test_a_translation_never_builds_less(texts: list[str], mode: Mode) -> None:
    try:
        theirs = _theirs(texts, mode)
    except OracleError:  # an expression that picomatch's own output does not make
        assume(False)
    patterns, _ = translate(texts, every=mode == "every")

    assert theirs <= _selected(patterns)


@given(st.lists(st.text(max_size=12) | _PATTERN, max_size=4), st.booleans())
def test_every_translation_can_be_configured(texts: list[str], every: bool) -> None:
    patterns, _ = translate(texts, every=every)

    assert [problem(one) for one in patterns if problem(one)] == []
    assert list_problem(patterns) is None
    assert len(set(patterns)) == len(patterns)


@pytest.mark.parametrize("text", ["(" * 3_000, "{" * 3_000, "[" * 3_000, "*" * 4_000, "\\" * 999])
def test_a_hostile_pattern_is_translated_or_dropped_at_once(text: str) -> None:
    pattern, _ = translate_pattern(text)

    assert pattern == "" or problem(pattern) is None


def test_a_document_of_filters() -> None:
    document = read_yaml(
        b"shared: &shared\n  - packages/core/**\n  - pnpm-lock.yaml\n"
        b"web:\n  - *shared\n  - apps/web/**\n"
        b"api: apps/api/**\n"
        b"new:\n  - added|modified: migrations/**\n"
        b"odd: {added: [a, b]}\n"
    )

    found = {one.name: one for one in read_filters(document, every=False, source="f.yml")}

    assert found["web"].patterns == ("packages/core/**", "pnpm-lock.yaml", "apps/web/**")
    assert found["api"].patterns == ("apps/api/**",)
    assert found["new"].patterns == ("migrations/**",)
    assert "every kind of change" in found["new"].differences[0]
    assert found["odd"].patterns == ("a", "b")
    assert {one.source for one in found.values()} == {"f.yml"}
