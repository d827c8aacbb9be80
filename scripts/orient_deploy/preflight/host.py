"""What is wrong with a server, for the projects that are to run there.

Judges facts that were gathered on it. Nothing here asks the server, and no fact holds a value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orient_deploy.preflight.finding import Check, Finding, Severity
from orient_deploy.stack.resources import Port, published_ports

if TYPE_CHECKING:
    from orient_deploy.server.host_facts import Container, HostFacts, Space
    from orient_deploy.stack.project import Project

CHECKS = (
    Check(
        id="host/unreachable",
        severity="error",
        title="The server cannot be reached",
        why="Nothing can be deployed there.",
        fix="Look at the address, the network and the key; the message says what failed.",
    ),
    Check(
        id="host/directory-missing",
        severity="error",
        title="The deployment's folder is not on the server",
        why="Compose would make empty folders where data should be.",
        fix="Correct `directory` of the environment, or make the folder.",
    ),
    Check(
        id="host/tools-missing",
        severity="error",
        title="The server lacks a program that a deploy needs",
        why="A deploy runs under flock and setsid, packs with tar and compares with sha256sum.",
        fix="Install it there: util-linux, tar, coreutils and awk have them.",
    ),
    Check(
        id="host/docker-unusable",
        severity="error",
        title="Docker does not answer on the server",
        why="Nothing can be pulled or started.",
        fix="Look at `systemctl status docker` there.",
    ),
    Check(
        id="host/docker-old",
        severity="error",
        title="Docker is too old",
        why="The engine lacks what a deploy asks it for.",
        fix="Update it to 20.10 or newer.",
    ),
    Check(
        id="host/compose-old",
        severity="error",
        title="Docker Compose is missing or too old",
        why="Files of variables and overlays are read differently before 2.24.",
        fix="Install the plugin docker-compose-plugin, 2.24 or newer.",
    ),
    Check(
        id="host/compose-differs",
        severity="hint",
        title="Another Compose judged the project than will run it",
        why="What a project means has changed between versions.",
        fix="Run preflight with the version of the server, or update the server's.",
    ),
    Check(
        id="host/disk-low",
        severity="error",
        title="The disk is nearly full",
        why="A pull stops in the middle, and a database that cannot write stops too.",
        fix="Make room: `docker image prune --all --filter until=168h`, and old logs.",
    ),
    Check(
        id="host/inodes-low",
        severity="error",
        title="The file system has hardly any inodes left",
        why="`no space left on device`, although there is space.",
        fix="Remove many small files: old images, caches, sessions.",
    ),
    Check(
        id="host/memory-low",
        severity="warning",
        title="The server has little memory left",
        why="The kernel ends a service while the next one starts: exit code 137.",
        fix="Stop what is not needed, or take a larger server.",
    ),
    Check(
        id="host/clock-skew",
        severity="warning",
        title="The server's clock is wrong",
        why="Certificates, tokens and logs are judged by it.",
        fix="Let it follow a time server: `timedatectl set-ntp true`.",
    ),
    Check(
        id="host/name-taken",
        severity="error",
        title="A container of another project has the name",
        why="`Conflict. The container name is already in use`: ours is not created.",
        fix="Remove or rename that container.",
    ),
    Check(
        id="host/port-taken",
        severity="error",
        title="Something else holds the port",
        why="`port is already allocated`, or `address already in use`: the service does not start.",
        fix="Stop what holds it, or publish another port.",
    ),
    Check(
        id="host/network-missing",
        severity="error",
        title="An external network is not there",
        why="`network … not found`: no service that is in it is created.",
        fix="Make it.",
    ),
    Check(
        id="host/volume-missing",
        severity="error",
        title="An external volume is not there",
        why="`external volume … not found`: no service that mounts it is created.",
        fix="Make it, or correct its name.",
    ),
    Check(
        id="host/project-differs",
        severity="error",
        title="What runs there belongs to another Compose project",
        why="A deploy under another name starts everything a second time, beside what runs.",
        fix="Say the name that runs: `project` of the environment.",
    ),
    Check(
        id="host/peer-down",
        severity="error",
        title="A stack that this one needs does not run",
        why="nginx ends with `host not found in upstream` while a name does not resolve.",
        fix="Start it first, and connect it to the shared network.",
    ),
    Check(
        id="host/image-absent",
        severity="error",
        title="An image is neither on the server nor in its registry",
        why="The pull fails, and nothing can be started from it.",
        fix="Build and push it, or correct the name.",
    ),
    Check(
        id="host/image-denied",
        severity="error",
        title="The server may not pull an image",
        why="The registry refuses it, `denied` or `unauthorized`; some say so too of what they do "
        "not have.",
        fix="Log in there with a token that may read the package, `docker login`, or correct the "
        "name.",
    ),
    Check(
        id="host/registry-unreachable",
        severity="warning",
        title="The server does not reach a registry",
        why="What it does not have yet cannot be pulled.",
        fix="Look at its network, its DNS and its firewall, and at whether the registry is up.",
    ),
    Check(
        id="host/container-orphan",
        severity="warning",
        title="A container runs that no compose file names any more",
        why="It goes on with its old image, holds its port, and answers under its old name.",
        fix="Remove it, or deploy with `--remove-orphans`.",
    ),
    Check(
        id="host/container-unwell",
        severity="warning",
        title="A container is not well before the deploy",
        why="What is broken already is not the deploy's fault, and may hide what is.",
        fix="Look at its log: `docker logs --tail 100`.",
    ),
    Check(
        id="host/container-stale",
        severity="warning",
        title="A container has other variables than its files",
        why="A restart reads no file of variables: what was changed there is in no container that "
        "was there before.",
        fix="Recreate it: `docker compose up -d`.",
    ),
    Check(
        id="host/certificate-missing",
        severity="error",
        title="A certificate is not on the server",
        why="nginx does not start without it: `cannot load certificate`.",
        fix="Put it there, or correct the path that is mounted.",
    ),
)

DISK_LEAST_KB = 1024 * 1024
DISK_LEAST_SHARE = 0.05
DISK_PLENTY_KB = 10 * DISK_LEAST_KB  # of a large disk a small share is enough
INODES_LEAST_SHARE = 0.05
MEMORY_LEAST_KB = 128 * 1024
CLOCK_MOST_S = 30.0
CLOCK_WRONG_S = 300.0  # tokens and certificates of a few minutes fail
OLDEST_API = (1, 41)  # Docker 20.10
OLDEST_COMPOSE = (2, 24)
_STOPPED = (0, 130, 137, 143)  # by itself, or by SIGINT, SIGKILL or SIGTERM: `docker stop`
_FAILURES: Mapping[str, tuple[str, str]] = {
    "denied": (
        "its socket may not be opened by this user",
        "Add the user to the group docker; or write `docker: sudo docker` for the environment, and "
        "have sudo ask for no password.",
    ),
    "missing": ("there is no docker", "Install Docker there."),
    "unreachable": ("its engine does not run", ""),
    "hung": ("its engine does not answer in time", "Restart it: it hangs."),
    "failed": ("`docker version` fails", ""),
}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What one environment wants of a server."""

    environment: str
    project: Project
    directory: str  # as the configuration has it
    has_directory: bool = True  # whether it is there
    images: Mapping[str, str] = field(default_factory=dict)  # to be deployed, by service
    unbuilt: Collection[str] = ()  # services whose image may yet be pushed
    is_named: bool = True  # the configuration says the project's name; else what runs does
    peers: Mapping[str, Project] = field(default_factory=dict)  # stacks that it needs
    certificates: Sequence[tuple[str, str, int]] = ()  # path there; file and line that ask for it
    compose: str = ""  # the version that judged the project here


