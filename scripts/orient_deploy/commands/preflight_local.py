"""`preflight --local`: what one would run by hand before a push, run one after the other.

Decides which commands those are for a checkout, and tells what became of each. Each is shown, its
output is passed on as it comes, and a failure does not keep the next from being tried. What Compose
complains of is not shown: it may quote a value from a file of variables.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from orient_deploy.commands.secrets_file import FOR_GIT
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD, EnvironmentLacks, OrientError
from orient_deploy.history import Git
from orient_deploy.inputs.images import resolve_images
from orient_deploy.preflight.files import Files

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context
    from orient_deploy.config.model import Config, Environment
    from orient_deploy.plan.report import Line
    from orient_deploy.runner.log import Style

GRACE_S = 2.0  # that an ended command may take to clear up
_CHUNK_BYTES = 65_536
_POLL_S = 0.05
MOST_BYTES = 32 * 1024 * 1024
_LOCKS = (
    ("pnpm", "pnpm-lock.yaml"),
    ("yarn", "yarn.lock"),
    ("bun", "bun.lock"),
    ("bun", "bun.lockb"),
    ("npm", "package-lock.json"),
)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One command of the list."""

    title: str
    command: tuple[str, ...]
    hides_complaints: str = ""  # why it may have failed: its own words may hold a value


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a task."""

    task: Task
    outcome: str  # 'passed', 'failed', 'missing'
    duration_s: float = 0.0
    note: str = ""


def run_local(
    root: str,
    environment: Environment | None,
    config: Config | None,
    context: Context,
    *,
    build: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Run the list, and return the exit code: 1 when something failed, else 3 when a tool lacks.

    Without an `environment` the compose files of all are looked at. Images are built only where
    `build` asks for it.
    """
    results: list[Result] = []
    with _Checkout(root, context.env) as files:
        changed, why = _changed_images(root, files, config, context.env)
        chosen = [environment] if environment else list(config.environments if config else ())
        todo = list(_tasks(root, files, config, chosen, changed, build=build))
    context.log.say(why)
    for task in todo:
        results.append(_run(task, root, context, clock))
    _show(results, context)
    if any(one.outcome == "failed" for one in results):
        return EXIT_FOUND
    if any(one.outcome == "missing" for one in results):
        return EnvironmentLacks.exit_code
    return EXIT_GOOD


# --- what is run


def _tasks(
    root: str,
    files: Files,
    config: Config | None,
    environments: Sequence[Environment],
    changed: Sequence[str],
    *,
    build: bool,
) -> Iterator[Task]:
    manager = manager_of(files)
    scripts = files.scripts("")
    if "test:ci" in scripts:
        yield Task(title="tests", command=(manager, "run", "test:ci"))
    if "turbo.json" in files and "turbo" in files.asks(""):
        packages = _packages(files, config, changed)
        if packages or not config:
            start = {
                "pnpm": ("pnpm", "exec", "turbo"),
                "yarn": ("yarn", "turbo"),
                "bun": ("bunx", "turbo"),
            }.get(manager, ("npx", "--no-install", "turbo"))
            filters = tuple(f"--filter={name}..." for name in packages)
            title = "tests of the packages of changed images" if packages else "tests of packages"
            yield Task(title=title, command=(*start, "run", "test", *filters))
    for environment in environments:
        if environment.compose:
            given = [word for path in environment.compose for word in ("-f", path)]
            # Without a file of variables Compose would take whichever `.env` lies about.
            variables = environment.secrets.file
            is_there = variables and os.path.isfile(os.path.join(root, variables))
            yield Task(
                title=f"compose files of {environment.name}",
                command=(
                    *("docker", "compose", "--env-file", variables if is_there else os.devnull),
                    *(*given, "config", "--services"),
                ),
                hides_complaints="Compose does not resolve the files: `orient-deploy preflight "
                "--checks compose` says why",
            )
    for name in changed if build and config else ():
        image = config.image(name) if config else None
        if image is None:
            continue
        arguments = [
            word for key, one in image.build_args for word in ("--build-arg", f"{key}={one}")
        ]
        target = ("--target", image.target) if image.target else ()
        yield Task(
            title=f"image {name}",
            command=(
                *("docker", "build", "--file", image.dockerfile, "--tag", f"local/{name}"),
                *(*target, *arguments, image.context),
            ),
        )


