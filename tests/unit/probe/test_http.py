"""What real servers on this machine answer, and what is said of it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.probe.http import ask_http
from orient_deploy.probe.model import HttpProbe, TcpProbe
from orient_deploy.probe.tcp import ask_tcp

HTML = "text/html; charset=utf-8"
JS = "text/javascript"
PAGE = (
    '<link rel="stylesheet" href="a.css"><script type="module" src="/app/a.js"></script>'
    '<script type="application/json" src="/none.json"></script>'
    '<script src="https://elsewhere.example/x.js"></script>'
)
ROUTES: Mapping[str, tuple[int, Mapping[str, str], str]] = {
    "/health": (200, {"Content-Type": "application/json"}, '{"status": "ok", "db": {"up": true}}'),
    "/empty": (204, {}, ""),
    "/none": (404, {"Content-Type": HTML}, "<h1>no</h1>"),
    "/broken": (502, {"Content-Type": HTML}, "<h1>502 Bad Gateway</h1>\x1b[31m::error::x"),
    "/app/": (200, {"Content-Type": HTML, "X-Frame-Options": "DENY"}, PAGE),
    "/app/a.js": (200, {"Content-Type": JS}, "1"),
    "/app/a.css": (200, {"Content-Type": "text/css"}, ""),
    "/spa/": (200, {"Content-Type": HTML}, '<script src="a.js"></script>'),
    "/spa/a.js": (200, {"Content-Type": HTML}, PAGE),
    "/gone/": (200, {"Content-Type": HTML}, '<script src="b.js"></script>'),
    "/gone/b.js": (404, {"Content-Type": HTML}, ""),
    "/to": (302, {"Location": "/health"}, ""),
    "/round": (302, {"Location": "/about"}, ""),
    "/about": (302, {"Location": "/round"}, ""),
    "/out": (302, {"Location": "ftp://x/"}, ""),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status, headers, body = ROUTES.get(path, ROUTES["/none"])
        if path.startswith("/on/"):
            status, headers = 302, {"Location": f"/on/{int(path[4:]) + 1}"}
        data = body.encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class Server6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextmanager
def serving(
    kind: type[ThreadingHTTPServer] = ThreadingHTTPServer,
    address: str = "127.0.0.1",
    context: ssl.SSLContext | None = None,
) -> Iterator[int]:
    with kind((address, 0), Handler) as server:
        server.daemon_threads = True
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port where each connection is treated so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    one, _ = listener.accept()
                except TimeoutError:
                    continue
                with one:
                    one.settimeout(5)
                    answer(one)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as number:
        yield number


def ask(port: int, path: str = "/health", **wanted: Any) -> tuple[str, str]:
    probe = HttpProbe(name="p", url=f"http://127.0.0.1:{port}{path}", **wanted)
    answer = ask_http(probe)
    assert answer.probe == "p" and len(answer.detail) <= 300 and answer.detail.isprintable()
    return answer.outcome, answer.reason


RIGHT = ("right", "")


@pytest.mark.parametrize(
    ("path", "wanted", "expected"),
    [
        pytest.param("/health", {}, RIGHT, id="200"),
        pytest.param("/empty", {}, RIGHT, id="204"),
        pytest.param("/none", {}, ("wrong", "status"), id="404"),
        pytest.param("/none", {"status": (404,)}, RIGHT, id="404-as-it-must-be"),
        pytest.param("/health", {"status": (404,)}, ("wrong", "status"), id="200-and-not-404"),
        pytest.param("/broken", {}, ("wrong", "status"), id="502"),
        pytest.param("/health", {"body": '"status": "ok"'}, RIGHT, id="body"),
        pytest.param("/health", {"body": "up!"}, ("wrong", "body"), id="other-body"),
        pytest.param("/health", {"json": {"status": "ok", "db.up": "true"}}, RIGHT, id="json"),
        pytest.param("/health", {"json": {"db.up": "false"}}, ("wrong", "json"), id="other-value"),
        pytest.param("/health", {"json": {"db.x": "1"}}, ("wrong", "json"), id="no-such-key"),
        pytest.param("/none", {"status": (404,), "json": {"a": "1"}}, ("wrong", "json"), id="html"),
        pytest.param("/app/", {"headers": {"x-frame-options": "DENY"}}, RIGHT, id="header"),
        pytest.param(
            "/app/", {"headers": {"x-frame-options": "A"}}, ("wrong", "header"), id="other"
        ),
        pytest.param("/app/", {"headers": {"x-none": ""}}, ("wrong", "header"), id="no-header"),
        pytest.param("/health", {"content_type": "application/json"}, RIGHT, id="type"),
        pytest.param("/app/", {"content_type": "text/html"}, RIGHT, id="type-with-parameters"),
        pytest.param("/app/", {"content_type": JS}, ("wrong", "content-type"), id="other-type"),
        pytest.param(
            "/app/", {"follow": r'src="([^"]+\.js)"', "content_type": JS}, RIGHT, id="followed"
        ),
        pytest.param(
            "/spa/",
            {"follow": r'src="([^"]+\.js)"', "content_type": JS},
            ("wrong", "content-type"),
            id="followed-to-html",
        ),
        pytest.param(
            "/gone/", {"follow": 'src="(.*?)"'}, ("wrong", "asset-missing"), id="followed-404"
        ),
        pytest.param("/health", {"follow": "src=(x)"}, ("wrong", "body"), id="nothing-to-follow"),
        pytest.param("/app/", {"assets": True}, RIGHT, id="assets"),
        pytest.param("/spa/", {"assets": True}, ("wrong", "asset-type"), id="html-for-a-script"),
        pytest.param("/gone/", {"assets": True}, ("wrong", "asset-missing"), id="no-such-script"),
        pytest.param("/to", {}, RIGHT, id="redirect"),
        pytest.param("/to", {"redirects": 0, "status": (302,)}, RIGHT, id="the-redirect-itself"),
        pytest.param("/round", {}, ("wrong", "redirect"), id="in-a-circle"),
        pytest.param("/on/1", {}, ("wrong", "redirect"), id="on-and-on"),
        pytest.param("/out", {}, ("wrong", "redirect"), id="to-no-http"),
    ],
)
def test_an_answer_is_judged(
    path: str, wanted: Mapping[str, Any], expected: tuple[str, str], port: int
) -> None:
    assert ask(port, path, **wanted) == expected


def test_an_error_page_is_told_without_its_markup(port: int) -> None:
    answer = ask_http(HttpProbe(name="p", url=f"http://u:zx81@127.0.0.1:{port}/broken?token=zx82"))

    assert answer.status == 502 and "502 Bad Gateway" in answer.detail
    assert "zx8" not in answer.detail and "\x1b" not in answer.detail and "<" not in answer.detail


def reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def trickle(one: socket.socket) -> None:
    one.recv(4096)
    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    try:
        for _ in range(100):
            one.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        pass


def silence(one: socket.socket) -> None:
    try:
        while one.recv(4096):
            pass
    except OSError:
        pass


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def answer(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(data)

    return answer


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(reset, "refused", id="reset"),
        pytest.param(lambda one: None, "refused", id="closed"),
        pytest.param(silence, "no-answer", id="silence"),
        pytest.param(trickle, "no-answer", id="trickle"),
        pytest.param(answering(b"SSH-2.0-x\r\n"), "protocol", id="no-http"),
        pytest.param(answering(b"HTTP/1.1 2x0 OK\r\n\r\n"), "protocol", id="no-status"),
        pytest.param(
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), "refused", id="breaks-off"
        ),
    ],
)
def test_no_answer_has_its_reason(
    behaviour: Callable[[socket.socket], None], expected: str
) -> None:
    begun = time.monotonic()
    with raw(behaviour) as number:
        assert ask(number, timeout_s=0.4) == ("wrong", expected)
        assert time.monotonic() - begun < 1.5


def test_nobody_listens() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        assert ask(one.getsockname()[1]) == ("wrong", "refused")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("http://nothing.invalid/", "dns", id="no-such-name"),
        pytest.param("http://255.255.255.255/", "unreachable", id="no-way"),
        pytest.param("http://" + "a" * 70 + ".example/", "dns", id="no-name"),
    ],
)
def test_what_says_nothing_of_the_service_is_unknown(url: str, reason: str) -> None:
    answer = ask_http(HttpProbe(name="p", url=url, timeout_s=1))

    assert (answer.outcome, answer.reason) == ("unknown", reason)


def test_one_family_is_asked(port: int) -> None:
    with serving(Server6, "::1") as six:
        url = f"http://[::1]:{six}/health"
        assert ask_http(HttpProbe(name="p", url=url)).outcome == "right"
        assert ask_http(HttpProbe(name="p", url=url, family="6")).outcome == "right"
        assert ask_http(HttpProbe(name="p", url=url, family="4")).reason == "dns"
    url = f"http://127.0.0.1:{port}/health"
    assert ask_http(HttpProbe(name="p", url=url, family="4")).outcome == "right"
    assert ask_http(HttpProbe(name="p", url=url, family="6")).reason == "dns"


def test_a_socket_may_lead_there(port: int, tmp_path: Path) -> None:
    """Host and address stay those of the probe; a socket that leads nowhere says nothing."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def pass_on() -> None:
            one, _ = listener.accept()
            with one, socket.create_connection(("127.0.0.1", port)) as other:
                other.sendall(one.recv(4096))
                while data := other.recv(4096):
                    one.sendall(data)

        thread = threading.Thread(target=pass_on)
        thread.start()
        probe = HttpProbe(name="p", url="http://app.invalid/health", via=str(path))
        assert ask_http(probe).outcome == "right"
        thread.join()
    answer = ask_http(replace(probe, via=str(tmp_path / "none")))
    assert (answer.outcome, answer.reason) == ("unknown", "not-observed")


