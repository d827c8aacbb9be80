"""Whose word counts: in a pull_request_target run never that of the files that are checked out."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.repositories import RepositoryBuilder, check_out, run_git

from .conftest import CONFIG, FILES, Consumer

HOSTILE = CONFIG.replace("web/**", "nothing/**").replace("opc@203.0.113.7", "evil@203.0.113.9")
CONFIG_PATH = ".github/orient-deploy.yml"


@pytest.mark.parametrize("committed", [False, True], ids=["in-the-files", "in-the-commit"])
@pytest.mark.parametrize(
    ("event", "trusted"),
    [("pull_request_target", True), ("pull_request", False)],
)
def test_the_configuration_of_a_fork_counts_only_where_nothing_is_at_stake(
    consumer: Consumer, event: str, trusted: bool, committed: bool
) -> None:
    """GITHUB_SHA of pull_request_target is the base branch's commit."""
    hostile = {"web/index.ts": "hostile\n", **({CONFIG_PATH: HOSTILE} if committed else {})}
    head = consumer.builder.commit(hostile, parents=[consumer.second])
    consumer.builder.ref("refs/pull/7/head", head)
    run_git("-C", consumer.workspace, "fetch", "-q", consumer.builder.directory, head)
    run_git("-C", consumer.workspace, "checkout", "-q", "--detach", head)
    (consumer.workspace / CONFIG_PATH).write_text(HOSTILE)
    consumer.event = {
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"sha": head},
            "base": {"sha": consumer.second, "ref": "main"},
        },
        "repository": {"full_name": "acme/app", "default_branch": "main"},
    }

    finished = consumer.run(
        "detect",
        GITHUB_EVENT_NAME=event,
        GITHUB_REF="refs/heads/main" if trusted else "refs/pull/7/merge",
        GITHUB_SHA=consumer.second if trusted else head,
    )

    assert finished.code == 0, finished.stdout
    assert finished.outputs["head"] == head
    changed = json.loads(finished.outputs["changes"])
    assert changed["web"] == (1 if trusted else 0)


def test_a_configuration_without_permission_is_a_clear_error(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the refusal is played."""
    real = builtins.open

    def refuse(path: Any, *rest: Any, **more: Any) -> Any:
        if str(path).endswith(CONFIG_PATH):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *rest, **more)

    monkeypatch.setattr(builtins, "open", refuse)

    finished = consumer.run("detect")

    assert finished.code == 2
    assert f"'{CONFIG_PATH}' cannot be read: Permission denied." in finished.errors[0]


def test_a_repository_of_one_commit_builds_everything_on_a_runner(
    consumer: Consumer, tmp_path: Path
) -> None:
    builder = RepositoryBuilder(tmp_path / "single.git")
    only = builder.commit(FILES)
    builder.ref("refs/heads/main", only)
    workspace = check_out(builder.directory, tmp_path / "single", only, "refs/heads/main")
    consumer.event["before"] = "0" * 40

    finished = consumer.run("detect", GITHUB_WORKSPACE=str(workspace), GITHUB_SHA=only)

    assert finished.code == 0, finished.stdout
    assert finished.outputs["images"] == '["api","web"]'
    assert finished.outputs["base"] == ""


def test_an_empty_repository_is_a_clear_error_on_a_runner(
    consumer: Consumer, tmp_path: Path
) -> None:
    run_git("init", "-q", tmp_path / "empty")

    finished = consumer.run(
        "detect", GITHUB_WORKSPACE=str(tmp_path / "empty"), GITHUB_SERVER_URL=None
    )

    assert finished.code == 4, finished.stdout  # nor is there a server that could be asked
    assert len(finished.errors) == 1
    assert "cannot be had" in finished.errors[0]
    assert finished.summary.startswith("### ")
    assert finished.outputs == {}
