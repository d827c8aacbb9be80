"""One connection to a server, and everything that runs over it.

Starts the system's OpenSSH with argument lists. What is secret travels by stdin; the arguments of
no process hold it, here or there, and no error repeats what ssh or a command printed.

    with connect(host, pins=pins, key=key, environment=os.environ) as server:
        server.run(["cat", "/etc/hostname"], timeout_s=10).out
"""

from __future__ import annotations

import os
import re
import secrets
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from orient_deploy.errors import EnvironmentLacks, InputError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.server.failure import failed_login
from orient_deploy.server.host import Host
from orient_deploy.server.keys import (
    Pins,
    no_openssh,
    require_pinned,
    scanned,
    write_private,
    write_private_key,
)

CONNECT_TIMEOUT_S = 10  # for each machine on the way
ALIVE_INTERVAL_S = 5
ALIVE_COUNT = 3  # unanswered ones end the connection
LOGIN_EXTRA_S = 20  # for keys, login and the shell, once connected
GRACE_S = 2.0
LOSS_S = 0.5  # that a lost connection takes to end here
# sun_path has 104 bytes on macOS and 108 on Linux, with the final NUL, and ssh binds a name of 17
# more characters before it renames it (OpenSSH mux.c, muxserver_listen).
SOCKET_PATH_MAX = 104 - 1 - 17
COMMAND_MAX = 96 * 1024  # of one argument, Linux takes 128 KiB (execve(2), MAX_ARG_STRLEN)
_NOISE_MAX = 1 << 20  # what a login may print before the shell answers
_SSH_FAILED = 255


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that ended by itself. What it printed is not shown: it may hold secrets."""

    code: int
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)


class ConnectionLostError(RemoteError):
    """The connection ended while a command may have been running."""


@dataclass(frozen=True, kw_only=True)
class _Way:
    """Everything that it takes to connect, and to connect again."""

    hosts: tuple[Host, ...]  # jump hosts, then the target
    folder: Path
    socket: Path
    environment: Mapping[str, str]
    pinned: Mapping[Host, tuple[str, ...]]
    public: str
    timeout_s: int


@contextmanager
def connect(
    host: Host,
    *,
    environment: Mapping[str, str],
    pins: Pins | None = None,
    key: Hidden | None = None,
    agent: bool = False,
    jumps: Sequence[Host] = (),
    docker: Sequence[str] = ("docker",),
    timeout_s: int = CONNECT_TIMEOUT_S,
) -> Iterator[Server]:
    """A server that is logged in to, until the end of the block; no file is left then.

    The login is by `key`, by an `agent`, or else as this user's own configuration has it, where
    `pins` may be None: then the user's own known_hosts count. `jumps` are passed in this order, and
    take the same login.

    Raises:
        InputError: the key or the pins are not what they should be.
        EnvironmentLacks: there is no OpenSSH, or no agent.
        RemoteError: a host did not answer, showed another key, or refused.
    """
    own = key is None and not agent
    if pins is None and not own:
        raise InputError(
            f"no host key is given for {host.known_as}",
            "no host key is ever accepted unseen",
            "Give known_hosts or a fingerprint",
        )
    child_environment = _child_environment(environment, agent=key is None)
    if agent and not environment.get("SSH_AUTH_SOCK"):
        raise EnvironmentLacks(
            "there is no SSH agent", "SSH_AUTH_SOCK is not set", "Start one, or give a key"
        )
    if jumps and pins and pins.fingerprints:
        raise InputError(
            "a fingerprint does not do behind a jump host",
            "the host key cannot be fetched before the login that it is to protect",
            "Give known_hosts, with a line for each machine on the way",
        )
    hosts = (*jumps, host)
    with _folder(environment) as folder, _socket_folder(folder) as beside:
        public = write_private_key(key, folder / "key", child_environment) if key else ""
        pinned: Mapping[Host, tuple[str, ...]] = {}
        if pins:
            text = pins.known_hosts or scanned(
                host, pins.fingerprints, timeout_s, child_environment
            )
            write_private(folder / "known_hosts", text.encode("utf-8", "surrogateescape"))
            pinned = require_pinned(folder / "known_hosts", hosts, child_environment)
        home = Path(environment.get("HOME") or Path.home())
        configuration = _configuration(
            folder, home, key=bool(key), own=own, pinned=pins is not None, timeout_s=timeout_s
        )
        write_private(folder / "config", os.fsencode(configuration))
        way = _Way(
            hosts=hosts,
            folder=folder,
            socket=beside / "s",
            environment=child_environment,
            pinned=pinned,
            public=public,
            timeout_s=timeout_s,
        )
        server = Server(way, docker)
        try:
            server._open()
            yield server
        finally:
            server._close()


class Channel:
    """A command that runs on a server for long, its input and its output."""

    def __init__(self, child: subprocess.Popen[bytes], started: bytes) -> None:
        assert child.stdin and child.stdout
        self._child, self._started = child, started
        self._in, self._out = child.stdin.fileno(), child.stdout.fileno()
        self._before = b""  # what the login printed, until the command begins
        self.has_ended = False

    def fileno(self) -> int:
        """For whoever waits until there is something to read."""
        return self._out

    def read(self, most: int) -> bytes:
        """The next bytes, at least one; none at the end, which a lost connection is too."""
        while self._started:
            data = os.read(self._out, 1 << 16)
            self._before += data
            self.has_ended = not data
            if not data or len(self._before) > _NOISE_MAX:
                return b""
            _, found, rest = self._before.partition(self._started)
            if found:
                self._started, self._before = b"", rest
        if self._before:
            data, self._before = self._before[:most], self._before[most:]
            return data
        data = os.read(self._out, most)
        self.has_ended = not data
        return data

    def write(self, data: bytes) -> None:
        """Hand it to the command.

        Raises:
            OSError: it reads no more.
        """
        while data:
            data = data[os.write(self._in, data) :]

    def close(self) -> None:
        """End the command."""
        _end(self._child)

    def stop(self) -> None:
        """End the command from another thread: whoever reads is told that this is the end."""
        _signal(self._child, signal.SIGTERM)


class Forward:
    """A way to a host and port as the server sees them. Made by `Server.forward` alone."""

    def __init__(self, server: Server, path: Path, host: str, port: int) -> None:
        self._server, self._path, self._host, self._port = server, path, host, port
        self._login = 0  # of the server, when it was made

    def path(self) -> str:
        """The Unix socket of this machine that leads there; made again after a lost connection.

        Raises:
            RemoteError: the server is not reached, or forwards nothing.
        """
        self._login = self._server._forwarded(self._path, self._host, self._port, self._login)
        return str(self._path)


class Server:
    """A machine that is logged in to. Made by `connect` alone."""

    def __init__(self, way: _Way, docker: Sequence[str]) -> None:
        self.host = way.hosts[-1]
        self._way = way
        self._docker = tuple(docker)
        self._master: subprocess.Popen[bytes] | None = None
        self._logins = 0
        self._forwards = 0
        self._lock = threading.RLock()  # several threads look through one connection

    def __repr__(self) -> str:
        return f"Server({self.host})"

    def run(
        self,
        command: Sequence[str] | str,
        *,
        input: bytes | Hidden = b"",
        timeout_s: float,
        repeat: bool = False,
    ) -> Done:
        """Run a command to its end: an argument list, or the text of a script for POSIX sh.

        Both can be seen in the lists of processes, so what is secret goes by `input`. With `repeat`
        it is run once more when the connection is lost meanwhile.

        Raises:
            ConnectionLostError: the connection ended before the command did.
            RemoteError: it took too long; or the connection could not be made again.
        """
        self.revive()  # nothing of this command has begun
        try:
            return self._run(command, input, timeout_s)
        except ConnectionLostError:
            self._close()  # ssh may take a moment to end, and the next command must not meet it
            if not repeat:
                raise
        self._open()
        return self._run(command, input, timeout_s)

    def revive(self) -> None:
        """Log in again, if the connection was lost.

        Raises:
            RemoteError: the server did not answer, showed another key, or refused.
        """
        with self._lock:
            if self._master is None or self._master.poll() is not None:
                self._open()

    @contextmanager
    def channel(self, command: Sequence[str]) -> Iterator[Channel]:
        """A command that runs until the end of the block, or its own.

        Raises:
            RemoteError: the connection was lost, and could not be made again.
        """
        self.revive()
        nonce = f"orient-deploy-{secrets.token_hex(8)}"
        child = _ssh(self._way, _THROUGH, _wrapped(command, nonce))
        channel = Channel(child, f"{nonce}\n".encode())
        try:
            yield channel
        finally:
            if channel.has_ended:
                self._wait_for_loss(child)
            _end(child)

    def _wait_for_loss(self, child: subprocess.Popen[bytes]) -> None:
        """Where it ended with the connection: the process that holds that one ends after it, and
        must not be taken for alive by whoever comes next."""
        with self._lock, suppress(subprocess.TimeoutExpired):
            if child.wait(LOSS_S) == _SSH_FAILED and self._master is not None:
                self._master.wait(LOSS_S)

    def forward(self, host: str, port: int) -> Forward:
        """A way to a host and port as the server sees them; `localhost` is the server itself."""
        with self._lock:
            self._forwards += 1
            path = self._way.socket.with_name(f"f{self._forwards}")
        return Forward(self, path, host, port)

    def _forwarded(self, path: Path, host: str, port: int, login: int) -> int:
        """Have the connection of now forward it; which login that was."""
        with self._lock:
            self.revive()
            if login == self._logins:
                return login
            path.unlink(missing_ok=True)
            place = f"[{host}]" if ":" in host else host
            words = ["-O", "forward", "-L", f"{path}:{place}:{port}"]
            child = _ssh(self._way, [*_THROUGH, *words], "")
            try:
                child.communicate(timeout=CONNECT_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                pass
            finally:
                _end(child)
            if child.returncode:
                raise RemoteError(
                    f"{self.host.name} forwards no port",
                    "its sshd refuses it, or the connection was lost",
                    "Allow it there (AllowTcpForwarding), or ask from the runner",
                )
            return self._logins

    def docker(
        self,
        *arguments: str,
        input: bytes | Hidden = b"",
        timeout_s: float,
        repeat: bool = False,
    ) -> Done:
        """Run docker there, as it is called there."""
        command = [*self._docker, *arguments]
        return self.run(command, input=input, timeout_s=timeout_s, repeat=repeat)

    def upload(
        self, path: str, content: bytes | Hidden, *, mode: int = 0o600, timeout_s: float
    ) -> None:
        """Put a file there whole, or leave what was there: a new one beside it takes its name.

        Raises:
            RemoteError: it could not be written, or the connection was lost twice.
        """
        data = _bytes(content)
        # The size travels with the content: a connection that breaks looks like its end to `cat`.
        command = ["sh", "-c", _RECEIVE, "sh", path, f"{mode:04o}", secrets.token_hex(8)]
        sized = Hidden(f"{len(data)}\n{data.decode('utf-8', 'surrogateescape')}")
        done = self.run(command, input=sized, timeout_s=timeout_s, repeat=True)
        if done.code:
            raise RemoteError(
                f"{path} could not be written on {self.host.name}",
                _RECEIVE_FAILED.get(done.code, "the file system refused it"),
                f"Look at the folder, its owner and the space left there, as {self.host.user}",
            )

    def _open(self) -> None:
        self._close()
        self._master = _master(self._way)
        self._logins += 1

    def _close(self) -> None:
        if self._master is not None:
            _end(self._master)
            self._master = None
        with suppress(OSError):
            self._way.socket.unlink()

    def _run(self, command: Sequence[str] | str, input: bytes | Hidden, timeout_s: float) -> Done:
        nonce = f"orient-deploy-{secrets.token_hex(8)}"
        started = f"{nonce}\n".encode()
        child = _ssh(self._way, _THROUGH, _wrapped(command, nonce))
        answer = None
        try:
            answer = child.communicate(_bytes(input), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            pass  # it has what was printed, and an error raised here would carry it along
        finally:
            _end(child)
        if answer is None:
            raise RemoteError(
                f"a command on {self.host} does not end",
                f"{timeout_s:g} seconds have passed",
                "It may still run there: look before it is started again",
            )
        out, err = answer
        code = child.returncode
        ended = re.compile(nonce.encode() + rb" [0-9]+\n")
        matches = list(ended.finditer(err))
        if code < 0 or (code == _SSH_FAILED and not matches):
            raise ConnectionLostError(
                f"the connection to {self.host} was lost",
                "it ended before the command did, which may have done its work, a part, or none",
                "Look at the network and at the server, and run this again",
            )
        if matches:
            err = err[: matches[-1].start()] + err[matches[-1].end() :]
        return Done(code=code, out=out.partition(started)[2] if started in out else out, err=err)


# Only over the connection that is there: a way of its own leads nowhere.
_THROUGH = ("-o", "ControlMaster=no", "-o", "ProxyCommand=false", "-o", "LogLevel=ERROR")
# $1 path, $2 mode, $3 a name that nobody else takes. `read` takes no byte more than its line.
_RECEIVE = """\
t=$1.$3
[ ! -d "$1" ] || exit 4
umask 077
set -C
trap 'rm -f -- "$t"' 0
trap 'exit 5' HUP INT TERM PIPE
read -r n || exit 5
cat > "$t" || exit 3
[ "$(wc -c < "$t")" -eq "$n" ] || exit 5
chmod "$2" "$t" && mv -f -- "$t" "$1"
"""
_RECEIVE_FAILED = {
    3: "the folder is not there, may not be written to, or is full",
    4: "there is a folder of this name",
    5: "not all of it arrived",
}


def _wrapped(command: Sequence[str] | str, nonce: str) -> str:
    """What the login shell is given: it tells where the command's own output begins (a shell's
    start-up files print too) and that it ended, which ssh's 255 does not tell from a lost line."""
    if isinstance(command, Hidden) or not command:
        raise ValueError("a command is words, or a script")
    if isinstance(command, str):
        line = f"sh -c {shlex.quote(command)}"
    else:
        line = shlex.join(command)
    script = f"echo {nonce}\n{line}\nc=$?\necho {nonce} $c >&2\nexit $c"
    text = f"exec sh -c {shlex.quote(script)}"
    if "\0" in text or len(os.fsencode(text)) > COMMAND_MAX:
        raise ValueError("a command has no NUL and at most 96 KiB: send the rest as input")
    return text


