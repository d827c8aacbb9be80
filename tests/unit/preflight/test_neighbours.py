"""What two environments on one server would take from each other, by the real Compose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.neighbours import CHECKS, Stack, check_neighbours
from orient_deploy.stack.compose import Compose
from tests.unit.preflight.composes import VERSIONS, compose_of, project_of

BASE = """\
services:
  postgres:
    image: postgres:16
    ports: ['5432:5432']
    volumes: ['../data/postgres:/var/lib/postgresql/data', 'cache:/cache']
    environment: {TZ: UTC}
  dashboard:
    image: acme/dashboard:1
    container_name: orienter-dashboard
    ports: ['${DASHBOARD_PORT:-4098}:4098']
    volumes: ['/var/run/docker.sock:/var/run/docker.sock', './nginx.conf:/c:ro']
volumes: {cache: {}}
"""
SEPARATE = """\
services:
  postgres: {ports: !override ['5433:5432'], volumes: !override ['../staging:/var/lib/postgresql']}
  worker: {image: 'acme/worker:1', volumes: ['cache:/cache']}
  dashboard: {container_name: orienter-dashboard-staging, ports: !override ['4198:4098']}
"""
ALL = {
    ("compose/stack-port", "5432/tcp"),
    ("compose/stack-port", "4098/tcp"),
    ("compose/stack-container-name", "orienter-dashboard"),
    ("compose/stack-volume", "~/orienter/data/postgres"),
}


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def compose(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    return compose_of(request.param, tmp_path_factory.mktemp("settings"))


def neighbours(
    compose: Compose,
    folder: Path,
    overlay: str,
    *,
    name: str = "staging",
    directory: str = "~/orienter",
    named: bool = True,
    env: str | None = "",
) -> list[Finding]:
    files = {"docker/v2.yml": BASE, "docker/staging.yml": overlay}
    root = os.path.realpath(folder)
    production = project_of(compose, folder, files, env, name="docker", only=("docker/v2.yml",))
    staging = project_of(compose, folder, files, env, name=name)
    return check_neighbours(
        Stack(name="staging", project=staging, directory=directory, root=root, is_named=named),
        Stack(name="production", project=production, directory="~/orienter", root=root),
    )


def told(found: list[Finding]) -> set[tuple[str, str]]:
    return {(one.check, one.subject) for one in found}


def test_an_overlay_that_changes_nothing_takes_everything(compose: Compose, tmp_path: Path) -> None:
    assert told(neighbours(compose, tmp_path, "services: {}\n")) == ALL


def test_an_overlay_adds_its_ports(compose: Compose, tmp_path: Path) -> None:
    """The ports of the first file stay: this is how staging binds production's."""
    overlay = SEPARATE.replace("!override ['5433", "['5433")

    found = neighbours(compose, tmp_path, overlay)

    assert told(found) == {("compose/stack-port", "5432/tcp")}
    assert (found[0].file, found[0].line) == ("docker/staging.yml", 2)


def test_a_separate_stack_takes_nothing(compose: Compose, tmp_path: Path) -> None:
    assert neighbours(compose, tmp_path, SEPARATE) == []


def test_another_directory_has_other_data(compose: Compose, tmp_path: Path) -> None:
    found = neighbours(compose, tmp_path, "services: {}\n", directory="~/staging")

    assert told(found) == {one for one in ALL if one[0] != "compose/stack-volume"}


def test_a_volume_with_a_name_of_its_own_is_shared(compose: Compose, tmp_path: Path) -> None:
    overlay = SEPARATE + "volumes: {cache: {name: docker_cache}}\n"

    found = neighbours(compose, tmp_path, overlay)

    assert [(one.check, one.subject, one.severity) for one in found] == [
        ("compose/stack-volume", "docker_cache", "warning")
    ]


@pytest.mark.parametrize(("named", "severity"), [(True, "warning"), (False, "warning")])
def test_one_project_for_both_is_the_only_finding(
    compose: Compose, tmp_path: Path, named: bool, severity: str
) -> None:
    found = neighbours(compose, tmp_path, "services: {}\n", name="docker", named=named)

    assert [(one.check, one.severity) for one in found] == [("compose/stack-project", severity)]


def test_values_that_nobody_knows_are_not_compared(compose: Compose, tmp_path: Path) -> None:
    overlay = SEPARATE.replace("4198", "$PORT").replace("orienter-dashboard-staging", "$NAME")

    assert neighbours(compose, tmp_path, overlay, env=None) == []


def test_every_check_has_a_case() -> None:
    assert {one.id for one in CHECKS} == {check for check, _ in ALL} | {"compose/stack-project"}


def test_what_a_variable_says_is_not_shown(compose: Compose, tmp_path: Path) -> None:
    """The compose file's own words are: `${DATA}`, or the names where there are several."""
    overlay = """\
services:
  postgres: {ports: !override ['${PORT}:1'], volumes: !override ['${DATA}:/var/lib/mysql']}
  dashboard: {container_name: '${NAME}', ports: !override ['${ONE:-4098}:1'], volumes: []}
volumes: {cache: {name: other}}
"""
    data = os.path.realpath(tmp_path / "data/postgres")
    env = f"PORT=5432\nDATA={data}\nNAME=orienter-dashboard\nONE=4098\n"

    found = neighbours(compose, tmp_path, overlay, env=env)

    assert told(found) == {
        ("compose/stack-container-name", "${NAME}"),
        ("compose/stack-port", "${PORT}/tcp"),
        ("compose/stack-port", "4098/tcp"),  # the compose file says it too
        ("compose/stack-volume", "${DATA}"),
    }
    shown = " ".join(one.message + one.fix for one in found if one.subject != "4098/tcp")
    assert data not in shown and "publishes ${PORT}" in shown
