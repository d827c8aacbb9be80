"""Which scripts and style sheets a page asks for, and which types browsers take for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.probe.http import ASSETS_AT_ONCE, ASSETS_MAX
from orient_deploy.probe.pages import Asset, assets, is_taken, origin
from tests.unit.probe.servers import HTML, JS, RIGHT, Routes, answer_of, ask, site

PLACE = "https://a.example/app/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('<script src="b.js">', [("script", "app/b.js")], id="script"),
        pytest.param("<SCRIPT SRC=/b.js?v=1>", [("script", "b.js?v=1")], id="as-one-may-write-it"),
        pytest.param('<script src="b.js?a&amp;b">', [("script", "app/b.js?a&b")], id="escaped"),
        pytest.param('<script type=module src="b.js">', [("module", "app/b.js")], id="module"),
        pytest.param(
            '<script type="application/javascript" src="b.js">', [("script", "app/b.js")], id="type"
        ),
        pytest.param('<script type="application/json" src="b">', [], id="data"),
        pytest.param("<script>import 'b.js'</script>", [], id="no-address"),
        pytest.param('<script src="">', [], id="empty-address"),
        pytest.param('<!-- <script src="b.js"> -->', [], id="comment"),
        pytest.param("<script>'<script src=b.js>'</script>", [], id="text-of-a-script"),
        pytest.param(
            '<link rel="Preload StyleSheet" href="b.css">', [("style sheet", "app/b.css")], id="css"
        ),
        pytest.param('<link rel=modulepreload href="b.js">', [("module", "app/b.js")], id="early"),
        pytest.param('<link rel=modulepreload as=json href="b">', [], id="early-but-no-script"),
        pytest.param('<link rel=icon href="b.png">', [], id="other-link"),
        pytest.param('<script src="//b.example/b.js">', [], id="other-host"),
        pytest.param('<script src="https://a.example:8443/b.js">', [], id="other-port"),
        pytest.param('<script src="http://a.example/b.js">', [], id="other-scheme"),
        pytest.param(
            '<script src="https://A.example:443/b.js">', [("script", ":443/b.js")], id="same-host"
        ),
        pytest.param(
            '<script src="data:,1"></script><script src="http://[">', [], id="no-address-of-http"
        ),
        pytest.param(
            '<base href="/x/"><base href="/y/"><script src="b.js">',
            [("script", "x/b.js")],
            id="base",
        ),
        pytest.param(
            "<script src=b.js></script><link rel=modulepreload href=b.js><script src=a.js>",
            [("script", "app/b.js"), ("script", "app/a.js")],
            id="each-once-in-order",
        ),
        pytest.param("<![x[a]]><script src=b.js>", [("script", "app/b.js")], id="marked-section"),
        pytest.param(
            "<![if !IE]><script src=b.js><![endif]>", [("script", "app/b.js")], id="conditional"
        ),
        pytest.param("{}", [], id="no-page"),
    ],
)
def test_a_page_asks_for(text: str, expected: list[tuple[str, str]]) -> None:
    found = [(one.kind, one.url) for one in assets(PLACE, text)]

    assert [kind for kind, _ in found] == [kind for kind, _ in expected]
    for (_, url), (_, path) in zip(found, expected, strict=True):
        assert url.endswith(path) and origin(url) == origin(PLACE)


PIECES = st.sampled_from(
    (
        *("<!", "<![", "[", "]]>", "]>", "<!--", "-->", "<?", "</", "<script", " src=", "a.js"),
        *(">", '"', "if", "CDATA[", "<base href=", "http://[", "&#xD800;", "&#1;", "\0"),
        "<link rel=stylesheet href=",
    )
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=30).map("".join))
def test_any_text_is_read(text: str) -> None:
    for one in assets(PLACE, text):
        assert isinstance(one, Asset) and urlsplit(one.url).hostname == "a.example"


@pytest.mark.parametrize("piece", ["<", "<a ", '<a b="', "<![x[", "<!--", "</", "&#"])
def test_a_page_of_nonsense_takes_no_long_time(piece: str) -> None:
    begun = time.monotonic()
    assets(PLACE, piece * (512 * 1024 // len(piece)))

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("kind", "media_type", "taken", "taken_unsniffed"),
    [
        pytest.param("script", "text/javascript", True, True, id="script"),
        pytest.param("script", "application/x-javascript", True, True, id="old-script"),
        pytest.param("script", "text/plain", True, False, id="plain-text-for-a-script"),
        pytest.param("script", "application/octet-stream", True, False, id="bytes-for-a-script"),
        pytest.param("script", "", True, False, id="nothing-for-a-script"),
        pytest.param("script", "text/html", False, False, id="page-for-a-script"),
        pytest.param("script", "image/png", False, False, id="image-for-a-script"),
        pytest.param("module", "application/javascript", True, True, id="module"),
        pytest.param("module", "text/plain", False, False, id="plain-text-for-a-module"),
        pytest.param("module", "application/octet-stream", False, False, id="bytes-for-a-module"),
        pytest.param("module", "", False, False, id="nothing-for-a-module"),
        pytest.param("module", "text/html", False, False, id="page-for-a-module"),
        pytest.param("style sheet", "text/css", True, True, id="style-sheet"),
        pytest.param("style sheet", "", True, False, id="nothing-for-a-style-sheet"),
        pytest.param("style sheet", "text/plain", False, False, id="plain-text-for-a-style-sheet"),
        pytest.param("style sheet", "text/html", False, False, id="page-for-a-style-sheet"),
    ],
)
def test_browsers_take(kind: str, media_type: str, taken: bool, taken_unsniffed: bool) -> None:
    given_kind = Asset(kind=kind, url="").kind  # type: ignore[arg-type]  # one of the three

    assert is_taken(given_kind, media_type, is_sniffed=True) is taken
    assert is_taken(given_kind, media_type, is_sniffed=False) is taken_unsniffed


# --- asked of a server


def page_of(tag: str, headers: Mapping[str, str], status: int = 200) -> Routes:
    return {"/": (200, {"Content-Type": HTML}, tag), "/a": (status, headers, "1")}


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        pytest.param(page_of("<script src=a>", {"Content-Type": JS}), RIGHT, id="script"),
        pytest.param(page_of("<script src=a>", {"Content-Type": "text/plain"}), RIGHT, id="plain"),
        pytest.param(
            page_of(
                "<script src=a>",
                {"Content-Type": "text/plain", "X-Content-Type-Options": "NoSniff"},
            ),
            ("wrong", "asset-type"),
            id="plain-and-not-sniffed",
        ),
        pytest.param(
            page_of("<script src=a>", {"Content-Type": HTML}), ("wrong", "asset-type"), id="html"
        ),
        pytest.param(
            page_of("<link rel=stylesheet href=a>", {"Content-Type": HTML}),
            ("wrong", "asset-type"),
            id="html-for-a-style-sheet",
        ),
        pytest.param(
            page_of("<link rel=modulepreload href=a>", {"Content-Type": HTML}),
            ("wrong", "asset-type"),
            id="html-for-a-module",
        ),
        pytest.param(
            page_of("<script src=a>", {}, 404), ("wrong", "asset-missing"), id="not-there"
        ),
        pytest.param(page_of("<script src=a>", {}, 407), ("unknown", "proxy"), id="proxy"),
        pytest.param(
            page_of("<script src=//b.invalid/a>", {}, 404), RIGHT, id="not-there-and-not-ours"
        ),
        pytest.param(
            page_of("<script src=a>", {"Location": "/"}, 302), ("wrong", "asset-type"), id="to-page"
        ),
    ],
)
def test_scripts_and_style_sheets_are_judged(routes: Routes, expected: tuple[str, str]) -> None:
    with site(routes) as server:
        assert ask(server.port, "/", assets=True) == expected
        assert ask(server.port, "/") == RIGHT


def test_the_first_that_is_wrong_is_told_by_path_and_type() -> None:
    text = "".join(f"<script src=/{n}.js?t=zx81></script>" for n in range(9))
    routes: dict[str, tuple[int, Mapping[str, str], str]] = {
        f"/{n}.js": (200, {"Content-Type": JS}, "") for n in range(9)
    }
    routes["/"] = (200, {"Content-Type": HTML}, text)
    routes["/3.js"] = (200, {"Content-Type": HTML}, "")
    routes["/5.js"] = (404, {}, "")
    with site(routes) as server:
        answer = answer_of(server.port, "/", assets=True)

    assert (answer.reason, answer.status) == ("asset-type", 200)
    assert f"http://127.0.0.1:{server.port}/3.js is text/html" in answer.detail
    assert "zx81" not in answer.detail


def test_some_are_asked_for_at_once_and_no_more_than_twenty() -> None:
    count = ASSETS_MAX + 5
    text = "".join(f"<script src=/{n}.js></script>" for n in range(count))
    routes: dict[str, tuple[int, Mapping[str, str], str]] = {
        f"/{n}.js": (200, {"Content-Type": JS}, "") for n in range(count)
    }
    routes["/"] = (200, {"Content-Type": HTML}, text)
    with site(routes) as server:
        server.delay_s = 0.02
        assert ask(server.port, "/", assets=True) == RIGHT

    assert len(server.asked) == 1 + ASSETS_MAX == 21
    assert 1 < server.most <= ASSETS_AT_ONCE


def test_without_more_threads_one_asks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = page_of("<script src=/a?1></script><script src=/a?2></script>", {"Content-Type": HTML})
    crew: list[threading.Thread] = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "work" in str(getattr(thread, "_target", "")):
            crew.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    with site(routes) as server:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        assert ask(server.port, "/", assets=True) == ("wrong", "asset-type")

    assert len(crew) == 1


def test_they_share_the_limit_of_the_page() -> None:
    routes = page_of("".join(f"<script src=/a?{n}></script>" for n in range(20)), {})
    with site(routes) as server:
        server.delay_s = 0.3
        begun = time.monotonic()
        assert ask(server.port, "/", assets=True, timeout_s=0.7) == ("wrong", "no-answer")
        assert time.monotonic() - begun < 1.2
