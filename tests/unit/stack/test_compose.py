"""The Compose of a machine: the real one, and stand-ins for what the real one never does."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.record_dotenv import fetched_compose
from orient_deploy.errors import EnvironmentLacks, InputError, OrientError
from orient_deploy.stack import compose as module
from orient_deploy.stack.compose import FILE_MAX_BYTES, Compose, Refused, content_of
from tests.fakes.canary import leaks
from tests.machines.parts import part

SAID = "Kq7-said-by-compose"
ANSWER = json.dumps({"services": {"s": {"environment": {"A": "1"}}}})
NOBODY = 65534


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    part("28")
    folder = tmp_path / "docker"
    folder.mkdir()
    return fetched_compose(folder)


def stand_in(folder: Path, config: str = f"echo '{ANSWER}'", version: str = "echo 2.40.3") -> str:
    """A docker that runs these lines of sh; the folder for PATH. It says a word of its own too."""
    folder.mkdir(exist_ok=True)
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\necho "{SAID}" >&2\ncase "$*" in\n'
        f"'compose version --short') {version} ;;\n*) {config} ;;\nesac\n"
    )
    program.chmod(0o755)
    return str(folder)


def variables(folder: Path, text: bytes | str = "A=1\n", name: str = "file.env") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def revealed(compose: Compose, path: str) -> dict[str, str]:
    return {name: one.reveal() for name, one in compose.env_file(path).items()}


def refusal(kind: type[OrientError], call: Callable[[], object]) -> str:
    """The message of an error that shows nothing of what docker said, nor carries it along."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    shown = "".join(traceback.format_exception(error))
    assert leaks(SAID, shown, repr(error), repr(vars(error)), repr(error.__context__)) == []
    return str(error)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param({}, id="default"),
        pytest.param({"PATH": ""}, id="empty"),
        pytest.param({"PATH": "{}"}, id="other"),
    ],
)
def test_a_machine_without_docker_is_told_so(
    tmp_path: Path, path: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "defpath", str(tmp_path))
    env = {name: one.format(tmp_path) for name, one in path.items()}
    (tmp_path / "docker").write_text("no program")  # and may not be run

    message = refusal(EnvironmentLacks, lambda: Compose.found(env))
    assert message.startswith("there is no docker: no such program is on PATH. Install Docker")


def test_a_docker_without_compose_is_told_so(tmp_path: Path) -> None:
    """The real docker, which leaves out a plugin that does not run, and looks for no other one."""
    programs = part("28") / "usr" / "bin"
    broken = tmp_path / "cli-plugins" / "docker-compose"
    broken.parent.mkdir()
    broken.write_text("no program")
    broken.chmod(0o755)
    env = {"PATH": str(programs), "DOCKER_CONFIG": str(tmp_path)}

    message = refusal(EnvironmentLacks, lambda: Compose.found(env))
    assert message.startswith("there is no docker compose: docker has no such plugin, or it")


def test_a_docker_that_cannot_start_is_told_so(tmp_path: Path) -> None:
    program = tmp_path / "docker"
    program.write_bytes(b"\x7fELF of another machine")
    program.chmod(0o755)

    message = refusal(EnvironmentLacks, lambda: Compose.found({"PATH": str(tmp_path)}))
    assert message.startswith("docker cannot be started: the system refuses to run this program")


def test_a_docker_that_goes_away_is_told_so(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "bin")
    gone = Compose.found({"PATH": folder})
    (tmp_path / "bin" / "docker").unlink()

    message = refusal(EnvironmentLacks, lambda: gone.env_file(variables(tmp_path)))
    assert message.startswith("docker cannot be started")


def numbers(version: str) -> str:
    """What of a version is said: what follows could be anything that a program prints."""
    return re.sub(r"^v|(?<=[0-9])[^0-9.].*", "", version)


@pytest.mark.parametrize(
    "version", ["2.24.0", "v2.24.0", "2.24", "2.40.3-3", "2.27.1+ds1-0~24", "3.0"]
)
def test_a_version_that_is_new_enough_is_taken(tmp_path: Path, version: str) -> None:
    folder = stand_in(tmp_path / "bin", version=f"echo '{version}'")

    assert Compose.found({"PATH": folder}).version == numbers(version)


