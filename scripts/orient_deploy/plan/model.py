"""The plan as values: what is built, what is deployed, and the sentence that says why."""

from __future__ import annotations

from orient_deploy.config.model import Location
from orient_deploy.history.model import Base
from orient_deploy.record import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for over and above what the event says."""

    force: bool = False
    images: tuple[str, ...] = ()  # names to build whatever changed; empty: no such wish
    environment: str = ""  # the only environment that `deploy` speaks of; empty: any


@dataclass(frozen=True, kw_only=True)
class ImageDecision:
    """Whether one image is built, and why, in one sentence a reviewer believes."""

    name: str
    build: bool
    reason: str
    files: tuple[str, ...] = ()  # changed paths that count for it, in byte order


@dataclass(frozen=True, kw_only=True)
class EnvironmentDecision:
    """Whether one environment is deployed to, and why."""

    name: str
    deploy: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something a maintainer should mend; it changed no decision unless the message says so."""

    message: str
    where: Location | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that was decided about one commit; images and environments in the file's order.

    `deploy` is the verdict over the environment that was asked for, or, with the name '', over all.
    `changed` is every changed path in byte order, None when there was nothing to compare with.
    """

    head: str
    base: Base
    images: tuple[ImageDecision, ...]
    environments: tuple[EnvironmentDecision, ...]  # empty when none is configured
    deploy: EnvironmentDecision
    changed: tuple[str, ...] | None
    remarks: tuple[Remark, ...] = ()

    @property
    def to_build(self) -> tuple[str, ...]:
        """Names of the images to build, in the file's order."""
        return tuple(image.name for image in self.images if image.build)

    @property
    def destinations(self) -> tuple[str, ...]:
        """Names of the environments that `deploy` sends to; empty when none is configured."""
        asked_for = self.deploy.name
        return tuple(
            one.name
            for one in self.environments
            if one.deploy and (not asked_for or one.name == asked_for)
        )
