"""Docker is started, watched and ended: nothing of it stays behind, nothing secret is shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orient_deploy.buildx import docker as room
from orient_deploy.buildx.docker import Builder, Docker
from orient_deploy.errors import EnvironmentLacks
from tests.fakes.docker_command import FakeDocker

SCRIPTS = Path(__file__).parents[3] / "scripts"
CONTAINERD = '[["driver-type","io.containerd.snapshotter.v1"]]\n'
CLASSIC = '[["Backing Filesystem","extfs"]]\n'


@pytest.fixture
def fake(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path)


def docker(fake: FakeDocker, **environment: str) -> Docker:
    return Docker({"PATH": fake.path, **environment})


@pytest.mark.parametrize(
    ("driver", "status", "builder"),
    [
        pytest.param("docker", CONTAINERD, Builder(driver="docker", full=True), id="containerd"),
        pytest.param("docker", CLASSIC, Builder(driver="docker", full=False), id="classic"),
        pytest.param("docker", "<no value>", Builder(driver="docker", full=False), id="odd"),
        pytest.param(
            "docker-container", CLASSIC, Builder(driver="docker-container", full=True), id="other"
        ),
    ],
)
def test_the_builder_tells_what_it_can(
    fake: FakeDocker, driver: str, status: str, builder: Builder
) -> None:
    fake.answers("buildx inspect", stdout=f"Name:   x\nDriver: {driver}\n\nNodes:\nName: x\n")
    fake.answers("info", stdout=status)

    assert docker(fake).builder() == builder


def test_no_docker_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacks, match="there is no docker: no program of this name"):
        Docker({"PATH": str(tmp_path)}).builder()


def test_no_buildx_is_told(fake: FakeDocker) -> None:
    with pytest.raises(EnvironmentLacks, match="there is no docker buildx"):
        docker(fake).builder()


DOWN = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"


def test_an_engine_that_is_down_is_told(fake: FakeDocker) -> None:
    """buildx is content with it: it says so inside its answer."""
    fake.answers("buildx inspect", stdout=f"Name: default\nDriver:  \nError:    {DOWN}\n")

    with pytest.raises(EnvironmentLacks, match="the Docker engine does not answer: Cannot connect"):
        docker(fake).builder()

    fake.answers("buildx inspect", stdout="Driver: docker\n")
    fake.answers("info", stderr=f"ERROR: {DOWN}\n", code=1)

    with pytest.raises(EnvironmentLacks, match="the Docker engine does not answer: Cannot connect"):
        docker(fake).builder()


def test_a_builder_that_is_gone_is_told(fake: FakeDocker) -> None:
    fake.answers("buildx inspect", stderr='ERROR: no builder "gone" found\n', code=1)

    with pytest.raises(EnvironmentLacks, match='no builder that works: no builder "gone" found'):
        docker(fake).builder()


def test_a_question_without_an_answer_ends(
    fake: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "QUESTION_TIMEOUT_S", 0.5)
    fake.runs("buildx inspect", "exec sleep 600")

    with pytest.raises(EnvironmentLacks, match="`docker buildx` does not answer"):
        docker(fake).builder()


def test_what_the_action_was_given_is_not_handed_on(fake: FakeDocker) -> None:
    fake.answers("login")

    docker(fake, INPUT_TOKEN="hunter22", NPM_TOKEN="hunter23").ask(["login", "x"], stdin="secret")

    (call,) = fake.calls
    assert "INPUT_TOKEN" not in call.environment
    assert call.environment["NPM_TOKEN"] == "hunter23"
    assert call.stdin == "secret"


# --- a build


def run_build(fake: FakeDocker, script: str, *hidden: str) -> tuple[room.Finished, str]:
    """The end of a build that is this script, and what it showed."""
    fake.runs("buildx build", script)
    shown: list[str] = []
    finished = docker(fake).build(
        ["buildx", "build"], folder="/", timeout_s=60.0, show=shown.append, hidden=hidden
    )
    return finished, "\n".join(shown)


def test_both_streams_are_shown_in_whole_lines(fake: FakeDocker) -> None:
    finished, shown = run_build(fake, "echo one; echo two >&2; printf '\\303'; printf '\\251 end'")

    assert shown == "one\ntwo\né end"
    assert finished.tail == ("one", "two", "é end")
    assert (finished.code, finished.timed_out) == (0, False)


def test_a_failed_build_has_its_code(fake: FakeDocker) -> None:
    finished, shown = run_build(fake, "echo 'ERROR: no'; exit 3")

    assert (finished.code, shown) == (3, "ERROR: no")


def test_secrets_are_hidden_whichever_way_they_come(fake: FakeDocker) -> None:
    """Also where the pipe hands over half of one."""
    script = "printf 'a hun'; sleep 0.2; printf 'ter22 b\\n'; echo hunter22-longer and hunter23"

    finished, shown = run_build(fake, script, "hunter22", "hunter22-longer", "hunter23")

    assert shown == "a *** b\n*** and ***"
    assert "hunter" not in "".join(finished.tail)


def test_of_a_long_log_the_end_is_kept(fake: FakeDocker) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done"

    finished, shown = run_build(fake, script)

    assert len(shown.splitlines()) == 3000
    assert finished.tail == tuple(map(str, range(3000 - room.TAIL_LINES, 3000)))


# A build that starts a plugin, as docker does, and neither of them minds a request.
STUBBORN = """
trap '' TERM INT
sh -c 'trap "" TERM INT; echo $$ >"$0"; echo started; while :; do sleep 0.1; done' {pid}
"""


def gone(pid: int) -> bool:
    """Whether a process ended; one that nobody waits for has."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


