"""The template of verify, run as a consumer copies it: a real sshd, and a real engine behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.sample import Sample, build
from tests.e2e import act
from tests.faults.field import Field, field
from tests.machines.parts import part
from tests.machines.ssh_server import SshServer, ssh_server

TEMPLATE = act.ROOT / "workflows-templates" / "verify.yml"
CONFIG = """\
version: 1
images: {{dashboard: {{}}}}
environments:
  production:
    hosts: ['{address}']
    docker: '{docker}'
    project: x
    compose: [compose.yml]
    checks:
      dashboard: {{exec: wget -q -O- http://127.0.0.1:8080/health, service: dashboard}}
      port: {{tcp: '127.0.0.1:{port}', ask-from: host}}
"""
COMPOSE = """\
services:
  dashboard:
    image: part:1
    command: [sh, -c, '{run}']
    restart: always
    environment: {{DASHBOARD_JWT_SECRET: {canary}}}
    ports: ['127.0.0.1:{port}:8080']
"""
CANARY = "Zx81-swordfish"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> act.Library:
    return act.release_layout(tmp_path_factory.mktemp("release") / "tree")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    with field(tmp_path_factory.mktemp("field")) as one:
        yield one


def run(
    script: str, machine: Field, sshd: SshServer, library: act.Library, folder: Path
) -> act.Run:
    """Deploy a service that does this, and verify it as the template does."""
    from tests.faults.field import free_port

    sample: Sample = build(folder / "app")
    port = free_port()
    engine = machine.engine
    docker = f"PATH={engine.env['PATH']} DOCKER_HOST={engine.env['DOCKER_HOST']} docker"
    config = CONFIG.format(address=sshd.address, docker=docker, port=port)
    compose = COMPOSE.format(run=script, canary=CANARY, port=port)
    sample.write(".github/orient-deploy.yml", config)
    sample.write("compose.yml", compose)
    sample.commit("Deploy it")
    place = folder / "deployed"
    place.mkdir()
    (place / "compose.yml").write_text(compose)
    machine.compose("x", place, "up", "-d").wait(60)
    settings = folder / "docker"
    settings.mkdir()
    plugins = str(part("28") / "usr/libexec/docker/cli-plugins")
    (settings / "config.json").write_text(json.dumps({"cliPluginsExtraDirs": [plugins]}))
    try:
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
    finally:
        machine.compose("x", place, "down", "-t", "0").wait(60)


def test_a_consumer_learns_that_it_is_well(
    machine: Field, sshd: SshServer, library: act.Library, tmp_path: Path
) -> None:
    ran = run("sleep 2; serve 8080", machine, sshd, library, tmp_path)

    job = ran.jobs["verify"]
    assert job.result == "success", job.log
    outputs = job.outputs["verify"]
    assert (outputs["verdict"], outputs["healthy"], outputs["failed-services"]) == (
        *("healthy", "true"),
        "[]",
    )
    assert "### 🟢 Verification of production: healthy" in job.summary
    assert "gantt" in job.summary


def test_a_consumer_learns_what_is_broken(
    machine: Field, sshd: SshServer, library: act.Library, tmp_path: Path
) -> None:
    script = (
        "echo Error: DASHBOARD_JWT_SECRET environment variable is required, "
        "not $$DASHBOARD_JWT_SECRET; exit 1"
    )
    ran = run(script, machine, sshd, library, tmp_path)

    job = ran.jobs["verify"]
    assert job.result == "failure", job.log
    outputs = job.outputs["verify"]
    assert (outputs["verdict"], outputs["rollback-advised"]) == ("failed", "true")
    assert json.loads(outputs["failed-services"]) == ["x-dashboard-1"]
    assert "crash-loop" in job.log or "before it was ready" in job.summary
    assert "variable-missing" in job.summary
    assert ("error", "Verify: x-dashboard-1") in [(one.level, one.title) for one in job.annotations]
    assert CANARY not in job.summary + job.log
