"""Whatever goes wrong, no secret gets out: each way that there is is watched (`channels`).

At the end each way is made to leak, which has to be found.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.commands import drift, main, sync_secrets
from orient_deploy.commands.context import Context
from orient_deploy.errors import InputError
from orient_deploy.github import api
from orient_deploy.github import secrets as github_secrets
from orient_deploy.hidden import Hidden
from orient_deploy.runner import Log
from orient_deploy.secrets import apply
from orient_deploy.secrets.drift import RunKey
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.report import plan_lines
from orient_deploy.secrets.state import VARIABLE as STATE
from orient_deploy.secrets.state import state_text
from orient_deploy.stack import compose
from tests.fakes.github_state import GitHubState
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, make_key, ssh_server
from tests.unit.commands.secrets.channels import CANARY, WORDS, Watch
from tests.unit.commands.secrets.conftest import KEY, TOKEN, Project

RUN_TOGETHER = "".join(WORDS)
VALUES = {"DATABASE_URL": CANARY, "JWT": f"{CANARY} and more", "NODE_ENV": "production"}
FILE = "".join(f"{name}='{value}'\n" for name, value in VALUES.items())
VARIABLE = f"*/variables/{STATE}"


@pytest.fixture
def watch(
    project: Project,
    github: GitHubState,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Watch:
    """The project with a file of secrets, where no wait is a long one."""
    monkeypatch.setattr(random, "uniform", lambda low, high: 0.0)
    monkeypatch.setattr(api, "TOO_MANY_S", 0.0)
    monkeypatch.setattr(api, "TIMEOUT_S", 0.3)
    watch = Watch(
        project,
        github,
        monkeypatch,
        tmp_path,
        lambda: (lambda both: (both.out, both.err))(capfd.readouterr()),
    )
    project.write(".env.production", FILE)
    return watch


# --- files


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(f"DATABASE_URL='{CANARY}\nJWT=x\n", 2, id="quote-not-closed"),
        pytest.param(f'DATABASE_URL="{CANARY}\n', 2, id="double-quote-not-closed"),
        pytest.param(f"DATABASE_URL=${{{CANARY}\n", 2, id="template"),
        pytest.param(f'DATABASE_URL="{CANARY}${{"\n', 2, id="template-in-quotes"),
        pytest.param(f"DATABASE_URL=${{X:?{CANARY}}}\n", 2, id="required-reference"),
        pytest.param(f"DATABASE_URL=long${RUN_TOGETHER}\n", 2, id="reference"),
        pytest.param(f"{CANARY}=long-enough\n", 2, id="name"),
        pytest.param(f"{RUN_TOGETHER}=long-enough\n", 2, id="name-of-letters"),
        pytest.param(f"{RUN_TOGETHER}\n", 2, id="name-alone"),
        pytest.param(f"A B {RUN_TOGETHER}=x\n", 2, id="name-with-blanks"),
        pytest.param(
            f"TLS=-----BEGIN KEY-----\n{RUN_TOGETHER}==\n-----END KEY-----\n", 2, id="PEM"
        ),
        pytest.param(f"A=long-enough\nTLS=eins\n{RUN_TOGETHER}=zwei\n", 2, id="two-lines"),
        pytest.param(f"DATABASE_URL='x'{RUN_TOGETHER}='long-enough'\n", 2, id="behind-a-quote"),
        pytest.param(f"DATABASE_URL='x'{WORDS[0].upper()}='long-enough'\n", 2, id="piece-behind"),
        pytest.param(f"# {CANARY}\nDATABASE_URL=long-enough # {CANARY}\n", 2, id="comment"),
        pytest.param(f"DATABASE_URL=long-enough\n{RUN_TOGETHER}", 2, id="name-at-the-end"),
        pytest.param(f"\ufeffDATABASE_URL='{CANARY}'\n", 2, id="BOM"),
        pytest.param(f"DATABASE_URL='{CANARY}'\r\n", 2, id="CRLF"),
        pytest.param(f"DATABASE_URL='{CANARY}\rX={CANARY}'\n", 2, id="CR"),
        pytest.param(f"DATABASE_URL='{CANARY}\0'\n", 2, id="NUL"),
        pytest.param(f"DATABASE_URL='{CANARY}".encode() + b"\xff'\n", 2, id="no-UTF-8"),
        pytest.param(f"DATABASE_URL='{CANARY * 30_000}'\n", 2, id="too-large-a-file"),
        pytest.param(f"DATABASE_URL='{CANARY * 1500}'\n", 2, id="too-large-a-value"),
        pytest.param(f"DATABASE_URL='{CANARY}'\nDATABASE_URL='{CANARY}'\n", 2, id="twice"),
        pytest.param(f"database_url='{CANARY}'\nDATABASE_URL='{CANARY}'\n", 2, id="in-two-cases"),
        pytest.param(f'DATABASE_URL="{CANARY}\n{CANARY}"\n', 2, id="lines"),
        pytest.param(f" export DATABASE_URL = '{CANARY}'\n", 2, id="blanks"),
        pytest.param(f"GITHUB_A='{CANARY}'\nDATABASE_URL='{CANARY}'\n", 2, id="GITHUB"),
        pytest.param(f"JWT='{CANARY[:9]}'\nDATABASE_URL='{CANARY}'\n", 2, id="min-length"),
        pytest.param(f"JWT='{CANARY}'\n", 2, id="required"),
        pytest.param(f"DATABASE_URL={CANARY}\n", 2, id="without-quotes"),
        pytest.param(f"DATABASE_URL=\nA='{CANARY}'\n", 2, id="empty"),
        pytest.param("folder", 2, id="folder"),
        pytest.param("pipe", 2, id="pipe"),
        pytest.param("loop", 2, id="link-to-itself"),
        pytest.param("none", 2, id="none"),
        pytest.param(FILE, 0, id="nothing-wrong"),
    ],
)
def test_no_command_shows_a_file_that_is_wrong(
    watch: Watch, project: Project, text: str | bytes, code: int
) -> None:
    path = project.folder / ".env.production"
    given: str | None = None
    if text in ("folder", "pipe", "loop", "none"):
        path.unlink()
        makers: dict[str | bytes, Callable[[], object]] = {
            "folder": path.mkdir,
            "pipe": lambda: os.mkfifo(path),
            "loop": lambda: path.symlink_to(path),
            "none": lambda: None,
        }
        makers[text]()
    else:
        project.write(".env.production", text)
        given = os.fsdecode(text) if isinstance(text, bytes) else text
    project.write(".env.example", f"DATABASE_URL=\n# {CANARY}\n")

    synced = watch.act("sync-secrets")
    codes = [
        watch.run("secrets", "plan", "--json").code,
        watch.run("secrets", "lint").code,
        watch.run("secrets", "diff", "--github").code,
        watch.act("drift", INPUT_HOSTS="none", INPUT_ISSUE="true", **VALUES).code,
    ]
    if given:
        codes.append(watch.act("sync-secrets", INPUT_CONTENT=given).code)

    assert watch.leaks() == {}
    assert synced.code == code
    assert set(codes) <= {0, 1, 2}


def test_lint_on_a_runner_annotates_without_a_word_of_the_file(
    watch: Watch, project: Project
) -> None:
    project.write(".env.production", f"DATABASE_URL={CANARY} # {CANARY}\n{RUN_TOGETHER}=x\n")

    done = watch.watched(
        lambda: project.run("secrets", "lint", **_runner(project)),
        on_runner=True,
    )

    assert (done.code, watch.leaks()) == (1, {})
    assert "DATABASE_URL" in done.errors[0]


def _runner(project: Project) -> dict[str, str | None]:
    return {
        name: value
        for name, value in project.runner.items()
        if name.startswith(("GITHUB_", "RUNNER_"))
    }


# --- what is given


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"INPUT_KEY": CANARY}, 2, id="a-key-that-is-none"),
        pytest.param({"INPUT_KEY": f"{KEY}{CANARY}"}, 2, id="a-key-with-more-in-it"),
        pytest.param({"INPUT_TOKEN": CANARY}, 4, id="another-token"),
        pytest.param({"INPUT_TOKEN": f"{CANARY}\nX: y"}, 4, id="a-token-of-two-lines"),
        pytest.param({"INPUT_TOKEN": f"{CANARY}é"}, 4, id="a-token-that-no-header-holds"),
        pytest.param({"INPUT_TOKEN": "ab"}, 2, id="a-token-that-cannot-be-masked"),
        pytest.param({"INPUT_CONTENT": CANARY}, 2, id="content-without-a-name"),
        pytest.param({"INPUT_CONTENT": f"A='{CANARY}"}, 2, id="content-that-is-broken"),
        pytest.param({"INPUT_CONTENT": f"A='{CANARY}'"}, 2, id="content-that-lacks-a-name"),
        pytest.param({"INPUT_CONTENT": FILE, "INPUT_DRY_RUN": "no"}, 2, id="a-flag-that-is-none"),
        pytest.param({"INPUT_CONTENT": FILE, "INPUT_TARGET": "x"}, 2, id="a-target-that-is-none"),
        pytest.param({"INPUT_CONTENT": FILE, "RUNNER_TEMP": "/dev/null/x"}, 3, id="no-folder"),
        pytest.param({"INPUT_CONTENT": FILE, "GITHUB_OUTPUT": "/dev/null/y"}, 3, id="no-output"),
        pytest.param({"INPUT_FILE": ".env", "INPUT_CONFIG": ".env.production"}, 2, id="config"),
        pytest.param({"GITHUB_API_URL": f"http://u:{RUN_TOGETHER}@127.0.0.1:9"}, 4, id="address"),
        pytest.param({"GITHUB_API_URL": f"gopher:{CANARY}"}, 4, id="no-address"),
    ],
)
def test_an_input_that_is_wrong_is_not_shown(
    watch: Watch, changes: dict[str, str | None], code: int
) -> None:
    watch.answering(VALUES)

    done = watch.act("sync-secrets", **changes)
    watch.github.excuse()

    assert watch.leaks() == {}
    assert done.code == code, done.stdout


@pytest.mark.parametrize("flag", ["token", "key", "content", "ssh-key"])
@pytest.mark.parametrize("form", ["--{}={}", "--{} {}"], ids=["equals", "blank"])
def test_a_secret_given_as_a_flag_is_refused_without_being_shown(
    watch: Watch, flag: str, form: str
) -> None:
    done = watch.run("secrets", "apply", *form.format(flag, CANARY).split())

    assert (done.code, watch.leaks()) == (2, {})


def test_an_address_of_origin_with_a_password_is_not_shown(watch: Watch, project: Project) -> None:
    subprocess.run(
        ["git", "config", "remote.origin.url", f"https://u:{RUN_TOGETHER}@example.com/a"],
        cwd=project.folder,
        check=True,
        timeout=30,
    )

    codes = [watch.run("secrets", "apply").code, watch.run("secrets", "diff", "--github").code]

    assert (codes, watch.leaks()) == ([2, 2], {})


def test_neither_inputs_nor_the_run_show_secrets_in_an_exception_s_text(watch: Watch) -> None:
    inputs = [
        sync_secrets.Inputs(content=CANARY, key=CANARY, token=CANARY),
        drift.Inputs(content=CANARY, ssh_key=CANARY, token=CANARY),
    ]

    watch.keep("exception", *map(repr, inputs))

    assert watch.leaks() == {}


# --- GitHub

# Of a first run over two secrets and a variable; the number is which of several it is.
REQUESTS = [
    ("GET", "*/actions/secrets", 1),
    ("GET", "*/actions/variables", 1),
    ("GET", "*/public-key", 1),
    ("PUT", "*/secrets/DATABASE_URL", 1),
    ("PUT", "*/secrets/JWT", 1),
    ("PATCH", "*/variables/NODE_ENV", 1),
    ("POST", "*/actions/variables", 1),
    ("GET", "*/actions/secrets", 2),
    ("PATCH", VARIABLE, 1),
    ("POST", "*/actions/variables", 2),
]
# What GitHub says quotes what it was sent, and more.
QUOTED = json.dumps({"encrypted_value": CANARY})
FAULTS: dict[str, dict[str, Any]] = {
    **{str(code): {"status": code} for code in (401, 403, 404, 409, 422, 429, 500, 502, 503)},
    "5xx-three-times": {"status": 500, "times": 3},
    "422-three-times": {"status": 422, "times": 3},
    "Retry-After": {"status": 429, "retry_after": 0},
    "Retry-After-too-long": {"status": 429, "retry_after": 9999},
    "Retry-After-a-word": {"status": 503, "retry_after": CANARY, "times": 3},
    "secondary": {"status": 403, "secondary": True, "retry_after": 0},
    "secondary-three-times": {"status": 403, "secondary": True, "retry_after": 0, "times": 3},
    "redirect": {"status": 307, "headers": {"Location": f"/{RUN_TOGETHER}"}},
    "dropped": {"drop": True},
    "dropped-three-times": {"drop": True, "times": 3, "effect": True},
}


@pytest.mark.parametrize(("method", "path", "nth"), REQUESTS)
def test_no_refusal_of_github_shows_a_value(
    watch: Watch, github: GitHubState, method: str, path: str, nth: int
) -> None:
    watch.answering(VALUES)
    for name, fault in FAULTS.items():
        _forget(github)
        words = {} if "secondary" in fault else {"message": f"Validation Failed: {QUOTED}"}
        kept = github.fail(method, path, nth=nth, **{**words, **fault})

        done = watch.act("sync-secrets")

        github.excuse()
        github._faults.clear()
        assert watch.leaks() == {}, name
        assert done.code in (0, 4), (name, done.stdout)
        assert kept.times < fault.get("times", 1), f"{name}: it was not asked"


@pytest.mark.parametrize(("method", "path", "nth"), REQUESTS[::3])
def test_no_answer_within_the_time_shows_no_value(
    watch: Watch, github: GitHubState, method: str, path: str, nth: int
) -> None:
    watch.answering(VALUES)
    github.fail(method, path, nth=nth, hang=True, times=3)

    done = watch.act("sync-secrets")

    github.excuse()
    assert (done.code, watch.leaks()) == (4, {})
    assert "the connection failed" in done.stdout


KEY_ID = '"key_id": "1"'
GARBAGE = {
    "no-JSON": f"<html>{CANARY}</html>",
    "cut-short": f'{{"secrets": [{{"name": "{CANARY}", "value": "{CANARY}',
    "text": json.dumps(CANARY),
    "list": json.dumps([CANARY]),
    "null": "null",
    "nothing": "",
    "deep": "[" * 100_000,
    "rows-of-text": json.dumps({"secrets": [CANARY], "variables": [CANARY]}),
    "rows-without-names": json.dumps({"secrets": [{"x": CANARY}], "variables": [{"x": CANARY}]}),
    "no-key": f"{{{KEY_ID}}}",
    "key-of-another-type": f'{{{KEY_ID}, "key": 7}}',
    "key-of-text": f'{{{KEY_ID}, "key": {json.dumps(CANARY)}}}',
    "key-of-31-bytes": f'{{{KEY_ID}, "key": "{base64.b64encode(b"k" * 31).decode()}"}}',
    "key-of-zeros": f'{{{KEY_ID}, "key": "{base64.b64encode(bytes(32)).decode()}"}}',
    "surrogate": '{"key_id": "\\ud83d", "key": "\\ud83d", "secrets": [{"name": "\\ud83d"}]}',
    "no-UTF-8": f"\udcff{CANARY}",
}


@pytest.mark.parametrize("path", ["/actions/secrets", "/actions/variables", "/public-key"])
@pytest.mark.parametrize("said", GARBAGE.values(), ids=GARBAGE)
def test_no_answer_that_is_not_understood_is_shown(
    watch: Watch, github: GitHubState, monkeypatch: pytest.MonkeyPatch, said: str, path: str
) -> None:
    watch.answering(VALUES)
    content = said.encode("utf-8", "surrogateescape")
    met = watch.garble(monkeypatch, "GET", path, content)

    done = watch.act("sync-secrets")

    github.excuse()
    assert (watch.leaks(), bool(met)) == ({}, True)
    assert done.code in (0, 4), done.stdout


@pytest.mark.parametrize("nth", range(len(REQUESTS)))
def test_nobody_who_writes_in_between_has_a_value_shown(
    watch: Watch, github: GitHubState, nth: int
) -> None:
    watch.answering(VALUES)
    method, path, number = REQUESTS[nth]

    def meanwhile() -> None:
        github.put_secret(None, "JWT", CANARY.encode())
        github.put_variable(None, STATE, CANARY)
        github.rotate_key()

    github.fail(method, path, nth=number, call=meanwhile)

    done = [watch.act("sync-secrets"), watch.act("sync-secrets"), watch.run("secrets", "plan")]

    github.excuse()
    assert watch.leaks().keys() <= {"variables"}  # which has what was put there
    assert {one.code for one in done} <= {0, 2, 4}, done[0].stdout


def test_no_refusal_of_an_issue_shows_a_value(watch: Watch, github: GitHubState) -> None:
    watch.project.write(".env.production", f"{FILE}{RUN_TOGETHER}='{CANARY}'\n")
    watch.answering({**VALUES, RUN_TOGETHER: CANARY})
    requests = [
        ("GET", "*/issues"),
        ("GET", "*/labels/*"),
        ("POST", "*/labels"),
        ("POST", "*/issues"),
        ("PATCH", "*/issues/*"),
    ]
    asked = {"INPUT_HOSTS": "none", "INPUT_ISSUE": "true"}
    for method, path in requests:
        for status in (401, 403, 404, 410, 422, 500):
            github.fail(method, path, status=status, message=QUOTED, times=3)
            watch.act("drift", **asked, DATABASE_URL=f"other {status}", JWT=VALUES["JWT"])
            github._faults.clear()
    done = watch.act("drift", **asked, DATABASE_URL="other", JWT=VALUES["JWT"])

    github.excuse()
    assert (done.code, watch.leaks()) == (1, {})
    assert "DATABASE_URL" in str(github.repository.issues[0].body)


def _forget(github: GitHubState) -> None:
    scope = github.repository.scope(None)
    scope.secrets.clear()
    scope.variables.clear()


# --- Compose


@pytest.mark.parametrize(
    ("said", "code"),
    [
        pytest.param({"err": CANARY, "code": 1}, 2, id="an-error"),
        pytest.param(
            {"err": f"failed to read {{file}}: line 37: {CANARY}", "code": 1}, 2, id="of-a-line"
        ),
        pytest.param(
            {"err": f'failed to read {{file}}: Invalid template: "{CANARY}"', "code": 15},
            2,
            id="its-own-words",
        ),
        pytest.param({"version": CANARY}, 3, id="as-its-version"),
        pytest.param({"version": f"2.1.0-{RUN_TOGETHER}"}, 3, id="in-an-old-version"),
        pytest.param({"version": f"2.40.3-{RUN_TOGETHER}", "out": CANARY}, 3, id="in-a-version"),
        pytest.param({"out": f'{{"services": "{CANARY}'}, 3, id="broken-JSON"),
        pytest.param({"out": json.dumps({"services": {"s": CANARY}})}, 3, id="other-JSON"),
        pytest.param({"values": {"DATABASE_URL": [CANARY]}}, 3, id="a-list-as-a-value"),
        pytest.param({"values": {**VALUES, RUN_TOGETHER: "x"}}, 2, id="a-name-of-its-own"),
        pytest.param({"values": {**VALUES, "JWT": f"{CANARY}\ud83d"}}, 3, id="half-a-character"),
        pytest.param({"values": {**VALUES, "JWT": f"{CANARY}\0{CANARY}"}}, 0, id="NUL"),
    ],
)
def test_what_a_strange_compose_says_is_not_repeated(
    watch: Watch, project: Project, said: dict[str, Any], code: int
) -> None:
    values = said.pop("values", None)
    file = os.path.realpath(project.folder / ".env.production")
    given: dict[str, Any] = {
        k: v.replace("{file}", file) if isinstance(v, str) else v for k, v in said.items()
    }
    if values:
        given["out"] = json.dumps({"services": {"s": {"environment": values}}})
    watch.stand_in(**given)

    done = watch.act("sync-secrets", INPUT_REWRITE="true")
    for command in ("plan", "lint", "diff"):
        watch.run("secrets", command)
    watch.act("drift", INPUT_HOSTS="none", **VALUES)

    assert watch.leaks() == {}
    assert done.code == code, done.stdout


def test_no_docker_and_one_that_does_not_end_say_nothing(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compose, "TIMEOUT_S", 0.2)
    watch.program("docker", f"#!/bin/sh\necho '{CANARY}'; echo '{CANARY}' >&2; exec /bin/sleep 9\n")
    slow = watch.act("sync-secrets", INPUT_CONTENT=FILE)
    (tmp_path / "shims" / "docker").unlink()
    without = watch.act("sync-secrets", INPUT_CONTENT=FILE, PATH=str(tmp_path / "shims"))

    assert (slow.code, without.code) == (3, 3), without.stdout
    assert watch.leaks() == {}


# --- a server


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        engine = part("28") / "usr"
        plugins = server.home / ".docker" / "cli-plugins"
        plugins.parent.mkdir()
        plugins.symlink_to(engine / "libexec/docker/cli-plugins")
        (server.home / "docker-client").symlink_to(engine / "bin" / "docker")
        (server.home / "orienter").mkdir()
        (server.home / ".ssh").mkdir()
        yield server


@pytest.fixture
def access(sshd: SshServer, project: Project, watch: Watch) -> dict[str, str | None]:
    """What a step needs to reach the server, whose own file is as it should be."""
    (sshd.home / "orienter" / ".env").write_text(FILE)
    path = project.folder / ".github" / "orient-deploy.yml"
    path.write_text(
        path.read_text().replace(
            "    env-file: .env\n",
            "    env-file: .env\n    directory: ~/orienter\n"
            f"    docker: {sshd.home}/docker-client\n    hosts: ['{sshd.address}']\n",
        )
    )
    project.commit_all()
    watch.secrets["SSH key"] = sshd.key
    watch.answering(VALUES)
    return {"INPUT_SSH_KEY": sshd.key, "INPUT_KNOWN_HOSTS": sshd.known_hosts}


BEGIN, END = "-----BEGIN OPENSSH PRIVATE KEY-----\n", "-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({}, 0, id="nothing-wrong"),
        pytest.param({"INPUT_SSH_KEY": CANARY}, 2, id="no-key"),
        pytest.param({"INPUT_SSH_KEY": f"{BEGIN}{CANARY}\n{END}"}, 2, id="a-damaged-key"),
        pytest.param({"INPUT_SSH_KEY": f"ssh-ed25519 AAAA{CANARY}"}, 2, id="a-public-key"),
        pytest.param({"INPUT_SSH_KEY": f"PuTTY-User-Key-File-3: {CANARY}"}, 2, id="PuTTY"),
        pytest.param({"INPUT_SSH_KEY": "another"}, 4, id="a-key-that-does-not-log-in"),
        pytest.param({"INPUT_KNOWN_HOSTS": f"other.example ssh-rsa {CANARY}"}, 2, id="pins"),
        pytest.param({"INPUT_KNOWN_HOSTS": "changed"}, 4, id="another-host-key"),
        pytest.param(
            {"INPUT_KNOWN_HOSTS": None, "INPUT_FINGERPRINT": "SHA256:" + "A" * 43}, 4, id="print"
        ),
        pytest.param({"INPUT_HOSTS": "orient@127.0.0.1:9"}, 2, id="another-port"),
        pytest.param({"INPUT_JUMP_HOSTS": "nobody@127.0.0.1:9"}, 2, id="a-jump-host"),
    ],
)
def test_no_login_that_fails_shows_a_secret(
    watch: Watch,
    sshd: SshServer,
    access: dict[str, str | None],
    tmp_path: Path,
    changes: dict[str, str | None],
    code: int,
) -> None:
    if changes.get("INPUT_SSH_KEY") == "another":
        changes = {"INPUT_SSH_KEY": make_key(tmp_path / "another")}
    if changes.get("INPUT_KNOWN_HOSTS") == "changed":
        make_key(tmp_path / "another")
        kind, blob, *_ = (tmp_path / "another.pub").read_text().split()
        name = sshd.known_hosts.split()[0]
        changes = {"INPUT_KNOWN_HOSTS": f"{name} {kind} {blob}\n"}
    given = {**access, **changes}
    watch.secrets["given key"] = str(given["INPUT_SSH_KEY"]).strip()

    done = watch.act("drift", **given, **VALUES)

    assert watch.leaks() == {}
    assert done.code == code, done.stdout


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(f"DATABASE_URL='{CANARY}\n", 2, id="quote-not-closed"),
        pytest.param(f"DATABASE_URL=${{X:?{CANARY}}}\n", 2, id="required-reference"),
        pytest.param(f"DATABASE_URL=${{{CANARY}\n", 2, id="template"),
        pytest.param(f"DATABASE_URL=long${RUN_TOGETHER}\n", 1, id="reference"),
        pytest.param(f"{CANARY}=x\n", 2, id="name"),
        pytest.param(f"{RUN_TOGETHER}={CANARY}\n", 1, id="name-of-letters"),
        pytest.param(f"\ufeffDATABASE_URL='{CANARY}'\r\n{CANARY}\0", 2, id="NUL"),
    ],
)
def test_a_server_s_own_file_is_not_shown(
    watch: Watch, sshd: SshServer, access: dict[str, str | None], text: str, code: int
) -> None:
    (sshd.home / "orienter" / ".env").write_text(text)

    done = watch.act("drift", **access, INPUT_ISSUE="true", **VALUES)

    assert watch.leaks() == {}
    assert done.code == code, done.stdout


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(f"echo '{CANARY}' >&2; exit 1", 3, id="an-error"),
        pytest.param(f"echo '{CANARY}'; cat >/dev/null", 3, id="a-version"),
        pytest.param(f"echo '2.1.{RUN_TOGETHER}'; cat >/dev/null", 3, id="an-old-version"),
        pytest.param("echo 9." + "9" * 5000 + "; cat >/dev/null", 3, id="a-version-of-digits"),
        pytest.param(f"echo 2.40.3; cat; echo '{CANARY}' >&2", 1, id="other-words"),
        pytest.param(
            f"""echo 2.40.3; echo '      "environment": {{'; echo '        "{CANARY}": 7'""",
            4,
            id="an-answer-that-is-none",
        ),
        pytest.param(f"echo '{CANARY}'; echo '{CANARY}' >&2; sleep 5", 4, id="no-end"),
        pytest.param(f"echo '{CANARY}' >&2; kill -9 $PPID; sleep 1", 4, id="killed"),
    ],
)
def test_what_a_strange_docker_of_a_server_says_is_not_repeated(
    watch: Watch,
    sshd: SshServer,
    project: Project,
    access: dict[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    code: int,
) -> None:
    monkeypatch.setattr(drift, "TIMEOUT_S", 1.0)
    program = sshd.home / "strange"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    path = project.folder / ".github" / "orient-deploy.yml"
    path.write_text(path.read_text().replace("docker-client", "strange"))
    project.commit_all()

    done = watch.act("drift", **access, **VALUES)

    assert watch.leaks() == {}
    assert done.code == code, done.stdout


@pytest.mark.parametrize("ending", ["", "; exit 1"], ids=["goes-on", "ends"])
def test_what_a_login_prints_is_not_repeated(
    watch: Watch, sshd: SshServer, access: dict[str, str | None], ending: str
) -> None:
    start_up = sshd.home / ".ssh" / "rc"
    start_up.write_text(f"echo '{CANARY}'; echo '{CANARY}' >&2{ending}\n")
    try:
        done = watch.act("drift", **access, **VALUES)
    finally:
        start_up.unlink()

    assert watch.leaks() == {}
    assert done.code in (0, 4), done.stdout


def test_a_host_that_says_the_secret_is_not_repeated(
    watch: Watch, access: dict[str, str | None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        known = f"[127.0.0.1]:{port} {str(access['INPUT_KNOWN_HOSTS']).split(None, 1)[1]}"
        child = os.fork()
        if child == 0:
            other, _ = listener.accept()
            other.sendall(f"{CANARY}\r\n{CANARY}\r\n".encode())
            other.close()
            os._exit(0)
        given = {**access, "INPUT_HOSTS": f"o@127.0.0.1:{port}", "INPUT_KNOWN_HOSTS": known}
        done = watch.act("drift", **given, **VALUES)
        os.waitpid(child, 0)

    assert (done.code, watch.leaks()) == (4, {})


# --- ends in the middle

MIDDLES: dict[str, tuple[object, str, str]] = {
    "reading": (compose, "_values", "sync-secrets"),
    "masking": (Log, "mask", "sync-secrets"),
    "planning": (sync_secrets, "plan_secrets", "sync-secrets"),
    "fingerprints": (Key, "fingerprint", "sync-secrets"),
    "writing": (github_secrets.Store, "put_secret", "sync-secrets"),
    "sealing": (github_secrets.Store, "_sealed", "sync-secrets"),
    "variables": (github_secrets.Store, "put_variable", "sync-secrets"),
    "requests": (api.Api, "_ask", "sync-secrets"),
    "noting": (apply, "state_text", "sync-secrets"),
    "showing": (sync_secrets, "plan_markdown", "sync-secrets"),
    "publishing": (Context, "publish", "sync-secrets"),
    "marking": (RunKey, "mark", "drift"),
    "comparing": (drift, "compare", "drift"),
    "revealing": (Hidden, "reveal", "drift"),
    "server": (drift, "parse_answer", "drift"),
}


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        pytest.param(RuntimeError, 70, id="our-fault"),
        pytest.param(KeyboardInterrupt, 130, id="ctrl-c"),
        pytest.param(MemoryError, 70, id="no-memory"),
        pytest.param(OSError, 3, id="the-machine"),
        pytest.param(SystemExit, 0, id="a-signal"),
    ],
)
def test_an_end_in_the_middle_shows_nothing(
    watch: Watch,
    access: dict[str, str | None],
    github: GitHubState,
    monkeypatch: pytest.MonkeyPatch,
    ending: type[BaseException],
    code: int,
) -> None:
    for name, (owner, function, command) in MIDDLES.items():
        _forget(github)
        given: dict[str, str | None] = {"INPUT_CONTENT": FILE, "INPUT_REWRITE": "true"}
        given |= VALUES if command == "drift" else {}
        given |= access if name == "server" else {"INPUT_HOSTS": "none"}
        with monkeypatch.context() as patch:
            _replace(patch, owner, function, _raising(ending))

            done = watch.act(command, **given)

        assert (name, done.code, watch.leaks()) == (name, code, {})
        assert ("Traceback" in done.stdout) == (code == 70), name


def _raising(ending: type[BaseException]) -> Callable[..., object]:
    def middle(*given: object, **named: object) -> object:
        raise ending

    return middle


def _replace(
    patch: pytest.MonkeyPatch, owner: object, name: str, other: Callable[..., object]
) -> None:
    patch.setattr(owner, name, other)


# --- each way, leaking

Leak = Callable[[pytest.MonkeyPatch, Watch], object]


def _wrapped(
    patch: pytest.MonkeyPatch, owner: Any, name: str, before: Callable[..., object]
) -> None:
    original = getattr(owner, name)

    def leaking(*given: Any, **named: Any) -> Any:
        before(*given, **named)
        return original(*given, **named)

    patch.setattr(owner, name, leaking)


def _saying(text: str) -> Leak:
    def leak(patch: pytest.MonkeyPatch, watch: Watch) -> None:
        original = plan_lines
        patch.setattr(sync_secrets, "plan_lines", lambda *a, **k: [*original(*a, **k), (text,)])

    return leak


def _publishing(name: str, value: object) -> Leak:
    def leak(patch: pytest.MonkeyPatch, watch: Watch) -> None:
        original = Context.publish

        def publish(self: Context, outputs: Any, *, lines: Any, markdown: str = "") -> None:
            if name == "markdown":
                markdown = str(value)
            else:
                outputs = {**outputs, name: value}
            original(self, outputs, lines=lines, markdown=markdown)

        patch.setattr(Context, "publish", publish)

    return leak


def _doing(action: Callable[[Watch], object]) -> Leak:
    return lambda patch, watch: _wrapped(
        patch, sync_secrets, "plan_secrets", lambda *a, **k: action(watch)
    )


def _failing(make: Callable[[], BaseException]) -> Leak:
    def fail(watch: Watch) -> None:
        raise make()

    return _doing(fail)


def _caused(*, hidden: bool) -> BaseException:
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as error:
            told = InputError("something", "a reason", "Do this")
            raise told from (None if hidden else error)
    except InputError as told:
        return told


def _file(folder: Callable[[Watch], Path], mode: int, *, stays: bool) -> Leak:
    def write(watch: Watch) -> None:
        path = folder(watch) / "copy"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, mode))
        if not stays:
            path.unlink()

    return _doing(write)


def _child(argv: list[str], **env: str) -> Leak:
    return _doing(
        lambda watch: subprocess.run(
            argv, env={**env, "PATH": watch.project.runner["PATH"]}, check=False, timeout=30
        )
    )


def _late_mask(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    _wrapped(patch, sync_secrets, "mask", lambda read, names, context: context.log.say("hello"))


def _state(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    original = state_text
    patch.setattr(
        apply, "state_text", lambda state: original(state).replace("production", RUN_TOGETHER)
    )


def _at_github(text: str) -> Leak:
    def leak(patch: pytest.MonkeyPatch, watch: Watch) -> None:
        original = github_secrets.Store.variable

        def variable(self: Any, name: str) -> Any:
            self._api.find(f"{self._variables}/X{text}")
            return original(self, name)

        variables = github_secrets.Store.variables

        def listed(self: Any) -> Any:
            variable(self, STATE)
            return variables(self)

        patch.setattr(github_secrets.Store, "variables", listed)

    return leak


def _query(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    original = api.Api.get
    patch.setattr(
        api.Api, "get", lambda self, path, query: original(self, path, {**query, "q": CANARY})
    )


def _body(patch: pytest.MonkeyPatch, watch: Watch) -> None:
    patch.setattr(
        github_secrets.Store,
        "_sealed",
        lambda self, value, key: base64.b64encode(value.reveal().encode()).decode(),
    )


SHA256 = hashlib.sha256(CANARY.encode())
LEAKS: dict[str, tuple[str, Leak]] = {
    "stdout": ("stdout", _saying(f"x {CANARY}")),
    "stdout-in-base64": ("stdout", _saying(base64.b64encode(f"a{CANARY}b".encode()).decode())),
    "stdout-for-URLs": ("stdout", _saying("?q=" + CANARY.replace("/", "%2F").replace("+", "%2B"))),
    "a-piece": ("stdout", _saying(f"starts with {WORDS[2]}…")),
    "in-upper-case": ("stdout", _saying(RUN_TOGETHER.upper())),
    "its-length": ("stdout", _saying(f"it has {len(CANARY)} characters")),
    "sha256": ("stdout", _saying(SHA256.hexdigest())),
    "sha256-cut-short": ("stdout", _saying(SHA256.hexdigest()[:16].upper())),
    "sha256-in-base64": ("stdout", _saying(base64.b64encode(SHA256.digest()).decode())),
    "sha1": ("stdout", _saying(hashlib.sha1(CANARY.encode()).hexdigest())),
    "md5": ("stdout", _saying(hashlib.md5(f"{CANARY}\n".encode()).hexdigest())),
    "the-token": ("stdout", _saying(TOKEN)),
    "the-key": ("stdout", _saying(KEY)),
    "stderr": ("stderr", _doing(lambda watch: os.write(2, CANARY.encode()))),
    "stdout-of-the-process": ("stdout", _doing(lambda watch: os.write(1, CANARY.encode()))),
    "summary": ("summary", _publishing("markdown", f"### {CANARY}")),
    "outputs": ("outputs", _publishing("written", [CANARY])),
    "annotations": (
        "annotations",
        lambda patch, watch: _wrapped(
            patch, main, "_report", lambda error, log: log.error(f"% {CANARY}")
        ),
    ),
    "argv": ("argv", _child(["git", "--version", CANARY])),
    "argv-of-a-shell": ("argv", _child(["sh", "-c", f": '{CANARY}'"])),
    "environment": ("environment", _child(["git", "--version"], X=CANARY)),
    "environment-of-compose": (
        "environment",
        lambda patch, watch: patch.setattr(compose, "_environment", lambda env: {"X": CANARY}),
    ),
    "a-file-for-all": ("files", _file(lambda watch: watch.project.temp, 0o644, stays=False)),
    "a-file-elsewhere": ("files", _file(lambda watch: watch.project.folder, 0o600, stays=False)),
    "a-file-that-stays": ("files", _file(lambda watch: watch.project.temp, 0o600, stays=True)),
    "an-exception": ("exception", _failing(lambda: InputError("x", CANARY, "y"))),
    "its-cause": ("exception", _failing(lambda: _caused(hidden=False))),
    "its-hidden-context": ("exception", _failing(lambda: _caused(hidden=True))),
    "a-traceback": ("traceback", _failing(lambda: RuntimeError(CANARY))),
    "a-traceback-shown": ("stdout", _failing(lambda: RuntimeError(CANARY))),
    "locals": (
        "stdout",
        lambda patch, watch: (
            _failing(RuntimeError)(patch, watch),
            patch.setattr(main, "_report_fault", _with_locals),
        ),
    ),
    "the-state": ("variables", _state),
    "the-journal": ("journal", _at_github(RUN_TOGETHER)),
    "a-path": ("requests", _at_github(RUN_TOGETHER)),
    "a-query": ("requests", _query),
    "a-body": ("requests", _body),
    "masks-too-late": ("masks", _late_mask),
}


def _with_locals(log: Log) -> None:
    error = sys.exc_info()[1]
    assert error is not None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    log.say("".join(told.format()))


@pytest.mark.parametrize(("channel", "leak"), LEAKS.values(), ids=LEAKS)
def test_each_way_that_leaks_is_found(
    watch: Watch, github: GitHubState, monkeypatch: pytest.MonkeyPatch, channel: str, leak: Leak
) -> None:
    watch.answering(VALUES)
    with monkeypatch.context() as patch:
        leak(patch, watch)
        if channel == "annotations":
            watch.act("sync-secrets", INPUT_KEY="x")
        else:
            watch.act("sync-secrets")
    (watch.project.temp / "copy").unlink(missing_ok=True)
    github.excuse()

    assert channel in watch.leaks()


def test_a_leaking_issue_is_found(
    watch: Watch, github: GitHubState, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.answering(VALUES)
    monkeypatch.setattr(drift, "drift_markdown", lambda *given: f"### {CANARY}")

    watch.act("drift", INPUT_HOSTS="none", INPUT_ISSUE="true", DATABASE_URL="other")

    assert "issue" in watch.leaks()


def test_leaking_json_is_found(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.answering(VALUES)
    _publishing("plan", {"A": CANARY})(monkeypatch, watch)

    watch.run("secrets", "plan", "--json")

    assert "stdout" in watch.leaks()


def test_masks_on_a_laptop_are_found(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.answering(VALUES)
    _wrapped(
        monkeypatch,
        sync_secrets,
        "mask",
        lambda read, names, context: context.stdout.write(f"::add-mask::{CANARY}\n"),
    )

    watch.run("secrets", "plan")

    assert "masks" in watch.leaks()
