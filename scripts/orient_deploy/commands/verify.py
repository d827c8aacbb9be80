"""The action `verify`: is what was deployed well?

Looks at containers and probes until there is a verdict, and says what shows it. Changes nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.commands.servers import ServerInputs, logged_in, named_hosts
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import (
    EXIT_FAILED,
    EXIT_GOOD,
    EXIT_INCONCLUSIVE,
    EnvironmentLacks,
    InputError,
)
from orient_deploy.record import dataclass
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from typing import Any

    from orient_deploy.commands.context import Context
    from orient_deploy.commands.judging import Goal
    from orient_deploy.config.model import Environment
    from orient_deploy.engine.api import Wanted
    from orient_deploy.health.evidence import Told
    from orient_deploy.health.verdict import Verification

OUTPUTS = ("verdict", "healthy", "failed-services", "inconclusive", "evidence", "rollback-advised")

ALL = "all"
RECORD_S = 5.0  # how long is looked before a deploy
EXEC_EVERY_S = 1.0
EXEC_TIMEOUT_S = 10.0
SECONDS_MAX = 86_400
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)s?", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Inputs(ServerInputs):
    """The inputs of `verify`."""

    environment: str = described(
        "The environment of the configuration that was deployed to. Empty means the only one, or "
        "none where 'urls', 'containers' or 'project' say what to look at.",
        "",
    )
    urls: str = described(
        "Addresses that must answer with a status of 200 to 299, separated by blanks or lines. "
        "Empty means none but the checks of the environment.",
        "",
    )
    containers: str = described(
        "Containers or Compose services that must be well, separated by commas, blanks or lines; a "
        "`?` behind a name says that it may be missing; 'all' for every one there is. Empty means "
        "those of the environment.",
        "",
    )
    project: str = described(
        "A Compose project whose containers must be well. Empty means that of the environment.", ""
    )
    budget: str = described(
        "Seconds that each service may take until it is ready, where neither the configuration nor "
        "a label says otherwise. Empty means 60, or what its own health check may need.",
        "",
    )
    stable: str = described(
        "Seconds that each must then stay ready. Empty means 5, or 10 for what has neither a "
        "health check nor a probe.",
        "",
    )
    watch: str = described(
        "Seconds to look at least, for crashes that come later. Empty means until all are stable.",
        "",
    )
    timeout: str = described(
        "Seconds after which all of it ends. Empty means 180, or a minute more than the longest "
        "budget.",
        "",
    )
    docker: str = described(
        "How docker is called where the containers run, such as `sudo docker`. Empty means what "
        "the environment says, else `docker`.",
        "",
    )
    hosts: str = described(
        "Servers where the containers run, user@host[:port], separated by commas, blanks or lines; "
        "'none' for this machine. Empty means `hosts` of the environment, else this machine.",
        "",
    )
    record: str = described(
        "Before a deploy: write down what is wrong already into this file, and judge nothing. "
        "Empty means to judge.",
        "",
    )
    baseline: str = described(
        "The file that 'record' wrote before the deploy: what was wrong already only warns. Empty "
        "means none.",
        "",
    )
    evidence: str = described(
        "Where the evidence is written, as JSON. Empty means a file in RUNNER_TEMP, and none on a "
        "laptop.",
        "",
    )
    fail: bool = described(
        "Fail this step when the verdict is not healthy. 'true' or 'false'; empty means 'true'.",
        True,
    )
    config: str = described(
        "Path of the configuration file, relative to the repository root. Without that file the "
        "inputs say everything.",
        DEFAULT_PATH,
    )
    path: str = described(
        "Where the repository is checked out, relative to the workspace. Empty means the workspace "
        "itself.",
        "",
    )


def run(inputs: Inputs, context: Context) -> int:
    """Look until there is a verdict.

    Raises:
        InputError: nothing is said to look at, or an input is wrong.
        EnvironmentLacks: there is no docker on this machine, or no OpenSSH.
    """
    from orient_deploy.commands.judging import judge
    from orient_deploy.commands.verify_evidence import as_json
    from orient_deploy.health.report import change_line, headline

    remarks: list[str] = []
    goal = _goal(inputs, context, remarks)
    tolds: list[Told] = []
    for host in goal.hosts or (None,):
        of = [goal.place.name] if goal.place else []
        of += [host.name] if host is not None and len(goal.hosts) > 1 else []
        verification, told = judge(
            goal,
            logged_in(host, goal.docker, inputs, context) if host else nullcontext(),
            context,
            lambda one: context.log.say(*change_line(one)),
            title=" on ".join(of),
            remarks=remarks,
            for_s=RECORD_S if inputs.record else None,
        )
        tolds.append(told)
        if inputs.record:
            _record(inputs.record, verification, context)
            return EXIT_GOOD
        if told.verdict.word != "healthy":
            break  # the next server is not looked at: it is not deployed to either
    worst = tolds[-1]
    path = _write_evidence(inputs, [as_json(one) for one in tolds], context)
    _publish(tolds, path, context)
    if context.in_actions and worst.verdict.word == "healthy":
        context.log.notice(sentence(headline(worst)), title="Verify")
    return _exit_code(worst) if inputs.fail else EXIT_GOOD


def _exit_code(told: Told) -> int:
    if told.verdict.word == "healthy":
        return EXIT_GOOD
    return EXIT_INCONCLUSIVE if told.verdict.word == "inconclusive" else EXIT_FAILED


def _publish(tolds: Sequence[Told], path: str, context: Context) -> None:
    from orient_deploy.commands.judging import puzzling
    from orient_deploy.health.report import message, verification_lines, verification_markdown

    worst = tolds[-1]
    verdict = worst.verdict
    if context.in_actions:  # on a laptop the lines say the same
        for one in verdict.failed:
            context.log.error(message(one), title=f"Verify: {one.name}")
        for one in puzzling(verdict):
            context.log.warning(message(one), title=f"Verify: {one.name}")
    context.publish(
        {
            "verdict": verdict.word,
            "healthy": verdict.word == "healthy",
            "failed-services": [one.name for one in verdict.failed],
            "inconclusive": verdict.word == "inconclusive",
            "evidence": path,
            "rollback-advised": worst.rollback_advised,
        },
        lines=[line for one in tolds for line in verification_lines(one)],
        markdown="\n".join(map(verification_markdown, tolds)),
    )


# --- what is looked at


def _goal(inputs: Inputs, context: Context, remarks: list[str]) -> Goal:
    """What the inputs and the configuration say.

    Raises:
        InputError: they say nothing, or something wrong.
    """
    from orient_deploy.commands.judging import Goal
    from orient_deploy.config.model import Check
    from orient_deploy.engine.api import Wanted
    from orient_deploy.health.machine import Limits
    from orient_deploy.health.verdict import Expected
    from orient_deploy.server.host import docker_command

    urls = _urls(inputs.urls)
    names = _names(inputs.containers)
    project = _name("project", inputs.project) if inputs.project else ""
    says_itself = bool(urls or names or project)
    place, root = _place(inputs, context, says_itself=says_itself)
    checks = (*(place.checks if place else ()), *(Check(name=url, url=url) for url in urls))
    services: frozenset[str] | None = None
    optional = {one.removesuffix("?") for one in names if one.endswith("?")}
    wanted: Wanted | None = None
    required = [one for one in names if not one.endswith("?") and one != ALL]
    if ALL in names:
        wanted = Wanted()
    elif names:
        wanted = Wanted(project=project, names=tuple(one.removesuffix("?") for one in names))
    elif project:
        wanted = Wanted(project=project)
    elif place and (place.compose or place.project):
        project, services = _of_compose(place, root, context, remarks)
        optional = {one.name for one in place.services if one.optional}
        required = sorted((services or frozenset()) - optional)
        if project:
            wanted = Wanted(project=project)
    if wanted is None and not checks:
        raise InputError(
            "there is nothing to look at",
            "neither urls nor containers nor a project nor an environment says what",
            "Give 'urls', 'containers' or 'project', or an environment in the configuration",
        )
    limits = {
        one.name: Limits(budget_s=one.budget_s, stable_s=one.stable_s)
        for one in (place.services if place else ())
    }
    expected = Expected(
        names=tuple(required),
        services=services,
        probes={one.name: one.service if wanted else "" for one in checks},
        limits=limits,
        default=Limits(
            budget_s=_seconds("budget", inputs.budget), stable_s=_seconds("stable", inputs.stable)
        ),
        before=_before(inputs.baseline),
        cap_s=_seconds("timeout", inputs.timeout),
        watch_s=_seconds("watch", inputs.watch) or 0.0,
    )
    asks_host = wanted is not None or any(one.ask_from == "host" or one.exec for one in checks)
    hosts = named_hosts(inputs, place) if asks_host or inputs.hosts else ()
    docker = docker_command(inputs.docker or (place.docker if place else "docker"))
    return Goal(
        place=place,
        expected=expected,
        wanted=wanted,
        checks=checks,
        hosts=hosts,
        docker=tuple(docker),
    )


def _place(
    inputs: Inputs, context: Context, *, says_itself: bool
) -> tuple[Environment | None, str]:
    """The environment that is meant, and the repository's folder; None: the inputs say it all."""
    from orient_deploy.commands.secrets_file import find_checked_out

    if says_itself and not inputs.environment:
        return None, ""
    try:
        root, _, config = find_checked_out(inputs.path, inputs.config, context)
    except InputError:
        if inputs.environment or inputs.config != DEFAULT_PATH:
            raise
        return None, ""
    places = config.environments if config else ()
    if not inputs.environment:
        if len(places) > 1:
            raise InputError(
                "it is not said which environment is meant",
                f"there are {', '.join(one.name for one in places)}",
                "Give 'environment'",
            )
        return (places[0], root) if places else (None, root)
    for one in places:
        if one.name == inputs.environment:
            return one, root
    raise InputError(
        f"there is no environment {inputs.environment!r}",
        f"the configuration has {', '.join(one.name for one in places) or 'none'}",
        "Correct 'environment'",
    )


