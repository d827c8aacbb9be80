"""The engine of one machine: its containers at a moment, their ends, their logs, and probes inside.

Asks over pipes that stay open, and dials again when one was lost. Never judges, and shows nothing:
what it hands on may hold secrets.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orient_deploy.engine.facts import container, frames, passwords
from orient_deploy.engine.wire import Dial, Pipe, Question, Reply, Wire, WireError, process
from orient_deploy.errors import EnvironmentLacks, OrientError, RemoteError
from orient_deploy.health.observation import Container, Containers, Exit
from orient_deploy.hidden import Hidden

if TYPE_CHECKING:
    from orient_deploy.server.ssh import Server

OPEN_TIMEOUT_S = 20.0
ASK_TIMEOUT_S = 10.0
LOG_MAX_BYTES = 256 * 1024
STEADY_S = 4.0  # after which all is listed again, and also what runs well is inspected
# All that the docker of this machine is told: none of our inputs, nor a token.
_FOR_DOCKER = re.compile(
    r"PATH|HOME|XDG_RUNTIME_DIR|DOCKER_[A-Z_]+|LD_LIBRARY_PATH|NO_PROXY|SSH_AUTH_SOCK"
)
# What the engine tells of containers; the checks of their health are many, and left out.
_OF_ANOTHER = ("create", "destroy", "rename")
_EVENTS = (*_OF_ANOTHER, "start", "die", "oom", "pause", "unpause", "health_status", "restart")
_ONE_OFF = "com.docker.compose.oneoff"
_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which containers are looked at; without a project and names, all of the machine."""

    project: str = ""
    names: tuple[str, ...] = ()  # of containers or services

    def takes(self, listed: Mapping[str, Any]) -> bool:
        """Whether one of the engine's list is meant."""
        labels = listed.get("Labels") or {}
        if labels.get(_ONE_OFF) == "True":
            return False
        if self.project and labels.get(_PROJECT) != self.project:
            return False
        called = {str(one).lstrip("/") for one in listed.get("Names") or ()}
        return not self.names or bool((called | {labels.get(_SERVICE)}) & set(self.names))


def local_dial(env: Mapping[str, str], docker: Sequence[str] = ("docker",)) -> Dial:
    """The engine that docker leads to from this machine.

    Raises:
        EnvironmentLacks: there is no such program.
    """
    if shutil.which(docker[0], path=env.get("PATH", os.defpath)) is None:
        raise EnvironmentLacks(
            "the containers cannot be looked at",
            f"no server is named, and there is no {docker[0]} on this machine",
            "Give `hosts`, or an environment that has them",
        )
    told = {name: text for name, text in env.items() if _FOR_DOCKER.fullmatch(name)}
    program = shutil.which(docker[0], path=env.get("PATH", os.defpath)) or docker[0]
    return lambda: process([program, *docker[1:]], told)


def server_dial(server: Server, docker: Sequence[str]) -> Dial:
    """The engine of a server."""

    @contextmanager
    def dial() -> Iterator[Pipe]:
        with server.channel([*docker, "system", "dial-stdio"]) as channel:
            yield channel

    return dial


@dataclass(frozen=True, kw_only=True)
class _Known:
    """A container as it was inspected."""

    container: Container
    at_s: float  # of the monotonic clock

    @property
    def is_steady(self) -> bool:
        """Whether nothing of it changes that no event tells."""
        one = self.container
        return one.status == "running" and one.health in ("", "healthy")


