"""The harness tells what happened from what did not: a test that reads a run can trust it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.sample import Sample, build
from tests.e2e import act

NO_LIBRARY = act.Library(path=Path("/nonexistent"), folder="")

ONE_LEG_FAILS = """\
name: Legs
on: push
permissions: {}
jobs:
  build:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      matrix:
        name: [good, bad]
    steps:
      - id: build
        env:
          NAME: ${{ matrix.name }}
        run: |
          echo "name=$NAME" >> "$GITHUB_OUTPUT"
          echo "### $NAME" >> "$GITHUB_STEP_SUMMARY"
          echo "::warning title=Seen::$NAME"
          test "$NAME" = good
  after:
    needs: build
    runs-on: ubuntu-latest
    steps:
      - run: "true"
"""


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return build(tmp_path / "app")


def test_each_leg_of_a_matrix_is_judged_by_its_own_steps(sample: Sample, tmp_path: Path) -> None:
    event = act.push_event(act.NO_COMMIT, sample.head())

    ran = act.run(sample, event, NO_LIBRARY, tmp_path / "act", workflow=ONE_LEG_FAILS)

    assert ran.results == {"build (good)": "success", "build (bad)": "failure"}, ran.text
    good = ran.jobs["build (good)"]
    assert good.outputs == {"build": {"name": "good"}}
    assert good.summary.strip() == "### good"
    assert good.annotations == (act.Annotation(level="warning", message="good", title="Seen"),)


def test_a_workflow_that_act_refuses_is_no_run(sample: Sample, tmp_path: Path) -> None:
    event = act.push_event(act.NO_COMMIT, sample.head())

    with pytest.raises(act.ActFailed, match="exit 1"):
        act.run(sample, event, NO_LIBRARY, tmp_path / "act", workflow="jobs: [none]\n")


def test_a_workflow_of_main_names_the_folder_of_an_action() -> None:
    library = act.Library(path=Path("/nonexistent"), folder="actions/")
    consumer = f"uses: {act.ACTION}/detect@v1\nuses: {act.ACTION}@v1\nuses: other/gate@v1\n"

    assert library.consumer_text(consumer) == (
        f"uses: {act.ACTION}/actions/detect@v1\nuses: {act.ACTION}@v1\nuses: other/gate@v1\n"
    )
