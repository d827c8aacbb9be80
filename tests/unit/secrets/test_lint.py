"""What lint says, of which line, and what of it can be accepted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.secrets import lint as rules
from orient_deploy.secrets.lint import is_shown, lint

PAGE = Path(__file__).parents[3] / "docs" / "dotenv.md"
REASONS = {
    value
    for name, value in vars(rules).items()
    if name.isupper() and isinstance(value, str) and value.isprintable()
}


def found(text: str | bytes, *accept: str) -> list[tuple[str, int, str]]:
    content = text.encode() if isinstance(text, str) else text
    return [(one.name, one.line, one.reason) for one in lint(content, accept=accept)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# a comment with ' and \" and $ and \\\n",
        "A=",
        "A=1\nB=x.y/z:8080,a@b?c=d%20+!*[]{}^\n",
        "A=''\nB=\"\"\n",
        "A='a b # c ; $d & \"e\" `f`'\n",
        "A=\"a b # c ; 'd'\"\n",
        'A=http://x\nB=${A}/y\nC="${A} ${B}"\n',
        "A=é中\U0001f600\n",
        "A='$2a$08$qFF'\n",
        "A=YWJjZGU=\n",
        "\t# indented\n \nA=1",
    ],
)
def test_plain_writings_have_no_finding(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# c\n\nA=$x\n", [("A", 3, rules.DOLLAR)], id="comments-and-blank-lines"),
        pytest.param(
            "A='1\n2\n3'\nB=$x\n",
            [("A", 1, rules.LINES), ("B", 4, rules.DOLLAR)],
            id="several-lines-count-where-they-begin",
        ),
        pytest.param(
            "A='1\n2'\nB=\"3\n4\"\nC=$x",
            [("A", 1, rules.LINES), ("B", 3, rules.LINES), ("C", 5, rules.DOLLAR)],
            id="several-lines-twice",
        ),
        pytest.param(
            "A=1\r\nB=$x\r\n",
            [("", 1, rules.CR), ("", 2, rules.CR), ("B", 2, rules.DOLLAR)],
            id="crlf",
        ),
        pytest.param("A=1\rB=$x\n", [("", 1, rules.CR), ("A", 1, rules.DOLLAR)], id="cr-alone"),
        pytest.param("# c\r\nA=1\n", [("", 1, rules.CR)], id="crlf-of-a-comment"),
        pytest.param(
            "\ufeffA=1\nB=$x\n", [("", 1, rules.BOM), ("B", 2, rules.DOLLAR)], id="byte-order-mark"
        ),
        pytest.param("\ufeff", [("", 1, rules.BOM)], id="byte-order-mark-alone"),
        pytest.param(
            "A=1\n\ufeffB=1\n", [("", 2, rules.CONTROL), ("", 2, rules.BROKEN)], id="late"
        ),
        pytest.param(
            "A=1\nB=1\nA=2\nC=1\nA=3\n",
            [("A", 3, rules.DUPLICATE), ("A", 5, rules.DUPLICATE)],
            id="a-duplicate-is-not-the-first",
        ),
        pytest.param("A=1\na=1\n", [("a", 2, rules.CASE)], id="other-case-is-no-duplicate"),
        pytest.param(
            "A='x' B=1\n", [("", 1, rules.FOLLOWS)], id="text-behind-a-quote-is-on-its-line"
        ),
        pytest.param(
            "A='1\n2' B=1\n",
            [("A", 1, rules.LINES), ("", 2, rules.FOLLOWS)],
            id="text-behind-several-lines",
        ),
        pytest.param("A=1\nB='2\nC=3\n", [("", 2, rules.BROKEN)], id="open-quote"),
        pytest.param("A=1\n\nB", [("", 3, rules.DELETED)], id="a-name-at-the-end"),
        pytest.param("A=1\n\nB\n", [("", 3, rules.BARE)], id="a-name-alone"),
        pytest.param("=x\n", [("", 1, rules.NAME)], id="no-name"),
        pytest.param("A=1\n\0\n", [("", 2, rules.CONTROL), ("", 2, rules.BROKEN)], id="nul"),
        pytest.param(
            "A=x;y # c\n",
            [("A", 1, rules.COMMENT), ("A", 1, rules.UNQUOTED)],
            id="two-reasons",
        ),
    ],
)
def test_a_finding_is_of_the_line_where_it_begins(
    text: str, expected: list[tuple[str, int, str]]
) -> None:
    assert found(text) == expected


def test_bytes_that_are_no_text_are_found_on_their_line() -> None:
    assert found(b"A=1\nB=\xff\n") == [("", 2, rules.BYTES)]
    assert found(b"# \xe9\n") == [("", 1, rules.BYTES)]


@pytest.mark.parametrize(
    ("text", "accept", "expected"),
    [
        pytest.param("A=$x\nB=$x\n", ["A"], [("B", 2, rules.DOLLAR)], id="one-of-two"),
        pytest.param("A=1\nA=$x\n", ["A"], [], id="every-reason-and-line-of-it"),
        pytest.param("a=1\n", ["a"], [], id="lower-case"),
        pytest.param("a=1\n", ["A"], [("a", 1, rules.CASE)], id="as-it-is-written"),
        pytest.param("A=$x\n", ["*"], [("A", 1, rules.DOLLAR)], id="no-pattern"),
        pytest.param(
            "A=$x\nB=${A}\n", ["A"], [("B", 2, rules.REFERENCE)], id="what-names-an-accepted-one"
        ),
        pytest.param(
            'A=$x\nB=${A}\nC="${B}"\n', ["A", "B"], [("C", 3, rules.REFERENCE)], id="and-so-on"
        ),
        pytest.param("A=$x\nB='$A'\nC=1\nD=${C}\n", ["A"], [], id="others-are-not-touched"),
    ],
)
def test_a_name_is_accepted_as_a_whole(
    text: str, accept: list[str], expected: list[tuple[str, int, str]]
) -> None:
    assert found(text, *accept) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffA=1\n",
        "A=1\r\n",
        "A=\u200b\n",
        b"A=\xff\n",
        "A\nB=1\n",
        "A=1\nA",
        "A='x'B=1\n",
        "A B=1\n",
        "A=x\naB=1\n",
        "=x\n",
    ],
    ids=ascii,
)
def test_what_has_no_name_cannot_be_accepted(text: str | bytes) -> None:
    everything = ["", "A", "B", "aB", "A=x", *REASONS]

    assert [one for one in found(text, *everything) if one[0] == ""] != []
    assert {name for name, _, _ in found(text, *everything)} == {""}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("A='x'SECRETWORD=1\n", "SECRETWORD", id="behind-a-quote"),
        pytest.param("SECRETWORD\nA=1\n", "SECRETWORD", id="alone"),
        pytest.param("A=1\nSECRETWORD", "SECRETWORD", id="at-the-end"),
        pytest.param("A=-----BEGIN\nc2VjcmV0d29yZA==\n", "c2VjcmV0d29yZA", id="of-a-key"),
        pytest.param("hunter-2.x: $y\n", "hunter-2.x", id="of-a-password"),
        pytest.param("2FAST=$x\n", "2FAST", id="digit"),
        pytest.param("Ünter=$x\n", "Ünter", id="letters-of-others"),
        pytest.param("A B=$x\n", "A B", id="blank"),
    ],
)
def test_what_may_be_a_piece_of_a_value_is_not_shown(text: str, name: str) -> None:
    findings = found(text, name)

    assert findings != []
    assert name not in repr(findings) and name not in repr(lint(text.encode()))


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_a_finding_shows_names_lines_and_fixed_phrases_alone(content: bytes) -> None:
    for one in lint(content):
        assert one.reason in REASONS
        assert one.name == "" or is_shown(one.name)
        assert 1 <= one.line <= content.count(b"\n") + 1


@given(st.text(st.sampled_from("AB=\n'\"$\\ #\r\tx{}`")))
def test_findings_are_in_the_order_of_the_file(text: str) -> None:
    lines = [line for _, line, _ in found(text)]

    assert lines == sorted(lines)


def test_the_page_names_every_reason() -> None:
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = [row.replace(r"\|", "|") for row in rows if row not in ("found", "---")]

    assert sorted(named) == sorted(REASONS)
