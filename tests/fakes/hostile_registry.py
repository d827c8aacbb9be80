"""A registry on loopback that answers as it is told: refusing, failing, lying, slow.

    with hostile_registry() as server:
        server.on("HEAD /v2/acme/orient/manifests/latest", Answer(status=503), Answer(status=404))

What nothing was said of is answered as a small empty registry would. Every request is kept, with
the headers it came with.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.fakes.loopback import serving

MARK = {"Docker-Distribution-Api-Version": "registry/2.0"}
UNKNOWN_MANIFEST = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str  # with its query
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is told. The length is said as it is, unless `headers` say another."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False  # not a word until the server stops
    drop: bool = False  # the connection ends without a word
    raw: bytes = b""  # these bytes and the connection's end, in place of an answer
    drip: bytes = b""  # these bytes, one every 20 ms, again and again


class HostileRegistry:
    """One running server."""

    def __init__(self, address: str, *, tls: bool) -> None:
        self.host = address
        self.url = f"{'https' if tls else 'http'}://{address}"
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._told: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()

    def on(self, request: str, *answers: Answer) -> None:
        """Answer 'METHOD /path' so, one answer after the other; the last one stays."""
        self._told[request] = list(answers)

    def asked(self, request: str = "") -> list[Request]:
        """The requests whose 'METHOD /path' begins so."""
        return [one for one in self.requests if f"{one.method} {one.path}".startswith(request)]

    def handle(self, request: Request) -> Answer:
        """Note a request and find its answer; a query need not be named by what was told."""
        with self._lock:
            self.requests.append(request)
            line = f"{request.method} {request.path}"
            told = self._told.get(line) or self._told.get(line.partition("?")[0])
            if told:
                return told.pop(0) if len(told) > 1 else told[0]
        if request.path == "/v2/":
            return Answer(headers={**MARK, "Content-Type": "application/json"}, body=b"{}")
        headers = {**MARK, "Content-Type": "application/json"}
        return Answer(status=404, headers=headers, body=UNKNOWN_MANIFEST)


@contextmanager
def hostile_registry(certificate: tuple[Path, Path] | None = None) -> Iterator[HostileRegistry]:
    """Start one; with a certificate and its key, over TLS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body that waits for its head's receipt costs 40 ms

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = server.handle(
                Request(
                    method=self.command,
                    path=self.path,
                    headers=headers,
                    body=self.rfile.read(length),
                )
            )
            with contextlib.suppress(OSError):  # the client has gone
                self._send(answer)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def _send(self, answer: Answer) -> None:
            self.close_connection = bool(answer.hang or answer.drop or answer.raw or answer.drip)
            if answer.hang:
                server.stopping.wait(30)
            elif answer.raw:
                self.wfile.write(answer.raw)
            elif answer.drip:
                while not server.stopping.wait(0.02):
                    for byte in answer.drip:
                        self.wfile.write(bytes([byte]))
                        if server.stopping.wait(0.02):
                            return
            elif not answer.drop:
                self.send_response(answer.status)
                length = {"Content-Length": str(len(answer.body))}
                for name, value in {**length, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the requests are kept."""

    http = _Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        http.socket = context.wrap_socket(
            http.socket, server_side=True, do_handshake_on_connect=False
        )
    address = f"127.0.0.1:{http.server_address[1]}"
    server = HostileRegistry(address, tls=certificate is not None)
    with serving(http, ending=server.stopping.set):
        yield server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # sixty clients at once

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: clients that end a handshake or a connection are what is tested."""
