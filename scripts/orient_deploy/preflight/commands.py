"""What a command of a workflow or of a script asks a package manager or turbo to do.

Decides which script of which packages it names, as far as that is written there. Never runs one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import join, normpath

from orient_deploy.inputs.workspace import Workspace
from orient_deploy.preflight.files import inside

_MANAGERS = ("pnpm", "npm", "yarn", "bun")
_VALUED = frozenset(
    {"-C", "--dir", "--prefix", "--cwd", "-F", "--filter", "--filter-prod", "-w", "--workspace"}
)
_TURBO_VALUED = frozenset(
    {
        *(
            "--filter",
            "-F",
            "--concurrency",
            "--cache-dir",
            "--output-logs",
            "--log-order",
            "--cwd",
        ),
        *("--team", "--token", "--api", "--env-mode", "--log-prefix", "--graph", "--scope"),
    }
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One call of a package manager, or of turbo."""

    tool: str
    scripts: tuple[str, ...]  # of a manager one
    folder: str | None = ""  # from the repository's root; None: not known
    filters: tuple[str, ...] = ()
    recursive: bool = False
    extra: tuple[str, ...] = ()  # what is handed to the script
    fails_if_none: bool = False


def asked_by(words: Sequence[str], folder: str) -> Asked | None:
    """What a command asks for; None: it is none of these tools, or runs no script.

    >>> asked_by(["pnpm", "--filter", "a...", "run", "test:ci"], "").scripts
    ('test:ci',)
    """
    if not words:
        return None
    tool = words[0].rpartition("/")[2]
    rest = list(words[1:])
    if tool == "turbo":
        return _turbo(rest, folder)
    if tool not in _MANAGERS:
        return None
    filters: list[str] = []
    place: str | None = folder
    recursive = fails = False
    at = 0
    verb = ""
    extra: list[str] = []
    while at < len(rest):
        one = rest[at]
        at += 1
        if one == "--":
            extra += rest[at:]
            break
        if one.startswith("-"):
            name, equals, value = one.partition("=")
            takes = name in _VALUED and not (tool == "pnpm" and name in ("-w", "--workspace"))
            if takes and not equals and at < len(rest):
                value, at = rest[at], at + 1
            if name in ("-C", "--dir", "--prefix", "--cwd"):
                place = inside(place or "", value) if place is not None else None
            elif takes:
                filters.append(value)
            recursive = recursive or name in ("-r", "--recursive", "--workspaces", "-ws", "-A")
            fails = fails or name == "--fail-if-no-match"
            if verb and name not in ("--if-present", "-s", "--silent") and not takes:
                extra.append(one)
        elif not verb:
            if one in ("run", "run-script", "rum", "exec"):
                if one == "exec":
                    return None
                continue
            if one in ("recursive", "multi", "m", "workspaces") and tool in ("pnpm", "yarn"):
                recursive = True
                continue
            if one == "foreach" and recursive:
                continue
            if one == "workspace" and tool == "yarn" and at < len(rest):
                filters.append(rest[at])
                at += 1
                continue
            if one == "turbo":
                return _turbo(rest[at:], place)
            verb = one
        else:
            extra.append(one)
    verb = {"t": "test", "tst": "test"}.get(verb, verb)
    if not verb:
        return None
    return Asked(
        tool=tool,
        scripts=(verb,),
        folder=place,
        filters=tuple(filters),
        recursive=recursive,
        extra=tuple(extra),
        fails_if_none=fails,
    )


def _turbo(rest: list[str], folder: str | None) -> Asked | None:
    tasks: list[str] = []
    filters: list[str] = []
    extra: list[str] = []
    at = 0
    while at < len(rest):
        one = rest[at]
        at += 1
        if one == "--":
            extra = rest[at:]
            break
        if one.startswith("-"):
            name, equals, value = one.partition("=")
            if name in _TURBO_VALUED and not equals and at < len(rest):
                value, at = rest[at], at + 1
            if name in ("--filter", "-F"):
                filters.append(value)
            elif name == "--cwd":
                folder = inside(folder or "", value)
        else:
            tasks.append(one)
    if tasks and tasks[0] == "run":
        tasks = tasks[1:]
    if not tasks or tasks[0] in ("prune", "login", "link", "gen", "ls", "query", "daemon"):
        return None
    return Asked(
        tool="turbo",
        scripts=tuple(tasks),
        folder=folder,
        filters=tuple(filters),
        extra=tuple(extra),
        fails_if_none=any("*" not in one for one in filters),
    )


def matches_nothing(filters: Sequence[str], workspace: Workspace) -> bool:
    """Whether surely no package of the workspace is meant by any of the filters.

    Only plain names and globs are judged, and folders; of `...` what stands beside it.
    """
    judged = [one for one in filters if not one.startswith("!")]
    return bool(judged) and all(_matches_nothing(one, workspace) for one in judged)


def _matches_nothing(text: str, workspace: Workspace) -> bool:
    text = text.removeprefix("...").removeprefix("^").removesuffix("...").removesuffix("^")
    if not text or text == "//" or workspace.problems or re.search(r"[\[\]{}$!?()`\s]", text):
        return False
    members = workspace.packages
    if text.startswith("."):
        # A folder means the packages in it; a `*` in one stands for whatever it may.
        wanted = _expression(normpath(join(workspace.root, text)), below=True)
        return not any(wanted.fullmatch(folder or ".") for folder in members)
    if any(not one.name for folder, one in members.items() if folder != workspace.root):
        return False
    names = [one.name for one in members.values()]
    wanted = _expression(text, below=False)
    return not any(
        wanted.fullmatch(one) for one in (*names, *(one.rpartition("/")[2] for one in names))
    ) and not any(wanted.fullmatch(folder) for folder in members)


def _expression(text: str, *, below: bool) -> re.Pattern[str]:
    if text in (".", "*", "**"):
        return re.compile(r"(?s).*")
    found = re.sub(r"(?:\\\*)+", ".*", re.escape(text))
    return re.compile(f"(?s){found}(?:/.*)?" if below else f"(?s){found}")
