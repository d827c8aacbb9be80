"""GitHub's REST API on loopback: answers from a script, after checking each request.

A request is checked against GitHub's own OpenAPI description (`github_description`); one that does
not fit fails the test at its end. An answer that
`answer_to` makes is checked too, so that the fake does not drift from the real thing.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.github_description import operation, request_problems, response_problems
from tests.fakes.loopback import serving

JOBS = "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs"
DEPLOYMENTS = "/repos/{owner}/{repo}/deployments"
STATUSES = "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the client asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What it is told. `hang` answers nothing until the server stops."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False  # close the connection without a word


def jobs_answer(jobs: Sequence[Mapping[str, Any]], total: int) -> Answer:
    """A page of jobs."""
    return answer_to(JOBS, {"total_count": total, "jobs": list(jobs)})


def answer_to(path: str, content: object) -> Answer:
    """What a GET of a path is told; AssertionError when GitHub would not answer so."""
    asked = operation("GET", re.sub(r"\{\w+\}", "1", path))
    assert list(response_problems(asked, 200, content)) == []
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


class GitHubServer:
    """One running server; `requests` are those it got, `problems` what was wrong with them."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.requests: list[Request] = []
        self.problems: list[str] = []
        self.answer: Callable[[Request], Answer] = lambda request: Answer()
        self.stopping = threading.Event()

    def handle(self, request: Request) -> Answer:
        """Check a request, note it, and find its answer."""
        self.requests.append(request)
        self.problems += _problems(request, self.token)
        return self.answer(request)


def _problems(request: Request, token: str) -> Iterator[str]:
    asked = operation(request.method, request.path)
    if asked is None:
        yield f"GitHub has no {request.method} {request.path}"
        return
    yield from request_problems(asked, request.query, request.headers)
    if request.headers.get("authorization") != f"Bearer {token}":
        yield "header authorization is not as GitHub asks"


@contextmanager
def github_server(token: str) -> Iterator[GitHubServer]:
    """Serve until the block ends; fails it when a request did not fit GitHub's description."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that waits for its head's receipt costs 40 ms

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
            )
            answer = server.handle(request)
            if answer.hang:
                server.stopping.wait(30)
            if answer.hang or answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the requests are kept."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = GitHubServer(f"http://127.0.0.1:{http.server_address[1]}", token)
    with serving(http, ending=server.stopping.set):
        yield server
    assert server.problems == []
