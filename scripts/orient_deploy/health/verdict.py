"""The verdict over a whole stack, from what was seen of each of its parts.

Failure beats everything; what could not be seen is never a failure; what was already so before the
deploy is told and does not count. Asks nobody, and has no clock but the times it is handed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from orient_deploy.health.machine import ENDED, GOOD, MISSING_S, Limits, Sight, Watched
from orient_deploy.health.observation import Answer, Container, Containers

Word = Literal["healthy", "failed", "timeout", "inconclusive"]

GRACE_S = 2.0  # after the first failure, for the evidence of others
CAP_S = 180.0
CAP_MARGIN_S = 60.0  # beyond the longest budget


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What should be there, and how long it may take."""

    names: tuple[str, ...] = ()  # containers or services that must be there
    services: frozenset[str] | None = None  # all there should be; None: whatever is there is right
    probes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ probe -> service whose health it tells; '' for none
    limits: Mapping[str, Limits] = field(default_factory=lambda: MappingProxyType({}))
    default: Limits = field(default_factory=Limits)
    before: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    # ^ name -> reason of what was wrong before the deploy
    cap_s: float | None = None
    watch_s: float = 0.0  # how long it is watched at least


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came out."""

    word: Word
    failed: tuple[Watched, ...]  # those that decide a failure, those that failed first
    unclear: tuple[Watched, ...]
    old: tuple[Watched, ...]  # wrong as they were before the deploy
    took_s: float


class Verification:
    """Takes observations, tick by tick, until `verdict` has one."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.watched: dict[str, Watched] = {}
        self.leftovers: dict[str, Container] = {}
        self._at_s = 0.0
        self._first_failure_s: float | None = None
        self._is_over = False
        self._saw_containers = False
        for name, service in expected.probes.items():
            if not service:
                limits = expected.limits.get(name, expected.default)
                self.watched[name] = Watched(name, probes=(name,), limits=limits)
        for name in expected.names:
            self.watched[name] = self._container_of(name, name)

    def feed(
        self, at_s: float, containers: Containers | None, answers: Sequence[Answer] = ()
    ) -> None:
        """The next tick: what was seen of the containers (None: nobody looks at any), and the
        answers that came since the last one."""
        self._at_s = at_s
        if containers is not None and not containers.why:
            self._saw_containers = True
            self._find(containers.seen)
        seen = {one.name: one for one in containers.seen} if containers else {}
        exits = containers.exits if containers else ()
        for one in list(self.watched.values()):
            container = seen.get(one.name)
            one.feed(
                at_s,
                Sight(
                    seen=containers is not None and not containers.why,
                    why=containers.why if containers else "",
                    container=container,
                    exits=tuple(
                        each for each in exits if container and each.container == container.id
                    ),
                    answers=tuple(each for each in answers if each.probe in one.probes),
                    waits=self._waits(container),
                ),
            )
        self._decide()

    def finish(self) -> None:
        """Nobody looks any longer: what is still open is open."""
        for one in self.watched.values():
            one.end(self._at_s)
        self._is_over = True

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self._is_over

    def verdict(self) -> Verdict:
        """What can be said by now."""
        those = list(self.watched.values())
        bad = sorted(
            (one for one in those if one.state in ("failed", "timeout")),
            key=lambda one: (one.state != "failed", one.history[-1].at_s),
        )
        before = self.expected.before
        old = [one for one in bad if one.name in before and _same(before[one.name], one.reason)]
        new = [one for one in bad if one not in old]
        unclear = [
            one
            for one in those
            if one not in bad and (one.disturbed or one.state not in ("stable", "done"))
        ]
        word: Word = "healthy"
        if any(one.state == "failed" for one in new):
            word = "failed"
        elif new:
            word = "timeout"
        elif unclear or not those:
            word = "inconclusive"
        return Verdict(
            word=word,
            failed=tuple(new),
            unclear=tuple(unclear),
            old=tuple(old),
            took_s=self._at_s,
        )

    def faults(self) -> dict[str, str]:
        """What is not well by now: name -> reason. For the next verification to know."""
        return {
            one.name: one.reason
            for one in self.watched.values()
            if one.state not in GOOD and one.reason not in ("", "starting")
        }

    # --- what there is

    def _container_of(self, name: str, service: str) -> Watched:
        expected = self.expected
        limits = expected.limits.get(service) or expected.limits.get(name) or expected.default
        probes = [probe for probe, of in expected.probes.items() if of in (service, name) and of]
        return Watched(name, service=service, probes=probes, limits=limits)

    def _find(self, seen: Iterable[Container]) -> None:
        """Things for containers that were not known; a missing service is the one that came."""
        known = self.expected.services
        for one in seen:
            if one.name in self.watched or one.name in self.leftovers:
                continue
            if known is not None and one.service not in known:
                self.leftovers[one.name] = one
                continue
            placeholder = self.watched.get(one.service)
            if placeholder is not None and placeholder.container is None and placeholder.service:
                self.watched = {
                    (one.name if each is placeholder else key): each
                    for key, each in self.watched.items()
                }
                placeholder.name = one.name
            else:
                self.watched[one.name] = self._container_of(one.name, one.service)
            self._label(self.watched[one.name], one)

    @staticmethod
    def _label(watched: Watched, container: Container) -> None:
        """Limits by labels, where nobody said otherwise."""
        limits = watched.limits
        budget, stable = (_seconds(container.labels.get(key)) for key in ("budget", "stable"))
        watched.limits = Limits(
            budget_s=budget if limits.budget_s is None else limits.budget_s,
            stable_s=stable if limits.stable_s is None else limits.stable_s,
        )

    def _waits(self, container: Container | None) -> bool:
        """Whether something that it depends on is not ready yet."""
        if container is None:
            return False
        by_service: dict[str, list[Watched]] = {}
        for one in self.watched.values():
            by_service.setdefault(one.service, []).append(one)
        return any(
            one.state not in GOOD and one.state not in ENDED
            for name in container.depends_on
            for one in by_service.get(name, ())
        )

    # --- when it is over

    def _decide(self) -> None:
        those = list(self.watched.values())
        if not those:
            # Where nobody can look, that is for the cap to end.
            self._is_over = self._saw_containers and self._at_s >= MISSING_S
            return
        if self._first_failure_s is None and self.verdict().word == "failed":
            self._first_failure_s = self._at_s
        if self._first_failure_s is not None:
            self._is_over = self._at_s - self._first_failure_s >= GRACE_S
        elif all(one.state in ENDED or one.state == "stable" for one in those):
            bad = any(one.state in ("timeout", "unknown") for one in those)
            self._is_over = bad or self._at_s >= self.expected.watch_s
        if not self._is_over and self._at_s >= self.cap_s:
            self.finish()

    @property
    def cap_s(self) -> float:
        """When all of it is over, whatever is still open."""
        if self.expected.cap_s is not None:
            return self.expected.cap_s
        longest = max((one.budget_s for one in self.watched.values()), default=0.0)
        return max(CAP_S, longest + CAP_MARGIN_S, self.expected.watch_s + CAP_MARGIN_S)


# A short look finds one of these where a longer one finds another.
_CRASHES = frozenset({"restarting", "crash-loop", "exited", "restarted"})


def _same(before: str, now: str) -> bool:
    """Whether it is the same fault.

    >>> _same("restarting", "crash-loop"), _same("status", "exited")
    (True, False)
    """
    return before == now or {before, now} <= _CRASHES


def _seconds(text: str | None) -> float | None:
    """A label's number of seconds, with or without an `s`.

    >>> _seconds("90s"), _seconds("7.5"), _seconds("soon"), _seconds(None)
    (90.0, 7.5, None, None)
    """
    try:
        return float((text or "").strip().removesuffix("s"))
    except ValueError:
        return None
