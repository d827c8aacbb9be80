"""Every relative link in the documentation leads to a file, and to a heading that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev import generate_docs

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#\s]*)(?:#(?P<heading>[^)]*))?\)")
FILES = [
    path
    for path in generate_docs.markdown_files(ROOT)
    if not path.is_relative_to(ROOT / "tests") and not path.is_relative_to(ROOT / "examples")
]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a file."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    dead = []
    for link in LINK.finditer(text):
        target = (path.parent / link["path"]) if link["path"] else path
        heading = link["heading"]
        if not target.exists() or (heading and heading not in anchors(target.read_text())):
            dead.append(link[0])

    assert dead == []
