"""`orient-deploy replay`: what would the last pushes have built?"""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from orient_deploy.advise.replay import Commit, deploying_branch, replay, replay_lines, totals
from orient_deploy.commands.clone import Clone, open_clone
from orient_deploy.commands.configuration import missing
from orient_deploy.commands.context import described
from orient_deploy.commands.init import proposal_for
from orient_deploy.config import DEFAULT_PATH, parse
from orient_deploy.errors import EXIT_GOOD, InputError
from orient_deploy.history.git import GitFailed
from orient_deploy.history.model import SHORT
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config

OUTPUTS = ("branch", "configuration", "rows", "totals")

MOST_COMMITS = 10_000


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `replay`."""

    path: str = described("Where the clone is. Empty means the current folder.", "")
    last: str = described("How many commits, at most. Empty means 20.", "20")
    config: str = described(
        "Path of the configuration file, relative to the repository root. Empty means "
        f"{DEFAULT_PATH}, or if there is none what `init` proposes.",
        "",
    )


def run(inputs: Inputs, context: Context) -> int:
    """Replay the last first-parent commits of the branch that is checked out, newest first.

    One configuration decides about all of them: how it was at their time does not count.
    """
    count = _count(inputs.last)
    with open_clone(inputs.path, context) as clone:
        config, config_from = _configuration(clone, inputs.config)
        current = clone.event.branch
        branch = deploying_branch(config, current, clone.event.default_branch)
        rows = replay(_commits(clone, count), config, branch)
    shown = current or f"HEAD ({clone.head[:SHORT]})"
    context.publish(
        {
            "branch": branch,
            "configuration": config_from,
            "rows": [asdict(row) for row in rows],
            "totals": asdict(totals(rows)),
        },
        lines=replay_lines(rows, branch=shown, config_from=config_from),
    )
    return EXIT_GOOD


def _count(text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]{0,4}", text.strip()) and int(text) <= MOST_COMMITS:
        return int(text)
    raise InputError(
        f"input 'last' is {text[:80]!r}",
        "it is no number of commits",
        f"Give a number from 1 to {MOST_COMMITS:,}",
    )


def _configuration(clone: Clone, path: str) -> tuple[Config, str]:
    """The configuration, and where it is from."""
    config = clone.configuration(path or DEFAULT_PATH)
    if config is not None:
        return config, config.source
    if path:
        raise missing(path)
    proposal = proposal_for(clone)
    if proposal is None:
        raise InputError(
            f"there is no configuration: {DEFAULT_PATH} does not exist",
            "none can be proposed either, because the commit has no Dockerfile that says what the "
            "images are",
            "Write it, or name another file in 'config'",
        )
    named = ", ".join(proposal.images)
    return (
        parse(proposal.text, source=DEFAULT_PATH),
        f"none here, so the one that `orient-deploy init` proposes ({named})",
    )


def _commits(clone: Clone, count: int) -> list[Commit]:
    """The last commits, newest first, each with what it changed."""
    done = clone.git.run(
        [
            f"--git-dir={clone.checkout.git_dir}",
            "rev-list",
            "--first-parent",
            f"--max-count={count}",
            "--encoding=UTF-8",
            "--format=%P%x00%s",
            clone.head,
            "--",
        ]
    )
    if done.code:
        raise GitFailed(
            "the history cannot be read",
            done.message,
            "Look at the repository with `git fsck`, or clone again",
        )
    lines = os.fsdecode(done.out).split("\n")[:-1]  # "commit <id>", then the format
    commits = []
    for header, row in zip(lines[::2], lines[1::2], strict=True):
        _, subject = row.split("\0", 1)
        commit = header.rpartition(" ")[2]
        # As the commit itself names them: where a shallow clone ends, git names none.
        parent = next(iter(clone.repository.parents(commit)), "")
        readable = bool(parent) and clone.repository.has(parent)
        changes = clone.repository.changes(parent, commit) if readable else None
        commits.append(Commit(id=commit, subject=subject, parent=parent, changes=changes))
    return commits
