"""What people read of diagnoses: the summary and the terminal. Text in, text out."""

from __future__ import annotations

from collections.abc import Sequence

from orient_deploy.plan.report import code, escape, prose, visible
from orient_deploy.plan.wording import plural
from orient_deploy.symptoms.match import Diagnosis, rollback_cures

TYPE_CHECKING = False  # as in the other rooms: typing's own costs each start its import
if TYPE_CHECKING:
    from orient_deploy.plan.report import Line, Style

SHOWN = 40  # diagnoses in one summary; the output has more
_CURED = {"yes": "yes", "no": "no", "depends": "it depends"}
_CURES = {
    True: "a rollback cures it",
    False: "a rollback does not cure it",
    None: "whether a rollback cures it depends",
}


def diagnosis_headline(diagnoses: Sequence[Diagnosis], looked_at: int) -> str:
    """The verdict in one line, without markup."""
    if not diagnoses:
        where = plural(looked_at, "source")
        return f"Nothing known was found in {where}"
    causes = [one for one in diagnoses if one.entry.stage == "cause"]
    count = plural(len(causes or diagnoses), "known cause" if causes else "known symptom")
    return f"{count} found: {_CURES[rollback_cures(diagnoses)]}"


def diagnosis_message(one: Diagnosis) -> str:
    """Cause and fix of one, for an annotation."""
    return f"{_where(one)}: {one.excerpt}\n{one.cause}\nFix: {one.fix}\n{one.command}"


def diagnosis_title(one: Diagnosis) -> str:
    """What is wrong, and whose fault it is."""
    is_named = not one.service or one.service in one.title.split()
    return one.title if is_named else f"{one.title} ({one.service})"


def diagnosis_markdown(
    diagnoses: Sequence[Diagnosis], looked_at: int, remarks: Sequence[str]
) -> str:
    """The job summary: verdict, table, and for each diagnosis the command to copy."""
    lines = [f"### {escape(diagnosis_headline(diagnoses, looked_at))}", ""]
    shown = diagnoses[:SHOWN]
    if shown:
        lines += ["| what | where | cause | fix | cured by a rollback? |", "|---|---|---|---|---|"]
        lines += [_row(one) for one in shown]
        if len(diagnoses) > len(shown):
            lines.append(f"| and {len(diagnoses) - len(shown)} more | | | | |")
        lines.append("")
    for one in shown:
        if one.entry.stage == "cause" or one is shown[0]:
            lines += _command(one)
    rest = [one for one in shown[1:] if one.entry.stage != "cause"]
    if rest:
        lines += ["<details><summary>Commands for what follows from it</summary>", ""]
        for one in rest:
            lines += _command(one)
        lines += ["</details>", ""]
    if not diagnoses:
        lines += [
            "That says nothing about what went wrong: only that it is not in the catalogue.",
            "",
        ]
    lines += [f"- {escape(remark)}" for remark in remarks]
    return "\n".join(lines).rstrip("\n") + "\n"


def diagnosis_lines(
    diagnoses: Sequence[Diagnosis], looked_at: int, remarks: Sequence[str]
) -> list[Line]:
    """The same for a terminal."""
    lines: list[Line] = [(("bold", visible(diagnosis_headline(diagnoses, looked_at))),)]
    for one in diagnoses:
        style: Style = "red" if one.entry.stage == "cause" else "yellow"
        lines += [
            ("",),
            ((style, visible(diagnosis_title(one))), f"  {one.entry.id}"),
            (("dim", f"  {visible(_where(one))}{_times(one)}: {visible(one.excerpt)}"),),
            (f"  cause     {visible(one.cause)}",),
            (f"  fix       {visible(one.fix)}",),
            *((f"            $ {visible(line)}",) for line in one.command.splitlines()),
            (f"  rollback  {_CURED[one.entry.rollback]}: {visible(one.because)}",),
        ]
    return [*lines, *((f"note: {visible(remark)}",) for remark in remarks)]


def _row(one: Diagnosis) -> str:
    cells = (
        f"**{escape(diagnosis_title(one))}**",
        f"{escape(_where(one) + _times(one))}<br>{code(one.excerpt)}",
        prose(one.cause),
        prose(one.fix),
        f"**{_CURED[one.entry.rollback]}**: {escape(one.because)}",
    )
    return f"| {' | '.join(cells)} |"


def _command(one: Diagnosis) -> list[str]:
    # Every foreign word in a command is harmless, so nothing in it ends the block.
    lines = [visible(line) for line in one.command.splitlines()]
    link = f"[{escape(one.entry.id)}]({one.entry.reference})"
    return [f"{escape(diagnosis_title(one))} ({link}):", "", "```bash", *lines, "```", ""]


def _where(one: Diagnosis) -> str:
    return f"{one.source.name}, line {one.line:,}" if one.line else one.source.name


def _times(one: Diagnosis) -> str:
    return f", {one.count:,} times" if one.count > 1 else ""
