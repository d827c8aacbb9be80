"""What the script of a server prints, and what cannot be forged by names in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.server.host_facts import Listener, parse_facts

CONTAINER: list[Any] = [
    *("/a", "running", 2, "2026-11-24T01:00:00.123456789Z", "2026-11-24T01:02:00Z"),
    *(0, False, "docker", "web", "False", "/srv"),
    *({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "53/udp": None}, "default"),
    *("healthy", ["docker_default", None]),
]


def printed(*lines: str) -> bytes:
    return "\n".join([*lines, "end", ""]).encode()


def test_a_container_is_read() -> None:
    rows = (
        *(f"container {json.dumps(CONTAINER)}", "told containers"),
        *('compared "/a"', 'differs "/a" SECRET', 'differs "/b" OTHER'),
    )

    (found,) = parse_facts(printed(*rows)).containers or ()

    assert (found.name, found.state, found.health, found.restarts) == ("a", "running", "healthy", 2)
    assert found.was_restarted and found.changed == ("SECRET",)
    assert found.ports == (("127.0.0.1", 8080, "tcp"),)
    assert found.networks == {"docker_default"}


def test_what_was_not_told_is_not_known() -> None:
    found = parse_facts(printed())

    assert found.containers is None and found.networks is None and found.clock_s is None


def test_a_script_that_was_cut_off_is_no_answer() -> None:
    with pytest.raises(ValueError, match="end"):
        parse_facts(b"clock 1\ntold containers\n")


@pytest.mark.parametrize(
    ("line", "listener"),
    [
        pytest.param(
            "net tcp   0: 0100007F:1538 00000000:0000 0A 0:0",
            Listener(protocol="tcp", address="127.0.0.1", number=5432),
            id="tcp",
        ),
        pytest.param(
            "net tcp6   0: 00000000000000000000000000000000:0050 00:0 0A 0:0",
            Listener(protocol="tcp", address="", number=80),
            id="tcp6",
        ),
        pytest.param(
            "net tcp6   0: 0000000000000000FFFF00000100007F:0050 00:0 0A 0:0",
            Listener(protocol="tcp", address="127.0.0.1", number=80),
            id="tcp4-in-6",
        ),
        pytest.param(
            "net udp   0: 00000000:0035 00000000:0000 07 0:0",
            Listener(protocol="udp", address="0.0.0.0", number=53),
            id="udp",
        ),
        pytest.param("net tcp   0: 0100007F:1538 0100007F:9999 01 0:0", None, id="a-connection"),
        pytest.param("net udp   0: 0100007F:0035 0100007F:9999 01 0:0", None, id="a-udp-peer"),
        pytest.param("net tcp  sl  local_address rem_address st", None, id="the-heading"),
    ],
)
def test_what_listens_is_told(line: str, listener: Listener | None) -> None:
    assert parse_facts(printed(line)).listeners == ((listener,) if listener else ())


@given(st.text(max_size=30))
def test_a_name_forges_no_fact(name: str) -> None:
    """Docker prints names as JSON, and each line of the script has a key before it."""
    container = [f"/{name}", *CONTAINER[1:7], name, name, *CONTAINER[9:]]
    rows = [f"container {json.dumps(container)}", "told containers", "told networks"]
    rows.append(f"network {json.dumps(name)}")

    found = parse_facts(printed(*rows))

    assert found.docker_failure == "" and found.missing_tools == ()
    assert [one.project for one in found.containers or ()] == [name]
    assert found.networks == frozenset({name})


_KEYS = ("end", "container", "net", "hash", "path", "image", "disk", "memory", "docker", "told")
_LINES = st.builds("{} {}".format, st.sampled_from(_KEYS), st.text(max_size=20))


@given(st.lists(_LINES))
def test_any_lines_are_read(lines: list[str]) -> None:
    parse_facts(printed(*lines), images=["a"], paths=["b"])
