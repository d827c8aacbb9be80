"""Looks at what runs until there is a verdict, and gathers what shows it: for verify and deploy.

Decides who looks, and from where; never what it means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orient_deploy.commands.verify_evidence import gather
from orient_deploy.commands.verify_watch import TICK_S, Ask, Lookout, Prober, watch
from orient_deploy.engine.api import Engine, Wanted, local_dial, server_dial
from orient_deploy.errors import InputError, RemoteError
from orient_deploy.health.evidence import Told, is_rollback_advised
from orient_deploy.health.observation import Answer
from orient_deploy.health.verdict import Expected, Verdict, Verification
from orient_deploy.preflight.defaults import is_secret_name
from orient_deploy.probe.http import ask_http
from orient_deploy.probe.model import HttpProbe, TcpProbe
from orient_deploy.probe.tcp import ask_tcp

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Check, Environment
    from orient_deploy.engine.wire import Dial
    from orient_deploy.health.machine import Watched
    from orient_deploy.server.host import Host
    from orient_deploy.server.ssh import Server

EXEC_EVERY_S = 1.0
EXEC_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is to be verified, and where."""

    place: Environment | None
    expected: Expected
    wanted: Wanted | None  # None: no container is looked at
    checks: tuple[Check, ...]
    hosts: tuple[Host, ...]
    docker: tuple[str, ...]


def judge(
    goal: Goal,
    reach: AbstractContextManager[Server | None],
    context: Context,
    tell: Callable[[Watched], None],
    *,
    title: str = "",
    remarks: Sequence[str] = (),
    for_s: float | None = None,
) -> tuple[Verification, Told]:
    """What came out, and all that is told of it. `reach` leads to the server, or to this machine;
    with `for_s` it is looked for so long, and no longer.

    Raises:
        InputError: a budget is shorter than a health check may need.
        EnvironmentLacks: there is no docker on this machine, or no OpenSSH.
    """
    verification = Verification(goal.expected)
    lookout = Lookout(engine=None)
    lost: list[str] = []
    with ExitStack() as stack:
        try:
            server = stack.enter_context(reach)
            lookout = Lookout(engine=stack.enter_context(_engine(goal, server, context)))
        except RemoteError as error:  # that nobody could look is no fault of the release
            lost.append(str(error))
        else:
            watch(verification, lookout, _probers(goal, lookout, server), tell, for_s=for_s)
            if not verification.watched:
                lost.append(_nothing(goal, lookout))
        verdict = verification.verdict()
        evidence = gather([*verdict.failed, *puzzling(verdict)], lookout)
    return verification, Told(
        title=title,
        verdict=verdict,
        watched=tuple(verification.watched.values()),
        evidence=evidence,
        leftovers=tuple(sorted(verification.leftovers)),
        remarks=(*remarks, *lost),
        rollback_advised=is_rollback_advised(verdict, evidence),
    )


def puzzling(verdict: Verdict) -> list[Watched]:
    """What kept it from a verdict; beside a failure nobody asks."""
    return [] if verdict.failed else list(verdict.unclear)


def _nothing(goal: Goal, lookout: Lookout) -> str:
    """That there is no container, and what was perhaps meant."""
    project = goal.wanted.project if goal.wanted else ""
    there = lookout.engine.projects() if lookout.engine else ()
    what = f"no container of the project {project} is there" if project else "no container is there"
    return what + (f"; there are those of {', '.join(there)}" if project and there else "")


@contextmanager
def _engine(goal: Goal, server: Server | None, context: Context) -> Iterator[Engine | None]:
    if goal.wanted is None and not any(one.exec for one in goal.checks):
        yield None
        return
    dial: Dial = (
        server_dial(server, goal.docker) if server else local_dial(context.env, goal.docker)
    )
    wanted = goal.wanted or Wanted()
    with Engine(dial, wanted, is_secret_name, here=server is None) as engine:
        yield engine


def _probers(goal: Goal, lookout: Lookout, server: Server | None) -> list[Prober]:
    return [
        Prober(
            name=one.name,
            ask=_ask(one, lookout, server),
            every_s=EXEC_EVERY_S if one.exec else TICK_S,
        )
        for one in goal.checks
    ]


def _ask(check: Check, lookout: Lookout, server: Server | None) -> Ask:
    """What asks once."""
    family: Any = {"ipv4": "4", "ipv6": "6"}.get(check.ip, "")
    if check.exec:
        return lambda: _ask_inside(check, lookout)
    place = place_of(check.url or f"tcp://{check.tcp}")
    if place is None:
        raise InputError(
            f"the check {check.name} asks nothing that can be asked",
            f"{check.url or check.tcp!r} has no host, or no port up to 65535",
            "Correct it in the configuration",
        )
    host, port = place
    way = server.forward(host, port) if check.ask_from == "host" and server else None
    if check.tcp:
        tcp = TcpProbe(name=check.name, host=host, port=port, family=family)
        return lambda: ask_tcp(replace(tcp, via=way.path()) if way else tcp)
    http = HttpProbe(
        name=check.name,
        url=check.url,
        status=() if check.status is None else (check.status,),
        body=check.body,
        json=dict(check.json),
        headers=dict(check.headers),
        content_type=check.content_type,
        follow=check.follow,
        assets=check.assets,
        redirects=check.redirects,
        family=family,
        tls_days=check.tls_days,
    )
    return lambda: ask_http(replace(http, via=way.path()) if way else http)


def _ask_inside(check: Check, lookout: Lookout) -> Any:
    """A command in the container of its service."""
    inside = [
        one
        for one in lookout.seen.values()
        if check.service in ("", one.service, one.name) and one.status == "running"
    ]
    if not inside:
        return Answer(
            probe=check.name, outcome="wrong", reason="exec", detail="no container of it runs"
        )
    done = None
    if lookout.engine is not None:
        command = ["sh", "-c", check.exec]
        done = lookout.engine.run(inside[0].id, command, EXEC_TIMEOUT_S)
    if done is None:
        return Answer(
            probe=check.name,
            outcome="unknown",
            reason="not-observed",
            detail="the engine did not run it",
        )
    code, output = done
    if code == 0:
        return Answer(probe=check.name, outcome="right")
    last = (output.decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    said = lookout.without_secrets(inside[0].id, last)[:200]
    return Answer(
        probe=check.name,
        outcome="wrong",
        reason="exec",
        detail=f"exit code {code}" + (f": {said}" if said else ""),
    )


def place_of(url: str) -> tuple[str, int] | None:
    """Host and port of an address; None where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    except ValueError:  # half an IPv6 address, or a port that is none
        return None
    return (parts.hostname, port) if parts.hostname else None
