"""What the engine's JSON says of a container, as a value. Reads nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from orient_deploy.health.observation import CheckRun, Container, Health, Status

LABEL = "orient-deploy."
OUTPUT_MAX = 4096  # characters of what a check printed; the engine keeps as many
_INTERVAL_NS, _RETRIES = 30e9, 3  # Docker's own where a health check is silent
_NS = 1e9


def container(found: Mapping[str, Any], now_s: float | None) -> Container:
    """A container of which the engine tells (`/containers/ID/json`), at the engine's time.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    config, state = found["Config"], found["State"]
    host = found.get("HostConfig") or {}
    labels: Mapping[str, str] = config.get("Labels") or {}
    name = str(found["Name"]).lstrip("/")
    health = state.get("Health") or {}
    check = config.get("Healthcheck") or {}
    has_check = bool(check.get("Test")) and check["Test"][0] != "NONE"
    start = float(check.get("StartPeriod") or 0) / _NS if has_check else 0.0
    word = health.get("Status") or ""
    created = _since(str(found.get("Created") or ""), now_s)
    started = _since(str(state.get("StartedAt") or ""), now_s)
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=str(found["Id"]),
        name=name,
        service=labels.get("com.docker.compose.service") or name,
        project=labels.get("com.docker.compose.project") or "",
        image=str(config.get("Image") or ""),
        image_id=str(found.get("Image") or ""),
        status=cast(Status, str(state["Status"])),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        started_at=str(state.get("StartedAt") or ""),
        restart_count=int(found.get("RestartCount") or 0),
        age_s=created,
        up_s=started if state["Status"] == "running" else 0.0,
        health=cast(Health, word if word in ("starting", "healthy", "unhealthy") else ""),
        health_log=tuple(
            CheckRun(
                exit_code=int(one.get("ExitCode") or 0),
                output=str(one.get("Output") or "")[:OUTPUT_MAX],
            )
            for one in (health.get("Log") or ())[-5:]
        ),
        start_period_s=start,
        check_needs_s=start
        + float(check.get("Interval") or _INTERVAL_NS) / _NS * int(check.get("Retries") or _RETRIES)
        if has_check
        else 0.0,
        restart_policy=str((host.get("RestartPolicy") or {}).get("Name") or "no"),
        publishes=bool(host.get("PortBindings")),
        addresses=frozenset(
            address
            for one in networks.values()
            for address in (one.get("IPAddress"), one.get("GlobalIPv6Address"))
            if address
        ),
        depends_on=dict(_dependencies(labels.get("com.docker.compose.depends_on") or "")),
        labels={
            key.removeprefix(LABEL): str(text)
            for key, text in labels.items()
            if key.startswith(LABEL)
        },
    )


def _since(text: str, now_s: float | None) -> float:
    """Seconds since a time of the engine's; 0 where it is not known."""
    then_s = seconds(text)
    return max(0.0, now_s - then_s) if now_s is not None and then_s is not None else 0.0


def _dependencies(label: str) -> Iterable[tuple[str, str]]:
    """Services and conditions of Compose's own label: `db:service_healthy:false,…`.

    >>> list(_dependencies("db:service_healthy:false,cache:service_started:true"))
    [('db', 'service_healthy'), ('cache', 'service_started')]
    """
    for one in label.split(","):
        name, _, rest = one.partition(":")
        if name:
            yield name, rest.partition(":")[0] or "service_started"


def seconds(text: str) -> float | None:
    """The engine's way to write a time, in seconds since 1970.

    >>> seconds("1970-01-01T00:01:00.5Z"), seconds("")
    (60.0, None)
    """
    try:
        return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def passwords(text: str) -> Iterable[str]:
    """What stands as a password in an address.

    >>> list(passwords("postgres://bot:sesame@db/bot")), list(passwords("plain"))
    (['sesame', 'sesame'], [])
    """
    if "://" in text:
        try:
            found = urlsplit(text).password
        except ValueError:
            found = None
        if found:
            yield found
            yield unquote(found)


def frames(data: bytes) -> bytes:
    """A log of both outputs without the eight bytes in front of each piece (moby, stdcopy).

    >>> frames(bytes([1, 0, 0, 0, 0, 0, 0, 2]) + b"a\\n"), frames(b"plain")
    (b'a\\n', b'plain')
    """
    pieces: list[bytes] = []
    at = 0
    while at + 8 <= len(data):
        if data[at] > 2 or data[at + 1 : at + 4] != b"\0\0\0":
            return data if not pieces else b"".join(pieces)
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        pieces.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(pieces) if pieces or not data else data
