"""`orient-deploy secrets plan`: what would `secrets apply` do? Writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orient_deploy.commands.sync_secrets import OUTPUTS as OUTPUTS
from orient_deploy.commands.sync_secrets import PlanInputs as Inputs
from orient_deploy.commands.sync_secrets import sync

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context


def run(inputs: Inputs, context: Context) -> int:
    """Say it."""
    return sync(inputs, context, dry_run=True)
