"""What an image reads and its hand-written list does not watch, with the Dockerfile's line.

Values in, values out. Changes no decision by itself: digests count what is read in any case, and
lists that decide alone are taken at their word.
"""

from __future__ import annotations

from orient_deploy.config.model import AUTO, Location
from orient_deploy.inputs.patterns import compile_patterns
from orient_deploy.inputs.positions import Positions
from orient_deploy.plan.model import Remark
from orient_deploy.plan.wording import listed, plural, shortened
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from orient_deploy.config.model import Config, Image
    from orient_deploy.inputs.reads import Reads
    from orient_deploy.inputs.tree import Tree

NOTHING: Mapping[str, Positions] = {}
SPOTS_SHOWN = 3  # of one image; the rest is counted
NAMES_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class BlindSpot:
    """One line of a Dockerfile and what it reads unwatched, as positions in the tree."""

    line: int
    text: str  # 'COPY packages/core packages/core'
    unwatched: Positions


def blind_spots(
    image: Image, config: Config, reads: Reads, tree: Tree, read: Positions
) -> tuple[BlindSpot, ...]:
    """By line; each file once, at the first line that reads it. None where `auto` is in the list,
    or where it is not known what is read. `read` is what counts of all that is read. What `ignore`
    takes out is left alone on purpose.
    """
    if any(pattern.text == AUTO for pattern in image.watch) or reads.widened:
        return ()
    rest = read
    for patterns in (image.watch, config.watch_all, config.ignore):
        if patterns:
            texts = [pattern.text for pattern in patterns]
            rest = rest - compile_patterns(texts).positions(tree.paths)
    found: dict[int, BlindSpot] = {}
    for source in reads.sources:
        unwatched = rest & source.positions
        if unwatched:
            rest = rest - unwatched
            before = found.get(source.line)
            found[source.line] = BlindSpot(
                line=source.line,
                text=source.text,
                unwatched=before.unwatched | unwatched if before else unwatched,
            )
    return tuple(found.values())


def dockerfile_remarks(config: Config, reads: Mapping[str, Reads]) -> list[Remark]:
    """What could not be told of the Dockerfiles, so that more counts than is read; and what they
    take that the commit does not have, where nobody says what that is made from."""
    remarks = []
    for image in config.images:
        one = reads.get(image.name)
        if one is None or one.dockerfile is None:
            continue
        told = [(at.line, f"{at.why}, so more may count for it than is read") for at in one.widened]
        made = one.untold(image)
        if made is not None:
            told.append(
                (
                    made.line,
                    f"the commit does not have {shortened(made.source)}, so something makes it "
                    "before the build, and every file may count for it: name what it is made from "
                    "in `watch`, beside auto",
                )
            )
        for line, message in told[:SPOTS_SHOWN]:
            where = Location(file=image.dockerfile, line=max(line, 1), column=1)
            remarks.append(Remark(message=f"{image.name}: {message}", where=where))
    return remarks


def blind_spot_remarks(
    config: Config,
    reads: Mapping[str, Reads],
    tree: Tree,
    *,
    changed: Sequence[str] | None,
    narrowed: Mapping[str, Positions] = NOTHING,
) -> list[Remark]:
    """A remark at each such line of a Dockerfile; of each image the first few.

    `changed` are the files that changed, where lists decide alone: a line that reads one of them
    comes first, for its image is kept though it should not be. None: input digests decide, and
    count what is read in any case. `narrowed` is what `inputs: workspace` leaves of what is read.
    """
    found = [
        (image, blind_spots(image, config, one, tree, narrowed.get(image.name, one.positions)))
        for image in config.images
        if (one := reads.get(image.name)) is not None
    ]
    if not any(spots for _, spots in found):
        return []
    places = [at for path in changed or () if (at := tree.position(path)) is not None]
    moved = Positions.of(range(at, at + 1) for at in places)
    decides = changed is not None
    return [one for image, spots in found for one in _remarks(image, spots, tree, moved, decides)]


def _remarks(
    image: Image, found: Sequence[BlindSpot], tree: Tree, moved: Positions, decides: bool
) -> Iterator[Remark]:
    # By line, but first those that this push makes stale.
    spots = sorted(found, key=lambda spot: not spot.unwatched & moved)
    shown = spots[:SPOTS_SHOWN]
    for spot in shown:
        stale = spot.unwatched & moved
        paths = _named([tree.paths[at] for at in stale or spot.unwatched])
        if stale:
            message = f"this push changes {paths}, which {image.name} reads and its list does not "
            message += "watch: that builds nothing"
        elif decides:
            message = f"{image.name} reads {paths}, which its list does not watch: a change there "
            message += "builds nothing"
        else:
            message = f"{image.name} reads {paths}, which its list does not watch: its input "
            message += "digest counts that"
        if spot is shown[-1] and len(spots) > len(shown):
            rest = len(spots) - len(shown)
            message += f"; {plural(rest, 'more line')}: see `orient-deploy audit`"
        where = Location(file=image.dockerfile, line=max(spot.line, 1), column=1)
        yield Remark(message=message, where=where)


def _named(paths: Sequence[str]) -> str:
    """Some files for a sentence: their names, or the folders that hold most of them."""
    if len(paths) <= NAMES_SHOWN:
        return listed([shortened(path) for path in paths])
    folders: dict[str, int] = {}
    for path in paths:
        folder, slash, _ = path.partition("/")
        folders[folder + slash] = folders.get(folder + slash, 0) + 1
    ranked = sorted(folders, key=lambda name: (-folders[name], name))
    names = ", ".join(shortened(name) for name in ranked[:NAMES_SHOWN])
    rest = " and more" if len(ranked) > NAMES_SHOWN else ""
    return f"{plural(len(paths), 'file')} ({names}{rest})"
