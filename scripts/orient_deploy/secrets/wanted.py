"""What an environment wants at GitHub: the file's values, chosen and judged by the configuration.

Values in, values out. No reason has a word of a value in it, nor its length.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orient_deploy.hidden import Hidden
from orient_deploy.secrets.envfile import EnvFile
from orient_deploy.secrets.lint import Finding, is_sure
from orient_deploy.secrets.names import Kind

if TYPE_CHECKING:
    from orient_deploy.config.model import Secrets


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One name of the file, as it shall be at GitHub."""

    name: str  # at GitHub, in upper case
    given: str  # in the file
    line: int
    kind: Kind
    value: Hidden
    problems: tuple[str, ...] = ()  # why it must not be written as it stands


def wanted_secrets(
    file: EnvFile, findings: Sequence[Finding], secrets: Secrets
) -> tuple[Wanted, ...]:
    """The names of the file that are to be at GitHub, in its order.

    One that may be a piece of a value is left out: its line has a finding that cannot be accepted,
    and `faults` has nothing be written.
    """
    variables, skipped = _upper(secrets.variables), _upper(secrets.skip)
    least = {name.upper(): length for name, length in secrets.min_length}
    reasons: dict[str, list[str]] = {}
    for finding in findings:
        reasons.setdefault(finding.name, []).append(finding.reason)
    return tuple(
        Wanted(
            name=at_github(one.name, secrets.suffix),
            given=one.name,
            line=one.line,
            kind="variable" if one.name.upper() in variables else "secret",
            value=one.value,
            problems=(
                *(f"{reason}: readers differ" for reason in reasons.get(one.name, ())),
                *_too_short(one.value, least.get(one.name.upper(), 0)),
            ),
        )
        for one in file.entries
        if one.name.upper() not in skipped and is_sure(one)
    )


def faults(
    file: EnvFile, findings: Sequence[Finding], secrets: Secrets
) -> tuple[tuple[str, int, str], ...]:
    """Place, line and reason of what is wrong with the file and belongs to none of its names."""
    found = [(f"line {one.line}", one.line, one.reason) for one in findings if not one.name]
    there = _upper(entry.name for entry in file.entries)
    # A name that is there and says nothing is refused as what it is.
    missing = sorted(name for name in secrets.required if name.upper() not in there)
    return (
        *found,
        *((name, 0, "it is required, and the file does not have it") for name in missing),
    )


def at_github(name: str, suffix: str) -> str:
    """The name that a variable of the file has at GitHub.

    >>> at_github("database_url", "_STAGING")
    'DATABASE_URL_STAGING'
    """
    return f"{name}{suffix}".upper()


def _too_short(value: Hidden, least: int) -> Iterable[str]:
    if value and len(value.reveal()) < least:
        yield f"it is shorter than the {least} characters that `min-length` asks for"


def _upper(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.upper() for name in names)
