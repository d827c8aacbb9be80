"""Every declared output is written on every way that succeeds, so none is ever lost by accident."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from importlib import import_module

import pytest

from orient_deploy.commands.context import Context
from orient_deploy.commands.detect import _write_files, plan_digest
from orient_deploy.errors import EnvironmentLacks
from orient_deploy.runner import Log

from .conftest import CONFIG, Consumer, Finished

COMMANDS = ("detect", "matrix", "plan", "gate")
NEEDS = json.dumps({"build": {"result": "success"}})
Change = Callable[[Consumer], dict[str, str | None]]


def push(consumer: Consumer) -> dict[str, str | None]:
    return {}


def first_push(consumer: Consumer) -> dict[str, str | None]:
    consumer.event["before"] = "0" * 40
    return {}


def branch_deletion(consumer: Consumer) -> dict[str, str | None]:
    consumer.event.update(before=consumer.second, after="0" * 40, deleted=True)
    consumer.builder.ref("refs/heads/gone", consumer.second)
    return {"GITHUB_REF": "refs/heads/gone"}


def tag(consumer: Consumer) -> dict[str, str | None]:
    consumer.builder.ref("refs/tags/v1", consumer.second)
    consumer.event.update(before="0" * 40, ref="refs/tags/v1")
    return {"GITHUB_REF": "refs/tags/v1"}


def pull_request(consumer: Consumer) -> dict[str, str | None]:
    side = {"sha": consumer.first, "ref": "main"}
    consumer.event = {
        "number": 7,
        "pull_request": {"number": 7, "base": side, "head": {"sha": consumer.second}},
    }
    return {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/7/merge"}


def by_hand(consumer: Consumer) -> dict[str, str | None]:
    return {"GITHUB_EVENT_NAME": "workflow_dispatch", "INPUT_FORCE": "true"}


def nothing_changed(consumer: Consumer) -> dict[str, str | None]:
    return {"INPUT_BASE": consumer.second}


EVENTS = [push, first_push, branch_deletion, tag, pull_request, by_hand, nothing_changed]


def run(consumer: Consumer, command: str, change: Change) -> Finished:
    finished = consumer.run(command, INPUT_NEEDS=NEEDS, **change(consumer))
    assert finished.code == 0, finished.stdout
    return finished


@pytest.mark.parametrize("change", EVENTS, ids=lambda change: change.__name__)
@pytest.mark.parametrize("command", COMMANDS)
def test_each_declared_output_is_written(consumer: Consumer, command: str, change: Change) -> None:
    finished = run(consumer, command, change)

    declared = import_module(f"orient_deploy.commands.{command}").OUTPUTS
    assert list(finished.outputs) == list(declared)
    # Nobody tells an empty output from a lost one.
    assert {name for name, value in finished.outputs.items() if not value} <= {"base", "files"}


@pytest.mark.parametrize("builds", ["", "{}"])
def test_a_deleted_branch_has_an_empty_matrix(consumer: Consumer, builds: str) -> None:
    finished = consumer.run("matrix", INPUT_BUILDS=builds, **branch_deletion(consumer))

    assert finished.code == 0, finished.stdout
    assert finished.outputs == {"matrix": '{"include":[]}', "any": "false", "count": "0"}


def test_what_detect_left_out_is_built(consumer: Consumer) -> None:
    finished = consumer.run("matrix", INPUT_BUILDS='{"api": "false"}')

    assert [one["name"] for one in json.loads(finished.outputs["matrix"])["include"]] == ["web"]
    assert "| <code>web</code> |" in finished.summary


def test_a_matrix_of_nothing_has_no_table(consumer: Consumer) -> None:
    finished = consumer.run("matrix", INPUT_BUILDS='{"api": "false", "web": "false"}')

    assert finished.outputs["count"] == "0"
    assert finished.summary == "### Matrix of 0 images\n\n"


# Forced by hand and pushed first, everything is built and deployed, compared with nothing.
DECIDED_ALIKE: list[Change] = [first_push, by_hand]
DECIDED_APART: list[Change] = [push, branch_deletion, nothing_changed]


def test_plans_share_a_digest_exactly_when_they_decide_the_same(consumer: Consumer) -> None:
    digests = []
    for change in (*DECIDED_ALIKE, *DECIDED_APART):
        consumer.event = {"before": consumer.first, "repository": {"default_branch": "main"}}
        for again in range(2):
            (consumer.temp / "output").unlink(missing_ok=True)
            (consumer.temp / "event.json").unlink(missing_ok=True)
            command = "plan" if again else "detect"
            digests.append(run(consumer, command, change).outputs["plan-digest"])

    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    assert digests[::2] == digests[1::2]
    assert len(set(digests[:4])) == 1
    assert len(set(digests)) == 1 + len(DECIDED_APART)


@pytest.mark.parametrize("part", ["builds", "deploys", "head", "base"])
def test_each_part_of_the_decision_counts_in_the_digest(part: str) -> None:
    given = {"builds": {"a": "true"}, "deploys": {"p": "true"}, "head": "1", "base": "2"}
    other = given | {part: {"a": "false", "p": "false"} if part.endswith("s") else "3"}

    assert plan_digest(**given) == plan_digest(**given)  # type: ignore[arg-type]  # mixed values
    assert plan_digest(**given) != plan_digest(**other)  # type: ignore[arg-type]  # mixed values


def test_a_list_of_files_that_cannot_be_written_is_a_lack() -> None:
    context = Context(
        env={"RUNNER_TEMP": "/nowhere"},
        log=Log(io.StringIO(), in_actions=True),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        in_actions=True,
    )

    with pytest.raises(EnvironmentLacks, match="the list of changed files cannot be written"):
        _write_files(("a",), context)


def test_missing_dockerfiles_are_errors_at_their_lines(consumer: Consumer) -> None:
    text = CONFIG.replace("web/Dockerfile", "web/Dokcerfile").replace(
        "api/Dockerfile", "api/Dokcerfile"
    )
    (consumer.workspace / ".github/orient-deploy.yml").write_text(text)

    finished = consumer.run("matrix", INPUT_FORCE="true")

    assert finished.code == 2
    assert "file=.github/orient-deploy.yml,line=6,col=" in finished.stdout
    assert "file=.github/orient-deploy.yml,line=7,col=" in finished.stdout
    assert (
        "The nearest is api/Dockerfile. Correct `dockerfile`, or add the file."
        in (finished.errors[0])
    )
