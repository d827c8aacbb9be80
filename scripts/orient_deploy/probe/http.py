"""One request over HTTP or HTTPS, with what follows from its answer, and whether all is right.

Shows of an answer what our own words need and the first words of an error page, and of an address
neither its query nor a login.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import SplitResult, urljoin, urlsplit

from orient_deploy.health.observation import Answer
from orient_deploy.probe.connection import (
    Connection,
    Unanswered,
    expires_soon,
    reached,
    secured,
    why,
)
from orient_deploy.probe.model import HttpProbe
from orient_deploy.text import printable

BODY_MAX_BYTES = 2 * 1024 * 1024
ASSETS_MAX = 20
EXCERPT_MAX = 100
DETAIL_MAX = 300
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)
# What browsers run as a module or a script (WHATWG, MIME Sniffing, "JavaScript MIME type").
_SCRIPT = re.compile(r"(?:text|application)/(?:x-)?(?:java|ecma|j|live)script(?:1\.[0-5])?")
_STYLE = "text/css"


@dataclass(frozen=True, kw_only=True)
class _Response:
    url: str
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def ask_http(probe: HttpProbe) -> Answer:
    """What the address answers. It ends within the probe's limit, but for the name's resolution."""
    warnings: dict[str, None] = {}
    status = 0
    try:
        page = _followed(probe, probe.url, warnings)
        status = page.status
        _judge(probe, page, warnings)
    except Unanswered as error:
        detail = printable(error.detail)
        return Answer(
            probe=probe.name,
            outcome="unknown" if error.is_unknown else "wrong",
            reason=error.reason,
            detail=detail if len(detail) <= DETAIL_MAX else detail[: DETAIL_MAX - 1] + "…",
            status=status,
            warnings=tuple(warnings),
        )
    return Answer(probe=probe.name, outcome="right", status=status, warnings=tuple(warnings))


def shown(url: str) -> str:
    """An address without its query and login.

    >>> shown("https://u:p@example.com/a?token=x#y")
    'https://example.com/a'
    """
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


# --- what must be so


def _judge(probe: HttpProbe, page: _Response, warnings: dict[str, None]) -> None:
    place = shown(page.url)
    good = page.status in probe.status if probe.status else 200 <= page.status <= 299
    if not good:
        wanted = " or ".join(map(str, probe.status)) or "2xx"
        said = _excerpt(page) if page.status >= 500 else ""
        raise Unanswered("status", f"{place} answers {page.status}, not {wanted}{said}")
    for name, text in probe.headers.items():
        found = page.headers.get(name.lower())
        if found is None or text not in found:
            what = "is not there" if found is None else f"does not hold {text!r}"
            raise Unanswered("header", f"{place}: the header {name} {what}")
    if probe.body and probe.body not in page.text:
        raise Unanswered("body", f"{place}: the answer does not hold {probe.body!r}")
    if probe.json:
        _judge_json(probe.json, page)
    last = page
    if probe.follow:
        last = _next(probe, page, warnings)
    wanted_type = probe.content_type.partition(";")[0].strip().lower()
    if wanted_type and last.media_type != wanted_type:
        raise Unanswered(
            "content-type",
            f"{shown(last.url)} is {last.media_type or 'of no type'}, not {wanted_type}",
        )
    if probe.assets:
        _judge_assets(probe, page, warnings)


def _judge_json(wanted: Mapping[str, str], page: _Response) -> None:
    place = shown(page.url)
    try:
        document = json.loads(page.body)
    except (ValueError, RecursionError):
        raise Unanswered("json", f"{place}: the answer is no JSON") from None
    for path, text in wanted.items():
        value: object = document
        for key in path.split("."):
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise Unanswered("json", f"{place}: the answer has no {path}")
        if (value if isinstance(value, str) else json.dumps(value)) != text:
            raise Unanswered("json", f"{place}: {path} is not {text!r}")


def _next(probe: HttpProbe, page: _Response, warnings: dict[str, None]) -> _Response:
    found = re.search(probe.follow, page.text)
    if not found or not found.groups() or not found[1]:
        raise Unanswered("body", f"{shown(page.url)}: nothing in the answer is what `follow` says")
    last = _followed(probe, urljoin(page.url, found[1]), warnings)
    if not 200 <= last.status <= 299:
        raise Unanswered("asset-missing", f"{shown(last.url)} answers {last.status}")
    return last


def _judge_assets(probe: HttpProbe, page: _Response, warnings: dict[str, None]) -> None:
    reader = _Assets()
    reader.feed(page.text)
    host = urlsplit(page.url).netloc
    asked: dict[str, str] = {}
    for kind, address in reader.found:
        url = urljoin(page.url, address)
        if urlsplit(url).netloc == host and urlsplit(url).scheme in _PORTS:
            asked.setdefault(url, kind)
    for url, kind in list(asked.items())[:ASSETS_MAX]:
        one = _followed(probe, url, warnings)
        if not 200 <= one.status <= 299:
            raise Unanswered("asset-missing", f"{shown(url)}, a {kind}, answers {one.status}")
        right = _SCRIPT.fullmatch(one.media_type) if kind == "script" else one.media_type == _STYLE
        if not right:
            raise Unanswered(
                "asset-type",
                f"{shown(url)} is {one.media_type or 'of no type'}, and no browser takes that for "
                f"a {kind}: its path leads to another file, or to a page for all that is unknown",
            )


class _Assets(HTMLParser):
    """Scripts and style sheets that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        relation = given.get("rel", "").lower().split()
        if tag == "script" and given.get("src"):
            if given.get("type", "").lower() in ("", "module", "text/javascript"):
                self.found.append(("script", given["src"]))
        elif tag == "link" and given.get("href"):
            if "stylesheet" in relation:
                self.found.append(("style sheet", given["href"]))
            elif "modulepreload" in relation:
                self.found.append(("script", given["href"]))


