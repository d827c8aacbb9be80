"""Every fault of the catalogue, made for real, and what verify says of it.

python3 -m tests.faults                          all, with a report
python3 -m tests.faults paused crash-at-5s       these
python3 -m tests.faults --compose 2.26           with another Compose
python3 -m tests.faults --starts 200 --seed 7    healthy and broken starts at random
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.field import Came, Case, Field, cases, field

# What ends or restarts the engine has one of its own.
_OWN = ("restart engine", "stop engine")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--ci", action="store_true", help="those of each CI run alone")
    parser.add_argument("--compose", choices=("2.26", "2.40"), default="2.40")
    parser.add_argument("--starts", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.starts:
        from tests.faults.starts import measure

        return measure(given.starts, given.seed)
    chosen = [
        one
        for one in cases()
        if (not given.ids or one.id in given.ids) and (not given.ci or one.in_ci)
    ]
    begun, wrong = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        with field(folder / "shared", version=given.compose) as shared:
            for case in chosen:
                came = play(case, shared, folder)
                wrong += bool(came.problems)
                print(line(came), flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} right in {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


def play(case: Case, shared: Field, folder: Path) -> Came:
    """One case, in an engine of its own where it ends it."""
    if any(act in _OWN for act in case.given.get("acts", {}).values()):
        with field(folder / case.id, version=shared.version, restartable=True) as own:
            return own.run(case)
    return shared.run(case)


def line(came: Came) -> str:
    """What came out, for people."""
    said = "; ".join(came.problems) or ", ".join(sorted(set(came.reasons.values())))
    mark = "WRONG" if came.problems else "right"
    return f"{mark}  {came.seconds:5.1f} s  {came.case.id:<42} {came.verdict:<13} {said}"


if __name__ == "__main__":
    sys.exit(main())
