"""Which manifests their lockfile does not know: what pnpm and npm themselves refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.preflight import locked
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.locked import importers
from tests.oracles import node_tools

INTEGRITY = "sha512-" + "A" * 86 + "=="
PNPM_LOCK = f"""\
lockfileVersion: '9.0'

settings:
  autoInstallPeers: true
  excludeLinksFromLockfile: false

importers:

  .:
    dependencies:
      a:
        specifier: ^1.0.0
        version: 1.0.0
    devDependencies:
      b:
        specifier: ^1.0.0
        version: 1.0.0

  packages/web:
    dependencies:
      '@orient/core':
        specifier: workspace:*
        version: link:../core
      a:
        specifier: ^1.0.0
        version: 1.0.0

  packages/core: {{}}

packages:

  a@1.0.0:
    resolution: {{integrity: {INTEGRITY}}}

  b@1.0.0:
    resolution: {{integrity: {INTEGRITY}}}

snapshots:

  a@1.0.0: {{}}

  b@1.0.0: {{}}
"""
ROOT: dict[str, Any] = {
    "name": "root",
    "version": "1.0.0",
    "dependencies": {"a": "^1.0.0"},
    "devDependencies": {"b": "^1.0.0"},
}
WEB: dict[str, Any] = {
    "name": "@orient/web",
    "version": "1.0.0",
    "dependencies": {"@orient/core": "workspace:*", "a": "^1.0.0"},
}
CORE: dict[str, Any] = {"name": "@orient/core", "version": "1.0.0"}
Contents = Mapping[str, str | dict[str, Any]]
BY_PNPM: dict[str, str | dict[str, Any]] = {
    "package.json": ROOT,
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "pnpm-lock.yaml": PNPM_LOCK,
    "packages/web/package.json": WEB,
    "packages/core/package.json": CORE,
}


def texts_of(contents: Contents) -> dict[str, str]:
    return {
        path: one if isinstance(one, str) else json.dumps(one, indent=1)
        for path, one in contents.items()
    }


def files_of(contents: Contents) -> Files:
    texts = texts_of(contents)
    return Files(texts, lambda path: texts[path].encode())


def found_in(contents: Contents, base: Contents | None = None) -> list[Finding]:
    return locked.look(files_of(contents), files_of(base) if base is not None else None)


def write(folder: Path, contents: Contents) -> Path:
    place = folder / "workspace"
    for path, text in texts_of(contents).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text)
    return place


def is_refused_by_pnpm(folder: Path, contents: Contents) -> bool:
    place = write(folder, contents)
    try:
        node_tools.run_pnpm(place, "install", "--frozen-lockfile", "--lockfile-only", "--offline")
    except node_tools.OracleError as error:
        assert "ERR_PNPM_OUTDATED_LOCKFILE" in str(error)
        return True
    return False


PNPM_CASES = [
    pytest.param({}, "", id="in-order"),
    pytest.param(
        {"package.json": {**ROOT, "dependencies": {"a": "^1.1.0"}}}, "package.json", id="another"
    ),
    pytest.param(
        {"package.json": {**ROOT, "dependencies": {"a": "^1.0.0", "c": "1"}}},
        "package.json",
        id="added",
    ),
    pytest.param({"package.json": {**ROOT, "dependencies": {}}}, "package.json", id="removed"),
    pytest.param(
        {
            "package.json": {
                **ROOT,
                "dependencies": {},
                "devDependencies": {"a": "^1.0.0", "b": "^1.0.0"},
            }
        },
        "package.json",
        id="in-another-group",
    ),
    pytest.param(
        {
            "packages/web/package.json": {
                **WEB,
                "dependencies": {"@orient/core": "workspace:^", "a": "^1.0.0"},
            }
        },
        "packages/web/package.json",
        id="of-a-package",
    ),
    pytest.param(
        {"packages/new/package.json": {"name": "@orient/new", "dependencies": {"a": "^1.0.0"}}},
        "packages/new/package.json",
        id="a-new-package",
    ),
    pytest.param(
        {"packages/new/package.json": {"name": "@orient/new"}}, "", id="a-new-empty-package"
    ),
    pytest.param(
        {"package.json": {**ROOT, "scripts": {"x": "y"}, "version": "2.0.0"}},
        "",
        id="no-dependency",
    ),
    pytest.param(
        {
            "package.json": {**ROOT, "pnpm": {"overrides": {"a": "1.0.0"}}},
            "pnpm-lock.yaml": PNPM_LOCK.replace(
                "importers:\n\n  .:\n    dependencies:\n      a:\n        specifier: ^1.0.0",
                "overrides:\n  a: 1.0.0\n\nimporters:\n\n  .:\n    dependencies:\n      a:\n"
                "        specifier: 1.0.0",
            ).replace(
                "link:../core\n      a:\n        specifier: ^1.0.0",
                "link:../core\n      a:\n        specifier: 1.0.0",
            ),
        },
        "",
        id="overridden",
    ),
    pytest.param(
        {
            "packages/core/package.json": {**CORE, "peerDependencies": {"a": "^1.0.0"}},
            "pnpm-lock.yaml": PNPM_LOCK.replace(
                "packages/core: {}",
                "packages/core:\n    dependencies:\n      a:\n        specifier: ^1.0.0\n"
                "        version: 1.0.0",
            ),
        },
        "",
        id="a-peer-installed-apart",
    ),
]


@pytest.mark.parametrize(("changed", "path"), PNPM_CASES)
def test_what_pnpm_refuses_is_named(changed: Contents, path: str, tmp_path: Path) -> None:
    contents = {**BY_PNPM, **changed}
    found = found_in(contents)

    assert is_refused_by_pnpm(tmp_path, contents) is bool(path)
    assert [one.file for one in found] == ([path] if path else [])


def test_line_and_command_are_told() -> None:
    (found,) = found_in(
        {**BY_PNPM, "package.json": {**ROOT, "dependencies": {"a": "^1.0.0", "c": "^3.0.0"}}}
    )

    assert found.check == "repository/lockfile-stale"
    assert (
        found.message
        == "c ^3.0.0 was added to `dependencies`: pnpm-lock.yaml was not written after it"
    )
    assert (found.line, found.command) == (6, "pnpm install --lockfile-only")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({".pnpmfile.cjs": "module.exports = {}"}, id="a-hook-may-change-it"),
        pytest.param({"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, id="an-old-lockfile"),
        pytest.param({"pnpm-lock.yaml": "<<<<<<< a\n" + PNPM_LOCK}, id="a-merge-conflict"),
        pytest.param(
            {"package.json": {**ROOT, "dependencies": {"a": "9", "b": "9"}}}, id="in-two-groups"
        ),
    ],
)
def test_what_cannot_be_told_is_not_named(changed: Contents) -> None:
    stale = {**BY_PNPM, "package.json": {**ROOT, "dependencies": {"a": "^9.0.0"}}}

    assert found_in({**stale, **changed}) == []


def test_importers_are_those_of_a_yaml_parser() -> None:
    import yaml

    said = importers(PNPM_LOCK) or {}
    expected = {
        folder: {
            name: (one["specifier"], one["version"])
            for group in about.values()
            for name, one in group.items()
        }
        for folder, about in yaml.safe_load(PNPM_LOCK)["importers"].items()
    }

    assert {
        folder: {name: (one.specifier, one.version) for name, one in about.items()}
        for folder, about in said.items()
    } == expected


# --- npm

NPM_LOCK: dict[str, Any] = {
    "name": "root",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {
            "name": "root",
            "version": "1.0.0",
            "workspaces": ["packages/*"],
            "dependencies": {"a": "^1.0.0"},
        },
        "node_modules/@orient/web": {"resolved": "packages/web", "link": True},
        "node_modules/a": {"version": "1.0.0", "integrity": INTEGRITY},
        "packages/web": {
            "name": "@orient/web",
            "version": "1.0.0",
            "dependencies": {"a": "^1.0.0"},
        },
    },
}
BY_NPM: dict[str, str | dict[str, Any]] = {
    "package.json": {
        "name": "root",
        "version": "1.0.0",
        "workspaces": ["packages/*"],
        "dependencies": {"a": "^1.0.0"},
    },
    "package-lock.json": NPM_LOCK,
    "packages/web/package.json": {
        "name": "@orient/web",
        "version": "1.0.0",
        "dependencies": {"a": "^1.0.0"},
    },
}


def is_refused_by_npm(folder: Path, contents: Contents) -> bool:
    place = write(folder, contents)
    try:
        node_tools.run_npm(place, "ci", "--dry-run", "--offline", "--no-audit", "--ignore-scripts")
    except node_tools.OracleError as error:
        assert "EUSAGE" in str(error) or "ENOTCACHED" in str(error)
        return True
    return False


def npm(**changed: Any) -> dict[str, Any]:
    root = BY_NPM["package.json"]
    assert isinstance(root, dict)
    return {"package.json": {**root, **changed}}


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        pytest.param({}, "", id="in-order"),
        pytest.param(npm(dependencies={"a": "^1.0.0", "c": "1.0.0"}), "package.json", id="added"),
        pytest.param(npm(devDependencies={"c": "1.0.0"}), "package.json", id="added-for-tests"),
        pytest.param(
            {
                "packages/web/package.json": {
                    "name": "@orient/web",
                    "version": "1.0.0",
                    "dependencies": {"a": "^1.0.0", "c": "^1.0.0"},
                }
            },
            "packages/web/package.json",
            id="of-a-package",
        ),
        pytest.param(npm(dependencies={"a": ">=1.0.0"}), "", id="still-satisfied"),
        pytest.param(npm(scripts={"x": "y"}), "", id="no-dependency"),
    ],
)
def test_what_npm_refuses_is_named(changed: Contents, path: str, tmp_path: Path) -> None:
    contents = {**BY_NPM, **changed}
    found = found_in(contents)

    assert is_refused_by_npm(tmp_path, contents) is bool(path)
    assert [one.file for one in found] == ([path] if path else [])


# --- others, by what changed

BY_YARN: dict[str, str | dict[str, Any]] = {
    "package.json": {"name": "root", "dependencies": {"a": "^1.0.0"}},
    "yarn.lock": 'a@^1.0.0:\n  version "1.0.0"\n',
}


@pytest.mark.parametrize(
    ("changed", "fires"),
    [
        pytest.param({"package.json": {"dependencies": {"a": "^2.0.0"}}}, True, id="another"),
        pytest.param(
            {"package.json": {"dependencies": {"a": "^1.0.0", "b": "1"}}}, True, id="added"
        ),
        pytest.param({"package.json": {"dependencies": {}}}, False, id="removed"),
        pytest.param({"package.json": {"name": "other"}}, False, id="no-dependency"),
        pytest.param(
            {"package.json": {"dependencies": {"a": "^2.0.0"}}, "yarn.lock": "a@^2.0.0:\n"},
            False,
            id="with-its-lockfile",
        ),
        pytest.param(
            {"package.json": {"devDependencies": {"a": "^1.0.0"}}}, False, id="in-another-group"
        ),
    ],
)
def test_a_change_without_its_yarn_lock_is_named(changed: Contents, fires: bool) -> None:
    assert bool(found_in({**BY_YARN, **changed}, BY_YARN)) is fires


def test_without_a_base_a_yarn_lock_is_not_judged() -> None:
    assert found_in({**BY_YARN, "package.json": {"dependencies": {"a": "^2.0.0"}}}) == []


def test_a_lockfile_of_a_fixture_is_not_judged() -> None:
    stale = {**BY_PNPM, "package.json": {**ROOT, "dependencies": {"a": "^9.0.0"}}}

    assert found_in({f"tests/fixtures/x/{path}": one for path, one in stale.items()}) == []
