"""Connections that are made within a limit, and why one was not.

Decides which of our words an error of the system or of TLS has; never what that means for a deploy.
No proxy of the environment is used: what is asked for is the deployed thing itself. How long a name
takes to be resolved is the system's business, and not bounded here: nothing can end getaddrinfo.
"""

from __future__ import annotations

import errno
import io
import os
import socket
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from orient_deploy.health.observation import Answer
from orient_deploy.probe.model import Family
from orient_deploy.text import printable

DETAIL_MAX = 300
CANNOT_GET_THERE = (
    *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM),
    *(errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EMFILE, errno.ENFILE),
)
# OpenSSL's X509_V_ERR_… (x509_vfy.h)
_EXPIRED, _NOT_YET, _NAME = 10, 9, (62, 64)
_UNTRUSTED = {
    18: "it is self-signed",
    19: "its chain ends in a self-signed certificate that is not known here",
    20: "its chain is incomplete, or its authority is not known here",
    21: "its chain is incomplete, or its authority is not known here",
}
_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl` has no name for
_CLOSED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
_FAMILIES = {"": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
_DAY_S = 86_400


class Unanswered(Exception):
    """No answer came, and why; `is_unknown`: which says nothing about what was asked."""

    def __init__(self, reason: str, detail: str, *, is_unknown: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.is_unknown = reason, detail, is_unknown

    def answer(self, probe: str, status: int = 0, warnings: tuple[str, ...] = ()) -> Answer:
        """The same as a probe's answer, in characters that can be shown."""
        detail = printable(self.detail)
        return Answer(
            probe=probe,
            outcome="unknown" if self.is_unknown else "wrong",
            reason=self.reason,
            detail=detail if len(detail) <= DETAIL_MAX else detail[: DETAIL_MAX - 1] + "…",
            status=status,
            warnings=warnings,
        )


def named(host: str, port: int | None) -> str:
    """A host, and its port where there is one, as addresses spell them.

    >>> named("example.com", 80), named("::1", 80), named("::1", None)
    ('example.com:80', '[::1]:80', '[::1]')
    """
    place = f"[{host}]" if ":" in host else host
    return f"{place}:{port}" if port else place


def reached(host: str, port: int, *, family: Family, via: str, deadline_s: float) -> socket.socket:
    """A connection; the deadline is a time of the monotonic clock.

    Raises:
        Unanswered: there is none. What any of the host's addresses says goes before not getting to
            another: many hosts have an address of IPv6, and many of us no way there.
    """
    if via:
        return _through(via, deadline_s)
    place = named(host, port)
    try:
        found = socket.getaddrinfo(host, port, _FAMILIES[family], socket.SOCK_STREAM)
    except (OSError, ValueError):
        raise Unanswered("dns", f"the name {host} is not resolved here", is_unknown=True) from None
    failure: Unanswered | None = None
    for index, (kind, _, protocol, _, address) in enumerate(found):
        left = deadline_s - time.monotonic()
        if left <= 0:
            break
        try:
            # Who has several addresses has time for each.
            is_last = index == len(found) - 1
            return _connected(kind, protocol, address, left if is_last else left / 2)
        except OSError as error:
            said = why(error, place)
            if failure is None or failure.is_unknown:
                failure = said
    raise failure or Unanswered("no-answer", f"{place} did not take a connection in time")


def _connected(kind: int, protocol: int, address: Any, timeout_s: float) -> socket.socket:
    one = socket.socket(kind, socket.SOCK_STREAM, protocol)
    try:
        one.settimeout(timeout_s)
        one.connect(address)
    except OSError:
        one.close()
        raise
    return one


def _through(path: str, deadline_s: float) -> socket.socket:
    try:
        left = max(deadline_s - time.monotonic(), 0.01)
        return _connected(socket.AF_UNIX, 0, path, left)
    except OSError:
        raise Unanswered(
            "not-observed", "the connection to the server was lost", is_unknown=True
        ) from None


def why(error: OSError, place: str) -> Unanswered:
    """What an error of the system, or of TLS, says."""
    if isinstance(error, TimeoutError):
        return Unanswered("no-answer", f"{place} did not answer in time")
    if isinstance(error, ssl.SSLError) and not isinstance(error, _CLOSED):
        said = (error.reason or "it speaks none").replace("_", " ").lower()
        return Unanswered("tls", f"{place} agrees on no TLS: {said}")
    if error.errno in CANNOT_GET_THERE:
        said = error.strerror or "no way leads there"
        return Unanswered(
            "unreachable", f"{place} is not reached from here: {said}", is_unknown=True
        )
    if isinstance(error, ConnectionRefusedError):
        return Unanswered("refused", f"{place} refuses connections")
    return Unanswered("refused", f"{place} closes the connection without an answer")


# --- TLS


def secured(
    reach: Callable[[], socket.socket], host: str, place: str, deadline_s: float
) -> ssl.SSLSocket:
    """TLS over a connection that is made so, with a certificate that is valid for the host.

    Raises:
        Unanswered: the certificate or the handshake is not what it must be.
    """
    try:
        return _shaken(reach(), host, deadline_s)
    except ssl.SSLCertVerificationError as error:
        code, message = error.verify_code, error.verify_message
    except OSError as error:
        raise why(error, place) from None
    if code == _EXPIRED:
        raise Unanswered("tls-expired", _expired(reach, host, deadline_s))
    if code == _NOT_YET:
        raise Unanswered("tls-not-yet-valid", f"the certificate of {host} is not valid yet")
    if code in _NAME:
        raise Unanswered("tls-name", f"the certificate is not one of {host}")
    said = _UNTRUSTED.get(code, message)
    raise Unanswered("tls-untrusted", f"the certificate of {host} is not trusted: {said}")


def _shaken(
    one: socket.socket, host: str, deadline_s: float, *, minds_time: bool = True
) -> ssl.SSLSocket:
    authorities = (os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
    try:
        one.settimeout(max(deadline_s - time.monotonic(), 0.01))
        return _context(authorities, minds_time).wrap_socket(one, server_hostname=host)
    except BaseException:
        one.close()
        raise


@lru_cache(maxsize=8)
def _context(authorities: tuple[str, str], minds_time: bool) -> ssl.SSLContext:
    """Authorities are read once for each place that they come from: that takes 20 ms."""
    context = ssl.create_default_context()
    # Python 3.13 began to refuse what browsers take: the verdict is the same from every Python.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not minds_time:
        context.verify_flags |= _NO_CHECK_TIME
    return context


def _expired(reach: Callable[[], socket.socket], host: str, deadline_s: float) -> str:
    """What has expired, and since when, where a second look tells it."""
    try:
        with _shaken(reach(), host, deadline_s, minds_time=False) as one:
            end_s = _ends(one)
    except (OSError, Unanswered):
        end_s = None
    if end_s is None:
        return f"the certificate of {host} has expired"
    if end_s > time.time():
        return f"a certificate in the chain of {host} has expired"
    return f"the certificate of {host} has expired on {_date(end_s)}"


def expires_soon(one: ssl.SSLSocket, host: str, days: int) -> str:
    """A warning where the certificate is valid for fewer days; '' else."""
    end_s = _ends(one)
    if end_s is None:
        return ""
    left = int((end_s - time.time()) // _DAY_S)
    if left >= days:
        return ""
    plural = "" if left == 1 else "s"
    return f"the certificate of {host} expires in {left} day{plural} ({_date(end_s)})"


def _ends(one: ssl.SSLSocket) -> float | None:
    until = (one.getpeercert() or {}).get("notAfter")
    return ssl.cert_time_to_seconds(until) if isinstance(until, str) else None


def _date(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, tz=timezone.utc).strftime("%Y-%m-%d")


# --- reading


class Timely(io.RawIOBase):
    """What comes over a connection, until the deadline: also what comes a byte at a time."""

    def __init__(self, one: socket.socket, deadline_s: float) -> None:
        super().__init__()
        self._one, self._deadline_s = one, deadline_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline_s - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._one.settimeout(left)
        return self._one.recv_into(buffer)


class _Kept(io.BufferedReader):
    def close(self) -> None:
        """Stays open, as a response that is over closes it: the next one is read from it too."""


class Readable:
    """The side of a socket that `http.client` reads responses from; each from the same buffer."""

    def __init__(self, one: socket.socket, deadline_s: float) -> None:
        self._file: io.BufferedIOBase = _Kept(Timely(one, deadline_s))

    def makefile(self, mode: str) -> io.BufferedIOBase:
        return self._file
