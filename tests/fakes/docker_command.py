"""A `docker` that does what a test tells it, and writes down how it was called.

    docker = FakeDocker(tmp_path)
    docker.answers("buildx inspect", stdout="Driver: docker-container")
    docker.runs("buildx build", "echo building; sleep 100")
    ... PATH=docker.path ...
    docker.calls

For what a real engine cannot be brought to on demand; whatever it can is tested with one.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """\
#!{python} -I
import json, os, sys
from pathlib import Path
here = Path({folder!r})
arguments = sys.argv[1:]
stdin = "" if arguments[:2] == ["buildx", "build"] else sys.stdin.read()
call = {{"arguments": arguments, "environment": dict(os.environ), "stdin": stdin,
         "folder": os.getcwd()}}
with (here / "calls").open("a") as file:
    file.write(json.dumps(call) + "\\n")
scripts = json.loads((here / "scripts").read_text())
for words in (2, 1):
    script = scripts.get(" ".join(arguments[:words]))
    if script is not None:
        os.execv("/bin/sh", ["sh", "-c", script, "docker", *arguments])
sys.exit("docker: unknown command: docker " + arguments[0])
"""


@dataclass(frozen=True)
class Call:
    """One start of the command."""

    arguments: list[str]
    environment: Mapping[str, str]
    stdin: str
    folder: str


class FakeDocker:
    """Answers only what it was told to: any other command is unknown to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "docker-command"
        self._folder.mkdir()
        program = self._folder / "docker"
        program.write_text(_PROGRAM.format(python=sys.executable, folder=str(self._folder)))
        program.chmod(0o755)
        self._scripts: dict[str, str] = {}
        self._save()

    @property
    def path(self) -> str:
        """A PATH on which this is docker."""
        return f"{self._folder}:/usr/bin:/bin"

    @property
    def calls(self) -> list[Call]:
        """How it was called, in order."""
        file = self._folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [Call(**json.loads(line)) for line in lines]

    def answers(self, command: str, *, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        """Let a command, named by its first one or two words, print and end."""
        said = f"printf %s {shlex.quote(stdout)}; printf %s {shlex.quote(stderr)} >&2"
        self.runs(command, f"{said}; exit {code}")

    def runs(self, command: str, script: str) -> None:
        """Let a command be a shell script; its arguments are those of the command."""
        self._scripts[command] = script
        self._save()

    def _save(self) -> None:
        (self._folder / "scripts").write_text(json.dumps(self._scripts))