def check_host(
    host: str, facts: HostFacts, expected: Sequence[Expected], *, skew_s: float | None
) -> list[Finding]:
    """What is wrong with one server, for the environments that it carries.

    `skew_s` is how far its clock is ahead of ours.
    """
    found = [*_machine(host, facts, skew_s)]
    expected = [_as_it_runs(one, facts.containers or ()) for one in expected]
    for one in expected:
        of_one = [*_folder(host, one), *_compose(host, facts, one)]
        if facts.containers is not None:
            of_one += _names(host, facts.containers, one)
            of_one += _ports(host, facts, one)
            of_one += _running(host, facts.containers, one, expected)
            of_one += _peers(host, facts.containers, one)
        of_one += _networks(host, facts, one)
        of_one += _images(host, facts, one)
        of_one += _certificates(host, facts, one)
        found += of_one
    return found


def _finding(
    check: str,
    subject: str,
    message: str,
    *,
    fix: str = "",
    command: str = "",
    environment: str = "",
    place: tuple[str, int] = ("", 0),
    severity: Severity | None = None,
) -> Finding:
    return Finding(
        check=check,
        subject=subject,
        message=message,
        fix=fix,
        command=command,
        environment=environment,
        file=place[0],
        line=place[1],
        severity=severity,
    )


