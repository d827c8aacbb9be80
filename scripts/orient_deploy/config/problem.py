"""What is wrong with a configuration: every problem at its place, with what would be right.

Never reads anything and never prints.
"""

from __future__ import annotations

from collections.abc import Iterable

from orient_deploy.config.model import Location
from orient_deploy.errors import InputError
from orient_deploy.record import dataclass

PRINTED_AT_MOST = 25  # a screenful; `problems` holds all of them


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, and what would be right (a sentence of its own)."""

    where: Location
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}. {self.fix}"


class ConfigError(InputError):
    """The configuration cannot be used; `problems` has all of them in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # A set, because a value with an anchor is read once for every place that refers to it.
        self.problems = tuple(sorted(set(problems), key=_place))
        first = self.problems[0]
        super().__init__(first.where.file or "input images", first.message, first.fix)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:PRINTED_AT_MOST]]
        hidden = len(self.problems) - len(lines)
        if hidden:
            lines.append(f"and {hidden} more")
        return "\n".join(lines)


def _place(problem: Problem) -> tuple[str, int, int, str, str]:
    where = problem.where
    return where.file, where.line, where.column, problem.message, problem.fix


def shown(text: str) -> str:
    """The text in quotes, short and on one line, for use in a message."""
    cut = text if len(text) <= 80 else text[:79] + "…"
    return f"'{cut}'" if cut.isprintable() else repr(cut)
