"""What a YAML parser reads in a lockfile of pnpm, in the terms of our own reading.

Slow, and independent of it: the parser is PyYAML's, and every value is looked up by its name.
"""

from __future__ import annotations

from typing import Any

import yaml

from orient_deploy.inputs.lockfile import pnpm
from orient_deploy.inputs.lockfile.lock import IMPORTERS, Lock

# By importer: name, specifier and version of all that it asks for.
Asked = dict[str, list[tuple[str, str, str]]]
# By package: names and versions of all that it needs.
Needed = dict[str, list[tuple[str, str]]]

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every value a text, as pnpm means it
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")


def yaml_reading(content: str) -> tuple[Asked, Needed, set[str]]:
    """The importers, the packages, and the names of the sections, of the last document."""
    main = list(yaml.load_all(content, Loader=_LOADER))[-1]
    importers = main.get(IMPORTERS)
    if importers is None:
        importers = {".": {group: main[group] for group in _GROUPS if group in main}}
    asked = {
        folder: sorted(
            (name, said["specifier"], said["version"])
            for group in _GROUPS
            for name, said in _table(about, group).items()
        )
        for folder, about in importers.items()
    }
    packages = main.get("snapshots" if main["lockfileVersion"].startswith("9") else "packages")
    needed = {
        key: sorted(
            pair
            for group in ("dependencies", "optionalDependencies")
            for pair in _table(about, group).items()
        )
        for key, about in (packages or {}).items()
    }
    return asked, needed, set(main)


def our_reading(lock: Lock) -> tuple[Asked, Needed]:
    """The same from what was split."""
    asked: Asked = {}
    needed: Needed = {}
    for (section, key), text in lock.texts.items():
        if section == IMPORTERS:
            asked[key] = sorted(pnpm.asked_by(text))
        elif section in (pnpm.SNAPSHOTS, pnpm.PACKAGES):
            needed[key] = sorted(pnpm.needed_by(text))
    return asked, needed


def _table(about: object, name: str) -> dict[str, Any]:
    table = about.get(name) if isinstance(about, dict) else None
    return table if isinstance(table, dict) else {}
