"""The sample repository: `examples/orient` as a git history, and pushes with what each leads to.

The table `PUSHES` is the one home of those expectations: the demo shows it and the tests hold the
actions to it. Every commit id is the same on every machine. Never decides anything itself and never
uses a network.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "orient"
REPOSITORY = "acme/orient"
REMOTE = f"https://github.com/{REPOSITORY}.git"
DEFAULT_BRANCH = "main"
CONFIG = ".github/orient-deploy.yml"
WORKFLOWS = ("deploy.yml", "deploy-matrix.yml")  # a repository has one of them
FIRST_COMMIT = datetime(2026, 1, 5, 9, 0, tzinfo=timezone.utc)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Every `old` in the file becomes `new`.

    An empty `old` adds `new` at the end, or makes the file. With both empty the file is deleted.
    """

    path: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True, kw_only=True)
class Push:
    """One push to main and what it must lead to when compared with the commit before it."""

    name: str
    subject: str
    edits: tuple[Edit, ...] = ()
    builds: frozenset[str] = field(default=frozenset())
    deploy: bool = False


ALL_IMAGES = frozenset({"opencode", "whatsapp", "dashboard"})

PUSHES = (
    Push(
        name="dashboard",
        subject="Greet on the dashboard",
        edits=(Edit(path="packages/dashboard/src/index.ts", old="<main>", new="<main>Hello "),),
        builds=frozenset({"dashboard"}),
        deploy=True,
    ),
    Push(
        name="core",
        subject="Tell the time in health answers",
        edits=(
            Edit(path="packages/core/src/index.ts", old="ok: true };", new="ok: true }; // UTC"),
        ),
        builds=ALL_IMAGES,
        deploy=True,
    ),
    Push(
        name="mcp-tools",
        subject="Add a tool",
        edits=(
            Edit(path="packages/mcp-tools/src/list.ts", new="export const names: string[] = [];\n"),
        ),
        builds=frozenset({"opencode"}),
        deploy=True,
    ),
    Push(
        name="lockfile",
        subject="Update zod",
        edits=(
            Edit(path="pnpm-lock.yaml", old="version: 3.25.75", new="version: 3.25.76"),
            Edit(path="pnpm-lock.yaml", old="zod@3.25.75", new="zod@3.25.76"),
            Edit(
                path="pnpm-lock.yaml",
                old=(
                    "sha512-OhpzAmVzabPOL6C3A3gpAifqr9MqihV/Msx3gor2b2kviCgcb+HM9SEOpMWwwNp9MRunWnhtAKUoo0AHhjyPPg=="
                ),
                new=(
                    "sha512-gzUt/qt81nXsFGKIFcC3YnfEAx5NkunCfnDlvuBSSFS02bcXu4Lmea0AFIUwbLWxWPx3d9p8S5QoaujKcNQxcQ=="
                ),
            ),
        ),
        builds=ALL_IMAGES,
        deploy=True,
    ),
    Push(
        name="nginx",
        subject="Accept larger uploads",
        edits=(Edit(path="docker/nginx-ssl.conf", old="10m", new="25m"),),
        deploy=True,
    ),
    Push(
        name="compose",
        subject="Use the new bucket's region",
        edits=(Edit(path="docker/docker-compose.r2.yml", old="STORAGE: r2", new="STORAGE: r2-eu"),),
        deploy=True,
    ),
    Push(
        name="staging-compose",
        subject="Move staging to another port",
        edits=(Edit(path="docker/docker-compose.staging.yml", old="8081", new="8082"),),
    ),
    Push(
        name="docs",
        subject="Say how to roll back",
        edits=(
            Edit(path="docs/rollback.md", new="# Rolling back\n\nDeploy the last good release.\n"),
        ),
    ),
    Push(name="nothing", subject="Start the pipeline again"),
    # Last, because the pushes above expect three images.
    Push(
        name="slack",
        subject="Build and deploy the Slack bot",
        edits=(
            Edit(
                path=CONFIG,
                old="\nwatch-all:",
                new=(
                    "  slack:\n"
                    "    dockerfile: packages/bot-slack/Dockerfile\n"
                    "    repository: ghcr.io/acme/orient/slack\n"
                    "    watch: [packages/bot-slack/**, packages/core/**]\n"
                    "    services: [bot-slack]\n"
                    "    typical-minutes: 3\n"
                    "\nwatch-all:"
                ),
            ),
            Edit(
                path="packages/bot-slack/Dockerfile",
                new=(
                    "ARG BASE=scratch\n"
                    "FROM ${BASE} AS production\n"
                    "WORKDIR /app\n"
                    "COPY package.json pnpm-lock.yaml ./\n"
                    "COPY packages/core packages/core\n"
                    "COPY packages/bot-slack packages/bot-slack\n"
                    'CMD ["node", "packages/bot-slack/src/index.ts"]\n'
                ),
            ),
            Edit(
                path="docker/docker-compose.v2.yml",
                old="\n  dashboard:\n",
                new=(
                    "\n  bot-slack:\n"
                    "    image: ghcr.io/acme/orient/slack:latest\n"
                    "    container_name: orienter-bot-slack\n"
                    "    env_file: ../.env\n"
                    "    restart: unless-stopped\n"
                    "\n  dashboard:\n"
                ),
            ),
        ),
        builds=frozenset({"slack"}),
        deploy=True,
    ),
)


