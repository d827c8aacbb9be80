"""`orient-deploy secrets lint`: which values do readers of the file take differently?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orient_deploy.commands.context import described
from orient_deploy.commands.secrets_file import SecretsInputs, choose, read_secrets
from orient_deploy.errors import EXIT_FOUND, EXIT_GOOD
from orient_deploy.record import dataclass
from orient_deploy.secrets.report import lint_lines

if TYPE_CHECKING:
    from orient_deploy.commands.context import Context

OUTPUTS = ("file", "findings")


@dataclass(frozen=True, kw_only=True)
class Inputs(SecretsInputs):
    """The inputs of `secrets lint`."""

    accept: str = described(
        "Names whose values may be taken differently, separated by commas, blanks or lines. Empty "
        "means what the configuration says.",
        "",
    )


def run(inputs: Inputs, context: Context) -> int:
    """Read the file as Docker Compose does, and judge how it is written.

    Raises:
        InputError: it cannot be read.
        EnvironmentLacks: there is no docker compose.
    """
    chosen = choose(inputs, context, {"accept": inputs.accept})
    read = read_secrets(chosen, "", context)
    found = [{"name": one.name, "line": one.line, "reason": one.reason} for one in read.findings]
    for one in read.findings if context.in_actions else ():
        name = f"{one.name}: " if one.name else ""
        context.log.error(f"{name}{one.reason}: readers differ", file=read.title, line=one.line)
    context.show(
        {"file": read.title, "findings": found},
        lines=lint_lines(read.findings, read.title, len(read.file.entries)),
    )
    return EXIT_FOUND if found else EXIT_GOOD
