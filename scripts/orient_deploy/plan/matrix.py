"""The build matrix: one entry per image to build, with everything a build step needs.

Values in, values out. The entries carry no file name and no text of a pull request, only what the
configuration, the commit and the ref's name say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orient_deploy.errors import InputError

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Image
    from orient_deploy.runner import Event

MOST_JOBS = 256  # per workflow run; GitHub docs, "Usage limits": a larger matrix fails the run
TAG_MAX = 128  # characters of an image tag; OCI distribution spec, "Pulling manifests"
COMPARED = 20  # missing Dockerfiles that are told the nearest, which takes a while
_TAKEN = re.compile(r"latest\Z|(?:sha|pr|inputs)-")  # tags with a meaning of their own


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
    cache_from: str
    cache_to: str
    timeout: int  # minutes

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
) -> tuple[Entry, ...]:
    """The entries for the named images, in the configuration's order.

    `deploying`: the event's branch is one that deploys; only then does it move `latest`.

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
    return tuple(_entry(image, event, head, deploying) for image in images)


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


def _entry(image: Image, event: Event, head: str, deploying: bool) -> Entry:
    repository = image.repository or default_repository(event.repository, image.name)
    names = [f"sha-{head}", *_moving_names(event, head, deploying)]
    labels = [f"org.opencontainers.image.revision={head}"]
    if event.repository and event.server_url:
        labels.append(f"org.opencontainers.image.source={event.server_url}/{event.repository}")
    return Entry(
        name=image.name,
        dockerfile=image.dockerfile,
        context=image.context,
        target=image.target,
        platforms=",".join(image.platforms),
        runner=image.runner,
        tags="\n".join(f"{repository}:{name}" for name in names),
        labels="\n".join(labels),
        build_args="\n".join(f"{name}={value}" for name, value in image.build_args),
        cache_from=f"type=gha,scope={image.name}",
        cache_to=f"type=gha,scope={image.name},mode=max",
        timeout=image.timeout_minutes,
    )


def default_repository(repository: str, image: str) -> str:
    """Where an image goes when its configuration does not say.

    >>> default_repository("Acme/Orient", "dashboard")
    'ghcr.io/acme/orient/dashboard'
    """
    return f"ghcr.io/{repository.lower() or 'local'}/{image}"


def _moving_names(event: Event, head: str, deploying: bool) -> list[str]:
    """The tags that move from commit to commit.

    A pull request never moves those of a branch, although pull_request_target names the one it goes
    to. Nor does a commit that was chosen by hand and is not the branch's own.
    """
    if event.pull_request:
        return [f"pr-{event.pull_request.number}"]
    if event.tag:
        return [_tag_name(event.tag)]
    if not event.branch or head != event.sha:
        return []
    latest = ["latest"] if deploying and event.branch == event.default_branch else []
    return [_tag_name(event.branch), *latest]


def _tag_name(ref: str) -> str:
    """A branch or version as an image tag: what a tag may not hold becomes '-'.

    A name that already means something else gets a prefix: a branch called 'latest' is not what
    compose files mean by it.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", ref).lstrip(".-")
    if not name or _TAKEN.match(name):
        name = f"ref-{name}"
    return name[:TAG_MAX]
