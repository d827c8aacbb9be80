"""Each check of compose files, by what both versions of the real Compose make of the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orient_deploy.config import parse
from orient_deploy.config.model import Config
from orient_deploy.preflight.compose import CHECKS, Surroundings, check_project
from orient_deploy.preflight.finding import Finding
from orient_deploy.stack.compose import Compose
from tests.unit.preflight.composes import VERSIONS, compose_of, project_of

CONFIG = """\
version: 1
images:
  dashboard: {repository: ghcr.io/acme/dashboard, services: [SERVICES]}
environments:
  production:
    services: {dashboard: {budget: BUDGET}}
    checks: {c: {url: "http://a", service: SERVICE}}
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    files: Mapping[str, str]
    env: str | None = ""
    found: tuple[tuple[Any, ...], ...] = ()  # check, subject, file:line of each finding
    config: Mapping[str, str] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    built: Mapping[str, bool] | None = None


def one(text: str) -> dict[str, str]:
    """A file of its own; the first line is `services:`."""
    return {"compose.yml": f"services:\n{text}"}


def service(name: str, *lines: str, image: str = "acme/x:1") -> str:
    return "".join(f"{text}\n" for text in (f"  {name}:", f"    image: {image}", *lines))


def configured(given: Mapping[str, str]) -> Config:
    text = CONFIG
    for word, default in (("SERVICES", "dashboard"), ("BUDGET", "600"), ("SERVICE", "dashboard")):
        text = re.sub(rf"\b{word}\b", given.get(word, default), text)
    return parse(text, source=".github/orient-deploy.yml")


