"""Gathers what is known about a commit when the watch lists decide: what changed, what a list's
`auto` stands for, and what the Dockerfiles read that no list watches.

Decides nothing. Of a large tree it reads no more than the plan asks about, where that is enough.
"""

from __future__ import annotations

import os

from orient_deploy.commands.gathering import Gathered, compared, config_at_base
from orient_deploy.config.model import AUTO
from orient_deploy.errors import RemoteError
from orient_deploy.history import Part
from orient_deploy.history.git import GitFailed
from orient_deploy.inputs.by_text import are_watched, named_sources
from orient_deploy.inputs.tree import FILE, FOLDER
from orient_deploy.plan.blind_spots import blind_spot_remarks, dockerfile_remarks
from orient_deploy.plan.remarks import questions

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orient_deploy.commands.sources import Sources
    from orient_deploy.config.model import Config, Image
    from orient_deploy.history import Base, Change, Repository
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.reads import Reads
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.plan.model import Remark

# Characters of a command line: Windows takes 32,767, Linux 2 MB with the environment, macOS 1 MB.
LONGEST_COMMAND = 30_000 if os.name == "nt" else 500_000


def by_watch_lists(
    config: Config, path: str, head: str, base: Base, repository: Repository
) -> Gathered:
    """What changed, how each changed file comes to count where a list says `auto`, and what the
    Dockerfiles read that no list watches."""
    if base.nothing_to_do:
        return Gathered(base=base, changes=None, listing=(), read={})
    automatic = [one.name for one in config.images if any(at.text == AUTO for at in one.watch)]
    part = None if automatic else _part(config)
    if part is not None:
        return _by_part(config, path, head, base, repository, part)
    from orient_deploy.commands.sources import Sources

    base, sources = compared(base, lambda commit: Sources(repository, head, commit))
    changes = sources.changes if base.commit else None
    base_config = config_at_base(config, path, base, changes, repository)
    before = base_config or config
    read: dict[str, dict[str, str]] = {}
    remarks: tuple[Remark, ...] = ()
    if automatic and changes and base.commit:
        sources.fetch((config, head), (before, base.commit))
        inputs = sources.inputs(config, head)
        sides = (inputs, sources.inputs(before, base.commit))
        read = {name: _read_by_auto(name, changes, sides) for name in automatic}
        now = {name: one.reads for name, one in inputs.items()}
        remarks = _remarks_on_reads(config, now, sources.trees[head], changes)
    else:
        remarks = _blind_spots(config, config.images, sources, head, changes)
    return Gathered(
        base=base,
        changes=changes,
        listing=sources.trees[head].paths,
        base_config=base_config,
        read=read,
        remarks=remarks,
    )


def _by_part(
    config: Config, path: str, head: str, base: Base, repository: Repository, part: Part
) -> Gathered:
    """The same without `auto`: all of a large tree is read only where the text of the Dockerfiles
    and of the lists does not tell that all is watched."""
    base, (changes, known) = compared(
        base, lambda commit: repository.compare_part(commit, head, part)
    )
    changed = changes if base.commit else None
    base_config = config_at_base(config, path, base, changed, repository)
    folders = frozenset(one for one, about in known.items() if about.startswith(FOLDER))
    listing: Sequence[str] = sorted(
        known.keys() - folders, key=lambda path: path.encode("utf-8", "surrogateescape")
    )
    unclear = _unclear(config, known, head, repository)
    remarks: tuple[Remark, ...] = ()
    if unclear:
        from orient_deploy.commands.sources import Sources

        try:
            sources = Sources(repository, head)
        except GitFailed:
            pass  # trees that nothing but these remarks needs
        else:
            listing, folders = sources.trees[head].paths, frozenset()
            remarks = _blind_spots(config, unclear, sources, head, changed)
    return Gathered(
        base=base,
        changes=changed,
        listing=listing,
        folders=folders,
        base_config=base_config,
        read={},
        remarks=remarks,
    )


def _unclear(
    config: Config, known: Mapping[str, str], head: str, repository: Repository
) -> list[Image]:
    """The images of which the text alone does not tell that all they read is watched."""
    oids = {
        image.name: about.rpartition(" ")[2]
        for image in config.images
        if (about := known.get(image.dockerfile, "")).startswith(FILE)
    }
    contents = repository.contents(oids.values())
    named: list[tuple[Image, tuple[str, ...]]] = []
    unclear: list[Image] = []
    for image in config.images:
        content = contents.get(oids.get(image.name, ""))
        paths = None if content is None else named_sources(image, content)
        if paths is None:
            unclear.append(image)
        else:
            named.append((image, paths))
    missing = {path for _, paths in named for path in paths} - known.keys()
    if missing and _fits(missing):
        more = Part(paths=tuple(sorted(missing)))
        known = {**known, **repository.compare_part("", head, more)[1]}
    return unclear + [one for one, paths in named if not are_watched(paths, one, config, known)]


def _blind_spots(
    config: Config,
    images: Sequence[Image],
    sources: Sources,
    head: str,
    changes: Sequence[Change] | None,
) -> tuple[Remark, ...]:
    try:
        reads = sources.reads(images, head)
    except RemoteError:
        return ()  # lists decide here, and nobody needs to know what the images read
    return _remarks_on_reads(config, reads, sources.trees[head], changes)


def _remarks_on_reads(
    config: Config, reads: Mapping[str, Reads], tree: Tree, changes: Sequence[Change] | None
) -> tuple[Remark, ...]:
    spots = blind_spot_remarks(config, reads, tree, changed=[one.path for one in changes or ()])
    return (*dockerfile_remarks(config, reads), *spots)


def _read_by_auto(
    name: str, changes: Sequence[Change], sides: Sequence[Mapping[str, ImageInputs]]
) -> dict[str, str]:
    """The changed files that the Dockerfile reads now, or did before, and how."""
    found: dict[str, str] = {}
    for side in sides:
        one = side.get(name)
        for change in changes:
            at = one.tree.position(change.path) if one else None
            why = one.why_read(at) if one and at is not None else ""
            if why:
                found.setdefault(change.path, why)
    return found


def _part(config: Config) -> Part | None:
    """The part of the tree that the plan asks about; None where all of it is as quick to read."""
    paths, below = questions(config)
    return Part(paths=paths, below=below) if "" not in below and _fits((*paths, *below)) else None


def _fits(paths: Iterable[str]) -> bool:
    return sum(len(path) + 3 for path in paths) <= LONGEST_COMMAND
