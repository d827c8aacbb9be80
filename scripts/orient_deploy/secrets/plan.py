"""What has to be done so that GitHub has what the file says: one step for each name, with a reason.

Values in, values out: asks nobody and writes nothing. No reason has a word of a value in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orient_deploy.hidden import Hidden
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.names import (
    SECRETS_MAX,
    VARIABLES_MAX,
    Kind,
    name_problem,
    value_problem,
)
from orient_deploy.secrets.state import VARIABLE, State, Written
from orient_deploy.secrets.wanted import Wanted

Action = Literal["create", "update", "skip", "unknown", "delete", "orphan", "refuse"]

# In the order in which people should see them.
ORDER: tuple[Action, ...] = (
    "refuse",
    "create",
    "update",
    "delete",
    "orphan",
    "unknown",
    "skip",
)
WRITES: tuple[Action, ...] = ("create", "update", "delete")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where secrets live: the repository, or one of its GitHub environments."""

    environment: str = ""  # '': the repository itself

    @property
    def text(self) -> str:
        """As fingerprints and people know it: 'repository', 'environment production'."""
        return f"environment {self.environment}" if self.environment else "repository"

    @property
    def variables_max(self) -> int:
        return VARIABLES_MAX["environment" if self.environment else "repository"]


@dataclass(frozen=True, kw_only=True)
class Remote:
    """What GitHub has: when each secret was last written, and what each variable says."""

    secrets: Mapping[str, str]  # name -> updated_at
    variables: Mapping[str, Hidden] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the caller allows."""

    owner: str  # the environment of the configuration that all this is for
    prune: bool = False
    max_prune: int = 0
    rewrite: bool = False  # write every secret, whatever is known of it
    suffix: str = ""  # of the names at GitHub
    # Suffixes of the other environments whose secrets are in the same scope, by environment.
    others: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What becomes of one name, and why: a clause for people."""

    name: str
    kind: Kind
    action: Action
    reason: str
    line: int = 0  # in the file; 0 for what is not in it
    value: Hidden | None = None  # what to write


@dataclass(frozen=True, kw_only=True)
class SecretsPlan:
    """All steps for one scope, in the order of `ORDER` and of the names."""

    scope: Scope
    steps: tuple[Step, ...]
    remarks: tuple[str, ...]

    def of(self, *actions: Action) -> tuple[Step, ...]:
        """The steps with one of these actions."""
        return tuple(step for step in self.steps if step.action in actions)

    @property
    def is_refused(self) -> bool:
        """Whether nothing at all may be written."""
        return bool(self.of("refuse"))


def plan_secrets(
    wanted: Sequence[Wanted],
    remote: Remote,
    state: State | None,
    key: Key | None,
    *,
    scope: Scope,
    rules: Rules,
    faults: Sequence[tuple[str, int, str]] = (),
) -> SecretsPlan:
    """One step for each name that the file has, or that we once wrote.

    `state` None: there is none that can be read. `key` None: only names and times are known.
    `faults` are place, line and reason of what else is wrong with the file.
    """
    steps = [
        Step(name=name, kind="secret", action="refuse", reason=reason, line=line)
        for name, line, reason in faults
    ]
    steps += _refused(wanted)
    refused = {step.name for step in steps}
    known = state or State()
    for one in wanted:
        if one.name in refused:
            continue
        before = known.written.get(one.name)
        if one.kind == "variable":
            action, reason = _variable(one, remote)
        elif before and before.owner in rules.others and one.name in remote.secrets:
            action = "refuse"
            reason = f"it is a secret of {before.owner}: each would overwrite the other's"
        elif rules.rewrite and one.name in remote.secrets:
            action, reason = "update", "written again, as asked"
        else:
            fingerprint = ""
            if key is not None and key.id == known.key_id:
                fingerprint = key.fingerprint(scope.text, one.name, one.value)
            at = remote.secrets.get(one.name)
            action, reason = _secret(at, before, fingerprint, key)
        value = one.value if action in WRITES else None
        steps.append(
            Step(
                name=one.name,
                kind=one.kind,
                action=action,
                reason=reason,
                line=one.line,
                value=value,
            )
        )
    steps += _orphans({one.name for one in wanted if one.kind == "secret"}, remote, known, rules)
    steps += _too_many(steps, remote, scope)
    return SecretsPlan(
        scope=scope,
        steps=tuple(sorted(steps, key=lambda one: (ORDER.index(one.action), one.name, one.kind))),
        remarks=(
            *_remarks(wanted, remote, state, key, rules),
            *_counterparts(wanted, known, remote, rules),
        ),
    )


