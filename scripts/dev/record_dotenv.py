"""Ask the readers of .env what they make of tests/corpus/dotenv, and write their answers down.

The first is the Docker Compose that scripts/dev/fetch_engines.py fetched; bash and python-dotenv
are those of this machine. A refusal is null: what a reader says of it is not kept.

    PYTHONPATH=scripts:. python3 scripts/dev/record_dotenv.py
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import dotenv

from dev.fetch_engines import cache_folder
from orient_deploy.errors import InputError
from orient_deploy.stack.compose import Compose

FOLDER = Path(__file__).parents[2] / "tests" / "corpus" / "dotenv"
ANSWERS = FOLDER / "answers.json"
TIMEOUT_S = 30
HOME = "/home/reader"  # of readers that look at their environment
Answer = Mapping[str, "str | None"] | None


def fetched_compose(folder: Path) -> Compose:
    """The Compose of the engine 28; `folder` takes the settings that lead to it."""
    programs = cache_folder() / "28" / "usr"
    plugins = {"cliPluginsExtraDirs": [str(programs / "libexec" / "docker" / "cli-plugins")]}
    (folder / "config.json").write_text(json.dumps(plugins), encoding="utf-8")
    return Compose.found({"PATH": str(programs / "bin"), "DOCKER_CONFIG": str(folder)})


def by_compose(path: Path, compose: Compose) -> Answer:
    """What a service gets."""
    try:
        return {name: one.reveal() for name, one in compose.env_file(str(path)).items()}
    except InputError:
        return None


def by_bash(path: Path) -> Answer:
    """What a child of a shell gets that has read the file with `set -a`."""
    script = 'set -a; . "$1" && printf "%s\\0" "$$" && exec /usr/bin/env -0'
    child = subprocess.run(
        ["/bin/bash", "--norc", "-c", script, "bash", str(path)],
        env={"HOME": HOME},
        cwd=path.parent,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if child.returncode or child.stderr:
        return None
    number, *rest = child.stdout.decode("utf-8").split("\0")
    # `$$` is the number of the process and `$1` the path: others each time.
    pairs = (
        one.replace(number, "PID").replace(str(path), "FILE").partition("=") for one in rest if one
    )
    given = {"PWD": None, "SHLVL": None, "_": None, "OLDPWD": None, "HOME": HOME}
    return {
        name: value
        for name, _, value in pairs
        if name not in given or given[name] not in (None, value)
    }


def by_python(path: Path) -> Answer:
    """What python-dotenv gives."""
    with patch.dict(os.environ, {"HOME": HOME}, clear=True):
        return dotenv.dotenv_values(path, encoding="utf-8")


def answers() -> list[dict[str, object]]:
    """Each input with the answer of each reader."""
    texts: list[str] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        compose = fetched_compose(Path(temporary))
        for text in texts:
            path = Path(temporary) / "file.env"
            path.write_bytes(text.encode("utf-8"))
            found.append(
                {
                    "text": text,
                    "compose": by_compose(path, compose),
                    "python-dotenv": by_python(path),
                    "bash": by_bash(path),
                }
            )
    return found


def rendered(found: list[dict[str, object]]) -> str:
    """One input a line, so that a change can be read."""
    return "[\n" + ",\n".join(json.dumps(one, sort_keys=True) for one in found) + "\n]\n"


if __name__ == "__main__":
    ANSWERS.write_text(rendered(answers()), encoding="utf-8")
