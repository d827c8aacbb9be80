"""Which findings count: those that the configuration accepts, with a reason and a day, do not.

Pure: the day of today is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orient_deploy.preflight.finding import SEVERITIES, Check, Finding, Severity

if TYPE_CHECKING:
    from orient_deploy.config.model import Acceptance

CHECKS = (
    Check(
        id="accept/expired",
        severity="warning",
        title="The day has passed until which a finding was accepted",
        why="It counts again.",
        fix="Mend it, or accept it anew with another day.",
    ),
    Check(
        id="accept/unused",
        severity="hint",
        title="A finding is accepted that is not found",
        why="It was mended, or its name is misspelt.",
        fix="Remove the entry of `accept`.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A finding that does not count, and why."""

    finding: Finding
    reason: str
    until: str  # YYYY-MM-DD, included


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found, the worst first."""

    findings: tuple[Finding, ...]  # each with its severity
    accepted: tuple[Accepted, ...]

    def count(self, severity: Severity) -> int:
        """How many findings are of that severity."""
        return sum(one.severity == severity for one in self.findings)


def judge(
    findings: Iterable[Finding],
    acceptances: Iterable[Acceptance],
    *,
    checks: Mapping[str, Check],
    today: str,
    looked: Callable[[Acceptance], bool],
) -> Judged:
    """The findings in order of weight, without those that are accepted on `today` (YYYY-MM-DD).

    `looked` tells of an acceptance whether what it means was looked at: of what was not, none is
    unused.
    """
    counted: list[Finding] = []
    accepted: list[Accepted] = []
    used: set[int] = set()
    expired: set[int] = set()
    entries = list(acceptances)
    for finding in _once(findings):
        for index, one in enumerate(entries):
            if not _is_meant(one, finding):
                continue
            used.add(index)
            if today <= one.until:
                accepted.append(Accepted(finding=finding, reason=one.reason, until=one.until))
                break
            expired.add(index)
        else:
            counted.append(finding)
    for index, one in enumerate(entries):
        if index in expired:
            counted.append(_of_entry("accept/expired", one, f"was accepted until {one.until}"))
        elif index not in used and looked(one):
            counted.append(_of_entry("accept/unused", one, "is accepted, and not found"))
    weighed = [replace(one, severity=one.severity or checks[one.check].severity) for one in counted]
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    weighed.sort(key=lambda one: order[one.severity or "hint"])  # stable: the groups' order stays
    return Judged(findings=tuple(weighed), accepted=tuple(accepted))


def _once(findings: Iterable[Finding]) -> Iterable[Finding]:
    seen = set()
    for one in findings:
        key = (one.check, one.subject, one.message, one.file, one.environment)
        if key not in seen:
            seen.add(key)
            yield one


def _is_meant(one: Acceptance, finding: Finding) -> bool:
    return (
        one.check == finding.check
        and one.subject in ("", finding.subject)
        and one.environment in ("", finding.environment)
    )


def _of_entry(check: str, one: Acceptance, text: str) -> Finding:
    subject = f"{one.check} {one.subject}".strip()
    if one.environment:
        subject += f" of {one.environment}"
    return Finding(
        check=check,
        subject=subject,
        message=f"{subject} {text}",
        file=one.where.file,
        line=one.where.line,
    )
