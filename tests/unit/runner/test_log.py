"""What is printed: foreign text is never a command, annotations survive the runner's parser."""

from __future__ import annotations

import io
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orient_deploy.errors import InputError
from orient_deploy.runner import Log
from orient_deploy.text import printable
from tests.oracles import runner_files
from tests.oracles.runner_files import Command

if TYPE_CHECKING:
    from orient_deploy.runner.log import Style

# What an attack is made of, so that random text meets it often.
PIECES = st.sampled_from(
    [
        *":#[]= \t\r\n\x0b\x0c\x00\x1b\x85\xa0\xad\\",
        *"\u200b\u200d\u2028\u2029\u3000\ufeff\ufe0f\u0301",
        *["::", "##[", "error", "add-mask", "stop-commands", "name=x", "\x1b[31m", "\r\n"],
    ]
)
HOSTILE = st.lists(PIECES | st.text(max_size=2), max_size=12).map("".join)
FOREIGN = HOSTILE | st.text(st.characters()) | st.binary().map(os.fsdecode)
READABLE = st.text(
    st.characters(exclude_categories=["C", "Z"], include_characters=" \n\t%:,;]=#[")
)  # unassigned characters are in C: another Unicode version may differ
STYLES: list[Style] = ["bold", "red"]


def log(in_actions: bool = True, colour: bool = False) -> tuple[Log, io.TextIOWrapper]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    return Log(stream, in_actions, colour), stream


