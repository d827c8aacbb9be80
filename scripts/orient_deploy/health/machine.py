"""The state machine of one thing that is watched: a container with its probes, or a probe alone.

    pending -> starting -> ready -> stable, or done | failed | timeout | unknown

Decides what one thing's observations mean, and never asks for one. What was not seen is no
evidence: it costs no budget, resets nothing, and never makes anything fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from orient_deploy.health.observation import CANNOT_RUN, Answer, Container, Exit

State = Literal["pending", "starting", "ready", "stable", "done", "failed", "timeout", "unknown"]

BUDGET_S = 60.0  # where neither a label, the configuration nor a health check says more
BUDGET_MARGIN_S = 10.0  # what a service gets beyond what its own health check may need
READY_AFTER = 3  # good observations in a row
STABLE_S = 5.0
EARLY_S = 0.1  # a look may come so much before the end of a window, and need not wait for the next
# Nothing but its running speaks for what has neither check nor probe. Most programs that wait for
# their database by crashing do it within five seconds.
UNCHECKED_READY_S = 7.0
UNCHECKED_STABLE_S = 10.0
CRASHES_MAX = 2  # restarts before it was ready
MISSES_MAX = 3  # wrong answers in a row, once it was ready
FLIPS_MAX = 3
SETTLED_S = 10.0  # a wrong answer of a kind that waiting does not mend
EXITED_S = 2.0  # an engine that starts, or somebody, has not yet started again what they will
# Told to end (128 + SIGINT, SIGKILL, SIGTERM), or of its own accord: perhaps to be started again.
_ENDED_BY_OTHERS = (0, 130, 137, 143)
MISSING_S = 10.0
# Restarts were before our time where it is older than this, or has been running for so long.
YOUNG_S = 600.0
RUNNING_S = 10.0
CANNOT_RUN_RUNS = 2
NOT_FOUND_RUNS = 3  # by a shell, which is quick to say so while files are still being made
_NOT_FOUND = (126, 127)  # POSIX 2.8.2: found but not executable, not found
# Answers that the same server gives again until somebody changes something.
SETTLED = frozenset({"asset-type", "content-type", "tls-expired", "tls-name", "tls-untrusted"})
ENDED: frozenset[State] = frozenset({"done", "failed", "timeout", "unknown"})
GOOD: frozenset[State] = frozenset({"ready", "stable", "done"})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a thing may take, in seconds; None: what its own health check asks for."""

    budget_s: float | None = None
    stable_s: float | None = None

    def budget(self, container: Container | None) -> float:
        """The budget of what is seen.

        >>> Limits().budget(None), Limits(budget_s=5).budget(None)
        (60.0, 5)
        """
        if self.budget_s is not None:
            return self.budget_s
        needs = container.check_needs_s if container else 0.0
        return max(BUDGET_S, needs + BUDGET_MARGIN_S) if needs else BUDGET_S


