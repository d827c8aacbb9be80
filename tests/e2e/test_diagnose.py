"""A consumer whose build fails, and a job that tells why, run by act with a GitHub of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.sample import REPOSITORY, Sample, build
from tests.e2e import act
from tests.fakes.github_model import KeptLog
from tests.fakes.github_state import GitHubState, github_state
from tests.fakes.log_store import Kept, log_store
from tests.unit.github.test_jobs import job

TOKEN = "ghs_of-this-test"
WORKFLOW = Path(__file__).with_name("diagnose.yml")
PRINTED = "Error: Cannot find module '@orient/core'"


@pytest.fixture(params=["release", "main"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> act.Library:
    """Both layouts; the release brings its packages along."""
    made = {"release": act.release_layout, "main": act.main_layout}[request.param](
        tmp_path / "library"
    )
    # act tells every job the address of GitHub's own API, whatever its `env` says.
    launcher = made.path / "scripts" / "run"
    first, _, rest = launcher.read_text().partition("\n")
    launcher.write_text(f"{first}\nexport GITHUB_API_URL=$API_OF_THE_TEST\n{rest}")
    return made


@pytest.fixture
def github() -> Iterator[GitHubState]:
    with github_state(TOKEN, repository=REPOSITORY) as server, log_store() as store:
        server.repository.jobs[1] = [  # the number of every run of act
            job(11, name="Build dashboard", conclusion="failure", run_id=1),
            job(12, name="Tell what failed", conclusion=None, status="in_progress", run_id=1),
        ]
        log = f"\ufeff2026-11-24T02:15:55.3714027Z {PRINTED}\r\n".encode()
        server.repository.logs[11] = KeptLog(store.keep(Kept(body=log)))
        yield server


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return build(tmp_path / "app")


def run(sample: Sample, library: act.Library, folder: Path, github: GitHubState) -> act.Run:
    head = sample.git("rev-parse", "HEAD").strip()
    return act.run(
        sample,
        act.push_event(act.NO_COMMIT, head),
        library,
        folder,
        workflow=WORKFLOW.read_text(),
        environment={"NO_PROXY": "127.0.0.1", "API_OF_THE_TEST": github.url},
        secrets={"GITHUB_TOKEN": TOKEN},
    )


def test_a_failed_build_is_told_on_its_run(
    sample: Sample, library: act.Library, github: GitHubState, tmp_path: Path
) -> None:
    sample.write("build.sh", f'echo "{PRINTED}" >&2\nexit 1\n')
    sample.commit("Break the build")

    ran = run(sample, library, tmp_path / "act", github)

    assert ran.results == {"build": "failure", "diagnose": "success"}, ran.text
    told = ran.jobs["diagnose"]
    outputs = told.outputs["diagnose"]
    assert outputs["found"] == "true"
    assert outputs["rollback-cures"] == "true"
    assert [one["id"] for one in json.loads(outputs["diagnoses"])] == ["package-not-found"]
    assert [(one.level, one.title) for one in told.annotations] == [
        ("error", "A package is not installed")
    ]
    assert "job Build dashboard, line 1" in told.summary
    assert "pnpm --filter @orient/core build" in told.summary


def test_a_good_build_asks_nothing(
    sample: Sample, library: act.Library, github: GitHubState, tmp_path: Path
) -> None:
    sample.write("build.sh", "echo built\n")
    sample.commit("Build")

    ran = run(sample, library, tmp_path / "act", github)

    assert ran.results == {"build": "success"}, ran.text
    assert github.journal == []


def test_the_reading_of_logs_is_measured(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    script = act.ROOT / "benchmarks" / "diagnose.py"

    done = subprocess.run(
        [sys.executable, script, "--runs", "1", "--mib", "4", f"--json={figures}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0
    assert "nothing known: × 4 long" in done.stdout
    assert json.loads(figures.read_text())["runs"]["each line told 4"][0]["wall_s"] > 0
