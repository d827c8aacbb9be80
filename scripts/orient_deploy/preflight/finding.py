"""What a check is, and what it found.

Decides nothing: the modules beside this one make findings, `judge` weighs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")  # the worst first


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that is looked at. Its id never changes: configurations name it.

    An error will break the deploy or what runs; a warning may; a hint is worth a thought.
    """

    id: str  # group/name, both [a-z0-9-]+
    severity: Severity
    title: str  # what is found, as a heading: "A variable has no value"
    why: str  # what happens then, in a sentence or two
    fix: str  # what to do about it, in a sentence


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a check found. Nothing in it is a value of a variable, or a piece of one."""

    check: str  # the id of the check
    subject: (
        str  # the service, variable, path, … it is about; with `check` what an acceptance names
    )
    message: str  # what is so here, in a sentence without its full stop
    fix: str = ""  # what to do here; empty: what the check says
    command: str = ""  # to copy and run, where one helps
    file: str = ""  # from the repository's root, or of the server as host:path
    line: int = 0  # 0: not known
    environment: str = ""  # '' where it is about all
    severity: Severity | None = None  # None: the check's own