def _of_compose(
    place: Environment, root: str, context: Context, remarks: list[str]
) -> tuple[str, frozenset[str] | None]:
    """The project's name, and its services, as far as the compose files can be read here."""
    from orient_deploy.commands.preflight_stack import project_name
    from orient_deploy.stack.compose import Compose
    from orient_deploy.stack.project import resolve

    name = project_name(place)
    if not place.compose:
        return name, None
    try:
        compose = Compose.found(context.env)
        files = {one: os.path.join(root, one) for one in place.compose}
        project = resolve(compose, files, name=name, profiles=place.profiles)
    except (EnvironmentLacks, InputError) as error:
        remarks.append(f"which services should run is not known: {error.what}, {error.why}")
        return name, None
    if project.model is None:
        why = project.refused or "only the server's variables complete them"
        remarks.append(f"which services should run is not known of the compose files: {why}")
        return name, None
    return name, frozenset(project.services)


def _before(path: str) -> Mapping[str, str]:
    """What was wrong before the deploy.

    Raises:
        InputError: the file is none that `record` wrote.
    """
    if not path:
        return {}
    why = "it is none that 'record' wrote"
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        faults = found["faults"]
        if found["version"] == 1 and all(isinstance(one, str) for one in faults.values()):
            return dict(faults)
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    raise InputError(
        f"input 'baseline': {path!r} cannot be used", why, "Name the file of the step before"
    )


