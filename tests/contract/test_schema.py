"""The schema for editors, the loader and the dataclasses say the same.

What the loader accepts, the schema accepts. What a schema cannot say (whether a name stands
elsewhere in the file, most of what is wrong with a pattern) only the loader refuses.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.config import ConfigError, parse
from orient_deploy.config.load import (
    ACCEPTANCE,
    CHECK,
    DEPLOY_EVENTS,
    ENVIRONMENT,
    HOOKS,
    IMAGE,
    SECRETS,
    SERVICE,
    TOP,
)
from orient_deploy.config.model import (
    Acceptance,
    Check,
    Config,
    DeployEvents,
    Environment,
    Hooks,
    Image,
    Pattern,
    Secrets,
    Service,
)

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "scripts/orient_deploy/config/schema.json").read_text("utf-8"))
SAMPLE = ROOT / "tests/unit/config/data/orient-deploy.yml"
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# Each dataclass, its definition in the schema, its table in the loader, and where it stands.
PARTS: dict[str, tuple[type, Mapping[str, Any], tuple[str | int, ...]]] = {
    "": (Config, TOP, ()),
    "image": (Image, IMAGE, ("images", "a")),
    "environment": (Environment, ENVIRONMENT, ("environments", "e")),
    "deploy-events": (DeployEvents, DEPLOY_EVENTS, ("environments", "e", "on")),
    "service": (Service, SERVICE, ("environments", "e", "services", "s")),
    "check": (Check, CHECK, ("environments", "e", "checks", "c")),
    "hooks": (Hooks, HOOKS, ("environments", "e", "hooks")),
    "secrets": (Secrets, SECRETS, ("environments", "e", "secrets")),
    "acceptance": (Acceptance, ACCEPTANCE, ("accept", 0)),
}
DEFINITION_OF = {cls: name for name, (cls, _, _) in PARTS.items()}

NOT_KEYS = {"name", "where", "source"}  # no key sets these fields
NAMED_OTHERWISE = {"max_age_s": "max-age", "budget_s": "budget", "stable_s": "stable"}


def definition(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["definitions"][name] if name else SCHEMA
    return found


def keys_of(cls: type) -> dict[str, str]:
    """The keys that set a dataclass's fields, with their fields."""
    names = [field.name for field in dataclasses.fields(cls) if field.name not in NOT_KEYS]
    return {NAMED_OTHERWISE.get(name, name.replace("_", "-")): name for name in names}


def what_a_type_means(hint: Any) -> str:
    """A field's type in the words of `what_a_schema_means`."""
    arguments = [argument for argument in get_args(hint) if argument is not NoneType]
    if get_origin(hint) is Literal:
        return f"one of {sorted(arguments)}"
    if get_origin(hint) is tuple and arguments[-1] is not Ellipsis:
        return what_a_type_means(arguments[1])  # a pair: its name is a key
    if get_origin(hint) is tuple:
        item = what_a_type_means(arguments[0])
        named = get_origin(arguments[0]) is tuple or "name" in getattr(
            arguments[0], "__dataclass_fields__", {}
        )
        return f"{'mapping to' if named else 'list of'} {item}"
    if len(arguments) == 1:  # `X | None`: a key that is left out
        return what_a_type_means(arguments[0])
    if hint is Pattern:
        return "pattern"
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return DEFINITION_OF[hint]
    return {str: "text", bool: "boolean", int: "integer", float: "number"}[hint]


def what_a_schema_means(schema: Any) -> str:
    for inner in schema.get("allOf", ()):
        return what_a_schema_means(inner)
    if "anyOf" in schema:  # a list, or its only entry
        return what_a_schema_means(schema["anyOf"][1])
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        if name in PARTS or name == "pattern":
            return str(name)
        return what_a_schema_means(definition(name))
    if "enum" in schema:
        return f"one of {sorted(schema['enum'])}"
    if schema["type"] == "array":
        return f"list of {what_a_schema_means(schema['items'])}"
    if schema["type"] == "object":
        return f"mapping to {what_a_schema_means(schema['additionalProperties'])}"
    if schema["type"] in ("string", ["string", "number", "boolean"]):
        return "text"
    return str(schema["type"])


