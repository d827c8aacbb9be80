"""Ways to a server, by names, addresses, sockets and TLS, and what is said where there is none."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.probe.connection import why
from orient_deploy.probe.http import ask_http
from orient_deploy.probe.model import HttpProbe, TcpProbe
from orient_deploy.probe.tcp import ask_tcp
from tests.unit.probe.servers import (
    RIGHT,
    Authority,
    Behaviour,
    Routes,
    Site,
    answer_of,
    answering,
    ask,
    close,
    close_when_asked,
    day,
    leading_to,
    local,
    raw,
    reset,
    silence,
    site,
)

ROUTES: Routes = {"/health": (200, {}, "ok"), "/to": (302, {"Location": "/health"}, "")}
NO_WAY = "255.255.255.255"


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site(ROUTES) as server:
        yield server


@pytest.fixture(scope="module")
def nobody() -> Iterator[int]:
    """A port that nobody listens at, and that nobody else takes."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_nobody_listens(nobody: int) -> None:
    assert ask(nobody) == ("wrong", "refused")
    answer = ask_tcp(TcpProbe(name="p", host="127.0.0.1", port=nobody))
    assert (answer.outcome, answer.reason) == ("wrong", "refused")


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        pytest.param("nothing.invalid", "dns", id="no-such-name"),
        pytest.param("a" * 70 + ".example", "dns", id="no-name"),
        pytest.param("ü" * 70 + ".example", "dns", id="no-name-of-letters"),
        pytest.param("a..example", "dns", id="nothing-between-dots"),
        pytest.param(NO_WAY, "unreachable", id="no-way"),
    ],
)
def test_what_says_nothing_of_the_service_is_unknown(host: str, reason: str) -> None:
    for answer in (
        ask_http(HttpProbe(name="p", url=f"http://{host}/", timeout_s=1)),
        ask_tcp(TcpProbe(name="p", host=host, port=80, timeout_s=1)),
    ):
        assert (answer.outcome, answer.reason) == ("unknown", reason)
        assert answer.detail.isprintable()


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        *((one, "unreachable") for one in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN)),
        *((one, "unreachable") for one in (errno.EACCES, errno.EPERM, errno.EMFILE)),
        *((one, "refused") for one in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE)),
        (errno.ETIMEDOUT, "no-answer"),
    ],
    ids=lambda one: errno.errorcode.get(one, "") if isinstance(one, int) else one,
)
def test_errors_of_the_system_have_their_word(number: int, expected: str) -> None:
    said = why(OSError(number, os.strerror(number)), "x:80")

    assert (said.reason, said.is_unknown) == (expected, expected == "unreachable")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("nonsense", id="no-scheme"),
        pytest.param("ftp://x/", id="no-http"),
        pytest.param("http://[x/", id="open-bracket"),
        pytest.param("http://x:99999/", id="no-port"),
        pytest.param("http:///x", id="no-host"),
    ],
)
def test_what_is_no_address_is_told(url: str) -> None:
    assert ask_http(HttpProbe(name="p", url=url)).outcome == "wrong"


# --- addresses


def test_one_family_is_asked(here: Site) -> None:
    with site(ROUTES, "::1") as six:
        probe = HttpProbe(name="p", url=f"http://[::1]:{six.port}/to")
        assert ask_http(probe).outcome == "right"
        assert ask_http(replace(probe, family="6")).outcome == "right"
        assert ask_http(replace(probe, family="4")).reason == "dns"
        assert six.asked[0] == ("/to", f"[::1]:{six.port}")
        tcp = TcpProbe(name="p", host="::1", port=six.port)
        assert ask_tcp(tcp).outcome == "right"
        assert ask_tcp(replace(tcp, family="4")).reason == "dns"
    assert ask(here.port, family="4") == RIGHT
    assert ask(here.port, family="6") == ("unknown", "dns")


