"""Traces of observations, written as short as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orient_deploy.health.observation import Answer, CheckRun, Container, Containers, Exit
from orient_deploy.health.verdict import Expected, Verification

TICK_S = 0.5
APP = Container(id="1", name="app", service="app", status="running", started_at="t0", age_s=1)
CHECKED = replace(APP, health="healthy", check_needs_s=3)
BLIND = Containers(why="the connection was lost")
Tick = tuple[Containers | None, tuple[Answer, ...]]


def seen(*containers: Container, exits: Sequence[Exit] = ()) -> Tick:
    return Containers(seen=containers, exits=tuple(exits)), ()


def blind() -> Tick:
    return BLIND, ()


def with_answer(tick: Tick, *answers: Answer) -> Tick:
    return tick[0], answers


def app(base: Container = APP, **changes: Any) -> Tick:
    """One tick in which the container is so."""
    return seen(replace(base, **changes))


def crash(base: Container = APP, times: int = 1, code: int = 1, **changes: Any) -> Tick:
    """It ended, and runs again."""
    new = replace(base, restart_count=times, started_at=f"t{times}", **changes)
    return seen(new, exits=[Exit(container=new.id, exit_code=code)])


def right(probe: str = "p", **changes: Any) -> Answer:
    return Answer(probe=probe, outcome="right", **changes)


def wrong(reason: str = "refused", probe: str = "p") -> Answer:
    return Answer(probe=probe, outcome="wrong", reason=reason, detail=f"it is {reason}")


def unknown(reason: str = "dns", probe: str = "p") -> Answer:
    return Answer(probe=probe, outcome="unknown", reason=reason, detail="no name is resolved")


def runs(*codes: int, output: str = "") -> tuple[CheckRun, ...]:
    return tuple(CheckRun(exit_code=code, output=output) for code in codes)


def times(count: float, tick: Tick) -> list[Tick]:
    """So many ticks alike."""
    return [tick] * int(count)


def lasting(seconds: float, tick: Tick) -> list[Tick]:
    return times(seconds / TICK_S, tick)


def watch(trace: Iterable[Tick], **expected: Any) -> Verification:
    """Feed a trace, until there is a verdict or the trace ends."""
    verification = Verification(Expected(**expected))
    for index, (containers, answers) in enumerate(trace):
        verification.feed(index * TICK_S, containers, answers)
        if verification.is_over:
            break
    return verification


def outcome(trace: Iterable[Tick], **expected: Any) -> tuple[str, str]:
    """The word, and the reason of what decides it; what is not over is 'open'."""
    found = watch(trace, **expected)
    verdict = found.verdict()
    decisive = (*verdict.failed, *verdict.unclear)
    reason = decisive[0].reason or bool(decisive[0].disturbed) * "disturbed" if decisive else ""
    return (verdict.word if found.is_over else "open"), reason


def states(verification: Verification) -> Mapping[str, str]:
    return {name: one.state for name, one in verification.watched.items()}