# --- TLS


class Authority:
    """One that signs certificates, from a day to a day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._openssl(*self._new("ca"), "-x509", "-days", "9", "-out", "ca.pem")
        (folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=a\n[a]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )
        (folder / "index").write_text("")
        (folder / "serial").write_text("01\n")

    def _openssl(self, *words: str) -> None:
        subprocess.run(
            ["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=60
        )

    @staticmethod
    def _new(name: str) -> tuple[str, ...]:
        curve = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        return ("req", "-newkey", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key")

    def context(self, name: str, start: float, end: float) -> ssl.SSLContext:
        """Of a server with a certificate from so many days from now to so many."""
        now = time.time()
        dates = [
            time.strftime("%Y%m%d%H%M%SZ", time.gmtime(now + 86_400 * day)) for day in (start, end)
        ]
        self._openssl(*self._new(name), "-out", f"{name}.csr")
        (self.folder / "ext").write_text(f"subjectAltName=DNS:{name}\n")
        self._openssl(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"),
            *("-in", f"{name}.csr", "-out", f"{name}.pem", "-extfile", "ext", "-notext"),
            *("-startdate", dates[0], "-enddate", dates[1]),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize(
    ("name", "days", "is_known", "expected", "warning"),
    [
        pytest.param("localhost", (-9, 60), True, RIGHT, "", id="valid"),
        pytest.param("localhost", (-9, 5.5), True, RIGHT, "expires in 5 days", id="soon"),
        pytest.param("localhost", (-9, -1), True, ("wrong", "tls-expired"), "", id="expired"),
        pytest.param("localhost", (2, 9), True, ("wrong", "tls-not-yet-valid"), "", id="not-yet"),
        pytest.param("other.example", (-9, 60), True, ("wrong", "tls-name"), "", id="other-name"),
        pytest.param("localhost", (-9, 60), False, ("wrong", "tls-untrusted"), "", id="unknown"),
    ],
)
def test_a_certificate_is_judged(
    name: str,
    days: tuple[float, float],
    is_known: bool,
    expected: tuple[str, str],
    warning: str,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.folder / "ca.pem"))
    with serving(context=authority.context(name, *days)) as number:
        answer = ask_http(HttpProbe(name="p", url=f"https://localhost:{number}/health"))

    assert (answer.outcome, answer.reason) == expected
    assert [warning in one for one in answer.warnings] == ([True] if warning else [])


def test_what_speaks_no_tls_is_told(port: int) -> None:
    answer = ask_http(HttpProbe(name="p", url=f"https://127.0.0.1:{port}/", timeout_s=2))

    assert (answer.outcome, answer.reason) == ("wrong", "tls")


# --- TCP


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(silence, RIGHT, id="waits-for-us"),
        pytest.param(lambda one: one.sendall(b"220 hello\r\n"), RIGHT, id="speaks-first"),
        pytest.param(lambda one: None, ("wrong", "refused"), id="closes-at-once"),
        pytest.param(reset, ("wrong", "refused"), id="resets-at-once"),
    ],
)
def test_a_port_takes_connections(
    behaviour: Callable[[socket.socket], None], expected: tuple[str, str]
) -> None:
    with raw(behaviour) as number:
        answer = ask_tcp(TcpProbe(name="p", host="127.0.0.1", port=number))

    assert (answer.outcome, answer.reason) == expected


def test_json_of_the_answer_may_be_a_list(port: int) -> None:
    body = json.dumps([{"up": 3}])
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    with raw(answering(answer)) as number:
        assert ask(number, json={"0.up": "3"}) == RIGHT
