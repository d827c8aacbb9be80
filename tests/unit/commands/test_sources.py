"""What images are made of, read from any clone and from none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orient_deploy.commands.sources import Sources, likely
from orient_deploy.config import parse
from orient_deploy.history import Checkout, Git, Repository, find_checkout
from orient_deploy.history.repository import Want
from tests.fakes.git_server import GitServer
from tests.fakes.repositories import Files, Gitlink, RepositoryBuilder, Symlink, clone
from tests.unit.history.conftest import remote_of
from tests.unit.inputs.commit import digests_of
from tests.unit.inputs.monorepos import (
    COMMIT,
    CONFIG,
    FILES,
    NEXT_COMMIT,
    WORKSPACE,
    WORKSPACE_FILES,
)


@dataclass(frozen=True)
class Served:
    """acme/app on a server."""

    server: GitServer
    builder: RepositoryBuilder

    def digests(
        self, config: str, commit: str, temporary: Path, checkout: Checkout | None = None
    ) -> dict[str, str]:
        """Without a checkout from the server alone."""
        parsed = parse(config, source="c.yml")
        with Repository(
            Git({}), checkout, remote_of(self.server.url), temporary=str(temporary)
        ) as repository:
            repository.obtain(Want(commit))
            inputs = Sources(repository, commit).inputs(parsed, commit)
        return {name: one.digest for name, one in inputs.items()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "server" / "acme").mkdir(parents=True)
    builder = RepositoryBuilder(tmp_path / "server" / "acme" / "app")
    with GitServer(tmp_path / "server") as server:
        yield Served(server, builder)


CLONES = [
    pytest.param(["--no-checkout"], id="full"),
    pytest.param(["--no-checkout", "--depth=1"], id="shallow"),
    pytest.param(["--no-checkout", "--filter=blob:none"], id="without-contents"),
    pytest.param(["--no-checkout", "--depth=1", "--filter=tree:0"], id="without-trees"),
    pytest.param(["--no-checkout", "--single-branch", "--branch=other"], id="of-another-branch"),
    pytest.param(None, id="none"),
]
MONOREPOS = [
    pytest.param(CONFIG, FILES, id="kinds-of-entries"),
    pytest.param(WORKSPACE, WORKSPACE_FILES, id="a-workspace"),
]


@pytest.mark.parametrize("options", CLONES)
@pytest.mark.parametrize(("config", "files"), MONOREPOS)
def test_every_clone_gives_the_same_digests(
    config: str, files: Files, options: list[str] | None, served: Served, tmp_path: Path
) -> None:
    served.builder.commit({"Dockerfile": "FROM another\n"}, ref="refs/heads/other")
    served.builder.commit({"web/before": "before"})
    commit = served.builder.commit({"web/before": None, **files})
    checkout = None
    if options is not None:
        directory = clone(served.builder.directory, tmp_path / "clone", *options)
        checkout = find_checkout(str(directory))
        assert checkout is not None

    assert served.digests(config, commit, tmp_path, checkout) == digests_of(config, files)


def test_what_links_lead_to_is_fetched_as_well(served: Served, tmp_path: Path) -> None:
    config = "version: 1\nimages: {web: {context: now}}\n"
    files: Files = {
        "now": Symlink("web"),
        "web/Dockerfile": Symlink("../docker/Dockerfile"),
        "web/.dockerignore": Symlink("../ignored"),
        "web/a": "a",
        "web/b": "b",
        "docker/Dockerfile": Symlink("web"),
        "docker/web": "FROM a\nCOPY . .\n",
        "ignored": "b\n.dockerignore\n",
    }
    commit = served.builder.commit(files)

    assert served.digests(config, commit, tmp_path) == digests_of(config, files)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("dockerfile: lib/Dockerfile", id="dockerfile"),
        pytest.param("context: lib/src, dockerfile: Dockerfile", id="context"),
    ],
)
def test_a_submodule_is_not_asked_for(image: str, served: Served, tmp_path: Path) -> None:
    """Its id is that of a commit which this server does not have."""
    config = f"version: 1\nimages: {{web: {{{image}}}}}\n"
    files: Files = {"lib": Gitlink(COMMIT), "Dockerfile": "FROM a\nCOPY . .\n"}
    commit = served.builder.commit(files)
    expected = digests_of(config, files)

    assert served.digests(config, commit, tmp_path) == expected
    assert expected != digests_of(config, {**files, "lib": Gitlink(NEXT_COMMIT)})


def test_the_configuration_comes_with_what_it_mostly_asks_for(
    served: Served, tmp_path: Path
) -> None:
    files: Files = {"c.yml": WORKSPACE, **WORKSPACE_FILES}
    commit = served.builder.commit(files)
    expected = digests_of(WORKSPACE, files)
    with Repository(
        Git({}), None, remote_of(served.server.url), temporary=str(tmp_path)
    ) as repository:
        repository.obtain(Want(commit))
        text = repository.read(commit, "c.yml", along=likely)
        assert text == WORKSPACE.encode()
        taken = len(served.server.requests)

        inputs = Sources(repository, commit).inputs(parse(WORKSPACE, source="c.yml"), commit)

    assert {name: one.digest for name, one in inputs.items()} == expected
    assert (taken, len(served.server.requests)) == (4, 4)


def test_likely_files_are_told_by_their_names() -> None:
    rows = {
        "Dockerfile": "a",
        "docker/Dockerfile.web": "b",
        "web/api.Dockerfile": "c",
        ".dockerignore": "d",
        "docker/Dockerfile.web.dockerignore": "e",
        "web/package.json": "f",
        "pnpm-lock.yaml": "7",
        "web\tpackage.json": "0",
        "my-package.json": "0",
        "package.json.bak": "0",
        "Dockerfile.d/file": "0",
        "node_modules/a/package.json": "0",
        "web/node_modules/a/package.json": "0",
    }
    entries = "".join(f"100644 blob {oid}\t{path}\0" for path, oid in rows.items())
    others = "120000 blob 0\tx/Dockerfile\x00160000 commit 0\ty/Dockerfile\0"

    assert sorted(likely((entries + others).encode())) == ["7", "a", "b", "c", "d", "e", "f"]
