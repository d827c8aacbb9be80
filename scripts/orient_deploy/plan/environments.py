"""Decides whether an environment is deployed to, and says why in one clause.

It is when what would run there differs from what was last deployed, or, where that is not known,
from the base. Doubt never deploys where an environment's `on` does not name the event.
"""

from __future__ import annotations

from collections.abc import Sequence

from orient_deploy.history.model import SHORT
from orient_deploy.inputs.patterns import compile_patterns, escape
from orient_deploy.plan.model import EnvironmentDecision
from orient_deploy.plan.redefined import environment_redefined
from orient_deploy.plan.refs import deploying_branches, ref_among
from orient_deploy.plan.watched import compose_files
from orient_deploy.plan.wording import listed, listed_paths

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.config.model import DeployEvents, Environment
    from orient_deploy.inputs.patterns import Selection
    from orient_deploy.plan.facts import Facts, Recorded
    from orient_deploy.plan.model import Deployed, ImageDecision
    from orient_deploy.runner import Event

# Actions of a release event that put something out; '' where the payload does not say.
_RELEASED = ("published", "released", "prereleased", "")


def decide_environment(
    environment: Environment, facts: Facts, images: Sequence[ImageDecision]
) -> EnvironmentDecision:
    """Whether the environment is deployed to, and why."""

    def decision(deploy: bool, reason: str) -> EnvironmentDecision:
        return EnvironmentDecision(name=environment.name, deploy=deploy, reason=reason)

    refusal = _refusal(environment.on, facts)
    if refusal:
        return EnvironmentDecision(
            name=environment.name, deploy=False, reason=refusal, allowed=False
        )
    building = [image.name for image in images if image.build]
    if building:
        return decision(True, f"new images: {listed(building)}")
    redefined = environment_redefined(environment, facts)
    if redefined:
        return decision(True, redefined)
    recorded = facts.recorded
    deployed = recorded.deployments.get(environment.name) if recorded else None
    if recorded is not None and deployed is not None:
        owed = _owed(environment, deployed, facts, recorded)
        return decision(bool(owed), owed or f"what {deployed.commit[:SHORT]} deployed still holds")
    new = _new_without_builds(facts)
    if new:
        return decision(True, new)
    files = _travelling_files(environment, facts.counted)
    if files:
        return decision(True, f"changed: {listed_paths(files)}")
    return decision(False, f"nothing that runs there changed since {facts.since}")


def _new_without_builds(facts: Facts) -> str:
    """Why images are new that need no build, or '': a revert's, or such as this run has built."""
    if facts.changed is None:
        return f"nothing to compare with: {facts.base.reason}"
    recorded = facts.recorded
    if recorded is None:
        return ""
    known = recorded.images
    moved = [name for name, one in known.items() if one.digest != one.run_digest]
    if moved:
        return f"other images than at {facts.since}: {listed(moved)}"
    built = [name for name, one in known.items() if one.record.commit == facts.head]
    return f"built from this commit: {listed(built)}" if recorded.finished and built else ""


def _owed(environment: Environment, deployed: Deployed, facts: Facts, recorded: Recorded) -> str:
    """Why the last good deployment is not what is wanted now, or ''."""
    at = deployed.commit[:SHORT]
    differing = []
    for name, one in recorded.images.items():
        before, now = deployed.references.get(name, ""), one.record.reference
        if not (before and now):
            before, now = deployed.digests.get(name, ""), one.digest
        if not before or before != now:
            differing.append(name)
    if differing:
        return f"other images than {at} deployed: {listed(differing)}"
    if deployed.tried:
        return f"the deployment of {deployed.tried[:SHORT]} did not succeed, and may have begun"
    if deployed.changes is None:
        return f"what changed since {at} was deployed is not known"
    paths = facts.watched.split_ignored([change.path for change in deployed.changes])[0]
    files = _travelling_files(environment, paths)
    return f"changed since {at} was deployed: {listed_paths(files)}" if files else ""


def _travelling_files(environment: Environment, paths: Sequence[str]) -> list[str]:
    travelling = _travelling(environment)
    return [paths[index] for index in travelling.select(paths)] if travelling else []