HEALTH = "    healthcheck: {test: [CMD, pwd], interval: 10s, retries: 4, start_period: 20s}"
CASES = {
    # --- what Compose says
    "accepted": Case(files=one(service("a"))),
    "invalid": Case(
        files=one("  a: {restart: always}\n"),
        found=(("compose/invalid", "compose.yml", "compose.yml:2"),),
    ),
    "invalid-in-an-overlay": Case(
        files={
            "a.yml": "services:\n  bot-whatsapp: {image: 'acme/x:1'}\n",
            "b.yml": "services:\n  whatsapp-bot: {environment: {A: '1'}}\n",
        },
        found=(
            ("compose/invalid", "a.yml", "b.yml:2"),
            ("compose/service-renamed", "whatsapp-bot", "b.yml:2"),
        ),
    ),
    "required-without-a-value": Case(
        files=one(service("a", "    environment: {A: '${NEEDED:?is}'}")),
        found=(("compose/variable-unset", "NEEDED", "compose.yml:4"),),
    ),
    "required-with-a-value": Case(
        files=one(service("a", "    environment: {A: '${NEEDED:?is}'}")), env="NEEDED=1\n"
    ),
    "unset": Case(
        files=one(service("a", "    environment:", "      A: $UNSET")),
        found=(("compose/variable-unset", "UNSET", "compose.yml:5"),),
    ),
    "a-default": Case(files=one(service("a", "    environment: {A: '${UNSET:-}'}"))),
    "nothing-known-of-variables": Case(
        files=one(service("a", "    environment: {A: '$UNSET', B: '${NEEDED:?}'}")), env=None
    ),
    "a-dollar-in-a-value": Case(
        files=one(service("a", "    environment: {A: '$SET'}")),
        env="SET=pa$word\n",
        found=(("compose/variable-unset", ".env", ".env"),),
    ),
    "a-dollar-in-quotes": Case(
        files=one(service("a", "    environment: {A: '$SET'}")), env="SET='pa$word'\n"
    ),
    "an-obsolete-version": Case(
        files={"compose.yml": f"version: '3'\nservices:\n{service('a')}"},
        found=(("compose/version-obsolete", "version", "compose.yml:1"),),
    ),
    # --- names
    "renamed-in-an-overlay": Case(
        files={
            "a.yml": f"services:\n{service('bot-slack')}",
            "b.yml": f"services:\n{service('slack-bot')}",
        },
        found=(("compose/service-renamed", "slack-bot", "b.yml:2"),),
    ),
    "added-by-an-overlay": Case(
        files={
            "a.yml": f"services:\n{service('bot-slack')}",
            "b.yml": f"services:\n{service('slack-worker')}",
        },
    ),
    "two-names-of-the-first-file": Case(
        files={
            "a.yml": f"services:\n{service('bot-slack')}{service('slack-bot')}",
            "b.yml": f"services:\n{service('slack-bot')}",
        },
    ),
    "configured-and-unknown": Case(
        files=one(service("bot-whatsapp") + service("dashboard")),
        config={"SERVICES": "whatsapp-bot"},
        found=(("compose/service-unknown", "whatsapp-bot", ".github/orient-deploy.yml:5"),),
    ),
    "checked-and-unknown": Case(
        files=one(service("dashboard")),
        config={"SERVICE": "dashbord"},
        found=(("compose/service-unknown", "dashbord", ".github/orient-deploy.yml:5"),),
    ),
    "configured-in-a-profile": Case(
        files=one(service("dashboard") + service("whatsapp-bot", "    profiles: [bots]")),
        config={"SERVICES": "whatsapp-bot"},
    ),
    "container-of-another-order": Case(
        files=one(service("bot-whatsapp", "    container_name: orienter-whatsapp-bot")),
        found=(("compose/container-name-order", "bot-whatsapp", "compose.yml:4"),),
    ),
    "container-with-a-prefix": Case(
        files=one(service("bot-whatsapp", "    container_name: orienter-bot-whatsapp-1")),
    ),
    "container-of-other-words": Case(
        files=one(service("bot-whatsapp", "    container_name: whatsapp")),
    ),
    "one-container-name-twice": Case(
        files=one(
            service("a", "    container_name: same") + service("b", "    container_name: same")
        ),
        found=(("compose/container-name-twice", "same", ("compose.yml:4", "compose.yml:7")),),
    ),
    "one-container-name-twice-in-other-profiles": Case(
        files=one(
            service("a", "    container_name: same")
            + service("b", "    container_name: same", "    profiles: [other]")
        ),
    ),
    # --- ports
    "a-port-twice": Case(
        files=one(service("a", "    ports: ['80:80']") + service("b", "    ports: ['80:8080']")),
        found=(("compose/port-twice", "80/tcp", "compose.yml:7"),),
    ),
    "a-port-on-every-address": Case(
        files=one(
            service("a", "    ports: ['127.0.0.1:80:80']") + service("b", "    ports: ['80:80']")
        ),
        found=(("compose/port-twice", "80/tcp", "compose.yml:7"),),
    ),
    "a-port-on-two-addresses": Case(
        files=one(
            service("a", "    ports: ['127.0.0.1:80:80']")
            + service("b", "    ports: ['127.0.0.2:80:80']")
        ),
    ),
    "a-port-of-two-protocols": Case(
        files=one(service("a", "    ports: ['53:53', '53:53/udp']")),
    ),
    "a-port-twice-by-variables": Case(
        files=one(
            service("a", "    ports: ['$A:80']") + service("b", "    ports: ['${B:-80}:80']")
        ),
        env="A=80\n",
        found=(("compose/port-twice", "80/tcp", "compose.yml:7"),),
    ),
    "ports-that-nobody-knows": Case(
        files=one(service("a", "    ports: ['$A:80']") + service("b", "    ports: ['$B:80']")),
        env=None,
    ),
    "an-overlay-that-repeats-a-port": Case(
        files={
            "a.yml": f"services:\n{service('a', '    ports: [`80:80`]')}".replace("`", "'"),
            "b.yml": "services:\n  a: {ports: ['80:80']}\n",
        },
    ),
    "a-range": Case(files=one(service("a", "    ports: ['8000-8005:80']"))),
    "a-port-without-a-number": Case(
        files=one(service("a", "    ports: ['80']")),
        found=(("compose/port-random", "a", "compose.yml:4"),),
    ),
    "a-port-by-an-unset-variable": Case(
        files=one(service("a", "    ports: ['${WEB_PORT}:80']")),
        found=(
            ("compose/variable-unset", "WEB_PORT", "compose.yml:4"),
            ("compose/port-random", "a", "compose.yml:4"),
        ),
    ),
    "an-exposed-port": Case(files=one(service("a", "    expose: ['80']"))),
    # --- data
    "one-data-folder-of-two-databases": Case(
        files=one(
            service("a", "    volumes: ['data:/var/lib/postgresql/data']", image="postgres:16")
            + service("b", "    volumes: ['data:/var/lib/postgresql/data']", image="postgres:17")
        )
        | {"v.yml": "volumes: {data: {}}\n"},
        found=(("compose/volume-shared", "x_data", "compose.yml:7"),),
    ),
    "a-data-folder-and-its-backup": Case(
        files=one(
            service("a", "    volumes: ['./d:/var/lib/postgresql/data']", image="postgres:16")
            + service("b", "    volumes: ['./d:/var/lib/postgresql/data']", image="acme/backup:1")
            + service("c", "    volumes: ['./d:/var/lib/postgresql/data:ro']", image="postgres:16")
        ),
    ),
    "a-volume-of-two-services": Case(
        files=one(service("a", "    volumes: ['./u:/u']") + service("b", "    volumes: ['./u:/u']"))
    ),
    # --- images
    "no-tag": Case(
        files=one(service("a", image="nginx")),
        found=(("compose/image-untagged", "a", "compose.yml:3"),),
    ),
    "latest": Case(
        files=one(service("a", image="minio/minio:latest")),
        found=(("compose/image-latest", "a", "compose.yml:3"),),
    ),
    "latest-by-default": Case(
        files=one(service("a", image="acme/x:${TAG:-latest}")),
        found=(("compose/image-latest", "a", "compose.yml:3"),),
    ),
    "a-registry-s-port-and-no-tag": Case(
        files=one(service("a", image="localhost:5000/a/x")),
        found=(("compose/image-untagged", "a", "compose.yml:3"),),
    ),
    "a-digest": Case(files=one(service("a", image=f"nginx@sha256:{'0' * 64}"))),
    "latest-of-an-image-that-is-pinned": Case(
        files=one(service("dashboard", image="ghcr.io/acme/dashboard:latest")), config={"x": "y"}
    ),
    "latest-of-what-is-built-here": Case(
        files=one(service("a", "    build: .", image="acme/x:latest"))
    ),
    "latest-of-what-is-built-and-pulled": Case(
        files=one(service("a", "    build: .", image="ghcr.io/acme/x:latest")),
        found=(("compose/image-latest", "a", "compose.yml:3"),),
    ),
    "an-empty-tag": Case(
        files=one(service("a", image="acme/x:${TAG}")),
        found=(
            ("compose/variable-unset", "TAG", "compose.yml:3"),
            ("compose/image-blank-tag", "a", "compose.yml:3"),
        ),
    ),
    "a-tag-that-nobody-knows": Case(files=one(service("a", image="acme/x:${TAG}")), env=None),
    # --- health
    "a-budget-below-the-health-check": Case(
        files=one(service("dashboard", HEALTH)),
        config={"BUDGET": "59"},
        found=(("compose/budget-short", "dashboard", "compose.yml:4"),),
    ),
    "a-budget-of-the-health-check": Case(
        files=one(service("dashboard", HEALTH)), config={"BUDGET": "60"}
    ),
    "a-budget-below-docker-s-own-health-check": Case(
        files=one(service("dashboard", "    healthcheck: {test: [CMD, pwd]}")),
        config={"BUDGET": "89"},
        found=(("compose/budget-short", "dashboard", "compose.yml:4"),),
    ),
    "a-budget-without-a-health-check": Case(
        files=one(service("dashboard")), config={"BUDGET": "1"}
    ),
    "health-that-nobody-tells": Case(
        files=one(
            service("a", "    depends_on: {db: {condition: service_healthy}}")
            + service("db", image="postgres:16")
        ),
        found=(("compose/healthcheck-missing", "db", "compose.yml:4"),),
    ),
    "health-that-is-disabled": Case(
        files=one(
            service("a", "    depends_on: {b: {condition: service_healthy}}")
            + service("b", "    healthcheck: {disable: true}")
        ),
        found=(("compose/healthcheck-missing", "b", "compose.yml:4"),),
    ),
    "health-that-a-dockerfile-lacks": Case(
        files=one(service("a", "    depends_on: {b: {condition: service_healthy}}") + service("b")),
        built={"b": False},
        found=(("compose/healthcheck-missing", "b", "compose.yml:4"),),
    ),
    "health-that-a-dockerfile-tells": Case(
        files=one(service("a", "    depends_on: {b: {condition: service_healthy}}") + service("b")),
        built={"b": True},
    ),
    "health-that-an-image-may-tell": Case(
        files=one(service("a", "    depends_on: {b: {condition: service_healthy}}") + service("b"))
    ),
    "a-database-that-is-not-waited-for": Case(
        files=one(
            service("dashboard", "    depends_on: [db]") + service("db", image="postgres:16")
        ),
        config={"x": "y"},
        found=(("compose/depends-on-start", "db", "compose.yml:4"),),
    ),
    "a-database-whose-health-is-known": Case(
        files=one(
            service("dashboard", "    depends_on: [db]")
            + service("db", HEALTH, image="postgres:16")
        ),
        config={"x": "y"},
    ),
    "a-database-that-another-s-image-may-wait-for": Case(
        files=one(
            service("dashboard")
            + service("a", "    depends_on: [db]")
            + service("db", image="postgres:16")
        ),
        config={"x": "y"},
    ),
    "a-service-that-is-started-again": Case(
        files=one(
            service("dashboard", "    depends_on: [db]", "    restart: always")
            + service("db", image="postgres:16")
        ),
        config={"x": "y"},
    ),
    "a-database-that-is-ready-at-once": Case(
        files=one(service("dashboard", "    depends_on: [r]") + service("r", image="redis:7")),
        config={"x": "y"},
    ),
    "a-service-that-is-no-database": Case(
        files=one(service("dashboard", "    depends_on: [b]") + service("b", image="nginx:1")),
        config={"x": "y"},
    ),
}


