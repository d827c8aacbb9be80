"""Debian's sshd on 127.0.0.1: a real SSH server with an account of its own, gone at the end.

    with ssh_server(tmp_path) as server:
        connect(Host.parse(server.address), pins=Pins(known_hosts=server.known_hosts), …)

It runs as root in a mount namespace, where /etc/passwd is its own: `orient` is whoever runs the
tests, `shell-less` the same with a shell that is none. Several can run at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.machines.parts import as_root, part

USER = "orient"
WITHOUT_SHELL = "shell-less"
_START = (
    'mount --bind "$0" /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd'
    ' && exec "$@"'
)
_START_TIMEOUT_S = 30
_STOP_TIMEOUT_S = 10


@dataclass(frozen=True, kw_only=True)
class SshServer:
    port: int
    folder: Path
    home: Path  # of both accounts
    key: str = field(repr=False)  # of an account that may log in
    known_hosts: str
    fingerprint: str  # of its ed25519 key
    log: Path
    process_id: int

    @property
    def address(self) -> str:
        return f"{USER}@127.0.0.1:{self.port}"

    def sessions(self) -> list[int]:
        """The processes that serve the connections of the moment."""
        return [one for one in _descendants(self.process_id) if _name(one) == "sshd"][1:]

    def stop(self) -> None:
        """End it with every connection, for good."""
        _kill(self.process_id)
        self.drop()

    def drop(self) -> None:
        """Kill every connection, as a lost line or a restarted server does."""
        for one in reversed(self.sessions()):
            _kill(one)


@contextmanager
def ssh_server(folder: Path, *, settings: str = "", shell: str = "/bin/sh") -> Iterator[SshServer]:
    """Start an sshd; `settings` are more lines of its configuration, which come first, and `shell`
    is what `orient` logs in to."""
    program = part("sshd", root=True)
    home = folder / "home"
    home.mkdir(parents=True)
    for name, kind in (("host_ed25519", "ed25519"), ("host_ecdsa", "ecdsa"), ("user", "ed25519")):
        make_key(folder / name, kind)
    (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
    ids = f"{os.getuid()}:{os.getgid()}"
    (folder / "passwd").write_text(
        "root:*:0:0::/root:/bin/sh\n"
        "sshd:*:65533:65533::/nonexistent:/bin/false\n"
        f"{USER}:*:{ids}::{home}:{shell}\n"
        f"{WITHOUT_SHELL}:*:{ids}::{home}:/bin/false\n"
    )
    log = folder / "sshd.log"
    port = _free_port()
    (folder / "sshd_config").write_text(
        f"{settings}\nPort {port}\nListenAddress 127.0.0.1\nPidFile none\nStrictModes no\n"
        f"HostKey {folder}/host_ed25519\nHostKey {folder}/host_ecdsa\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPermitRootLogin yes\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\nPrintMotd no\n"
        "MaxStartups 100\nLogLevel VERBOSE\n"
    )
    libraries = ":".join(map(str, program.glob("usr/lib/*-linux-gnu")))
    libraries += ":" + ":".join(map(str, program.glob("lib/*-linux-gnu")))
    command: list[str | os.PathLike[str]] = as_root(
        *("setpriv", "--pdeathsig", "KILL", "unshare", "--mount"),
        *("env", "-i", f"LD_LIBRARY_PATH={libraries}", f"PATH={os.defpath}"),
        # The folder of its separated processes is compiled in.
        *("sh", "-c", _START),
        str(folder / "passwd"),
    )
    command += [f"{program}/usr/sbin/sshd", "-D", "-e", "-f", f"{folder}/sshd_config"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_for(port, process, log)
        kinds = ("host_ed25519", "host_ecdsa")
        lines = [(folder / f"{name}.pub").read_text().split() for name in kinds]
        yield SshServer(
            port=port,
            folder=folder,
            home=home,
            key=(folder / "user").read_text(),
            known_hosts="".join(f"[127.0.0.1]:{port} {a} {b}\n" for a, b, *_ in lines),
            fingerprint=fingerprint(folder / "host_ed25519.pub"),
            log=log,
            process_id=_listener(process.pid),
        )
    finally:
        for one in reversed(_descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                _kill(one)
        process.wait(_STOP_TIMEOUT_S)


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """A new pair of keys at `path` and `path`.pub; the private one's text."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
    return path.read_text()


def fingerprint(public: Path) -> str:
    """What ssh-keygen says of a public key."""
    done = subprocess.run(
        ["ssh-keygen", "-lf", public], check=True, capture_output=True, text=True, timeout=30
    )
    return done.stdout.split()[1]


def _kill(process_id: int) -> None:
    if os.geteuid() == 0:
        os.kill(process_id, signal.SIGKILL)
    else:
        subprocess.run(as_root("kill", "-KILL", str(process_id)), check=False, timeout=30)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
                if one.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"sshd did not start:\n{log.read_text(errors='replace')}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


def _listener(process_id: int) -> int:
    return next(one for one in _descendants(process_id) if _name(one) == "sshd")


def _descendants(process_id: int) -> list[int]:
    """A process and all below it, parents first."""
    found = [process_id]
    for one in found:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{one}/task/{one}/children").read_text()
            found += map(int, text.split())
    return found


def _name(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/comm").read_text().strip()
    except OSError:
        return ""
