"""What is read in a package-lock.json, against what npm itself says of it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.inputs.lockfile import read_lock
from orient_deploy.inputs.lockfile.lock import Lock, LockProblem
from tests.fakes.npm_registry import NpmRegistry
from tests.oracles import node_tools

PATH = "package-lock.json"

LOCK: dict[str, Any] = {
    "name": "acme",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"name": "acme", "workspaces": ["packages/*"], "devDependencies": {"lint": "^1.0.0"}},
        "node_modules/@acme/core": {"resolved": "packages/core", "link": True},
        "node_modules/@acme/web": {"resolved": "packages/web", "link": True},
        "node_modules/lint": {"version": "1.0.0", "integrity": "sha512-1", "dev": True},
        "node_modules/react": {"version": "18.0.0", "integrity": "sha512-2"},
        "node_modules/ui": {
            "version": "1.0.0",
            "integrity": "sha512-3",
            "dependencies": {"react": "*", "gone": "*"},
            "peerDependencies": {"@acme/core": "*"},
        },
        "node_modules/ui/node_modules/react": {"version": "17.0.0", "integrity": "sha512-4"},
        "packages/core": {
            "name": "@acme/core",
            "version": "1.0.0",
            "peerDependencies": {"react": "*"},
        },
        "packages/web": {
            "name": "@acme/web",
            "dependencies": {"ui": "^1.0.0"},
            "devDependencies": {"react": "^16.0.0"},
        },
        "packages/web/node_modules/react": {"version": "16.0.0", "integrity": "sha512-5"},
    },
}


def lock_of(said: object) -> Lock:
    lock = read_lock(PATH, json.dumps(said).encode())
    assert isinstance(lock, Lock), lock
    return lock


def changed(**packages: object) -> dict[str, Any]:
    return {**LOCK, "packages": {**LOCK["packages"], **packages}}


def test_a_package_is_found_as_node_finds_it() -> None:
    """In the nearest node_modules above; what is not there at all counts by its name."""
    lock = lock_of(LOCK)

    assert lock.importers == {".", "packages/core", "packages/web"}
    assert set(lock.entries(["packages/web"])) == {
        ("importers", "."),
        ("importers", "packages/web"),
        ("packages", "node_modules/@acme/core"),
        ("packages", "node_modules/gone"),
        ("packages", "node_modules/lint"),
        ("packages", "node_modules/ui"),
        ("packages", "node_modules/ui/node_modules/react"),
        ("packages", "packages/web/node_modules/react"),
    }
    assert ("packages", "node_modules/react") in lock.entries(["packages/core"])


def test_a_link_by_a_package_is_told_too() -> None:
    lock = lock_of(LOCK)

    assert lock.workspace_links("packages/web") == ("packages/core",)
    assert lock.workspace_links("packages/core") == ()


@pytest.mark.parametrize(
    ("packages", "counts"),
    [
        pytest.param({"node_modules/react": {"version": "18.0.1"}}, {"core"}, id="version"),
        pytest.param(
            {"packages/web/node_modules/react": {"version": "16.0.0", "integrity": "sha512-6"}},
            {"web"},
            id="integrity",
        ),
        pytest.param({"node_modules/gone": {"version": "1.0.0"}}, {"web"}, id="comes"),
        pytest.param({"node_modules/other": {"version": "1.0.0"}}, set(), id="elsewhere"),
        pytest.param(
            {"node_modules/lint": {"version": "1.0.1"}}, {"core", "web"}, id="of-the-root"
        ),
        pytest.param(
            {"node_modules/react": {**LOCK["packages"]["node_modules/react"], "deprecated": "x"}},
            set(),
            id="remark",
        ),
        pytest.param(
            {"node_modules/react": {**LOCK["packages"]["node_modules/react"], "optional": True}},
            {"core"},
            id="flag",
        ),
    ],
)
def test_what_a_change_counts_for(packages: dict[str, object], counts: set[str]) -> None:
    before, after = lock_of(LOCK), lock_of(changed(**packages))

    assert counts == {
        name
        for name in ("core", "web")
        if before.closure([f"packages/{name}"]) != after.closure([f"packages/{name}"])
    }


def test_layout_and_the_order_of_names_do_not_count() -> None:
    content = json.dumps(dict(reversed(LOCK.items())), indent=4).encode()
    lock = read_lock(PATH, content)

    assert isinstance(lock, Lock)
    assert lock.closure(["packages/web"]) == lock_of(LOCK).closure(["packages/web"])


def test_the_second_version_is_read_by_its_packages() -> None:
    """Besides them it repeats everything for npm 6, which counts for nobody else."""
    second = {**LOCK, "lockfileVersion": 2, "dependencies": {"lint": {"version": "1.0.0"}}}
    other = {**second, "dependencies": {"lint": {"version": "9.9.9"}}}

    assert lock_of(second).closure([]) == lock_of(other).closure([])
    assert lock_of(second).closure([]) != lock_of(LOCK).closure([])


def test_all_of_the_first_version_counts_for_the_only_package() -> None:
    first = {"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.0"}}}
    other = {"lockfileVersion": 1, "dependencies": {"a": {"version": "1.0.1"}}}

    assert lock_of(first).importers == {"."}
    assert lock_of(first).closure([]) != lock_of(other).closure([])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param([], "no version", id="list"),
        pytest.param({"lockfileVersion": 4}, "no version from 1 to 3", id="newer"),
        pytest.param({"lockfileVersion": True}, "no version", id="truth"),
        pytest.param({"lockfileVersion": [3]}, "no version", id="list-as-version"),
        pytest.param({"lockfileVersion": 3}, "no table of packages", id="no-packages"),
        pytest.param({"lockfileVersion": 3, "packages": {"": 1}}, "no table", id="no-entry"),
        pytest.param(
            {"lockfileVersion": 3, "packages": {"": {"dependencies": ["a"]}}},
            "the dependencies of the root are no table",
            id="no-names",
        ),
    ],
)
def test_another_shape_is_refused(said: object, why: str) -> None:
    problem = read_lock(PATH, json.dumps(said).encode())

    assert isinstance(problem, LockProblem)
    assert why in problem.why


# --- what npm says of what it writes ------------------------------------------------------------


@pytest.fixture(params=[1, 2], ids="seed-{}".format)
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Packages that need versions of each other which cannot lie in one folder."""
    chance = random.Random(request.param)
    names = [f"lib-{number}" for number in range(6)] + ["@scope/kit"]
    packages: dict[str, dict[str, dict[str, Any]]] = {
        name: {
            version: {
                "dependencies": {
                    other: chance.choice(["1.0.0", "2.0.0", "*"])
                    for other in chance.sample(names, chance.choice([0, 1, 2]))
                }
            }
            for version in ("1.0.0", "2.0.0")
        }
        for name in names
    }
    folder = tmp_path / "workspace"
    folder.mkdir()
    root = {"name": "acme", "private": True, "workspaces": ["packages/*"]}
    (folder / "package.json").write_text(json.dumps({**root, "devDependencies": {"lib-0": "*"}}))
    for number in range(4):
        asked = {name: chance.choice(["1.0.0", "2.0.0"]) for name in chance.sample(names, 3)}
        asked |= {f"@acme/p{number - 1}": "^1.0.0"} if number else {}
        about = {"name": f"@acme/p{number}", "version": "1.0.0", "dependencies": asked}
        path = folder / "packages" / f"p{number}"
        path.mkdir(parents=True)
        (path / "package.json").write_text(json.dumps(about))
    with NpmRegistry(packages) as registry:
        arguments = ("install", "--package-lock-only", "--no-audit", "--no-fund")
        node_tools.run_npm(folder, *arguments, registry=registry.url)
    yield folder


