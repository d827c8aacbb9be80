"""The pattern dialect: what GitHub documents, and what the compiled lists owe to its definition."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pathspec import PathSpec

import orient_deploy.inputs.dialect  # noqa: F401  # registers 'github' with pathspec
from orient_deploy.inputs.patterns import compile_patterns, escape, expand_braces

# GitHub docs, "Workflow syntax", filter pattern cheat sheet: all examples without `?` and `+`.
DOCUMENTED = [
    (["feature/*"], ["feature/my-branch", "feature/your-branch"], ["feature/a/b", "feature"]),
    (["feature/**"], ["feature/beta-a/my-branch", "feature/mona/the/octocat"], ["features/x"]),
    (["main"], ["main"], ["mains", "a/main", "Main"]),
    (["releases/mona-the-octocat"], ["releases/mona-the-octocat"], ["releases/mona"]),
    (["*"], ["main", "releases", "README.md", "server.rb"], ["all/the/branches"]),
    (["**"], ["all/the/branches", "every/tag", "all/the/files.md", "a"], []),
    (["*feature"], ["mona-feature", "feature", "ver-10-feature"], ["a/feature", "features"]),
    (["v2*"], ["v2", "v2.0", "v2.9"], ["v1", "v2/x"]),
    (["*.js"], ["app.js", "index.js"], ["js/index.js", "app.jsx"]),
    (["**.js"], ["index.js", "js/index.js", "src/js/app.js"], ["index.jsx"]),
    (["docs/*"], ["docs/README.md", "docs/file.txt"], ["docs/a/file.txt", "a/docs/file.txt"]),
    (["docs/**"], ["docs/README.md", "docs/mona/octocat.txt"], ["docs.md", "a/docs/b"]),
    (
        ["docs/**/*.md"],
        ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"],
        ["docs/a.txt", "README.md", "docs.md"],
    ),
    (
        ["**/docs/**"],
        ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"],
        ["mydocs/a", "docs.md"],
    ),
    (["**/README.md"], ["README.md", "js/README.md"], ["js/MYREADME.md"]),
    (["**/*src/**"], ["a/src/app.js", "my-src/code/js/app.js"], ["src2/a"]),
    (["**/*-post.md"], ["my-post.md", "path/their-post.md"], ["post.md"]),
    (
        ["**/migrate-*.sql"],
        ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"],
        ["db/migrate/a.sql"],
    ),
    (["*.md", "!README.md"], ["hello.md"], ["README.md", "docs/hello.md"]),
    (["*.md", "!README.md", "README*"], ["hello.md", "README.md", "README.doc"], ["docs/a.md"]),
    (["[CB]at"], ["Cat", "Bat"], ["cat", "[CB]at", "CBat"]),
    (["[1-2]00"], ["100", "200"], ["300", "1-200"]),
    (["Octo*"], ["Octo", "Octocat"], ["octocat", "Octo/cat"]),
]

OURS = [
    # A submodule or a symbolic link can stand where a directory is meant.
    (["vendor/**"], ["vendor", "vendor/a"], ["vendored", "vendored/a"]),
    (["**/gen/**"], ["gen", "a/gen"], ["gen2", "regen"]),
    (["src/**/test/**"], ["src/test", "src/a/b/test/c"], ["src/tests", "srctest"]),
    (["vendor/**/**"], ["vendor", "vendor/a"], ["vendors"]),
    (["[vw]endor/**"], ["wendor", "vendor/a"], ["endor"]),
    # But a name that a wildcard stands for is a directory's, or '!*/**' would exclude all files.
    (["*/**"], ["a/b", "a/b/c"], ["a"]),
    (["**", "!*/**"], ["a", ".b"], ["a/b"]),
    (["vendor*/**/**"], ["vendor/a", "vendors/a/b"], ["vendor", "vendors"]),
    (["vendor{/**,/*x*}"], ["vendor", "vendor/a"], ["vendors"]),
    (["vendor/**/*"], ["vendor/a", "vendor/a/b"], ["vendor"]),
    # Names are not treated by their looks.
    (["**"], [".a", "a/.b/.c", "line\nbreak", "a/\udcff\udc80", "a b", "::error::"], []),
    (["src/**"], ["src/line\nbreak", "src/\n", "src/\r\u2028", "src/\udcff"], ["src\n/a"]),
    (["**/src/**/*.ts"], ["a\nb/src/c\n/\n.ts", "src/.ts"], ["a/src/b.ts\n"]),
    (["*.ts"], ["\n.ts", ".ts"], ["a.ts\n"]),
    (["src/*"], ["src/.env", "src/a\nb"], ["src/a/b"]),
    (["größe/**"], ["größe/a", "größe"], ["grösse/a", "größer"]),
    (["größe*"], ["größe", "größer"], ["größe/a"]),
    (["größe"], ["größe"], ["größe/a", "größ"]),
    # Only '*', '[', '{' and a leading '!' mean anything.
    (["app/(shop)/a+b?.c|$^"], ["app/(shop)/a+b?.c|$^"], ["app/shop/ab.c"]),
    (["a\\*"], ["a\\", "a\\b"], ["a*"]),
    (["a!b"], ["a!b"], ["ab"]),
    (["a]", "b}", "c,d"], ["a]", "b}", "c,d"], ["a", "c"]),
    # Classes.
    (["app/[id]/page.tsx"], ["app/i/page.tsx", "app/d/page.tsx"], ["app/[id]/page.tsx"]),
    (["app/[[]id]/page.tsx"], ["app/[id]/page.tsx"], ["app/i/page.tsx"]),
    (["[]x]"], ["[]x]"], ["x", "]"]),
    (["a[!b-d]e", "a[^b]f"], ["aae", "a!e", "a\ne", "adf"], ["ace", "a/e", "abf", "ae"]),
    (["[^]"], ["^"], ["a"]),
    (["[0-9a-c_-]"], ["5", "b", "_", "-"], ["d", "/", "55"]),
    (["[!]a"], ["!a"], ["a", "ba"]),
    (["a[--0]b"], ["a-b", "a.b", "a0b"], ["a/b"]),
    (["a[z-a]b"], [], ["azb", "a-b", "ab"]),
    (["a[b/c]d"], ["a[b/c]d"], ["abd"]),
    (["a[b"], ["a[b"], ["ab"]),
    # Braces.
    (["packages/{core,mcp-tools}/**"], ["packages/core/a", "packages/mcp-tools"], ["packages/a"]),
    (["{a,b{c,d}}*.{js,ts}"], ["a.js", "bcx.ts", "bd.js"], ["b.js", "a.css"]),
    (["a{,b}"], ["a", "ab"], ["a{,b}"]),
    (["{**/,}a"], ["a", "x/y/a"], ["xa"]),
    (["a{b}c", "{d", "e}{f,g"], ["a{b}c", "{d", "e}{f,g"], ["abc", "d"]),
    (["[{]a,b}"], ["{a,b}"], ["a", "b"]),
    # More than one wildcard, where the first fit is not the right one.
    (["*a*b"], ["aab", "ab", "xaxbxb"], ["a/ab", "aba"]),
    (["**a*"], ["a/a", "a/xax"], ["a/b"]),
    (["**/x*/y/**/z"], ["x/y/z", "a/x1/x2/y/b/z", "x/x/y/z/z"], ["x/a/y/z", "ax/y/z"]),
    (["**/a*b*c"], ["a/b/abc", "x/aabbc"], ["abc/d", "a/bc"]),
    (["a***b"], ["ab", "a/x/b"], []),
]


@pytest.mark.parametrize(("patterns", "selected", "others"), [*DOCUMENTED, *OURS])
def test_a_list_selects_what_it_says(
    patterns: list[str], selected: list[str], others: list[str]
) -> None:
    selection = compile_patterns(patterns)
    paths = sorted(selected + others)

    assert [path for path in selected + others if selection.matches(path)] == selected
    assert [paths[at] for at in selection.select(paths)] == sorted(selected)


def test_the_last_match_decides_and_is_named() -> None:
    selection = compile_patterns(["src/**", "src/api/**", "!**/*.md", "src/api/KEEP.md"])

    assert selection.first_match("src/a.ts") == "src/**"
    assert selection.first_match("src/api/a.ts") == "src/api/**"
    assert selection.first_match("src/api/KEEP.md") == "src/api/KEEP.md"
    assert selection.first_match("src/api/a.md") is None
    assert selection.first_match("docs/a.ts") is None


def test_positions_of_a_sorted_list() -> None:
    selection = compile_patterns(["a/**", "!a/x", "b"])
    paths = ["a", "a-b", "a.c", "a/w", "a/x", "a/y", "a0", "b", "b/c", "c"]

    assert selection.select(paths) == [0, 3, 5, 7]
    assert selection.deciding(paths) == {0: "a/**", 3: "a/**", 5: "a/**", 7: "b"}
    assert selection.select([]) == []


def test_a_list_of_paths_may_change_between_two_questions() -> None:
    selection = compile_patterns(["**/*.ts"])
    paths = ["a/b.ts"]

    assert selection.select(paths) == [0]
    paths.append("c.ts")
    assert selection.select(paths) == [0, 1]


def test_dead_patterns_are_those_that_match_nothing_on_their_own() -> None:
    selection = compile_patterns(["src/**", "srx/**", "!docs/*.md", "!src/a", "**/*.go", "a{b,c}"])

    assert selection.dead(["src/a"]) == ["srx/**", "!docs/*.md", "**/*.go", "a{b,c}"]
    assert selection.dead(["ac", "docs/b.md", "src/a", "x/y.go"]) == ["srx/**"]


def test_many_nested_braces_make_no_more_texts_than_they_say() -> None:
    text = "{" + ",".join(f"{{a{index},b{index}}}" for index in range(100)) + "}"

    assert len(expand_braces(text)) == 200


def test_a_long_path_does_not_keep_an_expression_busy() -> None:
    """With plain expressions each of these would take from minutes to centuries."""
    for pattern, path in [
        ("**a**a**a**a**b", "a" * 4096),
        ("**/x/**/y/**/z/**/w", "x/y/z/" * 680 + "v"),
        ("*a*a*a*a*a*a*a*b", "a" * 4096),
        ("**/*a*a*a*a*a*/b", "a" * 4096),
    ]:
        assert not compile_patterns([pattern]).matches(path)
        assert compile_patterns([pattern]).matches(path + pattern.replace("*", ""))


def test_the_usual_patterns_import_neither_pathspec_nor_anything_heavy() -> None:
    code = """
