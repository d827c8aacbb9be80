"""Measure how fast and in how much memory `diagnose` reads logs, as whole processes.

Usage: python benchmarks/diagnose.py [--mib N] [--runs N] [--json FILE]. Logs of a quarter and of
the whole size are read, so that it shows whether time grows as the log does and memory does not: a
log of builds in which nothing is known, one in which each line is told, one of lines that are
nearly told, one whose lines repeat the beginning of a signature, and one without an end of line.
Beside them stand GNU grep with the same literal texts, and a Python that only reads the file.
Prints and never judges.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from benchmarks.processes import Contender, Failed, Run, Spread, take_turns
from orient_deploy.commands.catalogue import load_catalogue

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024 * 1024
LOGS: Mapping[str, bytes] = {
    "nothing known": (
        b"2026-01-05T09:00:00.3714027Z #12 34.51 @orient/dashboard:build: transforming (1234) "
        b"src/components/Thing.tsx and other words\n"
    ),
    "each line told": b"dashboard-1  | Error: connect ECONNREFUSED 172.18.0.2:5432\n",
    "nearly told": b"Error: ${name} environment variable is required\n",
    "begins again": b"Bind for a:b " * 5000 + b" failed: port is already allocated\n",
    "no line ends": b"host not found in upstream ",
}
READ = "import sys\nwith open(sys.argv[1], 'rb') as file:\n    while file.read(1 << 20): pass\n"
OURS = f"""
import sys
sys.path[:0] = {[str(ROOT / "scripts"), sysconfig.get_path("purelib")]!r}
from orient_deploy.commands.main import main
sys.exit(main(["diagnose", "--log", sys.argv[1]], env={{"PATH": "/usr/bin"}}))
"""


def write_log(path: Path, line: bytes, mib: int) -> Path:
    """A log of about that size, made of one line."""
    block = line * max(1, MIB // len(line))
    with path.open("wb") as file:
        while file.tell() < mib * MIB:
            file.write(block)
    return path


def measure(mib: int, runs: int, scratch: Path) -> dict[str, tuple[Run, ...]]:
    """The runs of each contender; names end in the size of the log."""
    contenders = []
    words = scratch / "words"
    anchors = {one.anchor for entry in load_catalogue().entries for one in entry.signatures}
    words.write_bytes(b"\n".join(sorted(anchors)) + b"\n")
    grep = shutil.which("grep")
    for name, line in LOGS.items():
        for size in sorted({max(1, mib // 4), mib}):
            path = write_log(scratch / f"{name} {size}", line, size)
            commands = {name: [sys.executable, "-I", "-S", "-X", "utf8", "-c", OURS, str(path)]}
            if name == "nothing known" and size == mib:
                commands["python reads"] = [sys.executable, "-I", "-S", "-c", READ, str(path)]
                if grep:
                    code = 'LC_ALL=C "$0" -F -c -f "$1" "$2" || test $? -eq 1'
                    commands["grep -F"] = ["/bin/sh", "-c", code, grep, str(words), str(path)]
            contenders += [
                Contender(
                    name=f"{title} {size}",
                    command=command,
                    environment={},
                    directory=scratch,
                    output=scratch / "log",
                )
                for title, command in commands.items()
            ]
    return take_turns(contenders, runs=runs, warm_up=min(1, runs - 1))


def show(taken: Mapping[str, Sequence[Run]], mib: int, runs: int) -> None:
    """Print the table: time, speed, memory, and how both grow with the log."""
    print(f"diagnose: logs of {max(1, mib // 4)} and {mib} MiB; {runs} runs each, in turn")
    print(f"  {'':<20} {'MiB':>5} {'wall s':>7} {'MiB/s':>7} {'peak MiB':>9}")
    median: dict[str, tuple[float, float]] = {}
    for name, found in taken.items():
        wall = Spread.of([one.wall_s for one in found]).median
        peak = Spread.of([one.peak_mib for one in found]).median
        median[name] = wall, peak
        title, _, size = name.rpartition(" ")
        print(f"  {title:<20} {size:>5} {wall:7.2f} {int(size) / wall:7.0f} {peak:9.1f}")
    small = max(1, mib // 4)
    for name in LOGS if small < mib else ():
        (wall, peak), (more_wall, more_peak) = median[f"{name} {small}"], median[f"{name} {mib}"]
        print(f"  {name}: × {mib / small:g} long, × {more_wall / wall:.2f} time,", end=" ")
        print(f"{more_peak - peak:+.1f} MiB")


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mib", type=int, default=100, help="size of a log; default: 100")
    parser.add_argument("--runs", type=int, default=3, help="runs of each; default: 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(argv)
    if options.runs < 1 or options.mib < 1:
        parser.error("--runs and --mib must be 1 or more")
    json_file = options.json.resolve() if options.json else None
    with tempfile.TemporaryDirectory(prefix="orient-benchmarks-") as folder:
        try:
            taken = measure(options.mib, options.runs, Path(folder))
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            os.chdir(ROOT)  # a run leaves us in a folder that is about to go
    show(taken, options.mib, options.runs)
    if json_file:
        figures = {name: [asdict(run) for run in found] for name, found in taken.items()}
        json_file.write_text(json.dumps({"mib": options.mib, "runs": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
