"""The template of preflight, run as a consumer copies it: with a real Compose and a real sshd."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.sample import Sample, build
from tests.e2e import act
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server

TEMPLATE = act.ROOT / "workflows-templates" / "preflight.yml"
CONFIG = ".github/orient-deploy.yml"
CANARY = "Zx81-swordfish"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    return act.release_layout(tmp_path_factory.mktemp("release") / "tree")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        (server.home / "orienter").mkdir()
        yield server


@pytest.fixture
def sample(tmp_path: Path, sshd: SshServer) -> Sample:
    sample = build(tmp_path / "app")
    text = (sample.path / CONFIG).read_text()
    assert "opc@203.0.113.7" in text
    sample.write(CONFIG, text.replace("opc@203.0.113.7", f"'{sshd.address}'"))
    sample.commit("Name the server")
    return sample


def run(sample: Sample, library: act.Library, folder: Path, sshd: SshServer) -> act.Run:
    plugins = part("28") / "usr/libexec/docker/cli-plugins"
    settings = folder / "docker"
    settings.mkdir(parents=True)
    (settings / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [str(plugins)]}))
    return act.run(
        sample,
        act.dispatch_event(),
        library,
        folder / "act",
        workflow=TEMPLATE.read_text(),
        environment={
            "DOCKER_CONFIG": str(settings),
            "PATH": f"{part('28') / 'usr/bin'}{os.pathsep}{os.environ['PATH']}",
        },
        secrets={"DEPLOY_SSH_KEY": sshd.key},
        variables={"DEPLOY_KNOWN_HOSTS": sshd.known_hosts},
    )


def test_a_consumer_learns_what_would_break(
    sample: Sample, library: act.Library, sshd: SshServer, tmp_path: Path
) -> None:
    """The server has a file of variables and no docker that answers."""
    (sshd.home / "orienter" / ".env").write_text(f"POSTGRES_PASSWORD='{CANARY}'\nR2_BUCKET=a\n")
    compose = "docker/docker-compose.v2.yml"
    sample.write(
        compose,
        (sample.path / compose).read_text().replace("postgres:16-alpine", "postgres"),
    )
    sample.commit("Take whatever postgres there is")

    ran = run(sample, library, tmp_path / "run", sshd)

    files, servers = ran.jobs["files"], ran.jobs["servers"]
    assert files.result == "success", files.log
    assert "### Preflight of production: 1 warning" in files.summary
    assert "compose/image-untagged" in files.summary
    assert servers.result == "failure", servers.log
    assert "host/docker-unusable" in servers.summary
    assert CANARY not in files.summary + servers.summary + files.log + servers.log