def resolved(to: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name have these addresses."""
    real = socket.getaddrinfo
    found = [one for host, port in to for one in real(host, port, 0, socket.SOCK_STREAM)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)


def test_another_address_may_answer(
    here: Site, nobody: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved([(NO_WAY, 1), ("127.0.0.1", nobody), ("127.0.0.1", here.port)], monkeypatch)

    assert ask_http(HttpProbe(name="p", url="http://app.invalid/health")).outcome == "right"


@pytest.mark.parametrize("is_first", [False, True], ids=["no-way-last", "no-way-first"])
def test_an_address_that_refuses_is_told_before_one_without_a_way(
    is_first: bool, nobody: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a server of IPv4 and IPv6 is down, and here is no IPv6."""
    addresses = [("127.0.0.1", nobody), (NO_WAY, 1)]
    resolved(addresses[::-1] if is_first else addresses, monkeypatch)
    answer = ask_tcp(TcpProbe(name="p", host="app.invalid", port=80))

    assert (answer.outcome, answer.reason) == ("wrong", "refused")


def test_a_family_that_this_machine_does_not_have_is_no_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on machines that boot with ipv6.disable=1."""
    strange = (socket.AF_APPLETALK, socket.SOCK_STREAM, 0, "", ("::1", 80, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [strange])
    answer = ask_tcp(TcpProbe(name="p", host="app.invalid", port=80))

    assert (answer.outcome, answer.reason) == ("unknown", "unreachable")


def test_no_address_is_tried_behind_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved([("127.0.0.1", 1)], monkeypatch)
    answer = ask_tcp(TcpProbe(name="p", host="app.invalid", port=80, timeout_s=0))

    assert (answer.outcome, answer.reason) == ("wrong", "no-answer")


def test_addresses_that_are_silent_share_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        place = full.getsockname()
        first = [socket.socket() for _ in range(4)]  # which nobody accepts: then no more come in
        for one in first:
            one.setblocking(False)
            one.connect_ex(place)
        resolved([place] * 3, monkeypatch)
        begun = time.monotonic()
        answer = ask_tcp(TcpProbe(name="p", host="app.invalid", port=80, timeout_s=0.4))
        took = time.monotonic() - begun
        for one in first:
            one.close()

    assert (answer.outcome, answer.reason) == ("wrong", "no-answer")
    assert 0.3 < took < 0.9


# --- sockets that lead there


def test_a_socket_may_lead_there(here: Site, tmp_path: Path) -> None:
    """Host and address stay those of the probe, also behind a redirect."""
    here.asked.clear()
    with leading_to(here.port, tmp_path / "s") as path:
        probe = HttpProbe(name="p", url="http://app.invalid/to", via=path)
        assert ask_http(probe).outcome == "right"
        assert ask_tcp(TcpProbe(name="p", host="app.invalid", port=1, via=path)).outcome == "right"

    assert here.asked == [("/to", "app.invalid"), ("/health", "app.invalid")]


def test_a_socket_that_leads_nowhere_says_nothing(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none"), str(tmp_path / ("a" * 200))):
        probe = HttpProbe(name="p", url="http://app.invalid/", via=path)
        answer = ask_http(probe)
        assert (answer.outcome, answer.reason) == ("unknown", "not-observed")
        assert str(tmp_path) not in answer.detail
        tcp = TcpProbe(name="p", host="app.invalid", port=1, via=path)
        assert ask_tcp(tcp).reason == "not-observed"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socket_that_leads_to_nobody_is_refused(scheme: str, nobody: int, tmp_path: Path) -> None:
    """SSH takes the connection, and closes it when the server's side is refused."""
    with leading_to(nobody, tmp_path / "s") as path:
        probe = HttpProbe(name="p", url=f"{scheme}://app.invalid/", via=path)
        assert ask_http(probe).reason == "refused"
        tcp = TcpProbe(name="p", host="app.invalid", port=1, via=path)
        assert ask_tcp(tcp).reason == "refused"


@pytest.mark.parametrize(
    "target", ["http://other.invalid/", "http://app.invalid:8080/", "https://app.invalid/"]
)
def test_another_place_is_not_asked_through_it(target: str, tmp_path: Path) -> None:
    with site({"/": (302, {"Location": target}, "")}) as server:
        with leading_to(server.port, tmp_path / "s") as path:
            answer = ask_http(HttpProbe(name="p", url="http://app.invalid/", via=path))

        assert answer.reason == "dns" and len(server.asked) == 1


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def known(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", authority.path)
    return authority


@pytest.mark.parametrize(
    ("wanted", "reason", "detail"),
    [
        pytest.param({}, "", "", id="valid"),
        pytest.param({"issuer": "between", "sends": ("between",)}, "", "", id="with-its-chain"),
        pytest.param(
            {"days": (-9, -1.5)},
            "tls-expired",
            f"the certificate of localhost has expired on {day(-1.5)}",
            id="expired",
        ),
        pytest.param(
            {"issuer": "late", "sends": ("late",)},
            "tls-expired",
            "a certificate in the chain of localhost has expired",
            id="expired-in-its-chain",
        ),
        pytest.param(
            {"days": (2, 9)},
            "tls-not-yet-valid",
            "the certificate of localhost is not valid yet",
            id="not-yet",
        ),
        pytest.param(
            {"name": "other.example"},
            "tls-name",
            "the certificate is not one of localhost",
            id="other-name",
        ),
        pytest.param(
            {"name": "127.0.0.1"},
            "tls-name",
            "the certificate is not one of localhost",
            id="address-for-a-name",
        ),
        pytest.param(
            {"issuer": "between"},
            "tls-untrusted",
            "the certificate of localhost is not trusted: its chain is incomplete, or its "
            "authority is not known here",
            id="without-its-chain",
        ),
        pytest.param(
            {"issuer": ""},
            "tls-untrusted",
            "the certificate of localhost is not trusted: it is self-signed",
            id="self-signed",
        ),
    ],
)
def test_a_certificate_is_judged(
    wanted: dict[str, Any], reason: str, detail: str, known: Authority
) -> None:
    with site(ROUTES, context=known.context(**wanted)) as server:
        answer = ask_http(HttpProbe(name="p", url=local("https", server.port)))

    assert (answer.reason, answer.detail, answer.warnings) == (reason, detail, ())
    assert answer.outcome == ("wrong" if reason else "right")


def test_an_expired_certificate_is_told_without_a_second_look(known: Authority) -> None:
    """Since when is what a second connection tells, where there is one."""
    context, times = known.context(days=(-9, -1)), iter((speaking_tls, None))

    def once(one: socket.socket) -> None:
        if behaviour := next(times):
            behaviour(context)(one)

    with raw(once) as number:
        answer = ask_http(HttpProbe(name="p", url=local("https", number)))

    assert answer.reason == "tls-expired"
    assert answer.detail == "the certificate of localhost has expired"


def test_an_unknown_authority_is_told(authority: Authority) -> None:
    with site(ROUTES, context=authority.context(sends=("ca",))) as server:
        answer = ask_http(HttpProbe(name="p", url=local("https", server.port)))

    assert (answer.outcome, answer.reason) == ("wrong", "tls-untrusted")
    assert "its chain ends in a self-signed certificate that is not known here" in answer.detail


def test_an_address_may_have_a_certificate(known: Authority) -> None:
    with site(ROUTES, context=known.context("127.0.0.1")) as server:
        assert ask(server.port, scheme="https") == RIGHT


@pytest.mark.parametrize(
    ("days", "least", "said"),
    [
        pytest.param(14.5, 14, "", id="enough"),
        pytest.param(13.5, 14, "expires in 13 days", id="soon"),
        pytest.param(13.5, 13, "", id="enough-of-fewer"),
        pytest.param(1.5, 14, "expires in 1 day (", id="tomorrow"),
        pytest.param(0.5, 14, "expires in 0 days", id="today"),
        pytest.param(0.5, 0, "", id="nobody-minds"),
    ],
)
def test_a_certificate_that_expires_soon_is_a_warning(
    days: float, least: int, said: str, known: Authority
) -> None:
    with site(ROUTES, context=known.context(days=(-9, days))) as server:
        url = local("https", server.port, "/to")
        answer = ask_http(HttpProbe(name="p", url=url, tls_days=least))

    assert answer.outcome == "right"
    assert len(answer.warnings) == bool(said)  # once, although two answers were had
    for warning in answer.warnings:
        assert warning.startswith(f"the certificate of localhost {said}")
        assert warning.endswith(f"({day(days)})")


def test_a_warning_stays_with_a_wrong_answer(known: Authority) -> None:
    with site(ROUTES, context=known.context(days=(-9, 3.5))) as server:
        answer = ask_http(HttpProbe(name="p", url=local("https", server.port, "/none")))

    assert (answer.reason, len(answer.warnings)) == ("status", 1)


def test_a_socket_keeps_the_name_of_tls(known: Authority, tmp_path: Path) -> None:
    with (
        site(ROUTES, context=known.context("app.invalid")) as server,
        leading_to(server.port, tmp_path / "s") as path,
    ):
        probe = HttpProbe(name="p", url="https://app.invalid/health", via=path)
        assert ask_http(probe).outcome == "right"
        assert ask_http(replace(probe, url="https://b.invalid/health")).reason == "tls-name"
        assert server.asked == [("/health", "app.invalid")]


def test_https_does_not_lead_to_http(here: Site, known: Authority) -> None:
    routes: Routes = {
        "/down": (302, {"Location": local("http", here.port)}, ""),
        "/health": (200, {}, ""),
    }
    with site(routes, context=known.context()) as server:
        down = ask_http(HttpProbe(name="p", url=local("https", server.port, "/down")))
        up = {"/": (302, {"Location": local("https", server.port)}, "")}
        with site(up) as plain:
            assert ask(plain.port, "/") == RIGHT

    assert (down.outcome, down.reason) == ("wrong", "redirect")


def alert(one: socket.socket) -> None:
    one.recv(4096)
    one.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # fatal: handshake_failure
    one.recv(4096)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(alert, "tls", id="alert"),
        pytest.param(lambda one: one.sendall(b"220 hello\r\n" * 9), "tls", id="no-tls"),
        pytest.param(close, "refused", id="closed"),
        pytest.param(close_when_asked, "refused", id="closed-when-asked"),
        pytest.param(reset, "refused", id="reset"),
        pytest.param(silence, "no-answer", id="silence"),
    ],
)
def test_a_handshake_that_fails_has_its_reason(behaviour: Behaviour, reason: str) -> None:
    with raw(behaviour) as number:
        begun = time.monotonic()
        assert ask(number, scheme="https", timeout_s=0.4) == ("wrong", reason)
        assert time.monotonic() - begun < 0.9


