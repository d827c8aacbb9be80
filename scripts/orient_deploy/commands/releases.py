"""The command `releases`: which releases a server has, and how it stands.

Takes no lock, and changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orient_deploy.commands.deploy import WhereInputs, chosen_place, servers_of
from orient_deploy.commands.servers import logged_in
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD
from orient_deploy.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orient_deploy.commands.context import Context
    from orient_deploy.plan.report import Line
    from orient_deploy.server.agent import Reply


@dataclass(frozen=True, kw_only=True)
class Inputs(WhereInputs):
    """The inputs of `releases`."""


def run(inputs: Inputs, context: Context) -> int:
    """List them for each server; 1 where one waits to be judged.

    Raises:
        InputError: there is no such environment.
        RemoteError: a server is not reached, or its folder may not be read.
    """
    from orient_deploy.release.report import is_open, release_lines
    from orient_deploy.server.agent import show
    from orient_deploy.server.host import docker_command

    place, _, _ = chosen_place(inputs, context)
    lines: list[Line] = []
    found: dict[str, object] = {}
    waits = False
    for host in servers_of(inputs, place):
        docker = docker_command(inputs.docker or place.docker)
        with logged_in(host, docker, inputs, context) as server:
            reply = show(server, place.directory)
        lines += [(f"{place.name} on {host}",), *release_lines(reply.lines)]
        found[str(host)] = _told(reply)
        waits = waits or is_open(reply.lines)
    context.show(found, lines=lines)
    return EXIT_FOUND if waits else EXIT_GOOD


def _told(reply: Reply) -> Mapping[str, object]:
    from orient_deploy.release.model import standing

    stands = standing(reply.lines)
    return {
        "good": stands.good,
        "in-place": stands.installed,
        "under-way": stands.journal.step if stands.journal else "",
        "locked": bool(reply.all("locked")),
        "ledger": [
            {"at": one.at, "release": one.release, "verdict": one.word, "detail": one.rest}
            for one in stands.ledger
        ],
    }
