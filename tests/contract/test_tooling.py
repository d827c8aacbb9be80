"""The linters over the whole tree.

Each linter is a test of its own, so that one run names all that object; tests/conftest.py lists
them again before the count.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.oracles.node_tools import parse_action, parse_workflow

ROOT = Path(__file__).parents[2]
LINTER_TIMEOUT_S = 300
BIN = Path(sys.executable).parent


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository that git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
    listed = subprocess.run(
        [*command, *patterns], cwd=ROOT, check=True, capture_output=True, timeout=60
    ).stdout
    names = sorted(set(listed.decode().split("\0")) - {""})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def names(paths: list[Path]) -> list[str]:
    """Paths relative to the root, as a linter is given them; never none at all."""
    assert paths
    return [path.relative_to(ROOT).as_posix() for path in paths]


def actions() -> list[Path]:
    """Every action.yml."""
    return tracked("action.yml", "actions/*/action.yml")


def workflows() -> list[Path]:
    """Our own workflows and those that consumers copy."""
    return tracked(":(glob)**/.github/workflows/*.yml", "workflows-templates/*.yml")


def python_files() -> list[Path]:
    """Every file of Python, whatever it is called."""
    return tracked("*.py") + [path for path in _scripts() if "python" in _shebang(path)]


def shell_files() -> list[Path]:
    """Every file of shell, whatever it is called."""
    named = tracked("*.sh")
    return named + [
        p for p in _scripts() if re.search(r"\b(ba)?sh$", _shebang(p)) and p not in named
    ]


def _scripts() -> list[Path]:
    return [path for path in tracked("scripts", ".ci", "tests", "benchmarks") if not path.suffix]


def _shebang(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline(200)
    return first.decode("utf-8", "replace").strip() if first.startswith(b"#!") else ""


def run_linter(*command: str, text: str | None = None) -> None:
    """Run a linter over the tree; what it prints is the failure."""
    tool = shutil.which(command[0], path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert tool is not None, f"{command[0]} is not installed: use scripts/test"
    result = subprocess.run(
        [tool, *command[1:]],
        cwd=ROOT,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=LINTER_TIMEOUT_S,
        check=False,
    )
    if result.returncode != 0:
        pytest.fail(f"{' '.join(command[:2])}\n{result.stdout}", pytrace=False)


def test_ruff_check() -> None:
    run_linter("ruff", "check", "--no-fix", "--quiet", ".")


def test_ruff_format() -> None:
    run_linter("ruff", "format", "--check", "--quiet", "--diff", ".")


def test_mypy() -> None:
    run_linter("mypy", "--strict", "scripts", "tests", *(["benchmarks"] if _benchmarks() else []))


def _benchmarks() -> bool:
    return bool(tracked("benchmarks/*.py"))


def test_vermin() -> None:
    """Nothing that is shipped needs a Python younger than the floor."""
    shipped = tracked("scripts/*.py", "scripts/orient_deploy")
    sources = [path for path in shipped if path.suffix == ".py" and "dev" not in path.parts]
    run_linter("vermin", "--no-tips", "--quiet", "--violations", "-t=3.10-", *names(sources))


def test_zizmor() -> None:
    """Every workflow and action, ours and those that consumers copy; no finding is ignored."""
    options = ["--offline", "--no-progress", "--strict-collection", "--pedantic"]
    found = [*workflows(), *actions(), ROOT / ".github" / "dependabot.yml"]
    run_linter("zizmor", *options, "--config", ".github/zizmor.yml", *names(found))


def test_no_linter_is_told_to_look_away() -> None:
    """A workflow holds no ignore comment, and an ignore in Python names the rule and the reason."""
    silent = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in workflows() + actions()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"zizmor: *ignore|yamllint disable|actionlint", line)
    ]
    pattern = re.compile(
        r"# (noqa|type: ignore)(?!(: [A-Z]+\d+(, [A-Z]+\d+)*|\[[a-z-]+\]).*\S+ \S+)"
    )
    silent += [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line) and path != Path(__file__)
    ]

    assert silent == []


def test_schema_of_actions() -> None:
    run_linter("check-jsonschema", "--builtin-schema", "vendor.github-actions", *names(actions()))


def test_schema_of_workflows() -> None:
    schema = "vendor.github-workflows"
    run_linter("check-jsonschema", "--builtin-schema", schema, *names(workflows()))


def test_schema_of_dependabot() -> None:
    schema = "vendor.dependabot"
    run_linter("check-jsonschema", "--builtin-schema", schema, ".github/dependabot.yml")


def test_github_parser_takes_the_workflows() -> None:
    assert {path.name: found for path in workflows() if (found := parse_workflow(path))} == {}


def test_github_parser_takes_the_actions() -> None:
    assert len(actions()) > 1
    assert {str(path): found for path in actions() if (found := parse_action(path))} == {}


def test_shellcheck_of_files() -> None:
    found = names(shell_files())

    assert {".ci/run", "scripts/run", "scripts/test"} <= set(found)
    run_linter("shellcheck", *found)


def test_shellcheck_of_run_blocks() -> None:
    """No tool reads the shell inside YAML, so it is taken out here."""
    checked = 0
    for path in workflows() + actions():
        for where, block in run_blocks(yaml.safe_load(path.read_text(encoding="utf-8"))):
            checked += 1
            # An expression is replaced by the runner before bash sees it.
            text = f"# {path.relative_to(ROOT)}: {where}\n" + re.sub(r"\$\{\{.*?\}\}", "x", block)
            run_linter("shellcheck", "--shell", "bash", "-", text=text)

    assert checked


def run_blocks(document: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every `run` of a workflow or an action, with its place."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key == "run" and isinstance(value, str):
                yield where, value
            else:
                yield from run_blocks(value, f"{where}/{key}")
    elif isinstance(document, list):
        for number, value in enumerate(document):
            yield from run_blocks(value, f"{where}/{number}")


def test_no_expression_in_a_run_block() -> None:
    """Text from outside that is pasted into a script is a script."""
    pasted = [
        f"{path.relative_to(ROOT)}{where}"
        for path in workflows() + actions()
        for where, block in run_blocks(yaml.safe_load(path.read_text(encoding="utf-8")))
        if "${{" in block
    ]

    assert pasted == []


def test_what_is_started_can_be_started() -> None:
    """A file with a first line that names a program is executable, and no other is."""
    wrong = []
    for path in tracked("scripts", ".ci", "tests", "benchmarks", "actions"):
        executable = bool(path.stat().st_mode & stat.S_IXUSR)
        if executable != bool(_shebang(path)):
            wrong.append(path.relative_to(ROOT).as_posix())

    assert wrong == []


def test_no_links_in_the_tree() -> None:
    """Windows unpacks a link as a text file, and Linux copies what it points to."""
    assert [path.name for path in tracked() if path.is_symlink()] == []
