"""Requests to a registry: bounded in time, size and number, and with no secret where none belongs.

urllib3 sends them, which requests is built on and brings along, so nothing more is installed.
Measured with 60 look-ups on loopback, the import included: requests 157 ms, urllib3 115 ms, the
standard library's http.client 67 ms. The first has nothing that is needed here and costs the most;
the last leaves proxies (those that speak TLS, too), the pool and its threads to be written again.

What the environment says of proxies and certificates counts as it does for requests: `HTTPS_PROXY`,
`HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`. Without one of the
last two the machine's own certificates count, and with them `SSL_CERT_FILE` and `SSL_CERT_DIR`. A
`.netrc` is never read. This machine is never asked through a proxy, as docker holds it.
"""

from __future__ import annotations

import os
import random
import re
import socket
import ssl
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError, SSLError

from orient_deploy.record import dataclass, field
from orient_deploy.registry.reference import is_loopback

TRIES = 3
CONNECT_S = 10.0  # for a connection, and for each silence in an answer
PAUSE_S = 0.5  # before the second try; doubled before the third
LONGEST_WAIT_S = 30.0  # a longer Retry-After is not worth a runner's time here
REDIRECTS_MAX = 4
CHUNK = 1 << 16

_AGAIN = frozenset((429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class Doubt(Exception):
    """No answer that could be believed: why, and what to do. Never with a secret in it."""

    def __init__(self, why: str, advice: str = "") -> None:
        super().__init__(why, advice)
        self.why = why
        self.advice = advice

    @property
    def clause(self) -> str:
        """Both, as one clause."""
        return f"{self.why}: {self.advice}" if self.advice else self.why


class Unreachable(Doubt):
    """The host did not answer at all, after every try; `untrusted`: it is not who it should be."""

    def __init__(self, why: str, advice: str = "", *, untrusted: bool = False) -> None:
        super().__init__(why, advice)
        self.untrusted = untrusted


@dataclass(frozen=True, kw_only=True)
class Response:
    """A whole answer; what was longer than asked for never becomes one."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # names in any case
    body: bytes = field(repr=False)
    elsewhere: bool  # another host than the one that was asked has answered

    @property
    def media_type(self) -> str:
        """Of the content, without parameters, in lower case; '' when it is not said."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


class Call:
    """What one question may take in all, whatever it is made of."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._end = time.monotonic() + limit_s
        self.failed: dict[str, Doubt] = {}  # hosts that have not answered in this call

    @property
    def left_s(self) -> float:
        return self._end - time.monotonic()

    def late(self) -> Doubt:
        """What is said of whatever is not known at the end."""
        return Doubt(f"no answer within {self.limit_s:g} seconds")


class Transport:
    """The connections to all hosts; threads share it."""

    def __init__(self, *, connections: int, sleep: Callable[[float], None]) -> None:
        self._connections = connections
        self._sleep = sleep
        self._lock = threading.Lock()
        self._proxies: dict[tuple[str, str, int], str] = {}  # by origin; '' is none
        self._managers: dict[str, urllib3.PoolManager] = {}  # by proxy
        self._context: ssl.SSLContext | None = None
        self._live: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def fetch(
        self,
        method: str,
        url: str,
        call: Call,
        *,
        headers: Mapping[str, str],
        authorization: str = "",
        body: bytes | None = None,
        limit: int,
        follow: bool = False,
        tries: int = TRIES,
    ) -> Response:
        """The answer, whatever its status; `limit` bounds its body.

        Asks again when the connection or the server failed, never when the server refused.
        `authorization` goes to the host of `url` and never along with a redirect to another.

        Raises:
            Doubt: no whole answer within the tries and the time.
        """
        first, elsewhere = _origin(url), False
        for _ in range(REDIRECTS_MAX + 1):
            sent = {**headers, "Accept-Encoding": "identity", "User-Agent": "orient-deploy-actions"}
            if authorization:
                sent["Authorization"] = authorization
            ask = partial(self._once, method, url, call, sent, body, limit, elsewhere)
            response = self._patiently(ask, _host(url), call, tries)
            if not follow or response.status not in _REDIRECTS:
                return response
            url = _next(url, response.headers.get("Location", ""))
            if _origin(url) != first:
                # Not again either when the other host sends us back: it chose the address.
                elsewhere, authorization = True, ""
        raise Doubt(f"{_host(url)} redirects without end")

    def cut(self) -> None:
        """End all that is under way: a blocked read returns, and its thread ends."""
        with self._lock:
            live, managers = list(self._live), list(self._managers.values())
        for one in live:
            with suppress(OSError):  # it may have ended by itself
                # Not SSLSocket's own, which would say goodbye first.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        for manager in managers:
            manager.clear()

    def _patiently(
        self, ask: Callable[[], Response], host: str, call: Call, tries: int
    ) -> Response:
        attempt = 1
        while True:
            if call.left_s <= 0:
                raise call.late()
            wait_s = PAUSE_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
            failed: Doubt
            try:
                response = ask()
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                failed = unreachable = _connection_failed(host, error)
                if unreachable.untrusted:
                    raise failed from None
            else:
                if response.status not in _AGAIN:
                    return response
                failed = Doubt(f"{host} answered {response.status}")
                told = response.headers.get("Retry-After", "")
                wait_s = max(wait_s, float(told) if re.fullmatch(r"[0-9]{1,9}", told) else 0.0)
            if call.left_s <= 0:
                raise call.late() from None  # it was the call's end that ended it
            if attempt == tries or wait_s > min(LONGEST_WAIT_S, call.left_s):
                raise failed from None
            self._sleep(wait_s)
            attempt += 1

    def _once(
        self,
        method: str,
        url: str,
        call: Call,
        headers: Mapping[str, str],
        body: bytes | None,
        limit: int,
        elsewhere: bool,
    ) -> Response:
        patience = max(0.001, min(CONNECT_S, call.left_s))
        answer = self._manager(url).request(
            method,
            url,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(connect=patience, read=patience),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            coding = answer.headers.get("Content-Encoding", "identity").lower()
            if coding != "identity" and method != "HEAD":
                raise Doubt(f"{_host(url)} sent a compressed answer, unasked")
            content = _bounded(answer, limit, _host(url))
        except BaseException:
            answer.close()  # what was read to its end has gone back to the pool by itself
            raise
        return Response(
            status=answer.status, headers=answer.headers, body=content, elsewhere=elsewhere
        )

    def _manager(self, url: str) -> urllib3.PoolManager:
        origin = _origin(url)
        with self._lock:
            if origin not in self._proxies:
                self._proxies[origin] = _proxy(url)
            proxy = self._proxies[origin]
            if proxy not in self._managers:
                self._managers[proxy] = self._new_manager(proxy)
            return self._managers[proxy]

    def _new_manager(self, proxy: str) -> urllib3.PoolManager:
        if self._context is None:
            self._context = _tls()
        manager: urllib3.PoolManager
        if proxy:
            parts = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
            manager = urllib3.ProxyManager(
                parts._replace(auth=None).url,
                proxy_headers=urllib3.make_headers(proxy_basic_auth=_unquoted(parts.auth))
                if parts.auth
                else None,
                proxy_ssl_context=self._context,
                maxsize=self._connections,
                ssl_context=self._context,
            )
        else:
            manager = urllib3.PoolManager(maxsize=self._connections, ssl_context=self._context)
        manager.pool_classes_by_scheme = _watched(self._connected)
        return manager

    def _connected(self, one: socket.socket) -> None:
        with self._lock:
            self._live.add(one)


def _watched(connected: Callable[[socket.socket], None]) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's connections, which tell of their sockets."""

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _bounded(answer: urllib3.BaseHTTPResponse, limit: int, host: str) -> bytes:
    parts, size = [], 0
    while part := answer.read(CHUNK, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > limit:
            raise Doubt(f"{host} sent more than {limit:,} bytes where a few thousand are usual")
    return b"".join(parts)


def _tls() -> ssl.SSLContext:
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        given = {"capath" if os.path.isdir(bundle) else "cafile": bundle}
        try:
            return ssl.create_default_context(**given)  # type: ignore[arg-type]  # either of two paths
        except (OSError, ssl.SSLError):
            raise Doubt(
                f"the certificates in {bundle} could not be read",
                "correct REQUESTS_CA_BUNDLE",
            ) from None
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not context.get_ca_certs() and not paths.cafile and not paths.capath:
        # A Python that brings no certificates and knows of none: those that requests brings.
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _proxy(url: str) -> str:
    """The proxy to ask through, as requests chooses it; '' for none."""
    parts = urlsplit(url)
    if is_loopback(parts.netloc):
        return ""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named and sys.platform == "linux":
        return ""  # without the import; elsewhere the system's own settings count, too
    from requests.utils import get_environ_proxies, select_proxy

    return select_proxy(url, get_environ_proxies(url)) or ""


def _unquoted(text: str) -> str:
    from urllib.parse import unquote

    return unquote(text)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or (443 if parts.scheme == "https" else 80),
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _next(url: str, location: str) -> str:
    """Where a redirect leads: over TLS, or without it from this machine to this machine.

    Raises:
        Doubt: anywhere else.
    """
    host = _host(url)
    if not re.fullmatch(r"[!-~]+", location):
        raise Doubt(f"{host} redirects to nowhere")
    try:
        # What begins with a scheme is whole: urljoin would lend 'https:///x' our host.
        whole = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", location)
        target = location if whole else urljoin(url, location)
        parts = urlsplit(target)
        _origin(target)
    except ValueError:
        raise Doubt(f"{host} redirects to nowhere") from None
    inside = parts.scheme == "http" == urlsplit(url).scheme and is_loopback(parts.netloc)
    if not (parts.scheme == "https" or inside) or not parts.hostname or "@" in parts.netloc:
        raise Doubt(f"{host} redirects to an address that is not safe to follow")
    return target


def _is_certificate(error: BaseException) -> bool:
    if isinstance(error, ProxyError):
        return _is_certificate(error.original_error)
    text = str(error)
    return isinstance(error, (SSLError, ssl.SSLError)) and "CERTIFICATE_VERIFY_FAILED" in text


def _connection_failed(host: str, error: BaseException) -> Unreachable:
    """What to say; of the error's own words none, for they may hold a proxy's password."""
    if _is_certificate(error):
        return Unreachable(
            f"the certificate of {host} is not trusted",
            "name the authority's certificates with REQUESTS_CA_BUNDLE",
            untrusted=True,
        )
    if isinstance(error, ProxyError):
        return Unreachable(
            f"the proxy to {host} failed", "correct HTTPS_PROXY, or put the host in NO_PROXY"
        )
    kind = "refused or not found" if isinstance(error, NewConnectionError) else type(error).__name__
    return Unreachable(f"the connection to {host} failed ({kind})")
