"""The state of one repository at a made-up GitHub, and what GitHub says of it.

Decides what may be stored and how it looks in an answer. Never reads a request and never opens a
connection. Decrypted values stay in this process, out of every repr and every answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

VALUE_MAX_BYTES = 48 * 1024  # docs.github.com, limits for secrets and for variables
SECRETS_MAX = 100  # of a repository, and of each environment
REPOSITORY_VARIABLES_MAX = 500
ENVIRONMENT_VARIABLES_MAX = 100
ISSUE_BODY_MAX = 65536
ISSUE_TITLE_MAX = 256
LABEL_COLOR = "ededed"
_DOCS = "https://docs.github.com/rest"

Json = dict[str, Any]


class Refused(Exception):
    """GitHub says no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {
            "message": message,
            "documentation_url": _DOCS,
            "status": str(status),
        }


@dataclass
class Stored:
    """A secret or a variable under its upper-case name."""

    value: bytes = field(repr=False)
    created: float
    updated: float

    def named(self, name: str) -> Json:
        return {
            "name": name,
            "created_at": moment(self.created),
            "updated_at": moment(self.updated),
        }


class Scope:
    """What a repository or one of its environments keeps: secrets, variables and a key."""

    def __init__(self, variables_max: int, clock: Callable[[], float], key_number: int) -> None:
        self.secrets: dict[str, Stored] = {}
        self.variables: dict[str, Stored] = {}
        self._variables_max = variables_max
        self._clock = clock
        self._key_number = key_number
        self.rotate_key()

    def rotate_key(self) -> None:
        """From now on only boxes for another key are taken."""
        self._key = PrivateKey.generate()
        self._key_number += 1

    def public_key(self) -> Json:
        key = base64.b64encode(bytes(self._key.public_key)).decode()
        return {"key_id": str(self._key_number), "key": key}

    def put_sealed(self, name: str, body: Mapping[str, Any]) -> bool:
        """Open the box and keep what is in it; whether the secret is a new one."""
        name = stored_name(name)
        if body["key_id"] != str(self._key_number):
            raise Refused(422, "The key_id is not that of the current public key")
        try:
            sealed = base64.b64decode(body["encrypted_value"], validate=True)
            value = SealedBox(self._key).decrypt(sealed)
        except (CryptoError, ValueError, TypeError, binascii.Error):
            raise Refused(422, "The value is not encrypted for the public key") from None
        return self.put_secret(name, value)

    def put_secret(self, name: str, value: bytes) -> bool:
        return self._put(self.secrets, stored_name(name), value, SECRETS_MAX)

    def put_variable(self, name: str, value: str) -> bool:
        return self._put(self.variables, stored_name(name), value.encode(), self._variables_max)

    def rename_variable(self, name: str, new: str) -> None:
        new = stored_name(new)
        if new != name and new in self.variables:
            raise Refused(409, "Already exists - Variable already exists")
        self.variables[new] = self.variables.pop(name)

    def _put(self, kept: dict[str, Stored], name: str, value: bytes, most: int) -> bool:
        if len(value) > VALUE_MAX_BYTES:
            raise Refused(422, "The value is larger than 48 KB")
        now = self._clock()
        if name in kept:
            kept[name] = Stored(value=value, created=kept[name].created, updated=now)
            return False
        if len(kept) >= most:
            raise Refused(422, f"There are {most} already, which is the most")
        kept[name] = Stored(value=value, created=now, updated=now)
        return True


@dataclass
class Issue:
    """An issue, or a pull request where that is one, with its comments."""

    number: int
    title: str
    body: str | None
    labels: list[str]
    created: float
    updated: float
    state: str = "open"
    state_reason: str | None = None
    closed: float | None = None
    is_pull_request: bool = False
    comments: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class KeptLog:
    """Where the log of a job is kept; without an address it no longer is."""

    address: str


