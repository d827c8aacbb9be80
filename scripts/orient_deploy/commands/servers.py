"""The servers of an environment: which they are, and how they are logged in to.

Shared by the commands that look at servers. Decides nothing about what is found there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.planning import split_names
from orient_deploy.hidden import Hidden
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Environment
    from orient_deploy.server.host import Host
    from orient_deploy.server.ssh import Server

NONE = ("none",)


@dataclass(frozen=True, kw_only=True)
class ServerInputs:
    """What says where the servers are, and how one logs in there."""

    hosts: str = described(
        "Servers to look at, user@host[:port], separated by commas, blanks or lines; 'none' for "
        "none. Empty means `hosts` of the environment.",
        "",
    )
    ssh_key: str = described(
        "Private key that logs in there, the whole file. Empty means an agent, or on a laptop what "
        "your own ssh uses.",
        "",
        secret=True,
    )
    known_hosts: str = described(
        "Lines of a known_hosts file for the servers. This or 'fingerprint' must be given in a "
        "workflow: no host key is accepted unseen.",
        "",
    )
    fingerprint: str = described(
        "Instead of 'known-hosts' the fingerprints of the servers' host keys, SHA256:…, separated "
        "by commas, blanks or lines.",
        "",
    )
    jump_hosts: str = described(
        "Machines on the way to the servers, user@host[:port], in their order, separated by "
        "commas, blanks or lines. Empty means none.",
        "",
    )


def named_hosts(inputs: ServerInputs, place: Environment | None) -> tuple[Host, ...]:
    """The servers of an environment; none where the input says so.

    Raises:
        InputError: one is no host.
    """
    from orient_deploy.server.host import Host

    named = split_names(inputs.hosts)
    if named == NONE:
        return ()
    return tuple(Host.parse(one) for one in named or (place.hosts if place else ()))


@contextmanager
def logged_in(
    host: Host, docker: Sequence[str], inputs: ServerInputs, context: Context
) -> Iterator[Server]:
    """A server, until the end of the block.

    Raises:
        InputError: the key or the pins are not what they should be.
        EnvironmentLacks: there is no OpenSSH, or no agent.
        RemoteError: it did not answer, showed another key, or refused.
    """
    from orient_deploy.server.host import Host
    from orient_deploy.server.keys import Pins
    from orient_deploy.server.ssh import connect

    fingerprints = split_names(inputs.fingerprint)
    pins = None
    if inputs.known_hosts or fingerprints or context.in_actions:
        pins = Pins.parse(known_hosts=inputs.known_hosts, fingerprints=fingerprints)
    if inputs.ssh_key:
        context.log.mask(inputs.ssh_key)
    with connect(
        host,
        environment=context.env,
        pins=pins,
        key=Hidden(inputs.ssh_key) if inputs.ssh_key else None,
        agent=context.in_actions and not inputs.ssh_key,
        jumps=[Host.parse(one) for one in split_names(inputs.jump_hosts)],
        docker=docker,
    ) as server:
        yield server
