"""What is known to go wrong: entries with their words, causes and fixes. Data in, values out.

`catalogue.schema.json` says what an entry looks like; the file is read by whoever has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import yaml

from orient_deploy.symptoms.signature import Signature

Reaches = Literal["yes", "no", "depends"]
Stage = Literal["cause", "consequence"]

_HOLE = re.compile(r"\{([a-z][a-z-]*)\}")
# Foreign words that stand in a command to copy: nothing in them that a shell reads.
_HARMLESS = re.compile(r"[A-Za-z0-9_@%+=:,./-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that goes wrong. Texts may have holes, {name}, for captures and {service}."""

    id: str
    title: str
    where: str  # the part of the way to production that complains
    stage: Stage
    signatures: tuple[Signature, ...]
    unless: tuple[str, ...]  # a line that holds one of these says something else
    sources: tuple[str, ...]  # the kinds of source that count; empty: all
    service: str  # a name, or a hole; empty: the source's
    cause: str
    fix: str
    command: str  # to copy; may have several lines
    rollback: Reaches  # whether going back to the release before cures it
    because: str  # why
    reference: str

    @cached_property
    def names(self) -> frozenset[str]:
        """The captures that all of its signatures have."""
        return frozenset.intersection(*(one.names for one in self.signatures))


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All entries, in the order of the file."""

    entries: tuple[Entry, ...]


def parse_catalogue(text: str) -> Catalogue:
    """The catalogue that a text of YAML describes, which keeps to the schema.

    Raises:
        ValueError: a signature cannot be read, or two entries have the same id.
    """
    loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    entries = tuple(_entry(one) for one in loaded["entries"])
    ids = [one.id for one in entries]
    if len(set(ids)) < len(ids):
        raise ValueError("two entries have the same id")
    return Catalogue(entries=entries)


def _entry(given: Mapping[str, Any]) -> Entry:
    try:
        signatures = tuple(Signature.parse(one) for one in given["signatures"])
    except ValueError as error:
        raise ValueError(f"{given['id']}: {error}") from None
    return Entry(
        id=given["id"],
        title=given["title"],
        where=given["where"],
        stage=cast(Stage, given.get("stage", "cause")),
        signatures=signatures,
        unless=tuple(given.get("unless", ())),
        sources=tuple(given.get("sources", ())),
        service=given.get("service", ""),
        cause=_one_line(given["cause"]),
        fix=_one_line(given["fix"]),
        command=str(given["command"]).strip(),
        rollback=cast(Reaches, given["rollback"]),
        because=_one_line(given["because"]),
        reference=given["reference"],
    )


def filled(text: str, captures: Sequence[tuple[str, str]]) -> str:
    """A text for people, with its holes filled; a hole without a value stands as <name>.

    >>> filled("{host} of {service} has no address", [("host", "db")])
    'db of <service> has no address'
    """
    known = dict(captures)
    return _HOLE.sub(lambda hole: known.get(hole[1]) or f"<{hole[1]}>", text)


def filled_command(text: str, captures: Sequence[tuple[str, str]]) -> str:
    """A command to copy. What a shell would read in a foreign word is never put into one.

    A hole without a value stands as its name in capitals.

    >>> filled_command("docker logs {container}", [("container", "a;reboot")])
    'docker logs CONTAINER'
    """
    known = {name: value for name, value in captures if _is_harmless(value)}
    return _HOLE.sub(lambda hole: known.get(hole[1]) or hole[1].upper(), text)


def holes(text: str) -> frozenset[str]:
    """The names of the holes of a text."""
    return frozenset(_HOLE.findall(text))


def _is_harmless(value: str) -> bool:
    return bool(_HARMLESS.fullmatch(value)) and not value.startswith("-") and "…" not in value


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
