"""GitHub on loopback with a memory: secrets, variables, environments and issues.

Each request and each answer is held to GitHub's own OpenAPI description; what does not fit fails
the test at its end, unless the test takes it with `excuse`. Secrets are really decrypted, and only
`GitHubState.secret` gives them, in the test's own process. The journal holds no value. Where the
description is silent (the words of refusals) nothing should be concluded from what is said here.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes import github_shapes as shapes
from tests.fakes.github_description import (
    Operation,
    body_problems,
    operation,
    request_problems,
    response_problems,
)
from tests.fakes.github_model import LABEL_COLOR, Json, Refused, Repository, Scope, Stored, moment
from tests.fakes.loopback import serving

_RATE_WINDOW_S = 3600
_HANG_MAX_S = 30
PERMISSIONS = (
    "actions",
    "administration",
    "deployments",
    "environments",
    "issues",
    "secrets",
    "variables",
)
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
_WORDS = {
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    409: "Conflict",
    422: "Validation Failed",
    429: "Too many requests",
}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One line of the journal: neither a body nor a token. Status 0: no answer was given."""

    method: str
    path: str
    status: int
    at: float  # by the server's clock

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(kw_only=True, eq=False)
class Fault:
    """What goes wrong with the n-th request that fits; see `GitHubState.fail`."""

    method: str
    path: str
    skip: int
    times: int
    status: int | None
    message: str | None
    headers: Mapping[str, str]
    hang: bool
    drop: bool
    effect: bool
    call: Callable[[], object] | None


@dataclass(kw_only=True)
class _Token:
    permissions: Mapping[str, str]
    refusal: int
    remaining: int
    may_push: bool


