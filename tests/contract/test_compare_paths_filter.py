"""The comparison with a repository's own filters sees agreement, and sees where we would miss."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

_TOOL = Path(__file__).parents[2] / "scripts" / "dev" / "compare_paths_filter.py"

_WORKFLOW = """\
on: push
jobs:
  detect:
    runs-on: ubuntu-latest
    steps:
      - uses: dorny/paths-filter@v3
        with:
          filters: |
            web:
              - 'web/**'
              - '*.json'
            added:
              - added: 'web/**'
"""


def _commit(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = repository / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for command in (["add", "-A"], ["commit", "-q", "-m", "Change something"]):
        subprocess.run(["git", "-C", str(repository), *command], check=True, timeout=60)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True, timeout=60)
    _commit(tmp_path, {".github/workflows/ci.yml": _WORKFLOW, "web/a.ts": ""})
    _commit(tmp_path, {"web/a.ts": "changed"})
    _commit(tmp_path, {"web/new\n.ts": "", "package.json": "{}"})
    _commit(tmp_path, {"docs/a.md": "", "web.md": ""})
    return tmp_path


def _compare(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_TOOL), str(repository)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_more_builds_are_shown_and_allowed(repository: Path) -> None:
    """A changed file counts here though the filter waits for an added one; so does a line break."""
    result = _compare(repository)

    assert result.returncode == 0, result.stderr
    assert "6 decisions, 2 of them true; 4 equal, 2 not" in result.stdout
    assert result.stdout.count("added: filter False, ours True") == 2


def test_a_missed_build_is_found(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would happen if our side overlooked the filter called web."""
    tool = runpy.run_path(str(_TOOL))
    main = tool["main"]
    honest = main.__globals__["decided"]

    def overlooking(*arguments: object) -> dict[str, set[str]]:
        return {commit: built - {"web"} for commit, built in honest(*arguments).items()}

    monkeypatch.setitem(main.__globals__, "decided", overlooking)
    monkeypatch.setattr(sys, "argv", [str(_TOOL), str(repository)])
    monkeypatch.setattr(sys, "path", list(sys.path))

    assert main() == 1
    assert "web: filter True, ours False" in capsys.readouterr().out
