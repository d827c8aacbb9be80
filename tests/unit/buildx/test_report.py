"""What people read of a build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.render_summary import to_html
from orient_deploy.buildx.metadata import read_digest
from orient_deploy.buildx.report import Outcome, build_lines, build_markdown, lasted, visible_size
from orient_deploy.errors import EnvironmentLacks
from tests.unit.buildx.entries import DIGEST, IMAGE_DIGEST, build

GOLDEN = Path(__file__).parents[2] / "golden" / "build"
RECORDED = (f"inputs-{DIGEST[:40]}", "inputs-last-main")

OUTCOMES = {
    "built": Outcome(
        build=build(platforms="linux/amd64,linux/arm64"),
        digest=IMAGE_DIGEST,
        duration_s=72.4,
        size_bytes=48_123_456,
        holds=("hold-v1.4.0",),
        recorded=RECORDED,
    ),
    "branch": Outcome(
        build=build(record=""),
        digest=IMAGE_DIGEST,
        duration_s=3.2,
        unrecorded="only deploying branches and version tags record",
    ),
    "pull-request": Outcome(
        build=build(record=""), duration_s=3725.0, unrecorded="nothing was pushed"
    ),
    "recorded-only": Outcome(build=build(), digest=IMAGE_DIGEST, built=False, recorded=RECORDED),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_summary_reads_as_it_did(name: str) -> None:
    """UPDATE_GOLDEN=1 writes the files anew: look at them, and at scripts/dev/render_summary.py."""
    file = GOLDEN / f"{name}.md"
    summary = build_markdown(OUTCOMES[name])
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(summary, encoding="utf-8", newline="\n")

    assert summary == file.read_text(encoding="utf-8")


def test_every_golden_file_is_looked_at() -> None:
    assert {file.stem for file in GOLDEN.glob("*.md")} == set(OUTCOMES)


@given(st.text(min_size=1, max_size=20))
def test_no_text_of_the_configuration_is_markup(text: str) -> None:
    outcome = Outcome(build=build(), digest=IMAGE_DIGEST, holds=(text,), unrecorded=text)
    plain = Outcome(build=build(), digest=IMAGE_DIGEST, holds=("x",), unrecorded="x")

    assert html_marks(build_markdown(outcome)) == html_marks(build_markdown(plain))


def html_marks(markdown: str) -> int:
    """How many elements a page has; the comment behind an '@' is none."""
    return to_html(markdown).replace("<!-- -->", "").count("<")


def test_a_terminal_has_the_same_rows() -> None:
    lines = [
        "".join(p if isinstance(p, str) else p[1] for p in line)
        for line in build_lines(OUTCOMES["built"])
    ]

    assert lines[0] == "Built and pushed dashboard, and recorded it"
    assert f"  reference    ghcr.io/acme/orient/dashboard@{IMAGE_DIGEST}" in lines
    assert "  platforms    linux/amd64, linux/arm64" in lines
    assert "  tags         main" not in lines
    assert "               main" in lines


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (7300, "2 h 1 min"),
    ],
)
def test_durations_are_said_for_people(seconds: float, said: str) -> None:
    assert lasted(seconds) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (1500, "1.5 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (12_300_000_000, "12.3 GB"),
    ],
)
def test_sizes_are_said_for_people(size: int, said: str) -> None:
    assert visible_size(size) == said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(None, "cannot be read (FileNotFoundError)", id="no-file"),
        pytest.param("{", "cannot be read (JSONDecodeError)", id="no-json"),
        pytest.param("[]", "its metadata file names none", id="no-object"),
        pytest.param("{}", "its metadata file names none", id="no-digest"),
        pytest.param('{"containerimage.digest": "sha256:x"}', "names none", id="no-such-digest"),
    ],
)
def test_a_push_without_a_digest_is_told(text: str | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    if text is not None:
        file.write_text(text)

    with pytest.raises(EnvironmentLacks) as caught:
        read_digest(str(file))

    assert why in caught.value.why


def test_the_digest_of_a_push_is_read(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(f'{{"image.name": "x", "containerimage.digest": "{IMAGE_DIGEST}"}}')

    assert read_digest(str(file)) == IMAGE_DIGEST
