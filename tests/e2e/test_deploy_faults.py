"""Deploys and rollbacks that go wrong, played for real: what of the catalogue runs each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.site import STEPS, Came, Case, cases, site

CASES = {one.id: one for one in cases() if one.in_ci}
AT_ONCE = 5


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[Came]]]:
    """All of them, beside each other: most of the time each waits for something."""
    with (
        site(tmp_path_factory.mktemp("site")) as one,
        ThreadPoolExecutor(AT_ONCE) as together,
        ThreadPoolExecutor(1) as alone,
    ):
        shared = {name: together.submit(one.play, c) for name, c in CASES.items() if not c.is_alone}
        for future in shared.values():
            future.exception()
        yield {
            **shared,
            **{name: alone.submit(one.play, c) for name, c in CASES.items() if c.is_alone},
        }


@pytest.mark.parametrize("name", CASES)
def test_a_deploy_ends_as_it_must(name: str, played: Mapping[str, Future[Came]]) -> None:
    came = played[name].result()

    assert came.problems == (), came.done.text if came.done else ""


def test_the_catalogue_is_complete() -> None:
    every = cases()
    codes = {one.given["exit"] for one in every if "exit" in one.given}

    assert len({one.id for one in every}) == len(every) >= 60 and len(CASES) >= 12
    assert codes >= {0, 1, 2, 3, 4, 5, 6, 7, 8, 75}


def test_every_step_of_the_journal_is_one_at_which_everything_is_killed() -> None:
    agent = Path(__file__).parents[2] / "scripts/orient_deploy/server/agent.sh"
    written = {
        line.split()[1]
        for line in agent.read_text("utf-8").splitlines()
        if line.strip().startswith("journal ")
    }

    assert written == set(STEPS)
    for kind in ("agent-killed-at-each-step", "everything-killed-at-each-step"):
        assert {one.step for one in every_of(kind)} == set(STEPS)


def every_of(kind: str) -> list[Case]:
    return [one for one in cases() if one.id == f"{kind}-{one.step}"]