def _record(path: str, verification: Verification, context: Context) -> None:
    faults = verification.faults()
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"version": 1, "faults": faults}, file, sort_keys=True)
    said = ", ".join(f"{name} ({reason})" for name, reason in sorted(faults.items()))
    context.log.say(f"Before the deploy: {said or 'nothing is wrong'}")
    context.publish(
        {
            "verdict": "",
            "healthy": False,
            "failed-services": [],
            "inconclusive": False,
            "evidence": path,
            "rollback-advised": False,
        },
        lines=(),
    )


# --- inputs


def _urls(text: str) -> list[str]:
    from orient_deploy.commands.judging import place_of

    urls = list(dict.fromkeys(text.split()))
    for one in urls:
        if not _URL.fullmatch(one) or place_of(one) is None:
            raise InputError(
                f"input 'urls': {one!r} is no address",
                "it does not begin with https:// or http:// and a host",
                "Write them like https://example.com/health, separated by blanks",
            )
    return urls


def _names(text: str) -> tuple[str, ...]:
    names = split_names(text)
    for one in names:
        _name("containers", one.removesuffix("?"))
    return tuple(names)


def _name(field: str, text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError(
            f"input '{field}': {text!r} is no name",
            "it holds more than letters, digits, `_`, `.` and `-`",
            "Give names as `docker ps` shows them",
        )
    return text


def _seconds(name: str, text: str) -> float | None:
    if not text:
        return None
    found = _SECONDS.fullmatch(text.strip())
    if not found or not 0 < float(found[1]) <= SECONDS_MAX:
        raise InputError(
            f"input '{name}' is {text!r}",
            f"it is no number of seconds above 0 and at most {SECONDS_MAX:,}",
            f"Write it like 90, or leave '{name}' empty",
        )
    return float(found[1])


def _write_evidence(inputs: Inputs, found: Sequence[Mapping[str, Any]], context: Context) -> str:
    """The path of the file of evidence; '' where none is written."""
    path = inputs.evidence
    if not path and context.in_actions and context.env.get("RUNNER_TEMP"):
        path = os.path.join(context.env["RUNNER_TEMP"], "orient-deploy-verify.json")
    if path:
        document = found[0] if len(found) == 1 else {"version": 1, "hosts": list(found)}
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=1, sort_keys=True)
            file.write("\n")
    return path
