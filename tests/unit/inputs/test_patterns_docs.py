"""Every example of docs/patterns.md is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orient_deploy.config import globs
from orient_deploy.inputs.patterns import compile_patterns
from tests.oracles.node_tools import picomatch_matches

_DOCS = Path(__file__).parents[3] / "docs" / "patterns.md"


def _rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = _DOCS.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def _codes(cell: str) -> list[str]:
    return [
        code.replace("\\|", "|").replace("\\n", "\n") for code in re.findall(r"`([^`]+)`", cell)
    ]


@pytest.mark.parametrize(
    ("patterns", "selected", "others"),
    [
        pytest.param(*map(_codes, row), id=row[0].replace("`", ""))
        for heading in ("What a pattern says", "What a list says")
        for row in _rows(heading)
    ],
)
def test_an_example_selects_what_the_table_says(
    patterns: list[str], selected: list[str], others: list[str]
) -> None:
    selection = compile_patterns(patterns)

    assert [path for path in selected + others if selection.matches(path)] == selected
    assert [text for text in patterns if globs.problem(text)] == []


@pytest.mark.parametrize(("refused", "rewrite"), _rows("What is refused"))
def test_a_refusal_has_the_rewrite_of_the_table(refused: str, rewrite: str) -> None:
    (text,) = re.findall(r"^`(.+)`$", refused.replace("\\|", "|"))

    problem = globs.problem(text)
    assert problem is not None
    assert problem[1] == "".join(_codes(rewrite))


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row[0].strip("*")) for row in _rows("Differences to picomatch")]
)
def test_a_difference_to_picomatch_is_as_the_table_says(row: list[str]) -> None:
    (pattern,), (path,) = _codes(row[1]), _codes(row[2])

    here = compile_patterns([pattern]).matches(path)
    assert [_word(here), _word(picomatch_matches([pattern], [path])[0])] == row[3:5]
    assert globs.problem(pattern) is None


@pytest.mark.parametrize("row", _rows("Coming from dorny/paths-filter"))
def test_a_difference_to_paths_filter_is_as_the_table_says(row: list[str]) -> None:
    patterns, (path,) = _codes(row[0]), _codes(row[1])

    theirs = picomatch_matches(patterns, [path], mode="some")[0]
    assert [_word(compile_patterns(patterns).matches(path)), _word(theirs)] == row[2:]


def _word(answer: bool) -> str:
    return "yes" if answer else "no"