def test_what_a_package_gets_is_what_npm_says(workspace: Path) -> None:
    lock = read_lock(PATH, (workspace / PATH).read_bytes())
    assert isinstance(lock, Lock)
    packages = json.loads((workspace / PATH).read_text())["packages"]

    for number in range(4):
        arguments = ("ls", "--package-lock-only", "--all", "--json", f"--workspace=@acme/p{number}")
        said = json.loads(node_tools.run_npm(workspace, *arguments))
        theirs = set(_installed(said["dependencies"]))
        importers = [f"packages/p{one}" for one in range(number + 1)]  # each needs the one before
        ours = {
            (key.rpartition("node_modules/")[2], packages[key]["version"])
            for section, key in lock.entries(importers)
            if section == "packages" and "version" in packages[key]
        }
        root = {(name, version) for name, version in ours if name == "lib-0"}
        of_root = {
            (key.rpartition("node_modules/")[2], packages[key]["version"])
            for section, key in lock.entries([])
            if section == "packages" and "version" in packages[key]
        }
        assert root and theirs <= ours
        assert ours - theirs <= of_root


def _installed(table: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and versions, without the packages of the workspace."""
    for name, about in table.items():
        if not name.startswith("@acme/"):
            yield name, about["version"]
        yield from _installed(about.get("dependencies", {}))