def manager_of(files: Files) -> str:
    """The package manager that a checkout is for."""
    said = files.manifest("").get("packageManager")
    if isinstance(said, str) and said.partition("@")[0] in ("pnpm", "yarn", "npm", "bun"):
        return said.partition("@")[0]
    return next((name for name, lock in _LOCKS if lock in files), "npm")


def _packages(files: Files, config: Config | None, changed: Sequence[str]) -> list[str]:
    """The names of the packages that changed images are built from."""
    found: list[str] = []
    workspace = files.workspace_of("")
    if workspace is None or config is None:
        return []
    for name in changed:
        image = config.image(name)
        folder = workspace.package_of(image.dockerfile)
        if folder is None or folder == workspace.root:
            called = [
                one.name for one in workspace.packages.values() if one.name.split("/")[-1] == name
            ]
            found += called if len(called) == 1 else []
        elif workspace.packages[folder].name:
            found.append(workspace.packages[folder].name)
    return list(dict.fromkeys(found))


class _Checkout:
    """The files of a folder that git knows, as they are on the disk."""

    def __init__(self, root: str, env: Mapping[str, str]) -> None:
        self._root = root
        self._git = _git(env)

    def __enter__(self) -> Files:
        names: list[str] = []
        with suppress(OrientError):
            listed = self._git.run(["-C", self._root, "ls-files", "-z", "--cached"])
            names = [os.fsdecode(one) for one in listed.out.split(b"\0") if one]
        if not names:  # no clone: what lies in the folder itself
            names = [one.name for one in os.scandir(self._root) if one.is_file()]
        return Files(
            [one for one in dict.fromkeys(names) if os.path.lexists(os.path.join(self._root, one))],
            self._read,
        )

    def __exit__(self, *_: object) -> None:
        self._git.close()

    def _read(self, name: str) -> bytes | None:
        path = os.path.join(self._root, name)
        try:
            if os.path.islink(path):
                return os.fsencode(os.readlink(path))
            if not os.path.isfile(path) or os.path.getsize(path) > MOST_BYTES:
                return None
            with open(path, "rb") as file:
                return file.read(MOST_BYTES)
        except OSError:
            return None


def _git(env: Mapping[str, str]) -> Git:
    return Git({name: text for name, text in env.items() if FOR_GIT.fullmatch(name)})


def _changed_images(
    root: str, files: Files, config: Config | None, env: Mapping[str, str]
) -> tuple[list[str], str]:
    """The images that what is not pushed yet goes into, and a sentence about them."""
    if config is None:
        return [], "Without a configuration no image is known."
    every = [image.name for image in config.images]
    paths = _changed_paths(root, env)
    if paths is None:
        return every, "What changed since the last push cannot be told: all images count."
    inputs = resolve_images(config, files.tree, files.read, doubts=False)
    found = [
        name
        for name in every
        if any(
            (at := files.tree.position(path)) is not None and at in inputs[name].counted
            for path in paths
        )
    ]
    if not found:
        return [], "What is not pushed yet goes into no image."
    return found, f"What is not pushed yet goes into {', '.join(found)}."


def _changed_paths(root: str, env: Mapping[str, str]) -> list[str] | None:
    """What differs from the branch's upstream, else from the default branch; None: from nothing."""
    git = _git(env)
    try:
        for name in ("@{upstream}", "origin/HEAD", "origin/main", "origin/master"):
            base = git.run(["-C", root, "merge-base", "HEAD", name])
            if base.code == 0:
                commit = base.out.decode("ascii", "replace").strip()
                listed = git.run(["-C", root, "diff", "--name-only", "--relative", "-z", commit])
                if listed.code == 0:
                    return [os.fsdecode(one) for one in listed.out.split(b"\0") if one]
    except OrientError:
        pass
    finally:
        git.close()
    return None


