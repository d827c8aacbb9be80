"""The locks say what pyproject.toml asks for, with hashes and without addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev import lock_requirements

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "0" * 64
ASKED = "    # via orient-deploy (pyproject.toml)\n"


def pinned(name: str, version: str, *, asked: bool = True, hashed: bool = True) -> str:
    """One package of a lock."""
    hashes = f" \\\n    {HASH}" if hashed else ""
    return f"{name}=={version}{hashes}\n{ASKED if asked else '    # via requests'}\n"


def test_the_locks_match_pyproject() -> None:
    assert lock_requirements.check(ROOT) == []


def test_the_command_line_needs_what_the_extras_need() -> None:
    """`pipx install .` takes no extra, and every command must run."""
    pyproject = lock_requirements._read_toml(ROOT / "pyproject.toml")
    project = pyproject["project"]

    assert set(project["dependencies"]) == set().union(*project["optional-dependencies"].values())


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        pytest.param(pinned("pyyaml", "6.0.3"), [], id="equal"),
        pytest.param(
            pinned("pyyaml", "6.0.3") + pinned("idna", "3.20", asked=False),
            [],
            id="needed-by-another",
        ),
        pytest.param("", ["pyyaml is asked for, but not locked"], id="missing"),
        pytest.param(
            pinned("pyyaml", "6.0.3", asked=False),
            ["pyyaml is asked for, but not locked"],
            id="there-only-for-another",
        ),
        pytest.param(
            pinned("idna", "3.20") + pinned("pyyaml", "6.0.3"),
            ["idna is locked, but not asked for"],
            id="no-longer-asked-for",
        ),
        pytest.param(
            pinned("pyyaml", "5.4"),
            ["pyyaml is locked at 5.4, but PyYAML>=6.0.2 is asked for"],
            id="too-old",
        ),
        pytest.param(
            pinned("pyyaml", "6.0.3", hashed=False), ["pyyaml 6.0.3 has no hash"], id="no-hash"
        ),
        pytest.param(
            "--index-url https://packages.example.com\n" + pinned("pyyaml", "6.0.3"),
            ["it names an address"],
            id="address",
        ),
    ],
)
def test_a_lock_that_drifted_is_found(lock: str, found: list[str]) -> None:
    assert lock_requirements.differences(["PyYAML>=6.0.2"], lock) == found
