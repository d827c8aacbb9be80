"""The action `rollback`: back to a release that was judged good.

Reads which one is meant, and says what became of it; the steps are in `deploying`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.deploy import PlaceInputs, chosen_place, on_each, owner_of
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context

OUTPUTS = ("verdict", "release", "rolled-back", "failed-services", "changes")


@dataclass(frozen=True, kw_only=True)
class Inputs(PlaceInputs):
    """The inputs of `rollback`."""

    release: str = described(
        "The release to go back to, as `orient-deploy releases` shows it. Empty means the last "
        "good one before the one in place.",
        "",
    )
    keep_env: bool = described(
        "Leave the server's file of variables as it is, with a secret that was changed since, say. "
        "'true' or 'false'; empty means 'false'.",
        False,
    )
    force: bool = described(
        "Go back behind a release that was declared not reversible. 'true' or 'false'; empty "
        "means 'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Go back on each server of the environment, one after another.

    Raises:
        InputError: there is no such release: nothing was touched.
        LockedError: somebody else deploys there.
        RemoteError: the server is not reached.
    """
    place, _, _ = chosen_place(inputs, context)
    return on_each(
        inputs,
        context,
        place,
        owner_of(context),
        lambda one: one.rollback(inputs.release, keep_env=inputs.keep_env, force=inputs.force),
    )
