"""The action `preflight`: what is known to break, found before anything is touched.

Gathers the facts, hands each group of them to its checks, and tells what they found.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from orient_deploy.commands.clone import find_files
from orient_deploy.commands.configuration import missing
from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.commands.preflight_stack import (
    EnvText,
    Looked,
    compose_files,
    look_at,
    look_at_defaults,
    look_at_neighbours,
    look_at_variables,
    share_a_server,
)
from orient_deploy.commands.secrets_file import FOR_GIT, find_checked_out
from orient_deploy.commands.servers import ServerInputs, logged_in, named_hosts
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.history import Git, Remote, Repository, Want
from orient_deploy.history.model import SHORT
from orient_deploy.preflight import report
from orient_deploy.preflight.checks import CHECKS, GROUPS, group_of
from orient_deploy.preflight.defaults import is_secret_name
from orient_deploy.preflight.environment import unreadable
from orient_deploy.preflight.judge import judge
from orient_deploy.record import dataclass
from orient_deploy.stack.compose import Compose, content_of
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Acceptance, Config, Environment
    from orient_deploy.preflight.finding import Finding
    from orient_deploy.preflight.judge import Judged
    from orient_deploy.preflight.nginx import HostPath
    from orient_deploy.server.host import Host

OUTPUTS = ("passed", "errors", "warnings", "findings")

# Of a variable without a value: the finding of the file says more than that of the compose files.
SAYS_MORE = frozenset(
    ("environment/required-missing", "environment/required-empty", "environment/suffix-missing")
)
FAIL_ON = ("error", "warning", "never")
SHORTEST_SECRET = 8  # that a runner is told to hide; shorter ones are words of other texts
MOST_FINDINGS = 100  # in the output; the summary has them all
MOST_BYTES = 32 * 1024 * 1024  # of a file; a lockfile of a large monorepo has 3 MB
MOST_OLD_FILES = 500  # YAML files of the commit that runs, read for what its compose files include


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which environment, of which configuration."""

    environment: str = described(
        "The environment of the configuration to look at. Empty means each one.", ""
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root. Without that file the "
        "inputs and the compose files say everything.",
        DEFAULT_PATH,
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself.",
        "",
    )


