"""Which scripts and style sheets a page asks for, and which answers browsers take for one.

Values in, values out; never asks for anything itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import SplitResult, urljoin, urlsplit

Kind = Literal["script", "module", "style sheet"]
PORTS = {"http": 80, "https": 443}
# What runs as a script (WHATWG, MIME Sniffing, "JavaScript MIME type").
_SCRIPTS = frozenset(
    (
        *("application/javascript", "application/x-javascript", "text/x-javascript"),
        *("application/ecmascript", "application/x-ecmascript", "text/x-ecmascript"),
        *("text/javascript", "text/ecmascript", "text/jscript", "text/livescript"),
        *(f"text/javascript1.{minor}" for minor in range(6)),
    )
)
# A plain script of another type runs too, without `nosniff` (WHATWG, Fetch, "blocked due to its
# MIME type"). A page for it is not blocked either, and ends at its first character.
_NEVER_SCRIPTS = re.compile(r"(?:image|audio|video)/.*|text/csv|text/html")
# On other ones the parser of older Pythons raises AssertionError; to browsers all are comments.
_MARKED = re.compile(r"<!\[(?!(?:CDATA\[|if\b|else\b|endif\b))", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """What a page asks for."""

    kind: Kind
    url: str


def origin(url: str) -> tuple[str, int]:
    """Host and port; ('', 0) where the address is none of HTTP.

    >>> origin("https://u:p@Example.com/a"), origin("http://[::1]:81"), origin("http://[x")
    (('example.com', 443), ('::1', 81), ('', 0))
    """
    parts = split(url)
    if parts is None:
        return "", 0
    return parts.hostname or "", parts.port or PORTS[parts.scheme]


def split(url: str) -> SplitResult | None:
    """The parts of an address of HTTP; None where it is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # of its brackets, or its port
        return None
    return parts if parts.scheme in PORTS and host else None


def joined(base: str, address: str) -> str:
    """The address as the page at `base` means it; '' where nobody can read it.

    >>> joined("https://a.example/b/", "c.js?v=1"), joined("https://a.example/", "//[")
    ('https://a.example/b/c.js?v=1', '')
    """
    try:
        return urljoin(base, address.strip())
    except ValueError:
        return ""


def assets(url: str, text: str) -> tuple[Asset, ...]:
    """The scripts and style sheets of the page's own host, each once, in the page's order."""
    reader = _Assets()
    reader.feed(_MARKED.sub("<!x[", text))
    base = joined(url, reader.base)
    here = origin(url)
    found: dict[str, Kind] = {}
    for kind, address in reader.found:
        found.setdefault(joined(base, address), kind)
    return tuple(Asset(kind=kind, url=one) for one, kind in found.items() if origin(one) == here)


def is_taken(kind: Kind, media_type: str, *, is_sniffed: bool) -> bool:
    """Whether browsers take an answer of this type for such a thing.

    `is_sniffed`: the answer does not say `X-Content-Type-Options: nosniff`.
    """
    if kind == "style sheet":
        return media_type == "text/css" or (is_sniffed and not media_type)
    if media_type in _SCRIPTS:
        return True
    return kind == "script" and is_sniffed and not _NEVER_SCRIPTS.fullmatch(media_type)


class _Assets(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.found: list[tuple[Kind, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, str] = {}
        for name, value in attrs:
            given.setdefault(name, value or "")  # the first one counts
        if tag == "script" and given.get("src"):
            kind = given.get("type", "").strip().lower()
            if kind == "module":
                self.found.append(("module", given["src"]))
            elif not kind or kind in _SCRIPTS:
                self.found.append(("script", given["src"]))
        elif tag == "link" and given.get("href"):
            relation = given.get("rel", "").lower().split()
            if "stylesheet" in relation:
                self.found.append(("style sheet", given["href"]))
            elif "modulepreload" in relation and given.get("as", "").lower() in ("", "script"):
                self.found.append(("module", given["href"]))
        elif tag == "base" and not self.base:
            self.base = given.get("href", "")
