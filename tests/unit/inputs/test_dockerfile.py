"""The parser reads every Dockerfile as moby's own does, and never raises."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from orient_deploy.inputs.dockerfile import Dockerfile, Heredoc, Instruction, heredoc_of, parse
from tests.oracles import moby_parser
from tests.oracles.moby_parser import Seen

# No directive `check`, and below no blanks behind '<<': the oracle is too old to know them.
PIECES = [
    *("FROM", "COPY", "ADD", "RUN", "ENV", "ARG", "LABEL", "ONBUILD", "CMD", "ENTRYPOINT", "SHELL"),
    *("WORKDIR", "VOLUME", "USER", "EXPOSE", "HEALTHCHECK", "MAINTAINER", "copy", "Run", "NOTHING"),
    *(" ", " ", " ", "\t", "\n", "\n", "\n", "\r\n", "\\\n", "\\ \t\n", "\\\\\n", "`\n", "\\", "`"),
    *("#", "# escape=`\n", "# ESCAPE = \\\n", "# syntax=a/b:1\n", "# other=x\n"),
    *("--from=x", "--", "--link", '--a="b c"', "--a='b\\' c'", "--a=\\ b", "--é=\\à"),
    *("a", "b/c", "$X", "${X}", "${X:0:3}", "${X^^}", "'a b'", '"a b"', "'", '"', "=", "a=b"),
    *(
        "[",
        "]",
        '["a", "b"]',
        '["a b"]',
        "[1]",
        '["a", 2]',
        "[]",
        '["\\u00e9"]',
        "[1e999]",
        "[NaN]",
    ),
    *("<<EOF", "<<-EOF", '<<"EOF"', "3<<EOF", "<<'E O'", "<<", "<", "<<EOF\nEOF\n"),
    *("EOF\n", "\tEOF\n", "E O\n", "CMD", "NONE", "{", "}", "$", "|", "&&", "\v", "é", "\u2028"),
]


def seen(found: Dockerfile) -> list[Seen] | None:
    """Our reading in the form of the oracle's."""
    if found.problem is not None:
        return None
    return [
        Seen(
            keyword=one.keyword,
            trigger=one.trigger.keyword if one.trigger else "",
            lines=(one.line, one.last_line),
            is_json=(one.trigger or one).is_json,
            flags=() if one.trigger else one.flags,
            arguments=(one.trigger or one).arguments,
            heredocs=()
            if one.trigger
            else tuple((doc.name, doc.content, doc.descriptor) for doc in one.heredocs),
        )
        for one in found.instructions
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("FROM a AS b\nCOPY --from=c d e /f/\n", id="plain"),
        pytest.param("from a\ncopy b c\n", id="lower-case"),
        pytest.param("FROM a\nRUN b \\\n  && c \\ \t\n  && d\n", id="continued"),
        pytest.param("FROM a\nRUN b \\\n# c\n\n  d\n", id="comment-and-blank-within"),
        pytest.param("FROM a\nRUN b \\\\\nRUN c\n", id="escaped-escape"),
        pytest.param("FROM a\nRUN b \\", id="continued-at-the-end"),
        pytest.param("FROM a\n\\\nRUN b\n", id="escape-alone"),
        pytest.param("FROM a\r\nRUN b \\\r\n c\r\n", id="crlf"),
        pytest.param("\ufeffFROM a\n", id="byte-order-mark"),
        pytest.param("# escape=`\nFROM a\nRUN b `\n c\\\n", id="escape-directive"),
        pytest.param("# syntax=x\n#\tEscape = `\t\nFROM a\nRUN b `\n c\n", id="two-directives"),
        pytest.param("# other=x\n# escape=`\nFROM a\nRUN b `\nRUN c\n", id="too-late"),
        pytest.param("\n# escape=`\nFROM a\nRUN b `\nRUN c\n", id="behind-a-blank"),
        pytest.param("# escape=x\nFROM a\n", id="bad-escape"),
        pytest.param("# escape=`\n# escape=`\nFROM a\n", id="escape-twice"),
        pytest.param('FROM a\nCOPY ["b c", "d"]\nADD [ "e" , "f" ]\n', id="json"),
        pytest.param('FROM a\nCOPY ["b", c]\n', id="no-json"),
        pytest.param('FROM a\nCOPY ["b", "c"] d\n', id="behind-the-json"),
        pytest.param('FROM a\nCOPY ["b", 1]\n', id="json-of-numbers"),
        pytest.param('FROM a\nCOPY ["b", 1e999]\n', id="json-of-too-large-a-number"),
        pytest.param("FROM a\nCOPY [NaN, Infinity]\n", id="no-numbers-of-json"),
        pytest.param('FROM a\nCOPY ["\\ud83d\\ude00", "\\ud800x"]\n', id="json-surrogates"),
        pytest.param(f"FROM a\nCOPY {'[' * 100_000}\n", id="deep-json"),
        pytest.param("FROM a\nRUN <<EOF\nb\n# c\\\n\nEOF\nRUN d\n", id="heredoc"),
        pytest.param("FROM a\nCOPY <<A <<-'B' /c/\nd\n\tA\nA\n\te\n\tB\n", id="two-heredocs"),
        pytest.param("FROM a\nRUN cat <<E\\\n F\nG\nE\n", id="heredoc-on-a-continued-line"),
        pytest.param('FROM a\nRUN ["cat", "<<EOF"]\nRUN b\n', id="no-heredoc-in-json"),
        pytest.param("FROM a\nRUN cat <<<EOF\nRUN b\n", id="here-string"),
        pytest.param("FROM a\nRUN echo $((1<<2))\n", id="shift-is-a-heredoc-to-moby"),
        pytest.param("FROM a\nRUN b <<EOF\nc\n", id="endless-heredoc"),
        pytest.param("FROM a\nRUN cat <<EOF 'b\nRUN c\n", id="open-quote"),
        pytest.param("FROM a\nENV <<EOF b\nRUN c\n", id="no-heredoc-in-env"),
        pytest.param("FROM a\nONBUILD COPY <<EOF /b\nc\nEOF\nRUN d\n", id="heredoc-in-onbuild"),
        pytest.param("FROM a\nONBUILD\nONBUILD ONBUILD RUN b\n", id="onbuild"),
        pytest.param("FROM a\nENV b c d\nENV e=f g='h i' j=\\ k\nENV l=\n", id="env"),
        pytest.param("FROM a\nENV b=c  d=e\\\\\\\nENV\n", id="env-with-blanks"),
        pytest.param("FROM a\nENV b\n", id="env-without-value"),
        pytest.param("FROM a\nENV b=c d\n", id="env-of-both-forms"),
        pytest.param('ARG a b=c d="e f"\nFROM a\nARG\n', id="arg"),
        pytest.param("FROM a\nCOPY -- --b c\nCOPY --d\nCOPY --e=\"f g\" '--h' i\n", id="flags"),
        pytest.param(
            'FROM a\nHEALTHCHECK --interval=3s CMD ["b"]\nHEALTHCHECK NONE\n', id="health"
        ),
        pytest.param('FROM a\nEXPOSE 1 2/udp\nVOLUME a b\nUSER  c d\nSHELL ["e"]\n', id="others"),
        pytest.param("FROM a\nHEALTHCHECK\nRUN\nCOPY --\nUSER\nEXPOSE\n", id="without-arguments"),
        pytest.param('FROM a\nCOPY --b="c\\\\\\\nCOPY --d\\\\\\\n', id="flag-ends-with-an-escape"),
        pytest.param("FROM a\nNOTHING b\n", id="no-instruction"),
        pytest.param("", id="empty"),
        pytest.param("# a\n\n", id="comments-alone"),
        pytest.param(f"FROM a\nRUN {'b' * 65530}\n", id="longest-line"),
        pytest.param(f"FROM a\nRUN {'b' * 65532}\n", id="too-long-a-line"),
    ],
)
def test_a_file_is_read_as_moby_reads_it(text: str) -> None:
    assert seen(parse(text.encode())) == moby_parser.instructions(text)


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.booleans())
def test_any_text_is_read_as_moby_reads_it(text: str, has_base: bool) -> None:
    text = "FROM a\n" * has_base + text
    assume(not re.search(r"<<-?(?:[\\`][ \t\r]*\n|[ \t\r])", text))

    assert seen(parse(text.encode())) == moby_parser.instructions(text)


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"RUN \xff <<\xff\n\xff\n")
@example(b'COPY ["\xff", "\\u0000"]')
@example(b"COPY --a=\xff\xe0 b")
def test_any_bytes_can_be_parsed(content: bytes) -> None:
    found = parse(content)

    assert found.problem or found.instructions
    for one in found.instructions:
        assert 1 <= one.line <= one.last_line


