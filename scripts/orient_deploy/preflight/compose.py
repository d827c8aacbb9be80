"""What is wrong with a Compose project, by Compose's own reading of it.

Judges a `stack.project.Project` by itself; `defaults` compares it with the commit that runs, and
`neighbours` with what shares its server. No value of a variable gets into a finding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.stack.references import references
from orient_deploy.stack.resources import (
    Port,
    has_health_check,
    mounts,
    needed_s,
    published_ports,
)

if TYPE_CHECKING:
    from orient_deploy.config.model import Environment, Image
    from orient_deploy.stack.project import Model, Project
    from orient_deploy.stack.resources import Mount

CHECKS = (
    Check(
        id="compose/invalid",
        severity="error",
        title="Docker Compose does not accept the project",
        why="Nothing can be deployed: every command ends with this error.",
        fix="Correct the file; `docker compose config` shows Compose's own words.",
    ),
    Check(
        id="compose/variable-unset",
        severity="error",
        title="A variable that the compose files use has no value",
        why="Compose only warns, and goes on with an empty text: a password becomes empty, a port "
        "random, an image another one.",
        fix="Set it in the file of variables, or give it a default: `${NAME:-value}`.",
    ),
    Check(
        id="compose/warning",
        severity="warning",
        title="Docker Compose warns about the project",
        why="A warning of today is an error of the next version, and hides the next warning.",
        fix="Run `docker compose config` and mend what it warns about.",
    ),
    Check(
        id="compose/version-obsolete",
        severity="hint",
        title="The key `version` is obsolete",
        why="Compose ignores it, and warns each time it runs.",
        fix="Remove the line.",
    ),
    Check(
        id="compose/service-renamed",
        severity="error",
        title="An overlay names a service that has another name",
        why="What the overlay says of it does not count: Compose takes it for a second service.",
        fix="Use the name of the first compose file in all of them.",
    ),
    Check(
        id="compose/service-unknown",
        severity="error",
        title="The configuration names a service that the compose files do not have",
        why="It cannot be deployed or verified.",
        fix="Use the service's name in the compose files.",
    ),
    Check(
        id="compose/container-name-order",
        severity="warning",
        title="A container is called otherwise than its service",
        why="The words of the name stand in another order: commands and checks of one name miss "
        "the container of the other.",
        fix="Give the container the words of its service in their order.",
    ),
    Check(
        id="compose/container-name-twice",
        severity="error",
        title="Two services have the same container name",
        why="Only one container of a name can exist: the second one is not created.",
        fix="Give each a name of its own, or leave `container_name` out.",
    ),
    Check(
        id="compose/port-twice",
        severity="error",
        title="Two services publish the same port of the host",
        why="`port is already allocated`: the second one does not start.",
        fix="Publish one of them at another port, or not at all.",
    ),
    Check(
        id="compose/port-random",
        severity="hint",
        title="A port is published without a number",
        why="Docker chooses a free one at each start, so nobody can rely on it.",
        fix="Write both ports, like `127.0.0.1:8080:80`, or `expose` it to other services.",
    ),
    Check(
        id="compose/volume-shared",
        severity="error",
        title="Two services write the same data of a database",
        why="Two servers on one data directory destroy it.",
        fix="Give each service a volume of its own.",
    ),
    Check(
        id="compose/image-untagged",
        severity="warning",
        title="An image has no tag",
        why="It means `:latest`: what runs changes with the next pull, and a rollback finds the "
        "new image.",
        fix="Name a version, or a digest.",
    ),
    Check(
        id="compose/image-latest",
        severity="warning",
        title="An image is `:latest`",
        why="What runs changes with the next pull, and a rollback finds the new image.",
        fix="Name a version, or a digest.",
    ),
    Check(
        id="compose/image-blank-tag",
        severity="error",
        title="The tag of an image is empty",
        why="A variable in it has no value: nothing can be pulled under that name.",
        fix="Give the variable a value or a default.",
    ),
    Check(
        id="compose/budget-short",
        severity="error",
        title="A budget is shorter than the health check needs",
        why="A service that starts as slowly as its own health check allows would be rolled back.",
        fix="Raise `budget`, or shorten the health check.",
    ),
    Check(
        id="compose/healthcheck-missing",
        severity="error",
        title="A service waits for the health of one that has no health check",
        why="`dependency failed to start: container … has no healthcheck configured`.",
        fix="Give that service a `healthcheck`.",
    ),
    Check(
        id="compose/depends-on-start",
        severity="hint",
        title="A service does not wait until its database answers",
        why="The short form of `depends_on` waits for the container to start, not for the server "
        "in it: the first connections are refused, and a service without a restart policy that "
        "ends then stays down.",
        fix="Give the database a `healthcheck`, and use `condition: service_healthy`; or set "
        "`restart: unless-stopped`.",
    ),
)

# Of Docker's own library, none of which brings a health check along.
_DATABASES = (
    *("postgres", "mysql", "mariadb", "mongo", "redis", "valkey", "rabbitmq", "cassandra", "neo4j"),
    *("couchdb", "elasticsearch", "influxdb", "clickhouse", "memcached", "nats", "percona"),
)
_READY_AT_ONCE = ("redis", "valkey", "memcached", "nats")  # within a tenth of a second
LIBRARY = frozenset(
    (*_DATABASES, "nginx", "httpd", "caddy", "traefik", "haproxy", "node", "python", "php", "ruby")
)
_CASES = {"default": "-", "started": "service_started", "healthy": "service_healthy"}


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What decides besides the compose files."""

    environment: Environment | None = None
    images: tuple[Image, ...] = ()
    repositories: frozenset[str] = frozenset()  # deployed by digest, whatever the tag says
    # Services built from a Dockerfile that can be read, and whether a HEALTHCHECK is in it.
    built: Mapping[str, bool] | None = None


