"""What a row of past commits would have built, each taken as one push to a deploying branch.

Values in, values out: the plan of each commit is `decide`'s own, by the lists or by the input
digests. Never reads a repository, and knows nothing of what was really built then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from orient_deploy.advise.stale import Push, Standing
from orient_deploy.config.model import AUTO, Pattern
from orient_deploy.history.model import Base, Change
from orient_deploy.inputs.images import Difference
from orient_deploy.plan.decide import decide
from orient_deploy.plan.facts import Recorded
from orient_deploy.plan.model import ImageFacts, Plan, Record, Request
from orient_deploy.plan.refs import is_deploying
from orient_deploy.runner import Event

if TYPE_CHECKING:
    from orient_deploy.config.model import Config

By = Literal["current", "auto"]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one image is made of after a commit, and was before it, by input digests.

    The digests are of what the Dockerfile reads, whatever a list watches. '' where it is not there.
    """

    name: str
    digest: str
    before: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit to replay. `changes` are those from its first parent; None: nothing to compare.

    `config` is the one that decides about it. `listed` are the images that the path filters of the
    repository's workflows build, each with the reason; None: the lists of the configuration decide.
    """

    id: str
    subject: str
    parent: str  # '' when it has none
    time_s: int
    changes: tuple[Change, ...] | None
    config: Config
    made: tuple[Made, ...]
    listed: Mapping[str, str] | None = None


def reading_only(config: Config) -> Config:
    """The configuration whose input digests are of what the Dockerfiles read, and nothing more."""
    images = tuple(
        replace(image, watch=(Pattern(text=AUTO, where=image.where),)) for image in config.images
    )
    return replace(config, images=images, watch_all=())


def deploying_branch(config: Config, current: str, default: str) -> str:
    """The branch that the pushes are taken to be to: the current one, if it deploys, else another.

    With patterns only, none of which is a branch's plain name, it is the current one after all.
    """
    event = Event(name="push", ref=f"refs/heads/{current}", default_branch=default or current)
    if current and is_deploying(event, config):
        return current
    for pattern in config.branches:
        ref = f"refs/heads/{pattern.text}"
        if is_deploying(Event(name="push", ref=ref, default_branch=default), config):
            return pattern.text
    return current or default or "main"


def replay(commits: Sequence[Commit], branch: str, by: By) -> list[Push]:
    """What each commit would have led to, given oldest first.

    By 'current' the lists decide, by 'auto' the input digests: an image is built when none with its
    digest was built before.
    """
    built: dict[str, set[str]] = {}
    pushes = []
    for commit in commits:
        for one in commit.made:
            built.setdefault(one.name, {one.before} - {""})
        pushes.append(_push(commit, branch, by, built))
        for one in commit.made:
            built[one.name].add(one.digest)
    return pushes


def builds_by_digest(pushes: Sequence[Push]) -> int:
    """How many builds the input digests would have led to."""
    built: dict[str, set[str]] = {}
    count = 0
    for push in pushes:
        for one in push.standings:
            known = built.setdefault(one.name, {one.before} - {""})
            count += one.digest not in known
            known.add(one.digest)
    return count


def _push(commit: Commit, branch: str, by: By, built: Mapping[str, set[str]]) -> Push:
    building: Collection[str]
    if by == "current" and commit.listed is not None:
        building, deploy = commit.listed, bool(commit.listed)
        reason = _joined(commit.listed) or "no filter matches"
    else:
        plan = _plan(commit, branch, by, built)
        building, deploy = plan.to_build, plan.deploy.deploy
        reasons = {one.name: one.reason for one in plan.images if one.build}
        reason = _joined(reasons) or plan.deploy.reason

    def decided(one: Made) -> Literal["build", "reuse", "leave"]:
        if one.name in building:
            return "build"
        return "reuse" if by == "auto" and one.digest != one.before else "leave"

    return Push(
        id=commit.id,
        parent=commit.parent,
        subject=commit.subject,
        time_s=commit.time_s,
        files=None if commit.changes is None else len(commit.changes),
        standings=tuple(
            Standing(
                name=one.name,
                digest=one.digest,
                before=one.before,
                decided=decided(one),
                differences=one.differences,
            )
            for one in commit.made
        ),
        deploy=deploy,
        reason=reason,
    )


def _plan(commit: Commit, branch: str, by: By, built: Mapping[str, set[str]]) -> Plan:
    there = {one.name for one in commit.made}
    images = tuple(image for image in commit.config.images if image.name in there)
    config = replace(commit.config, images=images)
    if commit.changes is not None:
        base = Base(commit=commit.parent, reason="its first parent")
    elif commit.parent:
        base = Base(commit=None, reason="its first parent is not in this clone")
    else:
        base = Base(commit=None, reason="this is the first commit")
    return decide(
        config,
        event=Event(
            name="push",
            sha=commit.id,
            ref=f"refs/heads/{branch}",
            default_branch=branch,
        ),
        request=Request(),
        head=commit.id,
        base=base,
        changes=commit.changes,
        listing=(),  # for remarks only, which are not about the past
        base_config=None,  # where another one held, the digests differ
        read=_read_by_auto(commit, config),
        recorded=_recorded(commit, base, built) if by == "auto" else None,
    )


def _recorded(commit: Commit, base: Base, built: Mapping[str, set[str]]) -> Recorded:
    facts = {
        one.name: ImageFacts(
            digest=one.digest,
            record=Record(state="present" if one.digest in built[one.name] else "absent"),
            base=base,
            base_digest=one.before,
            differences=one.differences,
            run_digest=one.before,
        )
        for one in commit.made
    }
    return Recorded(images=facts, now_s=float(commit.time_s), finished=False, deployments={})


def _read_by_auto(commit: Commit, config: Config) -> dict[str, dict[str, str]]:
    """Of each image whose list says `auto` the changed files that it stands for."""
    changed = {change.path for change in commit.changes or ()}
    differences = {one.name: one.differences for one in commit.made}
    return {
        image.name: {one.path: one.why for one in differences[image.name] if one.path in changed}
        for image in config.images
        if any(pattern.text == AUTO for pattern in image.watch)
    }


def _joined(reasons: Mapping[str, str]) -> str:
    """The reasons for builds as one sentence, by name where they differ."""
    if len(set(reasons.values())) > 1:
        return "; ".join(f"{name} {reason}" for name, reason in reasons.items())
    return next(iter(reasons.values()), "")
