"""One image to build, read from an entry of the matrix: a thing that exists here is valid.

Never reads a file. The entry travelled through job outputs, so it is judged as foreign text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from orient_deploy.errors import InputError
from orient_deploy.registry.manifest import REVISION
from orient_deploy.registry.reference import check_tag, parse_repository

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_UNSPEAKABLE = re.compile("[\0\ud800-\udfff]")  # JSON can spell halves of characters
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_INPUT_DIGEST = re.compile(r"[0-9a-f]{64}|")
_NEXT = "Pass ${{ toJSON(matrix) }} as it is, or name the image in 'image' instead"


@dataclass(frozen=True, kw_only=True)
class Build:
    """One image to build, where its parts are, and what it is called. Paths are relative."""

    name: str
    dockerfile: str
    context: str = "."
    target: str = ""
    platforms: tuple[str, ...] = ()  # empty: the builder's own
    repository: str  # registry/owner/name
    tags: tuple[str, ...]  # the last parts of the references; pushed with the image
    labels: tuple[str, ...] = ()  # name=value
    build_args: tuple[str, ...] = ()  # name=value
    contexts: tuple[str, ...] = ()  # name=folder or name=docker-image://…
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    timeout_minutes: int
    fresh: bool = False  # no layer is reused: a build for its age's sake would stay as old
    commit: str  # what the image is said to be built from
    input_digest: str = ""
    record: tuple[str, ...] = ()  # tags to write when everything else is pushed; empty: none

    @property
    def registry(self) -> str:
        """The registry, as docker and credentials call it."""
        return parse_repository(self.repository).registry

    def reference(self, name: str) -> str:
        """The full name of a tag or digest of this image."""
        return f"{self.repository}{'@' if ':' in name else ':'}{name}"


def parse_entry(text: str) -> Build:
    """The input `entry`: one entry of the matrix as JSON.

    Raises:
        InputError: it is no entry, or not a valid one.
    """
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"it is no JSON ({error})") from None
    if entry is None:
        raise _wrong("it is null: the job has no `strategy.matrix`")
    if not isinstance(entry, dict):
        raise _wrong(f"it is a {type(entry).__name__}, not an object")
    return read_entry(entry)


def read_entry(entry: Mapping[str, object]) -> Build:
    """An entry of the matrix as a build; keys that are not the toolkit's are left alone.

    Raises:
        InputError: a key is missing, or a value is not what the matrix holds.
    """
    references = [_reference("tags", one) for one in _lines(entry, "tags")]
    if not references:
        raise _wrong("'tags' is empty")
    repository = references[0][0]
    record = [_reference("record", one) for one in _lines(entry, "record")]
    strange = {found for found, _ in [*references, *record]} - {repository}
    if strange:
        raise _wrong(f"its tags are in several repositories: {repository}, {strange.pop()}")
    labels = _lines(entry, "labels")
    commits = [one.partition("=")[2] for one in labels if one.startswith(f"{REVISION}=")]
    if len(commits) != 1 or not _COMMIT.fullmatch(commits[0]):
        raise _wrong(f"'labels' does not name its commit as {REVISION}")
    timeout = entry.get("timeout", 60)
    if not isinstance(timeout, int) or isinstance(timeout, bool) or timeout < 1:
        raise _wrong(f"'timeout' is {timeout!r}, not a number of minutes")
    platforms = _text(entry, "platforms").split(",")
    contexts = _lines(entry, "contexts")
    for one in contexts:
        name, _, source = one.partition("=")
        if not name or not source:
            raise _wrong(f"'contexts' has {one!r}, which is not name=source")
        if "://" not in source:
            _inside("contexts", source)
    return Build(
        name=_matching(entry, "name", _NAME),
        dockerfile=_inside("dockerfile", _text(entry, "dockerfile")),
        context=_inside("context", _text(entry, "context") or "."),
        target=_text(entry, "target"),
        platforms=tuple(one.strip() for one in platforms if one.strip()),
        repository=repository,
        tags=tuple(tag for _, tag in references),
        labels=labels,
        build_args=_lines(entry, "build-args"),
        contexts=contexts,
        cache_from=_lines(entry, "cache-from"),
        cache_to=_lines(entry, "cache-to"),
        timeout_minutes=timeout,
        fresh=_flag(entry, "no-cache"),
        commit=commits[0],
        input_digest=_matching(entry, "input-digest", _INPUT_DIGEST),
        record=tuple(tag for _, tag in record),
    )


def _wrong(why: str) -> InputError:
    return InputError("input 'entry' is not an entry of the matrix", why, _NEXT)


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise _wrong(f"'{key}' is a {type(value).__name__}, not a text")
    if _UNSPEAKABLE.search(value):
        raise _wrong(f"'{key}' holds a character that no argument can")
    return value


def _flag(entry: Mapping[str, object], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(f"'{key}' is {value!r}, neither true nor false")
    return value


def _matching(entry: Mapping[str, object], key: str, pattern: re.Pattern[str]) -> str:
    value = _text(entry, key)
    if not pattern.fullmatch(value):
        raise _wrong(f"'{key}' is {value!r}" if value else f"'{key}' is missing")
    return value


def _lines(entry: Mapping[str, object], key: str) -> tuple[str, ...]:
    return tuple(one for one in _text(entry, key).split("\n") if one.strip())


def _reference(key: str, text: str) -> tuple[str, str]:
    """A reference with a tag as its repository and the tag."""
    repository, _, tag = text.strip().rpartition(":")
    try:
        parse_repository(repository)
        return repository, check_tag(tag)
    except InputError as error:
        raise _wrong(f"in '{key}', {error.what}: {error.why}") from None


def _inside(key: str, path: str) -> str:
    """A path that stays below the root of the repository."""
    parts = path.split("/")
    if not parts[0] or ".." in parts:
        raise _wrong(f"'{key}' is {path!r}, which is no path inside the repository")
    return path
