"""A Compose project with its variables filled in, and what Compose objects to.

Runs `docker compose config` as a deploy would, and keeps of its words only known phrases, with such
names in them as stand in the compose files themselves: what else it quotes may be a value. The
resolved model holds values and is never shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from orient_deploy.hidden import Hidden
from orient_deploy.stack.compose import Compose, absolute, content_of, readable
from orient_deploy.stack.places import Places
from orient_deploy.stack.references import parse_model, references, texts

# What Compose refuses a project for (2.26 and 2.40; compose-go v2.0 and v2.9): its words, ours, and
# where to look. A name in braces is one of the compose files' own, or the phrase is not used.
_NAME = r'"?([\w.-]{1,200})"?'
_REFUSALS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        r"required variable ([A-Za-z_]\w*) is missing a value",
        "the required variable {0} has no value",
        (),
    ),
    (
        rf"service {_NAME} has neither an image nor a build context",
        "the service {0} has neither an image nor a build context",
        ("services", "{0}"),
    ),
    (
        rf"service {_NAME} depends on undefined service {_NAME}",
        "the service {0} depends on {1}, which there is not",
        ("services", "{0}", "depends_on"),
    ),
    (
        rf"service {_NAME} refers to undefined (network|volume|secret|config) {_NAME}",
        "the service {0} refers to the {1} {2}, which is not declared",
        ("services", "{0}"),
    ),
    (
        rf'cannot extend service {_NAME} in .{{1,400}}: service "?([\w.-]+)"? not found',
        "the service {0} extends {1}, which there is not",
        ("services", "{0}", "extends"),
    ),
    (
        r"services\.([\w.-]+?) [Aa]dditional propert(?:y|ies) '?([\w.-]+)'? (?:is )?not allowed",
        "the service {0} has no key {1}",
        ("services", "{0}", "{1}"),
    ),
    (
        r"services\.([\w-]+)\.([\w.-]+) must be a[n]? (\w+)",
        "{1} of the service {0} must be a {2}",
        ("services", "{0}", "{1}"),
    ),
    (
        r"invalid interpolation format for services\.([\w-]+)\.([\w.\[\]-]+?)\.?\s",
        "a `$` in {1} of the service {0} begins no reference that Compose understands",
        ("services", "{0}", "{1}"),
    ),
    (
        rf"services\.([\w.-]+): container name {_NAME} is already in use",
        "{0} and another service both have the container name {1}",
        ("services", "{0}", "container_name"),
    ),
    (r"dependency cycle detected", "its services depend on each other in a circle", ()),
    (
        r"error while interpolating services\.([\w-]+)\.([\w.-]+): failed to cast",
        "{1} of the service {0} has a value of another kind",
        ("services", "{0}", "{1}"),
    ),
    (
        r"'services\[([\w.-]+)\]\.([\w.-]+)'",
        "{1} of the service {0} has a value that Compose does not understand",
        ("services", "{0}", "{1}"),
    ),
    (
        r"services\.([\w-]+)\.([\w.-]+) '[^']*' does not match pattern",
        "{1} of the service {0} is not of the form that it must have",
        ("services", "{0}", "{1}"),
    ),
    (r"include cycle detected", "its files include each other in a circle", ("include",)),
    (
        r"(?:git|oci) remote resource is disabled|failed to (?:access repository|clone|fetch)"
        r"|failed to resolve remote",
        "what it includes from elsewhere is not fetched here, so nothing is known of the project",
        ("include",),
    ),
    (r"Invalid (?:hostPort|containerPort|ip address)", "a port is no port", ()),
    (r"mapping key .{1,200} already defined", "a key stands twice", ()),
    (r"empty compose file", "a file is empty", ()),
    (r"cannot unmarshal|unmarshal errors", "a file is no mapping of services", ()),
    (
        r"did not find expected|could not find expected|yaml: (?:line \d+: )?found ",
        "a file is no YAML",
        (),
    ),
    (
        r"no such file or directory",
        "a file that it includes or extends is not there",
        ("include",),
    ),
)
# Of these no value is the cause.
_SURE = tuple(one for one in _REFUSALS if "neither an image" in one[0] or "depends on" in one[0])
_KINDS = ("string", "number", "array", "list", "boolean", "mapping")
_OTHERWISE = "Compose does not say why in words that could be shown"
_UNSET = re.compile(rb'The \\"([A-Za-z_][A-Za-z0-9_]*)\\" variable is not set')
_WARNING = re.compile(rb"level=warning")
_OBSOLETE_VERSION = b"attribute `version` is obsolete"
_MOST_MISSING = 50  # names that are told; each costs a run of Compose
_FIRST_STAND_IN = 10_000  # is a port, a tag, a name: what a variable may be used for

# What a stand-in may have to be: a port, tag or name; a path; a duration; a flag.
_STAND_INS = ("{}", "./{}", "{}s", "true")
# What a login shell on a server sets, whatever it is there.
_SHELL = MappingProxyType(
    {
        "HOME": "/home-of-the-server",
        "PWD": "/folder-on-the-server",
        "USER": "user-of-the-server",
        "LOGNAME": "user-of-the-server",
    }
)

Model = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Variables:
    """A file of variables by its text; `title` is how people know it."""

    title: str
    content: Hidden


@dataclass(frozen=True, kw_only=True)
class Project:
    """What compose files make together."""

    name: str  # the project's name; '' where nobody said it
    files: tuple[str, ...]  # as people know them, in the order of merging
    places: Places = field(repr=False)
    raw: Model | None = field(repr=False)  # all profiles, references as they are written
    model: Model | None = field(repr=False)  # the chosen profiles, with values; None: refused
    variables: str = ""  # how people know the file of variables; '' when there was none
    stand_ins: frozenset[str] = frozenset()  # values that were made up where nothing is known
    refused: str = ""  # why Compose does not take it
    refused_at: tuple[str, int] = ("", 0)
    missing: tuple[str, ...] = ()  # names that must have a value, and have none
    unset: tuple[str, ...] = ()  # names in the compose files that have no value and no default
    unset_in_variables: int = 0  # how many the file of variables refers to likewise
    other_warnings: int = 0
    has_version: bool = False  # an obsolete key, which Compose warns about

    @property
    def services(self) -> Mapping[str, Model]:
        """The resolved services, by name; empty when Compose refused."""
        found: Mapping[str, Model] = (self.model or {}).get("services") or {}
        return found

    @property
    def raw_services(self) -> Mapping[str, Model]:
        """The same as they are written, of all profiles."""
        found: Mapping[str, Model] = (self.raw or {}).get("services") or {}
        return found

    def is_made_up(self, value: object) -> bool:
        """Whether a value that nobody knows is in it."""
        return any(one in str(value) for one in self.stand_ins)

    def shown(self, value: object, service: str, key: str) -> str:
        """What a service's key says, as it can be shown: where a variable says it, the compose
        file's own words.

        A value that stands in the compose files too, as a default does, is one of theirs.
        """
        written = (self.raw_services.get(service) or {}).get(key)
        names = references(written)
        if not names or any(str(value) in text for _, text in texts(written)):
            return str(value)
        if isinstance(written, str):
            return written
        return " or ".join(f"${{{name}}}" for name in names)

    def place_of(self, name: str) -> tuple[str, int]:
        """File and line of the first reference to a variable; else the first file."""
        for path, text in texts(self.raw):
            if name in references(text):
                return self.places.of(*path)
        return self.files[0], 0


def resolve(
    compose: Compose,
    files: Mapping[str, str],
    *,
    variables: Variables | None = None,
    name: str = "",
    profiles: Sequence[str] = (),
) -> Project:
    """The project that `files` (how people know each, and its path) make.

    Relative paths in them begin from the first one's folder, as they do for Compose. A service's
    own `env_file` is left out: it is the server's. Without `variables` made-up values stand in for
    what has no default, so that the rest can be looked at.

    Raises:
        InputError: a file cannot be read.
        EnvironmentLacks: Compose does not answer.
    """
    contents = {title: content_of(path) for title, path in files.items()}
    places = Places(contents)
    folder = os.path.dirname(absolute(next(iter(files.values()))))
    begin = ["--project-directory", folder, *(["--project-name", name] if name else [])]
    begin += [part for path in files.values() for part in ("-f", absolute(path))]
    config = ["config", "--no-interpolate", "--no-consistency", "--format", "json"]
    code, out, err = compose.ask(
        ["--env-file", os.devnull, *begin, "--profile", "*", *config], environment=_SHELL
    )
    raw = parse_model(out) if not code else None
    known = b"\n".join(contents.values()).decode("utf-8", "replace")
    # Where a reference is the key of something, Compose reads the files only with values.
    written = references(raw if raw is not None else known)
    stand_ins = _StandIns(known, () if variables else _without_default(written))
    asking = [part for one in profiles for part in ("--profile", one)]
    given = variables.content.reveal() if variables else ""
    missing: list[str] = []
    with _without_env_files(raw, places) as reset:
        while True:
            with readable(f"{given}\n{stand_ins.text}") as env_file:
                arguments = ["--env-file", env_file, *begin, *reset, *asking]
                answer = compose.ask([*arguments, "config", "--format", "json"], environment=_SHELL)
            code, out, told = answer
            lacking = _missing(told) if code else ""
            if lacking and lacking not in missing and len(missing) < _MOST_MISSING:
                # It is told, and the rest is looked at as if it were there.
                missing.append(lacking)
                stand_ins.add(lacking)
            elif variables is None and (more := _unset(told) - stand_ins.values.keys()):
                for one in sorted(more):  # of files that these include
                    stand_ins.add(one)
            elif not code or not stand_ins.exchange(told):
                break
    model = parse_model(out) if not code else None
    # What a made-up value led to is no fault of the files.
    is_unknown = model is None and (
        stand_ins.may_be_at_fault(told) if raw is not None else not variables and b"${" in err
    )
    reason, at = "", ("", 0)
    if model is None and not is_unknown:
        reason, at = _refusal(err if raw is None else told, known, places)
    unset = _unset(told) - stand_ins.values.keys()
    warnings = len(_WARNING.findall(told)) - len(_UNSET.findall(told))
    obsolete = told.count(_OBSOLETE_VERSION)
    return Project(
        name=name,
        files=tuple(files),
        places=places,
        raw=raw if raw is not None else model,
        model=model,
        variables=variables.title if variables else "",
        # A flag is no value that could be told from others.
        stand_ins=frozenset((*stand_ins.values.values(), *_SHELL.values())) - {"true"},
        refused=reason,
        refused_at=at,
        missing=tuple(missing),
        unset=tuple(sorted(unset & written.keys())),
        unset_in_variables=len(unset - written.keys()),
        other_warnings=warnings - obsolete,
        has_version=bool(obsolete),
    )


class _StandIns:
    """Values for variables of which nothing is known, none of which stands in the files."""

    def __init__(self, known: str, names: Sequence[str]) -> None:
        self._known = known
        self._next = _FIRST_STAND_IN
        self._kinds: dict[str, int] = {}
        self.values: dict[str, str] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        while str(self._next) in self._known:
            self._next += 1
        self._kinds[name] = 0
        self.values[name] = _STAND_INS[0].format(self._next)
        self._next += 1

    @property
    def text(self) -> str:
        """Lines for a file of variables."""
        return "".join(f"{name}={value}\n" for name, value in self.values.items())

    def exchange(self, err: bytes) -> bool:
        """Give another kind of value to those that Compose objects to; False: there is none."""
        told = err.decode("utf-8", "replace")
        exchanged = False
        for name, value in self.values.items():
            kind = self._kinds[name] + 1
            number = re.sub(r"\D", "", value)
            if kind < len(_STAND_INS) and number and re.search(rf"\b{number}", told):
                self._kinds[name] = kind
                self.values[name] = _STAND_INS[kind].format(number)
                exchanged = True
        return exchanged

    def may_be_at_fault(self, err: bytes) -> bool:
        """Whether Compose objects to one of them, as far as it says."""
        told = err.decode("utf-8", "replace")
        return bool(self.values) and not any(re.search(one[0], told) for one in _SURE)


def _without_default(written: Mapping[str, str]) -> list[str]:
    return [one for one, need in written.items() if need != "default" and one not in _SHELL]


def _unset(err: bytes) -> set[str]:
    """The names that Compose warns about."""
    return {one.decode() for one in _UNSET.findall(err)}


def _missing(err: bytes) -> str:
    """The name of a required variable for whose lack Compose refuses, or ''."""
    found = re.search(rb"required variable ([A-Za-z_]\w*) is missing a value", err)
    return found[1].decode() if found else ""


def _refusal(err: bytes, known: str, places: Places) -> tuple[str, tuple[str, int]]:
    """Why Compose refuses, in our words, and where to look."""
    told = err.decode("utf-8", "replace")
    if not told.strip():
        return "it has no services", (places.files[0], 0)

    def shown(words: str) -> bool:
        return words in _KINDS or all(one in known for one in words.split("."))

    for pattern, phrase, path in _REFUSALS:
        found = re.search(pattern, told)
        if found and all(map(shown, found.groups())):
            groups = found.groups()
            steps = [step for one in path for step in one.format(*groups).split(".")]
            at = places.of(*steps) if steps else places.broken
            line = re.search(r"\bline (\d{1,7}): ", told)
            if not at[1] and line and len(places.files) == 1:
                at = (places.files[0], int(line[1]))  # of what only Compose calls wrong
            return phrase.format(*groups), at
    return _OTHERWISE, ("", 0)


@contextmanager
def _without_env_files(raw: Model | None, places: Places) -> Iterator[list[str]]:
    """Arguments that leave each service's `env_file` out; the flag for it is newer than 2.26."""
    if raw is None:
        names = {name for file in places.files for name in places.keys(file, "services")}
        services = sorted(name for name in names if places.files_with("services", name, "env_file"))
    else:
        services = [name for name, one in raw["services"].items() if (one or {}).get("env_file")]
    if not services:
        yield []
        return
    text = "services:\n" + "".join(f"  {name}:\n    env_file: !reset null\n" for name in services)
    with readable(text) as path:
        yield ["-f", path]
