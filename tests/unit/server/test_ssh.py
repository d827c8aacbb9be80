"""Logging in to a real sshd, and what runs there."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks, InputError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.server import ssh
from orient_deploy.server.host import Host
from orient_deploy.server.keys import Pins
from orient_deploy.server.ssh import ConnectionLostError, Server, connect
from tests.machines.parts import as_root
from tests.machines.ssh_server import (
    WITHOUT_SHELL,
    SshServer,
    fingerprint,
    make_key,
    ssh_server,
)

ROOT = Path(__file__).parents[3]


def login(sshd: SshServer, folder: Path, **given: Any) -> AbstractContextManager[Server]:
    """A login as it should be, but for what a test gives."""
    environment = {**os.environ, "RUNNER_TEMP": str(folder), **given.pop("variables", {})}
    options = {
        "pins": Pins.parse(sshd.known_hosts),
        "key": Hidden(sshd.key),
        "environment": environment,
        **given,
    }
    return connect(options.pop("host", Host.parse(sshd.address)), **options)


def refusal(sshd: SshServer, folder: Path, **given: Any) -> OrientError:
    """The error of a login, which left nothing behind."""
    with pytest.raises(OrientError) as caught, login(sshd, folder, **given):
        pass
    assert list(folder.iterdir()) == []
    return caught.value


@contextmanager
def silent_host() -> Iterator[Host]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield Host(user="orient", name="127.0.0.1", port=listener.getsockname()[1])


def begun(fifo: Path, running: Future[Any]) -> int:
    """Wait until a command over there reads the fifo; the end to write to."""
    while True:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO  # nobody reads it yet
        try:
            raise AssertionError(f"it ended before it began: {running.result(timeout=0.02)}")
        except TimeoutError:
            pass


def test_a_command_runs_and_says_how_it_ended(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server:
        done = server.run(["sh", "-c", "cat; echo bad >&2; exit 3"], input=b"\0\xff", timeout_s=30)
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o700]
        assert {p.stat().st_mode & 0o777 for p in tmp_path.glob("*/*")} == {0o600}

    assert (done.code, done.out, done.err) == (3, b"\0\xff", b"bad\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [0, 1, 127, 254, 255])
def test_exit_codes_are_the_commands_own(sshd: SshServer, tmp_path: Path, code: int) -> None:
    with login(sshd, tmp_path) as server:
        assert server.run(f"exit {code}", timeout_s=30).code == code
        assert server.run("if", timeout_s=30).code == 2  # no valid script


def test_all_runs_over_one_connection(sshd: SshServer, tmp_path: Path) -> None:
    before = sshd.log.read_text().count("Accepted publickey")
    with login(sshd, tmp_path) as server:
        for _ in range(3):
            server.run(["true"], timeout_s=30)

    assert sshd.log.read_text().count("Accepted publickey") - before == 1


def test_arguments_arrive_as_they_were_given(sshd: SshServer, tmp_path: Path) -> None:
    words = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
    with login(sshd, tmp_path) as server:

        @settings(max_examples=25, suppress_health_check=list(HealthCheck))
        @given(words)
        def arrive(words: list[str]) -> None:
            done = server.run(["printf", "%s\\0", "", *words], timeout_s=30)
            assert done.out.decode().split("\0") == ["", *words, ""]

        arrive()


@pytest.mark.parametrize(
    ("shell", "file"), [("/bin/sh", ".ssh/rc"), ("/bin/bash", ".bashrc")], ids=["rc", "bash"]
)
def test_what_start_up_files_print_is_no_output(tmp_path: Path, shell: str, file: str) -> None:
    (tmp_path / "temp").mkdir()
    with ssh_server(tmp_path / "sshd", shell=shell) as sshd:
        printing = sshd.home / file
        printing.parent.mkdir(exist_ok=True)
        printing.write_text("echo Welcome\n")
        with login(sshd, tmp_path / "temp") as server:
            assert server.run("echo out", timeout_s=30).out == b"out\n"
            assert server.run(["cat"], input=b"in", timeout_s=30).out == b"in"
            # It does print:
            bare = ssh._ssh(server._way, [], "echo out")
            assert bare.communicate(timeout=30)[0] == b"Welcome\nout\n"


def test_docker_is_an_argument_list(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path, docker=["env", "DOCKER_HOST=unix:///a b", "echo"]) as server:
        assert server.docker("ps", "a b", timeout_s=30).out == b"ps a b\n"


@pytest.mark.parametrize("wrong", ["", [], Hidden("x"), "a\0b", "x" * 100_000])
def test_what_is_no_command_is_refused_here(sshd: SshServer, tmp_path: Path, wrong: Any) -> None:
    with login(sshd, tmp_path) as server, pytest.raises(ValueError, match="a command"):
        server.run(wrong, timeout_s=30)


def test_a_command_that_does_not_end_is_given_up(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server:
        with pytest.raises(RemoteError, match="does not end"):
            server.run(["sleep", "30"], timeout_s=0.5)
        assert server.run(["echo", "still"], timeout_s=30).out == b"still\n"


def test_an_upload_arrives_whole_and_private(sshd: SshServer, tmp_path: Path) -> None:
    target = sshd.home / "it's a file"
    target.write_text("before")
    with login(sshd, tmp_path) as server:
        content = bytes(range(256)) * 1000 + b"no newline"
        server.upload(str(target), content, timeout_s=30)
        assert target.read_bytes() == content
        assert target.stat().st_mode & 0o777 == 0o600
        server.upload(str(target), Hidden(""), mode=0o644, timeout_s=30)
        assert target.read_bytes() == b""
        assert target.stat().st_mode & 0o777 == 0o644
        with pytest.raises(RemoteError, match="there is a folder of this name"):
            server.upload(str(sshd.home), b"x", timeout_s=30)
        with pytest.raises(RemoteError, match="the folder is not there"):
            server.upload(str(sshd.home / "none" / "x"), b"x", timeout_s=30)

    assert [path.name for path in sshd.home.iterdir()] == ["it's a file"]


def test_half_an_upload_leaves_what_was_there(sshd: SshServer, tmp_path: Path) -> None:
    target = sshd.home / "kept"
    target.write_text("before")
    with login(sshd, tmp_path) as server:
        command = ["sh", "-c", ssh._RECEIVE, "sh", str(target), "0600", "one"]
        assert server.run(command, input=b"10\nhalf", timeout_s=30).code == 5

    assert target.read_text() == "before"
    assert list(sshd.home.glob("kept.*")) == []
    target.unlink()


@pytest.mark.parametrize("repeat", [True, False])
def test_a_lost_connection_is_made_again_where_that_is_safe(
    sshd: SshServer, tmp_path: Path, repeat: bool
) -> None:
    (tmp_path / "temp").mkdir()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    again = tmp_path / "again"
    os.mkfifo(again)
    with ThreadPoolExecutor() as pool, login(sshd, tmp_path / "temp") as server:
        once = f"if mkdir {tmp_path}/once 2>/dev/null; then read -r x < {fifo}"
        command = f"{once}; else read -r x < {again} && echo got $x; fi"
        first = pool.submit(server.run, command, timeout_s=60, repeat=repeat)
        end = begun(fifo, first)
        sshd.drop()
        os.close(end)
        if repeat:
            end = begun(again, first)
            os.write(end, b"it\n")
            os.close(end)
            assert first.result().out == b"got it\n"
        else:
            with pytest.raises(ConnectionLostError, match="was lost"):
                first.result()
            # What had not begun is safe, whatever it is.
            assert server.run("echo next", timeout_s=30).out == b"next\n"


def test_the_key_is_mended(sshd: SshServer, tmp_path: Path) -> None:
    bad: list[Callable[[str], str]] = [
        lambda key: key.replace("\n", "\r\n"),
        lambda key: key.rstrip("\n"),
        lambda key: "\ufeff \n" + key + " \n\n",
        lambda key: key.replace("\n", "\\n"),
    ]
    for spoil in bad:
        with login(sshd, tmp_path, key=Hidden(spoil(sshd.key))) as server:
            assert server.run(["true"], timeout_s=30).code == 0


def test_keys_that_are_none_are_named(sshd: SshServer, tmp_path: Path) -> None:
    keys, temp = tmp_path / "keys", tmp_path / "temp"
    keys.mkdir()
    temp.mkdir()
    public = (sshd.folder / "user.pub").read_text()
    lines = sshd.key.splitlines()
    cases = {
        make_key(keys / "locked", passphrase="correct horse"): "has a passphrase",
        public: "is a public key",
        "PuTTY-User-Key-File-3: ssh-ed25519\n": "PuTTY",
        "\n".join(lines[:-1]): "END line is missing",
        "\n".join([lines[0], *lines[2:]]): "finds it damaged",
        " \n": "is empty",
    }
    for key, words in cases.items():
        error = refusal(sshd, temp, key=Hidden(key))
        assert isinstance(error, InputError)
        assert words in str(error)


def test_the_wrong_key_and_the_wrong_user_are_refused(sshd: SshServer, tmp_path: Path) -> None:
    keys, temp = tmp_path / "keys", tmp_path / "temp"
    keys.mkdir()
    temp.mkdir()
    other = make_key(keys / "other")
    for wrong in (
        {"key": Hidden(other)},
        {"host": Host(user="nobody-here", name="127.0.0.1", port=sshd.port)},
    ):
        error = refusal(sshd, temp, **wrong)
        assert isinstance(error, RemoteError)
        assert "refuses the login" in error.what
        assert "authorized_keys" in error.next_step
    assert fingerprint(keys / "other.pub") in str(refusal(sshd, temp, key=Hidden(other)))


def test_a_fingerprint_is_enough(sshd: SshServer, tmp_path: Path) -> None:
    ecdsa = fingerprint(sshd.folder / "host_ecdsa.pub")
    for one in (sshd.fingerprint, f" {ecdsa}= "):
        with login(sshd, tmp_path, pins=Pins.parse(fingerprints=[one])) as server:
            assert server.run(["true"], timeout_s=30).code == 0


def test_a_changed_host_key_is_never_accepted(sshd: SshServer, tmp_path: Path) -> None:
    keys, temp = tmp_path / "keys", tmp_path / "temp"
    keys.mkdir()
    temp.mkdir()
    make_key(keys / "other")
    words = (keys / "other.pub").read_text().split()[:2]
    other = fingerprint(keys / "other.pub")
    line = f"[127.0.0.1]:{sshd.port} {' '.join(words)}\n"
    for pins in (Pins.parse(line), Pins.parse(fingerprints=[other])):
        error = refusal(sshd, temp, pins=pins)
        assert isinstance(error, RemoteError)
        assert f"[127.0.0.1]:{sshd.port} does not show the host key" in error.what
        assert other in error.why
        assert sshd.fingerprint in error.why
        assert "console" in error.next_step


def test_an_unknown_host_key_is_never_accepted(sshd: SshServer, tmp_path: Path) -> None:
    elsewhere = sshd.known_hosts.replace(f"[127.0.0.1]:{sshd.port}", "example.com")
    error = refusal(sshd, tmp_path, pins=Pins.parse(elsewhere))
    assert f"do not know [127.0.0.1]:{sshd.port}" in str(error)
    # Known, but of another kind: one revoked.
    revoked = "@revoked " + sshd.known_hosts.replace("\n[", "\n@revoked [")
    assert "host key" in str(refusal(sshd, tmp_path, pins=Pins.parse(revoked)))
    assert "ever accepted unseen" in str(refusal(sshd, tmp_path, pins=None))
    for known_hosts, fingerprints in (("", []), ("x", [sshd.fingerprint])):
        with pytest.raises(InputError, match="not clear"):
            Pins.parse(known_hosts, fingerprints)
    with pytest.raises(InputError, match="no fingerprint"):
        Pins.parse(fingerprints=["MD5:00:11"])


def test_hashed_known_hosts_are_read(sshd: SshServer, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(sshd.known_hosts)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, timeout=30)
    (tmp_path / "temp").mkdir()
    with login(sshd, tmp_path / "temp", pins=Pins.parse(file.read_text())) as server:
        assert server.run(["true"], timeout_s=30).code == 0


@pytest.mark.parametrize("by", ["known_hosts", "fingerprint"])
def test_a_host_that_does_not_answer_is_named(sshd: SshServer, tmp_path: Path, by: str) -> None:
    def pins(port: int) -> Pins:
        if by == "fingerprint":
            return Pins.parse(fingerprints=[sshd.fingerprint])
        return Pins.parse(sshd.known_hosts.replace(str(sshd.port), str(port)))

    with silent_host() as silent:
        error = refusal(sshd, tmp_path, host=silent, pins=pins(silent.port), timeout_s=1)
        assert str(error).startswith(f"127.0.0.1 port {silent.port} does not answer: no session")
    error = refusal(sshd, tmp_path, host=silent, pins=pins(silent.port))
    assert str(error).startswith(f"127.0.0.1 port {silent.port} refuses the connection")
    assert error.exit_code == 4


def test_a_host_without_a_way_is_named(sshd: SshServer, tmp_path: Path) -> None:
    programs, temp = tmp_path / "bin", tmp_path / "temp"
    programs.mkdir()
    temp.mkdir()
    real = subprocess.check_output(["sh", "-c", "command -v ssh"], text=True).strip()
    alone = " ".join(map(str, as_root("unshare", "--net", real)))
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {alone} "$@"\n')
    (programs / "ssh").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"

    error = refusal(sshd, temp, variables={"PATH": path})
    assert "cannot be reached: there is no way to it" in str(error)
    gone = Host(user="orient", name="gone.invalid")
    pins = Pins.parse("gone.invalid " + sshd.known_hosts.split(" ", 1)[1])
    assert "gone.invalid has no address" in str(refusal(sshd, temp, host=gone, pins=pins))


def test_a_machine_without_ssh_or_agent_is_told_so(sshd: SshServer, tmp_path: Path) -> None:
    error = refusal(sshd, tmp_path, variables={"PATH": str(tmp_path)})
    assert isinstance(error, EnvironmentLacks)
    variables = {"SSH_AUTH_SOCK": ""}
    error = refusal(sshd, tmp_path, key=None, agent=True, variables=variables)
    assert "there is no SSH agent" in str(error)


def test_a_host_without_a_shell_is_named(sshd: SshServer, tmp_path: Path) -> None:
    host = Host(user=WITHOUT_SHELL, name="127.0.0.1", port=sshd.port)

    assert "has no POSIX shell" in str(refusal(sshd, tmp_path, host=host))


def test_an_agent_logs_in(sshd: SshServer, tmp_path: Path) -> None:
    place, temp = tmp_path / "a", tmp_path / "temp"
    temp.mkdir()
    command = ["ssh-agent", "-D", "-a", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout and agent.stdout.readline()  # it listens now
            variables = {"SSH_AUTH_SOCK": str(place)}
            subprocess.run(
                ["ssh-add", "-q", sshd.folder / "user"],
                env={**os.environ, **variables},
                check=True,
                timeout=30,
            )
            with login(sshd, temp, key=None, agent=True, variables=variables) as server:
                assert server.run(["true"], timeout_s=30).code == 0
        finally:
            agent.kill()


def test_ones_own_configuration_logs_in(sshd: SshServer, tmp_path: Path) -> None:
    own, temp = tmp_path / "home" / ".ssh", tmp_path / "temp"
    own.mkdir(parents=True)
    temp.mkdir()
    (own / "known").write_text(sshd.known_hosts)
    (own / "config").write_text(
        f"Host production\n HostName 127.0.0.1\n IdentityFile {sshd.folder}/user\n"
        f" UserKnownHostsFile {own}/known\n StrictHostKeyChecking no\n ControlMaster auto\n"
    )
    variables = {"HOME": str(own.parent)}
    host = Host(user="orient", name="production", port=sshd.port)
    with login(sshd, temp, host=host, key=None, pins=None, variables=variables) as server:
        assert server.run(["true"], timeout_s=30).code == 0
    (own / "known").write_text("")
    error = refusal(sshd, temp, host=host, key=None, pins=None, variables=variables)
    assert "the host key of" in str(error)
    assert (own / "known").read_text() == ""


def test_a_jump_host_is_passed(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    with ssh_server(tmp_path / "jump") as jump:
        (jump.folder / "authorized_keys").write_text((sshd.folder / "user.pub").read_text())
        given: dict[str, Any] = {
            "jumps": [Host.parse(jump.address)],
            "pins": Pins.parse(sshd.known_hosts + jump.known_hosts),
        }
        with login(sshd, tmp_path / "temp", **given) as server:
            assert server.run(["echo", "there"], timeout_s=30).out == b"there\n"
        assert "Accepted publickey" in jump.log.read_text()

        unknown = {**given, "pins": Pins.parse(sshd.known_hosts)}
        assert str(jump.port) in str(refusal(sshd, tmp_path / "temp", **unknown))
        swapped = jump.known_hosts.replace(str(jump.port), str(sshd.port))
        changed = {**given, "pins": Pins.parse(jump.known_hosts + swapped)}
        error = refusal(sshd, tmp_path / "temp", **changed)
        assert f"[127.0.0.1]:{sshd.port} does not show" in str(error)
        pinned = {**given, "pins": Pins.parse(fingerprints=[sshd.fingerprint])}
        assert "behind a jump host" in str(refusal(sshd, tmp_path / "temp", **pinned))
        (jump.folder / "authorized_keys").write_text("")
        error = refusal(sshd, tmp_path / "temp", **given)
        assert f"{jump.address} refuses the login" in str(error)


def test_a_jump_host_that_forwards_nothing_is_named(sshd: SshServer, tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    with ssh_server(tmp_path / "jump", settings="AllowTcpForwarding no") as jump:
        (jump.folder / "authorized_keys").write_text((sshd.folder / "user.pub").read_text())
        pins = Pins.parse(sshd.known_hosts + jump.known_hosts)
        jumps = [Host.parse(jump.address)]
        error = refusal(sshd, tmp_path / "temp", jumps=jumps, pins=pins)

    assert f"{jump.address} does not lead to" in str(error)


def test_a_long_path_is_no_obstacle(sshd: SshServer, tmp_path: Path) -> None:
    folder = tmp_path / ("long %h " * 12)
    folder.mkdir()
    with login(sshd, folder) as server:
        assert server.run(["true"], timeout_s=30).code == 0

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_key(sshd: SshServer, tmp_path: Path, number: int) -> None:
    """As orient_deploy.commands.main takes signals."""
    program = """
