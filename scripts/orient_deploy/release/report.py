"""What people read of a deploy, service by service, and of the releases of a server.

Text in, text out.
"""

from __future__ import annotations

from collections.abc import Sequence

from orient_deploy.plan.report import code, escape
from orient_deploy.plan.wording import listed
from orient_deploy.release.compose import Change
from orient_deploy.release.model import Record, standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orient_deploy.plan.report import Line, Style

_DONE = {
    "start": "started",
    "recreate": "made anew",
    "reload": "reloaded",
    "remove": "removed",
    "keep": "left alone",
}
_TO_DO = {
    "start": "start",
    "recreate": "recreate",
    "reload": "reload",
    "remove": "remove",
    "keep": "leave alone",
}


def change_text(changes: Sequence[Change], *, planned: bool = False) -> str:
    """What changes, in one clause.

    >>> change_text([Change(service="app", kind="recreate"), Change(service="db", kind="keep")])
    'made anew: app; left alone: db'
    """
    words = _TO_DO if planned else _DONE
    kinds = [kind for kind in words if any(one.kind == kind for one in changes)]
    parts = [
        f"{words[kind]}: {listed([one.service for one in changes if one.kind == kind])}"
        for kind in kinds
    ]
    return "; ".join(parts) or "no service"


def change_table(changes: Sequence[Change], *, planned: bool = False) -> str:
    """The same as a table of Markdown; '' where nothing changes."""
    if not changes:
        return ""
    words = _TO_DO if planned else _DONE
    rows = [
        f"| {code(one.service)} | {words[one.kind]} | {escape(one.why)} |"
        for one in sorted(changes, key=lambda one: (one.kind == "keep", one.service))
    ]
    return "\n".join(["| service | what is done | why |", "|---|---|---|", *rows])


_STYLES: dict[str, Style] = {"good": "green", "failed": "red", "timeout": "red"}


def is_open(lines: Sequence[tuple[str, str]]) -> bool:
    """Whether a release was applied, and nobody judged it yet."""
    journal = standing(lines).journal
    return journal is not None and journal.step not in ("staging", "pulling")


def release_lines(lines: Sequence[tuple[str, str]]) -> list[Line]:
    """The releases of a folder for a terminal, the last one first, from what its agent says."""
    stands = standing(lines)
    told = dict(lines)
    records = {
        one.id: one for key, text in lines if key == "release" and (one := Record.parse(text))
    }
    found: list[Line] = []
    if "locked" in told:
        holder = dict(text.partition(" ")[::2] for key, text in lines if key == "holder")
        who = f"{holder.get('owner', '?')} ({holder.get('run', '?')})"
        found.append((("yellow", f"  {who} is deploying since {holder.get('since', '?')}"),))
    if stands.journal and is_open(lines):
        step = stands.journal.step
        found.append((("yellow", f"  {stands.journal.release} is not verified yet ({step})"),))
    seen = set()
    for entry in reversed(stands.ledger):
        name = entry.release
        if name in seen or name == "-":
            continue
        seen.add(name)
        marks = " (in place)" if name == stands.installed else ""
        marks += "" if name in records else " (its files are gone)"
        commit = records[name].commit[:7] if name in records else ""
        word = (_STYLES.get(entry.word, "yellow"), f"{entry.word:<12}")
        found.append(("  ", word, f" {entry.at}  {name}  {commit}{marks}".rstrip()))
    return found or [("  nothing was deployed here yet",)]
