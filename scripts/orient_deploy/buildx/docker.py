"""Starts docker: short questions to their end, and a build whose output is passed on as it comes.

Every child is the leader of a session of its own and is ended with all that it started, however we
end: by a signal, an error or the time limit. Decides nothing about what an answer means, but for
what every command can meet: no docker, no buildx, no engine.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from orient_deploy.errors import EnvironmentLacks, OrientError

QUESTION_TIMEOUT_S = 60.0
# How long an ended build may take to tell its builder. GitHub gives a cancelled step 7.5 seconds
# after SIGINT and 2.5 after SIGTERM (actions/runner v2.336.0, Runner.Sdk/ProcessInvoker.cs:30-31).
GRACE_S = 2.0
TAIL_LINES = 1000  # of a build's output are kept for what a failure says
TAIL_WIDTH = 2000  # characters of each
_CHUNK = 1 << 16
_NO_ENGINE = re.compile(
    r"cannot connect to the docker daemon|error during connect|is the docker daemon running"
    r"|permission denied while trying to connect|failed to connect to the docker api",
    re.IGNORECASE,
)
_ERROR = re.compile(r"(?:ERROR|Error|docker): ")
_NO_BUILDX = re.compile(r"unknown command: docker buildx|'buildx' is not a docker command")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A finished child: its exit code, its answer, and the last thing it complained about."""

    code: int
    out: str
    complaint: str


@dataclass(frozen=True, kw_only=True)
class Builder:
    """What builds: buildx's current builder."""

    driver: str  # 'docker', 'docker-container', 'remote', 'kubernetes', 'cloud'
    full: bool  # it writes caches, attestations and several platforms


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A build that ended."""

    code: int
    tail: tuple[str, ...]  # the last lines of its output, without secrets
    timed_out: bool
    duration_s: float


class Docker:
    """The docker command, in one environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # What the action was given is not for what it starts: INPUT_TOKEN, INPUT_PASSWORD.
        kept = {name: v for name, v in environment.items() if not name.startswith("INPUT_")}
        # The provenance belongs to the image; in the metadata file nobody reads it.
        self.environment = {"BUILDX_METADATA_PROVENANCE": "disabled", **kept}

    def ask(self, arguments: Sequence[str], *, stdin: str = "") -> Answer:
        """Run a short command to its end.

        Raises:
            EnvironmentLacks: there is no docker, no engine, or no answer in time.
        """
        child = self._start(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = child.communicate(stdin.encode(), timeout=QUESTION_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise EnvironmentLacks(
                f"`docker {arguments[0]}` does not answer",
                f"{QUESTION_TIMEOUT_S:g} seconds have passed",
                "Look at the Docker engine of this machine",
            ) from None
        finally:
            _end(child)
        told = err.decode("utf-8", "replace")
        complaint = _complaint(told)
        if child.returncode and (fault := engine_fault(told, complaint)):
            raise fault
        return Answer(
            code=child.returncode, out=out.decode("utf-8", "replace"), complaint=complaint
        )

    def builder(self) -> Builder:
        """The builder that a build would use.

        Raises:
            EnvironmentLacks: there is no docker, no buildx or no engine.
        """
        answer = self.ask(["buildx", "inspect"])
        found = re.search(r"^Driver:[ \t]*(\S+)", answer.out, re.MULTILINE)
        if answer.code or not found:
            # A builder that does not answer is no error to buildx: it stands in the answer.
            told = re.search(r"^Error:[ \t]*(.+)", answer.out, re.MULTILINE)
            complaint = told[1].strip() if told else answer.complaint
            raise engine_fault(complaint, complaint) or EnvironmentLacks(
                "docker buildx has no builder that works",
                complaint or "its answer names no driver",
                "Run docker/setup-buildx-action before this step",
            )
        if found[1] != "docker":
            return Builder(driver=found[1], full=True)
        # As buildx decides (driver/docker/driver.go, Features).
        status = self.ask(["info", "--format", "{{json .DriverStatus}}"])
        try:
            pairs = json.loads(status.out)
        except ValueError:
            pairs = None
        store = ["driver-type", "io.containerd.snapshotter.v1"]
        return Builder(driver="docker", full=isinstance(pairs, list) and store in pairs)

    def build(
        self,
        arguments: Sequence[str],
        *,
        folder: str,
        timeout_s: float,
        show: Callable[[str], None],
        hidden: Sequence[str] = (),
    ) -> Finished:
        """Run a build in `folder` to its end, and hand what it prints to `show`, whole lines at a
        time. Of `hidden` no line is ever shown or kept.

        Raises:
            EnvironmentLacks: there is no docker.
        """
        started = time.monotonic()
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        secret = _pattern(hidden)
        timed_out = threading.Event()
        child = self._start(arguments, stderr=subprocess.STDOUT, folder=folder)

        def stop() -> None:
            timed_out.set()
            _terminate(child)

        timer = threading.Timer(timeout_s, stop)
        timer.daemon = True
        timer.start()
        try:
            assert child.stdout is not None, "it is a pipe"
            rest = b""
            while chunk := os.read(child.stdout.fileno(), _CHUNK):
                whole, newline, after = chunk.rpartition(b"\n")
                if not newline:
                    rest += chunk
                    continue
                _pass_on(rest + whole, secret, tail, show)
                rest = after
            if rest:
                _pass_on(rest, secret, tail, show)
            code = child.wait(max(0.0, started + timeout_s + 2 * GRACE_S - time.monotonic()))
        finally:
            timer.cancel()
            _end(child)
        return Finished(
            code=code,
            tail=tuple(tail),
            timed_out=timed_out.is_set(),
            duration_s=time.monotonic() - started,
        )

    def _start(
        self,
        arguments: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stderr: int,
        folder: str | None = None,
    ) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                ["docker", *arguments],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
                env=self.environment,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise EnvironmentLacks(
                "there is no docker",
                "no program of this name is on PATH",
                "Install Docker with buildx, or choose a runner that has them",
            ) from None


def engine_fault(told: str, why: str) -> OrientError | None:
    """The error behind what any docker command can say, given as `why`; None for anything else."""
    if _NO_BUILDX.search(told):
        return EnvironmentLacks(
            "there is no docker buildx",
            "docker has no such plugin",
            "Install the plugin docker-buildx, or run docker/setup-buildx-action before this step",
        )
    if _NO_ENGINE.search(told):
        return EnvironmentLacks(
            "the Docker engine does not answer",
            why,
            "Start it, and see that this user may talk to it",
        )
    return None


def _pass_on(
    output: bytes,
    secret: re.Pattern[str] | None,
    tail: deque[str],
    show: Callable[[str], None],
) -> None:
    text = output.decode("utf-8", "replace")
    if secret:
        text = secret.sub("***", text)
    tail.extend(line[:TAIL_WIDTH] for line in text.split("\n")[-TAIL_LINES:])
    show(text)


def _pattern(hidden: Sequence[str]) -> re.Pattern[str] | None:
    """Every line of the values, as it would stand in a log; longer ones first."""
    lines = {line.strip() for value in hidden for line in value.splitlines()} - {""}
    ordered = sorted(lines, key=lambda one: (-len(one), one))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child, if it still runs, and close its pipes."""
    if child.poll() is None:
        _terminate(child)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _terminate(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started: by request first, then by force."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    # Also after its own end: a plugin may outlive the command that started it.
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, number)  # it leads its own session
        else:
            child.send_signal(number)


def _complaint(told: str) -> str:
    """The last line that is an error's, else the last one: advice may follow."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return _ERROR.sub("", (errors or lines or [""])[-1])
