"""What is written, what is noted of it, and what the next run makes of a run that was ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import pytest

from orient_deploy.errors import RemoteError
from orient_deploy.hidden import Hidden
from orient_deploy.secrets.apply import Outcome, apply_plan
from orient_deploy.secrets.fingerprint import Key
from orient_deploy.secrets.plan import (
    Remote,
    Rules,
    Scope,
    SecretsPlan,
    plan_secrets,
)
from orient_deploy.secrets.state import VARIABLE, parse_state
from orient_deploy.secrets.wanted import Wanted

KEY = Key(Hidden("4f" * 32))
SCOPE = Scope()
NAMES = ("API_KEY", "DATABASE_URL", "JWT_SECRET")


class Killed(BaseException):
    """What a signal raises in the middle."""


class Memory:
    """A repository's secrets, which fails or is killed before or after the n-th call."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.times: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.calls: list[str] = []
        self.trouble: Callable[[int, str], None] = lambda number, when: None
        self.refuses: set[str] = set()
        self.keys = 1
        self._clock = 0

    def _call(self, name: str, effect: Callable[[], None] = lambda: None) -> None:
        number = len(self.calls)
        self.calls.append(name)
        self.trouble(number, "before")
        effect()
        self.trouble(number, "after")

    def secrets(self) -> Mapping[str, str]:
        self._call("list")
        return dict(self.times)

    def public_key(self) -> int:
        self._call("key")
        return self.keys

    def put_secret(self, name: str, value: Hidden, key: int, /) -> Literal["written", "refused"]:
        if name in self.refuses or key != self.keys:
            self._call(f"put {name}")
            return "refused"
        self._call(f"put {name}", lambda: self.set(name, value.reveal()))
        return "written"

    def written_at(self, name: str, /) -> str:
        self._call(f"get {name}")
        return self.times.get(name, "")

    def delete_secret(self, name: str, /) -> None:
        def effect() -> None:
            self.values.pop(name, None)
            self.times.pop(name, None)

        self._call(f"delete {name}", effect)

    def put_variable(self, name: str, value: Hidden, /) -> Literal["written", "refused"]:
        self._call(f"note {name}", lambda: self.texts.update({name: value.reveal()}))
        return "written"

    def set(self, name: str, value: str) -> None:
        self._clock += 1
        self.values[name] = value
        self.times[name] = f"2026-01-02T03:04:{self._clock:02}Z"


def plan_for(
    memory: Memory, values: Mapping[str, str], *, rules: Rules | None = None, key: Key | None = KEY
) -> SecretsPlan:
    wanted = [
        Wanted(name=name, given=name, line=1, kind="secret", value=Hidden(value))
        for name, value in values.items()
    ]
    state = parse_state(memory.texts.get(VARIABLE, ""))
    remote = Remote(
        secrets=dict(memory.times), variables={n: Hidden(t) for n, t in memory.texts.items()}
    )
    used = rules or Rules(owner="production", prune=True, max_prune=10)
    return plan_secrets(wanted, remote, state, key, scope=SCOPE, rules=used)


def run(memory: Memory, values: Mapping[str, str], *, key: Key | None = KEY) -> Outcome:
    state = parse_state(memory.texts.get(VARIABLE, ""))
    plan = plan_for(memory, values, key=key)
    memory.calls.clear()
    return apply_plan(plan, memory, state, key, owner="production")


def values_of(text: str) -> dict[str, str]:
    return {name: f"{text} of {name}" for name in NAMES}


def test_a_first_run_writes_everything_and_the_second_nothing() -> None:
    memory = Memory()

    assert run(memory, values_of("first")).is_good
    assert memory.values == values_of("first")
    note = f"note {VARIABLE}"
    written = [f"{call} {name}" for name in NAMES for call in ("put", "get")]
    assert memory.calls == [note, "key", *written, "list", note]
    assert run(memory, values_of("first")) == Outcome(done=())
    assert memory.calls == []


def test_one_change_is_one_write() -> None:
    memory = Memory()
    run(memory, values_of("first"))

    assert run(memory, {**values_of("first"), "API_KEY": "another"}).is_good
    assert memory.calls == ["key", "put API_KEY", "get API_KEY", "list", f"note {VARIABLE}"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(11))
@pytest.mark.parametrize("error", [Killed(), RemoteError("a", "b", "c")], ids=["kill", "error"])
def test_wherever_a_run_ends_the_next_one_ends_right(
    error: BaseException, at: int, when: str
) -> None:
    memory = Memory()
    run(memory, {**values_of("old"), "GONE": "once there"})
    new = values_of("new") | {"ONE_MORE": "just come"}

    def trouble(number: int, now: str) -> None:
        if (number, now) == (at, when):
            raise error

    memory.trouble = trouble
    try:
        ended = run(memory, new)
        assert not ended.is_good
    except Killed:
        pass
    memory.trouble = lambda number, now: None
    assert run(memory, new).error is None

    assert memory.values == new
    assert run(memory, new) == Outcome(done=())


def test_a_name_that_github_refuses_does_not_stop_the_others() -> None:
    memory = Memory()
    memory.refuses = {"DATABASE_URL"}

    outcome = run(memory, values_of("first"))

    assert [one.step.name for one in outcome.failed] == ["DATABASE_URL"]
    assert set(memory.values) == {"API_KEY", "JWT_SECRET"}
    memory.refuses = set()
    assert [one.step.name for one in run(memory, values_of("first")).done] == ["DATABASE_URL"]


def test_a_public_key_that_was_replaced_is_fetched_again_once() -> None:
    memory = Memory()

    def trouble(number: int, when: str) -> None:
        if number == 3 and when == "after":
            memory.keys = 2

    memory.trouble = trouble

    assert run(memory, values_of("first")).is_good
    assert memory.calls.count("key") == 2


def test_a_new_key_writes_everything_once() -> None:
    memory = Memory()
    other = Key(Hidden("2c" * 32))
    run(memory, values_of("first"))

    assert len(run(memory, values_of("first"), key=other).done) == len(NAMES)
    assert run(memory, values_of("first"), key=other) == Outcome(done=())


def test_notes_of_others_stay_but_not_what_another_key_made_of_them() -> None:
    memory = Memory()
    run(memory, values_of("first"))
    staging = Rules(owner="staging")
    memory.set("B_STAGING", "b")
    state = parse_state(memory.texts[VARIABLE])
    plan = plan_for(memory, {"C_STAGING": "cccc"}, rules=staging)
    apply_plan(plan, memory, state, KEY, owner="staging")

    noted = parse_state(memory.texts[VARIABLE])

    assert noted is not None and state is not None
    assert noted.written == {**state.written, "C_STAGING": noted.written["C_STAGING"]}
    assert noted.written["C_STAGING"].owner == "staging"
