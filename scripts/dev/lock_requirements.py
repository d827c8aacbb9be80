"""Export pyproject.toml's requirements, pinned and hashed, into requirements/*.txt.

Extras that ask for the same share a lock, called like the first of them; `requirements/dev.txt`
belongs to the group `dev`. Without arguments existing pins are kept and only what is missing is
resolved; `--upgrade` takes the newest. `--check` asks nobody: it compares the locks with
pyproject.toml and with what the packages installed here say they need, so a new version somewhere
never fails it. Names of hosts never get into a lock.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import tomli
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = {
    "linux": {"os_name": "posix", "platform_system": "Linux"},
    "darwin": {"os_name": "posix", "platform_system": "Darwin"},
    "win32": {"os_name": "nt", "platform_system": "Windows"},
}
ENVIRONMENTS: list[dict[str, str]] = [
    {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": platform,
        **named,
    }
    for version, (platform, named) in product(PYTHONS, PLATFORMS.items())
]


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One pinned package of a lock."""

    name: NormalizedName
    version: str
    marker: Marker | None
    hashes: int


@dataclass(frozen=True, kw_only=True)
class Installed:
    """What a package says about itself."""

    version: str
    requires: tuple[str, ...]


def installed(name: str) -> Installed | None:
    """A package of the Python that runs this; None where it is absent."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return Installed(version=found.version, requires=tuple(found.requires or ()))


def read_lock(text: str) -> list[Pin]:
    """The pins of a lock, in its order; a package may be pinned once per environment marker."""
    pins = []
    for block in re.split(r"\n(?=[^\s#])", text):
        head = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)(?: *; *([^\\\n]+))?", block)
        if head:
            pins.append(
                Pin(
                    name=canonicalize_name(head[1]),
                    version=head[2],
                    marker=Marker(head[3].strip()) if head[3] else None,
                    hashes=len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)),
                )
            )
    return pins


def differences(
    wanted: Iterable[str], lock: str, look_up: Callable[[str], Installed | None] = installed
) -> list[str]:
    """What a lock has against the requirements it should export; empty when nothing.

    Every supported Python on every platform is gone through, except where a version is locked that
    is not the one installed here: nobody here knows what that one needs.
    """
    pins = read_lock(lock)
    found = {f"{pin.name} {pin.version} has no hash" for pin in pins if not pin.hashes}
    if "://" in lock:
        found.add("it names an address")
    known = {pin.name: look_up(pin.name) for pin in pins}
    examined: set[NormalizedName] = set()
    needed: set[NormalizedName] = set()
    for environment in ENVIRONMENTS:
        active = {pin.name: pin for pin in pins if _holds(pin.marker, environment)}
        if any(_version(known[name]) != pin.version for name, pin in active.items()):
            continue
        requires = {name: one.requires for name, one in known.items() if one and name in active}
        missing, reached = _followed(wanted, active, requires, environment)
        found |= missing
        examined |= active.keys()
        needed |= reached
    here = {pin.name: pin for pin in pins if _holds(pin.marker, {})}
    found |= {
        f"{name} {pin.version} is locked, but not installed here: use scripts/test"
        for name, pin in here.items()
        if _version(known[name]) != pin.version
    }
    found |= {f"{name} is locked, but nothing asks for it" for name in examined - needed}
    return sorted(found)


def _followed(
    wanted: Iterable[str],
    active: Mapping[NormalizedName, Pin],
    requires: Mapping[NormalizedName, tuple[str, ...]],
    environment: Mapping[str, str],
) -> tuple[set[str], set[NormalizedName]]:
    """What is wrong with the pins of one environment, and which of them something asks for."""
    wrong: set[str] = set()
    pending = [("pyproject.toml", "", one) for one in wanted]
    seen = set(pending)
    reached: set[NormalizedName] = set()
    while pending:
        by, extra, text = pending.pop()
        requirement = Requirement(text)
        if not _holds(requirement.marker, {**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        pin = active.get(name)
        if pin is None:
            wrong.add(f"{by} asks for {name}, which is not locked")
            continue
        if not requirement.specifier.contains(pin.version, prereleases=True):
            wrong.add(
                f"{by} asks for {requirement.name}{requirement.specifier}, {pin.version} is locked"
            )
        reached.add(name)
        for which, below in product(("", *sorted(requirement.extras)), requires[name]):
            if (name, which, below) not in seen:
                seen.add((name, which, below))
                pending.append((name, which, below))
    return wrong, reached


def _holds(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    """Whether a marker is true there; what is not named is as it is here."""
    return marker is None or marker.evaluate({"extra": "", **environment})


def _version(package: Installed | None) -> str | None:
    return None if package is None else package.version


def wanted_requirements(pyproject: Mapping[str, Any]) -> dict[str, list[str]]:
    """The requirements behind each lock, by the lock's name: one lock for each distinct set."""
    project = pyproject["project"]
    locks: dict[str, list[str]] = {}
    for name, asked in project["optional-dependencies"].items():  # in the file's order
        if sorted(asked) not in locks.values():
            locks[name] = sorted(asked)
    locks["dev"] = [*project["dependencies"], *pyproject["dependency-groups"]["dev"]]
    return locks


def check(root: Path) -> list[str]:
    """Every difference between pyproject.toml and the locks, one sentence each."""
    pyproject = _read_toml(root / "pyproject.toml")
    locks = wanted_requirements(pyproject)
    found = []
    pinned: dict[str, set[tuple[str, str]]] = {}
    for name, wanted in locks.items():
        path = root / "requirements" / f"{name}.txt"
        if not path.is_file():
            found.append(f"requirements/{name}.txt is missing")
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"requirements/{name}.txt: {what}" for what in differences(wanted, text)]
        pinned[name] = {(pin.name, pin.version) for pin in read_lock(text)}
    known = {f"{name}.txt" for name in locks}
    for path in sorted((root / "requirements").iterdir()):
        if path.name not in known:
            found.append(f"requirements/{path.name} belongs to no extra and no group")
    for name, pins in pinned.items():
        for package, version in sorted(pins - pinned.get("dev", pins)):
            found.append(
                f"requirements/{name}.txt runs {package} {version}, the tests do not: see dev.txt"
            )
    return found


def lock(root: Path, *, upgrade: bool) -> None:
    """Write every lock. `dev` comes last and is held to the pins of the others."""
    locks = wanted_requirements(_read_toml(root / "pyproject.toml"))
    for name in sorted(locks, key="dev".__eq__):
        output = f"requirements/{name}.txt"
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", PYTHONS[0], "--no-header", "--no-emit-index-url"]
        command += ["--no-config", *(["--upgrade"] if upgrade else []), "--output-file", output]
        if name == "dev":
            for other in sorted(locks.keys() - {"dev"}):
                command += ["--constraints", f"requirements/{other}.txt"]
        # From a list: pyproject.toml would add its `dependencies` to each extra.
        subprocess.run(
            [*command, "-"],
            cwd=root,
            check=True,
            input="\n".join(locks[name]),
            encoding="utf-8",
            timeout=600,
        )


def _read_toml(path: Path) -> dict[str, Any]:
    return tomli.loads(path.read_text(encoding="utf-8"))


def main(argv: list[str]) -> int:
    """Lock, or check; 1 when the locks differ from pyproject.toml."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare, without a network")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args(argv)
    if not options.check:
        lock(ROOT, upgrade=options.upgrade)
    found = check(ROOT)
    for sentence in found:
        print(sentence)
    if found and options.check:
        print("Run `python scripts/dev/lock_requirements.py` and commit what it writes.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
