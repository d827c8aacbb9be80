"""`.github/orient-deploy.yml`, or the inline `images` input, into a `Config`.

Decides what a valid configuration is; whatever is wrong is reported at once, each at its line and
column. Reads no file but the one it is given, and never looks whether a named file exists.

The tables TOP, IMAGE, ENVIRONMENT … say which keys there are; a key is its dataclass field in kebab
case. `schema.json` says the same to editors, and a contract test compares the two.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from orient_deploy.config import globs
from orient_deploy.config.model import (
    AUTO,
    DOCKER_IMAGE,
    Acceptance,
    Check,
    Config,
    DeployEvents,
    Environment,
    Hooks,
    Image,
    Location,
    Pattern,
    Secrets,
    Service,
)
from orient_deploy.config.nodes import Items, Node, Pairs, Text, read_nodes
from orient_deploy.config.problem import ConfigError, Problem, shown

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Any

    Reader = Callable[["_Reading", Node, str], Any]

DEFAULT_PATH = ".github/orient-deploy.yml"
LARGEST_NUMBER = 1_000_000  # keeps every number finite; a million seconds are eleven days


def parse(text: bytes | str, *, source: str) -> Config:
    """The configuration that a file holds; `source` is the file's path for messages.

    Raises:
        ConfigError: with every problem of the text.
    """
    reading = _Reading(source)
    return _finish(reading, _document(reading, read_nodes(text, source=source)))


def parse_inline(text: str) -> Config:
    """The configuration that the `images` input holds.

    The text is what stands under `images:` in the file, a mapping from names to images. A whole
    document is understood too: it is one when it has a `version`, not an image, and an `images`
    mapping.

    Raises:
        ConfigError: with every problem of the text.
    """
    reading = _Reading("")
    root = read_nodes(text, source="")
    if _is_document(root):
        return _finish(reading, _document(reading, root))
    images = _images(reading, root, "images")
    if reading.problems and _is_nearly_document(root):
        fix = "Add 'version: 1', or give only what stands under 'images:'."
        reading.refuse(root, "this looks like a whole configuration without its version", fix)
    return _finish(reading, Config(source="", images=images))


class _Reading:
    """One text being read: where it came from and what was wrong so far.

    Every reader below returns None for a value that it refused: the problem is noted, the reading
    goes on, and nothing is built from it in the end.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def where(self, node: Node) -> Location:
        return Location(file=self.source, line=node.line, column=node.column)

    def refuse(self, node: Node, message: str, fix: str) -> None:
        self.problems.append(Problem(where=self.where(node), message=message, fix=fix))


def _finish(reading: _Reading, config: Config | None) -> Config:
    if reading.problems or config is None:
        raise ConfigError(reading.problems)
    return config


# --- what every reader stands on ---------------------------------------------------------------


def _kind(node: Node) -> str:
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Pairs):
        return "a mapping"
    return f"the text {shown(node.text)}" if isinstance(node, Text) else "something else"


def _scalar(reading: _Reading, node: Node, name: str, wanted: str) -> Text | None:
    """The node when it is a scalar with a value."""
    if isinstance(node, Text) and not node.is_null:
        return node
    if isinstance(node, Text):
        reading.refuse(node, f"{name} has no value", f"Give it {wanted}, or remove the key.")
    else:
        reading.refuse(node, f"{name} is {_kind(node)}", f"Give it {wanted}.")
    return None


def _pairs(reading: _Reading, node: Node, name: str, fix: str) -> Iterator[tuple[Text, Node]]:
    """Keys and values of a mapping; keys by their text, each one once."""
    if not isinstance(node, Pairs):
        nothing = isinstance(node, Text) and node.is_null
        reading.refuse(node, f"{name} {'has no value' if nothing else 'is ' + _kind(node)}", fix)
        return
    seen: dict[str, Text] = {}
    for key, value in node.pairs:
        if not isinstance(key, Text):
            reading.refuse(key, f"a key of {name} is {_kind(key)}", "A key is a name.")
        elif key.plain and key.text == "<<":
            reading.refuse(
                key,
                "the merge key '<<' is not understood",
                "Write the keys out, or give a whole value an anchor and refer to it.",
            )
        elif key.text in seen:
            first = seen[key.text]
            reading.refuse(
                key,
                f"{shown(key.text)} stands twice in {name}",
                f"Keep one; the other is in line {first.line}.",
            )
        else:
            seen[key.text] = key
            yield key, value


