"""The agent of a server: steps that go on there when we are gone, and what they answer.

agent.sh is sent over the one connection, and detached; here is who asks it, one step after another,
and goes on listening over a new connection when one was lost. Judges nothing.
"""

from __future__ import annotations

import queue
import re
import secrets
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orient_deploy.errors import EnvironmentLacks, LockedError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.server.ssh import Channel, Server

BEAT_S = 5.0  # agent.sh counts its own ticks as often
PATIENCE_TICKS = 12  # without a word of ours, before it ends by itself
REVIVE_S = 50.0  # for which a lost connection is made again; less than that patience
OPEN_TIMEOUT_S = 30.0
_WORD = re.compile(r"[A-Za-z0-9@%_+=:,./-]+")
# What an owner may hold: it stands in a line, and in other people's messages.
_FOREIGN = re.compile(r"[^A-Za-z0-9 @_+=:,./#()-]")

# It is handed itself, to start what goes on when we are gone.
_START = ("sh", "-c", 'text=$1; shift; eval "$text"', "agent")
# The folder is new each time: what half an archive left is gone.
_UNPACK = 'umask 077 && rm -rf "$1" && mkdir -p "$1" && exec tar -xpof - -C "$1"'

Notify = Callable[[str, str], None]  # key and rest of a line, while a step goes on