def check_project(project: Project, around: Surroundings) -> list[Finding]:
    """One project by itself."""
    found = [*_refusal(project), *_unset(project), *_warnings(project)]
    found += _renamed(project)
    found += _unknown_services(project, around)
    found += _container_names(project)
    found += _ports_twice(project)
    found += _ports_without_number(project)
    found += _volumes_shared(project)
    found += _images(project, around)
    found += _budgets(project, around)
    found += _dependencies(project, around)
    return found


def _finding(
    project: Project, check: str, subject: str, message: str, *path: str | int, **more: Any
) -> Finding:
    file, line = project.places.of(*path) if path else ("", 0)
    return Finding(check=check, subject=subject, message=message, file=file, line=line, **more)


# --- what Compose says


def _refusal(project: Project) -> Iterator[Finding]:
    if not project.refused:
        return
    file, line = project.refused_at
    fix = _renamed_fix(project) if "neither an image" in project.refused else ""
    check, subject, message = "compose/invalid", project.files[0], project.refused
    if twice := re.fullmatch(r"(\S+) and another service .* the container name (\S+)", message):
        check, subject = "compose/container-name-twice", twice[2]
    yield Finding(
        check=check,
        subject=subject,
        message=message,
        fix=fix,
        file=file or project.files[0],
        line=line,
        severity="warning" if "not fetched" in message else None,
    )


def _renamed_fix(project: Project) -> str:
    named = re.match(r"the service (\S+) has", project.refused)
    near = _same_words(named[1], _all_services(project)) if named else ()
    return f"It is called {near[0]} elsewhere: use that name in all files." if near else ""