@pytest.mark.parametrize("version", ["2.23.3", "v2.23.3-desktop.1", "1.29.2", "0.0"])
def test_a_version_that_is_too_old_is_refused(tmp_path: Path, version: str) -> None:
    folder = stand_in(tmp_path / "bin", version=f"echo '{version}'")

    message = refusal(EnvironmentLacks, lambda: Compose.found({"PATH": folder}))
    told = f"docker compose {numbers(version)} is too old: versions before 2.24 read"
    assert message.startswith(told)


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(":", id="nothing"),
        pytest.param("echo dev", id="of-a-developer"),
        pytest.param("echo 2", id="one-number"),
        pytest.param("echo 2.40.3; exit 1", id="failed"),
        pytest.param("echo 2.40.3; kill -KILL $$", id="killed"),
        pytest.param(f"echo 2.40.3; echo {SAID}", id="more-lines"),
        pytest.param(f"echo 2.40 {SAID}", id="more-words"),
        pytest.param("printf '\\377\\376'", id="bytes"),
        pytest.param("printf '2.%05000d' 1", id="long-number"),
        pytest.param("printf '2.40.%05000d' 1", id="long-patch"),
        pytest.param("printf '٢.٤٠'", id="other-digits"),
    ],
)
def test_a_version_that_is_none_is_refused(tmp_path: Path, version: str) -> None:
    folder = stand_in(tmp_path / "bin", version=version)

    message = refusal(EnvironmentLacks, lambda: Compose.found({"PATH": folder}))
    assert message.startswith("there is no docker compose: docker has no such plugin, or it tells")
    assert len(message) < 200


def test_a_docker_beside_us_is_started_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    path = variables(tmp_path)

    assert revealed(Compose.found({"PATH": "bin"}), path) == {"A": "1"}
    assert revealed(Compose.found({}, docker=["./bin/docker"]), path) == {"A": "1"}


def test_words_before_compose_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sudo").write_text('#!/bin/sh\n[ "$1 $2" = "-n docker" ] && echo 2.40.3\n')
    (folder / "sudo").chmod(0o755)
    found = Compose.found({"PATH": str(folder)}, docker=["sudo", "-n", "docker"])

    assert found.version == "2.40.3"


@pytest.mark.parametrize(
    ("variable", "below"), [("DOCKER_CONFIG", ""), ("HOME", ".docker")], ids=["config", "home"]
)
def test_the_plugin_is_found_where_docker_looks(tmp_path: Path, variable: str, below: str) -> None:
    part("28")
    settings, broken = tmp_path / "good" / below, tmp_path / "broken"
    settings.mkdir(parents=True)
    fetched = fetched_compose(settings)
    plugin = broken / ".docker" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text("no program")
    plugin.chmod(0o755)
    # What is asked first is the one that counts: the other one leads to no Compose.
    other = {"DOCKER_CONFIG": {"HOME": str(broken)}, "HOME": {"DOCKER_CONFIG": ""}}[variable]
    env = {"PATH": str(part("28") / "usr" / "bin"), **other, variable: str(tmp_path / "good")}

    assert Compose.found(env).version == fetched.version
    env["DOCKER_CONFIG"] = str(broken / ".docker")
    assert "there is no docker compose" in refusal(EnvironmentLacks, lambda: Compose.found(env))


def test_the_child_is_told_nothing_but_where_its_settings_are(tmp_path: Path) -> None:
    folder = stand_in(tmp_path / "bin", config="/usr/bin/env > $0.env; /bin/pwd > $0.cwd; exit 1")
    home = str(tmp_path / "home")
    env = {"PATH": folder, "HOME": home, "COMPOSE_FILE": "x", "INPUT_TOKEN": "t", "A": "2"}
    found = Compose.found(env)
    refusal(Refused, lambda: found.env_file(variables(tmp_path)))

    told = (tmp_path / "bin" / "docker.env").read_text().splitlines()
    of_the_shell = ("PWD=", "SHLVL=", "_=", "OLDPWD=")
    assert [one for one in told if not one.startswith(of_the_shell)] == [
        f"DOCKER_CONFIG={home}/.docker"
    ]
    assert (tmp_path / "bin" / "docker.cwd").read_text() == "/\n"


