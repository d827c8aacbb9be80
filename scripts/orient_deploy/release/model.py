"""What a server tells of its releases and containers, as values.

Reads the lines of the agent; decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

VERSION = 1
ADOPTED = "adopted"  # begins the name of a release that was made of what ran
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,80}")
_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Running:
    """A container of the project, whatever state it is in."""

    name: str
    image_id: str
    image: str  # as it was asked for
    status: str
    service: str
    config_hash: str
    one_off: bool
    folder: str  # Compose's project directory, when it was made
    files: tuple[str, ...]  # the compose files that it was made from, absolute
    mounts: tuple[str, ...]  # paths of the host


@dataclass(frozen=True, kw_only=True)
class Model:
    """What Compose makes of a release."""

    images: Mapping[str, str]  # service -> image; every service is there, '' where it is only built
    hashes: Mapping[
        str, str
    ]  # service -> digest of its definition, as its container's label has it
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is written down of a release: of its files and images, and where it came from."""

    id: str
    commit: str = ""
    run: str = ""
    owner: str = ""
    created: str = ""
    environment: str = ""
    references: Mapping[str, str] = field(default_factory=lambda: _EMPTY)  # image -> repo@sha256:…
    sources: Mapping[str, str] = field(default_factory=lambda: _EMPTY)  # service -> image, unpinned
    contents: Mapping[str, str] = field(default_factory=lambda: _EMPTY)  # service -> label
    files: Mapping[str, str] = field(default_factory=lambda: _EMPTY)  # path -> sha256
    irreversible: bool = False  # a rollback does not go behind it unasked

    def text(self) -> str:
        """As one line of JSON."""
        values = {name: dict(v) if isinstance(v, Mapping) else v for name, v in _fields(self)}
        return json.dumps({"version": VERSION, **values}, sort_keys=True)

    @classmethod
    def parse(cls, text: str) -> Record | None:
        """The record of a line; None where it is none, or one of a later version.

        >>> Record.parse(Record(id="a", files={"b": "c"}).text()).files["b"]
        'c'
        """
        try:
            found: dict[str, Any] = json.loads(text)
            if found.pop("version") != VERSION:
                return None
            return cls(**found)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _fields(record: Record) -> Iterable[tuple[str, Any]]:
    return ((name, getattr(record, name)) for name in record.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the ledger: what became of a release."""

    at: str  # 2026-11-24T12:39:38Z
    release: str  # '-' where none is meant
    word: str  # good, failed, timeout, inconclusive, rolled-back, taken-over
    rest: str = ""


@dataclass(frozen=True, kw_only=True)
class Journal:
    """What was under way when the last agent ended."""

    step: str
    release: str
    kind: str  # deploy or rollback


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a folder of deployments stands."""

    where: str
    journal: Journal | None
    good: str  # the release that was last judged good; '' for none
    installed: str  # the one whose files are in place
    ledger: tuple[Entry, ...]

    @property
    def good_ones(self) -> tuple[str, ...]:
        """Releases that were judged good, the last one first, each once."""
        words = {one.release: one.word for one in self.ledger}  # the last word counts
        found = [one.release for one in reversed(self.ledger) if words[one.release] == "good"]
        return tuple(dict.fromkeys(found))


def standing(lines: Sequence[tuple[str, str]]) -> Standing:
    """How it stands, from what the agent said when it opened."""
    told = dict(lines)
    step, _, rest = told.get("journal", "").partition(" ")
    release, _, kind = rest.partition(" ")
    entries = []
    for key, text in lines:
        words = text.split(" ", 3)
        if key == "ledger" and len(words) >= 3:
            entries.append(
                Entry(at=words[0], release=words[1], word=words[2], rest=" ".join(words[3:]))
            )
    return Standing(
        where=told.get("where", ""),
        journal=Journal(step=step, release=release, kind=kind) if step else None,
        good=told.get("good", ""),
        installed=told.get("installed", ""),
        ledger=tuple(entries),
    )


def containers(texts: Iterable[str]) -> tuple[Running, ...]:
    """The containers that the agent saw, without those of `docker compose run`."""
    found = []
    for text in texts:
        name, image_id, image, status, service, digest, one_off, folder, files, mounts = json.loads(
            text
        )
        found.append(
            Running(
                name=name.lstrip("/"),
                image_id=image_id,
                image=image,
                status=status,
                service=service or "",
                config_hash=digest or "",
                one_off=one_off == "True",
                folder=folder or "",
                files=tuple((files or "").split(",")) if files else (),
                mounts=tuple(one for one in mounts if one),
            )
        )
    return tuple(one for one in found if not one.one_off)


def digests(texts: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Image id -> the names with a digest by which the engine knows it."""
    found = (json.loads(text) for text in texts)
    return {str(key): frozenset(map(str, names or ())) for key, names in found}


def model(lines: Sequence[tuple[str, str]]) -> Model:
    """What Compose made of a release, from what the agent said."""
    images: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for key, text in lines:
        name, _, rest = text.partition(" ")
        if key == "service":
            images.setdefault(name, "")
        elif key == "image":
            images[name] = rest
        elif key == "hash":
            hashes[name] = rest
    warnings = tuple(text for key, text in lines if key == "warning" and text.strip())
    return Model(images=images, hashes=hashes, warnings=warnings)


def is_name(text: str) -> bool:
    """Whether it can be the name of a release."""
    return bool(_NAME.fullmatch(text)) and not text.endswith(".tmp")
