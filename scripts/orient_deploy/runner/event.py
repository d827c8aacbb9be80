"""The event that started the run, read from GitHub's payload into one value.

Decides nothing: which commit an event is compared with is `history`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from orient_deploy.errors import EnvironmentLacks, InputError
from orient_deploy.record import dataclass

_OBJECT_ID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")  # SHA-1 or SHA-256
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can spell halves of characters
_NO_NAME = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # no ref or repository holds these


@dataclass(frozen=True, kw_only=True)
class PullRequest:
    """The two sides of a pull request; `head_sha` may live in a fork."""

    number: int
    head_sha: str
    base_sha: str
    base_ref: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened, in GitHub's terms. Absent facts are empty strings, never None.

    `sha` is GITHUB_SHA: the commit whose workflow runs. `ref` is GITHUB_REF in full
    (refs/heads/…, refs/tags/…, refs/pull/N/merge).
    """

    name: str  # push, pull_request, workflow_dispatch, …; 'local' on a laptop
    sha: str = ""
    ref: str = ""
    before: str = ""  # push: the tip before; all zeros when the ref is new
    deleted: bool = False  # push or delete: the ref is gone
    forced: bool = False
    default_branch: str = ""
    pull_request: PullRequest | None = None
    merge_group_base_sha: str = ""
    repository: str = ""  # owner/name
    server_url: str = ""  # https://github.com
    action: str = ""  # release: published, deleted, …
    # workflow_run: how the run ended that this one follows, what started it, on which branch, and
    # of which commit
    conclusion: str = ""
    followed: str = ""
    followed_branch: str = ""
    followed_sha: str = ""

    @property
    def branch(self) -> str:
        """The branch's name, or '' when the ref is not a branch."""
        return self.ref[len("refs/heads/") :] if self.ref.startswith("refs/heads/") else ""

    @property
    def tag(self) -> str:
        """The tag's name, or '' when the ref is not a tag."""
        return self.ref[len("refs/tags/") :] if self.ref.startswith("refs/tags/") else ""


def read_event(env: Mapping[str, str]) -> Event:
    """The event that started this run, from GITHUB_* and the payload file they name.

    A fact of the wrong type or form is absent, never a crash: a payload may be `{}` (act's
    default), and a commit that is no full lowercase object id is ''.

    Raises:
        EnvironmentLacks: no GITHUB_EVENT_NAME or GITHUB_EVENT_PATH, or the file cannot be read.
        InputError: the file is no JSON object.
    """
    name = env.get("GITHUB_EVENT_NAME", "")
    if not name:
        raise EnvironmentLacks(
            "the event is unknown",
            "GITHUB_EVENT_NAME is not set",
            "Run this as a step of a workflow, or use the command line without an event.",
        )
    return _event(name, _payload(env.get("GITHUB_EVENT_PATH", "")), env)


def _event(name: str, payload: Mapping[str, object], env: Mapping[str, str]) -> Event:
    ref = env.get("GITHUB_REF", "")
    if name == "release" and not ref.startswith("refs/tags/"):
        tag = _name(_object(payload, "release").get("tag_name"))
        ref = f"refs/tags/{tag}" if tag else ref
    repository = _object(payload, "repository")
    is_push = name == "push"
    run = _object(payload, "workflow_run") if name == "workflow_run" else {}
    return Event(
        name=name,
        sha=_object_id(env.get("GITHUB_SHA")),
        ref=ref,
        before=_object_id(payload.get("before")) if is_push else "",
        deleted=name == "delete" or (is_push and payload.get("deleted") is True),
        forced=is_push and payload.get("forced") is True,
        default_branch=_name(repository.get("default_branch")),
        pull_request=_pull_request(name, payload),
        merge_group_base_sha=(
            _object_id(_object(payload, "merge_group").get("base_sha"))
            if name == "merge_group"
            else ""
        ),
        repository=env.get("GITHUB_REPOSITORY", "") or _name(repository.get("full_name")),
        server_url=env.get("GITHUB_SERVER_URL", ""),
        action=_name(payload.get("action")) if name == "release" else "",
        conclusion=_name(run.get("conclusion")),
        followed=_name(run.get("event")),
        followed_branch=_name(run.get("head_branch")),
        followed_sha=_object_id(run.get("head_sha")),
    )


def _payload(path: str) -> dict[str, object]:
    import json  # 10 ms that a run without an event does not pay

    if not path:
        raise EnvironmentLacks(
            "the event's payload is missing",
            "GITHUB_EVENT_PATH is not set",
            "Run this as a step of a workflow, or use the command line without an event.",
        )
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise EnvironmentLacks(
            f"the event's payload {path!r} cannot be read",
            _reason(error),
            "Check GITHUB_EVENT_PATH; in a container the file must be mounted.",
        ) from error
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:  # not JSON, not text, or nested without end
        raise InputError(
            f"the event's payload {path!r} is not JSON",
            str(error),
            "Point GITHUB_EVENT_PATH at the event file as GitHub wrote it.",
        ) from error
    if not isinstance(payload, dict):
        raise InputError(
            f"the event's payload {path!r} is no JSON object",
            f"it holds a {type(payload).__name__}",
            "Point GITHUB_EVENT_PATH at the event file as GitHub wrote it.",
        )
    return payload


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _object(parent: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}


def _object_id(value: object) -> str:
    return value if isinstance(value, str) and _OBJECT_ID.match(value) else ""


def _name(value: object) -> str:
    return value if isinstance(value, str) and not _NO_NAME.search(value) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _pull_request(event: str, payload: Mapping[str, object]) -> PullRequest | None:
    if event not in ("pull_request", "pull_request_target"):
        return None
    request = _object(payload, "pull_request")
    if not request:
        return None
    head, base = _object(request, "head"), _object(request, "base")
    return PullRequest(
        number=_number(request.get("number")) or _number(payload.get("number")),
        head_sha=_object_id(head.get("sha")),
        base_sha=_object_id(base.get("sha")),
        base_ref=_name(base.get("ref")),
    )
