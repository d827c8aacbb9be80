"""Gathers what Compose says of each environment, and hands it to the checks of compose files and
of variables.

Decides which files are meant; never what is wrong with them.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orient_deploy.errors import InputError
from orient_deploy.hidden import Hidden
from orient_deploy.preflight.compose import LIBRARY, Surroundings, check_project, short_name
from orient_deploy.preflight.defaults import check_defaults
from orient_deploy.preflight.environment import Given, Wanted, check_environment
from orient_deploy.preflight.neighbours import Stack, check_neighbours
from orient_deploy.secrets.envfile import scan
from orient_deploy.secrets.lint import is_shown
from orient_deploy.stack.compose import Compose, content_of
from orient_deploy.stack.project import Project, Variables, resolve

if TYPE_CHECKING:
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.preflight.finding import Finding

# What Compose takes where nobody names a file, with its overrides, in its order.
_DEFAULTS = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = tuple(name.replace("compose.", "compose.override.") for name in _DEFAULTS)


@dataclass(frozen=True, kw_only=True)
class EnvText:
    """A file of variables: of this machine, or of a server."""

    title: str
    content: Hidden
    in_repository: bool  # it is a file of the checkout


@dataclass(frozen=True, kw_only=True)
class Looked:
    """An environment, what Compose makes of it, and what was found."""

    name: str
    environment: Environment | None
    project: Project
    findings: tuple[Finding, ...] = field(default=())


def compose_files(root: str, environment: Environment | None, named: Sequence[str]) -> list[str]:
    """The compose files that are meant, from the repository's root; empty where there are none."""
    if named:
        return list(named)
    if environment and environment.compose:
        return list(environment.compose)
    for names in (_DEFAULTS,):
        first = next((one for one in names if os.path.isfile(os.path.join(root, one))), None)
        if first:
            second = [one for one in _OVERRIDES if os.path.isfile(os.path.join(root, one))]
            return [first, *second[:1]]
    return []


def project_name(environment: Environment | None) -> str:
    """The project's name on the server: what is configured, else what Compose makes of the folder.

    >>> project_name(None)
    ''
    """
    if environment is None:
        return ""
    if environment.project:
        return environment.project
    folder = environment.workdir if environment.workdir != "." else environment.directory
    name = posixpath.basename(folder.rstrip("/"))
    # compose-go v2.9, loader/normalize.go: NormalizeProjectName
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def look_at(
    compose: Compose,
    root: str,
    environment: Environment | None,
    files: Sequence[str],
    text: EnvText | None,
    config: Config | None,
) -> Looked:
    """One environment by itself.

    Raises:
        InputError: a file is not there.
        EnvironmentLacks: Compose does not answer.
    """
    located = {}
    for name in files:
        path = os.path.join(root, name)
        if not os.path.isfile(path):
            raise InputError(
                f"the compose file {name} is not there",
                "the repository has no such file",
                "Correct `compose` of the environment, or the input 'compose'",
            )
        located[name] = path
    variables = Variables(title=text.title, content=text.content) if text else None
    project = resolve(
        compose,
        located,
        variables=variables,
        name=project_name(environment),
        profiles=environment.profiles if environment else (),
    )
    images = config.images if config else ()
    around = Surroundings(
        environment=environment,
        images=images,
        repositories=frozenset(one.repository for one in images if one.repository),
        built=_built(project),
    )
    return Looked(
        name=environment.name if environment else "",
        environment=environment,
        project=project,
        findings=tuple(check_project(project, around)),
    )


