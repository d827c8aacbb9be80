"""Which branches and tags a configuration means: deploying branches, and versions."""

from __future__ import annotations

from orient_deploy.inputs.patterns import compile_patterns, escape

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orient_deploy.config.model import Config, Pattern
    from orient_deploy.runner import Event

# Events that push code to nobody: they decide about a commit that may be a stranger's.
PULL_REQUESTS = ("pull_request", "pull_request_target")


def is_deploying(event: Event, config: Config) -> bool:
    """Whether the event's branch is one that deploys: one of `branches`, or else the default
    branch, or one that an environment names.

    Never for a pull request: pull_request_target names a branch, but is about another commit.
    """
    if event.name in PULL_REQUESTS:
        return False
    own = [one.on.branches for one in config.environments if one.on]
    patterns = {pattern.text for branches in own for pattern in branches}
    return ref_among(event.branch, deploying_branches(config.branches, event)) or ref_among(
        event.branch, sorted(patterns)
    )


def is_version(tag: str, config: Config) -> bool:
    """Whether a tag's name matches `tag-pattern`; never when there is no such pattern."""
    return config.tag_pattern is not None and ref_among(tag, (config.tag_pattern.text,))


def deploying_branches(patterns: Sequence[Pattern], event: Event) -> tuple[str, ...]:
    """The patterns of the deploying branches: those given, or else the default branch."""
    if patterns:
        return tuple(pattern.text for pattern in patterns)
    return (escape(event.default_branch),) if event.default_branch else ()


def ref_among(name: str, patterns: Sequence[str]) -> bool:
    """Whether a branch or tag is there at all and matches the list."""
    return bool(name) and bool(patterns) and compile_patterns(patterns).matches(name)
