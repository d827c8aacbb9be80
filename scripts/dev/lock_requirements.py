"""Export pyproject.toml's requirements, pinned and hashed, into requirements/*.txt.

`requirements/<extra>.txt` belongs to the extra of that name, `requirements/dev.txt` to the group
`dev`. Without arguments existing pins are kept and only what is missing is resolved; `--upgrade`
takes the newest. `--check` asks nobody: it compares pyproject.toml with the locks as they are, so a
new version somewhere never fails it. Names of hosts never get into a lock.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHON_FLOOR = "3.10"


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One pinned package of a lock."""

    name: NormalizedName
    version: str
    hashes: int
    direct: bool  # asked for by pyproject.toml itself


def read_lock(text: str) -> list[Pin]:
    """The pins of a lock, in its order; a package may be pinned once per environment marker."""
    pins = []
    for block in re.split(r"\n(?=[^\s#])", text):
        head = re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", block)
        if head:
            pins.append(
                Pin(
                    name=canonicalize_name(head[1]),
                    version=head[2],
                    hashes=len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)),
                    direct="(pyproject.toml" in block,
                )
            )
    return pins


def differences(wanted: list[str], lock: str) -> list[str]:
    """What a lock has against the requirements it should export; empty when nothing."""
    pins = read_lock(lock)
    requirements = {canonicalize_name(r.name): r for r in map(Requirement, wanted)}
    direct = {pin.name for pin in pins if pin.direct}
    found = [f"{name} is asked for, but not locked" for name in requirements.keys() - direct]
    found += [f"{name} is locked, but not asked for" for name in direct - requirements.keys()]
    for pin in pins:
        asked = requirements.get(pin.name)
        if asked is not None and not asked.specifier.contains(pin.version, prereleases=True):
            found.append(f"{pin.name} is locked at {pin.version}, but {asked} is asked for")
        if not pin.hashes:
            found.append(f"{pin.name} {pin.version} has no hash")
    if "://" in lock:
        found.append("it names an address")
    return sorted(found)


def wanted_requirements(pyproject: dict[str, Any]) -> dict[str, list[str]]:
    """The requirements behind each lock, by the lock's name."""
    project = pyproject["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    locks = {name: sorted({*project["dependencies"], *asked}) for name, asked in extras.items()}
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
    names = wanted_requirements(_read_toml(root / "pyproject.toml"))
    for name in sorted(names, key="dev".__eq__):
        output = f"requirements/{name}.txt"
        if name == "dev":
            selection = ["--group", "dev"]
            for other in sorted(names.keys() - {"dev"}):
                selection += ["--constraints", f"requirements/{other}.txt"]
        else:
            selection = ["--extra", name]
        command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", PYTHON_FLOOR, "--no-header", "--no-emit-index-url"]
        command += ["--no-config", *selection, *(["--upgrade"] if upgrade else [])]
        subprocess.run(
            [*command, "--output-file", output, "pyproject.toml"], cwd=root, check=True, timeout=600
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
