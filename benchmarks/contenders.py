"""What is measured: the released action as a runner starts it, git itself, and a peer.

Each contender starts in an environment made here, not in that of whoever measures.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Contender
from benchmarks.repositories import Made
from tests.oracles import runner_files

# What a runner finds first; a Python that a version manager put on PATH starts more slowly.
_SYSTEM_PATH = "/usr/bin:/bin"


class WrongDecision(Exception):
    """A contender decided something else than the push must build."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The programs that are used, by their full paths."""

    path: str  # PATH for the contenders
    python: str
    git: str
    bash: str

    @classmethod
    def found(cls) -> Machine:
        """From the system's own folders, or where they lack one from PATH."""
        for path in (_SYSTEM_PATH, os.environ["PATH"]):
            programs = {name: shutil.which(name, path=path) for name in ("python3", "git", "bash")}
            python, git, bash = programs["python3"], programs["git"], programs["bash"]
            if python and git and bash:
                return cls(path=path, python=python, git=git, bash=bash)
        raise SystemExit("python3, git and bash are needed on PATH")


def detect(
    machine: Machine,
    library: Path,
    made: Made,
    scratch: Path,
    *,
    server: str = "https://github.com",
    workspace: Path | None = None,
    event: str = "push",
) -> Contender:
    """The action `detect` of a release tree, in the checkout or in another workspace.

    Of a push it must build what that changed. No other event names a base: there it looks at one
    commit alone, and must build everything.
    """
    workspace = workspace or made.checkout
    files = _RunnerFiles(scratch / "detect")
    return Contender(
        name="detect",
        command=[machine.bash, str(library / "scripts" / "run"), "detect"],
        environment={
            **_runner(machine, made, workspace, files),
            "GITHUB_EVENT_NAME": event,
            "GITHUB_SERVER_URL": server,
            # As actions/detect/action.yml sets them when a workflow gives no input.
            "INPUT_CONFIG": ".github/orient-deploy.yml",
            "INPUT_FORCE": "false",
            **{f"INPUT_{name}": "" for name in ("BASE", "COMMIT", "ENVIRONMENT", "IMAGES")},
            **{f"INPUT_{name}": "" for name in ("PATH", "TOKEN")},
        },
        directory=workspace,
        output=files.folder / "log",
        before=files.empty,
        after=files.expect("images", made.builds(event)),
    )


def peer(machine: Machine, script: Path, made: Made, scratch: Path) -> Contender:
    """dorny/paths-filter, given as the path of its dist/index.js."""
    node = shutil.which("node", path=machine.path) or shutil.which("node")
    if node is None:
        raise SystemExit("the peer needs node on PATH")
    files = _RunnerFiles(scratch / "peer")
    return Contender(
        name="peer",
        command=[node, str(script.resolve())],
        environment={
            **_runner(machine, made, made.checkout, files),
            "GITHUB_SERVER_URL": "https://github.com",
            # As its action.yml sets them, without a token: a push needs none.
            "INPUT_FILTERS": made.filters,
            "INPUT_LIST-FILES": "none",
            "INPUT_INITIAL-FETCH-DEPTH": "100",
            "INPUT_PREDICATE-QUANTIFIER": "some",
            **{f"INPUT_{name}": "" for name in ("TOKEN", "BASE", "REF", "WORKING-DIRECTORY")},
        },
        directory=made.checkout,
        output=files.folder / "log",
        before=files.empty,
        after=files.expect("changes", made.builds("push")),
    )


def git_diff(machine: Machine, made: Made, scratch: Path) -> Contender:
    """The names of what changed, from git alone."""
    return Contender(
        name="git diff",
        command=[machine.git, "diff", "--name-only", "-z", made.base, made.head],
        environment={"PATH": machine.path, "HOME": str(scratch)},
        directory=made.checkout,
        output=scratch / "diff",
    )


def checkout_and_base(machine: Machine, made: Made, scratch: Path, server: str) -> Contender:
    """What a path filter needs first: actions/checkout at depth 1, the base, and a comparison.

    git alone, in the commands of the two actions; starting those comes on top of it.
    """
    folder = scratch / "workspace"

    def empty() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    script = f"""
        git init --quiet .
        git remote add origin {server}/{made.full_name}
        git config gc.auto 0
        git fetch --quiet --no-tags --prune --no-recurse-submodules --depth=1 origin \
            +{made.head}:refs/remotes/origin/main
        git checkout --quiet --force -B main refs/remotes/origin/main
        git fetch --quiet --no-tags --depth=1 origin {made.base}
        git diff --no-renames --name-status -z {made.base} {made.head}
    """
    return Contender(
        name="checkout",
        command=[machine.bash, "-euc", script],
        environment={"PATH": machine.path, "HOME": str(scratch)},
        directory=folder,
        output=scratch / "comparison",
        before=empty,
    )


class _RunnerFiles:
    """The files through which a runner and an action speak, empty before each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "temp"
        self.output = folder / "output"
        self.summary = folder / "summary"
        folder.mkdir(parents=True, exist_ok=True)

    def empty(self) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir()
        self.output.write_bytes(b"")
        self.summary.write_bytes(b"")

    def expect(self, name: str, builds: frozenset[str]) -> Callable[[], None]:
        """A check that the output `name`, a JSON list, holds what must be built."""

        def check() -> None:
            found = frozenset(json.loads(runner_files.outputs(self.output.read_bytes())[name]))
            if found != builds:
                wrong = ", ".join(sorted(found ^ builds))
                raise WrongDecision(f"{self.folder.name} decided wrongly about {wrong}")

        return check


def _runner(
    machine: Machine, made: Made, workspace: Path, files: _RunnerFiles
) -> Mapping[str, str]:
    return {
        "PATH": machine.path,
        "HOME": str(files.folder),
        "LANG": "C.UTF-8",
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_EVENT_PATH": str(made.event),
        "GITHUB_SHA": made.head,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_REF_NAME": "main",
        "GITHUB_REPOSITORY": made.full_name,
        "GITHUB_OUTPUT": str(files.output),
        "GITHUB_STEP_SUMMARY": str(files.summary),
        "RUNNER_TEMP": str(files.temporary),
    }
