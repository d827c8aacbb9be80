"""The checks of a repository, put together as `preflight` asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from orient_deploy.commands.preflight_repository import look
from orient_deploy.config import parse
from orient_deploy.preflight import locked, packages, repository, sources, workflow
from orient_deploy.preflight.finding import Finding
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.project import Project, resolve
from tests.machines.parts import part

CONFIG = """\
version: 1
images:
  dashboard:
    dockerfile: packages/dashboard/Dockerfile
    repository: ghcr.io/acme/orient/dashboard
"""
DEPLOY = """\
on: {push: {branches: [main]}}
jobs:
  detect:
    runs-on: ubuntu-latest
    outputs: {dashboard: "${{ steps.plan.outputs.dashboard }}"}
    steps: [{id: plan, uses: acme/orient-deploy-actions/detect@v1}]
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pnpm install --frozen-lockfile
      - run: pnpm turbo build --filter='@orient/*'
      - run: pnpm run test:ci
  build-dashboard:
    needs: [detect, test]
    if: >-
      ${{ !cancelled() && needs.test.result == 'success' &&
      needs.detect.outputs.dashboard != 'false' }}
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with:
          file: packages/dashboard/Dockerfile
          push: true
          tags: ghcr.io/acme/orient/dashboard:1
  deploy:
    needs: [test, build-dashboard]
    if: >-
      ${{ !cancelled() && needs.test.result == 'success' &&
      needs.build-dashboard.result != 'failure' }}
    runs-on: ubuntu-latest
    steps: [{run: ssh opc@203.0.113.7 ./deploy.sh}]
