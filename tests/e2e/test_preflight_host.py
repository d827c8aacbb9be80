"""What a server has, told by the script on a real sshd with a real engine behind it.

Ports are published on 127.0.0.1 alone; the registry is on loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.server.host_facts import Container, HostFacts, command, parse_facts
from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.image_registry import ImageRegistry, image_registry
from tests.machines.parts import as_root, part
from tests.machines.ssh_server import SshServer, make_key, ssh_server
from tests.unit.commands.conftest import Finished, run_command

CANARY = "Zx81-swordfish"
CONFIG = """\
version: 1
images: {dashboard: {repository: ghcr.io/acme/dashboard}}
environments:
  production:
    hosts: ['ADDRESS']
    directory: ~/orienter
    workdir: .
    project: production
    compose: [compose.yml]
    env-file: .env
    docker: DOCKER
"""
COMPOSE = """\
services:
  dashboard:
    image: sleeper:1
    container_name: orienter-dashboard
    environment: {SECRET: '$SECRET', PLAIN: a, CHOSEN: '${CHOSEN:-x}', URL: 'h://$$u:${SECRET}<&>'}
    env_file: [more.env]
    deploy: {resources: {limits: {memory: 64M}}}
    ports: ['127.0.0.1:PORT:80']
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    with docker_engine("28") as found:
        build_sleeper(found, tmp_path_factory.mktemp("image"))
        yield found


def build_sleeper(engine: DockerEngine, context: Path) -> None:
    shutil.copy(engine.busybox, context / "busybox")
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /busybox\nSTOPSIGNAL SIGKILL\n"
        'CMD ["/busybox", "sleep", "600"]\n'
    )
    engine.docker("build", "--quiet", "--tag", "sleeper:1", context)


@pytest.fixture(scope="module")
def registry() -> Iterator[ImageRegistry]:
    with image_registry(auth=False, tls=False) as found:
        yield found


