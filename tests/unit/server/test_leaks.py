"""A secret that goes over SSH is seen nowhere but where it is meant to be.

`watched` does all that can be done with a server, and fails at all that can fail, while every
channel is listened to. For each channel a variant of the code that leaks into it shows that what is
listened to would have been heard.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.errors import OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.server import keys as keys_module
from orient_deploy.server import ssh as module
from orient_deploy.server.host import Host
from orient_deploy.server.keys import Pins
from orient_deploy.server.ssh import Server, connect
from tests.fakes.canary import leaks
from tests.machines.ssh_server import SshServer, make_key, ssh_server

CANARY = "Zx9+ca/n\"a'ry pa$s\nsecond-line%of&it\n"
PROGRAMS = ("ssh", "ssh-keygen", "ssh-keyscan")
# What each of our programs was started with, and what stood in the folder of the key then.
SHIM = """\
#!/bin/sh
tr '\\0' '\\n' < /proc/$$/cmdline >> {record}/arguments
tr '\\0' '\\n' < /proc/$$/environ >> {record}/environment
find {temp} -mindepth 1 -printf '%y %m %P\\n' >> {record}/modes
find {temp} -type f ! -name key -exec cat {{}} + >> {record}/files
exec {real} "$@"
"""
CHANNELS = (
    "arguments",
    "environment",
    "files",
    "left",
    "there",
    "log",
    "output",
    "errors",
    "reprs",
)
Leak = Callable[[pytest.MonkeyPatch, Path], None]


def seen(error: BaseException) -> str:
    """All that an error shows, and all that it carries along unseen."""
    texts, todo = [], [error]
    for one in todo:
        texts += traceback.format_exception(type(one), one, one.__traceback__)
        texts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        todo += [next for next in (one.__cause__, one.__context__) if next and next not in todo]
    return "\n".join(texts)


@contextmanager
def recorded(temp: Path, record: Path) -> Iterator[str]:
    """A PATH whose OpenSSH tells of itself."""
    programs = record / "bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        real = shutil.which(name)
        assert real
        text = SHIM.format(record=record, temp=temp, real=real)
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    yield f"{programs}:{os.environ['PATH']}"


def watched(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], leak: Callable[[Path], None] = lambda _: None
) -> tuple[dict[str, str], str]:
    """What each channel showed, and the private key."""
    temp, record, others = tmp_path / "temp", tmp_path / "record", tmp_path / "keys"
    for folder in (temp, others, tmp_path / "sshd"):
        folder.mkdir()
    (tmp_path / "banner").write_text(f"{CANARY}Permission granted\n")
    shown = dict.fromkeys(CHANNELS, "")
    with (
        recorded(temp, record) as path,
        ssh_server(tmp_path / "sshd", settings=f"Banner {tmp_path}/banner") as sshd,
    ):
        leak(temp)
        environment = {
            **os.environ,
            "PATH": path,
            "RUNNER_TEMP": str(temp),
            "INPUT_KEY": sshd.key,
            "INPUT_TOKEN": CANARY,
            "GITHUB_TOKEN": CANARY,
        }
        host, pins = Host.parse(sshd.address), Pins.parse(fingerprints=[sshd.fingerprint])
        given: dict[str, Any] = {
            "pins": pins,
            "key": Hidden(sshd.key),
            "environment": environment,
            "docker": ["env", "DOCKER_HOST=unix:///x", "cat"],
        }
        errors = list(failed_logins(sshd, host, given, others))
        with connect(host, **given) as server:
            shown["reprs"] = repr(server) + repr(vars(server)) + repr(given["key"])
            errors += at_work(server, sshd)
            # Both machines are this one: its list of processes has those of either side.
            listed = "cat /proc/[0-9]*/cmdline; cat /proc/[0-9]*/environ"
            script = f"cat > /dev/null; {{ {listed}; }} 2>/dev/null | tr '\\0' '\\n'"
            done = server.run(script, input=Hidden(CANARY), timeout_s=60)
            shown["there"] = done.out.decode("utf-8", "replace")
            shown["reprs"] += repr(server.run("cat", input=Hidden(CANARY), timeout_s=60))
        shown["log"] = sshd.log.read_text(errors="replace")
        key = sshd.key
    shown["left"] = "".join(
        f"{one}\n{one.read_text() if one.is_file() else ''}" for one in temp.rglob("*")
    )
    for name in ("arguments", "environment", "files"):
        shown[name] = (record / name).read_text()
    shown["modes"] = (record / "modes").read_text()
    shown["output"] = "".join(capfd.readouterr())
    shown["errors"] = "\n".join(map(seen, errors))
    return shown, key


def failed_logins(
    sshd: SshServer, host: Host, given: dict[str, Any], others: Path
) -> Iterator[BaseException]:
    lines = sshd.key.splitlines()
    no_key_of_it = make_key(others / "other")
    attempts: list[dict[str, Any]] = [
        {"key": Hidden(no_key_of_it)},
        {"key": Hidden(make_key(others / "locked", passphrase=CANARY.splitlines()[0]))},
        {"key": Hidden("\n".join([lines[0], *lines[2:]]))},
        {"key": Hidden("\n".join(lines[:-1]))},
        {"key": Hidden(f"ssh-ed25519 AAAA{CANARY}")},
        {"key": Hidden(f"PuTTY-User-Key-File-3: {CANARY}")},
        {"key": Hidden(CANARY)},
        {"pins": Pins.parse(f"{host.known_as} {(others / 'other.pub').read_text()}")},
        {"pins": Pins.parse("example.com ssh-ed25519 AAAA")},
        {"environment": {**given["environment"], "PATH": str(others)}},
        {"environment": {**given["environment"], "RUNNER_TEMP": str(others / "none")}},
    ]
    for attempt in attempts:
        with pytest.raises(OrientError) as caught, connect(host, **{**given, **attempt}):
            pass
        yield caught.value


def at_work(server: Server, sshd: SshServer) -> Iterator[BaseException]:
    """All that takes a secret, and the errors of it."""
    secret: Any = Hidden(CANARY)
    there = str(sshd.home / "file")
    assert server.run(["cat"], input=secret, timeout_s=60).out.decode() == CANARY
    assert server.docker("-", input=secret, timeout_s=60).out.decode() == CANARY
    server.upload(there, secret, timeout_s=60)
    assert Path(there).read_text() == CANARY
    # It ends the connection of the shell that it runs in.
    drop = "cat; cat >&2 < /dev/null; kill -KILL $(cut -d' ' -f4 /proc/$PPID/stat)"
    fails: list[Callable[[], object]] = [
        lambda: server.upload(f"{there}/x", secret, timeout_s=60),
        lambda: server.run("cat; exec sleep 60", input=secret, timeout_s=1),
        lambda: server.run(drop, input=secret, timeout_s=60),
        lambda: server.run(secret, timeout_s=60),
        lambda: server.run([secret], timeout_s=60),
    ]
    for fail in fails:
        with pytest.raises((OrientError, ValueError, TypeError)) as caught:
            fail()
        yield caught.value


def heard(shown: dict[str, str], key: str) -> set[str]:
    """The channels in which a secret is, or a piece of one."""
    found = {
        name for name in CHANNELS if leaks(CANARY, shown[name]) or leaks(body(key), shown[name])
    }
    # The key's own file: in a folder of its own, and for this user alone.
    for line in shown["modes"].splitlines():
        kind, mode, name = line.split(" ", 2)
        if mode not in {"d": ("700",), "f": ("600",), "s": ("600",)}[kind] or name == "key":
            found.add("modes")
    if shown["left"]:
        found.add("left")
    return found


def body(key: str) -> str:
    """What is its own: the first lines are those of every key."""
    return "\n".join(key.splitlines()[2:-1])


def test_no_channel_shows_a_secret(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shown, key = watched(tmp_path, capfd)

    # All of it was listened to.
    for name, words in {
        "arguments": ["ssh-keygen", "ssh-keyscan", "ControlMaster=yes", "DOCKER_HOST=unix:///x"],
        "environment": ["PATH=", "LC_ALL=C"],
        "there": ["sshd", "ControlMaster=no", "cat > /dev/null", "LC_ALL=C"],
        "files": ["StrictHostKeyChecking yes", "ssh-ed25519"],
        "modes": ["d 700 ssh-", "/key", "/config", "/known_hosts"],
        "log": ["Accepted publickey"],
        "errors": ["does not end", "was lost", "has a passphrase", "finds it damaged", "a command"],
    }.items():
        assert [word for word in words if word not in shown[name]] == []
    assert heard(shown, key) == set()


def into_arguments(patch: pytest.MonkeyPatch, temp: Path) -> None:
    wrapped = Server._run

    def leaking(self: Server, command: Any, input: Any, timeout_s: float) -> Any:
        if module._bytes(input) and isinstance(command, list) and "sh" not in command:
            command, input = f"printf %s {shlex.quote(module._bytes(input).decode())}", b""
        return wrapped(self, command, input, timeout_s)

    patch.setattr(Server, "_run", leaking)


def into_environment(patch: pytest.MonkeyPatch, temp: Path) -> None:
    patch.setattr(module, "_child_environment", lambda given, agent: {**given, "LC_ALL": "C"})


def into_a_file(patch: pytest.MonkeyPatch, temp: Path) -> None:
    def leaking(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o600)
        path.with_name("copy").write_bytes(content)
        path.with_name("copy").chmod(0o600)

    patch.setattr(keys_module, "write_private", leaking)


def into_modes(patch: pytest.MonkeyPatch, temp: Path) -> None:
    def leaking(path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o640 if path.name == "config" else 0o600)

    patch.setattr(module, "write_private", leaking)


def into_what_is_left(patch: pytest.MonkeyPatch, temp: Path) -> None:
    patch.setattr(shutil, "rmtree", lambda folder, ignore_errors: None)


def into_the_output(patch: pytest.MonkeyPatch, temp: Path) -> None:
    raw = module._bytes

    def leaking(content: bytes | Hidden) -> bytes:
        os.write(2, raw(content))  # as a child would that inherits it
        return raw(content)

    patch.setattr(module, "_bytes", leaking)


def into_an_error(patch: pytest.MonkeyPatch, temp: Path) -> None:
    """ssh's own words: a server's banner is among them."""

    def leaking(told: str, *_: Any, **__: Any) -> OrientError:
        return RemoteError(told, "", "")

    patch.setattr(module, "failed_login", leaking)


def into_what_an_error_carries(patch: pytest.MonkeyPatch, temp: Path) -> None:
    run = Server._run

    def leaking(self: Server, command: Any, input: Any, timeout_s: float) -> Any:
        if timeout_s == 1:
            try:
                raise subprocess.TimeoutExpired(["ssh"], timeout_s, output=module._bytes(input))
            except subprocess.TimeoutExpired:
                raise RemoteError("a command does not end", "", "") from None
        return run(self, command, input, timeout_s)

    patch.setattr(Server, "_run", leaking)


def into_a_repr(patch: pytest.MonkeyPatch, temp: Path) -> None:
    patch.setattr(module.Done, "__repr__", lambda done: repr(vars(done)))


@pytest.mark.parametrize(
    ("leak", "channels"),
    [
        pytest.param(into_arguments, {"arguments"}, id="arguments"),
        pytest.param(into_environment, {"environment", "there"}, id="environment"),
        pytest.param(into_a_file, {"files"}, id="files"),
        pytest.param(into_modes, {"modes"}, id="modes"),
        pytest.param(into_what_is_left, {"left"}, id="left"),
        pytest.param(into_the_output, {"output"}, id="output"),
        pytest.param(into_an_error, {"errors"}, id="errors"),
        pytest.param(into_what_an_error_carries, {"errors"}, id="what-errors-carry"),
        pytest.param(into_a_repr, {"reprs"}, id="reprs"),
    ],
)
def test_a_leak_into_a_channel_would_be_found(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    leak: Leak,
    channels: set[str],
) -> None:
    shown, key = watched(tmp_path, capfd, lambda temp: leak(monkeypatch, temp))

    assert channels <= heard(shown, key)
