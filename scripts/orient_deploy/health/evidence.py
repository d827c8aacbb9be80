"""What is told besides a verdict: for each thing that is not well, what shows it.

Texts are foreign, and whoever makes these has masked the secrets in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from orient_deploy.health.machine import Watched
from orient_deploy.health.observation import Container
from orient_deploy.health.verdict import Verdict

LOG_LINES = 30  # of a container that are shown
# Of these, what runs is not the cause, or another release would have it too.
NOT_CURED = frozenset({"tls-expired", "tls-not-yet-valid", "tls-name", "tls-untrusted"})
# nginx's own words (ngx_http_upstream.c, ngx_http_log_error): the address that it went to.
_UPSTREAM = re.compile(
    r"connect\(\) failed \(1[0-9]{2}: [^)]{1,60}\) while connecting to upstream"
    r".{0,600}?upstream: \"[a-z]{1,10}://(\[[0-9a-f:]{2,45}\]|[0-9.]{7,15})[:/]"
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the catalogue knows of it."""

    id: str
    title: str
    cause: str
    fix: str
    command: str
    rollback: str  # yes, no or depends


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What shows that a thing is not well."""

    name: str
    exit_codes: tuple[int, ...] = ()
    restarted_at_s: tuple[float, ...] = ()
    health: tuple[str, ...] = ()  # the last runs of its check: exit code and what it printed
    log: tuple[str, ...] = ()  # its last lines
    known: tuple[Known, ...] = ()
    notes: tuple[str, ...] = ()  # what follows from several of these together
    reload: str = ""  # a container whose reload cures it


@dataclass(frozen=True, kw_only=True)
class Told:
    """All that a report tells."""

    title: str  # of what was verified; ''
    verdict: Verdict
    watched: tuple[Watched, ...]
    evidence: Mapping[str, Evidence] = field(default_factory=lambda: MappingProxyType({}))
    leftovers: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    rollback_advised: bool = False


def stale_upstreams(log: Iterable[str], seen: Sequence[Container]) -> tuple[str, ...]:
    """Addresses that a proxy's log says it goes to, and at which no container is any more.

    >>> line = ('[error] 7#7: *1 connect() failed (111: Connection refused) while connecting to '
    ...         'upstream, client: 1.2.3.4, upstream: "http://172.18.0.5:80/", host: "x"')
    >>> stale_upstreams([line], [])
    ('172.18.0.5',)
    """
    here = {address for one in seen for address in one.addresses}
    found = [match[1].strip("[]") for line in log for match in _UPSTREAM.finditer(line)]
    return tuple(dict.fromkeys(one for one in found if one not in here))


def is_rollback_advised(verdict: Verdict, evidence: Mapping[str, Evidence]) -> bool:
    """Whether going back to the release before is what to do, as far as anybody can say.

    Not where nobody could see, and not where one fault is of a kind that it does not cure.
    """
    if verdict.word not in ("failed", "timeout"):
        return False
    for one in verdict.failed:
        shown = evidence.get(one.name)
        if one.reason in NOT_CURED:
            return False
        if shown and (shown.reload or any(each.rollback == "no" for each in shown.known)):
            return False
    return True