@dataclass(frozen=True, kw_only=True)
class Inputs(ServerInputs, Where):
    """The inputs of `preflight`: where, then the servers, then what is looked at."""

    checks: str = described(
        "Groups of checks to run: compose, environment, repository, nginx, host, separated by "
        "commas, blanks or lines. Empty means all for which there is something to look at.",
        "",
    )
    compose: str = described(
        "Compose files instead of those of the configuration, from the repository's root, in the "
        "order of merging, separated by commas, blanks or lines. Empty means the configuration's, "
        "and without one those that Compose finds by itself.",
        "",
    )
    env_file: str = described(
        "File of variables on this machine that the project is to run with, from the repository's "
        "root or absolute. Empty means the server's own where it is reached, else `secrets.file` "
        "of the environment where that is there.",
        "",
    )
    base: str = described(
        "Commit whose files run on the server: defaults that changed since are looked for. Empty "
        "means that of the last good deployment where 'token' can read it, else the commit before.",
        "",
    )
    references: str = described(
        "What is about to be deployed, the output `references` of detect: a JSON object from image "
        "to reference. The servers are asked whether they can have it. Empty means what the "
        "compose files say.",
        "",
    )
    fail_on: str = described(
        "From which weight on a finding fails this step: error, warning or never. Empty means "
        "error.",
        "error",
    )
    nginx: str = described(
        "Command of the nginx that tests configurations, `nginx -t`. Empty means the one on PATH; "
        "without one they are only parsed.",
        "",
    )
    local: bool = described(
        "Run what one would run by hand before a push as well: `test:ci` of the packages, turbo's "
        "tests of what the images are made of, `docker compose config`. 'true' or 'false'; empty "
        "means 'false'.",
        False,
    )
    build: bool = described(
        "With 'local', build the images too. 'true' or 'false'; empty means 'false'.", False
    )
    token: str = described(
        "Token that reads deployments, `deployments: read`, and commits that the checkout lacks.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Look at everything there is, and judge it.

    Raises:
        InputError: an input is wrong.
        EnvironmentLacks: there is no git or docker compose.
    """
    groups = _groups(inputs)
    if inputs.fail_on not in FAIL_ON:
        raise InputError(
            f"input 'fail-on' is {inputs.fail_on!r}",
            f"it is one of {', '.join(FAIL_ON)}",
            "Write one of them, or leave it empty",
        )
    root, repository, config = find_checked_out(inputs.path, inputs.config, context)
    if config is None and inputs.config != DEFAULT_PATH:
        raise missing(inputs.config)
    run_of = Run(
        inputs=inputs,
        context=context,
        root=root,
        repository=repository,
        config=config,
        groups=frozenset(groups),
        remarks=[],
        findings=[],
        certificates={},
        seen=set(),
    )
    findings: list[Finding] = []
    with _history(inputs, context) as opened:
        _refuse(run_of, opened)
        stacks = _stacks(run_of, _environments(inputs, config))
        findings += _compose(run_of, stacks, opened)
        findings += _repository(run_of, stacks, opened)
        findings += _nginx(run_of, stacks, opened)
        findings += _hosts(run_of, stacks)
    findings = [*run_of.findings, *findings]
    judged = judge(
        findings,
        config.accept if config else (),
        checks=CHECKS,
        today=datetime.now(tz=timezone.utc).date().isoformat(),
        looked=lambda one: _was_looked_at(run_of, one),
    )
    code = _publish(run_of, judged, stacks)
    if inputs.local:
        from orient_deploy.commands.preflight_local import run_local

        place = _environments(inputs, config)[0] if inputs.environment else None
        code = run_local(root, place, config, context, build=inputs.build) or code
    return code


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run looks at, and what it has to say besides findings."""

    inputs: Inputs
    context: Context
    root: str  # the folder that the repository's paths begin from
    repository: str  # owner/name at GitHub, or ''
    config: Config | None
    groups: frozenset[str]
    remarks: list[str]  # what could not be looked at, and why
    findings: list[Finding]  # of what could not be looked at
    certificates: dict[str, tuple[HostPath, ...]]  # that nginx needs of a server, by environment
    seen: set[tuple[str, str]]  # groups that were looked at, each with an environment or ''


def _groups(inputs: Inputs) -> dict[str, None]:
    named = split_names(inputs.checks) or GROUPS
    unknown = [one for one in named if one not in GROUPS]
    if unknown:
        raise InputError(
            f"input 'checks': there is no group {unknown[0]!r}",
            f"the groups are {', '.join(GROUPS)}",
            "Name some of them, or leave it empty",
        )
    return dict.fromkeys(one for one in GROUPS if one in named)


def _environments(inputs: Inputs, config: Config | None) -> list[Environment | None]:
    found = list(config.environments) if config else []
    if inputs.environment:
        named = [one for one in found if one.name == inputs.environment]
        if not named:
            names = ", ".join(one.name for one in found) or "none"
            raise InputError(
                f"input 'environment': there is no {inputs.environment!r}",
                f"the configuration has {names}" if config else "there is no configuration",
                "Name one of them, or add it below `environments`",
            )
        return [*named]
    return [*found] or [None]


def _refuse(run_of: Run, opened: Repository | None) -> None:
    """Refuse what cannot be meant, also where this run would not come to use it.

    Raises:
        InputError: an input is wrong.
    """
    inputs, config = run_of.inputs, run_of.config
    if named_hosts(inputs, None) and not (config and config.environments):
        raise InputError(
            "input 'hosts' names servers, and no environment is known that runs there",
            "only a configuration says in which folder, and under which name, a stack runs",
            "Add the environment to the configuration, or set 'hosts' to 'none'",
        )
    if inputs.build and not inputs.local:
        raise InputError(
            "input 'build' is 'true' without 'local'",
            "images are built with what else is tried on this machine",
            "Set 'local' to 'true' too, or leave 'build' empty",
        )
    command = inputs.nginx.split()
    if command and not shutil.which(command[0], path=run_of.context.env.get("PATH")):
        raise InputError(
            f"input 'nginx': there is no command {command[0]!r}",
            "it is neither on PATH nor a program at that path",
            "Name an nginx that is installed, or leave it empty",
        )
    if inputs.env_file:
        content_of(_on_disk(run_of, inputs.env_file))
    _references(run_of)
    if inputs.base:
        if opened is None:
            raise InputError(
                "input 'base' names a commit, and there is no repository",
                "the folder is no checkout of git",
                "Check the repository out, or leave 'base' empty",
            )
        _base(run_of, None, opened)


def _was_looked_at(run_of: Run, one: Acceptance) -> bool:
    """Whether this run would have found what is accepted, in each environment that is meant."""
    group = group_of(one.check)
    if (group, "") in run_of.seen:
        return True
    every = [place.name for place in run_of.config.environments] if run_of.config else []
    meant = [one.environment] if one.environment else every
    return bool(meant) and all((group, name) in run_of.seen for name in meant)


# --- compose files and variables


@dataclass(frozen=True, kw_only=True)
class Stack:
    """An environment with its file of variables."""

    looked: Looked
    files: tuple[str, ...]
    text: EnvText | None


def _stacks(run_of: Run, places: Sequence[Environment | None]) -> list[Stack]:
    """What Compose makes of each environment that has compose files."""
    stacks: list[Stack] = []
    named = split_names(run_of.inputs.compose)
    compose: Compose | None = None
    for place in places:
        files = compose_files(run_of.root, place, named)
        name = place.name if place else "the repository"
        if not files:
            run_of.remarks.append(f"{name} has no compose files: nothing of them was looked at")
            continue
        compose = compose or Compose.found(run_of.context.env)
        text = _variables(run_of, place, files)
        is_read = True
        if text is not None:
            try:
                _mask(run_of, compose, text, place)
            except InputError as error:
                found = unreadable(
                    text.title, error.line, error.why, in_repository=text.in_repository
                )
                run_of.findings.append(replace(found, environment=place.name if place else ""))
                text, is_read = None, False
        if text is None and is_read:
            run_of.remarks.append(
                f"no file of variables of {name} is at hand: what it would set is not known"
            )
        stacks.append(
            Stack(
                looked=look_at(compose, run_of.root, place, files, text, run_of.config),
                files=tuple(files),
                text=text,
            )
        )
    return stacks


def _variables(run_of: Run, place: Environment | None, files: Sequence[str]) -> EnvText | None:
    """The file of variables that the project is to run with, where it can be had.

    The one that is named, else the server's own, else that of this machine; without an environment
    the one that Compose itself reads, beside the first of the compose files.

    Raises:
        InputError: the one that is named is not there.
    """
    named = run_of.inputs.env_file
    beside = os.path.join(os.path.dirname(files[0]), ".env")
    title = named or (place.secrets.file if place else beside)
    path = _on_disk(run_of, title)
    text = None if named or place is None else _of_server(run_of, place)
    if text is None and title and (named or os.path.lexists(path)):
        real = os.path.realpath(path)
        text = EnvText(
            title=title,
            content=Hidden(content_of(path).decode("utf-8", "surrogateescape")),
            in_repository=real.startswith(f"{os.path.realpath(run_of.root)}{os.sep}"),
        )
    return text


def _on_disk(run_of: Run, title: str) -> str:
    return os.path.join(run_of.root, os.path.expanduser(title))


def _of_server(run_of: Run, place: Environment) -> EnvText | None:
    """The file of the first server that has one; that one is not reached is told by its checks."""
    if not place.env_file:
        return None
    from orient_deploy.commands.preflight_host import read_variables
    from orient_deploy.server.host import docker_command

    for host in named_hosts(run_of.inputs, place):
        title = f"{host.name}:{place.directory}/{place.env_file}"
        try:
            docker = docker_command(place.docker)
            with logged_in(host, docker, run_of.inputs, run_of.context) as server:
                content = read_variables(server, place)
        except RemoteError:
            run_of.remarks.append(f"{title} could not be read: {host.name} was not reached")
            continue
        if content is not None:
            return EnvText(title=title, content=content, in_repository=False)
        run_of.remarks.append(f"{title} is not there, or may not be read")
    return None


def _mask(run_of: Run, compose: Compose, text: EnvText, place: Environment | None) -> None:
    """Have a runner hide the secrets of the file, before anything else is done with it.

    Not every value: an output that holds the name of an environment, or `true`, would be dropped.

    Raises:
        InputError: Compose does not read the file.
    """
    plain = place.secrets.variables if place else ()
    for name, value in compose.values(text.content, text.title).items():
        is_secret = is_secret_name(name) and len(value.reveal()) >= SHORTEST_SECRET
        if run_of.context.in_actions and is_secret and name not in plain:
            with suppress(InputError):  # one of short lines alone cannot be hidden
                run_of.context.log.mask(value.reveal())


def _compose(run_of: Run, stacks: Sequence[Stack], opened: Repository | None) -> list[Finding]:
    """The findings of the groups compose and environment."""
    if not stacks or not run_of.groups & {"compose", "environment"}:
        return []
    compose = Compose.found(run_of.context.env)
    found: list[Finding] = []
    for stack in stacks:
        of_one: list[Finding] = []
        if stack.text and "environment" in run_of.groups:
            run_of.seen.add(("environment", stack.looked.name))
            of_one = look_at_variables(
                compose, run_of.root, stack.looked, stack.text, run_of.config
            )
        told = {one.subject for one in of_one if one.check in SAYS_MORE}
        if "compose" in run_of.groups:
            run_of.seen.add(("compose", stack.looked.name))
            unset = "compose/variable-unset"
            of_one += [
                one
                for one in stack.looked.findings
                if not (one.check == unset and one.subject in told)
            ]
            of_one += _defaults(run_of, stack, compose, opened)
        found += [replace(one, environment=stack.looked.name) for one in of_one]
    if "compose" in run_of.groups:
        found += look_at_neighbours([one.looked for one in stacks], run_of.root)
    return found


def _defaults(
    run_of: Run, stack: Stack, compose: Compose, opened: Repository | None
) -> list[Finding]:
    """Defaults that changed since the commit whose files run there."""
    not_compared = f"defaults of {stack.looked.name or 'the repository'} are not compared"
    if opened is None:
        return []
    try:
        base = _base(run_of, stack.looked.environment, opened)
    except OrientError as error:
        run_of.remarks.append(f"{not_compared}: {error.what}, {error.why}")
        return []
    if not base:
        run_of.remarks.append(f"{not_compared}: no earlier commit is at hand")
        return []
    before = [one for one in stack.files if opened.read(base, one) is not None]
    if not before:
        return []
    with _old_files(opened, base, before) as folder:
        try:
            return look_at_defaults(compose, stack.looked, before, folder, stack.text, base[:SHORT])
        except InputError:
            run_of.remarks.append(
                f"{not_compared}: Compose does not accept the files of {base[:SHORT]}"
            )
            return []


# --- the repository and nginx


def _repository(run_of: Run, stacks: Sequence[Stack], opened: Repository | None) -> list[Finding]:
    if "repository" not in run_of.groups:
        return []
    if opened is None:
        run_of.remarks.append("this is no checkout of git: the repository was not looked at")
        return []
    from orient_deploy.commands.preflight_repository import look

    run_of.seen.add(("repository", ""))
    try:
        base = _base(run_of, None, opened)
    except OrientError:
        base = ""
    return look(
        run_of.root,
        _tracked(run_of, opened),
        lambda path: _content(os.path.join(run_of.root, path)),
        run_of.config,
        [one.looked.project for one in stacks],
        (opened.listing(base), lambda path: opened.read(base, path)) if base else None,
        repository_name=run_of.repository,
    )


def _tracked(run_of: Run, opened: Repository) -> list[str]:
    """The files of the checkout that git knows, as they are on the disk."""
    listed = opened.git.run(["-C", run_of.root, "ls-files", "-z", "--cached"])
    names = [os.fsdecode(one) for one in listed.out.split(b"\0") if one]
    return sorted(
        one for one in dict.fromkeys(names) if os.path.lexists(os.path.join(run_of.root, one))
    )


def _content(path: str) -> bytes | None:
    """The bytes of a file; of a symbolic link where it points, as git has it."""
    try:
        if os.path.islink(path):
            return os.fsencode(os.readlink(path))
        if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
            return None
        with open(path, "rb") as file:
            return file.read(MOST_BYTES)
    except OSError:
        return None


def _nginx(run_of: Run, stacks: Sequence[Stack], opened: Repository | None) -> list[Finding]:
    if "nginx" not in run_of.groups:
        return []
    from orient_deploy.commands.preflight_nginx import look

    def is_ignored(path: str) -> bool:
        if opened is None:
            return False
        asked = opened.git.run(["-C", run_of.root, "check-ignore", "-q", "--", path])
        return asked.code == 0

    found: list[Finding] = []
    for stack in stacks:
        project = stack.looked.project
        peers = {
            one.looked.name: one.looked.project.model
            for one in stacks
            if one is not stack
            and one.looked.project.model
            and share_a_server(one.looked.environment, stack.looked.environment)
        }
        seen = look(
            project.model or {},
            run_of.root,
            peers=peers,
            ignored=is_ignored,
            env=run_of.context.env,
            command=run_of.inputs.nginx.split() or ("nginx",),
            stand_ins=project.stand_ins,
            dormant=sorted(project.raw_services.keys() - project.services.keys()),
        )
        found += [replace(one, environment=stack.looked.name) for one in seen.findings]
        run_of.certificates[stack.looked.name] = seen.host_paths
        if seen.services:
            run_of.seen.add(("nginx", stack.looked.name))
        if seen.services and not seen.judge:
            run_of.remarks.append(
                "no nginx is on PATH: its configuration was parsed, and not tested by `nginx -t`"
            )
    return found


# --- servers


def _hosts(run_of: Run, stacks: Sequence[Stack]) -> list[Finding]:
    """Each server, for the environments that it carries."""
    if "host" not in run_of.groups:
        return []
    carried: dict[Host, list[Stack]] = {}
    for stack in stacks:
        if stack.looked.environment:
            for host in named_hosts(run_of.inputs, stack.looked.environment):
                carried.setdefault(host, []).append(stack)
    if not carried:
        return []
    from orient_deploy.commands.preflight_host import Place, look

    projects = {one.looked.name: one.looked.project for one in stacks}
    references = _references(run_of)
    found: list[Finding] = []
    for host, there in carried.items():
        places = [
            Place(
                environment=one.looked.environment,
                project=one.looked.project,
                needs={
                    name: projects[name]
                    for name in one.looked.environment.peers
                    if name in projects
                },
                certificates=run_of.certificates.get(one.looked.name, ()),
            )
            for one in there
            if one.looked.environment
        ]
        run_of.seen.update(("host", one.looked.name) for one in there)
        found += look(
            host,
            places,
            run_of.root,
            run_of.inputs,
            run_of.context,
            compose=Compose.found(run_of.context.env).version,
            references=references,
            built=[one.repository for one in (run_of.config.images if run_of.config else ())],
        )
    return found


def _references(run_of: Run) -> dict[str, str]:
    """What is about to be deployed, by repository."""
    text = run_of.inputs.references
    if not text:
        return {}
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise InputError(
            "input 'references' is no JSON object from image to reference",
            "it could not be read as one",
            "Give the output `references` of detect, or leave it empty",
        )
    named = {one.name: one.repository for one in (run_of.config.images if run_of.config else ())}
    return {named[name]: text for name, text in given.items() if named.get(name) and text}


# --- history


@contextmanager
def _history(inputs: Inputs, context: Context) -> Iterator[Repository | None]:
    """The repository's commits; None where there is no repository."""
    env = context.env
    git = Git({name: text for name, text in env.items() if FOR_GIT.fullmatch(name)})
    try:
        checkout, _ = find_files(inputs.path, git, context)
    except InputError:
        checkout = None
    if checkout is None:
        git.close()
        yield None
        return
    remote = None
    if context.in_actions and env.get("GITHUB_SERVER_URL") and env.get("GITHUB_REPOSITORY"):
        remote = Remote(
            server_url=env["GITHUB_SERVER_URL"],
            repository=env["GITHUB_REPOSITORY"],
            token=inputs.token,
        )
    with Repository(git, checkout, remote, temporary=env.get("RUNNER_TEMP", "")) as opened:
        yield opened


def _base(run_of: Run, place: Environment | None, opened: Repository) -> str:
    """The commit whose files run in an environment; '' where none can be had.

    Raises:
        InputError: the one that was named cannot be had.
        RemoteError: GitHub did not say which one it is.
    """
    inputs, context = run_of.inputs, run_of.context
    if inputs.base:
        commit = _tip(opened, inputs.base)
        if not commit and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", inputs.base):
            commit = inputs.base
        if commit:
            opened.obtain(Want(commit))
        if not commit or not opened.has(commit):
            raise InputError(
                f"input 'base': {inputs.base!r} names no commit that can be had",
                "neither the checkout nor the server has it",
                "Give a full SHA, or check out with `fetch-depth: 0`",
            )
        return commit
    commit = ""
    if place and context.in_actions and inputs.token and run_of.repository:
        from orient_deploy.commands.sync_secrets import GITHUB_API
        from orient_deploy.github.deployments import last_deployment

        api_url = context.env.get("GITHUB_API_URL") or GITHUB_API
        deployment = last_deployment(api_url, run_of.repository, place.name, inputs.token)
        commit = deployment.commit if deployment else ""
    if not commit:
        head = _tip(opened, "HEAD")
        commit = next(iter(opened.parents(head)), "") if head and opened.has(head) else ""
    if commit:
        opened.obtain(Want(commit))
    return commit if commit and opened.has(commit) else ""


def _tip(opened: Repository, name: str) -> str:
    """The commit that a name stands for in the checkout, or ''."""
    return opened.checkout.tip(opened.git, name) if opened.checkout else ""


@contextmanager
def _old_files(opened: Repository, base: str, files: Sequence[str]) -> Iterator[str]:
    """A folder with the compose files of a commit, and with what they may include."""
    folders = tuple({os.path.dirname(one) for one in files})
    near = [
        path
        for path in opened.listing(base)
        if path.endswith((".yml", ".yaml")) and path.startswith(folders)
    ]
    with tempfile.TemporaryDirectory(prefix="orient-deploy-base-") as folder:
        wanted = [*files, *near[:MOST_OLD_FILES]]
        for path, content in opened.read_many(base, wanted).items():
            if content is None:
                continue
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(content)
        yield folder


# --- what was found


def _publish(run_of: Run, judged: Judged, stacks: Sequence[Stack]) -> int:
    inputs, context = run_of.inputs, run_of.context
    looked = report.Looked(
        environments=tuple(one.looked.name for one in stacks),
        groups=tuple(one for one in GROUPS if any(group == one for group, _ in run_of.seen)),
        remarks=tuple(dict.fromkeys(run_of.remarks)),
    )
    annotate: dict[str, Callable[..., None]] = {
        "error": context.log.error,
        "warning": context.log.warning,
        "hint": context.log.notice,
    }
    for one in judged.findings if context.in_actions else ():
        fix = one.fix or CHECKS[one.check].fix
        annotate[one.severity or "hint"](
            f"{sentence(one.message)} {sentence(fix)}",
            title=f"{CHECKS[one.check].title} ({one.check})",
            file=one.file,
            line=one.line,
        )
    failing = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[inputs.fail_on]
    passed = not any(one.severity in failing for one in judged.findings)
    context.publish(
        {
            "passed": passed,
            "errors": str(judged.count("error")),
            "warnings": str(judged.count("warning")),
            "findings": [
                {
                    "check": one.check,
                    "subject": one.subject,
                    "severity": one.severity,
                    "environment": one.environment,
                    "file": one.file,
                    "line": one.line,
                }
                for one in judged.findings[: MOST_FINDINGS if context.in_actions else None]
            ],
        },
        lines=report.preflight_lines(judged, looked, CHECKS),
        markdown=report.preflight_markdown(judged, looked, CHECKS),
    )
    return EXIT_GOOD if passed else EXIT_FOUND