def test_http_at_the_port_of_https_is_told(here: Site) -> None:
    answer = answer_of(here.port, scheme="https")

    assert (answer.outcome, answer.reason) == ("wrong", "tls")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(answering(b"\x15\x03\x01\x00\x02\x02\x46"), "protocol", id="alert"),
        pytest.param(answering(), "refused", id="closed"),
    ],
)
def test_tls_at_the_port_of_http_is_told(behaviour: Behaviour, reason: str) -> None:
    """Servers of TLS answer what is none with an alert, or not at all."""
    with raw(behaviour) as number:
        assert ask(number) == ("wrong", reason)


def test_a_server_that_asks_for_our_certificate_is_told(known: Authority) -> None:
    """With TLS 1.3 it says so after the handshake."""
    context = known.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(known.path)
    with raw(speaking_tls(context)) as number:
        answer = ask_http(HttpProbe(name="p", url=local("https", number)))

    assert (answer.outcome, answer.reason) == ("wrong", "tls")
    assert "certificate required" in answer.detail


def speaking_tls(context: ssl.SSLContext) -> Behaviour:
    def answer(one: socket.socket) -> None:
        with one.dup() as rest:
            with (
                suppress(ssl.SSLError),
                context.wrap_socket(one, server_side=True) as secure,
            ):
                secure.recv(4096)
            silence(rest)  # who closes before all is read resets, and its alert is lost

    return answer


