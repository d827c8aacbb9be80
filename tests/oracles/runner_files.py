"""What GitHub's runner reads in a step's stdout and in the file behind GITHUB_OUTPUT.

Written from the runner's source alone, actions/runner v2.336.0 (commit 258d6c857db3), paths under
src/; shares no code with `orient_deploy.runner`. `Runner.Common/ActionCommand.cs` compares some
strings by the current culture, which with ICU skips characters that show nothing. That finds no
further commands: a command's name must begin exactly two or three UTF-16 units after the place
found, and there an ignored character would be part of the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# .NET's char.IsWhiteSpace, which string.Trim() goes by; str.strip() takes \x1c-\x1f as well.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)

# Runner.Worker/ActionCommandManager.cs:34, 206, 236, 310, 363, 422, 455, 497, 544, 612-641, 787-811
REGISTERED = frozenset(
    [
        *("stop-commands", "internal-set-repo-path", "set-env", "set-output", "save-state"),
        *("add-mask", "add-path", "add-matcher", "remove-matcher"),
        *("debug", "warning", "error", "notice", "group", "endgroup", "echo"),
    ]
)

ISSUES_PER_LEVEL = 10  # Runner.Worker/ExecutionContext.cs:144
ISSUE_LENGTH = 4096  # Runner.Worker/ExecutionContext.cs:146
SUMMARY_SIZE = 1024 * 1024  # Runner.Worker/FileCommandManager.cs:223


@dataclass(frozen=True)
class Command:
    """One workflow command; property names are lower case, as the runner compares them."""

    name: str
    data: str = ""
    properties: dict[str, str] = field(default_factory=dict)


class StepFails(Exception):
    """The runner would fail the step: "Unable to process file command"."""


def lines_of(stdout: bytes) -> list[str]:
    """Runner.Sdk/ProcessInvoker.cs:513: StreamReader.ReadLine ends a line at CR, LF or CRLF."""
    text = stdout.decode("utf-8", "replace")
    lines = re.split(r"\r\n|\r|\n", text)
    return lines[:-1] if lines[-1] == "" else lines


def commands(stdout: bytes, *, any_name: bool = False) -> list[Command]:
    """Every command in a step's stdout.

    `any_name` takes also what is written as a command but has no registered name: a later runner
    may register it.
    """
    found = []
    for line in lines_of(stdout):
        # Runner.Worker/ActionCommandManager.cs:69: the second form is tried when the first fails.
        command = parse_v2(line, any_name=any_name) or parse_v1(line, any_name=any_name)
        if command:
            found.append(command)
    return found


def parse_v2(line: str, *, any_name: bool = False) -> Command | None:
    """`::name key=value,…::data` (Runner.Common/ActionCommand.cs:51, TryParseV2)."""
    message = line.lstrip(_WHITE_SPACE)
    if not message.startswith("::"):
        return None
    end = message.find("::", 2)
    if end < 0:
        return None
    name, space, listed = message[2:end].partition(" ")
    if not any_name and name.lower() not in REGISTERED:
        return None
    # "spaceIndex > 0": an empty name has no properties
    pairs = listed.strip(_WHITE_SPACE).split(",") if space and name else []
    unescapes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    properties = _properties(pairs, unescapes)
    data = _unescape(message[end + 2 :], {"%0D": "\r", "%0A": "\n", "%25": "%"})
    return Command(name.lower(), data, properties)


def parse_v1(line: str, *, any_name: bool = False) -> Command | None:
    """`##[name key=value;…]data`, anywhere in a line (ActionCommand.cs:121, TryParse)."""
    start = line.find("##[")
    if start < 0:
        return None
    end = line.find("]", start)
    if end < 0:
        return None
    name, space, listed = line[start + 3 : end].partition(" ")
    if not any_name and name.lower() not in REGISTERED:
        return None
    unescapes = {"%3B": ";", "%0D": "\r", "%0A": "\n", "%5D": "]", "%25": "%"}
    properties = _properties(listed.split(";") if space and name else [], unescapes)
    return Command(name.lower(), _unescape(line[end + 1 :], unescapes), properties)


def issues(stdout: bytes) -> list[Command]:
    """The annotations that GitHub keeps (Runner.Worker/ExecutionContext.cs:796-844).

    Ten per level, each message cut at 4,096 UTF-16 units. Line and column are dropped where
    ActionCommandManager.cs:713 (ValidateLinesAndColumns) drops them: a column without a line.
    """
    kept: list[Command] = []
    for command in commands(stdout):
        if command.name not in ("error", "warning", "notice"):
            continue
        if sum(issue.name == command.name for issue in kept) >= ISSUES_PER_LEVEL:
            continue
        properties = dict(command.properties)
        if not properties.get("line", "").isdecimal():
            properties.pop("col", None)
        units = command.data.encode("utf-16-le")[: 2 * ISSUE_LENGTH]
        kept.append(Command(command.name, units.decode("utf-16-le", "surrogatepass"), properties))
    return kept


def masks(stdout: bytes) -> set[str]:
    """What is hidden from then on (ActionCommandManager.cs:424-449): the value, and each line."""
    hidden = set()
    for command in commands(stdout):
        if command.name == "add-mask" and command.data.strip(_WHITE_SPACE):
            lines = [line.strip(_WHITE_SPACE) for line in re.split(r"[\r\n]", command.data)]
            hidden.update([command.data, *(line for line in lines if line)])
    return hidden


def outputs(content: bytes, *, windows: bool = False) -> dict[str, str]:
    """GITHUB_OUTPUT as the step's outputs (Runner.Worker/FileCommandManager.cs:353-497).

    Raises:
        StepFails: a line that the runner refuses.
    """
    # File.ReadAllText drops a byte order mark and replaces what is no UTF-8.
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return dict(_pairs(text, windows))


def job_outputs(step_outputs: dict[str, str], hidden: set[str]) -> dict[str, str]:
    """What other jobs see (Runner.Worker/JobExtension.cs:803-818): neither empty nor masked."""
    return {
        name: value
        for name, value in step_outputs.items()
        if value and not any(mask in value for mask in hidden)
    }


def _properties(pairs: list[str], unescapes: dict[str, str]) -> dict[str, str]:
    """Split('=', count: 2, RemoveEmptyEntries): "=" before the name or the value is skipped."""
    found = {}
    for pair in pairs:
        name, _, value = pair.lstrip("=").partition("=")
        value = value.lstrip("=")
        if name and value:
            found[name.lower()] = _unescape(value, unescapes)
    return found


def _unescape(text: str, mapping: dict[str, str]) -> str:
    for escaped, character in mapping.items():  # in this order, "%25" last
        text = text.replace(escaped, character)
    return text


def _pairs(text: str, windows: bool) -> Iterator[tuple[str, str]]:
    index = 0
    while True:
        line, newline, index = _read_line(text, index, windows)
        if line is None:
            return
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            yield line[:equals], line[equals + 1 :]
        elif heredoc >= 0:
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            if not name or not delimiter:
                raise StepFails(f"Invalid format '{line}'")
            start = end = index
            line, newline, index = _read_line(text, index, windows)
            while line != delimiter:
                if line is None:
                    raise StepFails(f"Matching delimiter not found '{delimiter}'")
                if newline is None:
                    raise StepFails("EOF marker missing new line")
                end = index - len(newline)
                line, newline, index = _read_line(text, index, windows)
            yield name, text[start:end] if end > start else ""
        else:
            raise StepFails(f"Invalid format '{line}'")


def _read_line(text: str, index: int, windows: bool) -> tuple[str | None, str | None, int]:
    if index >= len(text):
        return None, None, index
    line_feed = text.find("\n", index)
    if line_feed < 0:
        return text[index:], None, len(text)
    if windows:
        both = text.find("\r\n", index)
        if 0 <= both < line_feed:
            return text[index:both], "\r\n", both + 2
    return text[index:line_feed], "\n", line_feed + 1