def _travelling(environment: Environment) -> Selection | None:
    """The files that reach the server with a deploy: `sync`, and compose files; those of every
    variant too, for which one is used is chosen later."""
    texts = [pattern.text for pattern in environment.sync]
    # Behind the others, so that no '!' of `sync` takes one out.
    texts += [escape(path) for path in compose_files(environment)]
    return compile_patterns(texts) if texts else None


def _refusal(on: DeployEvents | None, facts: Facts) -> str:
    """Why this event may not deploy there at all, or ''. `on` None means the configuration's own
    branches and tag pattern, by push or by hand."""
    event, config = facts.event, facts.config
    if facts.base.nothing_to_do:
        return facts.base.reason
    allowed = {
        "push": True,
        "release": True,
        "local": True,
        "workflow_dispatch": on is None or on.dispatch,
        "schedule": on is not None and on.schedule,
        "workflow_run": on is not None and on.workflow_run,
        "repository_dispatch": on is not None and on.repository_dispatch,
    }
    if event.name not in allowed:
        return f"{event.name} events never deploy"
    if not allowed[event.name]:
        return f"{event.name} events do not deploy there"
    if event.name == "release" and event.action not in _RELEASED:
        return f"a release that was {event.action} deploys nothing"
    if event.name == "workflow_run":
        followed = _refusal_to_follow(event, facts.head)
        if followed:
            return followed
    if event.tag:
        versions = (config.tag_pattern,) if config.tag_pattern else ()
        tags = versions if on is None else on.tags
        deploys = ref_among(event.tag, [pattern.text for pattern in tags])
        return "" if deploys else f"tag {event.tag} does not deploy there"
    where = f"branch {event.branch}" if event.branch else event.ref or "a commit on no branch"
    by_itself = event.name in ("push", "release", "local")
    if on is not None and not on.branches and by_itself:
        return f"{where} does not deploy there: its `on` names no branches"
    branches = deploying_branches(on.branches if on and on.branches else config.branches, event)
    if not branches:
        return "the default branch is not known here, and `branches` is not configured"
    return "" if ref_among(event.branch, branches) else f"{where} does not deploy there"


def _refusal_to_follow(event: Event, head: str) -> str:
    """Why the run that a workflow_run follows says nothing about this commit, or ''."""
    if event.conclusion not in ("success", ""):
        return f"the run that this one follows ended with {event.conclusion}"
    if event.followed.startswith("pull_request") or event.followed == "merge_group":
        return f"the run that this one follows was of a {event.followed}: it tried something else"
    if event.followed_branch not in (event.branch, event.tag, ""):
        return f"the run that this one follows was on {event.followed_branch}"
    if event.followed_sha not in (head, ""):
        return (
            f"the run that this one follows was of {event.followed_sha[:SHORT]}, not of this commit"
        )
    return ""


def overall(
    environments: Sequence[EnvironmentDecision], facts: Facts, images: Sequence[ImageDecision]
) -> EnvironmentDecision:
    """The one verdict of output `deploy`: the environment asked for, else any; with none
    configured, a deploying event with an image that is new."""

    def decision(deploy: bool, reason: str) -> EnvironmentDecision:
        return EnvironmentDecision(name="", deploy=deploy, reason=reason)

    wanted = facts.request.environment
    if wanted:
        return next(one for one in environments if one.name == wanted)
    if environments:
        deploying = [one for one in environments if one.deploy]
        return decision(bool(deploying), _reasons(deploying or environments))
    refusal = _refusal(None, facts)
    if refusal:
        return decision(False, refusal)
    building = [image.name for image in images if image.build]
    if building:
        return decision(True, f"new images: {listed(building)}")
    new = _new_without_builds(facts)
    return decision(bool(new), new or f"no image changed since {facts.since}")


def _reasons(environments: Sequence[EnvironmentDecision]) -> str:
    """Why, in one clause; by name where the environments differ."""
    reasons = {one.reason for one in environments}
    if len(reasons) == 1:
        return reasons.pop()
    return "; ".join(f"{one.name}: {one.reason}" for one in environments)