def test_tls_that_trickles_ends_with_the_limit(known: Authority) -> None:
    context = known.context()

    def trickle(one: socket.socket) -> None:
        with context.wrap_socket(one, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                secure.sendall(b"x")
                time.sleep(0.05)

    with raw(trickle) as number:
        begun = time.monotonic()
        probe = HttpProbe(name="p", url=local("https", number), timeout_s=0.5)
        assert ask_http(probe).reason == "no-answer"
        assert time.monotonic() - begun < 1


def test_many_ask_over_tls_at_once(known: Authority) -> None:
    found: list[str] = []
    with site(ROUTES, context=known.context()) as server:
        probe = HttpProbe(name="p", url=local("https", server.port))
        threads = [
            threading.Thread(target=lambda: found.append(ask_http(probe).outcome))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == ["right"] * 16


# --- TCP


def speaking(one: socket.socket) -> None:
    one.sendall(b"220 hello\r\n")


def held(seconds: float, then: Behaviour) -> Callable[[socket.socket], None]:
    """A connection that is treated so after a while."""

    def hold(one: socket.socket) -> None:
        threading.Event().wait(seconds)
        then(one)

    return hold


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(silence, RIGHT, id="waits-for-us"),
        pytest.param(speaking, RIGHT, id="speaks-first"),
        pytest.param(close, ("wrong", "refused"), id="closes-at-once"),
        pytest.param(reset, ("wrong", "refused"), id="resets-at-once"),
        pytest.param(held(0.05, reset), ("wrong", "refused"), id="resets-soon"),
        pytest.param(held(0.6, close), RIGHT, id="closes-one-that-says-nothing"),
    ],
)
def test_a_port_takes_connections(behaviour: Behaviour, expected: tuple[str, str]) -> None:
    with raw(behaviour) as number:
        answer = ask_tcp(TcpProbe(name="p", host="127.0.0.1", port=number))

    assert (answer.outcome, answer.reason) == expected
