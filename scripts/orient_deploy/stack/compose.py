"""Docker Compose on this machine, as the only one who says what a file of variables means.

Runs `docker compose config` in an environment that has nothing of ours, with a project of one
service on its standard input, and needs no engine. Never repeats what Compose says of a file: its
errors quote values, and its warnings name variables, which are pieces of a password. For the same
reason no error here is raised while another one is handled: that one would hold the text.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType

from orient_deploy.errors import EnvironmentLacks, InputError
from orient_deploy.hidden import Hidden
from orient_deploy.stack.references import parse_model

TIMEOUT_S = 60.0
FILE_MAX_BYTES = 1024 * 1024  # a repository's secrets come to 100 of 48 KB, and never near it
OLDEST = (2, 24)  # the first that reads what a service's `env_file` may say today
_ADVICE = "Install Docker with the plugin docker-compose (2.24 or newer)"
_VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})(\.\d{1,9})?[\w.+~-]{0,80}", re.ASCII)
# What Compose can say of a file (compose-go v2.9, dotenv/parser.go, template/template.go), and how
# we say it: nothing of its own words is kept but these.
_REFUSALS = {
    "unterminated quoted value": "a quote is not closed",
    "unexpected character": "a name has a character that Compose does not take in one",
    "key cannot contain a space": "a name has a blank in it",
    "Invalid template": "a `$` begins no reference that Compose understands",
    "required variable": "a reference of the form `${NAME:?…}` names nothing that has a value",
}
_OTHERWISE = "Compose does not say why in words that could be shown"


class Refused(InputError):
    """Compose does not read the file; `reason` is one of our own phrases, `line` may be 0."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        at = f", line {line}" if line else ""
        super().__init__(f"Docker Compose does not read {path}{at}", reason, "Correct the file")
        self.file, self.line, self.reason = path, line, reason