def facts(
    engine: DockerEngine,
    shell: list[str],
    *,
    directory: str = "/",
    images: tuple[str, ...] = (),
    paths: tuple[str, ...] = (),
    projects: tuple[str, ...] = ("production",),
    env: dict[str, str] | None = None,
) -> HostFacts:
    """What the script tells, run here by a shell."""
    asked = command(directory, ("docker",), projects=projects, images=images, paths=paths)
    done = subprocess.run(
        [*shell, *asked[1:]],
        env={**os.environ, **engine.env, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return parse_facts(done.stdout, images=images, paths=paths)


def shells(engine: DockerEngine) -> dict[str, list[str]]:
    return {"dash": ["dash"], "bash": ["bash"], "busybox": [str(engine.busybox), "sh"]}


def compose(engine: DockerEngine, folder: Path, *arguments: str, **env: str) -> None:
    subprocess.run(
        ["docker", "compose", "-p", "production", "-f", folder / "compose.yml", *arguments],
        env={**os.environ, **engine.env, **env},
        capture_output=True,
        check=True,
        timeout=120,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "orienter"
    folder.mkdir()
    (folder / "compose.yml").write_text(COMPOSE.replace("PORT", str(free_port())))
    (folder / ".env").write_text(f"SECRET={CANARY}\n")
    (folder / "more.env").write_text("MORE='\"a\\tb'\nWITH=<${SECRET}>\n")
    return folder


@pytest.fixture
def running(engine: DockerEngine, project: Path) -> Iterator[Path]:
    """The project, running."""
    compose(engine, project, "up", "-d")
    yield project
    engine.docker("compose", "-p", "production", "down", "-t", "0", "--remove-orphans", check=False)


def one(found: HostFacts, name: str = "orienter-dashboard") -> Container:
    assert found.containers is not None
    return next(each for each in found.containers if each.name == name)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_each_shell_tells_the_same(shell: str, engine: DockerEngine, running: Path) -> None:
    (running / "it's a.pem").write_text("")
    found = facts(
        engine, shells(engine)[shell], directory=str(running), paths=("it's a.pem", "/none", "~")
    )

    assert found.docker.startswith("28.") and found.compose.startswith("2.40")
    assert found.missing_tools == () and found.docker_failure == ""
    assert found.clock_s and found.memory_kb and found.has_directory
    assert {space.path for space in found.spaces} == {".", "/"}
    assert found.networks and {"bridge", "host", "production_default"} <= found.networks
    assert dict(found.paths) == {"it's a.pem": True, "/none": False, "~": True}
    container = one(found)
    assert (container.state, container.project, container.service) == (
        *("running", "production"),
        "dashboard",
    )
    assert container.changed == () and not container.is_one_off
    assert [port[0] for port in container.ports] == ["127.0.0.1"]
    assert container.networks == {"production_default"}
    port = container.ports[0][1]
    assert any(held.number == port and held.address == "127.0.0.1" for held in found.listeners)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_restart_reads_no_variables(shell: str, engine: DockerEngine, running: Path) -> None:
    """Who was restarted after a change is told; who was recreated is not."""
    dash = ["dash"]
    (running / ".env").write_text(f"SECRET={CANARY}-2\n")
    (running / "more.env").write_text("MORE='\"a\\tb'\nNEW=1\n")
    engine.docker("restart", "-t", "0", "orienter-dashboard")
    restarted = one(facts(engine, shells(engine)[shell], directory=str(running)))

    compose(engine, running, "up", "-d")
    recreated = one(facts(engine, dash, directory=str(running)))

    assert (restarted.changed, recreated.changed) == (("NEW", "SECRET", "URL"), ())


@pytest.mark.parametrize("version", ["compose-2.26", "28"])
def test_what_a_shell_set_is_no_difference(
    version: str, engine: DockerEngine, running: Path, tmp_path: Path
) -> None:
    """Nor what another Compose made, or what the files leave to whoever starts the project."""
    (tmp_path / "cli-plugins").symlink_to(part(version) / "usr/libexec/docker/cli-plugins")
    compose(engine, running, "down", "-t", "0")
    compose(engine, running, "up", "-d", CHOSEN="shell", DOCKER_CONFIG=str(tmp_path))

    found = one(facts(engine, ["dash"], directory=str(running)))

    assert found.changed == ()


SHELL = """\
services:
  dashboard:
    image: sleeper:1
    container_name: orienter-dashboard
    environment: [SECRET, GIVEN, 'A=$CHOSEN', 'B=${SECRET}:', 'C=c', D]
    env_file: [more.env]
"""


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_lists_and_files_that_leave_something_to_a_shell(
    shell: str, engine: DockerEngine, project: Path
) -> None:
    """What only whoever started the project knew is no difference; the rest is."""
    (project / "compose.yml").write_text(SHELL)
    (project / "more.env").write_text(
        "E=$CHOSEN-${SECRET}\n export F='f' \nG=${SECRET}\nH=$CHOSEN\n"
    )
    try:
        compose(engine, project, "up", "-d", CHOSEN="shell", GIVEN="shell")
        before = one(facts(engine, shells(engine)[shell], directory=str(project)))
        (project / ".env").write_text(f"SECRET={CANARY}-2\n")
        after = one(facts(engine, shells(engine)[shell], directory=str(project)))
        (project / "compose.yml").write_text(SHELL.replace("C=c", "C=d"))
        (project / "more.env").write_text("E=$CHOSEN-${SECRET}\nF=new\nH=new\n")
        last = one(facts(engine, shells(engine)[shell], directory=str(project)))
    finally:
        compose(engine, project, "down", "-t", "0")

    assert before.changed == ()
    assert after.changed == ("B", "G", "SECRET")
    assert last.changed == ("B", "C", "F", "H", "SECRET")


def test_projects_of_others_are_not_compared(engine: DockerEngine, running: Path) -> None:
    (running / ".env").write_text("SECRET=2\n")

    found = facts(engine, ["dash"], directory=str(running), projects=("other",))

    assert one(found).changed is None


@pytest.mark.parametrize("lost", ["compose.yml", "more.env"])
def test_lost_files_are_compared_with_nothing(
    lost: str, engine: DockerEngine, running: Path
) -> None:
    (running / ".env").write_text("SECRET=2\n")
    (running / lost).unlink()

    assert one(facts(engine, ["dash"], directory=str(running))).changed is None


def test_nothing_of_a_variable_is_printed(engine: DockerEngine, running: Path) -> None:
    (running / ".env").write_text(f"SECRET={CANARY}-2\n")
    done = subprocess.run(
        command(str(running), ("docker",), projects=["production"], images=["sleeper:1"]),
        env={**os.environ, **engine.env},
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert CANARY.encode() not in done.stdout + done.stderr
    assert b'differs "/orienter-dashboard" SECRET\n' in done.stdout


def test_images_are_there_or_not(
    engine: DockerEngine, registry: ImageRegistry, tmp_path: Path
) -> None:
    there = f"{registry.host}/acme/there:1"
    engine.docker("tag", "sleeper:1", there)
    engine.docker("push", "--quiet", there)
    engine.docker("rmi", there)
    absent, refused = f"{registry.host}/acme/absent:1", "127.0.0.1:9/a:1"
    images = ("sleeper:1", there, absent, refused)

    found = facts(engine, ["dash"], images=images)

    assert dict(found.images) == {
        "sleeper:1": "present",
        there: "there",
        absent: "absent",
        refused: "unknown",
    }


def test_a_registry_refuses_or_is_not_reached(engine: DockerEngine, tmp_path: Path) -> None:
    """An engine that goes through a proxy has a way of its own; that of these tests does."""
    real = shutil.which("docker", path=engine.env["PATH"])
    shim(tmp_path, "docker", f'case $* in *HTTPProxy*) ;; *) exec {real} "$@" ;; esac')
    way = {"PATH": f"{tmp_path}:{engine.env['PATH']}"}
    with image_registry(auth=True) as closed:
        refused, down = f"{closed.host}/acme/a:1", "127.0.0.1:9/a:1"
        found = facts(engine, ["dash"], images=(refused, down), env=way)

    assert dict(found.images) == {refused: "denied", down: "unreachable"}


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        pytest.param("exit 127", "missing", id="no-docker"),
        pytest.param(
            "echo 'permission denied while trying to connect to the socket' >&2; exit 1",
            "denied",
            id="a-closed-socket",
        ),
        pytest.param("sleep 600", "hung", id="an-engine-that-hangs"),
        pytest.param("echo odd >&2; exit 1", "failed", id="something-else"),
    ],
)
def test_a_docker_that_does_not_answer_is_told(
    script: str, failure: str, engine: DockerEngine, tmp_path: Path
) -> None:
    shim = tmp_path / "docker"
    shim.write_text(f"#!/bin/sh\n{script}\n")
    shim.chmod(0o755)
    # Nobody waits for twenty seconds here: what bounds a question is bounded itself.
    timeout = tmp_path / "timeout"
    timeout.write_text('#!/bin/sh\nshift; exec /usr/bin/timeout 1 "$@"\n')
    timeout.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"

    found = facts(engine, ["dash"], env={"PATH": path})

    assert found.docker_failure == failure and found.containers is None
    assert found.clock_s


def test_an_engine_that_hangs_in_the_middle_is_told(engine: DockerEngine, tmp_path: Path) -> None:
    """Its version is answered long after it does nothing else any more."""
    shim = tmp_path / "docker"
    real = shutil.which("docker", path=engine.env["PATH"])
    shim.write_text(f'#!/bin/sh\n[ "$1" != ps ] || exec sleep 600\nexec {real} "$@"\n')
    timeout = tmp_path / "timeout"
    timeout.write_text('#!/bin/sh\nshift; exec /usr/bin/timeout 1 "$@"\n')
    for program in (shim, timeout):
        program.chmod(0o755)

    found = facts(engine, ["dash"], env={"PATH": f"{tmp_path}:{engine.env['PATH']}"})

    assert found.docker_failure == "hung" and found.containers is None
    assert found.docker.startswith("28.")


def shim(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_what_cannot_be_ended_is_not_waited_for(
    shell: str, engine: DockerEngine, tmp_path: Path
) -> None:
    """Docker below sudo is root's, so `timeout` may not end it; here it does not listen to it."""
    shim(tmp_path, "docker", "trap '' TERM\nwhile :; do /bin/sleep 0.2; [ -e stop ] && exit; done")
    shim(tmp_path, "timeout", 'shift; exec "$@"')
    shim(tmp_path, "sleep", "exec /bin/sleep 1")
    begun = time.monotonic()

    try:
        found = facts(
            engine,
            [shell],
            directory=str(tmp_path),
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
    finally:
        (tmp_path / "stop").touch()

    assert time.monotonic() - begun < 30
    assert found.docker_failure == "hung" and found.clock_s and found.containers is None


def test_nothing_is_left_behind(engine: DockerEngine, tmp_path: Path) -> None:
    """What would have ended the script ends with it; nor does it hold what the script prints to."""
    shim(tmp_path, "sleep", f'echo $$ >> {tmp_path}/pids; exec /bin/sleep "$@"')
    begun = time.monotonic()

    facts(engine, ["dash"], env={"PATH": f"{tmp_path}:{engine.env['PATH']}"})

    assert time.monotonic() - begun < 50
    pids = (tmp_path / "pids").read_text().split()
    assert pids and not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_socket_of_others_is_denied(engine: DockerEngine, tmp_path: Path) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    kept = [f"{name}={engine.env[name]}" for name in ("PATH", "DOCKER_HOST")]
    program = shutil.which("docker", path=engine.env["PATH"])
    assert program
    shutil.copy(program, "/var/tmp/orient-deploy-docker")
    try:
        shell = [*map(str, as_root("env", *kept, *nobody)), "dash"]
        asked = command("/", ("/var/tmp/orient-deploy-docker",))
        done = subprocess.run(
            [*shell, *asked[1:]], capture_output=True, check=False, timeout=60, cwd="/"
        )
    finally:
        os.unlink("/var/tmp/orient-deploy-docker")

    assert parse_facts(done.stdout).docker_failure == "denied"


def test_a_container_that_failed_is_told(engine: DockerEngine) -> None:
    run = ("run", "--detach", "--name", "failed", "sleeper:1", "/busybox", "sh", "-c", "exit 3")
    engine.docker(*run)
    engine.docker("wait", "failed")
    try:
        found = one(facts(engine, ["dash"]), "failed")
    finally:
        engine.docker("rm", "failed")

    assert (found.state, found.exit_code, found.was_killed) == ("exited", 3, False)


def test_what_may_not_be_looked_at_is_not_missing(engine: DockerEngine, tmp_path: Path) -> None:
    """Certbot's folders are root's alone."""
    folder = tmp_path / "closed"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.pem").write_text("")
    (tmp_path / "link.pem").symlink_to(folder / "a.pem")
    folder.chmod(0o700)
    for above in [tmp_path, *tmp_path.parents]:
        if above.is_relative_to(tempfile.gettempdir()):
            above.chmod(above.stat().st_mode | 0o055)
    paths = ("closed/a.pem", "closed/inner/deep/a.pem", "link.pem", "none/a.pem", "closed")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    shell = [*map(str, as_root(*nobody)), "dash"]

    found = facts(engine, shell, directory=str(tmp_path), paths=paths)

    assert dict(found.paths) == {"none/a.pem": False, "closed": True}


def test_a_full_disk_is_told(engine: DockerEngine, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    begin = 'mount -t tmpfs -o size=1m,nr_inodes=20 none "$0" && cd "$0" && touch 1 2 3 4 5 && "$@"'
    shell = [*map(str, as_root("unshare", "--mount", "sh", "-c", begin, str(full))), "dash"]

    found = facts(engine, shell, directory=str(full))

    space = next(each for each in found.spaces if each.path == ".")
    assert (space.total_kb, space.free_kb, space.inodes) == (1024, 1024, 20)
    assert 0 < space.free_inodes <= 15


def test_what_listens_without_a_container_is_told(engine: DockerEngine) -> None:
    with socket.socket() as listener, socket.socket(type=socket.SOCK_DGRAM) as other:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        other.bind(("127.0.0.1", 0))
        found = facts(engine, ["dash"])
        numbers = {"tcp": listener.getsockname()[1], "udp": other.getsockname()[1]}

    told = {(held.protocol, held.number, held.address) for held in found.listeners}
    assert {(kind, number, "127.0.0.1") for kind, number in numbers.items()} <= told


def test_an_older_engine_tells_the_same(tmp_path: Path) -> None:
    with docker_engine("20") as old:
        build_sleeper(old, tmp_path)
        old.docker("run", "--detach", "--name", "alone", "--network", "host", "sleeper:1")
        found = facts(old, ["dash"], images=("sleeper:1", "127.0.0.1:9/a:1"))

    assert found.docker.startswith("20.10") and found.docker_failure == ""
    container = one(found, "alone")
    assert (container.project, container.networks) == ("", frozenset({"host"}))
    assert dict(found.images) == {"sleeper:1": "present", "127.0.0.1:9/a:1": "unknown"}


def test_a_server_without_timeout_tells_the_same(engine: DockerEngine, tmp_path: Path) -> None:
    shim(tmp_path, "timeout", "exit 1")

    found = facts(engine, ["dash"], env={"PATH": f"{tmp_path}:{engine.env['PATH']}"})

    assert found.docker.startswith("28.") and found.containers is not None


def test_a_stopped_engine_is_told(engine: DockerEngine) -> None:
    found = facts(engine, ["dash"], env={"DOCKER_HOST": "unix:///nowhere.sock"})

    assert found.docker_failure == "unreachable"


# --- the whole way


class Laptop:
    """A clone whose configuration leads to the server."""

    def __init__(self, folder: Path, server: SshServer, engine: DockerEngine, text: str) -> None:
        self.folder = folder / "clone"
        (self.folder / ".github").mkdir(parents=True)
        docker = (
            f"PATH={engine.env['PATH']} DOCKER_HOST={engine.env['DOCKER_HOST']} "
            f"DOCKER_CONFIG={engine.env['DOCKER_CONFIG']} docker"
        )
        config = CONFIG.replace("ADDRESS", server.address).replace("DOCKER", docker)
        (self.folder / ".github/orient-deploy.yml").write_text(config)
        (self.folder / "compose.yml").write_text(text)
        (self.folder / "Dockerfile").write_text("FROM scratch\n")
        self._git("init", "-q")
        engine_part = part("28") / "usr"
        home = folder / "home"
        (home / ".docker").mkdir(parents=True)
        (home / ".docker/cli-plugins").symlink_to(engine_part / "libexec/docker/cli-plugins")
        self.env = {
            "PATH": f"{engine_part / 'bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "INPUT_SSH_KEY": server.key,
            "INPUT_KNOWN_HOSTS": server.known_hosts,
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder),
        }
        self.commit()

    def commit(self) -> None:
        """Have the run see what is in the folder."""
        self._git("add", "-A")
        self._git("commit", "-qm", "x")
        self.env["GITHUB_SHA"] = self._git("rev-parse", "HEAD").strip()

    def _git(self, *words: str) -> str:
        command = ["git", "-C", str(self.folder), *words]
        return subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout

    def run(self, **changes: str) -> Finished:
        return run_command(("preflight",), {**self.env, **changes})


def found_by(done: Finished) -> list[tuple[str, str]]:
    told: list[dict[str, Any]] = json.loads(done.outputs["findings"])
    return [(one["check"], one["subject"]) for one in told]


@pytest.fixture
def server(tmp_path: Path, running: Path) -> Iterator[SshServer]:
    with ExitStack() as stack:
        found = stack.enter_context(ssh_server(tmp_path / "sshd"))
        (found.home / "orienter").symlink_to(running)
        yield found


def test_a_server_that_is_well_gives_no_finding(
    tmp_path: Path, server: SshServer, engine: DockerEngine, running: Path
) -> None:
    """And its own file of variables is what the project is judged with."""
    laptop = Laptop(tmp_path, server, engine, (running / "compose.yml").read_text())

    done = laptop.run()

    assert found_by(done) == [], done.stdout
    assert done.code == 0
    assert CANARY not in done.summary + str(done.outputs)
    shown = [line for line in done.stdout.splitlines() if "::add-mask::" not in line]
    assert CANARY not in "\n".join(shown)


def test_what_others_hold_is_told(
    tmp_path: Path, server: SshServer, engine: DockerEngine, running: Path
) -> None:
    text = (running / "compose.yml").read_text()
    laptop = Laptop(tmp_path, server, engine, text)
    config = laptop.folder / ".github/orient-deploy.yml"
    config.write_text(config.read_text().replace("project: production", "project: other"))
    network = "networks: {shared: {external: true}}\n"
    (laptop.folder / "compose.yml").write_text(
        text.replace("'$SECRET'", "'$ABSENT'").replace("${SECRET}", "")
        + "    networks: [shared]\n"
        + network
    )
    laptop.commit()

    done = laptop.run()

    port = one(facts(engine, ["dash"])).ports[0][1]
    assert set(found_by(done)) == {
        ("compose/variable-unset", "ABSENT"),
        ("host/name-taken", "orienter-dashboard"),
        ("host/port-taken", f"{port}/tcp"),
        ("host/network-missing", "shared"),
        ("host/project-differs", "production"),
        ("environment/unknown", "127.0.0.1:~/orienter/.env"),
    }


def test_what_was_restarted_and_cannot_be_had_is_told(
    tmp_path: Path,
    server: SshServer,
    engine: DockerEngine,
    registry: ImageRegistry,
    running: Path,
) -> None:
    """Variables are named, and the plan's references are asked for instead of the files' own."""
    (running / ".env").write_text(f"SECRET={CANARY}-2\n")
    engine.docker("restart", "-t", "0", "orienter-dashboard")
    text = (running / "compose.yml").read_text()
    repository = f"{registry.host}/acme/dashboard"
    laptop = Laptop(tmp_path, server, engine, text.replace("sleeper:1", f"{repository}:1"))
    config = laptop.folder / ".github/orient-deploy.yml"
    config.write_text(config.read_text().replace("ghcr.io/acme/dashboard", repository))
    laptop.commit()
    references = {"dashboard": f"{repository}@sha256:{'0' * 64}"}

    done = laptop.run(INPUT_REFERENCES=json.dumps(references), INPUT_CHECKS="host")

    assert found_by(done) == [
        ("host/image-absent", "dashboard"),
        ("host/container-stale", "orienter-dashboard"),
    ]
    assert "SECRET and URL" in done.summary or "SECRET, URL" in done.summary
    shown = [line for line in done.stdout.splitlines() if "::add-mask::" not in line]
    assert CANARY not in done.summary + str(done.outputs) + "\n".join(shown)


def test_a_server_with_another_key_is_not_trusted(
    tmp_path: Path, server: SshServer, engine: DockerEngine, running: Path
) -> None:
    laptop = Laptop(tmp_path, server, engine, COMPOSE.replace("PORT", "8080"))
    make_key(tmp_path / "other")
    public = (tmp_path / "other.pub").read_text().split()
    known = f"[127.0.0.1]:{server.port} {public[0]} {public[1]}\n"

    done = laptop.run(INPUT_KNOWN_HOSTS=known)

    assert ("host/unreachable", server.address) in found_by(done)
    assert "host key" in done.stdout


def test_a_server_that_is_down_hides_nothing_else(
    tmp_path: Path, server: SshServer, engine: DockerEngine, running: Path
) -> None:
    laptop = Laptop(tmp_path, server, engine, COMPOSE.replace("PORT", "8080"))

    known = server.known_hosts.replace(f":{server.port} ", ":9 ")
    done = laptop.run(
        INPUT_HOSTS="orient@127.0.0.1:9", INPUT_CHECKS="compose host", INPUT_KNOWN_HOSTS=known
    )

    assert found_by(done) == [("host/unreachable", "orient@127.0.0.1:9")]
    assert "could not be read: 127.0.0.1 was not reached" in done.summary
