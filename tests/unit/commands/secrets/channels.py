"""Every way by which a secret could get out of a run, and what was seen there.

    watch = Watch(project, github, monkeypatch, tmp_path, read_streams)
    watch.act("sync-secrets")
    assert watch.leaks() == {}

A secret is looked for whole, in each of its words, turned into other forms and other cases, as an
un-keyed hash, and by its length.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import io
import json
import os
import re
import shutil
import stat
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from orient_deploy.commands import main
from tests.fakes import canary
from tests.fakes.github_state import GitHubState
from tests.oracles.runner_files import commands, lines_of
from tests.unit.commands.conftest import Finished
from tests.unit.commands.secrets.conftest import KEY, TOKEN, Project

# With a character that base64 has not: sealed boxes are many, and hold any five others by chance.
WORDS = ("Kz_wq", "Vy_hn", "Tb_xd", "Rm_fj", "Gc_ps", "Lq_tb")
# 37 characters: as a word of its own that number stands in nothing else that is said.
CANARY = "{}/{}+{}&{}={}~{}%W".format(*WORDS)
LENGTH = re.compile(rf"(?<![\w.:/-]){len(CANARY)}(?![\w:/-])")
PROGRAMS = ("docker", "git", "ssh", "ssh-keygen", "ssh-keyscan", "sh")
# Writes down what it is given, in the system's own words, before it is what it is called. What
# Compose is asked each time, and what has no secret in it, is answered here.
SHIM = """\
#!/bin/sh
/bin/cat /proc/$$/cmdline >>'{log}/argv'
/bin/cat /proc/$$/environ >>'{log}/environment'
case "$*" in "compose version --short") echo 2.40.3; exit;; esac
exec '{program}' "$@"
"""
MASK = "::add-mask::"
TRACEBACK_LINE = re.compile(r'(File "[^"]*"), line \d+')


def forms_of(secret: str, text: bytes) -> list[str]:
    """The forms in which it stands in the text; its words are what is left of pieces."""
    cases = {secret: "", secret.upper(): "upper case, ", secret.lower(): "lower case, "}
    found = [f"{name}{form}" for one, name in cases.items() for form in canary.leaks(one, text)]
    # As their own lines, so that each is looked for in all forms.
    pieces = "\n".join(WORDS)
    if secret == CANARY and not found:
        for one in (pieces, pieces.upper(), pieces.lower()):
            found += [f"a piece, {form}" for form in canary.leaks(one, text)]
    return list(dict.fromkeys([*found, *(f"{name} of it" for name in _hashes(secret, text))]))


def _hashes(secret: str, text: bytes) -> Iterator[str]:
    lower, url = text.lower(), bytes.maketrans(b"+/", b"-_")
    for data in (secret.encode(), f"{secret}\n".encode(), f"DATABASE_URL={secret}".encode()):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, data).digest()
            # The first of them are as good as all: what is cut short is found too.
            if digest.hex()[:12].encode() in lower:
                yield f"{algorithm} in hex"
            written = base64.b64encode(digest)[:10]
            if written in text or written.translate(url) in text:
                yield f"{algorithm} in base64"


class Watch:
    """Runs commands of a project, and keeps what went through each channel."""

    def __init__(
        self,
        project: Project,
        github: GitHubState,
        monkeypatch: pytest.MonkeyPatch,
        folder: Path,
        streams: Callable[[], tuple[str, str]],
    ) -> None:
        self.project, self.github = project, github
        self.secrets: dict[str, str] = {"value": CANARY, "token": TOKEN, "key": KEY}
        self.said: dict[str, list[str | bytes]] = {}
        self.errors: list[BaseException] = []
        self.found: dict[str, list[str]] = {}
        self._streams = streams
        self._on_runner = False
        self._running = False  # what a test itself writes is not looked at
        self._log = folder / "children"
        self._log.mkdir()
        self._elsewhere = folder / "elsewhere"  # what is not RUNNER_TEMP
        self._elsewhere.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(self._elsewhere))
        self._shims = folder / "shims"
        self._shims.mkdir()
        paths = project.laptop["PATH"]
        for name in PROGRAMS:
            if program := shutil.which(name, path=paths):
                self.program(name, SHIM.format(log=self._log, program=program))
        for env in (project.laptop, project.runner):
            env["PATH"] = f"{self._shims}{os.pathsep}{paths}"
        self._spy_on_errors(monkeypatch)
        self._spy_on_files(monkeypatch)
        self._spy_on_github(monkeypatch)

    def program(self, name: str, text: str) -> None:
        """What is found as a program of this name."""
        path = self._shims / name
        path.write_text(text)
        path.chmod(0o755)

    def stand_in(
        self, out: str = "", *, err: str = "", code: int = 0, version: str = "2.40.3"
    ) -> None:
        """A docker that says what it is told to, as the version and as the answer."""
        for name, text in (("out", out), ("err", err), ("version", f"{version}\n")):
            (self._shims / f"docker.{name}").write_text(text)
        here = f"'{self._shims}/docker"
        shim = SHIM.format(log=self._log, program="").partition("case")[0]
        self.program(
            "docker",
            f'{shim}case "$*" in *version*) exec /bin/cat {here}.version\';; esac\n'
            f"/bin/cat >/dev/null\n/bin/cat {here}.out'\n/bin/cat {here}.err' >&2\nexit {code}\n",
        )

    def answering(self, values: Mapping[str, str]) -> None:
        """A docker that reads these values, quicker than the real one."""
        environment = {name: value.replace("$", "$$") for name, value in values.items()}
        self.stand_in(json.dumps({"services": {"s": {"environment": environment}}}))

    # Runs.

    def run(self, *argv: str, **changes: str | None) -> Finished:
        return self.watched(lambda: self.project.run(*argv, **changes), on_runner=False)

    def act(self, name: str, **changes: str | None) -> Finished:
        return self.watched(lambda: self.project.act(name, **changes), on_runner=True)

    def watched(self, start: Callable[[], Finished], *, on_runner: bool) -> Finished:
        """A run of another kind."""
        self._streams()
        self._on_runner, self._running = on_runner, True
        try:
            done = start()
        except SystemExit as ending:  # how argparse ends
            self.keep("exception", *_told(ending))
            done = Finished(
                code=int(ending.code or 0), stdout="", stderr="", outputs={}, summary=""
            )
        finally:
            self._running = False
        out, err = self._streams()
        masks, rest = _unmasked(done.stdout)
        if masks and (not on_runner or lines_of(done.stdout.encode())[: len(masks)] != masks):
            self.keep("masks", done.stdout)
        self.keep("stdout", rest, out)
        self.keep("stderr", done.stderr, err)
        self.keep("summary", done.summary)
        for path in ("output",):
            file = self.project.temp / path
            self.keep("outputs", file.read_bytes() if file.is_file() and on_runner else b"")
        told = [one for one in commands(done.stdout.encode()) if one.name != "add-mask"]
        self.keep("annotations", *(json.dumps([one.data, one.properties]) for one in told))
        self._look_at_what_is_left()
        return done

    def keep(self, channel: str, *texts: str | bytes) -> None:
        """What a channel has carried."""
        self.said.setdefault(channel, []).extend(one for one in texts if one)

    # What they left.

    def leaks(self) -> dict[str, list[str]]:
        """By channel, in which forms a secret was seen there so far; and what is wrong with files
        and masks. What was looked at is kept no longer."""
        for name in ("argv", "environment"):
            path = self._log / name
            self.keep(name, path.read_bytes() if path.exists() else b"")
            path.unlink(missing_ok=True)
        for error in self.errors:
            self.keep("exception", *_told(error))
            self.keep("traceback", "".join(traceback.format_exception(error)))
        self.errors.clear()
        self.keep("variables", json.dumps(self.github.variables()))
        self.keep("journal", *(repr(one) for one in self.github.journal))
        issues = self.github.repository.issues
        self.keep("issue", *(json.dumps([one.title, one.body, one.comments]) for one in issues))
        said, self.said = self.said, {}
        for channel, texts in said.items():
            if channel in ("masks", "files"):
                self._note(channel, map(str, texts))
                continue
            joined = b"\0".join(
                one if isinstance(one, bytes) else one.encode("utf-8", "replace") for one in texts
            )
            for name, secret in self.secrets.items():
                self._note(channel, (f"{name}: {form}" for form in forms_of(secret, joined)))
            if channel in MESSAGES and LENGTH.search(_words(joined)):
                self._note(channel, ["value: its length"])
        return self.found

    def _note(self, channel: str, problems: Iterable[str]) -> None:
        for problem in problems:
            self.found.setdefault(channel, []).append(problem)

    def _look_at_what_is_left(self) -> None:
        temporary = [*self.project.temp.rglob("*"), *self._elsewhere.rglob("*")]
        kept = {self.project.temp / "output", self.project.temp / "summary"}
        self.keep("files", *(f"left: {one.name}" for one in temporary if one not in kept))
        home = Path(self.project.laptop["HOME"])
        for path in (one for one in home.rglob("*") if one.is_file() and not one.is_symlink()):
            if canary.leaks(CANARY, path.read_bytes()):
                self.keep("files", f"left: {path}")

    def _spy_on_errors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        report, fault = main._report, main._report_fault

        def spy(error: Any, log: Any) -> None:
            self.errors.append(error)
            report(error, log)

        def spy_on_fault(log: Any) -> None:
            self.errors.append(sys.exc_info()[1] or RuntimeError("none"))
            fault(log)

        monkeypatch.setattr(main, "_report", spy)
        monkeypatch.setattr(main, "_report_fault", spy_on_fault)

    def _spy_on_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every file that this process opens to write is private, or in a private folder, and in
        the runner's folder."""
        opened, by_number = builtins.open, os.open

        def note(path: Any, descriptor: int) -> None:
            if (
                not self._running
                or isinstance(path, int)
                or str(path) == os.devnull
                or "__pycache__" in str(path)
            ):
                return
            place = Path(os.fsdecode(path))
            if place.is_dir():  # a file that never has a name (O_TMPFILE)
                place /= "nameless"
            if place.name in ("output", "summary") and place.parent == self.project.temp:
                return
            allowed = self.project.temp in place.parents or (
                not self._on_runner and self._elsewhere in place.parents
            )
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            above = [one for one in place.parents if self.project.temp in one.parents]
            private = any(stat.S_IMODE(one.stat().st_mode) == 0o700 for one in above)
            if not allowed or (mode & 0o077 and not private):
                self.keep("files", f"{place.name} in {place.parent.name}: {mode:o}")

        def spy(file: Any, mode: str = "r", *rest: Any, **named: Any) -> Any:
            result = opened(file, mode, *rest, **named)
            if set(mode) & set("wax+") and not isinstance(file, int):
                note(file, result.fileno())
            return result

        def spy_by_number(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            result = by_number(path, flags, *rest, **named)
            if flags & (os.O_WRONLY | os.O_RDWR):
                note(path, result)
            return result

        monkeypatch.setattr(builtins, "open", spy)
        monkeypatch.setattr(io, "open", spy)
        monkeypatch.setattr(os, "open", spy_by_number)

    def _spy_on_github(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The journal holds neither queries nor bodies: those of the wire itself."""
        handle = self.github.handle

        def spy(request: Any) -> Any:
            headers = {k: v for k, v in request.headers.items() if k != "authorization"}
            self.keep("requests", request.path, json.dumps([request.query, headers]), request.raw)
            return handle(request)

        monkeypatch.setattr(self.github, "handle", spy)

    def garble(
        self, monkeypatch: pytest.MonkeyPatch, method: str, path: str, content: bytes
    ) -> list[str]:
        """What GitHub answers there without an error is this; the paths where it was said."""
        ask = requests.Session.request
        said: list[str] = []

        def garbled(session: Any, verb: str, url: str, **named: Any) -> requests.Response:
            response = ask(session, verb, url, **named)
            if verb == method and url.partition("?")[0].endswith(path) and response.ok:
                response._content = content
                said.append(url)
            return response

        monkeypatch.setattr(requests.Session, "request", garbled)
        return said


MESSAGES = ("stdout", "stderr", "summary", "outputs", "annotations", "exception", "issue")


def _words(text: bytes) -> str:
    return TRACEBACK_LINE.sub(r"\1", text.decode("utf-8", "replace"))


def _unmasked(stdout: str) -> tuple[list[str], str]:
    """The lines that the runner hides, and the rest of what it shows."""
    lines = lines_of(stdout.encode())
    masks = [line for line in lines if line.startswith(MASK)]
    return masks, "\n".join(line for line in lines if not line.startswith(MASK))


def _told(error: BaseException) -> Iterator[str]:
    """All that an exception holds, and those that stand behind it, shown or not."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        yield str(one)
        for part in (*one.args, *vars(one).values(), getattr(one, "object", "")):
            yield part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
