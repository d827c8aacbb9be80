"""Every `if:` of the sample's workflows, asked of GitHub's own evaluator in every situation.

The rule stands here once more in Python, and each situation must agree with it. This is the place
for what act cannot show: GitHub drops a job output that looks like a secret (JobExtension.cs:803 of
actions/runner v2.336.0), and an empty matrix is an error (WorkflowTemplateConverter.cs:947).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
import yaml

from dev.sample import EXAMPLE, WORKFLOWS
from tests.oracles.node_tools import evaluate_expression

ROOT = Path(__file__).parents[2]

Status = Literal["success", "failure", "cancelled"]


class Needed(TypedDict):
    """What the context `needs` says of one job."""

    result: str
    outputs: dict[str, str]


Needs = Mapping[str, Needed]

RESULTS = ("success", "failure", "cancelled", "skipped")
DROPPED = ""  # also what a job that never wrote the output leaves behind
OUTPUTS = ("true", "false", DROPPED)
STATUSES: tuple[Status, ...] = ("success", "failure", "cancelled")


def jobs_of(workflow: str, example: Path = EXAMPLE) -> dict[str, Any]:
    """The jobs of one of the sample's workflows."""
    text = (example / ".github" / "workflows" / workflow).read_text(encoding="utf-8")
    jobs: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return jobs


def needed_by(job: Mapping[str, Any]) -> list[str]:
    """The ids of the jobs that a job waits for."""
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def may_build(needs: Needs, output: str) -> bool:
    """A build runs unless detect said 'false'; never without tests, never on a detect that failed.

    detect answers every doubt about the changes with 'build all' and succeeds. It fails only on a
    mistake in its input or on a broken machine: then nobody knows which images there are, and the
    gate is shut anyway.
    """
    passed = needs["detect"]["result"] == needs["test"]["result"] == "success"
    return passed and needs["detect"]["outputs"].get(output, DROPPED) != "false"


def may_deploy(needs: Needs) -> bool:
    """Only on a gate that ran well and said 'true': what was dropped must not deploy."""
    gate = needs["gate"]
    return gate["result"] == "success" and gate["outputs"].get("deploy", DROPPED) == "true"


def may_verify(needs: Needs) -> bool:
    """Only what was deployed: not where the deploy was skipped, as it is for docs."""
    return needs["deploy"]["result"] == "success"


def rule_of(job: str) -> Callable[[Needs], bool]:
    """The rule that a job's `if` has to follow as long as the run is not cancelled."""
    if job == "build":
        return lambda needs: may_build(needs, "any")
    if job.startswith("build-"):
        return lambda needs: may_build(needs, job.removeprefix("build-"))
    return {"gate": lambda _: True, "deploy": may_deploy, "verify": may_verify}[job]


def situations(needed: list[str], outputs: list[str]) -> Iterator[Needs]:
    """Every combination of the results of the needed jobs and of one output of the first of them.

    Once the other outputs say the opposite: an expression that reads the wrong one shows.
    """
    for results in itertools.product(RESULTS, repeat=len(needed)):
        for value, other in itertools.product(OUTPUTS, OUTPUTS):
            for asked in outputs or [""]:
                given = {name: value if name == asked else other for name in outputs}
                sent = {name: text for name, text in given.items() if text != DROPPED}
                yield {
                    job: {"result": result, "outputs": sent if job == needed[0] else {}}
                    for job, result in zip(needed, results, strict=True)
                }


GATED = [
    pytest.param(workflow, job, id=f"{workflow}-{job}")
    for workflow in WORKFLOWS
    for job, body in jobs_of(workflow).items()
    if "if" in body
]


@pytest.mark.parametrize(("workflow", "job"), GATED)
def test_a_gate_follows_its_rule_in_every_situation(workflow: str, job: str) -> None:
    jobs = jobs_of(workflow)
    needed = needed_by(jobs[job])
    rule = rule_of(job)
    # The gate takes all results together; asking it for each combination of five would say no more.
    varied = needed[:2]

    wrong = []
    for needs in situations(varied, list(jobs[varied[0]].get("outputs", {}))):
        for status in STATUSES:
            value = evaluate_expression(jobs[job]["if"], {"needs": needs}, status=status)
            expected = status != "cancelled" and rule(needs)
            if value is not expected:
                wrong.append((needs, status, value))

    assert wrong == []


