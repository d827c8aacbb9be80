"""git itself: missing, old, slow, and what it may inherit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.history import Git
from orient_deploy.history.git import Done, GitTimeout, check_version
from tests.unit.history.conftest import git_on_path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param(b"git version 2.39.5\n", (2, 39), id="plain"),
        pytest.param(b"git version 2.39.5 (Apple Git-154)\n", (2, 39), id="apple"),
        pytest.param(b"git version 2.55.0.windows.1\r\n", (2, 55), id="windows"),
        pytest.param(b"git version 2.30.0-rc1\n", (2, 30), id="oldest-that-works"),
        pytest.param(b"git version 10.0", (10, 0), id="two-digits"),
    ],
)
def test_version_is_understood(text: bytes, version: tuple[int, int]) -> None:
    assert check_version(text) == version


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"git version 2.29.9\n", id="too-old"),
        pytest.param(b"git version 1.99.0\n", id="much-too-old"),
        pytest.param(b"hello\n", id="something-else"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_other_versions_are_lacking(text: bytes) -> None:
    with pytest.raises(EnvironmentLacks) as caught:
        check_version(text)
    assert caught.value.exit_code == 3


def test_an_old_git_is_noticed_with_the_first_command(tmp_path: Path) -> None:
    git = Git(git_on_path(tmp_path / "bin", 'test "$1" = version && echo git version 2.25.1'))

    with pytest.raises(EnvironmentLacks, match=r"too old \(git version 2.25.1\)"):
        git.run(["rev-parse", "HEAD"])


def test_no_git_is_lacking(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentLacks, match="git cannot be started"):
        Git({"PATH": str(tmp_path)}).run(["version"])


def test_a_slow_git_is_ended(tmp_path: Path) -> None:
    env = git_on_path(tmp_path / "bin", 'test "$1" = version && exec "$GIT" version; sleep 60')
    with pytest.raises(GitTimeout, match=r"ended after 0.2 seconds"):
        git = Git(env)
        git.version()
        git.run(["status"], timeout_s=0.2, own_session=True)


def test_nothing_that_points_elsewhere_is_inherited() -> None:
    hostile = {
        "GIT_DIR": "/nowhere",
        "GIT_WORK_TREE": "/nowhere",
        "GIT_OBJECT_DIRECTORY": "/nowhere",
        "GIT_CONFIG_PARAMETERS": "'core.bare=maybe'",
        "GIT_CONFIG_COUNT": "1",
        "GIT_EXTERNAL_DIFF": "touch /nowhere",
        "GIT_TRACE_CURL": "1",
        "GIT_SOMETHING_NEW": "1",
        "LC_ALL": "de_DE.UTF-8",
    }
    kept = {"GIT_SSL_CAINFO": "/ca.pem", "HTTPS_PROXY": "http://proxy", "PATH": os.environ["PATH"]}

    git = Git({**hostile, **kept})

    for environment in (git.networking, git.reading):
        assert kept.items() <= environment.items()
        assert environment["LC_ALL"] == "C"
        assert not (hostile.keys() - {"LC_ALL"}) & environment.keys()


@pytest.mark.parametrize(
    ("err", "message"),
    [
        pytest.param(b"warning: x\nfatal: not found\n", "not found", id="fatal"),
        pytest.param(b"error: first\nfatal: a\x1b[31m\x00b\n", "a [31m b", id="control-characters"),
        pytest.param(b"something\n", "something", id="no-prefix"),
        pytest.param(b"", "exit code 9", id="silence"),
        pytest.param(b"fatal: \xff\n", "\ufffd", id="not-utf-8"),
        pytest.param("fatal: a\u2028error: b\n".encode(), "a error: b", id="line-separator"),
    ],
)
def test_complaint_is_one_clean_line(err: bytes, message: str) -> None:
    assert Done(9, b"", err).message == message
