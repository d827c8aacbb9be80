"""Faults made for real, and what verify says of each: those of the catalogue that run each time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.__main__ import play
from tests.faults.field import Case, Field, cases, field

ROOT = Path(__file__).parents[2]
CASES = {one.id: one for one in cases() if one.in_ci}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with field(tmp_path_factory.mktemp("field")) as one:
        yield one


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_called_what_it_is(name: str, shared: Field, tmp_path: Path) -> None:
    came = play(CASES[name], shared, tmp_path)

    assert came.problems == [], came.text


def test_the_catalogue_is_complete() -> None:
    """Enough faults, a dozen of them each time, and every verdict there is."""
    every = cases()

    assert len(every) >= 35 and len(CASES) >= 12
    assert len({one.id for one in every}) == len(every)
    assert {one.given["verdict"] for one in every} == {
        *("healthy", "failed", "timeout", "inconclusive", "refused")
    }


def test_a_case_that_is_not_as_it_must_be_is_seen(shared: Field, tmp_path: Path) -> None:
    """A runner that calls everything right would prove nothing."""
    given = {**CASES["crash-at-0s"].given, "verdict": "healthy", "says": ["no such words"]}

    came = play(Case(id="upside-down", given=given), shared, tmp_path)

    assert came.problems == ["verdict failed, not healthy", "'no such words' is not told"]


def test_speed_and_load_are_measured(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "verify.py"
    few = ("--runs=1", "--containers=3", "--seconds=1", "--rows=latency,load")

    done = subprocess.run(
        [sys.executable, script, *few, f"--json={figures}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
    )

    assert done.returncode == 0
    found = json.loads(figures.read_text())
    assert len(found["latency"]["ends -> FAILED"]) == 1 and found["load"]["one look"] > 0