def test_the_smallest_example_builds_unless_the_plan_said_no() -> None:
    """It names no status function, so GitHub puts `success()` before it."""
    build = jobs_of("build.yml", ROOT / "examples" / "minimal")["build"]
    needed = needed_by(build)
    condition = f"success() && ({build['if'].removeprefix('${{').removesuffix('}}')})"

    wrong = []
    for needs in situations(needed, ["any", "matrix"]):
        for status in STATUSES:
            value = evaluate_expression(condition, {"needs": needs}, status=status)
            said = needs["plan"]["outputs"].get("any", DROPPED)
            expected = status == "success" and said != "false"
            if value is not expected:
                wrong.append((needs, status, value))

    assert (needed, wrong) == (["plan"], [])


RECIPE = re.compile(r"fromJSON\((needs\.\w+\.outputs)\.builds \|\| '\{\}'\)\['([\w-]+)'\] != '\w+'")
RECIPES = {
    f"{path.relative_to(ROOT).as_posix()}-{index}": found
    for path in (ROOT / "README.md", ROOT / "actions" / "detect" / "README.md")
    for index, found in enumerate(RECIPE.finditer(path.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    ("builds", "built"),
    [
        pytest.param({"IMAGE": "true", "other": "false"}, True, id="true"),
        pytest.param({"IMAGE": "false", "other": "true"}, False, id="false"),
        pytest.param({"other": "false"}, True, id="not-named"),
        pytest.param({}, True, id="none"),
        pytest.param(None, True, id="dropped"),
    ],
)
def test_the_recipe_for_any_other_image_builds_unless_it_was_said_not_to(
    name: str, builds: dict[str, str] | None, built: bool
) -> None:
    recipe = RECIPES[name]
    job = recipe[1].split(".")[1]
    text = json.dumps(builds).replace("IMAGE", recipe[2])
    outputs = {} if builds is None else {"builds": text}

    value = evaluate_expression(recipe[0], {"needs": {job: {"outputs": outputs}}})

    assert value is built


def test_the_recipes_are_found() -> None:
    assert {name.rpartition("-")[0] for name in RECIPES} >= {"README.md"}


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_job_after_a_skippable_one_has_a_gate_of_its_own(workflow: str) -> None:
    """GitHub skips a job whose ancestor was skipped, unless its `if` names a status function."""
    jobs = jobs_of(workflow)

    ungated = {job for job, body in jobs.items() if body.get("needs") and "if" not in body}
    without_status = {
        job for job, body in jobs.items() if "if" in body and "cancelled()" not in body["if"]
    }

    assert (ungated, without_status) == (set(), set())


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_gate_hears_of_every_job_before_it(workflow: str) -> None:
    jobs = jobs_of(workflow)
    after = {"gate", "deploy", "verify"}

    assert set(needed_by(jobs["gate"])) == set(jobs) - after


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_no_job_reads_an_output_that_is_not_declared(workflow: str) -> None:
    jobs = jobs_of(workflow)
    read = {
        (job, name)
        for body in jobs.values()
        for expression in (body.get("if", ""), str(body.get("strategy", "")))
        for job, name in _outputs_read(expression)
    }

    assert read <= {(job, name) for job, body in jobs.items() for name in body.get("outputs", {})}


def _outputs_read(expression: str) -> Iterator[tuple[str, str]]:
    for part in expression.split("needs.")[1:]:
        words = part.replace("'", " ").replace(")", " ").split()[0].split(".")
        if words[1] == "outputs":
            yield words[0], words[2]


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        pytest.param(
            '{"include":[{"name":"web"}]}', {"include": [{"name": "web"}]}, id="one-image"
        ),
        # GitHub refuses this matrix: the job fails, and the gate stays shut.
        pytest.param(DROPPED, {"include": []}, id="dropped"),
    ],
)
def test_the_matrix_is_what_detect_said_and_empty_when_that_is_lost(
    matrix: str, expected: object
) -> None:
    strategy = jobs_of("deploy-matrix.yml")["build"]["strategy"]
    outputs = {"matrix": matrix} if matrix else {}

    value = evaluate_expression(strategy["matrix"], {"needs": {"detect": {"outputs": outputs}}})

    assert value == expected


def test_both_workflows_are_one_pipeline() -> None:
    """They differ in how images are built and in nothing else."""
    one_by_one, matrix = (jobs_of(workflow) for workflow in WORKFLOWS)
    for jobs in (one_by_one, matrix):
        jobs["gate"].pop("needs")
        jobs["detect"].pop("outputs")
        jobs["detect"]["steps"] = jobs["detect"]["steps"][:2]

    common = ("detect", "test", "gate", "deploy", "verify")
    assert {job: one_by_one[job] for job in common} == {job: matrix[job] for job in common}
