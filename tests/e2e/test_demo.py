"""scripts/demo as a person runs it: from anywhere, on anything, leaving nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev import demo, sample

DEMO = demo.ROOT / "scripts" / "demo"


def _run(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    temporary = cwd / "tmp"
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", str(DEMO), *arguments],
        cwd=cwd,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(temporary), **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def _git(path: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(path), *arguments], check=True, timeout=60)


def test_the_decisions_are_those_of_the_sample(tmp_path: Path) -> None:
    done = _run(cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    shown = re.findall(
        r"^== ([\w-]+): .*?^outputs: builds=(\{.*?\}) deploy=(\w+)$", done.stdout, re.M | re.S
    )
    assert tuple(name for name, _, _ in shown) == demo.PUSHES
    for name, builds, deploy in shown:
        push = sample.push_named(name)
        assert set(re.findall(r'"([\w-]+)":"true"', builds)) == push.builds, name
        assert deploy == ("true" if push.deploy else "false"), name
    assert "### Build 1 of 3 images, deploy to production" in done.stdout
    assert "dashboard  dashboard  changed: packages/dashboard/src/index.ts, read by" in done.stdout
    assert len(done.stdout.splitlines()) <= 100


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    done = _run(cwd=tmp_path)

    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["home", "tmp"]


def test_it_runs_without_a_home_and_on_a_runner(tmp_path: Path) -> None:
    foreign = {
        "HOME": "",
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "not-ours"),
        "GITHUB_EVENT_NAME": "schedule",
        "INPUT_FORCE": "true",
        "GIT_DIR": "/nowhere",
    }
    done = _run(cwd=tmp_path, env=foreign)

    assert done.returncode == 0, done.stderr
    assert "All 5 decisions" in done.stdout
    assert not (tmp_path / "not-ours").exists()


def test_a_decision_that_is_not_expected_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PUSHES", ("docs",))
    monkeypatch.setattr(demo, "as_expected", lambda *_: False)

    assert demo.show(tmp_path) == demo.EXIT_OUR_FAULT
    assert "not what the sample expects: docs" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["clone", "bare", "below"])
def test_any_repository_is_replayed(kind: str, tmp_path: Path) -> None:
    repository = sample.build(tmp_path / "orient")
    repository.push(sample.push_named("dashboard"))
    place = {"clone": "orient", "bare": "bare.git", "below": "orient/docs"}[kind]
    if kind == "bare":
        _git(repository.path, "clone", "--quiet", "--bare", ".", str(tmp_path / place))
    done = _run("--repo", place, "--last", "2", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert f"decided by the watch lists of {sample.CONFIG}" in done.stdout
    assert "2 commits of main" in done.stdout
    assert re.search(r"^  \w{7}  dashboard +deploy +Greet on the dashboard", done.stdout, re.M)
    assert "builds of 6" in done.stdout or "build of 6" in done.stdout


def test_a_repository_without_configuration_gets_one_proposed(tmp_path: Path) -> None:
    repository = sample.build(tmp_path / "orient")
    _git(repository.path, "rm", "--quiet", sample.CONFIG)
    repository.commit("Forget the configuration")
    done = _run("--repo", "orient", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert "the one that `orient-deploy init` proposes (" in done.stdout
    assert not (repository.path / sample.CONFIG).exists()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        pytest.param("absent", "there is no folder", id="absent"),
        pytest.param("folder", "is not in a git repository", id="not-a-repository"),
        pytest.param("empty", "has no commit", id="empty"),
    ],
)
def test_what_cannot_be_replayed_is_said(kind: str, said: str, tmp_path: Path) -> None:
    if kind != "absent":
        (tmp_path / "it").mkdir()
    if kind == "empty":
        _git(tmp_path / "it", "init", "--quiet")
    done = _run("--repo", "it", cwd=tmp_path)

    assert done.returncode == 2
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--last", "3"],
        ["--repo"],
        ["--repo", ""],
        ["--repo", ".", "--last", "x"],
        ["--repo", ".", "--last", "0"],
        ["--rep", "."],
        ["what"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_are_answered_with_the_usage(arguments: list[str], tmp_path: Path) -> None:
    done = _run(*arguments, cwd=tmp_path)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: scripts/demo")


def test_help_is_no_error(tmp_path: Path) -> None:
    done = _run("--help", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert "--repo PATH" in done.stdout


@pytest.mark.parametrize("absent", ["git", "python3"])
def test_what_the_machine_lacks_is_said(absent: str, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in {"bash", "git", "python3"} - {absent}:
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    done = _run(cwd=tmp_path, env={"PATH": str(tools)})

    assert done.returncode == 3
    assert absent in done.stderr and "PATH" in done.stderr


def test_being_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    running = subprocess.Popen(
        ["bash", str(DEMO)],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    running.stdout.read(1)  # its folder is there now, and the sample is being built or planned
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)

    assert (running.returncode, said) == (128 + signal.SIGTERM, b"")
    assert list((tmp_path / "tmp").iterdir()) == []