def printed(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


@settings(max_examples=300)
@given(
    parts=st.lists(FOREIGN | st.tuples(st.sampled_from(STYLES), FOREIGN), max_size=4),
    in_actions=st.booleans(),
    colour=st.booleans(),
)
@example(["::error::x"], True, False)
@example([" \t ::add-mask::x"], True, False)
@example(["a\r::error::x"], True, False)
@example(["a\u2028\x85::error::x"], True, False)
@example(["\u3000\xa0::error::x"], True, False)
@example(["text ##[group]x"], True, False)
@example(["#", ("red", "#[group]x")], True, False)
@example([":", ":error::x"], True, True)
@example([("red", "::error::x")], True, True)
@example(["###[[error]"], True, False)
def test_no_text_is_a_command(
    parts: list[str | tuple[Style, str]], in_actions: bool, colour: bool
) -> None:
    out, stream = log(in_actions, colour)

    out.say(*parts)

    data = printed(stream)
    assert runner_files.commands(data, any_name=True) == []
    # Nor for a reader that does not see our own colours.
    plain = re.sub(rb"\x1b\[[0-9]+m", b"", data) if colour else data
    assert runner_files.commands(plain, any_name=True) == []


@given(FOREIGN)
def test_nothing_printed_steers_a_terminal(text: str) -> None:
    out, stream = log()

    out.say(text)

    shown = printed(stream).decode()
    assert all(c.isprintable() or c in "\n\t" for c in shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("packages/core/a.ts", "packages/core/a.ts", id="as-it-is"),
        pytest.param("größe 📦 名前 C:\\x", "größe 📦 名前 C:\\x", id="other-scripts"),
        pytest.param("a::b ## [c] std::string", "a::b ## [c] std::string", id="harmless"),
        pytest.param("::error::x", "\\::error::x", id="v2"),
        pytest.param("  ::x", "  \\::x", id="v2-after-blanks"),
        pytest.param("a ##[group]b", "a ##\\[group]b", id="v1"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line-ends"),
        pytest.param("\x1b[31mred\x07", "\\x1b[31mred\\x07", id="terminal-escapes"),
        pytest.param("a\udcffb", "a\\xffb", id="byte-that-is-no-text"),
        pytest.param("a\x00\u202eb\U000e0001", "a\\x00\\u202eb\\U000e0001", id="invisible"),
    ],
)
def test_foreign_text_stays_readable(text: str, shown: str) -> None:
    out, stream = log()

    out.say(text)

    assert printed(stream).decode() == shown + "\n"


def test_styles_show_only_in_colour() -> None:
    plain, plain_stream = log()
    coloured, coloured_stream = log(colour=True)

    plain.say("opencode ", ("green", "build"))
    coloured.say("opencode ", ("green", "build"))

    assert printed(plain_stream) == b"opencode build\n"
    assert printed(coloured_stream) == b"opencode \x1b[32mbuild\x1b[0m\n"


def test_a_stream_that_lacks_a_character_spells_it() -> None:
    raw = io.BytesIO()
    out = Log(io.TextIOWrapper(raw, encoding="cp1252", newline=""), in_actions=True)

    out.say("größe 📦")
    out.flush()

    assert raw.getvalue() == "größe \\U0001f4e6\n".encode("cp1252")


@settings(max_examples=200)
@given(
    message=READABLE,
    title=READABLE.filter(lambda t: not t.lstrip().startswith("=")),
    file=READABLE.filter(lambda t: not t.startswith("=")),
    line=st.integers(min_value=0, max_value=9999),
    column=st.integers(min_value=0, max_value=9999),
)
@example("50% of a::b", "a, b: c", "a,b:c%3A =x ", 0, 0)
@example("%0A%250D", "", "x\n", 3, 4)
def test_an_annotation_is_read_back_by_the_runner(
    message: str, title: str, file: str, line: int, column: int
) -> None:
    out, stream = log()

    out.warning(message, title=title, file=file, line=line, column=column)
    out.flush()

    expected = {}
    if file:
        expected["file"] = file
    if file and line:
        expected["line"] = str(line)
    if file and line and column:
        expected["col"] = str(column)
    if title.strip():
        expected["title"] = " ".join(title.split())
    assert runner_files.commands(printed(stream)) == [Command("warning", message, expected)]


@settings(max_examples=200)
@given(message=FOREIGN, title=FOREIGN, file=FOREIGN)
def test_an_annotation_of_foreign_text_is_one_annotation(
    message: str, title: str, file: str
) -> None:
    out, stream = log()

    out.error(message, title=title, file=file, line=1, column=2)
    out.flush()

    (command,) = runner_files.commands(printed(stream), any_name=True)
    assert command.name == "error"
    assert set(command.properties) <= {"file", "line", "col", "title"}
    assert command.data == printable(
        re.sub("\r\n|[\r\x85\u2028\u2029\v\f]", "\n", message), keep="\n\t"
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [
        pytest.param({"file": "=a"}, {"file": "./=a"}, id="file-with-equals-sign"),
        pytest.param({"title": "==a"}, {"title": " ==a"}, id="title-with-equals-sign"),
        pytest.param({"file": "a "}, {"file": "a "}, id="file-ending-in-a-blank"),
        pytest.param({"title": " a\r\nb "}, {"title": "a b"}, id="title-in-two-lines"),
        pytest.param({"title": "x" * 300}, {"title": "x" * 254 + "…"}, id="long-title"),
        pytest.param({"line": 3, "column": 4}, {}, id="line-without-file"),
        pytest.param({"file": "a", "column": 4}, {"file": "a"}, id="column-without-line"),
    ],
)
def test_properties_the_runner_would_lose(given: dict[str, str], read: dict[str, str]) -> None:
    out, stream = log()

    out.notice("m", **given)  # type: ignore[arg-type]  # a table of keyword arguments
    out.flush()

    assert runner_files.commands(printed(stream)) == [Command("notice", "m", read)]


# The runner keeps ten per level (Runner.Worker/ExecutionContext.cs:838 at v2.336.0); act all.
@pytest.mark.parametrize("count", [1, 9, 10, 11, 100])
def test_nine_of_a_level_are_shown_and_the_rest_counted(count: int) -> None:
    out, stream = log()
    for number in range(count):
        out.warning(f"w{number}")
        out.error(f"e{number}")

    out.flush()

    issues = runner_files.issues(printed(stream))
    for level, letter in (("error", "e"), ("warning", "w")):
        messages = [issue.data for issue in issues if issue.name == level]
        assert messages[:9] == [f"{letter}{n}" for n in range(min(count, 9))]
        assert messages[9:] == ([f"and {count - 9} more: see the summary"] if count > 9 else [])
    assert [issue.name for issue in issues] == sorted(issue.name for issue in issues)


# The runner cuts at 4,096 UTF-16 units (ExecutionContext.cs:802 at v2.336.0); act does not.
@pytest.mark.parametrize(
    ("message", "kept"),
    [
        pytest.param("x" * 4096, "x" * 4096, id="fits"),
        pytest.param("%" * 4096, "%" * 4096, id="counted-before-escaping"),
        pytest.param("x" * 4097, "x" * 4095 + "…", id="cut"),
        pytest.param("😀" * 2048, "😀" * 2048, id="pairs-fit"),
        pytest.param("😀" * 2049, "😀" * 2047 + "…", id="no-pair-is-split"),
    ],
)
def test_a_long_message_is_cut_as_the_runner_counts(message: str, kept: str) -> None:
    out, stream = log()

    out.error(message)
    out.flush()

    (issue,) = runner_files.issues(printed(stream))
    assert issue.data == kept


def test_what_was_flushed_is_not_shown_again() -> None:
    out, stream = log()
    out.error("once")

    out.flush()
    out.flush()

    assert printed(stream) == b"::error::once\n"


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        pytest.param(
            False,
            "error: app.yml:3:5: bad\nwarning: app.yml:3: odd\nwarning: odd \\xff\nnotice: f: n\n",
            id="plain",
        ),
        pytest.param(
            True,
            "\x1b[31merror\x1b[0m: app.yml:3:5: bad\n\x1b[33mwarning\x1b[0m: app.yml:3: odd\n"
            "\x1b[33mwarning\x1b[0m: odd \\xff\n\x1b[34mnotice\x1b[0m: f: n\n",
            id="colour",
        ),
    ],
)
def test_on_a_laptop_annotations_are_lines(colour: bool, expected: str) -> None:
    out, stream = log(in_actions=False, colour=colour)
    out.notice("n", file="f")
    out.warning("odd", file="app.yml", line=3)
    out.warning("odd \udcff", title="not shown")
    out.error("bad", file="app.yml", line=3, column=5)

    out.flush()

    assert printed(stream).decode() == expected


