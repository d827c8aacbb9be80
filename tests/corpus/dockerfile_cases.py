"""The corpus of tests/corpus/dockerfile as values, and a case as a folder.

Knows nothing of engines, nor of the code that is held to the corpus.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.repositories import Symlink

FOLDER = Path(__file__).parent / "dockerfile"


@dataclass(frozen=True, kw_only=True)
class Case:
    name: str
    where: str  # the file that holds it
    about: str
    tree: Mapping[str, bytes | Symlink]
    add: tuple[str, ...]
    dockerfile: str  # its path
    context: str
    target: str
    args: Mapping[str, str]
    contexts: Mapping[str, str]
    needs: tuple[str, ...]
    unverified: str
    reads: tuple[str, ...]
    bases: tuple[str, ...]
    fails: bool

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every path about which the case says whether it is read."""
        return (*sorted(self.tree), *self.add)


def load_cases(*, http: str = "http://127.0.0.1:1", git: str = "http://127.0.0.1:2") -> list[Case]:
    """Every case, in order of name; `http` and `git` are the servers that Dockerfiles may name."""
    cases: dict[str, Case] = {}
    for path in sorted(FOLDER.glob("*.yml")):
        text = path.read_text(encoding="utf-8").replace("@HTTP@", http).replace("@GIT@", git)
        for name, case in yaml.safe_load(text).items():
            if name in cases:
                raise ValueError(f"{path.name}: {name} is in {cases[name].where} already")
            cases[name] = _case(name, path.name, dict(case))
    return [cases[name] for name in sorted(cases)]


def _case(name: str, where: str, given: dict[str, Any]) -> Case:
    dockerfile = given.pop("at", "Dockerfile")
    context = given.pop("context", ".")
    tree: dict[str, bytes | Symlink] = {
        path: f"{name} {path}\n".encode() for path in given.pop("files", [])
    }
    tree[dockerfile] = given.pop("dockerfile").encode()
    if "ignore" in given:
        path = os.path.normpath(os.path.join(context, ".dockerignore"))
        tree[path] = given.pop("ignore").encode()
    tree.update({path: text.encode() for path, text in given.pop("text", {}).items()})
    tree.update({path: base64.b64decode(text) for path, text in given.pop("binary", {}).items()})
    tree.update({path: Symlink(target) for path, target in given.pop("links", {}).items()})
    case = Case(
        name=name,
        where=where,
        about=given.pop("about"),
        tree=tree,
        add=tuple(given.pop("add", ())),
        dockerfile=dockerfile,
        context=context,
        target=given.pop("target", ""),
        args=given.pop("args", {}),
        contexts=given.pop("contexts", {}),
        needs=tuple(given.pop("needs", ())),
        unverified=given.pop("unverified", ""),
        reads=tuple(given.pop("reads", ())),
        bases=tuple(given.pop("bases", ())),
        fails=given.pop("fails", False),
    )
    if given:
        raise ValueError(f"{where}: {name} has keys that mean nothing: {', '.join(sorted(given))}")
    return case


def write_case(case: Case, folder: Path) -> None:
    """Lay the case's files out in a folder."""
    for path, content in case.tree.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Symlink):
            file.symlink_to(content.target)
        else:
            file.write_bytes(content)
