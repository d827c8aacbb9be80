"""The action `drift`: do the file, GitHub and the server have the same secrets?

Compares by marks that are keyed for one run. Changes nothing but, if asked to, one issue.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.secrets_file import SecretsInputs, choose, mask, read_secrets
from orient_deploy.commands.servers import ServerInputs, logged_in, named_hosts
from orient_deploy.commands.sync_secrets import (
    GITHUB_API,
    KEY_VARIABLE,
    TOKEN_VARIABLES,
)
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, InputError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.record import dataclass
from orient_deploy.secrets.drift import UNKNOWN, Place, RunKey, compare
from orient_deploy.secrets.lint import is_shown, is_sure
from orient_deploy.secrets.report import drift_headline, drift_lines, drift_markdown
from orient_deploy.secrets.server_file import TIMEOUT_S, parse_answer, script
from orient_deploy.secrets.wanted import at_github
from orient_deploy.text import sentence

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.commands.secrets_file import Chosen, Read
    from orient_deploy.secrets.drift import Drift

OUTPUTS = ("drifted", "names", "matrix", "issue")

# Variables that a runner or a shell sets itself; a secret of such a name cannot be told from them.
_RUNNERS = re.compile(
    r"(?:GITHUB|RUNNER|INPUT|ACTIONS|ORIENT_DEPLOY)_.*|CI|PATH|HOME|USER|SHELL|PWD|OLDPWD|SHLVL|_"
    r"|LANG|LC_.*|TERM|HOSTNAME|LOGNAME|TMPDIR|BASH_ENV|ENV|IFS|LD_.*"
)


@dataclass(frozen=True, kw_only=True)
class Inputs(SecretsInputs, ServerInputs):
    """The inputs of `drift`."""

    content: str = described(
        "The file's text itself instead of a path, from a secret that holds it whole. Empty means "
        "the file; where there is none, GitHub and the server are compared.",
        "",
        secret=True,
    )
    hosts: str = described(
        "Servers whose own file is compared, user@host[:port], separated by commas, blanks or "
        "lines; 'none' for none. Empty means `hosts` of the environment.",
        "",
    )
    fail: bool = described(
        "Fail this step when they have drifted. 'true' or 'false'; empty means 'true'.", True
    )
    issue: bool = described(
        "Open one issue when they have drifted, and close it when they agree. It names what "
        "drifted, and whoever may read the repository reads that. 'true' or 'false'; empty means "
        "'false'.",
        False,
    )
    token: str = described(
        "Token for the issue: GITHUB_TOKEN with `issues: write` will do.",
        "",
        action_default="${{ github.token }}",
        secret=True,
    )


def run(inputs: Inputs, context: Context) -> int:
    """Look at each place there is, and compare.

    Raises:
        InputError: an input is wrong, or there are not two places.
        EnvironmentLacks: there is no docker compose, here or there, or no OpenSSH.
        RemoteError: a server did not answer.
    """
    chosen = choose(inputs, context, {})
    key = RunKey()
    local = _local(inputs, chosen, context)
    places: list[Place] = []
    if local:
        marks = {one.name: key.mark(one.name, one.value) for one in local.file.entries}
        places.append(Place(title=local.title, marks=marks))
    servers, failures = _servers(inputs, chosen, key, context)
    remarks: list[str] = []
    github = _github(chosen, [*places, *servers], key, context)
    if github is None and local and not context.in_actions:
        github = _github_by_record(chosen, local, places[0], context)
    places += [github] if github else []
    places += servers
    if len(places) < 2 and failures:
        raise failures[0]
    if len(places) < 2:
        raise InputError(
            "there is nothing to compare",
            f"{places[0].title} is the only place" if places else "no place is given",
            "Have the file there, map the secrets in this step's `env`, or give `hosts`",
        )
    skipped = {name.upper() for name in chosen.secrets.skip}
    hidden = {name for place in places for name in place.marks if not is_shown(name)}
    hidden |= {one.name for one in (local.file.entries if local else ()) if not is_sure(one)}
    drift = compare(places, hide=hidden)
    if github:
        remarks += _unmapped(github, places, skipped, hidden)
    if hidden:
        remarks.append(
            "Some names are not shown: they may be pieces of values. `orient-deploy secrets lint` "
            "finds their lines"
        )
    return _publish(drift, remarks, failures, chosen, inputs, context)


def _publish(
    drift: Drift,
    remarks: Sequence[str],
    failures: list[OrientError],
    chosen: Chosen,
    inputs: Inputs,
    context: Context,
) -> int:
    """Tell what was found, and what of the rest could not be."""
    remarks = [*remarks, *map(str, failures)]
    markdown = drift_markdown(drift, chosen.name, remarks)
    issue = ""
    # Where a server could not be asked, nobody knows that they agree.
    if inputs.issue and (drift.drifted or not failures):
        try:
            issue = _keep_issue(drift, markdown, chosen, inputs, context)
        except RemoteError as error:  # what was found is told all the same
            failures = [*failures, error]
    for one in failures:
        context.log.error(sentence(str(one)), title="Drift")
    names = [row.name for row in drift.drifted]
    if drift.drifted:
        annotate = context.log.error if inputs.fail else context.log.warning
        annotate(f"{drift_headline(drift, chosen.name)}: {', '.join(names)}.", title="Drift")
    context.publish(
        {
            "drifted": bool(drift.drifted),
            "names": names,
            "matrix": {
                row.name: dict(zip(drift.places, row.cells, strict=True)) for row in drift.rows
            },
            "issue": issue,
        },
        lines=drift_lines(drift, chosen.name, remarks),
        markdown=markdown,
    )
    if drift.drifted and inputs.fail:
        return EXIT_FOUND
    return failures[0].exit_code if failures else EXIT_GOOD


def _local(inputs: Inputs, chosen: Chosen, context: Context) -> Read | None:
    """The file of this machine, where there is one; one that was named must be there."""
    is_there = chosen.file and os.path.lexists(chosen.located(chosen.file))
    if not (inputs.content or inputs.file or is_there):
        return None
    read = read_secrets(chosen, inputs.content, context)
    mask(read, frozenset(one.upper() for one in chosen.secrets.variables), context)
    return read


# --- GitHub


def _github(chosen: Chosen, others: Sequence[Place], key: RunKey, context: Context) -> Place | None:
    """What the step's `env` maps of the names that other places have; None when it maps nothing."""
    suffix, env = chosen.secrets.suffix, context.env
    skipped = {name.upper() for name in chosen.secrets.skip}
    names = sorted(
        {name for place in others for name in place.marks} | set(chosen.secrets.required)
    )
    marks: dict[str, str] = {}
    asked: set[str] = set()
    for name in names if context.in_actions else ():
        there = at_github(name, suffix)
        if there not in env or name.upper() in skipped or _RUNNERS.fullmatch(there):
            continue
        asked.add(name)
        value = Hidden(env[there])
        if value:  # what GitHub does not have is an empty text in `env`
            marks[name] = key.mark(name, value)
    if not asked:
        return None
    return Place(title="GitHub", marks=marks, asked=frozenset(asked), keeps_empty=False)


