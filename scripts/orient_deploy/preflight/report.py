"""What people read of a preflight: verdict first, then what must be mended, then the rest folded.

Text in, text out. Findings hold foreign names, so everything is escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.plan.report import code, prose, visible
from orient_deploy.plan.wording import plural
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line, Style
    from orient_deploy.preflight.finding import Check, Finding, Severity
    from orient_deploy.preflight.judge import Accepted, Judged

ROWS_SHOWN = 100  # of each severity in a summary
DOCS = "https://github.com/org/orient-deploy-actions/blob/main/docs/preflight.md"

_STYLES: Mapping[Severity, Style] = {"error": "red", "warning": "yellow", "hint": "blue"}
_DOTS: Mapping[Severity, str] = {"error": "🔴", "warning": "🟡", "hint": "⚪"}


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was looked at, for the reader to know what a silence means."""

    environments: tuple[str, ...]  # '' alone: no configuration named one
    groups: tuple[str, ...]
    remarks: tuple[str, ...] = ()  # what could not be looked at, and why


def headline(judged: Judged, looked: Looked) -> str:
    """The verdict in one line, without markup."""
    names = ", ".join(one for one in looked.environments if one)
    title = f"Preflight of {names}" if names else "Preflight"
    counts = [
        plural(judged.count(severity), severity)
        for severity in ("error", "warning", "hint")
        if judged.count(severity)
    ]
    if judged.accepted:
        counts.append(f"{len(judged.accepted)} accepted")
    return f"{title}: {', '.join(counts) or 'nothing found'}"


def preflight_lines(judged: Judged, looked: Looked, checks: Mapping[str, Check]) -> list[Line]:
    """All of it for a terminal."""
    lines: list[Line] = [(("bold", visible(headline(judged, looked))),)]
    for one in judged.findings:
        severity: Severity = one.severity or "hint"
        lines.append(
            (
                "  ",
                (_STYLES[severity], f"{severity:<7}"),
                " ",
                ("bold", visible(one.check)),
                ("dim", visible(f"  {_where(one)}" if _where(one) else "")),
            )
        )
        lines.append((f"          {visible(_told(one, looked))}",))
        lines.append(("          ", ("green", "fix"), f": {visible(_fix(one, checks))}"))
        if one.command:
            lines.append((f"               {visible(one.command)}",))
    for accepted in judged.accepted:
        lines.append(
            (
                "  ",
                ("dim", f"{'accepted':<9}"),
                visible(f"{accepted.finding.check} {accepted.finding.subject}"),
                ("dim", visible(f" until {accepted.until}: {accepted.reason}")),
            )
        )
    lines += [("  ", ("blue", "note"), f": {visible(sentence(one))}") for one in looked.remarks]
    return lines


def preflight_markdown(judged: Judged, looked: Looked, checks: Mapping[str, Check]) -> str:
    """The job summary."""
    lines = [f"### {prose(headline(judged, looked))}", ""]
    lines += [f"> {prose(sentence(one))}\n" for one in looked.remarks]
    severities: tuple[Severity, ...] = ("error", "warning")
    for severity in severities:
        those = [one for one in judged.findings if one.severity == severity]
        if those:
            lines += [f"#### {_DOTS[severity]} {plural(len(those), severity)}", ""]
            lines += _table(those, looked, checks)
    hints = [one for one in judged.findings if one.severity == "hint"]
    if hints:
        lines += _folded(plural(len(hints), "hint"), _table(hints, looked, checks))
    if judged.accepted:
        lines += _folded(f"{len(judged.accepted)} accepted", _accepted_table(judged.accepted))
    groups = ", ".join(looked.groups) or "nothing"
    lines.append(f"Looked at: {groups}. What each check means: [the list of checks]({DOCS}).")
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(findings: Sequence[Finding], looked: Looked, checks: Mapping[str, Check]) -> list[str]:
    lines = ["| what | where | what to do |", "|---|---|---|"]
    for one in findings[:ROWS_SHOWN]:
        what = f"**{prose(checks[one.check].title)}**<br>{prose(_told(one, looked))}"
        what += f"<br><sub>{code(one.check)}</sub>"
        command = f"<br>{code(one.command)}" if one.command else ""
        where = code(_where(one)) if _where(one) else ""
        lines.append(f"| {what} | {where} | {prose(_fix(one, checks))}{command} |")
    if len(findings) > ROWS_SHOWN:
        lines.append(f"| and {len(findings) - ROWS_SHOWN:,} more | | |")
    return [*lines, ""]


def _accepted_table(accepted: Sequence[Accepted]) -> list[str]:
    lines = ["| finding | reason | until |", "|---|---|---|"]
    for one in accepted[:ROWS_SHOWN]:
        what = f"{code(one.finding.check)} {prose(one.finding.subject)}"
        lines.append(f"| {what} | {prose(one.reason)} | {one.until} |")
    return [*lines, ""]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "</details>", ""]


def _told(one: Finding, looked: Looked) -> str:
    """The message, with the environment where there are several."""
    of = f"{one.environment}: " if one.environment and len(looked.environments) > 1 else ""
    return sentence(f"{of}{one.message}")


def _where(one: Finding) -> str:
    return f"{one.file}:{one.line}" if one.file and one.line else one.file


def _fix(one: Finding, checks: Mapping[str, Check]) -> str:
    return sentence(one.fix or checks[one.check].fix)
