"""Decides which images are built and which environments are deployed to, each with its reason.

Values in, values out: no git, no network, no clock. Doubt builds: without a base to compare with,
everything is built and the reason says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orient_deploy.config.model import AUTO
from orient_deploy.errors import InputError
from orient_deploy.inputs.patterns import compile_patterns, escape
from orient_deploy.plan.model import EnvironmentDecision, ImageDecision, Plan, Remark, Request

if TYPE_CHECKING:
    from orient_deploy.config.model import Config, DeployEvents, Environment, Image, Pattern
    from orient_deploy.history.model import Base, Change
    from orient_deploy.inputs.patterns import Selection
    from orient_deploy.runner import Event

SHORT = 7  # digits of a commit id shown to people
PATTERNS_SHOWN = 3  # in a reason; the rest is counted
NAMES_SHOWN = 4

# Fields of an image that change what is built although no file of its own changes.
_DEFINITION = ("dockerfile", "context", "target", "build_args", "platforms", "repository")


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
    return InputError(
        f"input '{given_by}': no {kind} is called {name!r}",
        f"the configuration has {', '.join(known) if known else 'none'}",
        f"Did you mean {near[0]!r}?" if near else f"Name one of those, or leave '{given_by}' out",
    )


def is_deploying(event: Event, config: Config) -> bool:
    """Whether the event's branch is one that deploys: `branches`, or else the default branch."""
    return _ref_among(event.branch, _branches(config.branches, event))


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
    base_config: Config | None,
) -> Plan:
    """The plan for one commit.

    `changes` are those from the base to the head in byte order, None when `base` has no commit.
    `listing` is every path of the head in byte order. `base_config` is the configuration at the
    base if the file differs there, else None: an image that is new or defined otherwise is built.
    """
    check_request(request, config)
    watched = _Watched(config)
    changed = None if changes is None else tuple(change.path for change in changes)
    counted = () if changed is None else watched.without_ignored(changed)
    images = tuple(
        _decide_image(image, watched, event, request, base, changed, counted, base_config)
        for image in config.images
    )
    building = [image.name for image in images if image.build]
    environments = tuple(
        _decide_environment(
            environment, config, event, base, changed, counted, building, base_config
        )
        for environment in config.environments
    )
    return Plan(
        head=head,
        base=base,
        images=images,
        environments=environments,
        deploy=_overall(environments, request, config, event, base, changed, building),
        changed=changed,
        remarks=() if base.nothing_to_do else tuple(_remarks(config, watched, listing)),
    )


class _Watched:
    """The pattern lists of a configuration, compiled once."""

    def __init__(self, config: Config) -> None:
        self.ignore = _compile(config.ignore)
        self.everywhere = _compile(config.watch_all)
        self.by_image = {
            image.name: compile_patterns(watch_texts(image)) for image in config.images
        }

    def without_ignored(self, paths: Sequence[str]) -> tuple[str, ...]:
        if self.ignore is None:
            return tuple(paths)
        ignored = set(self.ignore.select(paths))
        return tuple(path for index, path in enumerate(paths) if index not in ignored)

    def matched(self, image: str, paths: Sequence[str]) -> dict[str, str]:
        """The paths that count for an image, each with the pattern that decided."""
        found: dict[int, str] = {}
        for selection in (self.by_image[image], self.everywhere):
            if selection is None:
                continue
            for index in selection.select(paths):
                found.setdefault(index, selection.first_match(paths[index]) or "")
        return {paths[index]: found[index] for index in sorted(found)}


def _compile(patterns: Sequence[Pattern]) -> Selection | None:
    return compile_patterns([pattern.text for pattern in patterns]) if patterns else None


def watch_texts(image: Image) -> list[str]:
    """An image's pattern list with `auto` written out: the whole context and the Dockerfile."""
    texts: list[str] = []
    for pattern in image.watch:
        if pattern.text != AUTO:
            texts.append(pattern.text)
        elif image.context == ".":
            texts.append("**")
        else:
            texts += [f"{escape(image.context)}/**", escape(image.dockerfile)]
    return texts


