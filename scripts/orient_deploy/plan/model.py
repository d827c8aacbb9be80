"""The plan as values: what is built, what is deployed, and the sentence that says why."""

from __future__ import annotations

from orient_deploy.config.model import Location
from orient_deploy.history.model import Base
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from orient_deploy.history.model import Change
    from orient_deploy.inputs.images import Difference


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for over and above what the event says."""

    force: bool = False
    images: tuple[str, ...] = ()  # names to build whatever changed; empty: no such wish
    environment: str = ""  # the only environment that `deploy` speaks of; empty: any


@dataclass(frozen=True, kw_only=True)
class Record:
    """What the registry says of an image with certain inputs.

    'unused' is also what counts before anything was recorded at all: then an absent image says
    nothing.
    """

    state: Literal["present", "absent", "unknown", "unused"]
    reference: str = ""  # repository@sha256:…, of one that is present
    commit: str = ""  # that it was built from; '' where that was not asked or is not known
    created_s: float | None = None  # seconds since 1970; None as above
    why: str = ""  # a clause: why it is unknown
    expected: bool = False  # absent, and a successful build of this run would have left it


UNUSED = Record(state="unused")


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What is known of one image, when its input digest decides.

    `base` is the commit that it is compared with: that of its last recorded build, or the run's.
    """

    digest: str  # its input digest at the head, 64 hex digits; '' when it has no Dockerfile there
    record: Record
    base: Base
    base_digest: str = ""  # at `base`; '' when not known
    differences: tuple[Difference, ...] = ()  # files, between `base` and the head
    run_digest: str = ""  # at the run's base; '' when not known


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The last good deployment to an environment.

    `references` are what was deployed, by image, where the deployment says so; `digests` the input
    digests at its commit; `changes` what changed since then. Each may be empty: not known.
    """

    commit: str
    references: Mapping[str, str]
    digests: Mapping[str, str]
    changes: tuple[Change, ...] | None  # None: not known
    tried: str = ""  # the commit of a later deployment that was not good; '' for none


@dataclass(frozen=True, kw_only=True)
class ImageDecision:
    """Whether one image is built, and why, in one sentence a reviewer believes."""

    name: str
    build: bool
    reason: str
    files: tuple[str, ...] = ()  # changed paths that count for it, in byte order
    digest: str = ""  # of its inputs; '' where the watch list decided, not the digest
    record: Record = UNUSED
    anew: bool = False  # of no cached layer: one that is built of those would be what it was


@dataclass(frozen=True, kw_only=True)
class EnvironmentDecision:
    """Whether one environment is deployed to, and why."""

    name: str
    deploy: bool
    reason: str
    allowed: bool = True  # whether the event may deploy there at all


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
