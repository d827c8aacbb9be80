"""An audit for a terminal, for the job summary and for programs. Text in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orient_deploy.advise.audit import folder_of
from orient_deploy.plan.report import code, escape, visible
from orient_deploy.plan.wording import plural, shortened

if TYPE_CHECKING:
    from orient_deploy.advise.audit import Audited, Narrowing, Reading, Watching
    from orient_deploy.plan.report import Line, Style

FILES_SHOWN = 3  # of one line or pattern
FOLDERS_SHOWN = 4
IGNORED_SHOWN = 4  # lines
ROWS_SHOWN = 100  # of one image in the summary
TEXT_SHOWN = 48  # characters of an instruction
HINT = "`--fix` prints lists that watch it; `watch: [auto]` watches it without a list"


def headline(audited: Sequence[Audited]) -> str:
    """The verdict in one line."""
    blind = [one for one in audited if one.unwatched]
    if not blind:
        return "Everything that the images read is watched"
    files = sum(one.unwatched_files for one in blind)
    verb = "reads" if len(blind) == 1 else "read"
    return (
        f"{len(blind)} of {plural(len(audited), 'image')} {verb} "
        f"{plural(files, 'file')} that no list watches"
    )


def _summary(one: Audited) -> str:
    if not one.is_there:
        return f"the commit has no {one.image.dockerfile}"
    files = f"{plural(one.read, 'file')} read"
    if one.automatic:
        return f"{files}, all of them watched by `auto`"
    return f"{files}, {one.watched} of them watched"


def _files(paths: Sequence[str]) -> str:
    """Some files by name, many by the folders that hold them."""
    if len(paths) <= FILES_SHOWN:
        return ", ".join(shortened(path) for path in paths)
    folders = Counter(folder_of(path) for path in paths)
    ranked = sorted(folders, key=lambda folder: (-folders[folder], folder))
    shown = [f"{shortened(folder)} ({folders[folder]})" for folder in ranked[:FOLDERS_SHOWN]]
    rest = len(ranked) - FOLDERS_SHOWN
    return ", ".join(shown) + (f" and {plural(rest, 'more folder')}" if rest > 0 else "")


def _line(one: Reading) -> str:
    return f"line {one.line}" if one.line else "the Dockerfile"


def _part(paths: Sequence[str], of: int) -> str:
    return f"all {of}" if len(paths) == of > 1 else f"{len(paths)} of {of}"


def _pattern(one: Watching) -> str:
    return f"{one.pattern} (watch-all)" if one.everywhere else one.pattern


def _kept_out(one: Watching) -> str:
    if not one.kept_out:
        return ""
    who = "the ignore file keeps them out"
    if one.kept_out < len(one.paths):
        who = f"the ignore file keeps out {one.kept_out}"
    return f" ({who})"


def _narrowing(one: Narrowing) -> str:
    if one.why_not:
        return one.why_not
    verb = "leaves" if one.configured else "would leave"
    told = f"`inputs: workspace` {verb} out {len(one.paths)} of {one.of} files"
    return f"{told}: {_files(one.paths)}"


# --- for a terminal


def audit_lines(audited: Sequence[Audited]) -> list[Line]:
    """Every image with what differs, and the verdict at the end."""
    lines: list[Line] = []
    for one in audited:
        about = f"  {visible(one.image.dockerfile)}: {visible(_summary(one))}"
        lines.append((("bold", one.image.name), about))
        lines += _details(one)
    verdict = headline(audited)
    blind = any(one.unwatched for one in audited)
    lines.append((("red" if blind else "green", verdict),))
    if blind:
        lines.append((("dim", HINT),))
    return lines


def _details(one: Audited) -> Iterator[Line]:
    yield from _readings("read, but not watched", "red", one.unwatched)
    yield from _readings("read, but ignored", "yellow", one.ignored)
    if one.unread:
        yield ("  ", ("yellow", "watched, but not read"))
        for watching in one.unread:
            told = f"{visible(_pattern(watching))}  {_part(watching.paths, watching.of)}"
            yield (f"    {told}: {visible(_files(watching.paths))}{_kept_out(watching)}",)
    if one.widened:
        yield ("  ", ("yellow", "cannot be told, so more counts"))
        for line, why in one.widened:
            yield (f"    {f'line {line}  ' if line else ''}{visible(why)}",)
    if one.missing:
        yield ("  ", ("dim", "named, but not in the commit"))
        for line, source in one.missing:
            yield (f"    line {line}  {visible(source)}",)
    if one.narrowing:
        yield (f"  {visible(_narrowing(one.narrowing))}",)


def _readings(title: str, style: Style, readings: Sequence[Reading]) -> Iterator[Line]:
    if not readings:
        return
    yield ("  ", (style, title))
    wide = max(len(_line(one)) for one in readings)
    texts = [visible(shortened(one.text, TEXT_SHOWN)) if one.line else "" for one in readings]
    far = max(map(len, texts))
    shown = len(readings) if style == "red" else IGNORED_SHOWN
    for one, text in list(zip(readings, texts, strict=True))[:shown]:
        part = "" if one.of == len(one.paths) == 1 else f"{_part(one.paths, one.of)}: "
        told = f"{part}{visible(_files(one.paths))}"
        yield (f"    {_line(one):<{wide}}  ", ("dim", f"{text:<{far}}"), f"  {told}")
    if len(readings) > shown:
        files = sum(len(one.paths) for one in readings[shown:])
        rest = f"{plural(len(readings) - shown, 'more line')} with {plural(files, 'file')}"
        yield (f"    and {rest}",)


# --- for the job summary


def audit_markdown(audited: Sequence[Audited]) -> str:
    """The verdict, a table of the images, and what differs folded below."""
    lines = [f"### {escape(headline(audited))}", ""]
    lines += ["| image | read | watched | not watched | watched for nothing | ignored |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
    for one in audited:
        unread = sum(len(each.paths) for each in one.unread)
        ignored = sum(len(each.paths) for each in one.ignored)
        unwatched = f"**{one.unwatched_files}**" if one.unwatched else "0"
        name = code(one.image.name)
        lines.append(
            f"| {name} | {one.read} | {one.watched} | {unwatched} | {unread} | {ignored} |"
        )
    for one in audited:
        rows = list(_rows(one))
        if not rows:
            continue
        title = f"{code(one.image.name)}: {escape(_summary(one))}"
        lines += ["", f"<details><summary>{title}</summary>", ""]
        lines += [f"- {row}" for row in rows[:ROWS_SHOWN]]
        if len(rows) > ROWS_SHOWN:
            lines.append(f"- and {len(rows) - ROWS_SHOWN} more")
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _rows(one: Audited) -> Iterator[str]:
    dockerfile = one.image.dockerfile
    for reading in one.unwatched:
        where = code(f"{dockerfile}:{reading.line}") if reading.line else code(dockerfile)
        text = code(shortened(reading.text, TEXT_SHOWN))
        part = _part(reading.paths, reading.of)
        yield f"**not watched**: {where} {text}, {part}: {escape(_files(reading.paths))}"
    for reading in one.ignored:
        yield f"ignored, but read by {_line(reading)}: {escape(_files(reading.paths))}"
    for watching in one.unread:
        part = _part(watching.paths, watching.of)
        files = f"{escape(_files(watching.paths))}{_kept_out(watching)}"
        yield f"watched for nothing: {code(_pattern(watching))}, {part}: {files}"
    for line, why in one.widened:
        at = f"line {line}: " if line else ""
        yield f"read as a whole: {at}{escape(why)}"
    for line, source in one.missing:
        yield f"not in the commit: line {line}: {escape(source)}"
    if one.narrowing:
        yield escape(_narrowing(one.narrowing))


# --- for programs


def audit_values(audited: Sequence[Audited]) -> dict[str, Any]:
    """Every image by name, with all files."""
    return {one.image.name: _values(one) for one in audited}


def _values(one: Audited) -> dict[str, Any]:
    narrowing = one.narrowing
    return {
        "dockerfile": one.image.dockerfile,
        "exists": one.is_there,
        "auto": one.automatic,
        "read": one.read,
        "watched": one.watched,
        "read-not-watched": [_reading(each) for each in one.unwatched],
        "read-but-ignored": [_reading(each) for each in one.ignored],
        "watched-not-read": [
            {
                "pattern": each.pattern,
                "where": str(each.where) if each.where.line else each.where.file,
                "watch-all": each.everywhere,
                "files": list(each.paths),
                "of": each.of,
                "kept-out": each.kept_out,
            }
            for each in one.unread
        ],
        "not-in-the-commit": [{"line": line, "source": source} for line, source in one.missing],
        "widened": [{"line": line, "why": why} for line, why in one.widened],
        "workspace": None
        if narrowing is None
        else {
            "configured": narrowing.configured,
            "files": list(narrowing.paths),
            "of": narrowing.of,
            "why-not": narrowing.why_not,
        },
    }


def _reading(one: Reading) -> dict[str, Any]:
    return {"line": one.line, "text": one.text, "files": list(one.paths), "of": one.of}
