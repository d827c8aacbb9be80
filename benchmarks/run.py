"""Measure detection against git itself and, where one is given, against a peer.

Usage: python benchmarks/run.py [--peer DIST_INDEX_JS] [--rows small,large,…] [--runs N]. What is
measured, and what the budgets mean, is in docs/performance.md. Prints and never judges: its exit
code says only whether everything could be measured and decided the same.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from benchmarks import cases, contenders, repositories
from benchmarks.processes import Contender, Failed, Run, Spread, ratios, take_turns
from dev import release_tree
from tests.fakes.git_server import GitServer

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "benchmarks"
IMPORTS_SHOWN = 25
WALL, CPU = attrgetter("wall_s"), attrgetter("cpu_s")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a ratio or a time in seconds may be at most, and what it should be."""

    at_most: float | None = None
    aim: float | None = None

    def judge(self, found: float) -> str:
        words = [
            f"{name} {value:g} {'met' if found <= value else 'MISSED'}"
            for name, value in (("budget", self.at_most), ("aim", self.aim))
            if value is not None
        ]
        return ", ".join(words)


# By row and by what a detection is compared with; 'seconds' is its wall time alone. A small
# repository has no aim against git: there it is the start of a Python that is measured.
BUDGETS = {
    ("small", "peer"): Budget(at_most=0.6, aim=0.45),
    ("large", "peer"): Budget(at_most=0.65),
    ("large", "git diff"): Budget(aim=4),
    ("digests-small", "seconds"): Budget(at_most=0.1),
    ("digests", "seconds"): Budget(at_most=0.5),
    ("acquire", "time"): Budget(at_most=0.1),
    ("acquire", "bytes"): Budget(at_most=0.35),
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What every row is measured with."""

    machine: contenders.Machine
    library: Path
    cache: Path
    scratch: Path
    peer: Path | None
    runs: int


def _compared(
    row: str, case: repositories.Case, setting: Setting, *, peer: bool, event: str = "push"
) -> dict[str, Any]:
    """A row in which everything is in the checkout already."""
    made = repositories.make(case, setting.cache)
    scratch = setting.scratch / row
    scratch.mkdir()
    ours = contenders.detect(setting.machine, setting.library, made, scratch, event=event)
    others = [contenders.git_diff(setting.machine, made, scratch)]
    if setting.peer and peer:
        others.append(contenders.peer(setting.machine, setting.peer, made, scratch))
    warm_up = min(3, setting.runs)
    taken = take_turns([*others, ours], runs=setting.runs, warm_up=warm_up)

    title = (
        f"{row}: {made.files:,} files, {len(case.images)} images"
        f"{f', {made.changed:,} changed' if event == 'push' else ', one commit'}"
    )
    print(f"\n{title}; {setting.runs} runs each, in turn, after {warm_up} to warm up")
    _print_table(taken)
    found = _print_ratios(row, taken, ours, others)
    print(f"all decide the same: build {len(made.builds(event))} of {len(case.images)}")
    return {"ratios": found, "runs": _as_json(taken)}


def small(setting: Setting) -> dict[str, Any]:
    """A monorepo like the running example, one file changed; its lists decide."""
    return _compared("small", cases.SMALL, setting, peer=True)


def large(setting: Setting) -> dict[str, Any]:
    """A thousand packages, sixty images, five thousand files changed; their lists decide."""
    return _compared("large", cases.LARGE, setting, peer=True)


def digests_small(setting: Setting) -> dict[str, Any]:
    """The small one without lists: input digests decide. A path filter has nothing like it."""
    return _compared("digests-small", cases.DIGESTS_SMALL, setting, peer=False)


def digests(setting: Setting) -> dict[str, Any]:
    """The large one without lists, one commit of it; some of its images copy everything."""
    return _compared("digests", cases.DIGESTS, setting, peer=False, event="schedule")


def digests_push(setting: Setting) -> dict[str, Any]:
    """The same of both ends of a push, and what differs."""
    return _compared("digests-push", cases.DIGESTS, setting, peer=False)


def growth(setting: Setting) -> dict[str, Any]:
    """How time and memory grow with the files of the repository; input digests decide."""
    return _grown([case for case in cases.GROWTH if not case.sparse], setting)


def million(setting: Setting) -> dict[str, Any]:
    """The last step of that: a million files."""
    return _grown([case for case in cases.GROWTH if case.sparse], setting)


def _grown(sizes: Sequence[repositories.Case], setting: Setting) -> dict[str, Any]:
    found: dict[str, Any] = {}
    runs = max(1, setting.runs // 3)
    print(f"\ngrowth: sixty images, a quarter of the packages changed; {runs} runs each")
    for case in sizes:
        made = repositories.make(case, setting.cache)
        scratch = setting.scratch / f"growth-{case.name}"
        scratch.mkdir()
        ours = contenders.detect(setting.machine, setting.library, made, scratch)
        ours = replace(ours, name=f"{made.files:,}")
        taken = take_turns([ours], runs=runs, warm_up=1)
        _print_table(taken, head=not found)
        found |= _as_json(taken)
    return {"runs": found}


def acquire(setting: Setting) -> dict[str, Any]:
    """No checkout: what detection fetches, against a checkout of depth 1 and the base.

    The decision itself is no part of acquiring, and the other side makes none: what a detection
    takes in a checkout that has both commits is taken off.
    """
    made = repositories.make(cases.LARGE, setting.cache)
    scratch = setting.scratch / "acquire"
    workspace = scratch / "nothing"
    workspace.mkdir(parents=True)
    runs = max(1, setting.runs // 7)  # each checkout takes many seconds
    sent: dict[str, list[int]] = {}
    asked: dict[str, int] = {}
    with GitServer(made.served) as server:

        def counted(one: Contender) -> Contender:
            def before() -> None:
                one.before()
                server.requests.clear()

            def after() -> None:
                one.after()
                sent.setdefault(one.name, []).append(sum(r.sent for r in server.requests))
                asked[one.name] = len(server.requests)

            return replace(one, before=before, after=after)

        ours = contenders.detect(
            setting.machine, setting.library, made, scratch, server=server.url, workspace=workspace
        )
        theirs = contenders.checkout_and_base(setting.machine, made, scratch, server.url)
        there = contenders.detect(setting.machine, setting.library, made, scratch / "there")
        there = replace(there, name="decision")
        taken = take_turns([counted(theirs), counted(ours), there], runs=runs, warm_up=1)

    print(f"\nacquire: the large repository over HTTP on loopback; {runs} runs each, in turn")
    _print_table(taken, peak=False)
    bytes_ = {name: statistics.median(found) for name, found in sent.items()}
    for name, count in bytes_.items():
        print(f"  {name:<10} {count / 1e6:8.2f} MB received, {asked[name]} requests")
    whole = ratios(taken[ours.name], taken[theirs.name], WALL)
    acquiring = [
        replace(one, wall_s=one.wall_s - other.wall_s)
        for one, other in zip(taken[ours.name], taken[there.name], strict=True)
    ]
    time = ratios(acquiring, taken[theirs.name], WALL)
    _print_ratio("detect ÷ checkout", whole, None)
    of_bytes = bytes_[ours.name] / bytes_[theirs.name]
    _print_ratio("acquiring ÷ checkout", time, BUDGETS["acquire", "time"])
    _print_ratio(
        "bytes ÷ checkout", Spread(of_bytes, of_bytes, of_bytes), BUDGETS["acquire", "bytes"]
    )
    found = {"all": asdict(whole), "time": asdict(time), "bytes": of_bytes}
    return {"ratios": found, "bytes": bytes_, "requests": asked, "runs": _as_json(taken)}


ROWS: dict[str, Callable[[Setting], dict[str, Any]]] = {
    "small": small,
    "large": large,
    "digests-small": digests_small,
    "digests": digests,
    "digests-push": digests_push,
    "growth": growth,
    "acquire": acquire,
    "million": million,
}
WHEN_ASKED = ("million",)  # its repository takes minutes to make, and 2 GB


def _print_table(
    taken: Mapping[str, Sequence[Run]], *, peak: bool = True, head: bool = True
) -> None:
    if head:
        columns = " ".join(f"{name:>8} {'(least–most)':<16}" for name in ("wall ms", "cpu ms"))
        print(f"  {'':<10} {columns} {'peak MiB' if peak else ''}".rstrip())
    for name, runs in taken.items():
        cells = [f"  {name:<10}"]
        for figure in (WALL, CPU):
            found = Spread.of([1000 * figure(run) for run in runs])
            cells.append(f"{found.median:8.1f} {f'({found.low:.1f}–{found.high:.1f})':<16}")
        if peak:
            cells.append(f"{statistics.median(run.peak_mib for run in runs):8.1f}")
        print(" ".join(cells))


def _print_ratios(
    row: str, taken: Mapping[str, Sequence[Run]], ours: Contender, others: Sequence[Contender]
) -> dict[str, Any]:
    found = {}
    seconds = Spread.of([run.wall_s for run in taken[ours.name]])
    if budget := BUDGETS.get((row, "seconds")):
        _print_ratio("wall in seconds", seconds, budget)
    for other in others:
        wall = ratios(taken[ours.name], taken[other.name], WALL)
        cpu = ratios(taken[ours.name], taken[other.name], CPU)
        _print_ratio(f"wall ÷ {other.name}", wall, BUDGETS.get((row, other.name)))
        _print_ratio(f"cpu ÷ {other.name}", cpu, None)
        found[other.name] = {"wall": asdict(wall), "cpu": asdict(cpu)}
    return found


def _print_ratio(name: str, ratio: Spread, budget: Budget | None) -> None:
    text = f"  {name:<18} {ratio.median:6.2f} ({ratio.low:.2f}–{ratio.high:.2f})"
    print(f"{text}  {budget.judge(ratio.median)}" if budget else text)


def _as_json(taken: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    return {name: [asdict(run) for run in runs] for name, runs in taken.items()}


def show_imports(setting: Setting) -> None:
    """Which imports of a detection take how long, the slowest first."""
    made = repositories.make(cases.SMALL, setting.cache)
    scratch = setting.scratch / "imports"
    scratch.mkdir()
    ours = contenders.detect(setting.machine, setting.library, made, scratch)
    ours.before()
    options = ["-I", "-S", "-B", "-X", "utf8", "-X", "importtime"]
    done = subprocess.run(
        [setting.machine.python, *options, str(setting.library / "scripts" / "detect.py")],
        cwd=ours.directory,
        env={**ours.environment, "ORIENT_DEPLOY_LIBRARIES": str(setting.library / "vendor")},
        capture_output=True,
        check=True,
        timeout=60,
    )
    rows = [
        (int(own), int(total), name.strip())
        for line in done.stderr.decode().splitlines()[1:]
        if line.startswith("import time:")
        for own, total, name in [line.removeprefix("import time:").split("|")]
    ]
    print(f"\nimports of a detection: {sum(own for own, _, _ in rows) / 1000:.1f} ms in all")
    print(f"  {'own ms':>8} {'total ms':>8}")
    for own, total, name in sorted(rows, reverse=True)[:IMPORTS_SHOWN]:
        print(f"  {own / 1000:8.1f} {total / 1000:8.1f} {name}")


def describe(machine: contenders.Machine, peer: Path | None) -> dict[str, str]:
    """What the figures were taken with."""

    def version(*command: str) -> str:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30)
        return done.stdout.decode().strip()

    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform()
    found = {
        "date": date.today().isoformat(),
        "system": f"{system}, {os.cpu_count()} cores",
        "python": f"{version(machine.python, '-V')} ({machine.python})",
        "git": f"{version(machine.git, 'version')} ({machine.git})",
    }
    node = shutil.which("node", path=machine.path) or shutil.which("node")
    if peer and node:
        found["node"] = f"{version(node, '-v')} ({node})"
    return found


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", type=Path, metavar="FILE", help="dist/index.js of paths-filter")
    usual = ",".join(row for row in ROWS if row not in WHEN_ASKED)
    parser.add_argument("--rows", default=usual, help=f"which, by commas; default: {usual}")
    parser.add_argument("--runs", type=int, default=21, help="runs of each contender; default: 21")
    parser.add_argument(
        "--library", type=Path, metavar="FOLDER", help="a release tree; default: one of this tree"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="FOLDER", help="keeps the repositories"
    )
    parser.add_argument("--profile", action="store_true", help="also show what is imported")
    options = parser.parse_args(argv)
    rows = options.rows.split(",") if options.rows else []
    if unknown := set(rows) - ROWS.keys():
        parser.error(f"there are no rows called {', '.join(sorted(unknown))}")
    if options.runs < 1:
        parser.error("--runs must be 1 or more")

    cache = options.cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    json_file = options.json.resolve() if options.json else None
    machine = contenders.Machine.found()
    # Not in the cache: TMPDIR can put this on a faster disk, which a checkout profits from.
    with tempfile.TemporaryDirectory(prefix="orient-benchmarks-") as folder:
        scratch = Path(folder)
        library = options.library.resolve() if options.library else scratch / "release"
        if not options.library:
            release_tree.build(ROOT, library, uncommitted=True, interpreters=[machine.python])
        setting = Setting(
            machine=machine,
            library=library,
            cache=cache,
            scratch=scratch,
            peer=options.peer,
            runs=options.runs,
        )
        about = describe(machine, options.peer)
        for name, text in about.items():
            print(f"{name:<8} {text}")
        try:
            found = {row: ROWS[row](setting) for row in rows}
            if options.profile:
                show_imports(setting)
        except (Failed, contenders.WrongDecision) as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            os.chdir(ROOT)  # a run leaves us in a folder that is about to go
    if json_file:
        json_file.write_text(json.dumps({"about": about, "rows": found}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
