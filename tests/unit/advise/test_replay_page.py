"""The page of a replay: whole, safe whatever a repository holds, and drawn by a browser."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dev.render_summary import browse, find_browser
from orient_deploy.advise import replay_page as module
from orient_deploy.advise.replay import By
from orient_deploy.advise.replay_page import replay_page
from orient_deploy.advise.stale import judge
from tests.unit.advise.pushes import HOSTILE, IMAGES, about, invented

VOID = {"meta", "br", "wbr", "rect", "path"}
WORDS = {"html", "head", "title", "style", "body", "main", "header", "footer", "section", "meta"}
WORDS |= {"h1", "h2", "p", "a", "b", "br", "code", "small", "span", "strong", "wbr", "div"}
WORDS |= {"ul", "ol", "li", "details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
WORDS |= {"svg", "defs", "pattern", "rect", "path", "text"}


class Page(HTMLParser):
    """A page that was read: every element opened and closed, texts, ids and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.mark.parametrize("by", ["current", "auto"])
@pytest.mark.parametrize("count", [0, 1, 20, 400])
def test_every_element_is_known_and_closed(by: By, count: int) -> None:
    page = Page(replay_page(judge(invented(count, by=by)), about(by=by)))

    assert page.names <= WORDS
    assert {value for value in page.values("href") if not value.startswith("#")} <= {
        f"https://github.com/acme/orient/commit/{push.id}" for push in invented(count, by=by)
    }
    ids = page.values("id")
    assert len(set(ids)) == len(ids)
    assert {value[1:] for value in page.values("href") if value.startswith("#")} <= set(ids)


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    text = replay_page(judge(invented(20)), about())
    page = Page(text)

    assert not page.names & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not {name for _, name, _ in page.attributes if name.startswith("on")} | {"src"} & {
        name for _, name, _ in page.attributes
    }
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert not re.search(r"@import|url\((?!#)", text)


def test_texts_of_a_repository_stay_texts() -> None:
    judged = judge(invented(30, ("opencode", "<b>x"), hostile=True))
    text = replay_page(judged, about(hostile=True))
    page = Page(text)

    assert page.names <= WORDS
    assert not any("onerror" in name for _, name, _ in page.attributes)
    known = Page(replay_page(judge(invented(400)), about())).values("class")
    assert set(page.values("class")) <= set(known)
    assert "\x1b" not in text and "\u202e" not in text and "\udcff" not in text
    assert "\\x1b[31m\\u202e\\xff" in "".join(page.texts)
    text.encode("utf-8")


def test_a_page_tells_what_was_missed() -> None:
    judged = judge(invented(60))
    text = " ".join("".join(Page(replay_page(judged, about())).texts).split())
    sums = judged.sums

    assert sums.missed > 1
    assert f"{sums.missed} of {sums.needed} needed builds were missed" in text
    assert all(name in text for name in IMAGES)
    for stretch in judged.stretches[:5]:
        for at in stretch.missed[:2]:
            assert judged.rows[at].push.id[:7] in text
    assert "read by packages/opencode/Dockerfile line" in text


def test_a_page_tells_that_nothing_was_missed() -> None:
    text = replay_page(judge(invented(1)), about())

    assert "Nothing was missed" in text
    assert "How long images were stale" not in text


def test_minutes_are_shown_where_they_are_known() -> None:
    judged = judge(invented(40, by="auto"))

    assert "minutes saved" in replay_page(judged, about(by="auto"))
    assert "minutes" not in re.sub(
        r"(?s)<style>.*</style>", "", replay_page(judged, about(by="auto", minutes=False))
    )


def test_a_long_history_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PUSHES", 10)
    page = Page(replay_page(judge(invented(40)), about()))

    assert len([value for value in page.values("id") if re.fullmatch(r"p\d+", value)]) == 10
    assert "the newest are drawn and listed" in "".join(page.texts)


def test_commits_are_links_only_where_there_is_a_page_for_them() -> None:
    page = Page(replay_page(judge(invented(20)), replace(about(), web="")))

    assert not [value for value in page.values("href") if not value.startswith("#")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_it(scheme: str, tmp_path: Path) -> None:
    """The chart has a bar for each build; in a narrow window only what may scroll is wider."""
    browser = find_browser()
    if browser is None:
        message = "no Chromium is on PATH to draw with"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    judged = judge(invented(60, (*IMAGES, HOSTILE)))
    text = replay_page(judged, about())
    # The page forbids scripts: one that measures it needs another policy.
    probe = (
        "<script>document.title = JSON.stringify([document.documentElement.scrollWidth,"
        "innerWidth, [...document.querySelectorAll('.chart svg > rect.built')]"
        ".filter(one => one.getBoundingClientRect().height > 10).length,"
        "getComputedStyle(document.body).backgroundColor])</script>"
    )
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    file = tmp_path / "page.html"
    file.write_text(policy.sub("", text).replace("</body>", f"{probe}</body>"), encoding="utf-8")
    flags = ("--blink-settings=preferredColorScheme=0",) if scheme == "dark" else ()

    dumped = browse(browser, *flags, "--window-size=420,900", "--dump-dom", file.as_uri())
    found = re.search(r"<title>\[(\d+),(\d+),(\d+),\"(.*?)\"\]</title>", dumped)

    assert found is not None, dumped[:500]
    assert int(found[1]) <= int(found[2])
    assert int(found[3]) == judged.sums.built
    assert found[4] == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