def test_a_project_around_us_has_no_influence(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".env").write_text("X=of-the-project\nBARE=of-the-project\n")
    (project / "more.env").write_text("X=of-a-file\n")
    service = {"image": "x", "environment": ["X", "BARE"]}
    for name in ("compose.yaml", "compose.override.yaml", "other.yaml"):
        (project / name).write_text(json.dumps({"name": "p", "services": {"s": service}}))
    around = {
        "X": "of-the-environment",
        "BARE": "of-the-environment",
        "COMPOSE_FILE": "other.yaml",
        "COMPOSE_PROJECT_NAME": "other",
        "COMPOSE_ENV_FILES": "more.env",
        "COMPOSE_PROFILES": "*",
        "COMPOSE_PATH_SEPARATOR": "/",
        "COMPOSE_PARALLEL_LIMIT": "nonsense",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "DOCKER_CONTEXT": "nonsense",
    }
    path = variables(project, "BARE\nA=${X}-$X-${BARE}\nB='$X'\nHOME=$HOME$PATH\n")
    expected = {"A": "--", "B": "$X", "HOME": ""}
    monkeypatch.chdir(project)
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    env = {**compose._environment, "PATH": str(part("28") / "usr" / "bin"), **around}

    assert revealed(Compose.found(env), path) == expected
    # That all of this counts for whoever does not keep it out:
    docker = [str(part("28") / "usr" / "bin" / "docker"), "compose"]
    settings = {**compose._environment, "X": "of-the-environment"}
    for extra in ({}, {"COMPOSE_ENV_FILES": "more.env"}, {"X": "of-the-environment"}):
        done = subprocess.run(
            [*docker, "config"],
            env={**compose._environment, **extra},
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert b"X: of-" in done.stdout
    code, out, _ = module._run(
        [*docker, "--env-file", os.devnull, "-f", "-", "config", "--format", "json"],
        settings,
        json.dumps({"name": "x", "services": {"s": {"image": "x", "env_file": [path]}}}).encode(),
    )
    assert code == 0
    assert b"of-the-environment" in out


def test_a_compose_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the programs that it started are gone then."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    deaf = f"exec 3>{fifo}; (trap '' TERM; echo up >&3; read -r x < {fifo}.never) & wait"
    os.mkfifo(f"{fifo}.never")
    found = Compose.found({"PATH": stand_in(tmp_path / "bin", deaf)})
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    limits = []

    class Impatient(subprocess.Popen[bytes]):
        def communicate(self, input: Any = None, timeout: float | None = None) -> Any:
            limits.append(timeout)
            assert select.select([reader], [], [], 60)[0]  # all of it runs now
            raise subprocess.TimeoutExpired(self.args, timeout or 0, SAID.encode())

    monkeypatch.setattr(subprocess, "Popen", Impatient)
    message = refusal(EnvironmentLacks, lambda: found.env_file(variables(tmp_path)))

    assert message.startswith("docker compose does not answer: 60 seconds have passed")
    assert limits == [60]
    os.set_blocking(reader, True)
    with open(reader, "rb") as written:
        assert written.read() == b"up\n"  # up to its end: nobody holds the other one
    assert_no_children()


def assert_no_children() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_time_out_is_taken_from_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found = Compose.found({"PATH": stand_in(tmp_path / "bin", f"read -r x < {fifo}")})
    monkeypatch.setattr(module, "TIMEOUT_S", 0.01)

    message = refusal(EnvironmentLacks, lambda: found.env_file(variables(tmp_path)))
    assert "0.01 seconds have passed" in message


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("", id="nothing"),
        pytest.param(SAID, id="no-json"),
        pytest.param("[]", id="list"),
        pytest.param("null", id="null"),
        pytest.param('{"services": {}}', id="no-service"),
        pytest.param('{"services": {"s": null}}', id="null-service"),
        pytest.param(f'{{"services": {{"s": {{"environment": ["A={SAID}"]}}}}}}', id="list-form"),
        pytest.param('{"services": {"s": {"environment": {"A": 1}}}}', id="number"),
        pytest.param(ANSWER + SAID, id="more-behind"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("\udcff", id="bytes"),
    ],
)
def test_an_answer_that_is_none_is_refused(tmp_path: Path, answer: str) -> None:
    (tmp_path / "answer").write_bytes(os.fsencode(answer))
    folder = stand_in(tmp_path / "bin", f"/bin/cat {tmp_path}/answer")
    found = Compose.found({"PATH": folder})

    message = refusal(EnvironmentLacks, lambda: found.env_file(variables(tmp_path)))
    assert message.startswith("docker compose gives an answer that is not understood: of `docker")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("{}", {}),
        ('{"environment": null}', {}),
        ('{"environment": {"A": null, "B": "$$$$x$$"}}', {"B": "$$x$"}),
    ],
    ids=["none", "null", "dollars"],
)
def test_an_answer_without_values_is_one(
    tmp_path: Path, answer: str, expected: dict[str, str]
) -> None:
    folder = stand_in(tmp_path / "bin", f'echo \'{{"services": {{"s": {answer}}}}}\'')

    assert revealed(Compose.found({"PATH": folder}), variables(tmp_path)) == expected


