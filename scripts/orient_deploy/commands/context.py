"""What every entrypoint is given: the environment, a log, and where its results go.

Decides how results reach their readers (outputs and summary on a runner, lines or JSON elsewhere);
never what the results are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from orient_deploy.record import dataclass, field
from orient_deploy.runner import Log, Outputs, write_summary

TYPE_CHECKING = False  # typing's own would cost each start its import: 2 ms
if TYPE_CHECKING:
    from typing import Any, TextIO

    from orient_deploy.plan.model import Remark
    from orient_deploy.plan.report import Line


@dataclass(frozen=True, kw_only=True)
class Context:
    """One run of an entrypoint."""

    env: Mapping[str, str]
    log: Log  # for people; on stderr when stdout carries JSON
    stdout: TextIO
    stderr: TextIO
    in_actions: bool
    json: bool = False

    def publish(
        self, outputs: Mapping[str, object], *, lines: Sequence[Line], markdown: str = ""
    ) -> None:
        """Hands the results over: to the runner's files, and to whoever reads the terminal.

        On a runner a flag is written as `true` or `false`, a list or mapping as JSON. A runner
        without GITHUB_STEP_SUMMARY, as old ones were, only has nothing to read; one without
        GITHUB_OUTPUT would have later jobs decide on nothing.

        Raises:
            EnvironmentLacks: a file of the runner is not named or cannot be written.
        """
        written = Outputs(self.env.get("GITHUB_OUTPUT", "") if self.in_actions else None)
        for name, value in outputs.items():
            written.set(name, as_output(value))
        written.write()
        self.show(outputs, lines=lines, markdown=markdown)

    def show(
        self, values: Mapping[str, object], *, lines: Sequence[Line], markdown: str = ""
    ) -> None:
        """Shows results that no later job reads, of any size.

        Raises:
            EnvironmentLacks: the summary cannot be written.
        """
        if self.in_actions:
            write_summary(markdown, self.env.get("GITHUB_STEP_SUMMARY"))
        if self.json:
            self.stdout.write(json.dumps(values, sort_keys=True) + "\n")
        else:
            for line in lines:
                self.log.say(*line)


def described(
    text: str,
    default: str | bool | None = None,
    *,
    action_default: str = "",
    secret: bool = False,
) -> Any:
    """A field of an entrypoint's inputs with the description that action.yml shows.

    Without a default the input must be given. `action_default` is the default in action.yml where
    it differs: an expression. A secret is no flag of the command line, where others could see it,
    and no `repr` shows it.
    """
    metadata = {"help": text, "action_default": action_default, "secret": secret}
    if default is None:
        return field(metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def as_output(value: object) -> str:
    """A value as the text of an output: flags in lower case, JSON compact, sorted and ASCII.

    >>> as_output(True), as_output(["b"]), as_output("text"), as_output(3)
    ('true', '["b"]', 'text', '3')
    """
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def flag(value: bool) -> str:
    """`true` or `false`: what `builds` and `deploys` hold, since `if:` compares strings."""
    return "true" if value else "false"


def closed_alphabet(text: str) -> str:
    """ASCII without anything that a shell, an expression or a workflow command would read.

    >>> closed_alphabet("changed: packages/$(id)/a.ts (1 file)")
    'changed: packages/?(id)/a.ts (1 file)'
    """
    return re.sub(r"[^A-Za-z0-9 .,:;()/_-]", "?", text)


def warn(remarks: Iterable[Remark], log: Log) -> None:
    """Remarks as warnings, each at its place."""
    for remark in remarks:
        where = remark.where
        log.warning(
            remark.message,
            file=where.file if where else "",
            line=where.line if where else 0,
            column=where.column if where else 0,
        )
