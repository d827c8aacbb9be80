"""Another tag for an image that is there: its manifest's bytes, put again under another name.

Nothing is pulled or pushed, and the digest stays. What a refusal means is said here: some
registries can be told to let no tag move, and each says so in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orient_deploy.errors import RemoteError
from orient_deploy.registry.asking import Asking, errors
from orient_deploy.registry.model import Found, TagRefused
from orient_deploy.registry.transport import Response

ASK_AGAIN = "Re-run this job in a while"

# ECR answers 400 TAG_INVALID ("… cannot be overwritten because the repository is immutable"),
# Harbor 412 PRECONDITION ("configured as immutable"), others 403 or 409 with words like these.
_FIXED = re.compile(r"immutab|already.?exists|overwrit", re.IGNORECASE)
_CONFLICTS = (405, 409, 412)
# The specification says 201; Quay answers 202.
_WRITTEN = (200, 201, 202, 204)


def write_tags(asking: Asking, source: str, tags: Sequence[str], what: str) -> str:
    """Let each tag name what `source` names, in this order; its digest.

    Raises:
        TagRefused: a tag names something else, and may not be moved.
        RemoteError: the source is not there, or a tag was not written.
        Doubt: an answer could not be believed.
    """
    found, content = asking.content(source)
    if not isinstance(found, Found):
        why = f"{asking.repository.name} has nothing called {source}"
        raise RemoteError(what, why, "Push the image first, or give another tag")
    for tag in tags:
        headers = {"Content-Type": found.media_type}
        response = asking.ask("PUT", f"manifests/{tag}", headers=headers, body=content)
        told = response.headers.get("Docker-Content-Digest", "")
        if response.status not in _WRITTEN or told != found.digest:
            _explain(asking, tag, found, response, what)
    return found.digest


def _explain(asking: Asking, tag: str, wanted: Found, response: Response, what: str) -> None:
    """Raise what a tag that was not written means; return when it names the image all the same."""
    said = f"{asking.host.name} answered {response.status} to the tag {tag}"
    told = errors(response)
    fixed = any(_FIXED.search(f"{code} {message}") for code, message in told)
    if response.status in (401, 403) and not fixed:
        doubt = asking.refused(f"answered {response.status} to the tag {tag}")
        raise RemoteError(what, doubt.why, doubt.advice[:1].upper() + doubt.advice[1:])
    present = asking.found(tag)
    if isinstance(present, Found) and present.digest == wanted.digest:
        return
    if fixed or (response.status in _CONFLICTS and isinstance(present, Found)):
        raise TagRefused(
            what,
            f"{said}: it names another image already, and this registry lets no tag move",
            "Set `immutable-tags: true` in the configuration, or let the registry move the tags "
            "that begin with inputs-",
        )
    if {"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN"} & {code for code, _ in told}:
        raise RemoteError(
            what,
            f"{said}: it lacks a part of the image, which a clean-up may have taken",
            "Build the image again, by force",
        )
    raise RemoteError(what, said, ASK_AGAIN)
