"""Which variables a project's compose files refer to, by Compose's own reading of them.

Reads no value: the files are read without being interpolated. Decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Need = Literal["required", "unset", "default"]

# The grammar of a reference (compose-go v2.9, template/template.go): `$$` is a dollar, and what
# stands behind the name says what becomes of it when it is not set. Anything else behind a name in
# braces is no reference: Compose refuses it where it reads values.
_REFERENCE = re.compile(
    r"""
      \$\$
    | \$(?P<alone>[a-z_][a-z0-9_]*)
    | \$\{(?P<braced>[a-z_][a-z0-9_]*)(?P<sign>:?[-?+]|\})
    """,
    re.IGNORECASE | re.ASCII | re.VERBOSE,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STRONGEST: tuple[Need, ...] = ("required", "unset", "default")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A reference, and what happens without the variable."""

    name: str
    need: Need


def references(*models: object) -> dict[str, Need]:
    """What uninterpolated projects refer to, and how much each name is needed, at its strongest.

    What stands inside of another reference counts as if it stood alone: Compose looks at it even
    where the outer name is set. Keys are not interpolated.

    >>> references({"a": ["${A:?why}", "$B", "$$C", "${D:-${E}}"], "$F": "$A"})
    {'A': 'required', 'B': 'unset', 'D': 'default', 'E': 'unset'}
    """
    found: dict[str, Need] = {}
    for model in models:
        for one in (*_written(model), *_passed_on(model)):
            before = found.get(one.name)
            if before is None or _STRONGEST.index(one.need) < _STRONGEST.index(before):
                found[one.name] = one.need
    return dict(sorted(found.items()))


def defaults(model: object) -> dict[str, frozenset[str]]:
    """What uninterpolated projects say a name is when it is not set, at each of its references.

    A default is as it is written, with the references that it holds.

    >>> defaults({"a": "${A:-x${B-y}} $$C ${A:-z}"}) == {"A": {"x${B-y}", "z"}, "B": {"y"}}
    True
    """
    found: dict[str, set[str]] = {}
    for _, text in texts(model):
        for match in _REFERENCE.finditer(text):
            if match["braced"] and match["sign"] in (":-", "-"):
                found.setdefault(match["braced"], set()).add(_until_brace(text, match.end()))
    return {name: frozenset(found[name]) for name in sorted(found)}


def _until_brace(text: str, start: int) -> str:
    """From there to the brace that closes the reference."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] == "{" and text[position - 1] == "$":
            depth += 1
        elif text[position] == "}":
            if not depth:
                return text[start:position]
            depth -= 1
    return text[start:]


def parse_model(out: bytes) -> dict[str, object] | None:
    """What `docker compose config --no-interpolate --format json` prints; None when it is none."""
    try:
        model = json.loads(out)
    except (ValueError, RecursionError):
        return None
    return model if isinstance(model, dict) and isinstance(model.get("services"), dict) else None


def _written(model: object) -> Iterator[Found]:
    for _, text in texts(model):
        for match in _REFERENCE.finditer(text):
            if name := match["alone"] or match["braced"]:
                sign = match["sign"] or ""
                need: Need = (
                    "required" if "?" in sign else "unset" if sign in ("", "}") else "default"
                )
                yield Found(name=name, need=need)


def _passed_on(model: object) -> Iterator[Found]:
    """Names alone in a service's `environment`: it gets them if they are set."""
    services = model.get("services") if isinstance(model, dict) else None
    for service in services.values() if isinstance(services, dict) else ():
        listed = service.get("environment") if isinstance(service, dict) else None
        if isinstance(listed, dict):
            names = [name for name, value in listed.items() if value is None]
        else:
            names = [one for one in listed or () if isinstance(one, str) and "=" not in one]
        yield from (Found(name=name, need="default") for name in names if _NAME.fullmatch(name))


def texts(node: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a model, with the keys and positions that lead to it."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from texts(value, (*path, key))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from texts(value, (*path, position))
