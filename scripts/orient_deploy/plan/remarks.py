"""What a maintainer should look at: nothing here changes a decision.

Files that are named and not there, Dockerfiles that nothing watches, patterns that match nothing.
Values in, values out.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO
from orient_deploy.plan.model import Remark
from orient_deploy.plan.watched import Watched, compile_list, compose_files
from orient_deploy.plan.wording import listed

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from orient_deploy.config.model import Config, Image, Pattern
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
    config: Config,
    watched: Watched,
    listing: Sequence[str],
    folders: Collection[str],
    *,
    recorded: bool,
) -> list[Remark]:
    """What a maintainer should look at: files that are not there, Dockerfiles that are not watched,
    patterns that match nothing. When digests decide (`recorded`), a Dockerfile always counts."""
    missing = _named_files(config).difference(listing)

    remarks: list[Remark] = []
    aging = [one for one in config.images if one.max_age_s is not None]
    if aging and not recorded:
        names = listed([one.name for one in aging])
        message = f"{names}: max-age has no effect with `baseline: push`"
        remarks.append(Remark(message=message, where=aging[0].where))
    for image in config.images:
        if image.dockerfile in missing:
            problem = "is not in the commit"
        elif recorded or _is_watched(image, watched):
            continue
        else:
            problem = "is not watched, so a change to it alone builds nothing"
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


def _is_watched(image: Image, watched: Watched) -> bool:
    auto = any(pattern.text == AUTO for pattern in image.watch)
    return auto or watched.watches(image.name, image.dockerfile)


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
