"""What a registry told, as values.

Three answers and no fourth: it is there, it is not there, or we do not know. Whoever reads them
builds on the second, and on the third looks for another way to tell.
"""

from __future__ import annotations

from orient_deploy.errors import RemoteError
from orient_deploy.record import dataclass, field

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Found:
    """The registry holds it; `digest` is what it is deployed by."""

    digest: str  # sha256:<64 hex>
    media_type: str
    size: int  # bytes of the manifest, not of the image


@dataclass(frozen=True)
class Absent:
    """The registry itself says that there is no such thing."""


@dataclass(frozen=True)
class Unknown:
    """Nobody could tell: refused, failed, silent, or an answer that is no registry's."""

    why: str  # a clause for people, which says what to do where something can be done


Answer = Found | Absent | Unknown


@dataclass(frozen=True, kw_only=True)
class Described:
    """What an image says of itself."""

    digest: str  # of what the reference names: an index, where there is one
    revision: str  # the commit it was built of; '' when it does not say
    created: float | None  # seconds since 1970; None when it does not say
    labels: Mapping[str, str] = field(repr=False)


class TagRefused(RemoteError):
    """The tag names another image already, and the registry lets no tag move."""
