"""Servers on this machine that answer well, badly, in pieces, or not at all."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from orient_deploy.health.observation import Answer
from orient_deploy.probe.http import ask_http
from orient_deploy.probe.model import HttpProbe

HTML = "text/html; charset=utf-8"
JS = "text/javascript"
RIGHT = ("right", "")
Routes = Mapping[str, tuple[int, Mapping[str, str], str]]
Behaviour = Callable[[socket.socket], None]


def answer_of(port: int, path: str = "/health", scheme: str = "http", **wanted: Any) -> Answer:
    """What a probe of this machine says; whatever it says can be shown."""
    url = f"{scheme}://127.0.0.1:{port}{path}"
    answer = ask_http(HttpProbe(name="p", url=url, **wanted))
    assert answer.probe == "p"
    assert len(answer.detail) <= 300 and answer.detail.isprintable()
    assert bool(answer.detail) == (answer.outcome != "right")
    return answer


def ask(port: int, path: str = "/health", scheme: str = "http", **wanted: Any) -> tuple[str, str]:
    answer = answer_of(port, path, scheme, **wanted)
    return answer.outcome, answer.reason


def local(kind: str, port: int, path: str = "/health") -> str:
    return f"{kind}://localhost:{port}{path}"


# --- servers of HTTP


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Site)
        server.asked.append((self.path, self.headers["Host"]))
        server.take_time()
        status, headers, body = server.routes.get(self.path.partition("?")[0], (404, {}, ""))
        data = body.encode()
        self.send_response(status)
        for name, text in headers.items():
            for one in text.split("\n"):
                self.send_header(name, one)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Site(ThreadingHTTPServer):
    """Answers by its routes, and remembers what was asked of it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, routes: Routes, address: str, context: ssl.SSLContext | None) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.routes, self.asked, self.delay_s = routes, list[tuple[str, str]](), 0.0
        self.most, self._now, self._lock = 0, 0, threading.Lock()
        super().__init__((address, 0), _Handler)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def port(self) -> int:
        number = self.server_address[1]
        assert isinstance(number, int)
        return number

    def take_time(self) -> None:
        """Before an answer: who has one may ask again while its server is still at work.

        `most` is how many waited at once.
        """
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(self.delay_s)
        with self._lock:
            self._now -= 1

    def handle_error(self, *_: Any) -> None:  # who asks may go when it knows enough
        pass


@contextmanager
def site(
    routes: Routes, address: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> Iterator[Site]:
    with Site(routes, address, context) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# --- servers of anything


@contextmanager
def raw(behaviour: Behaviour) -> Iterator[int]:
    """A port where each connection is treated so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    one, _ = listener.accept()
                except TimeoutError:
                    continue
                one.settimeout(5)
                with one, suppress(OSError):
                    behaviour(one)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def close(one: socket.socket) -> None:
    pass


def close_when_asked(one: socket.socket) -> None:
    one.recv(4096)


def silence(one: socket.socket) -> None:
    while one.recv(4096):
        pass


def answering(*data: bytes, and_then: Behaviour = close) -> Behaviour:
    def answer(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(b"".join(data))
        and_then(one)

    return answer


def trickling(begin: bytes, piece: bytes) -> Behaviour:
    """A piece each 50 ms, until nobody listens."""

    def trickle(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(begin)
        for _ in range(100):
            one.sendall(piece)
            time.sleep(0.05)

    return trickle


@contextmanager
def leading_to(port: int, path: Path) -> Iterator[str]:
    """A Unix socket that leads to a port of this machine, as one of SSH leads to a server's."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0.02)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    one, _ = listener.accept()
                except TimeoutError:
                    continue
                with one, suppress(OSError):
                    one.settimeout(5)
                    with socket.create_connection(("127.0.0.1", port), 5) as other:
                        back = threading.Thread(target=_copy, args=(other, one), daemon=True)
                        back.start()
                        _copy(one, other)
                        back.join()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield str(path)
        finally:
            over.set()
            thread.join()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(4096):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


# --- TLS


class Authority:
    """Signs certificates, from a day to a day, itself or by another one that it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = str(folder / "ca.pem")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")
        self._openssl(*self._new("ca"), "-x509", "-days", "9", "-out", "ca.pem")
        self._sign("between", "basicConstraints=critical,CA:TRUE", (-9, 60), "ca")
        self._sign("late", "basicConstraints=critical,CA:TRUE", (-9, -1), "ca")

    def _openssl(self, *words: str) -> None:
        subprocess.run(
            ["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=60
        )

    @staticmethod
    def _new(name: str) -> tuple[str, ...]:
        curve = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        return ("req", "-newkey", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key")

    def _sign(self, name: str, extension: str, days: tuple[float, float], issuer: str) -> None:
        dates = [_date(day, "%Y%m%d%H%M%SZ") for day in days]
        self._openssl(*self._new(name), "-out", f"{name}.csr")
        (self.folder / "ext").write_text(f"{extension}\n")
        self._openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", f"{issuer}.pem"),
            *("-keyfile", f"{issuer}.key", "-in", f"{name}.csr", "-out", f"{name}.pem"),
            *("-extfile", "ext", "-notext", "-startdate", dates[0], "-enddate", dates[1]),
        )

    def context(
        self,
        name: str = "localhost",
        days: tuple[float, float] = (-9, 60),
        issuer: str = "ca",
        sends: tuple[str, ...] = (),
    ) -> ssl.SSLContext:
        """Of a server with a certificate from so many days from now to so many.

        `issuer` is ca, between or late; of these, `sends` go with the certificate. By '' it signs
        itself.
        """
        kind = "IP" if name[0].isdigit() else "DNS"
        extension = f"subjectAltName={kind}:{name}"
        if issuer:
            self._sign(name, extension, days, issuer)
        else:
            self._openssl(*self._new(name), "-x509", "-addext", extension, "-out", f"{name}.pem")
        pems = [self.folder / f"{one}.pem" for one in (name, *sends)]
        (self.folder / "chain.pem").write_text("".join(one.read_text() for one in pems))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "chain.pem", self.folder / f"{name}.key")
        return context


def _date(day: float, form: str) -> str:
    return time.strftime(form, time.gmtime(time.time() + 86_400 * day))


def day(days: float) -> str:
    """The date in so many days."""
    return _date(days, "%Y-%m-%d")
