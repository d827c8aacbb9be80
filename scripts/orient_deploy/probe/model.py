"""What is asked, and what of the answer must be so; never asks."""

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
    status: tuple[int, ...] = ()  # empty: 200 to 299, after redirects
    body: str = ""  # what the body must hold
    json: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    # ^ keys on the way, joined by dots -> the value there, or the text that JSON spells it with
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ name -> what it must hold
    content_type: str = ""  # of the answer, or of what is followed; without parameters
    follow: str = ""  # a regular expression over the body, whose first group is asked for next
    assets: bool = False  # scripts and style sheets of the page must answer as such
    redirects: int = 5  # followed at most; 0: the redirect is the answer
    family: Family = ""  # of addresses
    tls_days: int = 14  # where the certificate has fewer left, the answer warns
    timeout_s: float = 5.0  # for all of it, with redirects, assets and what trickles
    via: str = ""  # a Unix socket that leads to this host and port; names stay as they are


@dataclass(frozen=True, kw_only=True)
class TcpProbe:
    """A port that must take connections."""

    name: str
    host: str
    port: int
    family: Family = ""
    timeout_s: float = 5.0
    via: str = ""