def _fields(
    reading: _Reading, node: Node, name: str, readers: Mapping[str, Reader]
) -> dict[str, Any]:
    """A mapping with known keys, as keyword arguments for its dataclass."""
    found: dict[str, Any] = {}
    prefix = f"{name}." if name != _TOP_NAME else ""
    for key, value in _pairs(
        reading, node, name, f"Write a mapping with some of the keys {', '.join(readers)}."
    ):
        reader = readers.get(key.text)
        if reader is None:
            reading.refuse(key, f"{name} has no key {shown(key.text)}", _nearest(key.text, readers))
            continue
        result = reader(reading, value, prefix + key.text)
        if result is not None:
            found[key.text.replace("-", "_")] = result
    return found


def _nearest(text: str, known: Mapping[str, Reader]) -> str:
    import difflib  # only once something is wrong

    near = difflib.get_close_matches(text.lower().replace("_", "-"), known, n=1)
    if near:
        return f"Did you mean '{near[0]}'?"
    return f"Its keys are {', '.join(known)}."


# --- scalars -----------------------------------------------------------------------------------


def _any_text(reading: _Reading, node: Node, name: str) -> str | None:
    """Text of any length and lines; what YAML 1.1 takes for a number or a boolean, as written."""
    scalar = _scalar(reading, node, name, "a text")
    if scalar is None:
        return None
    # The text of the file was looked at before; what an escape in double quotes makes was not.
    bad = _CONTROL.search(scalar.text)
    if bad:
        reading.refuse(
            node, f"{name} holds the control character U+{ord(bad.group()):04X}", "Remove it."
        )
        return None
    return scalar.text


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _line(reading: _Reading, node: Node, name: str) -> str | None:
    """Text on one line, possibly empty."""
    text = _any_text(reading, node, name)
    if text is not None and ("\n" in text or "\t" in text):
        reading.refuse(node, f"{name} holds a line break or a tab", "Write it on one line.")
        return None
    return text


def _some_text(reading: _Reading, node: Node, name: str) -> str | None:
    """Text of any length and lines with something in it."""
    text = _any_text(reading, node, name)
    if text is not None and not text.strip():
        reading.refuse(node, f"{name} is empty", "Give it a value, or remove the key.")
        return None
    return text


def _full_line(reading: _Reading, node: Node, name: str) -> str | None:
    """Text on one line with something on it."""
    return None if _line(reading, node, name) is None else _some_text(reading, node, name)


def _like(pattern: str, wanted: str, *, empty: bool = False) -> Reader:
    """A reader for text that a regular expression describes; `wanted` says it in words."""
    expression = re.compile(pattern, re.ASCII)

    def read(reading: _Reading, node: Node, name: str) -> str | None:
        text = _line(reading, node, name)
        if text is None or expression.fullmatch(text) or (empty and not text):
            return text
        reading.refuse(node, f"{name} is {shown(text)}", f"Write {wanted}.")
        return None

    return read


def _one_of(*choices: str) -> Reader:
    def read(reading: _Reading, node: Node, name: str) -> str | None:
        text = _line(reading, node, name)
        if text is None or text in choices:
            return text
        reading.refuse(node, f"{name} is {shown(text)}", f"Write one of {', '.join(choices)}.")
        return None

    return read


def _boolean(reading: _Reading, node: Node, name: str) -> bool | None:
    # YAML 1.1 takes yes, no, on and off for booleans and YAML 1.2 does not: nobody has to know.
    scalar = _scalar(reading, node, name, "true or false")
    if scalar is None:
        return None
    if scalar.plain and scalar.text in ("true", "false"):
        return scalar.text == "true"
    reading.refuse(node, f"{name} is {_kind(node)}", "Write true or false, without quotes.")
    return None


def _number(reading: _Reading, node: Node, name: str) -> float | None:
    scalar = _scalar(reading, node, name, "a number")
    if scalar is None:
        return None
    if scalar.plain and _NUMBER.fullmatch(scalar.text):
        value = float(scalar.text)
        if 0 < value <= LARGEST_NUMBER:
            return value
    reading.refuse(
        node,
        f"{name} is {_kind(node)}",
        f"Write a number above 0 and at most {LARGEST_NUMBER:,}, such as 5 or 0.5.",
    )
    return None


_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,9})?")


