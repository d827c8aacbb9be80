"""Starts an entrypoint by its name: on a runner with its inputs, elsewhere with flags.

The one place that turns errors into messages and exit codes (`orient_deploy.errors`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from io import StringIO

from orient_deploy import __version__
from orient_deploy.commands.context import Context
from orient_deploy.errors import EXIT_OUR_FAULT, EnvironmentLacks, OrientError
from orient_deploy.runner import Log, read_inputs, write_summary
from orient_deploy.text import sentence

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    import argparse
    from types import ModuleType
    from typing import Any, TextIO

# Name on the command line, its module, and what it answers.
COMMANDS: dict[str, tuple[str, str]] = {
    "plan": ("plan", "what would this commit rebuild and deploy, and with which matrix?"),
    "detect": ("detect", "which images must be built, and is there something to deploy?"),
    "matrix": ("matrix", "the build matrix of the images to build"),
    "build": ("build", "build one image, push it, and record its inputs"),
    "gate": ("gate", "may the deploy start, after what the jobs before it did?"),
    "sync-secrets": ("sync_secrets", "GitHub's secrets from a file of variables"),
    "drift": ("drift", "do the file, GitHub and the server have the same secrets?"),
    "preflight": ("preflight", "what would break, before anything is touched?"),
    "verify": ("verify", "is what was deployed well?"),
    "deploy": ("deploy", "a release on a server, judged, and taken back where it is broken"),
    "releases": ("releases", "which releases does a server have, and how does it stand?"),
    "rollback": ("rollback", "back to a release that was judged good"),
    "diagnose": ("diagnose", "what failed, and what cures it?"),
    "secrets plan": ("secrets_plan", "what would `secrets apply` write to GitHub?"),
    "secrets apply": ("sync_secrets", "the same as sync-secrets"),
    "secrets drift": ("drift", "the same as drift"),
    "secrets lint": ("secrets_lint", "which values do readers of the file take differently?"),
    "secrets diff": ("secrets_diff", "which names are lacking, and where?"),
    "config check": ("config_check", "is the configuration right?"),
    "init": ("init", "a configuration proposed from what the repository holds"),
    "audit": ("audit", "do the lists watch what the images read?"),
    "replay": ("replay", "what would the last pushes have built, and what have missed?"),
}

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main_cli() -> int:
    """The console script `orient-deploy`."""
    return main(sys.argv[1:])


def main(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Run one command; returns its exit code, never raises but for a fault in this function."""
    if env is None:
        env = os.environ
        _end_tidily()
    # A closed stream is None; the verdict still goes to the runner's files.
    stdout = stdout or sys.stdout or StringIO()
    stderr = stderr or sys.stderr or stdout
    name, rest = _split(argv)
    try:
        if name is None:
            return _help(argv, stdout, stderr)
        code = _run(name, rest, env, stdout, stderr)
        stdout.flush()
        return code
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        _silence(stdout)
        return 0
    except OSError as error:  # a full disk, most likely; the outputs may be written
        _silence(stdout)
        print(f"orient-deploy: the output cannot be written: {error}", file=stderr)
        return EnvironmentLacks.exit_code


def _run(name: str, rest: list[str], env: Mapping[str, str], stdout: TextIO, stderr: TextIO) -> int:
    in_actions = env.get("GITHUB_ACTIONS") == "true"
    as_json = "--json" in rest
    stream = stderr if as_json else stdout
    colour = not in_actions and stream.isatty() and "NO_COLOR" not in env
    log = Log(stream, in_actions, colour)
    try:
        module = import_module(f"orient_deploy.commands.{COMMANDS[name][0]}")
        given = env if in_actions and not rest else _flags(name, module, rest)
        inputs = read_inputs(module.Inputs, given)
        context = Context(
            env=env, log=log, stdout=stdout, stderr=stderr, in_actions=in_actions, json=as_json
        )
        code: int = module.run(inputs, context)
    except OrientError as error:
        _report(error, log)
        if in_actions:
            _summarise(error, env, log)
        code = error.exit_code
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        _report(
            EnvironmentLacks(
                f"the machine refused{where}",
                error.strerror or str(error),
                "Look at its disk space and at who may write there",
            ),
            log,
        )
        code = EnvironmentLacks.exit_code
    except Exception:
        _report_fault(log)
        code = EXIT_OUR_FAULT
    log.flush()
    return code


