"""One request over HTTP or HTTPS, with what follows from its answer, and whether all is right.

Shows of an answer what our own words need and the first words of an error page, and of an address
neither its query nor a login. Uses no proxy of the environment; never asks again.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import SplitResult, parse_qsl

from orient_deploy.health.observation import Answer
from orient_deploy.probe.connection import (
    Readable,
    Unanswered,
    expires_soon,
    named,
    reached,
    secured,
    why,
)
from orient_deploy.probe.model import HttpProbe
from orient_deploy.probe.pages import Asset, assets, is_taken, joined, origin, split

BODY_MAX_BYTES = 2 * 1024 * 1024
ASSETS_MAX = 20
ASSETS_AT_ONCE = 6  # as browsers do over HTTP/1.1
EXCERPT_MAX = 100
INTERIM_MAX = 10
SHORTEST_SECRET = 4
_REDIRECTS = (301, 302, 303, 307, 308)
# Answers of what stands between: an application gives neither (RFC 9110, 15.5.8; RFC 6585, 6).
_OF_PROXIES = (407, 511)


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
    def is_sniffed(self) -> bool:
        options = self.headers.get("x-content-type-options", "")
        return options.partition(",")[0].strip().lower() != "nosniff"

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class _Errand:
    """One probe on its way: all that it asks for shares a deadline."""

    probe: HttpProbe
    deadline_s: float
    warnings: dict[str, None] = field(default_factory=dict)  # in the order they came


def ask_http(probe: HttpProbe) -> Answer:
    """What the address answers.

    It ends within the probe's limit, redirects and assets included, but for the resolution of
    names. Proxies of the environment are not used. Any number of threads may ask at once.
    """
    errand = _Errand(probe=probe, deadline_s=time.monotonic() + probe.timeout_s)
    status = 0
    try:
        page = _followed(errand, probe.url)
        status = page.status
        _judge(errand, page)
    except Unanswered as error:
        return error.answer(probe.name, status, tuple(errand.warnings))
    return Answer(probe=probe.name, outcome="right", status=status, warnings=tuple(errand.warnings))


def shown(url: str) -> str:
    """An address without its query and login.

    >>> shown("https://u:p@example.com/a?token=x#y"), shown("http://[")
    ('https://example.com/a', 'an address that is none of HTTP')
    """
    parts = split(url)
    if parts is None:
        return "an address that is none of HTTP"
    return f"{parts.scheme}://{named(parts.hostname or '', parts.port)}{parts.path}"


# --- what must be so


def _judge(errand: _Errand, page: _Response) -> None:
    probe, place = errand.probe, shown(page.url)
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
    last = _next(errand, page) if probe.follow else page
    wanted_type = probe.content_type.partition(";")[0].strip().lower()
    if wanted_type and last.media_type != wanted_type:
        raise Unanswered(
            "content-type",
            f"{shown(last.url)} is {last.media_type or 'of no type'}, not {wanted_type}",
        )
    if probe.assets:
        _judge_assets(errand, page)


def _judge_json(wanted: Mapping[str, object], page: _Response) -> None:
    place = shown(page.url)
    try:
        document = json.loads(page.body)
    except (ValueError, RecursionError):
        raise Unanswered("json", f"{place}: the answer is no JSON") from None
    for path, expected in wanted.items():
        value: object = document
        for key in path.split("."):
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise Unanswered("json", f"{place}: the answer has no {path}")
        if not _is_same(value, expected):
            raise Unanswered("json", f"{place}: {path} is not {expected!r}")


def _is_same(value: object, expected: object) -> bool:
    """A text is also right for what is spelt so in JSON; True is not 1.

    >>> _is_same(True, "true"), _is_same(True, True), _is_same(1, True), _is_same("1", 1)
    (True, True, False, False)
    """
    if isinstance(value, str) or value == expected:
        return value == expected and isinstance(value, bool) == isinstance(expected, bool)
    try:
        return json.dumps(value) == expected
    except RecursionError:
        return False


def _next(errand: _Errand, page: _Response) -> _Response:
    found = re.search(errand.probe.follow, page.text)
    if not found or not found.groups() or not found[1]:
        raise Unanswered("body", f"{shown(page.url)}: nothing in the answer is what `follow` says")
    url = joined(page.url, found[1])
    if split(url) is None:
        raise Unanswered("body", f"{shown(page.url)}: what `follow` finds is no address of HTTP")
    last = _followed(errand, url)
    if not 200 <= last.status <= 299:
        raise Unanswered("asset-missing", f"{shown(last.url)} answers {last.status}")
    return last


def _judge_assets(errand: _Errand, page: _Response) -> None:
    """Some at once, as a browser asks: they share the deadline.

    Raises:
        Unanswered: what is wrong with the first of the page that is.
    """
    waiting = deque(enumerate(assets(page.url, page.text)[:ASSETS_MAX]))
    faults: dict[int, Exception] = {}

    def work() -> None:
        while waiting and not faults:  # they begin in order: the first wrong one has begun
            try:
                index, asset = waiting.popleft()
            except IndexError:  # another one took it
                return
            try:
                _judge_asset(errand, asset)
            except Exception as error:  # whatever it is: it must not be lost with its thread
                faults[index] = error

    # Not a pool: those of `concurrent` keep the interpreter from its end.
    crew: list[threading.Thread] = []
    for _ in range(min(ASSETS_AT_ONCE, len(waiting)) - 1):
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has no more of them: fewer do it all
            break
        crew.append(thread)
    work()
    for thread in crew:
        thread.join()
    if faults:
        raise faults[min(faults)]


def _judge_asset(errand: _Errand, asset: Asset) -> None:
    place = shown(asset.url)
    found = _followed(errand, asset.url)
    if not 200 <= found.status <= 299:
        raise Unanswered("asset-missing", f"{place}, a {asset.kind}, answers {found.status}")
    if not is_taken(asset.kind, found.media_type, is_sniffed=found.is_sniffed):
        raise Unanswered(
            "asset-type",
            f"{place} is {found.media_type or 'of no type'}, and no browser takes that for "
            f"a {asset.kind}: its path leads to another file, or to a page for all that is unknown",
        )


def _excerpt(page: _Response) -> str:
    """The first words of an error page, without what it repeats of the request."""
    if not page.media_type.startswith(("text/", "application/json")):
        return ""
    body = re.sub(r"(?is)<head\b.*?</head>", " ", page.text[:4000])  # its title says the same
    words = " ".join(re.sub(r"<[^<>]{0,300}>", " ", body).split())
    parts = split(page.url)
    query = parse_qsl(parts.query) if parts else []
    for secret in (*(value for _, value in query), parts and parts.password):
        if secret and len(secret) >= SHORTEST_SECRET:
            words = words.replace(secret, "***")
    words = re.sub(r"(?<=://)[^\s/@]+@", "", words)
    words = re.sub(r"(?<=[^\s?])\?[^\s\"'<>]+", "?…", words)
    return f": {words[:EXCERPT_MAX]}" if words else ""


# --- requests


def _followed(errand: _Errand, url: str) -> _Response:
    """The answer at the end of the redirects."""
    seen = set()
    for _ in range(errand.probe.redirects + 1):
        answer = _asked(errand, url)
        target = answer.headers.get("location", "")
        if answer.status not in _REDIRECTS or not target or not errand.probe.redirects:
            return answer
        seen.add(url)
        following = joined(url, target)
        if split(following) is None:
            raise Unanswered("redirect", f"{shown(url)} leads to no address of HTTP")
        if following in seen:
            raise Unanswered("redirect", f"{shown(url)} leads in a circle")
        if url.lower().startswith("https:") and not following.lower().startswith("https:"):
            raise Unanswered("redirect", f"{shown(url)} leads from https to {shown(following)}")
        url = following
    raise Unanswered("redirect", f"{shown(url)} leads on and on")


def _asked(errand: _Errand, url: str) -> _Response:
    probe, deadline_s = errand.probe, errand.deadline_s
    parts = split(url)
    if parts is None:
        raise Unanswered("redirect", "an address is none of HTTP")
    host, port = origin(url)
    place = named(host, port)
    try:
        host = host.encode("idna").decode("ascii")
    except UnicodeError:
        raise Unanswered("dns", f"{host} is no name of a host", is_unknown=True) from None
    # What leads to the server leads to one host there; another one is asked for directly.
    via = probe.via if origin(url) == origin(probe.url) else ""

    def reach() -> socket.socket:
        return reached(host, port, family=probe.family, via=via, deadline_s=deadline_s)

    if parts.scheme == "https":
        with secured(reach, host, place, deadline_s) as secure:
            if warning := expires_soon(secure, host, probe.tls_days):
                errand.warnings[warning] = None
            answer = _exchanged(secure, parts, host, place, deadline_s)
    else:
        with reach() as plain:
            answer = _exchanged(plain, parts, host, place, deadline_s)
    if answer.status in _OF_PROXIES and answer.status not in probe.status:
        raise Unanswered(
            "proxy", f"a proxy on the way to {place} answers {answer.status}", is_unknown=True
        )
    return answer


def _exchanged(
    one: socket.socket, parts: SplitResult, host: str, place: str, deadline_s: float
) -> _Response:
    try:
        request = (
            f"GET {_target(parts)} HTTP/1.1\r\n"
            f"Host: {named(host, parts.port)}\r\n"
            "User-Agent: orient-deploy\r\n"
            "Accept: */*\r\n"
            "Accept-Encoding: identity\r\n"
            "Connection: close\r\n\r\n"
        )
        one.settimeout(max(deadline_s - time.monotonic(), 0.01))
        one.sendall(request.encode("ascii"))
        response = _begun(Readable(one, deadline_s))
        body = b"".join(_pieces(response, place))
    except TimeoutError:
        raise Unanswered("no-answer", f"{place} did not end its answer in time") from None
    except OSError as error:  # also http.client.RemoteDisconnected
        raise why(error, place) from None
    except http.client.IncompleteRead:
        raise Unanswered("refused", f"{place} breaks off in the middle of its answer") from None
    except (http.client.HTTPException, ValueError):
        raise Unanswered("protocol", f"{place} does not speak HTTP") from None
    headers: dict[str, str] = {}
    for name, text in response.getheaders():
        name = name.lower()
        if name not in headers:
            headers[name] = text
        elif name not in ("content-type", "location"):  # of which there is one
            headers[name] += f", {text}"
    if "location" in headers:  # bytes of UTF-8, where it is not ASCII
        headers["location"] = (
            headers["location"].encode("latin-1").decode("utf-8", "surrogateescape")
        )
    return _Response(url=parts.geturl(), status=response.status, headers=headers, body=body)


def _begun(source: Readable) -> http.client.HTTPResponse:
    """The response, up to its body; those that only say that one will come are passed over."""
    for _ in range(INTERIM_MAX):
        # It asks of a socket no more than its file.
        response = http.client.HTTPResponse(cast(socket.socket, source), method="GET")
        response.begin()
        if not 102 <= response.status <= 199:
            return response
    raise http.client.HTTPException


def _pieces(response: http.client.HTTPResponse, place: str) -> Iterator[bytes]:
    """The body, up to its limit."""
    size = 0
    while size < BODY_MAX_BYTES:
        piece = response.read1(min(1 << 16, BODY_MAX_BYTES - size))
        if not piece:
            if response.length:  # of what was announced
                raise Unanswered("refused", f"{place} breaks off in the middle of its answer")
            return
        size += len(piece)
        yield piece


def _target(parts: SplitResult) -> str:
    """Path and query as they are sent: what is not ASCII, or a blank, is escaped."""
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return "".join(
        char
        if 0x21 <= ord(char) <= 0x7E
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in target
    )
