"""`WWW-Authenticate`: how a server wants to be asked.

Source: RFC 9110, 11.6.1, which allows several challenges in one header, and quoted strings with
commas and escapes in them.
"""

from __future__ import annotations

import re

from orient_deploy.record import dataclass

HEADER_MAX = 8192  # characters that are read; a real one has some 200

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(
    rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}(?=[ \t]*(?:,|\Z))))'
)
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,)|\Z)")
_OPAQUE = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|\Z))")
_BETWEEN = re.compile(r"[ \t]*(?:,[ \t]*)*")


@dataclass(frozen=True, kw_only=True)
class Challenge:
    """`realm` and the others are '' where the server does not say."""

    scheme: str  # 'basic' or 'bearer'
    realm: str = ""
    service: str = ""
    scope: str = ""
    error: str = ""  # 'insufficient_scope', …


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of schemes that are known here, in the server's order.

    What cannot be read ends the list: half a challenge is none.

    >>> found = parse_challenges('Negotiate, Bearer realm="https://ghcr.io/token",scope="a,b"')
    >>> [(one.scheme, one.realm, one.scope) for one in found]
    [('bearer', 'https://ghcr.io/token', 'a,b')]
    """
    header = header[:HEADER_MAX]
    found = []
    at = _end(_BETWEEN, header, 0)
    while at < len(header):
        scheme = _SCHEME.match(header, at)
        if not scheme:
            break
        at = scheme.end()
        given: dict[str, str] = {}
        if opaque := _OPAQUE.match(header, at):
            at = opaque.end()
        while parameter := _PARAMETER.match(header, at):
            name, quoted, plain = parameter.groups()
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            given.setdefault(name.lower(), value)
            at = _end(_BETWEEN, header, parameter.end())
        at = _end(_BETWEEN, header, at)
        if scheme[1].lower() in ("basic", "bearer"):
            found.append(
                Challenge(
                    scheme=scheme[1].lower(),
                    **{n: given.get(n, "") for n in ("realm", "service", "scope", "error")},
                )
            )
    return tuple(found)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