class Compose:
    """The `docker compose` of this machine."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], version: str):
        self._command = tuple(command)
        self._environment = dict(environment)
        self.version = version

    @classmethod
    def found(cls, env: Mapping[str, str], docker: Sequence[str] = ("docker",)) -> Compose:
        """The Compose that `env` leads to.

        Raises:
            EnvironmentLacks: there is no docker, it has no Compose, or one that is too old.
        """
        program = shutil.which(docker[0], path=env.get("PATH", os.defpath))
        if program is None:
            raise EnvironmentLacks("there is no docker", "no such program is on PATH", _ADVICE)
        # PATH may name folders from here on, and the child does not stand here.
        command = (os.path.abspath(program), *docker[1:])
        environment = _environment(env)
        code, out, _ = _run([*command, "compose", "version", "--short"], environment, b"")
        found = _VERSION.fullmatch(out.decode("ascii", "replace").strip())
        if code or not found:
            raise EnvironmentLacks(
                "there is no docker compose",
                "docker has no such plugin, or it tells no version",
                _ADVICE,
            )
        # No more of what a program of this name has printed than its numbers.
        version = f"{found[1]}.{found[2]}{found[3] or ''}"
        if (int(found[1]), int(found[2])) < OLDEST:
            raise EnvironmentLacks(
                f"docker compose {version} is too old",
                "versions before 2.24 read files of variables differently",
                _ADVICE,
            )
        return cls(command, environment, version)

    def ask(
        self,
        arguments: Sequence[str],
        stdin: bytes = b"",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, bytes, bytes]:
        """Exit code, output and errors of `docker compose` with these arguments.

        It has nothing of our own environment, but what `environment` says.

        Both may hold values, and are for readers that keep none of Compose's words.

        Raises:
            EnvironmentLacks: it cannot be started, or does not answer.
        """
        given = {**environment, **self._environment}
        return _run([*self._command, "compose", *arguments], given, stdin)

    def env_file(self, path: str, content: bytes | None = None) -> dict[str, Hidden]:
        """What a service gets of the file: its names, and their values.

        `content` is what the caller read of it; Compose must have seen the same.

        Raises:
            InputError: there is no such file, it is none of text, or Compose refuses it.
            EnvironmentLacks: Compose does not answer.
        """
        before = content_of(path) if content is None else content
        check_text(path, before)
        real = absolute(path)
        answer = self._ask_values(real)
        if content_of(path) != before:
            raise InputError(
                f"{path} changed while it was read", "two readings of it differ", "Try again"
            )
        return self._understood(answer, path, real, before)

    def values(self, content: Hidden, title: str = "the file of variables") -> dict[str, Hidden]:
        """The same of a text that is in no file: it stays in memory where the system allows that.

        Raises:
            InputError: it is none of text, or Compose refuses it.
            EnvironmentLacks: Compose does not answer.
        """
        data = content.reveal().encode("utf-8", "surrogateescape")
        check_text(title, data)
        with readable(content.reveal()) as path:
            answer = self._ask_values(path)
        return self._understood(answer, title, path, data)

    def _ask_values(self, path: str) -> tuple[int, bytes, bytes]:
        service = {"image": "x", "env_file": [path.replace("$", "$$")]}
        project = json.dumps({"name": "x", "services": {"s": service}}).encode()
        command = ["--env-file", os.devnull, "-f", "-", "config", "--format", "json"]
        return self.ask(command, project)

    def _understood(
        self, answer: tuple[int, bytes, bytes], title: str, path: str, content: bytes
    ) -> dict[str, Hidden]:
        code, out, err = answer
        if code:
            raise _refusal(title, path, err, content)
        values = _values(out)
        if values is None:
            raise EnvironmentLacks(
                "docker compose gives an answer that is not understood",
                f"of `docker compose config` {self.version}",
                _ADVICE,
            )
        return values

    def model(self, files: Sequence[str], folder: str) -> dict[str, object]:
        """The project that these files make together, with its references as they are written.

        `folder` is what relative paths in the files begin from. No value of a variable is in it,
        but the defaults that the files themselves hold are.

        Raises:
            InputError: Compose does not accept the files.
            EnvironmentLacks: it does not answer.
        """
        command = ["--env-file", os.devnull, "--project-directory", absolute(folder)]
        for path in files:
            content_of(path)
            command += ["-f", absolute(path)]
        # A file by itself need not be a project; newer versions do not look for one here anyway.
        command += ["--profile", "*", "config", "--no-interpolate", "--no-consistency"]
        command += ["--format", "json"]
        code, out, _ = self.ask(command)
        model = parse_model(out) if not code else None
        if model is None:
            raise InputError(
                f"Docker Compose does not accept {' with '.join(files)}",
                "its own words are not shown, because they quote what stands in the files",
                "Run `docker compose -f … config --no-interpolate` with these files to see them",
            )
        return model


def content_of(path: str) -> bytes:
    """The bytes of a regular file of at most 1 MiB.

    Raises:
        InputError: it is not there, cannot be read, is no file, or is larger.
    """
    content, reason = _content(path)
    if reason:
        raise InputError(f"{path} cannot be read", reason, "Name a file of variables")
    return content


@contextmanager
def readable(content: str) -> Iterator[str]:
    """The path of a file with this text that no other user can read; in memory where that goes."""
    data = content.encode("utf-8", "surrogateescape")
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("variables")
        try:
            os.write(handle, data)
            # Not /proc/self: Compose is a child of the docker that is started.
            yield f"/proc/{os.getpid()}/fd/{handle}"
        finally:
            os.close(handle)
        return
    with tempfile.NamedTemporaryFile(prefix="orient-deploy-variables-") as file:  # mode 0600
        file.write(data)
        file.flush()
        yield file.name


def check_text(path: str, content: bytes) -> None:
    """Refuse what Compose would silently change: bytes that are no UTF-8, and NUL.

    Raises:
        InputError: with the line.
    """
    position, reason = content.find(b"\0"), "it holds a NUL byte"
    if position < 0:
        position, reason = _first_foreign(content), "its bytes are no UTF-8"
    if position >= 0:
        line = content.count(b"\n", 0, position) + 1
        error = InputError(f"{path}, line {line} is no text", reason, "Save the file as UTF-8")
        error.file, error.line = path, line
        raise error


def _content(path: str) -> tuple[bytes, str]:
    """What the file holds, or why it cannot be told."""
    flags = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0)  # a FIFO would wait
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        return b"", "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return b"", getattr(error, "strerror", None) or "this is no path"
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return b"", "it is a folder, a pipe or a device"
    with os.fdopen(handle, "rb") as file:
        try:
            content = file.read(FILE_MAX_BYTES + 1)
        except OSError as error:  # a disk that fails, or a file of the kernel's
            return b"", error.strerror or "reading it failed"
    return content, "it is larger than 1 MiB" if len(content) > FILE_MAX_BYTES else ""


def _first_foreign(content: bytes) -> int:
    """The position of the first byte that is no UTF-8; -1 for none."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return -1


