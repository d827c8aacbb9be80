"""From inputs and an event to a plan: the wiring that plan, detect, matrix and gate share.

Decides nothing itself: asks `config` and `history` for facts, hands them to `plan`.
"""

from __future__ import annotations

import os
import posixpath
import re

from orient_deploy.commands.configuration import missing, read_config
from orient_deploy.commands.context import described
from orient_deploy.config import DEFAULT_PATH, ConfigError, parse, parse_inline
from orient_deploy.config.model import Config
from orient_deploy.errors import InputError, RemoteError
from orient_deploy.history import (
    Base,
    Comparison,
    Git,
    Part,
    Remote,
    Repository,
    Want,
    find_checkout,
    local_event,
    obtain_head,
    resolve,
)
from orient_deploy.history.git import GitFailed
from orient_deploy.history.model import SHORT
from orient_deploy.plan.decide import check_request, decide, is_deploying, is_version
from orient_deploy.plan.model import Plan, Request
from orient_deploy.plan.remarks import questions
from orient_deploy.record import dataclass, field
from orient_deploy.runner import Event, read_event

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.history import Change, Checkout

# Characters of a command line: Windows takes 32,767, Linux 2 MB with the environment, macOS 1 MB.
LONGEST_COMMAND = 30_000 if os.name == "nt" else 500_000


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """What plan, detect, matrix and gate take alike; action.yml has the same descriptions."""

    config: str = described(
        "Path of the configuration file, relative to the repository root.", DEFAULT_PATH
    )
    images: str = described(
        "Names of images to build whatever changed, separated by commas, blanks or lines; or, "
        "instead of a configuration file, the mapping that would stand under 'images' in it. "
        "Empty means neither.",
        "",
    )
    force: bool = described(
        "Build every image, whatever changed. 'true' or 'false'; empty means 'false'.", False
    )
    base: str = described(
        "Branch, tag or commit to compare with. Empty means what the event implies.", ""
    )
    commit: str = described(
        "Branch, tag or commit to decide about. Empty means the commit of the event.", ""
    )
    environment: str = described(
        "The environment that the output 'deploy' speaks of. Empty means any.", ""
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself. A checkout is not needed.",
        "",
    )
    token: str = described(
        "Token that may read the repository, used only when commits have to be fetched.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan together with the facts it was made from."""

    plan: Plan
    config: Config
    event: Event
    listing: tuple[str, ...] = field(repr=False)  # every path of the head, in byte order
    deploying: bool


def make_plan(inputs: PlanInputs, context: Context) -> Planned:
    """The plan for the event, or on a laptop for the commit that is checked out.

    Raises:
        InputError: wrong inputs or configuration (ConfigError), or not a repository.
        EnvironmentLacks: no git, or too old a one.
        RemoteError: not even the head commit could be had.
    """
    names, inline = _images(inputs)
    git = Git(context.env)
    checkout, root = _checkout(inputs, git, context)
    event = _event(git, checkout, context)
    remote = _remote(event, inputs)
    if checkout is None and remote is None:
        raise InputError(
            f"{root} is not a git repository",
            "there is no .git in it, and GITHUB_SERVER_URL and GITHUB_REPOSITORY name no server",
            "Check out the repository in an earlier step, and give its folder in 'path'",
        )
    with Repository(
        git,
        checkout,
        remote,
        temporary=context.env.get("RUNNER_TEMP", ""),
        object_format="sha256" if len(event.sha) == 64 else "sha1",
    ) as repository:
        config = inline or _read_config(inputs.config, root, event, inputs.commit, repository)
        request = Request(force=inputs.force, images=names, environment=inputs.environment)
        check_request(request, config)  # before anything is fetched
        deploying = is_deploying(event, config)
        resolution = resolve(
            event,
            repository,
            deploying=deploying,
            is_version=(lambda tag: is_version(tag, config)) if config.tag_pattern else None,
            explicit_base=inputs.base,
            commit=inputs.commit,
        )
        base, changes, tree = _compare(config, resolution.head, resolution.base, repository)
        plan = decide(
            config,
            event=event,
            request=request,
            head=resolution.head,
            base=base,
            changes=changes,
            listing=tree.listing,
            folders=tree.folders,
            base_config=_config_at_base(config, inputs.config, base, changes, repository),
        )
    return Planned(plan=plan, config=config, event=event, listing=tree.listing, deploying=deploying)


def split_names(text: str) -> tuple[str, ...]:
    """The names in an input, whichever way they are listed; each once, in the order given.

    >>> split_names("opencode, whatsapp"), split_names('["opencode"]'), split_names("- a\\n- b")
    (('opencode', 'whatsapp'), ('opencode',), ('a', 'b'))
    """
    return tuple(name for name in dict.fromkeys(re.findall(r"[^\s,\[\]\"']+", text)) if name != "-")


def _images(inputs: PlanInputs) -> tuple[tuple[str, ...], Config | None]:
    """The input `images`: names, or an inline configuration. Only a mapping holds a colon."""
    if ":" not in inputs.images:
        return split_names(inputs.images), None
    if inputs.config != DEFAULT_PATH:
        raise InputError(
            f"inputs 'config' and 'images' contradict each other: config is {inputs.config!r} and "
            "images holds a configuration",
            "there can be only one configuration",
            "Give one of the two; in 'images', names alone choose among the images of the file",
        )
    return (), parse_inline(inputs.images)


def _checkout(inputs: PlanInputs, git: Git, context: Context) -> tuple[Checkout | None, str]:
    """The consumer's checkout, if there is one, and the directory that holds its files."""
    if context.in_actions:
        workspace = context.env.get("GITHUB_WORKSPACE") or os.getcwd()
        root = os.path.join(workspace, inputs.path)
        if inputs.path and not os.path.isdir(root):
            raise InputError(
                f"input 'path': there is no folder {inputs.path!r} in the workspace",
                f"{root} does not exist",
                "Give the `path` that actions/checkout was given, or leave it out",
            )
        return find_checkout(root), root
    from orient_deploy.commands.clone import find_clone

    return find_clone(inputs.path, git)


def _event(git: Git, checkout: Checkout | None, context: Context) -> Event:
    if context.in_actions:
        return read_event(context.env)
    assert checkout is not None, "discover() found one or raised"
    return local_event(git, checkout)


def _remote(event: Event, inputs: PlanInputs) -> Remote | None:
    if not (event.server_url and event.repository):
        return None  # a laptop: what is in the clone is all there is
    return Remote(server_url=event.server_url, repository=event.repository, token=inputs.token)


def _read_config(path: str, root: str, event: Event, commit: str, repository: Repository) -> Config:
    """The configuration of the commit whose workflow runs.

    The checked-out files count only where they are that commit's: a workflow may well check out a
    stranger's fork, whose configuration must not decide what is deployed.
    """

    def read_committed(source: str) -> bytes | None:
        if commit or event.deleted or event.name == "pull_request_target":
            repository.obtain(Want(event.sha))
        else:
            obtain_head(event, repository)  # with its base, in one go
        return repository.read(event.sha, source) if repository.has(event.sha) else None

    checkout = repository.checkout
    its_own = event.name == "local" or (
        checkout is not None and _checked_out(checkout, repository.git) == event.sha
    )
    config = read_config(path, root, read_committed, files=its_own)
    if config is None:
        raise missing(path)
    return config


def _checked_out(checkout: Checkout, git: Git) -> str:
    """The commit that HEAD stands for; without a git child where two small files tell."""
    try:
        with open(os.path.join(checkout.git_dir, "HEAD"), encoding="utf-8") as file:
            head = file.read(4096).strip()
        if head.startswith("ref: refs/heads/"):
            with open(os.path.join(checkout.common_dir, head[len("ref: ") :])) as file:
                head = file.read(4096).strip()
    except (OSError, ValueError):
        head = ""  # a packed ref, or another way to keep refs
    return head if len(head) in (40, 64) else checkout.tip(git, "HEAD")


def _compare(
    config: Config, head: str, base: Base, repository: Repository
) -> tuple[Base, tuple[Change, ...] | None, Comparison]:
    """What changed, and as much of the head's tree as the plan asks about.

    The base is none any more when its files cannot be had: a treeless clone without a server, say.
    """
    if base.nothing_to_do:
        return base, None, Comparison((), (), frozenset())
    part = _part(config)
    try:
        compared = repository.compare(base.commit or "", head, part)
    except GitFailed as error:
        if base.commit is None:
            raise
        reason = f"the files of {base.commit[:SHORT]} cannot be had"
        base = Base(commit=None, reason=reason, missed=(*base.missed, f"{reason}: {error.why}"))
        compared = repository.compare("", head, part)
    if part and {image.dockerfile for image in config.images}.difference(compared.listing):
        # For the nearest name.
        compared = Comparison(compared.changes, repository.listing(head), frozenset())
    return base, None if base.commit is None else compared.changes, compared


def _part(config: Config) -> Part | None:
    """The part of the tree that the plan asks about; None where all of it is as quick to read."""
    paths, below = questions(config)
    if "" in below or sum(len(path) + 3 for path in (*paths, *below)) > LONGEST_COMMAND:
        return None
    return Part(paths=paths, below=below)


def _config_at_base(
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


_NO_CONFIG = Config(source="", images=())
