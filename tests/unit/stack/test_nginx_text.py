"""Statements of nginx's language, and copies that keep each line where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import crossplane  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orient_deploy.stack.nginx_text import (
    Edit,
    Statement,
    blanked,
    edited,
    statements,
    substitute,
    walk,
)

TEXTS = [
    pytest.param("a;", id="no-argument"),
    pytest.param("a b 'c d' \"e;f\";\n", id="quotes"),
    pytest.param("http {\n server { listen 80; } }\n", id="blocks"),
    pytest.param("# x;\na b; # c {\nd e;\n", id="comments"),
    pytest.param("a ${b}c $d;\n", id="variables"),
    pytest.param("log_format main '$a'\n  '$b';\nx y;\n", id="several-lines"),
    pytest.param("location ~ ^/a\\.b$ { x y; }\n", id="escaped"),
    pytest.param('location ~ "^/[0-9]{3}" { x y; }\n', id="braces-in-quotes"),
    pytest.param("a b#c;\n", id="sharp-in-a-word"),
    pytest.param("if ($a = b) {\n return 301 https://x$request_uri;\n}\n", id="if"),
]


def by_the_parser(text: str, folder: Path) -> list[tuple[str, list[str], int]]:
    file = folder / "x.conf"
    file.write_text(text)
    payload = crossplane.parse(str(file), single=True, check_ctx=False, check_args=False)

    def walked(found: list[dict[str, Any]]) -> list[tuple[str, list[str], int]]:
        rows = []
        for one in (each for each in found if each["directive"] != "#"):
            rows.append((one["directive"], [*one["args"]], one["line"]))
            rows += walked(one.get("block", []))
        return rows

    assert payload["status"] == "ok"
    return walked(payload["config"][0]["parsed"])


def by_us(text: str) -> list[tuple[str, list[str], int]]:
    rows = []
    for one, _ in walk(statements(text)):
        words = list(one.arguments)
        if one.name == "if":  # the parser takes the parentheses off
            words[0], words[-1] = words[0].removeprefix("("), words[-1].removesuffix(")")
        rows.append((one.name, words, one.line))
    return rows


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_the_statements_that_the_parser_finds(text: str, tmp_path: Path) -> None:
    assert by_us(text) == by_the_parser(text, tmp_path)


WORD = st.sampled_from(["a", "listen", "80", "'b c'", '"d;{}"', "$e", "${f}g", "/h.i", "~", "'#'"])
SPACE = st.sampled_from([" ", "\n", "  ", " \n# c ; {\n", "\t"])


@st.composite
def configuration(draw: st.DrawFn, depth: int = 2) -> str:
    out = ""
    for _ in range(draw(st.integers(0, 4))):
        words = ["x", *draw(st.lists(WORD, max_size=4))]
        for word in words:
            out += word + draw(SPACE)
        if depth and draw(st.booleans()):
            out += "{" + draw(SPACE) + draw(configuration(depth - 1)) + "}"
        else:
            out += ";"
        out += draw(SPACE)
    return out


@given(configuration())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_has_the_statements_that_the_parser_finds(tmp_path: Path, text: str) -> None:
    assert by_us(text) == by_the_parser(text, tmp_path)


@given(st.text(alphabet="a{};'\"\\$# \n", max_size=60))
def test_no_text_is_too_broken_to_read(text: str) -> None:
    for one, _ in walk(statements(text)):
        assert 0 <= one.start < one.end <= len(text)
        assert one.line == text.count("\n", 0, one.start) + 1


@given(configuration(), st.data())
def test_blanked_statements_leave_every_line_where_it_is(text: str, data: st.DataObject) -> None:
    found = [one for one, _ in walk(statements(text))]
    chosen: list[Statement] = data.draw(st.lists(st.sampled_from(found))) if found else []
    copy = edited(text, [blanked(one) for one in chosen])

    assert copy.count("\n") == text.count("\n")
    kept = {(one.name, one.arguments, one.line) for one, _ in walk(statements(copy))}
    assert kept <= {(one.name, one.arguments, one.line) for one in found}


def test_an_edit_inside_of_another_is_dropped() -> None:
    edits = [Edit(start=0, end=4, text="x"), Edit(start=1, end=2, text="y")]

    assert edited("abcde", edits) == "xe"


def test_lua_is_no_configuration() -> None:
    text = "content_by_lua_block {\n local a = '}' -- }\n if x then f({}) end\n}\nb c;\n"

    assert by_us(text) == [("content_by_lua_block", [], 1), ("b", ["c"], 5)]


class TestATemplate:
    def test_gets_the_values_of_its_variables(self) -> None:
        done = substitute("a ${B};\nc $D $d;\n", {"B": "1", "D": "2"})

        assert done.text == "a 1;\nc 2 $d;\n"
        assert done.touched == {1, 2}
        assert not done.unknown

    def test_keeps_its_lines_when_a_value_has_several(self) -> None:
        done = substitute("a;\n${B}\nc;\n", {"B": "x;\ny;"})

        assert done.text.split("\n") == ["a;", "x;", "y;", "c;", ""]
        assert done.lines == (1, 2, 2, 3, 4)

    def test_tells_what_it_lacks(self) -> None:
        assert substitute("a ${B} $host $C_D;", {}).unknown == {"B", "C_D"}
