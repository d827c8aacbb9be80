"""What we know of the secrets that we wrote: one variable at GitHub, beside them.

Holds names, keyed fingerprints and times. Never a value, and never more than fits into a variable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

VARIABLE = "ORIENT_DEPLOY_SECRETS"
FORMAT = 1

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"[0-9TZ:.+-]{10,40}")


@dataclass(frozen=True, kw_only=True)
class Written:
    """One secret that we wrote."""

    fingerprint: str  # '' when there was no key
    updated_at: str  # as GitHub told it after the write
    owner: str  # the environment of the configuration that it was written for


@dataclass(frozen=True, kw_only=True)
class State:
    """All that we wrote to one scope."""

    key_id: str = ""  # of the key that made the fingerprints
    written: Mapping[str, Written] = field(default_factory=dict)  # by name, in upper case


def parse_state(text: str) -> State | None:
    """What the variable says; None when it is not ours, or of another version.

    >>> parse_state(state_text(State(key_id="0123abcd")))
    State(key_id='0123abcd', written={})
    >>> parse_state("{}"), parse_state("no JSON")
    (None, None)
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    # True is 1 to Python.
    if not isinstance(said, dict) or repr(said.get("orient-deploy-secrets")) != repr(FORMAT):
        return None
    rows, key_id = said.get("written"), said.get("key")
    if not isinstance(rows, dict) or not isinstance(key_id, str):
        return None
    written: dict[str, Written] = {}
    for name, row in rows.items():
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(r, str) for r in row):
            return None
        fingerprint, at, owner = row
        if (fingerprint and not _FINGERPRINT.fullmatch(fingerprint)) or not _TIME.fullmatch(at):
            return None
        written[name] = Written(fingerprint=fingerprint, updated_at=at, owner=owner)
    return State(key_id=key_id, written=written)


def state_text(state: State) -> str:
    """The variable's value: one line of ASCII, the same for the same state."""
    rows = {
        name: [one.fingerprint, one.updated_at, one.owner] for name, one in state.written.items()
    }
    content = {"orient-deploy-secrets": FORMAT, "key": state.key_id, "written": rows}
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
