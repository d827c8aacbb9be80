"""What the log of a failed build says: whose fault it is, where, and the lines that show it.

Text in, error out. The kinds are told by what BuildKit, buildx, containerd and the registries
write; whatever is not known is a failure of the Dockerfile, shown with its last lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orient_deploy.buildx.docker import Finished, engine_fault
from orient_deploy.buildx.model import Build
from orient_deploy.errors import BuildFailed, EnvironmentLacks, InputError, OrientError, RemoteError

EXCERPT_LINES = 60
WHY_CHARACTERS = 600
_RULE = re.compile(r"-{6}")  # around what the failing step printed
_FENCE = re.compile(r"-{20}")  # around the lines of the Dockerfile
_PLACE = re.compile(r"(?P<file>\S.*):(?P<line>[0-9]{1,7})")
_ERROR = re.compile(r"^(?:ERROR|error): ")
_LEADS = re.compile(r"^(?:(?:failed to build|failed to solve|rpc error: code = \w+ desc =):? )+")


@dataclass(frozen=True)
class _Kind:
    """A known complaint; `{…}` in the texts are the build's own facts."""

    pattern: str
    error: type[OrientError]
    what: str
    next_step: str
    printed: bool = False  # also where the failing step itself printed it


_PUSH = "the image of {name} cannot be pushed to {repository}"
_SETUP = "Run docker/setup-buildx-action before this step"
# The first that is found in the last error counts; the whole of it is matched.
_KINDS = (
    _Kind(
        r"no space left on device",
        EnvironmentLacks,
        "the disk is full",
        "Free some space on the runner before this step, or use a larger one",
        printed=True,
    ),
    _Kind(
        r"cannot be overwritten because the (?:tag|repository) is immutable|tag is immutable"
        r"|immutable tag|MANIFEST_IMMUTABLE|TAG_IMMUTABLE",
        RemoteError,
        _PUSH,
        "Its registry lets no tag move: write `immutable-tags: true` in the configuration",
    ),
    _Kind(
        r"not supported for the \S+ driver|currently unsupported by the current BuildKit",
        EnvironmentLacks,
        "the builder cannot build {name} as asked",
        _SETUP,
    ),
    _Kind(
        r"exec format error|exec user process caused.*format",
        EnvironmentLacks,
        "this machine cannot run programs of {platforms}",
        "Run docker/setup-qemu-action before this step, or give the image a `runner` of its own "
        "kind",
        printed=True,
    ),
    _Kind(
        r"^failed to push .*(?:\b40[13]\b|denied|unauthorized|insufficient_scope"
        r"|no basic auth credentials)|denied: (?:permission_denied|installation not allowed)"
        r"|write_package|push access denied|^no basic auth credentials$"
        r"|^(?:push|pushing) .*(?:denied|unauthorized)",
        RemoteError,
        _PUSH,
        "Log in as somebody who may push there; on ghcr.io give the job `permissions: packages: "
        "write`, and give the repository the role Write in the package's settings under Manage "
        "Actions access",
    ),
    _Kind(
        r"^failed to push |^(?:push|pushing) .*failed|error writing manifest blob",
        RemoteError,
        _PUSH,
        "Look at the registry, and re-run this job",
    ),
    _Kind(
        r"failed to resolve source metadata|pull access denied|failed to authorize"
        r"|manifest unknown|failed to load cache key.*(?:not found|denied|unauthorized)",
        BuildFailed,
        "an image that {dockerfile} builds on cannot be had",
        "See that it exists; where it is private, log in to its registry before this step",
    ),
    _Kind(
        r"failed to read dockerfile|failed to find dockerfile",
        InputError,
        "{dockerfile} cannot be read",
        "Check out the commit that is built, and correct `dockerfile`",
    ),
    _Kind(
        r"unable to prepare context|failed to get build context",
        InputError,
        "the build context of {name} cannot be read",
        "Check out the commit that is built, and correct `context` and `contexts`",
    ),
    _Kind(
        r"target stage .* could not be found",
        InputError,
        "{dockerfile} has no stage {target}",
        "Correct `target`, or name the stage so",
    ),
    _Kind(
        r"dockerfile parse error|unknown instruction|Dockerfile is empty|file with no instructions",
        BuildFailed,
        "{dockerfile} cannot be read as a Dockerfile",
        "Correct it",
    ),
)

_UNKNOWN = _Kind(
    "", BuildFailed, "the build of {name} failed", "The end of the build's log shows where"
)


def explain(finished: Finished, build: Build) -> OrientError:
    """The error that a failed build is, with its place in the Dockerfile and the lines about it."""
    excerpt = _excerpt(finished.tail)
    facts = {
        "name": build.name,
        "repository": build.repository,
        "dockerfile": build.dockerfile,
        "target": build.target,
        "platforms": ", ".join(build.platforms) or "another kind",
    }
    if finished.timed_out:
        error: OrientError = BuildFailed(
            f"the build of {build.name} did not end in {build.timeout_minutes} minutes",
            "that is its time limit",
            "Look at what it was doing, or raise `timeout-minutes` of the image",
        )
    else:
        why = _complaint(finished.tail) or f"docker ended with exit code {finished.code}"
        kind, why = _kind(why, excerpt)
        error = engine_fault(why, why) or kind.error(
            kind.what.format(**facts), why, kind.next_step.format(**facts)
        )
    error.excerpt = excerpt
    line = _line(finished.tail)
    if line:
        error.file, error.line = build.dockerfile, line
    return error


def _kind(why: str, excerpt: Sequence[str]) -> tuple[_Kind, str]:
    """The kind of a failure, and the words that tell it."""
    for kind in _KINDS:
        if re.search(kind.pattern, why):
            return kind, why
        for line in excerpt if kind.printed else ():
            if re.search(kind.pattern, line):
                return kind, line.strip()
    return _UNKNOWN, why


def _complaint(tail: Sequence[str]) -> str:
    """buildx's last error and what it says on the lines after, on one line."""
    last = max((i for i, line in enumerate(tail) if _ERROR.match(line)), default=None)
    if last is None:
        return next((line.strip() for line in reversed(tail) if line.strip()), "")
    text = " ".join(line.strip() for line in tail[last:] if line.strip())
    text = _LEADS.sub("", _ERROR.sub("", text))
    return text if len(text) <= WHY_CHARACTERS else text[:WHY_CHARACTERS] + "…"


def _excerpt(tail: Sequence[str]) -> tuple[str, ...]:
    """What buildx repeats at the end: the failing step's last lines and the Dockerfile's; else the
    last lines of all."""
    rules = [i for i, line in enumerate(tail) if _RULE.fullmatch(line)]
    begin = rules[-2] + 1 if len(rules) > 1 else max(0, len(tail) - EXCERPT_LINES)
    lines = [line.rstrip() for line in tail[begin:]]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines[-EXCERPT_LINES:])


def _line(tail: Sequence[str]) -> int:
    """The line of the Dockerfile that buildx shows, or 0."""
    for i in range(len(tail) - 2, -1, -1):
        if _FENCE.fullmatch(tail[i + 1]) and (place := _PLACE.fullmatch(tail[i])):
            return int(place["line"])
    return 0
