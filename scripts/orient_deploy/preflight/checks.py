"""Every check of preflight, by its id."""

from __future__ import annotations

from collections.abc import Mapping

from orient_deploy.preflight import compose, defaults, environment, judge, neighbours
from orient_deploy.preflight.finding import Check

_GROUPS = (compose, defaults, neighbours, environment, judge)
CHECKS: Mapping[str, Check] = {one.id: one for group in _GROUPS for one in group.CHECKS}
GROUPS = ("compose", "environment", "repository", "nginx", "host")  # that can be asked for
