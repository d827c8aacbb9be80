"""Files of variables against the recorded answers of real readers."""

from __future__ import annotations

import json
import logging
import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from dev.record_dotenv import ANSWERS, answers, fetched_compose
from orient_deploy.errors import InputError, OrientError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.envfile import read_env_file
from orient_deploy.secrets.lint import lint
from orient_deploy.stack import compose as module
from orient_deploy.stack.compose import Compose
from tests.fakes.canary import leaks
from tests.machines.parts import part

RECORDED: list[dict[str, Any]] = json.loads(ANSWERS.read_text(encoding="utf-8"))
CANARY = "Zx9+canary/pass$word"


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    part("28")
    folder = tmp_path / "docker"
    folder.mkdir()
    return fetched_compose(folder)


def test_the_recorded_answers_are_those_of_today() -> None:
    part("28")
    logging.getLogger("dotenv.main").setLevel(logging.ERROR)

    assert answers() == RECORDED


def test_the_corpus_is_read_as_compose_reads_it(compose: Compose, tmp_path: Path) -> None:
    path = tmp_path / "file.env"
    wrong = []
    for case in RECORDED:
        path.write_bytes(case["text"].encode())
        expected = case["compose"]
        try:
            entries = read_env_file(str(path), compose).entries
            found = {one.name: one.value.reveal() for one in entries}
        except InputError:
            found = None
        if found != (None if expected and "" in expected else expected):
            wrong.append(case["text"])

    assert wrong == []


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: ascii(case["text"][:30]))
def test_lint_finds_what_a_reader_takes_differently(case: dict[str, Any]) -> None:
    if not case["compose"] == case["python-dotenv"] == case["bash"]:
        assert lint(case["text"].encode())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f'A="{CANARY}\n', id="quote-open"),
        pytest.param(f"A={CANARY}${{\n", id="template"),
        pytest.param(f"A=${{X:?{CANARY}}}\n", id="required"),
        pytest.param(f"{CANARY}=x\n", id="name"),
        pytest.param(f"A={CANARY}\0", id="nul"),
        pytest.param(f"A={CANARY}\udcff", id="bytes"),
        pytest.param(f"={CANARY}", id="no-name"),
    ],
)
def test_no_error_shows_a_value(compose: Compose, tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.env"
    path.write_bytes(os.fsencode(text))
    with pytest.raises(OrientError) as caught:
        read_env_file(str(path), compose)

    error = caught.value
    shown = "".join(traceback.format_exception(error))
    assert leaks(CANARY, shown, repr(error), repr(vars(error)), repr(error.__context__)) == []
    assert leaks("canary", shown, repr(error)) == []
    assert leaks(CANARY, repr(lint(os.fsencode(text)))) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("B=1\nA=2\n", [("B", 1), ("A", 2)], id="in-the-order-of-the-file"),
        pytest.param("A=1\nB=1\nA=2\n", [("B", 2), ("A", 3)], id="of-two-the-last"),
        pytest.param("A='1\n2'\nB=3\n", [("A", 1), ("B", 3)], id="where-it-begins"),
        pytest.param("A='1' B=2\n", [("A", 1), ("B", 1)], id="two-on-a-line"),
        pytest.param("\ufeffA=1\r\n\r\nB=2\r\n", [("A", 1), ("B", 3)], id="crlf"),
        pytest.param("# c\n\nexport A=1\nBARE\n", [("A", 3)], id="bare-names-have-no-value"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_each_name_has_the_line_that_counts(
    compose: Compose, tmp_path: Path, text: str, expected: list[tuple[str, int]]
) -> None:
    path = tmp_path / "file.env"
    path.write_bytes(text.encode())

    assert [(one.name, one.line) for one in read_env_file(str(path), compose).entries] == expected


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        pytest.param('A=1\nB="x\ny\nz\n', 2, "a quote is not closed", id="quote"),
        pytest.param("A=1\nB=x${\nC=2\n", 2, "begins no reference", id="template"),
        pytest.param("A=${\nB=${\n", 0, "begins no reference", id="one-of-two"),
        pytest.param("A='${'\nB=${X:?y}\n", 2, "nothing that has a value", id="required"),
        pytest.param("A=1\n\nB C=1\n", 3, "a blank in it", id="blank"),
        pytest.param("A=1\nB", 2, "a value has no name", id="no-name"),
    ],
)
def test_a_refusal_names_the_line_where_its_cause_begins(
    compose: Compose, tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "file.env"
    path.write_text(text)
    with pytest.raises(InputError, match=reason) as caught:
        read_env_file(str(path), compose)

    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert (f", line {line}" in str(caught.value)) == bool(line)


def test_names_that_are_not_those_of_compose_are_refused(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.env"
    path.write_text(f"A={CANARY}\n")
    monkeypatch.setattr(compose, "env_file", lambda path, content: {"B": Hidden(CANARY)})
    with pytest.raises(InputError, match="cannot be told") as caught:
        read_env_file(str(path), compose)

    assert leaks(CANARY, *map(str, caught.value.args)) == []


def test_a_leak_of_compose_s_words_would_be_found(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.env"
    path.write_text(f'A="{CANARY}\n')
    monkeypatch.setattr(module, "_OTHERWISE", "")
    monkeypatch.setattr(
        module, "_refusal", lambda path, absolute, err, content: InputError(err.decode(), "", "")
    )
    with pytest.raises(InputError) as caught:
        compose.env_file(str(path))

    assert leaks("canary", str(caught.value)) != []
