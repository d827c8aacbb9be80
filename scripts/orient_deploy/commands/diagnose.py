"""The action `diagnose`: what failed, told by what is known to fail.

Reads logs of files, of a run's jobs and of containers, and says cause, fix, and whether a rollback
cures it. Changes nothing, and shows of a log only the words that a signature describes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orient_deploy.commands.catalogue import load_catalogue
from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.commands.secrets_file import find_checked_out
from orient_deploy.commands.sync_secrets import GITHUB_API, TOKEN_VARIABLES
from orient_deploy.config import DEFAULT_PATH
from orient_deploy.errors import (
    EXIT_FOUND,
    EXIT_GOOD,
    EnvironmentLacks,
    InputError,
    OrientError,
    RemoteError,
)
from orient_deploy.record import dataclass
from orient_deploy.symptoms import Matcher, Source, rollback_cures
from orient_deploy.symptoms.report import (
    diagnosis_headline,
    diagnosis_lines,
    diagnosis_markdown,
    diagnosis_message,
    diagnosis_title,
)
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.commands.containers import Run
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.github.model import Job
    from orient_deploy.symptoms import Diagnosis

OUTPUTS = ("found", "diagnoses", "rollback-cures")

PIECE_BYTES = 1024 * 1024
MOST_JOBS = 20  # whose logs are read
MOST_IN_OUTPUT = 100
FAILED = ("failure", "timed_out", "startup_failure")

_RUN = re.compile(r"(?:https://[^\s/]+/([\w.-]+/[\w.-]+)/actions/runs/)?([0-9]{1,20})(?:/.*)?")
_ATTEMPT = re.compile(r"[1-9][0-9]{0,4}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs of `diagnose`."""

    log: str = described(
        "Files to read, separated by commas or lines; '-' is standard input. Empty means none.", ""
    )
    run_id: str = described(
        "A run of this repository, by its number or its address: the logs of its failed jobs are "
        "read. Empty means this run, when neither 'log' nor 'containers' is given.",
        "",
    )
    attempt: str = described(
        "Which attempt of that run, 1 for the first. Empty means the latest.", ""
    )
    containers: str = described(
        "Containers or services to ask for their state, their health log and their log, separated "
        "by commas, blanks or lines; 'all' for every one that is not well. Empty means none.",
        "",
    )
    environment: str = described(
        "The environment of the configuration where they run. Empty means the only one that has "
        "`hosts`.",
        "",
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
    hosts: str = described(
        "Servers where the containers run, user@host[:port], separated by commas, blanks or lines; "
        "'none' for this machine. Empty means `hosts` of the environment, else this machine.",
        "",
    )
    ssh_key: str = described(
        "Private key that logs in there, the whole file. Empty means an agent, or on a laptop what "
        "your own ssh uses.",
        "",
        secret=True,
    )
    known_hosts: str = described(
        "Lines of a known_hosts file for the servers. This or 'fingerprint' must be given in a "
        "workflow: no host key is accepted unseen.",
        "",
    )
    fingerprint: str = described(
        "Instead of 'known-hosts' the fingerprints of the servers' host keys, SHA256:…, separated "
        "by commas, blanks or lines.",
        "",
    )
    jump_hosts: str = described(
        "Machines on the way to the servers, user@host[:port], in their order, separated by "
        "commas, blanks or lines. Empty means none.",
        "",
    )
    fail: bool = described(
        "Fail this step when something known was found. 'true' or 'false'; empty means 'false'.",
        False,
    )
    token: str = described(
        "Token that reads the logs: GITHUB_TOKEN with `actions: read` will do. On a laptop it is "
        "taken from GH_TOKEN.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at logs: what was fed, and what could not be."""

    matcher: Matcher
    sources: list[Source]
    remarks: list[str]
    failures: list[OrientError]

    def feed(self, source: Source, pieces: Iterator[bytes] | Sequence[bytes]) -> None:
        """Everything of a source; what came before a failure counts."""
        size, failed = 0, False
        try:
            for piece in pieces:
                size += len(piece)
                self.matcher.feed(source, piece)
        except OrientError as error:
            failed = True
            self.failures.append(error)
        self.matcher.end(source)
        if size or not failed:
            self.sources.append(source)


def run(inputs: Inputs, context: Context) -> int:
    """Read every log there is, and tell what is known.

    Raises:
        InputError: nothing was given to read, or an input is wrong.
        OrientError: nothing of what was given could be read.
    """
    files = [one.strip() for one in re.split(r"[,\n]", inputs.log) if one.strip()]
    containers = split_names(inputs.containers)
    _check_names(containers)
    run_id, of_repository = _wanted_run(inputs, context, is_alone=not files and not containers)
    if not files and not containers and not run_id:
        raise InputError(
            "there is nothing to read",
            "neither a log nor a run nor a container is given",
            "Give `--log FILE` (or `-`), `--run-id NUMBER` or `--containers NAMES`",
        )
    look = Look(matcher=Matcher(load_catalogue()), sources=[], remarks=[], failures=[])
    for path in files:
        look.feed(Source(name="standard input" if path == "-" else path), _read(path))
    config: Config | None = None
    repository = of_repository or context.env.get("GITHUB_REPOSITORY", "")
    if containers or (run_id and not repository):
        try:
            _, found, config = find_checked_out(inputs.path, inputs.config, context)
            repository = repository or found
        except InputError:
            if not inputs.hosts or inputs.environment or inputs.config != DEFAULT_PATH:
                raise  # else the inputs say everything
    if run_id:
        _read_jobs(look, inputs, context, run_id, repository)
    if containers:
        _read_containers(look, inputs, context, containers, config)
    if look.failures and not look.sources:
        raise look.failures[0]
    return _publish(look, inputs, context)


def _publish(look: Look, inputs: Inputs, context: Context) -> int:
    diagnoses = look.matcher.diagnoses()
    cures = rollback_cures(diagnoses)
    remarks = [*look.remarks, *map(str, look.failures)]
    for one in diagnoses:
        annotate = context.log.error if one.entry.stage == "cause" else context.log.warning
        if context.in_actions:  # on a laptop the lines say the same
            annotate(diagnosis_message(one), title=diagnosis_title(one))
    for failure in look.failures if context.in_actions else ():
        context.log.warning(sentence(str(failure)), title="Diagnose")
    if context.in_actions and not diagnoses:
        context.log.notice(
            sentence(diagnosis_headline(diagnoses, len(look.sources))), title="Diagnose"
        )
    context.publish(
        {
            "found": bool(diagnoses),
            "diagnoses": [_told(one) for one in diagnoses[:MOST_IN_OUTPUT]],
            "rollback-cures": "unknown" if cures is None else str(cures).lower(),
        },
        lines=diagnosis_lines(diagnoses, len(look.sources), remarks),
        markdown=diagnosis_markdown(diagnoses, len(look.sources), remarks),
    )
    return EXIT_FOUND if diagnoses and inputs.fail else EXIT_GOOD


def _told(one: Diagnosis) -> dict[str, object]:
    """What a later step is told: ours, and a service's name."""
    return {
        "id": one.entry.id,
        "service": one.service,
        "where": one.entry.where,
        "count": one.count,
        "rollback": one.entry.rollback,
    }


# --- files


def _read(path: str) -> Iterator[bytes]:
    if path == "-":
        yield from iter(lambda: sys.stdin.buffer.read(PIECE_BYTES), b"")
        return
    why = ""
    try:
        with open(path, "rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or str(error)
    if why:
        raise InputError(f"the log {path!r} cannot be read", why, "Give the path of a file")


# --- the jobs of a run


def _wanted_run(inputs: Inputs, context: Context, *, is_alone: bool) -> tuple[str, str]:
    """The run's number, and its repository where the address says it."""
    text = inputs.run_id.strip()
    if not text and is_alone and context.in_actions:
        text = context.env.get("GITHUB_RUN_ID", "")
    if inputs.attempt and not _ATTEMPT.fullmatch(inputs.attempt):
        raise InputError(
            f"input 'attempt': {inputs.attempt!r} is no number of an attempt",
            "the first is 1",
            "Give the number, or leave 'attempt' out for the latest",
        )
    if not text and inputs.attempt:
        raise InputError(
            "input 'attempt' is given without a run",
            "files and containers have no attempts",
            "Give 'run-id' too, or leave 'attempt' out",
        )
    if not text:
        return "", ""
    found = _RUN.fullmatch(text)
    if not found:
        raise InputError(
            f"input 'run-id': {text!r} is no run",
            "it is neither a number nor an address like …/actions/runs/123",
            "Give the number that `gh run list` shows",
        )
    return found[2], found[1] or ""


def _read_jobs(look: Look, inputs: Inputs, context: Context, run_id: str, repository: str) -> None:
    """The logs of the jobs that failed, the last ones of a run with very many left out."""
    from orient_deploy.github.jobs import list_jobs
    from orient_deploy.github.logs import read_log

    if not _REPOSITORY.fullmatch(repository):
        raise InputError(
            "whose run it is is not known",
            "there is no GITHUB_REPOSITORY, and no clone with an origin at GitHub",
            "Give the run's address in 'run-id', or start this in a clone",
        )
    api_url = context.env.get("GITHUB_API_URL") or GITHUB_API
    token = inputs.token
    if not token and not context.in_actions:
        token = next(filter(None, map(context.env.get, TOKEN_VARIABLES)), "") or ""
    try:
        jobs = list_jobs(api_url, repository, run_id, token, attempt=inputs.attempt)
    except OrientError as error:
        look.failures.append(error)
        return
    failed = [job for job in jobs if job.conclusion in FAILED]
    if not failed:
        look.remarks.append(f"No job of run {run_id} has failed so far")
    if len(failed) > MOST_JOBS:
        look.remarks.append(f"Of {len(failed)} failed jobs the first {MOST_JOBS} are read")
    partial = _partial(jobs)
    if partial:
        source = Source(name=f"jobs of run {run_id}", kind="jobs")
        look.feed(source, [partial.encode("utf-8", "replace")])
    for job in failed[:MOST_JOBS]:
        pieces = read_log(api_url, repository, job.id, token)
        look.feed(Source(name=f"job {job.name}", kind="job"), pieces)


def _partial(jobs: Sequence[Job]) -> str:
    """A line about a deploy that was skipped because one build of several failed, or ''.

    Only where names leave no doubt: a job that deploys, and jobs that build.
    """
    ended: dict[str, list[str]] = {}
    for job in jobs:
        kind = "build" if "build" in job.name.lower() else ""
        kind = "deploy" if "deploy" in job.name.lower() else kind
        ended.setdefault(f"{kind} {job.conclusion}", []).append(" ".join(job.name.split()))
    skipped, failed = ended.get("deploy skipped"), ended.get("build failure")
    if not skipped or not failed or not ended.get("build success"):
        return ""
    return f'the job "{skipped[0]}" was skipped because "{failed[0]}" failed\n'


# --- containers


def _check_names(names: Sequence[str]) -> None:
    from orient_deploy.commands.containers import NAME

    for name in names:
        if not NAME.fullmatch(name):
            raise InputError(
                f"input 'containers': {name!r} is no name of a container",
                "it holds more than letters, digits, `_`, `.` and `-`",
                "Give names or services, as `docker ps` shows them",
            )


def _read_containers(
    look: Look, inputs: Inputs, context: Context, names: Sequence[str], config: Config | None
) -> None:
    from orient_deploy.commands.containers import on_server, on_this_machine

    place = _environment(inputs, config)
    named = split_names(inputs.hosts)
    hosts = named or (place.hosts if place else ())
    project = place.project if place else ""
    if named == ("none",) or not hosts:
        try:
            _ask(look, on_this_machine(context.env), ("docker",), names, project, "")
        except RemoteError as error:  # of this machine
            look.failures.append(EnvironmentLacks(error.what, error.why, error.next_step))
        except OrientError as error:
            look.failures.append(error)
        return
    from orient_deploy.hidden import Hidden
    from orient_deploy.server.host import Host, docker_command
    from orient_deploy.server.keys import Pins
    from orient_deploy.server.ssh import connect

    docker = docker_command(place.docker if place else "docker")
    jumps = [Host.parse(one) for one in split_names(inputs.jump_hosts)]
    fingerprints = split_names(inputs.fingerprint)
    pins = None
    if inputs.known_hosts or fingerprints or context.in_actions:
        pins = Pins.parse(known_hosts=inputs.known_hosts, fingerprints=fingerprints)
    if inputs.ssh_key:
        context.log.mask(inputs.ssh_key)
    for host in [Host.parse(one) for one in hosts]:
        try:
            with connect(
                host,
                environment=context.env,
                pins=pins,
                key=Hidden(inputs.ssh_key) if inputs.ssh_key else None,
                agent=context.in_actions and not inputs.ssh_key,
                jumps=jumps,
                docker=docker,
            ) as server:
                where = f" on {host.name}" if len(hosts) > 1 else ""
                _ask(look, on_server(server), docker, names, project, where)
        except OrientError as error:  # the others are looked at all the same
            look.failures.append(error)


def _ask(
    look: Look, run: Run, docker: Sequence[str], names: Sequence[str], project: str, where: str
) -> None:
    from orient_deploy.commands.containers import ask

    said, lacking = ask(run, docker, names, project)
    for one in said:
        for kind, text in (("state", one.state), ("health", one.health), ("container", one.log)):
            title = {"state": "state of ", "health": "health log of ", "container": ""}[kind]
            source = Source(name=f"{title}{one.name}{where}", kind=kind, service=one.service)
            look.feed(source, [text])
    look.remarks.extend(f"There is no container and no service {name}{where}" for name in lacking)
    if not said and not lacking:
        # Every one was asked for its state.
        look.sources.append(Source(name=f"containers{where}", kind="state"))
        look.remarks.append(f"All containers{where} are well")


def _environment(inputs: Inputs, config: Config | None) -> Environment | None:
    """Where the containers run; None: only the inputs say it.

    Raises:
        InputError: there is no such environment, or it is not clear which one is meant.
    """
    places = config.environments if config else ()
    if inputs.environment:
        for one in places:
            if one.name == inputs.environment:
                return one
        raise InputError(
            f"input 'environment': there is no {inputs.environment!r}",
            f"the configuration has {', '.join(one.name for one in places) or 'none'}",
            "Name one of them, or add it below `environments`",
        )
    reached = [one for one in places if one.hosts]
    if len(reached) > 1 and not inputs.hosts:
        raise InputError(
            "input 'environment' is not given",
            f"{', '.join(one.name for one in reached)} have hosts",
            "Name the one that is meant",
        )
    return reached[0] if len(reached) == 1 else None
