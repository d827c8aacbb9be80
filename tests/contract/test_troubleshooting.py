"""docs/troubleshooting.md quotes messages that the program has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "troubleshooting.md"
GAP = "…"
# Where a message is put together from parts, they meet at a colon.
SEAM = re.compile(rf"{GAP}|:(?: |$)")
WORDS = 2  # one is found anywhere


def quoted_messages(page: str) -> list[str]:
    """The code that the first cells of the page's tables begin with."""
    return [
        found["text"]
        for found in re.finditer(r"^\| (?P<ticks>`+)(?P<text>.+?)(?P=ticks)[ ,(]", page, re.M)
    ]


def fragments(message: str) -> list[str]:
    """The fixed parts of a message that are long enough to be looked for."""
    parts = [part.strip(" '\"()") for part in SEAM.split(message)]
    return [part for part in parts if len(part.split()) >= WORDS]


def literals(source: str) -> Iterator[str]:
    """Every string of a module, its pieces joined, with a gap where a value goes in."""
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in bare:
            continue  # a docstring is said to nobody
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(piece.value) if isinstance(piece, ast.Constant) else GAP
                for piece in node.values
            )


def program_texts() -> list[str]:
    """What the library and scripts/run can say."""
    texts = [(ROOT / "scripts" / "run").read_text(encoding="utf-8").replace("\\\n", "")]
    for path in sorted((ROOT / "scripts" / "orient_deploy").rglob("*.py")):
        texts += literals(path.read_text(encoding="utf-8"))
    return texts


TEXTS = program_texts()
MESSAGES = quoted_messages(PAGE.read_text(encoding="utf-8"))


def test_every_row_that_quotes_is_read() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert len(MESSAGES) == len(re.findall(r"^\| `", page, re.MULTILINE)) > 20


@pytest.mark.parametrize("message", MESSAGES)
def test_the_program_says_what_is_quoted(message: str) -> None:
    wanted = fragments(message)

    assert wanted, "no part of it is long enough to be found"
    assert [part for part in wanted if not any(part in text for text in TEXTS)] == []


def test_pieces_are_joined() -> None:
    source = '"said to nobody"\nraise E(\n    f"the {name!r} of "\n    "a thing", "b" + "c")'

    assert {"the … of a thing", "b", "c"} <= set(literals(source))
    assert "said to nobody" not in literals(source)