def _excerpt(page: _Response) -> str:
    if not page.media_type.startswith(("text/", "application/json")):
        return ""
    body = re.sub(r"(?is)<head\b.*?</head>", " ", page.text[:4000])  # its title says the same
    words = " ".join(re.sub(r"<[^<>]{0,300}>", " ", body).split())
    return f": {words[:EXCERPT_MAX]}" if words else ""


# --- requests


def _followed(probe: HttpProbe, url: str, warnings: dict[str, None]) -> _Response:
    """The answer at the end of the redirects."""
    seen = set()
    for _ in range(probe.redirects + 1):
        answer = _asked(probe, url, warnings)
        target = answer.headers.get("location", "")
        if answer.status not in _REDIRECTS or not target or not probe.redirects:
            return answer
        seen.add(url)
        following = urljoin(url, target)
        if urlsplit(following).scheme not in _PORTS:
            raise Unanswered("redirect", f"{shown(url)} leads to no address of HTTP")
        if url.startswith("https:") and following.startswith("http:"):
            raise Unanswered("redirect", f"{shown(url)} leads from https to {shown(following)}")
        if following in seen:
            raise Unanswered("redirect", f"{shown(url)} leads in a circle")
        url = following
    raise Unanswered("redirect", f"{shown(url)} leads on and on")


def _asked(probe: HttpProbe, url: str, warnings: dict[str, None]) -> _Response:
    deadline = time.monotonic() + probe.timeout_s
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise Unanswered("redirect", "an address is none of HTTP") from None
    place = f"{host}:{port}"
    # What leads to the server leads to one host there; another one is asked for directly.
    of_probe = urlsplit(probe.url)
    via = probe.via if (host, parts.port) == (of_probe.hostname, of_probe.port) else ""
    one = reached(host, port, family=probe.family, via=via, deadline_s=deadline)
    if parts.scheme == "https":
        one = secure = secured(one, host, place, deadline)
        if warning := expires_soon(secure, host, probe.tls_days):
            warnings[warning] = None
    with one:
        return _exchanged(one, parts, url, place, deadline)


def _exchanged(
    one: socket.socket, parts: SplitResult, url: str, place: str, deadline: float
) -> _Response:
    connection = Connection(one, parts.hostname or "", parts.port or _PORTS[parts.scheme])
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Host": _host_header(parts),
        "User-Agent": "orient-deploy",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    try:
        one.settimeout(max(deadline - time.monotonic(), 0.01))
        connection.putrequest("GET", _ascii(target), skip_host=True, skip_accept_encoding=True)
        for name, text in headers.items():
            connection.putheader(name, text)
        connection.endheaders()
        response = connection.getresponse()
        body = b"".join(_pieces(response, one, place, deadline))
    except OSError as error:
        raise why(error, place) from None
    except http.client.IncompleteRead:
        raise Unanswered("refused", f"{place} breaks off in the middle of its answer") from None
    except (http.client.RemoteDisconnected, http.client.BadStatusLine) as error:
        if isinstance(error, http.client.RemoteDisconnected) or not str(error).strip("'\" "):
            raise Unanswered(
                "refused", f"{place} closes the connection without an answer"
            ) from None
        raise Unanswered("protocol", f"{place} does not speak HTTP") from None
    except (http.client.HTTPException, ValueError, UnicodeError):
        raise Unanswered("protocol", f"{place} does not speak HTTP") from None
    return _Response(
        url=url,
        status=response.status,
        headers={name.lower(): text for name, text in response.getheaders()},
        body=body,
    )


def _pieces(
    response: http.client.HTTPResponse, one: socket.socket, place: str, deadline: float
) -> Iterator[bytes]:
    """The body, up to its limit: what trickles ends with the deadline."""
    size = 0
    while size < BODY_MAX_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unanswered("no-answer", f"{place} did not end its answer in time")
        one.settimeout(left)
        piece = response.read1(min(1 << 16, BODY_MAX_BYTES - size))
        if not piece:
            if response.length:  # of what was announced
                raise Unanswered("refused", f"{place} breaks off in the middle of its answer")
            return
        size += len(piece)
        yield piece


def _host_header(parts: SplitResult) -> str:
    """The host as it is sent: without a login, and in letters that DNS knows."""
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    elif not host.isascii():
        host = host.encode("idna").decode("ascii")
    return f"{host}:{parts.port}" if parts.port else host


def _ascii(target: str) -> str:
    """The path as it is sent: what is not ASCII, or a blank, is escaped."""
    return "".join(
        char if 0x21 <= ord(char) <= 0x7E else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in target
    )
