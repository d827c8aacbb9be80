"""The demo: a few pushes to the sample repository, planned as the action plans them on a runner.

Everything is made in one temporary folder and removed with it. Decides nothing itself: it sets the
stage for `scripts/run plan`, and shows what that printed and wrote. With --repo it replays a
repository instead, through `scripts/run replay`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from dev.sample import Push, Pushed, Sample

ROOT = Path(__file__).resolve().parents[2]
PUSHES = ("dashboard", "lockfile", "nginx", "docs", "slack")
SUMMARY_OF = "dashboard"  # one is enough to see what a summary looks like
TIMEOUT_S = 300  # the first run installs a few wheels

EXIT_OUR_FAULT = 70

# What a runner or another tool would say to git, or to the action, about other repositories.
_FOREIGN = ("GITHUB_", "RUNNER_", "ACTIONS_", "INPUT_", "GIT_")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run of the action left: its lines, its outputs and its summary."""

    code: int
    printed: str
    outputs: Mapping[str, str]
    summary: str


def main() -> int:
    """Run the demo; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        allow_abbrev=False,
        description="Show what the action decides about a few pushes to a sample repository, "
        "or about the last commits of a repository of yours.",
    )
    parser.add_argument("--repo", metavar="PATH", help="replay this repository; it is only read")
    parser.add_argument("--last", metavar="N", type=int, help="how many commits (20)")
    arguments = parser.parse_args()
    if arguments.repo == "":
        parser.error("--repo: give the folder of a repository")
    if arguments.last is not None and arguments.repo is None:
        parser.error("--last counts the commits of --repo: give both")
    if arguments.last is not None and not 1 <= arguments.last <= 10_000:
        parser.error("--last: give a number from 1 to 10000")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in step with what the children print
    signal.signal(signal.SIGTERM, _stop)  # so that the temporary folder goes then as well
    with tempfile.TemporaryDirectory(prefix="orient-deploy-demo-") as temporary:
        if arguments.repo is not None:
            return replay(arguments.repo, arguments.last or 20, Path(temporary))
        return show(Path(temporary))


def _stop(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def environment(temporary: Path) -> dict[str, str]:
    """The environment of whoever runs the demo, with nothing of a runner's, and its caches here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    tools, cache = temporary / "tools", temporary / "cache"
    tools.mkdir(exist_ok=True)
    return {**kept, "RUNNER_TEMP": str(tools), "XDG_CACHE_HOME": str(cache)}


def replay(path: str, last: int, temporary: Path) -> int:
    """The last commits of a repository; the exit code is that of `orient-deploy replay`."""
    command = ["bash", str(ROOT / "scripts" / "run"), "replay", f"--path={path}", f"--last={last}"]
    return run(command, env=environment(temporary)).returncode


def show(temporary: Path) -> int:
    """Every push of the demo with what the action said; 70 when that is not what it should be."""
    sys.path.append(str(ROOT / "scripts"))
    from dev import sample

    print("A repository with three images. Each push to main, in turn,")
    print("is planned by `scripts/run plan` in a runner's environment, as the action does it.")
    repository = sample.build(temporary / "workspace")
    wrong = []
    without: list[str] = []
    for push in map(sample.push_named, PUSHES):
        pushed = repository.push(push)
        ran = run_action(repository, pushed, temporary)
        print(f"\n== {push.name}: {push.subject}")
        print(ran.printed.rstrip())
        if ran.code:
            print(f"scripts/run plan ended with exit code {ran.code}", file=sys.stderr)
            return ran.code
        print(f"outputs: builds={ran.outputs['builds']} deploy={ran.outputs['deploy']}")
        if push.name == SUMMARY_OF:
            print("\nThe summary that GitHub shows with the run (Markdown, folded here):")
            print("\n".join(f"  | {line}" for line in folded(ran.summary)))
        if not as_expected(push, ran.outputs):
            wrong.append(push.name)
        found = run_without_lists(repository, pushed, temporary)
        without += [f"  {push.name:<10} {line}" for line in found or ["nothing to build"]]
        if {line.split()[0] for line in found} != set(push.builds):
            wrong.append(f"{push.name} without lists")
    print("\nThe same pushes when nobody wrote a list: what counts is what each Dockerfile reads.")
    print("\n".join(without))
    if wrong:
        print(f"\nnot what the sample expects: {', '.join(wrong)}", file=sys.stderr)
        return EXIT_OUR_FAULT
    print(f"\nAll {len(PUSHES)} decisions are those that the sample expects.")
    print("Your own repository: scripts/demo --repo PATH --last 20")
    return 0


