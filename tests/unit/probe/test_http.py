"""What real servers answer over HTTP, and what is said of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from orient_deploy.probe.http import BODY_MAX_BYTES, ask_http
from orient_deploy.probe.model import HttpProbe
from tests.unit.probe.servers import (
    HTML,
    JS,
    RIGHT,
    Behaviour,
    Routes,
    Site,
    answer_of,
    answering,
    ask,
    raw,
    reset,
    silence,
    site,
    trickling,
)

HEALTH = '{"status": "ok", "up": 3, "db": {"up": true, "since": null}, "all": [{"n": "1"}]}'
ROUTES: Routes = {
    "/health": (200, {"Content-Type": "application/json", "X-A": "b\nc"}, HEALTH),
    "/empty": (204, {}, ""),
    "/none": (404, {"Content-Type": HTML}, "<h1>no</h1>"),
    "/page/": (200, {"Content-Type": HTML}, '<script src="a.js"></script>'),
    "/page/a.js": (200, {"Content-Type": JS}, "1"),
    "/spa/": (200, {"Content-Type": HTML}, '<script src="a.js"></script>'),
    "/spa/a.js": (200, {"Content-Type": HTML}, "<p>"),
    "/gone/": (200, {"Content-Type": HTML}, '<script src="a.js"></script>'),
    "/data/": (200, {"Content-Type": HTML}, '<script src="data:,1"></script>'),
    "/odd/": (200, {"Content-Type": HTML}, '<script src="http://[/a.js"></script>'),
    "/to": (302, {"Location": "/health"}, ""),
    "/nowhere": (302, {}, ""),
    "/round": (302, {"Location": "/about"}, ""),
    "/about": (302, {"Location": "/round"}, ""),
    "/self": (301, {"Location": "/self#a"}, ""),
    "/out": (302, {"Location": "ftp://x/"}, ""),
    "/bracket": (302, {"Location": "http://[x/"}, ""),
    "/port": (302, {"Location": "http://x:99999/"}, ""),
    "/letter": (302, {"Location": "/\u00c3\u00bc \u00ff"}, ""),  # as bytes: ü in UTF-8, and none
    "/%C3%BC%20%FF": (200, {}, ""),
    "/login": (407, {}, ""),
    "/portal": (511, {}, ""),
    **{f"/on/{left}": (302, {"Location": f"/on/{left - 1}"}, "") for left in range(1, 9)},
    "/on/0": (200, {}, ""),
}
SRC = 'src="(.*?)"'


@pytest.fixture(scope="module")
def here() -> Iterator[Site]:
    with site(ROUTES) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "wanted", "expected"),
    [
        pytest.param("/health", {}, RIGHT, id="200"),
        pytest.param("/empty", {}, RIGHT, id="204"),
        pytest.param("/none", {}, ("wrong", "status"), id="404"),
        pytest.param("/none", {"status": (404,)}, RIGHT, id="404-as-it-must-be"),
        pytest.param("/health", {"status": (404,)}, ("wrong", "status"), id="200-and-not-404"),
        pytest.param("/login", {}, ("unknown", "proxy"), id="proxy-asks-for-login"),
        pytest.param("/portal", {}, ("unknown", "proxy"), id="network-asks-for-login"),
        pytest.param("/login", {"status": (407,)}, RIGHT, id="407-as-it-must-be"),
        pytest.param("/health", {"body": '"status": "ok"'}, RIGHT, id="body"),
        pytest.param("/health", {"body": "up!"}, ("wrong", "body"), id="other-body"),
        pytest.param("/health", {"json": {"status": "ok", "db.up": True}}, RIGHT, id="json"),
        pytest.param("/health", {"json": {"up": 3, "db.since": None}}, RIGHT, id="json-values"),
        pytest.param("/health", {"json": {"db.up": "true", "up": "3"}}, RIGHT, id="json-as-text"),
        pytest.param("/health", {"json": {"all.0.n": "1"}}, RIGHT, id="json-list"),
        pytest.param("/health", {"json": {"all.0.n": 1}}, ("wrong", "json"), id="no-number"),
        pytest.param("/health", {"json": {"db.up": 1}}, ("wrong", "json"), id="true-is-not-1"),
        pytest.param("/health", {"json": {"db.up": False}}, ("wrong", "json"), id="other-value"),
        pytest.param("/health", {"json": {"all.1.n": "1"}}, ("wrong", "json"), id="short-list"),
        pytest.param("/health", {"json": {"db.x": "1"}}, ("wrong", "json"), id="no-such-key"),
        pytest.param("/health", {"json": {"db.up.x": "1"}}, ("wrong", "json"), id="too-deep"),
        pytest.param("/page/", {"json": {"a": "1"}}, ("wrong", "json"), id="html-for-json"),
        pytest.param("/health", {"headers": {"x-a": "b"}}, RIGHT, id="header"),
        pytest.param("/health", {"headers": {"X-A": "c"}}, RIGHT, id="second-header-of-a-name"),
        pytest.param("/health", {"headers": {"x-a": "d"}}, ("wrong", "header"), id="other-header"),
        pytest.param("/health", {"headers": {"x-n": ""}}, ("wrong", "header"), id="no-header"),
        pytest.param("/health", {"content_type": "application/json"}, RIGHT, id="type"),
        pytest.param("/page/", {"content_type": "Text/HTML"}, RIGHT, id="type-with-parameters"),
        pytest.param("/page/", {"content_type": JS}, ("wrong", "content-type"), id="other-type"),
        pytest.param("/empty", {"content_type": JS}, ("wrong", "content-type"), id="no-type"),
        pytest.param("/page/", {"follow": SRC, "content_type": JS}, RIGHT, id="followed"),
        pytest.param(
            "/spa/", {"follow": SRC, "content_type": JS}, ("wrong", "content-type"), id="to-html"
        ),
        pytest.param("/spa/", {"follow": SRC}, RIGHT, id="followed-to-any-type"),
        pytest.param("/gone/", {"follow": SRC}, ("wrong", "asset-missing"), id="followed-404"),
        pytest.param("/health", {"follow": "src=(x)"}, ("wrong", "body"), id="nothing-to-follow"),
        pytest.param("/data/", {"follow": SRC}, ("wrong", "body"), id="followed-to-no-http"),
        pytest.param("/odd/", {"follow": SRC}, ("wrong", "body"), id="followed-to-no-address"),
        pytest.param("/to", {}, RIGHT, id="redirect"),
        pytest.param("/to", {"redirects": 0, "status": (302,)}, RIGHT, id="the-redirect-itself"),
        pytest.param("/to", {"redirects": 0}, ("wrong", "status"), id="redirect-is-not-2xx"),
        pytest.param("/nowhere", {"status": (302,)}, RIGHT, id="redirect-to-nowhere"),
        pytest.param("/letter", {}, RIGHT, id="redirect-to-letters"),
        pytest.param("/on/5", {}, RIGHT, id="five-redirects"),
        pytest.param("/on/6", {}, ("wrong", "redirect"), id="six-redirects"),
        pytest.param("/on/6", {"redirects": 6}, RIGHT, id="six-redirects-of-six"),
        pytest.param("/round", {}, ("wrong", "redirect"), id="in-a-circle"),
        pytest.param("/self", {}, ("wrong", "redirect"), id="to-itself"),
        pytest.param("/out", {}, ("wrong", "redirect"), id="to-no-http"),
        pytest.param("/bracket", {}, ("wrong", "redirect"), id="to-no-address"),
        pytest.param("/port", {}, ("wrong", "redirect"), id="to-no-port"),
    ],
)
def test_an_answer_is_judged(
    path: str, wanted: Mapping[str, Any], expected: tuple[str, str], here: Site
) -> None:
    assert ask(here.port, path, **wanted) == expected


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(
            "<head><title>502</title></head><h1>502 Bad\nGateway</h1>", "502 Bad Gateway", id="page"
        ),
        pytest.param("a\x1b[31m\n::error::b\u202e", r"a\x1b[31m ::error::b\u202e", id="controls"),
        pytest.param("Cannot GET /x?token=zx82-secret&a=1.", "Cannot GET /x?…", id="its-address"),
        pytest.param("token zx82-secret is old", "token *** is old", id="a-value-of-the-query"),
        pytest.param("no http://u:zx81-secret@db/x", "no http://db/x", id="a-login"),
        pytest.param("why? because", "why? because", id="a-question"),
        pytest.param("x" * 500, "x" * 100, id="long"),
    ],
)
def test_an_error_page_is_told_by_its_first_words(body: str, said: str) -> None:
    with site({"/x": (502, {"Content-Type": "text/html"}, body)}) as server:
        url = f"http://u:zx81-secret@127.0.0.1:{server.port}/x?token=zx82-secret#zx82-secret"
        answer = ask_http(HttpProbe(name="p", url=url))

    place = f"http://127.0.0.1:{server.port}/x"
    assert answer.status == 502
    assert answer.detail == f"{place} answers 502, not 2xx: {said}"


@pytest.mark.parametrize(
    ("status", "media_type"),
    [pytest.param(404, HTML, id="not-of-5xx"), pytest.param(500, "image/png", id="not-of-images")],
)
def test_other_bodies_are_not_told(status: int, media_type: str) -> None:
    with site({"/": (status, {"Content-Type": media_type}, "words")}) as server:
        answer = answer_of(server.port, "/")

    assert "words" not in answer.detail and str(status) in answer.detail


def test_foreign_text_in_an_address_is_spelt_out() -> None:
    """A path is shown, but for what cannot be; the query behind it is not."""
    with site({"/": (302, {"Location": "/a\x1b[1m\x80b?token=zx82"}, "")}) as server:
        answer = answer_of(server.port, "/")

    assert answer.reason == "status" and "zx82" not in answer.detail
    assert r"/a\x1b[1m" in answer.detail


def test_a_long_path_is_cut() -> None:
    with site({}) as server:
        answer = answer_of(server.port, "/" + "a" * 1000)

    assert len(answer.detail) == 300 and answer.detail.endswith("…")


# --- no answer, or half of one

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        pytest.param(reset, ("wrong", "refused"), id="reset"),
        pytest.param(lambda one: None, ("wrong", "refused"), id="closed"),
        pytest.param(answering(), ("wrong", "refused"), id="closed-when-asked"),
        pytest.param(answering(OK, and_then=reset), ("wrong", "refused"), id="reset-in-headers"),
        pytest.param(
            answering(OK, b"Content-Length: 9\r\n\r\nx"), ("wrong", "refused"), id="breaks-off"
        ),
        pytest.param(
            answering(CHUNKED, b"9\r\nx"), ("wrong", "refused"), id="breaks-off-in-a-chunk"
        ),
        pytest.param(
            answering(CHUNKED, b"1\r\nx\r\n"), ("wrong", "refused"), id="breaks-off-after-a-chunk"
        ),
        pytest.param(answering(CHUNKED, b"1\r\nx\r\n0\r\n\r\n"), RIGHT, id="all-chunks"),
        pytest.param(answering(OK, b"\r\nx"), RIGHT, id="ends-with-the-connection"),
        pytest.param(answering(b"HTTP/1.0 200 OK\r\n\r\n"), RIGHT, id="http-1.0"),
        pytest.param(
            answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK, b"\r\n"),
            RIGHT,
            id="hints-before-the-answer",
        ),
        pytest.param(
            answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50), ("wrong", "protocol"), id="hints"
        ),
        pytest.param(answering(b"SSH-2.0-x\r\n"), ("wrong", "protocol"), id="no-http"),
        pytest.param(answering(b"HTTP/1.1 2x0 OK\r\n\r\n"), ("wrong", "protocol"), id="no-status"),
        pytest.param(answering(OK, b"A: b\r\n" * 300), ("wrong", "protocol"), id="endless-headers"),
        pytest.param(answering(b"x" * 99999), ("wrong", "protocol"), id="endless-line"),
        pytest.param(silence, ("wrong", "no-answer"), id="silence"),
        pytest.param(answering(OK, and_then=silence), ("wrong", "no-answer"), id="then-silence"),
        pytest.param(
            trickling(OK + b"X: ", b"x"), ("wrong", "no-answer"), id="headers-that-trickle"
        ),
        pytest.param(
            trickling(OK + b"Content-Length: 999\r\n\r\n", b"x"),
            ("wrong", "no-answer"),
            id="a-body-that-trickles",
        ),
        pytest.param(
            trickling(CHUNKED + b"1;", b"x"), ("wrong", "no-answer"), id="chunks-that-trickle"
        ),
        pytest.param(
            trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            ("wrong", "no-answer"),
            id="an-answer-that-only-announces-itself",
        ),
    ],
)
def test_what_comes_of_a_connection(behaviour: Behaviour, expected: tuple[str, str]) -> None:
    with raw(behaviour) as number:
        begun = time.monotonic()
        answer = answer_of(number, timeout_s=0.4)
        took = time.monotonic() - begun

    assert (answer.outcome, answer.reason) == expected
    assert took < 0.4 + 0.5


def test_redirects_share_the_limit() -> None:
    """Each answers in time, and all of them do not."""
    routes: Routes = {f"/{n}": (302, {"Location": f"/{n + 1}"}, "") for n in range(30)}
    with site(routes) as server:
        server.delay_s = 0.15
        begun = time.monotonic()
        assert ask(server.port, "/0", timeout_s=0.5, redirects=20) == ("wrong", "no-answer")
        assert time.monotonic() - begun < 1


def test_of_an_endless_body_the_beginning_is_read() -> None:
    begin = b"ready"

    def endless(one: Any) -> None:
        answering(OK, b"\r\n", begin)(one)
        while True:
            one.sendall(b"x" * 65536)

    with raw(endless) as number:
        assert ask(number, body="ready") == RIGHT
        assert ask(number, body="steady") == ("wrong", "body")


def test_a_body_is_read_to_two_mebibytes() -> None:
    text = " " * (BODY_MAX_BYTES - 2) + "{}"
    with site({"/": (200, {}, text), "/more": (200, {}, " " + text)}) as server:
        assert ask(server.port, "/", body="{}") == RIGHT
        assert ask(server.port, "/more", body="{}") == ("wrong", "body")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="too-deep"),
        pytest.param("{'status': 'ok'}", id="no-json"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_json_is_told(text: str) -> None:
    with site({"/": (200, {}, text)}) as server:
        assert ask(server.port, "/", json={"status": "ok"}) == ("wrong", "json")


def test_many_ask_at_once(here: Site) -> None:
    found: list[tuple[str, str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(ask(here.port, json={"db.up": True})))
        for _ in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [RIGHT] * 32


def test_the_environments_proxy_is_not_asked(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert ask(here.port) == RIGHT


def test_what_is_asked_for_is_spelt_as_servers_read_it(here: Site) -> None:
    here.asked.clear()
    document = {"a b": "ü"}
    ask(here.port, "/no such/ü?q=" + json.dumps(document, ensure_ascii=False) + "#part")

    place = f"127.0.0.1:{here.port}"
    assert here.asked == [('/no%20such/%C3%BC?q={"a%20b":%20"%C3%BC"}', place)]