class Repository:
    """One repository; tests set it up and read it directly, clients go through the server."""

    def __init__(self, name: str, number: int, clock: Callable[[], float]) -> None:
        self.name = name
        self.number = number
        self.clock = clock
        self.created = clock()
        self.private = False
        self.own = Scope(REPOSITORY_VARIABLES_MAX, clock, number * 1_000_000)
        self.environments: dict[str, tuple[Scope, float]] = {}
        self.issues: list[Issue] = []
        self.has_issues = True
        self.labels: dict[str, Json] = {}  # by name in lower case
        # Whether a label that is missing is made along with an issue. GitHub does not say; in
        # January 2025 it was not, for tokens of apps (github.com/octokit/rest.js/issues/479).
        self.makes_labels = True
        self.jobs: dict[int, list[Json]] = {}  # per run, as GitHub describes a job
        self.logs: dict[int, KeptLog] = {}  # per job
        self.deployments: list[Json] = []  # the newest first
        self.statuses: dict[int, list[Json]] = {}  # per deployment, the newest first

    def scope(self, environment: str | None) -> Scope:
        """The repository's own, or an environment's; environments are found in any case."""
        if environment is None:
            return self.own
        for name, (scope, _) in self.environments.items():
            if name.lower() == environment.lower():
                return scope
        raise Refused(404, "Not Found")

    def add_environment(self, name: str) -> None:
        """Make it unless it is there."""
        if name.lower() in map(str.lower, self.environments):
            return
        number = self.number * 1_000_000 + 1000 * (1 + len(self.environments))
        scope = Scope(ENVIRONMENT_VARIABLES_MAX, self.clock, number)
        self.environments[name] = (scope, self.clock())

    def label(self, name: str) -> Json:
        if name.lower() not in self.labels:
            raise Refused(404, "Not Found")
        return self.labels[name.lower()]

    def add_label(self, name: str, color: str = LABEL_COLOR, about: str | None = None) -> Json:
        if name.lower() in self.labels:
            raise Refused(422, "Validation Failed")
        made = {"name": name, "color": color, "description": about, "id": 1 + len(self.labels)}
        self.labels[name.lower()] = made
        return made

    def add_issue(self, body: Mapping[str, Any], *, may_label: bool = True) -> Issue:
        """A new issue; without `may_label` its author may not push."""
        if not self.has_issues:
            raise Refused(410, "Issues are disabled for this repo")
        now = self.clock()
        issue = Issue(
            number=1 + len(self.issues),
            title=_issue_title(body["title"]),
            body=_issue_body(body.get("body")),
            labels=self._labelled(body.get("labels", []), may_label),
            created=now,
            updated=now,
        )
        self.issues.append(issue)
        return issue

    def issue(self, number: str) -> Issue:
        for issue in self.issues:
            if str(issue.number) == number:
                return issue
        raise Refused(404, "Not Found")

    def _labelled(self, labels: Any, may_label: bool) -> list[str]:
        """The labels that an issue gets: dropped without a word for whom may not push.

        One that is missing is refused to them (github.com/orgs/community/discussions/197408).
        """
        names = [one if isinstance(one, str) else str(one["name"]) for one in labels]
        missing = [name for name in names if name.lower() not in self.labels]
        if not may_label:
            if missing:
                raise Refused(403, "You do not have permission to create labels on this repository")
            return []
        if self.makes_labels:
            for name in missing:
                self.add_label(name)
        return [self.labels[name.lower()]["name"] for name in names if name.lower() in self.labels]

    def change_issue(
        self, issue: Issue, body: Mapping[str, Any], *, may_label: bool = True
    ) -> None:
        now = issue.updated = self.clock()
        if body.get("title") is not None:
            issue.title = _issue_title(body["title"])
        if "body" in body:
            issue.body = _issue_body(body["body"])
        if "labels" in body and may_label:
            issue.labels = self._labelled(body["labels"], may_label)
        if "state" in body and body["state"] != issue.state:
            closing = body["state"] == "closed"
            issue.state = body["state"]
            issue.closed = now if closing else None
            reason = body.get("state_reason") or "completed"
            issue.state_reason = reason if closing else "reopened"

    def add_comment(self, issue: Issue, body: str) -> int:
        """Its place among the issue's comments."""
        issue.updated = self.clock()
        issue.comments.append((_issue_body(body) or "", issue.updated))
        return len(issue.comments) - 1


def stored_name(name: str) -> str:
    """The name as GitHub keeps it."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII):
        raise Refused(422, "The name may hold letters, digits and _ and starts with no digit")
    if name.upper().startswith("GITHUB_"):
        raise Refused(422, "The name must not start with GITHUB_")
    return name.upper()


def moment(at: float) -> str:
    """A time as GitHub writes it, in whole seconds."""
    return datetime.fromtimestamp(int(at), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _issue_body(body: Any) -> str | None:
    if body is not None and len(body) > ISSUE_BODY_MAX:
        raise Refused(422, f"body is too long (maximum is {ISSUE_BODY_MAX} characters)")
    return None if body is None else str(body)


def _issue_title(title: Any) -> str:
    stripped = str(title).strip()
    if not 0 < len(stripped) <= ISSUE_TITLE_MAX:
        raise Refused(422, "Validation Failed")
    return stripped