class Engine:
    """An engine that is looked at, until the end of the block."""

    def __init__(
        self, dial: Dial, wanted: Wanted, is_secret_name: Callable[[str], bool], *, here: bool
    ) -> None:
        """`here`: it is of this machine, and no server's."""
        self._dial, self._wanted, self._is_secret_name = dial, wanted, is_secret_name
        self._here = here
        self._stack = ExitStack()
        self._wire: Wire | None = None
        self._known: dict[str, _Known] = {}  # by id, as they were inspected last
        self._ids: list[str] = []  # of all that is wanted, when it was listed last
        self._listed_s = -STEADY_S
        self._secrets: dict[str, tuple[Hidden, ...]] = {}  # of the containers that were seen
        self._events = _Events(dial)

    def __enter__(self) -> Engine:
        """Ask it once.

        Raises:
            EnvironmentLacks: this machine's engine does not answer.
            RemoteError: the server's does not.
        """
        why = ""
        try:
            reply = self._connected().ask([Question(path="/_ping")], OPEN_TIMEOUT_S)[0]
            why = "" if reply.status == 200 else f"it answers {reply.status}"
            self._events.begin(reply.time_s)
        except WireError as error:
            why = str(error)
        if why:
            self._lose()
            kind = EnvironmentLacks if self._here else RemoteError
            raise kind(
                "docker cannot be asked for its containers",
                f"it is not there, does not run, or this user may not use it ({why})",
                "Try `docker ps` there; `docker:` of the environment may have to be `sudo docker`",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lose()
        self._events.end()

    def look(self, timeout_s: float) -> Containers:
        """All wanted containers as they are, and the ends that the engine told since the last look.

        Never raises: `why` says what kept it from seeing, and the next look tries again.
        """
        try:
            seen = self._look(timeout_s)
        except (WireError, OrientError) as error:
            self._lose()
            return Containers(why=error.what if isinstance(error, OrientError) else str(error))
        return Containers(seen=seen, exits=self._events.take())

    def logs(self, container_id: str, lines: int, timeout_s: float) -> bytes:
        """The last lines of both outputs in their order; none when they cannot be had."""
        path = f"/containers/{container_id}/logs?stdout=1&stderr=1&tail={lines:d}"
        try:
            inspected, reply = self._connected().ask(
                [Question(path=f"/containers/{container_id}/json"), Question(path=path)], timeout_s
            )
        except (WireError, OrientError):
            self._lose()
            return b""
        if reply.status != 200:
            return b""
        is_terminal = bool((_parsed(inspected).get("Config") or {}).get("Tty"))
        return (reply.body if is_terminal else frames(reply.body))[-LOG_MAX_BYTES:]

    def projects(self) -> tuple[str, ...]:
        """The Compose projects that have containers there; none when it cannot be told."""
        try:
            question = Question(path="/containers/json?all=true")
            listed = json.loads(self._connected().ask([question], ASK_TIMEOUT_S)[0].body)
            return tuple(sorted({str(one["Labels"][_PROJECT]) for one in listed if _is_of(one)}))
        except (WireError, OrientError):
            self._lose()
        except (ValueError, KeyError, TypeError):
            pass
        return ()

    def secrets(self, container_id: str) -> tuple[Hidden, ...]:
        """What a container that was seen was given and nobody may read, the longest first."""
        return self._secrets.get(container_id, ())

    def _given(self, inspected: Mapping[str, Any]) -> tuple[Hidden, ...]:
        found: set[str] = set()
        for one in (inspected.get("Config") or {}).get("Env") or ():
            name, _, value = str(one).partition("=")
            if value and self._is_secret_name(name):
                found.add(value)
            found.update(passwords(value))
        return tuple(Hidden(one) for one in sorted(found, key=len, reverse=True))

    def run(
        self, container_id: str, command: Sequence[str], timeout_s: float
    ) -> tuple[int, bytes] | None:
        """Exit code and output of a command inside; None when it could not be seen.

        It goes over a pipe of its own: several threads may do this at once.
        """
        asked = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(command)}
        try:
            with self._dial() as pipe:
                wire = Wire(pipe)
                made = wire.ask([_post(f"/containers/{container_id}/exec", asked)], timeout_s)[0]
                number = quote(str(_parsed(made).get("Id") or ""))
                if made.status != 201 or not number:
                    return None
                start = _post(f"/exec/{number}/start", {"Detach": False, "Tty": False})
                output = b"".join(wire.until_end(start, timeout_s))
            with self._dial() as pipe:  # the engine ends the other one with the command
                ended = Wire(pipe).ask([Question(path=f"/exec/{number}/json")], timeout_s)[0]
        except (WireError, OrientError):
            return None
        code = _parsed(ended).get("ExitCode")
        return (code, frames(output)[-LOG_MAX_BYTES:]) if isinstance(code, int) else None

    def _look(self, timeout_s: float) -> tuple[Container, ...]:
        wire, now_s, news = self._connected(), time.monotonic(), self._events.news()
        # Without the events nothing tells what has changed.
        is_old = news is None or now_s - self._listed_s >= STEADY_S
        touched, is_new = news or (set(), True)
        question = Question(path="/_ping")  # that nothing changed is seen too
        if is_old or is_new:
            question = Question(path=f"/containers/json?all=true{self._filter()}")
        due = [
            key
            for key, one in self._known.items()
            if news is None or not one.is_steady or key in touched or now_s - one.at_s >= STEADY_S
        ]
        first, *replies = wire.ask([question, *map(_inspection, due)], timeout_s)
        if first.status != 200:
            raise WireError(f"the engine answers {first.status}")
        if is_old or is_new:
            self._ids = [str(one["Id"]) for one in _list(first) if self._wanted.takes(one)]
            self._listed_s = now_s
        self._inspected(due, replies)
        new = [one for one in self._ids if one not in self._known]
        self._inspected(new, wire.ask([*map(_inspection, new)], timeout_s))
        self._known = {one: self._known[one] for one in self._ids if one in self._known}
        return tuple(one.container for one in self._known.values())

    def _inspected(self, ids: Sequence[str], replies: Sequence[Reply]) -> None:
        for one, reply in zip(ids, replies, strict=True):
            if reply.status != 200:  # it went meanwhile
                self._known.pop(one, None)
                continue
            inspected = _parsed(reply)
            if one not in self._secrets:
                self._secrets[one] = self._given(inspected)
            try:
                found = container(inspected, reply.time_s)
            except (KeyError, TypeError, ValueError):
                raise WireError("the engine's answer is not understood") from None
            self._known[one] = _Known(container=found, at_s=time.monotonic())

    def _filter(self) -> str:
        if not self._wanted.project:
            return ""
        text = json.dumps({"label": [f"{_PROJECT}={self._wanted.project}"]})
        return f"&filters={quote(text)}"

    def _connected(self) -> Wire:
        if self._wire is None:
            self._wire = Wire(self._stack.enter_context(self._dial()))
        return self._wire

    def _lose(self) -> None:
        self._wire = None
        self._stack.close()