@pytest.mark.parametrize("name", PARTS)
def test_a_dataclass_its_schema_and_its_loader_have_the_same_keys(name: str) -> None:
    cls, readers, _ = PARTS[name]
    only = {"version"} if cls is Config else set()

    assert set(readers) == set(keys_of(cls)) | only
    assert list(definition(name)["properties"]) == list(readers)  # and offer them in one order
    assert definition(name)["additionalProperties"] is False


@pytest.mark.parametrize("name", PARTS)
def test_a_key_has_the_type_of_its_field(name: str) -> None:
    cls, _, _ = PARTS[name]
    # The model names typing's Literal for type checkers only.
    hints = get_type_hints(cls, localns={"Literal": Literal})
    properties = definition(name)["properties"]
    said = {key: what_a_schema_means(properties[key]) for key in keys_of(cls)}
    meant = {key: what_a_type_means(hints[field]) for key, field in keys_of(cls).items()}
    if cls is Image:
        meant["max-age"] = "text"  # 30d; the field holds seconds

    assert said == meant


@pytest.mark.parametrize("name", PARTS)
def test_a_default_is_the_field_s_default(name: str) -> None:
    cls, _, _ = PARTS[name]
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    if cls is Image:
        defaults |= {"watch": ("auto",), "runner": "ubuntu-latest"}  # made while loading
    for key, field in keys_of(cls).items():
        said = definition(name)["properties"][key].get("default", dataclasses.MISSING)
        if said is not dataclasses.MISSING:
            assert (tuple(said) if isinstance(said, list) else said) == defaults[field], key


@pytest.mark.parametrize("name", PARTS)
def test_every_key_is_described(name: str) -> None:
    assert definition(name)["description"]
    for key, schema in definition(name)["properties"].items():
        target = schema.get("$ref", "").removeprefix("#/definitions/")
        assert schema.get("description") or definition(target)["description"], key


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


class _CoreLoader(yaml.SafeLoader):
    """What an editor reads: YAML 1.2, in which `on` and `yes` are texts."""


_CoreLoader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_CoreLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", yaml.SafeLoader.yaml_implicit_resolvers["t"][0][1], list("tf")
)


def test_the_sample_is_accepted_by_both() -> None:
    document = yaml.load(SAMPLE.read_text("utf-8"), Loader=_CoreLoader)

    VALIDATOR.validate(document)
    parse(SAMPLE.read_bytes(), source="x")


def loader_accepts(document: object) -> bool:
    try:
        parse(json.dumps(document, ensure_ascii=False), source="x")
    except ConfigError:
        return False
    return True


def schema_accepts(document: object) -> bool:
    return bool(VALIDATOR.is_valid(document))


def document_with(name: str, key: str, value: object) -> dict[str, Any]:
    """A small configuration that is right but for this key of this part, perhaps."""
    document: dict[str, Any] = {"version": 1, "images": {"a": {}}}
    part: Any = document
    steps = PARTS[name][2]
    for step, following in zip(steps, (*steps[1:], "")[: len(steps)], strict=True):
        if isinstance(step, int):  # the first of a list
            part.append({})
            part = part[step]
        else:
            part = part.setdefault(step, [] if isinstance(following, int) else {})
    if name == "acceptance":
        part.update(check="a/b", reason="x", until="2030-12-31")
        document["environments"] = {"e": {}}  # what an acceptance may be of
    if name == "check" and key not in ("url", "tcp", "exec"):
        part["url"] = "https://example.com"
    part[key] = value
    return document


