"""The command `preflight`, run on a clone with real files and the real Compose."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.repositories import RepositoryBuilder, check_out
from tests.machines.parts import part
from tests.unit.commands.conftest import Finished, run_command

CONFIG = """\
version: 1
images:
  dashboard: {repository: ghcr.io/acme/dashboard}
environments:
  production:
    hosts: [opc@203.0.113.7]
    directory: ~/orienter
    workdir: docker
    project: docker
    compose: [docker/v2.yml, docker/prod.yml]
    env-file: .env
    secrets: {file: .env.production, required: [DATABASE_URL]}
  staging:
    hosts: [opc@203.0.113.7]
    directory: ~/orienter
    workdir: docker
    project: staging
    compose: [docker/v2.yml, docker/staging.yml]
"""
V2 = """\
services:
  dashboard:
    image: ghcr.io/acme/dashboard:latest
    environment: {DATABASE_URL: '${DATABASE_URL:?it is needed}'}
    ports: ['4098:4098']
  postgres:
    image: postgres:16
    environment:
      POSTGRES_DB: ${POSTGRES_DB:-whatsapp_bot}
"""
PROD = "services: {dashboard: {container_name: orienter-dashboard}}\n"
STAGING = (
    "services: {dashboard: {container_name: dashboard-staging, ports: !override ['4198:4098']}}\n"
)
CANARY = "Zx81-swordfish"
VARIABLES = f"DATABASE_URL='postgres://bot:{CANARY}@postgres/whatsapp_bot'\n"
FILES = {
    ".github/orient-deploy.yml": CONFIG,
    "docker/v2.yml": V2,
    "docker/prod.yml": PROD,
    "docker/staging.yml": STAGING,
    "Dockerfile": "FROM scratch\n",
    ".gitignore": ".env*\n",
}


class Project:
    """A clone of two commits, of which the first may be another."""

    def __init__(self, folder: Path, before: dict[str, str] | None = None) -> None:
        builder = RepositoryBuilder(folder / "origin.git")
        first = builder.commit({**FILES, **(before or {})})
        self.commit = builder.commit(FILES, parents=(first,))
        self.before = first
        builder.ref("refs/heads/main", self.commit)
        self.folder = check_out(
            builder.directory, folder / "workspace", self.commit, "refs/heads/main"
        )
        self.temp = folder / "temp"
        self.temp.mkdir()
        engine = part("28") / "usr"
        home = folder / "home"
        (home / ".docker").mkdir(parents=True)
        (home / ".docker" / "cli-plugins").symlink_to(engine / "libexec/docker/cli-plugins")
        self.laptop = {
            "PATH": f"{engine / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
        }
        self.runner = {
            **self.laptop,
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": self.commit,
            "GITHUB_REPOSITORY": "acme/orient",
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "RUNNER_TEMP": str(self.temp),
            "INPUT_HOSTS": "none",
        }
        self.write(".env.production", VARIABLES)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def run(self, *argv: str) -> Finished:
        given = ("preflight", f"--path={self.folder}", "--hosts=none", *argv)
        return run_command(given, self.laptop)

    def findings(self, *argv: str) -> list[tuple[str, str, str]]:
        """Severity, check and subject of each."""
        done = self.run(*argv, "--json")
        assert done.code in (0, 1), done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return [(one["severity"], one["check"], one["subject"]) for one in told["findings"]]

    def act(self, **changes: str) -> Finished:
        return run_command(("preflight",), {**self.runner, **changes})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_what_is_right_gives_no_finding(project: Project) -> None:
    done = project.run()

    assert done.code == 0
    assert done.stdout.startswith("Preflight of production, staging: nothing found\n")


def test_a_default_that_changed_since_the_last_commit_is_found(tmp_path: Path) -> None:
    """The lesson of a database that came up empty under its new name."""
    project = Project(tmp_path, {"docker/v2.yml": V2.replace("whatsapp_bot", "bot")})

    assert project.findings("--environment=production", "--checks=compose") == [
        ("error", "compose/default-changed", "POSTGRES_DB")
    ]


def test_what_runs_may_be_another_commit(tmp_path: Path) -> None:
    project = Project(tmp_path, {"docker/v2.yml": V2.replace("whatsapp_bot", "bot")})

    assert project.findings("--checks=compose", f"--base={project.commit}") == []
    assert project.findings("--checks=compose", "--base=HEAD") == []
    done = project.run("--base=nothing")
    assert "'nothing' names no commit that can be had" in done.stdout


def test_a_name_that_is_set_may_have_another_default(tmp_path: Path) -> None:
    project = Project(tmp_path, {"docker/v2.yml": V2.replace("whatsapp_bot", "bot")})
    project.write(".env.production", f"{VARIABLES}POSTGRES_DB=whatsapp_bot\n")

    assert project.findings("--environment=production") == []


def test_each_environment_has_its_findings(project: Project) -> None:
    project.change("docker/staging.yml", ", ports: !override ['4198:4098']", "")
    project.write(".env.production", "JWT_SECRET=short\n")

    assert project.findings("--checks=compose environment") == [
        ("error", "environment/required-missing", "DATABASE_URL"),
        ("error", "environment/too-short", "JWT_SECRET"),
        ("error", "compose/stack-port", "4098/tcp"),
        ("hint", "environment/unknown", ".env.production"),
    ]


def test_one_environment_is_looked_at_alone(project: Project) -> None:
    project.change("docker/prod.yml", "orienter-dashboard", "x, ports: ['80:1', '80:2']")

    assert project.findings("--environment=staging") == []


def test_another_file_of_variables_may_be_named(project: Project) -> None:
    project.write("other.env", "DATABASE_URL=changeme\n")

    found = project.findings("--environment=production", "--env-file=other.env")

    assert found == [("error", "environment/placeholder", "DATABASE_URL")]


def test_an_accepted_finding_does_not_fail(project: Project) -> None:
    project.change("docker/v2.yml", "postgres:16", "postgres")
    entry = "{check: compose/image-untagged, subject: postgres, reason: x, until: 2990-01-01}"
    assert len(project.findings("--checks=compose", "--environment=production")) == 1

    project.change(
        ".github/orient-deploy.yml", "environments:", f"accept: [{entry}]\nenvironments:"
    )

    assert project.findings("--checks=compose") == []
    assert "accepted" in project.run("--checks=compose").stdout


@pytest.mark.parametrize(("fail_on", "code"), [("", 0), ("error", 0), ("warning", 1), ("never", 0)])
def test_how_heavy_a_finding_fails_can_be_said(project: Project, fail_on: str, code: int) -> None:
    project.change("docker/v2.yml", "postgres:16", "postgres")

    assert project.run("--checks=compose", f"--fail-on={fail_on}").code == code


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--checks=composer",), "there is no group 'composer'"),
        (("--fail-on=hint",), "input 'fail-on' is 'hint'"),
        (("--environment=prod",), "there is no 'prod'"),
        (("--compose=docker/v3.yml",), "the compose file docker/v3.yml is not there"),
        (("--env-file=.env.none",), "there is no such file"),
        (("--config=other.yml",), "or name another file in 'config'"),
        (("--hosts=web-1",), "'web-1' is no host"),
        (("--references={",), "input 'references' is no JSON object"),
        (("--build=true",), "input 'build' is 'true' without 'local'"),
        (("--nginx=/nowhere/nginx -q",), "there is no command '/nowhere/nginx'"),
        (("--base=nosuch", "--checks=host"), "'nosuch' names no commit"),
        (("--env-file=.env.none", "--checks=repository"), "there is no such file"),
    ],
)
def test_a_wrong_input_is_told(project: Project, argv: tuple[str, ...], message: str) -> None:
    done = project.run(*argv)

    assert done.code == 2
    assert message in done.stdout


def test_a_project_without_a_configuration_is_looked_at(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (project.folder / ".github/orient-deploy.yml").unlink()
    project.write("compose.yaml", "services: {a: {image: nginx}}\n")
    project.write("compose.override.yaml", "services: {b: {image: redis}}\n")

    assert project.findings("--checks=compose") == [
        ("warning", "compose/image-untagged", "a"),
        ("warning", "compose/image-untagged", "b"),
    ]


def test_the_variables_beside_the_compose_file_are_read_as_compose_does(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (project.folder / ".github/orient-deploy.yml").unlink()
    project.write("compose.yaml", "services: {a: {image: 'nginx:${TAG}', command: '$NONE'}}\n")
    project.write(".env", "TAG=latest\n")

    done = project.run("--checks=compose")

    assert "compose/image-latest" in done.stdout and "nginx:${TAG}" in done.stdout
    assert "NONE is not set in .env" in done.stdout
    assert "is at hand" not in done.stdout


def test_servers_without_an_environment_are_not_passed_over(tmp_path: Path) -> None:
    """A green run would say that they were looked at."""
    project = Project(tmp_path)
    (project.folder / ".github/orient-deploy.yml").unlink()
    project.write("compose.yaml", "services: {a: {image: 'nginx:1.27'}}\n")

    done = project.run("--hosts=deploy@203.0.113.9")

    assert done.code == 2
    assert "input 'hosts' names servers, and no environment is known" in done.stdout


def test_a_commit_cannot_be_named_where_there_is_no_repository(tmp_path: Path) -> None:
    project = Project(tmp_path)
    folder = tmp_path / "plain"
    folder.mkdir()

    done = run_command(("preflight", f"--path={folder}", "--base=main"), project.laptop)

    assert done.code == 2 and "there is no repository" in done.stdout


ACCEPTED = "accept:\n  - {{check: {}, reason: known, until: 2999-01-01}}\n"


@pytest.mark.parametrize(
    ("entry", "argv", "is_unused"),
    [
        pytest.param("compose/image-untagged", (), True, id="not-found"),
        pytest.param("compose/image-untagged", ("--environment=staging",), False, id="one-of-two"),
        pytest.param(
            "compose/image-untagged, environment: production",
            ("--environment=staging",),
            False,
            id="of-another-environment",
        ),
        pytest.param(
            "compose/image-untagged, environment: staging",
            ("--environment=staging",),
            True,
            id="of-that-environment",
        ),
        pytest.param("host/disk-low", (), False, id="no-host-was-asked"),
        pytest.param(
            "environment/too-short, environment: staging", (), False, id="no-file-is-at-hand"
        ),
        pytest.param("nginx/invalid", (), False, id="there-is-no-nginx"),
        pytest.param("repository/env-in-image", ("--environment=staging",), True, id="repository"),
    ],
)
def test_an_acceptance_is_unused_where_it_was_looked_for(
    project: Project, entry: str, argv: tuple[str, ...], is_unused: bool
) -> None:
    project.write(".github/orient-deploy.yml", CONFIG + ACCEPTED.format(entry))

    unused = [one for one in project.findings(*argv) if one[1] == "accept/unused"]

    subject = entry.replace(", environment:", " of")
    assert unused == ([("hint", "accept/unused", subject)] if is_unused else [])


def test_the_summary_names_what_was_looked_at_alone(project: Project) -> None:
    """No server was asked, and no nginx is there."""
    assert "Looked at: compose, environment, repository." in project.act().summary


def test_a_folder_that_is_no_clone_is_looked_at(tmp_path: Path) -> None:
    project = Project(tmp_path)
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text("services: {a: {image: nginx}}\n")

    done = run_command(("preflight", f"--path={folder}"), project.laptop)

    assert done.code == 0 and "compose/image-untagged" in done.stdout
    assert "no checkout of git" in done.stdout


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(f"A=1\nB='{CANARY}\n", 3, id="an-open-quote"),
        pytest.param(f"A=1\nB={CANARY}${{\n", 0, id="a-reference-that-is-none"),
        pytest.param(f"{CANARY} x=1\n", 1, id="a-name-with-a-blank"),
    ],
)
def test_a_file_that_compose_does_not_read_is_a_finding(
    project: Project, text: str, line: int
) -> None:
    """Of that environment; the others are looked at all the same, and nothing of it is shown."""
    project.write(".env.production", text)
    project.change("docker/v2.yml", "postgres:16", "postgres")

    done = project.run("--checks=environment compose", "--json")

    found = [(one["check"], one["line"]) for one in json.loads(done.stdout)["findings"]]
    assert found[0] == ("environment/unreadable", line)
    assert [check for check, _ in found[1:]] == ["compose/image-untagged"] * 2
    assert done.code == 1 and CANARY not in done.stdout + done.stderr
    assert "of variables of production is at hand" not in project.run().stdout


# --- on a runner


def test_a_runner_gets_outputs_annotations_and_a_summary(project: Project) -> None:
    project.write(".env.production", "")

    done = project.act()

    outputs = dict(done.outputs)
    assert done.code == 1
    assert outputs["passed"] == "false" and outputs["errors"] == "1"
    assert json.loads(outputs["findings"])[0]["check"] == "environment/required-missing"
    assert "::error " in done.stdout and "(environment/required-missing)" in done.stdout
    assert "### Preflight of production, staging: 1 error" in done.summary


def test_no_value_leaves_the_file(project: Project) -> None:
    project.change("docker/prod.yml", "orienter-dashboard", "'$DATABASE_URL'")
    project.write(
        ".env.production", f"{VARIABLES}JWT_SECRET={CANARY}\nB='{CANARY}'\nA=a${CANARY}\n"
    )

    done = project.act()

    shown = [line for line in done.stdout.splitlines() if not line.startswith("::add-mask::")]
    assert done.code == 1
    assert CANARY not in "\n".join(shown) + done.stderr + done.summary + str(done.outputs)


def test_another_commit_is_not_judged_on_a_runner(project: Project) -> None:
    assert "not the commit of this run" in project.act(GITHUB_SHA="0" * 40).stdout


def test_a_shallow_checkout_has_no_earlier_commit(tmp_path: Path) -> None:
    """And says so: what it does not look at is no finding."""
    project = Project(tmp_path)
    shallow = tmp_path / "shallow"
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{project.folder}", str(shallow)],
        check=True,
        timeout=60,
        env={
            **os.environ,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_0": "true",
        },
    )

    done = run_command(("preflight", f"--path={shallow}"), project.laptop)

    assert "defaults of production are not compared: no earlier commit is at hand" in done.stdout
