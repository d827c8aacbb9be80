"""A replay as a page to look at: one HTML file that needs nothing else and runs nothing.

Decides how it looks, never what is counted. Every text that comes from the repository is foreign:
what cannot be seen is spelt out, and everything is escaped. The page's own policy forbids whatever
it should not need: scripts, pictures, fonts, requests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from orient_deploy.advise.replay_chart import SUBJECT_SHOWN, WORDS, as_html, chart, date_said
from orient_deploy.advise.replay_style import STYLE
from orient_deploy.advise.replay_text import About, lasting, minutes_saved, pushes_said
from orient_deploy.advise.stale import Judged, Push, Row, Stretch, Sums, blind_spots
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.wording import plural

MOST_PUSHES = 2_000  # drawn and listed, the newest; a browser is slow with more
STRETCHES_SHOWN = 12
SPOTS_SHOWN = 12
FILES_SHOWN = 5  # of one push
SPOT_FILES_SHOWN = 3  # of one blind spot
MISSES_SHOWN = 4  # of one stretch
UNFOLDED = 40  # pushes whose table stands open
PATH_SHOWN = 110


def replay_page(judged: Judged, about: About) -> str:
    """The whole page."""
    # Before the first image there is nothing to see.
    early = next((at for at, row in enumerate(judged.rows) if row.cells), 0)
    left_out = max(early, len(judged.rows) - MOST_PUSHES)
    title = f"{about.repository}: what {pushes_said(judged.pushes)} built"
    parts = [
        f"<header><h1>{as_html(title)}</h1>{_subtitle(judged, about)}",
        f"{_verdict(judged, about)}</header>",
        _tiles(judged, about),
        chart(judged, about, left_out),
        _blind_spots(judged),
        _stretches(judged, about),
        _images(judged, about),
        _pushes(judged, about, left_out),
        _notes(judged, about),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{as_html(title)}</title>\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _path(path: str) -> str:
    """A path that may break after its slashes."""
    return f"<code>{as_html(path, PATH_SHOWN).replace('/', '/<wbr>')}</code>"


def _commit(push: Push, about: About) -> str:
    short = f"<code>{as_html(push.id[:SHORT])}</code>"
    if not about.web or not re.fullmatch(r"[0-9a-f]{40}", push.id):
        return short
    return f'<a href="{escape(about.web)}/commit/{push.id}">{short}</a>'


def _image(name: str) -> str:
    return f'<strong class="image">{as_html(name)}</strong>'


def _files(differences: Sequence[Difference], shown: int = FILES_SHOWN) -> str:
    """The files with what reads them, as a list."""
    items = []
    for one in differences[:shown]:
        why = f' <span class="quiet">{as_html(one.why)}</span>' if one.why else ""
        items.append(f"<li>{_path(one.path)}{why}</li>")
    if len(differences) > shown:
        items.append(f'<li class="quiet">and {len(differences) - shown:,} more</li>')
    return f'<ul class="files">{"".join(items)}</ul>' if items else ""


# --- words


def _noun(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}{'es' if noun.endswith('h') else 's'}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "none"


def _number(minutes: float) -> str:
    return f"{minutes:,.0f}" if minutes >= 10 else f"{minutes:g}"


# --- the top


def _subtitle(judged: Judged, about: About) -> str:
    times = [row.push.time_s for row in judged.rows if row.cells]
    span = f", {date_said(min(times))} to {date_said(max(times))}" if times else ""
    return (
        f'<p class="quiet">Branch <strong>{as_html(about.branch)}</strong>{span}. '
        f"Decided by {as_html(about.source)}.</p>"
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
            f'<tr><th scope="row">{as_html(spot.name)}</th>'
            f'<td class="number">{spot.pushes:,}</td><td class="place">{_path(spot.place)}<br>'
            f'<span class="quiet">{as_html(spot.why)}</span></td><td>{told}</td></tr>'
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
        ending = f"until {_commit(healed, about)} of {date_said(healed.time_s)} built it"
    misses = "".join(_miss(stretch, at, judged, about) for at in stretch.missed[:MISSES_SHOWN])
    more = len(stretch.missed) - MISSES_SHOWN
    if more > 0:
        misses += f'<li class="quiet">and {pushes_said(more)} more that should have built it</li>'
    documents = " Only documents and tests changed." if stretch.is_minor else ""
    return (
        f"<li><p>{_image(stretch.name)} for {pushes_said(stretch.pushes)}, "
        f"{lasting(stretch.seconds)}: "
        f"from {date_said(first.time_s)}, {ending}.{documents}</p><ul>{misses}</ul></li>"
    )


def _miss(stretch: Stretch, at: int, judged: Judged, about: About) -> str:
    row = judged.rows[at]
    cell = next(cell for cell in row.cells if cell.name == stretch.name)
    files = _files(cell.differences) or '<p class="quiet">it was new</p>'
    subject = as_html(row.push.subject, SUBJECT_SHOWN)
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
        title = as_html(name) if name else "all"
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
            chips.append(f'<li class="chip {outcome}">{as_html(name)} {WORDS[outcome]}</li>')
    told = f'<ul class="chips">{"".join(chips)}</ul>' if chips else '<span class="quiet">–</span>'
    files = "–" if push.files is None else f"{push.files:,}"
    return (
        f'<tr id="p{at}"><td class="date">{date_said(push.time_s)}</td>'
        f'<td>{_commit(push, about)} <span class="subject">{as_html(push.subject, SUBJECT_SHOWN)}'
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
    items = "".join(f"<li>{as_html(note)}</li>" for note in [*notes, *about.remarks])
    return f"<footer><h2>How this was counted</h2><ul>{items}</ul></footer>"
