"""Gathers what is known about a commit: what changed, what its images are made of, what was built.

Decides nothing: asks `history` and the registry, has `inputs` resolve, and hands facts to `plan`.
"""

from __future__ import annotations

import posixpath

from orient_deploy.config import ConfigError, parse
from orient_deploy.config.model import Config
from orient_deploy.errors import RemoteError
from orient_deploy.history import Base, Want
from orient_deploy.history.git import GitFailed
from orient_deploy.history.model import SHORT
from orient_deploy.plan.blind_spots import blind_spot_remarks, dockerfile_remarks
from orient_deploy.plan.facts import Recorded
from orient_deploy.plan.model import UNUSED, ImageFacts, Record, Remark
from orient_deploy.plan.wording import listed
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from orient_deploy.commands.records import Records
    from orient_deploy.commands.sources import Sources
    from orient_deploy.github.deployments import Deployment
    from orient_deploy.history import Change, Repository
    from orient_deploy.inputs.images import ImageInputs
    from orient_deploy.inputs.tree import Tree
    from orient_deploy.plan.model import Deployed

    # Asks for records of images with these input digests.
    LookUp = Callable[[Mapping[str, str]], Records]
    T = TypeVar("T")

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
    sources: Sources | None = None  # where digests decide
    remarks: tuple[Remark, ...] = ()


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

    base, sources = compared(base, lambda commit: Sources(repository, head, commit))
    changes = sources.changes if base.commit else None
    base_config = config_at_base(config, path, base, changes, repository)
    asked = [(config, head)]
    if base.commit is not None:
        asked.append((base_config or config, base.commit))
    sources.fetch(*asked)
    inputs = sources.inputs(config, head)
    before: dict[str, ImageInputs] = {}
    if base.commit is not None:
        before = _inputs_or_none(sources, base_config or config, base.commit)
    records, last = dict.fromkeys(inputs, UNUSED), {}
    if look_up is not None:
        found = look_up({name: one.digest for name, one in inputs.items()})
        records, last = dict(found.images), dict(found.last)
    earlier = _earlier(config, path, last, repository, sources)

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
        sources=sources,
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
    narrowed = {name: one.read for name, one in inputs.items()}
    yield from dockerfile_remarks(config, reads)
    yield from blind_spot_remarks(config, reads, tree, changed=None, narrowed=narrowed)


def _inputs_or_none(sources: Sources, config: Config, commit: str) -> dict[str, ImageInputs]:
    """What images were made of, as far as it can be known: a base is no reason to fail."""
    try:
        return sources.inputs(config, commit)
    except RemoteError:
        return {}


def _earlier(
    config: Config, path: str, last: Mapping[str, str], repository: Repository, sources: Sources
) -> dict[str, tuple[Base, ImageInputs | None]]:
    """For each image that has to be built what it was made of when it was last built."""
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
            inputs = _inputs_at(commit, then, sources)
        except (RemoteError, GitFailed):
            continue
        base = Base(commit=commit, reason="its last recorded build")
        found.update((name, (base, inputs.get(name))) for name, at in last.items() if at == commit)
    return found


def _inputs_at(commit: str, config: Config, sources: Sources) -> dict[str, ImageInputs]:
    """What made each image at a commit of which nothing is known yet."""
    if commit not in sources.trees:
        sources.differ(commit)
    return sources.inputs(config, commit)


def deployed_at(
    config: Config, path: str, deployment: Deployment, repository: Repository, sources: Sources
) -> Deployed | None:
    """What a deployment brought, or None when its commit cannot be had."""
    from orient_deploy.plan.model import Deployed

    commit = deployment.commit
    repository.obtain(Want(commit))
    if not repository.has(commit):
        return None
    try:
        then = _config_at(config, path, commit, repository)
        changes = sources.differ(commit)
        inputs = _inputs_at(commit, then, sources)
    except (RemoteError, GitFailed):
        return None
    return Deployed(
        commit=commit,
        references=deployment.references,
        digests={name: one.digest for name, one in inputs.items()},
        changes=changes,
        tried=deployment.attempts[0].commit if deployment.attempts else "",
    )


# --- comparing


def compared(base: Base, compare: Callable[[str], T]) -> tuple[Base, T]:
    """What `compare` tells with the base's commit, or '' for none.

    The base is none any more when its files cannot be had: a treeless clone without a server, say.
    """
    try:
        return base, compare(base.commit or "")
    except GitFailed as error:
        if base.commit is None:
            raise
        return _lost(base, error), compare("")


def _lost(base: Base, error: GitFailed | RemoteError) -> Base:
    reason = f"the files of {(base.commit or '')[:SHORT]} cannot be had"
    return Base(commit=None, reason=reason, missed=(*base.missed, f"{reason}: {error.why}"))


# --- the configuration of another commit


def config_at_base(
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
