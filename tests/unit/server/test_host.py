"""What is a host, and what ssh would take for something else."""

from __future__ import annotations

import ipaddress
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orient_deploy.errors import InputError
from orient_deploy.server.host import Host, docker_command


@pytest.mark.parametrize(
    ("text", "user", "name", "port"),
    [
        pytest.param("deploy@example.com", "deploy", "example.com", 22, id="a-name"),
        pytest.param("deploy@example.com:2222", "deploy", "example.com", 2222, id="a-port"),
        pytest.param("root@192.0.2.7", "root", "192.0.2.7", 22, id="ipv4"),
        pytest.param("root@[2001:db8::7]", "root", "2001:db8::7", 22, id="ipv6"),
        pytest.param("root@[2001:db8::7]:2222", "root", "2001:db8::7", 2222, id="ipv6-and-port"),
        pytest.param("a.b-c_1@my_host", "a.b-c_1", "my_host", 22, id="what-people-use"),
    ],
)
def test_a_host_is_read(text: str, user: str, name: str, port: int) -> None:
    host = Host.parse(text)

    assert (host.user, host.name, host.port) == (user, name, port)
    assert str(host) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "@example.com", "deploy@", "deploy@example.com:", "deploy@a:0"),
        *("deploy@a:65536", "deploy@a:x", "deploy@a:22:22", "deploy@2001:db8::7", "deploy@[::1"),
        *("deploy@[fe80::1%eth0]", "deploy@[example.com]", "deploy@[::1]22", "deploy@[::1]:"),
        *("-oProxyCommand=x@a", "deploy@-oProxyCommand=x", "deploy@$(x)", "deploy@`x`"),
        *("deploy@a b", "deploy@a\n", "deploy@a;x", "deploy@%h", "de ploy@a", "deploy@a,b@c"),
        *("ssh://deploy@a", "deploy@a/b", "deploy@a@b", "deploy@..", "deploy@1.2.3", "deploy@*"),
        *("deploy@١٢٧.0.0.1", "deploy@a:２２", f"deploy@{'a' * 254}", "deploy@a-"),
    ],
)
def test_what_ssh_would_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="user@host"):
        Host.parse(text)


@given(
    st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,20}", fullmatch=True),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
    | st.ip_addresses(v=6).map(lambda one: str(ipaddress.IPv6Address(int(one)))),
    st.integers(1, 65535),
)
def test_what_is_read_is_written_the_same(user: str, name: str, port: int) -> None:
    if name.isdigit():
        name = f"a{name}"
    host = Host(user=user, name=name, port=port)

    assert Host.parse(str(host)) == host


@pytest.mark.parametrize("text", ["deploy@example.com", "root@192.0.2.7:2222", "x@[2001:db8::7]"])
def test_ssh_itself_reads_the_same_host(text: str) -> None:
    """`ssh -G` says what it would connect to."""
    host = Host.parse(text)
    command = ["ssh", "-G", "-F", "none", "-p", str(host.port), "-l", host.user, "--", host.name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    words = dict(line.split(" ", 1) for line in done.stdout.splitlines())

    assert (words["user"], words["hostname"]) == (host.user, host.name)
    assert words["port"] == str(host.port)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("docker", ("docker",), id="plain"),
        pytest.param("sudo docker", ("sudo", "-n", "docker"), id="sudo"),
        pytest.param("sudo -n docker", ("sudo", "-n", "docker"), id="sudo-that-never-asks"),
        pytest.param(
            "DOCKER_HOST=unix:///run/user/1000/docker.sock docker",
            ("env", "DOCKER_HOST=unix:///run/user/1000/docker.sock", "docker"),
            id="rootless",
        ),
    ],
)
def test_docker_is_called_as_configured(text: str, words: tuple[str, ...]) -> None:
    assert docker_command(text) == words


@pytest.mark.parametrize("text", ["", "  ", "docker '", "docker 'a\nb'"])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no command"):
        docker_command(text)