def _unset(project: Project) -> Iterator[Finding]:
    for name in project.missing:
        file, line = project.place_of(name)
        yield Finding(
            check="compose/variable-unset",
            subject=name,
            message=f"{name} has no value in {project.variables}, and Compose refuses to go on "
            "without one",
            fix="Set it in the file of variables.",
            file=file,
            line=line,
        )
    for name in project.unset:
        file, line = project.place_of(name)
        yield Finding(
            check="compose/variable-unset",
            subject=name,
            message=f"{name} is not set in {project.variables}, and the compose files give it no "
            "default",
            file=file,
            line=line,
        )
    if project.unset_in_variables:
        count = project.unset_in_variables
        yield Finding(
            check="compose/variable-unset",
            subject=project.variables,
            message=f"values in {project.variables} refer to {count} "
            f"variable{'s' if count > 1 else ''} that nothing sets: a `$` in a value begins a "
            "reference",
            fix="Put the value into single quotes, or write `$$` for `$`. `orient-deploy secrets "
            "lint` finds the line.",
            file=project.variables,
        )


def _warnings(project: Project) -> Iterator[Finding]:
    if project.has_version:
        yield _finding(
            project, "compose/version-obsolete", "version", "`version` says nothing", "version"
        )
    if project.other_warnings > 0:
        count = project.other_warnings
        yield Finding(
            check="compose/warning",
            subject=project.files[0],
            message=f"Compose warns {'once' if count == 1 else f'{count} times'} about something "
            "else than variables",
            file=project.files[0],
        )


# --- names


def _words(name: str) -> list[str]:
    return [one for one in re.split(r"[-_.]+", name.lower()) if one]


def _same_words(name: str, others: Collection[str]) -> list[str]:
    """Names of the same words in another order.

    >>> _same_words("whatsapp-bot", ["bot-whatsapp", "bot", "whatsapp-bot"])
    ['bot-whatsapp']
    """
    words = Counter(_words(name))
    return sorted(
        one for one in others if one != name and len(words) > 1 and Counter(_words(one)) == words
    )


def _all_services(project: Project) -> list[str]:
    return sorted({*project.raw_services, *project.services})


def _renamed(project: Project) -> Iterator[Finding]:
    """Services that stand in one file only, beside one of the same words in another."""
    services = _all_services(project)
    for name in services:
        files = project.places.files_with("services", name)
        if len(project.files) < 2 or not files or project.files[0] in files:
            continue
        near = [
            one
            for one in _same_words(name, services)
            if project.files[0] in project.places.files_with("services", one)
        ]
        if near:
            yield _finding(
                project,
                "compose/service-renamed",
                name,
                f"the service {name} stands in {', '.join(files)} only; {project.files[0]} calls "
                f"it {near[0]}",
                "services",
                name,
                fix=f"Call it {near[0]} in {', '.join(files)}.",
            )


def _unknown_services(project: Project, around: Surroundings) -> Iterator[Finding]:
    environment = around.environment
    services = _all_services(project)
    if environment is None or not services:
        return
    named: dict[str, str] = {}
    for image in around.images:
        named.update(dict.fromkeys(image.services, f"the image {image.name}"))
    named.update({one.name: "`services`" for one in environment.services})
    named.update(
        {one.service: f"the check {one.name}" for one in environment.checks if one.service}
    )
    for name, by in sorted(named.items()):
        if name in services:
            continue
        near = _same_words(name, services) or get_close_matches(name, services, n=1)
        yield Finding(
            check="compose/service-unknown",
            subject=name,
            message=f"{by} of the configuration names the service {name}, which "
            f"{' with '.join(project.files)} do{'es' if len(project.files) == 1 else ''} not have",
            fix=f"Did you mean {near[0]}?" if near else f"There are {', '.join(services)}.",
            file=environment.where.file,
            line=environment.where.line,
        )


def _container_names(project: Project) -> Iterator[Finding]:
    holders: dict[str, list[str]] = {}
    for service, one in project.services.items():
        name = one.get("container_name") or ""
        if not name:
            continue
        holders.setdefault(name, []).append(service)
        if _is_shuffled(service, name):
            yield _finding(
                project,
                "compose/container-name-order",
                service,
                f"the service {service} runs in a container called "
                + project.shown(name, service, "container_name"),
                *("services", service, "container_name"),
            )
    for name, services in sorted(holders.items()):
        if len(services) > 1 and not project.is_made_up(name):
            shown = project.shown(name, services[-1], "container_name")
            yield _finding(
                project,
                "compose/container-name-twice",
                shown,
                f"{' and '.join(services)} both have the container name {shown}",
                *("services", services[-1], "container_name"),
            )