@dataclass(kw_only=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes = field(repr=False)
    base: str = ""
    body: Any = field(default=None, repr=False)


@dataclass(kw_only=True)
class _Reply:
    status: int
    body: object = field(default=None, repr=False)  # None: no body
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False


class GitHubState:
    """One running server. `url` is the API's base; `problems` is what did not fit."""

    def __init__(self, clock: Callable[[], float], rate_limit: int) -> None:
        self.url = ""
        self.clock = clock
        self.rate_limit = rate_limit
        self.repositories: dict[str, Repository] = {}
        self.journal: list[Exchange] = []
        self.problems: list[str] = []
        self.most_at_once = 0
        self.stopping = threading.Event()
        self._now_open = 0
        self._faults: list[Fault] = []
        self._tokens: dict[str, _Token] = {}
        self._lock = threading.RLock()

    # What a test sets up.

    def add_repository(self, name: str) -> Repository:
        """A new repository, like 'acme/orient'; the first is the one that is meant elsewhere."""
        with self._lock:
            made = Repository(name, 1 + len(self.repositories), self.clock)
            self.repositories[name.lower()] = made
            return made

    @property
    def repository(self) -> Repository:
        """The first repository."""
        return next(iter(self.repositories.values()))

    def allow(
        self, token: str, *, refusal: int = 403, may_push: bool = True, **permissions: str
    ) -> None:
        """Let a token do what is named, with 'read' or 'write', and nothing else.

        `refusal` is what it is told elsewhere: 403, or 404 as for what it may not even see. Without
        `may_push` it is an outsider's, who writes issues of a public repository and labels none.
        """
        assert permissions.keys() <= set(PERMISSIONS) and refusal in (403, 404)
        assert set(permissions.values()) <= {"read", "write"}
        with self._lock:
            self._tokens[token] = _Token(
                permissions=permissions,
                refusal=refusal,
                remaining=self.rate_limit,
                may_push=may_push,
            )

    def allow_all(self, token: str) -> None:
        permissions: dict[str, Any] = dict.fromkeys(PERMISSIONS, "write")
        self.allow(token, **permissions)

    def revoke(self, token: str) -> None:
        with self._lock:
            del self._tokens[token]

    def exhaust(self, token: str, *, remaining: int = 0) -> None:
        """Let the token's hour end after that many more requests."""
        with self._lock:
            self._tokens[token].remaining = remaining

    def fail(
        self,
        method: str,
        path: str,
        *,
        nth: int = 1,
        times: int = 1,
        status: int | None = None,
        message: str | None = None,
        retry_after: int | str | None = None,
        secondary: bool = False,
        headers: Mapping[str, str] | None = None,
        hang: bool = False,
        drop: bool = False,
        effect: bool = False,
        call: Callable[[], object] | None = None,
    ) -> Fault:
        """Let the n-th request from now, and `times` in all, go wrong.

        `method` and `path` are patterns as for files ('*', '*/actions/secrets/A'). The request is
        answered `status`, or `hang`s, or has its connection `drop`ped; with `effect` what it asks
        for took place nevertheless. `call` runs just before, without any of those it is all that
        happens: another one's write, a rotated key. `secondary` gives the words of GitHub's
        secondary rate limit.
        """
        told = dict(headers or {})
        if retry_after is not None:
            told["Retry-After"] = str(retry_after)
        fault = Fault(
            method=method,
            path=path,
            skip=nth - 1,
            times=times,
            status=status,
            message=SECONDARY if secondary else message,
            headers=told,
            hang=hang,
            drop=drop,
            effect=effect,
            call=call,
        )
        with self._lock:
            self._faults.append(fault)
        return fault

    def rotate_key(self, scope: str | None = None) -> None:
        """Give the repository, or the environment of that name, another key."""
        with self._lock:
            self._scope(scope).rotate_key()

    def put_secret(self, scope: str | None, name: str, value: bytes) -> None:
        """Another one's write."""
        with self._lock:
            self._scope(scope).put_secret(name, value)

    def put_variable(self, scope: str | None, name: str, value: str) -> None:
        """Another one's write."""
        with self._lock:
            self._scope(scope).put_variable(name, value)

    # What a test looks at.

    def secret(self, scope: str | None, name: str) -> bytes:
        """What arrived, decrypted; the scope is None or an environment."""
        with self._lock:
            return self._scope(scope).secrets[name].value

    def secrets(self, scope: str | None = None) -> dict[str, bytes]:
        with self._lock:
            return {name: one.value for name, one in self._scope(scope).secrets.items()}

    def variables(self, scope: str | None = None) -> dict[str, str]:
        with self._lock:
            return {name: one.value.decode() for name, one in self._scope(scope).variables.items()}

    @property
    def writes(self) -> list[Exchange]:
        """The journal's requests that were not GET."""
        return [one for one in self.journal if one.writes]

    @property
    def unfired(self) -> list[Fault]:
        """The faults that no request met, or not as often as they should have been."""
        return [fault for fault in self._faults if fault.times > 0]

    def excuse(self) -> list[str]:
        """Take the problems so far, so that they do not fail the test."""
        with self._lock:
            taken, self.problems = self.problems, []
            return taken

    # What the connection asks.

    def handle(self, request: _Request) -> _Reply:
        """Answer a request and note it."""
        with self._lock:
            self._now_open += 1
            self.most_at_once = max(self.most_at_once, self._now_open)
        try:
            reply = self._handled(request)
        finally:
            with self._lock:
                self._now_open -= 1
        return reply

    def _handled(self, request: _Request) -> _Reply:
        fault = self._fault(request)
        if fault is not None and fault.call is not None:
            fault.call()
        with self._lock:
            asked = operation(request.method, request.path)
            goes_wrong = fault is not None and (
                fault.status is not None or fault.hang or fault.drop
            )
            if fault is None or not goes_wrong:
                reply = self._answered(asked, request)
            else:
                if fault.effect:
                    self._answered(asked, request)
                status = fault.status or 0
                words = fault.message or _WORDS.get(status, "Server Error")
                body = Refused(status, words).body
                silent = fault.hang or fault.drop
                reply = _Reply(status=status, body=body, headers=dict(fault.headers), silent=silent)
            if not reply.silent:
                problems = response_problems(asked, reply.status, reply.body)
                self.problems += [f"{request.method} {request.path}: {one}" for one in problems]
            status = 0 if reply.silent else reply.status
            self.journal.append(
                Exchange(method=request.method, path=request.path, status=status, at=self.clock())
            )
            reply.headers["Date"] = formatdate(self.clock(), usegmt=True)
        if fault is not None and fault.hang:
            self.stopping.wait(_HANG_MAX_S)
        return reply

    def _fault(self, request: _Request) -> Fault | None:
        """The first fault whose turn it is; each that fits counts the request."""
        due: Fault | None = None
        with self._lock:
            for fault in self._faults:
                fits = fnmatchcase(request.method, fault.method)
                if not fits or not fnmatchcase(request.path, fault.path) or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif due is None:
                    fault.times -= 1
                    due = fault
        return due

    def _answered(self, asked: Operation | None, request: _Request) -> _Reply:
        token: _Token | None = None
        try:
            if not request.headers.get("user-agent"):
                self.problems.append("GitHub refuses requests without a user-agent")
                raise Refused(403, "Request forbidden by administrative rules.")
            token = self._token(request)
            if asked is None:
                self.problems.append(f"GitHub has no {request.method} {request.path}")
                raise Refused(404, "Not Found")
            self._read_body(request)
            self.problems += [
                f"{request.method} {request.path}: {problem}"
                for problem in request_problems(asked, request.query, request.headers, request.body)
            ]
            repository = self._repository(asked)
            self._permit(asked, token)
            if any(body_problems(asked, request.body)):
                raise Refused(422, "Invalid request.")
            reply = _ANSWERS[asked.about["operationId"]](
                _Asked(repository=repository, request=request, asked=asked, may_push=token.may_push)
            )
        except Refused as refused:
            reply = _Reply(status=refused.status, body=refused.body)
        if request.method == "GET" and reply.status == 200:
            mark = hashlib.sha256(json.dumps(reply.body).encode() + request.raw).hexdigest()
            reply.headers["ETag"] = f'W/"{mark}"'
            if request.headers.get("if-none-match") == reply.headers["ETag"]:
                reply.status, reply.body = 304, None
        if token is not None:
            if token.remaining > 0 and reply.status != 304:
                token.remaining -= 1
            used = self.rate_limit - token.remaining
            window = int(self.clock()) // _RATE_WINDOW_S + 1
            reply.headers |= {
                "X-RateLimit-Limit": str(self.rate_limit),
                "X-RateLimit-Remaining": str(token.remaining),
                "X-RateLimit-Used": str(used),
                "X-RateLimit-Reset": str(window * _RATE_WINDOW_S),
                "X-RateLimit-Resource": "core",
            }
        return reply

    def _token(self, request: _Request) -> _Token:
        given = re.fullmatch(
            r"(?:bearer|token) (\S+)", request.headers.get("authorization", ""), re.IGNORECASE
        )
        if given is None:
            raise Refused(401, "Requires authentication")
        token = self._tokens.get(given[1])
        if token is None:
            raise Refused(401, "Bad credentials")
        return token

    def _permit(self, asked: Operation, token: _Token) -> None:
        if token.remaining <= 0:
            raise Refused(403, "API rate limit exceeded")
        needed = _permission(asked)
        if needed is None:
            return
        held = token.permissions.get(needed)
        if held == "write" or (held == "read" and asked.method == "get"):
            return
        raise Refused(token.refusal, _WORDS[token.refusal])

    def _repository(self, asked: Operation) -> Repository:
        name = f"{asked.given['owner']}/{asked.given['repo']}".lower()
        if name not in self.repositories:
            raise Refused(404, "Not Found")
        return self.repositories[name]

    def _scope(self, environment: str | None) -> Scope:
        return self.repository.scope(environment)

    @staticmethod
    def _read_body(request: _Request) -> None:
        if request.raw:
            try:
                request.body = json.loads(request.raw)
            except (ValueError, RecursionError):
                raise Refused(400, "Problems parsing JSON") from None


def _permission(asked: Operation) -> str | None:
    """What a fine-grained token needs; None: everyone who sees the repository may."""
    path = asked.template.removeprefix("/repos/{owner}/{repo}")
    if path.startswith("/environments/{environment_name}/"):
        return "environments"  # both its secrets and its variables
    if path.startswith("/environments"):
        return "actions" if asked.method == "get" else "administration"
    for start, name in (
        ("/actions/secrets", "secrets"),
        ("/actions/variables", "variables"),
        ("/actions", "actions"),
        ("/deployments", "deployments"),
        ("/issues", "issues"),
        ("/labels", "issues"),
    ):
        if path.startswith(start):
            return name
    return None


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A request that may be answered."""

    repository: Repository
    request: _Request
    asked: Operation
    may_push: bool

    @property
    def base(self) -> str:
        return self.request.base

    @property
    def body(self) -> Any:
        return {} if self.request.body is None else self.request.body

    @property
    def scope(self) -> Scope:
        return self.repository.scope(self.asked.given.get("environment_name"))

    @property
    def name(self) -> str:
        given = self.asked.given
        return given.get("secret_name", given.get("name", ""))

    def found(self, kept: Mapping[str, Stored]) -> str:
        if self.name.upper() not in kept:
            raise Refused(404, "Not Found")
        return self.name.upper()

    def page(
        self, entries: Sequence[Json], *, default: int = 30
    ) -> tuple[list[Json], dict[str, str]]:
        """The page that is asked for, and the Link header to the others."""
        query = dict(self.request.query)
        size = min(_positive(query.get("per_page"), default), self.asked.largest_page())
        number = _positive(query.get("page"), 1)
        last = max(1, -(-len(entries) // size))
        links: dict[str, int] = {}
        if number < last:
            links |= {"next": number + 1, "last": last}
        if number > 1:
            links |= {"first": 1, "prev": min(number - 1, last)}
        where = f"{self.base}{self.request.path}"
        link = ", ".join(
            f'<{where}?{urlencode(query | {"page": str(to)})}>; rel="{rel}"'
            for rel, to in links.items()
        )
        chosen = list(entries[(number - 1) * size : number * size])
        return chosen, {"Link": link} if link else {}

    def listed(self, key: str, entries: Sequence[Json], *, default: int = 30) -> _Reply:
        chosen, headers = self.page(entries, default=default)
        body = {"total_count": len(entries), key: chosen}
        return _Reply(status=200, body=body, headers=headers)

    def bare(self, entries: Sequence[Json]) -> _Reply:
        chosen, headers = self.page(entries)
        return _Reply(status=200, body=chosen, headers=headers)

    def variable(self, name: str) -> Json:
        one = self.scope.variables[name]
        return one.named(name) | {"value": one.value.decode()}

    def issue(self) -> _Reply:
        one = self.repository.issue(self.asked.given["issue_number"])
        return _Reply(status=200, body=shapes.issue(self.base, self.repository, one))


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,6}", text) and int(text) else default


def _get_repository(one: _Asked) -> _Reply:
    return _Reply(status=200, body=shapes.repository(one.base, one.repository))


def _list_secrets(one: _Asked) -> _Reply:
    secrets = one.scope.secrets
    return one.listed("secrets", [secrets[name].named(name) for name in sorted(secrets)])


def _get_public_key(one: _Asked) -> _Reply:
    return _Reply(status=200, body=one.scope.public_key())


def _get_secret(one: _Asked) -> _Reply:
    name = one.found(one.scope.secrets)
    return _Reply(status=200, body=one.scope.secrets[name].named(name))


def _put_secret(one: _Asked) -> _Reply:
    new = one.scope.put_sealed(one.name, one.body)
    return _Reply(status=201, body={}) if new else _Reply(status=204)


def _delete_secret(one: _Asked) -> _Reply:
    del one.scope.secrets[one.found(one.scope.secrets)]
    return _Reply(status=204)


def _list_variables(one: _Asked) -> _Reply:
    names = sorted(one.scope.variables)
    return one.listed("variables", [one.variable(name) for name in names], default=10)


def _get_variable(one: _Asked) -> _Reply:
    return _Reply(status=200, body=one.variable(one.found(one.scope.variables)))


def _create_variable(one: _Asked) -> _Reply:
    scope, body = one.scope, one.body
    if body["name"].upper() in scope.variables:
        raise Refused(409, "Already exists - Variable already exists")
    scope.put_variable(body["name"], body["value"])
    return _Reply(status=201, body={})


def _update_variable(one: _Asked) -> _Reply:
    scope, body = one.scope, one.body
    name = one.found(scope.variables)
    if "value" in body:
        scope.put_variable(name, body["value"])
    if "name" in body:
        scope.rename_variable(name, body["name"])
    return _Reply(status=204)


def _delete_variable(one: _Asked) -> _Reply:
    del one.scope.variables[one.found(one.scope.variables)]
    return _Reply(status=204)


def _list_environments(one: _Asked) -> _Reply:
    made = one.repository.environments
    return one.listed(
        "environments", [shapes.environment(one.base, one.repository, name) for name in made]
    )


def _get_environment(one: _Asked) -> _Reply:
    asked = one.asked.given["environment_name"]
    for name in one.repository.environments:
        if name.lower() == asked.lower():
            shown = shapes.environment(one.base, one.repository, name)
            return _Reply(status=200, body=shown)
    raise Refused(404, "Not Found")


def _put_environment(one: _Asked) -> _Reply:
    one.repository.add_environment(one.asked.given["environment_name"])
    return _get_environment(one)


def _list_issues(one: _Asked) -> _Reply:
    query = one.request.query
    state = query.get("state", "open")
    labels = {label.strip().lower() for label in query.get("labels", "").split(",")} - {""}
    chosen = [
        issue
        for issue in one.repository.issues
        if state in ("all", issue.state)
        and (one.repository.has_issues or issue.is_pull_request)
        and labels <= set(map(str.lower, issue.labels))
        and moment(issue.updated) >= query.get("since", "")
    ]
    order = {"updated": lambda i: i.updated, "comments": lambda i: len(i.comments)}
    chosen.sort(key=lambda issue: issue.number)
    chosen.sort(key=order.get(query.get("sort", ""), lambda i: i.created))
    if query.get("direction", "desc") == "desc":
        chosen.reverse()
    return one.bare([shapes.issue(one.base, one.repository, issue) for issue in chosen])


def _create_issue(one: _Asked) -> _Reply:
    issue = one.repository.add_issue(one.body, may_label=one.may_push)
    body = shapes.issue(one.base, one.repository, issue)
    return _Reply(status=201, body=body, headers={"Location": body["url"]})


def _update_issue(one: _Asked) -> _Reply:
    issue = one.repository.issue(one.asked.given["issue_number"])
    one.repository.change_issue(issue, one.body, may_label=one.may_push)
    return one.issue()


def _list_comments(one: _Asked) -> _Reply:
    issue = one.repository.issue(one.asked.given["issue_number"])
    places = range(len(issue.comments))
    return one.bare([shapes.comment(one.base, one.repository, issue, place) for place in places])


def _create_comment(one: _Asked) -> _Reply:
    issue = one.repository.issue(one.asked.given["issue_number"])
    place = one.repository.add_comment(issue, one.body["body"])
    body = shapes.comment(one.base, one.repository, issue, place)
    return _Reply(status=201, body=body, headers={"Location": body["url"]})


def _list_labels(one: _Asked) -> _Reply:
    names = sorted(one.repository.labels)
    return one.bare([shapes.label(one.base, one.repository, name) for name in names])


def _get_label(one: _Asked) -> _Reply:
    return _Reply(status=200, body=shapes.label(one.base, one.repository, one.name))


def _create_label(one: _Asked) -> _Reply:
    if not one.may_push:
        raise Refused(403, "You do not have permission to create labels on this repository")
    given = one.body
    one.repository.add_label(
        given["name"], given.get("color", LABEL_COLOR), given.get("description")
    )
    body = shapes.label(one.base, one.repository, given["name"])
    return _Reply(status=201, body=body, headers={"Location": body["url"]})


def _list_jobs(one: _Asked) -> _Reply:
    run = one.asked.given["run_id"]
    for number, jobs in one.repository.jobs.items():
        if str(number) == run:
            return one.listed("jobs", jobs)
    raise Refused(404, "Not Found")


def _list_attempt(one: _Asked) -> _Reply:
    run, attempt = one.asked.given["run_id"], one.asked.given["attempt_number"]
    jobs = one.repository.jobs.get(int(run) if run.isdecimal() else 0)
    if jobs is None:
        raise Refused(404, "Not Found")
    return one.listed("jobs", [job for job in jobs if str(job.get("run_attempt", 1)) == attempt])


def _find_log(one: _Asked) -> _Reply:
    number = one.asked.given["job_id"]
    kept = one.repository.logs.get(int(number) if number.isdecimal() else 0)
    if kept is None:
        raise Refused(404, "Not Found")
    if not kept.address:
        raise Refused(410, "Gone")
    return _Reply(status=302, headers={"Location": kept.address})


def _list_deployments(one: _Asked) -> _Reply:
    filters = {
        name: value
        for name, value in one.request.query.items()
        if name in ("sha", "ref", "task", "environment")
    }
    deployments = one.repository.deployments
    return one.bare([d for d in deployments if all(d[k] == v for k, v in filters.items())])


def _list_statuses(one: _Asked) -> _Reply:
    number = one.asked.given["deployment_id"]
    if number not in {str(made["id"]) for made in one.repository.deployments}:
        raise Refused(404, "Not Found")
    return one.bare(one.repository.statuses.get(int(number), []))


_ANSWERS: Mapping[str, Callable[[_Asked], _Reply]] = {
    "repos/get": _get_repository,
    "actions/list-repo-secrets": _list_secrets,
    "actions/get-repo-public-key": _get_public_key,
    "actions/get-repo-secret": _get_secret,
    "actions/create-or-update-repo-secret": _put_secret,
    "actions/delete-repo-secret": _delete_secret,
    "actions/list-repo-variables": _list_variables,
    "actions/create-repo-variable": _create_variable,
    "actions/get-repo-variable": _get_variable,
    "actions/update-repo-variable": _update_variable,
    "actions/delete-repo-variable": _delete_variable,
    "actions/list-environment-secrets": _list_secrets,
    "actions/get-environment-public-key": _get_public_key,
    "actions/get-environment-secret": _get_secret,
    "actions/create-or-update-environment-secret": _put_secret,
    "actions/delete-environment-secret": _delete_secret,
    "actions/list-environment-variables": _list_variables,
    "actions/create-environment-variable": _create_variable,
    "actions/get-environment-variable": _get_variable,
    "actions/update-environment-variable": _update_variable,
    "actions/delete-environment-variable": _delete_variable,
    "repos/get-all-environments": _list_environments,
    "repos/get-environment": _get_environment,
    "repos/create-or-update-environment": _put_environment,
    "issues/list-for-repo": _list_issues,
    "issues/create": _create_issue,
    "issues/get": _Asked.issue,
    "issues/update": _update_issue,
    "issues/list-comments": _list_comments,
    "issues/create-comment": _create_comment,
    "issues/list-labels-for-repo": _list_labels,
    "issues/create-label": _create_label,
    "issues/get-label": _get_label,
    "actions/list-jobs-for-workflow-run": _list_jobs,
    "actions/list-jobs-for-workflow-run-attempt": _list_attempt,
    "actions/download-job-logs-for-workflow-run": _find_log,
    "repos/list-deployments": _list_deployments,
    "repos/list-deployment-statuses": _list_statuses,
}


@contextmanager
def github_state(
    token: str,
    *,
    repository: str = "acme/orient",
    clock: Callable[[], float] = time.time,
    rate_limit: int = 5000,
) -> Iterator[GitHubState]:
    """Serve until the block ends; fails it when a request or an answer did not fit.

    `token` may do everything. A client may also take the server for its HTTP proxy.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that waits for its head's receipt costs 40 ms

        def do_GET(self) -> None:
            length = self.headers.get("Content-Length", "0")
            raw = self.rfile.read(int(length) if length.isdecimal() else 0)
            parts = urlsplit(self.path)
            host = parts.netloc or self.headers.get("Host", "")
            reply = server.handle(
                _Request(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    raw=raw,
                    base=f"http://{host}",
                )
            )
            if reply.silent:
                self.close_connection = True
                return
            body = b"" if reply.body is None else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if body:
                self.send_header("Content-Type", "application/json; charset=utf-8")
            if reply.status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the journal has it."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = GitHubState(clock, rate_limit)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    server.add_repository(repository)
    server.allow_all(token)
    with serving(http, ending=server.stopping.set):
        yield server
    assert server.problems == []
