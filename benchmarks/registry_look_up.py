"""Measure the look-up of sixty images in a registry on loopback, as whole processes.

Usage: python benchmarks/registry_look_up.py [--runs N] [--images N] [--json FILE]. The registry is
Debian's docker-registry: as it comes, over TLS, and with a token for each repository. Beside ours
stand a Python that does nothing, which every command pays anyway, and the standard library's own
client with eight threads and nothing but the request: what there is to gain. The last row asks a
server that is 50 ms away, which tells how many answers are waited for one after the other. Prints
and never judges: its exit code says only whether everything could be measured and found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import attrgetter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from benchmarks.processes import Contender, Failed, Run, Spread, take_turns
from tests.fakes.token_service import token_service
from tests.machines.image_registry import image_registry
from tests.unit.registry.images import OCI_IMAGE, Pusher, digest

ROOT = Path(__file__).resolve().parents[1]
WALL, CPU, PEAK = attrgetter("wall_s"), attrgetter("cpu_s"), attrgetter("peak_mib")
BUDGET_S = 0.2  # for the look-up and its imports
DISTANCE_S = 0.05
TAG = "inputs-4f2c1ab7"
CONTENT = b"{}"

# Each takes the registry's host and the number of images, and fails unless it finds all of them.
NOTHING = "pass"
BARE = f"""
import sys, threading
from http.client import HTTPConnection
host, count = sys.argv[1], int(sys.argv[2])
found, waiting, lock = [], iter(range(count)), threading.Lock()
def work():
    connection = HTTPConnection(host, timeout=30)
    while True:
        with lock:
            number = next(waiting, None)
        if number is None:
            return connection.close()
        path = f"/v2/acme/orient/image-{{number}}/manifests/{TAG}"
        connection.request("HEAD", path, headers={{"Accept": "{OCI_IMAGE}"}})
        answer = connection.getresponse()
        answer.read()
        found.append(answer.headers["Docker-Content-Digest"])
threads = [threading.Thread(target=work) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
sys.exit(len(list(filter(None, found))) != count)
"""
OURS = f"""
import sys
sys.path[:0] = {[str(ROOT / "scripts"), sysconfig.get_path("purelib")]!r}
from orient_deploy.registry.client import Registry
from orient_deploy.registry.credentials import Credentials
from orient_deploy.registry.model import Found
host, count = sys.argv[1], int(sys.argv[2])
wanted = [(f"{{host}}/acme/orient/image-{{number}}", "{TAG}") for number in range(count)]
answers = Registry(Credentials()).look_up(wanted)
sys.exit(next((str(one) for one in answers if not isinstance(one, Found)), 0))
"""


@contextlib.contextmanager
def far_away() -> Iterator[str]:
    """The host of a registry that answers everything, after a while."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            leaving.wait(DISTANCE_S)
            self.send_response(200)
            self.send_header("Content-Type", OCI_IMAGE)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.send_header("Docker-Content-Digest", digest(CONTENT))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(CONTENT)

        do_HEAD = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """Nothing: whether it speaks TLS is tried first."""

    leaving = threading.Event()
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        leaving.set()
        server.shutdown()
        thread.join()
        server.server_close()


def measure(images: int, runs: int, scratch: Path) -> dict[str, tuple[Run, ...]]:
    """The runs of each contender."""
    storage = {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(scratch / "images")}
    with contextlib.ExitStack() as running:
        plain = running.enter_context(image_registry(settings=storage))
        secure = running.enter_context(image_registry(tls=True, settings=storage))
        tokens = running.enter_context(token_service({"": "pull"}))
        bearer = running.enter_context(image_registry(settings={**storage, **tokens.settings}))
        far = running.enter_context(far_away())
        for number in range(images):
            labels = {"number": str(number)}
            Pusher(url=plain.url, path=f"acme/orient/image-{number}").image(TAG, labels=labels)

        def contender(name: str, code: str, host: str, **environment: str) -> Contender:
            return Contender(
                name=name,
                command=[sys.executable, "-I", "-S", "-X", "utf8", "-c", code, host, str(images)],
                environment=environment,
                directory=scratch,
                output=scratch / "log",
            )

        trusted = {"REQUESTS_CA_BUNDLE": str(secure.certificate)}
        contenders = [
            contender("python", NOTHING, plain.host),
            contender("http.client", BARE, plain.host),
            contender("look-up", OURS, plain.host),
            contender("with TLS", OURS, secure.host, **trusted),
            contender("with tokens", OURS, bearer.host),
            contender("50 ms away", OURS, far),
        ]
        return take_turns(contenders, runs=runs, warm_up=min(2, runs))


def show(taken: Mapping[str, Sequence[Run]], images: int, runs: int) -> None:
    """Print the table, the budget, and how deep it went."""
    print(f"registry look-up: {images} images on loopback; {runs} runs each, in turn")
    print(f"  {'':<12} {'wall ms':>8} {'(least–most)':<16} {'cpu ms':>8} {'peak MiB':>9}")
    medians = {}
    for name, found in taken.items():
        wall = Spread.of([1000 * WALL(run) for run in found])
        cpu, peak = Spread.of([1000 * CPU(run) for run in found]), Spread.of(list(map(PEAK, found)))
        medians[name] = wall.median / 1000
        extremes = f"({wall.low:.1f}–{wall.high:.1f})"
        print(
            f"  {name:<12} {wall.median:8.1f} {extremes:<16} {cpu.median:8.1f} {peak.median:9.1f}"
        )
    for name in ("look-up", "with TLS", "with tokens"):
        spent = medians[name] - medians["python"]
        word = "met" if spent <= BUDGET_S else "MISSED"
        print(
            f"  {name}: {1000 * spent:.0f} ms with its imports, budget {1000 * BUDGET_S:g} {word}"
        )
    depth = (medians["50 ms away"] - medians["look-up"]) / DISTANCE_S
    print(f"  answers that were waited for one after the other: {depth:.1f}")


def main(argv: Sequence[str]) -> int:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15, help="runs of each; default: 15")
    parser.add_argument("--images", type=int, default=60, help="images looked up; default: 60")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args(argv)
    if options.runs < 1 or options.images < 1:
        parser.error("--runs and --images must be 1 or more")
    json_file = options.json.resolve() if options.json else None
    with tempfile.TemporaryDirectory(prefix="orient-benchmarks-") as folder:
        try:
            taken = measure(options.images, options.runs, Path(folder))
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            os.chdir(ROOT)  # a run leaves us in a folder that is about to go
    show(taken, options.images, options.runs)
    if json_file:
        runs = {name: [asdict(run) for run in found] for name, found in taken.items()}
        json_file.write_text(json.dumps({"images": options.images, "runs": runs}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
