"""HTTP over the input and output of one long-lived process.

`docker system dial-stdio` pipes the engine's API through itself. However docker is called, with
sudo, a context or a socket of its own, that works wherever its command line does, and no process
is started for a question. Several questions are asked at once, so they cost one round trip.
"""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import Protocol

from orient_deploy.errors import EnvironmentLacks

ANSWER_MAX_BYTES = 32 * 1024 * 1024
AT_ONCE = 64  # questions, so that they and their answers pass each other in the pipe
_SAID_MAX = 4096


class Pipe(Protocol):
    """Both ends of a process that pipes HTTP."""

    def read(self, most: int, /) -> bytes: ...

    def write(self, data: bytes, /) -> None: ...

    def fileno(self) -> int: ...


Dial = Callable[[], AbstractContextManager[Pipe]]


class WireError(Exception):
    """The engine did not answer; the text is ours."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One request."""

    path: str
    method: str = "GET"
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    body: bytes = field(repr=False)  # it may hold secrets
    time_s: float | None  # the engine's own clock, in whole seconds since 1970


class Wire:
    """Questions over a pipe, and their answers in the same order."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._raw = _Raw(pipe)
        self._reader = _Kept(self._raw)

    def ask(self, questions: Sequence[Question], timeout_s: float) -> list[Reply]:
        """All answers.

        Raises:
            WireError: one did not come.
        """
        self._raw.deadline_s = time.monotonic() + timeout_s
        replies: list[Reply] = []
        for start in range(0, len(questions), AT_ONCE):
            some = questions[start : start + AT_ONCE]
            self._send(some)
            replies += [self._reply(one.method) for one in some]
        return replies

    def stream(self, question: Question, over: threading.Event) -> Iterator[bytes]:
        """The lines of an answer that has no end, until it is over; first an empty one, when it
        has begun.

        Raises:
            WireError: there is none, or it ended badly.
        """
        self._raw.over = over
        self._send([question])
        response = self._begun(question.method)
        if response.status != 200:
            raise WireError(f"the engine answered {response.status}")
        yield b""
        try:
            yield from iter(response.readline, b"")
        except (OSError, HTTPException, ValueError):
            raise WireError("the connection to the engine ended") from None

    def until_end(self, question: Question, timeout_s: float) -> Iterator[bytes]:
        """The pieces of an answer that ends with the connection.

        Raises:
            WireError: there is none, or it does not end.
        """
        self._raw.deadline_s = time.monotonic() + timeout_s
        self._send([question])
        response = self._begun(question.method)
        if response.status != 200:
            raise WireError(f"the engine answered {response.status}")
        try:
            size = 0
            while piece := response.read1(1 << 16):
                size += len(piece)
                if size > ANSWER_MAX_BYTES:
                    raise WireError("the engine's answer is too long")
                yield piece
        except TimeoutError:
            raise WireError("the engine does not answer") from None
        except (OSError, HTTPException, ValueError):
            raise WireError("the connection to the engine ended") from None

    def _send(self, questions: Sequence[Question]) -> None:
        sent = b"".join(
            f"{one.method} {one.path} HTTP/1.1\r\nHost: docker\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(one.body)}\r\n\r\n".encode()
            + one.body
            for one in questions
        )
        try:
            self._pipe.write(sent)
        except OSError:
            raise WireError("the connection to the engine ended") from None

    def _begun(self, method: str) -> HTTPResponse:
        response = HTTPResponse(_Socket(self._reader), method=method)  # type: ignore[arg-type]  # all that it uses of a socket
        try:
            response.begin()
        except TimeoutError:
            raise WireError("the engine does not answer") from None
        except (OSError, HTTPException, ValueError):
            raise WireError("the connection to the engine ended") from None
        return response

    def _reply(self, method: str) -> Reply:
        response = self._begun(method)
        try:
            body = response.read(ANSWER_MAX_BYTES) if response.length != 0 else b""
            rest = response.read(1)
        except TimeoutError:
            raise WireError("the engine does not answer") from None
        except (OSError, HTTPException, ValueError):
            raise WireError("the connection to the engine ended") from None
        if rest:
            raise WireError("the engine's answer is too long")
        return Reply(status=response.status, body=body, time_s=_seconds(response.headers))


def _seconds(headers: HTTPMessage) -> float | None:
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError):
        return None


class _Raw(io.RawIOBase):
    """The pipe's output as a file, with a deadline."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._poll = select.poll()
        self._poll.register(pipe.fileno(), select.POLLIN | select.POLLHUP)
        self.deadline_s: float | None = None
        self.over: threading.Event | None = None  # set: there is no more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io passes
        while self.over is not None and not self._poll.poll(250):
            if self.over.is_set():
                return 0
        if self.deadline_s is not None:
            left = self.deadline_s - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                raise TimeoutError
        data = self._pipe.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Kept(io.BufferedReader):
    """A response closes what it has read; the next one goes on here."""

    def close(self) -> None:
        """Nothing: the pipe is whose it was."""


class _Socket:
    """The part of a socket that a response looks at."""

    def __init__(self, reader: io.BufferedReader) -> None:
        self._reader = reader

    def makefile(self, mode: str) -> io.BufferedReader:
        """What it reads from."""
        return self._reader


class _Process:
    """`dial-stdio` on this machine."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin and child.stdout
        self._in, self._out = child.stdin.fileno(), child.stdout.fileno()

    def read(self, most: int) -> bytes:
        return os.read(self._out, most)

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._in, data) :]

    def fileno(self) -> int:
        return self._out


@contextmanager
def process(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Pipe]:
    """A pipe of this machine.

    Raises:
        EnvironmentLacks: it cannot be started.
    """
    child = None
    with suppress(OSError):
        child = subprocess.Popen(
            [*command, "system", "dial-stdio"],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    if child is None:
        raise EnvironmentLacks(
            "the containers cannot be looked at",
            f"{command[0]} cannot be started",
            "Install docker, or give `hosts`",
        )
    try:
        yield _Process(child)
    finally:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for end in (child.stdin, child.stdout):
            if end is not None:
                with suppress(OSError):
                    end.close()
