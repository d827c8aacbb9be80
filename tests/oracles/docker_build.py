"""What the steps of a build read, asked of a real engine.

A change is read exactly when a step that is not a FROM misses the cache, or the build fails where
it did not. Many builds run in one `docker buildx bake`: several times as fast as one by one.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from tests.corpus.dockerfile_cases import Case, write_case
from tests.fakes.git_server import GitServer
from tests.fakes.repositories import RepositoryBuilder, Symlink
from tests.machines.docker_engine import DockerEngine

BASE = "orient/base"
FETCHED = b"file\n"  # a case gives its checksum

_BAKE_TIMEOUT_S = 600
_TOGETHER = 60  # builds of one bake
_BAKES = 2  # at once
_ATTEMPTS = 5
_UNHEARD = "failed to receive status"  # built, but before buildx came to listen
# A file is written with 0644; each attempt has a mode of its own.
_MODES = (0o755, 0o775, 0o777, 0o744, 0o754, 0o711, 0o700, 0o750, 0o740, 0o770, 0o757)
# "[x17 2/3] COPY a b" or "[x17 stage-1 2/3] COPY a b"; "[x17 internal] load …" is none. A build
# that is alone has no name there.
_STEP = re.compile(r"\[(?:(x\d+) )?(?:[^\]]* )? *\d+/\d+\] (.*)", re.DOTALL)
_BASE = re.compile(
    r"\[.*\] load metadata for (?:docker\.io/)?(?:library/)?([^@]+?)(?::latest)?(?:@.*)?"
)


@dataclass(frozen=True)
class Change:
    """Another content or mode for a path of the case, or a file that is added."""

    kind: Literal["content", "mode", "add"]
    path: str


@dataclass(frozen=True)
class Build:
    """A case with changes, to be built; without any, the case itself."""

    case: Case
    changes: tuple[Change, ...] = ()
    may_fail: bool = False  # then it is built alone

    @classmethod
    def changed(cls, case: Case, *changes: Change) -> Build:
        """A link that leads nowhere and a broken archive can end a build."""
        fragile = any(
            isinstance(case.tree.get(change.path), Symlink) or ".tar" in change.path
            for change in changes
        )
        return cls(case, changes, may_fail=fragile)


@dataclass(frozen=True)
class Built:
    """What became of a build."""

    failed: str  # the error, or nothing
    missed: tuple[str, ...]  # steps that were not cached
    bases: tuple[str, ...]  # images from elsewhere; of a build that was made alone

    @property
    def read_a_change(self) -> bool:
        return bool(self.failed or self.missed)


def make_base(engine: DockerEngine) -> None:
    """Build the image that cases may start FROM."""
    context = engine.folder / "base"
    context.mkdir()
    shutil.copy(engine.busybox, context)
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox /bin/busybox\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n',
        encoding="utf-8",
    )
    engine.docker("build", "--tag", BASE, context)


def changes_of(case: Case) -> list[Change]:
    """Every change that the corpus asks about: content and mode of each file, and each addition."""
    found = []
    for path, content in sorted(case.tree.items()):
        found.append(Change("content", path))
        if not isinstance(content, Symlink):
            found.append(Change("mode", path))
    return found + [Change("add", path) for path in case.add]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an engine says of a case."""

    reads: Mapping[str, frozenset[str]]  # path, and the kinds of change that are read
    bases: tuple[str, ...]
    failed: str


class Servers:
    """What ADD may fetch: a file from any path of `http`, a repository from `git`/acme/app.git."""

    def __init__(self) -> None:
        self.http = self.git = ""
        self._stack = ExitStack()

    def __enter__(self) -> Servers:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fetched-")))
            RepositoryBuilder(folder / "acme" / "app.git").commit({"a.txt": "a\n"})
            self.git = stack.enter_context(GitServer(folder)).url
            server = ThreadingHTTPServer(("127.0.0.1", 0), _OneFile)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(server.server_close)
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            self.http = f"http://127.0.0.1:{server.server_address[1]}"
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