def _end_tidily() -> None:
    """A cancelled job ends us by a signal: leave as after any other error, and leave nothing."""
    import signal

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), end)


def _silence(stream: TextIO) -> None:
    """Nothing more is written to a stream that takes nothing, not even when Python ends."""
    with suppress(OSError, ValueError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _split(argv: Sequence[str]) -> tuple[str | None, list[str]]:
    """The command's name, which may be two words, and the arguments after it."""
    for words in (2, 1):
        name = " ".join(argv[:words])
        if len(argv) >= words and name in COMMANDS:
            return name, list(argv[words:])
    return None, list(argv)


def _help(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
    usage = (
        f"usage: orient-deploy COMMAND [--INPUT VALUE …] [--json]\n\n{commands}\n\n"
        "orient-deploy COMMAND --help shows the inputs of one."
    )
    if argv and argv[0] in ("--version", "-V"):
        print(f"orient-deploy {__version__}", file=stdout)
        return 0
    if argv and argv[0] in ("--help", "-h", "help"):
        print(usage, file=stdout)
        return 0
    if argv:
        Log(stderr, False).say(f"orient-deploy: there is no command {' '.join(argv[:2])!r}.\n")
    print(usage, file=stderr)
    return 2


def _flags(name: str, module: ModuleType, rest: Sequence[str]) -> dict[str, str]:
    """The inputs as flags, spelt as the variables that a runner would set."""
    parser = _parser(name, module)
    known, unknown = parser.parse_known_args(rest)
    if unknown:
        # Up to the name of the first flag: its value may be a secret, for which there is no flag.
        flags = [number for number, one in enumerate(unknown, 1) if one.startswith("-")]
        told = unknown[: flags[0]] if flags else unknown
        parser.error(f"unrecognized arguments: {' '.join(told).partition('=')[0]}")
    values = vars(known)
    values.pop("json", None)
    return {f"INPUT_{key.upper()}": value for key, value in values.items() if value is not None}


def _parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    import argparse
    from dataclasses import fields

    parser = argparse.ArgumentParser(
        prog=f"orient-deploy {name}",
        description=f"{COMMANDS[name][1].capitalize()}",
        allow_abbrev=False,
    )
    for one in fields(module.Inputs):
        if one.metadata.get("secret"):
            continue
        extra: dict[str, Any] = {}
        if one.type in ("bool", bool):
            extra = {"nargs": "?", "const": "true", "metavar": "true|false"}
        text = one.metadata.get("help", "").replace("%", "%%")
        parser.add_argument(f"--{one.name.replace('_', '-')}", help=text, **extra)
    parser.add_argument("--json", action="store_true", help="print the outputs as JSON")
    return parser


def _report(error: OrientError, log: Log) -> None:
    """An error for people: each of its problems at its line, or the three parts at once."""
    problems = getattr(error, "problems", ())
    for problem in problems:
        where = problem.where
        log.error(
            f"{problem.message}. {sentence(problem.fix)}",
            file=where.file,
            line=where.line,
            column=where.column,
        )
    if not problems:
        log.error(sentence(str(error)), file=error.file, line=error.line)


def _summarise(error: OrientError, env: Mapping[str, str], log: Log) -> None:
    """The same in the job summary, where there is room for all: ten annotations are shown."""
    from orient_deploy.plan.report import error_markdown

    try:
        write_summary(error_markdown(error), env.get("GITHUB_STEP_SUMMARY"))
    except OrientError as failure:
        if str(failure) != str(error):
            log.notice(sentence(str(failure)))  # less than the error, which it must not hide


def _report_fault(log: Log) -> None:
    import traceback

    with log.group("Traceback"):
        log.say(traceback.format_exc())
    log.error(
        f"orient-deploy {__version__} failed in a way it should not. This is a fault of ours, not "
        "of your configuration. Please report it with the traceback above."
    )