def push_named(name: str) -> Push:
    """The push of that name; KeyError when there is none."""
    return {push.name: push for push in PUSHES}[name]


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """The two tips of a push, as GitHub's event calls them."""

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A git repository with the example in it, on its default branch."""

    path: Path

    def git(self, *arguments: str) -> str:
        """What git prints, without the last newline."""
        return self._git(*arguments, when="")

    def head(self) -> str:
        """The full id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str) -> None:
        """Make or replace one file."""
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")

    def edit(self, edit: Edit) -> None:
        """Change one file as the edit says; ValueError when what it replaces is not there."""
        file = self.path / edit.path
        if not edit.old and not edit.new:
            file.unlink()
            return
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if edit.old and edit.old not in text:
            raise ValueError(f"{edit.path} does not hold {edit.old!r}")
        self.write(edit.path, text.replace(edit.old, edit.new) if edit.old else text + edit.new)

    def push(self, push: Push) -> Pushed:
        """Commit the push's edits on the branch that is checked out; nothing is sent anywhere."""
        before = self.head()
        for edit in push.edits:
            self.edit(edit)
        self.commit(push.subject)
        return Pushed(before=before, after=self.head())

    def commit(self, subject: str) -> str:
        """Commit everything in the working tree, be it nothing; the commit's full id."""
        earlier = int(self.git("rev-list", "--count", "--all"))
        when = (FIRST_COMMIT + timedelta(hours=earlier)).isoformat()
        self.git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", subject, when=when)
        return self.head()

    def _git(self, *arguments: str, when: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            check=True,
            timeout=60,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=_git_environment(when),
        )
        return done.stdout.rstrip("\n")


def build(directory: Path, *, workflow: str = "deploy.yml") -> Sample:
    """Make the example a git repository in `directory`, which must be empty or absent.

    Its history is two commits on main, tagged v1.3.0 and v1.4.0. Its remote is a name only. Of the
    example's workflows it has the one asked for.
    """
    if workflow not in WORKFLOWS:
        raise ValueError(f"workflow {workflow!r} is none of {', '.join(WORKFLOWS)}")
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise ValueError(f"{directory} is not empty")
    sample = Sample(path=directory)
    unwanted = {f".github/workflows/{name}" for name in WORKFLOWS if name != workflow}
    for path, text in _example_files().items():
        if path not in unwanted:
            sample.write(path, text)
    # No template: hooks and whatever else a machine puts into new repositories stay out.
    sample.git("init", "--quiet", "--template=", f"--initial-branch={DEFAULT_BRANCH}")
    sample.git("remote", "add", "origin", REMOTE)
    # Without these, a maintainer's own settings would reach whoever commits here later.
    sample.git("config", "user.name", "orient")
    sample.git("config", "user.email", "orient@example.com")
    sample.git("config", "core.autocrlf", "false")
    sample.commit("Bring the services together")
    sample.git("tag", "v1.3.0")
    sample.edit(Edit(path="docs/operations.md", new="\nReleases are tagged `v1.2.3`.\n"))
    sample.commit("Say how releases are tagged")
    sample.git("tag", "v1.4.0")
    return sample


def _example_files() -> Mapping[str, str]:
    found = (path for path in sorted(EXAMPLE.rglob("*")) if path.is_file())
    return {
        path.relative_to(EXAMPLE).as_posix(): path.read_text(encoding="utf-8") for path in found
    }


def _git_environment(when: str) -> dict[str, str]:
    """An environment in which a commit's id depends on the example alone."""
    identity = {"NAME": "orient", "EMAIL": "orient@example.com", "DATE": when}
    environment = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in identity.items()
    }
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    kept = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP")
    return environment | {name: os.environ[name] for name in kept if name in os.environ}


def main() -> None:
    """Build the sample from the command line, for a look at it."""
    names = [push.name for push in PUSHES]
    parser = argparse.ArgumentParser(description="Build the sample repository.")
    parser.add_argument("directory", type=Path, help="empty or absent")
    parser.add_argument("--workflow", choices=WORKFLOWS, default=WORKFLOWS[0])
    parser.add_argument(
        "--push", action="append", default=[], choices=names, help="append it; may be repeated"
    )
    arguments = parser.parse_args()
    sample = build(arguments.directory, workflow=arguments.workflow)
    for name in arguments.push:
        sample.push(push_named(name))
    print(sample.git("log", "--oneline", "--stat"))


if __name__ == "__main__":
    main()
