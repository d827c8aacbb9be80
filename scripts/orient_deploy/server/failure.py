"""What an ssh that could not log in complained about, as an error for people. Pure.

None of ssh's own words are repeated: they hold what the other side sent, and paths of this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orient_deploy.errors import OrientError, RemoteError
from orient_deploy.server.host import Host
from orient_deploy.server.keys import changed

_SHOWN = re.compile(r"key sent by the remote host is\s+(SHA256:[A-Za-z0-9+/]{43})")
_MENTIONED = (
    re.compile(r"Host key for (?P<known>\S+) has changed"),
    re.compile(r"host key is known for (?P<known>\S+) and you have requested"),
    re.compile(r"connect to host (?P<name>\S+) port (?P<port>\d+)"),
    re.compile(
        r"Connection (?:to|closed by|reset by|timed out with) (?P<name>\S+) port (?P<port>\d+)"
    ),
    re.compile(r"^(?P<account>[A-Za-z0-9_.-]+@\S+): Permission denied", re.MULTILINE),
    re.compile(r"disconnect from (?P<name>\S+) port (?P<port>\d+)"),
)
_NETWORK = "Look at the address, the port, the firewalls between here and there, and the SSH server"


def failed_login(
    told: str,
    hosts: Sequence[Host],
    pinned: Mapping[Host, Sequence[str]],
    *,
    public: str,
    timeout_s: int,
) -> OrientError:
    """The error behind what ssh said on its way through `hosts`, the target last.

    `public` is the fingerprint of the key that was offered, empty for an agent's.
    """
    host = _meant(told, hosts)
    if "has changed" in told and "ost key" in told:
        shown = _SHOWN.findall(told)
        return changed(host, pinned.get(host, ()), shown)
    if re.search(r"host key is known for|Host key verification failed|REVOKED HOST KEY", told):
        return RemoteError(
            f"the host key of {host.known_as} is not known",
            "it is none of those that were given, and an unknown one is never accepted",
            "Compare the server's keys on its own console (`ssh-keygen -lf"
            " /etc/ssh/ssh_host_ed25519_key.pub`) with what is configured",
        )
    if "Permission denied" in told or "Too many authentication failures" in told:
        offered = (
            f"the key {public} does not log in there"
            if public
            else ("no key of the agent, or of this machine's configuration, logs in there")
        )
        return RemoteError(
            f"{host} refuses the login",
            f"{offered}, or there is no user {host.user}",
            f"Put the line of its .pub file into ~{host.user}/.ssh/authorized_keys on"
            f" {host.name}, or name the user that has it",
        )
    if re.search(r"open failed|stdio forwarding failed", told) and len(hosts) > 1:
        return RemoteError(
            f"{hosts[-2]} does not lead to {hosts[-1].known_as}",
            "as a jump host it could not, or may not, open that connection",
            "Look at AllowTcpForwarding on the jump host, and whether it reaches the next one",
        )
    return no_connection(host, told, timeout_s)


def no_connection(host: Host, told: str, timeout_s: int) -> OrientError:
    """The error of a host with which no session of SSH began."""
    place = f"{host.name} port {host.port}"
    if "Connection refused" in told:
        return RemoteError(f"{place} refuses the connection", "nothing listens there", _NETWORK)
    if re.search(
        r"resolve hostname|[Nn]ame or service not known|getaddrinfo|name resolution", told
    ):
        return RemoteError(
            f"{host.name} has no address", "its name is not found", "Look for a misspelling"
        )
    if re.search(r"No route to host|unreachable", told):
        return RemoteError(f"{place} cannot be reached", "there is no way to it", _NETWORK)
    if re.search(r"no matching (?:host key type|key exchange|cipher|MAC)", told):
        return RemoteError(
            f"{place} and this machine have no common way to speak",
            "their OpenSSH versions or settings offer nothing in common",
            "Update the SSH server",
        )
    if re.search(r"closed by|Connection reset|closed by remote|exchange_identification", told):
        return RemoteError(
            f"{place} closes the connection at once",
            "what listens there is no SSH server, or it refuses this address",
            _NETWORK,
        )
    return RemoteError(
        f"{place} does not answer", f"no session began within {timeout_s} seconds", _NETWORK
    )


def _meant(told: str, hosts: Sequence[Host]) -> Host:
    """The first host that the words name; the last one, the target, when they name none."""
    for pattern in _MENTIONED:
        for match in pattern.finditer(told):
            named = match.groupdict()
            for host in hosts:
                if named.get("known") == host.known_as:
                    return host
                if (named.get("name"), named.get("port")) == (host.name, str(host.port)):
                    return host
            accounts = [h for h in hosts if named.get("account") == f"{h.user}@{h.name}"]
            if accounts:
                # The port is not said: when a jump host refuses, the way behind it closes too.
                behind = "UNKNOWN port" in told
                return accounts[0] if behind else accounts[-1]
    return hosts[-1]
