"""What a lockfile records, and whether it is that of the manifests beside it.

Reads the part of a lockfile that says what the packages of the workspace ask for. Judges exactly
what `--frozen-lockfile` and `npm ci` refuse, as far as both files show it; the rest is silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from posixpath import join, normpath
from typing import TYPE_CHECKING, Any

from orient_deploy.inputs.lockfile import NPM, PNPM, YARN
from orient_deploy.inputs.workspace import MANIFEST
from orient_deploy.preflight.files import Files, is_aside, line_of
from orient_deploy.preflight.finding import Check, Finding

if TYPE_CHECKING:
    from orient_deploy.inputs.workspace import Workspace

STALE = Check(
    id="repository/lockfile-stale",
    severity="error",
    title="A package.json changed without its lockfile",
    why="An installation from the lockfile is refused: `ERR_PNPM_OUTDATED_LOCKFILE`, or "
    "`npm ci can only install packages when your package.json and package-lock.json are in sync`.",
    fix="Install once and commit the lockfile.",
)
CHECKS = (STALE,)

GROUPS = ("dependencies", "devDependencies", "optionalDependencies")
MOST_FINDINGS = 20
_IMPORTER = re.compile(r"  (?:'([^']+)'|([^\s'#][^\n]*?)):(?: \{\})?")
_NAME = re.compile(r"      (?:'([^']+)'|([^\s':][^\s:]*)):")
_FIELD = re.compile(r"        (specifier|version): (.+)")
_COMMANDS = {
    PNPM: "pnpm install --lockfile-only",
    NPM[0]: "npm install --package-lock-only",
    NPM[1]: "npm install --package-lock-only",
    YARN: "yarn install",
}


@dataclass(frozen=True, kw_only=True)
class Locked:
    """What a lockfile says that one package asked for, and what it got."""

    group: str
    specifier: str
    version: str


def importers(text: str) -> dict[str, dict[str, Locked]] | None:
    """The packages of a pnpm-lock.yaml by their folder; None: it has another shape.

    Source: pnpm writes one entry a line, indented by two for each level (lockfile 6 and 9).
    """
    found: dict[str, dict[str, Locked]] = {}
    lines = iter(text.split("\n"))
    if "\nimporters:" not in f"\n{text}":
        return None
    for line in lines:
        if line == "importers:":
            break
    current: dict[str, Locked] | None = None
    group = name = specifier = ""
    for line in lines:
        if not line.strip():
            continue
        if not line.startswith(" "):
            break
        if not line.startswith("   "):
            one = _IMPORTER.fullmatch(line)
            if one is None:
                return None
            current = found.setdefault(one[1] or one[2], {})
        elif not line.startswith("     "):
            group = line.strip().removesuffix(":")
        elif current is None or group not in GROUPS:
            continue
        elif not line.startswith("       "):
            one = _NAME.fullmatch(line)
            if one is None:
                return None
            name, specifier = one[1] or one[2], ""
        else:
            field = _FIELD.fullmatch(line)
            if field is None:
                continue
            value = _plain(field[2])
            if field[1] == "specifier":
                specifier = value
            else:
                current[name] = Locked(group=group, specifier=specifier, version=value)
    return found


def _plain(text: str) -> str:
    if text[:1] == "'" and text[-1:] == "'":
        return text[1:-1].replace("''", "'")
    if text[:1] == '"' and text[-1:] == '"':
        return text[1:-1]
    return text


def locked_version(files: Files, folder: str, name: str) -> str:
    """The version of a package that a lockfile records for a folder; '' for none."""
    workspace = files.workspace_of(folder)
    if workspace is None or not workspace.lock_path:
        return ""
    path, inner = workspace.lock_path, _from(workspace.root, folder)
    if path.endswith(PNPM):
        said = importers(_lock_text(files, path)) or {}
        one = said.get(inner, {}).get(name)
        return one.version.partition("(")[0] if one else ""
    if path.endswith(NPM):
        packages = _npm_packages(files, path)
        for place in (inner, "."):
            key = f"{'' if place == '.' else place + '/'}node_modules/{name}"
            if key in packages:
                return str(packages[key].get("version", ""))
    return ""


def _lock_text(files: Files, path: str) -> str:
    data = files.read(path)
    return "" if data is None else data.decode("utf-8", "replace").replace("\r\n", "\n")


def _npm_packages(files: Files, path: str) -> Mapping[str, Any]:
    try:
        said = json.loads(_lock_text(files, path) or "null")
    except (ValueError, RecursionError):
        return {}
    packages = said.get("packages") if isinstance(said, dict) else None
    return packages if isinstance(packages, dict) else {}


def _from(root: str, folder: str) -> str:
    if folder == root:
        return "."
    return folder[len(root) :].lstrip("/")


# --- stale


def look(files: Files, base: Files | None) -> list[Finding]:
    """The manifests that their lockfile does not know."""
    found: list[Finding] = []
    for workspace in files.workspaces:
        if not workspace.lock_path or workspace.problems or is_aside(workspace.lock_path):
            continue
        if workspace.lock_path.endswith(PNPM):
            found += _by_pnpm(files, workspace)
        elif workspace.lock_path.endswith(NPM):
            found += _by_npm(files, workspace)
        elif base is not None:
            found += _by_change(files, base, workspace)
    return found[:MOST_FINDINGS]


def _finding(files: Files, lock: str, folder: str, what: str, key: str) -> Finding:
    path = join(folder, MANIFEST)
    command = next(text for name, text in _COMMANDS.items() if lock.endswith(name))
    root = lock.rpartition("/")[0]
    return Finding(
        check=STALE.id,
        subject=path,
        message=f"{what}: {lock} was not written after it",
        command=f"cd {root} && {command}" if root else command,
        file=path,
        line=line_of(files.text(path), f'"{key}"') if key else 0,
    )


def _asked(files: Files, folder: str) -> dict[str, tuple[str, str]] | None:
    """Names with group and specifier; None where one stands in two groups."""
    found: dict[str, tuple[str, str]] = {}
    for group in GROUPS:
        for name, text in files.asks(folder, group).items():
            if name in found:
                return None
            found[name] = group, text
    return found


def _by_pnpm(files: Files, workspace: Workspace) -> Iterator[Finding]:
    text = _lock_text(files, workspace.lock_path)
    version = re.search(r"^lockfileVersion: '?(\d+)", text, re.MULTILINE)
    said = importers(text)
    if said is None or not version or version[1] not in ("6", "9") or "\n<<<<<<< " in f"\n{text}":
        return
    # A hook may change any manifest before it is compared.
    if any(join(workspace.root, name) in files for name in (".pnpmfile.cjs", ".pnpmfile.mjs")):
        return
    if "\npnpmfileChecksum:" in text or "excludeLinksFromLockfile: true" in text:
        return
    overridden = _overridden(files, workspace, text)
    for folder in sorted(workspace.packages):
        inner = _from(workspace.root, folder)
        asked = _asked(files, folder)
        if asked is None:
            continue
        if inner not in said:
            if asked and folder != workspace.root and not _has_own_lock(files, folder):
                yield _finding(
                    files,
                    workspace.lock_path,
                    folder,
                    f"{folder} is a package of the workspace that the lockfile does not know",
                    "",
                )
            continue
        peers = files.asks(folder, "peerDependencies")
        difference = _difference(asked, said[inner], overridden, peers)
        if difference:
            name, what = difference
            yield _finding(files, workspace.lock_path, folder, what, name)


def _has_own_lock(files: Files, folder: str) -> bool:
    return any(join(folder, name) in files for name in (PNPM, *NPM, YARN))


def _overridden(files: Files, workspace: Workspace, lock: str) -> set[str]:
    """Names whose specifier a setting may change before it is compared."""
    manifest = files.manifest(workspace.root)
    settings = files.text(join(workspace.root, "pnpm-workspace.yaml"))
    told = json.dumps(
        [manifest.get("pnpm"), manifest.get("resolutions"), manifest.get("overrides")]
    )
    names = re.findall(r"@?[\w.-]+(?:/[\w.-]+)?", told)
    at = settings.find("overrides:")
    if at >= 0:
        names += re.findall(r"@?[\w.-]+(?:/[\w.-]+)?", settings[at:])
    section = re.search(r"^overrides:\n((?:  .*\n)*)", lock, re.MULTILINE)
    if section:
        names += re.findall(r"@?[\w.-]+(?:/[\w.-]+)?", section[1])
    return set(names)


def _difference(
    asked: Mapping[str, tuple[str, str]],
    said: Mapping[str, Locked],
    overridden: set[str],
    peers: Mapping[str, str],
) -> tuple[str, str] | None:
    """The first name that differs, and how. Peers may have been installed besides."""
    for name in sorted({*asked, *said}):
        if name in overridden or (name in peers and name not in asked):
            continue
        if name not in said:
            group, text = asked[name]
            if text.startswith("link:"):
                continue
            return name, f"{name} {text} was added to `{group}`"
        if name not in asked:
            return "", f"{name} is no longer asked for"
        group, text = asked[name]
        if said[name].specifier != text:
            return name, f"{name} is {text}, and the lockfile was made for {said[name].specifier}"
        if said[name].group != group and name not in peers:
            return name, f"{name} was moved to `{group}`"
    return None


def _by_npm(files: Files, workspace: Workspace) -> Iterator[Finding]:
    packages = _npm_packages(files, workspace.lock_path)
    if "" not in packages:
        return  # of version 1: it does not say what was asked for
    for folder in sorted(workspace.packages):
        inner = _from(workspace.root, folder)
        key = "" if inner == "." else inner
        own = packages.get(key)
        if not isinstance(own, dict) or own.get("link"):
            continue
        for group in ("dependencies", "devDependencies"):
            known = own.get(group)
            known = known if isinstance(known, dict) else {}
            for name, text in files.asks(folder, group).items():
                if name in known or _is_installed(packages, key, name):
                    continue
                yield _finding(
                    files,
                    workspace.lock_path,
                    folder,
                    f"{name} {text} was added to `{group}`",
                    name,
                )
                break


def _is_installed(packages: Mapping[str, Any], folder: str, name: str) -> bool:
    while True:
        if (f"{folder}/" if folder else "") + f"node_modules/{name}" in packages:
            return True
        if not folder:
            return False
        folder = folder.rpartition("/")[0]


def _by_change(files: Files, base: Files, workspace: Workspace) -> Iterator[Finding]:
    lock = workspace.lock_path
    if lock not in base or files.read(lock) != base.read(lock):
        return
    own = {one.name for one in workspace.packages.values()}
    locked = _lock_text(files, lock)
    for folder in sorted(workspace.packages):
        if normpath(join(folder, MANIFEST)) not in base:
            continue
        before = base.asks(folder, *GROUPS)
        for name, text in files.asks(folder, *GROUPS).items():
            if before.get(name) == text or name in own or _is_in_yarn(locked, name, text):
                continue
            yield _finding(
                files,
                lock,
                folder,
                f"{name} became {text}" if name in before else f"{name} {text} was added",
                name,
            )
            break


def _is_in_yarn(lock: str, name: str, text: str) -> bool:
    return f"{name}@{text}" in lock or f"{name}@npm:{text}" in lock