def _unmapped(
    github: Place, places: Sequence[Place], skipped: set[str], hidden: set[str]
) -> Iterable[str]:
    if github.asked is None:
        return
    names = {name for place in places for name in place.marks} - hidden
    lacking = sorted(name for name in names - github.asked if name.upper() not in skipped)
    if lacking:
        yield (
            f"The step's `env` maps no secret for {', '.join(lacking)}: what GitHub has there is "
            "not known"
        )


def _github_by_record(chosen: Chosen, local: Read, place: Place, context: Context) -> Place | None:
    """On a laptop: what is noted of the secrets that were written, where token and key are there.

    A value of GitHub cannot be read; whether it is still the one that was written can be told.
    """
    token = next(filter(None, map(context.env.get, TOKEN_VARIABLES)), None)
    if not token or not chosen.repository:
        return None
    from orient_deploy.github.secrets import secrets_store
    from orient_deploy.secrets.fingerprint import Key
    from orient_deploy.secrets.plan import Scope
    from orient_deploy.secrets.state import VARIABLE, State, parse_state

    scope = Scope(environment=chosen.name if chosen.secrets.target == "environment" else "")
    text = context.env.get(KEY_VARIABLE, "")
    key = Key(Hidden(text)) if text else None
    api_url = context.env.get("GITHUB_API_URL") or GITHUB_API
    with secrets_store(api_url, chosen.repository, scope.environment, token) as store:
        secrets, variables = store.secrets(), store.variables()
    noted = variables.get(VARIABLE)
    state = (parse_state(noted.reveal()) if noted else None) or State()
    skipped = {name.upper() for name in chosen.secrets.skip}
    marks, asked = {}, set()
    for one in local.file.entries:
        name = at_github(one.name, chosen.secrets.suffix)
        if one.name.upper() in skipped:
            continue
        asked.add(one.name)
        row = state.written.get(name)
        if name in variables:
            marks[one.name] = place.marks[one.name] if variables[name] == one.value else "other"
        elif name in secrets:
            known = key is not None and key.id == state.key_id and row is not None
            if not known or not row or not key or row.updated_at != secrets[name]:
                marks[one.name] = UNKNOWN
            elif row.fingerprint == key.fingerprint(scope.text, name, one.value):
                marks[one.name] = place.marks[one.name]
            else:
                marks[one.name] = "other"
    return Place(title="GitHub", marks=marks, asked=frozenset(asked), keeps_empty=False)


