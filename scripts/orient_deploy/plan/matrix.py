"""The build matrix: one entry per image to build, with everything a build step needs.

Values in, values out. The entries carry no file name and no text of a pull request, only what the
configuration, the commit and the ref's name say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from orient_deploy.errors import InputError
from orient_deploy.plan.tags import default_repository, image_tags, record_tags

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Image
    from orient_deploy.runner import Event

NO_DIGESTS: Mapping[str, str] = {}
MOST_JOBS = 256  # per workflow run; GitHub docs, "Usage limits": a larger matrix fails the run
COMPARED = 20  # missing Dockerfiles that are told the nearest, which takes a while


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One leg of the matrix. Lists are newline-joined, as docker/build-push-action takes them."""

    name: str
    dockerfile: str
    context: str
    target: str
    platforms: str  # comma-joined
    runner: tuple[str, ...]
    tags: str
    labels: str
    build_args: str
    contexts: str  # name=folder or name=docker-image://…
    cache_from: str
    cache_to: str
    no_cache: bool
    timeout: int  # minutes
    input_digest: str  # 64 hex digits; '' where no digest was computed
    record: (
        str  # tags to write when all else is pushed, in this order; '' where nothing is recorded
    )

    def as_json(self) -> dict[str, object]:
        """The entry with the kebab-case keys of the `matrix` output."""
        return {
            key.replace("_", "-"): list(value) if isinstance(value, tuple) else value
            for key, value in vars(self).items()
        }


def build_matrix(
    names: Sequence[str],
    config: Config,
    *,
    event: Event,
    head: str,
    deploying: bool,
    listing: Sequence[str],
    digests: Mapping[str, str] = NO_DIGESTS,
    anew: Collection[str] = (),
    run: str = "",
) -> tuple[Entry, ...]:
    """The entries for the named images, in the configuration's order.

    `deploying`: the event's branch is one that deploys; only then does it move `latest`, and only
    then are builds recorded under their input digests. `anew` are the images to build
    of no cached layer, `run` is the run's number.

    Raises:
        InputError: more images than one run can hold.
        ConfigError: Dockerfiles that are not in the commit.
    """
    images = [image for image in config.images if image.name in names]
    if len(images) > MOST_JOBS:
        raise InputError(
            f"{len(images)} images are to be built",
            f"one workflow run holds at most {MOST_JOBS} jobs of a matrix (GitHub's limit)",
            "Split them over several runs with the input 'images', or group images that always "
            "change together",
        )
    present = set(listing)
    missing = [image for image in images if image.dockerfile not in present]
    if missing:
        raise _missing_dockerfiles(missing, listing)
    common = _Common(config=config, event=event, head=head, deploying=deploying, run=run)
    return tuple(
        _entry(image, digests.get(image.name, ""), image.name in anew, common) for image in images
    )


def _missing_dockerfiles(missing: Sequence[Image], listing: Sequence[str]) -> InputError:
    """Each at its place in the configuration, the first ones with the nearest that there is."""
    from orient_deploy.config import ConfigError, Problem

    candidates = [path for path in listing if "dockerfile" in path.rsplit("/", 1)[-1].lower()]
    return ConfigError(
        Problem(
            where=image.where,
            message=f"image {image.name}: {image.dockerfile} is not in the commit",
            fix=(_nearest(image, candidates) if index < COMPARED else "")
            + "Correct `dockerfile`, or add the file",
        )
        for index, image in enumerate(missing)
    )


def _nearest(image: Image, candidates: Sequence[str]) -> str:
    from difflib import get_close_matches

    own = [path for path in candidates if image.name in path]
    near = get_close_matches(image.dockerfile, own or candidates, 1, 0.0)
    return f"The nearest is {near[0]}. " if near else "The commit has no Dockerfile at all. "


@dataclass(frozen=True, kw_only=True)
class _Common:
    """What all entries share."""

    config: Config
    event: Event
    head: str
    deploying: bool
    run: str


def _entry(image: Image, digest: str, anew: bool, common: _Common) -> Entry:
    event, head, deploying = common.event, common.head, common.deploying
    repository = image.repository or default_repository(event.repository, image.name)
    labels = [f"org.opencontainers.image.revision={head}"]
    if event.repository and event.server_url:
        labels.append(f"org.opencontainers.image.source={event.server_url}/{event.repository}")
    tags = image_tags(event, head, deploying=deploying)
    record = record_tags(digest, common.config, event, head, deploying=deploying, run=common.run)
    return Entry(
        name=image.name,
        dockerfile=image.dockerfile,
        context=image.context,
        target=image.target,
        platforms=",".join(image.platforms),
        runner=image.runner,
        tags="\n".join(f"{repository}:{name}" for name in tags),
        labels="\n".join(labels),
        build_args="\n".join(f"{name}={value}" for name, value in image.build_args),
        contexts="\n".join(f"{name}={value}" for name, value in image.contexts),
        cache_from=f"type=gha,scope={image.name}",
        cache_to=f"type=gha,scope={image.name},mode=max",
        no_cache=anew,
        timeout=image.timeout_minutes,
        input_digest=digest,
        record="\n".join(f"{repository}:{name}" for name in record),
    )
