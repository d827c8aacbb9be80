"""What `.github/orient-deploy.yml` says, as values: a thing that exists here is valid.

Never reads a file and never decides what is built; `orient_deploy.config.load` makes these.
"""

from __future__ import annotations

from orient_deploy.record import dataclass, field

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Literal

DOCKER_IMAGE = "docker-image://"  # begins a build context that is an image, as buildx writes it
AUTO = "auto"  # in a watch list: what the Dockerfile reads


@dataclass(frozen=True, kw_only=True)
class Location:
    """A place in a text file; line and column count from 1. An inline input has the file ''."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file or 'input images'}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One entry of a pattern list in GitHub's `paths:` dialect, relative to the repository root.

    `text` is the entry as written ('!docs/**' begins with its '!'), or 'auto'.
    """

    text: str
    where: Location = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Image:
    """One Docker image of the monorepo."""

    name: str  # [a-z0-9][a-z0-9._-]*, at most 64 characters
    dockerfile: str  # path from the repository root
    context: str = "."
    repository: str = (
        ""  # registry/owner/name without a tag; empty: derived from the GitHub repository
    )
    watch: tuple[Pattern, ...] = ()  # never empty after loading; (auto,) by default
    services: tuple[str, ...] = ()  # Compose services that run it; never empty after loading
    platforms: tuple[str, ...] = ()  # empty: the builder's own
    build_args: tuple[tuple[str, str], ...] = ()  # sorted by name
    contexts: tuple[tuple[str, str], ...] = ()  # sorted by name; a folder or 'docker-image://…'
    target: str = ""
    inputs: Literal["dockerfile", "workspace"] = "dockerfile"
    runner: tuple[str, ...] = ("ubuntu-latest",)
    timeout_minutes: int = 60
    typical_minutes: float | None = None
    max_age_s: int | None = None  # None: never rebuilt for age alone
    where: Location = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class DeployEvents:
    """Which events may deploy to an environment; the branch or tag must match as well.

    Only what is named may: empty `branches` means no push of a branch.
    """

    branches: tuple[Pattern, ...] = ()
    tags: tuple[Pattern, ...] = ()
    dispatch: bool = False
    schedule: bool = False
    workflow_run: bool = False
    repository_dispatch: bool = False


@dataclass(frozen=True, kw_only=True)
class Service:
    """What deploying and verifying a Compose service needs to know."""

    name: str
    reload: str = ""  # command inside the container; empty: recreate instead
    budget_s: float | None = None
    stable_s: float | None = None
    optional: bool = False  # it may be missing


@dataclass(frozen=True, kw_only=True)
class Check:
    """A probe of a deployed service: one of `url`, `tcp` and `exec`."""

    name: str
    service: str = ""
    url: str = ""
    tcp: str = ""  # host:port
    exec: str = ""
    ask_from: Literal["runner", "host"] = "runner"
    follow: str = ""
    content_type: str = ""
    status: int | None = None  # None: any of 200 to 299
    body: str = ""
    json: tuple[tuple[str, str], ...] = ()  # dotted path and value as text, sorted by path
    headers: tuple[tuple[str, str], ...] = ()  # name and what it holds, sorted by name
    assets: bool = False
    redirects: int = 5
    ip: Literal["any", "ipv4", "ipv6"] = "any"
    tls_days: int = 14


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Commands run on the server around a release; empty: none."""

    before_apply: str = ""
    after_good: str = ""
    after_rollback: str = ""


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Where an environment's secrets come from and what they must satisfy."""

    file: str = ""  # as the repository's root knows it, or absolute
    compare: tuple[str, ...] = ()  # files that should have the same names
    target: Literal["repository", "environment"] = "repository"  # whose secrets at GitHub
    suffix: str = ""  # of the names at GitHub
    variables: tuple[str, ...] = ()  # no secrets: they become variables at GitHub
    skip: tuple[str, ...] = ()  # not for GitHub, and not missed elsewhere
    accept: tuple[str, ...] = ()  # names whose values may be read differently elsewhere
    required: tuple[str, ...] = ()
    min_length: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One place that is deployed to. Paths are relative to `directory` unless said otherwise."""

    name: str
    on: DeployEvents | None = None  # None: `branches` and `tag-pattern`, by push or by hand
    hosts: tuple[str, ...] = ()  # user@host[:port]
    directory: str = "."
    workdir: str = "."  # Compose's project directory on the server
    project: str = ""  # Compose project name; empty: read from the running containers
    compose: tuple[str, ...] = ()  # paths from the repository root
    variants: tuple[tuple[str, tuple[str, ...]], ...] = ()
    profiles: tuple[str, ...] = ()
    sync: tuple[Pattern, ...] = ()  # files besides compose files that a deploy carries over
    env_file: str = ""
    docker: str = "docker"
    services: tuple[Service, ...] = ()
    checks: tuple[Check, ...] = ()
    hooks: Hooks = Hooks()
    secrets: Secrets = Secrets()
    peers: tuple[str, ...] = ()
    where: Location = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A finding of preflight that does not count until a day has passed."""

    check: str  # group/name
    reason: str
    until: str  # YYYY-MM-DD, included
    subject: str = ""  # what the finding is about; empty: whatever it is about
    environment: str = ""  # empty: in every one
    where: Location = field(compare=False)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration. Images and environments keep the order of the file."""

    source: str  # path from the repository root; '' when given inline
    images: tuple[Image, ...]
    branches: tuple[Pattern, ...] = ()  # deploying branches; empty: the repository's default branch
    tag_pattern: Pattern | None = None
    baseline: Literal["auto", "registry", "deployments", "push"] = "auto"
    immutable_tags: bool = False  # the registry never lets a tag move
    check_children: bool = False  # an image counts only while all of its platforms exist
    salt: str = ""  # part of every input digest: another one rebuilds everything once
    watch_all: tuple[Pattern, ...] = ()
    ignore: tuple[Pattern, ...] = ()
    environments: tuple[Environment, ...] = ()
    accept: tuple[Acceptance, ...] = ()

    def image(self, name: str) -> Image:
        """The image of that name; KeyError when there is none."""
        for image in self.images:
            if image.name == name:
                return image
        raise KeyError(name)
