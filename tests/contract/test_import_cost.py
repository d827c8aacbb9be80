"""What a detection imports. Each module here is a part of every consumer's every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev import sample

ROOT = Path(__file__).parents[2]
# What makes values by generating code: some 10 ms, and pathspec brings it along.
GENERATORS = {"dataclasses", "inspect", "typing"}
# Of the standard library, what costs more than a few milliseconds or belongs to a network.
HEAVY = {
    *("argparse", "asyncio", "concurrent.futures", "email", "http.client", "logging"),
    *("multiprocessing", "random", "secrets", "shutil", "socket", "ssl", "tempfile", "unittest"),
    *("urllib.request", "uuid", "zipfile"),
}

# Runs a launcher as Python would, then tells what was imported: importtime misses import_module().
PROBE = """
import os
import sys
os._exit = sys.exit  # which a launcher ends with, and nothing would come after it
launcher, report = sys.argv.pop(1), sys.argv.pop(1)
try:
    with open(launcher, encoding="utf-8") as file:
        code = compile(file.read(), launcher, "exec")
    exec(code, {"__name__": "__main__", "__file__": launcher})
finally:
    with open(report, "w", encoding="utf-8") as file:
        file.write("\\n".join(sys.modules))
"""


def imported(folder: Path, event: dict[str, object]) -> set[str]:
    """The modules that scripts/detect.py imports in a run on an event."""
    payload = folder.parent / "event.json"
    payload.write_text(json.dumps(event))
    output, report = folder.parent / "output", folder.parent / "modules"
    output.write_text("")

    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE, str(ROOT / "scripts/detect.py"), str(report)],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "ORIENT_DEPLOY_LIBRARIES": os.environ["ORIENT_DEPLOY_LIBRARIES"],
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(payload),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REF": f"refs/heads/{sample.DEFAULT_BRANCH}",
            "GITHUB_REPOSITORY": sample.REPOSITORY,
            "GITHUB_SHA": str(event["after"]),
            "GITHUB_WORKSPACE": str(folder),
            "RUNNER_TEMP": str(folder.parent),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr[-2000:]
    assert "images" in output.read_text()
    names = set(report.read_text().split("\n"))
    assert "orient_deploy.commands.detect" in names
    return names


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Those of a push that changes one package of the sample, whose patterns are plain."""
    return imported_on_a_push(tmp_path_factory.mktemp("cost") / "app")


def imported_on_a_push(folder: Path, *, watched: str = "") -> set[str]:
    """The modules imported on the sample's first push; `watched` is put on its list first."""
    repository = sample.build(folder)
    if watched:
        config = folder / sample.CONFIG
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("[package.json", f"['{watched}', package.json"))
        assert config.read_text() != text
        repository.commit("Watch more")
    pushed = repository.push(sample.PUSHES[0])
    event: dict[str, object] = {
        "before": pushed.before,
        "after": pushed.after,
        "repository": {
            "full_name": sample.REPOSITORY,
            "default_branch": sample.DEFAULT_BRANCH,
        },
    }
    return imported(repository.path, event)


def third_party(modules: set[str]) -> set[str]:
    """The packages of others among the modules."""
    packages = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    # What begins with an underscore, and the runtime of Cython, are the compiled part of PyYAML; a
    # released action does not have it.
    others = {name for name in packages if not name.startswith(("_", "cython"))}
    return others - {"orient_deploy"}


def test_plain_patterns_need_yaml_only(modules: set[str]) -> None:
    assert third_party(modules) == {"yaml"}
    assert sorted(modules & GENERATORS) == []


def test_a_pattern_that_needs_an_expression_brings_pathspec(tmp_path: Path) -> None:
    modules = imported_on_a_push(tmp_path / "app", watched="packages/*/src/[a-z]*.ts")

    # pathspec takes typing_extensions where it is; it is not in our locks.
    assert third_party(modules) - {"typing_extensions"} == {"pathspec", "yaml"}
    assert sorted(modules & HEAVY) == []


def test_detect_imports_nothing_heavy(modules: set[str]) -> None:
    assert sorted(modules & HEAVY) == []


def test_detect_imports_no_other_command(modules: set[str]) -> None:
    rooms = {".".join(name.split(".")[:2]) for name in modules if name.startswith("orient_deploy.")}
    commands = {name for name in modules if name.startswith("orient_deploy.commands.")}

    assert not rooms & {f"orient_deploy.{room}" for room in ("advise", "github", "registry")}
    assert not commands & {
        f"orient_deploy.commands.{name}" for name in ("gate", "matrix", "plan", "init", "replay")
    }
