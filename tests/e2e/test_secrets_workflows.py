"""The workflows for secrets that a consumer copies, run by act: a GitHub with a memory, the real
Compose, a real sshd."""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from dev.sample import REPOSITORY, Sample, build
from tests.e2e import act
from tests.fakes.canary import leaks
from tests.fakes.github_state import GitHubState, github_state
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server

TEMPLATES = act.ROOT / "workflows-templates"
TOKEN = "github_pat_of-this-test"
CANARY = "canary/Zx81 swordfish+of&the=file"
FILE = f"""\
DATABASE_URL='postgres://bot:{CANARY}@db/bot'
DASHBOARD_JWT_SECRET=0123456789abcdef0123456789abcdef
NODE_ENV=production
"""
CONFIG = ".github/orient-deploy.yml"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    """A release, with the packages that sync-secrets would install."""
    release = act.release_layout(tmp_path_factory.mktemp("release") / "tree")
    # act tells every job the address of GitHub's own API, whatever its `env` says.
    launcher = release.path / "scripts" / "run"
    first, _, rest = launcher.read_text().partition("\n")
    launcher.write_text(f"{first}\nexport GITHUB_API_URL=$API_OF_THE_TEST\n{rest}")
    return replace(release, libraries=sysconfig.get_paths()["purelib"])


@pytest.fixture
def github() -> Iterator[GitHubState]:
    with github_state(TOKEN, repository=REPOSITORY) as server:
        yield server


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        (server.home / ".docker").mkdir()
        (server.home / ".docker" / "cli-plugins").symlink_to(plugins())
        (server.home / "orienter").mkdir()
        yield server


def plugins() -> Path:
    return part("28") / "usr/libexec/docker/cli-plugins"


def docker() -> Path:
    return part("28") / "usr/bin/docker"


@pytest.fixture
def sample(tmp_path: Path, sshd: SshServer) -> Sample:
    sample = build(tmp_path / "app")
    text = (sample.path / CONFIG).read_text()
    secrets = "secrets: {file: .env.production, variables: [NODE_ENV]}"
    for old, new in (
        ("opc@203.0.113.7", f"'{sshd.address}'"),
        ("docker: sudo docker", f"docker: {docker()}\n    {secrets}"),
    ):
        assert old in text
        text = text.replace(old, new)
    sample.write(CONFIG, text)
    sample.commit("Name the secrets")
    return sample


def run(
    sample: Sample,
    library: act.Library,
    folder: Path,
    github: GitHubState,
    template: str,
    secrets: Mapping[str, str],
    variables: Mapping[str, str] = MappingProxyType({}),
    **inputs: str,
) -> act.Job:
    """The one job of a template, started by hand."""
    settings = folder / "docker"
    settings.mkdir(parents=True)
    extra = {"cliPluginsExtraDirs": [str(plugins())]}
    (settings / "config.json").write_text(json.dumps(extra))
    ran = act.run(
        sample,
        act.dispatch_event(**inputs),
        library,
        folder / "act",
        workflow=(TEMPLATES / template).read_text(),
        environment={
            "DOCKER_CONFIG": str(settings),
            "PATH": f"{docker().parent}{os.pathsep}{os.environ['PATH']}",
            "NO_PROXY": "127.0.0.1",
            "API_OF_THE_TEST": github.url,
        },
        secrets=secrets,
        variables=variables,
    )
    (job,) = ran.jobs.values()
    return job


def test_the_file_arrives_by_hand_after_a_plan(
    sample: Sample, library: act.Library, github: GitHubState, tmp_path: Path
) -> None:
    secrets = {
        "ENV_PRODUCTION": FILE,
        "SECRETS_TOKEN": TOKEN,
        "ORIENT_DEPLOY_KEY": "0123456789abcdef" * 4,
    }

    planned = run(sample, library, tmp_path / "plan", github, "secrets.yml", secrets, write="false")

    assert planned.result == "success", planned.log
    assert "3 to create" in planned.summary and "dry run" in planned.summary
    assert github.writes == []

    done = run(sample, library, tmp_path / "write", github, "secrets.yml", secrets, write="true")

    assert done.result == "success", done.log
    assert "3 of 3 written" in done.summary
    assert github.secret(None, "DATABASE_URL") == f"postgres://bot:{CANARY}@db/bot".encode()
    assert leaks(CANARY, done.summary, done.log) == []


def test_one_issue_is_open_while_they_differ(
    sample: Sample,
    library: act.Library,
    github: GitHubState,
    sshd: SshServer,
    tmp_path: Path,
) -> None:
    (sshd.home / "orienter" / ".env").write_text(FILE)
    secrets = {
        "DATABASE_URL": f"postgres://bot:{CANARY}@db/bot",
        "DASHBOARD_JWT_SECRET": "an older one, of last year",
        "DEPLOY_SSH_KEY": sshd.key,
        "GITHUB_TOKEN": TOKEN,
    }
    variables = {"DEPLOY_KNOWN_HOSTS": sshd.known_hosts}

    drifted = run(sample, library, tmp_path / "1", github, "drift.yml", secrets, variables)

    assert drifted.result == "success", drifted.log
    assert "have drifted: 1 name of 3" in drifted.summary
    (issue,) = github.repository.issues
    assert "DASHBOARD" in str(issue) and leaks(CANARY, str(issue), drifted.summary) == []

    secrets["DASHBOARD_JWT_SECRET"] = "0123456789abcdef0123456789abcdef"
    agreed = run(sample, library, tmp_path / "2", github, "drift.yml", secrets, variables)

    assert agreed.result == "success", agreed.log
    assert "agree: 2 names" in agreed.summary
    assert [one.state for one in github.repository.issues] == ["closed"]
