"""What GitHub takes as the name and the value of a secret or variable.

Decides only whether GitHub would refuse; asked before anything is written.

Source: GitHub docs, "Secrets reference" and "Variables reference": naming rules and limits.
"""

from __future__ import annotations

import re
from typing import Literal

from orient_deploy.hidden import Hidden

Kind = Literal["secret", "variable"]

BYTES_MAX = 48 * 1024
# How many one repository, or one environment, may have.
SECRETS_MAX = 100
VARIABLES_MAX = {"repository": 500, "environment": 100}
# Shorter ones are not masked in a log: that would blank every other word.
SHORTEST_SECRET = 4

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def name_problem(name: str) -> str:
    """Why GitHub refuses a name, or ''.

    >>> name_problem("DATABASE_URL"), name_problem("github_token")
    ('', 'GitHub keeps names that begin with GITHUB_ for itself')
    """
    if name.upper().startswith("GITHUB_"):
        return "GitHub keeps names that begin with GITHUB_ for itself"
    if name[:1].isdigit():
        return "GitHub takes no name that begins with a digit"
    if not _NAME.fullmatch(name):
        return "GitHub takes letters, digits and _ in a name, and nothing else"
    return ""


def value_problem(value: Hidden, kind: Kind) -> str:
    """Why a value cannot be one at GitHub, or ''."""
    text = value.reveal()
    if not text:
        return (
            "it is empty, which a workflow cannot tell from a name that is not there: give it a "
            "value, or name it in `skip`"
        )
    if len(text.encode("utf-8", "surrogateescape")) > BYTES_MAX:
        return "it is larger than the 48 KB that GitHub takes"
    if kind == "secret" and not any(map(_is_maskable, text.splitlines())):
        return (
            "it cannot be masked in a log, as nothing of less than four characters can, nor 'true' "
            "or 'false': name it in `variables` if it is no secret"
        )
    return ""


def _is_maskable(line: str) -> bool:
    return len(line.strip()) >= SHORTEST_SECRET and line.strip() not in ("true", "false")
