"""Independent implementations on Node: picomatch, GitHub's expression evaluator and parsers, Yarn's
parser of its lockfiles, path-to-regexp, pnpm, npm and turbo themselves, and Mermaid for a browser.

Installed once into `.cache/node` under the root of the repository, from exact versions, and bundled
there; then each oracle is one long-lived process that answers JSON lines. Without node and npm a
test that asks is skipped, but never under `CI=true`: there it fails.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

_SOURCE = Path(__file__).parent / "node"
_CACHE = Path(__file__).parents[2] / ".cache" / "node"
_INSTALL_TIMEOUT_S = 300
_LOCK = threading.Lock()

JsonValue = Any  # what JSON can hold; mypy has no recursive alias that reads well
Mode = Literal["ordered", "some", "every"]


class OracleError(Exception):
    """The oracle refused the question, in its own words: a syntax error in an expression, say."""


def picomatch_matches(
    patterns: Sequence[str], paths: Sequence[str], *, mode: Mode = "ordered"
) -> list[bool]:
    """For each path, whether the list of patterns selects it according to picomatch `{dot: true}`.

    `ordered`: `!` excludes and the last pattern that matches decides. `some` and `every` take each
    pattern alone, as dorny/paths-filter does.
    """
    return picomatch_many([(patterns, paths)], mode=mode)[0]


def picomatch_many(
    questions: Sequence[tuple[Sequence[str], Sequence[str]]], *, mode: Mode = "ordered"
) -> list[list[bool]]:
    """The same for many pairs of patterns and paths in one exchange."""
    asked = [{"patterns": list(patterns), "paths": list(paths)} for patterns, paths in questions]
    answer: list[list[bool]] = _ask("picomatch", {"mode": mode, "questions": asked})
    return answer


def evaluate_expression(
    expression: str,
    contexts: Mapping[str, JsonValue],
    *,
    status: Literal["success", "failure", "cancelled"] = "success",
) -> JsonValue:
    """The value of an expression, with or without `${{ }}` around it, as GitHub evaluates it.

    `status` is what the status functions go by; the `success()` that GitHub puts in front of a
    job's `if` without a status function is not added here. Text beside `${{ }}` (a newline, say)
    makes a string on GitHub and is refused here, because as a condition it is always true.

    Raises:
        OracleError: the expression does not parse, or names a context that was not given.
    """
    if "${{" in expression:
        if not (expression.startswith("${{") and expression.endswith("}}")):
            raise OracleError(f"text beside the expression makes it a string: {expression!r}")
        expression = expression[3:-2]
    question = {"expression": expression, "contexts": contexts, "status": status}
    return _ask("expressions", question)


def parse_workflow(source: Path | str) -> list[str]:
    """What GitHub's own parser has against a workflow: a file, or its text. Empty when nothing."""
    return _parse("workflow", source)


def parse_action(source: Path | str) -> list[str]:
    """The same for an action.yml."""
    return _parse("action", source)


def _parse(kind: str, source: Path | str) -> list[str]:
    if isinstance(source, Path):
        name, content = str(source), source.read_text(encoding="utf-8")
    else:
        name, content = f"{kind}.yml", source
    errors: list[str] = _ask("workflow_parser", {"kind": kind, "name": name, "content": content})
    return errors


def parse_yarn_lock(content: str) -> dict[str, JsonValue]:
    """What Yarn reads in a yarn.lock."""
    read: dict[str, JsonValue] = _ask("yarn_lock", {"content": content})
    return read


def refused_routes(paths: Sequence[str]) -> list[str]:
    """Why path-to-regexp, which reads the routes of Express 5, refuses each; '' if it takes it."""
    said: list[str] = _ask("path_to_regexp", {"paths": list(paths)})
    return said


def run_pnpm(folder: Path, *arguments: str, major: Literal[8, 10] = 10, registry: str = "") -> str:
    """What pnpm prints, started in a folder."""
    program = _bundles() / ("pnpm" if major == 10 else "pnpm-8") / "bin" / "pnpm.cjs"
    return _printed(folder, [_tool("node"), str(program), *arguments], registry)


def run_npm(folder: Path, *arguments: str, registry: str = "") -> str:
    """What npm prints."""
    return _printed(folder, [_tool("npm"), *arguments], registry)


def run_turbo(folder: Path, *arguments: str) -> str:
    """What turbo prints; the folder must be in a git repository."""
    return _printed(folder, [str(_bundles() / "turbo"), *arguments], "")


def _printed(folder: Path, command: list[str], registry: str) -> str:
    """Nobody's settings, and no network but `registry`, which must be on loopback."""
    home = folder.parent / "home"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "CI": "true",
        "TURBO_TELEMETRY_DISABLED": "1",
        "npm_config_registry": registry or "http://127.0.0.1:9/",
        "npm_config_manage_package_manager_versions": "false",
        "npm_config_update_notifier": "false",
        "npm_config_cache": str(home / "cache"),
        "npm_config_fetch_retries": "0",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_INSTALL_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise OracleError(f"{command[1:]} in {folder}:\n{done.stdout}{done.stderr}")
    return done.stdout


def mermaid_script() -> Path:
    """Mermaid as one script for a page in a browser; it defines `mermaid`."""
    return _bundles() / "mermaid.js"


_running: dict[str, subprocess.Popen[str]] = {}


def _ask(oracle: str, question: JsonValue) -> Any:
    with _LOCK:
        process = _running.get(oracle)
        if process is None or process.poll() is not None:
            process = _running[oracle] = _start(oracle)
        assert process.stdin is not None and process.stdout is not None
        # ASCII escapes: a file name may hold lone surrogates, which UTF-8 cannot carry.
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the node process of {oracle} ended with {process.wait(10)}")
    reply = json.loads(line)
    if "error" in reply:
        raise OracleError(reply["error"])
    return reply["value"]


def _start(oracle: str) -> subprocess.Popen[str]:
    bundle = _bundles() / f"{oracle}.mjs"
    process = subprocess.Popen(
        [_tool("node"), str(bundle)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    atexit.register(_stop, process)
    return process


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()  # the end of its input ends it
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    import pytest  # here, so that a maintainers' tool can use the oracles without it

    message = f"{name} is not on PATH: the comparison with an independent implementation needs it"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _bundles() -> Path:
    """The folder of bundled oracles, installed on first use; safe against a second process.

    A failed installation is not tried again: each test would wait for the same network.
    """
    if not _ready:
        try:
            _ready.append(_install())
        except RuntimeError as error:
            _ready.append(error)
    (found,) = _ready
    if isinstance(found, RuntimeError):
        raise RuntimeError(*found.args)
    return found


_ready: list[Path | RuntimeError] = []


def _install() -> Path:
    sources = sorted(path for path in _SOURCE.iterdir() if path.is_file())
    content = hashlib.sha256()
    for path in sources:
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    ready = _CACHE / content.hexdigest()[:16]
    if ready.is_dir():
        return ready
    node, npm = _tool("node"), _tool("npm")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="installing-", dir=_CACHE) as folder:
        for path in sources:
            shutil.copy(path, folder)
        # No scripts of packages: esbuild's only chooses a faster way to start.
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        _run([node, "build.mjs", "bundles"], folder)
        try:
            (Path(folder) / "bundles").rename(ready)
        except OSError:
            if not ready.is_dir():  # somebody else was first: theirs is as good
                raise
    return ready


def _run(command: list[str], folder: str) -> None:
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_INSTALL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{' '.join(command)} took over {_INSTALL_TIMEOUT_S} s") from error
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}{result.stderr}")
