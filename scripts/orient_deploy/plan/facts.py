"""What is known about a commit when it is decided, apart from the configuration. Values only."""

from __future__ import annotations

from orient_deploy.history.model import SHORT
from orient_deploy.plan.watched import Watched
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orient_deploy.config.model import Config
    from orient_deploy.history.model import Base, Change
    from orient_deploy.plan.model import Deployed, ImageFacts, Request
    from orient_deploy.runner import Event


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What is known of the images and environments where input digests decide.

    `now_s` is the time, in seconds since 1970. With `finished` the builds of this run have had
    their time: an image that was built from the head is new. `deployments` holds the environments
    whose last good deployment is known.
    """

    images: Mapping[str, ImageFacts]
    now_s: float
    finished: bool
    deployments: Mapping[str, Deployed]


class Facts:
    """What is known about the commit; `changed` is None when there is nothing to compare with.

    Without `recorded` the watch lists decide, and `read` tells of each changed file that `auto`
    stands for how it comes to count, by image.
    """

    def __init__(
        self,
        config: Config,
        *,
        event: Event,
        request: Request,
        head: str,
        base: Base,
        changes: Sequence[Change] | None,
        base_config: Config | None,
        read: Mapping[str, Mapping[str, str]],
        recorded: Recorded | None,
    ) -> None:
        self.config = config
        self.event = event
        self.request = request
        self.head = head
        self.base = base
        self.changed = None if changes is None else tuple(change.path for change in changes)
        self.base_config = base_config
        self.read = read
        self.recorded = recorded
        self.watched = Watched(config, read)
        self.counted, self.ignored = self.watched.split_ignored(self.changed or ())

    @property
    def since(self) -> str:
        return (self.base.commit or "")[:SHORT]
