"""What buildx leaves in its metadata file: the digest of what was pushed."""

from __future__ import annotations

import json

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.registry.reference import is_digest


def read_digest(path: str) -> str:
    """The digest of the image or, for several platforms, of its index.

    Raises:
        EnvironmentLacks: buildx wrote none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        digest = content.get("containerimage.digest") if isinstance(content, dict) else None
        why = "its metadata file names none"
    except (OSError, ValueError) as error:
        digest, why = None, f"its metadata file cannot be read ({type(error).__name__})"
    if not isinstance(digest, str) or not is_digest(digest):
        raise EnvironmentLacks(
            "buildx did not say which digest it pushed",
            why,
            "Use buildx 0.8 or newer: docker/setup-buildx-action brings one",
        )
    return digest
