"""What people read of secrets: plans, what came of them, drift, findings and names.

Text in, text out; never a value, and no name that may be a piece of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orient_deploy.plan.report import code, escape, prose, visible
from orient_deploy.plan.wording import plural
from orient_deploy.secrets.drift import Cell, Drift, Row
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
    failed = f", {len(outcome.failed)} failed" if outcome.failed else ""
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
    return lines + _notes(plan.remarks)


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
    elif plan.is_refused:
        lines += [f"Nothing is written before {code(file)} or its configuration is corrected.", ""]
    elif dry_run:
        lines += ["This was a dry run: nothing was written.", ""]
    shown = [step for step in plan.steps if step.action != "skip"]
    if shown:
        rows = [
            [f"{_what(step)}{step.action}", prose(f"{_result(step, outcome)}{_line(step)}")]
            for step in shown
        ]
        heads = ["what", "result" if outcome else "why"]
        lines += _table([step.name for step in shown], heads, rows)
    lines += _quoted(plan.remarks)
    if skipped := plan.of("skip"):
        lines += _folded(f"{len(skipped)} unchanged", [step.name for step in skipped])
    return "\n".join(lines)


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


def _line(step: Step) -> str:
    """The line of what is refused, unless it is its name."""
    told = not step.line or step.action != "refuse" or step.name == f"line {step.line}"
    return "" if told else f" (line {step.line})"


def _at(step: Step, file: str) -> str:
    return f" ({visible(file)}:{step.line})" if step.line and step.action == "refuse" else ""


# --- drift

_CELLS: Mapping[Cell, tuple[Style, str]] = {
    "same": ("green", "🟢 same"),
    "differs": ("red", "🔴 differs"),
    "missing": ("yellow", "🟡 missing"),
    "empty": ("yellow", "🟡 empty"),
    "unknown": ("dim", "⚪ unknown"),
    "not asked": ("dim", "⚪ not mapped"),
}


_ALONE: tuple[Style, str] = ("green", "🟢 there")


def _cells(row: Row) -> list[tuple[Style, str]]:
    """What a row's cells say: a value that is compared with no other is not the same as one."""
    is_alone = row.cells.count("same") == 1 and "differs" not in row.cells
    return [_ALONE if is_alone and cell == "same" else _CELLS[cell] for cell in row.cells]


def drift_headline(drift: Drift, environment: str) -> str:
    """The verdict in one line, without markup."""
    places = _joined(drift.places)
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
            for (style, text), size in zip(_cells(row), widths, strict=True):
                cells += ["  ", (style, f"{_plain(text):<{size}}")]
            lines.append((f"  {visible(row.name):<{width}}", *cells))
    if drift.agreeing:
        lines.append(
            (
                "  ",
                ("dim", f"{plural(len(drift.agreeing), 'name')} the same"),
            )
        )
    return lines + _notes(remarks)


def drift_markdown(drift: Drift, environment: str, remarks: Sequence[str]) -> str:
    """The matrix for a summary, or for an issue."""
    lines = [f"### {escape(drift_headline(drift, environment))}", ""]
    shown = [row for row in drift.rows if row not in drift.agreeing]
    if shown:
        lines += _table(
            [row.name for row in shown],
            list(map(escape, drift.places)),
            [[text for _, text in _cells(row)] for row in shown],
        )
    lines += _quoted(remarks)
    if drift.agreeing:
        title = f"{plural(len(drift.agreeing), 'name')} the same"
        lines += _folded(title, [row.name for row in drift.agreeing])
    return "\n".join(lines)


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
    "there": ("green", "🟢 yes"),
    "empty": ("yellow", "🟡 empty"),
    "missing": ("red", "🔴 missing"),
    "required": ("bold", "required"),
    "unset": ("bold", "no default"),
    "default": ("dim", "optional"),
    "": ("dim", ""),
}


def names_headline(comparison: Comparison, environment: str) -> str:
    """The verdict in one line, without markup."""
    found, count = comparison.problems, len(comparison.rows)
    if found:
        verb = "is" if len(found) == 1 else "are"
        return f"Names{_of(environment)}: {len(found)} of {count} {verb} lacking"
    return f"Names{_of(environment)} agree: {count} in {_joined(comparison.titles)}"


def names_lines(
    comparison: Comparison, environment: str, remarks: Sequence[str] = ()
) -> list[Line]:
    """Names and columns for a terminal: those with a problem."""
    found = comparison.problems
    headline = visible(names_headline(comparison, environment))
    lines: list[Line] = [(("bold" if found else "green", headline),)]
    if found:
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
                cells += ["  ", (style, f"{_plain(text):<{size}}")]
            note = ("  ", visible(row.note)) if row.note else ()
            lines.append((f"  {visible(row.name):<{width}}", *cells, *note))
    return lines + _notes(remarks)


def names_markdown(comparison: Comparison, environment: str, remarks: Sequence[str] = ()) -> str:
    """The same for a summary."""
    found = comparison.problems
    lines = [f"### {escape(names_headline(comparison, environment))}", ""]
    if found:
        titles = list(map(escape, comparison.titles))
        rows = [[_SAID[one][1] for one in row.said] for row in found]
        if any(row.note for row in found):  # else the cells say everything
            titles.append("what is wrong")
            rows = [[*cells, prose(row.note)] for cells, row in zip(rows, found, strict=True)]
        lines += _table([row.name for row in found], titles, rows)
    return "\n".join([*lines, *_quoted(remarks)])


# --- shared


def _of(environment: str) -> str:
    return f" of {environment}" if environment else ""


def _plain(text: str) -> str:
    """A cell without its coloured dot, which a terminal shows as a colour."""
    return text[2:] if text[:1] in ("🟢", "🟡", "🔴", "⚪") else text


def _joined(titles: Sequence[str]) -> str:
    *most, last = titles
    return f"{', '.join(most)} and {last}" if most else last


def _table(names: Sequence[str], titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of names and of cells that are Markdown already."""
    lines = [f"| name | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for name, cells in list(zip(names, rows, strict=True))[:ROWS_SHOWN]:
        lines.append(f"| {code(name)} | {' | '.join(cells)} |")
    if len(names) > ROWS_SHOWN:
        lines.append(f"| and {len(names) - ROWS_SHOWN:,} more |{' |' * len(titles)}")
    return [*lines, ""]


def _notes(remarks: Sequence[str]) -> list[Line]:
    return [("  ", ("blue", "note"), f": {visible(sentence(one))}") for one in remarks]


def _quoted(remarks: Sequence[str]) -> list[str]:
    return [f"> {prose(sentence(one))}\n" for one in remarks]


def _folded(title: str, names: Sequence[str]) -> list[str]:
    listing = ", ".join(map(code, names))
    return [f"<details><summary>{title}</summary>", "", listing, "", "</details>", ""]
