"""Each check of a server: what fires, and what nearly does. The facts are made up here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.preflight.finding import Finding
from orient_deploy.preflight.host import CHECKS, Expected, check_host
from orient_deploy.server.host_facts import Container, HostFacts, Listener, Space
from orient_deploy.stack.compose import Compose
from orient_deploy.stack.project import Project
from tests.unit.preflight.composes import compose_of, project_of

COMPOSE = """\
services:
  dashboard:
    image: ghcr.io/acme/dashboard:1
    container_name: orienter-dashboard
    ports: ['4098:4098', '127.0.0.1:53:53/udp']
    networks: [shared]
    volumes: ['uploads:/u']
  nginx:
    image: nginx:1
    profiles: [front]
networks:
  shared: {external: true, name: orienter-shared}
volumes:
  uploads: {external: true}
"""
PEER = "services: {opencode: {image: 'acme/opencode:1', container_name: opencode-staging}}\n"
GOOD = HostFacts(
    clock_s=(1000.0, 1001.0),
    docker="28.5.2",
    api="1.51",
    compose="2.40.3",
    spaces=(Space(path=".", total_kb=10**8, free_kb=10**7, inodes=1000, free_inodes=900),),
    memory_kb=10**6,
    networks=frozenset({"orienter-shared"}),
    volumes=frozenset({"uploads"}),
    containers=(),
)


def container(name: str = "orienter-dashboard", **more: Any) -> Container:
    values: dict[str, Any] = {
        "name": name,
        "state": "running",
        "health": "",
        "restarts": 0,
        "exit_code": 0,
        "was_killed": False,
        "was_restarted": False,
        "project": "docker",
        "service": "dashboard",
        "is_one_off": False,
        "changed": (),
        "ports": (),
        "networks": frozenset({"orienter-shared"}),
        "directory": "/home/opc/orienter/docker",
    }
    return Container(**{**values, **more})


@dataclass(frozen=True, kw_only=True)
class Case:
    facts: Mapping[str, Any] = field(default_factory=dict)
    found: tuple[tuple[str, str], ...] = ()  # check without its group, and subject
    skew_s: float | None = 0.0
    peers: bool = False
    certificates: tuple[tuple[str, str, int], ...] = ()
    compose: str = "2.40.1"
    more: Mapping[str, Any] = field(default_factory=dict)  # that is wanted
    weight: str = ""


def holding(**more: Any) -> dict[str, Any]:
    return {"containers": (container(**more),)}


STAGING = {"name": "opencode-staging", "project": "staging", "service": "opencode"}
CERTIFICATE = ("~/orienter/certbot/a.pem", "docker/nginx.conf", 7)
CASES = {
    "well": Case(),
    "deployed-before": Case(facts=holding(ports=(("", 4098, "tcp"),))),
    # --- the machine
    "no-flock": Case(facts={"missing_tools": ("flock",)}, found=(("tools-missing", "flock"),)),
    "no-docker": Case(
        facts={"docker_failure": "missing", "docker": "", "compose": "", "containers": None},
        found=(("docker-unusable", "server"),),
    ),
    "a-closed-socket": Case(
        facts={"docker_failure": "denied", "containers": None},
        found=(("docker-unusable", "server"),),
    ),
    "docker-19": Case(facts={"api": "1.40"}, found=(("docker-old", "server"),)),
    "docker-20.10": Case(facts={"api": "1.41"}),
    "compose-2.23": Case(facts={"compose": "2.23.3"}, found=(("compose-old", "server"),)),
    "no-compose": Case(facts={"compose": ""}, found=(("compose-old", "server"),)),
    "another-compose": Case(
        facts={"compose": "2.26.1"}, found=(("compose-differs", "server"),), weight="hint"
    ),
    "no-folder": Case(more={"has_directory": False}, found=(("directory-missing", "~/orienter"),)),
    "half-a-gigabyte": Case(
        facts={"spaces": (Space(path="/", total_kb=10**6, free_kb=5 * 10**5),)},
        found=(("disk-low", "docker's data"),),
    ),
    "four-percent": Case(
        facts={"spaces": (Space(path=".", total_kb=10**8, free_kb=4 * 10**6),)},
        found=(("disk-low", "the deployment"),),
    ),
    "a-twentieth-of-a-large-disk": Case(
        facts={"spaces": (Space(path=".", total_kb=2 * 10**9, free_kb=6 * 10**7),)}
    ),
    "one-disk-for-both": Case(
        facts={
            "spaces": (
                Space(path=".", total_kb=10**6, free_kb=10),
                Space(path="/", total_kb=10**6, free_kb=11),
            )
        },
        found=(("disk-low", "docker's data"),),
    ),
    "six-percent": Case(facts={"spaces": (Space(path=".", total_kb=10**8, free_kb=6 * 10**6),)}),
    "no-inodes": Case(
        facts={"spaces": (Space(path=".", inodes=1000, free_inodes=49),)},
        found=(("inodes-low", "the deployment"),),
    ),
    "a-file-system-without-inodes": Case(facts={"spaces": (Space(path=".", inodes=0),)}),
    "no-memory": Case(facts={"memory_kb": 100_000}, found=(("memory-low", "server"),)),
    "a-clock-ahead": Case(skew_s=31.0, found=(("clock-skew", "server"),), weight="warning"),
    "a-clock-far-behind": Case(skew_s=-301.0, found=(("clock-skew", "server"),), weight="error"),
    "a-clock-that-is-slow-to-answer": Case(skew_s=29.0),
    "a-clock-that-nobody-knows": Case(skew_s=None),
    # --- names and ports
    "a-name-of-another-project": Case(
        facts=holding(project="old", service="web"),
        found=(("name-taken", "orienter-dashboard"),),
    ),
    "a-name-of-no-project": Case(
        facts=holding(project="", service=""), found=(("name-taken", "orienter-dashboard"),)
    ),
    "a-port-of-another-container": Case(
        facts=holding(name="x", project="old", ports=(("0.0.0.0", 4098, "tcp"),)),
        found=(("port-taken", "4098/tcp"),),
    ),
    "a-port-of-a-stopped-container": Case(
        facts=holding(name="x", project="old", state="exited", ports=(("", 4098, "tcp"),))
    ),
    "a-port-of-another-protocol": Case(
        facts=holding(name="x", project="old", ports=(("", 4098, "udp"), ("", 53, "tcp")))
    ),
    "a-port-of-a-process": Case(
        facts={"listeners": (Listener(protocol="tcp", address="0.0.0.0", number=4098),)},
        found=(("port-taken", "4098/tcp"),),
    ),
    "a-port-of-a-process-for-every-address": Case(
        facts={"listeners": (Listener(protocol="udp", address="", number=53),)},
        found=(("port-taken", "53/udp"),),
    ),
    "a-port-of-a-process-on-another-address": Case(
        facts={"listeners": (Listener(protocol="udp", address="127.0.0.53", number=53),)}
    ),
    "a-port-that-ours-holds-in-the-host-s-network": Case(
        facts={
            **holding(networks=frozenset({"host"})),
            "listeners": (Listener(protocol="tcp", address="0.0.0.0", number=4098),),
        }
    ),
    "a-port-that-another-holds-in-the-host-s-network": Case(
        facts={
            **holding(name="x", project="old", networks=frozenset({"host"})),
            "listeners": (Listener(protocol="tcp", address="0.0.0.0", number=4098),),
        },
        found=(("port-taken", "4098/tcp"),),
    ),
    "a-port-of-our-own-container": Case(
        facts={
            **holding(ports=(("", 4098, "tcp"),)),
            "listeners": (Listener(protocol="tcp", address="0.0.0.0", number=4098),),
        }
    ),
    # --- what runs
    "an-orphan": Case(
        facts={
            "containers": (
                container(),
                container(name="orienter-whatsapp-bot", service="whatsapp-bot"),
            )
        },
        found=(("container-orphan", "orienter-whatsapp-bot"),),
    ),
    "a-service-of-a-profile": Case(
        facts={"containers": (container(), container(name="n", service="nginx"))}
    ),
    "a-one-off": Case(
        facts={"containers": (container(), container(name="r", service="x", is_one_off=True))}
    ),
    "restarting": Case(
        facts=holding(state="restarting", restarts=6),
        found=(("container-unwell", "orienter-dashboard"),),
    ),
    "unhealthy": Case(
        facts=holding(health="unhealthy"), found=(("container-unwell", "orienter-dashboard"),)
    ),
    "starting": Case(facts=holding(health="starting")),
    "dead": Case(facts=holding(state="dead"), found=(("container-unwell", "orienter-dashboard"),)),
    "ended-by-a-failure": Case(
        facts=holding(state="exited", exit_code=1),
        found=(("container-unwell", "orienter-dashboard"),),
    ),
    "ended-for-want-of-memory": Case(
        facts=holding(state="exited", exit_code=137, was_killed=True),
        found=(("container-unwell", "orienter-dashboard"),),
    ),
    "that-could-not-start": Case(
        facts=holding(state="created", exit_code=128),
        found=(("container-unwell", "orienter-dashboard"),),
    ),
    "created-and-not-started-yet": Case(facts=holding(state="created")),
    "ended-by-itself": Case(facts=holding(state="exited", health="unhealthy")),
    "stopped-by-somebody": Case(facts=holding(state="exited", exit_code=137)),
    "failed-once-and-runs": Case(facts=holding(exit_code=1, was_killed=True)),
    "restarted-and-not-recreated": Case(
        facts=holding(changed=("A",), was_restarted=True),
        found=(("container-stale", "orienter-dashboard"),),
    ),
    "of-settings-that-nobody-knows": Case(facts=holding(changed=None)),
    "stopped-with-other-settings": Case(facts=holding(changed=("A",), state="exited")),
    "of-another-project-s-name": Case(
        facts=holding(project="orienter"),
        found=(("name-taken", "orienter-dashboard"), ("project-differs", "orienter")),
    ),
    "of-a-name-that-nobody-said": Case(facts=holding(project="orienter"), more={"is_named": False}),
    "of-a-name-that-nobody-said-for-another-service": Case(
        facts=holding(project="orienter", service="web"),
        more={"is_named": False},
        found=(("name-taken", "orienter-dashboard"),),
    ),
    "a-peer-that-is-down": Case(peers=True, found=(("peer-down", "staging"),)),
    "a-peer-that-is-stopped": Case(
        peers=True,
        facts=holding(**STAGING, state="exited"),
        found=(("peer-down", "staging"),),
    ),
    "a-peer-that-is-up": Case(
        peers=True, facts={"containers": (container(), container(**STAGING))}
    ),
    "a-peer-under-another-name": Case(
        peers=True,
        facts={"containers": (container(), container(**{**STAGING, "project": "orienter"}))},
    ),
    "a-peer-on-another-network": Case(
        peers=True,
        facts={"containers": (container(), container(**STAGING, networks=frozenset({"x"})))},
        found=(("peer-down", "staging"),),
    ),
    # --- networks, volumes, images, certificates
    "no-network": Case(
        facts={"networks": frozenset()}, found=(("network-missing", "orienter-shared"),)
    ),
    "no-volume": Case(facts={"volumes": frozenset()}, found=(("volume-missing", "uploads"),)),
    "networks-that-nobody-knows": Case(facts={"networks": None, "volumes": None}),
    "an-image-that-nobody-has": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "absent"}},
        found=(("image-absent", "dashboard"),),
    ),
    "an-image-that-is-refused": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "denied"}},
        found=(("image-denied", "dashboard"),),
    ),
    "an-image-of-the-plan": Case(
        facts={"images": {"ghcr.io/acme/dashboard@sha256:0": "absent"}},
        more={"images": {"dashboard": "ghcr.io/acme/dashboard@sha256:0"}},
        found=(("image-absent", "dashboard"),),
    ),
    "an-image-that-the-plan-replaces": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "absent"}},
        more={"images": {"dashboard": "ghcr.io/acme/dashboard@sha256:0"}},
    ),
    "an-image-that-the-pipeline-may-push-yet": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "absent"}},
        more={"unbuilt": frozenset({"dashboard"})},
        found=(("image-absent", "dashboard"),),
        weight="warning",
    ),
    "an-image-of-a-registry-that-is-down": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "unreachable", "x": "absent"}},
        found=(("registry-unreachable", "ghcr.io"),),
    ),
    "an-image-of-which-nobody-knows": Case(
        facts={"images": {"ghcr.io/acme/dashboard:1": "unknown", "x": "unreachable"}}
    ),
    "no-certificate": Case(
        facts={"paths": {CERTIFICATE[0]: False}},
        certificates=(CERTIFICATE,),
        found=(("certificate-missing", CERTIFICATE[0]),),
    ),
    "a-certificate": Case(facts={"paths": {CERTIFICATE[0]: True}}, certificates=(CERTIFICATE,)),
    "a-certificate-that-nobody-looked-for": Case(certificates=(CERTIFICATE,)),
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Project]:
    folder = tmp_path_factory.mktemp("project")
    compose: Compose = compose_of("2.40", folder)
    peer = tmp_path_factory.mktemp("peer")
    return (
        project_of(compose, folder, {"compose.yml": COMPOSE}, "", name="docker"),
        project_of(compose, peer, {"compose.yml": PEER}, "", name="staging"),
    )


def judged(case: Case, projects: tuple[Project, Project]) -> list[Finding]:
    import dataclasses

    values: dict[str, Any] = {
        "environment": "production",
        "project": projects[0],
        "directory": "~/orienter",
        "peers": {"staging": projects[1]} if case.peers else {},
        "certificates": case.certificates,
        "compose": case.compose,
        "images": {"dashboard": "ghcr.io/acme/dashboard:1"},
    }
    expected = Expected(**{**values, **case.more})
    facts = dataclasses.replace(GOOD, **case.facts)
    return check_host("server", facts, [expected], skew_s=case.skew_s)


@pytest.mark.parametrize("name", CASES)
def test_a_server_has_these_findings(name: str, projects: tuple[Project, Project]) -> None:
    found = judged(CASES[name], projects)

    assert [(one.check.partition("/")[2], one.subject) for one in found] == list(CASES[name].found)
    weights = {check.id: check.severity for check in CHECKS}
    if CASES[name].weight:
        assert [one.severity or weights[one.check] for one in found] == [CASES[name].weight]


def test_every_check_has_a_case() -> None:
    """But for the one that is told where no fact can be had."""
    fired = {f"host/{check}" for case in CASES.values() for check, _ in case.found}

    assert fired == {check.id for check in CHECKS} - {"host/unreachable"}


def test_environments_of_one_project_are_no_orphans_of_each_other(
    projects: tuple[Project, Project],
) -> None:
    import dataclasses

    peer = dataclasses.replace(projects[1], name="docker")
    both = [
        Expected(environment=name, project=project, directory="~/orienter")
        for name, project in (("production", projects[0]), ("staging", peer))
    ]
    running = (container(), container(name="opencode-staging", service="opencode"))
    facts = dataclasses.replace(GOOD, containers=running)

    assert check_host("server", facts, both, skew_s=None) == []
    assert [one.subject for one in check_host("server", facts, both[:1], skew_s=None)] == [
        "opencode-staging"
    ]


def test_a_registry_that_is_down_is_told_once(projects: tuple[Project, Project]) -> None:
    images = {"dashboard": "ghcr.io/acme/dashboard:1", "nginx": "ghcr.io/acme/nginx:1"}
    told = dict.fromkeys(images.values(), "unreachable")
    (found,) = judged(Case(facts={"images": told}, more={"images": images}), projects)

    assert found.message == "server has no image of dashboard and nginx, and does not reach ghcr.io"


@given(
    moments=st.lists(st.floats(0, 300), min_size=4, max_size=4).map(sorted),
    skew=st.floats(-10_000, 10_000),
)
def test_a_clock_is_never_said_to_be_more_wrong_than_it_is(
    moments: list[float], skew: float
) -> None:
    """However long the way there and back takes; and what is left is no more than that way."""
    from orient_deploy.commands.preflight_host import _skew

    before, first, last, after = moments

    told = _skew((first + skew, last + skew), (before, after))

    assert abs(told) <= abs(skew) + 1e-6
    assert abs(told - skew) <= max(first - before, after - last) + 1e-6
    assert told * skew >= 0


def test_variables_are_named_but_for_what_may_be_a_value(
    projects: tuple[Project, Project],
) -> None:
    case = Case(facts=holding(changed=("", "DATABASE_URL", "JWT_SECRET"), was_restarted=True))
    (found,) = judged(case, projects)

    assert found.message == (
        "orienter-dashboard on server was restarted, and not recreated, and its files have other "
        "values now of DATABASE_URL, JWT_SECRET and 1 whose names are not shown"
    )


def test_findings_of_compose_files_point_at_them(projects: tuple[Project, Project]) -> None:
    found = judged(CASES["no-network"], projects)

    assert (found[0].file, found[0].line) == ("compose.yml", 12)
    assert found[0].command == "docker network create orienter-shared"
    assert found[0].environment == "production"


def test_a_certificate_points_at_who_asks_for_it(projects: tuple[Project, Project]) -> None:
    found = judged(CASES["no-certificate"], projects)

    assert (found[0].file, found[0].line) == CERTIFICATE[1:]


def test_a_path_of_this_machine_is_none_of_the_server(tmp_path: Path) -> None:
    from orient_deploy.commands.preflight_host import _on_server
    from orient_deploy.config import parse

    text = "version: 1\nimages: {a: {}}\nenvironments: {p: {directory: ~/orienter}}\n"
    place = parse(text, source="x").environments[0]
    root = str(tmp_path)

    assert _on_server(f"{root}/certbot/a.pem", root, place) == "~/orienter/certbot/a.pem"
    assert _on_server("/etc/letsencrypt/a.pem", root, place) == "/etc/letsencrypt/a.pem"