def _decide_image(
    image: Image,
    watched: _Watched,
    event: Event,
    request: Request,
    base: Base,
    changed: Sequence[str] | None,
    counted: Sequence[str],
    base_config: Config | None,
) -> ImageDecision:
    matched = watched.matched(image.name, counted)

    def decision(build: bool, reason: str) -> ImageDecision:
        return ImageDecision(name=image.name, build=build, reason=reason, files=tuple(matched))

    if base.nothing_to_do:
        return decision(False, base.reason)
    if request.images:
        if image.name in request.images:
            return decision(True, f"asked for by name ({event.name})")
        return decision(False, "not among the images asked for")
    if request.force:
        return decision(True, f"forced by {event.name}")
    if changed is None:
        return decision(True, f"nothing to compare with: {base.reason}")
    redefined = _redefined(image, base_config)
    if redefined:
        return decision(True, redefined)
    if matched:
        return decision(True, _changed_sentence(matched))
    return decision(False, f"unchanged since {(base.commit or '')[:SHORT]}")


def _redefined(image: Image, base_config: Config | None) -> str:
    """Why the image's own definition makes a build necessary, or ''."""
    if base_config is None:
        return ""
    try:
        before = base_config.image(image.name)
    except KeyError:
        return "new in the configuration"
    differing = [name for name in _DEFINITION if getattr(image, name) != getattr(before, name)]
    if not differing:
        return ""
    return f"its configuration changed: {', '.join(name.replace('_', '-') for name in differing)}"


def _changed_sentence(matched: dict[str, str]) -> str:
    """'changed: packages/core/** (2 files), package.json': what decided, commonest first."""
    counts: dict[str, int] = {}
    for pattern in matched.values():
        counts[pattern] = counts.get(pattern, 0) + 1
    ranked = sorted(counts, key=lambda pattern: (-counts[pattern], pattern))
    parts = [
        pattern if pattern in matched else f"{pattern} ({plural(counts[pattern], 'file')})"
        for pattern in ranked[:PATTERNS_SHOWN]
    ]
    rest = len(ranked) - PATTERNS_SHOWN
    return f"changed: {', '.join(parts)}" + (
        f" and {plural(rest, 'more pattern')}" if rest > 0 else ""
    )


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "file"), plural(3, "file")
    ('1 file', '3 files')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def listed(names: Sequence[str]) -> str:
    """Some names for a sentence; many are cut and counted.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c, d and 1 more'
    """
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown + (f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else "")


def _decide_environment(
    environment: Environment,
    config: Config,
    event: Event,
    base: Base,
    changed: Sequence[str] | None,
    counted: Sequence[str],
    building: Sequence[str],
    base_config: Config | None,
) -> EnvironmentDecision:
    def decision(deploy: bool, reason: str) -> EnvironmentDecision:
        return EnvironmentDecision(name=environment.name, deploy=deploy, reason=reason)

    refusal = _refusal(environment.on, config, event, base)
    if refusal:
        return decision(False, refusal)
    if building:
        return decision(True, f"new images: {listed(building)}")
    if changed is None:
        return decision(True, f"nothing to compare with: {base.reason}")
    if _environment_redefined(environment, base_config):
        return decision(True, "its configuration changed")
    travelling = _travelling(environment)
    files = travelling.select(counted) if travelling else ()
    if files:
        return decision(True, f"changed: {listed([counted[index] for index in files])}")
    return decision(False, "nothing that runs there changed")


def _travelling(environment: Environment) -> Selection | None:
    """The files that reach the server with a deploy: compose files of every variant, and `sync`."""
    compose = [*environment.compose, *(path for _, files in environment.variants for path in files)]
    texts = [escape(path) for path in compose] + [pattern.text for pattern in environment.sync]
    return compile_patterns(texts) if texts else None


def _environment_redefined(environment: Environment, base_config: Config | None) -> bool:
    if base_config is None:
        return False
    return all(before != environment for before in base_config.environments)


