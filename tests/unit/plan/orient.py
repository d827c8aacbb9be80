"""The running example as values: its configuration, its files, and plans made from them.

A test changes one thing of it and looks at what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orient_deploy.config import parse
from orient_deploy.config.model import Config
from orient_deploy.github.model import Job
from orient_deploy.history.model import Base, Change
from orient_deploy.plan.decide import decide
from orient_deploy.plan.gate import Gate, Result, decide_gate
from orient_deploy.plan.model import Plan, Request
from orient_deploy.runner import Event

HEAD = "4f2c1ab7" + 32 * "0"
BASE = "0d9e8f7a" + 32 * "0"
SOURCE = ".github/orient-deploy.yml"

CONFIG = """\
version: 1
branches: [main]
tag-pattern: v*
baseline: push
images:
  opencode:
    dockerfile: docker/Dockerfile.opencode.legacy
    repository: ghcr.io/acme/orient/opencode
    watch: [src/**, packages/core/**, packages/mcp-tools/**, docker/Dockerfile.opencode*]
    typical-minutes: 5
  whatsapp:
    dockerfile: packages/bot-whatsapp/Dockerfile
    repository: ghcr.io/acme/orient/whatsapp
    watch: [packages/bot-whatsapp/**, packages/core/**]
    services: [bot-whatsapp]
    typical-minutes: 3
  dashboard:
    dockerfile: packages/dashboard/Dockerfile
    repository: ghcr.io/acme/orient/dashboard
    watch: [packages/dashboard/**, packages/core/**]
    typical-minutes: 2
watch-all: [package.json, pnpm-lock.yaml]
ignore: ["**/*.md"]
environments:
  production:
    on: {branches: [main], tags: [v*], dispatch: true}
    hosts: [opc@203.0.113.7]
    directory: ~/orienter
    workdir: docker
    compose: [docker/docker-compose.v2.yml, docker/docker-compose.prod.yml]
    variants: {legacy: [docker/docker-compose.yml]}
    sync: [docker/nginx-ssl.conf]
    env-file: .env
    docker: sudo docker
  staging:
    on: {branches: [main, "release/**"]}
    compose: [docker/docker-compose.v2.yml, docker/docker-compose.staging.yml]
"""

SLACK = """\
  slack:
    dockerfile: packages/bot-slack/Dockerfile
    repository: ghcr.io/acme/orient/slack
    watch: [packages/bot-slack/**, packages/core/**]
    services: [bot-slack]
"""

LISTING = (
    "README.md",
    "docker/Dockerfile.opencode.legacy",
    "docker/docker-compose.prod.yml",
    "docker/docker-compose.staging.yml",
    "docker/docker-compose.v2.yml",
    "docker/docker-compose.yml",
    "docker/nginx-ssl.conf",
    "package.json",
    "packages/bot-slack/Dockerfile",
    "packages/bot-slack/src/index.ts",
    "packages/bot-whatsapp/Dockerfile",
    "packages/bot-whatsapp/src/index.ts",
    "packages/core/src/index.ts",
    "packages/dashboard/Dockerfile",
    "packages/dashboard/README.md",
    "packages/dashboard/src/index.ts",
    "packages/mcp-tools/src/index.ts",
    "pnpm-lock.yaml",
    "src/main.ts",
)

IMAGES = ("opencode", "whatsapp", "dashboard")
TO_PRODUCTION = Base(commit=BASE, reason="the tip before this push")


def config(text: str = CONFIG) -> Config:
    """A configuration from its text."""
    return parse(text, source=SOURCE)


def push(ref: str = "refs/heads/main", **facts: Any) -> Event:
    """A push to acme/orient, whose default branch is main."""
    return event("push", ref, **facts)


def event(name: str, ref: str = "refs/heads/main", **facts: Any) -> Event:
    """Any event of acme/orient; `facts` are fields of Event."""
    given: dict[str, Any] = {
        "sha": HEAD,
        "default_branch": "main",
        "repository": "acme/orient",
        "server_url": "https://github.com",
    }
    return Event(name=name, ref=ref, **(given | facts))


def changes(paths: Iterable[str]) -> tuple[Change, ...]:
    """Modified files, in order."""
    return tuple(Change(path, "M") for path in sorted(set(paths)))


def plan(
    *changed: str,
    config_text: str = CONFIG,
    configured: Config | None = None,
    at: Event | None = None,
    base: Base = TO_PRODUCTION,
    request: Request | None = None,
    listing: Sequence[str] = LISTING,
    base_config: Config | None = None,
    read: Mapping[str, Mapping[str, str]] | None = None,
) -> Plan:
    """The plan for a push to main that changes these files."""
    return decide(
        configured or config(config_text),
        event=at or push(),
        request=request or Request(),
        head=HEAD,
        base=base,
        changes=changes(changed) if base.commit else None,
        listing=listing,
        base_config=base_config,
        read=read,
    )


def no_base(reason: str = "this is the first push of the branch", *missed: str) -> Base:
    """Nothing to compare with."""
    return Base(commit=None, reason=reason, missed=missed)


def gate(
    of: Plan,
    results: Mapping[str, Result],
    *,
    build_jobs: Mapping[str, str] | None = None,
    required: Sequence[str] = (),
    may_skip: Sequence[str] = (),
    run_jobs: Mapping[str, str] | None = None,
) -> Gate:
    """The gate of a plan; `run_jobs` maps names of the run's jobs to their conclusions."""
    jobs = None
    if run_jobs is not None:
        jobs = [
            Job(name=name, conclusion=conclusion, url=f"https://github.com/acme/orient/job/{index}")
            for index, (name, conclusion) in enumerate(run_jobs.items())
        ]
    return decide_gate(
        of,
        results,
        build_jobs=build_jobs or {},
        required=required,
        may_skip=may_skip,
        run_jobs=jobs,
    )
