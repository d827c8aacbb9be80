"""The way through a proxy, as the environment names it."""

from __future__ import annotations

import base64
import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orient_deploy.registry.client import Registry
from orient_deploy.registry.model import Absent, Answer, Unknown
from orient_deploy.registry.transport import _proxy
from tests.fakes.hostile_registry import HostileRegistry, hostile_registry
from tests.fakes.loopback import serving

Client = Callable[..., Registry]

NAME = "registry.example.com"
PASSWORD = "a-secret-of-the-proxy"


@dataclass
class Proxy:
    """Takes CONNECT, and leads to one and the same server, wherever it should go."""

    target: tuple[str, int]
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)  # where to, who we say we are
    status: int = 200


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostileRegistry]:
    """A registry that calls itself registry.example.com, and may."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={NAME}"),
            *("-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", certificate),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
        timeout=60,
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with hostile_registry((certificate, key)) as running:
        yield running


@pytest.fixture
def proxy(registry: HostileRegistry) -> Iterator[Proxy]:
    host, _, port = registry.host.partition(":")
    proxy = Proxy((host, int(port)))

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxy.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
            self.send_response(proxy.status)
            self.end_headers()
            if proxy.status == 200:
                with socket.create_connection(proxy.target, timeout=30) as server:
                    back = threading.Thread(target=pipe, args=(server, self.connection))
                    back.start()
                    pipe(self.connection, server)
                    back.join(30)
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing: the requests are kept."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    proxy.url = f"127.0.0.1:{http.server_address[1]}"
    with serving(http):
        yield proxy


def pipe(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):  # whoever has had enough
        while part := one.recv(65536):
            other.sendall(part)
        other.shutdown(socket.SHUT_WR)


def ask(client: Client) -> Answer:
    return client().look_up([(f"{NAME}/acme/orient", "latest")])[0]


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_registry_is_asked_through_the_proxy(
    client: Client,
    registry: HostileRegistry,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    scheme: str,
) -> None:
    monkeypatch.setenv(variable, f"{scheme}{proxy.url}")

    assert ask(client) == Absent()
    assert proxy.asked[0] == (f"{NAME}:443", "")
    assert registry.requests[0].headers["host"] == NAME


def test_a_proxy_is_told_who_we_are(
    client: Client, registry: HostileRegistry, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://us%40here:{PASSWORD}@{proxy.url}")

    assert ask(client) == Absent()
    said = base64.b64encode(f"us@here:{PASSWORD}".encode()).decode()
    assert proxy.asked[0] == (f"{NAME}:443", f"Basic {said}")
    assert "proxy-authorization" not in registry.requests[0].headers


@pytest.mark.parametrize("status", [407, 403, 502])
def test_a_proxy_that_refuses_is_named(
    client: Client, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://us:{PASSWORD}@{proxy.url}")
    proxy.status = status

    answer = ask(client)

    assert isinstance(answer, Unknown)
    assert f"the proxy to {NAME} failed: correct HTTPS_PROXY" in answer.why
    assert PASSWORD not in answer.why


def test_a_certificate_counts_through_a_proxy_too(
    client: Client,
    registry: HostileRegistry,
    proxy: Proxy,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")

    answer = ask(client)

    assert isinstance(answer, Unknown) and "is not trusted" in answer.why
    assert (registry.requests, waits) == ([], [])


def test_this_machine_is_asked_without(
    client: Client, hostile: HostileRegistry, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)

    assert client().look_up([(f"{hostile.host}/acme/orient", "latest")]) == [Absent()]
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("excepted", "host", "through"),
    [
        ("", "ghcr.io", True),
        ("ghcr.io", "ghcr.io", False),
        (".example.com,quay.io", "registry.example.com", False),
        ("example.com", "registry.example.com:8443", False),
        ("registry.example.com:8443", "registry.example.com:8443", False),
        ("10.0.0.0/8", "10.1.2.3", False),
        ("10.0.0.0/8", "11.1.2.3", True),
        ("*", "ghcr.io", False),
        ("quay.io", "ghcr.io", True),
    ],
)
def test_exceptions_count(
    monkeypatch: pytest.MonkeyPatch, excepted: str, host: str, through: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", excepted)

    found = _proxy(f"https://{host}/v2/")

    assert found == ("http://proxy.example.com:3128" if through else "")


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "nonsense://x", "http://[", "http://a:b:c"]
)
def test_a_proxy_that_is_none_is_a_doubt(
    client: Client, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    assert isinstance(ask(client), Unknown)
