"""One history, made once, that every test of this room reads from a server or a checkout."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orient_deploy.history import Checkout, Git, Remote, Repository
from orient_deploy.runner.event import Event, PullRequest
from tests.fakes.git_server import GitServer
from tests.fakes.repositories import Executable, RepositoryBuilder, Symlink

GONE = "1234567" + "0" * 32 + "1"  # a commit that no repository of these tests has

# What git asks itself when another user owns a repository, without needing another user.
FOREIGN = 'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec "$GIT" "$@"'


@dataclass(frozen=True)
class History:
    """acme/app on a server, with two commits before the first one told of here:

    first --- second --- third (main, v1.1.0) ---- merge (refs/pull/7/merge)
         \\--- work --- tip (refs/pull/7/head, feature) --/
    """

    root: Path  # what a server serves
    directory: Path
    first: str
    second: str
    third: str
    work: str
    tip: str
    merge: str

    def event(self, name: str = "push", **facts: object) -> Event:
        event = Event(
            name=name,
            sha=self.third,
            ref="refs/heads/main",
            default_branch="main",
            repository="acme/app",
        )
        return replace(event, **facts)  # type: ignore[arg-type]  # any field of it

    @property
    def gone(self) -> str:
        """An id that no commit of these tests has."""
        return GONE[:7].ljust(len(self.first) - 1, "0") + "1"

    def pull_request(self) -> PullRequest:
        return PullRequest(number=7, head_sha=self.tip, base_sha=self.third, base_ref="main")


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return made_history(tmp_path_factory.mktemp("server"), "sha1")


@pytest.fixture(scope="session")
def sha256_history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return made_history(tmp_path_factory.mktemp("sha256"), "sha256")


def made_history(root: Path, object_format: str) -> History:
    (root / "acme").mkdir()
    builder = RepositoryBuilder(root / "acme" / "app", object_format)
    for number in range(2):
        builder.commit({"package.json": str(number)})
    first = builder.commit(
        {
            ".github/orient-deploy.yml": "version: 1\n",
            "package.json": "{}",
            "packages/core/index.ts": "core 1",
            "packages/dashboard/index.ts": "dashboard 1",
            "packages/dashboard/link": Symlink("index.ts"),
            "docs/a.md": "a",
        }
    )
    second = builder.commit({"packages/core/index.ts": "core 2"})
    third = builder.commit({"packages/dashboard/run": Executable("#!/bin/sh\n"), "docs/a.md": None})
    work = builder.commit({"src/a.ts": "a"}, parents=[first], ref="refs/heads/feature")
    tip = builder.commit({"src/b.ts": "b"}, ref="refs/heads/feature")
    merge = builder.commit(
        {"src/a.ts": "a", "src/b.ts": "b"}, parents=[third, tip], ref="refs/pull/7/merge"
    )
    builder.ref("refs/pull/7/head", tip)
    builder.tag("v1.0.0", first, annotated=True)
    builder.tag("v1.0.10", second)
    builder.tag("v1.1.0-rc.1", second, annotated=True)
    builder.tag("v1.1.0", third, annotated=True)
    builder.tag("nightly", second)
    return History(root, builder.directory, first, second, third, work, tip, merge)


@pytest.fixture(scope="session")
def server(history: History) -> Iterator[GitServer]:
    """As GitHub answers: filters and any id."""
    with GitServer(history.root) as running:
        yield running


@pytest.fixture(scope="session")
def sha256_server(sha256_history: History) -> Iterator[GitServer]:
    with GitServer(sha256_history.root) as running:
        yield running


@pytest.fixture
def git() -> Iterator[Git]:
    made = Git(os.environ)
    yield made
    made.close()


@pytest.fixture
def remote(server: GitServer) -> Remote:
    return remote_of(server.url)


def remote_of(url: str, **facts: object) -> Remote:
    facts = {"timeout_s": 20.0, "pause": lambda seconds: None, **facts}
    return Remote(server_url=url, repository="acme/app", **facts)  # type: ignore[arg-type]  # any field of it


def git_on_path(directory: Path, script: str) -> dict[str, str]:
    """An environment whose `git` is a shell script; `$GIT` in it is the real one."""
    real = shutil.which("git")
    assert real
    directory.mkdir()
    wrapper = directory / "git"
    wrapper.write_text(f"#!/bin/sh\nGIT={shlex.quote(real)}\n{script}\n")
    wrapper.chmod(0o755)
    return {**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}


Opening = Callable[..., Repository]


@pytest.fixture
def opening(git: Git, tmp_path: Path) -> Iterator[Opening]:
    """Opens repositories that are closed, and proven removed, after the test."""
    opened: list[Repository] = []

    def open_repository(
        checkout: Checkout | None = None,
        remote: Remote | None = None,
        *,
        git: Git = git,
        **options: str,
    ) -> Repository:
        repository = Repository(git, checkout, remote, temporary=str(tmp_path), **options)
        opened.append(repository)
        return repository

    yield open_repository
    for repository in opened:
        repository.close()
        assert not os.path.exists(repository.directory)
