"""`orient-deploy config check`: is the configuration right, and does it fit the commit?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orient_deploy.commands.clone import open_clone
from orient_deploy.commands.configuration import missing
from orient_deploy.commands.context import described, warn
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD
from orient_deploy.history.model import Base
from orient_deploy.plan.decide import decide
from orient_deploy.plan.model import Request
from orient_deploy.plan.wording import plural
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context

OUTPUTS = ("valid", "images", "environments", "remarks")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `config check`."""

    path: str = described("Where the clone is. Empty means the current folder.", "")
    config: str = described(
        "Path of the configuration file, relative to the repository root.", DEFAULT_PATH
    )
    strict: bool = described(
        "End with exit code 1 when there is something to remark. 'true' or 'false'; empty means "
        "'false'.",
        False,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Read the file as it stands, and compare it with the commit that is checked out.

    Raises:
        ConfigError: the file is not valid; it holds every problem.
    """
    with open_clone(inputs.path, context) as clone:
        config = clone.configuration(inputs.config)
        if config is None:
            raise missing(inputs.config)
        plan = decide(
            config,
            event=clone.event,
            request=Request(),
            head=clone.head,
            base=Base(commit=clone.head, reason="itself"),
            changes=(),
            listing=clone.repository.listing(clone.head),
            base_config=None,
        )
    images, environments = len(config.images), len(config.environments)
    warn(plan.remarks, context.log)
    verdict = f"valid: {plural(images, 'image')}, {plural(environments, 'environment')}"
    remarks = [
        {"message": one.message, "where": str(one.where) if one.where else ""}
        for one in plan.remarks
    ]
    found = {"valid": True, "images": images, "environments": environments, "remarks": remarks}
    context.publish(found, lines=[(("green", verdict),)])
    return EXIT_FOUND if inputs.strict and plan.remarks else EXIT_GOOD