def absolute(path: str) -> str:
    """The path as Compose is given it.

    Raises:
        InputError: it is no UTF-8.
    """
    # Compose shortens `link/..` by its text, and would come to another file than the system does.
    absolute = os.path.realpath(path)
    if not _is_text(absolute):
        raise InputError("the path of the file is no UTF-8", "Compose takes no other", "Rename it")
    return absolute


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _environment(env: Mapping[str, str]) -> dict[str, str]:
    """All that docker is told: where its plugins and settings are."""
    if folder := env.get("DOCKER_CONFIG"):
        return {"DOCKER_CONFIG": folder}
    if home := env.get("HOME"):
        return {"DOCKER_CONFIG": os.path.join(home, ".docker")}
    return {}


def _run(
    command: Sequence[str], environment: Mapping[str, str], stdin: bytes
) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of a child in a session of its own."""
    child = _started(command, environment)
    if child is None:
        raise EnvironmentLacks(
            "docker cannot be started", "the system refuses to run this program", _ADVICE
        )
    answer = _finished(child, stdin)
    if answer is None:
        raise EnvironmentLacks(
            "docker compose does not answer",
            f"{TIMEOUT_S:g} seconds have passed",
            "Look at the docker of this machine",
        )
    return child.returncode, *answer


def _started(
    command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",  # no project's folder: nothing there is read
            env=dict(environment),
            start_new_session=True,
        )
    except OSError:
        return None


def _finished(child: subprocess.Popen[bytes], stdin: bytes) -> tuple[bytes, bytes] | None:
    """What the child wrote, or None when it took too long."""
    try:
        return child.communicate(stdin, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)  # also a plugin that outlives the command
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _values(out: bytes) -> dict[str, Hidden] | None:
    """The environment of the service, as JSON has it: with `$$` for `$`."""
    try:
        found = json.loads(out)["services"]["s"].get("environment") or {}
        values = {name: value for name, value in found.items() if value is not None}
        # Half a character (a lone surrogate) is in no file, and no reader of ours takes it.
        if not _is_text("".join((*values, *values.values()))):
            return None
        return {name: Hidden(value.replace("$$", "$")) for name, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _refusal(path: str, absolute: str, err: bytes, content: bytes) -> Refused:
    """Which of the known complaints it is, and of which line."""
    told = err.decode("utf-8", "replace")
    kinds = "|".join(map(re.escape, _REFUSALS))
    place = rf"{re.escape(f'failed to read {absolute}')}: (?:line (\d{{1,7}}): )?({kinds})?"
    found = re.search(place, told)
    line = int(found[1]) if found and found[1] else 0
    if line > content.count(b"\n") + 1:
        line = 0
    return Refused(path, line, _REFUSALS[found[2]] if found and found[2] else _OTHERWISE)
