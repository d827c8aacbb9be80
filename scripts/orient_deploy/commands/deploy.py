"""The action `deploy`: a release on a server, judged, and taken back where it is broken.

Reads what is to be deployed, and says what became of it; the steps are in `deploying`.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.commands.servers import ServerInputs, logged_in, named_hosts
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import InputError, RemoteError
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orient_deploy.commands.context import Context
    from orient_deploy.commands.deploying import Deployment, Outcome
    from orient_deploy.commands.judging import Goal
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.hidden import Hidden
    from orient_deploy.plan.report import Line
    from orient_deploy.server.agent import Owner
    from orient_deploy.server.host import Host
    from orient_deploy.server.ssh import Server

OUTPUTS = ("verdict", "release", "rolled-back", "failed-services", "changes")

WAIT_MAX_S = 3600
LOGIN_TIMEOUT_S = 60.0
SECRET_SHORTEST = 6
_REFERENCE = re.compile(r"[a-z0-9.:/_-]{1,255}@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class WhereInputs(ServerInputs):
    """Where, for all that deals with releases."""

    environment: str = described(
        "The environment of the configuration. Empty means the only one.", ""
    )
    docker: str = described(
        "How docker is called on the server, such as `sudo docker`. Empty means what the "
        "environment says, else `docker`.",
        "",
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root.", DEFAULT_PATH
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself.",
        "",
    )


@dataclass(frozen=True, kw_only=True)
class PlaceInputs(WhereInputs):
    """What deploy and rollback take alike."""

    lock_wait: str = described(
        "Seconds to wait while somebody else deploys there. Empty means not at all.", ""
    )
    fail: bool = described(
        "Fail this step when the verdict is not healthy. 'true' or 'false'; empty means 'true'.",
        True,
    )


@dataclass(frozen=True, kw_only=True)
class Inputs(PlaceInputs):
    """The inputs of `deploy`."""

    references: str = described(
        "What is deployed: a JSON object of an image's name to `repository@sha256:…`. An image "
        "that is not named keeps what runs. Empty means the images that the registry has recorded "
        "for the inputs of this commit; with `baseline: push` there is no record, so none changes.",
        "",
    )
    token: str = described(
        "Token that may read the packages, to ask for those records.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )
    services: str = described(
        "Compose services whose images are deployed, separated by commas, blanks or lines; those "
        "of others keep what runs. Empty means all.",
        "",
    )
    variant: str = described(
        "One of `variants` of the environment: another set of compose files. Empty means "
        "`compose`.",
        "",
    )
    dry_run: bool = described(
        "Say what would be recreated, and change nothing. 'true' or 'false'; empty means 'false'.",
        False,
    )
    env_content: str = described(
        "The whole file of variables that the server is to have. Empty means the one it has.",
        "",
        secret=True,
    )
    irreversible: bool = described(
        "Declare that no rollback may go behind this release unasked: a migration, say. 'true' or "
        "'false'; empty means 'false'.",
        False,
    )
    hook_timeout: str = described("Seconds that a hook may take. Empty means 300.", "")
    registry: str = described(
        "The registry that the server logs in to for the pull. Empty means none.", ""
    )
    registry_user: str = described("Who logs in there.", "")
    registry_password: str = described(
        "The password or token of that login. It is gone from the server after the pull.",
        "",
        secret=True,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Deploy to each server of the environment, one after another, and stop at the first failure.

    Raises:
        InputError: an input, the configuration or a compose file is wrong: nothing was touched.
        LockedError: somebody else deploys there.
        RemoteError: the server or the registry is not reached.
    """
    from orient_deploy.commands.clone import open_clone
    from orient_deploy.commands.deploying import Order
    from orient_deploy.commands.travelling import compose_files, travelling_files
    from orient_deploy.release.model import Record

    place, config, root = chosen_place(inputs, context)
    references = _references(inputs.references, config) or _recorded(inputs, config, context)
    only = frozenset(split_names(inputs.services))
    wanted = {
        service: references[image.name]
        for image in config.images
        if image.name in references
        for service in image.services
        if not only or service in only
    }
    compose = compose_files(place, inputs.variant)
    with open_clone(root, context) as clone:
        files = travelling_files(clone, place, compose)
        commit = clone.head
    secrets = _values(inputs.env_content)
    for text in (*(one.reveal() for one in secrets), inputs.registry_password):
        if text and context.in_actions:
            with suppress(InputError):
                context.log.mask(text)
    now = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    owner = owner_of(context)
    record = Record(
        id=f"{now}-{commit[:7]}",
        commit=commit,
        run=owner.run,
        owner=owner.name,
        created=now,
        environment=place.name,
        references=references,
        irreversible=inputs.irreversible,
    )
    order = Order(
        record=record,
        compose=compose,
        files=files,
        wanted=wanted,
        ours=frozenset(service for image in config.images for service in image.services),
        only=only,
        variables=inputs.env_content.encode("utf-8", "surrogateescape") or None,
        secrets=secrets,
        login=_login(inputs),
        dry_run=inputs.dry_run,
        hook_timeout_s=seconds("hook-timeout", inputs.hook_timeout, 300, WAIT_MAX_S),
    )
    if order.variables and not place.env_file:
        raise InputError(
            "it is not said where the variables go",
            f"the environment {place.name} has no `env-file`, and 'env-content' is given",
            "Add `env-file: .env` below the environment",
        )

    def on(deployment: Deployment) -> Outcome:
        return deployment.deploy(order)

    return on_each(inputs, context, place, owner, on, planned=inputs.dry_run)


