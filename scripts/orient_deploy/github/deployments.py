"""What an environment was last deployed with, asked of GitHub's deployments.

**Which one is the last good one.** The newest that reached `success` and stayed there. GitHub sets
`inactive` on others by itself when one succeeds, and a job with `environment:` makes a deployment
of its own around ours, so a newer one that was good and is `inactive` now still counts when what
replaced it is older and of the same commit: that is ours, within the job's. When what replaced it
is older and of another commit, then that one finished last, and runs. When nothing did, somebody
took it down, and nothing is known of what runs. What went wrong after the last good one is told as
well: it may have left something behind.

**The payload** is how a deployment says with which images and files, in one line of JSON:

    {"orient-deploy": 1, "images": {"dashboard": "ghcr.io/acme/orient/dashboard@sha256:…"},
     "files": "…"}

Of a deployment with any other payload only the commit is known.

Two deployments to one environment at the same time are not told apart by the second in which each
ended: workflows that deploy need a `concurrency` group anyway.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orient_deploy.github.api import PAGE, Api, github_api, permit

FORMAT = 1  # of the payload
MOST_ASKED = 30  # deployments that are looked into; each is a request

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,254}@sha256:[0-9a-f]{64}")
_DIGEST = re.compile(r"(?:[0-9a-f]{64})?")
# A deployment that waits, for a person or for a runner, has touched nothing.
_NOT_BEGUN = frozenset(("", "queued", "pending", "waiting"))


@dataclass(frozen=True, kw_only=True)
class Payload:
    """With what an environment was deployed."""

    images: Mapping[str, str]  # image's name -> repository@sha256:…
    files: str = ""  # digest of the compose and synced files; '' when there are none


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A deployment that began after the last good one, and was not good."""

    commit: str
    state: str  # 'failure', 'error', 'in_progress', …


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The last good deployment of an environment."""

    commit: str
    payload: Payload | None = None  # None: it was not ours, or does not say
    attempts: tuple[Attempt, ...] = field(default=())  # newest first

    @property
    def references(self) -> Mapping[str, str]:
        """What each image was deployed as, as far as it is known."""
        return self.payload.images if self.payload else {}


def last_deployment(
    api_url: str,
    repository: str,
    environment: str,
    token: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Deployment | None:
    """The last good deployment to an environment; needs the permission `deployments: read`.

    None when there is none among the newest, or when nothing is known of what runs there.

    Raises:
        RemoteError: GitHub refused, or gave no usable answer after three tries.

    Source: GitHub REST API, "List deployments" and "List deployment statuses"; "Inactive
    deployments" says what GitHub does by itself.
    """
    what = f"the deployments to {environment!a} could not be read"
    with github_api(
        api_url, token, what=what, advice=permit("deployments: read"), sleep=sleep
    ) as api:
        attempts: list[Attempt] = []
        replaced: list[Deployment] = []
        for number, commit, payload in _deployments(api, repository, environment):
            states = _states(api, repository, number)
            latest = states[0] if states else ""
            if "success" not in states or latest not in ("success", "inactive"):
                if latest not in _NOT_BEGUN:
                    attempts.append(Attempt(commit=commit, state=latest))
                continue
            found = Deployment(
                commit=commit, payload=parse_payload(payload), attempts=tuple(attempts)
            )
            if latest == "success":
                return next((one for one in replaced if one.commit == commit), found)
            replaced.append(found)
    return None


def parse_payload(payload: object) -> Payload | None:
    """What a deployment's payload says, as text or as GitHub has decoded it; None for another's.

    >>> parse_payload(payload_text({}, files=""))
    Payload(images={}, files='')
    >>> parse_payload('{"orient-deploy": 2}'), parse_payload("")
    (None, None)
    """
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    if not isinstance(payload, dict) or payload.get("orient-deploy") != FORMAT:
        return None
    images, files = payload.get("images"), payload.get("files")
    if not isinstance(images, dict) or not _is_text(files, _DIGEST):
        return None
    for name, reference in images.items():
        if not _is_text(name, _NAME) or not _is_text(reference, _REFERENCE):
            return None
    return Payload(images=dict(images), files=str(files))


def payload_text(images: Mapping[str, str], *, files: str) -> str:
    """The payload of a deployment, in one line of ASCII.

    >>> payload_text({}, files="")
    '{"files":"","images":{},"orient-deploy":1}'
    """
    content = {"orient-deploy": FORMAT, "images": dict(images), "files": files}
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _deployments(api: Api, repository: str, environment: str) -> Sequence[tuple[int, str, object]]:
    """Number, commit and payload of each, newest first."""
    query = {"environment": environment, "per_page": str(MOST_ASKED)}
    return sorted(
        (
            (number, commit, entry.get("payload"))
            for number, entry in _numbered(api, f"/repos/{repository}/deployments", query)
            if isinstance(commit := entry.get("sha"), str) and _COMMIT.fullmatch(commit)
        ),
        key=lambda one: -one[0],
    )


def _states(api: Api, repository: str, number: int) -> list[str]:
    """What was said of a deployment, the latest first."""
    path = f"/repos/{repository}/deployments/{number}/statuses"
    said = sorted(_numbered(api, path, {"per_page": str(PAGE)}), key=lambda one: -one[0])
    return [str(entry.get("state") or "") for _, entry in said]


def _numbered(
    api: Api, path: str, query: Mapping[str, str]
) -> list[tuple[int, Mapping[str, object]]]:
    """The entries of a list, each with its number: of two, the higher is the newer."""
    listed = api.get(path, query)
    if not isinstance(listed, list):
        raise api.failed("the answer is no list")
    return [
        (number, entry)
        for entry in listed
        if isinstance(entry, dict) and isinstance(number := entry.get("id"), int)
    ]


def _is_text(value: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))
