"""What people read of secrets: plans, what came of them, drift, findings and names.

Text in, text out; never a value, and no name that may be a piece of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orient_deploy.plan.report import code, escape, visible
from orient_deploy.plan.wording import plural
from orient_deploy.secrets.drift import Cell, Drift
from orient_deploy.secrets.keys import Comparison, Said
from orient_deploy.secrets.plan import ORDER, WRITES, Action, SecretsPlan, Step
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line, Style
    from orient_deploy.secrets.apply import Outcome
    from orient_deploy.secrets.lint import Finding

ROWS_SHOWN = 100  # in one table of a summary; GitHub takes no more secrets in one scope

_STYLES: Mapping[Action, Style] = {
    "refuse": "red",
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "orphan": "yellow",
    "unknown": "blue",
    "skip": "dim",
}
_NOUNS: Mapping[Action, str] = {
    "refuse": "refused",
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "orphan": "no longer in the file",
    "unknown": "not comparable",
    "skip": "unchanged",
}


# --- a plan, and what came of it


def plan_headline(plan: SecretsPlan, environment: str) -> str:
    """The verdict in one line, without markup."""
    counts = [f"{len(plan.of(one))} {_NOUNS[one]}" for one in ORDER if plan.of(one)]
    verdict = ", ".join(counts) or "nothing to do"
    if plan.is_refused:
        verdict = f"nothing is written: {verdict}"
    return f"Secrets{_of(environment)} → {_scope(plan)}: {verdict}"


def outcome_headline(plan: SecretsPlan, outcome: Outcome, environment: str) -> str:
    """The same after it was done."""
    written = len(outcome.done) - len(outcome.failed)
    failed = f", {len(outcome.failed)} not" if outcome.failed else ""
    unnoted = "" if outcome.noted else ", and what was written is not noted"
    verdict = f"{written} of {len(outcome.done)} written{failed}{unnoted}"
    if not outcome.done:
        verdict = "nothing to write"
    return f"Secrets{_of(environment)} → {_scope(plan)}: {verdict}"


def plan_lines(
    plan: SecretsPlan, environment: str, file: str, outcome: Outcome | None = None
) -> list[Line]:
    """A plan for a terminal: what is to be done, and how much is not."""
    title = (
        outcome_headline(plan, outcome, environment)
        if outcome
        else plan_headline(plan, environment)
    )
    lines: list[Line] = [(("bold", visible(title)),)]
    shown = [step for step in plan.steps if step.action != "skip"]
    width = max((len(visible(step.name)) for step in shown), default=0)
    for step in shown:
        lines.append(
            (
                "  ",
                (_STYLES[step.action], f"{step.action:<8}"),
                f"{visible(step.name):<{width}}  ",
                ("dim", f"{_what(step)}{visible(_result(step, outcome))}{_at(step, file)}"),
            )
        )
    if skipped := plan.of("skip"):
        lines.append(
            (
                "  ",
                ("dim", f"{len(skipped)} unchanged"),
            )
        )
    lines += [("  ", ("blue", "note"), f": {visible(sentence(one))}") for one in plan.remarks]
    return lines


def plan_markdown(
    plan: SecretsPlan,
    environment: str,
    file: str,
    *,
    dry_run: bool,
    outcome: Outcome | None = None,
) -> str:
    """The job summary of a plan, or of what came of it."""
    title = (
        outcome_headline(plan, outcome, environment)
        if outcome
        else plan_headline(plan, environment)
    )
    lines = [f"### {escape(title)}", ""]
    if outcome and outcome.error:
        lines += [f"**{escape(sentence(str(outcome.error)))}**", ""]
    elif dry_run and not plan.is_refused:
        lines += ["This was a dry run: nothing was written.", ""]
    shown = [step for step in plan.steps if step.action != "skip"]
    if shown:
        lines += ["| name | what | why |", "|---|---|---|"]
        for step in shown[:ROWS_SHOWN]:
            why = escape(_result(step, outcome)) + escape(_at(step, file))
            lines.append(f"| {code(step.name)} | {_what(step)}{step.action} | {why} |")
        if len(shown) > ROWS_SHOWN:
            lines.append(f"| and {len(shown) - ROWS_SHOWN:,} more | | |")
        lines.append("")
    lines += [f"> {escape(sentence(one))}\n" for one in plan.remarks]
    if skipped := plan.of("skip"):
        names = ", ".join(code(step.name) for step in skipped)
        lines += [f"<details><summary>{len(skipped)} unchanged</summary>", "", names, ""]
        lines += ["</details>", ""]
    return "\n".join(lines)


def _of(environment: str) -> str:
    return f" of {environment}" if environment else ""


def _scope(plan: SecretsPlan) -> str:
    return f"GitHub {plan.scope.text}"


def _what(step: Step) -> str:
    return "variable: " if step.kind == "variable" else ""


def _result(step: Step, outcome: Outcome | None) -> str:
    if outcome and step.action in WRITES:
        for one in outcome.done:
            if one.step is step:
                return f"not done: {one.problem}" if one.problem else "done"
    return step.reason


def _at(step: Step, file: str) -> str:
    return f" ({file}:{step.line})" if step.line and step.action == "refuse" else ""


# --- drift

_CELLS: Mapping[Cell, tuple[Style, str]] = {
    "same": ("green", "🟢 same"),
    "differs": ("red", "🔴 differs"),
    "missing": ("yellow", "🟡 missing"),
    "empty": ("yellow", "🟡 empty"),
    "unknown": ("dim", "⚪ unknown"),
    "not asked": ("dim", "⚪ not mapped"),
}


def drift_headline(drift: Drift, environment: str) -> str:
    """The verdict in one line, without markup."""
    places = " and ".join(drift.places)
    if drift.drifted:
        names = plural(len(drift.drifted), "name")
        return f"Secrets{_of(environment)} have drifted: {names} of {len(drift.rows)}"
    if not drift.agreeing:
        return f"Secrets{_of(environment)}: nothing could be compared between {places}"
    return f"Secrets{_of(environment)} agree: {plural(len(drift.agreeing), 'name')} in {places}"


def drift_lines(drift: Drift, environment: str, remarks: Sequence[str]) -> list[Line]:
    """The matrix for a terminal: names that drifted, and those that cannot be compared."""
    headline = drift_headline(drift, environment)
    lines: list[Line] = [(("bold", visible(headline)),)]
    shown = [row for row in drift.rows if row not in drift.agreeing]
    if shown:
        width = max(len(visible(row.name)) for row in shown)
        widths = [max(len(visible(place)), len("not mapped")) for place in drift.places]
        heads = "  ".join(
            f"{visible(place):<{size}}" for place, size in zip(drift.places, widths, strict=True)
        )
        lines.append((("dim", f"  {'':<{width}}  {heads}".rstrip()),))
        for row in shown:
            cells: list[str | tuple[Style, str]] = []
            for cell, size in zip(row.cells, widths, strict=True):
                style, text = _CELLS[cell]
                cells += ["  ", (style, f"{text[2:]:<{size}}")]
            lines.append((f"  {visible(row.name):<{width}}", *cells))
    if drift.agreeing:
        lines.append(
            (
                "  ",
                ("dim", f"{plural(len(drift.agreeing), 'name')} the same"),
            )
        )
    lines += [("  ", ("blue", "note"), f": {visible(sentence(one))}") for one in remarks]
    return lines


def drift_markdown(drift: Drift, environment: str, remarks: Sequence[str]) -> str:
    """The matrix for a summary, or for an issue."""
    lines = [f"### {escape(drift_headline(drift, environment))}", ""]
    shown = [row for row in drift.rows if row not in drift.agreeing]
    if shown:
        lines += _matrix([row.name for row in shown], drift.places, [r.cells for r in shown])
    lines += [f"> {escape(sentence(one))}\n" for one in remarks]
    if drift.agreeing:
        names = ", ".join(code(row.name) for row in drift.agreeing)
        title = f"{plural(len(drift.agreeing), 'name')} the same"
        lines += [f"<details><summary>{title}</summary>", "", names, "", "</details>", ""]
    return "\n".join(lines)


def _matrix(
    names: Sequence[str], places: Sequence[str], cells: Sequence[Sequence[Cell]]
) -> list[str]:
    lines = [
        f"| name | {' | '.join(escape(place) for place in places)} |",
        f"|---|{'---|' * len(places)}",
    ]
    for name, row in list(zip(names, cells, strict=True))[:ROWS_SHOWN]:
        lines.append(f"| {code(name)} | {' | '.join(_CELLS[cell][1] for cell in row)} |")
    if len(names) > ROWS_SHOWN:
        lines.append(f"| and {len(names) - ROWS_SHOWN:,} more |{' |' * len(places)}")
    return [*lines, ""]


# --- findings of the lint


def lint_lines(findings: Sequence[Finding], file: str, count: int) -> list[Line]:
    """The findings for a terminal."""
    where = f"{visible(file)}: {plural(count, 'name')}"
    if not findings:
        return [(("green", f"{where}, which every reader takes alike"),)]
    lines: list[Line] = [(("bold", f"{where}, {plural(len(findings), 'finding')}"),)]
    width = max(len(str(one.line)) for one in findings)
    for one in findings:
        name = f"{visible(one.name)}: " if one.name else ""
        lines.append((("dim", f"  {one.line:>{width}}  "), name, visible(one.reason)))
    return lines


# --- names

_SAID: Mapping[Said, tuple[Style, str]] = {
    "there": ("green", "yes"),
    "empty": ("yellow", "empty"),
    "missing": ("red", "missing"),
    "required": ("bold", "required"),
    "unset": ("yellow", "no default"),
    "default": ("dim", "optional"),
    "": ("dim", ""),
}


def names_lines(comparison: Comparison, environment: str) -> list[Line]:
    """Names and columns for a terminal: those with a problem."""
    found = comparison.problems
    if not found:
        text = f"Names{_of(environment)} agree: {len(comparison.rows)} in {_columns(comparison)}"
        return [(("green", visible(text)),)]
    headline = f"Names{_of(environment)}: {len(found)} of {len(comparison.rows)} are lacking"
    lines: list[Line] = [(("bold", visible(headline)),)]
    width = max(len(visible(row.name)) for row in found)
    widths = [max(len(visible(one)), len("no default")) for one in comparison.titles]
    heads = "  ".join(
        f"{visible(one):<{size}}" for one, size in zip(comparison.titles, widths, strict=True)
    )
    lines.append((("dim", f"  {'':<{width}}  {heads}".rstrip()),))
    for row in found:
        cells: list[str | tuple[Style, str]] = []
        for one, size in zip(row.said, widths, strict=True):
            style, text = _SAID[one]
            cells += ["  ", (style, f"{text:<{size}}")]
        lines.append((f"  {visible(row.name):<{width}}", *cells, "  ", visible(row.problem)))
    return lines


def names_markdown(comparison: Comparison, environment: str) -> str:
    """The same for a summary."""
    found = comparison.problems
    if not found:
        return f"### Names{escape(_of(environment))} agree in {escape(_columns(comparison))}\n"
    titles = " | ".join(escape(one) for one in comparison.titles)
    lines = [
        f"### Names{escape(_of(environment))}: {len(found)} are lacking",
        "",
        f"| name | {titles} | what is wrong |",
        f"|---|{'---|' * (len(comparison.titles) + 1)}",
    ]
    rest = " |" * (len(comparison.titles) + 1)
    for row in found[:ROWS_SHOWN]:
        cells = " | ".join(_SAID[one][1] for one in row.said)
        lines.append(f"| {code(row.name)} | {cells} | {escape(row.problem)} |")
    if len(found) > ROWS_SHOWN:
        lines.append(f"| and {len(found) - ROWS_SHOWN:,} more |{rest}")
    return "\n".join([*lines, ""])


def _columns(comparison: Comparison) -> str:
    return ", ".join(comparison.titles)
