"""Lockfiles of pnpm 9 and later, from a graph, as pnpm would write them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

# Names with what is said of each: a specifier and a version for importers, a version for packages.
Asked = Mapping[str, Iterable[tuple[str, str, str]]]
Needed = Mapping[str, Iterable[tuple[str, str]]]


def pnpm_lock(importers: Asked, packages: Needed, *, sections: Sequence[str] = ()) -> str:
    """`packages` by `name@version`, with peers in parentheses behind it."""
    lines = ["lockfileVersion: '9.0'", "", "settings:", "  autoInstallPeers: true", ""]
    for section in sections:
        lines += [*section.strip("\n").split("\n"), ""]
    lines.append("importers:")
    for folder, asked in importers.items():
        rows = [
            line
            for name, specifier, version in asked
            for line in (
                f"      {_text(name)}:",
                f"        specifier: {_text(specifier)}",
                f"        version: {_text(version)}",
            )
        ]
        lines += ["", *_filled(folder, ["    dependencies:", *rows] if rows else [])]
    lines += ["", "packages:"]
    for key in dict.fromkeys(key.partition("(")[0] for key in packages):
        about = [
            f"    resolution: {{integrity: sha512-{integrity(key)}}}",
            "    engines: {node: '>=18'}",
        ]
        lines += ["", *_filled(key, about)]
    lines += ["", "snapshots:"]
    for key, needed in packages.items():
        rows = [f"      {_text(name)}: {_text(version)}" for name, version in needed]
        lines += ["", *_filled(key, ["    dependencies:", *rows] if rows else [])]
    return "\n".join([*lines, ""])


def integrity(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest() * 2


def _filled(key: str, below: list[str]) -> list[str]:
    return [f"  {_text(key)}:", *below] if below else [f"  {_text(key)}: {{}}"]


def _text(text: str) -> str:
    """In quotes where YAML needs them."""
    plain = text and not text.startswith(tuple("@'\"*&!|>%`#[]{},?-: ")) and ": " not in text
    return text if plain and not text.endswith(":") else "'" + text.replace("'", "''") + "'"
