"""Gathers what is known about a commit: what changed, what its images are made of, what was built.

Decides nothing: asks `history` and the registry, has `inputs` resolve, and hands facts to `plan`.
"""

from __future__ import annotations

import os
import posixpath

from orient_deploy.config import ConfigError, parse
from orient_deploy.config.model import AUTO, Config
from orient_deploy.errors import RemoteError
from orient_deploy.history import Base, Comparison, Part, Want
from orient_deploy.history.git import GitFailed
from orient_deploy.history.model import SHORT
from orient_deploy.plan.blind_spots import blind_spot_remarks, dockerfile_remarks
from orient_deploy.plan.facts import Recorded
from orient_deploy.plan.model import UNUSED, ImageFacts, Record, Remark
from orient_deploy.plan.remarks import questions
from orient_deploy.plan.wording import listed
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from orient_deploy.commands.records import Records
    from orient_deploy.commands.sources import Sources
    from orient_deploy.github.deployments import Deployment
    from orient_deploy.history import Change, Repository
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.plan.model import Deployed

    # Asks for records of images with these input digests.
    LookUp = Callable[[Mapping[str, str]], Records]

# Characters of a command line: Windows takes 32,767, Linux 2 MB with the environment, macOS 1 MB.
LONGEST_COMMAND = 30_000 if os.name == "nt" else 500_000
MOST_BASES = 8  # different commits of last builds that images are compared with