def _whole_number(low: int, high: int) -> Reader:
    def read(reading: _Reading, node: Node, name: str) -> int | None:
        scalar = _scalar(reading, node, name, "a whole number")
        if scalar is None:
            return None
        if scalar.plain and _WHOLE_NUMBER.fullmatch(scalar.text):
            value = int(scalar.text)
            if low <= value <= high:
                return value
        reading.refuse(
            node, f"{name} is {_kind(node)}", f"Write a whole number from {low:,} to {high:,}."
        )
        return None

    return read


_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def _version(reading: _Reading, node: Node, name: str) -> int | None:
    scalar = _scalar(reading, node, name, "the number 1")
    if scalar is None:
        return None
    if scalar.plain and scalar.text == "1":
        return 1
    reading.refuse(node, f"{name} is {_kind(node)}", "Write 'version: 1', the only one there is.")
    return None


def _age(reading: _Reading, node: Node, name: str) -> int | None:
    text = _line(reading, node, name)
    if text is None:
        return None
    if _AGE.fullmatch(text):
        return int(text[:-1]) * {"h": 3600, "d": 86400, "w": 604800}[text[-1]]
    reading.refuse(node, f"{name} is {shown(text)}", "Write hours, days or weeks: 12h, 30d or 2w.")
    return None


def _day(reading: _Reading, node: Node, name: str) -> str | None:
    text = _line(reading, node, name)
    if text is None:
        return None
    if _DAY.fullmatch(text):
        from datetime import date  # hardly any configuration has one

        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            pass
    reading.refuse(node, f"{name} is {shown(text)}", "Write a day: 2030-12-31.")
    return None


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_AGE = re.compile(r"[1-9][0-9]{0,3}[hdw]")


# --- names, paths, places ----------------------------------------------------------------------

_IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_IMAGE_NAME_WORDS = (
    "lower-case letters, digits, '.', '_' and '-', at most 64, not beginning with a sign"
)


def _path(reading: _Reading, node: Node, name: str) -> str | None:
    """A file's path from the root of the repository."""
    text = _full_line(reading, node, name)
    if text is None:
        return None
    rewrite = _relative(text)
    if rewrite == text and text != ".":
        return text
    if rewrite in ("", "."):
        reading.refuse(
            node, f"{name} is {shown(text)}", "Write a file's path from the root of the repository."
        )
    else:
        reading.refuse(
            node,
            f"{name} is {shown(text)}, and paths begin at the root of the repository",
            f"Write {shown(rewrite)}.",
        )
    return None


def _directory(reading: _Reading, node: Node, name: str) -> str | None:
    """A directory's path from the root of the repository, or '.'; a slash at its end is dropped."""
    text = _full_line(reading, node, name)
    if text is None:
        return None
    rewrite = _relative(text)
    if rewrite and rewrite == (text.rstrip("/") or text):
        return rewrite
    fix = f"Write {shown(rewrite)}." if rewrite else "Write a path inside the repository, or '.'."
    reading.refuse(
        node, f"{name} is {shown(text)}, and paths begin at the root of the repository", fix
    )
    return None


def _build_context(reading: _Reading, node: Node, name: str) -> str | None:
    """What a named build context stands for: a folder of the repository, or an image."""
    text = _full_line(reading, node, name)
    if text is None or not text.startswith(DOCKER_IMAGE):
        return _directory(reading, node, name) if text is not None else None
    if _IMAGE_REFERENCE.fullmatch(text[len(DOCKER_IMAGE) :]):
        return text
    reading.refuse(
        node,
        f"{name} is {shown(text)}",
        "Write docker-image:// and an image with its tag or digest, or a folder of the repository.",
    )
    return None


def _relative(text: str) -> str:
    """The same path as it should be written; '' when it leaves the repository or is none."""
    if "://" in text:
        return ""
    path = posixpath.normpath(text.replace("\\", "/").lstrip("/"))
    return "" if path == ".." or path.startswith("../") else path


def _workdir(reading: _Reading, node: Node, name: str) -> str | None:
    text = _full_line(reading, node, name)
    if text is None:
        return None
    if text.startswith(("/", "~")) or ".." in text.split("/"):
        reading.refuse(
            node, f"{name} is {shown(text)}", "Write a path below 'directory', such as docker."
        )
        return None
    return text