# --- the machine


def _machine(host: str, facts: HostFacts, skew_s: float | None) -> Iterator[Finding]:
    for tool in facts.missing_tools:
        yield _finding("host/tools-missing", tool, f"{host} has no {tool}")
    if facts.docker_failure:
        why, fix = _FAILURES.get(facts.docker_failure, _FAILURES["failed"])
        yield _finding("host/docker-unusable", host, f"docker of {host}: {why}", fix=fix)
    elif facts.api and _version(facts.api) < OLDEST_API:
        yield _finding("host/docker-old", host, f"{host} has docker {facts.docker}")
    for space in _spaces(facts.spaces):
        what = "docker's data" if space.path == "/" else "the deployment"
        share = space.free_kb / space.total_kb if space.total_kb else 1.0
        is_little = share < DISK_LEAST_SHARE and space.free_kb < DISK_PLENTY_KB
        if space.total_kb and (space.free_kb < DISK_LEAST_KB or is_little):
            free = f"{space.free_kb / 1024 / 1024:.1f} GiB, {share:.0%}"
            yield _finding("host/disk-low", what, f"the disk of {what} on {host} has {free} free")
        if space.inodes and space.free_inodes / space.inodes < INODES_LEAST_SHARE:
            share = space.free_inodes / space.inodes
            yield _finding(
                "host/inodes-low",
                what,
                f"the file system of {what} on {host} has {share:.0%} of its inodes free",
            )
    if facts.memory_kb is not None and facts.memory_kb < MEMORY_LEAST_KB:
        yield _finding(
            "host/memory-low", host, f"{host} has {facts.memory_kb // 1024} MiB of memory left"
        )
    if skew_s is not None and abs(skew_s) > CLOCK_MOST_S:
        way = "ahead" if skew_s > 0 else "behind"
        yield _finding(
            "host/clock-skew",
            host,
            f"the clock of {host} is {abs(skew_s):.0f} seconds {way}",
            severity="error" if abs(skew_s) > CLOCK_WRONG_S else None,
        )


def _spaces(spaces: Sequence[Space]) -> list[Space]:
    """One for each file system: docker's data comes before a deployment on the same."""
    found: dict[tuple[int, int], Space] = {}
    for one in sorted(spaces, key=lambda one: one.path != "/"):
        found.setdefault((one.total_kb, one.inodes), one)
    return list(found.values())


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in text.split(".")[:2] if one.isdigit())


def _folder(host: str, one: Expected) -> Iterator[Finding]:
    if not one.has_directory:
        yield _finding(
            "host/directory-missing",
            one.directory,
            f"{host} has no folder {one.directory}",
            environment=one.environment,
        )


def _compose(host: str, facts: HostFacts, one: Expected) -> Iterator[Finding]:
    if facts.docker_failure:
        return
    if _version(facts.compose) < OLDEST_COMPOSE:
        has = f"docker compose {facts.compose}" if facts.compose else "no docker compose"
        yield _finding("host/compose-old", host, f"{host} has {has}")
    elif one.compose and _version(facts.compose) != _version(one.compose):
        yield _finding(
            "host/compose-differs",
            host,
            f"{host} has docker compose {facts.compose}, and {one.compose} judged here",
        )


# --- names and ports


def _as_it_runs(one: Expected, containers: Sequence[Container]) -> Expected:
    """The same, with the projects' names of what runs where nobody says another."""
    peers = {name: _named_as_it_runs(project, containers) for name, project in one.peers.items()}
    if one.is_named:
        return replace(one, peers=peers)
    return replace(one, peers=peers, project=_named_as_it_runs(one.project, containers))


def _named_as_it_runs(project: Project, containers: Sequence[Container]) -> Project:
    if any(each.project == project.name for each in containers):
        return project
    runs = _runs_as(project, containers)
    return replace(project, name=runs) if runs else project


def _runs_as(project: Project, containers: Sequence[Container]) -> str:
    """The one project that has containers with the names of these services, or ''."""
    wanted = {
        str(told.get("container_name")): service
        for service, told in project.services.items()
        if told.get("container_name")
    }
    projects = {
        each.project
        for each in containers
        if each.project and wanted.get(each.name) == each.service
    }
    return projects.pop() if len(projects) == 1 else ""


