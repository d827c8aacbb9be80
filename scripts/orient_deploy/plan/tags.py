"""The tags of an image: those that name a commit, those that move, and those that are its record.

Values in, values out.
"""

from __future__ import annotations

import re

from orient_deploy.inputs.digest import record_tag
from orient_deploy.plan.refs import PULL_REQUESTS, is_version

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orient_deploy.config.model import Config
    from orient_deploy.runner import Event

TAG_MAX = 128  # characters of an image tag; OCI distribution spec, "Pulling manifests"
LAST = "inputs-last-"  # begins the tag that follows the builds of a branch
_TAKEN = re.compile(r"latest\Z|(?:sha|pr|inputs|hold)-")  # tags with a meaning of their own


def default_repository(repository: str, image: str) -> str:
    """Where an image goes when its configuration does not say.

    >>> default_repository("Acme/Orient", "dashboard")
    'ghcr.io/acme/orient/dashboard'
    """
    return f"ghcr.io/{repository.lower() or 'local'}/{image}"


def image_tags(event: Event, head: str, *, deploying: bool) -> tuple[str, ...]:
    """The tags of an image that is built from this commit: its own, then those that move.

    A pull request never moves those of a branch, although pull_request_target names the one it goes
    to. Nor does a commit that was chosen by hand and is not the branch's own. `latest` follows the
    default branch, if that deploys.
    """
    own = f"sha-{head}"
    if event.pull_request:
        return own, f"pr-{event.pull_request.number}"
    if event.tag:
        return own, tag_name(event.tag)
    if not event.branch or head != event.sha:
        return (own,)
    latest = ("latest",) if deploying and event.branch == event.default_branch else ()
    return (own, tag_name(event.branch), *latest)


def record_tags(
    digest: str, config: Config, event: Event, head: str, *, deploying: bool, run: str = ""
) -> tuple[str, ...]:
    """The tags that record a build, to be written after all others; none where it does not count.

    A build counts on a deploying branch, and for a tag that matches `tag-pattern`. What a pull
    request builds is a stranger's word. `run` is the run's number, and that of its attempt if it
    is not the first, for a registry whose tags never move.
    """
    if not digest or event.name in PULL_REQUESTS or event.name == "local":
        return ()
    if event.tag:
        names = [record_tag(digest)] if is_version(event.tag, config) else []
    elif deploying:
        names = [last_tag(event.branch)] if head == event.sha else []
        names.append(record_tag(digest))
    else:
        names = []
    return tuple(f"{name}-{run}" if config.immutable_tags else name for name in names)


def last_tag(branch: str) -> str:
    """The tag that follows the recorded builds of a branch.

    >>> last_tag("release/2.x")
    'inputs-last-release-2.x'
    """
    return (LAST + _plain(branch))[:TAG_MAX]


def newest(name: str, tags: Sequence[str]) -> str:
    """The newest of the tags that are `name`, or `name` with a run's number; '' if there is none.

    >>> newest("inputs-0a", ["inputs-0a", "inputs-0a-9-2", "inputs-0a-9", "inputs-0ab-11"])
    'inputs-0a-9-2'
    """
    numbered = re.compile(rf"{re.escape(name)}(?:-([0-9]{{1,18}})(?:-([0-9]{{1,9}}))?)?")
    runs = {
        (int(found[1] or 0), int(found[2] or 1)): tag
        for tag in tags
        if (found := numbered.fullmatch(tag))
    }
    return runs[max(runs)] if runs else ""


def tag_name(ref: str) -> str:
    """A branch or version as an image tag: what a tag may not hold becomes '-'.

    A name that already means something else gets a prefix: a branch called 'latest' is not what
    compose files mean by it.
    """
    name = _plain(ref).lstrip(".-")
    if not name or _TAKEN.match(name):
        name = f"ref-{name}"
    return name[:TAG_MAX]


def _plain(ref: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", ref)