def test_an_answer_is_of_the_project_that_was_sent(tmp_path: Path) -> None:
    """A stand-in answers what it was sent, and its arguments hold no path and no value."""
    folder = stand_in(tmp_path / "bin", 'echo "$*" > $0.argv; /bin/cat > $0.in; exit 1')
    path = variables(tmp_path, name="a$b")
    refusal(Refused, lambda: Compose.found({"PATH": folder}).env_file(path))

    argv = (tmp_path / "bin" / "docker.argv").read_text()
    assert argv == "compose --env-file /dev/null -f - config --format json\n"
    sent = json.loads((tmp_path / "bin" / "docker.in").read_text())
    assert sent["services"] == {"s": {"image": "x", "env_file": [path.replace("$", "$$")]}}


@pytest.mark.parametrize("code", [1, 14, 15, 16, 125, 255])
def test_what_it_says_of_a_failure_is_not_repeated(tmp_path: Path, code: int) -> None:
    folder = stand_in(tmp_path / "bin", f"echo '{SAID}'; exit {code}")
    found = Compose.found({"PATH": folder})
    path = variables(tmp_path)

    assert refusal(Refused, lambda: found.env_file(path)) == (
        f"Docker Compose does not read {path}: Compose does not say why in words that could be"
        " shown. Correct the file"
    )


REFUSED = [
    pytest.param('A=1\nB="secretzqx\n', 3, "a quote is not closed", id="quote"),
    pytest.param("secretzqx?=x\n", 1, "a character that Compose does not take", id="character"),
    pytest.param("A=1\nzqx zqx=x\n", 2, "a name has a blank in it", id="blank"),
    pytest.param("A=secretzqx${\n", 0, "begins no reference", id="template"),
    pytest.param("A=${secretzqx:?otherzqx}\n", 0, "names nothing that has a value", id="needed"),
]


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED)
def test_no_word_of_compose_is_in_a_refusal(
    compose: Compose,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    line: int,
    reason: str,
) -> None:
    path = variables(tmp_path, text)
    told: list[str] = []
    run = module._run

    def listening(*given: Any) -> tuple[int, bytes, bytes]:
        answer = run(*given)
        told.append(answer[2].decode())
        return answer

    monkeypatch.setattr(module, "_run", listening)
    with pytest.raises(Refused) as caught:
        compose.env_file(path)

    error = caught.value
    assert (error.line, reason in error.reason) == (line, True)
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert ("zqx" in told[0]) == (reason != "a name has a blank in it")  # pieces of the file
    assert "zqx" not in shown
    ours = " ".join([path, *module._REFUSALS.values(), "does not read line"])
    words = set(re.findall(r"\w{4,}", told[0])) - set(re.findall(r"\w{4,}", ours))
    assert words & set(re.findall(r"\w{4,}", str(error))) == set()
    assert error.__context__ is error.__cause__ is None


def test_a_line_that_the_file_does_not_have_is_not_told(tmp_path: Path) -> None:
    path = variables(tmp_path)
    for line in ("3", "0", "99999999999"):
        said = f"failed to read {path}: line {line}: unexpected character"
        folder = stand_in(tmp_path / "bin", f"echo '{said}' >&2; exit 1")
        found = Compose.found({"PATH": folder})
        with pytest.raises(Refused) as caught:
            found.env_file(path)
        assert (caught.value.line, ", line" in str(caught.value)) == (0, False)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Tests may run as root, whom no mode of a file stops."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


def folder(place: Path) -> None:
    place.mkdir()


def large(place: Path) -> None:
    place.write_bytes(b"#" * (FILE_MAX_BYTES + 1))


def loop(place: Path) -> None:
    place.symlink_to(place)


def nothing(place: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(nothing, "there is no such file", id="none"),
        pytest.param(folder, "it is a folder, a pipe or a device", id="folder"),
        pytest.param(os.mkfifo, "it is a folder, a pipe or a device", id="fifo"),
        pytest.param(loop, "Too many levels of symbolic links", id="loop"),
        pytest.param(large, "it is larger than 1 MiB", id="large"),
    ],
)
def test_what_is_no_file_of_variables_is_refused(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    found = Compose.found({"PATH": stand_in(tmp_path / "bin")})
    make(tmp_path / "x")

    message = refusal(InputError, lambda: found.env_file(f"{tmp_path}/x"))
    assert message == f"{tmp_path}/x cannot be read: {why}. Name a file of variables"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("/dev/null", "a folder, a pipe or a device", id="device"),
        pytest.param("/proc/self/mem", "Input/output error", id="fails-while-read"),
        pytest.param("/a\0b", "this is no path", id="nul"),
        pytest.param("/\ud800", "this is no path", id="surrogate"),
        pytest.param("/" + "x" * 5000, "File name too long", id="long"),
        pytest.param("", "there is no such file", id="empty"),
    ],
)
def test_what_cannot_be_read_is_refused(path: str, why: str) -> None:
    assert why in refusal(InputError, lambda: content_of(path))


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = variables(tmp_path)
    os.chmod(path, 0)
    with as_nobody():
        message = refusal(InputError, lambda: content_of(path))

    assert message.startswith(f"{path} cannot be read: Permission denied")


