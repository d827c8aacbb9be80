"""A replay as a page to look at: one HTML file that needs nothing else and runs nothing.

Decides how it looks, never what is counted. Every text that comes from the repository is foreign:
what cannot be seen is spelt out, and everything is escaped. The page's own policy forbids whatever
it should not need: scripts, pictures, fonts, requests.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from html import escape

from orient_deploy.advise.replay_text import About, lasting, minutes_saved, pushes_said
from orient_deploy.advise.stale import Judged, Outcome, Push, Row, Stretch, Sums, blind_spots
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.wording import plural, shortened
from orient_deploy.text import printable

MOST_PUSHES = 2_000  # drawn and listed, the newest; a browser is slow with more
STRETCHES_SHOWN = 12
SPOTS_SHOWN = 12
FILES_SHOWN = 5  # of one push
SPOT_FILES_SHOWN = 3  # of one blind spot
MISSES_SHOWN = 4  # of one stretch
UNFOLDED = 40  # pushes whose table stands open
SUBJECT_SHOWN = 100
PATH_SHOWN = 110

# The chart, in pixels.
CHART_WIDTH = 980  # that the columns should fill
NARROWEST, WIDEST = 4, 26  # of a column
ROW = 44
BAR = 20  # height of a bar
BAND = 8  # height of the band of a stale stretch
AXIS = 24
LABEL_GAP = 84  # between two dates

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def replay_page(judged: Judged, about: About) -> str:
    """The whole page."""
    # Before the first image there is nothing to see.
    early = next((at for at, row in enumerate(judged.rows) if row.cells), 0)
    left_out = max(early, len(judged.rows) - MOST_PUSHES)
    title = f"{about.repository}: what {pushes_said(judged.pushes)} built"
    parts = [
        f"<header><h1>{_text(title)}</h1>{_subtitle(judged, about)}",
        f"{_verdict(judged, about)}</header>",
        _tiles(judged, about),
        _chart(judged, about, left_out),
        _blind_spots(judged),
        _stretches(judged, about),
        _images(judged, about),
        _pushes(judged, about, left_out),
        _notes(judged, about),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{_text(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


# --- foreign text


def _text(text: str, length: int = 400) -> str:
    r"""Foreign text as HTML: on one line, everything that cannot be seen spelt out.

    >>> _text("<b>\n\u202e"), _text('"\x00')
    ('&lt;b&gt;\\n\\u202e', '&quot;\\x00')
    """
    return escape(printable(shortened(text, length)))


def _path(path: str) -> str:
    """A path that may break after its slashes."""
    return f"<code>{_text(path, PATH_SHOWN).replace('/', '/<wbr>')}</code>"


def _commit(push: Push, about: About) -> str:
    short = f"<code>{_text(push.id[:SHORT])}</code>"
    if not about.web or not re.fullmatch(r"[0-9a-f]{40}", push.id):
        return short
    return f'<a href="{escape(about.web)}/commit/{push.id}">{short}</a>'


def _image(name: str) -> str:
    return f'<strong class="image">{_text(name)}</strong>'


def _files(differences: Sequence[Difference], shown: int = FILES_SHOWN) -> str:
    """The files with what reads them, as a list."""
    items = []
    for one in differences[:shown]:
        why = f' <span class="quiet">{_text(one.why)}</span>' if one.why else ""
        items.append(f"<li>{_path(one.path)}{why}</li>")
    if len(differences) > shown:
        items.append(f'<li class="quiet">and {len(differences) - shown:,} more</li>')
    return f'<ul class="files">{"".join(items)}</ul>' if items else ""


# --- words


def _date(time_s: int, *, year: bool = True) -> str:
    try:
        at = time.gmtime(time_s)
    except (OverflowError, OSError, ValueError):
        return "?"
    return f"{at.tm_mday} {MONTHS[at.tm_mon - 1]}" + (f" {at.tm_year}" if year else "")


def _noun(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}{'es' if noun.endswith('h') else 's'}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _number(minutes: float) -> str:
    return f"{minutes:,.0f}" if minutes >= 10 else f"{minutes:g}"


# --- the top


def _subtitle(judged: Judged, about: About) -> str:
    times = [row.push.time_s for row in judged.rows if row.cells]
    span = f", {_date(min(times))} to {_date(max(times))}" if times else ""
    return (
        f'<p class="quiet">Branch <strong>{_text(about.branch)}</strong>{span}. '
        f"Decided by {_text(about.source)}.</p>"
    )


def _verdict(judged: Judged, about: About) -> str:
    sums = judged.sums
    if about.by == "auto":
        text = (
            f"<strong>{sums.builds:,} of {sums.there:,} builds</strong> were needed; "
            "no image was ever stale."
        )
        return f'<p class="verdict good">{text}</p>'
    if sums.missed:
        text = (
            f"<strong>{sums.missed:,} of {sums.needed:,} needed builds "
            f"{'was' if sums.missed == 1 else 'were'} missed</strong>: "
            f"after {judged.stale_pushes:,} of {pushes_said(judged.pushes)} at least one image "
            "was not what its sources said."
        )
        return f'<p class="verdict bad">{text}</p>'
    text = (
        "<strong>Nothing was missed</strong>: every push that changed what an image reads built it."
    )
    return f'<p class="verdict good">{text}</p>'


def _tiles(judged: Judged, about: About) -> str:
    sums = judged.sums
    minutes = {name: about.minutes.get(name, 0) for name in judged.names}
    if about.by == "auto":
        tiles = [
            _tile("built", "built", f"{sums.builds:,}", f"of {sums.there:,} possible builds"),
            _tile(
                "kept",
                "not built",
                f"{sums.there - sums.builds:,}",
                _share(sums.there - sums.builds, sums.there),
            ),
            _tile("reused", "used again", f"{sums.reused:,}", "after a revert, without a build"),
        ]
        saved = minutes_saved(judged, about.minutes)
        label, note = "minutes saved", "against building every image each time"
    else:
        longest = sums.longest
        tiles = [
            _tile(
                "missed",
                f"{_noun('build', sums.missed)} missed",
                f"{sums.missed:,}",
                f"of {sums.needed:,} needed, {_share(sums.missed, sums.needed)}"
                + (
                    f"; {sums.missed_minor:,} for documents or tests only"
                    if sums.missed_minor
                    else ""
                ),
                _meter([("built", sums.built), ("missed", sums.missed)]),
            ),
            _tile(
                "stale",
                f"{_noun('push', judged.missing_pushes)} left an image stale",
                f"{judged.missing_pushes:,}",
                f"of {judged.pushes:,}"
                + (
                    f"; at most for {pushes_said(longest.pushes)}, {lasting(longest.seconds)}"
                    if longest
                    else ""
                ),
            ),
            _tile(
                "needless",
                f"{_noun('build', sums.needless)} needless",
                f"{sums.needless:,}",
                f"of {sums.builds:,} done, {_share(sums.needless, sums.builds)}",
                _meter([("built", sums.built), ("needless", sums.needless)]),
            ),
        ]
        saved = sum(one.needless * minutes[name] for name, one in _by(judged))
        label, note = "minutes", "spent on needless builds"
    if saved:
        tiles.append(_tile("minutes", label, _number(saved), note))
    return f'<ul class="tiles">{"".join(tiles)}</ul>'


def _by(judged: Judged) -> list[tuple[str, Sums]]:
    return [(name, judged.by_image[name]) for name in judged.names]


def _tile(kind: str, label: str, number: str, note: str, meter: str = "") -> str:
    return (
        f'<li class="tile {kind}"><b>{number}</b> <span class="label">{label}</span>'
        f'{meter}<span class="quiet">{note}</span></li>'
    )


def _meter(parts: Sequence[tuple[str, int]]) -> str:
    """Parts of a whole as a bar; the numbers beside it say the same."""
    whole = sum(count for _, count in parts)
    if not whole:
        return ""
    bars = []
    at = 0.0
    for kind, count in parts:
        wide = 100 * count / whole
        bars.append(f'<rect class="{kind}" x="{at:.2f}%" width="{wide:.2f}%" height="6"/>')
        at += wide
    return f'<svg class="meter" aria-hidden="true" width="100%" height="6">{"".join(bars)}</svg>'


# --- the chart


def _chart(judged: Judged, about: About, left_out: int) -> str:
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
        f"<li><span>{_text(name)}</span>"
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
    lines = [
        f"{_date(push.time_s)}  {_text(push.id[:SHORT])}  {_text(push.subject, SUBJECT_SHOWN)}"
    ]
    for outcome, words in _WORDS.items():
        names = row.names(outcome)
        if names and outcome != "kept":
            lines.append(f"{words}: {_text(', '.join(names))}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "nothing to build"])


_WORDS: dict[Outcome, str] = {
    "missed": "missed",
    "stale": "still stale",
    "built": "built",
    "needless": "built needlessly",
    "reused": "used again",
    "kept": "up to date",
}


def _months(rows: Sequence[Row], column: float, height: int) -> str:
    """Dates under the chart, where a new day begins and the last date is far enough away."""
    parts = []
    last, year = float(-LABEL_GAP), 0
    day = ""
    for at, row in enumerate(rows):
        today = _date(row.push.time_s)
        if today != day and at * column - last >= LABEL_GAP and today != "?":
            this_year = int(today.rpartition(" ")[2])
            label = _date(row.push.time_s, year=this_year != year)
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


# --- what was missed


def _blind_spots(judged: Judged) -> str:
    found = blind_spots(judged)
    if not found:
        return ""
    rows = []
    for spot in found[:SPOTS_SHOWN]:
        shown = [path.removeprefix(spot.place) for path in spot.paths if path != spot.place]
        files = "".join(f"<li>{_path(path)}</li>" for path in shown[:SPOT_FILES_SHOWN])
        if len(shown) > SPOT_FILES_SHOWN:
            files += f'<li class="quiet">and {len(shown) - SPOT_FILES_SHOWN:,} more</li>'
        told = f'<ul class="files">{files}</ul>' if files else ""
        rows.append(
            f'<tr><th scope="row">{_text(spot.name)}</th>'
            f'<td class="number">{spot.pushes:,}</td><td class="place">{_path(spot.place)}<br>'
            f'<span class="quiet">{_text(spot.why)}</span></td><td>{told}</td></tr>'
        )
    more = len(found) - SPOTS_SHOWN
    return (
        '<section><h2>What the lists do not watch</h2><p class="quiet">Where the files lie whose '
        "changes were missed; one push may count in several rows.</p>"
        + _table(("image", "#missed", "place", "files there"), rows, "What was missed")
        + (f'<p class="quiet">and {plural(more, "row")} more</p>' if more > 0 else "")
        + "</section>"
    )


def _stretches(judged: Judged, about: About) -> str:
    found = judged.stretches
    if not found:
        return ""
    items = [_stretch(one, judged, about) for one in found]
    shown, rest = items[:STRETCHES_SHOWN], items[STRETCHES_SHOWN:]
    folded = (
        f"<details><summary>{len(rest):,} more</summary>"
        f'<ol class="stretches" start="{len(shown) + 1}">{"".join(rest)}</ol></details>'
        if rest
        else ""
    )
    return (
        "<section><h2>How long images were stale</h2>"
        f'<ol class="stretches">{"".join(shown)}</ol>{folded}</section>'
    )


def _stretch(stretch: Stretch, judged: Judged, about: About) -> str:
    rows = judged.rows
    first = rows[stretch.first].push
    endings = {
        "open": "it still is",
        "removed": "until it was removed",
        "returned": "until its files came back to what they had been",
    }
    ending = endings.get(stretch.ending)
    if ending is None:
        healed = rows[stretch.end].push
        ending = f"until {_commit(healed, about)} of {_date(healed.time_s)} built it"
    misses = "".join(_miss(stretch, at, judged, about) for at in stretch.missed[:MISSES_SHOWN])
    more = len(stretch.missed) - MISSES_SHOWN
    if more > 0:
        misses += f'<li class="quiet">and {pushes_said(more)} more that should have built it</li>'
    documents = " Only documents and tests changed." if stretch.is_minor else ""
    return (
        f"<li><p>{_image(stretch.name)} for {pushes_said(stretch.pushes)}, "
        f"{lasting(stretch.seconds)}: "
        f"from {_date(first.time_s)}, {ending}.{documents}</p><ul>{misses}</ul></li>"
    )


def _miss(stretch: Stretch, at: int, judged: Judged, about: About) -> str:
    row = judged.rows[at]
    cell = next(cell for cell in row.cells if cell.name == stretch.name)
    files = _files(cell.differences) or '<p class="quiet">it was new</p>'
    subject = _text(row.push.subject, SUBJECT_SHOWN)
    return f"<li>{_commit(row.push, about)} {subject}{files}</li>"


# --- tables


def _table(heads: Sequence[str], rows: Sequence[str], label: str) -> str:
    """A table that scrolls by itself, also by keys; a head that begins with '#' is over numbers."""
    cells = "".join(
        f'<th scope="col"{" class=number" if head.startswith("#") else ""}>{head.lstrip("#")}</th>'
        for head in heads
    )
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr>{cells}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _images(judged: Judged, about: About) -> str:
    if not judged.names:
        return ""
    heads = ["image", "#pushes", "#built"]
    heads += ["#used again"] if about.by == "auto" else ["#missed", "#needless", "#stale pushes"]
    with_minutes = any(about.minutes.get(name) for name in judged.names)
    rows = []
    for name, sums in [*_by(judged), *([("", judged.sums)] if len(judged.names) > 1 else [])]:
        numbers = [sums.there, sums.builds]
        numbers += [sums.reused] if about.by == "auto" else [sums.missed, sums.needless, sums.stale]
        cells = "".join(f'<td class="number">{number:,}</td>' for number in numbers)
        if with_minutes:
            names = [name] if name else judged.names
            spent = sum(judged.by_image[one].builds * about.minutes.get(one, 0) for one in names)
            cells += f'<td class="number">{_number(spent)}</td>'
        title = _text(name) if name else "all"
        kind = "" if name else ' class="sum"'
        rows.append(f'<tr{kind}><th scope="row">{title}</th>{cells}</tr>')
    heads += ["#minutes built"] if with_minutes else []
    return f"<section><h2>By image</h2>{_table(heads, rows, 'By image')}</section>"


def _pushes(judged: Judged, about: About, left_out: int) -> str:
    rows = [
        _push(at, row, about)
        for at, row in reversed(list(enumerate(judged.rows)))
        if at >= left_out
    ]
    if not rows:
        return ""
    table = _table(("date", "commit", "#files", "what became of the images"), rows, "All pushes")
    is_open = " open" if len(rows) <= UNFOLDED else ""
    return (
        f"<section><h2>All pushes</h2><details{is_open}><summary>"
        f"{pushes_said(len(rows))}, newest first</summary>{table}</details></section>"
    )


def _push(at: int, row: Row, about: About) -> str:
    push = row.push
    chips = []
    for outcome in ("missed", "stale", "built", "needless", "reused"):
        for name in row.names(outcome):
            chips.append(f'<li class="chip {outcome}">{_text(name)} {_WORDS[outcome]}</li>')
    told = f'<ul class="chips">{"".join(chips)}</ul>' if chips else '<span class="quiet">–</span>'
    files = "–" if push.files is None else f"{push.files:,}"
    return (
        f'<tr id="p{at}"><td class="date">{_date(push.time_s)}</td>'
        f'<td>{_commit(push, about)} <span class="subject">{_text(push.subject, SUBJECT_SHOWN)}'
        f'</span></td><td class="number">{files}</td><td>{told}</td></tr>'
    )


def _notes(judged: Judged, about: About) -> str:
    notes = [
        "Each commit of the branch (by first parents) is taken as one push.",
        "An image has to be built when what its Dockerfile reads has changed: the files of COPY, "
        "ADD and bind mounts after .dockerignore, the Dockerfile itself, and what the lockfile "
        "resolves to. What a build makes or fetches itself is not seen.",
        "What was there before the first push is taken to have been up to date.",
    ]
    if len(judged.rows) > MOST_PUSHES:
        notes.append(f"Of more than {MOST_PUSHES:,} pushes the newest are drawn and listed.")
    items = "".join(f"<li>{_text(note)}</li>" for note in [*notes, *about.remarks])
    return f"<footer><h2>How this was counted</h2><ul>{items}</ul></footer>"


_PATTERNS = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect class="hatch" width="2" height="6"/></pattern></defs>'
)

_STYLE = """
:root { color-scheme: light dark;
  --ground: #ffffff; --raised: #f6f8fa; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e;
  --link: #0969da; --built: #2f6fd0; --missed: #cf222e; --stale: #f5b8bc; --hatch: #cf222e66;
  --needless: #b26a00; --reused: #1a7f6e; --column: #0969da1f; --target: #fff8c5; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0d1117; --raised: #151b23; --line: #3d444d; --text: #f0f6fc; --quiet: #9198a1;
  --link: #4493f8; --built: #5a9cf5; --missed: #ff6a69; --stale: #5d2528; --hatch: #ff6a6980;
  --needless: #e3a13b; --reused: #3fb8a0; --column: #4493f833; --target: #3a3210; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px clamp(14px, 3vw, 36px) 60px; }
h1 { font-size: clamp(20px, 3.4vw, 28px); line-height: 1.25; margin: 0 0 6px;
  overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 8px; }
p { margin: 0 0 10px; overflow-wrap: anywhere; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font: 0.87em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
ul, ol { margin: 0; padding: 0; list-style: none; }
.quiet { color: var(--quiet); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { margin: 16px 0 0; padding: 12px 16px; border-left: 4px solid; border-radius: 6px;
  background: var(--raised); font-size: 17px; }
.verdict.bad { border-color: var(--missed); }
.verdict.good { border-color: var(--reused); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 12px;
  margin-top: 16px; }
.tile { padding: 14px 16px; border: 1px solid var(--line); border-radius: 8px; }
.tile b { font-size: 30px; line-height: 1.1; font-variant-numeric: tabular-nums; }
.tile .label { font-weight: 600; }
.tile .quiet { display: block; font-size: 13px; }
.tile.missed b, .tile.stale b { color: var(--missed); }
.tile.needless b { color: var(--needless); }
.tile.built b { color: var(--built); }
.tile.reused b { color: var(--reused); }
.meter { display: block; margin: 8px 0 6px; border-radius: 3px; overflow: hidden; }
.meter .needless { fill: var(--needless); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0 0 8px; font-size: 13px;
  color: var(--quiet); }
.legend li { display: flex; align-items: center; gap: 8px; }
.legend svg { flex: none; overflow: visible; }
.chart { display: flex; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.names { flex: none; max-width: min(32%, 240px); padding-top: 10px; background: var(--raised);
  border-right: 1px solid var(--line); }
.names li { height: 44px; padding: 2px 14px; display: flex; flex-direction: column;
  justify-content: center; line-height: 1.25; white-space: nowrap; }
.names span { font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.names small { color: var(--quiet); font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
.scroll { flex: 1; min-width: 0; overflow-x: auto; direction: rtl; padding-top: 10px; }
.scroll:focus-visible { outline-offset: -2px; }
.inner { direction: ltr; width: max-content; min-width: 100%; padding: 0 12px; }
.inner svg { display: block; overflow: visible; }
svg .built { fill: var(--built); }
svg .missed { fill: var(--missed); }
svg .stale { fill: var(--stale); }
svg .hatch { fill: var(--hatch); }
svg .needless { fill: var(--ground); stroke: var(--needless); stroke-width: 2; }
.meter .needless { stroke: none; }
svg .needless-narrow { fill: var(--needless); }
svg .reused { fill: var(--reused); }
svg .lane { stroke: var(--line); stroke-width: 2; fill: none; }
svg .tick { stroke: var(--line); stroke-dasharray: 2 3; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .column { fill: transparent; }
svg a:hover .column { fill: var(--column); }
.table { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 7px 14px; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; background: var(--raised); font-size: 13px; white-space: nowrap; }
th.number, td.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
tr.sum > * { border-top-width: 2px; font-weight: 600; }
tr:target { background: var(--target); }
.date { white-space: nowrap; }
.place { min-width: 220px; }
.place .quiet { font-size: 13px; }
.subject { overflow-wrap: anywhere; }
.files li { overflow-wrap: anywhere; }
td > ul, .subject { display: block; min-width: 240px; }
td > .chips { display: flex; }
.stretches { counter-reset: none; display: grid; gap: 12px; }
.stretches > li { padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px; }
.stretches > li > p { margin: 0 0 6px; }
.stretches > li > ul { display: grid; gap: 8px; font-size: 14px; }
.stretches .files { margin: 2px 0 0; padding-left: 14px; border-left: 2px solid var(--line); }
.stretches li p { margin: 0; }
.image { color: var(--missed); }
.chips { display: flex; flex-wrap: wrap; gap: 4px 6px; }
.chip { padding: 0 8px; border: 1px solid; border-radius: 10px; font-size: 12.5px; }
.chip.built { color: var(--built); }
.chip.missed { color: var(--ground); background: var(--missed); border-color: var(--missed); }
.chip.stale { color: var(--missed); border-style: dashed; }
.chip.needless { color: var(--needless); }
.chip.reused { color: var(--reused); }
details { margin-top: 8px; }
summary { cursor: pointer; margin-bottom: 8px; color: var(--link); }
footer { margin-top: 40px; font-size: 14px; color: var(--quiet); }
footer h2 { font-size: 15px; margin: 0 0 6px; }
footer li { margin-left: 18px; list-style: disc; overflow-wrap: anywhere; }
@media (max-width: 620px) {
  .names { max-width: 38%; } .names li { padding: 2px 10px; }
  th, td { padding: 6px 10px; } .verdict { font-size: 16px; } }
@media print { .scroll { overflow: visible; } details { display: block; } }
"""
