"""From inputs and an event to a plan: the wiring that plan, detect, matrix and gate share.

Decides nothing itself: asks `config` and `history` for facts, hands them to `plan`.
"""

from __future__ import annotations

import os
import re

from orient_deploy.commands.clone import find_files
from orient_deploy.commands.configuration import missing, read_config
from orient_deploy.commands.context import described
from orient_deploy.commands.gathering import by_digests, deployed_at
from orient_deploy.config import DEFAULT_PATH, parse_inline
from orient_deploy.errors import InputError, RemoteError
from orient_deploy.history import (
    Git,
    Remote,
    Repository,
    Want,
    local_event,
    obtain_head,
    resolve,
)
from orient_deploy.history.base import Known
from orient_deploy.plan.decide import check_request, decide
from orient_deploy.plan.facts import Recorded
from orient_deploy.plan.model import Plan, Request
from orient_deploy.plan.refs import is_deploying, is_version
from orient_deploy.plan.tags import record_tags
from orient_deploy.record import dataclass, field
from orient_deploy.runner import Event, read_event

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orient_deploy.commands.context import Context
    from orient_deploy.commands.gathering import Gathered
    from orient_deploy.commands.records import Records
    from orient_deploy.config.model import Config
    from orient_deploy.github.deployments import Deployment
    from orient_deploy.history import Checkout, Resolution
    from orient_deploy.plan.model import Deployed
    from orient_deploy.registry.client import Registry

NO_DEPLOYMENTS: Mapping[str, Deployed] = {}


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
        "Token that may read the repository, to fetch what the checkout lacks; the packages on "
        "ghcr.io, to ask which images exist; and deployments. What it may not do is done without.",
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
    listing: Sequence[str] = field(repr=False)  # every path of the head, in byte order
    deploying: bool


def make_plan(inputs: PlanInputs, context: Context, *, finished: bool = False) -> Planned:
    """The plan for the event, or on a laptop for the commit that is checked out.

    `finished`: the builds of this run have had their time, so that a record may be its own.

    Raises:
        InputError: wrong inputs or configuration (ConfigError), or not a repository.
        EnvironmentLacks: no git, or too old a one.
        RemoteError: not even the head commit could be had.
    """
    names, inline = _images(inputs)
    git = Git(context.env)
    checkout, root = find_files(inputs.path, git, context)
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
            recorded=_deployed_base(config, inputs, event, context) if deploying else (),
        )
        gathered = _gather(config, inputs, resolution, repository, event, context, finished)
        plan = _decide(config, event, request, resolution.head, gathered)
        deployments = _deployments(plan, config, inputs, event, gathered, repository, context)
        if deployments:
            plan = _decide(config, event, request, resolution.head, gathered, deployments)
    return Planned(
        plan=plan, config=config, event=event, listing=gathered.listing, deploying=deploying
    )


def _gather(
    config: Config,
    inputs: PlanInputs,
    resolution: Resolution,
    repository: Repository,
    event: Event,
    context: Context,
    finished: bool,
) -> Gathered:
    if config.baseline == "push":
        from orient_deploy.commands.watching import by_watch_lists

        return by_watch_lists(config, inputs.config, resolution.head, resolution.base, repository)
    import time

    def ask(digests: Mapping[str, str]) -> Records:
        from orient_deploy.commands.records import look_up

        return look_up(
            config,
            digests,
            branch=_branch_of_records(config, event),
            event=event,
            registry=_registry(inputs, context),
            describe=finished,
            recording=bool(
                record_tags(
                    "0", config, event, resolution.head, deploying=is_deploying(event, config)
                )
            ),
        )

    # On a laptop nobody is asked, unless that is the point of the configuration.
    asking = config.baseline == "registry" or (config.baseline == "auto" and context.in_actions)
    return by_digests(
        config,
        inputs.config,
        resolution.head,
        resolution.base,
        repository,
        look_up=ask if asking else None,
        now_s=time.time(),
        finished=finished,
    )


def _decide(
    config: Config,
    event: Event,
    request: Request,
    head: str,
    gathered: Gathered,
    deployments: Mapping[str, Deployed] = NO_DEPLOYMENTS,
) -> Plan:
    recorded = gathered.recorded
    if recorded and deployments:
        recorded = Recorded(
            images=recorded.images,
            now_s=recorded.now_s,
            finished=recorded.finished,
            deployments=deployments,
        )
    return decide(
        config,
        event=event,
        request=request,
        head=head,
        base=gathered.base,
        changes=gathered.changes,
        listing=gathered.listing,
        folders=gathered.folders,
        base_config=gathered.base_config,
        read=gathered.read,
        recorded=recorded,
        remarks=gathered.remarks,
    )


def _deployed_base(
    config: Config, inputs: PlanInputs, event: Event, context: Context
) -> tuple[Known, ...]:
    """With `baseline: deployments` the commit of the last good one is what counts."""
    if config.baseline != "deployments" or not (context.in_actions and inputs.token):
        return ()
    names = [one.name for one in config.environments]
    environment = inputs.environment or (names[0] if names else "")
    last = _last_deployment(environment, inputs, event, context) if environment else None
    if last is None:
        return ()
    return (
        Known(
            commit=last.commit,
            reason=f"the last deployment to {environment}",
            what=f"the commit last deployed to {environment}",
        ),
    )


def _branch_of_records(config: Config, event: Event) -> str:
    """The branch whose recorded builds count: the event's own, if it deploys, or the default."""
    return event.branch if is_deploying(event, config) else event.default_branch


def _registry(inputs: PlanInputs, context: Context) -> Registry:
    from orient_deploy.registry.client import Registry
    from orient_deploy.registry.credentials import Credentials

    return Registry(Credentials(environment=context.env, github_token=inputs.token))


def _deployments(
    plan: Plan,
    config: Config,
    inputs: PlanInputs,
    event: Event,
    gathered: Gathered,
    repository: Repository,
    context: Context,
) -> dict[str, Deployed]:
    """The last good deployments of environments that nothing else sends anything to.

    Only they are asked about: one that gets a new image is deployed to whatever it runs.
    """
    if config.baseline not in ("auto", "deployments") or not context.in_actions:
        return {}
    sources = gathered.sources
    if not (sources and event.repository and inputs.token):
        return {}
    found: dict[str, Deployed] = {}
    for one in plan.environments:
        if not one.allowed or plan.to_build:
            continue
        last = _last_deployment(one.name, inputs, event, context)
        deployed = last and deployed_at(config, inputs.config, last, repository, sources)
        if deployed:
            found[one.name] = deployed
    return found


def _last_deployment(
    environment: str, inputs: PlanInputs, event: Event, context: Context
) -> Deployment | None:
    """None where there is none, and where it cannot be known."""
    from orient_deploy.github.deployments import last_deployment

    try:
        return last_deployment(
            context.env.get("GITHUB_API_URL", "https://api.github.com"),
            event.repository,
            environment,
            inputs.token,
        )
    except RemoteError:
        return None


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
        if not repository.has(event.sha):
            return None
        return repository.read(event.sha, source, along=_likely)

    checkout = repository.checkout
    its_own = event.name == "local" or (
        checkout is not None and _checked_out(checkout, repository.git) == event.sha
    )
    config = read_config(path, root, read_committed, files=its_own)
    if config is None:
        raise missing(path, images=True)
    return config


def _likely(entries: bytes) -> list[str]:
    from orient_deploy.commands.sources import likely

    return likely(entries)


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
