"""What a server has: programs, docker, space, ports, networks, containers, images.

One script for POSIX sh, host_facts.sh, in one round trip. Every line that it prints begins with its
own key, and what docker says of names is JSON, so nothing there can pass for another fact. No value
of a variable leaves the server: those of containers are compared with those of their files there,
and the names of such as differ are told. Decides nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 180.0
MOST_IMAGES = 64

_FIELDS = 15  # that the script tells of a container
_DIGITS = 16  # no clock has as many


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container of the server, running or not."""

    name: str
    state: str  # running, exited, restarting, paused, created, dead
    health: str  # healthy, unhealthy, starting; '' without a health check
    restarts: int
    exit_code: int  # of the last time that it ran, or was to
    was_killed: bool  # for want of memory
    was_restarted: bool  # started again after it was created
    project: str  # of Compose, or ''
    service: str
    is_one_off: bool  # of `docker compose run`
    # Variables that its own files give another value now; None: they could not be compared.
    changed: tuple[str, ...] | None
    ports: tuple[tuple[str, int, str], ...]  # address ('' is every one), number, protocol
    networks: frozenset[str]
    directory: str  # Compose's project directory


@dataclass(frozen=True, kw_only=True)
class Space:
    """A file system, in kB and inodes; 0 where it does not say."""

    path: str
    total_kb: int = 0
    free_kb: int = 0
    inodes: int = 0
    free_inodes: int = 0


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A port that a process of the server holds."""

    protocol: str
    address: str  # '' is every address
    number: int


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the script found. What could not be told is '' or None."""

    # Its clock at the beginning and at the end, seconds since 1970.
    clock_s: tuple[float, float] | None = None
    missing_tools: tuple[str, ...] = ()
    docker: str = ""  # version of the engine
    api: str = ""
    docker_failure: str = ""  # denied, unreachable, missing, hung, failed
    compose: str = ""
    spaces: tuple[Space, ...] = ()
    memory_kb: int | None = None  # that can be had
    listeners: tuple[Listener, ...] = ()
    networks: frozenset[str] | None = None
    volumes: frozenset[str] | None = None
    containers: tuple[Container, ...] | None = None
    has_directory: bool = True
    # Whether each that was asked for is there; one that may not be looked for is not among them.
    paths: Mapping[str, bool] = field(default_factory=dict)
    images: Mapping[str, str] = field(
        default_factory=dict
    )  # present, there, absent, denied, unreachable, unknown


def command(
    directory: str,
    docker: Sequence[str],
    *,
    projects: Sequence[str] = (),
    images: Sequence[str] = (),
    paths: Sequence[str] = (),
) -> list[str]:
    """What to run there; `paths` are absolute, or relative to `directory`, which may begin with ~.

    `projects` are those of Compose whose variables are compared.

    >>> command("~/orienter", ("docker",), projects=["p"], images=["a:1"], paths=["b"])[3:]
    ['sh', '~/orienter', 'docker', '--', 'p', '--', 'a:1', '--', 'b']
    """
    text = Path(__file__).with_name("host_facts.sh").read_text(encoding="utf-8")
    lists = ["--", *projects, "--", *images[:MOST_IMAGES], "--", *paths]
    return ["sh", "-c", text, "sh", directory, *docker, *lists]


def parse_facts(out: bytes, *, images: Sequence[str] = (), paths: Sequence[str] = ()) -> HostFacts:
    """What the script printed.

    Raises:
        ValueError: it did not come to its end.
    """
    lines = out.decode("utf-8", "replace").split("\n")
    rows: dict[str, list[str]] = {}
    for line in lines:
        key, _, rest = line.partition(" ")
        rows.setdefault(key, []).append(rest)
    if "end" not in rows:
        raise ValueError("the script did not come to its end")
    told = set(rows.get("told", ()))
    versions = rows.get("docker", [""])[-1].split(" ")  # warnings come before it
    compose = re.match(r"v?(\d+\.\d+(?:\.\d+)?)", rows.get("compose", [""])[0])
    clock = [float(one) for one in rows.get("clock", ()) if one.isdecimal() and len(one) < _DIGITS]
    return HostFacts(
        clock_s=(clock[0], clock[-1]) if clock else None,
        missing_tools=tuple(rows.get("lacks", ())),
        docker=_word(versions[0]),
        api=_word(versions[1]) if len(versions) > 1 else "",
        docker_failure=rows.get("failure", [""])[0],
        compose=compose[1] if compose else "",
        spaces=_spaces(rows),
        memory_kb=_memory(rows.get("memory", ())),
        listeners=tuple(_listeners(rows.get("net", ()))),
        networks=_names(rows.get("network", ())) if "networks" in told else None,
        volumes=_names(rows.get("volume", ())) if "volumes" in told else None,
        containers=tuple(_containers(rows)) if "containers" in told else None,
        has_directory=rows.get("directory", ["yes"])[0] == "yes",
        paths={
            paths[int(number)]: answer == "yes"
            for number, answer in _pairs(rows.get("path", ()))
            if answer in ("yes", "no") and number.isdigit() and int(number) < len(paths)
        },
        images={
            images[int(number)]: answer
            for number, answer in _pairs(rows.get("image", ()))
            if number.isdigit() and int(number) < len(images)
        },
    )


