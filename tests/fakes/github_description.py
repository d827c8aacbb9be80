"""What GitHub's own OpenAPI description says of a request and of an answer.

`github_api.json` holds the operations that are used here (scripts/dev/trim_github_api.py writes
it). A problem names a place and a rule and never quotes a value: bodies hold secrets.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_FILE = Path(__file__).parent / "github_api.json"
_URI = "urn:github"
_FOREIGN = ("PyGithub/", "GitHub CLI ")  # other clients, with headers and page sizes of their own


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One path and method of the description, and the path's own words in a request."""

    template: str
    method: str  # in lower case
    about: Mapping[str, Any]
    given: Mapping[str, str]

    def largest_page(self) -> int:
        """How many entries a page has at most; the description says so in words only."""
        return 30 if self.template.endswith("/variables") else 100


def operation(method: str, path: str) -> Operation | None:
    """The operation that a request asks for; a written-out path wins over one with a parameter."""
    for template, pattern, methods in _patterns():
        found = pattern.fullmatch(path)
        if found and method.lower() in methods:
            given = {name: unquote(value) for name, value in found.groupdict().items()}
            about = methods[method.lower()]
            return Operation(template=template, method=method.lower(), about=about, given=given)
    return None


def request_problems(
    asked: Operation,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: object = None,
) -> Iterator[str]:
    """What does not fit in a request; `body` is what its JSON says."""
    given: dict[str, Mapping[str, str]] = {"path": asked.given, "query": query}
    known: dict[str, set[str]] = {"path": set(), "query": set()}
    for parameter in map(_resolved, asked.about.get("parameters", [])):
        place, name = parameter["in"], parameter["name"]
        if place not in known:
            continue
        known[place].add(name)
        if name not in given[place]:
            if parameter.get("required"):
                yield f"{place} lacks {name}"
            continue
        value: Any = given[place][name]
        if parameter["schema"].get("type") == "integer" and re.fullmatch(r"[0-9]+", value):
            value = int(value)
        for problem in _problems(parameter["schema"], value):
            yield f"{place} {name}: {problem}"
    for name in query.keys() - known["query"]:
        yield f"query has {name}, which GitHub does not know"
    if not headers.get("user-agent", "").startswith(_FOREIGN):
        most = asked.largest_page()
        if re.fullmatch(r"[0-9]+", query.get("per_page", "")) and int(query["per_page"]) > most:
            yield f"per_page is above {most}"
        wanted = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
        for name, expected in wanted.items():
            if headers.get(name) != expected:
                yield f"header {name} is not as GitHub asks"
    if not headers.get("user-agent"):
        yield "GitHub refuses requests without a user-agent"
    yield from body_problems(asked, body)


def body_problems(asked: Operation, body: object) -> Iterator[str]:
    """What does not fit in the body alone."""
    if "requestBody" in asked.about:
        schema = asked.about["requestBody"]["content"]["application/json"]["schema"]
        if body is not None or asked.about["requestBody"].get("required"):
            yield from (f"body: {problem}" for problem in _problems(schema, body))


def response_problems(asked: Operation | None, status: int, body: object) -> Iterator[str]:
    """What does not fit in an answer; None is no body at all."""
    responses = {} if asked is None else asked.about["responses"]
    if str(status) in responses:
        content = _resolved(responses[str(status)]).get("content")
        if content is not None:
            schema = content["application/json"]["schema"]
            yield from (f"answer {status}: {problem}" for problem in _problems(schema, body))
        elif body is not None:
            yield f"answer {status} has a body"
    elif status >= 400:  # most operations leave their refusals out
        error = {"$ref": "#/components/schemas/basic-error"}
        yield from (f"answer {status}: {problem}" for problem in _problems(error, body))
    elif status != 304:
        yield f"GitHub does not answer {status} here"


def _problems(schema: Mapping[str, Any], value: object) -> Iterator[str]:
    for error in _validator(json.dumps(schema)).iter_errors(value):
        yield f"{error.json_path} breaks {error.validator}"


@functools.cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    plain = schema.replace('"#/components/', f'"{_URI}#/components/')
    return jsonschema.Draft202012Validator(_nullable(json.loads(plain)), registry=_registry())


@functools.cache
def _description() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return described


@functools.cache
def _registry() -> Registry[Any]:
    content = {"components": _nullable(_description()["components"])}
    resource = DRAFT202012.create_resource(content)
    registry: Registry[Any] = Registry().with_resource(_URI, resource)
    return registry


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str], Mapping[str, Any]], ...]:
    paths = sorted(_description()["paths"].items(), key=lambda one: one[0].count("{"))
    return tuple(
        (path, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), methods)
        for path, methods in paths
    )


def _resolved(part: Any) -> Any:
    while "$ref" in part:
        _, kind, name = part["$ref"].removeprefix("#/").split("/")
        part = _description()["components"][kind][name]
    return part


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, changed]}
    return changed