import os, signal, sys
from orient_deploy.hidden import Hidden
from orient_deploy.server.host import Host
from orient_deploy.server.keys import Pins
from orient_deploy.server.ssh import connect
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
address, known, key = sys.stdin.read().split("|")
pins = Pins.parse(known)
with connect(Host.parse(address), pins=pins, key=Hidden(key), environment=os.environ) as server:
    print("in", flush=True)
    signal.pause()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "RUNNER_TEMP": str(tmp_path), "PYTHONPATH": str(ROOT / "scripts")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with child:
        assert child.stdin and child.stdout
        child.stdin.write(f"{sshd.address}|{sshd.known_hosts}|{sshd.key}")
        child.stdin.close()
        assert child.stdout.readline() == "in\n"
        assert list(tmp_path.glob("*/key"))
        child.send_signal(number)
        child.wait(30)

    assert list(tmp_path.iterdir()) == []


def test_a_channel_stays_open_and_is_clean(sshd: SshServer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 1000
    with login(sshd, tmp_path) as server, server.channel(["cat"]) as channel:
        got = b""
        for end in (1, 5000, 9000):
            channel.write(data[len(got) : end])
            while len(got) < end:
                got += channel.read(1 << 16)
        assert got == data[:9000]
        assert server.run("echo beside it", timeout_s=30).out == b"beside it\n"


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_what_a_login_prints_is_no_part_of_a_channel(tmp_path: Path, shell: str) -> None:
    (tmp_path / "temp").mkdir()
    with ssh_server(tmp_path / "sshd", shell=shell) as loud:
        for name in (".profile", ".bashrc", ".bash_profile"):
            (loud.home / name).write_text("echo welcome\n")
        with (
            login(loud, tmp_path / "temp") as server,
            server.channel(["sh", "-c", "echo one; read -r x; echo $x"]) as channel,
        ):
            assert channel.read(100) == b"one\n"
            channel.write(b"two\n")
            assert channel.read(2) + channel.read(100) == b"two\n"
            assert channel.read(100) == b""


def test_a_channel_ends_with_its_connection(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server:
        with server.channel(["cat"]) as channel:
            channel.write(b"x")
            assert channel.read(1) == b"x"
            sshd.drop()
            assert channel.read(1) == b""
        with server.channel(["echo", "again"]) as channel:
            assert channel.read(100) == b"again\n"


def test_a_port_of_the_server_is_reached_from_here(sshd: SshServer, tmp_path: Path) -> None:
    """Also after the connection was lost, and by nobody else."""
    with socket.create_server(("127.0.0.1", 0)) as listener, login(sshd, tmp_path) as server:
        forward = server.forward("127.0.0.1", listener.getsockname()[1])
        for _ in range(2):
            path = forward.path()
            assert forward.path() == path and os.stat(path).st_mode & 0o077 == 0
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(path)
                one.sendall(b"hello")
                there, _ = listener.accept()
                with there:
                    assert there.recv(5) == b"hello"
            sshd.drop()
            with pytest.raises(OSError), socket.socket(socket.AF_UNIX) as one:
                wait_until_refused(one, path)


def wait_until_refused(one: socket.socket, path: str) -> None:
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(path)
        time.sleep(0.05)


def test_a_server_that_forwards_nothing_says_so(tmp_path: Path) -> None:
    """Its sshd refuses each connection: who asks gets no answer."""
    (tmp_path / "temp").mkdir()
    settings = "AllowTcpForwarding no\n"
    with (
        ssh_server(tmp_path / "sshd", settings=settings) as closed,
        login(closed, tmp_path / "temp") as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        path = server.forward("127.0.0.1", listener.getsockname()[1]).path()
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            assert one.recv(1) == b""