def only(text: str) -> Instruction:
    found = parse(text.encode())
    assert found.problem is None
    (one,) = found.instructions
    return one


def test_a_trigger_keeps_its_flags() -> None:
    """Which the oracle does not show."""
    one = only("ONBUILD COPY --from=b --link \\\n c d\n")

    assert one.trigger == Instruction(
        keyword="COPY",
        line=1,
        last_line=2,
        flags=("--from=b", "--link"),
        arguments=("c", "d"),
        text="COPY --from=b --link  c d",
    )


@pytest.mark.parametrize(
    ("word", "heredoc"),
    [
        ("<<EOF", Heredoc(name="EOF", content="", expand=True, chomp=False)),
        ("<<-EOF", Heredoc(name="EOF", content="", expand=True, chomp=True)),
        ("<<'EOF'", Heredoc(name="EOF", content="", expand=False, chomp=False)),
        ('4<<E"O"F', Heredoc(name="EOF", content="", expand=False, chomp=False, descriptor=4)),
        ("<<", None),
        ("<<<EOF", None),
        ("a<<EOF", None),
        ("<<'EOF", None),
        ("<<''", None),
        ("./EOF", None),
    ],
)
def test_what_begins_a_heredoc(word: str, heredoc: Heredoc | None) -> None:
    assert heredoc_of(word) == heredoc


def test_what_a_heredoc_holds() -> None:
    one = only("COPY <<-a <<b /c/\n\t\td\n\t a\n\ta\n\te\nb\n")

    assert [(doc.content, doc.text) for doc in one.heredocs] == [
        ("\t\td\n\t a\n", "d\n a\n"),
        ("\te\n", "\te\n"),
    ]


def test_a_refused_file_keeps_what_stands_before() -> None:
    found = parse(b"FROM a\nCOPY b c\n\nENV d\nCOPY e f\n")

    assert [one.keyword for one in found.instructions] == ["FROM", "COPY"]
    assert found.problem is not None
    assert (found.problem.line, found.problem.why) == (4, "d is given no value")


def test_directives() -> None:
    found = parse(b"# syntax = docker/dockerfile:1.7-labs \n# escape=`\n# check=skip=all\nFROM a")

    assert (found.syntax, found.escape) == ("docker/dockerfile:1.7-labs", "`")


def test_an_instruction_in_one_line() -> None:
    assert only("COPY  a \\\n\t b\\\n  c/ <<E\nd\nE\n").summary == "COPY a b c/ <<E"
