"""The local checklist: real children, real git, the real compose, and stand-ins for the rest."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.commands.context import Context
from orient_deploy.commands.preflight_local import run_local
from orient_deploy.config import parse
from orient_deploy.runner import Log
from tests.machines.parts import part

CONFIG = """\
version: 1
images:
  web: {dockerfile: packages/web/Dockerfile, build-args: {MODE: prod}}
  api: {dockerfile: packages/api/Dockerfile, target: last}
environments:
  production:
    compose: [compose.yml]
    secrets: {file: .env.production}
"""
MANIFEST: dict[str, Any] = {
    "name": "root",
    "packageManager": "pnpm@9.0.0",
    "scripts": {"test:ci": "vitest run"},
    "devDependencies": {"turbo": "^2"},
}
FILES: dict[str, str] = {
    ".github/orient-deploy.yml": CONFIG,
    "package.json": json.dumps(MANIFEST),
    "turbo.json": "{}",
    "pnpm-workspace.yaml": "packages: [packages/*]\n",
    "packages/web/package.json": '{"name": "@orient/web"}',
    "packages/web/Dockerfile": "FROM scratch\nCOPY packages/web /\n",
    "packages/api/package.json": '{"name": "@orient/api"}',
    "packages/api/Dockerfile": "FROM scratch AS last\nCOPY packages/api /\n",
    "compose.yml": "services: {web: {image: 'a:1'}, api: {image: 'b:1'}}\n",
}


class Laptop:
    """A clone with stand-ins for the programs that the list starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.tools = folder / "tools"
        self.tools.mkdir()
        for path, text in FILES.items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.env = {"PATH": f"{self.tools}:/usr/bin:/bin", "HOME": str(folder)}
        self.git("init", "-q", "-b", "main")
        self.commit()
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, env=self.env)

    def commit(self, **changed: str) -> None:
        for path, text in changed.items():
            (self.folder / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")

    def tool(self, name: str, script: str = "exit 0") -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(self, config: str = CONFIG, **options: Any) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        as_json = options.pop("json", False)
        context = Context(
            env=self.env,
            log=Log(err if as_json else out, in_actions=False),
            stdout=out,
            stderr=err,
            in_actions=False,
            json=as_json,
        )
        parsed = parse(config, source="c") if config else None
        code = run_local(str(self.folder), None, parsed, context, **options)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path)


def test_every_step_is_shown_run_and_counted(laptop: Laptop) -> None:
    laptop.commit(**{"packages/web/main.ts": "new\n"})
    laptop.tool("pnpm", 'echo "pnpm got $*"')
    laptop.tool("docker", "echo web")

    code, out, _ = laptop.run()

    assert code == 0
    assert "tests: pnpm run test:ci\npnpm got run test:ci\nPassed in " in out
    assert "pnpm exec turbo run test --filter=@orient/web...\n" in out
    assert "compose files of production: docker compose --env-file /dev/null -f compose.yml" in out
    assert [line.split()[-3] for line in out.splitlines()[-3:]] == ["passed"] * 3
    assert "docker build" not in out


def test_turbo_is_for_the_packages_of_changed_images(laptop: Laptop) -> None:
    """Nothing is left to push: no image changes, so no package is to be tested."""
    laptop.tool("pnpm")
    laptop.tool("docker")

    _, out, _ = laptop.run()

    assert "What is not pushed yet goes into no image." in out
    assert "turbo" not in out


def test_without_a_branch_to_compare_with_all_images_count(laptop: Laptop) -> None:
    laptop.git("update-ref", "-d", "refs/remotes/origin/main")
    laptop.tool("pnpm")
    laptop.tool("docker")

    _, out, _ = laptop.run()

    assert "--filter=@orient/web... --filter=@orient/api..." in out


def test_a_failure_does_not_keep_the_next_step_from_being_tried(laptop: Laptop) -> None:
    laptop.tool("pnpm", "echo broken >&2; exit 3")
    laptop.tool("docker")

    code, out, _ = laptop.run()

    assert code == 1
    assert "broken\nFailed after" in out and "it ended with exit code 3" in out
    assert "failed" in out.splitlines()[-2] and "passed" in out.splitlines()[-1]


def test_a_missing_tool_is_said_and_counts_where_nothing_failed(laptop: Laptop) -> None:
    laptop.tool("docker")

    code, out, _ = laptop.run()

    assert code == 3
    assert "There is no pnpm on PATH." in out
    assert "missing" in out.splitlines()[-2]


def test_a_failure_counts_more_than_a_missing_tool(laptop: Laptop) -> None:
    laptop.tool("docker", "exit 1")

    code, _, _ = laptop.run()

    assert code == 1


def test_images_are_built_where_that_is_asked(laptop: Laptop) -> None:
    laptop.commit(**{"packages/api/main.ts": "new\n", "packages/web/main.ts": "new\n"})
    laptop.tool("pnpm")
    laptop.tool("docker")

    _, out, _ = laptop.run(build=True)

    assert (
        "docker build --file packages/web/Dockerfile --tag local/web --build-arg MODE=prod ."
        in (out)
    )
    assert "docker build --file packages/api/Dockerfile --tag local/api --target last ." in out