def _master(way: _Way) -> subprocess.Popen[bytes]:
    """The process that holds the connection, once a shell has answered over it.

    Its remote end is a `cat` that reads from us: when we are killed, both end.
    """
    ready = f"orient-deploy-{secrets.token_hex(8)}"
    jumps = ",".join(host.jump for host in way.hosts[:-1])
    options = ["-o", "ControlMaster=yes", *(["-J", jumps] if jumps else [])]
    master = _ssh(way, options, f"exec sh -c 'echo {ready}; exec cat >/dev/null'")
    begun = False
    try:
        begun, told, timed_out = _answer(master, ready.encode(), _login_limit(way))
        if begun:
            return master
    finally:
        if not begun:
            _end(master)
    if not timed_out and master.returncode != _SSH_FAILED:
        raise RemoteError(
            f"{way.hosts[-1]} logs in, and has no POSIX shell",
            "`sh` did not answer there",
            f"Give {way.hosts[-1].user} a login shell like /bin/sh, without a forced command",
        )
    raise failed_login(told, way.hosts, way.pinned, public=way.public, timeout_s=way.timeout_s)


def _login_limit(way: _Way) -> float:
    return way.timeout_s * len(way.hosts) + LOGIN_EXTRA_S


def _answer(
    master: subprocess.Popen[bytes], ready: bytes, limit_s: float
) -> tuple[bool, str, bool]:
    """Whether the shell answered, what ssh complained about, and whether the time was over."""
    assert master.stdout and master.stderr
    out, err = bytearray(), bytearray()
    kept: dict[IO[bytes], bytearray] = {master.stdout: out, master.stderr: err}
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        for pipe in kept:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0 or len(out) + len(err) > _NOISE_MAX:
                return False, err.decode("utf-8", "replace"), True
            for chosen, _ in selector.select(left):
                data = os.read(chosen.fd, 1 << 16)
                if not data:
                    selector.unregister(chosen.fileobj)
                kept[chosen.fileobj].extend(data)  # type: ignore[index]  # one of the two pipes
            if ready in out.splitlines():
                return True, "", False
    with suppress(subprocess.TimeoutExpired):
        master.wait(GRACE_S)
    return False, err.decode("utf-8", "replace"), False