def on_each(
    inputs: PlaceInputs,
    context: Context,
    place: Environment,
    owner: Owner,
    do: Callable[[Deployment], Outcome],
    *,
    planned: bool = False,
) -> int:
    """Do it on each server of the environment until one does not end well, and publish it."""
    from orient_deploy.commands.deploying import Deployment
    from orient_deploy.server.agent import agent

    hosts = servers_of(inputs, place)
    goal = _goal(inputs, place)
    wait_s = seconds("lock-wait", inputs.lock_wait, 0, WAIT_MAX_S)
    outcomes: list[Outcome] = []
    for host in hosts:

        def notify(key: str, rest: str, host: Host = host) -> None:
            if text := _PROGRESS.get(key):
                context.log.say(f"{host.name}: {text} {rest}".rstrip())

        with (
            logged_in(host, goal.docker, inputs, context) as server,
            agent(server, place.directory, goal.docker, owner, wait_s=wait_s, notify=notify) as one,
        ):
            outcomes.append(do(Deployment(place, goal, server, one, context)))
        if outcomes[-1].code:
            break
    return publish(outcomes, place, context, fail=inputs.fail, planned=planned)


def servers_of(inputs: WhereInputs, place: Environment) -> tuple[Host, ...]:
    """The servers of the environment.

    Raises:
        InputError: there is none.
    """
    hosts = named_hosts(inputs, place)
    if not hosts:
        raise InputError(
            f"the environment {place.name} has no server",
            "neither `hosts` nor the input names one",
            "Add `hosts: [user@host]` below the environment",
        )
    return hosts


_PROGRESS = {
    "waiting": "waiting for the lock:",
    "taken-over": "the deploy before this one ended without a word:",
    "pulling": "pulling",
    "file": "wrote",
    "removed": "removed",
}


