"""What history tells the other rooms: changes between two commits, and the base that was chosen."""

from __future__ import annotations

from orient_deploy.record import dataclass, field

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Literal

    Status = Literal["A", "M", "D", "T"]


SHORT = 7  # digits of a commit id shown to people


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits.

    `path` is the file name's bytes decoded as UTF-8 with surrogateescape, so every byte string
    has exactly one form and `path.encode("utf-8", "surrogateescape")` gives the bytes back.
    Renames are a deletion and an addition; mode changes are M; submodules are their path.
    """

    path: str
    status: Status
    # What `git ls-tree` prints of it at the first of the commits; '' where it was not there.
    before: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Base:
    """The commit a run is compared with, and why it is that one.

    `commit` is a full object id, or None: then nothing trustworthy was found and callers build
    all. `reason` is a clause for a reader: 'the tip before this push', or
    'this is the first push of the branch'.
    """

    commit: str | None
    reason: str
    missed: tuple[str, ...] = ()  # what was tried first and could not be had, one clause each
    nothing_to_do: bool = False  # the ref was deleted


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The commit a run decides about (a full id), and what it is compared with."""

    head: str
    base: Base
