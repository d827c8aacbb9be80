"""GitHub's REST API on loopback: answers from a script, after checking each request.

A request is checked against GitHub's own OpenAPI description, of which `github_api.json` holds the
operations that are used here; a request that does not fit fails the test at its end. An answer that
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
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema

_API = json.loads((Path(__file__).parent / "github_api.json").read_text(encoding="utf-8"))
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
    operation = _API["paths"][path]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    problem = next(jsonschema.Draft7Validator(_nullable(schema)).iter_errors(content), None)
    assert problem is None, problem
    return Answer(body=json.dumps(content).encode(), headers={"Content-Type": "application/json"})


def _nullable(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _nullable(value) for key, value in schema.items() if key != "nullable"}
    if schema.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, changed]}
    return changed


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
    for path, methods in _API["paths"].items():
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        found = re.fullmatch(pattern, request.path)
        operation = methods.get(request.method.lower())
        if found and operation:
            break
    else:
        yield f"GitHub has no {request.method} {request.path}"
        return
    given = {"path": found.groupdict(), "query": dict(request.query)}
    known: dict[str, set[str]] = {"path": set(), "query": set()}
    for parameter in operation["parameters"]:
        place, name = parameter["in"], parameter["name"]
        known[place].add(name)
        if name not in given[place]:
            if parameter.get("required"):
                yield f"{place} lacks {name}"
            continue
        value: Any = given[place][name]
        if parameter["schema"]["type"] == "integer" and re.fullmatch(r"[0-9]+", value):
            value = int(value)
        for error in jsonschema.Draft7Validator(parameter["schema"]).iter_errors(value):
            yield f"{place} {name}: {error.message}"
    for name in given["query"].keys() - known["query"]:
        yield f"query has {name}, which GitHub does not know"
    if int(request.query.get("per_page", "30")) > 100:
        yield "per_page is above 100"  # said in words only: "max 100"
    wanted = {"authorization": f"Bearer {token}"}
    if not request.headers.get("user-agent", "").startswith("PyGithub/"):  # it asks as of old
        wanted["accept"] = "application/vnd.github+json"
        wanted["x-github-api-version"] = "2022-11-28"
    for name, expected in wanted.items():
        if request.headers.get(name) != expected:
            yield f"header {name} is not as GitHub asks"
    if not request.headers.get("user-agent"):
        yield "GitHub refuses requests without a user-agent"


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
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        http.shutdown()
        thread.join(10)
        http.server_close()
    assert server.problems == []
