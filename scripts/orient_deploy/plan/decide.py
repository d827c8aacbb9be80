"""Decides which images are built and which environments are deployed to, each with its reason.

Values in, values out: no git, no network, no clock. Doubt builds: without a base to compare with,
everything is built and the reason says so. Doubt never deploys where an environment's `on` does not
name the event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orient_deploy.errors import InputError
from orient_deploy.history.model import SHORT
from orient_deploy.inputs.patterns import compile_patterns, escape
from orient_deploy.plan.model import EnvironmentDecision, ImageDecision, Plan, Request
from orient_deploy.plan.remarks import find_remarks
from orient_deploy.plan.watched import Watched, compose_files
from orient_deploy.plan.wording import listed, listed_paths, plural, shortened

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.config.model import Config, DeployEvents, Environment, Image, Pattern
    from orient_deploy.history.model import Base, Change
    from orient_deploy.inputs.patterns import Selection
    from orient_deploy.runner import Event

PATTERNS_SHOWN = 3  # in a reason; the rest is counted

# Events that push code to nobody: they decide about a commit that may be a stranger's.
_PULL_REQUESTS = ("pull_request", "pull_request_target")

# Actions of a release event that put something out; '' where the payload does not say.
_RELEASED = ("published", "released", "prereleased", "")

# What an image is made by besides its files. A runner or a label changes nothing inside it.
_MADE_BY = ("dockerfile", "context", "target", "build_args", "platforms", "repository")

# What runs on an environment's hosts, and where. Its checks, hooks and budgets only watch.
_RUN_BY = (
    "hosts",
    "directory",
    "workdir",
    "project",
    "compose",
    "variants",
    "profiles",
    "sync",
    "env_file",
)


def check_request(request: Request, config: Config) -> None:
    """Refuses wishes that contradict each other or name what is not configured.

    Raises:
        InputError: `force` together with names, an unknown image or environment.
    """
    if request.force and request.images:
        raise InputError(
            f"inputs 'force' and 'images' contradict each other: force is 'true' and images names "
            f"{', '.join(request.images)}",
            "force builds every image, a list builds only those it names",
            "Give one of the two",
        )
    known = [image.name for image in config.images]
    for name in request.images:
        if name not in known:
            raise _unknown("images", name, known, "image")
    environments = [environment.name for environment in config.environments]
    if request.environment and request.environment not in environments:
        raise _unknown("environment", request.environment, environments, "environment")


def _unknown(given_by: str, name: str, known: Sequence[str], kind: str) -> InputError:
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    next_step = f"Name one of those, or leave '{given_by}' out"
    if near:
        next_step = f"Did you mean {near[0]!r}?"
    elif not known:
        next_step = f"Configure one, or leave '{given_by}' out"
    return InputError(
        f"input '{given_by}': no {kind} is called {name!r}",
        f"the configuration has {', '.join(known) if known else 'none'}",
        next_step,
    )


def is_deploying(event: Event, config: Config) -> bool:
    """Whether the event's branch is one that deploys: one of `branches`, or else the default
    branch, or one that an environment names.

    Never for a pull request: pull_request_target names a branch, but is about another commit.
    """
    if event.name in _PULL_REQUESTS:
        return False
    own = [one.on.branches for one in config.environments if one.on]
    patterns = {pattern.text for branches in own for pattern in branches}
    return _ref_among(event.branch, _branches(config.branches, event)) or _ref_among(
        event.branch, sorted(patterns)
    )


def is_version(tag: str, config: Config) -> bool:
    """Whether a tag's name matches `tag-pattern`; never when there is no such pattern."""
    return config.tag_pattern is not None and _ref_among(tag, (config.tag_pattern.text,))


def _branches(patterns: Sequence[Pattern], event: Event) -> tuple[str, ...]:
    if patterns:
        return tuple(pattern.text for pattern in patterns)
    return (escape(event.default_branch),) if event.default_branch else ()


def _ref_among(name: str, patterns: Sequence[str]) -> bool:
    return bool(name) and bool(patterns) and compile_patterns(patterns).matches(name)