# --- how it is run


def _run(task: Task, root: str, context: Context, clock: Callable[[], float]) -> Result:
    log = context.log
    with log.group(f"{task.title}: {shlex.join(task.command)}"):
        path = context.env.get("PATH", os.defpath)
        program = shutil.which(task.command[0], path=path)
        if program is None:
            note = f"there is no {task.command[0]} on PATH"
            log.say(("red", f"{note[0].upper()}{note[1:]}."))
            return Result(task=task, outcome="missing", note=note)
        began = clock()
        child = subprocess.Popen(
            [os.path.abspath(program), *task.command[1:]],
            cwd=root,
            # What the action was given is not for what it starts.
            env={name: text for name, text in context.env.items() if not name.startswith("INPUT_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if task.hides_complaints else subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert child.stdout is not None
            for line in _lines(child, child.stdout):
                log.relay(line)
            code = child.wait()
        finally:
            _end(child)
            if child.stdout is not None:
                child.stdout.close()
        took = clock() - began
        if code == 0:
            log.say(("green", f"Passed in {_time(took)}."))
            return Result(task=task, outcome="passed", duration_s=took)
        note = task.hides_complaints or f"it ended with exit code {code}"
        log.say(("red", f"Failed after {_time(took)}: {note}."))
        return Result(task=task, outcome="failed", duration_s=took, note=note)


def _lines(child: subprocess.Popen[bytes], stream: IO[bytes]) -> Iterator[str]:
    """What a command prints until it ends, not until all that it left running does."""
    place = stream.fileno()
    rest = b""
    last_look = False
    while True:
        ready, _, _ = select.select([place], [], [], 0 if last_look else _POLL_S)
        if not ready:
            if last_look:
                break
            last_look = child.poll() is not None
            continue
        data = os.read(place, _CHUNK_BYTES)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > _CHUNK_BYTES:
            lines, rest = [*lines, rest], b""
        yield from (one.decode("utf-8", "replace").rstrip("\r") for one in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started: politely first."""
    if child.poll() is None:
        _signal(child, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


# --- what is told


def _time(duration_s: float) -> str:
    """
    >>> _time(0.25), _time(12.34), _time(83)
    ('0.2 s', '12.3 s', '1 min 23 s')
    """
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    return f"{duration_s // 60:.0f} min {duration_s % 60:.0f} s"


def _show(results: Sequence[Result], context: Context) -> None:
    passed = all(one.outcome == "passed" for one in results)
    values = {
        "passed": passed,
        "steps": [
            {
                "title": one.task.title,
                "command": shlex.join(one.task.command),
                "outcome": one.outcome,
                "seconds": round(one.duration_s, 1),
            }
            for one in results
        ],
    }
    context.show(values, lines=_table(results), markdown=_markdown(results))


def _table(results: Sequence[Result]) -> list[Line]:
    if not results:
        return [("There is nothing to run here: no `test:ci`, no turbo, no compose files.",)]
    width = max(len(one.task.title) for one in results)
    rows: list[Line] = [("",)]
    for one in results:
        note = f"  {one.note}" if one.note else ""
        style: Style = "green" if one.outcome == "passed" else "red"
        rows.append(
            (
                f"{one.task.title:<{width}}  ",
                (style, f"{one.outcome:<7}"),
                f"  {_time(one.duration_s):>10}{note}",
            )
        )
    return rows


def _markdown(results: Sequence[Result]) -> str:
    if not results:
        return ""
    rows = "".join(
        f"| {one.task.title} | `{shlex.join(one.task.command).replace('|', chr(92) + '|')}` | "
        f"{one.outcome} | {_time(one.duration_s)} |\n"
        for one in results
    )
    return f"### Local checks\n\n| Check | Command | Result | Time |\n|---|---|---|---|\n{rows}"
