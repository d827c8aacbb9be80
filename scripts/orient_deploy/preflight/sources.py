"""What the sources of a service say of its routes: those that Express 5 refuses, and those that a
rewrite has left behind.

Reads JavaScript and TypeScript as far as strings, comments and regular expressions can be told
apart, and no further. Only calls on what is surely Express's are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.inputs.workspace import MANIFEST
from orient_deploy.preflight.files import Files
from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.preflight.locked import locked_version
from orient_deploy.preflight.routes import refusal, rewritten

if TYPE_CHECKING:
    from orient_deploy.config.model import Image

WILDCARD = Check(
    id="repository/express-wildcard",
    severity="error",
    title="A route is written as Express 5 does not take it",
    why="The service ends as it starts, and is started again for ever: "
    "`Missing parameter name at index 1: *`.",
    fix="Name the wildcard: `/{*splat}` for `*`.",
)
MIGRATION_GAP = Check(
    id="repository/migration-gap",
    severity="hint",
    title="Routes of the old sources are in no package",
    why="The image is built from the packages: what only the old sources answer is gone with it.",
    fix="Move the routes, or delete the old sources when nothing needs them.",
)
CHECKS = (WILDCARD, MIGRATION_GAP)

MOST_FILES = 5_000
MOST_FINDINGS = 20
_METHODS = "get|post|put|delete|patch|all|options|head"
_SKIP = re.compile(
    r"""//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`"""
    r"""|(?<=[=(,:;!&|?{}\[\n])[ \t]{0,20}/(?![/*])"""
    r"""(?:\\.|\[(?:\\.|[^\]\\\n]){0,100}\]|[^/\\\n\[]){1,200}/[a-z]{0,9}""",
    re.DOTALL,
)
# All of these read code whose blanks and line ends are one blank each, and are bounded: no text can
# keep one busy.
_NAME = r"[A-Za-z_$][\w$]{0,80}"
_CALL = re.compile(
    rf"(?<![\w$.])(?<!\. )(?P<object>{_NAME}) ?\. ?(?P<method>{_METHODS}|use|route) ?"
    r"(?:<[^()<>]{0,200}>)?\( ?\[? ?\x00(?P<first>\d+)\x00"
)
_MORE = re.compile(r" ?, ?\x00(\d+)\x00")
_MADE = re.compile(
    rf"\b(?:const|let|var) (?P<name>{_NAME}) ?(?:: ?[\w$.]{{1,100}} ?)?= ?(?:await )?(?:new )?"
    rf"(?P<maker>{_NAME}) ?(?:\. ?(?P<part>Router) ?)?(?:<[^()]{{0,200}}>)?\("
)
_TYPED = re.compile(
    rf"(?<![\w$])(?P<name>{_NAME}) ?\??: ?(?:{_NAME}\.)?"
    r"(?:Express|Application|Router|IRouter|core\.Express)\b(?! ?[.(])"
)
_FROM = re.compile(
    r"\bimport (?P<what>[^;'\"\x00]{1,500}?) from \x00(?P<from>\d+)\x00"
    r"|\b(?:const|let|var|import) (?P<what2>[^=;]{1,500}?) ?= ?require\( ?\x00(?P<from2>\d+)\x00"
)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One path that a file registers."""

    path: str
    method: str
    line: int
    is_text: bool  # False: a template, of which a part is not known


def look(files: Files, images: Sequence[Image]) -> list[Finding]:
    """The findings of both checks."""
    return [*_wildcards(files), *_gaps(files, images)]


# --- reading


@dataclass(frozen=True, kw_only=True)
class _Script:
    """A file without its comments, with its strings taken out."""

    code: str
    strings: tuple[tuple[str, int], ...]  # as written, with their quotes, and their lines


def _read(text: str) -> _Script:
    strings: list[tuple[str, int]] = []
    pieces: list[str] = []
    at = line = 0
    counted = 0
    for one in _SKIP.finditer(text):
        pieces.append(text[at : one.start()])
        line += text.count("\n", counted, one.start())
        counted = one.start()
        at = one.end()
        if one[0].startswith(("'", '"', "`")):
            pieces.append(f"\x00{len(strings)}\x00")
            strings.append((one[0], line + 1))
        else:
            pieces.append(" ")
    pieces.append(text[at:])
    return _Script(code=re.sub(r"\s+", " ", "".join(pieces)), strings=tuple(strings))


def routes_of(text: str) -> list[Route]:
    """The routes that a file surely registers with Express.

    >>> [one.path for one in routes_of("import e from 'express'; const a = e(); a.get('*', f)")]
    ['*']
    """
    if "express" not in text:
        return []
    script = _read(text.replace("\x00", ""))
    objects = _objects(script)
    found = []
    for one in _CALL.finditer(script.code):
        if one["object"] not in objects:
            continue
        numbers = [one["first"]]
        at = one.end()
        if "[" in one[0]:
            while more := _MORE.match(script.code, at):
                numbers.append(more[1])
                at = more.end()
        for number in numbers:
            written, line = script.strings[int(number)]
            # A single text of `get` alone reads a setting: app.get('env').
            rest = script.code[at : at + 50].lstrip()
            if one["method"] == "get" and rest.startswith(")"):
                continue
            if not rest.startswith((",", "]", ")")):
                continue  # a part of a longer expression
            path = _value(written)
            found.append(
                Route(
                    path=path,
                    method=one["method"],
                    line=line,
                    is_text=not (written.startswith("`") and "${" in written),
                )
            )
    return found


def _value(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL)


def _objects(script: _Script) -> set[str]:
    """The names in the file that stand for an application or a router of Express."""
    makers: set[str] = set()  # of either
    whole: set[str] = set()  # the module itself
    for one in _FROM.finditer(script.code):
        number = one["from"] or one["from2"]
        if _value(script.strings[int(number)][0]) != "express":
            continue
        what = one["what"] or one["what2"] or ""
        for name in re.findall(r"[A-Za-z_$][\w$]*(?:\s*(?:as|:)\s*[A-Za-z_$][\w$]*)?", what):
            parts = re.split(r"\s*(?:\bas\b|:)\s*", name)
            if "{" in what and re.search(rf"\{{[^}}]*\b{re.escape(parts[0])}\b", what):
                if parts[0] in ("Router", "default"):
                    makers.add(parts[-1])
            elif parts[0] not in ("type", "as"):
                whole.add(parts[-1])
    objects = set()
    for one in _MADE.finditer(script.code):
        if one["maker"] in whole or (one["maker"] in makers and not one["part"]):
            objects.add(one["name"])
    if makers or whole or _types_of_express(script):
        objects |= {one["name"] for one in _TYPED.finditer(script.code)}
    return objects


def _types_of_express(script: _Script) -> bool:
    return any(
        _value(script.strings[int(one["from"])][0]) == "express"
        for one in _FROM.finditer(script.code)
        if one["from"]
    )


# --- Express 5


def major_of(files: Files, folder: str, name: str) -> int | None:
    """The major version of a package that a folder gets; None: that cannot be told."""
    asked = files.asks(folder).get(name)
    if asked is None:
        return None
    majors = {int(one) for one in re.findall(r"(?:\A|\|\||\s)\s*[\^~=v]*(\d+)(?=[.\s]|\Z)", asked)}
    is_plain = re.fullmatch(r"[\^~=v\s]*\d+(?:\.[\dxX*]+){0,2}(?:-[\w.-]+)?", asked.strip())
    if is_plain and len(majors) == 1:
        return majors.pop()
    version = locked_version(files, folder, name)
    found = re.match(r"(\d+)\.", version)
    return int(found[1]) if found else None


def _wildcards(files: Files) -> Iterator[Finding]:
    majors: dict[str, int | None] = {}
    count = 0
    for path in _read_paths(files, ""):
        text = files.text(path)
        if "express" not in text:
            continue
        for one in routes_of(text):
            if not one.is_text:
                continue
            why = refusal(one.path)
            if not why:
                continue
            folder = _asking_folder(files, path)
            if folder is None:
                continue
            if folder not in majors:
                majors[folder] = major_of(files, folder, "express")
            if (majors[folder] or 0) < 5:
                continue
            count += 1
            if count > MOST_FINDINGS:
                return
            better = rewritten(one.path)
            yield Finding(
                check=WILDCARD.id,
                subject=f"{path}:{one.path}",
                message=f"Express {majors[folder]} refuses the route {one.path!r}: {why}",
                fix=f"Write {better!r}." if better else "Give a regular expression instead.",
                file=path,
                line=one.line,
            )


def _asking_folder(files: Files, path: str) -> str | None:
    """The folder of the nearest package.json that asks for Express."""
    folder = path.rpartition("/")[0]
    while True:
        manifest = f"{folder}/{MANIFEST}" if folder else MANIFEST
        if manifest in files and "express" in files.asks(folder):
            return folder
        if not folder:
            return None
        folder = folder.rpartition("/")[0]


def _read_paths(files: Files, folder: str) -> list[str]:
    """The sources of a folder where something asks for Express."""
    asking = {
        path.rpartition("/")[0]
        for path in files.names
        if path.rpartition("/")[2] == MANIFEST
        and "node_modules/" not in path
        and "express" in files.asks(path.rpartition("/")[0])
    }
    if not asking:
        return []
    found = []
    for path in files.sources(folder):
        if "" in asking or any(path.startswith(f"{one}/") for one in asking):
            found.append(path)
            if len(found) == MOST_FILES:
                break
    return found


# --- routes left behind


_ANY_CALL = re.compile(
    rf"(?<![\w$])(?:[\w$]{{0,60}}(?:app|router|server|routes|api)|this\.(?:app|router)) ?\. ?"
    rf"(?:{_METHODS}) ?(?:<[^()<>]{{0,200}}>)?\( ?\x00(\d+)\x00 ?,",
    re.IGNORECASE,
)


def _gaps(files: Files, images: Sequence[Image]) -> Iterator[Finding]:
    packages = {one.partition("/")[2].partition("/")[0] for one in files.below("packages")}
    if not files.has_folder("src") or len(packages) < 2:
        return
    if not any(one.dockerfile.startswith("packages/") for one in images):
        return
    old: dict[str, list[tuple[str, str, int]]] = {}
    for path in _some(files, "src"):
        for route, line in _registered(files.text(path)):
            old.setdefault(_prefix(route), []).append((route, path, line))
    if not old:
        return
    new = {
        _last(route)
        for path in _some(files, "packages")
        for route, _ in _registered(files.text(path))
    }
    if not new:
        return
    for prefix in sorted(old)[: 4 * MOST_FINDINGS]:
        lost = [one for one in old[prefix] if _last(one[0]) not in new]
        # A router may be mounted under any prefix: a route counts as moved by its end alone.
        if len(lost) < len(old[prefix]):
            continue
        route, path, line = lost[0]
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        yield Finding(
            check=MIGRATION_GAP.id,
            subject=prefix,
            message=f"{route}{more} of src/ is in no package",
            file=path,
            line=line,
        )


def _some(files: Files, folder: str) -> list[str]:
    return [path for _, path in zip(range(MOST_FILES), files.sources(folder), strict=False)]


def _registered(text: str) -> list[tuple[str, int]]:
    if not re.search(r"express|fastify|hono|\bRouter\b", text):
        return []
    script = _read(text.replace("\x00", ""))
    found = []
    for one in _ANY_CALL.finditer(script.code):
        written, line = script.strings[int(one[1])]
        path = _value(written)
        if path.startswith("/") and "${" not in path and len(path) < 200:
            found.append((path, line))
    return found


def _prefix(route: str) -> str:
    parts = [one for one in route.split("/") if one]
    count = 2 if parts[:1] in (["api"], ["v1"], ["v2"]) else 1
    return "/" + "/".join(parts[:count])


def _last(route: str) -> str:
    """Of a route what no mounting changes: its last named part, and what follows."""
    parts = [re.sub(r"[:{*].*", ":", one) for one in route.split("/") if one]
    for at in range(len(parts) - 1, -1, -1):
        if parts[at] != ":":
            return "/".join(parts[at:])
    return "/".join(parts)
