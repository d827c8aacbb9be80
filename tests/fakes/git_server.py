"""git's smart HTTP on loopback: `git http-backend` behind a small threaded server.

    with GitServer(root, GitServerOptions(allow_filter=False)) as server:
        Remote(server_url=server.url, repository="acme/app")   # serves root/acme/app

It can be as old, strict, slow or broken as a test needs, and remembers every request.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType


@dataclass(frozen=True, kw_only=True)
class GitServerOptions:
    allow_filter: bool = True
    # False: only the ids of advertised tips are handed out. git enforces this only with version 0
    # of its protocol, which is then spoken.
    any_id: bool = True
    settings: tuple[tuple[str, str], ...] = ()  # more of git's configuration
    token: str = ""  # asked for, as a password of the user x-access-token
    hang: bool = False  # takes every request and never answers
    hang_after: int | None = None  # the same, from the n-th request on
    failures: int = 0  # so many requests are answered with `failure_status`, then it works
    failure_status: int = 503
    redirect_to: str = ""  # another server, to which every request is sent on
    on_request: Callable[[], None] | None = None  # called while the client waits


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    status: int
    received: int  # bytes of the request's body
    sent: int  # bytes of the answer's body
    authorization: str


class GitServer:
    """A context manager; everything it started has ended when it is left."""

    def __init__(self, root: Path, options: GitServerOptions | None = None) -> None:
        self.root = root
        self.options = options or GitServerOptions()
        self.requests: list[Request] = []
        self.lock = threading.Lock()
        self.failed = 0
        self.arrived = 0
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def refusing_server() -> Iterator[str]:
    """The URL of a port that is taken and on which nobody listens: connections are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    owner: GitServer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self) -> None:
        owner, options = self.server.owner, self.server.owner.options
        body = self._body()
        with owner.lock:
            owner.arrived += 1
            number = owner.arrived
            fails = owner.failed < options.failures
            owner.failed += fails
        if options.on_request:
            options.on_request()
        if options.hang or (options.hang_after is not None and number > options.hang_after):
            owner.over.wait(60)
            self.close_connection = True
        elif options.redirect_to:
            location = {"Location": options.redirect_to + self.path, "Content-Type": "text/plain"}
            self._answer(301, location, b"", len(body))
        elif fails:
            self._answer(options.failure_status, {"Content-Type": "text/plain"}, b"", len(body))
        elif options.token and self.headers.get("Authorization") != _basic(options.token):
            headers = {"WWW-Authenticate": 'Basic realm="git"', "Content-Type": "text/plain"}
            self._answer(401, headers, b"", len(body))
        else:
            self._answer(*self._backend(body), len(body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _backend(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        owner, options = self.server.owner, self.server.owner.options
        path, _, query = self.path.partition("?")
        settings = {
            "uploadpack.allowFilter": str(options.allow_filter).lower(),
            "uploadpack.allowAnySHA1InWant": str(options.any_id).lower(),
            "safe.directory": "*",
            **dict(options.settings),
        }
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROJECT_ROOT": str(owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for number, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        if options.any_id:
            environment["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, env=environment, timeout=60
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if line)
        status = int(headers.pop("Status", "200").split()[0])
        return status, headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes, received: int) -> None:
        owner = self.server.owner
        authorization = self.headers.get("Authorization", "")
        with owner.lock:
            owner.requests.append(
                Request(self.command, self.path, status, received, len(content), authorization)
            )
        with contextlib.suppress(ConnectionError):  # the client was ended
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


def _basic(token: str) -> str:
    return "basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
