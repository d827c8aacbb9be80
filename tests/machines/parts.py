"""The programs of the machines, as scripts/dev/fetch_engines.py left them in its cache."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dev.fetch_engines import cache_folder, is_complete


def part(name: str, *, root: bool = False) -> Path:
    """The folder of a part. Without it a test is skipped, and fails under `CI=true`.

    `root`: it runs as root, and without a way to that a test is skipped likewise.
    """
    if not is_complete(name):
        _absent(f"{cache_folder() / name} is not there: run `python3 scripts/dev/fetch_engines.py`")
    if root and not _can_be_root():
        _absent("an engine runs as root: become root, or allow sudo without a password")
    return cache_folder() / name


def as_root(*command: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """The command that runs the given one as root."""
    return [*_root_command(), *command]


def _root_command() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _can_be_root() -> bool:
    try:
        return subprocess.run(as_root("true"), check=False, timeout=30).returncode == 0
    except FileNotFoundError:  # there is no sudo
        return False


def _absent(message: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
