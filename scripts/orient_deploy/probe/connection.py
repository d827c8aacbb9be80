"""Connections that are made within a limit, and why one was not.

No proxy of the environment is used: what is asked for is the deployed thing itself. How long a name
takes to be resolved is the system's business, and not bounded here.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl
import time
from datetime import datetime, timezone

from orient_deploy.probe.model import Family

CANNOT_GET_THERE = (
    *(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EACCES, errno.EPERM),
    *(errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE),
)
# OpenSSL's X509_V_ERR_… (x509_vfy.h)
_EXPIRED, _NOT_YET, _NAME = 10, 9, (62, 64)
_FAMILIES = {"": socket.AF_UNSPEC, "4": socket.AF_INET, "6": socket.AF_INET6}
_DAY_S = 86_400


class Unanswered(Exception):
    """No answer came, and why; `is_unknown`: which says nothing about what was asked."""

    def __init__(self, reason: str, detail: str, *, is_unknown: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.is_unknown = reason, detail, is_unknown


def reached(host: str, port: int, *, family: Family, via: str, deadline_s: float) -> socket.socket:
    """A connection; the deadline is a time of the monotonic clock.

    Raises:
        Unanswered: there is none.
    """
    if via:
        return _through(via, deadline_s)
    try:
        found = socket.getaddrinfo(host, port, _FAMILIES[family], socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unanswered("dns", f"the name {host} is not resolved here", is_unknown=True) from None
    last = Unanswered("no-answer", f"{host}:{port} did not take a connection in time")
    for kind, _, protocol, _, address in found:
        left = deadline_s - time.monotonic()
        if left <= 0:
            break
        one = socket.socket(kind, socket.SOCK_STREAM, protocol)
        # Who has several addresses has time for each.
        one.settimeout(left if len(found) == 1 else max(left / 2, 0.05))
        try:
            one.connect(address)
        except OSError as error:
            one.close()
            last = why(error, f"{host}:{port}")
        else:
            return one
    raise last


def _through(path: str, deadline_s: float) -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(max(deadline_s - time.monotonic(), 0.01))
    try:
        one.connect(path)
    except OSError:
        one.close()
        raise Unanswered(
            "not-observed", "the connection to the server was lost", is_unknown=True
        ) from None
    return one


def why(error: OSError, place: str) -> Unanswered:
    """What an error of the system says."""
    if isinstance(error, TimeoutError):
        return Unanswered("no-answer", f"{place} did not answer in time")
    if error.errno in CANNOT_GET_THERE:
        said = error.strerror or "no way leads there"
        return Unanswered(
            "unreachable", f"{place} is not reached from here: {said}", is_unknown=True
        )
    if isinstance(error, ConnectionRefusedError):
        return Unanswered("refused", f"{place} refuses connections")
    return Unanswered("refused", f"{place} closes the connection without an answer")


def secured(one: socket.socket, host: str, place: str, deadline_s: float) -> ssl.SSLSocket:
    """TLS over it, with a certificate that is valid for the host.

    Raises:
        Unanswered: the certificate or the handshake is not what it must be.
    """
    context = ssl.create_default_context()
    one.settimeout(max(deadline_s - time.monotonic(), 0.01))
    try:
        return context.wrap_socket(one, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        one.close()
        raise _of_certificate(error, host) from None
    except ssl.SSLError as error:
        one.close()
        said = (error.reason or "").replace("_", " ").lower() or "it is no TLS"
        raise Unanswered("tls", f"{place} shakes no hands: {said}") from None
    except OSError as error:
        one.close()
        raise why(error, place) from None


def _of_certificate(error: ssl.SSLCertVerificationError, host: str) -> Unanswered:
    if error.verify_code == _EXPIRED:
        return Unanswered("tls-expired", f"the certificate of {host} has expired")
    if error.verify_code == _NOT_YET:
        return Unanswered("tls-not-yet-valid", f"the certificate of {host} is not valid yet")
    if error.verify_code in _NAME:
        return Unanswered("tls-name", f"the certificate is not one of {host}")
    said = error.verify_message
    return Unanswered("tls-untrusted", f"the certificate of {host} is not trusted: {said}")


def expires_soon(one: ssl.SSLSocket, host: str, days: int) -> str:
    """A warning where the certificate is valid for fewer days; '' else."""
    until = (one.getpeercert() or {}).get("notAfter")
    if not isinstance(until, str):
        return ""
    end_s = ssl.cert_time_to_seconds(until)
    left = int((end_s - time.time()) // _DAY_S)
    if left >= days:
        return ""
    date = datetime.fromtimestamp(end_s, tz=timezone.utc).strftime("%Y-%m-%d")
    return f"the certificate of {host} expires in {left} day{'' if left == 1 else 's'} ({date})"


class Connection(http.client.HTTPConnection):
    """HTTP over a connection that is made already."""

    def __init__(self, one: socket.socket, host: str, port: int) -> None:
        super().__init__(host, port)
        self.sock = one
        self.auto_open = 0
