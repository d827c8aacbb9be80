"""What the engine's JSON means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.engine.facts import container, frames
from orient_deploy.health.observation import CheckRun

SECOND = 1_000_000_000


def inspected(
    state: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "Id": "0" * 64,
        "Name": "/x-app-1",
        "Created": "2026-01-01T00:00:00.123456789Z",
        "Image": "sha256:1",
        "State": {
            "Status": "running",
            "StartedAt": "2026-01-01T00:00:20Z",
            **(state or {}),
        },
        "Config": {"Image": "app:1", "Labels": None, **(config or {})},
        **more,
    }


def test_what_is_silent_has_no_check() -> None:
    one = container(inspected(), 1_767_225_660.0)

    assert (one.name, one.service, one.project) == ("x-app-1", "x-app-1", "")
    assert (one.health, one.health_log, one.check_needs_s, one.start_period_s) == ("", (), 0, 0)
    assert (one.restart_policy, one.publishes, one.addresses) == ("no", False, frozenset())
    assert (one.age_s, one.up_s) == (60, 40)  # by the engine's own clock
    assert container(inspected({"Status": "exited"}), 1_767_225_660.0).up_s == 0


@pytest.mark.parametrize(
    ("check", "needs_s", "start_s"),
    [
        pytest.param({"Test": ["CMD", "x"]}, 90, 0, id="defaults"),
        pytest.param(
            {
                "Test": ["CMD-SHELL", "x"],
                "Interval": SECOND,
                "Retries": 2,
                "StartPeriod": 9 * SECOND,
            },
            11,
            9,
            id="said",
        ),
        pytest.param({"Test": ["NONE"], "StartPeriod": 9 * SECOND}, 0, 0, id="switched-off"),
        pytest.param({"Interval": SECOND}, 0, 0, id="no-test"),
        pytest.param(None, 0, 0, id="none"),
    ],
)
def test_what_a_check_may_need(
    check: dict[str, Any] | None, needs_s: float, start_s: float
) -> None:
    one = container(inspected(config={"Healthcheck": check}), None)

    assert (one.check_needs_s, one.start_period_s) == (needs_s, start_s)


def test_labels_ports_and_networks_are_read() -> None:
    labels = {
        "com.docker.compose.service": "app",
        "com.docker.compose.project": "x",
        "com.docker.compose.depends_on": "db:service_healthy:true,cache:service_started:false",
        "orient-deploy.budget": "90s",
    }
    one = container(
        inspected(
            config={"Labels": labels},
            HostConfig={"RestartPolicy": {"Name": "always"}, "PortBindings": {"80/tcp": [{}]}},
            NetworkSettings={"Networks": {"a": {"IPAddress": "10.0.0.2"}, "b": {"IPAddress": ""}}},
            RestartCount=4,
        ),
        None,
    )

    assert (one.service, one.project, one.restart_count) == ("app", "x", 4)
    assert one.depends_on == {"db": "service_healthy", "cache": "service_started"}
    assert one.labels == {"budget": "90s"}
    assert (one.restart_policy, one.publishes, one.addresses) == (
        "always",
        True,
        frozenset({"10.0.0.2"}),
    )


def test_the_last_five_runs_of_a_check_are_kept() -> None:
    log = [{"ExitCode": code, "Output": f"{code}"} for code in range(9)]
    one = container(inspected({"Health": {"Status": "unhealthy", "Log": log}}), None)

    assert one.health == "unhealthy"
    assert one.health_log == tuple(CheckRun(exit_code=n, output=str(n)) for n in range(4, 9))
    assert container(inspected({"Health": {"Status": "none"}}), None).health == ""


@given(st.lists(st.tuples(st.sampled_from((1, 2)), st.binary(max_size=40))))
def test_frames_are_taken_off(pieces: list[tuple[int, bytes]]) -> None:
    data = b"".join(
        bytes([stream, 0, 0, 0]) + len(piece).to_bytes(4, "big") + piece for stream, piece in pieces
    )

    assert frames(data) == b"".join(piece for _, piece in pieces)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert len(frames(data)) <= len(data)
