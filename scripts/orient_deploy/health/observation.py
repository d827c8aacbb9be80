"""What was seen of containers and probes at one moment, as whoever looked hands it over.

Facts only; what they mean is `machine`'s business. Texts of containers and servers are foreign, and
may hold secrets: whoever shows them masks them first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Status = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
Health = Literal["", "starting", "healthy", "unhealthy"]  # '' where there is no health check
Outcome = Literal["right", "wrong", "unknown"]

CANNOT_RUN = -1  # the exit code that the engine logs for a health check that it cannot start


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """One run of a health check, as the engine's log has it."""

    exit_code: int
    output: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container at one moment."""

    id: str
    name: str
    service: str  # of Compose; else the container's own name
    project: str = ""  # of Compose
    image: str = ""  # as it was asked for
    image_id: str = ""
    status: Status
    exit_code: int = 0  # of the last end; of no meaning while it runs
    oom_killed: bool = False
    error: str = ""  # why the engine could not start it
    started_at: str = ""  # as the engine writes it: another one is another start
    restart_count: int = 0  # restarts by the engine since it was made
    age_s: float = 0.0  # since it was made, by the engine's own clock
    up_s: float = 0.0  # since this start of it, likewise; 0 where it does not run
    health: Health = ""
    health_log: tuple[CheckRun, ...] = ()  # the last five, the oldest first
    start_period_s: float = 0.0
    check_needs_s: float = 0.0  # start period + interval x retries; 0 without a check
    restart_policy: str = "no"  # no, always, unless-stopped or on-failure
    publishes: bool = False  # a port of the host
    addresses: frozenset[str] = frozenset()  # in its networks
    depends_on: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ services of Compose, and service_started, service_healthy or service_completed_successfully
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ those that begin with `orient-deploy.`, without that


@dataclass(frozen=True, kw_only=True)
class Exit:
    """The end of a container's process, of which the engine told."""

    container: str  # its id
    exit_code: int
    oom: bool = False


@dataclass(frozen=True, kw_only=True)
class Containers:
    """All containers that were asked for, at one moment; `why` says what kept us from seeing."""

    seen: tuple[Container, ...] = ()
    exits: tuple[Exit, ...] = ()  # since the last observation that was handed over
    why: str = ""  # not '': nothing was seen


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a probe came back with.

    `unknown` is what says nothing about the service: the prober itself could not get there (no
    name resolved, no route, no connection to the server it starts from).
    """

    probe: str  # its name
    outcome: Outcome
    reason: str = ""  # refused, no-answer, status, body, json, header, content-type, asset-type, …
    detail: str = ""  # for people
    status: int = 0  # of HTTP
    warnings: tuple[str, ...] = ()  # what is right today and will not stay so
