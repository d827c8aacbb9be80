"""The files of a pnpm workspace: manifests, settings, and a lockfile in which things depend on
each other about as deeply as in real ones. The same bytes on every machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

ROOT = "."
SETTINGS = b"packages:\n  - packages/*\n"
_ASKED = 6  # packages of a registry that each of ours asks for


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Packages by their folders, each with those of them that it needs."""

    needs: Mapping[str, tuple[str, ...]]
    libraries: int  # packages of a registry, by number; each depends on two others

    def manifest(self, folder: str) -> bytes:
        """The package.json of a folder, or of the root."""
        asked = dict.fromkeys(map(name_of, self.needs.get(folder, ())), "workspace:*")
        asked |= {_library(number): "^1.0.0" for number in self._asked(folder)}
        said = {
            "name": name_of(folder) if folder != ROOT else "acme",
            "version": "1.0.0",
            "private": True,
            "scripts": {"build": "tsc --build", "test": "vitest run"},
            "dependencies": asked,
        }
        return json.dumps(said, indent=2).encode() + b"\n"

    def lockfile(self, *, updated: int | None = None) -> bytes:
        """pnpm-lock.yaml, in which the library `updated` has a newer version."""

        def version(number: int) -> str:
            return "1.0.1" if number == updated else "1.0.0"

        lines = ["lockfileVersion: '9.0'", "", "settings:", "  autoInstallPeers: true", ""]
        lines += ["importers:", ""]
        for folder in (ROOT, *sorted(self.needs)):
            lines += [f"  {folder}:", "    dependencies:"]
            for other in self.needs.get(folder, ()):
                link = f"link:../{other.rpartition('/')[2]}"
                lines += [f"      '{name_of(other)}':", "        specifier: workspace:*"]
                lines.append(f"        version: {link}")
            for number in self._asked(folder):
                lines += [f"      {_library(number)}:", "        specifier: ^1.0.0"]
                lines.append(f"        version: {version(number)}")
            lines.append("")
        lines += ["packages:", ""]
        for number in range(self.libraries):
            key = f"{_library(number)}@{version(number)}"
            content = base64.b64encode(hashlib.sha512(key.encode()).digest()).decode()
            lines += [f"  {key}:", f"    resolution: {{integrity: sha512-{content}}}"]
            lines += ["    engines: {node: '>=18'}", ""]
        lines += ["snapshots:", ""]
        for number in range(self.libraries):
            needed = [f"      {_library(other)}: {version(other)}" for other in self._below(number)]
            end = ["    dependencies:", *needed] if needed else []
            key = f"  {_library(number)}@{version(number)}:"
            lines += [key, *end, ""] if end else [f"{key} {{}}", ""]
        return "\n".join(lines).encode()

    def closure(self, folders: Iterable[str]) -> frozenset[str]:
        """These packages and all of the workspace that they need."""
        found: set[str] = set()
        pending = list(folders)
        while pending:
            one = pending.pop()
            if one not in found:
                found.add(one)
                pending += self.needs[one]
        return frozenset(found)

    def holds(self, folders: Iterable[str], library: int) -> bool:
        """Whether these packages or the root have a library installed."""
        above = {library}
        while library:
            library = (library - 1) // 2
            above.add(library)
        return any(not above.isdisjoint(self._asked(one)) for one in (ROOT, *folders))

    def _asked(self, folder: str) -> list[int]:
        if folder == ROOT:
            return [self.libraries - 1]
        drawn = hashlib.shake_128(folder.encode()).digest(2 * _ASKED)
        numbers = (int.from_bytes(drawn[at : at + 2], "big") for at in range(0, 2 * _ASKED, 2))
        return sorted({number % self.libraries for number in numbers})

    def _below(self, number: int) -> Iterator[int]:
        yield from (other for other in (2 * number + 1, 2 * number + 2) if other < self.libraries)


def name_of(folder: str) -> str:
    """The name of a package."""
    return f"@acme/{folder.rpartition('/')[2]}"


def _library(number: int) -> str:
    return f"library-{number:04}"
