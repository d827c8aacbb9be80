"""Decides which images are built and which environments are deployed to, each with its reason.

Values in, values out: no git, no network, no clock. Doubt builds: without a base to compare with,
everything is built and the reason says so. Doubt never deploys where an environment's `on` does not
name the event.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orient_deploy.errors import InputError
from orient_deploy.plan.environments import decide_environment, overall
from orient_deploy.plan.facts import Facts
from orient_deploy.plan.images import decide_image
from orient_deploy.plan.model import Plan, Request
from orient_deploy.plan.remarks import find_remarks

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orient_deploy.config.model import Config
    from orient_deploy.history.model import Base, Change
    from orient_deploy.plan.facts import Recorded
    from orient_deploy.plan.model import Remark
    from orient_deploy.runner import Event


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
    read: Mapping[str, Mapping[str, str]] | None = None,
    recorded: Recorded | None = None,
    remarks: Sequence[Remark] = (),
) -> Plan:
    """The plan for one commit.

    `changes` are those from the base to the head in byte order, None when `base` has no commit.
    `listing` is every path of the head in byte order, or those that `questions` asks for with the
    `folders` among them. `base_config` is the configuration at the base if the file differs there,
    else None; one without images where it was missing or wrong. An image or environment that was
    not there, or was defined otherwise, is built or deployed to.

    With `recorded` the input digests decide what is built. Without, the watch lists do, and `read`
    tells of each changed file that an image's `auto` stands for how it comes to count. `remarks`
    are those that others made of the images; they come first.

    Raises:
        InputError: what `check_request` refuses.
    """
    check_request(request, config)
    facts = Facts(
        config,
        event=event,
        request=request,
        head=head,
        base=base,
        changes=changes,
        base_config=base_config,
        read=read or {},
        recorded=recorded,
    )
    images = tuple(decide_image(image, facts) for image in config.images)
    environments = tuple(
        decide_environment(environment, facts, images) for environment in config.environments
    )
    found: tuple[Remark, ...] = ()
    if not base.nothing_to_do:
        told = find_remarks(config, facts.watched, listing, folders, recorded=recorded is not None)
        found = (*remarks, *told)
    return Plan(
        head=head,
        base=base,
        images=images,
        environments=environments,
        deploy=overall(environments, facts, images),
        changed=facts.changed,
        remarks=found,
    )