def test_a_file_of_1_mib_is_read(compose: Compose, tmp_path: Path) -> None:
    text = b"A=" + b"x" * 40_000 + b"\n#"
    path = variables(tmp_path, text + b"#" * (FILE_MAX_BYTES - len(text)))

    assert revealed(compose, path) == {"A": "x" * 40_000}


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        pytest.param(b"A=1\nB=\0\n", 2, "NUL", id="nul"),
        pytest.param(b"A=1\nB=2\nC=\xff\n", 3, "no UTF-8", id="byte"),
        pytest.param(b"A=\xed\xa0\x80", 1, "no UTF-8", id="surrogate"),
        pytest.param(b"\xff\xfeA\0=\0", 1, "NUL", id="utf-16"),
    ],
)
def test_what_compose_would_change_is_refused(
    tmp_path: Path, content: bytes, line: int, why: str
) -> None:
    found = Compose.found({"PATH": stand_in(tmp_path / "bin")})
    path = variables(tmp_path, content)
    with pytest.raises(InputError, match=why) as caught:
        found.env_file(path)

    assert (caught.value.file, caught.value.line) == (path, line)
    assert f"{path}, line {line} is no text" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "a$b",
        "$$",
        "${HOME}",
        "$(pwd)",
        " a b ",
        "new\nline: line 1",
        "q\"'\\",
        "~",
        "a:b",
        "é",
        "#%{{x}}",
    ],
)
def test_every_name_of_a_file_is_taken_literally(
    compose: Compose, tmp_path: Path, name: str
) -> None:
    path = variables(tmp_path, "A=1\nB='$x'\n", name)
    assert revealed(compose, path) == {"A": "1", "B": "$x"}
    variables(tmp_path, "A=1\n\nB b=1\n", name)
    with pytest.raises(Refused, match="a name has a blank") as caught:
        compose.env_file(path)

    assert caught.value.line == 3


def test_a_path_is_the_one_that_the_system_takes(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`link/..` is the folder above the one that the link leads to."""
    deep = tmp_path / "there" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "link").symlink_to(deep)
    variables(tmp_path, "A=wrong\n")
    variables(tmp_path / "there", "A=right\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "again.env").symlink_to("there/file.env")

    assert revealed(compose, "link/../file.env") == {"A": "right"}
    assert revealed(compose, "again.env") == {"A": "right"}
    with open("there/file.env", "rb") as file:
        assert revealed(compose, f"/proc/self/fd/{file.fileno()}") == {"A": "right"}


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_path_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    found = Compose.found({"PATH": stand_in(tmp_path / "bin")})
    path = variables(tmp_path, name=os.fsdecode(b"a\xff.env"))

    message = refusal(InputError, lambda: found.env_file(path))
    assert message.startswith("the path of the file is no UTF-8: Compose takes no other")
    assert message.isascii()


@pytest.mark.parametrize("meanwhile", ["echo B=2 >> {0}", ": > {0}", "/bin/rm {0}"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, meanwhile: str) -> None:
    path = variables(tmp_path)
    config = f"{meanwhile.format(path)}; echo '{ANSWER}'"
    found = Compose.found({"PATH": stand_in(tmp_path / "bin", config)})

    message = refusal(InputError, lambda: found.env_file(path))
    assert re.search("changed while it was read|there is no such file", message)


def test_what_compose_read_is_what_the_caller_read(compose: Compose, tmp_path: Path) -> None:
    path = variables(tmp_path, "A=2\n")

    message = refusal(InputError, lambda: compose.env_file(path, b"A=1\n"))
    assert message == f"{path} changed while it was read: two readings of it differ. Try again"


def test_a_leak_of_what_docker_says_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Compose.found({"PATH": stand_in(tmp_path / "bin", "exit 1")})

    def leaking(path: str, absolute: str, err: bytes, content: bytes) -> InputError:
        return InputError(path, err.decode(), "")

    monkeypatch.setattr(module, "_refusal", leaking)
    with pytest.raises(AssertionError):
        refusal(InputError, lambda: found.env_file(variables(tmp_path)))
