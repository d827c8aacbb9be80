"""Where GitHub keeps logs: another host, which must never be told the token.

An address answers what it was given; `problems` is what no client of GitHub should send there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

from tests.fakes.loopback import serving


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What an address answers: the body, `times` over."""

    body: bytes = b""
    times: int = 1
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cut: bool = False  # the connection ends before the body does


class LogStore:
    """One running server."""

    def __init__(self) -> None:
        self.url = ""
        self.kept: dict[str, Kept] = {}
        self.problems: list[str] = []
        self.requests = 0
        self.sent = 0
        self.stopping = threading.Event()

    def keep(self, kept: Kept) -> str:
        """The signed address under which it answers."""
        path = f"/logs/{len(self.kept)}?sig=canary-of-the-signature"
        self.kept[path] = kept
        return f"{self.url}{path}"


@contextmanager
def log_store() -> Iterator[LogStore]:
    """Serve until the block ends; fails it when a token was sent here."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            store.requests += 1
            store.problems += [
                f"{name} was sent to where logs are kept"
                for name in ("Authorization", "Cookie", "X-GitHub-Api-Version")
                if name in self.headers
            ]
            kept = store.kept[self.path]
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            size = len(kept.body) * kept.times
            self.send_header("Content-Length", str(size + kept.cut))
            self.end_headers()
            for _ in range(kept.times):
                try:
                    self.wfile.write(kept.body)
                except OSError:  # the client has enough
                    break
                store.sent += len(kept.body)
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    store = LogStore()
    store.url = f"http://127.0.0.1:{http.server_address[1]}"
    with serving(http, ending=store.stopping.set):
        yield store
    assert store.problems == []