# --- servers


def _servers(
    inputs: Inputs, chosen: Chosen, key: RunKey, context: Context
) -> tuple[list[Place], list[OrientError]]:
    """The file of each server, read by the Compose that is there; and why some were not."""
    place = chosen.environment
    hosts = named_hosts(inputs, place)
    if not hosts:
        return [], []
    if place is None or not place.env_file:
        raise InputError(
            "where the server's file is is not known",
            "the environment has no `env-file`" if place else "there is no environment",
            "Write `directory` and `env-file` below the environment in the configuration",
        )
    from orient_deploy.server.host import docker_command

    docker = docker_command(place.docker)
    text = script(place.directory, place.env_file, docker)
    found: list[Place] = []
    failures: list[OrientError] = []
    for host in hosts:
        try:
            with logged_in(host, docker, inputs, context) as server:
                done = server.run(text, input=key.lines, timeout_s=TIMEOUT_S, repeat=True)
            file = parse_answer(done.out, str(host), place.env_file)
        except OrientError as error:  # the others are compared all the same
            failures.append(error)
        else:
            title = str(host) if len(hosts) > 1 else "server"
            found.append(Place(title=title, marks=file.marks))
    return found, failures


# --- the issue


def _keep_issue(
    drift: Drift, markdown: str, chosen: Chosen, inputs: Inputs, context: Context
) -> str:
    """One open issue while they have drifted; its address, or ''."""
    from orient_deploy.github.issues import keep_one_issue

    env = context.env
    run_url = ""
    if env.get("GITHUB_RUN_ID"):
        run_url = (
            f"{env.get('GITHUB_SERVER_URL', '')}/{env.get('GITHUB_REPOSITORY', '')}"
            f"/actions/runs/{env['GITHUB_RUN_ID']}"
        )
    name = chosen.name or "this repository"
    kept = keep_one_issue(
        env.get("GITHUB_API_URL") or GITHUB_API,
        chosen.repository,
        inputs.token,
        marker=f"drift {chosen.name}".strip(),
        title=f"Secrets of {name} have drifted",
        body=markdown,
        is_open=bool(drift.drifted),
        closing=f"They agree again, as this run found: {run_url}" if run_url else "They agree.",
    )
    return kept.url
