"""Measure what reading a lockfile of 3 MB costs, and telling what packages resolve to.

Usage: python benchmarks/lock_closure.py [--runs N] [--json FILE]. The lockfile is pnpm's, made here
and the same everywhere: forty packages, twelve thousand of a registry. Each row is a whole process:
a Python that does nothing, one that reads and hashes the file, ours for one package and for every
package, and PyYAML's parser in C, which only reads. Prints and never judges: its exit code says
only whether everything could be measured, and whether each update of a library counted for the
packages that have it and for no other.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from benchmarks.pnpm import Workspace
from benchmarks.processes import Contender, Failed, Run, Spread, take_turns
from orient_deploy.inputs.lockfile import read_lock
from orient_deploy.inputs.lockfile.lock import Lock

ROOT = Path(__file__).resolve().parents[1]
WALL, CPU, PEAK = attrgetter("wall_s"), attrgetter("cpu_s"), attrgetter("peak_mib")
BUDGET_S = 0.2  # for one package, with the start of Python
LIBRARIES = 12_600
PACKAGES = 40
UPDATED = (3, 700, 5000, LIBRARIES - 1)  # the last one is the root's

NOTHING = "pass"
HASHED = "import sys, hashlib; hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest()"
OURS = f"""
import sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
from orient_deploy.inputs.lockfile import read_lock
lock = read_lock("pnpm-lock.yaml", open(sys.argv[1], "rb").read())
for folder in sys.argv[2:]:
    lock.closure([folder, *lock.workspace_links(folder)])
"""
YAML = f"""
import sys
sys.path.insert(0, {sysconfig.get_path("platlib")!r})
import yaml
yaml.load(open(sys.argv[1], "rb").read(), Loader=yaml.CSafeLoader)
"""


class Wrong(Exception):
    """An update counted for a package that has not got it, or did not for one that has."""


def workspace() -> Workspace:
    """Each package needs two of those before it."""
    folders = [f"packages/p{number:02}" for number in range(PACKAGES)]
    needs = {
        folder: tuple(folders[one] for one in sorted({number // 2, number // 3}) if one < number)
        for number, folder in enumerate(folders)
    }
    return Workspace(needs=needs, libraries=LIBRARIES)


def check(made: Workspace) -> None:
    """Compare what updates count for with what is known of how the lockfile was made.

    Raises:
        Wrong: they differ.
    """
    before = _digests(made, made.lockfile())
    for library in UPDATED:
        after = _digests(made, made.lockfile(updated=library))
        for folder in made.needs:
            counts = before[folder] != after[folder]
            if counts != made.holds(made.closure([folder]), library):
                raise Wrong(f"library {library} {'counts' if counts else 'is lost'} for {folder}")


def _digests(made: Workspace, content: bytes) -> dict[str, str]:
    lock = read_lock("pnpm-lock.yaml", content)
    if not isinstance(lock, Lock):
        raise Wrong(lock.why)
    return {folder: lock.closure(made.closure([folder])) for folder in made.needs}


def measure(made: Workspace, runs: int, scratch: Path) -> dict[str, tuple[Run, ...]]:
    """The runs of each contender."""
    lockfile = scratch / "pnpm-lock.yaml"
    lockfile.write_bytes(made.lockfile())

    def contender(name: str, code: str, *folders: str) -> Contender:
        options = ["-I", "-S", "-X", "utf8", "-c", code]
        return Contender(
            name=name,
            command=[sys.executable, *options, str(lockfile), *folders],
            environment={},
            directory=scratch,
            output=scratch / "log",
        )

    folders = list(made.needs)
    contenders = [
        contender("python", NOTHING),
        contender("hash", HASHED),
        contender("one package", OURS, folders[-1]),
        contender("every package", OURS, *folders),
        contender("yaml", YAML),
    ]
    return take_turns(contenders, runs=runs, warm_up=min(2, runs))


def show(taken: Mapping[str, Sequence[Run]], size: int, runs: int) -> None:
    """Print the table and the budget."""
    print(f"lock closure: {size / 1e6:.2f} MB, {PACKAGES} packages; {runs} runs each, in turn")
    print(f"  {'':<14} {'wall ms':>8} {'(least–most)':<18} {'cpu ms':>8} {'peak MiB':>9}")
    for name, found in taken.items():
        wall = Spread.of([1000 * WALL(run) for run in found])
        cpu, peak = Spread.of([1000 * CPU(run) for run in found]), Spread.of(list(map(PEAK, found)))
        extremes = f"({wall.low:.1f}–{wall.high:.1f})"
        print(
            f"  {name:<14} {wall.median:8.1f} {extremes:<18} {cpu.median:8.1f} {peak.median:9.1f}"
        )
    spent = Spread.of(list(map(WALL, taken["one package"]))).median
    word = "met" if spent <= BUDGET_S else "MISSED"
    print(f"  one package: {1000 * spent:.0f} ms, budget {1000 * BUDGET_S:g} {word}")


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each; default: 15")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(argv)
    if options.runs < 1:
        parser.error("--runs must be 1 or more")
    json_file = options.json.resolve() if options.json else None
    made = workspace()
    with tempfile.TemporaryDirectory(prefix="orient-benchmarks-") as folder:
        try:
            check(made)
            taken = measure(made, options.runs, Path(folder))
        except (Failed, Wrong) as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            os.chdir(ROOT)  # a run leaves us in a folder that is about to go
    size = len(made.lockfile())
    show(taken, size, options.runs)
    if json_file:
        runs = {name: [asdict(run) for run in found] for name, found in taken.items()}
        json_file.write_text(json.dumps({"bytes": size, "runs": runs}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
