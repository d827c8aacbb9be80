"""Starts at random: good ones that take their time, and broken ones, each verified by itself.

A report says how many good ones were called anything else than healthy, and how many broken ones
healthy. What crashes later than anybody looks is counted apart: only a longer look finds it.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orient_deploy.commands.verify_watch import Lookout, watch
from orient_deploy.engine.api import Engine, Wanted, local_dial
from orient_deploy.health.machine import Limits
from orient_deploy.health.verdict import Expected, Verification
from orient_deploy.preflight.defaults import is_secret_name
from tests.faults.field import Field, field

AT_ONCE = 20  # starts that are watched at the same time
SLOWEST_S = 25.0
BUDGET_S = 60.0
WINDOW_S = 7.0  # until a service with a check is stable: three looks, and five seconds
LATE_S = 1.0  # a crash may come a moment later than it is planned


@dataclass(frozen=True, kw_only=True)
class Start:
    """A service, and what must be said of it."""

    service: dict[str, Any]  # Compose's
    what: str
    words: frozenset[str]  # verdicts that are right
    budget_s: float = BUDGET_S


def good(chance: random.Random) -> Start:
    """One that is well after some time, with or without a health check, a start period, a crash."""
    delay = round(chance.uniform(0, SLOWEST_S), 2)
    kind = chance.choice(["check", "period", "nothing", "one-shot", "one crash"])
    run = f"sleep {delay}; serve 8080"
    service = _service(run, check=kind in ("check", "period", "one crash"))
    if kind == "period":
        service["healthcheck"]["start_period"] = "30s"
    elif kind == "nothing":
        service["restart"] = "always"
    elif kind == "one-shot":
        service["command"] = ["sh", "-c", f"sleep {delay}"]
    elif kind == "one crash":
        crash = f"if [ ! -e /data/been ]; then : >/data/been; sleep {delay / 10:.2f}; exit 1; fi"
        service |= {"command": ["sh", "-c", f"{crash}; {run}"], "restart": "always"}
    return Start(service=service, what=f"good, {kind}, {delay} s", words=frozenset({"healthy"}))


def broken(chance: random.Random) -> Start:
    """One that is not well, in one of the ways."""
    delay = round(chance.uniform(0, 10), 2)
    kind = chance.choice(
        ["crash", "crash with a check", "crash later", "exit", "one-shot", "unhealthy", "never"]
    )
    bad, late = frozenset({"failed"}), frozenset({"timeout"})
    code = chance.randint(1, 200)
    if kind == "crash":
        service = _service(f"sleep {min(delay, 4):.2f}; exit {code}", check=False)
        service["restart"] = "always"
    elif kind == "crash with a check":
        service = _service(f"sleep {delay:.2f}; exit {code}", check=True)
        service["restart"] = "always"
    elif kind == "crash later":  # after it has served
        at_s = round(chance.uniform(2, 20), 2)
        service = _service(
            f"timeout {at_s} busybox httpd -f -p 8080 -h /www; exit {code}", check=True
        )
        service["restart"] = "always"
        # Within the window it must be seen, beyond it nobody can; in between either is right.
        words = bad if at_s < WINDOW_S - 2 * LATE_S else bad | {"healthy"}
        reach = "" if at_s < WINDOW_S - 2 * LATE_S else ", out of reach"
        return Start(service=service, what=f"broken, {kind}, {at_s} s{reach}", words=words)
    elif kind == "exit":
        service = _service(f"sleep {min(delay, 4):.2f}; exit {code}", check=True)
    elif kind == "one-shot":
        service = _service(f"sleep {min(delay, 8):.2f}; exit {code}", check=False)
    elif kind == "unhealthy":
        service = _service("serve 8080", check=True)
        service["healthcheck"] |= {"test": "wget -q -O- http://127.0.0.1:8080/none"}
        service["healthcheck"]["start_period"] = f"{max(1, round(delay))}s"
    else:
        service = _service("sleep 600", check=True)
        return Start(service=service, what="broken, never ready", words=late, budget_s=20)
    return Start(service=service, what=f"broken, {kind}, {delay} s", words=bad)


def _service(run: str, *, check: bool) -> dict[str, Any]:
    service: dict[str, Any] = {
        "image": "part:1",
        "command": ["sh", "-c", run],
        "network_mode": "none",  # the engine's networks have room for a dozen
    }
    if check:
        test = "wget -q -O- http://127.0.0.1:8080/health"
        service["healthcheck"] = {"test": test, "interval": "1s", "timeout": "2s", "retries": 2}
    return service


def measure(count: int, seed: int) -> int:
    """So many good and so many broken starts; 1 where one was called what it is not."""
    chance = random.Random(seed)
    starts = [good(chance) for _ in range(count)] + [broken(chance) for _ in range(count)]
    begun = time.monotonic()
    wrong: list[str] = []
    tally: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory(prefix="starts-") as name,
        field(Path(name)) as one,
    ):
        for first in range(0, len(starts), AT_ONCE):
            some = starts[first : first + AT_ONCE]
            for start, (word, seconds, reason) in zip(some, _play(some, one), strict=True):
                kind = start.what.partition(",")[0]
                kind += ", out of reach" if "out of reach" in start.what else ""
                tally[f"{kind}: {word}"] += 1
                if word not in start.words:
                    wrong.append(f"{start.what}: {word} ({reason}) after {seconds:.1f} s")
            print(f"{min(first + AT_ONCE, len(starts))} of {len(starts)}", file=sys.stderr)
    print(f"seed {seed}, {count} good and {count} broken starts, {time.monotonic() - begun:.0f} s")
    for said in sorted(tally):
        print(f"  {tally[said]:4d}  {said}")
    for said in wrong:
        print(f"  WRONG  {said}")
    return 1 if wrong else 0


def _play(starts: Sequence[Start], one: Field) -> list[tuple[str, float, str]]:
    """Start them at once, and verify each by itself."""
    folder = Path(tempfile.mkdtemp(dir=one.folder))
    services = {f"s{index}": start.service for index, start in enumerate(starts)}
    (folder / "compose.yml").write_text(yaml.safe_dump({"services": services}))
    env = {**one.engine.env, "DOCKER_CONFIG": str(one.settings)}
    came: dict[int, tuple[str, float, str]] = {}

    def verify(index: int) -> None:
        name = f"s{index}"
        expected = Expected(names=(name,), default=Limits(budget_s=starts[index].budget_s))
        verification = Verification(expected)
        with Engine(
            local_dial(env), Wanted(project="x", names=(name,)), is_secret_name, here=True
        ) as engine:
            watch(verification, Lookout(engine=engine), [], lambda _: None)
        verdict = verification.verdict()
        decisive = [*verdict.failed, *verdict.unclear]
        reason = decisive[0].reason if decisive else ""
        came[index] = (verdict.word, verdict.took_s, reason)

    one.compose("x", folder, "up", "-d").wait(180)
    threads = [threading.Thread(target=verify, args=(index,)) for index in range(len(starts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = one.engine.docker("ps", "-aq").stdout.split()
    one.engine.docker("rm", "-f", *found)
    return [came[index] for index in range(len(starts))]