def publish(
    outcomes: Sequence[Outcome], place: Environment, context: Context, *, fail: bool, planned: bool
) -> int:
    """Tell what became of it; the exit code."""
    from orient_deploy.health.report import message, verification_lines, verification_markdown
    from orient_deploy.release.report import change_table, change_text

    last = outcomes[-1]
    lines: list[Line] = []
    parts = []
    for one in outcomes:
        said = headline(one, place, planned=planned)
        lines.append((("green" if one.code == 0 else "red", said),))
        parts.append(f"### {said}\n")
        if one.changes:
            text = change_text(one.changes, planned=planned)
            lines.append((f"  {text}",))
            parts.append(change_table(one.changes, planned=planned) + "\n")
        lines += [(f"  {remark}",) for remark in one.remarks]
        parts += [f"- {remark}" for remark in one.remarks]
        for told in one.told:
            parts.append(verification_markdown(told))
        if one.told and one.code:
            lines += verification_lines(one.told[0])
    if context.in_actions:
        if last.code == 0:
            context.log.notice(headline(last, place, planned=planned), title="Deploy")
        else:
            context.log.error(headline(last, place, planned=planned), title="Deploy")
        for told in last.told[:1]:
            for failed in told.verdict.failed:
                context.log.error(message(failed), title=f"Deploy: {failed.name}")
    context.publish(
        {
            "verdict": last.verdict,
            "release": last.runs,
            "rolled-back": last.rolled_back,
            "failed-services": list(last.failed_services),
            "changes": {one.service: one.kind for one in last.changes},
        },
        lines=lines,
        markdown="\n".join(parts),
    )
    return last.code if fail or not last.verdict else 0


def headline(one: Outcome, place: Environment, *, planned: bool) -> str:
    """What became of it, in one line without markup."""
    on = f"{place.name} on {one.host}"
    if one.why:
        return f"{on}: nothing was deployed: {one.why}"
    if planned:
        return f"{on}: this is what a deploy would do"
    words = {
        0: f"{one.release} is deployed and healthy",
        5: f"{one.release} is {one.verdict}, and was not rolled back",
        6: f"{one.release} is {one.verdict}, and was rolled back to {one.runs}, which is healthy",
        7: f"{one.release} is {one.verdict}, and the rollback failed",
        8: f"{one.release} is applied, and nobody could see whether it is well",
    }
    return f"{on}: {words.get(one.code, one.verdict)}"


# --- inputs


def chosen_place(inputs: WhereInputs, context: Context) -> tuple[Environment, Config, str]:
    """The environment that is meant, its configuration, and the folder of the checkout.

    Raises:
        InputError: there is no such environment, or no configuration.
    """
    from orient_deploy.commands.configuration import missing
    from orient_deploy.commands.secrets_file import find_checked_out

    root, _, config = find_checked_out(inputs.path, inputs.config, context)
    if config is None:
        raise missing(inputs.config)
    names = [one.name for one in config.environments]
    if not inputs.environment and len(names) == 1:
        return config.environments[0], config, root
    for one in config.environments:
        if one.name == inputs.environment:
            return one, config, root
    raise InputError(
        f"there is no environment {inputs.environment!r}"
        if inputs.environment
        else "it is not said which environment is meant",
        f"the configuration has {', '.join(names) or 'none'}",
        "Give 'environment'",
    )


def _goal(inputs: PlaceInputs, place: Environment) -> Goal:
    from orient_deploy.commands.judging import Goal
    from orient_deploy.commands.preflight_stack import project_name
    from orient_deploy.engine.api import Wanted
    from orient_deploy.health.machine import Limits
    from orient_deploy.health.verdict import Expected
    from orient_deploy.server.host import docker_command

    limits = {
        one.name: Limits(budget_s=one.budget_s, stable_s=one.stable_s) for one in place.services
    }
    return Goal(
        place=place,
        expected=Expected(
            probes={one.name: one.service for one in place.checks},
            limits=limits,
            default=Limits(budget_s=None, stable_s=None),
        ),
        wanted=Wanted(project=project_name(place)),
        checks=place.checks,
        hosts=(),
        docker=docker_command(inputs.docker or place.docker),
    )


