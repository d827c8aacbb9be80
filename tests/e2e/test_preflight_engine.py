"""What preflight foretells happens: the same project, started on a real engine.

Ports are published on 127.0.0.1 alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orient_deploy.preflight.compose import Surroundings, check_project
from orient_deploy.preflight.neighbours import Stack, check_neighbours
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.project import Project, resolve
from tests.machines.docker_engine import DockerEngine, docker_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    with docker_engine("28") as found:
        context = tmp_path_factory.mktemp("image")
        shutil.copy(found.busybox, context / "busybox")
        (context / "Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /busybox\nSTOPSIGNAL SIGKILL\n"
            'CMD ["/busybox", "sleep", "600"]\n'
        )
        for tag in ("sleeper:1", "postgres:16"):  # a name of Docker's library, without its check
            found.docker("build", "--quiet", "--tag", tag, context)
        yield found


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@dataclass(frozen=True, kw_only=True)
class Case:
    compose: str
    check: str  # '' where nothing is found
    told: str  # by the engine


def service(name: str, *lines: str, image: str = "sleeper:1") -> str:
    return "".join(f"{text}\n" for text in (f"  {name}:", f"    image: {image}", *lines))


PORT = "    ports: ['127.0.0.1:PORT:80']"
HEALTHY = "    depends_on: {db: {condition: service_healthy}}"
CASES = {
    "a-port-twice": Case(
        compose=service("a", PORT) + service("b", PORT.replace("80'", "81'")),
        check="compose/port-twice",
        told="port is already allocated",
    ),
    "a-port-of-two-protocols": Case(
        compose=service("a", PORT) + service("b", PORT.replace("80'", "81/udp'")), check="", told=""
    ),
    "health-that-nobody-tells": Case(
        compose=service("a", HEALTHY) + service("db", image="postgres:16"),
        check="compose/healthcheck-missing",
        told="has no healthcheck configured",
    ),
    "health-that-is-told": Case(
        compose=service("a", HEALTHY)
        + service(
            "db",
            "    healthcheck: {test: [CMD, /busybox, 'true'], interval: 1s}",
            image="postgres:16",
        ),
        check="",
        told="",
    ),
}


def found_in(engine: DockerEngine, file: Path, name: str) -> Project:
    compose = Compose.found({**os.environ, **engine.env})
    return resolve(compose, {file.name: str(file)}, name=name)


def up(engine: DockerEngine, file: Path, name: str) -> subprocess.CompletedProcess[str]:
    return engine.docker("compose", "-p", name, "-f", file, "up", "-d", "-t", "0", check=False)


def down(engine: DockerEngine, *names: str) -> None:
    for name in names:
        engine.docker("compose", "-p", name, "down", "-t", "0", "--remove-orphans", check=False)


@pytest.mark.parametrize("name", CASES)
def test_what_is_foretold_happens(name: str, engine: DockerEngine, tmp_path: Path) -> None:
    case = CASES[name]
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n{case.compose}".replace("PORT", str(free_port())))

    found = check_project(found_in(engine, file, name), Surroundings())
    try:
        done = up(engine, file, name)
    finally:
        down(engine, name)

    assert [one.check for one in found] == ([case.check] if case.check else [])
    assert (done.returncode != 0) is bool(case.check), done.stderr
    assert case.told in done.stderr


@pytest.mark.parametrize(
    ("line", "check", "told"),
    [
        pytest.param(
            "    container_name: same",
            "compose/stack-container-name",
            'The container name "/same" is already in use',
            id="container-name",
        ),
        pytest.param(PORT, "compose/stack-port", "port is already allocated", id="port"),
        pytest.param("    environment: {A: '1'}", "", "", id="nothing"),
    ],
)
def test_what_two_stacks_take_from_each_other(
    line: str, check: str, told: str, engine: DockerEngine, tmp_path: Path
) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(f"services:\n{service('a', line)}".replace("PORT", str(free_port())))
    root = str(tmp_path)
    stacks = [
        Stack(name=name, project=found_in(engine, file, name), directory="~/x", root=root)
        for name in ("production", "staging")
    ]

    found = check_neighbours(stacks[1], stacks[0])
    try:
        first, second = up(engine, file, "production"), up(engine, file, "staging")
    finally:
        down(engine, "production", "staging")

    assert [one.check for one in found] == ([check] if check else [])
    assert first.returncode == 0, first.stderr
    assert (second.returncode != 0) is bool(check), second.stderr
    assert told in second.stderr
