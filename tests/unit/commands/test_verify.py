"""`verify` as people start it: inputs, a server of this machine, and what is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.ssh_server import make_key
from tests.unit.commands.conftest import Finished, run_command

ROOT = Path(__file__).parents[3]
CANARY = "Zx81-swordfish"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_good = self.path.startswith("/health")
        body = b"ok" if is_good else b"::error::no"
        self.send_response(200 if is_good else 500)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def laptop(*argv: str, **env: str) -> Finished:
    return run_command(("verify", *argv), {"PATH": os.environ["PATH"], **env})


def runner(tmp_path: Path, **inputs: str) -> Finished:
    env = {
        "PATH": os.environ["PATH"],
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "RUNNER_TEMP": str(tmp_path),
        **{f"INPUT_{name.upper()}": text for name, text in inputs.items()},
    }
    return run_command(("verify",), env)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param((), "there is nothing to look at", id="nothing"),
        pytest.param(("--urls", "example.com"), "is no address", id="no-scheme"),
        pytest.param(("--urls", "http://[::1"), "is no address", id="half-an-address"),
        pytest.param(("--urls", "http://a:99999/"), "is no address", id="no-port"),
        pytest.param(("--containers", "a;b"), "is no name", id="container"),
        pytest.param(("--project", "$(id)"), "is no name", id="project"),
        pytest.param(("--project", "x", "--budget", "soon"), "no number of seconds", id="budget"),
        pytest.param(("--project", "x", "--watch", "-1"), "no number of seconds", id="watch"),
        pytest.param(("--project", "x", "--timeout", "1e9"), "no number of seconds", id="timeout"),
        pytest.param(("--environment", "none"), "no environment 'none'", id="environment"),
        pytest.param(("--project", "x", "--baseline", "/none"), "cannot be used", id="baseline"),
        pytest.param(("--project", "x", "--hosts", "a b@"), "", id="host"),
    ],
)
def test_a_wrong_input_is_refused(
    argv: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = laptop(*argv)

    assert done.code == 2, done.stdout
    assert message in done.stdout


@pytest.mark.parametrize(
    "text", ["", "[]", '{"version": 1, "faults": {"a": 1}}', '{"version": 2, "faults": {}}']
)
def test_a_baseline_is_one_that_was_recorded(text: str, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    path.write_text(text)

    done = laptop("--urls", "http://127.0.0.1:9/", "--baseline", str(path))

    assert done.code == 2 and "none that 'record' wrote" in done.stdout


def test_an_address_that_answers_is_well(url: str) -> None:
    done = laptop("--urls", f"{url}/health {url}/health2", "--stable", "1")

    assert done.code == 0
    assert "Verification: healthy: 2 services" in done.stdout


def test_programs_get_json(url: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    words = ("--urls", f"{url}/none", "--budget", "1", "--evidence", str(path), "--json")

    done = laptop(*words)

    assert done.code == 5
    assert json.loads(done.stdout) == {
        "verdict": "timeout",
        "healthy": False,
        "failed-services": [f"{url}/none"],
        "inconclusive": False,
        "evidence": str(path),
        "rollback-advised": True,
    }
    evidence = json.loads(path.read_text())
    assert evidence["services"][0]["reason"] == "status"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_runner_gets_outputs_annotations_and_a_summary(url: str, tmp_path: Path) -> None:
    done = runner(tmp_path, urls=f"{url}/none", budget="1", fail="false")

    assert done.code == 0
    assert done.outputs["verdict"] == "timeout"
    assert json.loads(Path(done.outputs["evidence"]).read_text())["verdict"] == "timeout"
    assert [one for one in done.errors if "answers 500" in one]
    assert "### 🟠 Verification: not ready in time" in done.summary
    assert not any(line.startswith("::error::no") for line in done.stdout.splitlines())


def test_what_was_wrong_before_only_warns(url: str, tmp_path: Path) -> None:
    path = tmp_path / "before.json"
    wrong = ("--urls", f"{url}/none {url}/health", "--stable", "1", "--budget", "2")

    before = laptop(*wrong, "--record", str(path))
    after = laptop(*wrong, "--baseline", str(path))

    assert before.code == 0 and "/none (status)" in before.stdout
    assert after.code == 0, after.stdout
    assert "was already so before the deploy" in after.stdout


def test_nobody_could_look_is_inconclusive(tmp_path: Path) -> None:
    done = runner(tmp_path, urls="http://nothing.invalid/", budget="1")

    assert done.code == 8
    assert (done.outputs["verdict"], done.outputs["inconclusive"]) == ("inconclusive", "true")
    assert done.outputs["rollback-advised"] == "false"
    assert "is not resolved here" in done.summary


def test_a_server_that_is_not_reached_is_inconclusive(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    public = (tmp_path / "key.pub").read_text().split()
    known = f"[127.0.0.1]:9 {public[0]} {public[1]}\n"

    done = runner(
        tmp_path,
        project="x",
        hosts="orient@127.0.0.1:9",
        ssh_key=(tmp_path / "key").read_text(),
        known_hosts=known,
    )

    assert done.code == 8, done.stdout
    assert "port 9 refuses the connection" in done.summary


def test_a_machine_without_docker_lacks_something(tmp_path: Path) -> None:
    done = run_command(("verify", "--project", "x", "--hosts", "none"), {"PATH": str(tmp_path)})

    assert done.code == 3 and "there is no docker" in done.stdout


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    with docker_engine("28") as one:
        context = tmp_path_factory.mktemp("image")
        shutil.copy(one.busybox, context / "busybox")
        (context / "Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\nSTOPSIGNAL SIGKILL\n"
        )
        one.docker("build", "--quiet", "--tag", "part:1", context)
        yield one


def test_no_secret_of_a_container_is_shown(engine: DockerEngine, tmp_path: Path) -> None:
    """Whatever prints it: the program, its health check, or the check's own failure."""
    script = "echo $API_TOKEN; echo postgres://bot:$DB_PASSWORD@db/x >&2; sleep 1; exit 1"
    engine.docker(
        *("run", "-d", "--name", "leaky", "--network", "none", "--restart", "always"),
        *("-e", f"API_TOKEN={CANARY}", "-e", f"DB_PASSWORD={CANARY}2"),
        *("--health-cmd", "echo ::error::$API_TOKEN; exit 1", "--health-interval", "200ms"),
        *("part:1", "/bin/sh", "-c", f"busybox true; {script.replace('sleep', 'busybox sleep')}"),
    )
    try:
        path = tmp_path / "evidence.json"
        words = ("--containers", "leaky", "--evidence", str(path))
        done = laptop(*words, **{name: engine.env[name] for name in ("DOCKER_HOST", "PATH")})
    finally:
        engine.docker("rm", "-f", "leaky")

    assert done.code == 5 and "crash-loop" in path.read_text()
    assert "***" in path.read_text()
    assert CANARY not in done.stdout + done.stderr + path.read_text()


@pytest.mark.parametrize("number", ["INT", "TERM", "KILL"])
def test_nothing_is_left_running(number: str, engine: DockerEngine) -> None:
    """However it ends."""
    engine.docker(
        "run",
        "-d",
        "--name",
        "app",
        "--network",
        "none",
        "part:1",
        "/bin/sh",
        "-c",
        "busybox sleep 600",
    )
    mark = f"mark-{number}-{os.getpid()}"
    child = subprocess.Popen(
        [sys.executable, ROOT / "scripts/orient-deploy.py", "verify", "--containers", "app"],
        env={**os.environ, **engine.env, "MARK": mark},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout and "app" in child.stdout.readline()
        subprocess.run(["kill", f"-{number}", str(child.pid)], check=True)
        child.wait(20)
        deadline = time.monotonic() + 20
        while dialling(engine.env["DOCKER_HOST"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        child.kill()
        child.communicate()
        engine.docker("rm", "-f", "app")


def dialling(host: str) -> list[str]:
    """The processes that pipe this engine's API."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            if b"dial-stdio" in words and host.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found