def _refused(wanted: Sequence[Wanted]) -> Iterable[Step]:
    seen: dict[str, Wanted] = {}
    for one in wanted:
        why = [why for why in (name_problem(one.name), value_problem(one.value, one.kind)) if why]
        why += one.problems
        other = seen.setdefault(one.name, one)
        if other is not one:
            why.append(f"GitHub takes it for the same name as {other.given} of line {other.line}")
        if one.name == VARIABLE:
            why.append("that is where we keep what we wrote")
        if why:
            yield Step(
                name=one.name, kind=one.kind, action="refuse", reason="; ".join(why), line=one.line
            )


def _variable(one: Wanted, remote: Remote) -> tuple[Action, str]:
    there = remote.variables.get(one.name)
    if there is None:
        return "create", "GitHub does not have it"
    return ("skip", "the same") if there == one.value else ("update", "GitHub has another value")


def _secret(
    at: str | None, before: Written | None, fingerprint: str, key: Key | None
) -> tuple[Action, str]:
    """`at` is when GitHub last saw it written, `before` what we know of that."""
    if at is None:
        return "create", "GitHub does not have it" + (" any more" if before else "")
    if key is None:
        if before is not None and before.updated_at != at:
            return "unknown", "changed at GitHub since we wrote it; without the key that is all"
        return "unknown", "it is there; without the key its value cannot be told"
    if before is None:
        return "update", "we noted no write of it: its value is not known"
    if before.updated_at != at:
        return "update", "changed at GitHub since we wrote it: its value is not known"
    if not fingerprint or not before.fingerprint:
        return "update", "it was written with another key, or without one: its value is not known"
    if before.fingerprint != fingerprint:
        return "update", "the file has another value"
    return "skip", "the same"


def _orphans(wanted: set[str], remote: Remote, known: State, rules: Rules) -> Iterable[Step]:
    """What we wrote for this environment and the file has no more."""
    found = sorted(
        name
        for name, one in known.written.items()
        if one.owner == rules.owner and name not in wanted and name in remote.secrets
    )
    fits = len(found) <= rules.max_prune
    for name in found:
        ours = known.written[name].updated_at == remote.secrets[name]
        action: Action = "orphan"
        if not rules.prune:
            reason = "it is no secret of the file any more; `prune` would delete it"
        elif not wanted:
            reason = "the file names no secret at all: that is more likely a mistake"
        elif not ours:
            reason = "it is no secret of the file any more; others changed it: delete it by hand"
        elif not fits:
            reason = (
                f"it is no secret of the file any more; {len(found)} are too many to delete with "
                f"`max-prune: {rules.max_prune}`"
            )
        else:
            action, reason = "delete", "it is no secret of the file any more"
        yield Step(name=name, kind="secret", action=action, reason=reason)


def _too_many(steps: Sequence[Step], remote: Remote, scope: Scope) -> Iterable[Step]:
    """Every creation, refused, where GitHub would run out of room in the middle of them."""
    rows: tuple[tuple[Kind, int, int], ...] = (
        ("secret", len(remote.secrets), SECRETS_MAX),
        ("variable", len({*remote.variables, VARIABLE}), scope.variables_max),
    )
    for kind, there, most in rows:
        new = [one for one in steps if one.kind == kind and one.action == "create"]
        gone = [one for one in steps if one.kind == kind and one.action == "delete"]
        if new and there + len(new) - len(gone) > most:
            yield Step(
                name=f"{len(new)} new {kind}s",
                kind=kind,
                action="refuse",
                reason=(
                    f"the {scope.text} has {there} {kind}s, and GitHub takes {most}: use variables "
                    "for some, or an environment of its own"
                ),
            )


def _remarks(
    wanted: Sequence[Wanted], remote: Remote, state: State | None, key: Key | None, rules: Rules
) -> Iterable[str]:
    if key is None:
        yield (
            "No key for fingerprints was given: names and times are compared, values are not. "
            "Give `key`, or `rewrite` to write every secret"
        )
    elif state is None and any(one.name in remote.secrets for one in wanted):
        yield f"The variable {VARIABLE} is not there: nothing is known of values at GitHub"
    elif state and state.written and state.key_id != key.id and not rules.rewrite:
        yield "The fingerprints were made with another key: every secret is written once more"


def _counterparts(
    wanted: Sequence[Wanted], known: State, remote: Remote, rules: Rules
) -> Iterable[str]:
    """Names that one of two environments has in this scope, and the other has not."""
    here = {_base(one.name, rules.suffix) for one in wanted if one.kind == "secret"}
    for other, suffix in sorted(rules.others.items()):
        there = {
            _base(name, suffix)
            for name, one in known.written.items()
            if one.owner == other and name in remote.secrets
        }
        if not there:
            continue  # nothing is known of it yet
        for names, lacking in ((here - there, other), (there - here, rules.owner)):
            if names:
                yield f"{lacking} has no counterpart of {', '.join(sorted(names))}"


def _base(name: str, suffix: str) -> str:
    return name.removesuffix(suffix.upper())
