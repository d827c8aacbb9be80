"""What bytes say, once their digest was compared; and what is none of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orient_deploy.registry.manifest import (
    Child,
    children,
    config_digest,
    digest_of,
    labels_and_creation,
    layer_sizes,
)
from tests.unit.registry.images import OCI_IMAGE

DIGEST = "sha256:" + 64 * "a"
NO_OBJECTS = [b"", b"null", b"[]", b"3", b"{", b"\xff", b"[" * 100_000]


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_digest_is_of_the_algorithm_that_is_compared_with() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    assert digest_of(b"") == digest_of(b"", DIGEST) == f"sha256:{empty}"
    assert digest_of(b"", "sha512:" + 128 * "0").startswith("sha512:cf83e1357eefb8bd")


@pytest.mark.parametrize(
    ("entry", "attestation"),
    [
        ({}, False),
        ({"platform": {"os": "linux", "architecture": "amd64"}}, False),
        ({"platform": {"os": "unknown", "architecture": "unknown"}}, True),
        ({"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}, True),
        ({"annotations": {"other": "note"}}, False),
        ({"platform": None, "annotations": None}, False),
    ],
)
def test_an_attestation_is_told_from_an_image(entry: dict[str, Any], attestation: bool) -> None:
    index = encoded({"manifests": [{"digest": DIGEST, "mediaType": OCI_IMAGE, **entry}]})

    assert children(index) == (Child(digest=DIGEST, media_type=OCI_IMAGE, attestation=attestation),)


@pytest.mark.parametrize(
    "content",
    [
        *NO_OBJECTS,
        *map(encoded, [{}, {"manifests": {}}, {"manifests": [None]}, {"manifests": [{}]}]),
        *map(encoded, [{"manifests": [{"digest": d}]} for d in ("sha256:../x", 3, None, "")]),
    ],
)
def test_half_an_index_is_none(content: bytes) -> None:
    assert children(content) is None


@pytest.mark.parametrize(
    ("content", "found"),
    [
        *((content, "") for content in NO_OBJECTS),
        (encoded({"config": {"digest": DIGEST}}), DIGEST),
        (encoded({"config": {"digest": "sha256:../../x"}}), ""),
        (encoded({"config": [DIGEST]}), ""),
        (encoded({"config": {}}), ""),
    ],
)
def test_a_configuration_is_named_by_its_digest(content: bytes, found: str) -> None:
    assert config_digest(content) == found


@pytest.mark.parametrize(
    ("content", "sizes"),
    [
        *((content, []) for content in NO_OBJECTS),
        (encoded({"layers": [{"digest": "a", "size": 3}, {"digest": "b", "size": 4}]}), [3, 4]),
        (encoded({"layers": [{"digest": "a"}, {"size": 3}, None, {"digest": 3, "size": 4}]}), []),
        (encoded({"layers": {"digest": "a", "size": 3}}), []),
    ],
)
def test_layers_have_sizes(content: bytes, sizes: list[int]) -> None:
    assert list(layer_sizes(content).values()) == sizes


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        *((content, {}) for content in NO_OBJECTS),
        (encoded({"config": {"Labels": {"a": "b", "c": 3}}}), {"a": "b"}),
        (encoded({"config": {"Labels": None}}), {}),
        (encoded({"config": None}), {}),
    ],
)
def test_labels_are_texts(content: bytes, labels: dict[str, str]) -> None:
    assert labels_and_creation(content) == (labels, None)


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:10.999999999Z", 10),
        ("1970-01-01T02:00:00+02:00", 0),
        ("2026-01-05T09:00:00.5-01:30", 1767609000),
        ("0001-01-01T00:00:00Z", -62135596800),
        ("0001-01-01T00:00:00+14:00", None),
        ("1970-01-01 00:00:00Z", None),
        ("1970-01-01T00:00:00", None),
        ("1970-13-01T00:00:00Z", None),
        ("", None),
        (0, None),
        (None, None),
    ],
)
def test_a_time_is_seconds(created: object, seconds: float | None) -> None:
    assert labels_and_creation(encoded({"created": created})) == ({}, seconds)