"""
EXPRESS = (
    "import express from 'express';\nimport { log } from '@orient/core';\nconst app = express();\n"
)
TEXTS: dict[str, str] = {
    ".github/workflows/deploy.yml": DEPLOY,
    "package.json": json.dumps(
        {"name": "orient", "scripts": {"test": "vitest", "test:ci": "vitest run --exclude e2e"}}
    ),
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n\n  packages/core: {}\n\n"
    "  packages/dashboard:\n    dependencies:\n      '@orient/core':\n"
    "        specifier: workspace:*\n        version: link:../core\n      express:\n"
    "        specifier: ^5.1.0\n        version: 5.1.0\n\npackages: {}\n",
    "packages/core/package.json": json.dumps(
        {
            "name": "@orient/core",
            "types": "./dist/index.d.ts",
            "exports": {".": {"types": "./dist/index.d.ts", "import": "./dist/index.js"}},
            "scripts": {"build": "tsc"},
        },
        indent=1,
    ),
    "packages/core/tsconfig.json": '{"compilerOptions": {"declaration": true}}',
    "packages/core/src/index.ts": "export const log = 1;\n",
    "packages/dashboard/package.json": json.dumps(
        {
            "name": "@orient/dashboard",
            "dependencies": {"@orient/core": "workspace:*", "express": "^5.1.0"},
            "scripts": {"build": "tsc", "test": "vitest run"},
        }
    ),
    "packages/dashboard/src/main.ts": f"{EXPRESS}app.get('/{{*splat}}', f);\n",
    "packages/dashboard/Dockerfile": "FROM node AS build\nCOPY . .\nRUN pnpm -r build\nFROM node\n"
    'COPY --from=build /a /a\nCMD ["node", "packages/dashboard/dist/main.js"]\n',
}


def reader(texts: Mapping[str, str]) -> Callable[[str], bytes | None]:
    return lambda path: texts[path].encode() if path in texts else None


def found_in(
    changed: Mapping[str, str | None],
    *,
    base: Mapping[str, str] | None = None,
    config: str = CONFIG,
    projects: tuple[Project, ...] = (),
    root: str = "/nowhere",
) -> list[Finding]:
    texts = {path: one for path, one in {**TEXTS, **changed}.items() if one is not None}
    return look(
        root,
        tuple(texts),
        reader(texts),
        parse(config, source=".github/orient-deploy.yml") if config else None,
        projects,
        (tuple(base), reader(base)) if base is not None else None,
        repository_name="acme/orient",
    )


def test_a_repository_in_order_says_nothing() -> None:
    assert found_in({}) == []
    assert found_in({}, config="") == []
    assert found_in({}, base=TEXTS) == []


def swapped(path: str, before: str, after: str) -> dict[str, str | None]:
    """One file with one text in place of another."""
    assert before in TEXTS[path]
    return {path: TEXTS[path].replace(before, after)}


WORKFLOW = ".github/workflows/deploy.yml"
CORE = "packages/core/package.json"
MAIN = "packages/dashboard/src/main.ts"
DOCKERFILE = "packages/dashboard/Dockerfile"
BROKEN: dict[str, Mapping[str, str | None]] = {
    "workflow/test-script": swapped(WORKFLOW, "pnpm run test:ci", "pnpm test"),
    "workflow/filter-matches-nothing": swapped(
        WORKFLOW,
        "      - run: pnpm run",
        "      - run: pnpm -F @orientbot/core lint\n      - run: pnpm run",
    ),
    "workflow/packages-not-built": {
        **swapped(WORKFLOW, "      - run: pnpm turbo build --filter='@orient/*'\n", ""),
        "package.json": '{"name": "o", "scripts": {"test:ci": "vitest run"}}',
    },
    "workflow/gate-ignores-failure": swapped(
        WORKFLOW, " &&\n      needs.build-dashboard.result != 'failure'", ""
    ),
    "workflow/gate-dropped-output": swapped(
        WORKFLOW, "outputs.dashboard != 'false'", "outputs.dashboard == 'true'"
    ),
    "repository/dockerfile-missing": swapped(
        WORKFLOW, "file: packages/dashboard/Dockerfile", "file: packages/dashbord/Dockerfile"
    ),
    "repository/dockerfile-differs": {
        **swapped(WORKFLOW, "file: packages/dashboard/Dockerfile", "file: docker/Dockerfile"),
        "docker/Dockerfile": "FROM scratch\n",
    },
    "package/exports-missing": swapped(MAIN, "@orient/core", "@orient/core/logger"),
    "package/types-missing": {"packages/core/tsconfig.json": "{}"},
    "package/main-in-source": swapped(CORE, '"./dist/index.js"', '"./src/index.ts"'),
    "repository/express-wildcard": swapped(MAIN, "/{*splat}", "*"),
    "repository/env-in-image": swapped(DOCKERFILE, "FROM node\n", "FROM node\nCOPY .env .\n"),
    "repository/lockfile-stale": swapped("packages/dashboard/package.json", '"^5.1.0"', '"^5.2.0"'),
    "repository/migration-gap": {
        "src/server.ts": f"{EXPRESS}app.get('/api/jobs', f);\n",
        "package.json": '{"name": "o", "dependencies": {}, "scripts": {"test:ci": "x"}}',
        "packages/dashboard/src/other.ts": f"{EXPRESS}app.get('/health', f);\n",
    },
}


@pytest.mark.parametrize("check", sorted(BROKEN))
def test_each_breakage_is_found_and_nothing_else(check: str) -> None:
    assert [one.check for one in found_in(BROKEN[check])] == [check]


def test_a_deploy_that_needs_two_builds_is_found() -> None:
    second = DEPLOY.partition("  build-dashboard:")[2].partition("  deploy:")[0]
    text = DEPLOY.replace(
        "  deploy:", f"  build-web:{second.replace('outputs.dashboard', 'outputs.web')}  deploy:"
    )
    text = text.replace(
        "needs: [test, build-dashboard]", "needs: [test, build-dashboard, build-web]"
    )
    head, deploy, tail = text.partition("  deploy:\n")
    begin, condition, end = tail.partition("    if: >-\n")
    text = head + deploy + begin + "    runs-on" + end.partition("    runs-on")[2]
    text = text.replace("outputs: {", 'outputs: {web: "${{ steps.plan.outputs.web }}", ')

    assert condition
    assert [one.check for one in found_in({WORKFLOW: text})] == ["workflow/gate-skips"]


def test_every_check_has_a_breakage() -> None:
    modules = (repository, workflow, packages, sources, locked)
    known = {one.id for module in modules for one in module.CHECKS}

    assert known == {*BROKEN, "workflow/gate-skips"}


def test_a_change_without_its_yarn_lock_is_found_by_the_base() -> None:
    before = {**TEXTS, "yarn.lock": "a@^1.0.0:\n"}
    before.pop("pnpm-lock.yaml")
    before.pop("pnpm-workspace.yaml")
    after = {**before, "package.json": '{"name": "o", "dependencies": {"a": "^2.0.0"}}'}

    found = found_in({"pnpm-lock.yaml": None, "pnpm-workspace.yaml": None, **after}, base=before)

    assert [one.check for one in found if one.check.startswith("repository/")] == [
        "repository/lockfile-stale"
    ]


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    settings = tmp_path / "docker"
    settings.mkdir()
    plugins = settings / "cli-plugins"
    plugins.symlink_to(part("28") / "usr/libexec/docker/cli-plugins")
    return Compose.found({"PATH": str(part("28") / "usr/bin"), "DOCKER_CONFIG": str(settings)})


@pytest.mark.parametrize(
    ("dockerfile", "check"),
    [
        pytest.param("packages/dashboard/Dockerfile", "", id="the-same"),
        pytest.param("docker/Dockerfile", "repository/dockerfile-differs", id="another"),
        pytest.param("docker/Dockerfile.no", "repository/dockerfile-missing", id="none"),
    ],
)
def test_what_the_real_compose_builds_is_compared(
    compose: Compose, tmp_path: Path, dockerfile: str, check: str
) -> None:
    path = tmp_path / "checkout" / "docker" / "compose.yml"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"services:\n  dashboard:\n    build: {{context: .., dockerfile: {dockerfile}}}\n"
    )
    project = resolve(compose, {"docker/compose.yml": str(path)})

    found = found_in(
        {"docker/Dockerfile": "FROM scratch\n"},
        projects=(project,),
        root=str(tmp_path / "checkout"),
    )

    assert [one.check for one in found] == ([check] if check else [])
    assert all((one.file, one.line) == ("docker/compose.yml", 3) for one in found)


def test_a_workflow_that_cannot_be_read_is_left_out() -> None:
    assert found_in({WORKFLOW: "jobs: {a: [}"}) == []
