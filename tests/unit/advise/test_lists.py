"""What pushes to a branch build by a repository's own workflows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orient_deploy.advise.builds import gather
from orient_deploy.advise.lists import OnPush, built_by_pushes

LISTING = ("api/Dockerfile", "web/Dockerfile")
FILTERS = {"api": ["api/**", "shared/**"], "web": ["web/**"]}


def _job(name: str, *, conditional: bool = True) -> dict[str, Any]:
    step = {
        "uses": "docker/build-push-action@v6",
        "with": {"context": ".", "file": f"{name}/Dockerfile", "push": True},
    }
    condition = {"if": f"needs.changes.outputs.{name} == 'true'"} if conditional else {}
    return {"needs": ["changes"], **condition, "steps": [step]}


def _workflow(on: Any, *, filters: Any = FILTERS, conditional: bool = True) -> bytes:
    step = {"uses": "dorny/paths-filter@v3", "id": "filter", "with": {}}
    step["with"] = {"filters": json.dumps(filters)}
    jobs: dict[str, Any] = {"changes": {"steps": [step]}} if filters else {}
    jobs |= {name: _job(name, conditional=conditional) for name in ("api", "web")}
    return json.dumps({"on": on, "jobs": jobs}).encode()


def _built(branch: str = "main", **workflows: bytes) -> dict[str, OnPush]:
    contents = {f".github/workflows/{name}.yml": data for name, data in workflows.items()}
    found = built_by_pushes(gather(LISTING, contents).workflows, branch)
    return {dockerfile.partition("/")[0]: one for (dockerfile, _, _), one in found.items()}


@pytest.mark.parametrize(
    ("on", "built"),
    [
        pytest.param("push", True, id="text"),
        pytest.param(["push", "pull_request"], True, id="list"),
        pytest.param({"push": None}, True, id="nothing-said"),
        pytest.param({"push": {"branches": ["main", "release/*"]}}, True, id="branch"),
        pytest.param({"push": {"branches": ["dev"]}}, False, id="other-branch"),
        pytest.param({"push": {"branches": ["**", "!main"]}}, False, id="excluded-branch"),
        pytest.param({"push": {"branches-ignore": ["main"]}}, False, id="ignored-branch"),
        pytest.param({"push": {"branches-ignore": ["dev"]}}, True, id="other-ignored"),
        pytest.param({"push": {"tags": ["v*"]}}, False, id="tags-only"),
        pytest.param(
            {"push": {"tags": ["v*"], "branches": ["main"]}}, True, id="tags-and-branches"
        ),
        pytest.param({"pull_request": None}, False, id="pull-requests"),
        pytest.param({"workflow_dispatch": None}, False, id="by-hand"),
        pytest.param({"workflow_call": None}, True, id="called-by-another"),
    ],
)
def test_only_workflows_that_pushes_start_count(on: Any, built: bool) -> None:
    assert set(_built(ci=_workflow(on))) == ({"api", "web"} if built else set())


@pytest.mark.parametrize(
    ("push", "changed", "builds"),
    [
        pytest.param({}, ["api/a.c"], {"api"}, id="filter"),
        pytest.param({}, ["shared/a", "web/b"], {"api", "web"}, id="both"),
        pytest.param({}, ["docs/a"], set(), id="none"),
        pytest.param({"paths": ["web/**"]}, ["api/a"], set(), id="paths-shut"),
        pytest.param({"paths": ["web/**"]}, ["api/a", "web/b"], {"api", "web"}, id="paths-open"),
        pytest.param({"paths-ignore": ["**.md"]}, ["api/a.md"], set(), id="all-ignored"),
        pytest.param({"paths-ignore": ["**.md"]}, ["api/a.md", "x"], {"api"}, id="some-ignored"),
    ],
)
def test_a_push_builds_what_workflow_and_filter_let_through(
    push: dict[str, Any], changed: list[str], builds: set[str]
) -> None:
    found = _built(ci=_workflow({"push": push}))

    assert {name for name, one in found.items() if one.counted(changed)} == builds


def test_an_image_without_a_filter_is_built_by_every_run() -> None:
    found = _built(ci=_workflow("push", filters=None, conditional=False))

    assert all(one.watch is None and one.counted(["docs/a"]) for one in found.values())


def test_the_filter_of_the_workflow_itself_counts() -> None:
    """Each workflow repeats the filters; those of another branch's workflow say something else."""
    other = {"api": ["elsewhere/**"], "web": ["elsewhere/**"]}
    found = _built(
        a=_workflow({"push": {"branches": ["dev"]}}, filters=other),
        b=_workflow({"push": {"branches": ["main"]}}),
    )

    assert found["api"].workflow == ".github/workflows/b.yml"
    assert found["api"].watch is not None
    assert found["api"].watch.patterns == ("api/**", "shared/**")
    assert found["api"].watch.source == "filter api of .github/workflows/b.yml"