@pytest.fixture
def time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file: the time limit of a build passes once somebody wrote it."""
    file = tmp_path / "time-is-up"

    class Timer(threading.Thread):
        def __init__(self, _: float, function: Callable[[], None]) -> None:
            super().__init__(daemon=True)
            self._function = function
            self._over = threading.Event()

        def run(self) -> None:
            while not self._over.wait(0.02):
                if file.exists() and file.read_text():
                    self._function()
                    return

        def cancel(self) -> None:
            self._over.set()

    monkeypatch.setattr(threading, "Timer", Timer)
    return file


def test_a_build_out_of_time_is_ended_with_all_that_it_started(
    fake: FakeDocker, time_is_up: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "GRACE_S", 0.2)

    finished, _ = run_build(fake, STUBBORN.format(pid=time_is_up))

    assert finished.timed_out
    assert gone(int(time_is_up.read_text()))


def test_a_build_out_of_time_may_say_so_itself(fake: FakeDocker, time_is_up: Path) -> None:
    script = (
        f"trap 'echo canceled; exit 130' TERM; echo up >{time_is_up}; while :; do sleep 0.05; done"
    )

    finished, shown = run_build(fake, script)

    assert (finished.code, finished.timed_out) == (130, True)
    assert shown.splitlines()[-1] == "canceled"


PROGRAM = """
import signal, sys
sys.path[:0] = [{scripts!r}]
from orient_deploy.buildx import docker
docker.GRACE_S = 0.2
def end(number, frame):
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, end)
d = docker.Docker({{"PATH": {path!r}}})
d.build(["buildx", "build"], folder="/", timeout_s=60, show=lambda text: print(text, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_ended_ends_the_build(
    fake: FakeDocker, tmp_path: Path, number: signal.Signals
) -> None:
    pid = tmp_path / "pid"
    fake.runs("buildx build", STUBBORN.format(pid=pid))
    program = PROGRAM.format(scripts=str(SCRIPTS), path=fake.path)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.send_signal(number)
        process.wait(30)

    assert gone(int(pid.read_text()))


def test_the_metadata_file_stays_small(fake: FakeDocker) -> None:
    run_build(fake, "true")

    assert fake.calls[0].environment["BUILDX_METADATA_PROVENANCE"] == "disabled"
    assert json.dumps(fake.calls[0].arguments) == '["buildx", "build"]'