def _refusal(on: DeployEvents | None, config: Config, event: Event, base: Base) -> str:
    """Why this event may not deploy there at all, or ''. `on` None means the configuration's own
    branches and tag pattern, by push or by hand."""
    if base.nothing_to_do:
        return base.reason
    named: dict[str, Callable[[], bool]] = {
        "push": lambda: True,
        "local": lambda: True,
        "release": lambda: True,
        "workflow_dispatch": lambda: on is None or on.dispatch,
        "schedule": lambda: on is not None and on.schedule,
        "workflow_run": lambda: on is not None and on.workflow_run,
        "repository_dispatch": lambda: on is not None and on.repository_dispatch,
    }
    if event.name not in named:
        return f"a {event.name} event never deploys"
    if not named[event.name]():
        return f"its `on` does not name {event.name}"
    if event.tag:
        if on is None:
            tags = (config.tag_pattern.text,) if config.tag_pattern else ()
        else:
            tags = tuple(pattern.text for pattern in on.tags)
        return "" if _ref_among(event.tag, tags) else f"tag {event.tag} is not one that deploys"
    by_hand_or_clock = event.name not in ("push", "local", "release")
    own = on.branches if on is not None else ()
    if on is not None and not own and not by_hand_or_clock:
        return f"its `on` names no branches, and this is a push to {event.branch or event.ref}"
    branches = _branches(own or config.branches, event)
    if not branches:
        return "the default branch is not known here, and `branches` is not configured"
    if _ref_among(event.branch, branches):
        return ""
    return f"{event.branch or event.ref or 'this commit'} is not a branch that deploys"


def _overall(
    environments: Sequence[EnvironmentDecision],
    request: Request,
    config: Config,
    event: Event,
    base: Base,
    changed: Sequence[str] | None,
    building: Sequence[str],
) -> EnvironmentDecision:
    """The one verdict of output `deploy`: the environment asked for, else any; with none
    configured, a deploying event that builds something."""
    if request.environment:
        return next(one for one in environments if one.name == request.environment)
    for one in environments:
        if one.deploy:
            return one
    if environments:
        reasons = sorted({one.reason for one in environments})
        return EnvironmentDecision(name="", deploy=False, reason="; ".join(reasons))
    refusal = _refusal(None, config, event, base)
    if refusal:
        return EnvironmentDecision(name="", deploy=False, reason=refusal)
    if building:
        return EnvironmentDecision(name="", deploy=True, reason=f"new images: {listed(building)}")
    return EnvironmentDecision(name="", deploy=False, reason="no image changed")


def _remarks(config: Config, watched: _Watched, listing: Sequence[str]) -> list[Remark]:
    """What a maintainer should look at: patterns that match nothing, Dockerfiles that are not there
    or not watched, and `auto`."""
    remarks: list[Remark] = []
    present = set(listing)
    whole_context = [
        image.name for image in config.images if any(one.text == AUTO for one in image.watch)
    ]
    if whole_context:
        remarks.append(
            Remark(
                message=f"'auto' counts every file of the build context for now, so {listed(whole_context)} "
                "may be built more often than needed; list patterns under `watch` to narrow it"
            )
        )
    lists: list[tuple[str, Sequence[Pattern], Selection | None]] = [
        ("watch-all", config.watch_all, watched.everywhere),
        ("ignore", config.ignore, watched.ignore),
    ]
    for image in config.images:
        selection = watched.by_image[image.name]
        lists.append((f"images.{image.name}.watch", image.watch, selection))
        if image.dockerfile not in present:
            remarks.append(
                Remark(
                    message=f"{image.name}: its Dockerfile {image.dockerfile} is not in the commit",
                    where=image.where,
                )
            )
        elif not selection.matches(image.dockerfile) and not (
            watched.everywhere and watched.everywhere.matches(image.dockerfile)
        ):
            remarks.append(
                Remark(
                    message=f"{image.name}: its Dockerfile {image.dockerfile} is not watched, "
                    "so a change to it alone builds nothing",
                    where=image.where,
                )
            )
    for environment in config.environments:
        lists.append(
            (f"environments.{environment.name}.sync", environment.sync, _compile(environment.sync))
        )
    for name, patterns, selection in lists:
        dead = set() if selection is None else set(selection.dead(listing))
        for pattern in patterns:
            if pattern.text in dead:
                remarks.append(
                    Remark(
                        message=f"{name}: {pattern.text!r} matches no file of the commit "
                        "(a typing error? '[id]' is a character class: write '[[]id]')",
                        where=pattern.where,
                    )
                )
    return remarks
