"""To which release a rollback goes, and which releases stay.

Decides it from the ledger alone; asks nobody.
"""

from __future__ import annotations

from orient_deploy.errors import InputError
from orient_deploy.release.model import Standing, is_name

GOOD_KEPT = 5


def rollback_target(standing: Standing, wanted: str = "") -> str:
    """The release to go back to: the one that is named, else the last good one before the one in
    place.

    Raises:
        InputError: there is none.
    """
    good = standing.good_ones
    if wanted:
        if wanted in good:
            return wanted
        raise InputError(
            f"{wanted!r} is no good release of this server",
            f"those are {', '.join(good)}" if good else "it has none",
            "Name one of them; `orient-deploy releases` shows them all",
        )
    others = [one for one in good if one != standing.installed]
    if not others:
        raise InputError(
            "there is nothing to go back to",
            "the server has no good release but the one in place"
            if good
            else "it has no good release",
            "Deploy the commit that is wanted instead",
        )
    return others[0]


def kept(standing: Standing, *named: str) -> tuple[str, ...]:
    """The releases that stay: the last good ones, and those that are named besides."""
    found = [*standing.good_ones[:GOOD_KEPT], standing.good, standing.installed, *named]
    return tuple(dict.fromkeys(one for one in found if one and is_name(one)))