@dataclass(frozen=True, kw_only=True)
class Change:
    """A thing's state from a moment on, in seconds since it is watched."""

    at_s: float
    state: State
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What one tick shows of one thing."""

    seen: bool  # whether the engine could be asked; of no meaning for a probe alone
    why: str = ""  # why not
    container: Container | None = None  # None: there is none
    exits: tuple[Exit, ...] = ()
    answers: tuple[Answer, ...] = ()  # those that came since the last tick
    waits: bool = False  # for what it depends on


class Watched:
    """One thing that is watched, and what was told of it so far."""

    def __init__(
        self, name: str, *, service: str = "", probes: Iterable[str] = (), limits: Limits
    ) -> None:
        self.name = name
        self.service = service  # '' for a probe alone
        self.limits = limits
        self.probes = tuple(probes)
        self.state: State = "pending"
        self.reason = ""
        self.detail = ""
        self.history: list[Change] = []
        self.container: Container | None = None  # the last that was seen
        self.exit_codes: list[int] = []
        self.restarted_at: list[float] = []
        self.disturbed = ""  # who else had a hand in it, so that nothing good can be said
        self.warnings: dict[str, None] = {}
        self.latest: dict[str, Answer] = {}
        self._tick_s: float | None = None
        self._used_s = 0.0  # of the budget
        self._blind_s = 0.0
        self._id = ""
        self._base = 0  # restarts before our time
        self._count = 0  # the engine's, when it was last seen
        self._restarts = 0
        self._started_at = ""
        self._missing_s: float | None = None
        self._exited_s: float | None = None
        self._streak = 0
        self._good_s = 0.0  # since when it has been good
        self._ready_s: float | None = None  # since when it has been ready
        self._was_ready = False
        self._was_healthy = False
        self._misses = 0
        self._flips = 0
        self._wrong: tuple[str, float, int] = ("", 0.0, 0)  # reason, since when, how often
        self._fresh: set[str] = set()

    @property
    def budget_s(self) -> float:
        """Seconds that it may take until it is ready."""
        return self.limits.budget(self.container)

    @property
    def restarts(self) -> int:
        """How often the engine has restarted it in our time."""
        return self._restarts

    def feed(self, at_s: float, sight: Sight) -> None:
        """The next tick; times only grow. What has ended stays as it is."""
        elapsed = at_s - self._tick_s if self._tick_s is not None else 0.0
        self._tick_s = at_s
        for one in sight.answers:
            self.latest[one.probe] = one
            self.warnings.update(dict.fromkeys(one.warnings))
        if self.state in ENDED:
            return
        if self.service and not sight.seen:
            self._take_answers(at_s, sight.answers)  # they are evidence by themselves
            if self.state not in ENDED:
                self._blind(at_s, elapsed, "not-observed", sight.why)
            return
        undecided = self._judge(at_s, sight)
        if self.state in ENDED:
            return
        if undecided:
            self._blind(at_s, elapsed, undecided.reason, undecided.detail)
        elif not sight.waits:
            self._used_s += elapsed
            if self._used_s >= self.budget_s and self.state not in GOOD:
                said = f": {self.detail}" if self.detail else ""
                self._become(
                    at_s, "timeout", self.reason, f"not ready within {self.budget_s:g} s{said}"
                )

    def end(self, at_s: float) -> None:
        """Nobody looks any longer, and it is neither good nor bad."""
        if self.state not in ENDED and self.state not in GOOD:
            detail = self.detail or "it was not ready when the time for all was over"
            self._become(at_s, "unknown" if self._blind_s else "timeout", self.reason, detail)

    # --- what a tick means

    def _judge(self, at_s: float, sight: Sight) -> Answer | None:
        """Take what was seen; an answer that says nothing keeps the tick from counting."""
        if self.service:
            if not self._judge_container(at_s, sight):
                return None  # what its probes say follows from that
        elif not self.probes:
            return None
        if not self._take_answers(at_s, sight.answers):
            return None
        for name in self.probes:
            answer = self.latest.get(name)
            if answer is not None and answer.outcome == "unknown":
                return answer
        if not self._fresh.issuperset(self.probes):
            return None  # an answer is on its way
        self._fresh.clear()
        self._is_good(at_s)
        return None

    def _judge_container(self, at_s: float, sight: Sight) -> bool:
        """Whether the container by itself is good, as far as can be seen."""
        one = sight.container
        if one is None or one.status == "removing":
            if self._missing_s is None:
                self._missing_s = at_s
            self._not_good(at_s, "missing", "there is no container", "pending")
            if at_s - self._missing_s >= MISSING_S:
                self._become(at_s, "timeout", "missing", "there is no container of this name")
            return False
        self._missing_s = None
        self.container = one
        self.exit_codes += [each.exit_code for each in sight.exits]
        self._compare(at_s, one)
        if self.state in ENDED:
            return False
        if one.status == "created":
            if one.error:
                self._become(at_s, "failed", "not-started", one.error)
            else:
                what = "waits for what it depends on" if sight.waits else "was never started"
                self._not_good(at_s, "not-started", what, "pending")
            return False
        if any(each.oom for each in sight.exits) or (
            one.oom_killed and one.status in ("exited", "restarting", "dead")
        ):
            self._become(at_s, "failed", "out-of-memory", "its memory limit ended it")
            return False
        if one.status in ("paused", "dead"):
            self._become(at_s, "failed", one.status, f"the container is {one.status}")
            return False
        if one.status == "exited":
            self._judge_end(at_s, one)
            return False
        self._exited_s = None
        if one.status == "restarting":
            detail = f"it ended with exit code {one.exit_code}, and is started again"
            self._not_good(at_s, "restarting", detail)
            return False
        return self._judge_health(at_s, one)

    def _compare(self, at_s: float, one: Container) -> None:
        """With what it was before: another one, or started again?"""
        if one.id != self._id:
            if self._was_ready:
                self.disturbed = "it was replaced while it was watched"
            self._id = one.id
            is_of_now = one.age_s <= YOUNG_S and one.up_s < RUNNING_S
            self._base = 0 if is_of_now else one.restart_count
            self._count = self._base
            self._restarts = 0
            self._started_at = one.started_at
            self._begin_again()
        if one.restart_count > self._count:
            self._restarts += one.restart_count - self._count
            self.restarted_at.append(at_s)
            if self._was_ready:
                code = f" (exit code {self.exit_codes[-1]})" if self.exit_codes else ""
                detail = f"it ended{code} and was started again after it had been ready"
                self._become(at_s, "failed", "restarted", detail)
            elif self._restarts >= CRASHES_MAX:
                codes = sorted(set(self.exit_codes or [one.exit_code]))
                said = f", exit code {' and '.join(map(str, codes))}"
                self._become(
                    at_s,
                    "failed",
                    "crash-loop",
                    f"it ended {self._restarts} times before it was ready{said}",
                )
            self._begin_again()
        elif self._started_at and one.started_at != self._started_at:
            # Not the engine because it ended: somebody, or the engine's own start.
            if self._was_ready:
                self.disturbed = "it was restarted from outside while it was watched"
            self._begin_again()
        self._count = one.restart_count
        self._started_at = one.started_at

    def _begin_again(self) -> None:
        self._streak, self._ready_s = 0, None
        self._was_healthy = False
        self._wrong = ("", 0.0, 0)
        self._fresh.clear()

    def _judge_end(self, at_s: float, one: Container) -> None:
        if one.exit_code == 0 and self._is_one_shot(one):
            self._become(at_s, "done", "", "it has done its work")
            return
        if self._exited_s is None:
            self._exited_s = at_s
        detail = f"it ended with exit code {one.exit_code}"
        is_final = self._is_one_shot(one) or one.restart_policy == "no"
        if is_final and one.exit_code not in _ENDED_BY_OTHERS:
            self._become(at_s, "failed", "exited", detail)
        elif at_s - self._exited_s >= EXITED_S:
            self._become(at_s, "failed", "exited", f"{detail}, and nobody starts it again")
        else:
            self._not_good(at_s, "exited", detail)

    def _is_one_shot(self, one: Container) -> bool:
        said = one.labels.get("one-shot")
        if said is not None:
            return said == "true"
        serves = bool(one.health or one.publishes or self.probes)
        return one.restart_policy in ("no", "on-failure") and not serves

    def _judge_health(self, at_s: float, one: Container) -> bool:
        log = one.health_log
        cannot = [run for run in log[-CANNOT_RUN_RUNS:] if run.exit_code == CANNOT_RUN]
        not_found = [run for run in log[-NOT_FOUND_RUNS:] if run.exit_code in _NOT_FOUND]
        if not self._was_healthy and (
            len(cannot) == CANNOT_RUN_RUNS or len(not_found) == NOT_FOUND_RUNS
        ):
            said = (cannot or not_found)[-1].output.strip()
            self._become(at_s, "failed", "check-cannot-run", f"its health check cannot run: {said}")
            return False
        if one.health == "unhealthy":
            said = f": {log[-1].output.strip()}" if log and log[-1].output.strip() else ""
            if self._was_healthy or one.start_period_s > 0:
                when = "after it had been healthy" if self._was_healthy else "past its start period"
                self._become(at_s, "failed", "unhealthy", f"unhealthy {when}{said}")
            else:
                self._not_good(at_s, "unhealthy", f"its health check fails{said}")
            return False
        if one.health == "starting":
            self._not_good(at_s, "starting", "its health check has not been right yet")
            return False
        self._was_healthy = self._was_healthy or one.health == "healthy"
        return True

    def _take_answers(self, at_s: float, answers: Sequence[Answer]) -> bool:
        """Count what came, and say whether no probe speaks against it."""
        for one in answers:
            if one.probe not in self.probes or one.outcome == "unknown":
                continue
            self._fresh.add(one.probe)
            if one.outcome == "wrong":
                self._judge_wrong(at_s, one)
                if self.state in ENDED:
                    return False
        wrong = next((o for o in self.latest.values() if o.outcome == "wrong"), None)
        if wrong is None:
            if any(one.outcome == "right" for one in answers):
                self._misses, self._wrong = 0, ("", 0.0, 0)
            return True
        return False

    def _judge_wrong(self, at_s: float, one: Answer) -> None:
        reason, since, times = self._wrong
        self._wrong = (
            one.reason,
            since if reason == one.reason else at_s,
            times + 1 if reason == one.reason else 1,
        )
        self._misses += 1
        _, since, times = self._wrong
        if self._was_ready and self._misses >= MISSES_MAX:
            self._become(at_s, "failed", "stopped", f"right before, and then: {one.detail}")
        elif (
            one.reason in SETTLED
            and times >= READY_AFTER
            and (one.reason.startswith("tls") or at_s - since >= SETTLED_S)
        ):
            self._become(at_s, "failed", one.reason, one.detail)
        else:
            self._not_good(at_s, one.reason, one.detail)

    # --- states

    def _is_good(self, at_s: float) -> None:
        one = self.container
        if self._streak == 0:
            self._good_s = at_s
        self._streak += 1
        checked = bool(self.probes) or bool(one and one.health)
        if self._streak < READY_AFTER or (
            not checked and at_s - self._good_s < UNCHECKED_READY_S - EARLY_S
        ):
            self._become(at_s, "starting", "", "")
            return
        if self._ready_s is None:
            self._ready_s = at_s
        self._was_ready = True
        stable_s = STABLE_S if self.limits.stable_s is None else self.limits.stable_s
        since = self._ready_s if checked else self._good_s
        least = stable_s if checked else max(stable_s, UNCHECKED_STABLE_S)
        is_stable = at_s - since >= least - EARLY_S
        self._become(at_s, "stable" if is_stable else "ready", "", "")

    def _not_good(self, at_s: float, reason: str, detail: str, state: State = "starting") -> None:
        if self.state in ("ready", "stable"):
            self._flips += 1
        self._streak, self._ready_s = 0, None
        if self._flips >= FLIPS_MAX:
            self._become(at_s, "failed", "flapping", f"right and wrong by turns: {detail}")
        else:
            self._become(at_s, state, reason, detail)

    def _blind(self, at_s: float, elapsed_s: float, reason: str, detail: str) -> None:
        self._blind_s += elapsed_s
        if self._blind_s >= self.budget_s:
            self._become(at_s, "unknown", reason, f"it could not be seen: {detail}")

    def _become(self, at_s: float, state: State, reason: str, detail: str) -> None:
        if (state, reason) != (self.state, self.reason) or not self.history:
            self.history.append(Change(at_s=at_s, state=state, reason=reason, detail=detail))
        self.state, self.reason, self.detail = state, reason, detail