def _is_shuffled(service: str, container: str) -> bool:
    """Whether the container has the service's words next to each other, in another order.

    >>> _is_shuffled("bot-whatsapp", "acme-whatsapp-bot"), _is_shuffled("a-b", "x-a-b")
    (True, False)
    """
    words, all_words = _words(service), _words(container)
    if len(words) < 2 or len(set(words)) < 2:
        return False
    windows = [
        all_words[start : start + len(words)] for start in range(len(all_words) - len(words) + 1)
    ]
    return words not in windows and any(sorted(one) == sorted(words) for one in windows)


# --- ports


def _ports_twice(project: Project) -> Iterator[Finding]:
    ports = [one for one in published_ports(project.services) if not project.is_made_up(one.number)]
    for index, port in enumerate(ports):
        for other in ports[:index]:
            if not port.overlaps(other):
                continue
            same = port.service == other.service
            if same and port == other and not _written_twice(project, port):
                continue
            one, two = (project.shown(each, each.service, "ports") for each in (other, port))
            yield _finding(
                project,
                "compose/port-twice",
                f"{project.shown(port.number, port.service, 'ports')}/{port.protocol}",
                f"{port.service} publishes {one} and {two}"
                if same
                else f"{other.service} publishes {one}, and {port.service} {two}",
                *("services", port.service, "ports"),
            )
            break


def _written_twice(project: Project, port: Port) -> bool:
    """Two entries that are equal are merged by Compose; two targets of one port are not."""
    entries = project.services[port.service].get("ports") or ()
    targets = [
        one.get("target") for one in entries if str(one.get("published")) == str(port.number)
    ]
    return len(set(targets)) > 1


def _ports_without_number(project: Project) -> Iterator[Finding]:
    for service, one in project.services.items():
        targets = [
            port.get("target")
            for port in one.get("ports") or ()
            if str(port.get("published") or "0") == "0"
        ]
        if not targets or one.get("network_mode") == "host":
            continue
        by_variable = [name for name in project.unset if _in_ports(project, service, name)]
        known = [
            project.shown(port, service, "ports")
            for port in targets
            if not project.is_made_up(port)
        ]
        which = f"port {' and '.join(known)}" if known else "ports"
        yield _finding(
            project,
            "compose/port-random",
            service,
            f"{service} publishes its {which} at a random port of the host"
            + (f": {by_variable[0]} is not set" if by_variable else ""),
            *("services", service, "ports"),
            # Who writes no number and no variable may well mean it.
            severity="error" if by_variable else None,
        )


def _in_ports(project: Project, service: str, name: str) -> bool:
    return name in references((project.raw_services.get(service) or {}).get("ports"))


# --- data


def _volumes_shared(project: Project) -> Iterator[Finding]:
    writers: dict[tuple[bool, str], list[Mount]] = {}
    for mount in mounts(project.model or {}):
        if mount.is_database and not mount.read_only:
            writers.setdefault((mount.is_volume, mount.source), []).append(mount)
    for (_, source), those in sorted(writers.items()):
        services = sorted({one.service for one in those})
        servers = [one for one in services if _is_database(project.services[one])]
        if len(servers) > 1:
            shown = project.shown(source, servers[-1], "volumes")
            yield _finding(
                project,
                "compose/volume-shared",
                shown,
                f"{' and '.join(servers)} both keep their data in {shown}",
                *("services", servers[-1], "volumes"),
            )


def _is_database(service: Model) -> bool:
    """Whether the service's image is a database's; a helper that only looks at the data is none."""
    return short_name(str(service.get("image") or "")) in _DATABASES