import sys
from orient_deploy.inputs.patterns import compile_patterns
before = set(sys.modules)
usual = ["src/**", "!src/a*", "{docker,infra}/Dockerfile.opencode*", "package.json", "**", "*"]
selection = compile_patterns(usual)
assert selection.select(["a", "src/b"]) and selection.dead(["a"]) and selection.matches("b")
assert "pathspec" not in sys.modules and "pathlib" not in sys.modules, sorted(sys.modules)
assert compile_patterns(["**/*.ts"]).matches("a.ts")
assert "pathspec" in sys.modules
"""
    scripts = Path(__file__).parents[3] / "scripts"
    started = f"import sys; sys.path[:0] = {[str(scripts), *sys.path]!r}\n{code}"

    subprocess.run([sys.executable, "-I", "-c", started], check=True, timeout=60)


# Properties. Small alphabets, so that patterns and paths meet.
TEXT = st.text(st.sampled_from("aab/.-\n") | st.sampled_from("é\udc80\udcff\ue000😀"), max_size=8)
PIECE = (
    st.sampled_from(
        [
            "*",
            "**",
            "**/",
            "/**",
            "/",
            "[ab]",
            "[a-]",
            "[!a]",
            "[^.-a]",
            "{a,b}",
            "{a/**,}",
            "[",
            "]",
        ]
    )
    | st.sampled_from(["{", "}", ",", "!", "(", "a", "b", "a/b", "***", "/**/"])
    | TEXT
)
PATTERN = st.builds("".join, st.lists(PIECE, min_size=1, max_size=5)).filter(
    lambda text: text not in ("", "!")
)
PATTERNS = st.lists(
    st.builds(lambda sign, text: sign + text, st.sampled_from(["", "", "!"]), PATTERN),
    min_size=1,
    max_size=4,
)
PATH = st.lists(TEXT.map(lambda text: text.replace("/", "")).filter(bool), min_size=1, max_size=4)
PATHS = st.lists(PATH.map("/".join), max_size=12, unique=True)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


@given(PATTERNS, PATHS, st.booleans())
@example(["\udc80**"], ["\ue000", "\udc80", "\udc80a"], True)
@example(["é/**"], ["a", "é", "é-", "é/b"], True)
@example(["é**"], ["\udc80", "\udc80a", "\udc80b", "é"], True)
def test_positions_are_those_of_the_paths_that_match(
    patterns: list[str], paths: list[str], by_bytes: bool
) -> None:
    """In git's order and in Python's, which differ for names that are no UTF-8."""
    selection = compile_patterns(patterns)
    paths = sorted(paths, key=_bytes) if by_bytes else sorted(paths)
    by_path = {at: selection.first_match(path) for at, path in enumerate(paths)}

    deciding = selection.deciding(paths)
    assert deciding == {at: text for at, text in by_path.items() if text is not None}
    assert selection.select(paths) == sorted(deciding)


@given(PATTERNS, PATHS.filter(bool))
def test_the_part_asked_for_tells_dead_patterns_as_the_whole_tree_does(
    patterns: list[str], paths: list[str]
) -> None:
    tree = [path for path in paths if not any(other.startswith(path + "/") for other in paths)]
    ordered = sorted(tree, key=_bytes)
    selection = compile_patterns(patterns)
    asked, below = selection.questions()
    part = [
        path
        for path in ordered
        if path in asked or any(not folder or path.startswith(folder + "/") for folder in below)
    ]
    folders = {path for path in asked if any(one.startswith(path + "/") for one in ordered)}

    assert selection.dead(part, folders) == selection.dead(ordered)


@given(PATTERNS, PATHS.filter(bool))  # a tree without a file has nothing to match
def test_dead_means_that_the_pattern_alone_matches_nothing(
    patterns: list[str], paths: list[str]
) -> None:
    paths.sort(key=_bytes)

    alive = {
        text
        for text in patterns
        if any(compile_patterns([text.removeprefix("!")]).matches(path) for path in paths)
    }
    # A '!' that is taken off may uncover another.
    doubled = {text for text in patterns if text.startswith("!!")}
    assert [text for text in compile_patterns(patterns).dead(paths) if text not in doubled] == [
        text for text in patterns if text not in alive | doubled
    ]


@given(PATTERNS, PATH.map("/".join))
def test_pathspec_with_our_pattern_class_agrees(patterns: list[str], path: str) -> None:
    """The plain patterns, which go past the expressions, mean what the expressions say."""
    spec = PathSpec.from_lines("github", patterns, backend="simple")

    assert compile_patterns(patterns).matches(path) == bool(spec.check_file(path).include)


@given(PATTERN.filter(lambda text: not text.startswith("!")), PATH.map("/".join))
@example("**/a*a/**", "a/aa")
def test_a_pattern_means_what_its_definition_says(pattern: str, path: str) -> None:
    expected = any(_defined(one, path) for one in expand_braces(pattern))

    assert compile_patterns([pattern]).matches(path) == expected


@given(st.text(st.characters(codec=None) | st.sampled_from("![]{},*?+\\/"), min_size=1))
@example("!]x")
@example("[]]")
def test_an_escaped_text_matches_itself_and_nothing_else(text: str) -> None:
    selection = compile_patterns([escape(text)])

    assert selection.first_match(text) == escape(text)
    assert not selection.matches(text + "a")
    assert not selection.matches(text[1:])
    assert not selection.matches("a" + text)


def _defined(pattern: str, path: str) -> bool:
    """The dialect by its definition, one token after the other; slow and without any expression."""
    pattern = re.sub(r"\*{2,}", "**", pattern)

    @cache
    def fits(at: int, to: int) -> bool:
        """Whether the pattern from `at` matches the path from `to`."""
        rest = pattern[at:]
        if rest == "":
            return to == len(path)
        starts_segment = at == 0 or pattern[at - 1] == "/"
        below = rest.startswith("/**") and set(rest.split("/")[1:]) == {"**"}
        if below and not pattern[:at].endswith("*") and to == len(path):
            return True
        if rest.startswith("**/") and starts_segment and fits(at + 3, to):
            return True
        if rest.startswith("**/") and starts_segment:
            return any(
                path[end - 1] == "/" and fits(at + 3, end) for end in range(to + 1, len(path) + 1)
            )
        if rest.startswith("**"):
            return any(fits(at + 2, end) for end in range(to, len(path) + 1))
        if rest[0] == "*":
            ends = [to]
            while ends[-1] < len(path) and path[ends[-1]] != "/":
                ends.append(ends[-1] + 1)
            return any(fits(at + 1, end) for end in ends)
        if to == len(path):
            return False
        close = rest.find("]")
        if rest[0] == "[" and close > 1 and "/" not in rest[:close]:
            return _is_member(path[to], rest[1:close]) and fits(at + close + 1, to + 1)
        return path[to] == rest[0] and fits(at + 1, to + 1)

    return fits(0, 0)


def _is_member(character: str, text: str) -> bool:
    if len(text) > 1 and text[0] in "!^":
        return character != "/" and not _listed(character, text[1:])
    return character != "/" and _listed(character, text)


def _listed(character: str, text: str) -> bool:
    while text:
        ranged = len(text) > 2 and text[1] == "-"
        if text[0] <= character <= text[2 if ranged else 0]:
            return True
        text = text[3 if ranged else 1 :]
    return False
