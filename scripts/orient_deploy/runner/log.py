"""What a run prints: owns stdout, so that foreign text never becomes a workflow command.

Decides how things are printed, on a runner and on a laptop; never what is worth saying.

How the runner reads stdout (actions/runner v2.336.0): lines end at CR, LF or CRLF
(Runner.Sdk/ProcessInvoker.cs:513, StreamReader.ReadLine). A line is a command when, after leading
white space, it begins with `::name …::`, or when it holds `##[name …]` anywhere
(Runner.Common/ActionCommand.cs:51, 121).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from orient_deploy.errors import InputError
from orient_deploy.runner.outputs import utf16_length
from orient_deploy.text import printable

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Literal, TextIO

    Level = Literal["error", "warning", "notice"]
    Style = Literal["bold", "dim", "red", "green", "yellow", "blue"]


# Ten per level and step are kept (Runner.Worker/ExecutionContext.cs:144, 838), and composite steps
# share the ten of the step that uses them: nine and one that counts the rest.
SHOWN_PER_LEVEL = 9
# A longer message is cut there (ExecutionContext.cs:146, 802), after unescaping, in UTF-16 units.
MESSAGE_LIMIT = 4096
TITLE_LIMIT = 255  # GitHub REST API, check run annotations
# A mask of "1" or "on" blanks every output that contains it (JobExtension.cs:810).
SHORTEST_MASK = 4

_LEVELS: tuple[Level, ...] = ("error", "warning", "notice")
_SGR = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34}
_LEVEL_STYLE: dict[Level, Style] = {"error": "red", "warning": "yellow", "notice": "blue"}
_KEPT = "\n\t"  # of what cannot be seen: it steers no terminal
_LINE_ENDS = re.compile(r"\r\n|[\r\u0085\u2028\u2029\v\f]")
# Sequences that steer a terminal (ECMA-48, 5.4): a program in a build may be told to use colours.
_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_COMMAND = re.compile(r"^((?:[ \t]|\x1b\[[0-9]+m)*)::|##\[", re.MULTILINE)


class Log:
    """The one writer of a run's stdout.

    `in_actions` chooses workflow commands or plain lines; `colour` allows SGR sequences.
    """

    def __init__(self, stream: TextIO, in_actions: bool, colour: bool = False) -> None:
        self._stream = stream
        self._in_actions = in_actions
        self._colour = colour
        self._collected: dict[Level, list[tuple[str, str, str, int, int]]] = {
            level: [] for level in _LEVELS
        }

    def say(self, *parts: str | tuple[Style, str]) -> None:
        r"""Print text as lines of their own; a part may be a pair of style and text.

        A line that the runner would take for a command is shown with a backslash: `\::x`, `##\[x`.
        """
        text = "".join(
            self._paint(part[0], _lines(part[1])) if isinstance(part, tuple) else _lines(part)
            for part in parts
        )
        self._write(_COMMAND.sub(_defuse, text))

    def relay(self, text: str) -> None:
        """Print what another program printed: at once, as `say` does, and without its colours."""
        self.say(_STEERING.sub("", text))
        self._stream.flush()

    def error(
        self, message: str, *, title: str = "", file: str = "", line: int = 0, column: int = 0
    ) -> None:
        """Collect an error; `line` and `column` count from 1, 0 is unknown."""
        self._collected["error"].append((message, title, file, line, column))

    def warning(
        self, message: str, *, title: str = "", file: str = "", line: int = 0, column: int = 0
    ) -> None:
        """Collect a warning, as `error` does."""
        self._collected["warning"].append((message, title, file, line, column))

    def notice(
        self, message: str, *, title: str = "", file: str = "", line: int = 0, column: int = 0
    ) -> None:
        """Collect a notice, as `error` does."""
        self._collected["notice"].append((message, title, file, line, column))

    def flush(self) -> None:
        """Print what was collected, errors first; call it once, at the end of the run.

        Order within a level is as given, so give the worst first: on a runner nine are shown and
        a tenth counts the rest. Elsewhere all are, as `warning: file:line:column: message`.
        """
        for level in _LEVELS:
            collected, self._collected[level] = self._collected[level], []
            if not self._in_actions:
                for message, _, file, line, column in collected:
                    where = ":".join([file, *(str(n) for n in (line, column) if n)]) if file else ""
                    text = f": {where}: {message}" if where else f": {message}"
                    self.say((_LEVEL_STYLE[level], level), text)
                continue
            for message, title, file, line, column in collected[:SHOWN_PER_LEVEL]:
                self._write(_annotation(level, message, title, file, line, column))
            if len(collected) > SHOWN_PER_LEVEL:
                more = f"and {len(collected) - SHOWN_PER_LEVEL} more: see the summary"
                self._write(_annotation(level, more, "", "", 0, 0))
        self._stream.flush()

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed inside under `title`."""
        heading = " ".join(_lines(title).split())
        if not self._in_actions:
            self.say(("bold", heading))
            yield
            return
        self._write(f"::group::{_escape_data(heading)}")
        try:
            yield
        finally:
            self._write("::endgroup::")

    def mask(self, value: str) -> tuple[str, ...]:
        """Have the runner hide `value` from now on: each line of it that is long enough.

        Returns those lines, for whoever hides them elsewhere.

        Lines are masked one by one and short ones left out, because the runner, given the whole,
        masks every line however short (ActionCommandManager.cs:444): one `}` would blank all JSON.

        Raises:
            InputError: the value is too short, or is a word that our own outputs consist of.
        """
        lines = [line.strip() for line in re.split(r"[\r\n]+", value)]
        long_enough = [x for x in lines if len(x) >= SHORTEST_MASK and x not in ("true", "false")]
        if not long_enough:
            raise InputError(
                "a secret cannot be masked",
                f"a value under {SHORTEST_MASK} characters, or 'true' or 'false', would hide "
                "parts of unrelated lines and outputs",
                "Use a longer secret, or a variable if it is none.",
            )
        if self._in_actions:
            for line in dict.fromkeys(long_enough):
                self._write(f"::add-mask::{_escape_data(line)}")
            self._stream.flush()
        return tuple(dict.fromkeys(long_enough))

    def _paint(self, style: Style, text: str) -> str:
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        # A stream that cannot show a character (cp1252 on Windows) spells it out, never fails.
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        safe = text.encode(encoding, "backslashreplace").decode(encoding)
        self._stream.write(safe + "\n")