def run_action(repository: Sample, pushed: Pushed, temporary: Path) -> Ran:
    """One run of the action at the root, as a step on a runner gets it."""
    from dev.sample import DEFAULT_BRANCH, REPOSITORY

    ref = f"refs/heads/{DEFAULT_BRANCH}"
    event, output, summary = (temporary / name for name in ("event.json", "output", "summary"))
    payload = {
        "ref": ref,
        "before": pushed.before,
        "after": pushed.after,
        "created": False,
        "deleted": False,
        "forced": False,
        "repository": {"full_name": REPOSITORY, "default_branch": DEFAULT_BRANCH},
    }
    event.write_text(json.dumps(payload), encoding="utf-8")
    output.write_bytes(b"")
    summary.write_bytes(b"")
    done = run(
        ["bash", str(ROOT / "scripts" / "run"), "plan"],
        cwd=repository.path,
        stdout=subprocess.PIPE,
        env={
            **environment(temporary),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_SHA": pushed.after,
            "GITHUB_REF": ref,
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_WORKSPACE": str(repository.path),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
        },
    )
    return Ran(
        code=done.returncode,
        printed=done.stdout,
        outputs=read_outputs(output.read_text(encoding="utf-8")),
        summary=summary.read_text(encoding="utf-8"),
    )


def run_without_lists(repository: Sample, pushed: Pushed, temporary: Path) -> list[str]:
    """The images that `orient-deploy plan` would build of the push without a watch list, each with
    its reason."""
    from dev.sample import CONFIG

    text = (repository.path / CONFIG).read_text(encoding="utf-8")
    for part in (
        r"    watch:(?: \[.*\]\n|\n(?:      - .*\n)+)",
        r"watch-all:.*\n",
        r"baseline:.*\n",
    ):
        text = re.sub(part, "", text)
    config = repository.path / "without-lists.yml"
    config.write_text(text, encoding="utf-8")
    done = run(
        [
            *("bash", str(ROOT / "scripts" / "run"), "plan", f"--path={repository.path}"),
            *(f"--config={config.name}", f"--base={pushed.before}"),
        ],
        stdout=subprocess.PIPE,
        env=environment(temporary),
    )
    config.unlink()
    found = re.findall(r"^  (\S+) +build +(.*)$", done.stdout, re.MULTILINE)
    return [f"{name:<10} {reason}" for name, reason in found]


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdout: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; whoever stops the demo stops it with all that it started."""
    child = subprocess.Popen(
        command, cwd=cwd, env=env, stdout=stdout, encoding="utf-8", start_new_session=True
    )
    try:
        printed, _ = child.communicate(timeout=TIMEOUT_S)
    except BaseException:
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)  # else what it started writes on while we remove
        child.kill()
        child.wait()
        raise
    return subprocess.CompletedProcess(command, child.returncode, printed)


def read_outputs(text: str) -> dict[str, str]:
    """Names and values of a file in the form of GITHUB_OUTPUT, as our own actions write it."""
    found = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n?^\2$", text, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in found}


def as_expected(push: Push, outputs: Mapping[str, str]) -> bool:
    """Whether the outputs say what the sample's table says."""
    builds = {name for name, value in json.loads(outputs["builds"]).items() if value == "true"}
    return builds == set(push.builds) and (outputs["deploy"] == "true") == push.deploy


def folded(summary: str) -> list[str]:
    """A summary for a screen: its blank lines left out, and of the picture one line."""
    picture = re.sub(r"```mermaid\n.*?```", "(a picture of the pipeline)", summary, flags=re.DOTALL)
    return [line for line in picture.splitlines() if line]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