def _is_ours(container: Container, one: Expected) -> bool:
    return bool(container.project) and container.project == one.project.name


def _names(host: str, containers: Sequence[Container], one: Expected) -> Iterator[Finding]:
    held = {container.name: container for container in containers}
    for service, told in sorted(one.project.services.items()):
        name = str(told.get("container_name") or "")
        container = held.get(name)
        if container is None or one.project.is_made_up(name) or _is_ours(container, one):
            continue
        owner = f"the project {container.project}" if container.project else "no Compose project"
        yield _finding(
            "host/name-taken",
            name,
            f"the container {name} on {host} is of {owner}, and {service} wants its name",
            command=f"docker rename {name} {name}-old",
            environment=one.environment,
            place=one.project.places.of("services", service, "container_name"),
        )


def _ports(host: str, facts: HostFacts, one: Expected) -> Iterator[Finding]:
    containers = facts.containers or ()
    running = [each for each in containers if each.state in ("running", "paused", "restarting")]
    theirs = [
        (_port(each.name, *port), each.name)
        for each in running
        if not _is_ours(each, one)
        for port in each.ports
    ]
    of_containers = {(port[1], port[2]) for each in running for port in each.ports}
    # What ours hold in the host's own network goes when they are created anew.
    is_shared = any(_is_ours(each, one) and "host" in each.networks for each in running)
    processes = [
        _port("", held.address, held.number, held.protocol)
        for held in facts.listeners
        if (held.number, held.protocol) not in of_containers and not is_shared
    ]
    in_host = sorted(each.name for each in running if "host" in each.networks)
    for port in published_ports(one.project.services):
        if one.project.is_made_up(port.number):
            continue
        place = one.project.places.of("services", port.service, "ports")
        holder = next((name for held, name in theirs if port.overlaps(held)), "")
        if holder:
            message = f"{port} on {host} is held by the container {holder}"
        elif any(port.overlaps(held) for held in processes):
            message = f"{port} on {host} is held by a process"
            if in_host:
                message += f" of the server, or by {' or '.join(in_host)} in its network"
        else:
            continue
        yield _finding(
            "host/port-taken",
            f"{port.number}/{port.protocol}",
            f"{message}, and {port.service} publishes it",
            environment=one.environment,
            place=place,
        )


def _port(service: str, address: str, number: int, protocol: str) -> Port:
    return Port(service=service, address=address, number=number, protocol=protocol)


# --- what runs


def _running(
    host: str, containers: Sequence[Container], one: Expected, expected: Sequence[Expected]
) -> Iterator[Finding]:
    ours = [each for each in containers if _is_ours(each, one) and not each.is_one_off]
    # Environments may share a project.
    same = [each.project for each in expected if each.project.name == one.project.name]
    known = {name for each in same for name in (*each.services, *each.raw_services)}
    for each in sorted(ours, key=lambda each: each.name):
        if each.service not in known:
            yield _finding(
                "host/container-orphan",
                each.name,
                f"{each.name} on {host} is of the service {each.service}, which no compose file "
                "names",
                command=f"docker rm --force {each.name}",
                environment=one.environment,
            )
            continue
        if how := _unwell(each):
            yield _finding(
                "host/container-unwell",
                each.name,
                f"{each.name} on {host} {how}",
                command=f"docker logs --tail 100 {each.name}",
                environment=one.environment,
            )
        if each.changed and each.state == "running":
            names = [name for name in each.changed if name]
            others = len(each.changed) - len(names)
            more = [f"{others} whose names are not shown"] if others else []
            what = " and ".join([", ".join(names)] * bool(names) + more)
            how = "was restarted, and not recreated" if each.was_restarted else "still runs"
            yield _finding(
                "host/container-stale",
                each.name,
                f"{each.name} on {host} {how}, and its files have other values now of {what}",
                environment=one.environment,
            )
    yield from _other_project(host, containers, one)


def _unwell(container: Container) -> str:
    """How a container is not well; '' where it is, or was stopped by somebody."""
    if container.state == "restarting":
        return f"is restarting, after {container.restarts} restarts"
    if container.health == "unhealthy" and container.state == "running":
        return "is unhealthy"
    if container.state == "dead":
        return "is dead"
    if container.state == "exited" and container.was_killed:
        return "was ended for want of memory"
    if container.state == "exited" and container.exit_code not in _STOPPED:
        return f"has ended with exit code {container.exit_code}"
    if container.state == "created" and container.exit_code:
        return "could not be started"
    return ""


