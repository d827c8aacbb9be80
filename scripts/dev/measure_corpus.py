"""Write into the corpus of Dockerfiles what a real engine reads, case by case.

The measured lines of a case come last in it; they are replaced, everything else stays as it is.

    python scripts/dev/measure_corpus.py [--engine 28] [--check] [case …]

Without names every case is measured. `--check` writes nothing and prints what differs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.corpus.dockerfile_cases import FOLDER, Case, load_cases  # noqa: E402  # needs the path above
from tests.machines.docker_engine import docker_engine  # noqa: E402  # likewise needs it
from tests.oracles.docker_build import (  # noqa: E402  # likewise needs it
    Builder,
    Measured,
    Servers,
    make_base,
    measure,
)

MEASURED = ("reads", "bases", "fails")
LINE_LENGTH = 120


def lines_of(case: Case, measured: Measured) -> str:
    """The measured lines of a case."""
    if measured.failed:
        print(f"{case.name} fails: {measured.failed.strip()[-200:]}", file=sys.stderr)
        return "  fails: true\n"
    for path, kinds in measured.reads.items():
        whole = {"content", "mode"} if isinstance(case.tree.get(path), bytes) else kinds
        if kinds != whole:
            print(
                f"{case.name}: {path} is read for its {' and '.join(kinds)} only", file=sys.stderr
            )
    lines = _listed("reads", list(measured.reads))
    return lines + _listed("bases", measured.bases) if measured.bases else lines


def _listed(key: str, paths: Sequence[str]) -> str:
    line = f"  {key}: [{', '.join(map(_scalar, paths))}]\n"
    if len(line) <= LINE_LENGTH:
        return line
    return f"  {key}:\n" + "".join(f"    - {_scalar(path)}\n" for path in paths)


def _scalar(text: str) -> str:
    return (
        text
        if re.fullmatch(r"[A-Za-z0-9./][A-Za-z0-9._/ -]*[A-Za-z0-9_/]|[a-z]", text)
        else json.dumps(text)
    )


def rewrite(text: str, found: Mapping[str, str]) -> str:
    """The text of a file of cases with other measured lines."""
    parts = re.split(r"(?m)^(?=\S)", text)
    for number, part in enumerate(parts):
        name = part.partition(":")[0]
        if name in found:
            body = re.split(rf"(?m)^(?=  (?:{'|'.join(MEASURED)}):)", part, maxsplit=1)[0]
            parts[number] = body.rstrip("\n") + "\n" + found[name] + "\n"
    return "".join(parts).rstrip("\n") + "\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engine", choices=["28", "20"], default="28")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*", metavar="case")
    options = parser.parse_args(arguments)
    with docker_engine(options.engine) as engine, Servers() as servers:
        make_base(engine)
        cases = [
            case
            for case in load_cases(http=servers.http, git=servers.git)
            if not case.unverified
            and (not options.names or case.name in options.names)
            and (options.engine == "28" or not case.needs)
        ]
        answers = measure(Builder(engine, engine.folder / "builds"), cases)
    found = {case.name: lines_of(case, answer) for case, answer in zip(cases, answers, strict=True)}
    same = True
    for path in sorted(FOLDER.glob("*.yml")):
        text = path.read_text(encoding="utf-8")
        wanted = rewrite(text, found)
        same = same and text == wanted
        if options.check and text != wanted:
            for part in sorted(set(wanted.split("\n\n")) - set(text.split("\n\n"))):
                print(f"{path.name}: {part}\n")
        elif text != wanted:
            path.write_text(wanted, encoding="utf-8")
    return 0 if same or not options.check else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