# For each kind of value: what both accept, and what both refuse.
Both = tuple[list[Any], list[Any]]
_NOT_TEXT: list[Any] = [None, [], {}, ["x"], {"x": "y"}]
_NOT_LIST: list[Any] = [None, True, 1, "x", {}, {"x": "y"}, [None], [[]], [{}]]
_NOT_MAPPING: list[Any] = [None, True, 1, "x", [], ["x"]]
TEXT: Both = (["x", "", "a b", 1, 1.5, True, False], _NOT_TEXT)
LINE: Both = (TEXT[0], [*_NOT_TEXT, "a\nb"])
FULL_LINE: Both = (["x", 1, True], [*LINE[1], "", " "])
FILE: Both = (
    ["a", "a/b.c", ".a/..b/...", 1.5, "a b"],
    [*_NOT_TEXT, "", ".", "..", "/a", "./a", "../a", "a/", "a//b", "a/./b", "a/../b", "a\\b"],
)
FILES: Both = (
    [["a"], ["a", "b/c"]],
    [*_NOT_LIST, [], ["a", "a"], *([path] for path in FILE[1])],
)
PATTERN: Both = (
    ["a", "*", "**/x", "!a"[1:], "[id]/x", "{a,b}/*", ".github/**", 1.5],
    [*_NOT_TEXT, "", "./a", "/a", "a/", "a "],
)
PATTERNS: Both = (
    [["a"], ["a/**", "!a/b", "a/b"], [1, True]],
    [*_NOT_LIST, [], ["./a"], ["a/"], ["!./a"], ["a", ""]],
)
BOOLEAN: Both = ([True, False], [None, "true", "yes", 1, 0, [], {}])
NUMBER: Both = ([1, 0.5, 60, 1000000], [None, 0, -1, 1000001, "1", True, [], {}])
NAMES: Both = ([["a"], ["a", "B_2"]], [*_NOT_LIST[:1], *_NOT_LIST[3:], ["a", "a"], ["a b"]])
NAMES_OR_NONE: Both = ([[], *NAMES[0]], [*NAMES[1], ["1a"]])


def mapping_of(both: Both, name: str = "x") -> Both:
    good, bad = both
    return (
        [{}, *({name: value} for value in good)],
        [*_NOT_MAPPING, {"a b": good[0]}, *({name: value} for value in bad)],
    )


