"""The benchmarks run and say what they measured. Their figures are nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_small_row_is_measured_and_decided_rightly(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    options = ["--rows", "small", "--runs", "1", f"--cache={tmp_path / 'cache'}"]

    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "run.py", *options, f"--json={figures}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0
    assert "all decide the same: build 1 of 3" in done.stdout
    measured = json.loads(figures.read_text())["rows"]["small"]
    assert set(measured["runs"]) == {"detect", "git diff"}
    assert measured["ratios"]["git diff"]["wall"]["median"] > 1


def test_the_look_up_in_a_registry_is_measured(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "registry_look_up.py"

    done = subprocess.run(
        [sys.executable, script, "--runs", "1", "--images", "3", f"--json={figures}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0
    assert "3 images on loopback" in done.stdout
    measured = json.loads(figures.read_text())["runs"]
    assert measured["look-up"][0]["wall_s"] > measured["python"][0]["wall_s"] > 0


def test_the_closure_of_a_lockfile_is_measured(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    script = ROOT / "benchmarks" / "lock_closure.py"

    done = subprocess.run(
        [sys.executable, script, "--runs", "1", f"--json={figures}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        timeout=240,
    )

    assert done.returncode == 0
    assert "lock closure: 3." in done.stdout
    measured = json.loads(figures.read_text())
    assert set(measured["runs"]) == {"python", "hash", "one package", "every package", "yaml"}
