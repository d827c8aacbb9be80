"""The command `diagnose`: files, the jobs of a run, and containers of a real engine, here and over
a real sshd."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.canary import leaks
from tests.fakes.github_model import KeptLog
from tests.fakes.github_state import GitHubState, github_state
from tests.fakes.log_store import Kept, LogStore, log_store
from tests.machines.docker_engine import DockerEngine, docker_engine
from tests.machines.parts import part
from tests.machines.ssh_server import ssh_server
from tests.unit.commands.conftest import Consumer, Finished, run_command
from tests.unit.github.test_jobs import job

TOKEN = "ghs_d0NotTellAnybody"
CANARY = "canary/Zx81swordfish0fThisFile"
MISSING = "Error: DASHBOARD_JWT_SECRET environment variable is required"
UPSTREAM = (
    '[emerg] 1#1: host not found in upstream "orienter-opencode-staging:5099" in nginx.conf:4'
)
EXPRESS = "PathError [TypeError]: Missing parameter name at index 1: *; visit https://git.new/pathToRegexpError"


def laptop(*argv: str, **env: str) -> Finished:
    return run_command(("diagnose", *argv), {"PATH": os.environ["PATH"], **env})


def ids(finished: Finished) -> list[str]:
    return [one["id"] for one in json.loads(finished.outputs["diagnoses"])]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "deploy.log"
    path.write_text(f"connecting with {CANARY}\ndashboard-1  | {MISSING} {CANARY}\n{UPSTREAM}\n")
    return path


# --- files


def test_a_file_is_told_on_a_laptop(log: Path) -> None:
    done = laptop("--log", str(log))

    assert done.code == 0
    assert "2 known causes found: a rollback does not cure it" in done.stdout
    assert "$ docker compose --env-file ../.env up -d dashboard" in done.stdout
    assert f"{log}, line 2: DASHBOARD_JWT_SECRET environment variable is required\n" in done.stdout
    assert leaks(CANARY, done.stdout, done.stderr) == []


def test_programs_get_json(log: Path) -> None:
    done = laptop("--log", str(log), "--json", "--fail")

    assert done.code == 1
    assert json.loads(done.stdout) == {
        "found": True,
        "rollback-cures": "false",
        "diagnoses": [
            {
                "id": "variable-missing",
                "service": "dashboard",
                "where": "container",
                "count": 1,
                "rollback": "depends",
            },
            {
                "id": "nginx-upstream-unknown",
                "service": "nginx",
                "where": "nginx",
                "count": 1,
                "rollback": "no",
            },
        ],
    }


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(f"x\n{EXPRESS}\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)

    done = laptop("--log", "-")

    assert "standard input, line 2" in done.stdout
    assert "1 known cause found: a rollback cures it" in done.stdout


def test_what_is_not_known_is_not_guessed_at(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("Error: something that nobody knows\n")

    done = laptop("--log", str(path), "--fail")

    assert done.code == 0
    assert done.stdout == "Nothing known was found in 1 source\n"


def test_a_file_that_is_lacking_does_not_hide_the_others(log: Path, tmp_path: Path) -> None:
    done = laptop("--log", f"{tmp_path}/none.log,{log}")

    assert done.code == 0
    assert "2 known causes" in done.stdout
    told = done.stdout + done.stderr
    assert told.count("none.log' cannot be read: No such file or directory") == 1


def test_only_a_file_that_is_lacking_is_an_error(tmp_path: Path) -> None:
    done = laptop("--log", f"{tmp_path}/none.log")

    assert done.code == 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param((), "there is nothing to read", id="nothing"),
        pytest.param(("--run-id", "x"), "'x' is no run", id="no-run"),
        pytest.param(("--run-id", "1", "--attempt", "0"), "no number of an attempt", id="attempt"),
        pytest.param(("--containers", "a", "--attempt", "2"), "without a run", id="of-no-run"),
        pytest.param(("--containers", "a;b"), "no name of a container", id="container"),
    ],
)
def test_a_wrong_input_is_refused(argv: tuple[str, ...], message: str) -> None:
    done = laptop(*argv)

    assert (done.code, message in done.stdout) == (2, True)


# --- the jobs of a run


@pytest.fixture
def github() -> Iterator[GitHubState]:
    with github_state(TOKEN, repository="acme/app") as server:
        yield server


@pytest.fixture
def store() -> Iterator[LogStore]:
    with log_store() as server:
        yield server


def action(consumer: Consumer, github: GitHubState, **inputs: str) -> Finished:
    given = {f"INPUT_{name.upper()}": value for name, value in inputs.items()}
    api = {"GITHUB_API_URL": github.url, "GITHUB_RUN_ID": "4711", "INPUT_TOKEN": TOKEN}
    return consumer.run("diagnose", **{**api, **given})


def add_jobs(github: GitHubState, store: LogStore, **logs: tuple[str, str]) -> None:
    """Jobs of run 4711 by name, each with its conclusion and its log."""
    jobs: list[dict[str, Any]] = []
    for number, (name, (conclusion, text)) in enumerate(logs.items(), 1):
        jobs.append(job(number, name=name.replace("_", " "), conclusion=conclusion, run_attempt=1))
        kept = Kept(body=text.replace("\n", "\r\n").encode())
        github.repository.logs[number] = KeptLog(store.keep(kept) if text != "gone" else "")
    github.repository.jobs[4711] = jobs


def test_the_failed_jobs_of_this_run_are_read_and_no_other(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    add_jobs(
        github,
        store,
        test=("success", f"{UPSTREAM}\n"),
        build=("failure", f"\ufeff2026-11-24T02:15:55.3714027Z {MISSING}\n{EXPRESS}\n"),
    )

    done = action(consumer, github)

    assert done.code == 0
    assert ids(done) == ["variable-missing", "express-wildcard-route"]
    assert done.outputs["found"] == "true"
    assert done.outputs["rollback-cures"] == "unknown"
    assert store.requests == 1
    assert len(done.errors) == 2
    assert "job build, line 2" in done.errors[1] and "Fix: Name the wildcard" in done.errors[1]
    assert "<code>test</code>" not in done.summary
    assert "job build, line 1" in done.summary
    assert "```bash\ngrep -c " in done.summary
    assert TOKEN not in done.stdout + done.summary


def test_a_deploy_that_waits_for_a_failed_build_is_told(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    add_jobs(
        github,
        store,
        Build_OpenCode_Image=("success", ""),
        Build_Dashboard_Image=("failure", "JavaScript heap out of memory\n"),
        Deploy_to_Oracle_Cloud=("skipped", ""),
    )

    done = action(consumer, github)

    assert ids(done) == ["heap-out-of-memory", "partial-deployment"]
    assert "(Build Dashboard Image)" in done.summary


def test_a_skipped_deploy_alone_is_not_partial(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    add_jobs(github, store, build=("failure", "x\n"), deploy=("skipped", ""))

    done = action(consumer, github)

    assert (done.code, ids(done), done.outputs["found"]) == (0, [], "false")
    assert done.outputs["rollback-cures"] == "unknown"
    assert "Nothing known was found in 1 source" in done.summary


def test_another_run_and_another_attempt_may_be_asked_for(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    add_jobs(github, store, build=("failure", f"{EXPRESS}\n"))
    address = "https://github.com/acme/app/actions/runs/4711/job/7"

    done = action(consumer, github, run_id=address, attempt="1", github_run_id="1")

    assert ids(done) == ["express-wildcard-route"]
    assert github.journal[0].path == "/repos/acme/app/actions/runs/4711/attempts/1/jobs"


def test_a_log_that_is_gone_does_not_hide_the_others(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    add_jobs(github, store, old=("failure", "gone"), build=("timed_out", f"{EXPRESS}\n"))

    done = action(consumer, github)

    assert (done.code, ids(done)) == (0, ["express-wildcard-route"])
    assert any("no longer keeps it" in one for one in done.warnings)


def test_a_token_that_may_not_read_is_an_error(consumer: Consumer, github: GitHubState) -> None:
    github.allow(TOKEN, issues="write")

    done = action(consumer, github)

    assert done.code == 4
    assert "actions: read" in done.errors[0]


def test_a_log_cannot_write_workflow_commands(
    consumer: Consumer, github: GitHubState, store: LogStore
) -> None:
    evil = "no such service: x%0A::error::y\n##[error]no such service: ::set-output`|<b>\n"
    add_jobs(github, store, build=("failure", evil))

    done = action(consumer, github)

    assert done.code == 0
    assert len(done.errors) == 2 and "<b>" not in done.summary
    assert not any(line.startswith("::set-output") for line in done.stdout.splitlines())


# --- containers


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """An engine whose containers fail as they do in production."""
    with docker_engine("28") as running:
        image = tmp_path_factory.mktemp("image")
        (image / "busybox").write_bytes(running.busybox.read_bytes())
        (image / "busybox").chmod(0o755)
        (image / "Dockerfile").write_text(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY busybox /bin/sh\n"
            "COPY busybox /bin/sleep\n"
        )
        running.docker("build", "--tag", "orient", str(image))
        common = ("run", "-d", "--network", "none")

        def label(service: str) -> tuple[str, ...]:
            return (
                *("--name", f"orienter-{service}"),
                *("--label", f"com.docker.compose.service={service}"),
                *("--label", "com.docker.compose.project=docker"),
            )

        shell = ("orient", "/bin/sh", "-c")
        running.docker(
            *common,
            "--restart",
            "always",
            *label("dashboard"),
            *shell,
            f"echo '{MISSING}' >&2; exit 1",
        )
        running.docker(*common, *label("nginx"), *shell, f"echo '{UPSTREAM}'; exit 1")
        running.docker(*common, *label("migrate"), *shell, f"echo '{UPSTREAM}'")
        running.docker(*common, *label("opencode"), *shell, f"echo {CANARY}; sleep 1000")
        running.docker(
            *(*common, "--health-cmd", "curl -f localhost", "--health-interval", "1s"),
            *("--health-retries", "1", *label("bot-slack"), *shell, "sleep 1000"),
        )
        running.docker("create", *label("broken"), "orient", "/bin/nope")
        running.docker("start", "orienter-broken", check=False)
        wanted = {"orienter-bot-slack": "unhealthy", "orienter-dashboard": "restarting"}
        for name, state in wanted.items():
            for _ in range(200):
                seen = running.docker("inspect", "--format", "{{json .State}}", name).stdout
                if f'"{state}"' in seen:
                    break
            else:
                raise AssertionError(f"{name} is not {state}")
        yield running


def here(engine: DockerEngine, tmp_path: Path, *argv: str) -> Finished:
    env = {name: engine.env[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH")}
    return laptop(f"--path={tmp_path}", "--json", *argv, **env)


def told(done: Finished) -> set[tuple[str, str]]:
    assert done.code == 0, done.stderr
    return {(one["id"], one["service"]) for one in json.loads(done.stdout)["diagnoses"]}


def test_every_container_that_is_not_well_is_asked(engine: DockerEngine, tmp_path: Path) -> None:
    done = here(engine, tmp_path, "--containers", "all")

    assert told(done) == {
        ("variable-missing", "dashboard"),
        ("crash-loop", "dashboard"),
        ("nginx-upstream-unknown", "nginx"),
        ("command-not-found", "bot-slack"),
        ("program-missing", "broken"),
    }
    assert leaks(CANARY, done.stdout, done.stderr) == []


@pytest.mark.parametrize("name", ["nginx", "orienter-nginx"])
def test_a_container_is_known_by_its_service_too(
    engine: DockerEngine, tmp_path: Path, name: str
) -> None:
    done = here(engine, tmp_path, "--containers", f"{name}, whatsapp-bot")

    assert told(done) == {("nginx-upstream-unknown", "nginx")}
    assert "There is no container and no service whatsapp-bot" not in done.stdout


def test_a_name_that_no_container_has_is_said(engine: DockerEngine, tmp_path: Path) -> None:
    env = {name: engine.env[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH")}

    done = laptop(f"--path={tmp_path}", "--containers", "whatsapp-bot,opencode", **env)

    assert "note: There is no container and no service whatsapp-bot\n" in done.stdout


def test_docker_that_does_not_run_is_said(engine: DockerEngine, tmp_path: Path) -> None:
    env = {"PATH": engine.env["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none"}

    done = laptop(f"--path={tmp_path}", "--containers", "all", **env)

    assert done.code == 3
    assert done.stdout.count("docker cannot be asked for its containers") == 1


def test_containers_of_a_server_are_asked_over_ssh(engine: DockerEngine, tmp_path: Path) -> None:
    repository = tmp_path / "app"
    (repository / ".github").mkdir(parents=True)
    with ssh_server(tmp_path / "sshd") as server:
        docker = f"DOCKER_HOST={engine.env['DOCKER_HOST']} {part('28')}/usr/bin/docker"
        (repository / ".github" / "orient-deploy.yml").write_text(
            "version: 1\nimages: {web: {}}\nenvironments:\n"
            f"  production: {{hosts: ['{server.address}'], project: docker, docker: '{docker}'}}\n"
        )
        key = tmp_path / "key"
        key.write_text(server.key)
        key.chmod(0o600)
        done = run_command(
            (
                *("diagnose", f"--path={repository}", "--containers=all", "--json"),
                f"--known-hosts={server.known_hosts}",
            ),
            {
                "PATH": os.environ["PATH"],
                "HOME": str(_home(tmp_path, key)),
            },
        )

    assert {service for _, service in told(done)} == {"dashboard", "nginx", "bot-slack", "broken"}


def _home(folder: Path, key: Path) -> Path:
    """A home whose ssh logs in with the key, as one's own does."""
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(f"IdentityFile {key}\nIdentitiesOnly yes\n")
    (home / ".ssh" / "config").chmod(0o600)
    return home
