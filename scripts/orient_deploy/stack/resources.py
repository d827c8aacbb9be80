"""What the services of a resolved project take of their host, and how long they may take to start.

Views of what Compose answered. Judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Where databases keep what must have one writer.
_DATA_FOLDERS = re.compile(
    r"/var/lib/(?:postgresql|mysql|mariadb|mongodb|rabbitmq|clickhouse|influxdb2?|neo4j|cassandra"
    r"|couchdb|etcd)(?:/.*)?|/bitnami/(?:postgresql|mysql|mariadb|mongodb|redis)(?:/.*)?|/data/db"
    r"|/usr/share/(?:elasticsearch|opensearch)/data"
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_INTERVAL_S, _RETRIES, _START_S = 30.0, 3, 0.0  # Docker's own where a health check is silent

Model = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port of the host that a service publishes."""

    service: str
    address: str  # '' is every address of both families
    number: int
    protocol: str

    def overlaps(self, other: Port) -> bool:
        """Whether only one of them can be had.

        >>> Port(service="a", address="", number=80, protocol="tcp").overlaps(
        ...     Port(service="b", address="127.0.0.1", number=80, protocol="tcp"))
        True
        """
        if (self.number, self.protocol) != (other.number, other.protocol):
            return False
        one, two = self.address, other.address
        if one == two or "" in (one, two):
            return True
        if (":" in one) != (":" in two):
            return False
        return one in ("0.0.0.0", "::") or two in ("0.0.0.0", "::")

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address or "0.0.0.0"
        return f"{address}:{self.number}{'' if self.protocol == 'tcp' else f'/{self.protocol}'}"


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A folder or volume of the host in a service."""

    service: str
    source: str  # the volume's real name, or an absolute path
    target: str
    is_volume: bool
    read_only: bool

    @property
    def is_database(self) -> bool:
        """Whether a database keeps its data there."""
        is_file = self.target.endswith((".sql", ".sh", ".conf", ".cnf"))
        return bool(_DATA_FOLDERS.fullmatch(self.target)) and not is_file


def published_ports(services: Mapping[str, Model]) -> list[Port]:
    """The ports of the host with a number; of a range Docker takes one that is free.

    >>> ports = [{"published": "53", "protocol": "udp"}, {"published": "8000-8009"}]
    >>> [str(one) for one in published_ports({"a": {"ports": ports}})]
    ['0.0.0.0:53/udp']
    """
    found = []
    for service, one in services.items():
        for port in one.get("ports") or () if one.get("network_mode") != "host" else ():
            number = str(port.get("published") or "")
            if number.isdigit() and number != "0":
                found.append(
                    Port(
                        service=service,
                        address=str(port.get("host_ip") or ""),
                        number=int(number),
                        protocol=str(port.get("protocol") or "tcp"),
                    )
                )
    return found


def mounts(model: Model) -> list[Mount]:
    """What the services of a project mount of the host."""
    volumes = model.get("volumes") or {}
    found = []
    for service, one in (model.get("services") or {}).items():
        for mount in one.get("volumes") or ():
            source, kind = str(mount.get("source") or ""), mount.get("type")
            if not source or kind not in ("bind", "volume"):
                continue
            if kind == "volume":
                source = str((volumes.get(source) or {}).get("name") or source)
            found.append(
                Mount(
                    service=service,
                    source=source,
                    target=str(mount.get("target") or "").rstrip("/"),
                    is_volume=kind == "volume",
                    read_only=bool(mount.get("read_only")),
                )
            )
    return found


def seconds(text: object, default: float) -> float:
    """A duration as Compose writes it.

    >>> seconds("1m30s", 0), seconds("500ms", 0), seconds(None, 30)
    (90.0, 0.5, 30.0)
    """
    if not isinstance(text, str) or not _DURATION.search(text):
        return default
    return sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION.findall(text))


def has_health_check(service: Model) -> bool | None:
    """Whether a service has a health check by the compose files; None: they do not say."""
    check = service.get("healthcheck")
    if not check:
        return None
    return not check.get("disable") and check.get("test") not in (["NONE"], "NONE")


def needed_s(service: Model) -> float | None:
    """How long a service may take by its own health check until it counts as unhealthy.

    None where the compose files have none for it.
    """
    if not has_health_check(service):
        return None
    check = service["healthcheck"]
    retries = str(check.get("retries") or "")
    return seconds(check.get("start_period"), _START_S) + seconds(
        check.get("interval"), _INTERVAL_S
    ) * (int(retries) if retries.isdigit() else _RETRIES)