def look_at_variables(
    compose: Compose, root: str, looked: Looked, text: EnvText, config: Config | None
) -> list[Finding]:
    """The file of variables, for the project that is to run with it.

    Raises:
        InputError: Compose does not read the file.
        EnvironmentLacks: Compose does not answer.
    """
    from orient_deploy.config.model import Secrets

    environment = looked.environment
    secrets = environment.secrets if environment else Secrets()
    lines = {
        one.name: one.line
        for one in scan(text.content.reveal().removeprefix("\ufeff")).statements
        # What else looks like a name may be a piece of a value.
        if is_shown(one.name) and not one.follows and not one.bare
    }
    values = compose.values(text.content)
    given = Given(
        title=text.title,
        values={name: value for name, value in values.items() if name in lines},
        lines=lines,
        in_repository=text.in_repository,
    )
    templates = {}
    for title in secrets.compare:
        path = os.path.join(root, os.path.expanduser(title))
        if os.path.isfile(path):
            templates[title] = frozenset(compose.env_file(path, content_of(path)))
    hosts = {
        urlsplit(one.url).hostname or ""
        for one in (environment.checks if environment else ())
        if one.url
    }
    suffixes = {f"_{one.name.upper()}" for one in (config.environments if config else ())}
    wanted = Wanted(
        secrets=secrets,
        project=looked.project,
        hosts=frozenset(hosts - {""}),
        templates=templates,
        passed_whole=_passes_whole(looked, root),
        suffixes=tuple(sorted({"_STAGING", *suffixes})),
    )
    return check_environment(given, wanted)


def look_at_defaults(
    compose: Compose,
    looked: Looked,
    old_files: Sequence[str],
    folder: str,
    text: EnvText | None,
    base: str,
) -> list[Finding]:
    """Defaults that changed since the files in `folder`, which are those of the commit `base`.

    Raises:
        InputError: Compose does not accept the old files.
        EnvironmentLacks: Compose does not answer.
    """
    if looked.project.raw is None:
        return []
    paths = [os.path.join(folder, one) for one in old_files]
    before = compose.model(paths, os.path.dirname(paths[0]))
    names = None
    if text:
        names = {name for name, value in compose.values(text.content).items() if value}
    return check_defaults(looked.project, before, names, base)


def look_at_neighbours(all_looked: Sequence[Looked], root: str) -> list[Finding]:
    """What environments on the same server would take from each other."""
    found: list[Finding] = []
    for index, one in enumerate(all_looked):
        for other in all_looked[:index]:
            if share_a_server(one.environment, other.environment):
                findings = check_neighbours(_stack(one, root), _stack(other, root))
                found += [replace(each, environment=one.name) for each in findings]
    return found


def share_a_server(one: Environment | None, other: Environment | None) -> bool:
    """Whether they do, as far as the configuration says."""
    if one is None or other is None:
        return False
    peers = one.name in other.peers or other.name in one.peers
    return peers or bool(set(_machines(one)) & set(_machines(other)))


def _machines(environment: Environment) -> list[str]:
    return [one.rpartition("@")[2] for one in environment.hosts]


def _stack(looked: Looked, root: str) -> Stack:
    environment = looked.environment
    return Stack(
        name=looked.name,
        project=looked.project,
        directory=environment.directory.rstrip("/") if environment else ".",
        root=os.path.realpath(root),
        is_named=bool(environment and environment.project),
    )


def _passes_whole(looked: Looked, root: str) -> bool:
    """Whether a service gets the whole file of variables."""
    name = looked.environment.env_file if looked.environment else ""
    wanted = os.path.realpath(os.path.join(root, name or ".env"))
    for service in looked.project.raw_services.values():
        listed = service.get("env_file") or ()
        for one in [listed] if isinstance(listed, str) else listed:
            path = one.get("path", "") if isinstance(one, dict) else str(one)
            if os.path.realpath(path) == wanted or "$" in path:
                return True
    return False


def _built(project: Project) -> Mapping[str, bool]:
    """Services whose image is built from a Dockerfile that says whether it has a health check."""
    found = {}
    for name, service in project.services.items():
        build = service.get("build") or {}
        if not isinstance(build, dict) or not build.get("context") or build.get("target"):
            continue
        path = os.path.join(
            str(build["context"]).replace("$$", "$"), str(build.get("dockerfile") or "Dockerfile")
        )
        try:
            text = content_of(path).decode("utf-8", "replace")
        except InputError:
            continue
        last = text[
            max((one.start() for one in re.finditer(r"(?im)^\s*FROM\s", text)), default=0) :
        ]
        base = re.match(r"\s*FROM\s+(?:--\S+\s+)*(\S+)", last, re.IGNORECASE)
        checks = re.findall(r"(?im)^\s*HEALTHCHECK\s+(NONE\b)?", last)
        if checks:
            found[name] = not checks[-1]
        elif base and "/" not in base[1] and short_name(base[1]) in LIBRARY:
            found[name] = False
    return found