def short_name(image: str) -> str:
    """The last word of an image's name, where it is one of Docker's library or a well-known one.

    >>> short_name("docker.io/library/postgres:16"), short_name("bitnami/redis@sha256:0")
    ('postgres', 'redis')
    """
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


# --- images


def _images(project: Project, around: Surroundings) -> Iterator[Finding]:
    for service, one in project.services.items():
        image = str(one.get("image") or "")
        name, _, digest = image.partition("@")
        last = name.rpartition("/")[2]
        repository = name[: -len(last)] + last.partition(":")[0]
        if not image or digest or repository in around.repositories:
            continue
        # What is built and has no registry's name is never pulled.
        if one.get("build") and not re.search("[.:]", repository.partition("/")[0]):
            continue
        if project.is_made_up(image):
            continue
        path = ("services", service, "image")
        shown = f"{service} runs {project.shown(name, service, 'image')}"
        if last.endswith(":") or last.startswith(":"):
            yield _finding(
                project,
                "compose/image-blank-tag",
                service,
                f"the image of {service} ends with a colon",
                *path,
            )
        elif ":" not in last:
            yield _finding(project, "compose/image-untagged", service, shown, *path)
        elif last.endswith(":latest"):
            yield _finding(project, "compose/image-latest", service, shown, *path)


# --- health


def _budgets(project: Project, around: Surroundings) -> Iterator[Finding]:
    for one in around.environment.services if around.environment else ():
        needed = needed_s(project.services.get(one.name) or {})
        if one.budget_s is not None and needed is not None and one.budget_s < needed:
            yield _finding(
                project,
                "compose/budget-short",
                one.name,
                f"the budget of {one.name} is {one.budget_s:g} s, and its health check may take "
                f"{needed:g} s (start_period + interval x retries)",
                *("services", one.name, "healthcheck"),
                fix=f"Set `budget: {needed:g}` or more.",
            )


def _dependencies(project: Project, around: Surroundings) -> Iterator[Finding]:
    built = around.built or {}
    hasty: dict[str, list[str]] = {}
    for service, one in project.services.items():
        needs = one.get("depends_on") or {}
        for name, how in sorted(needs.items() if isinstance(needs, dict) else ()):
            other = project.services.get(name)
            condition = (how or {}).get("condition")
            if other is None:
                continue
            has = has_health_check(other)
            image = str(other.get("image") or "")
            of_library = "/" not in image.removeprefix("docker.io/library/") and (
                short_name(image) in LIBRARY
            )
            if (
                has is None
                and (of_library or built.get(name) is False)
                and not (of_library and other.get("build"))
            ):
                has = False
            path = ("services", service, "depends_on", name)
            if condition == _CASES["healthy"] and has is False:
                yield _finding(
                    project,
                    "compose/healthcheck-missing",
                    name,
                    f"{service} waits until {name} is healthy, and {name} has no health check",
                    *path,
                    severity="warning" if built.get(name) is False else None,
                )
            elif (
                condition in (None, _CASES["started"])
                and has is not True
                and of_library
                and short_name(image) not in _READY_AT_ONCE
                and _is_database(other)
                and str(one.get("restart") or "no") == "no"  # else it is started again
                and _is_own(service, around)
            ):
                hasty.setdefault(name, []).append(service)
    for name, services in sorted(hasty.items()):
        yield _finding(
            project,
            "compose/depends-on-start",
            name,
            f"{' and '.join(services)} start{'s' if len(services) == 1 else ''} as soon as the "
            f"container of {name} does, whether {name} answers or not, and nothing starts "
            f"{'it' if len(services) == 1 else 'them'} again",
            *("services", services[0], "depends_on", name),
        )


def _is_own(service: str, around: Surroundings) -> bool:
    """Whether the configuration builds it: what others build may well wait by itself."""
    return any(service in image.services for image in around.images)
