"""What a maintainer should look at: nothing here changes a decision.

Files that are named and not there, Dockerfiles that nothing watches, patterns that match nothing,
keys that have no effect yet. Values in, values out.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO
from orient_deploy.plan.model import Remark
from orient_deploy.plan.watched import Watched, compile_list, compose_files
from orient_deploy.plan.wording import listed

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from orient_deploy.config.model import Config, Pattern
    from orient_deploy.inputs.patterns import Selection


def questions(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the plan asks about the head's tree: paths to look up, and folders to list whole
    ('' is the root)."""
    paths = set(_named_files(config))
    below: set[str] = set()
    for _, _, selection in _lists(config, Watched(config)):
        if selection is not None:
            more_paths, more_below = selection.questions()
            paths |= more_paths
            below |= more_below
    return tuple(sorted(paths)), tuple(sorted(below))


def _named_files(config: Config) -> set[str]:
    named = {image.dockerfile for image in config.images}
    for environment in config.environments:
        named.update(compose_files(environment))
    return named


def find_remarks(
    config: Config, watched: Watched, listing: Sequence[str], folders: Collection[str]
) -> list[Remark]:
    """What a maintainer should look at: files that are not there, Dockerfiles that are not watched,
    patterns that match nothing, and `auto`."""
    missing = _named_files(config).difference(listing)

    remarks: list[Remark] = []
    whole_context = [
        image.name for image in config.images if any(one.text == AUTO for one in image.watch)
    ]
    if whole_context:
        remarks.append(
            Remark(
                message="'auto' counts every file of the build context for now, so "
                f"{listed(whole_context)} may be built more often than needed; list patterns "
                "under `watch` to narrow it"
            )
        )
    remarks += _without_effect(config)
    for image in config.images:
        if image.dockerfile in missing:
            problem = "is not in the commit"
        elif not watched.watches(image.name, image.dockerfile):
            problem = "is not watched, so a change to it alone builds nothing"
        else:
            continue
        remarks.append(
            Remark(
                message=f"{image.name}: its Dockerfile {image.dockerfile} {problem}",
                where=image.where,
            )
        )
    for environment in config.environments:
        remarks += [
            Remark(
                message=f"{environment.name}: its compose file {path} is not in the commit",
                where=environment.where,
            )
            for path in dict.fromkeys(compose_files(environment))
            if path in missing
        ]
    return remarks + _dead_patterns(config, watched, listing, folders)


def _without_effect(config: Config) -> Iterator[Remark]:
    """Wishes that need a record of earlier builds, which there is not yet."""
    if config.baseline in ("registry", "deployments"):
        yield Remark(
            message=f"baseline: {config.baseline} has no effect yet; each push is compared with "
            "the commit before it, as with `baseline: push`"
        )
    for key, images in (
        ("max-age", [one for one in config.images if one.max_age_s is not None]),
        ("inputs: workspace", [one for one in config.images if one.inputs == "workspace"]),
    ):
        if images:
            names = listed([one.name for one in images])
            yield Remark(message=f"{names}: {key} has no effect yet", where=images[0].where)


def _lists(
    config: Config, watched: Watched
) -> Iterator[tuple[str, Sequence[Pattern], Selection | None]]:
    """Every list of patterns about files: its name, the patterns, and compiled."""
    yield "watch-all", config.watch_all, watched.everywhere
    yield "ignore", config.ignore, watched.ignore
    for image in config.images:
        yield f"images.{image.name}.watch", image.watch, watched.by_image[image.name]
    for one in config.environments:
        yield f"environments.{one.name}.sync", one.sync, compile_list(one.sync)


def _dead_patterns(
    config: Config, watched: Watched, listing: Sequence[str], folders: Collection[str]
) -> list[Remark]:
    remarks = []
    for name, patterns, selection in _lists(config, watched):
        dead = selection.dead(listing, folders) if selection else ()
        for pattern in patterns:
            if pattern.text in dead:
                hint = " ('[…]' is a character class: a '[' itself is written '[[]')"
                message = f"{name}: {pattern.text} matches no file of the commit"
                remarks.append(
                    Remark(
                        message=message + (hint if "[" in pattern.text else ""),
                        where=pattern.where,
                    )
                )
    return remarks
