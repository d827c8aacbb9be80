"""The locks say what pyproject.toml asks for, with hashes and without addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev import lock_requirements
from dev.lock_requirements import Installed

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "0" * 64


def pinned(name: str, version: str, *, marker: str = "", hashed: bool = True) -> str:
    """One package of a lock."""
    hashes = f" \\\n    {HASH}" if hashed else ""
    return f"{name}=={version}{f' ; {marker}' if marker else ''}{hashes}\n    # via something\n"


def look_up(name: str) -> Installed | None:
    """The packages that the tests below lock."""
    return {
        "pyyaml": Installed(version="6.0.3", requires=()),
        "requests": Installed(
            version="2.34.2",
            requires=(
                "idna<4,>=2.5",
                "PySocks>=1.5; extra == 'socks'",
                "tomli>=2; python_version < '3.11'",
                "colorama>=0.4; sys_platform == 'win32'",
            ),
        ),
        "idna": Installed(version="3.20", requires=()),
        "tomli": Installed(version="2.5.0", requires=()),
        "pysocks": Installed(version="1.7", requires=()),
        "colorama": Installed(version="0.4.6", requires=()),
    }.get(name)


WHOLE = (
    pinned("requests", "2.34.2")
    + pinned("idna", "3.20")
    + pinned("tomli", "2.5.0", marker="python_full_version < '3.11'")
    + pinned("colorama", "0.4.6", marker="sys_platform == 'win32'")
)


def test_the_locks_match_pyproject() -> None:
    assert lock_requirements.check(ROOT) == []


def test_the_command_line_needs_what_the_extras_need() -> None:
    """`pipx install .` takes no extra, and every command must run."""
    pyproject = lock_requirements._read_toml(ROOT / "pyproject.toml")
    project = pyproject["project"]

    assert set(project["dependencies"]) == set().union(*project["optional-dependencies"].values())


def test_each_distinct_extra_has_one_lock() -> None:
    extra = ["requests>=2", "PyYAML>=6"]
    pyproject = {
        "project": {
            "dependencies": [],
            "optional-dependencies": {"b": ["PyYAML>=6"], "c": extra, "a": extra[::-1]},
        },
        "dependency-groups": {"dev": ["pip"]},
    }

    locks = lock_requirements.wanted_requirements(pyproject)

    assert locks == {"b": ["PyYAML>=6"], "c": ["PyYAML>=6", "requests>=2"], "dev": ["pip"]}


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        pytest.param(pinned("pyyaml", "6.0.3"), [], id="equal"),
        pytest.param("", ["pyproject.toml asks for pyyaml, which is not locked"], id="missing"),
        pytest.param(
            pinned("idna", "3.20") + pinned("pyyaml", "6.0.3"),
            ["idna is locked, but nothing asks for it"],
            id="no-longer-asked-for",
        ),
        pytest.param(
            pinned("pyyaml", "5.4"),
            ["pyyaml 5.4 is locked, but not installed here: use scripts/test"],
            id="not-the-one-tested",
        ),
        pytest.param(
            pinned("pyyaml", "6.0.3", marker="python_version < '3.14'"),
            ["pyproject.toml asks for pyyaml, which is not locked"],
            id="missing-for-one-python",
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
    assert lock_requirements.differences(["PyYAML>=6.0.2"], lock, look_up) == found


@pytest.mark.parametrize(
    ("wanted", "lock", "found"),
    [
        pytest.param("requests>=2", WHOLE, [], id="whole"),
        pytest.param(
            "requests>=3",
            WHOLE,
            ["pyproject.toml asks for requests>=3, 2.34.2 is locked"],
            id="older-than-asked-for",
        ),
        pytest.param(
            "requests>=2",
            WHOLE.replace(pinned("idna", "3.20"), ""),
            ["requests asks for idna, which is not locked"],
            id="needed-by-another",
        ),
        pytest.param(
            "requests>=2",
            WHOLE.replace(" ; sys_platform == 'win32'", " ; sys_platform == 'linux'"),
            [
                "colorama is locked, but nothing asks for it",
                "requests asks for colorama, which is not locked",
            ],
            id="other-system",
        ),
        pytest.param(
            "requests>=2",
            WHOLE.replace("< '3.11'", "< '3.10'"),
            ["requests asks for tomli, which is not locked"],
            id="other-python",
        ),
        pytest.param(
            "requests>=2",
            WHOLE + pinned("pysocks", "1.7"),
            ["pysocks is locked, but nothing asks for it"],
            id="extra-not-asked-for",
        ),
        pytest.param("requests[socks]>=2", WHOLE + pinned("pysocks", "1.7"), [], id="extra"),
        pytest.param(
            "requests[socks]>=2",
            WHOLE,
            ["requests asks for pysocks, which is not locked"],
            id="extra-missing",
        ),
    ],
)
def test_what_packages_need_is_locked_too(wanted: str, lock: str, found: list[str]) -> None:
    assert lock_requirements.differences([wanted], lock, look_up) == found


def test_deleting_any_pin_is_found() -> None:
    """On the real lock, with what the real packages say."""
    wanted = lock_requirements.wanted_requirements(
        lock_requirements._read_toml(ROOT / "pyproject.toml")
    )["detect"]
    blocks = re.split(
        r"\n(?=\S)", (ROOT / "requirements" / "detect.txt").read_text(encoding="utf-8")
    )

    assert len(blocks) > 5
    for gone in blocks:
        rest = "\n".join(block for block in blocks if block != gone)
        name = gone.partition("==")[0]
        found = lock_requirements.differences(wanted, rest)
        assert any(f"asks for {name}, which is not locked" in one for one in found), name
