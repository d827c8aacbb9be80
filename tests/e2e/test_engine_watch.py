"""Real engines, asked over one process: here, and through a real sshd."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orient_deploy.engine.api import Engine, Wanted, local_dial, server_dial
from orient_deploy.engine.wire import Dial, Pipe
from orient_deploy.errors import EnvironmentLacks, RemoteError
from orient_deploy.health.observation import Containers, Exit
from orient_deploy.hidden import Hidden
from orient_deploy.preflight.defaults import is_secret_name
from orient_deploy.server.host import Host
from orient_deploy.server.keys import Pins
from orient_deploy.server.ssh import connect
from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.ssh_server import SshServer, ssh_server

CANARY = "Zx81-swordfish"
WAIT_S = 20.0


@pytest.fixture(scope="module", params=["28", "20"])
def machine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DockerEngine]:
    with docker_engine(request.param) as one:
        context = tmp_path_factory.mktemp("image")
        shutil.copy(one.busybox, context / "busybox")
        (context / "Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nSTOPSIGNAL SIGKILL\n"
        )
        one.docker("build", "--quiet", "--tag", "part:1", context)
        yield one


@pytest.fixture
def run(machine: DockerEngine) -> Iterator[Callable[..., str]]:
    """Start a container of the image; all of them go at the end."""

    def start(name: str, script: str, *options: str) -> str:
        words = ["run", "-d", "--network", "none", "--name", name, *options, "part:1"]
        return machine.docker(*words, "/bin/sh", "-c", script).stdout.strip()

    yield start
    found = machine.docker("ps", "-aq").stdout.split()
    if found:
        machine.docker("rm", "-f", *found)


def watched(machine: DockerEngine, *names: str, dial: Dial | None = None) -> Engine:
    dial = dial or local_dial({**os.environ, **machine.env})
    return Engine(dial, Wanted(names=names), is_secret_name, here=True)


def until(engine: Engine, holds: Callable[[Containers], bool]) -> Containers:
    """Look until it is so."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = engine.look(5)
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def exits(engine: Engine, container: str, count: int) -> list[Exit]:
    """The first ends of a container that are told."""
    found: list[Exit] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += [one for one in engine.look(5).exits if one.container == container]
        time.sleep(0.05)
    return found


def test_a_container_is_seen_as_it_is(machine: DockerEngine, run: Callable[..., str]) -> None:
    check = ("--health-cmd", "busybox false", "--health-interval", "100ms", "--health-retries=1")
    sick = run("sick", "busybox sleep 600", *check)
    run("other", "busybox sleep 600")
    machine.docker("pause", "other")
    run("ended", "exit 7")

    with watched(machine, "sick", "ended") as engine:
        found = until(engine, lambda one: {each.health for each in one.seen} >= {"unhealthy", ""})

    seen = {one.name: one for one in found.seen}
    assert set(seen) == {"sick", "ended"} and seen["sick"].id == sick
    assert seen["sick"].status == "running" and seen["sick"].health_log[-1].exit_code == 1
    assert seen["sick"].age_s < 60 and seen["sick"].check_needs_s == pytest.approx(0.1)
    assert (seen["ended"].status, seen["ended"].exit_code) == ("exited", 7)


def test_every_end_is_told_once(machine: DockerEngine, run: Callable[..., str]) -> None:
    with watched(machine) as engine:
        one = run("loop", "exit 3", "--restart", "on-failure:3")
        found = exits(engine, one, 4)
        until(engine, lambda each: each.seen[0].restart_count == 3)

        assert found == [Exit(container=one, exit_code=3)] * 4
        assert engine.look(5).exits == ()


@contextmanager
def _cut(inner: Dial, pipes: list[Pipe]) -> Iterator[Pipe]:
    with inner() as pipe:
        pipes.append(pipe)
        yield pipe


def test_ends_are_told_that_came_while_nobody_heard(
    machine: DockerEngine, run: Callable[..., str], tmp_path: Path
) -> None:
    with (
        ssh_server(tmp_path) as server,
        _logged_in(server) as (host, docker),
        connect(
            Host.parse(host),
            environment=os.environ,
            pins=Pins(known_hosts=server.known_hosts),
            key=Hidden(server.key),
        ) as there,
    ):
        dial = server_dial(there, docker(machine))
        with Engine(dial, Wanted(), is_secret_name, here=False) as engine:
            assert engine.look(5).why == ""
            server.drop()
            one = run("short", "exit 9")
            machine.docker("wait", "short")
            blind = engine.look(5)
            found = exits(engine, one, 1)

    assert blind.why and blind.seen == () and blind.exits == ()
    assert found == [Exit(container=one, exit_code=9)]


