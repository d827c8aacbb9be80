"""How a run ends when its surroundings end it, or take no output: tidily, never with a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.git_server import GitServer, GitServerOptions

from .conftest import Consumer

ENTRYPOINT = Path(__file__).parents[3] / "scripts" / "detect.py"


def command(consumer: Consumer) -> tuple[list[str], dict[str, str]]:
    """The entrypoint as a process of its own, and its environment."""
    (consumer.temp / "event.json").write_text(json.dumps(consumer.event))
    env = {**consumer.env, "ORIENT_DEPLOY_LIBRARIES": os.environ["ORIENT_DEPLOY_LIBRARIES"]}
    return [sys.executable, "-I", str(ENTRYPOINT)], env


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_cancelled_run_leaves_nothing(
    consumer: Consumer, tmp_path: Path, number: signal.Signals
) -> None:
    arrived = threading.Event()
    options = GitServerOptions(hang=True, on_request=arrived.set)
    with GitServer(tmp_path, options) as server:
        consumer.event["before"] = "ab" * 20
        consumer.env["GITHUB_SERVER_URL"] = server.url
        argv, env = command(consumer)
        run = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert arrived.wait(30)
        run.send_signal(number)
        output, _ = run.communicate(timeout=30)

    assert run.returncode == 128 + number, output
    assert b"Traceback" not in output
    assert [one.name for one in consumer.temp.iterdir() if "orient" in one.name] == []
    assert not (consumer.temp / "output").exists()


def test_a_full_disk_under_stdout_is_no_crash(consumer: Consumer) -> None:
    argv, env = command(consumer)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            argv, env=env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )

    assert done.returncode == 3
    assert done.stderr.startswith("orient-deploy: the output cannot be written: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "| true"])
def test_nobody_has_to_listen(consumer: Consumer, closed: str) -> None:
    argv, env = command(consumer)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {closed}', "bash", *argv],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "builds<<" in (consumer.temp / "output").read_text()


def test_a_full_disk_under_the_work_is_told(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr("orient_deploy.commands.detect.make_plan", fail)

    finished = consumer.run("detect")

    assert finished.code == 3
    assert "the machine refused '/somewhere': No space left on device" in finished.errors[0]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("gate", {"INPUT_NEEDS": "[" * 100_000}),
        ("gate", {"INPUT_NEEDS": "{}", "INPUT_BUILD_JOBS": "[" * 100_000}),
        ("matrix", {"INPUT_BUILDS": "[" * 100_000}),
    ],
)
def test_json_without_end_is_no_crash(consumer: Consumer, name: str, given: dict[str, str]) -> None:
    assert consumer.run(name, **given).code == 2