_NO_CONFIG = Config(source="", images=())


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What `decide` is told of a commit."""

    base: Base
    changes: tuple[Change, ...] | None
    listing: Sequence[str]
    folders: frozenset[str] = frozenset()
    base_config: Config | None = None
    read: Mapping[str, Mapping[str, str]]
    recorded: Recorded | None = None
    remarks: tuple[Remark, ...] = ()


# --- when the watch lists decide


def by_watch_lists(
    config: Config, path: str, head: str, base: Base, repository: Repository
) -> Gathered:
    """What changed, how each changed file comes to count where a list says `auto`, and what the
    Dockerfiles read that no list watches."""
    if base.nothing_to_do:
        return Gathered(base=base, changes=None, listing=(), read={})
    base, changes, tree = _compare(config, head, base, repository)
    base_config = _config_at_base(config, path, base, changes, repository)
    from orient_deploy.commands.sources import Sources

    automatic = [one.name for one in config.images if any(at.text == AUTO for at in one.watch)]
    before = base_config or config
    read: dict[str, dict[str, str]] = {}
    if automatic and changes and base.commit:
        sources = Sources(repository, (config, head), (before, base.commit))
        inputs = sources.inputs(config, head)
        sides = (inputs, sources.inputs(before, base.commit))
        read = {name: _read_by_auto(name, changes, sides) for name in automatic}
        now = {name: one.reads for name, one in inputs.items()}
    else:
        sources = Sources(repository, (config, head), whole=False)
        now = sources.reads(config, head)
    spots = blind_spot_remarks(
        config, now, sources.trees[head], changed=[one.path for one in changes or ()]
    )
    return Gathered(
        base=base,
        changes=changes,
        listing=tree.listing,
        folders=tree.folders,
        base_config=base_config,
        read=read,
        remarks=(*dockerfile_remarks(config, now), *spots),
    )


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


def _compare(
    config: Config, head: str, base: Base, repository: Repository
) -> tuple[Base, tuple[Change, ...] | None, Comparison]:
    """What changed, and as much of the head's tree as the plan asks about.

    The base is none any more when its files cannot be had: a treeless clone without a server, say.
    """
    part = _part(config)
    try:
        compared = repository.compare(base.commit or "", head, part)
    except GitFailed as error:
        if base.commit is None:
            raise
        base = _lost(base, error)
        compared = repository.compare("", head, part)
    if part and {image.dockerfile for image in config.images}.difference(compared.listing):
        # For the nearest name.
        compared = Comparison(compared.changes, repository.listing(head), frozenset())
    return base, None if base.commit is None else compared.changes, compared


def _lost(base: Base, error: GitFailed | RemoteError) -> Base:
    reason = f"the files of {(base.commit or '')[:SHORT]} cannot be had"
    return Base(commit=None, reason=reason, missed=(*base.missed, f"{reason}: {error.why}"))


def _part(config: Config) -> Part | None:
    """The part of the tree that the plan asks about; None where all of it is as quick to read."""
    paths, below = questions(config)
    if "" in below or sum(len(path) + 3 for path in (*paths, *below)) > LONGEST_COMMAND:
        return None
    return Part(paths=paths, below=below)


# --- when input digests decide


def by_digests(
    config: Config,
    path: str,
    head: str,
    base: Base,
    repository: Repository,
    *,
    look_up: LookUp | None,
    now_s: float,
    finished: bool,
) -> Gathered:
    """What each image is made of at the head and at its base, and what the registry knows of it.

    Without `look_up` nobody is asked for records.
    """
    if base.nothing_to_do:
        return Gathered(base=base, changes=None, listing=(), read={})
    from orient_deploy.commands.sources import Sources
    from orient_deploy.inputs.images import differences

    changes: tuple[Change, ...] | None = None
    if base.commit is not None:
        try:
            changes = repository.changes(base.commit, head)
        except GitFailed as error:
            base = _lost(base, error)
    base_config = _config_at_base(config, path, base, changes, repository)
    asked = [(config, head)]
    if base.commit is not None:
        asked.append((base_config or config, base.commit))
    sources = Sources(repository, *asked)
    inputs = sources.inputs(config, head)
    before: dict[str, ImageInputs] = {}
    if base.commit is not None:
        before = _inputs_or_none(sources, base_config or config, base.commit)
    records, last = dict.fromkeys(inputs, UNUSED), {}
    if look_up is not None:
        found = look_up({name: one.digest for name, one in inputs.items()})
        records, last = dict(found.images), dict(found.last)
    earlier = _earlier(config, path, last, repository)

    images: dict[str, ImageFacts] = {}
    for name, one in inputs.items():
        own_base, other = base, before.get(name)
        if name in earlier:
            own_base, other = earlier[name]
        images[name] = ImageFacts(
            digest=one.digest,
            record=records[name],
            base=own_base,
            base_digest=other.digest if other else "",
            differences=differences(one, other) if other and other.digest != one.digest else (),
            run_digest=before[name].digest if name in before else "",
        )
    return Gathered(
        base=base,
        changes=changes,
        listing=sources.trees[head].paths,
        base_config=base_config,
        read={},
        recorded=Recorded(images=images, now_s=now_s, finished=finished, deployments={}),
        remarks=(*_doubts(records), *_remarks(config, inputs, sources.trees[head])),
    )


def _doubts(records: Mapping[str, Record]) -> Iterator[Remark]:
    """Each reason why the registry was no help, once."""
    images: dict[str, list[str]] = {}
    for name, record in records.items():
        if record.state == "unknown":
            images.setdefault(record.why, []).append(name)
    for why, names in images.items():
        yield Remark(
            message=f"The registry was no help for {listed(names)}: {why}; what the base was made "
            "of decides instead"
        )


def _remarks(config: Config, inputs: Mapping[str, ImageInputs], tree: Tree) -> Iterator[Remark]:
    """What could not be told of the Dockerfiles, and what the lists leave out of what is read."""
    for image in config.images:
        for why in inputs[image.name].remarks:
            yield Remark(message=f"{image.name}: {why}", where=image.where)
    reads = {name: one.reads for name, one in inputs.items()}
    yield from dockerfile_remarks(config, reads)
    yield from blind_spot_remarks(config, reads, tree, changed=None)


def _inputs_or_none(sources: Sources, config: Config, commit: str) -> dict[str, ImageInputs]:
    """What images were made of, as far as it can be known: a base is no reason to fail."""
    try:
        return sources.inputs(config, commit)
    except RemoteError:
        return {}


def _earlier(
    config: Config, path: str, last: Mapping[str, str], repository: Repository
) -> dict[str, tuple[Base, ImageInputs | None]]:
    """For each image that has to be built what it was made of when it was last built."""
    from orient_deploy.commands.sources import Sources

    commits = list(dict.fromkeys(last.values()))[:MOST_BASES]
    if not commits:
        return {}
    repository.obtain(*(Want(commit) for commit in commits))
    found: dict[str, tuple[Base, ImageInputs | None]] = {}
    for commit in commits:
        if not repository.has(commit):
            continue
        try:
            then = _config_at(config, path, commit, repository)
            inputs = Sources(repository, (then, commit)).inputs(then, commit)
        except (RemoteError, GitFailed):
            continue
        base = Base(commit=commit, reason="its last recorded build")
        found.update((name, (base, inputs.get(name))) for name, at in last.items() if at == commit)
    return found


def deployed_at(
    config: Config, path: str, head: str, deployment: Deployment, repository: Repository
) -> Deployed | None:
    """What a deployment brought, or None when its commit cannot be had."""
    from orient_deploy.commands.sources import Sources
    from orient_deploy.plan.model import Deployed

    commit = deployment.commit
    repository.obtain(Want(commit))
    if not repository.has(commit):
        return None
    try:
        then = _config_at(config, path, commit, repository)
        inputs = Sources(repository, (then, commit)).inputs(then, commit)
        changes = repository.changes(commit, head)
    except (RemoteError, GitFailed):
        return None
    return Deployed(
        commit=commit,
        references=deployment.references,
        digests={name: one.digest for name, one in inputs.items()},
        changes=changes,
        tried=deployment.attempts[0].commit if deployment.attempts else "",
    )


# --- the configuration of another commit


def _config_at_base(
    config: Config,
    path: str,
    base: Base,
    changes: tuple[Change, ...] | None,
    repository: Repository,
) -> Config | None:
    """The configuration at the base, if it differs there; without images where there was none.

    A `path` that is a link which changed led elsewhere, or was none: what counted is not known.
    """
    if not changes or base.commit is None or not config.source:
        return None
    changed = {change.path for change in changes}
    if posixpath.normpath(path) in changed - {config.source}:
        return _NO_CONFIG
    if config.source not in changed:
        return None
    try:
        text = repository.read(base.commit, config.source)
        return parse(text, source=config.source) if text is not None else _NO_CONFIG
    except (ConfigError, RemoteError):
        return _NO_CONFIG  # doubt builds


def _config_at(config: Config, path: str, commit: str, repository: Repository) -> Config:
    """The configuration that held at a commit; without images where there was none."""
    if not config.source:
        return config  # given inline
    try:
        text = repository.read(commit, config.source)
        return parse(text, source=config.source) if text is not None else _NO_CONFIG
    except ConfigError:
        return _NO_CONFIG
