"""What holds of every trace, whatever is seen in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from orient_deploy.health.observation import Answer, CheckRun, Container, Containers, Exit
from tests.unit.health.traces import APP, BLIND, TICK_S, Tick, outcome, watch

# Nothing of this is evidence of a failure: it is still starting, or nobody could see it.
HARMLESS = st.one_of(
    st.just(replace(APP, status="created")),
    st.just(replace(APP, status="running")),
    st.just(replace(APP, health="starting", health_log=(CheckRun(exit_code=-1),))),
    st.just(replace(APP, health="unhealthy", health_log=(CheckRun(exit_code=1),) * 5)),
)
ANSWERS = st.sampled_from(
    [
        Answer(probe="p", outcome="unknown", reason="dns"),
        Answer(probe="p", outcome="wrong", reason="refused"),
        Answer(probe="p", outcome="wrong", reason="status"),
    ]
)
# And everything that there is, in any order.
CONTAINERS = st.builds(
    Container,
    id=st.sampled_from("12"),
    name=st.just("app"),
    service=st.just("app"),
    status=st.sampled_from(
        ("created", "running", "paused", "restarting", "removing", "exited", "dead")
    ),
    exit_code=st.sampled_from((0, 1, 137)),
    oom_killed=st.booleans(),
    error=st.sampled_from(("", "port is already allocated")),
    started_at=st.sampled_from(("t0", "t1")),
    restart_count=st.integers(0, 4),
    age_s=st.sampled_from((1.0, 1e6)),
    health=st.sampled_from(("", "starting", "healthy", "unhealthy")),
    health_log=st.lists(
        st.builds(CheckRun, exit_code=st.sampled_from((-1, 0, 1, 127))), max_size=5
    ).map(tuple),
    start_period_s=st.sampled_from((0.0, 3.0)),
    restart_policy=st.sampled_from(("no", "always", "on-failure")),
    publishes=st.booleans(),
)
ALL_ANSWERS = st.builds(
    Answer,
    probe=st.just("p"),
    outcome=st.sampled_from(("right", "wrong", "unknown")),
    reason=st.sampled_from(("refused", "status", "tls-expired", "asset-type")),
    detail=st.just("what came"),
)
EXITS = st.lists(
    st.builds(Exit, container=st.sampled_from("12"), exit_code=st.integers(0, 3)), max_size=2
).map(tuple)
OBSERVED = st.builds(Containers, seen=st.lists(CONTAINERS, max_size=1).map(tuple), exits=EXITS)
TICKS = st.tuples(st.one_of(OBSERVED, st.just(BLIND)), st.lists(ALL_ANSWERS, max_size=2).map(tuple))
PROBES = {"p": "app"}


def lasting(trace: list[Tick], times: int) -> list[Tick]:
    """Each tick several times, so that states are reached."""
    return [tick for tick in trace for _ in range(times)]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(HARMLESS | st.none(), ANSWERS | st.none()), min_size=1, max_size=200),
    st.integers(0, 200),
)
def test_nothing_fails_without_evidence(
    trace: list[tuple[Container | None, Answer | None]], crash_at: int
) -> None:
    """However long it takes, and in whatever order, with one restart in it."""
    ticks: list[Tick] = []
    for index, (one, answer) in enumerate(trace):
        if one is not None and index >= crash_at:
            one = replace(one, restart_count=1, started_at="t1")
        ticks.append((Containers(seen=(one,)) if one else BLIND, (answer,) if answer else ()))

    found = watch(ticks, probes=PROBES)

    assert "failed" not in {one.state for one in found.watched.values()}
    assert found.verdict().word != "failed"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(TICKS, max_size=6),
    st.integers(3, 12),
    st.lists(TICKS, max_size=30),
    st.integers(1, 6),
)
def test_a_restart_after_ready_is_never_healthy(
    before: list[Tick], good: int, after: list[Tick], times: int
) -> None:
    """Whatever comes before and after, as long as the restart itself is seen."""
    start = replace(APP, id="9", health="healthy")
    again = replace(start, restart_count=1, started_at="t1", exit_code=1)
    trace = [
        *[(Containers(seen=(start,)), ())] * good,
        (Containers(seen=(again,)), ()),
        *lasting(after, times),
        *[(Containers(seen=(again,)), ())] * 40,
    ]

    found = watch(trace, watch_s=len(trace) * TICK_S)

    assert found.verdict().word == "failed" and found.watched["app"].reason == "restarted"


@settings(max_examples=500, deadline=None)
@given(st.lists(TICKS, max_size=40), st.integers(1, 8), st.data())
def test_unseen_ticks_change_no_verdict_into_its_opposite(
    trace: list[Tick], times: int, data: st.DataObject
) -> None:
    """Those that are added between two others, at no time of their own or at any."""
    trace = lasting(trace, times)
    gaps = data.draw(st.lists(st.integers(0, len(trace)), max_size=10).map(sorted))
    longer: list[Tick] = []
    for index, tick in enumerate(trace):
        longer += [(BLIND, ())] * gaps.count(index)
        longer.append(tick)

    one, two = outcome(trace, probes=PROBES)[0], outcome(longer, probes=PROBES)[0]

    assert {one, two} != {"healthy", "failed"}


@settings(max_examples=300, deadline=None)
@given(st.lists(TICKS, max_size=60), st.integers(1, 8))
def test_a_verdict_is_over_and_says_why(trace: list[Tick], times: int) -> None:
    found = watch(lasting(trace, times), probes=PROBES)
    verdict = found.verdict()

    if verdict.word in ("failed", "timeout"):
        assert all(one.reason and one.detail for one in verdict.failed)
    if verdict.word == "healthy":
        assert {one.state for one in found.watched.values()} <= {"stable", "done"}
    for one in found.watched.values():
        assert [each.at_s for each in one.history] == sorted(each.at_s for each in one.history)
