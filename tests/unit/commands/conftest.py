"""Runs entrypoints in this process as a runner or a laptop would, on a real repository."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.commands.main import main
from tests.fakes.repositories import RepositoryBuilder, check_out
from tests.oracles.runner_files import issues, outputs

CONFIG = """\
version: 1
branches: [main]
tag-pattern: v*
baseline: push
images:
  api: {dockerfile: api/Dockerfile, watch: [api/**], typical-minutes: 4}
  web: {dockerfile: web/Dockerfile, watch: [web/**, "!web/*.md"]}
watch-all: [package.json]
ignore: [docs/**]
environments:
  production: {compose: [compose.yml], sync: [nginx.conf], hosts: [opc@203.0.113.7]}
"""
FILES = {
    ".github/orient-deploy.yml": CONFIG,
    "api/Dockerfile": "FROM scratch\n",
    "web/Dockerfile": "FROM scratch\n",
    "web/index.ts": "one\n",
    "package.json": "{}\n",
    "compose.yml": "services: {}\n",
    "nginx.conf": "\n",
    "docs/guide.md": "guide\n",
}


@dataclass(frozen=True)
class Finished:
    """What one run of an entrypoint left behind."""

    code: int
    stdout: str
    stderr: str
    outputs: Mapping[str, str]
    summary: str

    @property
    def errors(self) -> list[str]:
        return self._issues("error")

    @property
    def warnings(self) -> list[str]:
        return self._issues("warning")

    def _issues(self, level: str) -> list[str]:
        return [one.data for one in issues(self.stdout.encode()) if one.name == level]


class Consumer:
    """A repository with a history, checked out, and the runner's files around it."""

    def __init__(self, directory: Path) -> None:
        self.builder = RepositoryBuilder(directory / "origin.git")
        self.first = self.builder.commit(FILES)
        self.second = self.builder.commit({"web/index.ts": "two\n"}, parents=[self.first])
        self.builder.ref("refs/heads/main", self.second)
        self.workspace = check_out(
            self.builder.directory, directory / "workspace", self.second, "refs/heads/main"
        )
        self.temp = directory / "temp"
        self.temp.mkdir()
        self.event: Any = {
            "before": self.first,
            "after": self.second,
            "ref": "refs/heads/main",
            "repository": {"full_name": "acme/app", "default_branch": "main"},
        }
        self.env = {
            "PATH": os.environ["PATH"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
            "GITHUB_SHA": self.second,
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": "acme/app",
            "GITHUB_SERVER_URL": "http://127.0.0.1:9",  # nothing listens on the discard port
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
        }

    def run(self, *argv: str, **changes: str | None) -> Finished:
        """Run an entrypoint; `changes` are environment variables, None removes one."""
        env = {**self.env, **{k: v for k, v in changes.items() if v is not None}}
        for name, value in changes.items():
            if value is None:
                env.pop(name, None)
        path = self.temp / "event.json"
        if not path.exists():
            path.write_text(self.event if isinstance(self.event, str) else json.dumps(self.event))
        return run_command(argv, env)


def run_command(argv: tuple[str, ...], env: Mapping[str, str]) -> Finished:
    """Run an entrypoint with exactly this environment."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(argv, env=env, stdout=stdout, stderr=stderr)
    written = _read(env.get("GITHUB_OUTPUT", ""))
    return Finished(
        code=code,
        stdout=stdout.getvalue(),
        stderr=stderr.getvalue(),
        outputs=outputs(written) if written else {},
        summary=_read(env.get("GITHUB_STEP_SUMMARY", "")).decode(),
    )


def _read(path: str) -> bytes:
    return Path(path).read_bytes() if path and Path(path).is_file() else b""


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path)