def _lines(text: str) -> str:
    """`text` as printable lines: whatever ends a line somewhere ends one here."""
    return printable(_LINE_ENDS.sub("\n", text), keep=_KEPT)


def _defuse(match: re.Match[str]) -> str:
    return "##\\[" if match[0] == "##[" else f"{match[1]}\\::"


def _annotation(level: Level, message: str, title: str, file: str, line: int, column: int) -> str:
    properties = []
    if file:
        # A value loses every leading "=" (ActionCommand.cs:103: Split drops empty entries).
        properties.append(("file", f"./{file}" if file.startswith("=") else file))
        if line:
            properties.append(("line", str(line)))
            if column:
                properties.append(("col", str(column)))  # ActionCommandManager.cs:779
    if title:
        one_line = " ".join(_lines(title).split())
        if one_line.startswith("="):
            one_line = f" {one_line}"
        properties.append(("title", _cut(one_line, TITLE_LIMIT)))
    listed = ",".join(
        f"{name}={_escape_property(printable(value, keep=_KEPT))}" for name, value in properties
    )
    if listed.endswith((" ", "\t")):
        listed += ","  # the runner trims the list (ActionCommand.cs:99), a file name may end so
    space = " " if listed else ""
    return f"::{level}{space}{listed}::{_escape_data(_cut(_lines(message), MESSAGE_LIMIT))}"


def _cut(text: str, limit: int) -> str:
    """At most `limit` UTF-16 units, no character split, ending in an ellipsis when cut."""
    if utf16_length(text) <= limit:
        return text
    return text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore") + "…"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
