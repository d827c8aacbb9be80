"""Asks the registry, and GitHub's deployments, what is known of earlier builds.

Decides nothing: turns their answers into facts for `plan`. Imports an HTTP client only when asked.
"""

from __future__ import annotations

from orient_deploy.inputs.digest import record_tag
from orient_deploy.plan.model import UNUSED, Record
from orient_deploy.plan.tags import default_repository, last_tag, newest
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orient_deploy.config.model import Config
    from orient_deploy.registry.client import Registry
    from orient_deploy.registry.model import Answer, Described
    from orient_deploy.runner import Event


@dataclass(frozen=True, kw_only=True)
class Records:
    """What the registry said: a record for each image, and the commits of last builds.

    `last` holds, for images that have to be built, the commit that the branch's last recorded build
    was made from.
    """

    images: Mapping[str, Record]
    last: Mapping[str, str]


def look_up(
    config: Config,
    digests: Mapping[str, str],
    *,
    branch: str,
    event: Event,
    registry: Registry,
    describe: bool,
    recording: bool,
) -> Records:
    """What the registry says of images with these input digests; one round trip where all exist.

    `branch` is the deploying branch whose last builds count. With `describe` it is also asked which
    commit each image was built from. `recording`: builds of this run are to be recorded.
    """
    asked = [image for image in config.images if digests[image.name]]
    repositories = {
        image.name: image.repository or default_repository(event.repository, image.name)
        for image in asked
    }
    tags = {image.name: record_tag(digests[image.name]) for image in asked}
    problems: dict[str, str] = {}
    if config.immutable_tags:
        tags, problems = _newest_tags(tags, repositories, registry)
    records = dict.fromkeys(digests, UNUSED)
    found = [name for name in repositories if name not in problems and tags[name]]
    ask = registry.complete_all if config.check_children else registry.look_up
    answers = ask([(repositories[name], tags[name]) for name in found])
    records.update((name, Record(state="absent")) for name in repositories if not tags[name])
    records.update((name, Record(state="unknown", why=why)) for name, why in problems.items())
    for name, answer in zip(found, answers, strict=True):
        records[name] = _record(answer, repositories[name])

    absent = [name for name, one in records.items() if one.state == "absent"]
    last = _last_builds(absent, repositories, branch, config, registry) if branch else {}
    in_use = last or any(one.state == "present" for one in records.values())
    if absent and config.baseline == "auto" and not in_use:
        records.update(dict.fromkeys(absent, UNUSED))
        absent = []
    for name in absent if recording else ():
        # Before its first record it may well be one that never gets any.
        expected = name in last or config.baseline == "registry"
        records[name] = Record(state="absent", expected=expected)

    wanted = [
        image
        for image in asked
        if records[image.name].state == "present" and (describe or image.max_age_s is not None)
    ]
    for name, told in _described(
        {one.name: tags[one.name] for one in wanted}, repositories, registry
    ):
        records[name] = Record(
            state="present",
            reference=records[name].reference,
            commit=told.revision,
            created_s=told.created,
        )
    return Records(
        images=records, last={name: one.revision for name, one in last.items() if one.revision}
    )


def _record(answer: Answer, repository: str) -> Record:
    from orient_deploy.registry.model import Found, Unknown

    if isinstance(answer, Found):
        return Record(state="present", reference=f"{repository}@{answer.digest}")
    if isinstance(answer, Unknown):
        return Record(state="unknown", why=answer.why)
    return Record(state="absent")


def _newest_tags(
    tags: Mapping[str, str], repositories: Mapping[str, str], registry: Registry
) -> tuple[dict[str, str], dict[str, str]]:
    """Of tags that never move each image's newest ('': none), and why some are not known."""
    from orient_deploy.registry.model import Unknown

    found, problems = {}, {}
    for name, tag in tags.items():
        listed = registry.tags(repositories[name])
        if isinstance(listed, Unknown):
            problems[name] = listed.why
        found[name] = "" if isinstance(listed, Unknown) else newest(tag, listed)
    return found, problems


def _last_builds(
    names: Sequence[str],
    repositories: Mapping[str, str],
    branch: str,
    config: Config,
    registry: Registry,
) -> dict[str, Described]:
    """The branch's last recorded build of each image that has one."""
    tags = dict.fromkeys(names, last_tag(branch))
    if config.immutable_tags:
        tags, _ = _newest_tags(tags, repositories, registry)
    asked = {name: tag for name, tag in tags.items() if tag}
    return dict(_described(asked, repositories, registry))


def _described(
    tags: Mapping[str, str], repositories: Mapping[str, str], registry: Registry
) -> list[tuple[str, Described]]:
    """What those images say of themselves that could be asked."""
    from orient_deploy.registry.model import Described

    told = registry.describe_all([(repositories[name], tag) for name, tag in tags.items()])
    return [(name, one) for name, one in zip(tags, told, strict=True) if isinstance(one, Described)]
