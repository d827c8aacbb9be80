"""Compare our decisions with what a repository's own dorny/paths-filter filters mean.

For each of the last first-parent commits: what the filters select is computed from `git diff` and
npm's picomatch, our side is a replay with the same filters as a configuration's lists. Exits with
1 when we would not build what the filters want. Reads the repository, writes nothing to it, and
copies nothing out of it.

    python scripts/dev/compare_paths_filter.py REPOSITORY [--last 100]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from orient_deploy.advise.filters import translate  # noqa: E402  # needs the path above
from orient_deploy.advise.replay import Commit as Replayed  # noqa: E402  # likewise needs it
from orient_deploy.advise.replay import Made, replay  # noqa: E402  # likewise needs it
from orient_deploy.config import parse  # noqa: E402  # likewise needs it
from orient_deploy.history.model import Change  # noqa: E402  # likewise needs it
from tests.oracles.node_tools import Mode, picomatch_many  # noqa: E402  # likewise needs it

ACTION = "dorny/paths-filter@"
STATUS = {"A": "added", "M": "modified", "D": "deleted"}  # a changed type has no name there
GIT_TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class Step:
    """One use of paths-filter: its filters as pairs of status names ('' for any) and a pattern."""

    workflow: str
    mode: Mode
    filters: dict[str, list[tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit and what differs from its first parent: status letter and path."""

    id: str
    changes: list[tuple[str, str]]


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repository), *arguments],
        check=True,
        capture_output=True,
        timeout=GIT_TIMEOUT_S,
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def steps(repository: Path) -> Iterator[Step]:
    """Every use of paths-filter in the workflows of HEAD that has filters of its own."""
    listed = git(repository, "ls-tree", "-r", "-z", "--name-only", "HEAD", ".github/workflows")
    for path in listed.split("\0")[:-1]:
        workflow = yaml.safe_load(git(repository, "show", f"HEAD:{path}"))
        for job in (workflow.get("jobs") or {}).values():
            for step in job.get("steps") or []:
                if str(step.get("uses", "")).startswith(ACTION):
                    yield _step(repository, path, step["with"])


def _step(repository: Path, path: str, given: dict[str, Any]) -> Step:
    text = given["filters"]
    if "\n" not in text and ":" not in text:  # a file, as paths-filter itself tells them apart
        text = git(repository, "show", f"HEAD:{text}")
    every = given.get("predicate-quantifier") == "every"
    filters = {name: list(_rules(value)) for name, value in yaml.safe_load(text).items()}
    return Step(workflow=path, mode="every" if every else "some", filters=filters)


def _rules(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "", value
    elif isinstance(value, list):
        for one in value:
            yield from _rules(one)
    else:
        for statuses, patterns in value.items():
            yield from ((statuses, pattern) for _, pattern in _rules(patterns))


def commits(repository: Path, last: int) -> Iterator[Commit]:
    """The last first-parent commits that have a parent, newest first."""
    rows = git(repository, "log", "--first-parent", f"-{last}", "--format=%H %P", "HEAD")
    for row in rows.splitlines():
        commit, *parents = row.split()
        if not parents:
            continue
        options = ("--name-status", "-z", "--no-renames")
        fields = git(repository, "diff", *options, parents[0], commit).split("\0")[:-1]
        yield Commit(id=commit, changes=list(zip(fields[::2], fields[1::2], strict=True)))


def wanted(step: Step, history: Sequence[Commit]) -> dict[str, set[str]]:
    """The filters that are true for each commit, by picomatch."""
    true: dict[str, set[str]] = {commit.id: set() for commit in history}
    for name, rules in step.filters.items():
        # A rule bound to a kind of change sees those files only. Asking per letter keeps it simple.
        questions, asked = [], []
        for commit in history:
            for letter in sorted({letter for letter, _ in commit.changes}):
                patterns = [text for statuses, text in rules if _counts(statuses, letter)]
                if patterns and (step.mode == "some" or len(patterns) == len(rules)):
                    paths = [path for other, path in commit.changes if other == letter]
                    questions.append((patterns, paths))
                    asked.append(commit.id)
        answers = picomatch_many(questions, mode=step.mode)
        for commit_id, selected in zip(asked, answers, strict=True):
            if any(selected):
                true[commit_id].add(name)
    return true


def _counts(statuses: str, letter: str) -> bool:
    return statuses == "" or STATUS.get(letter) in {one.strip() for one in statuses.split("|")}


def decided(step: Step, history: Sequence[Commit]) -> dict[str, set[str]]:
    """The images that a replay builds for each commit, by the filter's name."""
    names = {f"filter-{index}": name for index, name in enumerate(step.filters)}
    images = {}
    for image, name in names.items():
        texts = [text for _, text in step.filters[name]]
        patterns, differences = translate(texts, every=step.mode == "every")
        for difference in differences:
            print(f"  {name}: {difference}")
        images[image] = {"watch": patterns}
    config = parse(json.dumps({"version": 1, "images": images}), source="")
    made = tuple(Made(name=image, digest="1", before="1") for image in images)
    pushes = replay(
        [
            Replayed(
                id=commit.id,
                subject="",
                parent="0" * len(commit.id),
                time_s=0,
                changes=tuple(Change(path, letter) for letter, path in commit.changes),  # type: ignore[arg-type]  # git prints no other letter
                config=config,
                made=made,
            )
            for commit in history
        ],
        branch="main",
        by="current",
    )
    return {
        push.id: {names[one.name] for one in push.standings if one.decided == "build"}
        for push in pushes
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("repository", type=Path)
    parser.add_argument("--last", type=int, default=100)
    arguments = parser.parse_args()
    repository: Path = arguments.repository.resolve()

    history = list(commits(repository, arguments.last))
    missed = found = 0
    for step in steps(repository):
        found += 1
        print(f"{step.workflow}: {len(step.filters)} filters, {len(history)} commits")
        theirs = wanted(step, history)
        ours = decided(step, history)
        equal = true = 0
        for commit in history:
            for name in step.filters:
                wants, builds = name in theirs[commit.id], name in ours[commit.id]
                equal += wants == builds
                true += wants
                missed += wants and not builds
                if wants != builds:
                    print(f"  {commit.id[:10]} {name}: filter {wants}, ours {builds}")
        decisions = len(history) * len(step.filters)
        print(
            f"  {decisions} decisions, {true} of them true; {equal} equal, {decisions - equal} not"
        )
    if not found:
        print("no workflow of HEAD uses dorny/paths-filter")
    return 1 if missed or not found else 0


if __name__ == "__main__":
    sys.exit(main())
