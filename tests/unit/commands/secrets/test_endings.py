"""A run of `secrets apply` that is killed, at every request that it makes, and the one after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.github_state import GitHubState
from tests.unit.commands.secrets.conftest import CANARY, Project

SCRIPTS = Path(__file__).parents[4] / "scripts"
# What the command line does, without GitHub's second between two writes.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from orient_deploy.github import api
api.BETWEEN_WRITES_S = 0.0
from orient_deploy.commands.main import main
sys.exit(main(sys.argv[1:]))
"""
# The requests of a first run over two secrets and a variable, in their order.
REQUESTS = (
    ("GET", "*/actions/secrets"),
    ("GET", "*/actions/variables"),
    ("PATCH", "*/variables/ORIENT_DEPLOY_SECRETS"),
    ("POST", "*/actions/variables"),
    ("GET", "*/public-key"),
    ("PUT", "*/secrets/DATABASE_URL"),
    ("GET", "*/secrets/DATABASE_URL"),
    ("PUT", "*/secrets/JWT"),
    ("GET", "*/secrets/JWT"),
    ("PATCH", "*/variables/NODE_ENV"),
    ("POST", "*/actions/variables"),
    ("GET", "*/actions/secrets"),
    ("PATCH", "*/variables/ORIENT_DEPLOY_SECRETS"),
)


def started(project: Project) -> subprocess.Popen[bytes]:
    arguments = ["secrets", "apply", "--environment=production", "--dry-run=false"]
    return subprocess.Popen(
        [
            *(sys.executable, "-c", PROGRAM, str(SCRIPTS), *arguments),
            *(f"--path={project.folder}", "--repository=acme/orient"),
        ],
        env=project.laptop,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def noted(github: GitHubState) -> set[str]:
    written = json.loads(github.variables()["ORIENT_DEPLOY_SECRETS"])["written"]
    return set(written)


def test_the_requests_are_those_of_a_first_run(project: Project, github: GitHubState) -> None:
    child = started(project)
    child.communicate(timeout=60)

    assert child.returncode == 0
    asked = [(one.method, one.path.rpartition("/")[2]) for one in github.journal]
    assert asked == [(method, path.rpartition("/")[2]) for method, path in REQUESTS]


@pytest.mark.parametrize("effect", [False, True], ids=["before-it-is-done", "once-it-is-done"])
@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_the_next_run_ends_where_the_killed_one_should_have(
    project: Project, github: GitHubState, number: int, effect: bool
) -> None:
    github.put_secret(None, "JWT", b"an older value")
    child: list[subprocess.Popen[bytes]] = []
    method, path = REQUESTS[number]
    github.fail(
        method,
        path,
        nth=REQUESTS[: number + 1].count((method, path)),
        drop=True,
        effect=effect,
        call=lambda: os.kill(child[0].pid, signal.SIGKILL),
    )
    child.append(started(project))
    output, _ = child[0].communicate(timeout=60)
    assert child[0].returncode == -signal.SIGKILL, output

    done = project.apply()

    assert done.code == 0, done.stdout
    assert github.secrets() == {
        "DATABASE_URL": f"postgres://bot:{CANARY}@db/bot".encode(),
        "JWT": b"0123456789abcdef0123456789abcdef",
    }
    assert github.variables()["NODE_ENV"] == "production"
    assert noted(github) == {"DATABASE_URL", "JWT"}
    assert "3 unchanged" in project.run("secrets", "plan").stdout
    assert github.unfired == []


def test_a_run_ended_by_ctrl_c_says_nothing_of_a_value(
    project: Project, github: GitHubState
) -> None:
    child: list[subprocess.Popen[bytes]] = []
    github.fail(
        "PUT", "*/secrets/JWT", call=lambda: os.kill(child[0].pid, signal.SIGINT), hang=True
    )
    child.append(started(project))
    output, _ = child[0].communicate(timeout=60)

    assert child[0].returncode == 130
    assert b"canary" not in output and b"Traceback" not in output
    assert noted(github) == {"DATABASE_URL"}  # what was written before is known
    assert project.apply().code == 0
