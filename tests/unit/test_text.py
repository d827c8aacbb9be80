"""The one spelling of what cannot be seen, in logs and in summaries alike."""

from __future__ import annotations

import io

import pytest

from orient_deploy.plan.report import visible
from orient_deploy.runner import Log
from orient_deploy.text import printable, sentence


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        pytest.param("größe 📦 名前 C:\\x", "größe 📦 名前 C:\\x", id="as-it-is"),
        pytest.param("\x1b[31m\x07\x00\x7f", "\\x1b[31m\\x07\\x00\\x7f", id="control"),
        pytest.param("\udcff", "\\xff", id="byte-that-is-no-text"),
        pytest.param("\x90\xa0\xad", "\\u0090\\u00a0\\u00ad", id="no-byte"),
        pytest.param("\u202e\ud800", "\\u202e\\ud800", id="format-and-half"),
        pytest.param("\U000e0001", "\\U000e0001", id="beyond-the-first-plane"),
    ],
)
def test_a_log_and_a_summary_spell_alike(text: str, spelt: str) -> None:
    stream = io.StringIO()
    Log(stream, in_actions=False).say(text)

    assert visible(text) == printable(text) == spelt
    assert stream.getvalue() == spelt + "\n"


def test_line_ends_are_spelt_where_they_would_end_a_line() -> None:
    assert printable("a\r\n\tb") == "a\\r\\n\\tb"
    assert printable("a\r\n\tb", keep="\n\t") == "a\\r\n\tb"


@pytest.mark.parametrize(
    ("text", "ended"), [("a", "a."), ("a. ", "a."), ("a?", "a?"), ("a!", "a!"), ("a'", "a'.")]
)
def test_a_sentence_has_one_end(text: str, ended: str) -> None:
    assert sentence(text) == ended