@pytest.mark.parametrize(
    ("lock", "said", "start"),
    [
        pytest.param("pnpm-lock.yaml", "", "pnpm run test:ci", id="pnpm"),
        pytest.param("yarn.lock", "", "yarn run test:ci", id="yarn"),
        pytest.param("bun.lock", "", "bun run test:ci", id="bun"),
        pytest.param("package-lock.json", "", "npm run test:ci", id="npm"),
        pytest.param("pnpm-lock.yaml", "yarn@4.0.0", "yarn run test:ci", id="said"),
    ],
)
def test_the_package_manager_is_the_checkouts_own(
    laptop: Laptop, lock: str, said: str, start: str
) -> None:
    manifest = {**MANIFEST, "packageManager": said}
    laptop.commit(**{lock: "\n", "package.json": json.dumps(manifest)})

    _, out, _ = laptop.run("")

    assert f"tests: {start}\n" in out


def test_programs_get_the_results_as_json(laptop: Laptop) -> None:
    laptop.tool("pnpm", "echo noise")
    laptop.tool("docker", "exit 2")

    code, out, err = laptop.run(json=True, clock=iter([0.0, 1.5, 2.0, 2.25]).__next__)

    said = json.loads(out)
    assert code == 1 and said["passed"] is False
    assert [(one["title"], one["outcome"], one["seconds"]) for one in said["steps"]] == [
        ("tests", "passed", 1.5),
        ("compose files of production", "failed", 0.2),
    ]
    assert "noise" in err


def test_a_folder_with_nothing_to_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    out = io.StringIO()
    context = Context(
        env={"PATH": "/usr/bin:/bin"},
        log=Log(out, in_actions=False),
        stdout=out,
        stderr=out,
        in_actions=False,
    )

    assert run_local(str(tmp_path), None, None, context) == 0
    assert "There is nothing to run here" in out.getvalue()


def test_inputs_of_the_action_are_not_for_what_it_starts(laptop: Laptop) -> None:
    laptop.env["INPUT_TOKEN"] = "Zx9-not-for-children"
    laptop.tool("pnpm", "env")
    laptop.tool("docker")

    _, out, _ = laptop.run()

    assert "Zx9" not in out


def test_the_real_compose_names_the_services_and_keeps_values_back(
    laptop: Laptop, tmp_path: Path
) -> None:
    plugins = str(part("28") / "usr/libexec/docker/cli-plugins")
    settings = tmp_path / "docker"
    settings.mkdir()
    (settings / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [plugins]}))
    laptop.env["PATH"] = f"{part('28')}/usr/bin:{laptop.env['PATH']}"
    laptop.env["DOCKER_CONFIG"] = str(settings)
    laptop.tool("pnpm")
    secret = "kQ7-a-value-that-is-shown-nowhere"
    (laptop.folder / ".env.production").write_text(f"PORT={secret}\n")

    good, told, _ = laptop.run()
    (laptop.folder / "compose.yml").write_text(
        "services: {web: {image: 'a:1', ports: ['${PORT}:x']}}\n"
    )
    bad, complained, _ = laptop.run()

    assert good == 0 and "\nweb\n" in told and "\napi\n" in told
    assert "--env-file .env.production" in told
    assert bad == 1 and secret not in complained
    assert "`orient-deploy preflight --checks compose` says why" in complained


STOPPED = """\
    import sys
    sys.path.insert(0, {scripts!r})
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.preflight_local import run_local
    from orient_deploy.runner import Log

    context = Context(
        env={env!r}, log=Log(sys.stdout, in_actions=False), stdout=sys.stdout, stderr=sys.stderr,
        in_actions=False,
    )
    run_local({root!r}, None, None, context)
"""


def test_an_interrupt_ends_what_was_started(laptop: Laptop, tmp_path: Path) -> None:
    """The command and its own child, which do not hear the interrupt themselves."""
    laptop.tool("pnpm", "sleep 300 & echo $$ $!; wait")
    script = textwrap.dedent(STOPPED).format(
        scripts=str(Path(__file__).parents[3] / "scripts"), env=laptop.env, root=str(laptop.folder)
    )
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    pids: list[int] = []
    for line in child.stdout:
        words = line.split()
        if len(words) == 2 and all(one.isdigit() for one in words):
            pids = [int(one) for one in words]
            break
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)

    assert len(pids) == 2
    assert [one for one in pids if _runs(one)] == []


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in ("Z", "X")


def test_what_a_command_leaves_running_does_not_hold_the_list_up(laptop: Laptop) -> None:
    laptop.tool("pnpm", "sleep 300 & echo started")
    laptop.tool("docker")

    code, out, _ = laptop.run()

    assert code == 0 and "started\n" in out


def test_the_environment_of_a_run(laptop: Laptop) -> None:
    """Only the one that is named."""
    two: Mapping[str, str] = {"config": CONFIG + "  staging: {compose: [compose.yml]}\n"}
    laptop.tool("pnpm")
    laptop.tool("docker")

    _, out, _ = laptop.run(two["config"])
    assert "compose files of production" in out and "compose files of staging" in out
