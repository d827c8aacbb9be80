"""Writes to GitHub what a plan says, one after the other, and notes what came of it.

Decides nothing that the plan has not: but it stops where going on would not help, and notes only
what GitHub confirms. Whatever ends it in between, the next run knows what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from orient_deploy.errors import RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.plan import WRITES, SecretsPlan, Step
from orient_deploy.secrets.state import VARIABLE, State, Written, state_text

K = TypeVar("K")


class Target(Protocol[K]):
    """Where secrets go; `github.secrets.Store` is one."""

    def secrets(self) -> Mapping[str, str]: ...
    def public_key(self) -> K: ...
    def put_secret(self, name: str, value: Hidden, key: K, /) -> Literal["written", "refused"]: ...
    def written_at(self, name: str, /) -> str: ...
    def delete_secret(self, name: str, /) -> None: ...
    def put_variable(self, name: str, value: Hidden, /) -> Literal["written", "refused"]: ...


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a step."""

    step: Step
    problem: str = ""  # a clause; '' when it was done
    written_at: str = ""  # of a secret, as GitHub told right after the write


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    done: tuple[Done, ...]  # of each step that had something to write, in order
    error: RemoteError | None = None  # why it stopped before its end
    noted: bool = True  # what was written is noted; else the next run writes it again

    @property
    def failed(self) -> tuple[Done, ...]:
        """The steps that were not done."""
        return tuple(one for one in self.done if one.problem)

    @property
    def is_good(self) -> bool:
        """Whether everything is as the plan wanted it."""
        return not self.failed and self.error is None and self.noted


def apply_plan(
    plan: SecretsPlan,
    target: Target[K],
    state: State | None,
    key: Key | None,
    *,
    owner: str,
    progress: Callable[[int, int, Step], None] = lambda number, count, step: None,
) -> Outcome:
    """Do what the plan says; `progress` is told of each step before it is taken.

    A plan that refuses anything must not come here. What GitHub refuses of one name (422) leaves
    the others as they are to be; any other failure ends the row.
    """
    assert not plan.is_refused
    steps = plan.of(*WRITES)
    if not steps:
        return Outcome(done=())
    done: list[Done] = []
    error: RemoteError | None = None
    try:
        if state is None and any(step.kind == "secret" for step in steps):
            # A token that may write secrets and no variables is better found out now.
            _put_state(target, State(key_id=key.id if key else ""))
            state = State(key_id=key.id if key else "")
        for one in _write(steps, target, progress):
            done.append(one)
    except (KeyboardInterrupt, SystemExit):  # a cancelled job, too, has some seconds left
        with suppress(RemoteError):
            _note(plan, done, target, state, key, owner)
        raise
    except RemoteError as failure:
        error = failure
        done += [
            Done(step=step, problem="it was not begun, or its end is not known")
            for step in steps[len(done) :]
        ]
    noted = True
    try:
        _note(plan, done, target, state, key, owner)
    except RemoteError as failure:
        error, noted = error or failure, False
    return Outcome(done=tuple(done), error=error, noted=noted)


def _write(
    steps: Sequence[Step], target: Target[K], progress: Callable[[int, int, Step], None]
) -> Iterator[Done]:
    key: K | None = None
    for number, step in enumerate(steps, 1):
        progress(number, len(steps), step)
        answer: Literal["written", "refused"] = "written"
        if step.action == "delete":
            target.delete_secret(step.name)
        elif step.kind == "variable":
            answer = target.put_variable(step.name, _value(step))
        else:
            is_fresh = key is None
            key = target.public_key() if key is None else key
            answer = target.put_secret(step.name, _value(step), key)
            if answer == "refused" and not is_fresh:  # GitHub may have another key by now
                key = target.public_key()
                answer = target.put_secret(step.name, _value(step), key)
        if answer == "refused":
            yield Done(step=step, problem="GitHub refused it")
        elif step.kind == "secret" and step.action != "delete":
            yield Done(step=step, written_at=target.written_at(step.name))
        else:
            yield Done(step=step)


def _value(step: Step) -> Hidden:
    assert step.value is not None
    return step.value


def _note(
    plan: SecretsPlan,
    done: Sequence[Done],
    target: Target[K],
    state: State | None,
    key: Key | None,
    owner: str,
) -> None:
    """Note what GitHub confirms; names that it has no more are forgotten."""
    wrote = [one for one in done if not one.problem and one.step.kind == "secret"]
    if not wrote:
        return
    before = state or State()
    there = target.secrets()
    key_id = key.id if key else before.key_id
    kept = {
        name: row
        if key_id == before.key_id
        else Written(fingerprint="", updated_at=row.updated_at, owner=row.owner)
        for name, row in before.written.items()
        if name in there
    }
    for one in wrote:
        step = one.step
        if step.action == "delete" or step.name not in there:
            continue
        # Somebody else may have written it meanwhile: then its value is theirs.
        is_ours = key and there[step.name] == one.written_at
        print_of = key.fingerprint(plan.scope.text, step.name, _value(step)) if key else ""
        kept[step.name] = Written(
            fingerprint=print_of if is_ours else "",
            updated_at=one.written_at,
            owner=owner,
        )
    after = State(key_id=key_id, written=kept)
    if after != state:
        _put_state(target, after)


def _put_state(target: Target[K], state: State) -> None:
    what = "what is written cannot be noted"
    try:
        answer = target.put_variable(VARIABLE, Hidden(state_text(state)))
    except RemoteError as failure:
        found = RemoteError(what, f"of the variable {VARIABLE}, {failure.why}", failure.next_step)
    else:
        if answer == "written":
            return
        next_step = "Look at the variable by hand; the next run writes these secrets again"
        found = RemoteError(what, f"GitHub refused the variable {VARIABLE}", next_step)
    raise found
