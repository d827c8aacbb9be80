"""Runs git as a child process: argument list, bytes, a time limit and an environment of our own.

Knows nothing about repositories and decides nothing. Whatever a consumer's environment says to
git about other repositories, tracing, prompting or configuration is dropped here, once.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence

from orient_deploy.errors import EnvironmentLacks
from orient_deploy.record import dataclass

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import IO

OLDEST = (2, 30)  # ubuntu-20.04 with its updates; `fetch --stdin` and a usable --end-of-options
LOCAL_TIMEOUT_S = 120.0  # far above what a tree walk of the largest repository needs

# The only GIT_… variables that reach git: certificates, proxies, ssh, and where git itself lives.
# Everything else either points at another repository (GIT_DIR, GIT_OBJECT_DIRECTORY, …), changes
# what git prints (GIT_EXTERNAL_DIFF, GIT_LITERAL_PATHSPECS, …) or prints secrets (GIT_TRACE_CURL).
_KEPT = re.compile(
    r"GIT_(?:EXEC_PATH|SSL_\w+|PROXY_SSL_\w+|HTTP_PROXY_AUTHMETHOD|SSH|SSH_COMMAND|SSH_VARIANT"
    r"|CONFIG_GLOBAL|CONFIG_SYSTEM|CONFIG_NOSYSTEM)"
)
_ALWAYS = {
    "LC_ALL": "C",  # messages are matched
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",  # present but empty: neither core.askPass nor SSH_ASKPASS is asked
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
# Reading needs no configuration but the repository's own, and no network at all: git before 2.44
# may not know GIT_NO_LAZY_FETCH, but an empty list of protocols stops a lazy fetch in each of them.
# GIT_CONFIG_GLOBAL is known since 2.32; older ones look in HOME and XDG_CONFIG_HOME.
_READING = {
    "GIT_LITERAL_PATHSPECS": "1",  # a path is a path, also when it begins with a colon
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",  # git for Windows knows this name too
    "HOME": "/dev/null",
    "XDG_CONFIG_HOME": "/dev/null",
    "GIT_ALLOW_PROTOCOL": "",
}


@dataclass(frozen=True)
class Done:
    """A finished child."""

    code: int
    out: bytes
    err: bytes

    @property
    def message(self) -> str:
        """The last thing git complained about, on one line, without control characters."""
        lines = [line.decode("utf-8", "replace").strip() for line in self.err.splitlines()]
        told = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
        text = told[-1] if told else f"exit code {self.code}"
        text = re.sub(r"^(?:fatal|error): ", "", text)
        return "".join(c if c.isprintable() else " " for c in text).strip()


class GitFailed(EnvironmentLacks):
    """git could not do a thing that should always work: a broken repository, a full disk."""


class GitTimeout(EnvironmentLacks):
    """git did not finish in time; it has been ended."""


class Git:
    """Starts git children in one scrubbed environment.

    The version is asked for beside the first child, so that the check costs no waiting.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        kept = {
            name: value
            for name, value in environment.items()
            if not name.startswith("GIT_") or _KEPT.fullmatch(name)
        }
        self.networking = {**kept, **_ALWAYS}
        self.reading = {**self.networking, **_READING}
        self._asked: subprocess.Popen[bytes] | None = None
        self._version: tuple[int, int] | None = None

    def version(self) -> tuple[int, int]:
        """The version of git on PATH, never older than OLDEST.

        Raises:
            EnvironmentLacks: there is no git, or it is too old.
        """
        if self._version is None:
            self._ask_version()
            assert self._asked is not None
            asked, self._asked = self._asked, None
            out, _ = _communicate(asked, b"", 30.0, "version")
            self._version = check_version(out)
        return self._version

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        timeout_s: float = LOCAL_TIMEOUT_S,
        own_session: bool = False,
    ) -> Done:
        """Run `git …` to its end; the exit code is the caller's to judge."""
        child = self.start(
            arguments,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            environment=environment,
            own_session=own_session,
        )
        out, err = _communicate(child, stdin, timeout_s, arguments[0], own_session)
        self.version()
        return Done(child.returncode, out, err)

    def start(
        self,
        arguments: Sequence[str],
        *,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        environment: Mapping[str, str] | None = None,
        own_session: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start `git …` and leave it running."""
        if self._version is None:
            self._ask_version()
        try:
            return subprocess.Popen(
                ["git", *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=self.reading if environment is None else environment,
                # git-remote-https is a grandchild: a time-out must end the whole group.
                start_new_session=own_session,
            )
        except OSError as error:
            raise _no_git(error) from None

    def finish(self, child: subprocess.Popen[bytes], name: str) -> bytes:
        """Wait for a child of `start` whose output goes to a file; return its complaints."""
        _, err = _communicate(child, b"", LOCAL_TIMEOUT_S, name)
        self.version()
        return err

    def close(self) -> None:
        """Collect the version child when nothing else did."""
        if self._asked is not None:
            end(self._asked)
            self._asked = None

    def _ask_version(self) -> None:
        if self._asked is not None:
            return
        try:
            self._asked = subprocess.Popen(
                ["git", "version"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.reading,
            )
        except OSError as error:
            raise _no_git(error) from None


def check_version(text: bytes) -> tuple[int, int]:
    """Major and minor of `git version`'s answer.

    >>> check_version(b"git version 2.39.5 (Apple Git-154)")
    (2, 39)

    Raises:
        EnvironmentLacks: older than OLDEST, or not an answer of git's.
    """
    found = re.match(rb"git version (\d+)\.(\d+)", text)
    told = text.decode("utf-8", "replace").strip()[:60]
    if not found:
        raise EnvironmentLacks(
            "git cannot be used",
            f"`git version` answered {told!r}",
            "Install git 2.30 or newer and put it on PATH",
        )
    version = (int(found[1]), int(found[2]))
    if version < OLDEST:
        raise EnvironmentLacks(
            f"git is too old ({told})",
            "detection needs git 2.30 or newer",
            "Install a newer git, or use a runner image that has one",
        )
    return version


def end(child: subprocess.Popen[bytes], group: bool = False) -> None:
    """Kill a child (with its group when it leads one) and collect it."""
    if group and os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    # After a kill of the child alone, a grandchild may still hold the pipes: close, do not read.
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    child.wait()


def _communicate(
    child: subprocess.Popen[bytes], stdin: bytes, timeout_s: float, name: str, group: bool = False
) -> tuple[bytes, bytes]:
    try:
        out, err = child.communicate(stdin or None, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        end(child, group)
        raise GitTimeout(
            f"git {name} did not finish",
            f"it was ended after {timeout_s:g} seconds",
            "Run again; if it happens each time, look at the repository with `git fsck`",
        ) from None
    except BaseException:
        end(child, group)
        raise
    return out or b"", err or b""


def _no_git(error: OSError) -> EnvironmentLacks:
    return EnvironmentLacks(
        "git cannot be started",
        error.strerror or str(error),
        "Install git 2.30 or newer and put it on PATH",
    )
