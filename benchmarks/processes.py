"""Measures whole processes, from their start to their end, with all that they start themselves.

Contenders take turns, so that what else the machine does hits them alike. Never judges a figure.
"""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A command to measure; its program by full path."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    output: Path  # takes stdout and stderr
    before: Callable[[], None] = lambda: None  # makes each run the first one; not measured
    after: Callable[[], None] = lambda: None  # reads what came of it; not measured


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one process took, with its children that it waited for."""

    wall_s: float
    cpu_s: float
    peak_mib: float  # of the largest single process; not below the measuring process's own


@dataclass(frozen=True)
class Spread:
    """The median, and the extremes."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


class Failed(Exception):
    """A contender ended with an error; the message ends with what it said."""


def take_turns(
    contenders: Sequence[Contender], *, runs: int, warm_up: int
) -> dict[str, tuple[Run, ...]]:
    """The runs of each contender; those with the same index ran one after the other."""
    taken: dict[str, list[Run]] = {one.name: [] for one in contenders}
    for turn in range(warm_up + runs):
        for one in contenders:
            one.before()
            run = measure(one)
            one.after()
            if turn >= warm_up:
                taken[one.name].append(run)
    return {name: tuple(found) for name, found in taken.items()}


def measure(contender: Contender) -> Run:
    """Run a contender once.

    Raises:
        Failed: its exit code was not 0.
    """
    os.chdir(contender.directory)  # posix_spawn knows no directory
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(contender.output), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    command, environment = list(contender.command), dict(contender.environment)
    started = time.perf_counter()
    # No shell and no fork of this process: what is measured begins as the runner would begin it.
    pid = os.posix_spawn(command[0], command, environment, file_actions=actions)
    limit = threading.Timer(TIMEOUT_S, os.kill, (pid, signal.SIGKILL))
    limit.daemon = True
    limit.start()
    try:
        _, status, used = os.wait4(pid, 0)
    finally:
        limit.cancel()
    wall = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(status)
    if code:
        said = contender.output.read_text("utf-8", "replace")[-2000:]
        raise Failed(f"{contender.name} ended with exit code {code}:\n{said}")
    return Run(wall_s=wall, cpu_s=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024)


def ratios(ours: Sequence[Run], theirs: Sequence[Run], figure: Callable[[Run], float]) -> Spread:
    """Ours ÷ theirs, turn by turn."""
    pairs = zip(ours, theirs, strict=True)
    return Spread.of([figure(one) / figure(other) for one, other in pairs])
