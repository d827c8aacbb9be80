"""The picture in the page of a replay: each image a line through time, each push a column.

Decides how it is drawn, never what is counted. What a push was is a text for who points at its
column; the tables of the page say the same to everybody else.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from html import escape

from orient_deploy.advise.replay_text import About, pushes_said
from orient_deploy.advise.stale import Judged, Outcome, Row, Stretch, Sums
from orient_deploy.history.model import SHORT
from orient_deploy.plan.wording import plural, shortened
from orient_deploy.text import printable

SUBJECT_SHOWN = 100

# In pixels.
CHART_WIDTH = 980  # that the columns should fill
NARROWEST, WIDEST = 4, 26  # of a column
ROW = 44
BAR = 20  # height of a bar
BAND = 8  # height of the band of a stale stretch
AXIS = 24
LABEL_GAP = 84  # between two dates

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

WORDS: dict[Outcome, str] = {
    "missed": "missed",
    "stale": "still stale",
    "built": "built",
    "needless": "built needlessly",
    "reused": "used again",
    "kept": "up to date",
}


def date_said(time_s: int, *, year: bool = True) -> str:
    """The day in UTC; '?' for one that no calendar has.

    >>> date_said(1_768_000_000), date_said(1_768_000_000, year=False), date_said(10**20)
    ('9 Jan 2026', '9 Jan', '?')
    """
    try:
        at = time.gmtime(time_s)
    except (OverflowError, OSError, ValueError):
        return "?"
    return f"{at.tm_mday} {MONTHS[at.tm_mon - 1]}" + (f" {at.tm_year}" if year else "")


def as_html(text: str, length: int = 400) -> str:
    r"""Foreign text as HTML: on one line, everything that cannot be seen spelt out.

    >>> as_html("<b>\n\u202e"), as_html('"\x00')
    ('&lt;b&gt;\\n\\u202e', '&quot;\\x00')
    """
    return escape(printable(shortened(text, length)))


def chart(judged: Judged, about: About, left_out: int) -> str:
    """The section with the picture of all pushes but the first `left_out`; '' for none."""
    rows = judged.rows[left_out:]
    if not rows or not judged.names:
        return ""
    column = max(NARROWEST, min(WIDEST, 10 * CHART_WIDTH // len(rows) / 10))
    width, height = round(column * len(rows)), ROW * len(judged.names)
    parts = [_months(rows, column, height)]
    for place, name in enumerate(judged.names):
        middle = place * ROW + ROW // 2
        parts += _lane(name, rows, column, middle)
    for stretch in judged.stretches:
        parts.append(_band(stretch, judged, left_out, column))
    for place, name in enumerate(judged.names):
        parts += _marks(name, rows, column, place * ROW + ROW // 2)
    for at, row in enumerate(rows):
        parts.append(
            f'<a href="#p{at + left_out}" tabindex="-1"><title>{_told(row)}</title>'
            f'<rect class="column" x="{at * column:g}" width="{column:g}" height="{height}"/></a>'
        )
    label = (
        f"{plural(len(judged.names), 'image')} over {pushes_said(len(rows))}, oldest at the left. "
        "The tables below say the same."
    )
    svg = (
        f'<svg role="img" aria-label="{label}" width="{width}" height="{height + AXIS}">'
        f"{_PATTERNS}{''.join(parts)}</svg>"
    )
    names = "".join(
        f"<li><span>{as_html(name)}</span>"
        f"<small>{_counted(judged.by_image[name], about)}</small></li>"
        for name in judged.names
    )
    return (
        "<section><h2>Every push, image by image</h2>"
        f"{_legend(about)}"
        f'<div class="chart"><ul class="names" aria-hidden="true">{names}</ul>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Chart of the pushes">'
        f'<div class="inner">{svg}</div></div></div></section>'
    )


def _counted(sums: Sums, about: About) -> str:
    if about.by == "auto":
        return f"{sums.builds:,} of {sums.there:,} built"
    return f"{sums.builds:,} built, {sums.missed:,} missed"


def _told(row: Row) -> str:
    """One push in a few lines, for who points at its column."""
    push = row.push
    about = f"{date_said(push.time_s)}  {as_html(push.id[:SHORT])}"
    lines = [f"{about}  {as_html(push.subject, SUBJECT_SHOWN)}"]
    for outcome, words in WORDS.items():
        names = row.names(outcome)
        if names and outcome != "kept":
            lines.append(f"{words}: {as_html(', '.join(names))}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "nothing to build"])


def _months(rows: Sequence[Row], column: float, height: int) -> str:
    """Dates under the chart, where a new day begins and the last date is far enough away."""
    parts = []
    last, year = float(-LABEL_GAP), 0
    day = ""
    for at, row in enumerate(rows):
        today = date_said(row.push.time_s)
        if today != day and at * column - last >= LABEL_GAP and today != "?":
            this_year = int(today.rpartition(" ")[2])
            label = date_said(row.push.time_s, year=this_year != year)
            x = round(at * column)
            parts.append(
                f'<path class="tick" d="M{x + 0.5} 0V{height + 6}"/>'
                f'<text x="{x + 4}" y="{height + AXIS - 7}">{label}</text>'
            )
            last, year = x, this_year
        day = today
    return "".join(parts)


def _lane(name: str, rows: Sequence[Row], column: float, middle: int) -> Iterator[str]:
    """A line for as long as the image is there."""
    there = [any(cell.name == name for cell in row.cells) for row in rows]
    start: int | None = None
    for at, one in enumerate([*there, False]):
        if one and start is None:
            start = at
        elif not one and start is not None:
            yield f'<path class="lane" d="M{start * column:g} {middle}H{at * column:g}"/>'
            start = None


def _band(stretch: Stretch, judged: Judged, left_out: int, column: float) -> str:
    first, end = max(0, stretch.first - left_out), stretch.end - left_out
    if end <= first:
        return ""
    middle = judged.names.index(stretch.name) * ROW + ROW // 2
    box = f'x="{first * column:g}" y="{middle - BAND // 2}" width="{(end - first) * column:g}"'
    return (
        f'<rect class="stale" {box} height="{BAND}"/>'
        f'<rect fill="url(#hatch)" {box} height="{BAND}"/>'
    )


def _marks(name: str, rows: Sequence[Row], column: float, middle: int) -> Iterator[str]:
    for at, row in enumerate(rows):
        for cell in row.cells:
            if cell.name == name and cell.outcome in ("built", "needless", "reused", "missed"):
                yield _mark(cell.outcome, at * column, column, middle)


def _mark(outcome: Outcome, x: float, column: float, middle: int) -> str:
    """A bar for a build, hollow where it was needless; a red bar with a head for a miss."""
    gap = 1 if column <= 6 else 2
    left, wide = x + gap / 2, column - gap
    top = middle - BAR // 2
    if outcome == "needless" and wide > 4:
        return (
            f'<rect class="needless" x="{left + 1:g}" y="{top + 1}" width="{wide - 2:g}" '
            f'height="{BAR - 2}" rx="2"/>'
        )
    if outcome == "needless":
        return (
            f'<rect class="needless-narrow" x="{left:g}" y="{top}" width="{wide:g}" height="5"/>'
            f'<rect class="needless-narrow" x="{left:g}" y="{top + BAR - 5}" width="{wide:g}" '
            'height="5"/>'
        )
    if outcome == "reused":
        return (
            f'<rect class="reused" x="{left:g}" y="{middle - BAR // 4}" width="{wide:g}" '
            f'height="{BAR // 2}" rx="2"/>'
        )
    if outcome == "built":
        return (
            f'<rect class="built" x="{left:g}" y="{top}" width="{wide:g}" height="{BAR}" '
            f'rx="{2 if wide > 4 else 1}"/>'
        )
    head = max(wide, 6)
    center = left + wide / 2
    return (
        f'<rect class="missed" x="{left:g}" y="{top}" width="{wide:g}" height="{BAR}"/>'
        f'<path class="missed" d="M{center - head / 2:g} {top - 6}h{head:g}'
        f'L{center:g} {top + 2}z"/>'
    )


def _legend(about: About) -> str:
    told = {
        "built": "built, and it had to be",
        "missed": "missed: what it reads changed, and it was not built",
        "stale": "stale since then",
        "needless": "built needlessly: nothing that it reads had changed",
        "reused": "changed back: the image of before is used again",
        "lane": "up to date",
    }
    kinds = ["built", "reused", "lane"] if about.by == "auto" else list(told)
    if about.by == "current":
        kinds.remove("reused")
    items = "".join(f"<li>{_key(kind)}{told[kind]}</li>" for kind in kinds)
    return f'<ul class="legend">{items}</ul>'


def _key(kind: str) -> str:
    outcomes: dict[str, Outcome] = {
        "built": "built",
        "missed": "missed",
        "needless": "needless",
        "reused": "reused",
    }
    if kind == "lane":
        drawn = '<path class="lane" d="M0 17H22"/>'
    elif kind == "stale":
        box = f'x="0" y="{17 - BAND // 2}" width="22" height="{BAND}"'
        drawn = f'<rect class="stale" {box}/><rect fill="url(#hatch)" {box}/>'
    else:
        drawn = _mark(outcomes[kind], 4, 14, 17)
    return f'<svg aria-hidden="true" width="22" height="28">{drawn}</svg>'


_PATTERNS = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="hatch" width="2" height="6"/></pattern></defs>'
)