VALUES: dict[str, dict[str, Both]] = {
    "": {
        "version": ([1], [None, 2, 0, "1", True, [1], {}]),
        "branches": PATTERNS,
        "tag-pattern": PATTERN,
        "baseline": (
            ["auto", "registry", "deployments", "push"],
            [*_NOT_TEXT, "Auto", "", "git", 1, True],
        ),
        "images": (
            [{"a": {}}, {"a.b_c-d0": {"target": "x"}}],
            [*_NOT_MAPPING, {}, {"A": {}}, {"-a": {}}, {"a" * 65: {}}, {"a": None}, {"a": []}],
        ),
        "immutable-tags": BOOLEAN,
        "check-children": BOOLEAN,
        "salt": LINE,
        "watch-all": PATTERNS,
        "ignore": PATTERNS,
        "environments": ([{}, {"a": {}}], [*_NOT_MAPPING, {"A": {}}, {"a": None}, {"a": "x"}]),
        "accept": (
            [[], [{"check": "a/b", "reason": "x", "until": "2030-12-31"}]],
            [*_NOT_LIST, [{"check": "a/b", "until": "2030-12-31"}]],
        ),
    },
    "image": {
        "dockerfile": FILE,
        "context": (
            [".", "./", "a", "a/", "a/b/", "a//"],
            [*_NOT_TEXT, "", "..", "/a", "./a", "a//b", "a/../b", "a/./b", "a\\b", "https://a/b"],
        ),
        "repository": (
            ["", "a", "ghcr.io/a/b", "localhost:5000/a__b/c.d-e", 1],
            [*_NOT_TEXT, "A", "a:v1", "a/b:v1", "a@sha256:0", "a//b", "https://a/b", "a" * 256],
        ),
        "watch": ([*PATTERNS[0], ["auto"], ["auto", "!x"]], PATTERNS[1]),
        "services": ([["a"], ["a", "B_2.c"]], [*NAMES[1], [], ["-a"]]),
        "platforms": (
            [[], ["linux/arm64"], ["linux/amd64", "linux/arm/v7"]],
            [*_NOT_LIST, ["linux"], ["linux/a", "linux/a"], [1]],
        ),
        "build-args": mapping_of(LINE, "A_1"),
        "contexts": mapping_of(
            (
                [
                    *(".", "a/b", "docker-image://a", "docker-image://ghcr.io:5000/a/b:v1"),
                    "docker-image://a@sha256:" + "0" * 64,
                ],
                [
                    *(*_NOT_TEXT, "", "..", "/a", "https://a/b", "docker-image://"),
                    *("docker-image://A", "docker-image://a:", "docker-image:/a//b"),
                ],
            )
        ),
        "target": (["", "x", "a.b-c", 1.5], [*_NOT_TEXT, "a b", "-a"]),
        "inputs": (["dockerfile", "workspace"], [*_NOT_TEXT, "", "all", 1, True]),
        "runner": (
            ["x", ["x"], ["self-hosted", "linux"], 1],
            [None, {}, [], "", [""], ["x", "x"], [None], [["x"]]],
        ),
        "timeout-minutes": ([1, 360], [None, 0, 361, 1.5, "5", True, [], {}]),
        "typical-minutes": NUMBER,
        "max-age": (["12h", "30d", "2w"], [*_NOT_TEXT, "", "30", 30, "0d", "1.5d", "30 d", "1m"]),
    },
    "environment": {
        "on": ([{}, {"dispatch": True}], [*_NOT_MAPPING, {"push": True}]),
        "hosts": (
            [[], ["a@b"], ["a@b.c:22", "a@[::1]:22"]],
            [*_NOT_LIST, ["a"], ["-a@b"], ["a@-b"], ["a@b:x"], ["a@b", "a@b"], ["a@b c"]],
        ),
        "directory": FULL_LINE,
        "workdir": ([*FULL_LINE[0], ".", "a/b"], [*FULL_LINE[1], "/a", "~/a", "..", "a/../b"]),
        "project": (["", "a", "a_b-1", 1], [*_NOT_TEXT, "A", "-a", "a b"]),
        "compose": FILES,
        "variants": mapping_of(FILES),
        "profiles": ([[], ["a"], ["a", 1]], [*_NOT_LIST[:4], {}, [""], ["a", "a"], [None]]),
        "sync": PATTERNS,
        "env-file": LINE,
        "docker": FULL_LINE,
        "services": ([{}, {"nginx": {}}], [*_NOT_MAPPING, {"a b": {}}, {"a": None}, {"a": []}]),
        "checks": (
            [{}, {"c": {"exec": "x"}}],
            [*_NOT_MAPPING, {"c": {}}, {"c": {"url": "http://a", "exec": "x"}}, {"c": None}],
        ),
        "hooks": ([{}], [*_NOT_MAPPING, {"before": "x"}]),
        "secrets": ([{}], [*_NOT_MAPPING, {"files": "x"}]),
        "peers": ([[]], [*_NOT_LIST, ["a", "a"]]),
    },
    "deploy-events": {
        "branches": PATTERNS,
        "tags": PATTERNS,
        "dispatch": BOOLEAN,
        "schedule": BOOLEAN,
        "workflow-run": BOOLEAN,
        "repository-dispatch": BOOLEAN,
    },
    "service": {"reload": TEXT, "budget": NUMBER, "stable": NUMBER, "optional": BOOLEAN},
    "check": {
        "service": LINE,
        "url": (["http://a", "https://a/b?c=d"], [*_NOT_TEXT, "", "a", "ftp://a", "http://", 1]),
        "tcp": (
            ["db:5432", "[::1]:80", "a.b-c:1"],
            [*_NOT_TEXT, "", "db", ":80", "a b:1", "::1:80"],
        ),
        "exec": (["x", "a\nb", 1, True], [*_NOT_TEXT, ""]),
        "ask-from": (["runner", "host"], [*_NOT_TEXT, "", "server", True]),
        "follow": (["x", "", 1, "a(b)"], [*_NOT_TEXT, "a\nb"]),
        "content-type": LINE,
        "status": ([100, 200, 599], [None, 99, 600, "200", 200.5, True, [], {}]),
        "body": LINE,
        "json": mapping_of(LINE, "a.b"),
        "headers": mapping_of(LINE, "X-a"),
        "assets": BOOLEAN,
        "redirects": ([0, 20], [None, -1, 21, "1", True, [], {}]),
        "ip": (["any", "ipv4", "ipv6"], [*_NOT_TEXT, "", "4", True]),
        "tls-days": ([0, 14, 1000], [None, -1, 1001, "1", True, [], {}]),
    },
    "hooks": {"before-apply": TEXT, "after-good": TEXT, "after-rollback": TEXT},
    "secrets": {
        "file": LINE,
        "compare": ([[], ["a"], ["a/b.c", 1]], [*_NOT_LIST[:4], {}, [""], ["a", "a"], [None]]),
        "target": (["repository", "environment"], [*_NOT_TEXT, "", "both", 1, True]),
        "suffix": (["", "_STAGING", "_2"], [*_NOT_TEXT, "STAGING", "_A B", "-x", 1, True]),
        "variables": NAMES_OR_NONE,
        "skip": NAMES_OR_NONE,
        "accept": NAMES_OR_NONE,
        "required": NAMES_OR_NONE,
        "min-length": mapping_of(([1, 32], [None, 0, -1, 1.5, "32", True, [], {}]), "A"),
    },
    "acceptance": {
        "check": (["a/b", "compose/image-latest"], [*_NOT_TEXT, "", "a", "A/b", "a/b/c", 1]),
        "subject": LINE,
        "environment": (["e", ""], LINE[1]),
        "reason": FULL_LINE,
        "until": (["2030-12-31"], [*_NOT_TEXT, "", "2030", "2030-1-1", "tomorrow", 20301231]),
    },
}