class _OneFile(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(FETCHED)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(FETCHED)

    do_HEAD = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Builder:
    """Builds on one engine; no change is ever made twice."""

    def __init__(self, engine: DockerEngine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self._numbers = itertools.count()

    def build(self, builds: Sequence[Build]) -> list[Built]:
        """Build all, in any order. A case must have been built before its changes say anything."""
        places = range(len(builds))
        groups = [[at] for at in places if builds[at].may_fail]
        safe = [at for at in places if not builds[at].may_fail]
        groups += [safe[at : at + _TOGETHER] for at in range(0, len(safe), _TOGETHER)]
        done: dict[int, Built] = {}
        with ThreadPoolExecutor(_BAKES) as pool:
            for found in pool.map(lambda group: self._bake(group, builds), groups):
                done.update(found)
        return [done[at] for at in places]

    def _bake(
        self, group: list[int], builds: Sequence[Build], attempt: int = 0
    ) -> dict[int, Built]:
        """Build these together. When one fails, that ends the others: then each half is built.

        Their changes are others then, because steps of the first attempt may be cached.
        """
        names = {f"x{next(self._numbers)}": at for at in group}
        targets = {name: self._target(name, builds[at], attempt) for name, at in names.items()}
        wanted = {"group": {"default": {"targets": list(names)}}, "target": targets}
        # What is ${…} to Docker is so to bake.
        text = json.dumps(wanted).replace("${", "$${").replace("%{", "%%{")
        done = subprocess.run(
            ["docker", "buildx", "bake", "--file", "-", "--progress", "rawjson"],
            cwd=self.folder,
            env={
                **os.environ,
                **self.engine.env,
                "BUILDX_BAKE_ENTITLEMENTS_FS": "0",
                "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            },
            input=text,
            capture_output=True,
            text=True,
            timeout=_BAKE_TIMEOUT_S,
            check=False,
        )
        for name in names:
            shutil.rmtree(self.folder / name)
            shutil.rmtree(self.folder / f"{name}-contexts")
        error = ""
        if done.returncode != 0:
            error = "\n".join(x for x in done.stderr.splitlines() if x.startswith("ERROR"))
            error = error or done.stderr[-1000:]
            if len(group) > 1:
                middle = len(group) // 2
                return {
                    **self._bake(group[:middle], builds, attempt + 1),
                    **self._bake(group[middle:], builds, attempt + 1),
                }
            if _UNHEARD in error and attempt < _ATTEMPTS:
                return self._bake(group, builds, attempt + 1)
        return {
            names[name]: built for name, built in _read(done.stderr, list(names), error).items()
        }

    def _target(self, name: str, build: Build, attempt: int) -> dict[str, Any]:
        case, folder = build.case, self.folder / name
        folder.mkdir(parents=True)
        write_case(case, folder)
        for change in build.changes:
            _apply(change, folder, name, attempt)
        contexts = {
            key: value if "://" in value else self._alias(name, key, folder / value)
            for key, value in case.contexts.items()
        }
        target = {
            "context": self._alias(name, "main", folder / case.context),
            "dockerfile": str(folder / case.dockerfile),
            "target": case.target,
            "args": dict(case.args),
            "contexts": contexts,
            "output": ["type=cacheonly"],
        }
        return {key: value for key, value in target.items() if value}

    def _alias(self, name: str, key: str, context: Path) -> str:
        """A path to the context whose last word no other has.

        Builders keep what they were sent by that word, and what another context of it left there
        can make a step miss that reads no change.
        """
        link = self.folder / f"{name}-contexts" / re.sub(r"\W", "_", f"{name}-{key}")
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(context)
        return str(link)


def measure(builder: Builder, cases: Sequence[Case]) -> list[Measured]:
    """What the engine says of each case, each change made alone."""
    first = builder.build([Build(case, may_fail=True) for case in cases])
    works = [at for at, built in enumerate(first) if not built.failed]
    for at, built in zip(works, builder.build([Build(cases[at]) for at in works]), strict=True):
        if built.missed:
            raise RuntimeError(f"{cases[at].name} says nothing: {built.missed} is never cached")
    asked = [(at, change) for at in works for change in changes_of(cases[at])]
    answers = builder.build([Build.changed(cases[at], change) for at, change in asked])
    reads: list[dict[str, set[str]]] = [{} for _ in cases]
    for (at, change), built in zip(asked, answers, strict=True):
        if built.read_a_change:
            reads[at].setdefault(change.path, set()).add(change.kind)
    return [
        Measured(
            reads={path: frozenset(kinds) for path, kinds in sorted(found.items())},
            bases=built.bases,
            failed=built.failed,
        )
        for found, built in zip(reads, first, strict=True)
    ]


def differences(builder: Builder, cases: Sequence[Case]) -> list[str]:
    """Where an engine answers otherwise than the cases say; half as many builds as `measure`.

    All that a case does not read is changed at once; what it reads, one after the other.
    """
    found = []
    first = builder.build([Build(case, may_fail=case.fails) for case in cases])
    for case, built in zip(cases, first, strict=True):
        if case.fails != bool(built.failed):
            found.append(f"{case.name}: fails with {built.failed!r}")
    asked: list[tuple[Case, tuple[Change, ...], bool]] = []
    for case in cases:
        if case.fails:
            continue
        changes = changes_of(case)
        inside = [change for change in changes if change.path in case.reads]
        asked.append((case, tuple(change for change in changes if change not in inside), False))
        asked += [(case, (change,), True) for change in inside if change.kind != "mode"]
        asked += [(case, (change,), True) for change in inside if change.kind == "mode"][:1]
    answers = builder.build([Build.changed(case, *changes) for case, changes, _ in asked])
    for (case, changed, read), built in zip(asked, answers, strict=True):
        if built.read_a_change != read:
            kinds = ", ".join(f"{change.kind} of {change.path}" for change in changed)
            steps = built.failed or "; ".join(built.missed) or "nothing missed the cache"
            found.append(f"{case.name}: {kinds}: {steps}")
    return found


def _apply(change: Change, folder: Path, name: str, attempt: int) -> None:
    file = folder / change.path
    words = f"{name} {change.path}\n"
    if change.kind == "add":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(words, encoding="utf-8")
    elif change.kind == "mode":
        file.chmod(_MODES[attempt])
    elif file.is_symlink():
        target = os.readlink(file)
        file.unlink()
        file.symlink_to(f"{target.rstrip('/')}-{name}")
    elif _is_setting(change.path):
        # Its meaning stays: what an instruction of a Dockerfile says is no question here.
        file.write_bytes(file.read_bytes() + f"\n# {words}".encode())
    else:
        file.write_bytes(file.read_bytes() + words.encode())


def _is_setting(path: str) -> bool:
    name = path.rpartition("/")[2]
    return "Dockerfile" in name or name.endswith(".dockerignore")


def _read(progress: str, names: Sequence[str], failed: str) -> dict[str, Built]:
    # Builds share a vertex when they do the same; each gives it a name of its own.
    vertices: dict[tuple[str, str], dict[str, Any]] = {}
    for line in progress.splitlines():
        if line.startswith("{"):
            for vertex in json.loads(line).get("vertexes") or ():
                vertices.setdefault((vertex["digest"], vertex["name"]), {}).update(vertex)
    missed: dict[str, list[str]] = {name: [] for name in names}
    bases = set()
    for vertex in vertices.values():
        step, base = _STEP.fullmatch(vertex["name"]), _BASE.fullmatch(vertex["name"])
        if base is not None:
            bases.add(base[1])
        elif step is None:
            continue
        elif "completed" in vertex and not vertex.get("cached") and vertex.get("inputs"):
            # Without inputs it reads nothing: it fetches from elsewhere, or makes a folder.
            missed[step[1] or names[0]].append(step[2])
    used = tuple(sorted(bases)) if len(names) == 1 else ()
    return {name: Built(failed, tuple(sorted(missed[name])), used) for name in names}