def _repository(reading: _Reading, node: Node, name: str) -> str | None:
    text = _line(reading, node, name)
    if text is None or not text or (len(text) <= 255 and _REPOSITORY.fullmatch(text)):
        return text
    rewrite = re.sub(r"@.*|:[^/]*\Z|/+\Z", "", re.sub(r"\A[a-z]+://", "", text)).lower()
    fix = "Write registry/owner/name in lower case, without a tag."
    if rewrite != text and _REPOSITORY.fullmatch(rewrite):
        fix = f"Write {shown(rewrite)}: lower case, without a tag."
    reading.refuse(node, f"{name} is {shown(text)}", fix)
    return None


# Docker's reference grammar: a registry may have a port, a segment may join its parts by one sign.
_REPOSITORY = re.compile(
    r"(?:[a-z0-9]+(?:[.-]+[a-z0-9]+)*(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)


_IMAGE_REFERENCE = re.compile(
    rf"(?:{_REPOSITORY.pattern})(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
_CONTEXT = re.compile(r"[a-z0-9][a-z0-9._/-]*")
_CONTEXT_WORDS = "lower-case letters, digits, '.', '_', '-' and '/'"


def _host(reading: _Reading, node: Node, name: str) -> str | None:
    text = _line(reading, node, name)
    if text is None:
        return None
    parts = _HOST.fullmatch(text)
    if parts and (parts["port"] is None or 1 <= int(parts["port"]) <= 65535):
        if parts["six"] is None:
            return text
        import ipaddress  # only for the few that need it

        try:
            ipaddress.IPv6Address(parts["six"])
            return text
        except ValueError:
            pass
    fix = "Write user@host or user@host:port, an IPv6 address in brackets."
    reading.refuse(node, f"{name} is {shown(text)}", fix)
    return None


_HOST = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._-]*@"  # never begins with '-': it becomes an argument of ssh
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[(?P<six>[0-9A-Fa-f:.]+)\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


def _expression(reading: _Reading, node: Node, name: str) -> str | None:
    """A regular expression."""
    text = _line(reading, node, name)
    if text is None:
        return None
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Python may change one day
            re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        reading.refuse(
            node, f"{name} is no regular expression: {error}", "Mend it, in single quotes."
        )
        return None
    return text


# --- lists -------------------------------------------------------------------------------------


def _list(item: Reader, wanted: str, *, empty: bool, bare: bool = False) -> Reader:
    """A list without repetitions; `bare` lets a single text stand for a list of one."""

    def read(reading: _Reading, node: Node, name: str) -> tuple[str, ...] | None:
        if bare and isinstance(node, Text) and not node.is_null:
            single = item(reading, node, name)
            return None if single is None else (single,)
        items = _items(reading, node, name, wanted, empty=empty)
        if items is None:
            return None
        found: dict[str, None] = {}
        for child in items:
            text = item(reading, child, f"an entry of {name}")
            if text is None:
                continue
            if text in found:
                reading.refuse(child, f"{shown(text)} stands twice in {name}", "Keep one of them.")
            found[text] = None
        return tuple(found)

    return read


def _items(
    reading: _Reading, node: Node, name: str, wanted: str, *, empty: bool
) -> list[Node] | None:
    if not isinstance(node, Items):
        nothing = isinstance(node, Text) and node.is_null
        fix = f"Write a list: {wanted}."
        if isinstance(node, Text) and not nothing and "\n" not in node.text:
            fix = f"Write a list: [{_quoted(node.text)}]."
        reading.refuse(node, f"{name} {'has no value' if nothing else 'is ' + _kind(node)}", fix)
        return None
    if not node.items and not empty:
        reading.refuse(node, f"{name} is an empty list", f"Write {wanted}, or remove the key.")
        return None
    return node.items


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[\w./][\w./*-]*", text, re.ASCII) else "'" + text + "'"


def _patterns(*, auto: bool = False, refs: str = "") -> Reader:
    """Patterns in order; `refs` is the prefix that a full reference name would have."""

    def read(reading: _Reading, node: Node, name: str) -> tuple[Pattern, ...] | None:
        wanted = "[main]" if refs else "['src/**']"
        items = _items(reading, node, name, wanted, empty=False)
        if items is None:
            return None
        found = []
        for child in items:
            pattern = _pattern_text(reading, child, f"an entry of {name}", auto=auto, refs=refs)
            if pattern is not None:
                found.append(pattern)
        whole = globs.list_problem([pattern.text for pattern in found])
        if whole and len(found) == len(items):
            index, message, fix = whole
            reading.refuse(items[index], f"{name}: {message}", fix)
        return tuple(found)

    return read


def _pattern_text(
    reading: _Reading, node: Node, name: str, *, auto: bool = False, refs: str = ""
) -> Pattern | None:
    if not isinstance(node, Text):
        reading.refuse(
            node,
            f"{name} is {_kind(node)}",
            "If a pattern that begins with [ or { is meant, put it in quotes.",
        )
        return None
    if node.is_null:
        reading.refuse(node, f"{name} has no value", "Write a pattern, or remove the entry.")
        return None
    text = node.text
    if text in (AUTO, "!" + AUTO):
        if auto and text == AUTO:
            return Pattern(text=text, where=reading.where(node))
        where = "'auto' cannot be excluded" if auto else "'auto' means something in 'watch' only"
        fix = f"A name that is really 'auto' is written '{text.replace('a', '[a]', 1)}'."
        reading.refuse(node, f"{name}: {where}", fix)
        return None
    found = globs.problem(text)
    if found is None and refs and text.removeprefix("!").startswith(refs):
        found = (f"begins with '{refs}', and names go without it", text.replace(refs, "", 1))
    if found is None:
        return Pattern(text=text, where=reading.where(node))
    message, rewrite = found
    fix = f"Write {shown(rewrite)}." if rewrite else "Write a pattern as GitHub's filters know it."
    reading.refuse(node, f"{name}: {shown(text)} {message}", fix)
    return None


def _tag_pattern(reading: _Reading, node: Node, name: str) -> Pattern | None:
    pattern = _pattern_text(reading, node, name, refs="refs/tags/")
    if pattern is not None and pattern.text.startswith("!"):
        reading.refuse(
            node, f"{name} only excludes, so it matches nothing", "Write what it should match."
        )
        return None
    return pattern


# --- mappings with names of the consumer's own --------------------------------------------------


def _named(
    reading: _Reading,
    node: Node,
    name: str,
    *,
    names: re.Pattern[str],
    words: str,
    fix: str,
) -> Iterator[tuple[str, Text, Node]]:
    """Entries of a mapping whose keys are names; `words` says what a name looks like."""
    for key, value in _pairs(reading, node, name, fix):
        if names.fullmatch(key.text):
            yield key.text, key, value
        else:
            reading.refuse(key, f"{shown(key.text)} is no name for {name}", f"A name has {words}.")


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE_WORDS = "letters, digits and '_', and does not begin with a digit"
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SERVICE_WORDS = "letters, digits, '.', '_' and '-', not beginning with a sign"


def _map_of(value: Reader, names: re.Pattern[str], words: str, example: str) -> Reader:
    """A mapping from names to values of one kind, as pairs sorted by name."""

    def read(reading: _Reading, node: Node, name: str) -> tuple[tuple[str, Any], ...]:
        fix = f"Write a mapping, such as {example}."
        found = []
        for text, _, child in _named(reading, node, name, names=names, words=words, fix=fix):
            result = value(reading, child, f"{name}.{text}")
            if result is not None:
                found.append((text, result))
        return tuple(sorted(found))

    return read


# --- the tables --------------------------------------------------------------------------------

_service_name = _like(_SERVICE.pattern, f"a Compose service's name: {_SERVICE_WORDS}")
_variable_name = _like(_VARIABLE.pattern, f"a variable's name: {_VARIABLE_WORDS}")
_files = _list(_path, "[docker/docker-compose.yml]", empty=False)

IMAGE: dict[str, Reader] = {
    "dockerfile": _path,
    "context": _directory,
    "repository": _repository,
    "watch": _patterns(auto=True),
    "services": _list(_service_name, "[dashboard]", empty=False),
    "platforms": _list(
        _like(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?", "os/architecture, such as linux/arm64"),
        "[linux/arm64]",
        empty=True,
    ),
    "build-args": _map_of(_line, _VARIABLE, _VARIABLE_WORDS, "{DEPLOY_ENV: prod}"),
    "contexts": _map_of(_build_context, _CONTEXT, _CONTEXT_WORDS, "{assets: packages/assets}"),
    "target": _like(r"[A-Za-z0-9][A-Za-z0-9._-]*", "a stage of the Dockerfile", empty=True),
    "inputs": _one_of("dockerfile", "workspace"),
    "runner": _list(_full_line, "[self-hosted, linux]", empty=False, bare=True),
    "timeout-minutes": _whole_number(1, 360),
    "typical-minutes": _number,
    "max-age": _age,
}

DEPLOY_EVENTS: dict[str, Reader] = {
    "branches": _patterns(refs="refs/heads/"),
    "tags": _patterns(refs="refs/tags/"),
    "dispatch": _boolean,
    "schedule": _boolean,
    "workflow-run": _boolean,
    "repository-dispatch": _boolean,
}

SERVICE: dict[str, Reader] = {
    "reload": _any_text,
    "budget": _number,
    "stable": _number,
    "optional": _boolean,
}
_JSON_PATH = re.compile(r"[^\s.]+(?:\.[^\s.]+)*")
_HEADER = re.compile(r"[A-Za-z0-9-]+")

CHECK: dict[str, Reader] = {
    "service": _line,
    "url": _like(r"https?://[^\s/?#]+\S*", "an address that begins with https:// or http://"),
    "tcp": _like(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", "an address like host:port"),
    "exec": _some_text,
    "ask-from": _one_of("runner", "host"),
    "follow": _expression,
    "content-type": _line,
    "status": _whole_number(100, 599),
    "body": _line,
    "json": _map_of(_line, _JSON_PATH, "the keys on the way, joined by dots", "{status: ok}"),
    "headers": _map_of(_line, _HEADER, "letters, digits and '-'", "{x-frame-options: DENY}"),
    "assets": _boolean,
    "redirects": _whole_number(0, 20),
    "ip": _one_of("any", "ipv4", "ipv6"),
    "tls-days": _whole_number(0, 1000),
}
# What belongs to a `url` alone.
_OF_URL = (
    *("follow", "content-type", "status", "body", "json", "headers", "assets", "redirects"),
    *("tls-days",),
)

HOOKS: dict[str, Reader] = {
    "before-apply": _any_text,
    "after-good": _any_text,
    "after-rollback": _any_text,
}

SECRETS: dict[str, Reader] = {
    "file": _line,
    "compare": _list(_full_line, "[.env.example]", empty=True),
    "target": _one_of("repository", "environment"),
    "suffix": _like(r"_[A-Za-z0-9_]*", "the end of a name, such as _STAGING", empty=True),
    "variables": _list(_variable_name, "[NODE_ENV]", empty=True),
    "skip": _list(_variable_name, "[LOCAL_ONLY]", empty=True),
    "accept": _list(_variable_name, "[TLS_KEY]", empty=True),
    "required": _list(_variable_name, "[DATABASE_URL]", empty=True),
    "min-length": _map_of(
        _whole_number(1, 1_000_000), _VARIABLE, _VARIABLE_WORDS, "{DASHBOARD_JWT_SECRET: 32}"
    ),
}


def _images(reading: _Reading, node: Node, name: str) -> tuple[Image, ...]:
    found: list[Image] = []
    folded: dict[str, str] = {}
    repositories: dict[str, str] = {}
    fix = "Write a mapping from names to images, such as {dashboard: {watch: [auto]}}."
    if isinstance(node, Pairs) and not node.pairs:
        reading.refuse(node, f"{name} is empty", "Name at least one image.")
    for text, key, value in _named(
        reading, node, name, names=_IMAGE_NAME, words=_IMAGE_NAME_WORDS, fix=fix
    ):
        # Names become parts of outputs, cache scopes and artifacts, which fold '.' and '_'.
        same = folded.setdefault(re.sub("[._]", "-", text), text)
        if same != text:
            reading.refuse(
                key,
                f"the images '{same}' and '{text}' differ only in '.', '_' and '-'",
                "Outputs cannot tell them apart: rename one.",
            )
        image = _image(reading, key, value, f"{name}.{text}")
        other = repositories.setdefault(image.repository, text)
        if image.repository and other != text:
            reading.refuse(
                key,
                f"the images '{other}' and '{text}' have the same repository",
                "One would overwrite the other's tags: give each its own.",
            )
        found.append(image)
    return tuple(found)


def _image(reading: _Reading, key: Text, node: Node, name: str) -> Image:
    where = reading.where(key)
    if isinstance(node, Text) and node.is_null:
        reading.refuse(node, f"{name} has no value", "Write {} if every default is right.")
        return Image(name=key.text, dockerfile="", where=where)
    found = _fields(reading, node, name, IMAGE)
    context = found.get("context", ".")
    found.setdefault("dockerfile", "Dockerfile" if context == "." else f"{context}/Dockerfile")
    found.setdefault("watch", (Pattern(text=AUTO, where=where),))
    found.setdefault("services", (key.text,))
    if "max_age" in found:
        found["max_age_s"] = found.pop("max_age")
    return Image(name=key.text, where=where, **found)


def _services(reading: _Reading, node: Node, name: str) -> tuple[Service, ...]:
    found = []
    fix = "Write a mapping from Compose services, such as {nginx: {budget: 60}}."
    for text, _, value in _named(
        reading, node, name, names=_SERVICE, words=_SERVICE_WORDS, fix=fix
    ):
        fields = _fields(reading, value, f"{name}.{text}", SERVICE)
        found.append(
            Service(
                name=text,
                reload=fields.get("reload", ""),
                budget_s=fields.get("budget"),
                stable_s=fields.get("stable"),
                optional=fields.get("optional", False),
            )
        )
    return tuple(found)


def _checks(reading: _Reading, node: Node, name: str) -> tuple[Check, ...]:
    found = []
    fix = "Write a mapping from names, such as {nginx: {url: https://example.com/health}}."
    for text, key, value in _named(
        reading, node, name, names=_SERVICE, words=_SERVICE_WORDS, fix=fix
    ):
        before = len(reading.problems)
        check = Check(name=text, **_fields(reading, value, f"{name}.{text}", CHECK))
        if len(reading.problems) > before:
            continue
        kinds = [kind for kind in ("url", "tcp", "exec") if getattr(check, kind)]
        pairs = value.pairs if isinstance(value, Pairs) else ()
        given = {each.text for each, _ in pairs if isinstance(each, Text)}
        foreign = [one for one in _OF_URL if one in given]
        if kinds == ["exec"]:
            foreign += [one for one in ("ask-from", "ip") if one in given]
        if len(kinds) != 1:
            said = f"both {' and '.join(kinds)}" if kinds else "neither url nor tcp nor exec"
            reading.refuse(key, f"{name}.{text} has {said}", "Give it exactly one of them.")
        elif kinds != ["url"] and foreign:
            reading.refuse(
                key,
                f"{name}.{text} has {kinds[0]}, and {' and '.join(foreign)} "
                f"belong{'s' if len(foreign) == 1 else ''} to another kind of check",
                "Remove what does not belong to it.",
            )
        found.append(check)
    return tuple(found)


def _events(reading: _Reading, node: Node, name: str) -> DeployEvents:
    return DeployEvents(**_fields(reading, node, name, DEPLOY_EVENTS))


def _hooks(reading: _Reading, node: Node, name: str) -> Hooks:
    return Hooks(**_fields(reading, node, name, HOOKS))


def _secrets(reading: _Reading, node: Node, name: str) -> Secrets:
    return Secrets(**_fields(reading, node, name, SECRETS))


def _peers(reading: _Reading, node: Node, name: str) -> list[Text] | None:
    """The nodes themselves: whether they name environments is known when all are read."""
    read = _list(_line, "[staging]", empty=True)
    if read(reading, node, name) is None or not isinstance(node, Items):
        return None
    return [child for child in node.items if isinstance(child, Text)]


ENVIRONMENT: dict[str, Reader] = {
    "on": _events,
    "hosts": _list(_host, "[deploy@203.0.113.7]", empty=True),
    "directory": _full_line,
    "workdir": _workdir,
    "project": _like(
        r"[a-z0-9][a-z0-9_-]*",
        "a Compose project's name: lower-case letters, digits, '_' and '-'",
        empty=True,
    ),
    "compose": _files,
    "variants": _map_of(_files, _SERVICE, _SERVICE_WORDS, "{legacy: [docker/docker-compose.yml]}"),
    "profiles": _list(_full_line, "[slack]", empty=True),
    "sync": _patterns(),
    "env-file": _line,
    "docker": _full_line,
    "services": _services,
    "checks": _checks,
    "hooks": _hooks,
    "secrets": _secrets,
    "peers": _peers,
}


def _environments(reading: _Reading, node: Node, name: str) -> tuple[Environment, ...]:
    found: list[Environment] = []
    peers: list[tuple[str, Text]] = []
    writers: dict[str, str] = {}
    fix = "Write a mapping from names, such as {production: {hosts: [deploy@203.0.113.7]}}."
    for text, key, value in _named(
        reading, node, name, names=_IMAGE_NAME, words=_IMAGE_NAME_WORDS, fix=fix
    ):
        fields = _fields(reading, value, f"{name}.{text}", ENVIRONMENT)
        peers += [(text, peer) for peer in fields.get("peers", ())]
        fields["peers"] = tuple(peer.text for peer in fields.get("peers", ()))
        found.append(Environment(name=text, where=reading.where(key), **fields))
        other = _other_writer(found[-1], writers)
        if other:
            reading.refuse(
                key,
                f"{name}.{other} and {name}.{text} would write the same secrets",
                "Give one of them 'suffix' or 'target: environment' below 'secrets'.",
            )
    for text, peer in peers:
        others = [environment.name for environment in found if environment.name != text]
        if peer.text not in others:
            reading.refuse(
                peer,
                f"{name}.{text}.peers names {shown(peer.text)}, which is no other environment",
                f"The others are: {', '.join(others)}." if others else "There is no other one.",
            )
    return tuple(found)


def _other_writer(environment: Environment, writers: dict[str, str]) -> str:
    """The one before it that writes the same names to the same place, or ''."""
    secrets = environment.secrets
    if not secrets.file or secrets.target != "repository":
        return ""
    other = writers.setdefault(secrets.suffix.upper(), environment.name)
    return other if other != environment.name else ""


ACCEPTANCE: dict[str, Reader] = {
    "check": _like(r"[a-z0-9-]+/[a-z0-9-]+", "the id of a check, such as compose/image-latest"),
    "subject": _line,
    "environment": _line,
    "reason": _full_line,
    "until": _day,
}


def _acceptances(reading: _Reading, node: Node, name: str) -> tuple[Acceptance, ...] | None:
    example = "[{check: compose/image-latest, reason: …, until: 2030-12-31}]"
    items = _items(reading, node, name, example, empty=True)
    if items is None:
        return None
    found = []
    for number, child in enumerate(items, 1):
        before = len(reading.problems)
        fields = _fields(reading, child, f"{name}[{number}]", ACCEPTANCE)
        lacking = [one for one in ("check", "reason", "until") if one not in fields]
        if len(reading.problems) == before and lacking:
            reading.refuse(
                child,
                f"{name}[{number}] has no {lacking[0]}",
                "Say which check, for what reason, and until which day.",
            )
        if len(reading.problems) == before:
            found.append(Acceptance(where=reading.where(child), **fields))
    return tuple(found)


_TOP_NAME = "the configuration"

TOP: dict[str, Reader] = {
    "version": _version,
    "branches": _patterns(refs="refs/heads/"),
    "tag-pattern": _tag_pattern,
    "baseline": _one_of("auto", "registry", "deployments", "push"),
    "images": _images,
    "immutable-tags": _boolean,
    "check-children": _boolean,
    "salt": _line,
    "watch-all": _patterns(),
    "ignore": _patterns(),
    "environments": _environments,
    "accept": _acceptances,
}


def _refuse_unknown_environments(reading: _Reading, found: dict[str, Any]) -> None:
    """Of acceptances: one that names no environment would never count."""
    names = [one.name for one in found.get("environments") or ()]
    for one in found.get("accept") or ():
        if one.environment and one.environment not in names:
            message = f"accept names the environment {shown(one.environment)}, and there is none"
            fix = f"The environments are: {', '.join(names)}." if names else "Leave it out."
            reading.problems.append(Problem(where=one.where, message=message, fix=fix))


def _is_document(root: Node) -> bool:
    if not isinstance(root, Pairs):
        return False
    top = {key.text: value for key, value in root.pairs if isinstance(key, Text)}
    return isinstance(top.get("version"), Text) and isinstance(top.get("images"), Pairs)


def _is_nearly_document(root: Node) -> bool:
    """Whether all keys are those of a document, `images` among them."""
    if not isinstance(root, Pairs):
        return False
    keys = {key.text for key, _ in root.pairs if isinstance(key, Text)}
    return "images" in keys and keys <= TOP.keys()


def _document(reading: _Reading, root: Node) -> Config | None:
    if not isinstance(root, Pairs):
        reading.refuse(
            root,
            f"{_TOP_NAME} is {_kind(root)}, and it must be a mapping",
            "Begin with 'version: 1' and 'images:'.",
        )
        return None
    present = {key.text for key, _ in root.pairs if isinstance(key, Text)}
    for key, fix in (
        ("version", "Begin with 'version: 1'."),
        ("images", "Add 'images:' and, below it, one entry for each image."),
    ):
        if key not in present:
            reading.refuse(root, f"{_TOP_NAME} has no '{key}'", fix)

    found = _fields(reading, root, _TOP_NAME, TOP)
    _refuse_unknown_environments(reading, found)
    if reading.problems:
        return None
    del found["version"]
    return Config(source=reading.source, **found)
