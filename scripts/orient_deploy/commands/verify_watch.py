"""Looks at containers and probes every half second, and hands what is seen to the verdict.

Decides when to look, and hides what is secret in what was said; never what it means.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orient_deploy.errors import InputError, OrientError
from orient_deploy.health.observation import Answer, Container, Containers
from orient_deploy.symptoms.match import without_secrets
from orient_deploy.text import printable

if TYPE_CHECKING:
    from orient_deploy.engine.api import Engine
    from orient_deploy.health.machine import Watched
    from orient_deploy.health.verdict import Verification

TICK_S = 0.45  # three of them, and what a probe takes, come to less than 1.5 s
ANSWER_S = 0.06  # a look comes so much later than the probes, whose answers are there mostly
LOOK_TIMEOUT_S = 5.0
SHORTEST_SECRET = 4
PRINTED_MAX = 1000
HEALTH_OUTPUT_MAX = 400  # characters of what a check printed

# Asks once, and says what came of it; it ends within its own limit.
Ask = Callable[[], Answer]


@dataclass(frozen=True, kw_only=True)
class Prober:
    """A probe that is asked again and again."""

    name: str
    ask: Ask
    every_s: float = TICK_S


@dataclass
class Lookout:
    """Everything that looks, while one verification goes on."""

    engine: Engine | None
    seen: dict[str, Container] = field(default_factory=dict)  # by name, as they were last seen
    _printed: dict[tuple[str, str], str] = field(default_factory=dict)

    def look(self) -> Containers | None:
        """The containers of now; what they printed is without their secrets."""
        if self.engine is None:
            return None
        found = self.engine.look(LOOK_TIMEOUT_S)
        if found.why:
            return found
        seen = tuple(self._masked(one) for one in found.seen)
        self.seen = {one.name: one for one in seen}
        return replace(found, seen=seen)

    def without_secrets(self, container: str, text: str) -> str:
        """What a container printed, without the secrets that it was given, on one line."""
        for secret in self.engine.secrets(container) if self.engine else ():
            value = secret.reveal()
            if len(value) >= SHORTEST_SECRET:
                text = text.replace(value, "***")
        return printable(without_secrets(text))

    def _masked(self, one: Container) -> Container:
        if not one.error and not one.health_log:
            return one
        log = tuple(replace(run, output=self._shown(one.id, run.output)) for run in one.health_log)
        return replace(one, health_log=log, error=printable(without_secrets(one.error)))

    def _shown(self, container: str, output: str) -> str:
        """What a check printed: the same again and again, mostly."""
        key = (container, output)
        if key not in self._printed:
            if len(self._printed) > PRINTED_MAX:
                self._printed.clear()
            text = self.without_secrets(container, output.strip())
            self._printed[key] = text[:HEALTH_OUTPUT_MAX]
        return self._printed[key]


def watch(
    verification: Verification,
    lookout: Lookout,
    probers: Sequence[Prober],
    tell: Callable[[Watched], None],
    *,
    for_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Feed the verification until it is over, or for so long; `tell` is called at each change.

    Raises:
        InputError: a budget is shorter than the service's own health check may need.
    """
    begun = clock()
    told: dict[int, int] = {}
    with _asking(probers, begun) as answers:
        while not verification.is_over:
            time.sleep(_until_tick(clock() - begun - ANSWER_S, TICK_S))
            containers = lookout.look()
            now = clock() - begun
            verification.feed(now, containers, _drain(answers))
            _require_long_budgets(verification)
            for one in verification.watched.values():
                if len(one.history) > told.get(id(one), 0):
                    told[id(one)] = len(one.history)
                    tell(one)
            if for_s is not None and now >= for_s:
                return


def _require_long_budgets(verification: Verification) -> None:
    for one in verification.watched.values():
        container, budget = one.container, one.limits.budget_s
        if container and budget is not None and budget < container.check_needs_s:
            raise InputError(
                f"the budget of {one.name} is {budget:g} s",
                f"its own health check may need {container.check_needs_s:g} s (start_period + "
                "interval x retries), so that a good service could fail",
                f"Give it {container.check_needs_s:g} or more, or shorten its health check",
            )


@contextmanager
def _asking(probers: Sequence[Prober], begun: float) -> Iterator[queue.SimpleQueue[Answer]]:
    """Ask each in a thread of its own, until the end of the block."""
    answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
    over = threading.Event()

    def go(prober: Prober) -> None:
        while not over.is_set():
            answers.put(_asked(prober))
            over.wait(_until_tick(time.monotonic() - begun, prober.every_s))

    threads = [threading.Thread(target=go, args=(one,), daemon=True) for one in probers]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()


def _until_tick(at_s: float, every_s: float) -> float:
    """How long it is until the next one, by one beat for all.

    >>> round(_until_tick(1.1, 0.5), 3), _until_tick(-0.02, 0.5)
    (0.4, 0.02)
    """
    return -at_s if at_s < 0 else every_s - at_s % every_s


def _asked(prober: Prober) -> Answer:
    try:
        answer = prober.ask()
    except (OrientError, OSError) as error:  # it could not ask, which says nothing of the service
        what = error.what if isinstance(error, OrientError) else (error.strerror or "refused here")
        return Answer(probe=prober.name, outcome="unknown", reason="not-observed", detail=what)
    return replace(answer, detail=without_secrets(answer.detail))


def _drain(answers: queue.SimpleQueue[Answer]) -> tuple[Answer, ...]:
    found = []
    while True:
        try:
            found.append(answers.get_nowait())
        except queue.Empty:
            return tuple(found)
