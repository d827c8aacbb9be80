"""Gathers what shows why something is not well: logs, health logs, and what is known of them.

Decides what is looked at; never the verdict. What it hands on holds no secret of a container.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orient_deploy.commands.catalogue import load_catalogue
from orient_deploy.health.evidence import Evidence, Known, stale_upstreams
from orient_deploy.symptoms import Matcher, Source

if TYPE_CHECKING:
    from orient_deploy.commands.verify_watch import Lookout
    from orient_deploy.health.evidence import Told
    from orient_deploy.health.machine import Watched
    from orient_deploy.health.observation import Container
    from orient_deploy.symptoms.catalogue import Entry
    from orient_deploy.symptoms.match import Diagnosis

LOG_LINES = 200  # of a container that are read
LOG_TIMEOUT_S = 10.0
PROXIES_MAX = 5
# What stands in front of others, by the words in its image's or its own name.
_PROXY = re.compile(r"(?<![a-z])(?:nginx|caddy|traefik|haproxy|httpd|envoy|proxy)(?![a-z])")
_KNOWN_BY_REASON = {"asset-type": "assets-as-html"}


def gather(watched: Sequence[Watched], lookout: Lookout) -> dict[str, Evidence]:
    """Evidence for each of these, by its name."""
    return {one.name: _of(one, lookout) for one in watched}


def _of(one: Watched, lookout: Lookout) -> Evidence:
    container = one.container
    matcher = Matcher(load_catalogue())
    log: tuple[str, ...] = ()
    notes: list[str] = []
    reload = ""
    if container is not None:
        log = _log(container, lookout)
        _feed(matcher, container, log)
    if any(answer.outcome == "wrong" for answer in one.latest.values()):
        for proxy in _proxies(lookout):
            lines = log if container and proxy.id == container.id else _log(proxy, lookout)
            _feed(matcher, proxy, lines)
            if stale := stale_upstreams(lines[-20:], list(lookout.seen.values())):
                reload = proxy.name
                notes.append(
                    f"{proxy.name} asks {' and '.join(stale)}, where no container of these is any "
                    f"more: it resolved the name once. A reload cures it: docker exec {proxy.name} "
                    "nginx -s reload"
                )
    known = [_known(each) for each in matcher.diagnoses()]
    for answer in one.latest.values():
        entry = _entry(_KNOWN_BY_REASON.get(answer.reason, ""))
        if entry and answer.outcome == "wrong" and entry.id not in {each.id for each in known}:
            known.append(_of_entry(entry))
    return Evidence(
        name=one.name,
        exit_codes=tuple(one.exit_codes),
        restarted_at_s=tuple(one.restarted_at),
        health=tuple(
            f"exit code {run.exit_code}: {run.output}"
            for run in (container.health_log if container else ())
        ),
        log=log,
        known=tuple(known),
        notes=tuple(notes),
        reload=reload,
    )


def _log(container: Container, lookout: Lookout) -> tuple[str, ...]:
    if lookout.engine is None:
        return ()
    data = lookout.engine.logs(container.id, LOG_LINES, LOG_TIMEOUT_S)
    lines = data.decode("utf-8", "replace").splitlines()
    return tuple(lookout.without_secrets(container.id, line) for line in lines if line.strip())


def _feed(matcher: Matcher, container: Container, log: Sequence[str]) -> None:
    def feed(kind: str, title: str, text: str) -> None:
        source = Source(name=f"{title}{container.name}", kind=kind, service=container.service)
        matcher.feed(source, text.encode("utf-8", "replace"))
        matcher.end(source)

    state = {
        "Status": container.status,
        "Restarting": container.status == "restarting",
        "OOMKilled": container.oom_killed,
        "ExitCode": container.exit_code,
    }
    feed("state", "state of ", f"{json.dumps(state, separators=(',', ':'))}\n{container.error}\n")
    feed("health", "health log of ", "\n".join(run.output for run in container.health_log))
    feed("container", "", "\n".join(log))


def _proxies(lookout: Lookout) -> list[Container]:
    found = [
        one
        for one in lookout.seen.values()
        if _PROXY.search(one.image.rpartition("/")[2].lower())
        or _PROXY.search(one.name.lower())
        or _PROXY.search(one.service.lower())
    ]
    return found[:PROXIES_MAX]


def _known(one: Diagnosis) -> Known:
    return Known(
        id=one.entry.id,
        title=one.title,
        cause=one.cause,
        fix=one.fix,
        command=one.command,
        rollback=one.entry.rollback,
    )


def _entry(name: str) -> Entry | None:
    return next((one for one in load_catalogue().entries if one.id == name), None)


def _of_entry(entry: Entry) -> Known:
    return Known(
        id=entry.id,
        title=entry.title,
        cause=entry.cause,
        fix=entry.fix,
        command=entry.command,
        rollback=entry.rollback,
    )


def as_json(told: Told) -> Mapping[str, Any]:
    """All that is told, for programs: the file of evidence."""
    return {
        "version": 1,
        "title": told.title,
        "verdict": told.verdict.word,
        "seconds": round(told.verdict.took_s, 1),
        "rollback-advised": told.rollback_advised,
        "leftovers": list(told.leftovers),
        "remarks": list(told.remarks),
        "services": [_service(one, told) for one in told.watched],
    }


def _service(one: Watched, told: Told) -> dict[str, object]:
    evidence = told.evidence.get(one.name)
    found: dict[str, object] = {
        "name": one.name,
        "service": one.service,
        "state": one.state,
        "reason": one.reason or ("disturbed" if one.disturbed else ""),
        "detail": one.detail or one.disturbed,
        "before": one in told.verdict.old,
        "restarts": one.restarts,
        "warnings": list(one.warnings),
        "history": [
            {"at": round(each.at_s, 1), "state": each.state, "reason": each.reason}
            for each in one.history
        ],
    }
    if evidence:
        found["evidence"] = {
            "exit-codes": list(evidence.exit_codes),
            "restarts": [round(at, 1) for at in evidence.restarted_at_s],
            "health": list(evidence.health),
            "log": list(evidence.log),
            "notes": list(evidence.notes),
            "known": [
                {"id": each.id, "title": each.title, "fix": each.fix, "rollback": each.rollback}
                for each in evidence.known
            ],
        }
    return found
