"""Who needs whom in a workspace, against the answers of pnpm, turbo and npm for made-up ones."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from posixpath import join, normpath

import pytest

from orient_deploy.inputs.tree import Tree
from orient_deploy.inputs.workspace import Workspace, read_workspaces
from tests.oracles import node_tools
from tests.oracles.yaml_locks import yaml_reading

COUNT = 7


def named(number: int) -> str:
    return f"@acme/p{number}"


def make(folder: Path, chance: random.Random, kinds: tuple[str, ...], settings: str) -> None:
    """Packages in two levels of folders that need those before them, and sometimes a later one."""
    folder.mkdir()
    places = [
        f"packages/p{number}" if number % 3 else f"apps/in/p{number}" for number in range(COUNT)
    ]
    root = {"name": "acme", "private": True, "packageManager": "pnpm@10.34.9"}
    (folder / "package.json").write_text(
        json.dumps({**root, "workspaces": ["packages/*", "apps/**", "!apps/out/**"]})
    )
    if settings:
        (folder / "pnpm-workspace.yaml").write_text(settings)
    for number, place in enumerate(places):
        asked: dict[str, dict[str, str]] = {}
        for other in chance.sample(range(COUNT), chance.choice([1, 2, 3])):
            up = "../" * (place.count("/") + 1)
            kind = chance.choice(kinds)
            group = chance.choice(["dependencies", "devDependencies", "optionalDependencies"])
            name = f"alias-{other}" if "{name}" in kind else named(other)
            if other != number and (other < number or chance.random() < 0.2):
                text = kind.format(name=named(other), path=up + places[other])
                asked.setdefault(group, {})[name] = text
        (folder / place).mkdir(parents=True)
        about = {"name": named(number), "version": "1.0.0", **asked}
        (folder / place / "package.json").write_text(json.dumps(about))
    (folder / "apps/out/x").mkdir(parents=True)
    (folder / "apps/out/x/package.json").write_text(json.dumps({"name": "left-out"}))
    (folder / "turbo.json").write_text("{}")


def committed(folder: Path) -> Workspace:
    """The workspace as git has it."""

    def git(*arguments: str) -> bytes:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(
            command, cwd=folder, check=True, stdout=subprocess.PIPE, timeout=60
        ).stdout

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=All")
    tree = Tree(git("ls-tree", "-r", "-z", "HEAD"))

    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None

    (found,) = read_workspaces(tree, read)
    return found


def closures(workspace: Workspace) -> dict[str, set[str]]:
    return {
        package.name: {
            workspace.packages[one].name
            for one in workspace.closure([folder])
            if one in workspace.packages
        }
        for folder, package in workspace.packages.items()
        if folder
    }


# What pnpm's filters and turbo see.
PLAIN = ("workspace:*", "workspace:^", "workspace:~1.0.0")
# What they do not see, though pnpm links it as well.
MORE = (*PLAIN, "link:{path}", "workspace:{name}@*", "workspace:{path}")
SETTINGS = "packages: ['packages/*', 'apps/**', '!apps/out/**']\n"


@pytest.mark.parametrize("seed", [1, 2])
def test_turbo_says_the_same(seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    make(folder, random.Random(seed), PLAIN, SETTINGS)
    node_tools.run_pnpm(folder, "install", "--lockfile-only", "--offline")
    ours = closures(committed(folder))
    question = "query { packages { items { name allDependencies { items { name } } } } }"
    said = json.loads(node_tools.run_turbo(folder, "query", question))

    assert ours == {
        one["name"]: {one["name"]}.union(
            other["name"] for other in one["allDependencies"]["items"] if other["name"] != "//"
        )
        for one in said["data"]["packages"]["items"]
        if one["name"] != "//"
    }
    assert any(len(needed) > 2 for needed in ours.values())


def test_pnpms_filters_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    make(folder, random.Random(5), PLAIN, SETTINGS)
    ours = closures(committed(folder))

    for name, needed in ours.items():
        arguments = ("ls", "--recursive", "--depth=-1", "--json", f"--filter={name}...")
        said = json.loads(node_tools.run_pnpm(folder, *arguments))
        assert {one["name"] for one in said} == needed, name
    assert any(len(needed) > 2 for needed in ours.values())


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("locked", [True, False])
def test_pnpm_links_the_same(seed: int, locked: bool, tmp_path: Path) -> None:
    """As the lockfile says that it writes, whether or not we have that."""
    folder = tmp_path / "workspace"
    make(folder, random.Random(seed), MORE, SETTINGS)
    node_tools.run_pnpm(folder, "install", "--lockfile-only", "--offline")
    asked, _, _ = yaml_reading((folder / "pnpm-lock.yaml").read_text())
    if not locked:
        (folder / "pnpm-lock.yaml").unlink()
    workspace = committed(folder)
    linked = {
        importer: {
            normpath(join(importer, version.removeprefix("link:")))
            for _, _, version in wanted
            if version.startswith("link:")
        }
        for importer, wanted in asked.items()
    }

    for importer in linked.keys() - {"."}:
        found, pending = {importer}, [importer]
        while pending:
            for other in linked[pending.pop()] - found:
                found.add(other)
                pending.append(other)
        assert workspace.closure([importer]) == found
    assert sum(map(len, linked.values())) > 3


@pytest.mark.parametrize("seed", [7])
def test_npm_says_the_same(seed: int, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    make(folder, random.Random(seed), ("^1.0.0", "*", "1.0.0", "file:{path}"), "")
    node_tools.run_npm(folder, "install", "--package-lock-only", "--no-audit", "--no-fund")
    ours = closures(committed(folder))

    for name, needed in ours.items():
        arguments = ("ls", "--package-lock-only", "--all", "--json", f"--workspace={name}")
        said = json.loads(node_tools.run_npm(folder, *arguments))
        assert set(_names(said["dependencies"])) == needed, name
    assert any(len(needed) > 2 for needed in ours.values())


def _names(table: dict[str, dict[str, object]]) -> list[str]:
    found = list(table)
    for about in table.values():
        below = about.get("dependencies", {})
        assert isinstance(below, dict)
        found += _names(below)
    return found
