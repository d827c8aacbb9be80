"""What is asked, and what of the answer must be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Family = Literal["", "4", "6"]


@dataclass(frozen=True, kw_only=True)
class HttpProbe:
    """An address that must answer."""

    name: str
    url: str  # http:// or https://
    status: tuple[int, ...] = ()  # empty: 200 to 299
    body: str = ""  # what the body must hold
    json: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ keys on the way, joined by dots -> the value there, as text
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ name -> what it must hold
    content_type: str = ""  # of the answer, or of what is followed
    follow: str = ""  # a regular expression over the body, whose first group is asked for next
    assets: bool = False  # scripts and style sheets of the page must answer as such
    redirects: int = 5
    family: Family = ""
    tls_days: int = 14
    timeout_s: float = 5.0  # for all of one answer
    via: str = ""  # a Unix socket that leads there


@dataclass(frozen=True, kw_only=True)
class TcpProbe:
    """A port that must take connections."""

    name: str
    host: str
    port: int
    family: Family = ""
    timeout_s: float = 5.0
    via: str = ""