def _ssh(way: _Way, options: Sequence[str], command: str) -> subprocess.Popen[bytes]:
    target = way.hosts[-1]
    words = ["ssh", "-F", str(way.folder / "config"), "-S", str(way.socket), *options]
    words += ["-p", str(target.port), "-l", target.user, "--", target.name]
    words += [command] if command else []
    try:
        return subprocess.Popen(
            words,
            env=dict(way.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise no_openssh("ssh") from None


def _configuration(
    folder: Path, home: Path, *, key: bool, own: bool, pinned: bool, timeout_s: int
) -> str:
    """The file that ssh and those for its jump hosts read; of each setting, the first counts."""
    lines = [
        "StrictHostKeyChecking yes",
        "BatchMode yes",
        f"ConnectTimeout {timeout_s}",
        "ConnectionAttempts 1",
        f"ServerAliveInterval {ALIVE_INTERVAL_S}",
        f"ServerAliveCountMax {ALIVE_COUNT}",
        "TCPKeepAlive yes",
        # Only the command line shares a connection: a jump host's ssh must not.
        "ControlMaster no",
        "ControlPath none",
        "ControlPersist no",
        "UpdateHostKeys no",
        "VerifyHostKeyDNS no",
        "CheckHostIP no",
        "ForwardAgent no",
        "ForwardX11 no",
        "PermitLocalCommand no",
        "RequestTTY no",
        "EscapeChar none",
        "LogLevel INFO",
    ]
    if pinned:
        lines += [
            f"UserKnownHostsFile {_quoted(folder / 'known_hosts')}",
            f"GlobalKnownHostsFile {_quoted(Path(os.devnull))}",
        ]
    if key:
        lines += [
            f"IdentityFile {_quoted(folder / 'key')}",
            "IdentitiesOnly yes",
            "IdentityAgent none",
        ]
    if not own:
        lines.append("PreferredAuthentications publickey")
    if own:
        mine = home / ".ssh" / "config"
        lines += [f"Include {_quoted(mine)}", "Match all", "Include /etc/ssh/ssh_config"]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    # ssh expands percent signs in names of files.
    return '"' + str(path).replace("%", "%%") + '"'


def _child_environment(environment: Mapping[str, str], *, agent: bool) -> dict[str, str]:
    """What ssh is started with: nothing of an action's inputs or tokens."""
    names = {"HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "SystemRoot", "LD_LIBRARY_PATH"}
    if agent:
        names |= {"SSH_AUTH_SOCK"}
    kept = {name: value for name, value in environment.items() if name in names}
    return {**kept, "LC_ALL": "C"}  # its messages are read


@contextmanager
def _folder(environment: Mapping[str, str]) -> Iterator[Path]:
    """A folder for the key that nobody else can enter, and that goes however the block ends."""
    parent = environment.get("RUNNER_TEMP") or None
    try:
        folder = Path(tempfile.mkdtemp(prefix="ssh-", dir=parent))
    except OSError as error:
        raise EnvironmentLacks(
            "there is no place for the SSH key",
            error.strerror or "no folder can be made",
            "See that RUNNER_TEMP names a folder that can be written to",
        ) from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _socket_folder(folder: Path) -> Iterator[Path]:
    """Where the connection's socket has a path that is short enough."""
    if len(os.fsencode(folder / "s")) <= SOCKET_PATH_MAX:
        yield folder
        return
    short = Path(tempfile.mkdtemp(prefix="ssh-", dir="/tmp"))
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)


def _bytes(content: bytes | Hidden) -> bytes:
    if isinstance(content, Hidden):
        return content.reveal().encode("utf-8", "surrogateescape")
    return content


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child with all that it started, and close its pipes."""
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
    _signal(child, signal.SIGKILL)  # also after its own end: a jump host's ssh may outlive it
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_S)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(OSError):
        os.killpg(child.pid, number)  # it leads its own session