def _references(text: str, config: Config) -> Mapping[str, str]:
    """Image -> repository@sha256:….

    Raises:
        InputError: it is no such object.
    """
    if not text.strip():
        return {}
    why = "it is no JSON object of names and references"
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if isinstance(found, dict):
            given = {str(name): value for name, value in found.items() if value}
            unknown = sorted(set(given) - {one.name for one in config.images})
            wrong = [
                name
                for name, value in given.items()
                if not isinstance(value, str) or not _REFERENCE.fullmatch(value)
            ]
            if not unknown and not wrong:
                return given
            why = (
                f"the configuration has no image {unknown[0]!r}"
                if unknown
                else f"that of {sorted(wrong)[0]!r} has no digest: repository@sha256:…"
            )
    raise InputError(
        "input 'references' cannot be deployed", why, "Give the output `references` of detect"
    )


def _values(text: str) -> tuple[Hidden, ...]:
    """What nobody may read of a file of variables: its values, the longest first, those that stand
    in quotes without them. Short ones would hide half of what is said."""
    from orient_deploy.hidden import Hidden

    found = set()
    for line in text.splitlines():
        value = line.partition("=")[2].strip()
        for one in (value, value.partition(" #")[0].rstrip()):  # a comment, or a part of it
            found |= {one, one.strip("\"'")}
    chosen = sorted((one for one in found if len(one) >= SECRET_SHORTEST), key=len, reverse=True)
    return tuple(map(Hidden, chosen))


def _recorded(inputs: Inputs, config: Config, context: Context) -> Mapping[str, str]:
    """What the registry has for this commit, as detect would find it now."""
    from orient_deploy.commands.planning import PlanInputs, make_plan

    if config.baseline == "push":
        return {}
    asked = PlanInputs(
        config=inputs.config,
        path=inputs.path,
        environment=inputs.environment,
        token=inputs.token,
        commit="HEAD" if not context.in_actions else "",
    )
    plan = make_plan(asked, context, finished=True).plan
    found = {one.name: one.record.reference for one in plan.images if one.record.reference}
    if missing := sorted({one.name for one in plan.images} - found.keys()):
        context.log.warning(
            f"{', '.join(missing)}: the registry has no image that was recorded for this commit. "
            "What runs stays."
        )
    return found


def seconds(name: str, text: str, default: int, most: int) -> int:
    """A number of seconds.

    Raises:
        InputError: it is none, or too many.
    """
    if not text.strip():
        return default
    if not text.strip().isdecimal() or int(text) > most:
        raise InputError(
            f"input '{name}' is {text!r}",
            f"it is no number of seconds up to {most}",
            f"Write it like 60, or leave '{name}' empty",
        )
    return int(text)


def owner_of(context: Context) -> Owner:
    """Who deploys."""
    from orient_deploy.server.agent import Owner

    env = context.env
    if context.in_actions:
        place = f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}"
        run = env.get("GITHUB_RUN_ID", "")
        return Owner(
            run=f"{place}/actions/runs/{run}" if run else place, name=env.get("GITHUB_ACTOR", "-")
        )
    name = env.get("USER") or ""
    with suppress(OSError, KeyError):
        name = name or getpass.getuser()
    return Owner(run=f"by-hand-{os.getpid()}", name=name or "-")


def _login(inputs: Inputs) -> Callable[[Server, str], None] | None:
    """What logs the server in to the registry, for the pull alone."""
    from orient_deploy.hidden import Hidden

    if not inputs.registry:
        return None

    def login(server: Server, folder: str) -> None:
        words = ["--config", f"{folder}/docker", "login", "--username", inputs.registry_user]
        done = server.docker(
            *words,
            "--password-stdin",
            inputs.registry,
            input=Hidden(inputs.registry_password),
            timeout_s=LOGIN_TIMEOUT_S,
        )
        if done.code:
            raise RemoteError(
                f"the server cannot log in to {inputs.registry}",
                "the registry refuses user and password, or is not reached from there",
                "Look at 'registry-user' and 'registry-password'; nothing was touched",
            )

    return login
