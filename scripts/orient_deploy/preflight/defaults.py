"""Which defaults decide on the server and are others than in the commit that runs there.

Judges uninterpolated models: no value of a variable is known here, and a default is shown only
where its name is none of a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from orient_deploy.preflight.finding import Check, Finding
from orient_deploy.stack.references import defaults, texts

if TYPE_CHECKING:
    from orient_deploy.stack.project import Model, Project

CHECKS = (
    Check(
        id="compose/default-changed",
        severity="error",
        title="A default that is in use has changed",
        why="Nothing sets the variable there, so the default decides, and with this commit another "
        "one does: a database may come up empty under its new name.",
        fix="Set the variable in the server's file of variables to what it is today.",
    ),
)

_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|PRIVATE|SALT|DSN|AUTH|_URL|_URI", re.I)
_SHOWN_MAX = 80


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name may hold a secret.

    >>> is_secret_name("POSTGRES_PASSWORD"), is_secret_name("POSTGRES_DB")
    (True, False)
    """
    return bool(_SECRET_NAME.search(name))


def check_defaults(
    project: Project, before: Model, names: Collection[str] | None, base: str
) -> list[Finding]:
    """Defaults that decide, and that were others in the project `before`, at the commit `base`.

    `names` are those that the server sets to something; None: nobody knows.
    """
    changed = _changes(before, project.raw or {})
    return [
        _finding(project, name, was, now, names is not None, base)
        for name, (was, now) in changed.items()
        if name not in (names or ())
    ]


def _changes(before: Model, after: Model) -> dict[str, tuple[str, str]]:
    """Names whose default was another, or that are a default where a fixed text stood."""
    old, new = defaults(before), defaults(after)
    found = {}
    for name in old.keys() & new.keys():
        gone, come = old[name] - new[name], new[name] - old[name]
        if gone and come:
            found[name] = (min(gone), min(come))
    fixed = dict(texts(before))
    for path, text in texts(after):
        was = fixed.get(path, text)
        values = defaults(text)
        if was == text or "$" in was or text.count("${") != 1 or len(values) != 1:
            continue
        ((name, (now,)),) = ((name, tuple(values[name])) for name in values)
        begin, end = text.index("${"), text.rindex("}") + 1
        if text[:begin] + now + text[end:] != was and name not in found:
            found[name] = (was, text[:begin] + now + text[end:])
    return dict(sorted(found.items()))


def _finding(project: Project, name: str, was: str, now: str, is_known: bool, base: str) -> Finding:
    hidden = is_secret_name(name) or max(len(was), len(now)) > _SHOWN_MAX
    values = "" if hidden else f" from '{was}' to '{now}'"
    file, line = project.place_of(name)
    where = f"{project.variables} does not set it" if is_known else "nothing is known to set it"
    keep = f"Write `{name}={was}` into the server's file of variables to keep what runs."
    return Finding(
        check="compose/default-changed",
        subject=name,
        message=f"the default of {name} changed{values} since {base}, and {where}",
        fix="" if hidden else keep,
        file=file,
        line=line,
        severity=None if is_known else "warning",
    )
