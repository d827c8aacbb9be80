"""What people read of a verification: the verdict first, then each service, its way as a picture,
and the evidence folded.

Text in, text out. Everything that a container or a server said is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orient_deploy.health.evidence import LOG_LINES, Evidence, Told
from orient_deploy.health.machine import GOOD, Watched
from orient_deploy.plan.report import code, escape, prose, visible
from orient_deploy.plan.wording import listed, plural
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.health.machine import State
    from orient_deploy.plan.report import Line, Style

ROWS_SHOWN = 100
DRAWN = 25  # things in the picture
_DOTS: Mapping[str, str] = {
    "stable": "🟢",
    "done": "🟢",
    "ready": "🟢",
    "failed": "🔴",
    "timeout": "🟠",
    "unknown": "⚪",
    "starting": "⚪",
    "pending": "⚪",
}
_STYLES: Mapping[State, Style] = {
    "stable": "green",
    "done": "green",
    "ready": "green",
    "failed": "red",
    "timeout": "yellow",
    "unknown": "yellow",
}
_WORDS = {
    "healthy": "healthy",
    "failed": "failed",
    "timeout": "not ready in time",
    "inconclusive": "inconclusive",
}
# Mermaid's own classes of a task: grey, blue, plain, red.
_TASKS: Mapping[State, str] = {
    "stable": "done, ",
    "done": "done, ",
    "ready": "active, ",
    "failed": "crit, ",
    "timeout": "crit, ",
}
_PLAIN = str.maketrans(dict.fromkeys(':;#,%"`<>\\{}', "_"))


def headline(told: Told) -> str:
    """The verdict in one line, without markup."""
    verdict = told.verdict
    of = f" of {told.title}" if told.title else ""
    if verdict.word == "healthy":
        said = f"{plural(len(told.watched), 'service')} in {verdict.took_s:.1f} s"
    elif verdict.failed:
        said = listed([one.name for one in verdict.failed])
    elif verdict.unclear:
        said = f"{listed([one.name for one in verdict.unclear])}, so nothing is done about it"
    else:
        said = "nothing could be looked at"
    return f"Verification{of}: {_WORDS[verdict.word]}: {said}"


def message(one: Watched) -> str:
    """Why a thing is not well, in one sentence."""
    return sentence(f"{one.name}: {one.detail or one.disturbed or one.reason or one.state}")


def change_line(one: Watched) -> Line:
    """The last change of a thing, for whoever watches."""
    last = one.history[-1]
    style: Style = _STYLES.get(last.state, "dim")
    why = f"  {visible(last.detail)}" if last.detail else ""
    return (f"{last.at_s:6.1f} s  ", (style, f"{last.state:<8}"), f"  {visible(one.name)}{why}")


def verification_lines(told: Told) -> list[Line]:
    """All of it for a terminal."""
    word = told.verdict.word
    style: Style = {"healthy": "green", "failed": "red"}.get(word, "yellow")  # type: ignore[assignment]  # these are styles
    lines: list[Line] = [((style, visible(headline(told))),)]
    for one in told.watched:
        state_style: Style = _STYLES.get(one.state, "dim")
        said = _said(one, told)
        lines.append(
            ("  ", (state_style, f"{one.state:<8}"), f"  {visible(one.name)}", ("dim", f"  {said}"))
        )
        for label, text in _facts(told.evidence.get(one.name), one):
            lines.append((f"              {label:<9} {visible(text)}",))
    lines += [(("blue", "note"), f": {visible(sentence(one))}") for one in _remarks(told)]
    if told.verdict.failed:
        advice = "advised" if told.rollback_advised else "not advised: it would not cure this"
        lines.append((f"A rollback is {advice}.",))
    return lines


def verification_markdown(told: Told) -> str:
    """The job summary."""
    dot = {"healthy": "🟢", "failed": "🔴", "timeout": "🟠"}.get(told.verdict.word, "⚪")
    lines = [f"### {dot} {escape(headline(told))}", ""]
    if told.verdict.failed:
        lines += [
            "**A rollback is advised.**"
            if told.rollback_advised
            else "**A rollback is not advised**: it would not cure this.",
            "",
        ]
    lines += [f"> {prose(sentence(one))}\n" for one in _remarks(told)]
    if told.watched:
        lines += ["| service | state | why |", "|---|---|---|"]
        for one in told.watched[:ROWS_SHOWN]:
            state = f"{_DOTS[one.state]} {one.state}"
            lines.append(f"| {code(one.name)} | {state} | {escape(_said(one, told))} |")
        if len(told.watched) > ROWS_SHOWN:
            lines.append(f"| and {len(told.watched) - ROWS_SHOWN:,} more | | |")
        lines += ["", *_picture(told)]
    for one in told.watched:
        evidence = told.evidence.get(one.name)
        if evidence:
            lines += _folded_evidence(evidence, one)
    return "\n".join(lines).rstrip("\n") + "\n"


def _remarks(told: Told) -> Iterator[str]:
    for one in told.verdict.old:
        yield f"{one.name} was already so before the deploy, which therefore does not count"
    for one in told.watched:
        if one.restarts and one.state in GOOD:
            times = "once" if one.restarts == 1 else f"{one.restarts} times"
            yield f"{one.name} was restarted {times} before it was ready"
        yield from one.warnings
    if told.leftovers:
        names = listed(list(told.leftovers))
        yield f"{names} run in this project, and no service of it is called so: left over?"
    yield from told.remarks


def _said(one: Watched, told: Told) -> str:
    if one.state in GOOD:
        if one.disturbed:
            return one.disturbed
        ready = next((each.at_s for each in one.history if each.state in GOOD), 0.0)
        return "done" if one.state == "done" else f"ready after {ready:.1f} s"
    is_seen = one.container is not None or one.latest
    unsaid = "on its way" if is_seen else "nothing was seen of it"
    return sentence(one.detail or one.reason or unsaid)


def _facts(evidence: Evidence | None, one: Watched) -> Iterator[tuple[str, str]]:
    """What shows it, each in a line."""
    if evidence is None:
        return
    if evidence.exit_codes:
        yield "exit code", ", ".join(map(str, evidence.exit_codes[-10:]))
    if evidence.restarted_at_s:
        yield "restarts", ", ".join(f"{at:.1f} s" for at in evidence.restarted_at_s[-10:])
    for run in evidence.health[-2:]:
        yield "check", run
    for note in evidence.notes:
        yield "note", note
    for known in evidence.known:
        yield "known", f"{known.title} [{known.id}]"
        yield "cause", known.cause
        yield "fix", known.fix
        for line in known.command.splitlines():
            yield "", f"$ {line}"
    for line in evidence.log[-8:]:
        yield "log", line


def _folded_evidence(evidence: Evidence, one: Watched) -> list[str]:
    lines = [f"<details><summary>What shows it: {escape(one.name)}</summary>", ""]
    rows = [(label, text) for label, text in _facts(evidence, one) if label not in ("log", "")]
    if rows:
        lines += ["| | |", "|---|---|"]
        lines += [f"| {label} | {escape(text)} |" for label, text in rows]
        lines.append("")
    for known in evidence.known:
        lines += _block([visible(line) for line in known.command.splitlines()], "bash")
    if evidence.log:
        lines += ["Its last lines:", ""]
        lines += _block([visible(line) for line in evidence.log[-LOG_LINES:]], "text")
    return [*lines, "</details>", ""]


def _block(texts: Sequence[str], kind: str) -> list[str]:
    """Foreign lines in a block that none of them can end."""
    longest = max((_run(text) for text in texts), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", *texts, fence, ""]


def _run(text: str) -> int:
    """The longest run of backticks."""
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest


def _picture(told: Told) -> list[str]:
    """Each thing's way through its states, to scale."""
    end = max(told.verdict.took_s, 0.1)
    # Those that are not well first: a picture of fifty is no longer read.
    order = sorted(told.watched, key=lambda one: one.state in GOOD)[:DRAWN]
    lines = ["```mermaid", "gantt", "  dateFormat x", "  axisFormat %M:%S", "  todayMarker off"]
    for one in order:
        lines.append(f"  section {_plain(one.name)}")
        changes = _merged(one)
        for index, (at_s, state) in enumerate(changes):
            until = changes[index + 1][0] if index + 1 < len(changes) else end
            until = max(until, at_s + end / 100)  # else nobody sees it
            task = _TASKS.get(state, "")
            lines.append(f"    {state} :{task}{at_s * 1000:.0f}, {until * 1000:.0f}")
    return [*lines, "```", ""]


def _merged(one: Watched) -> list[tuple[float, State]]:
    found: list[tuple[float, State]] = []
    for each in one.history:
        if not found or found[-1][1] != each.state:
            found.append((each.at_s, each.state))
    return found[-20:]


def _plain(name: str) -> str:
    """A name without what means something to Mermaid."""
    return visible(name).translate(_PLAIN)[:60] or "_"
