"""Each rule of the state machine, as traces of what is seen every half second."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from orient_deploy.health.machine import Limits
from orient_deploy.health.observation import Exit
from tests.unit.health.traces import (
    APP,
    CHECKED,
    Tick,
    app,
    blind,
    crash,
    lasting,
    outcome,
    right,
    runs,
    seen,
    states,
    times,
    unknown,
    watch,
    with_answer,
    wrong,
)

P = {"p": "app"}
ALONE = {"p": ""}
STARTING = replace(CHECKED, health="starting")
PERIOD = replace(CHECKED, start_period_s=30, check_needs_s=33)
SERVER = replace(APP, publishes=True)
ALWAYS = replace(APP, restart_policy="always")
NOBODY: Tick = (None, ())
DB = replace(CHECKED, id="2", name="db", service="db")
WAITING = replace(APP, depends_on={"db": "service_healthy"})


@dataclass(frozen=True, kw_only=True)
class Case:
    trace: list[Tick]
    word: str
    reason: str = ""
    given: dict[str, Any] = field(default_factory=dict)


CASES = {
    # --- 1. what is not seen is no evidence
    "unseen to the end": Case(
        trace=times(2, app()) + lasting(61, blind()), word="inconclusive", reason="not-observed"
    ),
    "unseen for less than the budget": Case(
        trace=[app(CHECKED), *lasting(59, blind()), *lasting(10, app(CHECKED))],
        word="healthy",
    ),
    "no name is resolved": Case(
        trace=lasting(61, with_answer(NOBODY, unknown())),
        given={"probes": ALONE},
        word="inconclusive",
        reason="dns",
    ),
    "nothing is there for a moment": Case(trace=lasting(9, seen()), word="open"),
    "nothing is there": Case(trace=lasting(11, seen()), word="inconclusive"),
    "nothing is there, and then it comes": Case(
        trace=[*lasting(9, seen()), *lasting(8, app(CHECKED))], word="healthy"
    ),
    # --- 2. failed at once
    "it ends without a policy": Case(
        trace=[app(CHECKED, status="exited", exit_code=7)] * 6, word="failed", reason="exited"
    ),
    "it ends well and should serve": Case(
        trace=[app(SERVER, status="exited")] * 12, word="failed", reason="exited"
    ),
    "an engine that starts has not started it yet": Case(
        trace=times(3, app(ALWAYS, status="exited", exit_code=137)) + lasting(12, app(ALWAYS)),
        word="healthy",
    ),
    "nobody starts it again": Case(
        trace=lasting(8, app(ALWAYS, status="exited", exit_code=137)),
        word="failed",
        reason="exited",
    ),
    "it is ended from outside, and started again": Case(
        trace=[
            *times(4, app(CHECKED)),
            *times(2, app(CHECKED, status="exited", exit_code=143)),
            *lasting(10, app(CHECKED, started_at="other")),
        ],
        word="inconclusive",
        reason="disturbed",
    ),
    "it is ended from outside": Case(
        trace=[*times(4, app(CHECKED)), *times(12, app(CHECKED, status="exited", exit_code=143))],
        word="failed",
        reason="exited",
    ),
    "dead": Case(trace=[app(status="dead")] * 6, word="failed", reason="dead"),
    "paused": Case(trace=[app(CHECKED, status="paused")] * 6, word="failed", reason="paused"),
    "out of memory": Case(
        trace=[app(status="exited", exit_code=137, oom_killed=True)] * 6,
        word="failed",
        reason="out-of-memory",
    ),
    "out of memory between two looks": Case(
        trace=[
            seen(replace(APP, restart_count=1), exits=[Exit(container="1", exit_code=9, oom=True)])
        ]
        * 6,
        word="failed",
        reason="out-of-memory",
    ),
    "a child was out of memory": Case(
        trace=lasting(12, app(CHECKED, oom_killed=True)), word="healthy"
    ),
    "it could not be started": Case(
        trace=[app(status="created", error="port is already allocated")] * 6,
        word="failed",
        reason="not-started",
    ),
    "a one-shot fails": Case(
        trace=[app(status="exited", exit_code=3)] * 6, word="failed", reason="exited"
    ),
    "a one-shot ends well": Case(trace=[app(), app(status="exited")], word="healthy"),
    "a one-shot by its label": Case(
        trace=[app(SERVER, status="exited", labels={"one-shot": "true"})], word="healthy"
    ),
    "no one-shot by its label": Case(
        trace=[app(status="exited", labels={"one-shot": "false"})] * 12,
        word="failed",
        reason="exited",
    ),
    "its check cannot run": Case(
        trace=lasting(3, app(STARTING, health_log=runs(-1, -1, output="exec: curl: not found"))),
        word="failed",
        reason="check-cannot-run",
    ),
    "its check could not run once": Case(
        trace=[app(STARTING, health_log=runs(-1)), *lasting(8, app(CHECKED))], word="healthy"
    ),
    "a shell finds no such program": Case(
        trace=lasting(3, app(STARTING, health_log=runs(127, 127, 127))),
        word="failed",
        reason="check-cannot-run",
    ),
    "unhealthy after its start period": Case(
        trace=[app(PERIOD, health="unhealthy", health_log=runs(1))] * 6,
        word="failed",
        reason="unhealthy",
    ),
    "unhealthy after it was healthy": Case(
        trace=[app(CHECKED), *lasting(4, app(CHECKED, health="unhealthy"))],
        word="failed",
        reason="unhealthy",
    ),
    "restarted after it was ready": Case(
        trace=[*times(4, app(CHECKED)), *lasting(4, crash(CHECKED))],
        word="failed",
        reason="restarted",
    ),
    "restarted twice before": Case(
        trace=[app(), crash(), *lasting(4, crash(times=2))], word="failed", reason="crash-loop"
    ),
    "restarted twice before we came": Case(
        trace=lasting(4, app(restart_count=2)), word="failed", reason="crash-loop"
    ),
    "restarted often last week": Case(
        trace=lasting(12, app(CHECKED, restart_count=9, age_s=1e6)), word="healthy"
    ),
    "one crash after the five seconds that many wait": Case(
        trace=[*lasting(6, app()), *lasting(12, crash())], word="healthy"
    ),
    "one crash later than that": Case(
        trace=[*lasting(8, app()), *lasting(12, crash())], word="failed", reason="restarted"
    ),
    "restarted often a minute ago, and fine since": Case(
        trace=lasting(12, app(CHECKED, restart_count=4, age_s=90, up_s=60)), word="healthy"
    ),
    "restarted after we came, and often last week": Case(
        trace=[
            app(status="restarting", restart_count=9, age_s=1e6),
            app(restart_count=10, age_s=1e6),
            *lasting(4, app(restart_count=11, age_s=1e6)),
        ],
        word="failed",
        reason="crash-loop",
    ),
    "three flips": Case(
        trace=[with_answer(app(), one) for one in 3 * [*4 * [right()], wrong()] + 8 * [right()]],
        given={"probes": P},
        word="failed",
        reason="flapping",
    ),
    "it stops to answer": Case(
        trace=[with_answer(app(), one) for one in [right()] * 4 + [wrong()] * 8],
        given={"probes": P},
        word="failed",
        reason="stopped",
    ),
    "it misses two": Case(
        trace=[with_answer(app(), one) for one in [right()] * 4 + [wrong()] * 2 + [right()] * 20],
        given={"probes": P},
        word="healthy",
    ),
    # --- 3. still starting
    "slow without a start period": Case(
        trace=[
            *lasting(10, app(CHECKED, health="unhealthy", health_log=runs(1, 1))),
            *lasting(8, app(CHECKED)),
        ],
        word="healthy",
    ),
    "one crash, then fine": Case(
        trace=[app(), app(status="restarting", exit_code=1), *lasting(12, crash())], word="healthy"
    ),
    "refused, 502, and then right": Case(
        trace=[
            with_answer(app(), one)
            for one in [wrong()] * 20 + [wrong("status")] * 20 + [right()] * 20
        ],
        given={"probes": P},
        word="healthy",
    ),
    "what it depends on takes its time": Case(
        trace=[
            *lasting(70, seen(replace(WAITING, status="created"), replace(DB, health="starting"))),
            *lasting(20, seen(WAITING, DB)),
        ],
        given={"limits": {"db": Limits(budget_s=100)}},
        word="healthy",
    ),
    # --- 4. ready and stable
    "two good ones are not ready": Case(trace=times(2, app(CHECKED)), word="open"),
    "good for less than the window": Case(trace=lasting(5.5, app(CHECKED)), word="open"),
    "good for the window": Case(trace=lasting(7, app(CHECKED)), word="healthy"),
    "without check for less than its window": Case(trace=lasting(9.5, app()), word="open"),
    "without check for its window": Case(trace=lasting(11, app()), word="healthy"),
    "stable for longer, as it is said": Case(
        trace=lasting(20, app(CHECKED)), given={"default": Limits(stable_s=30)}, word="open"
    ),
    "stable for longer, by its label": Case(
        trace=lasting(20, app(CHECKED, labels={"stable": "30s"})), word="open"
    ),
    "an answer that is old does not count again": Case(
        trace=[with_answer(app(CHECKED), right()), *lasting(20, app(CHECKED))],
        given={"probes": P},
        word="open",
    ),
    "restarted from outside": Case(
        trace=[*times(4, app(CHECKED)), *lasting(9, app(CHECKED, started_at="other"))],
        word="inconclusive",
        reason="disturbed",
    ),
    "restarted from outside before it was ready": Case(
        trace=[app(CHECKED), *lasting(9, app(CHECKED, started_at="other"))], word="healthy"
    ),
    "replaced by another": Case(
        trace=[*times(4, app(CHECKED)), *lasting(9, app(CHECKED, id="9"))],
        word="inconclusive",
        reason="disturbed",
    ),
    # --- 5. budgets
    "never healthy": Case(
        trace=lasting(70, app(CHECKED, health="unhealthy")), word="timeout", reason="unhealthy"
    ),
    "a budget by its label": Case(
        trace=lasting(10, app(STARTING, labels={"budget": "8"})), word="timeout", reason="starting"
    ),
    "what its own check may need": Case(
        trace=lasting(90, app(STARTING, check_needs_s=90)), word="open", reason="starting"
    ),
    "never started": Case(
        trace=lasting(61, app(status="created")), word="timeout", reason="not-started"
    ),
    "missing": Case(
        trace=lasting(11, seen()), given={"names": ("app",)}, word="timeout", reason="missing"
    ),
    "missing and then there": Case(
        trace=[*lasting(8, seen()), *lasting(8, app(CHECKED))],
        given={"names": ("app",)},
        word="healthy",
    ),
    "all of it takes too long": Case(
        trace=lasting(30, app(STARTING)), given={"cap_s": 20.0}, word="timeout", reason="starting"
    ),
    # --- wrong answers that waiting does not mend
    "expired": Case(
        trace=[with_answer(NOBODY, wrong("tls-expired"))] * 10,
        given={"probes": ALONE},
        word="failed",
        reason="tls-expired",
    ),
    "html for a script": Case(
        trace=[with_answer(app(), wrong("asset-type"))] * 30,
        given={"probes": P},
        word="failed",
        reason="asset-type",
    ),
    "html for a script while it starts": Case(
        trace=[
            *[with_answer(app(), wrong("asset-type"))] * 15,
            *[with_answer(app(), right())] * 20,
        ],
        given={"probes": P},
        word="healthy",
    ),
    # --- 6. what beats what
    "failure beats what is not seen": Case(
        trace=lasting(5, with_answer(seen(replace(APP, status="exited", exit_code=1)), unknown())),
        given={"probes": ALONE},
        word="failed",
        reason="exited",
    ),
    "as it was before": Case(
        trace=lasting(20, seen(replace(APP, status="exited", exit_code=1), DB)),
        given={"before": {"app": "exited"}},
        word="healthy",
    ),
    "otherwise than before": Case(
        trace=lasting(20, seen(replace(APP, status="paused"), DB)),
        given={"before": {"app": "exited"}},
        word="failed",
        reason="paused",
    ),
    "watched for longer": Case(
        trace=[*lasting(20, app(CHECKED)), *lasting(5, crash(CHECKED))],
        given={"watch_s": 30.0},
        word="failed",
        reason="restarted",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_trace_has_this_verdict(name: str) -> None:
    case = CASES[name]

    assert outcome(case.trace, **case.given) == (case.word, case.reason)


def test_a_leftover_is_told_and_not_judged() -> None:
    old = replace(APP, id="7", name="whatsapp-bot", service="whatsapp-bot", status="paused")

    found = watch(lasting(20, seen(DB, old)), services=frozenset({"db"}))

    assert found.verdict().word == "healthy"
    assert list(found.leftovers) == ["whatsapp-bot"] and states(found) == {"db": "stable"}


def test_evidence_of_others_is_waited_for() -> None:
    """Two seconds: the second fault is told too."""
    good, bad = replace(APP, id="3", name="b", service="b"), replace(APP, status="dead")

    found = watch(
        [seen(bad, good), seen(bad, good), *lasting(8, seen(bad, replace(good, status="paused")))]
    )

    assert [one.name for one in found.verdict().failed] == ["app", "b"]
    assert found.verdict().took_s == 2


def test_each_replica_is_judged() -> None:
    first = replace(CHECKED, name="x-app-1", labels={})
    second = replace(first, id="2", name="x-app-2", status="paused")

    found = watch(lasting(8, seen(first, second)), names=("app",))

    assert [one.name for one in found.verdict().failed] == ["x-app-2"]


def test_what_is_wrong_is_told_for_the_next_time() -> None:
    found = watch(lasting(3, seen(replace(APP, status="paused"), DB)))

    assert found.faults() == {"app": "paused"}
