"""What GitHub tells the other rooms, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of a workflow run; `name` is what people see, a matrix leg's holds its values."""

    name: str
    conclusion: str  # 'success', 'failure', …; '' while it runs
    url: str = ""
    id: int = 0  # what its log is asked by; 0: not known
