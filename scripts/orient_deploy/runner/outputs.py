"""The outputs of a step, written to GITHUB_OUTPUT once.

Decides the encoding and refuses what the runner would lose; never what is put out.
"""

from __future__ import annotations

import os
import re

from orient_deploy.errors import EnvironmentLacks, InputError

# At most 1 MB of outputs per job, counted as UTF-16, so two bytes for most characters (GitHub docs,
# output limitations). Nothing in the runner checks it (FileCommandManager.cs:353), so we do.
JOB_LIMIT_BYTES = 1024 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Outputs:
    """Collects outputs and writes them in one append; with None for a path (a laptop) nowhere.

    On a runner an empty path is a lack: outputs that nobody reads must not look like success.

    A character that UTF-8 cannot hold (a byte of a file name that is no text) becomes U+FFFD: a
    reason that names such a file must not fail the run, and exact names travel in the files list.

    The runner ends lines at LF alone, so any other character survives; on Windows it also ends them
    at CRLF (FileCommandManager.cs:482-490), and a value there loses one CR at its very end.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._values: dict[str, str] = {}

    def set(self, name: str, value: str) -> None:
        """Keep `value`; the last one set under a name counts."""
        if not _NAME.match(name):
            raise ValueError(f"no output can be called {name!r}")
        self._values[name] = _SURROGATE.sub("\ufffd", value)

    def write(self) -> None:
        """Append what was set since the last write.

        Raises:
            InputError: the values together exceed what GitHub takes per job; nothing is written.
            EnvironmentLacks: the file is not named or cannot be written.
        """
        sizes = {name: 2 * utf16_length(value) for name, value in self._values.items()}
        if sum(sizes.values()) >= JOB_LIMIT_BYTES:
            largest = max(sizes, key=lambda name: sizes[name])
            raise InputError(
                f"the outputs take {sum(sizes.values()):,} bytes",
                f"GitHub takes less than {JOB_LIMIT_BYTES:,} per job, counted as UTF-16, and "
                f"'{largest}' alone has {sizes[largest]:,}",
                "Configure fewer images or shorter values per workflow.",
            )
        if self._path is None or not self._values:
            return
        if not self._path:
            raise EnvironmentLacks(
                "the outputs cannot be written",
                "GITHUB_OUTPUT is not set",
                "Leave GITHUB_OUTPUT as the runner set it; in a container, pass it on",
            )
        text = "".join(_heredoc(name, value) for name, value in self._values.items())
        append(self._path, text.encode(), "GITHUB_OUTPUT")
        self._values.clear()


def utf16_length(text: str) -> int:
    """Length as .NET and JavaScript count it: characters beyond U+FFFF are two."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def append(path: str, data: bytes, variable: str) -> None:
    """Append `data` as lines of its own to the runner's file that `variable` names.

    Raises:
        EnvironmentLacks: the file cannot be written.
    """
    try:
        with open(path, "ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # an earlier command of the step left its line open
                    data = b"\n" + data
            file.write(data)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise EnvironmentLacks(
            f"{variable} {path!r} cannot be written",
            (isinstance(error, OSError) and error.strerror) or str(error),
            f"Leave {variable} as the runner set it; in a container, mount its folder.",
        ) from error


def _heredoc(name: str, value: str) -> str:
    # Always this form: `name=value` cannot hold a line break. The delimiter is random so that no
    # value can be made to contain it, and looked for all the same.
    while True:
        delimiter = f"end-{os.urandom(16).hex()}"
        if delimiter not in value:
            return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
