"""What people read of a deploy: what it changes, service by service.

Text in, text out.
"""

from __future__ import annotations

from collections.abc import Sequence

from orient_deploy.plan.report import code, escape
from orient_deploy.plan.wording import listed
from orient_deploy.release.compose import Change

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
