"""Measure how soon and how rightly `verify` tells what is so, and what it costs the host.

Usage: python benchmarks/verify.py [--runs N] [--containers N] [--rows latency,load,peers]
                                   [--seconds N] [--cases NAMES] [--json FILE]

- latency: from the moment a service answers to READY and HEALTHY, and from the event that decides
  a failure to FAILED.
- load: processor time of the engine and of what looks, and processes that are started, while so
  many containers are watched; beside them the same containers watched by nobody.
- peers: faults of tests/faults, each told by verify, by `docker compose up --wait`, and by
  `sleep 10` with one request, as it is commonly written: whether it was right, and after how long.

Everything is real: an engine of its own, Compose, busybox. Prints and never judges.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from benchmarks.processes import Spread
from orient_deploy.commands.verify_watch import Lookout, Prober, watch
from orient_deploy.engine.api import Engine, Wanted, local_dial
from orient_deploy.health.machine import Watched
from orient_deploy.health.verdict import Expected, Verification
from orient_deploy.preflight.defaults import is_secret_name
from orient_deploy.probe.http import ask_http
from orient_deploy.probe.model import HttpProbe
from tests.faults.field import Case, Field, Stage, cases, field, free_port

# Those of the catalogue whose services tell with one request, as the script asks it.
COMPARED = (
    *("healthy-at-once", "slow-with-start-period", "slow-without-start-period", "crash-at-0s"),
    *("crash-at-1s", "crash-at-5s", "crash-at-5s-after-serving", "crash-at-1s-with-a-check"),
    *("one-crash-then-fine", "exits-without-a-policy", "one-shot-that-ends-well"),
    *("one-shot-that-fails", "unhealthy-after-its-start-period", "a-check-that-cannot-run"),
    *("crash-at-20s-watched", "wrong-status", "html-for-a-script", "proxy-with-a-stale-upstream"),
)
SLEEP_S = 10.0
CURL_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """What one of the contenders said of a case."""

    case: str
    contender: str
    is_good: bool | None  # None: it does not say
    was_right: bool
    seconds: float


# --- latency


@contextmanager
def _answering_later(delay_s: float) -> Iterator[tuple[int, list[float]]]:
    """A port that answers 503 at first; and when it began to answer 200."""
    moments: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if moments else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        timer = threading.Timer(delay_s, lambda: moments.append(time.monotonic()))
        timer.start()
        yield server.server_address[1], moments
        timer.cancel()
        server.shutdown()
        thread.join()


def ready_latency(index: int) -> tuple[float, float]:
    """Seconds from the first good answer to READY and to the verdict, for a probe."""
    with _answering_later(1.0 + index * 0.137 % 0.5) as (port, moments):
        reached: dict[str, float] = {}
        verification = Verification(Expected(probes={"p": ""}))
        probe = HttpProbe(name="p", url=f"http://127.0.0.1:{port}/")
        prober = Prober(name="p", ask=lambda: ask_http(probe))

        def tell(one: Watched) -> None:
            reached.setdefault(one.state, time.monotonic())

        watch(verification, Lookout(engine=None), [prober], tell)
        return reached["ready"] - moments[0], time.monotonic() - moments[0]


def failed_latency(one: Field, index: int) -> float:
    """Seconds from the end of a container that was ready to FAILED."""
    name = f"crash-{index}"
    # What it serves with can be ended from inside, and it ends with that.
    script = "busybox httpd -f -p 8080 -h /www & echo $! >/tmp/p; wait; exit 3"
    one.engine.docker(
        *("run", "-d", "--name", name, "--network", "none", "--restart", "always", "part:1"),
        *("sh", "-c", script),
    )
    died: list[float] = []
    failed: list[float] = []

    def end() -> None:
        died.append(time.monotonic())
        one.engine.docker("exec", name, "sh", "-c", "kill $(cat /tmp/p)", check=False)

    def tell(each: Watched) -> None:
        if each.state == "ready":  # at another moment of the tick each time
            threading.Timer(0.2 + index * 0.061 % 0.5, end).start()
        if each.state == "failed":
            failed.append(time.monotonic())

    verification = Verification(Expected(names=(name,)))
    env = {**one.engine.env}
    with Engine(local_dial(env), Wanted(names=(name,)), is_secret_name, here=True) as engine:
        watch(verification, Lookout(engine=engine), [], tell)
    one.engine.docker("rm", "-f", name)
    return failed[0] - died[0]


# --- load


def _ticks(process_id: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _forks() -> int:
    """Processes that this machine has started."""
    lines = Path("/proc/stat").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("processes ")).split()[1])


def _dockerd(one: Field) -> int:
    socket = one.engine.env["DOCKER_HOST"]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"dockerd") and f"--host={socket}".encode() in words:
            return int(folder.name)
    raise RuntimeError("the engine is not found")


def load(one: Field, count: int, seconds: float) -> dict[str, float]:
    """What it costs to watch so many containers that are well and stay so."""
    for index in range(count):
        one.engine.docker(
            *("run", "-d", "--name", f"app-{index}", "--network", "none", "part:1"),
            *("sleep", "600"),
        )
    dockerd = _dockerd(one)

    def measured(seconds: float, look: bool) -> tuple[float, float, float]:
        engine_s, own_s, forks = _ticks(dockerd), time.process_time(), _forks()
        begun = time.monotonic()
        if look:
            verification = Verification(Expected(watch_s=seconds))
            with Engine(local_dial({**one.engine.env}), Wanted(), is_secret_name, here=True) as e:
                watch(verification, Lookout(engine=e), [], lambda _: None)
        else:
            time.sleep(seconds)
        took = time.monotonic() - begun
        return (
            (_ticks(dockerd) - engine_s) / took,
            (time.process_time() - own_s) / took,
            (_forks() - forks) / took,
        )

    idle, watched = measured(seconds, False), measured(seconds, True)
    begun = time.monotonic()
    with Engine(local_dial({**one.engine.env}), Wanted(), is_secret_name, here=True) as engine:
        engine.look(10)
        begun = time.monotonic()
        for _ in range(10):
            engine.look(10)
        look_s = (time.monotonic() - begun) / 10
    names = [f"app-{index}" for index in range(count)]
    begun = time.monotonic()
    one.engine.docker("inspect", *names)
    inspect_s = time.monotonic() - begun
    one.engine.docker("rm", "-f", *names)
    return {
        "engine": watched[0] - idle[0],
        "own": watched[1],
        "processes per second": watched[2],
        "processes per second, nobody looks": idle[2],
        "one look": look_s,
        "docker inspect of all": inspect_s,
    }


# --- peers


def compare(one: Field, case: Case) -> list[Told]:
    """What each says of a case."""
    is_good = case.given["verdict"] == "healthy"
    came = one.run(case)
    told = [
        Told(
            case=case.id,
            contender="verify",
            is_good=came.verdict == "healthy",
            was_right=not came.problems,
            seconds=came.seconds,
        )
    ]
    for contender in (_up_wait, _script):
        said, seconds = contender(one, case)
        told.append(
            Told(
                case=case.id,
                contender=contender.__name__.strip("_"),
                is_good=said,
                was_right=said is is_good,
                seconds=seconds,
            )
        )
    return told


def _played(one: Field, case: Case, stack: ExitStack, *up: str) -> tuple[Path, int, float, int]:
    """Start the case with `docker compose up …`: its folder, exit code, seconds, and the port."""
    port = free_port()
    services = {
        name: (
            {**each, "ports": [f"{port}:8080"]} if name == "app" and "ports" not in each else each
        )
        for name, each in case.given["services"].items()
    }
    given = {**case.given, "services": services}
    stage = Stage(one, Case(id=f"{case.id}-{len(up)}-{port}", given=given), stack)
    stack.callback(stage.clear)
    stage.up = ("up", "-d", *up)
    begun = time.monotonic()
    stage.set_up()
    took = time.monotonic() - begun
    for name in ("PORT_A", "PORT_PROXY"):
        port = stage.ports.get(name, port)
    return stage.folder, stage.code, took, port


def _up_wait(one: Field, case: Case) -> tuple[bool, float]:
    with ExitStack() as stack:
        _, code, seconds, _ = _played(one, case, stack, "--wait", "--wait-timeout", "60")
        return code == 0, seconds


def _script(one: Field, case: Case) -> tuple[bool, float]:
    """`sleep 10; curl -sf -m 10 URL`."""
    with ExitStack() as stack:
        _, _, _, port = _played(one, case, stack)
        begun = time.monotonic()
        time.sleep(SLEEP_S)
        path = "/none" if case.id == "wrong-status" else "/health"
        path = "/" if case.id == "html-for-a-script" else path
        probe = HttpProbe(name="p", url=f"http://127.0.0.1:{port}{path}", timeout_s=CURL_S)
        answer = ask_http(probe)
        return answer.outcome == "right", time.monotonic() - begun


# --- report


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--containers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0, help="that the load is measured")
    parser.add_argument("--rows", default="latency,load,peers")
    parser.add_argument("--cases", default=",".join(COMPARED))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = given.rows.split(",")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="verify-") as name, field(Path(name)) as one:
        if "latency" in rows:
            found["latency"] = _latency(one, given.runs)
        if "load" in rows:
            found["load"] = load(one, given.containers, given.seconds)
            _print_load(found["load"], given.containers)
        if "peers" in rows:
            chosen = given.cases.split(",")
            told = [each for case in cases() if case.id in chosen for each in compare(one, case)]
            found["peers"] = [asdict(each) for each in told]
            _print_peers(told)
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def _latency(one: Field, runs: int) -> Mapping[str, Sequence[float]]:
    pairs = [ready_latency(index) for index in range(runs)]
    found = {
        "answers -> READY": [pair[0] for pair in pairs],
        "answers -> HEALTHY": [pair[1] for pair in pairs],
        "ends -> FAILED": [failed_latency(one, index) for index in range(runs)],
    }
    for name, values in found.items():
        spread = Spread.of(values)
        print(f"{name:<20} {spread.median:.2f} s (least {spread.low:.2f}, most {spread.high:.2f})")
    return found


def _print_load(found: Mapping[str, float], count: int) -> None:
    print(f"{count} containers:")
    print(f"  the engine's processor   {found['engine']:.1%} of one core more than idle")
    print(f"  the watcher's own        {found['own']:.1%}")
    print(
        f"  processes started        {found['processes per second']:.1f} a second; nobody looks: "
        f"{found['processes per second, nobody looks']:.1f}"
    )
    print(f"  one look                 {found['one look'] * 1000:.0f} ms")
    print(f"  docker inspect of all    {found['docker inspect of all'] * 1000:.0f} ms")


def _print_peers(told: Sequence[Told]) -> None:
    print(f"{'case':<36} {'verify':>12} {'up --wait':>12} {'sleep, curl':>12}")
    by_case: dict[str, list[Told]] = {}
    for one in told:
        by_case.setdefault(one.case, []).append(one)
    for name, those in by_case.items():
        cells = "".join(f" {'right' if o.was_right else 'WRONG'} {o.seconds:5.1f} s" for o in those)
        print(f"{name:<36}{cells}")
    for contender in dict.fromkeys(one.contender for one in told):
        mine = [one for one in told if one.contender == contender]
        print(f"{contender}: {sum(o.was_right for o in mine)} of {len(mine)} right")


if __name__ == "__main__":
    sys.exit(main())