def test_on_a_laptop_all_annotations_are_shown() -> None:
    out, stream = log(in_actions=False)
    for number in range(100):
        out.warning(str(number))

    out.flush()

    assert printed(stream).count(b"\n") == 100


@given(FOREIGN)
def test_a_group_is_one_pair_of_commands(title: str) -> None:
    out, stream = log()

    with out.group(title):
        out.say("inside")

    start, end = runner_files.commands(printed(stream), any_name=True)
    assert (start.name, end.name) == ("group", "endgroup")
    assert "\n" not in start.data


def test_a_group_ends_when_what_is_inside_fails() -> None:
    out, stream = log()

    with pytest.raises(KeyError), out.group("x"):
        raise KeyError

    assert printed(stream) == b"::group::x\n::endgroup::\n"


def test_on_a_laptop_a_group_is_a_heading() -> None:
    out, stream = log(in_actions=False)

    with out.group("::error::x"):
        out.say("inside")

    assert printed(stream) == b"\\::error::x\ninside\n"


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        pytest.param("hunter22", {"hunter22"}, id="one-line"),
        pytest.param(" padded% ", {"padded%"}, id="trimmed-as-the-runner-does"),
        pytest.param("line one\r\nline two\n", {"line one", "line two"}, id="each-line"),
        pytest.param('{\n"a": "secret"\n}', {'"a": "secret"'}, id="short-lines-are-left-out"),
        pytest.param("true\nlonger", {"longer"}, id="words-of-our-outputs-are-left-out"),
        pytest.param("::x::\n##[y]", {"::x::", "##[y]"}, id="looks-like-a-command"),
    ],
)
def test_a_mask_hides_each_line(value: str, hidden: set[str]) -> None:
    out, stream = log()

    lines = out.mask(value)

    assert runner_files.masks(printed(stream)) == hidden
    assert set(lines) == hidden


@pytest.mark.parametrize("in_actions", [True, False])
@pytest.mark.parametrize("value", ["", "abc", " ab ", "a\nb\nc", "true", "false", "{\n}"])
def test_a_value_that_would_blank_our_outputs_is_refused(value: str, in_actions: bool) -> None:
    out, stream = log(in_actions)

    with pytest.raises(InputError, match="cannot be masked") as caught:
        out.mask(value)
    assert printed(stream) == b""
    assert not value.strip() or value not in caught.value.what


def test_on_a_laptop_a_mask_prints_nothing() -> None:
    out, stream = log(in_actions=False)

    assert out.mask("hunter22") == ("hunter22",)

    assert printed(stream) == b""


@given(FOREIGN)
@example("#5 0.1 ok\n::error::x\n\x1b[31m::error::x\x1b[0m ##[group]")
@example("#\x1b[1m#[error]x")
def test_what_another_program_prints_is_no_command(text: str) -> None:
    out, stream = log()

    out.relay(text)

    assert runner_files.commands(printed(stream), any_name=True) == []


def test_what_another_program_prints_is_shown_at_once_and_without_its_colours() -> None:
    raw = io.BytesIO()
    out = Log(io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"), True)

    out.relay("#5 \x1b[1;32mdone\x1b[0m\x1b[K\n#6 next")

    assert raw.getvalue() == b"#5 done\n#6 next\n"
