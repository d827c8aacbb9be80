"""A Docker engine of one's own, started in half a second and gone without a trace.

    with docker_engine("28") as engine:
        engine.docker("build", "--tag", "orient", folder)
        subprocess.run([...], env={**os.environ, **engine.env})

Several can run at once, and beside an engine of the machine: each has its own folders, socket,
bridge and addresses, and ends with the process that started it. Nothing outside the machine is
reached; published ports answer on 127.0.0.1. Images are built FROM scratch, with `engine.busybox`
copied into the context.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.machines.parts import as_root, part

_ENGINES = range(1, 120)
_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30
_COMMAND_TIMEOUT_S = 300
# What it stores is in memory; $0 is the folder for it, beside the mark that all is over.
_ONCE = 'mount -t tmpfs none "$0" && exec "$@"'
_AGAIN = (
    'mount -t tmpfs none "$0" && until [ -e "$0/../over" ]; do rm -f "$0/../docker.pid"; "$@"; done'
)


@dataclass(frozen=True, kw_only=True)
class DockerEngine:
    version: str  # '28' or '20'
    env: Mapping[str, str]  # DOCKER_HOST, DOCKER_CONFIG (writable), PATH: add these to one's own
    busybox: Path  # a static program to put into images
    folder: Path  # goes with the engine
    process_id: list[int]  # of what `docker_engine` started; one

    def stop(self) -> None:
        """End the engine, and the containers with it, for good."""
        (self.folder / "over").touch()
        self._end("KILL")

    def restart(self) -> None:
        """End a restartable engine as a system does, and wait until it is back."""
        self._end("TERM")
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.docker("version", check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("the engine did not come back")
            time.sleep(0.1)

    def _end(self, name: str) -> None:
        number = _engine_id(self.process_id[0])
        subprocess.run(as_root("kill", f"-{name}", str(number)), check=False, timeout=30)
        while Path(f"/proc/{number}").exists():
            time.sleep(0.05)

    def docker(
        self, *arguments: str | os.PathLike[str], input: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the docker command; with `check` a failure raises with what it printed."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.env},
            input=input,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
        if check and done.returncode != 0:
            command = " ".join(str(argument) for argument in arguments)
            raise RuntimeError(f"docker {command} ended with {done.returncode}:\n{done.stderr}")
        return done


@contextmanager
def docker_engine(version: str, *, restartable: bool = False) -> Iterator[DockerEngine]:
    """Start an engine, '28' or '20', and stop it at the end; its images and caches go with it.

    A `restartable` one is started again when it ends.
    """
    programs = part(version, root=True)
    with _place() as (number, folder):
        bridge, pool = f"odengine{number}", f"10.214.{number}.0/24"
        data = folder / "data"
        data.mkdir()
        daemon = folder / "daemon.json"
        settings = {"features": {"containerd-snapshotter": True}} if version == "28" else {}
        daemon.write_text(json.dumps(settings), encoding="utf-8")
        config = folder / "client"
        config.mkdir()
        # Today's buildx and Compose speak to the older engine too.
        plugins = [str(part("28") / "usr/libexec/docker/cli-plugins")]
        text = json.dumps({"cliPluginsExtraDirs": plugins})
        (config / "config.json").write_text(text, encoding="utf-8")
        own = f"{programs}/usr/bin:{programs}/usr/sbin:{programs}/sbin"
        socket = f"unix://{folder}/docker.sock"
        command = [
            # Everything ends with this process, however that ends, and no mount stays behind.
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("env", f"PATH={own}:/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={folder}"),
            # Nothing is asked of a registry elsewhere; loopback is not asked through a proxy.
            *("HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9"),
            "NO_PROXY=127.0.0.1,localhost",
            f"LD_LIBRARY_PATH={':'.join(map(str, programs.glob('lib/*-linux-gnu')))}",
            # What it stores is in memory: a build takes a third of the time then.
            *("sh", "-c", _AGAIN if restartable else _ONCE, str(data)),
            *("dockerd", f"--host={socket}", f"--group={os.getgid()}", f"--config-file={daemon}"),
            *(f"--data-root={data}", f"--exec-root={folder}/exec"),
            *(f"--pidfile={folder}/docker.pid", f"--bridge={bridge}"),
            f"--default-address-pool=base={pool},size=28",
            # The machine's own firewall and routes are left alone.
            *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
        ]
        env = {
            "DOCKER_HOST": socket,
            "DOCKER_CONFIG": str(config),
            "DOCKER_BUILDKIT": "1",
            "PATH": f"{own}:{os.environ.get('PATH', os.defpath)}",
        }
        engine = DockerEngine(
            version=version,
            env=env,
            busybox=programs / "bin/busybox",
            folder=folder,
            process_id=[],
        )
        with (
            _bridge(bridge, f"10.213.{number}.1/24", pool),
            (folder / "daemon.log").open("wb") as log,
            _daemon(command, log) as process,
        ):
            engine.process_id.append(process.pid)
            _wait_for(engine, process)
            try:
                yield engine
            finally:
                (folder / "over").touch()


@contextmanager
def _place() -> Iterator[tuple[int, Path]]:
    """A number that nobody else has, and an empty folder for it; what a crash left is removed.

    The folder's path is short, because a socket's may have 107 bytes.
    """
    for number in _ENGINES:
        try:
            file = open(f"/run/lock/orient-deploy-engine-{number}", "w")  # noqa: SIM115  # below
        except PermissionError:  # another user's
            continue
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            folder = Path(f"/var/tmp/orient-deploy-engine-{number}")
            _remove(folder)
            folder.mkdir(mode=0o755)
            try:
                yield number, folder
            finally:
                _remove(folder)
            return
    raise RuntimeError("there are too many engines at once")


def _remove(folder: Path) -> None:
    subprocess.run(as_root("rm", "-rf", "--one-file-system", folder), check=True, timeout=600)


@contextmanager
def _bridge(name: str, address: str, pool: str) -> Iterator[None]:
    """A bridge for the engine; at the end it goes, with those that the engine made."""
    _delete_bridges(name, pool)
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("address", "add", address, "dev", name)
        _ip("link", "set", name, "up")
        yield
    finally:
        _delete_bridges(name, pool)


def _delete_bridges(name: str, pool: str) -> None:
    taken = {
        line.split()[1] for line in _ip("-oneline", "address", "show", "to", pool).splitlines()
    }
    links = {line.split()[1].strip(":") for line in _ip("-oneline", "link").splitlines()}
    for bridge in sorted(taken | (links & {name})):
        _ip("link", "delete", bridge)


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        as_root("ip", *arguments), check=True, stdout=subprocess.PIPE, text=True, timeout=30
    )
    return done.stdout


@contextmanager
def _daemon(command: list[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(as_root(*command), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        # The engine is the first process of its own: all that it started, containers too, ends with
        # it at once, and `unshare` then ends by itself.
        subprocess.run(
            as_root("kill", "-KILL", str(_engine_id(process.pid))), check=False, timeout=30
        )
        process.wait(_STOP_TIMEOUT_S)


def _engine_id(process_id: int) -> int:
    """The engine below `sudo` and `unshare`, which each have one child; else the last of them."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while Path(f"/proc/{process_id}/comm").read_text(encoding="utf-8") != "dockerd\n":
            children = Path(f"/proc/{process_id}/task/{process_id}/children")
            found = children.read_text(encoding="utf-8").split()
            if not found:
                break
            process_id = int(found[0])
    return process_id


def _wait_for(engine: DockerEngine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while engine.docker("version", check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            log = (engine.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")
            errors = re.findall(r"(?m)^.*level=(?:error|fatal).*$", log)
            shown = "\n".join(errors[-10:] or log.splitlines()[-20:])
            raise RuntimeError(f"the engine did not start:\n{shown}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