def decide(
    config: Config,
    *,
    event: Event,
    request: Request,
    head: str,
    base: Base,
    changes: Sequence[Change] | None,
    listing: Sequence[str],
    folders: Collection[str] = (),
    base_config: Config | None,
) -> Plan:
    """The plan for one commit.

    `changes` are those from the base to the head in byte order, None when `base` has no commit.
    `listing` is every path of the head in byte order, or those that `questions` asks for with the
    `folders` among them. `base_config` is the configuration at the
    base if the file differs there, else None; one without images where it was missing or wrong. An
    image or environment that was not there, or was defined otherwise, is built or deployed to.

    Raises:
        InputError: what `check_request` refuses.
    """
    check_request(request, config)
    facts = _Facts(
        event=event,
        request=request,
        base=base,
        changed=None if changes is None else tuple(change.path for change in changes),
        base_config=base_config,
        watched=Watched(config),
    )
    images = tuple(_decide_image(image, facts) for image in config.images)
    building = [image.name for image in images if image.build]
    environments = tuple(
        _decide_environment(environment, config, facts, building)
        for environment in config.environments
    )
    return Plan(
        head=head,
        base=base,
        images=images,
        environments=environments,
        deploy=_overall(environments, config, facts, building),
        changed=facts.changed,
        remarks=()
        if base.nothing_to_do
        else tuple(find_remarks(config, facts.watched, listing, folders)),
    )


class _Facts:
    """What is known about the commit, apart from the configuration."""

    def __init__(
        self,
        *,
        event: Event,
        request: Request,
        base: Base,
        changed: tuple[str, ...] | None,
        base_config: Config | None,
        watched: Watched,
    ) -> None:
        self.event = event
        self.request = request
        self.base = base
        self.changed = changed
        self.counted, self.ignored = watched.split_ignored(changed or ())
        self.base_config = base_config
        self.watched = watched

    @property
    def since(self) -> str:
        return (self.base.commit or "")[:SHORT]


def _decide_image(image: Image, facts: _Facts) -> ImageDecision:
    matched = facts.watched.matched(image.name, facts.counted)

    def decision(build: bool, reason: str) -> ImageDecision:
        return ImageDecision(name=image.name, build=build, reason=reason, files=tuple(matched))

    base, request = facts.base, facts.request
    if base.nothing_to_do:
        return decision(False, base.reason)
    if request.images:
        if image.name in request.images:
            return decision(True, f"asked for{_by(facts.event)}")
        although = f", although {_changed_sentence(matched)}" if matched else ""
        return decision(False, f"not among the images asked for{although}")
    if request.force:
        return decision(True, f"forced{_by(facts.event)}")
    if facts.changed is None:
        return decision(True, f"nothing to compare with: {base.reason}")
    redefined = _image_redefined(image, facts)
    if redefined:
        return decision(True, redefined)
    if matched:
        return decision(True, _changed_sentence(matched))
    ignored = facts.watched.matched(image.name, facts.ignored)
    if ignored:
        return decision(
            False,
            f"unchanged since {facts.since}, but for ignored files: {listed_paths([*ignored])}",
        )
    return decision(False, f"unchanged since {facts.since}")


def _by(event: Event) -> str:
    return "" if event.name == "local" else f" by {event.name}"


def _image_redefined(image: Image, facts: _Facts) -> str:
    """Why the image's own definition makes a build necessary, or ''."""
    before = facts.base_config
    if before is None:
        return ""
    if not before.images:
        return f"there was no valid configuration at {facts.since}"
    return _differing(image, before.images, _MADE_BY)


def _environment_redefined(environment: Environment, facts: _Facts) -> str:
    """Why the environment's own definition makes a deploy necessary, or ''."""
    before = facts.base_config
    return "" if before is None else _differing(environment, before.environments, _RUN_BY)


def _differing(
    now: Image | Environment, before: Sequence[Image | Environment], fields: Sequence[str]
) -> str:
    for one in before:
        if one.name == now.name:
            names = [name for name in fields if getattr(one, name) != getattr(now, name)]
            spelled = ", ".join(name.replace("_", "-") for name in names)
            return f"its configuration changed: {spelled}" if names else ""
    return "new in the configuration"


