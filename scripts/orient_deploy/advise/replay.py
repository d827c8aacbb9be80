"""What a row of past commits would have built, each taken as one push to a deploying branch.

Values in, values out: the plan of each commit is `decide`'s own. Never reads a repository, and
knows nothing of what was really built then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.history.model import SHORT, Base, Change
from orient_deploy.plan.decide import decide, is_deploying
from orient_deploy.plan.model import Plan, Request
from orient_deploy.plan.report import minutes_saved
from orient_deploy.plan.wording import plural
from orient_deploy.runner import Event

if TYPE_CHECKING:
    from orient_deploy.config.model import Config
    from orient_deploy.plan.report import Line, Styled

SUBJECT_SHOWN = 44  # characters
REASON_SHOWN = 72
NAMES_SHOWN = 34


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit to replay. `changes` are those from its first parent; None: nothing to compare."""

    id: str
    subject: str
    parent: str  # '' when it has none
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one push would have led to."""

    commit: str
    subject: str
    files: int | None  # that changed; None when there was nothing to compare with
    built: tuple[str, ...]
    kept: tuple[str, ...]
    deploy: bool
    reason: str
    minutes_saved: float


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The sums over all rows; building everything each time is what they are measured by."""

    commits: int
    builds: int
    avoided: int
    deploys: int
    minutes_saved: float


def deploying_branch(config: Config, current: str, default: str) -> str:
    """The branch that the pushes are taken to be to: the current one, if it deploys, else another.

    With patterns only, none of which is a branch's plain name, it is the current one after all.
    """
    event = Event(name="push", ref=f"refs/heads/{current}", default_branch=default or current)
    if current and is_deploying(event, config):
        return current
    for pattern in config.branches:
        ref = f"refs/heads/{pattern.text}"
        if is_deploying(Event(name="push", ref=ref, default_branch=default), config):
            return pattern.text
    return current or default or "main"


def replay(commits: Sequence[Commit], config: Config, branch: str) -> list[Row]:
    """A row for each commit, in their order."""
    return [_row(commit, config, branch) for commit in commits]


def _row(commit: Commit, config: Config, branch: str) -> Row:
    if commit.changes is not None:
        base = Base(commit=commit.parent, reason="its first parent")
    elif commit.parent:
        base = Base(commit=None, reason="its first parent is not in this clone")
    else:
        base = Base(commit=None, reason="this is the first commit")
    plan = decide(
        config,
        event=Event(
            name="push",
            sha=commit.id,
            ref=f"refs/heads/{branch}",
            default_branch=branch,
        ),
        request=Request(),
        head=commit.id,
        base=base,
        changes=commit.changes,
        listing=(),  # for remarks only, which are not about the past
        base_config=None,  # one configuration for all
    )
    return Row(
        commit=commit.id,
        subject=commit.subject,
        files=None if commit.changes is None else len(commit.changes),
        built=plan.to_build,
        kept=tuple(one.name for one in plan.images if not one.build),
        deploy=plan.deploy.deploy,
        reason=_reason(plan),
        minutes_saved=minutes_saved(plan, config),
    )


def _reason(plan: Plan) -> str:
    """Why, in one sentence: of the images that are built, else of the deploy."""
    reasons = dict.fromkeys(one.reason for one in plan.images if one.build)
    if len(reasons) > 1:
        reasons = dict.fromkeys(f"{one.name} {one.reason}" for one in plan.images if one.build)
    return "; ".join(reasons) or plan.deploy.reason


def totals(rows: Sequence[Row]) -> Totals:
    """The sums over the rows."""
    return Totals(
        commits=len(rows),
        builds=sum(len(row.built) for row in rows),
        avoided=sum(len(row.kept) for row in rows),
        deploys=sum(row.deploy for row in rows),
        minutes_saved=sum(row.minutes_saved for row in rows),
    )


def replay_lines(rows: Sequence[Row], *, branch: str, config_from: str) -> list[Line]:
    """The rows for a terminal, newest first as given, and their sums."""
    title = f"{plural(len(rows), 'commit')} of {branch}, each as a push, compared with its parent"
    lines: list[Line] = [(("bold", title),), (f"configuration: {config_from}",)]
    names = [_names(row) for row in rows]
    width = max(map(len, names), default=0)
    subjects = [_cut(row.subject, SUBJECT_SHOWN) for row in rows]
    wide = max(map(len, subjects), default=0)
    for row, name, subject in zip(rows, names, subjects, strict=True):
        built: Styled = ("blue" if row.built else "dim", f"{name:<{width}}")
        deploy: Styled = ("green", "deploy") if row.deploy else ("dim", "-     ")
        reason: Styled = ("dim", _cut(row.reason, REASON_SHOWN))
        lines.append(
            (f"  {row.commit[:SHORT]}  ", built, "  ", deploy, f"  {subject:<{wide}}  ", reason)
        )
    return [*lines, (("bold", _sums(totals(rows))),)]


def _names(row: Row) -> str:
    if not row.built:
        return "nothing"
    if not row.kept and len(row.built) > 1:
        return f"all {len(row.built)}"
    text = ", ".join(row.built)
    return text if len(text) <= NAMES_SHOWN else f"{len(row.built)} of {len(row.built + row.kept)}"


def _sums(sums: Totals) -> str:
    of = sums.builds + sums.avoided
    share = f" ({100 * sums.avoided / of:.0f} %)" if of else ""
    minutes = f", about {sums.minutes_saved:g} build minutes" if sums.minutes_saved else ""
    return (
        f"{plural(sums.builds, 'build')} of {of}: {sums.avoided} avoided{share}{minutes}; "
        f"{plural(sums.deploys, 'deploy')}"
    )


def _cut(text: str, length: int) -> str:
    """The text on one line, cut to a length. Whoever prints it makes foreign text harmless."""
    line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return line if len(line) <= length else line[: length - 1] + "…"
