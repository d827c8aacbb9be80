"""The agent of a server, over a real sshd and in each shell that a server may have."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.errors import EnvironmentLacks, LockedError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.release.model import Record, standing
from orient_deploy.release.report import is_open, release_lines
from orient_deploy.server.agent import Agent, AgentLostError, Owner, agent, show
from orient_deploy.server.ssh import Server
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server
from tests.unit.server.test_ssh import login

OWNER = Owner(run="17", name="somebody")
TOOLS = (
    *("awk", "base64", "cat", "chmod", "cmp", "cp", "date", "dd", "dirname", "env", "false"),
    *("find", "flock", "grep", "ln", "mkdir", "mkfifo", "mv", "rm", "sed", "setsid"),
    *("sha256sum", "sleep", "sort", "stat", "sync", "tail", "tar", "touch", "true"),
)


def opened(server: Server, **given: Any) -> AbstractContextManager[Agent]:
    values: dict[str, Any] = {"docker": ("false",), "owner": OWNER, **given}
    return agent(server, "~/app", values.pop("docker"), values.pop("owner"), **values)


def encoded(command: str) -> str:
    return base64.b64encode(command.encode()).decode()


def plain(line: Sequence[str | tuple[str, str]]) -> str:
    """A line of a terminal without its colours."""
    return "".join(one if isinstance(one, str) else one[1] for one in line)


def packed(files: dict[str, str]) -> Hidden:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            one = tarfile.TarInfo(name)
            one.size, one.mode = len(text.encode()), 0o600
            archive.addfile(one, io.BytesIO(text.encode()))
    return Hidden(buffer.getvalue().decode("utf-8", "surrogateescape"))


def put_release(one: Agent, name: str, **more: str) -> None:
    files = {
        "settings": "project p\nworkdir docker\nenv .env\nfile docker/c.yml\n",
        "files/docker/c.yml": "services: {}\n",
        "model": "service app\nimage app repo:1\n",
        "services": "app\n",
        "resolved.yml": "services: {}\n",
        "release.json": f"{Record(id=name, commit='0123456789').text()}\n",
        **more,
    }
    one.stage(name, packed(files), timeout_s=30)
    assert one.ask("seal", name, timeout_s=30).code == 0


@contextmanager
def machine(folder: Path, *, shell: str = "", without: str = "") -> Iterator[tuple[Any, Server]]:
    """A server whose programs are a few, by a shell of its own."""
    programs = folder / "programs"
    programs.mkdir()
    for name in {*TOOLS} - {without}:
        (programs / name).symlink_to(shutil.which(name) or name)
    (programs / "sh").symlink_to(shell or shutil.which("sh") or "/bin/sh")
    (folder / "temp").mkdir()
    with (
        ssh_server(folder / "sshd", settings=f"SetEnv PATH={programs}") as sshd,
        login(sshd, folder / "temp") as server,
    ):
        yield sshd, server


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_releases_come_and_go_in_every_shell(tmp_path: Path, shell: str) -> None:
    program = str(part("28") / "bin/busybox") if shell == "busybox" else shutil.which(shell) or ""
    with machine(tmp_path, shell=program) as (sshd, server):
        with opened(server) as one:
            for name in ("r1", "r2", "r3"):
                put_release(one, name)
            assert one.ask("good", "r1", timeout_s=30).code == 0
            assert one.ask("bad", "r2", "failed", timeout_s=30).code == 0
            assert one.ask("prune", "r3", timeout_s=30).all("pruned") == ["r2"]
            assert one.ask("nonsense", timeout_s=30).code != 0
        home = sshd.home / "app/releases"
        told = show(server, "~/app")
        stands = standing(told.lines)

        assert (stands.good, stands.good_ones, stands.journal) == ("r1", ("r1",), None)
        assert sorted(path.name for path in home.iterdir()) == [
            *("current", "good", "ledger", "lock", "r1", "r3")
        ]
        assert home.stat().st_mode & 0o777 == 0o700
        assert all(path.stat().st_mode & 0o077 == 0 for path in (home / "r1").rglob("*"))
        lines = [plain(one) for one in release_lines(told.lines)]
        assert re.search(r"failed +\S+  r2 .*\(its files are gone\)", lines[0])
        assert re.search(r"good +\S+  r1  0123456", lines[1])


def test_the_second_is_told_who_deploys(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server, opened(server):
        other = opened(server, owner=Owner(run="18", name="x"))
        with pytest.raises(LockedError, match="run 17 of somebody, since") as caught, other:
            pass
        assert caught.value.exit_code == 75
        told = show(server, "~/app")
        assert told.all("locked") and "somebody (17) is deploying" in str(release_lines(told.lines))
    with login(sshd, tmp_path) as server, opened(server) as one:
        assert not one.opened.all("taken-over")


def test_who_waits_is_let_in(sshd: SshServer, tmp_path: Path) -> None:
    said: list[str] = []
    with login(sshd, tmp_path) as server:
        first = opened(server)
        first.__enter__()
        timer = threading.Timer(1.5, first.__exit__, (None, None, None))
        timer.start()
        with opened(server, wait_s=20, notify=lambda key, rest: said.append(f"{key} {rest}")):
            pass
        timer.join()
    assert any("waiting run 17 of somebody" in one for one in said)


def test_a_killed_agent_is_told_and_the_next_one_goes_on(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server:
        with pytest.raises(AgentLostError), opened(server) as one:
            text = (sshd.home / "app/releases/holder").read_text()
            found = re.search(r"^pid (\d+)$", text, re.MULTILINE)
            assert found
            os.kill(int(found[1]), signal.SIGKILL)
            one.ask("hook", "9", encoded("true"), timeout_s=30)
        said: list[str] = []
        with opened(server, notify=lambda key, rest: said.append(f"{key} {rest}")) as one:
            assert one.ask("hook", "9", encoded("echo here"), timeout_s=30).all("output") == [
                "here"
            ]
        assert said[0] == "taken-over 17"


def test_a_step_goes_on_while_the_connection_is_lost(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server, opened(server) as one:
        command = encoded("echo once >> ran; sleep 2; echo done")
        lost = iter([sshd.drop])

        def drop(key: str, rest: str) -> None:
            next(lost, lambda: None)()

        one._notify = drop
        reply = one.ask("hook", "20", command, timeout_s=60)

        assert (reply.code, reply.all("output")) == (0, ["done"])
        assert (sshd.home / "app/ran").read_text() == "once\n"


def test_a_hook_that_does_not_end_is_ended_with_all_that_it_began(
    sshd: SshServer, tmp_path: Path
) -> None:
    with login(sshd, tmp_path) as server, opened(server) as one:
        reply = one.ask("hook", "1", encoded("echo begun; sleep 321 & sleep 321"), timeout_s=30)

    assert (reply.code, reply.all("output")) == (137, ["begun"])
    told = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(b"sleep\x00321" in one for one in told)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with (
        machine(tmp_path, without="flock") as (_, server),
        pytest.raises(EnvironmentLacks, match="has no flock"),
        opened(server),
    ):
        pass


def test_a_folder_that_cannot_be_written_to_is_named(sshd: SshServer, tmp_path: Path) -> None:
    if (sshd.home / "app").exists():
        (sshd.home / "app").rename(sshd.home / "before")
    (sshd.home / "app").write_text("a file\n")
    try:
        with login(sshd, tmp_path) as server:
            said = "nothing can be written to ~/app"
            with pytest.raises(RemoteError, match=said), opened(server):
                pass
            with pytest.raises(RemoteError, match="cannot be read"):
                show(server, "~/app")
    finally:
        (sshd.home / "app").unlink()


def test_what_was_applied_and_not_judged_is_told(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server, opened(server) as one:
        put_release(one, "r9")
        (sshd.home / "app/releases/journal").write_text("applied r9 deploy\n")
        lines = show(server, "~/app").lines

        assert is_open(lines) and "r9 is not verified yet (applied)" in str(release_lines(lines))
        one.ask("bad", "r9", "failed", timeout_s=30)


def test_an_argument_is_a_word_or_nothing_is_asked(sshd: SshServer, tmp_path: Path) -> None:
    with login(sshd, tmp_path) as server, opened(server) as one:
        for text in ("a b", "a\nb", "$(x)", "a;b", ""):
            with pytest.raises(ValueError, match="words"):
                one.ask("good", text, timeout_s=30)
