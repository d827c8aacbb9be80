"""What two environments on one server would take from each other.

Judges their resolved projects; the server itself is `host`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.stack.resources import mounts, published_ports

if TYPE_CHECKING:
    from orient_deploy.stack.project import Project
    from orient_deploy.stack.resources import Mount

CHECKS = (
    Check(
        id="compose/stack-project",
        severity="error",
        title="Two environments on one server are the same Compose project",
        why="What one deploys replaces what the other runs.",
        fix="Give each environment a `project` of its own.",
    ),
    Check(
        id="compose/stack-container-name",
        severity="error",
        title="Two environments on one server use the same container name",
        why="The second one to start gets `Conflict. The container name is already in use`.",
        fix="Set another `container_name` in one environment's compose file.",
    ),
    Check(
        id="compose/stack-port",
        severity="error",
        title="Two environments on one server publish the same port",
        why="The second one to start gets `port is already allocated`. An overlay's `ports` are "
        "added to those of the first file and replace none.",
        fix='In the overlay write `ports: !override ["5433:5432"]` with a port of its own.',
    ),
    Check(
        id="compose/stack-volume",
        severity="error",
        title="Two environments on one server write the same data",
        why="A test in one changes, or destroys, the data of the other.",
        fix="Give the volume or folder another name in one of them.",
    ),
)

# Of the machine itself: every stack may have them.
_OF_THE_MACHINE = re.compile(
    r"/(?:proc|sys|dev|run|var/run|etc|lib|usr|boot|tmp|var/log|var/lib/docker|var/cache|mnt|media)"
    r"(?:/.*)?|/"
)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """An environment's project, and where its files are on the server."""

    name: str
    project: Project
    directory: str  # on the server, what `root` stands for
    root: str  # the folder of the checkout, absolute
    is_named: bool = False  # whether the configuration says the project's name


def check_neighbours(one: Stack, other: Stack) -> list[Finding]:
    """What `one` takes that `other` has."""
    if one.project.name and one.project.name == other.project.name:
        is_sure = one.is_named and other.is_named
        return [
            Finding(
                check="compose/stack-project",
                subject=other.name,
                message=f"{one.name} and {other.name} are both the project {one.project.name}",
                file=one.project.files[-1],
                severity=None if is_sure else "warning",
            )
        ]
    return [*_shared_names(one, other), *_shared_ports(one, other), *_shared_data(one, other)]


def _shared_names(one: Stack, other: Stack) -> Iterator[Finding]:
    taken = {
        service["container_name"]: name
        for name, service in other.project.services.items()
        if service.get("container_name")
    }
    for name, service in sorted(one.project.services.items()):
        container = str(service.get("container_name") or "")
        if container in taken and not one.project.is_made_up(container):
            file, line = one.project.places.of("services", name, "container_name")
            shown = one.project.shown(container, name, "container_name")
            yield Finding(
                check="compose/stack-container-name",
                subject=shown,
                message=f"{name} of {one.name} and {taken[container]} of {other.name} are both "
                f"called {shown}",
                file=file,
                line=line,
            )


def _shared_ports(one: Stack, other: Stack) -> Iterator[Finding]:
    theirs = published_ports(other.project.services)
    for port in published_ports(one.project.services):
        taken = next((two for two in theirs if port.overlaps(two)), None)
        if taken and not one.project.is_made_up(port.number):
            file, line = one.project.places.of("services", port.service, "ports")
            number = one.project.shown(port.number, port.service, "ports")
            ours = one.project.shown(port, port.service, "ports")
            theirs_shown = other.project.shown(taken, taken.service, "ports")
            yield Finding(
                check="compose/stack-port",
                subject=f"{number}/{port.protocol}",
                message=f"{port.service} of {one.name} publishes {ours}, and {taken.service} of "
                f"{other.name} {theirs_shown}",
                fix=f"Write `ports: !override` with another port than {number} for "
                f"{port.service} in {one.project.files[-1]}, or take {port.service} out of "
                f"{one.name}.",
                file=file,
                line=line,
            )


def _shared_data(one: Stack, other: Stack) -> Iterator[Finding]:
    theirs = {_on_server(mount, other): mount for mount in _data(other)}
    told = set()
    for mount in _data(one):
        source = _on_server(mount, one)
        taken = theirs.get(source)
        if taken is None or (mount.read_only and taken.read_only) or source in told:
            continue
        told.add(source)
        is_database = mount.is_database and taken.is_database
        file, line = one.project.places.of("services", mount.service, "volumes")
        shown = one.project.shown(source, mount.service, "volumes")
        yield Finding(
            check="compose/stack-volume",
            subject=shown,
            message=f"{mount.service} of {one.name} and {taken.service} of {other.name} both have "
            f"{shown}" + (", the data of a database" if is_database else ""),
            file=file,
            line=line,
            severity=None if is_database else "warning",
        )


def _data(stack: Stack) -> Sequence[Mount]:
    """Mounts that are somebody's data: not sockets, time zones and the like of the machine."""
    return [
        mount
        for mount in mounts(stack.project.model or {})
        if not stack.project.is_made_up(mount.source)
        and (
            mount.is_volume
            or _is_inside(mount, stack)
            or not _OF_THE_MACHINE.fullmatch(mount.source)
        )
    ]


def _is_inside(mount: Mount, stack: Stack) -> bool:
    return mount.source.startswith(f"{stack.root}/")


def _on_server(mount: Mount, stack: Stack) -> str:
    """What it is called there: a volume by its real name, or a path."""
    if not mount.is_volume and _is_inside(mount, stack):
        return f"{stack.directory}/{mount.source[len(stack.root) + 1 :]}"
    return mount.source
