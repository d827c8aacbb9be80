"""Which patterns are refused, and that what is offered instead is right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config import globs
from orient_deploy.inputs.patterns import compile_patterns, expand_braces


@pytest.mark.parametrize(
    "text",
    [
        # Every pattern of GitHub's cheat sheet but those with `?` and `+`.
        "*",
        "**",
        "*.js",
        "**.js",
        "docs/*",
        "docs/**",
        "docs/**/*.md",
        "**/docs/**",
        "**/README.md",
        "**/*src/**",
        "**/*-post.md",
        "**/migrate-*.sql",
        "!README.md",
        "feature/*",
        "main",
        "releases/mona-the-octocat",
        "*feature",
        "v2*",
        "v[12].[0-9]*.[0-9]*",
        # Besides.
        "a**b",
        "{apps,packages}/**",
        "docker/Dockerfile{,.legacy}",
        "{a,{b,c/{d,e}}}/x",
        "src/**/*.{ts,tsx}",
        "[a]uto",
        "auto",
        "app/[[]id]/page.tsx",
        "app/(shop)/page.tsx",
        "src/routes/[+]page.svelte",
        "what[?].md",
        "[!]important",
        "a!b@c",
        "[!a-c]x",
        "[^0-9]x",
        "[a-cX-Z0-9_-]",
        "[-a]",
        "a]b",
        ".github/**",
        ".env",
        "...",
        "a/..b/.c",
        "my file, really.txt",
        "Ünïcode/日本/**",
        "a$b~c'd\"e`f#g%h&i;j<k>l|m=n:o",
        "{" + ",".join(f"p{n}" for n in range(1000)) + "}",
    ],
)
def test_a_pattern_that_is_fine(text: str) -> None:
    assert globs.problem(text) is None


@pytest.mark.parametrize(
    ("text", "said", "rewrite"),
    [
        pytest.param("", "is empty", "", id="empty"),
        pytest.param("!", "excludes nothing", "", id="excludes-nothing"),
        pytest.param("!!x", "begins with '!!'", "!x", id="excluded-twice"),
        pytest.param("a\nb", "control character U+000A", "", id="line-break"),
        pytest.param("a\x7f", "control character U+007F", "", id="delete"),
        pytest.param("a\ud800", "control character U+D800", "", id="surrogate"),
        pytest.param(" a", "blanks at its ends", "a", id="blank-before"),
        pytest.param("a ", "blanks at its ends", "a", id="blank-behind"),
        pytest.param("a\u00a0", "blanks at its ends", "a", id="odd-blank"),
        pytest.param("! a", "blank after its '!'", "!a", id="blank-after-the-sign"),
        pytest.param("a" * 10_001, "longer than 10,000", "", id="endless"),
        pytest.param("./a", "begins with './'", "a", id="from-here"),
        pytest.param("!./a", "begins with './'", "!a", id="excluded-from-here"),
        pytest.param("././a/", "begins with './'", "a/**", id="from-here-with-a-slash"),
        pytest.param(".", "begins with './'", "**", id="here"),
        pytest.param("./", "begins with './'", "**", id="here-with-a-slash"),
        pytest.param("/a", "begins with '/'", "a", id="absolute"),
        pytest.param("/a/", "begins with '/'", "a/**", id="absolute-with-a-slash"),
        pytest.param("/", "begins with '/'", "**", id="root"),
        pytest.param("dir/", "ends with '/'", "dir/**", id="directory"),
        pytest.param("a/**/", "ends with '/'", "a/**/**", id="stars-and-a-slash"),
        pytest.param("a//b", "has an empty or a '.' segment", "a/b", id="two-slashes"),
        pytest.param("a/./b", "has an empty or a '.' segment", "a/b", id="dot-segment"),
        pytest.param("../a", "has a '..' segment", "", id="outside"),
        pytest.param("a/../b", "has a '..' segment", "", id="there-and-back"),
        pytest.param("src\\app", "separated by '/'", "src/app", id="backslash"),
        pytest.param(".\\src\\*", "separated by '/'", "src/*", id="backslash-before-a-star"),
        pytest.param("a/\\*", "a literal '*' is written '[*]'", "a/[*]", id="escaped-star"),
        pytest.param("a\\?", "a literal '?' is written '[?]'", "a[?]", id="escaped-mark"),
        pytest.param("\\!a", "a literal '!' is written '[!]'", "[!]a", id="escaped-sign"),
        pytest.param("[\\w]", "a backslash in a class", "", id="backslash-in-a-class"),
        pytest.param("a\\", "separated by '/'", "a/**", id="backslash-at-the-end"),
        pytest.param("a" * 99 + "?", "or not'", "a" * 98 + "{,a}", id="long-and-nearly-plain"),
        pytest.param("*.jsx?", "'the character before it, or not'", "*.js{,x}", id="mark"),
        pytest.param("v[0-9]?", "or not'", "v{,[0-9]}", id="mark-behind-a-class"),
        pytest.param("?.md", "or not'", "*.md", id="mark-with-nothing-before"),
        pytest.param("a/?", "or not'", "a/*", id="mark-behind-a-slash"),
        pytest.param("a*?", "or not'", "a*", id="mark-behind-a-star"),
        pytest.param("v[0-9]+", "once or more'", "v[0-9]*", id="plus-behind-a-class"),
        pytest.param("c++/x", "once or more'", "c[+][+]/x", id="plus-signs"),
        pytest.param("+page", "once or more'", "[+]page", id="plus-with-nothing-before"),
        pytest.param("@(a|b)/x", "uses '@(…)'", "{a,b}/x", id="one-of"),
        pytest.param("@(a)", "uses '@(…)'", "a", id="one-of-one"),
        pytest.param("a?(b|c)", "uses '?(…)'", "a{,b,c}", id="perhaps-one-of"),
        pytest.param("+(a)", "uses '+(…)'", "", id="some-of"),
        pytest.param("*(a)", "uses '*(…)'", "", id="any-of"),
        pytest.param("a/!(b)", "uses '!(…)'", "", id="none-of"),
        pytest.param("!(b)", "looks like an extended", "![(]b)", id="none-of-at-the-start"),
        pytest.param("@(a", "uses '@(…)'", "", id="extglob-never-closed"),
        pytest.param("a[b", "'[' that is never closed", "a[[]b", id="class-never-closed"),
        pytest.param("a[b/c]", "'[' that is never closed", "a[[]b/c]", id="class-over-a-slash"),
        pytest.param("a[]", "'[' that is never closed", "a[[]]", id="class-of-nothing"),
        pytest.param("[[:alpha:]]", "classes have no names", "", id="named-class"),
        pytest.param("[9-0]", "has the range '9-0'", "[0-9]", id="range-downwards"),
        pytest.param("x[a-bz-y]", "has the range 'z-y'", "x[a-by-z]", id="second-range"),
        pytest.param("[a-Z]", "has the range 'a-Z'", "", id="range-across-kinds"),
        pytest.param("[+--]", "has the range '+--'", "", id="range-of-signs"),
        pytest.param("a{b,c", "'{' that is never closed", "a[{]b,c", id="brace-never-closed"),
        pytest.param("a{b,{c,d}", "'{' that is never closed", "a[{]b,{c,d}", id="outer-brace"),
        pytest.param("a}b", "'}' that closes nothing", "a[}]b", id="brace-never-opened"),
        pytest.param("{1..3}", "uses a range in braces", "[1-3]", id="range"),
        pytest.param("{1..12}", "texts separated by commas", "", id="long-range"),
        pytest.param("a{}", "texts separated by commas", "", id="empty-braces"),
        pytest.param("a{b}", "has only one text in '{b}'", "ab", id="one-text"),
        pytest.param("${x}", "has only one text in '{x}'", "$x", id="variable"),
        pytest.param("{{a,b}}", "has only one text", "{a,b}", id="one-text-that-is-two"),
        pytest.param("{,}", "stands for '', which is empty", "", id="empty-alternatives"),
        pytest.param("{a,b}/", "stands for 'a/', which ends with '/'", "", id="slash-behind"),
        pytest.param("{a,/b}", "stands for '/b', which begins with '/'", "", id="slash-inside"),
        pytest.param("{a,.}{b,/c}", "stands for './c', which begins", "", id="put-together"),
        pytest.param("{a,b}" * 10, "more than 1,000 texts", "", id="brace-bomb"),
        pytest.param("{a,b}" * 800, "more than 1,000 texts", "", id="great-brace-bomb"),
        pytest.param("{" * 4000, "'{' that is never closed", "", id="deep-braces"),
        pytest.param("a***", "three or more '*'", "a**", id="three-stars"),
        pytest.param("****/a", "three or more '*'", "**/a", id="four-stars"),
    ],
)
def test_a_pattern_that_is_refused(text: str, said: str, rewrite: str) -> None:
    found = globs.problem(text)

    assert found is not None
    assert said in found[0]
    assert found[1] == rewrite


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param(["a", "!b"], None, id="fine"),
        pytest.param([], None, id="nothing-to-say-about-nothing"),
        pytest.param(["!a"], "only excludes", id="only-excludes"),
        pytest.param(["!a", "!b"], "only excludes", id="only-excludes-twice"),
        pytest.param(["!a", "b"], "begins by excluding", id="begins-by-excluding"),
        pytest.param(["auto", "!b"], None, id="excludes-from-auto"),
    ],
)
def test_a_list_that_can_match_nothing(texts: list[str], said: str | None) -> None:
    found = globs.list_problem(texts)

    assert (found is None) == (said is None)
    assert said is None or (found is not None and found[0] == 0 and said in found[1])


_patterns = st.text("ab1/.*?+![]{},@()|\\ -^é\n", max_size=14)


@given(_patterns)
def test_what_is_offered_instead_is_fine(text: str) -> None:
    found = globs.problem(text)

    if found is not None:
        assert found[0]
        assert not found[1] or globs.problem(found[1]) is None


@given(_patterns)
def test_what_is_fine_keeps_what_the_matcher_relies_on(text: str) -> None:
    if globs.problem(text) is not None:
        return
    compile_patterns([text])
    for alternative in expand_braces(text.removeprefix("!")):
        segments = alternative.split("/")
        assert not {"", ".", ".."} & set(segments)
        assert not set("\\\n") & set(alternative)


_names = st.text("abcXYZ019._-~@=, ", min_size=1, max_size=8).filter(
    lambda name: name.strip(" .") == name
)


@given(st.lists(_names, min_size=1, max_size=4).map("/".join))
def test_an_ordinary_path_is_a_pattern_for_itself(path: str) -> None:
    assert globs.problem(path) is None
    assert compile_patterns([path]).matches(path)


@given(st.text("ab/.*!-_@=,", max_size=10))
def test_the_short_cut_says_what_the_long_way_says(text: str) -> None:
    if globs._PLAIN.fullmatch(text):
        assert globs._first(text) is None
