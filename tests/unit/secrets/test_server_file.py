"""The script that reads a server's file there, and what is made of its answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import EnvironmentLacks, InputError, OrientError, RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.drift import EMPTY, RunKey
from orient_deploy.secrets.server_file import ServerFile, parse_answer, script
from tests.fakes.canary import leaks
from tests.machines.parts import part

CANARY = 'swordfish "Zx81" <&> $5 \\ end'
VALUES = {
    "PLAIN": "text",
    "CANARY": CANARY,
    "LINES": "one\r\ntwo\n",
    "SIGNS": "\t\b\f\x01\x1f\x7f é € 🚀 \u2028 \u2029 \ufffd",
    "DOLLARS": "$ $$ ${A} $(id) `id`",
    "LOOKS": '"A": "b",\n      },\nexit 0',
    "LONG": "x" * 48_000,
}


def run(folder: Path, key: RunKey, *, env_file: str = ".env", **env: str) -> bytes:
    """What the script says, run by this machine's sh and the real Compose."""
    engine = part("28") / "usr"
    home = folder / "home"
    if not home.exists():
        (home / ".docker").mkdir(parents=True)
        (home / ".docker" / "cli-plugins").symlink_to(engine / "libexec/docker/cli-plugins")
    done = subprocess.run(
        ["sh", "-c", script(str(folder), env_file, ["docker"])],
        input=key.lines.reveal().encode(),
        env={"PATH": f"{engine / 'bin'}:{os.environ['PATH']}", "HOME": str(home), **env},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == b""
    return done.stdout


def quoted(value: str) -> str:
    """As Compose reads it back, whatever is in it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def test_the_marks_are_those_of_the_same_values_here(tmp_path: Path) -> None:
    text = "".join(f"{name}={quoted(value)}\n" for name, value in VALUES.items())
    (tmp_path / ".env").write_text(f"{text}EMPTY=\nBARE\n", encoding="utf-8", newline="")
    key = RunKey()

    found = parse_answer(run(tmp_path, key), "server", ".env")

    expected = {name: key.mark(name, Hidden(value)) for name, value in VALUES.items()}
    assert found.marks == {**expected, "EMPTY": EMPTY}
    assert found.compose.startswith("2.")


def test_the_key_differs_and_so_does_every_mark(tmp_path: Path) -> None:
    first, second = RunKey(), RunKey()

    assert first.mark("A", Hidden("x")) != second.mark("A", Hidden("x"))
    assert first.mark("A", Hidden("x")) != first.mark("B", Hidden("x"))
    assert first.lines != second.lines
    assert leaks("swordfish", repr(first), first.mark("A", Hidden("swordfish"))) == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_a_mark_is_made_of_text_alone(value: str) -> None:
    """What a shell holds: neither form of the key has a byte that one cannot."""
    key = RunKey()
    inner, outer = key.lines.reveal().splitlines()

    assert len(inner) == len(outer) == 64
    assert (inner + outer).isprintable() and not set(inner + outer) & set("'\"\\ ")
    assert len(key.mark("A", Hidden(value))) == 64


def test_nothing_of_a_value_is_in_arguments_answer_or_complaints(tmp_path: Path) -> None:
    """Each program that the script starts tells its arguments."""
    (tmp_path / ".env").write_text(f"CANARY={quoted(CANARY)}\n")
    key = RunKey()
    inner, outer = key.lines.reveal().splitlines()
    told = tmp_path / "arguments"
    spies = tmp_path / "spies"
    spies.mkdir()
    engine = part("28") / "usr" / "bin" / "docker"
    programs = {"docker": str(engine), **{n: shutil.which(n) for n in ("awk", "sha256sum", "env")}}
    for name, program in programs.items():
        spy = spies / name
        spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {told}\nexec {program} "$@"\n')
        spy.chmod(0o755)

    out = run(tmp_path, key, PATH=f"{spies}:{os.environ['PATH']}")

    assert parse_answer(out, "server", ".env").marks.keys() == {"CANARY"}
    arguments = told.read_text()
    assert "sha256sum" in arguments and "env_file" not in arguments
    for secret in (CANARY, inner, outer):
        assert leaks(secret, arguments, out) == []


@pytest.mark.parametrize(
    ("prepare", "kind", "said"),
    [
        pytest.param(None, InputError, "does not read .env", id="no-file"),
        pytest.param("A='x\n", InputError, "does not read .env", id="broken"),
        pytest.param("A=${B:?Zx81-swordfish}\n", InputError, "does not read", id="required"),
    ],
)
def test_a_file_that_is_not_read_is_said_without_a_word_of_it(
    tmp_path: Path, prepare: str | None, kind: type[OrientError], said: str
) -> None:
    if prepare:
        (tmp_path / ".env").write_text(prepare)
    out = run(tmp_path, RunKey())

    with pytest.raises(kind, match=said) as caught:
        parse_answer(out, "server", ".env")

    assert leaks("Zx81-swordfish", out, str(caught.value)) == []


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param("exit folder\n", InputError, "no such folder", id="folder"),
        pytest.param("exit tools\n", EnvironmentLacks, "awk and sha256sum", id="tools"),
        pytest.param("compose none\nexit 1\n", EnvironmentLacks, "no docker compose", id="none"),
        pytest.param("compose 2.23.0\nexit 0\n", EnvironmentLacks, "too old", id="old"),
        pytest.param("compose 2.40.3\nset A\nexit 0\n", RemoteError, "not understood", id="short"),
        pytest.param("compose 2.40.3\nexit odd\n", RemoteError, "not understood", id="odd"),
        pytest.param("", RemoteError, "not understood", id="nothing"),
        pytest.param("Welcome!\n", RemoteError, "not understood", id="noise"),
    ],
)
def test_every_other_answer_is_an_error(answer: str, kind: type[OrientError], said: str) -> None:
    with pytest.raises(kind, match=said):
        parse_answer(answer.encode(), "server", ".env")


def test_a_name_that_ends_a_line_elsewhere_ends_none_here() -> None:
    answer = f"{'0f' * 32}  -\ncompose 2.40.3\nset A\u0085B\nexit 0\n"

    assert parse_answer(answer.encode(), "server", ".env").marks == {"A\u0085B": "0f" * 32}


def test_an_empty_file_has_no_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# nothing\n")

    found = parse_answer(run(tmp_path, RunKey()), "server", ".env")

    assert found == ServerFile(compose=found.compose, marks={})


@pytest.mark.parametrize(
    "directory", ["a b", "$(id)", "it's", "-n", "~"], ids=["blank", "command", "quote", "-", "~"]
)
def test_any_folder_is_a_folder(tmp_path: Path, directory: str) -> None:
    folder = tmp_path / "home" / "login" / directory
    key = RunKey()
    run_in = script(directory, ".env$x", ["docker"])
    folder.mkdir(parents=True)
    (folder / ".env$x").write_text("A=1\n")
    home = folder if directory == "~" else tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    engine = part("28") / "usr"
    (home / ".docker" / "cli-plugins").symlink_to(engine / "libexec/docker/cli-plugins")

    done = subprocess.run(
        ["sh", "-c", run_in],
        cwd=tmp_path / "home" / "login",
        input=key.lines.reveal().encode(),
        env={"PATH": f"{engine / 'bin'}:{os.environ['PATH']}", "HOME": str(home)},
        capture_output=True,
        timeout=60,
        check=True,
    )

    assert parse_answer(done.stdout, "server", ".env").marks == {"A": key.mark("A", Hidden("1"))}