class AgentLostError(RemoteError):
    """The agent ended in the middle: killed, or its machine stopped."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a step answered. Texts are of the server, and not masked."""

    code: int
    lines: tuple[tuple[str, str], ...] = field(repr=False)

    def all(self, key: str) -> list[str]:
        """The rest of each line with this key, in their order."""
        return [rest for each, rest in self.lines if each == key]

    def first(self, key: str) -> str:
        """That of the first one, or ''."""
        return next(iter(self.all(key)), "")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Who deploys, as whoever finds the lock taken is told."""

    run: str  # a number or an address of a run, or a name of a laptop
    name: str


@contextmanager
def agent(
    server: Server,
    directory: str,
    docker: Sequence[str],
    owner: Owner,
    *,
    wait_s: int = 0,
    notify: Notify = lambda key, rest: None,
) -> Iterator[Agent]:
    """The agent in a folder of a server, with the lock of that folder, until the end of the block.

    When the block ends by an error after something was applied, the agent keeps what it knows: the
    next one is told.

    Raises:
        LockedError: somebody else has the lock, also after `wait_s`.
        EnvironmentLacks: the server lacks a program.
        RemoteError: the folder may not be written to, or the agent does not start.
    """
    one = Agent(server, directory, notify)
    try:
        one._open(docker, owner, wait_s)
        yield one
    finally:
        one._end()


def show(server: Server, directory: str) -> Reply:
    """How a folder of deployments stands, without its lock: as what an agent says when it opens,
    with a `release` line for each record, and `locked` where somebody deploys.

    Raises:
        RemoteError: the folder is not there, or may not be read.
    """
    command = [*_START, _text(), "show", directory]
    done = server.run(command, timeout_s=OPEN_TIMEOUT_S, repeat=True)
    rows = [one.split(" ", 2) for one in done.out.decode("utf-8", "replace").splitlines()]
    lines = tuple((row[1], row[2] if row[2:] else "") for row in rows if len(row) > 1)
    if ("open", "") not in lines:
        raise RemoteError(
            f"{directory} on {server.host} cannot be read",
            "there is no such folder, or it is somebody else's",
            "Look at `directory` of the environment, and who owns it there",
        )
    return Reply(code=0, lines=lines)


class Agent:
    """A conversation with an agent. Made by `agent` alone."""

    def __init__(self, server: Server, directory: str, notify: Notify) -> None:
        self.opened = Reply(code=0, lines=())  # where, journal, good, installed, ledger
        self._server, self._directory, self._notify = server, directory, notify
        self._name = secrets.token_hex(8)
        self._lines: queue.Queue[tuple[int, str, str] | None] = queue.Queue()
        self._number = 0
        self._asked = b""  # the step that is not done yet
        self._taken = 0  # lines, of all that it has said
        self._over = threading.Event()
        self._is_lost = False
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._thread: threading.Thread | None = None
        self._why: OrientError | None = None

    @property
    def where(self) -> str:
        """The folder on the server, absolute."""
        return self.opened.first("where")

    def run_folder(self) -> str:
        """Where this conversation may put what goes with it, absolute; 0700."""
        return f"{self.where}/releases/.run-{self._name}"

    def ask(self, step: str, *words: str, timeout_s: float) -> Reply:
        """What a step came to.

        Raises:
            AgentLostError: the agent has ended; what it did is told by its journal.
            RemoteError: the server is not reached any more, or it took too long; it may go on.
        """
        if not all(_WORD.fullmatch(one) for one in words):
            raise ValueError("what a step is given are words")
        self._number += 1
        with self._lock:
            self._asked = f"{self._number} {' '.join((step, *words))}\n".encode()
            self._write(self._asked)
        lines: list[tuple[str, str]] = []
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise RemoteError(
                    f"the step {step} does not end on {self._server.host}",
                    f"{timeout_s:g} seconds have passed",
                    "It goes on there: look with `orient-deploy status` before you deploy again",
                ) from None
            if line is None:
                self._is_lost = True
                raise self._why or AgentLostError(
                    f"the agent on {self._server.host} has ended",
                    "it was killed, or the machine was stopped",
                    "Run this again: it begins with what was left",
                )
            number, key, rest = line
            if number != self._number:
                continue
            if key == "done":
                with self._lock:
                    self._asked = b""
                return Reply(code=int(rest) if rest.isdigit() else 1, lines=tuple(lines))
            lines.append((key, rest))
            self._notify(key, rest)

    def stage(self, release: str, archive: Hidden, *, timeout_s: float) -> None:
        """Put the files of a release there, from a tar archive; they stay nobody else's.

        Raises:
            RemoteError: they could not be written, or the connection was lost twice.
        """
        folder = f"{self.where}/releases/{release}.tmp"
        done = self._server.run(
            ["sh", "-c", _UNPACK, "sh", folder], input=archive, timeout_s=timeout_s, repeat=True
        )
        if done.code:
            raise RemoteError(
                f"the release cannot be put on {self._server.host}",
                "its files could not be written there, for want of space or of rights",
                f"Look at {self._directory}/releases and at the space left there",
            )

    # --- the conversation

    def _open(self, docker: Sequence[str], owner: Owner, wait_s: int) -> None:
        shown = [_FOREIGN.sub("?", one)[:200] or "-" for one in (owner.run, owner.name)]
        words = ["open", self._directory, self._name, str(wait_s), str(PATIENCE_TICKS), *shown]
        self._thread = threading.Thread(target=self._listen, args=([*words, *docker],), daemon=True)
        self._thread.start()
        lines: list[tuple[str, str]] = []
        deadline = time.monotonic() + OPEN_TIMEOUT_S + wait_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise self._why or RemoteError(
                    f"the agent does not start on {self._server.host}",
                    "it said nothing",
                    "Look whether `sh`, `setsid` and `mkfifo` run there",
                )
            _, key, rest = line
            if key == "open":
                self.opened = Reply(code=0, lines=tuple(lines))
                return
            lines.append((key, rest))
            if key in ("waiting", "taken-over"):
                self._notify(key, rest or _holder(lines))
            self._refuse(key, rest, lines)

    def _refuse(self, key: str, rest: str, lines: Sequence[tuple[str, str]]) -> None:
        host = self._server.host
        if key == "locked":
            raise LockedError(
                f"somebody else holds the lock of {self._directory} on {host}",
                _holder(lines),
                "Wait until it has ended, or give `lock-wait`",
            )
        if key == "lacks":
            raise EnvironmentLacks(
                f"{host} has no {rest}",
                "a deploy needs it there",
                f"Install {rest} there; `orient-deploy preflight` tells all that is missing",
            )
        if key == "refused":
            raise RemoteError(
                f"nothing can be written to {self._directory} on {host}",
                f"the folder is not there and cannot be made, or {host.user} may not write to it",
                "Look at the folder and its owner, and at the space left there",
            )

    def _write(self, data: bytes) -> None:
        channel = self._channel
        if channel is not None:
            with suppress(OSError):  # lost: it is asked again over the next one
                channel.write(data)

    def _listen(self, words: Sequence[str]) -> None:
        """Hand on what it says, over one connection after another."""
        start = [*_START, _text()]
        command: list[str] = [*start, *words]
        lost_at: float | None = None
        while not self._over.is_set():
            try:
                with self._server.channel(command) as channel, self._spoken_to(channel, lost_at):
                    skip = self._taken
                    for line in self._said(channel):
                        lost_at = None
                        if skip:
                            skip -= 1
                            continue
                        if line.endswith(" dead") or not self._hand_on(line):
                            self._lines.put(None)
                            return
            except OrientError as error:
                if lost_at is None and not self._taken:
                    self._why = error
                    self._lines.put(None)
                    return
                self._why = error
            if lost_at is None:
                lost_at = time.monotonic()
            elif time.monotonic() - lost_at > REVIVE_S:
                self._lines.put(None)
                return
            command = [*start, "attach", self._directory, self._name]
            self._over.wait(0.5)

    @contextmanager
    def _spoken_to(self, channel: Channel, lost_at: float | None) -> Iterator[None]:
        """The channel is the one that is written to, while it is open."""
        with self._lock:
            self._channel = channel
            if self._asked and lost_at is not None:
                self._write(self._asked)  # what it had already, it passes over
        try:
            yield
        finally:
            with self._lock:
                self._channel = None

    def _hand_on(self, line: str) -> bool:
        number, _, text = line.partition(" ")
        key, _, rest = text.partition(" ")
        if not number.isdigit():
            return True  # no line of ours
        self._taken += 1
        self._lines.put((int(number), key, rest))
        return key != "left"

    def _said(self, channel: Channel) -> Iterator[str]:
        """Its lines until the connection ends; it is told that we are there."""
        left = b""
        with selectors.DefaultSelector() as selector:
            selector.register(channel.fileno(), selectors.EVENT_READ)
            spoken = time.monotonic()
            while not self._over.is_set():
                if selector.select(0.1):
                    data = channel.read(1 << 16)
                    if not data:
                        return
                    *lines, left = (left + data).split(b"\n")
                    yield from (one.decode("utf-8", "replace") for one in lines)
                if time.monotonic() - spoken >= BEAT_S:
                    spoken = time.monotonic()
                    with self._lock:
                        self._write(b"0 beat\n")

    def _end(self) -> None:
        """Say goodbye, where it is there to hear it."""
        if self.opened.lines and not self._is_lost:
            with suppress(OrientError):
                self.ask("end", timeout_s=10.0)
        self._over.set()
        with self._lock:
            if self._channel is not None:
                self._channel.stop()
        if self._thread is not None:
            self._thread.join(5.0)


def _holder(lines: Sequence[tuple[str, str]]) -> str:
    told = dict(rest.split(" ", 1) for key, rest in lines if key == "holder" and " " in rest)
    return f"run {told.get('run', '?')} of {told.get('owner', '?')}, since {told.get('since', '?')}"


def _text() -> str:
    return Path(__file__).with_name("agent.sh").read_text(encoding="utf-8")
