"""Which machine, as a person names it, and what `docker` is called there. Pure.

What comes out is safe to stand among ssh's arguments and in its configuration: nothing that it
would read as an option, expand, or hand to a shell.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass

from orient_deploy.errors import InputError

DEFAULT_PORT = 22
_NAME_MAX = 253  # RFC 1035
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# Underscores are no part of DNS names, but of names that people give to machines.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_FORM = "user@host, user@host:port or user@[IPv6]:port"


@dataclass(frozen=True, kw_only=True)
class Host:
    """An account on a machine.

    >>> str(Host.parse("deploy@[2001:db8::7]:2222")), Host.parse("deploy@example.com").port
    ('deploy@[2001:db8::7]:2222', 22)
    """

    user: str
    name: str  # a DNS name, an IPv4 address, or an IPv6 address without its brackets
    port: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        if not _USER.fullmatch(self.user) or not _is_name(self.name):
            raise ValueError("not a host")
        if not 0 < self.port < 1 << 16:
            raise ValueError("not a port")

    @classmethod
    def parse(cls, text: str) -> Host:
        """The host that `user@host[:port]` names.

        Raises:
            InputError: it has another form, or holds what ssh would read as something else.
        """
        user, at, place = text.partition("@")
        if not at:
            raise _refused(text, "it has no `user@`")
        if not _USER.fullmatch(user):
            raise _refused(text, "the user holds more than letters, digits, `_`, `.` and `-`")
        if place.startswith("["):
            name, bracket, port = place[1:].partition("]")
            if not bracket or not _is_ipv6(name) or (port and not port.startswith(":")):
                raise _refused(text, "what stands in brackets is no IPv6 address")
            port = port and port[1:]
            has_port = place.endswith(":") or bool(port)
        else:
            name, colon, port = place.partition(":")
            has_port = bool(colon)
            if ":" in port:
                raise _refused(text, "an IPv6 address stands in brackets")
            if not _is_name(name):
                raise _refused(text, "the host is neither a name nor an address")
        if not has_port:
            return cls(user=user, name=name)
        if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 1 << 16:
            raise _refused(text, "the port is no number from 1 to 65535")
        return cls(user=user, name=name, port=int(port))

    @property
    def known_as(self) -> str:
        """How known_hosts files spell it."""
        return self.name if self.port == DEFAULT_PORT else f"[{self.name}]:{self.port}"

    @property
    def jump(self) -> str:
        """How ssh's list of jump hosts spells it."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.user}@{name}:{self.port}"

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{self.user}@{name}" + (f":{self.port}" if self.port != DEFAULT_PORT else "")


def docker_command(text: str) -> tuple[str, ...]:
    """The words that start docker there: `docker`, `sudo docker`, `DOCKER_HOST=unix:///… docker`.

    sudo never asks for a password, since nobody could answer.

    >>> docker_command("sudo docker"), docker_command("DOCKER_HOST=unix:///run/d.sock docker")
    (('sudo', '-n', 'docker'), ('env', 'DOCKER_HOST=unix:///run/d.sock', 'docker'))
    """
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words or any(not word.isprintable() for word in words):
        raise InputError(
            f"{text!r} is no command",
            "its quotes do not match, or it has no word",
            "Write `docker`, `sudo docker` or `DOCKER_HOST=unix:///path docker`",
        )
    if words[0] == "sudo" and "-n" not in words[1:2]:
        words[1:1] = ["-n"]
    if _ASSIGNMENT.match(words[0]):
        words.insert(0, "env")
    return tuple(words)


def _is_name(name: str) -> bool:
    if re.fullmatch(r"[0-9.]+", name):
        return _is_ipv4(name)
    return (len(name) <= _NAME_MAX and bool(_NAME.fullmatch(name))) or _is_ipv6(name)


def _is_ipv4(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


def _is_ipv6(name: str) -> bool:
    try:
        ipaddress.IPv6Address(name)
    except ValueError:
        return False
    return "%" not in name  # a zone is of this machine's links, and ssh expands percent signs


def _refused(text: str, why: str) -> InputError:
    return InputError(f"{text!r} is no host to log in to", why, f"Write {_FORM}")
