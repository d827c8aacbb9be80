"""Every check of preflight, by its id."""

from __future__ import annotations

from collections.abc import Mapping

from orient_deploy.preflight import (
    compose,
    defaults,
    environment,
    host,
    judge,
    locked,
    neighbours,
    nginx,
    packages,
    repository,
    sources,
    workflow,
)
from orient_deploy.preflight.finding import Check

_MODULES = (
    *(compose, defaults, neighbours, environment),
    *(repository, workflow, packages, sources, locked, nginx, host, judge),
)
CHECKS: Mapping[str, Check] = {one.id: one for module in _MODULES for one in module.CHECKS}
# What can be asked for, and whose ids begin otherwise.
GROUPS = ("compose", "environment", "repository", "nginx", "host")


def group_of(check: str) -> str:
    """The group that a check runs with.

    >>> group_of("nginx/invalid"), group_of("workflow/test-script")
    ('nginx', 'repository')
    """
    begin = check.partition("/")[0]
    return "repository" if begin in ("workflow", "package") else begin
