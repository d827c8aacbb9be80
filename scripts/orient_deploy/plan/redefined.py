"""What the configuration says otherwise than it did at the base: of an image, of an environment."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orient_deploy.config.model import Environment, Image
    from orient_deploy.plan.facts import Facts

# What an image is made by besides its files. A runner or a label changes nothing inside it.
MADE_BY = ("dockerfile", "context", "contexts", "target", "build_args", "platforms", "repository")

# What runs on an environment's hosts, and where. Its checks, hooks and budgets only watch.
RUN_BY = (
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


def image_redefined(image: Image, facts: Facts) -> str:
    """Why the image's own definition makes a build necessary, or ''."""
    before = facts.base_config
    if before is None:
        return ""
    if not before.images:
        return f"there was no valid configuration at {facts.since}"
    return _differing(image, before.images, MADE_BY)


def environment_redefined(environment: Environment, facts: Facts) -> str:
    """Why the environment's own definition makes a deploy necessary, or ''."""
    before = facts.base_config
    return "" if before is None else _differing(environment, before.environments, RUN_BY)


def _differing(
    now: Image | Environment, before: Sequence[Image | Environment], fields: Sequence[str]
) -> str:
    for one in before:
        if one.name == now.name:
            names = [name for name in fields if getattr(one, name) != getattr(now, name)]
            spelled = ", ".join(name.replace("_", "-") for name in names)
            return f"its configuration changed: {spelled}" if names else ""
    return "new in the configuration"