def _pairs(rows: Sequence[str]) -> list[tuple[str, str]]:
    return [(one.partition(" ")[0], one.partition(" ")[2]) for one in rows]


def _word(text: str) -> str:
    """A version in JSON."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    return found if isinstance(found, str) and re.fullmatch(r"[\w.+~-]{1,60}", found) else ""


def _names(rows: Sequence[str]) -> frozenset[str]:
    found = set()
    for row in rows:
        try:
            found.add(str(json.loads(row)))
        except ValueError:
            continue
    return frozenset(found)


def _spaces(rows: Mapping[str, Sequence[str]]) -> tuple[Space, ...]:
    """`df -P` of the folder and of docker's own: the last line of each, by its numbers."""
    found: dict[str, dict[str, int]] = {}
    for kind, names in (("disk", ("total_kb", "free_kb")), ("inodes", ("inodes", "free_inodes"))):
        for row in rows.get(kind, ()):
            which, _, line = row.partition(" ")
            numbers = re.search(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s", f"{line} ")
            if numbers:
                values = dict(zip(names, (int(numbers[1]), int(numbers[3])), strict=True))
                found.setdefault(which, {}).update(values)
    return tuple(Space(path=which, **numbers) for which, numbers in sorted(found.items()))


def _memory(rows: Sequence[str]) -> int | None:
    for row in rows:
        if found := re.fullmatch(r"MemAvailable:\s+(\d+) kB", row):
            return int(found[1])
    return None


def _listeners(rows: Sequence[str]) -> list[Listener]:
    """What listens, by /proc/net (proc(5)): addresses in hex, 32 bits in the machine's order."""
    found = []
    for row in rows:
        kind, _, line = row.partition(" ")
        words = line.split()
        if len(words) < 4 or words[3] not in ("0A", "07"):
            continue
        if (words[3] == "0A") != kind.startswith("tcp"):
            continue
        address, _, port = words[1].partition(":")
        if not re.fullmatch(r"[0-9A-F]{4}", port) or not re.fullmatch(r"[0-9A-F]{8,32}", address):
            continue
        found.append(Listener(protocol=kind[:3], address=_address(address), number=int(port, 16)))
    return found


def _address(text: str) -> str:
    """An address of /proc/net.

    >>> _address("0100007F"), _address("00000000"), _address("0" * 32)
    ('127.0.0.1', '0.0.0.0', '')
    """
    import ipaddress

    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    if len(words) == 1:
        return str(ipaddress.IPv4Address(words[0]))
    address = ipaddress.IPv6Address(b"".join(words)[:16])
    if not int(address):
        return ""  # takes IPv4 as well, unless it says otherwise
    return str(address.ipv4_mapped or address)


def _containers(rows: Mapping[str, Sequence[str]]) -> list[Container]:
    changed: dict[str, list[str]] = {}
    for key in ("compared", "differs"):
        for row in rows.get(key, ()):
            name, _, variable = row.partition(" ")
            changed.setdefault(name, []).extend([variable] if variable else [])
    found = []
    for row in rows.get("container", ()):
        try:
            values = json.loads(row)
        except ValueError:
            continue
        if isinstance(values, list) and len(values) == _FIELDS:
            found.append(_container(values, changed.get(json.dumps(values[0]))))
    return found


def _container(values: list[Any], changed: list[str] | None) -> Container:
    name, state, restarts, created, started, code, killed = values[:7]
    project, service, one_off, directory, bindings, mode, health, networks = values[7:]
    ports = [
        (str(one.get("HostIp") or ""), int(one["HostPort"]), key.partition("/")[2] or "tcp")
        for key, those in (bindings or {}).items()
        for one in those or ()
        if str(one.get("HostPort") or "").isdigit()
    ]
    return Container(
        name=str(name or "").lstrip("/"),
        state=str(state or ""),
        health=str(health or ""),
        restarts=int(restarts or 0),
        exit_code=int(code or 0),
        was_killed=killed is True,
        was_restarted=_seconds_between(str(created), str(started)) > _RESTART_S,
        project=str(project or ""),
        service=str(service or ""),
        is_one_off=str(one_off) == "True",
        changed=None if changed is None else tuple(sorted(changed)),
        ports=tuple(ports),
        networks=frozenset(str(one) for one in networks if one)
        | ({"host"} if mode == "host" else set()),
        directory=str(directory or ""),
    )


# What is created is started in the same breath; later it was started again.
_RESTART_S = 60.0


def _seconds_between(one: str, other: str) -> float:
    from datetime import datetime

    try:
        first, second = (datetime.fromisoformat(text[:19]) for text in (one, other))
    except ValueError:
        return 0.0
    return (second - first).total_seconds()