def _changed_sentence(matched: dict[str, str]) -> str:
    """'changed: packages/core/** (2 files), package.json': what decided, commonest first."""
    counts: dict[str, int] = {}
    for pattern in matched.values():
        counts[pattern] = counts.get(pattern, 0) + 1
    ranked = sorted(counts, key=lambda pattern: (-counts[pattern], pattern))
    parts = []
    for pattern in ranked[:PATTERNS_SHOWN]:
        name = "the whole repository" if pattern == "**" else shortened(pattern)
        count = "" if pattern in matched else f" ({plural(counts[pattern], 'file')})"
        parts.append(name + count)
    rest = len(ranked) - PATTERNS_SHOWN
    return f"changed: {', '.join(parts)}" + (
        f" and {plural(rest, 'more pattern')}" if rest > 0 else ""
    )


def _decide_environment(
    environment: Environment, config: Config, facts: _Facts, building: Sequence[str]
) -> EnvironmentDecision:
    def decision(deploy: bool, reason: str) -> EnvironmentDecision:
        return EnvironmentDecision(name=environment.name, deploy=deploy, reason=reason)

    refusal = _refusal(environment.on, config, facts)
    if refusal:
        return decision(False, refusal)
    if building:
        return decision(True, f"new images: {listed(building)}")
    # From here on there is a base: without one an image is built.
    redefined = _environment_redefined(environment, facts)
    if redefined:
        return decision(True, redefined)
    travelling = _travelling(environment)
    files = travelling.select(facts.counted) if travelling else ()
    if files:
        return decision(True, f"changed: {listed_paths([facts.counted[index] for index in files])}")
    return decision(False, f"nothing that runs there changed since {facts.since}")


def _travelling(environment: Environment) -> Selection | None:
    """The files that reach the server with a deploy: `sync`, and compose files; those of every
    variant too, for which one is used is chosen later."""
    texts = [pattern.text for pattern in environment.sync]
    # Behind the others, so that no '!' of `sync` takes one out.
    texts += [escape(path) for path in compose_files(environment)]
    return compile_patterns(texts) if texts else None


def _refusal(on: DeployEvents | None, config: Config, facts: _Facts) -> str:
    """Why this event may not deploy there at all, or ''. `on` None means the configuration's own
    branches and tag pattern, by push or by hand."""
    event = facts.event
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
    if event.name == "workflow_run" and event.conclusion not in ("success", ""):
        return f"the run that this one follows ended with {event.conclusion}"
    if event.tag:
        versions = (config.tag_pattern,) if config.tag_pattern else ()
        tags = versions if on is None else on.tags
        deploys = _ref_among(event.tag, [pattern.text for pattern in tags])
        return "" if deploys else f"tag {event.tag} does not deploy there"
    where = f"branch {event.branch}" if event.branch else event.ref or "a commit on no branch"
    by_itself = event.name in ("push", "release", "local")
    if on is not None and not on.branches and by_itself:
        return f"{where} does not deploy there: its `on` names no branches"
    branches = _branches(on.branches if on and on.branches else config.branches, event)
    if not branches:
        return "the default branch is not known here, and `branches` is not configured"
    return "" if _ref_among(event.branch, branches) else f"{where} does not deploy there"


def _overall(
    environments: Sequence[EnvironmentDecision],
    config: Config,
    facts: _Facts,
    building: Sequence[str],
) -> EnvironmentDecision:
    """The one verdict of output `deploy`: the environment asked for, else any; with none
    configured, a deploying event that builds something."""

    def decision(deploy: bool, reason: str) -> EnvironmentDecision:
        return EnvironmentDecision(name="", deploy=deploy, reason=reason)

    wanted = facts.request.environment
    if wanted:
        return next(one for one in environments if one.name == wanted)
    if environments:
        deploying = [one for one in environments if one.deploy]
        return decision(bool(deploying), _reasons(deploying or environments))
    refusal = _refusal(None, config, facts)
    if refusal:
        return decision(False, refusal)
    if building:
        return decision(True, f"new images: {listed(building)}")
    return decision(False, f"no image changed since {facts.since}")


def _reasons(environments: Sequence[EnvironmentDecision]) -> str:
    """Why, in one clause; by name where the environments differ."""
    reasons = {one.reason for one in environments}
    if len(reasons) == 1:
        return reasons.pop()
    return "; ".join(f"{one.name}: {one.reason}" for one in environments)