def _other_project(host: str, containers: Sequence[Container], one: Expected) -> Iterator[Finding]:
    """Containers of ours by their names, under another project's."""
    if any(_is_ours(each, one) for each in containers):
        return
    runs = _runs_as(one.project, containers)
    if runs and one.project.name:
        yield _finding(
            "host/project-differs",
            runs,
            f"the containers on {host} are of the project {runs}, and "
            f"{one.environment or 'this'} would be {one.project.name}",
            fix=f"Write `project: {runs}` below the environment.",
            environment=one.environment,
        )


def _peers(host: str, containers: Sequence[Container], one: Expected) -> Iterator[Finding]:
    for name, project in sorted(one.peers.items()):
        theirs = [each for each in containers if each.project and each.project == project.name]
        running = [each for each in theirs if each.state == "running"]
        if not running:
            yield _finding(
                "host/peer-down",
                name,
                f"nothing of {name} runs on {host}, and {one.environment} needs it",
                environment=one.environment,
            )
            continue
        ours = {net for each in containers if _is_ours(each, one) for net in each.networks}
        apart = sorted(each.name for each in running if not each.networks & ours)
        if ours and len(apart) == len(running):
            yield _finding(
                "host/peer-down",
                name,
                f"{name} runs on {host} without a network in common with {one.environment}",
                fix="Connect its containers: `docker network connect`.",
                environment=one.environment,
            )


# --- networks, volumes, images, certificates


def _networks(host: str, facts: HostFacts, one: Expected) -> Iterator[Finding]:
    model = one.project.model or {}
    for kind, there, check in (
        ("network", facts.networks, "host/network-missing"),
        ("volume", facts.volumes, "host/volume-missing"),
    ):
        for key, told in sorted((model.get(f"{kind}s") or {}).items()):
            name = str((told or {}).get("name") or key)
            is_external = bool((told or {}).get("external"))
            if not is_external or there is None or name in there or one.project.is_made_up(name):
                continue
            yield _finding(
                check,
                name,
                f"{host} has no {kind} {name}",
                command=f"docker {kind} create {name}",
                environment=one.environment,
                place=one.project.places.of(f"{kind}s", key),
            )


def _images(host: str, facts: HostFacts, one: Expected) -> Iterator[Finding]:
    users: dict[str, str] = {}
    for service, image in sorted(one.images.items()):
        users.setdefault(image, service)
    for image, service in users.items():
        answer = facts.images.get(image)
        place = one.project.places.of("services", service, "image")
        if answer == "absent":
            yield _finding(
                "host/image-absent",
                service,
                f"the image of {service} is not on {host}, and its registry has none",
                fix="Push it before the deploy." if service in one.unbuilt else "",
                environment=one.environment,
                place=place,
                severity="warning" if service in one.unbuilt else None,
            )
        elif answer == "denied":
            yield _finding(
                "host/image-denied",
                service,
                f"the image of {service} is not on {host}, and its registry refuses {host}",
                environment=one.environment,
                place=place,
            )
    silent: dict[str, list[str]] = {}
    for image, service in users.items():
        if facts.images.get(image) == "unreachable":
            silent.setdefault(_registry(image), []).append(service)
    for registry, services in sorted(silent.items()):
        whose = " and ".join([", ".join(services[:-1])] * bool(services[1:]) + services[-1:])
        yield _finding(
            "host/registry-unreachable",
            registry,
            f"{host} has no image of {whose}, and does not reach {registry}",
            environment=one.environment,
            place=one.project.places.of("services", services[0], "image"),
        )


def _registry(image: str) -> str:
    """The registry of a reference.

    >>> _registry("nginx:1"), _registry("acme/a"), _registry("ghcr.io/acme/a"), _registry("x:5/a")
    ('docker.io', 'docker.io', 'ghcr.io', 'x:5')
    """
    first, slash, _ = image.partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host else "docker.io"


def _certificates(host: str, facts: HostFacts, one: Expected) -> Iterator[Finding]:
    for path, file, line in one.certificates:
        if facts.paths.get(path) is False:
            yield _finding(
                "host/certificate-missing",
                path,
                f"{host} has no {path}",
                environment=one.environment,
                place=(file, line),
            )
