"""The job summary: appends Markdown to GITHUB_STEP_SUMMARY within a budget.

Decides where to cut; never what is said.
"""

from __future__ import annotations

import os
import re

from orient_deploy.runner.outputs import append

# A file above 1 MiB is dropped whole, with an error (actions/runner v2.336.0,
# Runner.Worker/FileCommandManager.cs:223, 247). The rest is for what masking adds.
BUDGET_BYTES = 900 * 1024

_NOTE_BYTES = 200  # room for the last line
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)", re.DOTALL)
_DETAILS = re.compile(r"<(/?)details\b", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def write_summary(markdown: str, path: str | None) -> None:
    """Append `markdown`; lines beyond the budget are left out, and a last line counts them.

    Without a path (a laptop) writes nothing. What the step wrote before counts.

    Raises:
        EnvironmentLacks: the file cannot be written.
    """
    if not path or not markdown:
        return
    text = _SURROGATE.sub("\ufffd", markdown)
    if not text.endswith("\n"):
        text += "\n"
    try:
        taken = os.path.getsize(path)
    except (OSError, ValueError):
        taken = 0  # not there yet; whether it can be written shows below
    data = fit(text, BUDGET_BYTES - taken - 1)
    if data:
        append(path, data, "GITHUB_STEP_SUMMARY")


def fit(text: str, budget: int) -> bytes:
    """`text`, whose last line is ended, as UTF-8 of at most `budget` bytes, cut at a line."""
    whole = text.encode()
    if len(whole) <= budget:
        return whole
    fence = ""  # the marks that opened the code block we are in
    details = 0  # how many <details> are open
    kept = size = 0
    ending = ""
    lines = text.split("\n")[:-1]
    for line in lines:
        size_after = size + len(line.encode()) + 1
        fence, details = _track(line, fence, details)
        closers = (fence + "\n" if fence else "") + "\n</details>\n" * details
        if size_after + len(closers) + _NOTE_BYTES > budget:
            break
        size, ending = size_after, closers
        kept += 1
    left_kib = (len(whole) - size + 1023) // 1024
    note = (
        f"{ending}\n*{len(lines) - kept:,} more lines ({left_kib:,} KiB) are left out: "
        f"a summary holds {BUDGET_BYTES // 1024} KiB.*\n"
    )
    cut = whole[:size] + note.encode()
    return cut if len(cut) <= budget else b""  # earlier writers left no room for a line


def _track(line: str, fence: str, details: int) -> tuple[str, int]:
    """The open code block and the number of open <details> after `line` (CommonMark 4.5)."""
    match = _FENCE.match(line)
    if fence:
        closes = match and match[1].startswith(fence) and not match[2].strip()
        return ("" if closes else fence), details
    if match and not (match[1][0] == "`" and "`" in match[2]):
        return match[1], details
    for tag in _DETAILS.finditer(line):
        details = max(0, details - 1) if tag[1] else details + 1
    return "", details