@pytest.fixture(scope="module", params=sorted(VERSIONS))
def compose(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    return compose_of(request.param, tmp_path_factory.mktemp("settings"))


def judged(case: Case, compose: Compose, folder: Path) -> list[Finding]:
    project = project_of(compose, folder, case.files, case.env, name="x", profiles=case.profiles)
    config = configured(case.config) if case.config else None
    around = Surroundings(
        environment=config.environments[0] if config else None,
        images=config.images if config else (),
        repositories=frozenset(one.repository for one in config.images) if config else frozenset(),
        built=case.built,
    )
    return check_project(project, around)


@pytest.mark.parametrize("name", CASES)
def test_a_project_has_these_findings(name: str, compose: Compose, tmp_path: Path) -> None:
    case = CASES[name]

    found = judged(case, compose, tmp_path)

    told = [(f.check, f.subject, f"{f.file}:{f.line}" if f.line else f.file) for f in found]
    assert [one[:2] for one in told] == [one[:2] for one in case.found]
    for (*_, place), (*_, allowed) in zip(told, case.found, strict=True):
        assert place in (allowed if isinstance(allowed, tuple) else (allowed,))


def test_every_check_has_a_case() -> None:
    """But for one: a warning of another kind is none that today's versions give."""
    fired = {found[0] for case in CASES.values() for found in case.found}

    assert fired == {check.id for check in CHECKS} - {"compose/warning"}


def test_a_finding_shows_no_value(compose: Compose, tmp_path: Path) -> None:
    canary = "Zx81-swordfish"
    files = one(
        service(
            "a",
            "    environment: {A: '$SECRET', B: '${NO:?}'}",
            "    ports: ['$SECRET:80']",
            image="acme/x:$SECRET",
        )
    )

    project = project_of(compose, tmp_path, files, f"SECRET='{canary}'\nOTHER=a$canary_x\n")
    found = check_project(project, Surroundings())

    assert canary not in repr(found) and canary not in repr(project)
    assert found


def test_what_a_variable_says_is_not_shown(compose: Compose, tmp_path: Path) -> None:
    data = "    volumes: ['${DATA}:/var/lib/postgresql/data']"
    files = one(
        service("a", data, "    ports: ['${PORT}:80']", image="postgres:${TAG}")
        + service("b", data, "    ports: ['${PORT}:81']", image="${REGISTRY}/postgres")
    )
    env = "DATA=/srv/zx81\nPORT=8081\nTAG=latest\nREGISTRY=zx81.example\n"

    found = check_project(project_of(compose, tmp_path, files, env), Surroundings())

    assert {(one.check, one.subject) for one in found} == {
        ("compose/port-twice", "${PORT}/tcp"),
        ("compose/volume-shared", "${DATA}"),
        ("compose/image-latest", "a"),
        ("compose/image-untagged", "b"),
    }
    shown = repr([(each.subject, each.message, each.fix) for each in found])
    assert "zx81" not in shown and "8081" not in shown
    assert "a runs postgres:${TAG}" in shown and "b runs ${REGISTRY}/postgres" in shown


REFUSED = {
    "a-mapping": ("    ports: {a: b}", 4, "ports of the service web must be a"),
    "no-flag": ("    privileged: sometimes", 4, "privileged of the service web"),
    "no-size": ("    mem_limit: 12parsecs", 4, "mem_limit of the service web"),
    "no-duration": ("    healthcheck:\n      test: x\n      interval: soon", 6, "interval"),
    "no-number": ("    deploy: {resources: {limits: {cpus: many}}}", 4, "deploy.resources"),
    "an-open-quote": ("    labels:\n      a: 'b\n      c: d", 5, "no YAML"),
    "a-tab": ("\tports: []", 4, "a file is no YAML"),
    "a-key-twice": ("    ports: []\n    ports: []", 5, "a key stands twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_compose_refuses_has_its_line(name: str, compose: Compose, tmp_path: Path) -> None:
    text, line, words = REFUSED[name]
    files = {"compose.yml": f"services:\n  web:\n    image: nginx:1\n{text}\n"}

    (found,) = check_project(project_of(compose, tmp_path, files), Surroundings())

    assert (found.check, found.file, found.line) == ("compose/invalid", "compose.yml", line)
    assert words in found.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[compose.yml]", "include each other in a circle", id="itself"),
        pytest.param("[none.yml]", "is not there", id="nothing"),
        pytest.param("['https://127.0.0.1:9/a/b.git']", "is not fetched here", id="remote"),
    ],
)
def test_an_include_that_fails_is_told(
    text: str, words: str, compose: Compose, tmp_path: Path
) -> None:
    files = {"compose.yml": f"services: {{web: {{image: 'nginx:1'}}}}\ninclude: {text}\n"}

    (found,) = check_project(project_of(compose, tmp_path, files), Surroundings())

    assert (found.check, found.line) == ("compose/invalid", 2)
    assert words in found.message
