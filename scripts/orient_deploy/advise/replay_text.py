"""A replay for a terminal and for programs: its rows, and what they come to. Text in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orient_deploy.advise.replay import By
from orient_deploy.advise.stale import Cell, Judged, Row, Stretch
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.wording import plural, shortened

if TYPE_CHECKING:
    from orient_deploy.plan.report import Line, Styled

SUBJECT_SHOWN = 44  # characters
REASON_SHOWN = 90
NAMES_SHOWN = 34
MISSED_PATH_SHOWN = 60
STRETCHES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class About:
    """Where the facts of a replay are from."""

    repository: str  # owner/name, or the folder's name
    branch: str
    by: By
    source: str  # what decided, a clause
    web: str = ""  # https://github.com/owner/name, or ''
    minutes: Mapping[str, float]  # that a build takes, of images where it is known
    remarks: tuple[str, ...] = ()  # sentences


def lasting(seconds: int) -> str:
    """A length of time as people say it.

    >>> lasting(60), lasting(7200), lasting(3 * 86400)
    ('less than an hour', '2 hours', '3 days')
    """
    if seconds < 3600:
        return "less than an hour"
    if seconds < 2 * 86400:
        return plural(round(seconds / 3600), "hour")
    return plural(round(seconds / 86400), "day")


def pushes_said(count: int) -> str:
    """A number of pushes.

    >>> pushes_said(1), pushes_said(1200)
    ('1 push', '1,200 pushes')
    """
    return f"{count:,} push{'' if count == 1 else 'es'}"


def replay_lines(judged: Judged, about: About) -> list[Line]:
    """The rows for a terminal, newest first, each miss below its own, and their sums."""
    rows = judged.rows[::-1]
    title = (
        f"{plural(len(rows), 'commit')} of {about.branch}, each as a push, compared with its parent"
    )
    lines: list[Line] = [(("bold", title),), (f"decided by {about.source}",)]
    names = [_names(row) for row in rows]
    width = max(map(len, names), default=0)
    subjects = [_cut(row.push.subject, SUBJECT_SHOWN) for row in rows]
    wide = max(map(len, subjects), default=0)
    for row, name, subject in zip(rows, names, subjects, strict=True):
        built: Styled = ("blue" if row.names("built", "needless") else "dim", f"{name:<{width}}")
        deploy: Styled = ("green", "deploy") if row.push.deploy else ("dim", "-     ")
        reason: Styled = ("dim", _cut(row.push.reason, REASON_SHOWN))
        lines.append(
            (f"  {row.push.id[:SHORT]}  ", built, "  ", deploy, f"  {subject:<{wide}}  ", reason)
        )
        indent = " " * (SHORT + 4)
        for cell in row.cells:
            if cell.outcome == "missed":
                lines.append((indent, ("red", f"missed {cell.name}"), f": {_cause(cell)}"))
            elif cell.outcome == "needless":
                lines.append(
                    (
                        indent,
                        ("dim", f"needless: {cell.name} was up to date"),
                    )
                )
    return [*lines, *_sums(judged, about), *((("dim", one),) for one in about.remarks)]


def _names(row: Row) -> str:
    built = row.names("built", "needless")
    if not built:
        return "nothing"
    if len(built) == len(row.cells) > 1:
        return f"all {len(built)}"
    text = ", ".join(built)
    return text if len(text) <= NAMES_SHOWN else f"{len(built)} of {len(row.cells)}"


def _cause(cell: Cell) -> str:
    """The first file that changed, and what reads it."""
    if not cell.differences:
        return "it is new"
    first: Difference = cell.differences[0]
    rest = len(cell.differences) - 1
    more = f" (and {plural(rest, 'more file')})" if rest else ""
    why = f", {first.why}" if first.why else ""
    return f"{_cut(shortened(first.path, MISSED_PATH_SHOWN), 200)}{_cut(why, 200)}{more}"


def _sums(judged: Judged, about: About) -> list[Line]:
    sums = judged.sums
    avoided = sums.there - sums.builds
    share = f" ({100 * avoided / sums.there:.0f} %)" if sums.there else ""
    saved = minutes_saved(judged, about.minutes)
    spared = f", about {saved:g} build minutes" if saved else ""
    again = f"; {plural(sums.reused, 'image')} used again" if sums.reused else ""
    deploys = plural(sum(row.push.deploy for row in judged.rows), "deploy")
    text = f"{plural(sums.builds, 'build')} of {sums.there}: {avoided} avoided{share}{spared}"
    lines: list[Line] = [(("bold", f"{text}{again}; {deploys}"),)]
    if about.by == "auto":
        return lines
    if not sums.missed:
        lines.append((("green", "no build was missed"),))
    else:
        only = f" ({sums.missed_minor} for documents or tests only)" if sums.missed_minor else ""
        lines.append(
            (
                ("red", f"{sums.missed} of {plural(sums.needed, 'needed build')} missed{only}"),
                f"; {judged.missing_pushes} of {pushes_said(judged.pushes)} left an image stale",
            )
        )
        for one in judged.stretches[:STRETCHES_SHOWN]:
            lines.append((f"  {_stretch(one, judged)}",))
        rest = len(judged.stretches) - STRETCHES_SHOWN
        if rest > 0:
            lines.append((f"  and {plural(rest, 'more time')}",))
    if sums.needless:
        wasted = sum(
            judged.by_image[name].needless * about.minutes.get(name, 0) for name in judged.names
        )
        spent = f", about {wasted:g} build minutes" if wasted else ""
        lines.append((f"{sums.needless} of {plural(sums.builds, 'build')} needless{spent}",))
    return lines


def _stretch(one: Stretch, judged: Judged) -> str:
    first = judged.rows[one.first].push.id[:SHORT]
    end = judged.rows[min(one.end, len(judged.rows) - 1)].push.id[:SHORT]
    endings = {
        "built": f"until {end} built it",
        "returned": "until its files came back to what they had been",
        "removed": "until it was removed",
        "open": "and still is",
    }
    for_long = f"{pushes_said(one.pushes)} ({lasting(one.seconds)})"
    return f"{one.name} was stale for {for_long}: from {first} {endings[one.ending]}"


def minutes_saved(judged: Judged, minutes: Mapping[str, float]) -> float:
    """Against building every image at every push, where the minutes are known."""
    return sum(
        (judged.by_image[name].there - judged.by_image[name].builds) * minutes.get(name, 0)
        for name in judged.names
    )


def _cut(text: str, length: int) -> str:
    """The text on one line, cut to a length. Whoever prints it makes foreign text harmless."""
    line = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return line if len(line) <= length else line[: length - 1] + "…"


# --- for programs


def replay_values(judged: Judged, about: About, *, by_digest: int) -> dict[str, Any]:
    """Rows (newest first), stale stretches (worst first) and totals, as plain values."""
    return {
        "rows": [_row_values(row, about.minutes) for row in judged.rows[::-1]],
        "stale": [_stretch_values(one, judged) for one in judged.stretches],
        "images": {name: _sum_values(judged, name) for name in judged.names},
        "totals": {
            "commits": len(judged.rows),
            "pushes": judged.pushes,
            "builds": judged.sums.builds,
            "avoided": judged.sums.there - judged.sums.builds,
            "deploys": sum(row.push.deploy for row in judged.rows),
            "minutes-saved": minutes_saved(judged, about.minutes),
            "needed": judged.sums.needed,
            "missed": judged.sums.missed,
            "missed-minor": judged.sums.missed_minor,
            "needless": judged.sums.needless,
            "reused": judged.sums.reused,
            "pushes-that-missed": judged.missing_pushes,
            "pushes-while-stale": judged.stale_pushes,
            "builds-by-digest": by_digest,
        },
    }


def _row_values(row: Row, minutes: Mapping[str, float]) -> dict[str, Any]:
    push = row.push
    built = row.names("built", "needless")
    kept = [cell.name for cell in row.cells if cell.name not in built]
    return {
        "commit": push.id,
        "parent": push.parent,
        "subject": push.subject,
        "time": push.time_s,
        "files": push.files,
        "built": list(built),
        "kept": kept,
        "missed": {
            cell.name: _files(cell.differences) for cell in row.cells if cell.outcome == "missed"
        },
        "stale": list(row.names("missed", "stale")),
        "needless": list(row.names("needless")),
        "reused": list(row.names("reused")),
        "deploy": push.deploy,
        "reason": push.reason,
        "minutes-saved": sum(minutes.get(name, 0) for name in kept),
    }


def _files(differences: Sequence[Difference]) -> list[dict[str, str]]:
    return [{"path": one.path, "why": one.why} for one in differences]


def _stretch_values(one: Stretch, judged: Judged) -> dict[str, Any]:
    rows = judged.rows
    return {
        "image": one.name,
        "from": rows[one.first].push.id,
        "until": rows[one.end].push.id if one.end < len(rows) else "",
        "ending": one.ending,
        "pushes": one.pushes,
        "seconds": one.seconds,
        "missed": [rows[at].push.id for at in one.missed],
        "minor": one.is_minor,
    }


def _sum_values(judged: Judged, name: str) -> dict[str, int]:
    sums = judged.by_image[name]
    return {
        "pushes": sums.there,
        "builds": sums.builds,
        "missed": sums.missed,
        "needless": sums.needless,
        "reused": sums.reused,
        "stale": sums.stale,
    }