def _cases(which: int) -> list[Any]:
    return [
        pytest.param(name, key, value, id=f"{name or 'top'}.{key}={json.dumps(value)[:40]}")
        for name, keys in VALUES.items()
        for key, both in keys.items()
        for value in both[which]
    ]


def test_the_table_has_every_key() -> None:
    assert {name: list(keys) for name, keys in VALUES.items()} == {
        name: list(readers) for name, (_, readers, _) in PARTS.items()
    }


@pytest.mark.parametrize(("name", "key", "value"), _cases(0))
def test_both_accept(name: str, key: str, value: object) -> None:
    document = document_with(name, key, value)

    parse(json.dumps(document, ensure_ascii=False), source="x")
    VALIDATOR.validate(document)


@pytest.mark.parametrize(("name", "key", "value"), _cases(1))
def test_both_refuse(name: str, key: str, value: object) -> None:
    document = document_with(name, key, value)

    assert not loader_accepts(document)
    assert not schema_accepts(document)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("key", ["", "x", "Watch", "on ", "build_args", "where", "name", "<<"])
def test_both_refuse_an_unknown_key(name: str, key: str) -> None:
    document = document_with(name, key, "x")

    assert not loader_accepts(document)
    assert not schema_accepts(document)


@pytest.mark.parametrize("key", ["version", "images"])
def test_both_refuse_a_file_that_lacks(key: str) -> None:
    document: dict[str, object] = {"version": 1, "images": {"a": {}}}
    del document[key]

    assert not loader_accepts(document)
    assert not schema_accepts(document)


_texts = st.text("aA1._-/:@*!{},[]~ \n", max_size=8) | st.sampled_from(
    ["auto", "a/b", "x@y", "http://a", "30d", "linux/arm64", "main"]
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 400) | _texts,
    lambda inner: (
        st.lists(inner, max_size=3, unique_by=str)
        | st.dictionaries(st.sampled_from(["a", "A", "url", "exec", "dispatch"]), inner, max_size=2)
    ),
    max_leaves=4,
)
_places = st.sampled_from([(name, key) for name, keys in VALUES.items() for key in keys])


@given(_places, _values)
def test_the_schema_accepts_what_the_loader_accepts(place: tuple[str, str], value: object) -> None:
    document = document_with(*place, value)

    if loader_accepts(document):
        VALIDATOR.validate(document)
