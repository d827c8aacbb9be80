"""The commands for secrets, run on a project with real files, the real Compose and a GitHub with a
memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from orient_deploy.github import api
from tests.fakes.github_state import GitHubState, github_state
from tests.fakes.repositories import RepositoryBuilder, check_out
from tests.machines.parts import part
from tests.unit.commands.conftest import Finished, run_command

TOKEN = "github_pat_canary-of-the-token"
KEY = "0123456789abcdef" * 4
CANARY = "canary/Zx81 swordfish+of&the=file"
CONFIG = """\
version: 1
images:
  dashboard: {}
environments:
  production:
    env-file: .env
    compose: [docker/docker-compose.yml]
    secrets:
      file: .env.production
      variables: [NODE_ENV]
      required: [DATABASE_URL]
      min-length: {JWT: 16}
  staging:
    secrets: {file: .env.staging, suffix: _STAGING, variables: [NODE_ENV]}
  preview:
    secrets: {file: .env.preview, target: environment}
"""
COMPOSE = """\
services:
  dashboard:
    image: dashboard:${TAG:-latest}
    environment:
      DATABASE_URL: ${DATABASE_URL:?it is needed}
      SLACK: $SLACK
"""
PRODUCTION = f"""\
DATABASE_URL='postgres://bot:{CANARY}@db/bot'
JWT=0123456789abcdef0123456789abcdef
NODE_ENV=production
"""


class Project:
    """A clone with secrets beside it, GitHub, and a runner or a laptop that runs commands."""

    def __init__(self, folder: Path, github: GitHubState) -> None:
        self.github = github
        builder = RepositoryBuilder(folder / "origin.git")
        self.commit = builder.commit(
            {
                ".github/orient-deploy.yml": CONFIG,
                "docker/docker-compose.yml": COMPOSE,
                ".gitignore": ".env*\n",
            }
        )
        builder.ref("refs/heads/main", self.commit)
        self.folder = check_out(
            builder.directory, folder / "workspace", self.commit, "refs/heads/main"
        )
        origin = ["config", "remote.origin.url", "https://github.com/acme/orient.git"]
        subprocess.run(["git", "-C", str(self.folder), *origin], check=True, timeout=30)
        self.temp = folder / "temp"
        self.temp.mkdir()
        self.write(".env.production", PRODUCTION)
        engine = part("28") / "usr"
        home = folder / "home"
        (home / ".docker").mkdir(parents=True)
        (home / ".docker" / "cli-plugins").symlink_to(engine / "libexec/docker/cli-plugins")
        self.laptop = {
            "PATH": f"{engine / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "GITHUB_API_URL": github.url,
            "GH_TOKEN": TOKEN,
            "ORIENT_DEPLOY_KEY": KEY,
        }
        self.runner = {
            "PATH": self.laptop["PATH"],
            "HOME": self.laptop["HOME"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": github.url,
            "GITHUB_SHA": self.commit,
            "GITHUB_REPOSITORY": "acme/orient",
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
            "INPUT_ENVIRONMENT": "production",
        }

    def write(self, name: str, text: str | bytes) -> None:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def commit_all(self) -> None:
        """What is in the files becomes the commit of the run."""
        git = ["git", "-C", str(self.folder), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, "commit", "-qam", "Change"], check=True, timeout=30)
        asked = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True)
        self.runner["GITHUB_SHA"] = asked.stdout.decode().strip()

    def run(self, *argv: str, **changes: str | None) -> Finished:
        """On a laptop; production is meant unless said otherwise."""
        given = list(argv)
        if not any(one.startswith("--environment") for one in argv):
            given.append("--environment=production")
        given.append(f"--path={self.folder}")
        return run_command(tuple(given), _changed(self.laptop, changes))

    def act(self, name: str, **changes: str | None) -> Finished:
        """The action on a runner, with token and key."""
        for file in ("output", "summary"):
            (self.temp / file).unlink(missing_ok=True)
        inputs = {"INPUT_TOKEN": TOKEN, "INPUT_KEY": KEY}
        return run_command((name,), _changed({**self.runner, **inputs}, changes))

    def apply(self, **changes: str | None) -> Finished:
        return self.run("secrets", "apply", "--dry-run=false", **changes)


def _changed(env: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    merged = {**env, **changes}
    return {name: value for name, value in merged.items() if value is not None}


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubState]:
    """GitHub, whose writes need not be a second apart here."""
    monkeypatch.setattr(api, "BETWEEN_WRITES_S", 0.0)
    seconds = count(1_800_000_000)  # each look at the clock is a second later
    with github_state(
        TOKEN, repository="acme/orient", clock=lambda: float(next(seconds)), rate_limit=100_000
    ) as server:
        server.repository.add_environment("preview")
        yield server


@pytest.fixture
def project(tmp_path: Path, github: GitHubState) -> Project:
    return Project(tmp_path, github)
