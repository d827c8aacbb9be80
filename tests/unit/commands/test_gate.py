"""The gate as an entrypoint: what it is told, what it prints, and whom it asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.github.model import Job

from .conftest import Consumer

if TYPE_CHECKING:
    from collections.abc import Sequence

ASKED = {"INPUT_TOKEN": "t0ken", "GITHUB_RUN_ID": "42", "GITHUB_API_URL": "http://127.0.0.1:9"}


def needs(**results: str) -> str:
    return json.dumps({name.replace("_", "-"): {"result": one} for name, one in results.items()})


class Jobs:
    """Stands in for the question to GitHub; keeps what was asked."""

    def __init__(self, answer: Sequence[Job] | RemoteError) -> None:
        self.answer = answer
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, *asked: str) -> tuple[Job, ...]:
        self.asked.append(asked)
        if isinstance(self.answer, RemoteError):
            raise self.answer
        return tuple(self.answer)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    made = Jobs([Job(name="build-web", conclusion="failure", url="https://x/1")])
    monkeypatch.setattr("orient_deploy.github.jobs.list_jobs", made)
    return made


def test_a_hidden_failure_shuts_the_gate(consumer: Consumer, jobs: Jobs) -> None:
    finished = consumer.run("gate", INPUT_NEEDS=needs(build_web="success"), **ASKED)

    assert finished.code == 0, finished.stdout
    assert jobs.asked == [("http://127.0.0.1:9", "acme/app", "42", "t0ken")]
    assert finished.outputs["deploy"] == "false"
    assert finished.outputs["deploys"] == '{"production":"false"}'
    assert finished.warnings == [
        "The gate is shut: production keeps the old release: web failed to build (build-web)."
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"INPUT_TOKEN": ""}, id="no-token"),
        pytest.param({"GITHUB_RUN_ID": ""}, id="no-run"),
        pytest.param({"INPUT_BASE": "main"}, id="nothing-to-build"),
    ],
)
def test_nobody_is_asked_when_there_is_nothing_to_ask(
    consumer: Consumer, jobs: Jobs, changes: dict[str, str]
) -> None:
    finished = consumer.run("gate", INPUT_NEEDS=needs(build_web="success"), **{**ASKED, **changes})

    assert finished.code == 0, finished.stdout
    assert jobs.asked == []


def test_without_an_answer_a_job_counts_as_a_whole(consumer: Consumer, jobs: Jobs) -> None:
    jobs.answer = RemoteError("the jobs could not be listed", "503", "Try again")

    finished = consumer.run("gate", INPUT_NEEDS=needs(build_web="success"), **ASKED)

    assert finished.outputs["deploy"] == "true"
    assert "So a matrix build counts as a whole." in finished.stdout


@pytest.mark.parametrize(
    ("fail", "result", "code"),
    [("true", "failure", 1), ("false", "failure", 0), ("true", "success", 0)],
)
def test_only_a_gate_that_is_to_fail_fails(
    consumer: Consumer, fail: str, result: str, code: int
) -> None:
    finished = consumer.run("gate", INPUT_NEEDS=needs(build_web=result), INPUT_FAIL=fail)

    assert finished.code == code
    assert bool(finished.errors) is (code == 1)
    assert bool(finished.warnings) is (code == 0 and result == "failure")


def test_a_partial_failure_prints_what_to_do_by_hand(consumer: Consumer) -> None:
    finished = consumer.run(
        "gate",
        INPUT_NEEDS=needs(test="success", build_api="success", build_web="failure"),
        INPUT_FORCE="true",
    )

    printed = finished.stdout.splitlines()
    assert "Succeeded: test" in printed
    assert "Deploy api by hand" in printed
    assert "ssh opc@203.0.113.7 'cd . &&" in printed
    assert "Deploy <code>api" not in finished.stdout
    assert "<summary>Deploy api by hand</summary>" in finished.summary


@pytest.mark.parametrize(
    ("build_jobs", "opens"), [('{"api": "build-api"}', True), ("", False), ("{}", False)]
)
def test_two_jobs_for_one_image_are_told_apart(
    consumer: Consumer, build_jobs: str, opens: bool
) -> None:
    finished = consumer.run(
        "gate",
        INPUT_NEEDS=needs(api="success", build_api="success", web="success"),
        INPUT_FORCE="true",
        INPUT_BUILD_JOBS=build_jobs,
    )

    assert finished.outputs["deploy"] == str(opens).lower()
    assert ("api and build-api could both build api" in finished.stdout) is not opens
    assert ("`build-jobs`" in finished.stdout) is not opens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "input 'build-jobs' is not a JSON object: it is no JSON"),
        ("3", 'input \'build-jobs\' is not a JSON object: it is a int. Write {"image": "job"}.'),
    ],
)
def test_build_jobs_that_are_none_are_refused(consumer: Consumer, text: str, said: str) -> None:
    finished = consumer.run("gate", INPUT_NEEDS="{}", INPUT_BUILD_JOBS=text)

    assert finished.code == 2
    assert finished.errors[0].startswith(said)


def test_on_a_laptop_nobody_is_asked(consumer: Consumer, jobs: Jobs) -> None:
    finished = consumer.run(
        "gate",
        "--path",
        str(consumer.workspace),
        f"--needs={needs(web='success')}",
        "--json",
        GITHUB_ACTIONS=None,
        **ASKED,
    )

    assert finished.code == 0, finished.stderr
    assert set(json.loads(finished.stdout)) == {
        *("deploy", "deploys", "reason", "succeeded", "failed", "skipped")
    }
    assert jobs.asked == []
