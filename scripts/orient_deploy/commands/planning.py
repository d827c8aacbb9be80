"""From inputs and an event to a plan: the wiring that plan, detect, matrix and gate share.

Decides nothing itself: asks `config` and `history` for facts, hands them to `plan`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orient_deploy.commands.context import Context, described
from orient_deploy.config import ConfigError, parse, parse_inline
from orient_deploy.errors import EnvironmentLacks, InputError
from orient_deploy.history import (
    Checkout,
    Remote,
    Repository,
    discover,
    find_checkout,
    local_event,
    resolve,
)
from orient_deploy.plan.decide import decide, is_deploying, is_version
from orient_deploy.plan.model import Plan, Request
from orient_deploy.runner import Event, read_event

if TYPE_CHECKING:
    from orient_deploy.config import Config

DEFAULT_CONFIG = ".github/orient-deploy.yml"


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """What plan, detect, matrix and gate take alike. The texts are those of the action.yml files."""

    config: str = described(
        "Path of the configuration file, relative to the repository root.", DEFAULT_CONFIG
    )
    images: str = described(
        "Names of images to build whatever changed, separated by commas, blanks or lines; or, "
        "instead of a configuration file, the mapping that would stand under 'images' in it. "
        "Empty means neither.",
        "",
    )
    force: bool = described(
        "Build every image, whatever changed. 'true' or 'false'; empty means 'false'.", False
    )
    base: str = described(
        "Branch, tag or commit to compare with. Empty means what the event implies.", ""
    )
    commit: str = described(
        "Branch, tag or commit to decide about. Empty means the commit of the event.", ""
    )
    environment: str = described(
        "The environment that the output 'deploy' speaks of. Empty means any.", ""
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself. A checkout is not needed.",
        "",
    )
    token: str = described(
        "Token that may read the repository, used only when commits have to be fetched.",
        "",
        action_default="${{ github.token }}",
    )


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan together with the facts it was made from."""

    plan: Plan
    config: Config
    event: Event
    listing: tuple[str, ...] = field(repr=False)
    deploying: bool


def make_plan(inputs: PlanInputs, context: Context) -> Planned:
    """The plan for the event, or on a laptop for the branch that is checked out.

    Raises:
        InputError, ConfigError: wrong inputs or configuration, not a repository.
        EnvironmentLacks: no git, or too old a one.
        RemoteError: not even the head commit could be had.
    """
    checkout = _checkout(inputs, context)
    event = read_event(context.env) if context.in_actions else local_event(checkout)
    with _repository(checkout, event, inputs, context) as repository:
        names, config_text, source = _configuration(inputs, checkout, event, repository, context)
        config = config_text
        deploying = is_deploying(event, config)
        resolution = resolve(
            event,
            repository,
            deploying=deploying,
            is_version=lambda tag: is_version(tag, config),
            explicit_base=inputs.base,
            commit=inputs.commit,
        )
    raise NotImplementedError