@contextmanager
def _logged_in(
    server: SshServer,
) -> Iterator[tuple[str, Callable[[DockerEngine], list[str]]]]:
    def docker(machine: DockerEngine) -> list[str]:
        kept = ("PATH", "DOCKER_HOST", "DOCKER_CONFIG")
        return ["env", *(f"{name}={machine.env[name]}" for name in kept), "docker"]

    yield server.address, docker


def test_what_could_not_be_started_says_why(machine: DockerEngine, run: Callable[..., str]) -> None:
    machine.docker("create", "--name", "broken", "--network", "none", "part:1", "/none")
    machine.docker("start", "broken", check=False)

    with watched(machine) as engine:
        one = engine.look(5).seen[0]

    assert one.status == "created" and "no such file" in one.error


def test_logs_come_in_their_order(machine: DockerEngine, run: Callable[..., str]) -> None:
    one = run("talks", "for i in 1 2 3; do echo out $i; busybox sleep 0.05; echo err $i >&2; done")
    machine.docker("wait", "talks")
    terminal = run("terminal", "echo $((6*7)); exit 0", "-t")
    machine.docker("wait", "terminal")

    with watched(machine) as engine:
        # The engine itself does not say which of two outputs was first within a moment.
        assert sorted(engine.logs(one, 3, 5).splitlines()) == [b"err 2", b"err 3", b"out 3"]
        assert engine.logs(terminal, 9, 5) == b"42\r\n"
        assert engine.logs("0" * 64, 3, 5) == b""


def test_a_command_runs_inside(machine: DockerEngine, run: Callable[..., str]) -> None:
    one = run("app", "busybox sleep 600")
    ended = run("ended", "exit 0")

    with watched(machine) as engine:
        assert engine.run(one, ["sh", "-c", "echo a; exit 4"], 5) == (4, b"a\n")
        assert engine.run(one, ["sh", "-c", "true"], 5) == (0, b"")
        assert engine.run(ended, ["sh", "-c", "true"], 5) is None
        assert engine.run(one, ["sh", "-c", "busybox sleep 60"], 0.3) is None


def test_what_a_container_was_given_is_known_and_not_shown(
    machine: DockerEngine, run: Callable[..., str]
) -> None:
    url = f"postgres://bot:{CANARY}@db/bot"
    one = run("app", "busybox sleep 600", "-e", "API_TOKEN=x1", "-e", f"DSN={url}", "-e", "A=b")

    with watched(machine) as engine:
        assert engine.secrets(one) == ()
        engine.look(5)
        found = engine.secrets(one)

    assert [each.reveal() for each in found] == [url, CANARY, "x1"]
    assert CANARY not in repr(found)


def test_a_look_starts_no_process(machine: DockerEngine, run: Callable[..., str]) -> None:
    for index in range(10):
        run(f"app-{index}", "busybox sleep 600")

    def forks() -> int:
        text = Path("/proc/self/task").resolve().parent / "children"
        return len(text.read_text().split()) if text.exists() else 0

    with watched(machine) as engine:
        assert len(engine.look(5).seen) == 10
        before = forks()
        for _ in range(5):
            assert len(engine.look(5).seen) == 10
        assert forks() == before


def test_an_engine_that_is_not_there_is_told(machine: DockerEngine, tmp_path: Path) -> None:
    env = {**os.environ, **machine.env, "DOCKER_HOST": f"unix://{tmp_path}/none"}

    with pytest.raises(EnvironmentLacks, match="docker cannot be asked"):
        Engine(local_dial(env), Wanted(), is_secret_name, here=True).__enter__()
    with pytest.raises(RemoteError, match="sudo docker"):
        Engine(local_dial(env), Wanted(), is_secret_name, here=False).__enter__()
    with pytest.raises(EnvironmentLacks, match="there is no docker"):
        local_dial({"PATH": str(tmp_path)})


def test_an_engine_that_ends_is_seen_no_more(tmp_path: Path) -> None:
    with docker_engine("28") as own, watched(own) as engine:
        assert engine.look(5).why == ""
        own.stop()
        begun = time.monotonic()
        found = engine.look(2)

        assert found.why and found.seen == ()
        assert time.monotonic() - begun < 5
