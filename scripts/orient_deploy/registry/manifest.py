"""What the bytes of a manifest, an index or an image's configuration say.

Values in, values out. The bytes are believed only after their digest was compared.

Source: OCI image specification 1.1, and docker's image manifest version 2, schema 2.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone

from orient_deploy.record import dataclass
from orient_deploy.registry.reference import is_digest

MANIFEST_MAX = 4 << 20  # bytes; distribution itself refuses larger ones
REVISION = "org.opencontainers.image.revision"

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# All four, always: asked for fewer, a registry answers 404 for a tag that is there.
ACCEPT = ", ".join(INDEXES + IMAGES)


@dataclass(frozen=True, kw_only=True)
class Child:
    """One manifest that an index names."""

    digest: str
    media_type: str
    attestation: bool  # it tells of an image and is none


def digest_of(content: bytes, like: str = "sha256:") -> str:
    """The digest of bytes, by the same algorithm as another one."""
    algorithm = "sha512" if like.startswith("sha512:") else "sha256"
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def children(index: bytes) -> tuple[Child, ...] | None:
    """The manifests of an index, in its order; None when it is none that can be read."""
    listed = _object(index).get("manifests")
    if not isinstance(listed, list):
        return None
    found = []
    for one in listed:
        digest = one.get("digest") if isinstance(one, dict) else None
        if not isinstance(digest, str) or not is_digest(digest):
            return None
        platform, notes = one.get("platform"), one.get("annotations")
        # buildx: "Image attestation storage": no platform, and a note of what it belongs to.
        unknown = isinstance(platform, dict) and platform.get("os") == "unknown"
        noted = isinstance(notes, dict) and "vnd.docker.reference.type" in notes
        media_type = one.get("mediaType")
        found.append(
            Child(
                digest=digest,
                media_type=media_type if isinstance(media_type, str) else "",
                attestation=unknown or noted,
            )
        )
    return tuple(found)


def config_digest(manifest: bytes) -> str:
    """The digest of an image's configuration; '' when the manifest names none."""
    config = _object(manifest).get("config")
    digest = config.get("digest") if isinstance(config, dict) else None
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def layer_sizes(manifest: bytes) -> dict[str, int]:
    """The layers of an image by digest, and the bytes of each as it is pulled."""
    listed = _object(manifest).get("layers")
    found = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            digest, size = one.get("digest"), one.get("size")
            if isinstance(digest, str) and isinstance(size, int):
                found[digest] = size
    return found


def labels_and_creation(config: bytes) -> tuple[Mapping[str, str], float | None]:
    """The labels of an image, and when it was made."""
    found = _object(config)
    inner = found.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    kept = labels.items() if isinstance(labels, dict) else ()
    return (
        {name: value for name, value in kept if isinstance(value, str)},
        _seconds(found.get("created")),
    )


def _seconds(stamp: object) -> float | None:
    """Seconds since 1970 of a time as RFC 3339 writes it; None for anything else.

    Only whole seconds: Go writes nine digits behind them, Python 3.10 reads six.

    >>> _seconds("1970-01-01T01:00:01.5+01:00"), _seconds("2026-02-30T00:00:00Z")
    (1.0, None)
    """
    parts = re.fullmatch(
        r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)",
        stamp if isinstance(stamp, str) else "",
        re.ASCII,
    )
    if not parts:
        return None
    zone = "+00:00" if parts[3] in "Zz" else parts[3]
    try:
        return (
            datetime.fromisoformat(f"{parts[1]}T{parts[2]}{zone}")
            .astimezone(timezone.utc)
            .timestamp()
        )
    except (ValueError, OverflowError):
        return None


def _object(content: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
