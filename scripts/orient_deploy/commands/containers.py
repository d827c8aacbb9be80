"""What containers say of themselves: state, health log and log, here or on a server.

Gathers, bounded in number, size and time; decides nothing.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orient_deploy.errors import EnvironmentLacks, RemoteError

if TYPE_CHECKING:
    from orient_deploy.server.ssh import Server

ALL = "all"  # in place of a name: every container that is not well
MOST = 20  # containers
LINES = 5_000  # of a log
LOG_MAX_BYTES = 16 * 1024 * 1024
TIMEOUT_S = 60.0

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}")
_ID = re.compile(r"[0-9a-f]{12,64}")
_FORMAT = (
    '{{.ID}}\\t{{.Names}}\\t{{.Label "com.docker.compose.service"}}'
    '\\t{{.Label "com.docker.compose.project"}}'
)
# All that the docker of this machine is told: none of our inputs, nor a token.
_FOR_DOCKER = re.compile(r"PATH|HOME|XDG_RUNTIME_DIR|DOCKER_[A-Z_]+|LD_LIBRARY_PATH|NO_PROXY")

# Runs a script of sh; its exit code and what it printed.
Run = Callable[[str], tuple[int, bytes]]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one container says."""

    name: str
    service: str  # of Compose; else the container's own name
    state: bytes  # docker's own words for it, one line, and why it did not start
    health: bytes  # what its last health checks printed
    log: bytes


def on_server(server: Server) -> Run:
    """Scripts for a server."""

    def run(script: str) -> tuple[int, bytes]:
        done = server.run(script, timeout_s=TIMEOUT_S, repeat=True)
        return done.code, done.out

    return run


def on_this_machine(env: Mapping[str, str]) -> Run:
    """Scripts for this machine.

    Raises:
        EnvironmentLacks: there is no docker.
    """
    if shutil.which("docker", path=env.get("PATH", os.defpath)) is None:
        raise EnvironmentLacks(
            "the containers cannot be looked at",
            "no server is named, and there is no docker on this machine",
            "Give `hosts`, or an environment that has them",
        )
    told = {name: text for name, text in env.items() if _FOR_DOCKER.fullmatch(name)}

    def run(script: str) -> tuple[int, bytes]:
        try:
            done = subprocess.run(
                ["sh", "-c", script],
                env=told,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            done = None
        if done is None:
            raise RemoteError(
                "docker does not answer",
                f"{TIMEOUT_S:g} seconds have passed",
                "Look whether its daemon hangs",
            )
        return done.returncode, done.stdout

    return run


def ask(
    run: Run, docker: Sequence[str], names: Sequence[str], project: str
) -> tuple[list[Said], list[str]]:
    """What the containers of these names or services say, and the names that none has.

    Raises:
        RemoteError: docker answered nothing.
    """
    words = shlex.join(docker)
    code, out = run(f"{words} ps -a --no-trunc --format {shlex.quote(_FORMAT)} | head -c 1000000")
    rows = [line.split("\t") for line in out.decode("utf-8", "replace").splitlines()]
    known = [row for row in rows if len(row) == 4 and _ID.fullmatch(row[0])]
    if not known and (code or run(f"{words} version >/dev/null 2>&1")[0]):
        raise RemoteError(
            "docker cannot be asked for its containers",
            "it is not there, does not run, or this user may not use it",
            "Look at `docker:` of the environment, which may have to be `sudo docker`",
        )
    if project:
        known = [row for row in known if row[3] in (project, "")]
    wanted = [row for row in known if ALL in names or {row[1], row[2]} & set(names)]
    lacking = [
        name for name in names if name != ALL and not any(name in row[1:3] for row in wanted)
    ]
    said = [one for row in wanted for one in _said(run, words, row, names)]
    return said[:MOST], lacking


def _said(run: Run, words: str, row: Sequence[str], names: Sequence[str]) -> Iterator[Said]:
    number, name, service, _ = row
    template = shlex.quote("{{.RestartCount}} {{json .State}}")
    _, out = run(f"{words} inspect --type container --format {template} {number} | head -c 4000000")
    restarts, _, text = out.decode("utf-8", "replace").partition(" ")
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        return  # it went meanwhile
    if not isinstance(state, dict):
        return
    health = state.pop("Health", None) or {}
    if _is_well(state, health, restarts) and not {name, service} & set(names):
        return
    _, log = run(f"{words} logs --tail {LINES} {number} 2>&1 | tail -c {LOG_MAX_BYTES}")
    yield Said(
        name=name,
        service=service or name,
        state=_state(state),
        health=_health(health),
        log=log,
    )


def _is_well(state: Mapping[str, Any], health: Mapping[str, Any], restarts: str) -> bool:
    """Whether nothing points at it: it runs and is healthy, or it has done its work."""
    if state.get("Status") == "exited":
        return state.get("ExitCode") == 0
    if state.get("Status") != "running":
        return False
    return health.get("Status") == "healthy" or (
        health.get("Status") in (None, "starting") and restarts == "0"
    )


def _state(state: Mapping[str, Any]) -> bytes:
    """The state as docker words it, and its error on a line of its own."""
    error = str(state.get("Error") or "")
    plain = {**state, "Error": ""}
    return f"{json.dumps(plain, separators=(',', ':'))}\n{error}\n".encode()


def _health(health: Mapping[str, Any]) -> bytes:
    log = health.get("Log") or []
    printed = [str(one.get("Output") or "") for one in log if isinstance(one, dict)]
    return "\n".join(printed).encode("utf-8", "replace")