class _Events:
    """The ends of containers, as the engine's stream of events tells them."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._told: queue.SimpleQueue[Exit] = queue.SimpleQueue()
        self._since = ""
        self._last_ns = 0
        self._oom: set[str] = set()
        self._touched: set[str] = set()
        self._is_new = True  # there may be containers that nobody has seen
        self._is_listening = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, time_s: float | None) -> None:
        """Listen from that time of the engine's on."""
        self._since = f"{time_s:.0f}" if time_s is not None else ""
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Listen no more; the pipe ends with the process, or with the connection."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(3.0)

    def news(self) -> tuple[set[str], bool] | None:
        """The containers of which something was told since this was asked last, and whether there
        may be new ones; None: nobody listens."""
        with self._lock:
            found = self._touched, self._is_new
            self._touched, self._is_new = set(), False
            return found if self._is_listening else None

    def take(self) -> tuple[Exit, ...]:
        """The ends since they were taken last."""
        found = []
        while not self._told.empty():
            found.append(self._told.get())
        return tuple(found)

    def _listen(self) -> None:
        filters = quote(json.dumps({"type": ["container"], "event": list(_EVENTS)}))
        while not self._over.is_set():
            since = f"since={self._since}&" if self._since else ""
            question = Question(path=f"/events?{since}filters={filters}")
            try:
                with self._dial() as pipe:
                    lines = Wire(pipe).stream(question, self._over)
                    next(lines)  # the answer has begun
                    self._is_listening = True
                    for line in lines:
                        self._hear(line)
            except (WireError, OrientError, OSError, StopIteration):
                pass  # the next look says so
            self._is_listening = False
            self._over.wait(1.0)

    def _hear(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            actor, at_ns = event["Actor"], int(event["timeNano"])
            name, action = str(actor["ID"]), str(event["Action"])
            code = int((actor.get("Attributes") or {}).get("exitCode") or 0)
        except (ValueError, KeyError, TypeError):
            return
        if at_ns <= self._last_ns:
            return
        self._last_ns = at_ns
        self._since = f"{at_ns // 10**9}.{at_ns % 10**9:09d}"
        with self._lock:
            self._touched.add(name)
            self._is_new = self._is_new or action in _OF_ANOTHER
        if action == "oom":
            self._oom.add(name)
        elif action == "die":
            self._told.put(Exit(container=name, exit_code=code, oom=name in self._oom))
            self._oom.discard(name)


def _is_of(listed: Mapping[str, Any]) -> bool:
    return bool((listed.get("Labels") or {}).get(_PROJECT))


def _list(reply: Reply) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(reply.body)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise WireError("the engine's answer is not understood")
    return found


def _inspection(container_id: str) -> Question:
    return Question(path=f"/containers/{container_id}/json")


def _post(path: str, body: Mapping[str, object]) -> Question:
    return Question(path=path, method="POST", body=json.dumps(body).encode())


def _parsed(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.body)
    except ValueError:
        raise WireError("the engine's answer is not understood") from None
    if not isinstance(found, dict):
        raise WireError("the engine's answer is not understood")
    return found
