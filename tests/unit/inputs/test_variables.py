"""Words of a Dockerfile stand for what the documentation says, and for no less where it is open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.inputs.variables import (
    ANY_NAME,
    ANYTHING,
    Unreadable,
    expanded,
    split,
    unquoted,
)

VALUES = {
    "a": "xyx",
    "empty": "",
    "path": "src/lib.d/x",
    "star": "x*y",
    "dots": "a.b.c",
    "some": ANYTHING,
    "part": f"x-{ANY_NAME}",
}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$a${a}", "xyxxyx"),
        ("$a_", ""),
        ("${a}_", "xyx_"),
        ("$nothing-", "-"),
        ("$", "$"),
        ("$.", "$."),
        ("$1x$?", "x"),
        ("${nothing:-d}${nothing-d}", "dd"),
        ("${empty:-d}${empty-d}", "d"),
        ("${a:-d}${a-d}", "xyxxyx"),
        ("${nothing:-$a}${nothing:-${empty:-e}}", "xyxe"),
        ("${nothing:-'a b'}", "a b"),
        ("${nothing:-\\}}", "}"),
        ("${a:+d}${a+d}", "dd"),
        ("${empty:+d}${empty+d}", "d"),
        ("${nothing:+d}${nothing+d}", ""),
        ("${a:?why}${a?why}${empty?why}", "xyxxyx"),
        ("${a#x}", "yx"),
        ("${a#y}", "xyx"),
        ("${a#?}", "yx"),
        ("${path#*/}${path##*/}", "lib.d/xx"),
        ("${path%/*}", "src/lib.d"),
        ("${path%%/*}", "src"),
        ("${dots%.*}+${dots%%.*}", "a.b+a"),
        ("${star#x\\*}${star%\\*y}", "yx"),
        ("${nothing#x}${nothing%x}${nothing/x/y}", ""),
        ("${a/x/z}${a//x/z}${a//x/}", "zyxzyzy"),
        ("${path/\\//-}${path//\\//-}", "src-lib.d/xsrc-lib.d-x"),
        ("${dots/.*/-}${dots//?/z}", "a-zzzzz"),
        ("${a//*/z}", "z"),
        ("${star/\\*/-}", "x-y"),
        ("'$a'\"$a\"", "$axyx"),
        ("'a\\b'\"a\\b\"a\\b", "a\\ba\\bab"),
        ('"\\"\\$a\\\\"', '"$a\\'),
        ("\\$a", "$a"),
        ("a\\", "a"),
        ("<<  a", "<<  a"),
        ("<a", "<a"),
    ],
)
def test_what_a_word_stands_for(word: str, expected: str) -> None:
    assert expanded(word, VALUES.get) == expected


def test_the_escape_character_can_be_another() -> None:
    assert expanded('`$a\\$a"`""', VALUES.get, "`") == '$a\\xyx"'


@pytest.mark.parametrize(
    "word",
    [
        *(
            "'a",
            '"a',
            '"a\\',
            "${",
            "${}",
            "${:a}",
            "${{a}}",
            "${a",
            "${a:",
            "${a:-b",
            "${a/b",
            "${a/b/",
        ),
        *("${a:x}", "${a^^}", "${a:#x}", "${a:%x}", "${a@Q}", "${a#\\x}", "${a//x/\\$1}"),
        *("${nothing:?why}", "${nothing?}", "${empty:?}"),
    ],
)
def test_what_the_builder_refuses(word: str) -> None:
    with pytest.raises(Unreadable):
        expanded(word, VALUES.get)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a/$some/b", f"a/{ANYTHING}/b"),
        ("${some:-b}", ANYTHING),
        ("${some:+b}", ANYTHING),
        ("${some:?b}", ANYTHING),
        ("${some#b}", ANYTHING),
        ("${part%b}", ANYTHING),
        ("${part/x/y}", ANYTHING),
        ("$part", f"x-{ANY_NAME}"),
    ],
)
def test_what_is_not_known_stays_unknown(word: str, expected: str) -> None:
    assert expanded(word, VALUES.get) == expected


def test_words_are_split_as_for_heredocs() -> None:
    assert split("a 'b c' $d\"e\" << F <<-G") == ["a", "b c", "$de", "<< F", "<<-G"]
    assert split("a\\ b 'c'", keep_quotes=True, keep_escapes=True) == ["a\\ b", "'c'"]
    assert split('"a\\"b" c\\', keep_escapes=True) == ['a\\"b', "c\\"]
    assert split("${a:0:3} ${a:-b} ${a} ${a/b/c} ${a#b}") == [
        *("${a:0:3}", "${a:-b}", "${a}", "${a/b/c}", "${a#b}"),
    ]
    assert unquoted("'a b'\"$c\"") == "a b$c"


@given(st.text("ab$${}:-+?#%/*'\"\\`< \0\1é", max_size=20))
def test_any_word_is_read_or_refused(word: str) -> None:
    for read in (lambda: expanded(word, VALUES.get), lambda: split(word), lambda: unquoted(word)):
        try:
            read()
        except Unreadable as error:
            assert str(error)


@pytest.mark.parametrize(
    "word", ["$many$many", "${many#*a*a*a*b}", "${many%%*a*a*b}", "${many/*a*b/}"]
)
def test_what_would_take_too_much_is_refused(word: str) -> None:
    with pytest.raises(Unreadable):
        expanded(word, {"many": "a" * 40_000}.get)
